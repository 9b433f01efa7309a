//! IRC (RFC 2812): lines of a command and its parameters, behind a prefix and tags where they have some.

use super::super::fields::MessageFields;
use super::super::framing::Probe;
use super::super::row::ProtocolRow;
use super::super::textual::{Textual, TextualFormat, TextualProtocol, any, begins_as, line};
use crate::base::message::Kind;
use memchr::memchr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "irc",
    alpn: &["irc"],
    about: "IRC (RFC 2812)",
    ports: &[6667, 6665, 6666, 6668, 6669],
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &["prefix", "command", "parameters"],
    ..ProtocolRow::NONE
};

/// How its lines are written.
pub(super) static FORMAT: TextualFormat = TextualFormat {
    read,
    // What nobody else begins with: the name of a user of IRC, and what a server of it says first.
    opens: |octets| {
        let begun = any([
            begins_as(octets, b"NICK "),
            begins_as(octets, b"CAP LS"),
            match octets.first() {
                Some(b':') => Probe::Yes,
                _ => Probe::No,
            },
        ]);
        match (begun, line(octets)) {
            (Probe::Yes, None) if octets.len() < 512 => Probe::More,
            (Probe::Yes, Some(Some((line, _)))) => {
                let parts = parts(line);
                let numbered = |c: &[u8]| matches!(c, b"001" | b"020" | b"NOTICE");
                let known = parts.is_some_and(|(prefix, command, parameters)| {
                    !parameters.is_empty() && (prefix.is_empty() || numbered(command))
                });
                if known { Probe::Yes } else { Probe::No }
            }
            (Probe::More, None) => Probe::More,
            _ => Probe::No,
        }
    },
};

/// Framed by its lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Irc;

impl TextualProtocol for Irc {
    const FORMAT: &'static TextualFormat = &FORMAT;
}

/// Commands of clients and servers (RFC 2812, 3 and 4; IRCv3). Other words begin lines of any text, which may be the rest of a message.
const COMMANDS: &[&[u8]] = &[
    b"PASS",
    b"NICK",
    b"USER",
    b"OPER",
    b"MODE",
    b"SERVICE",
    b"QUIT",
    b"SQUIT",
    b"JOIN",
    b"PART",
    b"TOPIC",
    b"NAMES",
    b"LIST",
    b"INVITE",
    b"KICK",
    b"PRIVMSG",
    b"NOTICE",
    b"MOTD",
    b"LUSERS",
    b"VERSION",
    b"STATS",
    b"LINKS",
    b"TIME",
    b"CONNECT",
    b"TRACE",
    b"ADMIN",
    b"INFO",
    b"SERVLIST",
    b"SQUERY",
    b"WHO",
    b"WHOIS",
    b"WHOWAS",
    b"KILL",
    b"PING",
    b"PONG",
    b"ERROR",
    b"AWAY",
    b"REHASH",
    b"WALLOPS",
    b"USERHOST",
    b"ISON",
    b"SERVER",
    b"CAP",
    b"AUTHENTICATE",
    b"ACCOUNT",
    b"CHGHOST",
    b"TAGMSG",
    b"BATCH",
    b"FAIL",
    b"WARN",
    b"NOTE",
    b"MONITOR",
    b"SETNAME",
    b"WEBIRC",
];

/// Prefix, command and parameters of a line (RFC 2812, 2.3.1), behind its tags.
fn parts(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let word = |line: &'_ [u8]| memchr(b' ', line).unwrap_or(line.len());
    let mut rest = line;
    if rest.first() == Some(&b'@') {
        rest = rest[word(rest)..].trim_ascii_start();
    }
    let mut prefix = &rest[..0];
    if let Some(behind) = rest.strip_prefix(b":") {
        let end = word(behind);
        (prefix, rest) = (&behind[..end], behind[end..].trim_ascii_start());
    }
    let (command, parameters) = rest.split_at(word(rest));
    let letters = COMMANDS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(command));
    let digits = command.len() == 3 && command.iter().all(u8::is_ascii_digit);
    let sound = (letters || digits) && line.iter().all(|o| !matches!(o, 0 | b'\r'));
    sound.then_some((prefix, command, parameters.trim_ascii_start()))
}

fn read(octets: &[u8]) -> Textual {
    match line(octets) {
        None => match octets.iter().all(|o| *o != 0) {
            true => Textual::More,
            false => Textual::No,
        },
        Some(Some((line, len))) if parts(line).is_some() => {
            Textual::Message(Kind::Other, len as u64)
        }
        Some(_) => Textual::No,
    }
}

/// What a line is made of.
fn fields(m: &[u8], to: &mut MessageFields) {
    let Some(Some((line, _))) = line(m) else {
        return;
    };
    if let Some((prefix, command, parameters)) = parts(line) {
        to.text_if("prefix", Some(prefix).filter(|p| !p.is_empty()));
        to.text("command", command);
        to.text_if("parameters", Some(parameters).filter(|p| !p.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_command_behind_tags_and_prefix() {
        let whole = |line: &[u8]| Textual::Message(Kind::Other, line.len() as u64);
        for line in [
            &b"NICK me\r\n"[..],
            b":server 001 me :Welcome\r\n",
            b"@time=1;id=2 :n!u@h PRIVMSG #c :hello \x01x\r\n",
            b"PING :1\n",
        ] {
            assert_eq!(read(line), whole(line));
        }
        for other in [
            &b"hello\r\n"[..],
            b"#$%\r\n",
            b"\r\n",
            b"12 a\r\n",
            b"a\0b\r\n",
        ] {
            assert_eq!(read(other), Textual::No);
        }
        assert_eq!((FORMAT.opens)(b"NICK me\r\nUSER a 0 * :b\r\n"), Probe::Yes);
        assert_eq!(
            (FORMAT.opens)(b":irc.example NOTICE * :*** Looking up\r\n"),
            Probe::Yes
        );
        assert_eq!((FORMAT.opens)(b"USER anonymous\r\n"), Probe::No);
        assert_eq!((FORMAT.opens)(b":status\r\n"), Probe::No);
    }
}
