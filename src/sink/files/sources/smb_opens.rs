//! Files that are open on servers of SMB: by the ids that the servers gave them, over all connections of a session.

use super::super::source::At;
use super::super::store::Store;
use super::super::transfer::{FileInfo, NameFrom, Transfer};
use super::smb_words::FileId;
use crate::base::context::Context;
use crate::base::flow::Direction;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedTable, allocated};
use crate::base::time::{Instant, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::{BTreeSet, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

/// Files that are open at once; beyond that many, the one that was not used for longest is ended. A file server has some thousand for
/// each of its clients, most of which nobody reads.
// Each takes some hundred octets: a few megabytes.
const OPENS: usize = 8192;
/// Of these, files of which octets have come: each holds up to 32 KiB of them.
// Half of a memory limit of 32 MiB.
const FILLED: usize = 512;
/// Shares that are known by their number.
const TREES: usize = 1024;
/// Octets of a share's name that are kept: names of shares have 80 characters (MS-SRVS, 2.2.4.23).
pub(super) const SHARE: usize = 512;
/// So long a file that was closed waits for what another connection of the session brings of it.
const LINGER: Duration = Duration::from_secs(2);
/// Where no file ends: writes that say so are attacks, or go to the end of the file, wherever that is.
const FARTHEST: u64 = 1 << 62;
/// Pipes that servers have beside files (MS-WKST, MS-SRVS and so on). They are only asked for where the share is not known.
const PIPES: &[&str] = &[
    "srvsvc",
    "wkssvc",
    "lsarpc",
    "lsass",
    "samr",
    "netlogon",
    "winreg",
    "svcctl",
    "spoolss",
    "epmapper",
    "eventlog",
    "atsvc",
    "browser",
    "ntsvcs",
    "protected_storage",
    "mdssvc",
];

/// A server that gives numbers of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum SmbServer {
    /// As it calls itself, over all its addresses (MS-SMB2, 2.2.4).
    Guid([u8; 16]),
    Address(IpAddr),
    /// Numbers hold within this connection.
    Connection(u64),
}

/// A session with a server; its channels are connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct SmbSessionKey {
    pub(super) server: SmbServer,
    pub(super) id: u64,
}

/// What is done with an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    Read = 0,
    Write = 1,
    /// It is a directory.
    List = 2,
}

/// A share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct SmbTree {
    /// `\\server\share`.
    pub(super) path: Vec<u8>,
    /// It has pipes, not files.
    pub(super) pipes: bool,
}

/// What a client says of a file that it opens.
pub(super) struct SmbWanted {
    pub(super) session: SmbSessionKey,
    pub(super) tree: u64,
    pub(super) name: Vec<u8>,
    /// Its octets may be written.
    pub(super) writes: bool,
    /// Its octets may be read.
    pub(super) reads: bool,
}

/// What a server says of a file that was opened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Opened {
    pub(super) id: FileId,
    pub(super) size: u64,
    /// It was made, or its octets removed.
    pub(super) fresh: bool,
    pub(super) directory: bool,
}

/// An open file.
#[derive(Debug, Serialize, Deserialize)]
struct SmbOpen {
    session: SmbSessionKey,
    id: Option<FileId>,
    tree: Option<u64>,
    share: Option<SmbTree>,
    name: Vec<u8>,
    writes: bool,
    reads: bool,
    /// What the server said of it.
    opened: Option<Opened>,
    /// Where what is written reaches, as the writes say.
    reach: u64,
    /// Octets that the client gave it.
    set_size: Option<u64>,
    /// The client has asked to close it: what it says of its id is of another file from then on.
    closing: bool,
    /// How it was closed.
    closed: Option<Closed>,
    /// All names of the directory were listed.
    listed: bool,
    files: [Option<Box<Transfer>>; 3],
    used: Instant,
}

/// How a file was closed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Closed {
    /// The size that the server told.
    size: Option<u64>,
    /// Requests may have been lost before.
    doubt: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct SmbSession {
    connections: u32,
    opens: BTreeSet<u64>,
}

/// The open files.
#[derive(Serialize, Deserialize)]
pub(super) struct Opens {
    all: AgedTable<u64, Box<SmbOpen>>,
    /// Those of which octets have come.
    filled: AgedTable<u64, ()>,
    /// Those with an id. Behind a hole one side may be far ahead of the other, and ids are given again: then there are several, in order.
    ids: HashMap<(SmbSessionKey, FileId), Vec<u64>, RandomState>,
    /// Files that were found to be others: by the one number, the other.
    same: AgedTable<u64, u64>,
    trees: AgedTable<(SmbSessionKey, u64), SmbTree>,
    sessions: HashMap<SmbSessionKey, SmbSession, RandomState>,
    /// Files that are closed, and wait.
    closed: VecDeque<(Instant, u64)>,
    next: u64,
    /// The time of the last tick.
    now: Instant,
    texts: usize,
    counted: usize,
}

impl Default for Opens {
    fn default() -> Self {
        Self {
            all: AgedTable::new(),
            filled: AgedTable::new(),
            ids: HashMap::default(),
            same: AgedTable::new(),
            trees: AgedTable::new(),
            sessions: HashMap::default(),
            closed: VecDeque::new(),
            // Connections of a saved run have numbers of that run: they must not be those of other files here.
            next: RandomState::default().hash_one(0_u8) >> 1,
            now: Instant::default(),
            texts: 0,
            counted: 0,
        }
    }
}

impl SmbOpen {
    fn texts(&self) -> usize {
        let share = self.share.as_ref().map_or(0, |share| share.path.capacity());
        allocated(self.name.capacity()) + allocated(share)
    }

    /// Octets that a file of it should have; none where nobody knows.
    fn len(&self, way: Way, end: u64) -> Option<u64> {
        let sure = self.closed.is_some_and(|closed| !closed.doubt);
        match way {
            Way::Read => self.opened.map(|opened| opened.size),
            Way::List => (self.listed || sure).then_some(end),
            Way::Write => {
                let told = self.closed.and_then(|closed| closed.size).or(self.set_size);
                let before = match self.opened {
                    Some(opened) if opened.fresh => Some(0),
                    Some(opened) => Some(opened.size),
                    None => None,
                };
                let reached = before.filter(|_| sure);
                told.or(reached).map(|len| len.max(self.reach))
            }
        }
    }

    /// Says of a file what is known of it.
    fn describe(&self, way: Way, about: &mut FileInfo) {
        let share = self.share.as_ref().map_or(&b""[..], |share| &share.path);
        about.url = match (share, &self.name[..]) {
            (b"", name) => name.to_vec(),
            (share, b"") => share.to_vec(),
            (share, name) => [share, b"\\", name].concat(),
        };
        let last = about.url.rsplit(|o| *o == b'\\').next().unwrap_or_default();
        if way == Way::List {
            about.fallback = last.to_vec();
            about.media_type = "text/plain".to_owned();
        } else if !self.name.is_empty() {
            about.name = Some((last.to_vec(), NameFrom::Command));
        }
    }

    /// It is no file, but a way to call functions of the server.
    fn is_pipe(&self) -> bool {
        let share = self.share.as_ref();
        share.map_or_else(
            || {
                let name = String::from_utf8_lossy(&self.name).to_ascii_lowercase();
                PIPES.contains(&name.trim_start_matches('\\'))
                    && self.opened.is_none_or(|o| o.size == 0)
            },
            |share| share.pipes,
        )
    }
}

impl Opens {
    /// A connection belongs to a session.
    pub(super) fn join(&mut self, session: SmbSessionKey) {
        let session = self.sessions.entry(session).or_default();
        session.connections = session.connections.saturating_add(1);
    }

    /// A connection of a session has ended; with its last one all its files are closed.
    pub(super) fn leave(&mut self, cx: &mut Context, store: &mut Store, key: SmbSessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        session.connections = session.connections.saturating_sub(1);
        if session.connections > 0 {
            return;
        }
        let Some(session) = self.sessions.remove(&key) else {
            return;
        };
        for number in session.opens {
            self.end(cx, store, number);
        }
        self.count(cx);
    }

    /// A share has this number.
    pub(super) fn connected(&mut self, session: SmbSessionKey, number: u64, tree: SmbTree) {
        if let Some(old) = self.trees.find(&(session, number)) {
            self.trees.remove(old);
        } else if self.trees.len() >= TREES {
            self.trees.remove_oldest();
        }
        self.trees.insert((session, number), tree);
    }

    fn add(&mut self, cx: &mut Context, store: &mut Store, file: SmbOpen) -> u64 {
        if self.all.len() >= OPENS
            && let Some(oldest) = self.all.oldest().map(|(_, number, _)| *number)
        {
            cx.counters.files.smb_forgotten += 1;
            self.end(cx, store, oldest);
        }
        self.next += 1;
        let session = self.sessions.entry(file.session).or_default();
        session.opens.insert(self.next);
        self.texts += file.texts();
        self.all.insert(self.next, Box::new(file));
        self.count(cx);
        self.next
    }

    /// The number of the file that this one was found to be.
    fn resolved(&self, number: u64) -> u64 {
        let same = self.same.find(&number);
        let same = same.and_then(|place| self.same.get(place));
        same.copied().unwrap_or(number)
    }

    fn get(&mut self, number: u64) -> Option<&mut SmbOpen> {
        let now = self.now;
        let place = self.all.find(&self.resolved(number))?;
        self.all.renew(place);
        let file = self.all.get_mut(place)?;
        file.used = now;
        Some(file)
    }

    /// A client opens a file. Gives the number by which it is known here.
    pub(super) fn create(&mut self, cx: &mut Context, store: &mut Store, wanted: SmbWanted) -> u64 {
        let file = self.named(cx.now, wanted);
        self.add(cx, store, file)
    }

    fn named(&self, now: Instant, mut wanted: SmbWanted) -> SmbOpen {
        // Old clients begin a path with it.
        if wanted.name.starts_with(b"\\") {
            wanted.name.remove(0);
        }
        let share = self.trees.find(&(wanted.session, wanted.tree));
        let share = share.and_then(|place| self.trees.get(place)).cloned();
        SmbOpen {
            tree: Some(wanted.tree),
            share,
            name: wanted.name,
            writes: wanted.writes,
            reads: wanted.reads,
            ..Self::unknown(now, wanted.session)
        }
    }

    fn unknown(now: Instant, session: SmbSessionKey) -> SmbOpen {
        SmbOpen {
            session,
            id: None,
            tree: None,
            share: None,
            name: Vec::new(),
            writes: false,
            reads: false,
            opened: None,
            reach: 0,
            set_size: None,
            closing: false,
            closed: None,
            listed: false,
            files: [None, None, None],
            used: now,
        }
    }

    /// A file that the server has opened is called so: the request comes behind the answer.
    pub(super) fn name(&mut self, cx: &mut Context, number: u64, wanted: SmbWanted) {
        let named = self.named(cx.now, wanted);
        let Some(file) = self.get(number) else { return };
        let before = file.texts();
        file.name = named.name;
        file.tree = named.tree;
        file.share = named.share;
        file.writes = named.writes;
        file.reads = named.reads;
        let now = file.texts();
        self.texts = self.texts - before + now;
        self.count(cx);
    }

    /// A server has opened a file. `number`: as which it was asked for; none where that is not known. Gives its number.
    pub(super) fn opened(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        number: Option<u64>,
        session: SmbSessionKey,
        opened: Opened,
    ) -> u64 {
        let known = self.ids.get(&(session, opened.id));
        let known = known.cloned().unwrap_or_default();
        let mut early = None;
        for known in known {
            let Some(file) = self.get(known) else {
                continue;
            };
            if file.opened.is_none() && early.is_none() {
                // Octets of it came ahead of this answer.
                early = Some(known);
            } else if file.opened.is_some() && file.tree.is_some() && !file.closing {
                // It was opened before, and its end is lost.
                self.end(cx, store, known);
            }
        }
        let number = match (number, early) {
            (Some(number), Some(early)) if early != number => {
                let taken = self.take(early);
                if let (Some(taken), Some(file)) = (taken, self.get(number)) {
                    let mut is_filled = false;
                    for (to, from) in file.files.iter_mut().zip(taken.files) {
                        *to = to.take().or(from);
                        is_filled |= to.is_some();
                    }
                    file.reach = file.reach.max(taken.reach);
                    file.set_size = file.set_size.or(taken.set_size);
                    file.closing |= taken.closing;
                    if is_filled {
                        // The place of the other has just become free.
                        self.filled.renew_or_insert(number, (), usize::MAX);
                    }
                    // Requests that wait know it by that.
                    if self.same.len() >= OPENS {
                        self.same.remove_oldest();
                    }
                    self.same.insert(early, number);
                }
                number
            }
            (Some(number), _) => number,
            (None, Some(early)) => early,
            (None, None) => self.add(cx, store, Self::unknown(cx.now, session)),
        };
        if let Some(file) = self.get(number) {
            file.id = Some(opened.id);
            file.opened = Some(opened);
            self.has_id(session, opened.id, number);
        }
        self.count(cx);
        number
    }

    /// A file has this id.
    fn has_id(&mut self, session: SmbSessionKey, id: FileId, number: u64) {
        let numbers = self.ids.entry((session, id)).or_default();
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }

    /// A server has not opened a file.
    pub(super) fn refused(&mut self, cx: &mut Context, store: &mut Store, number: u64) {
        let number = self.resolved(number);
        if let Some(file) = self.take(number) {
            for file in file.files.into_iter().flatten() {
                store.discard(cx, *file);
            }
        }
        self.count(cx);
    }

    /// The number of the file with this id; of one that nobody has seen opened, if there is none.
    pub(super) fn of_id(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        session: SmbSessionKey,
        id: FileId,
    ) -> u64 {
        let mut known = self.ids.get(&(session, id)).into_iter().flatten();
        let is_open = |number: &&u64| {
            let file = self.all.find(number).and_then(|place| self.all.get(place));
            file.is_some_and(|file| !file.closing)
        };
        if let Some(number) = known.find(is_open) {
            return *number;
        }
        let file = SmbOpen {
            id: Some(id),
            ..Self::unknown(cx.now, session)
        };
        let number = self.add(cx, store, file);
        self.has_id(session, id, number);
        number
    }

    /// A client asks to close the file.
    pub(super) fn closes(&mut self, number: u64) {
        if let Some(file) = self.get(number) {
            file.closing = true;
        }
    }

    /// The size of the file is known by what was read: a read ended short of what was asked for.
    pub(super) fn ends(&mut self, number: u64, size: u64) {
        if let Some(file) = self.get(number)
            && file.opened.is_none()
        {
            file.opened = file.id.map(|id| Opened {
                id,
                size,
                fresh: false,
                directory: false,
            });
        }
    }

    /// A client gives the file this size.
    pub(super) fn resize(&mut self, number: u64, size: u64) {
        if let Some(file) = self.get(number) {
            file.set_size = Some(size).filter(|size| *size < FARTHEST);
        }
    }

    /// Writes to the file reach so far.
    pub(super) fn reaches(&mut self, number: u64, end: u64) {
        if let Some(file) = self.get(number)
            && end < FARTHEST
        {
            file.reach = file.reach.max(end);
        }
    }

    /// All names of the directory have been listed, or they are listed anew.
    pub(super) fn listed(&mut self, cx: &mut Context, store: &mut Store, number: u64, anew: bool) {
        let number = self.resolved(number);
        let Some(file) = self.get(number) else { return };
        if !anew {
            file.listed = true;
            return;
        }
        if let Some(list) = file.files[Way::List as usize].take() {
            let len = file.len(Way::List, list.have.end());
            self.finish_file(cx, store, number, Way::List, list, len);
        }
        if let Some(file) = self.get(number) {
            file.listed = false;
        }
    }

    /// Octets of the directory's list are lost.
    pub(super) fn lost(&mut self, number: u64) {
        let list = self
            .get(number)
            .and_then(|file| file.files[Way::List as usize].as_mut());
        if let Some(list) = list {
            list.lost(list.have.end());
        }
    }

    /// Where a list ends that is there of the directory.
    pub(super) fn end_of_list(&mut self, number: u64) -> u64 {
        let list = self
            .get(number)
            .and_then(|file| file.files[Way::List as usize].as_ref());
        list.map_or(0, |list| list.have.end())
    }

    /// The file that is read or written, which begins where there is none.
    pub(super) fn file<C>(
        &mut self,
        at: &mut At<'_, C>,
        (number, way): (u64, Way),
        (protocol, direction): (&'static str, Direction),
        (frame, time): (u64, Timestamp),
    ) -> Option<&mut Transfer> {
        let number = self.resolved(number);
        let file = self.get(number)?;
        if file.is_pipe() {
            return None;
        }
        if file.files[way as usize].is_none() {
            let mut about = FileInfo::new(protocol, at.flow, direction, frame, time);
            let command = ["READ", "WRITE", "QUERY_DIRECTORY"][way as usize];
            command.clone_into(&mut about.command);
            file.describe(way, &mut about);
            file.files[way as usize] = Some(Box::new(at.store.begin(at.cx, about)));
            self.make_room(at.cx, at.store, number);
        } else if let Some(place) = self.filled.find(&number) {
            self.filled.renew(place);
        }
        self.get(number)?.files[way as usize].as_deref_mut()
    }

    /// A file has its first octets; another one may have to go for it.
    fn make_room(&mut self, cx: &mut Context, store: &mut Store, number: u64) {
        if self.filled.find(&number).is_some() {
            return;
        }
        if self.filled.len() >= FILLED
            && let Some((oldest, ())) = self.filled.remove_oldest()
        {
            cx.counters.files.smb_forgotten += 1;
            self.finish_files(cx, store, oldest);
        }
        self.filled.insert(number, ());
        self.count(cx);
    }

    /// A client has closed a file. `size`: as the server told; `doubt`: requests may have been lost before.
    pub(super) fn close<C>(
        &mut self,
        at: &mut At<'_, C>,
        number: u64,
        (protocol, size, doubt): (&'static str, Option<u64>, bool),
    ) {
        let number = self.resolved(number);
        let Some(file) = self.get(number) else { return };
        file.closed = Some(Closed { size, doubt });
        // A file without octets is one too, though nothing of it is read or written.
        let empty = file.reach == 0
            && file
                .opened
                .is_some_and(|opened| opened.size == 0 && !opened.directory)
            && size.or(file.set_size).unwrap_or(0) == 0
            && file.files.iter().all(Option::is_none)
            && !doubt;
        let way = match file.opened {
            Some(opened) if opened.fresh => Some(Way::Write).filter(|_| file.writes),
            _ => Some(Way::Read).filter(|_| file.reads),
        };
        let session = file.session;
        if let Some(way) = way.filter(|_| empty) {
            // The server answers: the other direction is that of the client.
            let first = (at.cx.packet.frame, at.cx.packet.time);
            let direction = match way {
                Way::Write => at.direction.flip(),
                Way::Read | Way::List => at.direction,
            };
            self.file(at, (number, way), (protocol, direction), first);
        }
        let several = self
            .sessions
            .get(&session)
            .is_some_and(|s| s.connections > 1);
        if several {
            self.closed.push_back((at.cx.now, number));
            if self.closed.len() > OPENS
                && let Some((_, number)) = self.closed.pop_front()
            {
                self.end(at.cx, at.store, number);
            }
        } else {
            self.end(at.cx, at.store, number);
        }
        self.count(at.cx);
    }

    /// Ends files that were closed, and those of which nothing was heard for as long as a connection may be idle.
    pub(super) fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        self.now = cx.now;
        while let Some((_, number)) = self
            .closed
            .front()
            .filter(|(when, _)| cx.now.since(*when) > LINGER)
        {
            let number = *number;
            self.closed.pop_front();
            self.end(cx, store, number);
        }
        let idle = cx.limits.session_timeout;
        while let Some((_, number, _)) = self
            .all
            .oldest()
            .filter(|(_, _, file)| cx.now.since(file.used) > idle)
        {
            let number = *number;
            self.end(cx, store, number);
        }
        self.count(cx);
    }

    /// Ends all of them.
    pub(super) fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        while let Some((_, number, _)) = self.all.oldest() {
            let number = *number;
            self.end(cx, store, number);
        }
        self.sessions = HashMap::default();
        self.trees = AgedTable::new();
        self.closed = VecDeque::new();
        self.ids = HashMap::default();
        self.same = AgedTable::new();
        self.filled = AgedTable::new();
        self.all = AgedTable::new();
        self.count(cx);
    }

    /// Takes a file out of the tables.
    fn take(&mut self, number: u64) -> Option<Box<SmbOpen>> {
        let (_, file) = self
            .all
            .find(&number)
            .and_then(|place| self.all.remove(place))?;
        self.texts = self.texts.saturating_sub(file.texts());
        if let Some(place) = self.filled.find(&number) {
            self.filled.remove(place);
        }
        let key = file.id.map(|id| (file.session, id));
        if let Some(key) = key
            && let Some(numbers) = self.ids.get_mut(&key)
        {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.ids.remove(&key);
            }
        }
        if let Some(session) = self.sessions.get_mut(&file.session) {
            session.opens.remove(&number);
            if session.opens.is_empty() && session.connections == 0 {
                self.sessions.remove(&file.session);
            }
        }
        Some(file)
    }

    /// Ends a file.
    fn end(&mut self, cx: &mut Context, store: &mut Store, number: u64) {
        self.finish_files(cx, store, number);
        self.take(number);
    }

    /// What came of a file is finished. It stays open.
    fn finish_files(&mut self, cx: &mut Context, store: &mut Store, number: u64) {
        for way in [Way::Read, Way::Write, Way::List] {
            let Some(file) = self.get(number) else { return };
            let Some(transfer) = file.files[way as usize].take() else {
                continue;
            };
            let len = file.len(way, transfer.have.end());
            self.finish_file(cx, store, number, way, transfer, len);
        }
    }

    fn finish_file(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        number: u64,
        way: Way,
        mut transfer: Box<Transfer>,
        len: Option<u64>,
    ) {
        let Some(place) = self.all.find(&number) else {
            return;
        };
        let Some(file) = self.all.get_mut(place) else {
            return;
        };
        // Its share may have become known later.
        if let (None, Some(tree)) = (&file.share, file.tree) {
            let share = self.trees.find(&(file.session, tree));
            file.share = share.and_then(|place| self.trees.get(place)).cloned();
            self.texts += file
                .share
                .as_ref()
                .map_or(0, |share| allocated(share.path.capacity()));
        }
        if file.is_pipe() {
            store.discard(cx, *transfer);
            return;
        }
        file.describe(way, &mut transfer.about);
        store.finish(cx, *transfer, len);
    }

    /// Charges the budget with what is allocated.
    fn count(&mut self, cx: &mut Context) {
        /// Of each file, in the table of its session: a node of eleven may be less than half full.
        const OF_SESSION: usize = 24;
        let now = self.all.allocated()
            + self.all.len() * (allocated(size_of::<SmbOpen>()) + OF_SESSION)
            + self.filled.allocated()
            + self.ids.allocation_size()
            + self.ids.len() * allocated(size_of::<u64>())
            + self.same.allocated()
            + self.sessions.allocation_size()
            + self.trees.allocated()
            + self.trees.len() * allocated(SHARE)
            + self.closed.capacity() * size_of::<(Instant, u64)>()
            + self.texts;
        cx.budget.rebook(&mut self.counted, now);
    }
}
