//! Why a command is refused, and what to write instead.

/// Why a command is refused: what was found, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub struct SplitRefusal {
    /// What was found, a lowercase fragment.
    pub found: String,
    /// What to write instead.
    pub instead: String,
    /// The kind of problem, for callers that know the setting and can explain it better.
    pub kind: RefusalKind,
}

/// The kind of problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalKind {
    /// Explained by the two texts.
    Told,
    /// Several commands. What to write instead assumes a setting that can be repeated.
    Several,
    /// A variable with this name that is not set.
    Unset(Vec<u8>),
}

impl SplitRefusal {
    pub(crate) fn new(found: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            instead: instead.into(),
            kind: RefusalKind::Told,
        }
    }
}

pub(super) fn unset(name: &[u8]) -> SplitRefusal {
    let shown = String::from_utf8_lossy(name);
    SplitRefusal {
        kind: RefusalKind::Unset(name.to_vec()),
        ..SplitRefusal::new(
            format!("the unset variable `{shown}`"),
            format!("set {shown}, or write `$$` for a literal dollar sign"),
        )
    }
}

pub(super) fn line_break() -> SplitRefusal {
    SplitRefusal {
        kind: RefusalKind::Several,
        ..SplitRefusal::new(
            "a line break between words",
            "a shell would run two commands; give each its own `--migrate`, or end the line with a backslash",
        )
    }
}

pub(super) fn assignment(name: &[u8]) -> SplitRefusal {
    let name = String::from_utf8_lossy(name);
    SplitRefusal::new(
        format!("`{name}=` before the command"),
        format!("set it with `--step-env {name}=VALUE`"),
    )
}

pub(super) fn unbalanced(quote: char) -> SplitRefusal {
    SplitRefusal::new(
        format!("an unclosed {quote}"),
        format!("add the closing {quote}, or write \\{quote} for a plain one"),
    )
}

pub(super) fn substitution(what: &str) -> SplitRefusal {
    SplitRefusal::new(
        format!("{what}, a command substitution"),
        "use `--shell` if the image has a shell, or put it in single quotes if you mean it literally",
    )
}

pub(super) fn operator(byte: u8, next: Option<u8>) -> SplitRefusal {
    let twice = next == Some(byte);
    let (found, instead) = match (byte, twice) {
        (b'&', true) => (
            "`&&`",
            "repeat the flag: `--migrate A --migrate B` stops at the first failure",
        ),
        (b';', _) => (
            "`;`",
            "repeat the flag: `--migrate A --migrate B` runs one after the other and stops at the first failure",
        ),
        (b'|', true) => (
            "`||`",
            "a failing step must fail the release; if this one may fail, use `--shell`",
        ),
        (b'|', false) => (
            "`|`",
            "a pipe hides the failure of all but its last command; use `--shell` with `set -o pipefail`, or a script",
        ),
        (b'&', false) => ("`&`", "remove the `&`: launchgate waits for each step"),
        (b'<', _) => ("`<`", "name the file as an argument, or use `--shell`"),
        (b'>', _) => (
            "`>`",
            "remove it (launchgate passes output through), or use `--shell`",
        ),
        (b'(', _) => ("`(`", "remove it, or use `--shell`"),
        _ => ("`)`", "remove it, or use `--shell`"),
    };
    let kind = match (byte, twice) {
        (b'&', true) | (b';', _) => RefusalKind::Several,
        _ => RefusalKind::Told,
    };
    SplitRefusal {
        kind,
        ..SplitRefusal::new(
            format!("the shell operator {found}"),
            format!("{instead}; {ORDINARY}"),
        )
    }
}

/// The end of every hint about an operator.
const ORDINARY: &str = "quote it if you mean it literally";

impl SplitRefusal {
    /// What to write instead if the setting takes only one command.
    pub fn instead_of_one(&self) -> String {
        match self.kind {
            RefusalKind::Several => format!(
                "this setting takes one command: put them into a script, or use `--shell` with `set -e`; {ORDINARY}"
            ),
            RefusalKind::Told | RefusalKind::Unset(_) => self.instead.clone(),
        }
    }
}
