//! What each stage takes in is what it hands on, drops or holds: added up behind every packet of every capture.
#![allow(clippy::unwrap_used)]

use crate::common::shared_captures;
use etherparse::IpNumber;
use inet_asm::assembler::Assembler;
use inet_asm::base::context::Context;
use inet_asm::base::limits::{Limits, Tunnels};
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::place::Fragment;
use inet_asm::base::time::{CaptureClock, Timestamp};
use inet_asm::ip::{Datagram, Ip};
use inet_asm::link;
use inet_asm::message::events::{
    DatagramMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece,
};
use inet_asm::transport::datagram::{DatagramContext, DatagramSink};
use inet_asm::transport::stream::StreamContext;
use inet_asm::transport::udp::Udp;

/// Counts datagrams.
#[derive(Default)]
struct Sink(u64);

impl DatagramSink for Sink {
    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &[u8], _: usize) {
        self.0 += 1;
    }
}

struct Stages {
    cx: Context,
    clock: CaptureClock,
    ip: Ip,
    udp: Udp,
    sink: Sink,
    datagrams: u64,
}

impl Stages {
    fn new(limits: Limits) -> Self {
        Self {
            cx: Context::new(limits),
            clock: CaptureClock::default(),
            ip: Ip::new(),
            udp: Udp::new(),
            sink: Sink::default(),
            datagrams: 0,
        }
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        let Self {
            cx,
            clock,
            ip,
            udp,
            sink,
            datagrams,
        } = self;
        cx.now = clock.observe(packet.time);
        link::receive(packet, cx, |cx, frame| {
            let mut out = |cx: &mut Context, datagram: &Datagram<'_>, _: &[Fragment]| {
                *datagrams += 1;
                assert!(datagram.payload.len() <= datagram.payload_len);
                if datagram.protocol == IpNumber::UDP.0 {
                    udp.receive(cx, datagram, sink);
                }
            };
            ip.each(cx, frame, &mut out);
        });
        ip.expire(cx);
    }

    fn add_up(&self, name: &str) {
        let c = &self.cx.counters;
        let held = self.ip.held();
        assert_eq!(
            c.link.packets,
            c.link.passed + c.dropped_in("link"),
            "{name}: link"
        );
        assert_eq!(
            c.ipv4.packets,
            c.ipv4.passed + c.ipv4.reassembled_fragments + c.dropped_in("ipv4") + held.ipv4,
            "{name}: ipv4"
        );
        assert_eq!(
            c.ipv6.packets,
            c.ipv6.passed + c.ipv6.reassembled_fragments + c.dropped_in("ipv6") + held.ipv6,
            "{name}: ipv6"
        );
        assert_eq!(
            c.udp.datagrams,
            c.udp.messages + c.dropped_in("udp"),
            "{name}: udp"
        );
        assert_eq!(
            c.tunnel.packets,
            c.tunnel.passed + c.dropped_in("tunnel"),
            "{name}: tunnel"
        );
        // What the IP stage handed on went into a tunnel or out.
        assert_eq!(
            c.ipv4.passed + c.ipv4.reassembled + c.ipv6.passed + c.ipv6.reassembled,
            c.tunnel.packets + self.datagrams,
            "{name}: datagrams"
        );
        assert_eq!(c.udp.messages, self.sink.0, "{name}: messages");
    }
}

/// The packets of a classic pcap file; false where it is none.
fn each_packet(octets: &[u8], mut f: impl FnMut(&Packet<'_>)) -> bool {
    let Ok((mut rest, header)) = pcap_parser::parse_pcap_header(octets) else {
        return false;
    };
    let link_type = u16::try_from(header.network.0 & 0xffff).unwrap();
    let parse = if header.is_bigendian() {
        pcap_parser::parse_pcap_frame_be
    } else {
        pcap_parser::parse_pcap_frame
    };
    let unit = if header.is_nanosecond_precision() {
        1
    } else {
        1000
    };
    let mut frame = 0;
    while let Ok((next, record)) = parse(rest) {
        rest = next;
        frame += 1;
        f(&Packet {
            frame,
            time: Timestamp::from_nanos(
                u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * unit,
            ),
            interface: 0,
            link_type: LinkType(link_type),
            data: record.data,
            orig_len: record.origlen,
            fcs_len: None,
            flags: 0,
        });
    }
    true
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn counters_add_up_over_every_capture() {
    let all = shared_captures();
    if all.is_empty() {
        return;
    }
    let mut captures = 0;
    for path in all {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let octets = std::fs::read(&path).unwrap();
        for decapsulate in [Tunnels::NONE, Tunnels::ALL] {
            let mut stages = Stages::new(Limits {
                decapsulate,
                ..Limits::default()
            });
            let is_capture = each_packet(&octets, |packet| {
                stages.packet(packet);
                stages.add_up(&name);
            });
            if !is_capture {
                continue;
            }
            captures += 1;
            stages.ip.flush(&mut stages.cx);
            stages.add_up(&name);
            assert_eq!(stages.ip.held(), Default::default(), "{name}");
            if std::env::var_os("SHOW_COUNTERS").is_some() {
                println!("{name}");
                stages.cx.counters.each(|section, counter, _, value| {
                    if value > 0 {
                        println!("    {section}.{counter} {value}");
                    }
                });
            }
        }
    }
    assert!(captures > 100, "{captures}");
}

/// Counts nothing.
struct Nothing;

impl MessageSink for Nothing {
    type State = ();

    fn start(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageStart<'_>) {}
    fn data(&mut self, _: &mut StreamContext<'_, ()>, _: &Piece<'_>) {}
    fn gap(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageGap) {}
    fn end(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageEnd) {}
    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}
}

/// What is allocated, at most, for tables that stay: those of connections, of datagrams and of UDP flows.
const TABLES: u64 = 2 << 20;

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn the_octets_of_tcp_add_up_over_every_capture() {
    let all = shared_captures();
    if all.is_empty() {
        return;
    }
    let (mut captures, mut octets_seen) = (0, 0);
    for path in all {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut inputs = inet_asm::capture::Inputs::new([path.clone().into()]);
        let mut engine = Assembler::new(Limits::default(), Nothing);
        let mut good = true;
        loop {
            match inputs.next() {
                Ok(Some(packet)) => engine.packet(&packet),
                Ok(None) => match inputs.fill() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => good = false,
                },
                Err(_) => good = false,
            }
            if !good {
                break;
            }
        }
        engine.flush();
        let c = engine.counters();
        let t = &c.tcp;
        captures += u64::from(good);
        octets_seen += t.octets;
        assert_eq!(
            t.octets,
            t.accepted_octets + t.duplicate_octets + t.refused_octets,
            "{name}: octets taken in"
        );
        assert_eq!(
            t.accepted_octets,
            t.delivered_octets + t.abandoned_octets,
            "{name}: octets accepted"
        );
        let closed = t.closed_fin + t.closed_reset + t.closed_idle + t.closed_unconfirmed;
        assert_eq!(
            t.connections,
            closed + t.closed_evicted + t.closed_replaced + t.closed_end,
            "{name}: connections"
        );
        let flows = c.udp.flows_idle + c.udp.flows_evicted + c.udp.flows_end;
        assert_eq!(c.udp.flows, flows, "{name}: flows of UDP");
        assert_eq!(
            t.delivered_octets + c.sctp.message_octets + c.udp.message_octets,
            c.message.octets + c.message.unframed_octets,
            "{name}: octets of messages"
        );
        assert_eq!(
            c.message.messages,
            c.message.whole + c.message.incomplete,
            "{name}: messages"
        );
        assert!(
            c.buffer.waiting <= TABLES,
            "{name}: {} octets wait",
            c.buffer.waiting
        );
    }
    assert!(
        captures > 50 && octets_seen > 1 << 20,
        "{captures} captures, {octets_seen} octets"
    );
}
