//! NGAP, TS 38.413.

use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use super::super::{nas, ran_procedures};
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ngap",
    ppids: &[Ppid::new(60, "NGAP, TS 38.413")],
    user_message: Some(UserMessageRow {
        ports: &[38412],
        is_plausible: ran_procedures::is_plausible,
    }),
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    // RAN-UE-NGAP-ID, but AMF-UE-NGAP-ID where the handover comes to a node that has no user yet (TS 38.413, 9.2.3.4).
    transaction: Some(|_, m| {
        ran_procedures::transaction(|code| if code == 13 { 10 } else { 85 }, Some(&RELEASE), m)
    }),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// The element that carries what is said between a phone and the core network (TS 38.413, 9.3.3.4).
const NAS_PDU: u16 = 38;

/// UE Context Release: UE-NGAP-IDs and AMF-UE-NGAP-ID, of 40 bits (TS 38.413, 9.2.2.5).
const RELEASE: ran_procedures::Release = ran_procedures::Release {
    code: 41,
    pair: 114,
    alone: 10,
    choice_bits: 2,
    len_bits: 3,
};

/// Codes of the procedures that are answered (TS 38.413, table 8.1-1).
const ANSWERED: &[u8] = &[
    0, 10, 12, 13, 14, 20, 21, 25, 26, 27, 28, 29, 32, 35, 40, 41, 43, 51, 58, 59, 60, 66, 67, 68,
    69, 70, 71, 72, 73,
];

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let known = ran_procedures::summary(PROCEDURES, m, out);
    if known {
        ran_procedures::carried(NAS_PDU, nas::five_g, m, out);
    }
    known
}

/// The elementary procedures in the order of their codes (TS 38.413).
const PROCEDURES: &[&str] = &[
    "AMFConfigurationUpdate",
    "AMFStatusIndication",
    "CellTrafficTrace",
    "DeactivateTrace",
    "DownlinkNASTransport",
    "DownlinkNonUEAssociatedNRPPaTransport",
    "DownlinkRANConfigurationTransfer",
    "DownlinkRANStatusTransfer",
    "DownlinkUEAssociatedNRPPaTransport",
    "ErrorIndication",
    "HandoverCancel",
    "HandoverNotification",
    "HandoverPreparation",
    "HandoverResourceAllocation",
    "InitialContextSetup",
    "InitialUEMessage",
    "LocationReportingControl",
    "LocationReportingFailureIndication",
    "LocationReport",
    "NASNonDeliveryIndication",
    "NGReset",
    "NGSetup",
    "OverloadStart",
    "OverloadStop",
    "Paging",
    "PathSwitchRequest",
    "PDUSessionResourceModify",
    "PDUSessionResourceModifyIndication",
    "PDUSessionResourceRelease",
    "PDUSessionResourceSetup",
    "PDUSessionResourceNotify",
    "PrivateMessage",
    "PWSCancel",
    "PWSFailureIndication",
    "PWSRestartIndication",
    "RANConfigurationUpdate",
    "RerouteNASRequest",
    "RRCInactiveTransitionReport",
    "TraceFailureIndication",
    "TraceStart",
    "UEContextModification",
    "UEContextRelease",
    "UEContextReleaseRequest",
    "UERadioCapabilityCheck",
    "UERadioCapabilityInfoIndication",
    "UETNLABindingRelease",
    "UplinkNASTransport",
    "UplinkNonUEAssociatedNRPPaTransport",
    "UplinkRANConfigurationTransfer",
    "UplinkRANStatusTransfer",
    "UplinkUEAssociatedNRPPaTransport",
    "WriteReplaceWarning",
    "SecondaryRATDataUsageReport",
    "UplinkRIMInformationTransfer",
    "DownlinkRIMInformationTransfer",
    "RetrieveUEInformation",
    "UEInformationTransfer",
    "RANCPRelocationIndication",
    "UEContextResume",
    "UEContextSuspend",
    "UERadioCapabilityIDMapping",
    "HandoverSuccess",
    "UplinkRANEarlyStatusTransfer",
    "DownlinkRANEarlyStatusTransfer",
    "AMFCPRelocationIndication",
    "ConnectionEstablishmentIndication",
    "BroadcastSessionModification",
    "BroadcastSessionRelease",
    "BroadcastSessionSetup",
    "DistributionSetup",
    "DistributionRelease",
    "MulticastSessionActivation",
    "MulticastSessionDeactivation",
    "MulticastSessionUpdate",
    "MulticastGroupPaging",
    "BroadcastSessionReleaseRequired",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0, 21, 0]),
            "initiatingMessage NGSetup"
        );
    }
}
