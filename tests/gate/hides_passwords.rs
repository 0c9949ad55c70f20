//! No password is shown, wherever it was written and whatever it was for.
//!
//! "No password ever appears, in any rendering of any value or error, however misplaced or
//! misspelled the URL was." (contract, section 8)

use crate::common::{Db, Gate, Scene, on_each};

/// All that a replica said, and how it ended.
fn said(replica: Gate<'_>) -> (i32, String) {
    let mut replica = replica.start();
    let code = replica.wait();
    (code, replica.log() + &replica.out())
}

#[track_caller]
fn shows_none(text: &str) {
    for secret in ["geheim", "s3cret"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// A note with a password of another database, and with this one's own.
fn a_note_hides_what_should_not_stand_in_it(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    let note = format!("see mysql://u:geheim@h/x, not {}", scene.url);
    let resolve = scene
        .command("resolve")
        .args(["v2", "--as", "blocked", "--note", &note]);
    let (code, log) = said(resolve);
    assert_eq!(code, 0, "{log}");
    shows_none(&log);
    let stored = scene.ledger("note").pop().expect("a row");
    assert!(
        stored.starts_with("see mysql://u:***@h/x, not "),
        "{stored}"
    );
    shows_none(&stored);
    // A row that was not written by launchgate.
    db.sql(&format!(
        "update launchgate_runs set note = '{}' where state = 'blocked'",
        note.replace('\'', "''")
    ));
    let (code, log) = said(scene.run("v2"));
    assert_eq!(code, 77, "{log}");
    assert!(log.contains("was blocked by"), "{log}");
    shows_none(&log);
    for flags in [&[][..], &["--json"]] {
        let (code, shown) = said(scene.command("status").args(flags));
        assert_eq!(code, 0, "{shown}");
        assert!(shown.contains("mysql://u:***@h/x"), "{shown}");
        shows_none(&shown);
    }
}
on_each!(a_note_hides_what_should_not_stand_in_it: each);

fn a_url_in_the_wrong_place_is_not_shown(db: &Db) {
    let scene = Scene::new(db);
    let url = "postgres://u:geheim@h/x";
    let step = format!("--migrate={}", scene.path("step"));
    let with = |verb: &str, flags: &[&str]| {
        let (code, log) = said(scene.command(verb).args(flags));
        shows_none(&log);
        (code, log)
    };
    // A ledger may have one from a version that took it for a release, or from an operator.
    let (code, log) = with("resolve", &[url, "--as", "blocked"]);
    assert_eq!(code, 0, "{log}");
    for flags in [&[][..], &["--json"]] {
        let (code, shown) = with("status", flags);
        assert_eq!(code, 0, "{shown}");
        assert!(shown.contains("postgres://u:***@h/x"), "{shown}");
    }
    for flag in [
        "release",
        "app",
        "snapshot",
        "sql",
        "fingerprint",
        "user",
        "config",
        "database-url-file",
        "health-listen",
    ] {
        let flag = format!("--{flag}={url}");
        for verb in ["check", "job"] {
            let (code, log) = with(verb, &["--release=v2", &step, &flag]);
            assert_eq!(code, 64, "{log}");
        }
    }
}
on_each!(a_url_in_the_wrong_place_is_not_shown: server_and_file);

/// As a database's tools are given one on the command line.
fn a_steps_command_hides_its_passwords(db: &Db) {
    let scene = Scene::new(db);
    for (number, command) in [
        "true 'host=h password=geheim dbname=d'",
        "env PGPASSWORD=geheim true",
        "true --password=geheim",
        "true --password geheim",
        "true 'postgres://u:ge heim geheim@h/d'",
        "true \"postgres://u:it's geheim@h/d\"",
    ]
    .iter()
    .enumerate()
    {
        let release = format!("--release=v{number}");
        let step = format!("--migrate={command}");
        let words = ["--", "true", "host=h password=geheim x"];
        for verb in ["check", "run"] {
            let replica = scene.command(verb).args([&release, &step]).args(words);
            let (code, log) = said(replica);
            assert_eq!(code, 0, "{log}");
            assert!(log.contains("***"), "{log}");
            shows_none(&log);
        }
    }
    let stored = scene.ledger("command");
    assert_eq!(stored.len(), 6);
    for command in stored {
        assert!(command.contains("***"), "{command}");
        shows_none(&command);
    }
}
on_each!(a_steps_command_hides_its_passwords: [sqlite]);

/// "Nothing printed contains a raw control character." (contract, section 2, `status`)
fn status_prints_no_control_character(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    scene
        .run("v2")
        .args(["--migrate=false"])
        .finish()
        .ends_with(1);
    let evil = "a\u{1b}]0;title\u{7}\u{9b}2J\u{7f}\tb\rc";
    for column in [
        "holder",
        "command",
        "note",
        "step",
        "revision",
        "run_id",
        "version",
        "output_tail",
        "release_id",
        "state",
    ] {
        db.sql(&format!(
            "update launchgate_runs set {column} = '{evil}' where id = 2"
        ));
        for flags in [&[][..], &["--json"]] {
            let mut replica = scene.command("status").args(flags).start();
            assert_eq!(replica.wait(), 0, "{column} {}", replica.log());
            let shown = replica.out();
            let raw = shown.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(raw, None, "{column}: {shown:?}");
        }
    }
    // Names that are listed.
    db.sql(&format!(
        "update launchgate_runs set app = '{evil}' where id = 2"
    ));
    let typo = |verb: &str, words: &[&str]| {
        let mut replica = scene.command(verb).args(words).start();
        replica.ends_with(0).out() + &replica.log()
    };
    let shown =
        typo("status", &["--app=typo"]) + &typo("resolve", &["v9", "--as=retry", "--app=typo"]);
    let raw = shown.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(raw, None, "{shown:?}");
    assert!(shown.contains("title"), "{shown}");
}
on_each!(status_prints_no_control_character: [postgres_18, sqlite]);

/// "No password ever appears, in any rendering of any value or error, however misplaced or misspelled the URL was."
#[test]
fn a_misspelled_url_is_not_shown_wherever_it_stands() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let step = format!("--migrate={}", scene.path("step"));
    for url in [
        "postgress://u:geheim@h/d",
        "postgres:/u:geheim@h/d",
        "postgres:u:geheim@h/d",
        "postgres//u:geheim@h/d",
        "://u:geheim@h/d",
        "u:geheim@h/d",
        "u:geheim@tcp(h:3306)/d",
        "host=h user=u password=geheim",
        "Server=h;User Id=u;Password=geheim",
        "DATABASE_URL=postgres://u:geheim@h/d",
    ] {
        let (code, log) = said(scene.command("job").args([&step]).env("DATABASE_URL", url));
        assert_eq!(code, 64, "{url}: {log}");
        shows_none(&log);
        scene.write("url", url);
        let path = scene.path("url");
        for words in [
            vec![url],
            vec!["--database-url", url],
            vec!["--database-url-env", url],
            vec!["--database-url-file", url],
            vec!["--database-url-file", &path],
            vec!["--database-password-file", url],
            vec!["--user", url],
            vec!["--step-env", url],
            vec!["--step-env-from", url],
            vec!["--app", url],
            vec!["--release", url],
            vec!["--lease", url],
            vec!["--config", url],
            vec!["--ledger-typo", url],
            vec!["--", url],
        ] {
            for verb in ["run", "check", "status"] {
                let (_, log) = said(scene.command(verb).args([&step]).args(&words));
                shows_none(&log);
            }
        }
        let own = scene.command("job").args([&step]);
        let (_, log) = said(
            own.env("LAUNCHGATE_DATABASE_UR", url)
                .env("LAUNCHGATE_APP", url),
        );
        shows_none(&log);
    }
}

/// "a command that can be pasted where there is one (with `--app` and the database's flags where they were
/// given)"
#[test]
fn a_pasted_command_leaves_the_password_to_fill_in_or_names_its_variable() {
    let db = Db::postgres_15();
    let scene = Scene::named(&db, "default");
    let url = format!("{}?application_name=x", scene.url);
    let job = || {
        let job = scene
            .command("job")
            .env("DATABASE_URL", "")
            .env("LAUNCHGATE_APP", "");
        job.args([
            "--release=v1",
            "--max-attempts=1",
            "--migrate=false",
            "--database-url",
            &url,
        ])
    };
    let pasted = url.replace("s3cret%2F%27x", "PASSWORD");
    let words = format!("`launchgate resolve --database-url '{pasted}' v1 --as retry`");
    job().finish().ends_with(1).says(&words);
    // A shell may have put it there.
    let words = "`launchgate resolve --database-url-env SHOP_DB v1 --as retry`";
    job()
        .env("SHOP_DB", &url)
        .finish()
        .ends_with(77)
        .says(words);
}

/// "Removed there, in `command` and in every log line of launchgate's own: the passwords of every URL in
/// the environment that a step sees, the values of `--step-env-from`, and the values of variables whose
/// names end in `PASSWORD`, … `TOKEN` or `KEY`. What a step prints reaches the log as it is, in JSON too."
/// (contract, section 5)
#[test]
fn what_a_step_was_given_in_secret_is_not_in_the_ledger() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let long = "long-geheim-".repeat(500);
    let secrets = [
        ("ADMIN_URL", "postgres://root:adm/geheim@db/shop"),
        ("QUEUE", "amqp://app:amqp-geheim@mq"),
        ("NPM_TOKEN", "tok-geheim"),
        ("LICENSE_KEY", &long),
    ];
    let show = "echo $MIGRATE_URL; echo \"$QUEUE $NPM_TOKEN adm/geheim adm%2Fgeheim\"; exit 9\n";
    let run = |revision: &str, script: &str, flags: &[&str]| {
        scene.write_program("do-migrate", script);
        let command = format!("--migrate={} tok-geheim amqp-geheim", scene.path("step"));
        let mut gate = scene.bare(revision).args([&command]).args(flags);
        gate = gate.args(["--step-env-from=MIGRATE_URL=ADMIN_URL"]);
        for (name, value) in secrets {
            gate = gate.env(name, value);
        }
        let file = scene.path("why");
        let mut run = gate.args(["--termination-log", &file]).start();
        run.ends_with(9);
        assert!(
            !scene.text("why").contains("geheim"),
            "{}",
            scene.text("why")
        );
        run.log() + &run.out()
    };
    for (revision, format) in [("v1", "text"), ("v2", "json")] {
        let log = run(revision, show, &["--log-format", format]);
        let (own, printed): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| {
            line.starts_with("launchgate:")
                || line.starts_with('{') && !line.contains("step.output")
        });
        assert!(own.len() > 3, "{log}");
        for line in own {
            assert!(!line.contains("geheim"), "{line}");
        }
        let printed = printed.join("\n");
        assert!(
            printed.contains("amqp-geheim@mq tok-geheim adm/geheim"),
            "{log}"
        );
    }
    // The cut, 4 KiB before the end, is in a secret that is longer than that.
    for (revision, behind) in [("v3", 10), ("v4", 4000), ("v5", 12_000)] {
        let script =
            format!("echo \"$LICENSE_KEY\"; head -c {behind} /dev/zero | tr '\\0' x; exit 9\n");
        run(revision, &script, &["--max-attempts=0"]);
    }
    for column in ["command", "output_tail", "note"] {
        let stored = scene.ledger(column).join("\n");
        assert!(!stored.contains("geheim"), "{column}: {stored}");
        assert!(column == "note" || stored.contains("***"), "{column}");
    }
    let length = scene.ledger("length(output_tail)");
    assert_eq!(length[3..], ["4004", "4096"], "{length:?}");
}
