//! Requests that are not answered yet, so that a response can say what it answers and how long that took.

use crate::base::context::Context;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Requests of a connection that are remembered; the oldest is dropped for one more. Pipelines are rarely this deep, and each
/// request keeps its summary.
const REQUESTS: usize = 64;

/// A request.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WaitingRequest {
    /// Offset of its first octet in its stream, as the stream stage counts.
    pub(super) offset: u64,
    /// The same, counted from the stream's first octet.
    pub(super) shown: u64,
    pub(super) summary: String,
    pub(super) time: Timestamp,
    pub(super) frame: u64,
    /// It has ended, and nothing of it is missing.
    pub(super) whole: bool,
}

impl WaitingRequest {
    fn size(&self) -> usize {
        size_of::<Self>() + self.summary.capacity()
    }
}

/// The requests of a connection, in the order of their stream.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WaitingRequests(VecDeque<WaitingRequest>);

impl WaitingRequests {
    /// A request begins.
    pub(super) fn push(&mut self, cx: &mut Context, request: WaitingRequest) {
        if self.0.len() >= REQUESTS {
            self.pop(cx);
        }
        cx.budget.take(request.size());
        self.0.push_back(request);
    }

    fn pop(&mut self, cx: &mut Context) -> Option<WaitingRequest> {
        let request = self.0.pop_front()?;
        cx.budget.give(request.size());
        Some(request)
    }

    /// The request that began last has ended.
    pub(super) fn ended(&mut self, whole: bool) {
        if let Some(request) = self.0.back_mut() {
            request.whole = whole;
        }
    }

    /// Takes the request at this offset out; those before it will not be answered any more.
    pub(super) fn answered(&mut self, cx: &mut Context, offset: u64) -> Option<WaitingRequest> {
        while self.0.front()?.offset <= offset {
            let request = self.pop(cx)?;
            if request.offset == offset {
                return Some(request);
            }
        }
        None
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        while self.pop(cx).is_some() {}
    }
}
