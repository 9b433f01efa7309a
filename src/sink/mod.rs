//! Outputs: where messages go.
//!
//! [`Outputs`] is all of them together; it is the [`MessageSink`] at the end of the pipeline. Adding an output is one file
//! and one part of [`Outputs`] and [`State`].

pub mod output;
pub mod packets;
mod pcap;
pub mod print;
mod synthetic;
#[cfg(test)]
mod tests;

use crate::capture::LinkType;
use crate::config::Config;
use crate::context::Context;
use crate::message::sink::DatagramContext;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::transport::stream::{Chunk, Close, Gap, StreamContext};
pub use output::{Error, Writer};
use packets::{Connection, Packets};
pub use packets::{Encap, Form};
use print::{Lines, Print};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What the outputs keep with a connection: nothing before its first message begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    packets: Option<Box<Connection>>,
    lines: Option<Box<Lines>>,
}

/// All outputs that were opened.
#[derive(Default)]
pub struct Outputs {
    packets: Option<Packets>,
    print: Option<Print>,
}

impl Outputs {
    /// No outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens what `config` asks for.
    ///
    /// # Errors
    ///
    /// The first output that cannot be opened.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let mut outputs = Self::new();
        for spec in &config.outputs {
            let to = output::open(&spec.name)?;
            outputs.packets(output::shown(&spec.name), to, spec.form);
        }
        if let Some(p) = config.print {
            let to = output::open("-")?;
            outputs.print(output::shown("-"), to, p.style, p.color, p.packet_buffered);
        }
        Ok(outputs)
    }

    /// Adds an output of packets that is called `name` in errors.
    pub fn packets(&mut self, name: &str, to: Writer, form: Form) {
        self.packets = Some(Packets::new(name, to, form));
    }

    /// Adds the output that prints a line for each message.
    pub fn print(
        &mut self,
        name: &str,
        to: Writer,
        style: print::Style,
        color: bool,
        packet_buffered: bool,
    ) {
        self.print = Some(Print::new(name, to, style, color, packet_buffered));
    }

    /// The first input's header is known: file headers are written. Later calls change nothing.
    pub fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        if let Some(p) = &mut self.packets {
            p.begin(link_type, nanoseconds);
        }
    }

    /// Writes all that is buffered. Breaks when nobody reads stdout any more.
    ///
    /// # Errors
    ///
    /// The first error of any output since the last call.
    pub fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        let mut flow = ControlFlow::Continue(());
        if let Some(p) = &mut self.packets
            && p.flush()?.is_break()
        {
            flow = ControlFlow::Break(());
        }
        if let Some(p) = &mut self.print
            && p.flush()?.is_break()
        {
            flow = ControlFlow::Break(());
        }
        Ok(flow)
    }
}

impl Outputs {
    fn count(&self, cx: &mut Context) {
        if self.packets.is_some() || self.print.is_some() {
            cx.counters.output.messages += 1;
        }
    }
}

impl MessageSink for Outputs {
    type State = State;

    fn start(&mut self, at: &mut StreamContext<'_, State>, start: &MessageStart<'_>) {
        if let Some(p) = &mut self.packets {
            p.start(&mut at.with(|s| &mut s.packets), start);
        }
        if let Some(p) = &mut self.print {
            let lines = at.state.lines.get_or_insert_with(|| {
                at.cx.budget.take(size_of::<Lines>());
                Box::default()
            });
            let line = &mut lines[at.direction.index()];
            p.start(at.cx, at.flow, line, start);
        }
    }

    fn data(&mut self, at: &mut StreamContext<'_, State>, piece: &Piece<'_>) {
        if let Some(p) = &mut self.packets {
            p.data(&mut at.with(|s| &mut s.packets), piece);
        }
        if let Some(p) = &mut self.print
            && let Some(lines) = &mut at.state.lines
        {
            p.data(&mut lines[at.direction.index()], piece);
        }
    }

    fn gap(&mut self, at: &mut StreamContext<'_, State>, gap: &MessageGap) {
        if let Some(p) = &mut self.packets {
            p.gap(&mut at.with(|s| &mut s.packets), gap);
        }
        if let Some(lines) = &mut at.state.lines {
            Print::gap(&mut lines[at.direction.index()], gap);
        }
    }

    fn end(&mut self, at: &mut StreamContext<'_, State>, end: &MessageEnd) {
        if let Some(p) = &mut self.packets {
            p.end(&mut at.with(|s| &mut s.packets), end);
        }
        if let Some(p) = &mut self.print
            && let Some(lines) = &mut at.state.lines
        {
            let line = &mut lines[at.direction.index()];
            p.end(at.cx, at.flow, at.direction, line, end);
        }
        self.count(at.cx);
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize) {
        if let Some(p) = &mut self.packets {
            p.datagram(at, payload, payload_len);
        }
        if let Some(p) = &mut self.print {
            p.datagram(at, payload, payload_len);
        }
        self.count(at.cx);
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
        let _ = (at, chunk);
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, State>, gap: &Gap) {
        let _ = (at, gap);
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
        if let Some(p) = &mut self.packets {
            p.stream_end(&mut at.with(|s| &mut s.packets), close);
        }
    }

    fn closed(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
        let _ = close;
        if let Some(p) = &mut self.packets {
            p.closed(&mut at.with(|s| &mut s.packets));
        }
        if let Some(lines) = at.state.lines.take() {
            at.cx.budget.give(size_of::<Lines>());
            for line in lines.into_iter().flatten() {
                Print::drop_line(at.cx, &line);
            }
        }
    }
}
