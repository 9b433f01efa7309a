//! XnAP, TS 38.423.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "xnap",
    ppids: &[Ppid::new(61, "XnAP, TS 38.423")],
    user_message: Some(UserMessageRow {
        ports: &[38422],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 38.423, table 8.1-1).
const ANSWERED: &[u8] = &[
    0, 3, 7, 9, 10, 11, 12, 14, 16, 17, 18, 19, 20, 25, 34, 36, 44, 45, 46, 49,
];

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(PROCEDURES, m, out)
}

/// The elementary procedures in the order of their codes (TS 38.423).
const PROCEDURES: &[&str] = &[
    "HandoverPreparation",
    "SNStatusTransfer",
    "HandoverCancel",
    "RetrieveUEContext",
    "RANPaging",
    "XnUAddressIndication",
    "UEContextRelease",
    "SNGRANnodeAdditionPreparation",
    "SNGRANnodeReconfigurationCompletion",
    "MNGRANnodeinitiatedSNGRANnodeModificationPreparation",
    "SNGRANnodeinitiatedSNGRANnodeModificationPreparation",
    "MNGRANnodeinitiatedSNGRANnodeRelease",
    "SNGRANnodeinitiatedSNGRANnodeRelease",
    "SNGRANnodeCounterCheck",
    "SNGRANnodeChange",
    "RRCTransfer",
    "XnRemoval",
    "XnSetup",
    "NGRANnodeConfigurationUpdate",
    "CellActivation",
    "Reset",
    "ErrorIndication",
    "PrivateMessage",
    "NotificationControl",
    "ActivityNotification",
    "E-UTRA-NR-CellResourceCoordination",
    "SecondaryRATDataUsageReport",
    "DeactivateTrace",
    "TraceStart",
    "HandoverSuccess",
    "ConditionalHandoverCancel",
    "EarlyStatusTransfer",
    "FailureIndication",
    "HandoverReport",
    "ResourceStatusReportingInitiation",
    "ResourceStatusReporting",
    "MobilitySettingsChange",
    "AccessAndMobilityIndication",
    "CellTrafficTrace",
    "RANMulticastGroupPaging",
    "ScgFailureInformationReport",
    "ProcedureCode41-NotToBeUsed",
    "ScgFailureTransfer",
    "F1CTrafficTransfer",
    "IABTransportMigrationManagement",
    "IABTransportMigrationModification",
    "IABResourceCoordination",
    "RetrieveUEContextConfirm",
    "CPCCancel",
    "PartialUEContextTransfer",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0x40, 200]),
            "unsuccessfulOutcome procedure 200"
        );
    }
}
