//! A bounded table of flows: found by full key, ordered by last use.

use crate::base::flow::{FlowKey, ShortKey};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, SlotIndex};
use std::hash::BuildHasher;

/// Slots that are allocated at once: a table grows by these, so that nothing is moved when it grows.
// A vector that doubles would hold both copies for a moment, and stop the pipe while it moves a
// million flows. A chunk is some 100 KB for TCP, and at most one of them is empty.
const CHUNK: usize = 1024;
/// No slot.
// The last number can never be a slot: the table ends before it.
const NONE: u32 = u32::MAX;

/// Where a flow stands in the table. It stays the same while the flow lives; `generation` tells a later flow in the
/// same slot apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct FlowPlace {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct FlowSlot<T> {
    generation: u32,
    prev: u32,
    /// The next one in the order of use, or the next free one.
    next: u32,
    list: u8,
    entry: Option<(KeptKey, T)>,
}

/// A key as a slot keeps it: of IPv4 outside of VLANs and tunnels a third of its size.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum KeptKey {
    Short(ShortKey),
    /// A place in the list of long ones.
    Long(u32),
}

/// Head and tail of one order of use: the head is the oldest.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct UseOrder {
    head: u32,
    tail: u32,
}

/// Flows by key, in `L` lists, each ordered by last use.
///
/// Finding, adding, removing, moving to a list's end and naming the oldest of a list take constant time. Hashing is
/// keyed anew in each process, so that nobody can aim at one bucket; the full key is compared.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + serde::de::DeserializeOwned")]
pub(crate) struct FlowTable<T, const L: usize> {
    chunks: Vec<Vec<FlowSlot<T>>>,
    /// The first free slot.
    free: u32,
    /// Keys that are not short; the free places among them.
    long: Vec<FlowKey>,
    free_long: Vec<u32>,
    lists: Vec<UseOrder>,
    len: usize,
    /// Octets that the budget knows of: what is allocated after the table was read back may differ.
    counted: usize,
    /// All flows are about to be dropped.
    #[serde(skip)]
    drains: bool,
    #[serde(skip)]
    index: SlotIndex,
    #[serde(skip)]
    hasher: foldhash::fast::RandomState,
}

impl<T, const L: usize> FlowTable<T, L> {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
            long: Vec::new(),
            free_long: Vec::new(),
            lists: vec![
                UseOrder {
                    head: NONE,
                    tail: NONE
                };
                L
            ],
            len: 0,
            counted: 0,
            drains: false,
            index: SlotIndex::default(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// Builds the index anew after the table has been read back.
    pub(crate) fn reindex(&mut self) {
        let mut index = SlotIndex::with_capacity(self.len);
        // The hasher has a new key in each process, so no hash of a saved state is of use.
        for (c, chunk) in self.chunks.iter().enumerate() {
            for (s, slot) in chunk.iter().enumerate() {
                if let Some((key, _)) = &slot.entry
                    && let Ok(place) = u32::try_from(c * CHUNK + s)
                {
                    index.insert(self.hasher.hash_one(whole(&self.long, key)), place);
                }
            }
        }
        self.index = index;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn slot(&self, slot: u32) -> Option<&FlowSlot<T>> {
        self.chunks
            .get(slot as usize / CHUNK)?
            .get(slot as usize % CHUNK)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut FlowSlot<T>> {
        self.chunks
            .get_mut(slot as usize / CHUNK)?
            .get_mut(slot as usize % CHUNK)
    }

    /// The flow with this key.
    pub(crate) fn find(&self, key: &FlowKey) -> Option<FlowPlace> {
        let hash = self.hasher.hash_one(key);
        // Compared as short keys where both are: a third of the octets, in one cache line with the
        // slot.
        let short = key.short();
        let slot = self.index.find(hash, |i| {
            // The hash only names candidates. Two flows with one hash must stay two flows.
            let entry = self.slot(i).and_then(|s| s.entry.as_ref());
            entry.is_some_and(|(kept, _)| match kept {
                KeptKey::Short(kept) => short.as_ref() == Some(kept),
                KeptKey::Long(at) => self.long.get(*at as usize) == Some(key),
            })
        })?;
        Some(FlowPlace {
            slot,
            generation: self.slot(slot)?.generation,
        })
    }

    /// The flow with this key, and where it stands.
    #[inline(always)] // once for each packet
    pub(crate) fn find_short(&mut self, key: ShortKey) -> Option<(FlowPlace, &mut T)> {
        let hash = self.hasher.hash_one(key);
        let slot = self.index.find(hash, |i| {
            let entry = self.slot(i).and_then(|s| s.entry.as_ref());
            matches!(entry, Some((KeptKey::Short(kept), _)) if *kept == key)
        })?;
        let found = self.slot_mut(slot)?;
        let place = FlowPlace {
            slot,
            generation: found.generation,
        };
        found.entry.as_mut().map(|(_, t)| (place, t))
    }

    /// The flow at a place, if it still lives.
    pub(crate) fn get(&self, at: FlowPlace) -> Option<&T> {
        let slot = self.slot(at.slot)?;
        // The generation distinguishes a flow from its successor in the same slot: queues keep places long
        // after the flow has gone.
        if slot.generation == at.generation {
            slot.entry.as_ref().map(|(_, t)| t)
        } else {
            None
        }
    }

    /// The flow at a place, if it still lives.
    pub(crate) fn get_mut(&mut self, at: FlowPlace) -> Option<&mut T> {
        let slot = self.slot_mut(at.slot)?;
        if slot.generation == at.generation {
            slot.entry.as_mut().map(|(_, t)| t)
        } else {
            None
        }
    }

    /// The key of the flow at a place, if it still lives.
    pub(crate) fn key(&self, at: FlowPlace) -> Option<FlowKey> {
        let slot = self.slot(at.slot)?;
        let entry = slot.entry.as_ref()?;
        (slot.generation == at.generation).then(|| whole(&self.long, &entry.0))
    }

    /// Adds a flow whose key is not in the table, as the newest of a list.
    pub(crate) fn insert(
        &mut self,
        key: FlowKey,
        value: T,
        list: u8,
        budget: &mut Budget,
    ) -> Option<FlowPlace> {
        let slot = self.free_slot()?;
        let hash = self.hasher.hash_one(key);
        // The key is stored before the index names the slot: the index must never lead to an empty
        // one.
        let kept = self.keep(key)?;
        self.fill(slot, hash, (kept, value), list, budget)
    }

    /// The same of a flow whose key is short.
    #[inline(always)] // once for each packet of a scan
    pub(crate) fn insert_short(
        &mut self,
        key: ShortKey,
        value: T,
        list: u8,
        budget: &mut Budget,
    ) -> Option<FlowPlace> {
        let slot = self.free_slot()?;
        let hash = self.hasher.hash_one(key);
        self.fill(slot, hash, (KeptKey::Short(key), value), list, budget)
    }

    /// Puts a flow into a slot that was free.
    #[inline(always)] // in each of the two
    fn fill(
        &mut self,
        slot: u32,
        hash: u64,
        entry: (KeptKey, T),
        list: u8,
        budget: &mut Budget,
    ) -> Option<FlowPlace> {
        self.index.insert(hash, slot);
        let s = self.slot_mut(slot)?;
        s.entry = Some(entry);
        let generation = s.generation;
        self.len += 1;
        let allocated = self.size();
        // Only growth is charged. Slots are reused, not given back, until all are cleared.
        if allocated > self.counted {
            budget.take(allocated - self.counted);
            self.counted = allocated;
        }
        self.link(slot, list);
        Some(FlowPlace { slot, generation })
    }

    /// A slot that was free, which is now taken.
    fn free_slot(&mut self) -> Option<u32> {
        if self.free == NONE {
            // Slots are numbered with 32 bits, which halves every link in the lists.
            let first = u32::try_from(self.chunks.len() * CHUNK).ok()?;
            let end = first.checked_add(u32::try_from(CHUNK).ok()?)?;
            // Chained in ascending order, so that a fresh table fills its chunks from the front.
            let chunk = (first + 1..=end).map(|next| FlowSlot {
                generation: 0,
                prev: NONE,
                next: if next == end { NONE } else { next },
                list: 0,
                entry: None,
            });
            self.chunks.push(chunk.collect());
            self.free = first;
        }
        let slot = self.free;
        // The free list goes through the same field as the order of use; a slot is never in both.
        self.free = self.slot(slot)?.next;
        Some(slot)
    }

    /// A key in the form in which a slot keeps it.
    fn keep(&mut self, key: FlowKey) -> Option<KeptKey> {
        if let Some(short) = key.short() {
            return Some(KeptKey::Short(short));
        }
        // Ports in a VLAN, IPv6 and tunnels need the long form. Their places are reused first, so
        // the list stays as long as the most there were at one time.
        if let Some(at) = self.free_long.pop() {
            *self.long.get_mut(at as usize)? = key;
            return Some(KeptKey::Long(at));
        }
        let at = u32::try_from(self.long.len()).ok()?;
        self.long.push(key);
        Some(KeptKey::Long(at))
    }

    /// There is no slot that was used before: one more flow makes the table grow.
    pub(crate) const fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// Octets that the table will have taken from the budget when it has grown, about.
    pub(crate) const fn grown(&self) -> usize {
        // An estimate: a chunk of slots and their part of the index, 16 octets each at its fullest.
        self.counted + CHUNK * (size_of::<FlowSlot<T>>() + 16)
    }

    /// Octets that were taken from the budget for the table itself.
    pub(crate) fn allocated(&self) -> usize {
        self.counted
    }

    /// All flows are dropped from here on, until the table is cleared: the index still names the slots of those that were dropped, in
    /// which no key is found any more.
    pub(crate) const fn drain(&mut self) {
        self.drains = true;
    }

    /// Gives all memory back; the table has to be empty.
    pub(crate) fn clear(&mut self, budget: &mut Budget) {
        budget.give(self.counted);
        *self = Self::new();
    }

    /// Octets allocated: slots, long keys and the index.
    fn size(&self) -> usize {
        let slots = self.chunks.len() * CHUNK * size_of::<FlowSlot<T>>();
        let keys = self.long.capacity() * size_of::<FlowKey>() + self.free_long.capacity() * 4;
        slots + keys + self.index.allocated()
    }

    /// Drops a flow; gives its key.
    pub(crate) fn remove(&mut self, at: FlowPlace) -> Option<FlowKey> {
        self.get(at)?;
        self.unlink(at.slot);
        let free = std::mem::replace(&mut self.free, at.slot);
        let slot = self.slot_mut(at.slot)?;
        // Raised on removal, so that every place given out before is void from here on. It wraps
        // after 2^32 reuses of one slot; a place that old is no longer queued.
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = free;
        let (kept, _) = slot.entry.take()?;
        let key = whole(&self.long, &kept);
        if let KeptKey::Long(at) = kept {
            self.free_long.push(at);
        }
        if !self.drains {
            let hash = self.hasher.hash_one(key);
            self.index.remove(hash, at.slot);
        }
        self.len -= 1;
        Some(key)
    }

    fn link(&mut self, slot: u32, list: u8) {
        let Some(l) = self.lists.get(list as usize).copied() else {
            return;
        };
        if let Some(s) = self.slot_mut(slot) {
            s.list = list;
            s.prev = l.tail;
            s.next = NONE;
        }
        if let Some(t) = self.slot_mut(l.tail) {
            t.next = slot;
        }
        let l = &mut self.lists[list as usize];
        if l.head == NONE {
            l.head = slot;
        }
        l.tail = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Some((prev, next, list)) = self.slot(slot).map(|s| (s.prev, s.next, s.list as usize))
        else {
            return;
        };
        match self.slot_mut(prev) {
            Some(p) => p.next = next,
            None => self.lists[list].head = next,
        }
        match self.slot_mut(next) {
            Some(n) => n.prev = prev,
            None => self.lists[list].tail = prev,
        }
    }

    /// The flow was used: it becomes the newest of a list.
    pub(crate) fn touch(&mut self, at: FlowPlace, list: u8) {
        // The busiest flow is mostly the newest already: four writes are saved for it.
        let newest = self
            .lists
            .get(list as usize)
            .is_some_and(|l| l.tail == at.slot);
        if !newest && self.get(at).is_some() {
            self.unlink(at.slot);
            self.link(at.slot, list);
        }
    }

    /// The oldest flow of a list.
    pub(crate) fn oldest(&self, list: u8) -> Option<FlowPlace> {
        let slot = self.lists.get(list as usize)?.head;
        Some(FlowPlace {
            slot,
            generation: self.slot(slot)?.generation,
        })
    }
}

#[cfg(test)]
impl<T, const L: usize> FlowTable<T, L> {
    /// Every flow.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        let slots = self.chunks.iter().flatten();
        slots.filter_map(|slot| slot.entry.as_ref().map(|(_, t)| t))
    }
}

/// The key that is kept so.
fn whole(long: &[FlowKey], kept: &KeptKey) -> FlowKey {
    match kept {
        KeptKey::Short(short) => FlowKey::from(*short),
        KeptKey::Long(at) => long.get(*at as usize).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::packet::Channel;

    fn key(n: u16) -> FlowKey {
        FlowKey::new(
            ([10, 0, 0, 1].into(), n),
            ([10, 0, 0, 2].into(), 80),
            Channel::default(),
        )
        .0
    }

    #[test]
    fn flows_are_found_and_go_in_order_of_use() {
        let mut budget = Budget::new(usize::MAX);
        let mut t: FlowTable<u16, 2> = FlowTable::new();
        let places: Vec<_> = (0..3000)
            .map(|n| t.insert(key(n), n, 0, &mut budget).unwrap())
            .collect();
        assert_eq!(t.len(), 3000);
        for n in 0..3000 {
            assert_eq!(t.find(&key(n)), Some(places[n as usize]));
        }
        t.touch(places[0], 0);
        assert_eq!(t.oldest(0), Some(places[1]));
        t.touch(places[1], 1);
        assert_eq!(t.oldest(0), Some(places[2]));
        assert_eq!(t.oldest(1), Some(places[1]));
        assert_eq!(t.remove(places[2]), Some(key(2)));
        assert_eq!(t.get(places[2]), None);
        assert_eq!(t.find(&key(2)), None);
        assert_eq!(t.oldest(0), Some(places[3]));
        let again = t.insert(key(2), 7, 0, &mut budget).unwrap();
        assert_ne!(again, places[2]);
        assert_eq!(t.get(again), Some(&7));
    }

    #[test]
    fn a_table_is_read_back() {
        let mut budget = Budget::new(usize::MAX);
        let mut t: FlowTable<u16, 1> = FlowTable::new();
        for n in 0..100 {
            t.insert(key(n), n, 0, &mut budget);
        }
        let octets = postcard::to_stdvec(&t).unwrap();
        let mut back: FlowTable<u16, 1> = postcard::from_bytes(&octets).unwrap();
        back.reindex();
        for n in 0..100 {
            assert_eq!(back.find(&key(n)).and_then(|p| back.get(p)), Some(&n));
        }
        assert_eq!(back.oldest(0), t.oldest(0));
    }
}
