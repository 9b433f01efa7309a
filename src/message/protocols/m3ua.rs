//! MTP3 user adaptation (RFC 4666).

use super::super::adaptation;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "m3ua",
    ppids: &[Ppid::new(3, "MTP3 user adaptation (RFC 4666)")],
    user_message: Some(UserMessageRow {
        ports: &[2905],
        is_plausible: adaptation::is_plausible,
    }),
    kind: Some(adaptation::kind),
    user_message_summary: Some(adaptation::summary),
    ..ProtocolRow::NONE
};
