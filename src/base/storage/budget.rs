//! What is allocated for things that wait, held against one limit for the whole program.

use serde::{Deserialize, Serialize};

/// Octets that an allocation of so many takes: the allocator adds 8 and rounds up to 16 (glibc's; others take about as
/// much). With many small allocations that is a tenth of all memory.
// A connection consists of a few small allocations; counted by their plain size, a million of them
// would pass the limit by a tenth unseen.
pub const fn allocated(octets: usize) -> usize {
    match octets {
        0 => 0,
        1..=24 => 32,
        _ => (octets + 8).next_multiple_of(16),
    }
}

/// Octets allocated for all that waits, against a limit.
///
/// Whoever allocates says so with [`Budget::take`] and gives back with [`Budget::give`]; after each packet the assembler
/// looks at [`Budget::over`] and makes room, from what is idle to what is in use. What is counted is what is allocated (capacities),
/// not what is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Budget {
    limit: usize,
    used: usize,
    peak: usize,
}

impl Budget {
    /// A budget of `limit` octets.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            peak: 0,
        }
    }

    /// `octets` have been allocated.
    pub fn take(&mut self, octets: usize) {
        self.used += octets;
        self.peak = self.peak.max(self.used);
    }

    /// `octets` have been freed.
    pub fn give(&mut self, octets: usize) {
        // A wrong balance shows in tests; in a release build it must not stop the program or wrap
        // to a huge number.
        debug_assert!(octets <= self.used, "gave back more than was taken");
        self.used = self.used.saturating_sub(octets);
    }

    /// An allocation has changed its size.
    pub fn resize(&mut self, from: usize, to: usize) {
        self.give(from);
        self.take(to);
    }

    /// More is allocated than allowed.
    pub const fn over(&self) -> bool {
        self.used > self.limit
    }

    /// Octets allocated now.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// The most octets that were ever allocated.
    pub const fn peak(&self) -> usize {
        self.peak
    }

    /// The limit in octets.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}
