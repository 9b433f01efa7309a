//! Payload protocol identifiers of SCTP that name protocols of which nothing else is known here, and those for which
//! Wireshark has no name (IANA, "SCTP Payload Protocol Identifiers").

use super::super::ran_procedures;
use super::super::row::{Ppid, ProtocolRow};
use crate::base::flow::Transport;

/// A protocol that is only named.
const fn named(name: &'static str, ppids: &'static [Ppid]) -> ProtocolRow {
    ProtocolRow {
        name,
        ppids,
        ..ProtocolRow::NONE
    }
}

/// An application protocol of 3GPP whose procedures have no names here.
const fn ran(name: &'static str, ppids: &'static [Ppid]) -> ProtocolRow {
    ProtocolRow {
        name,
        ppids,
        user_message_summary: Some(summary),
        ..ProtocolRow::NONE
    }
}

fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    ran_procedures::summary(&[], m, out)
}

/// The protocols.
pub(super) static NAMED: &[ProtocolRow] = &[
    named("bicc", &[Ppid::new(8, "BICC, Q.2150.3")]),
    named("asap", &[Ppid::new(11, "ASAP (RFC 5352)")]),
    named("enrp", &[Ppid::new(12, "ENRP (RFC 5353)")]),
    named("q931", &[Ppid::new(13, "H.323, H.225 call signalling")]),
    named("lcsap", &[Ppid::new(29, "LCS-AP, TS 29.171")]),
    named("sabp", &[Ppid::new(31, "SABP, TS 25.419")]),
    named(
        "fractalgeneratorprotocol",
        &[Ppid::new(32, "fractal generator")],
    ),
    named("pingpongprotocol", &[Ppid::new(33, "ping pong")]),
    named("calcappprotocol", &[Ppid::new(34, "CalcApp")]),
    named("ssp", &[Ppid::new(35, "scripting service")]),
    named(
        "netperfmeter",
        &[
            Ppid::new(36, "NetPerfMeter control"),
            Ppid::new(37, "NetPerfMeter data"),
        ],
    ),
    named("dtls", &[Ppid::new(47, "Diameter in DTLS (RFC 6733)")]),
    named("gdt", &[Ppid::new(49, "GDT, generic data transfer")]),
    named("rtcdc", &[Ppid::new(50, "WebRTC DCEP (RFC 8832)")]),
    ran("w1ap", &[]),
    ran("rnsap", &[]),
    ran("nbap", &[Ppid::new(25, "NBAP, TS 25.433")]),
    ran("rua", &[Ppid::new(19, "RUA, TS 25.468")]),
    ran("lppa", &[]),
    ran("nrppa", &[]),
];

/// Those without a name.
pub(super) static UNNAMED: &[Ppid] = &[
    Ppid::new(9, "TALI (RFC 3094)"),
    Ppid::new(14, "Q.IPC, Q.2150.3"),
    Ppid::new(15, "SIMCO"),
    Ppid::new(16, "DDP segment chunk"),
    Ppid::new(17, "DDP stream session control"),
    Ppid::new(21, "ForCES, high priority (RFC 5811)"),
    Ppid::new(22, "ForCES, medium priority (RFC 5811)"),
    Ppid::new(23, "ForCES, low priority (RFC 5811)"),
    Ppid::new(28, "IRCP, inter-router capability"),
    Ppid::new(30, "MPICH2"),
    Ppid::new(38, "Echo (RFC 862)"),
    Ppid::new(39, "Discard (RFC 863)"),
    Ppid::new(40, "Daytime (RFC 867)"),
    Ppid::new(41, "Character generator (RFC 864)"),
    Ppid::new(42, "3GPP RNA, TS 25.471"),
    Ppid::new(48, "R14P, BER in ASN.1"),
    Ppid::new(51, "WebRTC string (RFC 8831)"),
    Ppid::new(52, "WebRTC binary, partial (RFC 8831, deprecated)"),
    Ppid::new(53, "WebRTC binary (RFC 8831)"),
    Ppid::new(54, "WebRTC string, partial (RFC 8831, deprecated)"),
    Ppid::new(55, "3GPP PUA, TS 25.470"),
    Ppid::new(56, "WebRTC empty string (RFC 8831)"),
    Ppid::new(57, "WebRTC empty binary (RFC 8831)"),
    Ppid::new(58, "3GPP XwAP, TS 36.463"),
    Ppid::new(59, "3GPP Xw control plane, TS 36.462"),
    Ppid::new(63, "HTTP over SCTP"),
    Ppid::new(65, "ELE2, lawful interception"),
    Ppid::new(66, "NGAP in DTLS, TS 38.412"),
    Ppid::new(67, "XnAP in DTLS, TS 38.422"),
    Ppid::new(68, "F1AP in DTLS, TS 38.472"),
    Ppid::new(69, "E1AP in DTLS, TS 38.462"),
    Ppid::new(70, "E2-CP, O-RAN"),
    Ppid::new(71, "E2-UP, O-RAN"),
    Ppid::new(72, "E2-DU, O-RAN"),
    Ppid::new(73, "W1AP, TS 37.473"),
];
