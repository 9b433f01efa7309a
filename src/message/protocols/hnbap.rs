//! HNBAP, TS 25.469.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "hnbap",
    ppids: &[Ppid::new(20, "HNBAP, TS 25.469")],
    user_message: Some(UserMessageRow {
        ports: &[29169],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(&[], m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 25.469, 8.1).
const ANSWERED: &[u8] = &[1, 3, 6, 7, 9];

/// One line: the kind of the message and the code of its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(&[], m, out)
}
