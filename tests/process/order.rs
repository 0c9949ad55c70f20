//! Which steps run, in which order, and what their failure comes to.

use crate::common::{Mode, Place};
use crate::four_modes;

four_modes!(
    runs_backup_then_each_migrate_then_verify_then_the_server,
    starts_nothing_when_the_migration_fails,
    a_job_ends_with_zero,
    no_password_is_logged,
);

fn runs_backup_then_each_migrate_then_verify_then_the_server(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--verify=./probe note order verify",
        "--migrate=./probe note order one",
        "--migrate=./probe note order two",
        "--backup=./probe note order backup",
    ];
    let server = ["./probe", "note", "order", "server", "exit", "9"];
    place.gate(mode, &flags).server(&server).end().code(9);
    assert_eq!(
        place.lines("order"),
        ["backup", "one", "two", "verify", "server"]
    );
}

fn starts_nothing_when_the_migration_fails(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--migrate=./probe exit 3",
        "--migrate=./probe note started second",
        "--verify=./probe note started verify",
    ];
    let server = ["./probe", "note", "started", "server"];
    let end = place.gate(mode, &flags).server(&server).end();
    end.code(3).says(&["error", "migrate", "code 3", "hint="]);
    assert_eq!(place.text("started"), "");
}

fn a_job_ends_with_zero(mode: Mode) {
    let place = Place::new();
    place
        .gate(mode, &["--migrate=./probe note order migrate"])
        .end()
        .code(0)
        .leaves_nothing();
    assert_eq!(place.lines("order"), ["migrate"]);
}

/// A password in a command, or a URL in the place of a name, is easily written and must not be
/// read in the log.
fn no_password_is_logged(mode: Mode) {
    let url = "postgres://user:sEcReT@host/db";
    let place = Place::new();
    place
        .gate(
            mode,
            &[
                format!("--migrate=./probe exit 0 {url}"),
                "--expand-env".into(),
            ],
        )
        .server(&["./probe", "exit", "0", "$URL", "--key=$KEY"])
        .env("URL", url)
        .env("KEY", "sEcReT")
        .end()
        .code(0)
        .says(&["starting the server", "--key=$KEY"])
        .says(&["migrate started", "user:***@host"]);
    assert!(!place.text("stderr").contains("sEcReT"));
    for wrong in [
        format!("--migrate=./probe {url}; x"),
        "--migrate=PGPASSWORD=sEcReT ./probe".into(),
        format!("--database-url-env={url}"),
        format!("--database-url-file={url}"),
        format!("--step-env-from=URL={url}"),
        "--step-env=sEcReT".into(),
        format!("--shell={url}"),
        url.into(),
    ] {
        let place = Place::new();
        place
            .run(mode, &["./launchgate", "run", &wrong, "--", "./probe"])
            .end()
            .code(64);
        assert!(!place.text("stderr").contains("sEcReT"), "{wrong}");
    }
}
