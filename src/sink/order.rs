//! `--pair`: the messages of a connection in the order of its exchanges: a request, what answers it, the next request.
//!
//! ```text
//!   as they come        as they are written
//!   GET /1              GET /1
//!   GET /2  held        200 of /1
//!   200 of /1           GET /2
//!   200 of /2           200 of /2
//! ```
//!
//! While an exchange is open, requests of its side are held, and so is an answer whose request has not come yet. Each direction stays
//! in the order of its stream: where answers overtake each other, requests go ahead of theirs as early as that asks for. What is held is told again as it came, with the packet that had brought it; so all
//! outputs see one order. An exchange of which a half is lost ends after the packet time-out, or when a later request is answered.

use super::exchange::TOLD;
use super::pairing::{Paired, REQUESTS, is_interim};
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::packet::PacketInfo;
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::{Close, Side};
use crate::base::time::{Instant, Timestamp};
use crate::message::{
    CarriedMessage, ListedMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece,
    by_number, in_order, transaction,
};
use crate::transport::stream::StreamContext;
use std::collections::VecDeque;

/// Messages of a direction that are held; for one more all are let go. With the request of the exchange that is open they are as many as
/// may wait for their answers.
const HELD: usize = REQUESTS - 1;

/// What is kept of a connection, or of a stream that it carries.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ExchangeOrder {
    open: Option<OpenExchange>,
    sides: [OrderSide; 2],
    /// The message that has just come, which is neither held nor written yet: its direction, and the request to which it belongs.
    comes: Option<(Direction, u64)>,
    /// Number of the next message that is held.
    next: u64,
    /// When what is held is let go.
    until: Option<Instant>,
    /// Octets that the budget knows of.
    charged: usize,
}

/// An exchange whose request was written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OpenExchange {
    direction: Direction,
    /// Where its request begins.
    offset: u64,
    /// When it was written, or its answer went on.
    since: Instant,
}

/// One direction.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OrderSide {
    /// What becomes of the message that is open.
    now: MessageFate,
    held: VecDeque<OrderedMessage>,
    /// The end of its stream is held too.
    ends: Option<(Close, PacketInfo)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum MessageFate {
    /// None is open.
    #[default]
    None,
    /// It is written as it comes.
    Written,
    /// It was not chosen.
    LeftOut,
    /// It is the last one that is held.
    Held,
}

/// A message that is held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OrderedMessage {
    number: u64,
    since: Instant,
    packet: PacketInfo,
    protocol: Name,
    kind: Kind,
    offset: u64,
    extent: Extent,
    head: Vec<u8>,
    time: Timestamp,
    frame: u64,
    ack: Option<u64>,
    answers: Option<u64>,
    carried: Option<CarriedMessage>,
    /// What its answer, or its request, has in common with it.
    transaction: Option<u64>,
    /// What it answers, as was known when it came.
    paired: Paired,
    events: Vec<(PacketInfo, OrderedEvent)>,
    ended: bool,
    /// Octets that the budget knows of.
    charged: usize,
}

/// Something of a message that is held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum OrderedEvent {
    Octets {
        offset: u64,
        octets: Vec<u8>,
        time: Timestamp,
        frame: u64,
        sum: Option<Sum>,
        last: bool,
    },
    Gap(u64, u64),
    Trailers(Vec<u8>),
    Inner(ListedMessage),
    End {
        offset: u64,
        whole: bool,
        extent_unknown: bool,
        closes: Option<Close>,
        acknowledged: Option<Timestamp>,
    },
}

impl OrderedMessage {
    fn new(
        cx: &Context,
        start: &MessageStart<'_>,
        transaction: Option<u64>,
        paired: Paired,
    ) -> Self {
        Self {
            number: 0,
            since: cx.now,
            packet: cx.packet,
            protocol: Name::of(start.protocol),
            kind: start.kind,
            offset: start.offset,
            extent: start.extent,
            head: start.head.to_vec(),
            time: start.time,
            frame: start.frame,
            ack: start.ack,
            answers: start.answers,
            carried: start.carried,
            transaction,
            paired,
            events: Vec::new(),
            ended: false,
            charged: 0,
        }
    }

    fn start(&self) -> MessageStart<'_> {
        MessageStart {
            protocol: self.protocol.text(),
            kind: self.kind,
            offset: self.offset,
            extent: self.extent,
            head: &self.head,
            time: self.time,
            frame: self.frame,
            ack: self.ack,
            answers: self.answers,
            carried: self.carried,
        }
    }

    /// Takes an event, and gives back how many octets more are allocated.
    fn push(&mut self, packet: PacketInfo, event: OrderedEvent) -> usize {
        let octets = match &event {
            OrderedEvent::Octets { octets, .. } | OrderedEvent::Trailers(octets) => {
                allocated(octets.capacity())
            }
            OrderedEvent::Gap(..) | OrderedEvent::Inner(..) | OrderedEvent::End { .. } => 0,
        };
        let before = self.events.capacity();
        self.events.push((packet, event));
        let more = self.events.capacity() - before;
        let more = octets + more * size_of::<(PacketInfo, OrderedEvent)>();
        self.charged += more;
        more
    }
}

impl ExchangeOrder {
    fn holds(&self, d: Direction) -> bool {
        !self.sides[d.index()].held.is_empty()
    }

    fn holds_any(&self) -> bool {
        self.sides.iter().any(|side| !side.held.is_empty())
    }

    /// A request that has this in common with its answer is held.
    fn asked(&self, d: Direction, number: Option<u64>) -> bool {
        let mut held = self.sides[d.index()].held.iter();
        number.is_some() && held.any(|message| message.transaction == number)
    }

    /// The answer to the request of this direction that begins there has come, or more of it, and has not been written.
    fn has_answer(&self, d: Direction, offset: u64) -> bool {
        let mut held = self.sides[d.flip().index()].held.iter();
        self.comes == Some((d.flip(), offset))
            || held.any(|message| message.paired.belongs == Some(offset))
    }

    fn fate(&mut self, d: Direction) -> &mut MessageFate {
        &mut self.sides[d.index()].now
    }

    fn count(&mut self, cx: &mut Context, more: usize) {
        cx.budget.take(more);
        self.charged += more;
    }

    /// When what is held is let go, if nothing comes: an exchange is over where its answer is late, whatever came since.
    fn deadline(&self, cx: &Context) -> Option<Instant> {
        let held = self.sides.iter().filter_map(|side| side.held.front());
        let oldest = held.map(|message| message.since).min()?;
        let since = self.open.map_or(oldest, |open| open.since);
        Some(since.after(cx.limits.tcp_packet_timeout))
    }

    /// The message may be written now.
    fn may_go(
        &self,
        sides: &[Side; 2],
        (d, start): (Direction, &MessageStart<'_>),
        (number, paired): (Option<u64>, &Paired),
    ) -> bool {
        match self.open {
            Some(open) if open.direction == d => start.kind != Kind::Request,
            // The request itself may go on.
            Some(open) if self.sides[open.direction.index()].now == MessageFate::Written => false,
            Some(open) => {
                let mut held = self.sides[open.direction.index()].held.iter();
                let is_held = match start.answers.or(paired.belongs) {
                    Some(answers) => held.any(|message| message.offset == answers),
                    None => self.asked(open.direction, number),
                };
                start.kind != Kind::Response || !is_held
            }
            // Of two taps the one may be late: the request that it answers is still to come.
            None => {
                let other = &sides[d.flip().index()];
                let early = |ack| other.seen && !other.is_settled(ack);
                start.kind != Kind::Response
                    || !pairs(start.protocol)
                    || !start.ack.is_some_and(early)
            }
        }
    }

    /// Takes the message whose turn it is, if there is one.
    fn take(&mut self, sides: &[Side; 2], any: bool) -> Option<(Direction, OrderedMessage)> {
        let front = |d: Direction| {
            let side = &self.sides[d.index()];
            let message = side.held.front()?;
            let free = matches!(side.now, MessageFate::None | MessageFate::Held);
            let start = message.start();
            let goes =
                any || self.may_go(sides, (d, &start), (message.transaction, &message.paired));
            (free && goes).then_some((d, message.number))
        };
        let fronts = [Direction::Forward, Direction::Reverse].map(front);
        let answers = |d: Direction| self.open.is_some_and(|open| open.direction != d);
        let turn = fronts.into_iter().flatten();
        // An answer goes ahead of all else, but where everything is let go.
        let (d, _) = turn.min_by_key(|(d, number)| (any || !answers(*d), *number))?;
        let side = &mut self.sides[d.index()];
        let message = side.held.pop_front()?;
        Some((d, message))
    }
}

/// Its responses are told by what they answer.
fn pairs(protocol: &str) -> bool {
    TOLD.contains(&protocol) || in_order(protocol).is_some() || by_number(protocol).is_some()
}

/// Outputs that are told of messages when it is their turn: what they hear of a message comes here first, unless it
/// [passes](Self::passes).
pub(super) trait TakesTurns: MessageSink + Sized {
    /// What is kept of the connection for this.
    fn order(state: &mut Self::State) -> &mut Option<Box<ExchangeOrder>>;
    /// The same, to be looked at.
    fn order_there(state: &Self::State) -> Option<&ExchangeOrder>;
    /// The request of this direction that begins there may be answered yet.
    fn waits(state: &Self::State, direction: Direction, offset: u64) -> bool;
    /// A message comes: what it answers. Asked for each in the order in which they come, whenever their turn is.
    fn pair(&mut self, at: &mut StreamContext<'_, Self::State>, start: &MessageStart<'_>)
    -> Paired;
    /// What the message answers whose turn it is next.
    fn has_paired(&mut self, paired: Paired);
    /// It is the turn of what is told from here on, or not any more.
    fn passes(&mut self, passing: bool);

    /// When [`Outputs::turn_due`] is to be called though nothing comes.
    #[inline]
    fn turn_at(&self, state: &Self::State) -> Option<Instant> {
        Self::order_there(state)?.until
    }

    /// Takes out what is kept of the connection; it is made where `new` asks for it.
    fn order_of(
        &self,
        at: &mut StreamContext<'_, Self::State>,
        new: bool,
    ) -> Option<Box<ExchangeOrder>> {
        let order = Self::order(at.state).take();
        if order.is_none() && new {
            at.cx.budget.take(allocated(size_of::<ExchangeOrder>()));
            return Some(Box::default());
        }
        order
    }

    /// Puts it back, after all has been written whose turn it is.
    fn put_order(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        mut order: Box<ExchangeOrder>,
    ) {
        self.let_go(at, &mut order, false);
        order.until = order.deadline(at.cx);
        *Self::order(at.state) = Some(order);
    }

    /// Writes what is held and may be written: all of it, if `all` says so.
    fn let_go(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        order: &mut ExchangeOrder,
        all: bool,
    ) {
        loop {
            self.settle(at, order);
            let Some((d, message)) = order.take(at.sides, all) else {
                break;
            };
            self.tell_held(at, order, d, message);
        }
        for d in [Direction::Forward, Direction::Reverse] {
            let side = &mut order.sides[d.index()];
            if side.held.is_empty()
                && side.now == MessageFate::None
                && let Some((close, packet)) = side.ends.take()
            {
                self.as_it_was(at, d, packet, |outputs, at| outputs.stream_end(at, close));
            }
        }
    }

    /// The exchange that is open is over: all of its answer was written, or its pairing is lost.
    fn settle(&self, at: &StreamContext<'_, Self::State>, order: &mut ExchangeOrder) {
        let Some(open) = order.open else {
            return;
        };
        let waits = Self::waits(at.state, open.direction, open.offset)
            || order.has_answer(open.direction, open.offset);
        let answer = order.sides[open.direction.flip().index()].now;
        if !waits && matches!(answer, MessageFate::None | MessageFate::Held) {
            order.open = None;
        }
    }

    /// What is held longer than may be is let go.
    fn expire(&mut self, at: &mut StreamContext<'_, Self::State>, order: &mut ExchangeOrder) {
        while order
            .deadline(at.cx)
            .is_some_and(|until| at.cx.now >= until)
        {
            at.cx.counters.pair.reset += 1;
            if order.open.take().is_some() {
                self.let_go(at, order, false);
                continue;
            }
            // An answer whose request has not come.
            match order.take(at.sides, true) {
                Some((d, message)) => self.tell_held(at, order, d, message),
                None => return,
            }
        }
    }

    /// Does something as if it happened in this direction, with this packet.
    fn as_it_was(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        d: Direction,
        packet: PacketInfo,
        what: impl FnOnce(&mut Self, &mut StreamContext<'_, Self::State>),
    ) {
        let now = (at.direction, at.cx.packet, at.cx.discarded);
        at.direction = d;
        at.cx.packet = packet;
        self.passes(true);
        what(self, at);
        self.passes(false);
        (at.direction, at.cx.packet, at.cx.discarded) = now;
    }

    /// A message begins for the outputs.
    fn tell_start(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        order: &mut ExchangeOrder,
        start: &MessageStart<'_>,
        paired: Paired,
    ) {
        self.passes(true);
        self.has_paired(paired);
        let taken = self.takes_message(at, start);
        if taken {
            self.start(at, start);
        }
        self.passes(false);
        let d = at.direction;
        *order.fate(d) = if taken {
            MessageFate::Written
        } else {
            MessageFate::LeftOut
        };
        if order.open.is_none()
            && start.kind == Kind::Request
            && pairs(start.protocol)
            && (Self::waits(at.state, d, start.offset) || order.has_answer(d, start.offset))
        {
            order.open = Some(OpenExchange {
                direction: d,
                offset: start.offset,
                since: at.cx.now,
            });
        }
    }

    /// A message that was held is told, as far as it has come.
    fn tell_held(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        order: &mut ExchangeOrder,
        d: Direction,
        message: OrderedMessage,
    ) {
        at.cx.budget.give(message.charged);
        order.charged = order.charged.saturating_sub(message.charged);
        self.as_it_was(at, d, message.packet, |outputs, at| {
            outputs.tell_start(at, order, &message.start(), message.paired);
        });
        let written = *order.fate(d) == MessageFate::Written;
        for (packet, event) in message.events {
            if written {
                self.as_it_was(at, d, packet, |outputs, at| outputs.tell(at, &event));
            }
        }
        if message.ended {
            // What comes in this direction may be another message that is held.
            let open = order.sides[d.index()].held.back();
            *order.fate(d) = match open {
                Some(last) if !last.ended => MessageFate::Held,
                _ => MessageFate::None,
            };
        }
    }

    fn tell(&mut self, at: &mut StreamContext<'_, Self::State>, event: &OrderedEvent) {
        match event {
            OrderedEvent::Octets {
                offset,
                octets,
                time,
                frame,
                sum,
                last,
            } => {
                let piece = Piece {
                    offset: *offset,
                    data: octets,
                    time: *time,
                    frame: *frame,
                    sum: *sum,
                    last: *last,
                };
                self.data(at, &piece);
            }
            OrderedEvent::Gap(offset, len) => {
                let (offset, len) = (*offset, *len);
                self.gap(at, &MessageGap { offset, len });
            }
            OrderedEvent::Trailers(section) => self.trailers(at, section),
            OrderedEvent::Inner(message) => self.inner(at, message),
            OrderedEvent::End {
                offset,
                whole,
                extent_unknown,
                closes,
                acknowledged,
            } => {
                let end = MessageEnd {
                    offset: *offset,
                    whole: *whole,
                    extent_unknown: *extent_unknown,
                    closes: *closes,
                    acknowledged: *acknowledged,
                };
                self.end(at, &end);
            }
        }
    }

    /// A message begins: it is written, or held until its turn comes.
    #[cold] // off the way of those that order nothing
    fn turn_start(&mut self, at: &mut StreamContext<'_, Self::State>, start: &MessageStart<'_>) {
        let Some(mut order) = self.order_of(at, true) else {
            return;
        };
        let paired = self.pair(at, start);
        let answers = start.answers.or(paired.answers);
        let d = at.direction;
        order.comes = paired.belongs.map(|offset| (d, offset));
        self.expire(at, &mut order);
        // Answers come in the order of their requests: what an answer to a later one has passed over is lost.
        while let (Some(open), Some(answers)) = (order.open, answers)
            && open.direction != d
            && open.offset < answers
            && by_number(start.protocol).is_none()
            && !order.holds(d)
        {
            at.cx.counters.pair.reset += 1;
            order.open = None;
            self.let_go(at, &mut order, false);
        }
        // Behind a loss nobody knows what is answered.
        if order.open.is_some_and(|open| open.direction != d)
            && start.kind == Kind::Response
            && start.answers.is_none()
            && TOLD.contains(&start.protocol)
            && order.holds(d.flip())
            && !is_interim(start.protocol, at.flow.transport, start.head)
        {
            at.cx.counters.pair.reset += 1;
            order.open = None;
            self.let_go(at, &mut order, true);
        }
        let number = transaction(start.protocol, at.flow.transport, start.head);
        // An answer that overtakes others, by its number: its request goes ahead of it, and those that were sent before that.
        if let (Some(open), Kind::Response, Some(_)) = (order.open, start.kind, number)
            && open.direction != d
        {
            let asks = open.direction;
            while order.asked(asks, number)
                && let Some(message) = order.sides[asks.index()].held.pop_front()
            {
                self.tell_held(at, &mut order, asks, message);
            }
        }
        let goes = !order.holds(d) && order.may_go(at.sides, (d, start), (number, &paired));
        order.comes = None;
        if goes {
            self.tell_start(at, &mut order, start, paired);
        } else {
            let mut message = OrderedMessage::new(at.cx, start, number, paired);
            message.number = order.next;
            message.charged = size_of::<OrderedMessage>() + allocated(message.head.capacity());
            order.next += 1;
            order.count(at.cx, message.charged);
            at.cx.counters.pair.held += 1;
            let side = &mut order.sides[d.index()];
            // One that is still told as it came has not ended.
            side.now = MessageFate::Held;
            side.held.push_back(message);
            self.bound(at, &mut order);
        }
        self.put_order(at, order);
    }

    /// More is held than may be: all of it is let go.
    fn bound(&mut self, at: &mut StreamContext<'_, Self::State>, order: &mut ExchangeOrder) {
        let most = at.cx.budget.limit() / 8 * 7;
        let many = order.sides.iter().any(|side| side.held.len() > HELD);
        if many || order.charged > at.cx.limits.tcp_buffer || at.cx.budget.used() > most {
            at.cx.counters.pair.limited += 1;
            order.open = None;
            self.let_go(at, order, true);
        }
    }

    /// Something happens in the open message: true where it is for the outputs now.
    #[cold] // off the way of those that order nothing
    fn turn_event(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        event: MessageEvent<'_>,
    ) -> bool {
        let Some(order) = Self::order(at.state).as_deref_mut() else {
            return true;
        };
        let d = at.direction;
        match *order.fate(d) {
            MessageFate::None => return true,
            MessageFate::LeftOut => return false,
            MessageFate::Written => {
                if let Some(open) = &mut order.open
                    && open.direction != d
                {
                    open.since = at.cx.now;
                }
                return true;
            }
            MessageFate::Held => {}
        }
        let packet = at.cx.packet;
        if let Some(message) = order.sides[d.index()].held.back_mut() {
            let more = message.push(packet, event.kept());
            order.count(at.cx, more);
        }
        if let Some(mut order) = self.order_of(at, false) {
            self.bound(at, &mut order);
            self.put_order(at, order);
        }
        false
    }

    /// The open message ends.
    #[cold] // off the way of those that order nothing
    fn turn_end(&mut self, at: &mut StreamContext<'_, Self::State>, end: &MessageEnd) {
        let Some(mut order) = self.order_of(at, false) else {
            self.as_it_is(at, |outputs, at| outputs.end(at, end));
            return;
        };
        let d = at.direction;
        match *order.fate(d) {
            MessageFate::None | MessageFate::Written => {
                self.as_it_is(at, |outputs, at| outputs.end(at, end));
            }
            MessageFate::LeftOut => {}
            MessageFate::Held => {
                let event = OrderedEvent::End {
                    offset: end.offset,
                    whole: end.whole,
                    extent_unknown: end.extent_unknown,
                    closes: end.closes,
                    acknowledged: end.acknowledged,
                };
                if let Some(message) = order.sides[d.index()].held.back_mut() {
                    message.ended = true;
                    let more = message.push(at.cx.packet, event);
                    order.count(at.cx, more);
                }
            }
        }
        *order.fate(d) = MessageFate::None;
        self.expire(at, &mut order);
        self.put_order(at, order);
    }

    fn as_it_is(
        &mut self,
        at: &mut StreamContext<'_, Self::State>,
        what: impl FnOnce(&mut Self, &mut StreamContext<'_, Self::State>),
    ) {
        self.passes(true);
        what(self, at);
        self.passes(false);
    }

    /// A stream has ended: true where nothing of it is held.
    #[cold] // off the way of those that order nothing
    fn turn_stream_end(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close) -> bool {
        let d = at.direction;
        match Self::order(at.state).as_deref_mut() {
            Some(order) if order.holds(d) => {
                order.sides[d.index()].ends = Some((close, at.cx.packet));
                false
            }
            _ => true,
        }
    }

    /// The time has come to let go what is held.
    #[cold] // off the way of those that order nothing
    fn turn_due(&mut self, at: &mut StreamContext<'_, Self::State>) {
        if let Some(mut order) = self.order_of(at, false) {
            self.expire(at, &mut order);
            self.put_order(at, order);
        }
    }

    /// The connection, or the stream that it carries, has ended: what is held goes out, in turn as far as there are answers.
    #[cold] // off the way of those that order nothing
    fn turns_end(&mut self, at: &mut StreamContext<'_, Self::State>) {
        let Some(mut order) = self.order_of(at, false) else {
            return;
        };
        self.let_go(at, &mut order, false);
        while order.holds_any() {
            at.cx.counters.pair.reset += 1;
            order.open = None;
            self.let_go(at, &mut order, false);
            // Nothing that is early will be followed by what it answers.
            if order.open.is_none()
                && let Some((d, message)) = order.take(at.sides, true)
            {
                self.tell_held(at, &mut order, d, message);
                self.let_go(at, &mut order, false);
            }
        }
        self.let_go(at, &mut order, true);
        // Where no message was held any more, the end of a stream may be.
        at.cx.budget.give(order.charged);
        at.cx.budget.give(allocated(size_of::<ExchangeOrder>()));
    }
}

/// What happens in a message between its start and its end.
pub(super) enum MessageEvent<'a> {
    Octets(&'a Piece<'a>),
    Gap(&'a MessageGap),
    Trailers(&'a [u8]),
    Inner(&'a ListedMessage),
}

impl MessageEvent<'_> {
    fn kept(&self) -> OrderedEvent {
        match self {
            Self::Octets(piece) => OrderedEvent::Octets {
                offset: piece.offset,
                octets: piece.data.to_vec(),
                time: piece.time,
                frame: piece.frame,
                sum: piece.sum,
                last: piece.last,
            },
            Self::Gap(gap) => OrderedEvent::Gap(gap.offset, gap.len),
            Self::Trailers(section) => OrderedEvent::Trailers(section.to_vec()),
            Self::Inner(message) => OrderedEvent::Inner(**message),
        }
    }
}
