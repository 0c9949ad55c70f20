//! Running the checker.
#![allow(
    clippy::print_stdout,
    reason = "the way to a broken rule is to be read"
)]

use stateright::{Checker, HasDiscoveries, Model};

use crate::faults::Fault;
use crate::gate::{Gate, Guard};

/// A world with all guards, and with at most so many faults of these kinds.
pub(crate) fn world(faults: u8, permits: &[Fault]) -> Gate {
    Gate {
        off: Vec::new(),
        permits: permits.to_vec(),
        faults,
        recovered: None,
    }
}

impl Gate {
    pub(crate) fn without(mut self, guards: &[Guard]) -> Self {
        self.off = guards.to_vec();
        self
    }

    /// Visits every state; no rule may be broken but `except`, for which a way must be found.
    #[track_caller]
    pub(crate) fn keeps_all_rules_but(self, except: &[&'static str]) {
        let is_symmetric = !self.permits(Fault::LocksPerNode);
        let name = format!("{self:?}");
        let checker = self.checker();
        let (found, states) = if is_symmetric {
            let checked = checker.symmetry().spawn_dfs().join();
            (checked.discoveries(), checked.unique_state_count())
        } else {
            let checked = checker.spawn_dfs().join();
            (checked.discoveries(), checked.unique_state_count())
        };
        println!("{name}: {states} states");
        for (rule, path) in &found {
            let actions = path.clone().into_actions();
            assert!(except.contains(rule), "{rule}: {actions:#?}");
        }
        assert_eq!(found.len(), except.len(), "not broken: {except:?}");
    }

    #[track_caller]
    pub(crate) fn keeps_all_rules(self) {
        self.keeps_all_rules_but(&[]);
    }

    /// Finds a shortest way to break `rule`, and prints it.
    #[track_caller]
    pub(crate) fn breaks(self, rule: &'static str) {
        let name = format!("{self:?}");
        let found = HasDiscoveries::AnyOf([rule].into());
        let checked = self.checker().finish_when(found).spawn_bfs().join();
        let path = checked
            .discovery(rule)
            .unwrap_or_else(|| panic!("not broken in {name}: {rule}"));
        println!("{name}\nbreaks rule {rule}:");
        for action in path.into_actions() {
            println!("    {action:?}");
        }
    }
}
