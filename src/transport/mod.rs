//! Transport: from datagrams to octets in order, gaps and endings, per flow.

pub mod flow;
pub mod sctp;
pub mod stream;

pub use flow::{Direction, Flow, FlowKey};
pub use stream::{Chunk, Close, Gap, StreamContext, StreamSink, Taken};
