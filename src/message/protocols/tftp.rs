//! TFTP (RFC 1350).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::{SHOWN, escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use crate::base::protocol::NO_PROTOCOL;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::budget::Budget;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "tftp",
    kind: Some(kind),
    summary: Some(summary),
    // It takes a port for each transfer, and sends from there first (RFC 1350, 4).
    server_begins: true,
    ..ProtocolRow::NONE
};

/// On its port.
pub(super) static ON_ITS_PORT: DatagramRow = DatagramRow {
    about: "TFTP (RFC 1350)",
    ports: &[69],
    is_plausible: |m| octet(m, 0) == 0 && (1..=6).contains(&octet(m, 1)),
};

/// A request: on any port.
pub(super) static REQUEST: DatagramRow = DatagramRow {
    about: "TFTP (RFC 1350)",
    ports: &[],
    is_plausible: is_request,
};

/// A request to read or to write: a name and a mode, each ended by a zero octet.
fn is_request(m: &[u8]) -> bool {
    // First what is read at once: a datagram of any kind may come along.
    if !matches!(m, [0, 1 | 2, _, _, _, ..]) {
        return false;
    }
    let mut words = m.get(2..).unwrap_or_default().split(|o| *o == 0);
    let (name, mode) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    !name.is_empty()
        && name.iter().all(|o| *o >= b' ')
        && [&b"octet"[..], b"netascii", b"mail"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(mode))
        && words.next().is_some()
}

/// Requests to read and to write ask (RFC 1350, 5); what follows them is neither.
fn kind(m: &[u8]) -> Kind {
    match octet(m, 1) {
        1 | 2 => Kind::Request,
        _ => Kind::Other,
    }
}

/// Errors by their numbers (RFC 1350, appendix; RFC 2347).
const ERRORS: [&str; 9] = [
    "not defined",
    "file not found",
    "access violation",
    "disk full or allocation exceeded",
    "illegal TFTP operation",
    "unknown transfer ID",
    "file already exists",
    "no such user",
    "options refused",
];

/// The text that begins there and ends with a zero; as much of it as is shown.
fn text_at(m: &[u8], at: usize) -> &[u8] {
    let text = m.get(at..).unwrap_or_default();
    let text = text.split(|o| *o == 0).next().unwrap_or_default();
    text.get(..SHOWN).unwrap_or(text)
}

/// The operation, with the name of the file or the number of the block.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    match octet(m, 1) {
        1 | 2 => {
            out.push_str(if octet(m, 1) == 1 { "read " } else { "write " });
            escape(text_at(m, 2), out);
        }
        kind => {
            named_number(
                &[
                    (3, "data"),
                    (4, "acknowledgment"),
                    (5, "error"),
                    (6, "options"),
                ],
                u64::from(kind),
                out,
            );
            if kind != 6 {
                let _ = write!(out, " {}", number(m, 2, 2));
            }
            // What the sender says of it, or what its number stands for.
            if kind == 5 {
                let text = text_at(m, 4);
                let known = ERRORS
                    .get(octet(m, 3) as usize)
                    .filter(|_| octet(m, 2) == 0);
                out.push_str(": ");
                match known {
                    _ if !text.is_empty() => escape(text, out),
                    Some(name) => out.push_str(name),
                    None => out.push_str("not known"),
                }
            }
        }
    }
    true
}

/// Transfers of TFTP: the server answers from a port of its own (RFC 1350, 4), so the client's end is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Transfers {
    clients: VecDeque<SocketAddr>,
    /// Octets drawn on the budget.
    booked: usize,
}

/// Transfers that are remembered; the oldest is forgotten. A server that is asked by more clients at once is rare, and a
/// transfer that is forgotten costs a name only.
const TRANSFERS: usize = 256;

impl Transfers {
    /// Whether [`name`](Self::name) has to be asked about a datagram that is `named` by its octets and ports alone.
    pub(in crate::message) fn may_name(&self, named: &'static str) -> bool {
        named == PROTOCOL.name || (named == NO_PROTOCOL && !self.clients.is_empty())
    }

    /// Name of the protocol of a datagram, which is `named` by its octets and ports alone.
    pub fn name(
        &mut self,
        named: &'static str,
        payload: &[u8],
        src: SocketAddr,
        dst: SocketAddr,
    ) -> &'static str {
        if named == PROTOCOL.name && octet(payload, 1) <= 2 {
            if !self.clients.contains(&src) {
                if self.clients.len() >= TRANSFERS {
                    self.clients.pop_front();
                }
                self.clients.push_back(src);
            }
        } else if named == NO_PROTOCOL
            && payload.len() >= 4
            && octet(payload, 0) == 0
            && (3..=6).contains(&octet(payload, 1))
            && (self.clients.contains(&src) || self.clients.contains(&dst))
        {
            return PROTOCOL.name;
        }
        named
    }

    /// Forgets all of them and gives their memory back: the input has ended.
    pub fn flush(&mut self, budget: &mut Budget) {
        self.clients = VecDeque::new();
        self.book(budget);
    }

    /// Draws what is allocated on the budget.
    pub fn book(&mut self, budget: &mut Budget) {
        let size = self.clients.capacity() * size_of::<SocketAddr>();
        budget.rebook(&mut self.booked, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_are_few_and_booked() {
        let (mut transfers, mut budget) = (Transfers::default(), Budget::new(1 << 20));
        let server = SocketAddr::from(([192, 0, 2, 1], 69));
        let answer = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let client = |n: u16| SocketAddr::from(([192, 0, 2, 2], 10_000 + n));
        for n in 0..1000 {
            let request = b"\0\x01file\0octet\0";
            assert_eq!(
                transfers.name(PROTOCOL.name, request, client(n), server),
                PROTOCOL.name
            );
            transfers.book(&mut budget);
            let size = transfers.clients.capacity() * size_of::<SocketAddr>();
            assert_eq!(budget.used(), size);
        }
        assert!(budget.used() <= 2 * TRANSFERS * size_of::<SocketAddr>());
        for (n, name) in [(999, PROTOCOL.name), (0, NO_PROTOCOL)] {
            let named = transfers.name(NO_PROTOCOL, &[0, 3, 0, 1], answer(5000), client(n));
            assert_eq!(named, name);
        }
    }
}
