//! WebSocket (RFC 6455), behind an upgrade of HTTP.

use super::super::fields::MessageFields;
use super::super::framing::{Begin, Detector, Found, Framer, Position, Probe};
use super::super::head::read_fields;
use super::super::length::{
    Classified, LengthField, LengthFormat as _, LengthFramer, LengthProtocol, LengthRow, number,
    octet,
};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use crate::base::flow::{Direction, Transport};
#[cfg(test)]
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::memchr;
use std::fmt::Write as _;

/// What the Upgrade field of HTTP calls it, in any case (RFC 6455, 4.2.1).
pub(super) const UPGRADE: &[u8] = b"websocket";

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "websocket",
    about: "WebSocket (RFC 6455), behind an upgrade of HTTP",
    summary: Some(summary),
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &["opcode", "compressed", "close_code", "text"],
    upgrades: true,
    cheap_search: true,
    #[cfg(test)]
    samples: &[
        ("81 03 616263", Kind::Other),
        ("c1 83 01020304 616263", Kind::Other),
        ("88 80 01020304", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::By(whole_len),
    header: 2,
    is_plausible,
    chain: 4,
    min_chain: 3,
    follows,
    link: 0.5,
    sort,
    sound: is_sound,
    doubt,
    told: |m| match octet(m, 1) & 0x7f {
        126 => Some((0..4, 3)),
        127 => Some((0..10, 9)),
        _ => Some((0..2, 1)),
    },
    ..LengthRow::USUAL
};

/// The message ends with this frame (RFC 6455, 5.2).
pub(super) const FIN: u8 = 0x80;
/// The message is compressed (RFC 7692, 6).
pub(super) const RSV1: u8 = 0x40;
/// No extension has given this bit a meaning. In the frame that stands for a message that was put together: it was compressed, and
/// what follows is decoded.
pub(super) const RSV2: u8 = 0x20;

/// What the handshake has agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Agreed {
    /// It is lost.
    #[default]
    Unknown,
    /// Messages are not compressed, or in a way that is not known here.
    Other,
    /// permessage-deflate (RFC 7692).
    Deflate {
        /// The client compresses each message by itself (7.1.1.2).
        client: bool,
        /// The server does (7.1.1.1).
        server: bool,
    },
}

impl Agreed {
    /// What the response with this header section says (RFC 6455, 9.1; RFC 7692, 7.1).
    pub(super) fn of(head: &[u8]) -> Self {
        let mut agreed = Self::Other;
        read_fields(head, |name, value| {
            if name.eq_ignore_ascii_case(b"sec-websocket-extensions") {
                for extension in value.split(|o| *o == b',') {
                    let mut words = extension.split(|o| *o == b';').map(<[u8]>::trim_ascii);
                    let is = |word: &[u8], name: &[u8]| word.eq_ignore_ascii_case(name);
                    if !words.next().is_some_and(|w| is(w, b"permessage-deflate")) {
                        continue;
                    }
                    let (mut client, mut server) = (false, false);
                    for word in words {
                        client |= is(word, b"client_no_context_takeover");
                        server |= is(word, b"server_no_context_takeover");
                    }
                    agreed = Self::Deflate { client, server };
                }
            }
        });
        agreed
    }
}

/// Frames a connection; keeps what its handshake has agreed on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Frames {
    frames: LengthFramer<Websocket>,
    pub(super) agreed: Agreed,
    /// Frames of each direction may be missing.
    pub(super) lost: [bool; 2],
}

impl Framer for Frames {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        self.frames.begin(at, octets)
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        self.frames.search(at, octets)
    }

    fn needs(&self, octets: &[u8]) -> usize {
        self.frames.needs(octets)
    }

    fn reads_lines(&self) -> bool {
        self.frames.reads_lines()
    }

    fn gap(&mut self, direction: Direction) {
        self.lost[direction.index()] = true;
    }

    fn size(&self) -> usize {
        self.frames.size()
    }
}

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Websocket;

impl LengthProtocol for Websocket {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// Recognises frames whose upgrade is not there, by the text that stands behind the masks of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebsocketDetector;

/// Octets that are masked text by chance more often than this are none. A stream is searched for a few hundred thousand
/// octets, and there may be a million of them.
const CHANCE: f64 = 1e-12;
/// How often any octets look like the header of such a frame: one of 256, and the bit for the mask.
const HEADER: f64 = 1.0 / 512.0;
/// How often an octet is one of plain text.
const PLAIN: f64 = 97.0 / 256.0;

impl Detector for WebsocketDetector {
    fn probe(&self, _: &[u8], _: bool) -> Probe {
        // What begins a connection is the upgrade.
        Probe::No
    }

    fn search(&self, octets: &[u8], _: bool, more: bool) -> Found {
        let mut from = 0;
        while let Some(hit) = memchr(TEXT, octets.get(from..).unwrap_or_default()) {
            let at = from + hit;
            match is_masked_text(&octets[at..]) {
                Probe::Yes => return Found::At(at),
                Probe::More if more => return Found::Nowhere { keep: at },
                Probe::More | Probe::No => from = at + 1,
            }
        }
        Found::Nowhere { keep: octets.len() }
    }
}

/// The first octet of a message of text in one frame, not compressed.
const TEXT: u8 = 0x81;

/// Frames of plain text in a row, behind masks, so much of it that it is no chance.
fn is_masked_text(octets: &[u8]) -> Probe {
    let (mut rest, mut chance) = (octets, 1.0);
    loop {
        let len = match FORMAT.classify(rest) {
            Classified::Message(len) if octet(rest, 1) & 0x80 != 0 => len,
            Classified::More if rest.get(1).is_none_or(|o| o & 0x80 != 0) => return Probe::More,
            _ => return Probe::No,
        };
        let there = usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()));
        let (text, n) = beginning(&rest[..there]);
        let text = &text[..n];
        chance *= HEADER;
        match octet(rest, 0) {
            TEXT if text.iter().all(is_plain) => {
                chance *= PLAIN.powi(i32::try_from(n).unwrap_or(0))
            }
            0x89 | 0x8a => {}
            _ => return Probe::No,
        }
        if chance <= CHANCE {
            return Probe::Yes;
        }
        match usize::try_from(len).ok().and_then(|len| rest.get(len..)) {
            Some(behind) => rest = behind,
            None => return Probe::More,
        }
    }
}

fn is_plain(octet: &u8) -> bool {
    matches!(octet, b'\t' | b'\r' | b'\n' | b' '..=b'~')
}

/// RFC 6455, 5.2: seven bits, or 16 or 64 behind them, in the shortest form; then the key of a client's mask.
fn whole_len(m: &[u8]) -> Option<Option<u64>> {
    let second = *m.get(1)?;
    let key = u64::from(second >> 7) * 4;
    let (width, least, most) = match second & 0x7f {
        126 => (2, 126, 0xffff),
        127 => (8, 0x1_0000, 1 << 62),
        len => return Some(Some(2 + key + u64::from(len))),
    };
    m.get(2..2 + width)?;
    let len = number(m, 2, width);
    let sound = (least..=most).contains(&len);
    Some(sound.then(|| 2 + width as u64 + key + len))
}

/// A frame of a client, whose payload is masked (RFC 6455, 5.3).
pub(super) fn is_masked(octets: &[u8]) -> bool {
    let frame = matches!(
        FORMAT.classify(octets),
        Classified::Message(_) | Classified::More
    );
    // A client begins with a message, not with a fragment that continues one.
    frame && octet(octets, 1) & 0x80 != 0 && octet(octets, 0) & 0xf != 0
}

/// Frames of a server that fill the octets, or follow each other in them.
pub(super) fn are_frames(octets: &[u8]) -> bool {
    let mut rest = octets;
    for n in 0.. {
        let len = match FORMAT.classify(rest) {
            Classified::Message(len) if octet(rest, 1) & 0x80 == 0 => len,
            _ => return rest.is_empty() && n > 0,
        };
        let there = usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()));
        let (message, behind) = rest.split_at(there);
        let begins = n > 0 || octet(rest, 0) & 0xf != 0;
        if !begins || !is_sound(message) {
            return false;
        }
        if (there as u64) < len {
            return n > 1;
        }
        if n > 1 {
            return true;
        }
        rest = behind;
    }
    false
}

/// RFC 6455, 5.2 and 5.5; the first reserved bit marks what is compressed (RFC 7692, 6).
fn is_plausible(m: &[u8], _: u64) -> bool {
    let (first, len) = (octet(m, 0), octet(m, 1) & 0x7f);
    match first & 0x7f {
        0..=2 | 0x41 | 0x42 => true,
        8 => first & 0x80 != 0 && len <= 125 && len != 1,
        9 | 10 => first & 0x80 != 0 && len <= 125,
        _ => false,
    }
}

/// Frames are told apart by their first octet, in which bits are reserved, and the mask.
fn sort(m: &[u8]) -> u8 {
    octet(m, 0) & 0xcf | (octet(m, 1) >> 7) << 4
}

/// The text of a whole message of text, which is not compressed, is UTF-8 (RFC 6455, 5.6), as far as it is looked at; close
/// frames begin with a code (7.4).
fn is_sound(m: &[u8]) -> bool {
    let (text, n) = beginning(m);
    let text = &text[..n];
    match octet(m, 0) {
        0x81 => match std::str::from_utf8(text) {
            Ok(text) => !text.contains('\0'),
            // A character is cut.
            Err(error) => error.error_len().is_none(),
        },
        0x88 => n < 2 || matches!(number(text, 0, 2), 1000..=4999),
        _ => true,
    }
}

/// Behind a mask hardly any octets are a text that is no text.
fn doubt(m: &[u8]) -> f64 {
    let (text, n) = beginning(m);
    let masked = octet(m, 1) & 0x80 != 0;
    let is_text = octet(m, 0) & 0x7f == 1;
    match masked && is_text && text[..n].iter().all(is_plain) {
        true => PLAIN.powi(i32::try_from(n).unwrap_or(0)).max(1e-9),
        false => 1.0,
    }
}

/// The first octets of the payload, without their mask, and how many there are.
fn beginning(m: &[u8]) -> ([u8; 64], usize) {
    let masked = octet(m, 1) & 0x80 != 0;
    let payload = payload_at(m);
    let key = |at: usize| match masked {
        true => octet(m, payload - 4 + at % 4),
        false => 0,
    };
    let octets = m.get(payload..).unwrap_or_default().iter();
    let mut text = [0; 64];
    let mut n = 0;
    for (at, (to, from)) in text.iter_mut().zip(octets).enumerate() {
        (*to, n) = (from ^ key(at), at + 1);
    }
    (text, n)
}

/// Where the payload begins, behind the length and the mask.
pub(super) fn payload_at(m: &[u8]) -> usize {
    let length = match octet(m, 1) & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if octet(m, 1) & 0x80 != 0 { 4 } else { 0 }
}

/// One side masks all of its frames, or none; fragments stand next to each other, but for control frames (RFC 6455, 5.4).
fn follows(a: &[u8], b: &[u8]) -> bool {
    let control = |m| octet(m, 0) & 8 != 0;
    let goes_on = octet(a, 0) & 0x80 == 0;
    let continues = octet(b, 0) & 0xf == 0;
    octet(a, 1) & 0x80 == octet(b, 1) & 0x80 && (control(a) || control(b) || goes_on == continues)
}

/// The opcodes (RFC 6455, 11.8).
const OPCODES: &[(u64, &str)] = &[
    (0, "continuation"),
    (1, "text"),
    (2, "binary"),
    (8, "close"),
    (9, "ping"),
    (10, "pong"),
];

/// A header, in its shortest form, of the only frame of a message of so many octets, not masked; None: nobody knows how many.
pub(super) fn header_of(first: u8, len: Option<u64>) -> Vec<u8> {
    match len.map(u16::try_from) {
        Some(Ok(len)) if len < 126 => vec![first, len.to_be_bytes()[1]],
        Some(Ok(len)) => [&[first, 126], &len.to_be_bytes()[..]].concat(),
        _ => [&[first, 127], &len.unwrap_or(1 << 62).to_be_bytes()[..]].concat(),
    }
}

/// What follows is compressed, by an extension (RFC 7692) or the like.
fn is_compressed(m: &[u8]) -> bool {
    let reserved = octet(m, 0) & 0x70;
    reserved != 0 && reserved != RSV1 | RSV2
}

/// The opcode, and what is there of the text: of text messages, and why a connection is closed.
fn fields(m: &[u8], to: &mut MessageFields) {
    let opcode = octet(m, 0) & 0xf;
    to.write("opcode", |out| named_number(OPCODES, opcode.into(), out));
    if octet(m, 0) & RSV1 != 0 {
        to.text("compressed", b"yes");
    }
    let octet_at = |at: usize| match octet(m, 1) & 0x80 {
        0 => octet(m, payload_at(m) + at),
        _ => octet(m, payload_at(m) + at) ^ octet(m, payload_at(m) - 4 + at % 4),
    };
    let len = whole_len(m).flatten().unwrap_or(0).min(m.len() as u64);
    let len = usize::try_from(len).unwrap_or(0);
    let mut text: Vec<u8> = (0..len.saturating_sub(payload_at(m)))
        .map(octet_at)
        .collect();
    if opcode == 8 && text.len() >= 2 {
        to.number("close_code", number(&text, 0, 2));
        text.drain(..2);
    }
    if matches!(opcode, 1 | 8) && !is_compressed(m) && !text.is_empty() {
        // A character that is cut is left out.
        if let Err(error) = std::str::from_utf8(&text)
            && error.error_len().is_none()
        {
            text.truncate(error.valid_up_to());
        }
        to.text("text", &text);
    }
}

/// The opcode (RFC 6455, 5.2), and what is text behind its mask: of a text, or why the connection is closed.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let opcode = octet(m, 0) & 0xf;
    named_number(OPCODES, u64::from(opcode), out);
    let (text, n) = beginning(m);
    let whole = whole_len(m).flatten().unwrap_or(u64::MAX);
    let payload = payload_at(m);
    let len = usize::try_from(whole)
        .unwrap_or(usize::MAX)
        .saturating_sub(payload);
    let mut text = text.get(..n.min(len)).unwrap_or_default();
    if is_compressed(m) {
        out.push_str(", compressed");
        return true;
    }
    if opcode == 8 && text.len() >= 2 {
        let _ = write!(out, " {}", number(text, 0, 2));
        text = text.get(2..).unwrap_or_default();
    }
    let is_text =
        matches!(opcode, 1 | 8) || matches!(opcode, 0 | 9 | 10) && text.iter().all(is_plain);
    if is_text && !text.is_empty() {
        out.push(' ');
        // A character that is cut is left out.
        let shown = match std::str::from_utf8(text) {
            Err(e) if e.error_len().is_none() => text.get(..e.valid_up_to()).unwrap_or_default(),
            _ => text,
        };
        escape(shown, out);
        if text.len() < len && opcode != 8 {
            out.push_str("...");
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
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }

    #[test]
    fn summaries_show_the_text() {
        let long = [&b"\x81\x7e\x00\x80"[..], &[b'a'; 128]].concat();
        for (octets, expected) in [
            (&b"\x81\x05hello"[..], "text hello"),
            (&masked(b"{\"id\": 17}"), "text {\"id\": 17}"),
            (b"\x81\x03a\x1b\xe4", "text a\\x1b"),
            (&long, &format!("text {}...", "a".repeat(64))),
            (b"\x88\x05\x03\xe8bye", "close 1000 bye"),
            (b"\x88\x00", "close"),
            (b"\x82\x02ab", "binary"),
            (b"\xc1\x02ab", "text, compressed"),
            (b"\x8a\x02ok", "pong ok"),
            (b"\x89\x02\0\x01", "ping"),
            // What stands behind it is another frame.
            (b"\x81\x02hi\x81\x05other", "text hi"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn text_is_text_behind_its_mask_too() {
        assert!(is_sound(b"\x81\x03abc"));
        assert!(!is_sound(b"\x81\x03a\xffc"));
        assert!(is_sound(b"\x81\x83\x01\x02\x03\x04\x60\x60\x60"));
        assert!(!is_sound(b"\x81\x83\x01\x02\x03\x04\xff\x60\x60"));
        assert!(is_sound(b"\x82\x02\xff\xff") && !is_sound(b"\x88\x02\0\x01"));
        assert!(is_masked(b"\x81\x83\x01\x02\x03\x04") && !is_masked(b"\x81\x03abc"));
    }

    /// A frame of a client with this text.
    fn masked(text: &[u8]) -> Vec<u8> {
        let len = u8::try_from(text.len()).unwrap();
        let key = [0x9d, 0x02, 0xf1, 0x77];
        let payload = text.iter().zip(key.iter().cycle()).map(|(o, k)| o ^ k);
        [TEXT, len | 0x80]
            .into_iter()
            .chain(key)
            .chain(payload)
            .collect()
    }

    #[test]
    fn frames_are_known_without_their_upgrade_by_masked_text() {
        let search = |octets: &[u8], more| WebsocketDetector.search(octets, false, more);
        let long = masked(b"{\"id\": 17, \"method\": \"subscribe\"}");
        let before = b"\x81\x05hello\x81\xfe the tail of another one ";
        let octets = [&before[..], &long].concat();
        assert_eq!(search(&octets, true), Found::At(before.len()));
        // Several short ones are as good; one alone is waited behind, and proves nothing.
        let short = masked(b"ping 1");
        assert_eq!(search(&short.repeat(3), true), Found::At(0));
        assert_eq!(search(&short, true), Found::Nowhere { keep: 0 });
        let n = short.len();
        assert_eq!(search(&short, false), Found::Nowhere { keep: n });
        // What is not masked, or no text, is not taken for it.
        let mut other = long;
        other[10] ^= 0x80;
        let n = other.len();
        assert_eq!(search(&other, true), Found::Nowhere { keep: n });
        let plain = b"\x81\x1eplain text of a server in a row";
        assert_eq!(search(plain, true), Found::Nowhere { keep: plain.len() });
    }

    #[test]
    fn lengths_are_read_in_their_shortest_form() {
        let len = |second: u8, field: &[u8]| whole_len(&[&[0x82, second], field].concat());
        assert_eq!(len(125, &[]), Some(Some(127)));
        assert_eq!(len(0x80, &[]), Some(Some(6)));
        assert_eq!(len(126, &[0]), None);
        assert_eq!(len(126, &[0, 126]), Some(Some(130)));
        assert_eq!(len(126, &[0, 125]), Some(None), "not the shortest form");
        let eight = |n: u64| len(127, &n.to_be_bytes());
        assert_eq!(eight(0x1_0000), Some(Some(0x1_000a)));
        assert_eq!(eight(0xffff), Some(None));
        assert_eq!(eight(u64::MAX), Some(None));
    }
}
