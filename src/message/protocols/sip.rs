//! SIP (RFC 3261, 7 and 18.3).

use super::super::fields::MessageFields;
use super::super::head::{first_values, unfolded_lines};
use super::super::headers::{HeaderProtocol, HeaderSyntax};
use super::super::length::response_if;
use super::super::row::{DatagramRow, ProtocolRow, transaction_number};
use super::super::text::{escape, first_line};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memchr;
use std::borrow::Cow;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "sip",
    alpn: &["sip/2"],
    kind: Some(|m| response_if(m.starts_with(SYNTAX.version))),
    fields: Some(fields),
    field_names: &["status", "reason", "method", "uri", "from", "to", "call_id"],
    summary: Some(summary),
    transaction: Some(transaction),
    user_message_summary: Some(summary),
    about: "SIP (RFC 3261), over TCP and UDP",
    ports: &[5060],
    ..ProtocolRow::NONE
};

/// How its messages are written.
pub(super) static SYNTAX: HeaderSyntax = HeaderSyntax {
    version: b"SIP/2.0",
    version_len: 7,
    methods: &[
        b"INVITE",
        b"ACK",
        b"BYE",
        b"CANCEL",
        b"REGISTER",
        b"OPTIONS",
        b"PRACK",
        b"SUBSCRIBE",
        b"NOTIFY",
        b"PUBLISH",
        b"INFO",
        b"REFER",
        b"MESSAGE",
        b"UPDATE",
    ],
    compact: true,
    interleaved: false,
};

/// Framed by its header section.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sip;

impl HeaderProtocol for Sip {
    const SYNTAX: &'static HeaderSyntax = &SYNTAX;
}

/// What stands behind the start line.
fn header(m: &[u8]) -> &[u8] {
    m.get(memchr(b'\n', m).map_or(m.len(), |end| end + 1)..)
        .unwrap_or_default()
}

/// From, To and Call-ID, by their names in full or compact (RFC 3261, 7.3.3).
fn parties(m: &[u8]) -> [Option<Cow<'_, [u8]>>; 3] {
    let [from, f, to, t, call, i] =
        first_values(header(m), ["from", "f", "to", "t", "call-id", "i"]);
    [from.or(f), to.or(t), call.or(i)]
}

/// The address in a From or To: what stands in angle brackets, else what stands before the parameters (RFC 3261, 20.10).
fn address(field: &[u8]) -> &[u8] {
    let inner = field
        .iter()
        .position(|c| *c == b'<')
        .and_then(|at| field.get(at + 1..))
        .and_then(|rest| rest.split(|c| *c == b'>').next());
    inner.unwrap_or_else(|| field.split(|c| *c == b';').next().unwrap_or_default())
}

/// The method of the request that a message is or answers (RFC 3261, 20.16).
fn method_of_cseq(m: &[u8]) -> Option<Vec<u8>> {
    let [cseq] = first_values(header(m), ["cseq"]);
    // A number, and the method.
    let cseq = cseq?;
    let cseq = cseq.trim_ascii();
    let method = cseq.rsplit(u8::is_ascii_whitespace).next()?;
    (method.len() < cseq.len()).then(|| method.to_vec())
}

/// The call and the number and method of its request, which answers repeat (RFC 3261, 8.2.6.2).
fn transaction(_: Transport, m: &[u8]) -> Option<u64> {
    let [cseq] = first_values(header(m), ["cseq"]);
    let [.., call] = parties(m);
    Some(transaction_number((call, cseq)))
}

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let line = unfolded_lines(m).next().unwrap_or_default();
    let mut words = line.splitn(3, |c| *c == b' ');
    let (first, second, third) = (words.next(), words.next(), words.next());
    if line.starts_with(SYNTAX.version) {
        let code = second.and_then(|w| std::str::from_utf8(w).ok()?.parse().ok());
        if let Some(code) = code {
            to.number("status", code);
        }
        to.text_if("reason", third);
    } else {
        to.text_if("method", first);
        to.text_if("uri", second);
    }
    let [from, called, call] = parties(m);
    to.text_if("from", from.as_deref().map(address));
    to.text_if("to", called.as_deref().map(address));
    to.text_if("call_id", call.as_deref());
}

/// The start line, and who talks to whom.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    if !SYNTAX.begins(m) {
        return false;
    }
    first_line(m, out);
    let is_answer = m.starts_with(SYNTAX.version);
    if let [Some(from), Some(to), _] = parties(m) {
        out.push_str(" (");
        // Which of the call's requests it answers.
        if let Some(method) = method_of_cseq(m).filter(|_| is_answer) {
            escape(&method, out);
            out.push_str(", ");
        }
        escape(address(&from), out);
        out.push_str(" to ");
        escape(address(&to), out);
        out.push(')');
    }
    true
}

/// A datagram that begins with a start line.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "SIP (RFC 3261)",
    ports: &[],
    is_plausible: |m| SYNTAX.begins(m),
};

#[cfg(test)]
mod tests {
    use super::super::super::framing::Found;
    use super::*;
    use crate::base::message::Kind;

    const REQUEST: &[u8] = b"INVITE sip:b@example SIP/2.0\r\nVia: x\r\nl: 4\r\n\r\nbody";
    const RESPONSE: &[u8] = b"SIP/2.0 200 OK\r\nVia: x\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn start_lines() {
        for (line, kind) in [
            (&b"INVITE sip:b@example SIP/2.0\r"[..], Some(Kind::Request)),
            (b"FOO sip:b SIP/2.0", Some(Kind::Request)),
            (b"SIP/2.0 180 Ringing\r", Some(Kind::Response)),
            (b"SIP/2.0 18 Ringing", None),
            (b"INVITE SIP/2.0", None),
            (b"GET / HTTP/1.1", None),
            (b"Via: SIP/2.0/TCP host", None),
        ] {
            assert_eq!(SYNTAX.start_line(line), kind, "{}", line.escape_ascii());
        }
        assert_eq!(SYNTAX.content_length(b"A: b\r\nL : 7\r\n\r\n"), 7);
        let too_long = b"Content-Length: 99999999999999999999\r\n";
        assert_eq!(SYNTAX.content_length(too_long), 0);
    }

    #[test]
    fn messages_are_found_wherever_octets_end() {
        for message in [REQUEST, RESPONSE] {
            for rest in [
                &b""[..],
                b"value",
                b"Via: SIP/2.0/TCP a\r\nx: y\r\n\r\n",
                b"INVITE ",
            ] {
                let mut octets = rest.to_vec();
                octets.extend(message);
                let at = rest.len();
                assert_eq!(SYNTAX.find(&octets, true), Found::At(at), "behind {rest:?}");
                for n in at..octets.len() {
                    match SYNTAX.find(&octets[..n], true) {
                        Found::At(found) => assert_eq!(found, at),
                        Found::Nowhere { keep } => {
                            assert!(keep <= at, "{keep} behind {rest:?} at {n}")
                        }
                    }
                }
            }
        }
    }
}
