//! Step commands: text to words, without a shell.
//!
//! Pure. The words are split by the `shlex` crate, as a POSIX shell splits them (POSIX
//! 2.3, Token Recognition, and 2.2, Quoting). What this module adds is one scan in front of
//! it: it refuses what only a shell could do, and expands variables where that was asked
//! for. The scan rewrites the text so that the splitter sees an expanded value as quoted and
//! a `#` as the ordinary character that the contract says it is.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// A program with its arguments: never empty, and its first word has at least a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argv(Vec<OsString>);

impl Argv {
    /// `None` where there is no first word or an empty one.
    #[must_use]
    pub fn new(words: Vec<OsString>) -> Option<Self> {
        if words.first().is_none_or(|word| word.is_empty()) {
            None
        } else {
            Some(Self(words))
        }
    }

    /// The program's name as it was written.
    #[must_use]
    pub fn program(&self) -> &OsString {
        &self.0[0]
    }

    /// The program's name and its arguments.
    #[must_use]
    pub fn words(&self) -> &[OsString] {
        &self.0
    }
}

/// Whether `$NAME` is looked up, and where.
#[derive(Clone, Copy)]
pub enum Expansion<'a> {
    /// `$NAME` stays as it is.
    Off,
    /// `$NAME` becomes what this returns; `None` is an error.
    On(&'a dyn Fn(&[u8]) -> Option<Vec<u8>>),
}

/// A command's words, and whether it has a `$NAME` that stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    /// The words.
    pub argv: Argv,
    /// The first `$NAME` that was left alone, for the warning.
    pub unexpanded: Option<String>,
}

/// Why a command is refused: what was found, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was found, a lowercase fragment.
    pub found: String,
    /// What to write instead.
    pub instead: String,
}

impl Refusal {
    fn new(found: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            instead: instead.into(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    quote: Quote,
    /// Whether the next byte would begin a word.
    fresh: bool,
    out: Vec<u8>,
    unexpanded: Option<String>,
    expansion: Expansion<'a>,
}

/// Splits a step command into words as a POSIX shell would, with no shell.
///
/// # Errors
/// What only a shell can do (operators, substitutions, assignments, a second line), an
/// unbalanced quote, an unset variable, or no word at all.
pub fn split(text: &[u8], expansion: Expansion<'_>) -> Result<Split, Refusal> {
    let text = text.trim_ascii_start();
    refuse_assignment(text)?;
    let mut scan = Scan {
        text,
        at: 0,
        quote: Quote::None,
        fresh: true,
        out: Vec::with_capacity(text.len()),
        unexpanded: None,
        expansion,
    };
    scan.run()?;
    let words: Vec<OsString> = shlex::bytes::Shlex::new(&scan.out)
        .map(OsString::from_vec)
        .collect();
    match Argv::new(words) {
        Some(argv) => Ok(Split {
            argv,
            unexpanded: scan.unexpanded,
        }),
        None => Err(Refusal::new("no command", "write the program to run")),
    }
}

/// Expands `$NAME`, `${NAME}` and `$$` in one argument of the server, where nothing is quoted.
///
/// # Errors
/// A variable that is not set, or a brace that is not closed.
pub fn expand(argument: &[u8], get: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(argument.len());
    let mut at = 0;
    while let Some(&byte) = argument.get(at) {
        if byte == b'$' {
            let (dollar, len) = dollar(&argument[at..])?;
            match dollar {
                Dollar::Variable(name) => out.extend(lookup(name, get)?),
                Dollar::Plain => out.push(b'$'),
                Dollar::Other => out.extend(&argument[at..at + len]),
            }
            at += len;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    Ok(out)
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        while let Some(&byte) = self.text.get(self.at) {
            match (self.quote, byte) {
                (Quote::Single, b'\'') | (Quote::Double, b'"') => self.turn(Quote::None),
                (Quote::Single, _) => self.take(1),
                (_, b'\\') => self.backslash()?,
                (_, b'`') => return Err(substitution("a backtick")),
                (_, b'$') => self.dollar()?,
                (Quote::Double, _) => self.take(1),
                (Quote::None, b'\'') => self.turn(Quote::Single),
                (Quote::None, b'"') => self.turn(Quote::Double),
                (Quote::None, _) => self.plain(byte)?,
            }
        }
        match self.quote {
            Quote::None => Ok(()),
            Quote::Single => Err(unbalanced('\'')),
            Quote::Double => Err(unbalanced('"')),
        }
    }

    /// Copies the next `len` bytes.
    fn take(&mut self, len: usize) {
        self.out.extend(&self.text[self.at..self.at + len]);
        self.at += len;
        self.fresh = false;
    }

    fn turn(&mut self, quote: Quote) {
        self.take(1);
        self.quote = quote;
    }

    fn backslash(&mut self) -> Result<(), Refusal> {
        match self.text.get(self.at + 1) {
            // A shell would wait for the next line.
            None => Err(Refusal::new(
                "a backslash with nothing behind it",
                "write two backslashes, or leave it out",
            )),
            // A line continuation vanishes and begins no word (POSIX 2.2.1).
            Some(b'\n') => {
                self.at += 2;
                Ok(())
            }
            Some(_) => {
                self.take(2);
                Ok(())
            }
        }
    }

    fn plain(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            b'\n' if self.text[self.at..].trim_ascii().is_empty() => {
                self.at = self.text.len();
                Ok(())
            }
            b'\n' => Err(Refusal::new(
                "a line break between words",
                "a shell would run two commands; give each its own `--migrate`, or end the line with a backslash",
            )),
            b' ' | b'\t' => {
                self.take(1);
                self.fresh = true;
                Ok(())
            }
            b'#' if self.fresh => {
                self.out.push(b'\\');
                self.take(1);
                Ok(())
            }
            b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                Err(operator(byte, self.text.get(self.at + 1).copied()))
            }
            _ => {
                self.take(1);
                Ok(())
            }
        }
    }

    fn dollar(&mut self) -> Result<(), Refusal> {
        if self.text.get(self.at + 1) == Some(&b'(') {
            return Err(substitution("`$(`"));
        }
        let Expansion::On(get) = self.expansion else {
            if self.unexpanded.is_none()
                && let Ok((Dollar::Variable(name), _)) = dollar(&self.text[self.at..])
            {
                self.unexpanded = Some(String::from_utf8_lossy(name).into_owned());
            }
            self.take(1);
            return Ok(());
        };
        let (kind, len) = dollar(&self.text[self.at..])?;
        match kind {
            Dollar::Variable(name) => {
                let value = lookup(name, get)?;
                self.quoted(&value);
            }
            Dollar::Plain => self.quoted(b"$"),
            Dollar::Other => {
                return {
                    self.take(len);
                    Ok(())
                };
            }
        }
        self.at += len;
        self.fresh = false;
        Ok(())
    }

    /// Writes a value so that the splitter takes it as it is, in the quotes it stands in.
    fn quoted(&mut self, value: &[u8]) {
        if self.quote == Quote::Double {
            for &byte in value {
                if matches!(byte, b'$' | b'`' | b'"' | b'\\') {
                    self.out.push(b'\\');
                }
                self.out.push(byte);
            }
            return;
        }
        self.out.push(b'\'');
        for &byte in value {
            if byte == b'\'' {
                self.out.extend(b"'\\''");
            } else {
                self.out.push(byte);
            }
        }
        self.out.push(b'\'');
    }
}

enum Dollar<'a> {
    /// `$NAME` or `${NAME}`.
    Variable(&'a [u8]),
    /// `$$`.
    Plain,
    /// A dollar that means nothing here.
    Other,
}

/// What the dollar that `text` begins with stands for, and how many bytes it takes.
fn dollar(text: &[u8]) -> Result<(Dollar<'_>, usize), Refusal> {
    match text.get(1) {
        Some(b'$') => Ok((Dollar::Plain, 2)),
        Some(b'{') => match text.iter().position(|&byte| byte == b'}') {
            None => Err(Refusal::new(
                "`${` without its `}`",
                "close the brace, or write `$$` for a plain dollar",
            )),
            Some(2) => Err(Refusal::new(
                "`${}` without a name",
                "write the variable's name between the braces",
            )),
            Some(end) => Ok((Dollar::Variable(&text[2..end]), end + 1)),
        },
        Some(byte) if name_start(*byte) => {
            let end = text[1..]
                .iter()
                .position(|&b| !name_byte(b))
                .map_or(text.len(), |n| n + 1);
            Ok((Dollar::Variable(&text[1..end]), end))
        }
        _ => Ok((Dollar::Other, 1)),
    }
}

fn lookup(name: &[u8], get: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
    get(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        Refusal::new(
            format!("`{name}`, a variable that is not set"),
            format!("set {name}, or write `$$` for a plain dollar"),
        )
    })
}

fn name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn refuse_assignment(text: &[u8]) -> Result<(), Refusal> {
    let name = text.iter().take_while(|&&byte| name_byte(byte)).count();
    if name == 0 || !name_start(text[0]) || text.get(name) != Some(&b'=') {
        return Ok(());
    }
    let name = String::from_utf8_lossy(&text[..name]);
    Err(Refusal::new(
        format!("`{name}=` in front of the command"),
        format!("set it with `--step-env {name}=VALUE`"),
    ))
}

fn unbalanced(quote: char) -> Refusal {
    Refusal::new(
        format!("a {quote} that is never closed"),
        format!("add the closing {quote}, or write \\{quote} for a plain one"),
    )
}

fn substitution(what: &str) -> Refusal {
    Refusal::new(
        format!("{what}, a command substitution"),
        "use `--shell` where the image has one, or put it in single quotes to mean it literally",
    )
}

fn operator(byte: u8, next: Option<u8>) -> Refusal {
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
            "a step that fails must fail the release; use `--shell` if it may not",
        ),
        (b'|', false) => (
            "`|`",
            "a pipe hides the failure of all but its last command; use `--shell` with `set -o pipefail`, or a script",
        ),
        (b'&', false) => ("`&`", "a step is waited for; leave the `&` out"),
        (b'<', _) => ("`<`", "name the file as an argument, or use `--shell`"),
        (b'>', _) => (
            "`>`",
            "leave it out, the output is passed through; or use `--shell`",
        ),
        (b'(', _) => ("`(`", "leave it out, or use `--shell`"),
        _ => ("`)`", "leave it out, or use `--shell`"),
    };
    Refusal::new(
        format!("{found}, which only a shell understands"),
        format!("{instead}; in quotes it is an ordinary character"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Result<Vec<String>, Refusal> {
        split(text.as_bytes(), Expansion::Off).map(|split| strings(&split))
    }

    fn strings(split: &Split) -> Vec<String> {
        split
            .argv
            .words()
            .iter()
            .map(|w| w.to_string_lossy().into_owned())
            .collect()
    }

    fn expanded(text: &str) -> Result<Vec<String>, Refusal> {
        let get = |name: &[u8]| match name {
            b"A" => Some(b"a b".to_vec()),
            b"Q" => Some(b"it's \"$HOME\" \\ `x`".to_vec()),
            b"NF-DB_URI" => Some(b"uri".to_vec()),
            b"EMPTY" => Some(Vec::new()),
            _ => None,
        };
        split(text.as_bytes(), Expansion::On(&get)).map(|split| strings(&split))
    }

    #[test]
    fn splits_as_a_posix_shell_does() {
        assert_eq!(
            words("node migrate/migration-code.js").unwrap(),
            ["node", "migrate/migration-code.js"]
        );
        assert_eq!(
            words(r#"a 'b c' "d \"e\" \x" f\ g h''i """#).unwrap(),
            ["a", "b c", r#"d "e" \x"#, "f g", "hi", ""]
        );
        assert_eq!(words("a \\\n b").unwrap(), ["a", "b"]);
        assert_eq!(words("  a\tb \n").unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_hash_is_an_ordinary_character() {
        assert_eq!(
            words("a #b c#d '#e' # f").unwrap(),
            ["a", "#b", "c#d", "#e", "#", "f"]
        );
    }

    #[test]
    fn refuses_what_only_a_shell_understands() {
        for (text, found) in [
            ("a; b", "`;`"),
            ("a && b", "`&&`"),
            ("a & b", "`&`"),
            ("a || b", "`||`"),
            ("a | b", "`|`"),
            ("a <b", "`<`"),
            ("a 2>&1", "`>`"),
            ("(a)", "`(`"),
            ("a )", "`)`"),
            ("a `b`", "backtick"),
            ("a \"`b`\"", "backtick"),
            ("a $(b)", "`$(`"),
            ("a \"$(b)\"", "`$(`"),
            ("A=1 b", "`A=`"),
            ("a\nb", "line break"),
            ("a 'b", "'"),
            ("a \"b", "\""),
            ("a \\", "backslash"),
            ("", "no command"),
            ("   ", "no command"),
            ("''", "no command"),
        ] {
            let refusal = words(text).unwrap_err();
            assert!(refusal.found.contains(found), "{text:?}: {refusal:?}");
            assert!(!refusal.instead.is_empty());
        }
    }

    #[test]
    fn quoted_operators_are_ordinary() {
        assert_eq!(
            words(r#"a ';' "&&" '$(x)' \; '`'"#).unwrap(),
            ["a", ";", "&&", "$(x)", ";", "`"]
        );
        assert_eq!(words("env A=1 b").unwrap(), ["env", "A=1", "b"]);
    }

    #[test]
    fn without_expansion_a_variable_stays_and_is_reported() {
        let split = split(b"a $HOME '$X'", Expansion::Off).unwrap();
        assert_eq!(strings(&split), ["a", "$HOME", "$X"]);
        assert_eq!(split.unexpanded.as_deref(), Some("HOME"));
        let quoted = super::split(b"a '$X' \\$Y 5$", Expansion::Off).unwrap();
        assert_eq!(quoted.unexpanded, None);
    }

    #[test]
    fn expands_outside_single_quotes_and_never_splits_a_value() {
        assert_eq!(
            expanded("x $A ${A}y \"$A\" '$A' \\$A").unwrap(),
            ["x", "a b", "a by", "a b", "$A", "$A"]
        );
        assert_eq!(
            expanded("x $Q \"$Q\"").unwrap(),
            ["x", "it's \"$HOME\" \\ `x`", "it's \"$HOME\" \\ `x`"]
        );
        assert_eq!(
            expanded("x ${NF-DB_URI} $$ a$$b $1 $").unwrap(),
            ["x", "uri", "$", "a$b", "$1", "$"]
        );
        assert_eq!(expanded("x $EMPTY y").unwrap(), ["x", "", "y"]);
    }

    #[test]
    fn an_unset_variable_is_an_error() {
        assert!(expanded("x $NOPE").unwrap_err().found.contains("NOPE"));
        assert!(expanded("x ${A:-b}").unwrap_err().found.contains("A:-b"));
        assert!(expanded("x ${A").unwrap_err().found.contains("${"));
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(list in proptest::collection::vec("[^\0]{0,12}", 1..5)) {
            prop_assume!(!list[0].is_empty());
            let text = list.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&text).unwrap(), list);
        }

        #[test]
        fn a_value_is_one_word_whatever_it_holds(value in "[^\0]{0,20}") {
            let get = |_: &[u8]| Some(value.clone().into_bytes());
            let bare = split(b"x $V", Expansion::On(&get)).unwrap();
            let quoted = split(b"x \"$V\"", Expansion::On(&get)).unwrap();
            prop_assert_eq!(strings(&bare), vec!["x".to_owned(), value.clone()]);
            prop_assert_eq!(strings(&quoted), vec!["x".to_owned(), value.clone()]);
        }
    }
}
