use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use super::*;
use crate::exit::FailureKind;
use crate::sys::clock::Moment;

/// A log into a pipe that is full, and what comes out of it once somebody reads.
fn read_late(format: Format, say: impl FnOnce(&Log)) -> String {
    let (mut read, write) = std::io::pipe().unwrap();
    let fd = write.as_raw_fd();
    let output = Arc::new(Output::new(fd));
    let mut log = Log::new(Arc::clone(&output));
    log.format = format;
    say(&log);
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        read.read_to_string(&mut text).map(|_| text)
    });
    output.drain(Moment::now() + Duration::from_mins(1));
    drop(output);
    drop(log);
    drop(write);
    reader.join().unwrap().unwrap()
}

#[test]
fn a_reader_that_is_late_gets_the_failure_and_how_much_is_missing() {
    for format in [Format::Text, Format::Json] {
        let text = read_late(format, |log| {
            for _ in 0..3000 {
                log.say(Event::StepRunning, &"still running ".repeat(10), &[]);
            }
            let problem = Problem::new("it failed", "fix it");
            log.fail(Event::GateFailed, &Failure::new(FailureKind::Bug, problem));
        });
        let lines: Vec<_> = text.lines().collect();
        let [.., missing, last] = lines.as_slice() else {
            panic!("{text}")
        };
        assert!(last.contains("it failed"), "{last}");
        assert!(missing.contains("dropped"), "{missing}");
        let count = 3000 - (lines.len() - 2);
        if format == Format::Json {
            let objects: Vec<serde_json::Value> = lines
                .iter()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let missing = &objects[objects.len() - 2];
            assert_eq!(missing["event"], "log.left_out");
            assert_eq!(missing["lines"], count);
        } else {
            assert!(missing.contains(&format!("lines={count} ")), "{missing}");
        }
    }
}

#[test]
fn event_names_are_distinct() {
    let mut names: Vec<_> = Event::ALL.iter().map(|event| event.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Event::ALL.len());
}
