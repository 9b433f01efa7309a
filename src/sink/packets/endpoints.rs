//! Endpoints that an output has used.

use crate::base::context::Context;
use crate::base::flow::Flow;
use crate::base::state::{Deserialize, Serialize};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::hash::BuildHasher;

/// Pairs that are remembered, 8 octets each and the table's share: 9 MiB at most. A hash table of 2^20 buckets is full with
/// seven eighths of them.
const PORTS: usize = (1 << 20) / 8 * 7;

/// Pairs of endpoints that an output has used, as 64-bit fingerprints. Two that share one cost a SYN that nobody needs.
/// Where no more fit, all count as used.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct UsedEndpoints {
    used: HashSet<u64, foldhash::fast::RandomState>,
    /// Octets of it that the budget knows of.
    counted: usize,
}

impl UsedEndpoints {
    /// Notes the endpoints of a flow; says whether they may have been used before.
    pub(super) fn use_again(&mut self, cx: &mut Context, flow: &Flow) -> bool {
        let print = FixedState::default().hash_one(flow.key.endpoints());
        if self.used.len() >= PORTS {
            return true;
        }
        let used = !self.used.insert(print);
        self.count(cx);
        used
    }

    /// Forgets all of them: the input has ended.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        self.used = HashSet::default();
        self.count(cx);
    }

    /// Charges the budget with what is allocated now.
    pub(super) fn count(&mut self, cx: &mut Context) {
        let now = self.used.allocation_size();
        cx.budget.rebook(&mut self.counted, now);
    }
}
