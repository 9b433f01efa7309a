//! SCTP: from packets to user messages (RFC 9260, 8260, 3758, 6525).
//!
//! An association is known by its verification tags and ports; packets are found by addresses and ports first, as
//! nearly all of them are on a path that was seen before.
//!
//! ```text
//!   packet ─> checksum ─> association, direction ─> chunks ─┬─ data ──> reassembly of its own direction ─> messages
//!             (CRC32c)    (route: path, then tag           └─ SACK ──> holes of the other direction
//!                         and ports)               (process)
//! ```
//!
//! Whoever drives it calls [`Sctp::packet`] with each datagram, [`Sctp::tick`] behind each packet of any kind,
//! [`Sctp::free_memory`] as long as the budget is exceeded, and [`Sctp::flush`] at the end.

mod chunk;
mod process;
mod reassembly;
mod route;
pub mod sink;
pub mod stats;
mod table;
#[cfg(test)]
mod tests;
mod trace;

pub use sink::{
    AssociationContext, ChunkGap, DuplicateChunk, Missing, UserMessage, UserMessageSink,
};

use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow, FlowKey};
use crate::base::limits::{Checksums, Limits};
use crate::base::packet::{Channel, LinkHeader};
use crate::base::place::OctetOffset;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::Deadlines;
use crate::base::stream::{Close, FlowState, GapCause};
use crate::base::time::{Instant, Timestamp};
use crate::ip::Datagram;
use chunk::{Chunk, ChunkIter, HEADER_LEN, Header, kind};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use reassembly::{ChunkOrigin, HeldMessage, Inflow, Out};
use stats::{LinkStats, NAMES, Values};
use std::collections::{BinaryHeap, VecDeque};
use std::mem::size_of;
use std::net::IpAddr;
use std::time::Duration;
use table::{Standing, Table};

/// How long an association that has ended is remembered, so that stray packets open nothing.
// As for TCP. Associations are long-lived, so one that ends is rare and its key costs little.
const LINGER: Duration = Duration::from_secs(30);
/// Idle for so long, an association goes before others when memory is short.
// Heartbeats come every 30 seconds by default (RFC 9260, 16). With less than twice of that, an idle
// link that is up would be the first to go; with more, dead ones would keep memory from live ones.
const IDLE: Duration = Duration::from_secs(60);

const FORWARD: Direction = Direction::Forward;
const REVERSE: Direction = Direction::Reverse;

/// Which association, and which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct AssociationPlace {
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
    /// All has been emitted; the key is remembered.
    Closed {
        at: Instant,
    },
}

/// One side's packets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct AssociationSide {
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
    /// Packets that were used, or held.
    packets: u64,
    addresses: Vec<IpAddr>,
    inflow: Inflow,
}

/// A packet that waits until it is certain which association it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HeldPacket {
    direction: Direction,
    /// What is behind the common header.
    chunks: Vec<u8>,
    cut: bool,
    doubtful: bool,
    origin: ChunkOrigin,
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
    /// The tag of the packets of the side that began it was not announced by an INIT ACK, but seen.
    guessed: bool,
    held: Vec<HeldPacket>,
    octets: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Association<T: FlowState> {
    flow: Flow,
    state: T,
    sides: [AssociationSide; 2],
    phase: Phase,
    packets: u64,
    last: Instant,
    /// When its first packet was captured, and the last.
    times: [Timestamp; 2],
    /// Where each direction's first packet was captured.
    channels: [Option<Channel>; 2],
    /// Other channels that packets of it came on, a few of them.
    other_channels: Vec<Channel>,
    /// Pairs of addresses by which it is found, and whether the lower one is the forward side.
    paths: Vec<(FlowKey, bool)>,
    candidate: Option<Box<Candidate>>,
    /// What the table of deadlines knows.
    armed: Option<Instant>,
    /// What the heap of weights knows.
    weight: u8,
    /// Serial number of the last answer to a reset of TSNs, so that a repeated one is known.
    answered: Option<u32>,
    /// What the budget knows of the lists in here.
    charged: usize,
    stats: Option<Box<[Values; 2]>>,
    multihomed: bool,
}

/// What a packet's checksum says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PacketSum {
    Right,
    /// Zero, not computed, or not computable.
    Unknown,
    Zero,
    Wrong,
}

/// One packet behind its common header.
#[derive(Clone, Copy)]
struct SctpPacket<'a> {
    chunks: &'a [u8],
    /// Where they begin.
    offset: OctetOffset,
    cut: bool,
    /// It is cut though its record is whole: its IP length is false, or its end was lost before it was captured.
    doubtful: bool,
    origin: ChunkOrigin,
    link: LinkHeader,
}

/// A packet as it arrives.
#[derive(Clone, Copy)]
struct ArrivedPacket<'a> {
    packet: SctpPacket<'a>,
    header: Header,
    first: Chunk<'a>,
    sum: PacketSum,
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
        self.with_held(cx, sink, direction, None, f)
    }

    /// The same; messages go to a queue, where there is one, and not to the sink.
    fn with_held<S: UserMessageSink<State = T>, R>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        direction: Direction,
        held: Option<&mut VecDeque<HeldMessage>>,
        f: impl FnOnce(&mut Inflow, &mut Out<'_, S>) -> R,
    ) -> R {
        let [a, b] = &mut self.sides;
        // Taken apart first: the side that runs and what it needs of the rest are borrowed at the
        // same time.
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
            held,
        };
        f(&mut side.inflow, &mut out)
    }

    /// When the wait for earlier chunks ends; None where nothing waits for them.
    ///
    /// Both directions end it together: of one that ends it alone the answers would come ahead of what the other still holds
    /// that they answer.
    fn looks_until(&self, limits: &Limits) -> Option<Instant> {
        let since = self.sides.iter().filter_map(|s| s.inflow.looks_since());
        Some(since.max()?.after(limits.look_behind_time))
    }

    /// Ends the wait for earlier chunks, of both directions in the order of their packets.
    fn end_looks<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S) {
        let mut held = [VecDeque::new(), VecDeque::new()];
        for (d, held) in [FORWARD, REVERSE].into_iter().zip(&mut held) {
            if self.side(d).inflow.looks_since().is_some() {
                self.with_held(cx, sink, d, Some(held), |i, out| i.end_look(out));
            }
        }
        // Each direction keeps its own order, which is that of its streams.
        loop {
            let [a, b] = held.each_ref().map(|held| held.front());
            let d = match (a, b) {
                (Some(a), Some(b)) if b.frame() < a.frame() => REVERSE,
                (Some(_), _) => FORWARD,
                (None, Some(_)) => REVERSE,
                (None, None) => return,
            };
            let next = held.get_mut(d.index()).and_then(VecDeque::pop_front);
            if let Some(message) = next {
                self.with(cx, sink, d, |i, out| i.hand_on_held(out, &message));
            }
        }
    }

    const fn side(&self, direction: Direction) -> &AssociationSide {
        let [a, b] = &self.sides;
        match direction {
            Direction::Forward => a,
            Direction::Reverse => b,
        }
    }

    const fn side_mut(&mut self, direction: Direction) -> &mut AssociationSide {
        let [a, b] = &mut self.sides;
        match direction {
            Direction::Forward => a,
            Direction::Reverse => b,
        }
    }

    const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    /// Packets of it came on this channel.
    fn is_on(&self, channel: Channel) -> bool {
        let all = self.channels.iter().flatten().chain(&self.other_channels);
        all.into_iter().any(|known| *known == channel)
    }

    const fn standing(&self) -> Standing {
        match self.phase {
            Phase::HalfOpen => Standing::HalfOpen,
            _ => Standing::Open,
        }
    }

    fn count(&mut self, direction: Direction, place: usize, n: u64) {
        // Kept only where somebody asked for it: 350 bytes for each association.
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
    paths: HashMap<FlowKey, AssociationPlace, RandomState>,
    tags: HashMap<TagKey, AssociationPlace, RandomState>,
    deadlines: Deadlines,
    /// Associations by how much waits in them: power of two of the octets, index, generation.
    weights: BinaryHeap<(u8, u32, u32)>,
    /// Chunks that wait in all of them.
    active: usize,
    number: u64,
    collect: bool,
    /// Statistics of associations that are gone.
    gone: Vec<LinkStats>,
    /// What the budget knows of the tables.
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

#[cfg(feature = "state")]
mod written_out {
    use super::*;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
            // Two associations may share a path, an ended one and its successor; the later insertion
            // wins, as it did when the state was saved.
            // The newest association of a path or tag is the one that it leads to.
            for index in sctp.by_number() {
                if let Some(a) = sctp.table.get(index) {
                    for (key, low_forward) in &a.paths {
                        let direction = if *low_forward { FORWARD } else { REVERSE };
                        sctp.paths
                            .insert(*key, AssociationPlace { index, direction });
                    }
                    for direction in [FORWARD, REVERSE] {
                        if let Some(key) = tag_key(a, direction) {
                            sctp.tags.insert(key, AssociationPlace { index, direction });
                        }
                    }
                }
            }
            Ok(sctp)
        }
    }
}

/// The key of the packets of one direction; None where their tag is not known or names nothing.
fn tag_key<T: FlowState>(a: &Association<T>, direction: Direction) -> Option<TagKey> {
    // A zero tag is an INIT's and belongs to no association; as a key it would collect every scan.
    // Several between the same addresses and ports have numbers, which their packets do not carry.
    let channel = match a.flow.key.number() {
        0 => a.flow.channel(),
        _ => Channel::default(),
    };
    Some(TagKey {
        tag: a.side(direction).tag.filter(|t| *t != 0)?,
        src_port: a.flow.src(direction).port(),
        dst_port: a.flow.dst(direction).port(),
        channel,
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
        self.charge(cx);
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
        // Without the whole common header there is neither a port nor a tag.
        let Some(header) = Header::parse(datagram.payload) else {
            return cx.discard(Discard::SctpTruncated);
        };
        let chunks = datagram.payload.get(HEADER_LEN..).unwrap_or_default();
        let cut = datagram.is_cut();
        // The first chunk decides how the packet is looked up, so it is read before anything else.
        let first = ChunkIter::new(chunks, cut).next();
        // Port 0 must not be used (RFC 9260, 3.1), and a packet without a chunk says nothing.
        let (Some(first), true) = (first, header.src_port != 0 && header.dst_port != 0) else {
            return cx.discard(Discard::SctpBadHeader);
        };
        let (src, dst) = (datagram.src, datagram.dst);
        let channel = datagram.channel.keyed(cx.limits.channels);
        let (key, src_is_low) =
            FlowKey::new((src, header.src_port), (dst, header.dst_port), channel);
        let arrival = ArrivedPacket {
            packet: SctpPacket {
                chunks,
                offset: datagram.offset.after(HEADER_LEN),
                cut,
                doubtful: cut && datagram.doubtful,
                origin: ChunkOrigin {
                    frame: cx.packet.frame,
                    time: cx.packet.time,
                    interface: cx.packet.interface,
                    src,
                    dst,
                    tag: header.tag,
                    at: None,
                },
                link: cx.packet.link,
            },
            header,
            first,
            // After the header: a sum over a packet that is no SCTP would only cost time.
            sum: check(cx, datagram, &header),
            key,
            src_is_low,
            channel: datagram.channel,
        };
        self.route(cx, sink, &arrival, channel);
        if cx.trace.is_on() {
            arrival.trace_drop(cx);
        }
        // The limit is on all associations together; the one with most goes first.
        while self.active > cx.limits.active_packets && self.drop_buffered(cx, sink) {}
        self.charge(cx);
    }

    /// Whether [`tick`](Self::tick) may find something to do.
    pub fn is_due(&self, cx: &Context) -> bool {
        let lists = [Standing::HalfOpen, Standing::Open];
        !self.is_empty()
            && (self.deadlines.is_due(cx.now)
                || lists.iter().any(|list| self.idle(cx, *list).is_some()))
    }

    /// The association of a list that was used longest ago, where it has been idle for so long that it ends.
    fn idle(&self, cx: &Context, list: Standing) -> Option<u32> {
        let index = self.table.oldest(list)?;
        let last = self.table.get(index).map_or(cx.now, |a| a.last);
        (cx.now.since(last) >= cx.limits.session_timeout).then_some(index)
    }

    /// Does what is due by the age clock; to be called behind each packet of the capture for which [`is_due`](Self::is_due) is true.
    pub fn tick<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S) {
        // An entry counts only if slot, generation and time still agree: nothing is taken out of
        // the heap when a deadline moves.
        while let Some((at, index, generation)) = self.deadlines.pop_due(cx.now) {
            if self.table.generation(index) == Some(generation)
                && let Some(a) = self.table.get_mut(index)
                && a.armed == Some(at)
            {
                a.armed = None;
                self.poll(cx, sink, index);
            }
        }
        // Both lists are in order of last use, so the first that is not idle ends the search.
        for list in [Standing::HalfOpen, Standing::Open] {
            while let Some(index) = self.idle(cx, list) {
                self.close(cx, sink, index, Close::Idle);
                self.remove(cx, index);
            }
        }
        self.charge(cx);
    }

    /// Emits all that waits and ends every association, in the order of their numbers: the end of the input.
    pub fn flush<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S) {
        // By number, which is the order of first sight: the flush gives the same output in every
        // run, whatever the hash seed was.
        for index in self.by_number() {
            self.close(cx, sink, index, Close::EndOfInput);
            self.remove(cx, index);
        }
        self.table = Table::default();
        self.paths = HashMap::default();
        self.tags = HashMap::default();
        self.deadlines = Deadlines::default();
        self.weights = BinaryHeap::new();
        self.charge(cx);
    }

    /// Makes room when the budget is exceeded: a half-open association, or the one idle longest where it is idle at
    /// all. False where there is none.
    pub fn evict_idle<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
    ) -> bool {
        // A half-open one has no data and may be a scan.
        let half_open = self.table.oldest(Standing::HalfOpen);
        let idle = self.table.oldest(Standing::Open).filter(|i| {
            let last = self.table.get(*i).map(|a| a.last);
            last.is_some_and(|at| cx.now.since(at) >= IDLE)
        });
        let Some(index) = half_open.or(idle) else {
            return false;
        };
        self.evict(cx, sink, index);
        self.charge(cx);
        true
    }

    /// Makes room when the budget is exceeded: half-open associations first, then those idle longest, then the one with
    /// most octets behind a hole. False where there is nothing left.
    pub fn free_memory<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
    ) -> bool {
        if self.evict_idle(cx, sink) {
            return true;
        }
        let before = cx.budget.used();
        let dropped = self.drop_buffered(cx, sink);
        // What was let go may take more room than it did while it waited.
        if !dropped || cx.budget.used() >= before {
            let Some(index) = self.table.oldest(Standing::Open) else {
                return false;
            };
            self.evict(cx, sink, index);
        }
        self.charge(cx);
        true
    }

    fn evict<S: UserMessageSink<State = T>>(&mut self, cx: &mut Context, sink: &mut S, index: u32) {
        self.close(cx, sink, index, Close::Evicted);
        self.remove(cx, index);
    }

    /// Gives up something of the association in which most waits.
    fn drop_buffered<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
    ) -> bool {
        while let Some((weight, index, generation)) = self.weights.pop() {
            if self.table.generation(index) != Some(generation) {
                continue;
            }
            let Some(a) = self.table.get_mut(index) else {
                continue;
            };
            // Taken as out of the heap: whatever is left is queued again by `poll`.
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
            // Only the heavier direction gives something up. The other may have nothing to do with
            // the shortage.
            a.with(cx, sink, direction, |inflow, out| {
                // What waits for nothing but its acknowledgment goes first: nothing is lost by that.
                if !inflow.release_all(out) && !inflow.first_hole(out, GapCause::Memory) {
                    inflow.finish(out, GapCause::Memory);
                }
            });
            self.poll(cx, sink, index);
            let after = self.table.get(index).map_or(0, Association::waiting);
            // If nothing was freed, the next heaviest is tried: the caller asks until there is
            // room.
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

    /// Forgets an association that has been closed.
    fn remove(&mut self, cx: &mut Context, index: u32) {
        self.drop_candidate(cx, index);
        let Some(mut a) = self.table.remove(index) else {
            return;
        };
        // Another association may have taken over the path or the tag; then the entry is not this
        // one's to remove.
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

    /// Charges the budget with what the tables allocate.
    fn charge(&mut self, cx: &mut Context) {
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
            // Included: rows wait here until the period ends, and a capture full of scans makes
            // many.
            + self.gone.capacity() * size_of::<LinkStats>();
        cx.budget.rebook(&mut self.charged, octets);
    }
}

/// The power of two below an amount of octets.
fn weigh(octets: usize) -> u8 {
    // Powers of two, so that an association is queued again only when what waits has doubled.
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
// An endpoint that knows no association answers so (RFC 9260, 8.4): it has no tag of its own to
// offer.
const fn is_reflected(c: &Chunk<'_>) -> bool {
    matches!(c.kind, kind::ABORT | kind::SHUTDOWN_COMPLETE) && c.reflected()
}

/// What the checksum of a packet says, and counts it.
fn check(cx: &mut Context, datagram: &Datagram<'_>, header: &Header) -> PacketSum {
    // The CRC needs every octet. A cut packet lacks some, and a card that verified it has read them
    // already.
    if cx.limits.sctp_checksums == Checksums::Ignore
        || datagram.checksum_known_good
        || datagram.is_cut()
    {
        return PacketSum::Unknown;
    }
    // Zero stands for "not computed" on loopback and in captures with offload, and is what RFC 9653
    // allows.
    if header.checksum == 0 {
        cx.counters.sctp.zero_checksum += 1;
        return PacketSum::Zero;
    }
    if chunk::checksum(datagram.payload) == header.checksum {
        // A wrong sum of the IP header, which this one does not cover: a router would have dropped the packet, and what comes
        // later is believed more.
        if datagram.doubtful && cx.limits.sctp_checksums != Checksums::Verify {
            PacketSum::Wrong
        } else {
            PacketSum::Right
        }
    } else {
        cx.counters.sctp.bad_checksum += 1;
        PacketSum::Wrong
    }
}
