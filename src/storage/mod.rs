//! Plain data structures, no protocol inside.

pub mod aged;
pub mod budget;

pub use aged::AgedTable;
pub use budget::Budget;
