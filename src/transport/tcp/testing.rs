//! Conversations in a small notation, and what the TCP stage makes of them.
//!
//! One line is one segment: milliseconds, direction, flags as tcpdump prints them, number, acknowledgment, data.
//!
//! ```text
//!  0 > S  100
//!  1 < S. 500 101
//!  2 > .  101 501 "abc"
//!  3 > P. 104 501 #1000         1000 octets, each of which tells its number
//!  4 > .  1104 501 "abc"+3      the snapshot length cut 3 octets off
//!  5 >2 S 100                   from another port
//!  6 > . 101 501 = "abc"        the checksum is right; with ! it is wrong, else not known
//!  7 > . 101 501 @7 "abc"       captured on VLAN 7; from 4096 on it is a tunnel
//!  9 tick                       another connection's packet moves the clock
//!  9 flush
//! ```
//!
//! What comes out is written the same way: `2 > 101 "abc"`, `3 > 104 gap 5 acked`, `4 > end fin`, `4 closed fin`; from the
//! second connection on with its number (`2 1> 101 "abc"`). Lines that begin with a letter are counters: `late 1`.
//! Numbers are relative to a base, so that each conversation can be moved over the wrap at 2^32.

use super::super::stream::{StreamContext, StreamSink, Taken};
use super::checksum::SegmentSum;
use super::{Segment, Tcp};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::limits::Limits;
use crate::base::packet::{PacketInfo, VlanTag};
use crate::base::place::OctetOffset;
use crate::base::serial::SeqNumber;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::{Chunk, Close, Gap, GapCause};
use crate::base::time::{Instant, Timestamp};
use std::net::IpAddr;

/// The first number of a channel that is a tunnel: VLAN identifiers have 12 bits.
const TUNNELS: u16 = 4096;
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 50_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);
/// Data that is longer is shown by its length when its octets are those of their numbers.
const SHOWN: usize = 32;

/// The octet that tells its number.
pub(super) fn octet(number: u32) -> u8 {
    b'a' + u8::try_from(number % 26).unwrap()
}

/// Octets that tell their numbers.
pub(super) fn octets(number: u32, len: usize) -> Vec<u8> {
    (0..u32::try_from(len).unwrap())
        .map(|i| octet(number.wrapping_add(i)))
        .collect()
}

/// A segment of the notation.
#[derive(Clone, Debug)]
pub(super) struct SegmentLine {
    pub(super) ms: u64,
    pub(super) forward: bool,
    pub(super) port: u16,
    pub(super) flags: u8,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) data: Vec<u8>,
    pub(super) cut: u32,
    pub(super) sum: SegmentSum,
    pub(super) channel: u16,
}

enum TestStep {
    Segment(SegmentLine),
    Tick(u64),
    Flush(u64),
}

fn parse(line: &str) -> TestStep {
    let (head, data) = line.split_once('"').unwrap_or((line, ""));
    let mut words = head.split_whitespace();
    let ms: u64 = words.next().unwrap().parse().unwrap();
    let word = words.next().unwrap();
    match word {
        "tick" => return TestStep::Tick(ms),
        "flush" => return TestStep::Flush(ms),
        _ => {}
    }
    let port = word[1..].parse().unwrap_or(0);
    let flags = words.next().unwrap().chars().fold(0, |all, c| {
        all | match c {
            'S' => flags::SYN,
            'F' => flags::FIN,
            'R' => flags::RST,
            'P' => flags::PSH,
            'U' => flags::URG,
            '.' => flags::ACK,
            _ => panic!("{line}: flag {c}"),
        }
    });
    let seq = words.next().unwrap().parse().unwrap();
    let (mut ack, mut sum, mut channel) = (None, SegmentSum::Unknown, 0);
    let (data, cut) = data.rsplit_once('"').unwrap_or((data, ""));
    let mut data = data.as_bytes().to_vec();
    for word in words {
        if let Some(len) = word.strip_prefix('#') {
            data = octets(
                seq + u32::from(flags & flags::SYN != 0),
                len.parse().unwrap(),
            );
        } else if let Some(id) = word.strip_prefix('@') {
            channel = id.parse().unwrap();
        } else if word == "=" {
            sum = SegmentSum::Right;
        } else if word == "!" {
            sum = SegmentSum::Wrong;
        } else {
            ack = Some(word.parse().unwrap());
        }
    }
    assert_eq!(ack.is_some(), flags & flags::ACK != 0, "{line}");
    TestStep::Segment(SegmentLine {
        ms,
        forward: word.starts_with('>'),
        port,
        flags,
        seq,
        ack,
        data,
        cut: cut.trim().trim_start_matches('+').parse().unwrap_or(0),
        sum,
        channel,
    })
}

/// What the sink keeps with a connection: it holds the stage to its promises.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SeenEvents {
    next: [Option<u64>; 2],
    ended: [bool; 2],
    closed: bool,
}

/// Writes down what it gets.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) events: Vec<String>,
    /// Octets that were delivered, by connection and direction, gaps as None.
    pub(super) streams: Vec<[Vec<Option<u8>>; 2]>,
    /// Every chunk waits until the other stream has come to what it acknowledges.
    pub(super) waits: bool,
    bases: [u32; 2],
}

impl Recorder {
    fn say(&mut self, at: &StreamContext<'_, SeenEvents>, what: &str) {
        let conn = match at.flow.number {
            0 => String::new(),
            n => n.to_string(),
        };
        let ms = at.cx.now.as_nanos() / 1_000_000;
        self.events.push(format!("{ms} {conn}{what}"));
    }

    /// The direction's sign, and the number of an octet.
    fn place(&self, at: &StreamContext<'_, SeenEvents>, offset: u64) -> (char, u32) {
        let server = at.flow.src(at.direction).port() == SERVER.1;
        // The side that never spoke has no numbers, and no octets either.
        let seq = at.side().seq(offset).unwrap_or_default().0;
        (
            if server { '<' } else { '>' },
            seq.wrapping_sub(self.bases[usize::from(server)]),
        )
    }

    fn stream(&mut self, at: &StreamContext<'_, SeenEvents>) -> &mut Vec<Option<u8>> {
        let n = usize::try_from(at.flow.number).unwrap();
        if self.streams.len() <= n {
            self.streams.resize_with(n + 1, Default::default);
        }
        &mut self.streams[n][at.direction.index()]
    }

    fn expect(at: &mut StreamContext<'_, SeenEvents>, offset: u64, next: u64) {
        let i = at.direction.index();
        assert!(
            !at.state.ended[i] && !at.state.closed,
            "nothing follows an end"
        );
        assert_eq!(at.side().delivered, offset, "delivered up to here");
        let expected = at.state.next[i].replace(next).unwrap_or(at.sides[i].origin);
        assert_eq!(expected, offset, "octets follow each other");
    }
}

impl StreamSink for Recorder {
    type State = SeenEvents;

    // So each connection is packed behind each packet.
    fn charged(&self, _: &SeenEvents) -> Option<usize> {
        Some(0)
    }

    fn data(&mut self, at: &mut StreamContext<'_, SeenEvents>, chunk: Chunk<'_>) -> Taken {
        assert!(!chunk.data.is_empty());
        if self.waits
            && let Some(until) = chunk.ack
            && !at.other().is_settled(until)
        {
            return Taken::Wait { taken: 0, until };
        }
        Self::expect(at, chunk.offset, chunk.offset + chunk.data.len() as u64);
        self.stream(at).extend(chunk.data.iter().copied().map(Some));
        let (sign, number) = self.place(at, chunk.offset);
        let shown = if chunk.data.len() > SHOWN && chunk.data == octets(number, chunk.data.len()) {
            format!("#{}", chunk.data.len())
        } else {
            format!("\"{}\"", chunk.data.escape_ascii())
        };
        self.say(at, &format!("{sign} {number} {shown}"));
        Taken::All
    }

    fn gap(&mut self, at: &mut StreamContext<'_, SeenEvents>, gap: Gap) {
        assert_ne!(gap.len, Some(0));
        Self::expect(at, gap.offset, gap.offset + gap.len.unwrap_or(0));
        let len = usize::try_from(gap.len.unwrap_or(0)).unwrap();
        self.stream(at).extend(std::iter::repeat_n(None, len));
        let (sign, number) = self.place(at, gap.offset);
        let what = match (gap.cause, gap.len) {
            (GapCause::Jump, None) => format!("{sign} {number} jump"),
            (cause, len) => {
                let cause = format!("{cause:?}").to_lowercase();
                format!("{sign} {number} gap {} {cause}", len.unwrap())
            }
        };
        self.say(at, &what);
    }

    fn end(&mut self, at: &mut StreamContext<'_, SeenEvents>, close: Close) {
        let i = at.direction.index();
        assert!(!at.state.ended[i], "one end for each stream");
        at.state.ended[i] = true;
        let (sign, _) = self.place(at, 0);
        self.say(
            at,
            &format!("{sign} end {}", format!("{close:?}").to_lowercase()),
        );
    }

    fn closed(&mut self, at: &mut StreamContext<'_, SeenEvents>, close: Close) {
        assert!(at.state.ended == [true; 2] && !at.state.closed);
        at.state.closed = true;
        let space = if at.flow.number == 0 { "" } else { " " };
        self.say(
            at,
            &format!("{space}closed {}", format!("{close:?}").to_lowercase()),
        );
    }
}

/// The stage with a sink that writes down, and a check of everything that adds up after every step.
pub(super) struct TestTcp {
    pub(super) cx: Context,
    pub(super) tcp: Tcp<SeenEvents>,
    pub(super) sink: Recorder,
    frame: u64,
}

impl TestTcp {
    /// Numbers of the notation are added to `bases`: the client's and the server's.
    pub(super) fn new(limits: Limits, bases: [u32; 2]) -> Self {
        Self {
            cx: Context::new(limits),
            tcp: Tcp::new(),
            sink: Recorder {
                bases,
                ..Recorder::default()
            },
            frame: 0,
        }
    }

    pub(super) fn clock(&mut self, ms: u64) {
        self.cx.now = Instant::from_nanos(ms * 1_000_000);
    }

    pub(super) fn segment(&mut self, line: &SegmentLine) {
        self.clock(line.ms);
        self.frame += 1;
        self.cx.packet = PacketInfo {
            frame: self.frame,
            time: Timestamp::from_nanos(line.ms * 1_000_000),
            ..PacketInfo::default()
        };
        let client = (IpAddr::from(CLIENT.0), CLIENT.1 + line.port);
        let server = (IpAddr::from(SERVER.0), SERVER.1);
        let [own, other] =
            if line.forward { [0, 1] } else { [1, 0] }.map(|i: usize| self.sink.bases[i]);
        let (src, dst) = if line.forward {
            (client, server)
        } else {
            (server, client)
        };
        let segment = Segment {
            src,
            dst,
            seq: SeqNumber(line.seq.wrapping_add(own)),
            ack: line.ack.map(|ack| SeqNumber(ack.wrapping_add(other))),
            flags: line.flags,
            window: u16::MAX,
            window_scale: None,
            payload_sum: None,
            offset: OctetOffset::Unknown,
            payload: &line.data,
            payload_len: u32::try_from(line.data.len()).unwrap() + line.cut,
        };
        if line.channel < TUNNELS {
            self.cx.packet.link.tags[0] = VlanTag {
                tpid: if line.channel == 0 { 0 } else { 0x8100 },
                tci: line.channel,
            };
        } else {
            self.cx.packet.tunnel = u32::from(line.channel) << 16 | 1;
        }
        let channel = self.cx.packet.channel();
        self.tcp
            .route(&mut self.cx, &segment, line.sum, channel, &mut self.sink);
        self.tick();
    }

    pub(super) fn tick(&mut self) {
        self.tcp.tick(&mut self.cx, &mut self.sink);
        self.adds_up();
    }

    pub(super) fn flush(&mut self) {
        self.tcp.flush(&mut self.cx, &mut self.sink);
        self.adds_up();
        let table = self.tcp.table_size() + self.tcp.charged;
        assert_eq!(self.cx.budget.used(), table, "nothing waits any more");
        let c = &self.cx.counters.tcp;
        assert_eq!(
            c.octets,
            c.accepted_octets + c.duplicate_octets + c.refused_octets
        );
        assert_eq!(c.accepted_octets, c.delivered_octets + c.abandoned_octets);
        let closed = c.closed_fin + c.closed_reset + c.closed_idle + c.closed_unconfirmed;
        let closed = closed + c.closed_evicted + c.closed_replaced + c.closed_end;
        assert_eq!(c.connections, closed, "every connection ends");
        assert_eq!(self.tcp.connections(), 0);
    }

    /// What holds after every step.
    pub(super) fn adds_up(&self) {
        let held = self.tcp.invariants();
        let c = &self.cx.counters.tcp;
        assert_eq!(
            c.octets,
            c.accepted_octets + c.duplicate_octets + c.refused_octets + held.classified,
            "octets taken in"
        );
        assert_eq!(
            c.accepted_octets,
            c.delivered_octets + c.abandoned_octets + held.waiting,
            "octets accepted"
        );
        let causes = [
            c.gaps_acked,
            c.gaps_closed,
            c.gaps_timeout,
            c.gaps_buffer,
            c.gaps_holes,
            c.gaps_memory,
            c.gaps_end,
            c.gaps_snapped,
            c.gaps_jump,
        ];
        assert_eq!(c.gaps, causes.iter().sum::<u64>());
        assert!(self.cx.budget.used() >= self.tcp.table_size());
        let (booked, taken) = self.tcp.lists();
        assert_eq!(booked, taken, "lists are in the budget");
    }

    fn step(&mut self, line: &str) {
        match parse(line) {
            TestStep::Segment(line) => self.segment(&line),
            TestStep::Tick(ms) => {
                self.clock(ms);
                self.tick();
            }
            TestStep::Flush(ms) => {
                self.clock(ms);
                self.flush();
            }
        }
    }

    pub(super) fn script(&mut self, script: &str) {
        for line in lines(script) {
            self.step(line);
        }
    }

    /// What is counted under `tcp.NAME`.
    pub(super) fn counter(&self, name: &str) -> u64 {
        let value = self.cx.counters.get(&format!("tcp.{name}"));
        value.unwrap_or_else(|| panic!("there is no counter tcp.{name}"))
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty())
}

/// The bases with which a conversation is tried: none, and those that put the wrap at every place of it.
fn bases(script: &str) -> Vec<[u32; 2]> {
    let mut places: [Vec<u32>; 2] = Default::default();
    for line in lines(script) {
        if let TestStep::Segment(line) = parse(line) {
            let len = u32::try_from(line.data.len()).unwrap() + line.cut;
            let own = &mut places[usize::from(!line.forward)];
            let step = usize::try_from(len / 40 + 1).unwrap();
            own.extend((line.seq.saturating_sub(1)..=line.seq + len + 2).step_by(step));
            own.extend([line.seq, line.seq + len]);
        }
    }
    for p in &mut places {
        p.sort_unstable();
        p.dedup();
        if p.is_empty() {
            p.push(0);
        }
    }
    let n = places[0].len().max(places[1].len());
    let wrapped =
        (0..n).map(|i| [0, 1].map(|d: usize| 0_u32.wrapping_sub(places[d][i % places[d].len()])));
    std::iter::once([0, 0]).chain(wrapped).collect()
}

/// Holds what becomes of a conversation against what should, wherever its numbers wrap.
#[track_caller]
pub(super) fn check_with(name: &str, limits: &Limits, waits: bool, script: &str, expected: &str) {
    let (counters, events): (Vec<&str>, Vec<&str>) =
        lines(expected).partition(|l| l.starts_with(|c: char| c.is_ascii_lowercase()));
    for bases in bases(script) {
        let mut bench = TestTcp::new(limits.clone(), bases);
        bench.sink.waits = waits;
        bench.script(script);
        let at = format!("{name}, bases {bases:?}");
        let found = bench.sink.events.join("\n");
        assert_eq!(found, events.join("\n"), "{at}:\n{found}\n");
        for counter in &counters {
            let (name, value) = counter.split_once(' ').unwrap();
            assert_eq!(
                bench.counter(name),
                value.trim().parse::<u64>().unwrap(),
                "{at}: {name}"
            );
        }
        let ends_flushed = script.trim_end().ends_with("flush");
        if !ends_flushed {
            bench.flush();
        }
    }
}

/// As [`check_with`], with the defaults.
#[track_caller]
pub(super) fn check(name: &str, script: &str, expected: &str) {
    check_with(name, &Limits::default(), false, script, expected);
}

/// Octets that wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    /// Behind holes.
    pub(super) waiting: u64,
    /// In segments of which it is not known where they belong.
    pub(super) classified: u64,
}

impl Tcp<SeenEvents> {
    /// Panics unless all that is kept agrees; gives what waits.
    pub(super) fn invariants(&self) -> Waits {
        let mut sum = Waits::default();
        let mut segments = 0;
        for connection in self.table.entries() {
            let waits = connection.invariants();
            sum.waiting += waits.waiting;
            sum.classified += waits.classified;
            segments += connection.waiting();
        }
        sum.classified += self.early.octets();
        assert_eq!(segments, self.queues.waiting, "segments that wait");
        sum
    }

    /// Octets that the table has allocated, which stay.
    pub(super) fn lists(&self) -> (usize, usize) {
        self.table.lists()
    }

    pub(super) fn table_size(&self) -> usize {
        self.table.allocated()
    }
}
