//! What becomes of chosen connections, as lines: a sink in front of another.

use super::choice::Rule;
use crate::capture::Packet;
use crate::context::Context;
use crate::message::sink::DatagramContext;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::stats::Discard;
use crate::transport::flow::Flow;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::{Chunk, Close, Gap, StreamContext};
use std::fmt;

/// Hands everything on to `sink`, and tells `to` a line for each event of the connections that a rule chooses.
///
/// Lines begin with the packet's number and the connection; offsets count from the beginning of a stream.
pub struct Tracer<M, F> {
    /// What gets the events.
    pub sink: M,
    rule: Rule,
    to: F,
}

impl<M: fmt::Debug, F> fmt::Debug for Tracer<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("sink", &self.sink)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

type At<'a, M> = StreamContext<'a, <M as MessageSink>::State>;

impl<M, F: FnMut(&str)> Tracer<M, F> {
    /// Traces the connections that `rule` chooses.
    pub const fn new(sink: M, rule: Rule, to: F) -> Self {
        Self { sink, rule, to }
    }

    fn tell<S>(&mut self, at: &StreamContext<'_, S>, offset: u64, what: fmt::Arguments<'_>) {
        if !self.rule.takes(at.flow) {
            return;
        }
        let (src, dst) = (at.flow.src(at.direction), at.flow.dst(at.direction));
        let offset = offset.saturating_sub(at.side().origin);
        let (transport, number) = (at.flow.transport.name(), at.flow.number);
        let frame = at.cx.packet.frame;
        (self.to)(&format!(
            "{frame} {transport} {number} {src} > {dst} at {offset}: {what}"
        ));
    }

    fn tell_flow(&mut self, cx: &Context, flow: &Flow, what: fmt::Arguments<'_>) {
        if self.rule.takes(flow) {
            (self.to)(&format!("{} {flow}: {what}", cx.packet.frame));
        }
    }
}

impl<M: MessageSink, F: FnMut(&str)> MessageSink for Tracer<M, F> {
    type State = M::State;

    fn start(&mut self, at: &mut At<'_, M>, start: &MessageStart<'_>) {
        let what = format_args!(
            "message begins: {} {:?}, {:?}",
            start.protocol, start.kind, start.extent
        );
        self.tell(at, start.offset, what);
        self.sink.start(at, start);
    }

    fn data(&mut self, at: &mut At<'_, M>, piece: &Piece<'_>) {
        let what = format_args!("{} octets of the message", piece.data.len());
        self.tell(at, piece.offset, what);
        self.sink.data(at, piece);
    }

    fn gap(&mut self, at: &mut At<'_, M>, gap: &MessageGap) {
        let what = format_args!("{} octets of the message are missing", gap.len);
        self.tell(at, gap.offset, what);
        self.sink.gap(at, gap);
    }

    fn end(&mut self, at: &mut At<'_, M>, end: &MessageEnd) {
        let how = if end.whole { "whole" } else { "incomplete" };
        self.tell(at, end.offset, format_args!("message ends, {how}"));
        self.sink.end(at, end);
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize) {
        let what = format_args!("datagram of {payload_len} octets, {}", at.protocol);
        self.tell_flow(at.cx, at.flow, what);
        self.sink.datagram(at, payload, payload_len);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, M::State>,
        message: &UserMessage<'_>,
    ) {
        let what = format_args!("user message of {} octets", message.data.len());
        self.tell_flow(at.cx, at.flow, what);
        self.sink.user_message(at, message);
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, M::State>, close: Close) {
        self.tell_flow(at.cx, at.flow, format_args!("association ends: {close:?}"));
        self.sink.association_end(at, close);
    }

    fn input_end(&mut self, cx: &mut Context) {
        self.sink.input_end(cx);
    }

    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        self.sink.packet(cx, packet, dropped);
    }

    fn stream_data(&mut self, at: &mut At<'_, M>, chunk: &Chunk<'_>) {
        let (len, frame) = (chunk.data.len(), chunk.frame);
        let what = format_args!("{len} octets of packet {frame}");
        self.tell(at, chunk.offset, what);
        self.sink.stream_data(at, chunk);
    }

    fn stream_gap(&mut self, at: &mut At<'_, M>, gap: &Gap) {
        let what = match gap.len {
            Some(len) => format!("gap of {len} octets: {:?}", gap.cause),
            None => "gap of unknown length".to_owned(),
        };
        self.tell(at, gap.offset, format_args!("{what}"));
        self.sink.stream_gap(at, gap);
    }

    fn stream_end(&mut self, at: &mut At<'_, M>, close: Close) {
        let offset = at.side().delivered;
        self.tell(at, offset, format_args!("stream ends: {close:?}"));
        self.sink.stream_end(at, close);
    }

    fn closed(&mut self, at: &mut At<'_, M>, close: Close) {
        self.tell_flow(at.cx, at.flow, format_args!("connection ends: {close:?}"));
        self.sink.closed(at, close);
    }
}
