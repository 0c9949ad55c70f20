//! Programs that are not found because of a common mistake, and what to write instead.

use std::ffi::{OsStr, OsString};

use crate::shell_words;
use crate::sys::lookup::Unfit;
use crate::sys::user::NotFound;

/// Where the program was named.
#[derive(Debug, Clone, Copy)]
pub(super) enum CommandOf<'a> {
    /// In a step's command.
    Step,
    /// In the server's command, which has these words.
    Server(&'a [OsString]),
}

/// Explains `error` better if it looks like a known mistake.
pub(super) fn likely_mistake(program: &OsStr, place: &CommandOf<'_>, error: NotFound) -> NotFound {
    // `.` is in every folder.
    let is_missing = matches!(&error, NotFound::Unfit(unfit) if unfit.is_missing || program == ".");
    let explained = program.to_str().filter(|_| is_missing).and_then(|name| {
        shell_word(name, place)
            .or_else(|| misplaced_flag(name, place))
            .or_else(|| one_word(name, place))
    });
    match explained {
        Some((what, hint)) => NotFound::Unfit(Unfit {
            is_missing: true,
            what,
            hint,
        }),
        None => error,
    }
}

/// A word that only a shell knows.
fn shell_word(name: &str, place: &CommandOf<'_>) -> Option<(String, String)> {
    let instead = shell_words::instead_of(name)?;
    let instead = match place {
        CommandOf::Step => instead,
        CommandOf::Server(_) => {
            "write the program itself; if it needs a shell, write `-- sh -c '…'` in an image that has one"
        }
    };
    let what = format!("{name} is a shell builtin, not a program");
    Some((what, instead.to_owned()))
}

/// A flag of launchgate's behind the `--`.
fn misplaced_flag(name: &str, place: &CommandOf<'_>) -> Option<(String, String)> {
    let CommandOf::Server(_) = place else {
        return None;
    };
    let hint = match name {
        "--" => "write `--` once".to_owned(),
        flag if flag.starts_with('-') => format!("put {flag} before `--`"),
        _ => return None,
    };
    let what = format!("{name} follows `--`, where the server's command begins");
    Some((what, hint))
}

/// A whole command as one word: it was quoted once too often.
fn one_word(name: &str, place: &CommandOf<'_>) -> Option<(String, String)> {
    let quotes = ['"', '\''];
    if !name.contains(char::is_whitespace) && !name.starts_with(quotes) {
        return None;
    }
    let what = format!("`{name}` was passed as one word, but no such program exists");
    let hint = match place {
        CommandOf::Step => "remove the quotation marks around the command".to_owned(),
        CommandOf::Server(words) => {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            format!("write `-- {}`", words.join(" ").replace(quotes, ""))
        }
    };
    Some((what, hint))
}
