//! XMPP (RFC 6120): a stream of XML in each direction; a message is the tag that opens it, a stanza in it, or the tag that closes it.

use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, BodyPart, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::row::{ProtocolRow, transaction_number};
use super::super::text::escape;
use super::super::textual::{any, begins_as};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::{memchr, memmem};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "xmpp",
    alpn: &["xmpp-client", "xmpp-server"],
    aliases: &["jabber"],
    about: "XMPP (RFC 6120): stanzas of XML",
    ports: &[5222, 5269],
    transaction: Some(|_, m| {
        let (name, _) = tag(m)?;
        let id = attribute(m, b"id").filter(|_| name == b"iq")?;
        Some(transaction_number(id))
    }),
    summary: Some(|_, m, out| summary(m, out)),
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &["stanza", "type", "id", "from", "to"],
    ..ProtocolRow::NONE
};

/// Octets of a tag that opens a message, at most.
// An address has 3 KiB at most (RFC 7622, 3.1). Each segment of a tag that is cut has it read again, so that it has to stay small.
const TAG: usize = 4 << 10;

/// Recognises it.
pub(crate) struct XmppDetector;

impl Detector for XmppDetector {
    fn probe(&self, octets: &[u8], _: bool) -> Probe {
        match any([
            begins_as(octets, b"<?xml "),
            begins_as(octets, b"<stream:stream "),
        ]) {
            Probe::Yes if octets.starts_with(b"<?") => {
                let window = octets.get(..512).unwrap_or(octets);
                match memmem::find(window, b"?>") {
                    // What is declared may be any XML: the stream has to follow.
                    Some(end) => {
                        match begins_as(window[end + 2..].trim_ascii_start(), b"<stream:stream") {
                            Probe::No if window.len() < end + 8 => Probe::More,
                            probe => probe,
                        }
                    }
                    None if octets.len() < 512 => Probe::More,
                    None => Probe::No,
                }
            }
            probe => probe,
        }
    }

    fn reads_lines(&self) -> bool {
        false
    }
}

/// Where in the XML of a stanza the next octet stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum TagPlace {
    #[default]
    Text,
    /// Behind a `<`.
    Opens,
    /// In a tag: it closes an element; its last octet was a slash.
    Tag { closes: bool, slash: bool },
    /// In the value of an attribute.
    Value(u8),
    /// In what is no markup, with so many octets of its end; other declarations too.
    Data(u8),
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Stanza {
    place: TagPlace,
    /// Elements that are open.
    depth: u32,
}

impl Stanza {
    /// Reads octets up to the end of the stanza: how many they are, and whether it is there.
    fn read(&mut self, octets: &[u8]) -> (usize, bool) {
        for (at, octet) in octets.iter().enumerate() {
            self.place = match (self.place, octet) {
                (TagPlace::Text, b'<') => TagPlace::Opens,
                (TagPlace::Text, _) => TagPlace::Text,
                (TagPlace::Opens, b'/') => TagPlace::Tag {
                    closes: true,
                    slash: false,
                },
                (TagPlace::Opens, b'!') => TagPlace::Data(0),
                (TagPlace::Opens, _) => TagPlace::Tag {
                    closes: false,
                    slash: false,
                },
                (TagPlace::Tag { .. }, quote @ (b'"' | b'\'')) => TagPlace::Value(*quote),
                (TagPlace::Tag { closes, slash }, b'>') => {
                    if closes {
                        self.depth = self.depth.saturating_sub(1);
                    } else if !slash {
                        self.depth = self.depth.saturating_add(1);
                    }
                    if self.depth == 0 {
                        self.place = TagPlace::Text;
                        return (at + 1, true);
                    }
                    TagPlace::Text
                }
                (TagPlace::Tag { closes, .. }, octet) => TagPlace::Tag {
                    closes,
                    slash: *octet == b'/',
                },
                // Values stand in tags that open an element.
                (TagPlace::Value(quote), octet) if *octet == quote => TagPlace::Tag {
                    closes: false,
                    slash: false,
                },
                (TagPlace::Value(quote), _) => TagPlace::Value(quote),
                (TagPlace::Data(n), b']') => TagPlace::Data((n + 1).min(2)),
                (TagPlace::Data(2), b'>') => TagPlace::Text,
                (TagPlace::Data(_), _) => TagPlace::Data(0),
            };
        }
        (octets.len(), false)
    }
}

/// Frames a connection.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Xmpp {
    sides: [Stanza; 2],
}

/// The name of the first tag, with its slash where it closes, and where the tag ends.
fn tag(m: &[u8]) -> Option<(&[u8], usize)> {
    let from = match m.starts_with(b"<?") {
        true => memmem::find(m.get(..TAG).unwrap_or(m), b"?>")? + 2,
        false => 0,
    };
    let blanks = m[from..]
        .iter()
        .take_while(|o| o.is_ascii_whitespace())
        .count();
    let from = from + blanks;
    let rest = m.get(from..)?.strip_prefix(b"<")?;
    let mut quote = None;
    let end = rest.iter().take(TAG).position(|o| {
        match quote {
            Some(q) if q == *o => quote = None,
            None if matches!(o, b'"' | b'\'') => quote = Some(*o),
            _ => {}
        }
        quote.is_none() && *o == b'>'
    })?;
    let name = rest[..end].iter().position(|o| o.is_ascii_whitespace());
    let name = &rest[..name.unwrap_or(end)];
    Some((name.strip_suffix(b"/").unwrap_or(name), from + 1 + end + 1))
}

/// The value of an attribute of the first tag.
fn attribute<'a>(m: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (_, end) = tag(m)?;
    let tag = &m[..end];
    let mut from = 0;
    while let Some(at) = memmem::find(&tag[from..], name) {
        let (before, behind) = (from + at, from + at + name.len());
        from = behind;
        let word = before > 0 && tag[before - 1].is_ascii_whitespace();
        if word && let [b'=', quote @ (b'"' | b'\''), rest @ ..] = &tag[behind..] {
            return Some(&rest[..memchr(*quote, rest)?]);
        }
    }
    None
}

impl Framer for Xmpp {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let whole = |kind, head: usize, hand_over| Begin::Message {
            kind,
            head,
            body: MessageBody::Octets(0),
            hand_over,
        };
        let blanks = octets
            .iter()
            .take_while(|o| o.is_ascii_whitespace())
            .count();
        if blanks > 0 {
            // It keeps the connection alive (RFC 6120, 4.6.1).
            return whole(Kind::Other, blanks, false);
        }
        let Some((name, end)) = tag(octets) else {
            return match octets.first() {
                Some(b'<') if octets.len() < TAG && at.next == Following::Octets => Begin::NeedMore,
                _ => Begin::Refuse,
            };
        };
        let sound = name.iter().all(|o| o.is_ascii_graphic() && *o != b'<');
        if !sound || name.is_empty() {
            return Begin::Refuse;
        }
        let kind = match (name, attribute(octets, b"type")) {
            (b"iq", Some(b"get" | b"set")) => Kind::Request,
            (b"iq", Some(b"result" | b"error")) => Kind::Response,
            _ => Kind::Other,
        };
        let closed = octets[..end].ends_with(b"/>");
        if name.starts_with(b"/") || name == b"stream:stream" || closed {
            // TLS follows in both directions (RFC 6120, 5.4.2.3).
            return whole(kind, end, name == b"proceed");
        }
        self.sides[at.direction.index()] = Stanza {
            place: TagPlace::Text,
            depth: 1,
        };
        Begin::Message {
            kind,
            head: end,
            body: MessageBody::Parts,
            hand_over: name == b"proceed",
        }
    }

    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        if octets.is_empty() {
            return BodyPart::NeedMore;
        }
        let (n, ends) = self.sides[at.direction.index()].read(octets);
        match ends {
            true => BodyPart::Last(n as u64),
            false => BodyPart::Octets(n as u64),
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        // Stanzas stand in others too, but what a sender writes begins with one of its own.
        let mut from = 0;
        while let Some(hit) = memchr(b'<', &octets[from..]) {
            let place = from + hit;
            let words = [&b"<message"[..], b"<iq", b"<presence", b"</stream:stream"];
            if at.segment(place) && words.iter().any(|word| octets[place..].starts_with(word)) {
                return Found::At(place);
            }
            from = place + 1;
        }
        Found::Nowhere { keep: octets.len() }
    }

    fn gap(&mut self, direction: Direction) {
        self.sides[direction.index()] = Stanza::default();
    }
}

fn summary(m: &[u8], out: &mut String) -> bool {
    let Some((name, _)) = tag(m) else {
        return false;
    };
    escape(name, out);
    for name in [&b"type"[..], b"to"] {
        if let Some(value) = attribute(m, name) {
            out.push(' ');
            escape(value, out);
        }
    }
    true
}

fn fields(m: &[u8], to: &mut MessageFields) {
    let Some((name, _)) = tag(m) else {
        return;
    };
    to.text("stanza", name);
    to.text_if("type", attribute(m, b"type"));
    to.text_if("id", attribute(m, b"id"));
    to.text_if("from", attribute(m, b"from"));
    to.text_if("to", attribute(m, b"to"));
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;
    use crate::base::flow::Transport;

    #[test]
    fn stanzas_end_where_their_element_does() {
        let stanza = b"<body a='>' b=\"/>\">x<![CDATA[</message>]]><br/></body></message>more";
        for piece in [1, 3, 100] {
            let mut state = Stanza {
                place: TagPlace::Text,
                depth: 1,
            };
            let mut at = 0;
            for part in stanza.chunks(piece) {
                let (n, ends) = state.read(part);
                at += n;
                if ends {
                    break;
                }
            }
            assert_eq!(at, stanza.len() - 4, "{piece}");
        }
    }

    #[test]
    fn streams_are_recognised_and_stanzas_named() {
        let open = b"<?xml version='1.0'?><stream:stream to='a.example' version='1.0'>";
        assert_eq!(XmppDetector.probe(open, false), Probe::Yes);
        assert_eq!(XmppDetector.probe(&open[..20], false), Probe::More);
        assert_eq!(
            XmppDetector.probe(b"<?xml version='1.0'?><soap>", false),
            Probe::No
        );
        let iq = b"<iq type='get' id='7' to='a.example'><ping/></iq>";
        assert_eq!(
            said(|_, m, out| summary(m, out), Transport::Tcp, iq),
            "iq get a.example"
        );
        assert_eq!(
            said(|_, m, out| summary(m, out), Transport::Tcp, open),
            "stream:stream a.example"
        );
    }
}
