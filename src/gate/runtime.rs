//! Two threads: the first handles signals and processes, the second handles the network. A database
//! that does not answer delays no signal, and a running step delays no heartbeat.
//!
//! The second thread carries out one asynchronous flow (the gate, or a command that reads
//! the ledger) and asks the first to run steps.

use std::future::Future;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::lease::LeaseGuard;
use crate::steps::{self, RunIdentity, StepsOutcome, Verdict};
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::signals::Stop;
use crate::sys::wakeup::Wakeup;

/// How long a flow may take to end cleanly after a stop. A database call takes no longer, and
/// platforms allow 30 s.
const STOP_LIMIT: Duration = Duration::from_secs(10);

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
    pub guard: LeaseGuard,
    /// Receives the step that starts.
    pub progress: mpsc::UnboundedSender<Progress>,
    /// Receives the outcome.
    pub reply: oneshot::Sender<StepsOutcome>,
}

enum Message<T> {
    Steps(Box<StepsRequest>),
    Done(Result<T, Failure>),
}

/// The flow's side.
pub struct GateLink {
    stop: watch::Receiver<Option<Stop>>,
    ask: Box<dyn Fn(StepsRequest) + Send>,
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
        tokio::select! {
            biased;
            stop = self.stopped() => Err(steps::stopped(stop, phase)),
            value = work => Ok(value),
        }
    }

    /// Asks for the steps to be run.
    pub fn ask(&self, request: StepsRequest) {
        (self.ask)(request);
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
    let wake = Arc::new(Wakeup::new().map_err(|error| no_thread(&error))?);
    let (send, messages) = channel();
    let (stop, stopped) = watch::channel(None);
    let link = GateLink {
        stop: stopped,
        ask: asker(send.clone(), Arc::clone(&wake)),
    };
    let rung = Arc::clone(&wake);
    let thread = std::thread::Builder::new()
        .name("launchgate-net".into())
        .spawn(move || {
            let done = block_on(|| flow(link));
            let _ = send.send(Message::Done(done));
            rung.raise();
        })
        .map_err(|error| no_thread(&error))?;
    let (done, is_over) = attend(host, serve, &wake, &messages, &stop);
    // Joins the thread unless it hangs in a call; then it dies with exec or exit.
    if is_over {
        let _ = thread.join();
    }
    done
}

/// Work that runs beside the flow.
pub struct Meanwhile<T>(JoinHandle<T>);

/// Starts such work. To be called within a flow.
pub fn meanwhile<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Meanwhile<T> {
    Meanwhile(tokio::spawn(work))
}

impl<T> Future for Meanwhile<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(finished)
    }
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

fn asker<T: Send + 'static>(
    send: Sender<Message<T>>,
    wake: Arc<Wakeup>,
) -> Box<dyn Fn(StepsRequest) + Send> {
    Box::new(move |request| {
        let _ = send.send(Message::Steps(Box::new(request)));
        wake.raise();
    })
}

fn block_on<T, F: Future<Output = Result<T, Failure>>>(
    flow: impl FnOnce() -> F,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("launchgate-read")
        .build()
        .map_err(|error| no_thread(&error))?;
    let done = runtime.block_on(async { flow().await });
    // A hanging name look-up is a thread that can't be stopped.
    runtime.shutdown_background();
    done
}

/// The first thread's part. Returns the result, and whether the flow has ended.
fn attend<T>(
    host: &Host,
    serve: &mut dyn FnMut(StepsRequest),
    wake: &Wakeup,
    messages: &Receiver<Message<T>>,
    stop: &watch::Sender<Option<Stop>>,
) -> (Result<T, Failure>, bool) {
    let mut deadline = None;
    loop {
        let stopped = host.signals.stopped();
        if stopped.is_some() && deadline.is_none() {
            deadline = Some(Moment::now() + STOP_LIMIT);
            stop.send_replace(stopped);
        }
        match (host.wait(Some(wake.as_fd()), deadline), stopped) {
            (Wake::Time, Some(stop)) => {
                return (Err(steps::stopped(stop, "a database call")), false);
            }
            (Wake::Ready, _) => wake.lower(),
            (Wake::Stop(_) | Wake::Time, _) => {}
        }
        while let Ok(message) = messages.try_recv() {
            match (message, host.signals.stopped()) {
                (Message::Done(done), stopped) => return (unless_stopped(done, stopped), true),
                (Message::Steps(request), None) => serve(*request),
                (Message::Steps(request), Some(stop)) => {
                    let _ = request.reply.send(StepsOutcome {
                        last: None,
                        verdict: Verdict::Stopped {
                            failure: steps::stopped(stop, "the gate"),
                            done: false,
                        },
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
        (Ok(_), Some(stop)) => Err(steps::stopped(stop, "the gate")),
        (Err(failure), Some(stop)) => Err(steps::stopped_after(stop, failure)),
    }
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::new(
        FailureKind::System,
        Problem::new(
            format!("failed to start the thread for the network: {error}"),
            "raise the limit of processes, threads or open files",
        ),
    )
}
