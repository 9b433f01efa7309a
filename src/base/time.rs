//! Time as the capture has it; nothing here knows the clock of the machine.
//!
//! Two kinds of time are kept apart. A [`Timestamp`] is what a packet record says and what is written and shown. An
//! [`Instant`] is the age clock that time-outs follow: it never goes back, and a jump of the capture's time does not
//! age anything.

use crate::base::state::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

/// A point in time as a packet record says it: nanoseconds since 1970-01-01 00:00:00 UTC.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Nanoseconds past the whole second.
    pub const fn subsec_nanos(self) -> u32 {
        // Lossless: a remainder below 10^9.
        #[allow(clippy::cast_possible_truncation)]
        {
            (self.0 % 1_000_000_000) as u32
        }
    }

    /// So much later; the latest that there is, where it would be past it.
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(nanos(time)))
    }

    /// The time from `earlier` to `self`, zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The seconds from one time to another, with six digits behind the point: below 0 where it lies before it, since packets are captured
/// in any order, and messages end in any.
#[cfg(feature = "sink")] // for outputs
pub(crate) fn seconds_from(from: Timestamp, to: Timestamp) -> String {
    let (sign, span) = if to < from {
        ("-", from.since(to))
    } else {
        ("", to.since(from))
    };
    format!("{sign}{}.{:06}", span.as_secs(), span.subsec_micros())
}

impl fmt::Display for Timestamp {
    /// In UTC, as RFC 3339 writes it, with nanoseconds.
    ///
    /// ```
    /// use inet_asm::base::time::Timestamp;
    ///
    /// let time = Timestamp::from_nanos(1_795_255_200_123_456_789);
    /// assert_eq!(time.to_string(), "2026-11-21T10:00:00.123456789Z");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = date_and_time(*self, b'T');
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// `YYYY-MM-DD` and `HH:MM:SS.nanosecondsZ`, with an octet between them. Digit by digit: an object of JSON has three, and
/// with `write!` they cost more than all the rest of it. Years have four digits, as a timestamp ends in 2554.
#[allow(clippy::cast_possible_truncation)] // digits
pub(crate) fn date_and_time(time: Timestamp, between: u8) -> [u8; 30] {
    let (days, secs) = (time.secs() / 86_400, time.secs() % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00 00:00:00.000000000Z";
    text[10] = between;
    let nanos = u64::from(time.subsec_nanos());
    for (two, at) in [
        (year / 100, 0),
        (year % 100, 2),
        (month, 5),
        (day, 8),
        (secs / 3600, 11),
        (secs / 60 % 60, 14),
        (secs % 60, 17),
        (nanos / 10_000_000, 20),
        (nanos / 100_000 % 100, 22),
        (nanos / 1_000 % 100, 24),
        (nanos / 10 % 100, 26),
    ] {
        // Below 100 each.
        text[at] += (two / 10) as u8;
        text[at + 1] += (two % 10) as u8;
    }
    text[28] += (nanos % 10) as u8;
    text
}

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from 1 March, so that the leap day is the
/// last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// A point on the age clock, in nanoseconds; only differences mean anything. One that may be there or not takes no more room:
/// connections keep many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Instant(NonZeroU64);

impl Default for Instant {
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl Instant {
    /// From nanoseconds of age; the clock ends after 584 years.
    pub const fn from_nanos(nanos: u64) -> Self {
        // Never zero, so that an `Option` of it takes no more room.
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds of age.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// `self` and `wait` later, at the clock's end at most.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(nanos(wait)))
    }

    /// `self` and `wait` earlier, at the clock's beginning at least.
    pub fn before(self, wait: Duration) -> Self {
        Self::from_nanos(self.as_nanos().saturating_sub(nanos(wait)))
    }

    /// The time from `earlier` to `self`, zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

/// A duration in nanoseconds, 584 years at most.
fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// A step of time that is too large to be believed at once.
// An hour is the default idle limit: a step below it ends nothing by itself, and a card's clock is
// rarely set back or forward by so much.
pub(super) const JUMP: u64 = 3_600 * 1_000_000_000;
/// How long the age clock waits for timestamps that are behind it, at most.
// No pipe holds packets back for longer. A clock that is 100 ppm fast would have the age clock wait for a second more with each three
// hours of silence.
const AHEAD: u64 = 60 * 1_000_000_000;
/// Packets that have to agree with a jump before it is taken.
// With one, a single damaged record would age all connections at once. Sixteen that agree are a
// real change of time.
pub(super) const WITNESSES: u32 = 16;

/// The age clock: follows the highest timestamp, and is not misled by a single wrong one.
///
/// A jump of more than an hour, either way, is taken only when the next 16 packets agree with it, and then ages
/// nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CaptureClock {
    started: bool,
    /// The highest timestamp that was believed.
    top: u64,
    /// Age at `top`, with what has been added for silence.
    age: u64,
    /// What has been added for silence, and no later timestamp has caught up with.
    ahead: u64,
    /// Where a jump leads to, and how many packets have agreed with it.
    jump: Option<(u64, u32)>,
}

impl CaptureClock {
    /// Takes the timestamp of one packet and gives the age clock's time.
    pub fn observe(&mut self, time: Timestamp) -> Instant {
        let t = time.0;
        if !self.started {
            self.started = true;
            self.top = t;
        } else if t.abs_diff(self.top) <= JUMP
            || t.abs_diff(self.top.saturating_add(self.ahead)) <= JUMP
        {
            // Both ways: a small step back is reordering, and the clock then just waits. Behind a long silence the time may have
            // moved by that.
            self.jump = None;
            if t > self.top {
                let moved = t - self.top;
                self.age = self.age.saturating_add(moved.saturating_sub(self.ahead));
                self.ahead = self.ahead.saturating_sub(moved).min(AHEAD);
                self.top = t;
            }
        } else {
            let (to, seen) = match self.jump {
                // Witnesses may themselves be spread over an hour: they need not be equal, only
                // together.
                Some((to, seen)) if t.abs_diff(to) <= JUMP => (to.max(t), seen + 1),
                _ => (t, 0),
            };
            self.jump = Some((to, seen));
            if seen >= WITNESSES {
                // The clock goes on from there without ageing anything: nobody knows how long it
                // really was.
                self.top = to;
                self.jump = None;
                self.ahead = 0;
            }
        }
        Instant::from_nanos(self.age)
    }

    /// Nothing was captured for so long, by another clock, which need not agree with that of the capture: the age clock goes on
    /// alone, and waits for the timestamps where they turn out to be behind it.
    pub fn pass(&mut self, silence: Duration) -> Instant {
        if self.started {
            let silence = u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX);
            self.ahead = self.ahead.saturating_add(silence);
            self.age = self.age.saturating_add(silence);
        }
        Instant::from_nanos(self.age)
    }

    /// The highest timestamp that is believed.
    pub fn latest(&self) -> Timestamp {
        Timestamp(self.top)
    }

    /// The age clock's time now.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn follows_the_highest_timestamp() {
        let mut c = CaptureClock::default();
        assert_eq!(c.observe(Timestamp(100 * S)), Instant::from_nanos(0));
        assert_eq!(c.observe(Timestamp(102 * S)), Instant::from_nanos(2 * S));
        assert_eq!(c.observe(Timestamp(101 * S)), Instant::from_nanos(2 * S));
        assert_eq!(c.observe(Timestamp(103 * S)), Instant::from_nanos(3 * S));
    }

    /// A capture's clock that runs slower or faster than the one that silence is measured by: after each silence the age clock moves
    /// with the capture again, however long it was, and never back.
    #[test]
    fn clocks_may_differ() {
        for (slower, faster) in [(1_u64, 1), (9, 10), (10, 9), (1, 2), (2, 1), (9999, 10_000)] {
            let (mut c, mut time, mut aged) = (CaptureClock::default(), 1000 * S, 0);
            c.observe(Timestamp(time));
            for hours in [0, 1, 3, 30, 3, 200, 1] {
                // So many hours by the clock of the machine, looked at each 10 s.
                for _ in 0..hours * 360 {
                    c.pass(Duration::from_secs(10));
                }
                time += hours * 3600 * S / slower * faster;
                // Two minutes of packets, each a second behind the one before.
                let before = c.now();
                for _ in 0..120 {
                    time += S;
                    let now = c.observe(Timestamp(time)).as_nanos();
                    assert!(now >= aged, "{slower}/{faster}");
                    aged = now;
                }
                let moved = c.now().since(before);
                // Where the two differ by more than an hour it is a jump, which ages nothing.
                assert!(
                    moved >= Duration::from_secs(59),
                    "{slower}/{faster} {hours} h: {moved:?}"
                );
            }
        }
    }

    #[test]
    fn silence_is_time_once() {
        let mut c = CaptureClock::default();
        // Before the first packet there is nothing that could wait.
        assert_eq!(c.pass(Duration::from_secs(9)), Instant::from_nanos(0));
        c.observe(Timestamp(100 * S));
        assert_eq!(c.pass(Duration::from_secs(5)), Instant::from_nanos(5 * S));
        // The capture's clock says that it was less: the age clock waits for it.
        assert_eq!(c.observe(Timestamp(103 * S)), Instant::from_nanos(5 * S));
        assert_eq!(c.observe(Timestamp(105 * S)), Instant::from_nanos(5 * S));
        assert_eq!(c.observe(Timestamp(106 * S)), Instant::from_nanos(6 * S));
        // Or more.
        c.pass(Duration::from_secs(1));
        assert_eq!(c.observe(Timestamp(110 * S)), Instant::from_nanos(10 * S));
        assert_eq!(c.latest(), Timestamp(110 * S));
    }

    #[test]
    fn one_wrong_timestamp_moves_nothing() {
        let mut c = CaptureClock::default();
        c.observe(Timestamp(100 * S));
        assert_eq!(c.observe(Timestamp(1_000_000 * S)), Instant::from_nanos(0));
        assert_eq!(c.observe(Timestamp(101 * S)), Instant::from_nanos(S));
    }

    #[test]
    fn a_jump_that_is_confirmed_ages_nothing() {
        for to in [1_000_000 * S, 5 * S] {
            let mut c = CaptureClock::default();
            c.observe(Timestamp(50_000 * S));
            for i in 0..=16 {
                assert_eq!(c.observe(Timestamp(to + i)), Instant::from_nanos(0));
            }
            assert_eq!(c.observe(Timestamp(to + 16 + S)), Instant::from_nanos(S));
        }
    }
}
