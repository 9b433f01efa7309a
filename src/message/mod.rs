//! Messages: where each begins and ends in the octets of a stream.

pub mod sink;
pub mod summary;

pub use sink::{Extent, Kind, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
