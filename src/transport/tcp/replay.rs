//! Segments that were held until it was known where they belong: to the connection that they came on, to a new one, or to
//! one of their own.

use super::connection::{Connection, HeldSegment};
use super::segment::{Segment, low_of};
use super::{Tcp, count_close};
use crate::base::context::Context;
use crate::base::counters::Discard;
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
        let mut rest = Vec::new();
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
                _ => rest.push(other.clone()),
            }
        }
        self.stand_alone(cx, &key, &rest, Close::Unconfirmed, sink);
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
        for (i, one) in held.iter().enumerate() {
            let segment = one.segment();
            // A held segment may end the connection (a FIN), or make it go for room. The rest then
            // has nowhere to go.
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                return self.stand_alone(cx, key, &held[i..], Close::Unconfirmed, sink);
            };
            let direction = connection.direction(low_of(key, &segment));
            cx.for_packet(one.packet(), |cx| {
                self.pass(cx, key, place, direction, &segment, sink);
            });
        }
    }

    /// Hands data that was held to the connection whose SYN came behind it. What does not fit stands alone.
    pub(super) fn join<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        place: Option<FlowPlace>,
        held: Vec<HeldSegment>,
        sink: &mut K,
    ) {
        let (mut own, mut rest) = (Vec::new(), Vec::new());
        for held in held {
            let segment = held.segment();
            let connection = place.and_then(|place| self.table.get_mut(place, &mut cx.budget));
            let fits = connection.is_some_and(|c| {
                let direction = c.direction(low_of(key, &segment));
                c.fits(cx, direction, &segment)
            });
            if fits { &mut own } else { &mut rest }.push(held);
        }
        self.stand_alone(cx, key, &rest, Close::Unconfirmed, sink);
        if let Some(place) = place {
            self.pass_held(cx, key, place, &own, sink);
        }
    }

    /// Segments that nothing has confirmed are connections of their own, which began in the middle and end here: one for
    /// all whose numbers fit each other. `close` is why nothing can confirm them any more.
    pub(super) fn stand_alone<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        held: &[HeldSegment],
        close: Close,
        sink: &mut K,
    ) {
        let mut alone: Vec<Connection<S>> = Vec::new();
        for held in held {
            let segment = held.segment();
            // Only data makes a connection worth showing. A SYN that nobody answered in two seconds
            // was a retry or forged.
            if segment.has(flags::SYN | flags::RST) || segment.payload.is_empty() {
                if !segment.payload.is_empty() {
                    cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                    cx.for_packet(held.packet(), |cx| cx.discard(Discard::TcpStray));
                }
                continue;
            }
            // Not put into the table: its key is taken by the connection that goes on there.
            let low = low_of(key, &segment);
            let fits = |c: &Connection<S>| c.fits(cx, c.direction(low), &segment);
            let at = alone.iter().position(fits).unwrap_or_else(|| {
                cx.counters.tcp.connections += 1;
                cx.counters.tcp.midstream += 1;
                let number = self.queues.next_number;
                self.queues.next_number += 1;
                alone.push(Connection::new(number, low, true, cx.now));
                alone.len() - 1
            });
            let Some(connection) = alone.get_mut(at) else {
                continue;
            };
            let direction = connection.direction(low);
            cx.for_packet(held.packet(), |cx| {
                connection.receive(cx, key, direction, &segment, sink)
            });
        }
        // Ended at once: a third segment would have confirmed it before.
        for mut connection in alone {
            let close = connection.close(cx, key, close, sink);
            count_close(cx, close);
        }
    }
}
