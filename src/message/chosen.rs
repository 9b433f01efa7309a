//! Hands on the messages of the protocols that the user wants, and no others (`--protocols`, `--unframed`).

use super::carried;
use super::rules::Rules;
use super::sink::{DatagramMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::base::context::Context;
use crate::base::counters::{Discard, ProtocolCounters};
use crate::base::flow::Direction;
use crate::base::packet::Packet;
use crate::base::protocol::Name;
use crate::base::stream::{Chunk, Close, Duplicate, Gap};
use crate::base::trace::EventKind;
use crate::ip::Datagram;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A [`MessageSink`] in front of another.
#[derive(Debug)]
pub struct Chosen<M> {
    /// What gets the messages that are wanted.
    pub sink: M,
    /// Which messages are wanted.
    pub rules: Rules,
}

/// What is kept with each connection.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + DeserializeOwned")]
pub struct ChosenState<T> {
    /// Each direction: the open message is not wanted.
    muted: [bool; 2],
    state: T,
}

type At<'a, M> = StreamContext<'a, ChosenState<<M as MessageSink>::State>>;

impl<M> Chosen<M> {
    /// Hands on everything to `sink`.
    pub fn new(sink: M) -> Self {
        Self {
            sink,
            rules: Rules::default(),
        }
    }
}

impl<M: MessageSink> MessageSink for Chosen<M> {
    type State = ChosenState<M::State>;

    fn start(&mut self, at: &mut At<'_, M>, start: &MessageStart<'_>) {
        let wanted = self.rules.all_chosen() || self.rules.chosen(start.protocol);
        at.state.muted[at.direction.index()] = !wanted;
        let what = EventKind::MessageBegins {
            protocol: start.protocol,
            kind: start.kind,
            extent: start.extent,
            offset: at.side().relative(start.offset),
        };
        at.cx.emit(at.flow, at.direction, what);
        if wanted {
            self.sink.start(&mut at.with(|s| &mut s.state), start);
        }
    }

    fn data(&mut self, at: &mut At<'_, M>, piece: &Piece<'_>) {
        if !at.state.muted[at.direction.index()] {
            self.sink.data(&mut at.with(|s| &mut s.state), piece);
        }
    }

    fn gap(&mut self, at: &mut At<'_, M>, gap: &MessageGap) {
        if !at.state.muted[at.direction.index()] {
            self.sink.gap(&mut at.with(|s| &mut s.state), gap);
        }
    }

    fn end(&mut self, at: &mut At<'_, M>, end: &MessageEnd) {
        let what = EventKind::MessageEnds {
            offset: at.side().relative(end.offset),
            whole: end.whole,
        };
        at.cx.emit(at.flow, at.direction, what);
        if !std::mem::take(&mut at.state.muted[at.direction.index()]) {
            self.sink.end(&mut at.with(|s| &mut s.state), end);
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        let counters = at.cx.counters.protocol(Name::of(message.protocol));
        counters.messages += 1;
        counters.octets += payload.len() as u64;
        counters.incomplete += u64::from(payload.len() < payload_len);
        let what = EventKind::Message {
            protocol: message.protocol,
            len: payload.len() as u64,
            whole: payload.len() >= payload_len,
        };
        at.cx.emit(at.flow, at.direction, what);
        if self.rules.all_chosen() || self.rules.chosen(message.protocol) {
            self.sink.datagram(at, message);
        }
    }

    fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        self.sink.unprocessed(cx, datagram);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        count(
            at.cx.counters.protocol(Name::of(protocol)),
            message,
            protocol,
        );
        if self.rules.all_chosen() || self.rules.chosen(protocol) {
            self.sink
                .user_message(&mut at.with(|s| &mut s.state), message, protocol);
        }
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, close: Close) {
        at.cx
            .emit(at.flow, Direction::Forward, EventKind::Ends(close));
        self.sink
            .association_end(&mut at.with(|s| &mut s.state), close);
    }

    fn input_end(&mut self, cx: &mut Context) {
        self.sink.input_end(cx);
    }

    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        self.sink.packet(cx, packet, dropped);
    }

    fn stream_arrival(&mut self, at: &mut At<'_, M>, chunk: &Chunk<'_>) {
        self.sink
            .stream_arrival(&mut at.with(|s| &mut s.state), chunk);
    }

    fn stream_duplicate(&mut self, at: &mut At<'_, M>, duplicate: &Duplicate) {
        self.sink
            .stream_duplicate(&mut at.with(|s| &mut s.state), duplicate);
    }

    fn stream_data(&mut self, at: &mut At<'_, M>, chunk: &Chunk<'_>) {
        self.sink.stream_data(&mut at.with(|s| &mut s.state), chunk);
    }

    fn stream_gap(&mut self, at: &mut At<'_, M>, gap: &Gap) {
        self.sink.stream_gap(&mut at.with(|s| &mut s.state), gap);
    }

    fn stream_end(&mut self, at: &mut At<'_, M>, close: Close) {
        self.sink.stream_end(&mut at.with(|s| &mut s.state), close);
    }

    fn closed(&mut self, at: &mut At<'_, M>, close: Close) {
        self.sink.closed(&mut at.with(|s| &mut s.state), close);
    }
}

/// Counts the messages of a protocol that a user message carries; where nothing tells them apart it is one.
fn count(counters: &mut ProtocolCounters, message: &UserMessage<'_>, protocol: &str) {
    counters.octets += message.data.len() as u64;
    let mut found = 0;
    let mut cut = false;
    for one in carried::messages(protocol, message.data)
        .into_iter()
        .flatten()
    {
        found += 1;
        cut = one.len > one.data.len() as u64;
    }
    counters.messages += found.max(1);
    // Where a user message breaks off behind one that is whole, nobody knows whether another one followed.
    counters.incomplete += u64::from(cut || (found == 0 && !message.whole));
}
