//! The arguments that are not settings: they belong to one command and have neither a variable nor a
//! key in the settings file.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ValueHint};

use super::document::Document;
use super::verb::Verb;
use crate::db::Backend;

enum_with_all! {
    /// An argument that is not a setting. Its word is its name; for an option the flag without its leading
    /// dashes.
    pub enum Operand {
        /// The command of the server, or of a health check.
        Server = "server",
        /// The revision to decide about.
        Revision = "revision",
        /// The operator's decision.
        As = "as",
        /// The operator's reason.
        Note = "note",
        /// The kind of database to print the DDL for.
        Database = "database",
        /// The role that needs the grants.
        Role = "role",
        /// The schema, or database, of the ledger to print the DDL for.
        LedgerPlace = "ledger",
        /// The chain of shell commands to convert.
        Chain = "chain",
        /// The document to generate.
        What = "what",
        /// Which embedded step.
        Step = "step",
        /// The embedded step's folder.
        Folder = "folder",
    }
}

impl Operand {
    /// A command's operands.
    pub(super) fn of(verb: Verb) -> &'static [Self] {
        match verb {
            Verb::Run | Verb::Check | Verb::Wait | Verb::Init | Verb::Probe => &[Self::Server],
            Verb::Resolve => &[Self::Revision, Self::As, Self::Note],
            Verb::PrintDdl => &[Self::Database, Self::Role, Self::LedgerPlace],
            Verb::Convert => &[Self::Chain],
            Verb::Generate => &[Self::What],
            Verb::Embedded => &[Self::Step, Self::Folder],
            Verb::Job | Verb::Status => &[],
        }
    }

    /// Whether it is an option, not a positional argument.
    pub(super) fn is_flag(self) -> bool {
        matches!(
            self,
            Self::As | Self::Note | Self::Database | Self::Role | Self::LedgerPlace
        )
    }

    /// The clap definition.
    pub(super) fn arg(self, verb: Verb) -> Arg {
        let mut arg = Arg::new(self.as_str())
            .value_parser(ValueParser::os_string())
            .required(!matches!(
                self,
                Self::Server | Self::Note | Self::Role | Self::LedgerPlace | Self::Chain
            ));
        if self.is_flag() {
            arg = arg.long(self.as_str());
        }
        let (name, help) = match self {
            Self::Server if verb == Verb::Probe => (
                "COMMAND",
                "The health check's command and its arguments, after `--`",
            ),
            Self::Server => ("SERVER", "The server and its arguments, after `--`"),
            Self::Revision => ("REVISION", "The revision, as `launchgate status` shows it"),
            Self::As => (
                "DECISION",
                "`succeeded`: consider it done; `retry`: reset its attempts; `blocked`: never start it",
            ),
            Self::Note => ("TEXT", "The reason, recorded in the ledger"),
            Self::Database => return arg.value_name("KIND").help(backends()),
            Self::Role => ("NAME", "Add the grants that this role needs"),
            Self::LedgerPlace => (
                "NAME",
                "The schema or database, where it is named with --ledger [default: launchgate]",
            ),
            Self::Chain => (
                "CHAIN",
                "The chain as you would write it: `sh -c \"migrate; serve\"`, its words after `--`, the \
                 JSON array of a Dockerfile; `-` or nothing to read standard input",
            ),
            Self::What => ("WHAT", "What to print"),
            Self::Step | Self::Folder => return arg,
        };
        let arg = arg.value_name(name).help(help);
        match self {
            Self::Server => arg
                .last(true)
                .num_args(1..)
                .action(ArgAction::Append)
                .help_heading("Arguments")
                .value_hint(ValueHint::CommandWithArguments),
            Self::Chain => arg
                .num_args(1..)
                .action(ArgAction::Append)
                .trailing_var_arg(true),
            Self::Note => arg.allow_hyphen_values(true),
            Self::What => arg.value_parser(Document::ALL.map(Document::as_str)),
            _ => arg,
        }
    }
}

/// The kinds of database, in words: `a`, `b` or `c`.
fn backends() -> String {
    let names = Backend::ALL.map(|backend| format!("`{}`", backend.as_str()));
    let [first @ .., last] = &names;
    format!("{} or {last}", first.join(", "))
}
