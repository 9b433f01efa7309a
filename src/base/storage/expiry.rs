//! Which entry of a table is due first.

use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem::size_of;

/// Deadlines of the entries of a table, named by index and generation.
///
/// An entry is not taken out when its deadline moves: whoever gets a deadline checks whether it still holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
// A heap with entries that may be void is cheaper than one that is updated: deadlines move with
// nearly every packet, and few of them ever come.
pub struct Deadlines(BinaryHeap<Reverse<(Instant, u32, u32)>>);

impl Deadlines {
    /// The entry is to be looked at when the clock has come to `at`.
    pub fn push(&mut self, at: Instant, index: u32, generation: u32) {
        self.0.push(Reverse((at, index, generation)));
    }

    /// An entry is due at `now`.
    pub fn is_due(&self, now: Instant) -> bool {
        self.0.peek().is_some_and(|Reverse((at, _, _))| *at <= now)
    }

    /// The next entry that is due at `now`: its deadline, index and generation.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, u32, u32)> {
        if self.is_due(now) { self.pop() } else { None }
    }

    /// The entry that is due first.
    pub fn pop(&mut self) -> Option<(Instant, u32, u32)> {
        self.0.pop().map(|Reverse(e)| e)
    }

    /// Octets allocated.
    pub fn allocated(&self) -> usize {
        self.0.capacity() * size_of::<Reverse<(Instant, u32, u32)>>()
    }

    /// Entries, those included that no longer hold.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first() {
        let mut d = Deadlines::default();
        for (at, index) in [(30, 3), (10, 1), (20, 2)] {
            d.push(Instant::from_nanos(at), index, 0);
        }
        assert_eq!(d.pop_due(Instant::from_nanos(9)), None);
        assert_eq!(
            [9, 10].map(|now| d.is_due(Instant::from_nanos(now))),
            [false, true]
        );
        let due: Vec<u32> = std::iter::from_fn(|| d.pop_due(Instant::from_nanos(20)))
            .map(|e| e.1)
            .collect();
        assert_eq!(due, [1, 2]);
        assert_eq!(d.len(), 1);
    }
}
