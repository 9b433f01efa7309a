//! `--follow`: chosen connections as conversations: the octets of both directions as they were delivered, gaps drawn in.

use super::output::{Output, kept, take_kept};
use super::print::{
    Clock, Look, Paint, escape_behind, hex, is_text, plain_ellipses, squeeze_both, visible,
};
use super::sides::client_of;
use super::writer::{BufferedWriter, OutputError, Writer};
use crate::base::connection_rule::ConnectionRule;
use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::protocol::NO_PROTOCOL;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::{Chunk, Close, Gap, Side};
use crate::base::time::Timestamp;
use crate::message::MessageSink;
use crate::message::events::DatagramMessage;
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, ChunkGap, UserMessage};
use crate::transport::stream::StreamContext;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;

/// Octets of a connection that wait for the other direction, at most; then all of it is told as it came.
// A loss is given up after a second: a fast download brings some megabytes in that time, of which the beginning is in order.
const HELD: usize = 1 << 20;

/// `--follow=...`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FollowForm {
    /// Lines of text; what is no text is a hex dump.
    #[default]
    Text,
    /// A hex dump.
    Hex,
    /// The octets alone, as they are.
    Raw,
}

/// The output of conversations.
pub(super) struct Follow {
    out: BufferedWriter,
    rule: ConnectionRule,
    form: FollowForm,
    look: Look,
    clock: Clock,
    /// Whose octets were written last: transport, number, direction.
    last: Option<(Transport, u64, Direction)>,
    /// The direction of the client in that flow.
    client: Direction,
    text: String,
    /// A gap that begins a turn: its time is that of what follows it.
    held_gap: Option<HeldGap>,
    /// What was written last ends in the middle of a line.
    open_line: bool,
    /// Nothing was written.
    silent: bool,
}

impl Follow {
    pub(super) fn new(
        name: &str,
        to: Writer,
        rule: ConnectionRule,
        form: FollowForm,
        look: Look,
        each: bool,
    ) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each),
            rule,
            form,
            look,
            clock: Clock::new(look.time),
            last: None,
            client: Direction::Forward,
            text: String::new(),
            held_gap: None,
            open_line: false,
            silent: true,
        }
    }

    /// The connection is followed.
    pub(super) fn takes(&self, flow: &Flow) -> bool {
        self.rule.takes(flow)
    }

    /// Nothing was said by any connection that is followed.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Begins another turn of the conversation where somebody else speaks. `new`: a datagram or a user message is always a turn.
    fn turn(
        &mut self,
        time: Timestamp,
        flow: &Flow,
        direction: Direction,
        ends: (SocketAddr, SocketAddr),
        new: bool,
    ) {
        let who = (flow.transport, flow.number, direction);
        if let Some(gap) = self.held_gap.take() {
            let same = gap.who == who && !new;
            self.begin_turn(same.then_some(time), gap.who, gap.client, gap.ends);
            self.gap(gap.len);
        }
        if self.last != Some(who) || new {
            let client = client_of(flow, NO_PROTOCOL, false);
            self.begin_turn(Some(time), who, client, ends);
        }
    }

    /// Nothing follows a gap: nobody knows when that was sent.
    fn release_gap(&mut self) {
        if let Some(gap) = self.held_gap.take() {
            self.begin_turn(None, gap.who, gap.client, gap.ends);
            self.gap(gap.len);
        }
    }

    fn begin_turn(
        &mut self,
        time: Option<Timestamp>,
        who: (Transport, u64, Direction),
        client: Direction,
        (src, dst): (SocketAddr, SocketAddr),
    ) {
        let (transport, number, direction) = who;
        let p = Paint::new(&self.look);
        self.end_line();
        if self.last.is_some() {
            self.text.push('\n');
        }
        self.last = Some(who);
        self.client = client;
        let way = if direction == self.client {
            p.client
        } else {
            p.server
        };
        let connection = format!("{} {number}", transport.name());
        let mut ends = [src.to_string(), dst.to_string()];
        // The connection has its place, whatever the addresses are.
        let taken = connection.len() + " > ".len() + " ".len();
        if let Some(room) = self.look.width.map(|width| width.saturating_sub(taken)) {
            squeeze_both(&mut ends, room);
        }
        let ends = format!("{} {} {}", ends[0], p.arrow, ends[1]);
        let mut at = String::new();
        let fits = |at: &str| {
            let columns = ends.chars().count() + connection.len() + at.len() + 2;
            self.look.width.is_none_or(|width| columns <= width)
        };
        if let Some(time) = time {
            self.clock.show(time, false, false, &mut at);
            // Where there is no room for the date in each of them, one line has it; and then none for the time.
            if !fits(&at) {
                if let Some(date) = self.clock.new_date(time) {
                    let _ = writeln!(self.text, "{}{date}{}", p.dim, p.off);
                }
                at = self.clock.of_day(&at).to_owned();
            }
            if !fits(&at) {
                at.clear();
            }
        }
        let blank = if at.is_empty() { "" } else { " " };
        let begin = self.text.len();
        let _ = writeln!(
            self.text,
            "{way}{ends}{} {}{at}{blank}{connection}{}",
            p.off, p.dim, p.off
        );
        if self.look.ascii {
            plain_ellipses(&mut self.text, begin);
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.open_line) {
            self.text.push('\n');
        }
    }

    fn octets(&mut self, direction: Direction, offset: u64, octets: &[u8]) {
        if self.form == FollowForm::Raw {
            self.silent = false;
            self.out.write([octets, &[], &[], &[]]);
            return;
        }
        // Lines that end with an empty one stand ahead of a body, which may be anything.
        if self.form == FollowForm::Text
            && !is_text(octets)
            && let Some(end) = head_len(octets)
        {
            let (head, body) = octets.split_at(end);
            self.text_or_hex(direction, offset, head);
            self.text_or_hex(direction, offset + end as u64, body);
        } else {
            self.text_or_hex(direction, offset, octets);
        }
    }

    fn text_or_hex(&mut self, direction: Direction, offset: u64, octets: &[u8]) {
        let p = Paint::new(&self.look);
        let way = if direction == self.client {
            p.client
        } else {
            p.server
        };
        if self.form == FollowForm::Text && is_text(octets) {
            // Each line has its own colour: what shows a part of them shows it right.
            let ends = octets.strip_suffix(b"\n").unwrap_or(octets);
            for (i, line) in ends.split(|c| *c == b'\n').enumerate() {
                if i > 0 {
                    self.text.push('\n');
                }
                self.text.push_str(way);
                let begin = self.text.len();
                visible(line.strip_suffix(b"\r").unwrap_or(line), &mut self.text);
                escape_behind(&mut self.text, begin, self.look.ascii);
                self.text.push_str(p.off);
            }
            if ends.len() < octets.len() {
                self.text.push('\n');
            }
            self.open_line = octets.last() != Some(&b'\n');
        } else {
            self.end_line();
            hex(octets, offset, "", &p, &mut self.text);
        }
    }

    fn missing(&mut self, what: std::fmt::Arguments<'_>) {
        let p = Paint::new(&self.look);
        self.end_line();
        let words = format!("~~~ {what} ~~~");
        let words = p.fitting(&words, 0);
        let _ = writeln!(self.text, "{}{words}{}", p.bad, p.off);
    }

    fn gap(&mut self, len: Option<u64>) {
        match len {
            Some(len) => self.missing(format_args!("{len} bytes are missing here")),
            None => self.missing(format_args!("an unknown number of bytes is missing here")),
        }
    }

    fn write(&mut self) {
        self.silent &= self.text.is_empty();
        self.out.write([self.text.as_bytes(), &[], &[], &[]]);
        self.text.clear();
    }
}

/// How long the lines of text are that octets begin with, up to and with the first that is empty; None where
/// there is no such line, nothing behind it, or no text ahead of it.
fn head_len(octets: &[u8]) -> Option<usize> {
    let end = memchr::memmem::find(octets, b"\r\n\r\n")? + 4;
    let head = octets
        .get(..end)
        .filter(|head| end < octets.len() && is_text(head))?;
    Some(head.len())
}

/// A gap that is not drawn yet.
#[derive(Serialize, Deserialize)]
struct HeldGap {
    who: (Transport, u64, Direction),
    /// The direction of the client in that flow.
    client: Direction,
    ends: (SocketAddr, SocketAddr),
    len: Option<u64>,
}

/// What is kept of a connection, so that nobody speaks before what they have heard: a loss holds one direction up, and not the
/// other.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FollowedConnection {
    /// Offset behind what was told of each direction.
    delivered: [u64; 2],
    /// What acknowledges octets of the other direction that were not told yet.
    waiting: [VecDeque<WaitingWords>; 2],
    /// Octets that wait.
    held: usize,
}

impl FollowedConnection {
    /// What acknowledges so much of the other direction acknowledges nothing that was not told, or that nobody has to wait for.
    fn has_heard(&self, side: &Side, other: usize, ack: Option<u64>) -> bool {
        let mut told = self.delivered[other].max(side.conceded);
        if side.absent {
            return true;
        }
        // Ahead of its first octet there is nothing.
        if side.from_start {
            told = told.max(side.origin);
        }
        ack.is_none_or(|ack| ack <= told)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WaitingWords {
    offset: u64,
    ack: Option<u64>,
    time: Timestamp,
    said: Said<'static>,
}

/// What a direction says.
#[derive(Debug, Serialize, Deserialize)]
enum Said<'a> {
    Octets(Cow<'a, [u8]>),
    /// So many octets are missing; None: nobody knows how many.
    Gap(Option<u64>),
}

impl Said<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Octets(octets) => octets.len() as u64,
            Self::Gap(len) => len.unwrap_or(0),
        }
    }

    /// Octets of memory that it takes to keep it.
    fn size(&self) -> usize {
        let octets = match self {
            Self::Octets(octets) => octets.len(),
            Self::Gap(_) => 0,
        };
        size_of::<WaitingWords>() + octets
    }
}

/// An event of a stream, with what is kept for its connection.
type FollowEvent<'a> = StreamContext<'a, Option<Box<FollowedConnection>>>;

impl Follow {
    /// Tells what a direction says, or keeps it until the other one has said what it answers.
    fn tell(
        &mut self,
        at: &mut FollowEvent<'_>,
        offset: u64,
        ack: Option<u64>,
        time: Timestamp,
        said: Said<'_>,
    ) {
        let cx = &mut *at.cx;
        let connection = kept(cx, at.state);
        let (i, other) = (at.direction.index(), at.direction.flip().index());
        let early = !connection.has_heard(&at.sides[other], other, ack);
        let other_speaks = connection.delivered[other] > 0
            || !connection.waiting[other].is_empty()
            || at.sides[other].seen && at.sides[other].from_start;
        if !connection.waiting[i].is_empty() || early && other_speaks {
            let size = said.size();
            cx.budget.take(size);
            connection.held += size;
            let said = match said {
                Said::Octets(octets) => Said::Octets(octets.into_owned().into()),
                Said::Gap(len) => Said::Gap(len),
            };
            connection.waiting[i].push_back(WaitingWords {
                offset,
                ack,
                time,
                said,
            });
            if connection.held > HELD {
                connection.delivered = [u64::MAX; 2];
                self.release(at);
            }
            return;
        }
        connection.delivered[i] = connection.delivered[i].max(offset.saturating_add(said.len()));
        self.say(at.flow, at.direction, at.side().origin, offset, time, &said);
        self.release(at);
    }

    /// Tells what waits for no more than was told. Both in turn, the earlier first where nothing else orders them.
    fn release(&mut self, at: &mut FollowEvent<'_>) {
        while let Some(connection) = at.state.as_deref_mut() {
            let ready = |direction: Direction| {
                let front = connection.waiting[direction.index()].front()?;
                let other = direction.flip().index();
                let free = connection.has_heard(&at.sides[other], other, front.ack);
                free.then_some((front.time, direction))
            };
            let both = [ready(Direction::Forward), ready(Direction::Reverse)];
            let Some((_, direction)) = both.into_iter().flatten().min_by_key(|(time, _)| *time)
            else {
                return;
            };
            let i = direction.index();
            let Some(next) = connection.waiting[i].pop_front() else {
                return;
            };
            let size = next.said.size();
            at.cx.budget.give(size);
            connection.held -= size;
            let end = next.offset.saturating_add(next.said.len());
            connection.delivered[i] = connection.delivered[i].max(end);
            let origin = at.sides[i].origin;
            self.say(
                at.flow,
                direction,
                origin,
                next.offset,
                next.time,
                &next.said,
            );
        }
    }

    fn say(
        &mut self,
        flow: &Flow,
        direction: Direction,
        origin: u64,
        offset: u64,
        time: Timestamp,
        said: &Said<'_>,
    ) {
        let raw = self.form == FollowForm::Raw;
        let ends = (flow.src(direction), flow.dst(direction));
        match said {
            Said::Octets(octets) => {
                if !raw {
                    self.turn(time, flow, direction, ends, false);
                }
                self.octets(direction, offset.saturating_sub(origin), octets);
            }
            Said::Gap(_) if raw => {}
            Said::Gap(len) => {
                let who = (flow.transport, flow.number, direction);
                // A gap behind another one, or behind what somebody else says.
                self.release_gap();
                if self.last == Some(who) {
                    self.gap(*len);
                } else {
                    self.held_gap = Some(HeldGap {
                        who,
                        client: client_of(flow, NO_PROTOCOL, false),
                        ends,
                        len: *len,
                    });
                }
            }
        }
        self.write();
    }
}

impl MessageSink for Follow {
    type State = Option<Box<FollowedConnection>>;

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        if !self.rule.takes(at.flow) {
            return;
        }
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        if self.form != FollowForm::Raw {
            self.turn(at.cx.packet.time, at.flow, at.direction, ends, true);
        }
        self.octets(at.direction, 0, message.payload);
        let lost = message.payload_len.saturating_sub(message.payload.len());
        if lost > 0 && self.form != FollowForm::Raw {
            self.missing(format_args!("{lost} bytes are missing here"));
        }
        self.write();
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        _: &'static str,
    ) {
        if !self.rule.takes(at.flow) {
            return;
        }
        if self.form != FollowForm::Raw {
            let ends = (message.src, message.dst);
            self.turn(at.cx.packet.time, at.flow, message.direction, ends, true);
        }
        self.octets(message.direction, 0, message.data);
        if !message.whole && self.form != FollowForm::Raw {
            self.missing(format_args!("bytes are missing here"));
        }
        self.write();
    }

    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, Self::State>, gap: &ChunkGap) {
        if self.rule.takes(at.flow) && self.form != FollowForm::Raw {
            let ends = (at.flow.src(gap.direction), at.flow.dst(gap.direction));
            self.turn(at.cx.packet.time, at.flow, gap.direction, ends, true);
            let what = if gap.tsns == 1 {
                "1 chunk is missing here".to_owned()
            } else {
                format!("{} chunks are missing here", gap.tsns)
            };
            self.missing(format_args!("{what}"));
            self.write();
        }
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>) {
        if !self.rule.takes(at.flow) {
            return;
        }
        self.tell(
            at,
            chunk.offset,
            chunk.ack,
            chunk.time,
            Said::Octets(chunk.data.into()),
        );
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &Gap) {
        if self.rule.takes(at.flow) {
            let time = at.cx.packet.time;
            self.tell(at, gap.offset, None, time, Said::Gap(gap.len));
        }
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        // Nothing more comes that the other side could have waited for.
        if let Some(connection) = at.state.as_deref_mut() {
            connection.delivered[at.direction.index()] = u64::MAX;
            self.release(at);
        }
    }

    fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        if let Some(connection) = at.state.as_deref_mut() {
            connection.delivered = [u64::MAX; 2];
            self.release(at);
            take_kept(at.cx, at.state);
            self.release_gap();
            self.write();
        }
    }

    fn input_end(&mut self, _: &mut Context) {
        self.release_gap();
        self.end_line();
        self.write();
    }
}

impl Output for Follow {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.out.channel());
    }

    fn save(&self, to: &mut StateWriter) {
        to.put(&self.clock);
        to.put(&(self.last, self.client, &self.held_gap));
        to.put(&(self.open_line, self.silent));
    }

    fn load(&mut self, _: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        self.clock.go_on(from.get()?);
        (self.last, self.client, self.held_gap) = from.get()?;
        (self.open_line, self.silent) = from.get()?;
        Ok(())
    }

    fn begins_at(&mut self, time: Timestamp) {
        self.clock.first = time;
    }

    fn is_open(&self) -> Option<bool> {
        Some(self.out.is_open())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }
}
