//! The commands.

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Pass the gate, then become the server.
    Run,
    /// Pass the gate, then exit 0.
    Job,
    /// Wait for the revision, then become the server.
    Wait,
    /// No gate: start the server and stay as its init.
    Init,
    /// Show the ledger.
    Status,
    /// Record an operator's decision.
    Resolve,
    /// Check settings, executables and database without changing anything.
    Check,
    /// Exit 0 while the gate is closed, else become the health check.
    Probe,
    /// Print the ledger's DDL.
    PrintDdl,
    /// Print the launchgate command for a chain of shell commands.
    Convert,
    /// Print the man page, completions or the schema.
    Generate,
    /// Run an embedded step. launchgate calls itself with this.
    Embedded,
}

impl Verb {
    /// The commands for users.
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

    /// Parses the word on the command line.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Embedded]);
        all.find(|verb| verb.as_str().as_bytes() == word)
    }

    /// The word on the command line.
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
            Self::Wait => "Wait until this revision has succeeded, then become SERVER",
            Self::Init => "Start SERVER without a gate, forward signals to it and reap zombies",
            Self::Status => "Show who holds the gate and the newest rows of the ledger",
            Self::Resolve => "Record an operator's decision about a revision in the ledger",
            Self::Check => "Check settings, executables and the database without changing anything",
            Self::Probe => {
                "For health checks: exit 0 while the gate is closed, otherwise become COMMAND"
            }
            Self::PrintDdl => {
                "Print the ledger's DDL, for databases where launchgate's role may not create tables"
            }
            Self::Convert => {
                "Explain what is wrong with a `sh -c` chain, and print the launchgate command that replaces it"
            }
            Self::Generate => {
                "Print the man page, shell completions or the schema of the settings file"
            }
            Self::Embedded => "Run an embedded step",
        }
    }
}
