//! Limits, waiting times and choices of processing.

use crate::base::state::{Deserialize, Serialize};
use std::time::Duration;

/// What a layer does about its checksums.
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

/// How copies on several channels (VLAN tags, tunnels) are treated.
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

/// Tunnels that `--decapsulate` can open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tunnel {
    /// RFC 2784, and PPTP's (RFC 2637).
    Gre,
    /// Types I, II and III.
    Erspan,
    /// RFC 7348, and its generic protocol extension.
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// GTP-U, 3GPP TS 29.281.
    Gtp,
    /// IPv4 or IPv6 in either of them (RFC 2003, RFC 2473, RFC 4213).
    Ipip,
    /// RFC 4380.
    Teredo,
    /// RFC 2661, RFC 3931.
    L2tp,
    /// SCTP in UDP (RFC 6951).
    Sctp,
}

impl Tunnel {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Gre,
        Self::Erspan,
        Self::Vxlan,
        Self::Geneve,
        Self::Gtp,
        Self::Ipip,
        Self::Teredo,
        Self::L2tp,
        Self::Sctp,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtp => "gtp",
            Self::Ipip => "ipip",
            Self::Teredo => "teredo",
            Self::L2tp => "l2tp",
            Self::Sctp => "sctp",
        }
    }

    /// The tunnel over UDP that one of these ports is registered for, if any is.
    pub(crate) const fn of_ports(ports: [u16; 2]) -> Option<Self> {
        let [a, b] = ports;
        Some(match (a, b) {
            (4789 | 4790 | 8472, _) | (_, 4789 | 4790 | 8472) => Self::Vxlan,
            (6081, _) | (_, 6081) => Self::Geneve,
            (2152, _) | (_, 2152) => Self::Gtp,
            (1701, _) | (_, 1701) => Self::L2tp,
            (3544, _) | (_, 3544) => Self::Teredo,
            (9899, _) | (_, 9899) => Self::Sctp,
            _ => return None,
        })
    }
}

/// A set of tunnels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tunnels(u16);

impl Tunnels {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(u16::MAX);

    /// Puts a tunnel into the set.
    pub fn insert(&mut self, tunnel: Tunnel) {
        self.0 |= 1 << tunnel as u8;
    }

    /// The tunnel is in the set.
    pub const fn contains(self, tunnel: Tunnel) -> bool {
        self.0 & 1 << tunnel as u8 != 0
    }

    /// There is none in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// From names with commas between them, `all` or `none`; the error is the name that is not known.
    pub fn parse(list: &str) -> Result<Self, &str> {
        let mut set = Self::NONE;
        for name in list.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            match name {
                "all" => set = Self::ALL,
                "none" => set = Self::NONE,
                _ => {
                    let known = Tunnel::ALL.into_iter().find(|t| t.name() == name);
                    set.insert(known.ok_or(name)?);
                }
            }
        }
        Ok(set)
    }
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
    /// `--wait-ack`: octets of TCP, and user messages of SCTP, are held until the other side has acknowledged them, at most
    /// for the packet timeout of their transport.
    pub wait_ack: bool,
    /// `--decrypted-port`: the server port of what records of TLS held.
    pub decrypted_port: Option<u16>,
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
    /// `--disable tcp`: TCP is passed on unprocessed.
    pub disable_tcp: bool,
    /// `--disable udp`.
    pub disable_udp: bool,
    /// `--disable sctp`.
    pub disable_sctp: bool,
    /// `--decapsulate`.
    pub decapsulate: Tunnels,
    /// Octets of one message's header section, at most.
    pub header: usize,
    /// `--max-streams`: streams that one connection carries at once (HTTP/2), at most; the oldest is ended for one more.
    pub carried_streams: usize,
    /// The ends of TCP connections without payload are told too.
    pub empty_connections: bool,
    /// What becomes of fragments is told too.
    pub fragment_events: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // About half of it is the table of a million connections; the rest is for what waits.
            // It is counted as allocated, so the process stays close to it.
            memory: 256 << 20,
            // Of each transport. A scan of a /12 or a flood of SYNs reaches it, ordinary traffic of
            // a large site does not.
            connections: 1_000_000,
            // Of full size they are 150 MB, below the memory limit: what waits in one stage does
            // not use all of it.
            active_packets: 100_000,
            // Far below the 15 s of RFC 791: at a gigabit a second its 65,536 identifications come
            // round in less than a second (RFC 4963), and then fragments of two datagrams would be
            // joined.
            ip_packet_timeout: Duration::from_secs(1),
            // Twice the first retransmission timeout (RFC 6298, 2.1): a segment that was sent again
            // is still waited for.
            tcp_packet_timeout: Duration::from_secs(2),
            // SCTP's first timeout is a second too (RFC 9260, 16).
            sctp_packet_timeout: Duration::from_secs(2),
            // Longer than servers keep idle connections. One that wakes later is a new one that
            // begins in the middle: nothing is lost but its number.
            session_timeout: Duration::from_secs(3600),
            // Mirror ports and two taps give acknowledgments before what they acknowledge. Neither
            // figure alone would do: 32 packets pass in microseconds on a fast link, and 20 ms
            // without a packet say nothing.
            reorder_packets: 32,
            reorder_time: Duration::from_millis(20),
            // A slow connection never comes to 32 packets; after a second nothing is on its way any
            // more.
            reorder_alone: Duration::from_secs(1),
            // A start in the middle of a burst: the first segments may be out of order by as many
            // as a multi-queue card holds.
            look_behind_segments: 16,
            look_behind_time: Duration::from_millis(200),
            wait_ack: false,
            decrypted_port: None,
            // The order of a receive window on a fast long path: behind one hole a sender cannot
            // send more.
            tcp_buffer: 4 << 20,
            // A window with every second segment lost has more, but then it is better to go on;
            // each hole costs a look-up for each segment.
            tcp_holes: 64,
            // Half would take a loss of 65 ms at a gigabit a second for a jump. Twice would take
            // one forged or foreign number in 64 for a hole, now it is one in 128.
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
            decapsulate: Tunnels::NONE,
            // Servers refuse much less (8 to 64 KiB); a proxy's log of cookies and tokens still
            // fits.
            header: 256 << 10,
            // Servers allow 100 to 250 at once (RFC 9113, 6.5.2, asks for 100 at least). Where the ends of streams are lost, some
            // are remembered too long.
            carried_streams: 2048,
            empty_connections: false,
            fragment_events: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_by_name() {
        assert_eq!(Tunnels::parse("all"), Ok(Tunnels::ALL));
        assert_eq!(Tunnels::parse(""), Ok(Tunnels::NONE));
        assert_eq!(Tunnels::parse("gre,ftp"), Err("ftp"));
        for tunnel in Tunnel::ALL {
            let set = Tunnels::parse(tunnel.name()).unwrap();
            for other in Tunnel::ALL {
                assert_eq!(set.contains(other), other == tunnel);
            }
        }
    }
}
