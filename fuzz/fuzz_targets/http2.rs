//! Frames of HTTP/2, header blocks above all, in both directions of a connection, some of them lost. Messages of one direction of a
//! stream do not overlap, a whole one lacks nothing, all streams end, and what is kept stays small and is given back.
//!
//! Input: four octets for each frame: kind and flags, stream, length, what becomes of it; then so many octets.
#![no_main]

use inet_asm::Assembler;
use inet_asm::base::flags;
use inet_asm::base::limits::Limits;
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::time::Timestamp;
use inet_asm::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use inet_asm::transport::StreamContext;
use inet_asm::transport::tcp::Segment;
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};

/// What is kept with a stream.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// Each direction: offset of what may be told next, and whether something is missing.
    open: [Option<bool>; 2],
    next: [u64; 2],
    counted: bool,
}

#[derive(Default)]
struct Check {
    streams: u64,
}

type At<'a> = StreamContext<'a, Seen>;

impl MessageSink for Check {
    type State = Seen;

    fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        if start.carried.is_none() {
            return;
        }
        self.streams += u64::from(!std::mem::replace(&mut at.state.counted, true));
        let i = at.direction.index();
        assert!(at.state.open[i].replace(false).is_none());
        assert_eq!(at.state.next[i], start.offset);
    }

    fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        let i = at.direction.index();
        if at.state.counted {
            assert!(at.state.open[i].is_some() && !piece.data.is_empty());
            assert_eq!(at.state.next[i], piece.offset);
            at.state.next[i] += piece.data.len() as u64;
        }
    }

    fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        let i = at.direction.index();
        if at.state.counted {
            *at.state.open[i].as_mut().expect("open") |= gap.len > 0;
            at.state.next[i] += gap.len;
        }
    }

    fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        if at.state.counted {
            let missing = at.state.open[at.direction.index()].take();
            assert!(!missing.expect("open") || !end.whole);
        }
    }

    fn carried_end(&mut self, at: &mut At<'_>) {
        assert_eq!(at.state.open, [None; 2]);
        self.streams -= u64::from(at.state.counted);
    }
}

fuzz_target!(|input: &[u8]| {
    let limits = Limits {
        header: 4096,
        carried_streams: 8,
        ..Limits::default()
    };
    let mut engine = Assembler::new(limits, Check::default());
    let mut next = [100_u32, 900];
    let mut number = 0;
    let mut send = |engine: &mut Assembler<Check>, i: usize, flags: u8, data: &[u8], lost: bool| {
        number += 1;
        let (from, to) = (i, 1 - i);
        let ends = [([10, 0, 0, 1].into(), 40_000), ([10, 0, 0, 2].into(), 40_001)];
        let segment = Segment {
            src: ends[from],
            dst: ends[to],
            seq: SeqNumber(next[from]),
            ack: Some(SeqNumber(next[to])),
            flags,
            window: 0xffff,
            window_scale: None,
            payload_sum: None,
            payload: data,
            offset: OctetOffset::Unknown,
            payload_len: u32::try_from(data.len()).unwrap_or(0),
        };
        if !lost {
            engine.segment(number, Timestamp::from_nanos(number * 1_000_000), &segment);
        }
        let len = u32::try_from(data.len()).unwrap_or(0);
        next[from] = next[from].wrapping_add(len + u32::from(flags & (flags::SYN | flags::FIN) != 0));
    };
    send(&mut engine, 0, flags::SYN, b"", false);
    send(&mut engine, 1, flags::SYN | flags::ACK, b"", false);
    send(&mut engine, 0, flags::ACK, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false);
    let mut rest = input;
    while let [kind, stream, len, fate, tail @ ..] = rest {
        let (data, behind) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = behind;
        let [.., a, b, c] = data.len().to_be_bytes();
        let flags_of = [0, 1, 4, 5, 8, 0x2c, 0x25, 0x0d][usize::from(kind >> 4) & 7];
        let header = [a, b, c, kind & 15, flags_of, 0, 0, 0, stream & 31];
        let frame = [&header[..], data].concat();
        // A part of it is lost, all of it, or nothing.
        let cut = usize::from(*fate) % (frame.len() + 1);
        let (one, two) = frame.split_at(cut);
        let i = usize::from(kind >> 7);
        send(&mut engine, i, flags::ACK | flags::PSH, one, fate & 0xc0 == 0x40);
        send(&mut engine, i, flags::ACK | flags::PSH, two, fate & 0xc0 == 0x80);
        assert!(engine.budget().used() < 4 << 20);
    }
    send(&mut engine, 0, flags::ACK | flags::FIN, b"", false);
    send(&mut engine, 1, flags::ACK | flags::FIN, b"", false);
    engine.flush();
    assert_eq!(engine.sink().streams, 0, "all streams end");
    assert_eq!(engine.budget().used(), 0);
});
