//! Hides passwords in text that was written for another program: a command, an argument in the
//! wrong place, a note, a variable's name that turned out to be a URL. Pure.
//!
//! Secrets that are known by their values, such as those in the environment, are [`Secrets`]. Elsewhere
//! only the shapes of URLs, assignments and flags are known, so [`passwords`] hides too much rather
//! than too little.

mod secrets;

use std::borrow::Cow;
use std::ops::Range;

pub use secrets::Secrets;

/// Replaces a password.
const HIDDEN: &str = "***";

/// The endings of names that hold a password.
const ENDINGS: [&str; 5] = ["password", "passwd", "passphrase", "pass", "pwd"];

/// Hides the passwords in `text`:
///
/// - in a URL, everything between the first `:` after `//` and the last `@` of the word, and the
///   value of every parameter whose name ends like a password's;
/// - the same without a scheme or with half of one, as in `user:password@host`;
/// - the value assigned to such a name, as in `PGPASSWORD=x`, `--password=x` and libpq's
///   `host=h password=x`;
/// - the word after a flag with such a name.
pub fn passwords(text: &str) -> Cow<'_, str> {
    let colon = text.find(':');
    let has_url = colon.is_some() && text.contains("://");
    let has_bare = colon.is_some() && colon < text.rfind('@');
    let has_name = has_name(text);
    if !has_url && !has_bare && !has_name {
        return Cow::Borrowed(text);
    }
    let mut shown = Cow::Borrowed(text);
    if has_url {
        shown = urls(&shown).into();
    }
    if has_name {
        shown = names(&shown).into();
    }
    if has_bare {
        shown = bare(&shown).into();
    }
    // A line to fill in, in a hint, looks like one.
    if shown == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(shown.into_owned())
    }
}

/// Applies one of the functions that hide something to a text, which is copied only if it does.
pub fn hide_in(text: String, hide: impl Fn(&str) -> Cow<'_, str>) -> String {
    match hide(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

/// A part of `text`, or `***` if it belongs to a password.
pub fn part<'a>(text: &str, part: &'a str) -> &'a str {
    if passwords(text).contains(part) {
        part
    } else {
        HIDDEN
    }
}

fn has_name(text: &str) -> bool {
    let begins = |rest: &[u8], name: &[u8]| {
        let start = rest.get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let bytes = text.as_bytes();
    let mut letters = bytes.iter().enumerate();
    letters.any(|(at, byte)| {
        matches!(byte, b'p' | b'P') && {
            let rest = &bytes[at..];
            begins(rest, b"pass") || begins(rest, b"pwd")
        }
    })
}

pub(crate) fn is_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The words of a text.
struct Words {
    ranges: Vec<Range<usize>>,
    /// They are those that a shell sees, quotes and all. Otherwise white space separates them, because a
    /// quote is never closed or may be an apostrophe.
    are_quoted: bool,
}

impl Words {
    fn of(text: &str) -> Self {
        let (mut words, mut start) = (Vec::new(), None);
        let (mut quote, mut escaped) = (None, false);
        let mut is_prose = false;
        for (at, c) in text.char_indices() {
            let is_blank = quote.is_none() && !escaped && c.is_whitespace();
            match (is_blank, start) {
                (true, Some(from)) => {
                    words.push(from..at);
                    start = None;
                }
                (false, None) => start = Some(at),
                _ => {}
            }
            match (c, quote) {
                _ if escaped => escaped = false,
                ('\\', None | Some('"')) => escaped = true,
                ('\'' | '"', None) => {
                    quote = Some(c);
                    is_prose |= c == '\'' && is_apostrophe(text, at);
                }
                (_, Some(open)) if c == open => quote = None,
                _ => {}
            }
        }
        words.extend(start.map(|from| from..text.len()));
        let are_quoted = !is_prose && quote.is_none();
        Self {
            ranges: if are_quoted { words } else { plain(text) },
            are_quoted,
        }
    }
}

/// An apostrophe as in "can't" and "it's".
fn is_apostrophe(text: &str, at: usize) -> bool {
    let is_letter = |c: char| c.is_alphanumeric();
    let (before, behind) = (&text[..at], &text[at + 1..]);
    let end = behind.find(|c| !is_letter(c)).unwrap_or(behind.len());
    before.ends_with(is_letter) && (1..=2).contains(&end) && !behind[end..].starts_with('\'')
}

fn plain(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let pieces = text.split_inclusive(char::is_whitespace);
    let words = pieces.map(|piece| {
        let word = at..at + piece.trim_end().len();
        at += piece.len();
        word
    });
    words.filter(|word| !word.is_empty()).collect()
}

fn urls(text: &str) -> String {
    let words = Words::of(text);
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(at) = text[done..].find("://").map(|at| done + at + 3) {
        let rest = &text[at..];
        let mut ends = words.ranges.iter().map(|word| word.end);
        let end = ends.find(|end| words.are_quoted && *end >= at);
        let end = end.filter(|end| !is_cut_off(&text[at..*end]));
        let end = end.unwrap_or_else(|| {
            // It may have white space in its password: up to the next URL.
            let word = rest.find(ends_url).unwrap_or(rest.len());
            let next = rest[word..].find("://");
            next.map_or(text.len(), |next| at + word + next)
        });
        shown.push_str(&text[done..at]);
        url_into(&mut shown, &text[at..end]);
        done = end;
    }
    shown.push_str(&text[done..]);
    shown
}

/// `USER:PASSWORD@HOST` in words that are no URL.
fn bare(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for range in Words::of(text).ranges {
        let word = &text[range.clone()];
        let (Some(colon), Some(at)) = (word.find(':'), word.rfind('@')) else {
            continue;
        };
        let (before, host) = (&word[..colon], &word[at + 1..]);
        // An image's digest, a package's version.
        let is_other = host.starts_with("sha256:")
            || host.starts_with("sha512:")
            || before.ends_with("npm")
            || before.ends_with("jsr");
        if colon + 1 >= at || is_url(&word[..at]) || is_other || is_blank(&word[colon + 1..at]) {
            continue;
        }
        shown.push_str(&text[done..=range.start + colon]);
        shown.push_str(HIDDEN);
        done = range.start + at;
    }
    shown.push_str(&text[done..]);
    shown
}

/// Whether `://` follows what may be a scheme.
fn is_url(text: &str) -> bool {
    let before = text.split_once("://").map(|(before, _)| before);
    let scheme = before.and_then(|before| before.rsplit(ends_url).next());
    scheme.is_some_and(|scheme| !scheme.contains(['/', '@']))
}

/// A password that somebody still has to fill in: `PASSWORD`, `{NAME}`, `${NAME}`, or one that is hidden.
fn is_blank(password: &str) -> bool {
    let name = password.strip_prefix('$').unwrap_or(password);
    let name = name
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'));
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    matches!(password, "PASSWORD" | HIDDEN)
        || name.is_some_and(|name| name.len() > 2 && name.chars().all(is_name))
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`')
}

/// Appends the part of a URL after `//`.
fn url_into(shown: &mut String, url: &str) {
    let behind = match (colon(url), url.rfind('@')) {
        (Some(colon), Some(at)) if colon < at && is_blank(&url[colon + 1..at]) => {
            shown.push_str(&url[..at]);
            &url[at..]
        }
        (Some(colon), Some(at)) if colon < at => {
            shown.push_str(&url[..=colon]);
            shown.push_str(HIDDEN);
            &url[at..]
        }
        (Some(colon), None) if is_cut_off(url) => {
            shown.push_str(&url[..=colon]);
            shown.push_str(HIDDEN);
            let rest = &url[colon..];
            &rest[rest.find(ends_url).unwrap_or(rest.len())..]
        }
        _ => url,
    };
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    shown.push_str(path);
    for (number, parameter) in query.split('&').filter(|p| !p.is_empty()).enumerate() {
        shown.push(if number == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, value)) if is_password(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
                // The quotes after a value may belong to the word.
                shown.push_str(&value[value.trim_end_matches(['\'', '"', '`']).len()..]);
            }
            _ => shown.push_str(parameter),
        }
    }
}

/// The first colon that is not part of an IPv6 address.
fn colon(url: &str) -> Option<usize> {
    let host = match url.find(']') {
        Some(end) if url.starts_with('[') && !url.contains('@') => end,
        _ => 0,
    };
    url[host..].find(':').map(|colon| host + colon)
}

/// Whether a password begins in a URL and does not end.
fn is_cut_off(url: &str) -> bool {
    !url.contains('@') && colon(url).is_some_and(|colon| !is_port(url, colon))
}

/// Whether a port, or a variable for one, follows the colon, or the colon is in the path.
fn is_port(url: &str, colon: usize) -> bool {
    let behind = &url[colon + 1..];
    let end = behind.find(|c: char| !c.is_ascii_digit());
    let next = end.and_then(|end| behind[end..].chars().next());
    url[..colon].contains(['/', '?', '#'])
        || behind.starts_with('$')
        || next.is_none_or(|c| ends_url(c) || "/?#,;.)]}".contains(c))
}

fn names(text: &str) -> String {
    let words = Words::of(text);
    let mut shown = String::with_capacity(text.len());
    let (mut done, mut is_value) = (0, false);
    for word in words.ranges {
        shown.push_str(&text[done..word.start]);
        done = word.end;
        let bare = text[word.clone()].trim_matches(['\'', '"', '`']);
        let is_flag = bare.starts_with('-');
        let word = &text[word];
        if is_value && !is_flag {
            shown.push_str(HIDDEN);
        } else if !word_into(&mut shown, word, words.are_quoted) {
            return shown;
        }
        is_value = is_flag && !bare.contains('=') && is_password(bare);
    }
    shown.push_str(&text[done..]);
    shown
}

/// Returns false if the end of a password is unclear: then nothing after it is shown.
fn word_into(shown: &mut String, word: &str, is_quoted: bool) -> bool {
    let mut rest = word;
    while let Some(value) = value_in(rest) {
        shown.push_str(&rest[..value.start]);
        shown.push_str(HIDDEN);
        if !is_quoted && rest[value.start..].starts_with(['\'', '"']) {
            return false;
        }
        let is_all = value.end == rest.len();
        let quote = word.chars().next().filter(|c| matches!(c, '\'' | '"'));
        shown.extend(quote.filter(|quote| is_all && word.ends_with(*quote)));
        rest = &rest[value.end..];
    }
    shown.push_str(rest);
    true
}

/// The range of a password that is assigned in a word.
fn value_in(word: &str) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = word.len() - word.trim_start_matches(['\'', '"', '`']).len();
    word.match_indices('=').find_map(|(equals, _)| {
        let before = word[..equals].trim_end();
        let name = before.trim_end_matches(is_name).len();
        let value = word.len() - word[equals + 1..].trim_start().len();
        let rest = &word[value..];
        // The value of a URL's parameter is hidden already.
        if !is_password(&before[name..]) || rest.is_empty() || rest.starts_with(HIDDEN) {
            return None;
        }
        // A quoted value, or the value of the whole word, may contain white space.
        let is_whole = name <= start || rest.contains('\\') || rest.starts_with(['\'', '"']);
        let end = Some(rest).filter(|_| !is_whole);
        let end = end.and_then(|rest| rest.find(char::is_whitespace));
        Some(value..value + end.unwrap_or(rest.len()))
    })
}

#[cfg(test)]
mod tests;
