//! Where octets came from: the segments that brought them, where their sender began to write, and where runs end in them.
//! Plain data.

use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::Chunk;
use crate::base::time::Timestamp;

/// Where octets that are held came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkOrigin {
    pub(super) time: Timestamp,
    pub(super) frame: u64,
    pub(super) interface: u32,
    pub(super) ack: Option<u64>,
}

/// Octets of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldPart {
    /// Offset of the first of them.
    pub(super) offset: u64,
    pub(super) origin: ChunkOrigin,
    /// The last of them ends a run.
    pub(super) ends: bool,
    /// The segment acknowledges what the one before it did not: the other side has spoken in between.
    pub(super) answers: bool,
    /// The snapshot length has cut the segment behind them.
    pub(super) cut: bool,
    /// What stands before it ended with PSH: its sender began to write here.
    pub(super) begins: bool,
}

impl ChunkOrigin {
    /// Number, time and interface of the packet.
    pub(super) const fn packet(&self) -> (u64, Timestamp, u32) {
        (self.frame, self.time, self.interface)
    }
}

impl HeldPart {
    /// All octets of a chunk.
    pub(super) const fn of(chunk: &Chunk<'_>) -> Self {
        Self {
            offset: chunk.offset,
            origin: ChunkOrigin {
                time: chunk.time,
                frame: chunk.frame,
                interface: chunk.interface,
                ack: chunk.ack,
            },
            ends: chunk.push,
            answers: false,
            cut: chunk.cut,
            begins: false,
        }
    }

    /// What a sender began to write at an offset.
    #[cfg(test)]
    pub(super) fn begun(offset: u64) -> Self {
        Self {
            offset,
            origin: ChunkOrigin::default(),
            ends: true,
            answers: false,
            cut: false,
            begins: true,
        }
    }

    /// The octet at an offset is the first of them, and the other side has spoken before.
    pub(super) fn begins_run(&self, offset: u64) -> bool {
        self.answers && self.offset == offset
    }

    /// The snapshot length has cut the segment behind them.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The last of them ends a run.
    pub(super) const fn ends(&self) -> bool {
        self.ends
    }

    /// The octet at an offset is the first of them, and of what its sender wrote at once.
    pub(super) const fn begins_write(&self, offset: u64) -> bool {
        self.begins && self.offset == offset
    }

    /// Its sender began to write with its first octet, which stands between two offsets.
    pub(super) const fn begins_between(&self, from: u64, to: u64) -> bool {
        self.begins && self.offset > from && self.offset < to
    }

    /// How far its first octet stands behind an offset.
    pub(super) fn behind(&self, offset: u64) -> usize {
        usize::try_from(self.offset.saturating_sub(offset)).unwrap_or(usize::MAX)
    }
}

/// The part that the octet at an offset belongs to.
pub(super) fn part_at(parts: &[HeldPart], offset: u64) -> Option<usize> {
    parts
        .partition_point(|part| part.offset <= offset)
        .checked_sub(1)
}

/// The offset at which the run ends that the octet at `offset` belongs to; None where its end is not among those of these parts,
/// which end at `end`, that begin before `within`: more of them are not looked at.
pub(super) fn run_end(parts: &[HeldPart], offset: u64, within: u64, end: u64) -> Option<u64> {
    let from = part_at(parts, offset)?;
    let mut rest = parts.get(from..)?.iter();
    let last = from + rest.position(|part| part.ends || part.offset >= within)?;
    parts.get(last).filter(|part| part.ends)?;
    Some(parts.get(last + 1).map_or(end, |next| next.offset))
}

/// The first offset behind this one at which the other side is known to have spoken.
pub(super) fn next_answer(parts: &[HeldPart], offset: u64) -> Option<u64> {
    let behind = parts.partition_point(|part| part.offset <= offset);
    let next = parts.get(behind..)?.iter().find(|part| part.answers);
    next.map(|part| part.offset)
}

/// Each of the segments, of which there are some, was a run of its own.
pub(super) fn are_runs(parts: &[HeldPart]) -> bool {
    parts.len() > 1 && parts.iter().all(|part| part.ends)
}
