//! TPKT with COTP: S7, RDP, H.323 (RFC 1006).

use super::super::fields::MessageFields;
use super::super::length::{LengthProtocol, LengthRow, Scan, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use super::s7_words;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memchr;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "tpkt",
    about: "TPKT with COTP: S7, RDP, H.323 (RFC 1006)",
    ports: &[102, 1720, 3389],
    aliases: &["s7", "s7comm"],
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    numbers_again: true,
    fields: Some(fields),
    field_names: &["s7", "function", "reference", "error"],
    words_ahead: 2,
    #[cfg(test)]
    samples: &[
        (
            "0300 0016 11 e0 0000 0001 00 c1020100 c2020102 c0010a",
            Kind::Request,
        ),
        (
            "0300 0019 02f080 32 01 0000 0000 0008 0000 f0 00 0001 0001 01e0",
            Kind::Request,
        ),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(2, 2),
    magic: Some((0, &[3, 0])),
    header: 7,
    is_plausible,
    self_evident: |m| matches!(octet(m, 5), 0xe0 | 0xd0) && number(m, 6, 2) == 0,
    scan: Scan::Octets(0, &[3, 0]),
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tpkt;

impl LengthProtocol for Tpkt {
    const FORMAT: &'static LengthRow = &FORMAT;
}

fn is_plausible(m: &[u8], len: u64) -> bool {
    let header = u64::from(octet(m, 4));
    let cotp = matches!(octet(m, 5) & 0xf0, 0xe0 | 0xd0 | 0x80 | 0x70 | 0xc0)
        || matches!(octet(m, 5), 0xf0 | 0x10 | 0x20 | 0x50);
    // H.225 has no COTP below TPKT, but Q.931, whose first octet is 8.
    (len >= 7 && header >= 2 && header + 5 <= len && cotp) || (len >= 7 && header == 8)
}

/// The type of the transport message (X.224, 13), or of that of call signalling (Q.931, 4.4).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    // H.225: the call reference, whose length stands before it, and the type.
    let kind = 6 + usize::from(octet(m, 5) & 0xf);
    if octet(m, 4) == 8 && m.len() > kind {
        let names = [
            (0x01, "alerting"),
            (0x02, "call proceeding"),
            (0x03, "progress"),
            (0x05, "setup"),
            (0x07, "connect"),
            (0x0d, "setup acknowledge"),
            (0x0f, "connect acknowledge"),
            (0x45, "disconnect"),
            (0x4d, "release"),
            (0x5a, "release complete"),
            (0x62, "facility"),
            (0x6e, "notify"),
            (0x75, "status enquiry"),
            (0x7b, "information"),
            (0x7d, "status"),
        ];
        out.push_str("Q.931 ");
        named_number(&names, octet(m, kind).into(), out);
        return true;
    }
    // What it carries says more than that it carries something.
    if let Some(s7) = S7::read(m) {
        out.push_str("S7 ");
        out.push_str(s7.kind_name());
        let words = out.len();
        out.push(' ');
        s7.function(out);
        // Nothing is known of it.
        if out.len() == words + 1 {
            out.truncate(words);
        }
        if let Some(error) = s7.error().filter(|error| *error != 0) {
            s7_words::error(error, out);
        }
        if let (3, Some(4 | 5)) = (s7.kind, s7.parameters.first()) {
            s7_words::refused(s7.parameters, s7.data, out);
        }
        return true;
    }
    named_number(
        &[
            (0xe0, "connection request"),
            (0xd0, "connection confirm"),
            (0x80, "disconnect request"),
            (0xf0, "data"),
            (0x70, "error"),
        ],
        u64::from(octet(m, 5) & 0xf0),
        out,
    );
    if more_follows(m) {
        out.push_str(", more follows");
    }
    // Who wants to log on, for a balancer (MS-RDPBCGR, 2.2.1.1).
    let behind = m.get(11..).filter(|_| octet(m, 5) == 0xe0);
    if let Some(cookie) = behind.and_then(|text| text.strip_prefix(b"Cookie: ")) {
        let end = memchr(b'\r', cookie).unwrap_or(cookie.len());
        out.push_str(", cookie ");
        escape(&cookie[..end], out);
    }
    true
}

/// What S7 communication asks or answers behind a data header of COTP: no public standard; as Wireshark's dissector s7comm has it.
struct S7<'a> {
    /// The kind of the message: job, ack, ack-data, user data.
    kind: u8,
    /// What a response repeats of its request.
    reference: u64,
    /// What stands behind the lengths of an answer: class and code of an error.
    header_error: u64,
    parameters: &'a [u8],
    data: &'a [u8],
}

impl<'a> S7<'a> {
    /// A header whose lengths fill the message, or go beyond it where COTP says that more follows (X.224, 13.7.3): what goes on with one
    /// is no header, whatever it looks like.
    fn read(m: &'a [u8]) -> Option<Self> {
        const MAGIC: u8 = 0x32;
        let at = 5 + usize::from(octet(m, 4));
        let kind = octet(m, at + 1);
        let header = match kind {
            1 | 7 => 10,
            2 | 3 => 12,
            _ => return None,
        };
        if octet(m, 5) != 0xf0 || octet(m, at) != MAGIC || number(m, at + 2, 2) != 0 {
            return None;
        }
        let begin = at + header;
        let lens = [number(m, at + 6, 2), number(m, at + 8, 2)];
        let [parameters, data] = lens.map(|len| usize::try_from(len).unwrap_or(usize::MAX));
        let (whole, said) = (number(m, 2, 2), begin as u64 + lens[0] + lens[1]);
        let fits = if more_follows(m) {
            said > whole
        } else {
            said == whole
        };
        if !fits || m.len() <= begin && parameters > 0 {
            return None;
        }
        let rest = m.get(begin..).unwrap_or_default();
        let (parameters, rest) = rest.split_at(parameters.min(rest.len()));
        Some(Self {
            kind,
            reference: number(m, at + 4, 2),
            header_error: number(m, at + 10, 2),
            parameters,
            data: &rest[..data.min(rest.len())],
        })
    }

    /// User data says itself who asks, in the high half of an octet.
    fn user_data(&self) -> Option<u8> {
        let known = self.parameters.starts_with(&[0, 1, 0x12]) && self.parameters.len() > 6;
        known.then(|| octet(self.parameters, 5) >> 4)
    }

    /// What went wrong, 0 where nothing did; None where the message does not say it.
    fn error(&self) -> Option<u64> {
        match self.kind {
            2 | 3 => Some(self.header_error),
            // Of user data the long form of an answer.
            7 if self.parameters.len() >= 12 && self.user_data() == Some(8) => {
                Some(number(self.parameters, 10, 2))
            }
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match (self.kind, self.user_data()) {
            (1, _) | (7, Some(4)) => Kind::Request,
            (2 | 3, _) | (7, Some(8)) => Kind::Response,
            _ => Kind::Other,
        }
    }

    /// Who speaks: Wireshark's words.
    const fn kind_name(&self) -> &'static str {
        match self.kind {
            1 => "job",
            2 => "ack",
            3 => "ack-data",
            _ => "userdata",
        }
    }

    /// What is asked or answered.
    fn function(&self, out: &mut String) {
        if self.kind == 7 {
            return self.user_function(out);
        }
        let names = [
            (0x00, "CPU services"),
            (0x04, "read var"),
            (0x05, "write var"),
            (0x1a, "request download"),
            (0x1b, "download block"),
            (0x1c, "download ended"),
            (0x1d, "start upload"),
            (0x1e, "upload"),
            (0x1f, "end upload"),
            (0x28, "PI service"),
            (0x29, "PLC stop"),
            (0xf0, "setup communication"),
        ];
        if let Some(function) = self.parameters.first() {
            named_number(&names, (*function).into(), out);
            match (self.kind, function) {
                (1, 0x1a..=0x1d) => s7_words::loaded_block(self.parameters, out),
                (1, 0x28) => s7_words::program_service(self.parameters, out),
                (1, 4 | 5) => s7_words::variables(self.parameters, out),
                _ => {}
            }
        }
    }

    /// The function of user data, by its group, and which list of the system's state is read.
    fn user_function(&self, out: &mut String) {
        let Some(way) = self.user_data() else {
            return;
        };
        out.push_str(match way {
            0 => "push",
            4 => "request",
            8 => "response",
            _ => "",
        });
        let parameters = self.parameters;
        let (kind_and_group, function) = (octet(parameters, 5), octet(parameters, 6));
        let group = kind_and_group & 0xf;
        let names: &[(u64, &str)] = match group {
            1 => &[
                (1, "block status"),
                (2, "variable status"),
                (3, "interrupt stack"),
                (4, "block stack"),
                (5, "local data stack"),
                (7, "force selection"),
                (8, "modify variable"),
                (9, "force"),
                (0x0a, "breakpoint"),
                (0x0b, "exit HOLD"),
                (0x0c, "memory reset"),
                (0x0d, "disable job"),
                (0x0e, "enable job"),
                (0x0f, "delete job"),
                (0x10, "read job list"),
                (0x11, "read job"),
                (0x12, "replace job"),
                (0x13, "block status"),
                (0x16, "flash LED"),
            ],
            2 => &[
                (1, "cyclic data"),
                (4, "end of cyclic data"),
                (5, "change-driven data"),
                (7, "modify change-driven data"),
                (8, "read record"),
            ],
            3 => &[
                (1, "list blocks"),
                (2, "list blocks of a type"),
                (3, "block info"),
            ],
            4 => &[
                (1, "read SZL"),
                (2, "message service"),
                (3, "diagnostic message"),
                (5, "ALARM_8"),
                (6, "NOTIFY"),
                (7, "lock ALARM_8"),
                (8, "unlock ALARM_8"),
                (9, "SCAN"),
                (0x0b, "acknowledge alarm"),
                (0x0c, "alarm acknowledged"),
                (0x0d, "alarm locked"),
                (0x0e, "alarm unlocked"),
                (0x11, "ALARM_SQ"),
                (0x12, "ALARM_S"),
                (0x13, "query alarms"),
                (0x16, "NOTIFY_8"),
            ],
            5 => &[(1, "password"), (2, "end of session")],
            7 => &[
                (1, "read clock"),
                (2, "set clock"),
                (3, "read clock"),
                (4, "set clock"),
            ],
            0x0f => &[
                (1, "NC request download"),
                (2, "NC download block"),
                (3, "NC continue download"),
                (4, "NC download ended"),
                (6, "NC start upload"),
                (7, "NC upload"),
                (8, "NC continue upload"),
            ],
            _ => &[],
        };
        match names
            .iter()
            .find(|(known, _)| *known == u64::from(function))
        {
            Some((_, name)) => {
                let _ = write!(out, " {name}");
            }
            None => {
                let _ = write!(out, " function {group}:{function}");
            }
        }
        if group == 3 && way == 4 {
            s7_words::asked_block(self.data, out);
        }
        // Ahead of the list stand a return code, a kind and a length, of four octets together.
        if (group, function) == (4, 1) && octet(self.data, 0) == 0xff && self.data.len() >= 8 {
            let (list, index) = (number(self.data, 4, 2), number(self.data, 6, 2));
            if !self.goes_on() {
                let _ = write!(out, " 0x{list:04x} index 0x{index:04x}");
            }
        }
    }

    /// The data goes on with that of an answer in several parts: of these each has a number, and all but the last say that more
    /// follow. The first has the length of an entry of the list and their number, which together are more than there is.
    fn goes_on(&self) -> bool {
        let (part, more) = (octet(self.parameters, 8), octet(self.parameters, 9));
        if self.parameters.len() < 10 || part == 0 {
            return false;
        }
        let (entry, entries) = (number(self.data, 8, 2), number(self.data, 10, 2));
        let first = entry <= 0x100 && entry * entries + 12 > self.data.len() as u64;
        more == 0 || !first
    }
}

/// The transport message goes on in the next one (X.224, 13.7.3).
fn more_follows(m: &[u8]) -> bool {
    octet(m, 5) == 0xf0 && octet(m, 6) & 0x80 == 0
}

/// Requests to connect and what confirms them (X.224, 13.3); of S7, jobs and what acknowledges them.
fn kind(m: &[u8]) -> Kind {
    match octet(m, 5) {
        _ if octet(m, 4) == 8 => Kind::Other,
        0xe0 => Kind::Request,
        0xd0 => Kind::Response,
        _ => S7::read(m).map_or(Kind::Other, |s7| s7.kind()),
    }
}

/// The reference of the side that connects, which its confirmation repeats; of S7 the number of the job.
fn transaction(m: &[u8]) -> Option<u64> {
    match octet(m, 5) {
        0xe0 => Some(1 << 32 | number(m, 8, 2)),
        0xd0 => Some(1 << 32 | number(m, 6, 2)),
        _ => Some(S7::read(m)?.reference),
    }
}

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    if let Some(s7) = S7::read(m) {
        to.text("s7", s7.kind_name().as_bytes());
        to.write("function", |out| s7.function(out));
        to.number("reference", s7.reference);
        if let Some(error) = s7.error() {
            to.number("error", error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn functions_of_s7_are_named() {
        let job = b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";
        let answer = b"\x03\0\0\x1b\x02\xf0\x80\x32\x03\0\0\0\0\0\x08\0\0\0\0\x04\x01\0\0\0\0\0\0";
        let list = |part: u8, more: u8, data: &[u8; 8]| {
            let mut m = b"\x03\0\0\x29\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x0c\0\x0c\0\x01\x12\x08\x12\x84\x01\x02"
                .to_vec();
            m.extend([part, more, 0, 0, 0xff, 9, 0, 8]);
            m.extend(data);
            m
        };
        // The lengths say that data of so many octets follows.
        let part = |last: u8, len: u8, rest: &[u8]| {
            let mut m = vec![
                3,
                0,
                0,
                u8::try_from(7 + rest.len()).unwrap(),
                2,
                0xf0,
                last,
            ];
            m.extend(rest);
            if let Some(data) = m.get_mut(16) {
                *data = len;
            }
            m
        };
        let begun = b"\x32\x03\0\0\0\x07\0\x02\0\0\0\0\x1e\0";
        for (octets, expected) in [
            (&job[..], "S7 job setup communication"),
            (answer, "S7 ack-data read var"),
            (&job[..12], "data"),
            (
                &list(0, 0, b"\x04\x24\0\0\0\x14\0\x01"),
                "S7 userdata response read SZL 0x0424 index 0x0000",
            ),
            (
                &list(2, 1, b"\0\x1c\0\0\0\x22\0\x0a"),
                "S7 userdata response read SZL 0x001c index 0x0000",
            ),
            // The data of what goes on is no list, whatever it looks like.
            (
                &list(2, 0, b"MMC SERI"),
                "S7 userdata response read SZL",
            ),
            (
                &list(2, 1, b"MMC SERI"),
                "S7 userdata response read SZL",
            ),
            (&part(0, 90, begun), "S7 ack-data upload"),
            // Behind a message that COTP has cut: neither of these is a header.
            (&part(0, 0, begun), "data, more follows"),
            (&part(0x80, 90, begun), "data"),
            (&part(0x80, 0, b"\x04rest"), "data"),
            (
                b"\x03\0\0\x21\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x08\0\x08\0\x01\x12\x04\x11\x44\x01\0\xff\x09\0\x04\x04\x24\0\0",
                "S7 userdata request read SZL 0x0424 index 0x0000",
            ),
            (
                b"\x03\0\0\x1d\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x08\0\x04\0\x01\x12\x08\x12\x87\x01\0\0\0\0\0",
                "S7 userdata response read clock",
            ),
            (
                b"\x03\0\0\x1d\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x08\0\x04\0\x01\x12\x04\x11\x4f\x09\0\0\0\0\0",
                "S7 userdata request function 15:9",
            ),
            (b"\x03\0\0\x0b\x06\xe0\0\0\0\x01\0", "connection request"),
            (
                b"\x03\0\0\x2b\x26\xe0\0\0\0\x01\0Cookie: mstshash=eve\x1b\r\n\x01\0\x08\0\x03\0\0\0",
                "connection request, cookie mstshash=eve\\x1b",
            ),
            (b"\x03\0\0\x0c\x08\x02\x16\x32\x05\x04\x03\x88", "Q.931 setup"),
            (b"\x03\0\0\x09\x08\x02\x96\x32\x5a", "Q.931 release complete"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn s7_says_which_block_and_what_is_wrong() {
        let job = |parameters: &[u8]| {
            let len = u8::try_from(parameters.len()).unwrap();
            let mut m = vec![3, 0, 0, 17 + len, 2, 0xf0, 0x80];
            m.extend([0x32, 1, 0, 0, 0, 9, 0, len, 0, 0]);
            m.extend(parameters);
            m
        };
        let answer_of = |parameters: &[u8], data: &[u8]| {
            let lens = [parameters, data].map(|part| u8::try_from(part.len()).unwrap());
            let mut m = vec![3, 0, 0, 19 + lens[0] + lens[1], 2, 0xf0, 0x80];
            m.extend([0x32, 3, 0, 0, 0, 9, 0, lens[0], 0, lens[1], 0, 0]);
            m.extend(parameters);
            m.extend(data);
            m
        };
        let user = |parameters: &[u8], data: &[u8]| {
            let lens = [parameters, data].map(|part| u8::try_from(part.len()).unwrap());
            let mut m = vec![3, 0, 0, 17 + lens[0] + lens[1], 2, 0xf0, 0x80];
            m.extend([0x32, 7, 0, 0, 0, 9, 0, lens[0], 0, lens[1]]);
            m.extend(parameters);
            m.extend(data);
            m
        };
        let ask = |group: u8, function: u8, data: &[u8]| {
            user(&[0, 1, 0x12, 4, 0x11, 0x40 | group, function, 0], data)
        };
        let answer = |group: u8, function: u8, error: [u8; 2]| {
            let [class, code] = error;
            let head = [
                0,
                1,
                0x12,
                8,
                0x12,
                0x80 | group,
                function,
                3,
                0,
                0,
                class,
                code,
            ];
            user(&head, b"\x0a\0\0\0")
        };
        for (octets, expected) in [
            (
                job(b"\x1d\0\0\0\0\0\0\0\x09_0B00000A"),
                "S7 job start upload SDB0",
            ),
            (
                job(b"\x1a\0\0\0\0\0\0\0\x09_0A00017P\x0d1000100000064"),
                "S7 job request download DB17",
            ),
            (
                job(b"\x04\x01\x12\x0a\x10\x02\0\x10\0\x01\x84\0\0\x0b"),
                "S7 job read var DB 1.DBX 1.3 BYTE 16",
            ),
            (
                job(b"\x04\x03\x12\x0a\x10\x08\0\x01\0\0\x83\0\0\x80\x12\x0a\x10\x1d\0\x03\0\0\x1d\0\0\x05\x12\x08\x82\0\0\0\0\0\0\0"),
                "S7 job read var M 16.0 REAL 1, T 5 to 7, ...",
            ),
            (job(b"\x04\x02\x12\x0a\x10"), "S7 job read var ..."),
            (
                answer_of(b"\x04\x03", b"\xff\x04\0\x08\x01\0\x03\0\0\0\x0a\0\0\0"),
                "S7 ack-data read var, item 2: access refused, item 3: object does not exist",
            ),
            (
                answer_of(b"\x05\x03", b"\xff\x05\xff"),
                "S7 ack-data write var, item 2: invalid address",
            ),
            (
                answer_of(b"\x05\x06", b"\x01\x06\x07\x09\x0a\xff"),
                "S7 ack-data write var, item 1: hardware error, item 2: type not supported, item 3: type does not fit, item 4: error 0x09, ...",
            ),
            (answer_of(b"\x04\x02", b"\xff\x09\xff\xff"), "S7 ack-data read var"),
            // No block: nothing is made up.
            (
                job(b"\x1d\0\0\0\0\0\0\0\x09_0X00000A"),
                "S7 job start upload",
            ),
            (job(b"\x1d\0\0\0\0\0\0\0\x20_0B"), "S7 job start upload"),
            (
                job(b"\x28\0\0\0\0\0\0\xfd\0\x02EP\x05_MODU"),
                "S7 job PI service _MODU(\"EP\")",
            ),
            (
                job(b"\x28\0\0\0\0\0\0\xfd\0\0\x05_GARB"),
                "S7 job PI service _GARB()",
            ),
            (
                job(b"\x28\0\0\0\0\0\0\xfd\0\x12\x02\x000A00017P0800001P\x05_INSE"),
                "S7 job PI service _INSE(DB17, OB1)",
            ),
            (job(b"\x28\0\0\0\0\0\0\xfd\0\x12"), "S7 job PI service"),
            (
                ask(3, 3, b"\xff\x09\0\x080800000A"),
                "S7 userdata request block info OB0",
            ),
            (
                ask(3, 2, b"\xff\x09\0\x020A"),
                "S7 userdata request list blocks of a type DB",
            ),
            (ask(1, 2, b""), "S7 userdata request variable status"),
            (ask(4, 0x13, b""), "S7 userdata request query alarms"),
            (
                answer(3, 3, [0xd2, 9]),
                "S7 userdata response block info, error 0xd209: block not found",
            ),
            (answer(7, 2, [0, 0]), "S7 userdata response set clock"),
            (
                b"\x03\0\0\x13\x02\xf0\x80\x32\x02\0\0\0\x15\0\0\0\0\x87\x03".to_vec(),
                "S7 ack, error 0x8703: access refused",
            ),
            (
                b"\x03\0\0\x13\x02\xf0\x80\x32\x02\0\0\0\x15\0\0\0\0\xff\xff".to_vec(),
                "S7 ack, error 0xffff",
            ),
        ] {
            assert_eq!(said(summary, Transport::Tcp, &octets), expected);
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
