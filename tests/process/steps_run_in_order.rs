//! Which steps run, in which order, and what happens when one fails.
//!
//! "Steps, run in this order, once per revision" (contract, section 3)
//!
//! "No password ever appears, in any rendering of any value or error, however misplaced or
//! misspelled the URL was." (contract, section 8)

use crate::common::{Mode, Place, backup, migrate, stub, verify};
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
        verify(stub().append("order", "verify")),
        migrate(stub().append("order", "one")),
        migrate(stub().append("order", "two")),
        backup(stub().append("order", "backup")),
    ];
    let server = stub().append("order", "server").exit(9);
    place.gate(mode, &flags).server(&server).end().code(9);
    assert_eq!(
        place.lines("order"),
        ["backup", "one", "two", "verify", "server"]
    );
}

fn starts_nothing_when_the_migration_fails(mode: Mode) {
    let place = Place::new();
    let flags = [
        migrate(stub().exit(3)),
        migrate(stub().append("started", "second")),
        verify(stub().append("started", "verify")),
    ];
    let server = stub().append("started", "server");
    let end = place.gate(mode, &flags).server(&server).end();
    end.code(3).says(&["error", "migrate", "code 3", "hint="]);
    assert_eq!(place.text("started"), "");
}

fn a_job_ends_with_zero(mode: Mode) {
    let place = Place::new();
    place
        .gate(mode, &[migrate(stub().append("order", "migrate"))])
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
                format!("--migrate=./stub exit 0 {url}"),
                "--expand-env".into(),
            ],
        )
        .server(["./stub", "exit", "0", "$URL", "--key=$KEY"])
        .env("URL", url)
        .env("KEY", "sEcReT")
        .end()
        .code(0)
        .says(&["starting the server", "--key=$KEY"])
        .says(&["migrate started", "user:***@host"]);
    assert!(!place.text("stderr").contains("sEcReT"));
    for wrong in [
        format!("--migrate=./stub {url}; x"),
        "--migrate=PGPASSWORD=sEcReT ./stub".into(),
        format!("--database-url-env={url}"),
        format!("--database-url-file={url}"),
        format!("--step-env-from=URL={url}"),
        "--step-env=sEcReT".into(),
        format!("--shell={url}"),
        url.into(),
    ] {
        let place = Place::new();
        place
            .run(mode, ["./launchgate", "run", &wrong, "--", "./stub"])
            .end()
            .code(64);
        assert!(!place.text("stderr").contains("sEcReT"), "{wrong}");
    }
}
