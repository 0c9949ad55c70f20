//! Users: looking names up, and becoming another user, as gosu does.
//!
//! Becoming another user can't be undone, so a child tries it before anything runs. That child
//! also looks executables up, since permissions depend on the user.

use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::{ffi::OsStr, fs::File};

use libc::{c_int, c_long, gid_t};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{
    ForkResult, Gid, Group, Uid, User, fork, geteuid, getgid, getgrouplist, getresgid, getresuid,
    getuid,
};

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
    let look_up = || {
        become_user(identity).map_err(|errno| NotFound::Refused(errno.into()))?;
        lookup::find(name, path).map_err(NotFound::Unfit)
    };
    let (answer, reach) = ask_child(|| encode(look_up())).map_err(NotFound::Refused)?;
    let found = decode(&answer).unwrap_or_else(|| {
        let why = io::Error::other("the child process that tried it died");
        Err(NotFound::Refused(why))
    })?;
    match part {
        LauncherRole::Become => {}
        LauncherRole::Watch => reach.map_err(NotFound::OutOfReach)?,
    }
    Ok(found)
}

/// What the child found, as bytes: one that says what it is, and the text or number.
fn encode(found: Result<PathBuf, NotFound>) -> Vec<u8> {
    match found {
        Ok(file) => [b"+", file.as_os_str().as_bytes()].concat(),
        Err(NotFound::Unfit(Unfit {
            is_missing,
            what,
            hint,
        })) => {
            let kind = if is_missing { b"?" } else { b"!" };
            [kind, what.as_bytes(), b"\0", hint.as_bytes()].concat()
        }
        Err(NotFound::Refused(error) | NotFound::OutOfReach(error)) => {
            let errno = error.raw_os_error().unwrap_or_default();
            [b"-", &errno.to_ne_bytes()[..]].concat()
        }
    }
}

/// `None` if the answer is not whole.
fn decode(answer: &[u8]) -> Option<Result<PathBuf, NotFound>> {
    let (kind, rest) = answer.split_first()?;
    Some(match kind {
        b'+' => Ok(PathBuf::from(OsStr::from_bytes(rest))),
        b'-' => {
            let errno = c_int::from_ne_bytes(rest.try_into().ok()?);
            Err(NotFound::Refused(io::Error::from_raw_os_error(errno)))
        }
        kind => {
            let text = String::from_utf8_lossy(rest);
            let (what, hint) = text.split_once('\0')?;
            Err(NotFound::Unfit(Unfit {
                is_missing: *kind == b'?',
                what: what.to_owned(),
                hint: hint.to_owned(),
            }))
        }
    })
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

/// Becomes that user for good: groups, group, user, in this order, since each step gives up the
/// right to the one before. When root becomes another user, the kernel clears all capabilities
/// (capabilities(7)).
///
/// Makes system calls only, so it may be called between clone and exec. They are raw: the C
/// libraries make every thread switch, and there those are the parent's threads.
///
/// # Errors
/// The kernel refuses.
pub(super) fn become_user(identity: &Identity) -> Result<(), Errno> {
    const KEEP: c_long = -1;
    let call = |number: c_long, a: c_long, b: c_long, c: c_long| {
        // SAFETY: each call below takes numbers, and setgroups a pointer to that many groups,
        // which live as long as `identity`.
        Errno::result(unsafe { libc::syscall(number, a, b, c) }).map(drop)
    };
    let (user, group) = (c_long::from(identity.user), c_long::from(identity.group));
    let count = c_long::try_from(identity.groups.len()).unwrap_or(c_long::MAX);
    let groups = identity.groups.as_ptr() as c_long;
    if let Err(error) = call(libc::SYS_setgroups, count, groups, 0) {
        // A process that is that user already, and may not change groups, keeps them.
        return if is_already(identity) {
            Ok(())
        } else {
            Err(error)
        };
    }
    call(libc::SYS_setresgid, group, group, group)?;
    call(libc::SYS_setresuid, user, user, user)?;
    if identity.user != 0 && call(libc::SYS_setresuid, KEEP, 0, KEEP).is_ok() {
        // It could become root again, so it has not switched (securebits, capabilities(7)).
        return Err(Errno::EPERM);
    }
    Ok(())
}

fn is_already(identity: &Identity) -> bool {
    let (Ok(users), Ok(groups)) = (getresuid(), getresgid()) else {
        return false;
    };
    let users = [users.real, users.effective, users.saved];
    let groups = [groups.real, groups.effective, groups.saved];
    users == [Uid::from_raw(identity.user); 3] && groups == [Gid::from_raw(identity.group); 3]
}
