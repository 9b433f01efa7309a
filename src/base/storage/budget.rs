//! What is allocated for things that wait, held against one limit for the whole program.

use crate::base::state::{Deserialize, Serialize};

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

/// Octets that a `BTreeMap` of so many entries allocates at most.
///
/// A node has room for eleven entries and may be less than half full: a map of one entry takes as much as one of eleven.
pub const fn tree<K, V>(entries: usize) -> usize {
    /// Entries that fit into a node, and those that each but the first has at least.
    const ROOM: usize = 11;
    const LEAST: usize = 5;
    if entries == 0 {
        return 0;
    }
    let leaf = ROOM * (size_of::<K>() + size_of::<V>()) + 2 * size_of::<usize>();
    let leaves = if entries <= ROOM { 1 } else { entries / LEAST };
    // Each node above the leaves has six of them at least, but for the root.
    let inner = if leaves == 1 { 0 } else { leaves / LEAST + 1 };
    let branch = leaf + (ROOM + 1) * size_of::<usize>();
    leaves * allocated(leaf) + inner * allocated(branch)
}

/// What waits in a stage for others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingStage {
    /// Packets that are put in order.
    Sorting,
    /// Fragments of IP.
    Fragments,
    /// Segments of TCP behind holes.
    Segments,
    /// Data chunks of SCTP behind holes, or of messages that are not whole.
    Chunks,
}

/// Octets allocated for it now, and the most that ever were.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct WaitingOctets {
    /// Now.
    pub now: usize,
    /// At most.
    pub peak: usize,
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
    /// Of these, what waits in each stage, by [`WaitingStage`].
    waiting: [WaitingOctets; 4],
    /// What was taken was read from a state, which may say anything.
    #[serde(skip)]
    resumed: bool,
    #[serde(skip)]
    spare: SpareBlocks,
}

/// Blocks of octets that have waited, for the next that wait: they come and go with each segment behind a hole. A list for each
/// size that a block may have. Too few to be counted.
#[derive(Clone, Debug, Default)]
struct SpareBlocks {
    lists: Vec<Vec<Vec<u8>>>,
    /// Octets of all of them.
    octets: usize,
}

impl SpareBlocks {
    /// Octets of all blocks that are kept: as much as a few connections have behind their holes, which all come back where those
    /// are given up.
    const MOST: usize = 2 << 20;
    /// Smaller ones come and go in the allocator for little.
    const SMALLEST: usize = 512;
    /// Larger ones are no segments.
    const LARGEST: usize = 64 << 10;

    /// Where the list of blocks stands that have room for so many octets, and no more than an eighth more; and their room.
    fn list(octets: usize) -> Option<(usize, usize)> {
        if !(Self::SMALLEST..=Self::LARGEST).contains(&octets) {
            return None;
        }
        // Eight sizes between a power of two and the next.
        let step = octets.ilog2() - 3;
        let room = octets.next_multiple_of(1 << step);
        let list = (room.ilog2() as usize - 9) * 8 + (room >> (room.ilog2() - 3) & 7);
        Some((list, room))
    }
}

impl Budget {
    /// A budget of `limit` octets.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            peak: 0,
            waiting: [WaitingOctets { now: 0, peak: 0 }; 4],
            resumed: false,
            spare: SpareBlocks {
                lists: Vec::new(),
                octets: 0,
            },
        }
    }

    /// It goes on from a state.
    pub(crate) const fn resume(&mut self) {
        self.resumed = true;
    }

    /// Sets another limit.
    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// A copy of octets, which takes as much as they do, or an eighth more. It is the caller's to count.
    pub(crate) fn copy(&mut self, octets: &[u8]) -> Vec<u8> {
        let Some((list, room)) = SpareBlocks::list(octets.len()) else {
            return octets.to_vec();
        };
        let spare = self.spare.lists.get_mut(list).and_then(Vec::pop);
        let mut block = match spare {
            Some(block) => {
                self.spare.octets -= block.capacity();
                block
            }
            None => Vec::with_capacity(room),
        };
        block.extend_from_slice(octets);
        block
    }

    /// A block is not needed any more.
    pub(crate) fn put_back(&mut self, mut block: Vec<u8>) {
        // One that was copied elsewhere may have another room, as one that was read back.
        let room = block.capacity();
        if let Some((list, same)) = SpareBlocks::list(room)
            && same == room
            && self.spare.octets + room <= SpareBlocks::MOST
        {
            if self.spare.lists.len() <= list {
                self.spare.lists.resize_with(list + 1, Vec::new);
            }
            if let Some(kept) = self.spare.lists.get_mut(list) {
                block.clear();
                kept.push(block);
                self.spare.octets += room;
            }
        }
    }

    /// `octets` have been allocated.
    pub fn take(&mut self, octets: usize) {
        self.used = self.used.saturating_add(octets);
        self.peak = self.peak.max(self.used);
    }

    /// `octets` have been freed.
    pub fn give(&mut self, octets: usize) {
        // A wrong balance shows in tests; in a release build it must not stop the program or wrap
        // to a huge number.
        debug_assert!(
            octets <= self.used || self.resumed,
            "gave back more than was taken"
        );
        self.used = self.used.saturating_sub(octets);
    }

    /// An allocation has changed its size.
    pub fn resize(&mut self, from: usize, to: usize) {
        self.give(from);
        self.take(to);
    }

    /// The size of what somebody has is this now; `booked` is what the budget knows of it.
    pub fn rebook(&mut self, booked: &mut usize, now: usize) {
        if now != *booked {
            self.resize(*booked, now);
            *booked = now;
        }
    }

    /// What waits in a stage has changed its size.
    pub(crate) fn resize_waiting(&mut self, what: WaitingStage, from: usize, to: usize) {
        self.resize(from, to);
        let [sorting, fragments, segments, chunks] = &mut self.waiting;
        let octets = match what {
            WaitingStage::Sorting => sorting,
            WaitingStage::Fragments => fragments,
            WaitingStage::Segments => segments,
            WaitingStage::Chunks => chunks,
        };
        octets.now = octets.now.saturating_sub(from).saturating_add(to);
        octets.peak = octets.peak.max(octets.now);
    }

    /// What waits in each stage, in the order of [`WaitingStage`].
    pub const fn waiting(&self) -> [WaitingOctets; 4] {
        self.waiting
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
