//! The commands.

/// A row is a command, its word, and what it does.
macro_rules! verbs {
    ($($verb:ident $word:literal $about:literal)+) => {
        enum_with_all! {
            /// A command. The last one is launchgate's own: it calls itself with it.
            pub enum Verb {
                $(#[doc = $about] $verb = $word,)+
            }
        }

        impl Verb {
            pub(super) fn about(self) -> &'static str {
                match self {
                    $(Self::$verb => $about,)+
                }
            }
        }
    };
}

verbs! {
    Run "run" "Run the steps once per release, then become SERVER"
    Job "job" "Run the steps once per release, then exit 0"
    Wait "wait" "Wait until this revision has succeeded, then become SERVER"
    Init "init" "Start SERVER without a gate, forward signals to it and reap zombies"
    Status "status" "Show who holds the gate and the newest rows of the ledger"
    Resolve "resolve" "Record an operator's decision about a revision in the ledger"
    Check "check" "Check settings, executables and the database without changing anything"
    Probe "probe" "For health checks: exit 0 while the gate is closed, otherwise become COMMAND"
    PrintDdl "print-ddl" "Print the ledger's DDL, for databases where launchgate's role may not create tables"
    Convert "convert" "Explain what is wrong with a `sh -c` chain, and print the launchgate command that replaces it"
    Generate "generate" "Print the man page, shell completions or the schema of the settings file"
    Embedded "embedded" "Run an embedded step"
}
