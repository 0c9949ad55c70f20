//! Two threads: the first handles signals and processes, the second handles the network. A database
//! that does not answer delays no signal, and a running step delays no heartbeat.
//!
//! The second thread carries out one asynchronous flow (the gate, or a command that reads
//! the ledger) and asks the first to run steps.

use std::future::Future;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};

use crate::exit::{Failure, FailureKind};
use crate::gate::current_wait::CurrentWait;
use crate::gate::lease::LeasePermit;
use crate::steps::{self, RunIdentity, StepsOutcome, Verdict};
use crate::sys;
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::signals::Stop;
use crate::sys::wakeup::Wakeup;

/// The step that is about to start.
#[derive(Debug)]
pub struct Progress {
    /// Its name.
    pub step: String,
    /// Its command, without secrets.
    pub command: String,
    /// Dropped once the ledger has it.
    pub announced: StepAnnounced,
}

/// Dropping it signals that the ledger has the step's name, or that nobody is left to write it.
#[derive(Debug)]
pub struct StepAnnounced(pub Arc<Wakeup>);

impl Drop for StepAnnounced {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Steps to run, asked for by the flow.
#[derive(Debug)]
pub struct StepsRequest {
    /// What the steps learn about their run.
    pub identity: RunIdentity,
    /// The right to run them.
    pub permit: LeasePermit,
    /// Receives the step that starts.
    pub progress: mpsc::UnboundedSender<Progress>,
    /// Receives the outcome.
    pub reply: oneshot::Sender<StepsOutcome>,
}

/// What to do about steps that ran while it is not known what the ledger says of them.
const UNRECORDED: &str = "how the steps ended may not be recorded: then the next start runs them again, and a statement that a step sent may still be running in the database";

/// The flow's side.
pub struct GateLink {
    stop: watch::Receiver<Option<Stop>>,
    steps: Sender<StepsRequest>,
    wait: Arc<CurrentWait>,
}

impl GateLink {
    /// The request to stop the gate, once it arrives.
    pub async fn stopped(&mut self) -> Stop {
        loop {
            if let Some(stop) = *self.stop.borrow_and_update() {
                return stop;
            }
            if self.stop.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for `work`. If a signal stops the gate in the meantime, `work` is dropped.
    pub async fn unless_stopped<T>(
        &mut self,
        phase: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let done = self.attempt(phase, None, work).await?;
        Ok(done.unwrap_or_else(|| unreachable!("only a limit ends it early")))
    }

    /// The same for `work` that may have a limit: nothing comes back once that is over. If not even
    /// the limit ends it, the gate fails.
    pub async fn attempt<T>(
        &mut self,
        phase: &str,
        limit: Option<(Duration, Failure)>,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Failure> {
        let wait = Arc::clone(&self.wait);
        // One that ends after all clocks is none.
        let over = limit
            .as_ref()
            .and_then(|(limit, _)| Instant::now().checked_add(*limit));
        wait.begin(limit);
        let done = tokio::select! {
            biased;
            stop = self.stopped() => Err(steps::stopped(stop, phase)),
            value = work => Ok(Some(value)),
            () = at(over) => Ok(None),
        };
        wait.end();
        done
    }

    /// Asks for the steps to be run.
    pub fn ask(&self, request: StepsRequest) {
        let _ = self.steps.send(request);
        self.wait.wake.raise();
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Carries out a `flow` that runs no steps.
///
/// # Errors
/// The flow's, or the stop that ended it.
pub fn run<T, F>(
    host: &Host,
    flow: impl FnOnce(GateLink) -> F + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>>,
{
    run_with_steps(host, &mut drop, flow)
}

/// Carries out `flow` on its own thread, while this thread handles signals and, through `serve`, runs
/// the steps that the flow asks for.
///
/// # Errors
/// The flow's, or the stop that ended it.
pub fn run_with_steps<T, F>(
    host: &Host,
    serve: &mut dyn FnMut(StepsRequest),
    flow: impl FnOnce(GateLink) -> F + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>>,
{
    let wait = Arc::new(CurrentWait::new().map_err(|error| no_thread(&error))?);
    let (steps, requests) = channel();
    let flow_runs = steps.clone();
    let (stop, stopped) = watch::channel(None);
    let link = GateLink {
        stop: stopped,
        steps,
        wait: Arc::clone(&wait),
    };
    let flow_wait = Arc::clone(&wait);
    let thread = sys::thread::spawn("launchgate-net", move || {
        let done = block_on(|| flow(link));
        // Without a sender left, the first thread knows that the flow has ended.
        drop(flow_runs);
        flow_wait.wake.raise();
        done
    })
    .map_err(|error| no_thread(&error))?;
    // A flow that hangs in a call dies with exec or exit.
    attend(host, serve, &requests, &stop, &wait)?;
    let done = thread.join();
    let done = done.unwrap_or_else(|_| unreachable!("a panic ends the process"));
    unless_stopped(done, host.signals.stopped())
}

/// Work that runs beside the flow.
pub type Meanwhile<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Starts such work. To be called within a flow.
pub fn meanwhile<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Meanwhile<T> {
    let started = tokio::spawn(work);
    Box::pin(async { finished(started.await) })
}

/// Does work that waits in system calls on its own thread, so that the flow can be stopped in the
/// meantime. To be called within a flow.
pub async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    finished(tokio::task::spawn_blocking(work).await)
}

/// Nothing is cancelled before the flow has ended, and a panic ends the process.
fn finished<T>(done: Result<T, JoinError>) -> T {
    done.unwrap_or_else(|error| unreachable!("{error}"))
}

fn block_on<T, F: Future<Output = Result<T, Failure>>>(
    flow: impl FnOnce() -> F,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("launchgate-read")
        .on_thread_start(sys::thread::block_signals)
        .build()
        .map_err(|error| no_thread(&error))?;
    let done = runtime.block_on(async { flow().await });
    // A hanging name look-up is a thread that can't be stopped.
    runtime.shutdown_background();
    done
}

/// The first thread's part: runs the steps and passes on a stop until the flow has ended.
///
/// # Errors
/// The flow hangs: the failure that ends the gate without it.
fn attend(
    host: &Host,
    serve: &mut dyn FnMut(StepsRequest),
    requests: &Receiver<StepsRequest>,
    stop: &watch::Sender<Option<Stop>>,
    wait: &CurrentWait,
) -> Result<(), Failure> {
    let mut asked = None;
    let mut has_run = false;
    loop {
        let stopped = host.signals.stopped();
        if stopped.is_some() && asked.is_none() {
            asked = Some((Moment::now(), wait.number()));
            stop.send_replace(stopped);
        }
        let deadline = match asked {
            Some((asked, number)) => Some(wait.stop_deadline(asked, number)),
            None => wait.deadline(),
        };
        match (host.wait(Some(wait.wake.as_fd()), deadline), stopped) {
            (Wake::Time, Some(stop)) => {
                let mut failure = steps::stopped(stop, "calling the database");
                if has_run {
                    failure.replace_hint(UNRECORDED);
                }
                return Err(failure);
            }
            (Wake::Time, None) => wait.overdue(Moment::now()).map_or(Ok(()), Err)?,
            (Wake::Ready, _) => wait.wake.lower(),
            (Wake::Stop(_), _) => {}
        }
        loop {
            match (requests.try_recv(), host.signals.stopped()) {
                (Err(TryRecvError::Empty), _) => break,
                (Err(TryRecvError::Disconnected), _) => return Ok(()),
                (Ok(request), None) => {
                    has_run = true;
                    serve(request);
                }
                (Ok(request), Some(stop)) => {
                    let failure = steps::stopped(stop, "passing the gate");
                    let done = false;
                    let _ = request.reply.send(StepsOutcome {
                        last: None,
                        verdict: Verdict::Stopped { failure, done },
                    });
                }
            }
        }
    }
}

/// A flow that ended although a stop arrived opens no gate.
fn unless_stopped<T>(done: Result<T, Failure>, stopped: Option<Stop>) -> Result<T, Failure> {
    match (done, stopped) {
        (done, None) => done,
        (Ok(_), Some(stop)) => Err(steps::stopped(stop, "passing the gate")),
        (Err(failure), Some(stop)) => Err(steps::stopped_after(stop, failure)),
    }
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::because(
        FailureKind::System,
        format!("failed to start the database thread: {error}"),
        "raise the limits on processes, threads and open files",
    )
}
