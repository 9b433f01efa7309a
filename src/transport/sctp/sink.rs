//! What SCTP hands on: user messages in the order of their streams, and the end of each association.

use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::place::RecordSpan;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::{Close, FlowState, GapCause};
use crate::base::time::Timestamp;
use crate::transport::datagram::EndedFlow;
use std::net::SocketAddr;

/// What an incomplete user message lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Chunks between the octets that are there and the next piece of the message; 0 where that is not known, or where
    /// only the snapshot length cut it.
    pub chunks: u64,
    /// Octets that were captured behind the hole; they are not delivered.
    pub octets_behind: u64,
    /// The last chunk of the message was captured.
    pub end_seen: bool,
}

/// A user message, whole or as far as the capture has it.
#[derive(Clone, Copy, Debug)]
pub struct UserMessage<'a> {
    /// From which side it came.
    pub direction: Direction,
    /// Source address and port of its first chunk: with multihoming, not always those of the flow.
    pub src: SocketAddr,
    /// Destination address and port of its first chunk.
    pub dst: SocketAddr,
    /// Verification tag of its first chunk's packet.
    pub tag: u32,
    /// Stream identifier.
    pub stream: u16,
    /// Stream sequence number (16 bits) of DATA, message identifier of I-DATA.
    pub seq: u32,
    /// Payload protocol identifier.
    pub ppid: u32,
    /// The U bit.
    pub unordered: bool,
    /// It came in I-DATA chunks (RFC 8260).
    pub interleaved: bool,
    /// TSN of its first chunk.
    pub tsn: u32,
    /// TSNs of all its chunks that are there, where they do not follow one another (I-DATA); else empty.
    pub tsns: &'a [u32],
    /// Where the user data of each chunk of `data` stands in the input, in order.
    pub places: &'a [RecordSpan],
    /// Chunks that `data` is made of.
    pub chunks: u32,
    /// Its octets from the first on, without a hole. Of a message in one chunk they are the packet's own.
    pub data: &'a [u8],
    /// Octets that the whole message has, where that is known.
    pub len: Option<u64>,
    /// Nothing of it is missing.
    pub whole: bool,
    /// What is missing; meaningless for a whole message.
    pub missing: Missing,
    /// Number of the packet that brought its first chunk. [`Context::packet`] is the one that brought the last of its
    /// chunks that are there.
    pub frame: u64,
    /// When that packet was captured.
    pub time: Timestamp,
    /// When the receiver acknowledged all of it (cumulatively: what stands in gap ack blocks it may still drop), if it had
    /// when the message was delivered; with `--wait-ack` a message is delivered no earlier.
    pub acknowledged: Option<Timestamp>,
}

impl UserMessage<'_> {
    /// Octets that are known to be missing; 0 where their number is not known.
    pub fn lost(&self) -> u64 {
        self.len
            .map_or(0, |n| n.saturating_sub(self.data.len() as u64))
    }
}

/// TSNs that the capture lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkGap {
    /// From which side they came.
    pub direction: Direction,
    /// The first of them.
    pub tsn: u32,
    /// How many there are.
    pub tsns: u64,
    /// Why they were given up; None where their sender abandoned them (RFC 3758).
    pub cause: Option<GapCause>,
}

/// A data chunk whose TSN was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateChunk {
    /// From which side it came.
    pub direction: Direction,
    /// Its TSN.
    pub tsn: u32,
    /// Octets of user data in it.
    pub len: u64,
}

/// Where a user message belongs, and what may be used there.
pub struct AssociationContext<'a, S> {
    /// Settings, counters, budget, and the packet that brought the event about.
    pub cx: &'a mut Context,
    /// The association; its addresses are those of the first packet.
    pub flow: &'a Flow,
    /// Verification tag of the packets of each direction, by [`Direction::index`], where known.
    pub tags: [Option<u32>; 2],
    /// What the sink keeps with this association.
    pub state: &'a mut S,
}

impl<S> AssociationContext<'_, S> {
    /// The same place with another state: how a stage hands its context on.
    pub fn with<'b, T>(
        &'b mut self,
        f: impl FnOnce(&'b mut S) -> &'b mut T,
    ) -> AssociationContext<'b, T> {
        AssociationContext {
            cx: self.cx,
            flow: self.flow,
            tags: self.tags,
            state: f(self.state),
        }
    }
}

/// Takes the user messages of associations.
///
/// Ordered messages of one stream and direction come in the order of the stream, unordered ones as soon as they are
/// whole; then one end. The state is made with the association and dropped behind the end.
pub trait UserMessageSink {
    /// What it keeps with each association.
    type State: FlowState;

    /// A user message.
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
    );

    /// TSNs are missing, and are waited for no longer.
    fn gap(&mut self, at: &mut AssociationContext<'_, Self::State>, gap: &ChunkGap) {
        let _ = (at, gap);
    }

    /// A data chunk came again.
    fn duplicate(&mut self, at: &mut AssociationContext<'_, Self::State>, chunk: &DuplicateChunk) {
        let _ = (at, chunk);
    }

    /// The association has ended.
    fn end(&mut self, at: &mut AssociationContext<'_, Self::State>, close: Close);

    /// What was seen of the association; comes behind its end.
    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        let _ = (cx, ended);
    }
}
