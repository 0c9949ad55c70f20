//! launchgate runs the database migration once per release and then becomes the server.

#![deny(unsafe_code)]

pub mod db;
pub mod release;
