//! The database's URL.
//!
//! "No password ever appears, in any rendering of any value or error, however misplaced or misspelled
//! the URL was." (contract, section 8)

use std::ffi::OsStr;

use launchgate::db::url::{self, DatabaseUrl, Surroundings};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::harness::{assert_hidden, for_all};
use crate::inputs::{Parts, parts, pieces, typed_url};

/// As on a machine where every variable and file is missing.
fn read(text: &str) -> [Result<DatabaseUrl, url::UrlError>; 2] {
    let nowhere = Surroundings {
        user: None,
        password: None,
        variable: &|_| None,
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        exists: &|_| false,
        is_private: &|_| true,
        own_user: &|| Some("me".to_owned()),
    };
    [
        DatabaseUrl::parse(text),
        DatabaseUrl::complete(text, &nowhere),
    ]
}

/// Everything that can be shown of a URL, and of why it is none.
fn renderings(text: &str) -> Vec<String> {
    let mut shown = Vec::new();
    for read in read(text) {
        match read {
            Ok(url) => {
                shown.extend([format!("{url} {url:?} {url:#?}"), url.redact(text)]);
                shown.push(format!("{} {:?}", url.handed_on(), url.handed_on()));
                shown.extend(url.each().map(|one| format!("{one} {one:?}")));
                shown.push(format!(
                    "{:?} {:?} {:?}",
                    url.password(),
                    url.host(),
                    url.socket()
                ));
                shown.push(format!("{:?} {:?}", url.sqlite_path(), url.tls()));
            }
            Err(error) => shown.push(format!("{error} {error:?} {}", error.hint())),
        }
    }
    shown
}

#[test]
fn no_rendering_of_a_url_shows_its_password() {
    for_all(typed_url(), |text| {
        for shown in renderings(&text) {
            assert_hidden(&shown, &shown)?;
        }
        Ok(())
    });
}

#[test]
fn no_text_makes_the_url_panic() {
    let text = pieces(
        &[
            "postgres",
            "mysql",
            "sqlite",
            "file",
            "jdbc:",
            "://",
            ":",
            "/",
            "//",
            "@",
            "?",
            "&",
            "=",
            ",",
            "[",
            "]",
            "%",
            "%2F",
            "%zz",
            "%00",
            "%ff",
            "host",
            "port",
            "user",
            "password",
            "sslmode",
            "require",
            "sslrootcert",
            "schema",
            "options",
            "service",
            "hostaddr",
            "target_session_attrs",
            "read-write",
            "unix_sock",
            "(",
            ")",
            "tcp(",
            ";",
            "{",
            "}",
            "{DB_HOST}",
            "${X}",
            "$X",
            "é",
            "\0",
            "\n",
            " ",
            "5432",
            "0",
            "65536",
            "Server=h",
            "mode=memory",
            ":memory:",
            "h",
            "db",
            "#",
            "'",
            "\"",
        ],
        24,
    );
    for_all(text, |text| {
        renderings(&text);
        Ok(())
    });
}

fn means(url: &DatabaseUrl, parts: &Parts) -> TestCaseResult {
    prop_assert_eq!(url.user(), Some(&*parts.user));
    prop_assert_eq!(
        url.password().map(url::Secret::expose),
        Some(&*parts.password)
    );
    prop_assert_eq!(url.host(), Some(parts.host.trim_matches(['[', ']'])));
    prop_assert_eq!(url.port(), Some(parts.port));
    prop_assert_eq!(url.database(), Some(&*parts.database));
    Ok(())
}

#[test]
fn a_url_means_its_parts_also_in_the_process_that_it_is_handed_to() {
    for_all(parts(), |parts| {
        for read in read(&parts.url()) {
            let url = read.map_err(|error| TestCaseError::fail(error.to_string()))?;
            means(&url, &parts)?;
            let again = DatabaseUrl::parse(url.handed_on().expose());
            means(
                &again.map_err(|error| TestCaseError::fail(error.to_string()))?,
                &parts,
            )?;
        }
        Ok(())
    });
}

/// "`{NAME}` in a URL is replaced by that variable's value, percent-encoded"
#[test]
fn a_url_of_names_means_their_values() {
    for_all(parts(), |parts| {
        let variable = |name: &str| {
            let value = match name {
                "DB_USERNAME" => &parts.user,
                "DB_PASSWORD" => &parts.password,
                "DB_DATABASE" => &parts.database,
                _ => return None,
            };
            Some(OsStr::new(value))
        };
        let Parts {
            scheme, host, port, ..
        } = &parts;
        let template =
            format!("{scheme}://{{DB_USERNAME}}:{{DB_PASSWORD}}@{host}:{port}/{{DB_DATABASE}}");
        let text = url::expand(&template, &variable)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        for read in read(&text) {
            means(
                &read.map_err(|error| TestCaseError::fail(error.to_string()))?,
                &parts,
            )?;
        }
        Ok(())
    });
}

/// What a tool prints that takes the URL apart, or puts it into a line of its own.
#[test]
fn no_output_shows_the_password_of_the_url() {
    let around = || "[ -~\n]{0,12}";
    for_all(
        (parts(), around(), around(), any::<bool>()),
        |(parts, before, behind, is_json)| {
            let text = parts.url();
            let url = DatabaseUrl::parse(&text)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let mut line = format!(
                "{before}{text}{behind}{}{before}{}",
                parts.password, parts.password
            );
            if is_json {
                line = serde_json::to_string(&line)
                    .map_err(|error| TestCaseError::fail(error.to_string()))?;
            }
            let shown = url.redact(&line);
            assert_hidden(&(line, &shown), &shown)
        },
    );
}
