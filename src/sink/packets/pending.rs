//! An open message whose octets wait until a packet is full.

use super::info::MessageInfo;
use super::{pcap, synthetic};
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::serial::SeqNumber;
use crate::base::state::{Deserialize, Serialize};

/// Room in front of what waits, for the record header and the packet's headers, so that a full segment is written as it
/// lies.
// The next power of two above what is needed.
pub(super) const HEADROOM: usize = 128;

const _: () = assert!(HEADROOM >= pcap::RECORD_HEADER + synthetic::MAX_HEADERS);

/// An open message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct PendingMessage {
    /// Sequence number of the stream's offset 0 when the message began: a jump changes it.
    pub(super) base: SeqNumber,
    /// Offset of its first octet.
    pub(super) start: u64,
    /// Offset behind its last octet, if its header says so; else [`NONE`].
    pub(super) known_end: u64,
    /// Offset of the first octet in `pending`.
    pub(super) at: u64,
    /// [`HEADROOM`], then octets that wait; empty where none do.
    pub(super) pending: Vec<u8>,
    /// Sum of the octets in `pending`.
    pub(super) sum: Sum,
    /// Offset behind the octets that are missing behind `pending`; 0 where none are.
    pub(super) hole_end: u64,
    /// A message of one packet met a hole: what follows is left out.
    pub(super) cut: bool,
    /// Its end is a line that is looked for behind a hole.
    pub(super) ends_with_line: bool,
    /// A segment of it was written, so that others follow.
    pub(super) split: bool,
    /// One packet of it was written.
    pub(super) done: bool,
    /// Octets of one packet, at most.
    pub(super) unit: usize,
    /// It is one packet, whatever its size: what does not fit is left out.
    pub(super) single: bool,
    /// Octets that were left out behind `pending` because they do not fit.
    pub(super) beyond: u64,
    /// Offset behind the header of a response that promises a body, which it has not where it ends here; [`NONE`] for
    /// all else.
    pub(super) header_end: u64,
    /// What a comment or a pdu says of it, if one is wanted.
    pub(super) about: Option<Box<MessageInfo>>,
    /// Octets of `pending` that the budget knows of.
    pub(super) counted: usize,
}

impl PendingMessage {
    pub(super) fn payload(&self) -> &[u8] {
        self.pending.get(HEADROOM..).unwrap_or_default()
    }

    /// Offset behind the octets that are here.
    pub(super) fn have(&self) -> u64 {
        self.at + self.payload().len() as u64 + self.beyond
    }

    /// Appends to what waits; `most` octets are the most that it will hold.
    pub(super) fn push(&mut self, cx: &mut Context, data: &[u8], sum: Option<Sum>, most: usize) {
        // The first octets make the headroom; a message in one piece never comes here.
        if self.pending.is_empty() {
            self.sum = Sum::default();
            self.grow(cx, HEADROOM + data.len(), HEADROOM + most);
            self.pending.resize(HEADROOM, 0);
        }
        self.grow(cx, self.pending.len() + data.len(), HEADROOM + most);
        self.pending.extend_from_slice(data);
        // Summed as it arrives, while it is in the cache.
        self.sum = self.sum.combine(sum.unwrap_or_else(|| Sum::of(data)));
    }

    fn grow(&mut self, cx: &mut Context, needed: usize, most: usize) {
        let old = self.pending.capacity();
        if needed > old {
            // Doubled, up to what one packet can hold: growing by segments would copy a large
            // message again and again.
            let new = needed.max((old * 2).min(most));
            self.pending.reserve_exact(new - self.pending.len());
            self.count(cx);
        }
    }

    /// Charges the budget with what is allocated for `pending` now.
    pub(super) fn count(&mut self, cx: &mut Context) {
        cx.budget.rebook(&mut self.counted, self.pending.capacity());
    }

    /// Offset of `offset` as a sequence number.
    pub(super) fn seq(&self, offset: u64) -> u32 {
        seq(self.base, offset)
    }
}

/// The low 32 bits: sequence numbers wrap.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn seq(base: SeqNumber, offset: u64) -> u32 {
    base.add(offset as u32).0
}
