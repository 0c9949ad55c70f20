//! What migrates a database, and what takes a schema back.

use super::super::words::Word;
use super::{base, core, in_table, is_in, name, script, speech, tables, texts};

/// Whether this is known to migrate a database.
pub(in crate::convert) fn is_migration(words: &[Word]) -> bool {
    let words = texts(words);
    let core = core(&words);
    let name = name(core);
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
    let name = name(core);
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
pub(in crate::convert) fn other_task(words: &[Word]) -> Option<String> {
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
pub(in crate::convert) fn unlock<'a>(
    migrations: &(impl Iterator<Item = &'a [Word]> + Clone),
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

/// Whether it sends SQL to a database.
pub(in crate::convert) fn is_sql_client(words: &[Word]) -> bool {
    is_in(tables::SQL_CLIENTS, name(core(&texts(words))))
}

/// Whether the text has SQL that takes the schema away.
pub(in crate::convert) fn has_undoing_sql(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    tables::UNDOING_SQL.lines().any(|sql| text.contains(sql))
}

/// Whether it takes the schema back or away.
pub(in crate::convert) fn undoes(words: &[Word]) -> bool {
    let words = texts(words);
    let core = core(&words);
    let Some((program, rest)) = core.split_first() else {
        return false;
    };
    if is_in(tables::SQL_CLIENTS, base(program)) {
        return rest.iter().any(|word| has_undoing_sql(word));
    }
    let mut tasks = arguments(core).filter(|_| is_in(tables::RUNNERS, base(program)));
    let has = |task: &str, list: &str| speech(task).any(|part| is_in(list, &part));
    in_table(tables::UNDOING, &words)
        || local_program(core).is_some_and(|words| in_table(tables::UNDOING, words))
        || tasks.any(|task| {
            has(task, "db database schema migrate migration migrations")
                && has(task, tables::UNDOING_TASKS)
        })
}
