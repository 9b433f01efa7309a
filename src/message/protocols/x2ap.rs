//! X2AP, TS 36.423.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "x2ap",
    ppids: &[Ppid::new(27, "X2AP, TS 36.423")],
    user_message: Some(UserMessageRow {
        ports: &[36422],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    // Old eNB UE X2AP ID (TS 36.423, 9.1.1.1).
    transaction: Some(|_, m| ran_procedures::transaction(|_| 10, None, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 36.423, table 8.1-1).
const ANSWERED: &[u8] = &[
    0, 6, 7, 8, 9, 12, 15, 18, 19, 21, 22, 24, 26, 27, 29, 30, 31, 32, 34, 36, 37, 39, 40, 41, 43,
    54,
];

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(PROCEDURES, m, out)
}

/// The elementary procedures in the order of their codes (TS 36.423).
const PROCEDURES: &[&str] = &[
    "HandoverPreparation",
    "HandoverCancel",
    "LoadIndication",
    "ErrorIndication",
    "SnStatusTransfer",
    "UEContextRelease",
    "X2Setup",
    "Reset",
    "ENBConfigurationUpdate",
    "ResourceStatusReportingInitiation",
    "ResourceStatusReporting",
    "PrivateMessage",
    "MobilitySettingsChange",
    "RLFIndication",
    "HandoverReport",
    "CellActivation",
    "X2Release",
    "X2APMessageTransfer",
    "X2Removal",
    "SeNBAdditionPreparation",
    "SeNBReconfigurationCompletion",
    "MeNBinitiatedSeNBModificationPreparation",
    "SeNBinitiatedSeNBModification",
    "MeNBinitiatedSeNBRelease",
    "SeNBinitiatedSeNBRelease",
    "SeNBCounterCheck",
    "RetrieveUEContext",
    "SgNBAdditionPreparation",
    "SgNBReconfigurationCompletion",
    "MeNBinitiatedSgNBModificationPreparation",
    "SgNBinitiatedSgNBModification",
    "MeNBinitiatedSgNBRelease",
    "SgNBinitiatedSgNBRelease",
    "SgNBCounterCheck",
    "SgNBChange",
    "RRCTransfer",
    "EndcX2Setup",
    "EndcConfigurationUpdate",
    "SecondaryRATDataUsageReport",
    "EndcCellActivation",
    "EndcPartialReset",
    "EUTRANRCellResourceCoordination",
    "SgNBActivityNotification",
    "EndcX2Removal",
    "DataForwardingAddressIndication",
    "GNBStatusIndication",
    "DeactivateTrace",
    "TraceStart",
    "EndcConfigurationTransfer",
    "HandoverSuccess",
    "ConditionalHandoverCancel",
    "EarlyStatusTransfer",
    "CellTrafficTrace",
    "EndcresourceStatusReporting",
    "EndcresourceStatusReportingInitiation",
    "F1CTrafficTransfer",
    "UERadioCapabilityIDMapping",
    "AccessAndMobilityIndication",
    "MIMOPRBusageInformation",
    "CPC-cancel",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0, 6]),
            "initiatingMessage X2Setup"
        );
    }
}
