//! Fragments of a few datagrams, in any order, overlapping, doubled, cut and on several channels, held against what the
//! rules say: an octet that comes out came in, at its place, and nothing is lost from the count.
//!
//! Input: per fragment six octets: identification and version, offset, flags and channel, length, flavour, time.
#![no_main]

use inet_asm::base::context::Context;
use inet_asm::base::limits::{Channels, Limits};
use inet_asm::base::packet::{Channel, LinkHeader};
use inet_asm::base::place::{Fragment, OctetOffset};
use inet_asm::base::time::Instant;
use inet_asm::ip::{Datagram, Ip};
use inet_asm::link::Frame;
use libfuzzer_sys::fuzz_target;

/// The octet at this offset, in one of four flavours.
fn octet(offset: usize, flavour: u8) -> u8 {
    u8::try_from(offset % 61).unwrap_or(0) << 2 | flavour
}

fn packet(v6: bool, id: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap_or(0);
    let mut p = Vec::new();
    if v6 {
        p.extend([0x60, 0, 0, 0]);
        p.extend((len + 8).to_be_bytes());
        p.extend([44, 64]);
        p.extend([0xfd; 32]);
        p.extend([17, 0]);
        p.extend((offset << 3 | u16::from(more)).to_be_bytes());
        p.extend([0, 0, 0, id]);
    } else {
        p.extend([0x45, 0]);
        p.extend((len + 20).to_be_bytes());
        p.extend([0, id]);
        p.extend((u16::from(more) << 13 | offset).to_be_bytes());
        p.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    }
    p.extend(payload);
    p
}

fuzz_target!(|input: &[u8]| {
    let Some(([choice], rest)) = input.split_first_chunk::<1>() else {
        return;
    };
    let mut cx = Context::new(Limits {
        channels: [Channels::Merge, Channels::First, Channels::Separate][usize::from(choice % 3)],
        store_fragments: choice & 4 != 0,
        active_packets: usize::from(choice >> 3) + 1,
        ..Limits::default()
    });
    let mut ip = Ip::new();
    let mut now = 0;
    for [a, b, c, d, e, ms] in rest.as_chunks::<6>().0 {
        now += u64::from(*ms) * 10_000_000;
        cx.now = Instant::from_nanos(now);
        cx.packet.frame += 1;
        let offset = u16::from(b & 31);
        let len = usize::from(d & 63);
        let payload: Vec<u8> = (0..len)
            .map(|i| octet(usize::from(offset) * 8 + i, e & 3))
            .collect();
        let more = c & 1 != 0;
        if offset == 0 && !more {
            continue;
        }
        let p = packet(a & 1 != 0, a >> 1 & 3, offset, more, &payload);
        let cut = usize::from(e >> 2 & 7) * usize::from(e >> 7);
        let keep = p.len() - cut.min(len);
        let frame = Frame {
            header: LinkHeader::default(),
            channel: Channel {
                vlans: [u16::from(c >> 1 & 3), 0],
                tunnel: 0,
            },
            ip: &p[..keep],
            offset: OctetOffset::Unknown,
            missing: p.len() - keep,
            pseudo: None,
            checksum_known_good: false,
            doubtful: false,
            aggregate: false,
        };
        let mut each = |_: &mut Context, d: &Datagram<'_>, fragments: &[Fragment]| {
            for (i, o) in d.payload.iter().enumerate() {
                assert_eq!(o >> 2, octet(i, 0) >> 2);
            }
            // What was sent, by its own account, covers the payload.
            let mut parts: Vec<(u32, u32)> = fragments
                .iter()
                .map(|f| (f.offset, f.offset + f.len))
                .collect();
            parts.sort_unstable();
            let end = parts
                .into_iter()
                .fold(0, |end, p| if p.0 <= end { end.max(p.1) } else { end });
            assert_eq!(usize::try_from(end).unwrap_or(0), d.payload_len);
        };
        ip.each(&mut cx, &frame, &mut each);
        ip.expire(&mut cx);
        let (c, held) = (&cx.counters, ip.held());
        assert_eq!(
            c.ipv4.packets + c.ipv6.packets,
            c.ipv4.reassembled_fragments
                + c.ipv6.reassembled_fragments
                + c.dropped_in("ipv4")
                + c.dropped_in("ipv6")
                + held.ipv4
                + held.ipv6
        );
    }
    ip.flush(&mut cx);
    assert_eq!(ip.held(), Default::default());
});
