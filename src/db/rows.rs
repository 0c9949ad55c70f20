//! Rows as text, and the ledger's rows decoded from them.

use std::time::Duration;

use sqlx::{Decode, Row, Type};

use super::{
    Error,
    ledger::{LedgerRow, Orphan, RowLease, Run, RunState},
};

/// A row as text, column by column.
pub(super) struct TextRow(pub(super) Vec<Option<String>>);

impl TextRow {
    pub(super) fn opt(&self, column: usize) -> Option<String> {
        self.0.get(column).cloned().flatten()
    }

    pub(super) fn text(&self, column: usize) -> String {
        self.opt(column).unwrap_or_default()
    }

    /// 1, t, true and on are true; NULL is not.
    pub(super) fn flag(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Some(word)) if matches!(word.as_str(), "1" | "t" | "true" | "on" | "ON"))
    }

    pub(super) fn int(&self, column: usize) -> Result<i64, Error> {
        let word = self.text(column);
        word.parse().map_err(|_| {
            Error::refused(
                format!("the ledger contains {word:?} where a number was expected"),
                "compare the table launchgate_runs with `launchgate print-ddl`",
            )
        })
    }

    pub(super) fn opt_int(&self, column: usize) -> Option<i32> {
        self.opt(column)?.parse().ok()
    }

    /// From seconds with a fraction.
    fn milliseconds(&self, column: usize) -> Result<i64, Error> {
        let word = self.text(column);
        let seconds: Option<f64> = word.parse().ok().filter(|s: &f64| s.is_finite());
        let Some(seconds) = seconds else {
            return Ok(self.int(column)?.saturating_mul(1000));
        };
        let time = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Ok(if seconds < 0.0 { -ms } else { ms })
    }
}

/// A driver's row, where every column can be decoded as text.
pub(super) fn text_columns<'r, R>(row: &'r R) -> sqlx::Result<TextRow>
where
    R: Row,
    usize: sqlx::ColumnIndex<R>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    (0..row.len())
        .map(|column| row.try_get_unchecked(column))
        .collect::<Result<_, _>>()
        .map(TextRow)
}

/// The rows that a read returned.
pub(super) fn ledger_rows(rows: &[TextRow]) -> Result<Vec<LedgerRow>, Error> {
    rows.iter().map(ledger_row).collect()
}

fn ledger_row(row: &TextRow) -> Result<LedgerRow, Error> {
    Ok(LedgerRow {
        id: row.int(0)?,
        revision: row.text(1),
        run_id: row.text(2),
        state: RunState::named(&row.text(3)),
        lease: match row.int(4)? {
            0 => RowLease::Over,
            1 => RowLease::Live,
            _ => RowLease::TooLong(row.text(9)),
        },
        holder: row.text(5),
        age_ms: row.milliseconds(6)?.max(0),
        note: row.opt(7),
        ended_ms: row.opt(8).map(|_| row.milliseconds(8)).transpose()?,
    })
}

/// A whole row, as `LedgerSql::history` selects it.
pub(super) fn run(row: &TextRow) -> Result<Run, Error> {
    Ok(Run {
        id: row.int(0)?,
        app: row.text(1),
        revision: row.text(2),
        release_id: row.opt(3),
        release_source: row.opt(4),
        run_id: row.text(5),
        attempt: row.opt_int(6).unwrap_or_default(),
        state: row.text(7),
        step: row.opt(8),
        exit_code: row.opt_int(9),
        term_signal: row.opt_int(10),
        command: row.opt(11),
        holder: row.text(12),
        version: row.text(13),
        note: row.opt(14),
        output_tail: row.opt(15),
        started_at: row.text(16),
        heartbeat_at: row.opt(17),
        lease_until: row.opt(18),
        finished_at: row.opt(19),
        duration_ms: row.milliseconds(20).unwrap_or_default(),
        lease_live: row.int(21)? != 0,
    })
}

/// A session left by a step: process id, state, age in milliseconds, its name.
pub(super) fn orphan(row: &TextRow) -> Result<Orphan, Error> {
    Ok(Orphan {
        pid: i32::try_from(row.int(0)?).unwrap_or_default(),
        state: row.text(1),
        age_ms: row.int(2)?,
        run_id: row
            .text(3)
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}
