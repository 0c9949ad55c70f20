//! An environment as `execve` takes it: entries in order, whatever they contain.
//!
//! Pure. Entries that a library would refuse (without `=`, with an empty name, or with a name
//! that occurs twice) stay where they are unless they are addressed by name.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// The prefix of launchgate's own variables.
pub const OWN: &[u8] = b"LAUNCHGATE_";

/// One entry. Inherited ones live as long as the process and are not copied: the environments
/// of the steps and the server consist of mostly the same entries.
pub type EnvEntry = Cow<'static, CStr>;

/// The entries of an environment, in order.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    entries: Vec<EnvEntry>,
    /// Whether a name may begin with [`OWN`]. Most environments have none, and every setting
    /// asks for one.
    has_own: bool,
}

impl Environment {
    /// Takes the entries of `environ`.
    pub fn new(entries: Vec<EnvEntry>) -> Self {
        let has_own = entries.iter().any(|entry| begins(entry.to_bytes(), OWN));
        Self { entries, has_own }
    }

    /// The entries.
    pub fn entries(&self) -> &[EnvEntry] {
        &self.entries
    }

    /// The entries that were not inherited.
    pub fn added(&self) -> impl Iterator<Item = &[u8]> {
        let added = self.entries.iter().filter(|e| matches!(e, Cow::Owned(_)));
        added.map(|entry| entry.to_bytes())
    }

    /// Whether there may be variables that are launchgate's own.
    pub fn has_own(&self) -> bool {
        self.has_own
    }

    /// The value of the first entry with that name, as in `getenv`.
    pub fn get(&self, name: &[u8]) -> Option<&OsStr> {
        self.entries.iter().find_map(|entry| {
            let (found, value) = begins(entry.to_bytes(), name).then(|| parts(entry))??;
            (found == name).then(|| OsStr::from_bytes(value))
        })
    }

    /// The same, but an empty value counts as unset.
    pub fn get_filled(&self, name: &str) -> Option<&OsStr> {
        self.get(name.as_bytes()).filter(|value| !value.is_empty())
    }

    /// The name of the first entry with that value.
    pub fn name_of(&self, value: &OsStr) -> Option<&[u8]> {
        let mut parts = self.entries.iter().filter_map(|entry| parts(entry));
        let (name, _) = parts.find(|(_, found)| *found == value.as_bytes())?;
        Some(name)
    }

    /// The names that begin with `prefix`, in order.
    pub fn names_with<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.entries
            .iter()
            .filter_map(|entry| parts(entry))
            .map(|(name, _)| name)
            .filter(|n| n.starts_with(prefix))
    }

    /// Keeps the entries whose name `keep` accepts, and those without a name.
    pub fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.entries
            .retain(|entry| parts(entry).is_none_or(|(name, _)| keep(name)));
    }

    /// Removes launchgate's own entries, by their first bytes: one without `=` must not reach
    /// the steps and the server either.
    pub fn remove_own(&mut self) {
        if self.has_own {
            self.entries
                .retain(|entry| !entry.to_bytes().starts_with(OWN));
        }
    }

    /// Sets `name` in the place of its first entry, or at the end. The value ends at a NUL, as
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

    /// Adds an entry with a new name at the end.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.entries.push(entry(name, value));
    }
}

/// Whether an entry begins with these bytes. Most differ in the first one.
fn begins(entry: &[u8], name: &[u8]) -> bool {
    entry.first() == name.first() && entry.starts_with(name)
}

fn entry(name: &[u8], value: &[u8]) -> EnvEntry {
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 2);
    bytes.extend(name);
    bytes.push(b'=');
    bytes.extend(value);
    until_nul(bytes).into()
}

/// A C string of the bytes up to the first NUL.
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
    // glibc and musl search for `=` from the second byte on, so `=x=1` has the name `=x`.
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
