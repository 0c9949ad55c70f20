//! Release ids: what the user or the platform calls this release.

use std::ffi::{OsStr, OsString};

use crate::exit::{Failure, Problem};
use crate::placeholder::{self, Context};
use crate::redact;
use crate::settings::Setting;

/// The variables that platforms and build pipelines set, in the order they are looked at: those of
/// one platform before those that many tools use, a commit before a deployment.
pub const PLATFORM_VARIABLES: [&str; 19] = [
    "NF_DEPLOYMENT_SHA",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "RAILWAY_DEPLOYMENT_ID",
    "HEROKU_BUILD_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "HEROKU_RELEASE_VERSION",
    "FLY_IMAGE_REF",
    "KAMAL_VERSION",
    "K_REVISION",
    "CONTAINER_APP_REVISION",
    "KOYEB_GIT_SHA",
    "CC_COMMIT_ID",
    "SOURCE_COMMIT",
    "SOURCE_VERSION",
    "GIT_SHA",
    "GIT_COMMIT",
    "GIT_COMMIT_SHA",
    "COMMIT_SHA",
];

/// Names that several releases share: with such a key, the next migration would be skipped.
pub const MOVING: [&str; 9] = [
    "latest", "main", "master", "dev", "develop", "HEAD", "stable", "edge", "nightly",
];

/// What builds write if they don't know the release: the same value every time.
pub const MEANINGLESS: [&str; 4] = ["unknown", "undefined", "null", "none"];

/// The variable whose value is always an image's name.
const IMAGE_REFERENCE: &str = "FLY_IMAGE_REF";

/// A release, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id, without white space around it.
    pub id: String,
    /// The setting's origin or the variable's name.
    pub source: String,
}

/// Why a name in [`MOVING`] can't tell one release from the next.
const MOVES: &str = "which is the same for every release";

/// The release's id: what the setting gives, else the first of [`PLATFORM_VARIABLES`] that `get` has a
/// value for. A platform's variable that names no release is passed over with a warning; one that is
/// blank counts as unset. Sources behind the one that won are not looked at.
///
/// # Errors
/// A value that can't be a revision, a placeholder that nothing replaced, or a given name that
/// does not tell one release from the next.
pub fn find<'a>(
    given: Option<&Setting<OsString>>,
    get: impl Fn(&str) -> Option<&'a OsStr>,
    warn: &mut dyn FnMut(Problem),
) -> Result<Option<Release>, Failure> {
    if let Some(Setting { value, origin }) = given {
        let source = origin.to_string();
        // A blank one is refused as an empty revision.
        let id = read(&source, value)?.map_or_else(|| revision(&source, ""), Ok)?;
        return match useless(&source, &id) {
            None => Ok(Some(Release { id, source })),
            Some(why) => Err(refused(
                &source,
                format!("{source} is `{id}`, {why}"),
                "use the release's commit, tag or image digest",
            )),
        };
    }
    for source in PLATFORM_VARIABLES {
        let Some(value) = get(source) else { continue };
        let Some(id) = read(source, value)? else {
            continue;
        };
        let Some(why) = useless(source, &id) else {
            let source = source.to_owned();
            return Ok(Some(Release { id, source }));
        };
        warn(Problem::new(
            format!("ignoring {source}={id}, {why}"),
            "use the commit or the image digest as the release",
        ));
    }
    Ok(None)
}

/// The value as a revision; `None` where it is blank.
fn read(source: &str, value: &OsStr) -> Result<Option<String>, Failure> {
    let wrong = |what: &str, hint: &str| {
        refused(source, format!("the release id in {source} {what}"), hint)
    };
    let text = value
        .to_str()
        .ok_or_else(|| wrong("is not UTF-8", "use UTF-8 text, such as the commit"))?
        .trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(placeholder) = placeholder::find(text, Context::Name) {
        let placeholder = redact::part(text, placeholder);
        return Err(Failure::usage(
            format!("the release id in {source} still contains the placeholder `{placeholder}`"),
            "without a shell nothing is expanded: write the value itself, or remove the flag and set GIT_SHA to the commit, for example with ARG and ENV in the Dockerfile",
        ));
    }
    // Everybody who can read the ledger would read it.
    if text.contains("://") && redact::passwords(text) != text {
        return Err(wrong(
            "is a URL with a password",
            "use the commit as the release",
        ));
    }
    revision(source, text).map(Some)
}

fn revision(source: &str, text: &str) -> Result<String, Failure> {
    super::revision(text).map_err(|problem| {
        let what = format!("the release id in {source} {}", problem.what());
        refused(source, what, problem.hint())
    })
}

/// A release id that can't be one.
fn refused(source: &str, what: String, remedy: &str) -> Failure {
    if PLATFORM_VARIABLES.contains(&source) {
        Failure::usage(what, format!("{remedy}, or override it with --release"))
    } else {
        Failure::usage(what, remedy)
    }
}

/// Why a name can't serve; `None` where it can.
fn useless(source: &str, name: &str) -> Option<&'static str> {
    // An env file's quotation marks may have become part of the value.
    let name = name.trim_matches(['"', '\'']);
    // A digest tells releases apart. A URL is not the name of an image.
    if let Some((_, digest)) = name.split_once("@sha256:") {
        return digest.is_empty().then_some(MOVES);
    }
    if name.contains("://") {
        return None;
    }
    // Of an image's name, `registry/app:tag`, the tag counts; of a ref, its last part.
    let last = name.rsplit('/').next().unwrap_or(name);
    let is_one_of = |word: &str, list: &[&str]| list.iter().any(|w| word.eq_ignore_ascii_case(w));
    let word = match last.rsplit_once(':') {
        Some((_, "")) => return Some(MOVES),
        Some((_, tag)) => tag,
        // No tag means `latest`.
        None if source == IMAGE_REFERENCE || has_registry(name) => return Some(MOVES),
        None => last,
    };
    if is_one_of(word, &MOVING) || name.starts_with("refs/heads/") {
        return Some(MOVES);
    }
    is_one_of(word, &MEANINGLESS).then_some("which does not identify a release")
}

/// Whether a name begins with the host of a registry, as `localhost:5000/app` does.
fn has_registry(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(host, _)| host.contains(':') || host == "localhost" || is_domain(host))
}

/// `registry.fly.io`, but not `v1.2`.
fn is_domain(host: &str) -> bool {
    host.rsplit_once('.')
        .is_some_and(|(_, top)| top.len() > 1 && top.bytes().all(|b| b.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests;
