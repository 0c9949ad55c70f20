//! `--health-listen`: HTTP for a platform's probes, while the gate is closed.
//!
//! It has its own thread, so that it answers whatever the gate is waiting for. The thread ends and
//! every socket is closed before the server starts. Reads only the timeline.
//!
//! The side that closes a TCP connection first keeps the port for a minute (`TIME_WAIT`, RFC 9293),
//! and a server that does not set `SO_REUSEADDR` could not listen on it. So launchgate lets the
//! client close first, and resets the connection if the client does not close it in time.

mod answer;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use answer::answer;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use crate::exit::{Failure, FailureKind};
use crate::output::log::{Event, Log};
use crate::output::options::HealthAddress;
use crate::output::timeline::Timeline;
use crate::sys::NO_SUCH_FAMILY;
use crate::sys::thread::Background;

/// More connections than probes need. Beyond that, the oldest one is dropped.
const MOST: usize = 64;

/// How much of a request's head is buffered: the least that hyper allows.
const HEAD: usize = 8 * 1024;

/// How long a client may take for a request, or stay idle.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection may last altogether.
const LIFETIME: Duration = Duration::from_mins(1);

/// How long a client may take to close a connection that it wants closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Starts listening. Dropping the listener closes everything.
///
/// # Errors
/// The address is not available.
pub fn open(wanted: &HealthAddress, log: &Log) -> Result<Background<oneshot::Sender<()>>, Failure> {
    let listener = bind(wanted)?;
    let address = listener.local_addr().map_err(|e| refused(wanted, &e))?;
    let (stop, stopped) = oneshot::channel();
    let timeline = log.timeline.clone();
    let serve = move || block_on(listener, timeline, stopped);
    let thread = Background::start("launchgate-http", stop, serve);
    let thread = thread.map_err(|error| refused(wanted, &error))?;
    log.say(
        Event::HealthListening,
        "answering health checks until the gate opens",
        &[("address", &address), ("source", &wanted.source)],
    );
    Ok(thread)
}

/// Whether the address is available.
///
/// # Errors
/// What [`open`] would fail with.
pub fn check(wanted: &HealthAddress) -> Result<(), Failure> {
    bind(wanted).map(drop)
}

/// Binds the first address whose family this machine supports. std sets `SO_REUSEADDR`.
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

/// True without IPv6 in the kernel, or if it is turned off (ipv6(7)).
fn is_of_no_kind(error: &io::Error) -> bool {
    error.raw_os_error() == Some(NO_SUCH_FAMILY) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn refused(wanted: &HealthAddress, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the process that listens there, or choose another port; the gate and the server can \
             use the same one"
        }
        io::ErrorKind::PermissionDenied => {
            "choose a port above 1023, or add the capability NET_BIND_SERVICE to the container"
        }
        io::ErrorKind::AddrNotAvailable => {
            "use an address of this machine, or omit it, as in :8080"
        }
        _ => "choose another address, or remove the setting",
    };
    Failure::because(
        FailureKind::System,
        format!(
            "{}: failed to listen on {}: {error}",
            wanted.source, wanted.text
        ),
        hint,
    )
}

fn block_on(listener: TcpListener, timeline: Timeline, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    // If there are no descriptors left for a runtime, health checks go unanswered, but the gate
    // continues.
    if let Ok(runtime) = runtime {
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stopped => {}
                () = serve(listener, timeline) => {}
            }
        });
        // Dropping the runtime resets the remaining connections.
    }
}

async fn serve(listener: TcpListener, timeline: Timeline) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client disconnected in the meantime.
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
        // Answers this client before the next one can displace it.
        yield_now().await;
    }
}

/// Answers one connection's requests.
async fn attend(stream: TcpStream, timeline: Timeline) {
    // Dropping the stream then resets the connection.
    if stream.set_zero_linger().is_err() {
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.uri().path(), timeline.look().as_ref());
        ready(Ok::<_, Infallible>(answer))
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
            #[expect(deprecated, reason = "only a linger time blocks, and this removes it")]
            let _ = stream.set_linger(None);
            return;
        }
    }
}
