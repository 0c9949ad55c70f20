//! What an environment variable keeps secret.

use percent_encoding::percent_decode_str;

use super::Secrets;
use crate::redact::{is_blank, is_password};

/// The values of variables are secret from this length on.
pub(super) const SHORTEST: usize = 8;

/// The endings of the names of secret variables.
const SECRET: [&str; 6] = ["PASSWORD", "PASSWD", "PWD", "SECRET", "TOKEN", "KEY"];

/// The endings of the names of variables that name a user or a database.
const PUBLIC: [&str; 5] = ["USER", "USERNAME", "DATABASE", "DB", "HOST"];

fn ends_with(name: &str, endings: &[&str]) -> bool {
    let name = name.as_bytes();
    let Some(last) = name.last() else {
        return false;
    };
    endings
        .iter()
        .map(|ending| ending.as_bytes())
        .any(|ending| {
            // Most names differ here already.
            ending
                .last()
                .is_some_and(|letter| letter.eq_ignore_ascii_case(last))
                && name.len() >= ending.len()
                && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending)
        })
}

pub(super) fn is_secret(name: &str) -> bool {
    // The shell's: its folder, and the one before.
    !matches!(name, "PWD" | "OLDPWD") && ends_with(name, &SECRET)
}

pub(super) fn is_public(name: &str) -> bool {
    ends_with(name, &PUBLIC)
}

/// Adds the passwords of all URLs in a value, and of what other drivers use in place of one.
pub(super) fn passwords_of_urls(secrets: &mut Secrets, value: &str) {
    // Most values are no URL and have no parameters, and every start looks at all of them.
    let has = |byte| value.as_bytes().contains(&byte);
    if !(has(b'=') || has(b'@') || has(b':') && value.contains("://")) {
        return;
    }
    let mut found = value.match_indices("://").peekable();
    if found.peek().is_none() && !value.contains("@tcp(") && !value.contains("@unix(") {
        return assigned(secrets, value);
    }
    if found.peek().is_none() {
        userinfo(secrets, value);
    }
    for (at, _) in found {
        let scheme = value[..at].rsplit(|c: char| !c.is_ascii_alphanumeric());
        secrets.public.extend(scheme.map(str::to_owned).next());
        let rest = &value[at + 3..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        url(secrets, &rest[..end]);
    }
    assigned(secrets, value);
}

/// The part of a URL behind `//`. A password may have characters in it that end this part by the rules.
fn url(secrets: &mut Secrets, rest: &str) {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let path = rest.rsplit('/').next().unwrap_or_default();
    let database = path.split(['?', '#']).next().unwrap_or_default();
    secrets.public.push(database.to_owned());
    userinfo(secrets, authority);
    userinfo(secrets, rest);
}

/// `USER:PASSWORD@`, up to the last `@`.
fn userinfo(secrets: &mut Secrets, text: &str) {
    let Some((userinfo, _)) = text.rsplit_once('@') else {
        return;
    };
    let Some((user, password)) = userinfo.split_once(':') else {
        return;
    };
    if is_blank(password) {
        return;
    }
    secrets.public.push(user.to_owned());
    secrets.add_userinfo(userinfo);
    secrets.add_password(password, &decoded(password));
}

/// The values of parameters such as `password=`.
fn assigned(secrets: &mut Secrets, value: &str) {
    let parts = value.split(|c: char| matches!(c, '?' | '&' | ';') || c.is_whitespace());
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim_matches(['\'', '"']);
        if is_password(name.trim()) && !is_blank(value) {
            secrets.add_password(value, &decoded(value));
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
