//! What transport delivers: octets in order, gaps, endings.

use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::state::{DeserializeOwned, Serialize};
use crate::base::stream::{Chunk, Close, Duplicate, FlowState, Gap, Side};
use crate::base::time::{Instant, Timestamp};
use crate::transport::datagram::EndedFlow;
use std::fmt::Debug;

impl<T: Default + Debug + Serialize + DeserializeOwned> FlowState for T {}

/// How much of a chunk was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it.
    All,
    /// This many octets; the rest waits until the other direction has been delivered, or given up, to the offset.
    Wait {
        /// Octets taken, from the chunk's start.
        taken: usize,
        /// Offset in the other direction's stream.
        until: u64,
    },
}

/// Where an event of a stream belongs, and what may be used there.
pub struct StreamContext<'a, S> {
    /// Settings, counters, budget, and the packet that brought the event about.
    pub cx: &'a mut Context,
    /// The flow.
    pub flow: &'a Flow,
    /// Both sides, by [`Direction::index`].
    pub sides: &'a [Side; 2],
    /// The stream of the event.
    pub direction: Direction,
    /// When the flow's first packet was captured, on the age clock.
    pub opened: Instant,
    /// When the sink wants to be woken though nothing comes on this flow ([`StreamSink::wake`]): what it says last counts.
    pub wake: &'a mut Option<Instant>,
    /// What the sink keeps with this flow.
    pub state: &'a mut S,
}

impl<S> StreamContext<'_, S> {
    /// The side whose octets these are.
    pub fn side(&self) -> &Side {
        &self.sides[self.direction.index()]
    }

    /// When the flow's first packet was captured. The age clock is the capture's time but for jumps of more than an hour, which it
    /// leaves out.
    pub fn opened_at(&self) -> Timestamp {
        let ago = self.cx.now.since(self.opened).as_nanos();
        let now = self.cx.packet.time.as_nanos();
        Timestamp::from_nanos(now.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX)))
    }

    /// The side that receives them.
    pub fn other(&self) -> &Side {
        &self.sides[self.direction.flip().index()]
    }

    /// The same place in the stream of the other direction.
    pub fn flipped(&mut self) -> StreamContext<'_, S> {
        StreamContext {
            cx: self.cx,
            flow: self.flow,
            sides: self.sides,
            direction: self.direction.flip(),
            opened: self.opened,
            wake: self.wake,
            state: self.state,
        }
    }

    /// The same place with another state: how a stage hands its context on.
    pub fn with<'b, T>(
        &'b mut self,
        f: impl FnOnce(&'b mut S) -> &'b mut T,
    ) -> StreamContext<'b, T> {
        StreamContext {
            cx: self.cx,
            flow: self.flow,
            sides: self.sides,
            direction: self.direction,
            opened: self.opened,
            wake: self.wake,
            state: f(self.state),
        }
    }
}

/// Takes the streams of connections.
///
/// For each direction: chunks and gaps in the order of the stream, then one end. The state is made when the first event
/// of a flow comes and dropped behind the last one, [`StreamSink::closed`].
pub trait StreamSink {
    /// What it keeps with each flow.
    type State: FlowState;

    /// The next octets.
    fn data(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: Chunk<'_>) -> Taken;

    /// Octets that are missing.
    fn gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: Gap);

    /// A segment brought octets that were there before; it may bring new ones too, which come as data.
    fn duplicate(&mut self, at: &mut StreamContext<'_, Self::State>, duplicate: &Duplicate) {
        let _ = (at, duplicate);
    }

    /// The time has come that [`StreamContext::wake`] was set to.
    fn wake(&mut self, at: &mut StreamContext<'_, Self::State>) {
        *at.wake = None;
    }

    /// The stream has ended; the other direction may go on.
    fn end(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close);

    /// Both directions have ended: the state is dropped behind this.
    fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close);

    /// Octets that the budget knows of in this state, where it may be written out and read back between two events of its flow: so it
    /// takes less room where there are many flows. None where it may not, as where a message is open in it.
    fn charged(&self, state: &Self::State) -> Option<usize> {
        let _ = state;
        (size_of::<Self::State>() == 0).then_some(0)
    }

    /// It has a use for [`flow_end`](Self::flow_end): a capture may have more connections without an octet than with some.
    fn hears_flow_ends(&self) -> bool {
        true
    }

    /// A connection has ended: behind [`StreamSink::closed`], and also where there were no octets and so no other event.
    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        let _ = (cx, ended);
    }
}
