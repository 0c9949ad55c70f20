//! The table of the settings, secrets hidden.

use std::fmt::Write as _;

use crate::redact;
use crate::settings::{CheckSettings, DatabaseChoice, Row};

/// Every setting, without passwords.
pub(super) fn redacted(settings: &CheckSettings) -> Vec<Row> {
    let mut rows = settings.rows.clone();
    for row in &mut rows {
        if let DatabaseChoice::Url(url) = &settings.gate.ledger.database.choice {
            row.value = url.value.redact(&row.value);
        }
        // The URL itself is shown by a type that hides its password.
        row.value = redact::passwords(&row.value).into_owned();
    }
    rows
}

/// Renders rows as a table.
pub(super) fn table(heading: &str, rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &String, least: usize| {
        rows.iter()
            .map(|row| of(row).chars().count())
            .max()
            .unwrap_or(0)
            .clamp(least, 60)
    };
    let (first, second) = (
        width(|row| &row.name, heading.len()),
        width(|row| &row.value, 5),
    );
    let mut out = format!("{heading:first$}  {:second$}  FROM\n", "VALUE");
    for Row {
        name,
        value,
        origin,
    } in rows
    {
        let value = value.replace(char::is_control, " ");
        let _ = writeln!(out, "{name:first$}  {value:second$}  {origin}");
    }
    out
}
