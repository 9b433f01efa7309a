//! Outputs: where messages go.
//!
//! [`Outputs`] is all of them together; it is the [`MessageSink`] at the end of the pipeline. Adding an output is one file
//! and one part of [`Outputs`] and [`State`]. A scheme by which an output is opened is one row of the table in `output.rs`.

pub mod choice;
mod file;
pub mod files;
pub mod json;
mod originals;
pub mod output;
pub mod packets;
mod pcap;
mod pcapng;
mod pdu;
pub mod print;
pub mod raw;
pub mod sctp_stats;
mod synthetic;
#[cfg(test)]
mod tests;
mod track;

use crate::capture::{Interface, LinkType, Packet};
use crate::config::{Config, What};
use crate::context::Context;
use crate::ip::Datagram;
use crate::message::sink::DatagramContext;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::stats::Discard;
use crate::storage::allocated;
use crate::transport::flow::{Direction, Flow};
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::{Chunk, Close, Duplicate, Gap, StreamContext};
use choice::Rule;
pub use file::Format;
use files::Files;
use json::Json;
use originals::Originals;
use output::Sink;
pub use output::{Error, Target, Writer};
use packets::{Connection, Packets};
pub use packets::{Encap, Form, Large};
use print::{Lines, Print};
use raw::{Dump, Streams};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;

/// What the outputs keep with a connection: nothing before its first message begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    packets: Option<Box<Connection>>,
    /// Of all outputs of packets but the first.
    more: Vec<Option<Box<Connection>>>,
    lines: Option<Box<Lines>>,
    streams: Option<Box<Streams>>,
    json: Option<Box<json::Connection>>,
    files: files::State,
}

impl State {
    /// What the output of packets with this number keeps.
    fn packets(&mut self, output: usize) -> &mut Option<Box<Connection>> {
        match output.checked_sub(1) {
            None => &mut self.packets,
            Some(i) => {
                if self.more.len() <= i {
                    self.more.resize_with(i + 1, || None);
                }
                &mut self.more[i]
            }
        }
    }
}

/// All outputs that were opened.
#[derive(Default)]
pub struct Outputs {
    packets: Vec<Packets>,
    originals: Vec<Originals>,
    print: Option<Print>,
    dump: Option<Dump>,
    json: Option<Json>,
    files: Option<Files>,
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
        let names = config.outputs.iter().map(|o| o.target.name.as_str());
        for name in names
            .chain(config.print.map(|_| "-"))
            .chain(raw.map(|_| "-"))
            .chain(config.json.as_ref().map(|j| j.target.name.as_str()))
        {
            output::refuse_input(name, &config.inputs)?;
        }
        for spec in &config.outputs {
            let to = output::open(&spec.target)?;
            let name = output::shown(&spec.target.name);
            match spec.what {
                What::Messages => outputs.messages(name, to, spec.form, spec.protocols.clone()),
                What::Dropped => outputs.originals(name, to, spec.form, true),
                What::Bypass => outputs.originals(name, to, spec.form, false),
            }
        }
        if let Some(p) = config.print {
            let to = output::open(&Target::stdout())?;
            outputs.print(output::shown("-"), to, p.style, p.color, p.packet_buffered);
        }
        match &config.dump {
            Some(d) if d.dir.as_os_str() == "-" => {
                let to = output::open(&Target::stdout())?;
                outputs.raw = Some(Sink::new(output::shown("-"), to, d.packet_buffered));
            }
            Some(d) => outputs.dump(&d.dir, d.template.clone())?,
            None => {}
        }
        if let Some(j) = &config.json {
            let to = output::open(&j.target)?;
            let name = output::shown(&j.target.name);
            outputs.json(name, to, j.show, j.packet_buffered);
        }
        if let Some(e) = &config.extract {
            outputs.extract(&e.dir, e.max_file)?;
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

    /// Adds the output of transferred files, of which none becomes larger than `max_file` octets.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or its list not be opened.
    pub fn extract(&mut self, dir: &Path, max_file: u64) -> Result<(), Error> {
        self.files = Some(Files::new(dir, max_file)?);
        Ok(())
    }

    /// Adds an output of packets that is called `name` in errors.
    pub fn packets(&mut self, name: &str, to: Writer, form: Form) {
        self.messages(name, to, form, Vec::new());
    }

    /// Adds an output of packets for the messages of these protocols, by Wireshark's names; without any, for those that
    /// no other output names.
    pub fn messages(&mut self, name: &str, to: Writer, form: Form, protocols: Vec<String>) {
        self.packets.push(Packets::new(name, to, form, protocols));
    }

    /// Adds an output of the input's own packets: all of them, or those that could not be used, with the reason.
    pub fn originals(&mut self, name: &str, to: Writer, form: Form, dropped: bool) {
        let (format, each) = (form.format, form.packet_buffered);
        self.originals
            .push(Originals::new(name, to, format, dropped, each));
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
    pub fn json(&mut self, name: &str, to: Writer, show: json::Show, packet_buffered: bool) {
        self.json = Some(Json::new(name, to, show, packet_buffered));
    }

    /// The first input's header is known: file headers are written. Later calls change nothing.
    pub fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        for p in &mut self.packets {
            p.begin(link_type, nanoseconds);
        }
        for o in &mut self.originals {
            o.begin(link_type, nanoseconds);
        }
    }

    /// These are all interfaces of the input until now. pcapng outputs describe them before the first packet of each.
    pub fn interfaces(&mut self, all: &[Interface]) {
        for p in &mut self.packets {
            p.interfaces(all);
        }
        for o in &mut self.originals {
            o.interfaces(all);
        }
    }

    /// Writes all that is buffered. Breaks when nobody reads stdout any more.
    ///
    /// # Errors
    ///
    /// The first error of any output since the last call.
    pub fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        let mut all = Ok(ControlFlow::Continue(()));
        // An output that cannot be written keeps no other from what is due to it.
        let mut add = |one: Result<ControlFlow<()>, Error>| {
            if all.is_ok() && !matches!(one, Ok(ControlFlow::Continue(()))) {
                all = one;
            }
        };
        for p in &mut self.packets {
            add(p.flush());
        }
        for o in &mut self.originals {
            add(o.flush());
        }
        if let Some(p) = &mut self.print {
            add(p.flush());
        }
        if let Some(j) = &mut self.json {
            add(j.flush());
        }
        if let Some(raw) = &mut self.raw {
            add(raw.flush());
        }
        if let Some(d) = &mut self.dump {
            add(d.flush().map(ControlFlow::Continue));
        }
        if let Some(f) = &mut self.files {
            add(f.flush().map(ControlFlow::Continue));
        }
        all
    }

    /// Writes all that is left, at the end of the run.
    ///
    /// # Errors
    ///
    /// As [`Outputs::flush`].
    pub fn finish(&mut self) -> Result<ControlFlow<()>, Error> {
        let flow = self.flush();
        if let Some(d) = &mut self.dump {
            d.finish()?;
        }
        flow
    }
}

impl Outputs {
    /// The outputs take this connection.
    fn takes(&self, flow: &Flow) -> bool {
        self.choice.as_ref().is_none_or(|c| c.takes(flow))
    }

    /// The outputs of packets, with their numbers, that take messages of this protocol.
    fn taking<'a>(
        &'a mut self,
        protocol: &'a str,
    ) -> impl Iterator<Item = (usize, &'a mut Packets)> {
        let one = self.packets.len() == 1;
        let has = move |p: &Packets| p.protocols().iter().any(|name| name == protocol);
        let named = !one && self.packets.iter().any(has);
        self.packets.iter_mut().enumerate().filter(move |(_, p)| {
            if p.protocols().is_empty() {
                !named
            } else {
                has(p)
            }
        })
    }

    /// `--dump -`: these octets of a stream, or a datagram or user message in it, if it is chosen.
    fn raw_octets(&mut self, flow: &Flow, direction: Direction, octets: &[u8]) {
        if let Some(raw) = &mut self.raw
            && self
                .choice
                .as_ref()
                .is_none_or(|c| c.takes_stream(flow, direction))
        {
            raw.write([octets, &[], &[], &[]]);
        }
    }

    fn count(&self, cx: &mut Context) {
        if !self.packets.is_empty() || self.print.is_some() || self.json.is_some() {
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
        for (i, p) in self.taking(start.protocol) {
            p.start(&mut at.with(|s| s.packets(i)), start);
        }
        if let Some(p) = &mut self.print {
            let lines = at.state.lines.get_or_insert_with(|| {
                at.cx.budget.take(allocated(size_of::<Lines>()));
                Box::default()
            });
            let line = &mut lines[at.direction.index()];
            p.start(at.cx, at.flow, line, start);
        }
        if let Some(j) = &mut self.json {
            j.start(&mut at.with(|s| &mut s.json), start);
        }
        if let Some(f) = &mut self.files {
            f.start(&mut at.with(|s| &mut s.files), start);
        }
    }

    fn data(&mut self, at: &mut StreamContext<'_, State>, piece: &Piece<'_>) {
        if !self.takes(at.flow) {
            return;
        }
        for (i, p) in self.packets.iter_mut().enumerate() {
            p.data(&mut at.with(|s| s.packets(i)), piece);
        }
        if let Some(p) = &mut self.print
            && let Some(lines) = &mut at.state.lines
        {
            p.data(&mut lines[at.direction.index()], piece);
        }
        if let Some(j) = &mut self.json {
            j.data(&mut at.with(|s| &mut s.json), piece);
        }
        if let Some(f) = &mut self.files {
            f.data(&mut at.with(|s| &mut s.files), piece);
        }
    }

    fn gap(&mut self, at: &mut StreamContext<'_, State>, gap: &MessageGap) {
        if !self.takes(at.flow) {
            return;
        }
        for (i, p) in self.packets.iter_mut().enumerate() {
            p.gap(&mut at.with(|s| s.packets(i)), gap);
        }
        if let Some(lines) = &mut at.state.lines {
            Print::gap(&mut lines[at.direction.index()], gap);
        }
        if let Some(j) = &mut self.json {
            j.gap(&mut at.with(|s| &mut s.json), gap);
        }
        if let Some(f) = &mut self.files {
            f.gap(&mut at.with(|s| &mut s.files), gap);
        }
    }

    fn end(&mut self, at: &mut StreamContext<'_, State>, end: &MessageEnd) {
        if !self.takes(at.flow) {
            return;
        }
        for (i, p) in self.packets.iter_mut().enumerate() {
            p.end(&mut at.with(|s| s.packets(i)), end);
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
        if let Some(f) = &mut self.files {
            f.end(&mut at.with(|s| &mut s.files), end);
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize) {
        if !self.takes(at.flow) {
            return;
        }
        for (_, p) in self.taking(at.protocol) {
            p.datagram(at, payload, payload_len);
        }
        if let Some(p) = &mut self.print {
            p.datagram(at, payload, payload_len);
        }
        self.raw_octets(at.flow, at.direction, payload);
        if let Some(d) = &mut self.dump {
            d.datagram(at, payload);
        }
        self.count(at.cx);
        if let Some(j) = &mut self.json {
            j.datagram(at, payload, payload_len);
        }
        if let Some(f) = &mut self.files {
            f.datagram(at, payload, payload_len);
        }
    }

    fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        for p in self.packets.iter_mut().filter(|p| p.protocols().is_empty()) {
            p.unprocessed(cx, datagram);
        }
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        if !self.takes(at.flow) {
            return;
        }
        for (_, p) in self.taking(protocol) {
            p.user_message(at.cx, at.flow, message, protocol);
        }
        if let Some(p) = &mut self.print {
            p.user_message(at.cx, at.flow, message, protocol);
        }
        self.raw_octets(at.flow, message.direction, message.data);
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

    fn input_end(&mut self, cx: &mut Context) {
        if let Some(f) = &mut self.files {
            f.finish(cx);
        }
    }

    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        for o in &mut self.originals {
            o.packet(cx, packet, dropped);
        }
        if let (Some(j), Some(why)) = (&mut self.json, dropped) {
            j.dropped(packet, why);
        }
        if let Some(f) = &mut self.files {
            f.tick(cx);
        }
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
        if !self.takes(at.flow) {
            return;
        }
        self.raw_octets(at.flow, at.direction, chunk.data);
        if let Some(d) = &mut self.dump {
            if at.state.streams.is_none() {
                at.cx.budget.take(allocated(size_of::<Streams>()));
            }
            d.data(
                &mut at.with(|s| &mut **s.streams.get_or_insert_default()),
                chunk,
            );
        }
        if self.json.is_some() {
            Json::stream_data(&mut at.with(|s| &mut s.json), chunk);
        }
        if let Some(f) = &mut self.files {
            f.stream_data(&mut at.with(|s| &mut s.files), chunk);
        }
    }

    fn stream_arrival(&mut self, at: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
        for (i, p) in self.packets.iter_mut().enumerate() {
            if p.tracks() && self.choice.as_ref().is_none_or(|c| c.takes(at.flow)) {
                p.stream_arrival(&mut at.with(|s| s.packets(i)), chunk);
            }
        }
    }

    fn stream_duplicate(&mut self, at: &mut StreamContext<'_, State>, duplicate: &Duplicate) {
        if let Some(j) = &mut self.json
            && self.choice.as_ref().is_none_or(|c| c.takes(at.flow))
        {
            j.duplicate(&at.with(|s| &mut s.json), duplicate);
        }
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, State>, gap: &Gap) {
        if !self.takes(at.flow) {
            return;
        }
        if let Some(d) = &mut self.dump {
            if at.state.streams.is_none() {
                at.cx.budget.take(allocated(size_of::<Streams>()));
            }
            d.gap(
                &mut at.with(|s| &mut **s.streams.get_or_insert_default()),
                gap,
            );
        }
        if let Some(j) = &mut self.json {
            j.stream_gap(&mut at.with(|s| &mut s.json), gap);
        }
        if let Some(f) = &mut self.files {
            f.stream_gap(&mut at.with(|s| &mut s.files), gap);
        }
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
        for (i, p) in self.packets.iter_mut().enumerate() {
            p.stream_end(&mut at.with(|s| s.packets(i)), close);
        }
        if let Some(d) = &mut self.dump {
            d.end(at.flow, at.direction);
        }
        if let Some(f) = &mut self.files {
            f.stream_end(&mut at.with(|s| &mut s.files), close);
        }
    }

    fn closed(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
        for (i, p) in self.packets.iter_mut().enumerate() {
            p.closed(&mut at.with(|s| s.packets(i)));
        }
        at.state.more = Vec::new();
        if at.state.streams.take().is_some() {
            at.cx.budget.give(allocated(size_of::<Streams>()));
        }
        if let Some(lines) = at.state.lines.take() {
            at.cx.budget.give(allocated(size_of::<Lines>()));
            for line in lines.into_iter().flatten() {
                Print::drop_line(at.cx, &line);
            }
        }
        if let Some(j) = &mut self.json {
            j.ended(at.cx, at.flow, &mut at.state.json, close);
        }
        if let Some(f) = &mut self.files {
            f.closed(&mut at.with(|s| &mut s.files), close);
        }
    }
}
