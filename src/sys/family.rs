//! Which processes belong to a step, and signals to all of them.
//!
//! If this process had no children before launchgate, every descendant belongs to the step. If it
//! had some (a sidecar that a shell started before `exec launchgate`), they and what they start
//! are left alone, even if one becomes launchgate's child because its parent ended.

use std::time::Duration;

use nix::errno::Errno;

use super::descendants::{self, Process};
use super::signals::{self, Signal};
use super::wait::{self, Reaped, Which};

/// How soon a kill is repeated, for processes that were born meanwhile.
pub(super) const AGAIN: Duration = Duration::from_millis(50);

/// The descendants of this process before launchgate started anything.
#[derive(Debug)]
pub enum Foreign {
    /// None.
    Nobody,
    /// These.
    These(Vec<i32>),
    /// Some, and there is no /proc to find them.
    Unknown,
}

/// The processes of a step, or of an init's server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family<'a> {
    /// The first one, which leads a process group.
    pub(super) leader: i32,
    /// The entry in the environment of this run's steps; `None` for every descendant of an init.
    pub(super) mark: Option<&'a [u8]>,
    pub(super) foreign: &'a Foreign,
}

/// Which processes a signal reached.
#[derive(Debug)]
pub(super) struct Reached {
    /// How many there were, if they could be counted.
    pub(super) count: Option<usize>,
    /// One that it did not reach.
    pub(super) stray: Option<Stray>,
}

/// A process that can't be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stray {
    /// Another user's, which kill(2) refuses to signal.
    Refused {
        /// Its process id.
        pid: i32,
        /// The user it runs as, unless it is gone.
        user: Option<u32>,
        /// `S`, `D`, `T` …
        state: char,
    },
    /// Not visible in /proc.
    Hidden,
}

impl Foreign {
    /// Finds the current descendants, at any depth: one becomes this process's child when
    /// those in between end.
    pub fn look() -> Self {
        if !wait::exists(Which::Any) {
            return Self::Nobody;
        }
        match descendants::processes() {
            None => Self::Unknown,
            Some(all) => {
                let found = descendants::below_this(&all, |_| false);
                Self::These(found.iter().map(|process| process.pid).collect())
            }
        }
    }
}

impl Family<'_> {
    /// Reaps one member that ended, or reports one that was stopped. Children that were there
    /// before launchgate are left alone: they will be the server's.
    pub(super) fn reap(&self) -> Reaped {
        wait::reap(&self.children())
    }

    /// The members that are this process's own children.
    fn children(&self) -> Vec<Which> {
        if matches!(self.foreign, Foreign::Nobody) {
            return vec![Which::Any];
        }
        let Some(members) = self.members() else {
            return vec![Which::One(self.leader), Which::Group(self.leader)];
        };
        let own = std::process::id().cast_signed();
        let children = members.iter().filter(|process| process.parent == own);
        children.map(|process| Which::One(process.pid)).collect()
    }

    /// Signals all of them. If everything in its PID namespace may be signalled, a PID 1 uses
    /// kill(2) with -1, which has no race and needs no /proc. For a step it does so only if
    /// there is no /proc, since that also reaches processes that `docker exec` started.
    pub(super) fn signal(&self, numbers: &[Signal]) -> Reached {
        let is_alone = matches!(self.foreign, Foreign::Nobody);
        let may_reach_all = is_alone && std::process::id() == 1;
        let members = match self.mark {
            None if may_reach_all => None,
            _ => self.members(),
        };
        if let Some(members) = members {
            return reach(&members, numbers, is_alone);
        }
        let target = if may_reach_all { -1 } else { -self.leader };
        // A group is certainly still the step's only while a child of ours is in it.
        let is_ours = may_reach_all || wait::exists(Which::Group(self.leader));
        for number in numbers.iter().filter(|_| is_ours) {
            signals::send(target, *number);
        }
        Reached {
            count: None,
            stray: (!may_reach_all).then_some(Stray::Hidden),
        }
    }

    /// All of them; `None` if they can't be found.
    fn members(&self) -> Option<Vec<Process>> {
        let foreign: &[i32] = match self.foreign {
            Foreign::Nobody => &[],
            Foreign::These(pids) => pids,
            Foreign::Unknown => return None,
        };
        let all = descendants::processes()?;
        let own = std::process::id().cast_signed();
        Some(descendants::below_this(&all, |process| {
            // The step's first process may have reused the number of one that has ended.
            process.pid != self.leader
                && (foreign.contains(&process.pid)
                    || (!foreign.is_empty() && process.parent == own && !self.may_own(process)))
        }))
    }

    /// Whether a child may be the step's. It is not if it is in another group and its
    /// environment can be read and lacks the run's entry: an earlier process started it. The
    /// session says nothing, since a step stays in launchgate's.
    fn may_own(&self, child: &Process) -> bool {
        child.group == self.leader
            || self
                .mark
                .is_none_or(|mark| child.has_entry(mark) != Some(false))
    }
}

fn reach(members: &[Process], numbers: &[Signal], is_alone: bool) -> Reached {
    let mut stray = None;
    for process in members {
        for number in numbers {
            // A zombie needs no signal, whoever owns it.
            if signals::try_send(process.pid, *number) == Err(Errno::EPERM) && process.state != 'Z'
            {
                stray.get_or_insert_with(|| Stray::Refused {
                    pid: process.pid,
                    user: process.user(),
                    state: process.state,
                });
            }
        }
    }
    // There is a child, or this would not be called: /proc hides other users' (hidepid).
    let is_hidden = members.is_empty() && is_alone;
    Reached {
        count: (!is_hidden).then_some(members.len()),
        stray: stray.or(is_hidden.then_some(Stray::Hidden)),
    }
}
