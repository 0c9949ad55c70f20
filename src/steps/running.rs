//! What the log says while a step runs.

use std::time::Duration;

use crate::exit::Problem;
use crate::output::log::{Event, Field, Log};
use crate::plan::Step;
use crate::sys::family::Stray;
use crate::sys::step::{StepEvent, StopReason};

/// Logs what happened to a running step.
pub(super) fn log_event(log: &Log, step: &Step, grace: Duration, event: &StepEvent<'_>) {
    let name = &step.name;
    match event {
        StepEvent::Started(pid) => log.say(
            Event::StepStarted,
            &format!("{name} started"),
            &[("step", name), ("pid", pid), ("command", &step.text)],
        ),
        StepEvent::Running(elapsed) => log.say(
            Event::StepRunning,
            &format!("{name} is still running"),
            &[("step", name), ("seconds", &elapsed.as_secs())],
        ),
        StepEvent::Stopping(reason) => {
            let why = match reason {
                StopReason::Stop(stop) => format!("received {stop}"),
                StopReason::Timeout => "it ran past --migrate-timeout".to_owned(),
                StopReason::Lost(why) => why.clone(),
            };
            let grace = humantime::format_duration(grace);
            log.say(
                Event::StepStopping,
                &format!("stopping {name}: {why}"),
                &[("step", name), ("grace", &grace)],
            );
        }
        StepEvent::Killing => log.say(
            Event::StepKilled,
            &format!("{name} did not stop within --stop-grace, killing it"),
            &[("step", name)],
        ),
        StepEvent::Leftovers(count) => {
            let mut fields: Vec<Field<'_>> = vec![("step", name)];
            fields.extend(count.iter().map(|n| -> Field<'_> { ("processes", n) }));
            let message = format!("{name} exited and left processes running, stopping them");
            log.say(Event::StepLeftovers, &message, &fields);
        }
        StepEvent::Unwritable(stream, error) => unwritable(log, name, *stream, error),
        StepEvent::OutOfReach(stray) => out_of_reach(log, name, *stray),
    }
}

fn unwritable(log: &Log, name: &str, stream: i32, error: &std::io::Error) {
    let (stream, words) = match stream {
        1 => ("stdout", "standard output"),
        _ => ("stderr", "standard error"),
    };
    let problem = Problem::new(
        format!("can't write to {words}; discarding what {name} prints there"),
        "free space on that device, or redirect the stream",
    );
    let fields: [Field<'_>; 3] = [("step", &name), ("stream", &stream), ("error", error)];
    log.warn(Event::StepOutputLost, &problem, &fields);
}

fn out_of_reach(log: &Log, name: &str, stray: Stray) {
    let mut fields: Vec<Field<'_>> = vec![("step", &name)];
    let Stray::Refused { pid, user, state } = &stray else {
        let problem = Problem::new(
            format!("can't find the processes that {name} left behind, waiting for them to exit"),
            "mount this PID namespace's /proc without hidepid, or kill them by hand",
        );
        return log.warn(Event::StepOutOfReach, &problem, &fields);
    };
    fields.push(("pid", pid));
    fields.extend(user.iter().map(|user| -> Field<'_> { ("user", user) }));
    fields.push(("state", state));
    let problem = Problem::new(
        format!("no permission to signal a process of {name}, waiting for it to exit"),
        "kill it by hand, or start launchgate as that user or with the capability KILL",
    );
    log.warn(Event::StepOutOfReach, &problem, &fields);
}
