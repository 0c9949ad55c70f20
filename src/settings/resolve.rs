//! The resolved settings: for each command what it uses, and nothing else.

use std::ffi::{OsStr, OsString};

use super::coordination::CoordinationSettings;
use super::database::{DatabaseChoice, DatabaseSettings};
use super::log::{ExternalSettings, LogSettings};
use super::rows;
use super::server::ServerSettings;
use super::sources::{RESULT_FD, Sources};
use super::steps::StepSettings;
use crate::cli::{Operand, SettingId, Verb};
use crate::db::url::DatabaseUrl;
use crate::exit::Failure;
use crate::sys::environment::Environment;

/// Everything that was asked for.
#[derive(Debug)]
pub struct Settings {
    /// The environment that launchgate was started with, less its own variables: what steps and
    /// server inherit.
    pub environment: Environment,
    /// What is logged, and how.
    pub log: LogSettings,
    /// The command and what it uses.
    pub command: Command,
}

/// A command and the settings that it uses.
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
        /// The ledger.
        operator: Box<OperatorSettings>,
        /// Print JSON.
        json: bool,
    },
    /// `resolve`.
    Resolve(Box<ResolveSettings>),
    /// `probe`.
    Probe {
        /// The process that the gate is in front of.
        pid: i32,
        /// The health check's command; may be empty.
        words: Vec<OsString>,
    },
    /// `print-ddl`: the kind of database.
    PrintDdl(OsString),
    /// `convert`: the chain.
    Convert(Vec<OsString>),
    /// `generate`: what.
    Generate(OsString),
    /// A step that launchgate carries out itself.
    Embedded(Box<EmbeddedSettings>),
}

/// What coordinates the replicas.
#[derive(Debug)]
pub struct LedgerSettings {
    /// Where lock and ledger live.
    pub database: DatabaseSettings,
    /// How replicas agree.
    pub coordination: CoordinationSettings,
}

/// What `run` and `job` use in front of the server.
#[derive(Debug)]
pub struct GateSettings {
    /// What the steps are.
    pub steps: StepSettings,
    /// What the outside sees.
    pub external: ExternalSettings,
    /// What coordinates the replicas.
    pub ledger: LedgerSettings,
}

/// What `run` and `job` use.
#[derive(Debug)]
pub struct RunSettings {
    /// What the server is; `job` has none.
    pub server: ServerSettings,
    /// `None`: `LAUNCHGATE_SKIP` goes straight to the server.
    pub gate: Option<GateSettings>,
}

/// What `wait` uses.
#[derive(Debug)]
pub struct WaitSettings {
    /// What the server is, where there is one.
    pub server: ServerSettings,
    /// `None`: `LAUNCHGATE_SKIP` goes straight to the server.
    pub gate: Option<(ExternalSettings, LedgerSettings)>,
}

/// What `check` uses: everything.
#[derive(Debug)]
pub struct CheckSettings {
    /// What the server is, where there is one.
    pub server: ServerSettings,
    /// What `run` would use in front of it.
    pub gate: GateSettings,
    /// Whether `LAUNCHGATE_SKIP` would go straight to the server.
    pub is_skipped: bool,
    /// Every setting with its value and origin.
    pub rows: Vec<rows::Row>,
}

/// What an operator's command uses.
#[derive(Debug)]
pub struct OperatorSettings {
    /// The command's word.
    pub verb: Verb,
    /// What coordinates the replicas.
    pub ledger: LedgerSettings,
}

/// What `resolve` uses. The words are not parsed yet.
#[derive(Debug)]
pub struct ResolveSettings {
    /// The revision.
    pub revision: OsString,
    /// The decision.
    pub decision: OsString,
    /// The reason.
    pub note: Option<OsString>,
    /// The ledger.
    pub operator: OperatorSettings,
}

/// What an embedded step's process uses.
#[derive(Debug)]
pub struct EmbeddedSettings {
    /// Which step.
    pub step: OsString,
    /// Its folder.
    pub folder: OsString,
    /// The database that it works on.
    pub url: DatabaseUrl,
    /// Where that database is, and how long to wait for it.
    pub database: DatabaseSettings,
    /// The revision, as steps are given it.
    pub revision: Option<String>,
    /// The name of its sessions.
    pub application_name: Option<String>,
    /// The number of the descriptor to report its result on.
    pub result: Option<i32>,
}

impl Sources<'_> {
    /// Resolves what the command uses.
    ///
    /// # Errors
    /// The first setting that can't be meant, by its origin.
    pub fn resolve(&self, log: LogSettings) -> Result<Settings, Failure> {
        let command = self.command(&log)?;
        let mut environment = self.environment.clone();
        environment.remove_own();
        Ok(Settings {
            environment,
            log,
            command,
        })
    }

    fn command(&self, log: &LogSettings) -> Result<Command, Failure> {
        Ok(match self.raw.verb {
            Verb::Run | Verb::Job => Command::Run(Box::new(self.run()?)),
            Verb::Wait => Command::Wait(Box::new(self.wait()?)),
            Verb::Init => Command::Init(Box::new(self.init_command()?)),
            Verb::Check => Command::Check(Box::new(self.check(log)?)),
            Verb::Status => Command::Status {
                json: self.switch(SettingId::Json)?.value,
                operator: Box::new(self.operator()?),
            },
            Verb::Resolve => Command::Resolve(Box::new(ResolveSettings {
                revision: self.word(Operand::Revision),
                decision: self.word(Operand::As),
                note: self.raw.words(Operand::Note).first().cloned(),
                operator: self.operator()?,
            })),
            Verb::Probe => Command::Probe {
                pid: self.pid()?,
                words: self.raw.words(Operand::Server).to_vec(),
            },
            Verb::PrintDdl => Command::PrintDdl(self.word(Operand::Database)),
            Verb::Convert => Command::Convert(self.raw.words(Operand::Chain).to_vec()),
            Verb::Generate => Command::Generate(self.word(Operand::What)),
            Verb::Embedded => Command::Embedded(Box::new(self.embedded()?)),
        })
    }

    fn run(&self) -> Result<RunSettings, Failure> {
        let server = self.server()?;
        if server.words.is_empty() && self.raw.verb == Verb::Run {
            return Err(Failure::usage(
                "no server to start",
                "write `--` and the server's command after the flags, or use `launchgate job`",
            ));
        }
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
            Some((self.external()?, self.ledger()?))
        };
        Ok(WaitSettings { server, gate })
    }

    /// What `init` uses: nothing of the gate's, so that no mistake in that can matter.
    fn init_command(&self) -> Result<ServerSettings, Failure> {
        let server = self.server()?;
        if server.words.is_empty() {
            return Err(Failure::usage(
                "no server to start",
                "write `--` and the server's command after the flags",
            ));
        }
        Ok(server)
    }

    fn check(&self, log: &LogSettings) -> Result<CheckSettings, Failure> {
        let mut settings = CheckSettings {
            server: self.server()?,
            gate: self.gate()?,
            is_skipped: self.skip()?,
            rows: Vec::new(),
        };
        settings.rows = rows::all(&settings, self.file.as_ref(), log);
        Ok(settings)
    }

    fn gate(&self) -> Result<GateSettings, Failure> {
        Ok(GateSettings {
            steps: self.steps()?,
            external: self.external()?,
            ledger: self.ledger()?,
        })
    }

    fn ledger(&self) -> Result<LedgerSettings, Failure> {
        Ok(LedgerSettings {
            database: self.database()?,
            coordination: self.coordination()?,
        })
    }

    fn operator(&self) -> Result<OperatorSettings, Failure> {
        Ok(OperatorSettings {
            verb: self.raw.verb,
            ledger: self.ledger()?,
        })
    }

    fn embedded(&self) -> Result<EmbeddedSettings, Failure> {
        let database = self.database()?;
        let DatabaseChoice::Url(url) = &database.choice else {
            return Err(Failure::usage(
                "this is how launchgate starts its own steps",
                "use `launchgate run`",
            ));
        };
        let variable = |name: &str| {
            let value = self.environment.get_filled(name);
            value.map(|value| value.to_string_lossy().into_owned())
        };
        Ok(EmbeddedSettings {
            step: self.word(Operand::Step),
            folder: self.word(Operand::Folder),
            url: url.value.clone(),
            revision: variable("LAUNCHGATE_REVISION"),
            application_name: variable("PGAPPNAME"),
            result: variable(RESULT_FD).and_then(|number| number.parse().ok()),
            database,
        })
    }

    /// An argument that the parser requires.
    fn word(&self, operand: Operand) -> OsString {
        let word = self.raw.words(operand).first();
        word.map_or_else(|| OsStr::new("").to_owned(), Clone::clone)
    }
}
