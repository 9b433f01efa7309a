//! On which channels (VLANs) a connection was seen.

use super::Connection;
use super::stream_state::SEEN;
use super::vlans::VLANS;
use crate::base::flow::Direction;
use crate::base::packet::VlanTag;

impl<S> Connection<S> {
    /// The first packet of this direction, or of the other one where none has come yet, had these tags: the common case.
    pub(in crate::transport::tcp) fn is_on(&self, d: Direction, tags: &[VlanTag; 2]) -> bool {
        let seen = self.streams[d.index()].is(SEEN);
        // Until the reverse direction has been seen, its packets are expected with the tags of the
        // forward one, as on an ordinary link.
        let d = if seen { d } else { d.flip() };
        self.tags[d.index()] == *tags
    }

    /// Packets of it, in any direction, have come with these VLANs.
    pub(in crate::transport::tcp) fn was_on(&self, vlans: [u16; 2]) -> bool {
        let first = self.streams.iter().zip(&self.tags);
        first
            .filter(|(stream, _)| stream.is(SEEN))
            .any(|(_, tags)| ids(tags) == vlans)
            || self
                .extras
                .as_ref()
                .and_then(|extras| extras.vlans)
                .is_some_and(|v| v.contains(&vlans))
    }

    /// The first packet of this direction had these VLANs, or none has come yet.
    pub(in crate::transport::tcp) fn may_be_on(&self, d: Direction, vlans: [u16; 2]) -> bool {
        !self.streams[d.index()].is(SEEN) || ids(&self.tags[d.index()]) == vlans
    }

    /// Remembers on which VLANs a packet came.
    pub(super) fn note(&mut self, d: Direction, tags: &[VlanTag; 2]) {
        let i = d.index();
        if !self.streams[i].is(SEEN) {
            self.streams[i].set(SEEN);
            self.tags[i] = *tags;
        } else if self.tags[i] != *tags && !self.was_on(ids(tags)) {
            // The common case leaves by the first comparison. Most connections never allocate the list.
            let vlans = ids(tags);
            let extras = self.extras.get_or_insert_default();
            match &mut extras.vlans {
                // Filled with copies of the first, so that no length has to be kept beside it.
                None => extras.vlans = Some([vlans; VLANS]),
                Some(known) => {
                    let last = known[VLANS - 1];
                    if let Some(i) = known.iter().position(|v| *v == last) {
                        known[i + 1..].fill(vlans);
                    }
                }
            }
        }
    }
}

/// Identifiers of tags.
fn ids(tags: &[VlanTag; 2]) -> [u16; 2] {
    tags.map(VlanTag::id)
}
