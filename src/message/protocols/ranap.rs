//! RANAP, TS 25.413.

use super::super::ran_procedures;
use super::super::row::ProtocolRow;
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ranap",
    kind: Some(|m| ran_procedures::kind(ANSWERED, m)),
    fields: Some(|_, _, m, to| ran_procedures::fields(PROCEDURES, m, to)),
    field_names: ran_procedures::FIELD_NAMES,
    words_ahead: 1,
    user_message_summary: Some(summary),
    ..ProtocolRow::NONE
};

/// Codes of the procedures that are answered (TS 25.413, 8.1; procedures of class 3 have an outcome too).
const ANSWERED: &[u8] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 9, 27, 33, 35, 36, 37, 39, 42, 45, 48,
];

/// One line: the kind of the message and its procedure.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(PROCEDURES, m, out)
}

/// The elementary procedures in the order of their codes (TS 25.413).
const PROCEDURES: &[&str] = &[
    "RAB-Assignment",
    "Iu-Release",
    "RelocationPreparation",
    "RelocationResourceAllocation",
    "RelocationCancel",
    "SRNS-ContextTransfer",
    "SecurityModeControl",
    "DataVolumeReport",
    "Not-Used-8",
    "Reset",
    "RAB-ReleaseRequest",
    "Iu-ReleaseRequest",
    "RelocationDetect",
    "RelocationComplete",
    "Paging",
    "CommonID",
    "CN-InvokeTrace",
    "LocationReportingControl",
    "LocationReport",
    "InitialUE-Message",
    "DirectTransfer",
    "OverloadControl",
    "ErrorIndication",
    "SRNS-DataForward",
    "ForwardSRNS-Context",
    "PrivateMessage",
    "CN-DeactivateTrace",
    "ResetResource",
    "RANAP-Relocation",
    "RAB-ModifyRequest",
    "LocationRelatedData",
    "InformationTransfer",
    "UESpecificInformation",
    "UplinkInformationExchange",
    "DirectInformationTransfer",
    "MBMSSessionStart",
    "MBMSSessionUpdate",
    "MBMSSessionStop",
    "MBMSUELinking",
    "MBMSRegistration",
    "MBMSCNDe-Registration-Procedure",
    "MBMSRABEstablishmentIndication",
    "MBMSRABRelease",
    "EnhancedRelocationComplete",
    "EnhancedRelocationCompleteConfirm",
    "RANAPenhancedRelocation",
    "SRVCCPreparation",
    "UeRadioCapabilityMatch",
    "UeRegistrationQuery",
    "RerouteNASRequest",
];

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn procedures_are_named() {
        assert_eq!(
            said(summary, Transport::Sctp, &[0x60, 0]),
            "outcome RAB-Assignment"
        );
    }
}
