//! The streams that a connection carries: each has a state of the sink's own, so that the messages of many can be open at once, and a
//! sink sees them as those of a connection of their own.

use super::carrier::{Carried, Carrier as _, CarrierContext};
use super::events::{CarriedMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use super::protocols::AnyCarrier;
use super::rules::Rules;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::{Close, Side};
use crate::base::time::{Instant, Timestamp};
use crate::transport::stream::StreamContext;
use std::collections::BTreeMap;

/// One stream that a connection carries, and what the sink keeps with it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct CarriedStream<T> {
    state: T,
    sides: [CarriedSide; 2],
}

/// One direction of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct CarriedSide {
    /// Octets of its messages so far, as their offsets count.
    at: u64,
    /// Where the open message begins.
    start: u64,
    /// The sink sees it.
    wanted: bool,
    /// What brought its first octet, where that was some time ago.
    opened: Option<(Timestamp, u64)>,
}

/// All streams that a connection carries.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + serde::de::DeserializeOwned")]
pub(super) struct CarriedStreams<T> {
    carrier: AnyCarrier,
    protocol: Name,
    streams: BTreeMap<u32, CarriedStream<T>>,
    /// Octets that the budget knows of.
    charged: usize,
}

/// What comes to a carrier.
#[derive(Clone, Copy, Debug)]
pub(super) enum ToCarrier<'a> {
    /// A frame begins.
    Frame,
    /// Octets of it.
    Octets(&'a [u8]),
    /// So many of its octets are missing.
    Gap(u64),
    /// Its direction has ended.
    End(Option<Close>),
}

/// The packet that brought something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    pub(super) time: Timestamp,
    pub(super) frame: u64,
    /// What its segment acknowledged.
    pub(super) acknowledged: Option<Timestamp>,
}

/// The connection that carries streams, or holds one in its records, where something happens.
pub(super) struct Around<'a> {
    pub(super) cx: &'a mut Context,
    pub(super) flow: &'a Flow,
    pub(super) sides: &'a [Side; 2],
    pub(super) direction: Direction,
    /// When its first packet was captured.
    pub(super) opened: Instant,
    /// Nobody is woken for a stream that is carried.
    pub(super) wake: Option<Instant>,
}

impl<'a> Around<'a> {
    /// Of what a connection is asked about.
    pub(super) fn of<S>(at: &'a mut StreamContext<'_, S>) -> Self {
        Self {
            cx: at.cx,
            flow: at.flow,
            sides: at.sides,
            direction: at.direction,
            opened: at.opened,
            wake: None,
        }
    }
}

impl<T: Default> CarriedStreams<T> {
    /// None yet.
    pub(super) fn new(carrier: AnyCarrier, protocol: &'static str) -> Self {
        Self {
            carrier,
            protocol: Name::of(protocol),
            streams: BTreeMap::new(),
            charged: 0,
        }
    }

    /// The protocol that carries them.
    pub(super) fn protocol(&self) -> &'static str {
        self.protocol.text()
    }

    /// Frames may be missing in this direction.
    pub(super) fn lost(&mut self, direction: Direction) {
        self.carrier.lost(direction);
    }

    /// Hands something to the carrier, and what it makes of it to the sink. Gives the number of messages that ended, by direction.
    pub(super) fn take<M: MessageSink<State = T>>(
        &mut self,
        around: &mut Around<'_>,
        (sink, rules): (&mut M, &Rules),
        what: ToCarrier<'_>,
        brought: Brought,
    ) -> [u64; 2] {
        let at = CarrierContext {
            direction: around.direction,
            header: around.cx.limits.header,
            streams: around.cx.limits.carried_streams,
            from_start: around.sides[around.direction.index()].from_start,
        };
        around.cx.counters.carried.frames += u64::from(matches!(what, ToCarrier::Frame));
        let closes = match what {
            ToCarrier::End(close) => close,
            ToCarrier::Frame | ToCarrier::Octets(_) | ToCarrier::Gap(_) => None,
        };
        let mut telling = Telling {
            numbered: self.carrier.numbers_streams(),
            streams: &mut self.streams,
            around,
            sink,
            rules,
            brought,
            protocol: self.protocol.text(),
            closes,
            ended: [0; 2],
        };
        let mut to = |stream: u32, direction: Direction, event: Carried<'_>| {
            telling.tell(stream, direction, event);
        };
        match what {
            ToCarrier::Frame => self.carrier.frame(at, &mut to),
            ToCarrier::Octets(octets) => self.carrier.octets(at, octets, &mut to),
            ToCarrier::Gap(len) => self.carrier.gap(at, len, &mut to),
            ToCarrier::End(_) => self.carrier.end(at, &mut to),
        }
        let ended = telling.ended;
        self.charge(around.cx);
        ended
    }

    /// Octets that the budget knows of, with those of what the sink keeps with each stream; None where one may not be written out.
    pub(super) fn charged(&self, of_state: impl Fn(&T) -> Option<usize>) -> Option<usize> {
        let mut all = self.charged;
        for stream in self.streams.values() {
            all += of_state(&stream.state)?;
        }
        Some(all)
    }

    fn charge(&mut self, cx: &mut Context) {
        // The nodes of a tree are full by two thirds, about.
        let each = size_of::<CarriedStream<T>>() * 3 / 2;
        let now = allocated(size_of::<Self>()) + self.streams.len() * each + self.carrier.size();
        cx.budget.rebook(&mut self.charged, now);
    }

    /// The connection has ended, or speaks another protocol: all streams end with it.
    pub(super) fn close<M: MessageSink<State = T>>(
        mut self,
        around: &mut Around<'_>,
        (sink, rules): (&mut M, &Rules),
        close: Option<Close>,
        brought: Brought,
    ) -> [u64; 2] {
        let mut ended = [0; 2];
        for direction in [Direction::Forward, Direction::Reverse] {
            let mut around = Around {
                cx: &mut *around.cx,
                direction,
                ..*around
            };
            let what = ToCarrier::End(close);
            let more = self.take(&mut around, (&mut *sink, rules), what, brought);
            for (ended, more) in ended.iter_mut().zip(more) {
                *ended += more;
            }
        }
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        let mut telling = Telling {
            numbered: self.carrier.numbers_streams(),
            streams: &mut self.streams,
            around,
            sink,
            rules,
            brought,
            protocol: self.protocol.text(),
            closes: close,
            ended: [0; 2],
        };
        for id in ids {
            telling.tell(id, Direction::Forward, Carried::Closed { evicted: false });
        }
        around.cx.budget.give(self.charged);
        ended
    }
}

/// Tells a sink what happens in the streams.
struct Telling<'a, 'b, M: MessageSink> {
    streams: &'a mut BTreeMap<u32, CarriedStream<M::State>>,
    around: &'a mut Around<'b>,
    sink: &'a mut M,
    rules: &'a Rules,
    brought: Brought,
    protocol: &'static str,
    numbered: bool,
    closes: Option<Close>,
    ended: [u64; 2],
}

impl<M: MessageSink> Telling<'_, '_, M> {
    fn tell(&mut self, id: u32, direction: Direction, event: Carried<'_>) {
        let counters = &mut self.around.cx.counters.carried;
        match event {
            Carried::Fields { unknown, left_out } => {
                counters.unknown_fields += u64::from(unknown);
                counters.left_out_fields += u64::from(left_out);
            }
            Carried::BadFields => counters.bad_blocks += 1,
            Carried::Closed { evicted } => {
                counters.evicted += u64::from(evicted);
                if let Some(mut stream) = self.streams.remove(&id) {
                    let sides = sides(self.around);
                    let mut at = place(self.around, &sides, direction, &mut stream.state);
                    self.sink.carried_end(&mut at);
                }
            }
            Carried::Opens => {
                let stream = self.streams.entry(id).or_default();
                let packet = (self.brought.time, self.brought.frame);
                stream.sides[direction.index()].opened = Some(packet);
            }
            Carried::Undecoded { oversized } => {
                counters.undecoded += 1;
                counters.oversized += u64::from(oversized);
            }
            Carried::Start { .. } => {
                counters.messages += 1;
                // What is said of a stream that has no message needs no state.
                self.streams.entry(id).or_default();
                self.happen(id, direction, event);
            }
            Carried::End { whole } => {
                counters.incomplete += u64::from(!whole);
                self.ended[direction.index()] += 1;
                self.happen(id, direction, event);
            }
            Carried::Inner(_) => {
                counters.inner += 1;
                self.happen(id, direction, event);
            }
            Carried::Octets(_) | Carried::Gap(_) | Carried::Trailers(_) => {
                self.happen(id, direction, event);
            }
        }
    }

    /// Something happens in the open message of a stream.
    fn happen(&mut self, id: u32, direction: Direction, event: Carried<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let (brought, sink) = (self.brought, &mut *self.sink);
        let asked = stream.sides[direction.flip().index()].start;
        let side = &mut stream.sides[direction.index()];
        let sides = sides(self.around);
        let at = &mut place(self.around, &sides, direction, &mut stream.state);
        match event {
            Carried::Start {
                kind,
                head,
                extent,
                answers,
            } => {
                side.start = side.at;
                let (time, frame) = side.opened.take().unwrap_or((brought.time, brought.frame));
                let start = MessageStart {
                    protocol: self.protocol,
                    kind,
                    offset: side.at,
                    extent,
                    head,
                    time,
                    frame,
                    ack: None,
                    answers: answers.then_some(asked),
                    carried: Some(CarriedMessage {
                        stream: self.numbered.then_some(id),
                    }),
                };
                let wanted = self.rules.filter.wants(self.protocol);
                side.wanted = wanted && sink.takes_message(at, &start);
                if side.wanted {
                    sink.start(at, &start);
                }
            }
            Carried::Octets(data) if !data.is_empty() => {
                let piece = Piece {
                    offset: side.at,
                    data,
                    time: brought.time,
                    frame: brought.frame,
                    sum: None,
                    last: false,
                };
                side.at += data.len() as u64;
                if side.wanted {
                    sink.data(at, &piece);
                }
            }
            Carried::Gap(len) => {
                let missing = MessageGap {
                    offset: side.at,
                    len: len.unwrap_or(0),
                };
                side.at += missing.len;
                if side.wanted {
                    sink.gap(at, &missing);
                }
            }
            Carried::Trailers(section) if side.wanted => sink.trailers(at, section),
            Carried::Inner(inner) if side.wanted => {
                sink.inner(at, inner);
            }
            Carried::End { whole } if side.wanted => {
                side.wanted = false;
                let end = MessageEnd {
                    offset: side.at,
                    whole,
                    extent_unknown: !whole,
                    closes: self.closes.filter(|_| !whole),
                    acknowledged: brought.acknowledged,
                };
                sink.end(at, &end);
            }
            _ => {}
        }
    }
}

/// Both sides as a stream has them that is carried: its offsets count from 0.
fn sides(around: &Around<'_>) -> [Side; 2] {
    around.sides.map(|side| Side {
        seen: side.seen,
        from_start: side.from_start,
        ..Side::default()
    })
}

/// Where an event of a stream belongs.
fn place<'a, T>(
    around: &'a mut Around<'_>,
    sides: &'a [Side; 2],
    direction: Direction,
    state: &'a mut T,
) -> StreamContext<'a, T> {
    StreamContext {
        cx: &mut *around.cx,
        flow: around.flow,
        sides,
        direction,
        opened: around.opened,
        wake: &mut around.wake,
        state,
    }
}
