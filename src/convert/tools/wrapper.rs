//! Wrappers that launchgate replaces: inits, programs that switch users, programs that wait for a
//! database.

use super::super::Refusal;
use super::super::words::Word;
use super::{base, behind_flags, texts};

/// What a program in front of a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::convert) enum Wrapper {
    /// An init, and the flags that make launchgate one alike.
    Init { name: String, flags: Vec<String> },
    /// Changes the user, and sets HOME as `--user` does.
    User { name: String, user: String },
    /// Waits, for how long at most.
    Wait { timeout: Option<String> },
}

/// What stands in front, its own words and the words behind it.
pub(in crate::convert) type Wrapped = (Wrapper, Vec<Word>, Vec<Word>);

/// What stands in front, its own words, and the command behind it. A wait may have none.
///
/// # Errors
/// It is such a program, and its arguments are not understood.
pub(in crate::convert) fn wrapper(words: &[Word]) -> Result<Option<Wrapped>, Refusal> {
    let name = base(words.first().and_then(Word::text).unwrap_or_default()).to_owned();
    let found = match name.as_str() {
        "tini" | "tini-static" | "docker-init" | "catatonit" | "dumb-init" => init(name, words)?,
        "gosu" | "su-exec" => {
            let user = words.get(1).and_then(Word::text).map(str::to_owned);
            let user = user.filter(|user| !user.starts_with('-') && words.len() > 2);
            let user = user.ok_or_else(|| not_understood(&name))?;
            (Wrapper::User { name, user }, 2)
        }
        "dockerize" => dockerize(&name, words)?,
        "wait4x" | "wait-for-it" | "wait-for-it.sh" | "wait-for" | "wait-for.sh"
        | "wait_for_it.sh" => {
            let end = words.iter().position(|word| word.text() == Some("--"));
            let end = end.map_or(words.len(), |end| end + 1);
            (
                Wrapper::Wait {
                    timeout: timeout(&words[..end]),
                },
                end,
            )
        }
        _ if is_wait(&name, words) => (Wrapper::Wait { timeout: None }, words.len()),
        _ => return Ok(None),
    };
    let (wrapper, own) = found;
    let (mut own, rest) = (words[..own].to_vec(), words[own..].to_vec());
    own.pop_if(|word| word.text() == Some("--"));
    Ok(Some((wrapper, own, rest)))
}

/// Programs that wait, or look once whether there is something to wait for, and end.
fn is_wait(name: &str, words: &[Word]) -> bool {
    let has = |text: &str| words.iter().any(|word| word.text() == Some(text));
    match name {
        "pg_isready" | "wait-port" | "wait-on" => true,
        "mysqladmin" | "mariadb-admin" => has("ping"),
        "nc" | "ncat" | "netcat" => words
            .iter()
            .filter_map(Word::text)
            .any(|flag| flag.starts_with('-') && flag.contains('z')),
        "manage.py" | "python" | "python3" => has("wait_for_db") || has("wait_for_database"),
        _ => name.starts_with("wait-for") || name.starts_with("wait_for"),
    }
}

fn not_understood(name: &str) -> Refusal {
    Refusal::new(
        format!("`{name}` has arguments that convert does not support"),
        format!("remove `{name}`, and see `launchgate run --help` for an equivalent flag"),
    )
}

fn init(name: String, words: &[Word]) -> Result<(Wrapper, usize), Refusal> {
    let mut flags = vec!["--init".to_owned()];
    let is_dumb_init = name == "dumb-init";
    let mut group = is_dumb_init;
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(Word::text) {
        let value = || {
            let value = words.get(at + 1).and_then(Word::text);
            value
                .map(str::to_owned)
                .ok_or_else(|| not_understood(&name))
        };
        match word {
            "--" => {
                at += 1;
                break;
            }
            "-c" | "--single-child" if is_dumb_init => group = false,
            "-v" | "-vv" | "-vvv" | "-s" | "-w" | "--verbose" => {}
            "-r" | "--rewrite" if is_dumb_init => {
                flags.extend(["--rewrite-signal".to_owned(), value()?]);
                at += 1;
            }
            "-g" if !is_dumb_init => group = true,
            "-e" if name.starts_with("tini") => {
                flags.extend(["--remap-exit".to_owned(), format!("{}:0", value()?)]);
                at += 1;
            }
            "-p" if name.starts_with("tini") => {
                flags.extend(["--parent-death-signal".to_owned(), value()?]);
                at += 1;
            }
            flag if flag.starts_with('-') => return Err(not_understood(&name)),
            _ => break,
        }
        at += 1;
    }
    if group {
        flags.insert(1, "--init-group".to_owned());
    }
    if at >= words.len() {
        return Err(Refusal::new(
            format!("no command follows `{name}`"),
            "add the CMD, or what follows it in args",
        ));
    }
    Ok((Wrapper::Init { name, flags }, at))
}

/// `dockerize -wait URL … [-timeout D] COMMAND`.
fn dockerize(name: &str, words: &[Word]) -> Result<(Wrapper, usize), Refusal> {
    const KNOWN: [&str; 3] = ["wait", "timeout", "wait-retry-interval"];
    let bare = |flag: &str| KNOWN.contains(&flag.trim_start_matches('-'));
    let texts = texts(words);
    let valued: Vec<&str> = texts.iter().copied().filter(|flag| bare(flag)).collect();
    let at = words.len() - behind_flags(&texts[1..], &valued).len();
    let flags = texts[1..at].iter();
    let mut names = flags
        .filter(|word| word.starts_with('-') && **word != "--")
        .map(|flag| flag.split_once('=').map_or(*flag, |(name, _)| name));
    let waits = names.clone().any(|name| name.ends_with("-wait"));
    if !waits || !names.all(bare) {
        return Err(not_understood(name));
    }
    let timeout = timeout(&words[..at]);
    Ok((Wrapper::Wait { timeout }, at))
}

fn timeout(words: &[Word]) -> Option<String> {
    let mut flags = words.iter().filter_map(Word::text);
    let mut found = None;
    while let Some(flag) = flags.next() {
        found = match flag.trim_start_matches('-') {
            "t" | "timeout" if flag.starts_with('-') => flags.next().and_then(duration),
            name => name.strip_prefix("timeout=").and_then(duration).or(found),
        };
    }
    found
}

/// `60` and `1m30s` as launchgate writes them.
fn duration(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(match text.trim_start_matches('0') {
            "" => "0".to_owned(),
            digits => format!("{digits}s"),
        });
    }
    humantime::parse_duration(text).ok()?;
    Some(text.to_owned())
}

/// Whether the target of a wait looks like a database.
pub(in crate::convert) fn about_database(words: &[Word]) -> bool {
    const PORTS: [&str; 5] = ["5432", "5433", "6432", "3306", "3307"];
    const NAMES: [&str; 6] = ["postgres", "pg", "mysql", "maria", "sql", "database"];
    const OTHERS: [&str; 6] = ["mongo", "influx", "couch", "dynamo", "arango", "nosql"];
    words.iter().any(|word| {
        let source = word.source.to_ascii_lowercase();
        let mut parts = source.split(|c: char| !c.is_ascii_alphanumeric());
        parts.any(|part| {
            let is_db = part.starts_with("db") || part.ends_with("db");
            let is_named = is_db || NAMES.iter().any(|name| part.contains(name));
            let is_other = OTHERS.iter().any(|other| part.contains(other));
            PORTS.contains(&part) || is_named && !is_other
        })
    })
}
