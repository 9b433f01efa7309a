//! What records of TLS hold whose keys are known: a stream of its own, in which messages are found as in any other.
//!
//! ```text
//!   octets of a connection ──> Framer of TLS ──> records ──> Session ──> octets of another conversation ──> sink
//!                                                   └─ what was not opened is a message, as without keys ──> sink
//! ```
//!
//! A record that may be opened is gathered, and becomes a message only where it is not opened. The conversation inside, `C`, has a flow
//! that says so, and a state of the sink's own.

use super::carry::Around;
use super::events::{MessageStart, Piece};
use super::held_part::ChunkOrigin;
use super::protocols::{alpn_port, plain_port};
use super::records::{
    APPLICATION_DATA, KeyLog, Lost, NotOpened, Offer, Opened, RecordPlace, SaidMessage, Session,
    SessionName,
};
use crate::base::context::Context;
use crate::base::counters::DecryptedCounters;
use crate::base::flow::{DecryptedPorts, Direction, Flow};
use crate::base::message::{Extent, Kind};
use crate::base::place::OctetOffset;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::{Chunk, Close, Gap, GapCause, ORIGIN, Side};
use crate::base::time::{Instant, Timestamp};
use crate::transport::stream::{StreamContext, StreamSink, Taken};
use std::collections::VecDeque;

/// Octets of a handshake message in clear that are gathered, at most: hellos are shorter.
const GATHERED: usize = 16 << 10;
/// The same where somebody wants the certificates.
const GATHERED_CHAIN: usize = 128 << 10;
/// Octets that a sender puts into one record, at most: it goes on in the next one.
const FULL: usize = 1 << 14;
/// Records whose ends are remembered in each direction: so many may lie between a message and the acknowledgment of it.
const ENDS: usize = 16;
/// Between the sequence numbers of a connection and of the stream inside, which may have the same ports behind STARTTLS: readers take
/// it for another connection then.
const APART: u32 = 1 << 30;

/// What records of TLS are opened with.
#[derive(Debug, Default)]
pub(super) struct Openers {
    pub(super) keys: KeyLog,
    /// The sink has a use for handshake messages.
    pub(super) listens: bool,
    /// Messages that have ended in records, of which those who hear of the connection were not told yet.
    pub(super) ended: Vec<(Direction, Name)>,
}

/// What becomes of the octets of a message of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Seal {
    /// They are a message.
    #[default]
    No,
    /// They are a message in clear, which says what the records behind it are opened with.
    Heard,
    /// They are gathered, and opened where they are complete.
    Opened,
}

/// A message of TLS that is gathered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Gathered {
    pub(super) octets: Vec<u8>,
    protocol: Option<Name>,
    offset: u64,
    kind: Option<Kind>,
    extent: Option<Extent>,
    pub(super) hand_over: bool,
    /// The packets that brought its first and its last octets.
    pub(super) first: ChunkOrigin,
    pub(super) last: ChunkOrigin,
}

/// The stream inside.
#[derive(Debug, Serialize, Deserialize)]
struct Inside<C> {
    conversation: C,
    flow: Flow,
    sides: [Side; 2],
    wake: Option<Instant>,
    /// What is missing before the next octets.
    lost: [Option<Lost>; 2],
    /// Of the last records of each direction: the offset behind each, and that behind what it held.
    ends: [VecDeque<(u64, u64)>; 2],
    /// Octets that a record of each direction has beside what it holds, where that is known.
    around: [u64; 2],
}

/// What is kept of a connection whose records may be opened.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Decrypted<C> {
    session: Session,
    gathered: [Gathered; 2],
    /// The sink knows that records are opened.
    told: bool,
    inside: Option<Box<Inside<C>>>,
    /// Behind the last record of each direction that was opened, something is missing or was not opened.
    missed: [bool; 2],
    /// Octets that the budget knows of.
    charged: usize,
}

impl Gathered {
    /// The message that it is where it is not opened.
    pub(super) fn start(&self) -> MessageStart<'_> {
        MessageStart {
            protocol: self.protocol.map_or(NO_PROTOCOL, Name::text),
            kind: self.kind.unwrap_or(Kind::Other),
            offset: self.offset,
            extent: self.extent.unwrap_or(Extent::Open),
            head: &self.octets,
            time: self.first.time,
            frame: self.first.frame,
            ack: self.first.ack,
            answers: None,
            carried: None,
        }
    }
}

impl<C: Default> Decrypted<C> {
    /// It is kept no longer.
    pub(super) fn forget(self, cx: &mut Context) {
        cx.budget.give(self.charged);
    }

    /// The records of this connection are opened: the sink has been told.
    pub(super) const fn opens(&self) -> bool {
        self.told
    }

    /// Records were opened, and what they held is a stream.
    pub(super) const fn has_inside(&self) -> bool {
        self.inside.is_some()
    }

    /// Octets of a direction are missing, or are not opened.
    pub(super) const fn misses(&mut self, direction: Direction) {
        self.missed[direction.index()] = true;
    }

    /// When the stream inside wants to be woken.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.inside.as_ref().and_then(|inside| inside.wake)
    }

    /// Charges the budget with what is allocated now.
    pub(super) fn charge(&mut self, cx: &mut Context) {
        let gathered = self.gathered.iter().map(|one| one.octets.capacity());
        let inside = self.inside.as_ref();
        let now = allocated(size_of::<Self>())
            + gathered.sum::<usize>()
            + self.session.size()
            + inside.map_or(0, |inside| {
                let ends = inside.ends.iter().map(VecDeque::capacity);
                let ends = ends.map(|ends| allocated(ends * size_of::<(u64, u64)>()));
                allocated(size_of::<Inside<C>>()) + ends.sum::<usize>()
            });
        cx.budget.rebook(&mut self.charged, now);
    }

    /// A message of TLS begins: what becomes of it.
    pub(super) fn begin(
        &mut self,
        at: &mut Around<'_>,
        openers: &Openers,
        start: &MessageStart<'_>,
        source: ChunkOrigin,
        hand_over: bool,
    ) -> Seal {
        let (d, keys) = (at.direction, &openers.keys);
        self.session.listen(openers.listens);
        let side = &at.sides[d.index()];
        self.session
            .begins(d, side.from_start.then_some(side.origin));
        let place = RecordPlace {
            direction: d,
            offset: start.offset,
        };
        let opens = self.session.may_open(keys, place, start.head);
        let opens = opens.filter(|_| !keys.opens_nothing());
        if let Some(Err(why)) = opens {
            self.missed[d.index()] = true;
            *not_opened(&mut at.cx.counters.decrypted, why) += 1;
        }
        let gathered = &mut self.gathered[d.index()];
        gathered.octets.clear();
        gathered.offset = start.offset;
        gathered.protocol = Some(Name::of(start.protocol));
        (gathered.kind, gathered.extent) = (Some(start.kind), Some(start.extent));
        (gathered.first, gathered.last, gathered.hand_over) = (source, source, hand_over);
        self.charge(at.cx);
        match opens {
            Some(Ok(())) => Seal::Opened,
            // It is sealed, and says nothing.
            Some(Err(_)) => Seal::No,
            None => Seal::Heard,
        }
    }

    /// Octets of the message that is gathered.
    pub(super) fn gather(
        &mut self,
        at: &mut Around<'_>,
        piece: &Piece<'_>,
        (frame, time, interface): (u64, Timestamp, u32),
        seal: Seal,
    ) {
        let most = match self.session.listens() {
            true => GATHERED_CHAIN,
            false => GATHERED,
        };
        let gathered = &mut self.gathered[at.direction.index()];
        let room = match seal {
            // A record has no more.
            Seal::Opened => piece.data.len(),
            Seal::Heard | Seal::No => most.saturating_sub(gathered.octets.len()),
        };
        let octets = piece.data.get(..room).unwrap_or(piece.data);
        gathered.octets.extend_from_slice(octets);
        gathered.last = ChunkOrigin {
            time,
            frame,
            interface,
            ack: None,
        };
        self.charge(at.cx);
    }

    /// What has been gathered in a direction.
    pub(super) fn take(&mut self, direction: Direction) -> Gathered {
        std::mem::take(&mut self.gathered[direction.index()])
    }

    /// Puts back what was taken: its buffer is used again.
    pub(super) fn put_back(&mut self, direction: Direction, gathered: Gathered) {
        self.gathered[direction.index()] = gathered;
    }

    /// A message in clear is whole, and ends at this offset.
    pub(super) fn hear(&mut self, direction: Direction, gathered: &Gathered, end: u64) {
        let place = RecordPlace {
            direction,
            offset: gathered.offset,
        };
        self.session.hear(place, end, &gathered.octets);
    }

    /// As [`Session::take_said`].
    pub(super) fn take_said(&mut self) -> Vec<SaidMessage> {
        self.session.take_said()
    }

    /// As [`Session::take_heard`].
    pub(super) fn take_heard(&mut self) -> Option<Offer> {
        self.session.take_heard()
    }

    /// As [`Session::take_names`].
    pub(super) fn take_names(&mut self) -> impl Iterator<Item = (SessionName, Offer)> + use<C> {
        self.session.take_names()
    }

    /// Nobody knows how many octets are missing in this direction.
    pub(super) fn jump(&mut self, direction: Direction) {
        self.session.jumps(direction);
    }

    /// Records are opened from now on: true once.
    pub(super) fn begins_to_open(&mut self, keys: &KeyLog) -> bool {
        let begins = !self.told && self.session.has_secrets(keys);
        self.told |= begins;
        begins
    }

    /// Opens a record, which is whole; None, and counted, where it does not open.
    pub(super) fn open(
        &mut self,
        at: &mut Around<'_>,
        keys: &KeyLog,
        gathered: &mut Gathered,
    ) -> Option<Opened> {
        let place = RecordPlace {
            direction: at.direction,
            offset: gathered.offset,
        };
        let counters = &mut at.cx.counters.decrypted;
        let octets = &mut gathered.octets;
        match self.session.open(keys, place, octets, &mut counters.trials) {
            Ok(opened) => {
                counters.records += 1;
                counters.octets += octets.len() as u64;
                Some(opened)
            }
            Err(why) => {
                self.missed[place.direction.index()] = true;
                *not_opened(counters, why) += 1;
                None
            }
        }
    }

    /// What a record held goes to the stream inside.
    pub(super) fn deliver<S: StreamSink<State = C>>(
        &mut self,
        at: &mut Around<'_>,
        sink: &mut S,
        opened: &Opened,
        record: &Gathered,
    ) {
        let d = at.direction;
        self.missed[d.index()] = false;
        let content = record.octets.get(opened.content.clone());
        let content = content.filter(|_| opened.kind == APPLICATION_DATA);
        let content = content.unwrap_or_default();
        let end = record.offset + record.octets.len() as u64;
        if opened.lost.is_none() && content.is_empty() {
            if let Some(inside) = &mut self.inside {
                inside.note_end(d, end);
            }
            return;
        }
        let session = &self.session;
        let inside = self
            .inside
            .get_or_insert_with(|| Box::new(Inside::new(at, session)));
        let lost = &mut inside.lost[d.index()];
        *lost = match (*lost, opened.lost) {
            (Some(Lost::Octets(a)), Some(Lost::Octets(b))) => Some(Lost::Octets(a + b)),
            (None, lost) | (lost, None) => lost,
            _ => Some(Lost::Unknown),
        };
        if content.is_empty() {
            inside.note_end(d, end);
            return;
        }
        at.cx.counters.decrypted.content_octets += content.len() as u64;
        let side = &mut inside.sides[d.index()];
        let first = side.delivered == side.origin;
        if first {
            side.from_start = opened.lossless || at.sides[d.index()].from_start;
        }
        if first && (opened.lossless || !side.from_start) {
            // Nothing of it is missing, or its beginning, however long it was.
            inside.lost[d.index()] = None;
        }
        inside.around = [Direction::Forward, Direction::Reverse].map(|d| session.around(d));
        inside.gap(at, sink, record.offset);
        let acknowledged = at.sides[d.index()].acknowledged_to(end);
        let side = &mut inside.sides[d.index()];
        if acknowledged.is_some() {
            side.acknowledged = Some(side.delivered + content.len() as u64);
            side.acknowledged_at = acknowledged;
        }
        let ack = inside.acknowledges(d.flip(), record.first.ack);
        let chunk = Chunk {
            offset: inside.sides[d.index()].delivered,
            data: content,
            time: record.last.time,
            frame: record.last.frame,
            interface: record.last.interface,
            at: OctetOffset::Unknown,
            ack: Some(ack),
            push: content.len() < FULL,
            ends_segment: true,
            cut: false,
            sum: None,
            acknowledged,
        };
        inside.data(at, sink, chunk);
        inside.note_end(d, end);
    }

    /// A direction ends.
    pub(super) fn end<S: StreamSink<State = C>>(
        &mut self,
        at: &mut Around<'_>,
        sink: &mut S,
        close: Close,
    ) {
        if let Some(inside) = &mut self.inside {
            let d = at.direction.index();
            // What ends with the connection is not whole where nobody knows what stood ahead of its end.
            if self.missed[d] && matches!(close, Close::Fin | Close::Reset) {
                inside.lost[d] = Some(Lost::Unknown);
            }
            inside.gap(at, sink, 0);
            sink.end(&mut inside.within(at), close);
            inside.sides[at.direction.index()].ended = true;
        }
    }

    /// The connection has ended, and with it what it held.
    pub(super) fn closed<S: StreamSink<State = C>>(
        &mut self,
        at: &mut Around<'_>,
        sink: &mut S,
        close: Close,
    ) {
        if let Some(inside) = &mut self.inside {
            sink.closed(&mut inside.within(at), close);
        }
        at.cx.budget.give(self.charged);
    }

    /// The stream inside is woken, if its time has come.
    pub(super) fn woken<S: StreamSink<State = C>>(&mut self, at: &mut Around<'_>, sink: &mut S) {
        if let Some(inside) = &mut self.inside
            && inside.wake.is_some_and(|due| at.cx.now >= due)
        {
            sink.wake(&mut inside.within(at));
        }
    }
}

impl<C: Default> Inside<C> {
    fn new(at: &Around<'_>, session: &Session) -> Self {
        let ports = at.flow.ports(Direction::Forward);
        let client = session.client();
        let agreed = || session.alpn().and_then(alpn_port);
        let chosen = at.cx.limits.decrypted_port.or_else(agreed);
        let plain = |port| chosen.unwrap_or_else(|| plain_port(port));
        // Where nobody knows who the server is, it is the one whose port belongs to a protocol over TLS, or the lower one.
        let known = |port| plain_port(port) != port;
        let forward = client.map_or_else(
            || known(ports.1) || !known(ports.0) && ports.1 <= ports.0,
            |client| client == Direction::Forward,
        );
        let plain = match forward {
            true => (ports.0, plain(ports.1)),
            false => (plain(ports.0), ports.1),
        };
        Self {
            conversation: C::default(),
            flow: Flow {
                decrypted: Some(DecryptedPorts {
                    encrypted: ports,
                    clear: plain,
                }),
                ..*at.flow
            },
            sides: at.sides.map(|side| Side {
                seen: side.seen,
                base: Some(side.base.unwrap_or_default().add(APART)),
                origin: ORIGIN,
                delivered: ORIGIN,
                ..Side::default()
            }),
            wake: None,
            lost: [None; 2],
            ends: [Direction::Forward, Direction::Reverse].map(|d| {
                let before = session.reached(d).map(|end| (end, ORIGIN));
                before.into_iter().collect()
            }),
            around: [0; 2],
        }
    }

    /// A record of this direction ends at this offset, and what it held has been delivered.
    fn note_end(&mut self, direction: Direction, end: u64) {
        let d = direction.index();
        let ends = &mut self.ends[d];
        if ends.len() == ENDS {
            ends.pop_front();
        }
        ends.push_back((end, self.sides[d].delivered));
    }

    /// How far the stream inside of this direction is acknowledged, whose records are to this offset. Behind the last record that was
    /// opened another one is supposed.
    fn acknowledges(&self, direction: Direction, ack: Option<u64>) -> u64 {
        let d = direction.index();
        let (ends, delivered) = (&self.ends[d], self.sides[d].delivered);
        let (Some(ack), Some((_, least))) = (ack, ends.front().copied()) else {
            return delivered;
        };
        match ends.iter().rposition(|(end, _)| *end <= ack) {
            None => least,
            Some(at) => {
                let (end, inside) = ends.get(at).copied().unwrap_or((ack, delivered));
                match at + 1 < ends.len() {
                    true => inside,
                    false => inside + (ack - end).saturating_sub(self.around[d]),
                }
            }
        }
    }

    /// The same place in the stream inside.
    fn within<'a>(&'a mut self, at: &'a mut Around<'_>) -> StreamContext<'a, C> {
        StreamContext {
            cx: at.cx,
            flow: &self.flow,
            sides: &self.sides,
            direction: at.direction,
            opened: at.opened,
            wake: &mut self.wake,
            state: &mut self.conversation,
        }
    }

    fn data<S: StreamSink<State = C>>(
        &mut self,
        at: &mut Around<'_>,
        sink: &mut S,
        chunk: Chunk<'_>,
    ) {
        let (d, o) = (at.direction.index(), at.direction.flip().index());
        let mut left = chunk;
        while let Taken::Wait { taken, .. } = sink.data(&mut self.within(at), left) {
            // Both directions come in the order in which they were captured: nothing that is waited for comes any more.
            left.offset += taken as u64;
            left.data = &left.data[taken..];
            if left.data.is_empty() || std::mem::replace(&mut self.sides[o].absent, true) {
                break;
            }
        }
        self.sides[o].absent = false;
        self.sides[d].delivered = chunk.offset + chunk.data.len() as u64;
    }

    /// What is missing before the next octets, whose record begins at this offset.
    fn gap<S: StreamSink<State = C>>(&mut self, at: &mut Around<'_>, sink: &mut S, offset: u64) {
        let d = at.direction.index();
        let Some(lost) = self.lost[d].take() else {
            return;
        };
        let gap = Gap {
            offset: self.sides[d].delivered,
            len: match lost {
                Lost::Octets(0) => return,
                Lost::Octets(octets) => Some(octets),
                Lost::Unknown => None,
            },
            cause: GapCause::Acked,
            push: false,
        };
        sink.gap(&mut self.within(at), gap);
        let behind = match gap.len {
            Some(len) => gap.offset + len,
            // Where nobody knows it, what follows stands where acknowledgments of the missing octets end, and nowhere else.
            None => self
                .acknowledges(at.direction, Some(offset))
                .max(gap.offset),
        };
        let side = &mut self.sides[d];
        side.delivered = behind;
        if gap.len.is_none() {
            // That is no length: who counts from the first octet finds what follows at once.
            side.origin += behind - gap.offset;
        }
    }
}

/// What counts records that are not opened for this reason.
fn not_opened(counters: &mut DecryptedCounters, why: NotOpened) -> &mut u64 {
    match why {
        NotOpened::NoKey => &mut counters.no_key,
        NotOpened::NoHello => &mut counters.no_hello,
        NotOpened::Suite => &mut counters.unknown_suite,
        NotOpened::NoBlock => &mut counters.no_block,
        NotOpened::NoFit => &mut counters.no_fit,
    }
}
