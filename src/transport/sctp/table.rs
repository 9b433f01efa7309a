//! A table whose entries are named by index and generation, in two lists by last use.

use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use std::mem::size_of;

const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct AssociationSlot<V> {
    value: Option<Box<V>>,
    generation: u32,
    list: u8,
    older: u32,
    newer: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct StandingList {
    oldest: u32,
    newest: u32,
}

/// Which list an entry stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Its handshake is not over.
    HalfOpen,
    /// All others.
    Open,
}

/// Entries with a generation each; finding, moving to the newest place, and taking the oldest are O(1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Table<V> {
    slots: Vec<AssociationSlot<V>>,
    free: Vec<u32>,
    lists: [StandingList; 2],
    len: usize,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        let empty = StandingList {
            oldest: NONE,
            newest: NONE,
        };
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            lists: [empty; 2],
            len: 0,
        }
    }
}

impl<V> Table<V> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Octets allocated.
    // An association and what waits in it are of different sizes, so that what goes leaves room that what comes does not
    // fill: 10% of all memory with 200,000 associations of which half were evicted. A quarter of the entry is that.
    pub(super) fn allocated(&self) -> usize {
        let entry = allocated(size_of::<V>());
        self.slots.capacity() * size_of::<AssociationSlot<V>>()
            + self.free.capacity() * size_of::<u32>()
            + self.len * (entry + entry / 4)
    }

    pub(super) fn get(&self, index: u32) -> Option<&V> {
        self.slots.get(index as usize)?.value.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut V> {
        self.slots.get_mut(index as usize)?.value.as_deref_mut()
    }

    /// The generation of the entry in this slot.
    // A deadline or weight in a heap may outlive its association. Its generation shows that.
    pub(super) fn generation(&self, index: u32) -> Option<u32> {
        let slot = self.slots.get(index as usize)?;
        slot.value.as_ref().map(|_| slot.generation)
    }

    /// The index of the oldest entry of a list.
    pub(super) fn oldest(&self, list: Standing) -> Option<u32> {
        let oldest = self.lists.get(list as usize)?.oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// Puts an entry in, as the newest. None where there are 2^32 - 1 of them.
    pub(super) fn insert(&mut self, value: V, list: Standing) -> Option<u32> {
        let index = match self.free.pop() {
            Some(i) => i,
            None => u32::try_from(self.slots.len())
                .ok()
                // The last number stands for "no entry" in the links.
                .filter(|i| *i != NONE)?,
        };
        if index as usize == self.slots.len() {
            self.slots.push(AssociationSlot {
                value: None,
                generation: 0,
                list: 0,
                older: NONE,
                newer: NONE,
            });
        }
        self.slots.get_mut(index as usize)?.value = Some(Box::new(value));
        self.len += 1;
        self.link(index, list);
        Some(index)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, index: u32) -> Option<V> {
        self.slots.get(index as usize)?.value.as_ref()?;
        self.unlink(index);
        let slot = self.slots.get_mut(index as usize)?;
        let value = slot.value.take()?;
        // From here on every queued entry for this slot is void.
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        self.len -= 1;
        Some(*value)
    }

    /// Makes an entry the newest of a list.
    pub(super) fn touch(&mut self, index: u32, list: Standing) {
        let newest = self.lists.get(list as usize).map(|l| l.newest);
        // The busiest one is mostly the newest already.
        if newest != Some(index) && self.get(index).is_some() {
            self.unlink(index);
            self.link(index, list);
        }
    }

    /// The indexes of all entries.
    pub(super) fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..)
            .zip(&self.slots)
            .filter(|(_, s)| s.value.is_some())
            .map(|(i, _)| i)
    }

    fn link(&mut self, index: u32, list: Standing) {
        let Some(ends) = self.lists.get_mut(list as usize) else {
            return;
        };
        let before = std::mem::replace(&mut ends.newest, index);
        if before == NONE {
            ends.oldest = index;
        } else if let Some(slot) = self.slots.get_mut(before as usize) {
            slot.newer = index;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.list = list as u8;
            slot.older = before;
            slot.newer = NONE;
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(slot) = self.slots.get(index as usize) else {
            return;
        };
        let (older, newer, list) = (slot.older, slot.newer, slot.list);
        if let Some(slot) = self.slots.get_mut(older as usize) {
            slot.newer = newer;
        } else if let Some(ends) = self.lists.get_mut(usize::from(list)) {
            ends.oldest = newer;
        }
        if let Some(slot) = self.slots.get_mut(newer as usize) {
            slot.older = older;
        } else if let Some(ends) = self.lists.get_mut(usize::from(list)) {
            ends.newest = older;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_first() {
        let mut t = Table::default();
        let a = t.insert('a', Standing::Open).unwrap();
        let b = t.insert('b', Standing::Open).unwrap();
        let c = t.insert('c', Standing::HalfOpen).unwrap();
        t.touch(a, Standing::Open);
        t.touch(c, Standing::Open);
        let mut order = Vec::new();
        while let Some(i) = t.oldest(Standing::Open) {
            order.push(t.remove(i).unwrap());
        }
        assert_eq!(order, ['b', 'a', 'c']);
        assert_eq!(t.oldest(Standing::HalfOpen), None);
        assert_eq!((t.len(), t.generation(b)), (0, None));
        let d = t.insert('d', Standing::Open).unwrap();
        assert_eq!(t.generation(d), Some(1));
    }
}
