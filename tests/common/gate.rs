//! What the tests of the gate share: `#[path = "common/gate.rs"] mod gate;`.

#![allow(
    dead_code,
    unreachable_pub,
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
#[path = "servers.rs"]
pub mod servers;
