//! Plain data structures, no protocol inside.

pub mod aged;
pub mod budget;
pub mod expiry;

pub use aged::AgedTable;
pub use budget::{Budget, allocated};
pub use expiry::Deadlines;
