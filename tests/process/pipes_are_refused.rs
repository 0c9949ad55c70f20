//! "While waiting, at once (within a second, whatever a connection or a file is stuck in)" (contract,
//! section 6): a file that a setting names is never a pipe that nobody writes to.

use nix::sys::stat::Mode as FileMode;
use nix::unistd::mkfifo;

use crate::common::{Finished, Mode, Place};

/// A place with a pipe.
fn with_pipe() -> Place {
    let place = Place::new();
    mkfifo(&place.path("pipe"), FileMode::from_bits_truncate(0o600)).unwrap();
    place
}

fn job(place: &Place, words: &[&str], variables: &[(&str, &str)]) -> Finished {
    let step = "--migrate=./stub append started migrate";
    let mut gate = place.run(
        Mode::Ordinary,
        ["./launchgate", "job", "--release=v1", step],
    );
    for (name, value) in variables {
        gate = gate.env(name, value);
    }
    let end = gate.args(words).end();
    assert!(!place.has("started"), "{end}");
    end
}

const URL: &str = "--database-url=postgres://u@127.0.0.1:1/x";

#[test]
fn a_secret_is_not_read_from_a_pipe() {
    let place = with_pipe();
    for words in [
        &["--database-url-file=pipe"][..],
        &[URL, "--database-password-file=pipe"],
    ] {
        let end = job(&place, words, &[]);
        end.code(64).says(&[
            "-file pipe: failed to read it: it is not a regular file",
            "write the secret to a regular file",
        ]);
    }
}

#[test]
fn no_other_file_of_a_setting_is_a_pipe() {
    let place = with_pipe();
    job(&place, &["--config=pipe", "--no-database"], &[])
        .code(64)
        .says(&["settings file pipe", "not a regular file"]);
    let end = job(&place, &[URL], &[("PGPASSFILE", "pipe")]);
    end.code(64)
        .says(&["password file pipe", "not a regular file"]);
    let service = [("PGSERVICEFILE", "pipe"), ("PGSERVICE", "shop")];
    let end = job(&place, &[], &service);
    end.code(64)
        .says(&["service file pipe", "not a regular file"]);
    let end = job(&place, &["--no-database", "--fingerprint=pip*"], &[]);
    end.code(64)
        .says(&["--fingerprint", "neither a file nor a directory"]);
}

/// The driver would open them while it connects.
#[test]
fn no_certificate_is_read_from_a_pipe() {
    let place = with_pipe();
    for parameter in ["sslrootcert", "sslcert", "sslkey"] {
        let url = format!("{URL}?sslmode=verify-full&{parameter}=pipe");
        let end = job(&place, &[&url], &[]);
        end.code(78)
            .says(&["cannot read pipe", "not a regular file"]);
    }
    let url = URL.replace("postgres", "mysql");
    let url = format!("{url}?ssl-mode=VERIFY_CA&ssl-ca=pipe");
    let end = job(&place, &[&url], &[]);
    end.code(78)
        .says(&["cannot read pipe", "not a regular file"]);
}

/// A folder that is none is found before a database is.
#[test]
fn a_snapshot_needs_a_folder() {
    let place = Place::new();
    place.write("file", "");
    let words = ["--database-url=sqlite:app.db", "--snapshot"];
    for folder in ["file", "file/below"] {
        let end = job(&place, &[words[0], words[1], folder], &[]);
        end.code(64).says(&["--snapshot: file is not a folder"]);
    }
}
