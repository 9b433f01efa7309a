//! Plain data structures, no protocol inside.

pub mod aged;
pub mod budget;
pub mod expiry;
mod index;

pub use aged::AgedTable;
pub use budget::{Budget, allocated};
pub use expiry::Deadlines;
pub(crate) use index::SlotIndex;
