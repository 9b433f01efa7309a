//! What the message stage delivers.

use super::records::HandshakeMessage;
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::fragment::FragmentEvent;
use crate::base::message::{Extent, Kind};
use crate::base::packet::Packet;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::{Chunk, Close, Duplicate, FlowState, Gap};
use crate::base::time::{Instant, Timestamp};
use crate::ip::Datagram;
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{AssociationContext, ChunkGap, DuplicateChunk, UserMessage};
use crate::transport::stream::StreamContext;

/// A message begins.
#[derive(Clone, Copy, Debug)]
pub struct MessageStart<'a> {
    /// Its protocol, by Wireshark's name (`http`, `dns`); `data` where none is known.
    pub protocol: &'static str,
    /// Request, response or neither.
    pub kind: Kind,
    /// Offset of its first octet in the stream.
    pub offset: u64,
    /// How far it reaches.
    pub extent: Extent,
    /// Its header section, whole, or the octets that are at hand where the protocol has none. Of a message of WebSocket that was
    /// put together from frames, what would be its only frame, as far as the octets are at hand.
    pub head: &'a [u8],
    /// When its first octet was captured.
    pub time: Timestamp,
    /// The packet that its first octet came in.
    pub frame: u64,
    /// What the segment with its first octet acknowledged (offset in the other stream).
    pub ack: Option<u64>,
    /// Of a response that is no interim one: where in the other stream the request begins that it answers, if that is
    /// known.
    pub answers: Option<u64>,
    /// Where it stands in a stream that its connection carries, as HTTP/2 has them: offsets count in that stream then, and it is
    /// written in text what the connection has in another form.
    pub carried: Option<CarriedMessage>,
}

/// The way of a message of a stream that a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedMessage {
    /// Number of the stream in its connection, as the protocol counts; None where it has one message at a time (WebSocket).
    pub stream: Option<u32>,
}

/// Octets of the message that is open in this direction.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Offset of the first octet in the stream.
    pub offset: u64,
    /// The octets; empty at no time.
    pub data: &'a [u8],
    /// When they were captured.
    pub time: Timestamp,
    /// The packet that brought them.
    pub frame: u64,
    /// Sum of `data`, where it is known.
    pub sum: Option<Sum>,
    /// The end of the message, whole and not ending its stream, follows at once.
    pub last: bool,
}

/// Octets that the open message lacks.
#[derive(Clone, Copy, Debug)]
pub struct MessageGap {
    /// Offset of the first missing octet in the stream.
    pub offset: u64,
    /// How many; 0, in a stream that a connection carries: nobody knows.
    pub len: u64,
}

/// A message that stands in the body of another one (gRPC in HTTP/2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedMessage {
    /// Offset of its prefix in the body.
    pub offset: u64,
    /// Its octets, without the prefix; None: that is cut.
    pub len: Option<u64>,
    /// It is compressed.
    pub compressed: bool,
    /// Nothing of it is missing.
    pub whole: bool,
}

/// The open message ends.
#[derive(Clone, Copy, Debug)]
pub struct MessageEnd {
    /// Offset behind its last octet.
    pub offset: u64,
    /// Nothing of it is missing.
    pub whole: bool,
    /// Where it is not whole and the stream goes on: its extent was not known, `offset` is where the next octet stands.
    pub extent_unknown: bool,
    /// It ends because its stream ended.
    pub closes: Option<Close>,
    /// When the other side acknowledged all of it, if it had when the message ended; with `--wait-ack` a message ends no
    /// earlier.
    pub acknowledged: Option<Timestamp>,
}

/// Takes messages, and the streams that they stand in.
///
/// In each direction of a connection at most one message is open: `start`, then `data` and `gap` in the order of the
/// stream, then `end`. [`StreamContext::cx`] holds the packet that completed what is told. Sinks keep what an input or
/// output error was and tell it when they are flushed.
///
/// A connection that carries streams of its own, as HTTP/2 does, is told of twice: its frames, with the connection's state, by
/// `frame_start` to `frame_end`, and the messages of each of its streams by the other events, with a state of that stream, as if
/// it was a connection. Many of these are open at once.
pub trait MessageSink {
    /// What it keeps with each connection.
    type State: FlowState;

    /// It takes this message: asked before it begins. Of one that it does not take nothing else is told.
    fn takes_message(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        start: &MessageStart<'_>,
    ) -> bool {
        let _ = (at, start);
        true
    }

    /// A message begins.
    fn start(&mut self, at: &mut StreamContext<'_, Self::State>, start: &MessageStart<'_>) {
        let _ = (at, start);
    }
    /// Octets of the open message.
    fn data(&mut self, at: &mut StreamContext<'_, Self::State>, piece: &Piece<'_>) {
        let _ = (at, piece);
    }
    /// Octets that the open message lacks.
    fn gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &MessageGap) {
        let _ = (at, gap);
    }
    /// The open message ends.
    fn end(&mut self, at: &mut StreamContext<'_, Self::State>, end: &MessageEnd) {
        let _ = (at, end);
    }
    /// Header fields that stand behind the body of the open message, as lines.
    fn trailers(&mut self, at: &mut StreamContext<'_, Self::State>, section: &[u8]) {
        let _ = (at, section);
    }
    /// A message with a length of its own (gRPC) has ended in the open one.
    fn inner(&mut self, at: &mut StreamContext<'_, Self::State>, message: &ListedMessage) {
        let _ = (at, message);
    }
    /// When [`wake`](Self::wake) is to be called though nothing comes on the connection.
    #[inline]
    fn wakes_at(&self, state: &Self::State) -> Option<Instant> {
        let _ = state;
        None
    }
    /// The time has come that [`wakes_at`](Self::wakes_at) gave.
    fn wake(&mut self, at: &mut StreamContext<'_, Self::State>) {
        let _ = at;
    }
    /// So many octets of the stream belong to no message: a search for the beginning of one has passed over them.
    fn skipped(&mut self, at: &mut StreamContext<'_, Self::State>, offset: u64, octets: u64) {
        let _ = (at, offset, octets);
    }
    /// A stream that a connection carries has ended: its state is dropped behind this.
    fn carried_end(&mut self, at: &mut StreamContext<'_, Self::State>) {
        let _ = at;
    }

    /// It has a use for the messages of streams that connections carry.
    fn hears_carried(&self) -> bool {
        true
    }
    /// A message of a stream that this connection carries has ended, in this direction.
    fn carried(&mut self, at: &mut StreamContext<'_, Self::State>, protocol: &'static str) {
        let _ = (at, protocol);
    }
    /// It has a use for [`handshake`](Self::handshake): asked when the run begins.
    fn hears_handshakes(&self) -> bool {
        false
    }
    /// A handshake message of TLS is whole, and was read: a hello, the server's encrypted extensions, or a chain of certificates.
    fn handshake(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        message: &HandshakeMessage<'_>,
    ) {
        let _ = (at, message);
    }
    /// Records of TLS of this connection are opened from here on: what they hold is told as a stream of a flow that was encrypted
    /// ([`Flow::decrypted`](crate::base::flow::Flow::decrypted)), with a state of its own.
    fn opens_records(&mut self, at: &mut StreamContext<'_, Self::State>) {
        let _ = at;
    }
    /// It takes this frame of a connection that carries streams: asked before it begins. Of one that it does not take nothing
    /// else is told.
    fn takes_frame(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        start: &MessageStart<'_>,
    ) -> bool {
        let _ = (at, start);
        false
    }
    /// A frame begins.
    fn frame_start(&mut self, at: &mut StreamContext<'_, Self::State>, start: &MessageStart<'_>) {
        let _ = (at, start);
    }
    /// Octets of the open frame.
    fn frame_data(&mut self, at: &mut StreamContext<'_, Self::State>, piece: &Piece<'_>) {
        let _ = (at, piece);
    }
    /// Octets that the open frame lacks.
    fn frame_gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &MessageGap) {
        let _ = (at, gap);
    }
    /// The open frame ends.
    fn frame_end(&mut self, at: &mut StreamContext<'_, Self::State>, end: &MessageEnd) {
        let _ = (at, end);
    }

    /// A UDP datagram: one message.
    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let _ = (at, message);
    }

    /// A copy, captured on another channel, of a UDP datagram that was told of.
    fn datagram_duplicate(&mut self, at: &mut DatagramContext<'_>, payload_len: usize) {
        let _ = (at, payload_len);
    }
    /// Octets that the budget knows of in this state of a connection, where it may be written out and read back between two events:
    /// so it takes less room where there are many connections. None where it may not, as where a message is open in it.
    fn charged(&self, state: &Self::State) -> Option<usize> {
        let _ = state;
        // What keeps nothing loses nothing.
        (size_of::<Self::State>() == 0).then_some(0)
    }
    /// It has a use for [`flow_end`](Self::flow_end) of connections.
    fn hears_flow_ends(&self) -> bool {
        true
    }
    /// A flow of UDP is not followed any longer, or a connection or association has ended: behind [`Self::closed`] and
    /// [`Self::association_end`], and also for a connection without payload, of which nothing else is told.
    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        let _ = (cx, ended);
    }

    /// A fragment came again, or a datagram that came in fragments was given up.
    fn fragments(&mut self, cx: &mut Context, event: &FragmentEvent) {
        let _ = (cx, event);
    }

    /// A datagram of a transport that is switched off (`--disable`): whole, and as it was.
    fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        let _ = (cx, datagram);
    }

    /// An SCTP user message: one message, of this protocol by Wireshark's name, `data` where none is known. Its association
    /// has a state of its own.
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        let _ = (at, message, protocol);
    }
    /// TSNs of an SCTP association are missing, and are waited for no longer.
    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, Self::State>, gap: &ChunkGap) {
        let _ = (at, gap);
    }
    /// A data chunk of an SCTP association came again.
    fn chunk_duplicate(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        chunk: &DuplicateChunk,
    ) {
        let _ = (at, chunk);
    }
    /// An SCTP association has ended; the state is dropped behind this.
    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, close: Close) {
        let _ = (at, close);
    }

    /// The input has ended, and with it all connections.
    fn input_end(&mut self, cx: &mut Context) {
        let _ = cx;
    }

    /// A packet of the input has been processed. `dropped`: it, or a part of it, could not be used.
    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        let _ = (cx, packet, dropped);
    }

    /// It has a use for [`stream_arrival`](Self::stream_arrival) and [`stream_data`](Self::stream_data), which come with each segment.
    fn hears_streams(&self) -> bool {
        true
    }

    /// Octets of the stream are at hand, and will be told as octets of messages, or between them. Some may have been at
    /// hand before.
    fn stream_arrival(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>) {
        let _ = (at, chunk);
    }
    /// Octets of the stream, in or between messages.
    fn stream_data(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>) {
        let _ = (at, chunk);
    }
    /// A gap of the stream.
    fn stream_gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &Gap) {
        let _ = (at, gap);
    }
    /// A segment brought octets of the stream that were there before.
    fn stream_duplicate(&mut self, at: &mut StreamContext<'_, Self::State>, duplicate: &Duplicate) {
        let _ = (at, duplicate);
    }
    /// The stream ends. Its open message has been ended before.
    fn stream_end(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close) {
        let _ = (at, close);
    }
    /// Both streams have ended; the state is dropped behind this.
    fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close) {
        let _ = (at, close);
    }
}

/// A UDP datagram: one message.
#[derive(Clone, Copy, Debug)]
pub struct DatagramMessage<'a> {
    /// Its protocol, by Wireshark's name; `data` where none is known.
    pub protocol: &'static str,
    /// What stands behind the UDP header.
    pub payload: &'a [u8],
    /// Octets that the payload had as it was sent; more than there are where the snapshot length cut them off.
    pub payload_len: usize,
}
