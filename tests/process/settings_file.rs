//! `launchgate.toml`: everything the flags say, and steps with settings of their own.
//!
//! "The file's keys are the flags' names without dashes in front; what is repeatable is a list
//! there, and in a variable one per line." (contract, section 3)
//!
//! "An unknown key in the file is an error, an unknown `LAUNCHGATE_*` variable a warning."
//! (contract, section 3)

use std::collections::BTreeSet;
use std::fs;

use crate::common::{Finished, Given, Mode, Place};

fn run(place: &Place, file: &str, flags: &[&str]) -> Finished {
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::Ordinary, flags);
    gate.server(&["./stub", "report", "served"]).end()
}

/// Refused with 64, and nothing started.
#[track_caller]
fn refused(file: impl AsRef<[u8]>, words: &[&str]) {
    let place = Place::new();
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::Ordinary, &["--backup=./stub append started backup"]);
    let end = gate
        .server(&["./stub", "append", "started", "server"])
        .end();
    end.code(64).says(words).says(&["hint="]);
    assert!(!place.has("started"), "{end}");
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_file() {
    let place = Place::new();
    std::os::unix::fs::symlink("gone.toml", place.path("launchgate.toml")).expect("a link");
    let gate = place.gate(Mode::Ordinary, &["--migrate=./stub append started migrate"]);
    let end = gate
        .server(&["./stub", "append", "started", "server"])
        .end();
    end.code(64)
        .says(&["launchgate.toml", "No such file", "hint="]);
    assert!(!place.has("started"), "{end}");
}

#[test]
fn every_flag_of_the_steps_has_its_key() {
    let place = Place::new();
    place.write("step.txt", "");
    let file = r#"
app = "shop"
backup = "./stub append order backup"
migrate = [
    "./stub append order one",
    ["./stub", "append", "order", "two words; and $NO shell"],
]
verify = "./stub report step"
step-env = ["A=1", "B=2"]
step-env-from = { C = "SECRET" }
unset-env = ["GONE", "ALSO-GONE"]
migrate-timeout = "10m"
max-attempts = 5
verbose = true
"#;
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::Ordinary, &[""; 0]);
    let gate = gate
        .env("SECRET", "s")
        .env("GONE", "1")
        .env("ALSO-GONE", "1");
    let end = gate
        .env("KEPT", "1")
        .server(&["./stub", "report", "served"])
        .end();
    end.code(0).says(&["found", "backup"]);
    let order = ["backup", "one", "two words; and $NO shell"];
    assert_eq!(place.lines("order"), order);
    let step = place.report("step").environment();
    for entry in ["A=1", "B=2", "C=s", "LAUNCHGATE_APP=shop"] {
        assert!(step.iter().any(|e| e == entry), "{entry}: {step:?}");
    }
    assert_eq!(place.report("served").environment()[1..], ["KEPT=1"]);
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let place = Place::new();
    let file = "
backup = [\"./stub\", \"append\", \"order\", \"file\"]
verify = \"'not looked at\"
migrate = \"./stub append order file\"
stop-grace = 12
lease = [\"nor this\"]
quiet = true
";
    place.write("launchgate.toml", file);
    let flags = ["--verify=true", "--stop-grace=1s", "--lease=1m", "-v"];
    let gate = place.gate(Mode::Ordinary, &flags);
    let gate = gate.env("LAUNCHGATE_MIGRATE", "./stub append order variable");
    gate.end().code(0).says(&["found"]);
    assert_eq!(place.lines("order"), ["file", "variable"]);
}

#[test]
fn a_step_has_a_name_a_limit_an_environment_and_a_user_of_its_own() {
    let place = Place::new();
    let file = r#"
migrate-timeout = "10m"
step-env = { A = "all", B = "all" }
user = "1234:1234"

[[migrate]]
name = "schema"
command = ["./stub", "report", "schema"]
env = { B = "own", "C-D" = "with = in it" }
user = "0:0"

[[migrate]]
name = "seed data"
command = "./stub wait-forever"
timeout = "100ms"
"#;
    let end = run(&place, file, &[]);
    end.code(124)
        .says(&["schema started"])
        .says(&["schema succeeded", "step=schema"])
        .says(&["seed data ran past 100ms"]);
    assert!(!place.has("served"), "{end}");
    let schema = place.report("schema");
    let environment = schema.environment();
    for entry in [
        "A=all",
        "B=own",
        "C-D=with = in it",
        "LAUNCHGATE_STEP=schema",
        "HOME=/root",
    ] {
        assert!(
            environment.iter().any(|e| e == entry),
            "{entry}: {environment:?}"
        );
    }
}

#[test]
fn a_steps_own_user_runs_it() {
    let place = Place::new();
    let who = r#"echo "$(id -u) $HOME" >> "$1""#;
    let file = format!(
        "shell = true\nstep-user = \"0\"\nmigrate = [{{ command = [\"sh\", \"-c\", '{who}', \"sh\", \"own\"], user = \"1234:1234\" }}, {{ command = 'echo \"$(id -u) $HOME\" >> own' }}]\n"
    );
    place.write("own", "");
    fs::set_permissions(
        place.path("own"),
        std::os::unix::fs::PermissionsExt::from_mode(0o666),
    )
    .unwrap();
    run(&place, &file, &[]).code(0);
    assert_eq!(place.lines("own"), ["1234 /", "0 /root"]);
}

#[test]
fn words_are_expanded_one_by_one_where_that_is_wanted() {
    let place = Place::new();
    let file =
        "expand-env = \"on\"\nmigrate = [[\"./stub\", \"append\", \"order\", \"${WHO} $$x\"]]\n";
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::Ordinary, &[""; 0]).env("WHO", "a  b; c");
    gate.end().code(0);
    assert_eq!(place.lines("order"), ["a  b; c $x"]);
}

#[test]
fn the_file_can_name_the_database_and_a_revision() {
    let place = Place::new();
    place.write(
        "launchgate.toml",
        "database-url = \"sqlite:a.db\"\nrelease = 42\nmigrate = \"./stub append order migrated\"\n",
    );
    for _ in 0..2 {
        let words = [
            "./launchgate",
            "run",
            "--",
            "./stub",
            "append",
            "order",
            "served",
        ];
        place.run(Mode::Ordinary, &words).end().code(0);
    }
    assert_eq!(place.lines("order"), ["migrated", "served", "served"]);
    let status = place.run(Mode::Ordinary, &["./launchgate", "status"]).end();
    let shown = String::from_utf8_lossy(&status.code(0).stdout).into_owned();
    assert!(
        shown.contains("42") && shown.contains("succeeded"),
        "{shown}"
    );
}

#[test]
fn what_the_file_names_wins_over_what_a_platform_hands_over() {
    let place = Place::new();
    place.write(
        "launchgate.toml",
        "no-database = true\nmigrate = \"./stub append order migrated\"\n",
    );
    let gate = || {
        let words = ["./launchgate", "job", "--release=1"];
        place.run(Mode::Ordinary, &words)
    };
    let gone = "postgres://u:p@127.0.0.1:1/x";
    gate().env("DATABASE_URL", gone).end().code(0);
    let end = gate()
        .env("LAUNCHGATE_NO_DATABASE", "off")
        .env("LAUNCHGATE_WAIT_TIMEOUT", "100ms")
        .env("DATABASE_URL", gone)
        .end();
    end.code(69);
}

#[test]
fn the_first_file_that_is_named_or_there_is_read() {
    let place = Place::new();
    let says = |what: &str| format!("migrate = \"./stub append order {what}\"\n");
    for name in ["flag", "variable"] {
        place.write(&format!("{name}.toml"), says(name));
    }
    let etc = format!(
        "mount -t tmpfs none /etc && printf '%s' '{}' >/etc/launchgate.toml && exec \"$@\"",
        says("etc")
    );
    let start = |flags: &[&str], variable: &str| {
        let words = ["unshare", "-m", "sh", "-c", &etc, "sh", "./launchgate"];
        let words = [&words[..], &["job", "--no-database"], flags].concat();
        let gate = place.run(Mode::Ordinary, &words);
        gate.env("LAUNCHGATE_CONFIG", variable).end().code(0);
    };
    start(&[], "");
    place.write("launchgate.toml", says("here"));
    start(&[], "");
    start(&[], "variable.toml");
    start(&["--config", "./flag.toml"], "variable.toml");
    assert_eq!(place.lines("order"), ["etc", "here", "variable", "flag"]);
}

#[test]
fn check_says_which_line_a_setting_comes_from() {
    let place = Place::new();
    place.write(
        "x.toml",
        "no-database = true\n# none\nstop-grace = \"7s\"\nstep-env = { TOKEN = \"secret-1\" }\n[[migrate]]\nname = \"seed\"\ncommand = [\"true\", \"two words\"]\ntimeout = \"0\"\nenv = { KEY = \"secret-2\" }\nuser = 0\n",
    );
    let words = ["./launchgate", "check", "--config", "x.toml"];
    let end = place.run(Mode::Ordinary, &words).end();
    let shown = String::from_utf8_lossy(&end.code(0).stdout).into_owned();
    for words in [
        &["config", "x.toml", "--config"][..],
        &["stop-grace", "7s", "x.toml:3 stop-grace"],
        &["step-env", "TOKEN=***", "x.toml:4 step-env"],
        &["migrate ", "true 'two words'", "x.toml:7 migrate"],
        &["migrate.name", "seed", "x.toml:6 migrate"],
        &["migrate.timeout", "no limit", "x.toml:8 migrate"],
        &["migrate.env", "KEY=***", "x.toml:9 migrate"],
        &["migrate.user", "0", "x.toml:10 migrate"],
        &["seed", "/true"],
    ] {
        let is_shown = shown
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(is_shown, "{words:?}\n{shown}");
    }
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn an_unknown_key_is_reported_with_its_place_and_the_nearest() {
    refused(
        "app = \"x\"\n  migrat = \"true\"\n",
        &[
            "./launchgate.toml:2:3",
            "`migrat`",
            "did you mean `migrate`?",
        ],
    );
    refused(
        "[[migrate]]\ncommand = \"true\"\ntimout = \"5m\"\n",
        &[
            "./launchgate.toml:3:1",
            "`timout`",
            "did you mean `timeout`?",
        ],
    );
    refused("server = \"x\"\n", &["`server`", "after `--`"]);
    refused("config = \"x\"\n", &["`config`", "can't refer to another"]);
    refused(
        "[steps]\nmigrate = \"x\"\n",
        &["./launchgate.toml:1:2", "`steps`"],
    );
}

#[test]
fn a_value_that_does_not_parse_is_told_with_its_line() {
    let at = "./launchgate.toml:2 ";
    let told = |line: &str, words: &[&str]| {
        refused(format!("# first\n{line}\n"), &[&[at][..], words].concat());
    };
    told("stop-grace = 10", &["`10` has no unit", "10s"]);
    told("stop-grace = 1.5", &["is a fraction", "quotes"]);
    told("stop-grace = \"soon\"", &["`soon` is not a valid duration"]);
    told("stop-grace = [\"1s\"]", &["is a list"]);
    told("shell = \"maybe\"", &["`maybe` is not a valid switch"]);
    told("shell = \"\"", &["is empty"]);
    told("app = 1979-05-27", &["is a date"]);
    told("app = { a = 1 }", &["is a table"]);
    told("verify = \"a; b\"", &["found the shell operator `;`"]);
    told("verify = []", &["no program"]);
    told("verify = [\"\"]", &["no program"]);
    told(
        "verify = [\"a\", [\"b\"]]",
        &["a word of the command is a list"],
    );
    told("verify = { name = \"x\" }", &["no command"]);
    told(
        "verify = { command = \"true\", timeout = \"5\" }",
        &["timeout `5` has no unit"],
    );
    told(
        "verify = { command = \"true\", env = [\"A=1\"] }",
        &["env is not a table"],
    );
    told(
        "verify = { command = \"true\", env = { LAUNCHGATE_X = \"1\" } }",
        &["reserved for launchgate"],
    );
    told(
        "verify = { command = \"true\", user = \"nobody-here\" }",
        &["`nobody-here`"],
    );
    told(
        "verify = { command = \"true\", name = \" x\" }",
        &["is not a valid step name"],
    );
    told("step-env = [\"A\"]", &["NAME=VALUE"]);
    told(
        "migrate = [\"true\", \"a | b\"]",
        &["found the shell operator `|`"],
    );
}

#[test]
fn what_is_wrong_in_a_steps_table_is_told_with_its_own_line() {
    for (lines, at, words) in [
        (
            "command = \"true\"\ntimeout = \"5\"",
            3,
            "timeout `5` has no unit",
        ),
        (
            "command = \"true\"\nname = \" x\"",
            3,
            "is not a valid step name",
        ),
        (
            "command = \"true\"\n\nuser = \"nobody-here\"",
            4,
            "`nobody-here`",
        ),
        (
            "name = \"x\"\ncommand = \"a; b\"",
            3,
            "found the shell operator `;`",
        ),
        ("name = \"x\"\ncommand = \"absent-tool\"", 3, "absent-tool"),
        (
            "name = \"x\"\ncommand = [\n\"a\",\n[]]",
            5,
            "a word of the command is a list",
        ),
        ("name = \"x\"\ncommand = []", 3, "no program"),
        ("command = \"true\"\nenv = 1", 3, "env is not a table"),
        (
            "command = \"true\"\n[migrate.env]\nA = \"1\"\nLAUNCHGATE_B = \"2\"",
            5,
            "reserved for launchgate",
        ),
        ("\nname = \"x\"", 1, "the step has no command"),
    ] {
        let place = Place::new();
        place.write("launchgate.toml", format!("[[migrate]]\n{lines}\n"));
        let end = place.gate(Mode::Ordinary, &[""; 0]).end();
        let code = if words == "absent-tool" { 127 } else { 64 };
        let at = format!("./launchgate.toml:{at} migrate:");
        end.code(code).says(&[&at, words]);
    }
}

#[test]
fn a_url_that_does_not_parse_is_told_without_its_password() {
    let place = Place::new();
    place.write(
        "launchgate.toml",
        "\ndatabase-url = \"oracle://u:verysecret@h/x\"\n",
    );
    let words = ["./launchgate", "job", "--migrate=true"];
    let end = place.run(Mode::Ordinary, &words).end();
    end.code(64)
        .says(&["./launchgate.toml:2 database-url", "oracle"])
        .never_says("verysecret");
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    refused("app = \"x\"\nlease = 30s\n", &["./launchgate.toml:2:"]);
    refused(
        "app = \"x\"\napp = \"y\"\n",
        &["./launchgate.toml:2:1", "duplicate"],
    );
    refused("app = \"x\n", &["./launchgate.toml:1:"]);
}

#[test]
fn another_encoding_is_told() {
    let utf16: Vec<u8> = "\u{feff}app = \"x\"\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    refused(utf16, &["UTF-16", "save it as UTF-8"]);
    refused(
        b"app = \"caf\xe9\"\n",
        &["./launchgate.toml:1:11", "not UTF-8"],
    );
    refused([0xff; 100], &["not UTF-8"]);
}

#[test]
fn a_file_that_is_none_is_told() {
    let place = Place::new();
    let refused = |words: &[&str], said: &[&str]| {
        let words = [&["./launchgate", "job", "--no-database"], words].concat();
        let end = place.run(Mode::Ordinary, &words).end();
        end.code(64).says(said);
    };
    let step = "--migrate=true";
    refused(
        &[step, "--config", "gone.toml"],
        &["gone.toml (--config)", "No such file"],
    );
    let gate = place.gate(Mode::Ordinary, &[step]);
    let end = gate.env("LAUNCHGATE_CONFIG", "gone.toml").end();
    end.code(64).says(&["gone.toml (LAUNCHGATE_CONFIG)"]);
    refused(&[step, "--config="], &["--config is empty"]);
    refused(&[step, "--config", "/dev/zero"], &["not a regular file"]);
    refused(&[step, "--config", "/"], &["it is a folder"]);
    place.write("big.toml", "# a comment\n".repeat(100_000));
    refused(&[step, "--config", "big.toml"], &["larger than 1024 KiB"]);
    fs::create_dir(place.path("launchgate.toml")).unwrap();
    refused(&[step], &["./launchgate.toml", "it is a folder"]);
}

#[test]
fn a_file_that_may_not_be_read_is_no_missing_one() {
    let place = Place::new();
    place.write("launchgate.toml", "app = \"x\"\n");
    fs::set_permissions(
        place.path("launchgate.toml"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let words = ["setpriv", "--reuid=1234", "--clear-groups", "./launchgate"];
    let words = [&words[..], &["job", "--no-database", "--migrate=true"]].concat();
    let end = place.run(Mode::Ordinary, &words).end();
    end.code(64)
        .says(&["./launchgate.toml", "Permission denied"]);
}

#[test]
fn a_broken_file_is_told_to_the_platform_as_well() {
    let place = Place::new();
    place.write("why", "");
    let end = run(&place, "lease = 1\nx = 2\n", &["--termination-log=why"]);
    end.code(64);
    assert!(
        place.text("why").contains("launchgate.toml:2:1"),
        "{}",
        place.text("why")
    );
}

#[test]
fn the_server_may_stay_behind_an_init_that_the_file_names() {
    let place = Place::new();
    let file = "init = true\nrewrite-signal = [\"15:3\"]\nremap-exit = [\"7:0\"]\n";
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::PidOne, &["--migrate=true"]);
    gate.server(&["./stub", "exit", "7"]).end().code(0);
    let gate = place.gate(Mode::Ordinary, &["--migrate=true", "--init=off"]);
    let end = gate.server(&["./stub", "exit", "7"]).end();
    end.code(64)
        .says(&["launchgate.toml:2 rewrite-signal", "--init"]);
}

#[test]
fn the_schema_knows_every_key_that_the_file_may_have() {
    let place = Place::new();
    let words = ["./launchgate", "generate", "schema"];
    let end = place.run(Mode::Ordinary, &words).end();
    let schema: serde_json::Value = serde_json::from_slice(&end.code(0).stdout).unwrap();
    let known: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
    for key in &known {
        // Whatever the value is: the key itself is never refused.
        place.write("launchgate.toml", format!("{key} = []\n"));
        let gate = place.gate(Mode::Ordinary, &["--migrate=true"]);
        gate.given(Given::Umask(0o22))
            .end()
            .never_says("unknown key");
    }
    let help = place
        .run(Mode::Ordinary, &["./launchgate", "run", "--help"])
        .end();
    let help = String::from_utf8_lossy(&help.code(0).stdout).into_owned();
    let flags = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .filter_map(|flag| {
            flag.split(|c: char| c != '-' && !c.is_ascii_lowercase())
                .next()
        })
        .map(str::to_owned)
        .filter(|flag| !flag.is_empty() && !["config", "help"].contains(&flag.as_str()));
    for flag in flags {
        assert!(known.contains(&flag), "{flag}");
    }
}
