//! `--print`: a line for each message.
//!
//! ```text
//! 2026-11-21 10:00:00.123456 tcp 0 10.0.0.1:40000 → 10.0.0.2:80  http   78 GET /x HTTP/1.1 (example)
//! ```
//!
//! Time of the packet that completed it, connection, client and server with an arrow from the sender, protocol, octets, summary;
//! then the time from request to answer and, where octets are missing, `[incomplete]` with their number where that is known.
//! The client is the side that asks, as far as that is known.

mod clock;
mod content;
mod line;
mod look;

use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::Kind;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, allocated, tree};
use crate::base::stream::{Close, Gap};
use crate::base::time::Timestamp;
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::message::{
    NamedEnds, fields, kind, named_ends, result_is_last, shown, summary, words_ahead,
};
use crate::sink::choice::FILE;
use crate::sink::exchange::NumberedRequests;
use crate::sink::output::{Output, kept, take_kept};
use crate::sink::pairing::Paired;
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::sides::{DatagramClients, KnownClient, client_by, client_of};
use crate::sink::writer::{BufferedWriter, OutputError, Writer};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, ChunkGap, UserMessage};
use crate::transport::stream::StreamContext;
pub(in crate::sink) use clock::Clock;
pub use clock::TimeForm;
pub(in crate::sink) use content::{hex, is_text, visible};
pub(in crate::sink) use line::squeeze_both;
use line::{Columns, Shown};
use look::Tone;
pub use look::{Look, ascii};
pub(in crate::sink) use look::{Paint, escape_behind, plain_ellipses};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

/// Octets of a body that are kept for `full`: it is decoded from its beginning on, and a text of some screens may be packed.
const BODY: usize = 64 << 10;
/// Gaps in these that are drawn.
const GAPS: usize = 100;
/// Octets of a header section that `full` shows: more than servers take.
const HEAD: usize = 16 << 10;

/// Connections of which it is remembered whom a proxy has named, at once: each takes some hundred octets.
const NAMED: usize = 10_000;
/// Terminals with fewer columns than this do not show them: there would be no room for the message.
const NAMED_WIDTH: usize = 120;

/// How much of a message is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// One line.
    #[default]
    Brief,
    /// And its header fields and its body.
    Full,
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PrintedConnection {
    /// Open messages, by direction.
    messages: [Option<Box<PrintedMessage>>; 2],
    client: KnownClient,
    /// By direction: the offset up to which gaps have been drawn, in messages or between them.
    drawn: [u64; 2],
}

/// What is kept of an open message.
#[derive(Debug, Default, Serialize, Deserialize)]
struct PrintedMessage {
    protocol: Name,
    kind: Kind,
    summary: String,
    /// Words that it begins with which are not the message's: whom a proxy names, the stream that a connection carries.
    words_ahead: u8,
    tone: Tone,
    octets: u64,
    lost: u64,
    /// From the request to this answer.
    delay: Option<Duration>,
    /// Header section, where it is shown.
    head: Vec<u8>,
    /// Octets of it that were not kept.
    head_more: u64,
    /// The beginning of the body, where it is shown, the offset that it begins at, and gaps in it.
    body: Vec<u8>,
    body_at: u64,
    gaps: Vec<(usize, u64)>,
    /// Octets of the body that were not kept.
    more: u64,
    /// Fields behind the body, where these are shown and stand apart from it.
    trailers: Vec<u8>,
    /// Octets that were counted for it.
    counted: usize,
}

impl PrintedMessage {
    fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>()
            + self.summary.capacity()
            + self.head.capacity()
            + self.body.capacity()
            + self.trailers.capacity()
            + self.gaps.capacity() * size_of::<(usize, u64)>();
        cx.budget.rebook(&mut self.counted, now);
    }

    /// Keeps octets of the body that begin at this offset of the message's stream.
    fn keep(&mut self, cx: &mut Context, offset: u64, octets: &[u8]) {
        let skip = self.body_at.saturating_sub(offset);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let data = octets.get(skip..).unwrap_or_default();
        // A body is shown, and may not cost what waits its place.
        let free = cx.budget.limit().saturating_sub(cx.budget.used()) / 4;
        let room = (BODY - self.body.len().min(BODY)).min(free);
        let kept = if self.more > 0 {
            &[]
        } else {
            data.get(..room).unwrap_or(data)
        };
        self.more += (data.len() - kept.len()) as u64;
        if !kept.is_empty() {
            self.body.extend_from_slice(kept);
            self.count(cx);
        }
    }

    /// Counts a gap, and keeps its place where it is to be drawn.
    fn gap(&mut self, cx: &mut Context, len: u64, drawn: bool) {
        self.lost = self.lost.saturating_add(len);
        if drawn && self.more == 0 && self.gaps.len() < GAPS {
            self.gaps.push((self.body.len(), len));
            self.count(cx);
        }
    }
}

/// Whom messages in connections have named that these are between: the connections' later lines say so.
#[derive(Debug, Default, Serialize, Deserialize)]
struct NamedConnections {
    /// By the connection's number.
    ends: BTreeMap<u64, NamedEnds>,
    /// Octets allocated for their words.
    words: usize,
    /// Octets drawn on the budget.
    booked: usize,
}

impl NamedConnections {
    /// A message in this connection names them.
    fn add(&mut self, connection: u64, named: NamedEnds, budget: &mut Budget) {
        if self.ends.len() < NAMED || self.ends.contains_key(&connection) {
            let ends = self.ends.entry(connection).or_default();
            let before = Self::words(ends);
            ends.add(named);
            self.words = self
                .words
                .saturating_add(Self::words(ends))
                .saturating_sub(before);
            self.book(budget);
        }
    }

    /// The connection has ended.
    fn remove(&mut self, connection: u64, budget: &mut Budget) {
        if let Some(ends) = self.ends.remove(&connection) {
            self.words = self.words.saturating_sub(Self::words(&ends));
            self.book(budget);
        }
    }

    /// Octets allocated for the words of one; by their lengths, as what is read back has no more room than it needs.
    fn words(ends: &NamedEnds) -> usize {
        let words = [&ends.client, &ends.server].into_iter().flatten();
        words.map(|word| allocated(word.len())).sum()
    }

    fn book(&mut self, budget: &mut Budget) {
        let size = tree::<u64, NamedEnds>(self.ends.len()).saturating_add(self.words);
        budget.rebook(&mut self.booked, size);
    }
}

/// The output that prints.
pub(crate) struct Print {
    out: BufferedWriter,
    style: Style,
    look: Look,
    clock: Clock,
    columns: Columns,
    /// Requests in datagrams and user messages.
    asked: NumberedRequests<Timestamp>,
    clients: DatagramClients,
    named: NamedConnections,
    /// What the message answers that begins next.
    paired: Paired,
    /// The file that it is about, where it does not say that itself.
    file: String,
    text: String,
    /// A message that was printed, whose memory is used for the next one.
    spare: Option<Box<PrintedMessage>>,
    /// Something was printed.
    begun: bool,
    /// As many messages as are wanted were printed: no gap behind them is drawn.
    full: bool,
}

/// Who sends a message to whom.
struct Sent {
    src: SocketAddr,
    dst: SocketAddr,
    from_client: bool,
}

impl Print {
    pub(crate) fn new(name: &str, to: Writer, style: Style, look: Look, each: bool) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each).of_messages(),
            style,
            look,
            clock: Clock::new(look.time),
            columns: Columns::new(&look),
            asked: NumberedRequests::default(),
            clients: DatagramClients::default(),
            named: NamedConnections::default(),
            paired: Paired::default(),
            file: String::new(),
            text: String::new(),
            spare: None,
            begun: false,
            full: false,
        }
    }

    /// The last message was printed.
    pub(in crate::sink) const fn ends(&mut self) {
        self.full = true;
    }

    /// Draws a gap that lies between messages, as a line of its own.
    fn draw(&mut self, cx: &Context, flow: &Flow, sent: &Sent, len: u64, words: String) {
        let gap = PrintedMessage {
            protocol: Name::of("gap"),
            summary: words,
            tone: Tone::Bad,
            octets: len,
            ..PrintedMessage::default()
        };
        self.print(cx, flow, sent, &gap, false);
    }

    /// Gaps between messages are drawn.
    const fn draws(&self) -> bool {
        matches!(self.style, Style::Full) && self.look.gaps && !self.full
    }

    /// Keeps header fields where the protocol has them; the body begins behind them.
    fn keep_head(line: &mut PrintedMessage, protocol: &str, head: &[u8], offset: u64) {
        line.body_at = offset;
        if has_fields(protocol) {
            line.head
                .extend_from_slice(head.get(..HEAD).unwrap_or(head));
            line.head_more = head.len().saturating_sub(HEAD) as u64;
            line.body_at = offset.saturating_add(head.len() as u64);
        }
    }

    fn print(
        &mut self,
        cx: &Context,
        flow: &Flow,
        sent: &Sent,
        line: &PrintedMessage,
        incomplete: bool,
    ) {
        // In ASCII what is not is as many columns as it is escaped.
        let summary = match self.look.ascii {
            true => ascii(&line.summary),
            false => line.summary.as_str().into(),
        };
        let t = &mut self.text;
        t.clear();
        if self.style == Style::Full && self.begun {
            t.push('\n');
        }
        self.begun = true;
        let (client, server) = if sent.from_client {
            (sent.src, sent.dst)
        } else {
            (sent.dst, sent.src)
        };
        let shown = Shown {
            time: cx.packet.time,
            flow,
            client,
            server,
            from_client: sent.from_client,
            protocol: line.protocol.text(),
            kind: line.kind,
            // What a request has in parentheses at its end says less than what it asks for.
            end_counts: result_is_last(line.protocol.text())
                && !(line.kind == Kind::Request && summary.ends_with(')')),
            words_ahead: words_ahead(line.protocol.text()) + usize::from(line.words_ahead),
            octets: line.octets,
            summary: &summary,
            tone: line.tone,
            delay: line.delay,
            lost: incomplete.then_some(line.lost),
        };
        let cut = line::line(&shown, &self.look, &mut self.columns, &mut self.clock, t);
        if self.look.ascii {
            plain_ellipses(t, 0);
        }
        let content = t.len();
        if self.style == Style::Full {
            // What had no room in the line stands below it, and nothing stands twice.
            let (first, alone) = content::begins_with(&line.body, &line.summary);
            if cut && !first {
                content::whole(&line.summary, t);
            }
            let said = !cut && first && alone && line.gaps.is_empty() && line.more == 0;
            let paint = Paint::new(&self.look);
            content::head(&line.head, line.head_more, &paint, t);
            let body = content::Body {
                octets: &line.body,
                gaps: &line.gaps,
                more: line.more,
            };
            if !line.head.is_empty() && !body.is_empty() {
                t.push('\n');
            }
            if !said {
                content::body(&line.head, &body, &paint, t);
            }
            content::trailers(&line.trailers, &paint, t);
            escape_behind(t, content, self.look.ascii);
        }
        self.out.messages(1);
        self.out.write([t.as_bytes(), &[], &[], &[]]);
    }

    /// What is kept of a message that begins.
    fn begin(&mut self, protocol: &'static str, kind: Kind) -> Box<PrintedMessage> {
        let mut line = self.spare.take().unwrap_or_default();
        line.protocol = Name::of(protocol);
        line.kind = kind;
        line
    }

    /// A message was printed. Its words, which are short, are written over by those of another.
    fn done(&mut self, mut line: Box<PrintedMessage>) {
        let mut summary = std::mem::take(&mut line.summary);
        summary.clear();
        *line = PrintedMessage {
            summary,
            ..PrintedMessage::default()
        };
        self.spare = Some(line);
    }

    /// A message that is at hand as a whole.
    fn at_hand(
        &mut self,
        cx: &mut Context,
        transport: Transport,
        protocol: &'static str,
        octets: &[u8],
    ) -> Box<PrintedMessage> {
        let mut line = self.begin(protocol, kind(protocol, octets));
        line.octets = octets.len() as u64;
        summary(protocol, transport, line.kind, octets, &mut line.summary);
        line.tone = self.tone(protocol, &line.summary, transport, line.kind, octets);
        if self.style == Style::Full {
            if has_fields(protocol) {
                let fields =
                    memchr::memmem::find(octets, b"\r\n\r\n").map_or(octets.len(), |at| at + 4);
                Self::keep_head(
                    &mut line,
                    protocol,
                    octets.get(..fields).unwrap_or(octets),
                    0,
                );
            }
            line.keep(cx, 0, octets);
        }
        line
    }

    /// The file that the message is about which begins next, escaped.
    pub(in crate::sink) fn is_about(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// What the message answers that begins next.
    pub(in crate::sink) const fn answers(&mut self, paired: Paired) {
        self.paired = paired;
    }

    /// See [`NumberedRequests::delay`].
    pub(in crate::sink) fn numbered(
        &mut self,
        at: (&Flow, Direction),
        time: Timestamp,
        protocol: &str,
        kind: Kind,
        head: &[u8],
    ) -> Option<Duration> {
        self.asked.delay(at, time, protocol, kind, head)
    }

    fn tone(
        &self,
        protocol: &str,
        summary: &str,
        transport: Transport,
        kind: Kind,
        head: &[u8],
    ) -> Tone {
        if self.look.color {
            Tone::of(protocol, summary, &fields(protocol, transport, kind, head))
        } else {
            Tone::Plain
        }
    }
}

/// The words of a gap between messages, in a line that has little room; 0: nobody knows how many octets it has.
fn short_words(len: u64) -> String {
    match len {
        0 => "~~~ bytes missing ~~~".to_owned(),
        1 => "~~~ 1 byte missing ~~~".to_owned(),
        n => format!("~~~ {n} bytes missing ~~~"),
    }
}

/// An event of a message, with what is kept for its connection.
type PrintEvent<'a> = StreamContext<'a, Option<Box<PrintedConnection>>>;

impl MessageSink for Print {
    type State = Option<Box<PrintedConnection>>;

    fn start(&mut self, at: &mut PrintEvent<'_>, start: &MessageStart<'_>) {
        let mut new = self.begin(start.protocol, start.kind);
        if let Some(named) = self.named.ends.get(&at.flow.number)
            && self.look.width.is_none_or(|width| width >= NAMED_WIDTH)
        {
            let (client, server) = (named.client.as_deref(), named.server.as_deref());
            let ends = [client, server].map(Option::unwrap_or_default);
            let arrow = Paint::new(&self.look).arrow;
            let _ = write!(new.summary, "[{}{arrow}{}] ", ends[0], ends[1]);
            new.words_ahead += 1;
        }
        if let Some(named) = named_ends(start.protocol, start.head) {
            self.named.add(at.flow.number, named, &mut at.cx.budget);
        }
        if let Some(stream) = start.carried.and_then(|way| way.stream) {
            // The way of a message is part of its name: connection, and stream in it.
            let _ = write!(new.summary, "[{stream}] ");
            new.words_ahead += 1;
        }
        let paired = std::mem::take(&mut self.paired);
        if let Some(about) = paired.about(start.protocol) {
            new.summary.extend([about, " "]);
        }
        summary(
            start.protocol,
            at.flow.transport,
            start.kind,
            start.head,
            &mut new.summary,
        );
        if !self.file.is_empty() {
            new.summary.extend([FILE, &shown(&self.file)]);
            self.file.clear();
        }
        new.tone = self.tone(
            start.protocol,
            &new.summary,
            at.flow.transport,
            start.kind,
            start.head,
        );
        if self.style == Style::Full {
            Self::keep_head(&mut new, start.protocol, start.head, start.offset);
        }
        new.delay = paired.asked.map(|asked| start.time.since(asked));
        let cx = &mut *at.cx;
        new.count(cx);
        let connection = kept(cx, at.state);
        let what = (start.protocol, start.kind);
        let opened = at.sides[at.direction.index()].from_start;
        client_by(&mut connection.client, at.flow, what, at.direction, opened);
        if let Some(old) = connection.messages[at.direction.index()].replace(new) {
            cx.budget.give(old.counted);
        }
    }

    fn data(&mut self, at: &mut PrintEvent<'_>, piece: &Piece<'_>) {
        let connection = at.state.as_deref_mut();
        let Some(line) = connection.and_then(|c| c.messages[at.direction.index()].as_deref_mut())
        else {
            return;
        };
        line.octets += piece.data.len() as u64;
        if self.style == Style::Full {
            line.keep(at.cx, piece.offset, piece.data);
        }
    }

    fn gap(&mut self, at: &mut PrintEvent<'_>, gap: &MessageGap) {
        let i = at.direction.index();
        let Some(connection) = at.state.as_deref_mut() else {
            return;
        };
        let drawn = &mut connection.drawn[i];
        let end = gap.offset.saturating_add(gap.len);
        // What lies in front of a message was drawn before anybody knew that there is one.
        let new = end > *drawn;
        *drawn = end.max(*drawn);
        if let Some(line) = connection.messages[i].as_deref_mut() {
            line.gap(at.cx, gap.len, new);
        }
    }

    fn trailers(&mut self, at: &mut PrintEvent<'_>, section: &[u8]) {
        let connection = at.state.as_deref_mut();
        if let Some(line) = connection.and_then(|c| c.messages[at.direction.index()].as_deref_mut())
            && self.style == Style::Full
        {
            let room = HEAD.saturating_sub(line.trailers.len());
            let section = section.get(..room).unwrap_or(section);
            line.trailers.extend_from_slice(section);
            line.count(at.cx);
        }
    }

    fn stream_gap(&mut self, at: &mut PrintEvent<'_>, gap: &Gap) {
        if !self.draws() {
            return;
        }
        let from_start = at.side().from_start;
        let connection = kept(at.cx, at.state);
        let drawn = &mut connection.drawn[at.direction.index()];
        let end = gap.offset.saturating_add(gap.len.unwrap_or(0));
        let missing = end.saturating_sub(gap.offset.max(*drawn));
        *drawn = end.max(*drawn);
        // A message that goes up to the end of the stream has what nobody can measure.
        let open = connection.messages[at.direction.index()].is_some();
        if missing == 0 && (gap.len.is_some() || open) {
            return;
        }
        let client = connection.client;
        let client = client.unwrap_or_else(|| client_of(at.flow, NO_PROTOCOL, from_start));
        let sent = Sent {
            src: at.flow.src(at.direction),
            dst: at.flow.dst(at.direction),
            from_client: at.direction == client,
        };
        self.draw(at.cx, at.flow, &sent, missing, short_words(missing));
    }

    fn end(&mut self, at: &mut PrintEvent<'_>, end: &MessageEnd) {
        let from_start = at.side().from_start;
        let Some(connection) = at.state.as_deref_mut() else {
            return;
        };
        let Some(line) = connection.messages[at.direction.index()].take() else {
            return;
        };
        at.cx.budget.give(line.counted);
        let client = connection.client;
        let protocol = line.protocol.text();
        let client = client.unwrap_or_else(|| client_of(at.flow, protocol, from_start));
        let sent = Sent {
            src: at.flow.src(at.direction),
            dst: at.flow.dst(at.direction),
            from_client: at.direction == client,
        };
        self.print(at.cx, at.flow, &sent, &line, !end.whole);
        self.done(line);
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        let mut line = self.at_hand(at.cx, Transport::Udp, message.protocol, payload);
        let lost = payload_len.saturating_sub(payload.len()) as u64;
        if lost > 0 {
            line.gap(at.cx, lost, true);
        }
        let time = at.cx.packet.time;
        line.delay = self.numbered(
            (at.flow, at.direction),
            time,
            message.protocol,
            line.kind,
            payload,
        );
        let what = (message.protocol, line.kind);
        let client = self.clients.client(at.flow, what, at.direction);
        let sent = Sent {
            src: at.flow.src(at.direction),
            dst: at.flow.dst(at.direction),
            from_client: at.direction == client,
        };
        at.cx.budget.give(line.counted);
        self.print(at.cx, at.flow, &sent, &line, lost > 0);
        self.done(line);
    }

    /// Prints an SCTP user message. With multihoming its addresses are not always those of the association.
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        let mut line = self.at_hand(at.cx, Transport::Sctp, protocol, message.data);
        if !message.whole {
            line.gap(at.cx, message.lost(), true);
        }
        line.delay = self.numbered(
            (at.flow, message.direction),
            message.time,
            protocol,
            line.kind,
            message.data,
        );
        let known = &mut kept(at.cx, at.state).client;
        let what = (protocol, line.kind);
        let client = client_by(known, at.flow, what, message.direction, false);
        let sent = Sent {
            src: message.src,
            dst: message.dst,
            from_client: message.direction == client,
        };
        at.cx.budget.give(line.counted);
        self.print(at.cx, at.flow, &sent, &line, !message.whole);
        self.done(line);
    }

    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, Self::State>, gap: &ChunkGap) {
        // What its sender abandoned is missing to nobody.
        if !self.draws() || gap.cause.is_none() {
            return;
        }
        let client = at.state.as_ref().and_then(|connection| connection.client);
        let sent = Sent {
            src: at.flow.src(gap.direction),
            dst: at.flow.dst(gap.direction),
            from_client: gap.direction
                == client.unwrap_or_else(|| client_of(at.flow, NO_PROTOCOL, false)),
        };
        let s = if gap.tsns == 1 { "" } else { "s" };
        let words = format!("~~~ {} data chunk{s} missing ~~~", gap.tsns);
        self.draw(at.cx, at.flow, &sent, 0, words);
    }

    fn carried_end(&mut self, at: &mut PrintEvent<'_>) {
        Self::give_back(at);
    }

    fn closed(&mut self, at: &mut PrintEvent<'_>, _: Close) {
        self.named.remove(at.flow.number, &mut at.cx.budget);
        Self::give_back(at);
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, _: Close) {
        take_kept(at.cx, at.state);
    }
}

impl Print {
    /// Nothing more is printed of a connection, or of a stream that one carries.
    fn give_back(at: &mut PrintEvent<'_>) {
        if let Some(connection) = take_kept(at.cx, at.state) {
            for line in connection.messages.into_iter().flatten() {
                at.cx.budget.give(line.counted);
            }
        }
    }
}

impl Output for Print {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.out.channel());
    }

    fn save(&self, to: &mut StateWriter) {
        to.put(&self.clock);
        to.put(&(&self.columns, &self.asked, &self.clients));
        to.put(&self.named);
        to.put(&(self.begun, self.full));
    }

    fn load(&mut self, _: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        self.clock.go_on(from.get()?);
        (self.columns, self.asked, self.clients) = from.get()?;
        self.named = from.get()?;
        (self.begun, self.full) = from.get()?;
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

    fn counts(&self) -> bool {
        true
    }
}

/// Protocols whose head is a start line and header fields.
fn has_fields(protocol: &str) -> bool {
    matches!(protocol, "http" | "http2" | "sip" | "rtsp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_connections_are_few_and_booked() {
        let (mut named, mut budget) = (NamedConnections::default(), Budget::new(1 << 20));
        let ends = |server: &str| NamedEnds {
            client: None,
            server: Some(server.to_owned()),
        };
        let most = NAMED as u64;
        for connection in 0..=most {
            named.add(connection, ends("a"), &mut budget);
        }
        assert_eq!(named.ends.len(), NAMED);
        let before = budget.used();
        assert!(before >= NAMED * size_of::<(u64, NamedEnds)>());
        named.add(0, ends(&"b".repeat(1000)), &mut budget);
        assert!(budget.used() >= before + 900);
        for connection in 0..=most {
            named.remove(connection, &mut budget);
        }
        assert_eq!(budget.used(), 0);
    }
}
