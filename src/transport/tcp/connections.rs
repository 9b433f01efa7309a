//! The connections that are known. One for which nothing is allocated (it has had no data, or has ended) is kept compact
//! between its packets: a scan, a flood of SYNs or many idle connections take a third of the memory. Of those that have had
//! data, the ones used longest ago are packed where there are many.

use super::connection::{CompactConnection, Connection, HalfOpenConnection, PackedConnection};
use super::order::{CLOSED_WHOLE, OPEN};
use crate::base::flow::{FlowKey, ShortKey};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, Packer, allocated};
use crate::base::stream::FlowState;
use crate::base::time::Instant;
use crate::transport::table::{FlowPlace, FlowTable};
use std::collections::VecDeque;
use std::ops::Deref;

#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + serde::de::DeserializeOwned")]
enum Entry<S> {
    HalfOpen(HalfOpenConnection),
    Compact(Box<CompactConnection>),
    Packed(PackedConnection),
    Whole(Box<Connection<S>>),
}

/// There may be a million of them.
// Every 8 octets more are 8 MB at the default limit, and a half-open one has to fit into 64 with its key.
const _: () = assert!(size_of::<Entry<()>>() <= 24);

/// Connections that stay whole after something has happened to them that lets them be made compact: a handshake is not
/// taken apart and put together again for each of its packets. None in tests, which then see each of them change its form.
const RECENT: usize = if cfg!(test) { 0 } else { 256 };
/// Connections with data are packed where more than half of the memory limit is in use, but for those used last, which may take this
/// part of it.
// A packet for one that is packed costs three times as much as another one. At the default limit the first is packed behind some
// 80,000, and half a million still fit; with all of the limit, those would go that something waits in.
const IN_USE: usize = 8;
/// All are packed behind each packet, as above.
const ALL: bool = cfg!(test);
/// Entries of connections that are gone that may stand in the list of those in use, beside twice as many as there are connections.
const STALE: usize = if cfg!(test) { 8 } else { 1024 };
/// Connections that are looked at for each that has come into use: some were used since they were looked at last.
const LOOKS: usize = 4;

/// All connections, found by key, in five orders of use.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + serde::de::DeserializeOwned")]
pub(super) struct Connections<S> {
    table: FlowTable<Entry<S>, 5>,
    /// How many are compact, and more than half-open.
    compact: usize,
    /// Whole ones that may have become fit to be made compact, the one that was met first in front.
    recent: VecDeque<FlowPlace>,
    /// Those with data, in the order in which they came into use, and when each had been used last as it was put here.
    in_use: VecDeque<(FlowPlace, Instant)>,
    /// Octets of these two lists that the budget knows of.
    listed: usize,
    #[serde(skip)]
    packer: Packer,
    /// What the last one that was made compact was kept in.
    // A box per made-whole connection would be an allocation for each packet of a quiet connection;
    // one spare serves nearly all.
    #[serde(skip)]
    spare: Option<Box<Connection<S>>>,
}

/// A connection that is only read.
// Made anew for one look and dropped: a box would be allocated for each packet of a compact
// connection.
#[allow(clippy::large_enum_variant)]
pub(super) enum ConnectionView<'a, S> {
    Whole(&'a Connection<S>),
    Made(Connection<S>),
}

impl<S> Deref for ConnectionView<'_, S> {
    type Target = Connection<S>;

    fn deref(&self) -> &Connection<S> {
        match self {
            Self::Whole(connection) => connection,
            Self::Made(connection) => connection,
        }
    }
}

/// A connection in a box, the spare one where there is one.
fn boxed<S>(
    spare: &mut Option<Box<Connection<S>>>,
    connection: Connection<S>,
) -> Box<Connection<S>> {
    match spare.take() {
        Some(mut spare) => {
            *spare = connection;
            spare
        }
        None => Box::new(connection),
    }
}

/// A connection that was packed, and the octets that the budget knows of in what the sink keeps with it.
fn unpacked<S: FlowState>(
    packed: &PackedConnection,
    key: Option<FlowKey>,
) -> (Connection<S>, usize) {
    packed
        .connection(&key.unwrap_or_default())
        .unwrap_or_else(|| {
            // Only a damaged state comes here: it begins anew, from the middle.
            (Connection::new(0, true, false, packed.last_used()), 0)
        })
}

/// Octets that a compact connection takes beside its place in the table.
const COMPACT: usize = allocated(size_of::<CompactConnection>());

/// The connection as it takes least room, which is charged.
fn kept<S>(compact: CompactConnection, many: &mut usize, budget: &mut Budget) -> Entry<S> {
    match HalfOpenConnection::of(&compact) {
        Some(half_open) => Entry::HalfOpen(half_open),
        None => {
            budget.take(COMPACT);
            *many += 1;
            Entry::Compact(Box::new(compact))
        }
    }
}

/// Octets that a connection takes beside its place in the table.
const fn size<S>() -> usize {
    allocated(size_of::<Connection<S>>())
}

impl<S: FlowState> Connections<S> {
    pub(super) fn new() -> Self {
        Self {
            table: FlowTable::new(),
            compact: 0,
            recent: VecDeque::new(),
            in_use: VecDeque::new(),
            listed: 0,
            packer: Packer::default(),
            spare: None,
        }
    }

    /// Has to be called once when the state has been read back.
    pub(super) fn reindex(&mut self) {
        self.table.reindex();
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// One more connection makes the table grow.
    pub(super) const fn is_full(&self) -> bool {
        self.table.is_full()
    }

    /// Octets that the table and those that are compact will have taken when it has grown, about.
    pub(super) const fn grown(&self) -> usize {
        self.table.grown() + self.compact * COMPACT
    }

    /// Octets that the table and its lists have taken, which stay, and those that are compact.
    pub(super) fn allocated(&self) -> usize {
        self.table.allocated() + self.listed + self.compact * COMPACT
    }

    /// There are some that are compact, and more than half-open.
    pub(super) const fn has_compact(&self) -> bool {
        self.compact > 0
    }

    /// The connection with this key.
    pub(super) fn find(&self, key: &FlowKey) -> Option<FlowPlace> {
        self.table.find(key)
    }

    /// The connection with this key, and where it stands, unless it is a compact one.
    #[inline(always)] // on every segment's way
    pub(super) fn find_whole(&mut self, key: ShortKey) -> Option<(FlowPlace, &mut Connection<S>)> {
        match self.table.find_short(key)? {
            (place, Entry::Whole(connection)) => Some((place, connection)),
            (_, _) => None,
        }
    }

    /// The connection at a place, to be read.
    pub(super) fn get(&self, at: FlowPlace) -> Option<ConnectionView<'_, S>> {
        Some(match self.table.get(at)? {
            Entry::HalfOpen(half_open) => ConnectionView::Made(half_open.compact().connection()),
            Entry::Compact(compact) => ConnectionView::Made(compact.connection()),
            Entry::Packed(packed) => ConnectionView::Made(unpacked(packed, self.table.key(at)).0),
            Entry::Whole(connection) => ConnectionView::Whole(connection),
        })
    }

    /// The connection at a place, which may change.
    #[inline(always)] // Most are whole, and each packet asks several times.
    pub(super) fn get_mut(
        &mut self,
        at: FlowPlace,
        budget: &mut Budget,
    ) -> Option<&mut Connection<S>> {
        if !matches!(self.table.get(at)?, Entry::Whole(_)) {
            self.make_whole(at, budget);
        }
        match self.table.get_mut(at)? {
            Entry::Whole(connection) => Some(connection),
            _ => None,
        }
    }

    /// Gives the connection at a place, which is compact or packed, its other form. The index, the place and the key stay.
    #[inline(never)] // off the way of those that are whole
    fn make_whole(&mut self, at: FlowPlace, budget: &mut Budget) {
        let key = self.table.key(at);
        let Some(entry) = self.table.get_mut(at) else {
            return;
        };
        let connection = match entry {
            Entry::Whole(_) => return,
            // Charged when it grows, given back when it shrinks.
            Entry::HalfOpen(half_open) => {
                budget.take(size::<S>());
                half_open.compact().connection()
            }
            Entry::Compact(compact) => {
                budget.resize(COMPACT, size::<S>());
                self.compact -= 1;
                compact.connection()
            }
            Entry::Packed(packed) => {
                let (connection, charged) = unpacked(packed, key);
                budget.give(packed.size());
                budget.take(PackedConnection::unpacked::<S>() + charged);
                connection
            }
        };
        *entry = Entry::Whole(boxed(&mut self.spare, connection));
        // Noted at once, as whatever happens next may leave it without data.
        self.recent.push_back(at);
    }

    /// The key of the connection at a place.
    pub(super) fn key(&self, at: FlowPlace) -> Option<FlowKey> {
        self.table.key(at)
    }

    /// Ends the connection at a place, where it is a compact one: nothing waits in it, so there is no event. Gives whether it had
    /// not ended before, and whether a RST was seen; None where it is none.
    pub(super) fn end_compact(&mut self, at: FlowPlace) -> Option<(bool, bool)> {
        match self.table.get_mut(at)? {
            Entry::HalfOpen(half_open) => Some((half_open.end(), false)),
            Entry::Compact(compact) => Some((compact.end(), compact.was_reset())),
            Entry::Packed(_) | Entry::Whole(_) => None,
        }
    }

    /// The connection at a place has let go of something.
    pub(super) fn lighter(&mut self, at: FlowPlace) {
        self.recent.push_back(at);
    }

    /// When the last packet of the connection at a place came.
    pub(super) fn last_used(&self, at: FlowPlace) -> Option<Instant> {
        Some(match self.table.get(at)? {
            Entry::HalfOpen(half_open) => half_open.last_used(),
            Entry::Compact(compact) => compact.last_used(),
            Entry::Packed(packed) => packed.last_used(),
            Entry::Whole(connection) => connection.last_used(),
        })
    }

    /// Adds a connection whose key is not known, as the newest of an order of use.
    pub(super) fn insert(
        &mut self,
        key: FlowKey,
        connection: Connection<S>,
        list: u8,
        budget: &mut Budget,
    ) -> Option<FlowPlace> {
        budget.take(size::<S>());
        let entry = Entry::Whole(boxed(&mut self.spare, connection));
        let place = self.table.insert(key, entry, list, budget)?;
        // It begins whole: its second packet comes soon, or it is a scan and shrinks behind 256
        // others.
        self.recent.push_back(place);
        Some(place)
    }

    /// The same of one of which nothing but a SYN was seen.
    pub(super) fn insert_half_open(
        &mut self,
        key: ShortKey,
        connection: HalfOpenConnection,
        list: u8,
        budget: &mut Budget,
    ) {
        let entry = Entry::HalfOpen(connection);
        self.table.insert_short(key, entry, list, budget);
    }

    /// There is a connection with this key.
    pub(super) fn knows(&mut self, key: ShortKey) -> bool {
        self.table.find_short(key).is_some()
    }

    /// Drops a connection; gives its key.
    pub(super) fn remove(&mut self, at: FlowPlace, budget: &mut Budget) -> Option<FlowKey> {
        match self.table.get(at)? {
            Entry::Whole(_) => budget.give(size::<S>()),
            Entry::Packed(packed) => budget.give(packed.size()),
            Entry::Compact(_) => {
                budget.give(COMPACT);
                self.compact -= 1;
            }
            Entry::HalfOpen(_) => {}
        }
        self.table.remove(at)
    }

    /// Whether [`shrink`](Self::shrink) may find something to do.
    #[inline(always)] // asked behind every packet
    pub(super) fn may_shrink(&self) -> bool {
        self.recent.len() > RECENT
    }

    /// Makes connections compact for which nothing is allocated any more, but for the most recent ones: to be called between
    /// packets. Those of which too much is known for that stand with those that something is allocated for. Packs those
    /// with data, but for the ones that came into use last: `charged` is the octets that the budget knows of in what the sink keeps
    /// with one; None where that may not be packed.
    pub(super) fn shrink(&mut self, budget: &mut Budget, charged: impl Fn(&S) -> Option<usize>) {
        // Oldest first, and a fixed number stays whole: a burst of connections must not be
        // converted back and forth.
        while self.recent.len() > RECENT
            && let Some(place) = self.recent.pop_front()
        {
            // Gone in the meantime: a place is only a number.
            let Some(entry) = self.table.get_mut(place) else {
                continue;
            };
            let Entry::Whole(connection) = entry else {
                continue;
            };
            // Nothing else may hold it now: this runs between packets.
            if let Some(compact) = CompactConnection::of(connection) {
                budget.give(size::<S>());
                if let Entry::Whole(spare) =
                    std::mem::replace(entry, kept(compact, &mut self.compact, budget))
                {
                    self.spare = Some(spare);
                }
            } else if connection.is_bare() {
                // It cannot be compact, so it costs memory: it is listed with those that go when memory
                // is short.
                let list = if connection.is_closed() {
                    CLOSED_WHOLE
                } else {
                    OPEN
                };
                connection.keep_whole(list);
                self.table.touch(place, list);
            } else {
                self.in_use.push_back((place, connection.last_used()));
                self.pack(budget, &charged);
            }
        }
        // Each entry that goes stands for a connection that came into use since the last time, or half of them.
        if self.in_use.len() > 2 * self.table.len() + STALE {
            self.tidy();
        }
        let of_lists = self.size_of_lists();
        budget.rebook(&mut self.listed, of_lists);
    }

    /// Octets that the lists beside the table have taken.
    fn size_of_lists(&self) -> usize {
        allocated(self.recent.capacity() * size_of::<FlowPlace>())
            + allocated(self.in_use.capacity() * size_of::<(FlowPlace, Instant)>())
    }

    /// Drops what stands in the list of those in use for connections that are gone, or stands there twice.
    fn tidy(&mut self) {
        let table = &self.table;
        self.in_use
            .retain(|(place, _)| matches!(table.get(*place), Some(Entry::Whole(_))));
        // A bit for each slot: a set of a million places would take more than the list.
        let last = self.in_use.iter().map(|(place, _)| place.slot).max();
        let mut seen = vec![0_u64; last.unwrap_or(0) as usize / 64 + 1];
        self.in_use.retain(|(place, _)| {
            let (word, bit) = (place.slot as usize / 64, 1 << (place.slot % 64));
            let is_first = seen[word] & bit == 0;
            seen[word] |= bit;
            is_first
        });
        self.in_use.shrink_to(2 * self.in_use.len());
    }

    /// Packs what came into use longest ago and was not used since, where too much is in use.
    fn pack(&mut self, budget: &mut Budget, charged: &impl Fn(&S) -> Option<usize>) {
        let most = match ALL {
            true => 0,
            false => budget.limit() / IN_USE / PackedConnection::unpacked::<S>(),
        };
        for _ in 0..LOOKS {
            let enough = !ALL && budget.used() <= budget.limit() / 2;
            if enough || self.in_use.len() <= most {
                return;
            }
            let Some((place, used)) = self.in_use.pop_front() else {
                return;
            };
            let Some(entry) = self.table.get_mut(place) else {
                continue;
            };
            let Entry::Whole(connection) = entry else {
                continue;
            };
            if !connection.may_be_packed() {
                // It has ended, or has come here twice.
                continue;
            }
            let now = connection.last_used();
            let packed = if now == used || ALL {
                PackedConnection::of(connection, &mut self.packer, charged)
            } else {
                None
            };
            let Some((packed, charged)) = packed else {
                self.in_use.push_back((place, now));
                continue;
            };
            budget.give(PackedConnection::unpacked::<S>() + charged);
            budget.take(packed.size());
            if let Entry::Whole(mut spare) = std::mem::replace(entry, Entry::Packed(packed)) {
                // What it had allocated goes now; the box itself is of use.
                *spare = Connection::new(0, true, false, now);
                self.spare = Some(spare);
            }
        }
    }

    /// The connection was used: it becomes the newest of an order.
    pub(super) fn touch(&mut self, at: FlowPlace, list: u8) {
        self.table.touch(at, list);
    }

    /// The oldest connection of an order of use.
    pub(super) fn oldest(&self, list: u8) -> Option<FlowPlace> {
        self.table.oldest(list)
    }

    /// All connections are dropped from here on, until the table is cleared.
    pub(super) const fn drain(&mut self) {
        self.table.drain();
    }

    /// Gives all memory back; there must be no connection left.
    pub(super) fn clear(&mut self, budget: &mut Budget) {
        self.table.clear(budget);
        self.recent = VecDeque::new();
        self.in_use = VecDeque::new();
        budget.rebook(&mut self.listed, 0);
        self.packer = Packer::default();
        self.spare = None;
    }
}

#[cfg(test)]
impl<S: FlowState> Connections<S> {
    /// Octets of the lists beside the table, as the budget knows them, and as they are.
    pub(super) fn lists(&self) -> (usize, usize) {
        (self.listed, self.size_of_lists())
    }

    /// Every connection.
    pub(super) fn entries(&self) -> impl Iterator<Item = ConnectionView<'_, S>> {
        self.table.entries().map(|entry| match entry {
            Entry::HalfOpen(half_open) => ConnectionView::Made(half_open.compact().connection()),
            Entry::Compact(compact) => ConnectionView::Made(compact.connection()),
            Entry::Packed(packed) => ConnectionView::Made(unpacked(packed, None).0),
            Entry::Whole(connection) => ConnectionView::Whole(connection),
        })
    }
}
