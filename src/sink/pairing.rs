//! Which request of a connection a response answers, and how long that took.
//!
//! Of HTTP the framer says it, as it has to know. Of other protocols it is found here, where an output shows it: by what a response
//! repeats of its request, or by order. No time is shown that could be another request's: what was lost, and what was sent before
//! the capture began, makes the count begin anew.

use crate::base::context::Context;
use crate::base::flow::{Direction, Transport};
use crate::base::message::{Extent, Kind};
use crate::base::protocol::Name;
use crate::base::stream::Side;
use crate::base::time::Timestamp;
use crate::message::{Answers, Asks, ByNumber, InOrder, MessageStart};
use crate::message::{FieldValue, by_number, fields, in_order, listed_fields, transaction};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Requests of a connection that are remembered: pipelines are rarely this deep. For one more the oldest is forgotten, and with it
/// the count of those that are answered by order.
const REQUESTS: usize = 64;
/// Behind a silence as long as this, and a response, nothing is waited for any more, most likely: the count begins anew. Servers
/// take less for nearly all they are asked.
const SILENCE: Duration = Duration::from_secs(1);

/// A request that may be answered yet.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OpenRequest {
    direction: Direction,
    offset: u64,
    ack: Option<u64>,
    time: Timestamp,
    /// What its response repeats, or how it is answered.
    number: u64,
    /// Its answer has begun.
    begun: bool,
}

/// What is known of a message that begins.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paired {
    /// When the request was captured that it answers.
    pub(super) asked: Option<Timestamp>,
    /// Where in the other stream the request begins that it answers. It is the first message to do so, and no interim answer.
    pub(super) answers: Option<u64>,
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pairing {
    protocol: Name,
    requests: VecDeque<OpenRequest>,
    /// By direction: a message was seen; where the next one begins, unless something lies between, if that is known.
    seen: [bool; 2],
    next: [Option<u64>; 2],
    /// Nothing is missing that a response could answer.
    counts: bool,
    /// Nothing can be counted any more.
    stopped: bool,
    /// When the last message began, and that it was none that waits for an answer.
    last: Timestamp,
    quiet: bool,
}

impl Pairing {
    /// A message begins.
    pub(super) fn message(
        &mut self,
        cx: &mut Context,
        (direction, transport): (Direction, Transport),
        sides: &[Side; 2],
        start: &MessageStart<'_>,
    ) -> Paired {
        let order = in_order(start.protocol);
        let numbers = by_number(start.protocol);
        let protocol = Name::of(start.protocol);
        if self.protocol != protocol {
            self.clear(cx);
            self.counts = !self.seen.contains(&true) || self.counts;
            self.protocol = protocol;
        }
        let i = direction.index();
        let side = &sides[i];
        let due = if self.seen[i] {
            self.next[i]
        } else {
            // A stream from the middle begins behind what nobody has captured.
            Some(side.origin)
                .filter(|_| side.from_start)
                .or(Some(u64::MAX))
        };
        self.seen[i] = true;
        self.next[i] = match start.extent {
            Extent::Known(len) => Some(start.offset.saturating_add(len)),
            Extent::Open | Extent::ToClose => None,
        };
        if due.is_some_and(|due| due != start.offset) {
            self.lost(cx, Some((direction, start.offset)));
        }
        let paired = match start.kind {
            Kind::Request => {
                self.request(cx, direction, transport, start, order);
                Paired::default()
            }
            Kind::Response => {
                let paired = match (start.answers, order, numbers) {
                    (Some(offset), ..) => self.told(cx, direction, offset),
                    (_, Some(order), _) => self.by_order(cx, direction, start, order),
                    (_, _, Some(_)) => self.by_number(cx, direction, transport, start),
                    _ => None,
                };
                paired.unwrap_or_default()
            }
            Kind::Other => Paired::default(),
        };
        self.last = start.time;
        self.quiet = start.kind != Kind::Request;
        paired
    }

    /// Octets are missing, which may have been messages.
    pub(super) fn gap(&mut self, cx: &mut Context, direction: Direction) {
        // Where the length of the message at hand is known, what follows it tells whether messages are missing.
        if self.next[direction.index()].is_none() {
            self.lost(cx, None);
        }
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        cx.budget
            .give(self.requests.len() * size_of::<OpenRequest>());
        self.requests.clear();
    }

    /// Octets are missing, and what stands behind them begins here.
    fn lost(&mut self, cx: &mut Context, behind: Option<(Direction, u64)>) {
        let name = self.protocol.text();
        let waits = in_order(name).map(|order| order.waits);
        self.counts = false;
        match (waits, by_number(name)) {
            // Of HTTP the framer tells what is answered, whatever is lost.
            (None, None | Some(ByNumber::Once)) => {}
            (Some(false), _) => self.clear(cx),
            // What begins exactly where a client that waits expected its answer is that answer.
            _ => {
                let before = self.requests.len();
                self.requests.retain(|request| {
                    behind.is_some_and(|(direction, offset)| {
                        request.direction != direction && request.ack == Some(offset)
                    })
                });
                let forgotten = before - self.requests.len();
                cx.budget.give(forgotten * size_of::<OpenRequest>());
            }
        }
    }

    fn take(&mut self, cx: &mut Context, place: usize) -> Option<OpenRequest> {
        let request = self.requests.remove(place)?;
        cx.budget.give(size_of::<OpenRequest>());
        Some(request)
    }

    fn request(
        &mut self,
        cx: &mut Context,
        direction: Direction,
        transport: Transport,
        start: &MessageStart<'_>,
        order: Option<&InOrder>,
    ) {
        let number = match order.map(|order| (order, (order.asks)(start.head))) {
            _ if self.stopped => return,
            None => {
                let number = transaction(start.protocol, transport, start.head);
                let same =
                    |r: &OpenRequest| r.direction == direction && r.number == number.unwrap_or(0);
                // The same number again is another request: nobody can tell what answers the one before.
                if number.is_some()
                    && let Some(old) = self.requests.iter().position(same)
                {
                    self.take(cx, old);
                }
                match number {
                    None if by_number(start.protocol).is_some() => return,
                    number => number.unwrap_or(0),
                }
            }
            Some((_, Asks::Nothing)) => return,
            Some((_, Asks::Unsure)) => return self.lost(cx, None),
            Some((_, Asks::Stops)) => {
                self.stopped = true;
                return self.clear(cx);
            }
            Some((order, Asks::Answer(number))) => {
                let silent = self.quiet && start.time.since(self.last) >= SILENCE;
                if !self.counts && (order.waits || silent) {
                    self.clear(cx);
                    self.counts = true;
                }
                if !self.counts {
                    return;
                }
                number.into()
            }
        };
        if self.requests.len() >= REQUESTS {
            match order {
                // Without the oldest the next answer would be another's.
                Some(_) => return self.lost(cx, None),
                None => drop(self.take(cx, 0)),
            }
        }
        cx.budget.take(size_of::<OpenRequest>());
        self.requests.push_back(OpenRequest {
            direction,
            offset: start.offset,
            ack: start.ack,
            time: start.time,
            number,
            begun: false,
        });
    }

    /// The framer has said which request is answered; those before it will not be.
    fn told(&mut self, cx: &mut Context, direction: Direction, offset: u64) -> Option<Paired> {
        let mut asked = None;
        while let Some(first) = self.requests.front()
            && first.direction != direction
            && first.offset <= offset
        {
            let request = self.take(cx, 0)?;
            asked = (request.offset == offset).then_some(request.time);
        }
        Some(Paired {
            asked,
            answers: Some(offset),
        })
    }

    /// The response can answer the request: it was sent when that had come, and had not come when that was sent.
    fn fits(request: &OpenRequest, direction: Direction, start: &MessageStart<'_>) -> bool {
        request.direction != direction
            && start.ack.is_none_or(|ack| request.offset < ack)
            && request.ack.is_none_or(|ack| ack <= start.offset)
    }

    fn by_number(
        &mut self,
        cx: &mut Context,
        direction: Direction,
        transport: Transport,
        start: &MessageStart<'_>,
    ) -> Option<Paired> {
        let number = transaction(start.protocol, transport, start.head)?;
        let mut all = self.requests.iter();
        let place = all.position(|r| r.number == number && r.direction != direction)?;
        let found = *self.requests.get(place)?;
        if !Self::fits(&found, direction, start) {
            return None;
        }
        let asked = Some(found.time);
        // Ahead of the answer proper there may be others (1xx).
        if is_interim(start.protocol, transport, start.head) {
            return Some(Paired {
                asked,
                answers: None,
            });
        }
        self.take(cx, place);
        Some(Paired {
            asked,
            answers: Some(found.offset),
        })
    }

    fn by_order(
        &mut self,
        cx: &mut Context,
        direction: Direction,
        start: &MessageStart<'_>,
        order: &InOrder,
    ) -> Option<Paired> {
        loop {
            let oldest = self.requests.front_mut()?;
            if !Self::fits(oldest, direction, start) {
                return None;
            }
            let begun = oldest.begun;
            let asked = Some(oldest.time);
            let answers = Some(oldest.offset);
            let number = u8::try_from(oldest.number).unwrap_or_default();
            match (order.answers)(number, start.head) {
                Answers::Nothing => return None,
                Answers::Interim => {
                    return Some(Paired {
                        asked,
                        answers: None,
                    });
                }
                Answers::Part => {
                    oldest.begun = true;
                    return (!begun).then_some(Paired { asked, answers });
                }
                Answers::Ends => {
                    self.take(cx, 0);
                    return (!begun).then_some(Paired { asked, answers });
                }
                Answers::Skips => drop(self.take(cx, 0)),
            }
        }
    }
}

/// The message announces an answer (1xx), and is none itself.
pub(super) fn is_interim(protocol: &str, transport: Transport, head: &[u8]) -> bool {
    // Few protocols have a status: the others need not be read.
    listed_fields(protocol).contains(&"status")
        && matches!(
            fields(protocol, transport, head).get("status"),
            Some(FieldValue::Number(100..200))
        )
}
