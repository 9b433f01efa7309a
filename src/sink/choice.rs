//! `--kind`, `--match`, `--from`, `--to`, `--count`: which messages are written.

use crate::base::flow::Transport;
use crate::base::message::Kind;
use crate::base::time::Timestamp;
use crate::message::{escaped_summary, unescaped};
use regex::bytes::Regex;
use std::time::Duration;

/// A point in time of the capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// As a clock shows it.
    At(Timestamp),
    /// So long behind the first packet.
    After(Duration),
    /// So long behind midnight of the day (UTC) on which the first packet was captured.
    OfDay(Duration),
}

/// Which messages are written, for all outputs.
#[derive(Clone, Debug, Default)]
pub struct MessageChoice {
    /// `--kind`: these; empty: all.
    pub kinds: Vec<Kind>,
    /// `--match`: those whose summary or head matches.
    pub pattern: Option<Regex>,
    /// `--from`: those that begin then or later.
    pub from: Option<When>,
    /// `--to`: those that begin before.
    pub to: Option<When>,
    /// `--count`: the first so many.
    pub count: Option<u64>,
}

/// What stands ahead of the name of a file, behind a summary that does not have it.
pub(super) const FILE: &str = ": ";

/// What is asked of a message.
pub(super) struct Asked<'a> {
    pub(super) protocol: &'a str,
    pub(super) transport: Transport,
    pub(super) kind: Kind,
    /// As in [`MessageStart`](crate::message::MessageStart).
    pub(super) head: &'a [u8],
    /// When its first octet was captured.
    pub(super) time: Timestamp,
    /// When the capture begins.
    pub(super) began: Timestamp,
    /// The file that it is about, escaped, where it does not say that itself.
    pub(super) file: Option<&'a str>,
}

impl MessageChoice {
    /// All messages are chosen, but for their number.
    pub const fn is_all(&self) -> bool {
        self.is_any_message() && self.from.is_none() && self.to.is_none()
    }

    /// A time is all that may be asked for.
    pub(super) const fn is_any_message(&self) -> bool {
        self.kinds.is_empty() && self.pattern.is_none()
    }

    /// The message is chosen. Its number is not asked for.
    pub(super) fn takes(&self, asked: &Asked<'_>) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&asked.kind);
        kind && self.takes_time(asked.time, asked.began) && self.matches(asked)
    }

    /// What begins then is chosen, in a capture that begins at `began`.
    pub(super) fn takes_time(&self, time: Timestamp, began: Timestamp) -> bool {
        const DAY: u64 = 24 * 3600 * 1_000_000_000;
        let (began, behind) = (began.as_nanos(), |begin: u64, time: Duration| {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            Timestamp::from_nanos(begin.saturating_add(nanos))
        });
        let at = |when: When| match when {
            When::At(time) => time,
            When::After(time) => behind(began, time),
            When::OfDay(time) => behind(began - began % DAY, time),
        };
        let early = self.from.is_some_and(|from| time < at(from));
        let late = self.to.is_some_and(|to| time >= at(to));
        !early && !late
    }

    fn matches(&self, asked: &Asked<'_>) -> bool {
        let Some(pattern) = &self.pattern else {
            return true;
        };
        // The head first: it is there, and the summary mostly says the same.
        if pattern.is_match(asked.head) {
            return true;
        }
        let mut words = String::new();
        let Asked {
            protocol,
            transport,
            kind,
            head,
            ..
        } = *asked;
        escaped_summary(protocol, transport, kind, head, &mut words);
        if let Some(file) = asked.file {
            words.extend([FILE, file]);
        }
        // As it was before it was escaped: a backslash is one.
        pattern.is_match(&unescaped(&words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_chosen_by_kind_words_and_time() {
        let seconds = |n: u64| Timestamp::from_nanos(n * 1_000_000_000);
        let asked = |kind, head, time| Asked {
            protocol: "http",
            transport: Transport::Tcp,
            kind,
            head,
            time: seconds(time),
            began: seconds(10),
            file: None,
        };
        let request = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
        let message = asked(Kind::Request, request, 12);
        let mut choice = MessageChoice::default();
        assert!(choice.is_all() && choice.takes(&message));
        choice.kinds = vec![Kind::Response];
        assert!(!choice.is_all() && !choice.takes(&message));
        choice.kinds.push(Kind::Request);
        assert!(choice.takes(&message));
        for (pattern, takes) in [("Host: b", true), (r"1\.1 \(b\)", true), ("POST", false)] {
            choice.pattern = Some(Regex::new(pattern).unwrap());
            assert_eq!(choice.takes(&message), takes, "{pattern}");
        }
        // A backslash of the network is one, however it is shown.
        let get = asked(Kind::Request, b"GET /a\\b\x01 HTTP/1.1\r\n", 12);
        choice.pattern = Some(Regex::new(r"^GET /a\\b\x01 HTTP/1.1$").unwrap());
        assert!(choice.takes(&get));
        choice.pattern = None;
        let after = |n| Some(When::After(Duration::from_secs(n)));
        let day = |n| Some(When::OfDay(Duration::from_secs(n)));
        for (from, to, takes) in [
            (after(2), after(3), true),
            (after(3), None, false),
            (None, after(2), false),
            (
                Some(When::At(seconds(12))),
                Some(When::At(seconds(13))),
                true,
            ),
            (Some(When::At(seconds(13))), None, false),
            // The capture begins ten seconds behind midnight.
            (day(12), day(13), true),
            (day(13), None, false),
            (day(9), day(12), false),
        ] {
            (choice.from, choice.to) = (from, to);
            assert_eq!(choice.takes(&message), takes, "{from:?} {to:?}");
        }
    }
}
