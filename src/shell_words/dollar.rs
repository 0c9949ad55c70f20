//! What a dollar means: `$NAME`, `${NAME}` and `$$`.

use super::{SplitRefusal, name_byte, name_start, refusal};

/// Expands `$NAME`, `${NAME}` and `$$` in one argument of the server. Quotes mean nothing there.
///
/// # Errors
/// A variable that is not set, or a brace that is not closed.
pub fn expand(
    argument: &[u8],
    get: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, SplitRefusal> {
    let mut out = Vec::with_capacity(argument.len());
    let mut at = 0;
    while let Some(&byte) = argument.get(at) {
        if byte == b'$' {
            let (dollar, len) = dollar(&argument[at..])?;
            match dollar {
                Dollar::Variable(name) => out.extend(lookup(name, get)?),
                Dollar::Plain => out.push(b'$'),
                Dollar::Other => out.extend(&argument[at..at + len]),
            }
            at += len;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    Ok(out)
}

/// The first `$NAME` or `${NAME}` in one argument of the server.
pub fn unexpanded(argument: &[u8]) -> Option<String> {
    let mut dollars = (0..argument.len()).filter(|&at| argument[at] == b'$');
    dollars.find_map(|at| unexpanded_at(&argument[at..]))
}

/// The `$NAME` or `${NAME}` that `text` begins with, as it is written.
pub(super) fn unexpanded_at(text: &[u8]) -> Option<String> {
    match dollar(text) {
        Ok((Dollar::Variable(_), len)) => Some(String::from_utf8_lossy(&text[..len]).into_owned()),
        _ => None,
    }
}

pub(super) enum Dollar<'a> {
    /// `$NAME` or `${NAME}`.
    Variable(&'a [u8]),
    /// `$$`.
    Plain,
    /// A dollar without a meaning.
    Other,
}

/// What the dollar at the start of `text` means, and how many bytes belong to it.
pub(super) fn dollar(text: &[u8]) -> Result<(Dollar<'_>, usize), SplitRefusal> {
    match text.get(1) {
        Some(b'$') => Ok((Dollar::Plain, 2)),
        Some(b'{') => match text.iter().position(|&byte| byte == b'}') {
            None => Err(SplitRefusal::new(
                "`${` without a closing `}`",
                "close the brace, or write `$$` for a literal dollar sign",
            )),
            Some(2) => Err(SplitRefusal::new(
                "`${}` without a name",
                "write the variable's name between the braces",
            )),
            Some(end) => Ok((Dollar::Variable(&text[2..end]), end + 1)),
        },
        Some(byte) if name_start(*byte) => {
            let end = text[1..]
                .iter()
                .position(|&b| !name_byte(b))
                .map_or(text.len(), |n| n + 1);
            Ok((Dollar::Variable(&text[1..end]), end))
        }
        _ => Ok((Dollar::Other, 1)),
    }
}

pub(super) fn lookup(
    name: &[u8],
    get: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, SplitRefusal> {
    get(name).ok_or_else(|| refusal::unset(name))
}
