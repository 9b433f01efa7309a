//! Syslog (RFC 5424, RFC 3164).

use super::super::length::octet;
use super::super::row::{DatagramRow, ProtocolRow};
use memchr::memchr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "syslog",
    ..ProtocolRow::NONE
};

/// On its port.
pub(super) static ON_ITS_PORT: DatagramRow = DatagramRow {
    about: "Syslog (RFC 5424, RFC 3164)",
    ports: &[514],
    is_plausible: |m| has_priority(m) || m.first().is_some_and(u8::is_ascii_graphic),
};

/// On any port: what cannot be much else.
pub(super) static ANYWHERE: DatagramRow = DatagramRow {
    about: "Syslog (RFC 5424, RFC 3164)",
    ports: &[],
    is_plausible: |m| has_priority(m) && memchr(0, m).is_none(),
};

/// `<PRI>`, up to 191, and printable octets.
fn has_priority(m: &[u8]) -> bool {
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
