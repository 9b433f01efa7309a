//! Data, gaps and ends in both directions of a connection, given to the extractor itself. Every octet that it took is one of
//! a message or counted as one of none; messages do not overlap, have one start and one end, and are whole only without a
//! gap; what it holds is given back.
//!
//! Input: port, choices, then pieces: kind, length, and for data so many octets.
#![no_main]

use inet_asm::base::context::Context;
use inet_asm::base::flow::{Direction, Flow, FlowKey, Transport};
use inet_asm::base::limits::Limits;
use inet_asm::base::message::Extent;
use inet_asm::base::packet::{Channel, LinkHeader};
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::stream::{Chunk, Close, Gap, GapCause, ORIGIN, Side};
use inet_asm::base::time::{Instant, Timestamp};
use inet_asm::message::events::DatagramMessage;
use inet_asm::message::extract::Conversation;
use inet_asm::message::{Extractor, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use inet_asm::transport::datagram::DatagramContext;
use inet_asm::transport::{StreamContext, StreamSink, Taken};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Ports that protocols are known by, and one that none is.
const PORTS: [u16; 16] = [
    50_001, 80, 443, 25, 21, 110, 143, 53, 179, 554, 5060, 6379, 5432, 502, 3868, 445,
];

/// What is told of one direction.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    /// The open message: offset of its first octet, how long it says it is, octets are missing.
    open: Option<(u64, Option<u64>, bool)>,
    /// Offset of what may be told next.
    next: u64,
    ended: bool,
}

/// Of a connection, or, with the second set, of a stream that one carries.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Both([Told; 2], bool);

#[derive(Default)]
struct Check {
    /// Octets of both streams from their origin on; gaps have zeros.
    sent: [Vec<u8>; 2],
    messages: u64,
    octets: u64,
    lost: u64,
    whole: u64,
    stream_octets: u64,
}

type At<'a> = StreamContext<'a, Both>;

impl Check {
    fn told<'a>(at: &'a mut At<'_>) -> &'a mut Told {
        let i = at.direction.index();
        assert!(!at.state.0[i].ended, "nothing follows an end");
        &mut at.state.0[i]
    }

    fn same(&self, at: &At<'_>, offset: u64, data: &[u8]) {
        let from = usize::try_from(offset - ORIGIN).unwrap_or(usize::MAX);
        let sent = &self.sent[at.direction.index()];
        assert_eq!(sent.get(from..from + data.len()), Some(data));
    }
}

impl MessageSink for Check {
    type State = Both;

    fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        at.state.1 = start.carried.is_some();
        self.messages += u64::from(!at.state.1);
        let told = Self::told(at);
        assert!(told.open.is_none(), "one message at a time");
        assert!(start.offset >= told.next, "messages do not overlap");
        let len = match start.extent {
            Extent::Known(len) => Some(len),
            _ => None,
        };
        told.open = Some((start.offset, len, false));
        told.next = start.offset;
    }

    fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        assert!(!piece.data.is_empty());
        if !at.state.1 {
            self.octets += piece.data.len() as u64;
            self.same(at, piece.offset, piece.data);
        }
        let told = Self::told(at);
        assert!(told.open.is_some(), "octets belong to an open message");
        assert_eq!(told.next, piece.offset);
        told.next += piece.data.len() as u64;
    }

    fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        let carried = at.state.1;
        if !carried {
            self.lost += gap.len;
            assert_ne!(gap.len, 0);
        }
        let told = Self::told(at);
        let (_, _, missing) = told
            .open
            .as_mut()
            .expect("a gap belongs to an open message");
        // Whether something is missing there the end tells.
        *missing |= gap.len > 0;
        assert_eq!(told.next, gap.offset);
        told.next += gap.len;
    }

    fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        self.whole += u64::from(end.whole && !at.state.1);
        let told = Self::told(at);
        let (start, len, missing) = told.open.take().expect("an open message ends");
        if end.whole {
            assert!(!missing, "whole only without a gap");
            assert_eq!(end.offset, told.next);
            assert!(len.is_none_or(|len| len == end.offset - start));
        }
        assert!(end.offset >= told.next && (end.extent_unknown || end.offset == told.next));
        told.next = end.offset;
    }

    fn takes_frame(&mut self, _: &mut At<'_>, _: &MessageStart<'_>) -> bool {
        true
    }

    fn frame_start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        assert!(start.carried.is_none());
        self.start(at, start);
    }

    fn frame_data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        self.data(at, piece);
    }

    fn frame_gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        self.gap(at, gap);
    }

    fn frame_end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        self.end(at, end);
    }

    fn carried_end(&mut self, at: &mut At<'_>) {
        let open = at.state.0.iter().any(|told| told.open.is_some());
        assert!(!open, "its messages have ended before");
    }

    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}

    fn stream_data(&mut self, at: &mut At<'_>, chunk: &Chunk<'_>) {
        self.same(at, chunk.offset, chunk.data);
        self.stream_octets += chunk.data.len() as u64;
    }

    fn stream_end(&mut self, at: &mut At<'_>, _: Close) {
        let told = Self::told(at);
        assert!(told.open.is_none(), "its message has ended before");
        told.ended = true;
    }
}

enum Event {
    /// Octets, with an acknowledgment, PSH and the end of the segment.
    Data(Vec<u8>, Option<u64>, bool),
    Gap(u64),
    End(Close),
}

/// What stands before the extractor: delivers as the transport does.
struct Transmit {
    cx: Context,
    flow: Flow,
    sides: [Side; 2],
    state: Conversation<Both>,
    wake: Option<Instant>,
    extractor: Extractor<Check>,
    /// What waits for the other direction, and up to where that must come.
    queues: [VecDeque<Event>; 2],
    blocked: [Option<u64>; 2],
    offered: u64,
}

impl Transmit {
    fn event(&mut self, d: Direction, event: Event) -> Option<Event> {
        let i = d.index();
        let offset = self.sides[i].delivered;
        let sides = self.sides;
        let mut at = StreamContext {
            cx: &mut self.cx,
            flow: &self.flow,
            sides: &sides,
            direction: d,
            opened: Instant::default(),
            wake: &mut self.wake,
            state: &mut self.state,
        };
        match event {
            Event::Data(data, ack, push) => {
                let chunk = Chunk {
                    offset,
                    data: &data,
                    time: Timestamp::from_nanos(1),
                    frame: at.cx.packet.frame,
                    interface: 0,
                    at: OctetOffset::Unknown,
                    ack,
                    push: push && data.len() % 7 != 0,
                    cut: data.len() % 7 == 0,
                    ends_segment: push,
                    sum: None,
                    acknowledged: None,
                };
                let taken = match self.extractor.data(&mut at, chunk) {
                    Taken::All => data.len(),
                    Taken::Wait { taken, until } => {
                        let other = &sides[d.flip().index()];
                        let has = other.delivered >= until || other.ended || other.absent;
                        assert!(!has, "waits for what it has");
                        self.blocked[i] = Some(until);
                        taken
                    }
                };
                self.sides[i].delivered += taken as u64;
                self.offered += taken as u64;
                (taken < data.len()).then(|| Event::Data(data[taken..].to_vec(), ack, push))
            }
            Event::Gap(len) => {
                let gap = Gap {
                    offset,
                    len: Some(len),
                    cause: GapCause::Acked,
                    push: len % 2 == 0,
                };
                self.extractor.gap(&mut at, gap);
                self.sides[i].delivered += len;
                None
            }
            Event::End(close) => {
                self.sides[i].ended = true;
                self.extractor.end(&mut at, close);
                None
            }
        }
    }

    /// Delivers what waits for nothing.
    fn pump(&mut self) {
        loop {
            let ready = |d: &Direction| {
                let other = &self.sides[d.flip().index()];
                let free = self.blocked[d.index()]
                    .is_none_or(|until| other.delivered >= until || other.ended || other.absent);
                free && !self.queues[d.index()].is_empty()
            };
            let both = [Direction::Forward, Direction::Reverse];
            let Some(d) = both.into_iter().find(ready) else {
                return;
            };
            let i = d.index();
            self.blocked[i] = None;
            if let Some(event) = self.queues[i].pop_front()
                && let Some(left) = self.event(d, event)
            {
                self.queues[i].push_front(left);
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(([port, choice], mut rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let client = ([10, 0, 0, 1].into(), 50_000);
    let server = ([10, 0, 0, 2].into(), PORTS[usize::from(port % 16)]);
    let (key, forward_is_low) = FlowKey::new(client, server, Channel::default());
    let side = |from_start: bool| Side {
        seen: true,
        from_start,
        base: Some(SeqNumber(7)),
        origin: ORIGIN,
        delivered: ORIGIN,
        ..Side::default()
    };
    let header = if choice & 8 == 0 { 256 << 10 } else { 64 };
    let mut t = Transmit {
        cx: Context::new(Limits {
            header,
            ..Limits::default()
        }),
        flow: Flow {
            transport: Transport::Tcp,
            number: 0,
            key,
            forward_is_low,
            reused: false,
            decrypted: None,
            links: [LinkHeader::default(); 2],
        },
        sides: [side(choice & 1 == 0), side(choice & 2 == 0)],
        state: Conversation::default(),
        wake: None,
        extractor: Extractor::new(Check::default()),
        queues: Default::default(),
        blocked: [None; 2],
        offered: 0,
    };
    let mut open = [true; 2];
    while let [kind, len, tail @ ..] = rest {
        rest = tail;
        t.cx.packet.frame += 1;
        let d = if kind & 1 == 0 {
            Direction::Forward
        } else {
            Direction::Reverse
        };
        let (i, o) = (d.index(), d.flip().index());
        if !open[i] {
            continue;
        }
        let sent = &mut t.extractor.sink.sent;
        let event = match kind >> 4 {
            15 => Event::Gap(u64::from(*len) + 1),
            14 => Event::Gap(u64::from(*len) * 256 + 1),
            13 => Event::End(if *len < 128 { Close::Fin } else { Close::Reset }),
            _ => {
                let n = if kind & 8 == 0 {
                    usize::from(*len)
                } else {
                    usize::from(*len) * 16
                };
                let (data, tail) = rest.split_at(n.min(rest.len()));
                rest = tail;
                if data.is_empty() {
                    continue;
                }
                let ack = (kind & 4 == 0).then(|| ORIGIN + sent[o].len() as u64);
                Event::Data(data.to_vec(), ack, kind & 2 == 0)
            }
        };
        match &event {
            Event::Data(data, ..) => sent[i].extend(data),
            Event::Gap(len) => {
                let end = sent[i].len() + usize::try_from(*len).unwrap_or(0);
                sent[i].resize(end, 0);
            }
            Event::End(_) => open[i] = false,
        }
        t.queues[i].push_back(event);
        t.pump();
    }
    for d in [Direction::Forward, Direction::Reverse] {
        if open[d.index()] {
            t.queues[d.index()].push_back(Event::End(Close::EndOfInput));
        }
    }
    t.pump();
    // Each waits for the other: the transport gives one of them up.
    for i in 0..2 {
        if !t.queues[i].is_empty() {
            t.sides[1 - i].absent = true;
            t.pump();
        }
    }
    assert!(
        t.queues.iter().all(VecDeque::is_empty),
        "nothing waits for ever"
    );
    let sides = t.sides;
    let mut at = StreamContext {
        cx: &mut t.cx,
        flow: &t.flow,
        sides: &sides,
        direction: Direction::Forward,
        opened: Instant::default(),
        wake: &mut t.wake,
        state: &mut t.state,
    };
    t.extractor.closed(&mut at, Close::EndOfInput);
    let (check, c) = (&t.extractor.sink, &t.cx.counters.message);
    assert_eq!(check.stream_octets, t.offered);
    assert_eq!(
        check.octets + c.unframed_octets,
        t.offered,
        "in a message or counted"
    );
    assert_eq!(
        (c.messages, c.octets, c.lost_octets),
        (check.messages, check.octets, check.lost)
    );
    assert_eq!(
        (c.whole, c.whole + c.incomplete),
        (check.whole, check.messages)
    );
    assert_eq!(t.cx.budget.used(), 0);
});
