//! Users: looking names up, and becoming another user, as gosu does.
//!
//! Becoming another user can't be undone, so a child tries it before anything runs. That child
//! also looks executables up, since permissions depend on the user.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::{ffi::OsStr, ffi::OsString, fs::File};

use libc::{c_int, c_long, gid_t, uid_t};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{ForkResult, Gid, Group, Uid, User, fork, geteuid, getgid, getgrouplist, getuid};

use super::lookup::{self, Unfit};
use super::wait;
use crate::sys::environment::until_nul;
use crate::sys::identity::{Id, Identity, UserError, UserSpec};

/// Looks up a user in /etc/passwd and /etc/group; without a user in `spec`, the current one. A
/// number needs no entry; then the group does not change and `HOME` is `/`. Supplementary groups
/// are those that list the user, unless `spec` has a group: then there are none.
///
/// # Errors
/// There is no such user or group.
pub fn find(spec: &UserSpec) -> Result<Identity, UserError> {
    let own_number = Id::Number(getuid().as_raw());
    let named = spec.user.as_ref().unwrap_or(&own_number);
    let entry = match named {
        Id::Name(name) => User::from_name(name).ok().flatten(),
        Id::Number(number) => User::from_uid(Uid::from_raw(*number)).ok().flatten(),
    };
    let user = match (named, &entry) {
        (_, Some(entry)) => entry.uid.as_raw(),
        (Id::Number(number), None) => *number,
        (Id::Name(name), None) => return Err(unknown("user", name, "/etc/passwd")),
    };
    let own = entry.as_ref().map_or(getgid(), |entry| entry.gid);
    let group = match &spec.group {
        None => own.as_raw(),
        Some(Id::Number(number)) => *number,
        Some(Id::Name(name)) => match Group::from_name(name) {
            Ok(Some(group)) => group.gid.as_raw(),
            _ => return Err(unknown("group", name, "/etc/group")),
        },
    };
    let groups = match (&entry, &spec.group) {
        (Some(entry), None) => member_of(&entry.name),
        _ => Vec::new(),
    };
    let home = entry.map_or_else(|| b"/".to_vec(), |e| e.dir.into_os_string().into_vec());
    Ok(Identity {
        user,
        group,
        groups,
        home,
    })
}

/// The name of this process's effective user; `None` if /etc/passwd has none.
pub fn own_name() -> Option<String> {
    let entry = User::from_uid(geteuid()).ok().flatten()?;
    Some(entry.name)
}

/// The groups that list the user. Its primary group is included only if it lists the user too.
/// getgrouplist(3) always adds the primary group, so it is given a number that no group can have.
fn member_of(name: &str) -> Vec<u32> {
    let none = Gid::from_raw(gid_t::MAX);
    let name = until_nul(name.as_bytes().to_vec());
    let groups = getgrouplist(&name, none).unwrap_or_default();
    let groups = groups.into_iter().filter(|group| *group != none);
    groups.map(Gid::as_raw).collect()
}

fn unknown(kind: &str, name: &str, file: &str) -> UserError {
    if std::fs::metadata(file).is_ok() {
        return UserError::new(
            format!("is not a known {kind}: {file} has no entry for {name}"),
            format!("add it to the image, or use the numeric {kind} ID"),
        );
    }
    UserError::new(
        format!("is not a known {kind}: this system has no {file}"),
        format!("use the numeric {kind} ID, which needs no entry"),
    )
}

/// Why a program can't be run as a user.
#[derive(Debug)]
pub enum NotFound {
    /// It does not exist, or can't be executed.
    Unfit(Unfit),
    /// This process is not allowed to become that user.
    Refused(io::Error),
    /// This process is not allowed to signal that user's processes.
    OutOfReach(io::Error),
}

/// What this process does once the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LauncherRole {
    /// It has become that program.
    Become,
    /// It watches over the program, forwards signals to it and stops it.
    Watch,
}

/// Finds the file that executing `name` as `identity` would execute.
///
/// Watching over another user's process needs the capability KILL. Without it no signal reaches
/// that user's processes, not even the one that the kernel sends when this process dies.
///
/// # Errors
/// See [`NotFound`].
pub fn look_up(
    identity: Option<&Identity>,
    name: &OsStr,
    path: Option<&OsStr>,
    part: LauncherRole,
) -> Result<PathBuf, NotFound> {
    let Some(identity) = identity else {
        return lookup::find(name, path).map_err(NotFound::Unfit);
    };
    let (answer, reach) = ask_child(|| {
        // SAFETY: it makes system calls only, and `identity` lives.
        let errno = unsafe { become_user(&Switch::of(identity)) };
        if errno != 0 {
            return [vec![REFUSED], errno.to_ne_bytes().to_vec()].concat();
        }
        match lookup::find(name, path) {
            Ok(file) => [vec![FOUND], file.into_os_string().into_vec()].concat(),
            Err(Unfit::NotFound { what, hint }) => text(MISSING, &what, &hint),
            Err(Unfit::NotExecutable { what, hint }) => text(UNFIT, &what, &hint),
        }
    })
    .map_err(NotFound::Refused)?;
    let found = read_answer(&answer)?;
    match part {
        LauncherRole::Become => {}
        LauncherRole::Watch => reach.map_err(NotFound::OutOfReach)?,
    }
    Ok(found)
}

const FOUND: u8 = 0;
const MISSING: u8 = 1;
const UNFIT: u8 = 2;
const REFUSED: u8 = 3;

fn text(kind: u8, what: &str, hint: &str) -> Vec<u8> {
    [&[kind], what.as_bytes(), b"\0", hint.as_bytes()].concat()
}

fn read_answer(answer: &[u8]) -> Result<PathBuf, NotFound> {
    let died = || NotFound::Refused(io::Error::other("the child process that tried it died"));
    let (kind, rest) = answer.split_first().ok_or_else(died)?;
    if *kind == FOUND {
        return Ok(PathBuf::from(OsString::from_vec(rest.to_vec())));
    }
    if *kind == REFUSED {
        let errno = rest.try_into().map(c_int::from_ne_bytes);
        let errno = errno.map_err(|_| died())?;
        return Err(NotFound::Refused(io::Error::from_raw_os_error(errno)));
    }
    let parts = String::from_utf8_lossy(rest);
    let (what, hint) = parts.split_once('\0').ok_or_else(died)?;
    let (what, hint) = (what.to_owned(), hint.to_owned());
    Err(NotFound::Unfit(if *kind == MISSING {
        Unfit::NotFound { what, hint }
    } else {
        Unfit::NotExecutable { what, hint }
    }))
}

/// Runs a check that would change this process in a child, and tests whether that child can then be
/// signalled.
fn ask_child(find_out: impl FnOnce() -> Vec<u8>) -> io::Result<(Vec<u8>, io::Result<()>)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread before the gate, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(read);
            let answer = find_out();
            let _ = File::from(write).write_all(&answer);
            // SAFETY: _exit(2) does not return, and flushes or closes nothing of the parent's.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut answer = Vec::new();
            let read = File::from(read).read_to_end(&mut answer);
            // Even if it has ended, it keeps its user until it is reaped.
            let reach = kill(child, None).map_err(io::Error::from);
            wait::wait_and_reap(child.as_raw());
            read.map(|_| (answer, reach))
        }
    }
}

/// A user to become, prepared so that becoming it makes system calls only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switch {
    user: uid_t,
    group: gid_t,
    groups: *const gid_t,
    count: usize,
}

impl Switch {
    /// Valid as long as `identity` lives.
    pub(super) fn of(identity: &Identity) -> Self {
        Self {
            user: identity.user,
            group: identity.group,
            groups: identity.groups.as_ptr(),
            count: identity.groups.len(),
        }
    }
}

/// Becomes that user for good: groups, group, user, in this order, since each step gives up the
/// right to the one before. When root becomes another user, the kernel clears all capabilities
/// (capabilities(7)). Returns 0 or an error number.
///
/// Uses raw system calls: the C libraries make every thread switch, and between clone and exec
/// those are the parent's threads.
///
/// # Safety
/// The identity that `switch` was made from must still exist.
pub(super) unsafe fn become_user(switch: &Switch) -> c_int {
    const KEEP: c_long = -1;
    let call = |number: c_long, a: c_long, b: c_long, c: c_long| {
        // SAFETY: each call below takes numbers, and setgroups a pointer to that many groups,
        // which still exist.
        match unsafe { libc::syscall(number, a, b, c) } {
            0 => 0,
            _ => Errno::last_raw(),
        }
    };
    let (user, group) = (c_long::from(switch.user), c_long::from(switch.group));
    let count = c_long::try_from(switch.count).unwrap_or(c_long::MAX);
    let errno = call(libc::SYS_setgroups, count, switch.groups as c_long, 0);
    if errno != 0 {
        // A process that is that user already, and may not change groups, keeps them.
        return if is_already(switch) { 0 } else { errno };
    }
    let errno = call(libc::SYS_setresgid, group, group, group);
    if errno != 0 {
        return errno;
    }
    let errno = call(libc::SYS_setresuid, user, user, user);
    if errno != 0 {
        return errno;
    }
    if switch.user != 0 && call(libc::SYS_setresuid, KEEP, 0, KEEP) == 0 {
        // It could become root again, so it has not switched (securebits, capabilities(7)).
        return libc::EPERM;
    }
    0
}

fn is_already(switch: &Switch) -> bool {
    let (mut users, mut groups) = ([0; 3], [0; 3]);
    let ([u0, u1, u2], [g0, g1, g2]) = (&mut users, &mut groups);
    // SAFETY: every pointer is to a number that lives through the calls.
    let known = unsafe { libc::getresuid(u0, u1, u2) == 0 && libc::getresgid(g0, g1, g2) == 0 };
    known && users == [switch.user; 3] && groups == [switch.group; 3]
}
