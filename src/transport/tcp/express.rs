//! The straight way of the segment that nearly all are: of a known connection, whole, in a plain packet, with a right checksum. Either
//! it has the number that is due, and nothing waits and nothing ends; or octets wait behind a hole, and it comes behind those. A
//! SYN that opens a connection has one too.
//!
//! Everything is asked before anything is changed, cheapest first, so that a segment which turns out to be another one goes the
//! full way from the beginning as if it had never been here. How headers are read and the connection is found is written a second
//! time here, for speed; what a segment does to the connection is not, but in `take_behind` and `opened`.

use super::connection::{Behind, HalfOpenConnection};
use super::order::HALF_OPEN;
use super::segment::{Segment, window_scale};
use super::{Tcp, listed_anew};
use crate::base::checksum;
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::{AddressPair, Direction, ShortKey};
use crate::base::limits::Checksums;
use crate::base::packet::Packet;
use crate::base::serial::SeqNumber;
use crate::base::stream::FlowState;
use crate::ip::PlainPacket;
use crate::transport::stream::StreamSink;
use crate::transport::table::FlowPlace;
use etherparse::IpNumber;

/// A segment in a plain packet, as it stands there.
struct PlainSegment<'a> {
    segment: Segment<'a>,
    /// Its header: what each has, and options.
    fixed: &'a [u8; 20],
    options: &'a [u8],
    key: ShortKey,
    /// Its sender is the lower endpoint of the key.
    low: bool,
}

/// What a segment in a plain packet is made of: what each header has, options, and payload.
type SegmentParts<'a> = (&'a [u8; 20], &'a [u8], &'a [u8]);

impl<'a> PlainSegment<'a> {
    /// None where the packet has no whole TCP header.
    // Apart from `of`, which cannot fail: a segment in an `Option` would be moved once more for each packet.
    #[inline(always)] // every packet comes here
    fn parts(ip: &PlainPacket<'a>) -> Option<SegmentParts<'a>> {
        let (fixed, behind) = ip.payload.split_first_chunk::<20>()?;
        if ip.protocol != IpNumber::TCP.0 {
            return None;
        }
        let header = usize::from(fixed[12] >> 4) * 4;
        let (options, payload) = behind.split_at_checked(header.checked_sub(fixed.len())?)?;
        Some((fixed, options, payload))
    }

    /// The segment that these are the parts of.
    #[inline(always)] // every packet comes here
    fn of(ip: &PlainPacket<'a>, (fixed, options, payload): SegmentParts<'a>) -> Self {
        let word = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let half = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let (src, dst) = ((ip.src, half(0)), (ip.dst, half(2)));
        let (key, low) = ShortKey::new(src, dst);
        let segment = Segment {
            src: (src.0.into(), src.1),
            dst: (dst.0.into(), dst.1),
            seq: SeqNumber(word(4)),
            ack: (fixed[13] & flags::ACK != 0).then_some(SeqNumber(word(8))),
            flags: fixed[13],
            window: half(14),
            window_scale: None,
            payload_sum: None,
            payload,
            offset: PlainPacket::offset(fixed.len() + options.len()),
            // A datagram of IPv4 is shorter.
            payload_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        };
        Self {
            segment,
            fixed,
            options,
            key,
            low,
        }
    }

    /// Its checksum is right, where somebody looks at it; then the sum of its payload is known.
    #[inline(always)]
    fn is_right(&mut self, ip: &PlainPacket<'_>, how: Checksums) -> bool {
        if how == Checksums::Ignore {
            return true;
        }
        let payload = self.segment.payload;
        let sum = (checksum::Sum::of(payload), payload.len());
        self.segment.payload_sum = (!payload.is_empty()).then_some(sum.0);
        checksum::is_right_v4(
            IpNumber::TCP.0,
            [ip.src, ip.dst],
            self.fixed,
            self.options,
            sum,
        )
    }
}

impl<S: FlowState> Tcp<S> {
    /// Takes a segment that is as nearly all are. False where it is not, or not certainly: nothing was done then.
    #[inline(always)] // every packet comes here
    pub(crate) fn express<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        packet: &Packet<'_>,
        ip: &PlainPacket<'_>,
        sink: &mut K,
    ) -> bool {
        const CONTROL: u8 = flags::SYN | flags::FIN | flags::RST | flags::ACK;
        let Some(parts) = PlainSegment::parts(ip) else {
            return false;
        };
        let mut plain = PlainSegment::of(ip, parts);
        if cx.limits.disable_tcp || !self.split.is_empty() {
            return false;
        }
        let control = plain.segment.flags & CONTROL;
        if control != flags::ACK {
            return control == flags::SYN && self.express_open(cx, packet, ip, parts);
        }
        let Some((place, connection)) = self.table.find_whole(plain.key) else {
            return false;
        };
        let direction = connection.direction(plain.low);
        if !connection.is_on_plain(direction) {
            return false;
        }
        let next = connection.is_next_in_order(cx, direction, &plain.segment)
            && connection.may_take_next(cx, direction, &plain.segment);
        if !next && !connection.may_take_behind(cx, direction, &plain.segment) {
            return false;
        }
        // Last, as it is what costs most. A sum that is not right says several things, which the full way tells apart.
        let sums = cx.limits.tcp_checksums;
        if sums != Checksums::Ignore && !connection.checksums_valid(direction)
            || !plain.is_right(ip, sums)
        {
            return false;
        }
        ip.pass(packet, cx);
        let segment = &plain.segment;
        let counters = &mut cx.counters.tcp;
        counters.segments += 1;
        counters.octets += segment.payload.len() as u64;
        counters.pure_acks += u64::from(segment.payload.is_empty());
        if !next {
            self.behind(cx, place, direction, segment, sink);
            return true;
        }
        let quiet = connection.take_next(cx, direction, segment, sink);
        if let Some(list) = listed_anew(connection, cx.now) {
            self.table.touch(place, list);
        }
        if !quiet {
            self.after(cx, place, 0, sink);
        }
        true
    }

    /// Takes a SYN that begins a connection, and nothing more, where there is room in the table: of a scan or a flood, each
    /// packet. The connection is put down in its compact form at once. False where it is another one; nothing was done then.
    #[inline(never)] // off the way of those that have data
    fn express_open(
        &mut self,
        cx: &mut Context,
        packet: &Packet<'_>,
        ip: &PlainPacket<'_>,
        parts: SegmentParts<'_>,
    ) -> bool {
        let mut plain = PlainSegment::of(ip, parts);
        if !plain.segment.payload.is_empty()
            || cx.trace.is_on()
            || !self.early.is_empty()
            || self.table.is_full()
            || self.table.len() >= cx.limits.connections.max(1)
            || self.table.knows(plain.key)
            || !plain.is_right(ip, cx.limits.tcp_checksums)
        {
            return false;
        }
        let valid = cx.limits.tcp_checksums != Checksums::Ignore;
        let options = Some(plain.options);
        plain.segment.window_scale = window_scale(options);
        let number = self.queues.next_number;
        let opened = HalfOpenConnection::opened(number, plain.low, cx.now, &plain.segment, valid);
        let Some(opened) = opened else {
            return false;
        };
        ip.pass(packet, cx);
        let counters = &mut cx.counters.tcp;
        counters.segments += 1;
        counters.syn += 1;
        counters.connections += 1;
        self.queues.next_number += 1;
        if valid {
            self.remember_valid(cx, AddressPair(ip.src.into(), ip.dst.into()));
        }
        self.table
            .insert_half_open(plain.key, opened, HALF_OPEN, &mut cx.budget);
        true
    }

    /// Hands a segment to its connection that [`may_take_behind`](Connection::may_take_behind) take it.
    #[inline(never)] // off the way of the segment that nearly all are
    fn behind<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: FlowPlace,
        direction: Direction,
        segment: &Segment<'_>,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waited = connection.waiting();
        let what = connection.take_behind(cx, direction, segment);
        if what == Behind::Due {
            connection.advance(cx, sink);
        }
        let heavier = connection.is_heavier();
        if let Some(list) = listed_anew(connection, cx.now) {
            self.table.touch(place, list);
        }
        let full = self.queues.waiting >= cx.limits.active_packets;
        if what == Behind::Nothing && !heavier && !full {
            // One segment more waits in a connection that is queued already.
            self.queues.waiting += usize::from(!segment.payload.is_empty());
            self.queues.note_most(cx);
        } else {
            self.after(cx, place, waited, sink);
        }
    }
}
