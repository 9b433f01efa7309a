//! Flows: who talks to whom.

use crate::base::packet::{Channel, LinkHeader};
use crate::base::state::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The transports, by Wireshark's names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 9260.
    Sctp,
}

impl Transport {
    /// `tcp`, `udp` or `sctp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// One of the two directions of a flow (RFC 5103): forward is that of the packet that was seen first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Direction {
    /// From the sender of the first packet.
    Forward,
    /// To the sender of the first packet.
    Reverse,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn flip(self) -> Self {
        match self {
            Self::Forward => Self::Reverse,
            Self::Reverse => Self::Forward,
        }
    }

    /// 0 for forward, 1 for reverse: a place in an array of both.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The full key of a flow, the same for both directions: two endpoints, the lower one first, and the channel where it
/// is part of the key. Compact, as it is hashed and compared for every packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FlowKey {
    /// Addresses, the lower endpoint's first; of IPv4 in the low 32 bits.
    addrs: [u128; 2],
    ports: [u16; 2],
    channel: Channel,
    v6: bool,
}

/// The key of a flow over IPv4 whose channel is no part of it: what most tables are full of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ShortKey {
    addrs: [u32; 2],
    ports: [u16; 2],
}

impl ShortKey {
    /// The key of a packet from `src` to `dst`, and whether `src` is the lower endpoint, as [`FlowKey::new`] gives them.
    #[inline(always)] // once for each packet
    pub(crate) fn new(src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16)) -> (Self, bool) {
        let (from, to) = (src.0.to_bits(), dst.0.to_bits());
        let low = (from, src.1) <= (to, dst.1);
        let (addrs, ports) = if low {
            ([from, to], [src.1, dst.1])
        } else {
            ([to, from], [dst.1, src.1])
        };
        (Self { addrs, ports }, low)
    }
}

impl Hash for ShortKey {
    /// As that of the [`FlowKey`] which it stands for.
    #[inline(always)] // once for each packet
    fn hash<H: Hasher>(&self, h: &mut H) {
        let [low, high] = self.addrs;
        let [a, b] = self.ports;
        let addrs = u64::from(low) << 32 | u64::from(high);
        let ports = u64::from(a) << 48 | u64::from(b) << 32;
        h.write_u128(u128::from(addrs) << 64 | u128::from(ports));
    }
}

impl From<ShortKey> for FlowKey {
    fn from(short: ShortKey) -> Self {
        Self {
            addrs: short.addrs.map(u128::from),
            ports: short.ports,
            ..Self::default()
        }
    }
}

/// Stands in the place of a VLAN identifier, which has 12 bits.
const NUMBERED: u16 = 0xffff;

impl FlowKey {
    /// The key of a packet from `src` to `dst`, and whether `src` is the lower endpoint.
    pub fn new(src: (IpAddr, u16), dst: (IpAddr, u16), channel: Channel) -> (Self, bool) {
        let (from, v6) = bits(src.0);
        let (to, _) = bits(dst.0);
        let low = (from, src.1) <= (to, dst.1);
        let (addrs, ports) = if low {
            ([from, to], [src.1, dst.1])
        } else {
            ([to, from], [dst.1, src.1])
        };
        (
            Self {
                addrs,
                ports,
                channel,
                v6,
            },
            low,
        )
    }

    /// The key of all flows between these endpoints, whatever their channel.
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    #[must_use]
    pub(crate) fn endpoints(self) -> Self {
        Self {
            channel: Channel::default(),
            ..self
        }
    }

    /// The key in its short form, where it has one.
    pub(crate) fn short(&self) -> Option<ShortKey> {
        // An IPv4 address has 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let addrs = self.addrs.map(|addr| addr as u32);
        (!self.v6 && self.channel == Channel::default()).then_some(ShortKey {
            addrs,
            ports: self.ports,
        })
    }

    /// Both endpoints have IPv4 addresses.
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    pub(crate) const fn is_v4(&self) -> bool {
        !self.v6
    }

    /// The ports, the lower endpoint's first.
    pub(crate) const fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// The channel, where it is part of the key.
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// The key of another flow between the same endpoints, where channels that do not fit each other are flows of their own;
    /// 0 is the first one. Only for keys without VLANs.
    pub(crate) const fn numbered(mut self, number: u8) -> Self {
        self.channel.vlans = match number {
            0 => [0; 2],
            n => [NUMBERED, n as u16],
        };
        self
    }

    /// The number that [`numbered`](Self::numbered) gave.
    pub(crate) fn number(&self) -> u8 {
        match self.channel.vlans {
            [NUMBERED, n] => u8::try_from(n).unwrap_or(0),
            _ => 0,
        }
    }

    fn end(&self, high: bool) -> SocketAddr {
        let (addr, port) = (self.addrs[usize::from(high)], self.ports[usize::from(high)]);
        // An IPv4 address has 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let addr = if self.v6 {
            IpAddr::V6(Ipv6Addr::from_bits(addr))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(addr as u32))
        };
        SocketAddr::new(addr, port)
    }
}

fn bits(addr: IpAddr) -> (u128, bool) {
    match addr {
        IpAddr::V4(a) => (u128::from(a.to_bits()), false),
        IpAddr::V6(a) => (a.to_bits(), true),
    }
}

impl Hash for FlowKey {
    #[inline(always)] // once for each packet: with constant widths it is a multiplication
    fn hash<H: Hasher>(&self, h: &mut H) {
        let [low, high] = self.addrs;
        let ports = u128::from(self.ports[0]) << 16 | u128::from(self.ports[1]);
        let vlans = u128::from(self.channel.vlans[0]) << 12 | u128::from(self.channel.vlans[1]);
        let rest = ports << 32 | vlans;
        if self.v6 {
            h.write_u128(low);
            h.write_u128(high);
            h.write_u128(rest);
        } else {
            // An IPv4 address has 32 bits.
            h.write_u128((low << 32 | high) << 64 | rest);
        }
        if self.channel.tunnel != 0 {
            h.write_u32(self.channel.tunnel);
        }
    }
}

/// From which address to which.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AddressPair(pub(crate) IpAddr, pub(crate) IpAddr);

impl Hash for AddressPair {
    /// As numbers, which takes a few steps; what IPv6 writes for IPv4 may have the same.
    #[inline]
    fn hash<H: Hasher>(&self, h: &mut H) {
        h.write_u128(bits(self.0).0);
        h.write_u128(bits(self.1).0);
    }
}

/// A flow as the stages behind transport see it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// Its transport.
    pub transport: Transport,
    /// Number in order of first sight, from 0, for each transport, as tshark's `tcp.stream`.
    pub number: u64,
    /// Its key.
    pub key: FlowKey,
    /// The sender of the first packet is the lower endpoint of the key.
    pub forward_is_low: bool,
    /// Another flow with this key was seen before.
    pub reused: bool,
    /// Link header of each direction's first packet.
    pub links: [LinkHeader; 2],
    /// Its octets were encrypted on the wire.
    pub decrypted: Option<DecryptedPorts>,
}

/// Source and destination port, of the forward direction, of what was encrypted on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecryptedPorts {
    /// Those that it had.
    pub encrypted: (u16, u16),
    /// Those that it would have had in clear.
    pub clear: (u16, u16),
}

impl Flow {
    /// Source of the packets of this direction.
    pub fn src(&self, direction: Direction) -> SocketAddr {
        let low = self.forward_is_low == (direction == Direction::Forward);
        self.key.end(!low)
    }

    /// Destination of the packets of this direction.
    pub fn dst(&self, direction: Direction) -> SocketAddr {
        self.src(direction.flip())
    }

    /// Source and destination port of the packets of this direction.
    pub(crate) fn ports(&self, direction: Direction) -> (u16, u16) {
        let [low, high] = self.key.ports;
        if self.forward_is_low == (direction == Direction::Forward) {
            (low, high)
        } else {
            (high, low)
        }
    }

    /// The same, as they hint at what is spoken: of what was encrypted, those that it would have had in clear.
    pub(crate) fn hints(&self, direction: Direction) -> (u16, u16) {
        match (self.decrypted.map(|ports| ports.clear), direction) {
            (None, _) => self.ports(direction),
            (Some(ports), Direction::Forward) => ports,
            (Some((src, dst)), Direction::Reverse) => (dst, src),
        }
    }

    /// The flow that it would have been in clear: the same hosts, these ports of the forward direction, or those of
    /// [`hints`](Self::hints).
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    #[must_use]
    pub(crate) fn in_clear(&self, ports: Option<(u16, u16)>) -> Self {
        let forward = Direction::Forward;
        let (from, to) = ports.unwrap_or(self.hints(forward));
        let ends = (self.src(forward).ip(), self.dst(forward).ip());
        let (key, forward_is_low) = FlowKey::new((ends.0, from), (ends.1, to), self.key.channel);
        Self {
            key,
            forward_is_low,
            ..*self
        }
    }

    /// The channel, where it is part of the key.
    pub fn channel(&self) -> Channel {
        self.key.channel
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} > {}",
            self.transport.name(),
            self.number,
            self.src(Direction::Forward),
            self.dst(Direction::Forward)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_keys_differ() {
        let (a, b) = (([10, 0, 0, 2].into(), 80), ([10, 0, 0, 1].into(), 40000));
        let (key, _) = FlowKey::new(a, b, Channel::default());
        assert_eq!((key.numbered(0), key.number()), (key, 0));
        let (one, two) = (key.numbered(1), key.numbered(2));
        assert!(one != key && one != two);
        assert_eq!((one.number(), two.number()), (1, 2));
        assert_eq!(two.numbered(0), key);
    }

    #[test]
    fn short_keys_are_as_the_long_ones() {
        use std::hash::BuildHasher;
        let hasher = foldhash::fast::RandomState::default();
        let ends = [
            ([10, 0, 0, 2], 80),
            ([10, 0, 0, 1], 40000),
            ([10, 0, 0, 2], 79),
        ];
        for (a, b) in ends.iter().flat_map(|a| ends.iter().map(move |b| (a, b))) {
            let (short, low) = ShortKey::new((a.0.into(), a.1), (b.0.into(), b.1));
            let (key, low_of_key) =
                FlowKey::new((a.0.into(), a.1), (b.0.into(), b.1), Channel::default());
            assert_eq!((FlowKey::from(short), Some(short)), (key, key.short()));
            assert_eq!(low, low_of_key);
            assert_eq!(hasher.hash_one(short), hasher.hash_one(key));
        }
    }

    #[test]
    fn both_directions_have_one_key() {
        let a: (IpAddr, u16) = ([10, 0, 0, 2].into(), 80);
        let b: (IpAddr, u16) = ([10, 0, 0, 1].into(), 40000);
        let (k1, low1) = FlowKey::new(a, b, Channel::default());
        let (k2, low2) = FlowKey::new(b, a, Channel::default());
        assert_eq!(k1, k2);
        assert_ne!(low1, low2);
        let flow = Flow {
            transport: Transport::Tcp,
            number: 0,
            key: k1,
            forward_is_low: low1,
            reused: false,
            decrypted: None,
            links: Default::default(),
        };
        assert_eq!(flow.src(Direction::Forward).to_string(), "10.0.0.2:80");
        assert_eq!(flow.dst(Direction::Forward).to_string(), "10.0.0.1:40000");
    }
}
