//! SMTP (RFC 5321, RFC 3030).

use super::super::in_order::{Answers, Asks, InOrder, Recipients};
use super::super::lines::{
    self, Effect, LineDialect, LineProtocol, Replies, code, contains_word, is_begun_greeting, words,
};
use super::super::row::ProtocolRow;
use memchr::memchr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "smtp",
    about: "SMTP (RFC 5321): replies, commands, mail",
    ports: &[25, 587, 2525],
    in_order: Some(&IN_ORDER),
    one_answer: true,
    fields: Some(|_, _, m, to| lines::fields(&DIALECT, m, to)),
    field_names: &["command", "argument", "code", "text"],
    ..ProtocolRow::NONE
};

/// A reply for each command and each mail. LMTP (RFC 2033, 4.2) has one for each recipient of a mail.
static IN_ORDER: InOrder = InOrder {
    waits: false,
    last: is_last,
    asks: |m| {
        let is = |word: &[u8]| {
            m.get(..4)
                .is_some_and(|verb| verb.eq_ignore_ascii_case(word))
        };
        let recipients = match () {
            // Who sends a mail has had the reply to all that was sent before.
            () if is_mail(m) => Recipients::Each,
            () if is(b"LHLO") => Recipients::Count,
            () if is(b"MAIL") => Recipients::None,
            () if is(b"RCPT") => Recipients::More,
            () => return Asks::Answer(0),
        };
        Asks::Recipients(recipients, u64::from(recipients == Recipients::More))
    },
    answers: |asked, m| match (asked, m.first()) {
        (1, Some(b'4' | b'5')) => Answers::Fails,
        _ => Answers::Ends,
    },
};

/// What a client sends is no command, which is one line.
fn is_mail(m: &[u8]) -> bool {
    memchr(b'\n', m).is_none_or(|lf| lf + 1 < m.len()) || m == b".\r\n"
}

/// What stands at the end of what is sent ahead (RFC 2920, 3.1), and mail.
fn is_last(m: &[u8]) -> bool {
    let line = m.split(|o| *o == b'\n').next().unwrap_or_default();
    is_mail(m)
        || matches!(
            DIALECT.verb(line),
            Some(
                b"EHLO"
                    | b"HELO"
                    | b"DATA"
                    | b"QUIT"
                    | b"NOOP"
                    | b"VRFY"
                    | b"EXPN"
                    | b"STARTTLS"
                    | b"AUTH"
            )
        )
}

/// How its lines are written.
pub(super) static DIALECT: LineDialect = LineDialect {
    verbs: &[
        b"EHLO",
        b"HELO",
        b"LHLO",
        b"MAIL",
        b"RCPT",
        b"DATA",
        b"BDAT",
        b"QUIT",
        b"RSET",
        b"NOOP",
        b"VRFY",
        b"EXPN",
        b"HELP",
        b"AUTH",
        b"STARTTLS",
        b"ETRN",
    ],
    replies: Replies::Coded { tls: 220 },
    mail: true,
    may_greet: is_begun_greeting,
    is_greeting: |line| matches!(code(line), Some((220 | 554, _))) && contains_word(line, b"SMTP"),
    is_opening: |verb| matches!(verb, b"EHLO" | b"HELO" | b"LHLO"),
    effect,
    is_well_formed,
    ..LineDialect::USUAL
};

/// Framed by its lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Smtp;

impl LineProtocol for Smtp {
    const DIALECT: &'static LineDialect = &DIALECT;
}

fn effect(verb: &[u8], line: &[u8]) -> Effect {
    match verb {
        b"DATA" => Effect::Mail,
        // A chunk of mail: its size is the first argument (RFC 3030, 2).
        b"BDAT" => {
            let digits = words(line).nth(1).unwrap_or_default();
            let size = std::str::from_utf8(digits)
                .ok()
                .and_then(|t| t.parse::<u64>().ok());
            Effect::Octets(size.filter(|n| *n < 1 << 40).unwrap_or(0))
        }
        b"STARTTLS" => Effect::Tls,
        _ => Effect::None,
    }
}

/// The line has the form that RFC 5321 (4.1.1) and RFC 3030 (2) give its command, which few lines of text have that begin with
/// the same word.
fn is_well_formed(verb: &[u8], line: &[u8]) -> bool {
    let mut arguments = words(line).skip(1);
    let first = arguments.next();
    // Some clients put a space behind the colon.
    let begins = |word: &[u8]| {
        first.is_some_and(|first| {
            let begun = first.get(..word.len());
            begun.is_some_and(|begun| begun.eq_ignore_ascii_case(word))
        })
    };
    match verb {
        b"MAIL" => begins(b"FROM:"),
        b"RCPT" => begins(b"TO:"),
        b"DATA" | b"QUIT" | b"RSET" | b"STARTTLS" => first.is_none(),
        b"BDAT" => first.is_some_and(|size| size.iter().all(u8::is_ascii_digit)),
        b"EHLO" | b"HELO" | b"LHLO" => first.is_some() && arguments.next().is_none(),
        // Its arguments are names of commands.
        b"HELP" => first.is_none_or(|name| DIALECT.verb(name).is_some()),
        b"AUTH" => first.is_some_and(|name| !name.iter().any(u8::is_ascii_lowercase)),
        b"VRFY" | b"EXPN" | b"ETRN" => first.is_some() && arguments.next().is_none(),
        _ => arguments.next().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::framing::Begin;
    use super::super::super::framing::{Following, Found, Framer, Position};
    use super::super::super::lines::LineFramer;
    use super::*;
    use crate::base::flow::Direction;

    #[test]
    fn commands_are_known_in_any_case() {
        assert_eq!(DIALECT.verb(b"mail FROM:<a>\r"), Some(&b"MAIL"[..]));
        assert_eq!(DIALECT.verb(b"mailbox\r"), None);
    }

    fn position(direction: Direction, segments: &[u64], ack: u64) -> Position<'_> {
        Position {
            direction,
            ports: (50_000, 25),
            segments,
            pushed: true,
            push: true,
            offset: segments[0],
            ack: Some(ack),
            time: crate::base::time::Timestamp::default(),
            other: crate::base::stream::Side {
                seen: true,
                delivered: u64::MAX,
                ..Default::default()
            },
            next: Following::Octets,
            limit: 1 << 16,
            late: false,
            parts: &[],
            split: 0,
        }
    }

    /// The mail is known by the server's reply when the command is lost, and by its octets when the reply is.
    #[test]
    fn mail_is_found_where_the_command_or_the_reply_was_lost() {
        let (client, server) = (Direction::Forward, Direction::Reverse);
        let mail = b"Subject: x\r\n\r\nQUIT\r\n.\r\n";
        let begun = LineFramer::<Smtp>::with_client(client);
        let is_mail = |lines: &mut LineFramer<Smtp>, offset| {
            let at = [offset];
            let begin = lines.begin(&position(client, &at, 510), mail);
            matches!(begin, Begin::Message { head, .. } if head == mail.len())
        };

        let mut lines = begun.clone();
        lines.gap(client);
        lines.begin(&position(server, &[500], 106), b"354 go on\r\n");
        assert_eq!(
            lines.clone().search(&position(client, &[106], 511), mail),
            Found::At(0)
        );
        lines.search(&position(client, &[106], 511), mail);
        assert!(is_mail(&mut lines, 106));

        let mut lines = begun.clone();
        lines.begin(&position(client, &[100], 500), b"DATA\r\n");
        assert!(!is_mail(&mut lines.clone(), 106));
        lines.gap(server);
        assert!(is_mail(&mut lines, 106));

        // The first octets of the mail are lost too: nothing in it is a command.
        let mut lines = begun;
        lines.gap(client);
        lines.begin(&position(server, &[500], 106), b"354 go on\r\n");
        let found = lines.search(&position(client, &[112], 511), b"QUIT\r\nNOOP\r\n");
        assert!(matches!(found, Found::Nowhere { .. }));
    }

    #[test]
    fn messages_are_found_behind_lost_lines() {
        let at = Position::behind_a_gap(Direction::Forward);
        for (client, octets, found) in [
            (Direction::Forward, &b"x>\r\nRCPT TO:<b>\r\n"[..], 4),
            (
                Direction::Reverse,
                &b"250-SIZE\r\n250 HELP\r\n250 next\r\n"[..],
                0,
            ),
            (
                Direction::Reverse,
                &b"SIZE\r\n250-X\r\n250 HELP\r\n354 go\r\n"[..],
                23,
            ),
        ] {
            let mut framer = LineFramer::<Smtp>::with_client(client);
            framer.gap(at.direction);
            assert_eq!(
                framer.search(&at, octets),
                Found::At(found),
                "{}",
                octets.escape_ascii()
            );
        }
    }
}
