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
    let result = search(Some("v1"), &[("GIT_SHA", "a\nb")]).expect("the variable is not looked at");
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
    let error =
        find(None, |name| (name == "GIT_SHA").then_some(value), &mut drop).expect_err("not UTF-8");
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
                prop_assert!(useless(&release.source, &release.id).is_none());
                prop_assert_eq!(release.id.trim(), &release.id);
            }
            Ok((None, warnings)) => prop_assert!(warnings.len() <= variables.len()),
            Err(error) => prop_assert!(PLATFORM_VARIABLES.iter().any(|name| error.problem().what().to_owned().contains(name))),
        }
    }
}
