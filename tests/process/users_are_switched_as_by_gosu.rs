//! `--user` and `--step-user` do what gosu does, which runs beside them here.
//!
//! "the server runs as this user: names or numbers; groups, HOME, and a number without a name, as
//! gosu treats them" (contract, section 3)

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Finished, Gate, Given, Mode, Place, migrate, stub};
use crate::four_modes;

four_modes!(
    a_server_is_who_gosu_makes_it,
    steps_are_who_the_server_is_unless_told_otherwise,
    home_is_the_users_unless_it_is_set_or_unset,
    numbers_need_no_entry,
    executables_are_looked_up_as_the_user,
    who_may_not_switch_is_refused_before_anything_runs,
    who_could_switch_back_is_refused,
    who_may_not_signal_the_user_is_refused_where_it_watches,
    who_is_that_user_already_needs_no_right,
    no_new_privileges_stays_as_it_is,
    what_root_may_read_of_launchgate_stays_readable,
);

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
games:x:5:60:games:/usr/games:/usr/sbin/nologin
node:x:1000:1000::/home/node:/bin/sh
twin:x:1000:1001::/home/twin:/bin/sh
77:x:1077:1077::/home/digits:/bin/sh
empty:x:1002:1002:::
";

const GROUP: &str = "\
root:x:0:root
games:x:60:
node:x:1000:
both:x:1001:twin,node
docker:x:2000:root,node
audio:x:2001:node,games,twin
77:x:1078:
empty:x:1002:
";

/// Prints who it is.
const WHO: &str = "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Sig...):' /proc/self/status; echo \"HOME: $HOME.\"";

fn accounts<'a>(place: &Place, gate: Gate<'a>) -> Gate<'a> {
    place.write("passwd", PASSWD);
    place.write("group", GROUP);
    gate.given(Given::Accounts)
}

/// What [`WHO`] printed; the groups as a set.
fn who(end: &Finished) -> Vec<String> {
    let text = String::from_utf8(end.stdout.clone()).unwrap();
    let line = text.lines().find(|line| line.starts_with("Groups:"));
    let groups = line.unwrap_or_default().split_whitespace().skip(1);
    let groups: BTreeSet<&str> = groups.collect();
    let rest = text.lines().filter(|line| !line.starts_with("Groups"));
    rest.map(str::to_owned)
        .chain([format!("groups {groups:?}")])
        .collect()
}

/// Where a namespace of its own allows it, with accounts of the test's.
const SPECS: [&str; 30] = [
    "0",
    "0:0",
    "root",
    "0:root",
    "root:0",
    "root:root",
    "1234",
    "0:1234",
    "1234:1234",
    "root:1234",
    "1234:root",
    "games",
    "games:root",
    "games:",
    "1000",
    "node",
    "1000:77",
    "77",
    "empty",
    "twin",
    "twin:both",
    "twin:1001",
    "1000:1000",
    "node:node",
    "node:docker",
    "node:",
    ":root",
    ":1234",
    ":games",
    "5:60",
];

fn a_server_is_who_gosu_makes_it(mode: Mode) {
    for spec in SPECS {
        let own_accounts = mode.is_pid_one();
        let name = spec.split(':').next().unwrap();
        if !own_accounts && ["node", "empty", "twin"].contains(&name) {
            continue;
        }
        let place = Place::new();
        let given = |gate| {
            if own_accounts {
                accounts(&place, gate)
            } else {
                gate
            }
        };
        let gosu = ["sh", "-c", "exec gosu \"$@\"", "sh", spec, "sh", "-c", WHO];
        let gosu = given(place.run(mode, gosu)).env("HOME", "/nowhere").end();
        gosu.code(0);
        let ours = given(place.gate(mode, &["-q", "--user", spec]))
            .env("HOME", "/nowhere")
            .server(["sh", "-c", WHO])
            .end();
        ours.code(0);
        assert_eq!(who(&ours), who(&gosu), "{spec}");
    }
}

fn steps_are_who_the_server_is_unless_told_otherwise(mode: Mode) {
    for (flags, step, server) in [
        (&["--user=1234:5678"][..], "1234:5678", "1234:5678"),
        (&["--user=1234:5678", "--step-user=0:0"], "0:0", "1234:5678"),
        (&["--step-user=1234:5678"], "1234:5678", "0:0"),
    ] {
        let place = Place::new();
        let print = "echo $(id -u):$(id -g)";
        let step_command = format!("--migrate=sh -c '{print}'");
        let end = place
            .gate(mode, &[flags, &["-q", &step_command]].concat())
            .server(["sh", "-c", print])
            .end();
        end.code(0);
        assert_eq!(end.stdout, format!("{step}\n{server}\n").as_bytes());
    }
}

fn home_is_the_users_unless_it_is_set_or_unset(mode: Mode) {
    let place = Place::new();
    let print = "sh -c 'echo step=$HOME.'";
    let with = |flags: &[&str], server: &str| {
        let step = format!("--migrate={print}");
        let all = [flags, &["-q", "--user=root", &step]].concat();
        let end = place
            .gate(mode, &all)
            .env("HOME", "/nowhere")
            .server(["sh", "-c", "echo $0 server=$HOME.", server])
            .end();
        end.code(0);
        String::from_utf8(end.stdout).unwrap()
    };
    assert_eq!(with(&[], "x"), "step=/root.\nx server=/root.\n");
    let flags = ["--step-env=HOME=/mine", "--unset-env=HOME"];
    assert_eq!(with(&flags, "x"), "step=/mine.\nx server=.\n");
    assert_eq!(
        with(&["--expand-env"], "$HOME"),
        "step=/root.\n/root server=/root.\n"
    );
}

fn numbers_need_no_entry(mode: Mode) {
    if !mode.is_pid_one() {
        return;
    }
    let place = Place::new();
    let end = place
        .gate(mode, &["-q", "--user=1234:5678"])
        .given(Given::NoEtc)
        .server(["sh", "-c", WHO])
        .end();
    end.code(0);
    let text = String::from_utf8(end.stdout.clone()).unwrap();
    assert!(text.contains("Uid:\t1234\t1234\t1234\t1234\n"), "{text}");
    assert!(
        text.contains("Groups:\t \n") && text.contains("HOME: /."),
        "{text}"
    );
    for name in ["root", "0:root"] {
        let end = place
            .gate(mode, &["--user", name])
            .given(Given::NoEtc)
            .server(["true"])
            .end();
        end.code(64)
            .says(&["error", "--user", name, "has no /etc/", "numeric"]);
    }
}

fn executables_are_looked_up_as_the_user(mode: Mode) {
    let place = Place::new();
    place.write_program("tool", "#!/bin/sh\nid -u >>ran\n");
    fs::set_permissions(place.path("tool"), fs::Permissions::from_mode(0o700)).unwrap();
    let server = ["./tool"];
    let refused = place.gate(mode, &["--user=1234"]).server(server).end();
    refused
        .code(126)
        .says(&["error", "server", "./tool", "not executable by this user"]);
    let step = place
        .gate(mode, &["--step-user=1234", "--migrate=./tool"])
        .end();
    step.code(126).says(&[
        "error",
        "--migrate",
        "./tool",
        "not executable by this user",
    ]);
    assert!(!place.has("ran"));
    let flags = ["--user=1234", "--step-user=0", "--migrate=./tool"];
    place.gate(mode, &flags).server(["true"]).end().code(0);
    assert_eq!(place.lines("ran"), ["0"]);
    fs::create_dir(place.path("closed")).unwrap();
    fs::copy("/bin/true", place.path("closed/true")).unwrap();
    fs::set_permissions(place.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let gate = place.gate(mode, &["--user=1234"]).server(["closed/true"]);
    gate.end().code(126).says(&["error", "can't access"]);
}

/// launchgate where anybody may execute it. Copied by another program: a descriptor of this one
/// that another test's child inherits for a moment would keep it from being executed.
fn copy_launchgate(place: &Place) {
    let mut cp = std::process::Command::new("cp");
    cp.arg(env!("CARGO_BIN_EXE_launchgate"))
        .arg(place.path("copy"));
    assert!(cp.status().unwrap().success());
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o777)).unwrap();
}

/// A copy of launchgate started by `setpriv` with `options`.
fn under(place: &Place, mode: Mode, options: &[&str], flags: &[&str]) -> Finished {
    copy_launchgate(place);
    let init: &[&str] = if mode.has_init() { &["--init"] } else { &[] };
    let words = [
        &["setpriv"],
        options,
        &["./copy", "run", "--no-database"],
        init,
        flags,
        &["--", "sh", "-c", WHO],
    ];
    place.run(mode, words.concat()).end()
}

fn who_may_not_switch_is_refused_before_anything_runs(mode: Mode) {
    let other = ["--reuid=54321", "--regid=54321", "--clear-groups"];
    for (options, flags) in [
        (&other[..], &["--user=1234", "--migrate=touch ran"][..]),
        (&other, &["--user=0", "--migrate=touch ran"]),
        (&other, &["--user=54321:0", "--migrate=touch ran"]),
        (&other, &["--step-user=1234", "--migrate=touch ran"]),
        (
            &["--bounding-set=-setuid"],
            &["--user=1234", "--migrate=touch ran"],
        ),
        (
            &["--bounding-set=-setgid"],
            &["--user=1234", "--migrate=touch ran"],
        ),
    ] {
        let place = Place::new();
        let end = under(&place, mode, options, flags);
        end.code(71).says(&["error", "-user", "SETUID", "hint="]);
        assert!(!place.has("ran") && end.stdout.is_empty());
    }
}

/// Docker's root has no `CAP_SYS_PTRACE`, and health checks read /proc/1/exe: what a child of another user makes
/// undumpable is closed to it (prctl(2)).
fn what_root_may_read_of_launchgate_stays_readable(mode: Mode) {
    let docker = ["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"];
    let place = Place::new();
    copy_launchgate(&place);
    let init: &[&str] = if mode.has_init() { &["--init"] } else { &[] };
    let step = migrate(stub().append("at", "step").wait_for("go"));
    let words = [
        &["setpriv"],
        &docker[..],
        &["./copy", "run", "--no-database", "--step-user=1234"],
        init,
        &["--migrate=true", step, "--", "true"],
    ];
    let mut run = place.run(mode, words.concat()).start();
    place.wait_for_line("at", "step");
    let mut readlink = std::process::Command::new("setpriv");
    let exe = format!("/proc/{}/exe", run.pid());
    let seen = readlink.args(docker).args(["readlink", &exe]).output();
    let seen = String::from_utf8(seen.expect("setpriv").stdout).expect("a path");
    assert_eq!(seen.trim(), place.path("copy").to_str().expect("a path"));
    place.write("go", "");
    run.ends_with(0);
}

fn who_could_switch_back_is_refused(mode: Mode) {
    let place = Place::new();
    let flags = ["--user=1234", "--migrate=touch ran"];
    let end = under(&place, mode, &["--securebits=+no_setuid_fixup"], &flags);
    end.code(71).says(&["error", "--user"]);
    assert!(!place.has("ran"));
}

fn who_may_not_signal_the_user_is_refused_where_it_watches(mode: Mode) {
    let options = ["--bounding-set=-kill"];
    for flags in [
        &["--user=1234", "--migrate=touch ran"][..],
        &["--step-user=1234", "--migrate=touch ran"],
    ] {
        let place = Place::new();
        let end = under(&place, mode, &options, flags);
        end.code(71).says(&["error", "-user", "KILL", "hint="]);
        assert!(!place.has("ran") && end.stdout.is_empty());
    }
    // What it becomes it need not signal.
    let place = Place::new();
    let flags = ["--user=1234", "--step-user=0", "--migrate=touch ran"];
    let code = if mode.has_init() { 71 } else { 0 };
    under(&place, mode, &options, &flags).code(code);
    assert_eq!(place.has("ran"), !mode.has_init());
}

fn who_is_that_user_already_needs_no_right(mode: Mode) {
    let options = ["--reuid=54321", "--regid=54321", "--clear-groups"];
    for user in ["54321", "54321:54321"] {
        let place = Place::new();
        let flag = format!("--user={user}");
        let end = under(&place, mode, &options, &[&flag, "--migrate=touch ran"]);
        end.code(0);
        assert!(who(&end).contains(&"HOME: /.".to_owned()), "{end}");
        assert!(place.has("ran"));
    }
}

fn no_new_privileges_stays_as_it_is(mode: Mode) {
    for (options, value) in [(&["--no-new-privs"][..], "1"), (&["--reuid=0"], "0")] {
        let place = Place::new();
        let end = under(&place, mode, options, &["--user=1234"]);
        end.code(0);
        let line = format!("NoNewPrivs:\t{value}");
        assert!(who(&end).contains(&line), "{end}");
    }
}

#[test]
fn a_step_of_launchgates_own_asks_for_the_right_before_anything_runs_too() {
    let place = Place::new();
    copy_launchgate(&place);
    fs::create_dir(place.path("migrations")).unwrap();
    place.write("migrations/1_a.sql", "create table a (x int);");
    let job = |copy: &str, who: &str| {
        let words = ["--regid=54321", "--clear-groups", copy, "job"];
        let flags = ["--database-url=sqlite:db", "--sql=migrations"];
        let words = [&["setpriv", who][..], &words, &flags, &["--step-user=1234"]].concat();
        place.run(Mode::Ordinary, &words).end()
    };
    let end = job("./copy", "--reuid=54321");
    end.code(71).says(&["error", "--sql", "SETUID", "hint="]);
    fs::set_permissions(place.path("copy"), fs::Permissions::from_mode(0o700)).unwrap();
    let end = job("./copy", "--reuid=0");
    end.code(126)
        .says(&["error", "not executable by this user"]);
    assert!(!place.has("db"), "the database was touched");
}

#[test]
fn a_parent_death_signal_survives_the_switch() {
    let place = Place::new();
    place
        .gate(Mode::Ordinary, &["--user=0:1"])
        .given(Given::DeathSignal(libc::SIGUSR2))
        .server(stub().report("seen"))
        .end()
        .code(0);
    let seen = place.report("seen");
    assert_eq!(seen.value("status")["Gid"], "1\t1\t1\t1");
    assert_eq!(seen.number("death_signal"), i64::from(libc::SIGUSR2));
}
