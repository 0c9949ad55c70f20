//! How long to wait before the next read of the ledger. Pure.

use std::time::Duration;

/// The shortest pause between two reads.
const LEAST: Duration = Duration::from_millis(200);

/// The shortest pauses are spread downwards from this: four thirds of [`LEAST`].
const LEAST_SPREAD: Duration = Duration::from_millis(267);

/// The longest pause.
const MOST: Duration = Duration::from_secs(10);

/// The first pause after the database had no connection to spare, or did not answer in time.
const LEAST_WHEN_FULL: Duration = Duration::from_millis(500);

/// The pause after `waited`: about a tenth of it, so that every replica starts within a tenth of the
/// migration's time after its end. `chance` (0 to 255) spreads it, so that replicas that started
/// together do not poll together.
pub fn pause(waited: Duration, chance: u8) -> Duration {
    let tenth = (waited / 10).clamp(LEAST_SPREAD, MOST);
    // Shortened by up to a quarter, never lengthened: the documented maximum is a tenth.
    spread(tenth, 4, chance).max(LEAST)
}

/// The pause after a running database had no connection to spare for the `refusals`th time in a
/// row: doubled each time, spread over half of it.
pub fn pause_when_full(refusals: u32, chance: u8) -> Duration {
    let doubled = 1u32 << refusals.saturating_sub(1).min(10);
    spread((LEAST_WHEN_FULL * doubled).min(MOST), 2, chance)
}

fn spread(pause: Duration, part: u32, chance: u8) -> Duration {
    pause.saturating_sub(pause * u32::from(chance) / (part * 255))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grows_from_200_ms_to_10_s() {
        assert_eq!(pause(Duration::ZERO, 0), LEAST_SPREAD);
        assert_eq!(pause(Duration::ZERO, 255).as_millis(), LEAST.as_millis());
        assert_eq!(pause(Duration::from_secs(30), 0), Duration::from_secs(3));
        assert_eq!(pause(Duration::from_hours(1), 0), MOST);
        assert_eq!(pause(Duration::from_hours(1), 255), MOST * 3 / 4);
    }

    #[test]
    fn a_full_database_is_left_alone_longer_each_time() {
        let pauses: Vec<_> = (1..=7).map(|n| pause_when_full(n, 0).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(pause_when_full(1, 255).as_millis(), 250);
    }

    proptest! {
        #[test]
        fn is_never_more_than_a_tenth_of_the_wait(ms in 2_670u64..10_000_000, chance: u8) {
            let waited = Duration::from_millis(ms);
            prop_assert!(pause(waited, chance) <= waited / 10);
        }

        #[test]
        fn is_always_between_its_bounds(ms: u32, chance: u8, refusals: u32) {
            let waited = Duration::from_millis(ms.into());
            for pause in [pause(waited, chance), pause_when_full(refusals, chance)] {
                prop_assert!((LEAST..=MOST).contains(&pause));
            }
        }
    }
}
