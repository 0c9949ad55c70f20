//! An environment as `execve` takes it: entries in their order, whatever they hold.
//!
//! Pure. Nothing is lost that a library would refuse: entries without `=`, with an empty
//! name, or twice the same name stay where they are unless they are named.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// What the names of launchgate's own variables begin with.
pub const OWN: &[u8] = b"LAUNCHGATE_";

/// One entry. What was inherited lives as long as the process and is not copied: each step
/// and the server have an environment of their own, of mostly the same entries.
pub type EnvEntry = Cow<'static, CStr>;

/// The entries of an environment, in order.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    entries: Vec<EnvEntry>,
    /// Whether a name may begin with [`OWN`]: most environments have none, and every setting
    /// asks.
    has_own: bool,
}

impl Environment {
    /// Takes entries as they stand in `environ`.
    #[must_use]
    pub fn new(entries: Vec<EnvEntry>) -> Self {
        let has_own = entries.iter().any(|e| e.to_bytes().starts_with(OWN));
        Self { entries, has_own }
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[EnvEntry] {
        &self.entries
    }

    /// Whether there may be variables that are launchgate's own.
    #[must_use]
    pub fn has_own(&self) -> bool {
        self.has_own
    }

    /// The value of the first entry of that name, as `getenv` has it.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&OsStr> {
        self.entries.iter().find_map(|entry| {
            // Most entries are told apart by their first byte.
            let bytes = entry.to_bytes();
            let begins = bytes.first() == name.first() && bytes.starts_with(name);
            let (found, value) = begins.then(|| parts(entry))??;
            (found == name).then(|| OsStr::from_bytes(value))
        })
    }

    /// The same, where an empty value counts as none.
    #[must_use]
    pub fn get_filled(&self, name: &str) -> Option<&OsStr> {
        self.get(name.as_bytes()).filter(|value| !value.is_empty())
    }

    /// The names that begin with `prefix`, in order.
    pub fn names_with<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.entries
            .iter()
            .filter_map(|entry| parts(entry))
            .map(|(name, _)| name)
            .filter(|n| n.starts_with(prefix))
    }

    /// Keeps the entries whose name `keep` likes; one without `=` has no name and stays.
    pub fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.entries
            .retain(|entry| parts(entry).is_none_or(|(name, _)| keep(name)));
    }

    /// Removes what is launchgate's own: by how an entry begins, since one without `=` would
    /// reach step and server as well.
    pub fn remove_own(&mut self) {
        if self.has_own {
            self.entries
                .retain(|entry| !entry.to_bytes().starts_with(OWN));
        }
    }

    /// Sets `name`, in the place of its first entry or at the end. A NUL ends the value, as
    /// it would for any program that reads it.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let place = self
            .entries
            .iter()
            .position(|e| parts(e).is_some_and(|(n, _)| n == name));
        self.retain(|found| found != name);
        let entry = entry(name, value);
        match place {
            Some(at) => self.entries.insert(at, entry),
            None => self.entries.push(entry),
        }
    }

    /// The same for a name that no entry has, at the end.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.entries.push(entry(name, value));
    }
}

fn entry(name: &[u8], value: &[u8]) -> EnvEntry {
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 2);
    bytes.extend(name);
    bytes.push(b'=');
    bytes.extend(value);
    until_nul(bytes).into()
}

/// A C string of the bytes up to the first NUL.
#[must_use]
pub fn until_nul(mut bytes: Vec<u8>) -> CString {
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    bytes.truncate(end);
    CString::new(bytes).unwrap_or_default()
}

fn parts(entry: &CStr) -> Option<(&[u8], &[u8])> {
    let bytes = entry.to_bytes();
    // glibc and musl look for the `=` behind the first byte, so that `=x=1` has the name `=x`.
    let equals = bytes.iter().skip(1).position(|&byte| byte == b'=')? + 1;
    Some((&bytes[..equals], &bytes[equals + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[&str]) -> Environment {
        Environment::new(
            entries
                .iter()
                .map(|e| until_nul(e.as_bytes().to_vec()).into())
                .collect(),
        )
    }

    fn shown(environment: &Environment) -> Vec<&str> {
        environment
            .entries()
            .iter()
            .map(|e| e.to_str().unwrap())
            .collect()
    }

    #[test]
    fn keeps_order_and_what_no_library_would_accept() {
        let mut env = environment(&["B=1", "junk", "A=2", "=x=3", "", "A=4"]);
        env.retain(|name| name != b"B");
        assert_eq!(shown(&env), ["junk", "A=2", "=x=3", "", "A=4"]);
        assert_eq!(env.get(b"A").unwrap(), "2");
    }

    #[test]
    fn nothing_of_launchgates_own_is_left_whatever_it_looks_like() {
        let mut env = environment(&[
            "LAUNCHGATE_A=1",
            "X",
            "LAUNCHGATE_B",
            "LAUNCHGATE=1",
            "Y=LAUNCHGATE_",
        ]);
        env.remove_own();
        assert_eq!(shown(&env), ["X", "LAUNCHGATE=1", "Y=LAUNCHGATE_"]);
    }

    #[test]
    fn sets_in_place_and_leaves_no_second_entry() {
        let mut env = environment(&["A=1", "B=2", "A=3"]);
        env.set(b"A", b"9");
        env.set(b"C", b"8");
        assert_eq!(shown(&env), ["A=9", "B=2", "C=8"]);
    }
}
