//! SBc-AP, TS 29.168.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "sbcap",
    ppids: &[Ppid::new(24, "SBc-AP, TS 29.168")],
    user_message: Some(UserMessageRow {
        ports: &[29168],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(&[], m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 29.168, 4.3).
const ANSWERED: &[u8] = &[0, 1];

/// One line: the kind of the message and the code of its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(&[], m, out)
}
