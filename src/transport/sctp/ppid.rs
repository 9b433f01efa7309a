//! Payload protocol identifiers (IANA, "SCTP Payload Protocol Identifiers").

/// What a payload protocol identifier names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ppid {
    /// The number.
    pub number: u32,
    /// The protocol by Wireshark's dissector name, `data` where Wireshark has none.
    pub protocol: &'static str,
    /// The protocol, and what defines it.
    pub title: &'static str,
}

/// The list, by number.
pub const PPIDS: &[Ppid] = &[
    Ppid {
        number: 1,
        protocol: "iua",
        title: "ISDN Q.921 user adaptation (RFC 4233)",
    },
    Ppid {
        number: 2,
        protocol: "m2ua",
        title: "MTP2 user adaptation (RFC 3331)",
    },
    Ppid {
        number: 3,
        protocol: "m3ua",
        title: "MTP3 user adaptation (RFC 4666)",
    },
    Ppid {
        number: 4,
        protocol: "sua",
        title: "SCCP user adaptation (RFC 3868)",
    },
    Ppid {
        number: 5,
        protocol: "m2pa",
        title: "MTP2 peer-to-peer adaptation (RFC 4165)",
    },
    Ppid {
        number: 6,
        protocol: "v5ua",
        title: "V5.2 user adaptation (RFC 3807)",
    },
    Ppid {
        number: 7,
        protocol: "megaco",
        title: "H.248, Megaco",
    },
    Ppid {
        number: 8,
        protocol: "bicc",
        title: "BICC, Q.2150.3",
    },
    Ppid {
        number: 9,
        protocol: "data",
        title: "TALI (RFC 3094)",
    },
    Ppid {
        number: 10,
        protocol: "dua",
        title: "DPNSS/DASS2 user adaptation (RFC 4129)",
    },
    Ppid {
        number: 11,
        protocol: "asap",
        title: "ASAP (RFC 5352)",
    },
    Ppid {
        number: 12,
        protocol: "enrp",
        title: "ENRP (RFC 5353)",
    },
    Ppid {
        number: 13,
        protocol: "q931",
        title: "H.323, H.225 call signalling",
    },
    Ppid {
        number: 14,
        protocol: "data",
        title: "Q.IPC, Q.2150.3",
    },
    Ppid {
        number: 15,
        protocol: "data",
        title: "SIMCO",
    },
    Ppid {
        number: 16,
        protocol: "data",
        title: "DDP segment chunk",
    },
    Ppid {
        number: 17,
        protocol: "data",
        title: "DDP stream session control",
    },
    Ppid {
        number: 18,
        protocol: "s1ap",
        title: "S1AP, TS 36.413",
    },
    Ppid {
        number: 19,
        protocol: "rua",
        title: "RUA, TS 25.468",
    },
    Ppid {
        number: 20,
        protocol: "hnbap",
        title: "HNBAP, TS 25.469",
    },
    Ppid {
        number: 21,
        protocol: "data",
        title: "ForCES, high priority (RFC 5811)",
    },
    Ppid {
        number: 22,
        protocol: "data",
        title: "ForCES, medium priority (RFC 5811)",
    },
    Ppid {
        number: 23,
        protocol: "data",
        title: "ForCES, low priority (RFC 5811)",
    },
    Ppid {
        number: 24,
        protocol: "sbcap",
        title: "SBc-AP, TS 29.168",
    },
    Ppid {
        number: 25,
        protocol: "nbap",
        title: "NBAP, TS 25.433",
    },
    Ppid {
        number: 27,
        protocol: "x2ap",
        title: "X2AP, TS 36.423",
    },
    Ppid {
        number: 28,
        protocol: "data",
        title: "IRCP, inter-router capability",
    },
    Ppid {
        number: 29,
        protocol: "lcsap",
        title: "LCS-AP, TS 29.171",
    },
    Ppid {
        number: 30,
        protocol: "data",
        title: "MPICH2",
    },
    Ppid {
        number: 31,
        protocol: "sabp",
        title: "SABP, TS 25.419",
    },
    Ppid {
        number: 32,
        protocol: "fractalgeneratorprotocol",
        title: "fractal generator",
    },
    Ppid {
        number: 33,
        protocol: "pingpongprotocol",
        title: "ping pong",
    },
    Ppid {
        number: 34,
        protocol: "calcappprotocol",
        title: "CalcApp",
    },
    Ppid {
        number: 35,
        protocol: "ssp",
        title: "scripting service",
    },
    Ppid {
        number: 36,
        protocol: "netperfmeter",
        title: "NetPerfMeter control",
    },
    Ppid {
        number: 37,
        protocol: "netperfmeter",
        title: "NetPerfMeter data",
    },
    Ppid {
        number: 38,
        protocol: "data",
        title: "Echo (RFC 862)",
    },
    Ppid {
        number: 39,
        protocol: "data",
        title: "Discard (RFC 863)",
    },
    Ppid {
        number: 40,
        protocol: "data",
        title: "Daytime (RFC 867)",
    },
    Ppid {
        number: 41,
        protocol: "data",
        title: "Character generator (RFC 864)",
    },
    Ppid {
        number: 42,
        protocol: "data",
        title: "3GPP RNA, TS 25.471",
    },
    Ppid {
        number: 43,
        protocol: "m2ap",
        title: "M2AP, TS 36.443",
    },
    Ppid {
        number: 44,
        protocol: "m3ap",
        title: "M3AP, TS 36.444",
    },
    Ppid {
        number: 45,
        protocol: "ssh",
        title: "SSH",
    },
    Ppid {
        number: 46,
        protocol: "diameter",
        title: "Diameter (RFC 6733)",
    },
    Ppid {
        number: 47,
        protocol: "dtls",
        title: "Diameter in DTLS (RFC 6733)",
    },
    Ppid {
        number: 48,
        protocol: "data",
        title: "R14P, BER in ASN.1",
    },
    Ppid {
        number: 49,
        protocol: "gdt",
        title: "GDT, generic data transfer",
    },
    Ppid {
        number: 50,
        protocol: "rtcdc",
        title: "WebRTC DCEP (RFC 8832)",
    },
    Ppid {
        number: 51,
        protocol: "data",
        title: "WebRTC string (RFC 8831)",
    },
    Ppid {
        number: 52,
        protocol: "data",
        title: "WebRTC binary, partial (RFC 8831, deprecated)",
    },
    Ppid {
        number: 53,
        protocol: "data",
        title: "WebRTC binary (RFC 8831)",
    },
    Ppid {
        number: 54,
        protocol: "data",
        title: "WebRTC string, partial (RFC 8831, deprecated)",
    },
    Ppid {
        number: 55,
        protocol: "data",
        title: "3GPP PUA, TS 25.470",
    },
    Ppid {
        number: 56,
        protocol: "data",
        title: "WebRTC empty string (RFC 8831)",
    },
    Ppid {
        number: 57,
        protocol: "data",
        title: "WebRTC empty binary (RFC 8831)",
    },
    Ppid {
        number: 58,
        protocol: "data",
        title: "3GPP XwAP, TS 36.463",
    },
    Ppid {
        number: 59,
        protocol: "data",
        title: "3GPP Xw control plane, TS 36.462",
    },
    Ppid {
        number: 60,
        protocol: "ngap",
        title: "NGAP, TS 38.413",
    },
    Ppid {
        number: 61,
        protocol: "xnap",
        title: "XnAP, TS 38.423",
    },
    Ppid {
        number: 62,
        protocol: "f1ap",
        title: "F1AP, TS 38.473",
    },
    Ppid {
        number: 63,
        protocol: "data",
        title: "HTTP over SCTP",
    },
    Ppid {
        number: 64,
        protocol: "e1ap",
        title: "E1AP, TS 38.463, 37.483",
    },
    Ppid {
        number: 65,
        protocol: "data",
        title: "ELE2, lawful interception",
    },
    Ppid {
        number: 66,
        protocol: "data",
        title: "NGAP in DTLS, TS 38.412",
    },
    Ppid {
        number: 67,
        protocol: "data",
        title: "XnAP in DTLS, TS 38.422",
    },
    Ppid {
        number: 68,
        protocol: "data",
        title: "F1AP in DTLS, TS 38.472",
    },
    Ppid {
        number: 69,
        protocol: "data",
        title: "E1AP in DTLS, TS 38.462",
    },
    Ppid {
        number: 70,
        protocol: "data",
        title: "E2-CP, O-RAN",
    },
    Ppid {
        number: 71,
        protocol: "data",
        title: "E2-UP, O-RAN",
    },
    Ppid {
        number: 72,
        protocol: "data",
        title: "E2-DU, O-RAN",
    },
    Ppid {
        number: 73,
        protocol: "data",
        title: "W1AP, TS 37.473",
    },
];

/// What a number names; None where IANA has not assigned it.
///
/// Some stacks put the number into the packet in the order of their own machine, so a number of which only the highest
/// octet is set is taken as the one with its octets reversed, as long as that is assigned.
pub fn find(number: u32) -> Option<&'static Ppid> {
    let at = |n: u32| {
        let i = PPIDS.binary_search_by_key(&n, |p| p.number).ok()?;
        PPIDS.get(i)
    };
    at(number).or_else(|| at(number.swap_bytes()))
}

/// The protocol of a user message by Wireshark's dissector name; `data` where nothing is known.
pub fn protocol(number: u32) -> &'static str {
    find(number).map_or("data", |p| p.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_and_found() {
        assert!(PPIDS.windows(2).all(|w| w[0].number < w[1].number));
        for (number, name) in [
            (0, "data"),
            (3, "m3ua"),
            (18, "s1ap"),
            (0x1200_0000, "s1ap"),
            (46, "diameter"),
            (60, "ngap"),
            (64, "e1ap"),
            (51, "data"),
            (0x1234_5678, "data"),
        ] {
            assert_eq!(protocol(number), name, "{number:#x}");
        }
        assert_eq!(find(0), None);
        assert_eq!(find(20).map(|p| p.protocol), Some("hnbap"));
    }
}
