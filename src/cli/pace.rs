//! How fast a run is, by the clock of the machine.

use crate::base::counters::{InputCounters, RuntimeCounters};
use crate::base::time::Timestamp;
use std::fs;
use std::time::{Duration, Instant};

/// What was read at a point of time.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    packets: u64,
    octets: u64,
}

/// The pace of a run.
pub(super) struct Pace {
    begun: Reading,
    /// When it was asked for last.
    last: Reading,
}

impl Pace {
    /// A run begins. `input`: what an earlier one has read.
    pub(super) fn new(at: Instant, input: &InputCounters) -> Self {
        let begun = Reading::new(at, input);
        Self { begun, last: begun }
    }

    /// How fast it was until now. `behind`: the clock, and the time of the last packet, if there was one.
    pub(super) fn counters(
        &mut self,
        at: Instant,
        input: &InputCounters,
        behind: Option<(Timestamp, Timestamp)>,
    ) -> RuntimeCounters {
        let now = Reading::new(at, input);
        let (packets, octets) = now.rates(&self.begun);
        let (packets_now, octets_now) = now.rates(&self.last);
        self.last = now;
        let behind = behind.map_or(Duration::ZERO, |(clock, packet)| clock.since(packet));
        RuntimeCounters {
            milliseconds: millis(at.saturating_duration_since(self.begun.at)),
            packets_per_second: packets,
            octets_per_second: octets,
            packets_per_second_now: packets_now,
            octets_per_second_now: octets_now,
            resident: resident().unwrap_or(0),
            behind: millis(behind),
        }
    }
}

impl Reading {
    const fn new(at: Instant, input: &InputCounters) -> Self {
        Self {
            at,
            packets: input.packets,
            octets: input.octets,
        }
    }

    /// Packets and octets a second since then.
    fn rates(&self, since: &Self) -> (u64, u64) {
        let micros = self.at.saturating_duration_since(since.at).as_micros();
        let rate = |now: u64, then: u64| {
            let all = u128::from(now.saturating_sub(then)) * 1_000_000;
            u64::try_from(all.checked_div(micros).unwrap_or(0)).unwrap_or(u64::MAX)
        };
        (
            rate(self.packets, since.packets),
            rate(self.octets, since.octets),
        )
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Octets of resident memory, where the system says so.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_run_and_of_the_last_while() {
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let input = |packets| InputCounters {
            packets,
            octets: packets * 100,
            ..InputCounters::default()
        };
        // Those of an earlier run are not its own.
        let mut pace = Pace::new(begin, &input(1000));
        let second = Timestamp::from_nanos(1_000_000_000);
        let first = pace.counters(
            after(500),
            &input(1500),
            Some((second, Timestamp::default())),
        );
        assert_eq!(
            (first.packets_per_second, first.octets_per_second),
            (1000, 100_000)
        );
        assert_eq!(first.packets_per_second_now, 1000);
        assert_eq!((first.milliseconds, first.behind), (500, 1000));
        assert!(first.resident > 1 << 20);
        let next = pace.counters(
            after(1000),
            &input(1600),
            Some((Timestamp::default(), second)),
        );
        assert_eq!(
            (next.packets_per_second, next.packets_per_second_now),
            (600, 200)
        );
        assert_eq!((next.octets_per_second_now, next.behind), (20_000, 0));
        // Asked twice at once.
        let again = pace.counters(after(1000), &input(1600), None);
        assert_eq!(
            (again.packets_per_second, again.packets_per_second_now),
            (600, 0)
        );
    }
}
