//! `--follow`: chosen connections as conversations: the octets of both directions as they were delivered, gaps drawn in.

use super::output::Output;
use super::print::{Clock, Look, Paint, hex, is_text, visible};
use super::writer::{BufferedWriter, OutputError, Writer};
use crate::base::connection_rule::ConnectionRule;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::stream::{Chunk, Gap};
use crate::base::time::Timestamp;
use crate::message::MessageSink;
use crate::message::events::DatagramMessage;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, ChunkGap, UserMessage};
use crate::transport::stream::StreamContext;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;

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
    text: String,
    /// What was written last ends in the middle of a line.
    open_line: bool,
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
            text: String::new(),
            open_line: false,
        }
    }

    /// When the first packet was captured.
    pub(super) fn begins_at(&mut self, time: Timestamp) {
        self.clock.first = time;
    }

    /// Begins another turn of the conversation where somebody else speaks. `new`: a datagram or a user message is always a turn.
    fn turn(
        &mut self,
        time: Timestamp,
        flow: &Flow,
        direction: Direction,
        (src, dst): (SocketAddr, SocketAddr),
        new: bool,
    ) {
        let who = (flow.transport, flow.number, direction);
        if self.last == Some(who) && !new {
            return;
        }
        let p = Paint::new(self.look.color);
        self.end_line();
        if self.last.is_some() {
            self.text.push('\n');
        }
        self.last = Some(who);
        let way = if direction == Direction::Forward {
            p.client
        } else {
            p.server
        };
        let _ = write!(self.text, "{way}{src} \u{2192} {dst}{} {}", p.off, p.dim);
        self.clock.show(time, false, false, &mut self.text);
        let _ = writeln!(
            self.text,
            " {} {}{}",
            flow.transport.name(),
            flow.number,
            p.off
        );
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.open_line) {
            self.text.push('\n');
        }
    }

    fn octets(&mut self, direction: Direction, offset: u64, octets: &[u8]) {
        if self.form == FollowForm::Raw {
            self.out.write([octets, &[], &[], &[]]);
            return;
        }
        let p = Paint::new(self.look.color);
        let way = if direction == Direction::Forward {
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
                visible(line.strip_suffix(b"\r").unwrap_or(line), &mut self.text);
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
        let p = Paint::new(self.look.color);
        self.end_line();
        let _ = writeln!(self.text, "{}~~~ {what} ~~~{}", p.bad, p.off);
    }

    fn write(&mut self) {
        self.out.write([self.text.as_bytes(), &[], &[], &[]]);
        self.text.clear();
    }
}

impl MessageSink for Follow {
    type State = ();

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
        at: &mut AssociationContext<'_, ()>,
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

    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, ()>, gap: &ChunkGap) {
        if self.rule.takes(at.flow) && self.form != FollowForm::Raw {
            let ends = (at.flow.src(gap.direction), at.flow.dst(gap.direction));
            self.turn(at.cx.packet.time, at.flow, gap.direction, ends, true);
            self.missing(format_args!("{} chunks are missing here", gap.tsns));
            self.write();
        }
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, ()>, chunk: &Chunk<'_>) {
        if !self.rule.takes(at.flow) {
            return;
        }
        if self.form != FollowForm::Raw {
            let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
            self.turn(chunk.time, at.flow, at.direction, ends, false);
        }
        let offset = chunk.offset.saturating_sub(at.side().origin);
        self.octets(at.direction, offset, chunk.data);
        self.write();
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &Gap) {
        if self.rule.takes(at.flow) && self.form != FollowForm::Raw {
            let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
            self.turn(at.cx.packet.time, at.flow, at.direction, ends, false);
            match gap.len {
                Some(len) => self.missing(format_args!("{len} bytes are missing here")),
                None => self.missing(format_args!("an unknown number of bytes is missing here")),
            }
            self.write();
        }
    }

    fn input_end(&mut self, _: &mut crate::base::context::Context) {
        self.end_line();
        self.write();
    }
}

impl Output for Follow {
    fn is_open(&self) -> Option<bool> {
        Some(self.out.is_open())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }
}
