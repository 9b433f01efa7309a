//! What is kept of requests and responses until an entry can be written.

use crate::base::context::Context;
use crate::base::flow::Direction;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use crate::sink::exchange::{Kept, WaitingRequests};

/// What is kept of a connection, or of a stream that it carries.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct HarConnection {
    /// By direction: the message that is open.
    pub(super) open: [Option<Box<HalfExchange>>; 2],
    pub(super) requests: WaitingRequests<HalfExchange, HalfExchange>,
    /// A request that was answered by going over to HTTP/2, and that answer: the one proper is still to come.
    pub(super) went_over: Option<Box<[HalfExchange; 2]>>,
}

/// One message of an exchange.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct HalfExchange {
    /// The stream of its connection that it stands in.
    pub(super) stream: Option<u32>,
    /// Its header section.
    pub(super) head: Vec<u8>,
    /// Fields behind the body.
    pub(super) trailers: Vec<u8>,
    /// Where its body begins in the stream.
    pub(super) from: u64,
    /// Octets of the body, up to the first that is missing and to the limit.
    pub(super) body: Vec<u8>,
    /// Octets of the body that are there.
    pub(super) octets: u64,
    /// Octets of the body that are known to be missing.
    pub(super) lost: u64,
    /// Octets are missing: `body` ends there.
    pub(super) gaps: bool,
    /// The limit has cut `body`.
    pub(super) cut: bool,
    pub(super) whole: bool,
    /// Place of its direction.
    pub(super) direction: usize,
    /// It is a request.
    pub(super) asks: bool,
    /// It is a response that goes over to HTTP/2.
    pub(super) goes_over: bool,
    /// It was chosen, and is no mere half of an exchange that was.
    pub(super) chosen: bool,
    /// Of a request that a server promises (RFC 9113, 8.4): it sends it itself.
    pub(super) pushed: bool,
    /// When the connection was opened, where this is its first request and that is known.
    pub(super) opened: Option<Timestamp>,
    /// Of a response: where the request begins that it answers. None: where its connection went over to HTTP/2, if it did.
    pub(super) answers: Option<u64>,
    /// When its first octet was captured, and its last.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Octets that were counted for it.
    pub(super) counted: usize,
}

impl HalfExchange {
    /// Its direction, which is `one` or the other.
    pub(super) const fn direction(&self, one: Direction) -> Direction {
        if one.index() == self.direction {
            one
        } else {
            one.flip()
        }
    }

    pub(super) fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>() + self.allocated();
        cx.budget.rebook(&mut self.counted, now);
    }
}

impl Kept for HalfExchange {
    fn allocated(&self) -> usize {
        self.head.capacity() + self.trailers.capacity() + self.body.capacity()
    }
}
