//! HTTP/2 in clear (RFC 9113): known by its preface, behind an upgrade of HTTP/1.1, by a server's first SETTINGS frame, and in the
//! middle by frames in a row. What is framed here are its frames.

use super::super::chains::{self, BothHabits};
use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, Detector, DoubtEnds, Following, Found, Framer, Position, Probe,
};
use super::super::head::first_values;
use super::super::length::{
    self, Classified, LengthField, LengthFormat, LengthRow, Scan, number, octet, window,
};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use super::http1_words;
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What a client begins with (RFC 9113, 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What the Upgrade field of HTTP/1.1 calls it, in any case (RFC 7540, 3.2).
pub(super) const UPGRADE: &[u8] = b"h2c";

/// Octets of a frame's header (RFC 9113, 4.1).
pub(super) const HEADER: usize = 9;

/// Types of frames (RFC 9113, 6; RFC 7838, 4; RFC 8336, 2; RFC 9218, 7.1).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
const ALTSVC: u8 = 10;
const ORIGIN: u8 = 12;
const PRIORITY_UPDATE: u8 = 16;

/// Flags. ACK, of SETTINGS and PING, is the same bit as END_STREAM.
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const PRIORITY_FLAG: u8 = 0x20;

/// Octets of a frame that is looked for, at most. Nearly all senders keep to 16 KiB, which is what a receiver takes that has said
/// nothing of it (RFC 9113, 4.2).
// With a quarter of it, connections whose receiver has asked for more would not be found again behind a loss; with 16 times as
// much, one in sixteen of any three octets would be a length.
const LONGEST: u64 = 64 << 10;
/// Octets that wait for the end of a chain: two frames of 16 KiB, and the header of a third.
// With half of it, a stream of full frames would never be found in the middle.
const HOLD: usize = 64 << 10;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "http2",
    one_answer: true,
    alpn: &["h2"],
    aliases: &["h2", "h2c", "http/2", "grpc"],
    about: "HTTP/2 in clear (RFC 9113), and gRPC in it",
    summary: Some(summary),
    fields: Some(fields),
    field_names: FIELD_NAMES,
    upgrades: true,
    #[cfg(test)]
    samples: &[
        ("000006 04 00 00000000 0003 00000064", Kind::Other),
        ("000004 08 00 00000000 00ff0001", Kind::Other),
        ("000003 01 05 00000001 828684", Kind::Other),
        ("000005 00 01 00000001 68656c6c6f", Kind::Other),
        ("000004 03 00 00000003 00000008", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// A frame where one has to stand: of any type that is not known, as a receiver ignores those (RFC 9113, 4.1).
static FRAME: LengthRow = LengthRow {
    length: LengthField::By(whole_len),
    header: HEADER,
    is_plausible: |m, len| is_preface(m) || (is_frame(m, len) && !is_older(m)),
    sort,
    ..LengthRow::USUAL
};

/// A frame that is looked for.
const SOUGHT: LengthRow = LengthRow {
    length: LengthField::By(whole_len),
    // The first octets of a payload say something of most types.
    header: HEADER + 4,
    is_plausible: |m, len| is_preface(m) || is_likely(m, len),
    scan: Scan::By(HEADER, |octets| window::<HEADER>(octets, may_begin)),
    min_chain: 2,
    distinctive: is_preface,
    follows,
    link: 0.5,
    sort,
    told: |_| Some((0..3, 2)),
    ..LengthRow::USUAL
};
static NEXT: LengthRow = SOUGHT;
/// The same where nothing else says that this is HTTP/2: three frames in a row, whole or not.
static ANYWHERE: LengthRow = LengthRow {
    min_chain: 3,
    ..SOUGHT
};
/// The same among octets that are mostly zeros and small numbers, as the headers of frames are.
static AMONG_ZEROS: LengthRow = LengthRow {
    chain: 6,
    min_chain: 5,
    ..SOUGHT
};
/// The share of zeros from which on octets are such.
// Text and compressed content have less than a hundredth; in frames without content every second octet is zero.
const MANY_ZEROS: f64 = 0.1;

fn anywhere(octets: &[u8]) -> &'static LengthRow {
    match zeros(octets) < MANY_ZEROS {
        true => &ANYWHERE,
        false => &AMONG_ZEROS,
    }
}

/// The share of zeros among the first octets; none in a few of them proves no more than one in 256.
fn zeros(octets: &[u8]) -> f64 {
    let sample = &octets[..octets.len().min(SAMPLE)];
    let zeros = sample.iter().filter(|o| **o == 0).count();
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    (count(zeros) / count(sample.len().max(1))).max(1.0 / 256.0)
}

fn is_preface(m: &[u8]) -> bool {
    m.starts_with(PREFACE)
}

/// Octets that a side may begin with, as far as they are there: the preface, or a frame of a type that is known. A client that asks in
/// HTTP/1.1 for an upgrade may find that its server has begun with SETTINGS already (RFC 9113, 3.4), and its request would be a frame of
/// some type.
fn opens(m: &[u8]) -> bool {
    may_be_preface(m) || m.get(3).is_none_or(|kind| flags(*kind).is_some())
}

/// A status line of HTTP/1: a server whose first SETTINGS came ahead of the request answers that where it agrees to no other
/// version, or to go over to this one. Read as a frame it would have four million octets, of a type that nobody has assigned.
fn is_older(m: &[u8]) -> bool {
    m.starts_with(b"HTTP/1.")
}

/// The octets are the preface, or may become it.
fn may_be_preface(m: &[u8]) -> bool {
    let n = m.len().min(PREFACE.len());
    n > 0 && m[..n] == PREFACE[..n]
}

fn whole_len(m: &[u8]) -> Option<Option<u64>> {
    if may_be_preface(m) {
        return (m.len() >= PREFACE.len()).then_some(Some(PREFACE.len() as u64));
    }
    m.get(..HEADER)?;
    Some(Some(number(m, 0, 3) + HEADER as u64))
}

/// The stream of a frame, without the bit that is reserved.
fn stream(m: &[u8]) -> u64 {
    number(m, 5, 4) & 0x7fff_ffff
}

/// Lengths and streams are what the type asks for (RFC 9113, 6).
fn is_frame(m: &[u8], len: u64) -> bool {
    let len = len - HEADER as u64;
    let own = stream(m) > 0;
    match octet(m, 3) {
        DATA | HEADERS | CONTINUATION => own,
        PRIORITY => own && len == 5,
        RST_STREAM => own && len == 4,
        SETTINGS => !own && len.is_multiple_of(6) && (octet(m, 4) & 1 == 0 || len == 0),
        PUSH_PROMISE => own && len >= 4,
        PING => !own && len == 8,
        GOAWAY => !own && len >= 8,
        WINDOW_UPDATE => len == 4,
        _ => true,
    }
}

/// Flags that a type has; None: it is not known.
const fn flags(kind: u8) -> Option<u8> {
    Some(match kind {
        DATA => END_STREAM | PADDED,
        HEADERS => END_STREAM | END_HEADERS | PADDED | PRIORITY_FLAG,
        SETTINGS | PING => END_STREAM,
        PUSH_PROMISE => END_HEADERS | PADDED,
        CONTINUATION => END_HEADERS,
        PRIORITY | RST_STREAM | GOAWAY | WINDOW_UPDATE | ALTSVC | ORIGIN | PRIORITY_UPDATE => 0,
        _ => return None,
    })
}

/// The same, and the type is known, no bit is set that means nothing, and the payload begins as it should.
fn is_likely(m: &[u8], len: u64) -> bool {
    let Some(known) = flags(octet(m, 3)) else {
        return false;
    };
    let size = len - HEADER as u64;
    let payload = number(m, HEADER, 4);
    let inside = match octet(m, 3) {
        // Nobody needs one without an octet, but at the end.
        DATA => size > 0 || octet(m, 4) & END_STREAM != 0,
        HEADERS | CONTINUATION => size > 0,
        SETTINGS => size == 0 || (size <= 6 * 64 && is_setting(number(m, HEADER, 2))),
        // Error codes (RFC 9113, 7).
        RST_STREAM => payload <= 13,
        PUSH_PROMISE => octet(m, 4) & PADDED != 0 || (payload & 1 == 0 && payload > 0),
        WINDOW_UPDATE => payload > 0 && payload >> 31 == 0,
        _ => true,
    };
    let padded = octet(m, 4) & PADDED != 0;
    let fits = !padded || u64::from(octet(m, HEADER)) < size;
    size <= LONGEST
        && octet(m, 4) & !known == 0
        && octet(m, 5) >> 7 == 0
        && is_frame(m, len)
        && inside
        && fits
}

/// A setting that is known (RFC 9113, 6.5.2; RFC 8441, 3; RFC 9218, 2.1), or one of those that are made up to keep receivers
/// from refusing new ones (RFC 8701 has numbers of this form).
fn is_setting(id: u64) -> bool {
    matches!(id, 1..=6 | 8 | 9) || id & 0x0f0f == 0x0a0a
}

/// The first octets of a frame that is looked for, or of the preface.
fn may_begin(m: &[u8; HEADER]) -> bool {
    let [high, _, _, kind, set, stream, ..] = *m;
    // Up to 64 KiB; more would be compared with [`LONGEST`] anyway.
    (high <= 1 && stream < 0x80 && flags(kind).is_some_and(|known| set & !known == 0))
        || m[..] == PREFACE[..HEADER]
}

/// A header block that is not at its end goes on in the next frame (RFC 9113, 6.10).
fn follows(a: &[u8], b: &[u8]) -> bool {
    if is_preface(a) || is_preface(b) {
        return !is_preface(b) && octet(b, 3) == SETTINGS;
    }
    let open = matches!(octet(a, 3), HEADERS | PUSH_PROMISE | CONTINUATION)
        && octet(a, 4) & END_HEADERS == 0;
    let goes_on = octet(b, 3) == CONTINUATION;
    open == goes_on && (!open || b.len() < HEADER || stream(a) == stream(b))
}

/// Frames are told apart by their type.
fn sort(m: &[u8]) -> u8 {
    octet(m, 3)
}

/// The frame that a server begins with (RFC 9113, 3.4).
fn is_first_settings(octets: &[u8]) -> Probe {
    match octets.get(..HEADER) {
        Some([_, _, _, SETTINGS, 0, 0, 0, 0, 0]) => {}
        Some(_) => return Probe::No,
        // Its length is that of a few settings.
        None => {
            let begins = [0, 0].starts_with(&octets[..octets.len().min(2)]);
            let kind = octets.get(3).is_none_or(|kind| *kind == SETTINGS);
            let zeros = octets.get(4..).unwrap_or_default().iter().all(|o| *o == 0);
            return if octets.len() > 3 && begins && kind && zeros {
                Probe::More
            } else {
                Probe::No
            };
        }
    }
    match NEXT.classify(octets) {
        // Nine octets that are nearly all zero prove little: another frame has to follow.
        Classified::Message(9) => match octets.get(HEADER..) {
            Some(behind) if behind.len() >= HEADER => match NEXT.classify(behind) {
                Classified::Message(_) => Probe::Yes,
                Classified::More => Probe::More,
                Classified::No => Probe::No,
            },
            _ => Probe::More,
        },
        Classified::Message(_) => Probe::Yes,
        Classified::More => Probe::More,
        Classified::No => Probe::No,
    }
}

/// Recognises HTTP/2.
pub(crate) struct Http2Detector;

impl Detector for Http2Detector {
    fn probe(&self, octets: &[u8], _: bool) -> Probe {
        if is_preface(octets) {
            Probe::Yes
        } else if may_be_preface(octets) {
            Probe::More
        } else {
            is_first_settings(octets)
        }
    }

    fn probe_run(&self, octets: &[u8], hinted: bool) -> Probe {
        match self.probe(octets, hinted) {
            Probe::No => length::chain_anywhere(anywhere(octets), octets, HOLD),
            probe => probe,
        }
    }

    fn search(&self, octets: &[u8], _: bool, more: bool) -> Found {
        let next = if more {
            Following::Octets
        } else {
            Following::End
        };
        length::search(anywhere(octets), octets, next, HOLD, |_| false)
    }

    fn settles(&self, octets: &[u8], _: bool, ends: DoubtEnds) -> bool {
        // A server that has nothing to set, and waits for its client.
        let alone = octets == b"\0\0\0\x04\0\0\0\0\0";
        alone && matches!(ends, DoubtEnds::Turn | DoubtEnds::Pause | DoubtEnds::NoMore)
    }

    fn fills(&self, octets: &[u8]) -> bool {
        length::fills(&ANYWHERE, octets)
    }

    fn needs(&self, octets: &[u8], _: bool) -> usize {
        length::needs(anywhere(octets), octets, HOLD)
    }

    fn reads_lines(&self) -> bool {
        false
    }
}

/// Streams are opened in the order of their numbers (RFC 9113, 5.1.1): those of a connection that is known are among the numbers
/// up to here, and the few that may have been opened in octets that are lost.
// As many as servers allow at once: twice as many would make a header of chance twice as likely, which still is next to never.
const OPENED: u64 = 256;

/// Octets of which the share of zeros is taken.
const SAMPLE: usize = 8 << 10;

/// A frame of a connection whose streams are known, where the next one is looked for.
struct NextOf {
    /// The highest number of a stream so far.
    highest: u64,
    /// The share of zeros among the octets at hand.
    zeros: f64,
}

impl LengthFormat for NextOf {
    fn scan(&self) -> Scan<'_> {
        NEXT.scan
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        NEXT.classify(octets)
    }

    fn follows(&self, first: &[u8], second: &[u8]) -> bool {
        follows(first, second)
    }

    fn chain(&self) -> usize {
        NEXT.chain
    }

    fn min_chain(&self) -> usize {
        NEXT.min_chain
    }

    fn link(&self) -> f64 {
        NEXT.link
    }

    /// Four octets are hardly one of a few numbers by chance, the less the fewer zeros are met.
    fn doubt(&self, message: &[u8]) -> f64 {
        let id = stream(message);
        if id > self.highest + OPENED {
            return 1.0;
        }
        match id {
            0 => self.zeros.powi(4),
            1..=0xff => self.zeros.powi(3) / 4.0,
            0x100..=0xffff => self.zeros.powi(2) / 64.0,
            _ => self.zeros / 1024.0,
        }
    }

    fn told(&self, header: &[u8]) -> Option<(std::ops::Range<usize>, usize)> {
        (NEXT.told)(header)
    }

    fn sort(&self, octets: &[u8]) -> u8 {
        sort(octets)
    }

    fn wants(&self, octets: &[u8]) -> usize {
        NEXT.wants(octets)
    }
}

/// Frames a connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Http2 {
    habits: BothHabits,
    /// The highest number of a stream so far.
    highest: u64,
    /// By direction: a frame was seen, or may be missing.
    begun: [bool; 2],
}

impl Framer for Http2 {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let begun = &mut self.begun[at.direction.index()];
        if !*begun && !opens(octets) {
            return Begin::Refuse;
        }
        let begin = length::begin_noted(&FRAME, at, octets, &mut self.habits);
        *begun |= matches!(begin, Begin::Message { .. });
        if matches!(begin, Begin::Message { .. }) && !is_preface(octets) {
            self.highest = self.highest.max(stream(octets));
        }
        begin
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let format = NextOf {
            highest: self.highest,
            zeros: zeros(octets),
        };
        chains::search(&format, at, octets, HOLD, &mut self.habits)
    }

    fn needs(&self, octets: &[u8]) -> usize {
        length::needs(&NEXT, octets, HOLD)
    }

    fn reads_lines(&self) -> bool {
        false
    }

    fn gap(&mut self, direction: Direction) {
        self.begun[direction.index()] = true;
    }

    fn size(&self) -> usize {
        self.habits.size()
    }
}

/// What [`fields`] lists.
const FIELD_NAMES: &[&str] = &[
    "method",
    "uri",
    "host",
    "user_agent",
    "status",
    "server",
    "location",
    "content_type",
    "content_length",
    "grpc_encoding",
    "trailers",
    "grpc_status",
    "grpc_message",
];

/// The octets are no frame but the text of a header section, or of none: what a stream carries.
fn is_text(m: &[u8]) -> bool {
    let line = m.split(|o| *o == b'\r').next().unwrap_or_default();
    let begins = m.first().is_none_or(|o| *o > 0x20);
    begins && (m.is_empty() || line.starts_with(b"HTTP/2 ") || line.ends_with(b" HTTP/2"))
}

/// What of a message has a name; of fields behind a body, what gRPC says there.
fn fields(transport: Transport, kind: Kind, m: &[u8], to: &mut MessageFields) {
    if is_text(m) {
        // A status that is not known is no number.
        if !m.starts_with(b"HTTP/2 [") {
            http1_words::fields(transport, kind, m, to);
        }
        let [encoding] = first_values(m, ["grpc-encoding"]);
        to.text_if("grpc_encoding", encoding.as_deref());
    } else if m.first().is_some_and(|o| *o > 0x20) {
        to.text("trailers", m.trim_ascii());
        let [status, message] = first_values(m, ["grpc-status", "grpc-message"]);
        let number = status.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        if let Some(number) = number {
            to.number("grpc_status", number);
        }
        to.text_if("grpc_message", message.as_deref());
    }
}

/// The start line of a message; of a frame type, stream and flags, as Wireshark has them in its column.
fn summary(transport: Transport, m: &[u8], out: &mut String) -> bool {
    if is_text(m) {
        return http1_words::summary(transport, m, out);
    }
    if is_preface(m) {
        out.push_str("Magic");
        return true;
    }
    if m.len() < HEADER {
        return false;
    }
    let kind = octet(m, 3);
    const NAMES: &[(u64, &str)] = &[
        (0, "DATA"),
        (1, "HEADERS"),
        (2, "PRIORITY"),
        (3, "RST_STREAM"),
        (4, "SETTINGS"),
        (5, "PUSH_PROMISE"),
        (6, "PING"),
        (7, "GOAWAY"),
        (8, "WINDOW_UPDATE"),
        (9, "CONTINUATION"),
        (10, "ALTSVC"),
        (12, "ORIGIN"),
        (16, "PRIORITY_UPDATE"),
    ];
    named_number(NAMES, u64::from(kind), out);
    let _ = write!(out, "[{}]", stream(m));
    let known = flags(kind).unwrap_or(0);
    let first = match kind {
        SETTINGS | PING => "ACK",
        _ => "END_STREAM",
    };
    for (flag, name) in [
        (END_STREAM, first),
        (END_HEADERS, "END_HEADERS"),
        (PADDED, "PADDED"),
        (PRIORITY_FLAG, "PRIORITY"),
    ] {
        if octet(m, 4) & known & flag != 0 {
            out.push(' ');
            out.push_str(name);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn frames_are_believed_and_found() {
        testing::check(&PROTOCOL, &NEXT);
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    #[test]
    fn connections_are_known_by_their_first_octets() {
        let settings = frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x64");
        let empty = frame(SETTINGS, 0, 0, b"");
        let probe = |octets: &[u8]| Http2Detector.probe(octets, false);
        assert_eq!(probe(PREFACE), Probe::Yes);
        for n in 1..PREFACE.len() {
            assert_eq!(probe(&PREFACE[..n]), Probe::More, "{n}");
        }
        assert_eq!(probe(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"), Probe::No);
        assert_eq!(probe(&settings), Probe::Yes);
        for n in 4..settings.len() - 2 {
            assert_eq!(probe(&settings[..n]), Probe::More, "{n}");
        }
        assert_eq!(probe(&empty), Probe::More);
        assert!(Http2Detector.settles(&empty, false, DoubtEnds::Pause));
        let two = [&empty[..], &frame(WINDOW_UPDATE, 0, 0, b"\0\0\xff\xff")].concat();
        assert_eq!(probe(&two), Probe::Yes);
        // A length and zeros are met elsewhere.
        assert_eq!(
            probe(b"\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            Probe::No
        );
        assert_eq!(
            probe(&frame(SETTINGS, 0, 0, b"\0\x33\0\0\0\x64")),
            Probe::No
        );
        assert_eq!(probe(&frame(HEADERS, 4, 1, b"\x82")), Probe::No);
    }

    #[test]
    fn a_connection_is_found_in_its_middle_by_three_frames_in_a_row() {
        let data = frame(DATA, 0, 5, &[b'x'; 300]);
        let headers = frame(HEADERS, END_HEADERS, 7, &[0x88; 20]);
        let search = |octets: &[u8], more| Http2Detector.search(octets, false, more);
        let before = [b'y'; 70];
        let all = [&before[..], &data, &headers, &data[..HEADER + 4]].concat();
        assert_eq!(search(&all, true), Found::At(70));
        let two = [&before[..], &data, &headers].concat();
        assert_eq!(search(&two, true), Found::Nowhere { keep: 70 });
        assert_eq!(search(&two, false), Found::Nowhere { keep: two.len() });
        // A block that is not at its end goes on before anything else comes.
        let open = frame(HEADERS, 0, 7, &[0x88; 20]);
        let wrong = [&before[..], &open, &data, &headers].concat();
        assert!(!matches!(search(&wrong, true), Found::At(70)));
        let goes_on = frame(CONTINUATION, END_HEADERS, 7, &[0x88; 20]);
        let right = [&before[..], &open, &goes_on, &data].concat();
        assert_eq!(search(&right, true), Found::At(70));
    }

    #[test]
    fn frames_of_an_unknown_type_are_frames_where_one_has_to_stand() {
        let grease = frame(0x2b, 0x55, 3, b"abc");
        assert_eq!(FRAME.classify(&grease), Classified::Message(12));
        assert_eq!(NEXT.classify(&grease), Classified::No);
        for wrong in [
            frame(PING, 0, 0, b"short"),
            frame(DATA, 0, 0, b"x"),
            frame(SETTINGS, 0, 1, b""),
            frame(SETTINGS, 0, 0, b"12345"),
        ] {
            assert_eq!(FRAME.classify(&wrong), Classified::No, "{wrong:?}");
        }
    }

    #[test]
    fn what_streams_carry_is_text() {
        let fields = |m: &[u8]| {
            let mut read = MessageFields::default();
            fields(Transport::Tcp, Kind::Other, m, &mut read);
            let shown = |(name, value)| format!("{name}={value:?}");
            read.iter().map(shown).collect::<Vec<_>>().join(" ")
        };
        let request = b"GET /a HTTP/2\r\nhost: b\r\n:scheme: x\r\ngrpc-encoding: gzip\r\n\r\n";
        assert_eq!(said(summary, Transport::Tcp, request), "GET /a HTTP/2 (b)");
        let listed =
            r#"method=Text("GET") uri=Text("/a") host=Text("b") grpc_encoding=Text("gzip")"#;
        assert_eq!(fields(request), listed);
        assert_eq!(fields(b"HTTP/2 404\r\n\r\n"), "status=Number(404)");
        // Nothing is made up.
        assert_eq!(fields(b"HTTP/2 [unknown]\r\n\r\n"), "");
        assert_eq!(
            fields(b"grpc-status: 5\r\n"),
            r#"trailers=Text("grpc-status: 5") grpc_status=Number(5)"#
        );
        assert_eq!(fields(&frame(HEADERS, 5, 1, b"GET / HTTP/2\r\n\r\n")), "");
    }

    #[test]
    fn frames_are_summed_up() {
        for (octets, expected) in [
            (PREFACE.to_vec(), "Magic"),
            (frame(SETTINGS, 1, 0, b""), "SETTINGS[0] ACK"),
            (
                frame(HEADERS, 0x25, 1, b""),
                "HEADERS[1] END_STREAM END_HEADERS PRIORITY",
            ),
            (frame(DATA, 1, 0x8000_0003, b"abc"), "DATA[3] END_STREAM"),
            (frame(0x2b, 0xff, 3, b""), "type 43[3]"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, &octets), expected);
        }
    }
}
