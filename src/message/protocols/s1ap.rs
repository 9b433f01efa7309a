//! S1AP, TS 36.413.

use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use super::super::{nas, ran_procedures};
use crate::base::flow::Transport;
use std::fmt::Write as _;

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

/// The elements that carry what is said between a phone and the core network, and why something is done (TS 36.413, 9.3.6).
const NAS_PDU: u16 = 26;
/// Lists of bearers, each of which may carry a message too: E-RABToBeSetupListCtxtSUReq, E-RABToBeSetupListBearerSUReq.
const BEARERS: [u16; 2] = [24, 16];
const CAUSE: u16 = 2;

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
    let known = ran_procedures::summary(PROCEDURES, m, out);
    if known {
        ran_procedures::carried(NAS_PDU, nas::eps, m, out);
        let bearers = BEARERS
            .iter()
            .find_map(|id| ran_procedures::element(*id, m));
        if let Some(message) = bearers.and_then(in_bearer) {
            ran_procedures::named(message, out);
        }
        if let Some((kind, name)) = ran_procedures::element(CAUSE, m).and_then(cause) {
            let _ = write!(out, ", cause {kind}: {name}");
        }
    }
    known
}

/// What the first of a list of bearers carries: its last value is a string of octets, which fills it (TS 36.413, 9.1.3.1, 9.1.4.1).
fn in_bearer(list: &[u8]) -> Option<ran_procedures::NasMessage> {
    // How many there are, and the number of the element of the first.
    let (len, item) = ran_procedures::open_type(list.get(4..)?)?;
    let item = item.get(..len)?;
    (0..len).find_map(|at| {
        let (len, message) = ran_procedures::open_type(&item[at..])?;
        nas::eps(message).filter(|_| len == message.len())
    })
}

/// Why something is done (TS 36.413, 9.2.1.3): a choice of five with a bit for its extension, in it a number with such a bit.
fn cause(value: &[u8]) -> Option<(&'static str, &'static str)> {
    let bits = u16::from_be_bytes([*value.first()?, value.get(1).copied().unwrap_or(0)]);
    let (kind, names, len, root) = match bits >> 12 {
        0 => ("radio network", RADIO_NETWORK, 6, 36),
        1 => ("transport", TRANSPORT, 1, 2),
        2 => ("NAS", NAS, 2, 4),
        3 => ("protocol", PROTOCOL_CAUSES, 3, 7),
        4 => ("misc", MISC, 3, 6),
        _ => return None,
    };
    // What is beyond the first version has six bits behind one that is 0 (aligned PER, 10.6).
    let number = if bits & 0x0800 == 0 {
        bits << 5 >> (16 - len)
    } else {
        root + (bits << 6 >> 10)
    };
    Some((kind, names.get(usize::from(number))?))
}

/// Causes, from 0 on (TS 36.413, 9.3.4).
const RADIO_NETWORK: &[&str] = &[
    "unspecified",
    "tx2relocoverall-expiry",
    "successful-handover",
    "release-due-to-eutran-generated-reason",
    "handover-cancelled",
    "partial-handover",
    "ho-failure-in-target-EPC-eNB-or-target-system",
    "ho-target-not-allowed",
    "tS1relocoverall-expiry",
    "tS1relocprep-expiry",
    "cell-not-available",
    "unknown-targetID",
    "no-radio-resources-available-in-target-cell",
    "unknown-mme-ue-s1ap-id",
    "unknown-enb-ue-s1ap-id",
    "unknown-pair-ue-s1ap-id",
    "handover-desirable-for-radio-reason",
    "time-critical-handover",
    "resource-optimisation-handover",
    "reduce-load-in-serving-cell",
    "user-inactivity",
    "radio-connection-with-ue-lost",
    "load-balancing-tau-required",
    "cs-fallback-triggered",
    "ue-not-available-for-ps-service",
    "radio-resources-not-available",
    "failure-in-radio-interface-procedure",
    "invalid-qos-combination",
    "interrat-redirection",
    "interaction-with-other-procedure",
    "unknown-E-RAB-ID",
    "multiple-E-RAB-ID-instances",
    "encryption-and-or-integrity-protection-algorithms-not-supported",
    "s1-intra-system-handover-triggered",
    "s1-inter-system-handover-triggered",
    "x2-handover-triggered",
    "redirection-towards-1xRTT",
    "not-supported-QCI-value",
    "invalid-CSG-Id",
    "release-due-to-pre-emption",
];
const TRANSPORT: &[&str] = &["transport-resource-unavailable", "unspecified"];
const NAS: &[&str] = &[
    "normal-release",
    "authentication-failure",
    "detach",
    "unspecified",
    "csg-subscription-expiry",
];
const PROTOCOL_CAUSES: &[&str] = &[
    "transfer-syntax-error",
    "abstract-syntax-error-reject",
    "abstract-syntax-error-ignore-and-notify",
    "message-not-compatible-with-receiver-state",
    "semantic-error",
    "abstract-syntax-error-falsely-constructed-message",
    "unspecified",
];
const MISC: &[&str] = &[
    "control-processing-overload",
    "not-enough-user-plane-processing-resources",
    "hardware-failure",
    "om-intervention",
    "unspecified",
    "unknown-PLMN",
];

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

    #[test]
    fn causes_and_what_is_carried_are_named() {
        let message = |code: u8, element: u8, value: &[u8]| {
            let len = u8::try_from(value.len()).unwrap();
            let mut m = vec![0, code, 0, len + 7, 0, 0, 1, 0, element, 0, len];
            m.extend(value);
            m
        };
        let nas = |m: &[u8]| {
            let len = u8::try_from(m.len()).unwrap();
            message(13, 26, &[&[len], m].concat())
        };
        for (octets, expected) in [
            (
                message(15, 2, &[0x24]),
                "initiatingMessage ErrorIndication, cause NAS: detach",
            ),
            (
                message(15, 2, &[0x02, 0x80]),
                "initiatingMessage ErrorIndication, cause radio network: user-inactivity",
            ),
            (
                message(15, 2, &[0x08, 0x30]),
                "initiatingMessage ErrorIndication, cause radio network: release-due-to-pre-emption",
            ),
            (message(15, 2, &[0x70]), "initiatingMessage ErrorIndication"),
            (message(15, 2, &[]), "initiatingMessage ErrorIndication"),
            (
                nas(b"\x07\x55\x01"),
                "initiatingMessage UplinkNASTransport, Identity request",
            ),
            (
                nas(b"\x27\x01\x02\x03\x04\x05\x99\x5e"),
                "initiatingMessage UplinkNASTransport",
            ),
            // A bearer, whose last value is such a message.
            (
                message(
                    5,
                    16,
                    b"\0\0\x11\0\x14\x0a\0\x09\x3c\x0f\x80\x0a\0\0\x01\0\0\0\x01\x05\x02\0\xc5\x01\x01",
                ),
                "initiatingMessage E-RABSetup, Activate dedicated EPS bearer context request",
            ),
        ] {
            assert_eq!(said(summary, Transport::Sctp, &octets), expected);
            for len in 0..octets.len() {
                // Whatever is cut, nothing is read that is not there.
                let _ = summary(Transport::Sctp, &octets[..len], &mut String::new());
            }
        }
    }
}
