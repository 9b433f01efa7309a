//! Words and times as several outputs write them.

use crate::base::flow::Transport;
use crate::base::message::Kind;
use crate::base::stream::{Close, GapCause};
use crate::base::time::{Timestamp, date_and_time};
use crate::sink::json_line::{Micros, Seconds};
use serde::{Serialize, Serializer};

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

/// The word for what a message is to its protocol.
pub(crate) const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Request => "request",
        Kind::Response => "response",
        Kind::Other => "other",
    }
}

/// The word for what ended a connection.
pub(crate) const fn ended_by(transport: Transport, close: Close) -> &'static str {
    match close {
        Close::Fin if matches!(transport, Transport::Sctp) => "shutdown",
        Close::Reset if matches!(transport, Transport::Sctp) => "abort",
        Close::Fin => "fin",
        Close::Reset => "reset",
        Close::Idle => "idle",
        Close::Evicted => "evicted",
        Close::Replaced => "replaced",
        Close::EndOfInput => "end_of_input",
        Close::Unconfirmed => "unconfirmed",
    }
}

/// Appends `YYYY-MM-DD HH:MM:SS.microseconds` in UTC.
pub(crate) fn date(time: Timestamp, out: &mut String) {
    let text = date_and_time(time, b' ');
    let text = text.get(..26).unwrap_or_default();
    out.push_str(std::str::from_utf8(text).unwrap_or_default());
}

/// A time that is serialized as RFC 3339 writes it, with as many digits as its capture has: 9 where that counts nanoseconds, or
/// where fewer would not say all; else 6.
#[derive(Clone, Copy)]
pub(crate) struct Rfc3339 {
    time: Timestamp,
    nanos: bool,
}

impl Rfc3339 {
    /// `nanos`: the capture counts nanoseconds.
    pub(crate) const fn new(time: Timestamp, nanos: bool) -> Self {
        let nanos = nanos || !time.subsec_nanos().is_multiple_of(1000);
        Self { time, nanos }
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut text = date_and_time(self.time, b'T');
        let mut len = text.len();
        if !self.nanos {
            len -= 3;
            text[len - 1] = b'Z';
        }
        to.serialize_bytes(text.get(..len).unwrap_or_default())
    }
}

/// The same time as a number: seconds since 1970-01-01 00:00:00 UTC, with the same digits.
pub(crate) struct UnixSeconds(pub(crate) Rfc3339);

impl Serialize for UnixSeconds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Rfc3339 { time, nanos } = self.0;
        let since = time.since(Timestamp::default());
        if nanos {
            Seconds(since).serialize(to)
        } else {
            Micros(since).serialize(to)
        }
    }
}

/// A sum of at most 32 octets that is serialized in hexadecimal.
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (octet, place) in self.0.iter().zip(text.as_chunks_mut().0) {
            *place = [octet >> 4, octet & 15].map(|digit| DIGITS[usize::from(digit)]);
        }
        to.serialize_bytes(text.get(..2 * N).unwrap_or_default())
    }
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
