//! What connections queue up in: by the time at which they are due, by how long and how much they buffer.

use super::connection::Connection;
use crate::base::context::Context;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Instant;
use crate::transport::table::FlowPlace;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Power of two of the octets from which on a connection counts as heavy: 16 KiB. Lighter ones are not queued by weight, as
/// giving one of their holes up frees little; of those the one that waits longest goes first.
const HEAVY: u8 = 14;

/// What connections queue up in.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Queues {
    pub(super) next_number: u64,
    /// When a connection has to be looked at though no packet of it comes; an entry counts only while the connection
    /// says that it is armed for that time.
    pub(super) deadlines: BinaryHeap<Reverse<(Instant, FlowPlace)>>,
    /// Connections in the order in which something began to wait in them.
    pub(super) waiters: VecDeque<FlowPlace>,
    /// Connections in which many octets wait, by the power of two of their number; an entry counts only while it is true.
    pub(super) heavy: BinaryHeap<(u8, FlowPlace)>,
    /// Segments, or parts, that wait in all connections.
    pub(super) waiting: usize,
    /// Before this time no connection has been idle for too long.
    pub(super) expiry: Instant,
}

impl Queues {
    /// Octets allocated.
    pub(super) fn allocated(&self) -> usize {
        self.deadlines.capacity() * size_of::<Reverse<(Instant, FlowPlace)>>()
            + self.waiters.capacity() * size_of::<FlowPlace>()
            + self.heavy.capacity() * size_of::<(u8, FlowPlace)>()
    }

    /// As many wait now as never before, perhaps.
    pub(super) fn note_most(&self, cx: &mut Context) {
        let most = &mut cx.counters.buffer.segments_peak;
        *most = (*most).max(self.waiting as u64);
    }

    /// Entries of the longest queue.
    pub(super) fn longest(&self) -> usize {
        self.waiters
            .len()
            .max(self.deadlines.len())
            .max(self.heavy.len())
    }

    /// A connection weighs so much now.
    pub(super) fn weigh(&mut self, place: FlowPlace, class: u8) {
        if class >= HEAVY {
            self.heavy.push((class, place));
        }
    }

    /// Has a connection looked at at a time, unless that is arranged already.
    pub(super) fn arm<S>(
        &mut self,
        now: Instant,
        place: FlowPlace,
        connection: &mut Connection<S>,
        at: Instant,
    ) {
        // What has just been looked at is not looked at again before the clock has moved.
        // A deadline at the present time would be popped again by the same loop, and an idle
        // capture would never come out of it.
        let at = at.max(now.after(Duration::from_nanos(1)));
        if connection.arm(at) {
            self.deadlines.push(Reverse((at, place)));
        }
    }
}
