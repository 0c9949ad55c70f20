//! An environment as `execve` takes it: entries in their order, whatever they hold.
//!
//! Pure. Nothing is lost that a library would refuse: entries without `=`, with an empty
//! name, or twice the same name stay where they are unless they are named.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// The entries of an environment, in order.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<CString>);

impl Environment {
    /// Takes entries as they stand in `environ`.
    #[must_use]
    pub fn new(entries: Vec<CString>) -> Self {
        Self(entries)
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[CString] {
        &self.0
    }

    /// The value of the first entry of that name, as `getenv` has it.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&OsStr> {
        self.0.iter().find_map(|entry| {
            let (found, value) = parts(entry)?;
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
        self.0
            .iter()
            .filter_map(parts)
            .map(|(name, _)| name)
            .filter(|n| n.starts_with(prefix))
    }

    /// Keeps the entries whose name `keep` likes; one without `=` has no name and stays.
    pub fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.0
            .retain(|entry| parts(entry).is_none_or(|(name, _)| keep(name)));
    }

    /// Sets `name`, in the place of its first entry or at the end. A NUL ends the value, as
    /// it would for any program that reads it.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let mut bytes = Vec::with_capacity(name.len() + value.len() + 1);
        bytes.extend(name);
        bytes.push(b'=');
        bytes.extend(value);
        let entry = until_nul(bytes);
        let place = self
            .0
            .iter()
            .position(|e| parts(e).is_some_and(|(n, _)| n == name));
        self.retain(|found| found != name);
        match place {
            Some(at) => self.0.insert(at, entry),
            None => self.0.push(entry),
        }
    }
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

fn parts(entry: &CString) -> Option<(&[u8], &[u8])> {
    let bytes = CStr::to_bytes(entry);
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
                .map(|e| until_nul(e.as_bytes().to_vec()))
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
    fn sets_in_place_and_leaves_no_second_entry() {
        let mut env = environment(&["A=1", "B=2", "A=3"]);
        env.set(b"A", b"9");
        env.set(b"C", b"8");
        assert_eq!(shown(&env), ["A=9", "B=2", "C=8"]);
    }
}
