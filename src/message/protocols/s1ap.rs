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
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    // eNB-UE-S1AP-ID, but MME-UE-S1AP-ID where the handover comes to an eNB that has no user yet (TS 36.413, 9.1.5.4).
    transaction: Some(|_, m| {
        ran_procedures::transaction(|code| if code == 1 { 0 } else { 8 }, Some(&RELEASE), m)
    }),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// UE Context Release: UE-S1AP-IDs and MME-UE-S1AP-ID, of 32 bits (TS 36.413, 9.1.4.6).
const RELEASE: ran_procedures::Release = ran_procedures::Release {
    code: 23,
    pair: 99,
    alone: 0,
    choice_bits: 2,
    len_bits: 2,
};

/// Codes of the procedures that are answered (TS 36.413, table 8.1-1).
const ANSWERED: &[u8] = &[
    0, 1, 3, 4, 5, 6, 7, 9, 14, 17, 21, 23, 29, 30, 36, 43, 48, 50, 53, 55, 56, 63,
];

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
