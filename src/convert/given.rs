//! What was pasted: a text, or the words of a command, as shells, Dockerfiles and compose files
//! have them.

use super::Unsure;
use super::script::Dialect;
use super::words::{Meaning, Word};

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// A text that is split as a shell splits it.
    Text(String),
    /// Words that nobody splits.
    Words(Vec<Word>),
}

/// Sorts out which it is.
///
/// # Errors
/// It looks like a JSON array and is none, or is nothing at all.
pub(super) fn read(words: &[String]) -> Result<Given, Unsure> {
    if let [text] = words {
        return read_text(text);
    }
    literal(words)
}

fn read_text(text: &str) -> Result<Given, Unsure> {
    let mut text = text.trim();
    for front in ["CMD ", "ENTRYPOINT ", "command:", "entrypoint:", "args:"] {
        text = text.strip_prefix(front).unwrap_or(text).trim_start();
    }
    if text.is_empty() {
        return Err(Unsure::new("there is no command", "write the chain"));
    }
    if !text.starts_with('[') || text.starts_with("[ ") && !text[1..].trim_start().starts_with('"')
    {
        return Ok(Given::Text(text.to_owned()));
    }
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(words) => literal(&words),
        Err(_) if text.starts_with("[[") => Ok(Given::Text(text.to_owned())),
        Err(error) => Err(Unsure::new(
            format!("it begins like a JSON array of words, and is none: {error}"),
            "write [\"sh\", \"-c\", \"…\"] with double quotes, as a Dockerfile wants it",
        )),
    }
}

fn literal(words: &[String]) -> Result<Given, Unsure> {
    let words: Option<Vec<Word>> = words.iter().map(|word| Word::literal(word)).collect();
    match words {
        Some(words) if !words.is_empty() => Ok(Given::Words(words)),
        _ => Err(Unsure::new(
            "there is no command, or a zero byte in it",
            "write the chain",
        )),
    }
}

/// `sh -c TEXT`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shell {
    pub(super) dialect: Dialect,
    pub(super) options: Vec<&'static str>,
    pub(super) login: bool,
    pub(super) text: String,
}

/// Takes `sh -c TEXT` apart; `None` where it is something else. Where the words are read by a
/// shell already (`nested`), that one expands what is in double quotes.
///
/// # Errors
/// It is a shell with a text, and something about it is not understood.
pub(super) fn shell(words: &[Word], nested: bool) -> Result<Option<Shell>, Unsure> {
    let mut name = super::tools::name(words);
    let mut at = 1;
    if name == "busybox" {
        name = words.get(1).and_then(Word::text).unwrap_or_default();
        at = 2;
    }
    let dialect = match name {
        "sh" | "ash" | "dash" => Dialect::Posix,
        "bash" => Dialect::Bash(words[0].text().unwrap_or_default().to_owned()),
        "zsh" | "ksh" | "mksh" | "fish" | "pwsh" | "powershell" => {
            return Err(Unsure::new(
                format!("`{name}` is a shell that is not read here"),
                "write the chain for sh or bash",
            ));
        }
        _ => return Ok(None),
    };
    let mut flags: Vec<&str> = Vec::new();
    let mut has_text = false;
    while let Some(flag) = words.get(at).and_then(Word::text) {
        if !flag.starts_with('-') || flag == "-" {
            // `-o pipefail` has its word behind it
            if flags.last().is_some_and(|last| last.ends_with('o')) {
                flags.push(flag);
                at += 1;
                continue;
            }
            break;
        }
        has_text |= !flag.starts_with("--") && flag.contains('c');
        flags.push(flag);
        at += 1;
    }
    if !has_text {
        return Ok(None);
    }
    let login = flags
        .iter()
        .any(|flag| flag.starts_with('-') && flag.contains(['l', 'i']));
    let bare: Vec<String> = flags
        .iter()
        .map(|flag| match flag.strip_prefix('-') {
            Some(letters) if !letters.starts_with('-') => {
                format!("-{}", letters.replace(['c', 'l', 'i'], ""))
            }
            _ => (*flag).to_owned(),
        })
        .filter(|flag| flag != "-" && flag != "--login")
        .collect();
    let bare: Vec<&str> = bare.iter().map(String::as_str).collect();
    let options = shell_options(&bare).ok_or_else(|| {
        Unsure::new(
            format!(
                "`{name} {}` has options that are not understood",
                flags.join(" ")
            ),
            "write `sh -c` with the text alone",
        )
    })?;
    let [word] = words.get(at..).unwrap_or_default() else {
        return Err(Unsure::new(
            format!("`{name} -c` does not have one text behind it"),
            "put the whole chain in quotes; a shell takes only the first word as its text, and the rest as arguments",
        ));
    };
    Ok(Some(Shell {
        dialect,
        options,
        login,
        text: text_of(word, nested)?,
    }))
}

/// The text that the shell gets. Dollars in double quotes are left for it where no shell came
/// before: a platform splits a command line and expands nothing.
fn text_of(word: &Word, nested: bool) -> Result<String, Unsure> {
    if let Meaning::Literal(text) = &word.meaning {
        return Ok(text.clone());
    }
    let words = shlex::split(&word.source).unwrap_or_default();
    match words.as_slice() {
        [text] if !nested => Ok(text.clone()),
        _ => Err(Unsure::new(
            "the text of the inner shell is made by the outer one",
            "put it in single quotes",
        )),
    }
}

/// The options of `set` or of a shell's command line that are known, as `set -o` names them.
/// `None` where one is not.
pub(super) fn shell_options(words: &[&str]) -> Option<Vec<&'static str>> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let letters = word.strip_prefix('-')?;
        for (number, letter) in letters.char_indices() {
            match letter {
                'e' => options.push("errexit"),
                'u' => options.push("nounset"),
                'x' | 'v' => {}
                'o' if number + 1 == letters.len() => match *words.next()? {
                    "errexit" => options.push("errexit"),
                    "nounset" => options.push("nounset"),
                    "pipefail" => options.push("pipefail"),
                    "xtrace" | "verbose" => {}
                    _ => return None,
                },
                _ => return None,
            }
        }
        if letters.is_empty() {
            return None;
        }
    }
    options.sort_unstable();
    options.dedup();
    Some(options)
}
