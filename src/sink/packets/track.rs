//! `--track`: where the octets of a packet that is written stood in the input.
//!
//! ```text
//!  track: 12:66+1448 14:66+952 lost+100 17:70+20
//! ```
//!
//! The octets of the message, or of its part that the packet is for, with a space between runs: number of the input's
//! packet, from 1, offset in it, length. `?` stands for an offset that is not known, `lost` for octets that no packet
//! brought; what stands behind those is listed, though a packet of one message leaves it out.

use crate::base::context::Context;
use crate::base::place::RecordSpan;
use crate::base::state::{Deserialize, Serialize};
use crate::transport::sctp::UserMessage;
use std::collections::VecDeque;
use std::fmt::Write as _;

/// Runs that are kept of one stream, 2 MiB at most; the oldest are dropped. At 1,460 octets a segment they cover 90 MiB.
const RUNS: usize = 1 << 16;
/// Octets before what comes that are kept where no message is open: a header may still be held.
// Twice the largest header section that is held, and what is held of the other direction with it.
const BEHIND: u64 = 512 << 10;

/// What is known of one stream.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Track {
    /// Offset in the stream, and place; in order.
    runs: VecDeque<(u64, RecordSpan)>,
    /// Offset behind the last octet.
    end: u64,
    /// Octets that the budget knows of.
    counted: usize,
}

impl Track {
    /// No place is kept, nor room for one.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.capacity() == 0
    }

    /// Octets at `offset` come next; they may begin with octets that are known already.
    pub(super) fn add(&mut self, cx: &mut Context, offset: u64, place: RecordSpan) {
        // Retransmissions and what is walked again bring known octets first.
        let known = self.end.saturating_sub(offset).min(place.len);
        let rest = place.len - known;
        if rest == 0 {
            return;
        }
        // A gap in the notes shows as `lost` in a comment; the messages themselves are not touched.
        if self.runs.len() >= RUNS {
            self.runs.pop_front();
        }
        let skipped = u32::try_from(known).unwrap_or(u32::MAX);
        let place = RecordSpan {
            at: place.at.map(|at| at.saturating_add(skipped)),
            len: rest,
            ..place
        };
        self.runs.push_back((offset + known, place));
        self.end = offset + known + rest;
        let now = self.runs.capacity() * size_of::<(u64, RecordSpan)>();
        cx.budget.rebook(&mut self.counted, now);
    }

    /// No octet before this offset will be written.
    pub(super) fn forget(&mut self, before: u64) {
        while let Some((offset, place)) = self.runs.front()
            && offset + place.len <= before
        {
            self.runs.pop_front();
        }
    }

    /// Octets far before what was added last will not be written: no message is open that they belong to.
    pub(super) fn forget_old(&mut self) {
        self.forget(self.end.saturating_sub(BEHIND));
    }

    /// Gives back what was counted.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        cx.budget.give(self.counted);
        *self = Self::default();
    }

    /// Where the octets of this range stood.
    pub(super) fn text(&self, from: u64, to: u64) -> String {
        let mut text = TrackText::default();
        let mut next = from;
        // Binary search: each packet of a long train asks again.
        let first = self
            .runs
            .partition_point(|(offset, p)| offset + p.len <= from);
        for (offset, place) in self.runs.range(first..) {
            if *offset >= to {
                break;
            }
            // Between two runs nothing was captured.
            if *offset > next {
                text.lost(offset - next);
            }
            let start = (*offset).max(from);
            let stop = (offset + place.len).min(to);
            let inside = u32::try_from(start - offset).unwrap_or(u32::MAX);
            text.place(RecordSpan {
                at: place.at.map(|at| at.saturating_add(inside)),
                len: stop - start,
                ..*place
            });
            next = stop;
        }
        if next < to {
            text.lost(to - next);
        }
        text.0
    }
}

/// Where `len` octets of a user message stood, from `from` on.
pub(super) fn user_message(message: &UserMessage<'_>, from: usize, len: usize) -> String {
    let (from, to) = (from as u64, (from + len) as u64);
    let mut track = Track::default();
    let mut offset = 0;
    for place in message.places {
        track.runs.push_back((offset, *place));
        offset += place.len;
    }
    track.text(from, to)
}

/// The comment in the making.
#[derive(Default)]
pub(super) struct TrackText(String);

impl TrackText {
    fn begin(&mut self) {
        self.0
            .push_str(if self.0.is_empty() { "track: " } else { " " });
    }

    /// Octets that stood there.
    pub(super) fn place(&mut self, place: RecordSpan) {
        self.begin();
        // Writing to a string does not fail.
        let _ = match place.at {
            Some(at) => write!(self.0, "{}:{at}+{}", place.frame, place.len),
            None => write!(self.0, "{}:?+{}", place.frame, place.len),
        };
    }

    /// Octets that no packet brought.
    pub(super) fn lost(&mut self, len: u64) {
        self.begin();
        let _ = write!(self.0, "lost+{len}");
    }

    /// The comment.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;

    #[test]
    fn ranges_are_written_run_by_run() {
        let mut cx = Context::new(Limits::default());
        let mut track = Track::default();
        let place = |frame, at, len| RecordSpan { frame, at, len };
        track.add(&mut cx, 100, place(1, Some(54), 10));
        // A segment that comes again, with more behind it.
        track.add(&mut cx, 105, place(2, Some(54), 15));
        track.add(&mut cx, 130, place(4, None, 10));
        assert_eq!(
            track.text(103, 145),
            "track: 1:57+7 2:59+10 lost+10 4:?+10 lost+5"
        );
        track.forget(110);
        assert_eq!(track.text(100, 120), "track: lost+10 2:59+10");
        track.forget_old();
        assert!(cx.budget.used() > 0);
        track.clear(&mut cx);
        assert_eq!(cx.budget.used(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut cx = Context::new(Limits::default());
        let mut track = Track::default();
        for i in 0..RUNS as u64 + 10 {
            let (frame, at, len) = (i, Some(0), 1);
            track.add(&mut cx, i, RecordSpan { frame, at, len });
        }
        assert_eq!(track.text(8, 12), "track: lost+2 10:0+1 11:0+1");
    }
}
