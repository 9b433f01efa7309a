//! `--json`: one object a line.
//!
//! [`FIELDS`] is the list of what they hold; the man page is made from it, and a test holds the output to it.

mod digest;
mod fields;
mod objects;
mod output;
mod state;
#[cfg(test)]
mod tests;

pub use fields::FIELDS;
pub(super) use output::Json;
pub use state::{JsonBody, Show};
