//! Messages as packets (SPEC 9): one packet for each message, a train of full segments for one that is larger.
//!
//! ```text
//!  start  data ... data(last)                      one packet, straight into the output buffer
//!  start  data data data ... end                   octets wait in `Open::pending` until a segment is full
//!           |<-- segment -->|<-- segment -->|<-- ... PSH
//!  start  data gap data ... end                    one packet: cut at the hole, its record tells the whole
//!                                                  train: the segment before the hole is cut, the train goes on
//! ```
//!
//! Sequence numbers are the original ones, so that what was never written is a jump in them and nothing else.

use super::output::{Error, Sink, Writer};
use super::pcap::{self, Resolution};
use super::synthetic::{
    self, DataHeader, Ends, FIN, Headers, PSH, Payload, RST, SYN, TcpHeader, Wire,
};
use crate::capture::LinkType;
use crate::context::Context;
use crate::ip::Datagram;
use crate::link::LinkHeader;
use crate::message::sink::DatagramContext;
use crate::message::{Extent, Kind, MessageEnd, MessageGap, MessageStart, Piece};
use crate::serial::SeqNumber;
use crate::time::Timestamp;
use crate::transport::flow::{Direction, Flow};
use crate::transport::sctp::UserMessage;
use crate::transport::stream::{Close, Side, StreamContext};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;
use std::ops::ControlFlow;

/// Room in front of what waits, for the record header and the packet's headers, so that a full segment is written as it
/// lies.
const HEADROOM: usize = 128;
const _: () = assert!(HEADROOM >= pcap::RECORD_HEADER + synthetic::MAX_HEADERS);
/// Segments of at least this many octets are written past the output buffer.
const WRITE_THROUGH: usize = 32 << 10;
/// Messages in the making that are kept for the next ones to use, buffers included: 1 MiB at most.
const POOL: usize = 16;
/// Ports that are remembered, 8 octets each and the table's share: 9 MiB at most.
const PORTS: usize = (1 << 20) / 8 * 7;
/// The most octets of a packet that readers take.
const MAX_RECORD: usize = 262_144;
/// No offset.
const NONE: u64 = u64::MAX;

/// How the headers of packets begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encap {
    /// Ethernet where the first input is Ethernet, else raw IP.
    #[default]
    Auto,
    /// LINKTYPE_ETHERNET.
    Ethernet,
    /// LINKTYPE_RAW.
    Raw,
}

/// Choices of an output of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// `--encap`.
    pub encap: Encap,
    /// `--timestamps original`: timestamps may go back.
    pub original_times: bool,
    /// `--handshake`: SYN, FIN and RST packets for all connections.
    pub handshake: bool,
    /// `-U`: flush after every packet.
    pub packet_buffered: bool,
}

/// What an output of packets keeps with a connection; made when its first message begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connection {
    /// Offset behind what was written of each direction; [`NONE`] where nothing was.
    written: [u64; 2],
    /// Highest offset of the other stream that a message of this direction has acknowledged; [`NONE`] where none.
    known: [u64; 2],
    /// The open messages.
    open: [Option<Box<Open>>; 2],
    /// A packet of this connection was written.
    begun: bool,
    /// The direction that asks, as far as the first message shows.
    client: Direction,
    /// FIN was written.
    fin: [bool; 2],
}

/// An open message.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Open {
    /// Sequence number of the stream's offset 0 when the message began: a jump changes it.
    base: SeqNumber,
    /// Offset of its first octet.
    start: u64,
    /// Offset behind its last octet, where its header tells; else [`NONE`].
    known_end: u64,
    /// Offset of the first octet in `pending`.
    at: u64,
    /// [`HEADROOM`], then octets that wait; empty where none do.
    pending: Vec<u8>,
    /// Offset behind the octets that are missing behind `pending`; 0 where none are.
    hole_end: u64,
    /// A message of one packet met a hole: what follows is left out.
    cut: bool,
    /// A segment of it was written, so that others follow.
    split: bool,
    /// All of it was written.
    done: bool,
}

impl Open {
    fn payload(&self) -> &[u8] {
        self.pending.get(HEADROOM..).unwrap_or_default()
    }

    /// Offset behind the octets that are here.
    fn have(&self) -> u64 {
        self.at + self.payload().len() as u64
    }

    /// Appends to what waits; `most` octets are the most that it will hold.
    fn push(&mut self, cx: &mut Context, data: &[u8], most: usize) {
        if self.pending.is_empty() {
            self.grow(cx, HEADROOM + data.len(), HEADROOM + most);
            self.pending.resize(HEADROOM, 0);
        }
        self.grow(cx, self.pending.len() + data.len(), HEADROOM + most);
        self.pending.extend_from_slice(data);
    }

    fn grow(&mut self, cx: &mut Context, needed: usize, most: usize) {
        let old = self.pending.capacity();
        if needed > old {
            let new = needed.max((old * 2).min(most));
            self.pending.reserve_exact(new - self.pending.len());
            cx.budget.resize(old, self.pending.capacity());
        }
    }

    /// Offset of `offset` as a sequence number.
    fn seq(&self, offset: u64) -> u32 {
        seq(self.base, offset)
    }
}

/// The low 32 bits: sequence numbers wrap.
#[allow(clippy::cast_possible_truncation)]
fn seq(base: SeqNumber, offset: u64) -> u32 {
    base.add(offset as u32).0
}

/// A length that a record or a buffer can have.
fn clamp(octets: u64) -> usize {
    usize::try_from(octets.min(u64::from(u32::MAX >> 1))).unwrap_or(usize::MAX)
}

/// An event of a message, with what this output keeps for its connection.
pub(crate) type At<'a> = StreamContext<'a, Option<Box<Connection>>>;

/// Where a packet of a TCP connection belongs.
#[derive(Clone, Copy)]
struct Place<'a> {
    flow: &'a Flow,
    sides: &'a [Side; 2],
    direction: Direction,
}

/// An output of packets.
pub(crate) struct Packets {
    out: Sink,
    form: Form,
    wire: Wire,
    resolution: Resolution,
    begun: bool,
    last: Timestamp,
    ports: Ports,
    /// Boxed, as they go into connections and come back.
    #[allow(clippy::vec_box)]
    pool: Vec<Box<Open>>,
}

impl Packets {
    pub(crate) fn new(name: &str, to: Writer, form: Form) -> Self {
        Self {
            out: Sink::new(name, to, form.packet_buffered),
            form,
            wire: Wire::Raw,
            resolution: Resolution::Micro,
            begun: false,
            last: Timestamp::default(),
            ports: Ports::default(),
            pool: Vec::new(),
        }
    }

    /// Writes the file header; only the first input's counts.
    pub(crate) fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        if self.begun {
            return;
        }
        self.begun = true;
        self.wire = match self.form.encap {
            Encap::Ethernet => Wire::Ethernet,
            Encap::Raw => Wire::Raw,
            Encap::Auto if link_type == LinkType::ETHERNET => Wire::Ethernet,
            Encap::Auto => Wire::Raw,
        };
        self.resolution = if nanoseconds {
            Resolution::Nano
        } else {
            Resolution::Micro
        };
        let link_type = match self.wire {
            Wire::Ethernet => LinkType::ETHERNET,
            Wire::Raw => LinkType::RAW,
        };
        let header = pcap::file_header(link_type, self.resolution);
        self.out.write([&header, &[], &[], &[]]);
    }

    pub(crate) fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        self.out.flush()
    }

    pub(crate) fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        let (cx, direction) = (&mut *at.cx, at.direction);
        let conn = at.state.get_or_insert_with(|| {
            cx.budget.take(size_of::<Connection>());
            Box::new(Connection {
                written: [NONE; 2],
                known: [NONE; 2],
                open: [None, None],
                begun: false,
                client: match start.kind {
                    Kind::Request => direction,
                    Kind::Response => direction.flip(),
                    Kind::Other => Direction::Forward,
                },
                fin: [false; 2],
            })
        });
        let d = direction.index();
        if conn.open[d].is_some() {
            // The message stage ends what it opened; this only keeps a slip of it from growing.
            self.put_back(cx, conn, d);
        }
        let side = &at.sides[d];
        let ack = start.ack.or(at.sides[1 - d].acknowledged);
        if let Some(ack) = ack
            && (conn.known[d] == NONE || ack > conn.known[d])
        {
            conn.known[d] = ack;
        }
        let mut open = self.pool.pop().unwrap_or_default();
        cx.budget.take(size_of::<Open>() + open.pending.capacity());
        open.base = side.base.unwrap_or_default();
        open.start = start.offset;
        open.at = start.offset;
        open.known_end = match start.extent {
            Extent::Known(n) => start.offset.saturating_add(n),
            Extent::Open | Extent::ToClose => NONE,
        };
        open.hole_end = 0;
        open.cut = false;
        open.split = false;
        open.done = false;
        conn.open[d] = Some(open);
    }

    /// Keeps an open message's memory for the next one.
    fn put_back(&mut self, cx: &mut Context, conn: &mut Connection, d: usize) {
        if let Some(mut open) = conn.open[d].take() {
            cx.budget.give(size_of::<Open>() + open.pending.capacity());
            open.pending.clear();
            if self.pool.len() < POOL {
                self.pool.push(open);
            }
        }
    }

    pub(crate) fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        let place = Place {
            flow: at.flow,
            sides: at.sides,
            direction: at.direction,
        };
        let cx = &mut *at.cx;
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        let d = place.direction.index();
        let Some(mut open) = conn.open[d].take() else {
            return;
        };
        self.take(cx, place, conn, &mut open, piece);
        conn.open[d] = Some(open);
    }

    fn take(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        piece: &Piece<'_>,
    ) {
        if open.done {
            return;
        }
        let ends = ends(place.flow, place.direction);
        let most = synthetic::max_tcp_payload(&ends);
        // The common case: a message that lies in one segment.
        if piece.last
            && open.pending.is_empty()
            && open.hole_end == 0
            && piece.offset == open.at
            && piece.data.len() <= most
        {
            self.begin_connection(cx, place, conn);
            let payload = Payload::of(piece.data);
            let headers = self.segment(place, conn, &ends, open.seq(open.at), PSH, &payload);
            self.record(cx, &headers, piece.data, &payload);
            conn.written[place.direction.index()] = piece.offset + piece.data.len() as u64;
            open.done = true;
            return;
        }
        let have = open.have();
        let mut data = piece.data;
        if piece.offset > have.max(open.hole_end) {
            self.hole(open, piece.offset, most);
        } else if let Some(rest) = data.get(clamp(have.saturating_sub(piece.offset))..) {
            data = rest;
        } else {
            return;
        }
        if open.hole_end != 0 {
            if open.cut {
                return;
            }
            self.cover_hole(cx, place, conn, open, &ends, open.hole_end, 0);
        }
        while !data.is_empty() {
            let room = most - open.payload().len().min(most);
            if room == 0 {
                self.write_pending(cx, place, conn, open, &ends, most, 0);
                continue;
            }
            let (now, rest) = data.split_at(room.min(data.len()));
            open.push(cx, now, most);
            data = rest;
        }
        if piece.last {
            let len = open.payload().len();
            self.write_pending(cx, place, conn, open, &ends, len, PSH);
            open.done = true;
        }
    }

    pub(crate) fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        if let Some(open) = &mut conn.open[at.direction.index()] {
            let most = synthetic::max_tcp_payload(&ends(at.flow, at.direction));
            self.hole(open, gap.offset.saturating_add(gap.len), most);
        }
    }

    /// Octets up to `end` are missing. A message of one packet is cut there: a second packet of it would be taken for
    /// the beginning of the next message.
    fn hole(&self, open: &mut Open, end: u64, most: usize) {
        if open.cut || open.done || end <= open.have() {
            return;
        }
        let one_packet =
            !open.split && (open.known_end == NONE || open.known_end - open.start <= most as u64);
        open.cut = one_packet;
        open.hole_end = open.hole_end.max(end);
    }

    pub(crate) fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        let place = Place {
            flow: at.flow,
            sides: at.sides,
            direction: at.direction,
        };
        let cx = &mut *at.cx;
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        let d = place.direction.index();
        let Some(mut open) = conn.open[d].take() else {
            return;
        };
        if !open.done {
            self.finish(cx, place, conn, &mut open, end);
        }
        conn.open[d] = Some(open);
        self.put_back(cx, conn, d);
    }

    /// Writes what is left of a message.
    fn finish(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        end: &MessageEnd,
    ) {
        let ends = ends(place.flow, place.direction);
        let have = open.have();
        let closes = end.closes.is_some();
        // How far the message reaches.
        let mut target = if end.whole && open.hole_end == 0 {
            have
        } else if closes {
            let hole = have.max(open.hole_end);
            match open.known_end {
                NONE if hole == have => have + 1,
                NONE => hole,
                known => known,
            }
        } else if open.known_end != NONE || open.hole_end == 0 {
            end.offset
        } else {
            open.hole_end.min(end.offset)
        };
        if target <= have && !end.whole {
            // Nothing is known to be missing, yet something is: a jump of unknown length, behind which the numbers
            // are other ones.
            let jumped = place.sides[place.direction.index()].base != Some(open.base);
            target = if closes || jumped { have + 1 } else { have };
        }
        if target == open.at {
            return;
        }
        let flags = PSH | if closes { FIN } else { 0 };
        if closes {
            conn.fin[place.direction.index()] = true;
            let whole = clamp(target - open.at);
            self.write_pending(cx, place, conn, open, &ends, whole, flags);
        } else if open.split {
            self.cover_hole(cx, place, conn, open, &ends, target, flags);
        } else {
            let whole = clamp(target - open.at);
            self.write_pending(cx, place, conn, open, &ends, whole, flags);
        }
    }

    /// Writes what waits, cut, and as many segments without octets as it takes to reach `target`; the last one carries
    /// `flags`.
    #[allow(clippy::too_many_arguments)]
    fn cover_hole(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        ends: &Ends,
        target: u64,
        flags: u8,
    ) {
        let most = synthetic::max_tcp_payload(ends);
        while open.at < target {
            let whole = clamp(target - open.at).min(most);
            let last = open.at + whole as u64 == target;
            let flags = if last { flags } else { 0 };
            self.write_pending(cx, place, conn, open, ends, whole, flags);
        }
        open.hole_end = 0;
    }

    /// Writes one segment of `whole` octets, of which those that wait are there.
    #[allow(clippy::too_many_arguments)]
    fn write_pending(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        ends: &Ends,
        whole: usize,
        flags: u8,
    ) {
        self.begin_connection(cx, place, conn);
        let payload = Payload::cut(open.payload(), whole);
        let headers = self.segment(place, conn, ends, open.seq(open.at), flags, &payload);
        if payload.len >= WRITE_THROUGH {
            self.record_in_place(cx, &headers, &mut open.pending, &payload);
        } else {
            self.record(cx, &headers, open.payload(), &payload);
        }
        open.at += payload.whole as u64;
        open.split = true;
        open.pending.clear();
        conn.written[place.direction.index()] = open.at;
    }

    /// Headers of a segment, with the acknowledgment number that SPEC 9 asks for.
    fn segment(
        &self,
        place: Place<'_>,
        conn: &Connection,
        ends: &Ends,
        seq: u32,
        flags: u8,
        payload: &Payload,
    ) -> Headers {
        let ack = acknowledgment(place, conn);
        synthetic::tcp(self.wire, ends, TcpHeader { seq, ack, flags }, payload)
    }

    /// Writes SYN and SYN-ACK where they are due: tshark takes a connection on ports that it knows for the old one.
    fn begin_connection(&mut self, cx: &mut Context, place: Place<'_>, conn: &mut Connection) {
        if conn.begun {
            return;
        }
        conn.begun = true;
        let used = self.ports.use_again(cx, place.flow);
        if !used && !self.form.handshake {
            return;
        }
        let client = conn.client;
        let base = |d: Direction| {
            let side = &place.sides[d.index()];
            side.seq(side.origin).map(|first| first.sub(1).0)
        };
        let (first, second) = match base(client) {
            Some(_) => (client, client.flip()),
            // Nothing is known of the client's numbers: the other side's will do, as a SYN.
            None => (client.flip(), client),
        };
        if let Some(seq) = base(first) {
            self.bare(
                cx,
                place.flow,
                first,
                TcpHeader {
                    seq,
                    ack: None,
                    flags: SYN,
                },
            );
            if let Some(answer) = base(second) {
                let header = TcpHeader {
                    seq: answer,
                    ack: Some(seq.wrapping_add(1)),
                    flags: SYN,
                };
                self.bare(cx, place.flow, second, header);
            }
        }
    }

    /// Writes a segment without octets.
    fn bare(&mut self, cx: &mut Context, flow: &Flow, direction: Direction, header: TcpHeader) {
        let payload = Payload::none();
        let headers = synthetic::tcp(self.wire, &ends(flow, direction), header, &payload);
        self.record(cx, &headers, &[], &payload);
    }

    /// `--handshake`: writes how the stream ended, unless its last message has said so.
    pub(crate) fn stream_end(&mut self, at: &mut At<'_>, close: Close) {
        let flags = match close {
            Close::Fin => FIN,
            Close::Reset => RST,
            Close::Idle | Close::Evicted | Close::Replaced | Close::EndOfInput => return,
        };
        let place = Place {
            flow: at.flow,
            sides: at.sides,
            direction: at.direction,
        };
        let d = at.direction.index();
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        if !self.form.handshake || !conn.begun || conn.fin[d] {
            return;
        }
        conn.fin[d] = true;
        let offset = match conn.written[d] {
            NONE => at.sides[d].origin,
            written => written,
        };
        let header = TcpHeader {
            seq: seq(at.sides[d].base.unwrap_or_default(), offset),
            ack: acknowledgment(place, conn),
            flags,
        };
        self.bare(at.cx, at.flow, at.direction, header);
    }

    /// The connection has ended: gives back what was counted for it.
    pub(crate) fn closed(&mut self, at: &mut At<'_>) {
        let cx = &mut *at.cx;
        if let Some(mut conn) = at.state.take() {
            self.put_back(cx, &mut conn, 0);
            self.put_back(cx, &mut conn, 1);
            cx.budget.give(size_of::<Connection>());
        }
    }

    /// Writes a UDP datagram. Where the capture has only a part of it, it is cut, as it was.
    pub(crate) fn datagram(
        &mut self,
        at: &mut DatagramContext<'_>,
        payload: &[u8],
        payload_len: usize,
    ) {
        let ends = ends(at.flow, at.direction);
        let payload_of = Payload::cut(payload, payload_len);
        let headers = synthetic::udp(self.wire, &ends, &payload_of);
        self.record(at.cx, &headers, payload, &payload_of);
    }

    /// Writes an SCTP user message: one packet with one chunk, or a train of them from B to E. Where the capture has only a
    /// part of it, the last packet is cut.
    ///
    /// A train takes TSNs that were the message's own: those of the next message are never used before it.
    pub(crate) fn user_message(&mut self, cx: &mut Context, flow: &Flow, m: &UserMessage<'_>) {
        let ends = Ends {
            src: m.src,
            dst: m.dst,
            ..ends(flow, m.direction)
        };
        let most = synthetic::max_user_data(&ends, m.interleaved);
        let have = m.data.len() as u64;
        let whole = if m.whole {
            have
        } else {
            m.len.unwrap_or(0).max(have + 1)
        };
        let (mut rest, mut left) = (m.data, whole);
        for n in 0u32.. {
            let len = clamp(left).min(most);
            let (data, behind) = rest.split_at(len.min(rest.len()));
            let last = left <= most as u64 || data.len() < len;
            let own = usize::try_from(n).ok().and_then(|n| m.tsns.get(n));
            let header = DataHeader {
                tag: m.tag,
                tsn: own.copied().unwrap_or(m.tsn.wrapping_add(n)),
                stream: m.stream,
                seq: m.seq,
                ppid: if m.interleaved && n > 0 { n } else { m.ppid },
                begins: n == 0,
                ends: last,
                unordered: m.unordered,
                interleaved: m.interleaved,
            };
            let (headers, payload) = synthetic::sctp(self.wire, &ends, &header, data, len);
            let record = self.record_header(cx, &headers, &payload);
            let pad = [0; 3];
            let pad = pad.get(..payload.len - data.len()).unwrap_or_default();
            self.out.write([&record, headers.as_slice(), data, pad]);
            if last {
                break;
            }
            rest = behind;
            left -= len as u64;
        }
    }

    /// A datagram as it was, in new link and IP headers. Its time is its own, and is none that later ones are held
    /// against, so that another run makes of it what one run would.
    pub(crate) fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        let payload = Payload::cut(datagram.payload, datagram.payload_len);
        let headers = synthetic::ip(self.wire, cx.packet.link, datagram);
        // What no reader takes is left out of a datagram that is longer than any.
        let room = MAX_RECORD - headers.as_slice().len();
        let data = datagram.payload;
        let data = data.get(..room.min(data.len())).unwrap_or(data);
        let last = self.last;
        self.last = cx.packet.time;
        let payload = Payload {
            len: data.len(),
            ..payload
        };
        self.record(cx, &headers, data, &payload);
        self.last = last;
    }

    fn time(&mut self, cx: &Context) -> Timestamp {
        let time = cx.packet.time;
        if self.form.original_times {
            return time;
        }
        self.last = self.last.max(time);
        self.last
    }

    /// The record header in front of these headers and this payload.
    fn record_header(
        &mut self,
        cx: &mut Context,
        headers: &Headers,
        payload: &Payload,
    ) -> [u8; pcap::RECORD_HEADER] {
        let len = headers.as_slice().len();
        let time = self.time(cx);
        cx.counters.output.packets += 1;
        cx.counters.output.octets += (len + payload.len) as u64;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        pcap::record_header(
            time,
            self.resolution,
            number(len + payload.len),
            number(len + payload.whole),
        )
    }

    fn record(&mut self, cx: &mut Context, headers: &Headers, data: &[u8], payload: &Payload) {
        let record = self.record_header(cx, headers, payload);
        self.out.write([&record, headers.as_slice(), data, &[]]);
    }

    /// Lays the headers into the room in front of `pending` and writes both in one go.
    fn record_in_place(
        &mut self,
        cx: &mut Context,
        headers: &Headers,
        pending: &mut [u8],
        payload: &Payload,
    ) {
        let record = self.record_header(cx, headers, payload);
        let headers = headers.as_slice();
        let begin = HEADROOM - headers.len() - record.len();
        if let Some(room) = pending.get_mut(begin..HEADROOM) {
            let (first, second) = room.split_at_mut(record.len());
            first.copy_from_slice(&record);
            second.copy_from_slice(headers);
        }
        self.out
            .write_through(pending.get(begin..).unwrap_or_default());
    }
}

/// The acknowledgment number of a segment: what was known, and never more than what has been written of the other
/// direction, or tshark takes a held message for a retransmission. None where nothing is known of the other direction.
fn acknowledgment(place: Place<'_>, conn: &Connection) -> Option<u32> {
    let d = place.direction.index();
    let other = &place.sides[1 - d];
    let offset = match (conn.known[d], conn.written[1 - d]) {
        (NONE, _) | (_, NONE) => other.origin,
        (known, written) => known.min(written),
    };
    other.seq(offset).map(|n| n.0)
}

/// Who sends to whom in this direction. Where no packet of it was captured, its link header is the other one's, turned
/// round.
fn ends(flow: &Flow, direction: Direction) -> Ends {
    let mut link = flow.links[direction.index()];
    if link == LinkHeader::default() {
        let other = &flow.links[direction.flip().index()];
        link = LinkHeader {
            dst: other.src,
            src: other.dst,
            tags: other.tags,
        };
    }
    Ends {
        src: flow.src(direction),
        dst: flow.dst(direction),
        link,
    }
}

/// Pairs of endpoints that an output has used, as 64-bit fingerprints. Two that share one cost a SYN that nobody needs.
/// Where no more fit, all count as used.
#[derive(Default)]
struct Ports {
    used: HashSet<u64, foldhash::fast::RandomState>,
}

impl Ports {
    /// Notes the endpoints of a flow; tells whether they may have been used before.
    fn use_again(&mut self, cx: &mut Context, flow: &Flow) -> bool {
        let (a, b) = (flow.src(Direction::Forward), flow.dst(Direction::Forward));
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let print = FixedState::default().hash_one((low, high));
        if self.used.len() >= PORTS {
            return true;
        }
        let before = self.used.allocation_size();
        let used = !self.used.insert(print);
        cx.budget.resize(before, self.used.allocation_size());
        used
    }
}
