//! The table of settings: one row for each, from which everything else is generated: the flag with
//! its help, the `LAUNCHGATE_*` variable, the key of the settings file and its schema, the rows of
//! docs/settings.md.
//!
//! A new setting is a row here and its field in the struct of `settings` that it belongs to. A
//! default stands here and nowhere else. What text a setting accepts is decided there, by its parser.

use super::verb::Verb::{self, Check, Init, Job, Probe, Resolve, Run, Status, Wait};

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// On or off.
    Switch,
    /// A number with a unit.
    Duration,
    /// A whole number.
    Count,
    /// Several texts.
    List,
    /// Several texts of the form `NAME=VALUE`.
    Pairs,
    /// Names and their values.
    Table,
    /// A command, or its words.
    Command,
    /// A step: its command, or a table.
    Step,
    /// Several of them.
    Steps,
}

impl Shape {
    /// Whether the flag can be given several times.
    #[must_use]
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::List | Self::Pairs | Self::Steps)
    }
}

/// The value of a setting that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// None.
    Unset,
    /// This text, parsed like any other value.
    Value(&'static str),
    /// What this sentence describes.
    Described(&'static str),
}

/// The heading under which help shows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What runs before the server, and how.
    Steps,
    /// Where lock and ledger live.
    Database,
    /// Which revision, and how replicas agree on who migrates.
    Coordination,
    /// What the server gets.
    Server,
    /// How much is logged, and where.
    Log,
    /// Where other settings are read from.
    SettingsFile,
    /// A setting of one command, shown among its options.
    OneCommand,
}

impl Group {
    /// The heading; `None` for the options of one command.
    #[must_use]
    pub fn heading(self) -> Option<&'static str> {
        match self {
            Self::Steps => Some("Steps"),
            Self::Database => Some("Database"),
            Self::Coordination => Some("Coordination"),
            Self::Server => Some("Server"),
            Self::Log => Some("Log"),
            Self::SettingsFile => Some("Settings file"),
            Self::OneCommand => None,
        }
    }
}

/// What a setting means to one command, where that differs.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The command.
    pub verb: Verb,
    /// Where its help shows the flag.
    pub group: Group,
    /// The help of the flag.
    pub help: &'static str,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Which setting.
    pub id: SettingId,
    /// Its key in the settings file: the flag without the dashes in front.
    pub name: &'static str,
    /// Its flag.
    pub flag: &'static str,
    /// The flag's one letter.
    pub short: Option<char>,
    /// What a value looks like.
    pub shape: Shape,
    /// What the help calls a value.
    pub value_name: &'static str,
    /// Its value where nobody sets it.
    pub default: DefaultValue,
    /// What it does.
    pub help: &'static str,
    /// The heading that the flag stands under.
    pub group: Group,
    /// The commands that have the flag, but for those of `variants`.
    pub verbs: &'static [Verb],
    /// The commands to which it means something else.
    pub variants: &'static [Variant],
}

impl SettingId {
    /// Its row.
    #[must_use]
    pub fn definition(self) -> &'static Definition {
        &SETTINGS[self as usize]
    }

    /// Its key in the settings file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Its flag.
    #[must_use]
    pub fn flag(self) -> &'static str {
        self.definition().flag
    }

    /// Its variable.
    #[must_use]
    pub fn variable(self) -> String {
        let name = self.name().replace('-', "_");
        format!("LAUNCHGATE_{}", name.to_ascii_uppercase())
    }
}

impl Definition {
    /// Whether a command has the flag.
    #[must_use]
    pub fn belongs_to(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb) || self.variants.iter().any(|variant| variant.verb == verb)
    }

    /// The help of the flag, with the default.
    #[must_use]
    pub fn help_with_default(&self, help: &str) -> String {
        match self.default {
            DefaultValue::Unset => help.to_owned(),
            DefaultValue::Value("0") if self.shape == Shape::Duration => {
                format!("{help} [default: 0, no limit]")
            }
            DefaultValue::Value(text) | DefaultValue::Described(text) => {
                format!("{help} [default: {text}]")
            }
        }
    }
}

/// Makes the enum of ids and the table from the same rows, so that neither can lack one.
macro_rules! settings {
    ($($id:ident $name:literal { $($field:tt)* })*) => {
        /// Which setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum SettingId {
            $(#[doc = concat!("`--", $name, "`.")] $id,)*
        }

        /// Every setting, over all commands, in the order of the help.
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

/// The commands that run the steps, or say how they would.
const STEPS: &[Verb] = &[Run, Job, Check];

/// The commands that have a gate, or say how it would be.
const GATE: &[Verb] = &[Run, Job, Wait, Check];

/// The commands that start a server, or say how they would.
const SERVER: &[Verb] = &[Run, Job, Wait, Init, Check];

/// The commands that write a log.
const LOG: &[Verb] = &[Run, Job, Wait, Init, Status, Resolve, Check];

/// The commands that use the ledger.
const LEDGER: &[Verb] = &[Run, Job, Wait, Status, Resolve, Check];

/// What most rows have; the id, the name and the flag come from the macro.
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
        Shape::Step | Shape::Steps => "CMD",
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
        help: "The process that the gate is in front of",
        ..base(Group::OneCommand, &[Probe], Shape::Count)
    }

    Backup "backup" {
        help: "Run CMD before the first migrate step, only when a migration is due",
        ..base(Group::Steps, STEPS, Shape::Step)
    }
    Migrate "migrate" {
        help: "Run CMD to migrate; repeatable, in order",
        ..base(Group::Steps, STEPS, Shape::Steps)
    }
    Snapshot "snapshot" {
        value_name: "DIR",
        help: "SQLite: copy the database into DIR before the first migrate step, and migrate only if that worked",
        ..base(Group::Steps, STEPS, Shape::Text)
    }
    Sql "sql" {
        value_name: "DIR",
        help: "Apply the .sql migrations in DIR after the migrate commands, as sqlx-cli would",
        variants: &[Variant {
            verb: Wait,
            group: Group::Coordination,
            help: "The .sql migrations whose fingerprint is the revision, as for `launchgate run --sql`",
        }],
        ..base(Group::Steps, STEPS, Shape::Text)
    }
    Verify "verify" {
        help: "Run CMD after the migrate steps; its failure fails the run",
        ..base(Group::Steps, STEPS, Shape::Step)
    }
    Shell "shell" {
        help: "Run the step commands through `/bin/sh -c`",
        ..base(Group::Steps, STEPS, Shape::Switch)
    }
    ExpandEnv "expand-env" {
        help: "Expand $NAME and ${NAME} in step commands and in SERVER's arguments, without a shell",
        variants: &[Variant {
            verb: Wait,
            group: Group::Server,
            help: "Expand $NAME and ${NAME} in SERVER's arguments, without a shell",
        }, Variant {
            verb: Init,
            group: Group::Server,
            help: "Expand $NAME and ${NAME} in SERVER's arguments, without a shell",
        }],
        ..base(Group::Steps, STEPS, Shape::Switch)
    }
    MigrateTimeout "migrate-timeout" {
        default: DefaultValue::Value("0"),
        help: "Stop a step that runs longer, and fail",
        ..base(Group::Steps, STEPS, Shape::Duration)
    }
    StopGrace "stop-grace" {
        default: DefaultValue::Value("10s"),
        help: "Time between SIGTERM and SIGKILL for a step; 0 is SIGKILL at once",
        variants: &[Variant {
            verb: Init,
            group: Group::Server,
            help: "Time between SIGTERM and SIGKILL for processes that outlive the server",
        }],
        ..base(Group::Steps, STEPS, Shape::Duration)
    }
    StepEnv "step-env" {
        value_name: "NAME=VALUE",
        help: "Set NAME for the steps only; repeatable",
        ..base(Group::Steps, STEPS, Shape::Pairs)
    }
    StepEnvFrom "step-env-from" {
        value_name: "NAME=SOURCE",
        help: "Give the steps' NAME the value of variable SOURCE, which the server never sees; repeatable",
        ..base(Group::Steps, STEPS, Shape::Pairs)
    }
    StepUser "step-user" {
        value_name: "USER[:GROUP]",
        default: DefaultValue::Described("--user"),
        help: "Run the steps as this user: names or numbers",
        ..base(Group::Steps, STEPS, Shape::Text)
    }

    DatabaseUrl "database-url" {
        value_name: "URL",
        default: DefaultValue::Described("the first set of `DATABASE_URL`, `POSTGRES_URI_ADMIN`, `POSTGRES_URI`, `MYSQL_CONNECTOR_URI`"),
        help: "Keep lock and ledger in this database",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    DatabaseUrlEnv "database-url-env" {
        value_name: "NAME",
        help: "Read the database's URL from this variable",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    DatabaseUrlFile "database-url-file" {
        value_name: "FILE",
        help: "Read the database's URL from this file",
        ..base(Group::Database, LEDGER, Shape::Text)
    }
    NoDatabase "no-database" {
        help: "Use no lock and no ledger: the steps run at every start, in every replica",
        ..base(Group::Database, LEDGER, Shape::Switch)
    }
    App "app" {
        value_name: "NAME",
        default: DefaultValue::Value("default"),
        help: "Name of this app among those that share the database",
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
        help: "Name of this release",
        ..base(Group::Coordination, GATE, Shape::Text)
    }
    Fingerprint "fingerprint" {
        value_name: "GLOB",
        help: "Key the ledger by a hash of these files instead; repeatable",
        ..base(Group::Coordination, GATE, Shape::List)
    }
    LockTimeout "lock-timeout" {
        default: DefaultValue::Value("0"),
        help: "How long to wait for another replica's migration",
        ..base(Group::Coordination, GATE, Shape::Duration)
    }
    Lease "lease" {
        default: DefaultValue::Value("30s"),
        help: "How long a silent holder still counts as alive, 3s to 1h",
        ..base(Group::Coordination, GATE, Shape::Duration)
    }
    MaxAttempts "max-attempts" {
        default: DefaultValue::Value("3"),
        help: "Failed attempts of one revision after which it is refused; 0 is no limit",
        ..base(Group::Coordination, GATE, Shape::Count)
    }
    OrphanTimeout "orphan-timeout" {
        default: DefaultValue::Value("60s"),
        help: "How long to wait for database sessions that an earlier run's step left",
        ..base(Group::Coordination, GATE, Shape::Duration)
    }

    UnsetEnv "unset-env" {
        value_name: "NAME",
        help: "Remove NAME from the server's environment; repeatable",
        ..base(Group::Server, SERVER, Shape::List)
    }
    User "user" {
        value_name: "USER[:GROUP]",
        help: "Run the server as this user: names or numbers",
        ..base(Group::Server, SERVER, Shape::Text)
    }
    Init "init" {
        help: "Stay as an init in front of the server: forward signals, reap zombies",
        ..base(Group::Server, GATE, Shape::Switch)
    }
    InitGroup "init-group" {
        help: "With --init: send signals to the server's whole process group",
        variants: &[Variant {
            verb: Init,
            group: Group::Server,
            help: "Send signals to the server's whole process group",
        }],
        ..base(Group::Server, GATE, Shape::Switch)
    }
    RewriteSignal "rewrite-signal" {
        value_name: "FROM:TO",
        help: "With --init: forward signal FROM as TO, 0 drops it; repeatable",
        variants: &[Variant {
            verb: Init,
            group: Group::Server,
            help: "Forward signal FROM as TO, 0 drops it; repeatable",
        }],
        ..base(Group::Server, GATE, Shape::List)
    }
    RemapExit "remap-exit" {
        value_name: "FROM:TO",
        help: "With --init: exit with TO where the server exits with FROM; repeatable",
        variants: &[Variant {
            verb: Init,
            group: Group::Server,
            help: "Exit with TO if the server exits with FROM; repeatable",
        }],
        ..base(Group::Server, GATE, Shape::List)
    }
    HealthListen "health-listen" {
        value_name: "ADDR",
        help: "Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`",
        ..base(Group::Server, GATE, Shape::Text)
    }
    ParentDeathSignal "parent-death-signal" {
        value_name: "SIGNAL",
        help: "With --init: get this signal, and forward it, when launchgate's own parent dies",
        variants: &[Variant {
            verb: Init,
            group: Group::Server,
            help: "Get this signal, and forward it, when launchgate's own parent dies",
        }],
        ..base(Group::Server, GATE, Shape::Text)
    }

    Verbose "verbose" {
        short: Some('v'),
        help: "Say more",
        ..base(Group::Log, LOG, Shape::Switch)
    }
    Quiet "quiet" {
        short: Some('q'),
        help: "Say only what is wrong",
        ..base(Group::Log, LOG, Shape::Switch)
    }
    LogFormat "log-format" {
        value_name: "FORMAT",
        default: DefaultValue::Value("text"),
        help: "`text`, or `json`: one object per line, the steps' output wrapped line by line",
        ..base(Group::Log, LOG, Shape::Text)
    }
    TerminationLog "termination-log" {
        value_name: "FILE",
        default: DefaultValue::Described("`/dev/termination-log` where it exists"),
        help: "Write why the gate failed into FILE",
        ..base(Group::Log, GATE, Shape::Text)
    }

    Config "config" {
        value_name: "FILE",
        default: DefaultValue::Described("`./launchgate.toml`, else `/etc/launchgate.toml`, where one is there"),
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
            (SettingId::Sql, Shape::Text),
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
