//! Release ids.
//!
//! "A release, an app's name or a database URL that still holds a placeholder is refused (64)"

use std::ffi::OsString;

use launchgate::db::ledger::REVISION_MAX;
use launchgate::exit::Problem;
use launchgate::placeholder::{self, Context};
use launchgate::plan::release;
use launchgate::settings::{Origin, Setting};
use proptest::prelude::*;

use crate::harness::{assert_hidden, for_all};
use crate::inputs::{pieces, typed_url};

const PIECES: &[&str] = &[
    "v1",
    "4f2c1e",
    "latest",
    "main",
    "HEAD",
    "unknown",
    "null",
    "registry.io",
    "localhost:5000",
    "/",
    ":",
    "@",
    "sha256:",
    "@sha256:0",
    "app",
    "$TAG",
    "${TAG}",
    "$(",
    "`",
    "{{",
    "}}",
    "%A%",
    " ",
    "\n",
    "é",
    "refs/heads/",
    "-",
    ".",
    "\u{202e}",
    "\u{85}",
    "\0",
];

fn given(value: &OsString) -> Setting<OsString> {
    Setting {
        value: value.clone(),
        origin: Origin::Flag("--release"),
    }
}

fn accepted_is_meant(value: &str) -> Result<(), TestCaseError> {
    let value = OsString::from(value);
    let mut warnings = Vec::new();
    let mut find = |given: Option<&Setting<OsString>>, variable: Option<&str>| {
        let get = |name: &str| (Some(name) == variable).then_some(&*value);
        let warn = &mut |problem: Problem| warnings.push(problem.what().to_owned());
        release::find(given, get, warn)
    };
    let of_platform = find(None, Some("GIT_SHA"));
    for found in [find(Some(&given(&value)), None), of_platform] {
        match found {
            Ok(None) => {}
            Ok(Some(release)) => {
                let id = release.id.as_str();
                prop_assert!((1..=REVISION_MAX).contains(&id.len()));
                prop_assert_eq!(id.trim(), id);
                prop_assert!(!id.contains(char::is_control));
                prop_assert_eq!(placeholder::find(id, Context::Name), None);
                let last = id.rsplit(['/', ':']).next().unwrap_or_default();
                prop_assert!(
                    id.contains("@sha256:") || !last.eq_ignore_ascii_case("latest"),
                    "{id}"
                );
            }
            Err(error) => {
                let said = error.problem().what();
                prop_assert!(
                    said.contains("--release") || said.contains("GIT_SHA"),
                    "{said}"
                );
                prop_assert!(!error.problem().hint().is_empty());
            }
        }
    }
    for warning in warnings {
        prop_assert!(!warning.contains(char::is_control), "{warning:?}");
    }
    Ok(())
}

#[test]
fn a_release_is_a_steady_name() {
    for_all(pieces(PIECES, 8), |value| accepted_is_meant(&value));
}

#[test]
fn a_url_as_a_release_shows_no_password() {
    for_all(typed_url(), |value| {
        accepted_is_meant(&value)?;
        let value = OsString::from(value);
        if let Err(failure) = release::find(Some(&given(&value)), |_| None, &mut drop) {
            let shown = format!("{failure:?}");
            assert_hidden(&(&value, &shown), &shown)?;
        }
        Ok(())
    });
}
