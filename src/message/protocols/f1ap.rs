//! F1AP, TS 38.473.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "f1ap",
    ppids: &[Ppid::new(62, "F1AP, TS 38.473")],
    user_message: Some(UserMessageRow {
        ports: &[38472],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 38.473, table 8.1-1).
const ANSWERED: &[u8] = &[
    0, 1, 3, 4, 5, 6, 7, 8, 16, 20, 21, 26, 32, 33, 34, 35, 36, 41, 48, 49, 50, 52,
];

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(PROCEDURES, m, out)
}

/// The elementary procedures in the order of their codes (TS 38.473).
const PROCEDURES: &[&str] = &[
    "Reset",
    "F1Setup",
    "ErrorIndication",
    "GNBDUConfigurationUpdate",
    "GNBCUConfigurationUpdate",
    "UEContextSetup",
    "UEContextRelease",
    "UEContextModification",
    "UEContextModificationRequired",
    "UEMobilityCommand",
    "UEContextReleaseRequest",
    "InitialULRRCMessageTransfer",
    "DLRRCMessageTransfer",
    "ULRRCMessageTransfer",
    "PrivateMessage",
    "UEInactivityNotification",
    "GNBDUResourceCoordination",
    "SystemInformationDeliveryCommand",
    "Paging",
    "Notify",
    "WriteReplaceWarning",
    "PWSCancel",
    "PWSRestartIndication",
    "PWSFailureIndication",
    "GNBDUStatusIndication",
    "RRCDeliveryReport",
    "F1Removal",
    "NetworkAccessRateReduction",
    "TraceStart",
    "DeactivateTrace",
    "DUCURadioInformationTransfer",
    "CUDURadioInformationTransfer",
    "BAPMappingConfiguration",
    "GNBDUResourceConfiguration",
    "IABTNLAddressAllocation",
    "IABUPConfigurationUpdate",
    "ResourceStatusReportingInitiation",
    "ResourceStatusReporting",
    "AccessAndMobilityIndication",
    "AccessSuccess",
    "CellTrafficTrace",
    "PositioningMeasurementExchange",
    "PositioningAssistanceInformationControl",
    "PositioningAssistanceInformationFeedback",
    "PositioningMeasurementReport",
    "PositioningMeasurementAbort",
    "PositioningMeasurementFailureIndication",
    "PositioningMeasurementUpdate",
    "TRPInformationExchange",
    "PositioningInformationExchange",
    "PositioningActivation",
    "PositioningDeactivation",
    "E-CIDMeasurementInitiation",
    "E-CIDMeasurementFailureIndication",
    "E-CIDMeasurementReport",
    "E-CIDMeasurementTermination",
    "PositioningInformationUpdate",
    "ReferenceTimeInformationReport",
    "ReferenceTimeInformationReportingControl",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0, 1]),
            "initiatingMessage F1Setup"
        );
    }
}
