//! Files that are read and written over SMB2 and SMB3 in the clear (MS-SMB2), and lists of directories. And over SMB1 (MS-CIFS),
//! whose messages have one command of these.
//!
//! ```text
//!  message ── Session ── Header ─┬─ Body ── Data ──┐        an answer to READ has neither offset nor file:
//!                ▲               │    └── Entries ─┤        its request has, which is found by its number
//!                │               └─ Skip ──────────┤
//!                │                  ▲──────────────┘ NextCommand
//! ```
//!
//! A message may be larger than all memory, so what is read and written goes to its file as it comes. Requests and answers
//! meet by their number (MessageId), whichever comes first: behind a hole requests may be told later than their answers. What
//! an answer brings whose request is not there is kept as a file of its own until the request comes, or the connection ends.

use super::super::source::{At, FileSource};
use super::super::store::Store;
use super::super::transfer::{FileInfo, Transfer};
use super::smb_old::{OLD_HEADER, OldHeader, OldSaid};
use super::smb_opens::{Opened, Opens, SHARE, SmbServer, SmbSessionKey, SmbTree, SmbWanted, Way};
use super::smb_words::{
    FileId, HEADER, RELATED_ID, SmbHeader, command, entry_line, entry_needs, file_id, le, status,
    text,
};
use crate::base::context::Context;
use crate::base::message::Extent;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedTable, allocated};
use crate::base::stream::Close;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};

/// Requests of a connection that wait for their answer, and answers for their request; the oldest is forgotten. Servers let a client
/// have 8,192 at most in their usual setting (MS-SMB2, 3.3.1.1).
const WAITING: usize = 8192;
/// Answers with octets among these. Clients read some dozen blocks ahead.
const LOOSE: usize = 64;
/// Octets of a command that are looked at, but for what is read and written: names have 32,767 units at most, usual ones few.
const BODY: usize = 4 << 10;
/// Sessions of one connection whose files end with it. Clients have one for each user.
const SESSIONS: usize = 8;
/// Octets of the session header (RFC 1002, 4.3.1).
const SESSION: usize = 4;

/// Reads SMB.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Smb {
    opens: Opens,
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct SmbConnection {
    open: [Option<Box<SmbMessage>>; 2],
    /// By the direction of the request, and its number.
    waiting: AgedTable<(u8, u64), Waiting>,
    /// Of these, answers with octets.
    loose: usize,
    /// Octets of texts in these.
    texts: usize,
    /// It speaks SMB1.
    old: bool,
    /// The server, as it calls itself.
    guid: Option<[u8; 16]>,
    sessions: Vec<SmbSessionKey>,
    /// Where the next message of each direction begins, if none is lost.
    next: [Option<u64>; 2],
    /// Octets are missing in a direction.
    holes: [bool; 2],
    counted: usize,
}

/// What waits for its other half.
#[derive(Debug, Serialize, Deserialize)]
enum Waiting {
    Asked(SmbRequest),
    Answered(Box<SmbAnswer>),
}

impl Waiting {
    /// Octets allocated for a text of it.
    const fn text(&self) -> usize {
        match self {
            Self::Asked(SmbRequest::Tree(path)) => allocated(path.capacity()),
            _ => 0,
        }
    }
}

/// A request.
#[derive(Debug, Serialize, Deserialize)]
enum SmbRequest {
    /// Something whose answer is of no use.
    Nothing,
    Tree(Vec<u8>),
    Create(u64),
    Read {
        file: u64,
        offset: u64,
        len: u64,
    },
    Close(u64),
    List {
        file: u64,
        class: u8,
    },
}

/// An answer, ahead of its request.
#[derive(Debug, Serialize, Deserialize)]
enum SmbAnswer {
    Tree {
        session: SmbSessionKey,
        number: u64,
        pipes: bool,
    },
    Opened(u64),
    Read(Box<Transfer>, u64),
    Closed(Option<u64>),
    Failed(u64),
}

/// The message of a direction.
#[derive(Debug, Serialize, Deserialize)]
struct SmbMessage {
    /// Offset in the stream of its first octet.
    from: u64,
    /// Offset in it of the next octet.
    at: u64,
    len: u64,
    /// Where the command that is open begins, and where it ends.
    command: (u64, u64),
    header: Option<SmbHeader>,
    /// Octets that were collected.
    held: Vec<u8>,
    step: SmbStep,
    /// The session and the file of the command before.
    before: (u64, u64, Option<u64>),
}

/// What comes next in a message.
#[derive(Debug, Serialize, Deserialize)]
enum SmbStep {
    Session,
    /// The first four octets of a command, which tell the protocol.
    Protocol,
    Header,
    /// So many octets of what is behind the header.
    Body(usize),
    /// A header of SMB1.
    OldHeader,
    /// So many octets of what is behind it.
    OldBody(OldHeader, usize),
    /// So many octets that are of no use, then octets of a file.
    Data {
        skip: u64,
        left: u64,
        to: DataTarget,
    },
    /// Entries of a directory: octets that are left of all, and of the one that is open behind what was read of it.
    Entries {
        left: u64,
        skip: u64,
        file: u64,
        class: u8,
    },
    /// To the end of the command.
    Skip,
    /// To the end of the message.
    Rest,
}

/// Where octets go.
#[derive(Debug, Serialize, Deserialize)]
enum DataTarget {
    File(u64, Way, u64),
    /// Into a file of their own, until the request is there that has this number.
    Loose(Box<Transfer>, u64, u64),
}

impl FileSource for Smb {
    type Connection = SmbConnection;

    fn protocols(&self) -> &'static [&'static str] {
        &["nbss"]
    }

    fn start(&mut self, at: &mut At<'_, SmbConnection>, start: &MessageStart<'_>) {
        let direction = at.direction.index();
        let connection = at.kept.get_or_insert_default();
        // Something between this message and the one before was lost.
        let expected = connection.next[direction];
        connection.holes[direction] |= expected.is_some_and(|next| next != start.offset);
        let Extent::Known(len) = start.extent else {
            return;
        };
        connection.next[direction] = Some(start.offset.saturating_add(len));
        connection.open[direction] = Some(Box::new(SmbMessage {
            from: start.offset,
            at: 0,
            len,
            command: (0, 0),
            header: None,
            held: Vec::new(),
            step: SmbStep::Session,
            before: (0, 0, None),
        }));
        connection.count(at.cx);
    }

    fn data(&mut self, at: &mut At<'_, SmbConnection>, piece: &Piece<'_>) {
        let Some(mut message) = take(at) else { return };
        let from = piece.offset.saturating_sub(message.from);
        if from > message.at {
            message.gap(self, at, from - message.at);
        }
        message.data(self, at, piece);
        put_back(at, message);
    }

    fn gap(&mut self, at: &mut At<'_, SmbConnection>, gap: &MessageGap) {
        let Some(mut message) = take(at) else { return };
        message.gap(self, at, gap.len);
        put_back(at, message);
    }

    fn jump(&mut self, at: &mut At<'_, SmbConnection>) {
        let Some(mut message) = take(at) else { return };
        message.gap(self, at, u64::MAX);
        put_back(at, message);
    }

    fn end(&mut self, at: &mut At<'_, SmbConnection>, _: &MessageEnd) {
        if let Some(mut message) = take(at) {
            message.finish(self, at);
        }
        if let Some(connection) = at.kept.as_deref_mut() {
            connection.count(at.cx);
        }
    }

    fn closed(&mut self, at: &mut At<'_, SmbConnection>, _: Close) {
        let Some(connection) = at.kept.as_deref_mut() else {
            return;
        };
        while let Some((_, waiting)) = connection.waiting.remove_oldest() {
            if let Waiting::Answered(answered) = waiting {
                forget(at.cx, at.store, *answered);
            }
        }
        for session in std::mem::take(&mut connection.sessions) {
            self.opens.leave(at.cx, at.store, session);
        }
        at.cx.budget.give(std::mem::take(&mut connection.counted));
    }

    fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        self.opens.tick(cx, store);
    }

    fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        self.opens.finish(cx, store);
    }
}

impl Smb {
    /// The session of a command.
    fn session(
        &mut self,
        at: &mut At<'_, SmbConnection>,
        id: u64,
        response: bool,
    ) -> SmbSessionKey {
        let server = if response {
            at.flow.src(at.direction)
        } else {
            at.flow.dst(at.direction)
        };
        let number = at.flow.number;
        let connection = at.kept.get_or_insert_default();
        let server = match connection.guid {
            // Without a number sessions of different clients would be one.
            _ if id == 0 => SmbServer::Connection(number),
            Some(guid) => SmbServer::Guid(guid),
            None => SmbServer::Address(server.ip()),
        };
        let key = SmbSessionKey { server, id };
        if connection.sessions.len() < SESSIONS && !connection.sessions.contains(&key) {
            connection.sessions.push(key);
            self.opens.join(key);
        }
        key
    }

    /// Half of an exchange waits for the other.
    fn wait(&mut self, at: &mut At<'_, SmbConnection>, key: (u8, u64), waiting: Waiting) {
        let connection = at.kept.get_or_insert_default();
        let same = connection.waiting.find(&key);
        if let Some((_, old)) = same.and_then(|place| connection.waiting.remove(place)) {
            connection.give_up(at.cx, at.store, old);
        }
        if connection.waiting.len() >= WAITING
            && let Some((_, old)) = connection.waiting.remove_oldest()
        {
            at.cx.counters.files.smb_forgotten += 1;
            connection.give_up(at.cx, at.store, old);
        }
        connection.texts += waiting.text();
        connection.waiting.insert(key, waiting);
    }

    /// A request is there.
    fn asked(
        &mut self,
        at: &mut At<'_, SmbConnection>,
        number: u64,
        asked: SmbRequest,
        wanted: Option<SmbWanted>,
    ) -> Option<u64> {
        let key = (key_of(at.direction.index()), number);
        let answered = at
            .kept
            .as_deref_mut()
            .and_then(|connection| connection.take_answer(key));
        match (answered, asked) {
            (None, asked) => {
                let file = wanted.map(|wanted| self.opens.create(at.cx, at.store, wanted));
                let asked = file.map_or(asked, SmbRequest::Create);
                self.wait(at, key, Waiting::Asked(asked));
                file
            }
            (Some(SmbAnswer::Opened(number)), _) => {
                if let Some(wanted) = wanted {
                    self.opens.name(at.cx, number, wanted);
                }
                Some(number)
            }
            (Some(answered), asked) => {
                self.meet(at, asked, answered, true);
                None
            }
        }
    }

    /// An answer is there.
    fn answered(&mut self, at: &mut At<'_, SmbConnection>, number: u64, answered: SmbAnswer) {
        let key = (key_of(at.direction.flip().index()), number);
        let asked = at
            .kept
            .as_deref_mut()
            .and_then(|connection| connection.take_request(key));
        match asked {
            Some(asked) => self.meet(at, asked, answered, false),
            None => {
                if let SmbAnswer::Read(..) = &answered {
                    let connection = at.kept.get_or_insert_default();
                    if connection.loose >= LOOSE {
                        forget(at.cx, at.store, answered);
                        return;
                    }
                    connection.loose += 1;
                }
                self.wait(at, key, Waiting::Answered(Box::new(answered)));
            }
        }
    }

    /// A server has opened a file.
    fn opened(
        &mut self,
        at: &mut At<'_, SmbConnection>,
        number: u64,
        session: SmbSessionKey,
        opened: Opened,
    ) {
        let key = (key_of(at.direction.flip().index()), number);
        let connection = at.kept.as_deref_mut();
        let file = match connection.and_then(|c| c.take_request(key)) {
            Some(SmbRequest::Create(file)) => Some(file),
            _ => None,
        };
        let is_asked = file.is_some();
        let file = self.opens.opened(at.cx, at.store, file, session, opened);
        if !is_asked {
            self.wait(
                at,
                key,
                Waiting::Answered(Box::new(SmbAnswer::Opened(file))),
            );
        }
    }

    /// A request and its answer are there. `late`: the request came behind its answer.
    fn meet(
        &mut self,
        at: &mut At<'_, SmbConnection>,
        asked: SmbRequest,
        answered: SmbAnswer,
        late: bool,
    ) {
        match (asked, answered) {
            (
                SmbRequest::Tree(path),
                SmbAnswer::Tree {
                    session,
                    number,
                    pipes,
                },
            ) => {
                let ipc = path.to_ascii_uppercase().ends_with(b"\\IPC$");
                let pipes = pipes || ipc;
                self.opens
                    .connected(session, number, SmbTree { path, pipes });
            }
            (SmbRequest::Create(file), SmbAnswer::Failed(_)) => {
                self.opens.refused(at.cx, at.store, file)
            }
            (SmbRequest::Read { file, offset, len }, SmbAnswer::Read(loose, there)) => {
                self.place(at, (file, offset), &loose, late);
                at.store.discard(at.cx, *loose);
                self.short(file, offset, len, there);
            }
            // A file without octets is one too.
            (
                SmbRequest::Read {
                    file, offset: 0, ..
                },
                SmbAnswer::Failed(status::END_OF_FILE),
            ) => {
                self.opens.ends(file, 0);
                let first = (at.cx.packet.frame, at.cx.packet.time);
                let direction = if late {
                    at.direction.flip()
                } else {
                    at.direction
                };
                let file = (file, Way::Read);
                self.opens.file(at, file, (protocol(at), direction), first);
            }
            (SmbRequest::List { file, .. }, SmbAnswer::Failed(status::NO_MORE_FILES)) => {
                self.opens.listed(at.cx, at.store, file, false);
            }
            (SmbRequest::Close(file), SmbAnswer::Closed(size)) => {
                let asker = if late {
                    at.direction
                } else {
                    at.direction.flip()
                };
                let doubt = at.kept.as_ref().is_none_or(|c| c.holes[asker.index()]);
                // The way of what the server says, whichever came last.
                let direction = std::mem::replace(&mut at.direction, asker.flip());
                self.opens.close(at, file, (protocol(at), size, doubt));
                at.direction = direction;
            }
            (_, SmbAnswer::Read(loose, _)) => at.store.discard(at.cx, *loose),
            _ => {}
        }
    }

    /// Fewer octets were read than were asked for: the file ends there.
    fn short(&mut self, file: u64, offset: u64, asked: u64, there: u64) {
        if there < asked {
            self.opens.ends(file, offset.saturating_add(there));
        }
    }

    /// Octets that were read belong to this file, from this offset on.
    fn place(
        &mut self,
        at: &mut At<'_, SmbConnection>,
        (file, offset): (u64, u64),
        loose: &Transfer,
        late: bool,
    ) {
        let direction = if late {
            at.direction.flip()
        } else {
            at.direction
        };
        let first = loose.about.first;
        let Some(to) = self
            .opens
            .file(at, (file, Way::Read), (protocol(at), direction), first)
        else {
            return;
        };
        to.about.seen(loose.about.first.0, loose.about.first.1);
        to.about.seen(loose.about.last.0, loose.about.last.1);
        at.store.copy(at.cx, loose, (0, u64::MAX), to, offset);
    }
}

/// What an answer brought whose request never came.
fn forget(cx: &mut Context, store: &mut Store, answered: SmbAnswer) {
    if let SmbAnswer::Read(loose, there) = answered {
        cx.counters.files.smb_unplaced += there;
        store.discard(cx, *loose);
    }
}

/// What the connection speaks, by Wireshark's name.
fn protocol(at: &At<'_, SmbConnection>) -> &'static str {
    if at.kept.as_ref().is_some_and(|connection| connection.old) {
        "smb"
    } else {
        "smb2"
    }
}

fn key_of(direction: usize) -> u8 {
    u8::from(direction > 0)
}

impl SmbConnection {
    fn take_answer(&mut self, key: (u8, u64)) -> Option<SmbAnswer> {
        let place = self.waiting.find(&key)?;
        if !matches!(self.waiting.get(place), Some(Waiting::Answered(_))) {
            return None;
        }
        match self.waiting.remove(place) {
            Some((_, Waiting::Answered(answered))) => {
                if matches!(*answered, SmbAnswer::Read(..)) {
                    self.loose = self.loose.saturating_sub(1);
                }
                Some(*answered)
            }
            _ => None,
        }
    }

    fn take_request(&mut self, key: (u8, u64)) -> Option<SmbRequest> {
        let place = self.waiting.find(&key)?;
        if !matches!(self.waiting.get(place), Some(Waiting::Asked(_))) {
            return None;
        }
        let (_, asked) = self.waiting.remove(place)?;
        self.texts = self.texts.saturating_sub(asked.text());
        match asked {
            Waiting::Asked(asked) => Some(asked),
            Waiting::Answered(_) => None,
        }
    }

    /// What waited is not needed.
    fn give_up(&mut self, cx: &mut Context, store: &mut Store, waiting: Waiting) {
        self.texts = self.texts.saturating_sub(waiting.text());
        if let Waiting::Answered(answered) = waiting {
            if matches!(*answered, SmbAnswer::Read(..)) {
                self.loose = self.loose.saturating_sub(1);
            }
            forget(cx, store, *answered);
        }
    }

    fn count(&mut self, cx: &mut Context) {
        let message = |m: &SmbMessage| {
            allocated(size_of::<SmbMessage>()) + allocated(m.held.capacity()) + HEADER
        };
        let now = allocated(size_of::<Self>())
            + self
                .open
                .iter()
                .flatten()
                .map(|m| message(m))
                .sum::<usize>()
            + self.waiting.allocated()
            + self.waiting.len() * allocated(size_of::<SmbAnswer>())
            + self.texts
            + self.sessions.capacity() * size_of::<SmbSessionKey>();
        cx.budget.rebook(&mut self.counted, now);
    }
}

/// Takes the open message of the direction; it is put back.
fn take(at: &mut At<'_, SmbConnection>) -> Option<Box<SmbMessage>> {
    at.kept.as_mut()?.open[at.direction.index()].take()
}

fn put_back(at: &mut At<'_, SmbConnection>, message: Box<SmbMessage>) {
    if let Some(connection) = at.kept {
        connection.open[at.direction.index()] = Some(message);
    }
}

impl SmbMessage {
    /// Receives octets.
    fn data(&mut self, smb: &mut Smb, at: &mut At<'_, SmbConnection>, piece: &Piece<'_>) {
        let mut octets = piece.data;
        while !octets.is_empty() {
            let before = octets.len();
            let rest = match self.step {
                SmbStep::Data { .. } => self.file_data(smb, at, piece, octets),
                SmbStep::Entries { .. } => self.entries(smb, at, piece, octets),
                SmbStep::Skip => {
                    let n = clamp(self.command.1.saturating_sub(self.at), octets.len());
                    self.at += n as u64;
                    &octets[n..]
                }
                SmbStep::Rest => {
                    self.at += octets.len() as u64;
                    return;
                }
                SmbStep::Session => self.collect(smb, at, octets, SESSION),
                SmbStep::Protocol => self.collect(smb, at, octets, 4),
                SmbStep::Header => self.collect(smb, at, octets, HEADER),
                SmbStep::Body(len) | SmbStep::OldBody(_, len) => self.collect(smb, at, octets, len),
                SmbStep::OldHeader => self.collect(smb, at, octets, OLD_HEADER),
            };
            octets = rest;
            let moved = octets.len() < before;
            if self.at >= self.command.1 && matches!(self.step, SmbStep::Skip) {
                self.next_command();
            } else if !moved && !matches!(self.step, SmbStep::Skip | SmbStep::Body(0)) {
                // Nothing can be done with it: never again the same.
                self.step = SmbStep::Skip;
            }
        }
    }

    /// Behind a command the next one of the message begins.
    fn next_command(&mut self) {
        self.held.clear();
        self.step = if self.at < self.len {
            SmbStep::Protocol
        } else {
            SmbStep::Rest
        };
    }

    /// Collects octets until there are so many; gives those behind them.
    fn collect<'o>(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        octets: &'o [u8],
        want: usize,
    ) -> &'o [u8] {
        let n = want.saturating_sub(self.held.len()).min(octets.len());
        self.held.extend_from_slice(&octets[..n]);
        self.at += n as u64;
        if self.held.len() >= want {
            self.collected(smb, at);
        }
        &octets[n..]
    }

    fn collected(&mut self, smb: &mut Smb, at: &mut At<'_, SmbConnection>) {
        match self.step {
            SmbStep::Session => {
                // Other than session messages there is nothing of interest (RFC 1002, 4.3).
                self.step = if self.held[0] == 0 {
                    SmbStep::Protocol
                } else {
                    SmbStep::Rest
                };
                self.held.clear();
            }
            SmbStep::Protocol => {
                self.command = (self.at - 4, self.len);
                let files = &mut at.cx.counters.files;
                self.step = match &self.held[..] {
                    b"\xFESMB" => SmbStep::Header,
                    b"\xFDSMB" => {
                        files.smb_encrypted += 1;
                        at.store.cannot_read("encrypted SMB");
                        SmbStep::Rest
                    }
                    b"\xFCSMB" => {
                        files.smb_compressed += 1;
                        at.store.cannot_read("compressed SMB");
                        SmbStep::Rest
                    }
                    b"\xFFSMB" => SmbStep::OldHeader,
                    _ => SmbStep::Rest,
                };
            }
            SmbStep::Header => self.header(smb, at),
            SmbStep::OldHeader => {
                let header = OldHeader::read(&self.held);
                self.held.clear();
                at.kept.get_or_insert_default().old = true;
                let left = clamp(self.len.saturating_sub(self.at), BODY);
                self.step = if header.is_of_use() && left > 0 {
                    SmbStep::OldBody(header, 1)
                } else {
                    SmbStep::Rest
                };
            }
            SmbStep::OldBody(header, len) => {
                let left = clamp(self.len.saturating_sub(self.at), BODY);
                let want = header.needs(&self.held, left + self.held.len());
                if want > len {
                    self.step = SmbStep::OldBody(header, want);
                    return;
                }
                let body = std::mem::take(&mut self.held);
                self.step = SmbStep::Rest;
                self.old_body(smb, at, &header, &body);
            }
            SmbStep::Body(_) => {
                let body = std::mem::take(&mut self.held);
                self.step = SmbStep::Skip;
                if let Some(header) = self.header.take() {
                    self.body(smb, at, &header, &body);
                }
                // Its room is used again.
                self.held = body;
                self.held.clear();
            }
            _ => {}
        }
    }

    /// A header is there.
    fn header(&mut self, smb: &mut Smb, at: &mut At<'_, SmbConnection>) {
        let header = SmbHeader::read(&self.held);
        self.held.clear();
        at.kept.get_or_insert_default().old = false;
        self.step = SmbStep::Skip;
        // A related command goes on with the session, the tree and the file of the one before it.
        if !(header.related && header.session == u64::MAX) {
            self.before.0 = header.session;
        }
        if !(header.related && header.tree == 0xFFFF_FFFF) {
            self.before.1 = header.tree;
        }
        if header.next > 0 {
            let next = self.command.0.saturating_add(header.next);
            if header.next < HEADER as u64 || next >= self.len {
                self.step = SmbStep::Rest;
                return;
            }
            self.command.1 = next;
        }
        let left = self.command.1.saturating_sub(self.at);
        let fixed = match (header.command, header.response) {
            (command::READ, true) => 16,
            (command::WRITE, false) => 48,
            (command::NEGOTIATE, true) => 24,
            (command::TREE_CONNECT | command::CREATE | command::CLOSE, _)
            | (command::READ | command::QUERY_DIRECTORY | command::SET_INFO, false) => BODY,
            (command::QUERY_DIRECTORY, true) => 8,
            _ => return,
        };
        if header.response && !matches!(header.status, status::SUCCESS | status::BUFFER_OVERFLOW) {
            if header.status != status::PENDING {
                smb.answered(at, header.message, SmbAnswer::Failed(header.status));
            }
            return;
        }
        let len = clamp(left, fixed);
        if len < 8 || (fixed < BODY && len < fixed) {
            return;
        }
        self.header = Some(header);
        self.step = SmbStep::Body(len);
    }

    /// The file that a request is about.
    fn file(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        header: &SmbHeader,
        id: FileId,
    ) -> Option<u64> {
        if header.related && id == RELATED_ID {
            return self.before.2;
        }
        let session = smb.session(at, self.before.0, header.response);
        Some(smb.opens.of_id(at.cx, at.store, session, id))
    }

    /// What stands behind a header is there, as far as it is looked at.
    fn body(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        header: &SmbHeader,
        body: &[u8],
    ) {
        if header.response {
            self.response(smb, at, header, body);
        } else if let Some((asked, wanted)) = self.request(smb, at, header, body) {
            let file = smb.asked(at, header.message, asked, wanted);
            self.before.2 = file.or(self.before.2);
        }
    }

    /// Reads a request. Gives what is asked for where an answer to it matters, and of a file that is opened what the client says of it.
    fn request(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        header: &SmbHeader,
        body: &[u8],
    ) -> Option<(SmbRequest, Option<SmbWanted>)> {
        let file = |message: &mut Self, smb: &mut Smb, at: &mut At<'_, SmbConnection>, id_at| {
            let id = file_id(body, id_at)?;
            message.before.2 = message.file(smb, at, header, id);
            message.before.2
        };
        let asked = match header.command {
            command::TREE_CONNECT => {
                let mut path = text(body, le(body, 4, 2), le(body, 6, 2));
                path.truncate(SHARE);
                path.shrink_to_fit();
                SmbRequest::Tree(path)
            }
            command::CREATE => {
                /// Rights to write or append octets, or all rights (MS-SMB2, 2.2.13.1.1).
                const WRITES: u64 = 0x2 | 0x4 | 0x1000_0000 | 0x4000_0000 | 0x0200_0000;
                const READS: u64 = 0x1 | 0x1000_0000 | 0x8000_0000;
                let wanted = SmbWanted {
                    session: smb.session(at, self.before.0, false),
                    tree: self.before.1,
                    name: text(body, le(body, 44, 2), le(body, 46, 2)),
                    writes: le(body, 24, 4) & WRITES != 0,
                    reads: le(body, 24, 4) & READS != 0,
                };
                return Some((SmbRequest::Nothing, Some(wanted)));
            }
            command::READ => match file(self, smb, at, 16) {
                // What goes over RDMA is not in the answer (MS-SMB2, 2.2.19).
                Some(file) if le(body, 36, 4) == 0 => {
                    let (len, offset) = (le(body, 4, 4), le(body, 8, 8));
                    SmbRequest::Read { file, offset, len }
                }
                _ => SmbRequest::Nothing,
            },
            command::WRITE => {
                let file = file(self, smb, at, 16)?;
                let (data_at, len, offset) = (le(body, 2, 2), le(body, 4, 4), le(body, 8, 8));
                let skip = data_at.checked_sub(HEADER as u64 + 48);
                let there = self.command.1.saturating_sub(self.at);
                if let Some(skip) = skip.filter(|skip| *skip < there) {
                    smb.opens.reaches(file, offset.saturating_add(len));
                    let to = DataTarget::File(file, Way::Write, offset);
                    let left = len.min(there - skip);
                    self.step = SmbStep::Data { skip, left, to };
                }
                return None;
            }
            command::CLOSE => match file(self, smb, at, 8) {
                Some(file) => {
                    smb.opens.closes(file);
                    SmbRequest::Close(file)
                }
                None => SmbRequest::Nothing,
            },
            command::QUERY_DIRECTORY => {
                let pattern = text(body, le(body, 24, 2), le(body, 26, 2));
                let file = file(self, smb, at, 8);
                match file.filter(|_| pattern.iter().any(|o| b"*?<>\"".contains(o))) {
                    // One name that is asked for is no list.
                    None => SmbRequest::Nothing,
                    Some(file) => {
                        /// RESTART_SCANS and REOPEN (MS-SMB2, 2.2.33).
                        const ANEW: u64 = 0x11;
                        if le(body, 3, 1) & ANEW != 0 {
                            smb.opens.listed(at.cx, at.store, file, true);
                        }
                        let class = body.get(2).copied().unwrap_or(0);
                        SmbRequest::List { file, class }
                    }
                }
            }
            command::SET_INFO => {
                /// Of a file: where it ends (MS-FSCC, 2.4.14).
                const END_OF_FILE: (u64, u64) = (1, 20);
                let file = file(self, smb, at, 16)?;
                let end = behind(body, le(body, 8, 2));
                if (le(body, 2, 1), le(body, 3, 1)) == END_OF_FILE && end.len() >= 8 {
                    smb.opens.resize(file, le(end, 0, 8));
                }
                return None;
            }
            _ => return None,
        };
        Some((asked, None))
    }

    fn response(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        header: &SmbHeader,
        body: &[u8],
    ) {
        let number = header.message;
        match header.command {
            command::NEGOTIATE => {
                let connection = at.kept.get_or_insert_default();
                connection.guid = file_id(body, 8).filter(|guid| *guid != [0; 16]);
            }
            command::TREE_CONNECT => {
                /// It has named pipes (MS-SMB2, 2.2.10).
                const PIPES: u64 = 2;
                let session = smb.session(at, self.before.0, true);
                let pipes = le(body, 2, 1) == PIPES;
                let number_of = header.tree;
                smb.answered(
                    at,
                    number,
                    SmbAnswer::Tree {
                        session,
                        number: number_of,
                        pipes,
                    },
                );
            }
            command::CREATE => {
                let Some(id) = file_id(body, 64) else { return };
                /// The file was there and is as it was (MS-SMB2, 2.2.14).
                const OPENED: u64 = 1;
                let opened = Opened {
                    id,
                    size: le(body, 48, 8),
                    fresh: le(body, 4, 4) != OPENED,
                    directory: le(body, 56, 4) & 0x10 != 0,
                };
                let session = smb.session(at, self.before.0, true);
                smb.opened(at, number, session, opened);
            }
            command::READ => {
                let (data_at, len) = (le(body, 2, 1), le(body, 4, 4));
                let skip = data_at.saturating_sub(HEADER as u64 + 16);
                let there = self.command.1.saturating_sub(self.at).saturating_sub(skip);
                self.read(smb, at, number, (skip, len.min(there)));
            }
            command::CLOSE => {
                /// The answer has the attributes of the file (MS-SMB2, 2.2.16).
                const ATTRIBUTES: u64 = 1;
                let size =
                    (le(body, 2, 2) & ATTRIBUTES != 0 && body.len() >= 56).then(|| le(body, 48, 8));
                smb.answered(at, number, SmbAnswer::Closed(size));
            }
            command::QUERY_DIRECTORY => {
                let key = (key_of(at.direction.flip().index()), number);
                let asked = at.kept.as_deref_mut().and_then(|c| c.take_request(key));
                // Without its request nobody knows what entries look like.
                let Some(SmbRequest::List { file, class }) = asked else {
                    return;
                };
                let skip = le(body, 2, 2).saturating_sub(HEADER as u64 + 8);
                let there = self.command.1.saturating_sub(self.at).saturating_sub(skip);
                let left = le(body, 4, 4).min(there);
                if left > 0 {
                    self.step = SmbStep::Entries {
                        left: left + skip,
                        skip,
                        file,
                        class,
                    };
                }
            }
            _ => {}
        }
    }

    /// What stands behind a header of SMB1 is there, as far as it is looked at.
    fn old_body(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        header: &OldHeader,
        body: &[u8],
    ) {
        // All numbers hold within the connection.
        let session = smb.session(at, 0, header.response);
        let number = header.message;
        if header.response && header.status != status::SUCCESS {
            smb.answered(at, number, SmbAnswer::Failed(header.status));
            return;
        }
        let skip = |message: &Self, from: u64| {
            message
                .command
                .0
                .saturating_add(from)
                .checked_sub(message.at)
        };
        match OldSaid::read(header, body) {
            OldSaid::Nothing => {}
            OldSaid::Tree(path) => {
                smb.asked(at, number, SmbRequest::Tree(path), None);
            }
            OldSaid::Connected(pipes) => {
                let tree = header.tree;
                let answered = SmbAnswer::Tree {
                    session,
                    number: tree,
                    pipes,
                };
                smb.answered(at, number, answered);
            }
            OldSaid::Create {
                name,
                reads,
                writes,
            } => {
                let tree = header.tree;
                let wanted = SmbWanted {
                    session,
                    tree,
                    name,
                    writes,
                    reads,
                };
                smb.asked(at, number, SmbRequest::Nothing, Some(wanted));
            }
            OldSaid::Created(opened) => smb.opened(at, number, session, opened),
            OldSaid::Read { id, offset, len } => {
                let file = smb.opens.of_id(at.cx, at.store, session, id);
                smb.asked(at, number, SmbRequest::Read { file, offset, len }, None);
            }
            OldSaid::Octets(len, from) => {
                let skip = skip(self, from).unwrap_or(0);
                let there = self.len.saturating_sub(self.at).saturating_sub(skip);
                self.read(smb, at, number, (skip, len.min(there)));
            }
            OldSaid::Write {
                id,
                offset,
                octets: (len, from),
            } => {
                let file = smb.opens.of_id(at.cx, at.store, session, id);
                let there = self.len.saturating_sub(self.at);
                if let Some(skip) = skip(self, from).filter(|skip| *skip < there) {
                    smb.opens.reaches(file, offset.saturating_add(len));
                    let to = DataTarget::File(file, Way::Write, offset);
                    let left = len.min(there - skip);
                    self.step = SmbStep::Data { skip, left, to };
                }
            }
            OldSaid::Close(id) => {
                let file = smb.opens.of_id(at.cx, at.store, session, id);
                smb.opens.closes(file);
                smb.asked(at, number, SmbRequest::Close(file), None);
            }
            OldSaid::Closed => smb.answered(at, number, SmbAnswer::Closed(None)),
        }
    }

    /// Octets that were read follow.
    fn read(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        number: u64,
        (skip, len): (u64, u64),
    ) {
        let key = (key_of(at.direction.flip().index()), number);
        let asked = at.kept.as_deref_mut().and_then(|c| c.take_request(key));
        let (to, left) = match asked {
            Some(SmbRequest::Read {
                file,
                offset,
                len: most,
            }) => {
                smb.short(file, offset, most, len);
                (DataTarget::File(file, Way::Read, offset), len.min(most))
            }
            Some(_) => return,
            None => {
                let (frame, time) = (at.cx.packet.frame, at.cx.packet.time);
                let about = FileInfo::new(protocol(at), at.flow, at.direction, frame, time);
                (
                    DataTarget::Loose(Box::new(at.store.begin(at.cx, about)), 0, number),
                    len,
                )
            }
        };
        self.step = SmbStep::Data { skip, left, to };
        if left == 0 {
            self.end_data(smb, at);
        }
    }

    /// Receives octets of a file; gives those behind them.
    fn file_data<'o>(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        piece: &Piece<'_>,
        octets: &'o [u8],
    ) -> &'o [u8] {
        let SmbStep::Data { skip, left, to } = &mut self.step else {
            return octets;
        };
        let skipped = clamp(*skip, octets.len());
        *skip -= skipped as u64;
        let n = clamp(*left, octets.len() - skipped);
        *left -= n as u64;
        let part = &octets[skipped..skipped + n];
        self.at += (skipped + n) as u64;
        let seen = (piece.frame, piece.time);
        match to {
            DataTarget::File(file, way, offset) => {
                let from = *offset;
                *offset = offset.saturating_add(n as u64);
                if !part.is_empty()
                    && let Some(file) =
                        smb.opens
                            .file(at, (*file, *way), (protocol(at), at.direction), seen)
                {
                    file.about.seen(seen.0, seen.1);
                    at.store.write(at.cx, file, from, part);
                }
            }
            DataTarget::Loose(file, offset, _) => {
                file.about.seen(seen.0, seen.1);
                at.store.write(at.cx, file, *offset, part);
                *offset += n as u64;
            }
        }
        if *left == 0 {
            self.end_data(smb, at);
        }
        &octets[skipped + n..]
    }

    /// What was read or written is there, or will not come.
    fn end_data(&mut self, smb: &mut Smb, at: &mut At<'_, SmbConnection>) {
        let step = std::mem::replace(&mut self.step, SmbStep::Skip);
        if let SmbStep::Data {
            to: DataTarget::Loose(file, len, number),
            left,
            ..
        } = step
        {
            smb.answered(at, number, SmbAnswer::Read(file, len.saturating_add(left)));
        }
    }

    /// Receives entries of a directory; gives octets behind them.
    fn entries<'o>(
        &mut self,
        smb: &mut Smb,
        at: &mut At<'_, SmbConnection>,
        piece: &Piece<'_>,
        octets: &'o [u8],
    ) -> &'o [u8] {
        let SmbStep::Entries {
            left,
            skip,
            file,
            class,
        } = &mut self.step
        else {
            return octets;
        };
        let (file, class) = (*file, *class);
        if *skip > 0 {
            let n = clamp(*skip, octets.len());
            *skip -= n as u64;
            *left = left.saturating_sub(n as u64);
            self.at += n as u64;
            if *left == 0 {
                self.step = SmbStep::Skip;
            }
            return &octets[n..];
        }
        let want = entry_needs(class, &self.held).min(self.held.len() + clamp(*left, usize::MAX));
        let n = want.saturating_sub(self.held.len()).min(octets.len());
        self.held.extend_from_slice(&octets[..n]);
        *left -= n as u64;
        self.at += n as u64;
        let all = *left == 0;
        if self.held.len() >= entry_needs(class, &self.held) || all {
            let mut line = String::new();
            entry_line(class, &self.held, &mut line);
            // The next one begins so far behind the beginning of this one; 0: there is none.
            let next = le(&self.held, 0, 4);
            match next.checked_sub(self.held.len() as u64) {
                Some(more) if !all && more < *left => *skip = more,
                _ => self.step = SmbStep::Skip,
            }
            self.held.clear();
            let upto = smb.opens.end_of_list(file);
            let seen = (piece.frame, piece.time);
            if let Some(list) =
                smb.opens
                    .file(at, (file, Way::List), (protocol(at), at.direction), seen)
            {
                list.about.seen(seen.0, seen.1);
                at.store.write(at.cx, list, upto, line.as_bytes());
            }
        }
        &octets[n..]
    }

    /// `len` octets are missing.
    fn gap(&mut self, smb: &mut Smb, at: &mut At<'_, SmbConnection>, len: u64) {
        if let Some(connection) = at.kept.as_deref_mut() {
            connection.holes[at.direction.index()] = true;
        }
        let end = self.at.saturating_add(len);
        if let SmbStep::Data { skip, left, to } = &mut self.step {
            let skipped = len.min(*skip);
            *skip -= skipped;
            let lost = (len - skipped).min(*left);
            *left -= lost;
            let (DataTarget::File(_, _, offset) | DataTarget::Loose(_, offset, _)) = to;
            *offset = offset.saturating_add(lost);
            if *left == 0 {
                self.end_data(smb, at);
            }
        }
        if let SmbStep::Entries { file, .. } = &self.step {
            smb.opens.lost(*file);
        }
        let inside = matches!(self.step, SmbStep::Data { .. });
        self.at = end;
        if inside {
            return;
        }
        self.held.clear();
        self.header = None;
        // Where a header is lost, nobody knows where the next command begins.
        let known = self.command.1 > 0
            && !matches!(
                self.step,
                SmbStep::Session
                    | SmbStep::Protocol
                    | SmbStep::Header
                    | SmbStep::OldHeader
                    | SmbStep::Rest
            );
        if !known || end > self.command.1 {
            self.step = SmbStep::Rest;
        } else {
            self.step = SmbStep::Skip;
            if end == self.command.1 {
                self.next_command();
            }
        }
    }

    /// The message has ended.
    fn finish(&mut self, smb: &mut Smb, at: &mut At<'_, SmbConnection>) {
        if let SmbStep::Data { .. } = self.step {
            self.end_data(smb, at);
        }
    }
}

/// What stands so far behind the header's beginning.
fn behind(body: &[u8], at: u64) -> &[u8] {
    let from = usize::try_from(at).unwrap_or(usize::MAX);
    body.get(from.saturating_sub(HEADER)..).unwrap_or_default()
}

/// So many, as far as there are.
fn clamp(n: u64, most: usize) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX).min(most)
}
