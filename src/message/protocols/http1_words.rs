//! HTTP/1.x for people and tables: the summary of a message, and what of its head is listed by name.

use super::super::fields::MessageFields;
use super::super::head::{HttpStart, first_values};
use super::super::text::{escape, first_line};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memchr;

/// Octets of a host name or media type that a summary shows: longer ones are no use in a line.
const SHOWN: usize = 80;

/// What [`fields`] lists.
pub(super) const FIELD_NAMES: &[&str] = &[
    "method",
    "uri",
    "host",
    "user_agent",
    "status",
    "reason",
    "server",
    "location",
    "content_type",
    "content_length",
];

/// The start line and what stands behind it.
fn split(m: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b'\n', m).map_or(m.len(), |end| end + 1);
    let (line, fields) = m.split_at(end);
    (line.trim_ascii_end(), fields)
}

/// What of a message has a name.
pub(super) fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let (line, rest) = split(m);
    let Some(start) = HttpStart::of_line(line) else {
        return;
    };
    // Names of fields, and what they are listed by.
    let ([first, second], listed) = match start {
        HttpStart::Request { method, target, .. } => {
            to.text("method", method);
            to.text("uri", target);
            (["host", "user-agent"], ["host", "user_agent"])
        }
        HttpStart::Response { status, .. } => {
            to.number("status", status.into());
            let reason = line.splitn(3, |c| *c == b' ').nth(2);
            to.text_if("reason", reason.map(<[u8]>::trim_ascii));
            (["server", "location"], ["server", "location"])
        }
    };
    let [first, second, kind, length] =
        first_values(rest, [first, second, "content-type", "content-length"]);
    for (name, value) in listed.into_iter().zip([first, second]) {
        to.text_if(name, value.as_deref());
    }
    to.text_if("content_type", kind.as_deref());
    let length = length.and_then(|l| std::str::from_utf8(&l).ok()?.parse().ok());
    if let Some(length) = length {
        to.number("content_length", length);
    }
}

/// The start line, and in parentheses the host that a request asks, or the media type of a response.
pub(super) fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let (line, rest) = split(m);
    let wanted = match HttpStart::of_line(line) {
        Some(HttpStart::Request { .. }) => "host",
        Some(HttpStart::Response { .. }) => "content-type",
        // An answer of HTTP/0.9 (RFC 1945, 6), or one whose beginning was lost.
        None if m.is_empty() => {
            out.push_str("body without a header section");
            return true;
        }
        None => return false,
    };
    first_line(m, out);
    let [value] = first_values(rest, [wanted]);
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        out.push_str(" (");
        escape(value.get(..SHOWN).unwrap_or(&value), out);
        out.push(')');
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::FieldValue;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn start_lines_with_host_or_type() {
        for (octets, expected) in [
            (
                &b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"[..],
                "GET /x HTTP/1.1 (a.example)",
            ),
            (
                b"HTTP/1.1 200 OK\nA: b\nCONTENT-TYPE:  text/html;\n charset=x\n\n",
                "HTTP/1.1 200 OK (text/html; charset=x)",
            ),
            (
                b"GET / HTTP/1.1\r\nHost:\x1b[31m\r\n\r\n",
                "GET / HTTP/1.1 (\\x1b[31m)",
            ),
            (b"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 404 Not Found"),
            (b"GET / HTTP/1.1", "GET / HTTP/1.1"),
            (b"\x00\x01", ""),
            (b"", "body without a header section"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn fields_by_name() {
        let mut read = MessageFields::default();
        let head =
            b"POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 7\r\nContent-Type: text/x\r\n\r\n";
        fields(Transport::Tcp, Kind::Other, head, &mut read);
        let names: Vec<_> = read.iter().map(|(name, _)| name).collect();
        let all = ["method", "uri", "host", "content_type", "content_length"];
        assert_eq!(names, all);
        assert_eq!(read.get("content_length"), Some(FieldValue::Number(7)));
        assert_eq!(read.get("host"), Some(FieldValue::Text("b")));
        let mut read = MessageFields::default();
        fields(
            Transport::Tcp,
            Kind::Other,
            b"HTTP/1.1 404 Not Found\r\n\r\n",
            &mut read,
        );
        assert_eq!(read.get("status"), Some(FieldValue::Number(404)));
        let reason = FieldValue::Text("Not Found");
        assert_eq!(read.get("reason"), Some(reason));
    }
}
