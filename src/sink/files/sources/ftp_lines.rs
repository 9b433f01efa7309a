//! What the lines of an FTP control connection say of data connections (RFC 959, RFC 2428, RFC 3659).

use bstr::ByteSlice;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A command, as far as data connections depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FtpCommand<'a> {
    /// PORT, EPRT: the server is to connect to this endpoint.
    Active(SocketAddr),
    /// PASV, EPSV: the server is to say where it listens.
    Passive,
    /// REST: the next transfer begins at this octet.
    Restart(u64),
    /// Moves octets over a data connection.
    Transfer {
        verb: FtpVerb,
        path: &'a [u8],
        /// From the client to the server.
        upload: bool,
    },
    /// CWD: paths begin elsewhere.
    Directory(&'a [u8]),
    /// TYPE: octets as they are (`I`, `L 8`), or text.
    Type { image: bool },
    /// SIZE: how many octets has this file?
    Size(&'a [u8]),
    /// Any other.
    Other,
}

/// A command that moves octets: one of [`TRANSFERS`].
pub(super) type FtpVerb = &'static str;

#[cfg(feature = "state")]
mod written_out {
    use super::{FtpVerb, TRANSFERS};
    use serde::de::{Deserialize, Deserializer, Error};

    /// Reads one from a saved state.
    pub(in super::super) fn verb<'de, D: Deserializer<'de>>(d: D) -> Result<FtpVerb, D::Error> {
        let text = String::deserialize(d)?;
        let known = TRANSFERS.iter().find(|(verb, _)| *verb == text);
        known
            .map(|(verb, _)| *verb)
            .ok_or_else(|| D::Error::custom("no command that moves octets"))
    }
}
#[cfg(feature = "state")]
pub(super) use written_out::verb;

/// Commands that move octets, and whether from the client to the server.
const TRANSFERS: &[(&str, bool)] = &[
    ("RETR", false),
    ("STOR", true),
    ("STOU", true),
    ("APPE", true),
    ("LIST", false),
    ("NLST", false),
    ("MLSD", false),
];

/// Reads a command, with or without its line end.
pub(super) fn command(line: &[u8]) -> FtpCommand<'_> {
    let line = line.trim_ascii_end();
    let (word, rest) = line.split_once_str(" ").unwrap_or((line, b""));
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if let Some((verb, upload)) = TRANSFERS.iter().find(|(name, _)| is(name)) {
        return FtpCommand::Transfer {
            verb,
            path: rest,
            upload: *upload,
        };
    }
    let known = if is("PORT") {
        host_port(rest).map(|(ip, port)| FtpCommand::Active(SocketAddr::new(ip.into(), port)))
    } else if is("EPRT") {
        extended(rest).and_then(|(ip, port)| Some(FtpCommand::Active(SocketAddr::new(ip?, port))))
    } else if is("PASV") || (is("EPSV") && !rest.eq_ignore_ascii_case(b"ALL")) {
        Some(FtpCommand::Passive)
    } else if is("REST") {
        decimal(rest).map(FtpCommand::Restart)
    } else if is("CWD") || is("XCWD") {
        Some(FtpCommand::Directory(rest))
    } else if is("CDUP") || is("XCUP") {
        Some(FtpCommand::Directory(b".."))
    } else if is("TYPE") {
        let image = matches!(rest.first(), Some(b'I' | b'i' | b'L' | b'l'));
        Some(FtpCommand::Type { image })
    } else if is("SIZE") {
        Some(FtpCommand::Size(rest))
    } else {
        None
    };
    known.unwrap_or(FtpCommand::Other)
}

/// A reply, as far as data connections depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FtpReply {
    /// 227, 229: the server waits at this port; of a 229 the address is that of the control connection.
    Passive(Option<IpAddr>, u16),
    /// 125, 150: the transfer begins; the octets that the text promises.
    Begins(Option<u64>),
    /// 350: REST is accepted, or another command that a second one follows; the octet that the text names.
    Continue(Option<u64>),
    /// 226, 250: it is done.
    Done,
    /// 213 with a number: the answer to SIZE.
    Size(u64),
    /// 4xx, 5xx.
    Failed(u16),
    /// Any other.
    Other,
}

/// Reads a reply, of whose lines the last one counts.
pub(super) fn reply(text: &[u8]) -> FtpReply {
    let line = text.trim_ascii_end();
    let line = line.rsplit_once_str("\n").map_or(line, |(_, last)| last);
    let Some((code, rest)) = line.split_at_checked(3) else {
        return FtpReply::Other;
    };
    match (code, decimal(code)) {
        (b"227", _) => match host_port(rest) {
            Some((ip, port)) => FtpReply::Passive(Some(ip.into()), port),
            None => FtpReply::Other,
        },
        (b"229", _) => {
            let inside = rest
                .split_once_str("(")
                .map_or(&[][..], |(_, inside)| inside);
            match extended(inside) {
                Some((ip, port)) => FtpReply::Passive(ip, port),
                None => FtpReply::Other,
            }
        }
        (b"125" | b"150", _) => FtpReply::Begins(promised(rest)),
        (b"350", _) => FtpReply::Continue(named(rest)),
        (b"226" | b"250", _) => FtpReply::Done,
        (b"213", _) => decimal(rest).map_or(FtpReply::Other, FtpReply::Size),
        (_, Some(code @ 400..=599)) => FtpReply::Failed(u16::try_from(code).unwrap_or_default()),
        _ => FtpReply::Other,
    }
}

/// Six numbers between commas: an address and a port. Text may stand around them, in parentheses or not (RFC 1123,
/// 4.1.2.6).
fn host_port(text: &[u8]) -> Option<(Ipv4Addr, u16)> {
    text.split(|o| !o.is_ascii_digit() && *o != b',')
        .find_map(|word| {
            let mut numbers = [0; 6];
            let mut parts = word.split(|o| *o == b',');
            for number in &mut numbers {
                *number = u8::try_from(decimal(parts.next()?)?).ok()?;
            }
            let [a, b, c, d, high, low] = numbers;
            parts
                .next()
                .is_none()
                .then(|| (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
        })
}

/// `|1|192.0.2.1|2000|`, `|2|2001:db8::1|2000|`, `|||2000|`: any printable octet stands between (RFC 2428, 2).
fn extended(text: &[u8]) -> Option<(Option<IpAddr>, u16)> {
    let (mark, rest) = text.split_first()?;
    let mut parts = rest.split(|o| o == mark);
    let (_family, address, port) = (parts.next()?, parts.next()?, parts.next()?);
    let ip = match address {
        [] => None,
        address => Some(str::from_utf8(address).ok()?.parse().ok()?),
    };
    Some((ip, u16::try_from(decimal(port)?).ok()?))
}

/// `(4980924 bytes)`, as servers write it behind a name.
fn promised(text: &[u8]) -> Option<u64> {
    let (_, inside) = text.rsplit_once_str("(")?;
    let (number, unit) = inside.split_once_str(" ")?;
    let number = decimal(number)?;
    unit.starts_with(b"bytes").then_some(number)
}

/// The one number in the text.
fn named(text: &[u8]) -> Option<u64> {
    let mut numbers = text
        .split(|o| !o.is_ascii_digit())
        .filter(|word| !word.is_empty());
    let number = decimal(numbers.next()?)?;
    numbers.next().is_none().then_some(number)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = digits.trim_ascii();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain
        .then(|| str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> FtpCommand<'static> {
        FtpCommand::Active(text.parse().unwrap())
    }

    #[test]
    fn commands() {
        let transfer = |verb, path, upload| FtpCommand::Transfer { verb, path, upload };
        for (line, expected) in [
            (&b"PORT 192,0,2,2,169,205\r\n"[..], at("192.0.2.2:43469")),
            (b"EPRT |1|192.0.2.2|43469|\r\n", at("192.0.2.2:43469")),
            (b"EPRT |2|2001:db8::2|5282|", at("[2001:db8::2]:5282")),
            (b"eprt !1!192.0.2.2!9!", at("192.0.2.2:9")),
            (b"PORT 192,0,2,256,1,1", FtpCommand::Other),
            (b"PORT 192,0,2,2,1", FtpCommand::Other),
            (b"PORT 192,0,2,2,1,1,1", FtpCommand::Other),
            (b"EPRT |1|192.0.2.2|65536|", FtpCommand::Other),
            (b"EPRT", FtpCommand::Other),
            (b"PASV\r\n", FtpCommand::Passive),
            (b"EPSV 2\r\n", FtpCommand::Passive),
            (b"EPSV ALL\r\n", FtpCommand::Other),
            (b"REST 5000\r\n", FtpCommand::Restart(5000)),
            (b"REST -1", FtpCommand::Other),
            (b"RETR a b.bin\r\n", transfer("RETR", b"a b.bin", false)),
            (b"stor x", transfer("STOR", b"x", true)),
            (b"APPE x", transfer("APPE", b"x", true)),
            (b"STOU", transfer("STOU", b"", true)),
            (b"LIST -la /pub", transfer("LIST", b"-la /pub", false)),
            (b"MLSD", transfer("MLSD", b"", false)),
            (b"CWD sub", FtpCommand::Directory(b"sub")),
            (b"TYPE I", FtpCommand::Type { image: true }),
            (b"TYPE A N", FtpCommand::Type { image: false }),
            (b"SIZE a.bin\r\n", FtpCommand::Size(b"a.bin")),
            (b"", FtpCommand::Other),
        ] {
            assert_eq!(command(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn replies() {
        let ip = |text: &str| Some(text.parse().unwrap());
        for (text, expected) in [
            (
                &b"227 Entering Passive Mode (192,168,0,193,28,86)\r\n"[..],
                FtpReply::Passive(ip("192.168.0.193"), 7254),
            ),
            (
                b"227 =192,0,2,1,8,136",
                FtpReply::Passive(ip("192.0.2.1"), 2184),
            ),
            (b"227 no numbers", FtpReply::Other),
            (
                b"229 Entering Extended Passive Mode (|||2157|)",
                FtpReply::Passive(None, 2157),
            ),
            (b"229 (|||)", FtpReply::Other),
            (b"125 Data connection already open.", FtpReply::Begins(None)),
            (
                b"150 Opening BINARY mode data connection for a(1).bin (68 bytes).\r\n",
                FtpReply::Begins(Some(68)),
            ),
            (
                b"226-Some text\r\n226 Transfer complete.\r\n",
                FtpReply::Done,
            ),
            (
                b"350 Restarting at position 8000.\r\n",
                FtpReply::Continue(Some(8000)),
            ),
            (
                b"350 Restart position accepted (8000).",
                FtpReply::Continue(Some(8000)),
            ),
            (b"350 Ready for RNTO.", FtpReply::Continue(None)),
            (b"426 Transfer aborted", FtpReply::Failed(426)),
            (b"550 No such file", FtpReply::Failed(550)),
            (b"213 21000\r\n", FtpReply::Size(21000)),
            (b"213-Status\r\n213 End\r\n", FtpReply::Other),
            (b"200 ok", FtpReply::Other),
            (b"22", FtpReply::Other),
            (b"", FtpReply::Other),
        ] {
            assert_eq!(reply(text), expected, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..80), start in 0..8_usize) {
            let starts = [&b""[..], b"227 (", b"229 (", b"150 x (", b"PORT ", b"EPRT |", b"REST ", b"RETR "];
            let line = [starts[start], &octets].concat();
            command(&line);
            reply(&line);
        }

        #[test]
        fn endpoints_are_read_back(ip: Ipv4Addr, port: u16) {
            let [a, b, c, d] = ip.octets();
            let line = format!("PORT {a},{b},{c},{d},{},{}", port >> 8, port & 255);
            prop_assert_eq!(command(line.as_bytes()), FtpCommand::Active(SocketAddr::new(ip.into(), port)));
            let line = format!("EPRT |1|{ip}|{port}|");
            prop_assert_eq!(command(line.as_bytes()), FtpCommand::Active(SocketAddr::new(ip.into(), port)));
            let line = format!("227 ok ({a},{b},{c},{d},{},{}).", port >> 8, port & 255);
            prop_assert_eq!(reply(line.as_bytes()), FtpReply::Passive(Some(ip.into()), port));
        }
    }
}
