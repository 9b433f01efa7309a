//! LINKTYPE_WIRESHARK_UPPER_PDU: what stands before a message, so that Wireshark hands it to its dissector.
//!
//! Tags, each with a length, in network order (`wsutil/exported_pdu_tlvs.h` of Wireshark).

use super::synthetic::Ends;
use crate::base::flow::Transport;
use std::net::IpAddr;

/// What the tags say of a message.
pub(crate) struct PduInfo<'a> {
    /// By Wireshark's name.
    pub(crate) protocol: &'a str,
    pub(crate) transport: Transport,
    /// The packet that completed it.
    pub(crate) frame: u64,
    /// PPID of SCTP.
    pub(crate) ppid: Option<u32>,
    /// What the Info column shows.
    pub(crate) text: &'a str,
}

/// Appends the tags.
pub(crate) fn header(out: &mut Vec<u8>, ends: &Ends, about: &PduInfo<'_>) {
    out.clear();
    let by_port = BY_PORT
        .iter()
        .find(|row| (row.0, row.1) == (about.protocol, about.transport));
    // A table entry where the name alone would reach the wrong dissector or none.
    match (by_port, about.ppid) {
        (Some((_, Transport::Udp, port)), _) => by_table(out, b"udp.port", *port),
        (Some((_, _, port)), _) => by_table(out, b"tcp.port", *port),
        (None, Some(ppid)) if BY_PPID.contains(&about.protocol) => {
            by_table(out, b"sctp.ppi", ppid);
        }
        _ => tag(
            out,
            12,
            dissector(about.protocol, about.transport).as_bytes(),
        ),
    }
    for (v4, v6, end) in [(20, 22, ends.src), (21, 23, ends.dst)] {
        match end.ip() {
            IpAddr::V4(a) => tag(out, v4, &a.octets()),
            IpAddr::V6(a) => tag(out, v6, &a.octets()),
        }
    }
    let kind: u32 = match about.transport {
        Transport::Sctp => 1,
        Transport::Tcp => 2,
        Transport::Udp => 3,
    };
    number(out, 24, kind);
    number(out, 25, ends.src.port().into());
    number(out, 26, ends.dst.port().into());
    if let Some(ppid) = about.ppid {
        number(out, 27, ppid);
    }
    // The tag has 32 bits; a later packet is shown by the largest number instead of a wrong one.
    number(out, 30, u32::try_from(about.frame).unwrap_or(u32::MAX));
    // 4.0 shows it as an unknown tag and goes on; later ones show it in the Info column.
    tag(out, 36, about.text.as_bytes());
    tag(out, 0, &[]);
}

/// Appends the tags in front of an IP datagram.
pub(crate) fn datagram(out: &mut Vec<u8>, frame: u64) {
    tag(out, 12, b"ip");
    number(out, 30, u32::try_from(frame).unwrap_or(u32::MAX));
    tag(out, 0, &[]);
}

/// Protocols whose dissector is not found by a name, or not for this transport: a port that it is registered for.
const BY_PORT: &[(&str, Transport, u32)] = &[
    ("104apci", Transport::Tcp, 2404),
    ("dns", Transport::Tcp, 53),
    ("llmnr", Transport::Udp, 5355),
    ("mdns", Transport::Udp, 5353),
    ("nbss", Transport::Tcp, 139),
    ("ntp", Transport::Udp, 123),
    ("resp", Transport::Tcp, 6379),
    ("someip", Transport::Tcp, 30490),
    ("someip", Transport::Udp, 30490),
    ("stun", Transport::Udp, 3478),
];

/// Protocols of SCTP whose dissector is not found by a name.
const BY_PPID: &[&str] = &[
    "asap",
    "calcappprotocol",
    "enrp",
    "fractalgeneratorprotocol",
    "gdt",
    "netperfmeter",
    "pingpongprotocol",
    "rtcdc",
    "sbcap",
    "ssp",
    "v5ua",
];

/// Name of the dissector: Wireshark's name for the protocol, but for one whose messages look otherwise in a stream.
fn dissector(protocol: &str, transport: Transport) -> &str {
    match (protocol, transport) {
        // The dissector for streams looks for the end of messages; a pdu has one.
        ("sip", Transport::Tcp) => "sip.tcp",
        (name, _) => name,
    }
}

/// The dissector that a table of Wireshark has for a number.
fn by_table(out: &mut Vec<u8>, table: &[u8], value: u32) {
    tag(out, 14, table);
    number(out, 32, value);
}

fn tag(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Values are filled up to 32 bits with zeros, which the length counts, as Wireshark writes them.
    // A tag's length has 16 bits, and no column shows a thousand characters.
    let value = value.get(..1000).unwrap_or(value);
    let len = value.len().next_multiple_of(4);
    out.extend(kind.to_be_bytes());
    out.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
    out.extend(value);
    out.resize(out.len() + len - value.len(), 0);
}

fn number(out: &mut Vec<u8>, kind: u16, value: u32) {
    tag(out, kind, &value.to_be_bytes());
}
