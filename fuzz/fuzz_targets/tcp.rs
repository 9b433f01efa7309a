//! TCP segments in any order, with overlap, duplicates, gaps, FIN and RST. First against a plain model of one stream, whose
//! octets must come out exactly; then several connections with limits that are met all the time, where every octet that
//! comes out must stand at its number and every octet that came in is counted once.
//!
//! Input: choices (2 octets), then five octets for each segment: place (2), length, kind, time or acknowledgment.
#![no_main]

use inet_asm::Assembler;
use inet_asm::base::flags;
use inet_asm::base::limits::{Limits, Overlap};
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::stream::{Chunk, Close, Gap};
use inet_asm::base::time::Timestamp;
use inet_asm::message::events::DatagramMessage;
use inet_asm::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use inet_asm::transport::StreamContext;
use inet_asm::transport::datagram::DatagramContext;
use inet_asm::transport::tcp::Segment;
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};

/// The octet with this number; its case is what copies may differ in.
fn octet(seq: u32, differs: bool) -> u8 {
    let letter = u8::try_from(seq.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0) % 26;
    letter + if differs { b'A' } else { b'a' }
}

/// What is kept with each connection: it holds the stage to its promises.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    next: [Option<u64>; 2],
    ended: [bool; 2],
    closed: bool,
}

/// Streams as they come out, gaps as None.
#[derive(Default)]
struct Streams {
    first: Vec<Option<u8>>,
    octets: u64,
}

impl Streams {
    fn expect(at: &mut StreamContext<'_, Seen>, offset: u64, next: u64) {
        let i = at.direction.index();
        assert!(
            !at.state.ended[i] && !at.state.closed,
            "nothing follows an end"
        );
        let expected = at.state.next[i].replace(next).unwrap_or(at.sides[i].origin);
        assert_eq!(expected, offset, "octets follow each other");
    }

    /// The first connection's client.
    fn is_first(at: &StreamContext<'_, Seen>) -> bool {
        at.flow.number == 0 && at.flow.dst(at.direction).port() == 9
    }
}

impl MessageSink for Streams {
    type State = Seen;

    fn start(&mut self, _: &mut StreamContext<'_, Seen>, _: &MessageStart<'_>) {}
    fn data(&mut self, _: &mut StreamContext<'_, Seen>, _: &Piece<'_>) {}
    fn gap(&mut self, _: &mut StreamContext<'_, Seen>, _: &MessageGap) {}
    fn end(&mut self, _: &mut StreamContext<'_, Seen>, _: &MessageEnd) {}
    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}

    fn stream_data(&mut self, at: &mut StreamContext<'_, Seen>, chunk: &Chunk<'_>) {
        let end = chunk.offset + chunk.data.len() as u64;
        Self::expect(at, chunk.offset, end);
        let seq = at
            .side()
            .seq(chunk.offset)
            .expect("a side with octets has numbers");
        for (n, found) in (0..).zip(chunk.data) {
            let number = seq.add(n).0;
            assert_eq!(
                found.to_ascii_lowercase(),
                octet(number, false),
                "at its number"
            );
        }
        self.octets += chunk.data.len() as u64;
        if Self::is_first(at) {
            self.first.extend(chunk.data.iter().copied().map(Some));
        }
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, Seen>, gap: &Gap) {
        assert_ne!(gap.len, Some(0));
        let len = gap.len.unwrap_or(0);
        Self::expect(at, gap.offset, gap.offset + len);
        if Self::is_first(at) {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            self.first
                .extend(std::iter::repeat_n(None, len.min(1 << 20)));
        }
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, Seen>, _: Close) {
        let i = at.direction.index();
        assert!(!at.state.ended[i], "one end for each stream");
        at.state.ended[i] = true;
    }

    fn closed(&mut self, at: &mut StreamContext<'_, Seen>, _: Close) {
        assert!(at.state.ended == [true; 2] && !at.state.closed);
        at.state.closed = true;
    }
}

/// A stream's octets by plain rules: of two copies one stays, and what stands in front is delivered at once.
struct Model {
    cells: Vec<Option<u8>>,
    rule: Overlap,
    next: usize,
    high: usize,
    fin: usize,
}

impl Model {
    fn take(&mut self, at: usize, data: &[u8]) {
        let keep = data.len().min(self.fin.saturating_sub(at));
        let (data, cut) = (&data[..keep], keep < data.len());
        let end = at + data.len();
        // One octet before the highest is a keep-alive.
        if data.is_empty() || (!cut && data.len() == 1 && end == self.high) {
            return;
        }
        self.high = self.high.max(end);
        for (cell, octet) in self.cells[at..].iter_mut().zip(data) {
            if cell.is_none() || self.rule == Overlap::Last {
                *cell = Some(*octet);
            }
        }
        // What is delivered stays as it is.
        self.deliver();
    }

    fn deliver(&mut self) {
        while self.cells.get(self.next).is_some_and(Option::is_some) {
            self.next += 1;
        }
    }
}

/// One segment of one of four connections to port 9.
#[allow(clippy::too_many_arguments)]
fn send(
    assembler: &mut Assembler<Streams>,
    frame: u64,
    ms: u64,
    (port, forward): (u16, bool),
    seq: u32,
    ack: Option<u32>,
    bits: u8,
    (data, cut): (&[u8], u32),
) {
    let (client, server) = (
        ([10, 0, 0, 1].into(), 1000 + port),
        ([10, 0, 0, 2].into(), 9),
    );
    let (src, dst) = if forward {
        (client, server)
    } else {
        (server, client)
    };
    let segment = Segment {
        src,
        dst,
        seq: SeqNumber(seq),
        ack: ack.map(SeqNumber),
        flags: bits | if ack.is_some() { flags::ACK } else { 0 },
        window: u16::MAX,
        window_scale: None,
        payload_sum: None,
        offset: OctetOffset::Unknown,
        payload: data,
        payload_len: u32::try_from(data.len()).unwrap_or(0) + cut,
    };
    assembler.segment(frame, Timestamp::from_nanos(ms * 1_000_000), &segment);
}

fn octets(seq: u32, len: u32, differs: bool) -> Vec<u8> {
    (0..len)
        .map(|n| octet(seq.wrapping_add(n), differs))
        .collect()
}

/// All that was counted adds up.
fn adds_up(assembler: &mut Assembler<Streams>, finished: bool) {
    let delivered = assembler.sink().octets;
    let c = &assembler.counters().tcp;
    let judged = c.accepted_octets + c.duplicate_octets + c.refused_octets;
    let done = c.delivered_octets + c.abandoned_octets;
    assert!(judged <= c.octets && done <= c.accepted_octets);
    let gaps = c.gaps_acked + c.gaps_closed + c.gaps_timeout + c.gaps_buffer + c.gaps_holes;
    assert_eq!(
        c.gaps,
        gaps + c.gaps_memory + c.gaps_end + c.gaps_snapped + c.gaps_jump
    );
    assert_eq!(c.delivered_octets, delivered);
    if finished {
        assert_eq!(c.octets, judged, "octets taken in");
        assert_eq!(c.accepted_octets, done, "octets accepted");
        let closed = c.closed_fin + c.closed_reset + c.closed_idle + c.closed_evicted;
        let other = c.closed_replaced + c.closed_end + c.closed_unconfirmed;
        assert_eq!(c.connections, closed + other);
    }
}

/// Octets of the stream in the first part, at most.
const PLACES: usize = 256 + 64;

fn one_stream(base: u32, rule: Overlap, segments: &[[u8; 5]]) {
    let limits = Limits {
        overlap: rule,
        tcp_holes: 1 << 20,
        ..Limits::default()
    };
    let mut assembler = Assembler::new(limits, Streams::default());
    let mut model = Model {
        cells: vec![None; PLACES],
        rule,
        next: 0,
        high: 0,
        fin: usize::MAX,
    };
    let syn = base.wrapping_sub(1);
    send(
        &mut assembler,
        1,
        0,
        (0, true),
        syn,
        None,
        flags::SYN,
        (b"", 0),
    );
    let mut frame = 1;
    for [_, place, len, kind, _] in segments {
        frame += 1;
        let at = usize::from(*place);
        let seq = base.wrapping_add(u32::from(*place));
        let data = octets(seq, u32::from(len % 64), kind & 1 != 0);
        let fin = kind >> 4 == 15 && model.fin == usize::MAX;
        if fin && at >= model.next {
            model.fin = at;
            model.cells[at..].fill(None);
            send(
                &mut assembler,
                frame,
                0,
                (0, true),
                seq,
                None,
                flags::FIN,
                (b"", 0),
            );
            continue;
        }
        if at > model.fin.saturating_add(1) {
            // Above the FIN the octets are another connection's.
            continue;
        }
        let before = model.cells[..model.next].to_vec();
        model.take(at, &data);
        model.cells[..before.len()].copy_from_slice(&before);
        send(
            &mut assembler,
            frame,
            0,
            (0, true),
            seq,
            None,
            0,
            (&data, 0),
        );
        // Behind the end of a stream a segment is another connection's.
        if model.fin <= model.next {
            break;
        }
    }
    assembler.flush();
    adds_up(&mut assembler, true);
    let last = model.cells.iter().rposition(Option::is_some);
    let end = match model.fin {
        usize::MAX => last.map_or(0, |last| last + 1),
        fin => fin,
    };
    let text =
        |s: &[Option<u8>]| -> String { s.iter().map(|o| o.map_or('_', char::from)).collect() };
    assert_eq!(text(&assembler.sink().first), text(&model.cells[..end]));
}

fn many_streams(base: u32, choice: u8, segments: &[[u8; 5]]) {
    let tight = choice & 1 != 0;
    let mut limits = Limits {
        wait_ack: choice & 2 != 0,
        overlap: if choice & 4 == 0 {
            Overlap::First
        } else {
            Overlap::Last
        },
        max_gap: if choice & 8 == 0 { 16 << 20 } else { 1000 },
        ..Limits::default()
    };
    if tight {
        limits.tcp_buffer = 2000;
        limits.tcp_holes = 3;
        limits.active_packets = 9;
        limits.connections = 3;
        limits.memory = 1 << 16;
    }
    let mut assembler = Assembler::new(limits, Streams::default());
    let mut ms = 0;
    for (frame, [high, place, len, kind, wait]) in (1..).zip(segments) {
        ms += u64::from(wait & 63) * if wait & 64 == 0 { 1 } else { 100 };
        let (port, forward) = (u16::from(high & 3), high & 4 == 0);
        let step = u32::from(high >> 4) << 8 | u32::from(*place);
        let own = if forward { base } else { !base };
        let far = if kind >> 4 == 14 { 1 << 30 } else { 0 };
        let seq = own.wrapping_add(step).wrapping_add(far);
        let other = if forward { !base } else { base };
        let ack = (kind & 2 != 0).then(|| other.wrapping_add(u32::from(*place) * 7));
        let bits = match kind >> 4 {
            0 => flags::SYN,
            1 => flags::FIN,
            2 => flags::RST,
            3 => flags::SYN | flags::RST | flags::FIN,
            _ => flags::PSH,
        };
        // The octets of a segment with SYN begin behind it.
        let first = seq.wrapping_add(u32::from(bits & flags::SYN != 0));
        let data = octets(first, u32::from(*len), kind & 1 != 0);
        let cut = if kind & 12 == 12 { 5 } else { 0 };
        send(
            &mut assembler,
            frame,
            ms,
            (port, forward),
            seq,
            ack,
            bits,
            (&data, cut),
        );
        adds_up(&mut assembler, false);
    }
    assembler.flush();
    adds_up(&mut assembler, true);
    // The table itself stays.
    let kept = assembler.counters().buffer.waiting;
    assert!(kept < 1 << 16, "{kept} octets are still booked");
}

fuzz_target!(|input: &[u8]| {
    let Some(([wrap, choice], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let segments = rest.as_chunks::<5>().0;
    let base = 0_u32.wrapping_sub(u32::from(*wrap) * 2);
    if choice & 128 == 0 {
        let rule = if choice & 4 == 0 {
            Overlap::First
        } else {
            Overlap::Last
        };
        one_stream(base, rule, segments);
    } else {
        many_streams(base, *choice, segments);
    }
});
