//! `-v`: what becomes of connections, and with it twice, what was decided about gaps and packets.

use super::output::Output;
use super::writer::OutputError;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow};
use crate::base::fragment::{FragmentEvent, FragmentFate};
use crate::base::packet::Packet;
use crate::base::stream::{Close, Gap, GapCause};
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart};
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{AssociationContext, ChunkGap, UserMessage};
use crate::transport::stream::StreamContext;
use hashbrown::HashMap;
use std::hash::RandomState;
use std::ops::ControlFlow;

/// Lines about connections for stderr.
pub(super) struct Watch {
    decisions: bool,
    lines: Vec<String>,
    /// Messages that are open, by connection and direction: there are at most as many as `--max-connections` lets be.
    open: HashMap<(u64, Direction), WatchedMessage, RandomState>,
    /// Octets that were skipped last, likewise: they come in pieces, and are told of as one.
    skipped: HashMap<(u64, Direction), SkippedRun, RandomState>,
    /// Octets of these that the budget knows of.
    booked: usize,
}

/// Octets between messages, which belong to none.
struct SkippedRun {
    /// Where they begin and end in the stream, and the packet at which that was known of the first.
    offset: u64,
    end: u64,
    frame: u64,
}

/// A message that has not ended.
struct WatchedMessage {
    protocol: &'static str,
    /// Where its first octet stands, counted from that of the stream, and the packet that brought it.
    offset: i64,
    frame: u64,
    /// Octets that it lacks, in so many holes, and where the first of these begins.
    lost: u64,
    holes: u64,
    first: i64,
    /// Of one of them nobody knows how many octets it has.
    unknown: bool,
}

impl WatchedMessage {
    /// How much is missing.
    fn lacks(&self) -> String {
        match (self.unknown, self.lost) {
            (false, lost) => some(lost, "byte"),
            (true, 0) => "an unknown number of bytes".to_owned(),
            (true, lost) => format!("{} and an unknown number of others", some(lost, "byte")),
        }
    }
}

/// `1 byte`, `2 bytes`.
fn some(n: u64, one: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {one}{s}")
}

/// Who speaks to whom, as lines begin: `tcp 3 10.0.0.1:40000 > 10.0.0.2:80`.
fn way(flow: &Flow, direction: Direction) -> String {
    let (src, dst) = (flow.src(direction), flow.dst(direction));
    format!("{} {} {src} > {dst}", flow.transport.name(), flow.number)
}

impl Watch {
    /// With `decisions`, also gaps and packets that could not be used.
    pub(super) fn new(decisions: bool) -> Self {
        Self {
            decisions,
            lines: Vec::new(),
            open: HashMap::default(),
            skipped: HashMap::default(),
            booked: 0,
        }
    }

    /// Those since the last call.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Charges the budget with what is allocated now.
    fn book(&mut self, cx: &mut Context) {
        let now = self.open.allocation_size() + self.skipped.allocation_size();
        cx.budget.rebook(&mut self.booked, now);
    }

    fn ended(&mut self, flow: &Flow, close: Close) {
        let why = match close {
            Close::Fin => "ended by both sides",
            Close::Reset => "reset",
            Close::Idle => "idle for --session-timeout",
            Close::Evicted => "ended by a limit",
            Close::Replaced => "replaced by a new connection on its ports",
            Close::EndOfInput => "open at the end of the input",
            Close::Unconfirmed => "segments beside another connection, which nothing confirmed",
        };
        self.lines.push(format!("{flow}: {why}"));
    }
}

impl Watch {
    /// What was skipped in this direction goes no further.
    fn tell_skipped(&mut self, at: &StreamContext<'_, ()>, direction: Direction) {
        // Nothing is looked up in an empty table, which it nearly always is.
        if self.skipped.is_empty() {
            return;
        }
        if let Some(run) = self.skipped.remove(&(at.flow.number, direction)) {
            self.lines.push(format!(
                "{}: {} at offset {} skipped at packet {}: no message begins there",
                way(at.flow, direction),
                some(run.end - run.offset, "byte"),
                at.sides[direction.index()].relative(run.offset),
                run.frame,
            ));
        }
    }
}

impl MessageSink for Watch {
    type State = ();

    fn flow_end(&mut self, _: &mut Context, ended: &EndedFlow<'_>) {
        self.ended(ended.flow, ended.close);
    }

    fn packet(&mut self, _: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        if let Some(why) = dropped.filter(|_| self.decisions) {
            self.lines.push(format!(
                "packet {}: dropped as {}.{}: {}",
                packet.frame,
                why.section(),
                why.name(),
                why.text()
            ));
        }
    }

    fn start(&mut self, at: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
        if self.decisions {
            self.tell_skipped(at, at.direction);
            let message = WatchedMessage {
                protocol: start.protocol,
                offset: at.side().relative(start.offset),
                frame: start.frame,
                lost: 0,
                holes: 0,
                first: 0,
                unknown: false,
            };
            self.open.insert((at.flow.number, at.direction), message);
            self.book(at.cx);
        }
    }

    fn skipped(&mut self, at: &mut StreamContext<'_, ()>, offset: u64, octets: u64) {
        if !self.decisions {
            return;
        }
        let key = (at.flow.number, at.direction);
        let end = offset.saturating_add(octets);
        match self.skipped.get_mut(&key) {
            Some(run) if run.end == offset => run.end = end,
            _ => {
                self.tell_skipped(at, at.direction);
                let frame = at.cx.packet.frame;
                let run = SkippedRun { offset, end, frame };
                self.skipped.insert(key, run);
                self.book(at.cx);
            }
        }
    }

    fn gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &MessageGap) {
        if let Some(message) = self.open.get_mut(&(at.flow.number, at.direction)) {
            if message.holes == 0 {
                message.first = at.side().relative(gap.offset);
            }
            message.lost += gap.len;
            message.unknown |= gap.len == 0;
            message.holes += 1;
        }
    }

    fn end(&mut self, at: &mut StreamContext<'_, ()>, end: &MessageEnd) {
        let Some(message) = self.open.remove(&(at.flow.number, at.direction)) else {
            return;
        };
        if end.whole {
            return;
        }
        let what = match message.holes {
            0 => format!(
                "its end is missing, behind offset {}",
                at.side().relative(end.offset)
            ),
            1 => format!("{} missing at offset {}", message.lacks(), message.first),
            holes => format!(
                "{} missing in {holes} holes, the first at offset {}",
                message.lacks(),
                message.first
            ),
        };
        self.lines.push(format!(
            "{}: the {} message of packet {}, at offset {} of its stream, is incomplete: {what}",
            way(at.flow, at.direction),
            message.protocol,
            message.frame,
            message.offset,
        ));
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (there, all) = (message.payload.len(), message.payload_len);
        if self.decisions && there < all {
            self.lines.push(format!(
                "{}: the {} message of packet {} is cut by the snapshot length: only {there} of its {all} bytes are there",
                way(at.flow, at.direction),
                message.protocol,
                at.cx.packet.frame,
            ));
        }
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, ()>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        if !self.decisions || message.whole {
            return;
        }
        let there = message.data.len();
        let what = match message.len {
            Some(all) => format!("only {there} of its {all} bytes are there"),
            None => format!("only its first {there} bytes are there"),
        };
        self.lines.push(format!(
            "{}: the {protocol} message of packet {}, at TSN {} in stream {}, is incomplete: {what}",
            way(at.flow, message.direction),
            message.frame,
            message.tsn,
            message.stream,
        ));
    }

    fn fragments(&mut self, cx: &mut Context, event: &FragmentEvent) {
        if let FragmentFate::Lost {
            offset,
            missing,
            cause,
        } = event.what
            && self.decisions
        {
            let len = missing.map_or("an unknown number of bytes".to_owned(), |n| {
                some(n.into(), "byte")
            });
            self.lines.push(format!(
                "ip {} > {}: the fragmented packet with identification {:#06x} is given up at packet {}: {len} missing at offset {offset}: {}",
                event.src,
                event.dst,
                event.identification,
                cx.packet.frame,
                cause.text()
            ));
        }
    }

    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, ()>, gap: &ChunkGap) {
        if self.decisions {
            let why = gap.cause.map_or("its sender abandoned it", GapCause::text);
            self.lines.push(format!(
                "{}: a hole of {} at {} is given up at packet {}: {why}",
                way(at.flow, gap.direction),
                some(gap.tsns, "TSN"),
                gap.tsn,
                at.cx.packet.frame,
            ));
        }
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &Gap) {
        if self.decisions {
            self.tell_skipped(at, at.direction);
            let len = gap
                .len
                .map_or("an unknown number of bytes".to_owned(), |n| some(n, "byte"));
            self.lines.push(format!(
                "{}: a hole of {len} at offset {} is given up at packet {}: {}",
                way(at.flow, at.direction),
                at.side().relative(gap.offset),
                at.cx.packet.frame,
                gap.cause.text()
            ));
        }
    }

    fn closed(&mut self, at: &mut StreamContext<'_, ()>, _: Close) {
        for direction in [Direction::Forward, Direction::Reverse] {
            self.tell_skipped(at, direction);
            self.open.remove(&(at.flow.number, direction));
        }
    }

    fn input_end(&mut self, cx: &mut Context) {
        self.open = HashMap::default();
        self.skipped = HashMap::default();
        self.book(cx);
    }
}

impl Output for Watch {
    fn is_open(&self) -> Option<bool> {
        // What it says is about the other outputs.
        Some(false)
    }

    // None of it goes on in the next run, which may watch or not.
    fn settle(&mut self, cx: &mut Context) {
        cx.budget.rebook(&mut self.booked, 0);
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        Ok(ControlFlow::Continue(()))
    }
}
