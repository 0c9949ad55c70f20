//! The command line by which launchgate passes its state to itself when it executes itself
//! behind the gate under `--init`.
//!
//! Pure. An unknown word makes the whole command line invalid: this version of launchgate did
//! not write it.

use std::str::FromStr;
use std::time::Duration;

use crate::output::options::{Format, Verbosity};
use crate::sys::forwarding::{Aim, Init};

/// Everything launchgate has to know after it has executed itself behind the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InitState {
    /// The server's process id.
    pub(super) server: i32,
    /// Whether it was given the terminal's foreground; it may have passed it on since.
    pub(super) had_terminal: bool,
    /// How to behave in front of it.
    pub(super) init: Init,
    /// How much is logged.
    pub(super) verbosity: Verbosity,
    /// The format of the log.
    pub(super) format: Format,
}

impl InitState {
    /// The state as words of a command line, readable in `ps` too.
    pub(super) fn words(&self) -> Vec<String> {
        // No more than can be parsed again.
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
        let rewrites = self.init.rewrites.iter();
        words.extend(rewrites.map(|(from, to)| format!("rewrite={from}:{to}")));
        let remaps = self.init.remaps.iter();
        words.extend(remaps.map(|(from, to)| format!("remap={from}:{to}")));
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

    /// Parses such words; `None` if one of them is unknown.
    pub(super) fn from_words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut server = None;
        let (mut had_terminal, mut verbosity) = (false, Verbosity::Normal);
        let mut format = Format::Text;
        let mut init = Init::default();
        for word in words {
            let word = std::str::from_utf8(word).ok()?;
            match word.split_once('=') {
                Some(("server", pid)) => server = pid.parse().ok().filter(|pid| *pid > 0),
                Some(("grace", time)) => {
                    init.grace = Duration::from_millis(time.strip_suffix("ms")?.parse().ok()?);
                }
                Some(("rewrite", text)) => init.rewrites.push(rule(text)?),
                Some(("remap", text)) => init.remaps.push(rule(text)?),
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

fn rule<T: FromStr>(text: &str) -> Option<(T, T)> {
    let (from, to) = text.split_once(':')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unknown_words_are_refused() {
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
            assert_eq!(InitState::from_words(words), None);
        }
    }

    #[test]
    fn the_longest_grace_can_be_read_again() {
        let state = InitState {
            server: 2,
            had_terminal: false,
            init: Init {
                grace: Duration::MAX,
                ..Init::default()
            },
            verbosity: Verbosity::Normal,
            format: Format::Text,
        };
        let words = state.words();
        assert!(InitState::from_words(words.iter().map(String::as_bytes)).is_some());
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
            let init = Init {
                aim: if group { Aim::Group } else { Aim::Server },
                rewrites,
                remaps,
                grace: Duration::from_millis(grace),
                death_signal: None,
            };
            let state = InitState { server, had_terminal, init, verbosity, format };
            let words = state.words();
            let back = InitState::from_words(words.iter().map(String::as_bytes));
            prop_assert_eq!(back, Some(state));
        }
    }
}
