//! Messages as packets: one packet for each message, a train of full segments for one that is larger.
//!
//! ```text
//!  start  data ... data(last)                      one packet, straight into the output buffer
//!  start  data data data ... end                   octets wait in `PendingMessage::pending` until a segment is full
//!           |<-- segment -->|<-- segment -->|<-- ... PSH
//!  start  data gap data ... end                    one packet: cut at the hole, its record has the whole
//!                                                  train: the segment before the hole is cut, the train goes on
//! ```
//!
//! Sequence numbers are the original ones, so that what was never written is a jump in them and nothing else.

mod by_protocol;
mod connection;
mod datagrams;
mod endpoints;
mod events;
mod file;
mod info;
mod options;
mod originals;
pub(super) mod pcap;
mod pcapng;
mod pdu;
mod pending;
mod segments;
mod sorted;
mod synthetic;
mod track;
mod writing;

pub(super) use by_protocol::PacketOutputs;
pub use file::FileFormat;
pub use options::{Encap, Large, PacketOptions};
pub(super) use originals::{OriginalOutput, OriginalOutputs};
pub(super) use pcapng::statistics;
pub(super) use writing::PacketOutput;
