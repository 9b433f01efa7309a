//! Endpoints that an output has used.

use crate::base::context::Context;
use crate::base::flow::Flow;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::hash::BuildHasher;

/// Pairs that are remembered, 8 octets each and the table's share: 9 MiB at most. A hash table of 2^20 buckets is full with
/// seven eighths of them.
const PORTS: usize = (1 << 20) / 8 * 7;

/// Pairs of endpoints that an output has used, as 64-bit fingerprints. Two that share one cost a SYN that nobody needs.
/// Where no more fit, all count as used.
#[derive(Default)]
pub(super) struct UsedEndpoints {
    used: HashSet<u64, foldhash::fast::RandomState>,
}

impl UsedEndpoints {
    /// Notes the endpoints of a flow; says whether they may have been used before.
    pub(super) fn use_again(&mut self, cx: &mut Context, flow: &Flow) -> bool {
        let print = FixedState::default().hash_one(flow.key.endpoints());
        if self.used.len() >= PORTS {
            return true;
        }
        let before = self.used.allocation_size();
        let used = !self.used.insert(print);
        cx.budget.resize(before, self.used.allocation_size());
        used
    }

    /// Forgets all of them: the input has ended.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        cx.budget.give(self.used.allocation_size());
        self.used = HashSet::default();
    }
}
