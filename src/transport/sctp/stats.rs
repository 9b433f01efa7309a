//! The statistics of each direction of an association, numbered as operators of signalling links know them.

use super::chunk::kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Numbers of the statistics, from this one on without a hole.
pub const FIRST: u16 = 7000;

/// What is counted, in the order of the numbers.
pub const NAMES: [&str; 22] = [
    "packets",
    "octets without IP header",
    "DATA",
    "INIT",
    "INIT ACK",
    "SACK",
    "HEARTBEAT",
    "HEARTBEAT ACK",
    "ABORT",
    "SHUTDOWN",
    "SHUTDOWN ACK",
    "ERROR",
    "COOKIE ECHO",
    "COOKIE ACK",
    "ECNE",
    "CWR",
    "SHUTDOWN COMPLETE",
    "duplicated",
    "out of sequence",
    "missing messages",
    "gap ack blocks",
    "duplicate TSNs reported",
];

/// Places in [`NAMES`] that are no chunk type's.
pub(super) mod place {
    pub(crate) const PACKETS: usize = 0;
    pub(crate) const OCTETS: usize = 1;
    pub(crate) const DUPLICATED: usize = 17;
    pub(crate) const OUT_OF_SEQUENCE: usize = 18;
    pub(crate) const MISSING: usize = 19;
    pub(crate) const GAP_BLOCKS: usize = 20;
    pub(crate) const REPORTED_DUPLICATES: usize = 21;
}

/// The values of one link, in the order of [`NAMES`].
pub type Values = [u64; NAMES.len()];

/// The place of a chunk type in [`NAMES`]; I-DATA counts as DATA.
pub(super) const fn of_chunk(kind: u8) -> Option<usize> {
    Some(match kind {
        kind::DATA | kind::I_DATA => 2,
        kind::INIT => 3,
        kind::INIT_ACK => 4,
        kind::SACK => 5,
        kind::HEARTBEAT => 6,
        kind::HEARTBEAT_ACK => 7,
        kind::ABORT => 8,
        kind::SHUTDOWN => 9,
        kind::SHUTDOWN_ACK => 10,
        kind::ERROR => 11,
        kind::COOKIE_ECHO => 12,
        kind::COOKIE_ACK => 13,
        kind::ECNE => 14,
        kind::CWR => 15,
        kind::SHUTDOWN_COMPLETE => 16,
        _ => return None,
    })
}

/// What was counted of one link, which is one direction of an association, since the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStats {
    /// Number of the association.
    pub association: u64,
    /// Source of this direction, as the flow has it.
    pub src: SocketAddr,
    /// Destination.
    pub dst: SocketAddr,
    /// In the order of [`NAMES`].
    pub values: Values,
}

/// The line above the rows: names of the columns, with its line feed.
pub const CSV_HEADER: &str =
    "period_start,period_end,association,source,destination,id,statistic,value\n";

/// The rows of a period, one for each link and statistic, in the order of the links.
///
/// Times are seconds since the epoch. No field can hold a comma or a quotation mark.
pub fn csv_rows(links: &[LinkStats], start: Timestamp, end: Timestamp) -> String {
    let mut text = String::new();
    for link in links {
        for ((id, name), value) in (FIRST..).zip(NAMES).zip(link.values) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{id},{name},{value}",
                start.secs(),
                end.secs(),
                link.association,
                link.src,
                link.dst,
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_for_each_link_and_statistic() {
        let mut values = [0; NAMES.len()];
        values[place::GAP_BLOCKS] = 5;
        let links = [LinkStats {
            association: 3,
            src: ([10, 0, 0, 1], 2905).into(),
            dst: ([10, 0, 0, 2], 2905).into(),
            values,
        }];
        let t = |s: u64| Timestamp::from_nanos(s * 1_000_000_000);
        let text = csv_rows(&links, t(900), t(1800));
        assert_eq!(text.lines().count(), 22);
        let columns = |l: &str| l.split(',').count();
        assert!(text.lines().all(|l| columns(l) == columns(CSV_HEADER)));
        assert!(text.contains("900,1800,3,10.0.0.1:2905,10.0.0.2:2905,7020,gap ack blocks,5\n"));
        assert!(text.starts_with("900,1800,3,10.0.0.1:2905,10.0.0.2:2905,7000,packets,0\n"));
    }
}
