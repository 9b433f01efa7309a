//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): what a client says to a proxy before the connection that it asks for. What follows the
//! proxy's consent is that connection's own.

use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::length::{number, octet};
use super::super::row::{NamedEnds, ProtocolRow};
use super::super::text::escape;
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::memchr;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "socks",
    about: "SOCKS 4, 4a and 5 (RFC 1928): what a client says to a proxy, and datagrams through it",
    ports: &[1080],
    summary: Some(|transport, m, out| match transport {
        Transport::Udp => datagram(m, out),
        Transport::Tcp | Transport::Sctp => summary(m, out),
    }),
    response_summary: Some(|transport, m, out| match transport {
        Transport::Udp => datagram(m, out),
        Transport::Tcp | Transport::Sctp => reply(m, out),
    }),
    fields: Some(|transport, kind, m, to| match (transport, kind) {
        (Transport::Udp, _) => to.write("destination", |out| {
            out.push_str(&destination(m).unwrap_or_default());
        }),
        (_, Kind::Response) => reply_fields(m, to),
        (_, Kind::Request | Kind::Other) => fields(m, to),
    }),
    relayed: Some(relayed),
    field_names: &["version", "command", "destination", "user", "status"],
    names_ends: Some(|m| match word(m) {
        Some(Word::Command(1 | 2)) => Some(NamedEnds {
            client: None,
            server: destination(m),
        }),
        _ => None,
    }),
    // A proxy may be asked for another one.
    tunnels: true,
    ..ProtocolRow::NONE
};

/// Octets of a name, or of an identification: more are an attack.
const NAME: usize = 255;

/// Recognises it.
pub(crate) struct SocksDetector;

impl Detector for SocksDetector {
    // Its first octets are weak: they have to be all that the client sends before it is answered.
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        match (octet(octets, 0), request(octets)) {
            (4 | 5, Some(Some((_, len)))) if len == octets.len() => Probe::Yes,
            (4 | 5, Some(Some(_))) if hinted => Probe::Yes,
            // A client that waits for nothing says at once what it wants.
            (5, Some(Some((_, len)))) => match goes_on(&octets[len..]) {
                Some(Some(_)) => Probe::Yes,
                Some(None) => Probe::More,
                None => Probe::No,
            },
            (4 | 5, Some(None)) if hinted || octets.len() > 1 => Probe::More,
            _ => Probe::No,
        }
    }

    fn reads_lines(&self) -> bool {
        false
    }

    fn needs(&self, octets: &[u8], _: bool) -> usize {
        octets.len() + 1
    }
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// How it can prove who it is.
    Methods,
    /// Who it is (RFC 1929).
    Name,
    /// What it wants.
    Request(u8),
}

/// What stands where a client begins a connection, and octets of it. None in the outer option: nothing of the kind; in the inner:
/// it is cut.
fn request(m: &[u8]) -> Option<Option<(Said, usize)>> {
    match octet(m, 0) {
        5 => {
            let Some(n) = m.get(1) else {
                return Some(None);
            };
            let methods = m.get(2..).unwrap_or_default();
            let methods = &methods[..methods.len().min(usize::from(*n))];
            // IANA has assigned up to 9; those from 0x80 on are private (RFC 1928, 3).
            let sound = (1..=16).contains(n)
                && methods.iter().all(|m| matches!(m, 0..=9 | 0x80..=0xfe))
                && methods
                    .iter()
                    .any(|m| *m <= 2 || methods.len() < usize::from(*n));
            let whole = methods.len() == usize::from(*n);
            sound.then(|| whole.then(|| (Said::Methods, 2 + usize::from(*n))))
        }
        4 => {
            if m.len() < 8 {
                let command = m.get(1).is_none_or(|c| matches!(c, 1 | 2));
                return command.then_some(None);
            }
            let sound = matches!(m[1], 1 | 2) && number(m, 2, 2) > 0 && number(m, 4, 4) > 0;
            if !sound {
                return None;
            }
            let end = |from: usize| {
                let rest = m.get(from..).unwrap_or_default();
                let rest = &rest[..rest.len().min(NAME + 1)];
                let end = memchr(0, rest);
                let text = &rest[..end.unwrap_or(rest.len())];
                let shown = text.iter().all(u8::is_ascii_graphic);
                let whole = end.map(|end| from + end + 1);
                (shown && (whole.is_some() || rest.len() <= NAME)).then_some(whole)
            };
            let Some(user) = end(8)? else {
                return Some(None);
            };
            // 4a: an address that cannot be one, and a name behind the user's.
            if number(m, 4, 4) > 0xff {
                return Some(Some((Said::Request(m[1]), user)));
            }
            match end(user)? {
                Some(end) if end > user + 1 => Some(Some((Said::Request(m[1]), end))),
                Some(_) => None,
                None => Some(None),
            }
        }
        _ => None,
    }
}

/// The octets of an address of version 5 with its port, from its type on. As above.
fn address_len(m: &[u8]) -> Option<Option<usize>> {
    let len = match m.first() {
        None => return Some(None),
        Some(1) => 4,
        Some(4) => 16,
        Some(3) => match m.get(1) {
            None => return Some(None),
            Some(0) => return None,
            Some(n) => 1 + usize::from(*n),
        },
        Some(_) => return None,
    };
    let len = 1 + len + 2;
    Some((m.len() >= len).then_some(len))
}

/// What a client says once it was answered.
fn goes_on(m: &[u8]) -> Option<Option<(Said, usize)>> {
    match m.first() {
        Some(1) => {
            let Some(user) = m.get(1).map(|n| usize::from(*n)) else {
                return Some(None);
            };
            let Some(word) = m.get(2 + user).map(|n| usize::from(*n)) else {
                return Some(None);
            };
            let len = 3 + user + word;
            Some((m.len() >= len).then_some((Said::Name, len)))
        }
        Some(5) => {
            let command = match m.get(1) {
                None => return Some(None),
                Some(command @ 1..=3) => *command,
                Some(_) => return None,
            };
            if m.get(2).is_some_and(|reserved| *reserved != 0) {
                return None;
            }
            let len = address_len(m.get(3..).unwrap_or_default())?;
            Some(len.map(|len| (Said::Request(command), 3 + len)))
        }
        _ => None,
    }
}

/// Frames what is said before the connection proper.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Socks {
    client: Option<Direction>,
    version: u8,
    /// What the client wants, once it has said so.
    command: u8,
    /// Of version 5: the server has said how the client is to prove who it is.
    has_method: bool,
    /// Answers to what the client wants so far.
    answers: u8,
}

impl Socks {
    fn read_client(&mut self, octets: &[u8]) -> Option<Option<(Kind, usize, bool)>> {
        let said = match self.version {
            0 => request(octets)?,
            _ => goes_on(octets)?,
        };
        Some(said.map(|(said, len)| {
            self.version = if self.version == 0 {
                octet(octets, 0)
            } else {
                self.version
            };
            if let Said::Request(command) = said {
                self.command = command;
            }
            (Kind::Request, len, false)
        }))
    }

    /// The first octet tells what a server says.
    fn read_server(&mut self, octets: &[u8]) -> Option<Option<(Kind, usize, bool)>> {
        let first = *octets.first()?;
        let (len, granted) = match (self.version, first) {
            // A method, or that the name is right: it may come when the client has said already what it wants.
            (5, 5) if !self.has_method => (2, None),
            (5, 1) if self.answers == 0 => (2, None),
            (5, 5) => {
                let Some(address) = octets.get(3..).filter(|a| !a.is_empty()) else {
                    return Some(None);
                };
                let Some(len) = address_len(address)? else {
                    return Some(None);
                };
                (3 + len, Some(octets[1] == 0))
            }
            (4, 0) => (8, octets.get(1).map(|status| *status == 90)),
            _ => return None,
        };
        if octets.len() < len {
            return Some(None);
        }
        self.has_method |= self.version == 5;
        self.answers = self.answers.saturating_add(granted.is_some().into());
        // Who waits for a connection is answered twice (RFC 1928, 6); datagrams go another way.
        let last = match self.command {
            1 => true,
            2 => self.answers == 2,
            _ => false,
        };
        Some(Some((Kind::Response, len, granted == Some(true) && last)))
    }
}

impl Framer for Socks {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let client = *self.client.get_or_insert(at.direction) == at.direction;
        let read = match client {
            // What the client sends behind its request is another protocol's, if the proxy agrees.
            true if self.command != 0 => match at.wait_for_other() {
                Some(until) => return Begin::Wait(until),
                None if at.next == Following::Octets => return Begin::NeedMore,
                None => None,
            },
            true => self.read_client(octets),
            // It answers what it has heard.
            false => match at.wait_for_other() {
                Some(until) => return Begin::Wait(until),
                None => self.read_server(octets),
            },
        };
        match read {
            Some(Some((kind, head, hand_over))) => Begin::Message {
                kind,
                head,
                body: MessageBody::Octets(0),
                hand_over,
            },
            Some(None) if at.next == Following::Octets => Begin::NeedMore,
            _ => Begin::Refuse,
        }
    }

    fn search(&mut self, _: &Position, octets: &[u8]) -> Found {
        Found::Nowhere { keep: octets.len() }
    }

    fn ends_at_gap(&self) -> bool {
        true
    }
}

/// The datagram that a proxy passes on (RFC 1928, 7): behind two octets of zero, the number of a fragment, and the address that it is
/// for, or comes from. Nobody cuts them into fragments.
fn relayed(m: &[u8]) -> Option<(u16, &[u8])> {
    let address = m.strip_prefix(&[0, 0, 0])?;
    let len = address_len(address)??;
    let port = u16::try_from(number(address, len - 2, 2)).ok()?;
    let inside = address.get(len..)?;
    // Not another of these, in another, and so on.
    (port > 0 && !inside.is_empty() && !inside.starts_with(&[0, 0, 0])).then_some((port, inside))
}

/// One line on a datagram: whom it is for, or from.
fn datagram(m: &[u8], out: &mut String) -> bool {
    let Some(destination) = relayed(m).and_then(|_| destination(m)) else {
        return false;
    };
    let _ = write!(out, "SOCKS5 datagram {destination}");
    true
}

/// The address that a message names, with its port.
fn destination(m: &[u8]) -> Option<String> {
    let mut out = String::new();
    if octet(m, 0) == 4 {
        request(m)??;
        let port = number(m, 2, 2);
        let ip = u32::try_from(number(m, 4, 4)).ok()?;
        if ip > 0xff {
            let _ = write!(out, "{}:{port}", Ipv4Addr::from(ip));
        } else {
            let behind = m.get(8..)?;
            let name = behind.get(memchr(0, behind)? + 1..)?;
            escape(name.get(..memchr(0, name)?)?, &mut out);
            let _ = write!(out, ":{port}");
        }
        return Some(out);
    }
    let address = m.get(3..)?;
    let len = address_len(address)??;
    let port = number(address, len - 2, 2);
    match address[0] {
        1 => {
            let octets = address.get(1..)?.first_chunk::<4>()?;
            let _ = write!(out, "{}:{port}", Ipv4Addr::from(*octets));
        }
        4 => {
            let octets = address.get(1..)?.first_chunk::<16>()?;
            let _ = write!(out, "[{}]:{port}", Ipv6Addr::from(*octets));
        }
        _ => {
            escape(address.get(2..len - 2)?, &mut out);
            let _ = write!(out, ":{port}");
        }
    }
    Some(out)
}

/// What a message with this header is: those of a server are told by their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Methods,
    Name,
    Command(u8),
    Refusal(u8),
    Method(u8),
    Status(u8),
}

fn word(m: &[u8]) -> Option<Word> {
    Some(match (octet(m, 0), m.len()) {
        (5, 2) => Word::Method(m[1]),
        (1, 2) => Word::Status(m[1]),
        (0, 8) => Word::Status(m[1]),
        (1, _) => Word::Name,
        (4, _) => Word::Command(octet(m, 1)),
        // A client's list has as many octets as it says; the third octet of the others is reserved.
        (5, n) if n == 2 + usize::from(octet(m, 1)) && n < 7 => Word::Methods,
        (5, n) if n == 2 + usize::from(octet(m, 1)) && octet(m, 1) > 8 => Word::Methods,
        // A refusal, which has the same numbers as requests: nobody asks for a connection to port 0.
        (5, n) if matches!(octet(m, 1), 1 | 2) && n > 2 && number(m, n - 2, 2) == 0 => {
            Word::Refusal(octet(m, 1))
        }
        (5, _) => Word::Command(octet(m, 1)),
        _ => return None,
    })
}

const fn command(number: u8) -> &'static str {
    match number {
        1 => "CONNECT",
        2 => "BIND",
        3 => "UDP ASSOCIATE",
        _ => "reply",
    }
}

fn summary(m: &[u8], out: &mut String) -> bool {
    let version = if matches!(octet(m, 0), 0 | 4) { 4 } else { 5 };
    let Some(word) = word(m) else {
        return false;
    };
    let _ = write!(out, "SOCKS{version} ");
    match word {
        Word::Methods => out.push_str("methods"),
        Word::Name => out.push_str("user"),
        Word::Method(method) => {
            let _ = write!(out, "method {method}");
        }
        Word::Status(status) => {
            let _ = write!(out, "status {status}");
        }
        // Requests and replies of version 5 look alike; a reply that grants has the number of none.
        Word::Command(number) | Word::Refusal(number) => {
            out.push_str(match word {
                Word::Refusal(_) => command(0),
                _ => command(number),
            });
            if let Some(destination) = destination(m) {
                let _ = write!(out, " {destination}");
            }
        }
    }
    true
}

/// How a proxy answers a request of version 5 (RFC 1928, 6).
const REPLIES: [&str; 9] = [
    "succeeded",
    "general failure",
    "not allowed by the rules",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "TTL expired",
    "command not supported",
    "address type not supported",
];

/// The status of a reply to a request of version 5, which looks like a request.
fn reply_status(m: &[u8]) -> Option<u8> {
    (octet(m, 0) == 5 && m.len() > 2).then(|| octet(m, 1))
}

/// What a proxy says.
fn reply(m: &[u8], out: &mut String) -> bool {
    match (reply_status(m), octet(m, 0), m.len()) {
        (Some(0), ..) => return summary(m, out),
        (Some(status), ..) => {
            let _ = write!(out, "SOCKS5 refused, status {status}");
            if let Some(words) = REPLIES.get(usize::from(status)) {
                let _ = write!(out, ": {words}");
            }
        }
        (None, 0, 8) => {
            let _ = write!(out, "SOCKS4 status {}", octet(m, 1));
            out.push_str(match octet(m, 1) {
                90 => ": granted",
                91 => ": refused or failed",
                92 => ": refused, no identd",
                93 => ": refused, another user",
                _ => "",
            });
        }
        (None, 5, 2) if octet(m, 1) == 0xff => out.push_str("SOCKS5 no method is acceptable"),
        (None, 1, 2) => {
            let ok = octet(m, 1) == 0;
            let _ = write!(out, "SOCKS5 status {}", octet(m, 1));
            out.push_str(if ok { "" } else { ": the user is refused" });
        }
        _ => return summary(m, out),
    }
    true
}

fn reply_fields(m: &[u8], to: &mut MessageFields) {
    match reply_status(m) {
        Some(status) => {
            to.number("version", 5);
            to.number("status", status.into());
        }
        None => fields(m, to),
    }
}

fn fields(m: &[u8], to: &mut MessageFields) {
    let Some(word) = word(m) else {
        return;
    };
    to.number("version", if matches!(octet(m, 0), 0 | 4) { 4 } else { 5 });
    match word {
        Word::Command(number @ 1..) => {
            to.text("command", command(number).as_bytes());
            to.write("destination", |out| {
                out.push_str(&destination(m).unwrap_or_default());
            });
        }
        Word::Name => {
            let user = m
                .get(2..)
                .and_then(|rest| rest.get(..usize::from(octet(m, 1))));
            to.text_if("user", user);
        }
        Word::Command(0) => to.number("status", 0),
        Word::Status(status) | Word::Refusal(status) => to.number("status", status.into()),
        Word::Methods | Word::Method(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn connections_begin_with_a_list_or_a_request() {
        for (octets, expected) in [
            (&b"\x05\x01\x00"[..], Probe::Yes),
            (b"\x05\x02\x00\x02", Probe::Yes),
            (b"\x05\x03\x00\x01", Probe::More),
            (b"\x05\x01\x42", Probe::No),
            (b"\x05\x00", Probe::No),
            (b"\x05\x01\x00more", Probe::No),
            (b"\x04\x01\x00\x50\xc0\x00\x02\x01me\0", Probe::Yes),
            (
                b"\x04\x01\x00\x50\x00\x00\x00\x01me\0a.example\0",
                Probe::Yes,
            ),
            (b"\x04\x01\x00\x50\x00\x00\x00\x01me\0", Probe::More),
            (b"\x04\x01\x00\x00\xc0\x00\x02\x01me\0", Probe::No),
            (b"\x04\x00\x00\x00\x05\0\0\0\0", Probe::No),
        ] {
            assert_eq!(SocksDetector.probe(octets, false), expected, "{octets:?}");
        }
    }

    #[test]
    fn replies_say_how_a_request_has_ended() {
        let address = b"\0\x01\0\0\0\0\0\0";
        let of = |code: u8| [&[5, code][..], address].concat();
        for (octets, expected) in [
            (of(0), "SOCKS5 reply 0.0.0.0:0"),
            (of(1), "SOCKS5 refused, status 1: general failure"),
            (of(3), "SOCKS5 refused, status 3: network unreachable"),
            (of(5), "SOCKS5 refused, status 5: connection refused"),
            (of(9), "SOCKS5 refused, status 9"),
            (vec![5, 0xff], "SOCKS5 no method is acceptable"),
            (vec![5, 2], "SOCKS5 method 2"),
            (vec![1, 0], "SOCKS5 status 0"),
            (vec![1, 1], "SOCKS5 status 1: the user is refused"),
            (
                vec![0, 91, 0, 0, 0, 0, 0, 0],
                "SOCKS4 status 91: refused or failed",
            ),
        ] {
            let said = said(|_, m, out| reply(m, out), Transport::Tcp, &octets);
            assert_eq!(said, expected, "{octets:?}");
            let mut to = MessageFields::default();
            reply_fields(&octets, &mut to);
            if octets.len() == 10 {
                assert!(to.get("status").is_some() && to.get("command").is_none());
            }
        }
    }

    #[test]
    fn summaries_name_the_destination() {
        for (octets, expected) in [
            (&b"\x05\x02\x00\x02"[..], "SOCKS5 methods"),
            (b"\x05\x00", "SOCKS5 method 0"),
            (b"\x01\x02me\x02pw", "SOCKS5 user"),
            (
                b"\x05\x01\x00\x03\x09a.example\x01\xbb",
                "SOCKS5 CONNECT a.example:443",
            ),
            (
                b"\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x50",
                "SOCKS5 reply 192.0.2.1:80",
            ),
            (
                b"\x04\x01\x00\x50\xc0\x00\x02\x01me\0",
                "SOCKS4 CONNECT 192.0.2.1:80",
            ),
            (
                b"\x04\x01\x00\x50\x00\x00\x00\x01\0a.example\0",
                "SOCKS4 CONNECT a.example:80",
            ),
            (b"\x00\x5a\0\0\0\0\0\0", "SOCKS4 status 90"),
        ] {
            assert_eq!(
                said(|_, m, out| summary(m, out), Transport::Tcp, octets),
                expected
            );
        }
    }
}
