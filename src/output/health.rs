//! `--health-listen`: HTTP for a platform's probes, while the gate is closed.
//!
//! On a thread of its own, so that it answers whatever the gate waits for; the thread is gone,
//! and every socket closed, before the server starts. Reads the timeline, touches nothing else.
//!
//! Whoever closes a TCP connection first keeps its port for a minute (`TIME_WAIT`, RFC 9293),
//! and a server that does not set `SO_REUSEADDR` could not listen on it. So the other side is
//! left to close first, and where it does not in time, the connection is reset.

mod answer;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use crate::exit::{Failure, FailureKind, Problem};
use crate::output::log::{Event, Log};
use crate::output::options::HealthAddress;
use crate::output::timeline::Timeline;
use crate::sys::NO_SUCH_FAMILY;

/// More connections at once than probes need; past it the oldest is dropped.
const MOST: usize = 64;

/// The most of a request's head that is held: hyper's least.
const HEAD: usize = 8 * 1024;

/// How long a client may take for a request, or stay without one.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one connection may last, whatever it is used for.
const LIFETIME: Duration = Duration::from_mins(1);

/// How long a client may take to close what it wants closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// The listener. Dropping it closes everything.
#[derive(Debug)]
pub struct Health {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Health {
    /// Listens, if that is wanted.
    ///
    /// # Errors
    /// The address can't be had.
    pub fn open(wanted: Option<&HealthAddress>, log: &Log) -> Result<Option<Self>, Failure> {
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let listener = bind(wanted)?;
        let address = listener.local_addr().map_err(|e| refused(wanted, &e))?;
        let (stop, stopped) = oneshot::channel();
        let timeline = log.timeline().clone();
        let thread = Builder::new()
            .name("launchgate-http".into())
            .spawn(move || block_on(listener, timeline, stopped))
            .map_err(|error| refused(wanted, &error))?;
        log.say(
            Event::HealthListening,
            "answering health checks until the gate opens",
            &[("address", &address), ("source", &wanted.source)],
        );
        Ok(Some(Self {
            stop: Some(stop),
            thread: Some(thread),
        }))
    }

    /// Whether the address can be had.
    ///
    /// # Errors
    /// What `run` would fail with.
    pub fn check(wanted: Option<&HealthAddress>) -> Result<(), Failure> {
        wanted.map_or(Ok(()), |wanted| bind(wanted).map(drop))
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        // One that is gone already needs no word.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The first of the addresses that is of a kind which this machine has; `SO_REUSEADDR` is set
/// by std.
fn bind(wanted: &HealthAddress) -> Result<TcpListener, Failure> {
    let mut missing = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in &wanted.addresses {
        match TcpListener::bind(address) {
            Ok(listener) => {
                let unblocked = listener.set_nonblocking(true);
                return unblocked
                    .map(|()| listener)
                    .map_err(|error| refused(wanted, &error));
            }
            Err(error) if is_of_no_kind(&error) => missing = error,
            Err(error) => return Err(refused(wanted, &error)),
        }
    }
    Err(refused(wanted, &missing))
}

/// Without IPv6 in the kernel, or with it switched off (ipv6(7)).
fn is_of_no_kind(error: &io::Error) -> bool {
    error.raw_os_error() == Some(NO_SUCH_FAMILY) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn refused(wanted: &HealthAddress, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "end what listens there, or choose another port; the gate and its server can share one"
        }
        io::ErrorKind::PermissionDenied => {
            "choose a port from 1024 on, or give the container the capability NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "choose an address of this machine, or leave it out as in :8080"
        }
        _ => "choose another address, or leave the setting out",
    };
    Failure::new(
        FailureKind::System,
        Problem::new(
            format!(
                "{}: failed to listen on {}: {error}",
                wanted.source, wanted.text
            ),
            hint,
        ),
    )
}

fn block_on(listener: TcpListener, timeline: Timeline, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    // Without the descriptors for it nobody is answered; the gate goes on.
    if let Ok(runtime) = runtime {
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stopped => {}
                () = serve(listener, timeline) => {}
            }
        });
        // What is still connected is dropped with the runtime, and so reset.
    }
}

async fn serve(listener: TcpListener, timeline: Timeline) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or a client that went away meanwhile.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MOST
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let connection = tokio::spawn(attend(stream, timeline.clone()));
        open.push_back(connection.abort_handle());
        // Whoever came is answered before the next one can drive it out.
        yield_now().await;
    }
}

/// Answers one connection's requests.
async fn attend(stream: TcpStream, timeline: Timeline) {
    // Whenever this is dropped, the connection is reset.
    if stream.set_zero_linger().is_err() {
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer::answer(request.uri().path(), timeline.look().as_ref());
        ready(Ok::<_, Infallible>(response(answer)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .without_shutdown();
    if let Ok(Ok(parts)) = timeout(LIFETIME, connection).await {
        let _ = timeout(FAREWELL, farewell(parts.io.into_inner())).await;
    }
}

/// Waits for the other side to close.
async fn farewell(mut stream: TcpStream) {
    let mut rest = [0; 512];
    while let Ok(length) = stream.read(&mut rest).await {
        if length == 0 {
            #[expect(
                deprecated,
                reason = "it blocks with a time only, and this takes it away"
            )]
            let _ = stream.set_linger(None);
            return;
        }
    }
}

fn response(answer: answer::Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    if let Some(seconds) = answer.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
    }
    response
}
