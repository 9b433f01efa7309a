//! Outputs: where messages go.
//!
//! [`Outputs`] is all of them together; it is the [`MessageSink`](crate::message::MessageSink) at the end of the pipeline.
//! To add an output, write one file with its [`MessageSink`](crate::message::MessageSink) and `output::Output`, and add a
//! row to the table in `outputs.rs`. A scheme by which an output is opened is one row of the table in `writer.rs`.
//!
//! ```text
//!            ┌─> packets/   a packet for each message; packets of the input as they were
//!            ├─> print/     a line for each message
//!            ├─> follow     connections as conversations
//!            ├─> table/     columns for scripts
//!  Outputs ──┼─> streams/   the octets of each stream (--dump)
//!            ├─> json/      an object for each message and more
//!            ├─> har/       the exchanges of HTTP as one document
//!            └─> files/     files that were transferred (--extract)
//! ```

pub mod choice;
mod coded_body;
mod exchange;
pub mod files;
pub mod follow;
mod har;
pub mod json;
mod json_line;
mod mark;
mod open_files;
pub mod options;
mod order;
mod output;
mod outputs;
pub mod packets;
mod pairing;
mod ports;
pub mod print;
pub mod program;
mod records;
pub mod saved;
pub mod sctp_stats;
pub mod serve;
mod sides;
pub mod streams;
pub mod table;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod watch;
pub mod writer;

pub use outputs::{OutputState, Outputs};
pub use packets::{Encap, FileFormat, Large, PacketOptions};
pub use ports::OddPort;
pub use writer::{OutputError, Reopened, Target, Writer};
