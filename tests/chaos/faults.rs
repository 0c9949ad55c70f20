//! How many faults of each kind there were.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use crate::common::lock;

#[derive(Default)]
pub(crate) struct Faults(Mutex<BTreeMap<&'static str, usize>>);

impl Faults {
    pub(crate) fn note(&self, kind: &'static str) {
        *lock(&self.0).entry(kind).or_default() += 1;
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = lock(&self.0);
        let each: Vec<String> = kinds
            .iter()
            .map(|(kind, n)| format!("{kind} {n}"))
            .collect();
        let sum: usize = kinds.values().sum();
        write!(f, "{sum} faults ({})", each.join(", "))
    }
}
