//! The connections that are known. One for which nothing is allocated (it has had no data, or has ended) is kept compact
//! between its packets: a scan, a flood of SYNs or many idle connections take a third of the memory.

use super::connection::{CompactConnection, Connection};
use super::order::{CLOSED_WHOLE, OPEN};
use crate::base::flow::{FlowKey, ShortKey};
use crate::base::storage::{Budget, allocated};
use crate::base::stream::FlowState;
use crate::base::time::Instant;
use crate::transport::table::{FlowPlace, FlowTable};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::VecDeque;
use std::ops::Deref;

#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + DeserializeOwned")]
enum Entry<S> {
    Compact(CompactConnection),
    Whole(Box<Connection<S>>),
}

/// There may be a million of them.
// More than half of it are the numbers of both streams; every 8 octets more are 8 MB at the default
// limit.
const _: () = assert!(size_of::<Entry<()>>() <= 72);

/// Connections that stay whole after something has happened to them that lets them be made compact: a handshake is not
/// taken apart and put together again for each of its packets. None in tests, which then see each of them change its form.
const RECENT: usize = if cfg!(test) { 0 } else { 256 };

/// All connections, found by key, in five orders of use.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + DeserializeOwned")]
pub(super) struct Connections<S> {
    table: FlowTable<Entry<S>, 5>,
    /// Whole ones that may have become fit to be made compact, the one that was met first in front.
    recent: VecDeque<FlowPlace>,
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

/// The connection, which is compact, in its other form.
fn made_whole<'a, S>(
    entry: &'a mut Entry<S>,
    spare: &mut Option<Box<Connection<S>>>,
) -> Option<&'a mut Connection<S>> {
    // The entry changes its form in place: the index, the place and the key stay.
    if let Entry::Compact(compact) = entry {
        *entry = Entry::Whole(boxed(spare, compact.connection()));
    }
    match entry {
        Entry::Compact(_) => None,
        Entry::Whole(connection) => Some(connection),
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
            recent: VecDeque::new(),
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

    /// Octets that the table will have taken when it has grown, about.
    pub(super) const fn grown(&self) -> usize {
        self.table.grown()
    }

    /// Octets that the table has taken, which stay.
    pub(super) fn allocated(&self) -> usize {
        self.table.allocated()
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
            (_, Entry::Compact(_)) => None,
        }
    }

    /// The connection at a place, to be read.
    pub(super) fn get(&self, at: FlowPlace) -> Option<ConnectionView<'_, S>> {
        Some(match self.table.get(at)? {
            Entry::Compact(compact) => ConnectionView::Made(compact.connection()),
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
        match self.table.get_mut(at)? {
            Entry::Whole(connection) => Some(connection),
            entry @ Entry::Compact(_) => {
                // Charged when it grows, given back when it shrinks: the table itself counts only
                // the compact form.
                budget.take(size::<S>());
                // Noted at once, as whatever happens next may leave it without data.
                self.recent.push_back(at);
                made_whole(entry, &mut self.spare)
            }
        }
    }

    /// The key of the connection at a place.
    pub(super) fn key(&self, at: FlowPlace) -> Option<FlowKey> {
        self.table.key(at)
    }

    /// The connection at a place, where it is a compact one.
    pub(super) fn compact_mut(&mut self, at: FlowPlace) -> Option<&mut CompactConnection> {
        match self.table.get_mut(at)? {
            Entry::Compact(compact) => Some(compact),
            Entry::Whole(_) => None,
        }
    }

    /// The connection at a place has let go of something.
    pub(super) fn lighter(&mut self, at: FlowPlace) {
        self.recent.push_back(at);
    }

    /// When the last packet of the connection at a place came.
    pub(super) fn last_used(&self, at: FlowPlace) -> Option<Instant> {
        Some(match self.table.get(at)? {
            Entry::Compact(compact) => compact.last_used(),
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

    /// The same of one that is compact, and may stay so.
    pub(super) fn insert_compact(
        &mut self,
        key: FlowKey,
        connection: CompactConnection,
        list: u8,
        budget: &mut Budget,
    ) {
        self.table
            .insert(key, Entry::Compact(connection), list, budget);
    }

    /// There is a connection with this key.
    pub(super) fn knows(&mut self, key: ShortKey) -> bool {
        self.table.find_short(key).is_some()
    }

    /// Drops a connection; gives its key.
    pub(super) fn remove(&mut self, at: FlowPlace, budget: &mut Budget) -> Option<FlowKey> {
        if let Entry::Whole(_) = self.table.get(at)? {
            budget.give(size::<S>());
        }
        self.table.remove(at)
    }

    /// Whether [`shrink`](Self::shrink) may find something to do.
    #[inline(always)] // asked behind every packet
    pub(super) fn may_shrink(&self) -> bool {
        self.recent.len() > RECENT
    }

    /// Makes connections compact for which nothing is allocated any more, but for the most recent ones: to be called between
    /// packets. Those of which too much is known for that stand with those that something is allocated for.
    pub(super) fn shrink(&mut self, budget: &mut Budget) {
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
                if let Entry::Whole(spare) = std::mem::replace(entry, Entry::Compact(compact)) {
                    self.spare = Some(spare);
                }
                budget.give(size::<S>());
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

    /// Gives all memory back; there must be no connection left.
    pub(super) fn clear(&mut self, budget: &mut Budget) {
        self.table.clear(budget);
        self.recent = VecDeque::new();
        self.spare = None;
    }
}

#[cfg(test)]
impl<S: FlowState> Connections<S> {
    /// Every connection.
    pub(super) fn entries(&self) -> impl Iterator<Item = ConnectionView<'_, S>> {
        self.table.entries().map(|entry| match entry {
            Entry::Compact(compact) => ConnectionView::Made(compact.connection()),
            Entry::Whole(connection) => ConnectionView::Whole(connection),
        })
    }
}
