//! Octets of one stream that wait behind a hole.

use crate::base::checksum::Sum;
use crate::base::limits::Overlap;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, WaitingStage, allocated};
use crate::base::time::{Instant, Timestamp};
use std::collections::VecDeque;

/// An offset as a number, modulo 2^32.
#[allow(clippy::cast_possible_truncation)]
pub(super) const fn low32(offset: u64) -> u32 {
    offset as u32
}

/// Where octets came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentOrigin {
    /// The packet's number.
    // With each part, so that a message can be traced to its packets however it was put together.
    pub(super) frame: u64,
    /// When it was captured.
    pub(super) time: Timestamp,
    /// The interface that it was captured on.
    pub(super) interface: u32,
    /// Age clock at its arrival.
    pub(super) arrived: Instant,
    /// Packets of the connection at its arrival.
    pub(super) packets: u64,
    /// What it acknowledged, as an offset in the other stream.
    pub(super) ack: Option<u64>,
    /// It carried PSH.
    pub(super) push: bool,
    /// The snapshot length has cut its end.
    pub(super) cut: bool,
    /// Its checksum was wrong: a second choice.
    pub(super) damaged: bool,
    /// Offset of an octet in the packet's record, less its offset in the stream; both modulo 2^32. None where it is not
    /// known.
    pub(super) shift: Option<u32>,
}

impl SegmentOrigin {
    /// Where in the packet's record the octet at this offset of the stream stands.
    // By difference, so that a part that is cut in front or split needs no correction.
    pub(super) fn at(&self, offset: u64) -> Option<u32> {
        self.shift.map(|shift| shift.wrapping_add(low32(offset)))
    }

    /// What [`shift`](Self::shift) is where the octet at `offset` of the stream stands at `at`.
    pub(super) fn shift(at: Option<u32>, offset: u64) -> Option<u32> {
        at.map(|at| at.wrapping_sub(low32(offset)))
    }
}

/// A run of octets of one segment, or of octets that the snapshot length cut off it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BufferedPart {
    /// Offset of the first octet that is left.
    pub(super) offset: u64,
    octets: Vec<u8>,
    /// Octets at the start of `octets` that are used up.
    used: usize,
    /// Octets that are known to be missing: then `octets` is empty.
    lost: u64,
    /// Where they came from.
    pub(super) origin: SegmentOrigin,
    /// The last octet is the last of its segment.
    pub(super) ends_segment: bool,
    /// Sum of all `octets`, folded, where it is known.
    sum: Option<u16>,
}

impl BufferedPart {
    /// The octets that are left.
    pub(super) fn data(&self) -> &[u8] {
        self.octets.get(self.used..).unwrap_or_default()
    }

    /// Their sum, where it is known: while all octets of the segment are here, and none was replaced.
    pub(super) fn sum(&self) -> Option<Sum> {
        let sum = self.sum.filter(|_| self.used == 0)?;
        Some(Sum::from_folded(sum, self.octets.len()))
    }

    /// How many octets are known to be missing here; 0 where there is data.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    fn len(&self) -> u64 {
        if self.lost > 0 {
            self.lost
        } else {
            self.data().len() as u64
        }
    }

    /// Offset behind its last octet.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.len()
    }

    /// Octets that are counted as allocated for it: a block that was used before may have an eighth more.
    fn counted(&self) -> usize {
        allocated(self.octets.len())
    }
}

/// What became of octets that were put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inserted {
    /// Octets that were not there before.
    pub(super) new: u64,
    /// Octets that were there already.
    pub(super) known: u64,
    /// Octets that were there already with other content.
    pub(super) conflict: bool,
}

/// A sorted list of runs that do not overlap. All of it lies at or past the offset that is delivered next.
///
/// Nothing is allocated where nothing waits: there may be a million of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ReorderBuffer(Option<Box<Runs>>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Runs {
    items: VecDeque<BufferedPart>,
    /// Runs without a hole between their items.
    runs: usize,
    /// Octets allocated for data.
    allocated: usize,
    /// Octets of data.
    octets: u64,
    /// When the segment that has waited longest arrived, where it is known.
    oldest: Option<Instant>,
    /// Octets that the budget knows of: what is read back from a state may have less room.
    counted: usize,
}

impl ReorderBuffer {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Segments, or parts of them, that wait.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |r| r.items.len())
    }

    /// Runs of octets without a hole inside: with the hole before the first, the number of holes.
    pub(super) fn runs(&self) -> usize {
        self.0.as_ref().map_or(0, |r| r.runs)
    }

    /// Octets allocated.
    pub(super) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |r| r.size())
    }

    pub(super) fn front(&self) -> Option<&BufferedPart> {
        self.0.as_ref()?.items.front()
    }

    /// Offset behind the last octet.
    pub(super) fn end(&self) -> Option<u64> {
        self.0.as_ref()?.items.back().map(BufferedPart::end)
    }

    /// How far all is there, seen from `next`: None where there is a hole.
    pub(super) fn contiguous(&self, next: u64) -> Option<u64> {
        self.0.as_ref().map_or(Some(next), |r| r.contiguous(next))
    }

    /// When the segment that has waited longest arrived.
    pub(super) fn oldest(&mut self) -> Option<Instant> {
        self.0.as_mut()?.oldest()
    }

    /// Puts `data` in at `offset`, followed by `lost` octets that are known to be missing. Octets that are there stay, or
    /// are replaced with [`Overlap::Last`].
    pub(super) fn insert(
        &mut self,
        budget: &mut Budget,
        offset: u64,
        data: &[u8],
        lost: u64,
        origin: SegmentOrigin,
        rule: Overlap,
    ) -> Inserted {
        self.insert_summed(budget, offset, (data, None), lost, origin, rule)
    }

    /// The same of octets whose sum may be known.
    pub(super) fn insert_summed(
        &mut self,
        budget: &mut Budget,
        offset: u64,
        data: (&[u8], Option<Sum>),
        lost: u64,
        origin: SegmentOrigin,
        rule: Overlap,
    ) -> Inserted {
        self.change(budget, |r, budget| {
            r.insert(budget, offset, data, lost, origin, rule)
        })
    }

    /// Puts octets, of which there are some, in behind all that wait, the last of which end at `offset`.
    // What `insert` does for nearly every segment where packets are lost, without its search and its cases.
    pub(super) fn append(
        &mut self,
        budget: &mut Budget,
        offset: u64,
        (data, sum): (&[u8], Option<Sum>),
        origin: SegmentOrigin,
    ) {
        debug_assert!(!data.is_empty() && self.end() == Some(offset));
        let Some(runs) = self.0.as_deref_mut() else {
            return;
        };
        runs.make_room();
        runs.items.push_back(BufferedPart {
            offset,
            octets: budget.copy(data),
            used: 0,
            lost: 0,
            origin,
            ends_segment: true,
            sum: sum.map(Sum::folded),
        });
        runs.allocated += allocated(data.len());
        runs.octets += data.len() as u64;
        runs.count(budget);
    }

    /// Takes the first item out.
    pub(super) fn pop(&mut self, budget: &mut Budget) -> Option<BufferedPart> {
        self.0.as_ref()?;
        self.change(budget, |r, _| r.pop())
    }

    /// An item that was taken out is not needed any more.
    pub(super) fn done_with(budget: &mut Budget, item: BufferedPart) {
        budget.put_back(item.octets);
    }

    /// Takes octets that are known to be missing out, from the front and up to `upto`: how many, where that is known from,
    /// and whether they end with PSH. None where the first item is data.
    pub(super) fn take_lost(
        &mut self,
        budget: &mut Budget,
        upto: u64,
    ) -> Option<(u64, SegmentOrigin, bool)> {
        self.front()
            .filter(|item| item.lost > 0 && item.offset < upto)?;
        self.change(budget, |r, _| r.take_lost(upto))
    }

    /// Puts back what is left of the item that [`ReorderBuffer::pop`] gave, without its first `taken` octets.
    pub(super) fn put_back(&mut self, budget: &mut Budget, item: BufferedPart, taken: usize) {
        self.change(budget, |r, _| r.put_back(item, taken));
    }

    /// Drops everything from `offset` on; gives the number of octets of data dropped.
    pub(super) fn truncate(&mut self, budget: &mut Budget, offset: u64) -> u64 {
        if self.is_empty() {
            return 0;
        }
        self.change(budget, |r, _| r.truncate(offset))
    }

    /// Changes the list, and charges the budget with what that took or gave back.
    // The one place where the budget is charged: no path can forget it. The difference is taken of
    // what is allocated, not of what is used.
    fn change<T>(
        &mut self,
        budget: &mut Budget,
        how: impl FnOnce(&mut Runs, &mut Budget) -> T,
    ) -> T {
        let runs = self.0.get_or_insert_default();
        let result = how(runs, budget);
        // The box goes with its last item. A connection that once waited would else stay larger
        // than its neighbours for good.
        if runs.items.is_empty() {
            budget.resize_waiting(WaitingStage::Segments, runs.counted, 0);
            self.0 = None;
        } else {
            runs.count(budget);
        }
        result
    }

    /// Octets of data.
    #[cfg(test)]
    pub(super) fn octets(&self) -> u64 {
        self.0.as_ref().map_or(0, |r| r.octets)
    }

    /// Panics unless the list is sorted, without overlap, and its sums are right.
    #[cfg(test)]
    pub(super) fn invariants(&self) {
        if let Some(runs) = &self.0 {
            runs.invariants();
        }
    }
}

impl Runs {
    /// Charges the budget with what is allocated now.
    fn count(&mut self, budget: &mut Budget) {
        let now = self.size();
        budget.resize_waiting(WaitingStage::Segments, self.counted, now);
        self.counted = now;
    }

    fn size(&self) -> usize {
        let items = allocated(self.items.capacity() * size_of::<BufferedPart>());
        allocated(size_of::<Self>()) + items + self.allocated
    }

    /// How far all is there, seen from `next`: None where there is a hole.
    // One run and no hole before it: all is there up to its end. Constant time, as it is asked for
    // each segment under `--wait-ack`.
    fn contiguous(&self, next: u64) -> Option<u64> {
        let Some(first) = self.items.front() else {
            return Some(next);
        };
        let last = self.items.back().map(BufferedPart::end);
        last.filter(|_| self.runs == 1 && first.offset <= next)
    }

    /// When the segment that has waited longest arrived.
    // Kept while it is known. The scan only follows the removal of the oldest item, and the list is
    // bounded by the limit on holes and octets.
    fn oldest(&mut self) -> Option<Instant> {
        if self.oldest.is_none() {
            self.oldest = self.items.iter().map(|i| i.origin.arrived).min();
        }
        self.oldest
    }

    /// Puts `data` in at `offset`, followed by `lost` octets that are known to be missing. Octets that are there stay, or
    /// are replaced with [`Overlap::Last`].
    fn insert(
        &mut self,
        budget: &mut Budget,
        offset: u64,
        (data, sum): (&[u8], Option<Sum>),
        lost: u64,
        origin: SegmentOrigin,
        rule: Overlap,
    ) -> Inserted {
        // Of a part of the octets it is not known.
        let whole_sum = |n: u64| sum.filter(|_| n == data.len() as u64).map(Sum::folded);
        let mut result = Inserted::default();
        let end = offset + data.len() as u64;
        // Binary search: a far-ahead attacker's list costs a logarithm, not a walk. A linear list
        // is how a capture with much reordering becomes quadratic.
        let mut at = match self.items.back() {
            // Mostly it comes behind all others.
            Some(last) if last.end() <= offset => self.items.len(),
            _ => self.items.partition_point(|i| i.end() <= offset),
        };
        let mut pos = offset;
        while pos < end {
            let rest = &data[usize::try_from(pos - offset)
                .unwrap_or(usize::MAX)
                .min(data.len())..];
            match self.items.get_mut(at) {
                Some(item) if item.offset <= pos && item.lost > 0 => {
                    // Octets beat the knowledge that they are missing, whatever the overlap rule
                    // says.
                    // What the snapshot length cut off one copy is brought by another.
                    let (from, stop) = (item.offset, end.min(item.end()));
                    // The lost part may stick out on both sides; what is left of it on either side
                    // stays known as missing.
                    let missing = [(from, pos), (stop, item.end())];
                    let Some(cut) = self.remove(at) else { break };
                    let n = usize::try_from(stop - pos).unwrap_or(0);
                    let fresh = BufferedPart {
                        offset: pos,
                        octets: budget.copy(rest.get(..n).unwrap_or_default()),
                        used: 0,
                        lost: 0,
                        origin,
                        ends_segment: stop == end,
                        sum: whole_sum(stop - pos),
                    };
                    result.new += stop - pos;
                    let parts = missing.map(|(from, to)| BufferedPart {
                        offset: from,
                        lost: to - from,
                        ends_segment: cut.ends_segment && to == missing[1].1,
                        ..cut.clone()
                    });
                    let [before, behind] = parts;
                    for item in [before, fresh, behind] {
                        if item.len() > 0 {
                            self.put(at, item);
                            at += 1;
                        }
                    }
                    // The next look is at the rest of the lost part when there is one, else behind
                    // it.
                    at -= usize::from(stop < missing[1].1);
                    pos = stop;
                }
                Some(item) if item.offset <= pos => {
                    let stop = end.min(item.end());
                    result.known += stop - pos;
                    let from = item.used + usize::try_from(pos - item.offset).unwrap_or(0);
                    // `used` octets in front have been delivered; the item's offset is that of the
                    // first one left.
                    let n = usize::try_from(stop - pos).unwrap_or(0);
                    if let (Some(old), Some(new)) =
                        // Equal octets are a plain retransmission. Only a difference can be an
                        // attack, or a broken stack, and is counted.
                        (item.octets.get_mut(from..from + n), rest.get(..n))
                        && old != new
                    {
                        result.conflict = true;
                        // Overwritten in place: the item keeps its origin, as most of its octets
                        // are still from there.
                        if rule == Overlap::Last {
                            item.sum = None;
                            old.copy_from_slice(new);
                        }
                    }
                    pos = stop;
                    at += 1;
                }
                // Free space up to the next item: the only place where octets are copied.
                next => {
                    let stop = next.map_or(end, |item| item.offset.min(end));
                    let n = usize::try_from(stop - pos).unwrap_or(0);
                    let octets = budget.copy(rest.get(..n).unwrap_or_default());
                    result.new += stop - pos;
                    self.put(
                        at,
                        BufferedPart {
                            offset: pos,
                            octets,
                            used: 0,
                            lost: 0,
                            origin,
                            // The last octet of a segment that was split by known octets is still
                            // the end of that segment.
                            ends_segment: stop == end,
                            sum: whole_sum(stop - pos),
                        },
                    );
                    pos = stop;
                    at += 1;
                }
            }
        }
        // Behind the data: the missing tail stands where the snapshot length cut.
        if lost > 0 {
            self.insert_lost(end, lost, origin);
        }
        result
    }

    /// Marks octets as missing where nothing is.
    fn insert_lost(&mut self, offset: u64, lost: u64, origin: SegmentOrigin) {
        let end = offset + lost;
        let mut at = self.items.partition_point(|i| i.end() <= offset);
        let mut pos = offset;
        while pos < end {
            match self.items.get(at) {
                // Octets that another copy has brought are not missing.
                Some(item) if item.offset <= pos => pos = item.end(),
                next => {
                    let stop = next.map_or(end, |item| item.offset.min(end));
                    let item = BufferedPart {
                        offset: pos,
                        octets: Vec::new(),
                        used: 0,
                        lost: stop - pos,
                        origin,
                        ends_segment: true,
                        sum: None,
                    };
                    self.put(at, item);
                    pos = stop;
                }
            }
            at += 1;
        }
    }

    // Counts of runs are kept up to date here, so that no limit has to walk the list.
    fn put(&mut self, at: usize, item: BufferedPart) {
        let joins_left = at > 0
            && self
                .items
                .get(at - 1)
                .is_some_and(|i| i.end() == item.offset);
        let joins_right = self.items.get(at).is_some_and(|i| i.offset == item.end());
        match (joins_left, joins_right) {
            (true, true) => self.runs -= 1,
            (false, false) => self.runs += 1,
            _ => {}
        }
        self.allocated += item.counted();
        self.octets += item.data().len() as u64;
        if self.items.is_empty() {
            self.oldest = Some(item.origin.arrived);
        }
        self.make_room();
        self.items.insert(at, item);
    }

    /// Makes room for one item more.
    fn make_room(&mut self) {
        if self.items.len() == self.items.capacity() {
            // One allocation of one item first: most holes are closed by the next segment. Doubling
            // by `reserve_exact` keeps the charge equal to what is allocated.
            // Mostly there is one.
            self.items.reserve_exact(self.items.len().max(1));
        }
    }

    /// Takes an item out, which another one takes the place of.
    fn remove(&mut self, at: usize) -> Option<BufferedPart> {
        let item = self.items.remove(at)?;
        let before = at.checked_sub(1).and_then(|at| self.items.get(at));
        let joins_left = before.is_some_and(|i| i.end() == item.offset);
        let joins_right = self.items.get(at).is_some_and(|i| i.offset == item.end());
        match (joins_left, joins_right) {
            (true, true) => self.runs += 1,
            (false, false) => self.runs -= 1,
            _ => {}
        }
        self.allocated -= item.counted();
        self.octets -= item.data().len() as u64;
        // Another one of the same time may be left; it is found again when somebody asks.
        if self.oldest == Some(item.origin.arrived) {
            self.oldest = None;
        }
        Some(item)
    }

    /// Takes the first item out.
    fn pop(&mut self) -> Option<BufferedPart> {
        let item = self.items.pop_front()?;
        // The first item of a run that goes on leaves the number of runs as it is.
        if self
            .items
            .front()
            .is_none_or(|next| next.offset != item.end())
        {
            self.runs -= 1;
        }
        self.allocated -= item.counted();
        self.octets -= item.data().len() as u64;
        if self.oldest == Some(item.origin.arrived) {
            self.oldest = None;
        }
        Some(item)
    }

    /// Takes octets that are known to be missing out, from the front and up to `upto`.
    fn take_lost(&mut self, upto: u64) -> Option<(u64, SegmentOrigin, bool)> {
        let mut item = self.pop()?;
        let (len, origin) = (upto.min(item.end()) - item.offset, item.origin);
        let push = origin.push && item.ends_segment && len == item.lost;
        if len < item.lost {
            item.offset += len;
            item.lost -= len;
            self.put(0, item);
        }
        Some((len, origin, push))
    }

    /// Puts back what is left of the item that [`ReorderBuffer::pop`] gave, without its first `taken` octets.
    // `taken` comes from a sink; it must not move the offset past the item.
    fn put_back(&mut self, mut item: BufferedPart, taken: usize) {
        let taken = taken.min(item.data().len());
        // The octets in front are only marked as used: moving the rest forward for each partial
        // delivery would be quadratic in the segment.
        item.used += taken;
        item.offset += taken as u64;
        self.put(0, item);
    }

    /// Drops everything from `offset` on; gives the number of octets of data dropped.
    fn truncate(&mut self, offset: u64) -> u64 {
        let mut dropped = 0;
        while self.items.back().is_some_and(|last| last.end() > offset) {
            // From the back, so that nothing is moved.
            let Some(mut last) = self.items.pop_back() else {
                break;
            };
            if self
                .items
                .back()
                .is_none_or(|prev| prev.end() != last.offset)
            {
                self.runs -= 1;
            }
            self.allocated -= last.counted();
            self.octets -= last.data().len() as u64;
            // Whatever is cut off may have been the oldest.
            self.oldest = None;
            if last.offset < offset {
                let keep = offset - last.offset;
                if last.lost > 0 {
                    last.lost = keep;
                } else {
                    let keep = usize::try_from(keep).unwrap_or(0);
                    dropped += (last.data().len() - keep) as u64;
                    // The capacity stays allocated and stays charged; the item soon goes anyway.
                    last.sum = None;
                    last.octets.truncate(last.used + keep);
                }
                self.put(self.items.len(), last);
                break;
            }
            dropped += last.data().len() as u64;
        }
        dropped
    }

    /// Panics unless the list is sorted, without overlap, and its sums are right.
    #[cfg(test)]
    fn invariants(&self) {
        let mut runs = 0;
        let mut end = None;
        for i in &self.items {
            assert!(i.len() > 0);
            assert!(end.is_none_or(|e| e <= i.offset));
            if end != Some(i.offset) {
                runs += 1;
            }
            end = Some(i.end());
        }
        assert_eq!(runs, self.runs);
        let allocated = self.items.iter().map(BufferedPart::counted);
        assert_eq!(self.allocated, allocated.sum::<usize>());
        assert!(!self.items.is_empty());
        assert_eq!(
            self.octets,
            self.items
                .iter()
                .map(|i| i.data().len() as u64)
                .sum::<u64>()
        );
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small numbers
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: SegmentOrigin = SegmentOrigin {
        frame: 1,
        time: Timestamp::from_nanos(0),
        interface: 0,
        arrived: Instant::from_nanos(0),
        packets: 0,
        ack: None,
        push: false,
        cut: false,
        damaged: false,
        shift: None,
    };

    fn contents(w: &ReorderBuffer) -> Vec<(u64, String)> {
        w.0.iter()
            .flat_map(|r| &r.items)
            .map(|i| (i.offset, String::from_utf8_lossy(i.data()).into_owned()))
            .collect()
    }

    #[test]
    fn overlaps_go_by_the_rule() {
        for (rule, expected) in [(Overlap::First, "aaaa"), (Overlap::Last, "aabb")] {
            let mut budget = Budget::new(usize::MAX);
            let mut w = ReorderBuffer::default();
            w.insert(&mut budget, 10, b"aaaa", 0, ORIGIN, rule);
            let r = w.insert(&mut budget, 12, b"bbbb", 0, ORIGIN, rule);
            assert_eq!(
                r,
                Inserted {
                    new: 2,
                    known: 2,
                    conflict: true
                }
            );
            assert_eq!(
                contents(&w),
                [(10, expected.to_string()), (14, "bb".to_string())]
            );
            w.invariants();
        }
    }

    #[test]
    fn a_cut_tail_is_known_to_be_missing() {
        let mut budget = Budget::new(usize::MAX);
        let mut w = ReorderBuffer::default();
        w.insert(&mut budget, 10, b"ab", 3, ORIGIN, Overlap::First);
        w.insert(&mut budget, 13, b"xyz", 0, ORIGIN, Overlap::First);
        w.invariants();
        assert_eq!(w.runs(), 1);
        assert_eq!(
            w.0.iter()
                .flat_map(|r| &r.items)
                .map(|i| (i.offset, i.lost))
                .collect::<Vec<_>>(),
            [(10, 0), (12, 1), (13, 0), (15, 0)]
        );
    }

    #[test]
    fn a_cut_tail_is_filled_by_another_copy() {
        let rule = Overlap::First;
        for (at, data, expected) in [
            (
                10,
                &b"abcde"[..],
                [(10, "ab", 0), (12, "cde", 0)].as_slice(),
            ),
            (12, b"cde", &[(10, "ab", 0), (12, "cde", 0)]),
            (
                13,
                b"d",
                &[(10, "ab", 0), (12, "", 1), (13, "d", 0), (14, "", 1)],
            ),
            (11, b"bc", &[(10, "ab", 0), (12, "c", 0), (13, "", 2)]),
            (
                14,
                b"efg",
                &[(10, "ab", 0), (12, "", 2), (14, "e", 0), (15, "fg", 0)],
            ),
        ] {
            let mut budget = Budget::new(usize::MAX);
            let mut w = ReorderBuffer::default();
            w.insert(&mut budget, 10, b"ab", 3, ORIGIN, rule);
            w.insert(&mut budget, at, data, 0, ORIGIN, rule);
            w.invariants();
            assert_eq!(budget.used(), w.size());
            let found: Vec<_> = w.0.iter().flat_map(|r| &r.items).collect();
            let found: Vec<_> = found
                .iter()
                .map(|i| (i.offset, std::str::from_utf8(i.data()).unwrap(), i.lost))
                .collect();
            assert_eq!(found, expected, "{at}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_model(
            ops in prop::collection::vec((0u64..60, 1usize..20, any::<u8>(), any::<bool>()), 1..40),
            last in any::<bool>(), cut in 0u64..80, taken in 0usize..10,
        ) {
            let rule = if last { Overlap::Last } else { Overlap::First };
            let mut model: Vec<Option<u8>> = vec![None; 100];
            let mut budget = Budget::new(usize::MAX);
            let mut w = ReorderBuffer::default();
            for (offset, len, fill, back) in ops {
                let data: Vec<u8> = (0..len).map(|i| fill.wrapping_add(i as u8)).collect();
                let r = w.insert(&mut budget, offset, &data, 0, ORIGIN, rule);
                let mut expected = Inserted::default();
                for (i, octet) in data.iter().enumerate() {
                    let cell = &mut model[offset as usize + i];
                    match cell {
                        None => { expected.new += 1; *cell = Some(*octet); }
                        Some(old) => {
                            expected.known += 1;
                            expected.conflict |= old != octet;
                            if last { *cell = Some(*octet); }
                        }
                    }
                }
                prop_assert_eq!(r, expected);
                w.invariants();
                prop_assert_eq!(budget.used(), w.size());
                if back && let Some(item) = w.pop(&mut budget) {
                    let n = item.data().len();
                    let (offset, taken) = (item.offset as usize, taken.min(n));
                    for cell in &mut model[offset..offset + taken] { *cell = None; }
                    if taken < n { w.put_back(&mut budget, item, taken); }
                    w.invariants();
                }
            }
            w.truncate(&mut budget, cut);
            w.invariants();
            for cell in model.iter_mut().skip(cut as usize) { *cell = None; }
            let mut found: Vec<Option<u8>> = vec![None; 100];
            while let Some(item) = w.pop(&mut budget) {
                for (i, octet) in item.data().iter().enumerate() {
                    found[item.offset as usize + i] = Some(*octet);
                }
            }
            prop_assert_eq!(found, model);
            prop_assert_eq!(budget.used(), 0);
        }
    }
}
