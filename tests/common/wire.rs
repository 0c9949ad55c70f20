//! A network between a test and a server that can be cut, silently or not, and restored.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

/// Forwards to a port, as long as it is up; while it is down bytes wait.
pub struct Network {
    pub port: u16,
    server: Arc<AtomicU16>,
    up: Arc<(Mutex<bool>, Condvar)>,
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
        let gate = Arc::clone(&up);
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
                    let gate = Arc::clone(&gate);
                    thread::spawn(move || forward(from, to, &gate));
                }
            }
        });
        Self {
            port,
            server,
            up,
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

    pub fn restore(&self) {
        *self.up.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.up.1.notify_all();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, gate: &(Mutex<bool>, Condvar)) {
    let mut buffer = [0; 4096];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let up = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(gate.1.wait_while(up, |up| !*up));
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
