//! Segments that were held until it was known where they belong: to the connection that they came on, to a new one, or to
//! one of their own.

use super::Tcp;
use super::connection::{Connection, HeldSegment};
use super::segment::{Segment, low_of};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::FlowKey;
use crate::base::stream::{Close, FlowState};
use crate::transport::stream::StreamSink;
use crate::transport::table::FlowPlace;

impl<S: FlowState> Tcp<S> {
    /// Opens a connection on the ports of another one with what was held for it; the SYN that `by` confirms begins it.
    pub(super) fn reopen<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: FlowKey,
        held: &[HeldSegment],
        by: Option<&Segment<'_>>,
        sink: &mut K,
    ) -> Option<FlowPlace> {
        // Only a SYN, or a segment that begins somewhere, can open: a RST cannot.
        let first = HeldSegment::opener(held, by)?;
        let opener = held.get(first)?;
        let segment = opener.segment();
        let low = low_of(&key, &segment);
        // Under the packet that it came in: time, frame and link header of the new connection are
        // those of its first segment, not of the one that confirmed it.
        let place = cx.for_packet(opener.packet(), |cx| {
            self.open(cx, key, low, &segment, true, sink)
        });
        // The others in the order of capture, if their numbers fit what the SYN has begun. What
        // does not fit was held for another reason.
        for (i, other) in held.iter().enumerate() {
            let segment = other.segment();
            let connection = place.and_then(|place| self.table.get_mut(place, &mut cx.budget));
            let direction = connection.and_then(|c| {
                let direction = c.direction(low_of(&key, &segment));
                c.fits(cx, direction, &segment).then_some(direction)
            });
            match (place, direction) {
                _ if i == first => {}
                (Some(place), Some(direction)) => cx.for_packet(other.packet(), |cx| {
                    self.pass(cx, &key, place, direction, &segment, sink);
                }),
                _ => cx.counters.tcp.refused_octets += segment.payload.len() as u64,
            }
        }
        place
    }

    /// Hands segments that were held to the connection that they belong to.
    pub(super) fn pass_held<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        place: FlowPlace,
        held: &[HeldSegment],
        sink: &mut K,
    ) {
        for held in held {
            let segment = held.segment();
            // A held segment may end the connection (a FIN), or make it go for room. The rest then
            // has nowhere to go.
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                break;
            };
            let direction = connection.direction(low_of(key, &segment));
            cx.for_packet(held.packet(), |cx| {
                self.pass(cx, key, place, direction, &segment, sink);
            });
        }
    }

    /// Segments that nothing has confirmed are a connection of their own, which began in the middle and ends here.
    pub(super) fn stand_alone<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        held: &[HeldSegment],
        sink: &mut K,
    ) {
        let mut alone: Option<Connection<S>> = None;
        for held in held {
            let segment = held.segment();
            // Only data makes a connection worth showing. A SYN that nobody answered in two seconds
            // was a retry or forged.
            if segment.has(flags::SYN | flags::RST) || segment.payload.is_empty() {
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                continue;
            }
            // Not put into the table: its key is taken by the connection that goes on there.
            let connection = alone.get_or_insert_with(|| {
                cx.counters.tcp.connections += 1;
                cx.counters.tcp.midstream += 1;
                let number = self.queues.next_number;
                self.queues.next_number += 1;
                Connection::new(number, low_of(key, &segment), true, cx.now)
            });
            let direction = connection.direction(low_of(key, &segment));
            cx.for_packet(held.packet(), |cx| {
                connection.receive(cx, key, direction, &segment, sink)
            });
        }
        // Ended at once: a third segment would have confirmed it before.
        if let Some(mut connection) = alone {
            cx.counters.tcp.closed_idle += 1;
            connection.close(cx, Close::Idle, sink);
        }
    }
}
