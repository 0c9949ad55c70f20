//! `launchgate.toml`: everything the flags say, and steps with settings of their own.
//!
//! "The file's keys are the flags' names without dashes in front; what is repeatable is a list
//! there, and in a variable one per line." (contract, section 3)

use std::collections::BTreeSet;
use std::fs;

use crate::common::{Finished, Given, Mode, Place};

fn run(place: &Place, file: &str, flags: &[&str]) -> Finished {
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::Ordinary, flags);
    gate.server(["./stub", "report", "served"]).end()
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
        .server(["./stub", "report", "served"])
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
        place.run(Mode::Ordinary, words).end().code(0);
    }
    assert_eq!(place.lines("order"), ["migrated", "served", "served"]);
    let status = place.run(Mode::Ordinary, ["./launchgate", "status"]).end();
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
        place.run(Mode::Ordinary, words)
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
    let end = place.run(Mode::Ordinary, words).end();
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
fn the_server_may_stay_behind_an_init_that_the_file_names() {
    let place = Place::new();
    let file = "init = true\nrewrite-signal = [\"15:3\"]\nremap-exit = [\"7:0\"]\n";
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::PidOne, &["--migrate=true"]);
    gate.server(["./stub", "exit", "7"]).end().code(0);
    let gate = place.gate(Mode::Ordinary, &["--migrate=true", "--init=off"]);
    let end = gate.server(["./stub", "exit", "7"]).end();
    end.code(64)
        .says(&["launchgate.toml:2 rewrite-signal", "--init"]);
}

#[test]
fn the_schema_knows_every_key_that_the_file_may_have() {
    let place = Place::new();
    let words = ["./launchgate", "generate", "schema"];
    let end = place.run(Mode::Ordinary, words).end();
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
        .run(Mode::Ordinary, ["./launchgate", "run", "--help"])
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
