//! Counters: each is defined once, with its name and a line that says what it counts.
//!
//! A stage that takes something in either hands it on, drops it or holds it, and each of those has a counter, so that
//! they add up. A dropped packet is counted by its [`Discard`], whose variant is its counter.

use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;

macro_rules! counters {
    ($( #[doc = $about:literal] $section:ident: $Section:ident { $( $name:ident: $text:literal, )* } )*) => {
        $(
            #[doc = $about]
            #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $Section { $( #[doc = $text] pub $name: u64, )* }
        )*

        /// All counters, by section.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Counters {
            $( #[doc = $about] pub $section: $Section, )*
            dropped: Drops,
            protocols: Vec<(Name, ProtocolCounters)>,
        }

        /// The sections of the counters, in order, and what each is about. Those of protocols are called by the protocol.
        pub const SECTIONS: &[(&str, &str)] = &[
            $( (stringify!($section), $about), )*
            ("lost", " What the output lacks of what was on the wire: the parts of `message.lost`."),
        ];

        impl Counters {
            /// What was counted since `before`; what says how much there is now stays.
            #[must_use]
            pub fn since(&self, before: &Self) -> Self {
                let mut since = self.clone();
                $( $(
                    if !Self::is_gauge(stringify!($section), stringify!($name)) {
                        let counter = &mut since.$section.$name;
                        *counter = counter.saturating_sub(before.$section.$name);
                    }
                )* )*
                for (counter, before) in since.dropped.0.iter_mut().zip(&before.dropped.0) {
                    *counter = counter.saturating_sub(*before);
                }
                for (name, counters) in &mut since.protocols {
                    if let Some((_, before)) = before.protocols.iter().find(|(known, _)| known == name) {
                        counters.messages = counters.messages.saturating_sub(before.messages);
                        counters.octets = counters.octets.saturating_sub(before.octets);
                        counters.incomplete = counters.incomplete.saturating_sub(before.incomplete);
                        counters.skipped = counters.skipped.saturating_sub(before.skipped);
                    }
                }
                since
            }

            /// Every counter in order: section, name, description, value. Drops follow the other counters of their section.
            pub fn each(&self, mut visit: impl FnMut(&'static str, &'static str, &'static str, u64)) {
                self.each_fixed(&mut visit);
                for (protocol, counters) in &self.protocols {
                    counters.each(|name, text, value| visit(protocol.text(), name, text, value));
                }
            }

            /// The same; of protocols exactly those that are named, whether anything was seen of them or not, and after those
            /// any others of which something was.
            pub fn each_with(
                &self,
                names: &[&'static str],
                mut visit: impl FnMut(&'static str, &'static str, &'static str, u64),
            ) {
                self.each_fixed(&mut visit);
                let none = ProtocolCounters::default();
                for name in names {
                    let seen = self.protocols.iter().find(|(known, _)| known.text() == *name);
                    let counters = seen.map_or(&none, |(_, counters)| counters);
                    counters.each(|counter, text, value| visit(name, counter, text, value));
                }
                for (protocol, counters) in &self.protocols {
                    if !names.contains(&protocol.text()) {
                        counters.each(|name, text, value| visit(protocol.text(), name, text, value));
                    }
                }
            }

            /// Those that there are whatever was seen.
            fn each_fixed(&self, visit: &mut impl FnMut(&'static str, &'static str, &'static str, u64)) {
                $(
                    $( visit(stringify!($section), stringify!($name), $text, self.$section.$name); )*
                    for discard in Discard::ALL {
                        if discard.section() == stringify!($section) {
                            visit(stringify!($section), discard.name(), discard.text(), self.dropped(*discard));
                        }
                    }
                    if stringify!($section) == "message" {
                        visit("message", "lost", LOST, self.lost());
                    }
                )*
                for (name, text, value) in self.losses() {
                    visit("lost", name, text, value);
                }
            }
        }
    };
}

/// What `message.lost` counts.
const LOST: &str = "the sum of lost.*: 0 where the output lacks nothing that was on the wire";

impl Counters {
    /// How much the output lacks of what was on the wire: packets, fragments, octets or messages, as [`Counters::losses`] counts
    /// them. What matters is that it is 0 or not.
    pub fn lost(&self) -> u64 {
        let values = self.losses().into_iter().map(|(_, _, value)| value);
        values.fold(0, u64::saturating_add)
    }

    /// What makes [`Counters::lost`] more: name, what it is, and how much. What carries no message (ARP, ICMP, copies, keep-alives)
    /// is no loss, and what was lost and came again neither.
    #[rustfmt::skip] // a table
    pub fn losses(&self) -> [(&'static str, &'static str, u64); 17] {
        use Discard as D;
        let (tcp, sctp, message) = (&self.tcp, &self.sctp, &self.message);
        let sum = |reasons: &[Discard]| reasons.iter().map(|why| self.dropped(*why)).sum::<u64>();
        [
            ("capture_drops", "packets that the capture says it lost", self.input.capture_drops),
            ("cut_short", "captures that end inside a record", self.input.cut_short),
            ("snapped", "gaps and datagrams where the snapshot length cut bytes of payload off", tcp.gaps_snapped + self.udp.snapped),
            ("link", "packets whose link layer could not be read, and packets of A-MSDUs that are lost", sum(&[
                D::LinkUnknownType, D::LinkTruncated, D::LinkBadHeader, D::LinkEncrypted, D::LinkCompressed, D::LinkFragment,
                D::LinkUnknownPdu,
            ]) + self.link.subframes_lost),
            ("ip", "IP packets, in tunnels or not, that could not be read or are encrypted", sum(&[
                D::Ipv4Truncated, D::Ipv4BadHeader, D::Ipv4BadChecksum, D::Ipv4EspEncrypted,
                D::Ipv6Truncated, D::Ipv6BadHeader, D::Ipv6EspEncrypted,
                D::TunnelTruncated, D::TunnelBadHeader, D::TunnelTooDeep,
            ])),
            ("fragments", "fragments whose datagram was not put together; without --store-fragments late copies too", sum(&[
                D::Ipv4MisalignedFragment, D::Ipv4OversizedFragment, D::Ipv4BadEndFragment, D::Ipv4ExpiredFragment,
                D::Ipv4EvictedFragment, D::Ipv4UnfinishedFragment,
                D::Ipv6MisalignedFragment, D::Ipv6OversizedFragment, D::Ipv6BadEndFragment, D::Ipv6OverlappingFragment,
                D::Ipv6ExpiredFragment, D::Ipv6EvictedFragment, D::Ipv6UnfinishedFragment,
            ])),
            ("refused", "datagrams, segments and SCTP packets that could not be read or fit nothing", sum(&[
                D::UdpTruncated, D::UdpBadLength, D::UdpBadChecksum,
                D::TcpTruncated, D::TcpBadHeader, D::TcpBadChecksum, D::TcpStray, D::TcpAfterEnd,
                D::SctpTruncated, D::SctpBadHeader, D::SctpBadChecksum, D::SctpBadTag, D::SctpStray,
            ])),
            ("tcp_holes", "gaps of TCP streams, of unknown length too", tcp.gaps.saturating_sub(tcp.gaps_snapped)),
            ("before_start", "TCP segments and SCTP chunks before a start in the middle that came too late",
                sum(&[D::TcpBeforeStart, D::SctpBeforeStart])),
            ("abandoned", "bytes of TCP that waited and were given up", tcp.abandoned_octets),
            ("sctp_holes", "TSNs of SCTP that the capture lacks, and jumps of them", sctp.lost_tsns + sctp.tsn_restarts),
            ("sctp_chunks", "data chunks of SCTP that were dropped", sctp.dropped_chunks),
            ("incomplete", "messages of which bytes are missing", message.incomplete),
            ("unframed", "bytes between messages that belong to none", message.unframed_octets),
            ("evicted", "connections and associations ended by a limit on number or memory", tcp.closed_evicted + sctp.closed_evicted),
            ("files", "extracted files of which bytes were left out because of a limit", self.files.limited),
            ("other_link_type", "original packets left out of a pcap file because of their link type", self.output.other_link_type),
        ]
    }
}

/// What went through one input or one output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounters {
    /// As the user has named it.
    pub name: String,
    /// Packets; none where it holds something else.
    pub packets: Option<u64>,
    /// Octets: of an input those of its packets, of an output all that was written.
    pub octets: u64,
    /// Messages that were found while the input was read, or written to the output; none where these are not counted.
    pub messages: Option<u64>,
    /// When it was opened, by the clock of the machine.
    pub opened: Timestamp,
}

/// What was found of one protocol. Its counters stand in a section of its name, once it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolCounters {
    /// Messages found.
    pub messages: u64,
    /// Octets of them.
    pub octets: u64,
    /// Messages of which octets are missing.
    pub incomplete: u64,
    /// Octets of its streams that belong to no message.
    pub skipped: u64,
}

impl ProtocolCounters {
    fn each(&self, mut f: impl FnMut(&'static str, &'static str, u64)) {
        f("messages", "messages found", self.messages);
        f("octets", "bytes of these messages", self.octets);
        f(
            "incomplete",
            "messages of which bytes are missing",
            self.incomplete,
        );
        f(
            "skipped",
            "bytes between messages that belong to none",
            self.skipped,
        );
    }
}

macro_rules! discards {
    ($( $section:ident { $( $Variant:ident = $name:literal: $text:literal, )* } )*) => {
        /// Why a packet, or a part of one, cannot be used. The run goes on.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum Discard { $( $( #[doc = $text] $Variant, )* )* }

        impl Discard {
            /// All reasons, in the order of the stages.
            pub const ALL: &[Self] = &[ $( $( Self::$Variant, )* )* ];

            /// The section of the counters that it stands in.
            pub const fn section(self) -> &'static str {
                match self { $( $( Self::$Variant => stringify!($section), )* )* }
            }

            /// Its counter's name.
            pub const fn name(self) -> &'static str {
                match self { $( $( Self::$Variant => $name, )* )* }
            }

            /// What it means.
            pub const fn text(self) -> &'static str {
                match self { $( $( Self::$Variant => $text, )* )* }
            }

            /// It is said of a part of a packet (a chunk) that could not be used, while the packet was.
            pub const fn is_of_a_part(self) -> bool {
                matches!(self, Self::SctpLate | Self::SctpBeforeStart)
            }
        }
    };
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Drops(Vec<u64>);

impl Counters {
    /// The counters of a protocol.
    pub fn protocol(&mut self, name: Name) -> &mut ProtocolCounters {
        let at = self.find_or_add(name);
        &mut self.protocols[at].1
    }

    /// Where the counters of a protocol stand; they stay there.
    pub(crate) fn place_of(&mut self, name: Name) -> u32 {
        u32::try_from(self.find_or_add(name)).unwrap_or(u32::MAX)
    }

    /// Counts a message; gives the place of its protocol.
    pub(crate) fn count_message(&mut self, name: Name) -> u32 {
        let place = self.find_or_add(name);
        self.protocols[place].1.messages += 1;
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn find_or_add(&mut self, name: Name) -> usize {
        let same = |known: Name| std::ptr::eq(known.text(), name.text()) || known == name;
        match self.protocols.iter().position(|(known, _)| same(*known)) {
            Some(at) => at,
            None => {
                self.protocols.push((name, ProtocolCounters::default()));
                self.protocols.len() - 1
            }
        }
    }

    /// Adds octets to the counters at a place that [`place_of`](Self::place_of) gave.
    #[inline]
    pub(crate) fn add_octets(&mut self, place: u32, octets: u64) {
        // A user of the library may have begun to count anew in the meantime.
        if let Some((_, counters)) = self.protocols.get_mut(place as usize) {
            counters.octets += octets;
        }
    }

    /// The protocols of which something was seen, with their counters, in the order of first sight.
    pub fn protocols(&self) -> impl Iterator<Item = (&'static str, &ProtocolCounters)> {
        self.protocols
            .iter()
            .map(|(name, counters)| (name.text(), counters))
    }

    /// Counts one packet that cannot be used.
    pub fn discard(&mut self, why: Discard) {
        self.discard_many(why, 1);
    }

    /// Counts packets that cannot be used.
    pub fn discard_many(&mut self, why: Discard, packets: u64) {
        let i = why as usize;
        if self.dropped.0.len() <= i {
            self.dropped.0.resize(Discard::ALL.len(), 0);
        }
        self.dropped.0[i] += packets;
    }

    /// How many were dropped for this reason.
    pub fn dropped(&self, why: Discard) -> u64 {
        self.dropped.0.get(why as usize).copied().unwrap_or(0)
    }

    /// How many packets were dropped in this section, for any reason.
    pub fn dropped_in(&self, section: &str) -> u64 {
        Discard::ALL
            .iter()
            .filter(|d| d.section() == section && !d.is_of_a_part())
            .map(|d| self.dropped(*d))
            .sum()
    }

    /// It says how much there is now, or was at most: it can fall, and is not counted anew for each period.
    pub fn is_gauge(section: &str, name: &str) -> bool {
        matches!(section, "buffer" | "runtime") || (section, name) == ("sctp", "waiting_chunks")
    }

    /// The names of all counters, `section.name`, those of these protocols among them.
    pub fn names(protocols: &[&'static str]) -> Vec<String> {
        let mut names = Vec::new();
        Self::default().each_with(protocols, |section, name, _, _| {
            names.push(format!("{section}.{name}"));
        });
        names
    }

    /// The value of the counter that is written `section.name`, if there is one; `lost` alone is `message.lost`.
    pub fn get(&self, full: &str) -> Option<u64> {
        let mut found = (full == "lost").then(|| self.lost());
        self.each(|section, name, _, value| {
            if full
                .strip_prefix(section)
                .and_then(|rest| rest.strip_prefix('.'))
                == Some(name)
            {
                found = Some(value);
            }
        });
        found
    }
}

counters! {
    /// What the captures brought.
    input: InputCounters {
        files: "captures read",
        packets: "packet records read",
        octets: "captured bytes in them",
        snapped: "packets that the snapshot length cut",
        backwards: "packets that are earlier than the one before them",
        cut_short: "captures that end inside a record",
        capture_drops: "packets that the capture says it lost",
        shared_interfaces: "interfaces past 65,536, whose packets are shown as those of an earlier one of their kind",
        secrets: "decryption secrets blocks",
        names: "name resolution blocks",
        blocks_left_out: "of these two, those that no output got",
    }
    /// Link layer: packet records in, IP packets out.
    link: LinkCounters {
        packets: "packets taken in",
        passed: "IP packets passed on",
        subframes: "packets of 802.11's A-MSDUs passed on, beyond the first of each",
        subframes_skipped: "packets of A-MSDUs that carry no IP, where another one does",
        subframes_lost: "packets of A-MSDUs that the snapshot length cut off, or that stand behind an impossible length; where it cannot be \
             known how many, they are one",
    }
    /// IPv4: packets in, datagrams out.
    ipv4: Ipv4Counters {
        packets: "packets taken in",
        octets: "bytes of these packets, headers included",
        passed: "datagrams passed on that came in one packet",
        bad_checksum: "packets with a wrong header checksum, dropped or not",
        fragments: "fragments taken in",
        reassembled: "datagrams put together from fragments",
        reassembled_fragments: "fragments that these datagrams were made of",
        overlaps: "fragments that overlap others",
        conflicts: "overlaps with different bytes",
        closed_gre: "of other_protocol, packets that carry GRE, which --decapsulate gre opens",
        closed_ipip: "of other_protocol, packets that carry IP, which --decapsulate ipip opens",
    }
    /// IPv6: packets in, datagrams out.
    ipv6: Ipv6Counters {
        packets: "packets taken in",
        octets: "bytes of these packets, headers included",
        passed: "datagrams passed on that came in one packet",
        fragments: "fragments taken in",
        atomic_fragments: "fragments that are whole datagrams (RFC 6946)",
        reassembled: "datagrams put together from fragments",
        reassembled_fragments: "fragments that these datagrams were made of",
        overlaps: "fragments that overlap others",
        closed_gre: "of other_protocol, packets that carry GRE, which --decapsulate gre opens",
        closed_ipip: "of other_protocol, packets that carry IP, which --decapsulate ipip opens",
    }
    /// Tunnels that are opened: datagrams in, packets out.
    tunnel: TunnelCounters {
        packets: "datagrams that carry a packet",
        passed: "packets passed on from inside",
    }
    /// UDP: datagrams in, messages out.
    udp: UdpCounters {
        datagrams: "datagrams taken in",
        octets: "bytes of payload",
        flows: "pairs of endpoints seen",
        flows_idle: "of these, ended by --session-timeout",
        flows_evicted: "of these, ended by a limit on number or memory",
        flows_end: "of these, ended by the end of the input",
        bad_checksum: "datagrams with a wrong checksum, dropped or not",
        messages: "datagrams passed on as messages",
        message_octets: "bytes of payload of these, as far as they were captured",
        snapped: "of these, datagrams that the snapshot length cut",
        disabled: "datagrams passed on unprocessed",
        closed_vxlan: "of messages, datagrams of no known protocol on ports of VXLAN, which --decapsulate vxlan opens",
        closed_geneve: "of messages, datagrams of no known protocol on the port of GENEVE, which --decapsulate geneve opens",
        closed_gtp: "of messages, datagrams of GTP-U, or of no known protocol on its port, which --decapsulate gtp opens",
        closed_l2tp: "of messages, datagrams of no known protocol on the port of L2TP, which --decapsulate l2tp opens",
        closed_teredo: "of messages, datagrams of no known protocol on the port of Teredo, which --decapsulate teredo opens",
        closed_sctp: "of messages, datagrams of no known protocol on the port of SCTP in UDP, which --decapsulate sctp opens",
    }
    /// TCP: segments in, bytes in order out.
    tcp: TcpCounters {
        segments: "segments taken in",
        octets: "bytes of payload in them",
        accepted_octets: "bytes accepted, delivered or waiting",
        delivered_octets: "bytes delivered in order",
        duplicate_octets: "bytes that were there already",
        refused_octets: "bytes of segments that were dropped",
        abandoned_octets: "bytes that waited and were given up",
        connections: "connections seen",
        midstream: "connections that were captured from the middle",
        reused_ports: "connections on ports that another one had before",
        closed_fin: "connections that ended with FIN both ways",
        closed_reset: "connections that ended with RST",
        closed_idle: "connections ended by --session-timeout",
        closed_evicted: "connections ended by a limit on number or memory",
        closed_replaced: "connections ended by a new one on the same ports",
        closed_end: "connections open at the end of the input",
        closed_unconfirmed: "connections of segments beside another one that nothing confirmed",
        syn: "segments with SYN",
        fin: "segments with FIN",
        rst: "segments with RST",
        pure_acks: "segments that only acknowledge",
        retransmissions: "segments whose bytes were all there already",
        overlaps: "segments of which some bytes were there already",
        conflicts: "overlaps with different bytes; the last 8 segments that were delivered are known by their checksum and by a keyed \
             sum of 32 bytes of each, at places that nobody knows: what comes again is held against each of them that it covers as a \
             whole, and a part of one is not",
        keep_alives: "keep-alive segments",
        out_of_order: "segments that had to wait",
        ack_held: "segments held for their acknowledgment (--wait-ack)",
        ack_timeout: "of these, or parts of them, passed on without one after --tcp-packet-timeout",
        ack_forced: "of these, or parts of them, passed on without one for want of room or at the end",
        bad_checksum: "segments with a wrong checksum, dropped or not",
        damaged: "segments with a wrong checksum, their own or the IP header's, from a sender whose checksums are right: second choice",
        damaged_used: "damaged copies that filled a hole which would have been given up",
        gaps: "gaps: holes given up",
        lost_octets: "bytes that the capture lacks",
        gaps_acked: "gaps because the other side acknowledged past them",
        gaps_closed: "gaps because the stream ended",
        gaps_timeout: "gaps because of --tcp-packet-timeout",
        gaps_buffer: "gaps because of --tcp-buffer",
        gaps_holes: "gaps because of --tcp-holes",
        gaps_memory: "gaps because of a limit of the whole program",
        gaps_end: "gaps at the end of the session or the input",
        gaps_snapped: "gaps where the snapshot length cut a segment",
        gaps_jump: "gaps of unknown length where the sequence number jumped and a second segment confirmed it",
        disabled: "segments passed on unprocessed",
    }
    /// SCTP: packets in, user messages out.
    sctp: SctpCounters {
        packets: "packets taken in",
        octets: "bytes of these packets, without IP headers",
        disabled: "packets passed on unprocessed",
        passed: "packets whose chunks were used",
        held_packets: "packets that wait until it is certain which association they belong to",
        associations: "associations seen",
        midstream: "associations that were captured from the middle",
        multihomed: "associations with more than one pair of addresses",
        reused_ports: "associations on addresses and ports that another one had before",
        restarts: "associations that replaced one which had not ended",
        closed_shutdown: "associations that ended with SHUTDOWN",
        closed_abort: "associations that ended with ABORT",
        closed_idle: "associations ended by --session-timeout",
        closed_evicted: "associations ended by a limit on number or memory",
        closed_replaced: "associations ended by a new one between the same endpoints",
        closed_end: "associations open at the end of the input",
        data_chunks: "DATA chunks",
        i_data_chunks: "I-DATA chunks",
        data_octets: "bytes of user data in both",
        init: "INIT chunks",
        init_ack: "INIT ACK chunks",
        sack: "SACK chunks",
        heartbeat: "HEARTBEAT chunks",
        heartbeat_ack: "HEARTBEAT ACK chunks",
        abort: "ABORT chunks",
        shutdown: "SHUTDOWN chunks",
        shutdown_ack: "SHUTDOWN ACK chunks",
        error: "ERROR chunks",
        cookie_echo: "COOKIE ECHO chunks",
        cookie_ack: "COOKIE ACK chunks",
        ecne: "ECNE chunks",
        cwr: "CWR chunks",
        shutdown_complete: "SHUTDOWN COMPLETE chunks",
        forward_tsn: "FORWARD-TSN and I-FORWARD-TSN chunks",
        re_config: "RE-CONFIG chunks",
        asconf: "ASCONF and ASCONF ACK chunks",
        other_chunks: "chunks of other types",
        bad_chunks: "packets with a chunk that cannot be read; what is before it was used",
        bad_checksum: "packets with a wrong checksum, dropped or not",
        zero_checksum: "packets with a checksum of zero",
        gap_blocks: "gap ack blocks in SACKs",
        reported_duplicates: "duplicate TSNs that SACKs report",
        delivered_chunks: "data chunks passed on in messages",
        duplicates: "data chunks whose TSN was there already",
        dropped_chunks: "data chunks that were dropped: no user data, or a message whose beginning is lost",
        dropped_octets: "bytes of user data in them",
        waiting_chunks: "data chunks that wait now",
        out_of_order: "data chunks captured behind one with a higher TSN",
        ack_held: "user messages held for their acknowledgment (--wait-ack)",
        ack_timeout: "of these, passed on without one after --sctp-packet-timeout",
        ack_forced: "of these, passed on without one for want of room or at the end",
        damaged_chunks: "data chunks of packets with a wrong checksum or a false IP length, kept as second choice",
        damaged_used: "of these, used because nothing better came",
        messages: "user messages passed on",
        whole: "user messages passed on whole",
        incomplete: "user messages passed on of which bytes are missing",
        message_octets: "bytes of user messages passed on",
        fragmented: "whole user messages of more than one chunk",
        gaps: "holes given up",
        lost_tsns: "TSNs that the capture lacks",
        abandoned_tsns: "TSNs that their sender abandoned (FORWARD-TSN) before they were seen",
        gaps_acked: "holes given up because the receiver acknowledged past them",
        gaps_forward: "holes given up because the sender abandoned them",
        gaps_closed: "holes given up because the association ended",
        gaps_timeout: "holes given up because of --sctp-packet-timeout",
        gaps_buffer: "holes given up because too much waited behind them",
        gaps_holes: "holes given up because there were too many",
        gaps_memory: "holes given up because of a limit of the whole program",
        gaps_end: "holes given up at the end of the session or the input",
        gaps_jump: "holes given up because the TSN jumped and a second chunk confirmed it",
        tsn_restarts: "jumps of the TSN that were confirmed",
    }
    /// Messages.
    message: MessageCounters {
        messages: "messages found; of HTTP/2, WebSocket and RTMP each frame is one, and carried.messages counts what they make",
        whole: "messages delivered whole",
        incomplete: "messages of which bytes are missing",
        octets: "bytes of messages",
        lost_octets: "bytes that messages lack",
        unframed_octets: "bytes between messages that belong to none",
    }
    /// Messages that connections carry in frames: HTTP/2, WebSocket. The frames are counted as messages of their protocol.
    carried: CarriedCounters {
        frames: "frames that messages of such streams were read from",
        messages: "messages found in such streams",
        incomplete: "messages of these that lack something, or may lack something",
        inner: "messages with a length of their own found in these (gRPC)",
        evicted: "streams ended because a connection had too many",
        unknown_fields: "header fields that refer to what is lost",
        left_out_fields: "header fields left out of header sections that are too long",
        bad_blocks: "header blocks that cannot be decoded though nothing of them is missing (COMPRESSION_ERROR of HTTP/2)",
        undecoded: "compressed messages that were not decoded, or not in full (WebSocket)",
        oversized: "of these, messages that would have grown too much",
    }
    /// Records of TLS whose keys may be known (`--keylog`). Those that are not opened are messages, as without keys.
    decrypted: DecryptedCounters {
        records: "records opened",
        octets: "bytes of these records",
        content_octets: "bytes of application data in them",
        no_key: "records not opened because the key log has no secret for them",
        no_hello: "records not opened because a hello is not in the capture",
        unknown_suite: "records not opened because their version or cipher suite is not known here",
        no_block: "records not opened because they need the end of the record before, which is missing (TLS 1.0)",
        no_fit: "records not opened because no key and no number that was tried fits",
        trials: "keys and numbers tried",
        awaited: "sessions whose secrets were waited for (--keylog-wait)",
        awaited_in_vain: "of these, sessions whose secrets did not come in time",
        awaited_full: "of these, sessions given up for want of memory",
    }
    /// What was written.
    output: OutputCounters {
        messages: "messages written",
        packets: "packets written",
        octets: "bytes of packets written, without record headers",
        streams: "stream files written",
        clients: "clients of outputs that listen or connect again",
        clients_refused: "clients that found no place (?clients=)",
        clients_dropped: "packets or lines that a client did not get, since it was too slow or has gone; of each client",
        late: "packets that came too late for their place in the order of time (--output-sort-delay, --output-sort-queue)",
        other_link_type: "original packets left out of a pcap file because of their link type",
    }
    /// Messages in the order of their exchanges (`--pair`).
    pair: PairCounters {
        held: "messages held until it was their turn",
        reset: "exchanges given up: one half is lost, or came later than --tcp-packet-timeout",
        limited: "times that all that was held was let go for want of room",
    }
    /// Exchanges as JSON (`--json`).
    exchange: ExchangeCounters {
        paired: "exchanges with a request and its response",
        no_response: "requests whose response is not in the capture",
        no_request: "responses whose request is not in the capture",
    }
    /// Exchanges of HTTP as HAR (`--har`).
    har: HarCounters {
        entries: "entries written",
        unanswered: "of these, entries of requests that nothing in the capture answers",
        incomplete: "of these, entries whose request or response lacks bytes",
        cut_bodies: "bodies that were cut, by --har-body or for want of memory",
        unmatched: "responses left out because their request is not in the capture",
    }
    /// Transferred files (`--extract`).
    files: FilesCounters {
        written: "files written, whole or not",
        whole: "of these, whole files",
        incomplete: "of these, files of which bytes are missing: NAME.part",
        octets: "bytes of these files",
        limited: "files of which bytes were left out: --max-file, too many holes, past the range that was announced, or decoded to far more \
             than was sent",
        decoded: "files whose codings were undone",
        undecoded: "files with a coding that is not known or damaged; kept as they were sent",
        mails: "mails",
        parts: "parts of forms and of mails",
        ranges: "ranges put into the files of which they are parts",
        range_files: "of these, ranges that came whole and are files of their own, because the file of which they are parts is not whole",
        ranges_repeated: "entities of which parts came again that had come whole before: no files of their own",
        ranges_left_out: "of these, ranges that are no files of their own because 1,024 others of the same file are",
        not_chosen: "files left out by --extract-types, --extract-protocols, --extract-min or --extract-max",
        commands: "commands of --on-file that were run",
        commands_failed: "of these, commands that failed",
        smb_unplaced: "bytes that SMB brought whose request is not in the capture, so that nobody knows where they belong",
        smb_forgotten: "open files of SMB ended early, and requests forgotten, to make room for others",
        smb_encrypted: "messages of SMB that are encrypted",
        smb_compressed: "messages of SMB that are compressed",
    }
    /// What waits.
    buffer: BufferCounters {
        waiting: "bytes of memory in use; at the end of a run 0 says that nothing waits any more",
        peak: "most bytes of memory in use",
        sorting: "packets that wait to be sorted",
        sorting_peak: "most packets that waited to be sorted",
        output_sorting: "packets that wait to be written in the order of time",
        output_sorting_peak: "most packets that waited to be written so",
        sorting_octets: "bytes of memory that packets take which wait to be sorted, read or to be written",
        sorting_octets_peak: "most bytes of memory that these took",
        fragments: "fragments of IP that wait, and late copies that are looked out for",
        fragments_peak: "most of these",
        fragments_octets: "bytes of memory that these take",
        fragments_octets_peak: "most bytes of memory that these took",
        segments: "segments of TCP that wait",
        segments_peak: "most segments of TCP that waited",
        segments_octets: "bytes of memory that these take",
        segments_octets_peak: "most bytes of memory that these took",
        chunks: "data chunks of SCTP that wait",
        chunks_peak: "most data chunks of SCTP that waited",
        chunks_octets: "bytes of memory that these take",
        chunks_octets_peak: "most bytes of memory that these took",
    }
    /// How fast the run is. By the clock of the machine, so that these are shown where they are asked for: `-s=runtime`, `-s=all`, SIGUSR1.
    runtime: RuntimeCounters {
        milliseconds: "milliseconds since the run began",
        packets_per_second: "packets read a second, over the whole run",
        octets_per_second: "captured bytes read a second, over the whole run",
        packets_per_second_now: "packets read a second, since the counters were shown last",
        octets_per_second_now: "captured bytes read a second, since the counters were shown last",
        resident: "bytes of resident memory",
        behind: "milliseconds that the last packet is behind the clock",
    }
}

discards! {
    link {
        LinkUnknownType = "unknown_type": "link types that are not known",
        LinkTruncated = "truncated": "packets too short for their link header",
        LinkBadHeader = "bad_header": "packets with an impossible link header",
        LinkNotData = "not_data": "802.11, FDDI and token ring frames that carry no data",
        LinkEncrypted = "encrypted": "802.11 and PPP frames that are encrypted",
        LinkCompressed = "compressed": "PPP frames with compressed headers or content",
        LinkFragment = "fragments": "fragments of 802.11 frames",
        LinkUnknownPdu = "unknown_pdu": "exported PDUs of other protocols than ip, tcp, udp and sctp",
        LinkNotIp = "not_ip": "packets that carry no IP (ARP, LLDP, ...)",
    }
    ipv4 {
        Ipv4Truncated = "truncated": "packets cut inside the header",
        Ipv4BadHeader = "bad_header": "packets with an impossible version, header length or total length",
        Ipv4BadChecksum = "dropped_checksum": "packets dropped for a wrong header checksum",
        Ipv4EspEncrypted = "esp_encrypted": "packets that are encrypted (ESP)",
        Ipv4EmptyFragment = "empty_fragments": "fragments without a byte",
        Ipv4MisalignedFragment = "misaligned_fragments": "fragments, not the last, whose length is no multiple of 8",
        Ipv4OversizedFragment = "oversized_fragments": "fragments past 65,535 bytes",
        Ipv4DuplicateFragment = "duplicate_fragments": "fragments that brought nothing new",
        Ipv4BadEndFragment = "bad_end_fragments": "fragments that contradict the end of their datagram",
        Ipv4ExpiredFragment = "expired_fragments": "fragments whose others did not come within --ip-packet-timeout",
        Ipv4EvictedFragment = "evicted_fragments": "fragments dropped to make room",
        Ipv4UnfinishedFragment = "unfinished_fragments": "fragments whose others had not come at the end of the input",
        Ipv4NotTransport = "other_protocol": "packets of protocols other than TCP, UDP and SCTP",
    }
    ipv6 {
        Ipv6Truncated = "truncated": "packets cut inside the headers",
        Ipv6BadHeader = "bad_header": "packets with an impossible header",
        Ipv6EmptyFragment = "empty_fragments": "fragments without a byte",
        Ipv6MisalignedFragment = "misaligned_fragments": "fragments, not the last, whose length is no multiple of 8",
        Ipv6OversizedFragment = "oversized_fragments": "fragments past 65,535 bytes",
        Ipv6DuplicateFragment = "duplicate_fragments": "fragments that brought nothing new",
        Ipv6BadEndFragment = "bad_end_fragments": "fragments that contradict the end of their datagram",
        Ipv6OverlappingFragment = "overlapping_fragments": "fragments of datagrams whose fragments overlap (RFC 5722)",
        Ipv6ExpiredFragment = "expired_fragments": "fragments whose others did not come within --ip-packet-timeout",
        Ipv6EvictedFragment = "evicted_fragments": "fragments dropped to make room",
        Ipv6UnfinishedFragment = "unfinished_fragments": "fragments whose others had not come at the end of the input",
        Ipv6EspEncrypted = "esp_encrypted": "packets that are encrypted (ESP)",
        Ipv6NotTransport = "other_protocol": "packets of protocols other than TCP, UDP and SCTP",
    }
    tunnel {
        TunnelTruncated = "truncated": "packets cut inside the tunnel's header",
        TunnelBadHeader = "bad_header": "packets with an impossible tunnel header",
        TunnelNotIp = "not_ip": "packets that carry no IP",
        TunnelTooDeep = "too_deep": "packets in more than 8 tunnels",
    }
    udp {
        UdpTruncated = "truncated": "datagrams cut inside the header",
        UdpBadLength = "bad_length": "datagrams with an impossible length",
        UdpBadChecksum = "dropped_checksum": "datagrams dropped for a wrong checksum",
        UdpDuplicate = "duplicates": "copies of a datagram on another channel",
    }
    tcp {
        TcpTruncated = "truncated": "segments cut inside the header",
        TcpBadHeader = "bad_header": "segments with an impossible data offset",
        TcpBadChecksum = "dropped_checksum": "segments dropped for a wrong checksum",
        TcpOtherChannel = "other_channel": "copies on another channel than the connection's",
        TcpStray = "stray": "segments that fit no connection",
        TcpLate = "late": "segments for a hole that had been given up",
        TcpBeforeStart = "before_start": "segments before the first byte of a stream captured from the middle",
        TcpAfterEnd = "after_end": "segments with bytes behind the end of their stream",
    }
    sctp {
        SctpTruncated = "truncated": "packets cut inside the header",
        SctpBadHeader = "bad_header": "packets with port 0, or without a chunk that can be read",
        SctpBadChecksum = "dropped_checksum": "packets dropped for a wrong checksum",
        SctpDamaged = "damaged": "packets with a wrong checksum from a sender whose checksums are right: second choice",
        SctpBadTag = "bad_tag": "packets with a wrong verification tag",
        SctpStray = "stray": "packets that fit no association",
        SctpOtherChannel = "other_channel": "copies on another channel than the association's",
        SctpLate = "late": "data chunks for a hole that had been given up",
        SctpBeforeStart = "before_start": "data chunks before the first TSN of an association captured from the middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let c = Counters::default();
        let mut names = Vec::new();
        c.each(|s, n, _, _| names.push(format!("{s}.{n}")));
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(c.get("tcp.gaps"), Some(0));
        assert_eq!(c.get("tcp.gap"), None);
    }

    #[test]
    fn sections_are_listed() {
        let mut seen = Vec::new();
        Counters::default().each(|section, _, _, _| seen.push(section));
        seen.dedup();
        let listed: Vec<_> = SECTIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(seen, listed);
    }

    #[test]
    fn lost_is_the_sum_of_its_parts() {
        let mut c = Counters::default();
        assert_eq!(c.get("lost"), Some(0));
        c.input.capture_drops = 3;
        c.discard(Discard::Ipv4ExpiredFragment);
        c.discard(Discard::LinkNotIp);
        c.discard(Discard::UdpDuplicate);
        assert_eq!((c.get("lost"), c.get("message.lost")), (Some(4), Some(4)));
        assert_eq!(c.get("lost.fragments"), Some(1));
    }

    #[test]
    fn what_was_counted_since_then() {
        let mut before = Counters::default();
        before.input.packets = 3;
        before.buffer.waiting = 100;
        before.discard(Discard::UdpBadLength);
        before.protocol(Name::of("http")).messages = 2;
        let mut now = before.clone();
        now.input.packets = 5;
        now.buffer.waiting = 70;
        now.discard(Discard::UdpBadLength);
        now.discard(Discard::LinkNotIp);
        now.protocol(Name::of("http")).messages = 7;
        now.protocol(Name::of("dns")).octets = 4;
        let since = now.since(&before);
        for (name, expected) in [
            ("input.packets", 2),
            ("buffer.waiting", 70),
            ("udp.bad_length", 1),
            ("link.not_ip", 1),
            ("http.messages", 5),
            ("dns.octets", 4),
        ] {
            assert_eq!(since.get(name), Some(expected), "{name}");
        }
        assert_eq!(now.since(&Counters::default()), now);
    }

    #[test]
    fn drops_are_counted_by_reason() {
        let mut c = Counters::default();
        c.discard(Discard::UdpBadLength);
        assert_eq!(c.get("udp.bad_length"), Some(1));
        assert_eq!(c.dropped_in("udp"), 1);
        assert_eq!(c.dropped_in("tcp"), 0);
    }
}
