//! Octets that are held while nobody can tell what they are: where each of them came from, where runs end in them, and how far
//! each row of the table has looked. Plain data.
//!
//! A run is what ends with PSH or where the other side goes on. Its end is known when it comes, whatever is held, so that a
//! message of no known protocol is the same run whether or not something was looked for in it.

use super::framing::Found;
use super::held_part::{ChunkOrigin, HeldPart, part_at};
use crate::base::limits::Limits;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, allocated};
use crate::base::stream::Chunk;
use crate::base::time::Instant;
use memchr::memchr;
use std::time::Duration;

/// Pieces of segments that are held apart, at most. Behind that the octets of a run are one piece, and where each ends a run
/// they are let go.
pub(super) const MOST_PARTS: usize = 4096;

/// Room for octets that are held, where there is none for those that come: what is held of a stream that is searched mostly becomes
/// as much as is held at most, and doubling would copy each of them three times.
const ROOMS: [usize; 2] = [64 << 10, 320 << 10];
/// Of fewer octets than this room is doubled: most are let go soon.
const SMALL: usize = 8 << 10;

/// Octets behind which a row is asked again that has found nothing. Those of a run that is shorter wait for the next one, an
/// answer or a pause.
// With one, a stream that comes octet by octet costs a question to each row for each of them.
const STEP: usize = 8;

/// How many times the time that reordering takes a chain of headers waits for its next one.
// A second for the hole and this together are the longest that a message waits behind a loss.
const LATE: u32 = 5;

/// Octets that were taken but not pushed to the sink yet.
///
/// What is used up stays in front until it is half of all, so that octets which go one by one cost no more than others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HeldOctets {
    octets: Vec<u8>,
    parts: Vec<HeldPart>,
    /// Offsets at which segments begin in them.
    segments: Vec<u64>,
    /// How many are used up, of each.
    gone: [usize; 3],
    /// When the last of them came.
    since: Instant,
    /// Since when the first of them waits.
    begun: Instant,
    /// They have been let go as far as that was possible, and nothing came since.
    paused: bool,
    /// Where the other side has gone on last.
    turned: u64,
    /// Octets that the budget knows of.
    counted: usize,
}

impl HeldOctets {
    /// The octets of a chunk from `used` on.
    pub(super) fn rest_of(chunk: &Chunk<'_>, used: usize, part: HeldPart, now: Instant) -> Self {
        let offset = chunk.offset + used as u64;
        Self {
            octets: chunk.data[used..].to_vec(),
            parts: vec![HeldPart {
                offset,
                answers: part.answers && used == 0,
                begins: part.begins && used == 0,
                ..part
            }],
            segments: if used == 0 { vec![offset] } else { Vec::new() },
            gone: [0; 3],
            since: now,
            begun: now,
            paused: false,
            turned: 0,
            counted: 0,
        }
    }

    /// The other side goes on where they end, at this offset: whether that is another place than before.
    pub(super) const fn turn(&mut self, end: u64) -> bool {
        let before = std::mem::replace(&mut self.turned, end);
        before != end
    }

    /// They came so long ago: what the hole in front of them has taken of more than its second is taken from the time that they are
    /// given here.
    pub(super) fn has_waited(&mut self, waited: Duration, limits: &Limits) {
        let longer = waited.saturating_sub(limits.reorder_alone);
        // What else waited behind the hole comes with the same packet.
        let longer = longer.min(limits.reorder_time * (LATE - 1));
        let nanos = u64::try_from(longer.as_nanos()).unwrap_or(0);
        self.begun = Instant::from_nanos(self.begun.as_nanos().saturating_sub(nanos));
    }

    /// The budget is to know of them.
    pub(super) fn count(&mut self, budget: &mut Budget) {
        self.counted = self.size();
        budget.take(self.counted);
    }

    /// The budget is to forget what it knows of them.
    pub(super) fn uncount(&mut self, budget: &mut Budget) {
        budget.give(std::mem::take(&mut self.counted));
    }

    /// Octets allocated.
    const fn size(&self) -> usize {
        let segments = self.segments.capacity() * size_of::<u64>();
        let parts = self.parts.capacity() * size_of::<HeldPart>();
        allocated(size_of::<Self>())
            + allocated(self.octets.capacity())
            + allocated(segments)
            + allocated(parts)
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(self.gone[0]..).unwrap_or_default()
    }

    pub(super) fn parts(&self) -> &[HeldPart] {
        self.parts.get(self.gone[1]..).unwrap_or_default()
    }

    pub(super) fn segments(&self) -> &[u64] {
        self.segments.get(self.gone[2]..).unwrap_or_default()
    }

    /// When they are let go though nothing more comes. Behind PSH nothing has to come, but where the last segment has none,
    /// the rest of what was sent with it may be on its way, sent again.
    pub(super) fn until(&self, limits: &Limits) -> Instant {
        let pushed = self.parts.last().is_some_and(|part| part.ends);
        let patience = match pushed {
            true => limits.look_behind_time,
            false => limits.look_behind_time.max(limits.tcp_packet_timeout),
        };
        self.since.after(patience)
    }

    /// Since when what is looked for in them has waited for more long enough: the hole before it may have taken its second
    /// already.
    pub(super) fn late(&self, limits: &Limits) -> Instant {
        self.begun.after(limits.reorder_time * LATE)
    }

    /// When they have waited long enough, however much comes: together with the time for which the start of a stream is looked
    /// behind, or a hole is waited for, that is a second, and a tenth of one for a chain.
    pub(super) fn enough(&self, limits: &Limits, lossy: bool) -> Instant {
        match lossy {
            true => self.late(limits),
            false => {
                let behind = limits.reorder_alone.saturating_sub(limits.look_behind_time);
                self.begun.after(behind)
            }
        }
    }

    /// When they are looked through though nothing more comes, if they were not yet.
    pub(super) fn look(&self, limits: &Limits) -> Option<Instant> {
        (!self.paused).then(|| self.late(limits))
    }

    /// They were looked through though nothing more came.
    pub(super) const fn pause(&mut self) {
        self.paused = true;
    }

    /// Where the last of them came from.
    pub(super) fn last_origin(&self, or: ChunkOrigin) -> ChunkOrigin {
        self.parts.last().map_or(or, |part| part.origin)
    }

    /// A chunk follows them.
    pub(super) fn push(&mut self, chunk: &Chunk<'_>, part: HeldPart, now: Instant) {
        let all = self.octets.len() + chunk.data.len();
        if all > self.octets.capacity().max(SMALL)
            && let Some(room) = ROOMS.iter().find(|room| **room >= all)
        {
            self.octets.reserve_exact(room - self.octets.len());
        }
        self.octets.extend_from_slice(chunk.data);
        (self.since, self.paused) = (now, false);
        let many = self.parts().len() >= MOST_PARTS;
        match self.parts.last_mut() {
            Some(last) if many && !last.ends => last.ends = part.ends,
            _ => {
                self.parts.push(part);
                self.segments.push(chunk.offset);
            }
        }
    }

    /// The chunk that was pushed last, behind the first `before` octets, is not taken yet.
    pub(super) fn pull(&mut self, before: usize, part: HeldPart) {
        self.octets.truncate(self.gone[0] + before);
        if self.parts.last().is_some_and(|p| p.offset == part.offset) {
            self.parts.pop();
            self.segments.pop();
        }
    }

    /// The run ends with the last of them.
    pub(super) fn end_run(&mut self) {
        if let Some(last) = self.parts.last_mut() {
            last.ends = true;
        }
    }

    /// A run ends in front of the octet at an offset, if a segment begins with it.
    pub(super) fn end_run_at(&mut self, offset: u64) {
        let next = self.parts.partition_point(|part| part.offset < offset);
        let begins = self
            .parts
            .get(next)
            .is_some_and(|part| part.offset == offset);
        if begins
            && next > self.gone[1]
            && let Some(part) = self.parts.get_mut(next - 1)
        {
            part.ends = true;
        }
    }

    /// The first `n` octets are done with: the others begin at `offset`.
    pub(super) fn used(&mut self, n: usize, offset: u64) {
        let part = part_at(self.parts(), offset).unwrap_or(0);
        let segments = self.segments().partition_point(|at| *at < offset);
        if n > 0 {
            self.begun = self.since;
        }
        self.gone[0] += n;
        self.gone[1] += part;
        self.gone[2] += segments;
        if let Some(first) = self.parts.get_mut(self.gone[1])
            && first.offset < offset
        {
            (first.offset, first.answers, first.begins) = (offset, false, false);
        }
        let [octets, parts, segments] = self.gone;
        if octets > self.octets.len() / 2 {
            self.octets.drain(..octets);
            self.gone[0] = 0;
        }
        if parts > self.parts.len() / 2 {
            self.parts.drain(..parts);
            self.gone[1] = 0;
        }
        if segments > self.segments.len() / 2 {
            self.segments.drain(..segments);
            self.gone[2] = 0;
        }
    }
}

/// How far one row has looked.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct RowOutlook {
    /// Nothing begins before this offset.
    keep: u64,
    /// It is of no use to ask again before the octets reach this offset.
    again: u64,
    /// Where it has found a beginning, while another row still wants to see what stands before that.
    found: Option<u64>,
    /// It is asked, and whether a port hints at it.
    hinted: Option<bool>,
    /// A line feed among those that come is worth a look.
    lines: bool,
}

impl RowOutlook {
    /// It is not asked again at all.
    const NO: Self = Self {
        keep: u64::MAX,
        again: u64::MAX,
        found: None,
        hinted: None,
        lines: false,
    };
}

/// What all rows together have said.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct SearchOutcome {
    /// The octets began here.
    offset: u64,
    /// No more octets were to come: what was cut by their end is no beginning.
    last: bool,
    /// Nothing begins before this offset.
    keep: u64,
    /// None of them needs to be asked again before the octets reach this offset.
    again: u64,
}

/// How far each row has looked for a beginning in one stream; in front the framer that the stream has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outlook {
    /// In a search for a beginning anywhere. Made when it is needed, as the other.
    rows: Vec<RowOutlook>,
    /// Of a beginning with the first octet.
    firsts: Vec<RowOutlook>,
    /// How many rows there are.
    count: usize,
    /// Offset up to which line feeds have been looked for.
    upto: u64,
    /// There is one in what came last.
    line: bool,
    /// Offset at which the message was to begin that is asked for, where it begins with the first octet.
    start: u64,
    /// What the last search of all rows came to, where it found nothing.
    outcome: Option<SearchOutcome>,
    /// Octets that the budget knows of.
    counted: usize,
}

impl Outlook {
    /// Of so many rows that have looked at nothing.
    pub(super) fn new(count: usize) -> Self {
        Self {
            rows: Vec::new(),
            firsts: Vec::new(),
            count,
            upto: 0,
            line: false,
            start: 0,
            outcome: None,
            counted: 0,
        }
    }

    /// A search among the octets that were shown last would come to what it came to before: nothing begins before the place
    /// given. So octets that come one by one do not cost a question to each row.
    pub(super) fn known(&self, octets: &[u8], offset: u64, last: bool) -> Option<usize> {
        let outcome = self.outcome?;
        let end = offset + octets.len() as u64;
        let within = (outcome.offset..=outcome.keep).contains(&offset);
        let known = match last {
            true => outcome.last && outcome.keep >= end,
            false => end < outcome.again && !self.line,
        };
        let keep = usize::try_from(outcome.keep.checked_sub(offset)?).unwrap_or(usize::MAX);
        (within && known).then(|| keep.min(octets.len()))
    }

    /// All rows have been asked, and found nothing before `keep` in the octets that begin at `offset`.
    pub(super) fn conclude(&mut self, offset: u64, keep: usize, last: bool) {
        let again = self.rows.iter().map(|row| row.again);
        self.outcome = Some(SearchOutcome {
            offset,
            last,
            keep: offset + keep as u64,
            again: again.min().unwrap_or(0),
        });
    }

    /// Whether a port hints at a row, where that is known: ports do not change, and the question costs more than most looks.
    pub(super) fn hinted(&self, row: usize) -> Option<bool> {
        self.rows.get(row)?.hinted
    }

    /// A row is asked in this search.
    pub(super) fn take_in(&mut self, row: usize, hinted: bool) {
        if let Some(row) = self.rows.get_mut(row) {
            row.hinted = Some(hinted);
        }
    }

    /// A row is not asked in this search.
    pub(super) fn leave_out(&mut self, row: usize) {
        if let Some(row) = self.rows.get_mut(row) {
            *row = RowOutlook::NO;
        }
    }

    /// The framer that the stream has goes on elsewhere, and may find what it has not found.
    pub(super) fn forget_home(&mut self) {
        if let Some(home) = self.rows.first_mut() {
            *home = RowOutlook::default();
        }
        self.outcome = None;
        self.firsts.clear();
    }

    /// A row is not asked in this search.
    pub(super) fn leaves_out(&self, row: usize) -> bool {
        self.rows.get(row).is_none_or(|row| row.keep == u64::MAX)
    }

    /// Where in the octets that begin at `offset` a row has to look on, which is not worth asking about those that are there.
    pub(super) fn waits_at(&self, row: usize, octets: &[u8], offset: u64) -> Option<usize> {
        let end = offset + octets.len() as u64;
        if self.is_worth(row, end) {
            return None;
        }
        let keep = self.rows.get(row)?.keep.saturating_sub(offset);
        Some(usize::try_from(keep).map_or(octets.len(), |keep| keep.min(octets.len())))
    }

    /// The budget is to know of it.
    pub(super) fn count(&mut self, budget: &mut Budget) {
        self.counted = self.size();
        budget.take(self.counted);
    }

    /// The budget is to forget what it knows of it.
    pub(super) fn uncount(&mut self, budget: &mut Budget) {
        budget.give(std::mem::take(&mut self.counted));
    }

    /// Octets allocated.
    const fn size(&self) -> usize {
        let rows = self.rows.capacity() * size_of::<RowOutlook>();
        let firsts = self.firsts.capacity() * size_of::<RowOutlook>();
        allocated(size_of::<Self>()) + allocated(rows) + allocated(firsts)
    }

    /// The octets are shown, which begin at `offset`.
    pub(super) fn show(&mut self, octets: &[u8], offset: u64) {
        let end = offset + octets.len() as u64;
        let from = usize::try_from(self.upto.saturating_sub(offset)).unwrap_or(usize::MAX);
        let fresh = octets.get(from..).unwrap_or_default();
        self.line = memchr(b'\n', fresh).is_some();
        self.upto = end;
        if self.rows.is_empty() {
            self.rows.resize(self.count, RowOutlook::default());
        }
    }

    /// The same, where a message has to begin with the first of them.
    pub(super) fn show_first(&mut self, octets: &[u8], offset: u64) {
        if self.start != offset || self.firsts.is_empty() {
            self.start = offset;
            self.firsts.clear();
            self.firsts.resize(self.count, RowOutlook::default());
        }
        // A search of the same octets has looked for line feeds already.
        let end = offset + octets.len() as u64;
        if self.upto < end {
            let from = usize::try_from(self.upto.saturating_sub(offset)).unwrap_or(usize::MAX);
            let fresh = octets.get(from..).unwrap_or_default();
            self.line = memchr(b'\n', fresh).is_some();
            self.upto = end;
        }
    }

    /// A row is worth asking about the octets that end at `end`.
    fn is_worth(&self, row: usize, end: u64) -> bool {
        let row = self.rows.get(row);
        row.is_none_or(|row| self.line && row.lines || end >= row.again)
    }

    /// A row is worth asking whether its message begins with the first of the octets that end at `end`: else whether it has
    /// not said no.
    pub(super) fn may_be_first(&self, row: usize, end: u64) -> Result<(), bool> {
        let Some(row) = self.firsts.get(row) else {
            return Ok(());
        };
        match row.again {
            u64::MAX => Err(false),
            again if self.line || end >= again => Ok(()),
            _ => Err(true),
        }
    }

    /// The row has said no, or that so many octets are needed, to the octets that begin at `offset`.
    pub(super) fn note_first(&mut self, row: usize, offset: u64, needs: Option<usize>) {
        if let Some(row) = self.firsts.get_mut(row) {
            row.again = needs.map_or(u64::MAX, |n| offset + n as u64);
        }
    }

    /// Asks a row where in the octets that begin at `offset` something of its own begins. `last`: they will not be more.
    /// `looked` counts the octets that it is shown.
    pub(super) fn look(
        &mut self,
        row: usize,
        octets: &[u8],
        offset: u64,
        last: bool,
        looked: &mut u64,
        search: impl FnOnce(&[u8], usize) -> (Found, usize, bool),
    ) -> Found {
        let end = offset + octets.len() as u64;
        let worth = last || self.is_worth(row, end);
        let Some(memory) = self.rows.get_mut(row) else {
            return Found::Nowhere { keep: octets.len() };
        };
        // Asked again, a framer may not find it again: it remembers what it has passed.
        if let Some(found) = memory.found.and_then(|found| found.checked_sub(offset))
            && let Ok(found) = usize::try_from(found)
            && found < octets.len()
        {
            return Found::At(found);
        }
        let from = usize::try_from(memory.keep.saturating_sub(offset)).unwrap_or(usize::MAX);
        let from = from.min(octets.len());
        let rest = octets.get(from..).unwrap_or_default();
        if !worth || rest.is_empty() {
            return Found::Nowhere { keep: from };
        }
        *looked += rest.len() as u64;
        match search(rest, from) {
            (Found::At(n), ..) => {
                memory.found = Some(offset + (from + n) as u64);
                memory.again = 0;
                Found::At(from + n)
            }
            (Found::Nowhere { keep }, needs, lines) => {
                let keep = from + keep.min(rest.len());
                let needs = if keep < octets.len() {
                    needs
                } else {
                    needs.max(STEP)
                };
                memory.keep = offset + keep as u64;
                memory.again = memory.keep + needs as u64;
                memory.lines = lines;
                Found::Nowhere { keep }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::place::OctetOffset;
    use crate::base::time::Timestamp;
    use crate::message::held_part::run_end;

    fn chunk(offset: u64, data: &[u8], frame: u64, push: bool) -> Chunk<'_> {
        Chunk {
            offset,
            data,
            time: Timestamp::from_nanos(frame),
            frame,
            interface: 0,
            at: OctetOffset::Unknown,
            ack: None,
            push,
            ends_segment: true,
            cut: false,
            sum: None,
            acknowledged: None,
        }
    }

    #[test]
    fn runs_end_where_they_were_sent_to_end() {
        let now = Instant::default();
        let first = chunk(100, b"abcd", 1, false);
        let mut held = HeldOctets::rest_of(&first, 1, HeldPart::of(&first), now);
        for (offset, data, frame, push) in [
            (104, &b"ef"[..], 2, true),
            (106, b"g", 3, false),
            (107, b"hi", 4, true),
            (109, b"j", 5, false),
        ] {
            let next = chunk(offset, data, frame, push);
            held.push(&next, HeldPart::of(&next), now);
        }
        assert_eq!(held.octets(), b"bcdefghij");
        let ends = |held: &HeldOctets, offset| run_end(held.parts(), offset, 110, 110);
        assert_eq!(ends(&held, 101), Some(106));
        assert_eq!(ends(&held, 105), Some(106));
        assert_eq!(ends(&held, 106), Some(109));
        assert_eq!(ends(&held, 109), None);
        let frame = |held: &HeldOctets, offset| {
            let part = part_at(held.parts(), offset).unwrap();
            held.parts()[part].origin.frame
        };
        assert_eq!((frame(&held, 103), frame(&held, 104)), (1, 2));
        held.used(4, 105);
        assert_eq!(held.octets(), b"fghij");
        assert_eq!((ends(&held, 105), frame(&held, 105)), (Some(106), 2));
        assert_eq!(held.segments(), [106, 107, 109]);
        held.end_run_at(108);
        held.end_run_at(107);
        assert_eq!(ends(&held, 106), Some(107));
        held.end_run();
        assert_eq!(ends(&held, 109), Some(110));
        // Octets that go one by one leave nothing behind.
        for n in 0..5 {
            held.used(1, 106 + n);
        }
        assert!(held.octets().is_empty());
    }

    #[test]
    fn a_chunk_that_waits_is_taken_back() {
        let now = Instant::default();
        let first = chunk(10, b"ab", 1, false);
        let mut held = HeldOctets::rest_of(&first, 0, HeldPart::of(&first), now);
        let next = chunk(12, b"cd", 2, true);
        held.push(&next, HeldPart::of(&next), now);
        held.pull(2, HeldPart::of(&next));
        assert_eq!((held.octets(), held.segments()), (&b"ab"[..], &[10][..]));
        assert_eq!(run_end(held.parts(), 10, 12, 12), None);
    }

    #[test]
    fn a_row_is_asked_again_when_there_is_what_it_needs() {
        let octets = [b'x'; 1000];
        let mut outlook = Outlook::new(1);
        let (mut looked, mut asked) = (0, 0);
        for n in 1..=octets.len() {
            outlook.show(&octets[..n], 0);
            outlook.look(0, &octets[..n], 0, false, &mut looked, |_, _| {
                asked += 1;
                (Found::Nowhere { keep: 0 }, 900, true)
            });
        }
        assert_eq!((asked, looked), (102, 1 + (900..=1000).sum::<u64>()));
        // A line feed is always worth a look.
        let mut outlook = Outlook::new(1);
        for octets in [&b"ab"[..], b"abc", b"abc\n", b"abc\nd"] {
            outlook.show(octets, 0);
            asked = 0;
            outlook.look(0, octets, 0, false, &mut looked, |_, _| {
                asked += 1;
                (Found::Nowhere { keep: 0 }, 900, true)
            });
            assert_eq!(asked, usize::from(octets == b"ab" || octets == b"abc\n"));
        }
    }

    #[test]
    fn what_was_found_or_was_not_is_not_looked_for_again() {
        let mut looked = 0;
        let text = b"abcdefghijklmn";
        let mut outlook = Outlook::new(1);
        outlook.show(&text[..6], 0);
        outlook.look(0, &text[..6], 0, false, &mut looked, |_, _| {
            (Found::Nowhere { keep: 2 }, 10, true)
        });
        outlook.conclude(0, 2, false);
        assert_eq!(outlook.known(&text[..7], 0, false), Some(2));
        assert_eq!(outlook.known(&text[1..7], 1, false), Some(1));
        assert_eq!(outlook.known(&text[3..7], 3, false), None, "behind it");
        assert_eq!(outlook.known(&text[..12], 0, false), None, "enough to ask");
        assert_eq!(outlook.known(&text[..7], 0, true), None, "no more to come");
        outlook.conclude(0, 7, true);
        assert_eq!(outlook.known(&text[4..7], 4, true), Some(3));
        outlook.show(b"abcdefgh\n", 0);
        assert_eq!(outlook.known(b"abcdefgh\n", 0, false), None, "a line");

        let mut outlook = Outlook::new(1);
        outlook.show(text, 0);
        for offset in [0, 3, 9] {
            let rest = &text[offset..];
            let found = outlook.look(0, rest, offset as u64, false, &mut looked, |_, _| {
                assert_eq!(offset, 0, "asked once");
                (Found::At(9), 1, true)
            });
            assert_eq!(found, Found::At(9 - offset));
        }
    }
}
