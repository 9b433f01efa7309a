//! SIP (RFC 3261, 7 and 18.3).

use super::super::headers::{HeaderProtocol, HeaderSyntax};
use super::super::row::{DatagramRow, ProtocolRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "sip",
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
