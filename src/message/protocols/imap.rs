//! IMAP (RFC 9051, RFC 3501).

use super::super::lines::{
    self, Effect, LineDialect, LineProtocol, Replies, completion, contains_word,
};
use super::super::row::{ProtocolRow, transaction_number};
use super::super::text::first_line;
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "imap",
    alpn: &["imap"],
    about: "IMAP (RFC 9051, RFC 3501), with literals",
    ports: &[143],
    transaction: Some(transaction),
    one_answer: true,
    words_ahead: 1,
    summary: Some(summary),
    fields: Some(|_, _, m, to| lines::fields(&DIALECT, m, to)),
    field_names: &["tag", "command", "argument", "status", "text"],
    ..ProtocolRow::NONE
};

/// The first line. Flags and attributes begin with a backslash (RFC 9051, 2.3.2 and 7.3.1), which is not doubled there: no escape has a
/// capital letter or a star behind it.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let mut line = String::new();
    first_line(m, &mut line);
    let mut rest = line.as_str();
    while let Some((before, behind)) = rest.split_once("\\\\") {
        out.push_str(before);
        let flag = behind.starts_with(|c: char| c.is_ascii_uppercase() || c == '*');
        out.push_str(if flag { "\\" } else { "\\\\" });
        rest = behind;
    }
    out.push_str(rest);
    !line.is_empty()
}

/// The tag of a command, which what completes it repeats (RFC 9051, 2.2.1).
fn transaction(_: Transport, m: &[u8]) -> Option<u64> {
    let line = m.split(|c| *c == b'\n').next().unwrap_or_default();
    if DIALECT.verb(line).is_none() && completion(line).is_none() {
        return None;
    }
    Some(transaction_number(line.split(|c| *c == b' ').next()))
}

/// How its lines are written.
pub(super) static DIALECT: LineDialect = LineDialect {
    verbs: &[
        b"CAPABILITY",
        b"NOOP",
        b"LOGOUT",
        b"STARTTLS",
        b"AUTHENTICATE",
        b"LOGIN",
        b"ENABLE",
        b"SELECT",
        b"EXAMINE",
        b"CREATE",
        b"DELETE",
        b"RENAME",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
        b"LIST",
        b"LSUB",
        b"NAMESPACE",
        b"STATUS",
        b"APPEND",
        b"IDLE",
        b"CLOSE",
        b"UNSELECT",
        b"EXPUNGE",
        b"SEARCH",
        b"FETCH",
        b"STORE",
        b"COPY",
        b"MOVE",
        b"UID",
        b"CHECK",
        b"ID",
        b"GETQUOTA",
        b"GETQUOTAROOT",
        b"SORT",
        b"THREAD",
        b"COMPRESS",
    ],
    replies: Replies::Tagged,
    may_greet: |start| b"* OK".starts_with(start) || b"* PR".starts_with(start),
    is_greeting: |line| {
        [&b"* OK"[..], b"* PREAUTH", b"* BYE"]
            .iter()
            .any(|word| line.starts_with(word))
    },
    is_opening: |verb| {
        matches!(
            verb,
            b"CAPABILITY" | b"LOGIN" | b"AUTHENTICATE" | b"STARTTLS"
        )
    },
    fetches: |_, line| {
        let whole: [&[u8]; 2] = [b"BODY", b"RFC822"];
        whole.iter().any(|what| contains_word(line, what))
    },
    effect: |verb, _| match verb {
        b"STARTTLS" => Effect::Tls,
        _ => Effect::None,
    },
    ..LineDialect::USUAL
};

/// Framed by its lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Imap;

impl LineProtocol for Imap {
    const DIALECT: &'static LineDialect = &DIALECT;
}

#[cfg(test)]
mod tests {
    use super::super::super::framing::{Found, Framer, Position};
    use super::super::super::lines::LineFramer;
    use super::super::super::text::said;
    use super::*;
    use crate::base::flow::Direction;

    #[test]
    fn flags_have_one_backslash() {
        for (octets, expected) in [
            (
                &b"* LIST (\\Noselect) \"/\" foo\r\n"[..],
                "* LIST (\\Noselect) \"/\" foo",
            ),
            (
                b"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n",
                "* OK [PERMANENTFLAGS (\\Seen \\*)] x",
            ),
            (
                b"* LIST () \"\\\" a\\x1b\r\n",
                "* LIST () \"\\\\\" a\\\\x1b",
            ),
            (b"", ""),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn messages_are_found_behind_lost_lines() {
        let at = Position::behind_a_gap(Direction::Forward);
        let mut framer = LineFramer::<Imap>::with_client(Direction::Reverse);
        framer.gap(at.direction);
        assert_eq!(
            framer.search(&at, b"text\r\n* 2 FETCH (X)\r\n"),
            Found::At(6)
        );
    }

    #[test]
    fn the_command_stands_behind_its_tag() {
        assert_eq!(DIALECT.verb(b"a1 uid fetch 1\r"), Some(&b"UID"[..]));
    }
}
