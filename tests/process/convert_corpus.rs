//! `launchgate convert`, tested by running: for chains in the manner of real entrypoints, what a
//! shell runs for the chain, and what launchgate runs for the command that `convert` proposes.
//!
//! "A command that is known to migrate becomes `--migrate`. Every other command becomes
//! `--prepare` or `--warm-up`, since at every start is what the chain did."
//!
//! The cases are in tests/convert. Their keys:
//!
//! - `chain`: what is given to `convert`.
//! - `shell`: what the platform has `/bin/sh` run for it, where that is another text; `argv`: the
//!   platform's words, where it runs no shell. `cmd`: the image's CMD.
//! - `env`: variables of the container; `files`: files that are there; `user`: who some of it
//!   runs as; `prepare_sees_home_of`: whose HOME root's commands see under launchgate; `unknown`: no variable tells `convert` of a database.
//! - `gives`: the command that is proposed. `once`: the commands that run once per release.
//!   `dropped`: the waits that launchgate does itself. `may_fail`: commands whose failure the
//!   chain ignores; `endless`: commands that it tries until they work.
//! - `refused`: why no command is proposed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use toml::de::{DeTable, DeValue};

use crate::common::{Gate, Mode, Place};

/// A program that writes down who it is, its arguments, where it runs, as whom, and its
/// environment; it fails where `FAILS` names it.
const RECORDER: &str = r#"#!/bin/sh
name=${0##*/}
record() {
    {
        printf '%s\0' "$(($# + 1))" "$name" "$@" "$(/bin/pwd)" "$(/usr/bin/id -u)"
        /usr/bin/tr '\n' ' ' <"/proc/$$/environ"
        printf '\1\0'
    } >>"$RECORD"
    if [ "$FAILS" = "$name $*" ] || [ "$FAILS" = "$name" ]; then exit 3; fi
}
own_words() {
    for word; do
        [ "$word" != -- ] || break
        printf "'%s' " "$word"
    done
}
case $name in
    tini | dumb-init)
        while [ "$1" != "${1#-}" ]; do shift; done
        exec "$@" ;;
    gosu | su-exec)
        user=$1
        shift
        HOME=$(/usr/bin/getent passwd "$user" | /usr/bin/cut -d: -f6)
        export HOME
        exec /usr/bin/setpriv --reuid="$user" --regid="$(/usr/bin/id -g "$user")" --init-groups "$@" ;;
    wait-for-it | wait-for-it.sh | wait4x)
        own=$(own_words "$@")
        (eval "set -- $own"; record "$@") || exit
        while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
        [ $# -gt 0 ] || exit 0
        shift
        exec "$@" ;;
    dockerize)
        record "$1" "$2" "$3" "$4"
        shift 4
        exec "$@" ;;
    mkdir | cp | rm | chown)
        record "$@"
        exec "/bin/$name" "$@" ;;
    *) record "$@" ;;
esac
"#;

const PROGRAMS: &str = "\
bin/node bin/npx bin/npm bin/yarn bin/pnpm bin/knex bin/pm2-runtime bin/rails bin/bundle bin/rake
bin/php bin/php-fpm bin/apache2-foreground bin/python bin/pip bin/flask bin/alembic bin/poetry
bin/gunicorn bin/uvicorn bin/migrate bin/goose bin/dbmate bin/flyway bin/java bin/liquibase bin/mix
bin/dotnet bin/sqlx bin/nc bin/pg_isready bin/mysqladmin bin/sleep bin/wait-for-it bin/wait4x
bin/dockerize bin/tini bin/dumb-init bin/gosu bin/su-exec bin/mkdir bin/cp bin/rm bin/chown
bin/envsubst bin/app vendor/bin/phinx sbin/tini
migrate api exec echo fetch render efbundle wait-for-it.sh";

/// One table of a file.
#[derive(Debug)]
struct Case {
    text: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    env: Vec<(String, String)>,
    is_unknown: bool,
}

impl Case {
    fn read(table: &DeTable<'_>) -> Self {
        let text = |value: &DeValue<'_>| value.as_str().unwrap().to_owned();
        let mut case = Self {
            text: BTreeMap::new(),
            lists: BTreeMap::new(),
            env: Vec::new(),
            is_unknown: false,
        };
        for (key, value) in table {
            let key = key.get_ref().to_string();
            match value.get_ref() {
                DeValue::Boolean(_) => case.is_unknown = true,
                DeValue::Array(list) => {
                    let list = list.iter().map(|item| text(item.get_ref())).collect();
                    case.lists.insert(key, list);
                }
                DeValue::Table(env) => {
                    let pairs = env.iter();
                    let pairs = pairs
                        .map(|(name, value)| (name.get_ref().to_string(), text(value.get_ref())));
                    case.env = pairs.collect();
                }
                value => drop(case.text.insert(key, text(value))),
            }
        }
        case
    }

    fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    fn name(&self) -> &str {
        &self.text["name"]
    }
}

/// What shells keep for themselves, what launchgate passes to steps, what is the test's.
const NOT_COMPARED: [&str; 7] = [
    "PWD=",
    "OLDPWD=",
    "SHLVL=",
    "_=",
    "LAUNCHGATE_",
    "RECORD=",
    "FAILS=",
];

/// What a program wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    words: Vec<String>,
    folder: String,
    user: String,
    environment: Vec<String>,
}

impl Record {
    fn read_all(text: &str) -> Vec<Self> {
        let mut fields = text.split('\0');
        let mut records = Vec::new();
        while let Some(count) = fields.next().filter(|count| !count.is_empty()) {
            let count: usize = count.parse().unwrap();
            let mut take =
                |count| -> Vec<String> { fields.by_ref().take(count).map(str::to_owned).collect() };
            let words = take(count);
            let [folder, user]: [String; 2] = take(2).try_into().unwrap();
            let mut environment: Vec<String> = fields
                .by_ref()
                .take_while(|entry| *entry != "\u{1}")
                .map(str::to_owned)
                .collect();
            environment.retain(|entry| !NOT_COMPARED.iter().any(|name| entry.starts_with(name)));
            environment.sort();
            records.push(Self {
                words,
                folder,
                user,
                environment,
            });
        }
        records
    }

    /// The command as a case names it.
    fn line(&self) -> String {
        self.words.join(" ")
    }
}

/// A folder with everything that a case needs.
struct Container<'a> {
    place: Place,
    case: &'a Case,
    path: String,
    database: String,
}

impl<'a> Container<'a> {
    fn new(case: &'a Case) -> Self {
        let place = Place::new();
        for folder in [
            "bin",
            "sbin",
            "vendor/bin",
            "migrations",
            "data",
            "public",
            "tmp/pids",
            "var",
            "db",
        ] {
            fs::create_dir_all(place.path(folder)).unwrap();
        }
        place.write_program("recorder", RECORDER);
        for program in PROGRAMS.split_whitespace() {
            fs::hard_link(place.path("recorder"), place.path(program)).unwrap();
        }
        std::os::unix::fs::symlink(place.path("launchgate"), place.path("bin/launchgate")).unwrap();
        place.write("db/app.db", "");
        for file in case.list("files") {
            place.write(file, "");
        }
        if case.text.contains_key("user") {
            for path in ["db", "db/app.db"] {
                let user = nix::unistd::User::from_name(&case.text["user"])
                    .unwrap()
                    .unwrap();
                chown(
                    place.path(path),
                    Some(user.uid.as_raw()),
                    Some(user.gid.as_raw()),
                )
                .unwrap();
            }
        }
        let folder = place.folder().display().to_string();
        Self {
            case,
            path: format!("{folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
            database: format!("sqlite:{folder}/db/app.db"),
            place,
        }
    }

    /// The commands of a list, by the name of the program and its arguments.
    fn lines(&self, key: &str) -> Vec<String> {
        let lines = self.case.list(key).iter();
        lines
            .map(|line| {
                let line = line.replace("{database}", &self.database);
                let (program, arguments) = line.split_once(' ').unwrap_or((&line, ""));
                let name = program.rsplit('/').next().unwrap_or_default();
                format!("{name} {arguments}")
                    .trim_end_matches(|c| c == ' ' && arguments.is_empty())
                    .to_owned()
            })
            .collect()
    }

    fn gate(&self, argv: &[String], record: &str, release: &str) -> Gate<'_> {
        self.place.write(record, "");
        fs::set_permissions(self.place.path(record), fs::Permissions::from_mode(0o666)).unwrap();
        let words = ["env".to_owned(), format!("PATH={}", self.path)];
        let argv: Vec<&String> = words.iter().chain(argv).collect();
        let variable = if self.case.is_unknown {
            "LAUNCHGATE_DATABASE_URL"
        } else {
            "DATABASE_URL"
        };
        let mut gate = self
            .place
            .run(Mode::Ordinary, &argv)
            .named(record.to_owned())
            .env("RECORD", self.place.path(record))
            .env("HOME", "/root")
            .env("LAUNCHGATE_RELEASE", release)
            .env("LAUNCHGATE_RETRY_DELAY", "0")
            .env(variable, &self.database);
        for (name, value) in &self.case.env {
            gate = gate.env(name, value);
        }
        gate
    }

    fn records(&self, record: &str) -> Vec<Record> {
        Record::read_all(&self.place.text(record))
    }

    /// What the chain runs at its first start and at a restart. What it leaves is removed.
    fn chain(&self) -> [Vec<Record>; 2] {
        let text = &self.case.text["chain"];
        let mut argv = self.case.list("argv").to_vec();
        if argv.is_empty() && text.starts_with("#!") {
            self.place.write_program("entrypoint", text);
            argv = vec!["./entrypoint".to_owned()];
        } else if argv.is_empty() {
            let text = self.case.text.get("shell").unwrap_or(text);
            argv = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
        }
        argv.extend(self.case.list("cmd").iter().cloned());
        let found = ["chain", "again"].map(|name| {
            self.gate(&argv, name, "").end().code(0);
            self.records(name)
        });
        for file in ["out", ".env", "tmp/pids/server.pid"] {
            let path = self.place.path(file);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
        found
    }

    /// The records with the HOME that root's commands have under launchgate.
    fn with_home(&self, mut records: Vec<Record>) -> Vec<Record> {
        if let Some(user) = self.case.text.get("prepare_sees_home_of") {
            let home = nix::unistd::User::from_name(user).unwrap().unwrap().dir;
            for record in records.iter_mut().filter(|record| record.user == "0") {
                record
                    .environment
                    .retain(|entry| !entry.starts_with("HOME="));
                record.environment.push(format!("HOME={}", home.display()));
                record.environment.sort();
            }
        }
        records
    }

    fn convert(&self) -> crate::common::Finished {
        let text = self.case.text["chain"].trim_end_matches('\n');
        let gate = self
            .place
            .run(Mode::Ordinary, &["./launchgate", "convert", "--", text]);
        let gate = if self.case.is_unknown {
            gate
        } else {
            gate.env("DATABASE_URL", &self.database)
        };
        gate.end()
    }
}

/// What is compared of runs that agree.
fn without(records: &[Record], lines: &[String]) -> Vec<Record> {
    let kept = records
        .iter()
        .filter(|record| !lines.contains(&record.line()));
    kept.cloned().collect()
}

fn check(case: &Case) {
    let container = Container::new(case);
    let end = container.convert();
    let page = String::from_utf8(end.stdout.clone()).unwrap();
    if let Some(why) = case.text.get("refused") {
        end.code(64).says(&[why, "hint="]);
        assert!(!page.contains("Instead:"), "{end}");
        return;
    }
    end.code(0);
    let line = |begin: &str| {
        page.lines()
            .find_map(|line| line.trim_start().strip_prefix(begin))
    };
    let (_, command) = page.split_once("Instead:\n  ").unwrap();
    let (command, _) = command.split_once("\n\nDockerfile:\n").unwrap();
    assert_eq!(
        command,
        case.text.get("gives").map_or("", String::as_str),
        "{page}"
    );
    let array = line("CMD ").or_else(|| line("ENTRYPOINT ")).unwrap();
    let mut argv: Vec<String> = serde_json::from_str(array).unwrap();
    argv.extend(case.list("cmd").iter().cloned());
    if let Some(folder) = line("WORKDIR ") {
        argv.splice(0..0, ["env".to_owned(), "-C".to_owned(), folder.to_owned()]);
    }

    let (once, dropped) = (container.lines("once"), container.lines("dropped"));
    let [chain, again] = container.chain();
    let [chain, again] = [chain, again].map(|records| container.with_home(records));
    let (server, commands) = chain.split_last().unwrap();
    for line in once.iter().chain(&dropped) {
        assert!(
            commands.iter().any(|record| record.line() == *line),
            "the chain does not run {line:?}: {chain:#?}"
        );
    }
    let first_start = without(&chain, &dropped);
    let every_start = without(&again, &[once.clone(), dropped].concat());

    container.gate(&argv, "first", "v1").end().code(0);
    assert_eq!(
        container.records("first"),
        first_start,
        "the first start\n{page}"
    );
    container.gate(&argv, "restart", "v1").end().code(0);
    assert_eq!(
        container.records("restart"),
        every_start,
        "a restart\n{page}"
    );

    // The next release, two replicas at the same time: one of them migrates.
    let names = ["one", "two"];
    let runs = names.map(|name| container.gate(&argv, name, "v2").start());
    for run in runs {
        run.end().code(0);
    }
    let both = names.map(|name| container.records(name));
    for records in &both {
        assert_eq!(
            without(records, &once),
            every_start,
            "the next release\n{page}"
        );
    }
    let migrations = |records: &Vec<Record>| records.len() - every_start.len();
    let mut migrated = both.each_ref().map(migrations);
    migrated.sort_unstable();
    assert_eq!(migrated, [0, once.len()], "{both:#?}");

    // Whatever fails keeps the server from starting.
    let may_fail = container.lines("may_fail");
    let endless = container.lines("endless");
    for (number, record) in first_start[..first_start.len() - 1].iter().enumerate() {
        let runs_again = every_start.contains(record) || once.contains(&record.line());
        if endless.contains(&record.line()) || !runs_again {
            continue;
        }
        let failed = container
            .gate(&argv, "failed", &format!("fails{number}"))
            .env("FAILS", record.line())
            .end();
        let started = container.records("failed").last() == Some(server);
        assert_eq!(
            started,
            may_fail.contains(&record.line()),
            "{record:?} fails: {failed}\n{page}"
        );
    }
}

fn check_all(text: &str) {
    let file = DeTable::parse(text).unwrap();
    let DeValue::Array(cases) = file.get_ref()["case"].get_ref() else {
        panic!("no cases")
    };
    let mut failed = Vec::new();
    for case in cases {
        let DeValue::Table(table) = case.get_ref() else {
            panic!("no table")
        };
        let case = Case::read(table);
        if let Err(panic) = std::panic::catch_unwind(|| check(&case)) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("== {}\n{text}", case.name()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn node() {
    check_all(include_str!("../convert/node.toml"));
}

#[test]
fn ruby_and_php() {
    check_all(include_str!("../convert/ruby_php.toml"));
}

#[test]
fn python() {
    check_all(include_str!("../convert/python.toml"));
}

#[test]
fn others() {
    check_all(include_str!("../convert/others.toml"));
}
