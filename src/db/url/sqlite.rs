//! `SQLite`'s URLs: where the file is.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::error::UrlError;
use super::scheme::Spelling;
use crate::placeholder::{self, Context};
use crate::redact::Secrets;

/// Reads what follows `sqlite:` or `file:`.
///
/// `sqlite:PATH` and `sqlite://PATH` are the same, and so are `sqlite:///x` and `sqlite:////x`,
/// whichever of them a tool means by /x. A host that is not there can't be told from a directory, so only
/// `file://localhost/x`, which RFC 8089 knows, is taken as one. Parameters are passed over:
/// `mode=rwc` and the like are about how others open the file.
pub(super) fn path(
    rest: &str,
    spelling: Spelling,
    secrets: &mut Secrets,
) -> Result<PathBuf, UrlError> {
    // It would be shown as part of the path.
    if rest
        .find(':')
        .is_some_and(|colon| rest[colon..].contains('@'))
    {
        return Err(UrlError::SqliteUser);
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    secrets.add_query(query);
    if query
        .split('&')
        .any(|parameter| parameter.eq_ignore_ascii_case("mode=memory"))
    {
        return Err(UrlError::InMemory);
    }
    let path = without_slashes(path);
    // `sqlite:///file:data.db?uri=true`, as SQLAlchemy has it.
    let (path, spelling) = match path.trim_start_matches('/').strip_prefix("file:") {
        Some(nested) => (without_slashes(nested), Spelling::File),
        None => (path, spelling),
    };
    let path = match path.strip_prefix("localhost/") {
        Some(_) if spelling == Spelling::File => &path["localhost".len()..],
        _ => path,
    };
    if path.is_empty() || path.trim_start_matches('/').starts_with(":memory:") {
        return Err(UrlError::InMemory);
    }
    // A path holds no password that a `$` could belong to.
    let placeholder = |name| placeholder::find(name, Context::Url);
    if let Some(found) = path.split('/').find_map(placeholder) {
        return Err(UrlError::Placeholder(Some(found.to_owned())));
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    if decoded.contains(&0) {
        return Err(UrlError::ControlCharacter);
    }
    let slashes = decoded.iter().take_while(|&&byte| byte == b'/').count();
    let decoded = decoded[slashes.saturating_sub(1)..].to_vec();
    Ok(PathBuf::from(OsString::from_vec(decoded)))
}

/// Three slashes are a relative path to `SQLAlchemy` and Django. Where only that one exists, or could
/// be created because its folder exists, it is probably meant.
pub(super) fn check_slashes(
    rest: &str,
    spelling: Spelling,
    absolute: &Path,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<(), UrlError> {
    if spelling != Spelling::Plain || !rest.starts_with("///") || rest.starts_with("////") {
        return Ok(());
    }
    let Ok(relative) = absolute.strip_prefix("/") else {
        return Ok(());
    };
    let folder_exists = |path: &Path| path.parent().is_some_and(exists);
    let is_meant = exists(relative) || folder_exists(relative) && !folder_exists(absolute);
    if exists(absolute) || !is_meant {
        return Ok(());
    }
    Err(UrlError::ThreeSlashes {
        absolute: absolute.to_owned(),
        relative: relative.to_owned(),
    })
}

fn without_slashes(path: &str) -> &str {
    path.strip_prefix("//").unwrap_or(path)
}
