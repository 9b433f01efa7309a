//! DNS (RFC 1035, 4.2.2).

use super::super::fields::MessageFields;
use super::super::length::{LengthProtocol, LengthRow, field, number, octet, response_if};
use super::super::row::{DatagramRow, ProtocolRow, transaction_number};
use super::super::text::{dotted, escape};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dns",
    alpn: &["dot"],
    kind: Some(kind),
    transaction: Some(|transport, m| Some(transaction(m.get(length_len(transport)..)?))),
    short_transaction: Some(short_transaction),
    one_answer: true,
    fields: Some(fields),
    field_names: FIELD_NAMES,
    about: "DNS (RFC 1035, 4.2.2)",
    ports: &[53],
    user_message_summary: Some(summary),
    result_last: true,
    summary: Some(summary),
    #[cfg(test)]
    samples: &[(
        "0013 0007 0100 0001 0000 0000 0000 01610000010001",
        Kind::Request,
    )],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(0, 2),
    add: 2,
    header: 14,
    is_plausible: |m, len| is_plausible(m.get(2..).unwrap_or_default(), len.saturating_sub(2)),
    kind: |m| response_if(octet(m, 4) & 0x80 != 0),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dns;

impl LengthProtocol for Dns {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// The identifier and the question, which an answer repeats (RFC 1035, 4.1.2), in letters of any case. Answers to what is no query need
/// not repeat it (RFC 2136, 3.8).
fn transaction(m: &[u8]) -> u64 {
    let asks = is_query(m) && number(m, 4, 2) > 0;
    let rest = m.get(12..).filter(|_| asks).unwrap_or_default();
    let name = rest.iter().position(|octet| *octet == 0);
    // Name, type and class.
    let question = name.and_then(|end| rest.get(..end + 5));
    transaction_number((m.get(..2), question.map(<[u8]>::to_ascii_lowercase)))
}

/// It is a query, or an answer to one (RFC 1035, 4.1.1).
fn is_query(m: &[u8]) -> bool {
    octet(m, 2) & 0x78 == 0
}

/// The identifier alone, where an answer does not repeat the question: servers leave it out where they refuse, or cannot read it.
fn short_transaction(transport: Transport, kind: Kind, m: &[u8]) -> Option<u64> {
    let m = m.get(length_len(transport)..)?;
    let failed = octet(m, 3) & 15 != 0 && number(m, 4, 2) == 0;
    (m.len() >= HEADER && is_query(m) && (kind == Kind::Request || failed)).then(|| number(m, 0, 2))
}

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "DNS (RFC 1035)",
    ports: &[53],
    is_plausible: |m| is_plausible(m, m.len() as u64) || m.len() < 12 || octet(m, 2) & 0x80 != 0,
};

/// A header of DNS (RFC 1035, 4.1.1), of a message of so many octets.
pub(super) fn is_plausible(m: &[u8], len: u64) -> bool {
    let Some(header) = m.first_chunk::<HEADER>() else {
        return false;
    };
    // It is read for every datagram of its port.
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (flags, questions) = (word(2), u64::from(word(4)));
    let answers = flags & 0x8000 != 0;
    let opcode = flags >> 11 & 0xf;
    let known = matches!(opcode, 0..=2 | 4..=6) && flags & 0x0040 == 0;
    let records = u64::from(word(6)) + u64::from(word(8)) + u64::from(word(10));
    // A question takes five octets and a record eleven, at least.
    let room = 12 + 5 * questions + 11 * records <= len;
    // An inverse query has its question among the answers (RFC 1035, 6.4).
    let asks = questions > 0 || answers || (opcode == 1 && records > 0);
    known && room && (questions <= 1 || opcode == 0) && asks
}

/// Over TCP two octets of length stand in front (RFC 1035, 4.2.2).
pub(super) fn summary(transport: Transport, m: &[u8], out: &mut String) -> bool {
    let skip = length_len(transport);
    m.get(skip..).is_some_and(|m| say(m, out))
}

/// Octets of the length in front of a message.
const fn length_len(transport: Transport) -> usize {
    match transport {
        Transport::Tcp => 2,
        Transport::Udp | Transport::Sctp => 0,
    }
}

/// The QR bit of a datagram (RFC 1035, 4.1.1).
pub(super) fn kind(m: &[u8]) -> Kind {
    response_if(octet(m, 2) & 0x80 != 0)
}

/// Octets of the header.
const HEADER: usize = 12;

/// What a header and its first question say (RFC 1035, 4.1).
struct Question {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    /// There is a question, of this type if that is there.
    asked: Option<Option<u16>>,
}

/// Reads them from a message without a length in front.
fn read(m: &[u8]) -> Option<Question> {
    let word =
        |at: usize| -> Option<u16> { Some(u16::from_be_bytes([*m.get(at)?, *m.get(at + 1)?])) };
    let (id, flags, questions, answers) = (word(0)?, word(2)?, word(4)?, word(6)?);
    Some(Question {
        id,
        flags,
        questions,
        answers,
        asked: (questions > 0).then(|| skip_name(m, HEADER).and_then(word)),
    })
}

impl Question {
    const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }
}

/// What [`fields`] lists.
pub(super) const FIELD_NAMES: &[&str] = &["id", "question", "type", "rcode", "answers", "answer"];

/// Records of an answer that a summary names.
const NAMED: u64 = 3;

/// Questions that a summary names. There is one as a rule; mDNS asks several at once (RFC 6762, 5.3).
const ASKED: u64 = 4;

/// Appends the name in question, escaped, with as many labels as are there.
fn asked_name(m: &[u8], out: &mut String) {
    name_at(m, HEADER, out);
}

/// The questions behind the first that are named: where the name of each stands, and its type.
fn further_questions(m: &[u8], questions: u16) -> impl Iterator<Item = (usize, u16)> {
    let mut at = skip_name(m, HEADER).map(|end| end + 4);
    let mut left = u64::from(questions).min(ASKED).saturating_sub(1);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let begin = at.take()?;
        let end = skip_name(m, begin)?;
        let kind = u16::from_be_bytes(*m.get(end..)?.first_chunk()?);
        at = Some(end + 4);
        Some((begin, kind))
    })
}

/// Appends the name that stands here, `.` being the root.
fn name_at(m: &[u8], at: usize, out: &mut String) {
    let begin = out.len();
    name(m, at, out);
    if out.len() == begin {
        out.push('.');
    }
}

/// Appends a name (RFC 1035, 4.1.4), escaped, as far as it is there.
fn name(m: &[u8], mut at: usize, out: &mut String) {
    let begin = out.len();
    // A name has 255 octets at most (RFC 1035, 3.1), so half as many labels, and pointers that each stand for some.
    for _ in 0..128 {
        match m.get(at) {
            Some(&len @ 1..=63) if out.len() - begin < 255 => {
                let label = m.get(at + 1..).unwrap_or_default();
                if out.len() > begin {
                    out.push('.');
                }
                escape(label.get(..len.into()).unwrap_or(label), out);
                at += 1 + usize::from(len);
            }
            Some(0xc0..) if at + 1 < m.len() => {
                at = usize::try_from(number(m, at, 2) & 0x3fff).unwrap_or(usize::MAX);
            }
            _ => return,
        }
    }
}

/// Where a name ends: behind its last label, or behind a pointer.
fn skip_name(m: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *m.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// A record of an answer: its type, and where its value stands.
struct Record {
    kind: u16,
    data: usize,
    len: usize,
}

/// The first records of an answer.
fn records(m: &[u8]) -> impl Iterator<Item = Record> {
    let questions = number(m, 4, 2);
    let mut at = Some(HEADER);
    for _ in 0..questions {
        at = at.and_then(|at| Some(skip_name(m, at)? + 4));
    }
    let mut left = number(m, 6, 2).min(NAMED);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let begin = skip_name(m, at.take()?)?;
        let &[hi, lo, _, _, _, _, _, _, len_hi, len_lo] = m.get(begin..)?.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([len_hi, len_lo]));
        let data = begin + 10;
        m.get(data..data + len)?;
        at = Some(data + len);
        Some(Record {
            kind: u16::from_be_bytes([hi, lo]),
            data,
            len,
        })
    })
}

impl Record {
    /// Appends the value of an address or a name, behind what stands in front of it; nothing of others.
    fn value(&self, m: &[u8], front: &str, out: &mut String) {
        let octets = m.get(self.data..self.data + self.len).unwrap_or_default();
        let begin = out.len();
        out.push_str(front);
        let behind = out.len();
        match (self.kind, octets) {
            (1, &[a, b, c, d]) => dotted([a, b, c, d], out),
            (28, octets) => {
                if let Ok(octets) = <[u8; 16]>::try_from(octets) {
                    let _ = write!(out, "{}", Ipv6Addr::from(octets));
                }
            }
            (2 | 5 | 12, _) => name(m, self.data, out),
            (15, _) => name(m, self.data + 2, out),
            (33, _) => name(m, self.data + 6, out),
            _ => {}
        }
        if out.len() == behind {
            out.truncate(begin);
        }
    }
}

/// The type of a record by its name, or by its number (RFC 3597, 5).
fn type_name(kind: u16) -> Cow<'static, str> {
    record_type(kind).map_or_else(|| format!("TYPE{kind}").into(), Cow::Borrowed)
}

/// Response codes (IANA).
fn response_code(code: u16) -> Option<&'static str> {
    let names = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
    ];
    names.get(usize::from(code)).copied()
}

/// What of a message has a name.
pub(super) fn fields(transport: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let skip = length_len(transport);
    let Some(question) = m.get(skip..).and_then(read) else {
        return;
    };
    let m = m.get(skip..).unwrap_or_default();
    to.number("id", question.id.into());
    if let Some(kind) = question.asked {
        to.write("question", |text| {
            asked_name(m, text);
            for (name, _) in further_questions(m, question.questions) {
                text.push(',');
                name_at(m, name, text);
            }
        });
        if let Some(kind) = kind {
            to.write("type", |text| {
                text.push_str(&type_name(kind));
                for (_, kind) in further_questions(m, question.questions) {
                    let _ = write!(text, ",{}", type_name(kind));
                }
            });
        }
    }
    if question.is_response() {
        let code = question.flags & 15;
        match response_code(code) {
            Some(name) => to.text("rcode", name.as_bytes()),
            None => to.text("rcode", code.to_string().as_bytes()),
        }
        to.number("answers", question.answers.into());
        to.write("answer", |text| {
            let begin = text.len();
            for record in records(m) {
                let front = if text.len() > begin { "," } else { "" };
                record.value(m, front, text);
            }
        });
    }
}

/// Query name and type, and what the answer brings (RFC 1035, 4.1).
fn say(m: &[u8], out: &mut String) -> bool {
    let Some(question) = read(m) else {
        return false;
    };
    let (flags, response) = (question.flags, question.is_response());
    let opcode = flags >> 11 & 15;
    out.push_str(match (opcode, response) {
        (0, false) => "query",
        (0, true) => "answer",
        (1, false) => "inverse query",
        (1, true) => "inverse answer",
        (2, false) => "status request",
        (2, true) => "status",
        (4, false) => "notify",
        (4, true) => "notify answer",
        (5, false) => "update",
        (5, true) => "update answer",
        (_, false) => "request",
        (_, true) => "response",
    });
    let _ = write!(out, " 0x{:04x}", question.id);
    if let Some(kind) = question.asked {
        out.push(' ');
        asked_name(m, out);
        if let Some(kind) = kind {
            out.push(' ');
            out.push_str(&type_name(kind));
        }
        for (name, kind) in further_questions(m, question.questions) {
            out.push_str(", ");
            name_at(m, name, out);
            let _ = write!(out, " {}", type_name(kind));
        }
        let left = u64::from(question.questions).saturating_sub(ASKED);
        if left > 0 {
            let _ = write!(out, " and {left} more");
        }
    }
    // Of an inverse query the question stands among the answers (RFC 1035, 6.4).
    if !response && opcode == 1 {
        for record in records(m).take(1) {
            out.push(' ');
            out.push_str(&type_name(record.kind));
            record.value(m, " ", out);
        }
    }
    if response {
        match flags & 15 {
            0 => {
                let answers = usize::from(question.answers);
                let mut named = 0;
                for record in records(m) {
                    out.push_str(", ");
                    out.push_str(&type_name(record.kind));
                    record.value(m, " ", out);
                    named += 1;
                }
                let _ = match answers.saturating_sub(named) {
                    0 if answers > 0 => Ok(()),
                    more if named > 0 => write!(out, " and {more} more"),
                    1 => write!(out, ", 1 record"),
                    n => write!(out, ", {n} records"),
                };
                // The client asks again over TCP (RFC 1035, 4.2.1).
                if flags & 0x0200 != 0 {
                    out.push_str(", truncated");
                }
            }
            code => {
                let _ = match response_code(code) {
                    Some(name) => write!(out, ", {name}"),
                    None => write!(out, ", error {code}"),
                };
            }
        }
    }
    true
}

/// Names of record types (IANA).
fn record_type(kind: u16) -> Option<&'static str> {
    Some(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        108 => "EUI48",
        109 => "EUI64",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        _ => return None,
    })
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
    fn dns_headers_are_believed_or_not() {
        let query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        assert!(is_plausible(&query, 20));
        for (i, octet) in [(2, 0x79), (3, 0x40), (4, 9), (6, 1)] {
            let mut bad = query;
            bad[i] = octet;
            assert!(!is_plausible(&bad, 20), "octet {i}");
        }
        assert!(!is_plausible(&query, 11));
    }

    #[test]
    fn questions_and_answers_in_a_line() {
        let q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x1c\x00\x01";
        let mut a = q.to_vec();
        a[2] = 0x81;
        a[7] = 2;
        let mut tcp = vec![0, 29];
        tcp.extend_from_slice(q);
        let mut root = q[..12].to_vec();
        root.extend_from_slice(&[0, 0, 2]);
        // Several questions, the later by a pointer (RFC 6762, 5.3).
        let mut several = q.to_vec();
        several[5] = 6;
        for _ in 0..5 {
            several.extend_from_slice(&[1, b'b', 0xc0, 16, 0, 12, 0, 1]);
        }
        let mut cut = q.to_vec();
        (cut[2], cut[7]) = (0x83, 0);
        use Transport::{Tcp, Udp};
        for (transport, octets, expected) in [
            (Udp, &q[..], "query 0x1234 www.example AAAA"),
            (Tcp, &tcp, "query 0x1234 www.example AAAA"),
            (Udp, &a, "answer 0x1234 www.example AAAA, 2 records"),
            (
                Udp,
                &cut,
                "answer 0x1234 www.example AAAA, 0 records, truncated",
            ),
            (
                Udp,
                &several,
                "query 0x1234 www.example AAAA, b.example PTR, b.example PTR, b.example PTR and 2 more",
            ),
            (Udp, &root, "query 0x1234 . NS"),
            (Udp, &q[..16], "query 0x1234 www"),
            (Udp, b"abc", ""),
        ] {
            assert_eq!(said(summary, transport, octets), expected);
        }
    }

    /// Names are followed through their pointers, and not without end.
    #[test]
    fn answers_are_named() {
        let mut m =
            b"\x12\x34\x81\x80\0\x01\0\x04\0\0\0\0\x03www\x07example\0\0\x01\0\x01".to_vec();
        let record = |kind: u8, data: &[u8]| {
            let len = u8::try_from(data.len()).unwrap();
            [&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 9, 0, len][..], data].concat()
        };
        m.extend(record(5, b"\x01a\xc0\x10"));
        m.extend(record(1, &[192, 0, 2, 1]));
        m.extend(record(1, &[192, 0, 2, 2]));
        m.extend(record(1, &[192, 0, 2, 3]));
        let expected =
            "answer 0x1234 www.example A, CNAME a.example, A 192.0.2.1, A 192.0.2.2 and 1 more";
        assert_eq!(said(summary, Transport::Udp, &m), expected);
        for len in 12..m.len() {
            said(summary, Transport::Udp, &m[..len]);
        }
        // A pointer to itself, and one that goes back over a label for ever.
        let header = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0";
        for loops in [&b"\xc0\x0c\0\x01\0\x01"[..], b"\x3faaaaaaaaaaaaaaa\xc0\x0c"] {
            let text = said(summary, Transport::Udp, &[&header[..], loops].concat());
            assert!(text.len() < 1000, "{text}");
        }
    }
}
