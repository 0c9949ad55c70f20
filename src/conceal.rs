//! Passwords in text that somebody wrote for another program: a command, an argument in the
//! wrong place, a variable's name that turned out to be a URL. Pure.
//!
//! A database URL of launchgate's own is a type that shows no password, and knows its secrets
//! by heart. Here nothing is known but the looks of a URL, so rather too much is hidden.

use std::borrow::Cow;

/// What stands in place of a password.
const HIDDEN: &str = "***";

/// `text` with the password of every URL in it hidden: what is between the first `:` behind
/// `//` and the last `@` of the word, and the value of every parameter whose name ends like a
/// password's.
#[must_use]
pub fn passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        let end = url.find(ends_url).unwrap_or(url.len());
        shown.push_str(before);
        url_into(&mut shown, &url[..end]);
        rest = &url[end..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`')
}

/// What is behind the `//`.
fn url_into(shown: &mut String, url: &str) {
    let behind = match (url.find(':'), url.rfind('@')) {
        (Some(colon), Some(at)) if colon < at => {
            shown.push_str(&url[..=colon]);
            shown.push_str(HIDDEN);
            &url[at..]
        }
        _ => url,
    };
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    shown.push_str(path);
    for (number, parameter) in query.split('&').filter(|p| !p.is_empty()).enumerate() {
        shown.push(if number == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_password(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
            }
            _ => shown.push_str(parameter),
        }
    }
}

fn is_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "passphrase", "pass", "pwd"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::passwords;
    use proptest::prelude::*;

    #[test]
    fn hides_passwords_and_nothing_else_that_matters() {
        for (text, shown) in [
            ("node migrate.js", "node migrate.js"),
            ("curl http://host:8080/x", "curl http://host:8080/x"),
            ("psql postgres://u@h/db", "psql postgres://u@h/db"),
            (
                "psql 'postgres://u:p@h/db' -c x",
                "psql 'postgres://u:***@h/db' -c x",
            ),
            ("a mysql://u:p/w?@x@h/d b", "a mysql://u:***@h/d b"),
            ("a://u:p@h b://v:q@h", "a://u:***@h b://v:***@h"),
            (
                "x://h/d?user=u&sslpassword=s&a=b",
                "x://h/d?user=u&sslpassword=***&a=b",
            ),
        ] {
            assert_eq!(passwords(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_password_of_a_url_is_left(password in "[!-~&&[^'\"`]]{3,20}", before: String) {
            let text = format!("{before} postgres://user:{password}@host/db");
            let expected = " postgres://user:***@host/db";
            prop_assert!(passwords(&text).ends_with(expected));
        }
    }
}
