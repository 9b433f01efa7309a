//! `--har`: the exchanges of HTTP/1 and HTTP/2 as one document, HAR 1.2
//! (<http://www.softwareishard.com/blog/har-12-spec/>), which browsers and many tools open.
//!
//! ```text
//!  request  ──> open half ──> waits for its answer ──┐
//!                                                    ├──> entry ──> one line of the document
//!  response ──> open half ───────────────────────────┘
//! ```
//!
//! An entry is written as soon as both its messages have ended, and that of a request without an answer at the end of its
//! connection: so entries stand in the order of their ends.

mod entry;
mod output;
mod state;

pub(crate) use output::Har;
