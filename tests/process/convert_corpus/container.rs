//! The cases, and a folder with everything that one needs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use toml::de::{DeTable, DeValue};

use crate::common::{Finished, Gate, Mode, Place};

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
    cross-env)
        export "$1"
        shift
        exec "$@" ;;
    mkdir | cp | rm | chown)
        record "$@"
        exec "/bin/$name" "$@" ;;
    *) record "$@" ;;
esac
"#;

const PROGRAMS: &str = "\
bin/node bin/cross-env bin/npx bin/npm bin/yarn bin/pnpm bin/knex bin/pm2-runtime bin/rails bin/bundle bin/rake
bin/php bin/php-fpm bin/apache2-foreground bin/python bin/pip bin/flask bin/alembic bin/poetry
bin/gunicorn bin/uvicorn bin/migrate bin/goose bin/dbmate bin/flyway bin/java bin/liquibase bin/mix
bin/dotnet bin/sqlx bin/nc bin/pg_isready bin/mysqladmin bin/sleep bin/wait-for-it bin/wait4x
bin/dockerize bin/tini bin/dumb-init bin/gosu bin/su-exec bin/mkdir bin/cp bin/rm bin/chown
bin/envsubst bin/app vendor/bin/phinx sbin/tini
migrate api exec echo fetch render efbundle wait-for-it.sh";

/// One table of a file.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) text: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    env: Vec<(String, String)>,
    is_unknown: bool,
}

impl Case {
    pub(super) fn read(table: &DeTable<'_>) -> Self {
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

    pub(super) fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
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
pub(super) struct Record {
    words: Vec<String>,
    folder: String,
    pub(super) user: String,
    environment: Vec<String>,
}

impl Record {
    pub(super) fn read_all(text: &str) -> Vec<Self> {
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
    pub(super) fn line(&self) -> String {
        self.words.join(" ")
    }
}

/// A folder with everything that a case needs.
pub(super) struct Container<'a> {
    place: Place,
    case: &'a Case,
    path: String,
    database: String,
}

impl<'a> Container<'a> {
    pub(super) fn new(case: &'a Case) -> Self {
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
    pub(super) fn lines(&self, key: &str) -> Vec<String> {
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

    pub(super) fn gate(&self, argv: &[String], record: &str, release: &str) -> Gate<'_> {
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

    pub(super) fn records(&self, record: &str) -> Vec<Record> {
        Record::read_all(&self.place.text(record))
    }

    /// What the chain runs at its first start and at a restart. What it leaves is removed.
    pub(super) fn chain(&self) -> [Vec<Record>; 2] {
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
    pub(super) fn with_home(&self, mut records: Vec<Record>) -> Vec<Record> {
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

    pub(super) fn convert(&self) -> Finished {
        let text = self.case.text["chain"].trim_end_matches('\n');
        let gate = self
            .place
            .run(Mode::Ordinary, ["./launchgate", "convert", "--", text]);
        let gate = if self.case.is_unknown {
            gate
        } else {
            gate.env("DATABASE_URL", &self.database)
        };
        gate.end()
    }
}
