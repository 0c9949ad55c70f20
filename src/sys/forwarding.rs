//! What `--init` does with signals and exit codes. Pure.

use std::time::Duration;

use super::signals::Signal;

/// Where a forwarded signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aim {
    /// The server's first process.
    #[default]
    Server,
    /// Its whole process group.
    Group,
}

/// How launchgate stays in front of its server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Init {
    /// Where signals go.
    pub aim: Aim,
    /// Signals that become another one, or nothing: 0.
    pub rewrites: Vec<(Signal, Signal)>,
    /// Exit codes of the server that become another one.
    pub remaps: Vec<(u8, u8)>,
    /// Between TERM and KILL for processes that outlive the server.
    pub grace: Duration,
    /// The signal that launchgate gets when its parent dies.
    pub death_signal: Option<Signal>,
}

impl Init {
    /// What a signal becomes; `None` if it is dropped.
    pub fn rewritten(&self, number: Signal) -> Option<Signal> {
        Some(changed(&self.rewrites, number)).filter(|to| *to != 0)
    }

    /// What an exit code of the server becomes.
    pub fn remapped(&self, code: u8) -> u8 {
        changed(&self.remaps, code)
    }
}

fn changed<T: Copy + PartialEq>(rules: &[(T, T)], number: T) -> T {
    let rule = rules.iter().find(|(from, _)| *from == number);
    rule.map_or(number, |(_, to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_changes_its_own_number_alone() {
        let init = Init {
            rewrites: vec![(15, 3), (1, 0)],
            remaps: vec![(143, 0)],
            ..Init::default()
        };
        for number in 1..=64 {
            let expected = match number {
                15 => Some(3),
                1 => None,
                number => Some(number),
            };
            assert_eq!(init.rewritten(number), expected);
        }
        for code in 0..=255 {
            assert_eq!(init.remapped(code), if code == 143 { 0 } else { code });
        }
    }
}
