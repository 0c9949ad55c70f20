//! What the tests of the gate share: `#[path = "common/gate.rs"] mod gate;`.

#![allow(
    clippy::print_stderr,
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses its own part of this"
)]

#[path = "backends.rs"]
pub mod backends;
#[path = "home.rs"]
pub mod home;
#[path = "mariadb.rs"]
pub mod mariadb;
#[path = "replicas.rs"]
pub mod replicas;
#[path = "running.rs"]
pub mod running;
#[path = "servers.rs"]
pub mod servers;
