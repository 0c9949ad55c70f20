//! Chance, from a seed.

use std::time::Duration;

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self((seed ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1)
    }

    /// xorshift64: any seed but zero.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    pub(crate) fn milliseconds(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.roll(below))
    }
}
