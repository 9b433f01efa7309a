//! H.248, Megaco, in text.

use super::super::row::{Ppid, ProtocolRow, UserMessageRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "megaco",
    aliases: &["h248"],
    ppids: &[Ppid::new(7, "H.248, Megaco")],
    user_message: Some(UserMessageRow {
        ports: &[2944],
        is_plausible: |b, _| b.starts_with(b"MEGACO/") || b.starts_with(b"!/"),
    }),
    ..ProtocolRow::NONE
};
