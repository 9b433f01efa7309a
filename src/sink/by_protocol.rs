//! All outputs of packets, and which of them takes a message: those that name its protocol, else those that name none.

use super::events::{Output, flush_all};
use super::output::Error;
use super::packets::{Connection, Packets};
use crate::base::context::Context;
use crate::base::packet::{Interface, LinkType};
use crate::base::stream::{Chunk, Close, Duplicate};
use crate::ip::Datagram;
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// All outputs of packets.
#[derive(Default)]
pub(crate) struct All(pub(super) Vec<Packets>);

/// What they keep with a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct States {
    first: Option<Box<Connection>>,
    /// Of all but the first: there is one as a rule.
    more: Vec<Option<Box<Connection>>>,
}

impl States {
    /// What the output with this number keeps.
    fn of(&mut self, output: usize) -> &mut Option<Box<Connection>> {
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

type At<'a> = StreamContext<'a, States>;

impl All {
    /// The outputs, with their numbers, that take messages of this protocol.
    fn taking<'a>(
        &'a mut self,
        protocol: &'a str,
    ) -> impl Iterator<Item = (usize, &'a mut Packets)> {
        let one = self.0.len() == 1;
        let has = move |p: &Packets| p.protocols().iter().any(|name| name == protocol);
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

impl Output for All {
    type State = States;

    fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        for p in &mut self.0 {
            p.begin(link_type, nanoseconds);
        }
    }

    fn interfaces(&mut self, all: &[Interface]) {
        for p in &mut self.0 {
            p.interfaces(all);
        }
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        flush_all(self.0.iter_mut().map(Packets::flush))
    }

    fn counts(&self) -> bool {
        !self.0.is_empty()
    }

    fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        for (i, p) in self.taking(start.protocol) {
            p.start(&mut at.with(|s| s.of(i)), start);
        }
    }

    fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        for (i, p) in self.0.iter_mut().enumerate() {
            p.data(&mut at.with(|s| s.of(i)), piece);
        }
    }

    fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        for (i, p) in self.0.iter_mut().enumerate() {
            p.gap(&mut at.with(|s| s.of(i)), gap);
        }
    }

    fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        for (i, p) in self.0.iter_mut().enumerate() {
            p.end(&mut at.with(|s| s.of(i)), end);
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        for (_, p) in self.taking(message.protocol) {
            p.datagram(at, message);
        }
    }

    fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        for p in self.0.iter_mut().filter(|p| p.protocols().is_empty()) {
            p.unprocessed(cx, datagram);
        }
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, States>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        for (_, p) in self.taking(protocol) {
            p.user_message(at.cx, at.flow, message, protocol);
        }
    }

    fn stream_arrival(&mut self, at: &mut At<'_>, chunk: &Chunk<'_>) {
        for (i, p) in self.0.iter_mut().enumerate() {
            if p.tracks() {
                p.stream_arrival(&mut at.with(|s| s.of(i)), chunk);
            }
        }
    }

    fn stream_duplicate(&mut self, at: &mut At<'_>, duplicate: &Duplicate) {
        for i in 0..self.0.len() {
            Packets::duplicate(&mut at.with(|s| s.of(i)), duplicate);
        }
    }

    fn stream_end(&mut self, at: &mut At<'_>, close: Close) {
        for (i, p) in self.0.iter_mut().enumerate() {
            p.stream_end(&mut at.with(|s| s.of(i)), close);
        }
    }

    fn closed(&mut self, at: &mut At<'_>, _: Close) {
        for (i, p) in self.0.iter_mut().enumerate() {
            p.closed(&mut at.with(|s| s.of(i)));
        }
        at.state.more = Vec::new();
    }
}
