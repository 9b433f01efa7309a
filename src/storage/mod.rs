//! Plain data structures, no protocol inside.

pub mod budget;

pub use budget::Budget;
