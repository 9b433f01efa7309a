//! Which octets of a file are there.

use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;

/// Most parts that one file may have; octets that would make one more are left out. Each takes 16 octets of memory, so a file that
/// comes as single octets with holes between costs 4 MiB at most.
// Half would still hold any real transfer; without a bound single octets far apart would cost
// sixteen octets each.
const MOST: usize = 1 << 18;

/// The octets that are there: parts of a file as start and end, in order, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ranges {
    parts: Vec<(u64, u64)>,
    /// How many octets they have: asked for with each write, so it is not added up each time.
    octets: u64,
}

impl Ranges {
    /// Adds `start..end`. False where there are too many parts to keep it.
    pub(super) fn add(&mut self, start: u64, end: u64) -> bool {
        if start >= end {
            return true;
        }
        // Nearly always the octets follow what came last.
        // A download in order stays one part, however long.
        if let Some(last) = self.parts.last_mut()
            && last.1 == start
        {
            last.1 = end;
            self.octets += end - start;
            return true;
        }
        // Those that touch it on either side become one with it, so parts never touch.
        let first = self.parts.partition_point(|part| part.1 < start);
        let behind = self.parts.partition_point(|part| part.0 <= end);
        if first < behind {
            let merged = (
                start.min(self.parts[first].0),
                end.max(self.parts[behind - 1].1),
            );
            let before: u64 = self.parts[first..behind].iter().map(|p| p.1 - p.0).sum();
            self.octets += merged.1 - merged.0 - before;
            self.parts.splice(first..behind, [merged]);
            return true;
        }
        if self.parts.len() >= MOST {
            return false;
        }
        self.parts.insert(first, (start, end));
        self.octets += end - start;
        true
    }

    /// Nothing from `end` on is there after all.
    pub(super) fn truncate(&mut self, end: u64) {
        self.parts.retain_mut(|part| {
            part.1 = part.1.min(end);
            part.0 < part.1
        });
        self.octets = self.parts.iter().map(|part| part.1 - part.0).sum();
    }

    /// What of `start..end` is not there, as start and end.
    pub(super) fn vacant(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        // In order and without overlap, as parts are.
        let mut at = start;
        let mut vacant = Vec::new();
        let first = self.parts.partition_point(|part| part.1 <= start);
        for &(from, to) in self.parts[first..].iter().take_while(|part| part.0 < end) {
            if at < from {
                vacant.push((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            vacant.push((at, end));
        }
        vacant
    }

    /// What of `start..end` is there, as start and end.
    pub(super) fn present(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let first = self.parts.partition_point(|part| part.1 <= start);
        let parts = self.parts[first..].iter().take_while(|part| part.0 < end);
        parts
            .map(|part| (part.0.max(start), part.1.min(end)))
            .collect()
    }

    /// None of `start..end` is there: the usual case, found out without allocating.
    pub(super) fn is_vacant(&self, start: u64, end: u64) -> bool {
        self.parts.last().is_none_or(|last| last.1 <= start) || {
            let first = self.parts.partition_point(|part| part.1 <= start);
            self.parts.get(first).is_none_or(|part| part.0 >= end)
        }
    }

    /// Behind the last octet.
    pub(super) fn end(&self) -> u64 {
        self.parts.last().map_or(0, |last| last.1)
    }

    /// Behind the last of the octets that follow each other from the file's first one.
    pub(super) fn leading(&self) -> u64 {
        // Only a part that begins at 0 counts: decoders and type detection need the first octet.
        self.parts
            .first()
            .filter(|first| first.0 == 0)
            .map_or(0, |first| first.1)
    }

    /// How many octets there are.
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Octets allocated.
    pub(super) fn size(&self) -> usize {
        allocated(self.parts.capacity() * size_of::<(u64, u64)>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_a_set_of_octets(parts in prop::collection::vec((0_u64..60, 0_u64..12), 0..30), ask in (0_u64..60, 0_u64..30)) {
            let mut ranges = Ranges::default();
            let mut model = [false; 80];
            for (start, len) in parts {
                let before = (start..start + len).all(|i| !model[usize::try_from(i).unwrap()]);
                prop_assert_eq!(len == 0 || ranges.is_vacant(start, start + len), before);
                prop_assert!(ranges.add(start, start + len));
                for i in start..start + len {
                    model[usize::try_from(i).unwrap()] = true;
                }
                prop_assert!(ranges.parts.windows(2).all(|w| w[0].1 < w[1].0));
            }
            let (start, end) = (ask.0, (ask.0 + ask.1).min(80));
            let vacant = ranges.vacant(start, end);
            for i in start..end {
                let is = vacant.iter().any(|v| v.0 <= i && i < v.1);
                prop_assert_eq!(is, !model[usize::try_from(i).unwrap()]);
            }
            let mut both = [vacant, ranges.present(start, end)].concat();
            both.sort_unstable();
            prop_assert_eq!(both.iter().map(|v| v.1 - v.0).sum::<u64>(), end.saturating_sub(start));
            prop_assert!(both.windows(2).all(|w| w[0].1 == w[1].0));
            prop_assert_eq!(ranges.leading(), model.iter().take_while(|m| **m).count() as u64);
            prop_assert_eq!(ranges.octets(), model.iter().filter(|m| **m).count() as u64);
            ranges.truncate(start);
            let left = model.iter().take(usize::try_from(start).unwrap());
            prop_assert_eq!(ranges.octets(), left.filter(|m| **m).count() as u64);
            prop_assert!(ranges.end() <= start);
        }
    }

    #[test]
    fn parts_are_bounded() {
        let mut ranges = Ranges::default();
        for i in 0..MOST as u64 {
            assert!(ranges.add(2 * i, 2 * i + 1));
        }
        assert!(!ranges.add(1 << 40, (1 << 40) + 1));
        // What joins parts is taken all the same.
        assert!(ranges.add(1, 2));
        assert!(ranges.add(1 << 40, (1 << 40) + 1));
    }
}
