//! Damaged segments that came where no connection was known.

use super::connection::HeldSegment;
use super::segment::Segment;
use crate::base::context::Context;
use crate::base::flow::FlowKey;
use crate::base::state::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Damaged segments that wait for their connection: some for each of the few connections that begin with one on a line that
/// damages packets.
const EARLY: usize = 64;

/// Damaged segments that came where no connection is known: they open none, but are second choice for one that begins
/// soon after.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct EarlyDamaged {
    /// In the order in which they came.
    segments: VecDeque<(FlowKey, HeldSegment)>,
    /// Octets that the budget knows of.
    charged: usize,
}

impl EarlyDamaged {
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Octets of data.
    #[cfg(test)]
    pub(super) fn octets(&self) -> u64 {
        self.segments
            .iter()
            .map(|(_, held)| held.payload.len() as u64)
            .sum()
    }

    /// Keeps a segment; the oldest ones go.
    pub(super) fn push(&mut self, cx: &mut Context, key: FlowKey, segment: &Segment<'_>) {
        let wait = cx.limits.tcp_packet_timeout;
        let now = cx.now;
        while self.segments.front().is_some_and(|(_, first)| {
            self.segments.len() >= EARLY || now.since(first.arrived) >= wait
        }) {
            let first = self.segments.pop_front();
            Self::refuse(cx, first.as_slice());
        }
        self.segments
            .push_back((key, HeldSegment::new(cx, segment)));
        self.charge(cx);
    }

    /// Those of a connection.
    pub(super) fn take(&mut self, cx: &mut Context, key: &FlowKey) -> Vec<HeldSegment> {
        if !self.segments.iter().any(|(other, _)| other == key) {
            return Vec::new();
        }
        let (wait, now) = (cx.limits.tcp_packet_timeout, cx.now);
        let mut own = Vec::new();
        for (other, held) in std::mem::take(&mut self.segments) {
            if other != *key {
                self.segments.push_back((other, held));
            } else if now.since(held.arrived) >= wait {
                cx.counters.tcp.refused_octets += held.payload.len() as u64;
            } else {
                own.push(held);
            }
        }
        self.charge(cx);
        own
    }

    /// Drops all of them.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        let (all, rest) = self.segments.as_slices();
        Self::refuse(cx, all);
        Self::refuse(cx, rest);
        self.segments = VecDeque::new();
        self.charge(cx);
    }

    fn refuse(cx: &mut Context, segments: &[(FlowKey, HeldSegment)]) {
        for (_, held) in segments {
            cx.counters.tcp.refused_octets += held.payload.len() as u64;
        }
    }

    fn charge(&mut self, cx: &mut Context) {
        let held: usize = self.segments.iter().map(|(_, held)| held.size()).sum();
        let now = held + self.segments.capacity() * size_of::<FlowKey>();
        cx.budget.rebook(&mut self.charged, now);
    }
}
