//! TFTP (RFC 1350, options RFC 2347 to 2349, windows RFC 7440): where each block of a transfer belongs in its file.
//!
//! A transfer begins with a request to the server's port 69 and goes on between the client's port and one that the server
//! chooses. Each block has a number, modulo 2^16, and all but the last are of one size. So a block is placed whatever came
//! before it: lost, repeated and reordered ones need no care but that the numbers go round.
//!
//! Text (`netascii`) is kept as it was sent, with the line ends of the network, as tshark keeps it: where a block is
//! missing nobody could know where the text behind it belongs.

use super::super::ranges::Ranges;
use super::super::source::FileSource;
use super::super::store::Store;
use super::super::transfer::{FileInfo, NameFrom, Transfer, kept};
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::base::time::{Instant, Timestamp};
use crate::message::events::DatagramMessage;
use crate::transport::datagram::DatagramContext;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Transfers at a time, those included that ended a short while ago; the oldest is given up. A room of machines that start over the
/// network has hundreds.
// Half would give up transfers of a large boot room; each costs a few hundred octets.
const TRANSFERS: usize = 1024;
/// A transfer of which nothing was heard for so long has ended. Clients ask again after seconds.
// RFC 1350 names no time; a dozen repetitions fit in a minute.
const IDLE: Duration = Duration::from_secs(60);
/// A request that comes again within this time is the same one, captured twice or sent again.
const AGAIN: Duration = Duration::from_secs(1);
/// Datagrams that are kept because they may belong to a request that is captured behind them, as where a network card has several
/// queues: the first answer of a few clients at once.
// Each may be 64 KiB, so a megabyte at most.
const EARLY: usize = 16;

/// Size of a block where no other is agreed on (RFC 1350, 2).
const BLOCK: u64 = 512;
/// Blocks of one round where the numbers go on with 1.
const TO_ONE: u64 = (1 << 16) - 1;
/// Sizes of a block that can be agreed on (RFC 2348).
const BLOCKS: std::ops::RangeInclusive<u64> = 8..=65_464;

/// Follows transfers.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Tftp {
    /// By the client's endpoint and the server's address: its port is known from its first answer on.
    transfers: AgedTable<(SocketAddr, IpAddr), Box<TftpTransfer>>,
    /// Blocks ahead of their request.
    early: VecDeque<EarlyDatagram>,
    counted: usize,
}

/// A transfer.
#[derive(Debug, Serialize, Deserialize)]
struct TftpTransfer {
    request: TftpRequest,
    blocks: TftpBlocks,
    /// The server's port.
    port: Option<u16>,
    /// What came of the file.
    file: Option<Transfer>,
    /// All of it came, or an ERROR; the file has been finished.
    done: bool,
    /// The request came again behind that.
    again: bool,
    /// When something was heard of it last.
    heard: (Instant, Timestamp),
    counted: usize,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TftpRequest {
    write: bool,
    name: Vec<u8>,
    text: bool,
    options: TftpOptions,
}

impl TftpRequest {
    fn blocks(&self) -> TftpBlocks {
        TftpBlocks::new(self.options, self.write, self.text)
    }
}

/// A datagram that may belong to a request which is not captured yet.
#[derive(Debug, Serialize, Deserialize)]
struct EarlyDatagram {
    src: SocketAddr,
    dst: SocketAddr,
    payload: Vec<u8>,
    len: usize,
    flow: Flow,
    direction: Direction,
    frame: u64,
    time: Timestamp,
}

/// Where a datagram comes from.
#[derive(Clone, Copy)]
struct DatagramOrigin<'a> {
    flow: &'a Flow,
    direction: Direction,
    frame: u64,
    time: Timestamp,
}

impl FileSource for Tftp {
    type Connection = ();

    fn protocols(&self) -> &'static [&'static str] {
        &["tftp"]
    }

    fn datagram(
        &mut self,
        store: &mut Store,
        at: &mut DatagramContext<'_>,
        message: &DatagramMessage<'_>,
    ) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        // What belongs to a transfer need not look like TFTP by itself; nearly all else is refused here.
        // Four octets and a small number: nearly every other protocol fails here.
        let Some(said) = read(payload) else { return };
        let from = DatagramOrigin {
            flow: at.flow,
            direction: at.direction,
            frame: at.cx.packet.frame,
            time: at.cx.packet.time,
        };
        let (src, dst) = (from.flow.src(from.direction), from.flow.dst(from.direction));
        if let TftpMessage::Request {
            write,
            name,
            text,
            options,
        } = said
        {
            // An endpoint's own port may ask for anything; elsewhere the datagram has to look like a request.
            // A datagram elsewhere with a 1 in front must not open transfers.
            if message.protocol == "tftp" && !name.is_empty() {
                let request = TftpRequest {
                    write,
                    name: kept(name).to_vec(),
                    text,
                    options,
                };
                self.request(at.cx, store, src, dst, request, from.time);
            }
        } else if !self.heard(at.cx, store, src, dst, &said, payload_len, &from)
            // Nobody knows it yet: it may be ahead of its request.
            && matches!(said, TftpMessage::Data { .. } | TftpMessage::Options(_))
        {
            self.early(payload, payload_len, &from);
        }
        self.count(at.cx);
        // Also where the budget is overdrawn: transfers are of no transport's tables, so they give
        // way here.
        while self.transfers.len() > TRANSFERS || at.cx.budget.over() {
            if !self.give_up(at.cx, store) {
                break;
            }
        }
    }

    fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        while let Some((_, _, session)) = self.transfers.oldest()
            && cx.now.since(session.heard.0) >= IDLE
        {
            self.give_up(cx, store);
        }
        self.count(cx);
    }

    fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        while !self.transfers.is_empty() {
            self.give_up(cx, store);
        }
        *self = Self {
            counted: self.counted,
            ..Self::default()
        };
        self.count(cx);
    }
}

impl Tftp {
    fn request(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        client: SocketAddr,
        server: SocketAddr,
        request: TftpRequest,
        time: Timestamp,
    ) {
        let key = (client, server.ip());
        if let Some(place) = self.transfers.find(&key)
            && let Some(session) = self.transfers.get_mut(place)
        {
            let same = session.request == request;
            // With blocks behind it, it is a new transfer of the same file.
            if same && (session.blocks.none() || time.since(session.heard.1) < AGAIN) {
                session.again = session.done;
                return;
            }
            // The client begins again from the same port.
            // What came of the old one is kept.
            if let Some((_, mut session)) = self.transfers.remove(place) {
                session.finish(cx, store, None);
                session.uncount(cx);
            }
        }
        let mut session = TftpTransfer::new(request, cx.now, time);
        session.count(cx);
        self.transfers.insert(key, Box::new(session));
        let waiting: Vec<EarlyDatagram> = {
            let (mine, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.early)
                .into_iter()
                // Older ones belonged to something else.
                .filter(|e| time.since(e.time) < AGAIN)
                .partition(|e| {
                    (e.src == client && e.dst.ip() == server.ip())
                        || (e.dst == client && e.src.ip() == server.ip())
                });
            self.early = others.into();
            mine
        };
        for early in waiting {
            let from = DatagramOrigin {
                flow: &early.flow,
                direction: early.direction,
                frame: early.frame,
                time: early.time,
            };
            if let Some(said) = read(&early.payload) {
                self.heard(cx, store, early.src, early.dst, &said, early.len, &from);
            }
        }
    }

    /// Something that belongs to a transfer; false where there is none.
    #[allow(clippy::too_many_arguments)] // a datagram and what may be used
    fn heard(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        src: SocketAddr,
        dst: SocketAddr,
        said: &TftpMessage<'_>,
        len: usize,
        from: &DatagramOrigin<'_>,
    ) -> bool {
        let by_server = self.transfers.find(&(dst, src.ip()));
        let by_client = self.transfers.find(&(src, dst.ip()));
        let Some(place) = by_server.or(by_client) else {
            return false;
        };
        let port = if by_server.is_some() {
            src.port()
        } else {
            dst.port()
        };
        self.transfers.renew(place);
        let Some(session) = self.transfers.get_mut(place) else {
            return false;
        };
        if session.again && session.port.is_some_and(|own| own != port) {
            let fresh = TftpTransfer::new(session.request.clone(), cx.now, from.time);
            let mut old = std::mem::replace(&mut **session, fresh);
            old.uncount(cx);
        }
        // Another port of the server belongs to a request that was answered twice: the client refuses it.
        // The first port that answers is the server's (RFC 1350, 4).
        if *session.port.get_or_insert(port) == port {
            session.heard = (cx.now, session.heard.1.max(from.time));
            session.take(cx, store, said, len, by_server.is_some(), from);
        }
        session.count(cx);
        true
    }

    fn early(&mut self, payload: &[u8], len: usize, from: &DatagramOrigin<'_>) {
        let oldest = (self.early.len() >= EARLY).then(|| self.early.pop_front());
        let mut kept = oldest.flatten().map(|e| e.payload).unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(payload);
        self.early.push_back(EarlyDatagram {
            src: from.flow.src(from.direction),
            dst: from.flow.dst(from.direction),
            payload: kept,
            len,
            flow: *from.flow,
            direction: from.direction,
            frame: from.frame,
            time: from.time,
        });
    }

    /// Ends the transfer of which nothing was heard for longest; false where there is none.
    fn give_up(&mut self, cx: &mut Context, store: &mut Store) -> bool {
        let Some((_, mut session)) = self.transfers.remove_oldest() else {
            return false;
        };
        session.finish(cx, store, None);
        session.uncount(cx);
        true
    }

    /// Charges the budget with what is allocated now, apart from the transfers' own.
    fn count(&mut self, cx: &mut Context) {
        let early: usize = self.early.iter().map(|e| e.payload.capacity()).sum();
        let now =
            self.transfers.allocated() + self.early.capacity() * size_of::<EarlyDatagram>() + early;
        cx.budget.rebook(&mut self.counted, now);
    }
}

impl TftpTransfer {
    fn new(request: TftpRequest, now: Instant, time: Timestamp) -> Self {
        Self {
            blocks: request.blocks(),
            request,
            port: None,
            file: None,
            done: false,
            again: false,
            heard: (now, time),
            counted: 0,
        }
    }

    fn take(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        said: &TftpMessage<'_>,
        len: usize,
        by_server: bool,
        from: &DatagramOrigin<'_>,
    ) {
        if self.done {
            return;
        }
        match *said {
            // Data goes one way only; the other way it belongs to another transfer.
            TftpMessage::Data { block, octets } if by_server != self.request.write => {
                let mut file = self
                    .file
                    .take()
                    .unwrap_or_else(|| store.begin(cx, self.about(from)));
                file.about.seen(from.frame, from.time);
                let len = len.saturating_sub(4) as u64;
                self.blocks.data(block, octets, len, &mut |offset, octets| {
                    store.write(cx, &mut file, offset, octets);
                });
                self.file = Some(file);
            }
            TftpMessage::Options(options) if by_server => {
                let file = &mut self.file;
                self.blocks.agreed(options, &mut |offset, octets| {
                    if let Some(file) = file {
                        store.write(cx, file, offset, octets);
                    }
                });
            }
            TftpMessage::Ack { block } if by_server == self.request.write => {
                let file = &mut self.file;
                self.blocks.acknowledged(block, &mut |offset, octets| {
                    if let Some(file) = file {
                        store.write(cx, file, offset, octets);
                    }
                });
            }
            TftpMessage::Error { text } => {
                let text = String::from_utf8_lossy(kept(text));
                self.finish(cx, store, Some(format!("ERROR: {text}")));
            }
            _ => {}
        }
        if self.blocks.whole() {
            self.finish(cx, store, None);
        }
    }

    fn about(&self, from: &DatagramOrigin<'_>) -> FileInfo {
        let mut about = FileInfo::new("tftp", from.flow, from.direction, from.frame, from.time);
        about.command = if self.request.write { "WRQ" } else { "RRQ" }.to_owned();
        about.url.clone_from(&self.request.name);
        about.name = Some((self.request.name.clone(), NameFrom::Command));
        about
    }

    fn finish(&mut self, cx: &mut Context, store: &mut Store, error: Option<String>) {
        self.done = true;
        if let Some(mut file) = self.file.take() {
            self.blocks.end(&mut |offset, octets| {
                store.write(cx, &mut file, offset, octets);
            });
            file.about.error = error;
            store.finish(cx, file, self.blocks.total());
        }
    }

    /// Charges the budget with what is allocated now.
    fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>() + self.request.name.capacity() + self.blocks.size();
        cx.budget.rebook(&mut self.counted, now);
    }

    fn uncount(&mut self, cx: &mut Context) {
        cx.budget.give(std::mem::take(&mut self.counted));
    }
}

/// What a datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TftpMessage<'a> {
    /// RRQ or WRQ: what is asked for, whether it is to be written, and whether as text.
    Request {
        write: bool,
        name: &'a [u8],
        text: bool,
        options: TftpOptions,
    },
    /// DATA: the block's number and its octets.
    Data { block: u16, octets: &'a [u8] },
    /// ACK.
    Ack { block: u16 },
    /// ERROR: the text that came with it.
    Error { text: &'a [u8] },
    /// OACK: the options that the server agrees to.
    Options(TftpOptions),
}

/// The options that matter where blocks belong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TftpOptions {
    /// RFC 2348.
    pub(super) blksize: Option<u64>,
    /// RFC 2349; 0 in a request to read asks for it.
    pub(super) tsize: Option<u64>,
    /// What follows block 65535: 0, or 1 (tftp-hpa).
    pub(super) rollover: Option<u64>,
}

impl TftpOptions {
    /// Reads names and values, each ended by a zero octet; case does not matter (RFC 2347).
    fn read(octets: &[u8]) -> Self {
        let mut options = Self::default();
        let mut words = octets.split(|o| *o == 0);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let Some(number) = decimal(value) else {
                continue;
            };
            // Sizes outside of the allowed range are not agreed on by any server.
            if name.eq_ignore_ascii_case(b"blksize") && BLOCKS.contains(&number) {
                options.blksize = Some(number);
            } else if name.eq_ignore_ascii_case(b"tsize") {
                options.tsize = Some(number);
            } else if name.eq_ignore_ascii_case(b"rollover") {
                options.rollover = Some(number);
            }
        }
        options
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads a datagram.
pub(super) fn read(datagram: &[u8]) -> Option<TftpMessage<'_>> {
    let (code, rest) = datagram.split_first_chunk::<2>()?;
    let number = || rest.first_chunk::<2>().map(|n| u16::from_be_bytes(*n));
    Some(match code {
        [0, code @ (1 | 2)] => {
            let mut words = rest.splitn(3, |o| *o == 0);
            let (name, mode) = (words.next()?, words.next()?);
            TftpMessage::Request {
                write: *code == 2,
                name,
                text: !mode.eq_ignore_ascii_case(b"octet"),
                options: TftpOptions::read(words.next()?),
            }
        }
        [0, 3] => TftpMessage::Data {
            block: number()?,
            octets: &rest[2..],
        },
        [0, 4] => TftpMessage::Ack { block: number()? },
        [0, 5] => TftpMessage::Error {
            text: rest.get(2..)?.split(|o| *o == 0).next()?,
        },
        [0, 6] => TftpMessage::Options(TftpOptions::read(rest)),
        _ => return None,
    })
}

/// The blocks of one transfer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TftpBlocks {
    asked: TftpOptions,
    /// Octets of all blocks but the last; not known before the answer to an option.
    size: Option<u64>,
    /// Blocks after which the numbers begin again.
    round: u64,
    /// That is certain, by an option or by what was seen.
    round_known: bool,
    /// That was decided by a block 1 behind block 65,535, with no block 0 between them.
    round_seen: bool,
    /// Such a block, until the next datagram shows whether a block 0 was only late.
    behind_round: Option<WaitingBlock>,
    /// Number of the block that should be next, counted without end; the first is 1.
    next: u64,
    /// The blocks that were captured.
    had: Ranges,
    /// Number of the last block, and the octets of the file.
    last: Option<(u64, u64)>,
    /// The file is sent as text: its size is not that of its octets here.
    text: bool,
    /// Octets that the server or the client said the file has.
    announced: Option<u64>,
    /// The first block, or another one, which waits for its place: the size of a block is not known yet.
    waits: Option<WaitingBlock>,
}

/// A block that waits for its place: its number, its octets, and how many it had when it was sent.
#[derive(Debug, Serialize, Deserialize)]
struct WaitingBlock {
    number: u64,
    octets: Vec<u8>,
    len: u64,
}

impl TftpBlocks {
    /// The blocks that follow a request.
    pub(super) fn new(asked: TftpOptions, write: bool, text: bool) -> Self {
        // A size that was asked for holds only if the server agrees.
        Self {
            asked,
            size: asked.blksize.is_none().then_some(BLOCK),
            round: 1 << 16,
            round_known: false,
            round_seen: false,
            behind_round: None,
            next: 1,
            had: Ranges::default(),
            last: None,
            text,
            announced: asked.tsize.filter(|_| write && !text),
            waits: None,
        }
    }

    /// The server agrees to these options.
    pub(super) fn agreed(&mut self, options: TftpOptions, write: &mut dyn FnMut(u64, &[u8])) {
        // The blocks are placed already; another answer cannot change them.
        if self.had.octets() > 0 && self.size.is_some() {
            return; // repeated, or of another transfer
        }
        self.announced = self.announced.or(options.tsize.filter(|_| !self.text));
        if let Some(rollover) = options.rollover {
            self.round_known = true;
            if rollover == 1 {
                self.round = TO_ONE;
            }
        }
        let asked = self.asked.blksize.unwrap_or(BLOCK);
        // A server may answer with less than it was asked for (RFC 2348); without an answer the option does not hold.
        self.decide(options.blksize.map_or(BLOCK, |n| n.min(asked)), write);
    }

    /// A block of `len` octets came, of which `octets` were captured. Octets are written with their place in the file.
    pub(super) fn data(
        &mut self,
        block: u16,
        octets: &[u8],
        len: u64,
        write: &mut dyn FnMut(u64, &[u8]),
    ) {
        if self.is_behind_round(block, true, write) {
            if self.behind_round.is_none() {
                self.behind_round = Some(WaitingBlock {
                    number: TO_ONE + 1,
                    octets: octets.to_vec(),
                    len,
                });
            }
            return;
        }
        let number = self.number(block);
        if number == 0 {
            return;
        }
        if let Some(size) = self.size {
            self.place(number, octets, len, size, write);
        } else if let Some(first) = &self.waits {
            // The larger of both lengths is the size of a full block.
            // The answer to the options was lost. Of two blocks one is not the last.
            if first.number != number {
                let size = first.len.max(len);
                self.decide(size, write);
                self.place(number, octets, len, size, write);
            }
        } else {
            self.waits = Some(WaitingBlock {
                number,
                octets: octets.to_vec(),
                len,
            });
        }
    }

    /// A block was acknowledged: the next one follows it.
    pub(super) fn acknowledged(&mut self, block: u16, write: &mut dyn FnMut(u64, &[u8])) {
        if self.is_behind_round(block, false, write) {
            self.decide_round(true, write);
        }
        if block != 0 || self.next > 1 {
            self.next = self.next.max(self.number(block).saturating_add(1));
        }
    }

    /// All blocks came. Where the numbers went on with 1, as it seemed, the size that was announced must not say otherwise.
    pub(super) fn whole(&self) -> bool {
        self.last.is_some_and(|(last, total)| {
            let doubt = self.round_seen && self.announced.is_some_and(|size| size != total);
            self.had.octets() == last && !doubt
        })
    }

    /// What follows block 65,535 has the number 0, or 1: RFC 1350 does not say, some senders skip 0, and few agree on it by an
    /// option. Block 1, or its acknowledgment, directly behind 65,535 tells, unless block 0 comes after it. True for that block.
    fn is_behind_round(
        &mut self,
        block: u16,
        is_data: bool,
        write: &mut dyn FnMut(u64, &[u8]),
    ) -> bool {
        if self.round_known || self.next != TO_ONE + 1 {
            return false;
        }
        match block {
            1 => {
                // The first block of all, sent again, would have been followed by 65,534 others.
                if self.behind_round.is_some() && !is_data {
                    self.decide_round(true, write);
                    return false;
                }
                true
            }
            0 => {
                self.decide_round(false, write);
                false
            }
            // What is behind them, and what came before, sent again.
            2..0x8000 => {
                self.decide_round(self.behind_round.is_some(), write);
                false
            }
            _ => false,
        }
    }

    /// The numbers go on with 1, or with 0.
    fn decide_round(&mut self, to_one: bool, write: &mut dyn FnMut(u64, &[u8])) {
        self.round_known = true;
        if to_one {
            self.round = TO_ONE;
            self.round_seen = true;
        }
        if let Some(waits) = self.behind_round.take()
            && let Some(size) = self.size
        {
            let number = if to_one {
                waits.number
            } else {
                waits.number + 1
            };
            self.place(number, &waits.octets, waits.len, size, write);
        }
    }

    /// No block came.
    pub(super) fn none(&self) -> bool {
        self.had.octets() == 0 && self.waits.is_none()
    }

    /// The octets of the file, if they are known: by its last block, else by what the server or the client said.
    pub(super) fn total(&self) -> Option<u64> {
        let last = self.last.map(|(_, total)| total);
        let announced = self.announced.filter(|_| self.round_seen);
        last.max(announced).or(self.announced)
    }

    /// No more comes: what still waits is written.
    pub(super) fn end(&mut self, write: &mut dyn FnMut(u64, &[u8])) {
        if self.behind_round.is_some() {
            self.decide_round(true, write);
        }
        if let Some(waits) = &self.waits {
            // One block came, and no answer to the options. A short one is the last whatever was agreed on, but where it
            // has the very size that was asked for.
            let asked = self.asked.blksize.unwrap_or(BLOCK);
            let size = if waits.number == 1 && waits.len < BLOCK && waits.len != asked {
                BLOCK
            } else {
                asked.max(waits.len)
            };
            let short = waits.len < size && size > BLOCK;
            self.decide(size, write);
            if short {
                self.last = None; // it may as well be a full one, of a smaller size
            }
        }
    }

    /// Octets allocated.
    pub(super) fn size(&self) -> usize {
        let waits = self.waits.iter().chain(&self.behind_round);
        self.had.size() + waits.map(|w| w.octets.capacity()).sum::<usize>()
    }

    /// The number counted without end, of the round that is nearest.
    fn number(&self, block: u16) -> u64 {
        // Numbers wrap after 65,535 (or are taken on by one): of all counts they can mean, the one
        // nearest to what is due.
        let ahead = (u64::from(block) + self.round - self.next % self.round) % self.round;
        if ahead < self.round / 2 || self.next + ahead < self.round {
            self.next + ahead
        } else {
            self.next + ahead - self.round
        }
    }

    fn decide(&mut self, size: u64, write: &mut dyn FnMut(u64, &[u8])) {
        self.size = Some(size);
        if let Some(waits) = self.waits.take() {
            self.place(waits.number, &waits.octets, waits.len, size, write);
        }
    }

    fn place(
        &mut self,
        number: u64,
        octets: &[u8],
        len: u64,
        size: u64,
        write: &mut dyn FnMut(u64, &[u8]),
    ) {
        // Longer than a block can be, or behind the end, or there already.
        let beyond = self.last.is_some_and(|(last, _)| number > last);
        if len > size || beyond || !self.had.is_vacant(number, number + 1) {
            return;
        }
        let Some(offset) = (number - 1).checked_mul(size) else {
            return;
        };
        // The first short block ends the file.
        if len < size {
            if self.had.end() > number + 1 {
                return; // blocks behind it came before
            }
            self.last = Some((number, offset.saturating_add(len)));
        }
        // A block that the snapshot length cut is not had: another copy may bring it.
        if octets.len() as u64 == len {
            self.had.add(number, number + 1);
        }
        self.next = self.next.max(number + 1);
        if !octets.is_empty() {
            write(offset, octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn datagrams_are_read() {
        let asked = |blksize, tsize| TftpOptions {
            blksize,
            tsize,
            rollover: None,
        };
        let request = |write, text, options| TftpMessage::Request {
            write,
            name: b"a/b.bin",
            text,
            options,
        };
        for (datagram, expected) in [
            (
                &b"\0\x01a/b.bin\0octet\0"[..],
                Some(request(false, false, TftpOptions::default())),
            ),
            (
                b"\0\x02a/b.bin\0NetASCII\0tsize\x0012\0BLKSIZE\x001468\0timeout\x005\0",
                Some(request(true, true, asked(Some(1468), Some(12)))),
            ),
            // Sizes of blocks that there are not; a value without its end.
            (
                b"\0\x01a/b.bin\0octet\0blksize\x007\0tsize\x001",
                Some(request(false, false, asked(None, Some(1)))),
            ),
            (b"\0\x01a/b.bin", None),
            (
                b"\0\x03\x01\x02x",
                Some(TftpMessage::Data {
                    block: 258,
                    octets: b"x",
                }),
            ),
            (b"\0\x03\0", None),
            (b"\0\x04\0\x09", Some(TftpMessage::Ack { block: 9 })),
            (
                b"\0\x05\0\x01not found\0",
                Some(TftpMessage::Error { text: b"not found" }),
            ),
            (
                b"\0\x06blksize\x001024\0windowsize\x008\0",
                Some(TftpMessage::Options(asked(Some(1024), None))),
            ),
            (b"\0\x07", None),
            (b"\x01\x01a\0octet\0", None),
            (b"", None),
        ] {
            assert_eq!(read(datagram), expected, "{}", datagram.escape_ascii());
        }
    }

    /// A file of which nothing is there yet, and what is written to it.
    #[derive(Default)]
    struct Written(Vec<Option<u8>>);

    impl Written {
        fn write(&mut self, offset: u64, octets: &[u8]) {
            let at = usize::try_from(offset).unwrap();
            let end = at + octets.len();
            self.0.resize(self.0.len().max(end), None);
            for (place, octet) in self.0[at..end].iter_mut().zip(octets) {
                *place = Some(*octet);
            }
        }
    }

    /// A file whose octets show where they belong.
    fn file(len: usize) -> Vec<u8> {
        let octet = |i: usize| i.to_le_bytes().into_iter().fold(0, |sum, o| sum ^ o);
        (0..len).map(octet).collect()
    }

    /// The blocks of a file, with their numbers.
    fn blocks(file: &[u8], size: usize) -> Vec<(u16, &[u8])> {
        (0..=file.len() / size)
            .map(|i| {
                let octets = &file[i * size..file.len().min((i + 1) * size)];
                (u16::try_from(i + 1).unwrap(), octets)
            })
            .collect()
    }

    fn options(blksize: Option<usize>) -> TftpOptions {
        TftpOptions {
            blksize: blksize.map(|n| n as u64),
            ..TftpOptions::default()
        }
    }

    #[test]
    fn numbers_of_blocks_go_round() {
        for rollover in [0, 1] {
            // Twice round, and a little more.
            let file = file(8 * 140_000 + 3);
            let asked = TftpOptions {
                rollover: Some(rollover),
                ..options(Some(8))
            };
            let mut had = TftpBlocks::new(asked, false, false);
            let mut written = Written::default();
            had.agreed(asked, &mut |at, o| written.write(at, o));
            let mut number = 1_u32;
            for (i, octets) in file.chunks(8).enumerate() {
                // Each is sent twice, and a hundred are lost at the place where the numbers begin again.
                let lost = (65_500..65_600).contains(&i);
                for _ in 0..if lost { 0 } else { 2 } {
                    let block = u16::try_from(number % (1 << 16)).unwrap();
                    had.data(block, octets, octets.len() as u64, &mut |at, o| {
                        written.write(at, o);
                    });
                }
                number = match number {
                    65_535 => u32::try_from(rollover).unwrap(),
                    n => n + 1,
                };
            }
            assert!(!had.whole());
            assert_eq!(had.total(), Some(file.len() as u64));
            for (i, octet) in file.iter().enumerate() {
                let lost = (8 * 65_500..8 * 65_600).contains(&i);
                assert_eq!(written.0[i], (!lost).then_some(*octet), "{i}");
            }
        }
    }

    /// Without an option: 0 or 1 behind 65,535, with and without acknowledgments, two blocks swapped, the block behind it the last.
    #[test]
    fn what_follows_the_last_number_shows() {
        for len in [8 * 65_540 + 3, 8 * 65_536, 8 * 65_535 + 5] {
            let file = file(len);
            for (to, acks, swapped) in [
                (0, false, false),
                (0, true, false),
                (0, false, true),
                (1, false, false),
                (1, true, false),
            ] {
                let asked = options(Some(8));
                let mut had = TftpBlocks::new(asked, false, false);
                let mut written = Written::default();
                had.agreed(asked, &mut |at, o| written.write(at, o));
                let number = |i: usize| match i + 1 {
                    n if n <= 65_535 => u16::try_from(n).unwrap(),
                    n => u16::try_from(n - 65_536).unwrap() + to,
                };
                let mut order: Vec<_> = (0..=len / 8).collect();
                if swapped && order.len() > 65_537 {
                    order.swap(65_535, 65_536);
                }
                for i in order {
                    let octets = &file[8 * i..len.min(8 * i + 8)];
                    had.data(number(i), octets, octets.len() as u64, &mut |at, o| {
                        written.write(at, o);
                    });
                    if acks {
                        had.acknowledged(number(i), &mut |at, o| written.write(at, o));
                    }
                }
                had.end(&mut |at, o| written.write(at, o));
                let what = format!("{len} {to} {acks} {swapped}");
                assert!(had.whole(), "{what}");
                let same = written.0.iter().copied().eq(file.iter().map(|o| Some(*o)));
                assert!(same, "{what}");
            }
        }
    }

    #[test]
    fn a_size_that_was_announced_refutes_what_seemed_to_follow() {
        let len = 8 * 65_540 + 3;
        let file = file(len);
        let asked = TftpOptions {
            tsize: Some(len as u64),
            ..options(Some(8))
        };
        let mut had = TftpBlocks::new(asked, false, false);
        had.agreed(asked, &mut |_, _| {});
        for i in (0..=len / 8).filter(|i| *i != 65_535) {
            let octets = &file[8 * i..len.min(8 * i + 8)];
            let block = u16::try_from((i + 1) % 65_536).unwrap();
            had.data(block, octets, octets.len() as u64, &mut |_, _| {});
        }
        had.end(&mut |_, _| {});
        assert!(!had.whole());
        assert_eq!(had.total(), Some(len as u64));
    }

    #[test]
    fn a_block_of_the_size_that_was_asked_for_need_not_be_the_last() {
        for (len, whole) in [(64, false), (63, true), (65, true)] {
            let mut had = TftpBlocks::new(options(Some(64)), false, false);
            let mut written = Written::default();
            let file = file(len);
            had.data(1, &file, len as u64, &mut |at, o| written.write(at, o));
            had.end(&mut |at, o| written.write(at, o));
            assert_eq!((had.whole(), written.0.len()), (whole, len));
        }
    }

    proptest! {
        /// Any order within a window, duplication and loss give the model's octets, and what is called whole is.
        #[test]
        fn blocks_stand_where_they_belong(
            len in 0..6000_usize,
            size in prop_oneof![Just(None), Just(Some(512_usize)), Just(Some(1000)), Just(Some(64))],
            answer in any::<bool>(),
            fate in prop::collection::vec((0..8_u8, 0..6_usize), 100),
            acks in any::<bool>(),
        ) {
            let file = file(len);
            let mut had = TftpBlocks::new(options(size), false, false);
            let mut written = Written::default();
            // The answer to the options may be lost.
            if answer || size.is_none() {
                had.agreed(options(size), &mut |at, o| written.write(at, o));
            }
            let sent = blocks(&file, size.unwrap_or(512));
            let mut order: Vec<(usize, usize)> = Vec::new();
            let mut came = vec![false; sent.len()];
            for i in 0..sent.len() {
                let (what, late) = fate[i % fate.len()];
                if what > 0 {
                    order.push((i + late, i));
                    came[i] = true;
                }
                if what > 5 {
                    order.push((i + late + 3, i));
                }
            }
            order.sort_unstable();
            for (_, i) in order {
                let (block, octets) = sent[i];
                had.data(block, octets, octets.len() as u64, &mut |at, o| written.write(at, o));
                if acks {
                    had.acknowledged(block, &mut |at, o| written.write(at, o));
                }
            }
            had.end(&mut |at, o| written.write(at, o));
            for (i, octet) in written.0.iter().enumerate() {
                prop_assert!(octet.is_none() || file.get(i) == octet.as_ref(), "{i}");
            }
            let all = came.iter().all(|c| *c);
            if had.whole() {
                prop_assert!(all, "called whole");
                prop_assert_eq!(written.0.len(), file.len());
            }
            // With the answer, or two blocks that show the size, nothing that came is left out.
            if answer || size.is_none() || came.iter().filter(|c| **c).count() > 1 {
                prop_assert_eq!(had.whole(), all);
                let there = came.iter().zip(&sent).map(|(c, (_, o))| if *c { o.len() } else { 0 });
                prop_assert_eq!(written.0.iter().flatten().count(), there.sum::<usize>());
            }
        }

        #[test]
        fn any_datagrams_are_taken(
            datagrams in prop::collection::vec((0..7_u8, prop::collection::vec(any::<u8>(), 0..40)), 0..60),
            asked in any::<bool>(),
        ) {
            let mut had = TftpBlocks::new(options(asked.then_some(8)), asked, false);
            let mut octets = 0_usize;
            for (code, rest) in &datagrams {
                let datagram = [&[0, *code], &rest[..]].concat();
                match read(&datagram) {
                    Some(TftpMessage::Data { block, octets: o }) => had.data(block, o, o.len() as u64, &mut |_, o| octets += o.len()),
                    Some(TftpMessage::Ack { block }) => had.acknowledged(block, &mut |_, o| octets += o.len()),
                    Some(TftpMessage::Options(o)) => had.agreed(o, &mut |_, o| octets += o.len()),
                    _ => {}
                }
            }
            had.end(&mut |_, o| octets += o.len());
            prop_assert!(octets <= datagrams.iter().map(|(_, o)| o.len()).sum());
        }
    }
}
