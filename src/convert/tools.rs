//! What a command does, judged by its name and its words: it migrates, serves, waits, or wraps
//! another program. If the words don't tell, it does not guess.

mod tables;
mod wrapper;

pub(super) use wrapper::{Wrapped, Wrapper, about_database, wrapper};

use super::words::Word;

/// A program's name without its folder, and without a version (`python3.12`).
pub(super) fn base(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or_default();
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
    while name == "env" && rest.first().is_some_and(|word| word.contains('=')) {
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

/// Whether this is known to migrate a database.
pub(super) fn is_migration(words: &[Word]) -> bool {
    let words = texts(words);
    let core = core(&words);
    let name = base(core.first().unwrap_or(&""));
    if is_in(tables::FILE_TOOLS, name) {
        return false;
    }
    let script = script(core);
    let said = script.unwrap_or(core);
    let program = said.first().map(|word| base(word));
    let rest = || said.iter().skip(1).take(8).copied();
    let has = |list: &str, word: &str| speech(word).any(|part| is_in(list, &part));
    let flags = rest().filter(|word| word.starts_with('-'));
    if flags
        .into_iter()
        .any(|flag| has(tables::LOOKING_FLAGS, flag))
    {
        return false;
    }
    let words_of_it = rest().filter(|word| !word.starts_with('-') && !word.contains('/'));
    let mut names = program.into_iter().chain(words_of_it);
    let is_other = names.any(|word| has(tables::NO_MIGRATION, word));
    let is_known = |words: &[&str]| in_table(tables::MIGRATIONS, words);
    is_known(&words)
        || local_program(core).is_some_and(is_known)
        || (!is_other && is_named_so(core, script))
}

/// What `yarn NAME` and `pnpm run NAME` start where no script has that name: a program of a package.
fn local_program<'a, 'b>(core: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let (runner, rest) = core.split_first()?;
    let rest = rest.strip_prefix(&["run"]).unwrap_or(rest);
    (matches!(base(runner), "yarn" | "pnpm") && !rest.is_empty()).then_some(rest)
}

/// Whether the name of the program, its script or its task mentions migrating.
fn is_named_so(core: &[&str], script: Option<&[&str]>) -> bool {
    let name = base(core.first().unwrap_or(&""));
    let migrates = |word: &str| {
        speech(word).any(|part| {
            part.starts_with("migrat") || part == "dbmigrate" || part == "runmigrations"
        })
    };
    if let Some(script) = script {
        if migrates(base(script[0]))
            || (script[0].contains('/') && migrates(folder(script[0])) && is_entry(base(script[0])))
        {
            return true;
        }
    } else if migrates(name) {
        return true;
    }
    // `./app migrate`, `npm run db:migrate`, `bin/app eval "App.Release.migrate"`
    let said = script.unwrap_or(core);
    let mut arguments = arguments(said);
    let task = |word: &&str| !matches!(*word, "run" | "run-script");
    let first = arguments.find(task).unwrap_or_default();
    let is_task = !first.contains(['/', '=', '.']) && migrates(first);
    let is_runner = is_in(tables::RUNNERS, name);
    let evaluated = matches!(first, "eval" | "rpc") && arguments.next().is_some_and(migrates);
    let exact = first
        .split(':')
        .any(|part| matches!(part, "migrate" | "migration" | "migrations"));
    evaluated || is_task && (is_runner || exact)
}

/// The arguments that are neither flags nor the values of a task runner's flags.
fn arguments<'a>(command: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let mut is_value = false;
    command.iter().skip(1).copied().filter(move |word| {
        let was_value = std::mem::replace(&mut is_value, is_in(tables::RUNNER_FLAGS, word));
        !was_value && !word.starts_with('-')
    })
}

/// A task that a command runs besides the migration, as far as the names of its tasks tell.
pub(super) fn other_task(words: &[Word]) -> Option<String> {
    let words = texts(words);
    let core = core(&words);
    let command = script(core).unwrap_or(core);
    let is_list = is_in(tables::TASK_LISTS, base(command.first()?));
    let is_other = |task: &&str| {
        let mut parts = tables::DATABASE_TASKS.split(' ');
        !task.is_empty()
            && !task.contains(['=', '/', '.'])
            && !parts.any(|part| task.to_ascii_lowercase().contains(part))
    };
    let mut tasks = arguments(command).filter(|_| is_list);
    tasks.find(is_other).map(str::to_owned)
}

/// How the lock that a killed migration tool leaves behind is removed.
pub(super) fn unlock<'a>(
    migrations: impl Iterator<Item = &'a [Word]> + Clone,
) -> Option<&'static str> {
    let runs = |row: &str| {
        let mut migrations = migrations.clone();
        migrations.any(|words| in_table(row, &texts(words)))
    };
    tables::STALE_LOCKS.lines().find_map(|row| {
        let (migrates, unlocks) = row.split_once('=')?;
        let name = unlocks.split('|').next();
        name.filter(|_| runs(migrates) && !runs(unlocks))
    })
}

fn folder(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    base(folder)
}

/// Common names of an entry point file.
fn is_entry(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    matches!(stem, "run" | "index" | "main" | "up" | "apply" | "latest")
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
    let core = core(&words);
    let is_file_tool = is_in(tables::FILE_TOOLS, base(core.first().unwrap_or(&"")));
    !is_file_tool && (named_so || in_table(tables::SEEDS, &words))
}

/// Whether it serves until it is stopped.
pub(super) fn is_server(words: &[Word]) -> bool {
    in_table(tables::SERVERS, &texts(words))
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
    let first = words.first().map(|word| base(word)).unwrap_or_default();
    // `npx` and its like stay in front as processes of Node.
    let mut rows = tables::WITHOUT_TERM_HANDLER.lines();
    rows.any(|row| is_row(row, &[first])) || in_table(tables::WITHOUT_TERM_HANDLER, &words)
}

/// Whether it runs through a tool that passes signals on, where naming the server is better.
pub(super) fn is_package_runner(words: &[Word]) -> bool {
    matches!(
        texts(words).first().map(|word| base(word)),
        Some("npm" | "npx" | "yarn" | "pnpm")
    )
}

/// Whether it is a shell script, as far as its name tells.
pub(super) fn is_script(words: &[Word]) -> bool {
    let words = texts(words);
    let core = core(&words);
    let name = base(core.first().unwrap_or(&""));
    matches!(name, "sh" | "bash" | "dash" | "ash" | "busybox")
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
