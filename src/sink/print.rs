//! `--print`: one line for each message.
//!
//! ```text
//! 2026-11-21 10:00:00.123456 tcp 0 10.0.0.1:40000 > 10.0.0.2:80 http 78 GET /x HTTP/1.1
//! ```
//!
//! Time (UTC) of the packet that completed it, connection, endpoints, protocol, octets, summary; then, where octets are
//! missing, `[incomplete]` with their number where that is known.

use crate::base::context::Context;
use crate::base::flow::{Flow, Transport};
use crate::base::message::Kind;
use crate::base::storage::allocated;
use crate::base::stream::Close;
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::message::{escape, summary, unfolded_lines};
use crate::sink::output::Output;
use crate::sink::text::date;
use crate::sink::writer::{BufferedWriter, OutputError, Writer};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;

/// Octets of a body that `full` shows: about a line of a terminal.
const BODY: usize = 100;
/// Octets of a header section that `full` shows: more than servers take.
const HEAD: usize = 16 << 10;

/// How much of a message is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// One line.
    #[default]
    Brief,
    /// And its header fields and the first 100 octets of its body.
    Full,
}

/// What is kept of the open messages of a connection, by direction.
pub(crate) type PrintedMessages = [Option<Box<PrintedMessage>>; 2];

/// What is kept of an open message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PrintedMessage {
    /// By Wireshark's name.
    protocol: String,
    summary: String,
    octets: u64,
    lost: u64,
    /// Header section, where it is shown.
    head: Vec<u8>,
    /// The beginning of the body, where it is shown, and the offset that it begins at.
    body: Vec<u8>,
    body_at: u64,
}

impl PrintedMessage {
    fn allocated(&self) -> usize {
        size_of::<Self>()
            + self.protocol.capacity()
            + self.summary.capacity()
            + self.head.capacity()
            + self.body.capacity()
    }
}

/// The output that prints.
pub(crate) struct Print {
    out: BufferedWriter,
    style: Style,
    color: bool,
    text: String,
}

impl Print {
    pub(crate) fn new(name: &str, to: Writer, style: Style, color: bool, each: bool) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each),
            style,
            color,
            text: String::new(),
        }
    }

    /// Keeps header fields where the protocol has them; the body begins behind them.
    fn keep_head(&self, line: &mut PrintedMessage, protocol: &str, head: &[u8], offset: u64) {
        line.body_at = offset;
        if has_fields(protocol) {
            line.head
                .extend_from_slice(head.get(..HEAD).unwrap_or(head));
            line.body_at = offset.saturating_add(head.len() as u64);
        }
        line.body.reserve_exact(BODY);
    }

    fn print(
        &mut self,
        cx: &Context,
        flow: &Flow,
        (src, dst): (SocketAddr, SocketAddr),
        line: &PrintedMessage,
        incomplete: bool,
    ) {
        let (dim, name, warn, off) = if self.color {
            ("\x1b[2m", "\x1b[36m", "\x1b[33m", "\x1b[0m")
        } else {
            ("", "", "", "")
        };
        let t = &mut self.text;
        t.clear();
        t.push_str(dim);
        date(cx.packet.time, t);
        let _ = write!(
            t,
            "{off} {} {} {src} > {dst} {name}{}{off} {} {}",
            flow.transport.name(),
            flow.number,
            line.protocol,
            line.octets,
            line.summary,
        );
        if incomplete {
            let _ = match line.lost {
                0 => write!(t, " {warn}[incomplete]{off}"),
                n => write!(t, " {warn}[incomplete: {n} octets lost]{off}"),
            };
        }
        t.push('\n');
        if self.style == Style::Full {
            // The start line is the summary.
            for field in unfolded_lines(&line.head).skip(1) {
                t.push_str("    ");
                escape(&field, t);
                t.push('\n');
            }
            if !line.body.is_empty() {
                t.push_str("    | ");
                escape(&line.body, t);
                t.push('\n');
            }
        }
        self.out.write([t.as_bytes(), &[], &[], &[]]);
    }
}

/// An event of a message, with what is kept for its connection.
type PrintEvent<'a> = StreamContext<'a, Option<Box<PrintedMessages>>>;

/// The line of the message that is open.
fn line<'a>(at: &'a mut PrintEvent<'_>) -> Option<&'a mut PrintedMessage> {
    at.state.as_mut()?[at.direction.index()].as_deref_mut()
}

impl MessageSink for Print {
    type State = Option<Box<PrintedMessages>>;

    fn start(&mut self, at: &mut PrintEvent<'_>, start: &MessageStart<'_>) {
        let mut new = Box::new(PrintedMessage {
            protocol: start.protocol.to_owned(),
            ..PrintedMessage::default()
        });
        summary(
            start.protocol,
            at.flow.transport,
            start.kind,
            start.head,
            &mut new.summary,
        );
        if self.style == Style::Full {
            self.keep_head(&mut new, start.protocol, start.head, start.offset);
        }
        at.cx.budget.take(new.allocated());
        let lines = at.state.get_or_insert_with(|| {
            at.cx.budget.take(allocated(size_of::<PrintedMessages>()));
            Box::default()
        });
        if let Some(old) = lines[at.direction.index()].replace(new) {
            at.cx.budget.give(old.allocated());
        }
    }

    fn data(&mut self, at: &mut PrintEvent<'_>, piece: &Piece<'_>) {
        let Some(line) = line(at) else { return };
        line.octets += piece.data.len() as u64;
        if self.style == Style::Full && line.body.len() < BODY {
            let skip = line.body_at.saturating_sub(piece.offset);
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let data = piece.data.get(skip..).unwrap_or_default();
            let room = BODY - line.body.len();
            line.body
                .extend_from_slice(data.get(..room).unwrap_or(data));
        }
    }

    fn gap(&mut self, at: &mut PrintEvent<'_>, gap: &MessageGap) {
        if let Some(line) = line(at) {
            line.lost = line.lost.saturating_add(gap.len);
        }
    }

    fn end(&mut self, at: &mut PrintEvent<'_>, end: &MessageEnd) {
        let lines = at.state.as_mut();
        let Some(line) = lines.and_then(|l| l[at.direction.index()].take()) else {
            return;
        };
        at.cx.budget.give(line.allocated());
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        self.print(at.cx, at.flow, ends, &line, !end.whole);
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        let mut line = PrintedMessage {
            protocol: message.protocol.to_owned(),
            octets: payload.len() as u64,
            lost: payload_len.saturating_sub(payload.len()) as u64,
            ..PrintedMessage::default()
        };
        summary(
            message.protocol,
            Transport::Udp,
            Kind::Other,
            payload,
            &mut line.summary,
        );
        if self.style == Style::Full {
            line.body
                .extend_from_slice(payload.get(..BODY).unwrap_or(payload));
        }
        let incomplete = line.lost > 0;
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        self.print(at.cx, at.flow, ends, &line, incomplete);
    }

    /// Prints an SCTP user message. With multihoming its addresses are not always those of the association.
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        let mut line = PrintedMessage {
            protocol: protocol.to_owned(),
            octets: message.data.len() as u64,
            lost: message.lost(),
            ..PrintedMessage::default()
        };
        summary(
            protocol,
            Transport::Sctp,
            Kind::Other,
            message.data,
            &mut line.summary,
        );
        if self.style == Style::Full {
            line.body
                .extend_from_slice(message.data.get(..BODY).unwrap_or(message.data));
        }
        self.print(
            at.cx,
            at.flow,
            (message.src, message.dst),
            &line,
            !message.whole,
        );
    }

    fn closed(&mut self, at: &mut PrintEvent<'_>, _: Close) {
        if let Some(lines) = at.state.take() {
            at.cx.budget.give(allocated(size_of::<PrintedMessages>()));
            for line in lines.into_iter().flatten() {
                at.cx.budget.give(line.allocated());
            }
        }
    }
}

impl Output for Print {
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
    matches!(protocol, "http" | "sip" | "rtsp")
}
