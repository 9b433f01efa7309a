//! V5.2 user adaptation (RFC 3807).

use super::super::adaptation;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "v5ua",
    ppids: &[Ppid::new(6, "V5.2 user adaptation (RFC 3807)")],
    user_message: Some(UserMessageRow {
        ports: &[5675],
        is_plausible: adaptation::is_plausible,
    }),
    kind: Some(adaptation::kind),
    user_message_summary: Some(adaptation::summary),
    ..ProtocolRow::NONE
};
