//! FTP (RFC 959).

use super::super::in_order::{Answers, Asks, InOrder};
use super::super::lines::{
    self, Effect, LineDialect, LineProtocol, Replies, code, contains_word, is_begun_greeting,
};
use super::super::row::ProtocolRow;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ftp",
    alpn: &["ftp"],
    about: "FTP (RFC 959): replies and commands",
    ports: &[21],
    in_order: Some(&IN_ORDER),
    announces: true,
    one_answer: true,
    fields: Some(|_, _, m, to| lines::fields(&DIALECT, m, to)),
    field_names: &["command", "argument", "code", "text"],
    ..ProtocolRow::NONE
};

/// A reply for each command, and ahead of it another where a transfer begins (RFC 959, 5.4). What is asked during a transfer is
/// answered at once, and a transfer that is given up is answered too.
static IN_ORDER: InOrder = InOrder {
    waits: true,
    last: |_| false,
    asks: |m| {
        let verb = DIALECT.verb(m.split(|c| *c == b'\r').next().unwrap_or_default());
        match verb {
            Some(b"ABOR" | b"STAT") => Asks::Unsure,
            _ => Asks::Answer(0),
        }
    },
    answers: |_, m| match m.first() {
        Some(b'1') => Answers::Interim,
        _ => Answers::Ends,
    },
};

/// How its lines are written.
pub(super) static DIALECT: LineDialect = LineDialect {
    verbs: &[
        b"USER", b"PASS", b"ACCT", b"CWD", b"CDUP", b"SMNT", b"QUIT", b"REIN", b"PORT", b"PASV",
        b"TYPE", b"STRU", b"MODE", b"RETR", b"STOR", b"STOU", b"APPE", b"ALLO", b"REST", b"RNFR",
        b"RNTO", b"ABOR", b"DELE", b"RMD", b"MKD", b"PWD", b"LIST", b"NLST", b"SITE", b"SYST",
        b"STAT", b"HELP", b"NOOP", b"FEAT", b"OPTS", b"SIZE", b"MDTM", b"MLSD", b"MLST", b"EPSV",
        b"EPRT", b"AUTH", b"PBSZ", b"PROT", b"CCC", b"CLNT",
    ],
    replies: Replies::Coded { tls: 234 },
    only_lines: true,
    may_greet: is_begun_greeting,
    is_greeting: |line| matches!(code(line), Some((220, _))) && contains_word(line, b"FTP"),
    effect: |verb, _| match verb {
        b"AUTH" => Effect::Tls,
        _ => Effect::None,
    },
    ..LineDialect::USUAL
};

/// Framed by its lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ftp;

impl LineProtocol for Ftp {
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
        let mut framer = LineFramer::<Ftp>::with_client(Direction::Forward);
        framer.gap(at.direction);
        assert_eq!(framer.search(&at, b"RETR a\r\n"), Found::At(0));
    }

    #[test]
    fn a_reply_of_its_own_segment_is_found_behind_the_tail_of_one_that_is_lost() {
        for (tail, reply, found) in [
            (
                &b". 7fe-d5d\r\n"[..],
                &b"150 Opening.\r\n"[..],
                Found::At(0),
            ),
            // Of a reply of many lines this is the last.
            (b" UTF8\r\n", b"211 End\r\n", Found::Nowhere { keep: 9 }),
        ] {
            let at = Position::behind_a_gap(Direction::Forward);
            let mut framer = LineFramer::<Ftp>::with_client(Direction::Reverse);
            framer.gap(at.direction);
            assert_eq!(
                framer.search(&at, tail),
                Found::Nowhere { keep: tail.len() }
            );
            let offset = at.offset + tail.len() as u64;
            let segments = [offset];
            let next = Position {
                offset,
                segments: &segments,
                ..at
            };
            assert_eq!(
                framer.search(&next, reply),
                found,
                "{}",
                tail.escape_ascii()
            );
        }
    }
}
