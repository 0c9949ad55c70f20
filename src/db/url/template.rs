//! `{NAME}` in a URL or in a step's variable: the value of that variable.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::exit::Problem;

/// What need not be encoded anywhere in a URL (RFC 3986, "unreserved").
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The value of a variable.
type Variable<'a> = &'a dyn Fn(&str) -> Option<&'a OsStr>;

/// What is wrong with a name in braces that has no value.
fn no_value(name: &str) -> Problem {
    if is_variable(name) {
        Problem::new(
            format!("the variable {name} in {{{name}}} is not set, or empty"),
            format!("set {name}, or remove {{{name}}}"),
        )
    } else {
        // It may be part of a password.
        Problem::new(
            "a name in braces is not a variable that is set",
            "write a variable's name there; for a literal brace, write %7B in a URL and {{ in --step-env",
        )
    }
}

/// A URL whose names in braces are replaced by their values, percent-encoded. A URL that is nothing
/// but one name is that variable's value as it is.
///
/// # Errors
/// A name has no value, or as a whole URL one that is not UTF-8.
pub fn expand(text: &str, variable: Variable<'_>) -> Result<String, Problem> {
    let value = |name: &str| variable(name).ok_or_else(|| no_value(name));
    if let Some((name, "")) = text.strip_prefix('{').and_then(leading_name) {
        let text = value(name)?.to_str();
        return text.map(str::to_owned).ok_or_else(|| no_value(name));
    }
    // What is put in is ASCII, so the result is text too.
    let expanded = replace(text.as_bytes(), variable, true, false)?;
    Ok(String::from_utf8_lossy(&expanded).into_owned())
}

/// A step variable's value, where `{{` and `}}` are plain braces. Encoded is what stands inside of a URL.
///
/// # Errors
/// A name has no value.
pub fn expand_value(text: &[u8], variable: Variable<'_>) -> Result<Vec<u8>, Problem> {
    replace(text, variable, is_url(text), true)
}

/// Replaces names in braces. `is_url`: their values are encoded; `has_escapes`: two braces are one.
fn replace(
    text: &[u8],
    variable: Variable<'_>,
    is_url: bool,
    has_escapes: bool,
) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'{' | b'}')) {
        let (before, behind) = rest.split_at(at);
        out.extend(before);
        let (brace, behind) = (behind[0], &behind[1..]);
        if has_escapes && behind.first() == Some(&brace) {
            out.push(brace);
            rest = &behind[1..];
            continue;
        }
        let end = str::from_utf8(behind).map_or_else(|error| error.valid_up_to(), str::len);
        let text = str::from_utf8(&behind[..end]).unwrap_or_default();
        rest = behind;
        let Some((name, _)) = leading_name(text).filter(|_| brace == b'{') else {
            out.push(brace);
            continue;
        };
        let value = variable(name).ok_or_else(|| no_value(name))?;
        if is_url {
            out.extend(percent_encode(value.as_bytes(), ENCODED).flat_map(str::bytes));
        } else {
            out.extend(value.as_bytes());
        }
        rest = &behind[name.len() + 1..];
    }
    out.extend(rest);
    Ok(out)
}

/// A scheme and `://`, also with `jdbc:` in front.
fn is_url(text: &[u8]) -> bool {
    let end = text.windows(3).position(|three| three == b"://");
    end.is_some_and(|end| {
        end > 0
            && text[..end]
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.:".contains(byte))
    })
}

/// The name that a text behind `{` begins with, and what follows its `}`.
fn leading_name(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.split_once('}')?;
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_later = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (name.starts_with(is_first) && name.chars().all(is_later)).then_some((name, behind))
}

/// As nearly every variable is named.
fn is_variable(name: &str) -> bool {
    name.len() > 2
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// A name in braces that only `--database-url` would have replaced.
pub(super) fn unexpanded(text: &str) -> Option<&str> {
    text.split('{')
        .skip(1)
        .filter_map(leading_name)
        .map(|(name, _)| name)
        .find(|name| is_variable(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    fn variable(name: &str) -> Option<&'static OsStr> {
        Some(OsStr::new(match name {
            "DB_USER" => "ann@corp",
            "DB_PASSWORD" => "p@ss/w?{DB_USER}",
            "DB_HOST" => "db",
            "db-url" => "postgres://h/d",
            _ => return None,
        }))
    }

    #[test]
    fn names_in_braces_are_replaced_and_encoded() {
        for (text, expected) in [
            (
                "mysql://{DB_USER}:{DB_PASSWORD}@{DB_HOST}/x",
                "mysql://ann%40corp:p%40ss%2Fw%3F%7BDB_USER%7D@db/x",
            ),
            ("{db-url}", "postgres://h/d"),
            ("postgres://u:{a b}{@h/d", "postgres://u:{a b}{@h/d"),
        ] {
            assert_eq!(expand(text, &variable).as_deref(), Ok(expected));
        }
        let error = expand("postgres://u:{NO_SUCH}@h", &variable).unwrap_err();
        assert!(error.to_string().contains("NO_SUCH") && error.hint().contains("NO_SUCH"));
        // It may be a password's.
        let error = expand("postgres://u:{geheim}@h", &variable).unwrap_err();
        assert!(!error.to_string().contains("geheim") && !error.hint().contains("geheim"));
    }

    #[test]
    fn a_steps_variable_is_encoded_only_inside_of_a_url() {
        for (text, expected) in [
            ("{DB_PASSWORD}", "p@ss/w?{DB_USER}"),
            ("x-{DB_USER}", "x-ann@corp"),
            (
                "jdbc:mysql://{DB_HOST}/x?user={DB_USER}",
                "jdbc:mysql://db/x?user=ann%40corp",
            ),
            ("-Durl=mysql://{DB_USER}@h", "-Durl=mysql://ann@corp@h"),
            ("{{DB_USER}}", "{DB_USER}"),
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("}}{{{DB_HOST}", "}{db"),
            ("plain", "plain"),
        ] {
            let expanded =
                expand_value(text.as_bytes(), &variable).map(|v| String::from_utf8(v).unwrap());
            assert_eq!(expanded.as_deref(), Ok(expected), "{text}");
        }
        assert!(expand_value(b"{NO_SUCH}", &variable).is_err());
        assert_eq!(
            expand_value(b"\xff{DB_HOST}\xfe", &variable).unwrap(),
            b"\xffdb\xfe"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_value_is_it_is_what_the_url_means(value in "[ -~äß🔑]{1,20}") {
            let variable = |_: &str| Some(OsStr::new(&value));
            let url = expand("x{NAME}y", &variable).unwrap();
            prop_assert!(url.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._~".contains(&b)));
            let decoded = percent_decode_str(&url).decode_utf8().unwrap();
            prop_assert_eq!(decoded, format!("x{value}y"));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}A-Z:/é ]{0,20}") {
            let _ = expand(&text, &|_| None);
            let _ = expand_value(text.as_bytes(), &variable);
        }
    }
}
