//! The text of the settings file, and positions in it.

use crate::exit::Failure;

/// A file's path and text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// Decodes the contents of a file.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub(super) fn new(path: &'a str, bytes: &'a [u8]) -> Result<Self, Failure> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(Failure::usage(
                format!("{path}: the settings file is UTF-16"),
                "save it as UTF-8",
            ));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self {
                path,
                // Some editors write a byte order mark.
                text: text.strip_prefix('\u{feff}').unwrap_or(text),
            }),
            Err(error) => {
                let text = &String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let place = Source { path, text }.place(text.len());
                Err(Failure::usage(
                    format!("{place}: the settings file is not UTF-8"),
                    "save it as UTF-8",
                ))
            }
        }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.position(at).0
    }

    /// `PATH:LINE:COLUMN` of a byte.
    pub(super) fn place(&self, at: usize) -> String {
        let (line, column) = self.position(at);
        format!("{}:{line}:{column}", self.path)
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}
