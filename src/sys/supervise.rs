//! Starting a step and watching it to its end.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::capture::{Capture, StepOutput};
use super::child::{self, Input, Streams};
use super::host::Host;
use super::inherited::is_terminal;
use super::step::{RunPermit, StepEvent, StepProcess, StepReport};
use super::terminal::Terminal;
use super::watch::Watch;

impl Host {
    /// Runs a step, and everything that it starts, to the end.
    ///
    /// # Errors
    /// It could not be started.
    pub fn supervise(
        &self,
        step: &StepProcess,
        output: StepOutput,
        permit: &mut dyn RunPermit,
        news: &mut dyn FnMut(StepEvent<'_>),
    ) -> io::Result<StepReport> {
        self.inherited.adopt_orphans();
        let terminal = Terminal::open();
        let mut capture = match output {
            StepOutput::Inherited => None,
            StepOutput::Tail(len) => Some(Capture::passing_on(
                Arc::clone(&self.stdout),
                Arc::clone(&self.stderr),
                len,
            )?),
            StepOutput::Lines {
                tail,
                stdout,
                stderr,
            } => Some(Capture::by_line(&self.stderr, stdout, stderr, tail)?),
        };
        let (output, error) = match &capture {
            Some(capture) => capture.ends(),
            None => (self.stdout.number(), self.stderr.number()),
        };
        let input = if is_terminal(0) {
            Input::Inherit
        } else {
            Input::Null
        };
        let foreground = terminal.as_ref().filter(|terminal| terminal.is_ours());
        let result = step.result.as_ref().map(AsFd::as_fd);
        let inherit: Vec<_> = permit.inheritable().into_iter().chain(result).collect();
        let pid = child::start(
            &step.program,
            Streams {
                input,
                output,
                error,
            },
            &inherit,
            foreground.map(AsFd::as_fd),
            step.identity.as_ref(),
            &self.inherited,
        )?;
        if let Some(capture) = &mut capture {
            capture.close_ends();
        }
        news(StepEvent::Started(pid));
        let foreground = foreground.is_some();
        let streams = (capture, terminal.as_ref(), foreground);
        Ok(Watch::new(self, step, permit, news, pid, streams).run())
    }
}
