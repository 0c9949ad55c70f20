//! `convert`: reads a chain of shell commands, prints what is wrong with it and what to write
//! instead.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::AsFd as _;

use crate::convert::{self, KnownDatabase, WHAT_TO_PASS};
use crate::exit::{Failure, FailureKind};
use crate::output::print;
use crate::redact;
use crate::settings::AMBIENT_URLS;
use crate::sys::environment::Environment;
use crate::sys::host::{Host, Wake};
use crate::sys::inherited::is_terminal;

/// The input limit; one byte more is read to detect longer input, which `convert` refuses.
const LIMIT: usize = 64 * 1024;

/// What else tells launchgate of a database.
const OTHER_SOURCES: [&str; 4] = [
    "PGHOST",
    "LAUNCHGATE_DATABASE_URL",
    "LAUNCHGATE_DATABASE_URL_ENV",
    "LAUNCHGATE_DATABASE_URL_FILE",
];

/// Prints what is wrong with the chain and what to write instead.
///
/// # Errors
/// The chain can't be converted; what is wrong with it was printed all the same.
pub fn convert(host: &Host, words: &[OsString], environment: &Environment) -> Result<(), Failure> {
    let words = read_words(host, words)?;
    let known: Vec<&str> = AMBIENT_URLS.into_iter().chain(OTHER_SOURCES).collect();
    let is_set = |name: &&str| environment.get_filled(name).is_some();
    let mut report = convert::convert(
        &words,
        &KnownDatabase {
            has_url: known.iter().any(is_set),
            url_variables: &known,
        },
    );
    let shows_password = |word: &String| *redact::passwords(word) != **word;
    if let Ok(proposal) = &report.outcome
        && proposal.words.iter().any(shows_password)
    {
        report.wrong.push("the command line contains a password, which other processes and logs can read: move it to an environment variable of the container".to_owned());
    }
    // The proposal is meant to be copied, so its passwords are not redacted.
    for line in report.wrong.iter_mut().chain(&mut report.notes) {
        *line = redact::passwords(line).into_owned();
    }
    print::print(host, report.page())?;
    match report.outcome {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Failure::usage(
            format!("this can't be converted: {}", refusal.what),
            refusal.hint,
        )),
    }
}

fn read_words(host: &Host, words: &[OsString]) -> Result<Vec<String>, Failure> {
    let not_text = || Failure::usage("the chain is not UTF-8", "pass UTF-8 text");
    let words: Option<Vec<String>> = words
        .iter()
        .map(|word| word.to_str().map(str::to_owned))
        .collect();
    let words = words.ok_or_else(not_text)?;
    match words.as_slice() {
        [] if is_terminal(0) => return Err(Failure::usage("no CHAIN to convert", WHAT_TO_PASS)),
        [] => {}
        [dash] if dash == "-" => {}
        _ => return Ok(words),
    }
    let text = String::from_utf8(read_standard_input(host)?).map_err(|_| not_text())?;
    Ok(vec![text])
}

fn read_standard_input(host: &Host) -> Result<Vec<u8>, Failure> {
    let mut stdin = std::io::stdin().lock();
    let mut text = Vec::new();
    let mut part = vec![0; LIMIT];
    while text.len() <= LIMIT {
        let wake = host.wait(Some(std::io::stdin().as_fd()), None);
        if let Wake::Stop(stop) = wake {
            let what = format!("stopped by {stop} while reading");
            return Err(Failure::because(
                FailureKind::Stopped(stop),
                what,
                "check the program that writes to standard input",
            ));
        }
        match stdin.read(&mut part) {
            Ok(0) => break,
            Ok(len) => text.extend(&part[..len]),
            Err(error) => {
                return Err(Failure::usage(
                    format!("failed to read standard input: {error}"),
                    "give the chain as an argument",
                ));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
