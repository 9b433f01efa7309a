//! The output of HAR.

use super::entry::{Creator, EntryParts, HarEntry};
use super::state::{HalfExchange, HarConnection};
use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::flow::{Direction, Flow};
use crate::base::message::Kind;
use crate::base::packet::{Interface, LinkType};
use crate::base::stream::Close;
use crate::message::{HttpStart, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::sink::exchange::{FIRST_STREAM, TOLD, Unmatched, WaitingRequest, goes_over};
use crate::sink::json_line::write;
use crate::sink::options::HarTo;
use crate::sink::output::{Output, body_room, kept, take_kept};
use crate::sink::pairing::is_interim;
use crate::sink::text::Rfc3339;
use crate::sink::writer::{BufferedWriter, OutputError, Reopened, Writer};
use crate::transport::stream::StreamContext;
use std::ops::ControlFlow;

type HarEvent<'a> = StreamContext<'a, Option<Box<HarConnection>>>;
type Waiting = WaitingRequest<HalfExchange, HalfExchange>;

/// The output of HAR.
pub(crate) struct Har {
    pub(in crate::sink) out: BufferedWriter,
    /// `--har-body`: octets that are shown of a body.
    most: usize,
    /// Requests without an answer are entries too.
    unanswered: bool,
    /// Entries that may still be written, where there is a bound.
    left: Option<u64>,
    /// What comes now is of a message that was not chosen.
    passed_over: bool,
    /// The document was begun, and has an entry.
    begun: bool,
    any: bool,
    /// What a connection has answered that went over to HTTP/2: told where the connection itself is at hand.
    went_over: Option<(u64, Box<HalfExchange>)>,
    /// Of each interface of the input: it counts nanoseconds.
    nanos: Vec<bool>,
}

impl Har {
    /// What stands behind the last entry.
    pub(in crate::sink) const END: &[u8] = b"\n]}}\n";

    /// `unanswered`: requests without an answer are entries too.
    pub(crate) fn new(name: &str, to: Writer, options: &HarTo, unanswered: bool) -> Self {
        Self {
            out: BufferedWriter::new(name, to, options.packet_buffered).of_messages(),
            most: options.body,
            unanswered,
            left: options.count,
            passed_over: false,
            begun: false,
            any: false,
            went_over: None,
            nanos: Vec::new(),
        }
    }

    /// What comes now is of a message that was not chosen, or is not.
    pub(in crate::sink) const fn passes_over(&mut self, passed_over: bool) {
        self.passed_over = passed_over;
    }

    /// As many entries were written as are wanted.
    pub(in crate::sink) fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// It has no entry.
    pub(in crate::sink) const fn is_empty(&self) -> bool {
        !self.any
    }

    /// Writes what stands ahead of the first entry.
    fn header(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        self.any = false;
        self.out.record(|out| {
            out.extend_from_slice(b"{\"log\":{\"version\":\"1.2\",\"creator\":");
            write(&Creator::default(), out);
            out.extend_from_slice(b",\"pages\":[],\"entries\":[");
        });
    }

    /// Writes the entry of a request, with its response if it has one.
    fn entry(
        &mut self,
        cx: &mut Context,
        (flow, direction): (&Flow, Direction),
        request: &HalfExchange,
        response: Option<&HalfExchange>,
    ) {
        if self.is_full() || !(request.chosen || response.is_some_and(|r| r.chosen)) {
            return;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        self.header();
        let place = usize::try_from(cx.packet.interface).unwrap_or(usize::MAX);
        let nanos = self.nanos.get(place).copied().unwrap_or(false);
        let begin = request.opened.unwrap_or(request.first);
        // A server that pushes sends the request itself.
        let server = if request.pushed {
            flow.src(direction)
        } else {
            flow.dst(direction)
        };
        let entry = HarEntry::new(&EntryParts {
            started: Rfc3339::new(begin, nanos),
            server,
            connection: flow.number,
            request,
            response,
            most: self.most,
        });
        let counters = &mut cx.counters.har;
        counters.entries += 1;
        counters.unanswered += u64::from(response.is_none());
        let whole = request.whole && response.is_none_or(|response| response.whole);
        counters.incomplete += u64::from(!whole);
        counters.cut_bodies += entry.cut_bodies();
        let first = !std::mem::replace(&mut self.any, true);
        self.out.messages(1 + u64::from(response.is_some()));
        self.out.record(|out| {
            out.extend_from_slice(if first { b"\n" } else { b",\n" });
            write(&entry, out);
        });
    }

    /// Writes requests that nobody will answer any more.
    fn unanswered(&mut self, cx: &mut Context, of: (&Flow, Direction), requests: Vec<Waiting>) {
        // One that has not ended is no request yet.
        let ended = |request: &Waiting| self.unanswered && request.whole.is_some();
        let ended: Vec<_> = requests.into_iter().filter(ended).collect();
        for request in ended {
            self.entry(cx, of, &request.kept, None);
        }
    }

    /// The answer to the request with which this connection went over to HTTP/2 may have come. `last`: else there is none.
    fn tell_went_over(&mut self, at: &mut HarEvent<'_>, last: bool) {
        let answer = match self.went_over.take() {
            Some((number, answer)) if number == at.flow.number => Some(answer),
            other => {
                self.went_over = other;
                None
            }
        };
        let conn = at.state.as_deref_mut();
        let conn = conn.filter(|_| last || answer.is_some());
        let Some(both) = conn.and_then(|conn| conn.went_over.take()) else {
            let unmatched = answer.is_some_and(|answer| answer.chosen);
            at.cx.counters.har.unmatched += u64::from(unmatched);
            return;
        };
        for half in both.iter() {
            at.cx.budget.give(half.counted);
        }
        let [request, switched] = &*both;
        let of = (at.flow, request.direction(at.direction));
        let answer = answer.as_deref().unwrap_or(switched);
        self.entry(at.cx, of, request, Some(answer));
    }

    /// The connection, or the stream, has ended.
    fn ended(&mut self, at: &mut HarEvent<'_>) {
        self.tell_went_over(at, true);
        let Some(mut conn) = take_kept(at.cx, at.state) else {
            return;
        };
        for open in conn.open.iter().flatten() {
            at.cx.budget.give(open.counted);
        }
        while let Some(request) = conn.requests.pop(at.cx) {
            let direction = request.kept.direction(at.direction);
            self.unanswered(at.cx, (at.flow, direction), vec![request]);
        }
    }

    fn open<'a>(at: &'a mut HarEvent<'_>) -> Option<(&'a mut Context, &'a mut HalfExchange)> {
        let i = at.direction.index();
        let open = at.state.as_deref_mut()?.open[i].as_deref_mut()?;
        Some((at.cx, open))
    }
}

impl MessageSink for Har {
    type State = Option<Box<HarConnection>>;

    fn start(&mut self, at: &mut HarEvent<'_>, start: &MessageStart<'_>) {
        if !TOLD.contains(&start.protocol) {
            return;
        }
        let line = start.head.split(|c| *c == b'\n').next();
        let asks_line = || {
            matches!(
                line.and_then(HttpStart::of_line),
                Some(HttpStart::Request { .. })
            )
        };
        let pushed = start.kind == Kind::Other && start.carried.is_some() && asks_line();
        let asks = start.kind == Kind::Request || pushed;
        if !asks && start.kind != Kind::Response {
            return;
        }
        let stream = start.carried.and_then(|way| way.stream);
        if !asks && start.answers.is_none() {
            let interim = is_interim(start.protocol, at.flow.transport, start.head);
            if interim || stream != Some(FIRST_STREAM) {
                at.cx.counters.har.unmatched += u64::from(!interim && !self.passed_over);
                return;
            }
        }
        // The first request of a connection has waited for it.
        let side = at.side();
        let first = side.from_start
            && match start.carried {
                Some(way) => way.stream == Some(1),
                None => start.offset == side.origin,
            };
        let opened = (asks && first).then(|| at.opened_at());
        let mut half = Box::new(HalfExchange {
            stream,
            goes_over: goes_over(start),
            head: start.head.to_vec(),
            from: start.offset + start.head.len() as u64,
            asks,
            chosen: !self.passed_over,
            pushed,
            opened: opened.filter(|opened| *opened <= start.time),
            answers: start.answers,
            direction: at.direction.index(),
            first: start.time,
            last: start.time,
            ..HalfExchange::default()
        });
        half.count(at.cx);
        let (direction, flow) = (at.direction, at.flow);
        let conn = kept(at.cx, at.state);
        if let Some(old) = conn.open[direction.index()].replace(half) {
            at.cx.budget.give(old.counted);
        }
        if asks {
            let request = WaitingRequest {
                offset: start.offset,
                time: start.time,
                whole: None,
                kept: HalfExchange::default(),
                early: None,
                counted: 0,
            };
            let forgotten = conn.requests.push(at.cx, request);
            self.unanswered(at.cx, (flow, direction), Vec::from_iter(forgotten));
        }
    }

    fn data(&mut self, at: &mut HarEvent<'_>, piece: &Piece<'_>) {
        let most = self.most;
        let Some((cx, open)) = Self::open(at) else {
            return;
        };
        open.last = open.last.max(piece.time);
        let head = open.from.saturating_sub(piece.offset);
        let head = usize::try_from(head).unwrap_or(usize::MAX);
        let Some(octets) = piece.data.get(head..).filter(|o| !o.is_empty()) else {
            return;
        };
        open.octets += octets.len() as u64;
        if open.gaps || open.cut {
            return;
        }
        let room = body_room(cx, &open.body, most);
        let shown = octets.get(..room).unwrap_or(octets);
        open.cut = shown.len() < octets.len();
        // A vector that grows by itself becomes twice as large, which there may be no room for.
        if shown.len() > open.body.capacity() - open.body.len() {
            let more = open.body.capacity().max(shown.len()).min(room);
            open.body.reserve_exact(more);
        }
        open.body.extend_from_slice(shown);
        open.count(cx);
    }

    fn gap(&mut self, at: &mut HarEvent<'_>, gap: &MessageGap) {
        if let Some((_, open)) = Self::open(at) {
            let behind = (gap.offset + gap.len).saturating_sub(gap.offset.max(open.from));
            open.lost += behind;
            open.gaps = true;
        }
    }

    fn trailers(&mut self, at: &mut HarEvent<'_>, section: &[u8]) {
        if let Some((cx, open)) = Self::open(at) {
            // One section: a second one is no part of a message.
            open.trailers = section.to_vec();
            open.count(cx);
        }
    }

    fn end(&mut self, at: &mut HarEvent<'_>, end: &MessageEnd) {
        let (direction, flow) = (at.direction, at.flow);
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        let Some(mut half) = conn.open[direction.index()].take() else {
            return;
        };
        at.cx.budget.give(std::mem::take(&mut half.counted));
        half.whole = end.whole;
        if end.whole && half.lost == 0 {
            // It was in doubt whether something is missing.
            half.gaps = false;
        }
        if half.asks {
            let kept = |kept: &mut HalfExchange| *kept = *half;
            if let Some((request, response)) = conn.requests.ended(at.cx, end.whole, kept) {
                self.entry(at.cx, (flow, direction), &request.kept, Some(&response));
            }
            return;
        }
        let Some(answers) = half.answers else {
            // The request stands in the connection, which is told of next.
            self.went_over = Some((flow.number, half));
            return;
        };
        let mut passed = Vec::new();
        let answered = conn.requests.answered(at.cx, answers, *half, |request| {
            passed.push(request);
        });
        // One that was pushed goes in the direction of its answer.
        let of = |half: &HalfExchange| (flow, half.direction(direction));
        if !passed.is_empty() {
            self.unanswered(at.cx, (flow, direction.flip()), passed);
        }
        match answered {
            Ok((request, response)) if response.goes_over => {
                let mut both = Box::new([request.kept, response]);
                both.iter_mut().for_each(|half| half.count(at.cx));
                conn.went_over = Some(both);
            }
            Ok((request, response)) => {
                let of = of(&request.kept);
                self.entry(at.cx, of, &request.kept, Some(&response));
            }
            Err(Unmatched::Kept) => {}
            Err(Unmatched::Unknown(response)) => {
                at.cx.counters.har.unmatched += u64::from(response.chosen);
            }
        }
    }

    fn carried(&mut self, at: &mut HarEvent<'_>, _: &'static str) {
        self.tell_went_over(at, false);
    }

    fn carried_end(&mut self, at: &mut HarEvent<'_>) {
        self.ended(at);
    }

    fn closed(&mut self, at: &mut HarEvent<'_>, _: Close) {
        self.ended(at);
    }
}

impl Output for Har {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.out.channel());
    }

    fn begin(&mut self, _: LinkType, _: bool) {
        self.header();
    }

    fn interfaces(&mut self, all: &[Interface]) {
        self.nanos = all.iter().map(|i| i.resolution.is_fine()).collect();
    }

    // Each file is a document of its own.
    fn reopen(&mut self, _: &[Interface], done: &mut Reopened) {
        self.header();
        if self.out.reopen_document(done, Self::END) {
            self.begun = false;
            self.header();
        }
    }

    fn is_open(&self) -> Option<bool> {
        Some(self.out.is_open())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        self.header();
        self.out.write([Self::END]);
        self.out.flush().map(|_| ())
    }
}
