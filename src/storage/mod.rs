//! Plain data structures, no protocol inside.

pub mod budget;
pub mod expiry;

pub use budget::Budget;
pub use expiry::Deadlines;
