//! What `--init` does with signals and exit codes: two tables, and the words by which they reach
//! the small state that launchgate executes itself into.
//!
//! Pure. A word that is not understood makes the whole state unknown: then nothing was passed on
//! by this version of launchgate.

use std::fmt::Write as _;
use std::time::Duration;

use crate::output::options::{Format, Verbosity};

/// A signal's number, 1 to 64.
type Number = i32;

/// The highest signal number of Linux.
const LAST: usize = 64;

/// Whom a forwarded signal goes to.
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
    /// From now on `from` becomes `to`; 0 drops it. Numbers that are no signals do nothing.
    pub fn set(&mut self, from: Number, to: Number) {
        if let (Ok(at), Ok(to)) = (usize::try_from(from), u8::try_from(to))
            && (1..=LAST).contains(&at)
            && usize::from(to) <= LAST
        {
            self.0[at] = to;
        }
    }

    /// What `number` becomes; `None` where it is dropped.
    #[must_use]
    pub fn get(&self, number: Number) -> Option<Number> {
        let to = *self.0.get(usize::try_from(number).ok()?)?;
        (to != 0).then_some(Number::from(to))
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
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
    #[must_use]
    pub fn get(&self, code: u8) -> u8 {
        self.0[usize::from(code)]
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let entries = self.0.iter().map(|to| usize::from(*to)).enumerate();
        entries.filter(|(from, to)| from != to)
    }
}

/// How launchgate stays in front of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// Whom signals go to.
    pub aim: Aim,
    /// What they become.
    pub rewrites: Rewrites,
    /// What the server's exit code becomes.
    pub remaps: Remaps,
    /// Between TERM and KILL for what outlives the server.
    pub grace: Duration,
    /// The signal that launchgate gets when its parent dies.
    pub death_signal: Option<Number>,
}

/// All that the small state has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The server's process id.
    pub server: i32,
    /// Whether it was given the terminal's foreground, which it may have passed on since.
    pub had_terminal: bool,
    /// How to stay.
    pub init: Init,
    /// How much is said.
    pub verbosity: Verbosity,
    /// How a line of it looks.
    pub format: Format,
}

impl State {
    /// The state as words of a command line, for a person who reads `ps` too.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        // As many milliseconds as can be read again: some hundred million years.
        let grace = self.init.grace.as_millis().min(u64::MAX.into());
        let mut words = vec![
            format!("server={}", self.server),
            format!("grace={grace}ms"),
        ];
        if self.had_terminal {
            words.push("terminal".to_owned());
        }
        if self.init.aim == Aim::Group {
            words.push("group".to_owned());
        }
        words.extend(list("rewrite", self.init.rewrites.pairs()));
        words.extend(list("remap", self.init.remaps.pairs()));
        match self.verbosity {
            Verbosity::Quiet => words.push("quiet".to_owned()),
            Verbosity::Normal => {}
            Verbosity::Verbose => words.push("verbose".to_owned()),
        }
        if self.format == Format::Json {
            words.push("json".to_owned());
        }
        words
    }

    /// The state that such words tell; `None` where one is none of them.
    pub fn from_words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut server = None;
        let (mut had_terminal, mut verbosity) = (false, Verbosity::Normal);
        let mut format = Format::Text;
        let mut init = Init {
            aim: Aim::Server,
            rewrites: Rewrites::default(),
            remaps: Remaps::default(),
            grace: Duration::ZERO,
            death_signal: None,
        };
        for word in words {
            let word = std::str::from_utf8(word).ok()?;
            match word.split_once('=') {
                Some(("server", pid)) => server = pid.parse().ok().filter(|pid| *pid > 0),
                Some(("grace", time)) => {
                    init.grace = Duration::from_millis(time.strip_suffix("ms")?.parse().ok()?);
                }
                Some(("rewrite", pairs)) => {
                    for (from, to) in numbers(pairs)? {
                        init.rewrites.set(from.into(), to.into());
                    }
                }
                Some(("remap", pairs)) => {
                    for (from, to) in numbers(pairs)? {
                        init.remaps.set(from, to);
                    }
                }
                None if word == "terminal" => had_terminal = true,
                None if word == "group" => init.aim = Aim::Group,
                None if word == "quiet" => verbosity = Verbosity::Quiet,
                None if word == "verbose" => verbosity = Verbosity::Verbose,
                None if word == "json" => format = Format::Json,
                _ => return None,
            }
        }
        Some(Self {
            server: server?,
            had_terminal,
            init,
            verbosity,
            format,
        })
    }
}

fn list(name: &str, pairs: impl Iterator<Item = (usize, usize)>) -> Option<String> {
    let mut text = String::new();
    for (from, to) in pairs {
        let before = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{before}{from}:{to}");
    }
    (!text.is_empty()).then(|| format!("{name}={text}"))
}

fn numbers(pairs: &str) -> Option<Vec<(u8, u8)>> {
    let pair = |text: &str| {
        let (from, to) = text.split_once(':')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    pairs.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn what_is_no_signal_changes_nothing() {
        let mut rewrites = Rewrites::default();
        for (from, to) in [(0, 1), (65, 1), (-1, 1), (1, 65), (1, -1), (1, 256)] {
            rewrites.set(from, to);
        }
        assert_eq!(rewrites, Rewrites::default());
    }

    #[test]
    fn words_that_are_none_of_ours_are_no_state() {
        for words in [
            &["server=0"][..],
            &["server=-1"],
            &["server=x"],
            &["grace=1ms"],
            &["server=2", "--help"],
            &["server=2", "rewrite=1"],
            &["server=2", "remap=256:0"],
            &["server=2", "grace=1s"],
            &[],
        ] {
            let words = words.iter().map(|word| word.as_bytes());
            assert_eq!(State::from_words(words), None);
        }
    }

    #[test]
    fn the_longest_grace_can_be_read_again() {
        let state = State {
            server: 2,
            had_terminal: false,
            init: Init {
                aim: Aim::Server,
                rewrites: Rewrites::default(),
                remaps: Remaps::default(),
                grace: Duration::MAX,
                death_signal: None,
            },
            verbosity: Verbosity::Normal,
            format: Format::Text,
        };
        let words = state.words();
        assert!(State::from_words(words.iter().map(String::as_bytes)).is_some());
    }

    proptest! {
        #[test]
        fn a_state_survives_its_words(
            server in 1..i32::MAX,
            had_terminal in any::<bool>(),
            group in any::<bool>(),
            rewrites in prop::collection::vec((1..=64, 0..=64), 0..70),
            remaps in prop::collection::vec(any::<(u8, u8)>(), 0..300),
            grace in 0..100_000_000u64,
            verbosity in prop::sample::select(vec![Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose]),
            format in prop::sample::select(vec![Format::Text, Format::Json]),
        ) {
            let mut init = Init {
                aim: if group { Aim::Group } else { Aim::Server },
                rewrites: Rewrites::default(),
                remaps: Remaps::default(),
                grace: Duration::from_millis(grace),
                death_signal: None,
            };
            for (from, to) in rewrites {
                init.rewrites.set(from, to);
            }
            for (from, to) in remaps {
                init.remaps.set(from, to);
            }
            let state = State { server, had_terminal, init, verbosity, format };
            let words = state.words();
            let back = State::from_words(words.iter().map(String::as_bytes));
            prop_assert_eq!(back, Some(state));
        }
    }
}
