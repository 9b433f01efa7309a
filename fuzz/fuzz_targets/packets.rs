//! Any octets as packets of any link type, through link, IP with all tunnels, and UDP.
//!
//! Input: records of link type (2 octets), captured length (2), octets cut off (1), milliseconds since the last (1), data.
#![no_main]

use inet_asm::base::context::Context;
use inet_asm::base::limits::{Channels, Checksums, Limits, Tunnels};
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::place::Fragment;
use inet_asm::base::time::{CaptureClock, Timestamp};
use inet_asm::ip::{Datagram, Ip};
use inet_asm::link;
use inet_asm::transport::udp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([choice], mut rest)) = input.split_first_chunk::<1>() else {
        return;
    };
    let mut cx = Context::new(Limits {
        decapsulate: Tunnels::ALL,
        channels: [Channels::Merge, Channels::First, Channels::Separate][usize::from(choice % 3)],
        ip_checksums: if choice & 4 == 0 {
            Checksums::Auto
        } else {
            Checksums::Verify
        },
        store_fragments: choice & 8 != 0,
        active_packets: 20,
        ..Limits::default()
    });
    let mut ip = Ip::new();
    let mut clock = CaptureClock::default();
    let mut time = 0;
    let mut frame = 0;
    let mut out = 0;
    while let Some(([t0, t1, l0, l1, cut, ms], next)) = rest.split_first_chunk::<6>() {
        let len = usize::from(u16::from_le_bytes([*l0, *l1])).min(next.len());
        let (data, next) = next.split_at(len);
        rest = next;
        frame += 1;
        time += u64::from(*ms) * 1_000_000;
        cx.now = clock.observe(Timestamp::from_nanos(time));
        let packet = Packet {
            frame,
            time: Timestamp::from_nanos(time),
            interface: 0,
            link_type: LinkType(u16::from_le_bytes([*t0, *t1])),
            data,
            orig_len: u32::try_from(len).unwrap_or(u32::MAX) + u32::from(*cut),
            fcs_len: Some(cut & 4),
            flags: 0,
        };
        link::receive(&packet, &mut cx, |cx, frame| {
            let mut each = |_: &mut Context, datagram: &Datagram<'_>, _: &[Fragment]| {
                assert!(datagram.payload.len() <= datagram.payload_len);
                if let Ok(udp) = udp::parse(datagram) {
                    assert!(udp.payload.len() <= udp.payload_len());
                }
                out += 1;
            };
            ip.each(cx, frame, &mut each);
        });
        ip.expire(&mut cx);
        ip.each_late(&mut cx, &mut |_, _, _| {});
        let (c, held) = (&cx.counters, ip.held());
        assert!(held.ipv4 + held.ipv6 <= 20);
        assert_eq!(c.link.packets, c.link.passed + c.dropped_in("link"));
        assert_eq!(
            c.ipv4.packets,
            c.ipv4.passed + c.ipv4.reassembled_fragments + c.dropped_in("ipv4") + held.ipv4
        );
        assert_eq!(
            c.ipv6.packets,
            c.ipv6.passed + c.ipv6.reassembled_fragments + c.dropped_in("ipv6") + held.ipv6
        );
        assert_eq!(c.tunnel.packets, c.tunnel.passed + c.dropped_in("tunnel"));
    }
    while ip.held() != Default::default() {
        ip.flush(&mut cx);
        ip.each_late(&mut cx, &mut |_, _, _| {});
    }
    assert_eq!(ip.held(), Default::default());
});
