//! Release ids: what the user or the platform calls this release.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;

use super::{Revision, RevisionError};

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

/// Names that stand for another release tomorrow: a ledger keyed by one would skip the next
/// migration.
pub const MOVING: [&str; 5] = ["latest", "main", "master", "dev", "HEAD"];

/// The one variable whose value is an image's name, with the release in its tag or digest.
const IMAGE_REFERENCE: &str = "FLY_IMAGE_REF";

/// A release id that a setting named.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The setting, for the log: `--release`, `LAUNCHGATE_RELEASE`, a file and line.
    pub origin: &'a str,
    /// What it says.
    pub value: &'a OsStr,
}

/// A release, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id, without white space around it.
    pub id: Revision,
    /// The setting's origin or the variable's name.
    pub source: String,
}

/// A name that moves, which the caller warns about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The setting's origin or the variable's name.
    pub source: String,
    /// What it says, without white space around it. No control characters.
    pub value: String,
}

/// What the search for a release found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The first id that can serve.
    pub release: Option<Release>,
    /// The names that move, of sources before it.
    pub passed_over: Vec<PassedOver>,
}

/// The release's id: what was given, else the first of [`PLATFORM_VARIABLES`] that `get` has a
/// value for. Names that move are passed over wherever they come from; a variable of nothing but
/// white space counts as unset. Sources behind the one that won are not looked at.
pub fn from_platform(
    given: Option<Given<'_>>,
    get: impl Fn(&str) -> Option<OsString>,
) -> Result<Found, ReleaseError> {
    let mut found = Found::default();
    if let Some(given) = given {
        let id = read(given.origin, given.value)?;
        let id = id.ok_or_else(|| {
            ReleaseError::new(given.origin, Problem::Revision(RevisionError::Empty))
        })?;
        if take(&mut found, given.origin, id) {
            return Ok(found);
        }
    }
    for variable in PLATFORM_VARIABLES {
        let Some(value) = get(variable) else { continue };
        let Some(id) = read(variable, &value)? else {
            continue;
        };
        if take(&mut found, variable, id) {
            break;
        }
    }
    Ok(found)
}

/// The value as a revision; `None` where it is blank.
fn read(source: &str, value: &OsStr) -> Result<Option<Revision>, ReleaseError> {
    let text = value
        .to_str()
        .ok_or_else(|| ReleaseError::new(source, Problem::NotUtf8))?
        .trim();
    if text.is_empty() {
        return Ok(None);
    }
    Revision::new(text)
        .map(Some)
        .map_err(|error| ReleaseError::new(source, Problem::Revision(error)))
}

/// Whether it can serve; where it can't, it is noted.
fn take(found: &mut Found, source: &str, id: Revision) -> bool {
    let source = source.to_owned();
    let moves = moves(id.as_str()) || source == IMAGE_REFERENCE && image_moves(id.as_str());
    if moves {
        found.passed_over.push(PassedOver {
            source,
            value: id.0,
        });
    } else {
        found.release = Some(Release { id, source });
    }
    !moves
}

fn moves(name: &str) -> bool {
    MOVING
        .iter()
        .any(|moving| name.eq_ignore_ascii_case(moving))
}

/// Whether `registry/image[:tag][@digest]` may be another image tomorrow. No tag means `latest`.
fn image_moves(reference: &str) -> bool {
    if reference.contains('@') {
        return false;
    }
    // A colon before the last slash belongs to the registry's port.
    let name = reference.rsplit('/').next().unwrap_or(reference);
    name.split_once(':')
        .is_none_or(|(_, tag)| tag.is_empty() || moves(tag))
}

/// A release id that can't be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseError {
    source: String,
    problem: Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    NotUtf8,
    Revision(RevisionError),
}

impl ReleaseError {
    fn new(source: &str, problem: Problem) -> Self {
        Self {
            source: source.to_owned(),
            problem,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let remedy = match self.problem {
            Problem::NotUtf8 => "use text in UTF-8, such as the commit",
            Problem::Revision(error) => error.hint(),
        };
        if PLATFORM_VARIABLES.contains(&self.source.as_str()) {
            format!("{remedy}, or override it with --release")
        } else {
            remedy.to_owned()
        }
    }
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the release id in {} ", self.source)?;
        match &self.problem {
            Problem::NotUtf8 => f.write_str("is not UTF-8"),
            Problem::Revision(error) => error.fmt(f),
        }
    }
}

impl Error for ReleaseError {}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;

    fn find(variables: &[(&str, &str)]) -> Found {
        search(None, variables).expect("valid ids")
    }

    fn search(given: Option<&str>, variables: &[(&str, &str)]) -> Result<Found, ReleaseError> {
        let given = given.map(|value| Given {
            origin: "--release",
            value: OsStr::new(value),
        });
        from_platform(given, |name| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    fn winner(found: &Found) -> Option<(&str, &str)> {
        found
            .release
            .as_ref()
            .map(|release| (release.source.as_str(), release.id.as_str()))
    }

    #[test]
    fn nothing_set_is_no_release() {
        assert_eq!(find(&[]), Found::default());
        assert_eq!(
            find(&[("GIT_SHA", ""), ("GIT_COMMIT", " \n")]),
            Found::default()
        );
    }

    #[test]
    fn the_first_in_the_list_wins() {
        let found = find(&[
            ("GIT_SHA", "b"),
            ("RENDER_GIT_COMMIT", "a"),
            ("COMMIT_SHA", "c"),
        ]);
        assert_eq!(winner(&found), Some(("RENDER_GIT_COMMIT", "a")));
        assert_eq!(
            winner(&find(&[("RENDER_GIT_COMMIT", "  "), ("GIT_SHA", " b\n")])),
            Some(("GIT_SHA", "b"))
        );
    }

    #[test]
    fn what_was_given_wins_over_the_platform() {
        let found =
            search(Some("v1"), &[("GIT_SHA", "a\nb")]).expect("the variable is not looked at");
        assert_eq!(winner(&found), Some(("--release", "v1")));
    }

    #[test]
    fn names_that_move_are_passed_over() {
        let found = search(
            Some("Latest"),
            &[
                ("SOURCE_COMMIT", "HEAD"),
                ("GIT_SHA", "main"),
                ("COMMIT_SHA", "c0ffee"),
            ],
        )
        .expect("valid");
        assert_eq!(winner(&found), Some(("COMMIT_SHA", "c0ffee")));
        let passed: Vec<_> = found
            .passed_over
            .iter()
            .map(|p| (p.source.as_str(), p.value.as_str()))
            .collect();
        assert_eq!(
            passed,
            [
                ("--release", "Latest"),
                ("SOURCE_COMMIT", "HEAD"),
                ("GIT_SHA", "main")
            ]
        );
        for name in ["latest", "MAIN", "master", "dev", "head"] {
            assert_eq!(winner(&find(&[("GIT_SHA", name)])), None);
        }
        assert_eq!(
            winner(&find(&[("GIT_SHA", "main-7")])),
            Some(("GIT_SHA", "main-7"))
        );
    }

    #[test]
    fn an_image_is_as_steady_as_its_tag() {
        for (reference, steady) in [
            ("registry.fly.io/app:deployment-01H9", true),
            ("registry.fly.io/app:latest", false),
            ("registry.fly.io/app:Main", false),
            ("registry.fly.io/app", false),
            ("localhost:5000/app", false),
            ("localhost:5000/app:7", true),
            ("registry.fly.io/app:latest@sha256:0123", true),
            ("app@sha256:0123", true),
        ] {
            assert_eq!(
                winner(&find(&[("FLY_IMAGE_REF", reference)])).is_some(),
                steady,
                "{reference}"
            );
        }
        assert!(
            winner(&find(&[("GIT_SHA", "app:latest")])).is_some(),
            "only Fly's variable is an image"
        );
    }

    #[test]
    fn an_id_that_cannot_be_one_is_an_error_with_its_source() {
        let error = search(None, &[("GIT_SHA", "a\nb")]).expect_err("a newline");
        assert_eq!(
            error.to_string(),
            "the release id in GIT_SHA contains a control character, such as a newline"
        );
        assert!(error.hint().contains("--release"));
        let error = search(Some(&"x".repeat(10_000)), &[]).expect_err("too long");
        assert_eq!(
            error.to_string(),
            "the release id in --release is 10000 bytes long, and a revision has at most 255"
        );
        let error = search(Some(" "), &[("GIT_SHA", "a")]).expect_err("given, but blank");
        assert_eq!(error.to_string(), "the release id in --release is empty");
        let error = from_platform(None, |name| {
            (name == "GIT_SHA").then(|| OsString::from_vec(vec![b'a', 0xff]))
        })
        .expect_err("not UTF-8");
        assert_eq!(error.to_string(), "the release id in GIT_SHA is not UTF-8");
    }

    proptest! {
        #[test]
        fn whatever_the_platform_says_the_winner_is_a_steady_revision(values in prop::collection::vec(
            prop::option::of("( |\n)?(latest|main|v[0-9]{1,3}|a\nb|é\"')?( |\n)?"), PLATFORM_VARIABLES.len(),
        )) {
            let variables: Vec<_> = PLATFORM_VARIABLES.into_iter().zip(&values)
                .filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            match search(None, &variables) {
                Ok(Found { release: Some(release), .. }) => {
                    prop_assert!(!moves(release.id.as_str()));
                    prop_assert_eq!(release.id.as_str().trim(), release.id.as_str());
                }
                Ok(found) => prop_assert!(found.passed_over.len() <= variables.len()),
                Err(error) => prop_assert!(PLATFORM_VARIABLES.iter().any(|name| error.to_string().contains(name))),
            }
        }
    }
}
