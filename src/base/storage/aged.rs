//! A table whose entries stand in order of age, so that the oldest is found, and dropped, at once.

use super::SlotIndex;
use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hash};
use std::mem::size_of;

/// No slot.
const NONE: u32 = u32::MAX;
/// Slots that are allocated at once: a table grows by these, so that nothing is moved, and nothing stands in memory twice, when
/// it grows. The first ones come one by one; tables smaller than this are not made smaller.
const CHUNK: usize = 1024;

/// A hash table of which every entry knows the next older and the next younger one.
///
/// Finding, inserting, moving to the young end and removing take constant time. The hash is keyed anew for each table; what is
/// allocated does not depend on the key, so that every run over the same input accounts the same.
/// Memory is given back when three quarters of it are not in use. Written out, it is the list of its entries, oldest
/// first.
#[derive(Debug)]
pub struct AgedTable<K, V> {
    index: SlotIndex,
    /// All but the last are full.
    chunks: Vec<Vec<AgedEntry<K, V>>>,
    /// First of the free slots, which are linked by `next`.
    free: u32,
    oldest: u32,
    youngest: u32,
    hasher: RandomState,
}

#[derive(Debug)]
struct AgedEntry<K, V> {
    entry: Option<(K, V)>,
    /// The next older one.
    prev: u32,
    /// The next younger one.
    next: u32,
}

/// The place of an entry. It holds until an entry is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AgedPlace(u32);

impl<K, V> Default for AgedTable<K, V> {
    fn default() -> Self {
        Self {
            index: SlotIndex::default(),
            chunks: Vec::new(),
            free: NONE,
            oldest: NONE,
            youngest: NONE,
            hasher: RandomState::default(),
        }
    }
}

impl<K: Hash + Eq, V> AgedTable<K, V> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// There is no entry.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Octets allocated by the table itself.
    pub fn allocated(&self) -> usize {
        let slots: usize = match self.chunks.as_slice() {
            [] => 0,
            [first] => first.capacity(),
            all => all.len() * CHUNK,
        };
        self.index.allocated()
            + slots * size_of::<AgedEntry<K, V>>()
            + self.chunks.capacity() * size_of::<Vec<AgedEntry<K, V>>>()
    }

    /// Where the entry with this key stands.
    pub fn find(&self, key: &K) -> Option<AgedPlace> {
        // Keyed anew for each table: an attacker cannot prepare keys that collide.
        self.find_hashed(self.hasher.hash_one(key), key)
            .map(AgedPlace)
    }

    #[inline]
    fn find_hashed(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |at| {
            let entry = self.slot(at).and_then(|s| s.entry.as_ref());
            entry.is_some_and(|(k, _)| k == key)
        })
    }

    /// The value at this place.
    pub fn get(&self, place: AgedPlace) -> Option<&V> {
        self.slot(place.0)?.entry.as_ref().map(|(_, v)| v)
    }

    /// The value at this place.
    pub fn get_mut(&mut self, place: AgedPlace) -> Option<&mut V> {
        self.slot_mut(place.0)?.entry.as_mut().map(|(_, v)| v)
    }

    /// Adds an entry at the young end. Its key must not be in the table.
    ///
    /// A table with 2^32 - 1 entries drops its oldest one.
    pub fn insert(&mut self, key: K, value: V) -> AgedPlace {
        debug_assert!(self.find(&key).is_none(), "the key is in the table");
        if self.len() >= NONE as usize {
            self.remove_oldest();
        }
        self.insert_hashed(self.hasher.hash_one(&key), key, value)
    }

    fn insert_hashed(&mut self, hash: u64, key: K, value: V) -> AgedPlace {
        let slot = AgedEntry {
            entry: Some((key, value)),
            prev: NONE,
            next: NONE,
        };
        // Free slots first: the table then stays as large as it ever had to be.
        let at = self.free;
        let at = if let Some(place) = self.slot_mut(at) {
            let next = place.next;
            *place = slot;
            self.free = next;
            at
        } else {
            self.push(slot)
        };
        self.link(at);
        self.index.insert(hash, at);
        AgedPlace(at)
    }

    /// Moves the entry with this key to the young end. Where there is none, one is added, in the place of the oldest one if there
    /// are `most` of them, which is one at least. True where the table has one more entry then.
    // The key is hashed once, and the place of the oldest one is not freed in between: what comes with each packet of a scan is
    // new each time.
    pub fn renew_or_insert(&mut self, key: K, value: V, most: usize) -> bool {
        let hash = self.hasher.hash_one(&key);
        if let Some(at) = self.find_hashed(hash, &key) {
            self.renew(AgedPlace(at));
            return false;
        }
        let at = self.oldest;
        let oldest = self.slot(at).and_then(|s| s.entry.as_ref());
        let Some((oldest, _)) = oldest.filter(|_| self.len() >= most) else {
            self.insert_hashed(hash, key, value);
            return true;
        };
        self.index.remove(self.hasher.hash_one(oldest), at);
        self.renew(AgedPlace(at));
        if let Some(slot) = self.slot_mut(at) {
            slot.entry = Some((key, value));
        }
        self.index.insert(hash, at);
        false
    }

    /// Moves an entry to the young end.
    pub fn renew(&mut self, place: AgedPlace) {
        // Four neighbours are written for each move; the youngest need not be moved.
        if place.0 != self.youngest && self.get(place).is_some() {
            self.unlink(place.0);
            self.link(place.0);
        }
    }

    /// The oldest entry.
    pub fn oldest(&self) -> Option<(AgedPlace, &K, &V)> {
        let (k, v) = self.slot(self.oldest)?.entry.as_ref()?;
        Some((AgedPlace(self.oldest), k, v))
    }

    /// Removes the oldest entry.
    pub fn remove_oldest(&mut self) -> Option<(K, V)> {
        self.remove(AgedPlace(self.oldest))
    }

    /// Removes an entry.
    pub fn remove(&mut self, place: AgedPlace) -> Option<(K, V)> {
        let at = place.0;
        let (key, _) = self.slot(at)?.entry.as_ref()?;
        let hash = self.hasher.hash_one(key);
        self.index.remove(hash, at);
        self.unlink(at);
        let free = self.free;
        let slot = self.slot_mut(at)?;
        let entry = slot.entry.take();
        slot.next = free;
        self.free = at;
        // Every entry that is moved stands for one that was removed since the last time.
        if self.chunks.len() > 1 && self.len() < self.slots() / 4 {
            self.fit(2 * self.len());
        }
        entry
    }

    /// Removes the oldest eighth, one entry at least, and gives back the memory that is not in use; false where there is none.
    ///
    /// For those who need memory: a table gives none back for an entry or two.
    pub fn remove_oldest_eighth(&mut self) -> bool {
        if self.is_empty() {
            return false;
        }
        for _ in 0..self.len().div_ceil(8) {
            self.remove_oldest();
        }
        self.fit(self.len());
        true
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slot(at)?;
            at = slot.next;
            slot.entry.as_ref().map(|(k, v)| (k, v))
        })
    }

    /// Slots, the free ones included.
    fn slots(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    fn slot(&self, at: u32) -> Option<&AgedEntry<K, V>> {
        self.chunks
            .get(at as usize / CHUNK)?
            .get(at as usize % CHUNK)
    }

    fn slot_mut(&mut self, at: u32) -> Option<&mut AgedEntry<K, V>> {
        self.chunks
            .get_mut(at as usize / CHUNK)?
            .get_mut(at as usize % CHUNK)
    }

    /// Adds a slot behind all others.
    fn push(&mut self, slot: AgedEntry<K, V>) -> u32 {
        // Below NONE: the number of entries is.
        let at = u32::try_from(self.slots()).unwrap_or(NONE);
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => {
                if last.len() == last.capacity() && last.len() > CHUNK / 2 {
                    last.reserve_exact(CHUNK - last.len());
                }
                last.push(slot);
            }
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(slot);
                self.chunks.push(chunk);
            }
            None => self.chunks.push(vec![slot]),
        }
        at
    }

    fn link(&mut self, at: u32) {
        let last = self.youngest;
        if let Some(slot) = self.slot_mut(at) {
            slot.prev = last;
            slot.next = NONE;
        }
        match self.slot_mut(last) {
            Some(slot) => slot.next = at,
            None => self.oldest = at,
        }
        self.youngest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slot(at) else { return };
        let (prev, next) = (slot.prev, slot.next);
        match self.slot_mut(prev) {
            Some(slot) => slot.next = next,
            None => self.oldest = next,
        }
        match self.slot_mut(next) {
            Some(slot) => slot.prev = prev,
            None => self.youngest = prev,
        }
    }

    /// Moves the last entries to free slots in front of them and gives back the chunks behind; the index has room for so many
    /// entries. In place: what is made smaller because memory is short must not take more of it first.
    fn fit(&mut self, entries: usize) {
        let len = u32::try_from(self.len()).unwrap_or(NONE);
        let slots = u32::try_from(self.slots()).unwrap_or(NONE);
        let is_used = |table: &Self, at| table.slot(at).is_some_and(|s| s.entry.is_some());
        let mut to = 0;
        for from in len..slots {
            if is_used(self, from) {
                while is_used(self, to) {
                    to += 1;
                }
                self.relocate(from, to);
            }
        }
        self.free = NONE;
        self.chunks.truncate(self.len().div_ceil(CHUNK));
        if let Some(last) = self.chunks.last_mut() {
            last.truncate((len as usize - 1) % CHUNK + 1);
        }
        match self.chunks.as_mut_slice() {
            [] => self.chunks = Vec::new(),
            [first] => first.shrink_to(entries),
            _ => self.chunks.shrink_to_fit(),
        }
        self.index = SlotIndex::default();
        self.index = SlotIndex::with_capacity(entries);
        for at in 0..len {
            let entry = self.slot(at).and_then(|s| s.entry.as_ref());
            if let Some((key, _)) = entry {
                let hash = self.hasher.hash_one(key);
                self.index.insert(hash, at);
            }
        }
    }

    /// Moves an entry to a free slot; the index is not told.
    fn relocate(&mut self, from: u32, to: u32) {
        let Some(slot) = self.slot_mut(from) else {
            return;
        };
        let (entry, prev, next) = (slot.entry.take(), slot.prev, slot.next);
        if let Some(slot) = self.slot_mut(to) {
            *slot = AgedEntry { entry, prev, next };
        }
        match self.slot_mut(prev) {
            Some(slot) => slot.next = to,
            None => self.oldest = to,
        }
        match self.slot_mut(next) {
            Some(slot) => slot.prev = to,
            None => self.youngest = to,
        }
    }
}

#[cfg(feature = "state")]
mod written_out {
    use super::AgedTable;
    use serde::de::{self, Deserialize, Deserializer, SeqAccess};
    use serde::ser::{Serialize, SerializeSeq, Serializer};
    use std::fmt;
    use std::hash::Hash;
    use std::marker::PhantomData;

    impl<K: Hash + Eq + Serialize, V: Serialize> Serialize for AgedTable<K, V> {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            let mut seq = s.serialize_seq(Some(self.len()))?;
            for entry in self.iter() {
                seq.serialize_element(&entry)?;
            }
            seq.end()
        }
    }

    impl<'de, K, V> Deserialize<'de> for AgedTable<K, V>
    where
        K: Hash + Eq + Deserialize<'de>,
        V: Deserialize<'de>,
    {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            struct Visitor<K, V>(PhantomData<(K, V)>);
            impl<'de, K, V> de::Visitor<'de> for Visitor<K, V>
            where
                K: Hash + Eq + Deserialize<'de>,
                V: Deserialize<'de>,
            {
                type Value = AgedTable<K, V>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list of keys with values")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                    let mut table = AgedTable::new();
                    while let Some((k, v)) = seq.next_element()? {
                        // A saved state may be damaged: a key that stands twice would break the list.
                        if table.find(&k).is_none() {
                            table.insert(k, v);
                        }
                    }
                    Ok(table)
                }
            }
            d.deserialize_seq(Visitor(PhantomData))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(t: &AgedTable<u16, u16>) -> Vec<u16> {
        t.iter().map(|(k, _)| *k).collect()
    }

    #[test]
    fn memory_is_given_back() {
        let mut t = AgedTable::new();
        for k in 0..50_000u16 {
            t.insert(k, k);
        }
        let full = t.allocated();
        for k in 0..49_990 {
            assert_eq!(t.remove_oldest(), Some((k, k)));
        }
        assert!(t.allocated() < full / 20);
        assert_eq!(keys(&t), (49_990..50_000).collect::<Vec<_>>());
    }

    #[test]
    fn the_oldest_makes_room_for_a_new_one() {
        let mut t = AgedTable::new();
        // (key, one more than before, all, oldest first)
        for (key, more, all) in [
            (1, true, &[1][..]),
            (2, true, &[1, 2]),
            (3, true, &[1, 2, 3]),
            (1, false, &[2, 3, 1]),
            (1, false, &[2, 3, 1]),
            (4, false, &[3, 1, 4]),
            (5, false, &[1, 4, 5]),
            (3, false, &[4, 5, 3]),
        ] {
            assert_eq!(t.renew_or_insert(key, key, 3), more, "{key}");
            assert_eq!(keys(&t), all);
            for key in 0..9 {
                let found = t.find(&key).and_then(|place| t.get(place));
                assert_eq!(found, all.contains(&key).then_some(&key));
            }
        }
        // Of one, it is the youngest too.
        let mut t = AgedTable::new();
        for key in 0..3 {
            assert_eq!(t.renew_or_insert(key, key, 1), key == 0);
            assert_eq!(keys(&t), [key]);
        }
    }

    #[test]
    fn an_eighth_goes_when_memory_is_needed() {
        let mut t = AgedTable::new();
        for k in 0..8_000u16 {
            t.insert(k, k);
        }
        let full = t.allocated();
        assert!(t.remove_oldest_eighth());
        assert_eq!(keys(&t), (1_000..8_000).collect::<Vec<_>>());
        assert!(t.allocated() < full);
        while t.remove_oldest_eighth() {}
        assert_eq!((t.len(), t.allocated()), (0, 0));
    }

    #[test]
    fn what_is_made_smaller_keeps_its_order() {
        let mut t = AgedTable::new();
        for k in 0..8_000u16 {
            t.insert(k, k);
        }
        for k in (0..8_000).step_by(2) {
            let place = t.find(&k).unwrap();
            t.renew(place);
        }
        assert!(t.remove_oldest_eighth());
        let left = (2_001..8_000).step_by(2).chain((0..8_000).step_by(2));
        let left: Vec<u16> = left.collect();
        assert_eq!(keys(&t), left);
        for k in left {
            assert_eq!(t.find(&k).and_then(|p| t.get(p)), Some(&k));
        }
        t.insert(9_000, 1);
        assert_eq!(t.len(), 7_001);
    }

    /// A table that looked at its seed's luck would account something else in each run over the same input.
    #[test]
    fn what_is_allocated_does_not_depend_on_the_seed() {
        let sizes = |_| {
            let mut t = AgedTable::new();
            let mut sizes = Vec::new();
            for n in 0..6_000u16 {
                t.insert(n, n);
                if n % 7 < 3 || n > 4_000 {
                    t.remove_oldest();
                    t.remove_oldest();
                }
                sizes.push(t.allocated());
            }
            sizes
        };
        let first = sizes(0);
        assert!((1..8).all(|run| sizes(run) == first));
    }

    /// Growing takes a chunk, and no second copy of what is there.
    #[test]
    fn a_table_grows_by_chunks() {
        let mut t = AgedTable::new();
        let mut before = 0;
        for k in 0..60_000u32 {
            t.insert(k, [0u64; 16]);
            let now = t.allocated() - t.index.allocated();
            assert!(now - before <= CHUNK * 160, "{k}: {before} {now}");
            before = now;
        }
    }

    #[test]
    fn written_out_and_read_back() {
        let mut t = AgedTable::new();
        for k in [3u16, 1, 2] {
            t.insert(k, k * 2);
        }
        let octets = postcard::to_allocvec(&t).unwrap();
        let back: AgedTable<u16, u16> = postcard::from_bytes(&octets).unwrap();
        assert_eq!(keys(&back), [3, 1, 2]);
        assert_eq!(back.find(&1).and_then(|p| back.get(p)), Some(&2));
    }

    proptest! {
        /// Beside a list that is searched from its start.
        #[test]
        fn behaves_as_a_list(steps in proptest::collection::vec((0u8..4, 0u16..20), 0..300)) {
            let mut t = AgedTable::new();
            let mut model: Vec<(u16, u16)> = Vec::new();
            for (n, (what, k)) in steps.into_iter().enumerate() {
                let n = u16::try_from(n).unwrap();
                let at = model.iter().position(|e| e.0 == k);
                let place = t.find(&k);
                prop_assert_eq!(place.and_then(|p| t.get(p)).copied(), at.map(|i| model[i].1));
                match (what, place, at) {
                    (0 | 1, None, None) => {
                        t.insert(k, n);
                        model.push((k, n));
                    }
                    (1, Some(p), Some(i)) => {
                        t.renew(p);
                        let e = model.remove(i);
                        model.push(e);
                    }
                    (2, Some(p), Some(i)) => {
                        prop_assert_eq!(t.remove(p), Some(model.remove(i)));
                    }
                    (3, _, _) if !model.is_empty() => {
                        prop_assert_eq!(t.oldest().map(|(_, k, _)| *k), Some(model[0].0));
                        prop_assert_eq!(t.remove_oldest(), Some(model.remove(0)));
                    }
                    _ => {}
                }
                prop_assert_eq!(t.len(), model.len());
                prop_assert_eq!(keys(&t), model.iter().map(|e| e.0).collect::<Vec<_>>());
            }
        }
    }
}
