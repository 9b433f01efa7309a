//! SCTP: from packets to user messages (RFC 9260, 8260, 3758, 6525).
//!
//! An association is known by its verification tags and ports; packets are found by addresses and ports first, as
//! nearly all of them are on a path that was seen before.
//!
//! ```text
//!   packet ─> checksum ─> association, direction ─> chunks ─┬─ data ──> reassembly of its own direction ─> messages
//!             (CRC32c)    (path, then tag and ports)        └─ SACK ──> holes of the other direction
//! ```
//!
//! Whoever drives it calls [`Sctp::packet`] with each datagram, [`Sctp::tick`] behind each packet of any kind,
//! [`Sctp::relieve`] as long as the budget is exceeded, and [`Sctp::flush`] at the end.

mod chunk;
pub mod ppid;
mod reassembly;
pub mod sink;
pub mod stats;
mod table;
#[cfg(test)]
mod tests;

pub use sink::{AssociationContext, Missing, UserMessage, UserMessageSink};

use crate::config::{Channels, Checksums};
use crate::context::Context;
use crate::ip::Datagram;
use crate::link::{Channel, LinkHeader};
use crate::stats::Discard;
use crate::storage::Deadlines;
use crate::time::Instant;
use crate::transport::flow::{Direction, Flow, FlowKey, Transport};
use crate::transport::stream::{Close, FlowState, GapCause};
use chunk::{Chunk, Chunks, HEADER_LEN, Header, Init, Reconfig, kind};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use reassembly::{Fate, Inflow, Origin, Out};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stats::{LinkStats, NAMES, Values, place};
use std::collections::BinaryHeap;
use std::mem::size_of;
use std::net::IpAddr;
use std::time::Duration;
use table::{Standing, Table};

/// How long an association that has ended is remembered, so that stray packets open nothing.
const LINGER: Duration = Duration::from_secs(30);
/// Idle for so long, an association goes before others when memory is short.
const IDLE: Duration = Duration::from_secs(60);
/// Pairs of addresses of one association.
const MAX_PATHS: usize = 64;
/// Addresses of one side.
const MAX_ADDRESSES: usize = 16;
/// Packets that wait until it is certain which association they belong to, for each association.
const MAX_HELD: usize = 4;

const FORWARD: Direction = Direction::Forward;
const REVERSE: Direction = Direction::Reverse;

/// Which association, and which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    index: u32,
    direction: Direction,
}

/// A verification tag and the ports of the packets that carry it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct TagKey {
    tag: u32,
    src_port: u16,
    dst_port: u16,
    channel: Channel,
}

/// How far an association is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Phase {
    /// INIT or INIT ACK was seen, and nothing behind the handshake.
    HalfOpen,
    Open,
    /// It has ended; what was captured a little out of order is still taken.
    Closing {
        close: Close,
        at: Instant,
        packets: u64,
    },
    /// All is told; the key is remembered.
    Closed {
        at: Instant,
    },
}

/// One side's packets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Side {
    /// Verification tag of these packets.
    tag: Option<u32>,
    /// A packet with this tag was seen.
    confirmed: bool,
    seen: bool,
    /// A right checksum was seen.
    good_sum: bool,
    /// The receiver of these packets takes a checksum of zero (RFC 9653).
    zero_allowed: bool,
    /// SACKs are among these packets.
    sacks: bool,
    addresses: Vec<IpAddr>,
    inflow: Inflow,
}

/// A packet that waits until it is certain which association it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    direction: Direction,
    /// What is behind the common header.
    chunks: Vec<u8>,
    cut: bool,
    origin: Origin,
    link: LinkHeader,
}

/// Another association on the path of this one, not yet certain: a restart or a new one whose handshake goes on, or
/// packets with a tag that is not this one's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Candidate {
    /// Its first packet came in the reverse direction of the association that it competes with.
    reversed: bool,
    tags: [Option<u32>; 2],
    tsns: [Option<u32>; 2],
    handshake: bool,
    held: Vec<Held>,
    octets: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Association<T: FlowState> {
    flow: Flow,
    state: T,
    sides: [Side; 2],
    phase: Phase,
    packets: u64,
    last: Instant,
    channel: Channel,
    /// Pairs of addresses by which it is found, and whether the lower one is the forward side.
    paths: Vec<(FlowKey, bool)>,
    candidate: Option<Box<Candidate>>,
    /// What the table of deadlines knows.
    armed: Option<Instant>,
    /// What the heap of weights knows.
    weight: u8,
    /// Serial number of the last answer to a reset of TSNs, so that a repeated one is known.
    answered: Option<u32>,
    /// What the budget has been told of the lists in here.
    charged: usize,
    stats: Option<Box<[Values; 2]>>,
    multihomed: bool,
}

/// What a packet's checksum says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sum {
    Right,
    /// Zero, not computed, or not computable.
    Unknown,
    Zero,
    Wrong,
}

/// One packet behind its common header.
#[derive(Clone, Copy)]
struct Packet<'a> {
    chunks: &'a [u8],
    cut: bool,
    origin: Origin,
    link: LinkHeader,
}

/// A packet as it arrives.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    packet: Packet<'a>,
    header: Header,
    first: Chunk<'a>,
    sum: Sum,
    key: FlowKey,
    src_is_low: bool,
    channel: Channel,
}

impl<T: FlowState> Association<T> {
    /// Runs something on one direction.
    fn with<S: UserMessageSink<State = T>, R>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        direction: Direction,
        f: impl FnOnce(&mut Inflow, &mut Out<'_, S>) -> R,
    ) -> R {
        let [a, b] = &mut self.sides;
        let tags = [a.tag, b.tag];
        let (side, other) = match direction {
            Direction::Forward => (a, b),
            Direction::Reverse => (b, a),
        };
        let mut out = Out {
            cx,
            flow: &self.flow,
            tags,
            state: &mut self.state,
            sink,
            direction,
            packets: self.packets,
            sacks: other.sacks,
        };
        f(&mut side.inflow, &mut out)
    }

    const fn side(&self, direction: Direction) -> &Side {
        let [a, b] = &self.sides;
        match direction {
            Direction::Forward => a,
            Direction::Reverse => b,
        }
    }

    const fn side_mut(&mut self, direction: Direction) -> &mut Side {
        let [a, b] = &mut self.sides;
        match direction {
            Direction::Forward => a,
            Direction::Reverse => b,
        }
    }

    const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    const fn standing(&self) -> Standing {
        match self.phase {
            Phase::HalfOpen => Standing::HalfOpen,
            _ => Standing::Open,
        }
    }

    fn count(&mut self, direction: Direction, place: usize, n: u64) {
        if let Some(s) = &mut self.stats
            && let Some(v) = s.get_mut(direction.index()).and_then(|v| v.get_mut(place))
        {
            *v += n;
        }
    }

    /// Octets that wait in it.
    const fn waiting(&self) -> usize {
        let [a, b] = &self.sides;
        a.inflow.waiting_octets() + b.inflow.waiting_octets()
    }
}

/// All associations. Plain data: it can be written out at any time and goes on from there.
#[derive(Clone, Debug)]
pub struct Sctp<T: FlowState> {
    table: Table<Association<T>>,
    paths: HashMap<FlowKey, Place, RandomState>,
    tags: HashMap<TagKey, Place, RandomState>,
    deadlines: Deadlines,
    /// Associations by how much waits in them: power of two of the octets, index, generation.
    weights: BinaryHeap<(u8, u32, u32)>,
    /// Chunks that wait in all of them.
    active: usize,
    number: u64,
    collect: bool,
    /// Statistics of associations that are gone.
    gone: Vec<LinkStats>,
    /// What the budget has been told of the tables.
    charged: usize,
}

impl<T: FlowState> Default for Sctp<T> {
    fn default() -> Self {
        Self {
            table: Table::default(),
            paths: HashMap::default(),
            tags: HashMap::default(),
            deadlines: Deadlines::default(),
            weights: BinaryHeap::new(),
            active: 0,
            number: 0,
            collect: false,
            gone: Vec::new(),
            charged: 0,
        }
    }
}

/// What is written out of [`Sctp`]: the rest follows from it.
#[derive(Serialize, Deserialize)]
#[serde(bound(
    serialize = "R: Serialize, D: Serialize, W: Serialize, G: Serialize",
    deserialize = "R: Deserialize<'de>, D: Deserialize<'de>, W: Deserialize<'de>, G: Deserialize<'de>"
))]
struct Stored<R, D, W, G> {
    table: R,
    deadlines: D,
    weights: W,
    gone: G,
    active: usize,
    number: u64,
    collect: bool,
    charged: usize,
}

/// The same, as it is read back.
type StoredHere<T> =
    Stored<Table<Association<T>>, Deadlines, BinaryHeap<(u8, u32, u32)>, Vec<LinkStats>>;

impl<T: FlowState> Serialize for Sctp<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Stored {
            table: &self.table,
            deadlines: &self.deadlines,
            weights: &self.weights,
            gone: &self.gone,
            active: self.active,
            number: self.number,
            collect: self.collect,
            charged: self.charged,
        }
        .serialize(to)
    }
}

impl<'de, T: FlowState> Deserialize<'de> for Sctp<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let s: StoredHere<T> = Stored::deserialize(from)?;
        let mut sctp = Self {
            table: s.table,
            deadlines: s.deadlines,
            weights: s.weights,
            active: s.active,
            number: s.number,
            collect: s.collect,
            gone: s.gone,
            charged: s.charged,
            ..Self::default()
        };
        // The newest association of a path or tag is the one that it leads to.
        for index in sctp.by_number() {
            if let Some(a) = sctp.table.get(index) {
                for (key, low_forward) in &a.paths {
                    let direction = if *low_forward { FORWARD } else { REVERSE };
                    sctp.paths.insert(*key, Place { index, direction });
                }
                for direction in [FORWARD, REVERSE] {
                    if let Some(key) = tag_key(a, direction) {
                        sctp.tags.insert(key, Place { index, direction });
                    }
                }
            }
        }
        Ok(sctp)
    }
}

/// The key of the packets of one direction; None where their tag is not known or names nothing.
fn tag_key<T: FlowState>(a: &Association<T>, direction: Direction) -> Option<TagKey> {
    Some(TagKey {
        tag: a.side(direction).tag.filter(|t| *t != 0)?,
        src_port: a.flow.src(direction).port(),
        dst_port: a.flow.dst(direction).port(),
        channel: a.flow.channel(),
    })
}

impl<T: FlowState> Sctp<T> {
    /// Counts the statistics of [`stats`] from now on.
    pub fn collect_stats(&mut self) {
        self.collect = true;
    }

    /// The statistics since the last call, by link, in the order of the associations.
    pub fn take_stats(&mut self, cx: &mut Context) -> Vec<LinkStats> {
        let mut rows = std::mem::take(&mut self.gone);
        for index in self.by_number() {
            if let Some(a) = self.table.get_mut(index) {
                stats_rows(a, &mut rows);
            }
        }
        rows.sort_by_key(|r| r.association);
        self.settle(cx);
        rows
    }

    /// Associations that are remembered.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// None is remembered.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Takes one SCTP packet; [`Context::packet`] says which.
    pub fn packet<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        datagram: &Datagram<'_>,
        sink: &mut S,
    ) {
        cx.counters.sctp.packets += 1;
        cx.counters.sctp.octets += datagram.payload_len as u64;
        let Some(header) = Header::parse(datagram.payload) else {
            return cx.discard(Discard::SctpTruncated);
        };
        let chunks = datagram.payload.get(HEADER_LEN..).unwrap_or_default();
        let cut = datagram.is_cut();
        let first = Chunks::new(chunks, cut).next();
        let (Some(first), true) = (first, header.src_port != 0 && header.dst_port != 0) else {
            return cx.discard(Discard::SctpBadHeader);
        };
        let (src, dst) = (datagram.src, datagram.dst);
        let channel = datagram.channel.keyed(cx.limits.channels);
        let (key, src_is_low) =
            FlowKey::new((src, header.src_port), (dst, header.dst_port), channel);
        let arrival = Arrival {
            packet: Packet {
                chunks,
                cut,
                origin: Origin {
                    frame: cx.packet.frame,
                    time: cx.packet.time,
                    src,
                    dst,
                    tag: header.tag,
                },
                link: cx.packet.link,
            },
            header,
            first,
            sum: check(cx, datagram, &header),
            key,
            src_is_low,
            channel: datagram.channel,
        };
        self.route(cx, sink, &arrival, channel);
        while self.active > cx.limits.active_packets && self.shed(cx, sink) {}
        self.settle(cx);
    }

    /// Does what is due by the age clock; to be called behind each packet of the capture.
    pub fn tick<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S) {
        while let Some((at, index, generation)) = self.deadlines.pop_due(cx.now) {
            if self.table.generation(index) == Some(generation)
                && let Some(a) = self.table.get_mut(index)
                && a.armed == Some(at)
            {
                a.armed = None;
                self.poll(cx, sink, index);
            }
        }
        for list in [Standing::HalfOpen, Standing::Open] {
            while let Some(index) = self.table.oldest(list) {
                let last = self.table.get(index).map_or(cx.now, |a| a.last);
                if cx.now.since(last) < cx.limits.session_timeout {
                    break;
                }
                self.close(cx, sink, index, Close::Idle);
                self.remove(cx, index);
            }
        }
        self.settle(cx);
    }

    /// Tells all that waits and ends every association, in the order of their numbers: the end of the input.
    pub fn flush<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S) {
        for index in self.by_number() {
            self.close(cx, sink, index, Close::EndOfInput);
            self.remove(cx, index);
        }
        self.table = Table::default();
        self.paths = HashMap::default();
        self.tags = HashMap::default();
        self.deadlines = Deadlines::default();
        self.weights = BinaryHeap::new();
        self.settle(cx);
    }

    /// Makes room when the budget is exceeded: a half-open association, or the one idle longest where it is idle at
    /// all. False where there is none.
    pub fn relieve_idle<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
    ) -> bool {
        let half_open = self.table.oldest(Standing::HalfOpen);
        let idle = self.table.oldest(Standing::Open).filter(|i| {
            let last = self.table.get(*i).map(|a| a.last);
            last.is_some_and(|at| cx.now.since(at) >= IDLE)
        });
        let Some(index) = half_open.or(idle) else {
            return false;
        };
        self.evict(cx, sink, index);
        self.settle(cx);
        true
    }

    /// Makes room when the budget is exceeded: half-open associations first, then those idle longest, then the one with
    /// most octets behind a hole. False where there is nothing left.
    pub fn relieve<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
    ) -> bool {
        if self.relieve_idle(cx, sink) {
            return true;
        }
        if !self.shed(cx, sink) {
            let Some(index) = self.table.oldest(Standing::Open) else {
                return false;
            };
            self.evict(cx, sink, index);
        }
        self.settle(cx);
        true
    }

    fn evict<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S, index: u32) {
        self.close(cx, sink, index, Close::Evicted);
        self.remove(cx, index);
    }

    /// Gives up something of the association in which most waits.
    fn shed<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S) -> bool {
        while let Some((weight, index, generation)) = self.weights.pop() {
            if self.table.generation(index) != Some(generation) {
                continue;
            }
            let Some(a) = self.table.get_mut(index) else {
                continue;
            };
            a.weight = 0;
            if weigh(a.waiting()) < weight {
                // It has become lighter since.
                self.poll(cx, sink, index);
                continue;
            }
            let [forward, reverse] = &a.sides;
            let heavier = forward.inflow.waiting_octets() >= reverse.inflow.waiting_octets();
            let direction = if heavier { FORWARD } else { REVERSE };
            let before = a.waiting();
            a.with(cx, sink, direction, |inflow, out| {
                if !inflow.first_hole(out, GapCause::Memory) {
                    inflow.finish(out, GapCause::Memory);
                }
            });
            self.poll(cx, sink, index);
            let after = self.table.get(index).map_or(0, Association::waiting);
            if after < before {
                return true;
            }
        }
        false
    }

    /// Indexes of the associations in the order of their numbers.
    fn by_number(&self) -> Vec<u32> {
        let mut all: Vec<(u64, u32)> = self
            .table
            .indexes()
            .filter_map(|i| Some((self.table.get(i)?.flow.number, i)))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, i)| i).collect()
    }

    /// Finds the association of a packet, or makes it.
    fn route<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        arrival: &Arrival<'_>,
        channel: Channel,
    ) {
        let first = &arrival.first;
        let on_path = self.paths.get(&arrival.key).map(|p| Place {
            index: p.index,
            direction: if arrival.src_is_low {
                p.direction
            } else {
                p.direction.flip()
            },
        });
        let on_path = on_path.map(|p| self.of_tag(p, arrival));
        let found = on_path.filter(|p| self.has_tag(*p, arrival)).or_else(|| {
            if first.kind == kind::INIT || arrival.header.tag == 0 {
                return None;
            }
            let reflected = is_reflected(first);
            let (src_port, dst_port) = (arrival.header.src_port, arrival.header.dst_port);
            let (src_port, dst_port) = if reflected {
                (dst_port, src_port)
            } else {
                (src_port, dst_port)
            };
            let p = self.tags.get(&TagKey {
                tag: arrival.header.tag,
                src_port,
                dst_port,
                channel,
            })?;
            Some(if reflected { turned(*p) } else { *p })
        });
        if let Some(p) = found {
            if self.may_pass(cx, p, arrival) {
                self.add_path(cx, p, arrival.key, arrival.src_is_low);
                self.process(cx, sink, p, &arrival.packet);
            }
        } else if let Some(p) = on_path {
            self.other_tag(cx, sink, p, arrival);
        } else {
            self.open(cx, sink, arrival);
        }
    }

    /// Where both ends of a path are the same address and port, only the tag tells the direction.
    fn of_tag(&self, p: Place, arrival: &Arrival<'_>) -> Place {
        let o = &arrival.packet.origin;
        if o.src != o.dst || arrival.header.src_port != arrival.header.dst_port {
            return p;
        }
        if !self.has_tag(p, arrival) && self.has_tag(turned(p), arrival) {
            return turned(p);
        }
        p
    }

    /// The packet carries the tag of this direction, or reflects that of the other.
    fn has_tag(&self, p: Place, arrival: &Arrival<'_>) -> bool {
        if arrival.first.kind == kind::INIT {
            return false;
        }
        let direction = if is_reflected(&arrival.first) {
            p.direction.flip()
        } else {
            p.direction
        };
        let tag = self.table.get(p.index).and_then(|a| a.side(direction).tag);
        tag == Some(arrival.header.tag)
    }

    /// Looks at phase, channel and checksum of a packet whose association is known.
    fn may_pass(&mut self, cx: &mut Context, p: Place, arrival: &Arrival<'_>) -> bool {
        let Some(a) = self.table.get_mut(p.index).filter(|a| !a.is_closed()) else {
            cx.discard(Discard::SctpStray);
            return false;
        };
        if cx.limits.channels == Channels::First && a.channel != arrival.channel {
            cx.discard(Discard::SctpOtherChannel);
            return false;
        }
        let verify = cx.limits.sctp_checksums == Checksums::Verify;
        let side = a.side_mut(p.direction);
        match arrival.sum {
            Sum::Right => side.good_sum = true,
            Sum::Zero if verify && !side.zero_allowed => {
                cx.discard(Discard::SctpBadChecksum);
                return false;
            }
            Sum::Wrong if verify => {
                cx.discard(Discard::SctpBadChecksum);
                return false;
            }
            Sum::Wrong if side.good_sum => {
                let packet = &arrival.packet;
                let data = Chunks::new(packet.chunks, packet.cut)
                    .filter(|c| matches!(c.kind, kind::DATA | kind::I_DATA))
                    .filter_map(|c| c.data());
                for d in data {
                    cx.counters.sctp.damaged_chunks += 1;
                    side.inflow.damaged(&d, packet.origin);
                }
                side.inflow.settle(cx, &mut self.active);
                cx.discard(Discard::SctpDamaged);
                return false;
            }
            Sum::Unknown | Sum::Zero | Sum::Wrong => {}
        }
        true
    }

    /// A packet on addresses and ports that nothing is known of.
    fn open<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        arrival: &Arrival<'_>,
    ) {
        let verify = cx.limits.sctp_checksums == Checksums::Verify;
        let kind = arrival.first.kind;
        if verify && matches!(arrival.sum, Sum::Wrong | Sum::Zero) {
            return cx.discard(Discard::SctpBadChecksum);
        }
        if !opens(kind) || (kind == kind::INIT && arrival.header.tag != 0) {
            return cx.discard(Discard::SctpStray);
        }
        let Some(p) = self.create(cx, sink, arrival, FORWARD) else {
            return cx.discard(Discard::SctpStray);
        };
        if !matches!(kind, kind::INIT | kind::INIT_ACK) {
            cx.counters.sctp.midstream += 1;
        }
        self.process(cx, sink, p, &arrival.packet);
    }

    /// A packet on the path of an association whose tag is not known to be its own.
    fn other_tag<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        p: Place,
        arrival: &Arrival<'_>,
    ) {
        let Some(a) = self.table.get_mut(p.index) else {
            return cx.discard(Discard::SctpStray);
        };
        let (d, other) = (p.direction, p.direction.flip());
        let tag = arrival.header.tag;
        let first = &arrival.first;
        let init = match first.kind {
            kind::INIT | kind::INIT_ACK => first.init(),
            _ => None,
        };
        let verify = cx.limits.sctp_checksums == Checksums::Verify;
        let bad = match arrival.sum {
            Sum::Wrong => verify || a.side(d).good_sum,
            Sum::Zero => verify && !a.side(d).zero_allowed,
            Sum::Right | Sum::Unknown => false,
        };
        if bad {
            return cx.discard(Discard::SctpBadChecksum);
        }
        if a.is_closed() {
            return if opens(first.kind) {
                self.open(cx, sink, arrival)
            } else {
                cx.discard(Discard::SctpStray)
            };
        }
        if first.kind == kind::INIT {
            let Some(init) = init.filter(|_| tag == 0) else {
                return cx.discard(Discard::SctpBadTag);
            };
            // A repeated INIT; one that crosses the other side's (RFC 9260, 5.2.1); a new attempt while nothing else
            // has been heard; or one that was captured behind the packets which follow it.
            let known = a.side(other).tag;
            if known.is_none() || known == Some(init.tag) || a.phase == Phase::HalfOpen {
                return self.process(cx, sink, p, &arrival.packet);
            }
            if !matches!(a.phase, Phase::Open) {
                return self.open(cx, sink, arrival);
            }
            let same = a
                .candidate
                .as_ref()
                .is_some_and(|c| c.tags.get(other.index()) == Some(&Some(init.tag)));
            if !same {
                self.drop_candidate(cx, p.index);
                let mut c = Candidate {
                    reversed: d == REVERSE,
                    handshake: true,
                    ..Candidate::default()
                };
                put(&mut c.tags, other, init.tag);
                put(&mut c.tsns, d, init.tsn);
                self.set_candidate(cx, p.index, c);
            }
            cx.counters.sctp.passed += 1;
            cx.counters.sctp.init += 1;
            return;
        }
        let from_candidate = a.candidate.as_ref().map(|c| c.tags);
        let from_candidate = from_candidate.and_then(|t| t.get(d.index()).copied().flatten());
        if let Some(init) = init {
            if a.side(d).tag.is_none() || (a.phase == Phase::HalfOpen && tag == 0) {
                return self.process(cx, sink, p, &arrival.packet);
            }
            if from_candidate != Some(tag) {
                self.drop_candidate(cx, p.index);
                let mut c = Candidate {
                    reversed: d == FORWARD,
                    handshake: true,
                    ..Candidate::default()
                };
                put(&mut c.tags, d, tag);
                self.set_candidate(cx, p.index, c);
            }
            if let Some(c) = self
                .table
                .get_mut(p.index)
                .and_then(|a| a.candidate.as_mut())
            {
                put(&mut c.tags, other, init.tag);
                put(&mut c.tsns, d, init.tsn);
            }
            cx.counters.sctp.passed += 1;
            cx.counters.sctp.init_ack += 1;
            return;
        }
        if from_candidate == Some(tag) {
            if first.kind == kind::COOKIE_ECHO {
                return self.hold(cx, p, &arrival.packet);
            }
            return self.promote(cx, sink, p, arrival);
        }
        if from_candidate.is_none() && opens(first.kind) {
            // A strange tag in the other direction as well: somebody answers.
            if let Some(c) = a.candidate.as_mut().filter(|c| !c.handshake) {
                put(&mut c.tags, d, tag);
                return self.promote(cx, sink, p, arrival);
            }
        }
        let side = a.side(d);
        if side.tag.is_none() || (tag == 0 && !side.confirmed && !is_reflected(first)) {
            // The first packet of this direction in an association captured from the middle, or one of a sender that
            // does not care for tags.
            return self.process(cx, sink, p, &arrival.packet);
        }
        if !opens(first.kind) || a.candidate.as_ref().is_some_and(|c| c.handshake) {
            return cx.discard(Discard::SctpBadTag);
        }
        // A second packet with this tag will tell that there is another association, whose handshake was lost.
        self.drop_candidate(cx, p.index);
        let mut c = Candidate {
            reversed: d == REVERSE,
            ..Candidate::default()
        };
        put(&mut c.tags, d, tag);
        self.set_candidate(cx, p.index, c);
        self.hold(cx, p, &arrival.packet);
    }

    /// Keeps a packet for the association's candidate.
    fn hold(&mut self, cx: &mut Context, p: Place, packet: &Packet<'_>) {
        let candidate = self
            .table
            .get_mut(p.index)
            .and_then(|a| a.candidate.as_mut());
        let Some(c) = candidate.filter(|c| c.held.len() < MAX_HELD) else {
            return cx.discard(Discard::SctpBadTag);
        };
        let octets = size_of::<Held>() + packet.chunks.len();
        c.octets += octets;
        cx.budget.take(octets);
        cx.counters.sctp.held_packets += 1;
        c.held.push(Held {
            direction: p.direction,
            chunks: packet.chunks.to_vec(),
            cut: packet.cut,
            origin: packet.origin,
            link: packet.link,
        });
    }

    fn set_candidate(&mut self, cx: &mut Context, index: u32, mut c: Candidate) {
        if let Some(a) = self.table.get_mut(index) {
            c.octets = size_of::<Candidate>();
            cx.budget.take(c.octets);
            a.candidate = Some(Box::new(c));
        }
    }

    fn drop_candidate(&mut self, cx: &mut Context, index: u32) {
        let candidate = self.table.get_mut(index).and_then(|a| a.candidate.take());
        if let Some(c) = candidate {
            cx.budget.give(c.octets);
            for _ in &c.held {
                cx.counters.sctp.held_packets -= 1;
                cx.discard(Discard::SctpBadTag);
            }
        }
    }

    /// The candidate of an association is an association of its own.
    fn promote<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        p: Place,
        arrival: &Arrival<'_>,
    ) {
        let candidate = self.table.get_mut(p.index).and_then(|a| a.candidate.take());
        let Some(c) = candidate else {
            return cx.discard(Discard::SctpBadTag);
        };
        cx.budget.give(c.octets);
        let same = (p.direction == REVERSE) == c.reversed;
        let direction = if same { FORWARD } else { REVERSE };
        let zero_allowed = self.table.get(p.index).map(|a| {
            let sides = &a.sides;
            [sides[0].zero_allowed, sides[1].zero_allowed]
        });
        if c.handshake {
            cx.counters.sctp.restarts += 1;
            self.close(cx, sink, p.index, Close::Replaced);
            self.remove(cx, p.index);
        }
        let Some(new) = self.create(cx, sink, arrival, direction) else {
            for _ in &c.held {
                cx.counters.sctp.held_packets -= 1;
                cx.discard(Discard::SctpStray);
            }
            return cx.discard(Discard::SctpStray);
        };
        if !c.handshake {
            cx.counters.sctp.midstream += 1;
        }
        let turn = |d: Direction| if c.reversed { d.flip() } else { d };
        for old in [FORWARD, REVERSE] {
            let place = Place {
                index: new.index,
                direction: turn(old),
            };
            if let Some(tag) = c.tags.get(old.index()).copied().flatten() {
                self.set_tag(place, tag);
            }
            if let Some(a) = self.table.get_mut(new.index) {
                if let (Some(z), true) = (zero_allowed, c.handshake) {
                    a.side_mut(place.direction).zero_allowed =
                        z.get(old.index()).copied().unwrap_or(false);
                }
                if let Some(tsn) = c.tsns.get(old.index()).copied().flatten() {
                    a.with(cx, sink, place.direction, |i, out| i.begin(out, tsn));
                }
            }
        }
        for held in &c.held {
            cx.counters.sctp.held_packets -= 1;
            let packet = Packet {
                chunks: &held.chunks,
                cut: held.cut,
                origin: held.origin,
                link: held.link,
            };
            let place = Place {
                index: new.index,
                direction: turn(held.direction),
            };
            self.process(cx, sink, place, &packet);
        }
        self.process(cx, sink, new, &arrival.packet);
    }

    /// Makes an association of which `arrival` is a packet in the given direction.
    fn create<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        arrival: &Arrival<'_>,
        direction: Direction,
    ) -> Option<Place> {
        while self.table.len() >= cx.limits.connections.max(1) {
            let oldest = self.table.oldest(Standing::HalfOpen);
            let index = oldest.or_else(|| self.table.oldest(Standing::Open))?;
            self.evict(cx, sink, index);
        }
        let reused = self.paths.contains_key(&arrival.key);
        let mut sides = [Side::default(), Side::default()];
        let origin = &arrival.packet.origin;
        let [forward, reverse] = &mut sides;
        let (from, to) = match direction {
            Direction::Forward => (forward, reverse),
            Direction::Reverse => (reverse, forward),
        };
        from.addresses.push(origin.src);
        to.addresses.push(origin.dst);
        from.good_sum = arrival.sum == Sum::Right;
        let forward_is_low = (direction == FORWARD) == arrival.src_is_low;
        let association = Association {
            flow: Flow {
                transport: Transport::Sctp,
                number: self.number,
                key: arrival.key,
                forward_is_low,
                reused,
                links: [arrival.packet.link; 2],
            },
            state: T::default(),
            sides,
            phase: Phase::HalfOpen,
            packets: 0,
            last: cx.now,
            channel: arrival.channel,
            paths: vec![(arrival.key, forward_is_low)],
            candidate: None,
            armed: None,
            weight: 0,
            answered: None,
            charged: 0,
            stats: self.collect.then(|| Box::new([[0; NAMES.len()]; 2])),
            multihomed: false,
        };
        let index = self.table.insert(association, Standing::HalfOpen)?;
        self.number += 1;
        cx.counters.sctp.associations += 1;
        cx.counters.sctp.reused_ports += u64::from(reused);
        let low = if forward_is_low { FORWARD } else { REVERSE };
        self.paths.insert(
            arrival.key,
            Place {
                index,
                direction: low,
            },
        );
        Some(Place { index, direction })
    }

    /// Notes the tag of the packets of one direction.
    fn set_tag(&mut self, p: Place, tag: u32) {
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        if a.side(p.direction).tag == Some(tag) {
            return;
        }
        if let Some(old) = tag_key(a, p.direction)
            && self.tags.get(&old) == Some(&p)
        {
            self.tags.remove(&old);
        }
        a.side_mut(p.direction).tag = Some(tag);
        if let Some(key) = tag_key(a, p.direction) {
            self.tags.insert(key, p);
        }
    }

    /// Notes a pair of addresses of an association, if it is new and belongs to no other.
    fn add_path(&mut self, cx: &mut Context, p: Place, key: FlowKey, src_is_low: bool) {
        let taken = self.paths.get(&key).map(|q| q.index);
        if taken == Some(p.index) {
            return;
        }
        if taken
            .and_then(|i| self.table.get(i))
            .is_some_and(|a| !a.is_closed())
        {
            return;
        }
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        if a.paths.len() >= MAX_PATHS {
            return;
        }
        let forward_is_low = (p.direction == FORWARD) == src_is_low;
        a.paths.push((key, forward_is_low));
        if !a.multihomed {
            a.multihomed = true;
            cx.counters.sctp.multihomed += 1;
        }
        let low = if forward_is_low { FORWARD } else { REVERSE };
        self.paths.insert(
            key,
            Place {
                index: p.index,
                direction: low,
            },
        );
    }

    /// Notes addresses that one side names as its own.
    fn add_addresses(
        &mut self,
        cx: &mut Context,
        p: Place,
        addresses: impl Iterator<Item = IpAddr>,
    ) {
        for address in addresses {
            let Some(a) = self.table.get_mut(p.index) else {
                return;
            };
            let own = &mut a.side_mut(p.direction).addresses;
            if own.contains(&address) || own.len() >= MAX_ADDRESSES || address.is_unspecified() {
                continue;
            }
            own.push(address);
            let port = a.flow.src(p.direction).port();
            let peer = a.flow.dst(p.direction).port();
            let channel = a.flow.channel();
            for other in a.side(p.direction.flip()).addresses.clone() {
                if address.is_ipv4() == other.is_ipv4() {
                    let (key, low) = FlowKey::new((address, port), (other, peer), channel);
                    self.add_path(cx, p, key, low);
                }
            }
        }
    }

    /// Takes a packet that belongs to an association, chunk by chunk.
    fn process<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        p: Place,
        packet: &Packet<'_>,
    ) {
        let d = p.direction;
        let mut chunks = Chunks::new(packet.chunks, packet.cut);
        let Some(a) = self.table.get_mut(p.index) else {
            return cx.discard(Discard::SctpStray);
        };
        cx.counters.sctp.passed += 1;
        a.packets += 1;
        a.last = cx.now;
        a.count(d, place::PACKETS, 1);
        a.count(d, place::OCTETS, (packet.chunks.len() + HEADER_LEN) as u64);
        if !a.side(d).seen {
            a.side_mut(d).seen = true;
            if let Some(link) = a.flow.links.get_mut(d.index()) {
                *link = packet.link;
            }
        }
        let learn = chunks
            .clone()
            .next()
            .is_some_and(|c| c.kind != kind::INIT && !is_reflected(&c));
        if learn && !a.side(d).confirmed {
            a.side_mut(d).confirmed = true;
            self.set_tag(p, packet.origin.tag);
        }
        for c in chunks.by_ref() {
            self.chunk(cx, sink, p, &c, packet);
        }
        if chunks.bad {
            cx.counters.sctp.bad_chunks += 1;
        }
        self.poll(cx, sink, p.index);
        if let Some(a) = self.table.get(p.index) {
            let standing = a.standing();
            self.table.touch(p.index, standing);
        }
    }

    /// Takes one chunk.
    fn chunk<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        p: Place,
        c: &Chunk<'_>,
        packet: &Packet<'_>,
    ) {
        let (d, other) = (p.direction, p.direction.flip());
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        if let Some(place) = stats::of_chunk(c.kind) {
            a.count(d, place, 1);
        }
        if a.phase == Phase::HalfOpen && !is_handshake(c.kind) {
            a.phase = Phase::Open;
        }
        let n = &mut cx.counters.sctp;
        *match c.kind {
            kind::DATA => &mut n.data_chunks,
            kind::I_DATA => &mut n.i_data_chunks,
            kind::INIT => &mut n.init,
            kind::INIT_ACK => &mut n.init_ack,
            kind::SACK => &mut n.sack,
            kind::HEARTBEAT => &mut n.heartbeat,
            kind::HEARTBEAT_ACK => &mut n.heartbeat_ack,
            kind::ABORT => &mut n.abort,
            kind::SHUTDOWN => &mut n.shutdown,
            kind::SHUTDOWN_ACK => &mut n.shutdown_ack,
            kind::ERROR => &mut n.error,
            kind::COOKIE_ECHO => &mut n.cookie_echo,
            kind::COOKIE_ACK => &mut n.cookie_ack,
            kind::ECNE => &mut n.ecne,
            kind::CWR => &mut n.cwr,
            kind::SHUTDOWN_COMPLETE => &mut n.shutdown_complete,
            kind::FORWARD_TSN | kind::I_FORWARD_TSN => &mut n.forward_tsn,
            kind::RE_CONFIG => &mut n.re_config,
            kind::ASCONF | kind::ASCONF_ACK => &mut n.asconf,
            _ => &mut n.other_chunks,
        } += 1;
        match c.kind {
            kind::DATA | kind::I_DATA => {
                let Some(data) = c.data() else {
                    n.dropped_chunks += 1;
                    return;
                };
                n.data_octets += data.payload.len() as u64;
                let lost = n.lost_tsns;
                let fate = a.with(cx, sink, d, |i, out| i.data(out, &data, packet.origin));
                match fate {
                    Fate::Duplicate => a.count(d, place::DUPLICATED, 1),
                    Fate::OutOfOrder => a.count(d, place::OUT_OF_SEQUENCE, 1),
                    Fate::Taken | Fate::Dropped => {}
                }
                a.count(d, place::MISSING, cx.counters.sctp.lost_tsns - lost);
            }
            kind::INIT | kind::INIT_ACK => {
                if let Some(init) = c.init() {
                    self.init(cx, sink, p, &init);
                }
            }
            kind::SACK => {
                if let Some(s) = c.sack() {
                    n.gap_blocks += s.gap_count();
                    n.reported_duplicates += u64::from(s.duplicates);
                    a.count(d, place::GAP_BLOCKS, s.gap_count());
                    a.count(d, place::REPORTED_DUPLICATES, s.duplicates.into());
                    a.side_mut(d).sacks = true;
                    a.with(cx, sink, other, |i, out| {
                        i.acknowledge(out, s.cumulative, s.gaps());
                    });
                }
            }
            kind::SHUTDOWN => {
                if let Some(tsn) = c.tsn() {
                    a.with(cx, sink, other, |i, out| {
                        i.acknowledge(out, tsn, std::iter::empty());
                    });
                }
            }
            kind::FORWARD_TSN | kind::I_FORWARD_TSN => {
                if let Some(tsn) = c.tsn() {
                    a.with(cx, sink, d, |i, out| i.forward(out, tsn));
                }
            }
            kind::ABORT | kind::SHUTDOWN_ACK | kind::SHUTDOWN_COMPLETE => {
                if matches!(a.phase, Phase::HalfOpen | Phase::Open) {
                    let close = if c.kind == kind::ABORT {
                        Close::Reset
                    } else {
                        Close::Fin
                    };
                    a.phase = Phase::Closing {
                        close,
                        at: cx.now,
                        packets: a.packets,
                    };
                }
            }
            kind::ASCONF => self.add_addresses(cx, p, c.added_addresses()),
            kind::RE_CONFIG => {
                for r in c.reconfigurations() {
                    match r {
                        Reconfig::Reset { last_tsn, streams } => {
                            a.side_mut(d).inflow.reset_streams(last_tsn, streams);
                        }
                        Reconfig::Response {
                            serial,
                            performed: true,
                            tsns: Some((own, peer)),
                        } if a.answered != Some(serial) => {
                            a.answered = Some(serial);
                            a.with(cx, sink, d, |i, out| i.reset_tsn(out, own));
                            a.with(cx, sink, other, |i, out| i.reset_tsn(out, peer));
                        }
                        Reconfig::Response { .. } => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// INIT or INIT ACK of the association itself: the tag that its sender wants to see, its first TSN, its addresses.
    fn init<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        p: Place,
        init: &Init<'_>,
    ) {
        let (d, other) = (p.direction, p.direction.flip());
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        let side = a.side_mut(other);
        side.zero_allowed = init.takes_zero_checksum();
        let fresh = !side.confirmed && side.tag != Some(init.tag);
        let known = side.tag == Some(init.tag);
        if fresh {
            self.set_tag(
                Place {
                    index: p.index,
                    direction: other,
                },
                init.tag,
            );
        }
        if let (Some(a), true) = (self.table.get_mut(p.index), fresh || known) {
            let tsn = init.tsn;
            a.with(cx, sink, d, |i, out| i.begin(out, tsn));
            self.add_addresses(cx, p, init.addresses());
        }
    }

    /// Does what is due in an association, and brings limits and deadlines up to date.
    fn poll<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S, index: u32) {
        let Some(a) = self.table.get_mut(index) else {
            return;
        };
        let limits = &cx.limits;
        match a.phase {
            Phase::Closing { close, at, packets } => {
                let age = cx.now.since(at);
                let over = age >= limits.reorder_alone
                    || (age >= limits.reorder_time
                        && a.packets - packets >= u64::from(limits.reorder_packets));
                if over {
                    self.close(cx, sink, index, close);
                    return;
                }
            }
            Phase::Closed { at } if cx.now.since(at) >= LINGER => {
                return self.remove(cx, index);
            }
            _ => {}
        }
        for d in [FORWARD, REVERSE] {
            if a.side(d).inflow.is_restless() {
                let lost = cx.counters.sctp.lost_tsns;
                a.with(cx, sink, d, |i, out| i.poll(out));
                a.count(d, place::MISSING, cx.counters.sctp.lost_tsns - lost);
            }
        }
        self.update(cx, index);
    }

    /// Brings budget, deadline and weight of an association up to date.
    fn update(&mut self, cx: &mut Context, index: u32) {
        let Some(generation) = self.table.generation(index) else {
            return;
        };
        let Some(a) = self.table.get_mut(index) else {
            return;
        };
        for side in &mut a.sides {
            side.inflow.settle(cx, &mut self.active);
        }
        let lists = a.paths.capacity() * size_of::<(FlowKey, bool)>()
            + a.sides
                .iter()
                .map(|s| s.addresses.capacity() * size_of::<IpAddr>())
                .sum::<usize>()
            + a.stats.as_ref().map_or(0, |_| size_of::<[Values; 2]>());
        if lists != a.charged {
            cx.budget.resize(a.charged, lists);
            a.charged = lists;
        }
        let due = match a.phase {
            Phase::Closed { at } => Some(at.after(LINGER)),
            Phase::Closing { at, .. } => Some(at.after(cx.limits.reorder_alone)),
            Phase::HalfOpen | Phase::Open => None,
        };
        let mut due = due;
        for (side, other) in [(FORWARD, REVERSE), (REVERSE, FORWARD)] {
            if a.side(side).inflow.is_restless() {
                let at = a
                    .side(side)
                    .inflow
                    .deadline(&cx.limits, a.side(other).sacks);
                due = [due, at].into_iter().flatten().min();
            }
        }
        if let Some(at) = due
            && a.armed.is_none_or(|armed| at < armed)
        {
            a.armed = Some(at);
            self.deadlines.push(at, index, generation);
        }
        let weight = weigh(a.waiting());
        if weight > a.weight {
            a.weight = weight;
            self.weights.push((weight, index, generation));
        }
    }

    /// Ends an association: all that waits is told. Its key is remembered until [`Sctp::remove`].
    fn close<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        index: u32,
        close: Close,
    ) {
        let Some(a) = self.table.get_mut(index) else {
            return;
        };
        if a.is_closed() {
            return;
        }
        // What ended it first is how it ended.
        let close = match a.phase {
            Phase::Closing { close, .. } => close,
            _ => close,
        };
        let cause = match close {
            Close::Fin | Close::Reset => GapCause::Closed,
            Close::Evicted => GapCause::Memory,
            Close::Idle | Close::Replaced | Close::EndOfInput => GapCause::End,
        };
        for d in [FORWARD, REVERSE] {
            let lost = cx.counters.sctp.lost_tsns;
            a.with(cx, sink, d, |i, out| i.finish(out, cause));
            a.count(d, place::MISSING, cx.counters.sctp.lost_tsns - lost);
        }
        for side in &mut a.sides {
            side.inflow.discharge(cx, &mut self.active);
            side.inflow = Inflow::default();
        }
        let c = &mut cx.counters.sctp;
        *match close {
            Close::Fin => &mut c.closed_shutdown,
            Close::Reset => &mut c.closed_abort,
            Close::Idle => &mut c.closed_idle,
            Close::Evicted => &mut c.closed_evicted,
            Close::Replaced => &mut c.closed_replaced,
            Close::EndOfInput => &mut c.closed_end,
        } += 1;
        let tags = [a.side(FORWARD).tag, a.side(REVERSE).tag];
        let mut at = AssociationContext {
            cx,
            flow: &a.flow,
            tags,
            state: &mut a.state,
        };
        sink.end(&mut at, close);
        a.state = T::default();
        a.phase = Phase::Closed { at: cx.now };
        self.update(cx, index);
    }

    /// Forgets an association that has been closed.
    fn remove(&mut self, cx: &mut Context, index: u32) {
        self.drop_candidate(cx, index);
        let Some(mut a) = self.table.remove(index) else {
            return;
        };
        for (key, _) in &a.paths {
            if self.paths.get(key).is_some_and(|p| p.index == index) {
                self.paths.remove(key);
            }
        }
        for d in [FORWARD, REVERSE] {
            if let Some(key) = tag_key(&a, d)
                && self.tags.get(&key).is_some_and(|p| p.index == index)
            {
                self.tags.remove(&key);
            }
        }
        for side in &mut a.sides {
            side.inflow.discharge(cx, &mut self.active);
        }
        cx.budget.give(a.charged);
        stats_rows(&mut a, &mut self.gone);
    }

    /// Tells the budget what the tables allocate.
    fn settle(&mut self, cx: &mut Context) {
        // Entries that no longer hold are swept out before they are most of a heap.
        if self.weights.len() > 2 * self.table.len() + 64 {
            let table = &self.table;
            self.weights.retain(|(w, i, g)| {
                table.generation(*i) == Some(*g) && table.get(*i).is_some_and(|a| a.weight == *w)
            });
        }
        let maps = self.paths.allocation_size() + self.tags.allocation_size();
        let octets = self.table.allocated()
            + maps
            + self.deadlines.allocated()
            + self.weights.capacity() * size_of::<(u8, u32, u32)>()
            + self.gone.capacity() * size_of::<LinkStats>();
        if octets != self.charged {
            cx.budget.resize(self.charged, octets);
            self.charged = octets;
        }
    }
}

/// The same association, the other way.
const fn turned(p: Place) -> Place {
    Place {
        index: p.index,
        direction: p.direction.flip(),
    }
}

/// Puts a value at the place of a direction.
fn put<V>(both: &mut [Option<V>; 2], direction: Direction, value: V) {
    if let Some(slot) = both.get_mut(direction.index()) {
        *slot = Some(value);
    }
}

/// The power of two below an amount of octets.
fn weigh(octets: usize) -> u8 {
    u8::try_from(usize::BITS - octets.leading_zeros()).unwrap_or(u8::MAX)
}

/// Moves the statistics of both directions of an association to `rows`.
fn stats_rows<T: FlowState>(a: &mut Association<T>, rows: &mut Vec<LinkStats>) {
    let Some(stats) = &mut a.stats else {
        return;
    };
    for (direction, values) in [FORWARD, REVERSE].into_iter().zip(stats.iter_mut()) {
        if values.iter().any(|v| *v != 0) {
            rows.push(LinkStats {
                association: a.flow.number,
                src: a.flow.src(direction),
                dst: a.flow.dst(direction),
                values: std::mem::replace(values, [0; NAMES.len()]),
            });
        }
    }
}

/// ABORT or SHUTDOWN COMPLETE with the T bit: it carries the tag of the other direction (RFC 9260, 8.5.1).
const fn is_reflected(c: &Chunk<'_>) -> bool {
    matches!(c.kind, kind::ABORT | kind::SHUTDOWN_COMPLETE) && c.reflected()
}

/// Chunks that are sent before the association is up.
const fn is_handshake(kind: u8) -> bool {
    matches!(
        kind,
        kind::INIT | kind::INIT_ACK | kind::COOKIE_ECHO | kind::ABORT | kind::ERROR
    )
}

/// An association that was captured from the middle can begin with this chunk.
const fn opens(kind: u8) -> bool {
    matches!(
        kind,
        kind::DATA
            | kind::INIT
            | kind::INIT_ACK
            | kind::SACK
            | kind::HEARTBEAT
            | kind::HEARTBEAT_ACK
            | kind::SHUTDOWN
            | kind::COOKIE_ECHO
            | kind::COOKIE_ACK
            | kind::ECNE
            | kind::CWR
            | kind::AUTH
            | kind::I_DATA
            | kind::ASCONF_ACK
            | kind::RE_CONFIG
            | kind::PAD
            | kind::FORWARD_TSN
            | kind::ASCONF
            | kind::I_FORWARD_TSN
    )
}

/// What the checksum of a packet says, and counts it.
fn check(cx: &mut Context, datagram: &Datagram<'_>, header: &Header) -> Sum {
    if cx.limits.sctp_checksums == Checksums::Ignore
        || datagram.checksum_known_good
        || datagram.is_cut()
    {
        return Sum::Unknown;
    }
    if header.checksum == 0 {
        cx.counters.sctp.zero_checksum += 1;
        return Sum::Zero;
    }
    if chunk::checksum(datagram.payload) == header.checksum {
        Sum::Right
    } else {
        cx.counters.sctp.bad_checksum += 1;
        Sum::Wrong
    }
}
