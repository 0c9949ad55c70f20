//! How messages name the database, and how a command that an operator pastes finds the same ledger.

use std::borrow::Cow;

use crate::exit::{Failure, FailureKind};
use crate::settings::{DatabaseSettings, Origin, Setting};

/// The database and the app, in words.
#[derive(Debug, Clone, Default)]
pub struct LedgerReference {
    /// The URL without its password.
    database: String,
    /// The setting that it came from, in parentheses.
    origin: String,
    /// The flags that choose app and database, each with a blank in front, quoted for a shell.
    flags: String,
}

impl LedgerReference {
    /// Of these settings, where `url` is the database's URL without its password.
    pub fn new(url: &str, origin: &Origin, settings: &DatabaseSettings) -> Self {
        let mut flags = String::new();
        let Setting { value, origin: by } = &settings.app;
        if *by != Origin::Default {
            flags.push_str(&written("--app", value));
        }
        for (flag, value) in &settings.flags {
            flags.push_str(&written(flag, value));
        }
        Self {
            database: url.to_owned(),
            origin: format!("({origin})"),
            flags,
        }
    }

    /// A failure of the database also says which database, and which setting names it.
    pub fn locate(&self, failure: Failure) -> Failure {
        let is_of_database = matches!(
            failure.kind(),
            FailureKind::Database | FailureKind::Unreachable
        );
        if is_of_database && !failure.problem().what().contains(&self.origin) {
            let Self {
                database, origin, ..
            } = self;
            return failure.reworded(|what| format!("{database} {origin}: {what}"));
        }
        failure
    }

    /// `launchgate status`, ready to be pasted.
    pub fn status_command(&self) -> String {
        format!("launchgate status{}", self.flags)
    }

    /// The command that resets a revision's attempts or lifts its block, ready to be pasted.
    pub fn retry_command(&self, revision: &str) -> String {
        let quoted = quote(revision);
        let flags = &self.flags;
        if revision.starts_with('-') {
            format!("launchgate resolve{flags} --as retry -- {quoted}")
        } else {
            format!("launchgate resolve{flags} {quoted} --as retry")
        }
    }
}

/// A value that starts with a dash would be taken for a flag.
fn written(flag: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {flag}{between}{}", quote(value))
}

fn quote(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_default()
}
