//! What the tests share.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod home;
pub mod mariadb;
pub mod places;
pub mod servers;
pub mod wire;
