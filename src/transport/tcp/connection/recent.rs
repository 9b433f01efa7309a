//! The sums of the segments that were delivered last: their octets are gone, and a copy that differs shows by its sums.

use crate::base::checksum::Sum;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::SampleKey;
use crate::transport::tcp::waiting::low32;

/// Segments that are remembered for each direction: a retransmission timeout (200 ms at least) may be longer than they take,
/// but a copy by another path, or one that is sent to deceive a reader, follows within a few segments.
const RECENT: usize = 8;

/// The segments of one direction that were delivered last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecentSums {
    segments: [RecentSum; RECENT],
    next: u8,
}

/// Offset modulo 2^32, length (none where it is 0) and sums of a segment's octets.
///
/// The checksum's own sum finds all that differs by chance. It is no proof against a sender who means to deceive: a segment is
/// easily made that has the same. The sample is keyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RecentSum {
    offset: u32,
    len: u16,
    sum: u16,
    sample: u32,
}

impl RecentSum {
    #[inline]
    fn new(key: &SampleKey, offset: u64, octets: &[u8], sum: Sum) -> Option<Self> {
        Some(Self {
            offset: low32(offset),
            len: u16::try_from(octets.len()).ok()?,
            // Zero has two forms.
            sum: sum.folded() % u16::MAX,
            sample: key.digest(octets),
        })
    }
}

impl RecentSums {
    /// A segment is delivered.
    #[inline]
    pub(super) fn push(&mut self, key: &SampleKey, offset: u64, octets: &[u8], sum: Sum) {
        if let Some(new) = RecentSum::new(key, offset, octets, sum) {
            let at = usize::from(self.next) % RECENT;
            self.segments[at] = new;
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Octets that come again differ from a segment that is remembered and stands among them as a whole: the last one that was
    /// delivered at its place.
    pub(super) fn differs(&self, key: &SampleKey, offset: u64, octets: &[u8]) -> bool {
        let mut remembered = self.segments.iter().filter(|s| s.len > 0);
        remembered.any(|s| {
            let ahead = s.offset.wrapping_sub(low32(offset));
            let copy = usize::try_from(ahead)
                .ok()
                .and_then(|at| octets.get(at..)?.get(..usize::from(s.len)));
            copy.is_some_and(|copy| {
                let at = offset + u64::from(ahead);
                RecentSum::new(key, at, copy, Sum::of(copy)).is_some_and(|copy| copy != *s)
            })
        })
    }
}

#[cfg(feature = "state")]
mod written_out {
    use super::{RECENT, RecentSum, RecentSums};
    use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
    use serde::ser::{Serialize, Serializer};
    use std::fmt;

    /// Those that are there, in their order: most connections have had few.
    impl Serialize for RecentSums {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            let last = self.segments.iter().rposition(|s| s.len > 0);
            let there = self.segments.get(..last.map_or(0, |last| last + 1));
            (self.next, there.unwrap_or_default()).serialize(s)
        }
    }

    impl<'de> Deserialize<'de> for RecentSums {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            let (next, There(segments)) = Deserialize::deserialize(d)?;
            Ok(Self { segments, next })
        }
    }

    /// The segments, of which no more are there than were written.
    #[derive(Default)]
    struct There([RecentSum; RECENT]);

    impl<'de> Deserialize<'de> for There {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            d.deserialize_seq(Self::default())
        }
    }

    impl<'de> Visitor<'de> for There {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{RECENT} segments at most")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut all: A) -> Result<Self, A::Error> {
            let mut places = self.0.iter_mut();
            while let Some(segment) = all.next_element()? {
                match places.next() {
                    Some(place) => *place = segment,
                    None => return Err(A::Error::invalid_length(RECENT + 1, &"fewer")),
                }
            }
            Ok(self)
        }
    }
}
