//! `launchgate check` changes nothing, and fails as `run` would.
//!
//! "changes nothing: resolves every setting and says where each came from, finds every executable"
//! (contract, section 2)

use crate::common::{Finished, Mode, Place, migrate, stub};

fn check(place: &Place, flags: &[&str], server: &[&str]) -> Finished {
    let words = [
        &["./launchgate", "check", "--no-database"],
        flags,
        &["--"],
        server,
    ]
    .concat();
    let end = place.run(Mode::Ordinary, &words).end();
    assert!(!place.has("started"), "something was started\n{end}");
    end
}

const SERVER: [&str; 4] = ["./stub", "append", "started", "server"];

#[test]
fn check_starts_nothing() {
    let place = Place::new();
    check(
        &place,
        &[migrate(stub().append("started", "step"))],
        &SERVER,
    )
    .code(0);
}

#[test]
fn check_says_where_each_setting_came_from() {
    let place = Place::new();
    let words = ["./launchgate", "check", "--no-database", "--migrate=true"];
    let gate = place.run(Mode::Ordinary, words);
    let end = gate.env("LAUNCHGATE_STOP_GRACE", "7s").end();
    let shown = String::from_utf8_lossy(&end.code(0).stdout).into_owned();
    for words in [
        ["stop-grace", "7s", "LAUNCHGATE_STOP_GRACE"],
        ["migrate", "true", "--migrate"],
    ] {
        let is_shown = shown
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(is_shown, "{words:?}\n{shown}");
    }
}

#[test]
fn check_shows_what_the_platform_says_and_what_is_skipped() {
    let place = Place::new();
    let words = ["./launchgate", "check", "--no-database", "--migrate=true"];
    let gate = || place.run(Mode::Ordinary, words);
    let end = gate().env("RENDER_GIT_COMMIT", "4f2a91c").end();
    let shown = String::from_utf8_lossy(&end.code(0).stdout).into_owned();
    for words in [
        ["release", "4f2a91c", "RENDER_GIT_COMMIT"],
        ["termination-log", "/dev/termination-log", "default"],
        ["quiet", "off", "default"],
    ] {
        let is_shown = shown
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(is_shown, "{words:?}\n{shown}");
    }
    // The steps are not looked at, as `run` would not.
    let words = ["./launchgate", "check", "--migrate=absent", "--", "./stub"];
    let end = place
        .run(Mode::Ordinary, words)
        .env("LAUNCHGATE_SKIP", "1")
        .end();
    let shown = String::from_utf8_lossy(&end.code(0).stdout).into_owned();
    assert!(shown.contains("LAUNCHGATE_SKIP is set"), "{shown}");
}

#[test]
fn check_fails_as_the_run_would() {
    let place = Place::new();
    check(&place, &["--migrate=absent"], &SERVER)
        .code(127)
        .says(&["error", "absent"]);
    check(&place, &[], &["absent"])
        .code(127)
        .says(&["error", "server", "absent"]);
    check(&place, &["--migrate=/"], &SERVER)
        .code(126)
        .says(&["error", "directory"]);
    check(&place, &["--migrate=a;b"], &SERVER)
        .code(64)
        .says(&["error", "`;`"]);
    check(&place, &["--stop-grace=1"], &SERVER)
        .code(64)
        .says(&["error", "--stop-grace"]);
}

#[test]
fn check_says_that_without_a_step_nothing_is_gated() {
    let place = Place::new();
    for verb in ["run", "check"] {
        for database in [&[][..], &["--database-url=sqlite:db"]] {
            let words = [&["./launchgate", verb], database, &["--"], &SERVER].concat();
            let end = place.run(Mode::Ordinary, &words).end();
            end.code(64)
                .says(&["error", "no steps are configured", "--no-database"]);
            assert!(!place.has("started") && !place.has("db"), "{end}");
        }
    }
}
