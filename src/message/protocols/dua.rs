//! DPNSS/DASS2 user adaptation (RFC 4129).

use super::super::adaptation;
use super::super::row::{Ppid, ProtocolRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dua",
    ppids: &[Ppid::new(10, "DPNSS/DASS2 user adaptation (RFC 4129)")],
    kind: Some(adaptation::kind),
    user_message_summary: Some(adaptation::summary),
    ..ProtocolRow::NONE
};
