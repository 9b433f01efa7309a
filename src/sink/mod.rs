//! Outputs: where messages go.
//!
//! [`Outputs`] is all of them together; it is the [`MessageSink`] at the end of the pipeline. Adding an output is one file
//! and one part of [`Outputs`] and [`State`].

pub mod choice;
pub mod json;
pub mod output;
pub mod packets;
mod pcap;
pub mod print;
pub mod raw;
pub mod sctp_stats;
mod synthetic;
#[cfg(test)]
mod tests;

use crate::capture::LinkType;
use crate::config::Config;
use crate::context::Context;
use crate::ip::Datagram;
use crate::message::sink::DatagramContext;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::transport::flow::Flow;
use crate::transport::sctp::{AssociationContext, UserMessage, ppid};
use crate::transport::stream::{Chunk, Close, Gap, StreamContext};
use choice::Rule;
use json::Json;
use output::Sink;
pub use output::{Error, Writer};
use packets::{Connection, Packets};
pub use packets::{Encap, Form};
use print::{Lines, Print};
use raw::{Dump, Streams};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;

/// What the outputs keep with a connection: nothing before its first message begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    packets: Option<Box<Connection>>,
    lines: Option<Box<Lines>>,
    streams: Option<Box<Streams>>,
    json: Option<Box<json::Connection>>,
}

/// All outputs that were opened.
#[derive(Default)]
pub struct Outputs {
    packets: Option<Packets>,
    print: Option<Print>,
    dump: Option<Dump>,
    json: Option<Json>,
    /// `--dump -`: the chosen streams, as they come.
    raw: Option<Sink>,
    /// `--connection`: what is chosen, for all outputs.
    choice: Option<Rule>,
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
        let raw = config.dump.as_ref().filter(|d| d.dir.as_os_str() == "-");
        let names = config.outputs.iter().map(|o| o.name.as_str());
        for name in names
            .chain(config.print.map(|_| "-"))
            .chain(raw.map(|_| "-"))
            .chain(config.json.as_ref().map(|j| j.name.as_str()))
        {
            output::refuse_input(name, &config.inputs)?;
        }
        for spec in &config.outputs {
            let to = output::open(&spec.name)?;
            outputs.packets(output::shown(&spec.name), to, spec.form);
        }
        if let Some(p) = config.print {
            let to = output::open("-")?;
            outputs.print(output::shown("-"), to, p.style, p.color, p.packet_buffered);
        }
        match &config.dump {
            Some(d) if d.dir.as_os_str() == "-" => {
                let to = output::open("-")?;
                outputs.raw = Some(Sink::new(output::shown("-"), to, d.packet_buffered));
            }
            Some(d) => outputs.dump(&d.dir, d.template.clone())?,
            None => {}
        }
        if let Some(j) = &config.json {
            let to = output::open(&j.name)?;
            outputs.json(output::shown(&j.name), to, j.body, j.packet_buffered);
        }
        outputs.choice.clone_from(&config.connection);
        Ok(outputs)
    }

    /// Adds the output of stream files.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn dump(&mut self, dir: &Path, template: raw::Template) -> Result<(), Error> {
        self.dump = Some(Dump::new(dir, template)?);
        Ok(())
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

    /// Adds the output of JSON lines.
    pub fn json(&mut self, name: &str, to: Writer, body: json::Body, packet_buffered: bool) {
        self.json = Some(Json::new(name, to, body, packet_buffered));
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
        if let Some(j) = &mut self.json
            && j.flush()?.is_break()
        {
            flow = ControlFlow::Break(());
        }
        if let Some(raw) = &mut self.raw
            && raw.flush()?.is_break()
        {
            flow = ControlFlow::Break(());
        }
        if let Some(d) = &mut self.dump {
            d.flush()?;
        }
        Ok(flow)
    }

    /// Writes all that is left, at the end of the run.
    ///
    /// # Errors
    ///
    /// As [`Outputs::flush`].
    pub fn finish(&mut self) -> Result<ControlFlow<()>, Error> {
        let flow = self.flush()?;
        if let Some(d) = &mut self.dump {
            d.finish()?;
        }
        Ok(flow)
    }
}

impl Outputs {
    /// The outputs take this connection.
    fn takes(&self, flow: &Flow) -> bool {
        self.choice.as_ref().is_none_or(|c| c.takes(flow))
    }

    fn count(&self, cx: &mut Context) {
        if self.packets.is_some() || self.print.is_some() || self.json.is_some() {
            cx.counters.output.messages += 1;
        }
    }
}

impl MessageSink for Outputs {
    type State = State;

    fn start(&mut self, at: &mut StreamContext<'_, State>, start: &MessageStart<'_>) {
        if !self.takes(at.flow) {
            return;
        }
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
        if let Some(j) = &mut self.json {
            j.start(&mut at.with(|s| &mut s.json), start);
        }
    }

    fn data(&mut self, at: &mut StreamContext<'_, State>, piece: &Piece<'_>) {
        if !self.takes(at.flow) {
            return;
        }
        if let Some(p) = &mut self.packets {
            p.data(&mut at.with(|s| &mut s.packets), piece);
        }
        if let Some(p) = &mut self.print
            && let Some(lines) = &mut at.state.lines
        {
            p.data(&mut lines[at.direction.index()], piece);
        }
        if let Some(j) = &mut self.json {
            j.data(&mut at.with(|s| &mut s.json), piece);
        }
    }

    fn gap(&mut self, at: &mut StreamContext<'_, State>, gap: &MessageGap) {
        if !self.takes(at.flow) {
            return;
        }
        if let Some(p) = &mut self.packets {
            p.gap(&mut at.with(|s| &mut s.packets), gap);
        }
        if let Some(lines) = &mut at.state.lines {
            Print::gap(&mut lines[at.direction.index()], gap);
        }
        if let Some(j) = &mut self.json {
            j.gap(&mut at.with(|s| &mut s.json), gap);
        }
    }

    fn end(&mut self, at: &mut StreamContext<'_, State>, end: &MessageEnd) {
        if !self.takes(at.flow) {
            return;
        }
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
        if let Some(j) = &mut self.json {
            j.end(&mut at.with(|s| &mut s.json), end);
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize) {
        if !self.takes(at.flow) {
            return;
        }
        if let Some(p) = &mut self.packets {
            p.datagram(at, payload, payload_len);
        }
        if let Some(p) = &mut self.print {
            p.datagram(at, payload, payload_len);
        }
        if let Some(d) = &mut self.dump {
            d.datagram(at, payload);
        }
        self.count(at.cx);
        if let Some(j) = &mut self.json {
            j.datagram(at, payload, payload_len);
        }
    }

    fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        if let Some(p) = &mut self.packets {
            p.unprocessed(cx, datagram);
        }
    }

    fn user_message(&mut self, at: &mut AssociationContext<'_, State>, message: &UserMessage<'_>) {
        if !self.takes(at.flow) {
            return;
        }
        let protocol = ppid::protocol(message.ppid);
        if let Some(p) = &mut self.packets {
            p.user_message(at.cx, at.flow, message);
        }
        if let Some(p) = &mut self.print {
            p.user_message(at.cx, at.flow, message, protocol);
        }
        if let Some(d) = &mut self.dump {
            d.user_message(at.cx, at.flow, message);
        }
        self.count(at.cx);
        if let Some(j) = &mut self.json {
            j.user_message(at.cx, at.flow, &mut at.state.json, message, protocol);
        }
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, State>, close: Close) {
        if let Some(d) = &mut self.dump {
            d.association_end(at.flow);
        }
        if let Some(j) = &mut self.json {
            j.ended(at.cx, at.flow, &mut at.state.json, close);
        }
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
        if !self.takes(at.flow) {
            return;
        }
        if let Some(raw) = &mut self.raw
            && self
                .choice
                .as_ref()
                .is_none_or(|c| c.takes_stream(at.flow, at.direction))
        {
            raw.write([chunk.data, &[], &[], &[]]);
        }
        if let Some(d) = &mut self.dump {
            if at.state.streams.is_none() {
                at.cx.budget.take(size_of::<Streams>());
            }
            d.data(
                &mut at.with(|s| &mut **s.streams.get_or_insert_default()),
                chunk,
            );
        }
        if self.json.is_some() {
            Json::stream_data(&mut at.with(|s| &mut s.json), chunk);
        }
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, State>, gap: &Gap) {
        if !self.takes(at.flow) {
            return;
        }
        if let Some(d) = &mut self.dump {
            if at.state.streams.is_none() {
                at.cx.budget.take(size_of::<Streams>());
            }
            d.gap(
                &mut at.with(|s| &mut **s.streams.get_or_insert_default()),
                gap,
            );
        }
        if let Some(j) = &mut self.json {
            j.stream_gap(&mut at.with(|s| &mut s.json), gap);
        }
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
        if let Some(p) = &mut self.packets {
            p.stream_end(&mut at.with(|s| &mut s.packets), close);
        }
        if let Some(d) = &mut self.dump {
            d.end(at.flow, at.direction);
        }
    }

    fn closed(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
        if let Some(p) = &mut self.packets {
            p.closed(&mut at.with(|s| &mut s.packets));
        }
        if at.state.streams.take().is_some() {
            at.cx.budget.give(size_of::<Streams>());
        }
        if let Some(lines) = at.state.lines.take() {
            at.cx.budget.give(size_of::<Lines>());
            for line in lines.into_iter().flatten() {
                Print::drop_line(at.cx, &line);
            }
        }
        if let Some(j) = &mut self.json {
            j.ended(at.cx, at.flow, &mut at.state.json, close);
        }
    }
}
