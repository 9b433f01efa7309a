//! Messages: where each begins and ends in the octets of a stream.
//!
//! A [`Detector`] recognises a protocol, its [`Framer`] says where messages begin and end, and the [`Extractor`] walks
//! the streams by what they say and hands messages on. A protocol is one file and one row of [`DETECTORS`].

pub mod carried;
pub mod detector;
pub mod extract;
mod http1;
mod length;
pub mod sink;
pub mod summary;

pub use detector::{Detector, Framer};
pub use extract::Extractor;
pub use sink::{Extent, Kind, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};

/// The protocols over TCP, in the order in which they are tried.
pub const DETECTORS: &[&dyn Detector] = &[&http1::HttpDetector, &length::DNS];

/// Name of the protocol of a UDP datagram, by Wireshark; `data` where none is known.
pub fn datagram_protocol(payload: &[u8], src_port: u16, dst_port: u16) -> &'static str {
    match (src_port.min(dst_port), src_port.max(dst_port)) {
        (53, _) | (_, 53) if payload.len() >= 12 => "dns",
        (5353, _) | (_, 5353) if payload.len() >= 12 => "mdns",
        _ => "data",
    }
}
