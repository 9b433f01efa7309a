//! A table whose entries stand in order of age, so that the oldest is found, and dropped, at once.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use std::hash::{BuildHasher, Hash};
use std::mem::size_of;

/// No slot.
const NONE: u32 = u32::MAX;
/// Tables smaller than this are not made smaller.
// Below it the memory is not worth the moves.
const SMALL: usize = 1024;

/// A hash table of which every entry knows the next older and the next younger one.
///
/// Finding, inserting, moving to the young end and removing take constant time. The hash is keyed anew for each table.
/// Memory is given back when three quarters of it are not in use. Written out, it is the list of its entries, oldest
/// first.
#[derive(Debug)]
pub struct AgedTable<K, V> {
    index: HashTable<u32>,
    slots: Vec<AgedEntry<K, V>>,
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
            index: HashTable::new(),
            slots: Vec::new(),
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
        self.index.allocation_size() + self.slots.capacity() * size_of::<AgedEntry<K, V>>()
    }

    /// Where the entry with this key stands.
    pub fn find(&self, key: &K) -> Option<AgedPlace> {
        // Keyed anew for each table: an attacker cannot prepare keys that collide.
        let hash = self.hasher.hash_one(key);
        self.index
            .find(hash, |at| {
                self.slot(*at)
                    .and_then(|s| s.entry.as_ref())
                    .is_some_and(|(k, _)| k == key)
            })
            .map(|at| AgedPlace(*at))
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
        let hash = self.hasher.hash_one(&key);
        let slot = AgedEntry {
            entry: Some((key, value)),
            prev: NONE,
            next: NONE,
        };
        // Free slots first: the table then stays as large as it ever had to be.
        let at = self.free;
        let at = if let Some(place) = self.slots.get_mut(at as usize) {
            self.free = place.next;
            *place = slot;
            at
        } else {
            self.slots.push(slot);
            // Below NONE: the number of entries is.
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        };
        self.link(at);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index
            // The table grows by hashing the keys again, so the index keeps numbers only.
            .insert_unique(hash, at, |at| hash_at(slots, hasher, *at));
        AgedPlace(at)
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
        let hash = hash_at(&self.slots, &self.hasher, at);
        // Found by its number in the bucket, not by key: no key is compared.
        let found = self.index.find_entry(hash, |i| *i == at).ok()?;
        found.remove();
        self.unlink(at);
        let free = self.free;
        let slot = self.slot_mut(at)?;
        let entry = slot.entry.take();
        slot.next = free;
        self.free = at;
        // At a quarter, not at half: growing again right after would move everything twice.
        if self.slots.capacity() > SMALL && self.len() < self.slots.capacity() / 4 {
            self.shrink();
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

    fn slot(&self, at: u32) -> Option<&AgedEntry<K, V>> {
        self.slots.get(at as usize)
    }

    fn slot_mut(&mut self, at: u32) -> Option<&mut AgedEntry<K, V>> {
        self.slots.get_mut(at as usize)
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

    /// Moves everything into an allocation of twice what is needed. Every entry that is moved stands for one that was
    /// removed since the last time.
    fn shrink(&mut self) {
        self.fit(2 * self.len());
    }

    /// Moves everything into an allocation for so many entries.
    fn fit(&mut self, entries: usize) {
        let mut small = Self {
            // The same key, as hashes need not change.
            hasher: self.hasher.clone(),
            slots: Vec::with_capacity(entries),
            index: HashTable::with_capacity(entries),
            ..Self::default()
        };
        let mut at = self.oldest;
        while let Some(slot) = self.slot_mut(at) {
            at = slot.next;
            if let Some((k, v)) = slot.entry.take() {
                small.insert(k, v);
            }
        }
        *self = small;
    }
}

fn hash_at<K: Hash, V>(slots: &[AgedEntry<K, V>], hasher: &RandomState, at: u32) -> u64 {
    slots
        .get(at as usize)
        .and_then(|s| s.entry.as_ref())
        .map_or(0, |(k, _)| hasher.hash_one(k))
}

impl<K: Hash + Eq + Serialize, V: Serialize> Serialize for AgedTable<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
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
        struct Visitor<K, V>(std::marker::PhantomData<(K, V)>);
        impl<'de, K, V> serde::de::Visitor<'de> for Visitor<K, V>
        where
            K: Hash + Eq + Deserialize<'de>,
            V: Deserialize<'de>,
        {
            type Value = AgedTable<K, V>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of keys with values")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Self::Value, A::Error> {
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
        d.deserialize_seq(Visitor(std::marker::PhantomData))
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
