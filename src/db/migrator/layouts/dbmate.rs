//! dbmate's: `<VERSION>….sql` with the sections `-- migrate:up` and `-- migrate:down`; the table
//! `schema_migrations` with one column.

use std::collections::HashSet;

use super::versioned::{Listed, SQL, Sections, go_session, leading_digits, read_files};
use crate::db::{
    Backend,
    migrator::{
        dialect::TableName,
        error::MigrationError,
        file::MigrationFile,
        layout::{Column, Layout, MigrationPlan, PlanWarning},
    },
};

/// Begins a section.
const UP: &str = "migrate:up";
const DOWN: &str = "migrate:down";

pub(super) static DBMATE: Layout = Layout {
    table: TableName {
        schema: None,
        name: "schema_migrations",
    },
    has_dirty: Some(false),
    read: |path| {
        // Any other name is ignored.
        let files = read_files(path, |name| {
            let version = leading_digits(name);
            let is_one = !version.is_empty() && name.ends_with(SQL);
            Ok(is_one.then(|| version.to_owned()))
        })?;
        Ok(files.into_iter().map(migration).collect())
    },
    refuse: None,
    creation: |rows| {
        let version = match rows.backend {
            Backend::Postgres => "varchar",
            Backend::Mysql | Backend::Sqlite => "varchar(128)",
        };
        let table = rows.table;
        format!("create table if not exists {table} (version {version} primary key)")
    },
    empty_schema: None,
    columns: &[Column::Text("version")],
    // dbmate applies a file that is older than an applied one, and ignores a row without a file.
    compare: |_, files, rows| {
        let applied: HashSet<String> = rows.iter().map(|row| row.text(0)).collect();
        let newest = applied.iter().max();
        let pending: Vec<_> = files
            .iter()
            .filter(|file| !applied.contains(&file.label))
            .collect();
        let late = pending
            .iter()
            .filter(|file| newest.is_some_and(|newest| file.label < *newest));
        Ok(MigrationPlan {
            applied: files.len() - pending.len(),
            warnings: late
                .map(|file| PlanWarning::out_of_order(file, "a newer version", "dbmate"))
                .collect(),
            pending,
            ..MigrationPlan::default()
        })
    },
    refuse_file: None,
    transaction: |file, _| file.usual_transaction(),
    session: Some(go_session),
    row: |rows, file, _| {
        let version = rows.text(&file.label);
        let table = rows.table;
        Ok(format!("insert into {table} (version) values ({version})"))
    },
    failed_row: None,
    failed_hint: None,
    no_transaction_hint: Some("write `-- migrate:up transaction:false`"),
    row_key: |rows, file| format!("version = {}", rows.text(&file.label)),
};

fn migration(listed: Listed<String>) -> MigrationFile {
    let read = up_section(&listed.text).map_err(|why| {
        MigrationError::migration(format!("{}: {}", listed.shown, why.what()), why.hint())
    });
    MigrationFile {
        label: listed.version.clone(),
        ..listed.sections(read)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Malformed {
    NoUp,
    NoDown,
    StatementBefore,
    SeveralUps,
    SeveralDowns,
}

impl Malformed {
    fn what(&self) -> &'static str {
        match self {
            Self::NoUp => "it has no line `-- migrate:up`",
            Self::NoDown => "it has no line `-- migrate:down`, which dbmate requires",
            Self::StatementBefore => "a statement stands before `-- migrate:up`",
            Self::SeveralUps => "it has several lines `-- migrate:up`",
            Self::SeveralDowns => "it has several lines `-- migrate:down`",
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NoUp => {
                "write `-- migrate:up` above its statements, or move the file out of the folder"
            }
            Self::NoDown => {
                "write `-- migrate:down` at its end; what follows that line is never run"
            }
            Self::StatementBefore => "move the statement below `-- migrate:up`",
            // Its row can be written only once, so dbmate fails at the second section.
            Self::SeveralUps | Self::SeveralDowns => "give each section a file of its own",
        }
    }
}

/// The section to apply: from its own line to that of the other one.
fn up_section(text: &str) -> Result<Sections, Malformed> {
    let mut up: Option<(usize, bool)> = None;
    let mut down = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(options) = directive(line, UP) {
            if up.replace((at, !has_transaction(options))).is_some() {
                return Err(Malformed::SeveralUps);
            }
        } else if directive(line, DOWN).is_some() {
            if up.is_some() && down.replace(at).is_some() {
                return Err(Malformed::SeveralDowns);
            }
        } else if up.is_none() {
            let words = line.trim_ascii_start();
            if !words.is_empty() && !words.starts_with("--") {
                return Err(Malformed::StatementBefore);
            }
        }
        at += line.len();
    }
    let (start, has_no_transaction) = up.ok_or(Malformed::NoUp)?;
    let end = down.ok_or(Malformed::NoDown)?;
    Ok(Sections {
        parts: std::iter::once(start..end).collect(),
        has_no_transaction,
    })
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

    fn up(text: &str) -> Result<&str, Malformed> {
        up_section(text).map(|up| &text[up.parts[0].clone()])
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
            up_section(&text).unwrap().has_no_transaction
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
        use Malformed::{NoDown, NoUp, SeveralDowns, SeveralUps, StatementBefore};
        let both = "-- migrate:up\n-- migrate:down\n";
        assert_eq!(up("select 1;"), Err(StatementBefore));
        assert_eq!(up("-- migrate:upper\n"), Err(NoUp));
        assert_eq!(up(" -- migrate:up\n"), Err(NoUp));
        assert_eq!(up("-- migrate:up\nselect 1;"), Err(NoDown));
        assert_eq!(up("-- migrate:down\n-- migrate:up\n"), Err(NoDown));
        assert_eq!(up(&format!("{both}{both}")), Err(SeveralUps));
        assert_eq!(up(&format!("{both}-- migrate:down\n")), Err(SeveralDowns));
    }
}
