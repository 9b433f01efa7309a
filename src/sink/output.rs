//! What an output is: a [`MessageSink`] that is opened, flushed and finished.

use super::saved::{StateError, StateReader, StateWriter};
use super::writer::{OutputError, Reopened};
use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::packet::{CaptureBlock, Interface, LinkType};
use crate::base::storage::allocated;
use crate::base::time::Timestamp;
use crate::message::MessageSink;
use std::ops::ControlFlow;

/// An output: sees the messages of chosen connections, their streams, and the packets of the input. `stream_end`, `closed`
/// and `association_end` come for every connection, chosen or not.
///
/// An `Option` of an output is one that may not have been opened.
pub(super) trait Output: MessageSink {
    /// The first input's header is known; later calls change nothing.
    fn begin(&mut self, _link_type: LinkType, _nanoseconds: bool) {}
    /// When the first packet of the input was captured.
    fn begins_at(&mut self, _time: Timestamp) {}
    /// These are all interfaces of the input until now.
    fn interfaces(&mut self, _all: &[Interface]) {}
    /// A block of the input that explains the packets behind it.
    fn block(&mut self, _block: &CaptureBlock) {}
    /// Opens files anew by their names, where something else has moved them away. These are all interfaces until now.
    fn reopen(&mut self, _all: &[Interface], _done: &mut Reopened) {}
    /// Whether what it is given still goes anywhere. None: nobody reads it, it writes files, until the first error.
    fn is_open(&self) -> Option<bool> {
        None
    }
    /// Writes all that is buffered. Breaks when nobody reads any more.
    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError>;
    /// Writes all that is left, at the end of the run, after the last [`flush`](Self::flush).
    fn finish(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
    /// What it writes are messages, which are counted.
    fn counts(&self) -> bool {
        false
    }
    /// What went through its files or its pipe.
    fn channels(&self, _all: &mut Vec<ChannelCounters>) {}
    /// A state is saved next: files that were open are closed, and stand on the disk as the state knows them.
    fn settle(&mut self, _cx: &mut Context) {}
    /// Writes what the next run goes on with, beside what stands with connections.
    fn save(&self, _to: &mut StateWriter) {}
    /// Reads what [`save`](Self::save) has written. The output was opened as the one that wrote it, and nothing has come yet.
    fn load(&mut self, _cx: &mut Context, _from: &mut StateReader) -> Result<(), StateError> {
        Ok(())
    }
}

/// What an output keeps of a connection: made at its first event, and counted.
pub(super) fn kept<'a, T: Default>(cx: &mut Context, state: &'a mut Option<Box<T>>) -> &'a mut T {
    state.get_or_insert_with(|| {
        cx.budget.take(allocated(size_of::<T>()));
        Box::default()
    })
}

/// Takes it out, at the end of the connection. What it has allocated itself is the caller's to give back.
pub(super) fn take_kept<T>(cx: &mut Context, state: &mut Option<Box<T>>) -> Option<Box<T>> {
    let kept = state.take()?;
    cx.budget.give(allocated(size_of::<T>()));
    Some(kept)
}

/// Octets that a body may still take: it is cut where memory is short, so that what is shown never costs a connection. An eighth
/// of the limit, and three quarters of what is free beside it, are left to all that waits.
pub(super) fn body_room(cx: &Context, body: &Vec<u8>, largest: usize) -> usize {
    let most = cx.budget.limit() / 8 * 7;
    let free = most.saturating_sub(cx.budget.used()) / 4;
    let spare = body.capacity() - body.len();
    (largest - body.len().min(largest)).min(free.saturating_add(spare))
}

/// Flushes several outputs of a kind, up to the first error: the others are flushed by the next call.
pub(super) fn flush_all(
    each: impl Iterator<Item = Result<ControlFlow<()>, OutputError>>,
) -> Result<ControlFlow<()>, OutputError> {
    let mut all = ControlFlow::Continue(());
    for one in each {
        if one?.is_break() {
            all = ControlFlow::Break(());
        }
    }
    Ok(all)
}

/// Writes all methods of a [`MessageSink`] that forwards its events: the one list of them beside the trait's own.
///
/// `forward_events!(to [extra])` makes the body of each method by calling the macro `to` with `extra`, then `state` where
/// the first argument holds a state and `plain` where it does not, `self`, that argument, the method's name, and the other
/// arguments in parentheses. `to` can match on the name to treat an event differently.
macro_rules! forward_events {
    ($to:ident $extra:tt) => {
        forward_events! { $to $extra
            state start($crate::transport::stream::StreamContext<'_, Self::State>, start: &$crate::message::MessageStart<'_>);
            state data($crate::transport::stream::StreamContext<'_, Self::State>, piece: &$crate::message::Piece<'_>);
            state gap($crate::transport::stream::StreamContext<'_, Self::State>, gap: &$crate::message::MessageGap);
            state end($crate::transport::stream::StreamContext<'_, Self::State>, end: &$crate::message::MessageEnd);
            state trailers($crate::transport::stream::StreamContext<'_, Self::State>, section: &[u8]);
            state inner($crate::transport::stream::StreamContext<'_, Self::State>, message: &$crate::message::ListedMessage);
            state skipped($crate::transport::stream::StreamContext<'_, Self::State>, offset: u64, octets: u64);
            state handshake(
                $crate::transport::stream::StreamContext<'_, Self::State>,
                message: &$crate::message::records::HandshakeMessage<'_>
            );
            state carried_end($crate::transport::stream::StreamContext<'_, Self::State>);
            state carried($crate::transport::stream::StreamContext<'_, Self::State>, protocol: &'static str);
            plain datagram(
                $crate::transport::datagram::DatagramContext<'_>,
                message: &$crate::message::events::DatagramMessage<'_>
            );
            plain datagram_duplicate($crate::transport::datagram::DatagramContext<'_>, payload_len: usize);
            plain flow_end(
                $crate::base::context::Context,
                ended: &$crate::transport::datagram::EndedFlow<'_>
            );
            plain fragments($crate::base::context::Context, event: &$crate::base::fragment::FragmentEvent);
            plain unprocessed($crate::base::context::Context, datagram: &$crate::ip::Datagram<'_>);
            state user_message(
                $crate::transport::sctp::AssociationContext<'_, Self::State>,
                message: &$crate::transport::sctp::UserMessage<'_>,
                protocol: &'static str
            );
            state chunk_gap(
                $crate::transport::sctp::AssociationContext<'_, Self::State>,
                gap: &$crate::transport::sctp::ChunkGap
            );
            state chunk_duplicate(
                $crate::transport::sctp::AssociationContext<'_, Self::State>,
                chunk: &$crate::transport::sctp::DuplicateChunk
            );
            state association_end($crate::transport::sctp::AssociationContext<'_, Self::State>, close: $crate::base::stream::Close);
            plain input_end($crate::base::context::Context);
            plain packet(
                $crate::base::context::Context,
                packet: &$crate::base::packet::Packet<'_>,
                dropped: Option<$crate::base::counters::Discard>
            );
            state stream_arrival($crate::transport::stream::StreamContext<'_, Self::State>, chunk: &$crate::base::stream::Chunk<'_>);
            state stream_data($crate::transport::stream::StreamContext<'_, Self::State>, chunk: &$crate::base::stream::Chunk<'_>);
            state stream_gap($crate::transport::stream::StreamContext<'_, Self::State>, gap: &$crate::base::stream::Gap);
            state stream_duplicate(
                $crate::transport::stream::StreamContext<'_, Self::State>,
                duplicate: &$crate::base::stream::Duplicate
            );
            state stream_end($crate::transport::stream::StreamContext<'_, Self::State>, close: $crate::base::stream::Close);
            state closed($crate::transport::stream::StreamContext<'_, Self::State>, close: $crate::base::stream::Close);
        }
    };
    ($to:ident $extra:tt $( $kind:ident $event:ident($At:ty $(, $arg:ident: $Arg:ty)*); )*) => { $(
        #[allow(unused_variables)]
        #[inline]
        fn $event(&mut self, at: &mut $At $(, $arg: $Arg)*) {
            $to!($extra $kind self at $event($($arg),*));
        }
    )* };
}
pub(super) use forward_events;

/// For [`forward_events`]: to the output if it was opened.
macro_rules! to_opened {
    ([] $kind:ident $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        if let Some(output) = $self {
            output.$event($at $(, $arg)*);
        }
    };
}

impl<O: Output> MessageSink for Option<O> {
    type State = O::State;

    fn charged(&self, state: &O::State) -> Option<usize> {
        // One that was not opened has kept nothing.
        self.as_ref()
            .map_or(Some(0), |output| output.charged(state))
    }

    forward_events!(to_opened []);
}

impl<O: Output> Output for Option<O> {
    fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        if let Some(output) = self {
            output.begin(link_type, nanoseconds);
        }
    }

    fn begins_at(&mut self, time: Timestamp) {
        if let Some(output) = self {
            output.begins_at(time);
        }
    }

    fn interfaces(&mut self, all: &[Interface]) {
        if let Some(output) = self {
            output.interfaces(all);
        }
    }

    fn block(&mut self, block: &CaptureBlock) {
        if let Some(output) = self {
            output.block(block);
        }
    }

    fn reopen(&mut self, all: &[Interface], done: &mut Reopened) {
        if let Some(output) = self {
            output.reopen(all, done);
        }
    }

    fn is_open(&self) -> Option<bool> {
        self.as_ref().map_or(Some(false), Output::is_open)
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.as_mut()
            .map_or(Ok(ControlFlow::Continue(())), Output::flush)
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        self.as_mut().map_or(Ok(()), Output::finish)
    }

    fn counts(&self) -> bool {
        self.as_ref().is_some_and(Output::counts)
    }

    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        if let Some(output) = self {
            output.channels(all);
        }
    }

    fn settle(&mut self, cx: &mut Context) {
        if let Some(output) = self {
            output.settle(cx);
        }
    }

    fn save(&self, to: &mut StateWriter) {
        if let Some(output) = self {
            output.save(to);
        }
    }

    fn load(&mut self, cx: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        self.as_mut().map_or(Ok(()), |output| output.load(cx, from))
    }
}
