//! All outputs of packets, and which of them takes a message: those that name its protocol, else those that name none.

use super::connection::PacketConnection;
use super::writing::PacketOutput;
use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::flow::{Direction, Flow};
use crate::base::message::Kind;
use crate::base::packet::{CaptureBlock, Interface, LinkType};
use crate::base::state::{Deserialize, Serialize};
use crate::message::{MessageSink, MessageStart, NO_PROTOCOL, clear_port};
use crate::sink::output::{Output, flush_all, forward_events};
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::writer::{OutputError, Reopened};
use crate::transport::stream::StreamContext;
use std::ops::ControlFlow;

/// All outputs of packets.
#[derive(Default)]
pub(crate) struct PacketOutputs(pub(in crate::sink) Vec<PacketOutput>);

/// What they keep with a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PacketStates {
    first: Option<Box<PacketConnection>>,
    /// Of all but the first: there is one as a rule.
    more: Vec<Option<Box<PacketConnection>>>,
    /// Of what was encrypted on the wire: the ports, of the forward direction, that it has in packets.
    clear: Option<(u16, u16)>,
}

impl PacketStates {
    /// A message of a flow begins that was encrypted on the wire: where readers look for its protocol is known from the first one of a
    /// known protocol on.
    fn note_ports(&mut self, flow: &Flow, direction: Direction, start: &MessageStart<'_>) {
        if self.clear.is_some() || start.protocol == NO_PROTOCOL {
            return;
        }
        let ports = flow.hints(direction);
        let sends = match start.kind {
            Kind::Request => false,
            Kind::Response => true,
            Kind::Other => ports.0 < ports.1,
        };
        let there = match sends {
            true => (clear_port(start.protocol, ports.0), ports.1),
            false => (ports.0, clear_port(start.protocol, ports.1)),
        };
        self.clear = Some(match direction {
            Direction::Forward => there,
            Direction::Reverse => (there.1, there.0),
        });
    }

    /// What the output with this number keeps.
    fn of(&mut self, output: usize) -> &mut Option<Box<PacketConnection>> {
        match output.checked_sub(1) {
            None => &mut self.first,
            Some(i) => {
                if self.more.len() <= i {
                    self.more.resize_with(i + 1, || None);
                }
                &mut self.more[i]
            }
        }
    }
}

impl PacketOutputs {
    /// One of them says where octets stood.
    pub(in crate::sink) fn track(&self) -> bool {
        self.0.iter().any(PacketOutput::tracks)
    }

    /// The outputs, with their numbers, that take messages of this protocol.
    fn taking<'a>(
        &'a mut self,
        protocol: &'a str,
    ) -> impl Iterator<Item = (usize, &'a mut PacketOutput)> {
        let one = self.0.len() == 1;
        let has = move |p: &PacketOutput| p.protocols().iter().any(|name| name == protocol);
        let named = !one && self.0.iter().any(has);
        self.0.iter_mut().enumerate().filter(move |(_, p)| {
            if p.protocols().is_empty() {
                !named
            } else {
                has(p)
            }
        })
    }
}

/// The flow of packets: of what was encrypted on the wire one on the port that it would have had in clear, where readers look for it.
macro_rules! in_clear {
    ($at:ident, $clear:ident) => {
        if $at.flow.decrypted.is_some() {
            $clear = $at.flow.in_clear($at.state.clear);
            &$clear
        } else {
            $at.flow
        }
    };
}

/// For [`forward_events`]: to the outputs that take the message, or to all.
macro_rules! to_outputs {
    // What streams carry is written as the frames that carry it.
    ([] state $self:ident $at:ident trailers $args:tt) => {};
    ([] state $self:ident $at:ident inner $args:tt) => {};
    ([] state $self:ident $at:ident carried $args:tt) => {};
    ([] state $self:ident $at:ident carried_end $args:tt) => {};
    ([] state $self:ident $at:ident start($start:ident)) => {
        if $start.carried.is_some() {
            return;
        }
        let clear;
        if $at.flow.decrypted.is_some() {
            $at.state.note_ports($at.flow, $at.direction, $start);
        }
        let flow = in_clear!($at, clear);
        for (i, output) in $self.taking($start.protocol) {
            output.messages += 1;
            output.start(&mut in_flow($at.with(|s| s.of(i)), flow), $start);
        }
    };
    ([] plain $self:ident $at:ident datagram($message:ident)) => {
        for (_, output) in $self.taking($message.protocol) {
            output.messages += 1;
            output.datagram($at, $message);
        }
    };
    ([] state $self:ident $at:ident user_message($message:ident, $protocol:ident)) => {
        for (i, output) in $self.taking($protocol) {
            output.messages += 1;
            output.user_message(&mut $at.with(|s| s.of(i)), $message, $protocol);
        }
    };
    // A datagram that was not processed has no protocol.
    ([] plain $self:ident $at:ident unprocessed($datagram:ident)) => {
        for output in $self.0.iter_mut().filter(|o| o.protocols().is_empty()) {
            output.unprocessed($at, $datagram);
        }
    };
    ([] state $self:ident $at:ident stream_arrival($chunk:ident)) => {
        for (i, output) in $self.0.iter_mut().enumerate() {
            if output.tracks() {
                output.stream_arrival(&mut $at.with(|s| s.of(i)), $chunk);
            }
        }
    };
    // Octets between messages, and their gaps, make no packets; a place for an output's state is not made for them.
    ([] state $self:ident $at:ident skipped $args:tt) => {};
    ([] state $self:ident $at:ident stream_data($chunk:ident)) => {};
    ([] state $self:ident $at:ident stream_gap($gap:ident)) => {};
    ([] state $self:ident $at:ident chunk_gap($gap:ident)) => {};
    ([] state $self:ident $at:ident chunk_duplicate($chunk:ident)) => {};
    ([] state $self:ident $at:ident closed($close:ident)) => {
        to_outputs!(all $self $at closed($close));
        $at.state.more = Vec::new();
    };
    ([] state $self:ident $at:ident association_end($close:ident)) => {
        $at.state.more = Vec::new();
    };
    ([] state $self:ident $at:ident $event:ident($arg:ident)) => { to_outputs!(all $self $at $event($arg)) };
    ([] plain $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        for output in &mut $self.0 {
            output.$event($at $(, $arg)*);
        }
    };
    (all $self:ident $at:ident $event:ident($arg:ident)) => {
        let clear;
        let flow = in_clear!($at, clear);
        for (i, output) in $self.0.iter_mut().enumerate() {
            output.$event(&mut in_flow($at.with(|s| s.of(i)), flow), $arg);
        }
    };
}

/// The same place, in this flow.
#[inline]
fn in_flow<'a, S>(at: StreamContext<'a, S>, flow: &'a Flow) -> StreamContext<'a, S> {
    StreamContext { flow, ..at }
}

impl MessageSink for PacketOutputs {
    type State = PacketStates;

    fn charged(&self, state: &PacketStates) -> Option<usize> {
        // Where there are several, each would have to be counted.
        let all = state.more.is_empty().then_some(&state.first)?;
        all.as_ref().map_or(Some(0), |conn| conn.charged())
    }

    forward_events!(to_outputs []);
}

impl Output for PacketOutputs {
    fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        for output in &mut self.0 {
            output.begin(link_type, nanoseconds);
        }
    }

    fn interfaces(&mut self, all: &[Interface]) {
        for output in &mut self.0 {
            output.interfaces(all);
        }
    }

    fn block(&mut self, block: &CaptureBlock) {
        for output in &mut self.0 {
            output.file.block(block);
        }
    }

    fn reopen(&mut self, all: &[Interface], done: &mut Reopened) {
        for output in &mut self.0 {
            output.file.reopen(all, done);
        }
    }

    fn is_open(&self) -> Option<bool> {
        Some(self.0.iter().any(|one| one.file.out.is_open()))
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        flush_all(self.0.iter_mut().map(Output::flush))
    }

    fn counts(&self) -> bool {
        !self.0.is_empty()
    }

    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.extend(self.0.iter().map(|output| ChannelCounters {
            messages: Some(output.messages),
            ..output.file.channel()
        }));
    }

    // What waits to be sorted is written, as the next run has files of its own.
    fn settle(&mut self, cx: &mut Context) {
        for output in &mut self.0 {
            output.write_all(cx);
        }
    }

    fn save(&self, to: &mut StateWriter) {
        for output in &self.0 {
            output.file.save(to);
            to.put(&(&output.ports, &output.comments));
        }
    }

    fn load(&mut self, cx: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        for output in &mut self.0 {
            output.file.load(from)?;
            (output.ports, output.comments) = from.get()?;
            output.ports.count(cx);
        }
        Ok(())
    }
}
