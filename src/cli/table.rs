//! The table of settings. One row defines a setting: its flag, its `LAUNCHGATE_*` variable, its key in
//! the settings file, its default and its help. The command line, the man page, the completions, the
//! JSON schema and `docs/settings.md` are generated from it.
//!
//! To add a setting, add a row here, and a field to the struct in `settings` that it belongs to,
//! where a parser turns its text into a value.

mod row;

pub use row::{DefaultValue, Definition, Group, Shape, Variant};

use super::verb::Verb::{self, Check, Init, Job, Probe, Resolve, Run, Status, Wait};

/// Generates the enum and the table from the same rows, so that they can't get out of step. A row is an id,
/// a name, the rest of the definition, the help and, for commands where it means something else, their own.
macro_rules! settings {
    ($($id:ident $name:literal = $row:expr, $help:literal
        $($verb:ident in $group:ident: $other:literal)*;)*) => {
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
                help: $help,
                variants: &[$(Variant { verb: $verb, group: Group::$group, help: $other }),*],
                ..$row
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

/// What a row says besides its name and help: the form of a value and its placeholder, the commands that
/// take the flag, and the heading in their help.
const fn row(
    shape: Shape,
    value_name: &'static str,
    verbs: &'static [Verb],
    group: Group,
) -> Definition {
    Definition {
        id: SettingId::Config,
        name: "",
        flag: "",
        short: None,
        shape,
        value_name,
        default: DefaultValue::Unset,
        help: "",
        group,
        verbs,
        variants: &[],
    }
}

settings! {
    Json "json" = row(Shape::Switch, "BOOL", &[Status], Group::OneCommand),
        "Print JSON";
    Pid "pid" = row(Shape::Count, "N", &[Probe], Group::OneCommand).default("1"),
        "The process ID of launchgate";

    Prepare "prepare" = row(Shape::StartCommands, "CMD", START, Group::StartCommands),
        "Run CMD at every start of every replica, before launchgate connects to the database; repeatable, run in order";
    WarmUp "warm-up" = row(Shape::StartCommands, "CMD", START, Group::StartCommands),
        "Run CMD at every start of every replica, after the gate and before the server; repeatable, run in order";

    Backup "backup" = row(Shape::Step, "CMD", STEP, Group::Steps),
        "Run CMD before the first migrate step, only if a migration is due";
    Snapshot "snapshot" = row(Shape::StepFolder, "DIR", STEP, Group::Steps),
        "SQLite: copy the database into DIR before the first migrate step; migrate only if that succeeds";
    Migrate "migrate" = row(Shape::Steps, "CMD", STEP, Group::Steps),
        "Run CMD to migrate; repeatable, run in order";
    Sql "sql" = row(Shape::StepFolder, "DIR", STEP, Group::Steps),
        "Apply the .sql migrations in DIR after the migrate commands, as the tool that made them would"
        Wait in Coordination: "Use the fingerprint of the .sql migrations in DIR as the revision, as `launchgate run --sql` does";
    SqlLayout "sql-layout" = row(Shape::Text, "NAME", STEP, Group::Steps),
        "Which tool's folder `--sql` has, where its files or the database leave that open: sqlx, prisma, drizzle, dbmate, goose, golang-migrate"
        Wait in Coordination: "Which tool's folder `--sql` has, where its files leave that open";
    Verify "verify" = row(Shape::Step, "CMD", STEP, Group::Steps),
        "Run CMD after the migrate steps; if it fails, the run fails";
    Shell "shell" = row(Shape::Switch, "BOOL", STEP, Group::Steps),
        "Run step and start commands through `/bin/sh -c`"
        Wait in StartCommands: "Run start commands through `/bin/sh -c`";
    ExpandEnv "expand-env" = row(Shape::Switch, "BOOL", STEP, Group::Steps),
        "Expand $NAME and ${NAME} in step and start commands and in SERVER's arguments, without a shell"
        Wait in StartCommands: "Expand $NAME and ${NAME} in SERVER's arguments, without a shell"
        Init in Server: "Expand $NAME and ${NAME} in SERVER's arguments, without a shell";
    MigrateTimeout "migrate-timeout" = row(Shape::Duration, "DURATION", STEP, Group::Steps).default("0"),
        "Stop a step and fail if it runs longer than this";
    StopGrace "stop-grace" = row(Shape::Duration, "DURATION", STEP, Group::Steps).default("10s"),
        "Time between SIGTERM and SIGKILL when a step or start command is stopped; 0 sends SIGKILL at once"
        Wait in StartCommands: "Time between SIGTERM and SIGKILL when a start command is stopped; 0 sends SIGKILL at once"
        Init in Server: "Time between SIGTERM and SIGKILL for processes that outlive the server";
    StepEnv "step-env" = row(Shape::Pairs, "NAME=VALUE", STEP, Group::Steps),
        "Set an environment variable for the steps only; repeatable";
    StepEnvFrom "step-env-from" = row(Shape::Pairs, "NAME=SOURCE", STEP, Group::Steps),
        "Set NAME for the steps to the value of the variable SOURCE, and remove SOURCE from the server's environment; repeatable";
    StepUser "step-user" = row(Shape::Text, "USER[:GROUP]", STEP, Group::Steps).described("--user"),
        "Run the steps as this user (name or ID)";

    DatabaseUrl "database-url" = row(Shape::Text, "URL", LEDGER, Group::Database).described("`DATABASE_URL`, `POSTGRES_URL` and others, else libpq's `PGHOST`"),
        "The database that holds the lock and the ledger; {NAME} is replaced with that variable's value";
    DatabaseUrlEnv "database-url-env" = row(Shape::Text, "NAME", LEDGER, Group::Database),
        "Read the database URL from this variable";
    DatabaseUrlFile "database-url-file" = row(Shape::Text, "FILE", LEDGER, Group::Database),
        "Read the database URL from this file";
    DatabasePasswordFile "database-password-file" = row(Shape::Text, "FILE", LEDGER, Group::Database),
        "Read the database password from this file, again for each connection";
    NoDatabase "no-database" = row(Shape::Switch, "BOOL", LEDGER, Group::Database),
        "Use no lock and no ledger: every replica runs the steps at every start";
    Ledger "ledger" = row(Shape::Text, "NAME", LEDGER, Group::Database).described("schema or database `launchgate`, where possible"),
        "The schema (Postgres) or database (MySQL, MariaDB) that holds the ledger";
    App "app" = row(Shape::Text, "NAME", LEDGER, Group::Database).default("default"),
        "The name of this app; apps that share a database need different names";
    WaitTimeout "wait-timeout" = row(Shape::Duration, "DURATION", LEDGER, Group::Database).default("60s"),
        "How long to wait for the database to accept a connection";

    Release "release" = row(Shape::Text, "ID", GATE, Group::Coordination).described("the platform's release id"),
        "The name of this release";
    Fingerprint "fingerprint" = row(Shape::List, "GLOB", GATE, Group::Coordination),
        "Use a hash of these files as the revision, instead of the release; repeatable";
    LockTimeout "lock-timeout" = row(Shape::Duration, "DURATION", GATE, Group::Coordination).default("0"),
        "How long to wait for another replica to finish migrating";
    Lease "lease" = row(Shape::Duration, "DURATION", GATE, Group::Coordination).default("30s"),
        "How long the lock holder still counts as alive after its last heartbeat, 3s to 1h";
    MaxAttempts "max-attempts" = row(Shape::Count, "N", ATTEMPTS, Group::Coordination).default("3"),
        "Refuse a revision after this many failed attempts; 0 means no limit";
    RetryDelay "retry-delay" = row(Shape::Duration, "DURATION", ATTEMPTS, Group::Coordination).default("10s"),
        "How long every replica waits after a failed attempt before the next one; doubles with each failure, up to 5 minutes; 0 means no wait";
    Retries "retries" = row(Shape::Count, "N", STEP, Group::Coordination).default("0"),
        "How often this replica runs failed steps again by itself, within --max-attempts";
    OrphanTimeout "orphan-timeout" = row(Shape::Duration, "DURATION", GATE, Group::Coordination).default("60s"),
        "How long to wait for database sessions left behind by an earlier run's steps";

    UnsetEnv "unset-env" = row(Shape::List, "NAME", SERVER, Group::Server),
        "Remove NAME from the server's environment; repeatable";
    User "user" = row(Shape::Text, "USER[:GROUP]", SERVER, Group::Server),
        "Run the server as this user (name or ID)";
    Init "init" = row(Shape::Switch, "BOOL", GATE, Group::Server),
        "Keep running as the server's init: forward signals and reap zombies";
    InitGroup "init-group" = row(Shape::Switch, "BOOL", GATE, Group::Server),
        "With --init: send signals to the server's whole process group"
        Init in Server: "Send signals to the server's whole process group";
    RewriteSignal "rewrite-signal" = row(Shape::List, "FROM:TO", GATE, Group::Server),
        "With --init: forward signal FROM as TO, or drop it if TO is 0; repeatable"
        Init in Server: "Forward signal FROM as TO, or drop it if TO is 0; repeatable";
    RemapExit "remap-exit" = row(Shape::List, "FROM:TO", GATE, Group::Server),
        "With --init: exit with TO if the server exits with FROM; repeatable"
        Init in Server: "Exit with TO if the server exits with FROM; repeatable";
    HealthListen "health-listen" = row(Shape::Text, "ADDR", GATE, Group::Server),
        "Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`";
    ParentDeathSignal "parent-death-signal" = row(Shape::Text, "SIGNAL", GATE, Group::Server),
        "With --init: receive and forward this signal when launchgate's parent dies"
        Init in Server: "Receive and forward this signal when launchgate's parent dies";

    Verbose "verbose" = row(Shape::Switch, "BOOL", LOG, Group::Log).short('v'),
        "Log more";
    Quiet "quiet" = row(Shape::Switch, "BOOL", LOG, Group::Log).short('q'),
        "Log only warnings and errors";
    LogFormat "log-format" = row(Shape::Text, "FORMAT", LOG, Group::Log).default("text"),
        "`text`, or `json`: one object per line, step output wrapped line by line";
    TerminationLog "termination-log" = row(Shape::Text, "FILE", GATE, Group::Log).described("`/dev/termination-log` if it exists"),
        "Write the reason to FILE if the gate fails";

    Config "config" = row(Shape::Text, "FILE", &[Run, Job, Wait, Init, Status, Resolve, Check, Probe], Group::SettingsFile).described("`./launchgate.toml`, else `/etc/launchgate.toml`, if it exists"),
        "Read settings from FILE";
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
