//! Which tools' history tables a database has.

use super::{
    error::{MigrationError, refused},
    folder::MigrationFolder,
    layout::LayoutKind,
    layouts::layout,
};
use crate::db::{Target, connection::Connection, target::CALL};

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
    let table = |kind: LayoutKind| layout(kind).table.name;
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
    let tables = LayoutKind::ALL.map(|kind| layout(kind).table);
    let ask = (target.backend().driver().migrations.find_tables)(&tables, target.url.schema());
    let rows = match connection.rows(ask, CALL).await {
        Ok(rows) => rows,
        Err(fault) if fault.is_missing_table() => return Ok(Vec::new()),
        Err(fault) => return Err(refused(&fault, "the history").into()),
    };
    let is_there = |kind: &LayoutKind| {
        let layout = layout(*kind);
        rows.iter().any(|row| {
            row.text(0) == layout.table.name
                && layout.has_dirty.is_none_or(|has_it| has_it == row.flag(1))
        })
    };
    Ok(LayoutKind::ALL.into_iter().filter(is_there).collect())
}
