//! The PROXY protocol of HAProxy, versions 1 and 2: a line, or a header, that a proxy puts before the connection that it hands
//! on, with the addresses of its client. What stands behind it is that connection's own.

use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::row::{NamedEnds, ProtocolRow};
use super::super::text::escape;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::memchr;
use std::net::{IpAddr, SocketAddr};

/// The longest line of version 1, with its end: the specification counts it (2.1).
const LINE: usize = 107;
/// What version 2 begins with (2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const HEADER: usize = 16;
/// A header of version 2 up to this length is held until it is whole, so that its summary has the addresses: senders keep to what
/// every path carries in one segment (2.2). A longer one has extensions behind them.
const SEGMENT: usize = 536;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "proxy",
    about: "PROXY, versions 1 and 2: what a proxy puts before a connection",
    summary: Some(summary),
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &["version", "src", "src_port", "dst", "dst_port"],
    names_ends: Some(named_ends),
    prefix: true,
    ..ProtocolRow::NONE
};

/// Recognises it.
pub(crate) struct ProxyDetector;

/// Octets of the prefix that stands at `octets`: None where none does.
fn prefix(octets: &[u8]) -> Option<Prefix> {
    let begins = |word: &[u8]| {
        let n = octets.len().min(word.len());
        octets[..n] == word[..n]
    };
    if begins(SIGNATURE) {
        let Some(&header) = octets.first_chunk::<HEADER>() else {
            return Some(Prefix::Cut);
        };
        let [.., command, family, hi, lo] = header;
        // Version 2, and LOCAL or PROXY; families and protocols up to UNIX datagrams are assigned.
        let sound = matches!(command, 0x20 | 0x21) && family >> 4 <= 3 && family & 15 <= 2;
        return sound.then(|| Prefix::Octets(HEADER + usize::from(u16::from_be_bytes([hi, lo]))));
    }
    if !begins(b"PROXY ") {
        return None;
    }
    let window = &octets[..octets.len().min(LINE)];
    let Some(end) = memchr(b'\n', window) else {
        return (octets.len() < LINE && window.is_ascii()).then_some(Prefix::Cut);
    };
    let line = window[..end].strip_suffix(b"\r")?;
    let mut words = line.split(|o| *o == b' ').skip(1);
    let sound = match words.next()? {
        b"UNKNOWN" => true,
        b"TCP4" | b"TCP6" => words.filter(|word| !word.is_empty()).count() == 4,
        _ => false,
    };
    sound.then_some(Prefix::Octets(end + 1))
}

enum Prefix {
    /// It has so many octets.
    Octets(usize),
    /// Its header is cut.
    Cut,
}

impl Detector for ProxyDetector {
    fn probe(&self, octets: &[u8], _: bool) -> Probe {
        match prefix(octets) {
            Some(Prefix::Octets(_)) => Probe::Yes,
            Some(Prefix::Cut) => Probe::More,
            None => Probe::No,
        }
    }
}

/// Frames the one message that there is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Proxy;

impl Framer for Proxy {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        match prefix(octets) {
            Some(Prefix::Octets(len))
                if len > octets.len() && octets.len() < SEGMENT && at.next == Following::Octets =>
            {
                Begin::NeedMore
            }
            Some(Prefix::Octets(len)) => {
                let head = len.min(octets.len());
                Begin::Message {
                    kind: Kind::Other,
                    head,
                    body: MessageBody::Octets((len - head) as u64),
                    hand_over: true,
                }
            }
            Some(Prefix::Cut) if at.next == Following::Octets => Begin::NeedMore,
            _ => Begin::Refuse,
        }
    }

    fn search(&mut self, _: &Position, octets: &[u8]) -> Found {
        // It stands at the beginning and nowhere else.
        Found::Nowhere { keep: octets.len() }
    }
}

/// The addresses that a prefix names: its source, and its destination.
fn addresses(head: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let Some(rest) = head.strip_prefix(SIGNATURE) else {
        let line = head.split(|o| *o == b'\r').next()?;
        let line = std::str::from_utf8(line.get(..line.len().min(LINE))?).ok()?;
        let mut words = line.split(' ').skip(1);
        // Whatever stands behind UNKNOWN is to be ignored (2.1).
        words
            .next()
            .filter(|family| matches!(*family, "TCP4" | "TCP6"))?;
        let [src, dst] = [words.next()?, words.next()?].map(|ip| ip.parse::<IpAddr>().ok());
        let [from, to] = [words.next()?, words.next()?].map(|port| port.parse::<u16>().ok());
        return Some((SocketAddr::new(src?, from?), SocketAddr::new(dst?, to?)));
    };
    let [command, family, _, _, addresses @ ..] = rest else {
        return None;
    };
    let port = |at: usize| {
        let octets = addresses.get(at..).and_then(|o| o.first_chunk());
        octets.map_or(0, |o| u16::from_be_bytes(*o))
    };
    let four = |at: usize| {
        addresses
            .get(at..)?
            .first_chunk::<4>()
            .map(|o| IpAddr::from(*o))
    };
    let six = |at: usize| {
        addresses
            .get(at..)?
            .first_chunk::<16>()
            .map(|o| IpAddr::from(*o))
    };
    match (command & 15, family >> 4) {
        (1, 1) if addresses.len() >= 12 => Some((
            SocketAddr::new(four(0)?, port(8)),
            SocketAddr::new(four(4)?, port(10)),
        )),
        (1, 2) if addresses.len() >= 36 => Some((
            SocketAddr::new(six(0)?, port(32)),
            SocketAddr::new(six(16)?, port(34)),
        )),
        _ => None,
    }
}

/// Whom the connection is between by the prefix.
fn named_ends(head: &[u8]) -> Option<NamedEnds> {
    let (client, server) = addresses(head)?;
    Some(NamedEnds {
        client: Some(client.to_string()),
        server: Some(server.to_string()),
    })
}

fn fields(head: &[u8], to: &mut MessageFields) {
    to.number("version", if head.starts_with(SIGNATURE) { 2 } else { 1 });
    if let Some((src, dst)) = addresses(head) {
        to.text("src", src.ip().to_string().as_bytes());
        to.number("src_port", src.port().into());
        to.text("dst", dst.ip().to_string().as_bytes());
        to.number("dst_port", dst.port().into());
    }
}

/// The line of version 1; of version 2 what it stands for.
fn summary(_: Transport, head: &[u8], out: &mut String) -> bool {
    use std::fmt::Write as _;
    let Some(rest) = head.strip_prefix(SIGNATURE) else {
        let line = head.split(|o| *o == b'\r').next().unwrap_or_default();
        escape(&line[..line.len().min(LINE)], out);
        return !line.is_empty();
    };
    let [command, family, ..] = rest else {
        return false;
    };
    if command & 15 == 0 {
        out.push_str("PROXY v2 LOCAL");
        return true;
    }
    let kind = if family & 15 == 2 { "UDP" } else { "TCP" };
    out.push_str("PROXY v2");
    match (family >> 4, addresses(head)) {
        // Nothing is known of the client, or it has no address.
        (0, _) => out.push_str(" UNSPEC"),
        (3, _) => out.push_str(" UNIX"),
        (_, Some((src, dst))) => {
            let ip = if src.is_ipv4() { 4 } else { 6 };
            let (from, to) = (src.port(), dst.port());
            let _ = write!(out, " {kind}{ip} {} {} {from} {to}", src.ip(), dst.ip());
        }
        (_, None) => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    fn v2(family: u8, addresses: &[u8]) -> Vec<u8> {
        let len = u16::try_from(addresses.len()).unwrap_or(0).to_be_bytes();
        [SIGNATURE, &[0x21, family], &len, addresses].concat()
    }

    #[test]
    fn prefixes_are_told_from_other_octets_at_every_cut() {
        let v4 = v2(0x11, &[192, 0, 2, 1, 192, 0, 2, 2, 0x15, 0xb3, 0, 80]);
        let six = v2(0x21, &[0x20; 36]);
        for octets in [
            &b"PROXY TCP4 192.0.2.1 192.0.2.2 5555 80\r\n"[..],
            b"PROXY TCP6 2001:db8::1 2001:db8::2 5555 80\r\n",
            b"PROXY UNKNOWN\r\n",
            &v4,
            &six,
        ] {
            let all = [octets, b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(ProxyDetector.probe(&all, false), Probe::Yes);
            let at = Position::behind_a_gap(crate::base::flow::Direction::Forward);
            let Begin::Message {
                head,
                hand_over: true,
                ..
            } = Proxy.begin(&at, &all)
            else {
                panic!("{}", octets.escape_ascii());
            };
            assert_eq!(head, octets.len());
            for cut in 1..octets.len().min(HEADER) {
                let probed = ProxyDetector.probe(&octets[..cut], false);
                assert_eq!(probed, Probe::More, "{cut}");
            }
        }
        for text in [
            "PROXY\r\n",
            "PROXY SCTP a b c d\r\n",
            "PROXY TCP4 a\r\n",
            "GET /",
            "\r\n\r\nX",
        ] {
            assert_eq!(
                ProxyDetector.probe(text.as_bytes(), true),
                Probe::No,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_prefix_is_summed_up() {
        let v4 = v2(0x11, &[192, 0, 2, 1, 192, 0, 2, 2, 0x15, 0xb3, 0, 80]);
        assert_eq!(
            said(summary, Transport::Tcp, &v4),
            "PROXY v2 TCP4 192.0.2.1 192.0.2.2 5555 80"
        );
        let line = b"PROXY UNKNOWN\r\n";
        assert_eq!(said(summary, Transport::Tcp, line), "PROXY UNKNOWN");
        // Addresses that are not to be believed name nobody.
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x15, 0xb3, 0, 80];
        let mut local = v2(0x11, &v4);
        local[12] = 0x20;
        for (head, words) in [
            (
                &b"PROXY UNKNOWN 192.0.2.1 192.0.2.2 5555 80\r\n"[..],
                "PROXY UNKNOWN 192.0.2.1 192.0.2.2 5555 80",
            ),
            (&local, "PROXY v2 LOCAL"),
            (&v2(0, &v4), "PROXY v2 UNSPEC"),
            (&v2(0, &[]), "PROXY v2 UNSPEC"),
            (&v2(0x31, &[b'/'; 216]), "PROXY v2 UNIX"),
            (&v2(0x11, &v4[..4]), "PROXY v2"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, head), words);
            assert_eq!(named_ends(head), None, "{words}");
            let mut read = MessageFields::default();
            fields(head, &mut read);
            assert_eq!(
                read.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                ["version"]
            );
        }
    }
}
