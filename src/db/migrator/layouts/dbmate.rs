//! dbmate's: `<VERSION>….sql` with the sections `-- migrate:up` and `-- migrate:down`; the table
//! `schema_migrations` with one column.

use std::collections::HashSet;

use super::versioned::{SQL, Sections, leading_digits, malformed, read_files, with_sections};
use crate::{
    db::{
        Backend,
        migrator::{dialect::TableName, file::MigrationFile, layout::Layout},
    },
    exit::Failure,
};

/// Begins a section.
const UP: &str = "migrate:up";
const DOWN: &str = "migrate:down";

pub(super) static DBMATE: Layout = Layout {
    tool: "dbmate",
    table: TableName::named("schema_migrations"),
    has_dirty: Some(false),
    read: |path| {
        // Any other name is ignored.
        let files = read_files(path, |name| {
            let version = leading_digits(name);
            let is_one = !version.is_empty() && name.ends_with(SQL);
            Ok(is_one.then(|| MigrationFile {
                runs: true,
                label: version.to_owned(),
                ..MigrationFile::default()
            }))
        })?;
        let files = files.into_iter();
        Ok(files.map(|file| with_sections(file, up_section)).collect())
    },
    creation: |history| {
        let version = match history.backend {
            Backend::Postgres => "varchar",
            Backend::Mysql | Backend::Sqlite => "varchar(128)",
        };
        let table = &history.table;
        format!("create table if not exists {table} (version {version} primary key)")
    },
    empty_schema: None,
    columns: &["version"],
    bytes: None,
    // dbmate applies a file that is older than an applied one, and ignores a row without a file.
    compare: |found| {
        let applied: HashSet<String> = found.rows.iter().map(|row| row.text(0)).collect();
        let newest = applied.iter().max();
        let is_late = |file: &MigrationFile| newest.is_some_and(|newest| file.label < *newest);
        Ok(found.plan(
            |file| applied.contains(&file.label),
            |file| is_late(file).then(|| "a newer version".to_owned()),
        ))
    },
    transaction: |file, _| file.usual_transaction(),
    without_foreign_keys: |_| true,
    row: |history, file, _| {
        let version = history.text(&file.label);
        let table = &history.table;
        Ok(format!("insert into {table} (version) values ({version})"))
    },
    failed_row: None,
    failed_hint: None,
    no_transaction_hint: Some("write `-- migrate:up transaction:false`"),
    row_key: |history, file| format!("version = {}", history.text(&file.label)),
};

/// The section to apply: from its own line to that of the other one.
fn up_section(file: &MigrationFile) -> Result<Sections, Failure> {
    let refused = |line, what, hint| Err(malformed(file, line, what, hint));
    // Its row can be written only once, so dbmate fails at the second section.
    let several = "give each section a file of its own";
    let mut up: Option<(usize, bool)> = None;
    let mut down = None;
    let mut at = 0;
    for (number, line) in file.text.split_inclusive('\n').enumerate() {
        let here = Some(number + 1);
        if let Some(options) = directive(line, UP) {
            if up.replace((at, !has_transaction(options))).is_some() {
                return refused(here, "it has several lines `-- migrate:up`", several);
            }
        } else if directive(line, DOWN).is_some() {
            if up.is_some() && down.replace(at).is_some() {
                return refused(here, "it has several lines `-- migrate:down`", several);
            }
        } else if up.is_none() {
            let words = line.trim_ascii_start();
            if !words.is_empty() && !words.starts_with("--") {
                let what = "a statement stands before `-- migrate:up`";
                return refused(here, what, "move it below that line");
            }
        }
        at += line.len();
    }
    match (up, down) {
        (None, _) => refused(
            None,
            "it has no line `-- migrate:up`",
            "write `-- migrate:up` above its statements, or move the file out of the folder",
        ),
        (Some(_), None) => refused(
            None,
            "it has no line `-- migrate:down`, which dbmate requires",
            "write `-- migrate:down` at its end; what follows that line is never run",
        ),
        (Some((start, has_no_transaction)), Some(end)) => {
            Ok((std::iter::once(start..end).collect(), has_no_transaction))
        }
    }
}

/// What follows the word in a line `-- WORD OPTIONS`.
fn directive<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("--")?.trim_ascii_start();
    let rest = rest.strip_prefix(word)?;
    let ends = |c: char| c.is_ascii_whitespace();
    (rest.is_empty() || rest.starts_with(ends)).then_some(rest)
}

/// The last `transaction:VALUE` counts.
fn has_transaction(options: &str) -> bool {
    let pairs = options.split_ascii_whitespace();
    let mut values = pairs.filter_map(|pair| pair.strip_prefix("transaction:"));
    values.rfind(|value| !value.contains(':')) != Some("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(text: &str) -> Result<Sections, Failure> {
        up_section(&MigrationFile {
            text: text.to_owned(),
            ..MigrationFile::default()
        })
    }

    fn up(text: &str) -> Result<&str, String> {
        let (parts, _) = sections(text).map_err(|refusal| refusal.problem().what().to_owned())?;
        Ok(&text[parts[0].clone()])
    }

    #[test]
    fn only_the_up_section_is_applied() {
        let text = "-- guests\n\n-- migrate:up\ncreate table a(x int);\n\n--migrate:down  x:y\ndrop table a;\n";
        assert_eq!(up(text), Ok("-- migrate:up\ncreate table a(x int);\n\n"));
        assert_eq!(
            up("--\tmigrate:up\r\n-- migrate:down"),
            Ok("--\tmigrate:up\r\n")
        );
    }

    #[test]
    fn options_are_pairs_behind_the_word() {
        let has_none = |line: &str| {
            let text = format!("{line}\n-- migrate:down\n");
            sections(&text).unwrap().1
        };
        assert!(has_none("-- migrate:up transaction:false"));
        assert!(has_none("-- migrate:up a:b   transaction:false "));
        assert!(!has_none("-- migrate:up"));
        assert!(!has_none("-- migrate:up transaction:true"));
        assert!(!has_none("-- migrate:up transaction:false:x"));
        assert!(!has_none(
            "-- migrate:up transaction:false transaction:true"
        ));
    }

    #[test]
    fn what_dbmate_refuses_is_refused() {
        let both = "-- migrate:up\n-- migrate:down\n";
        for (text, what) in [
            ("select 1;", "a statement stands before"),
            ("-- migrate:upper\n", "no line `-- migrate:up`"),
            (" -- migrate:up\n", "no line `-- migrate:up`"),
            ("-- migrate:up\nselect 1;", "no line `-- migrate:down`"),
            (
                "-- migrate:down\n-- migrate:up\n",
                "no line `-- migrate:down`",
            ),
            (&both.repeat(2), "several lines `-- migrate:up`"),
            (
                &format!("{both}-- migrate:down\n"),
                "several lines `-- migrate:down`",
            ),
        ] {
            let refused = up(text).unwrap_err();
            assert!(refused.contains(what), "{text:?}: {refused}");
        }
    }
}
