//! TLS (RFC 8446, 5.1; RFC 5246, 6.2): a message is a record, or as many records as a handshake message in clear needs.

use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, BodyPart, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::length::{self, CHAIN, Classified, LengthFormat, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use std::fmt::Write as _;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

/// Octets of a record's header.
const HEADER: usize = 5;
/// Octets of a record's fragment, at most: 2^14, and 2,048 for expansion (RFC 5246, 6.2.3).
const FRAGMENT: u64 = (1 << 14) + 2048;
/// A handshake message longer than this is none.
// Certificate chains have tens of kilobytes. Half would still hold them; without a bound a false
// length of three octets would be followed for 16 MiB.
const LONGEST: u64 = 1 << 18;
/// A record with fewer octets is not taken for the beginning of a handshake message that goes on in the next one.
// What ends a handshake behind the change of the cipher is encrypted and has 40 to 80; implementations split at 512 or more.
const SPLIT: u64 = 128;
// Three records of full size are 50 KiB, so a chain is always decided within this.
const HOLD: usize = 256 << 10;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "tls",
    aliases: &["ssl", "https"],
    about: "TLS records (RFC 8446, RFC 5246)",
    ports: &[
        443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 5061, 5671, 8443, 8883,
    ],
    summary: Some(summary),
    fields: Some(fields),
    field_names: &["record", "handshake", "version", "sni"],
    interrupts: Some(|octets| octets.starts_with(&[HANDSHAKE, 3]) && begins(octets) == Probe::Yes),
    ..ProtocolRow::NONE
};

/// Ports of protocols over TLS, and theirs without it (IANA, "Service Name and Transport Protocol Port Number Registry").
pub(super) const PLAIN_PORTS: &[(u16, u16)] = &[
    (443, 80),
    (465, 25),
    (563, 119),
    (636, 389),
    (853, 53),
    (989, 20),
    (990, 21),
    (992, 23),
    (993, 143),
    (994, 6667),
    (995, 110),
    (5061, 5060),
    (5671, 5672),
    (8443, 80),
    (8883, 1883),
];

/// Recognises TLS.
pub(crate) struct TlsDetector;

/// A record.
struct Record {
    /// Its direction is encrypted, and a change of the cipher may be too, where keys are agreed on anew (RFC 5246, 7.1).
    sealed: bool,
}

/// One in clear, and one that may be encrypted.
const CLEAR: Record = Record { sealed: false };
const SEALED: Record = Record { sealed: true };

impl LengthFormat for Record {
    fn scan(&self) -> Scan<'_> {
        // The major version is 3 in every version of TLS.
        Scan::Octets(1, &[3])
    }

    fn is_sure(&self, header: &[u8]) -> bool {
        Strict.classify(header) != Classified::No
    }

    fn wants(&self, _: &[u8]) -> usize {
        HEADER
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        let kind = octet(octets, 0);
        let known = matches!(kind, CHANGE_CIPHER_SPEC..=HEARTBEAT);
        if octets.is_empty() {
            return Classified::More;
        }
        // Minor versions 0 to 4: SSL 3.0 to TLS 1.3 (which writes 3, and in a ClientHello 1).
        if !known || octets.get(1).is_some_and(|o| *o != 3) || octet(octets, 2) > 4 {
            return Classified::No;
        }
        if octets.len() < HEADER {
            return Classified::More;
        }
        let len = number(octets, 3, 2);
        let sound = match kind {
            // One octet by definition (RFC 8446, 5); this is where most false headers fail.
            CHANGE_CIPHER_SPEC if self.sealed && matches!(octet(octets, 2), 1..=3) => {
                len == 1 || (17..=255).contains(&len)
            }
            CHANGE_CIPHER_SPEC => len == 1,
            // In clear two octets; encrypted ones have a few dozen.
            ALERT => (2..256).contains(&len),
            _ => (1..=FRAGMENT).contains(&len),
        };
        Classified::sized(len + HEADER as u64, sound)
    }

    fn follows(&self, first: &[u8], second: &[u8]) -> bool {
        // The version does not change, but behind the first ClientHello.
        octet(first, 0) == HANDSHAKE || first.get(1..3) == second.get(1..3) || second.len() < 3
    }

    fn chain(&self) -> usize {
        CHAIN
    }
}

/// A record with handshake messages, in clear or not.
pub(super) fn is_handshake(octets: &[u8]) -> bool {
    octets.first() == Some(&HANDSHAKE)
}

/// A record that begins a connection: a hello, or an alert in its place.
fn begins(octets: &[u8]) -> Probe {
    match CLEAR.classify(octets) {
        Classified::No => Probe::No,
        Classified::Message(len) if octet(octets, 0) == HANDSHAKE => match octets.get(HEADER..9) {
            None if octets.len() < 9 => Probe::More,
            Some([1 | 2, 0, hi, lo]) => {
                // The message is as long as the record, or goes on in the next one.
                let hello = u64::from(u16::from_be_bytes([*hi, *lo])) + 4;
                // The shortest hello has version, random, session, ciphers and compression: 38
                // octets.
                let whole = hello + HEADER as u64 <= len;
                let fits = hello >= 38 && (whole || len > 512);
                if hello >= 38 && !fits {
                    // Few octets of it, as those send who do not want to be read on the way: more of them follow.
                    let next = usize::try_from(len).ok().and_then(|len| octets.get(len..));
                    return match next {
                        Some([HANDSHAKE, 3, 0..=4, ..]) if octets.get(9) == Some(&3) => Probe::Yes,
                        Some([_, _, _, ..]) => Probe::No,
                        _ => Probe::More,
                    };
                }
                let version = octets.get(9).is_none_or(|o| *o == 3);
                if fits && version {
                    Probe::Yes
                } else {
                    Probe::No
                }
            }
            _ => Probe::No,
        },
        // An alert of seven octets with a level of 1 or 2, in place of a hello.
        Classified::Message(7) if octets.get(HEADER).is_some_and(|o| matches!(o, 1 | 2)) => {
            Probe::Yes
        }
        Classified::More if octet(octets, 0) == HANDSHAKE => Probe::More,
        _ => Probe::No,
    }
}

impl Detector for TlsDetector {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        match begins(octets) {
            // Behind a handshake that was not captured, or that somebody has written anew, records follow.
            Probe::No if hinted => length::chain_begins(&Strict, octets, HOLD),
            Probe::No => length::chain_anywhere(&Strict, octets, HOLD),
            probe => probe,
        }
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        let next = if more {
            Following::Octets
        } else {
            Following::End
        };
        // Behind a gap in a tunnel, say: records in a row are enough.
        if hinted {
            return length::search(&CLEAR, octets, next, HOLD, |_| false);
        }
        length::search(&Strict, octets, next, 4 * HOLD, |_| false)
    }

    fn fills(&self, octets: &[u8]) -> bool {
        length::fills(&Strict, octets)
    }

    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        let record = matches!(Strict.classify(octets), Classified::Message(_));
        hinted && ends == DoubtEnds::NoMore && record
    }

    fn needs(&self, octets: &[u8], _: bool) -> usize {
        length::needs(&Strict, octets, 4 * HOLD)
    }
}

/// A record where nothing says yet that the connection speaks TLS.
struct Strict;

impl LengthFormat for Strict {
    fn scan(&self) -> Scan<'_> {
        CLEAR.scan()
    }

    fn wants(&self, octets: &[u8]) -> usize {
        CLEAR.wants(octets)
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        match CLEAR.classify(octets) {
            Classified::Message(_)
                // Where nothing else says that this is TLS, a handshake has to be a hello.
                if octet(octets, 0) == HANDSHAKE && begins(octets) == Probe::No =>
            {
                Classified::No
            }
            // SSL 3.0 is gone, and a zero octet is common.
            Classified::Message(_) if octet(octets, 2) == 0 => Classified::No,
            judged => judged,
        }
    }

    fn follows(&self, first: &[u8], second: &[u8]) -> bool {
        CLEAR.follows(first, second)
    }

    fn chain(&self) -> usize {
        CHAIN
    }

    fn min_chain(&self) -> usize {
        // One record that fills a segment is met by chance in binary protocols.
        2
    }
}

/// Frames one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tls {
    /// Each direction: what it sends is encrypted, or may be.
    encrypted: [bool; 2],
    /// Octets of a handshake message that stand in the records to come.
    left: [u64; 2],
    /// Of these records, the first one's octets that were not there when its message began.
    rest: [u64; 2],
}

impl Tls {
    /// How many octets the handshake messages of a record lack at its end; None where they are not to be read.
    fn lacking(fragment: &[u8]) -> Option<u64> {
        let mut rest = fragment;
        while !rest.is_empty() {
            if rest.len() < 4 {
                // A header that is cut cannot be read: the message is then taken to end with the
                // record.
                return None;
            }
            let known = matches!(octet(rest, 0), 0..=5 | 8 | 11..=16 | 20..=25);
            let len = number(rest, 1, 3) + 4;
            // Encrypted handshakes look like this: their type is random, so they are framed record
            // by record.
            if !known || len > LONGEST {
                return None;
            }
            match usize::try_from(len).ok().and_then(|len| rest.get(len..)) {
                Some(tail) => rest = tail,
                None => return Some(len - rest.len() as u64),
            }
        }
        Some(0)
    }
}

impl Framer for Tls {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        let record = Record {
            sealed: self.encrypted[d],
        };
        let classified = record.classify(octets);
        let Classified::Message(len) = classified else {
            let short = classified == Classified::More && at.next == Following::Octets;
            return if short {
                Begin::NeedMore
            } else {
                Begin::Refuse
            };
        };
        let there = octets.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let kind = octet(octets, 0);
        let changes = kind == CHANGE_CIPHER_SPEC;
        let seals = changes || kind == APPLICATION_DATA;
        // A change is waited with also in a stream from the middle, which may be encrypted from its start, and where keys change once more.
        if (changes || seals && !self.encrypted[d])
            && let Some(until) = at.wait_for_other()
        {
            // What it is encrypted with was agreed on before, by what the other side has said.
            return Begin::Wait(until);
        }
        if kind == HANDSHAKE && !self.encrypted[d] {
            // Later ones are encrypted, and nothing in them can be read.
            // Its inside says whether the next record belongs to it.
            if there < HEADER + 4 && len >= HEADER as u64 + 4 && at.next == Following::Octets {
                return Begin::NeedMore;
            }
            let whole = there as u64 == len;
            let first = number(octets, HEADER + 1, 3) + 4;
            // The first message is longer than its record, so it goes on in the next.
            let long = first > len - HEADER as u64;
            self.left[d] = match Self::lacking(&octets[HEADER.min(there)..there]) {
                None => 0,
                Some(lacking) if whole => lacking,
                // A record that is not all here: only its first message is known.
                Some(_) if long => first - (len - HEADER as u64),
                Some(_) if at.next == Following::Octets => return Begin::NeedMore,
                Some(_) => 0,
            };
        } else {
            self.left[d] = 0;
        }
        // From here on this direction sends ciphertext, whatever the record type says.
        self.encrypted[d] |= seals;
        let direct = match (kind, octet(octets, HEADER)) {
            (HANDSHAKE, 1) => Kind::Request,
            (HANDSHAKE, 2) => Kind::Response,
            _ => Kind::Other,
        };
        let body = len - there as u64;
        self.rest[d] = if self.left[d] > 0 { body } else { 0 };
        Begin::Message {
            kind: direct,
            head: there,
            body: if self.left[d] == 0 {
                MessageBody::Octets(body)
            } else {
                MessageBody::Parts
            },
            hand_over: false,
        }
    }

    /// What is left of the first record, then records until the handshake message is complete.
    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        let rest = std::mem::take(&mut self.rest[d]);
        if rest > 0 {
            return BodyPart::Octets(rest);
        }
        match CLEAR.classify(octets) {
            Classified::Message(len) if octet(octets, 0) == HANDSHAKE => {
                let inside = len - HEADER as u64;
                // Saturating: a last record may hold the beginning of another message.
                self.left[d] = self.left[d].saturating_sub(inside);
                if self.left[d] == 0 {
                    BodyPart::Last(len)
                } else {
                    BodyPart::Octets(len)
                }
            }
            Classified::More if at.next == Following::Octets => BodyPart::NeedMore,
            _ => BodyPart::Refuse,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        length::search(&SEALED, octets, at.next, HOLD, |i| at.segment(i))
    }

    fn needs(&self, octets: &[u8]) -> usize {
        length::needs(&SEALED, octets, HOLD)
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        // What was lost may have been the change of the cipher.
        self.encrypted[d] = true;
        self.left[d] = 0;
        self.rest[d] = 0;
    }
}

/// Names of handshake messages (RFC 8446, 4; RFC 5246, 7.4).
const HANDSHAKES: &[(u64, &str)] = &[
    (0, "HelloRequest"),
    (1, "ClientHello"),
    (2, "ServerHello"),
    (4, "NewSessionTicket"),
    (8, "EncryptedExtensions"),
    (11, "Certificate"),
    (12, "ServerKeyExchange"),
    (13, "CertificateRequest"),
    (14, "ServerHelloDone"),
    (15, "CertificateVerify"),
    (16, "ClientKeyExchange"),
    (20, "Finished"),
    (22, "CertificateStatus"),
    (24, "KeyUpdate"),
    (25, "CompressedCertificate"),
];

/// Names of records.
const RECORDS: &[(u64, &str)] = &[
    (20, "change cipher spec"),
    (21, "alert"),
    (22, "handshake"),
    (23, "application data"),
    (24, "heartbeat"),
];

/// The level and the description of an alert in clear (RFC 8446, 6): one that is encrypted is longer.
fn alert(m: &[u8]) -> Option<(bool, u8)> {
    match m {
        [ALERT, _, _, 0, 2, level @ (1 | 2), description, ..] => Some((*level == 2, *description)),
        _ => None,
    }
}

/// What an alert says (IANA, "TLS Alerts").
const ALERTS: &[(u64, &str)] = &[
    (0, "close notify"),
    (10, "unexpected message"),
    (20, "bad record MAC"),
    (22, "record overflow"),
    (40, "handshake failure"),
    (42, "bad certificate"),
    (43, "unsupported certificate"),
    (44, "certificate revoked"),
    (45, "certificate expired"),
    (46, "certificate unknown"),
    (47, "illegal parameter"),
    (48, "unknown CA"),
    (49, "access denied"),
    (50, "decode error"),
    (51, "decrypt error"),
    (70, "protocol version"),
    (71, "insufficient security"),
    (80, "internal error"),
    (86, "inappropriate fallback"),
    (90, "user canceled"),
    (100, "no renegotiation"),
    (109, "missing extension"),
    (110, "unsupported extension"),
    (112, "unrecognized name"),
    (113, "bad certificate status response"),
    (115, "unknown PSK identity"),
    (116, "certificate required"),
    (120, "no application protocol"),
];

/// The handshake message in clear that a record begins with.
fn handshake(m: &[u8]) -> Option<(u64, &'static str)> {
    let message = u64::from(octet(m, 5));
    let known = octet(m, 0) == HANDSHAKE && number(m, 6, 3) < LONGEST && fits(m);
    let found = HANDSHAKES.iter().find(|(n, _)| *n == message);
    found.copied().filter(|_| known)
}

/// The length of a handshake message fits its record. Behind the change of the cipher a record begins with octets that say nothing:
/// often with a counter, whose zeros are no HelloRequest (RFC 5246, 7.4.1.1: it is empty, and stands alone).
fn fits(m: &[u8]) -> bool {
    let (message, record) = (number(m, 6, 3) + 4, number(m, 3, 2));
    match octet(m, 5) {
        0 => message == 4 && record == 4,
        // It is whole, or goes on in the next record; a record that is not the last one of it is seldom short.
        _ => message <= record || record >= SPLIT || m.len() as u64 > record + HEADER as u64,
    }
}

fn is_record(m: &[u8]) -> bool {
    m.len() >= 5 && (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&octet(m, 0))
}

/// The record, or its handshake message, with the names and versions of hellos.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    if !is_record(m) {
        return false;
    }
    match handshake(m) {
        Some((_, name)) => out.push_str(name),
        None => {
            // In clear it has two octets.
            if matches!(m, [ALERT, ..]) && number(m, 3, 2) > 2 {
                out.push_str("encrypted ");
            }
            named_number(RECORDS, u64::from(octet(m, 0)), out);
        }
    }
    if let Some((fatal, description)) = alert(m) {
        out.push_str(if fatal { ", fatal: " } else { ", warning: " });
        named_number(ALERTS, description.into(), out);
    }
    if let Some(version) = hello_version(m) {
        let _ = write!(out, ", {version}");
    }
    if let Some(name) = server_name(m) {
        out.push_str(", ");
        escape(name, out);
    }
    true
}

/// What of a record has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    if !is_record(m) {
        return;
    }
    let record = RECORDS.iter().find(|(n, _)| *n == u64::from(octet(m, 0)));
    to.text_if("record", record.map(|(_, name)| name.as_bytes()));
    to.text_if("handshake", handshake(m).map(|(_, name)| name.as_bytes()));
    to.text_if("version", hello_version(m).map(str::as_bytes));
    to.text_if("sni", server_name(m));
}

/// The highest version that a ClientHello offers, or the one that a ServerHello has chosen (RFC 8446, 4.2.1).
fn hello_version(m: &[u8]) -> Option<&'static str> {
    let (hello, _) = handshake(m).filter(|(n, _)| matches!(n, 1 | 2))?;
    let name = |version: u64| {
        Some(match version {
            0x0300 => "SSL 3.0",
            0x0301 => "TLS 1.0",
            0x0302 => "TLS 1.1",
            0x0303 => "TLS 1.2",
            0x0304 => "TLS 1.3",
            _ => return None,
        })
    };
    let listed = extension(m, 43).and_then(|versions| match (hello, versions) {
        (2, [hi, lo]) => Some(u64::from(u16::from_be_bytes([*hi, *lo]))),
        // Values that are reserved for trying servers (RFC 8701) have no name.
        (1, [_, list @ ..]) => list
            .as_chunks()
            .0
            .iter()
            .map(|pair| u64::from(u16::from_be_bytes(*pair)))
            .filter(|version| name(*version).is_some())
            .max(),
        _ => None,
    });
    name(listed.unwrap_or_else(|| number(m, 9, 2)))
}

/// The server's name that a ClientHello asks for (RFC 6066, 3).
fn server_name(m: &[u8]) -> Option<&[u8]> {
    handshake(m).filter(|(n, _)| *n == 1)?;
    let list = extension(m, 0)?;
    let len = usize::try_from(number(list, 3, 2)).ok()?;
    list.get(5..5 + len)
}

/// The octets of an extension of a hello (RFC 8446, 4.1.2, 4.1.3).
fn extension(m: &[u8], wanted: u64) -> Option<&[u8]> {
    let length = |at: usize, width: usize| usize::try_from(number(m, at, width)).ok();
    // Behind record header, message header, version and random.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + length(at, 1)?;
    if octet(m, 5) == 1 {
        at += 2 + length(at, 2)?;
        at += 1 + length(at, 1)?;
    } else {
        // The cipher suite and the compression that were chosen.
        at += 2 + 1;
    }
    let end = at + 2 + length(at, 2)?;
    at += 2;
    while at < end.min(m.len()) {
        let len = length(at + 2, 2)?;
        if number(m, at, 2) == wanted && at + 4 <= m.len() {
            return m.get(at + 4..at + 4 + len);
        }
        at += 4 + len;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(m: &[u8]) -> String {
        let mut out = String::new();
        assert!(summary(Transport::Tcp, m, &mut out));
        out
    }

    /// What is encrypted begins with anything.
    #[test]
    fn a_hello_may_come_in_small_records() {
        let record = |body: &[u8]| {
            [
                &[HANDSHAKE, 3, 1, 0, u8::try_from(body.len()).unwrap()],
                body,
            ]
            .concat()
        };
        let hello = [&[1, 0, 0, 200, 3, 3][..], &[7; 198]].concat();
        let split = [record(&hello[..50]), record(&hello[50..])].concat();
        assert_eq!(begins(&split), Probe::Yes);
        assert_eq!(begins(&split[..40]), Probe::More);
        assert_eq!(begins(&split[..57]), Probe::More);
        let other = [&split[..55], b"GET / HTTP/1.1"].concat();
        assert_eq!(begins(&other), Probe::No);
    }

    #[test]
    fn a_handshake_message_has_the_name_that_its_length_allows() {
        assert_eq!(said(&[22, 3, 3, 0, 4, 0, 0, 0, 0]), "HelloRequest");
        let counter = [&[22, 3, 3, 0, 40][..], &[0; 8], &[0xa5; 32]].concat();
        assert_eq!(said(&counter), "handshake");
        let chance = [&[22, 3, 3, 0, 40, 20, 0, 1, 0][..], &[0xa5; 36]].concat();
        assert_eq!(said(&chance), "handshake");
        let mut fields = MessageFields::default();
        super::fields(Transport::Tcp, Kind::Other, &counter, &mut fields);
        assert!(fields.get("handshake").is_none());
        assert_eq!(said(&[21, 3, 3, 0, 26, 0, 0, 0]), "encrypted alert");
        let done = [22, 3, 3, 0, 4, 14, 0, 0, 0];
        assert_eq!(said(&done), "ServerHelloDone");
        // The first of several in a record, and one that goes on in the next record.
        let two = [&[22, 3, 3, 0, 8, 16, 0, 0, 0][..], &[14, 0, 0, 0]].concat();
        assert_eq!(said(&two), "ClientKeyExchange");
        let begun = [&[22, 3, 3, 2, 0, 11, 0, 9, 0][..], &[7; 508]].concat();
        assert_eq!(said(&begun), "Certificate");
    }
}
