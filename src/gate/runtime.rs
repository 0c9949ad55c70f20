//! Two threads: the first handles signals and processes, the second handles the network. A database
//! that does not answer delays no signal, and a running step delays no heartbeat.
//!
//! The second thread carries out one asynchronous flow (the gate, or a command that reads
//! the ledger) and asks the first to run steps.

use std::future::Future;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::lease::LeasePermit;
use crate::steps::{self, RunIdentity, StepsOutcome, Verdict};
use crate::sys;
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::signals::Stop;
use crate::sys::wakeup::Wakeup;

/// How long a flow may take to end cleanly after a stop. A database call takes no longer, and
/// platforms allow 30 s.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How much later than its timer the first thread gives up a wait of the flow.
const SLACK: Duration = Duration::from_millis(600);

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

enum Message<T> {
    Steps(Box<StepsRequest>),
    Done(Result<T, Failure>),
}

/// What to do about steps that ran while it is not known what the ledger says of them.
const UNRECORDED: &str = "how the steps ended may not be recorded: then the next start runs them again, and a statement that a step sent may still be running in the database";

/// The flow's side.
pub struct GateLink {
    stop: watch::Receiver<Option<Stop>>,
    ask: Box<dyn Fn(StepsRequest) + Send>,
    wait: Arc<CurrentWait>,
}

/// The flow's current wait, which may be given up at any moment. The first thread watches it, since
/// no timer of the flow's own thread ends a call that never yields: a server that floods its client
/// keeps the driver busy, and a file can hang.
#[derive(Debug)]
struct CurrentWait {
    state: Mutex<WaitState>,
    /// Wakes the first thread, which looks at the limit again.
    wake: Arc<Wakeup>,
}

#[derive(Debug, Default)]
struct WaitState {
    /// Odd while the flow waits; each wait has its own number.
    number: u64,
    /// When the first thread ends the gate with this failure.
    limit: Option<(Moment, Failure)>,
}

impl CurrentWait {
    fn begin(&self, limit: Option<(Moment, Failure)>) {
        let mut state = self.lock();
        state.number += 1;
        state.limit = limit;
        if state.limit.is_some() {
            self.wake.raise();
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.number += 1;
        state.limit = None;
    }

    /// The number of the wait, if there is one now.
    fn number(&self) -> Option<u64> {
        Some(self.lock().number).filter(|number| number % 2 == 1)
    }

    fn deadline(&self) -> Option<Moment> {
        self.lock().limit.as_ref().map(|(at, _)| *at)
    }

    /// The failure of a wait whose time is over.
    fn overdue(&self, now: Moment) -> Option<Failure> {
        self.lock()
            .limit
            .take_if(|(at, _)| *at <= now)
            .map(|(_, failure)| failure)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, WaitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        wait.begin(
            limit.map(|(limit, failure)| (Moment::now() + limit.saturating_add(SLACK), failure)),
        );
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
        (self.ask)(request);
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
    let wake = Arc::new(Wakeup::new().map_err(|error| no_thread(&error))?);
    let (send, messages) = channel();
    let (stop, stopped) = watch::channel(None);
    let link = GateLink {
        stop: stopped,
        ask: asker(send.clone(), Arc::clone(&wake)),
        wait: Arc::new(CurrentWait {
            state: Mutex::default(),
            wake: Arc::clone(&wake),
        }),
    };
    let rung = Arc::clone(&wake);
    let flow_wait = Arc::clone(&link.wait);
    let thread = sys::thread::spawn("launchgate-net", move || {
        let done = block_on(|| flow(link));
        let _ = send.send(Message::Done(done));
        rung.raise();
    })
    .map_err(|error| no_thread(&error))?;
    let side = FirstThread {
        host,
        stop: &stop,
        wait: &flow_wait,
    };
    let (done, is_over) = side.attend(serve, &messages);
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
        .on_thread_start(sys::thread::block_signals)
        .build()
        .map_err(|error| no_thread(&error))?;
    let done = runtime.block_on(async { flow().await });
    // A hanging name look-up is a thread that can't be stopped.
    runtime.shutdown_background();
    done
}

/// The first thread's part.
struct FirstThread<'a> {
    host: &'a Host,
    stop: &'a watch::Sender<Option<Stop>>,
    wait: &'a CurrentWait,
}

impl FirstThread<'_> {
    /// Runs the steps and passes on a stop. Returns the result, and whether the flow has ended.
    fn attend<T>(
        &self,
        serve: &mut dyn FnMut(StepsRequest),
        messages: &Receiver<Message<T>>,
    ) -> (Result<T, Failure>, bool) {
        let mut ending: Option<Ending> = None;
        let mut has_run = false;
        loop {
            let stopped = self.host.signals.stopped();
            if stopped.is_some() && ending.is_none() {
                ending = Some(Ending::begin(self.wait));
                self.stop.send_replace(stopped);
            }
            let deadline = match &ending {
                Some(ending) => Some(ending.deadline(self.wait)),
                None => self.wait.deadline(),
            };
            match (
                self.host.wait(Some(self.wait.wake.as_fd()), deadline),
                stopped,
            ) {
                (Wake::Time, Some(stop)) => {
                    let mut failure = steps::stopped(stop, "calling the database");
                    if has_run {
                        failure.replace_hint(UNRECORDED);
                    }
                    return (Err(failure), false);
                }
                (Wake::Time, None) => {
                    if let Some(failure) = self.wait.overdue(Moment::now()) {
                        return (Err(failure), false);
                    }
                }
                (Wake::Ready, _) => self.wait.wake.lower(),
                (Wake::Stop(_), _) => {}
            }
            while let Ok(message) = messages.try_recv() {
                match (message, self.host.signals.stopped()) {
                    (Message::Done(done), stopped) => return (unless_stopped(done, stopped), true),
                    (Message::Steps(request), None) => {
                        has_run = true;
                        serve(*request);
                    }
                    (Message::Steps(request), Some(stop)) => {
                        let _ = request.reply.send(StepsOutcome {
                            last: None,
                            verdict: Verdict::Stopped {
                                failure: steps::stopped(stop, "passing the gate"),
                                done: false,
                            },
                        });
                    }
                }
            }
        }
    }
}

/// The end of a flow that was asked to stop.
struct Ending {
    asked: Moment,
    /// The wait that it was in.
    wait: Option<u64>,
}

impl Ending {
    fn begin(wait: &CurrentWait) -> Self {
        Self {
            asked: Moment::now(),
            wait: wait.number(),
        }
    }

    /// A wait ends at once, unless it hangs. Everything else may take its time.
    fn deadline(&self, wait: &CurrentWait) -> Moment {
        let hangs = self.wait.is_some() && wait.number() == self.wait;
        self.asked + if hangs { SLACK } else { STOP_LIMIT }
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
    Failure::new(
        FailureKind::System,
        Problem::new(
            format!("failed to start the database thread: {error}"),
            "raise the limits on processes, threads and open files",
        ),
    )
}
