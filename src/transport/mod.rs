//! Transport: from datagrams to octets in order, gaps and endings, per flow.

pub mod datagram;
pub mod sctp;
pub mod stream;
mod table;
pub mod tcp;
pub mod udp;

pub use stream::{StreamContext, StreamSink, Taken};
