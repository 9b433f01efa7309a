//! Messages: where each begins and ends in the octets of a stream.
//!
//! A [`Detector`] recognises a protocol, its [`Framer`] says where messages begin and end, and the [`Extractor`] walks
//! the streams by what they say and hands messages on. A protocol is one row of `rows.rs`, where its header says how
//! long a message is, or one file; and its row of [`DETECTORS`]. Over UDP a datagram is a message, and `datagram.rs` names it.

pub mod bundled;
pub mod chosen;
pub mod custom;
mod datagram;
pub mod events;
pub mod extract;
pub mod framing;
mod headers;
mod http1;
mod length;
mod lines;
mod named;
mod pgsql;
mod ran_procedures;
mod resp;
mod rows;
pub mod rules;
pub mod summary;
#[cfg(test)]
mod tests;
mod tls;
mod user;

pub use datagram::{Transfers, datagram_protocol};
pub use events::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
pub use extract::Extractor;
pub use framing::{Detector, Framer};
pub use named::Named;

use crate::transport::sctp::ppid::PPIDS;
use length::LengthDetector;

/// Name of what has no known protocol, as Wireshark has it.
pub const NO_PROTOCOL: &str = "data";

/// The protocols over TCP, in the order in which they are tried.
pub const DETECTORS: &[&dyn Detector] = &[
    &http1::HttpDetector,
    &tls::TlsDetector,
    &headers::SIP,
    &headers::RTSP,
    &resp::RespDetector,
    &pgsql::PgsqlDetector,
    &LengthDetector(0),
    &LengthDetector(1),
    &LengthDetector(2),
    &LengthDetector(3),
    &LengthDetector(4),
    &LengthDetector(5),
    &LengthDetector(6),
    &LengthDetector(7),
    &LengthDetector(8),
    &LengthDetector(9),
    &LengthDetector(10),
    &LengthDetector(11),
    &LengthDetector(12),
    &LengthDetector(13),
    &LengthDetector(14),
    &lines::SMTP,
    &lines::FTP,
    &lines::POP,
    &lines::IMAP,
];

/// A protocol that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Wireshark's name.
    pub name: &'static str,
    /// `tcp`, `udp` or `sctp`.
    pub transport: &'static str,
    /// Ports that hint at it, or that it is looked for on.
    pub ports: &'static [u16],
    /// What it is.
    pub about: &'static str,
}

/// All protocols, by name; one that several transports carry stands there for each.
pub fn protocols() -> Vec<Protocol> {
    let streams = DETECTORS.iter().map(|d| Protocol {
        name: d.name(),
        transport: "tcp",
        ports: d.ports(),
        about: d.about(),
    });
    let datagrams = datagram::DATAGRAMS.iter().map(|row| Protocol {
        name: row.name,
        transport: "udp",
        ports: row.ports,
        about: row.about,
    });
    let user = PPIDS.iter().filter(|p| p.protocol != NO_PROTOCOL);
    let user = user.map(|p| Protocol {
        name: p.protocol,
        transport: "sctp",
        ports: user::ports(p.protocol),
        about: p.title,
    });
    let mut all: Vec<_> = streams.chain(datagrams).chain(user).collect();
    all.sort_by_key(|p| (p.name, p.transport, p.ports.is_empty()));
    all.dedup_by_key(|p| (p.name, p.transport));
    all
}

/// This name, if a protocol has it that is part of the program, or if it stands for none.
fn known_name(text: &str) -> Option<&'static str> {
    let streams = DETECTORS.iter().map(|d| d.name());
    let datagrams = datagram::DATAGRAMS.iter().map(|row| row.name);
    streams
        .chain(datagrams)
        .chain(PPIDS.iter().map(|p| p.protocol))
        .chain([NO_PROTOCOL])
        .find(|name| *name == text)
}

#[cfg(test)]
mod table_tests {
    use super::*;

    #[test]
    fn every_row_has_its_detector() {
        for row in rows::ROWS {
            let found = DETECTORS.iter().filter(|d| d.name() == row.name).count();
            assert_eq!(found, 1, "{}", row.name);
        }
        let mut names: Vec<_> = DETECTORS.iter().map(|d| d.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DETECTORS.len());
    }
}
