//! The history table that a folder continues, and its rows.

use super::{
    dialect::MigrationDialect,
    error::{MigrationError, refused},
    file::MigrationFile,
    folder::MigrationFolder,
    layout::{EmptySchema, Layout, LayoutKind, MigrationPlan, RowSql},
    layouts::layout,
    tables::layout_in,
};
use crate::db::{Backend, Error, Target, connection::Connection, rows::TextRow, target::CALL};

/// A tool's table in a database.
pub(super) struct History {
    pub(super) kind: LayoutKind,
    pub(super) layout: &'static Layout,
    /// Its name, as far as it has to be qualified.
    pub(super) table: String,
}

impl History {
    pub(super) fn new(kind: LayoutKind, target: &Target) -> Self {
        let layout = layout(kind);
        let table = (target.backend().driver().migrations.table)(layout.table, &target.url);
        Self {
            kind,
            layout,
            table,
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
        if let Some(refuse) = found.layout.refuse {
            refuse(&folder.path, target.backend())?;
        }
        let dialect = target.backend().driver().migrations;
        let rows = found.read(connection, dialect).await?;
        if let (None, Some(empty)) = (&rows, &found.layout.empty_schema) {
            found.refuse_not_empty(connection, target, empty).await?;
        }
        Ok((found, rows))
    }

    /// Compares the folder with the rows. Refuses a pending file that can't be applied.
    pub(super) fn plan<'a>(
        &self,
        folder: &'a MigrationFolder,
        rows: Option<Vec<TextRow>>,
        backend: Backend,
    ) -> Result<MigrationPlan<'a>, MigrationError> {
        let files = folder.files_for(self.kind);
        let plan = (self.layout.compare)(&folder.path, files, &rows.unwrap_or_default())?;
        let refuse = |file: &&MigrationFile| {
            let by_layout = self.layout.refuse_file;
            let refusal = file.refusal.clone();
            refusal.or_else(|| by_layout.and_then(|refuse| refuse(file, backend)))
        };
        match plan.pending.iter().find_map(refuse) {
            Some(refusal) => Err(refusal),
            None => Ok(plan),
        }
    }

    async fn read(
        &self,
        connection: &mut dyn Connection,
        dialect: &MigrationDialect,
    ) -> Result<Option<Vec<TextRow>>, Error> {
        let columns = self.layout.columns.iter();
        let columns: Vec<String> = columns.map(|column| column.select(dialect)).collect();
        let ask = format!("SELECT {} FROM {}", columns.join(", "), self.table);
        match connection.rows(ask, CALL).await {
            Ok(rows) => Ok(Some(rows)),
            Err(fault) if fault.is_missing_table() => Ok(None),
            Err(fault) => Err(refused(&fault, &self.table)),
        }
    }

    /// Refuses to create a history beside another table.
    async fn refuse_not_empty(
        &self,
        connection: &mut dyn Connection,
        target: &Target,
        empty: &EmptySchema,
    ) -> Result<(), MigrationError> {
        let ask = (empty.ask)(&RowSql::of(target, &self.table));
        match connection.rows(ask, CALL).await {
            Ok(rows) => match rows.first() {
                Some(other) => Err((empty.refused)(&other.text(0))),
                None => Ok(()),
            },
            // There is no file yet.
            Err(fault) if fault.is_missing_table() => Ok(()),
            Err(fault) => Err(refused(&fault, &self.table).into()),
        }
    }
}
