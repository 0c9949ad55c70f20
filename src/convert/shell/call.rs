//! How a shell is called: `sh -ec TEXT`, `set -e`, a script's first line.

use super::super::Refusal;
use super::super::tools::base;
use super::super::words::Word;
use super::Dialect;

/// `sh -c TEXT [NAME [ARG]...]`.
#[derive(Debug)]
pub(in crate::convert) struct Call {
    pub(in crate::convert) dialect: Dialect,
    pub(in crate::convert) options: Vec<&'static str>,
    pub(in crate::convert) is_login: bool,
    pub(in crate::convert) text: String,
    /// What the text calls `$0`, `$1` and so on.
    pub(in crate::convert) arguments: Vec<Word>,
}

/// Takes `sh -c TEXT` apart; `None` where it is something else. Where a shell reads the words
/// already (`is_nested`), that one expands what is in double quotes.
///
/// # Errors
/// It is a shell with a text, and its options are not known.
pub(in crate::convert) fn call(words: &[Word], is_nested: bool) -> Result<Option<Call>, Refusal> {
    let text_at = |at: usize| words.get(at).and_then(Word::text).unwrap_or_default();
    let (name, mut at) = match base(text_at(0)) {
        "busybox" => (text_at(1), 2),
        name => (name, 1),
    };
    let dialect = match name {
        "sh" | "ash" | "dash" => Dialect::Posix,
        "bash" => Dialect::Bash(text_at(0).to_owned()),
        "zsh" | "ksh" | "mksh" | "fish" | "pwsh" | "powershell" => {
            return Err(Refusal::new(
                format!("convert does not support `{name}`"),
                "write the chain for sh or bash",
            ));
        }
        _ => return Ok(None),
    };
    let mut letters = String::new();
    let mut switched = Vec::new();
    while let Some(flag) = words
        .get(at)
        .and_then(Word::text)
        .filter(|flag| flag.starts_with('-') && *flag != "-")
    {
        at += 1;
        let mut set = vec![flag.to_owned()];
        if flag.starts_with("--") {
            set = Vec::new();
            letters.push_str(if flag == "--login" { "l" } else { "" });
        } else {
            letters.push_str(&flag[1..]);
            set[0].retain(|letter| !matches!(letter, 'c' | 'l' | 'i'));
            if flag.ends_with('o') {
                set.push(text_at(at).to_owned());
                at += 1;
            }
        }
        set.retain(|flag| flag != "-");
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        switched.extend(options(&set).ok_or_else(|| {
            Refusal::new(
                format!("convert does not support the option `{name} {flag}`"),
                "use plain `sh -c \"…\"`",
            )
        })?);
    }
    let Some(text) = words.get(at).filter(|_| letters.contains('c')) else {
        return Ok(None);
    };
    Ok(Some(Call {
        dialect,
        options: switched,
        is_login: letters.contains(['l', 'i']),
        text: text_of(text, is_nested)?,
        arguments: words.get(at + 1..).unwrap_or_default().to_vec(),
    }))
}

/// The text that the shell gets. If no outer shell ran, `$` in double quotes is not expanded:
/// platforms only split the command line.
fn text_of(word: &Word, is_nested: bool) -> Result<String, Refusal> {
    if let Some(text) = word.text() {
        return Ok(text.to_owned());
    }
    match shlex::split(&word.source).unwrap_or_default().as_slice() {
        [text] if !is_nested => Ok(text.clone()),
        _ => Err(Refusal::new(
            "the outer shell expands the inner shell's command",
            "put it in single quotes",
        )),
    }
}

/// The options of `set` or of a shell's command line that are known, as `set -o` names them.
/// `None` where one is not.
pub(in crate::convert) fn options(words: &[&str]) -> Option<Vec<&'static str>> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let letters = word
            .strip_prefix('-')
            .filter(|letters| !letters.is_empty())?;
        for (number, letter) in letters.char_indices() {
            let name = match letter {
                'e' => "errexit",
                'u' => "nounset",
                'x' | 'v' => "",
                'o' if number + 1 == letters.len() => match *words.next()? {
                    "errexit" => "errexit",
                    "nounset" => "nounset",
                    "pipefail" => "pipefail",
                    "xtrace" | "verbose" => "",
                    _ => return None,
                },
                _ => return None,
            };
            if !name.is_empty() {
                options.push(name);
            }
        }
    }
    Some(options)
}

/// The shell that a script's first line names, and its options.
pub(in crate::convert) fn hash_bang(
    text: &str,
) -> Result<Option<(Dialect, Vec<&'static str>)>, Refusal> {
    let Some(line) = text.strip_prefix("#!").and_then(|text| text.lines().next()) else {
        return Ok(None);
    };
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if words.first().is_some_and(|word| base(word) == "env") {
        words.remove(0);
        words.retain(|word| *word != "-S");
    }
    let program = words.first().copied().unwrap_or_default();
    let dialect = match base(program) {
        "sh" | "ash" | "dash" => Dialect::Posix,
        "bash" => Dialect::Bash(program.to_owned()),
        name => {
            return Err(Refusal::new(
                format!("it is a `{name}` script"),
                "convert reads only sh and bash scripts",
            ));
        }
    };
    match options(&words[1..]) {
        Some(options) => Ok(Some((dialect, options))),
        None => Err(Refusal::keep_script(format!(
            "`{line}` has options that convert does not support"
        ))),
    }
}
