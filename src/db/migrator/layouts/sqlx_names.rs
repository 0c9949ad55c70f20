//! The names of a folder that sqlx reads, by its resolver's rules, without reading any file.

use std::{ffi::OsString, path::Path};

use super::drizzle::JOURNAL;

/// The ends of names that sqlx knows, in lower case.
const SIMPLE: &str = ".sql";
const DOWN: &str = ".down.sql";

/// The names, or the first `most` and one if there are more; `None` if only the resolver can tell.
pub(super) fn quick_names(path: &Path, most: usize) -> Option<Vec<OsString>> {
    let mut names = Vec::new();
    let mut ups = Vec::new();
    for entry in path.read_dir().ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let text = name.to_str()?;
        let Some((version, rest)) = text
            .split_once('_')
            .filter(|(_, rest)| rest.ends_with(SIMPLE))
        else {
            // Another layout's, perhaps. Drizzle's files have such names too, but its journal counts.
            if text.ends_with(SIMPLE) || JOURNAL.strip_suffix("/_journal.json") == Some(text) {
                return None;
            }
            continue;
        };
        let kind = entry.file_type().ok()?;
        let leads_to_file = || entry.path().metadata().is_ok_and(|meta| meta.is_file());
        if kind.is_symlink() && !leads_to_file() || !kind.is_symlink() && !kind.is_file() {
            continue;
        }
        let version: i64 = version.parse().ok()?;
        if !rest.ends_with(DOWN) {
            ups.push(version);
        }
        names.push(name);
        if names.len() > most {
            return Some(names);
        }
    }
    ups.sort_unstable();
    let has_twins = ups.windows(2).any(|two| two[0] == two[1]);
    (!ups.is_empty() && !has_twins).then_some(names)
}
