//! The user adaptation layers of SIGTRAN have one header (RFC 4666, 3.1): version, class, type, length. What the class and
//! type of a message mean is agreed among them too.

use super::length::{u16_at, u32_at};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// A message of a user adaptation layer (RFC 4666, 3.1); its length may leave out the padding of its last parameter.
pub(super) fn is_plausible(data: &[u8], whole: bool) -> bool {
    let (Some(&[1, 0, class, _]), Some(len)) = (data.first_chunk(), u32_at(data, 4)) else {
        return false;
    };
    let (len, there) = (u64::from(len), data.len() as u64);
    class < 16 && len >= 8 && (len == there || len.next_multiple_of(4) == there || !whole)
}

/// What asks and what acknowledges, or answers (RFC 4666, 3.1.2).
pub(super) fn kind(data: &[u8]) -> Kind {
    match data {
        [1, _, 3, 1..=3, ..] | [1, _, 4, 1 | 2, ..] | [1, _, 9, 1 | 3, ..] => Kind::Request,
        [1, _, 3, 4..=6, ..] | [1, _, 4, 3 | 4, ..] | [1, _, 9, 2 | 4, ..] => Kind::Response,
        // Of SUA (RFC 3868, 3.1.2): a connection, its release, its reset.
        [1, _, 8, 1 | 4 | 7, ..] => Kind::Request,
        [1, _, 8, 2 | 3 | 5 | 6, ..] => Kind::Response,
        _ => Kind::Other,
    }
}

/// Appends what a message is, and of data the point codes and the service; false where it is none.
pub(super) fn summary(_: Transport, data: &[u8], out: &mut String) -> bool {
    say(data, out).is_some()
}

/// The user adaptation layers have one header (RFC 4666, 3.1): version, class, type, length.
fn say(b: &[u8], out: &mut String) -> Option<()> {
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

#[cfg(test)]
mod tests {
    use super::super::text::said;
    use super::*;

    #[test]
    fn requests_are_acknowledged() {
        for (octets, expected) in [
            (&[1, 0, 3, 1][..], Kind::Request),
            (&[1, 0, 3, 4], Kind::Response),
            (&[1, 0, 1, 1], Kind::Other),
            (&[1, 0, 9], Kind::Other),
        ] {
            assert_eq!(kind(octets), expected, "{octets:?}");
        }
    }

    #[test]
    fn a_few_words() {
        let m3ua = [
            1, 0, 1, 1, 0, 0, 0, 40, 0, 6, 0, 8, 0, 0, 0, 1, 2, 0x10, 0, 24, 0, 0, 1, 2, 0, 0, 3,
            4, 3, 2, 0, 1,
        ];
        for (octets, expected) in [
            (&m3ua[..], "DATA 258 > 772 SCCP"),
            (&[1, 0, 3, 1, 0, 0, 0, 8], "ASPUP"),
            (&[1, 0, 77, 1, 0, 0, 0, 8], "class 77 type 1"),
            (&[2, 0, 3, 1, 0, 0, 0, 8], ""),
            (&[1], ""),
        ] {
            assert_eq!(said(summary, Transport::Sctp, octets), expected);
        }
    }
}
