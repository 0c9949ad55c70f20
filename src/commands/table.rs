//! Text in columns.

use std::fmt::Write as _;

/// How far a column is padded at most.
const WIDEST: usize = 60;

/// Rows under their headings, with the columns aligned.
pub(super) fn columns<const N: usize>(
    headings: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut lines = vec![headings.map(str::to_owned)];
    lines.extend(rows);
    let width = |at: usize| {
        let widths = lines.iter().map(|line| line[at].chars().count());
        widths.max().unwrap_or(0).min(WIDEST)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(widths) {
            // writing to a String cannot fail
            let _ = write!(padded, "{cell:width$}  ");
        }
        out.push_str(padded.trim_end());
        out.push('\n');
    }
    out
}
