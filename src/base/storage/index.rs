//! From hashes to slots: the index of a table that is too large for the processor's caches.
//!
//! Open addressing with linear probing, each run in the order of home places ("Robin Hood hashing", Celis, 1986), and
//! deletion by moving back (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). Hash and slot stand side by side,
//! so that finding, adding and dropping read one cache line mostly, and growing reads nothing but the index itself: where
//! entries come and go all the time, that is half the misses of a table with control octets and marks for what was dropped.

/// No slot.
const NONE: u32 = u32::MAX;
/// Eight parts of the cells, of which so many are used at most.
// At six eighths, a new slot meets eight cells at most on its way, on average; at seven it would be thirty. At half the index would
// be twice as large, and no longer mostly in the cache.
const LOAD: usize = 6;

#[derive(Clone, Copy, Debug)]
// 32 bits of the hash stand in the cell, so that nearly all other slots are ruled out without being
// looked at.
struct Cell {
    hash: u32,
    slot: u32,
}

const EMPTY: Cell = Cell {
    hash: 0,
    slot: NONE,
};

/// Slots by hash. The caller distinguishes equal hashes.
#[derive(Debug, Default)]
pub(crate) struct SlotIndex {
    /// A power of two of them, or none.
    cells: Vec<Cell>,
    len: usize,
}

impl SlotIndex {
    /// No slots, with room for so many.
    pub(crate) fn with_capacity(slots: usize) -> Self {
        let mut index = Self::default();
        if slots > 0 {
            // A power of two: the place is a mask instead of a division.
            index.cells = vec![EMPTY; (slots * 8).div_ceil(LOAD).next_power_of_two()];
        }
        index
    }

    /// Number of slots.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// There are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Octets allocated.
    pub(crate) const fn allocated(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }

    /// The slot with this hash that `is` says yes to.
    #[inline(always)] // once for each packet
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = folded(hash);
        let mask = self.cells.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        let mut far = 0;
        loop {
            let cell = self.cells.get(at)?;
            // Whoever stands here is closer to home than what is looked for would be: it cannot be
            // further on.
            if cell.slot == NONE || distance(*cell, at, mask) < far {
                return None;
            }
            // The caller compares the key; the hash only saves most of the comparisons.
            if cell.hash == hash && is(cell.slot) {
                return Some(cell.slot);
            }
            at = (at + 1) & mask;
            far += 1;
        }
    }

    /// Adds a slot that is not there.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        if (self.len + 1) * 8 > self.cells.len() * LOAD {
            // Only cells are moved: their hash is there, so no key is read.
            let larger = vec![EMPTY; (self.cells.len() * 2).max(8)];
            for cell in std::mem::replace(&mut self.cells, larger) {
                if cell.slot != NONE {
                    self.place(cell);
                }
            }
        }
        self.len += 1;
        self.place(Cell {
            hash: folded(hash),
            slot,
        });
    }

    fn place(&mut self, mut new: Cell) {
        let mask = self.cells.len().wrapping_sub(1);
        let mut at = new.hash as usize & mask;
        let mut far = 0;
        while let Some(cell) = self.cells.get_mut(at) {
            if cell.slot == NONE {
                *cell = new;
                return;
            }
            let other = distance(*cell, at, mask);
            // The one that is further from home stays; so the longest way stays short, even where
            // many hash alike.
            if other < far {
                std::mem::swap(cell, &mut new);
                far = other;
            }
            at = (at + 1) & mask;
            far += 1;
        }
    }

    /// Drops a slot with its hash, if it is there.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let mask = self.cells.len().wrapping_sub(1);
        let mut at = folded(hash) as usize & mask;
        loop {
            match self.cells.get(at) {
                None | Some(Cell { slot: NONE, .. }) => return,
                Some(cell) if cell.slot == slot => break,
                Some(_) => at = (at + 1) & mask,
            }
        }
        self.len -= 1;
        loop {
            let next = (at + 1) & mask;
            let moved = self.cells.get(next).copied();
            // Those behind move up until one stands at home. No marks are left that would make
            // later searches longer.
            let moved = moved.filter(|cell| cell.slot != NONE && distance(*cell, next, mask) > 0);
            if let Some(cell) = self.cells.get_mut(at) {
                *cell = moved.unwrap_or(EMPTY);
            }
            if moved.is_none() {
                return;
            }
            at = next;
        }
    }
}

// Every bit has its part in it.
#[allow(clippy::cast_possible_truncation)]
const fn folded(hash: u64) -> u32 {
    // Folded, so that the upper bits count too; the table's hash is keyed.
    (hash ^ hash >> 32) as u32
}

/// How far behind its home place a cell stands.
const fn distance(cell: Cell, at: usize, mask: usize) -> usize {
    at.wrapping_sub(cell.hash as usize) & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        // Each case is hundreds of steps.
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a plain map, with hashes that collide often.
        #[test]
        fn agrees_with_a_plain_map(
            steps in prop::collection::vec((any::<bool>(), 0_u32..200, 0_u64..40), 1..400),
        ) {
            let mut index = SlotIndex::default();
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            for (adds, slot, hash) in steps {
                match (adds, model.get(&slot).copied()) {
                    (true, None) => {
                        index.insert(hash, slot);
                        model.insert(slot, hash);
                    }
                    (false, Some(hash)) => {
                        index.remove(hash, slot);
                        model.remove(&slot);
                    }
                    (false, None) => index.remove(hash, slot),
                    (true, Some(_)) => {}
                }
                for slot in 0..200 {
                    for hash in [hash, model.get(&slot).copied().unwrap_or(hash)] {
                        let found = index.find(hash, |s| s == slot);
                        prop_assert_eq!(found.is_some(), model.get(&slot) == Some(&hash));
                    }
                }
                prop_assert_eq!(index.len, model.len());
            }
        }
    }
}
