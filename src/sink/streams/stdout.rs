//! `--dump -`: the chosen streams, as they come.

use crate::base::connection_rule::ConnectionRule;
use crate::base::counters::ChannelCounters;
use crate::base::flow::{Direction, Flow};
use crate::base::stream::{Chunk, Gap};
use crate::message::MessageSink;
use crate::message::events::DatagramMessage;
use crate::sink::output::Output;
use crate::sink::writer::{BufferedWriter, OutputError, Writer};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use std::ops::ControlFlow;

/// `--dump -`: the chosen streams, as they come.
pub(crate) struct DumpToStdout {
    out: BufferedWriter,
    /// Which streams; all where there is none.
    choice: Option<ConnectionRule>,
    /// What the reader of stdout cannot see: where octets are missing.
    notes: Vec<String>,
}

impl DumpToStdout {
    pub(crate) fn new(name: &str, to: Writer, choice: Option<ConnectionRule>, each: bool) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each),
            choice,
            notes: Vec::new(),
        }
    }

    /// Lines for stderr since the last call.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn write(&mut self, flow: &Flow, direction: Direction, octets: &[u8]) {
        let choice = self.choice.as_ref();
        if choice.is_none_or(|c| c.takes_stream(flow, direction)) {
            self.out.write([octets, &[], &[], &[]]);
        }
    }
}

impl MessageSink for DumpToStdout {
    type State = ();

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        self.write(at.flow, at.direction, message.payload);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, ()>,
        message: &UserMessage<'_>,
        _: &'static str,
    ) {
        self.write(at.flow, message.direction, message.data);
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, ()>, chunk: &Chunk<'_>) {
        self.write(at.flow, at.direction, chunk.data);
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &Gap) {
        let choice = self.choice.as_ref();
        if choice.is_none_or(|c| c.takes_stream(at.flow, at.direction)) {
            let (src, dst) = (at.flow.src(at.direction), at.flow.dst(at.direction));
            let len = gap
                .len
                .map_or("an unknown number of".to_owned(), |n| n.to_string());
            self.notes.push(format!(
                "{} {} {src} > {dst}: {len} bytes are missing here, and what follows them stands at once behind what came before: --dump DIR leaves a hole",
                at.flow.transport.name(),
                at.flow.number,
            ));
        }
    }
}

impl Output for DumpToStdout {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.out.channel());
    }

    fn is_open(&self) -> Option<bool> {
        Some(self.out.is_open())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }
}
