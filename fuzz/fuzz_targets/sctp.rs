//! SCTP packets: any octets, in any order, at any time. Nothing panics, nothing claims what it does not have, and the
//! budget is given back.
#![no_main]

use inet_asm::base::context::Context;
use inet_asm::base::counters::Discard;
use inet_asm::base::limits::Limits;
use inet_asm::base::packet::Channel;
use inet_asm::base::place::OctetOffset;
use inet_asm::base::stream::Close;
use inet_asm::base::time::Instant;
use inet_asm::ip::Datagram;
use inet_asm::transport::sctp::{AssociationContext, Sctp, UserMessage, UserMessageSink};
use libfuzzer_sys::fuzz_target;

struct Check;

impl UserMessageSink for Check {
    type State = u64;

    fn user_message(&mut self, at: &mut AssociationContext<'_, u64>, m: &UserMessage<'_>) {
        *at.state += 1;
        if m.whole {
            assert_eq!(m.len, Some(m.data.len() as u64));
        }
    }

    fn end(&mut self, _: &mut AssociationContext<'_, u64>, _: Close) {}
}

// One packet: milliseconds since the last one, addresses and flags, length, then its octets. Flags: 1 the other way,
// 2 other addresses, 4 the checksum is put right, 8 the last octets were cut off.
fuzz_target!(|input: &[u8]| {
    let mut cx = Context::new(Limits {
        memory: 1 << 16,
        active_packets: 32,
        connections: 8,
        wait_ack: input.len() % 2 == 1,
        ..Limits::default()
    });
    let mut sctp = Sctp::<u64>::default();
    let mut rest = input;
    let mut now = 0u64;
    while let [wait, flags, len, tail @ ..] = rest {
        let (packet, tail) = tail.split_at(tail.len().min(usize::from(*len) * 2));
        rest = tail;
        now += u64::from(*wait) * 10_000_000;
        cx.now = Instant::from_nanos(now);
        cx.packet.frame += 1;
        let mut packet = packet.to_vec();
        if flags & 4 != 0 && packet.len() >= 12 {
            packet[8..12].fill(0);
        }
        let own = [10, 0, 0, 1 + (flags & 2)];
        let peer = [10, 0, 0, 2 + (flags & 2)];
        let (src, dst) = if flags & 1 == 0 {
            (own, peer)
        } else {
            (peer, own)
        };
        let datagram = Datagram {
            src: src.into(),
            dst: dst.into(),
            protocol: 132,
            payload: &packet,
            offset: OctetOffset::Unknown,
            payload_len: packet.len() + usize::from(flags & 8),
            identification: 0,
            channel: Channel::default(),
            checksum_known_good: false,
            doubtful: false,
        };
        sctp.packet(&mut cx, &datagram, &mut Check);
        sctp.tick(&mut cx, &mut Check);
        while cx.budget.over() && sctp.free_memory(&mut cx, &mut Check) {}
        let c = &cx.counters.sctp;
        let late =
            cx.counters.dropped(Discard::SctpLate) + cx.counters.dropped(Discard::SctpBeforeStart);
        let out = c.delivered_chunks + c.duplicates + late + c.dropped_chunks;
        assert_eq!(c.data_chunks + c.i_data_chunks, out + c.waiting_chunks);
        let dropped = cx.counters.dropped_in("sctp");
        assert_eq!(c.packets, c.passed + c.held_packets + dropped);
    }
    sctp.flush(&mut cx, &mut Check);
    assert_eq!(cx.budget.used(), 0);
});
