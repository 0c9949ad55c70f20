//! What `--init` does with signals and exit codes: one table for each. Pure.

use std::time::Duration;

use super::signals::{self, Signal};

/// The highest signal number.
const LAST: usize = signals::LAST as usize;

/// Where a forwarded signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The server's first process.
    Server,
    /// Its whole process group.
    Group,
}

/// What becomes of each signal: itself, another one, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrites([u8; LAST + 1]);

impl Default for Rewrites {
    fn default() -> Self {
        let mut table = [0; LAST + 1];
        for (to, from) in table.iter_mut().zip(0..) {
            *to = from;
        }
        Self(table)
    }
}

impl Rewrites {
    /// From now on `from` becomes `to`; 0 drops it. Numbers that are not signals are ignored.
    pub fn set(&mut self, from: Signal, to: Signal) {
        if let (Ok(at), Ok(to)) = (usize::try_from(from), u8::try_from(to))
            && (1..=LAST).contains(&at)
            && usize::from(to) <= LAST
        {
            self.0[at] = to;
        }
    }

    /// What `number` becomes; `None` if it is dropped.
    pub fn get(&self, number: Signal) -> Option<Signal> {
        let to = *self.0.get(usize::try_from(number).ok()?)?;
        (to != 0).then_some(Signal::from(to))
    }

    /// Those that change, and what they become.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let entries = self.0.iter().map(|to| usize::from(*to)).enumerate();
        entries.filter(|(from, to)| from != to)
    }
}

/// What becomes of each exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remaps([u8; 256]);

impl Default for Remaps {
    fn default() -> Self {
        let mut table = [0; 256];
        for (to, from) in table.iter_mut().zip(0..=u8::MAX) {
            *to = from;
        }
        Self(table)
    }
}

impl Remaps {
    /// From now on `from` becomes `to`.
    pub fn set(&mut self, from: u8, to: u8) {
        self.0[usize::from(from)] = to;
    }

    /// What `code` becomes.
    pub fn get(&self, code: u8) -> u8 {
        self.0[usize::from(code)]
    }

    /// Those that change, and what they become.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let entries = self.0.iter().map(|to| usize::from(*to)).enumerate();
        entries.filter(|(from, to)| from != to)
    }
}

/// How launchgate stays in front of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// Where signals go.
    pub aim: Aim,
    /// What they become.
    pub rewrites: Rewrites,
    /// What the server's exit code becomes.
    pub remaps: Remaps,
    /// Between TERM and KILL for processes that outlive the server.
    pub grace: Duration,
    /// The signal that launchgate gets when its parent dies.
    pub death_signal: Option<Signal>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rewrite_every_signal_and_code_stays_itself() {
        let (rewrites, remaps) = (Rewrites::default(), Remaps::default());
        for number in 1..=64 {
            assert_eq!(rewrites.get(number), Some(number));
        }
        for number in [-1, 0, 65, i32::MIN, i32::MAX] {
            assert_eq!(rewrites.get(number), None);
        }
        for code in 0..=255 {
            assert_eq!(remaps.get(code), code);
        }
    }

    #[test]
    fn each_rewrite_changes_its_own_signal_alone() {
        for from in 1..=64 {
            for to in 0..=64 {
                let mut rewrites = Rewrites::default();
                rewrites.set(from, to);
                for number in 1..=64 {
                    let expected = if number == from { to } else { number };
                    assert_eq!(rewrites.get(number), Some(expected).filter(|n| *n != 0));
                }
            }
        }
    }

    #[test]
    fn numbers_that_are_not_signals_change_nothing() {
        let mut rewrites = Rewrites::default();
        for (from, to) in [(0, 1), (65, 1), (-1, 1), (1, 65), (1, -1), (1, 256)] {
            rewrites.set(from, to);
        }
        assert_eq!(rewrites, Rewrites::default());
    }
}
