//! The commands.

/// Which command was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Gate, then the server.
    Run,
    /// Gate, then exit 0.
    Job,
    /// Wait for the revision, then the server.
    Wait,
    /// No gate: the server, with launchgate in front of it.
    Init,
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
    /// Carry out an embedded step; only launchgate itself asks for it.
    Embedded,
}

impl Verb {
    /// Those that users know.
    pub(super) const ALL: [Self; 11] = [
        Self::Run,
        Self::Job,
        Self::Wait,
        Self::Init,
        Self::Status,
        Self::Resolve,
        Self::Check,
        Self::Probe,
        Self::PrintDdl,
        Self::Convert,
        Self::Generate,
    ];

    /// The command of a word.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Embedded]);
        all.find(|verb| verb.as_str().as_bytes() == word)
    }

    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Job => "job",
            Self::Wait => "wait",
            Self::Init => "init",
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

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Run => "Run the steps once per release, then become SERVER",
            Self::Job => "Run the steps once per release, then exit 0",
            Self::Wait => "Wait until the ledger says this revision succeeded, then become SERVER",
            Self::Init => "No gate: start SERVER, forward signals to it, and reap zombies",
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
            Self::Embedded => "Carry out one of launchgate's own steps",
        }
    }
}
