//! Joins the stages: a packet goes in, and what it completes comes out at the sink.

use crate::base::connection_rule::ConnectionRule;
use crate::base::context::Context;
use crate::base::counters::Counters;
use crate::base::limits::Limits;
use crate::base::packet::{LinkType, Packet, PacketInfo};
use crate::base::place::Fragment;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::Budget;
use crate::base::stream::FlowState;
use crate::base::time::{CaptureClock, Timestamp};
use crate::base::trace::{Event, Trace};
use crate::ip::{self, Datagram, Ip, PlainPacket};
use crate::link;
use crate::message::custom::CustomDetector;
use crate::message::extract::Conversation;
use crate::message::records::KeyLog;
use crate::message::rules::Rules;
use crate::message::{Extractor, MessageSink, Named, Transfers};
use crate::transport::sctp::Sctp;
use crate::transport::sctp::stats::LinkStats;
use crate::transport::tcp::{Segment, Tcp};
use crate::transport::udp::Udp;
use etherparse::IpNumber;
use std::time::Duration;

/// All that waits in any stage: plain data, which can be written out and read back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: FlowState")]
pub struct State<S: FlowState> {
    cx: Context,
    clock: CaptureClock,
    ip: Ip,
    tcp: Tcp<Conversation<S>>,
    udp: Udp,
    sctp: Sctp<S>,
    transfers: Transfers,
}

impl<S: FlowState> State<S> {
    /// What had been counted.
    pub const fn counters(&self) -> &Counters {
        &self.cx.counters
    }
}

/// The stages behind IP.
struct Transports<'a, M: MessageSink> {
    tcp: &'a mut Tcp<Conversation<M::State>>,
    udp: &'a mut Udp,
    sctp: &'a mut Sctp<M::State>,
    transfers: &'a mut Transfers,
    extractor: &'a mut Extractor<M>,
}

impl<M: MessageSink> Transports<'_, M> {
    /// Takes a datagram that these fragments were put together to, if it was fragmented.
    fn receive_fragments(&mut self, cx: &mut Context, datagram: &Datagram<'_>, of: &[Fragment]) {
        if !of.is_empty() {
            cx.fragments.clear();
            cx.fragments.extend_from_slice(of);
        }
        self.receive(cx, datagram);
    }

    /// Takes the datagrams for which the wait for better fragments was given up.
    fn receive_late(&mut self, cx: &mut Context, ip: &mut Ip) {
        ip.each_late(cx, &mut |cx, datagram, fragments| {
            self.receive_fragments(cx, datagram, fragments);
        });
    }

    /// Makes room: the fragments that wait longest go, alone or as what they make with those that were second choice.
    fn evict_fragments(&mut self, cx: &mut Context, ip: &mut Ip) -> bool {
        let freed = ip.evict_oldest(cx);
        self.receive_late(cx, ip);
        freed
    }

    #[inline(always)] // on every packet's way
    fn receive(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        match IpNumber(datagram.protocol) {
            IpNumber::TCP if !cx.limits.disable_tcp => {
                self.tcp.datagram(cx, datagram, self.extractor);
            }
            IpNumber::UDP if !cx.limits.disable_udp => {
                let mut named = Named {
                    extractor: self.extractor,
                    transfers: self.transfers,
                };
                self.udp.receive(cx, datagram, &mut named);
            }
            IpNumber::SCTP if !cx.limits.disable_sctp => {
                self.sctp.packet(cx, datagram, self.extractor);
            }
            _ => self.pass_by(cx, datagram),
        }
    }

    /// A datagram of a transport that is switched off, or of none.
    #[cold]
    fn pass_by(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        match IpNumber(datagram.protocol) {
            IpNumber::TCP => cx.counters.tcp.disabled += 1,
            IpNumber::UDP => cx.counters.udp.disabled += 1,
            IpNumber::SCTP => cx.counters.sctp.disabled += 1,
            _ => return,
        }
        self.extractor.sink.unprocessed(cx, datagram);
    }
}

/// All stages from the link layer to messages.
#[derive(Debug)]
pub struct Assembler<M: MessageSink> {
    state: State<M::State>,
    extractor: Extractor<M>,
}

impl<M: MessageSink> Assembler<M> {
    /// An engine at the beginning of a capture.
    pub fn new(limits: Limits, sink: M) -> Self {
        let state = State {
            cx: Context::new(limits),
            clock: CaptureClock::default(),
            ip: Ip::new(),
            tcp: Tcp::new(),
            udp: Udp::new(),
            sctp: Sctp::default(),
            transfers: Transfers::default(),
        };
        Self {
            state,
            extractor: Extractor::new(sink),
        }
    }

    /// An engine that goes on where `state` was taken.
    pub fn resume(mut state: State<M::State>, sink: M) -> Self {
        // Indexes are not saved: hashing is keyed anew in each process.
        state.tcp.reindex();
        state.cx.budget.resume();
        Self {
            state,
            extractor: Extractor::new(sink),
        }
    }

    /// The same with other limits than those that a resumed state was made with. What waits already is held to them from the next
    /// packet on.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.state.cx.budget.set_limit(limits.memory);
        self.state.cx.limits = limits;
        self
    }

    /// The same with what the user says of ports and protocols. Where a state is resumed, they are those that it was
    /// made with.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.extractor.rules = rules;
        self
    }

    /// The same with detectors of one's own, which are asked before all others. Where a state is resumed, they are
    /// those that it was made with.
    #[must_use]
    pub fn with_detectors(mut self, detectors: Vec<CustomDetector>) -> Self {
        self.extractor = self.extractor.with_detectors(detectors);
        self
    }

    /// Calls `to` from now on with what becomes of the connections that `rule` chooses: of each TCP segment, and of messages.
    pub fn trace(&mut self, rule: ConnectionRule, to: impl FnMut(&Event) + Send + 'static) {
        self.state.cx.trace = Trace::new(rule, Box::new(to));
    }

    /// All that waits.
    pub fn state(&self) -> &State<M::State> {
        &self.state
    }

    /// What was counted.
    pub fn counters(&mut self) -> &Counters {
        let State { cx, ip, tcp, .. } = &mut self.state;
        let buffer = &mut cx.counters.buffer;
        buffer.waiting = cx.budget.used() as u64;
        buffer.peak = cx.budget.peak() as u64;
        let waiting = cx.budget.waiting();
        let [sorting, fragments, segments, chunks] = waiting.map(|w| (w.now as u64, w.peak as u64));
        (buffer.sorting_octets, buffer.sorting_octets_peak) = sorting;
        (buffer.fragments_octets, buffer.fragments_octets_peak) = fragments;
        (buffer.segments_octets, buffer.segments_octets_peak) = segments;
        (buffer.chunks_octets, buffer.chunks_octets_peak) = chunks;
        buffer.fragments = ip.active() as u64;
        buffer.segments = tcp.waiting() as u64;
        buffer.chunks = cx.counters.sctp.waiting_chunks;
        &cx.counters
    }

    /// What was counted, to be added to by those who read and write.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.state.cx.counters
    }

    /// Counts the statistics of SCTP links from now on (`--sctp-stats`).
    pub fn collect_sctp_stats(&mut self) {
        self.state.sctp.collect_stats();
    }

    /// The statistics of SCTP links since the last call; those on which nothing was seen are left out.
    pub fn take_sctp_stats(&mut self) -> Vec<LinkStats> {
        self.state.sctp.take_stats(&mut self.state.cx)
    }

    /// What may be allocated for all that waits, for those who hold packets ahead of it.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.state.cx.budget
    }

    /// Where messages go, and what the stages share with it.
    pub fn sink_and_context(&mut self) -> (&mut M, &mut Context) {
        (&mut self.extractor.sink, &mut self.state.cx)
    }

    /// Secrets with which records of TLS are opened.
    pub fn keys(&mut self) -> &mut KeyLog {
        self.extractor.keys()
    }

    /// Where messages go.
    pub fn sink(&mut self) -> &mut M {
        &mut self.extractor.sink
    }

    /// Link types of packets that were dropped because it is not known here, in order of first sight; the first 20.
    pub fn unknown_link_types(&self) -> &[LinkType] {
        &self.state.cx.unknown_link_types
    }

    /// Nothing was captured for so long: what waits grows older, and holes whose time is over are given up. For captures that are
    /// read as they are made.
    pub fn silence(&mut self, silence: Duration) {
        let State { cx, clock, .. } = &mut self.state;
        cx.now = clock.pass(silence);
        if self.is_due() {
            self.age();
        }
    }

    /// Takes one packet.
    // In three parts: nearly all packets need the short way of the first and none of the last.
    #[inline]
    pub fn packet(&mut self, packet: &Packet<'_>) {
        let State { cx, clock, tcp, .. } = &mut self.state;
        // The clock moves first, so that the packet is judged by its own time; what is due by it
        // comes last, in `age`.
        cx.now = clock.observe(packet.time);
        cx.discarded = None;
        let plain = PlainPacket::of(packet, &cx.limits);
        if !plain.is_some_and(|plain| tcp.express(cx, packet, &plain, &mut self.extractor)) {
            self.all_stages(packet, plain.as_ref());
        }
        let cx = &mut self.state.cx;
        let dropped = cx.discarded.take();
        self.extractor.sink.packet(cx, packet, dropped);
        if self.is_due() {
            self.age();
        }
    }

    /// What the stages share, the IP stage, and those behind it.
    fn stages(&mut self) -> (&mut Context, &mut Ip, Transports<'_, M>) {
        let State {
            cx,
            ip,
            tcp,
            udp,
            sctp,
            transfers,
            ..
        } = &mut self.state;
        let transports = Transports {
            tcp,
            udp,
            sctp,
            transfers,
            extractor: &mut self.extractor,
        };
        (cx, ip, transports)
    }

    /// Takes a packet through all stages, one by one.
    #[inline(never)] // off the way of those that are all alike
    fn all_stages(&mut self, packet: &Packet<'_>, plain: Option<&PlainPacket<'_>>) {
        let (cx, ip, mut transports) = self.stages();
        // A common packet, IPv4 in an Ethernet frame, goes straight to its transport: each stage that it does not need
        // would cost it another call with everything that is known of it.
        if let Some(plain) = plain
            && let Some(datagram) = plain.datagram(&cx.limits)
        {
            plain.pass(packet, cx);
            return transports.receive(cx, &datagram);
        }
        match link::plain(packet) {
            Some(frame) => {
                link::receive_plain(packet, cx, &frame);
                match ip::plain(cx, &frame) {
                    Some(datagram) => transports.receive(cx, &datagram),
                    None => ip.each(cx, &frame, &mut |cx, datagram, fragments| {
                        transports.receive_fragments(cx, datagram, fragments);
                    }),
                }
            }
            None => link::receive(packet, cx, |cx, frame| {
                ip.each(cx, frame, &mut |cx, datagram, fragments| {
                    transports.receive_fragments(cx, datagram, fragments);
                });
            }),
        }
        tell_of_fragments(cx, transports.extractor);
    }

    /// Whether [`age`](Self::age) may find something to do.
    #[inline(always)] // asked behind every packet
    fn is_due(&self) -> bool {
        let State {
            cx,
            ip,
            tcp,
            udp,
            sctp,
            ..
        } = &self.state;
        ip.holds_fragments()
            || tcp.is_due(cx.now)
            || udp.is_due(cx.now)
            // Most captures have no SCTP.
            || sctp.is_due(cx)
            || cx.budget.over()
            || !cx.fragment_events.is_empty()
    }

    /// Takes a TCP segment that was parsed elsewhere, from packet number `frame` (any number that does not fall), captured
    /// at `time`.
    pub fn segment(&mut self, frame: u64, time: Timestamp, segment: &Segment<'_>) {
        let packet = PacketInfo {
            frame,
            time,
            ..PacketInfo::default()
        };
        self.segment_of(packet, segment);
    }

    /// Takes a TCP segment that was parsed elsewhere, with what is known of its packet: number, time, VLAN tags and
    /// addresses of its link header, the tunnel that it came through. Segments on channels that differ in tags or tunnel are
    /// treated as [`Limits::channels`](crate::base::limits::Limits::channels) says.
    ///
    /// ```
    /// use inet_asm::base::packet::{LinkHeader, PacketInfo, VlanTag};
    /// use inet_asm::base::time::Timestamp;
    ///
    /// let tags = [VlanTag { tpid: 0x8100, tci: 42 }, VlanTag::default()];
    /// let packet = PacketInfo {
    ///     frame: 1,
    ///     time: Timestamp::from_nanos(1_700_000_000_000_000_000),
    ///     link: LinkHeader { tags, ..LinkHeader::default() },
    ///     ..PacketInfo::default()
    /// };
    /// assert_eq!(packet.channel().vlans, [42, 0]);
    /// ```
    pub fn segment_of(&mut self, packet: PacketInfo, segment: &Segment<'_>) {
        let State { cx, clock, tcp, .. } = &mut self.state;
        cx.now = clock.observe(packet.time);
        cx.packet = packet;
        cx.discarded = None;
        tcp.segment(cx, segment, packet.channel(), &mut self.extractor);
        self.age();
    }

    /// Gives up what has waited too long, or what memory has no room for.
    fn age(&mut self) {
        let (cx, ip, mut t) = self.stages();
        // What the clock makes due comes after the packet that moved it: that packet may have brought what was waited for.
        ip.expire(cx);
        t.receive_late(cx, ip);
        t.tcp.tick(cx, t.extractor);
        if t.udp.is_due(cx.now) {
            let sink = &mut Named {
                extractor: t.extractor,
                transfers: t.transfers,
            };
            t.udp.tick(cx, sink);
        }
        if t.sctp.is_due(cx) {
            t.sctp.tick(cx, t.extractor);
        }
        while cx.budget.over() {
            // The order of what hurts least: idle connections, fragments that may never complete,
            // flows that are only numbers, and only then what is in use.
            let freed = t.tcp.evict_idle(cx, t.extractor)
                || t.sctp.evict_idle(cx, t.extractor)
                || t.evict_fragments(cx, ip)
                || t.udp.evict_oldest(
                    cx,
                    &mut Named {
                        extractor: t.extractor,
                        transfers: t.transfers,
                    },
                )
                || t.tcp.free_memory(cx, t.extractor)
                || t.sctp.free_memory(cx, t.extractor);
            // Nothing is left that could go: what is held ahead of this stage, or by outputs, is
            // bounded by themselves.
            if !freed {
                break;
            }
        }
        tell_of_fragments(cx, t.extractor);
    }

    /// The input has ended: everything that waits is delivered or given up.
    pub fn flush(&mut self) {
        let (cx, ip, mut t) = self.stages();
        // Fragments first, which are taken as they are where nothing better came; then TCP and SCTP, whose messages
        // come out, and the sinks last.
        loop {
            ip.flush(cx);
            t.receive_late(cx, ip);
            // What came through a tunnel may be a fragment of something else.
            if !ip.holds_fragments() {
                break;
            }
        }
        tell_of_fragments(cx, t.extractor);
        t.tcp.flush(cx, t.extractor);
        t.sctp.flush(cx, t.extractor);
        t.udp.flush(
            cx,
            &mut Named {
                extractor: t.extractor,
                transfers: t.transfers,
            },
        );
        t.transfers.flush(&mut cx.budget);
        cx.upgraded.flush(&mut cx.budget);
        t.extractor.sink.input_end(cx);
    }

    /// Ends the input and gives the sink back.
    pub fn finish(mut self) -> M {
        self.flush();
        self.extractor.sink
    }
}

/// Tells the sink what became of fragments since the last call.
fn tell_of_fragments<M: MessageSink>(cx: &mut Context, extractor: &mut Extractor<M>) {
    if !cx.fragment_events.is_empty() {
        for event in std::mem::take(&mut cx.fragment_events) {
            extractor.sink.fragments(cx, &event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checksum::{Sum, pseudo_header};
    use crate::base::flags;
    use crate::base::limits::Checksums;
    use crate::base::stream::{Chunk, Close, Gap};
    use crate::message::{MessageEnd, MessageStart};
    use crate::transport::stream::StreamContext;
    use proptest::prelude::*;
    use std::fs;
    use std::path::Path;

    struct Quiet;

    impl MessageSink for Quiet {
        type State = ();
    }

    /// A SYN over IPv4 in Ethernet.
    fn is_syn(packet: &[u8]) -> bool {
        let header = packet.get(14).map_or(0, |o| usize::from(o & 15) * 4);
        packet.get(12..14) == Some(&[8, 0])
            && packet.get(23) == Some(&6)
            && packet
                .get(14 + header + 13)
                .is_some_and(|flags| flags & 2 != 0)
    }

    /// Octets that the row of the table looked at which looked at most, those that were delivered, and connections: of a
    /// pcap file in little-endian order, with its SYNs or without.
    fn looked(file: &[u8], syns: bool) -> Option<(u64, u64, u64)> {
        let word = |at: usize| -> Option<u32> {
            let field = file.get(at..at + 4)?;
            Some(u32::from_le_bytes(field.try_into().ok()?))
        };
        let unit = match word(0)? {
            0xa1b2_c3d4 => 1000,
            0xa1b2_3c4d => 1,
            _ => return None,
        };
        let link_type = LinkType(u16::try_from(word(20)? & 0xffff).ok()?);
        let mut assembler = Assembler::new(Limits::default(), Quiet);
        let (mut at, mut frame) = (24, 0);
        while let Some(captured) = word(at + 8)
            && let Some(data) = file.get(at + 16..at + 16 + captured as usize)
        {
            frame += 1;
            let nanos = u64::from(word(at)?) * 1_000_000_000 + u64::from(word(at + 4)?) * unit;
            if syns || !is_syn(data) {
                assembler.packet(&Packet {
                    frame,
                    time: Timestamp::from_nanos(nanos),
                    interface: 0,
                    link_type,
                    data,
                    orig_len: word(at + 12)?,
                    fcs_len: None,
                    flags: 0,
                });
            }
            at += 16 + captured as usize;
        }
        assembler.flush();
        let most = assembler.extractor.looked.iter().copied().max();
        let tcp = &assembler.counters().tcp;
        Some((most?, tcp.delivered_octets, tcp.connections))
    }

    /// Writes down what it is told.
    #[derive(Default)]
    struct Recorder(Vec<String>);

    impl MessageSink for Recorder {
        type State = ();

        fn start(&mut self, at: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
            let what = (
                at.cx.packet,
                at.sides,
                at.direction,
                start.extent,
                start.ack,
            );
            self.0.push(format!("start {what:?}"));
        }

        fn end(&mut self, at: &mut StreamContext<'_, ()>, end: &MessageEnd) {
            let what = (at.cx.packet, at.sides, at.direction, end.offset, end.whole);
            self.0.push(format!("end {what:?}"));
        }

        fn stream_data(&mut self, at: &mut StreamContext<'_, ()>, chunk: &Chunk<'_>) {
            self.0.push(format!("{:?} {chunk:?}", at.direction));
        }

        fn stream_gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &Gap) {
            self.0.push(format!(
                "{:?} {:?} {gap:?}",
                at.cx.packet.frame, at.direction
            ));
        }

        fn stream_end(&mut self, at: &mut StreamContext<'_, ()>, close: Close) {
            self.0.push(format!(
                "{:?} {:?} {close:?}",
                at.cx.packet.frame, at.direction
            ));
        }
    }

    /// One segment of a connection that may be lost, displaced, repeated or damaged.
    #[derive(Clone, Debug)]
    struct Sent {
        forward: bool,
        flags: u8,
        /// From the first octets of both streams.
        seq: u32,
        ack: u32,
        len: u8,
        damaged: bool,
        /// Milliseconds since the one before.
        after: u16,
    }

    impl Sent {
        /// Its packet, Ethernet and IPv4 included.
        fn packet(&self) -> Vec<u8> {
            let text = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".iter();
            let octets = text
                .chain(&[b'x'; 100])
                .cycle()
                .skip(self.seq as usize % 139);
            let payload: Vec<u8> = octets.take(self.len.into()).copied().collect();
            let (src, dst) = ([10, 0, 0, 1], [10, 0, 0, 2]);
            let (src, dst, ports) = match self.forward {
                true => (src, dst, [4000_u16, 80]),
                false => (dst, src, [80, 4000]),
            };
            let mut tcp = ports.map(u16::to_be_bytes).concat();
            let first = 1 - u32::from(self.flags & flags::SYN != 0);
            tcp.extend((self.seq + first).to_be_bytes());
            tcp.extend(
                if self.flags & flags::ACK == 0 {
                    0
                } else {
                    self.ack + 1
                }
                .to_be_bytes(),
            );
            tcp.extend([5 << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
            tcp.extend(&payload);
            let sum = pseudo_header(src.into(), dst.into(), 6, tcp.len()).add(&tcp);
            let sum = sum.finish() ^ u16::from(self.damaged);
            tcp[16..18].copy_from_slice(&sum.to_be_bytes());
            let len = u16::try_from(20 + tcp.len()).unwrap().to_be_bytes();
            let mut ip = vec![0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, 6, 0, 0];
            ip.extend([src, dst].concat());
            let sum = Sum::of(&ip).finish();
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            [vec![2; 12], vec![8, 0], ip, tcp].concat()
        }
    }

    fn sent() -> impl Strategy<Value = Sent> {
        let place = || prop_oneof![0_u32..8, 0_u32..30, Just(100)].prop_map(|n| n * 50);
        let flags = prop_oneof![
            30 => Just(flags::ACK),
            10 => Just(flags::ACK | flags::PSH),
            1 => Just(flags::ACK | flags::FIN),
            1 => Just(flags::RST),
            1 => Just(flags::SYN),
        ];
        (
            prop_oneof![3 => Just(false), 1 => Just(true)],
            flags,
            place(),
            place(),
            prop_oneof![1 => Just(0_u8), 3 => Just(50), 1 => Just(100), 1 => 0_u8..150],
            prop::bool::weighted(0.05),
            prop_oneof![9 => Just(1_u16), 1 => 0_u16..3000],
        )
            .prop_map(|(forward, flags, seq, ack, len, damaged, after)| Sent {
                forward,
                flags,
                seq,
                ack,
                len,
                damaged,
                after,
            })
    }

    /// What is told and counted of these segments; `plain`: the short way may be gone. Where it is said that a frame check sequence
    /// has no octets, which changes nothing, it is not.
    fn told(segments: &[Sent], plain: bool) -> (Vec<String>, String) {
        let mut assembler = Assembler::new(Limits::default(), Recorder::default());
        let mut nanos = 1_700_000_000_000_000_000;
        for (frame, sent) in (1..).zip(segments) {
            nanos += u64::from(sent.after) * 1_000_000;
            let octets = sent.packet();
            let time = Timestamp::from_nanos(nanos);
            assembler.packet(&Packet {
                fcs_len: (!plain).then_some(0),
                ..Packet::new(frame, time, LinkType::ETHERNET, &octets)
            });
        }
        assembler.flush();
        // The short way keeps some connections in fewer octets.
        assembler.counters_mut().buffer = Default::default();
        let counters = format!("{:?}", assembler.counters_mut());
        (std::mem::take(&mut assembler.sink().0), counters)
    }

    proptest! {
        #[test]
        fn the_short_way_leads_to_the_same(
            random in prop::collection::vec(sent(), 1..60),
            keep in prop::collection::vec(prop::bool::weighted(0.9), 40),
            displaced in 0_usize..40,
        ) {
            // An exchange in order, of which some is lost or comes late; behind it whatever comes.
            let open = Sent { forward: true, flags: flags::SYN, seq: 0, ack: 0, len: 0, damaged: false, after: 1 };
            let answer = Sent { forward: false, flags: flags::SYN | flags::ACK, ..open.clone() };
            let mut all = vec![open, answer];
            for (n, _) in (0..40_u32).zip(keep).filter(|(_, keep)| *keep) {
                let data = Sent { flags: flags::ACK, seq: n * 50, len: 50, ..all[1].clone() };
                let ack = Sent { forward: true, seq: 0, ack: (n + 1) * 50, len: 0, ..data.clone() };
                all.extend([data, ack]);
            }
            let late = all.remove(2 + displaced % (all.len() - 2));
            all.push(late);
            all.extend(random);
            prop_assert_eq!(told(&all, true), told(&all, false));
        }
    }

    /// Octets that the budget knows of for each of so many connections that are open and quiet, of which the client has sent this.
    fn octets_for_each(connections: u16, sent: &[Sent]) -> usize {
        let limits = Limits {
            ip_checksums: Checksums::Ignore,
            tcp_checksums: Checksums::Ignore,
            ..Limits::default()
        };
        let mut assembler = Assembler::new(limits, Quiet);
        let mut frame = 0;
        for sent in sent {
            for client in 0..connections {
                let mut octets = sent.packet();
                // The last half of its address.
                let at = if sent.forward { 28 } else { 32 };
                octets[at..at + 2].copy_from_slice(&(client + 100).to_be_bytes());
                frame += 1;
                let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + frame * 10_000);
                assembler.packet(&Packet::new(frame, time, LinkType::ETHERNET, &octets));
            }
        }
        let State { cx, tcp, .. } = assembler.state();
        let used = cx.budget.used() / usize::from(connections);
        assert_eq!(tcp.connections(), usize::from(connections));
        assembler.flush();
        let counters = assembler.counters();
        assert_eq!(counters.tcp.closed_evicted, 0);
        assert_eq!(counters.message.whole, counters.message.messages);
        used
    }

    #[test]
    fn quiet_connections_take_little_room() {
        let syn = Sent {
            forward: true,
            flags: flags::SYN,
            seq: 0,
            ack: 0,
            len: 0,
            damaged: false,
            after: 0,
        };
        let answer = Sent {
            forward: false,
            flags: flags::SYN | flags::ACK,
            ..syn.clone()
        };
        let ack = Sent {
            flags: flags::ACK,
            ..syn.clone()
        };
        let message = Sent {
            len: 140,
            ..ack.clone()
        };
        let all = [syn, answer, ack, message];
        // Whole chunks of the table, and 16 octets of its index for each.
        let [half_open, open, with_message] = [1, 3, 4].map(|n| octets_for_each(2048, &all[..n]));
        println!("{half_open} {open} {with_message}");
        assert!(half_open <= 64 + 16, "{half_open}");
        assert!(open <= 64 + 80 + 16, "{open}");
        assert!(with_message <= 224 + 16, "{with_message}");
    }

    #[test]
    fn captures_are_looked_at_a_few_times() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut tried = 0;
        let folders = ["testdata", "../shared/captures", "../shared/cases/cost"];
        for folder in folders.map(|folder| root.join(folder)) {
            let Ok(entries) = fs::read_dir(&folder) else {
                println!("{} is not there", folder.display());
                continue;
            };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let file = fs::read(&path).unwrap_or_default();
                for syns in [true, false] {
                    let Some((most, delivered, connections)) = looked(&file, syns) else {
                        continue;
                    };
                    // Of what may be a beginning, the first octets are looked at up to sixteen times.
                    let bound = 4 * delivered + (16 << 10) * connections;
                    assert!(most <= bound, "{}: {most} of {delivered}", path.display());
                    tried += 1;
                }
            }
        }
        assert!(tried > 20, "{tried}");
    }
}
