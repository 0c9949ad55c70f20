//! Earlier names of what is in [`super::scene`] and [`super::run`].

pub use super::processes::{is_alive, signal_tree};
pub use super::scene::{Line, Scene};
pub use super::{DEADLINE, Gate as Replica, Run as Running, until};
