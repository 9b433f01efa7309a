//! What lines look like: colours where they are wanted, and what of a message deserves one.

use super::clock::TimeForm;
use crate::base::state::{Deserialize, Serialize};
use crate::message::{FieldValue, MessageFields};
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How lines are drawn: colours of 16, none of which is lost on a light or a dark background, and what fits.
pub(in crate::sink) struct Paint {
    pub(in crate::sink) dim: &'static str,
    pub(in crate::sink) bold: &'static str,
    pub(in crate::sink) client: &'static str,
    pub(in crate::sink) server: &'static str,
    pub(in crate::sink) protocol: &'static str,
    pub(in crate::sink) warn: &'static str,
    pub(in crate::sink) bad: &'static str,
    pub(in crate::sink) off: &'static str,
    pub(in crate::sink) arrow: &'static str,
    /// The arrow of an answer.
    pub(in crate::sink) back: &'static str,
    ellipsis: &'static str,
    /// Columns of the terminal.
    width: Option<usize>,
}

/// Octets in a row of a dump, of which the widest that fits is taken; and its columns without its indent.
const ROWS: [(usize, usize); 3] = [(16, 76), (8, 43), (4, 27)];

impl Paint {
    pub(in crate::sink) const fn new(look: &Look) -> Self {
        let paint = Self::colors(look.color, look.light);
        let (arrow, back, ellipsis) = if look.ascii {
            (">", "<", "~")
        } else {
            ("\u{2192}", "\u{2190}", "\u{2026}")
        };
        Self {
            arrow,
            back,
            ellipsis,
            width: look.width,
            ..paint
        }
    }

    /// Octets in a row of a dump that is indented so far.
    pub(in crate::sink) fn row(&self, indent: usize) -> usize {
        let fits = |(_, columns): &&(usize, usize)| {
            self.width.is_none_or(|width| indent + columns <= width)
        };
        let [.., (least, _)] = ROWS;
        ROWS.iter().find(fits).map_or(least, |(octets, _)| *octets)
    }

    /// What of a text fits behind an indent, with an ellipsis where it is cut.
    pub(in crate::sink) fn fitting<'a>(&self, text: &'a str, indent: usize) -> Cow<'a, str> {
        let room = self.width.map(|width| width.saturating_sub(indent));
        match room.map(|room| cut(text, room)) {
            None | Some((_, "")) => text.into(),
            Some((begin, _)) => format!("{begin}{}", self.ellipsis).into(),
        }
    }

    /// On a light background yellow, green and cyan cannot be read.
    const fn colors(color: bool, light: bool) -> Self {
        if color && light {
            Self {
                client: "\x1b[34m",
                protocol: "\x1b[34m",
                warn: "\x1b[35m",
                ..Self::colors(true, false)
            }
        } else if color {
            Self {
                arrow: "",
                back: "",
                ellipsis: "",
                width: None,
                dim: "\x1b[2m",
                bold: "\x1b[1m",
                client: "\x1b[32m",
                server: "\x1b[35m",
                protocol: "\x1b[36m",
                warn: "\x1b[33m",
                bad: "\x1b[31m",
                off: "\x1b[0m",
            }
        } else {
            Self {
                arrow: "",
                back: "",
                ellipsis: "",
                width: None,
                dim: "",
                bold: "",
                client: "",
                server: "",
                protocol: "",
                warn: "",
                bad: "",
                off: "",
            }
        }
    }
}

/// What of a text fits into so many columns, with an ellipsis where it is cut.
pub(super) fn cut(text: &str, columns: usize) -> (&str, &'static str) {
    // No character has more columns than octets.
    if text.len() <= columns || text.width() <= columns {
        return (text, "");
    }
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns.saturating_sub(1) {
            return (text.get(..at).unwrap_or_default(), "\u{2026}");
        }
    }
    (text, "")
}

/// What lines look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// With colours.
    pub color: bool,
    /// With those that can be read on a light background.
    pub light: bool,
    /// Columns of the terminal; None: there is none, or lines are to be as long as they are.
    pub width: Option<usize>,
    /// How times are shown.
    pub time: TimeForm,
    /// Gaps between messages are drawn where messages are shown in full.
    pub gaps: bool,
    /// With characters of ASCII alone, as in a locale that is not UTF-8.
    pub ascii: bool,
}

/// A text in which characters that are none of ASCII are escaped.
pub fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out.into()
}

/// Escapes what stands in a text behind `from`, where that is wanted.
pub(in crate::sink) fn escape_behind(text: &mut String, from: usize, wanted: bool) {
    if wanted && let Some(Cow::Owned(escaped)) = text.get(from..).map(ascii) {
        text.replace_range(from.., &escaped);
    }
}

/// Draws the ellipses of a line, behind `from`, in ASCII: one column, as they have.
pub(in crate::sink) fn plain_ellipses(line: &mut String, from: usize) {
    if let Some(part) = line.get(from..).filter(|part| !part.is_ascii()) {
        let plain = part.replace('\u{2026}', "~");
        line.replace_range(from.., &plain);
    }
}

/// What a message says of how things went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(in crate::sink) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Something that was asked for was refused, or is not there.
    Warn,
    /// Something has failed.
    Bad,
}

impl Tone {
    /// By the status codes of HTTP and its relatives (RFC 9110, 15; RFC 3261, 21), and the response codes of DNS; by what summaries
    /// of other protocols say where something was refused.
    pub(super) fn of(protocol: &str, summary: &str, fields: &MessageFields) -> Self {
        let mut words = summary.split(' ');
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let number = |word: &str| match word.as_bytes().first() {
            Some(b'4') => Self::Warn,
            Some(b'5') => Self::Bad,
            _ => Self::Plain,
        };
        let bad = |is: bool| if is { Self::Bad } else { Self::Plain };
        match protocol {
            "resp" | "pop" => return bad(first.starts_with('-')),
            "smtp" | "ftp" => return number(first),
            "rtsp" if first.starts_with("RTSP/") => return number(second),
            "imap" => return bad(matches!(second, "NO" | "BAD")),
            "mysql" | "tftp" => return bad(first == "error"),
            "pgsql" => return bad(first == "ErrorResponse"),
            // Also what ends a connection of MQTT.
            "mqtt" | "snmp" => return bad(fields.get("error").is_some()),
            "dhcpv6" => return bad(fields.get("status").is_some()),
            "mbtcp" | "tpkt" => return bad(summary.contains(", error")),
            "diameter" => return bad(summary.contains(", error") || result(summary) >= 3000),
            "amqp" if first.ends_with(".close") => return bad(!matches!(second, "" | "200")),
            "bgp" => return bad(first == "NOTIFICATION"),
            "cql" => return bad(first == "ERROR"),
            "opcua" => return bad(first == "error" || summary == "fault response"),
            "stun" => return bad(summary.contains(" error")),
            "dhcp" => return bad(first == "nak"),
            "doip" => {
                let refused = ["negative acknowledgment", "diagnostic refusal"];
                return bad(refused.contains(&summary));
            }
            "tls" if first == "alert," && second == "fatal:" => return Self::Bad,
            "tls" if first == "alert," && !summary.ends_with("close notify") => {
                return Self::Warn;
            }
            // Procedures of radio access networks, whatever the protocol.
            "data" => return Self::Plain,
            _ if first == "unsuccessfulOutcome" => return Self::Warn,
            _ if first == "initiatingMessage"
                && second.trim_end_matches(',') == "ErrorIndication" =>
            {
                return Self::Bad;
            }
            "radius" => return bad(first == "Access-Reject"),
            // What another answer follows is no error (MS-ERREF, 2.3).
            "nbss" => {
                return match fields.get("status") {
                    Some(FieldValue::Number(0xc000_0016)) => Self::Plain,
                    Some(FieldValue::Number(0xc000_0000..)) => Self::Bad,
                    Some(FieldValue::Number(0x8000_0000..)) => Self::Warn,
                    _ => Self::Plain,
                };
            }
            "ldap" if second == "response" || (first, second) == ("search", "done") => {
                return ldap(summary);
            }
            _ => {}
        }
        match (fields.get("status"), fields.get("rcode")) {
            (Some(FieldValue::Number(500..)), _) => Self::Bad,
            (Some(FieldValue::Number(400..)), _) => Self::Warn,
            (_, Some(FieldValue::Text("NXDOMAIN"))) => Self::Warn,
            (_, Some(FieldValue::Text(code))) if code != "NOERROR" => Self::Bad,
            _ => Self::Plain,
        }
    }
}

/// The greatest result of what is said of messages of Diameter: from 3000 on they are errors (RFC 6733, 7.1).
fn result(summary: &str) -> u32 {
    let results = summary.split(", result ").skip(1);
    let numbers = results.filter_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

/// Results of LDAP that are no refusal (RFC 4511, 4.1.9).
const NO_REFUSALS: [&str; 5] = [
    " success",
    " compare true",
    " compare false",
    " referral",
    " SASL bind in progress",
];

fn ldap(summary: &str) -> Tone {
    // Of an answer that is cut the result is not known.
    let whole = summary.split(' ').nth(3).is_some();
    if whole && !NO_REFUSALS.iter().any(|fine| summary.ends_with(fine)) {
        Tone::Bad
    } else {
        Tone::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::Transport;
    use crate::base::message::Kind;

    #[test]
    fn errors_have_a_tone() {
        for (protocol, summary, tone) in [
            ("resp", "-ERR no such command", Tone::Bad),
            ("resp", "set k -1", Tone::Plain),
            ("smtp", "450 try later", Tone::Warn),
            ("ftp", "550 no such file", Tone::Bad),
            ("rtsp", "RTSP/1.0 404 Not Found", Tone::Warn),
            ("rtsp", "PLAY 5 RTSP/1.0", Tone::Plain),
            ("imap", "a1 NO no such mailbox", Tone::Bad),
            ("imap", "* OK ready", Tone::Plain),
            ("mysql", "error 1146 no such table", Tone::Bad),
            ("mysql", "query select error", Tone::Plain),
            ("pgsql", "ErrorResponse 42P01", Tone::Bad),
            (
                "mbtcp",
                "read coils, unit 1, transaction 7, error 2",
                Tone::Bad,
            ),
            ("mqtt", "SUBSCRIBE id 1 a, refused: b", Tone::Plain),
            ("amqp", "connection.close 320 CONNECTION_FORCED", Tone::Bad),
            ("amqp", "channel.close 200", Tone::Plain),
            ("radius", "Access-Reject", Tone::Bad),
            ("tpkt", "S7 ack-data read var, error 0x8104", Tone::Bad),
            ("nbss", "SMB2 create response, no such file", Tone::Plain),
            ("ldap", "bind response 1 success", Tone::Plain),
            ("ldap", "search done 2 no such object: x", Tone::Bad),
            ("ldap", "bind response 1 invalid credentials", Tone::Bad),
            ("ldap", "search entry 2 cn=a response of b", Tone::Plain),
            ("ldap", "bind response 1", Tone::Plain),
            ("data", "error 5", Tone::Plain),
            ("diameter", "AA Answer (265), result 2001", Tone::Plain),
            (
                "diameter",
                "AA Answer (265), result 2001 + AA Answer (265), result 5012",
                Tone::Bad,
            ),
            ("bgp", "NOTIFICATION", Tone::Bad),
            ("bgp", "UPDATE", Tone::Plain),
            ("cql", "ERROR", Tone::Bad),
            ("opcua", "fault response", Tone::Bad),
            ("opcua", "read response", Tone::Plain),
            ("stun", "allocate error 401 Unauthorized", Tone::Bad),
            ("dhcp", "nak 0x00000007", Tone::Bad),
            ("doip", "diagnostic refusal", Tone::Bad),
            ("tls", "alert, fatal: unknown CA", Tone::Bad),
            ("tls", "alert, warning: unrecognized name", Tone::Warn),
            ("tls", "alert, warning: close notify", Tone::Plain),
            // It is encrypted.
            ("tls", "encrypted alert", Tone::Plain),
            ("s1ap", "initiatingMessage ErrorIndication", Tone::Bad),
            (
                "s1ap",
                "initiatingMessage ErrorIndication, cause misc: unspecified",
                Tone::Bad,
            ),
            ("ngap", "unsuccessfulOutcome NGSetup", Tone::Warn),
            ("ngap", "initiatingMessage NGSetup", Tone::Plain),
            ("data", "unsuccessfulOutcome", Tone::Plain),
        ] {
            let found = Tone::of(protocol, summary, &MessageFields::default());
            assert_eq!(found, tone, "{protocol} {summary}");
        }
        let mut refused = MessageFields::default();
        refused.text("error", b"not authorized");
        let found = Tone::of("mqtt", "CONNACK, refused: not authorized", &refused);
        assert_eq!(found, Tone::Bad);
    }

    /// The status of SMB2 is no status of HTTP, however large.
    #[test]
    fn statuses_of_smb_have_a_tone() {
        let create = |status: u32| {
            let mut m = vec![0, 0, 0, 64, 0xfe, b'S', b'M', b'B', 64, 0, 0, 0];
            m.extend(status.to_le_bytes());
            m.extend([5, 0, 0, 0, 1, 0, 0, 0]);
            m.resize(68, 0);
            m
        };
        for (status, tone) in [
            (0, Tone::Plain),
            (0x103, Tone::Plain),
            (0x8000_0006, Tone::Warn),
            (0xc000_0016, Tone::Plain),
            (0xc000_0034, Tone::Bad),
        ] {
            let m = create(status);
            let fields = crate::message::fields("nbss", Transport::Tcp, Kind::Response, &m);
            assert_eq!(Tone::of("nbss", "", &fields), tone, "{status:#x}");
        }
    }
}
