//! Which tools' history tables a database has.

use super::{
    dialect::{MigrationDialect, TableName},
    error::MigrationError,
    folder::MigrationFolder,
    history,
    layout::LayoutKind,
    layouts::layout,
};
use crate::db::{Error, Target, connection::Connection, target::CALL};

/// A history table that is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FoundTable {
    name: String,
    /// It has a column `dirty`, which tells golang-migrate's from others of the same name.
    has_dirty: bool,
}

/// Whose layout the folder has in this database. Refuses a folder of one layout where the database has the
/// table of another one only, unless `--sql-layout` has decided.
pub(super) async fn layout_in(
    connection: &mut dyn Connection,
    target: &Target,
    folder: &MigrationFolder,
) -> Result<LayoutKind, MigrationError> {
    if folder.is_decided {
        return Ok(folder.layout);
    }
    let found = find(connection, target).await?;
    let Some(first) = found.first() else {
        return Ok(folder.layout);
    };
    let possible = [
        Some(folder.layout),
        folder.other.as_ref().map(|(kind, _)| *kind),
    ];
    if let Some(kind) = possible
        .into_iter()
        .flatten()
        .find(|kind| found.contains(kind))
    {
        return Ok(kind);
    }
    let (mine, shown) = (folder.layout.as_str(), folder.path.display());
    let table = |kind: LayoutKind| layout(kind).table(target.backend()).name;
    Err(MigrationError::Layout {
        what: format!(
            "{shown} has the layout of {mine}, and the database has the table {} of {}, but not {}",
            table(*first),
            first.as_str(),
            table(folder.layout)
        ),
        hint: format!(
            "name the folder of {}; if another app of the same database uses that, set --sql-layout {mine}",
            first.as_str()
        ),
    })
}

/// The layouts whose tables are there.
async fn find(
    connection: &mut dyn Connection,
    target: &Target,
) -> Result<Vec<LayoutKind>, MigrationError> {
    let backend = target.backend();
    let dialect = backend.driver().migrations();
    let tables: Vec<TableName> = LayoutKind::ALL
        .into_iter()
        .map(|kind| layout(kind).table(backend))
        .collect();
    let found = tables_among(connection, dialect, &tables, target).await?;
    Ok(LayoutKind::ALL
        .into_iter()
        .filter(|kind| {
            let mine = layout(*kind).table(backend).name;
            let mut found = found.iter();
            found.any(|table| table.name == mine && layout(*kind).is_own(table.has_dirty))
        })
        .collect())
}

async fn tables_among(
    connection: &mut dyn Connection,
    dialect: &dyn MigrationDialect,
    tables: &[TableName],
    target: &Target,
) -> Result<Vec<FoundTable>, Error> {
    let ask = dialect.find_tables(tables, target.url.schema());
    match connection.rows(ask, CALL).await {
        Ok(rows) => Ok(rows
            .iter()
            .map(|row| FoundTable {
                name: row.text(0),
                has_dirty: row.flag(1),
            })
            .collect()),
        Err(fault) if fault.is_missing_table() => Ok(Vec::new()),
        Err(fault) => Err(history::refused(&fault, "the history")),
    }
}
