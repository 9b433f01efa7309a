//! Periods of capture time, at whose ends something is written.

use super::time::{JUMP, Timestamp, WITNESSES};
use crate::base::state::{Deserialize, Serialize};
use std::time::Duration;

/// Periods of one length. The first begins with the first packet, and each later one where the last has ended; those in which
/// nothing was captured are passed over, and [`Periods::silent`] has them.
// By timestamps, not by the age clock: that one stands still over a leap, and what is counted behind it belongs to another
// period all the same. A single wrong timestamp costs two rows, one that ends early and one of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Periods {
    length: Duration,
    /// When the period began.
    start: Option<Timestamp>,
    /// The highest timestamp in it.
    latest: Timestamp,
    /// The packet that comes next, and how many in a row are far earlier than the period.
    next: Timestamp,
    earlier: u32,
}

impl Periods {
    /// Periods of this length.
    pub fn new(length: Duration) -> Self {
        Self {
            length,
            start: None,
            latest: Timestamp::default(),
            next: Timestamp::default(),
            earlier: 0,
        }
    }

    /// Goes on with the period of an earlier run, whatever its length was to be.
    pub fn go_on(&mut self, before: Self) {
        *self = Self {
            length: self.length,
            ..before
        };
    }

    /// A packet of this time comes next: true where it belongs to another period, so that the one that ends has to be
    /// written first, and [`Periods::end`] be called.
    pub fn is_over(&mut self, next: Timestamp) -> bool {
        let start = *self.start.get_or_insert(next);
        self.next = next;
        if start.since(next) > Duration::from_nanos(JUMP) {
            // Two channels whose clocks differ would end a period with each packet: only many that agree are a step back.
            self.earlier = self.earlier.saturating_add(1);
            return self.earlier > WITNESSES;
        }
        self.earlier = 0;
        if next.since(start) >= self.length {
            return true;
        }
        // A little earlier is another order.
        self.latest = self.latest.max(next).max(start);
        false
    }

    /// Ends the period in front of the packet that [`Periods::is_over`] was called with: its beginning and end.
    pub fn end(&mut self) -> (Timestamp, Timestamp) {
        let next = self.next;
        let start = self.start.unwrap_or(next);
        // The new one begins where a period would that follows the old one without a break; after a step back, at once.
        let into = next
            .since(start)
            .as_nanos()
            .checked_rem(self.length.as_nanos());
        let into = into.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let begin = Timestamp::from_nanos(next.as_nanos().saturating_sub(into));
        (self.start, self.latest, self.earlier) = (Some(begin), next, 0);
        (start, start.after(self.length))
    }

    /// The periods without a packet between the end of the last one and the beginning of this one, as beginnings and ends. More than `most`
    /// are one.
    pub fn silent(&self, from: Timestamp, most: u64) -> Vec<(Timestamp, Timestamp)> {
        let begin = self.start.unwrap_or(from);
        let length = self.length.as_nanos().max(1);
        let many = begin.since(from).as_nanos() / length;
        match u64::try_from(many) {
            Ok(0) => Vec::new(),
            Ok(many) if many <= most => {
                let ends = (0..many).scan(from, |at, _| {
                    let start = std::mem::replace(at, at.after(self.length));
                    Some((start, *at))
                });
                ends.collect()
            }
            _ => vec![(from, begin)],
        }
    }

    /// Beginning and end of the period that the end of the input cuts short; None where there was no packet.
    pub fn last(&self) -> Option<(Timestamp, Timestamp)> {
        let start = self.start?;
        Some((start, self.latest.max(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    /// Begin and packets of each period.
    fn periods(length: u64, times: impl IntoIterator<Item = u64>) -> Vec<(u64, u32)> {
        let mut periods = Periods::new(Duration::from_secs(length));
        let (mut all, mut packets) = (Vec::new(), 0);
        for time in times {
            if periods.is_over(at(time)) {
                all.push((periods.end().0.secs(), packets));
                packets = 0;
            }
            packets += 1;
        }
        all.extend(periods.last().map(|(start, _)| (start.secs(), packets)));
        all
    }

    #[test]
    fn a_silence_of_any_length_ends_a_period() {
        for silence in [3_500, 3_700, 100_000] {
            let behind = 1_000 + 9 * 30 + silence;
            let first = (0..10).map(|n| 1_000 + n * 30);
            let second = (0..25).map(|n| behind + n * 30);
            let all = periods(300, first.chain(second));
            assert_eq!(all[0], (1_000, 10), "{silence}");
            let begin = behind - (behind - 1_000) % 300;
            assert_eq!(all[1].0, begin, "{silence}");
            assert_eq!(all[1..].iter().map(|p| p.1).sum::<u32>(), 25);
            assert!(all.len() >= 4 && all[1..].iter().all(|p| p.1 <= 10));
        }
        let sparse = periods(3_600, (0..35).map(|n| 1_000 + n * 7_200));
        assert_eq!(sparse.len(), 35);
    }

    #[test]
    fn periods_without_packets_are_known() {
        let silent = |next: u64, most: u64| {
            let mut periods = Periods::new(Duration::from_secs(60));
            assert!(!periods.is_over(at(1_000)));
            assert!(periods.is_over(at(next)));
            let (_, end) = periods.end();
            let silent = periods.silent(end, most).into_iter();
            silent
                .map(|(a, b)| (a.secs(), b.secs()))
                .collect::<Vec<_>>()
        };
        assert_eq!(silent(1_060, 5), []);
        assert_eq!(silent(1_119, 5), []);
        assert_eq!(silent(1_120, 5), [(1_060, 1_120)]);
        assert_eq!(
            silent(1_250, 5),
            [(1_060, 1_120), (1_120, 1_180), (1_180, 1_240)]
        );
        assert_eq!(silent(1_250, 2), [(1_060, 1_240)]);
        assert_eq!(silent(u64::MAX / 1_000_000_000, 1_000).len(), 1);
    }

    #[test]
    fn wrong_timestamps_cost_few_rows() {
        // One that is far ahead.
        let one = (0..100).map(|n| if n == 50 { 9_000_000 } else { 10_000 + n });
        assert_eq!(periods(300, one).len(), 3);
        // One that is far behind, and another order.
        let back = (0..100).map(|n| 10_000 + n - if n == 50 { 9_000 } else { n % 3 });
        assert_eq!(periods(300, back), [(10_000, 100)]);
        // Two clocks.
        let two = (0..100).map(|n| 10_000 + n + n % 2 * 50_000);
        assert_eq!(periods(300, two).len(), 2);
        // A clock that was set back, for good.
        let set = (0..100).map(|n| 90_000 + n - if n < 50 { 0 } else { 80_000 });
        let all = periods(300, set);
        assert_eq!(all.iter().map(|p| p.1).collect::<Vec<_>>(), [66, 34]);
    }
}
