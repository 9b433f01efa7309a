//! Transport: from datagrams to octets in order, gaps and endings, per flow.

pub mod flow;
pub mod sctp;
pub mod stream;
mod table;
pub mod tcp;
pub mod udp;

pub use flow::{Direction, Flow, FlowKey};
pub use stream::{Chunk, Close, Gap, StreamContext, StreamSink, Taken};
