//! What an output hears. Each event does nothing where an output does not ask for it.

use super::output::Error;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::packet::{Interface, LinkType, Packet};
use crate::base::stream::{Chunk, Close, Duplicate, FlowState, Gap};
use crate::ip::Datagram;
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use std::ops::ControlFlow;

/// An output: hears of the messages of chosen connections, of their streams, and of the packets of the input. The events are
/// those of [`MessageSink`](crate::message::MessageSink).
///
/// An `Option` of an output is one that may not have been opened.
pub(super) trait Output {
    /// What it keeps with a connection.
    type State: FlowState;

    /// The first input's header is known; later calls change nothing.
    fn begin(&mut self, _link_type: LinkType, _nanoseconds: bool) {}
    /// These are all interfaces of the input until now.
    fn interfaces(&mut self, _all: &[Interface]) {}
    /// Writes all that is buffered. Breaks when nobody reads any more.
    fn flush(&mut self) -> Result<ControlFlow<()>, Error>;
    /// Writes all that is left, at the end of the run, behind the last [`flush`](Self::flush).
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// What it writes are messages, which are counted.
    fn counts(&self) -> bool {
        false
    }

    /// A message begins.
    fn start(&mut self, _at: &mut StreamContext<'_, Self::State>, _start: &MessageStart<'_>) {}
    /// Octets of the open message.
    fn data(&mut self, _at: &mut StreamContext<'_, Self::State>, _piece: &Piece<'_>) {}
    /// Octets that the open message lacks.
    fn gap(&mut self, _at: &mut StreamContext<'_, Self::State>, _gap: &MessageGap) {}
    /// The open message ends.
    fn end(&mut self, _at: &mut StreamContext<'_, Self::State>, _end: &MessageEnd) {}
    /// A UDP datagram.
    fn datagram(&mut self, _at: &mut DatagramContext<'_>, _message: &DatagramMessage<'_>) {}
    /// A datagram of a transport that is switched off.
    fn unprocessed(&mut self, _cx: &mut Context, _datagram: &Datagram<'_>) {}
    /// An SCTP user message.
    fn user_message(
        &mut self,
        _at: &mut AssociationContext<'_, Self::State>,
        _message: &UserMessage<'_>,
        _protocol: &'static str,
    ) {
    }
    /// An SCTP association has ended.
    fn association_end(&mut self, _at: &mut AssociationContext<'_, Self::State>, _close: Close) {}

    /// Octets of the stream are at hand.
    fn stream_arrival(&mut self, _at: &mut StreamContext<'_, Self::State>, _chunk: &Chunk<'_>) {}
    /// Octets of the stream, in or between messages.
    fn stream_data(&mut self, _at: &mut StreamContext<'_, Self::State>, _chunk: &Chunk<'_>) {}
    /// A segment brought octets of the stream that were there before.
    fn stream_duplicate(&mut self, _at: &mut StreamContext<'_, Self::State>, _d: &Duplicate) {}
    /// A gap of the stream.
    fn stream_gap(&mut self, _at: &mut StreamContext<'_, Self::State>, _gap: &Gap) {}
    /// The stream ends; told of every connection.
    fn stream_end(&mut self, _at: &mut StreamContext<'_, Self::State>, _close: Close) {}
    /// Both streams have ended; told of every connection.
    fn closed(&mut self, _at: &mut StreamContext<'_, Self::State>, _close: Close) {}

    /// A packet of the input has been processed.
    fn packet(&mut self, _cx: &mut Context, _packet: &Packet<'_>, _dropped: Option<Discard>) {}
    /// The input has ended, and with it all connections.
    fn input_end(&mut self, _cx: &mut Context) {}
}

/// Flushes several outputs of a kind: one that cannot be written keeps no other from what is due to it. Gives the first
/// error.
pub(super) fn flush_all(
    each: impl Iterator<Item = Result<ControlFlow<()>, Error>>,
) -> Result<ControlFlow<()>, Error> {
    let mut all = Ok(ControlFlow::Continue(()));
    for one in each {
        if all.is_ok() && !matches!(one, Ok(ControlFlow::Continue(()))) {
            all = one;
        }
    }
    all
}

macro_rules! if_open {
    ($( fn $event:ident(&mut self $(, $arg:ident: $Arg:ty)*); )*) => {
        $( fn $event(&mut self $(, $arg: $Arg)*) {
            if let Some(output) = self {
                output.$event($($arg),*);
            }
        } )*
    };
}

impl<O: Output> Output for Option<O> {
    type State = O::State;

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        self.as_mut()
            .map_or(Ok(ControlFlow::Continue(())), Output::flush)
    }
    fn finish(&mut self) -> Result<(), Error> {
        self.as_mut().map_or(Ok(()), Output::finish)
    }
    fn counts(&self) -> bool {
        self.as_ref().is_some_and(Output::counts)
    }

    if_open! {
        fn begin(&mut self, link_type: LinkType, nanoseconds: bool);
        fn interfaces(&mut self, all: &[Interface]);
        fn start(&mut self, at: &mut StreamContext<'_, Self::State>, start: &MessageStart<'_>);
        fn data(&mut self, at: &mut StreamContext<'_, Self::State>, piece: &Piece<'_>);
        fn gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &MessageGap);
        fn end(&mut self, at: &mut StreamContext<'_, Self::State>, end: &MessageEnd);
        fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>);
        fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>);
        fn user_message(
            &mut self,
            at: &mut AssociationContext<'_, Self::State>,
            message: &UserMessage<'_>,
            protocol: &'static str
        );
        fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, close: Close);
        fn stream_arrival(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>);
        fn stream_data(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>);
        fn stream_duplicate(&mut self, at: &mut StreamContext<'_, Self::State>, d: &Duplicate);
        fn stream_gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &Gap);
        fn stream_end(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close);
        fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, close: Close);
        fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>);
        fn input_end(&mut self, cx: &mut Context);
    }
}
