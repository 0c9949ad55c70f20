//! Finds a text however a tool writes it: as it is, percent-encoded, or escaped in JSON.
//!
//! A tool that takes a URL apart and shows it again encodes by its own rules (`encodeURI`, a `URL`
//! object, Python's `quote`, forms with `+`), and every language escapes other characters in JSON. So
//! each character may be written in any of these ways. Since only the text that is searched is read,
//! the secrets of an environment cost a start next to nothing.

/// How a text is read.
#[derive(Clone, Copy)]
struct Reading {
    /// A `%` begins an encoded byte. Otherwise it is one itself.
    percent: bool,
    /// A backslash escapes what follows. Otherwise it is one itself.
    json: bool,
}

/// The most bytes at the start of `text` that are a spelling of `secret`.
pub(super) fn len_at_start(text: &[u8], secret: &str) -> Option<usize> {
    let both = [false, true];
    let readings = both
        .into_iter()
        .flat_map(|percent| both.map(|json| Reading { percent, json }));
    readings
        .filter_map(|reading| reading.len(text, secret))
        .max()
}

/// The bytes that a spelling of any text may begin with, besides the first one of the text.
pub(super) const OPENINGS: [u8; 3] = *b"%\\+";

impl Reading {
    fn len(self, text: &[u8], secret: &str) -> Option<usize> {
        let mut len = 0;
        // How many digits of an encoded byte are next in the secret itself. Both cases are usual.
        let mut digits: u8 = 0;
        for c in secret.chars() {
            let rest = &text[len..];
            len += match rest.first()? {
                b'\\' if self.json => escaped_len(rest, c)?,
                b'%' if self.percent => encoded_len(rest, c)?,
                b'+' if self.percent && c == ' ' => 1,
                _ => literal_len(rest, c, digits > 0)?,
            };
            digits = if c == '%' {
                2
            } else {
                digits.saturating_sub(1)
            };
        }
        Some(len)
    }
}

fn literal_len(text: &[u8], c: char, any_case: bool) -> Option<usize> {
    let len = c.len_utf8();
    let found = text.get(..len)?;
    let wanted = &mut [0; 4];
    let wanted = c.encode_utf8(wanted).as_bytes();
    let is_same = found == wanted || any_case && found.eq_ignore_ascii_case(wanted);
    is_same.then_some(len)
}

fn encoded_len(text: &[u8], c: char) -> Option<usize> {
    let wanted = &mut [0; 4];
    let wanted = c.encode_utf8(wanted).as_bytes();
    let mut found = text.chunks(3).zip(wanted);
    let is_same = found.all(|(byte, wanted)| digits(byte, b"%", 2) == Some((*wanted).into()));
    (is_same && text.len() >= 3 * wanted.len()).then_some(3 * wanted.len())
}

fn escaped_len(text: &[u8], c: char) -> Option<usize> {
    // RFC 8259, section 7
    let short = match c {
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        c => c,
    };
    let is_short = matches!(c, '"' | '\\' | '/') || short != c;
    if is_short && text.get(1).copied().map(char::from) == Some(short) {
        return Some(2);
    }
    let wanted = &mut [0; 2];
    let wanted = c.encode_utf16(wanted);
    let mut found = text.chunks(6).zip(&*wanted);
    let is_same = found.all(|(unit, wanted)| digits(unit, b"\\u", 4) == Some(*wanted));
    (is_same && text.len() >= 6 * wanted.len()).then_some(6 * wanted.len())
}

/// The number that this many hexadecimal digits after `opening` are.
fn digits(text: &[u8], opening: &[u8], count: usize) -> Option<u16> {
    let digits = text.strip_prefix(opening)?.get(..count)?;
    digits.iter().try_fold(0, |number, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(number * 16 + u16::try_from(digit).ok()?)
    })
}
