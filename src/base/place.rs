//! Where octets that are at hand stand in the input.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Octets of one packet record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
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

/// Tells octets of the packet in hand, and of the datagram that it completes, by their addresses in memory; nothing is
/// looked at through them. No part of the state that is saved: between two packets nothing is in hand.
#[derive(Debug, Default)]
pub(crate) struct InHand {
    record: Range<usize>,
    datagram: Range<usize>,
    fragments: Vec<Fragment>,
}

fn addresses(octets: &[u8]) -> Range<usize> {
    let range = octets.as_ptr_range();
    range.start.addr()..range.end.addr()
}

/// Offset of `part` in `whole`, if it is a part of it.
fn offset(whole: &Range<usize>, part: &Range<usize>) -> Option<u32> {
    let inside = whole.start <= part.start && part.end <= whole.end && !whole.is_empty();
    inside
        .then(|| u32::try_from(part.start - whole.start).ok())
        .flatten()
}

impl InHand {
    /// The octets of the packet in hand.
    #[inline]
    pub(crate) fn record(&mut self, octets: &[u8]) {
        self.record = addresses(octets);
        self.datagram = 0..0;
    }

    /// The payload of the datagram that the packet completes, and what that was made of.
    pub(crate) fn datagram(&mut self, payload: &[u8], fragments: &[Fragment]) {
        self.datagram = addresses(payload);
        self.fragments.clear();
        self.fragments.extend_from_slice(fragments);
    }

    /// Offset of octets in the packet in hand.
    #[inline]
    pub(crate) fn at(&self, octets: &[u8]) -> Option<u32> {
        offset(&self.record, &addresses(octets))
    }

    /// Tells where octets stand that came in this packet: in it, at `at` if that is known already, or in those that its
    /// datagram was made of.
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    pub(crate) fn each(
        &self,
        frame: u64,
        at: Option<u32>,
        octets: &[u8],
        tell: &mut dyn FnMut(Place),
    ) {
        let at = at.or_else(|| self.at(octets));
        let Some(begin) = offset(&self.datagram, &addresses(octets)).filter(|_| at.is_none())
        else {
            let len = octets.len() as u64;
            return tell(Place { frame, at, len });
        };
        let (mut next, end) = (u64::from(begin), u64::from(begin) + octets.len() as u64);
        while next < end {
            let of = |f: &&Fragment| {
                let first = u64::from(f.offset);
                first <= next && next < first + u64::from(f.len)
            };
            let Some(f) = self.fragments.iter().find(of) else {
                let len = end - next;
                return tell(Place {
                    frame,
                    at: None,
                    len,
                });
            };
            let first = u64::from(f.offset);
            let stop = end.min(first + u64::from(f.len));
            let inside = u32::try_from(next - first).unwrap_or(0);
            tell(Place {
                frame: f.frame,
                at: f.at.map(|at| at + inside),
                len: stop - next,
            });
            next = stop;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    fn places(
        hand: &InHand,
        frame: u64,
        at: Option<u32>,
        octets: &[u8],
    ) -> Vec<(u64, Option<u32>, u64)> {
        let mut told = Vec::new();
        hand.each(frame, at, octets, &mut |p| {
            told.push((p.frame, p.at, p.len))
        });
        told
    }

    #[test]
    fn octets_are_known_by_where_they_stand() {
        let (record, elsewhere) = (vec![0; 100], vec![0; 100]);
        let mut hand = InHand::default();
        assert_eq!(places(&hand, 1, None, &record), [(1, None, 100)]);
        hand.record(&record);
        assert_eq!(places(&hand, 2, None, &record[54..60]), [(2, Some(54), 6)]);
        assert_eq!(
            places(&hand, 2, Some(7), &elsewhere[..3]),
            [(2, Some(7), 3)]
        );
        assert_eq!(places(&hand, 2, None, &elsewhere[..3]), [(2, None, 3)]);
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
        let payload = vec![0; 40];
        let mut hand = InHand::default();
        // The second one came first.
        hand.datagram(
            &payload,
            &[fragment(4, 24, 16, Some(34)), fragment(5, 0, 24, Some(38))],
        );
        assert_eq!(
            places(&hand, 5, None, &payload[8..30]),
            [(5, Some(46), 16), (4, Some(34), 6)]
        );
        hand.record(&payload);
        assert_eq!(places(&hand, 6, None, &payload[8..30]), [(6, Some(8), 22)]);
    }
}
