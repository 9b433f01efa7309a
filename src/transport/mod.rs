//! Transport: from datagrams to octets in order, gaps and endings, per flow.

pub mod flow;
pub mod stream;
pub mod udp;
