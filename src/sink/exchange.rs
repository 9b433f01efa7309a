//! Requests that are not answered yet, so that a response can say what it answers and how long that took.

use super::pairing::{Copied, is_interim};
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedTable, DigestKey};
use crate::base::time::Timestamp;
use crate::message::{
    MessageStart, answered_alone, answered_elsewhere, read_head, short_transaction, transaction,
};
use std::collections::VecDeque;
use std::time::Duration;

/// Requests of a connection that are remembered; the oldest is dropped for one more. Pipelines are rarely this deep, and each
/// request keeps its words.
const REQUESTS: usize = 64;
/// Requests that are answered by their number and are remembered, of all flows together. A busy resolver has a few hundred under way.
const NUMBERED: usize = 4096;

/// Protocols whose framer tells what a response answers: those whose header sections are told as HTTP/1.1 writes them.
pub(super) const TOLD: [&str; 2] = ["http", "http2"];
/// The stream that has the answer to the request with which a connection went over to HTTP/2 (RFC 7540, 3.2).
pub(super) const FIRST_STREAM: u32 = 1;

/// The head of a response goes over to HTTP/2 in clear.
pub(super) fn goes_over(start: &MessageStart<'_>) -> bool {
    if start.kind != Kind::Response || start.carried.is_some() || !start.head.starts_with(SWITCHES)
    {
        return false;
    }
    let mut is = false;
    read_head(start.head, |name, value| {
        is |= name.eq_ignore_ascii_case(b"upgrade")
            && value.trim_ascii().eq_ignore_ascii_case(b"h2c");
    });
    is
}

/// How a response begins that goes over to another protocol (RFC 9110, 15.2.2).
const SWITCHES: &[u8] = b"HTTP/1.1 101";

/// The number of no flow: that of requests which are answered in another one.
const ANYWHERE: u64 = u64::MAX;

/// What an output keeps of a request until it is answered, or of an answer until its request has ended.
pub(super) trait Kept {
    /// Octets that are allocated for it, beyond its own size.
    fn allocated(&self) -> usize;
}

impl Kept for () {
    fn allocated(&self) -> usize {
        0
    }
}

/// A request, with what an output keeps of it, and of its answer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WaitingRequest<Q, A> {
    /// Offset of its first octet in its stream, as the stream stage counts.
    pub(super) offset: u64,
    /// When its first octet was captured.
    pub(super) time: Timestamp,
    /// It has ended: nothing of it is missing.
    pub(super) whole: Option<bool>,
    pub(super) kept: Q,
    /// Its response, which ended first: the server refused the body, or answered before it had all of it.
    pub(super) early: Option<Box<A>>,
    /// Octets that the budget knows of.
    pub(super) counted: usize,
}

impl<Q: Kept, A: Kept> WaitingRequest<Q, A> {
    /// Charges the budget with what is allocated now.
    fn count(&mut self, cx: &mut Context) {
        let now = self.size();
        cx.budget.rebook(&mut self.counted, now);
    }

    /// It is kept no longer.
    fn uncount(&mut self, cx: &mut Context) {
        cx.budget.give(std::mem::take(&mut self.counted));
    }

    fn size(&self) -> usize {
        let early = self.early.as_ref();
        let early = early.map_or(0, |early| size_of::<A>() + early.allocated());
        size_of::<Self>() + self.kept.allocated() + early
    }
}

/// The requests of a connection, in the order of their stream.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitingRequests<Q, A>(VecDeque<WaitingRequest<Q, A>>);

impl<Q, A> Default for WaitingRequests<Q, A> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<Q: Kept, A: Kept> WaitingRequests<Q, A> {
    /// A request begins. Gives back one that is forgotten for it.
    pub(super) fn push(
        &mut self,
        cx: &mut Context,
        mut request: WaitingRequest<Q, A>,
    ) -> Option<WaitingRequest<Q, A>> {
        let forgotten = if self.0.len() >= REQUESTS {
            self.pop(cx)
        } else {
            None
        };
        request.count(cx);
        self.0.push_back(request);
        forgotten
    }

    /// The oldest.
    pub(super) fn pop(&mut self, cx: &mut Context) -> Option<WaitingRequest<Q, A>> {
        let mut request = self.0.pop_front()?;
        request.uncount(cx);
        Some(request)
    }

    /// The request that began last has ended: `finish` gets what is kept of it. Gives it back where it was answered before.
    pub(super) fn ended(
        &mut self,
        cx: &mut Context,
        whole: bool,
        finish: impl FnOnce(&mut Q),
    ) -> Option<(WaitingRequest<Q, A>, A)> {
        let request = self.0.back_mut()?;
        request.whole = Some(whole);
        finish(&mut request.kept);
        request.count(cx);
        request.early.as_ref()?;
        let mut request = self.0.pop_back()?;
        request.uncount(cx);
        let response = *request.early.take()?;
        Some((request, response))
    }

    /// Takes the request at this offset out, and no other: of a protocol whose responses come in any order.
    pub(super) fn answered_alone(
        &mut self,
        cx: &mut Context,
        offset: u64,
        response: A,
    ) -> Option<(WaitingRequest<Q, A>, A)> {
        Some((self.take(cx, offset)?, response))
    }

    /// Takes the request at this offset out.
    pub(super) fn take(&mut self, cx: &mut Context, offset: u64) -> Option<WaitingRequest<Q, A>> {
        let place = self.0.iter().position(|r| r.offset == offset)?;
        let mut request = self.0.remove(place)?;
        request.uncount(cx);
        Some(request)
    }

    /// Takes the request at this offset out; those before it will not be answered any more: `unanswered` gets them. One that goes
    /// on is kept with its response until it has ended.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context,
        offset: u64,
        response: A,
        mut unanswered: impl FnMut(WaitingRequest<Q, A>),
    ) -> Result<(WaitingRequest<Q, A>, A), Unmatched<A>> {
        while self
            .0
            .front()
            .is_some_and(|request| request.offset <= offset)
        {
            let Some(mut request) = self.pop(cx) else {
                break;
            };
            if request.offset == offset && request.whole.is_none() {
                request.early = Some(Box::new(response));
                request.count(cx);
                self.0.push_front(request);
                return Err(Unmatched::Kept);
            } else if request.offset == offset {
                return Ok((request, response));
            }
            unanswered(request);
        }
        Err(Unmatched::Unknown(response))
    }

    /// What is kept of the request at this offset.
    pub(super) fn at(&mut self, offset: u64) -> Option<&mut Q> {
        let found = self.0.iter_mut().find(|request| request.offset == offset);
        found.map(|request| &mut request.kept)
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        while self.pop(cx).is_some() {}
    }
}

/// Why a response is not given back with its request.
pub(super) enum Unmatched<A> {
    /// The request goes on.
    Kept,
    /// It is not known.
    Unknown(A),
}

/// Which request: transport and number of its flow, and what its protocol tells answers by.
pub(super) type RequestId = (Transport, u64, u64);

/// What tells which request a message is, or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbered {
    id: RequestId,
    /// What a response repeats that tells less.
    short: Option<RequestId>,
    /// Nothing but that no other one waits.
    alone: bool,
}

impl Numbered {
    /// Its request's identifier.
    pub(super) const fn id(&self) -> RequestId {
        self.id
    }

    /// It is told from all others by that.
    pub(super) const fn is_certain(&self) -> bool {
        !self.alone && self.id.1 != ANYWHERE
    }
}

/// What tells which request a message in this direction of a flow is, or answers: both sides may count their requests from the same
/// number on.
pub(super) fn numbered(
    (flow, direction): (&Flow, Direction),
    protocol: &str,
    kind: Kind,
    head: &[u8],
) -> Option<Numbered> {
    let asks = match kind {
        Kind::Response => direction.flip(),
        Kind::Request | Kind::Other => direction,
    };
    let alone = answered_alone(protocol, flow.transport);
    let number = if alone {
        0
    } else {
        transaction(protocol, flow.transport, head)?
    };
    let within = |number: u64| {
        let number = number << 1 | asks.index() as u64;
        (flow.transport, flow.number, number)
    };
    let id = if answered_elsewhere(protocol) {
        (flow.transport, ANYWHERE, number)
    } else {
        within(number)
    };
    let short = short_transaction(protocol, flow.transport, kind, head).map(within);
    Some(Numbered { id, short, alone })
}

/// Requests that are answered by an identifier. Bounded: the oldest is forgotten for one more.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NumberedRequests<T> {
    waiting: AgedTable<RequestId, NumberedRequest<T>>,
    /// What may be answered by less.
    short: AgedTable<RequestId, ShortNumber>,
    /// Requests are known again by digests.
    key: DigestKey,
}

/// The request that waits under a number that tells less.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct ShortNumber {
    id: RequestId,
    /// Another one waited with it.
    several: bool,
}

/// A request that waits.
#[derive(Debug, Serialize, Deserialize)]
struct NumberedRequest<T> {
    /// None: several wait, and nobody knows which will be answered first.
    request: Option<T>,
    copied: Option<Copied>,
    /// So many others wait that cannot be told from it.
    others: u32,
}

impl<T> Default for NumberedRequests<T> {
    fn default() -> Self {
        Self {
            waiting: AgedTable::default(),
            short: AgedTable::default(),
            key: DigestKey::default(),
        }
    }
}

impl<T> NumberedRequests<T> {
    /// A request. Gives back one that will not be answered any more: another one of its number, or the oldest of too many.
    pub(super) fn push(&mut self, id: RequestId, request: T) -> Option<T> {
        self.insert(id, request, None)
    }

    /// What a request of these octets is known again by.
    pub(super) fn copied(&self, octets: &[u8], time: Timestamp) -> Copied {
        Copied::new(self.key, octets, time)
    }

    /// A request of these octets; gives back those that will not be answered any more, or not for certain. The same again is no other
    /// request: the first is kept, as an answer is one to both.
    pub(super) fn push_octets(
        &mut self,
        numbered: Numbered,
        copied: Copied,
        request: T,
    ) -> [Option<T>; 2] {
        let Numbered { id, short, alone } = numbered;
        if let Some(short) = short {
            self.call(short, id);
        }
        let place = self.waiting.find(&id);
        if let Some(old) = place.and_then(|place| self.waiting.get_mut(place)) {
            let recent = old.copied.filter(|old| old.is_recent(&copied));
            if alone && recent.is_some() {
                old.others = old.others.saturating_add(1);
                return [old.request.take(), Some(request)];
            }
            if recent.is_some_and(|old| old.again(&copied)) {
                return [None, None];
            }
        }
        [self.insert(id, request, Some(copied)), None]
    }

    /// The request waits under a number that tells less, too.
    fn call(&mut self, short: RequestId, id: RequestId) {
        let before = self.short.find(&short);
        let before = before.and_then(|place| Some(self.short.remove(place)?.1));
        let waits = |id: RequestId| self.waiting.find(&id).is_some();
        let several = before.is_some_and(|old| old.id != id && waits(old.id) || old.several);
        if self.short.len() >= NUMBERED {
            self.short.remove_oldest();
        }
        self.short.insert(short, ShortNumber { id, several });
    }

    fn insert(&mut self, id: RequestId, request: T, copied: Option<Copied>) -> Option<T> {
        let forgotten = self.take(id);
        let forgotten = forgotten.or_else(|| {
            if self.waiting.len() < NUMBERED {
                None
            } else {
                self.pop()
            }
        });
        let new = NumberedRequest {
            request: Some(request),
            copied,
            others: 0,
        };
        self.waiting.insert(id, new);
        forgotten
    }

    /// The oldest.
    pub(super) fn pop(&mut self) -> Option<T> {
        while let Some((_, old)) = self.waiting.remove_oldest() {
            if old.request.is_some() {
                return old.request;
            }
        }
        None
    }

    /// The oldest, to be looked at.
    pub(super) fn oldest(&self) -> Option<&T> {
        self.waiting.oldest()?.2.request.as_ref()
    }

    /// A request that waits.
    pub(super) fn get(&self, id: RequestId) -> Option<&T> {
        self.waiting.get(self.waiting.find(&id)?)?.request.as_ref()
    }

    /// The request of this number.
    pub(super) fn take(&mut self, id: RequestId) -> Option<T> {
        let place = self.waiting.find(&id)?;
        self.waiting.remove(place)?.1.request
    }

    /// The request that a response answers.
    pub(super) fn answered(&mut self, numbered: Numbered) -> Option<T> {
        let place = self.waiting.find(&numbered.id).or_else(|| {
            let place = self.short.find(&numbered.short?)?;
            let (_, called) = self.short.remove(place)?;
            self.waiting.find(&called.id).filter(|_| !called.several)
        })?;
        let waiting = self.waiting.get_mut(place)?;
        if waiting.others > 0 {
            waiting.others -= 1;
            return None;
        }
        self.waiting.remove(place)?.1.request
    }
}

impl NumberedRequests<Timestamp> {
    /// Of a protocol that numbers its requests, where no stream says what answers what: how long ago the one was sent that this
    /// message answers.
    pub(super) fn delay(
        &mut self,
        (flow, direction): (&Flow, Direction),
        time: Timestamp,
        protocol: &str,
        kind: Kind,
        head: &[u8],
    ) -> Option<Duration> {
        let id = numbered((flow, direction), protocol, kind, head)?;
        match kind {
            Kind::Request => {
                self.push_octets(id, self.copied(head, time), time);
                None
            }
            Kind::Response => {
                let asked = if is_interim(protocol, flow.transport, head) {
                    *self.get(id.id)?
                } else {
                    self.answered(id)?
                };
                Some(time.since(asked))
            }
            Kind::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Transport = Transport::Udp;

    #[test]
    fn datagrams_are_answered_once_and_few_are_kept() {
        let mut requests = NumberedRequests::default();
        assert_eq!(requests.push((UDP, 1, 7), 'a'), None);
        assert_eq!(requests.push((UDP, 2, 7), 'b'), None);
        assert_eq!(requests.push((UDP, 1, 7), 'c'), Some('a'));
        assert_eq!(requests.take((UDP, 1, 7)), Some('c'));
        assert_eq!(requests.take((UDP, 1, 7)), None);
        for id in 0..2 * NUMBERED as u64 {
            requests.push((UDP, 3, id), 'd');
        }
        assert!(requests.waiting.len() <= NUMBERED);
        assert_eq!(requests.take((UDP, 2, 7)), None);
        assert_eq!(requests.take((UDP, 3, 2 * NUMBERED as u64 - 1)), Some('d'));
        while requests.pop().is_some() {}
        assert!(requests.waiting.is_empty());
    }

    #[test]
    fn what_is_sent_again_is_one_request() {
        let at = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000);
        // (octets and second of the first and of the second; which of them is kept)
        for (first, second, kept) in [
            (("ask", 0), ("ask", 1), 'a'),
            (("ask", 0), ("ask", 61), 'b'),
            (("ask", 0), ("else", 1), 'b'),
        ] {
            let mut requests = NumberedRequests::default();
            let id = Numbered {
                id: (UDP, 1, 7),
                short: None,
                alone: false,
            };
            let copied = requests.copied(first.0.as_bytes(), at(first.1));
            requests.push_octets(id, copied, 'a');
            let copied = requests.copied(second.0.as_bytes(), at(second.1));
            let forgotten = requests.push_octets(id, copied, 'b');
            assert_eq!(forgotten, [(kept == 'b').then_some('a'), None]);
            assert_eq!(requests.take((UDP, 1, 7)), Some(kept));
        }
    }

    /// Where nothing tells which request is answered, one that waits alone is, and no other.
    #[test]
    fn a_request_that_waits_alone_is_answered() {
        let id = Numbered {
            id: (Transport::Sctp, 1, 0),
            short: None,
            alone: true,
        };
        let mut requests = NumberedRequests::default();
        let copied = requests.copied(b"GET", Timestamp::from_nanos(0));
        for request in ['a', 'b'] {
            assert_eq!(requests.push_octets(id, copied, request), [None, None]);
            assert_eq!(requests.answered(id), Some(request));
        }
        requests.push_octets(id, copied, 'c');
        assert_eq!(
            requests.push_octets(id, copied, 'd'),
            [Some('c'), Some('d')]
        );
        assert_eq!(requests.push_octets(id, copied, 'e'), [None, Some('e')]);
        for _ in 'c'..='e' {
            assert_eq!(requests.answered(id), None);
        }
        requests.push_octets(id, copied, 'f');
        assert_eq!(requests.answered(id), Some('f'));
    }

    /// Those that were answered take nobody's place, and those that come again take no more.
    #[test]
    fn a_long_run_forgets_nothing_that_waits() {
        let mut requests = NumberedRequests::default();
        requests.push((UDP, 0, 0), 'w');
        for id in 1..3 * NUMBERED as u64 {
            requests.push((UDP, 1, id), 'a');
            assert_eq!(requests.take((UDP, 1, id)), Some('a'), "{id}");
            requests.push((UDP, 2, 7), 'b');
        }
        assert_eq!(requests.take((UDP, 0, 0)), Some('w'));
        assert_eq!(requests.waiting.len(), 1);
    }
}
