//! A protocol whose connections carry streams of their own, as HTTP/2 does: what it says of them.
//!
//! ```text
//!   octets of a connection ──> Framer ──> frames ──> Carrier ──> messages of its streams, many open at once
//!                                           │                      │
//!                                           └──> packets           └──> all other outputs
//! ```

use super::events::ListedMessage;
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};

/// What a carrier needs to know of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct CarrierContext {
    /// Direction of the frame.
    pub(super) direction: Direction,
    /// Octets that a header section may have.
    pub(super) header: usize,
    /// Streams that may be open at once.
    pub(super) streams: usize,
    /// The direction is captured from its beginning.
    pub(super) from_start: bool,
}

/// Something that happens in a stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    /// A message begins of which [`Start`](Self::Start) says more: its first octet came with this packet.
    Opens,
    /// A message begins.
    Start {
        /// Request, response or neither.
        kind: Kind,
        /// Its header section as text, which are its first octets too; empty where it is lost. Of a protocol without header
        /// sections what it is summed up by.
        head: &'a [u8],
        /// How far it reaches, if that is known.
        extent: Extent,
        /// It answers the request of this stream.
        answers: bool,
    },
    /// Octets of the open message.
    Octets(&'a [u8]),
    /// So many octets of the open message are missing; None: nobody knows how many, or whether any are.
    Gap(Option<u64>),
    /// Fields behind the body, as text.
    Trailers(&'a [u8]),
    /// A message of another protocol inside of the open one has ended.
    Inner(&'a ListedMessage),
    /// The open message ends.
    End {
        /// Nothing of it is missing.
        whole: bool,
    },
    /// The open message is compressed, and some of it could not be decoded.
    Undecoded {
        /// It would have grown too much.
        oversized: bool,
    },
    /// Both directions of the stream have ended.
    Closed {
        /// It was ended by a limit.
        evicted: bool,
    },
    /// A header section cannot be decoded, though nothing of it is missing.
    BadFields,
    /// Of the fields of a header section, so many are not known, as they refer to what is lost, and so many were left out, as it
    /// is too long.
    Fields {
        /// Not known.
        unknown: u32,
        /// Left out.
        left_out: u32,
    },
}

/// Takes what a carrier says: the stream, the direction, and what happens in it.
pub(super) type ToStreams<'a> = &'a mut dyn FnMut(u32, Direction, Carried<'_>);

/// Finds the streams in the frames of a connection; sees both directions. Plain data.
pub(super) trait Carrier {
    /// A frame begins in this direction: what is left of the one before is missing.
    fn frame(&mut self, at: CarrierContext, to: ToStreams<'_>);

    /// Octets of it.
    fn octets(&mut self, at: CarrierContext, octets: &[u8], to: ToStreams<'_>);

    /// So many octets of it are missing.
    fn gap(&mut self, at: CarrierContext, len: u64, to: ToStreams<'_>);

    /// Frames may be missing in this direction. What that means is said with the next event.
    fn lost(&mut self, direction: Direction);

    /// The direction ends, and with it all that is open in it.
    fn end(&mut self, at: CarrierContext, to: ToStreams<'_>);

    /// Its streams have numbers.
    fn numbers_streams(&self) -> bool {
        true
    }

    /// Octets allocated beyond the carrier itself.
    fn size(&self) -> usize;
}
