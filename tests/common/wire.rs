//! A network between a test and a server that can be cut, silently or not, and restored.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Forwards to a port, as long as it is up; while it is down bytes wait.
pub struct Network {
    pub port: u16,
    server: Arc<AtomicU16>,
    up: Arc<(Mutex<bool>, Condvar)>,
    /// In milliseconds, before whatever comes is passed on.
    delay: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    pub fn to(server: u16) -> Self {
        let server = Arc::new(AtomicU16::new(server));
        let open = Arc::new(Mutex::new(Vec::new()));
        let (port_now, all) = (Arc::clone(&server), Arc::clone(&open));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let up = Arc::new((Mutex::new(true), Condvar::new()));
        let delay = Arc::new(AtomicU64::new(0));
        let (gate, late) = (Arc::clone(&up), Arc::clone(&delay));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = ("127.0.0.1", port_now.load(Ordering::Relaxed));
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend([&client, &server].map(|side| side.try_clone().expect("clone")));
                drop(all);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (
                        from.try_clone().expect("clone"),
                        to.try_clone().expect("clone"),
                    );
                    let (gate, late) = (Arc::clone(&gate), Arc::clone(&late));
                    thread::spawn(move || forward(from, to, &gate, &late));
                }
            }
        });
        Self {
            port,
            server,
            up,
            delay,
            open,
        }
    }

    /// Ends every connection, on both sides.
    pub fn reset(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// New connections lead there.
    pub fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::Relaxed);
    }

    pub fn cut(&self) {
        *self.up.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Whatever comes from now on arrives so much later, in both directions.
    pub fn delay(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).expect("a short time");
        self.delay.store(milliseconds, Ordering::Relaxed);
    }

    pub fn restore(&self) {
        self.delay(Duration::ZERO);
        *self.up.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.up.1.notify_all();
    }
}

fn forward(
    mut from: TcpStream,
    mut to: TcpStream,
    gate: &(Mutex<bool>, Condvar),
    delay: &AtomicU64,
) {
    let mut buffer = [0; 4096];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        thread::sleep(Duration::from_millis(delay.load(Ordering::Relaxed)));
        let up = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(gate.1.wait_while(up, |up| !*up));
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
