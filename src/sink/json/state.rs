//! What `--json` shows, and what it keeps until it can show it.

use super::digest::Digest;
use crate::base::context::Context;
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use crate::message::{ListedMessage, MessageFields, NamedEnds};
use crate::sink::exchange::{Kept, WaitingRequest, WaitingRequests};
use crate::sink::tls::TlsSeen;

/// `--json-body`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum JsonBody {
    /// Left out.
    #[default]
    None,
    /// As UTF-8; octets that are not UTF-8 are replaced.
    Text,
    /// As base64 (RFC 4648).
    Base64,
}

/// What is shown of the octets of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Show {
    /// `--json-body`.
    pub body: JsonBody,
    /// `--hash`: the SHA-256 of those that are whole.
    pub hash: bool,
    /// `--fill-gaps`: how many zeros stand for gaps.
    pub filled: bool,
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct JsonConnection {
    pub(super) begun: bool,
    pub(super) first: Timestamp,
    /// That of its first message whose protocol is known, else of its first message.
    pub(super) protocol: Option<Name>,
    /// Whom it is between, where a message says that.
    pub(super) named: Option<Box<NamedEnds>>,
    /// What its TLS says.
    pub(super) tls: Option<Box<TlsSeen>>,
    pub(super) streams: [JsonStream; 2],
    pub(super) requests: WaitingRequests<ShownRequest, EndedResponse>,
    /// A request that was answered by going over to HTTP/2: its answer proper is still to come.
    pub(super) went_over: Option<Box<AnsweredRequest>>,
    /// Responses, with their directions, whose request is missing if octets are.
    pub(super) unasked: Vec<(Direction, EndedResponse)>,
}

/// A request with its response.
pub(super) type AnsweredRequest = (WaitingRequest<ShownRequest, EndedResponse>, EndedResponse);

/// What an exchange shows of its request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShownRequest {
    /// Offset of its first octet, counted from the stream's first octet.
    pub(super) offset: u64,
    pub(super) summary: String,
    pub(super) frame: u64,
    pub(super) protocol: Name,
    pub(super) stream: Option<u32>,
    pub(super) direction: Direction,
    /// When an answer began that has several messages.
    pub(super) begun: Option<Timestamp>,
}

impl Kept for ShownRequest {
    fn allocated(&self) -> usize {
        self.summary.capacity()
    }
}

/// A response that has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndedResponse {
    pub(super) protocol: Name,
    pub(super) stream: Option<u32>,
    pub(super) summary: String,
    /// Counted from the stream's first octet.
    pub(super) offset: u64,
    pub(super) whole: bool,
    pub(super) first_time: Timestamp,
    pub(super) first_frame: u64,
    /// Time and number of the packet that ended it.
    pub(super) time: Timestamp,
    pub(super) frame: u64,
}

impl EndedResponse {
    /// Octets that are allocated for it where it waits.
    pub(super) fn size(&self) -> usize {
        size_of::<(Direction, Self)>() + self.summary.capacity()
    }

    /// Of a message that ended with the packet at hand.
    pub(super) fn new(cx: &Context, message: UnfinishedMessage, whole: bool) -> Self {
        Self {
            protocol: message.protocol,
            stream: message.stream,
            summary: message.summary,
            offset: message.offset,
            whole,
            first_time: message.first_time,
            first_frame: message.first_frame,
            time: cx.packet.time,
            frame: cx.packet.frame,
        }
    }
}

impl Kept for EndedResponse {
    fn allocated(&self) -> usize {
        self.summary.capacity()
    }
}

impl JsonConnection {
    /// A message of this protocol was found in it.
    pub(super) fn carries(&mut self, protocol: &'static str) {
        if self
            .protocol
            .is_none_or(|known| known.text() == NO_PROTOCOL)
        {
            self.protocol = Some(Name::of(protocol));
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct JsonStream {
    pub(super) octets: u64,
    pub(super) segments: u64,
    pub(super) messages: u64,
    pub(super) gaps: u64,
    pub(super) lost: u64,
    pub(super) open: Option<Box<UnfinishedMessage>>,
}

/// An open message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct UnfinishedMessage {
    pub(super) protocol: Name,
    pub(super) kind: Kind,
    pub(super) summary: String,
    /// What its protocol lists by name.
    pub(super) fields: MessageFields,
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
    pub(super) first_time: Timestamp,
    pub(super) first_frame: u64,
    pub(super) octets: u64,
    pub(super) gaps: Vec<(u64, u64)>,
    /// Octets of all its gaps.
    pub(super) lost: u64,
    pub(super) body: Vec<u8>,
    pub(super) body_cut: bool,
    pub(super) digest: Option<Box<Digest>>,
    /// Of a response: where the request begins that it answers.
    pub(super) answers: Option<u64>,
    /// Of a response: its request was not in the capture so far.
    pub(super) unasked: bool,
    /// Of a response that goes over to HTTP/2, and of the one that answers its request there.
    pub(super) goes_over: bool,
    pub(super) went_over: bool,
    /// The stream that its connection carries it in.
    pub(super) stream: Option<u32>,
    /// Messages inside of it.
    pub(super) inner: Vec<ListedMessage>,
    /// Octets that were counted for it.
    pub(super) counted: usize,
}

impl UnfinishedMessage {
    pub(super) fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>()
            + self.summary.capacity()
            + self.fields.allocated()
            + self.gaps.capacity() * size_of::<(u64, u64)>()
            + self.inner.capacity() * size_of::<ListedMessage>()
            + self.body.capacity()
            + self.digest.as_ref().map_or(0, |d| size_of_val(&**d));
        cx.budget.rebook(&mut self.counted, now);
    }
}
