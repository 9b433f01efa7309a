//! Whole messages for a user of the library who has no need to see them as they come: one call for each, with its octets.

use super::events::{DatagramMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::message::Kind;
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::Close;
use crate::base::time::Timestamp;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use std::fmt;

/// Missing ranges of one message that are listed; there may be more.
const GAPS: usize = 64;

/// A message with its octets.
#[derive(Clone, Copy, Debug)]
pub struct WholeMessage<'a> {
    /// Who talks to whom.
    pub flow: &'a Flow,
    /// From which side it came.
    pub direction: Direction,
    /// Its protocol, by Wireshark's name; `data` where none is known.
    pub protocol: &'a str,
    /// Request, response or neither.
    pub kind: Kind,
    /// Its octets that are there, as many as were asked for at most.
    pub octets: &'a [u8],
    /// How many are there.
    pub len: u64,
    /// Ranges that are missing: offset in the message, and length; the first 64.
    pub gaps: &'a [(u64, u64)],
    /// Nothing of it is missing; `octets` may be fewer all the same.
    pub whole: bool,
    /// When the packet was captured that completed it.
    pub time: Timestamp,
    /// Number of that packet.
    pub frame: u64,
}

impl WholeMessage<'_> {
    /// There are more octets than were asked for.
    pub const fn is_cut(&self) -> bool {
        (self.octets.len() as u64) < self.len
    }
}

/// Calls a function with each message, when it has ended. Of each at most so many octets are kept until then, which count
/// as memory that waits ([`Limits::memory`](crate::base::limits::Limits::memory)).
///
/// ```
/// use inet_asm::Assembler;
/// use inet_asm::base::limits::Limits;
/// use inet_asm::base::packet::{LinkType, Packet};
/// use inet_asm::base::time::Timestamp;
/// use inet_asm::message::whole::WholeMessages;
///
/// // Raw IPv4: a datagram from port 5000 to port 5001.
/// let packet = [
///     0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, //
///     0x13, 0x88, 0x13, 0x89, 0, 10, 0, 0, b'h', b'i',
/// ];
/// let mut seen = Vec::new();
/// let sink = WholeMessages::new(1 << 20, |m| {
///     seen.push((m.protocol.to_owned(), m.octets.to_vec(), m.whole));
/// });
/// let mut assembler = Assembler::new(Limits::default(), sink);
/// let time = Timestamp::from_nanos(0);
/// assembler.packet(&Packet::new(1, time, LinkType::RAW, &packet));
/// assembler.finish();
/// assert_eq!(seen, [("data".to_owned(), b"hi".to_vec(), true)]);
/// ```
pub struct WholeMessages<F> {
    most: usize,
    call: F,
}

impl<F: FnMut(&WholeMessage<'_>)> WholeMessages<F> {
    /// Calls `call`, with `most` octets of each message at most.
    pub const fn new(most: usize, call: F) -> Self {
        Self { most, call }
    }
}

impl<F> fmt::Debug for WholeMessages<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeMessages")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// The open message of each direction.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OpenMessages([Option<Box<OpenMessage>>; 2]);

/// What is kept of a message until it ends.
#[derive(Debug, Serialize, Deserialize)]
struct OpenMessage {
    protocol: Name,
    kind: Kind,
    start: u64,
    len: u64,
    octets: Vec<u8>,
    gaps: Vec<(u64, u64)>,
    /// Octets that the budget knows of.
    charged: usize,
}

impl OpenMessage {
    fn charge(&mut self, cx: &mut Context) {
        let now = allocated(size_of::<Self>())
            + self.octets.capacity()
            + self.gaps.capacity() * size_of::<(u64, u64)>();
        cx.budget.rebook(&mut self.charged, now);
    }
}

impl<F: FnMut(&WholeMessage<'_>)> MessageSink for WholeMessages<F> {
    type State = OpenMessages;

    fn start(&mut self, at: &mut StreamContext<'_, Self::State>, start: &MessageStart<'_>) {
        let mut open = Box::new(OpenMessage {
            protocol: Name::of(start.protocol),
            kind: start.kind,
            start: start.offset,
            len: 0,
            octets: Vec::new(),
            gaps: Vec::new(),
            charged: 0,
        });
        open.charge(at.cx);
        at.state.0[at.direction.index()] = Some(open);
    }

    fn data(&mut self, at: &mut StreamContext<'_, Self::State>, piece: &Piece<'_>) {
        let Some(open) = &mut at.state.0[at.direction.index()] else {
            return;
        };
        open.len += piece.data.len() as u64;
        let room = self.most.saturating_sub(open.octets.len());
        open.octets
            .extend(piece.data.get(..room).unwrap_or(piece.data));
        open.charge(at.cx);
    }

    fn gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &MessageGap) {
        if let Some(open) = &mut at.state.0[at.direction.index()]
            && open.gaps.len() < GAPS
        {
            let offset = gap.offset.saturating_sub(open.start);
            open.gaps.push((offset, gap.len));
            open.charge(at.cx);
        }
    }

    fn end(&mut self, at: &mut StreamContext<'_, Self::State>, end: &MessageEnd) {
        let Some(open) = at.state.0[at.direction.index()].take() else {
            return;
        };
        at.cx.budget.give(open.charged);
        (self.call)(&WholeMessage {
            flow: at.flow,
            direction: at.direction,
            protocol: open.protocol.text(),
            kind: open.kind,
            octets: &open.octets,
            len: open.len,
            gaps: &open.gaps,
            whole: end.whole,
            time: at.cx.packet.time,
            frame: at.cx.packet.frame,
        });
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let payload = message.payload;
        let missing = message.payload_len.saturating_sub(payload.len());
        let gap = [(payload.len() as u64, missing as u64)];
        (self.call)(&WholeMessage {
            flow: at.flow,
            direction: at.direction,
            protocol: message.protocol,
            kind: Kind::Other,
            octets: payload.get(..self.most).unwrap_or(payload),
            len: payload.len() as u64,
            gaps: if missing > 0 { &gap } else { &[] },
            whole: missing == 0,
            time: at.cx.packet.time,
            frame: at.cx.packet.frame,
        });
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        let data = message.data;
        let gap = [(data.len() as u64, message.lost())];
        (self.call)(&WholeMessage {
            flow: at.flow,
            direction: message.direction,
            protocol,
            kind: Kind::Other,
            octets: data.get(..self.most).unwrap_or(data),
            len: data.len() as u64,
            gaps: if message.lost() > 0 { &gap } else { &[] },
            whole: message.whole,
            time: at.cx.packet.time,
            frame: at.cx.packet.frame,
        });
    }

    fn carried_end(&mut self, at: &mut StreamContext<'_, Self::State>) {
        self.closed(at, Close::Fin);
    }

    fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        // Every message has been ended before; what is left would be a fault, and must not stay booked.
        for open in at.state.0.iter_mut().filter_map(Option::take) {
            at.cx.budget.give(open.charged);
        }
    }
}
