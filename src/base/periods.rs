//! Periods of capture time, at whose ends something is written.

use super::time::{CaptureClock, Timestamp};
use crate::base::state::{Deserialize, Serialize};
use std::time::Duration;

/// Periods of one length. The first begins with the first packet, and each later one where the last has ended; those in which
/// nothing was captured are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Periods {
    length: Duration,
    clock: CaptureClock,
    /// When the period began.
    start: Option<Timestamp>,
}

impl Periods {
    /// Periods of this length.
    pub fn new(length: Duration) -> Self {
        Self {
            length,
            clock: CaptureClock::default(),
            start: None,
        }
    }

    /// Goes on with the period of an earlier run, whatever its length was to be.
    pub fn go_on(&mut self, before: Self) {
        (self.clock, self.start) = (before.clock, before.start);
    }

    /// A packet of this time comes next: true where it belongs to another period, so that the one that ends has to be
    /// written first, and [`Periods::end`] be called.
    pub fn is_over(&mut self, next: Timestamp) -> bool {
        self.clock.observe(next);
        let latest = self.clock.latest();
        let start = *self.start.get_or_insert(latest);
        latest.since(start) >= self.length || latest < start
    }

    /// Ends the period in front of the packet that [`Periods::is_over`] was called with: its beginning and end.
    pub fn end(&mut self) -> (Timestamp, Timestamp) {
        let latest = self.clock.latest();
        let start = self.start.unwrap_or(latest);
        // The new one begins where a period would that follows the old one without a break; after a step back, at once.
        let periods = latest
            .since(start)
            .as_nanos()
            .checked_div(self.length.as_nanos());
        let skipped = periods
            .and_then(|n| u32::try_from(n).ok())
            .and_then(|n| self.length.checked_mul(n));
        self.start = match skipped {
            Some(time) if latest >= start => Some(after(start, time)),
            _ => Some(latest),
        };
        (start, after(start, self.length))
    }

    /// Beginning and end of the period that the end of the input cuts short; None where there was no packet.
    pub fn last(&self) -> Option<(Timestamp, Timestamp)> {
        let start = self.start?;
        Some((start, self.clock.latest().max(start)))
    }
}

fn after(start: Timestamp, time: Duration) -> Timestamp {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_nanos(start.as_nanos().saturating_add(nanos))
}
