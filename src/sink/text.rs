//! Words and times as several outputs write them.

use crate::base::stream::GapCause;
use crate::base::time::Timestamp;
use std::fmt::Write as _;

/// The word for why a hole was given up.
pub(crate) fn gap_cause(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Acked => "acked",
        GapCause::Closed => "closed",
        GapCause::Timeout => "timeout",
        GapCause::Buffer => "buffer",
        GapCause::Holes => "holes",
        GapCause::Memory => "memory",
        GapCause::End => "end",
        GapCause::Snapped => "snapped",
        GapCause::Jump => "jump",
    }
}

/// Appends `YYYY-MM-DD HH:MM:SS.microseconds` in UTC.
pub(crate) fn date(time: Timestamp, out: &mut String) {
    let (days, secs) = (time.secs() / 86_400, time.secs() % 86_400);
    let (year, month, day) = civil(days);
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:06}",
        secs / 3600,
        secs / 60 % 60,
        secs % 60,
        time.subsec_nanos() / 1000
    );
}

/// Appends `YYYY-MM-DDTHH:MM:SS.nanosecondsZ` (RFC 3339).
pub(crate) fn rfc3339(time: Timestamp, out: &mut String) {
    let begin = out.len();
    date(time, out);
    out.truncate(begin + 20);
    out.replace_range(begin + 10..begin + 11, "T");
    let _ = write!(out, "{:09}Z", time.subsec_nanos());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, expected) in [
            (0, "1970-01-01 00:00:00.000001"),
            (951_782_399, "2000-02-28 23:59:59.000001"),
            (951_782_400, "2000-02-29 00:00:00.000001"),
            (1_795_255_200, "2026-11-21 10:00:00.000001"),
            (4_107_542_400, "2100-03-01 00:00:00.000001"),
        ] {
            let mut out = String::new();
            date(
                Timestamp::from_nanos(secs * 1_000_000_000 + 1_999),
                &mut out,
            );
            assert_eq!(out, expected);
        }
    }
}
