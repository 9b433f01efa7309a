//! Where octets stand in the input.

use super::time::Timestamp;
use crate::base::state::{Deserialize, Serialize};

/// Octets of one packet record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordSpan {
    /// Number of the record in the whole input, from 1.
    pub frame: u64,
    /// Offset of the first octet in the record's packet; None where that is not known.
    pub at: Option<u32>,
    /// How many octets.
    pub len: u64,
}

/// One packet that a datagram was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fragment {
    /// Number of its packet record in the whole input.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Offset of its payload in the datagram's, in octets.
    pub offset: u32,
    /// Octets of its payload.
    pub len: u32,
    /// Offset of its payload in the packet record; None where it came in a tunnel in fragments.
    pub at: Option<u32>,
}

/// Where octets of the packet that is being processed begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum OctetOffset {
    /// Not known.
    #[default]
    Unknown,
    /// So many octets into its packet record.
    Record(u32),
    /// So many octets into the payload of the datagram that it completed, which came in fragments.
    Reassembled(u32),
}

impl OctetOffset {
    /// Where the octets begin that stand `len` octets further on.
    #[must_use]
    #[inline]
    pub fn after(self, len: usize) -> Self {
        let add = |at: u32| u32::try_from(len).ok().and_then(|len| at.checked_add(len));
        match self {
            Self::Unknown => Self::Unknown,
            Self::Record(at) => add(at).map_or(Self::Unknown, Self::Record),
            Self::Reassembled(at) => add(at).map_or(Self::Unknown, Self::Reassembled),
        }
    }

    /// The offset in the packet record; None where the octets stand in several, or that is not known.
    #[inline]
    pub const fn in_record(self) -> Option<u32> {
        match self {
            Self::Record(at) => Some(at),
            Self::Unknown | Self::Reassembled(_) => None,
        }
    }
}

impl From<Option<u32>> for OctetOffset {
    /// An offset in the packet record.
    #[inline]
    fn from(at: Option<u32>) -> Self {
        at.map_or(Self::Unknown, Self::Record)
    }
}

/// Emits in which records `len` octets stand that begin at `offset` of what record `frame` brought; `fragments` is what
/// the datagram was made of that it completed.
#[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
pub(crate) fn records_of(
    fragments: &[Fragment],
    frame: u64,
    offset: OctetOffset,
    len: u64,
    emit: &mut dyn FnMut(RecordSpan),
) {
    let OctetOffset::Reassembled(begin) = offset else {
        let at = offset.in_record();
        return emit(RecordSpan { frame, at, len });
    };
    let (mut next, end) = (u64::from(begin), u64::from(begin) + len);
    while next < end {
        let of = |f: &&Fragment| {
            let first = u64::from(f.offset);
            first <= next && next < first + u64::from(f.len)
        };
        let Some(f) = fragments.iter().find(of) else {
            let len = end - next;
            return emit(RecordSpan {
                frame,
                at: None,
                len,
            });
        };
        let first = u64::from(f.offset);
        let stop = end.min(first + u64::from(f.len));
        let inside = u32::try_from(next - first).unwrap_or(0);
        emit(RecordSpan {
            frame: f.frame,
            at: f.at.map(|at| at + inside),
            len: stop - next,
        });
        next = stop;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(
        fragments: &[Fragment],
        frame: u64,
        offset: OctetOffset,
        len: u64,
    ) -> Vec<(u64, Option<u32>, u64)> {
        let mut emitted = Vec::new();
        records_of(fragments, frame, offset, len, &mut |p| {
            emitted.push((p.frame, p.at, p.len));
        });
        emitted
    }

    #[test]
    fn octets_of_one_record_are_where_they_begin_in_it() {
        let record = OctetOffset::Record(54);
        assert_eq!(places(&[], 2, record, 6), [(2, Some(54), 6)]);
        assert_eq!(places(&[], 2, record.after(4), 2), [(2, Some(58), 2)]);
        assert_eq!(places(&[], 2, OctetOffset::Unknown, 3), [(2, None, 3)]);
        let past = OctetOffset::Record(u32::MAX);
        assert_eq!(past.after(1), OctetOffset::Unknown);
        assert_eq!(OctetOffset::Reassembled(8).in_record(), None);
    }

    #[test]
    fn octets_of_fragments_are_those_of_their_packets() {
        let fragment = |frame, offset, len, at| Fragment {
            frame,
            time: Timestamp::default(),
            offset,
            len,
            at,
        };
        // The second one came first.
        let fragments = [fragment(4, 24, 16, Some(34)), fragment(5, 0, 24, Some(38))];
        let at = OctetOffset::Reassembled;
        assert_eq!(
            places(&fragments, 5, at(8), 22),
            [(5, Some(46), 16), (4, Some(34), 6)]
        );
        // Behind what is there.
        assert_eq!(
            places(&fragments, 5, at(38), 4),
            [(4, Some(48), 2), (5, None, 2)]
        );
    }
}
