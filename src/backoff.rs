//! How long to wait before the next look. Pure.

use std::time::Duration;

/// The shortest pause between two looks.
const LEAST: Duration = Duration::from_millis(200);

/// The longest.
const MOST: Duration = Duration::from_secs(10);

/// The pause after `waited`: about a tenth of it, so that nobody starts later than a tenth
/// of the migration's time after its end, spread by `chance` (0 to 255) so that replicas
/// that started together do not look together.
#[must_use]
pub fn pause(waited: Duration, chance: u8) -> Duration {
    let tenth = (waited / 10).clamp(LEAST, MOST);
    // Down to three quarters, never up: a tenth is the promise.
    tenth.saturating_sub(tenth * u32::from(chance) / (4 * 255))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grows_from_200_ms_to_10_s() {
        assert_eq!(pause(Duration::ZERO, 0), LEAST);
        assert_eq!(pause(Duration::from_secs(30), 0), Duration::from_secs(3));
        assert_eq!(pause(Duration::from_hours(1), 0), MOST);
        assert_eq!(pause(Duration::from_hours(1), 255), MOST * 3 / 4);
    }

    proptest! {
        #[test]
        fn is_never_more_than_a_tenth_of_the_wait(ms in 2_000u64..10_000_000, chance: u8) {
            let waited = Duration::from_millis(ms);
            prop_assert!(pause(waited, chance) <= waited / 10);
        }
    }
}
