//! UDP (RFC 768): from datagrams to messages; each datagram is one.

use super::datagram::{DatagramContext, DatagramSink, EndedFlow, FlowTotals, HEADER_LEN};
use crate::base::checksum::{self, Sum, Verdict};
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow, FlowKey, Transport};
use crate::base::limits::{Channels, Checksums, Tunnel};
use crate::base::packet::{Channel, LinkHeader};
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedPlace, AgedTable, DigestKey};
use crate::base::stream::Close;
use crate::base::time::{Instant, Timestamp};
use crate::ip::Datagram;
use etherparse::{IpNumber, UdpHeaderSlice};
use std::collections::VecDeque;
use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

/// A UDP datagram whose header has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpDatagram<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// The checksum field.
    pub checksum: u16,
    /// Octets of the header and the payload as it was sent.
    pub len: usize,
    /// The captured octets behind the header; it ends where the length field says.
    pub payload: &'a [u8],
}

impl UdpDatagram<'_> {
    /// Octets of payload as it was sent; more than `payload.len()` where the snapshot length cut it.
    pub const fn payload_len(&self) -> usize {
        self.len.saturating_sub(HEADER_LEN)
    }
}

/// Reads the header.
pub fn parse<'a>(ip: &Datagram<'a>) -> Result<UdpDatagram<'a>, Discard> {
    // Of etherparse's slices only that of the header: `UdpSlice` refuses a datagram that the snapshot length cut.
    let Ok(header) = UdpHeaderSlice::from_slice(ip.payload) else {
        return Err(if ip.payload_len < HEADER_LEN {
            Discard::UdpBadLength
        } else {
            Discard::UdpTruncated
        });
    };
    let rest = ip.payload.get(HEADER_LEN..).unwrap_or_default();
    let len = match header.length() {
        // A length of 0 stands for one that 16 bits cannot hold (RFC 2675, 4).
        0 if ip.payload_len > usize::from(u16::MAX) => ip.payload_len,
        len => usize::from(len),
    };
    // Longer than the IP datagram: nothing vouches for octets behind it. Shorter is allowed, the
    // rest is padding (RFC 768 leaves it open, and stacks ignore it).
    if len < HEADER_LEN || len > ip.payload_len {
        return Err(Discard::UdpBadLength);
    }
    Ok(UdpDatagram {
        src_port: header.source_port(),
        dst_port: header.destination_port(),
        checksum: header.checksum(),
        len,
        payload: rest.get(..len - HEADER_LEN).unwrap_or(rest),
    })
}

/// The UDP stage: takes IP datagrams, gives messages. Plain data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Udp {
    /// In order of last use, to the second.
    flows: AgedTable<FlowKey, Endpoints>,
    /// Number of the next flow.
    next: u64,
    recent: Recent,
    /// Before this time no flow has been idle for too long. Not gone on with: `--session-timeout` may be another one then.
    #[cfg_attr(feature = "state", serde(skip))]
    expiry: Instant,
    /// Octets of the tables that the budget knows of.
    charged: usize,
}

/// What is kept of a flow.
#[derive(Debug, Serialize, Deserialize)]
struct Endpoints {
    number: u64,
    /// The sender of the first packet is the lower endpoint of the key.
    forward_is_low: bool,
    /// Link header of each direction's first packet.
    links: [LinkHeader; 2],
    /// What was seen of each direction.
    totals: [FlowTotals; 2],
    /// When the first datagram was captured, and the last.
    first: Timestamp,
    last: Timestamp,
    /// What it carries.
    protocol: Option<Name>,
    /// When it was last moved to the young end of the table.
    renewed: Instant,
}

impl Endpoints {
    fn flow(&self, key: FlowKey) -> Flow {
        Flow {
            transport: Transport::Udp,
            number: self.number,
            key,
            forward_is_low: self.forward_is_low,
            reused: false,
            decrypted: None,
            links: self.links,
        }
    }

    /// Datagrams so far, counted modulo 2^32: only differences mean anything.
    #[allow(clippy::cast_possible_truncation)]
    const fn datagrams(&self) -> u32 {
        self.totals[0].packets.wrapping_add(self.totals[1].packets) as u32
    }

    /// Tells the sink that the flow is not followed any longer.
    fn end<S: DatagramSink>(&self, cx: &mut Context, key: FlowKey, close: Close, sink: &mut S) {
        let counters = &mut cx.counters.udp;
        match close {
            Close::Idle => counters.flows_idle += 1,
            Close::Evicted => counters.flows_evicted += 1,
            _ => counters.flows_end += 1,
        }
        self.count_closed(cx, key);
        if !sink.hears_flow_ends() {
            return;
        }
        let ended = EndedFlow {
            flow: &self.flow(key),
            first: self.first,
            last: self.last,
            totals: self.totals,
            protocol: self.protocol,
            close,
        };
        sink.flow_end(cx, &ended);
    }

    /// Counts the datagrams of a flow that is probably a tunnel which nobody asked to open.
    fn count_closed(&self, cx: &mut Context, key: FlowKey) {
        let Some(tunnel) = Tunnel::of_ports(key.ports()) else {
            return;
        };
        // The header of a tunnel may be known, and what is in it is hidden still.
        let own = |name: Name| name.text() == NO_PROTOCOL || name.text() == tunnel.name();
        if !self.protocol.is_none_or(own) {
            return;
        }
        let counters = &mut cx.counters.udp;
        let counter = match tunnel {
            _ if cx.limits.decapsulate.contains(tunnel) => return,
            Tunnel::Vxlan => &mut counters.closed_vxlan,
            Tunnel::Geneve => &mut counters.closed_geneve,
            Tunnel::Gtp => &mut counters.closed_gtp,
            Tunnel::L2tp => &mut counters.closed_l2tp,
            Tunnel::Teredo => &mut counters.closed_teredo,
            Tunnel::Sctp => &mut counters.closed_sctp,
            Tunnel::Gre | Tunnel::Erspan | Tunnel::Ipip => return,
        };
        *counter += self.totals[0].packets + self.totals[1].packets;
    }
}

/// A flow is moved in the order of age once in this time; each move touches four entries.
// A busy flow would else be moved with each datagram. Half the time doubles the moves; eviction by
// age is a matter of seconds anyway.
const RENEWAL: Duration = Duration::from_secs(1);

impl Udp {
    /// A stage that knows no flows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one IP datagram that carries UDP and hands its payload on as one message, or drops it.
    ///
    /// At most `--max-connections` flows are known; of more, the one that was not used for
    /// longest is forgotten, and so is one that was idle for `--session-timeout`. Both have a new
    /// number when they come again.
    pub fn receive<S: DatagramSink>(&mut self, cx: &mut Context, ip: &Datagram<'_>, sink: &mut S) {
        cx.counters.udp.datagrams += 1;
        if let Err(why) = self.process(cx, ip, sink) {
            cx.discard(why);
        }
        // Charged behind the datagram, whatever became of it: the tables may have grown on the way.
        self.charge(cx);
    }

    /// Forgets the flows that were not used for longest, an eighth of them, to make room; false where none is known.
    pub fn evict_oldest<S: DatagramSink>(&mut self, cx: &mut Context, sink: &mut S) -> bool {
        let many = self.flows.len().div_ceil(8);
        for (key, endpoints) in self.flows.iter().take(many) {
            endpoints.end(cx, *key, Close::Evicted, sink);
        }
        let some = self.flows.remove_oldest_eighth();
        self.charge(cx);
        some
    }

    /// Whether [`tick`](Self::tick) may find something to do.
    #[inline] // asked behind every packet
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.expiry && !self.flows.is_empty()
    }

    /// Ends flows that have been idle for too long; to be called behind each packet of the capture for which
    /// [`is_due`](Self::is_due) is true.
    pub fn tick<S: DatagramSink>(&mut self, cx: &mut Context, sink: &mut S) {
        // A flow may have been used for so long behind its place in the order: it goes later by that, never too early.
        let idle = cx.limits.session_timeout.saturating_add(RENEWAL);
        let some = self.flows.len();
        // One that is added, or used, from now on goes no earlier.
        self.expiry = cx.now.after(idle);
        while let Some((place, _, endpoints)) = self.flows.oldest() {
            let goes = endpoints.renewed.after(idle);
            if goes > cx.now {
                self.expiry = goes;
                break;
            }
            if let Some((key, endpoints)) = self.flows.remove(place) {
                endpoints.end(cx, key, Close::Idle, sink);
            }
        }
        if self.flows.len() < some {
            self.charge(cx);
        }
    }

    /// The input has ended: no flow is followed any longer.
    pub fn flush<S: DatagramSink>(&mut self, cx: &mut Context, sink: &mut S) {
        // None is taken out one by one: what the tables had allocated is given back too.
        for (key, endpoints) in std::mem::take(&mut self.flows).iter() {
            endpoints.end(cx, *key, Close::EndOfInput, sink);
        }
        self.recent.clear();
        self.charge(cx);
    }

    /// Number of flows that are known.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    fn process<S: DatagramSink>(
        &mut self,
        cx: &mut Context,
        ip: &Datagram<'_>,
        sink: &mut S,
    ) -> Result<(), Discard> {
        let udp = parse(ip)?;
        let (is_good, payload_sum) = has_good_sum(cx, ip, &udp);
        if !is_good {
            // Counted in every mode, so that a user sees damaged datagrams; dropped only where that
            // was asked for.
            cx.counters.udp.bad_checksum += 1;
            if cx.limits.udp_checksums == Checksums::Verify {
                return Err(Discard::UdpBadChecksum);
            }
        }
        cx.counters.udp.octets += udp.payload_len() as u64;
        // With `separate` the channel is part of the key, so copies are flows of their own and no
        // copy needs to be known.
        let channel = ip.channel.keyed(cx.limits.channels);
        let (key, src_is_low) =
            FlowKey::new((ip.src, udp.src_port), (ip.dst, udp.dst_port), channel);
        let place = self.endpoints(cx, key, src_is_low, sink);
        // The place was just found or made.
        let endpoints = self.flows.get_mut(place).ok_or(Discard::UdpBadLength)?;
        let direction = if src_is_low == endpoints.forward_is_low {
            Direction::Forward
        } else {
            Direction::Reverse
        };
        // Counted per flow for the reorder window of copies; it may wrap, only differences are
        // used.
        let seen = &mut endpoints.totals[direction.index()];
        seen.packets += 1;
        if direction == Direction::Reverse && seen.packets == 1 {
            endpoints.links[direction.index()] = cx.packet.link;
        }
        endpoints.last = cx.packet.time;
        let flow = endpoints.flow(key);
        let (datagrams, protocol) = (endpoints.datagrams(), endpoints.protocol);
        let copy = cx.limits.channels != Channels::Separate
            && self
                .recent
                .is_copy(cx, ip, &udp, &flow, direction, datagrams);
        let mut at = DatagramContext {
            cx,
            flow: &flow,
            direction,
            ip: *ip,
            protocol,
            payload_sum,
        };
        let len = udp.payload_len();
        if copy {
            sink.duplicate(&mut at, len);
            return Err(Discard::UdpDuplicate);
        }
        at.cx.counters.udp.messages += 1;
        at.cx.counters.udp.message_octets += udp.payload.len() as u64;
        at.cx.counters.udp.snapped += u64::from(udp.payload.len() < len);
        sink.datagram(&mut at, udp.payload, len);
        let protocol = at.protocol;
        if let Some(endpoints) = self.flows.get_mut(place) {
            endpoints.protocol = protocol;
            let seen = &mut endpoints.totals[direction.index()];
            seen.messages += 1;
            seen.octets += udp.payload.len() as u64;
            seen.cut += u64::from(udp.payload.len() < len);
            seen.lost += (len - udp.payload.len()) as u64;
        }
        Ok(())
    }

    /// The flow with this key, which may be new.
    fn endpoints<S: DatagramSink>(
        &mut self,
        cx: &mut Context,
        key: FlowKey,
        forward_is_low: bool,
        sink: &mut S,
    ) -> AgedPlace {
        match self.flows.find(&key) {
            Some(place) => {
                if let Some(known) = self.flows.get_mut(place)
                    && cx.now.since(known.renewed) >= RENEWAL
                {
                    known.renewed = cx.now;
                    self.flows.renew(place);
                }
                place
            }
            None => {
                // Oldest first: UDP has no end that would say which flow is over.
                while self.flows.len() >= cx.limits.connections.max(1) {
                    if let Some((key, endpoints)) = self.flows.remove_oldest() {
                        endpoints.end(cx, key, Close::Evicted, sink);
                    }
                }
                cx.counters.udp.flows += 1;
                let number = self.next;
                self.next += 1;
                self.flows.insert(
                    key,
                    Endpoints {
                        number,
                        forward_is_low,
                        links: [cx.packet.link; 2],
                        totals: Default::default(),
                        first: cx.packet.time,
                        last: cx.packet.time,
                        protocol: None,
                        renewed: cx.now,
                    },
                )
            }
        }
    }

    /// Charges the budget with what is allocated.
    fn charge(&mut self, cx: &mut Context) {
        let now = self.flows.allocated() + self.recent.allocated();
        cx.budget.rebook(&mut self.charged, now);
    }
}

/// The checksum is right, explained by offloading, none, not to be looked at or not to be known; and the sum of the payload, where
/// that was taken.
fn has_good_sum(cx: &Context, ip: &Datagram<'_>, udp: &UdpDatagram<'_>) -> (bool, Option<Sum>) {
    // The capture says so already, or nobody asked.
    if cx.limits.udp_checksums == Checksums::Ignore || ip.checksum_known_good {
        return (true, None);
    }
    if udp.checksum == 0 {
        // None was computed, which IPv6 does not allow (RFC 8200, 8.1).
        return (ip.src.is_ipv4(), None);
    }
    // Cut by the snapshot length: the sum cannot be computed.
    let Some((header, payload)) = ip
        .payload
        .get(..udp.len)
        .and_then(<[u8]>::split_first_chunk::<HEADER_LEN>)
    else {
        return (true, None);
    };
    let len = payload.len();
    let payload = Sum::of(payload);
    // Nearly all are right, and most are over IPv4.
    if let (IpAddr::V4(src), IpAddr::V4(dst)) = (ip.src, ip.dst)
        && checksum::is_right_v4(IpNumber::UDP.0, [src, dst], header, &[], (payload, len))
    {
        return (true, Some(payload));
    }
    let pseudo = checksum::pseudo_header(ip.src, ip.dst, IpNumber::UDP.0, udp.len);
    let sum = pseudo.combine(Sum::of_words(header)).combine(payload);
    let verdict = checksum::judged(sum, pseudo, (ip.src, ip.dst, IpNumber::UDP.0), udp.checksum);
    let is_good = match verdict {
        Verdict::Right => true,
        // Only where the card of the capturing host may fill it in, as for TCP.
        Verdict::Offloaded => cx.limits.udp_checksums == Checksums::Auto,
        Verdict::Wrong => false,
    };
    (is_good, Some(payload))
}

/// Datagrams of the last moments, by what they are, to know their copies on other channels by.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Recent {
    /// In order of time, as long as all came on one channel: none of them can be a copy.
    one_channel: VecDeque<(RecentDatagram, Option<Short>)>,
    /// Payloads of those of them that are short, one behind another. Nothing else is done with them on nearly all captures: a digest
    /// would cost several times as much as the copy.
    short: VecDeque<u8>,
    /// By digest of flow, direction, identification and payload, once there were two; in order of time.
    seen: AgedTable<u64, RecentDatagram>,
    /// Datagrams came on several channels.
    several: bool,
    /// What the digests are keyed with.
    key: DigestKey,
}

/// A datagram that has no digest yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Short {
    /// Number of its flow; its identification and direction.
    flow: u64,
    packet: u64,
    /// Octets of its payload.
    len: u8,
}

/// Payloads of so many octets are kept until a digest is needed: queries and answers of names, voice.
// With all of `RECENT` that is 2 MiB. A longer one has its digest at once, which costs less for each of its octets.
const SHORT: usize = 128;

/// One datagram that was delivered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct RecentDatagram {
    digest: u64,
    channel: Channel,
    when: Instant,
    /// Datagrams of its flow up to it.
    datagrams: u32,
}

/// Datagrams that are remembered at most. Mirrored copies come within milliseconds.
// A window of 20 ms at 800,000 datagrams a second. With fewer remembered, copies on a fast link
// would count as new.
const RECENT: usize = 16_384;

impl Recent {
    /// The datagram came within the reorder window on another channel. If not, it is remembered.
    fn is_copy(
        &mut self,
        cx: &Context,
        ip: &Datagram<'_>,
        udp: &UdpDatagram<'_>,
        flow: &Flow,
        direction: Direction,
        datagrams: u32,
    ) -> bool {
        let packet = u64::from(ip.identification) << 1 | direction.index() as u64;
        let mut new = RecentDatagram {
            digest: 0,
            channel: ip.channel,
            when: cx.now,
            datagrams,
        };
        let since = cx.now.before(cx.limits.reorder_alone);
        let old = |seen: &RecentDatagram| seen.when < since;
        if !self.several {
            let first = self.one_channel.back();
            if first.is_none_or(|(first, _)| first.channel == ip.channel) {
                // By age, and by count where one moment holds more.
                while self.one_channel.front().is_some_and(|(seen, _)| old(seen))
                    || self.one_channel.len() >= RECENT
                {
                    self.forget_first();
                }
                let len = u8::try_from(udp.payload.len()).ok();
                let short = len.filter(|len| usize::from(*len) <= SHORT);
                let short = short.map(|len| Short {
                    flow: flow.number,
                    packet,
                    len,
                });
                match short {
                    Some(_) => self.short.extend(udp.payload),
                    None => new.digest = self.digest(flow.number, packet, udp.payload),
                }
                self.one_channel.push_back((new, short));
                return false;
            }
            self.several = true;
            while let Some((mut seen, short)) = self.one_channel.pop_front() {
                if let Some(short) = short {
                    let mut octets = [0; SHORT];
                    let len = usize::from(short.len);
                    for (octet, kept) in octets.iter_mut().zip(self.short.drain(..len)) {
                        *octet = kept;
                    }
                    let payload = octets.get(..len).unwrap_or_default();
                    seen.digest = self.digest(short.flow, short.packet, payload);
                }
                self.remember(seen);
            }
            (self.one_channel, self.short) = (VecDeque::new(), VecDeque::new());
        }
        new.digest = self.digest(flow.number, packet, udp.payload);
        while let Some((_, _, seen)) = self.seen.oldest()
            && (old(seen) || self.seen.len() >= RECENT)
        {
            self.seen.remove_oldest();
        }
        let known = self.seen.find(&new.digest);
        if let Some(seen) = known.and_then(|place| self.seen.get(place)) {
            // The same window as for a hole in TCP: few packets, or little time. A counter that
            // repeats its content later is no copy.
            let within = datagrams.wrapping_sub(seen.datagrams) <= cx.limits.reorder_packets
                || cx.now.since(seen.when) <= cx.limits.reorder_time;
            // On the same channel it is a message that was sent twice, and both are wanted.
            if seen.channel != ip.channel && within {
                return true;
            }
        }
        self.remember(new);
        false
    }

    /// Keyed: a sender who could make two datagrams with one digest could have one of them dropped as the other's copy.
    fn digest(&self, flow: u64, packet: u64, payload: &[u8]) -> u64 {
        let mut hasher = self.key.hasher();
        hasher.write(payload);
        hasher.write_u128(u128::from(flow) << 64 | u128::from(packet));
        hasher.finish()
    }

    /// Forgets the first datagram.
    fn forget_first(&mut self) {
        if let Some((_, Some(short))) = self.one_channel.pop_front() {
            self.short.drain(..usize::from(short.len));
        }
    }

    /// Notes a datagram: of those with the same digest the newest, which is what a copy to come will be close to.
    fn remember(&mut self, new: RecentDatagram) {
        match self.seen.find(&new.digest) {
            Some(place) => {
                if let Some(seen) = self.seen.get_mut(place) {
                    *seen = new;
                }
                self.seen.renew(place);
            }
            None => {
                self.seen.insert(new.digest, new);
            }
        }
    }

    /// Octets allocated.
    fn allocated(&self) -> usize {
        self.seen.allocated()
            + self.one_channel.capacity() * size_of::<(RecentDatagram, Option<Short>)>()
            + self.short.capacity()
    }

    /// Forgets all of them, and gives their memory back.
    fn clear(&mut self) {
        *self = Self {
            key: self.key,
            several: self.several,
            ..Self::default()
        };
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.seen.len() + self.one_channel.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;
    use crate::base::place::OctetOffset;
    use std::net::IpAddr;

    /// Writes down what it gets: flow, direction, payload, its full length.
    #[derive(Default)]
    struct UdpSink(Vec<(u64, Direction, Vec<u8>, usize)>);

    impl DatagramSink for UdpSink {
        fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], len: usize) {
            self.0
                .push((at.flow.number, at.direction, payload.to_vec(), len));
        }
    }

    fn addr(v6: bool, last: u8) -> IpAddr {
        if v6 {
            [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)].into()
        } else {
            [10, 0, 0, last].into()
        }
    }

    /// A datagram with a right checksum.
    fn packet(v6: bool, src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
        let mut p = Vec::new();
        p.extend(src.to_be_bytes());
        p.extend(dst.to_be_bytes());
        p.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
        p.extend([0, 0]);
        p.extend(payload);
        let sum = checksum::pseudo_header(addr(v6, 1), addr(v6, 2), 17, p.len())
            .add(&p)
            .finish();
        p[6..8].copy_from_slice(&sum.to_be_bytes());
        p
    }

    fn datagram(v6: bool, payload: &[u8]) -> Datagram<'_> {
        Datagram {
            src: addr(v6, 1),
            dst: addr(v6, 2),
            protocol: 17,
            payload,
            offset: OctetOffset::Unknown,
            payload_len: payload.len(),
            identification: 7,
            channel: Channel::default(),
            checksum_known_good: false,
            doubtful: false,
        }
    }

    fn vlan(ip: Datagram<'_>, vlan: u16) -> Datagram<'_> {
        Datagram {
            channel: Channel {
                vlans: [vlan, 0],
                tunnel: 0,
            },
            ..ip
        }
    }

    struct TestUdp {
        cx: Context,
        udp: Udp,
        sink: UdpSink,
    }

    impl TestUdp {
        fn new(limits: Limits) -> Self {
            Self {
                cx: Context::new(limits),
                udp: Udp::new(),
                sink: UdpSink::default(),
            }
        }

        fn receive(&mut self, ip: &Datagram<'_>) {
            self.udp.receive(&mut self.cx, ip, &mut self.sink);
            let c = &self.cx.counters;
            assert_eq!(c.udp.datagrams, c.udp.messages + c.dropped_in("udp"));
            assert_eq!(self.cx.budget.used(), self.udp.charged);
        }
    }

    #[test]
    fn lengths() {
        let p = packet(false, 1, 2, b"hello");
        // (octets there, octets by the IP header, length field, result)
        for (there, by_ip, len, want) in [
            (13, 13, 13, Ok(("hello", 5))),
            (13, 13, 10, Ok(("he", 2))),
            (13, 13, 8, Ok(("", 0))),
            (10, 13, 13, Ok(("he", 5))),
            (13, 13, 7, Err(Discard::UdpBadLength)),
            (13, 13, 0, Err(Discard::UdpBadLength)),
            (13, 13, 14, Err(Discard::UdpBadLength)),
            (7, 13, 13, Err(Discard::UdpTruncated)),
            (7, 7, 13, Err(Discard::UdpBadLength)),
            (13, 70_000, 0, Ok(("hello", 69_992))),
        ] {
            let mut p = p.clone();
            p[4..6].copy_from_slice(&u16::to_be_bytes(len));
            let ip = Datagram {
                payload_len: by_ip,
                ..datagram(false, &p[..there])
            };
            let got = parse(&ip).map(|u| (u.payload.to_vec(), u.payload_len()));
            assert_eq!(
                got,
                want.map(|(s, n)| (s.as_bytes().to_vec(), n)),
                "{there} {by_ip} {len}"
            );
        }
    }

    /// Each flow goes when nothing has come in it for the time-out, and no later than a second behind that.
    #[test]
    fn idle_flows_end() {
        let mut t = TestUdp::new(Limits {
            session_timeout: Duration::from_secs(10),
            ..Limits::default()
        });
        let packets = [1, 2, 3].map(|port| packet(false, port, 53, b"x"));
        let mut known = Vec::new();
        // Tenths of a second: the first flow speaks once, the second each 0.7 s, the third each 9.9 s.
        for now in 0..400_u64 {
            t.cx.now = Instant::from_nanos(now * 100_000_000);
            for (i, packet) in packets.iter().enumerate() {
                if [now == 0, now % 7 == 0, now % 99 == 0][i] {
                    t.receive(&datagram(false, packet));
                }
            }
            if t.udp.is_due(t.cx.now) {
                t.udp.tick(&mut t.cx, &mut t.sink);
                assert_eq!(t.cx.budget.used(), t.udp.charged);
            }
            known.push(t.udp.flows());
        }
        let last = known.iter().rposition(|n| *n == 3);
        assert!((100..=110).contains(&last.unwrap()), "{last:?}");
        assert_eq!(known.last(), Some(&2));
        // None of the others was ever another flow.
        let numbers: std::collections::BTreeSet<_> = t.sink.0.iter().map(|m| m.0).collect();
        assert_eq!(numbers.len(), 3);
        let counters = &t.cx.counters.udp;
        assert_eq!((counters.flows, counters.flows_idle), (3, 1));
        // Nothing comes for long, and all end; one that wakes is a new one.
        t.cx.now = Instant::from_nanos(100_000_000_000);
        t.udp.tick(&mut t.cx, &mut t.sink);
        assert_eq!(t.udp.flows(), 0);
        t.receive(&datagram(false, &packets[1]));
        assert_eq!(t.sink.0.last().unwrap().0, 3);
        t.udp.flush(&mut t.cx, &mut t.sink);
        let counters = &t.cx.counters.udp;
        let ended = (
            counters.flows_idle,
            counters.flows_evicted,
            counters.flows_end,
        );
        assert_eq!((counters.flows, ended), (4, (3, 0, 1)));
    }

    #[test]
    fn checksums() {
        use Checksums::{Auto, Ignore, Verify};
        // (IPv6, what stands in the field, handed on and counted in auto, in verify, in ignore)
        for (v6, field, cases) in [
            (false, None, [(1, 0), (1, 0), (1, 0)]),
            (true, None, [(1, 0), (1, 0), (1, 0)]),
            (false, Some(0), [(1, 0), (1, 0), (1, 0)]),
            (true, Some(0), [(1, 1), (0, 1), (1, 0)]),
            (false, Some(0x1234), [(1, 1), (0, 1), (1, 0)]),
        ] {
            for (sums, (out, counted)) in [Auto, Verify, Ignore].into_iter().zip(cases) {
                let mut t = TestUdp::new(Limits {
                    udp_checksums: sums,
                    ..Limits::default()
                });
                let mut p = packet(v6, 1, 2, b"hello");
                if let Some(field) = field {
                    p[6..8].copy_from_slice(&u16::to_be_bytes(field));
                }
                t.receive(&datagram(v6, &p));
                assert_eq!(t.sink.0.len(), out, "{v6} {field:?} {sums:?}");
                assert_eq!(
                    t.cx.counters.udp.bad_checksum, counted,
                    "{v6} {field:?} {sums:?}"
                );
                // The capture's own word goes before the sum, and no sum is computed over what was cut.
                let mut t = TestUdp::new(Limits {
                    udp_checksums: Verify,
                    ..Limits::default()
                });
                t.receive(&Datagram {
                    checksum_known_good: true,
                    doubtful: false,
                    ..datagram(v6, &p)
                });
                t.receive(&Datagram {
                    payload: &p[..10],
                    ..datagram(false, &p)
                });
                assert_eq!(t.sink.0.len(), 2);
            }
        }
    }

    #[test]
    fn flows_are_numbered_as_they_come() {
        let mut t = TestUdp::new(Limits::default());
        let back = |p| Datagram {
            src: addr(false, 2),
            dst: addr(false, 1),
            ..p
        };
        let (a, b, a_back) = (
            packet(false, 1, 2, b"a"),
            packet(false, 3, 2, b"b"),
            packet(false, 2, 1, b"c"),
        );
        t.receive(&datagram(false, &a));
        t.receive(&datagram(false, &b));
        t.receive(&back(datagram(false, &a_back)));
        let got: Vec<_> = t.sink.0.iter().map(|m| (m.0, m.1)).collect();
        assert_eq!(
            got,
            [
                (0, Direction::Forward),
                (1, Direction::Forward),
                (0, Direction::Reverse)
            ]
        );
        assert_eq!(t.cx.counters.udp.flows, 2);
        // Read back, they are known.
        let octets = postcard::to_allocvec(&t.udp).unwrap();
        t.udp = postcard::from_bytes(&octets).unwrap();
        t.receive(&datagram(false, &b));
        assert_eq!(t.sink.0.last().unwrap().0, 1);
    }

    #[test]
    fn flows_are_bounded_oldest_out() {
        let mut t = TestUdp::new(Limits {
            connections: 10,
            ..Limits::default()
        });
        let first = packet(false, 1, 9, b"x");
        for n in 1..=30 {
            t.cx.now = Instant::from_nanos(u64::from(n) * 2_000_000_000);
            t.receive(&datagram(false, &packet(false, n, 9, b"x")));
            // Used all the time, it is never the oldest.
            t.receive(&datagram(false, &first));
            assert!(t.udp.flows() <= 10);
        }
        assert_eq!(t.sink.0.last().unwrap().0, 0);
        assert_eq!(t.cx.counters.udp.flows, 30);
        while t.udp.evict_oldest(&mut t.cx, &mut t.sink) {}
        assert_eq!(t.udp.flows(), 0);
    }

    #[test]
    fn copies_on_other_channels() {
        let p = packet(false, 1, 2, b"hello");
        let other = packet(false, 1, 2, b"world");
        let ms = |n: u64| Instant::from_nanos(n * 1_000_000);
        // (what, VLAN, identification, time in ms)
        let rows: [(&[u8], u16, u32, u64); 6] = [
            (&p, 1, 7, 0),     // new
            (&p, 2, 7, 1),     // copy
            (&p, 1, 7, 2),     // sent twice
            (&p, 2, 8, 3),     // another identification
            (&other, 2, 7, 4), // another content
            (&p, 2, 7, 1500),  // too late
        ];
        for (channels, out) in [
            (Channels::Merge, 5),
            (Channels::First, 5),
            (Channels::Separate, 6),
        ] {
            let mut t = TestUdp::new(Limits {
                channels,
                ..Limits::default()
            });
            for (octets, tag, identification, time) in rows {
                t.cx.now = ms(time);
                t.receive(&Datagram {
                    identification,
                    ..vlan(datagram(false, octets), tag)
                });
            }
            assert_eq!(t.sink.0.len(), out, "{channels:?}");
            let flows = if channels == Channels::Separate { 2 } else { 1 };
            assert_eq!(t.cx.counters.udp.flows, flows);
        }
    }

    #[test]
    fn what_comes_through_another_tunnel_is_a_copy() {
        for (channels, out) in [(Channels::Merge, 1), (Channels::Separate, 3)] {
            let p = packet(false, 1, 2, b"hello");
            let mut t = TestUdp::new(Limits {
                channels,
                ..Limits::default()
            });
            for tunnel in [0, 7, 8] {
                let mut ip = datagram(false, &p);
                ip.channel.tunnel = tunnel;
                t.receive(&ip);
            }
            assert_eq!((t.sink.0.len(), t.udp.flows()), (out, out));
        }
    }

    /// The first eight octets make one factor of foldhash's product zero, so that with a key that all know the last eight do
    /// not count.
    #[test]
    fn nobody_can_make_two_datagrams_that_are_taken_for_one() {
        let factor = 0x082e_fa98_ec4e_6c89_u64.rotate_right(16);
        let mut t = TestUdp::new(Limits::default());
        for (tag, text) in [(10, b"goodgood"), (20, b"EVILEVIL")] {
            let p = packet(false, 1, 2, &[&factor.to_le_bytes()[..], text].concat());
            t.receive(&vlan(datagram(false, &p), tag));
        }
        assert_eq!(t.sink.0.len(), 2);
        t.udp.flush(&mut t.cx, &mut t.sink);
        assert_eq!(t.cx.budget.used(), 0);
    }

    #[test]
    fn what_is_remembered_of_copies_is_bounded() {
        let mut t = TestUdp::new(Limits::default());
        for n in 0..40_000u32 {
            let p = packet(false, 1, 2, &n.to_be_bytes());
            t.receive(&datagram(false, &p));
        }
        assert!(t.udp.recent.len() <= RECENT);
    }
}
