//! `--live`: how much of the time in which nothing was read counts as time of the capture.

use std::time::{Duration, Instant};

/// How often silence is looked at.
// A hole is given up after two seconds: a tenth of that is late enough to be seen, and costs nothing.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// Silence that is not counted.
// The kernel's ring gives packets to tcpdump up to a second late, so that a second without any is none.
const GRACE: Duration = Duration::from_secs(1);

/// Silence since the last packet.
pub(super) struct Silence {
    packets: u64,
    since: Instant,
    counted: Duration,
}

impl Silence {
    /// Nothing was read until now.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            packets: 0,
            since: now,
            counted: Duration::ZERO,
        }
    }

    /// So many packets have been read by now: the silence that counts, beyond what was given before.
    pub(super) fn passed(&mut self, packets: u64, now: Instant) -> Duration {
        if packets != self.packets {
            *self = Self {
                packets,
                ..Self::new(now)
            };
        }
        let silence = now.saturating_duration_since(self.since);
        let counts = silence.saturating_sub(GRACE);
        let more = counts.saturating_sub(self.counted);
        self.counted += more;
        more
    }

    /// All the silence since the last packet that counts.
    pub(super) const fn counted(&self) -> Duration {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_its_second_second() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let ms = Duration::from_millis;
        let mut silence = Silence::new(start);
        assert_eq!(silence.passed(1, at(5000)), ms(0));
        assert_eq!(silence.passed(1, at(5900)), ms(0));
        assert_eq!(silence.passed(1, at(6100)), ms(100));
        assert_eq!(silence.passed(1, at(6100)), ms(0));
        assert_eq!(silence.passed(1, at(8000)), ms(1900));
        assert_eq!(silence.counted(), ms(2000));
        // The clock was set back: nothing counts twice.
        assert_eq!(silence.passed(1, at(7000)), ms(0));
        assert_eq!(silence.passed(2, at(9000)), ms(0));
        assert_eq!(silence.counted(), ms(0));
        assert_eq!(silence.passed(2, at(10_500)), ms(500));
    }
}
