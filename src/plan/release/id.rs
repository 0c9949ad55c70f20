//! Release ids: what the user or the platform calls this release.

use std::ffi::{OsStr, OsString};

use super::Revision;
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
    pub id: Revision,
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
        return match useless(&source, id.as_str()) {
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
        let Some(why) = useless(source, id.as_str()) else {
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
fn read(source: &str, value: &OsStr) -> Result<Option<Revision>, Failure> {
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

fn revision(source: &str, text: &str) -> Result<Revision, Failure> {
    Revision::new(text).map_err(|problem| {
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
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;
    use crate::settings::Origin;

    type Found = (Option<Release>, Vec<String>);

    fn found(variables: &[(&str, &str)]) -> Found {
        search(None, variables).expect("valid ids")
    }

    fn search(given: Option<&str>, variables: &[(&str, &str)]) -> Result<Found, Failure> {
        let given = given.map(|value| Setting {
            origin: Origin::Flag("--release"),
            value: value.into(),
        });
        let get = |name: &str| {
            let mut variables = variables.iter();
            let (_, value) = variables.find(|(variable, _)| *variable == name)?;
            Some(OsStr::new(*value))
        };
        let mut warnings = Vec::new();
        let warn = &mut |problem: Problem| warnings.push(problem.what().to_owned());
        let release = find(given.as_ref(), get, warn)?;
        Ok((release, warnings))
    }

    fn winner((release, _): &Found) -> Option<(&str, &str)> {
        let release = release.as_ref()?;
        Some((release.source.as_str(), release.id.as_str()))
    }

    #[test]
    fn nothing_set_is_no_release() {
        assert_eq!(found(&[]), (None, Vec::new()));
        assert_eq!(
            found(&[("GIT_SHA", ""), ("GIT_COMMIT", " \n")]),
            (None, Vec::new())
        );
    }

    #[test]
    fn quotation_marks_and_urls_are_seen_through() {
        for given in ["'latest'", "\"main\"", "\"app:latest\"", "<nil>", "#{SHA}#"] {
            assert!(search(Some(given), &[]).is_err(), "{given}");
        }
        assert!(search(Some("https://ci/build/7"), &[]).is_ok());
        let error = search(Some("postgres://u:geheim@h/d"), &[]).expect_err("a password");
        assert_eq!(
            error.problem().what().to_owned(),
            "the release id in --release is a URL with a password"
        );
    }

    #[test]
    fn the_first_in_the_list_wins() {
        let result = found(&[
            ("GIT_SHA", "b"),
            ("RENDER_GIT_COMMIT", "a"),
            ("COMMIT_SHA", "c"),
        ]);
        assert_eq!(winner(&result), Some(("RENDER_GIT_COMMIT", "a")));
        assert_eq!(
            winner(&found(&[("RENDER_GIT_COMMIT", "  "), ("GIT_SHA", " b\n")])),
            Some(("GIT_SHA", "b"))
        );
    }

    #[test]
    fn what_was_given_wins_over_the_platform() {
        let result =
            search(Some("v1"), &[("GIT_SHA", "a\nb")]).expect("the variable is not looked at");
        assert_eq!(winner(&result), Some(("--release", "v1")));
    }

    #[test]
    fn a_platform_that_names_no_release_is_passed_over() {
        let result = found(&[
            ("SOURCE_COMMIT", "HEAD"),
            ("GIT_SHA", "Unknown"),
            ("COMMIT_SHA", "c0ffee"),
        ]);
        assert_eq!(winner(&result), Some(("COMMIT_SHA", "c0ffee")));
        assert_eq!(
            result.1,
            [
                "ignoring SOURCE_COMMIT=HEAD, which is the same for every release",
                "ignoring GIT_SHA=Unknown, which does not identify a release",
            ]
        );
        for name in MOVING.iter().chain(&MEANINGLESS) {
            for name in [
                (*name).to_owned(),
                name.to_uppercase(),
                format!(" {name}\n"),
            ] {
                assert_eq!(winner(&found(&[("GIT_SHA", &name)])), None, "{name}");
            }
        }
        for name in ["main-7", "latest1", "v1.2/3", "feature/x"] {
            assert_eq!(
                winner(&found(&[("GIT_SHA", name)])),
                Some(("GIT_SHA", name))
            );
        }
    }

    #[test]
    fn a_given_name_that_names_no_release_is_refused() {
        for name in [
            "latest",
            "Main",
            "unknown",
            "NULL",
            "app:latest",
            "origin/main",
            "refs/heads/x",
        ] {
            let error = search(Some(name), &[("GIT_SHA", "c0ffee")]).expect_err(name);
            let said = error.problem().what().to_owned();
            assert!(
                said.starts_with(&format!("--release is `{name}`, ")),
                "{said}"
            );
            assert!(error.problem().hint().contains("commit"));
        }
    }

    #[test]
    fn a_placeholder_is_refused_from_every_source() {
        for text in [
            "$TAG",
            "${GIT_SHA}",
            "$(git rev-parse HEAD)",
            "${{ github.sha }}",
            "%SHA%",
        ] {
            let given = search(Some(text), &[]).expect_err(text);
            let platform = search(None, &[("GIT_SHA", text)]).expect_err(text);
            for (error, source) in [(given, "--release"), (platform, "GIT_SHA")] {
                let said = error.problem().what().to_owned();
                let expected =
                    format!("the release id in {source} still contains the placeholder `{text}`");
                assert_eq!(said, expected);
                assert!(error.problem().hint().contains("without a shell"));
            }
        }
    }

    /// Found by `scripts/fuzz`.
    #[test]
    fn a_placeholder_inside_a_password_is_not_shown() {
        let said = search(Some("postgres://u:a$Geheim@h"), &[]).expect_err("a placeholder");
        assert!(!said.problem().what().contains("Geheim"), "{said:?}");
    }

    #[test]
    fn an_image_is_as_steady_as_its_tag() {
        for (reference, steady) in [
            ("registry.fly.io/app:deployment-01H9", true),
            ("registry.fly.io/app:latest", false),
            ("registry.fly.io/app:Main", false),
            ("registry.fly.io/app:unknown", false),
            ("registry.fly.io/app", false),
            ("localhost:5000/app", false),
            ("localhost:5000/app:", false),
            ("localhost:5000/app:7", true),
            ("app:1:latest", false),
            ("registry.fly.io/app:latest@sha256:0123", true),
            ("app@sha256:0123", true),
            ("app@sha256:", false),
        ] {
            for variable in ["FLY_IMAGE_REF", "GIT_SHA"] {
                let result = found(&[(variable, reference)]);
                assert_eq!(winner(&result).is_some(), steady, "{reference}");
            }
        }
        assert!(winner(&found(&[("FLY_IMAGE_REF", "app")])).is_none());
        assert!(winner(&found(&[("GIT_SHA", "app")])).is_some());
    }

    #[test]
    fn an_id_that_cannot_be_one_is_an_error_with_its_source() {
        let error = search(None, &[("GIT_SHA", "a\nb")]).expect_err("a newline");
        assert_eq!(
            error.problem().what().to_owned(),
            "the release id in GIT_SHA contains a control character, such as a newline"
        );
        assert!(error.problem().hint().contains("--release"));
        let error = search(Some(&"x".repeat(10_000)), &[]).expect_err("too long");
        assert_eq!(
            error.problem().what().to_owned(),
            "the release id in --release is 10000 bytes long, but a revision has at most 255"
        );
        let error = search(Some(" "), &[("GIT_SHA", "a")]).expect_err("given, but blank");
        assert_eq!(
            error.problem().what().to_owned(),
            "the release id in --release is empty"
        );
        let value = OsStr::from_bytes(b"a\xff");
        let error = find(None, |name| (name == "GIT_SHA").then_some(value), &mut drop)
            .expect_err("not UTF-8");
        assert_eq!(
            error.problem().what().to_owned(),
            "the release id in GIT_SHA is not UTF-8"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_platform_says_the_winner_is_a_steady_revision(values in prop::collection::vec(
            prop::option::of("( |\n)?(latest|main|v[0-9]{1,3}|a\nb|é\"')?( |\n)?"), PLATFORM_VARIABLES.len(),
        )) {
            let variables: Vec<_> = PLATFORM_VARIABLES.into_iter().zip(&values)
                .filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            match search(None, &variables) {
                Ok((Some(release), _)) => {
                    prop_assert!(useless(&release.source, release.id.as_str()).is_none());
                    prop_assert_eq!(release.id.as_str().trim(), release.id.as_str());
                }
                Ok((None, warnings)) => prop_assert!(warnings.len() <= variables.len()),
                Err(error) => prop_assert!(PLATFORM_VARIABLES.iter().any(|name| error.problem().what().to_owned().contains(name))),
            }
        }
    }
}
