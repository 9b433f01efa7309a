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

use super::file::{CaptureFile, Format};
use super::output::{Error, Writer};
use super::pcap;
use super::pdu;
use super::synthetic::{
    self, DataHeader, Ends, FIN, Headers, PSH, Payload, RST, SYN, TcpHeader, Wire,
};
use super::track::{self, Track};
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::{Extent, Kind};
use crate::base::packet::{Interface, LinkHeader, LinkType};
use crate::base::serial::SeqNumber;
use crate::base::storage::allocated;
use crate::base::stream::{Chunk, Close, Duplicate, Side};
use crate::ip::Datagram;
use crate::message::sink::DatagramMessage;
use crate::message::summary::summary;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::UserMessage;
use crate::transport::stream::StreamContext;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
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
/// Octets of a record, at most: what libpcap and Wireshark take.
const RECORD: usize = pcap::SNAP_LEN as usize;
/// Frames and gaps of a message that a comment lists.
const LISTED: usize = 100;
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
    /// LINKTYPE_WIRESHARK_UPPER_PDU: the message behind the name of its dissector, without IP and TCP.
    Pdu,
}

/// `--large`: what becomes of a message that is larger than an IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Large {
    /// A train of full segments.
    #[default]
    Split,
    /// One packet of up to 262,144 octets, a train beyond.
    Jumbo,
    /// One packet of up to `--max-message` octets, as if the snapshot length had cut it.
    Snap,
}

/// Choices of an output of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// `--encap`.
    pub encap: Encap,
    /// `--format`.
    pub format: Format,
    /// `--large`.
    pub large: Large,
    /// `--max-message`: octets of a message in one packet, at most; 0: as many as fit.
    pub max_message: usize,
    /// `--fill-gaps`: zeros stand where octets are missing.
    pub fill_gaps: bool,
    /// `--info`: a comment for each message, in pcapng.
    pub info: bool,
    /// `--track`: a comment for each packet that tells where its octets stood in the input, in pcapng.
    pub track: bool,
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
    client: Option<Direction>,
    /// FIN was written.
    fin: [bool; 2],
    /// Where the octets of each stream stood, with `--track`.
    track: [Track; 2],
}

impl Connection {
    fn new() -> Self {
        Self {
            written: [NONE; 2],
            known: [NONE; 2],
            open: [None, None],
            begun: false,
            client: None,
            fin: [false; 2],
            track: Default::default(),
        }
    }

    /// What is kept of the connection, which may be new.
    fn of<'a>(cx: &mut Context, state: &'a mut Option<Box<Self>>) -> &'a mut Self {
        state.get_or_insert_with(|| {
            cx.budget.take(allocated(size_of::<Self>()));
            Box::new(Self::new())
        })
    }
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
    /// Sum of the octets in `pending`.
    sum: Sum,
    /// Offset behind the octets that are missing behind `pending`; 0 where none are.
    hole_end: u64,
    /// A message of one packet met a hole: what follows is left out.
    cut: bool,
    /// A segment of it was written, so that others follow.
    split: bool,
    /// All of it was written.
    done: bool,
    /// Octets of one packet, at most.
    unit: usize,
    /// It is one packet, whatever its size: what does not fit is left out.
    single: bool,
    /// Octets that were left out behind `pending` because they do not fit.
    beyond: u64,
    /// What is told of it, where that is wanted.
    about: Option<Box<About>>,
}

/// What is told of a message, in a comment or a pdu.
#[derive(Debug, Default, Serialize, Deserialize)]
struct About {
    protocol: String,
    summary: String,
    /// Packets that it came in: first and last of each run of numbers.
    frames: Vec<(u64, u64)>,
    /// There were more.
    more_frames: bool,
    octets: u64,
    /// Missing octets: offset from its start, and length.
    gaps: Vec<(u64, u64)>,
    lost: u64,
    /// Octets of it that came again while it was open.
    repeated: u64,
    acknowledged: Option<bool>,
    filled: bool,
}

impl About {
    fn allocated(&self) -> usize {
        size_of::<Self>()
            + self.protocol.capacity()
            + self.summary.capacity()
            + (self.frames.capacity() + self.gaps.capacity()) * size_of::<(u64, u64)>()
    }

    /// Octets came in this packet.
    fn piece(&mut self, frame: u64, octets: usize) {
        self.octets += octets as u64;
        let full = self.frames.len() >= LISTED;
        match self.frames.last_mut() {
            Some((_, last)) if frame == *last => {}
            Some((_, last)) if frame == last.saturating_add(1) => *last = frame,
            _ if full => self.more_frames = true,
            _ => self.frames.push((frame, frame)),
        }
    }

    fn gap(&mut self, offset: u64, len: u64) {
        self.lost = self.lost.saturating_add(len);
        if self.gaps.len() < LISTED {
            self.gaps.push((offset, len));
        }
    }

    /// The comment.
    fn text(&self) -> String {
        let mut t = format!("{}: {}; frames ", self.protocol, self.summary);
        // Writing to a string does not fail.
        for (i, (first, last)) in self.frames.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = if first == last {
                write!(t, "{comma}{first}")
            } else {
                write!(t, "{comma}{first}-{last}")
            };
        }
        if self.more_frames {
            t.push_str(",...");
        }
        let _ = write!(t, "; {} octets", self.octets);
        match self.acknowledged {
            Some(true) => t.push_str("; acknowledged"),
            Some(false) => t.push_str("; not acknowledged"),
            None => {}
        }
        if self.repeated > 0 {
            let _ = write!(t, "; {} octets repeated", self.repeated);
        }
        if self.lost > 0 {
            let _ = write!(t, "; {} octets lost", self.lost);
            for (offset, len) in &self.gaps {
                let _ = write!(t, ", {len} at {offset}");
            }
            if self.filled {
                t.push_str(", filled with zeros");
            }
        }
        t
    }
}

impl Open {
    fn payload(&self) -> &[u8] {
        self.pending.get(HEADROOM..).unwrap_or_default()
    }

    /// Offset behind the octets that are here.
    fn have(&self) -> u64 {
        self.at + self.payload().len() as u64 + self.beyond
    }

    /// Appends to what waits; `most` octets are the most that it will hold.
    fn push(&mut self, cx: &mut Context, data: &[u8], sum: Option<Sum>, most: usize) {
        if self.pending.is_empty() {
            self.sum = Sum::default();
            self.grow(cx, HEADROOM + data.len(), HEADROOM + most);
            self.pending.resize(HEADROOM, 0);
        }
        self.grow(cx, self.pending.len() + data.len(), HEADROOM + most);
        self.pending.extend_from_slice(data);
        self.sum = self.sum.combine(sum.unwrap_or_else(|| Sum::of(data)));
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
    file: CaptureFile,
    form: Form,
    /// The protocols that come here; all that no other output names where there are none.
    protocols: Vec<String>,
    wire: Wire,
    begun: bool,
    ports: Ports,
    /// Comments of the next packet that ends a message.
    comments: Vec<String>,
    /// Reused: what stands before the message in a pdu.
    header: Vec<u8>,
    /// Boxed, as they go into connections and come back.
    #[allow(clippy::vec_box)]
    pool: Vec<Box<Open>>,
}

impl Packets {
    pub(crate) fn new(name: &str, to: Writer, form: Form, protocols: Vec<String>) -> Self {
        let (format, original) = (form.format, form.original_times);
        Self {
            file: CaptureFile::new(name, to, format, original, form.packet_buffered),
            form,
            protocols,
            wire: Wire::Raw,
            begun: false,
            ports: Ports::default(),
            comments: Vec::new(),
            header: Vec::new(),
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
            Encap::Pdu => Wire::Pdu,
            Encap::Auto if link_type == LinkType::ETHERNET => Wire::Ethernet,
            Encap::Auto => Wire::Raw,
        };
        let own = match self.wire {
            Wire::Ethernet => LinkType::ETHERNET,
            Wire::Raw => LinkType::RAW,
            Wire::Pdu => LinkType::WIRESHARK_UPPER_PDU,
        };
        self.file.begin(Some(own), link_type, nanoseconds);
    }

    /// These are all interfaces of the input until now.
    pub(crate) fn interfaces(&mut self, all: &[Interface]) {
        self.file.interfaces(all);
    }

    /// The protocols that were named for this output.
    pub(crate) fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Something is told of each message.
    fn tells(&self) -> bool {
        self.wire == Wire::Pdu
            || ((self.form.info || self.form.track) && self.form.format == Format::Pcapng)
    }

    /// Where octets stood is told.
    pub(crate) fn tracks(&self) -> bool {
        self.form.track && self.form.format == Format::Pcapng
    }

    /// Octets are at hand: where they stood is kept until they are written.
    pub(crate) fn stream_arrival(&mut self, at: &mut At<'_>, chunk: &Chunk<'_>) {
        let (cx, d) = (&mut *at.cx, at.direction.index());
        let conn = Connection::of(cx, at.state);
        let track = &mut conn.track[d];
        if conn.open[d].is_none() {
            track.forget_old();
        }
        let mut places = Vec::new();
        cx.records_of(chunk.frame, chunk.at, chunk.data.len(), &mut |p| {
            places.push(p);
        });
        let mut offset = chunk.offset;
        for place in places {
            track.add(cx, offset, place);
            offset += place.len;
        }
    }

    /// Octets of a message in one packet, at most, where it may be larger than an IP packet.
    fn large(&self, ends: &Ends) -> usize {
        let room = RECORD - synthetic::tcp_headers(self.wire, ends);
        match self.form.max_message {
            0 => room,
            n => n.min(room),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        self.file.flush()
    }

    pub(crate) fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        let (cx, direction) = (&mut *at.cx, at.direction);
        let conn = Connection::of(cx, at.state);
        conn.client.get_or_insert(match start.kind {
            Kind::Request => direction,
            Kind::Response => direction.flip(),
            Kind::Other => Direction::Forward,
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
        cx.budget
            .take(allocated(size_of::<Open>()) + open.pending.capacity());
        let ends = ends(at.flow, direction);
        open.unit = synthetic::max_tcp_payload(&ends);
        open.single = false;
        open.beyond = 0;
        open.about = None;
        if self.form.large != Large::Split || self.wire == Wire::Pdu {
            let large = self.large(&ends);
            open.single = self.wire == Wire::Pdu || self.form.large == Large::Snap;
            let fits = !matches!(start.extent, Extent::Known(n) if n > large as u64);
            if open.single || fits {
                open.unit = large;
            }
        }
        if self.tells() {
            let mut about = Box::new(About {
                protocol: start.protocol.to_owned(),
                ..About::default()
            });
            summary(
                start.protocol,
                at.flow.transport,
                start.kind,
                start.head,
                &mut about.summary,
            );
            cx.budget.take(about.allocated());
            open.about = Some(about);
        }
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
            if let Some(about) = open.about.take() {
                cx.budget.give(about.allocated());
            }
            cx.budget
                .give(allocated(size_of::<Open>()) + open.pending.capacity());
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
        if let Some(about) = &mut open.about {
            let before = about.allocated();
            about.piece(piece.frame, piece.data.len());
            cx.budget.resize(before, about.allocated());
        }
        let most = open.unit;
        // The common case: a message that lies in one segment.
        if piece.last
            && open.pending.is_empty()
            && open.hole_end == 0
            && piece.offset == open.at
            && piece.data.len() <= most
            && open.about.is_none()
        {
            self.begin_connection(cx, place, conn);
            let ends = ends(place.flow, place.direction);
            let payload = self.payload(piece.data, piece.data.len(), piece.sum);
            let headers = self.segment(place, conn, &ends, open.seq(open.at), PSH, &payload);
            self.record(cx, &headers, piece.data, &payload);
            conn.written[place.direction.index()] = piece.offset + piece.data.len() as u64;
            open.done = true;
            return;
        }
        let have = open.have();
        // The next common one: it goes on, and fits behind what waits.
        let room = most.saturating_sub(open.payload().len());
        if !piece.last && open.hole_end == 0 && piece.offset == have && piece.data.len() <= room {
            open.push(cx, piece.data, piece.sum, most);
            return;
        }
        let ends = ends(place.flow, place.direction);
        let mut data = piece.data;
        if piece.offset > have.max(open.hole_end) {
            self.hole(cx, place, conn, open, &ends, piece.offset);
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
        self.append(
            cx,
            place,
            conn,
            open,
            &ends,
            data,
            piece.sum.filter(|_| data.len() == piece.data.len()),
        );
        // What is told of a message is known at its end only.
        if piece.last && open.about.is_none() {
            let whole = clamp(open.have() - open.at);
            self.write_pending(cx, place, conn, open, &ends, whole, PSH);
            open.done = true;
        }
    }

    /// Appends octets to what waits, and writes what is full. `sum`: that of `data`, where it is known.
    #[allow(clippy::too_many_arguments)]
    fn append(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        ends: &Ends,
        mut data: &[u8],
        sum: Option<Sum>,
    ) {
        let all = data.len();
        while !data.is_empty() {
            let most = open.unit;
            let room = most - open.payload().len().min(most);
            if room == 0 {
                let train = synthetic::max_tcp_payload(ends);
                if open.single {
                    open.beyond += data.len() as u64;
                    return;
                } else if most > train {
                    self.becomes_train(cx, place, conn, open, ends, train);
                } else {
                    self.write_pending(cx, place, conn, open, ends, most, 0);
                }
                continue;
            }
            let (now, rest) = data.split_at(room.min(data.len()));
            open.push(cx, now, sum.filter(|_| now.len() == all), most);
            data = rest;
        }
    }

    /// A message that waited to become one large packet is too large for that.
    fn becomes_train(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        ends: &Ends,
        train: usize,
    ) {
        open.unit = train;
        let waiting = std::mem::take(&mut open.pending);
        let size = waiting.capacity();
        let octets = waiting.get(HEADROOM..).unwrap_or_default();
        self.append(cx, place, conn, open, ends, octets, None);
        cx.budget.give(size);
    }

    pub(crate) fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
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
        if let Some(about) = &mut open.about {
            let before = about.allocated();
            about.gap(gap.offset.saturating_sub(open.start), gap.len);
            cx.budget.resize(before, about.allocated());
        }
        let ends = ends(place.flow, place.direction);
        let end = gap.offset.saturating_add(gap.len);
        self.hole(cx, place, conn, &mut open, &ends, end);
        conn.open[d] = Some(open);
    }

    /// Octets up to `end` are missing. A message of one packet is cut there: a second packet of it would be taken for
    /// the beginning of the next message.
    fn hole(
        &mut self,
        cx: &mut Context,
        place: Place<'_>,
        conn: &mut Connection,
        open: &mut Open,
        ends: &Ends,
        end: u64,
    ) {
        if open.cut || open.done || end <= open.have() {
            return;
        }
        if self.form.fill_gaps && open.hole_end == 0 {
            if let Some(about) = &mut open.about {
                about.filled = true;
            }
            const ZEROS: [u8; 4096] = [0; 4096];
            while open.have() < end {
                let len = clamp(end - open.have()).min(ZEROS.len());
                let zeros = ZEROS.get(..len).unwrap_or(&ZEROS);
                self.append(cx, place, conn, open, ends, zeros, None);
            }
            return;
        }
        let one_packet = open.single
            || (!open.split
                && (open.known_end == NONE || open.known_end - open.start <= open.unit as u64));
        open.cut = one_packet;
        open.hole_end = open.hole_end.max(end);
    }

    /// Octets came again; those of the message that is open are told of in its comment.
    pub(crate) fn duplicate(at: &mut At<'_>, duplicate: &Duplicate) {
        let d = at.direction.index();
        if let Some(conn) = at.state
            && let Some(open) = &mut conn.open[d]
            && let Some(about) = &mut open.about
        {
            let end = duplicate.offset.saturating_add(duplicate.len);
            let own = end.saturating_sub(open.start).min(duplicate.len);
            about.repeated = about.repeated.saturating_add(own);
        }
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
            if let Some(about) = &mut open.about {
                about.acknowledged = Some(end.acknowledged.is_some());
            }
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
        let most = open.unit;
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
        if self.tracks() {
            let track = &mut conn.track[place.direction.index()];
            let (from, to) = (open.at, open.at + whole as u64);
            self.comments.push(track.text(from, to));
            track.forget(to);
        }
        let payload = self.payload(
            open.payload(),
            whole,
            Some(open.sum).filter(|_| !open.pending.is_empty()),
        );
        if self.wire == Wire::Pdu {
            if let Some(about) = &open.about {
                self.pdu(
                    cx,
                    ends,
                    place.flow.transport,
                    None,
                    about,
                    open.payload(),
                    whole,
                );
            }
        } else {
            if let Some(about) = &open.about
                && flags & PSH != 0
                && self.form.info
            {
                self.comments.push(about.text());
            }
            let headers = self.segment(place, conn, ends, open.seq(open.at), flags, &payload);
            if payload.len >= WRITE_THROUGH && self.form.format == Format::Pcap {
                self.record_in_place(cx, &headers, &mut open.pending, &payload);
            } else {
                self.record(cx, &headers, open.payload(), &payload);
            }
        }
        open.beyond = 0;
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
        if self.wire == Wire::Pdu {
            return;
        }
        let used = self.ports.use_again(cx, place.flow);
        if !used && !self.form.handshake {
            return;
        }
        let client = conn.client.unwrap_or(Direction::Forward);
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
        if !self.form.handshake || !conn.begun || conn.fin[d] || self.wire == Wire::Pdu {
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
            for track in &mut conn.track {
                track.clear(cx);
            }
            cx.budget.give(allocated(size_of::<Connection>()));
        }
    }

    /// Writes a UDP datagram. Where the capture has only a part of it, it is cut, as it was.
    pub(crate) fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        let ends = ends(at.flow, at.direction);
        if self.tells() {
            let mut about = About {
                protocol: message.protocol.to_owned(),
                ..About::default()
            };
            let kind = Kind::Other;
            summary(
                message.protocol,
                Transport::Udp,
                kind,
                payload,
                &mut about.summary,
            );
            about.piece(at.cx.packet.frame, payload.len());
            about.lost = payload_len.saturating_sub(payload.len()) as u64;
            if self.tracks() {
                let mut text = track::Text::default();
                let frame = at.cx.packet.frame;
                let tell = &mut |place| text.place(place);
                at.cx
                    .records_of(frame, at.payload_offset(), payload.len(), tell);
                if about.lost > 0 {
                    text.lost(about.lost);
                }
                self.comments.push(text.finish());
            }
            if self.wire == Wire::Pdu {
                self.pdu(
                    at.cx,
                    &ends,
                    Transport::Udp,
                    None,
                    &about,
                    payload,
                    payload_len,
                );
                return;
            }
            if self.form.info {
                self.comments.push(about.text());
            }
        }
        let payload_of = Payload::cut(payload, payload_len);
        let headers = synthetic::udp(self.wire, &ends, &payload_of);
        self.record(at.cx, &headers, payload, &payload_of);
    }

    /// Writes an SCTP user message: one packet with one chunk, or a train of them from B to E. Where the capture has only a
    /// part of it, the last packet is cut.
    ///
    /// A train takes TSNs that were the message's own: those of the next message are never used before it.
    pub(crate) fn user_message(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        m: &UserMessage<'_>,
        protocol: &str,
    ) {
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
        let mut comment = None;
        if self.tells() {
            let mut about = About {
                protocol: protocol.to_owned(),
                acknowledged: Some(m.acknowledged.is_some()),
                ..About::default()
            };
            let kind = Kind::Other;
            summary(protocol, Transport::Sctp, kind, m.data, &mut about.summary);
            about.piece(m.frame, m.data.len());
            about.piece(cx.packet.frame, 0);
            about.lost = whole - have;
            if self.tracks() && self.wire == Wire::Pdu {
                self.comments.push(track::user_message(m, 0, clamp(whole)));
            }
            if self.wire == Wire::Pdu {
                let ppid = Some(m.ppid);
                self.pdu(
                    cx,
                    &ends,
                    Transport::Sctp,
                    ppid,
                    &about,
                    m.data,
                    clamp(whole),
                );
                return;
            }
            comment = self.form.info.then(|| about.text());
        }
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
            let pad = [0; 3];
            let pad = pad.get(..payload.len - data.len()).unwrap_or_default();
            if last {
                self.comments.extend(comment.take());
            }
            if self.tracks() {
                self.comments
                    .push(track::user_message(m, m.data.len() - rest.len(), len));
            }
            self.parts(cx, &headers, &payload, [data, pad]);
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
        let headers = synthetic::ip(self.wire, cx.packet.link, datagram);
        let headers = headers.as_slice();
        let mut front = std::mem::take(&mut self.header);
        front.clear();
        let link_type = if self.wire == Wire::Pdu {
            pdu::datagram(&mut front, cx.packet.frame);
            LinkType::WIRESHARK_UPPER_PDU
        } else {
            LinkType::RAW
        };
        let before = front.len() + headers.len();
        // What no reader takes is left out of a datagram that is longer than any.
        let data = datagram.payload;
        let data = data.get(..RECORD - before).unwrap_or(data);
        Self::count(cx, before + data.len());
        self.file.record_at_its_time(
            &cx.packet,
            link_type,
            before + datagram.payload_len,
            [&front, headers, data],
        );
        self.header = front;
    }

    /// The octets of a packet, of which `whole` there would be, had none been lost or left out.
    /// `sum`: that of `data`, where it is known.
    fn payload(&self, data: &[u8], whole: usize, sum: Option<Sum>) -> Payload {
        let large = self.form.large != Large::Split;
        match sum {
            Some(sum) if whole <= data.len() => Payload {
                len: data.len(),
                whole: data.len(),
                sum,
                large,
            },
            _ => Payload {
                large,
                ..Payload::cut(data, whole)
            },
        }
    }

    fn count(cx: &mut Context, octets: usize) {
        cx.counters.output.packets += 1;
        cx.counters.output.octets += octets as u64;
    }

    fn record(&mut self, cx: &mut Context, headers: &Headers, data: &[u8], payload: &Payload) {
        self.parts(cx, headers, payload, [data, &[]]);
    }

    fn parts(&mut self, cx: &mut Context, headers: &Headers, payload: &Payload, data: [&[u8]; 2]) {
        let len = headers.as_slice().len();
        Self::count(cx, len + payload.len);
        let [first, second] = data;
        self.file.record(
            &cx.packet,
            LinkType::RAW,
            len + payload.whole,
            [headers.as_slice(), first, second],
            &self.comments,
            0,
        );
        self.comments.clear();
    }

    /// Writes a message as a pdu of `whole` octets, of which `data` are there.
    #[allow(clippy::too_many_arguments)]
    fn pdu(
        &mut self,
        cx: &mut Context,
        ends: &Ends,
        transport: Transport,
        ppid: Option<u32>,
        about: &About,
        data: &[u8],
        whole: usize,
    ) {
        let mut header = std::mem::take(&mut self.header);
        let told = pdu::About {
            protocol: &about.protocol,
            transport,
            frame: cx.packet.frame,
            ppid,
            text: &about.summary,
        };
        pdu::header(&mut header, ends, &told);
        let data = data.get(..RECORD - header.len()).unwrap_or(data);
        Self::count(cx, header.len() + data.len());
        if self.form.info {
            self.comments.push(about.text());
        }
        self.file.record(
            &cx.packet,
            LinkType::WIRESHARK_UPPER_PDU,
            header.len() + whole,
            [&header, data, &[]],
            &self.comments,
            0,
        );
        self.comments.clear();
        self.header = header;
    }

    /// Lays the headers into the room in front of `pending` and writes both in one go.
    fn record_in_place(
        &mut self,
        cx: &mut Context,
        headers: &Headers,
        pending: &mut [u8],
        payload: &Payload,
    ) {
        let headers = headers.as_slice();
        let (captured, original) = (headers.len() + payload.len, headers.len() + payload.whole);
        let Some(record) = self.file.pcap_header(&cx.packet, captured, original) else {
            return;
        };
        Self::count(cx, captured);
        let begin = HEADROOM - headers.len() - record.len();
        if let Some(room) = pending.get_mut(begin..HEADROOM) {
            let (first, second) = room.split_at_mut(record.len());
            first.copy_from_slice(&record);
            second.copy_from_slice(headers);
        }
        self.file
            .out
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
        let print = FixedState::default().hash_one(flow.key.endpoints());
        if self.used.len() >= PORTS {
            return true;
        }
        let before = self.used.allocation_size();
        let used = !self.used.insert(print);
        cx.budget.resize(before, self.used.allocation_size());
        used
    }
}
