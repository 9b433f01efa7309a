//! RTMP in clear (Adobe's Real Time Messaging Protocol, version 1.0): a handshake of both sides, and then chunks. What is framed here are its
//! chunks; the messages that they make are put together in `rtmpt_messages.rs`.
//!
//! A chunk says only what has changed since the last one of its chunk stream, and how many octets of a message a chunk holds has been
//! agreed on before. So a chunk can be framed only by a reader that knows both. Behind a loss, and in the middle, the next header of a
//! message is looked for that says its length; the size of chunks shows in a message that does not fit into one, by the headers
//! between its parts.

use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::length::{number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use super::rtmpt_values::{Command, command};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::memchr_iter;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "rtmpt",
    aliases: &["rtmp"],
    about: "RTMP in clear (Adobe's specification 1.0)",
    ports: &[1935],
    result_last: true,
    transaction: Some(|_, m| transaction(m)),
    summary: Some(|_, m, out| summary(m, out)),
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &[
        "type",
        "timestamp",
        "message_stream",
        "command",
        "transaction",
        "argument",
    ],
    ..ProtocolRow::NONE
};

/// The version that C0 and S0 ask for (5.2.2).
const VERSION: u8 = 3;
/// Those of encrypted forms (RTMPE): a handshake of the same parts, and behind it nothing that anybody can read.
const ENCRYPTED: [u8; 3] = [6, 8, 9];
/// Octets of C0 and C1, which a client sends at once, and of S0 and S1.
pub(super) const FIRST: usize = 1 + SECOND;
/// Octets of C1 and C2, S1 and S2 (5.2.3).
pub(super) const SECOND: usize = 1536;
/// Octets of a message in a chunk, unless the sender has said otherwise (5.4.1).
const CHUNK: u32 = 128;
/// Chunk streams of a direction that are known at once.
// Senders use fewer than ten.
const CHUNK_STREAMS: usize = 16;
/// Octets of a chunk's header, at most: three of the basic header, eleven, and four of a timestamp.
const HEADER: usize = 18;

/// Sets the size of chunks (5.4.1); takes a message back of which there are some chunks (5.4.2).
pub(super) const SET_CHUNK_SIZE: u8 = 1;
pub(super) const ABORT: u8 = 2;
const ACKNOWLEDGEMENT: u8 = 3;
const USER_CONTROL: u8 = 4;
const WINDOW: u8 = 5;
const PEER_BANDWIDTH: u8 = 6;
const VIDEO: u8 = 9;
const AMF3_DATA: u8 = 15;
const AMF3_COMMAND: u8 = 17;
const AMF0_DATA: u8 = 18;
const AMF0_COMMAND: u8 = 20;
/// Stands for a part of the handshake in what sums it up: no message has this type.
pub(super) const HANDSHAKE: u8 = 0;

/// The types of messages (5.4, 7.1).
const TYPES: &[(u64, &str)] = &[
    (1, "Set Chunk Size"),
    (2, "Abort Message"),
    (3, "Acknowledgement"),
    (4, "User Control Message"),
    (5, "Window Acknowledgement Size"),
    (6, "Set Peer Bandwidth"),
    (8, "Audio Data"),
    (9, "Video Data"),
    (15, "AMF3 Data"),
    (16, "AMF3 Shared Object"),
    (17, "AMF3 Command"),
    (18, "AMF0 Data"),
    (19, "AMF0 Shared Object"),
    (20, "AMF0 Command"),
    (22, "Aggregate"),
];

/// The parts of the handshake, as they are sent.
const PARTS: [&str; 9] = [
    "Handshake C0+C1",
    "Handshake S0+S1",
    "Handshake C2",
    "Handshake S2",
    "Handshake C0+C1 (RTMPE)",
    "Handshake S0+S1 (RTMPE)",
    "Handshake C2 (RTMPE)",
    "Handshake S2 (RTMPE)",
    "Encrypted (RTMPE)",
];
/// Those of the handshake: the same of an encrypted form stand behind them.
pub(super) const OPEN_PARTS: u8 = 4;
/// What follows the handshake of an encrypted form.
pub(super) const CIPHERTEXT: u8 = 8;

/// User control messages (7.1.7), and those that servers send beyond the specification.
const EVENTS: &[(u64, &str)] = &[
    (0, "Stream Begin"),
    (1, "Stream EOF"),
    (2, "Stream Dry"),
    (3, "Set Buffer Length"),
    (4, "Stream Is Recorded"),
    (6, "Ping Request"),
    (7, "Ping Response"),
    (31, "Buffer Empty"),
    (32, "Buffer Ready"),
];

/// How a peer takes the bandwidth (5.4.5).
const LIMITS: &[(u64, &str)] = &[(0, "Hard"), (1, "Soft"), (2, "Dynamic")];

fn is_type(kind: u8) -> bool {
    TYPES.iter().any(|(n, _)| *n == u64::from(kind))
}

/// What a direction has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RtmpPhase {
    /// Nothing was sent.
    #[default]
    First,
    /// The second part of the handshake comes next.
    Second,
    /// Chunks.
    Chunks,
    /// What nobody can read, to the end.
    Encrypted,
}

impl RtmpPhase {
    /// What follows it; `encrypted`: both sides have agreed on that.
    pub(super) const fn next(self, encrypted: bool) -> Self {
        match self {
            Self::First => Self::Second,
            _ if encrypted => Self::Encrypted,
            Self::Second | Self::Chunks | Self::Encrypted => Self::Chunks,
        }
    }
}

/// The version of C0 or S0 is one of an encrypted form.
pub(super) fn is_encrypted(version: u8) -> bool {
    ENCRYPTED.contains(&version)
}

/// Both sides have agreed on an encrypted form: what each has said of that, as far as it was seen.
pub(super) fn agreed([one, other]: [Option<bool>; 2]) -> bool {
    one.or(other) == Some(true) && other.or(one) == Some(true)
}

/// The header of a chunk (5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    /// Chunk stream.
    pub(super) stream: u32,
    /// What it repeats: 0 nothing, 3 all.
    pub(super) format: u8,
    /// Octets of it.
    pub(super) len: usize,
    /// Of a message that begins: its timestamp, or how much later it is than the one before.
    pub(super) time: u32,
    /// Its length and type, where they stand here.
    message: Option<(u32, u8)>,
    /// Its message stream, where that stands here.
    message_stream: Option<u32>,
    /// Its timestamp has four octets of its own.
    extended: bool,
}

/// A chunk stream of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkStream {
    number: u32,
    /// Octets of its last message, its type, and its message stream.
    pub(super) len: u32,
    pub(super) kind: u8,
    pub(super) message_stream: u32,
    /// Octets of the open message that are to come.
    pub(super) left: u32,
    /// Its chunks have a longer timestamp.
    extended: bool,
    /// The timestamp of its last message, and how much later the next one is.
    pub(super) time: u32,
    step: u32,
    /// Chunks of it may be missing: what it repeats may have been said anew.
    doubtful: bool,
}

/// The chunk streams of one direction, the one used last at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkStreams(Vec<ChunkStream>);

impl ChunkStreams {
    fn get(&self, number: u32) -> Option<&ChunkStream> {
        self.0.iter().rev().find(|s| s.number == number)
    }

    /// Reads a header; the inner None: it needs more octets. None: none stands there.
    pub(super) fn header(&self, octets: &[u8]) -> Option<Option<ChunkHeader>> {
        let Some(first) = octets.first() else {
            return Some(None);
        };
        let format = first >> 6;
        let basic = match first & 0x3f {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        if octets.len() < basic {
            return Some(None);
        }
        // 5.3.1.1: the third octet counts 256.
        let stream = match first & 0x3f {
            0 => u32::from(octets[1]) + 64,
            1 => u32::from(octets[2]) * 256 + u32::from(octets[1]) + 64,
            n => u32::from(n),
        };
        let known = self.get(stream);
        if known.is_none() && format > 1 {
            return None;
        }
        let own = [11, 7, 3, 0][usize::from(format)];
        let mut len = basic + own;
        if octets.len() < len {
            return Some(None);
        }
        let three = |at| u32::try_from(number(octets, basic + at, 3)).unwrap_or(0);
        let extended = match format {
            3 => known.is_some_and(|s| s.extended),
            _ => three(0) == 0xff_ffff,
        };
        let mut time = if format < 3 { three(0) } else { 0 };
        if extended {
            len += 4;
            if octets.len() < len {
                return Some(None);
            }
            time = u32::try_from(number(octets, len - 4, 4)).unwrap_or(0);
        }
        let message = (format < 2).then(|| (three(3), octets[basic + 6]));
        if message.is_some_and(|(_, kind)| !is_type(kind)) {
            return None;
        }
        // The only number whose least significant octet comes first.
        let place = octets.get(basic + 7..basic + 11).filter(|_| format == 0);
        let message_stream = place.map(|o| o.iter().rev().fold(0, |n, o| n << 8 | u32::from(*o)));
        Some(Some(ChunkHeader {
            stream,
            format,
            len,
            time,
            message,
            message_stream,
            extended,
        }))
    }

    /// Octets that are to come of the message of a chunk with this header, itself included, and whether it begins one.
    fn left(&self, header: &ChunkHeader) -> (u32, bool) {
        let known = self.get(header.stream);
        let open = known.map_or(0, |s| s.left);
        // Some senders repeat a part of the header in the middle of a message: only what has a length of its own begins one there.
        let begins = open == 0 || header.format < 2;
        let len = header.message.map(|(len, _)| len);
        match begins {
            true => (len.or(known.map(|s| s.len)).unwrap_or(0), true),
            false => (open, false),
        }
    }

    /// Forgets the chunk stream that was used longest ago, where there is no room for that of this header: its number.
    pub(super) fn make_room(&mut self, header: &ChunkHeader) -> Option<u32> {
        let full = self.0.len() >= CHUNK_STREAMS && !self.knows(header.stream);
        full.then(|| self.0.remove(0).number)
    }

    /// A chunk with this header comes: its stream, with the octets that are left of its message. `begins`: it is the first of one.
    pub(super) fn take(&mut self, header: &ChunkHeader) -> (&mut ChunkStream, bool) {
        let (left, begins) = self.left(header);
        let place = self.0.iter().rposition(|s| s.number == header.stream);
        let mut stream = match place {
            Some(place) => self.0.remove(place),
            None => ChunkStream {
                number: header.stream,
                len: 0,
                kind: 0,
                message_stream: 0,
                left: 0,
                extended: false,
                time: 0,
                step: 0,
                doubtful: false,
            },
        };
        if begins {
            if let Some((len, kind)) = header.message {
                (stream.len, stream.kind) = (len, kind);
            }
            stream.message_stream = header.message_stream.unwrap_or(stream.message_stream);
            match header.format {
                0 => (stream.time, stream.step) = (header.time, 0),
                3 => stream.time = stream.time.wrapping_add(stream.step),
                _ => {
                    stream.step = header.time;
                    stream.time = stream.time.wrapping_add(header.time);
                }
            }
            stream.extended = header.extended;
        }
        stream.left = left;
        stream.doubtful &= header.format > 1;
        self.0.push(stream);
        let last = self.0.len() - 1;
        (&mut self.0[last], begins)
    }

    /// What is open of a message is taken back.
    pub(super) fn forget(&mut self, number: u32) {
        if let Some(stream) = self.0.iter_mut().find(|s| s.number == number) {
            stream.left = 0;
        }
    }

    /// The chunk stream is among those that are known.
    pub(super) fn knows(&self, number: u32) -> bool {
        self.get(number).is_some()
    }

    /// Chunks may be missing of any of them.
    fn doubt(&mut self) {
        for stream in &mut self.0 {
            stream.doubtful = true;
        }
    }

    /// None of their chunks is missing.
    fn believe(&mut self) {
        for stream in &mut self.0 {
            stream.doubtful = false;
        }
    }

    pub(super) fn size(&self) -> usize {
        self.0.capacity() * size_of::<ChunkStream>()
    }
}

/// How many octets of a message a chunk holds, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ChunkSize {
    /// So many.
    Known(u32),
    /// At least so many: messages of this length came in one chunk each.
    AtLeast(u32),
}

/// Sizes that senders set, in order: those of the specification, of librtmp, OBS, ffmpeg, nginx and others.
const SIZES: &[u32] = &[
    128, 256, 512, 1000, 1024, 1400, 1448, 1460, 1500, 2000, 2048, 3000, 4000, 4096, 5000, 5120,
    6000, 8000, 8192, 10_000, 10_240, 16_000, 16_384, 20_000, 30_000, 32_000, 32_768, 40_000,
    50_000, 60_000, 64_000, 65_000, 65_535, 65_536, 100_000, 128_000, 131_072,
];

/// Octets that may have to be held to tell how large chunks are, or where they begin: two of the largest that are usual.
// With half of it, the middle of a stream of ffmpeg, whose chunks have 60,000 octets, would often not be found.
const HOLD: usize = 128 << 10;
/// Bits of headers in a row that prove that the first of them is one: there may be a million octets among which it is looked for.
const PROOF: u32 = 36;
/// Bits that the first of them proves, where it does not stand where a segment begins: what a header of the shortest form that says a
/// length does beside octets among which it is seldom.
const ALONE: u32 = 6;
/// A header where a segment begins is worth so many.
const AT_A_SEGMENT: u32 = 5;
/// Headers in a row that are looked at.
const LONGEST_CHAIN: usize = 8;
/// Bits of headers behind a chunk that prove how long it is, where it has one of a few dozen lengths.
const PROOF_OF_SIZE: u32 = 14;
/// A chunk that ends with the octets at hand is worth so many.
const AT_THE_END: u32 = 8;
/// Octets of a message that is looked for.
const LONGEST: u32 = 8 << 20;
/// Octets beside a header that tell how seldom its first one is met.
const BESIDE: usize = 1024;

/// Bits that an octet proves where a header is expected: as seldom as it is met in the content beside it. Content may be made of octets
/// that headers have.
fn rarity(octet: u8, beside: &[u8]) -> u32 {
    let beside = &beside[..beside.len().min(BESIDE)];
    let met = memchr_iter(octet, beside).count();
    // As if it had been met a quarter of a time in 64 others: little content tells little.
    ((4 * beside.len() + 256) / (4 * met + 1)).ilog2().min(8)
}

/// One direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ChunkSide {
    phase: RtmpPhase,
    /// What the frame was that began last.
    began: RtmpPhase,
    size: ChunkSize,
    /// The sender has said so.
    said: bool,
    streams: ChunkStreams,
}

impl Default for ChunkSide {
    fn default() -> Self {
        Self {
            phase: RtmpPhase::First,
            began: RtmpPhase::First,
            size: ChunkSize::Known(CHUNK),
            said: false,
            streams: ChunkStreams::default(),
        }
    }
}

/// Frames a connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rtmpt {
    sides: [ChunkSide; 2],
    /// The direction of the client, whose part of the handshake comes first.
    client: Option<Direction>,
    /// By direction: its version is one of an encrypted form.
    encrypted: [Option<bool>; 2],
}

impl Rtmpt {
    /// What each direction has come to ahead of the frame that began last.
    pub(super) fn began(&self) -> [RtmpPhase; 2] {
        [self.sides[0].began, self.sides[1].began]
    }

    /// Where the handshake was seen, the direction of the client.
    pub(super) const fn client(&self) -> Option<Direction> {
        self.client
    }
}

/// What a look at a chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkLook {
    /// Octets of its header and of its content.
    Chunk(usize, u32),
    More,
    No,
}

impl ChunkSide {
    /// The chunk that stands at `octets`.
    fn look(&self, octets: &[u8], more: bool) -> ChunkLook {
        let header = match self.streams.header(octets) {
            Some(Some(header)) => header,
            Some(None) if more => return ChunkLook::More,
            _ => return ChunkLook::No,
        };
        let (left, begins) = self.streams.left(&header);
        let known = self.streams.get(header.stream);
        if header.format > 1 && known.is_some_and(|s| s.doubtful) {
            return match self.goes_on(&header, left, begins, octets, more) {
                Sized::By(size) => ChunkLook::Chunk(header.len, size),
                Sized::More => ChunkLook::More,
                Sized::No => ChunkLook::No,
            };
        }
        match self.size {
            ChunkSize::Known(size) => ChunkLook::Chunk(header.len, left.min(size)),
            ChunkSize::AtLeast(least) if left <= least => ChunkLook::Chunk(header.len, left),
            // Of a message whose beginning is not there, nobody knows where its chunks end.
            ChunkSize::AtLeast(_) if !begins => ChunkLook::No,
            ChunkSize::AtLeast(least) => match self.size_of(&header, left, least, octets, more) {
                Sized::By(size) => ChunkLook::Chunk(header.len, size),
                Sized::More => ChunkLook::More,
                Sized::No => ChunkLook::No,
            },
        }
    }

    /// How much a chunk holds of a message that was open when chunks were lost: as much as fits, or what is left for its last one. What
    /// stands behind it tells.
    fn goes_on(
        &self,
        header: &ChunkHeader,
        left: u32,
        begins: bool,
        octets: &[u8],
        more: bool,
    ) -> Sized {
        let ChunkSize::Known(size) = self.size else {
            return Sized::No;
        };
        if begins || left <= size {
            return Sized::No;
        }
        let more = more && octets.len() < HOLD;
        let behind = |len: u32| {
            let at = header.len + usize::try_from(len).unwrap_or(usize::MAX);
            let rest = octets.get(at..).unwrap_or_default();
            let before = octets.get(header.len..at.min(octets.len()));
            let mut side = self.clone();
            side.streams.believe();
            side.take(octets, len);
            if len < size {
                side.streams.forget(header.stream);
            }
            let proof = (PROOF - PROOF_OF_SIZE, 0);
            side.chains(rest, before.unwrap_or_default(), proof, more)
        };
        let last = match left % size {
            0 => Probe::No,
            last => behind(last),
        };
        match (behind(size), last) {
            (Probe::Yes, Probe::No) => Sized::By(size),
            (Probe::No, Probe::Yes) => Sized::By(left % size),
            (Probe::More, _) | (_, Probe::More) => Sized::More,
            _ => Sized::No,
        }
    }

    /// Takes the chunk that was looked at.
    fn take(&mut self, octets: &[u8], content: u32) {
        let Some(Some(header)) = self.streams.header(octets) else {
            return;
        };
        self.streams.make_room(&header);
        let (state, begins) = self.streams.take(&header);
        let (len, kind) = (state.len, state.kind);
        if let ChunkSize::AtLeast(least) = self.size
            && begins
        {
            self.size = if content < len {
                ChunkSize::Known(content)
            } else {
                ChunkSize::AtLeast(least.max(len))
            };
        }
        state.left = state.left.saturating_sub(content);
        if begins && len == 4 && content == 4 {
            let value = octets.get(header.len..).and_then(|o| o.first_chunk());
            let value = value.map(|o| u32::from_be_bytes(*o));
            match (kind, value) {
                (SET_CHUNK_SIZE, Some(size)) => {
                    (self.size, self.said) = (ChunkSize::Known((size & 0x7fff_ffff).max(1)), true);
                }
                // What it says is lost.
                (SET_CHUNK_SIZE, None) => {
                    (self.size, self.said) = (ChunkSize::AtLeast(0), false);
                }
                (ABORT, Some(number)) => self.streams.forget(number),
                _ => {}
            }
        }
    }

    /// Headers in a row, so many that they are not chance. `before`: what stands ahead of the first of them, which has to prove
    /// `alone` bits itself, as those behind it may be headers where it is none.
    fn chains<'a>(
        &self,
        octets: &'a [u8],
        mut before: &'a [u8],
        (mut proof, alone): (u32, u32),
        more: bool,
    ) -> Probe {
        let mut side = self.clone();
        let mut at = 0;
        for _ in 0..LONGEST_CHAIN {
            let rest = octets.get(at..).unwrap_or_default();
            if rest.is_empty() {
                let ends = at == octets.len() && proof + AT_THE_END >= PROOF;
                return match more {
                    true if octets.len() < HOLD => Probe::More,
                    _ if ends => Probe::Yes,
                    _ => Probe::No,
                };
            }
            match side.look(rest, more) {
                ChunkLook::Chunk(header, content) => {
                    let content_len = usize::try_from(content).unwrap_or(usize::MAX);
                    let body = rest.get(header..).unwrap_or_default();
                    let body = &body[..body.len().min(content_len)];
                    let Some(bits) = side.proof(rest, header, content) else {
                        return Probe::No;
                    };
                    let seldom = rarity(rest[0], before).min(rarity(rest[0], body));
                    // One for the choice that chance has among the headers that could stand there.
                    let bits = (bits * seldom / 8).saturating_sub(1);
                    if at == 0 && bits < alone {
                        return Probe::No;
                    }
                    proof += bits;
                    if proof >= PROOF {
                        return Probe::Yes;
                    }
                    side.take(rest, content);
                    at += header + content_len;
                    before = body;
                }
                ChunkLook::More if octets.len() < HOLD => return Probe::More,
                ChunkLook::More | ChunkLook::No => return Probe::No,
            }
        }
        Probe::No
    }

    /// How many bits of a header that senders write, and of the beginning of its content, are as they should be; None where some are not.
    fn proof(&self, octets: &[u8], header: usize, content: u32) -> Option<u32> {
        let read = self.streams.header(octets)??;
        let known = self.streams.get(read.stream);
        if read.format == 3 && known.is_some_and(|s| s.left > 0) {
            return Some(8);
        }
        let (len, kind) = read.message.or(known.map(|s| (s.len, s.kind)))?;
        // Streams are numbered from 1, and most connections have one.
        let stream = read.message_stream.is_none_or(|n| n <= 0xff);
        if !stream || read.stream < 2 || len == 0 || len > LONGEST {
            return None;
        }
        let body = octets.get(header..).unwrap_or_default();
        let body = &body[..body.len().min(usize::try_from(content).unwrap_or(0))];
        let again = known.is_some_and(|s| s.kind == kind);
        let of_header = match read.format {
            // Zeros are met more often than other octets.
            0 => 4 + 16,
            1 => 7 + if again { 6 } else { 0 },
            _ => 4,
        };
        Some(of_header + begins_well(kind, len, body)?)
    }

    /// How much of a message of `left` octets its first chunk holds, where that is more than `least`: with the right size of chunks
    /// headers follow it where they should. Where they do with two sizes nothing is known.
    fn size_of(
        &self,
        header: &ChunkHeader,
        left: u32,
        least: u32,
        octets: &[u8],
        more: bool,
    ) -> Sized {
        if left > LONGEST {
            return Sized::No;
        }
        let more = more && octets.len() < HOLD;
        let sizes = SIZES.iter().copied().filter(|s| *s > least && *s < left);
        let mut found = None;
        for size in sizes.chain([left]) {
            let mut side = self.clone();
            side.size = ChunkSize::Known(size);
            side.take(octets, size);
            let at = header.len + usize::try_from(size).unwrap_or(usize::MAX);
            let behind = octets.get(at..).unwrap_or_default();
            let before = octets.get(header.len..at.min(octets.len()));
            let before = before.unwrap_or_default();
            match side.chains(behind, before, (PROOF - PROOF_OF_SIZE, 0), more) {
                Probe::Yes if found.is_some() => return Sized::No,
                Probe::Yes => found = Some(size),
                // This one may do, and so may a larger one.
                Probe::More if found.is_none() => return Sized::More,
                Probe::More | Probe::No => {}
            }
        }
        found.map_or(Sized::No, Sized::By)
    }

    /// The message at `octets` may be the first of a chain: cheap, for each octet of a search.
    fn may_begin(&self, octets: &[u8]) -> bool {
        let first = octets[0];
        match first >> 6 {
            // One of the chunk streams that do not need a second octet.
            0 => {
                first >= 2
                    && octets.get(7).is_none_or(|kind| is_type(*kind))
                    && octets.get(9..12).is_none_or(|high| high == [0, 0, 0])
            }
            1 => first & 0x3f >= 2 && octets.get(7).is_none_or(|kind| is_type(*kind)),
            // Without a length of its own: only what is known to be open can go on.
            3 => {
                let stream = u32::from(first & 0x3f);
                let open = self.streams.get(stream).is_some_and(|s| s.left > 0);
                open && matches!(self.size, ChunkSize::Known(_))
            }
            _ => false,
        }
    }
}

/// The content of a message begins as its type asks for, as far as it is there: so many bits; None where it does not.
fn begins_well(kind: u8, len: u32, body: &[u8]) -> Option<u32> {
    let first = body.first().copied();
    let is = |good: fn(u8) -> bool, bits| match first.map(good) {
        Some(true) => Some(bits),
        Some(false) => None,
        None => Some(0),
    };
    match kind {
        SET_CHUNK_SIZE if len == 4 => is(|o| o >> 7 == 0, 20),
        ABORT | ACKNOWLEDGEMENT | WINDOW if len == 4 => Some(20),
        PEER_BANDWIDTH if len == 5 => Some(20),
        USER_CONTROL if (6..=10).contains(&len) => is(|o| o == 0, 20),
        SET_CHUNK_SIZE..=PEER_BANDWIDTH => None,
        // The kind of frame and its codec (FLV, E.4.3.1; the enhanced form has the highest bit).
        VIDEO => is(
            |o| o >> 7 != 0 || (1..=5).contains(&(o >> 4)) && (2..=13).contains(&(o & 0xf)),
            1,
        ),
        AMF0_DATA | AMF0_COMMAND => is(|o| o == 2, 8),
        AMF3_COMMAND | AMF3_DATA => is(|o| o == 0 || o == 2, 7),
        _ => Some(0),
    }
}

/// What is found out of the size of chunks.
enum Sized {
    /// The first chunk has so many octets.
    By(u32),
    More,
    No,
}

/// Recognises it by its handshake, which begins with a version, a time, and four octets that are zero or a version of the program.
pub(crate) struct RtmptDetector;

/// Octets of the handshake of one side, all of it.
const WHOLE: usize = FIRST + SECOND;

impl Detector for RtmptDetector {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        if octets[0] != VERSION && !(hinted && is_encrypted(octets[0])) {
            return Probe::No;
        }
        if octets.len() < 9 {
            // Without a port it is not worth to wait for what begins as so much else does.
            let zeros = octets.get(5..).unwrap_or_default().iter().all(|o| *o == 0);
            return if hinted || octets.len() >= 6 && zeros {
                Probe::More
            } else {
                Probe::No
            };
        }
        if hinted && octets[0] == VERSION {
            return Probe::Yes;
        }
        if hinted {
            // The version of the program, from Flash 9 on, or the form in which an encrypted connection has it.
            let version = matches!(octets[5], 1..=32 | 0x80);
            return if version { Probe::Yes } else { Probe::No };
        }
        match octets[5..9] {
            // A version of Flash, of its servers, of ffmpeg or nginx: four numbers, the first of which is no zero.
            [0, 0, 0, 0] => {}
            [1..=32, _, _, _] => {}
            _ => return Probe::No,
        }
        match octets.get(WHOLE..) {
            None => Probe::More,
            Some(behind) => {
                let side = ChunkSide::default();
                match side.look(behind, true) {
                    ChunkLook::Chunk(header, content)
                        if side.proof(behind, header, content).is_some() =>
                    {
                        Probe::Yes
                    }
                    ChunkLook::More => Probe::More,
                    ChunkLook::Chunk(..) | ChunkLook::No => Probe::No,
                }
            }
        }
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        if !hinted {
            return Found::Nowhere { keep: octets.len() };
        }
        search(&middle(), octets, |_| false, more)
    }

    fn searches(&self, hinted: bool) -> bool {
        hinted
    }

    fn settles(&self, octets: &[u8], _: bool, _: DoubtEnds) -> bool {
        // One side has sent its part, and waits for the other.
        octets.len() == WHOLE || octets.len() == FIRST
    }

    fn needs(&self, octets: &[u8], _: bool) -> usize {
        match octets.len() {
            0..9 => 9,
            n if n < FIRST => FIRST,
            n if n < WHOLE => WHOLE,
            n => n + 1,
        }
    }

    fn reads_lines(&self) -> bool {
        false
    }
}

/// A direction of which nothing is known.
fn middle() -> ChunkSide {
    ChunkSide {
        phase: RtmpPhase::Chunks,
        began: RtmpPhase::Chunks,
        size: ChunkSize::AtLeast(0),
        ..ChunkSide::default()
    }
}

/// Where the next chunk begins that others follow. `aligned`: a segment begins there.
fn search(side: &ChunkSide, octets: &[u8], aligned: impl Fn(usize) -> bool, more: bool) -> Found {
    for at in 0..octets.len() {
        if !side.may_begin(&octets[at..]) {
            continue;
        }
        let proof = match aligned(at) {
            true => (AT_A_SEGMENT, 0),
            false => (0, ALONE),
        };
        let before = &octets[at.saturating_sub(BESIDE)..at];
        match side.chains(&octets[at..], before, proof, more) {
            Probe::Yes => return Found::At(at),
            Probe::More => return Found::Nowhere { keep: at },
            Probe::No => {}
        }
    }
    Found::Nowhere { keep: octets.len() }
}

impl Framer for Rtmpt {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let side = &mut self.sides[at.direction.index()];
        let handshake = match side.phase {
            RtmpPhase::First if octets[0] == VERSION || is_encrypted(octets[0]) => {
                self.encrypted[at.direction.index()] = Some(is_encrypted(octets[0]));
                Some(FIRST)
            }
            RtmpPhase::First => return Begin::Refuse,
            RtmpPhase::Second => Some(SECOND),
            RtmpPhase::Encrypted => {
                side.began = side.phase;
                return Begin::Message {
                    kind: Kind::Other,
                    head: octets.len(),
                    body: MessageBody::ToClose,
                    hand_over: false,
                };
            }
            RtmpPhase::Chunks => None,
        };
        if let Some(len) = handshake {
            if self.client.is_none() {
                let waits = |port| PROTOCOL.ports.contains(&port);
                let by_port = waits(at.ports.0) != waits(at.ports.1);
                let answers = at.ack.is_some_and(|ack| ack > at.other.origin);
                let server = if by_port { waits(at.ports.0) } else { answers };
                self.client = Some(match server {
                    true => at.direction.flip(),
                    false => at.direction,
                });
            }
            side.began = side.phase;
            side.phase = side.phase.next(agreed(self.encrypted));
            return Begin::Message {
                kind: Kind::Other,
                head: 1,
                body: MessageBody::Octets(len as u64 - 1),
                hand_over: false,
            };
        }
        let more = at.next == Following::Octets && !at.late;
        let (header, content) = match side.look(octets, more) {
            ChunkLook::Chunk(header, content) => (header, content),
            ChunkLook::More => return Begin::NeedMore,
            ChunkLook::No => return Begin::Refuse,
        };
        let len = header + usize::try_from(content).unwrap_or(usize::MAX);
        // What sets something is needed whole.
        if content <= 8 && octets.len() < len && more {
            return Begin::NeedMore;
        }
        side.take(octets, content);
        side.began = RtmpPhase::Chunks;
        let head = octets.len().min(len);
        Begin::Message {
            kind: Kind::Other,
            head,
            body: MessageBody::Octets((len - head) as u64),
            hand_over: false,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let side = &self.sides[at.direction.index()];
        if side.phase == RtmpPhase::Encrypted {
            return Found::At(0);
        }
        let more = at.next == Following::Octets && !at.late;
        search(side, octets, |behind| at.segment(behind), more)
    }

    fn needs(&self, octets: &[u8]) -> usize {
        octets.len() + HEADER
    }

    fn reads_lines(&self) -> bool {
        false
    }

    fn gap(&mut self, direction: Direction) {
        let side = &mut self.sides[direction.index()];
        if !side.said {
            // Nearly all senders set it, and this may be what is lost; or it was found in another way, which does not hold.
            side.size = ChunkSize::AtLeast(0);
        }
        side.streams.doubt();
        let phase = RtmpPhase::Second.next(agreed(self.encrypted));
        (side.phase, side.began) = (phase, phase);
    }

    fn size(&self) -> usize {
        self.sides.iter().map(|side| side.streams.size()).sum()
    }
}

/// A message as it is summed up: the header of a chunk that says all of it, and its first octets.
struct Shown<'a> {
    kind: u8,
    len: u32,
    time: u32,
    message_stream: u32,
    body: &'a [u8],
}

/// What stands in front of the octets of a message that was put together: the header of a chunk that has all of it.
pub(super) fn header_of(stream: u32, of: &ChunkStream) -> Vec<u8> {
    let mut head = match stream.checked_sub(64) {
        None => vec![u8::try_from(stream).unwrap_or(2)],
        Some(n) if n < 256 => vec![0, n.to_le_bytes()[0]],
        Some(n) => vec![1, n.to_le_bytes()[0], n.to_le_bytes()[1]],
    };
    let long = of.time >= 0xff_ffff;
    let time = if long { 0xff_ffff } else { of.time };
    head.extend_from_slice(&time.to_be_bytes()[1..]);
    head.extend_from_slice(&of.len.to_be_bytes()[1..]);
    head.push(of.kind);
    head.extend_from_slice(&of.message_stream.to_le_bytes());
    if long {
        head.extend_from_slice(&of.time.to_be_bytes());
    }
    head
}

/// The same of a part of the handshake, or of what is encrypted, with its number among [`PARTS`].
pub(super) fn header_of_part(part: u8) -> [u8; 12] {
    [2, 0, 0, 0, 0, 0, 0, HANDSHAKE, part, 0, 0, 0]
}

fn part_name(m: &[u8]) -> Option<&'static str> {
    let [2, 0, 0, 0, 0, 0, 0, HANDSHAKE, part, 0, 0, 0] = m.first_chunk::<12>()? else {
        return None;
    };
    PARTS.get(usize::from(*part)).copied()
}

fn shown(m: &[u8]) -> Option<Shown<'_>> {
    let header = ChunkStreams::default().header(m)??;
    let (len, kind) = header.message?;
    Some(Shown {
        kind,
        len,
        time: header.time,
        message_stream: header.message_stream?,
        body: m.get(header.len..)?,
    })
}

impl Shown<'_> {
    fn number(&self, at: usize, width: usize) -> u64 {
        number(self.body, at, width)
    }

    fn command(&self) -> Option<Command<'_>> {
        match self.kind {
            AMF0_COMMAND | AMF0_DATA => command(self.body),
            // What follows the first octet is AMF0 all the same.
            AMF3_COMMAND | AMF3_DATA => command(self.body.strip_prefix(&[0]).unwrap_or(self.body)),
            _ => None,
        }
    }
}

/// The kind of a message: commands that are answered, and their answers.
pub(super) fn kind(m: &[u8]) -> Kind {
    let message = shown(m);
    let command = message.as_ref().and_then(Shown::command);
    match command {
        Some(command) if command.is_answer() => Kind::Response,
        Some(command) if command.transaction.is_some_and(|n| n > 0) => Kind::Request,
        _ => Kind::Other,
    }
}

/// What an answer repeats (7.2.1).
fn transaction(m: &[u8]) -> Option<u64> {
    shown(m)?.command()?.transaction.filter(|n| *n > 0)
}

fn fields(m: &[u8], to: &mut MessageFields) {
    if let Some(part) = part_name(m) {
        to.text("type", part.as_bytes());
        return;
    }
    let Some(message) = shown(m) else { return };
    to.write("type", |out| named_number(TYPES, message.kind.into(), out));
    to.number("timestamp", message.time.into());
    to.number("message_stream", message.message_stream.into());
    if let Some(command) = message.command() {
        to.text("command", command.name);
        if let Some(n) = command.transaction {
            to.number("transaction", n);
        }
        to.text_if("argument", command.argument);
    }
}

/// As tshark has it: the command with what it is about, else the type with its numbers.
fn summary(m: &[u8], out: &mut String) -> bool {
    if let Some(part) = part_name(m) {
        out.push_str(part);
        return true;
    }
    let Some(message) = shown(m) else {
        // A chunk that goes on, or a part of the handshake, as it was sent.
        match octet(m, 0) >> 6 {
            0 => out.push_str("Handshake"),
            _ => {
                let _ = write!(out, "chunk of stream {}", octet(m, 0) & 0x3f);
            }
        }
        return true;
    };
    if let Some(command) = message.command() {
        escape(command.name, out);
        out.push('(');
        if let Some(argument) = command.argument {
            out.push('\'');
            escape(argument, out);
            out.push('\'');
        }
        out.push(')');
        return true;
    }
    if message.kind == USER_CONTROL {
        let event = message.number(0, 2);
        match EVENTS.iter().any(|(n, _)| *n == event) {
            true => named_number(EVENTS, event, out),
            false => {
                let _ = write!(out, "User Control Message {event:#x}");
            }
        }
        match (event, message.body.len()) {
            (3, 10..) => {
                let (stream, time) = (message.number(2, 4), message.number(6, 4));
                let _ = write!(out, " {stream},{time}ms");
            }
            (_, 6..) => {
                let _ = write!(out, " {}", message.number(2, 4));
            }
            _ => {}
        }
        return true;
    }
    named_number(TYPES, message.kind.into(), out);
    match message.kind {
        SET_CHUNK_SIZE | ABORT | ACKNOWLEDGEMENT | WINDOW | PEER_BANDWIDTH
            if message.body.len() >= 4 =>
        {
            let _ = write!(out, " {}", message.number(0, 4));
            if message.kind == PEER_BANDWIDTH && message.len > 4 && message.body.len() > 4 {
                out.push(',');
                named_number(LIMITS, message.number(4, 1), out);
            }
        }
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;
    use crate::base::flow::Transport;

    /// A message in chunks of this size, the first with a header of format 0, or 1.
    fn message(format: u8, stream: u8, kind: u8, body: &[u8], size: usize) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        let mut out = vec![format << 6 | stream, 0, 0, 9];
        out.extend(&len[1..]);
        out.push(kind);
        out.extend(&[1, 0, 0, 0][..if format == 0 { 4 } else { 0 }]);
        for (n, part) in body.chunks(size).enumerate() {
            out.extend(&[0xc0 | stream][..usize::from(n > 0)]);
            out.extend(part);
        }
        out
    }

    #[test]
    fn headers_repeat_what_stood_before() {
        let mut streams = ChunkStreams::default();
        let read = |streams: &ChunkStreams, octets: &[u8]| streams.header(octets).flatten();
        assert_eq!(streams.header(&[0xc3]), None, "a stream that nobody knows");
        assert_eq!(streams.header(&[3, 0, 0]), Some(None));
        let first = message(0, 3, VIDEO, &[0x17; 300], 128);
        let header = read(&streams, &first).unwrap();
        assert_eq!((header.stream, header.len, header.time), (3, 12, 9));
        let (stream, begins) = streams.take(&header);
        assert_eq!((stream.left, stream.kind, begins), (300, VIDEO, true));
        stream.left -= 128;
        let header = read(&streams, &[0xc3]).unwrap();
        let (stream, begins) = streams.take(&header);
        assert_eq!((stream.left, begins), (172, false));
        stream.left = 0;
        // Then it begins another message, as long as the one before.
        let (stream, begins) = streams.take(&header);
        assert_eq!((stream.left, begins), (300, true));
        // Numbers of streams in two octets and in three.
        let body = [0, 0, 9, 0, 0, 1, AMF0_DATA, 1, 0, 0, 0];
        let number = |basic: &[u8]| read(&streams, &[basic, &body].concat()).unwrap().stream;
        assert_eq!(number(&[0, 0]), 64);
        assert_eq!(number(&[0, 255]), 319);
        assert_eq!(number(&[1, 1, 2]), 64 + 1 + 512);
        // A type that no message has.
        assert_eq!(
            streams.header(&[3, 0, 0, 9, 0, 0, 1, 0x77, 0, 0, 0, 0]),
            None
        );
    }

    #[test]
    fn the_middle_is_found_whatever_the_size_of_chunks() {
        for size in [128, 1000, 4096, 60_000] {
            let video = |n: usize| [&[0x27, 1][..], &vec![0x5a; n]].concat();
            let all: Vec<u8> = [9000, 70, 5000, 20_000]
                .iter()
                .flat_map(|n| message(0, 6, VIDEO, &video(*n), size))
                .collect();
            let before = [0x33; 700];
            let octets = [&before[..], &all].concat();
            let found = search(&middle(), &octets, |_| false, true);
            assert_eq!(found, Found::At(700), "{size}");
            // What is too little is waited behind.
            let found = search(&middle(), &octets[..760], |_| false, true);
            assert_eq!(found, Found::Nowhere { keep: 700 }, "{size}");
        }
        let noise: Vec<u8> = (0..60_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
            .collect();
        assert!(!matches!(
            search(&middle(), &noise, |_| false, false),
            Found::At(_)
        ));
    }

    #[test]
    fn a_message_goes_on_behind_a_loss_where_its_chunks_tell_how_long_they_are() {
        let body = [&[0x27, 1][..], &[0x5a; 698]].concat();
        let octets = message(0, 6, VIDEO, &body, 200);
        let mut side = ChunkSide {
            phase: RtmpPhase::Chunks,
            size: ChunkSize::Known(200),
            ..ChunkSide::default()
        };
        assert_eq!(side.look(&octets, true), ChunkLook::Chunk(12, 200));
        side.take(&octets, 200);
        side.streams.doubt();
        let next = message(1, 4, AMF0_DATA, b"\x02\0\x01x", 200);
        let rest = [&octets[212..], &next].concat();
        // The second chunk of four, and the last.
        assert_eq!(side.look(&rest, true), ChunkLook::Chunk(1, 200));
        let last = [&rest[402..], &[0x33; 200]].concat();
        assert_eq!(side.look(&last, true), ChunkLook::Chunk(1, 100));
        // Too little is there to tell.
        assert_eq!(side.look(&rest[..150], true), ChunkLook::More);
        assert_eq!(side.look(&rest[..150], false), ChunkLook::No);
        // What repeats a length that may have been said anew begins nothing.
        side.streams.forget(6);
        assert_eq!(side.look(&rest, true), ChunkLook::No);
    }

    #[test]
    fn handshakes_are_recognised_without_a_port() {
        let probe = |octets: &[u8], hinted| RtmptDetector.probe(octets, hinted);
        let mut octets = vec![3, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(probe(&octets, true), Probe::Yes);
        octets.resize(WHOLE, 9);
        assert_eq!(probe(&octets[..1], false), Probe::No);
        assert_eq!(probe(&octets[..6], false), Probe::More);
        assert_eq!(probe(&octets, false), Probe::More);
        assert!(RtmptDetector.settles(&octets[..1537], false, DoubtEnds::Turn));
        assert!(!RtmptDetector.settles(&octets[..1500], false, DoubtEnds::Turn));
        let connect = message(0, 3, AMF0_COMMAND, b"\x02\0\x07connect", 128);
        assert_eq!(probe(&[&octets[..], &connect].concat(), false), Probe::Yes);
        assert_eq!(
            probe(&[&octets[..], &[0x77; 20]].concat(), false),
            Probe::No
        );
        // TPKT, which begins with the same octet.
        assert_eq!(probe(b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0", false), Probe::No);
    }

    #[test]
    fn messages_are_summed_up() {
        let of = |kind, body: &[u8]| {
            let octets = message(0, 2, kind, body, 128);
            said(|_, m, out| summary(m, out), Transport::Tcp, &octets)
        };
        assert_eq!(of(SET_CHUNK_SIZE, &[0, 0, 0x10, 0]), "Set Chunk Size 4096");
        assert_eq!(
            of(PEER_BANDWIDTH, &[0, 0, 1, 0, 2]),
            "Set Peer Bandwidth 256,Dynamic"
        );
        assert_eq!(
            of(USER_CONTROL, &[0, 3, 0, 0, 0, 1, 0, 0, 0, 9]),
            "Set Buffer Length 1,9ms"
        );
        assert_eq!(of(USER_CONTROL, &[0, 8, 0, 0]), "User Control Message 0x8");
        assert_eq!(of(AMF0_COMMAND, b"\x02\0\x04play"), "play()");
        assert_eq!(of(AMF3_COMMAND, b"\0\x02\0\x04pl\x1b\n"), "pl\\x1b\\n()");
        assert_eq!(of(VIDEO, &[0x17]), "Video Data");
        let part = said(
            |_, m, out| summary(m, out),
            Transport::Tcp,
            &header_of_part(3),
        );
        assert_eq!(part, "Handshake S2");
    }
}
