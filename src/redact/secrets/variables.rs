//! What an environment variable keeps secret.

use percent_encoding::percent_decode_str;

use super::Secrets;
use crate::redact::{is_blank, is_password};

/// The values of variables are secret from this length on.
pub(super) const SHORTEST: usize = 8;

/// What the name of a variable says about its value.
pub(super) enum Meaning {
    /// A secret.
    Secret,
    /// The name of a user, a database or a host.
    Public,
    /// Nothing.
    Unknown,
}

/// Every start asks this about every variable, so the last letter decides first.
pub(super) fn meaning(name: &str) -> Meaning {
    let ends = |ending: &str| {
        let at = name.len().checked_sub(ending.len());
        let end = at.and_then(|at| name.as_bytes().get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(ending.as_bytes()))
    };
    match name.as_bytes().last().map(u8::to_ascii_uppercase) {
        // The shell's: its folder, and the one before.
        Some(b'D') if matches!(name, "PWD" | "OLDPWD") => Meaning::Unknown,
        Some(b'D') if ends("PASSWORD") || ends("PASSWD") || ends("PWD") => Meaning::Secret,
        Some(b'T') if ends("SECRET") => Meaning::Secret,
        Some(b'N') if ends("TOKEN") => Meaning::Secret,
        Some(b'Y') if ends("KEY") => Meaning::Secret,
        Some(b'R') if ends("USER") => Meaning::Public,
        Some(b'E') if ends("USERNAME") || ends("DATABASE") => Meaning::Public,
        Some(b'B') if ends("DB") => Meaning::Public,
        Some(b'T') if ends("HOST") => Meaning::Public,
        _ => Meaning::Unknown,
    }
}

/// Adds the passwords of all URLs in a value, and of what other drivers use in place of one.
pub(super) fn passwords_of_urls(secrets: &mut Secrets, value: &str) {
    // Most values have neither, and every start looks at all of them.
    let [has_at, has_equals] = [b'@', b'='].map(|byte| value.as_bytes().contains(&byte));
    if has_at {
        let mut found = value.match_indices("://").peekable();
        if found.peek().is_none() && (value.contains("@tcp(") || value.contains("@unix(")) {
            userinfo(secrets, value);
        }
        for (at, _) in found {
            let scheme = value[..at].rsplit(|c: char| !c.is_ascii_alphanumeric());
            secrets.public.extend(scheme.map(str::to_owned).next());
            let rest = &value[at + 3..];
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            url(secrets, &rest[..end]);
        }
    }
    if has_equals {
        assigned(secrets, value);
    }
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
