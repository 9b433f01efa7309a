//! RTSP (RFC 7826, 5; its interleaved frames: 14).

use super::super::fields::MessageFields;
use super::super::head::first_values;
use super::super::headers::{HeaderProtocol, HeaderSyntax};
use super::super::row::ProtocolRow;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memchr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "rtsp",
    about: "RTSP (RFC 2326, RFC 7826), with interleaved frames",
    ports: &[554, 8554],
    transaction: Some(transaction),
    one_answer: true,
    fields: Some(fields),
    field_names: &["method", "uri", "status", "reason", "cseq"],
    ..ProtocolRow::NONE
};

/// The number of the request, which its answer repeats (RFC 7826, 18.20).
fn transaction(_: Transport, m: &[u8]) -> Option<u64> {
    let fields = m.get(memchr(b'\n', m).map_or(m.len(), |end| end + 1)..);
    let [cseq] = first_values(fields.unwrap_or_default(), ["cseq"]);
    cseq.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok())
}

/// How its messages are written.
pub(super) static SYNTAX: HeaderSyntax = HeaderSyntax {
    version: b"RTSP/",
    version_len: 8,
    methods: &[
        b"OPTIONS",
        b"DESCRIBE",
        b"ANNOUNCE",
        b"SETUP",
        b"PLAY",
        b"PAUSE",
        b"RECORD",
        b"TEARDOWN",
        b"GET_PARAMETER",
        b"SET_PARAMETER",
        b"REDIRECT",
        b"PLAY_NOTIFY",
    ],
    compact: false,
    interleaved: true,
};

/// Framed by its header section.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtsp;

impl HeaderProtocol for Rtsp {
    const SYNTAX: &'static HeaderSyntax = &SYNTAX;
}

/// What of a message has a name.
fn fields(transport: Transport, kind: Kind, m: &[u8], to: &mut MessageFields) {
    let line = m.split(|c| *c == b'\r' || *c == b'\n').next();
    let mut words = line.unwrap_or_default().splitn(3, |c| *c == b' ');
    let (first, second, third) = (words.next(), words.next(), words.next());
    match kind {
        Kind::Response => {
            let code = second.and_then(|w| std::str::from_utf8(w).ok()?.parse().ok());
            if let Some(code) = code {
                to.number("status", code);
            }
            to.text_if("reason", third);
        }
        Kind::Request => {
            to.text_if("method", first);
            to.text_if("uri", second);
        }
        // A frame between them.
        Kind::Other => return,
    }
    if let Some(number) = transaction(transport, m) {
        to.number("cseq", number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_lines() {
        for (line, kind) in [
            (&b"PLAY rtsp://a/b RTSP/1.0\r"[..], Some(Kind::Request)),
            (b"RTSP/2.0 200 OK", Some(Kind::Response)),
            (b"RTSP/x.0 200 OK", None),
        ] {
            assert_eq!(SYNTAX.start_line(line), kind, "{}", line.escape_ascii());
        }
        assert_eq!(SYNTAX.content_length(b"l: 7\r\n\r\n"), 0);
    }
}
