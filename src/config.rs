//! Checked limits, time-outs and choices.

use crate::message::rules::Rules;
use crate::sink::packets::Form;
use crate::sink::print::Style;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a layer does about its checksums (SPEC 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Checksums {
    /// Take what offloading explains, and damaged copies only where nothing better comes.
    #[default]
    Auto,
    /// Drop every packet with a wrong sum.
    Verify,
    /// Compute none.
    Ignore,
}

/// Which of two copies of an octet stays while it waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Overlap {
    /// The one that came first.
    #[default]
    First,
    /// The newer one, as long as it has not been delivered.
    Last,
}

/// How copies on several channels (VLAN tags, tunnels) are treated (SPEC 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Channels {
    /// Channels whose numbers fit are one connection.
    #[default]
    Merge,
    /// A connection is followed on the channel that it was first seen on.
    First,
    /// The channel is part of every key.
    Separate,
}

/// Limits and choices of processing. Every one is finite; reaching one has a counter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// `--memory-limit`: octets allocated for all that waits.
    pub memory: usize,
    /// `--max-connections`: connections known at once, for each transport.
    pub connections: usize,
    /// `--max-active-packets`: fragments or segments that wait, for each of IP, TCP, SCTP.
    pub active_packets: usize,
    /// `--ip-packet-timeout`: how long a fragment waits for the others.
    pub ip_packet_timeout: Duration,
    /// `--tcp-packet-timeout`: how long a segment waits behind a hole when no acknowledgments are captured.
    pub tcp_packet_timeout: Duration,
    /// `--sctp-packet-timeout`.
    pub sctp_packet_timeout: Duration,
    /// `--session-timeout`: a connection idle for so long is closed.
    pub session_timeout: Duration,
    /// `--reorder-window`: packets of the connection after an acknowledgment past a hole ...
    pub reorder_packets: u32,
    /// ... and time, both of which must go by ...
    pub reorder_time: Duration,
    /// ... or this time alone.
    pub reorder_alone: Duration,
    /// `--look-behind`: segments of a stream captured from the middle that are held for earlier ones; 0: off.
    pub look_behind_segments: u32,
    /// ... or this time.
    pub look_behind_time: Duration,
    /// `--wait-ack`: messages are held until acknowledged.
    pub wait_ack: bool,
    /// `--tcp-buffer`: octets that wait on one stream.
    pub tcp_buffer: usize,
    /// `--tcp-holes`: holes in one stream.
    pub tcp_holes: usize,
    /// `--max-gap`: a jump of the sequence number over this cannot be a hole.
    pub max_gap: u32,
    /// `--overlap`.
    pub overlap: Overlap,
    /// `--vlan`.
    pub channels: Channels,
    /// `--checksums` for IPv4 headers.
    pub ip_checksums: Checksums,
    /// `--checksums` for TCP.
    pub tcp_checksums: Checksums,
    /// `--checksums` for UDP.
    pub udp_checksums: Checksums,
    /// `--checksums` for SCTP.
    pub sctp_checksums: Checksums,
    /// `--store-fragments`: keys of whole datagrams are kept until the time-out.
    pub store_fragments: bool,
    /// `--track-missing-chunks`.
    pub track_missing_chunks: bool,
    /// `--disable tcp`: TCP is handed on unprocessed.
    pub disable_tcp: bool,
    /// `--disable udp`.
    pub disable_udp: bool,
    /// `--disable sctp`.
    pub disable_sctp: bool,
    /// Octets of one message's header section, at most.
    pub header: usize,
    /// `--decode-as`, `--framer`, `--protocols`, `--unframed`.
    pub rules: Rules,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            connections: 1_000_000,
            active_packets: 100_000,
            ip_packet_timeout: Duration::from_secs(1),
            tcp_packet_timeout: Duration::from_secs(2),
            sctp_packet_timeout: Duration::from_secs(2),
            session_timeout: Duration::from_secs(3600),
            reorder_packets: 32,
            reorder_time: Duration::from_millis(20),
            reorder_alone: Duration::from_secs(1),
            look_behind_segments: 16,
            look_behind_time: Duration::from_millis(200),
            wait_ack: false,
            tcp_buffer: 4 << 20,
            tcp_holes: 64,
            max_gap: 16 << 20,
            overlap: Overlap::First,
            channels: Channels::Merge,
            ip_checksums: Checksums::Auto,
            tcp_checksums: Checksums::Auto,
            udp_checksums: Checksums::Auto,
            sctp_checksums: Checksums::Auto,
            store_fragments: false,
            track_missing_chunks: false,
            disable_tcp: false,
            disable_udp: false,
            disable_sctp: false,
            header: 256 << 10,
            rules: Rules::default(),
        }
    }
}

/// `--color`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--stats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatsFormat {
    /// Aligned, with descriptions.
    Text,
    /// One object.
    Json,
    /// A header line and a row.
    Csv,
}

/// `--write`: an output of packets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputSpec {
    /// A path, or `-` for stdout.
    pub name: String,
    /// What its packets look like.
    pub form: Form,
}

/// `--print`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrintTo {
    /// How much.
    pub style: Style,
    /// With colour.
    pub color: bool,
    /// `-U`.
    pub packet_buffered: bool,
}

/// What a run does, made once from the flags.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Captures, in order; `-` is stdin.
    pub inputs: Vec<String>,
    /// Outputs of packets.
    pub outputs: Vec<OutputSpec>,
    /// Lines on stdout.
    pub print: Option<PrintTo>,
    /// Counters on stderr at the end.
    pub stats: Option<StatsFormat>,
    /// `-v`, how often.
    pub verbose: u8,
    /// `-q`.
    pub quiet: bool,
    /// Limits and choices of processing.
    pub limits: Limits,
}
