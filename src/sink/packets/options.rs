//! What packets look like, as the user chose.

use super::file::FileFormat;
use std::time::Duration;

/// How the headers of packets begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encap {
    /// Ethernet where the first input is Ethernet, else raw IP.
    #[default]
    Auto,
    /// LINKTYPE_ETHERNET.
    Ethernet,
    /// LINKTYPE_RAW.
    Raw,
    /// LINKTYPE_WIRESHARK_UPPER_PDU: the message behind the name of its dissector, without IP and TCP.
    Pdu,
}

/// `--large`: what becomes of a message that is larger than an IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Large {
    /// A train of full segments.
    #[default]
    Split,
    /// One packet of up to 262,144 octets, a train beyond.
    Jumbo,
    /// One packet of up to `--max-message` octets, as if the snapshot length had cut it.
    Snap,
}

/// Choices of an output of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketOptions {
    /// `--encap`.
    pub encap: Encap,
    /// `--format`.
    pub format: FileFormat,
    /// `--large`.
    pub large: Large,
    /// `--max-message`: octets of a message in one packet, at most; 0: as many as fit.
    pub max_message: usize,
    /// `--fill-gaps`: zeros stand where octets are missing.
    pub fill_gaps: bool,
    /// `--info`: a comment for each message, in pcapng.
    pub info: bool,
    /// `--track`: a comment for each packet that says where its octets stood in the input, in pcapng.
    pub track: bool,
    /// `--timestamps original`: timestamps may go back.
    pub original_times: bool,
    /// `--handshake`: SYN, FIN and RST packets for all connections.
    pub handshake: bool,
    /// `--output-sort-delay`, `--output-sort-queue`: packets are written in the order of time; not where both are 0.
    pub sort_delay: Duration,
    /// Packets that wait for that, at most; 0: as many as the queue has room for.
    pub sort_queue: usize,
    /// `-U`: flush after every packet.
    pub packet_buffered: bool,
}
