//! A network between a test and a server that can be cut, silently or not, and restored.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::lock;

/// Forwards to a port, as long as it is up; while it is down bytes wait.
pub struct Network {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    server: AtomicU16,
    is_up: Mutex<bool>,
    restored: Condvar,
    /// In milliseconds, before whatever comes is passed on.
    delay: AtomicU64,
    /// The connection on which this comes is cut instead.
    fatal: Mutex<Option<&'static str>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Network {
    pub fn to(server: u16) -> Self {
        let state = Arc::new(State {
            server: AtomicU16::new(server),
            is_up: Mutex::new(true),
            restored: Condvar::new(),
            delay: AtomicU64::new(0),
            fatal: Mutex::new(None),
            open: Mutex::new(Vec::new()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = ("127.0.0.1", shared.server.load(Ordering::Relaxed));
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let [from, to, kept] =
                        [from, to, from].map(|side| side.try_clone().expect("clone"));
                    lock(&shared.open).push(kept);
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.forward(from, to));
                }
            }
        });
        Self { port, state }
    }

    /// A network to a URL's server, and the URL of the same database by way of it.
    pub fn to_server_of(url: &str) -> (Self, String) {
        let (address, database) = url.rsplit_once('/').expect("a URL");
        let (host, port) = address.rsplit_once(':').expect("a URL with a port");
        let network = Self::to(port.parse().expect("a port"));
        let url = format!("{host}:{}/{database}", network.port);
        (network, url)
    }

    /// Ends every connection, on both sides.
    pub fn reset(&self) {
        for stream in lock(&self.state.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// New connections lead there.
    pub fn lead_to(&self, server: u16) {
        self.state.server.store(server, Ordering::Relaxed);
    }

    pub fn cut(&self) {
        *lock(&self.state.is_up) = false;
    }

    /// The next connection on which this text comes is cut before it arrives.
    pub fn cut_before(&self, text: &'static str) {
        *lock(&self.state.fatal) = Some(text);
    }

    /// Whatever comes from now on arrives so much later, in both directions.
    pub fn delay(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).expect("a short time");
        self.state.delay.store(milliseconds, Ordering::Relaxed);
    }

    pub fn restore(&self) {
        self.delay(Duration::ZERO);
        *lock(&self.state.is_up) = true;
        self.state.restored.notify_all();
    }
}

impl State {
    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 4096];
        loop {
            let count = from.read(&mut buffer).unwrap_or(0);
            thread::sleep(Duration::from_millis(self.delay.load(Ordering::Relaxed)));
            drop(self.restored.wait_while(lock(&self.is_up), |up| !*up));
            if self.is_fatal(&buffer[..count]) {
                let _ = from.shutdown(Shutdown::Both);
            } else if count != 0 && to.write_all(&buffer[..count]).is_ok() {
                continue;
            }
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }

    fn is_fatal(&self, bytes: &[u8]) -> bool {
        let has = |text: &mut &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        lock(&self.fatal).take_if(has).is_some()
    }
}
