//! What every stage speaks of: time, numbers that wrap, packets, flows, octets of streams, limits and counters.
//!
//! Nothing here knows a stage, a protocol or an output.

pub mod checksum;
pub mod child;
pub mod chunk_trace;
pub mod connection_rule;
pub mod context;
pub mod counters;
pub mod flags;
pub mod flow;
pub mod fragment;
pub mod limits;
pub mod message;
pub mod packet;
pub mod periods;
pub mod place;
pub mod protocol;
pub mod serial;
pub mod size;
pub mod sockets;
pub mod state;
pub mod storage;
pub mod stream;
pub mod time;
pub mod trace;
pub(crate) mod upgraded;
#[cfg(feature = "decompress")]
pub(crate) mod zstd;
