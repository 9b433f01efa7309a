//! Requests that are not answered yet, so that a response can say what it answers and how long that took.

use crate::base::context::Context;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

/// Requests of a connection that are remembered; the oldest is dropped for one more. Pipelines are rarely this deep, and each
/// request keeps its words.
const REQUESTS: usize = 64;
/// Requests in datagrams that are remembered, of all flows together. A busy resolver has a few hundred under way.
const DATAGRAMS: usize = 4096;

/// What an output keeps of a request until it is answered.
pub(super) trait KeptRequest {
    /// Octets that are allocated for it, beyond its own size.
    fn allocated(&self) -> usize;
}

impl KeptRequest for () {
    fn allocated(&self) -> usize {
        0
    }
}

/// A request.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WaitingRequest<T> {
    /// Offset of its first octet in its stream, as the stream stage counts.
    pub(super) offset: u64,
    /// When its first octet was captured.
    pub(super) time: Timestamp,
    /// It has ended, and nothing of it is missing.
    pub(super) whole: bool,
    /// What the output keeps of it.
    pub(super) kept: T,
}

impl<T: KeptRequest> WaitingRequest<T> {
    fn size(&self) -> usize {
        size_of::<Self>() + self.kept.allocated()
    }
}

/// The requests of a connection, in the order of their stream.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitingRequests<T>(VecDeque<WaitingRequest<T>>);

impl<T> Default for WaitingRequests<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: KeptRequest> WaitingRequests<T> {
    /// A request begins. Gives back one that is forgotten for it.
    pub(super) fn push(
        &mut self,
        cx: &mut Context,
        request: WaitingRequest<T>,
    ) -> Option<WaitingRequest<T>> {
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
    pub(super) fn pop(&mut self, cx: &mut Context) -> Option<WaitingRequest<T>> {
        let request = self.0.pop_front()?;
        cx.budget.give(request.size());
        Some(request)
    }

    /// The request that began last.
    pub(super) fn last(&mut self) -> Option<&mut WaitingRequest<T>> {
        self.0.back_mut()
    }

    /// The request that began last has ended.
    pub(super) fn ended(&mut self, whole: bool) {
        if let Some(request) = self.0.back_mut() {
            request.whole = whole;
        }
    }

    /// The request at this offset is answered, if it is there. Those before it will not be answered any more: `unanswered` gets
    /// them.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context,
        offset: u64,
        mut unanswered: impl FnMut(WaitingRequest<T>),
    ) -> Option<WaitingRequest<T>> {
        while self.0.front()?.offset <= offset {
            let request = self.pop(cx)?;
            if request.offset == offset {
                return Some(request);
            }
            unanswered(request);
        }
        None
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        while self.pop(cx).is_some() {}
    }
}

/// Which request in a datagram: the number of its flow, and what its protocol tells answers by.
pub(super) type DatagramId = (u64, u64);

/// Requests in datagrams, which are answered by their identifier. Bounded: the oldest is forgotten for one more.
#[derive(Debug)]
pub(super) struct DatagramRequests<T> {
    requests: HashMap<DatagramId, (u64, T)>,
    /// In the order in which they came, each with its turn: one that came again has a later one.
    order: VecDeque<(u64, DatagramId)>,
    turn: u64,
}

impl<T> Default for DatagramRequests<T> {
    fn default() -> Self {
        Self {
            requests: HashMap::new(),
            order: VecDeque::new(),
            turn: 0,
        }
    }
}

impl<T> DatagramRequests<T> {
    /// A request. Gives back one that will not be answered any more: the same that came again, or the oldest of too many.
    pub(super) fn push(&mut self, id: DatagramId, request: T) -> Option<T> {
        self.turn += 1;
        self.order.push_back((self.turn, id));
        let again = self.requests.insert(id, (self.turn, request));
        if again.is_some() || self.order.len() <= DATAGRAMS {
            return again.map(|(_, request)| request);
        }
        self.pop()
    }

    /// The oldest.
    pub(super) fn pop(&mut self) -> Option<T> {
        while let Some((turn, id)) = self.order.pop_front() {
            if self.requests.get(&id).is_some_and(|(t, _)| *t == turn) {
                return self.requests.remove(&id).map(|(_, request)| request);
            }
        }
        None
    }

    /// The request that a response answers.
    pub(super) fn answered(&mut self, id: DatagramId) -> Option<T> {
        self.requests.remove(&id).map(|(_, request)| request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_answered_once_and_few_are_kept() {
        let mut requests = DatagramRequests::default();
        assert_eq!(requests.push((1, 7), 'a'), None);
        assert_eq!(requests.push((2, 7), 'b'), None);
        assert_eq!(requests.push((1, 7), 'c'), Some('a'));
        assert_eq!(requests.answered((1, 7)), Some('c'));
        assert_eq!(requests.answered((1, 7)), None);
        for id in 0..2 * DATAGRAMS as u64 {
            requests.push((3, id), 'd');
        }
        assert!(requests.requests.len() <= DATAGRAMS && requests.order.len() <= DATAGRAMS + 1);
        assert_eq!(requests.answered((2, 7)), None);
        assert_eq!(requests.answered((3, 2 * DATAGRAMS as u64 - 1)), Some('d'));
        while requests.pop().is_some() {}
        assert!(requests.requests.is_empty() && requests.order.is_empty());
    }
}
