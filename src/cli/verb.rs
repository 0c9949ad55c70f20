//! The commands.

use clap::{Args, Command};

use super::{
    ConvertCommand, EmbeddedCommand, GateCommand, GenerateCommand, PrintDdlCommand, ProbeCommand,
    ResolveCommand, ServerCommand, StatusCommand, WaitCommand,
};

/// Which command was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Gate, then the server.
    Run,
    /// Gate, then exit 0.
    Job,
    /// Wait for the revision, then the server.
    Wait,
    /// Show the ledger.
    Status,
    /// Append an operator's decision.
    Resolve,
    /// Change nothing, say what would happen.
    Check,
    /// Exit 0 in front of a closed gate, else a health check's command.
    Probe,
    /// Print the ledger's DDL.
    PrintDdl,
    /// Print the launchgate command for a shell's chain of commands.
    Convert,
    /// Print man page or completions.
    Generate,
    /// Carry out a step that launchgate does itself; only launchgate asks for it.
    Embedded,
}

impl Verb {
    /// Those that users know.
    pub(super) const ALL: [Self; 10] = [
        Self::Run,
        Self::Job,
        Self::Wait,
        Self::Status,
        Self::Resolve,
        Self::Check,
        Self::Probe,
        Self::PrintDdl,
        Self::Convert,
        Self::Generate,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Job => "job",
            Self::Wait => "wait",
            Self::Status => "status",
            Self::Resolve => "resolve",
            Self::Check => "check",
            Self::Probe => "probe",
            Self::PrintDdl => "print-ddl",
            Self::Convert => "convert",
            Self::Generate => "generate",
            Self::Embedded => "embedded",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Run => "Run the steps once per release, then become SERVER",
            Self::Job => "Run the steps once per release, then exit 0",
            Self::Wait => "Wait until the ledger says this revision succeeded, then become SERVER",
            Self::Status => "Show who holds the gate and the ledger's newest rows",
            Self::Resolve => "Append an operator's decision about a revision to the ledger",
            Self::Check => "Change nothing: resolve every setting, find every executable, connect",
            Self::Probe => {
                "For health checks: exit 0 while the gate is closed, else become COMMAND"
            }
            Self::PrintDdl => "Print the ledger's DDL, for roles that may not create tables",
            Self::Convert => {
                "Say what is wrong with a `sh -c` chain and print the launchgate command for it"
            }
            Self::Generate => "Print the man page or a shell's completions",
            Self::Embedded => "Carry out a step of launchgate's own",
        }
    }

    /// Its definition, built when it is used.
    pub(super) fn command(self) -> Command {
        Command::new(self.as_str())
            .about(self.about())
            .defer(self.augment())
    }

    /// Adds the flags. The groups of flags bring their own comments as the command's
    /// description, so that is set once more behind them.
    fn augment(self) -> fn(Command) -> Command {
        fn with_server<T: Args>(command: Command) -> Command {
            ServerCommand::augment_args(T::augment_args(command))
        }
        match self {
            Self::Run => |command| with_server::<GateCommand>(command).about(Self::Run.about()),
            Self::Check => |command| with_server::<GateCommand>(command).about(Self::Check.about()),
            Self::Job => |command| GateCommand::augment_args(command).about(Self::Job.about()),
            Self::Wait => |command| with_server::<WaitCommand>(command).about(Self::Wait.about()),
            Self::Status => {
                |command| StatusCommand::augment_args(command).about(Self::Status.about())
            }
            Self::Resolve => {
                |command| ResolveCommand::augment_args(command).about(Self::Resolve.about())
            }
            Self::Probe => ProbeCommand::augment_args,
            Self::PrintDdl => PrintDdlCommand::augment_args,
            Self::Convert => ConvertCommand::augment_args,
            Self::Generate => GenerateCommand::augment_args,
            Self::Embedded => EmbeddedCommand::augment_args,
        }
    }
}
