//! The resolved settings of each command: what it uses, and nothing else.

use std::ffi::OsString;

use super::coordination::CoordinationSettings;
use super::database::DatabaseSettings;
use super::embedded::EmbeddedSettings;
use super::parse::parse_pid;
use super::rows::Row;
use super::server::ServerSettings;
use super::sources::{SKIP, Sources};
use super::steps::StepSettings;
use crate::cli::{Document, Operand, SettingId, Verb};
use crate::exit::Failure;
use crate::output::options::HealthAddress;
use crate::sys::environment::Environment;

/// A command line, resolved.
#[derive(Debug)]
pub struct Settings {
    /// The environment without `LAUNCHGATE_*` variables, which steps and server inherit.
    pub environment: Environment,
    /// The command and its settings.
    pub command: Command,
}

/// A command and its settings.
#[derive(Debug)]
pub enum Command {
    /// `run` and `job`.
    Run(Box<RunSettings>),
    /// `wait`.
    Wait(Box<WaitSettings>),
    /// `init`.
    Init(Box<ServerSettings>),
    /// `check`.
    Check(Box<CheckSettings>),
    /// `status`.
    Status {
        /// Where the ledger is.
        ledger: Box<LedgerSettings>,
        /// Whether to print JSON.
        json: bool,
    },
    /// `resolve`.
    Resolve(Box<ResolveSettings>),
    /// `probe`.
    Probe {
        /// The process that the gate is in front of.
        pid: i32,
        /// The health check's command, empty if there is none.
        words: Vec<OsString>,
    },
    /// `print-ddl`.
    PrintDdl(PrintDdlSettings),
    /// `convert` of a chain.
    Convert(Vec<OsString>),
    /// `generate` of a document.
    Generate(Document),
    /// The process of an embedded step.
    Embedded(Box<EmbeddedSettings>),
}

/// How replicas are coordinated.
#[derive(Debug)]
pub struct LedgerSettings {
    /// Where lock and ledger live.
    pub database: DatabaseSettings,
    /// How replicas agree.
    pub coordination: CoordinationSettings,
}

/// The settings of the gate.
#[derive(Debug)]
pub struct GateSettings {
    /// The steps.
    pub steps: StepSettings,
    /// Where health checks are answered, if that is wanted.
    pub health: Option<HealthAddress>,
    /// How replicas are coordinated.
    pub ledger: LedgerSettings,
}

/// The settings of `run` and `job`.
#[derive(Debug)]
pub struct RunSettings {
    /// The server; `job` has none.
    pub server: ServerSettings,
    /// The gate; `None` if `LAUNCHGATE_SKIP` skips it.
    pub gate: Option<GateSettings>,
}

/// The settings of `wait`.
#[derive(Debug)]
pub struct WaitSettings {
    /// The server, if there is one.
    pub server: ServerSettings,
    /// Where health checks are answered, if that is wanted, and how replicas are coordinated; `None` if
    /// `LAUNCHGATE_SKIP` skips the gate.
    pub gate: Option<(Option<HealthAddress>, LedgerSettings)>,
}

/// The settings of `check`: all of those of `run`.
#[derive(Debug)]
pub struct CheckSettings {
    /// The server, if there is one.
    pub server: ServerSettings,
    /// The gate.
    pub gate: GateSettings,
    /// Whether `LAUNCHGATE_SKIP` is on.
    pub is_skipped: bool,
    /// Every setting with its value and origin.
    pub rows: Vec<Row>,
}

/// The settings of `resolve`. Its arguments are not parsed yet.
#[derive(Debug)]
pub struct ResolveSettings {
    /// The revision.
    pub revision: OsString,
    /// The decision.
    pub decision: OsString,
    /// The reason.
    pub note: Option<OsString>,
    /// Where the ledger is.
    pub ledger: LedgerSettings,
}

/// The arguments of `print-ddl`.
#[derive(Debug)]
pub struct PrintDdlSettings {
    /// The kind of database.
    pub database: OsString,
    /// The role that needs the grants.
    pub role: Option<String>,
    /// The schema, or database, of the ledger.
    pub ledger: Option<String>,
}

impl Sources<'_> {
    /// Resolves the settings that the command uses.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn resolve(&self) -> Result<Settings, Failure> {
        let command = self.command()?;
        let mut environment = self.environment.clone();
        environment.remove_own();
        Ok(Settings {
            environment,
            command,
        })
    }

    fn command(&self) -> Result<Command, Failure> {
        Ok(match self.raw.verb {
            Verb::Run | Verb::Job => Command::Run(Box::new(self.run()?)),
            Verb::Wait => Command::Wait(Box::new(self.wait()?)),
            Verb::Init => Command::Init(Box::new(self.required_server()?)),
            Verb::Check => Command::Check(Box::new(self.check()?)),
            Verb::Status => Command::Status {
                json: self.switch(SettingId::Json)?.value,
                ledger: Box::new(self.ledger()?),
            },
            Verb::Resolve => Command::Resolve(Box::new(ResolveSettings {
                revision: self.word(Operand::Revision),
                decision: self.word(Operand::As),
                note: self.raw.words(Operand::Note).pop(),
                ledger: self.ledger()?,
            })),
            Verb::Probe => Command::Probe {
                pid: self.parsed(SettingId::Pid, parse_pid)?.value,
                words: self.raw.words(Operand::Server),
            },
            Verb::PrintDdl => Command::PrintDdl(self.print_ddl()?),
            Verb::Convert => Command::Convert(self.raw.words(Operand::Chain)),
            Verb::Generate => Command::Generate(self.document()?),
            Verb::Embedded => Command::Embedded(Box::new(self.embedded()?)),
        })
    }

    fn run(&self) -> Result<RunSettings, Failure> {
        let server = self.required_server()?;
        let gate = if self.skip()? {
            None
        } else {
            Some(self.gate()?)
        };
        Ok(RunSettings { server, gate })
    }

    fn wait(&self) -> Result<WaitSettings, Failure> {
        let server = self.server()?;
        let gate = if self.skip()? {
            None
        } else {
            self.check_termination_log()?;
            Some((self.health()?, self.ledger()?))
        };
        Ok(WaitSettings { server, gate })
    }

    /// The server, which some commands can't be without. It is all that `init` uses: no mistake in a
    /// setting of the gate matters there.
    fn required_server(&self) -> Result<ServerSettings, Failure> {
        let server = self.server()?;
        let hint = match self.raw.verb {
            Verb::Run => {
                "write `--` and the server's command after the flags, or use `launchgate job`"
            }
            Verb::Init => "write `--` and the server's command after the flags",
            _ => return Ok(server),
        };
        if server.words.is_empty() {
            return Err(Failure::usage("no server to start", hint));
        }
        Ok(server)
    }

    fn check(&self) -> Result<CheckSettings, Failure> {
        let (server, gate, is_skipped) = (self.server()?, self.gate()?, self.skip()?);
        if let Some(file) = &self.file {
            self.show(SettingId::Config, &file.path, &file.origin);
        }
        let mut noted = self.rows.take();
        noted.sort_by_key(|(id, _)| *id as usize);
        let mut rows: Vec<Row> = noted.into_iter().map(|(_, row)| row).collect();
        if is_skipped {
            rows.push(Row::new("skip", &"on", &SKIP));
        }
        Ok(CheckSettings {
            server,
            gate,
            is_skipped,
            rows,
        })
    }

    fn gate(&self) -> Result<GateSettings, Failure> {
        self.check_termination_log()?;
        Ok(GateSettings {
            steps: self.steps()?,
            health: self.health()?,
            ledger: self.ledger()?,
        })
    }

    fn ledger(&self) -> Result<LedgerSettings, Failure> {
        Ok(LedgerSettings {
            database: self.database()?,
            coordination: self.coordination()?,
        })
    }

    fn print_ddl(&self) -> Result<PrintDdlSettings, Failure> {
        let text = |operand: Operand| {
            let Some(word) = self.raw.words(operand).pop() else {
                return Ok(None);
            };
            let flag = format!("--{}", operand.as_str());
            let text = word.to_str().filter(|text| !text.is_empty());
            match text {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(Failure::usage(
                    format!("{flag}: the name is empty or not UTF-8"),
                    "give it a name, or leave it out",
                )),
            }
        };
        Ok(PrintDdlSettings {
            database: self.word(Operand::Database),
            role: text(Operand::Role)?,
            ledger: text(Operand::LedgerPlace)?,
        })
    }

    fn document(&self) -> Result<Document, Failure> {
        let word = self.word(Operand::What);
        word.to_str().and_then(Document::named).ok_or_else(|| {
            let word = word.to_string_lossy();
            Failure::usage(
                format!("launchgate can't generate `{word}`"),
                "see `launchgate generate --help`",
            )
        })
    }

    /// The value of an argument that the parser requires.
    pub(super) fn word(&self, operand: Operand) -> OsString {
        self.raw.words(operand).pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Parsed, SETTINGS, Shape};

    fn resolve(args: &[String]) -> Settings {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let Ok(Parsed::Command(raw)) = cli::parse(&args) else {
            panic!("{args:?} parses");
        };
        let environment = Environment::new(vec![c"SOURCE=value".into()]);
        let sources = Sources::new(&raw, &environment).unwrap();
        sources.log().unwrap();
        sources.resolve().unwrap()
    }

    fn rows(flags: Vec<String>) -> Vec<Row> {
        let args = ["launchgate", "check"].map(str::to_owned);
        let server = ["--", "server"].map(str::to_owned);
        let args: Vec<String> = args.into_iter().chain(flags).chain(server).collect();
        let Command::Check(check) = resolve(&args).command else {
            panic!("it is a check");
        };
        check.rows
    }

    /// A value for each setting that does not take any text.
    fn sample(id: SettingId) -> &'static str {
        match id {
            SettingId::StepUser | SettingId::User => "0",
            SettingId::DatabaseUrl => "mysql://user@host/db",
            SettingId::DatabasePasswordFile => "/proc/sys/kernel/ostype",
            SettingId::RewriteSignal => "15:3",
            SettingId::RemapExit => "143:0",
            SettingId::HealthListen => ":8080",
            SettingId::ParentDeathSignal => "TERM",
            SettingId::LogFormat => "json",
            SettingId::SqlLayout => "prisma",
            SettingId::StepEnvFrom => "NAME=SOURCE",
            _ => match id.definition().shape {
                Shape::Switch => "on",
                Shape::Duration => "12s",
                Shape::Count => "5",
                Shape::Pairs => "A=1",
                _ => "text",
            },
        }
    }

    #[test]
    fn check_shows_every_setting_that_it_takes() {
        // The first three choose a database in other ways; of two switches of the log one is enough.
        let left_out = [
            SettingId::NoDatabase,
            SettingId::DatabaseUrlEnv,
            SettingId::DatabaseUrlFile,
            SettingId::Quiet,
            SettingId::Config,
        ];
        let of_check = SETTINGS
            .iter()
            .filter(|row| row.verbs.contains(&Verb::Check));
        let given: Vec<_> = of_check.filter(|row| !left_out.contains(&row.id)).collect();
        let rows = rows(
            given
                .iter()
                .map(|row| format!("{}={}", row.flag, sample(row.id)))
                .collect(),
        );
        for setting in given {
            let row = rows.iter().find(|row| row.name == setting.name);
            let row = row.unwrap_or_else(|| panic!("{} has no row", setting.flag));
            assert_eq!(row.origin, setting.flag, "{row:?}");
        }
    }

    #[test]
    fn every_default_is_a_valid_value() {
        for row in rows(Vec::new()) {
            assert_eq!(row.origin, "default", "{row:?}");
        }
        let probe = ["launchgate", "probe"].map(str::to_owned);
        assert!(matches!(
            resolve(&probe).command,
            Command::Probe { pid: 1, .. }
        ));
    }
}
