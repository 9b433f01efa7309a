//! Which association a packet belongs to: by its addresses and ports, else by its verification tag and ports; and what makes
//! a new one.
//!
//! An INIT on the path of an open association begins nothing yet (RFC 9260, 5.2.2): it is a candidate, whose packets wait
//! until its COOKIE ECHO is acknowledged. So is a strange tag: a second packet with it is the witness that an association
//! was captured from the middle.

use super::chunk::{ChunkIter, kind};
use super::stats::NAMES;
use super::table::Standing;
use super::{
    ArrivedPacket, Association, AssociationPlace, AssociationSide, Candidate, FORWARD, HeldPacket,
    PacketSum, Phase, REVERSE, Sctp, SctpPacket, TagKey, UserMessageSink, is_reflected, tag_key,
};
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow, FlowKey, Transport};
use crate::base::limits::{Channels, Checksums};
use crate::base::packet::Channel;
use crate::base::place::OctetOffset;
use crate::base::stream::{Close, FlowState};
use std::mem::size_of;
use std::net::IpAddr;

/// Pairs of addresses of one association.
// Eight addresses on each side make 64 pairs. The bound stops a forged ASCONF or INIT from filling
// the table.
const MAX_PATHS: usize = 64;
/// Addresses of one side.
// Each address is paired with those of the other side, so the cost is the product. A packet from
// one that did not fit is still found by its tag.
const MAX_ADDRESSES: usize = 16;
/// Packets that wait until it is certain which association they belong to, for each association.
// The COOKIE ECHO, and what its sender may send before it is acknowledged. More would let forged
// tags fill memory.
const MAX_HELD: usize = 4;

/// Channels of one association that are remembered beside the first of each direction: mirrors tag by port and direction.
const MAX_CHANNELS: usize = 6;
/// Associations between the same addresses and ports, on channels of their own, beside the first one.
// As for TCP. What does not fit is weighed as a restart, which a wrong packet cannot make by itself.
const MAX_BESIDE: u8 = 7;

/// Whether a packet is of an association beside the one on its path.
enum Beside {
    No,
    /// This one, known under this key.
    Known(AssociationPlace, FlowKey),
    /// One that is not known yet, and the key for it.
    New(FlowKey),
}

impl<T: FlowState> Sctp<T> {
    /// Finds the association of a packet, or makes it.
    pub(super) fn route<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        arrival: &ArrivedPacket<'_>,
        channel: Channel,
    ) {
        let first = &arrival.first;
        let on_path = self.paths.get(&arrival.key).map(|p| AssociationPlace {
            index: p.index,
            direction: if arrival.src_is_low {
                p.direction
            } else {
                p.direction.flip()
            },
        });
        let on_path = on_path.map(|p| self.of_tag(p, arrival));
        // Path and tag agree for nearly every packet: two look-ups and nothing else.
        let found = on_path.filter(|p| self.has_tag(*p, arrival)).or_else(|| {
            // An INIT carries tag 0, and it may open something new: its tag must not find anything.
            if first.kind == kind::INIT || arrival.header.tag == 0 {
                return None;
            }
            let reflected = is_reflected(first);
            let (src_port, dst_port) = (arrival.header.src_port, arrival.header.dst_port);
            // A reflected tag is that of the other direction, so the ports it was noted with are
            // the other way round.
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
            let p = if reflected { turned(*p) } else { *p };
            // Both sides may have chosen the same tag: then the addresses show the direction.
            (on_path != Some(turned(p))).then_some(p)
        });
        // On a path that is known, an announced tag proves nothing: `other_tag` weighs it against
        // what is there.
        let found = match on_path {
            None => found.or_else(|| self.by_initiate_tag(arrival, channel)),
            Some(_) => found,
        };
        if let Some(p) = found {
            // Checks first: a damaged or foreign packet must not teach a new address.
            if self.may_pass(cx, p, arrival) {
                if on_path.is_none_or(|known| known.index != p.index) {
                    self.add_path(cx, p, arrival.key, arrival.src_is_low);
                }
                self.process(cx, sink, p, &arrival.packet);
            }
        } else if let Some(p) = on_path {
            match self.beside(cx, p, arrival) {
                Beside::No => self.other_tag(cx, sink, p, arrival),
                Beside::Known(p, key) => {
                    self.other_tag(cx, sink, p, &ArrivedPacket { key, ..*arrival });
                }
                Beside::New(key) => self.open(cx, sink, &ArrivedPacket { key, ..*arrival }),
            }
        } else {
            self.open(cx, sink, arrival);
        }
    }

    /// Whether a packet with a strange tag is of an association between the same addresses and ports on another channel, as
    /// two tenants have them whose networks use the same addresses: one that was never seen on this packet's channel is not
    /// what it is about.
    fn beside(&self, cx: &Context, p: AssociationPlace, arrival: &ArrivedPacket<'_>) -> Beside {
        let merges = cx.limits.channels == Channels::Merge && arrival.key.number() == 0;
        let Some(a) = self.table.get(p.index).filter(|a| merges && !a.is_closed()) else {
            return Beside::No;
        };
        let (own, other) = (a.side(p.direction).tag, a.side(p.direction.flip()).tag);
        // What may be its own is: each direction can have a channel of its own.
        let strange = match arrival.first.kind {
            kind::INIT => {
                let init = arrival.first.init().filter(|_| arrival.header.tag == 0);
                init.is_some_and(|init| other.is_some_and(|tag| tag != init.tag))
                    && a.phase != Phase::HalfOpen
            }
            kind => opens(kind) && own.is_some_and(|tag| tag != arrival.header.tag),
        };
        if !strange || a.is_on(arrival.channel) {
            return Beside::No;
        }
        let mut free = None;
        for number in 1..=MAX_BESIDE {
            let key = arrival.key.numbered(number);
            let Some(known) = self.paths.get(&key) else {
                free = free.or(Some(key));
                continue;
            };
            let place = AssociationPlace {
                index: known.index,
                direction: if arrival.src_is_low {
                    known.direction
                } else {
                    known.direction.flip()
                },
            };
            let Some(b) = self.table.get(place.index).filter(|b| !b.is_closed()) else {
                free = free.or(Some(key));
                continue;
            };
            if b.is_on(arrival.channel) || b.side(place.direction).tag.is_none() {
                return Beside::Known(place, key);
            }
        }
        free.map_or(Beside::No, Beside::New)
    }

    /// INIT to, or INIT ACK from, another address than those that the association is known by: packets to its sender carry the
    /// tag that it announces, and the address of the side that began is the same.
    fn by_initiate_tag(
        &self,
        arrival: &ArrivedPacket<'_>,
        channel: Channel,
    ) -> Option<AssociationPlace> {
        if !matches!(arrival.first.kind, kind::INIT | kind::INIT_ACK) {
            return None;
        }
        let p = turned(*self.tags.get(&TagKey {
            // The tag inside an INIT is the one that its receiver will put on packets, so it names
            // the opposite direction.
            tag: arrival.first.init()?.tag,
            src_port: arrival.header.dst_port,
            dst_port: arrival.header.src_port,
            channel,
        })?);
        // A closed one ended; the same tag again is a new handshake.
        let a = self.table.get(p.index).filter(|a| !a.is_closed())?;
        let (own, other) = (a.side(p.direction), a.side(p.direction.flip()));
        let fits = if arrival.first.kind == kind::INIT {
            own.addresses.contains(&arrival.packet.origin.src)
        } else {
            other.addresses.contains(&arrival.packet.origin.dst)
                && own.tag.is_none_or(|t| t == arrival.header.tag)
        };
        fits.then_some(p)
    }

    /// Where both ends of a path are the same address and port, only the tag shows the direction.
    fn of_tag(&self, p: AssociationPlace, arrival: &ArrivedPacket<'_>) -> AssociationPlace {
        let o = &arrival.packet.origin;
        if o.src != o.dst || arrival.header.src_port != arrival.header.dst_port {
            return p;
        }
        // Only a clear answer turns the direction: with both tags unknown the path's guess stays.
        if !self.has_tag(p, arrival) && self.has_tag(turned(p), arrival) {
            return turned(p);
        }
        p
    }

    /// The packet carries the tag of this direction, or reflects that of the other.
    fn has_tag(&self, p: AssociationPlace, arrival: &ArrivedPacket<'_>) -> bool {
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
    fn may_pass(
        &mut self,
        cx: &mut Context,
        p: AssociationPlace,
        arrival: &ArrivedPacket<'_>,
    ) -> bool {
        // Its key is still known, so this is a late packet, not a new association.
        let Some(a) = self.table.get_mut(p.index).filter(|a| !a.is_closed()) else {
            cx.discard(Discard::SctpStray);
            return false;
        };
        let channel = a.channels.get_mut(p.direction.index());
        let first = channel.map_or(arrival.channel, |c| *c.get_or_insert(arrival.channel));
        if first != arrival.channel {
            if cx.limits.channels == Channels::First {
                cx.discard(Discard::SctpOtherChannel);
                return false;
            }
            if !a.is_on(arrival.channel) && a.other_channels.len() < MAX_CHANNELS {
                a.other_channels.push(arrival.channel);
            }
        }
        // The sum is judged by direction: one host may let its card fill sums in while the other
        // does not.
        let verify = cx.limits.sctp_checksums == Checksums::Verify;
        let side = a.side_mut(p.direction);
        match arrival.sum {
            PacketSum::Right => side.good_sum = true,
            // Zero is no error where the receiver has offered to take it (RFC 9653).
            PacketSum::Zero if verify && !side.zero_allowed => {
                cx.discard(Discard::SctpBadChecksum);
                return false;
            }
            PacketSum::Wrong if verify => {
                cx.discard(Discard::SctpBadChecksum);
                return false;
            }
            // This sender computes its sums itself, so this packet was damaged on the way. Its data
            // is a second choice; its other chunks are not believed.
            PacketSum::Wrong if side.good_sum => {
                let packet = &arrival.packet;
                let data = ChunkIter::new(packet.chunks, packet.cut)
                    .filter(|c| matches!(c.kind, kind::DATA | kind::I_DATA))
                    .filter_map(|c| c.data());
                for d in data {
                    cx.counters.sctp.damaged_chunks += 1;
                    side.inflow
                        .damaged(&d, packet.origin.at(packet.offset.after(d.offset)));
                }
                side.inflow.charge(cx, &mut self.active);
                cx.discard(Discard::SctpDamaged);
                return false;
            }
            PacketSum::Unknown | PacketSum::Zero | PacketSum::Wrong => {}
        }
        true
    }

    /// A packet on addresses and ports that nothing is known of.
    fn open<S: UserMessageSink<State = T>>(
        &mut self,
        cx: &mut Context,
        sink: &mut S,
        arrival: &ArrivedPacket<'_>,
    ) {
        let verify = cx.limits.sctp_checksums == Checksums::Verify;
        let kind = arrival.first.kind;
        // A packet that opens something has to be above suspicion where sums are verified.
        if verify && matches!(arrival.sum, PacketSum::Wrong | PacketSum::Zero) {
            return cx.discard(Discard::SctpBadChecksum);
        }
        // ABORT, SHUTDOWN ACK and the like end what was never seen. A real INIT has tag 0 (RFC
        // 9260, 8.5.1).
        if !opens(kind) || (kind == kind::INIT && arrival.header.tag != 0) {
            return cx.discard(Discard::SctpStray);
        }
        // The side that is seen first counts as forward.
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
        p: AssociationPlace,
        arrival: &ArrivedPacket<'_>,
    ) {
        // The order of the cases is that of certainty: bad sums, known candidates, INIT, INIT ACK,
        // answers to a candidate, and only then a strange tag.
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
            // In doubt about the tag, a wrong sum settles it: the tag may be what was damaged.
            PacketSum::Wrong => verify || a.side(d).good_sum,
            PacketSum::Zero => verify && !a.side(d).zero_allowed,
            PacketSum::Right | PacketSum::Unknown => false,
        };
        if bad {
            return cx.discard(Discard::SctpBadChecksum);
        }
        let from_candidate = a.candidate.as_ref().map(|c| c.tags);
        let from_candidate = from_candidate.and_then(|t| t.get(d.index()).copied().flatten());
        // An INIT carries no tag of the candidate's, even where that is zero.
        let candidates = from_candidate == Some(tag) && first.kind != kind::INIT;
        // Ended, and no candidate owns the tag: what opens begins anew, the rest is late.
        if a.is_closed() && !candidates {
            return if opens(first.kind) {
                self.open(cx, sink, arrival)
            } else {
                cx.discard(Discard::SctpStray)
            };
        }
        if first.kind == kind::INIT {
            // A tag other than zero on an INIT is forged or broken, and must not restart anything.
            let Some(init) = init.filter(|_| tag == 0) else {
                return cx.discard(Discard::SctpBadTag);
            };
            // A repeated INIT; one that crosses the other side's (RFC 9260, 5.2.1); a new attempt while nothing else
            // has been heard; or one that was captured behind the packets which follow it.
            let known = a.side(other).tag;
            // Nothing can be torn down by these, so they need no witness.
            if known.is_none() || known == Some(init.tag) || a.phase == Phase::HalfOpen {
                return self.process(cx, sink, p, &arrival.packet);
            }
            // Its end was seen; this is the next association on the same ports.
            if !matches!(a.phase, Phase::Open) {
                return self.open(cx, sink, arrival);
            }
            // A repeated INIT of the candidate. Dropping it would lose what was held for it.
            let same = a
                .candidate
                .as_ref()
                .is_some_and(|c| c.tags.get(other.index()) == Some(&Some(init.tag)));
            // One candidate at a time: an attacker who sends many INITs pushes out only candidates,
            // never the association.
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
        if let Some(init) = init {
            let untold = a.side(d).tag.is_none() && !a.is_closed();
            // The association's own INIT ACK: its tag had not been learned yet.
            if untold || (a.phase == Phase::HalfOpen && tag == 0) {
                return self.process(cx, sink, p, &arrival.packet);
            }
            // Another INIT ACK than the candidate's: its INIT was lost, and it is a candidate
            // itself.
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
                // The tag was announced now, and no longer a guess.
                c.guessed = false;
            }
            cx.counters.sctp.passed += 1;
            cx.counters.sctp.init_ack += 1;
            return;
        }
        if from_candidate == Some(tag) {
            // The cookie alone decides nothing: only COOKIE ACK shows that the server took it (RFC
            // 9260, 5.2.4). Until then it waits.
            if first.kind == kind::COOKIE_ECHO {
                return self.hold(cx, p, &arrival.packet);
            }
            return self.promote(cx, sink, p, arrival);
        }
        if from_candidate.is_none() && opens(first.kind) {
            // A strange tag in the other direction as well: somebody answers.
            // Two strange tags, one in each direction, cannot both be damage: somebody has
            // answered.
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
        // A strange tag on an ABORT would be a blind attack on the association (RFC 9260, 8.5.1):
        // the receiver ignores it too.
        if !opens(first.kind) {
            return cx.discard(Discard::SctpBadTag);
        }
        if let Some(c) = a.candidate.as_mut().filter(|c| c.handshake) {
            // The candidate's tag was announced; this is a third one and proves nothing.
            if from_candidate.is_some() && !c.guessed {
                return cx.discard(Discard::SctpBadTag);
            }
            if from_candidate.is_none() {
                // Its INIT ACK was not captured. As with any strange tag, a second packet decides.
                put(&mut c.tags, d, tag);
                c.guessed = true;
                return self.hold(cx, p, &arrival.packet);
            }
        }
        // A second packet with this tag will show that there is another association, whose handshake was lost.
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
    fn hold(&mut self, cx: &mut Context, p: AssociationPlace, packet: &SctpPacket<'_>) {
        let candidate = self
            .table
            .get_mut(p.index)
            .and_then(|a| a.candidate.as_mut());
        // More than fits is refused, not the oldest dropped: the first packets open the
        // association.
        let Some(c) = candidate.filter(|c| c.held.len() < MAX_HELD) else {
            return cx.discard(Discard::SctpBadTag);
        };
        // Charged at once: a candidate may be abandoned and never looked at again.
        let octets = size_of::<HeldPacket>() + packet.chunks.len();
        c.octets += octets;
        cx.budget.take(octets);
        cx.counters.sctp.held_packets += 1;
        c.held.push(HeldPacket {
            direction: p.direction,
            chunks: packet.chunks.to_vec(),
            cut: packet.cut,
            doubtful: packet.doubtful,
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

    pub(super) fn drop_candidate(&mut self, cx: &mut Context, index: u32) {
        let candidate = self.table.get_mut(index).and_then(|a| a.candidate.take());
        if let Some(c) = candidate {
            cx.budget.give(c.octets);
            // They were never used, so each counts as dropped: counters must balance.
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
        p: AssociationPlace,
        arrival: &ArrivedPacket<'_>,
    ) {
        let candidate = self.table.get_mut(p.index).and_then(|a| a.candidate.take());
        let Some(c) = candidate else {
            return cx.discard(Discard::SctpBadTag);
        };
        cx.budget.give(c.octets);
        let same = (p.direction == REVERSE) == c.reversed;
        let direction = if same { FORWARD } else { REVERSE };
        // Copied before the old association goes. The INIT chunks that offered it belong to the new
        // one.
        let zero_allowed = self.table.get(p.index).map(|a| {
            let sides = &a.sides;
            [sides[0].zero_allowed, sides[1].zero_allowed]
        });
        // A handshake that was completed replaces the association (a restart, RFC 9260, 5.2). A
        // pair of strange tags only stands beside it.
        if c.handshake {
            cx.counters.sctp.restarts += 1;
            // All that waits in the old one comes out before anything of the new one.
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
            let place = AssociationPlace {
                index: new.index,
                direction: turn(old),
            };
            // Tags before packets: those that were held are checked against them.
            if let Some(tag) = c.tags.get(old.index()).copied().flatten() {
                self.set_tag(place, tag);
            }
            if let Some(a) = self.table.get_mut(new.index) {
                if let (Some(z), true) = (zero_allowed, c.handshake) {
                    a.side_mut(place.direction).zero_allowed =
                        z.get(old.index()).copied().unwrap_or(false);
                }
                // The first TSNs were announced in the handshake. With them, the start needs no
                // look-behind.
                if let Some(tsn) = c.tsns.get(old.index()).copied().flatten() {
                    a.with(cx, sink, place.direction, |i, out| i.begin(out, tsn));
                }
            }
        }
        // In the order of capture, and before the packet that confirmed them.
        for held in &c.held {
            cx.counters.sctp.held_packets -= 1;
            let packet = SctpPacket {
                chunks: &held.chunks,
                // Only what is emitted at once is traced to its record.
                offset: OctetOffset::Unknown,
                cut: held.cut,
                doubtful: held.doubtful,
                origin: held.origin,
                link: held.link,
            };
            let place = AssociationPlace {
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
        arrival: &ArrivedPacket<'_>,
        direction: Direction,
    ) -> Option<AssociationPlace> {
        // The table is full: half-open ones go first, as a scan makes nothing else.
        while self.table.len() >= cx.limits.connections.max(1) {
            let oldest = self.table.oldest(Standing::HalfOpen);
            let index = oldest.or_else(|| self.table.oldest(Standing::Open))?;
            self.evict(cx, sink, index);
        }
        // Asked before the path is taken over.
        let reused = self.paths.contains_key(&arrival.key);
        let mut sides = [AssociationSide::default(), AssociationSide::default()];
        let origin = &arrival.packet.origin;
        let [forward, reverse] = &mut sides;
        let (from, to) = match direction {
            Direction::Forward => (forward, reverse),
            Direction::Reverse => (reverse, forward),
        };
        from.addresses.push(origin.src);
        to.addresses.push(origin.dst);
        from.good_sum = arrival.sum == PacketSum::Right;
        let forward_is_low = (direction == FORWARD) == arrival.src_is_low;
        let association = Association {
            flow: Flow {
                transport: Transport::Sctp,
                number: self.number,
                key: arrival.key,
                forward_is_low,
                reused,
                decrypted: None,
                links: [arrival.packet.link; 2],
            },
            state: T::default(),
            sides,
            phase: Phase::HalfOpen,
            packets: 0,
            last: cx.now,
            times: [cx.packet.time; 2],
            channels: match direction {
                Direction::Forward => [Some(arrival.channel), None],
                Direction::Reverse => [None, Some(arrival.channel)],
            },
            other_channels: Vec::new(),
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
        // The newest association on a path is where its packets go from now on.
        self.paths.insert(
            arrival.key,
            AssociationPlace {
                index,
                direction: low,
            },
        );
        Some(AssociationPlace { index, direction })
    }

    /// Notes the tag of the packets of one direction.
    pub(super) fn set_tag(&mut self, p: AssociationPlace, tag: u32) {
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        // A change of the tag would only cost two hash operations for nothing.
        if a.side(p.direction).tag == Some(tag) {
            return;
        }
        // Only if the entry still leads here: a successor may own the tag by now.
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
    fn add_path(&mut self, cx: &mut Context, p: AssociationPlace, key: FlowKey, src_is_low: bool) {
        let taken = self.paths.get(&key).map(|q| q.index);
        if taken == Some(p.index) {
            return;
        }
        if taken
            .and_then(|i| self.table.get(i))
            // A path that belongs to a living association is not taken from it: one forged address
            // list could otherwise capture another's traffic.
            .is_some_and(|a| !a.is_closed())
        {
            return;
        }
        let Some(a) = self.table.get_mut(p.index) else {
            return;
        };
        // What lies beyond is still found by its tag.
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
            AssociationPlace {
                index: p.index,
                direction: low,
            },
        );
    }

    /// Notes addresses that one side names as its own.
    pub(super) fn add_addresses(
        &mut self,
        cx: &mut Context,
        p: AssociationPlace,
        addresses: impl Iterator<Item = IpAddr>,
    ) {
        for address in addresses {
            let Some(a) = self.table.get_mut(p.index) else {
                return;
            };
            let own = &mut a.side_mut(p.direction).addresses;
            // An unspecified address stands for "the source of this packet" (RFC 5061, 4.2.1) and
            // would match everything if it were noted.
            if own.contains(&address) || own.len() >= MAX_ADDRESSES || address.is_unspecified() {
                continue;
            }
            own.push(address);
            let port = a.flow.src(p.direction).port();
            let peer = a.flow.dst(p.direction).port();
            let channel = a.flow.channel();
            // Every pair, since a packet may leave from any own address to any of the other's.
            for other in a.side(p.direction.flip()).addresses.clone() {
                if address.is_ipv4() == other.is_ipv4() {
                    let (key, low) = FlowKey::new((address, port), (other, peer), channel);
                    self.add_path(cx, p, key, low);
                }
            }
        }
    }
}

/// The same association, the other way.
const fn turned(p: AssociationPlace) -> AssociationPlace {
    AssociationPlace {
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

/// An association that was captured from the middle can begin with this chunk.
// ABORT, SHUTDOWN ACK, SHUTDOWN COMPLETE and ERROR are missing: they only end or complain, and a
// stray one must not open a row in anybody's output.
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
