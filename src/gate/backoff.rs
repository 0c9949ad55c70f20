//! How long to wait before the next read of the ledger. Pure.

use std::time::Duration;

/// The shortest pause between two reads.
const LEAST: Duration = Duration::from_millis(200);

/// The shortest pauses are spread downwards from this: four thirds of [`LEAST`].
const LEAST_SPREAD: Duration = Duration::from_millis(267);

/// The longest pause.
const MOST: Duration = Duration::from_secs(10);

/// The longest pause that contention leads to. With a thousand waiters that is 250 reads a second, which
/// one core can serve, and after 40 s a tenth of the wait is longer anyway.
const MOST_UNDER_CONTENTION: Duration = Duration::from_secs(4);

/// Up to this many simultaneous reads are not contention.
const FEW: u32 = 4;

/// The first pause after the database had no connection to spare, or did not answer in time.
const LEAST_WHEN_FULL: Duration = Duration::from_millis(500);

/// The pause after `waited`: about a tenth of it, so that every replica starts within a tenth of the
/// migration's time after its end. `chance` (0 to 255) spreads it, so that replicas that started
/// together do not poll together. Under contention, it is longer in the beginning.
pub fn pause(waited: Duration, contention: Contention, chance: u8) -> Duration {
    let tenth = (waited / 10).clamp(LEAST_SPREAD, MOST);
    let stretched = (tenth * contention.stretch).min(MOST_UNDER_CONTENTION);
    // Shortened by up to a quarter, never lengthened: the documented maximum is a tenth.
    spread(tenth.max(stretched), 4, chance).max(LEAST)
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

/// How many replicas poll at the same time, as far as this one can tell, as the factor by which it
/// stretches its pauses. Each read is a sample. Together the replicas find the rate at which only a few
/// are connected at any moment, without knowing how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contention {
    stretch: u32,
}

impl Default for Contention {
    fn default() -> Self {
        Self { stretch: 1 }
    }
}

impl Contention {
    /// Takes a sample: how many replicas were reading during this read, itself included.
    pub fn sample(&mut self, pollers: u32) {
        if pollers > FEW {
            // Slows down by the factor by which there are too many.
            self.stretch = self.stretch.saturating_mul(pollers.div_ceil(FEW)).min(64);
        } else if pollers <= FEW / 2 {
            self.stretch = (self.stretch / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alone(waited: Duration, chance: u8) -> Duration {
        pause(waited, Contention::default(), chance)
    }

    #[test]
    fn grows_from_200_ms_to_10_s() {
        assert_eq!(alone(Duration::ZERO, 0), LEAST_SPREAD);
        assert_eq!(alone(Duration::ZERO, 255).as_millis(), LEAST.as_millis());
        assert_eq!(alone(Duration::from_secs(30), 0), Duration::from_secs(3));
        assert_eq!(alone(Duration::from_hours(1), 0), MOST);
        assert_eq!(alone(Duration::from_hours(1), 255), MOST * 3 / 4);
    }

    #[test]
    fn one_sample_under_contention_is_enough() {
        let mut contention = Contention::default();
        contention.sample(36);
        assert_eq!(pause(Duration::ZERO, contention, 0), LEAST_SPREAD * 9);
        contention.sample(36);
        assert_eq!(pause(Duration::ZERO, contention, 0), MOST_UNDER_CONTENTION);
    }

    #[test]
    fn contention_that_is_over_is_forgotten() {
        let mut contention = Contention::default();
        contention.sample(1000);
        for _ in 0..6 {
            contention.sample(1);
        }
        assert_eq!(contention, Contention::default());
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
            prop_assert!(alone(waited, chance) <= waited / 10);
        }

        #[test]
        fn contention_costs_nobody_more_than_a_tenth_of_a_long_wait(
            ms in 40_000u64..10_000_000, chance: u8, samples: Vec<u32>,
        ) {
            let mut contention = Contention::default();
            for pollers in samples {
                contention.sample(pollers);
            }
            let waited = Duration::from_millis(ms);
            prop_assert!(pause(waited, contention, chance) <= waited / 10);
        }

        #[test]
        fn is_always_between_its_bounds(ms: u32, chance: u8, pollers: u32, refusals: u32) {
            let mut contention = Contention::default();
            contention.sample(pollers);
            let waited = Duration::from_millis(ms.into());
            for pause in [pause(waited, contention, chance), pause_when_full(refusals, chance)] {
                prop_assert!((LEAST..=MOST).contains(&pause));
            }
        }
    }
}
