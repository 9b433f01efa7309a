//! `--table`: columns for scripts, separated by tabs, below a header line.

mod columns;

use super::choice::{FILE, MessageChoice};
use super::exchange::{
    FIRST_STREAM, Kept, Numbered, NumberedRequests, Unmatched, WaitingRequest, WaitingRequests,
    goes_over, numbered,
};
use super::output::{Output, kept, take_kept};
use super::pairing::{Copied, Paired, is_interim};
use super::print::{Clock, TimeForm};
use super::sides::{DatagramClients, KnownClient, client_by, client_of};
use super::text::{ended_by, kind_word};
use super::writer::{BufferedWriter, OutputError, Writer};
use crate::base::context::Context;
use crate::base::counters::{ChannelCounters, Counters};
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::Kind;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::base::stream::{Chunk, Close, Gap};
use crate::base::time::Timestamp;
use crate::message::events::DatagramMessage;
use crate::message::records::HandshakeMessage;
use crate::message::rules::ProtocolFilter;
use crate::message::{
    FieldValue, MessageFields, NamedEnds, bundle, escape, fields, kind, shown, unescaped,
};
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::message::{named_ends, summary};
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::tls::TlsSeen;
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
pub use columns::{TABLES, TableColumns, TableName};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

/// What a table looks like.
#[derive(Clone, Debug)]
pub struct TableForm {
    /// Which table.
    pub name: TableName,
    /// Its columns, in order; empty: all that it has.
    pub fields: Vec<String>,
    /// What their header line calls them.
    pub headings: Vec<String>,
    /// How times are written.
    pub time: TimeForm,
    /// `--kind`, `--match`, `--from`, `--to` choose messages, and so the rows that tell of one; `count`: of so many rows, where these
    /// are no messages.
    pub rows: MessageChoice,
    /// `--protocols` chooses connections by what they carry.
    pub protocols: ProtocolFilter,
}

/// The output of a table.
pub(super) struct Table {
    out: BufferedWriter,
    form: TableForm,
    clock: Clock,
    asked: NumberedRequests<Asked>,
    /// The same, where only the time is wanted.
    times: NumberedRequests<Timestamp>,
    /// What the message answers that begins next.
    paired: Paired,
    /// The file that it is about, where it does not say that itself.
    file: String,
    /// By the number of the connection: a request that has been answered by going over to HTTP/2, whose first stream has the answer
    /// proper (RFC 7540, 3.2).
    upgraded: AgedTable<u64, (Asked, Answer)>,
    /// What datagrams have answered, so that the same answer again is no other row.
    told: NumberedRequests<MessageFields>,
    clients: DatagramClients,
    /// What was seen of the connection that has just ended, for its [`MessageSink::flow_end`].
    ended: Option<Box<TableConnection>>,
    /// The table of protocols: what was found of each on the connections that are chosen; None: these are all, and the run counts
    /// them.
    found: Option<Counters>,
    header: bool,
    /// Rows that may still be written, where `--count` says how many.
    left: Option<u64>,
    /// What comes now is of a message that was not chosen: a row may tell of it beside one that was.
    passed_over: bool,
    /// Flows of UDP with a message that was chosen, by their numbers, where some are.
    chosen: HashSet<u64>,
}

/// Connections that have just gone over to HTTP/2: servers answer at once. For one more the oldest is told of as it is.
const UPGRADED: usize = 256;
/// Octets of memory for a flow that is noted.
// A number and its place in a table that is at least half full.
const NOTED: usize = 4 * size_of::<u64>();

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TableConnection {
    open: [Option<Box<OpenRow>>; 2],
    requests: WaitingRequests<Asked, Answer>,
    protocol: Option<Name>,
    seen: [Seen; 2],
    client: KnownClient,
    /// By direction: the protocol of the open message, where it is counted, and its octets.
    counted: [Option<(Name, u64)>; 2],
    /// One of its messages was chosen.
    chosen: bool,
    /// The capture has its beginning.
    opened: bool,
    /// Whom it is between, where a message says that.
    named: Option<Box<NamedEnds>>,
    /// What its TLS says.
    tls: Option<Box<TlsSeen>>,
}

/// What was seen of a direction.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    bytes: u64,
    messages: u64,
    lost: u64,
}

/// A message that is open.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OpenRow {
    protocol: String,
    kind: Kind,
    summary: String,
    fields: MessageFields,
    time: Timestamp,
    answers: Option<u64>,
    /// What its protocol tells answers by, and its octets.
    id: Option<Numbered>,
    copied: Option<Copied>,
    /// From the request to this answer.
    delay: Option<Duration>,
    bytes: u64,
    lost: u64,
    /// It was chosen.
    chosen: bool,
    /// It goes over to HTTP/2.
    upgrades: bool,
    /// The stream that carries it, where one does.
    stream: Option<u32>,
    /// Octets that were counted for it.
    counted: usize,
}

impl OpenRow {
    fn count(&mut self, cx: &mut Context) {
        self.counted = size_of::<Self>()
            + self.protocol.capacity()
            + self.summary.capacity()
            + self.fields.allocated();
        cx.budget.take(self.counted);
    }
}

/// A request that waits for its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Asked {
    time: Timestamp,
    client: SocketAddr,
    server: SocketAddr,
    fields: MessageFields,
    bytes: u64,
    whole: bool,
    chosen: bool,
}

impl Kept for Asked {
    fn allocated(&self) -> usize {
        self.fields.allocated()
    }
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    time: Timestamp,
    fields: MessageFields,
    bytes: u64,
    whole: bool,
    chosen: bool,
}

impl Kept for Answer {
    fn allocated(&self) -> usize {
        self.fields.allocated()
    }
}

/// Names and values of a row.
type Row = Vec<(&'static str, String)>;

/// The column of the words on a message.
const SUMMARY: &str = "summary";

/// Messages of these are in this table.
fn is_of(table: TableName, protocol: &str) -> bool {
    match table {
        TableName::Http => matches!(protocol, "http" | "http2"),
        TableName::Dns => matches!(protocol, "dns" | "mdns" | "llmnr"),
        _ => false,
    }
}

impl Table {
    pub(super) fn new(name: &str, to: Writer, form: TableForm, each: bool) -> Self {
        let out = BufferedWriter::new(name, to, each);
        let of_messages = matches!(
            form.name,
            TableName::Messages | TableName::Http | TableName::Dns
        );
        Self {
            out: if of_messages { out.of_messages() } else { out },
            clock: Clock::new(form.time),
            left: form.rows.count,
            form,
            asked: NumberedRequests::default(),
            times: NumberedRequests::default(),
            paired: Paired::default(),
            file: String::new(),
            upgraded: AgedTable::default(),
            told: NumberedRequests::default(),
            clients: DatagramClients::default(),
            ended: None,
            found: None,
            header: false,
            passed_over: false,
            chosen: HashSet::new(),
        }
    }

    /// Rows may tell of messages that were not chosen, beside others that were.
    pub(super) const fn needs_all(&self) -> bool {
        use TableName::{Connections, Dns, Http};
        matches!(self.form.name, Http | Dns | Connections)
    }

    /// What comes now is of a message that was not chosen, or is not.
    pub(super) const fn passes_over(&mut self, passed_over: bool) {
        self.passed_over = passed_over;
    }

    /// Only some connections or messages are told of.
    pub(super) fn counts_chosen(&mut self) {
        if self.form.name == TableName::Protocols {
            self.found = Some(Counters::default());
        }
    }

    /// It counts frames, and not what they carry, as the run does.
    pub(super) const fn counts_frames(&self) -> bool {
        self.found.is_some()
    }

    /// Counts a message that is at hand as a whole.
    fn count_whole(&mut self, protocol: &'static str, octets: &[u8], whole: bool) {
        let Some(found) = &mut self.found else {
            return;
        };
        let (mut messages, mut cut) = (0, false);
        for one in bundle(protocol, octets).into_iter().flatten() {
            messages += 1;
            cut = one.len > one.data.len() as u64;
        }
        let counters = found.protocol(Name::of(protocol));
        counters.messages += messages.max(1);
        counters.octets += octets.len() as u64;
        counters.incomplete += u64::from(cut || !whole);
    }

    /// Its rows are files, which others find.
    pub(super) fn lists_files(&self) -> bool {
        self.form.name == TableName::Files
    }

    /// Files that were transferred: the lines of their list.
    pub(super) fn files(&mut self, lines: &str) {
        for line in lines.lines() {
            let file: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            self.write(|name| match file.get(name)? {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Null => None,
                serde_json::Value::Bool(is) => Some(yes(*is).to_owned()),
                other => Some(other.to_string()),
            });
        }
    }

    /// A row of it has the time that an answer took, of a message of any protocol.
    pub(super) fn shows_delays(&self) -> bool {
        self.form.name == TableName::Messages
    }

    /// The file that the message is about which begins next, escaped.
    pub(super) fn is_about(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// What the message answers that begins next.
    pub(super) const fn answers(&mut self, paired: Paired) {
        self.paired = paired;
    }

    /// See [`NumberedRequests::delay`].
    pub(super) fn numbered(
        &mut self,
        at: (&Flow, Direction),
        time: Timestamp,
        protocol: &str,
        kind: Kind,
        head: &[u8],
    ) -> Option<Duration> {
        if !self.shows_delays() {
            return None;
        }
        self.times.delay(at, time, protocol, kind, head)
    }

    /// As many rows were written as are wanted.
    pub(super) fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Writes a row; `value` knows what stands in each column, if anything does.
    fn write(&mut self, value: impl Fn(&str) -> Option<String>) {
        self.begin_table();
        if self.is_full() {
            return;
        }
        let mut line = String::new();
        let columns = self.form.name.columns().iter().map(|(name, _)| *name);
        let chosen = self.form.fields.iter().map(String::as_str);
        let all = self.form.fields.is_empty();
        for (i, name) in chosen.chain(columns.filter(|_| all)).enumerate() {
            if i > 0 {
                line.push('\t');
            }
            match value(name) {
                // It is escaped when it is made.
                Some(value) if name == SUMMARY => line.push_str(&value),
                // No tab and no line end of a value parts columns or rows.
                Some(value) => escape(value.as_bytes(), &mut line),
                None => {}
            }
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        line.push('\n');
        self.out.write([line.as_bytes(), &[], &[], &[]]);
    }

    fn begin_table(&mut self) {
        if std::mem::replace(&mut self.header, true) {
            return;
        }
        let mut line = if self.form.fields.is_empty() {
            let columns = self.form.name.columns().iter().map(|(name, _)| *name);
            columns.collect::<Vec<_>>().join("\t")
        } else {
            self.form.headings.join("\t")
        };
        line.push('\n');
        self.out.write([line.as_bytes(), &[], &[], &[]]);
    }

    fn row(&mut self, row: &Row) {
        self.write(|name| {
            let found = row.iter().find(|(column, _)| *column == name);
            found.map(|(_, value)| value.clone())
        });
    }

    fn time(&mut self, time: Timestamp) -> String {
        let mut text = String::new();
        self.clock.show(time, false, false, &mut text);
        // A column for `column -t` and `awk` has no space in it.
        text.trim().replace(' ', "T")
    }

    /// A row of the table of messages.
    fn message(
        &mut self,
        cx: &Context,
        flow: &Flow,
        ends: (SocketAddr, SocketAddr),
        open: &OpenRow,
        whole: bool,
    ) {
        if self.form.name != TableName::Messages {
            return;
        }
        let mut row: Row = vec![
            ("time", self.time(cx.packet.time)),
            ("transport", flow.transport.name().to_owned()),
            ("connection", flow.number.to_string()),
            ("src", ends.0.to_string()),
            ("dst", ends.1.to_string()),
            ("protocol", open.protocol.clone()),
            ("kind", kind_word(open.kind).to_owned()),
            ("bytes", open.bytes.to_string()),
            ("whole", yes(whole).to_owned()),
            (SUMMARY, open.summary.clone()),
        ];
        if whole || open.lost > 0 {
            row.push(("lost", open.lost.to_string()));
        }
        row.extend(open.delay.map(|delay| ("delay", seconds(delay))));
        let protocol = format!("{}.", open.protocol);
        self.count_messages(1);
        self.write(|name| {
            if let Some((_, value)) = row.iter().find(|(column, _)| *column == name) {
                return Some(value.clone());
            }
            open.fields
                .get(name.strip_prefix(&protocol)?)
                .map(field_text)
        });
    }

    /// A row of the tables of exchanges.
    fn exchange(
        &mut self,
        asked: Option<&Asked>,
        answer: Option<&Answer>,
        ends: (SocketAddr, SocketAddr),
    ) {
        let field = |fields: Option<&MessageFields>, name| {
            fields
                .and_then(|f| f.get(name))
                .map(field_text)
                .unwrap_or_default()
        };
        let (request, response) = (asked.map(|a| &a.fields), answer.map(|a| &a.fields));
        let time = asked
            .map(|a| a.time)
            .or(answer.map(|a| a.time))
            .unwrap_or_default();
        if !(asked.is_some_and(|a| a.chosen) || answer.is_some_and(|a| a.chosen)) {
            return;
        }
        let (client, server) = asked.map_or(ends, |a| (a.client, a.server));
        let mut row: Row = vec![
            ("time", self.time(time)),
            ("client", client.to_string()),
            ("server", server.to_string()),
        ];
        if let (Some(asked), Some(answer)) = (asked, answer) {
            row.push(("delay", seconds(answer.time.since(asked.time))));
        }
        if self.form.name == TableName::Dns {
            // Both have the question, and the answer may be all that was captured.
            let either = request.or(response);
            row.push(("question", field(either, "question")));
            row.push(("type", field(either, "type")));
            row.push(("rcode", field(response, "rcode")));
            row.push(("answers", field(response, "answers")));
        } else {
            row.push(("method", field(request, "method")));
            row.push(("host", field(request, "host")));
            row.push(("uri", field(request, "uri")));
            row.push(("status", field(response, "status")));
            let media_type = field(response, "content_type");
            let media_type = media_type.split(';').next().unwrap_or_default();
            row.push(("type", media_type.trim().to_ascii_lowercase()));
            row.extend(asked.map(|a| ("request_bytes", a.bytes.to_string())));
            row.extend(answer.map(|a| ("response_bytes", a.bytes.to_string())));
            let whole = asked.is_some_and(|a| a.whole) && answer.is_some_and(|a| a.whole);
            row.push(("whole", yes(whole).to_owned()));
        }
        self.count_messages(u64::from(asked.is_some()) + u64::from(answer.is_some()));
        self.row(&row);
    }

    /// The next row tells of so many messages.
    fn count_messages(&mut self, messages: u64) {
        if !self.is_full() {
            self.out.messages(messages);
        }
    }

    fn unanswered(&mut self, asked: &Asked) {
        self.exchange(Some(asked), None, (asked.client, asked.server));
    }

    /// A message that is at hand as a whole.
    fn at_hand(
        &self,
        cx: &mut Context,
        transport: Transport,
        protocol: &str,
        octets: &[u8],
    ) -> OpenRow {
        let mut open = OpenRow {
            protocol: protocol.to_owned(),
            kind: kind(protocol, octets),
            fields: fields(protocol, transport, kind(protocol, octets), octets),
            time: cx.packet.time,
            bytes: octets.len() as u64,
            chosen: !self.passed_over,
            ..OpenRow::default()
        };
        if self.form.name == TableName::Messages {
            summary(protocol, transport, open.kind, octets, &mut open.summary);
        }
        open
    }
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn field_text(value: FieldValue<'_>) -> String {
    match value {
        FieldValue::Text(text) => text.to_owned(),
        FieldValue::Number(number) => number.to_string(),
    }
}

fn seconds(time: Duration) -> String {
    let mut text = String::new();
    let _ = write!(text, "{}.{:06}", time.as_secs(), time.subsec_micros());
    text
}

/// An event of a message, with what is kept for its connection.
type TableEvent<'a> = StreamContext<'a, Option<Box<TableConnection>>>;

impl TableConnection {
    fn carries(&mut self, protocol: &'static str) {
        if self
            .protocol
            .is_none_or(|known| known.text() == NO_PROTOCOL)
        {
            self.protocol = Some(Name::of(protocol));
        }
    }
}

impl MessageSink for Table {
    type State = Option<Box<TableConnection>>;

    fn start(&mut self, at: &mut TableEvent<'_>, start: &MessageStart<'_>) {
        if start.carried.is_none() {
            self.frame_start(at, start);
        }
        let name = self.form.name;
        let paired = std::mem::take(&mut self.paired);
        let file = std::mem::take(&mut self.file);
        let delay = paired.asked.map(|asked| start.time.since(asked));
        let connection = kept(at.cx, at.state);
        connection.carries(start.protocol);
        connection.chosen |= !self.passed_over;
        let what = (start.protocol, start.kind);
        let opened = at.sides[at.direction.index()].from_start;
        client_by(&mut connection.client, at.flow, what, at.direction, opened);
        if name == TableName::Connections
            && let Some(named) = named_ends(start.protocol, start.head)
        {
            connection.named.get_or_insert_default().add(named);
        }
        if !(name == TableName::Messages || is_of(name, start.protocol)) {
            return;
        }
        // A row for each message pairs nothing.
        let id = if name == TableName::Messages {
            None
        } else {
            numbered(
                (at.flow, at.direction),
                start.protocol,
                start.kind,
                start.head,
            )
        };
        let mut open = Box::new(OpenRow {
            protocol: start.protocol.to_owned(),
            kind: start.kind,
            fields: fields(start.protocol, at.flow.transport, start.kind, start.head),
            time: start.time,
            answers: start.answers,
            id,
            copied: id.map(|_| self.asked.copied(start.head, start.time)),
            delay,
            chosen: !self.passed_over,
            upgrades: name == TableName::Http && goes_over(start),
            stream: start.carried.and_then(|way| way.stream),
            ..OpenRow::default()
        });
        if name == TableName::Messages {
            if let Some(about) = paired.about(start.protocol) {
                open.summary.extend([about, " "]);
            }
            summary(
                start.protocol,
                at.flow.transport,
                start.kind,
                start.head,
                &mut open.summary,
            );
            if !file.is_empty() {
                open.summary.extend([FILE, &shown(&file)]);
                open.fields.text("file", &unescaped(&file));
            }
        } else if start.kind == Kind::Request && open.id.is_none() {
            let request = WaitingRequest {
                offset: start.offset,
                time: start.time,
                whole: None,
                early: None,
                counted: 0,
                kept: Asked {
                    time: start.time,
                    client: at.flow.src(at.direction),
                    server: at.flow.dst(at.direction),
                    fields: open.fields.clone(),
                    bytes: 0,
                    whole: false,
                    chosen: open.chosen,
                },
            };
            if let Some(forgotten) = connection.requests.push(at.cx, request) {
                self.unanswered(&forgotten.kept);
            }
        }
        open.count(at.cx);
        if let Some(old) = connection.open[at.direction.index()].replace(open) {
            at.cx.budget.give(old.counted);
        }
    }

    fn frame_start(&mut self, at: &mut TableEvent<'_>, start: &MessageStart<'_>) {
        if self.found.is_some() {
            let connection = kept(at.cx, at.state);
            connection.carries(start.protocol);
            let counted = &mut connection.counted[at.direction.index()];
            *counted = Some((Name::of(start.protocol), 0));
        }
    }

    fn frame_data(&mut self, at: &mut TableEvent<'_>, piece: &Piece<'_>) {
        let connection = at.state.as_deref_mut();
        if let Some(connection) = connection.filter(|_| self.found.is_some())
            && let Some((_, octets)) = &mut connection.counted[at.direction.index()]
        {
            *octets += piece.data.len() as u64;
        }
    }

    fn frame_end(&mut self, at: &mut TableEvent<'_>, end: &MessageEnd) {
        if let (Some(found), Some(connection)) = (&mut self.found, at.state.as_deref_mut())
            && let Some((name, octets)) = connection.counted[at.direction.index()].take()
        {
            let counters = found.protocol(name);
            counters.messages += 1;
            counters.octets += octets;
            counters.incomplete += u64::from(!end.whole);
        }
    }

    fn skipped(&mut self, at: &mut TableEvent<'_>, _: u64, octets: u64) {
        if let Some(found) = &mut self.found {
            let known = at.state.as_deref().and_then(|c| c.protocol);
            let name = known.unwrap_or(Name::of(NO_PROTOCOL));
            // Where messages are chosen, what lies between them is not.
            if self.form.rows.is_all() && self.form.protocols.wants(name.text()) {
                found.protocol(name).skipped += octets;
            }
        }
    }

    fn data(&mut self, at: &mut TableEvent<'_>, piece: &Piece<'_>) {
        self.frame_data(at, piece);
        let connection = at.state.as_deref_mut();
        if let Some(open) = connection.and_then(|c| c.open[at.direction.index()].as_deref_mut()) {
            open.bytes += piece.data.len() as u64;
        }
    }

    fn gap(&mut self, at: &mut TableEvent<'_>, gap: &MessageGap) {
        let connection = at.state.as_deref_mut();
        if let Some(open) = connection.and_then(|c| c.open[at.direction.index()].as_deref_mut()) {
            open.lost = open.lost.saturating_add(gap.len);
        }
    }

    fn end(&mut self, at: &mut TableEvent<'_>, end: &MessageEnd) {
        self.frame_end(at, end);
        let Some(connection) = at.state.as_deref_mut() else {
            return;
        };
        let i = at.direction.index();
        connection.seen[i].messages += 1;
        let Some(open) = connection.open[i].take() else {
            return;
        };
        at.cx.budget.give(open.counted);
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        if self.form.name == TableName::Messages {
            self.message(at.cx, at.flow, ends, &open, end.whole);
            return;
        }
        if open.kind == Kind::Request {
            if let (Some(id), Some(copied)) = (open.id, open.copied) {
                let asked = Asked {
                    time: open.time,
                    client: ends.0,
                    server: ends.1,
                    fields: open.fields,
                    bytes: open.bytes,
                    whole: end.whole,
                    chosen: open.chosen,
                };
                self.asks(id, copied, asked);
                return;
            }
            let ended = connection.requests.ended(at.cx, end.whole, |asked| {
                (asked.bytes, asked.whole) = (open.bytes, end.whole);
            });
            if let Some((request, answer)) = ended {
                self.exchange(Some(&request.kept), Some(&answer), ends);
            }
            return;
        }
        // An interim answer (1xx) is none: the request waits on.
        let interim = matches!(
            open.fields.get("status"),
            Some(FieldValue::Number(100..200))
        );
        let answer = Answer {
            time: open.time,
            fields: open.fields,
            bytes: open.bytes,
            whole: end.whole,
            chosen: open.chosen,
        };
        if let Some(asked) = open.id.and_then(|id| self.asked.answered(id)) {
            self.exchange(Some(&asked), Some(&answer), ends);
            return;
        }
        let found = match open.answers {
            Some(offset) => connection
                .requests
                .answered(at.cx, offset, answer, |left| self.unanswered(&left.kept)),
            None => Err(Unmatched::Unknown(answer)),
        };
        match found {
            Ok((request, answer)) if open.upgrades => {
                self.goes_over(at.flow.number, request.kept, answer);
            }
            Ok((request, answer)) => self.exchange(Some(&request.kept), Some(&answer), ends),
            Err(Unmatched::Unknown(answer))
                if !interim
                    && open.stream == Some(FIRST_STREAM)
                    && let Some((asked, _)) = self.gone_over(at.flow) =>
            {
                self.exchange(Some(&asked), Some(&answer), ends);
            }
            Err(Unmatched::Unknown(answer)) if !interim => {
                self.exchange(None, Some(&answer), (ends.1, ends.0));
            }
            Err(_) => {}
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let name = self.form.name;
        let is_whole = message.payload.len() >= message.payload_len;
        self.count_whole(message.protocol, message.payload, is_whole);
        if name == TableName::Connections {
            let kind = kind(message.protocol, message.payload);
            let what = (message.protocol, kind);
            self.clients.client(at.flow, what, at.direction);
            let chosen = !self.passed_over && !self.form.rows.is_all();
            if chosen && self.chosen.insert(at.flow.number) {
                at.cx.budget.take(NOTED);
            }
        }
        if !(name == TableName::Messages || is_of(name, message.protocol)) {
            return;
        }
        let (payload, len) = (message.payload, message.payload_len);
        let mut open = self.at_hand(at.cx, Transport::Udp, message.protocol, payload);
        open.lost = len.saturating_sub(payload.len()) as u64;
        let whole = open.lost == 0;
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        if name == TableName::Messages {
            open.delay = self.numbered(
                (at.flow, at.direction),
                open.time,
                message.protocol,
                open.kind,
                payload,
            );
            self.message(at.cx, at.flow, ends, &open, whole);
            return;
        }
        self.alone((at.flow, at.direction), ends, open, payload, whole);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        self.count_whole(protocol, message.data, message.whole);
        let connection = kept(at.cx, at.state);
        connection.carries(protocol);
        connection.chosen |= !self.passed_over;
        if self.form.name == TableName::Connections {
            let what = (protocol, kind(protocol, message.data));
            let known = &mut connection.client;
            client_by(known, at.flow, what, message.direction, false);
        }
        let seen = &mut connection.seen[message.direction.index()];
        seen.bytes += message.data.len() as u64;
        seen.messages += 1;
        seen.lost = seen.lost.saturating_add(message.lost());
        if self.form.name == TableName::Messages {
            let mut open = self.at_hand(at.cx, Transport::Sctp, protocol, message.data);
            open.lost = message.lost();
            let (time, data) = (message.time, message.data);
            open.delay = self.numbered(
                (at.flow, message.direction),
                time,
                protocol,
                open.kind,
                data,
            );
            let ends = (message.src, message.dst);
            self.message(at.cx, at.flow, ends, &open, message.whole);
        } else if is_of(self.form.name, protocol) {
            let mut open = self.at_hand(at.cx, Transport::Sctp, protocol, message.data);
            open.time = message.time;
            let way = (at.flow, message.direction);
            let ends = (message.src, message.dst);
            self.alone(way, ends, open, message.data, message.whole);
        }
    }

    fn stream_data(&mut self, at: &mut TableEvent<'_>, chunk: &Chunk<'_>) {
        let connection = kept(at.cx, at.state);
        connection.seen[at.direction.index()].bytes += chunk.data.len() as u64;
    }

    fn stream_gap(&mut self, at: &mut TableEvent<'_>, gap: &Gap) {
        let connection = kept(at.cx, at.state);
        let seen = &mut connection.seen[at.direction.index()];
        seen.lost = seen.lost.saturating_add(gap.len.unwrap_or(0));
    }

    fn carried(&mut self, at: &mut TableEvent<'_>, protocol: &'static str) {
        let connection = kept(at.cx, at.state);
        connection.carries(protocol);
        connection.seen[at.direction.index()].messages += 1;
    }

    fn carried_end(&mut self, at: &mut TableEvent<'_>) {
        self.connection_ended(at.cx, at.state);
        self.ended = None;
    }

    fn hears_handshakes(&self) -> bool {
        self.form.name == TableName::Connections
    }

    fn handshake(&mut self, at: &mut TableEvent<'_>, message: &HandshakeMessage<'_>) {
        if self.hears_handshakes() {
            let connection = kept(at.cx, at.state);
            let tls = connection.tls.get_or_insert_default();
            tls.add(message, at.cx);
        }
    }

    fn closed(&mut self, at: &mut TableEvent<'_>, _: Close) {
        if let Some(connection) = at.state.as_deref_mut() {
            connection.opened = at.sides.iter().any(|side| side.from_start);
        }
        self.connection_ended(at.cx, at.state);
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, _: Close) {
        self.connection_ended(at.cx, at.state);
    }

    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        if ended.flow.transport == Transport::Tcp
            && let Some((asked, answer)) = self.gone_over(ended.flow)
        {
            self.exchange(Some(&asked), Some(&answer), (asked.client, asked.server));
        }
        // Of UDP nothing is kept but clients.
        let udp = ended.flow.transport == Transport::Udp;
        let kept = self.ended.take().filter(|_| !udp);
        let told = udp.then(|| self.clients.forget(ended.flow)).flatten();
        let chosen = udp && self.chosen.remove(&ended.flow.number);
        if chosen {
            cx.budget.give(NOTED);
        }
        if self.form.name != TableName::Connections {
            return;
        }
        let flow = ended.flow;
        let seen = |i: usize| {
            let total = &ended.totals[i];
            match &kept {
                Some(kept) => kept.seen[i],
                _ => Seen {
                    bytes: total.octets,
                    messages: total.messages,
                    lost: total.lost,
                },
            }
        };
        let protocol = kept
            .as_ref()
            .and_then(|kept| kept.protocol)
            .or(ended.protocol);
        let filter = &self.form.protocols;
        let silent = seen(0).bytes + seen(1).bytes == 0;
        let wanted = match protocol {
            Some(protocol) => filter.wants(protocol.text()),
            // What it carries was left out, or it carries nothing, which is no protocol.
            None => filter.is_all() || filter.protocols.is_empty() && silent,
        };
        let rows = &self.form.rows;
        let chosen = chosen || kept.as_ref().is_some_and(|kept| kept.chosen);
        // One without a message has a time still.
        let empty = seen(0).messages + seen(1).messages == 0;
        let empty =
            empty && rows.is_any_message() && rows.takes_time(ended.first, self.clock.first);
        if !wanted || !(rows.is_all() || chosen || empty) {
            return;
        }
        let time = self.time(ended.first);
        // Of a connection without a byte nothing is known but who sent first.
        let opened = kept.as_ref().is_none_or(|kept| kept.opened) && !udp;
        let client = kept.as_ref().and_then(|kept| kept.client).or(told);
        let protocol = protocol.map_or("", Name::text);
        let client = client.unwrap_or_else(|| client_of(flow, protocol, opened));
        let (c, s) = (client.index(), client.flip().index());
        let named = kept
            .as_ref()
            .and_then(|kept| kept.named.as_deref().cloned());
        let named = named.unwrap_or_default();
        let tls = kept.as_ref().and_then(|kept| kept.tls.as_deref());
        let told =
            |of: fn(&TlsSeen) -> Option<&str>| tls.and_then(of).unwrap_or_default().to_owned();
        let [from_client, from_server] = [seen(c), seen(s)];
        self.row(&vec![
            ("time", time),
            ("transport", flow.transport.name().to_owned()),
            ("connection", flow.number.to_string()),
            ("client", flow.src(client).to_string()),
            ("server", flow.dst(client).to_string()),
            ("protocol", protocol.to_owned()),
            ("client_packets", ended.totals[c].packets.to_string()),
            ("server_packets", ended.totals[s].packets.to_string()),
            ("client_bytes", from_client.bytes.to_string()),
            ("server_bytes", from_server.bytes.to_string()),
            ("client_messages", from_client.messages.to_string()),
            ("server_messages", from_server.messages.to_string()),
            ("client_lost", from_client.lost.to_string()),
            ("server_lost", from_server.lost.to_string()),
            ("duration", seconds(ended.last.since(ended.first))),
            ("end", ended_by(flow.transport, ended.close).to_owned()),
            ("named_client", named.client.unwrap_or_default()),
            ("named_server", named.server.unwrap_or_default()),
            (
                "tls_version",
                tls.and_then(TlsSeen::version).unwrap_or_default(),
            ),
            (
                "tls_cipher",
                tls.and_then(TlsSeen::cipher).unwrap_or_default(),
            ),
            ("sni", told(TlsSeen::server_name)),
            ("alpn", told(TlsSeen::alpn)),
            ("ja4", told(TlsSeen::ja4)),
        ]);
    }

    fn input_end(&mut self, cx: &mut Context) {
        while let Some(asked) = self.asked.pop() {
            self.unanswered(&asked);
        }
        if self.form.name == TableName::Protocols {
            let found = self.found.take();
            let all = found.as_ref().unwrap_or(&cx.counters).protocols();
            let mut all: Vec<_> = all.collect();
            all.sort_by_key(|(name, _)| *name);
            for (name, seen) in all {
                self.row(&vec![
                    ("protocol", name.to_owned()),
                    ("messages", seen.messages.to_string()),
                    ("bytes", seen.octets.to_string()),
                    ("incomplete", seen.incomplete.to_string()),
                    ("skipped", seen.skipped.to_string()),
                ]);
            }
        }
        // A table without rows has its header still.
        self.begin_table();
    }
}

impl Table {
    /// A request that is told by its number.
    fn asks(&mut self, id: Numbered, copied: Copied, asked: Asked) {
        for forgotten in self.asked.push_octets(id, copied, asked) {
            forgotten.iter().for_each(|asked| self.unanswered(asked));
        }
    }

    /// A message of an exchange that was at hand as a whole.
    fn alone(
        &mut self,
        (flow, direction): (&Flow, Direction),
        ends: (SocketAddr, SocketAddr),
        open: OpenRow,
        octets: &[u8],
        whole: bool,
    ) {
        let id = numbered((flow, direction), &open.protocol, open.kind, octets);
        if open.kind == Kind::Request {
            let asked = Asked {
                time: open.time,
                client: ends.0,
                server: ends.1,
                fields: open.fields,
                bytes: open.bytes,
                whole,
                chosen: open.chosen,
            };
            match id {
                Some(id) => self.asks(id, self.asked.copied(octets, asked.time), asked),
                // Nothing answers it that could be told from others.
                None => self.unanswered(&asked),
            }
            return;
        }
        // An interim answer (1xx) is none: the request waits on.
        if is_interim(&open.protocol, flow.transport, octets) {
            return;
        }
        let asked = id.and_then(|id| self.asked.answered(id));
        // Only datagrams come twice.
        let same = id.filter(|_| flow.transport == Transport::Udp);
        let told = same.and_then(|id| self.told.get(id.id()));
        if asked.is_none() && told == Some(&open.fields) {
            return;
        }
        let answer = Answer {
            time: open.time,
            fields: open.fields,
            bytes: open.bytes,
            whole,
            chosen: open.chosen,
        };
        let client = if flow.transport == Transport::Udp {
            let what = (open.protocol.as_str(), open.kind);
            self.clients.client(flow, what, direction)
        } else {
            direction.flip()
        };
        let sides = (flow.src(client), flow.dst(client));
        self.exchange(asked.as_ref(), Some(&answer), sides);
        if let Some(id) = same {
            self.told.push(id.id(), answer.fields);
        }
    }

    /// A request was answered by going over to HTTP/2.
    fn goes_over(&mut self, connection: u64, asked: Asked, answer: Answer) {
        if self.upgraded.len() >= UPGRADED
            && let Some((_, (asked, answer))) = self.upgraded.remove_oldest()
        {
            self.exchange(Some(&asked), Some(&answer), (asked.client, asked.server));
        }
        self.upgraded.insert(connection, (asked, answer));
    }

    /// The request with which this connection went over, and how.
    fn gone_over(&mut self, flow: &Flow) -> Option<(Asked, Answer)> {
        let place = self.upgraded.find(&flow.number)?;
        self.upgraded.remove(place).map(|(_, kept)| kept)
    }

    fn connection_ended(&mut self, cx: &mut Context, state: &mut Option<Box<TableConnection>>) {
        let Some(mut connection) = take_kept(cx, state) else {
            return;
        };
        while let Some(request) = connection.requests.pop(cx) {
            let (kept, early) = (&request.kept, request.early.as_deref());
            self.exchange(Some(kept), early, (kept.client, kept.server));
        }
        for open in connection.open.iter().flatten() {
            cx.budget.give(open.counted);
        }
        if let Some(tls) = &mut connection.tls {
            tls.forget(cx);
        }
        self.ended = Some(connection);
    }
}

impl Output for Table {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.out.channel());
    }

    fn save(&self, to: &mut StateWriter) {
        to.put(&self.clock);
        to.put(&(&self.asked, &self.times, &self.upgraded, &self.told));
        to.put(&(&self.clients, &self.found, &self.chosen));
        to.put(&(self.header, self.left));
    }

    fn load(&mut self, _: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        self.clock.go_on(from.get()?);
        (self.asked, self.times, self.upgraded, self.told) = from.get()?;
        (self.clients, self.found, self.chosen) = from.get()?;
        (self.header, self.left) = from.get()?;
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
        self.form.name == TableName::Messages
    }
}
