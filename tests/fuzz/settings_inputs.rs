//! Random settings: command lines, variables and settings files.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt;

use launchgate::cli::{Definition, SETTINGS};
use proptest::prelude::*;
use proptest::sample::select;

use crate::inputs::{one_of, pieces, typed_url};

pub(crate) fn definition() -> impl Strategy<Value = &'static Definition> {
    select(SETTINGS.iter().collect::<Vec<_>>())
}

/// A value that makes sense somewhere, or nowhere.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let known = one_of(&[
        "on",
        "off",
        "true",
        "5m",
        "1h30m",
        "0",
        "0s",
        "500ms",
        "30",
        "18446744073709551615s",
        "999999999d",
        "-1",
        "4294967296",
        "A=1",
        "A=",
        "=1",
        "A={B}",
        "A={DATABASE_URL}",
        "LAUNCHGATE_X=1",
        "./migrate up",
        "sh -c 'a; b'",
        "a && b",
        "a $HOME",
        "$A",
        "${A",
        "v1",
        "latest",
        "${TAG}",
        "root",
        "nobody:nogroup",
        "0:0",
        "no-such-user",
        "15:3",
        "TERM:INT",
        "143:0",
        "99:1",
        ":8080",
        "[::1]:80",
        "json",
        "text",
        "USR1",
        "",
        " ",
        "\n",
        "a\nb",
        "é",
        "sqlite:app.db",
        "sqlite:///app.db",
        "sqlite::memory:",
        "postgres://{B}@h/{B}",
        "{DATABASE_URL}",
        "src/**/*.rs",
        "[",
        "postgres",
        "succeeded",
    ]);
    prop_oneof![6 => known, 2 => typed_url(), 1 => any::<String>()]
}

fn text_of_file(pairs: Vec<(String, String)>) -> String {
    pairs
        .into_iter()
        .fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key} = {value}");
            text
        })
}

/// A value in the settings file: text, a list, a table, or something else.
fn toml_value() -> impl Strategy<Value = String> {
    let text = value().prop_map(|value| serde_json::Value::from(value).to_string());
    let key = one_of(&[
        "command", "name", "timeout", "env", "user", "A", "\"\"", "\"A=B\"", "x.y", "timout",
    ]);
    let other = one_of(&[
        "5",
        "+5",
        "true",
        "1.5",
        "inf",
        "0x1f",
        "1979-05-27",
        "[]",
        "{}",
        "'''a\nb'''",
        "\"\\u0000\"",
        "9999999999999999999999",
    ]);
    let leaf = prop_oneof![6 => text, 2 => other];
    leaf.prop_recursive(4, 16, 4, move |inner| {
        let pair = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("{key} = {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::vec(pair, 0..4)
                .prop_map(|pairs| format!("{{ {} }}", pairs.join(", "))),
        ]
    })
}

pub(crate) fn file() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        12 => definition().prop_map(|row| row.name.to_owned()),
        1 => one_of(&["server", "migrat", "migrate-", "x", "\"é\"", "migrate_timeout", "config"]),
    ];
    let lines = prop::collection::vec((key, toml_value()), 0..4).prop_map(text_of_file);
    let steps = one_of(&[
        "",
        "",
        "",
        "\n[[migrate]]\ncommand = [\"a\", \"b\"]\n",
        "\n[backup]\nenv = { A = \"1\" }\n",
        "\n[[backup]]\n",
    ]);
    let structured = (lines, steps).prop_map(|(lines, steps)| (lines + &steps).into_bytes());
    let text = pieces(
        &[
            "migrate", "app", "lease", " = ", "=", "[", "]", "[[", "]]", "{", "}", "\"", "'",
            "'''", "\"\"\"", "\n", "#", ",", ".", "\"x\"", "\\", "\\u0000", "true", "12",
            "\u{feff}", "\r", "command", "env",
        ],
        30,
    );
    prop_oneof![
        6 => structured,
        2 => text.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => ("[\\[{]|a=\\[|a\\.|\\[a\\.|\"\"\"", 1..9000_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ]
}

pub(crate) fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        8 => definition().prop_map(|row| row.id.variable()),
        4 => one_of(&[
            "DATABASE_URL", "POSTGRES_URL", "JDBC_DATABASE_URL", "SPRING_DATASOURCE_URL", "SPRING_DATASOURCE_PASSWORD", "PGHOST", "PGPORT",
            "PGSSLMODE", "PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "DB_HOST", "DB_CONNECTION", "DB_PASSWORD", "DB_PORT", "B", "GIT_SHA",
            "ConnectionStrings__Default", "LAUNCHGATE_SKIP", "LAUNCHGATE_MIGRAT", "A",
        ]),
        1 => typed_url().prop_map(|url| format!("LAUNCHGATE_{url}")),
    ];
    prop::collection::vec((name, value()), 0..5)
}

pub(crate) fn words() -> impl Strategy<Value = Vec<OsString>> {
    let verb = one_of(&[
        "run",
        "run",
        "run",
        "job",
        "wait",
        "init",
        "check",
        "status",
        "resolve",
        "probe",
        "print-ddl",
        "convert",
        "generate",
        "rum",
        "--help",
        "--version",
        "--",
        "",
        "embedded",
    ]);
    let flag = prop_oneof![
        20 => (definition(), value()).prop_map(|(row, value)| vec![format!("{}={value}", row.flag).into()]),
        4 => (definition(), value()).prop_map(|(row, value)| vec![row.flag.into(), value.into()]),
        1 => (definition(), value()).prop_map(|(row, value)| vec![format!("{}x={value}", row.flag).into()]),
        2 => one_of(&["--shell", "--no-database", "--expand-env", "--init", "-v", "-q", "-vq", "--as", "--note=x", "-x", "--as=retry"])
            .prop_map(|flag| vec![flag.into()]),
        1 => value().prop_map(|value| vec![value.into()]),
        1 => prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| vec![OsString::from_vec(bytes)]),
    ];
    let server = prop_oneof![
        3 => prop::collection::vec(value(), 1..4),
        1 => Just(Vec::new()),
        1 => value().prop_map(|value| vec!["launchgate".to_owned(), "status".to_owned(), value]),
    ];
    let dashes = one_of(&["--", "--", "--", "--", "-", ""]);
    (verb, prop::collection::vec(flag, 0..5), dashes, server).prop_map(
        |(verb, flags, dashes, server)| {
            let words = [verb.into()].into_iter().chain(flags.concat());
            let end = (!dashes.is_empty()).then(|| dashes.into());
            words
                .chain(end)
                .chain(server.into_iter().map(OsString::from))
                .collect()
        },
    )
}
