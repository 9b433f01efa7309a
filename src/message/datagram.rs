//! Names the protocol of a UDP datagram: by its octets alone where they are sure, else by its octets and a port.

use super::NO_PROTOCOL;
use super::headers::is_sip;
use super::length::{Classified, LengthField, LengthFormat, number, octet};
use super::rows::{ROWS, dns};
use crate::base::storage::budget::Budget;
use memchr::memchr;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// One protocol over UDP.
pub(super) struct Row {
    /// Wireshark's name.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    /// Ports that it is looked for on; none: on all.
    pub(super) ports: &'static [u16],
    /// Whether the octets can be its own.
    holds: fn(&[u8]) -> bool,
}

/// The protocols, in the order in which they are tried.
pub(super) static DATAGRAMS: &[Row] = &[
    Row {
        name: "dns",
        about: "DNS (RFC 1035)",
        ports: &[53],
        holds: |m| dns(m, m.len() as u64) || m.len() < 12 || octet(m, 2) & 0x80 != 0,
    },
    Row {
        name: "mdns",
        about: "Multicast DNS (RFC 6762)",
        ports: &[5353],
        holds: |m| m.len() >= 12,
    },
    Row {
        name: "llmnr",
        about: "Link-local name resolution (RFC 4795)",
        ports: &[5355],
        holds: |m| m.len() >= 12,
    },
    Row {
        name: "dhcp",
        about: "DHCP (RFC 2131)",
        ports: &[],
        // Operation, and the magic cookie.
        holds: |m| matches!(octet(m, 0), 1 | 2) && number(m, 236, 4) == 0x6382_5363,
    },
    Row {
        name: "dhcp",
        about: "DHCP (RFC 2131)",
        ports: &[67, 68],
        // Cut before the cookie: operation, and the kind and length of an address of hardware.
        holds: |m| {
            m.len() < 240 && matches!(octet(m, 0), 1 | 2) && octet(m, 1) > 0 && octet(m, 2) <= 16
        },
    },
    Row {
        name: "dhcpv6",
        about: "DHCP for IPv6 (RFC 8415)",
        ports: &[546, 547],
        holds: |m| m.len() >= 4 && (1..=36).contains(&octet(m, 0)),
    },
    Row {
        name: "sip",
        about: "SIP (RFC 3261)",
        ports: &[],
        holds: is_sip,
    },
    Row {
        name: "stun",
        about: "STUN (RFC 8489)",
        ports: &[],
        holds: |m| {
            number(m, 4, 4) == 0x2112_a442
                && octet(m, 0) & 0xc0 == 0
                && number(m, 2, 2) + 20 == m.len() as u64
        },
    },
    Row {
        name: "ntp",
        about: "NTP (RFC 5905)",
        ports: &[123],
        holds: |m| m.len() >= 12 && (1..=4).contains(&(octet(m, 0) >> 3 & 7)),
    },
    Row {
        name: "snmp",
        about: "SNMP (RFC 3416, RFC 3412)",
        ports: &[161, 162],
        holds: snmp,
    },
    Row {
        name: "radius",
        about: "RADIUS (RFC 2865, RFC 2866, RFC 5176)",
        ports: &[1645, 1646, 1812, 1813, 3799],
        holds: |m| {
            let len = number(m, 2, 2);
            (20..=m.len() as u64).contains(&len) && matches!(octet(m, 0), 1..=5 | 11..=13 | 40..=45)
        },
    },
    Row {
        name: "syslog",
        about: "Syslog (RFC 5424, RFC 3164)",
        ports: &[514],
        holds: |m| syslog(m) || m.first().is_some_and(u8::is_ascii_graphic),
    },
    Row {
        name: "tftp",
        about: "TFTP (RFC 1350)",
        ports: &[69],
        holds: |m| octet(m, 0) == 0 && (1..=6).contains(&octet(m, 1)),
    },
    Row {
        name: "tftp",
        about: "TFTP (RFC 1350)",
        ports: &[],
        holds: tftp_request,
    },
    Row {
        name: "someip",
        about: "SOME/IP (AUTOSAR)",
        ports: &[],
        holds: |m| by_row("someip", m),
    },
    Row {
        name: "doip",
        about: "Diagnostics over IP (ISO 13400-2)",
        ports: &[13400],
        holds: |m| by_row("doip", m),
    },
    Row {
        name: "syslog",
        about: "Syslog (RFC 5424, RFC 3164)",
        ports: &[],
        holds: |m| syslog(m) && memchr(0, m).is_none(),
    },
];

/// The datagram is filled by messages of a row of the table of TCP.
fn by_row(name: &str, payload: &[u8]) -> bool {
    let Some(row) = ROWS.iter().find(|row| row.name == name) else {
        return false;
    };
    let mut rest = payload;
    while !rest.is_empty() {
        let Classified::Message(len) = row.classify(rest) else {
            return false;
        };
        match usize::try_from(len).ok().and_then(|len| rest.get(len..)) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    !payload.is_empty()
}

/// A sequence with a version and, behind it, a community (versions 1 and 2c) or a sequence (version 3).
fn snmp(m: &[u8]) -> bool {
    let Some(Some((_, at))) = LengthField::Ber { at: 1 }.read(m) else {
        return false;
    };
    octet(m, 0) == 0x30
        && number(m, at, 2) == 0x0201
        && matches!((octet(m, at + 2), octet(m, at + 3)), (0 | 1, 4) | (3, 0x30))
}

/// `<PRI>`, up to 191, and printable octets.
fn syslog(m: &[u8]) -> bool {
    let digits: Vec<u8> = m
        .iter()
        .skip(1)
        .take(4)
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    let priority = digits
        .iter()
        .fold(0u16, |n, d| n * 10 + u16::from(d - b'0'));
    octet(m, 0) == b'<'
        && (1..=3).contains(&digits.len())
        && priority <= 191
        && octet(m, digits.len() + 1) == b'>'
        && m.get(digits.len() + 2).is_some_and(|o| *o >= b' ')
}

/// A request to read or to write: a name and a mode, each ended by a zero octet.
fn tftp_request(m: &[u8]) -> bool {
    let mut words = m.get(2..).unwrap_or_default().split(|o| *o == 0);
    let (name, mode) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    matches!(number(m, 0, 2), 1 | 2)
        && m.len() > 4
        && !name.is_empty()
        && name.iter().all(|o| *o >= b' ')
        && [&b"octet"[..], b"netascii", b"mail"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(mode))
        && words.next().is_some()
}

/// Name of the protocol of a UDP datagram, by Wireshark; `data` where none is known.
pub fn datagram_protocol(payload: &[u8], src_port: u16, dst_port: u16) -> &'static str {
    let near = |row: &&Row| {
        row.ports.is_empty() || row.ports.contains(&src_port) || row.ports.contains(&dst_port)
    };
    DATAGRAMS
        .iter()
        .filter(near)
        .find(|row| (row.holds)(payload))
        .map_or(NO_PROTOCOL, |row| row.name)
}

/// Transfers of TFTP: the server answers from a port of its own (RFC 1350, 4), so the client's end is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Transfers {
    clients: VecDeque<SocketAddr>,
    /// Octets drawn on the budget.
    booked: usize,
}

/// Transfers that are remembered; the oldest is forgotten.
const TRANSFERS: usize = 256;

impl Transfers {
    /// Name of the protocol of a datagram, as [`datagram_protocol`], which `named` is what it said.
    pub fn name(
        &mut self,
        named: &'static str,
        payload: &[u8],
        src: SocketAddr,
        dst: SocketAddr,
    ) -> &'static str {
        if named == "tftp" && octet(payload, 1) <= 2 {
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
            return "tftp";
        }
        named
    }

    /// Draws what is allocated on the budget.
    pub fn book(&mut self, budget: &mut Budget) {
        let size = self.clients.capacity() * size_of::<SocketAddr>();
        if size != self.booked {
            budget.resize(self.booked, size);
            self.booked = size;
        }
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
            assert_eq!(transfers.name("tftp", request, client(n), server), "tftp");
            transfers.book(&mut budget);
            let size = transfers.clients.capacity() * size_of::<SocketAddr>();
            assert_eq!(budget.used(), size);
        }
        assert!(budget.used() <= 2 * TRANSFERS * size_of::<SocketAddr>());
        for (n, name) in [(999, "tftp"), (0, "data")] {
            let named = transfers.name("data", &[0, 3, 0, 1], answer(5000), client(n));
            assert_eq!(named, name);
        }
    }

    #[test]
    fn datagrams_are_named() {
        let mut dhcp = vec![1; 240];
        dhcp[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        let someip = [0x12, 0x34, 0, 1, 0, 0, 0, 8, 0, 1, 0, 1, 1, 1, 0, 0];
        let mut two = someip.to_vec();
        two.extend(someip);
        let query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        for (payload, ports, name) in [
            (&query[..], (40_000, 53), "dns"),
            (&query, (5353, 5353), "mdns"),
            (&query, (40_000, 5355), "llmnr"),
            (&query, (40_000, 40_001), "data"),
            (&dhcp, (68, 67), "dhcp"),
            (b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n", (4000, 4001), "sip"),
            (&[0x23; 48], (123, 123), "ntp"),
            (&[0x23; 48], (1234, 1235), "data"),
            (&[0x30, 3, 2, 1, 1, 4, 0], (4000, 161), "snmp"),
            (&[0x30, 3, 2, 1, 3, 0x30, 0], (162, 4000), "snmp"),
            (
                &[1, 1, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                (4000, 1812),
                "radius",
            ),
            (
                &[1, 1, 0, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                (4000, 1812),
                "data",
            ),
            (b"<34>Oct 11 22:14:15 host su: x", (4000, 514), "syslog"),
            (b"<192>Oct 11", (4000, 5140), "data"),
            (b"<191>Oct 11", (4000, 5140), "syslog"),
            (b"\0\x01file\0octet\0", (4000, 69), "tftp"),
            (b"\0\x01file\0octet\0", (4000, 6969), "tftp"),
            (b"\0\x01file\0other\0", (4000, 6969), "data"),
            (&two, (4000, 4001), "someip"),
            (&two[..30], (4000, 4001), "data"),
            (b"", (4000, 4001), "data"),
        ] {
            assert_eq!(
                datagram_protocol(payload, ports.0, ports.1),
                name,
                "{payload:?}"
            );
        }
    }
}
