//! Times as `--time` asks for them.

use crate::base::state::{Deserialize, Serialize};
use crate::base::time::{Timestamp, date_and_time, seconds_from};
use jiff::tz::TimeZone;
use std::fmt::Write as _;
use std::time::Duration;

/// `--time`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeForm {
    /// Date and time in UTC.
    #[default]
    Utc,
    /// Date and time where the program runs.
    Local,
    /// Seconds since the first packet.
    Relative,
    /// Seconds since the line before.
    Delta,
    /// Seconds since 1970-01-01 00:00:00 UTC.
    Epoch,
}

/// Shows times.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sink) struct Clock {
    #[serde(skip)]
    form: TimeForm,
    #[serde(skip)]
    zone: Option<TimeZone>,
    /// When the first packet was captured.
    pub(in crate::sink) first: Timestamp,
    last: Option<Timestamp>,
    /// The date that was shown last.
    date: String,
}

/// Where a whole date and time, in the form of RFC 3339, has its parts.
const DATE: usize = 10;
const MICROSECONDS: usize = 26;
const MILLISECONDS: usize = 23;

impl Clock {
    pub(in crate::sink) fn new(form: TimeForm) -> Self {
        Self {
            form,
            zone: (form == TimeForm::Local).then(TimeZone::system),
            first: Timestamp::default(),
            last: None,
            date: String::new(),
        }
    }

    /// What the next run goes on with: when the first packet was captured, and what was shown last.
    pub(in crate::sink) fn go_on(&mut self, before: Self) {
        *self = Self {
            form: self.form,
            zone: self.zone.take(),
            ..before
        };
    }

    /// How many seconds a clock is ahead of UTC where the program runs; None where UTC is shown.
    fn ahead(&self, time: Timestamp) -> Option<i32> {
        let zone = self.zone.as_ref()?;
        let at = jiff::Timestamp::from_nanosecond(time.as_nanos().into()).ok()?;
        Some(zone.to_offset(at).seconds())
    }

    /// Date and time of day, as a clock there shows them.
    fn civil(&self, time: Timestamp) -> [u8; 30] {
        let ahead = i64::from(self.ahead(time).unwrap_or(0)) * 1_000_000_000;
        // A time that is as far from 1970 as the clock there is shown.
        let shown = time.as_nanos().saturating_add_signed(ahead);
        date_and_time(Timestamp::from_nanos(shown), b' ')
    }

    /// A line with the date, where times of day follow and it is another one than before.
    pub(in crate::sink) fn new_date(&mut self, time: Timestamp) -> Option<String> {
        if !matches!(self.form, TimeForm::Utc | TimeForm::Local) {
            return None;
        }
        let text = self.civil(time);
        let date = part(&text, 0, DATE);
        if date == self.date {
            return None;
        }
        date.clone_into(&mut self.date);
        let zone = self.ahead(time).map(|ahead| {
            let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.abs() / 60);
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        });
        Some(format!("{date} UTC{}", zone.unwrap_or_default()))
    }

    /// Of a time as it was shown with its date, the time of day to the millisecond; of any other one all.
    pub(in crate::sink) fn of_day<'a>(&self, shown: &'a str) -> &'a str {
        match self.form {
            TimeForm::Utc | TimeForm::Local => part(shown.as_bytes(), DATE + 1, MILLISECONDS),
            TimeForm::Relative | TimeForm::Delta | TimeForm::Epoch => shown.trim_start(),
        }
    }

    /// Appends a time; `of_day`: without the date, and with milliseconds alone where that is `short`.
    pub(in crate::sink) fn show(
        &mut self,
        time: Timestamp,
        of_day: bool,
        short: bool,
        out: &mut String,
    ) {
        let end = if short { MILLISECONDS } else { MICROSECONDS };
        match self.form {
            TimeForm::Utc | TimeForm::Local => {
                let begin = if of_day { DATE + 1 } else { 0 };
                out.push_str(part(&self.civil(time), begin, end));
            }
            TimeForm::Relative => seconds(time, self.first, out),
            TimeForm::Delta => seconds(time, self.last.unwrap_or(time), out),
            TimeForm::Epoch => seconds(time, Timestamp::default(), out),
        }
        self.last = Some(time);
    }
}

/// A part of a date and time, which is ASCII.
fn part(text: &[u8], begin: usize, end: usize) -> &str {
    let part = text.get(begin..end).unwrap_or_default();
    std::str::from_utf8(part).unwrap_or_default()
}

fn seconds(time: Timestamp, from: Timestamp, out: &mut String) {
    let _ = write!(out, "{:>12}", seconds_from(from, time));
}

/// Appends a time span as people say it: `93 us`, `1.25 ms`, `3.2 s`, `2 m 5 s`.
pub(in crate::sink) fn span(time: Duration, out: &mut String) {
    let micros = time.as_micros();
    // Writing to a string does not fail.
    let _ = match micros {
        0..1_000 => write!(out, "{micros} us"),
        1_000..10_000 => write!(out, "{:.2} ms", time.as_secs_f64() * 1e3),
        10_000..1_000_000 => write!(out, "{:.0} ms", time.as_secs_f64() * 1e3),
        1_000_000..60_000_000 => write!(out, "{:.2} s", time.as_secs_f64()),
        _ => write!(out, "{} m {} s", time.as_secs() / 60, time.as_secs() % 60),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_795_255_200_123_456_789;

    fn shown(form: TimeForm, of_day: bool, short: bool) -> String {
        let mut clock = Clock::new(form);
        clock.first = Timestamp::from_nanos(AT - 61_500_000_000);
        let mut out = String::new();
        clock.show(
            Timestamp::from_nanos(AT - 1_000_000),
            of_day,
            short,
            &mut out,
        );
        out.push('|');
        clock.show(Timestamp::from_nanos(AT), of_day, short, &mut out);
        out
    }

    #[test]
    fn times_are_shown_in_all_forms() {
        for (form, of_day, short, expected) in [
            (
                TimeForm::Utc,
                false,
                false,
                "2026-11-21 10:00:00.122456|2026-11-21 10:00:00.123456",
            ),
            (TimeForm::Utc, true, true, "10:00:00.122|10:00:00.123"),
            (TimeForm::Relative, true, false, "   61.499000|   61.500000"),
            (TimeForm::Delta, true, true, "    0.000000|    0.001000"),
            (
                TimeForm::Epoch,
                true,
                false,
                "1795255200.122456|1795255200.123456",
            ),
        ] {
            assert_eq!(shown(form, of_day, short), expected, "{form:?}");
        }
    }

    #[test]
    fn time_may_go_back() {
        for form in [TimeForm::Relative, TimeForm::Delta] {
            let mut clock = Clock::new(form);
            clock.first = Timestamp::from_nanos(AT);
            let mut out = String::new();
            for back in [0, 1_500_000_000, 1_499_000_000] {
                clock.show(Timestamp::from_nanos(AT - back), true, false, &mut out);
            }
            let last = if form == TimeForm::Delta {
                "    0.001000"
            } else {
                "   -1.499000"
            };
            assert_eq!(out, format!("    0.000000   -1.500000{last}"));
        }
    }

    #[test]
    fn a_date_is_shown_once() {
        let mut clock = Clock::new(TimeForm::Utc);
        let time = Timestamp::from_nanos(AT);
        assert_eq!(clock.new_date(time), Some("2026-11-21 UTC".to_owned()));
        assert_eq!(clock.new_date(time), None);
        let next = Timestamp::from_nanos(AT + 86_400_000_000_000);
        assert_eq!(clock.new_date(next), Some("2026-11-22 UTC".to_owned()));
        assert_eq!(Clock::new(TimeForm::Epoch).new_date(time), None);
    }

    #[test]
    fn a_zone_moves_the_clock() {
        let mut clock = Clock::new(TimeForm::Local);
        clock.zone = Some(TimeZone::fixed(jiff::tz::offset(-5)));
        let mut out = String::new();
        clock.show(Timestamp::from_nanos(AT), true, true, &mut out);
        assert_eq!(out, "05:00:00.123");
        let date = clock.new_date(Timestamp::from_nanos(AT)).unwrap();
        assert_eq!(date, "2026-11-21 UTC-05:00");
    }

    #[test]
    fn spans_in_words() {
        for (micros, expected) in [
            (93, "93 us"),
            (1_254, "1.25 ms"),
            (45_700, "46 ms"),
            (3_210_000, "3.21 s"),
            (125_000_000, "2 m 5 s"),
        ] {
            let mut said = String::new();
            span(Duration::from_micros(micros), &mut said);
            assert_eq!(said, expected);
        }
    }
}
