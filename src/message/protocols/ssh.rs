//! SSH (RFC 4253): a line with the version of each side, packets with a length up to the new keys, and behind them octets of which
//! only their writes can be told apart.

use super::super::framing::{
    Begin, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::length::{number, octet};
use super::super::row::{Ppid, ProtocolRow};
use super::super::text::{escape, named_number};
use super::super::textual::{begins_as, is_shown, line};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ssh",
    about: "SSH (RFC 4253): versions, key exchange, and records without content",
    ports: &[22],
    ppids: &[Ppid::new(45, "SSH")],
    summary: Some(|_, m, out| summary(m, out)),
    fields: Some(|_, _, m, to| {
        if m.starts_with(BANNER)
            && let Some(Some((line, _))) = line(m)
        {
            to.text("version", line);
        } else if let Some(kind) = packet_kind(m) {
            to.write("message", |out| named_number(MESSAGES, kind.into(), out));
        }
    }),
    field_names: &["version", "message"],
    ..ProtocolRow::NONE
};

const BANNER: &[u8] = b"SSH-";
/// Octets of a line with a version, at most (RFC 4253, 4.2).
const LINE: usize = 255;
/// Octets of a packet that every implementation takes (RFC 4253, 6.1).
const PACKET: u64 = 35_000;
/// From here on keys are new.
const NEWKEYS: u8 = 21;
/// Begins a key exchange.
const KEXINIT: u8 = 20;

/// Messages that come before the keys are new (RFC 4250, 4.1.2), and those of key exchange.
const MESSAGES: &[(u64, &str)] = &[
    (1, "DISCONNECT"),
    (2, "IGNORE"),
    (3, "UNIMPLEMENTED"),
    (4, "DEBUG"),
    (20, "KEXINIT"),
    (21, "NEWKEYS"),
    (30, "KEX 30"),
    (31, "KEX 31"),
    (32, "KEX 32"),
    (33, "KEX 33"),
    (34, "KEX 34"),
];

/// Recognises it.
pub(crate) struct SshDetector;

impl Detector for SshDetector {
    fn probe(&self, octets: &[u8], _: bool) -> Probe {
        match begins_as(octets, b"SSH-2.0-") {
            Probe::No => begins_as(octets, b"SSH-1.99-"),
            probe => probe,
        }
    }
}

/// Frames a connection.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ssh {
    /// A line with a version was seen, or a packet that begins a key exchange.
    known: bool,
    /// Each direction: its line was seen, its keys are new.
    greeted: [bool; 2],
    keyed: [bool; 2],
}

/// A packet before the keys are new (RFC 4253, 6): its length, if one stands there.
fn packet(m: &[u8]) -> Option<Option<u64>> {
    if m.len() < 6 {
        return Some(None);
    }
    let (len, padding, kind) = (number(m, 0, 4), u64::from(m[4]), m[5]);
    let known = MESSAGES.iter().any(|(n, _)| *n == u64::from(kind));
    let sound = (12..=PACKET).contains(&len) && padding >= 4 && padding + 1 < len && known;
    sound.then_some(Some(4 + len))
}

fn packet_kind(m: &[u8]) -> Option<u8> {
    packet(m)??;
    Some(octet(m, 5))
}

impl Framer for Ssh {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        let message = |len: u64, head: usize| Begin::Message {
            kind: Kind::Other,
            head: head.min(octets.len()),
            body: MessageBody::Octets(len - head.min(octets.len()) as u64),
            hand_over: false,
        };
        let exchange = matches!(packet(octets), Some(Some(_))) && octets[5] == KEXINIT;
        if !self.keyed[d] && exchange {
            (self.known, self.greeted[d]) = (true, true);
        }
        if !self.greeted[d] || !self.keyed[d] && octets.starts_with(BANNER) {
            return match line(octets) {
                // A server may send other lines before its own.
                Some(Some((line, len))) if len <= LINE && is_shown(line) => {
                    self.greeted[d] = line.starts_with(BANNER);
                    self.known |= self.greeted[d];
                    message(len as u64, len)
                }
                None if octets.len() < LINE && at.next == Following::Octets => Begin::NeedMore,
                _ => Begin::Refuse,
            };
        }
        if !self.keyed[d] {
            match packet(octets) {
                Some(Some(len)) => {
                    self.keyed[d] = octets[5] == NEWKEYS;
                    return message(len, usize::try_from(len).unwrap_or(usize::MAX));
                }
                Some(None) if at.next == Following::Octets => return Begin::NeedMore,
                // The keys are new, and what said so is lost.
                _ => self.keyed[d] = true,
            }
        }
        // What one write has sent, as far as its segments are at hand.
        let whole = at.push || at.next != Following::Octets || at.late;
        match whole || octets.len() >= usize::try_from(PACKET).unwrap_or(0) {
            true => message(octets.len() as u64, octets.len()),
            false => Begin::NeedMore,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        // What is encrypted has no beginnings.
        if self.known && !octets.is_empty() {
            return Found::At(0);
        }
        let begins = |i: &usize| {
            let rest = &octets[*i..];
            rest.starts_with(b"SSH-2.0-") || packet_kind(rest) == Some(KEXINIT)
        };
        let mut places = (0..octets.len()).filter(|i| at.segment(*i));
        match places.find(begins) {
            Some(place) => Found::At(place),
            None => Found::Nowhere { keep: octets.len() },
        }
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        self.greeted[d] = self.known;
    }
}

fn summary(m: &[u8], out: &mut String) -> bool {
    if m.starts_with(BANNER) {
        if let Some(Some((line, _))) = line(m) {
            escape(line, out);
        }
    } else if let Some(kind) = packet_kind(m) {
        named_number(MESSAGES, kind.into(), out);
    } else if is_shown(m.trim_ascii_end()) && m.ends_with(b"\n") {
        escape(m.trim_ascii_end(), out);
    } else {
        out.push_str("encrypted");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;
    use crate::base::flow::Transport;

    #[test]
    fn versions_and_key_exchange_are_named() {
        let kexinit = [&b"\0\0\0\x1c\x0a\x14"[..], &[7; 26]].concat();
        for (octets, expected) in [
            (&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], "SSH-2.0-OpenSSH_9.2p1"),
            (&kexinit, "KEXINIT"),
            (b"\x91\x82\x11\x99\x00\x12", "encrypted"),
        ] {
            assert_eq!(
                said(|_, m, out| summary(m, out), Transport::Tcp, octets),
                expected
            );
        }
        assert_eq!(SshDetector.probe(b"SSH-2.0-x\r\n", false), Probe::Yes);
        assert_eq!(SshDetector.probe(b"SSH", false), Probe::More);
        assert_eq!(SshDetector.probe(b"SSL-2.0-x", false), Probe::No);
    }
}
