//! Programs that people put in front of a server or a migration, and that launchgate stands in
//! for: inits, changers of users, programs that wait for a database. What a program is, its
//! name tells; what can't be told from its arguments is not guessed.

use super::Unsure;
use super::words::Word;

/// What was in front of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// An init, and the flags that make launchgate one alike.
    Init { name: String, flags: Vec<String> },
    /// A change of user.
    User { name: String, user: String },
    /// Waiting for a database, and for how long at most.
    Wait {
        name: String,
        timeout: Option<String>,
    },
}

/// The program's name without its folder.
pub(super) fn name(words: &[Word]) -> &str {
    let program = words.first().and_then(Word::text).unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default()
}

/// What stands in front, and the command behind it, which a wait need not have.
///
/// # Errors
/// It is such a program, and what it is asked is not understood.
pub(super) fn front(words: &[Word]) -> Result<Option<(Front, Vec<Word>)>, Unsure> {
    let name = name(words).to_owned();
    Ok(match name.as_str() {
        "tini" | "tini-static" | "docker-init" | "catatonit" | "dumb-init" => {
            Some(init(name, words)?)
        }
        "gosu" | "su-exec" => {
            let user = words.get(1).and_then(Word::text).map(str::to_owned);
            let user = user.filter(|user| !user.starts_with('-') && words.len() > 2);
            let user = user.ok_or_else(|| not_read(&name))?;
            Some((Front::User { name, user }, words[2..].to_vec()))
        }
        "dockerize" => Some(dockerize(name, words)?),
        "pg_isready" | "mysqladmin" | "mariadb-admin" | "nc" | "wait-on" | "wait-port" => {
            if name == "mysqladmin" && !words.iter().any(|word| word.text() == Some("ping")) {
                return Ok(None);
            }
            about_database(&name, words)?;
            Some((
                Front::Wait {
                    name,
                    timeout: None,
                },
                Vec::new(),
            ))
        }
        _ if name.starts_with("wait-for") || name.starts_with("wait_for") => {
            Some(wait_for(name, words)?)
        }
        _ => None,
    })
}

fn not_read(name: &str) -> Unsure {
    Unsure::new(
        format!("`{name}` has arguments that are not understood"),
        "write the command without it, and see `launchgate run --help` for what it did",
    )
}

fn init(name: String, words: &[Word]) -> Result<(Front, Vec<Word>), Unsure> {
    let mut flags = vec!["--init".to_owned()];
    let mut group = name == "dumb-init";
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(Word::text) {
        let value = || {
            let value = words.get(at + 1).and_then(Word::text);
            value.map(str::to_owned).ok_or_else(|| not_read(&name))
        };
        match word {
            "--" => {
                at += 1;
                break;
            }
            "-c" | "--single-child" if name == "dumb-init" => group = false,
            "-v" | "-vv" | "-vvv" | "-s" | "-w" | "--verbose" => {}
            "-r" | "--rewrite" if name == "dumb-init" => {
                flags.extend(["--rewrite-signal".to_owned(), value()?]);
                at += 1;
            }
            "-g" if name != "dumb-init" => group = true,
            "-e" if name.starts_with("tini") => {
                flags.extend(["--remap-exit".to_owned(), format!("{}:0", value()?)]);
                at += 1;
            }
            "-p" if name.starts_with("tini") => {
                flags.extend(["--parent-death-signal".to_owned(), value()?]);
                at += 1;
            }
            flag if flag.starts_with('-') => return Err(not_read(&name)),
            _ => break,
        }
        at += 1;
    }
    if group {
        flags.insert(1, "--init-group".to_owned());
    }
    let rest = words.get(at..).unwrap_or_default().to_vec();
    if rest.is_empty() {
        return Err(not_read(&name));
    }
    Ok((Front::Init { name, flags }, rest))
}

fn wait_for(name: String, words: &[Word]) -> Result<(Front, Vec<Word>), Unsure> {
    let end = words.iter().position(|word| word.text() == Some("--"));
    let own = &words[..end.unwrap_or(words.len())];
    about_database(&name, own)?;
    let mut timeout = None;
    let mut flags = own.iter().filter_map(Word::text);
    while let Some(flag) = flags.next() {
        let value = match flag {
            "-t" | "--timeout" => flags.next(),
            _ => flag.strip_prefix("--timeout="),
        };
        timeout = value.and_then(duration).or(timeout);
    }
    let rest = end.map_or(&[][..], |end| &words[end + 1..]).to_vec();
    Ok((Front::Wait { name, timeout }, rest))
}

fn dockerize(name: String, words: &[Word]) -> Result<(Front, Vec<Word>), Unsure> {
    let mut timeout = None;
    let mut at = 1;
    let mut waits = false;
    while let Some(flag) = words.get(at).and_then(Word::text) {
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value)),
            _ => (flag, None),
        };
        let step = if value.is_some() { 1 } else { 2 };
        let value = value.or_else(|| words.get(at + 1).and_then(Word::text));
        match flag.trim_start_matches('-') {
            _ if !flag.starts_with('-') => break,
            "" => {
                at += 1;
                break;
            }
            "wait" => waits = true,
            "timeout" => timeout = value.and_then(duration),
            "wait-retry-interval" => {}
            _ => return Err(not_read(&name)),
        }
        at += step;
    }
    let at = at.min(words.len());
    if !waits {
        return Err(not_read(&name));
    }
    about_database(&name, &words[..at])?;
    Ok((Front::Wait { name, timeout }, words[at..].to_vec()))
}

/// `60` and `1m30s` as launchgate has them.
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

/// Refuses to drop a wait for something that launchgate does not wait for.
fn about_database(name: &str, words: &[Word]) -> Result<(), Unsure> {
    let text = words
        .iter()
        .map(|word| word.source.to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join(" ");
    if speaks_of_database(&text) {
        return Ok(());
    }
    Err(Unsure::new(
        format!("`{name}` waits for something that may not be the database"),
        "launchgate waits for the database alone; let the server itself try again for the rest, and leave the wait out",
    ))
}

fn speaks_of_database(text: &str) -> bool {
    let ports = ["5432", "5433", "6432", "3306", "3307"];
    let names = ["postgres", "pg", "mysql", "maria", "sql", "database", "db"];
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| ports.contains(&part) || names.iter().any(|name| part.contains(name)))
}

/// Programs that serve until they are told to stop.
pub(super) fn is_server(words: &[Word]) -> bool {
    const SERVERS: [&str; 26] = [
        "gunicorn",
        "uvicorn",
        "hypercorn",
        "daphne",
        "uwsgi",
        "waitress-serve",
        "puma",
        "unicorn",
        "thin",
        "nginx",
        "httpd",
        "apache2",
        "apachectl",
        "apache2ctl",
        "apache2-foreground",
        "caddy",
        "php-fpm",
        "redis-server",
        "celery",
        "sidekiq",
        "supervisord",
        "pm2-runtime",
        "cron",
        "crond",
        "sshd",
        "runserver",
    ];
    let texts = || words.iter().take(5).filter_map(Word::text);
    name(words) == "service"
        || texts().any(|text| SERVERS.contains(&text.rsplit('/').next().unwrap_or_default()))
}

/// Commands that by their names change a database and end.
pub(super) fn is_migration(words: &[Word]) -> bool {
    const NAMES: [&str; 11] = [
        "migrat",
        "alembic",
        "flyway",
        "liquibase",
        "db:prepare",
        "db:setup",
        "db:seed",
        "dbmate",
        "sqitch",
        "goose",
        "schema:update",
    ];
    words.iter().take(6).any(|word| {
        let word = word.source.to_ascii_lowercase();
        NAMES.iter().any(|name| word.contains(name))
    })
}
