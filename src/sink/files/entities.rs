//! Entities that are transferred in ranges (RFC 9110, 14), over any number of messages and connections.

use super::content::fields::HeaderFields;
use super::received::{ReceivedRange, WholeRanges};
use super::store::Store;
use super::transfer::{FileInfo, Transfer, kept};
use crate::base::context::Context;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedTable, allocated};
use crate::base::time::Instant;

/// Entities that are put together at once; beyond that many, the one that was not used for longest is ended. They are searched one
/// after the other for each partial response, so a few hundred are cheap, and players of video use a handful.
// Half would end downloads that are still going on; twice makes the walk for each partial response
// twice as long.
const MOST: usize = 256;

/// Entities that are remembered as whole, so that a range which comes again is known; the one that was not asked for longest is
/// forgotten. Players and download managers ask again within one session.
const WHOLE: usize = 256;

/// What makes two responses parts of the same entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct EntityKey {
    url: Vec<u8>,
    /// `ETag`, else `Last-Modified`.
    validator: Vec<u8>,
    len: Option<u64>,
}

impl EntityKey {
    /// The key of what a response transfers, if its URL is known.
    pub(super) fn new(url: &[u8], fields: &HeaderFields<'_>, len: Option<u64>) -> Option<Self> {
        let validator = fields.get("etag").or_else(|| fields.get("last-modified"));
        (!url.is_empty()).then(|| Self {
            // Without a validator two versions of a page would be put together.
            url: url.to_vec(),
            validator: kept(validator.unwrap_or_default()).to_vec(),
            len,
        })
    }

    /// A response with the same key is certainly of the same entity (RFC 9110, 13.1.5).
    pub(super) const fn is_certain(&self) -> bool {
        !self.validator.is_empty() && self.len.is_some()
    }

    /// Octets allocated.
    pub(super) const fn size(&self) -> usize {
        allocated(self.url.capacity()) + allocated(self.validator.capacity())
    }

    /// The key of the same entity, of another length.
    pub(super) fn with_len(&self, len: Option<u64>) -> Self {
        Self {
            len,
            ..self.clone()
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Entity {
    id: u64,
    key: EntityKey,
    file: Transfer,
    ranges: WholeRanges,
    /// Messages that bring octets of it now.
    open: usize,
    used: Instant,
}

/// An entity that came whole, and its file.
#[derive(Serialize, Deserialize)]
struct WholeEntity {
    file: String,
    /// The file is not what was sent: codings were undone.
    decoded: bool,
}

/// Octets of the texts of an entity that came whole.
const fn texts(key: &EntityKey, entity: &WholeEntity) -> usize {
    key.size() + allocated(entity.file.capacity())
}

/// The entities of which octets are missing, and those that came whole last.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Entities {
    all: Vec<Entity>,
    next: u64,
    /// The one that was asked for last is the youngest.
    whole: AgedTable<EntityKey, WholeEntity>,
    /// Octets of the texts in these.
    texts: usize,
    /// Octets of all of it that the budget knows of.
    counted: usize,
}

impl Entities {
    /// A message begins that brings octets of an entity. Gives its number.
    pub(super) fn begin(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        key: &EntityKey,
        about: impl FnOnce() -> FileInfo,
    ) -> u64 {
        // Found by key over all connections: players fetch the ranges of one film over several.
        if let Some(entity) = self.all.iter_mut().find(|e| e.key == *key) {
            entity.open += 1;
            entity.used = cx.now;
            return entity.id;
        }
        let file = store.begin(cx, about());
        self.add(cx, store, key.clone(), file, 1)
    }

    /// Part of an entity, from a message that should have brought all of it.
    pub(super) fn keep(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        key: EntityKey,
        file: Transfer,
    ) {
        // Somebody else has begun it: two part files of one entity would be one too many.
        if self.all.iter().any(|e| e.key == key) {
            store.finish(cx, file, key.len);
        } else {
            self.add(cx, store, key, file, 0);
        }
    }

    fn add(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        key: EntityKey,
        file: Transfer,
        open: usize,
    ) -> u64 {
        if self.all.len() >= MOST
            // The one that was not touched for longest, as most likely nothing more of it comes.
            && let Some(oldest) = (0..self.all.len()).min_by_key(|i| self.all[*i].used)
        {
            self.finish_at(cx, store, oldest);
        }
        self.next += 1;
        self.all.push(Entity {
            id: self.next,
            key,
            file,
            ranges: WholeRanges::default(),
            open,
            used: cx.now,
        });
        self.next
    }

    /// The file of an entity, unless it was ended.
    pub(super) fn file(&mut self, id: u64) -> Option<&mut Transfer> {
        let entity = self.all.iter_mut().find(|e| e.id == id);
        entity.map(|e| &mut e.file)
    }

    /// A message that brought octets has ended. `brought`: its range, if it came whole.
    pub(super) fn end(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        id: u64,
        brought: Option<ReceivedRange>,
    ) {
        let Some(at) = self.all.iter().position(|e| e.id == id) else {
            return;
        };
        let entity = &mut self.all[at];
        // Saturating: a message may end twice in a damaged state.
        entity.open = entity.open.saturating_sub(1);
        entity.used = cx.now;
        if let Some(brought) = brought {
            entity.ranges.add(brought);
            entity.ranges.count(cx);
        }
        store.recognise(&mut entity.file);
        // Whole, and nobody writes to it: it gets its name now, not at the end of the run.
        if entity.open == 0 && entity.key.len.is_some_and(|len| entity.file.is_whole(len)) {
            self.finish_at(cx, store, at);
        }
    }

    /// Ends those that were not used for as long as a connection may be idle.
    pub(super) fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        let idle = cx.limits.session_timeout;
        // Those with an open message are not idle, however long it takes.
        while let Some(at) = self
            .all
            .iter()
            .position(|e| e.open == 0 && cx.now.since(e.used) > idle)
        {
            self.finish_at(cx, store, at);
        }
    }

    /// Ends all of them.
    pub(super) fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        while !self.all.is_empty() {
            self.finish_at(cx, store, 0);
        }
        self.whole = AgedTable::new();
        self.texts = 0;
        self.count(cx);
    }

    fn finish_at(&mut self, cx: &mut Context, store: &mut Store, at: usize) {
        let mut entity = self.all.remove(at);
        entity.ranges.uncount(cx);
        store.recognise(&mut entity.file);
        let whole = entity.key.len.is_some_and(|len| entity.file.is_whole(len));
        if self.is_repeated(store, &entity) {
            cx.counters.files.ranges_repeated += 1;
            store.discard(cx, entity.file);
            return;
        }
        let decoded = !entity.file.about.codings.is_empty();
        let name = store.finish_ranges(cx, entity.file, entity.key.len, entity.ranges);
        if let Some(name) = name.filter(|_| whole) {
            self.came_whole(cx, entity.key, name, decoded);
        }
    }

    /// An entity came whole, by one response or in ranges: it is this file.
    pub(super) fn came_whole(
        &mut self,
        cx: &mut Context,
        key: EntityKey,
        file: String,
        decoded: bool,
    ) {
        let same = self.whole.find(&key);
        let gone = match same {
            Some(place) => self.whole.remove(place),
            None if self.whole.len() >= WHOLE => self.whole.remove_oldest(),
            None => None,
        };
        if let Some((key, entity)) = gone {
            self.texts -= texts(&key, &entity);
        }
        let entity = WholeEntity { file, decoded };
        self.texts += texts(&key, &entity);
        self.whole.insert(key, entity);
        self.count(cx);
    }

    /// What came of an entity came before, when the entity came whole. Its octets show it, or, where a coding was undone, its
    /// validator.
    fn is_repeated(&self, store: &mut Store, entity: &Entity) -> bool {
        let before = self.whole.find(&entity.key);
        let before = before.and_then(|place| self.whole.get(place));
        before.is_some_and(|known| {
            if known.decoded {
                entity.key.is_certain()
            } else {
                store.is_part_of(&entity.file, &known.file)
            }
        })
    }

    /// Charges the budget with what is remembered of whole entities.
    fn count(&mut self, cx: &mut Context) {
        let now = self.whole.allocated() + self.texts;
        cx.budget.rebook(&mut self.counted, now);
    }
}
