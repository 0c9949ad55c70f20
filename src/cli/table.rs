//! The table of settings. One row defines a setting: its flag, its `LAUNCHGATE_*` variable, its key in
//! the settings file, its default and its help. The command line, the man page, the completions, the
//! JSON schema and `docs/settings.md` are generated from it.
//!
//! To add a setting, add a row here, and a field to the struct in `settings` that it belongs to,
//! where a parser turns its text into a value.

mod row;

pub use row::{DefaultValue, Definition, Group, Shape, Variant};

use super::verb::Verb::{self, Check, Init, Job, Probe, Resolve, Run, Status, Wait};

/// Generates the enum and the table from the same rows, so that they can't get out of step.
macro_rules! settings {
    ($($id:ident $name:literal { $($field:tt)* })*) => {
        /// A setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum SettingId {
            $(#[doc = concat!("`--", $name, "`.")] $id,)*
        }

        /// Every setting of every command, in the order of the help.
        pub static SETTINGS: [Definition; [$(SettingId::$id),*].len()] = [
            $(Definition {
                id: SettingId::$id,
                name: $name,
                flag: concat!("--", $name),
                $($field)*
            },)*
        ];
    };
}

/// The commands that run steps or check them.
const STEP: &[Verb] = &[Run, Job, Check];

/// The commands that run start commands, and the one that checks them.
const START: &[Verb] = &[Run, Wait, Check];

/// The commands with a gate, and the one that checks it.
const GATE: &[Verb] = &[Run, Job, Wait, Check];

/// The same, and the one that shows how the gate stands.
const ATTEMPTS: &[Verb] = &[Run, Job, Wait, Status, Check];

/// The commands that start a server, and the one that checks it.
const SERVER: &[Verb] = &[Run, Job, Wait, Init, Check];

/// The commands that write a log.
const LOG: &[Verb] = &[Run, Job, Wait, Init, Status, Resolve, Check];

/// The commands that use the ledger.
const LEDGER: &[Verb] = &[Run, Job, Wait, Status, Resolve, Check];

/// The fields that most rows leave alone. The macro fills in id, name and flag.
const BASE: Definition = Definition {
    id: SettingId::Config,
    name: "",
    flag: "",
    short: None,
    shape: Shape::Text,
    value_name: "",
    default: DefaultValue::Unset,
    help: "",
    group: Group::OneCommand,
    verbs: &[],
    variants: &[],
};

const fn base(group: Group, verbs: &'static [Verb], shape: Shape) -> Definition {
    let value_name = match shape {
        Shape::Switch => "BOOL",
        Shape::Duration => "DURATION",
        Shape::Count => "N",
        Shape::Step | Shape::Steps | Shape::StartCommands => "CMD",
        Shape::StepFolder => "DIR",
        _ => "",
    };
    Definition {
        shape,
        value_name,
        group,
        verbs,
        ..BASE
    }
}

settings! {
    Json "json" {
        help: "Print JSON",
        ..base(Group::OneCommand, &[Status], Shape::Switch)
    }
    Pid "pid" {
        default: DefaultValue::Value("1"),
        help: "The process ID of launchgate",
        ..base(Group::OneCommand, &[Probe], Shape::Count)
    }

    Prepare "prepare" {
        help: "Run CMD at every start of every replica, before launchgate connects to the database; repeatable, run in order",
        ..base(Group::StartCommands, START, Shape::StartCommands)
    }
    WarmUp "warm-up" {
        help: "Run CMD at every start of every replica, after the gate and before the server; repeatable, run in order",
        ..base(Group::StartCommands, START, Shape::StartCommands)
    }

    Backup "backup" {
        help: "Run CMD before the first migrate step, only if a migration is due",
        ..base(Group::Steps, STEP, Shape::Step)
    }
    Snapshot "snapshot" {
        help: "SQLite: copy the database into DIR before the first migrate step; migrate only if that succeeds",
        ..base(Group::Steps, STEP, Shape::StepFolder)
    }
    Migrate "migrate" {
        help: "Run CMD to migrate; repeatable, run in order",
        ..base(Group::Steps, STEP, Shape::Steps)
    }
    Sql "sql" {
        help: "Apply the .sql migrations in DIR after the migrate commands, as the tool that made them would",
        variants: &[Variant::new(Wait, Group::Coordination, "Use the fingerprint of the .sql migrations in DIR as the revision, as `launchgate run --sql` does")],
        ..base(Group::Steps, STEP, Shape::StepFolder)
    }
    SqlLayout "sql-layout" {
        help: "Which tool's folder `--sql` has, where its files or the database leave that open: sqlx, prisma, drizzle, dbmate, goose, golang-migrate",
        variants: &[Variant::new(Wait, Group::Coordination, "Which tool's folder `--sql` has, where its files leave that open")],
        value_name: "NAME",
        ..base(Group::Steps, STEP, Shape::Text)
    }
    Verify "verify" {
        help: "Run CMD after the migrate steps; if it fails, the run fails",
        ..base(Group::Steps, STEP, Shape::Step)
    }
    Shell "shell" {
        help: "Run step and start commands through `/bin/sh -c`",
        variants: &[Variant::new(Wait, Group::StartCommands, "Run start commands through `/bin/sh -c`")],
        ..base(Group::Steps, STEP, Shape::Switch)
    }
    ExpandEnv "expand-env" {
        help: "Expand $NAME and ${NAME} in step and start commands and in SERVER's arguments, without a shell",
        variants: &[
            Variant::new(Wait, Group::StartCommands, "Expand $NAME and ${NAME} in SERVER's arguments, without a shell"),
            Variant::new(Init, Group::Server, "Expand $NAME and ${NAME} in SERVER's arguments, without a shell"),
        ],
        ..base(Group::Steps, STEP, Shape::Switch)
    }
    MigrateTimeout "migrate-timeout" {
        default: DefaultValue::Value("0"),
        help: "Stop a step and fail if it runs longer than this",
        ..base(Group::Steps, STEP, Shape::Duration)
    }
    StopGrace "stop-grace" {
        default: DefaultValue::Value("10s"),
        help: "Time between SIGTERM and SIGKILL when a step or start command is stopped; 0 sends SIGKILL at once",
        variants: &[
            Variant::new(Wait, Group::StartCommands, "Time between SIGTERM and SIGKILL when a start command is stopped; 0 sends SIGKILL at once"),
            Variant::new(Init, Group::Server, "Time between SIGTERM and SIGKILL for processes that outlive the server"),
        ],
        ..base(Group::Steps, STEP, Shape::Duration)
    }
    StepEnv "step-env" {
        value_name: "NAME=VALUE",
        help: "Set an environment variable for the steps only; repeatable",
        ..base(Group::Steps, STEP, Shape::Pairs)
    }
    StepEnvFrom "step-env-from" {
        value_name: "NAME=SOURCE",
        help: "Set NAME for the steps to the value of the variable SOURCE, and remove SOURCE from the server's environment; repeatable",
        ..base(Group::Steps, STEP, Shape::Pairs)
    }
    StepUser "step-user" {
        value_name: "USER[:GROUP]",
        default: DefaultValue::Described("--user"),
        help: "Run the steps as this user (name or ID)",
        ..base(Group::Steps, STEP, Shape::Text)
    }

    DatabaseUrl "database-url" {
        value_name: "URL",
        default: DefaultValue::Described("`DATABASE_URL`, `POSTGRES_URL` and others, else libpq's `PGHOST`"),
        help: "The database that holds the lock and the ledger; {NAME} is replaced with that variable's value",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    DatabaseUrlEnv "database-url-env" {
        value_name: "NAME",
        help: "Read the database URL from this variable",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    DatabaseUrlFile "database-url-file" {
        value_name: "FILE",
        help: "Read the database URL from this file",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    DatabasePasswordFile "database-password-file" {
        value_name: "FILE",
        help: "Read the database password from this file, again for each connection",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    NoDatabase "no-database" {
        help: "Use no lock and no ledger: every replica runs the steps at every start",
        ..base(Group::Database, LEDGER, Shape::Switch)
    }
    Ledger "ledger" {
        value_name: "NAME",
        default: DefaultValue::Described("schema or database `launchgate`, where possible"),
        help: "The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    App "app" {
        value_name: "NAME",
        default: DefaultValue::Value("default"),
        help: "The name of this app; apps that share a database need different names",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    WaitTimeout "wait-timeout" {
        default: DefaultValue::Value("60s"),
        help: "How long to wait for the database to accept a connection",
        ..base(Group::Database, LEDGER, Shape::Duration)
    }

    Release "release" {
        value_name: "ID",
        default: DefaultValue::Described("the platform's release id"),
        help: "The name of this release",
        ..base(Group::Coordination, GATE, Shape::Text)
    }
    Fingerprint "fingerprint" {
        value_name: "GLOB",
        help: "Use a hash of these files as the revision, instead of the release; repeatable",
        ..base(Group::Coordination, GATE, Shape::List)
    }
    LockTimeout "lock-timeout" {
        default: DefaultValue::Value("0"),
        help: "How long to wait for another replica to finish migrating",
        ..base(Group::Coordination, GATE, Shape::Duration)
    }
    Lease "lease" {
        default: DefaultValue::Value("30s"),
        help: "How long the lock holder still counts as alive after its last heartbeat, 3s to 1h",
        ..base(Group::Coordination, GATE, Shape::Duration)
    }
    MaxAttempts "max-attempts" {
        default: DefaultValue::Value("3"),
        help: "Refuse a revision after this many failed attempts; 0 means no limit",
        ..base(Group::Coordination, ATTEMPTS, Shape::Count)
    }
    RetryDelay "retry-delay" {
        default: DefaultValue::Value("10s"),
        help: "How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait",
        ..base(Group::Coordination, ATTEMPTS, Shape::Duration)
    }
    Retries "retries" {
        default: DefaultValue::Value("0"),
        help: "How often this replica runs failed steps again by itself, within --max-attempts",
        ..base(Group::Coordination, STEP, Shape::Count)
    }
    OrphanTimeout "orphan-timeout" {
        default: DefaultValue::Value("60s"),
        help: "How long to wait for database sessions left behind by an earlier run's steps",
        ..base(Group::Coordination, GATE, Shape::Duration)
    }

    UnsetEnv "unset-env" {
        value_name: "NAME",
        help: "Remove NAME from the server's environment; repeatable",
        ..base(Group::Server, SERVER, Shape::List)
    }
    User "user" {
        value_name: "USER[:GROUP]",
        help: "Run the server as this user (name or ID)",
        ..base(Group::Server, SERVER, Shape::Text)
    }
    Init "init" {
        help: "Keep running as the server's init: forward signals and reap zombies",
        ..base(Group::Server, GATE, Shape::Switch)
    }
    InitGroup "init-group" {
        help: "With --init: send signals to the server's whole process group",
        variants: &[Variant::new(Init, Group::Server, "Send signals to the server's whole process group")],
        ..base(Group::Server, GATE, Shape::Switch)
    }
    RewriteSignal "rewrite-signal" {
        value_name: "FROM:TO",
        help: "With --init: forward signal FROM as TO, or drop it if TO is 0; repeatable",
        variants: &[Variant::new(Init, Group::Server, "Forward signal FROM as TO, or drop it if TO is 0; repeatable")],
        ..base(Group::Server, GATE, Shape::List)
    }
    RemapExit "remap-exit" {
        value_name: "FROM:TO",
        help: "With --init: exit with TO if the server exits with FROM; repeatable",
        variants: &[Variant::new(Init, Group::Server, "Exit with TO if the server exits with FROM; repeatable")],
        ..base(Group::Server, GATE, Shape::List)
    }
    HealthListen "health-listen" {
        value_name: "ADDR",
        help: "Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`",
        ..base(Group::Server, GATE, Shape::Text)
    }
    ParentDeathSignal "parent-death-signal" {
        value_name: "SIGNAL",
        help: "With --init: receive and forward this signal when launchgate's parent dies",
        variants: &[Variant::new(Init, Group::Server, "Receive and forward this signal when launchgate's parent dies")],
        ..base(Group::Server, GATE, Shape::Text)
    }

    Verbose "verbose" {
        short: Some('v'),
        help: "Log more",
        ..base(Group::Log, LOG, Shape::Switch)
    }
    Quiet "quiet" {
        short: Some('q'),
        help: "Log only warnings and errors",
        ..base(Group::Log, LOG, Shape::Switch)
    }
    LogFormat "log-format" {
        value_name: "FORMAT",
        default: DefaultValue::Value("text"),
        help: "`text`, or `json`: one object per line, step output wrapped line by line",
        ..base(Group::Log, LOG, Shape::Text)
    }
    TerminationLog "termination-log" {
        value_name: "FILE",
        default: DefaultValue::Described("`/dev/termination-log` if it exists"),
        help: "Write the reason to FILE if the gate fails",
        ..base(Group::Log, GATE, Shape::Text)
    }

    Config "config" {
        value_name: "FILE",
        default: DefaultValue::Described("`./launchgate.toml`, else `/etc/launchgate.toml`, if it exists"),
        help: "Read settings from FILE",
        ..base(Group::SettingsFile, &[Run, Job, Wait, Init, Status, Resolve, Check, Probe], Shape::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_its_flag() {
        let id = SettingId::MigrateTimeout;
        assert_eq!(id.name(), "migrate-timeout");
        assert_eq!(id.flag(), "--migrate-timeout");
        assert_eq!(id.variable(), "LAUNCHGATE_MIGRATE_TIMEOUT");
    }

    #[test]
    fn a_row_knows_what_its_value_looks_like() {
        for (id, shape) in [
            (SettingId::Backup, Shape::Step),
            (SettingId::Migrate, Shape::Steps),
            (SettingId::Sql, Shape::StepFolder),
            (SettingId::Prepare, Shape::StartCommands),
            (SettingId::Shell, Shape::Switch),
            (SettingId::Lease, Shape::Duration),
            (SettingId::MaxAttempts, Shape::Count),
            (SettingId::Fingerprint, Shape::List),
            (SettingId::StepEnv, Shape::Pairs),
            (SettingId::StepEnvFrom, Shape::Pairs),
        ] {
            assert_eq!(id.definition().shape, shape, "{id:?}");
        }
    }

    #[test]
    fn every_row_is_at_the_place_of_its_id_and_says_what_its_value_is() {
        for (at, row) in SETTINGS.iter().enumerate() {
            assert_eq!(row.id as usize, at, "{}", row.name);
            assert!(!row.help.is_empty(), "{}", row.name);
            assert!(!row.value_name.is_empty(), "{}", row.name);
            assert!(!row.verbs.is_empty(), "{}", row.name);
        }
    }
}
