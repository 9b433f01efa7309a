//! ISDN Q.921 user adaptation (RFC 4233).

use super::super::adaptation;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "iua",
    ppids: &[Ppid::new(1, "ISDN Q.921 user adaptation (RFC 4233)")],
    user_message: Some(UserMessageRow {
        ports: &[9900],
        is_plausible: adaptation::is_plausible,
    }),
    kind: Some(adaptation::kind),
    user_message_summary: Some(adaptation::summary),
    ..ProtocolRow::NONE
};
