//! Requests that are not answered yet, so that a response can say what it answers and how long that took.

use super::pairing::is_interim;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::Kind;
use crate::base::storage::AgedTable;
use crate::base::time::Timestamp;
use crate::message::transaction;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Requests of a connection that are remembered; the oldest is dropped for one more. Pipelines are rarely this deep, and each
/// request keeps its words.
const REQUESTS: usize = 64;
/// Requests that are answered by their number and are remembered, of all flows together. A busy resolver has a few hundred under way.
const NUMBERED: usize = 4096;

/// Protocols whose framer tells what a response answers: those whose header sections are told as HTTP/1.1 writes them.
pub(super) const TOLD: [&str; 2] = ["http", "http2"];

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
}

impl<Q: Kept, A: Kept> WaitingRequest<Q, A> {
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
        request: WaitingRequest<Q, A>,
    ) -> Option<WaitingRequest<Q, A>> {
        let forgotten = if self.0.len() >= REQUESTS {
            self.pop(cx)
        } else {
            None
        };
        cx.budget.take(request.size());
        self.0.push_back(request);
        forgotten
    }

    /// The oldest.
    pub(super) fn pop(&mut self, cx: &mut Context) -> Option<WaitingRequest<Q, A>> {
        let request = self.0.pop_front()?;
        cx.budget.give(request.size());
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
        let before = request.size();
        request.whole = Some(whole);
        finish(&mut request.kept);
        cx.budget.resize(before, request.size());
        request.early.as_ref()?;
        let mut request = self.0.pop_back()?;
        cx.budget.give(request.size());
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
        let place = self.0.iter().position(|r| r.offset == offset)?;
        let request = self.0.remove(place)?;
        cx.budget.give(request.size());
        Some((request, response))
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
                cx.budget.take(request.size());
                self.0.push_front(request);
                return Err(Unmatched::Kept);
            } else if request.offset == offset {
                return Ok((request, response));
            }
            unanswered(request);
        }
        Err(Unmatched::Unknown(response))
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

/// The request that a message in this direction of a flow is, or that it answers: both sides may count their requests from the same
/// number on.
pub(super) fn request_id(flow: &Flow, direction: Direction, kind: Kind, id: u64) -> RequestId {
    let asks = match kind {
        Kind::Response => direction.flip(),
        Kind::Request | Kind::Other => direction,
    };
    (flow.transport, flow.number, id << 1 | asks.index() as u64)
}

/// Requests that are answered by an identifier. Bounded: the oldest is forgotten for one more.
#[derive(Debug)]
pub(super) struct NumberedRequests<T>(AgedTable<RequestId, T>);

impl<T> Default for NumberedRequests<T> {
    fn default() -> Self {
        Self(AgedTable::default())
    }
}

impl<T> NumberedRequests<T> {
    /// A request. Gives back one that will not be answered any more: the same that came again, or the oldest of too many.
    pub(super) fn push(&mut self, id: RequestId, request: T) -> Option<T> {
        let forgotten = self.answered(id);
        let forgotten = forgotten.or_else(|| {
            if self.0.len() < NUMBERED {
                None
            } else {
                self.pop()
            }
        });
        self.0.insert(id, request);
        forgotten
    }

    /// The oldest.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.0.remove_oldest().map(|(_, request)| request)
    }

    /// A request that waits.
    pub(super) fn get(&self, id: RequestId) -> Option<&T> {
        self.0.get(self.0.find(&id)?)
    }

    /// The request that a response answers.
    pub(super) fn answered(&mut self, id: RequestId) -> Option<T> {
        let place = self.0.find(&id)?;
        self.0.remove(place).map(|(_, request)| request)
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
        let id = transaction(protocol, flow.transport, head)?;
        let id = request_id(flow, direction, kind, id);
        match kind {
            Kind::Request => {
                self.push(id, time);
                None
            }
            Kind::Response => {
                let asked = if is_interim(protocol, flow.transport, head) {
                    *self.get(id)?
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
        assert_eq!(requests.answered((UDP, 1, 7)), Some('c'));
        assert_eq!(requests.answered((UDP, 1, 7)), None);
        for id in 0..2 * NUMBERED as u64 {
            requests.push((UDP, 3, id), 'd');
        }
        assert!(requests.0.len() <= NUMBERED);
        assert_eq!(requests.answered((UDP, 2, 7)), None);
        assert_eq!(
            requests.answered((UDP, 3, 2 * NUMBERED as u64 - 1)),
            Some('d')
        );
        while requests.pop().is_some() {}
        assert!(requests.0.is_empty());
    }

    /// Those that were answered take nobody's place, and those that come again take no more.
    #[test]
    fn a_long_run_forgets_nothing_that_waits() {
        let mut requests = NumberedRequests::default();
        requests.push((UDP, 0, 0), 'w');
        for id in 1..3 * NUMBERED as u64 {
            requests.push((UDP, 1, id), 'a');
            assert_eq!(requests.answered((UDP, 1, id)), Some('a'), "{id}");
            requests.push((UDP, 2, 7), 'b');
        }
        assert_eq!(requests.answered((UDP, 0, 0)), Some('w'));
        assert_eq!(requests.0.len(), 1);
    }
}
