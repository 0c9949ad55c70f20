//! The revision that the ledger is keyed by: a release id from the user or the platform, or a hash of
//! files.
//!
//! Of the file system, only what is fingerprinted is touched. Invariant: a [`Revision`] fits its
//! column and a log line.

mod fingerprint;
mod id;

pub use fingerprint::Files;
pub use id::{MEANINGLESS, MOVING, PLATFORM_VARIABLES, Release, find};

use std::fmt;

use crate::exit::Problem;

/// The key of the ledger: never empty, at most [`Revision::MAX_BYTES`], no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(String);

impl Revision {
    /// The width of the ledger's column. An index on several such columns fits on every server.
    pub const MAX_BYTES: usize = 255;

    /// A revision with exactly this text.
    ///
    /// # Errors
    /// It is empty, too long, or contains a newline or the like.
    pub fn new(text: impl Into<String>) -> Result<Self, Problem> {
        let text = text.into();
        if text.is_empty() {
            return Err(Problem::new(
                "is empty",
                "set a value that identifies the release, such as the commit",
            ));
        }
        if text.len() > Self::MAX_BYTES {
            let (bytes, most) = (text.len(), Self::MAX_BYTES);
            return Err(Problem::new(
                format!("is {bytes} bytes long, but a revision has at most {most}"),
                "use a short value that changes with every release, such as the commit",
            ));
        }
        if text.contains(char::is_control) {
            return Err(Problem::new(
                "contains a control character, such as a newline",
                "use one line of text, such as the commit",
            ));
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
        let long = "is 256 bytes long, but a revision has at most 255";
        let control = "contains a control character, such as a newline";
        for (text, why) in [
            ("", "is empty"),
            (&*"x".repeat(256), long),
            (&"é".repeat(128), long),
            ("a\nb", control),
            ("a\tb", control),
            ("\0", control),
            ("a\u{7f}", control),
            ("a\u{85}b", control),
            ("\u{1b}[31m", control),
        ] {
            assert_eq!(Revision::new(text).expect_err(why).what(), why, "{text:?}");
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
