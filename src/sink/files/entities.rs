//! Entities that are transferred in ranges (RFC 9110, 14), over any number of messages and connections.

use super::fields::Fields;
use super::store::Store;
use super::transfer::{About, Transfer, kept};
use crate::base::context::Context;
use crate::base::flow::Transport;
use crate::base::time::{Instant, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Entities that are put together at once; beyond that many, the one that was not used for longest is ended.
const MOST: usize = 256;
/// Ranges of one entity that become files of their own where it stays incomplete.
const RANGES: usize = 1024;

/// What tells entities apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    url: Vec<u8>,
    /// `ETag`, else `Last-Modified`.
    validator: Vec<u8>,
    len: Option<u64>,
}

impl Key {
    /// The key of what a response transfers, if its URL is known.
    pub(super) fn new(url: &[u8], fields: &Fields<'_>, len: Option<u64>) -> Option<Self> {
        let validator = fields.get("etag").or_else(|| fields.get("last-modified"));
        (!url.is_empty()).then(|| Self {
            url: url.to_vec(),
            validator: kept(validator.unwrap_or_default()).to_vec(),
            len,
        })
    }

    /// It can be known again for certain.
    pub(super) const fn is_sure(&self) -> bool {
        !self.validator.is_empty() && self.len.is_some()
    }

    /// The key of the same entity, of another length.
    pub(super) fn with_len(&self, len: Option<u64>) -> Self {
        Self {
            len,
            ..self.clone()
        }
    }
}

/// A range, as a message says: offset of its first octet, offset behind its last, and octets of the whole entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) len: Option<u64>,
}

/// The value of `Content-Range` (RFC 9110, 14.4), if it makes sense.
pub(super) fn content_range(value: &[u8]) -> Option<Range> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let (unit, range) = text.split_once(|c: char| c.is_ascii_whitespace())?;
    let (range, len) = range.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|n| *n < 1 << 62);
    let (from, to) = (number(first)?, number(last)? + 1);
    let len = match len.trim() {
        "*" => None,
        len => Some(number(len)?),
    };
    let sound = unit.eq_ignore_ascii_case("bytes") && from < to && len.is_none_or(|len| to <= len);
    sound.then_some(Range { from, to, len })
}

/// A range, and what brought it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Brought {
    pub(super) range: Range,
    transport: Transport,
    connection: u64,
    src: SocketAddr,
    dst: SocketAddr,
    first: (u64, Timestamp),
    last: (u64, Timestamp),
}

impl Brought {
    /// A range that comes in what `about` describes.
    pub(super) const fn new(range: Range, about: &About) -> Self {
        Self {
            range,
            transport: about.transport,
            connection: about.connection,
            src: about.src,
            dst: about.dst,
            first: about.first,
            last: about.last,
        }
    }

    /// Another packet, behind those before, brought octets of it.
    pub(super) const fn seen(&mut self, frame: u64, time: Timestamp) {
        self.last = (frame, time);
    }

    /// What is known of it as a file; `of`: of that which it is a range of.
    pub(super) fn about(&self, of: &About) -> About {
        About {
            transport: self.transport,
            connection: self.connection,
            src: self.src,
            dst: self.dst,
            first: self.first,
            last: self.last,
            ..of.clone()
        }
    }
}

/// The ranges of one entity that came whole.
#[derive(Default)]
pub(super) struct WholeRanges {
    pub(super) all: Vec<Brought>,
    /// Those that there was no room for.
    pub(super) left_out: u64,
}

impl WholeRanges {
    /// The only range, if it came whole.
    pub(super) fn of(brought: Option<Brought>) -> Self {
        Self {
            all: brought.into_iter().collect(),
            left_out: 0,
        }
    }

    /// One more, unless the same octets came before.
    pub(super) fn add(&mut self, brought: Brought) {
        let is = |b: &Brought| (b.range.from, b.range.to);
        if self.all.iter().any(|b| is(b) == is(&brought)) {
            return;
        }
        if self.all.len() < RANGES {
            self.all.push(brought);
        } else {
            self.left_out += 1;
        }
    }

    const fn size(&self) -> usize {
        self.all.capacity() * size_of::<Brought>()
    }
}

struct Entity {
    id: u64,
    key: Key,
    file: Transfer,
    ranges: WholeRanges,
    /// Messages that bring octets of it now.
    open: usize,
    used: Instant,
}

/// The entities of which octets are missing.
#[derive(Default)]
pub(super) struct Entities {
    all: Vec<Entity>,
    next: u64,
}

impl Entities {
    /// A message begins that brings octets of an entity. Gives its number.
    pub(super) fn begin(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        key: &Key,
        about: impl FnOnce() -> About,
    ) -> u64 {
        if let Some(entity) = self.all.iter_mut().find(|e| e.key == *key) {
            entity.open += 1;
            entity.used = cx.now;
            return entity.id;
        }
        let file = store.begin(cx, about());
        self.add(cx, store, key.clone(), file, 1)
    }

    /// Part of an entity, from a message that should have brought all of it.
    pub(super) fn keep(&mut self, cx: &mut Context, store: &mut Store, key: Key, file: Transfer) {
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
        key: Key,
        file: Transfer,
        open: usize,
    ) -> u64 {
        if self.all.len() >= MOST
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
        brought: Option<Brought>,
    ) {
        let Some(at) = self.all.iter().position(|e| e.id == id) else {
            return;
        };
        let entity = &mut self.all[at];
        entity.open = entity.open.saturating_sub(1);
        entity.used = cx.now;
        if let Some(brought) = brought {
            let before = entity.ranges.size();
            entity.ranges.add(brought);
            cx.budget.resize(before, entity.ranges.size());
        }
        if entity.open == 0 && entity.key.len.is_some_and(|len| entity.file.is_whole(len)) {
            self.finish_at(cx, store, at);
        }
    }

    /// Ends those that were not used for as long as a connection may be idle.
    pub(super) fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        let idle = cx.limits.session_timeout;
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
    }

    fn finish_at(&mut self, cx: &mut Context, store: &mut Store, at: usize) {
        let entity = self.all.remove(at);
        cx.budget.give(entity.ranges.size());
        store.finish_ranges(cx, entity.file, entity.key.len, entity.ranges);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |from, to, len| Some(Range { from, to, len });
        for (text, expected) in [
            ("bytes 0-9/100", range(0, 10, Some(100))),
            ("Bytes 90-99/100", range(90, 100, Some(100))),
            ("bytes 5-5/*", range(5, 6, None)),
            ("bytes */100", None),
            ("bytes 9-0/100", None),
            ("bytes 90-100/100", None),
            ("lines 0-9/100", None),
            ("bytes 0-9", None),
            ("bytes 0-18446744073709551615/*", None),
            ("", None),
        ] {
            assert_eq!(content_range(text.as_bytes()), expected, "{text}");
        }
    }
}
