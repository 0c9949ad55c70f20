//! Runs a property on many inputs, and notices one that takes too long.

use std::env;
use std::fmt::Debug;
use std::io::{Write as _, stderr};
use std::process::abort;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};

/// The processor time that one input may take, unoptimised: a few thousand times the usual.
const LONGEST: Duration = Duration::from_secs(3);

/// After this, an input counts as one that never ends.
const HANGS: Duration = Duration::from_mins(1);

/// Runs a property. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` set the number of inputs and the first one.
pub(crate) fn for_all<S: Strategy>(inputs: S, property: fn(S::Value) -> TestCaseResult) {
    run(&inputs, property, Config::default().cases);
}

/// The same for inputs that take long: a quarter of the number.
pub(crate) fn for_some<S: Strategy>(inputs: S, property: fn(S::Value) -> TestCaseResult) {
    run(&inputs, property, Config::default().cases / 4);
}

fn run<S: Strategy>(inputs: &S, property: fn(S::Value) -> TestCaseResult, cases: u32) {
    // The same inputs at every run of the tests; `scripts/fuzz` brings new ones.
    let rng_seed = match env::var_os("PROPTEST_RNG_SEED") {
        Some(_) => Config::default().rng_seed,
        None => RngSeed::Fixed(1),
    };
    let config = Config {
        cases,
        rng_seed,
        failure_persistence: None,
        // An input that takes long takes as long each time that it is made smaller.
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let (sender, receiver) = mpsc::channel();
    let watchdog = thread::spawn(move || abort_if_one_hangs(&receiver));
    let tried = TestRunner::new(config).run(inputs, |input| {
        let _ = sender.send(format!("{input:?}"));
        let begun = processor_time();
        property(input)?;
        let taken = processor_time().saturating_sub(begun);
        prop_assert!(taken < LONGEST, "it took {taken:?}");
        Ok(())
    });
    drop(sender);
    watchdog.join().unwrap();
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}

/// Nothing else ends a test that hangs and says which input it was.
fn abort_if_one_hangs(inputs: &Receiver<String>) {
    let mut last = String::new();
    loop {
        match inputs.recv_timeout(HANGS) {
            Ok(input) => last = input,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let _ = writeln!(stderr(), "no end after {HANGS:?}: {last}");
                abort();
            }
        }
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// Fails if a text that launchgate shows has the password in it.
pub(crate) fn assert_hidden(shown: &dyn Debug, text: &str) -> TestCaseResult {
    let clear = super::inputs::MARK;
    prop_assert!(!text.contains(clear), "{clear} in {shown:?}");
    Ok(())
}
