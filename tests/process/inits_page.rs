//! docs/inits.md names a test for every feature that it claims.

use std::fs;
use std::path::Path;

#[test]
fn every_feature_names_a_test_or_is_not_covered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/inits.md")).unwrap();
    let (_, table) = page.split_once("## Feature by feature").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches(" |").count() == 9)
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 25, "the table is found");
    for cells in &rows[2..] {
        let (launchgate, shown) = (cells[8], cells[9].trim_matches('`'));
        if shown.is_empty() {
            assert!(launchgate.starts_with("not covered"), "{cells:?}");
            continue;
        }
        let (file, test) = shown.split_once("::").expect("file::test");
        let file = match file {
            "containers" => root.join("tests/containers.rs"),
            file => root.join(format!("tests/process/{file}.rs")),
        };
        let code = fs::read_to_string(&file).unwrap_or_default();
        assert!(code.contains(&format!("fn {test}(")), "no test {shown}");
    }
}
