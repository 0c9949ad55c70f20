//! Folders of migrations, in the layouts of all tools.
//!
//! "A file that no layout explains is an error, never passed over in silence." (contract, section 10)

use std::fs;

use launchgate::db::migrator::{LayoutKind, MigrationFolder};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use crate::harness::{assert_hidden, for_some};
use crate::inputs::pieces;

const NAMES: &[&str] = &[
    "1_a.sql",
    "1_b.sql",
    "00002_c.sql",
    "20240101_d.sql",
    "1_a.up.sql",
    "1_a.down.sql",
    "2_b.up.sql",
    "2_b.down.up.down.x",
    "99999999999999999999_e.up.sql",
    "-1_f.sql",
    "3.sql",
    "g.sql",
    "00004_h.go",
    "5_\u{e9}.sql",
    "README.md",
    "migration_lock.toml",
    "20240101_x/migration.sql",
    "20240102_y/migration.sql",
    "20240102_y/snapshot.json",
    "meta/_journal.json",
];

/// Each a line of its own: annotations, SQL with a password in it, journals.
const LINES: &[&str] = &[
    "-- +goose Up\n",
    "-- +goose Down\r\n",
    "-- +goose StatementBegin\n",
    "-- +goose StatementEnd\n",
    "-- +goose NO TRANSACTION\n",
    "-- migrate:up\n",
    "--migrate:up transaction:false\n",
    "-- migrate:down\n",
    "-- no-transaction\n",
    "--> statement-breakpoint\n",
    "select 1;\n",
    "select ';\n",
    "create role a password 'GeheimGeheim';\n",
    "$$ begin;\n",
    "/* ;\n",
    "  \n",
    "\n",
    "\u{feff}",
    "{\"entries\":[\n",
    "{\"tag\":\"1_a\",\"when\":1,\"idx\":0},\n",
    "{\"tag\":\"00002_c\",\"when\":2}\n",
    "{\"tag\":\"../1_a\",\"when\":1e400}\n",
    "],\"dialect\":\"sqlite\"}\n",
    "provider = \"sqlite\"\n",
];

type Files = Vec<(&'static str, String)>;

fn reads(files: &Files) -> TestCaseResult {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let all = LayoutKind::ALL.into_iter().map(Some);
    for layout in all.chain([None]) {
        if let Err(error) = MigrationFolder::read(folder.path(), layout) {
            prop_assert!(!error.problem().hint().is_empty(), "{error:?}");
            assert_hidden(files, &error.problem().to_string())?;
        }
        let names = MigrationFolder::names(folder.path(), layout, 100);
        if let Err(error) = names {
            assert_hidden(files, error.problem().what())?;
        }
    }
    Ok(())
}

#[test]
fn any_folder_is_read_or_refused() {
    let file = (select(NAMES), pieces(LINES, 12));
    for_some(prop::collection::vec(file, 0..6), |files| reads(&files));
}

/// No reader takes time that grows with the square of the file's length.
#[test]
fn a_long_file_is_read_in_time() {
    let file = (select(NAMES), pieces(LINES, 12), 1..2000_usize);
    for_some(file, |(name, text, times)| {
        reads(&vec![(name, text.repeat(times))])
    });
}
