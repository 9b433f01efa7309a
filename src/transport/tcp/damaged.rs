//! Segments that were damaged on the way, and how they differ from those whose checksum the hardware fills in.

use super::Tcp;
use super::checksum::SegmentSum;
use super::connection::trace_fate;
use super::order::OPEN;
use super::segment::{Segment, low_of};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::{AddressPair, FlowKey};
use crate::base::stream::FlowState;
use crate::base::trace::Fate;
use crate::transport::stream::StreamSink;
use crate::transport::table::FlowPlace;

/// Pairs of addresses that are remembered for their right checksums: about a megabyte. Where the one of a path has been
/// forgotten, a damaged segment on it counts as one whose checksum the hardware fills in, until a right one is seen again.
// Half of it would forget busy paths on a large tap and let damaged octets through as good ones;
// twice of it would cost another megabyte for paths that are hardly met.
const PATHS: usize = 16_384;

impl<S: FlowState> Tcp<S> {
    /// Its checksum is wrong though its sender has shown right ones (`valid_before`: in its connection): it was damaged on the way.
    /// Right ones are remembered.
    pub(super) fn is_damaged(
        &mut self,
        cx: &mut Context,
        segment: &Segment<'_>,
        sum: SegmentSum,
        valid_before: bool,
        found: Option<FlowPlace>,
        low: bool,
    ) -> bool {
        // By address, without ports: the card that fills in checksums belongs to the host.
        let path = AddressPair(segment.src.0, segment.dst.0);
        // Without a right one from this sender, a wrong sum is a card's work and its octets are as
        // good as any.
        if sum == SegmentSum::Wrong {
            return valid_before || self.checksums_valid.find(&path).is_some();
        }
        if !valid_before {
            if let Some(c) = found.and_then(|place| self.table.get_mut(place, &mut cx.budget)) {
                c.set_checksums_valid(c.direction(low));
            }
            // Also for connections to come: their first segment may be the damaged one.
            self.remember_valid(cx, path);
        }
        false
    }

    /// Remembers that right checksums go from one address to another.
    pub(super) fn remember_valid(&mut self, cx: &mut Context, path: AddressPair) {
        // The oldest goes first, by last right checksum, so that a scan through many addresses does not push out a busy one. What
        // takes its place takes no more room.
        if self.checksums_valid.renew_or_insert(path, (), PATHS) {
            self.charge(cx);
        }
    }

    /// Keeps a damaged segment as second choice.
    pub(super) fn damaged<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        segment: &Segment<'_>,
        found: Option<FlowPlace>,
        low: bool,
        sink: &mut K,
    ) {
        cx.counters.tcp.damaged += 1;
        let known =
            found.and_then(|place| Some((place, self.table.get_mut(place, &mut cx.budget)?)));
        let Some((place, connection)) = known else {
            let keeps = !segment.payload.is_empty() && !segment.has(flags::RST);
            trace_fate(cx, None, segment, None, Fate::Damaged(keeps));
            if keeps {
                self.early.push(cx, *key, segment);
            }
            return;
        };
        let waited = connection.waiting();
        let direction = connection.direction(low);
        if connection.receive_damaged(cx, key, direction, segment) {
            // It may be all that a due hole waited for.
            connection.advance(cx, sink);
            if connection.is_listed_at(cx.now, OPEN) {
                self.table.touch(place, OPEN);
            }
            self.after(cx, place, waited, sink);
        }
    }
    /// Gives a connection that has begun the damaged segments that came before it.
    pub(super) fn adopt<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        place: FlowPlace,
        sink: &mut K,
    ) {
        for held in self.early.take(cx, key) {
            let segment = held.segment();
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                continue;
            };
            let waited = connection.waiting();
            let direction = connection.direction(low_of(key, &segment));
            let kept = cx.for_packet(held.packet(), |cx| {
                connection.receive_damaged(cx, key, direction, &segment)
            });
            if kept {
                connection.advance(cx, sink);
                self.after(cx, place, waited, sink);
            }
        }
    }
}
