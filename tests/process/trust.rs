//! "Run as root, a settings file is refused (64) that is not root's, or that others or a group
//! other than root's may write." (contract, section 3)

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use crate::common::{Mode, Place};

/// A folder with a settings file that has this owner and mode.
fn with_settings_file((user, group): (u32, u32), mode: u32) -> Place {
    let place = Place::new();
    place.write("launchgate.toml", "verify = \"./stub append started x\"\n");
    let file = place.path("launchgate.toml");
    chown(&file, Some(user), Some(group)).unwrap();
    set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    place
}

#[test]
fn root_refuses_a_settings_file_that_others_could_have_written() {
    for (owner, mode, says) in [
        ((1000, 0), 0o644, "belongs to user 1000"),
        ((1000, 0), 0o400, "chown root:root ./launchgate.toml"),
        ((0, 1000), 0o664, "can be written by group 1000"),
        ((0, 0), 0o666, "can be written by everyone"),
        ((0, 1000), 0o646, "chmod go-w ./launchgate.toml"),
    ] {
        let place = with_settings_file(owner, mode);
        let words: [&[&str]; 4] = [
            &["run", "--no-database", "--", "./stub", "exit", "0"],
            &["job", "--no-database", "--config=./launchgate.toml"],
            &["check", "--no-database"],
            &["init", "--", "./stub", "append", "started", "x"],
        ];
        for words in words {
            let words = [&["./launchgate"], words].concat();
            let end = place.run(Mode::Ordinary, &words).end();
            end.code(64)
                .says(&["./launchgate.toml", says, "root", "hint="]);
            assert!(!place.has("started"));
        }
    }
}

#[test]
fn root_believes_a_settings_file_that_only_root_could_have_written() {
    for (owner, mode) in [((0, 0), 0o664), ((0, 1000), 0o644), ((0, 1000), 0o440)] {
        let place = with_settings_file(owner, mode);
        place.gate(Mode::Ordinary, &[""; 0]).end().code(0);
        assert!(place.has("started"));
    }
}

#[test]
fn another_user_may_have_a_settings_file_of_whoever() {
    let place = with_settings_file((0, 1000), 0o666);
    set_permissions(place.folder(), Permissions::from_mode(0o777)).unwrap();
    let as_user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
    let gate = place.gate(Mode::Ordinary, &[""; 0]).inside(&as_user);
    gate.end().code(0);
    assert!(place.has("started"));
}
