//! A network between a test and a server that can be cut silently, and restored.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

/// Forwards to a port, as long as it is up; while it is down bytes wait.
pub struct Network {
    pub port: u16,
    up: Arc<(Mutex<bool>, Condvar)>,
}

impl Network {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let up = Arc::new((Mutex::new(true), Condvar::new()));
        let gate = Arc::clone(&up);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
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
        Self { port, up }
    }

    pub fn cut(&self) {
        *self.up.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    pub fn mend(&self) {
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
