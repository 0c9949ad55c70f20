//! The log on standard error: one line per transition, `launchgate: MESSAGE key=value …`.
//!
//! Touches only the output that it is given.

mod event;
mod json;
mod text;

use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::exit::{Failure, Problem};
use crate::output::options::{Format, Verbosity};
use crate::output::timeline::{Timeline, seconds};
use crate::redact::Secrets;
use crate::sys::capture::{LineSink, StepOutput};
use crate::sys::output::Output;

pub use event::{Event, Level};

/// How long the last lines may wait for a reader before they are dropped.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// What kind of reader a text line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// A file or a pipe: plain text.
    Pipe,
    /// A terminal without colours.
    Plain,
    /// A terminal with colours.
    Colour,
}

/// The log of this process.
#[derive(Debug, Clone)]
pub struct Log {
    output: Arc<Output>,
    /// How much is logged.
    pub verbosity: Verbosity,
    /// The format of a line.
    pub format: Format,
    /// The kind of reader.
    pub paint: Paint,
    /// What the gate is doing, and has done.
    pub timeline: Timeline,
    /// What no line shows.
    secrets: Arc<RwLock<Arc<Secrets>>>,
}

/// A key and its value.
pub type Field<'a> = (&'a str, &'a dyn Display);

/// The same, with the text to show.
type ShownField<'a> = (&'a str, String);

impl Log {
    /// A log on this output, as text for no terminal.
    pub fn new(output: Arc<Output>) -> Self {
        Self {
            output,
            verbosity: Verbosity::Normal,
            format: Format::Text,
            paint: Paint::Pipe,
            timeline: Timeline::default(),
            secrets: Arc::default(),
        }
    }

    /// Adds texts that no line may show from now on.
    pub fn hide(&self, add: impl FnOnce(&mut Secrets)) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        add(Arc::make_mut(&mut secrets));
    }

    /// The texts that no line shows.
    #[must_use]
    pub fn secrets(&self) -> Arc<Secrets> {
        let secrets = self.secrets.read();
        Arc::clone(&secrets.unwrap_or_else(PoisonError::into_inner))
    }

    /// Logs where the gate's time went.
    pub fn summarize(&self) {
        let Some(past) = self.timeline.look() else {
            return;
        };
        let steps = past.list_steps();
        let (total, database) = (seconds(past.total), seconds(past.database));
        let (lock, delay) = (seconds(past.lock), seconds(past.delay));
        let mut fields: Vec<Field<'_>> = vec![("seconds", &total)];
        // Without a database there were no waits.
        if past.has_waited() {
            fields.push(("database_seconds", &database));
            fields.push(("lock_seconds", &lock));
        }
        if !past.delay.is_zero() {
            fields.push(("delay_seconds", &delay));
        }
        if !steps.is_empty() {
            fields.push(("steps", &steps));
        }
        self.say(Event::GateSummary, "time spent in the gate", &fields);
    }

    /// What happens to the output of a step of which `tail` bytes are kept; `None` if it has
    /// launchgate's own streams. In the JSON format its lines become objects, unless the step writes
    /// its own events.
    pub fn step_output(
        &self,
        step: &str,
        tail: Option<usize>,
        writes_events: bool,
    ) -> Option<StepOutput> {
        let sinks = (self.format == Format::Json && !writes_events).then(|| {
            ["stdout", "stderr"]
                .map(|stream| -> Box<dyn LineSink> { Box::new(json::StepLines::new(step, stream)) })
        });
        (tail.is_some() || sinks.is_some()).then(|| StepOutput {
            tail: tail.unwrap_or_default(),
            sinks,
        })
    }

    /// Logs an event.
    pub fn say(&self, event: Event, message: &str, fields: &[Field<'_>]) {
        let most = match self.verbosity {
            Verbosity::Quiet => Level::Warn,
            Verbosity::Normal => Level::Info,
            Verbosity::Verbose => Level::Debug,
        };
        if event.level() > most {
            return;
        }
        // The reason why the gate stays closed is always queued: it is one line, and whoever reads
        // on must find it.
        if event.level() != Level::Error && !self.output.has_room() {
            return self.output.leave_out();
        }
        let count = self.output.take_left_out();
        if count > 0 {
            self.write(
                Event::LogLeftOut,
                "dropped log lines because nothing was reading them",
                &[
                    ("lines", &count),
                    ("hint", &"read the log faster, or log less with -q"),
                ],
            );
        }
        self.write(event, message, fields);
    }

    fn write(&self, event: Event, message: &str, fields: &[Field<'_>]) {
        let level = event.level();
        let secrets = self.secrets();
        // A setting's value may be a URL that was meant for another setting.
        let shown = |text: String| secrets.redact_with_passwords(text);
        let message = shown(message.to_owned());
        let fields = fields.iter();
        let fields: Vec<ShownField<'_>> = fields
            .map(|(name, value)| (*name, shown(value.to_string())))
            .collect();
        let line = match self.format {
            Format::Text => text::line(level, &message, &fields, self.paint),
            Format::Json => json::line(level, event, &message, &fields),
        };
        self.output.write(line.as_bytes());
    }

    /// Logs a problem, with the hint last.
    pub fn warn(&self, event: Event, problem: &Problem, fields: &[Field<'_>]) {
        let mut fields = fields.to_vec();
        let hint = problem.hint();
        fields.push(("hint", &hint));
        self.say(event, problem.what(), &fields);
    }

    /// Logs why the gate stays closed or an embedded step failed, with the hint last.
    pub fn fail(&self, event: Event, failure: &Failure) {
        let code = failure.code();
        self.warn(event, failure.problem(), &[("code", &code)]);
    }
}

#[cfg(test)]
mod tests;
