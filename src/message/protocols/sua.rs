//! SCCP user adaptation (RFC 3868).

use super::super::adaptation;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "sua",
    ppids: &[Ppid::new(4, "SCCP user adaptation (RFC 3868)")],
    user_message: Some(UserMessageRow {
        ports: &[14001],
        is_plausible: adaptation::is_plausible,
    }),
    kind: Some(adaptation::kind),
    user_message_summary: Some(adaptation::summary),
    ..ProtocolRow::NONE
};
