//! What the chunks of a packet do to their association, and what becomes due in it.

use super::chunk::{Chunk, ChunkIter, HEADER_LEN, Init, Reconfig, kind};
use super::reassembly::{ChunkFate, Inflow};
use super::stats::{self, Values, place};
use super::{
    AssociationContext, AssociationPlace, FORWARD, LINGER, Phase, REVERSE, Sctp, SctpPacket,
    UserMessageSink, is_reflected, weigh,
};
use crate::base::chunk_trace::ChunkEvent;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::FlowKey;
use crate::base::packet::Channel;
use crate::base::storage::allocated;
use crate::base::stream::{Close, FlowState, GapCause};
use crate::transport::datagram::{EndedFlow, FlowTotals};
use std::mem::size_of;
use std::net::IpAddr;

/// Associations that may keep the empty nodes of their trees, which they need again with the next message.
// A megabyte or two; each of 100,000 would keep half of all memory.
const MANY: usize = 256;

impl<T: FlowState> Sctp<T> {
    /// Takes a packet that belongs to an association, chunk by chunk.
    pub(super) fn process<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        p: AssociationPlace,
        packet: &SctpPacket<'_>,
    ) {
        let d = p.direction;
        let mut chunks = ChunkIter::new(packet.chunks, packet.cut);
        // Where no reordering is allowed for, what was held may have ended it at once.
        let Some(a) = self.table.get_mut(p.index).filter(|a| !a.is_closed()) else {
            return cx.discard(Discard::SctpStray);
        };
        cx.counters.sctp.passed += 1;
        a.packets += 1;
        a.last = cx.now;
        let [first, last] = &mut a.times;
        *first = (*first).min(packet.origin.time);
        *last = (*last).max(packet.origin.time);
        a.side_mut(d).packets += 1;
        a.count(d, place::PACKETS, 1);
        a.count(d, place::OCTETS, (packet.chunks.len() + HEADER_LEN) as u64);
        // The first packet of each direction shows its link header. The guess until then was the
        // other one's.
        if !a.side(d).seen {
            a.side_mut(d).seen = true;
            if let Some(link) = a.flow.links.get_mut(d.index()) {
                *link = packet.link;
            }
        }
        // The tag on a packet beats the one that an INIT announced: if they differ, the INIT was
        // another's.
        // The first chunk shows whether the packet carries the direction's own tag: an INIT carries
        // zero, a reflected one the other's.
        if !a.side(d).confirmed
            && let mut first = chunks.clone()
            && first
                .next()
                .is_some_and(|c| c.kind != kind::INIT && !is_reflected(&c))
        {
            a.side_mut(d).confirmed = true;
            self.set_tag(p, packet.origin.tag);
        }
        // In order: a packet may bundle COOKIE ACK and data, or data and SHUTDOWN, and the first
        // must be done before the second.
        for c in chunks.by_ref() {
            self.chunk(cx, sink, p, &c, packet);
        }
        if chunks.bad {
            cx.counters.sctp.bad_chunks += 1;
            if cx.trace.is_on()
                && let Some(a) = self.table.get(p.index)
            {
                a.trace(cx, d, packet, ChunkEvent::Unreadable);
            }
        }
        // Behind all chunks: a SACK at the end of the packet may settle what its data opened.
        self.poll(cx, sink, p.index);
        // It may have been closed by its own chunks.
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
        p: AssociationPlace,
        c: &Chunk<'_>,
        packet: &SctpPacket<'_>,
    ) {
        let (d, other) = (p.direction, p.direction.flip());
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        if cx.trace.is_on() {
            a.trace_chunk(cx, d, c, packet);
        }
        if packet.doubtful
            && matches!(c.kind, kind::DATA | kind::I_DATA)
            && let Some(data) = c.data().filter(|data| data.payload.len() < data.len)
            && a.side(d).inflow.has_started()
        {
            // Its end may come yet. What is there of it is a second choice.
            cx.counters.sctp.damaged_chunks += 1;
            let origin = packet.origin.at(packet.offset.after(data.offset));
            a.side_mut(d).inflow.damaged(&data, origin);
            return;
        }
        if let Some(place) = stats::of_chunk(c.kind) {
            a.count(d, place, 1);
        }
        // Anything else than the handshake shows that both sides are up: it can be no scan any
        // more.
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
                    // Not even its header is there: neither TSN nor stream is known.
                    n.dropped_chunks += 1;
                    return;
                };
                n.data_octets += data.payload.len() as u64;
                // Difference over the call: giving up a hole is counted where it happens, and the
                // operator's statistics want it by link.
                let lost = n.lost_tsns;
                let origin = packet.origin.at(packet.offset.after(data.offset));
                let fate = a.with(cx, sink, d, |i, out| i.data(out, &data, origin));
                match fate {
                    ChunkFate::Duplicate => a.count(d, place::DUPLICATED, 1),
                    ChunkFate::OutOfOrder => a.count(d, place::OUT_OF_SEQUENCE, 1),
                    ChunkFate::Taken | ChunkFate::Dropped => {}
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
                    // From now on silence about a hole is information: the receiver would report
                    // it.
                    a.side_mut(d).sacks = true;
                    a.with(cx, sink, other, |i, out| {
                        i.acknowledge(out, s.cumulative, s.gaps());
                    });
                }
            }
            kind::SHUTDOWN => {
                // Cumulative only: a SHUTDOWN has no gap blocks (RFC 9260, 3.3.8).
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
                // Only the first end counts; SHUTDOWN ACK and SHUTDOWN COMPLETE follow each other.
                // Data that was captured behind them is taken for the reorder window.
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
            // Its addresses count before the peer has confirmed them: packets from them come right
            // after, and an address that is refused just stays unused.
            kind::ASCONF => self.add_addresses(cx, p, c.added_addresses()),
            kind::RE_CONFIG => {
                for r in c.reconfigurations() {
                    match r {
                        Reconfig::Reset { last_tsn, streams } => {
                            // Takes effect at its TSN, not here: chunks before it may still be
                            // missing.
                            a.side_mut(d).inflow.reset_streams(last_tsn, streams);
                        }
                        Reconfig::Response {
                            serial,
                            performed: true,
                            tsns: Some((own, peer)),
                        } if a.answered != Some(serial) => {
                            // A repeated answer must not reset the numbers a second time: chunks
                            // with the new ones may have come in between.
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
        p: AssociationPlace,
        init: &Init<'_>,
    ) {
        let (d, other) = (p.direction, p.direction.flip());
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        let side = a.side_mut(other);
        // The INIT's sender says what it will take, so this holds for packets of the other
        // direction.
        side.zero_allowed = init.takes_zero_checksum();
        // A tag that was seen on packets stands against one that is announced.
        let fresh = !side.confirmed && side.tag != Some(init.tag);
        let known = side.tag == Some(init.tag);
        if fresh {
            self.set_tag(
                AssociationPlace {
                    index: p.index,
                    direction: other,
                },
                init.tag,
            );
        }
        // An INIT that fits neither is not this association's, and its first TSN would cut the
        // stream.
        if let (Some(a), true) = (self.table.get_mut(p.index), fresh || known) {
            let tsn = init.tsn;
            a.with(cx, sink, d, |i, out| i.begin(out, tsn));
            self.add_addresses(cx, p, init.addresses());
        }
    }

    /// Does what is due in an association, and brings limits and deadlines up to date.
    pub(super) fn poll<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        index: u32,
    ) {
        let Some(a) = self.table.get_mut(index) else {
            return;
        };
        // The end first: an association that is over needs no deadline and no hole given up by
        // time.
        match a.phase {
            Phase::Closing { close, at, packets } => {
                // What is captured behind the end is still taken, for as long as the clocks of two taps may differ.
                if cx.now.since(at) >= cx.limits.reorder_alone {
                    self.close(cx, sink, index, close);
                    return;
                }
                for d in [FORWARD, REVERSE] {
                    let lost = cx.counters.sctp.lost_tsns;
                    a.with(cx, sink, d, |i, out| i.ends(out, at, packets));
                    a.count(d, place::MISSING, cx.counters.sctp.lost_tsns - lost);
                }
            }
            // The key has been known for long enough.
            Phase::Closed { at } if cx.now.since(at) >= LINGER => {
                return self.remove(cx, index);
            }
            _ => {}
        }
        let mut sides = a.sides.iter();
        if a.looks_until(&cx.limits).is_some() && sides.all(|s| s.inflow.has_looked(cx)) {
            a.end_looks(cx, sink);
        }
        for d in [FORWARD, REVERSE] {
            // Most packets leave nothing that could become due; they are done here.
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
            // The heap notes slot and generation, as the slot may be reused before the entry comes
            // up.
            return;
        };
        let many = self.table.len() > MANY;
        let Some(a) = self.table.get_mut(index) else {
            return;
        };
        for side in &mut a.sides {
            if many {
                side.inflow.shed();
            }
            side.inflow.charge(cx, &mut self.active);
        }
        let lists = allocated(a.paths.capacity() * size_of::<(FlowKey, bool)>())
            + allocated(a.other_channels.capacity() * size_of::<Channel>())
            + a.sides
                .iter()
                .map(|s| allocated(s.addresses.capacity() * size_of::<IpAddr>()))
                .sum::<usize>()
            + a.stats
                .as_ref()
                .map_or(0, |_| allocated(size_of::<[Values; 2]>()));
        if lists != a.charged {
            cx.budget.resize(a.charged, lists);
            a.charged = lists;
        }
        let due = match a.phase {
            Phase::Closed { at } => Some(at.after(LINGER)),
            Phase::Closing { at, .. } => Some(at.after(cx.limits.reorder_alone)),
            Phase::HalfOpen | Phase::Open => None,
        };
        let mut due = [due, a.looks_until(&cx.limits)].into_iter().flatten().min();
        for (side, other) in [(FORWARD, REVERSE), (REVERSE, FORWARD)] {
            // The deadline depends on whether the other side's SACKs are captured: with them,
            // patience is a minute.
            if a.side(side).inflow.is_restless() {
                let at = a
                    .side(side)
                    .inflow
                    .deadline(&cx.limits, a.side(other).sacks);
                due = [due, at].into_iter().flatten().min();
            }
        }
        if let Some(at) = due
            // Only an earlier deadline is pushed. A later one is found when the earlier comes up
            // and finds nothing.
            && a.armed.is_none_or(|armed| at < armed)
        {
            a.armed = Some(at);
            self.deadlines.push(at, index, generation);
        }
        let weight = weigh(a.waiting());
        // Only growth is queued; see `drop_buffered`.
        if weight > a.weight {
            a.weight = weight;
            self.weights.push((weight, index, generation));
        }
    }

    /// Ends an association: all that waits is emitted. Its key is remembered until [`Sctp::remove`].
    pub(super) fn close<S: UserMessageSink<State = T>>(
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
            Close::Idle | Close::Replaced | Close::EndOfInput | Close::Unconfirmed => GapCause::End,
        };
        // Both directions emit what waits before the end is announced: nothing of an association
        // may come behind its end.
        a.end_looks(cx, sink);
        for d in [FORWARD, REVERSE] {
            let lost = cx.counters.sctp.lost_tsns;
            a.with(cx, sink, d, |i, out| i.finish(out, cause));
            a.count(d, place::MISSING, cx.counters.sctp.lost_tsns - lost);
        }
        // Its memory goes now; the key stays for half a minute and must cost nothing but itself.
        for side in &mut a.sides {
            side.inflow.discharge(cx, &mut self.active);
            side.inflow = Inflow::default();
        }
        let c = &mut cx.counters.sctp;
        *match close {
            Close::Fin => &mut c.closed_shutdown,
            Close::Reset => &mut c.closed_abort,
            // The second is of TCP alone.
            Close::Idle | Close::Unconfirmed => &mut c.closed_idle,
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
        // After the end. The state is made anew, so that late packets find nothing of the old one.
        sink.end(&mut at, close);
        let [first, last] = a.times;
        let ended = EndedFlow {
            flow: &a.flow,
            first,
            last,
            totals: [FORWARD, REVERSE].map(|d| FlowTotals {
                packets: a.side(d).packets,
                ..FlowTotals::default()
            }),
            protocol: None,
            close,
        };
        sink.flow_end(cx, &ended);
        a.state = T::default();
        a.phase = Phase::Closed { at: cx.now };
        self.update(cx, index);
    }
}

/// Chunks that are sent before the association is up.
const fn is_handshake(kind: u8) -> bool {
    matches!(
        kind,
        kind::INIT | kind::INIT_ACK | kind::COOKIE_ECHO | kind::ABORT | kind::ERROR
    )
}
