//! What a command does, judged by its name and its words: it migrates, serves, waits, or wraps
//! another program. If the words don't tell, it does not guess.

mod migration;
mod tables;
mod wrapper;

pub(super) use migration::{
    has_undoing_sql, is_migration, is_sql_client, other_task, undoes, unlock,
};
pub(super) use wrapper::{Wrapped, Wrapper, about_database, wrapper};

use super::words::Word;

/// A program's name without its folder, and without a version (`python3.12`, `prisma@6`).
pub(super) fn base(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or_default();
    let name = name.split('@').next().unwrap_or_default();
    for versioned in ["python", "php-fpm", "php"] {
        let version = name.strip_prefix(versioned);
        if version
            .is_some_and(|v| !v.is_empty() && v.chars().all(|c| c.is_ascii_digit() || c == '.'))
        {
            return versioned;
        }
    }
    name
}

/// The plain text of each word; nothing for a word that only a shell can tell.
fn texts(words: &[Word]) -> Vec<&str> {
    let texts = words.iter().map(|word| word.text().unwrap_or_default());
    texts.collect()
}

/// The first word that is no flag, in front of which `valued` flags take a word of their own.
fn behind_flags<'a, 'b>(words: &'a [&'b str], valued: &[&str]) -> &'a [&'b str] {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += 1 + usize::from(valued.contains(word));
        if *word == "--" {
            break;
        }
    }
    words.get(at..).unwrap_or_default()
}

/// The name of the program that wrappers run in the end.
fn name<'a>(core: &[&'a str]) -> &'a str {
    base(core.first().copied().unwrap_or_default())
}

/// The wrapped command, behind wrappers that keep running.
fn core<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let mut words = words;
    while let Some(rest) = behind_kept(words) {
        words = rest;
    }
    words
}

fn behind_kept<'a, 'b>(words: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let name = base(words.first()?);
    let (mut row, next) = tables::KEPT.lines().find_map(|row| {
        let mut row = row.split(' ');
        let known = row.next()?;
        let (known, next) = known
            .split_once('/')
            .map_or((known, None), |(known, next)| (known, Some(next)));
        (known == name && next.is_none_or(|next| words.get(1) == Some(&next)))
            .then_some((row, next))
    })?;
    let positional: usize = row.next()?.parse().ok()?;
    let valued: Vec<&str> = row.collect();
    let from = 1 + usize::from(next.is_some());
    let mut rest = behind_flags(words.get(from..)?, &valued);
    while matches!(name, "env" | "cross-env") && rest.first().is_some_and(|word| word.contains('='))
    {
        rest = &rest[1..];
    }
    let rest = rest.get(positional..)?;
    let rest = rest.strip_prefix(&["--"]).unwrap_or(rest);
    (!rest.is_empty()).then_some(rest)
}

/// The script that an interpreter is given, with its arguments.
fn script<'a, 'b>(core: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let name = base(core.first()?);
    let mut rows = tables::INTERPRETERS.lines().map(|row| row.split(' '));
    let valued = rows.find_map(|mut row| (row.next()? == name).then_some(row))?;
    let valued: Vec<&str> = valued.collect();
    let mut rest = behind_flags(&core[1..], &valued);
    if matches!(
        (name, rest.first()),
        ("bun" | "deno" | "go", Some(&"run")) | ("dotnet", Some(&"exec"))
    ) {
        rest = behind_flags(&rest[1..], &valued);
    }
    (!rest.is_empty()).then_some(rest)
}

/// Whether a row of a table is this command.
fn is_row(row: &str, command: &[&str]) -> bool {
    let mut row = row.split(' ');
    let Some((program, rest)) = command.split_first() else {
        return false;
    };
    let is_one_of = |known: &str, word: &str| known.split('|').any(|known| known == word);
    let mut rest = rest.iter().take(16);
    row.next()
        .is_some_and(|known| is_one_of(known, base(program)))
        && row.all(|known| rest.any(|word| is_one_of(known, word)))
}

fn in_table(table: &str, words: &[&str]) -> bool {
    let core = core(words);
    let matches = |command: &[&str]| table.lines().any(|row| is_row(row, command));
    matches(core) || script(core).is_some_and(matches)
}

/// Whether a list of words has this one.
fn is_in(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

/// The parts of a name: `runMigrations.js` is `run`, `migrations`, `js`.
fn speech(word: &str) -> impl Iterator<Item = String> {
    let mut parted = String::new();
    let mut was_lower = false;
    for c in word.chars() {
        if c.is_ascii_uppercase() && was_lower {
            parted.push(' ');
        }
        was_lower = c.is_ascii_lowercase();
        parted.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            ' '
        });
    }
    let parts: Vec<String> = parted.split_whitespace().map(str::to_owned).collect();
    parts.into_iter()
}

/// Whether it only puts data into the database, so that it could be a step.
pub(super) fn is_seed(words: &[Word]) -> bool {
    let words = texts(words);
    let named_so = words.iter().any(|word| {
        speech(word).any(|part| matches!(part.as_str(), "seed" | "seeds" | "seeder" | "fixtures"))
    });
    let is_file_tool = is_in(tables::FILE_TOOLS, name(core(&words)));
    !is_file_tool && (named_so || in_table(tables::SEEDS, &words))
}

/// The argument that a program passes to a shell, if it is one that starts other programs.
pub(super) fn texts_for_shells(words: &[Word]) -> impl Iterator<Item = &str> {
    let first = base(words.first().and_then(Word::text).unwrap_or_default());
    let mut kept = tables::KEPT.lines();
    let starts = is_in(tables::STARTERS, first)
        || kept.any(|row| row.split([' ', '/']).next() == Some(first));
    let texts = words.iter().skip(1).filter_map(Word::text);
    texts.filter(move |text| starts && text.contains(char::is_whitespace))
}

/// Whether it serves until it is stopped.
pub(super) fn is_server(words: &[Word]) -> bool {
    let texts = texts(words);
    if in_table(tables::SERVERS, &texts) {
        return true;
    }
    // `./server`, `node dist/server.js`, but not `./server migrate`
    let core = core(&texts);
    let program = script(core).unwrap_or(core);
    let is_named_so = program
        .first()
        .is_some_and(|name| base(name).split('.').next() == Some("server"));
    is_named_so && program[1..].iter().all(|word| word.starts_with('-')) && !is_migration(words)
}

/// Whether it is known to end by itself.
pub(super) fn ends_at_once(words: &[Word]) -> bool {
    is_in(tables::NO_SERVERS, texts(words).first().unwrap_or(&""))
}

/// Whether it leaves a daemon behind.
pub(super) fn is_daemon(words: &[Word]) -> bool {
    in_table(tables::DAEMONS, &texts(words))
}

/// Whether its exit status is an answer.
pub(super) fn is_question(words: &[Word]) -> bool {
    in_table(tables::QUESTIONS, &texts(words))
}

/// Whether it ignores SIGTERM as PID 1.
pub(super) fn ignores_term(words: &[Word]) -> bool {
    let words = texts(words);
    if in_table(tables::WITH_TERM_HANDLER, &words) {
        return false;
    }
    let first = name(&words);
    // `npx` and its like stay in front as processes of Node.
    let mut rows = tables::WITHOUT_TERM_HANDLER.lines();
    rows.any(|row| is_row(row, &[first])) || in_table(tables::WITHOUT_TERM_HANDLER, &words)
}

/// Whether it runs through a tool that passes signals on, where naming the server is better.
pub(super) fn is_package_runner(words: &[Word]) -> bool {
    is_in("npm npx yarn pnpm", name(&texts(words)))
}

/// Whether it is a shell script, as far as its name tells.
pub(super) fn is_script(words: &[Word]) -> bool {
    let name = name(core(&texts(words)));
    is_in("sh bash dash ash busybox", name)
        || name.contains("entrypoint")
        || name.rsplit('.').next() == Some("sh")
}

/// Whether it changes or queries the shell that runs it, which no other process can do.
pub(super) fn changes_shell(words: &[Word]) -> bool {
    let Some(name) = words.first().and_then(Word::text) else {
        return false;
    };
    match name {
        ":" | "!" | "[[" | "{" | "break" | "continue" | "hash" => false,
        "command" => !is_question(words),
        "exit" => words
            .get(1)
            .and_then(Word::text)
            .is_none_or(|code| code == "0"),
        "read" | "mapfile" | "readarray" | "trap" => true,
        name => crate::shell_words::instead_of(name).is_some(),
    }
}

#[cfg(test)]
mod tests;
