//! What a stream consists of: octets in order, gaps, endings.

use super::checksum::Sum;
use super::place::OctetOffset;
use super::serial::SeqNumber;
use super::time::Timestamp;
use crate::base::state::{Deserialize, DeserializeOwned, Serialize};
use std::fmt::Debug;

/// State that a stage keeps with each flow: plain data, so that all that waits can be written out and read back.
pub trait FlowState: Default + Debug + Serialize + DeserializeOwned {}

/// Octets of one segment that come next in their stream.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Offset of the first octet in the stream ([`Side::origin`] says where the stream's first octet stands); missing
    /// octets count.
    pub offset: u64,
    /// The octets.
    pub data: &'a [u8],
    /// When the segment that brought them was captured.
    pub time: Timestamp,
    /// Number of that packet.
    pub frame: u64,
    /// The interface that it was captured on, as [`PacketInfo`](crate::base::packet::PacketInfo) has it.
    pub interface: u32,
    /// Where the first octet stands in what that packet brought.
    pub at: OctetOffset,
    /// What that segment acknowledged: an offset in the stream of the other direction. None where it carried no
    /// acknowledgment, or nothing is known of the other direction's numbers.
    pub ack: Option<u64>,
    /// The last of these octets ends a segment with PSH.
    pub push: bool,
    /// The last of these octets is the last of its segment, or the last that the snapshot length has left of it.
    pub ends_segment: bool,
    /// The snapshot length has cut the segment behind the last of these octets.
    pub cut: bool,
    /// Sum of `data`, where it is known: it need not be taken again for a packet that carries these octets.
    pub sum: Option<Sum>,
    /// The other side had acknowledged all of these octets when they were delivered: when that acknowledgment, or a later
    /// one, was captured.
    pub acknowledged: Option<Timestamp>,
}

/// Octets that the capture lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Offset of the first missing octet.
    pub offset: u64,
    /// How many are missing; None after a jump, when nobody can know. The stream then goes on at `offset`.
    pub len: Option<u64>,
    /// Why the hole was given up.
    pub cause: GapCause,
    /// What is missing is the end of a segment with PSH, which the snapshot length has cut.
    pub push: bool,
}

/// Octets of a segment that were there before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Offset of the segment's first octet.
    pub offset: u64,
    /// How many of its octets had been delivered, or waited.
    pub len: u64,
    /// Octets that waited had other content; of those that were delivered nobody can tell.
    pub conflict: bool,
}

/// Why a hole was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GapCause {
    /// The other side acknowledged past it.
    Acked,
    /// A FIN or RST ended the stream.
    Closed,
    /// The oldest waiting segment waited too long.
    Timeout,
    /// What waits would pass `--tcp-buffer`.
    Buffer,
    /// More holes than `--tcp-holes`.
    Holes,
    /// A limit of the whole program.
    Memory,
    /// End of the session or the input.
    End,
    /// The snapshot length cut a segment.
    Snapped,
    /// The sequence number jumped: a gap of unknown length.
    Jump,
}

impl GapCause {
    /// The reason in words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Acked => "the other side has acknowledged past it (acked)",
            Self::Closed => "the stream has ended (closed)",
            Self::Timeout => "what is behind it waited too long (timeout)",
            Self::Buffer => "too much waited behind it (buffer)",
            Self::Holes => "there were too many holes (holes)",
            Self::Memory => "a limit of the whole program was met (memory)",
            Self::End => "the session or the input has ended (end)",
            Self::Snapped => "the snapshot length cut them off (snapped)",
            Self::Jump => "the stream goes on at other numbers (jump)",
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Close {
    /// FIN, and every octet before it was delivered or given up.
    Fin,
    /// RST.
    Reset,
    /// Idle for `--session-timeout`.
    Idle,
    /// A limit on number or memory.
    Evicted,
    /// A new connection on the same ports.
    Replaced,
    /// End of the input.
    EndOfInput,
    /// Its segments stood on the ports of another connection, where nothing confirmed them.
    Unconfirmed,
}

impl Close {
    /// Why octets that are missing at that end are given up.
    pub(crate) const fn gap_cause(self) -> GapCause {
        match self {
            Self::Evicted => GapCause::Memory,
            Self::Fin | Self::Reset => GapCause::Closed,
            Self::Idle | Self::Replaced | Self::EndOfInput | Self::Unconfirmed => GapCause::End,
        }
    }
}

/// Offset of the octet behind a SYN. So far from 0 that what is found before it in a stream captured from the middle
/// has an offset too.
pub const ORIGIN: u64 = 1 << 32;

/// What is known of one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// A packet of this direction was captured.
    pub seen: bool,
    /// The stream began with a SYN (captured, or known from the other side's acknowledgment of it).
    pub from_start: bool,
    /// A packet of this direction was never captured, and what it carried has been given up once: waiting for it is in
    /// vain.
    pub absent: bool,
    /// Sequence number of offset 0, modulo 2^32: an octet's number is `base.add(offset as u32)`. Where the direction was
    /// never seen, it follows from what the other side acknowledged first.
    pub base: Option<SeqNumber>,
    /// Offset of the stream's first octet. Offsets are 64 bits wide and only their differences mean anything: a stream that
    /// began with a SYN has its first octet at [`ORIGIN`], one that was captured from the middle wherever its lowest
    /// octet was found.
    pub origin: u64,
    /// Offset up to which octets were delivered or given up.
    pub delivered: u64,
    /// Offset up to which nobody has to wait for octets: the other side acknowledged them, and the reorder window went by
    /// without them. They are taken all the same when they come in order (two taps whose clocks differ).
    pub conceded: u64,
    /// Highest offset that the other side has acknowledged.
    pub acknowledged: Option<u64>,
    /// When that acknowledgment was captured first; None before there are octets in the connection.
    pub acknowledged_at: Option<Timestamp>,
    /// The stream has ended.
    pub ended: bool,
    /// A RST that counts came from this side.
    pub reset: bool,
}

impl Side {
    /// Whether another stream may go on that needs this one's octets up to an offset: they were delivered or given up, or
    /// waiting for them is in vain.
    pub const fn is_settled(&self, until: u64) -> bool {
        self.delivered >= until || self.conceded >= until || self.ended || self.absent
    }

    /// An offset, counted from the stream's first octet.
    pub(crate) const fn relative(&self, offset: u64) -> i64 {
        offset.wrapping_sub(self.origin).cast_signed()
    }

    /// When the other side acknowledged everything before an offset: when the highest acknowledgment was captured, if it
    /// covers that.
    pub fn acknowledged_to(&self, offset: u64) -> Option<Timestamp> {
        let covered = self.acknowledged.is_some_and(|upto| upto >= offset);
        self.acknowledged_at.filter(|_| covered)
    }

    /// Sequence number of the octet at an offset.
    pub fn seq(&self, offset: u64) -> Option<SeqNumber> {
        // Numbers are offsets modulo 2^32.
        #[allow(clippy::cast_possible_truncation)]
        self.base.map(|base| base.add(offset as u32))
    }
}
