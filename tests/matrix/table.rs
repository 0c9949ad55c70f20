//! The table of docs/databases.md.

use std::{fs, process::Command};

use crate::{
    Cell, Row,
    common::{core_rules::RULES, home::output},
};

const BEGIN: &str = "<!-- scripts/matrix writes from here -->\n";
const END: &str = "<!-- to here -->";

/// Replaces the table in `page`.
pub fn write(page: &str, rows: &[Row]) {
    let text = fs::read_to_string(page).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let table = table(rows);
    fs::write(page, format!("{before}{BEGIN}{table}{END}{after}")).expect("the page");
}

fn table(rows: &[Row]) -> String {
    let date = output(Command::new("date").args(["-u", "+%F"]));
    let names: Vec<&str> = RULES.iter().map(|(name, _)| *name).collect();
    let mut lines = vec![
        format!(
            "Run on {date} with launchgate {}.\n",
            env!("CARGO_PKG_VERSION")
        ),
        format!("| | version | {} |", names.join(" | ")),
        format!("| --- | --- |{}", " --- |".repeat(names.len())),
    ];
    for row in rows {
        let cells: Vec<&str> = row.cells.iter().map(|cell| word(*cell)).collect();
        lines.push(format!(
            "| {} | {} | {} |",
            row.system,
            row.version,
            cells.join(" | ")
        ));
    }
    lines.join("\n") + "\n"
}

fn word(cell: Cell) -> &'static str {
    match cell {
        Cell::Holds => "yes",
        Cell::Broken => "**no**",
        Cell::Refused => "refused (78)",
    }
}
