//! What a run leaves in the ledger.
//!
//! "A failed attempt stores the step, exit code or signal, duration and the last 4 KiB of output."
//! (contract, section 5)

use crate::common::backends::Cut;
use crate::common::{Db, Run, Scene, on_each, until};
use serde_json::Value;

fn a_failed_run_says_why_without_the_password(db: &Db) {
    let scene = Scene::new(db);
    // The password stands across the cut, 4 KiB before the end, and in the middle.
    let secret = if matches!(db, Db::Sqlite(_)) {
        "nothing"
    } else {
        "s3cret/'x"
    };
    let filler = "x".repeat(if matches!(db, Db::Sqlite(_)) {
        4040
    } else {
        4089
    });
    let tell = format!("printf '%s' \"${{SECRET}}{filler}\"; echo \"$DATABASE_URL\" >&2; exit 9\n");
    scene.write_program("do-migrate", &tell);
    let mut replica = scene.run("v1").env("SECRET", secret).start();
    replica.ends_with(9);
    assert_eq!(
        scene.ledger("state, attempt, step, exit_code, revision, release_id, release_source"),
        ["failed|1|migrate|9|v1|v1|--release"]
    );
    let full = "run_id <> '' and holder <> '' and version <> '' and started_at <= finished_at \
                and heartbeat_at >= started_at and finished_at is not null";
    let full = if db.is_postgres() {
        format!("({full})::int")
    } else {
        full.to_owned()
    };
    assert_eq!(scene.ledger(&full), ["1"]);
    // One client shows a line break as two characters.
    let tail = scene.ledger("output_tail").join("\n");
    let tail = tail.replace("\\n", "\n");
    assert!(tail.len() <= 4096 && tail.len() > 3900, "{}", tail.len());
    for column in ["command", "output_tail", "note"] {
        let text = scene.ledger(column).join("\n");
        for part in ["s3cret", "3cret", "cret/"] {
            assert!(!text.contains(part), "{column}: {text}");
        }
    }
    assert!(!replica.log().contains("launchgate: s3cret"));
    let ours = replica.log();
    let ours = ours.lines().filter(|line| line.starts_with("launchgate:"));
    assert!(ours.clone().count() > 2 && !ours.clone().any(|line| line.contains("s3cret")));
}
on_each!(a_failed_run_says_why_without_the_password: each_and_pooler);

/// "`launchgate status`: who holds the gate now, and the ledger's newest rows with durations, exit codes and
/// the tail of a failed step's output. JSON: `app`, `lock` (`held`, `holder`, `since`), `runs` (the columns
/// of section 5, newest first)." (contract, section 2)
fn status_shows_the_holder_and_every_run(db: &Db) {
    let scene = Scene::new(db);
    scene.write_program("do-migrate", "echo why it failed; exit 9\n");
    scene.run("v1").finish().ends_with(9);
    scene.remove("do-migrate");
    let mut holder = scene.start_held(scene.run("v2"));
    let status = |flags: &[&str]| {
        let mut status = scene.command("status").args(flags).finish();
        status.ends_with(0);
        status.out()
    };
    let text = status(&[]);
    let name = &scene.ledger("holder")[1];
    for words in [name.as_str(), "exit code 9", "why it failed", "v1", "v2"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json: Value = serde_json::from_str(&status(&["--json"])).expect("JSON");
    assert_eq!(json["app"], *scene.app);
    let (lock, runs) = (&json["lock"], json["runs"].as_array().expect("runs"));
    assert_eq!(
        (&lock["held"], &lock["holder"]),
        (&true.into(), &name.as_str().into())
    );
    assert_eq!(
        (&lock["since"], &runs[0]["revision"]),
        (&runs[0]["started_at"], &"v2".into())
    );
    let columns = [
        "id",
        "app",
        "revision",
        "release_id",
        "release_source",
        "run_id",
        "attempt",
        "state",
        "step",
        "exit_code",
        "term_signal",
        "command",
        "holder",
        "version",
        "note",
        "output_tail",
        "started_at",
        "heartbeat_at",
        "lease_until",
        "finished_at",
    ];
    for column in columns {
        assert!(runs[1].get(column).is_some(), "{column}: {}", runs[1]);
        // The table has it under that name.
        scene.ledger(column);
    }
    assert_eq!(runs[1]["exit_code"], 9);
    assert_eq!(runs[1]["output_tail"], "why it failed\n");
    scene.let_go();
    holder.ends_with(0);
    let json: Value = serde_json::from_str(&status(&["--json"])).expect("JSON");
    assert_eq!(json["lock"]["held"], false);
}
on_each!(status_shows_the_holder_and_every_run: each);

fn output_that_is_no_text_still_fits(db: &Db) {
    let scene = Scene::new(db);
    scene.write_program(
        "do-migrate",
        "head -c 20000 /dev/zero | tr '\\0' '\\377'; exit 9\n",
    );
    scene.run("v1").finish().ends_with(9);
    let length = if db.is_postgres() {
        "octet_length(output_tail)"
    } else {
        "length(cast(output_tail as binary))"
    };
    let length = if matches!(db, Db::Sqlite(_)) {
        "length(cast(output_tail as blob))"
    } else {
        length
    };
    let length: usize = scene.ledger(length)[0].parse().expect("a number");
    assert!(length <= 4096, "{length}");
}
on_each!(output_that_is_no_text_still_fits: each);

/// The command line is in the row, less the password of the database's URL.
fn a_password_in_the_command_stays_out_of_the_row(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v0").finish().ends_with(0);
    scene.touch("hold-migrate");
    let command = format!("{} {}", scene.path("step"), scene.url);
    let mut replica = scene.bare("v1").args(["--migrate", &command]).start();
    until("the step's row", || {
        scene
            .ledger("step, state")
            .iter()
            .any(|row| row == "migrate|running")
    });
    assert!(!scene.ledger("command")[1].contains("s3cret"));
    replica.signal(libc::SIGTERM);
    replica.ends_with(143);
    let row = scene.ledger("state, step, term_signal, command");
    assert!(row[1].starts_with("interrupted|migrate|15|"), "{row:?}");
    assert!(!row[1].contains("s3cret") && !replica.log().contains("s3cret"));
}
on_each!(a_password_in_the_command_stays_out_of_the_row: each_server);

/// A row that left `running` never changes again: a trigger sees every change.
#[test]
fn a_row_leaves_running_once() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    scene.run("v0").finish().ends_with(0);
    db.sql(
        "create table public.changes (run_id text, was text, now text); create function noted() returns trigger language plpgsql \
         as $$ begin insert into public.changes values (new.run_id, old.state, new.state); return new; end $$; \
         create trigger noted after update on launchgate_runs for each row execute function noted()",
    );
    for fault in [libc::SIGKILL, libc::SIGTERM, libc::SIGSTOP] {
        let revision = format!("v-{fault}");
        let mut holder = scene.start_held(scene.run(&revision));
        if fault == libc::SIGSTOP {
            crate::common::signal_tree(holder.pid(), fault);
            scene.remove("exclusive");
        } else {
            holder.signal(fault);
        }
        let mut follower = scene.start_held(scene.run(&revision));
        scene.let_go();
        follower.ends_with(0);
        holder.signal(libc::SIGCONT);
        holder.wait();
    }
    assert_eq!(
        db.sql("select count(*) from changes where was <> 'running'"),
        "0"
    );
    assert_eq!(db.sql("select count(*) from (select run_id from changes where now <> 'running' group by 1 having count(*) > 1) x"), "0");
    scene.check_rules();
}

/// The row is about the step that could not be started, not about the one before.
fn a_step_that_can_not_be_started_is_in_the_row(db: &Db) {
    let scene = Scene::new(db);
    // It is found when everything is looked up, and gone when its turn comes.
    let verify = scene.path("gone");
    scene.write_program("gone", "#!/bin/sh\n");
    scene.write_program("do-migrate", &format!("rm '{verify}'\n"));
    let mut replica = scene.run("v1").args(["--verify", &verify]).start();
    replica.ends_with(127);
    let row = scene.ledger("state, step, exit_code");
    assert_eq!(row, ["failed|verify|127"]);
}
on_each!(a_step_that_can_not_be_started_is_in_the_row: server_and_file);

fn a_stop_during_a_step_that_ends_well_is_a_success(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("stubborn");
    let mut holder = scene.start_held(
        scene
            .run("v1")
            .env("LAUNCHGATE_LEASE", "30s")
            .env("LAUNCHGATE_STOP_GRACE", "15s"),
    );
    holder.signal(libc::SIGTERM);
    holder.wait_for_log("stopping migrate");
    scene.let_go();
    holder
        .ends_with(143)
        .says("stopped by SIGTERM while migrate ran");
    assert_eq!(scene.states(), ["succeeded"]);
    scene.run("v1").finish().ends_with(0);
    assert_eq!((scene.count("start"), scene.count("server")), (1, 1));
    scene.check_settled("v1");
}
on_each!(a_stop_during_a_step_that_ends_well_is_a_success: each);

/// "every gate that fails, whatever the reason, writes one short paragraph there" (contract, section 3)
#[test]
fn every_ending_is_in_the_termination_log() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let run = |revision: &str, flag: &str| {
        scene
            .run(revision)
            .args(["--termination-log=why", flag])
            .start()
    };
    let ends = |run: &mut Run, code: i32, words: &str| {
        run.ends_with(code);
        let text = scene.text("why");
        assert_eq!(text.lines().count(), 1, "{text}");
        for words in [words, &format!("(exit code {code})")] {
            assert!(text.contains(words), "{words:?} in {text}");
        }
        scene.remove("why");
    };
    scene.touch("hold-migrate");
    let mut late = run("v1", "--migrate-timeout=100ms");
    ends(&mut late, 124, "--migrate-timeout");
    let mut holder = run("v2", "--quiet");
    until("the holder's step", || scene.count("start") == 2);
    let mut waiter = run("v2", "--lock-timeout=100ms");
    ends(&mut waiter, 75, "--lock-timeout");
    assert!(db.cut(Cut::Lock));
    ends(&mut holder, 76, "this run is over");
    scene.let_go();
    scene.touch("fail-migrate");
    ends(&mut run("v3", "--max-attempts=1"), 3, "code 3");
    ends(&mut run("v3", "--max-attempts=1"), 77, "v3");
    let nobody = format!("--database-url={}", db.url_as("nobody", "x"));
    ends(&mut run("v4", &nobody), 78, "nobody");
}
