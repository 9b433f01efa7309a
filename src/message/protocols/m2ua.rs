//! MTP2 user adaptation (RFC 3331).

use super::super::adaptation;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "m2ua",
    ppids: &[Ppid::new(2, "MTP2 user adaptation (RFC 3331)")],
    user_message: Some(UserMessageRow {
        ports: &[2904],
        is_plausible: adaptation::is_plausible,
    }),
    kind: Some(adaptation::kind),
    user_message_summary: Some(adaptation::summary),
    ..ProtocolRow::NONE
};
