//! S1AP, TS 36.413.

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "s1ap",
    ppids: &[Ppid::new(18, "S1AP, TS 36.413")],
    user_message: Some(UserMessageRow {
        ports: &[36412],
        is_plausible: ran_procedures::is_plausible,
    }),
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(PROCEDURES, m, out)
}

/// The elementary procedures in the order of their codes (TS 36.413).
const PROCEDURES: &[&str] = &[
    "HandoverPreparation",
    "HandoverResourceAllocation",
    "HandoverNotification",
    "PathSwitchRequest",
    "HandoverCancel",
    "E-RABSetup",
    "E-RABModify",
    "E-RABRelease",
    "E-RABReleaseIndication",
    "InitialContextSetup",
    "Paging",
    "DownlinkNASTransport",
    "InitialUEMessage",
    "UplinkNASTransport",
    "Reset",
    "ErrorIndication",
    "NASNonDeliveryIndication",
    "S1Setup",
    "UEContextReleaseRequest",
    "DownlinkS1cdma2000tunnelling",
    "UplinkS1cdma2000tunnelling",
    "UEContextModification",
    "UECapabilityInfoIndication",
    "UEContextRelease",
    "ENBStatusTransfer",
    "MMEStatusTransfer",
    "DeactivateTrace",
    "TraceStart",
    "TraceFailureIndication",
    "ENBConfigurationUpdate",
    "MMEConfigurationUpdate",
    "LocationReportingControl",
    "LocationReportingFailureIndication",
    "LocationReport",
    "OverloadStart",
    "OverloadStop",
    "WriteReplaceWarning",
    "ENBDirectInformationTransfer",
    "MMEDirectInformationTransfer",
    "PrivateMessage",
    "ENBConfigurationTransfer",
    "MMEConfigurationTransfer",
    "CellTrafficTrace",
    "Kill",
    "DownlinkUEAssociatedLPPaTransport",
    "UplinkUEAssociatedLPPaTransport",
    "DownlinkNonUEAssociatedLPPaTransport",
    "UplinkNonUEAssociatedLPPaTransport",
    "UERadioCapabilityMatch",
    "PWSRestartIndication",
    "E-RABModificationIndication",
    "PWSFailureIndication",
    "RerouteNASRequest",
    "UEContextModificationIndication",
    "ConnectionEstablishmentIndication",
    "UEContextSuspend",
    "UEContextResume",
    "NASDeliveryIndication",
    "RetrieveUEInformation",
    "UEInformationTransfer",
    "ENBCPRelocationIndication",
    "MMECPRelocationIndication",
    "SecondaryRATDataUsageReport",
    "UERadioCapabilityIDMapping",
    "HandoverSuccess",
    "ENBEarlyStatusTransfer",
    "MMEEarlyStatusTransfer",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0x20, 17]),
            "successfulOutcome S1Setup"
        );
    }
}
