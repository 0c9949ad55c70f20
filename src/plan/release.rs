//! The revision that the ledger is keyed by: a release id from the user or the platform, or a hash of
//! files.
//!
//! Of the file system, only what is fingerprinted is touched.

mod fingerprint;
mod id;

pub use fingerprint::Files;
pub use id::{MEANINGLESS, MOVING, PLATFORM_VARIABLES, Release, find};

use crate::db::ledger::REVISION_MAX;
use crate::exit::Problem;

/// The key of the ledger with exactly this text, which fits its column and a log line.
///
/// # Errors
/// It is empty, too long, or contains a newline or the like.
pub fn revision(text: &str) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::new(
            "is empty",
            "set a value that identifies the release, such as the commit",
        ));
    }
    if text.len() > REVISION_MAX {
        let bytes = text.len();
        return Err(Problem::new(
            format!("is {bytes} bytes long, but a revision has at most {REVISION_MAX}"),
            "use a short value that changes with every release, such as the commit",
        ));
    }
    if text.contains(char::is_control) {
        return Err(Problem::new(
            "contains a control character, such as a newline",
            "use one line of text, such as the commit",
        ));
    }
    Ok(text.to_owned())
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
            assert_eq!(revision(text).expect("valid"), text);
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
            assert_eq!(revision(text).expect_err(why).what(), why, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_revision_fits_its_column_and_a_line(text in any::<String>()) {
            if let Ok(revision) = revision(&text) {
                prop_assert!((1..=255).contains(&revision.len()));
                prop_assert_eq!(revision.lines().count(), 1);
            }
        }
    }
}
