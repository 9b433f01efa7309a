//! E1AP, TS 38.463, 37.483.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "e1ap",
    ppids: &[Ppid::new(64, "E1AP, TS 38.463, 37.483")],
    user_message: Some(UserMessageRow {
        ports: &[38462],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    // gNB-CU-CP UE E1AP ID (TS 37.483, 9.2.2.1).
    transaction: Some(|_, m| ran_procedures::transaction(|_| 2, None, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 37.483, table 8.1-1).
const ANSWERED: &[u8] = &[0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 24, 28];

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(PROCEDURES, m, out)
}

/// The elementary procedures in the order of their codes (TS 37.483).
const PROCEDURES: &[&str] = &[
    "Reset",
    "ErrorIndication",
    "PrivateMessage",
    "GNB-CU-UP-E1Setup",
    "GNB-CU-CP-E1Setup",
    "GNB-CU-UP-ConfigurationUpdate",
    "GNB-CU-CP-ConfigurationUpdate",
    "E1Release",
    "BearerContextSetup",
    "BearerContextModification",
    "BearerContextModificationRequired",
    "BearerContextRelease",
    "BearerContextReleaseRequest",
    "BearerContextInactivityNotification",
    "DLDataNotification",
    "DataUsageReport",
    "GNB-CU-UP-CounterCheck",
    "GNB-CU-UP-StatusIndication",
    "ULDataNotification",
    "MRDC-DataUsageReport",
    "TraceStart",
    "DeactivateTrace",
    "ResourceStatusReportingInitiation",
    "ResourceStatusReporting",
    "IAB-UPTNLAddressUpdate",
    "CellTrafficTrace",
    "EarlyForwardingSNTransfer",
    "GNB-CU-CPMeasurementResultsInformation",
    "IABPSKNotification",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0, 8]),
            "initiatingMessage BearerContextSetup"
        );
    }
}
