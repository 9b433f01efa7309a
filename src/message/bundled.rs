//! SCTP user messages from the inside: the messages that one carries, and a few words on each.
//!
//! One user message is one message of its protocol, but for Diameter and M2PA, of which it may carry several (RFC 6733,
//! 2.1; RFC 4165): each tells its length in its header.

use super::ran_procedures;
use std::fmt::Write as _;

/// A message that stands in a user message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// Offset of its first octet in the user message.
    pub offset: usize,
    /// Octets that it has by its header.
    pub len: u64,
    /// Its octets, as far as they are there.
    pub data: &'a [u8],
}

/// The messages in a user message, in order. What has no header that can be believed is one message to the end.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    length: fn(&[u8]) -> Option<u64>,
    offset: usize,
    rest: &'a [u8],
}

/// The messages in the octets of a user message; None where the protocol puts one message into each.
pub fn messages<'a>(protocol: &str, data: &'a [u8]) -> Option<Messages<'a>> {
    let length = match protocol {
        "diameter" => diameter_length,
        "m2pa" => m2pa_length,
        _ => return None,
    };
    Some(Messages {
        length,
        offset: 0,
        rest: data,
    })
}

impl<'a> Iterator for Messages<'a> {
    type Item = Carried<'a>;

    fn next(&mut self) -> Option<Carried<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let len = (self.length)(self.rest).unwrap_or(self.rest.len() as u64);
        let here = usize::try_from(len).map_or(self.rest.len(), |n| n.min(self.rest.len()));
        let (data, rest) = self.rest.split_at(here);
        let found = Carried {
            offset: self.offset,
            len,
            data,
        };
        self.offset += here;
        self.rest = rest;
        Some(found)
    }
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    let octets = b.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    let octets = b.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(octets.try_into().ok()?))
}

/// Version 1, three octets of length, header included (RFC 6733, 3).
fn diameter_length(b: &[u8]) -> Option<u64> {
    let word = u32_at(b, 0)?;
    let len = word & 0x00ff_ffff;
    (word >> 24 == 1 && len >= 20 && len % 4 == 0).then_some(len.into())
}

/// Version 1, class 11, four octets of length, header included (RFC 4165, 2.1).
fn m2pa_length(b: &[u8]) -> Option<u64> {
    let len = u32_at(b, 4)?;
    (b.first() == Some(&1) && b.get(2) == Some(&11) && len >= 8).then_some(len.into())
}

/// Diameter messages in a row and nothing else: what the PPID does not say.
pub(super) fn is_diameter(data: &[u8], whole: bool) -> bool {
    // The last four bits of the flags are reserved (RFC 6733, 3).
    let holds = |m: &Carried<'_>| {
        diameter_length(m.data).is_some()
            && m.data.get(4).is_some_and(|flags| flags & 0x0f == 0)
            && (m.len == m.data.len() as u64 || !whole)
    };
    let mut all = messages("diameter", data).into_iter().flatten().peekable();
    all.peek().is_some() && all.all(|m| holds(&m))
}

/// M2PA messages in a row.
pub(super) fn is_m2pa(data: &[u8], whole: bool) -> bool {
    let holds =
        |m: &Carried<'_>| m2pa_length(m.data).is_some() && (m.len == m.data.len() as u64 || !whole);
    let mut all = messages("m2pa", data).into_iter().flatten().peekable();
    all.peek().is_some() && all.all(|m| holds(&m))
}

/// A message of a user adaptation layer (RFC 4666, 3.1); its length may leave out the padding of its last parameter.
pub(super) fn is_adaptation(data: &[u8], whole: bool) -> bool {
    let (Some(&[1, 0, class, _]), Some(len)) = (data.first_chunk(), u32_at(data, 4)) else {
        return false;
    };
    let (len, there) = (u64::from(len), data.len() as u64);
    class < 16 && len >= 8 && (len == there || len.next_multiple_of(4) == there || !whole)
}

/// A message of an application protocol of 3GPP in aligned PER: kind, procedure, criticality, and a length that holds.
pub(super) fn is_elementary(data: &[u8], whole: bool) -> bool {
    let Some((&[0x00 | 0x20 | 0x40, _, 0x00 | 0x40 | 0x80], rest)) = data.split_first_chunk()
    else {
        return false;
    };
    // Aligned PER, 10.9: one octet, or two behind the bits 10. Fragments of 16 Ki (11) are not looked into.
    let (len, rest) = match *rest {
        [a, ref rest @ ..] if a < 0x80 => (usize::from(a), rest),
        [a, b, ref rest @ ..] if a < 0xc0 => (usize::from(a & 0x3f) << 8 | usize::from(b), rest),
        _ => return false,
    };
    len >= 3 && (len == rest.len() || (!whole && len > rest.len()))
}

/// The most messages of one user message that a summary names.
const NAMED: usize = 8;

/// Appends a few words on a message of a protocol that SCTP carries; false where nothing is known of it.
pub(super) fn summary(protocol: &str, data: &[u8], out: &mut String) -> bool {
    match protocol {
        "diameter" | "m2pa" => {
            let one = if protocol == "diameter" {
                diameter
            } else {
                m2pa
            };
            let begin = out.len();
            let mut more = 0;
            for (n, m) in messages(protocol, data).into_iter().flatten().enumerate() {
                if n >= NAMED {
                    more += 1;
                    continue;
                }
                if n > 0 {
                    out.push_str(" + ");
                }
                if one(m.data, out).is_none() {
                    if n == 0 {
                        out.truncate(begin);
                        return false;
                    }
                    let _ = write!(out, "{} octets", m.data.len());
                }
            }
            if more > 0 {
                let _ = write!(out, " + {more} more");
            }
            out.len() > begin
        }
        "m3ua" | "m2ua" | "sua" | "iua" | "v5ua" | "dua" => adaptation(data, out).is_some(),
        "s1ap" | "x2ap" | "ngap" | "xnap" | "f1ap" | "e1ap" | "w1ap" | "m2ap" | "m3ap"
        | "ranap" | "rnsap" | "nbap" | "hnbap" | "rua" | "sbcap" | "lppa" | "nrppa" => {
            elementary(protocol, data, out).is_some()
        }
        _ => false,
    }
}

/// Command, application, what the flags say, and the result (RFC 6733, 3).
fn diameter(b: &[u8], out: &mut String) -> Option<()> {
    diameter_length(b)?;
    let word = u32_at(b, 4)?;
    let application = u32_at(b, 8)?;
    let code = word & 0x00ff_ffff;
    let way = if word >> 31 == 1 { "Request" } else { "Answer" };
    let name = match code {
        257 => "Capabilities-Exchange",
        258 => "Re-Auth",
        265 => "AA",
        268 => "Diameter-EAP",
        271 => "Accounting",
        272 => "Credit-Control",
        274 => "Abort-Session",
        275 => "Session-Termination",
        280 => "Device-Watchdog",
        282 => "Disconnect-Peer",
        300 => "User-Authorization",
        301 => "Server-Assignment",
        302 => "Location-Info",
        303 => "Multimedia-Auth",
        304 => "Registration-Termination",
        305 => "Push-Profile",
        306 => "User-Data",
        307 => "Profile-Update",
        308 => "Subscribe-Notifications",
        309 => "Push-Notification",
        316 => "Update-Location",
        317 => "Cancel-Location",
        318 => "Authentication-Information",
        319 => "Insert-Subscriber-Data",
        320 => "Delete-Subscriber-Data",
        321 => "Purge-UE",
        322 => "Reset",
        323 => "Notify",
        324 => "ME-Identity-Check",
        _ => "command",
    };
    let _ = write!(out, "{name} {way} ({code})");
    let _ = match application_name(application) {
        Some(known) => write!(out, ", {known} ({application})"),
        None => write!(out, ", application {application}"),
    };
    if let Some(result) = diameter_result(b.get(20..)?) {
        let _ = write!(out, ", result {result}");
    }
    for (bit, text) in [(1 << 29, ", error"), (1 << 28, ", retransmitted")] {
        if word & bit != 0 {
            out.push_str(text);
        }
    }
    Some(())
}

/// What operators call an application (IANA, "AAA Parameters").
const fn application_name(id: u32) -> Option<&'static str> {
    Some(match id {
        0 => "base",
        1 => "NASREQ",
        3 => "accounting",
        4 => "Gy",
        5 => "EAP",
        16_777_216 => "Cx",
        16_777_217 => "Sh",
        16_777_236 => "Rx",
        16_777_238 => "Gx",
        16_777_250 => "STa",
        16_777_251 => "S6a",
        16_777_252 => "S13",
        16_777_255 => "SLg",
        16_777_264 => "SWm",
        16_777_265 => "SWx",
        16_777_266 => "Gxx",
        16_777_267 => "S9",
        16_777_272 => "S6b",
        16_777_291 => "SLh",
        16_777_303 => "Sd",
        16_777_308 => "S7a",
        16_777_312 => "S6c",
        16_777_313 => "SGd",
        16_777_345 => "S6t",
        16_777_346 => "T6a",
        u32::MAX => "relay",
        _ => return None,
    })
}

/// The value of Result-Code, or of Experimental-Result-Code, among these AVPs (RFC 6733, 4.1, 7.1, 7.6).
fn diameter_result(mut avps: &[u8]) -> Option<u32> {
    loop {
        let (code, word) = (u32_at(avps, 0)?, u32_at(avps, 4)?);
        let head = if word >> 31 == 1 { 12 } else { 8 };
        let len = usize::try_from(word & 0x00ff_ffff).ok()?;
        match code {
            268 | 298 => return u32_at(avps, head),
            // Grouped: what is inside is looked at next.
            297 => avps = avps.get(head..)?,
            _ => avps = avps.get(len.max(head).next_multiple_of(4)..)?,
        }
    }
}

/// Type, sequence numbers or status (RFC 4165, 2).
fn m2pa(b: &[u8], out: &mut String) -> Option<()> {
    m2pa_length(b)?;
    let backward = u32_at(b, 8)? & 0x00ff_ffff;
    let forward = u32_at(b, 12)? & 0x00ff_ffff;
    let _ = match b.get(3)? {
        1 => write!(out, "User Data FSN {forward} BSN {backward}"),
        2 => {
            let state = match u32_at(b, 16) {
                Some(1) => "Alignment",
                Some(2) => "Proving Normal",
                Some(3) => "Proving Emergency",
                Some(4) => "Ready",
                Some(5) => "Processor Outage",
                Some(6) => "Processor Recovered",
                Some(7) => "Busy",
                Some(8) => "Busy Ended",
                Some(9) => "Out of Service",
                _ => "unknown",
            };
            write!(out, "Link Status {state}")
        }
        kind => write!(out, "type {kind}"),
    };
    Some(())
}

/// The user adaptation layers have one header (RFC 4666, 3.1): version, class, type, length.
fn adaptation(b: &[u8], out: &mut String) -> Option<()> {
    if b.first() != Some(&1) || u32_at(b, 4)? < 8 {
        return None;
    }
    let (class, kind) = (*b.get(2)?, *b.get(3)?);
    let name = match (class, kind) {
        (0, 0) => "ERR",
        (0, 1) => "NTFY",
        (1, 1) => "DATA",
        (2, 1) => "DUNA",
        (2, 2) => "DAVA",
        (2, 3) => "DAUD",
        (2, 4) => "SCON",
        (2, 5) => "DUPU",
        (2, 6) => "DRST",
        (3, 1) => "ASPUP",
        (3, 2) => "ASPDN",
        (3, 3) => "BEAT",
        (3, 4) => "ASPUP ACK",
        (3, 5) => "ASPDN ACK",
        (3, 6) => "BEAT ACK",
        (4, 1) => "ASPAC",
        (4, 2) => "ASPIA",
        (4, 3) => "ASPAC ACK",
        (4, 4) => "ASPIA ACK",
        (6, 1) => "MAUP DATA",
        (7, 1) => "CLDT",
        (7, 2) => "CLDR",
        (8, 1) => "CORE",
        (8, 2) => "COAK",
        (8, 3) => "COREF",
        (8, 4) => "RELRE",
        (8, 5) => "RELCO",
        (8, 6) => "RESCO",
        (8, 7) => "RESRE",
        (8, 8) => "CODT",
        (8, 9) => "CODA",
        (8, 10) => "COERR",
        (8, 11) => "COIT",
        (9, 1) => "REG REQ",
        (9, 2) => "REG RSP",
        (9, 3) => "DEREG REQ",
        (9, 4) => "DEREG RSP",
        _ => {
            let _ = write!(out, "class {class} type {kind}");
            return Some(());
        }
    };
    out.push_str(name);
    if (class, kind) == (1, 1) {
        // Protocol Data: point codes and the service (RFC 4666, 3.3.1).
        let mut rest = b.get(8..)?;
        while let (Some(tag), Some(len)) = (u16_at(rest, 0), u16_at(rest, 2)) {
            if tag == 0x0210 {
                let (from, to) = (u32_at(rest, 4), u32_at(rest, 8));
                if let (Some(from), Some(to), Some(&service)) = (from, to, rest.get(12)) {
                    let _ = write!(out, " {from} > {to} ");
                    let _ = match service_name(service) {
                        Some(name) => write!(out, "{name}"),
                        None => write!(out, "service {service}"),
                    };
                }
                break;
            }
            let next = usize::from(len.max(4)).next_multiple_of(4);
            rest = rest.get(next..).unwrap_or_default();
        }
    }
    Some(())
}

/// The user part that a service indicator names (ITU-T Q.704, 14.2.1).
const fn service_name(indicator: u8) -> Option<&'static str> {
    Some(match indicator {
        0 => "SNM",
        1 | 2 => "SNT",
        3 => "SCCP",
        4 => "TUP",
        5 => "ISUP",
        6 | 7 => "DUP",
        9 => "B-ISUP",
        10 => "SAT-ISUP",
        12 => "AAL2",
        13 => "BICC",
        14 => "GCP",
        _ => return None,
    })
}

/// The application protocols of 3GPP begin with which kind of message of which elementary procedure it is, in aligned
/// PER (3GPP TS 36.413, 9.3.2).
fn elementary(protocol: &str, b: &[u8], out: &mut String) -> Option<()> {
    let (first, procedure) = (*b.first()?, *b.get(1)?);
    let kind = match first {
        0x00 => "initiatingMessage",
        0x20 => "successfulOutcome",
        0x40 => "unsuccessfulOutcome",
        0x60 => "outcome",
        _ => return None,
    };
    let Some(name) = ran_procedures::name(protocol, procedure) else {
        let _ = write!(out, "{kind} procedure {procedure}");
        return Some(());
    };
    let _ = write!(out, "{kind} {name}");
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diameter_message(code: u32, request: bool, len: usize) -> Vec<u8> {
        let mut m = (1 << 24 | u32::try_from(len).unwrap())
            .to_be_bytes()
            .to_vec();
        m.extend((u32::from(request) << 31 | code).to_be_bytes());
        m.extend(16_777_238u32.to_be_bytes());
        m.resize(len, 7);
        m
    }

    #[test]
    fn a_user_message_carries_several() {
        let (a, b) = (
            diameter_message(272, true, 40),
            diameter_message(272, false, 24),
        );
        let both = [&a[..], &b].concat();
        let m2pa = [1, 0, 11, 1, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 5, 9, 9, 9, 9];
        let twice = [m2pa, m2pa].concat();
        // (protocol, octets, offset, length and octets of each)
        type Row<'a> = (&'a str, &'a [u8], &'a [(usize, u64, usize)]);
        let table: &[Row<'_>] = &[
            ("diameter", &both, &[(0, 40, 40), (40, 24, 24)]),
            ("diameter", &both[..50], &[(0, 40, 40), (40, 24, 10)]),
            ("diameter", &both[..43], &[(0, 40, 40), (40, 3, 3)]),
            ("diameter", &both[..60], &[(0, 40, 40), (40, 24, 20)]),
            ("diameter", b"none of it", &[(0, 10, 10)]),
            ("diameter", &[], &[]),
            ("diameter", &[1, 0, 0, 0, 0], &[(0, 5, 5)]),
            ("m2pa", &twice, &[(0, 20, 20), (20, 20, 20)]),
            ("m2pa", &twice[..30], &[(0, 20, 20), (20, 20, 10)]),
        ];
        for (protocol, octets, expected) in table {
            let found: Vec<_> = messages(protocol, octets)
                .unwrap()
                .map(|m| {
                    assert_eq!(&octets[m.offset..m.offset + m.data.len()], m.data);
                    (m.offset, m.len, m.data.len())
                })
                .collect();
            assert_eq!(&found[..], *expected, "{protocol} {octets:?}");
        }
        assert!(messages("m3ua", &twice).is_none());
    }

    #[test]
    fn a_few_words() {
        let mut many = Vec::new();
        for _ in 0..10 {
            many.extend(diameter_message(280, false, 20));
        }
        let two = [
            diameter_message(272, true, 40),
            diameter_message(9, false, 24),
        ]
        .concat();
        let m3ua = [
            1, 0, 1, 1, 0, 0, 0, 40, 0, 6, 0, 8, 0, 0, 0, 1, 2, 0x10, 0, 24, 0, 0, 1, 2, 0, 0, 3,
            4, 3, 2, 0, 1,
        ];
        // Experimental-Result behind an AVP of nine octets.
        let words: [u32; 15] = [
            1 << 24 | 60,
            0x2000_0000 | 316,
            16_777_251,
            1,
            1,
            263,
            0x40 << 24 | 9,
            0x6100_0000,
            297,
            0x40 << 24 | 28,
            266,
            0x40 << 24 | 8,
            298,
            0x40 << 24 | 12,
            5004,
        ];
        let failed = words.map(u32::to_be_bytes).concat();
        let table: &[(&str, &[u8], &str)] = &[
            ("m3ua", &m3ua[..36.min(m3ua.len())], "DATA 258 > 772 SCCP"),
            ("m3ua", &[1, 0, 3, 1, 0, 0, 0, 8], "ASPUP"),
            ("m3ua", &[1, 0, 77, 1, 0, 0, 0, 8], "class 77 type 1"),
            ("m3ua", &[2, 0, 3, 1, 0, 0, 0, 8], ""),
            ("m3ua", &[1], ""),
            ("ngap", &[0, 21, 0], "initiatingMessage NGSetup"),
            ("s1ap", &[0x20, 17], "successfulOutcome S1Setup"),
            ("xnap", &[0x40, 200], "unsuccessfulOutcome procedure 200"),
            ("f1ap", &[0, 1], "initiatingMessage F1Setup"),
            ("ranap", &[0x60, 0], "outcome RAB-Assignment"),
            ("ngap", &[0x80, 21], ""),
            (
                "diameter",
                &two,
                "Credit-Control Request (272), Gx (16777238) + command Answer (9), Gx (16777238)",
            ),
            (
                "diameter",
                &failed,
                "Update-Location Answer (316), S6a (16777251), result 5004, error",
            ),
            ("diameter", &[0; 30], ""),
            ("data", &m3ua, ""),
        ];
        for (protocol, octets, expected) in table {
            let mut out = String::new();
            let known = summary(protocol, octets, &mut out);
            assert_eq!((out.as_str(), known), (*expected, !expected.is_empty()));
        }
        let mut out = String::new();
        assert!(summary("diameter", &many, &mut out));
        assert_eq!(out.matches("Device-Watchdog Answer (280)").count(), 8);
        assert!(out.ends_with(" + 2 more"), "{out}");
    }
}
