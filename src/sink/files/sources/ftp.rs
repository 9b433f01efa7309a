//! FTP (RFC 959, RFC 2428): files come over connections of their own, which a control connection announces.
//!
//! ```text
//!  control   PASV  227 port 2100   RETR a.bin   150 (21000 bytes)                      226
//!  data                 SYN ...                      octets ──────────────── FIN
//! ```
//!
//! An announcement (227, 229, PORT, EPRT) is an endpoint; the next command that moves octets belongs to it, and so does the
//! connection that one of its ends has that endpoint. The three may be captured in any order, and each may be lost: a
//! connection is tied to its announcement when it ends at the latest, and its file has no name before. Where an address
//! translator stands between, the endpoint's address is not the one that is connected to: it may as well be that of the
//! control connection.
//!
//! What has no announcement, between hosts that speak FTP, is supposed to be a data connection as long as octets go one
//! way only and are of no known protocol; it is called by the connection.
//!
//! A transfer that was broken off is kept for a while: where it is taken up with REST, both parts become one file.

use super::super::source::{At, FileSource};
use super::super::store::Store;
use super::super::transfer::{FileInfo, NameFrom, Transfer, kept};
#[cfg(feature = "state")]
use super::ftp_lines::verb;
use super::ftp_lines::{FtpCommand, FtpReply, FtpVerb, command, reply};
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::base::stream::{Chunk, Close, Gap, ORIGIN};
use crate::base::time::{Instant, Timestamp};
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Control connections that are remembered, those included that have ended; the oldest is forgotten. One takes a few hundred octets as a rule.
// Half would forget control connections of a busy server between two of their transfers.
const CONTROLS: usize = 1024;
/// Announcements that are remembered of one control connection: clients use one at a time, and lost replies leave some behind.
// Half would be too few where a client asks for PASV again and again after failures; each costs
// some hundred octets.
const ANNOUNCED: usize = 8;
/// Data connections that have ended and wait for their name, or for the reply that says whether all was sent.
// Each may hold 32 KiB of a file that is not written yet: 8 MiB in all.
const ENDED: usize = 256;
/// How long they wait. Servers reply within seconds of the end of a transfer; a minute leaves room for a slow disk.
const WAIT: Duration = Duration::from_secs(60);
/// Transfers that were broken off and may be resumed.
// Each keeps the list of what it has; a broken transfer is taken up soon, or by a person, once.
const BROKEN: usize = 16;
/// How long they may be. People and programs try again within minutes.
const RESUME: Duration = Duration::from_secs(600);
/// Octets of a line that are kept: a path of Linux is no longer (PATH_MAX).
const LINE: usize = 4096;
/// What is allocated for each connection.
const KEPT: usize = size_of::<FtpConnection>();
/// The port that servers connect from, where nothing else is agreed on (RFC 959, 3.2).
const DATA_PORT: u16 = 20;

/// Follows control connections, and the data connections that they announce.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Ftp {
    /// By the number of their flow.
    controls: AgedTable<u64, ControlConnection>,
    /// The hosts of each, the lower one first, and how many there are.
    hosts: HashMap<[IpAddr; 2], usize, RandomState>,
    /// By port: which announcements are waited for.
    ports: HashMap<u16, Vec<AnnouncementId>, RandomState>,
    /// Room for announcements in all of those: it is asked for with each message, so it is not added up each time.
    room: usize,
    /// Data connections, by the number of their flow.
    live: HashMap<u64, Box<DataConnection>, RandomState>,
    ended: VecDeque<EndedConnection>,
    broken: VecDeque<BrokenTransfer>,
    counted: usize,
}

/// Names an announcement: the flow of its control connection, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AnnouncementId {
    control: u64,
    number: u64,
}

/// What is kept of a connection.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) enum FtpConnection {
    /// A control connection: the open lines of each direction.
    Control([ControlLine; 2]),
    /// A data connection, of which the source keeps all: another one may take its file up.
    Data,
}

/// A command or reply while it comes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct ControlLine {
    kind: Kind,
    text: Vec<u8>,
    /// Octets of it that the budget knows of.
    counted: usize,
    whole: bool,
    /// Offset behind the last one.
    end: Option<u64>,
    /// Octets are missing between that and this one.
    gap: bool,
}

/// A control connection.
#[derive(Debug, Serialize, Deserialize)]
struct ControlConnection {
    client: SocketAddr,
    server: SocketAddr,
    /// What CWD said, one behind the other.
    directory: Vec<u8>,
    /// Octets are sent as they are.
    image: bool,
    /// What REST said, for the next transfer.
    restart: u64,
    /// REST was the last command.
    restarting: bool,
    /// Commands, or replies, were lost since the last transfer: REST may have been among them.
    lost: [bool; 2],
    /// What a reply says that REST said.
    accepted: Option<Option<u64>>,
    /// The file whose size was asked for last, and the answer.
    sized: Option<(Vec<u8>, Option<u64>)>,
    /// The oldest first.
    announced: VecDeque<Announcement>,
    /// The number of the next announcement.
    next: u64,
    /// The announcement of the transfer that was asked for last: replies are about it.
    current: Option<u64>,
    counted: usize,
}

/// A data connection that is to come.
#[derive(Debug, Serialize, Deserialize)]
struct Announcement {
    number: u64,
    /// Where it leads: the address as it was announced, the one that the control connection has, and the port. None behind a
    /// PASV without its answer.
    to: Option<([IpAddr; 2], u16)>,
    /// It was announced by the client, who is connected to.
    active: bool,
    /// What it is for.
    order: Option<FtpTransfer>,
    /// It is there.
    connected: bool,
    /// It was answered, and its command has not been seen.
    unasked: bool,
}

/// A command that moves octets.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct FtpTransfer {
    #[serde(deserialize_with = "verb")]
    verb: FtpVerb,
    path: Vec<u8>,
    directory: Vec<u8>,
    upload: bool,
    /// Offset in the file of the first octet.
    restart: u64,
    /// Commands before it were lost, and none of them is known to have been REST.
    after_loss: bool,
    /// Replies were lost too, or show that it was: where in the file the transfer begins is not known.
    unsure: bool,
    /// Octets of the file, as the server said.
    total: Option<u64>,
    outcome: FtpOutcome,
}

/// How a transfer went, by the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum FtpOutcome {
    Asked,
    Begun,
    Done,
    Failed(u16),
}

/// A data connection.
#[derive(Debug, Serialize, Deserialize)]
struct DataConnection {
    flow: Flow,
    tie: Option<AnnouncementId>,
    /// Name and place in the file are known.
    named: bool,
    /// Offset in the file of the stream's first octet.
    base: u64,
    /// The octets of each direction: one has none.
    files: [Option<Transfer>; 2],
    /// Its octets belong to no file: another connection took its file up, or it is no data connection.
    given: bool,
    /// Offset behind each stream's last octet, and how it ended.
    ends: [Option<(u64, Close)>; 2],
}

/// A data connection that has ended.
#[derive(Serialize, Deserialize)]
struct EndedConnection {
    data: Box<DataConnection>,
    since: Instant,
}

/// A transfer that was broken off.
#[derive(Serialize, Deserialize)]
struct BrokenTransfer {
    hosts: [IpAddr; 2],
    order: FtpTransfer,
    file: Transfer,
    since: Instant,
}

fn pair(a: IpAddr, b: IpAddr) -> [IpAddr; 2] {
    [a.min(b), a.max(b)]
}

impl FileSource for Ftp {
    type Connection = FtpConnection;

    fn protocols(&self) -> &'static [&'static str] {
        &["ftp"]
    }

    fn claims(&mut self, at: &mut At<'_, FtpConnection>) -> bool {
        // The usual capture has no FTP at all: one comparison for each connection.
        if self.controls.is_empty() && !from_data_port(at.flow) {
            return false;
        }
        let tie = self.find(at.flow);
        if tie.is_none() && !self.supposed(at.flow) {
            return false;
        }
        let data = DataConnection {
            flow: *at.flow,
            tie,
            named: false,
            base: 0,
            files: [None, None],
            given: false,
            ends: [None; 2],
        };
        self.live.insert(at.flow.number, Box::new(data));
        at.cx.budget.take(KEPT);
        *at.kept = Some(Box::new(FtpConnection::Data));
        true
    }

    fn releases(&mut self, at: &mut At<'_, FtpConnection>) -> bool {
        let Some(mut data) = self.live.remove(&at.flow.number) else {
            return false;
        };
        self.tie(&mut data);
        // Its announcement is known, so it is a data connection whatever its octets look like: a
        // text file may well begin with GET.
        if data.tie.is_some() {
            self.live.insert(at.flow.number, data);
            return false;
        }
        // It was only supposed, and another protocol has shown itself: nothing of it is a file.
        for file in data.files.into_iter().flatten() {
            at.store.discard(at.cx, file);
        }
        at.cx.budget.give(KEPT);
        true
    }

    fn start(&mut self, at: &mut At<'_, FtpConnection>, start: &MessageStart<'_>) {
        if at.kept.is_none() {
            at.cx.budget.take(KEPT);
            *at.kept = Some(Box::new(FtpConnection::Control(Default::default())));
        }
        if let Some(line) = line(at.kept, at.direction) {
            line.kind = start.kind;
            line.text.clear();
            line.whole = true;
            // Commands do not follow each other: between them one was lost, and it may have been
            // REST or CWD.
            line.gap |= line.end.unwrap_or(ORIGIN) != start.offset;
        }
    }

    fn data(&mut self, at: &mut At<'_, FtpConnection>, piece: &Piece<'_>) {
        let Some(line) = line(at.kept, at.direction) else {
            return;
        };
        line.text.extend_from_slice(piece.data);
        if line.text.len() > LINE {
            // Of a reply of many lines the last one counts.
            line.whole &= line.kind == Kind::Response;
            line.text.drain(..line.text.len() - LINE);
        }
        let now = line.text.capacity();
        at.cx.budget.resize(line.counted, now);
        line.counted = now;
    }

    fn gap(&mut self, at: &mut At<'_, FtpConnection>, _: &MessageGap) {
        if let Some(line) = line(at.kept, at.direction) {
            line.whole = false;
        }
    }

    fn end(&mut self, at: &mut At<'_, FtpConnection>, end: &MessageEnd) {
        let Some(line) = line(at.kept, at.direction) else {
            return;
        };
        let text = std::mem::take(&mut line.text);
        at.cx.budget.give(std::mem::take(&mut line.counted));
        line.gap |= !line.whole || !end.whole;
        line.end = Some(end.offset);
        // A command that is not whole could name the wrong file: rather none.
        if !line.whole || !end.whole {
            return;
        }
        let gap = std::mem::take(&mut line.gap);
        let (src, dst) = (at.flow.src(at.direction), at.flow.dst(at.direction));
        match line.kind {
            Kind::Request => {
                if let Some(control) = self.control(at.cx, at.flow.number, [src, dst]) {
                    control.lost[0] |= gap;
                }
                self.asked(at.cx, at.flow.number, &command(&text));
            }
            Kind::Response => {
                if let Some(control) = self.control(at.cx, at.flow.number, [dst, src])
                    && gap
                {
                    control.lost[1] = true;
                    if let Some(order) = control.current_order() {
                        order.unsure |= order.after_loss && order.outcome == FtpOutcome::Asked;
                    }
                }
                let empty = self.answered(at.cx, at.flow.number, &reply(&text));
                if let Some(order) = empty {
                    order.write_empty(at);
                }
            }
            Kind::Other => return,
        }
        // A reply may be what an ended data connection has waited for.
        self.settle(at.cx, at.store, None);
        self.count(at.cx);
        if at.cx.budget.over() {
            self.forget(at.cx);
        }
    }

    // Taken out while it is used: naming it looks at other connections too.
    fn stream_data(&mut self, at: &mut At<'_, FtpConnection>, offset: u64, chunk: &Chunk<'_>) {
        let Some(mut data) = self.live.remove(&at.flow.number) else {
            return;
        };
        if data.given {
            self.live.insert(at.flow.number, data);
            return;
        }
        self.name(at.cx, at.store, &mut data);
        if data.tie.is_none() && data.files[at.direction.flip().index()].is_some() {
            // It speaks both ways: it was taken for a data connection, and is none.
            for file in data.files.iter_mut().filter_map(Option::take) {
                at.store.discard(at.cx, file);
            }
            data.given = true;
            self.live.insert(at.flow.number, data);
            return;
        }
        let mut file = match data.files[at.direction.index()].take() {
            Some(file) => file,
            None => self.begin(at, &data, chunk),
        };
        file.about.seen(chunk.frame, chunk.time);
        let offset = data.base.saturating_add(offset);
        at.store.write(at.cx, &mut file, offset, chunk.data);
        data.files[at.direction.index()] = Some(file);
        self.live.insert(at.flow.number, data);
    }

    fn stream_gap(&mut self, at: &mut At<'_, FtpConnection>, offset: u64, gap: &Gap) {
        if let Some(data) = self.live.get_mut(&at.flow.number)
            && let Some(file) = &mut data.files[at.direction.index()]
            && gap.len.is_none()
        {
            file.lost(data.base.saturating_add(offset));
        }
    }

    fn stream_end(&mut self, at: &mut At<'_, FtpConnection>, close: Close) {
        let side = at.sides[at.direction.index()];
        if let Some(data) = self.live.get_mut(&at.flow.number) {
            let end = side.delivered.saturating_sub(side.origin);
            data.ends[at.direction.index()] = Some((end, close));
        }
    }

    fn closed(&mut self, at: &mut At<'_, FtpConnection>, _: Close) {
        let Some(connection) = at.kept.take() else {
            return;
        };
        at.cx.budget.give(KEPT);
        // A control connection keeps only its open lines; what it announced stays for data
        // connections to come.
        match *connection {
            FtpConnection::Control(lines) => {
                for line in lines {
                    at.cx.budget.give(line.counted);
                }
            }
            FtpConnection::Data => {
                if let Some(data) = self.live.remove(&at.flow.number) {
                    self.ended.push_back(EndedConnection {
                        data,
                        since: at.cx.now,
                    });
                    self.settle(at.cx, at.store, None);
                }
            }
        }
        self.count(at.cx);
    }

    fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        self.settle(cx, store, Some(WAIT));
    }

    fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        self.settle(cx, store, Some(Duration::ZERO));
        while !self.broken.is_empty() {
            self.give_up(cx, store);
        }
        while self.forget(cx) {}
        *self = Self {
            counted: self.counted,
            ..Self::default()
        };
        self.count(cx);
    }
}

/// The open line of a control connection.
fn line(kept: &mut Option<Box<FtpConnection>>, direction: Direction) -> Option<&mut ControlLine> {
    match &mut **kept.as_mut()? {
        FtpConnection::Control(lines) => Some(&mut lines[direction.index()]),
        FtpConnection::Data => None,
    }
}

/// One of its ends is the port that servers of old connect from.
fn from_data_port(flow: &Flow) -> bool {
    [Direction::Forward, Direction::Reverse]
        .iter()
        .any(|d| flow.src(*d).port() == DATA_PORT)
}

impl Ftp {
    /// A command was sent.
    fn asked(&mut self, cx: &mut Context, number: u64, command: &FtpCommand<'_>) {
        let Some(control) = self.known(number) else {
            return;
        };
        // A failure behind REST refuses the offset, not a transfer.
        control.restarting = matches!(command, FtpCommand::Restart(_));
        match *command {
            FtpCommand::Active(to) => {
                let addresses = [to.ip(), control.client.ip()];
                self.announce(number, Some((addresses, to.port())), true);
            }
            FtpCommand::Passive => {
                // Captured behind its answer: that was announced already, and nothing has used it.
                match control.announced.back_mut() {
                    Some(last) if last.unasked && last.order.is_none() && !last.connected => {
                        last.unasked = false;
                    }
                    _ => self.announce(number, None, false),
                }
            }
            FtpCommand::Restart(at) => {
                // REST tells the offset itself, so an earlier loss matters no more.
                control.restart = at;
                control.lost[0] = false;
            }
            FtpCommand::Directory(path) => {
                control.directory.push(b'/');
                control.directory.extend_from_slice(kept(path));
                // From the front: the last parts of a path say more.
                if control.directory.len() > LINE {
                    control.directory.drain(..control.directory.len() - LINE);
                }
            }
            FtpCommand::Type { image } => control.image = image,
            FtpCommand::Size(path) => control.sized = Some((kept(path).to_vec(), None)),
            FtpCommand::Transfer { verb, path, upload } => {
                // A command that was lost may be known by its reply.
                let accepted = control.accepted.take().filter(|_| control.lost[0]);
                if control.restart == 0 {
                    control.restart = accepted.flatten().unwrap_or(0);
                }
                let sized = control.sized.as_ref().filter(|(of, _)| of == path);
                // A size counts only for the same file, in image mode: text changes its length.
                let order = FtpTransfer {
                    verb,
                    path: kept(path).to_vec(),
                    directory: control.directory.clone(),
                    upload,
                    after_loss: control.restart == 0 && control.lost[0],
                    unsure: control.restart == 0
                        && control.lost[0]
                        && (control.lost[1] || accepted == Some(None)),
                    restart: std::mem::take(&mut control.restart),
                    total: sized
                        .and_then(|(_, size)| *size)
                        .filter(|_| control.image && verb == "RETR"),
                    outcome: FtpOutcome::Asked,
                };
                // What follows begins anew.
                control.lost = [false; 2];
                self.ordered(number, order);
            }
            // A 213 that comes now may answer this one.
            FtpCommand::Other => control.sized = None,
        }
        self.count_control(cx, number);
    }

    /// A transfer was asked for: it belongs to the announcement that has none.
    fn ordered(&mut self, number: u64, order: FtpTransfer) {
        let Some(control) = self.known(number) else {
            return;
        };
        // An older one stays for the transfer that was asked for then, though the command was lost.
        let last = control.announced.back_mut();
        if let Some(announced) = last.filter(|a| a.is_free()) {
            control.current = Some(announced.number);
            announced.order = Some(order);
            return;
        }
        // The client's endpoint stays until it names another one; at first it is that of the control connection.
        let last = control.announced.back().filter(|a| a.active);
        let own = control.client;
        let to = last.and_then(|a| a.to);
        self.announce(number, to.or(Some(([own.ip(); 2], own.port()))), true);
        if let Some(control) = self.known(number)
            && let Some(announced) = control.announced.back_mut()
        {
            control.current = Some(announced.number);
            announced.order = Some(order);
        }
    }

    /// A reply was sent. Given back is a transfer that is done and needed no data connection: the capture shows nothing of one
    /// without octets.
    fn answered(&mut self, cx: &mut Context, number: u64, reply: &FtpReply) -> Option<FtpTransfer> {
        let control = self.known(number)?;
        let mut empty = None;
        let current = control.current;
        let order = control
            .announced
            .iter_mut()
            .find(|a| Some(a.number) == current)
            .and_then(|a| a.order.as_mut());
        match (reply, order) {
            (FtpReply::Passive(ip, port), _) => {
                let own = control.server.ip();
                let to = ([ip.unwrap_or(own), own], *port);
                // The command behind PASV may have been seen before the answer.
                // Of several, the latest: replies are given in order, and lost ones leave older
                // ones open.
                let asked = control.announced.iter_mut().rev().find(|a| a.awaited());
                if let Some(asked) = asked {
                    asked.to = Some(to);
                    let tie = AnnouncementId {
                        control: number,
                        number: asked.number,
                    };
                    self.list(*port, tie);
                } else {
                    self.announce(number, Some(to), false);
                    let last = self.known(number).and_then(|c| c.announced.back_mut());
                    if let Some(last) = last {
                        last.unasked = true;
                    }
                }
            }
            (FtpReply::Begins(size), Some(order)) => {
                order.outcome = FtpOutcome::Begun;
                if control.image && order.restart == 0 && order.verb == "RETR" {
                    order.total = order.total.or(*size);
                }
            }
            (FtpReply::Continue(at), _) => control.accepted = Some(*at),
            (FtpReply::Done, Some(order)) => {
                order.outcome = FtpOutcome::Done;
                control.current = None;
                empty = (order.total == Some(0)).then(|| order.clone());
            }
            // REST was refused; the transfer then begins at 0.
            (FtpReply::Failed(_), _) if control.restarting => control.restart = 0,
            (FtpReply::Failed(code), Some(order)) => {
                if order.outcome == FtpOutcome::Begun {
                    control.current = None;
                }
                order.outcome = FtpOutcome::Failed(*code);
            }
            (FtpReply::Size(size), order) => {
                if let Some((path, answer)) = &mut control.sized
                    && answer.replace(*size).is_none()
                    && let Some(order) = order
                    && control.image
                    && order.verb == "RETR"
                    && order.path == *path
                {
                    order.total = Some(*size);
                }
            }
            _ => {}
        }
        self.count_control(cx, number);
        empty
    }

    /// The control connection with this number, which leads from the client to the server.
    fn control(
        &mut self,
        cx: &mut Context,
        number: u64,
        [client, server]: [SocketAddr; 2],
    ) -> Option<&mut ControlConnection> {
        if self.controls.find(&number).is_none() {
            // Makes room before it is needed, so that the limit holds at every moment.
            while self.controls.len() >= CONTROLS && self.forget(cx) {}
            let hosts = pair(client.ip(), server.ip());
            *self.hosts.entry(hosts).or_default() += 1;
            self.controls
                .insert(number, ControlConnection::new(client, server));
        }
        let place = self.controls.find(&number)?;
        self.controls.renew(place);
        self.controls.get_mut(place)
    }

    fn known(&mut self, number: u64) -> Option<&mut ControlConnection> {
        let place = self.controls.find(&number)?;
        self.controls.get_mut(place)
    }

    /// Forgets the control connection that was silent for longest; false where there is none.
    fn forget(&mut self, cx: &mut Context) -> bool {
        let Some((number, control)) = self.controls.remove_oldest() else {
            return false;
        };
        cx.budget.give(control.counted);
        for announced in &control.announced {
            // Ports point to it and would else grow without end.
            let tie = AnnouncementId {
                control: number,
                number: announced.number,
            };
            self.unlist(announced.to, tie);
        }
        let hosts = pair(control.client.ip(), control.server.ip());
        if let Some(count) = self.hosts.get_mut(&hosts) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(&hosts);
            }
        }
        true
    }

    /// A data connection is to come.
    fn announce(&mut self, number: u64, to: Option<([IpAddr; 2], u16)>, active: bool) {
        let Some(control) = self.known(number) else {
            return;
        };
        let tie = AnnouncementId {
            control: number,
            number: control.next,
        };
        control.next += 1;
        control.announced.push_back(Announcement {
            number: tie.number,
            to,
            active,
            order: None,
            connected: false,
            unasked: false,
        });
        // The oldest has most likely been used, or its connection was never captured.
        let old = (control.announced.len() > ANNOUNCED)
            .then(|| control.announced.pop_front())
            .flatten();
        if let Some(old) = old {
            let tie = AnnouncementId {
                control: number,
                number: old.number,
            };
            self.unlist(old.to, tie);
        }
        if let Some((_, port)) = to {
            self.list(port, tie);
        }
    }

    fn list(&mut self, port: u16, tie: AnnouncementId) {
        let ties = self.ports.entry(port).or_default();
        self.room -= ties.capacity();
        ties.push(tie);
        self.room += ties.capacity();
    }

    fn unlist(&mut self, to: Option<([IpAddr; 2], u16)>, tie: AnnouncementId) {
        let Some((_, port)) = to else { return };
        if let Some(ties) = self.ports.get_mut(&port) {
            ties.retain(|t| *t != tie);
            if ties.is_empty() {
                self.room -= ties.capacity();
                self.ports.remove(&port);
            }
        }
    }

    /// The announcement that a data connection belongs to, the latest of its endpoint.
    fn find(&mut self, flow: &Flow) -> Option<AnnouncementId> {
        for direction in [Direction::Forward, Direction::Reverse] {
            let end = flow.src(direction);
            // By port first: an address may be translated on the way, the port is announced as it
            // is.
            let ties = self.ports.get(&end.port()).map_or(&[][..], Vec::as_slice);
            for tie in ties.iter().rev() {
                let place = self.controls.find(&tie.control);
                let control = place.and_then(|p| self.controls.get_mut(p));
                let announced = control.and_then(|c| c.announced(tie.number));
                if let Some(announced) = announced
                    && !announced.connected
                    && announced.to.is_some_and(|(to, _)| to.contains(&end.ip()))
                {
                    announced.connected = true;
                    return Some(*tie);
                }
            }
        }
        None
    }

    /// This may be a data connection whose announcement is not captured, or comes later.
    fn supposed(&self, flow: &Flow) -> bool {
        let [a, b] = [Direction::Forward, Direction::Reverse].map(|d| flow.src(d));
        let hosts = self.hosts.contains_key(&pair(a.ip(), b.ip()));
        // Both ports high, between hosts that speak FTP: the only thing that a data connection
        // without announcement has.
        from_data_port(flow) || (hosts && a.port() >= 1024 && b.port() >= 1024)
    }

    /// Ties a data connection to its announcement, if that is known by now.
    fn tie(&mut self, data: &mut DataConnection) {
        if data.tie.is_none() {
            data.tie = self.find(&data.flow);
        }
    }

    fn order(&mut self, tie: Option<AnnouncementId>) -> Option<&mut FtpTransfer> {
        let tie = tie?;
        self.known(tie.control)?
            .announced(tie.number)?
            .order
            .as_mut()
    }

    /// Gives a data connection its name and its place in the file, if they are known by now.
    fn name(&mut self, cx: &mut Context, store: &mut Store, data: &mut DataConnection) {
        if data.named {
            return;
        }
        self.tie(data);
        let Some(order) = self.order(data.tie) else {
            return;
        };
        data.named = true;
        data.base = order.restart;
        for slot in &mut data.files {
            let Some(mut file) = slot.take() else {
                continue;
            };
            order.describe(&mut file.about);
            // Its octets are still in memory, so they can be put where they belong; those of a file
            // that was made cannot.
            if order.restart > 0 && file.made.is_none() {
                // What came before its command was known is moved to its place.
                let mut moved = store.begin(cx, file.about.clone());
                if !file.unknown.is_empty() {
                    moved.lost(order.restart);
                }
                store.write(cx, &mut moved, order.restart, &file.memory);
                store.discard(cx, file);
                file = moved;
            } else if order.restart > 0 {
                file.about.error = Some("its place, by REST, was not known in time".to_owned());
                file.lost(0);
                data.base = 0;
            }
            *slot = Some(file);
        }
    }

    fn about(
        &mut self,
        data: &DataConnection,
        direction: Direction,
        frame: u64,
        time: Timestamp,
    ) -> FileInfo {
        let mut about = FileInfo::new("ftp-data", &data.flow, direction, frame, time);
        about.fallback = format!("ftp-data-{}", data.flow.number).into_bytes();
        if let Some(order) = self.order(data.tie) {
            order.describe(&mut about);
        }
        about
    }

    /// The file that a data connection brings begins.
    fn begin(
        &mut self,
        at: &mut At<'_, FtpConnection>,
        data: &DataConnection,
        chunk: &Chunk<'_>,
    ) -> Transfer {
        let mut file = match self.resumed(data) {
            Some(file) => file,
            None => {
                let about = self.about(data, at.direction, chunk.frame, chunk.time);
                at.store.begin(at.cx, about)
            }
        };
        if !at.sides[at.direction.index()].from_start {
            file.lost(data.base);
        }
        file
    }

    /// The file of a transfer that was broken off and is taken up by this one.
    fn resumed(&mut self, data: &DataConnection) -> Option<Transfer> {
        let hosts = self.between(data.tie)?;
        let order = self.order(data.tie).filter(|o| o.restart > 0)?.clone();
        // Only where the part that is there reaches the restart: a gap between the parts would be
        // invented otherwise.
        let found = self.broken.iter().position(|b| {
            b.hosts == hosts && b.order.same_file(&order) && b.file.have.end() >= order.restart
        });
        if let Some(found) = found {
            let mut file = self.broken.remove(found)?.file;
            file.about.error = None;
            return Some(file);
        }
        // A connection that was reset stays open for a while: segments may be captured behind the RST. Of several the first,
        // whatever the order of the map, so that a capture always gives the same files.
        let mut live = std::mem::take(&mut self.live);
        let reaches = |f: &Transfer| f.have.end() >= order.restart;
        let candidates = live.iter().filter(|(_, other)| {
            self.between(other.tie) == Some(hosts)
                && self.order(other.tie).is_some_and(|o| {
                    o.same_file(&order)
                        && matches!(o.outcome, FtpOutcome::Done | FtpOutcome::Failed(_))
                })
                && other.files.iter().flatten().any(reaches)
        });
        let first = candidates.map(|(number, _)| *number).min();
        let other = first.and_then(|first| live.get_mut(&first));
        let found = other.and_then(|other| {
            let mut files = other.files.iter_mut();
            let file = files.find(|f| f.as_ref().is_some_and(reaches))?;
            other.given = true;
            file.take()
        });
        self.live = live;
        found
    }

    /// The hosts of the control connection.
    fn between(&mut self, tie: Option<AnnouncementId>) -> Option<[IpAddr; 2]> {
        let control = self.known(tie?.control)?;
        Some(pair(control.client.ip(), control.server.ip()))
    }

    /// Finishes the data connections of which all is known, and those that have waited for so long.
    fn settle(&mut self, cx: &mut Context, store: &mut Store, waited: Option<Duration>) {
        for mut ended in std::mem::take(&mut self.ended) {
            self.name(cx, store, &mut ended.data);
            let outcome = self.order(ended.data.tie).map(|o| o.outcome);
            let known = matches!(outcome, Some(FtpOutcome::Done | FtpOutcome::Failed(_)));
            let late = waited.is_some_and(|w| cx.now.since(ended.since) >= w);
            // The reply came, or will not come, or there is no room to wait.
            if known || late || self.ended.len() >= ENDED || cx.budget.over() {
                self.conclude(cx, store, *ended.data);
            } else {
                self.ended.push_back(ended);
            }
        }
        let now = cx.now;
        while let Some(broken) = self.broken.front()
            && (now.since(broken.since) >= RESUME || cx.budget.over())
        {
            self.give_up(cx, store);
        }
    }

    /// A data connection has ended, and no more will be known of it.
    fn conclude(&mut self, cx: &mut Context, store: &mut Store, mut data: DataConnection) {
        let order = self.order(data.tie).cloned();
        let files = std::mem::take(&mut data.files);
        let failed = order.as_ref().and_then(|o| match o.outcome {
            FtpOutcome::Failed(code) => Some(code),
            _ => None,
        });
        let total = order.as_ref().and_then(|o| o.total);
        for (file, end) in files.into_iter().zip(data.ends) {
            let Some(mut file) = file else { continue };
            if let Some(code) = failed {
                file.about.error.get_or_insert(format!("reply {code}"));
            }
            // A FIN is sent behind the last octet, but also behind the last one before it was broken off.
            let all = match end {
                Some((len, Close::Fin)) if failed.is_none() => Some(data.base.saturating_add(len)),
                _ => None,
            };
            let len = all.max(total);
            let unsure = order.as_ref().is_some_and(FtpTransfer::is_unsure);
            if unsure && (all.is_none() || all != total) {
                file.lost(0);
            }
            match (self.between(data.tie), &order) {
                (Some(hosts), Some(order))
                    if order.verb != "APPE"
                        && order.is_file()
                        && file.unknown.is_empty()
                        && !file.missing(len).is_empty() =>
                {
                    let mut order = order.clone();
                    order.total = len;
                    self.broken.push_back(BrokenTransfer {
                        hosts,
                        order,
                        file,
                        since: cx.now,
                    });
                    if self.broken.len() > BROKEN {
                        self.give_up(cx, store);
                    }
                }
                _ => store.finish(cx, file, len),
            }
        }
    }

    /// The oldest of the transfers that were broken off is not taken up.
    fn give_up(&mut self, cx: &mut Context, store: &mut Store) {
        if let Some(broken) = self.broken.pop_front() {
            store.finish(cx, broken.file, broken.order.total);
        }
    }

    fn count_control(&mut self, cx: &mut Context, number: u64) {
        if let Some(control) = self.known(number) {
            let now = control.size();
            cx.budget.resize(control.counted, now);
            control.counted = now;
        }
    }

    /// Charges the budget with what is allocated now, apart from what controls and files count themselves.
    fn count(&mut self, cx: &mut Context) {
        let now = self.controls.allocated()
            + self.hosts.allocation_size()
            + self.ports.allocation_size()
            + self.room * size_of::<AnnouncementId>()
            + self.live.allocation_size()
            + self.live.len() * size_of::<DataConnection>()
            + self.ended.len() * size_of::<DataConnection>()
            + self.ended.capacity() * size_of::<EndedConnection>()
            + self.broken.capacity() * size_of::<BrokenTransfer>();
        cx.budget.rebook(&mut self.counted, now);
    }
}

impl ControlConnection {
    fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            client,
            server,
            directory: Vec::new(),
            image: false,
            restart: 0,
            restarting: false,
            lost: [false; 2],
            accepted: None,
            sized: None,
            announced: VecDeque::new(),
            next: 0,
            current: None,
            counted: 0,
        }
    }

    fn announced(&mut self, number: u64) -> Option<&mut Announcement> {
        self.announced.iter_mut().find(|a| a.number == number)
    }

    /// The transfer that replies are about.
    fn current_order(&mut self) -> Option<&mut FtpTransfer> {
        let current = self.current?;
        self.announced(current)?.order.as_mut()
    }

    /// Octets allocated.
    fn size(&self) -> usize {
        let orders = self.announced.iter().filter_map(|a| a.order.as_ref());
        self.directory.capacity()
            + self.sized.as_ref().map_or(0, |(path, _)| path.capacity())
            + self.announced.capacity() * size_of::<Announcement>()
            + orders
                .map(|o| o.path.capacity() + o.directory.capacity())
                .sum::<usize>()
    }
}

impl Announcement {
    /// No transfer was asked for, or none that began.
    fn is_free(&self) -> bool {
        match &self.order {
            None => true,
            Some(order) => matches!(order.outcome, FtpOutcome::Failed(_)) && !self.connected,
        }
    }

    /// Its endpoint is not known yet, and may come.
    fn awaited(&self) -> bool {
        let over = |o: &FtpTransfer| matches!(o.outcome, FtpOutcome::Done | FtpOutcome::Failed(_));
        self.to.is_none() && !self.active && !self.order.as_ref().is_some_and(over)
    }
}

impl FtpTransfer {
    /// It moves a file, and no list of files.
    fn is_file(&self) -> bool {
        !matches!(self.verb, "LIST" | "NLST" | "MLSD")
    }

    /// Where in the file it begins is not known.
    fn is_unsure(&self) -> bool {
        self.unsure || (self.after_loss && self.outcome == FtpOutcome::Asked)
    }

    fn same_file(&self, other: &Self) -> bool {
        let key = |o: &Self| (o.path.clone(), o.directory.clone(), o.upload);
        key(self) == key(other)
    }

    /// Writes the file of no octets that it brought.
    fn write_empty(&self, at: &mut At<'_, FtpConnection>) {
        let (frame, time) = (at.cx.packet.frame, at.cx.packet.time);
        let mut about = FileInfo::new("ftp-data", at.flow, at.direction, frame, time);
        self.describe(&mut about);
        let file = at.store.begin(at.cx, about);
        at.store.finish(at.cx, file, Some(0));
    }

    /// Writes down what it says of the file.
    fn describe(&self, about: &mut FileInfo) {
        self.verb.clone_into(&mut about.command);
        about.url.clone_from(&self.path);
        if self.is_file() && !self.path.is_empty() {
            about.name = Some((self.path.clone(), NameFrom::Command));
        } else {
            about.fallback = self.verb.into();
        }
    }
}
