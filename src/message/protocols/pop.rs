//! POP3 (RFC 1939).

use super::super::in_order::{Answers, Asks, InOrder};
use super::super::lines::{self, Effect, LineDialect, LineProtocol, Replies};
use super::super::row::ProtocolRow;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "pop",
    alpn: &["pop3"],
    aliases: &["pop3"],
    about: "POP3 (RFC 1939)",
    ports: &[110],
    in_order: Some(&IN_ORDER),
    one_answer: true,
    fields: Some(|_, _, m, to| lines::fields(&DIALECT, m, to)),
    field_names: &["command", "argument", "status", "text"],
    ..ProtocolRow::NONE
};

/// A reply for each command (RFC 1939, 3).
static IN_ORDER: InOrder = InOrder {
    waits: false,
    last: |_| false,
    asks: |_| Asks::Answer(0),
    answers: |_, _| Answers::Ends,
};

/// How its lines are written.
pub(super) static DIALECT: LineDialect = LineDialect {
    verbs: &[
        b"USER", b"PASS", b"APOP", b"AUTH", b"CAPA", b"STLS", b"STAT", b"LIST", b"RETR", b"DELE",
        b"NOOP", b"RSET", b"QUIT", b"TOP", b"UIDL", b"UTF8", b"LANG",
    ],
    replies: Replies::Status,
    only_lines: true,
    may_greet: |start| b"+OK ".starts_with(start),
    is_greeting: |line| line.starts_with(b"+OK"),
    is_opening: |verb| matches!(verb, b"CAPA" | b"STLS" | b"APOP"),
    effect: |verb, _| match verb {
        b"STLS" => Effect::Tls,
        _ => Effect::None,
    },
    has_many_lines: |verb, alone| match verb {
        b"RETR" | b"TOP" | b"CAPA" => true,
        b"LIST" | b"UIDL" | b"AUTH" | b"LANG" => alone,
        _ => false,
    },
    ..LineDialect::USUAL
};

/// Framed by its lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pop;

impl LineProtocol for Pop {
    const DIALECT: &'static LineDialect = &DIALECT;
}

#[cfg(test)]
mod tests {
    use super::super::super::framing::{Found, Framer, Position};
    use super::super::super::lines::LineFramer;
    use super::*;
    use crate::base::flow::Direction;

    #[test]
    fn messages_are_found_behind_lost_lines() {
        let at = Position::behind_a_gap(Direction::Forward);
        let mut framer = LineFramer::<Pop>::with_client(Direction::Reverse);
        framer.gap(at.direction);
        assert_eq!(framer.search(&at, b"mail\r\n.\r\n+OK\r\n"), Found::At(9));
    }
}
