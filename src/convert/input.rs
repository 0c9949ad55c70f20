//! What was pasted: a shell's text, a command's words, or a piece of a Dockerfile, a Procfile, a
//! Compose file or a Kubernetes manifest.

use super::Refusal;
use super::shell::{self, Dialect};
use super::tools;
use super::words::{Word, is_name};
use super::yaml::{self, YamlValue};

/// The chain that was found.
#[derive(Debug)]
pub(super) struct Given {
    /// What is run.
    pub(super) run: ChainForm,
    /// A Procfile's `release:` line: run once per release already.
    pub(super) release: Option<String>,
    /// What to say about the form it was given in.
    pub(super) notes: Vec<String>,
}

/// What is run.
#[derive(Debug)]
pub(super) enum ChainForm {
    /// A text that a shell reads.
    Text(String),
    /// Words that are not split further.
    Words(Vec<Word>),
}

/// Finds the chain.
///
/// # Errors
/// There is none, or the form it is in is broken.
pub(super) fn read(words: &[String]) -> Result<Given, Refusal> {
    if words.iter().any(|word| word.contains('\0')) {
        return Err(Refusal::new(
            "the text contains a NUL byte",
            "remove it: arguments can't contain NUL bytes",
        ));
    }
    if words
        .iter()
        .any(|word| word.contains("{{") && word.contains("}}"))
    {
        return Err(Refusal::new(
            "the text contains a template (`{{ … }}`)",
            "pass what the template makes of it, as `helm template` prints it",
        ));
    }
    match words {
        [text] => read_text(text.trim(), text),
        words => literal(words),
    }
}

/// How a chain is given.
pub const WHAT_TO_PASS: &str = "pass the CHAIN: launchgate convert 'migrate && serve', or a script: launchgate convert < SCRIPT";

pub(super) fn nothing() -> Refusal {
    Refusal::new("the chain has no command", WHAT_TO_PASS)
}

fn literal(words: &[String]) -> Result<Given, Refusal> {
    if words.is_empty() {
        return Err(nothing());
    }
    let words = words.iter().map(|word| Word::literal(word));
    Ok(Given::of(ChainForm::Words(words.collect())))
}

impl Given {
    fn of(run: ChainForm) -> Self {
        Self {
            run,
            release: None,
            notes: Vec::new(),
        }
    }
}

/// `given` is `whole`, trimmed; only YAML needs the surrounding whitespace.
fn read_text(given: &str, whole: &str) -> Result<Given, Refusal> {
    let is_comment = |line: &&str| line.starts_with('#') && !line.starts_with("#!");
    let mut lines = given.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !is_comment(line));
    let first = first.unwrap_or_default();
    let has_key = |line: &str| COMMAND_KEYS.iter().any(|key| line.starts_with(key));
    if given.is_empty() {
        return Err(nothing());
    }
    if let Some(words) = yaml::flow_list(given) {
        return literal(&words);
    }
    // `[ -f x ] && …` and `[[ … ]]` are a shell's.
    if given.starts_with('[') && !given.starts_with("[ ") && !given.starts_with("[[") {
        return Err(Refusal::new(
            "it begins like a JSON array of strings, but is not one",
            "write JSON with double quotes: [\"sh\", \"-c\", \"…\"]",
        ));
    }
    if first.starts_with("- ") || has_key(first) {
        return manifest(first, whole);
    }
    let instruction = first.split_whitespace().next().unwrap_or_default();
    if ["CMD", "ENTRYPOINT"]
        .iter()
        .any(|name| instruction.eq_ignore_ascii_case(name))
    {
        return dockerfile(given);
    }
    if let Some(processes) = processes(given).filter(|found| !found.is_empty()) {
        return procfile(&processes);
    }
    if given.lines().map(str::trim).any(has_key) {
        return Err(Refusal::new(
            "this is more of a manifest than one container's command",
            ONLY_COMMANDS,
        ));
    }
    Ok(Given::of(ChainForm::Text(given.to_owned())))
}

/// The keys of a container's command in Kubernetes and Compose.
const COMMAND_KEYS: [&str; 3] = ["command:", "args:", "entrypoint:"];

const ONLY_COMMANDS: &str =
    "pass only `command:` and `args:` (Kubernetes), or `entrypoint:` and `command:` (Compose)";

/// `command:`, `args:` and `entrypoint:` of Kubernetes and Compose.
fn manifest(first: &str, whole: &str) -> Result<Given, Refusal> {
    let mut keys = if first.starts_with("- ") {
        let list = YamlValue::List(yaml::list(whole)?);
        vec![("command".to_owned(), list)]
    } else {
        yaml::mapping(whole)?
    };
    let order = if keys.iter().any(|(key, _)| key == "args") {
        ["command", "args"]
    } else {
        ["entrypoint", "command"]
    };
    if let Some((key, _)) = keys.iter().find(|(key, _)| !order.contains(&&**key)) {
        let what = format!("`{key}:` is not a command");
        return Err(Refusal::new(what, ONLY_COMMANDS));
    }
    keys.sort_by_key(|(key, _)| key == order[1]);
    let mut words = Vec::new();
    let mut notes = Vec::new();
    for (_, value) in &keys {
        match value {
            YamlValue::List(list) => {
                for word in list {
                    words.push(unescaped(word, &mut notes)?);
                }
            }
            // Compose splits a text as a shell does, and runs no shell.
            YamlValue::Text(text) => {
                let split = shlex::split(&unescaped(text, &mut notes)?);
                let unclosed = || Refusal::new("the command has an unclosed quote", "close it");
                words.extend(split.ok_or_else(unclosed)?);
            }
        }
    }
    let mut given = literal(&words)?;
    given.notes = notes;
    Ok(given)
}

/// Compose and Kubernetes read `$$` as one dollar.
fn unescaped(word: &str, notes: &mut Vec<String>) -> Result<String, Refusal> {
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        out.push('$');
        let reference = behind
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'));
        if let Some((name, _)) = reference
            && is_name(name)
            && name.chars().all(|c| !c.is_ascii_lowercase())
        {
            return Err(Refusal::new(
                format!("Kubernetes replaces `$({name})` before anything runs"),
                format!(
                    "write ${{{name}}} inside a shell command, or use ${{{name}}} with launchgate's `--expand-env`"
                ),
            ));
        }
        rest = behind.strip_prefix('$').unwrap_or(behind);
        let begins_name = |c: char| c == '{' || c.is_ascii_alphabetic() || c == '_';
        if rest == behind && behind.starts_with(begins_name) {
            notes.push("`$NAME` was read as in Kubernetes, as text for the shell; Compose expands it when it reads the file, so write `$$NAME` there".to_owned());
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// CMD and ENTRYPOINT, each as an array or as a shell's text.
fn dockerfile(given: &str) -> Result<Given, Refusal> {
    let joined = given.replace("\\\n", " ");
    let (mut entrypoint, mut cmd) = (None, None);
    for line in filled_lines(&joined) {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let slot = match name.to_ascii_uppercase().as_str() {
            "CMD" => &mut cmd,
            "ENTRYPOINT" => &mut entrypoint,
            _ => {
                return Err(Refusal::new(
                    format!("`{name}` is not CMD or ENTRYPOINT"),
                    "pass only those two lines of the Dockerfile",
                ));
            }
        };
        *slot = Some(rest.trim().to_owned());
    }
    let array = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
    let shell_form = |text: &str| match array(text) {
        Some(words) => Ok(words),
        None if text.starts_with('[') => Err(Refusal::new(
            "the array is not valid JSON, so Docker runs it through a shell",
            "write it with double quotes: [\"sh\", \"-c\", \"…\"]",
        )),
        None => Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()]),
    };
    let (first, cmd) = match (entrypoint, cmd) {
        (Some(entrypoint), cmd) => (entrypoint, cmd),
        (None, Some(cmd)) => (cmd, None),
        (None, None) => return Err(nothing()),
    };
    let mut words = shell_form(&first)?;
    let mut notes = Vec::new();
    if let Some(cmd) = cmd {
        if array(&first).is_some() {
            words.extend(shell_form(&cmd)?);
            notes.push("this replaces ENTRYPOINT and CMD together: write it as ENTRYPOINT and remove the CMD line".to_owned());
        } else {
            notes.push("Docker ignores CMD if ENTRYPOINT is in shell form".to_owned());
        }
    }
    let mut given = literal(&words)?;
    given.notes = notes;
    Ok(given)
}

/// The lines that are neither blank nor comments.
fn filled_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The lines `NAME: command` of a Procfile, where all are.
fn processes(given: &str) -> Option<Vec<(&str, &str)>> {
    let process = |line| {
        let (name, command) = str::split_once(line, ':')?;
        let is_other = |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_';
        let is_one =
            !name.is_empty() && !name.contains(is_other) && command.starts_with([' ', '\t']);
        is_one.then_some((name, command.trim()))
    };
    filled_lines(given).map(process).collect()
}

fn procfile(processes: &[(&str, &str)]) -> Result<Given, Refusal> {
    let of = |name: &str| processes.iter().find(|(known, _)| *known == name);
    let others = processes
        .iter()
        .filter(|(name, _)| !matches!(*name, "web" | "release"));
    let others: Vec<&(&str, &str)> = others.collect();
    let (_, server) = match (of("web"), others.as_slice()) {
        (Some(web), _) => web,
        (None, [one]) => *one,
        (None, []) => {
            return Err(Refusal::new(
                "a Procfile's `release:` line alone starts no server",
                "pass the `web:` line too, or write `launchgate job --migrate '…'` in the release line",
            ));
        }
        (None, _) => {
            return Err(Refusal::new(
                "there are several processes, but no `web:`",
                "pass the line of one process",
            ));
        }
    };
    let mut given = Given::of(ChainForm::Text((*server).to_owned()));
    given.release = of("release").map(|(_, command)| (*command).to_owned());
    for (name, command) in others.iter().filter(|_| of("web").is_some()) {
        let pieces = shell::read(command, &Dialect::Posix).unwrap_or_default();
        let mut contents = pieces.iter().map(|piece| &piece.contents);
        given.notes.push(if contents.any(|contents| contents.has(tools::is_migration)) {
            format!("`{name}: {command}` migrates outside of launchgate: remove the line, or write `launchgate job --migrate '…'` in it")
        } else {
            format!("`{name}: {command}` is a separate process: make it wait for the migration with `launchgate wait -- {command}`")
        });
    }
    Ok(given)
}
