//! Packet records, what is kept of their link headers, and the channels and interfaces that they came on.

use super::limits::Channels;
use super::time::Timestamp;
use crate::base::state::{Deserialize, Serialize};

/// The 32-bit number at this place, as pcap and pcapng have them.
#[inline]
pub(crate) fn word(octets: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let octets = *octets.get(at..)?.first_chunk::<4>()?;
    Some(if big_endian {
        u32::from_be_bytes(octets)
    } else {
        u32::from_le_bytes(octets)
    })
}

/// What the octets of a packet begin with: a LINKTYPE_ value (draft-ietf-opsawg-pcaplinktype).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: address family in the host's order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IPv4 or IPv6 by the first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture v1.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4.
    pub const IPV4: Self = Self(228);
    /// IPv6.
    pub const IPV6: Self = Self(229);
    /// Wireshark's exported PDUs.
    pub const WIRESHARK_UPPER_PDU: Self = Self(252);
    /// Linux cooked capture v2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One packet record.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Number of the record in the whole input, from 1, as tshark counts frames.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Interface: the place of its description in the whole input, from 0 (a pcap file is one interface).
    pub interface: u32,
    /// What `data` begins with.
    pub link_type: LinkType,
    /// The captured octets.
    pub data: &'a [u8],
    /// Octets that the packet had on the wire; more than `data.len()` where the snapshot length cut it.
    pub orig_len: u32,
    /// Octets of frame check sequence at the end of the packet as it was on the wire, where the capture says so.
    pub fcs_len: Option<u8>,
    /// `epb_flags` of pcapng; 0 where there are none.
    pub flags: u32,
}

impl<'a> Packet<'a> {
    /// A packet that was captured whole, on the first interface.
    ///
    /// ```
    /// use inet_asm::base::packet::{LinkType, Packet};
    /// use inet_asm::base::time::Timestamp;
    ///
    /// let octets = [0; 60];
    /// let packet = Packet::new(1, Timestamp::from_nanos(0), LinkType::ETHERNET, &octets);
    /// assert_eq!((packet.orig_len, packet.interface), (60, 0));
    /// // The snapshot length cut another one.
    /// let cut = Packet { orig_len: 1514, ..packet };
    /// assert!(cut.data.len() < 1514);
    /// ```
    pub fn new(frame: u64, time: Timestamp, link_type: LinkType, data: &'a [u8]) -> Self {
        Self {
            frame,
            time,
            interface: 0,
            link_type,
            data,
            orig_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            fcs_len: None,
            flags: 0,
        }
    }
}

/// A block of pcapng that explains the packets behind it: decryption secrets, or names of addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaptureBlock {
    /// Block type.
    pub kind: u32,
    /// Its fixed fields and values in little-endian order, without options.
    pub body: Vec<u8>,
}

impl CaptureBlock {
    /// Name Resolution Block.
    pub const NAMES: u32 = 4;
    /// Decryption Secrets Block.
    pub const SECRETS: u32 = 10;
}

/// What is remembered of the packet that is being processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PacketInfo {
    /// Number of the record in the whole input, from 1.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Interface, from 0.
    pub interface: u32,
    /// Its link header.
    pub link: LinkHeader,
    /// The tunnel that the datagram at hand came through; 0 where there is none.
    pub tunnel: u32,
}

impl PacketInfo {
    /// Where it was captured.
    pub fn channel(&self) -> Channel {
        Channel {
            tunnel: self.tunnel,
            ..self.link.channel()
        }
    }
}

/// An interface of the input. A pcap file is one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Interface {
    /// What its packets begin with.
    pub link_type: LinkType,
    /// The most octets that were captured of a packet; 0: no limit.
    pub snap_len: u32,
    /// Octets of frame check sequence at the end of its packets, where the capture says so.
    pub fcs_len: Option<u8>,
    /// The unit of its timestamps.
    pub resolution: Resolution,
    /// Seconds to be added to its timestamps (if_tsoffset).
    pub offset: i64,
    /// if_name, 200 octets at most, of the first 4,096 interfaces; so are the other texts.
    pub name: Option<String>,
    /// if_description, 200 octets at most.
    pub description: Option<String>,
    /// Its comment, 200 octets at most.
    pub comment: Option<String>,
    /// Packets that were lost, by the sum of what packet blocks say.
    lost_between: u64,
    /// Packets that were lost, by the interface's statistics.
    lost_in_all: u64,
}

/// Interfaces that have a number of their own: a pcapng output describes as many, and each costs memory for the whole run.
pub const INTERFACES: usize = 65_536;
/// Interfaces behind these that stand for all of their kind: link type, snapshot length, checksums and times.
pub const SHARED_KINDS: usize = 1024;

impl Interface {
    /// Packets of either are read in the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        let key = |i: &Self| (i.link_type, i.snap_len, i.fcs_len, i.resolution, i.offset);
        key(self) == key(other)
    }

    /// Both are described in the same words.
    pub fn is_same(&self, other: &Self) -> bool {
        let texts = |i: &Self| (i.name.clone(), i.description.clone(), i.comment.clone());
        self.is_like(other) && texts(self) == texts(other)
    }

    /// An interface of which nothing else is known; its timestamps are in microseconds.
    pub const fn new(link_type: LinkType, snap_len: u32) -> Self {
        Self {
            link_type,
            snap_len,
            fcs_len: None,
            resolution: Resolution::MICROS,
            offset: 0,
            name: None,
            description: None,
            comment: None,
            lost_between: 0,
            lost_in_all: 0,
        }
    }

    /// Packets that the capture says it lost here. Statistics count from the beginning, and include what packet blocks
    /// say about the time between two packets.
    pub fn lost(&self) -> u64 {
        self.lost_between.max(self.lost_in_all)
    }

    /// A packet block says so many were lost since the one before. Gives what that adds to [`lost`](Self::lost).
    pub(crate) fn lost_between(&mut self, packets: u64) -> u64 {
        let before = self.lost();
        self.lost_between = self.lost_between.saturating_add(packets);
        self.lost() - before
    }

    /// Statistics say so many were lost until now. Gives what that adds to [`lost`](Self::lost).
    pub(crate) fn lost_in_all(&mut self, packets: u64) -> u64 {
        let before = self.lost();
        self.lost_in_all = self.lost_in_all.max(packets);
        self.lost() - before
    }

    /// The time that a timestamp of this interface means; what lies before 1970 is 1970.
    #[inline]
    pub(crate) fn time(&self, ticks: u64) -> Timestamp {
        let nanos = self.resolution.nanos(ticks) + i128::from(self.offset) * 1_000_000_000;
        let last = if nanos < 0 { 0 } else { u64::MAX };
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(last))
    }
}

/// The unit of an interface's timestamps, as if_tsresol says it: 10^-n s, or 2^-n s where the highest bit is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resolution(pub u8);

impl Resolution {
    /// Microseconds.
    pub const MICROS: Self = Self(6);
    /// Nanoseconds.
    pub const NANOS: Self = Self(9);

    /// Its units are smaller than a microsecond.
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    pub(crate) const fn is_fine(self) -> bool {
        match self.0 {
            n @ 0..=0x7f => n > 6,
            // Powers of two: 2^20 is more than a million.
            n => n & 0x7f >= 20,
        }
    }

    /// So many units in nanoseconds, rounded down.
    #[inline]
    fn nanos(self, ticks: u64) -> i128 {
        let ticks = i128::from(ticks);
        match self.0 {
            6 => ticks * 1000,
            9 => ticks,
            n @ 0..=8 => ticks * 10_i128.pow(9 - u32::from(n)),
            n @ 10..=28 => ticks / 10_i128.pow(u32::from(n) - 9),
            // All 64 bits of such units are less than a nanosecond.
            29..=0x7f => 0,
            n => (ticks * 1_000_000_000) >> (n & 0x7f),
        }
    }
}

/// A VLAN tag as it stands in the packet: tag protocol identifier and tag control information (IEEE 802.1Q).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct VlanTag {
    /// 0x8100, 0x88a8 or 0x9100.
    pub tpid: u16,
    /// Priority, DEI and VLAN identifier.
    pub tci: u16,
}

impl VlanTag {
    /// The VLAN identifier; 0 where there is no tag.
    pub const fn id(self) -> u16 {
        self.tci & 0x0fff
    }
}

/// What is kept of a packet's link header, so that synthetic packets can carry it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LinkHeader {
    /// Destination address; zero where the link has none.
    pub dst: [u8; 6],
    /// Source address; zero where the link has none.
    pub src: [u8; 6],
    /// The outer two VLAN tags; `tpid` 0 where there is none.
    pub tags: [VlanTag; 2],
}

/// Where a copy of a packet was seen: outer and inner VLAN, and the tunnel it came through (0: none).
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Channel {
    /// VLAN identifiers, outer first; 0 where there is no tag.
    pub vlans: [u16; 2],
    /// What identifies the tunnel.
    pub tunnel: u32,
}

impl Channel {
    /// The part of it that is part of a flow's key: all of it with [`Channels::Separate`], else nothing. Whether what
    /// came on two channels is the same flow, its numbers say: a mirror may give each direction a VLAN or a session of
    /// its own, and each end of the path a network identifier.
    #[must_use]
    pub fn keyed(self, channels: Channels) -> Self {
        match channels {
            Channels::Separate => self,
            Channels::Merge | Channels::First => Self::default(),
        }
    }
}

impl LinkHeader {
    /// The channel of a packet with this header outside of tunnels.
    pub fn channel(&self) -> Channel {
        Channel {
            vlans: self.tags.map(VlanTag::id),
            tunnel: 0,
        }
    }
}
