//! Which request of a connection a response answers, and how long that took.
//!
//! Of HTTP the framer says it, as it has to know. Of other protocols it is found here, where an output shows it: by what a response
//! repeats of its request, or by order. No time is shown that could be another request's: what was lost, and what was sent before
//! the capture began, makes the count begin anew. That needs a request of which it is known where its answer begins:
//!
//! ```text
//!   client   /1   /2         [lost]          /4                    a client that waits has heard all answers when it goes on:
//!   server           1    2          3             4               what begins exactly there is the answer to /4
//!
//!   client   /1 /2     /3     /4                                   one that does not may have heard the first of several:
//!   server          1      2      3     4                          once this was seen, nothing but a silence tells
//! ```

use super::open_files::OpenFiles;
use super::output::{kept, take_kept};
use crate::base::context::Context;
use crate::base::flow::{Direction, Transport};
use crate::base::message::{Extent, Kind};
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::DigestKey;
use crate::base::stream::{Gap, Side};
use crate::base::time::Timestamp;
use crate::message::{
    Answers, Asks, ByNumber, InOrder, LISTENS, MessageEnd, MessageStart, Recipients,
};
use crate::message::{
    FieldValue, asked_name, asks_for, by_number, fields, goes_on, has_one_answer, in_order,
    listed_fields, short_transaction, transaction, uses_files,
};
use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::time::Duration;

/// Requests of a connection that are remembered, 16 KiB of them: clients of Redis send some hundreds ahead. For one more the oldest is forgotten, and with it
/// the count of those that are answered by order.
pub(super) const REQUESTS: usize = 256;
/// Behind a silence as long as this, and a response, nothing is waited for any more, most likely: the count begins anew. Servers
/// take less for nearly all they are asked.
const SILENCE: Duration = Duration::from_secs(1);
/// Turns of a client, with all of their answers, behind which one whose beginning was not captured is believed to wait for these.
// One that sends ahead shows it when the server has answered before it had the next request, as half of its answers are.
const TURNS: u8 = 8;
/// The same octets with the same number, so long behind each other at most, are one request that was sent again: resolvers and SIP give
/// up after half a minute (RFC 1035, 7.2; RFC 3261, 17.1.1.2), and a poll that was not answered comes again after minutes.
const SENT_AGAIN: Duration = Duration::from_secs(60);

/// Octets of a request, so that it is known again when it is sent once more: their time counts from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copied {
    digest: u64,
    time: Timestamp,
}

impl Copied {
    /// These octets, captured at this time.
    pub(super) fn new(key: DigestKey, octets: &[u8], time: Timestamp) -> Self {
        let mut digest = key.hasher();
        digest.write(octets);
        Self {
            digest: digest.finish(),
            time,
        }
    }

    /// The later one is this one again.
    pub(super) fn again(&self, later: &Self) -> bool {
        self.digest == later.digest && self.is_recent(later)
    }

    /// It may be waited for yet when the later one is sent.
    pub(super) fn is_recent(&self, later: &Self) -> bool {
        later.time.since(self.time) <= SENT_AGAIN
    }
}

/// A request that may be answered yet.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OpenRequest {
    direction: Direction,
    offset: u64,
    ack: Option<u64>,
    time: Timestamp,
    /// Where it ends, if that is known.
    end: Option<u64>,
    /// It was sent when all others had their answers, if its client waits for these, or right behind one of which that is so.
    leads: bool,
    /// What its response repeats, or how it is answered.
    number: u64,
    /// What a response repeats that tells less.
    short: Option<u64>,
    /// Its answer has begun.
    begun: bool,
    /// So many messages that end an answer are to come.
    left: u16,
    /// It names one more for whom a later one is answered.
    adds: bool,
    /// Nothing behind its answer is one.
    last: bool,
    /// It may have none.
    perhaps: bool,
    /// Nothing else waited when it was sent.
    alone: bool,
    /// What nobody can pair may have answered it.
    doubtful: bool,
    /// What it asks for, where its response does not say that.
    asks: Option<u8>,
    /// Its octets, of a protocol that numbers its requests.
    copied: Option<Copied>,
}

/// Requests that are not answered, though their kind is: a client can ask for that.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Muted {
    #[default]
    None,
    /// The next one.
    Next,
    /// All.
    All,
}

/// What is known of a message that begins.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paired {
    /// When the request was captured that it answers.
    pub(super) asked: Option<Timestamp>,
    /// Where in the other stream the request begins that it answers. It is the first message to do so, and no interim answer.
    pub(super) answers: Option<u64>,
    /// The same of a message that is a part of an answer, the last of which is still to come.
    pub(super) part_of: Option<u64>,
    /// Where the request begins to which it belongs, whatever part of its answer it is.
    pub(super) belongs: Option<u64>,
    /// A number for what was asked for, where the answer does not say it.
    about: Option<u8>,
    /// It answers something, and the capture has had no request that this could be.
    pub(super) unasked: bool,
    /// It answers the request with which its connection went over to HTTP/2, which has no stream.
    pub(super) went_over: bool,
}

impl Paired {
    /// What was asked for, where the answer, of this protocol, does not say it.
    pub(super) fn about(&self, protocol: &str) -> Option<&'static str> {
        asked_name(protocol, self.about?)
    }
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pairing {
    protocol: Name,
    requests: VecDeque<OpenRequest>,
    /// By direction: a message was seen; where the next one begins, unless something lies between, if that is known.
    seen: [bool; 2],
    next: [Option<u64>; 2],
    /// By direction: the message that began last is a request whose length it does not say, and has not ended.
    open: [bool; 2],
    /// The client has its answers to all that it has sent when it goes on.
    last: bool,
    /// By direction: octets are missing, which may be requests.
    lacks: [bool; 2],
    /// Requests were forgotten for others.
    forgot: bool,
    /// Nothing is missing that a response could answer.
    counts: bool,
    /// So many requests were there before octets of their stream were missing: their answers come in order all the same.
    counted: usize,
    /// Since something was missing: requests that there were at least, and answers that there may have been.
    owed: u32,
    given: u32,
    /// Answers since the last request that may be to requests in a hole that is not known of yet.
    spare: u32,
    /// The client has sent requests before it had the answers to those of an earlier turn.
    overlaps: bool,
    /// It was seen to have waited for all of them; so many turns of it had all of their answers since the count was lost.
    has_waited: bool,
    watched: u8,
    /// Nothing was counted since the capture began in the middle of the connection.
    middle: bool,
    /// Where the last request begins that asks for an answer, and what it has acknowledged.
    asked: Option<(u64, Option<u64>)>,
    /// The direction of requests.
    client: Option<Direction>,
    /// By direction: octets are missing right before what comes next; what the last message acknowledged.
    gapped: [bool; 2],
    heard: [Option<u64>; 2],
    /// The last request leads, or is sent in one turn with one that does.
    led: bool,
    /// Where requests begin whose answers are missing, since it was asked for them.
    passed: Vec<u64>,
    /// Nothing can be counted any more.
    stopped: bool,
    muted: Muted,
    /// Those for whom a request is answered each, where that is done; that is not known, as something was missing.
    each: Option<u16>,
    each_unknown: bool,
    /// A client takes part in what others publish.
    listens: bool,
    /// When the last message began, and that it was none that waits for an answer.
    seen_at: Timestamp,
    quiet: bool,
    /// Files that messages go by without naming them.
    files: Option<Box<OpenFiles>>,
}

impl Pairing {
    /// A message begins: the name of the file that it is about, where it does not say that itself.
    pub(super) fn file(&mut self, cx: &mut Context, start: &MessageStart<'_>) -> Option<String> {
        if !uses_files(start.protocol) {
            return None;
        }
        kept(cx, &mut self.files).message(cx, start)
    }

    /// Gives all of it back, at the end of the connection.
    pub(super) fn end(&mut self, cx: &mut Context) {
        self.clear(cx);
        if let Some(mut files) = take_kept(cx, &mut self.files) {
            files.clear(cx);
        }
    }

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
        if start.kind == Kind::Request {
            self.client = Some(direction);
        }
        if due.is_some_and(|due| due != start.offset) {
            // What lies behind a hole up to a message belongs to what it hides.
            if !std::mem::replace(&mut self.gapped[i], true) || order.is_none() {
                self.lost(cx, Some((direction, start.offset)));
            }
            if due == Some(u64::MAX) {
                // Of what was sent before the capture began nobody knows anything.
                self.middle = true;
            }
        }
        self.open[i] = self.next[i].is_none() && start.kind == Kind::Request;
        let paired = match start.kind {
            Kind::Request => {
                let alone = self.last && due == Some(start.offset);
                self.last = order.is_some_and(|order| (order.last)(start.head));
                let heard = sides[direction.flip().index()].delivered;
                self.request(cx, (direction, transport), (start, heard), order, alone);
                Paired::default()
            }
            Kind::Response => {
                let paired = match (start.answers, order, numbers) {
                    (Some(offset), ..) => self.told(cx, direction, offset),
                    (_, Some(order), _) => self.by_order(cx, direction, start, order),
                    (_, _, Some(_)) => self.by_number(cx, direction, transport, start),
                    _ => None,
                };
                paired.unwrap_or_else(|| Paired {
                    unasked: self.is_unasked((direction, transport), start, numbers),
                    ..Paired::default()
                })
            }
            // A push confirms a subscription, though most of them answer nothing.
            Kind::Other => match order.filter(|_| self.listens) {
                Some(order) => self
                    .by_order(cx, direction, start, order)
                    .unwrap_or_default(),
                None => Paired::default(),
            },
        };
        self.seen_at = start.time;
        self.quiet = start.kind != Kind::Request;
        self.gapped[i] = false;
        self.heard[i] = start.ack.or(self.heard[i]);
        paired
    }

    /// Octets are missing, which may have been messages.
    pub(super) fn gap(&mut self, cx: &mut Context, direction: Direction, gap: &Gap) {
        // Where the length of the message at hand is known, what follows it tells whether messages are missing; and one that goes on
        // lacks octets of its own.
        let i = direction.index();
        self.lacks[i] = true;
        let behind = gap.len.map(|len| gap.offset.saturating_add(len));
        match (self.next[i], behind) {
            // Its first message tells.
            _ if !self.seen[i] => {}
            (None, _) => {
                self.gapped[i] = true;
                if !self.open[i] {
                    self.lacks_some(cx, direction, false);
                }
            }
            (Some(next), Some(behind))
                if behind > next && in_order(self.protocol.text()).is_some() =>
            {
                self.next[i] = Some(behind);
                if !std::mem::replace(&mut self.gapped[i], true) {
                    self.lacks_some(cx, direction, true);
                }
            }
            (Some(_), _) => {}
        }
    }

    /// The message of this direction that began last ends there, if that is known.
    pub(super) fn ended(&mut self, direction: Direction, end: &MessageEnd) {
        let i = direction.index();
        self.open[i] = false;
        if !end.extent_unknown {
            self.next[i] = self.next[i].or(Some(end.offset));
        }
    }

    /// The request of this direction that begins there may be answered yet.
    pub(super) fn waits(&self, direction: Direction, offset: u64) -> bool {
        let mut all = self.requests.iter();
        all.any(|request| {
            request.direction == direction && request.offset == offset && !request.perhaps
        })
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        cx.budget
            .give(self.requests.len() * size_of::<OpenRequest>());
        self.requests.clear();
        self.counted = 0;
    }

    /// Octets are missing, and what stands behind them begins here.
    fn lost(&mut self, cx: &mut Context, behind: Option<(Direction, u64)>) {
        let name = self.protocol.text();
        match (in_order(name), by_number(name), behind) {
            // Of HTTP the framer tells what is answered, whatever is lost.
            (None, None | Some(ByNumber::Once), _) => self.counts = false,
            (Some(_), _, Some((direction, _))) => self.lacks_some(cx, direction, true),
            (Some(_), _, None) => {
                self.clear(cx);
                (self.counts, self.given) = (false, u32::MAX);
            }
            // What begins exactly where the answer to a request was expected is that answer.
            (None, Some(ByNumber::Again), _) => {
                self.counts = false;
                self.forget(cx, |request| {
                    behind.is_some_and(|(direction, offset)| {
                        request.direction != direction && request.ack == Some(offset)
                    })
                });
            }
        }
    }

    /// Octets are missing in a direction; `messages`: a message at least is among them.
    fn lacks_some(&mut self, cx: &mut Context, direction: Direction, messages: bool) {
        if in_order(self.protocol.text()).is_none() {
            return self.lost(cx, None);
        }
        self.each_unknown = true;
        if std::mem::take(&mut self.counts) {
            self.counted = self.requests.len();
            self.owed = u32::try_from(self.counted).unwrap_or(u32::MAX);
            self.given = self.spare;
            self.watched = 0;
        }
        if self.client == Some(direction) {
            self.owed = self.owed.saturating_add(messages.into());
        } else {
            // Any number of answers.
            (self.counted, self.given) = (0, u32::MAX);
        }
        if self.overlaps {
            // Behind those that are counted nobody will ever know which is answered.
            let mut left = self.counted;
            self.forget(cx, |request| {
                let counted = left > 0;
                left = left.saturating_sub(1);
                counted || request.alone
            });
        }
    }

    /// Forgets requests that need not be kept.
    fn forget(&mut self, cx: &mut Context, keep: impl FnMut(&OpenRequest) -> bool) {
        let before = self.requests.len();
        self.requests.retain(keep);
        let forgotten = before - self.requests.len();
        cx.budget.give(forgotten * size_of::<OpenRequest>());
    }

    fn take(&mut self, cx: &mut Context, place: usize) -> Option<OpenRequest> {
        let request = self.requests.remove(place)?;
        cx.budget.give(size_of::<OpenRequest>());
        Some(request)
    }

    fn request(
        &mut self,
        cx: &mut Context,
        (direction, transport): (Direction, Transport),
        (start, heard): (&MessageStart<'_>, u64),
        order: Option<&InOrder>,
        alone: bool,
    ) {
        let mut copied = None;
        let (mut left, mut perhaps, mut adds) = (1, false, false);
        let (mut leads, mut is_alone, mut is_last) = (false, false, false);
        let asks = order.map(|order| (order, self.asks(order, start.head)));
        if self
            .requests
            .front()
            .is_some_and(|r| r.begun && r.left == u16::MAX)
        {
            // Its client goes on: it has had all answers.
            self.take(cx, 0);
        }
        let number = match asks {
            _ if self.stopped => return,
            None => {
                let number = transaction(start.protocol, transport, start.head);
                let same =
                    |r: &OpenRequest| r.direction == direction && r.number == number.unwrap_or(0);
                // Clients that number their requests send one again where it was not answered, and count on for another one.
                if let Some(ByNumber::Once) = by_number(start.protocol) {
                    copied = Some(Copied::new(cx.digest, start.head, start.time));
                }
                // The same number on other octets is another request: nobody can tell what answers the one before.
                if number.is_some()
                    && let Some(old) = self.requests.iter().position(same)
                {
                    let before = self.requests.get(old).and_then(|old| old.copied);
                    if let (Some(before), Some(copied)) = (before, &copied)
                        && before.again(copied)
                    {
                        return;
                    }
                    self.take(cx, old);
                }
                match number {
                    None if by_number(start.protocol).is_some() => return,
                    number => number.unwrap_or(0),
                }
            }
            Some((_, Asks::Nothing | Asks::Mutes | Asks::MutesNext)) => return,
            Some((_, Asks::Unsure)) => return self.lost(cx, None),
            Some((
                order,
                asked @ (Asks::Answer(number)
                | Asks::Alone(number)
                | Asks::Listens(number, _)
                | Asks::Perhaps(number)
                | Asks::Last(number)
                | Asks::Recipients(_, number)
                | Asks::SpeaksUp(number)),
            )) => {
                is_alone = matches!(
                    asked,
                    Asks::Alone(_) | Asks::Recipients(Recipients::Each, _)
                );
                match asked {
                    Asks::Recipients(recipients, _) => {
                        left = self.recipients(recipients);
                        adds = recipients == Recipients::More;
                    }
                    Asks::Listens(_, messages) => {
                        left = messages.max(1);
                        self.listens = true;
                    }
                    Asks::Perhaps(_) => perhaps = true,
                    Asks::Last(_) => is_last = true,
                    _ => {}
                }
                let silent = self.quiet && start.time.since(self.seen_at) >= SILENCE;
                if is_alone || !self.counts && (silent || alone) {
                    self.clear(cx);
                    (self.counts, self.middle) = (true, false);
                }
                leads = self.leads(order, direction, (start, heard));
                self.led = leads;
                self.spare = 0;
                self.asked = Some((start.offset, start.ack));
                if !self.counts {
                    self.owed = self.owed.saturating_add(1);
                    if !leads {
                        return;
                    }
                }
                number
            }
        };
        if self.requests.len() >= REQUESTS {
            match order {
                // It was not answered, most likely; if it was, its answer is none of the next one's.
                Some(_) if self.requests.front().is_some_and(|r| r.perhaps) => {
                    self.take(cx, 0);
                }
                // Without the oldest the next answer would be another's.
                Some(_) => return self.lost(cx, None),
                None => {
                    self.forgot = true;
                    self.take(cx, 0);
                }
            }
        }
        cx.budget.take(size_of::<OpenRequest>());
        self.requests.push_back(OpenRequest {
            direction,
            offset: start.offset,
            ack: start.ack,
            time: start.time,
            end: self.next[direction.index()],
            leads,
            number,
            short: short_transaction(start.protocol, transport, Kind::Request, start.head),
            begun: false,
            left,
            adds,
            last: is_last,
            perhaps,
            alone: alone || is_alone,
            doubtful: false,
            asks: asks_for(start.protocol, start.head),
            copied,
        });
    }

    /// How often a request is answered that says this of those for whom one is.
    fn recipients(&mut self, what: Recipients) -> u16 {
        match what {
            Recipients::Count => self.each = Some(0),
            Recipients::None => {
                self.each = self.each.map(|_| 0);
                self.each_unknown = false;
            }
            Recipients::More => {}
            Recipients::Each => {
                let each = self.each.replace(0);
                self.each = self.each.filter(|_| each.is_some());
                return match each {
                    Some(_) if self.each_unknown => u16::MAX,
                    Some(each) => each.max(1),
                    None => 1,
                };
            }
        }
        1
    }

    /// Where the answer to a request begins that is about to be pushed is known if its client waits for answers.
    /// `heard`: how far the other stream has come.
    fn leads(
        &mut self,
        order: &InOrder,
        direction: Direction,
        (start, heard): (&MessageStart<'_>, u64),
    ) -> bool {
        let i = direction.index();
        // Of those that are lost some may have been sent in one turn with it.
        let hears_more = match self.heard[i] {
            Some(heard) => start.ack > Some(heard),
            None => !self.gapped[i],
        };
        if order.waits {
            // It has not waited if it has heard nothing since the last one.
            let last = self.asked.map(|(_, heard)| heard);
            self.overlaps |= last.is_some_and(|heard| start.ack.is_some() && start.ack <= heard);
            return !self.overlaps && (hears_more || !self.gapped[i]);
        }
        if self.counts && hears_more && start.ack.is_some_and(|ack| ack <= heard) {
            // All that it had heard of is counted.
            let waiting = self.requests.iter().any(|r| !r.perhaps);
            self.overlaps |= waiting;
            self.has_waited |= !waiting && self.heard[i].is_some();
        }
        match hears_more {
            _ if self.gapped[i] => false,
            true if self.counts => true,
            // Nothing is known of its ways: a turn of it with all of its answers has to go ahead.
            true if !self.has_waited => {
                let waited = self.watched == 0 || self.given >= self.owed;
                self.watched = if waited {
                    self.watched.saturating_add(1)
                } else {
                    0
                };
                (self.owed, self.given) = (0, 0);
                self.is_trusted()
            }
            true => self.given >= self.owed,
            false => self.led,
        }
    }

    /// The client is known to wait for its answers, as far as it was seen.
    fn is_trusted(&self) -> bool {
        let turns = if self.middle { TURNS } else { 1 };
        !self.overlaps && (self.has_waited || self.watched > turns)
    }

    /// How a request is answered, by itself and by those before it.
    fn asks(&mut self, order: &InOrder, head: &[u8]) -> Asks {
        let asks = (order.asks)(head);
        match asks {
            Asks::Mutes => self.muted = Muted::All,
            Asks::SpeaksUp(_) => self.muted = Muted::None,
            _ if self.muted == Muted::All => return Asks::Nothing,
            Asks::MutesNext => self.muted = Muted::Next,
            _ if std::mem::take(&mut self.muted) == Muted::Next => return Asks::Nothing,
            _ => {}
        }
        asks
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
            belongs: Some(offset),
            ..Paired::default()
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
        let place = all.position(|r| r.number == number && r.direction != direction);
        let place = place.or_else(|| {
            let short = short_transaction(start.protocol, transport, Kind::Response, start.head)?;
            let is = |r: &OpenRequest| r.short == Some(short) && r.direction != direction;
            let place = self.requests.iter().position(is)?;
            // Where several are so called nobody knows which it is.
            let others = self.requests.iter().skip(place + 1);
            (!others.clone().any(is)).then_some(place)
        })?;
        let found = *self.requests.get(place)?;
        if !Self::fits(&found, direction, start) {
            return None;
        }
        let asked = Some(found.time);
        // Ahead of the answer proper there may be others (1xx).
        let belongs = Some(found.offset);
        if is_interim(start.protocol, transport, start.head) {
            return Some(Paired {
                asked,
                belongs,
                ..Paired::default()
            });
        }
        let about = found.asks;
        if goes_on(start.protocol, start.head) {
            let request = self.requests.get_mut(place)?;
            let first = !std::mem::replace(&mut request.begun, true);
            return Some(Paired {
                asked: asked.filter(|_| first),
                part_of: belongs,
                belongs,
                about,
                ..Paired::default()
            });
        }
        self.take(cx, place);
        Some(Paired {
            asked,
            answers: belongs,
            belongs,
            about,
            ..Paired::default()
        })
    }

    /// A response was paired with nothing: whether the request that it has is not there for certain.
    fn is_unasked(
        &mut self,
        (direction, transport): (Direction, Transport),
        start: &MessageStart<'_>,
        numbers: Option<ByNumber>,
    ) -> bool {
        let protocol = start.protocol;
        if !has_one_answer(protocol) || is_interim(protocol, transport, start.head) {
            return false;
        }
        if let Some(numbers) = numbers {
            // Behind a loss numbers that come again are nobody's.
            let certain = !self.forgot && (numbers == ByNumber::Once || self.counts);
            return certain && transaction(protocol, transport, start.head).is_some();
        }
        // Of those that say nothing of what they answer only the framer knows.
        let mut unasked = in_order(protocol).is_none();
        for request in &mut self.requests {
            if Self::fits(request, direction, start) {
                (unasked, request.doubtful) = (false, true);
            }
        }
        unasked
    }

    /// Where requests begin, in the direction of the last one, whose answers are missing, since this was asked last.
    pub(super) fn passed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.passed)
    }

    /// By direction: octets are missing.
    pub(super) const fn lacks(&self) -> [bool; 2] {
        self.lacks
    }

    /// Requests that wait for an answer which they must have, by direction and offset.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Direction, u64)> {
        // An answer by number is told of when it ends.
        let begins = by_number(self.protocol.text()).is_none();
        let most = match has_one_answer(self.protocol.text()) {
            true => self.requests.len(),
            false => 0,
        };
        let all = self.requests.iter().take(most);
        let all = all.filter(move |r| !(r.perhaps || r.doubtful || begins && r.begun));
        all.map(|request| (request.direction, request.offset))
    }

    fn by_order(
        &mut self,
        cx: &mut Context,
        direction: Direction,
        start: &MessageStart<'_>,
        order: &InOrder,
    ) -> Option<Paired> {
        let listens = if self.listens { LISTENS } else { 0 };
        loop {
            if !self.counts && self.counted == 0 && !self.found_again(cx, direction, start, order) {
                self.given = self.given.saturating_add(1);
                // The server has answered before it had the last request: that has not waited.
                self.overlaps |= self.asked.is_some_and(|(offset, heard)| {
                    heard.is_some_and(|heard| heard <= start.offset)
                        && start.ack.is_some_and(|ack| ack <= offset)
                });
                return None;
            }
            let oldest = self.requests.front();
            let Some(oldest) = oldest.filter(|r| Self::fits(r, direction, start)) else {
                self.spare = self.spare.saturating_add(1);
                return None;
            };
            // What was sent in a later turn has not waited for this.
            let mut later = self.requests.iter().map(|r| r.ack);
            let overlaps = !self.overlaps
                && !oldest.perhaps
                && later
                    .find(|ack| *ack > oldest.ack)
                    .is_some_and(|ack| ack <= Some(start.offset));
            let oldest = self.requests.front_mut()?;
            let begun = oldest.begun;
            let belongs = Some(oldest.offset);
            let interim = Paired {
                asked: Some(oldest.time),
                belongs,
                ..Paired::default()
            };
            // Only the first of several messages is told as the answer.
            let first = Paired {
                answers: belongs,
                ..interim
            };
            let part = Paired {
                belongs,
                ..Paired::default()
            };
            let mut answer = (order.answers)(oldest.number | listens, start.head);
            if answer == Answers::Ends && oldest.left > 1 {
                // Of an unknown number there is no last one.
                oldest.left -= u16::from(oldest.left < u16::MAX);
                answer = Answers::Part;
            }
            self.overlaps |= overlaps && !matches!(answer, Answers::Nothing | Answers::Skips);
            match answer {
                Answers::Nothing => return None,
                Answers::Interim => return Some(interim),
                Answers::Part => oldest.begun = true,
                Answers::Ends if oldest.adds => {
                    self.each = self.each.map(|each| each.saturating_add(1));
                    self.answered_first(cx);
                }
                Answers::Ends | Answers::Fails => self.answered_first(cx),
                Answers::Skips => {
                    self.answered_first(cx);
                    continue;
                }
            }
            return Some(if begun { part } else { first });
        }
    }

    /// The oldest request has its answer.
    fn answered_first(&mut self, cx: &mut Context) {
        let answered = self.take(cx, 0);
        if answered.is_some_and(|r| r.last) {
            self.stopped = true;
            self.clear(cx);
        }
        if self.counted > 0 {
            self.counted -= 1;
            self.given = self.given.saturating_add(1);
        }
    }

    /// The count was lost: true where a request waits of which it is known that its answer begins here; it is the oldest now, and
    /// the count goes on with it.
    fn found_again(
        &mut self,
        cx: &mut Context,
        direction: Direction,
        start: &MessageStart<'_>,
        order: &InOrder,
    ) -> bool {
        let found = self.requests.iter().rposition(|request| {
            let trusted = request.alone
                || request.leads && (order.waits && !self.overlaps || self.is_trusted());
            // A client that waits has sent nothing behind the request that is answered.
            let newest = order.waits && start.ack.is_some() && start.ack == request.end;
            let begins = request.ack == Some(start.offset);
            trusted && (begins || newest) && Self::fits(request, direction, start)
        });
        // All of its turn are answered in order.
        let Some(found) = found.map(|found| self.first_of_turn(found)) else {
            return false;
        };
        let number = self.requests.get(found).map_or(0, |r| r.number);
        if (order.answers)(number, start.head) == Answers::Nothing {
            return false;
        }
        for _ in 0..found {
            let passed = self.take(cx, 0);
            let passed = passed.filter(|r| !(r.perhaps || r.doubtful || r.begun));
            self.passed.extend(passed.map(|r| r.offset));
        }
        (self.counts, self.middle, self.owed, self.given) = (true, false, 0, 0);
        true
    }

    /// The place of the first request that was sent in one turn with the one at `place`.
    fn first_of_turn(&self, place: usize) -> usize {
        let Some(ack) = self.requests.get(place).map(|r| r.ack) else {
            return place;
        };
        let before = self.requests.iter().take(place).rev();
        place - before.take_while(|r| r.leads && r.ack == ack).count()
    }
}

/// The message announces an answer (1xx), and is none itself.
pub(super) fn is_interim(protocol: &str, transport: Transport, head: &[u8]) -> bool {
    // Few protocols have a status: the others need not be read.
    listed_fields(protocol).contains(&"status")
        && matches!(
            fields(protocol, transport, Kind::Response, head).get("status"),
            Some(FieldValue::Number(100..200))
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::context::Context;
    use crate::base::limits::Limits;

    const C: Direction = Direction::Forward;
    const S: Direction = Direction::Reverse;

    /// A connection of a protocol, both sides of which are captured from their beginning.
    struct Talk {
        protocol: &'static str,
        pairing: Pairing,
        cx: Context,
        sides: [Side; 2],
        /// Where each direction stands.
        at: [u64; 2],
        now: u64,
    }

    impl Talk {
        fn new(protocol: &'static str) -> Self {
            let side = Side {
                from_start: true,
                origin: 1,
                ..Side::default()
            };
            Self {
                protocol,
                pairing: Pairing::default(),
                cx: Context::new(Limits::default()),
                sides: [side; 2],
                at: [1; 2],
                now: 0,
            }
        }

        /// Says a message a millisecond later, which acknowledges all of the other side; gives back how many milliseconds ago the
        /// request was said that it answers, if it answers one.
        fn say(&mut self, direction: Direction, kind: Kind, head: &[u8]) -> Option<u64> {
            let ack = self.at[direction.flip().index()];
            self.say_acking(direction, kind, head, ack)
        }

        fn say_acking(
            &mut self,
            direction: Direction,
            kind: Kind,
            head: &[u8],
            ack: u64,
        ) -> Option<u64> {
            self.now += 1;
            let millis = |n: u64| Timestamp::from_nanos(n * 1_000_000);
            let offset = self.at[direction.index()];
            let start = MessageStart {
                protocol: self.protocol,
                kind,
                offset,
                extent: Extent::Known(head.len() as u64),
                head,
                time: millis(self.now),
                frame: 1,
                ack: Some(ack),
                answers: None,
                carried: None,
            };
            self.at[direction.index()] += head.len() as u64;
            let way = (direction, Transport::Tcp);
            let paired = self.pairing.message(&mut self.cx, way, &self.sides, &start);
            let asked = paired.asked?;
            Some(u64::try_from(millis(self.now).since(asked).as_millis()).unwrap())
        }

        fn asks(&mut self, head: &[u8]) {
            assert_eq!(self.say(C, Kind::Request, head), None);
        }

        fn answers(&mut self, head: &[u8]) -> Option<u64> {
            self.say(S, Kind::Response, head)
        }

        fn ends(mut self) {
            self.pairing.clear(&mut self.cx);
            assert_eq!(self.cx.budget.used(), 0);
        }
    }

    #[test]
    fn replies_come_in_the_order_of_commands() {
        let mut talk = Talk::new("smtp");
        assert_eq!(
            talk.answers(b"220 x\r\n"),
            None,
            "a greeting answers nothing"
        );
        talk.asks(b"EHLO a\r\n");
        assert_eq!(talk.answers(b"250 x\r\n"), Some(1));
        talk.asks(b"MAIL FROM:<a>\r\n");
        talk.asks(b"RCPT TO:<b>\r\n");
        assert_eq!(talk.answers(b"250 ok\r\n"), Some(2));
        assert_eq!(talk.answers(b"250 ok\r\n"), Some(2));
        assert_eq!(talk.answers(b"421 bye\r\n"), None);
        talk.ends();
    }

    /// What is lost of either direction makes the count begin anew, behind a silence or, where clients wait, with the next request.
    #[test]
    fn no_time_is_shown_behind_a_loss() {
        for (protocol, lost, waits) in [
            ("pop", C, false),
            ("pop", S, false),
            ("ftp", C, true),
            ("ftp", S, true),
        ] {
            let mut talk = Talk::new(protocol);
            talk.asks(b"NOOP\r\n");
            // A command and its reply, or the reply alone.
            talk.at[S.index()] += 5;
            if lost == C {
                talk.at[C.index()] += 6;
            }
            talk.asks(b"NOOP\r\n");
            assert_eq!(
                talk.answers(b"200 +OK\r\n"),
                waits.then_some(1),
                "{protocol} {lost:?}"
            );
            talk.asks(b"NOOP\r\n");
            let expected = waits.then_some(1);
            assert_eq!(
                talk.answers(b"200 +OK\r\n"),
                expected,
                "{protocol} {lost:?}"
            );
            talk.now += 1000;
            talk.asks(b"NOOP\r\n");
            assert_eq!(talk.answers(b"200 +OK\r\n"), Some(1), "{protocol} {lost:?}");
            talk.ends();
        }
    }

    #[test]
    fn a_reply_answers_nothing_that_its_server_had_not_seen() {
        let mut talk = Talk::new("pop");
        talk.asks(b"NOOP\r\n");
        assert_eq!(talk.say_acking(S, Kind::Response, b"+OK\r\n", 1), None);
        assert_eq!(talk.answers(b"+OK\r\n"), Some(2));
        talk.ends();
    }

    #[test]
    fn a_stream_from_the_middle_is_counted_from_a_silence_on() {
        let mut talk = Talk::new("resp");
        for side in &mut talk.sides {
            side.from_start = false;
        }
        let ping = b"*1\r\n$4\r\nPING\r\n";
        talk.asks(ping);
        assert_eq!(talk.answers(b"+PONG\r\n"), None, "it may be another's");
        talk.now += 1000;
        talk.asks(ping);
        assert_eq!(talk.answers(b"+PONG\r\n"), Some(1));
        talk.ends();
    }

    /// What is published has no request; a channel is answered for itself; and a client may ask for no replies.
    #[test]
    fn subscribers_and_silent_clients_of_redis_are_paired() {
        let command = |words: &str| {
            let mut all = format!("*{}\r\n", words.split(' ').count());
            for word in words.split(' ') {
                all.push_str(&format!("${}\r\n{word}\r\n", word.len()));
            }
            all.into_bytes()
        };
        let told = |head: &str, word: &str| format!("{head}3\r\n$9\r\n{word}\r\n$1\r\na\r\n:1\r\n");
        for (head, kind) in [("*", Kind::Response), (">", Kind::Other)] {
            let mut talk = Talk::new("resp");
            talk.asks(&command("SUBSCRIBE a b"));
            let channel = told(head, "subscribe");
            assert_eq!(talk.say(S, kind, channel.as_bytes()), Some(1));
            let published = format!("{head}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
            assert_eq!(talk.say(S, kind, published.as_bytes()), None);
            talk.asks(&command("PING"));
            assert_eq!(
                talk.say(S, kind, channel.as_bytes()),
                None,
                "the second channel"
            );
            assert_eq!(talk.say(S, kind, published.as_bytes()), None);
            assert_eq!(talk.answers(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"), Some(3));
            talk.asks(&command("UNSUBSCRIBE"));
            let left = format!("{head}3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
            assert_eq!(talk.say(S, kind, left.as_bytes()), Some(1));
            assert_eq!(talk.say(S, kind, left.as_bytes()), None);
            talk.asks(&command("PING"));
            assert_eq!(talk.answers(b"+PONG\r\n"), Some(1));
            talk.ends();
        }
        // Without a subscription a list is a reply, whatever its words are.
        let mut talk = Talk::new("resp");
        talk.asks(&command("LRANGE k 0 2"));
        let list = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
        assert_eq!(talk.answers(list), Some(1));
        talk.asks(&command("MONITOR"));
        assert_eq!(talk.answers(b"+OK\r\n"), Some(1));
        assert_eq!(
            talk.answers(b"+1700000000.000001 [0 127.0.0.1:5] \"GET\" \"a\"\r\n"),
            None
        );
        talk.ends();

        let mut talk = Talk::new("resp");
        talk.asks(&command("SUBSCRIBE a b c"));
        assert_eq!(talk.answers(b"-NOPERM x\r\n"), Some(1), "one for all");
        for (silence, silent, speaks) in [
            ("CLIENT REPLY SKIP", "SET a 1", "GET a"),
            ("CLIENT REPLY OFF", "SET a 1", "CLIENT REPLY ON"),
        ] {
            talk.asks(&command(silence));
            talk.asks(&command(silent));
            talk.asks(&command(speaks));
            assert_eq!(talk.answers(b"+OK\r\n"), Some(1), "{silence}");
        }
        talk.asks(&command("GET a"));
        assert_eq!(talk.answers(b"$1\r\n1\r\n"), Some(1));
        // What is written to its master a replica is told of from then on.
        talk.asks(&command("PSYNC ? -1"));
        assert_eq!(talk.answers(b"+FULLRESYNC a 0\r\n"), Some(1));
        talk.asks(&command("REPLCONF ACK 0"));
        assert_eq!(talk.say(S, Kind::Response, &command("SET a 1")), None);
        talk.ends();
    }

    /// Quiet commands are answered only where something was found, or is wrong: the others shift nothing.
    #[test]
    fn quiet_commands_of_memcached_shift_nothing() {
        let mut talk = Talk::new("memcache");
        for command in [
            "mg a q v",
            "mg b q v Otwo",
            "ms c 1 q\r\nx",
            "set d 0 0 1 noreply\r\nx",
            "mn",
        ] {
            talk.asks(format!("{command}\r\n").as_bytes());
        }
        talk.asks(b"get e\r\n");
        assert_eq!(
            talk.answers(b"VA 1 Otwo\r\nx\r\n"),
            Some(5),
            "by what it repeats"
        );
        assert_eq!(talk.answers(b"MN\r\n"), Some(3));
        assert_eq!(talk.answers(b"VALUE e 0 1\r\nx\r\n"), Some(3));
        assert_eq!(talk.answers(b"END\r\n"), None, "its end");
        // Nothing tells which was found.
        for command in ["mg a q v", "mg b q v", "mn"] {
            talk.asks(format!("{command}\r\n").as_bytes());
        }
        assert_eq!(talk.answers(b"VA 1\r\nx\r\n"), None);
        assert_eq!(talk.answers(b"MN\r\n"), Some(2));
        // A command that writes says nothing of success, and the next one does.
        talk.asks(b"ms a 1 q\r\nx\r\n");
        talk.asks(b"ms b 1\r\nx\r\n");
        assert_eq!(talk.answers(b"HD\r\n"), Some(1));
        talk.ends();

        let binary = |magic: u8, operation: u8, opaque: u8, key: &str| {
            let len = u8::try_from(key.len()).unwrap();
            let mut m = vec![
                magic, operation, 0, len, 0, 0, 0, 0, 0, 0, 0, len, 0, 0, 0, opaque,
            ];
            m.extend([0; 8]);
            m.extend(key.bytes());
            m
        };
        let mut talk = Talk::new("memcache");
        for key in ["one", "two", "three"] {
            talk.asks(&binary(0x80, 0x0d, 0, key));
        }
        talk.asks(&binary(0x80, 0x0a, 0, ""));
        assert_eq!(talk.answers(&binary(0x81, 0x0d, 0, "two")), Some(3));
        assert_eq!(talk.answers(&binary(0x81, 0x0a, 0, "")), Some(2));
        for opaque in [1, 2] {
            talk.asks(&binary(0x80, 0x11, opaque, "k"));
        }
        talk.asks(&binary(0x80, 0x01, 3, "k"));
        assert_eq!(
            talk.answers(&binary(0x81, 0x11, 2, "")),
            Some(2),
            "it failed"
        );
        assert_eq!(talk.answers(&binary(0x81, 0x01, 3, "")), Some(2));
        // Many more than are remembered.
        for n in 0..3 * REQUESTS {
            talk.asks(&binary(0x80, 0x11, u8::try_from(n % 250).unwrap(), "k"));
        }
        talk.asks(&binary(0x80, 0x0a, 9, ""));
        assert_eq!(talk.answers(&binary(0x81, 0x0a, 9, "")), Some(1));
        talk.ends();
    }

    /// Units behind a gateway, and commands of Diameter, number their requests for themselves; and a search ends with its result.
    #[test]
    fn a_number_alone_is_no_answer() {
        let modbus =
            |unit: u8, function: u8, len: u8| [0, 7, 0, 0, 0, len - 6, unit, function, 0, 0, 0, 1];
        let mut talk = Talk::new("mbtcp");
        talk.asks(&modbus(1, 3, 12));
        assert_eq!(talk.answers(&modbus(2, 3, 12)), None);
        assert_eq!(talk.answers(&modbus(1, 4, 12)), None);
        talk.asks(&modbus(2, 3, 12));
        assert_eq!(talk.answers(&modbus(1, 0x83, 12)), Some(4));
        assert_eq!(talk.answers(&modbus(2, 3, 12)), Some(2));
        talk.ends();

        let diameter = |flags: u8, command: u8| {
            let mut m = vec![1, 0, 0, 20, flags, 0, 1, command, 0, 0, 0, 0, 0, 0, 0, 9];
            m.extend([0; 4]);
            m
        };
        let mut talk = Talk::new("diameter");
        talk.asks(&diameter(0x80, 24));
        assert_eq!(talk.answers(&diameter(0, 16)), None);
        assert_eq!(talk.answers(&diameter(0, 24)), Some(2));
        talk.ends();

        let ldap = |tag: u8| [0x30, 12, 2, 1, 2, tag, 7, 10, 1, 0, 4, 0, 4, 0];
        let mut talk = Talk::new("ldap");
        talk.asks(&ldap(0x63));
        assert_eq!(talk.answers(&ldap(0x64)), Some(1));
        assert_eq!(talk.answers(&ldap(0x64)), None, "another entry");
        assert_eq!(talk.pairing.waiting().count(), 1);
        assert_eq!(talk.answers(&ldap(0x65)), Some(3), "the result");
        assert_eq!(talk.pairing.waiting().count(), 0);
        talk.ends();
    }

    #[test]
    fn an_answer_has_several_messages() {
        let mut talk = Talk::new("ftp");
        talk.asks(b"RETR a\r\n");
        assert_eq!(talk.answers(b"150 opening\r\n"), Some(1), "on its way");
        assert_eq!(talk.answers(b"226 done\r\n"), Some(2));
        talk.asks(b"RETR b\r\n");
        assert_eq!(talk.answers(b"150 opening\r\n"), Some(1));
        talk.asks(b"ABOR\r\n");
        assert_eq!(talk.answers(b"426 given up\r\n"), None);
        assert_eq!(talk.answers(b"226 done\r\n"), None);
        talk.asks(b"NOOP\r\n");
        assert_eq!(talk.answers(b"200 ok\r\n"), Some(1));
        talk.ends();

        let mut talk = Talk::new("mysql");
        assert_eq!(talk.answers(b"\x05\0\0\0\x0a8.0\0"), None);
        talk.asks(b"\x09\0\0\0\x03select 1");
        assert_eq!(talk.answers(b"\x01\0\0\x01\x01"), Some(1));
        assert_eq!(talk.answers(b"\x01\0\0\x02\x01"), None, "a row");
        talk.asks(b"\x05\0\0\0\x19\x01\0\0\0");
        talk.asks(b"\x01\0\0\0\x0e");
        assert_eq!(
            talk.answers(b"\x07\0\0\x01\0\0\0\x02\0\0\0"),
            Some(1),
            "a ping"
        );
        talk.ends();

        let mut talk = Talk::new("pgsql");
        talk.asks(b"Q\0\0\0\x0dselect 1\0");
        assert_eq!(talk.answers(b"T\0\0\0\x06\0\0"), Some(1));
        assert_eq!(talk.answers(b"D\0\0\0\x06\0\0"), None);
        assert_eq!(talk.answers(b"Z\0\0\0\x05I"), None);
        // Behind an error nothing up to the Sync is answered.
        for request in [
            &b"P\0\0\0\x08\0\0\0\0"[..],
            b"B\0\0\0\x0c",
            b"E\0\0\0\x09",
            b"S\0\0\0\x04",
        ] {
            talk.asks(request);
        }
        assert_eq!(talk.answers(b"E\0\0\0\x05SX\0\0"), Some(4), "the Parse");
        assert_eq!(talk.answers(b"Z\0\0\0\x05I"), Some(2), "the Sync");
        talk.asks(b"Q\0\0\0\x0dselect 1\0");
        assert_eq!(talk.answers(b"C\0\0\0\x06x\0"), Some(1));
        talk.ends();
    }

    /// Numbers may be answered in any order, and those that come again are another request's behind a loss.
    #[test]
    fn answers_are_found_by_number() {
        let modbus = |number: u8, len: u8| [0, number, 0, 0, 0, len - 6, 1, 3, 0, 0, 0, 1];
        let mut talk = Talk::new("mbtcp");
        talk.asks(&modbus(1, 12));
        talk.asks(&modbus(2, 12));
        assert_eq!(talk.answers(&modbus(2, 12)), Some(1));
        assert_eq!(talk.answers(&modbus(1, 12)), Some(3));
        assert_eq!(talk.answers(&modbus(1, 12)), None);
        talk.asks(&modbus(0, 12));
        // Its answer is lost, and the next request too.
        talk.at = [talk.at[0] + 12, talk.at[1] + 12];
        assert_eq!(talk.answers(&modbus(0, 12)), None);
        talk.ends();

        // What is sent again is answered from the first time on.
        let mut talk = Talk::new("dns");
        let query = b"\0\x11\0\x05\x01\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01";
        talk.asks(query);
        talk.asks(query);
        assert_eq!(
            talk.answers(b"\0\x11\0\x05\x81\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01"),
            Some(2)
        );
        talk.ends();

        let imap = |tag: &str, words: &str| format!("{tag} {words}\r\n").into_bytes();
        let mut talk = Talk::new("imap");
        talk.asks(&imap("a1", "NOOP"));
        assert_eq!(talk.answers(b"* 3 EXISTS\r\n"), None);
        talk.asks(&imap("a2", "NOOP"));
        assert_eq!(talk.answers(&imap("a2", "OK done")), Some(1));
        assert_eq!(talk.answers(&imap("a1", "OK done")), Some(4));
        talk.ends();
    }

    #[test]
    fn few_requests_are_kept() {
        for protocol in ["resp", "mbtcp", "http"] {
            let mut talk = Talk::new(protocol);
            for n in 0..10 * REQUESTS {
                let n = u16::try_from(n).unwrap().to_be_bytes();
                talk.asks(&[n[0], n[1], 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]);
            }
            assert!(talk.pairing.requests.len() <= REQUESTS);
            talk.ends();
        }
    }
}
