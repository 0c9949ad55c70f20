//! The history table that a folder continues, and its rows.

use super::{
    error::{MigrationError, refused, sql_failure},
    file::MigrationFile,
    layout::{Compared, History, LayoutKind, MigrationPlan},
    layouts::{MigrationFolder, layout},
    statements::line,
};
use crate::{
    db::{Error, Target, connection::Connection, fault::Meaning, rows::TextRow, target::CALL},
    exit::Failure,
};

impl History {
    pub(super) fn new(kind: LayoutKind, target: &Target) -> Self {
        let layout = layout(kind);
        let table = (target.backend().driver().migrations.table)(layout.table, &target.url);
        Self {
            kind,
            layout,
            table,
            backend: target.backend(),
            schema: target.url.schema().map(str::to_owned),
        }
    }

    /// The history that the folder continues, and its rows; `None` if it has to be created. Changes
    /// nothing.
    ///
    /// # Errors
    /// The folder is for another database or tool, or the tool would not create its history here.
    pub(super) async fn find(
        connection: &mut dyn Connection,
        target: &Target,
        folder: &MigrationFolder,
    ) -> Result<(Self, Option<Vec<TextRow>>), MigrationError> {
        let found = Self::new(layout_in(connection, target, folder).await?, target);
        MigrationFolder::check_backend(&folder.path, target.backend())?;
        let rows = found.read(connection).await?;
        if let (None, Some((ask, refuse))) = (&rows, found.layout.empty_schema) {
            match connection.rows(ask(&found), CALL).await {
                Ok(rows) => {
                    let other = rows.first().map(|row| refuse(&row.text(0)));
                    other.map_or(Ok(()), Err)?;
                }
                // There is no file yet.
                Err(fault) if fault.means(Meaning::MissingTable) => {}
                Err(fault) => return Err(refused(&fault, &found.table).into()),
            }
        }
        Ok((found, rows))
    }

    /// Compares the folder with the rows. Refuses a pending file that can't be applied.
    pub(super) fn plan<'a>(
        &self,
        folder: &'a MigrationFolder,
        rows: Option<Vec<TextRow>>,
    ) -> Result<MigrationPlan<'a>, Failure> {
        let plan = (self.layout.compare)(&Compared {
            path: &folder.path,
            backend: self.backend,
            layout: self.layout,
            files: folder.files_for(self.kind),
            rows: rows.unwrap_or_default(),
        })?;
        let allows_nul = self.backend.driver().migrations.allows_nul;
        let nul = |file: &MigrationFile| {
            let at = file.text.find('\0').filter(|_| !allows_nul)?;
            let line = line(&file.text, at);
            let what = format!("{}:{line}: NUL byte in the file", file.shown);
            let hint = "remove the NUL byte, save the file as UTF-8 and start again";
            Some(sql_failure(what, hint))
        };
        let mut pending = plan.pending.iter();
        match pending.find_map(|file| file.refusal.clone().or_else(|| nul(file))) {
            Some(refusal) => Err(refusal),
            None => Ok(plan),
        }
    }

    async fn read(&self, connection: &mut dyn Connection) -> Result<Option<Vec<TextRow>>, Error> {
        let dialect = self.backend.driver().migrations;
        let columns = self.layout.columns.iter();
        let columns = columns.map(|column| (dialect.as_text)(column));
        let columns = columns.chain(self.layout.bytes.map(dialect.as_hex));
        let columns: Vec<String> = columns.collect();
        let ask = format!("SELECT {} FROM {}", columns.join(", "), self.table);
        match connection.rows(ask, CALL).await {
            Ok(rows) => Ok(Some(rows)),
            Err(fault) if fault.means(Meaning::MissingTable) => Ok(None),
            Err(fault) => Err(refused(&fault, &self.table)),
        }
    }
}

/// Whose layout the folder has in this database. Refuses a folder of one layout where the database has the
/// table of another one only, unless `--sql-layout` has decided.
async fn layout_in(
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
    let other = folder.other.as_ref().map(|(kind, _)| *kind);
    let mut possible = std::iter::once(folder.layout).chain(other);
    if let Some(kind) = possible.find(|kind| found.contains(kind)) {
        return Ok(kind);
    }
    let (mine, shown) = (folder.layout.as_str(), folder.path.display());
    let table = |kind: LayoutKind| layout(kind).table.name;
    Err(Failure::usage(
        format!(
            "{shown} has the layout of {mine}, and the database has the table {} of {}, but not {}",
            table(*first),
            first.as_str(),
            table(folder.layout)
        ),
        format!(
            "name the folder of {}; if another app of the same database uses that, set --sql-layout {mine}",
            first.as_str()
        ),
    )
    .into())
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
        Err(fault) if fault.means(Meaning::MissingTable) => return Ok(Vec::new()),
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
