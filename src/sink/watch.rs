//! `-v`: what becomes of connections, and with it twice, what was decided about gaps and packets.

use super::output::Output;
use super::writer::OutputError;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::Flow;
use crate::base::packet::Packet;
use crate::base::stream::{Close, Gap, GapCause};
use crate::message::MessageSink;
use crate::transport::datagram::EndedFlow;
use crate::transport::sctp::{AssociationContext, ChunkGap};
use crate::transport::stream::StreamContext;
use std::ops::ControlFlow;

/// Lines about connections for stderr.
pub(super) struct Watch {
    decisions: bool,
    lines: Vec<String>,
}

impl Watch {
    /// With `decisions`, also gaps and packets that could not be used.
    pub(super) const fn new(decisions: bool) -> Self {
        Self {
            decisions,
            lines: Vec::new(),
        }
    }

    /// Those since the last call.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
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

    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, ()>, gap: &ChunkGap) {
        if self.decisions {
            let (src, dst) = (at.flow.src(gap.direction), at.flow.dst(gap.direction));
            let (name, number) = (at.flow.transport.name(), at.flow.number);
            let why = gap.cause.map_or("its sender abandoned it", GapCause::text);
            self.lines.push(format!(
                "{name} {number} {src} > {dst}: a hole of {} TSNs is given up: {why}",
                gap.tsns
            ));
        }
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &Gap) {
        if self.decisions {
            let (src, dst) = (at.flow.src(at.direction), at.flow.dst(at.direction));
            let (name, number) = (at.flow.transport.name(), at.flow.number);
            let len = gap
                .len
                .map_or("an unknown number of".to_owned(), |n| n.to_string());
            self.lines.push(format!(
                "{name} {number} {src} > {dst}: a hole of {len} bytes is given up: {}",
                gap.cause.text()
            ));
        }
    }
}

impl Output for Watch {
    fn is_open(&self) -> Option<bool> {
        // What it says is about the other outputs.
        Some(false)
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        Ok(ControlFlow::Continue(()))
    }
}
