//! The revision that the ledger is keyed by: a release id from the user or the platform, or a hash of
//! files.
//!
//! Of the file system, only what is fingerprinted is touched. Invariant: a [`Revision`] fits its
//! column and a log line.

mod fingerprint;
mod id;

pub use fingerprint::{Files, Fingerprint, FingerprintError};
pub use id::{
    FoundRelease, GivenRelease, MEANINGLESS, MOVING, PLATFORM_VARIABLES, PassedOver, Release,
    ReleaseError, Useless, from_platform,
};

use std::error::Error;
use std::fmt;

/// The key of the ledger: never empty, at most [`Revision::MAX_BYTES`], no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(String);

impl Revision {
    /// The width of the ledger's column. An index on several such columns fits on every server.
    pub const MAX_BYTES: usize = 255;

    /// A revision with exactly this text.
    pub fn new(text: impl Into<String>) -> Result<Self, RevisionError> {
        let text = text.into();
        if text.is_empty() {
            return Err(RevisionError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(RevisionError::TooLong { bytes: text.len() });
        }
        if text.contains(char::is_control) {
            return Err(RevisionError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a valid revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionError {
    /// It is empty.
    Empty,
    /// It is longer than [`Revision::MAX_BYTES`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It contains a newline or the like.
    ControlCharacter,
}

impl RevisionError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "set a value that identifies the release, such as the commit",
            Self::TooLong { .. } => {
                "use a short value that changes with every release, such as the commit"
            }
            Self::ControlCharacter => "use one line of text, such as the commit",
        }
    }
}

impl fmt::Display for RevisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "is {bytes} bytes long, but a revision has at most {}",
                    Revision::MAX_BYTES
                )
            }
            Self::ControlCharacter => {
                f.write_str("contains a control character, such as a newline")
            }
        }
    }
}

impl Error for RevisionError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_revision_is_kept_as_it_is() {
        for text in [
            "4f2c1e",
            "v1.2.3",
            "it's \"quoted\"; drop table x",
            "リリース-7",
            " spaced ",
            &"x".repeat(255),
        ] {
            assert_eq!(Revision::new(text).expect("valid").as_str(), text);
        }
    }

    #[test]
    fn what_would_not_fit_is_refused() {
        assert_eq!(Revision::new(""), Err(RevisionError::Empty));
        assert_eq!(
            Revision::new("x".repeat(256)),
            Err(RevisionError::TooLong { bytes: 256 })
        );
        assert_eq!(
            Revision::new("é".repeat(128)),
            Err(RevisionError::TooLong { bytes: 256 })
        );
        for text in ["a\nb", "a\tb", "\0", "a\u{7f}", "a\u{85}b", "\u{1b}[31m"] {
            assert_eq!(
                Revision::new(text),
                Err(RevisionError::ControlCharacter),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_revision_fits_its_column_and_a_line(text in any::<String>()) {
            if let Ok(revision) = Revision::new(text) {
                prop_assert!((1..=255).contains(&revision.as_str().len()));
                prop_assert_eq!(revision.to_string().lines().count(), 1);
            }
        }
    }
}
