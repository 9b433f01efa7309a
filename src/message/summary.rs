//! A few words on a message, from its head: what a reader wants to see on one line.
//!
//! Whatever comes from the network is escaped: a line never holds a control character.

use super::length::{LengthField, number, octet};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// The most octets of a message that a summary shows.
const SHOWN: usize = 200;

/// Appends the summary of a message to `out`: its start line, its query, or its first octets. `head` is as in
/// [`super::MessageStart`].
pub fn summary(protocol: &str, transport: Transport, kind: Kind, head: &[u8], out: &mut String) {
    let done = match protocol {
        "dns" | "mdns" | "llmnr" => {
            // Over TCP two octets of length stand in front (RFC 1035, 4.2.2).
            let skip = if transport == Transport::Tcp { 2 } else { 0 };
            head.get(skip..).is_some_and(|m| dns(m, out))
        }
        "diameter" => super::bundled::summary(protocol, head, out),
        _ if transport == Transport::Sctp => super::bundled::summary(protocol, head, out),
        "resp" => words(head, out),
        "tls" => tls(head, out),
        "mqtt" => named(head, mqtt, out),
        "pgsql" => pgsql(head, out),
        "mysql" => mysql(head, out),
        "amqp" | "ldap" | "nbss" | "mbtcp" | "tpkt" | "someip" | "doip" | "bgp" | "104apci"
        | "mongo" | "websocket" | "ntp" | "dhcp" | "snmp" | "radius" | "tftp" | "stun" => {
            binary(protocol, transport, head, out)
        }
        _ => false,
    };
    if !done {
        let _ = kind;
        first_line(head, out);
    }
}

/// The words of a command, or a reply.
fn words(head: &[u8], out: &mut String) -> bool {
    let words = super::resp::words(head, 12);
    let from = out.len();
    if head.first() == Some(&b'*') && words.first().is_some_and(|w| w.len() > 32) {
        return false;
    }
    for word in &words {
        if out.len() - from > SHOWN {
            out.push_str(" ...");
            break;
        }
        if out.len() > from {
            out.push(' ');
        }
        escape(word.get(..SHOWN).unwrap_or(word), out);
    }
    !words.is_empty()
}

/// A name by the first octets, and the octets that they stand for.
fn named(head: &[u8], name: fn(&[u8], &mut String) -> Option<()>, out: &mut String) -> bool {
    let from = out.len();
    if name(head, out).is_none() {
        out.truncate(from);
        return false;
    }
    true
}

/// One of several names, or the number.
fn choose(names: &[(u64, &'static str)], number: u64, out: &mut String) {
    match names.iter().find(|(n, _)| *n == number) {
        Some((_, name)) => out.push_str(name),
        None => {
            let _ = write!(out, "type {number}");
        }
    }
}

/// The record, and in clear the handshake message in it (RFC 8446, 4 and 5.1); of a ClientHello the server's name.
fn tls(m: &[u8], out: &mut String) -> bool {
    let names = [
        (20, "change cipher spec"),
        (21, "alert"),
        (22, "handshake"),
        (23, "application data"),
        (24, "heartbeat"),
    ];
    let kind = octet(m, 0);
    if m.len() < 5 || !(20..=24).contains(&kind) {
        return false;
    }
    let handshake = [
        (0, "HelloRequest"),
        (1, "ClientHello"),
        (2, "ServerHello"),
        (4, "NewSessionTicket"),
        (8, "EncryptedExtensions"),
        (11, "Certificate"),
        (12, "ServerKeyExchange"),
        (13, "CertificateRequest"),
        (14, "ServerHelloDone"),
        (15, "CertificateVerify"),
        (16, "ClientKeyExchange"),
        (20, "Finished"),
    ];
    let message = u64::from(octet(m, 5));
    match handshake.iter().find(|(n, _)| *n == message) {
        Some((_, name)) if kind == 22 && number(m, 6, 3) < 1 << 18 => out.push_str(name),
        _ => choose(&names, u64::from(kind), out),
    }
    if kind == 22
        && message == 1
        && let Some(name) = server_name(m)
    {
        out.push(' ');
        escape(name, out);
    }
    true
}

/// The server's name that a ClientHello asks for (RFC 6066, 3).
fn server_name(m: &[u8]) -> Option<&[u8]> {
    let length = |at: usize, width: usize| usize::try_from(number(m, at, width)).ok();
    // Behind record header, message header, version and random.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + length(at, 1)?;
    at += 2 + length(at, 2)?;
    at += 1 + length(at, 1)?;
    let end = at + 2 + length(at, 2)?;
    at += 2;
    while at < end.min(m.len()) {
        let len = length(at + 2, 2)?;
        if number(m, at, 2) == 0 && at + 4 <= m.len() {
            let name = length(at + 7, 2)?;
            return m.get(at + 9..at + 9 + name);
        }
        at += 4 + len;
    }
    None
}

/// The type of an MQTT packet, and the topic of a PUBLISH (MQTT 5, 2.1.2).
fn mqtt(m: &[u8], out: &mut String) -> Option<()> {
    const NAMES: [&str; 15] = [
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];
    let kind = usize::from(octet(m, 0) >> 4);
    out.push_str(NAMES.get(kind.checked_sub(1)?)?);
    if kind == 3 {
        let (_, at) = LengthField::Mqtt { at: 1 }.read(m)??;
        let len = usize::try_from(number(m, at, 2)).ok()?;
        out.push(' ');
        escape(m.get(at + 2..at + 2 + len).unwrap_or_default(), out);
    }
    Some(())
}

/// The message, and the text of a query, an error or a completion (PostgreSQL, 55.7).
fn pgsql(m: &[u8], out: &mut String) -> bool {
    let kind = octet(m, 0);
    let text = |from: usize| -> &[u8] {
        let rest = m.get(from..).unwrap_or_default();
        rest.split(|o| *o == 0).next().unwrap_or_default()
    };
    match kind {
        b'S' if m.len() == 1 => out.push_str("TLS accepted"),
        b'G' if m.len() == 1 => out.push_str("GSSAPI accepted"),
        b'N' if m.len() == 1 => out.push_str("encryption refused"),
        0 if number(m, 4, 4) == 80_877_103 => out.push_str("SSLRequest"),
        0 if number(m, 4, 4) == 80_877_104 => out.push_str("GSSENCRequest"),
        0 if number(m, 4, 4) == 80_877_102 => out.push_str("CancelRequest"),
        b'Q' => {
            out.push_str("Query ");
            let query = text(5);
            escape(query.get(..SHOWN).unwrap_or(query), out);
        }
        0 => {
            out.push_str("StartupMessage");
            // Names and values, each ended by a zero octet.
            let mut words = m.get(8..).unwrap_or_default().split(|o| *o == 0);
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                if matches!(name, b"user" | b"database") {
                    out.push(' ');
                    escape(name, out);
                    out.push('=');
                    escape(value, out);
                }
            }
        }
        b'S' if number(m, 1, 4) == 4 => out.push_str("Sync"),
        b'S' => {
            out.push_str("ParameterStatus ");
            escape(text(5), out);
            out.push('=');
            escape(text(6 + text(5).len()), out);
        }
        b'Z' => {
            out.push_str("ReadyForQuery ");
            let states = [
                (b'I'.into(), "idle"),
                (b'T'.into(), "in transaction"),
                (b'E'.into(), "failed"),
            ];
            choose(&states, octet(m, 5).into(), out);
        }
        b'D' if matches!(octet(m, 5), b'S' | b'P') && m.last() == Some(&0) => {
            out.push_str("Describe ");
            escape(text(6), out);
        }
        b'D' | b'T' => {
            let name = if kind == b'D' {
                "DataRow"
            } else {
                "RowDescription"
            };
            let _ = write!(out, "{name}, {} columns", number(m, 5, 2));
        }
        b'C' if m.len() > 5 => {
            out.push_str("CommandComplete ");
            escape(text(5), out);
        }
        b'E' if m.get(5) == Some(&b'S') => {
            out.push_str("ErrorResponse ");
            let fields = m.get(5..).unwrap_or_default().split(|o| *o == 0);
            for field in fields.filter(|f| f.first() == Some(&b'M')) {
                escape(field.get(1..).unwrap_or_default(), out);
            }
        }
        _ => {
            const NAMES: &[(u8, &str)] = &[
                (b'R', "Authentication"),
                (b'K', "BackendKeyData"),
                (b'P', "Parse"),
                (b'B', "Bind"),
                (b'E', "Execute"),
                (b'1', "ParseComplete"),
                (b'2', "BindComplete"),
                (b'3', "CloseComplete"),
                (b'n', "NoData"),
                (b'N', "NoticeResponse"),
                (b'X', "Terminate"),
                (b'p', "PasswordMessage"),
                (b'd', "CopyData"),
                (b'c', "CopyDone"),
                (b'f', "CopyFail"),
                (b'G', "CopyInResponse"),
                (b'H', "CopyOutResponse or Flush"),
                (b'I', "EmptyQueryResponse"),
                (b't', "ParameterDescription"),
                (b'A', "NotificationResponse"),
                (b'C', "Close"),
                (b's', "PortalSuspended"),
                (b'F', "FunctionCall"),
            ];
            match NAMES.iter().find(|(k, _)| *k == kind) {
                Some((_, name)) => out.push_str(name),
                None => return false,
            }
        }
    }
    true
}

/// The command with its text, or what answers it (MySQL, client/server protocol).
fn mysql(m: &[u8], out: &mut String) -> bool {
    let Some(&first) = m.get(4) else {
        return false;
    };
    match (octet(m, 3), first) {
        (0, 10) => out.push_str("greeting"),
        (0, 3) => {
            out.push_str("query ");
            let text = m.get(5..).unwrap_or_default();
            escape(text.get(..SHOWN).unwrap_or(text), out);
        }
        (0, 1) => out.push_str("quit"),
        (0, 14) => out.push_str("ping"),
        (0, command) => {
            let _ = write!(out, "command {command}");
        }
        (_, 0xff) => {
            out.push_str("error ");
            escape(m.get(13..).unwrap_or_default(), out);
        }
        (_, 0) => out.push_str("ok"),
        (_, 0xfe) if m.len() < 13 => out.push_str("end of rows"),
        (1, columns) if m.len() == 5 => {
            let _ = write!(out, "{columns} columns");
        }
        // Protocol 4.1; octets that are reserved stand before the name.
        (1, _)
            if octet(m, 5) & 2 != 0 && m.get(13..32).is_some_and(|o| o.iter().all(|o| *o == 0)) =>
        {
            out.push_str("login ");
            let rest = m.get(36..).unwrap_or_default();
            escape(rest.split(|o| *o == 0).next().unwrap_or_default(), out);
        }
        (n, _) => {
            let _ = write!(out, "packet {n}");
        }
    }
    true
}

/// The message type of DHCP (RFC 2132, 9.6).
fn dhcp_kind(m: &[u8]) -> Option<u8> {
    option(m.get(240..)?, 53, 0)?.first().copied()
}

/// The value of an option: its code, its length, of which `own` octets count its head, and the value. An octet 0 that is
/// a code alone pads.
fn option(mut options: &[u8], wanted: u8, own: usize) -> Option<&[u8]> {
    while let [code, rest @ ..] = options {
        if *code == 0 && own == 0 {
            options = rest;
            continue;
        }
        let (len, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(*len).checked_sub(own)?)?;
        if *code == wanted {
            return Some(value);
        }
        options = rest;
    }
    None
}

/// Protocols of which a number says what a message is.
fn binary(protocol: &str, transport: Transport, m: &[u8], out: &mut String) -> bool {
    let from = out.len();
    match protocol {
        "amqp" => match octet(m, 0) {
            b'A' => out.push_str("protocol header"),
            1 => {
                let classes = [
                    (10, "connection"),
                    (20, "channel"),
                    (40, "exchange"),
                    (50, "queue"),
                    (60, "basic"),
                    (85, "confirm"),
                    (90, "tx"),
                ];
                choose(&classes, number(m, 7, 2), out);
                out.push('.');
                let known = match (number(m, 7, 2), number(m, 9, 2)) {
                    (10, 10) => "start",
                    (10, 11) => "start-ok",
                    (10, 30) => "tune",
                    (10, 31) => "tune-ok",
                    (10, 40) | (20, 10) => "open",
                    (10, 41) | (20, 11) => "open-ok",
                    (10, 50) | (20, 40) => "close",
                    (10, 51) | (20, 41) => "close-ok",
                    (40 | 50, 10) => "declare",
                    (40 | 50, 11) => "declare-ok",
                    (50, 20) => "bind",
                    (50, 21) => "bind-ok",
                    (60, 10) => "qos",
                    (60, 11) => "qos-ok",
                    (60, 20) => "consume",
                    (60, 21) => "consume-ok",
                    (60, 40) => "publish",
                    (60, 50) => "return",
                    (60, 60) => "deliver",
                    (60, 70) => "get",
                    (60, 71) => "get-ok",
                    (60, 72) => "get-empty",
                    (60, 80) => "ack",
                    (60, 90) => "reject",
                    (60, 120) => "nack",
                    (85 | 90, 10) => "select",
                    (85 | 90, 11) => "select-ok",
                    _ => "",
                };
                out.push_str(known);
                if known.is_empty() {
                    let _ = write!(out, "{}", number(m, 9, 2));
                }
            }
            kind => choose(
                &[
                    (2, "content header"),
                    (3, "content body"),
                    (8, "heartbeat"),
                    (0, "frame"),
                ],
                u64::from(kind),
                out,
            ),
        },
        "ldap" => {
            let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
                return false;
            };
            let names = [
                (0x60, "bind request"),
                (0x61, "bind response"),
                (0x42, "unbind request"),
                (0x63, "search request"),
                (0x64, "search entry"),
                (0x65, "search done"),
                (0x66, "modify request"),
                (0x67, "modify response"),
                (0x68, "add request"),
                (0x69, "add response"),
                (0x4a, "delete request"),
                (0x6b, "delete response"),
                (0x6c, "rename request"),
                (0x6d, "rename response"),
                (0x6e, "compare request"),
                (0x6f, "compare response"),
                (0x50, "abandon request"),
                (0x73, "search reference"),
                (0x77, "extended request"),
                (0x78, "extended response"),
                (0x79, "intermediate response"),
            ];
            let id = usize::from(octet(m, at + 1)).min(8);
            choose(&names, u64::from(octet(m, at + 2 + id)), out);
            let _ = write!(out, " {}", number(m, at + 2, id));
        }
        "nbss" => match octet(m, 4) {
            0xff => {
                let _ = write!(out, "SMB command 0x{:02x}", octet(m, 8));
            }
            0xfe => {
                const NAMES: [&str; 19] = [
                    "negotiate",
                    "session setup",
                    "logoff",
                    "tree connect",
                    "tree disconnect",
                    "create",
                    "close",
                    "flush",
                    "read",
                    "write",
                    "lock",
                    "ioctl",
                    "cancel",
                    "echo",
                    "query directory",
                    "change notify",
                    "query info",
                    "set info",
                    "oplock break",
                ];
                let name = NAMES.get(usize::from(octet(m, 16))).unwrap_or(&"command");
                let way = if octet(m, 20) & 1 == 0 {
                    "request"
                } else {
                    "response"
                };
                let _ = write!(out, "SMB2 {name} {way}");
            }
            0xfd => out.push_str("SMB2 encrypted"),
            _ => choose(
                &[
                    (0x81, "session request"),
                    (0x82, "session granted"),
                    (0x83, "session refused"),
                    (0x85, "keep-alive"),
                ],
                u64::from(octet(m, 0)),
                out,
            ),
        },
        "mbtcp" => {
            let names = [
                (1, "read coils"),
                (2, "read discrete inputs"),
                (3, "read holding registers"),
                (4, "read input registers"),
                (5, "write coil"),
                (6, "write register"),
                (15, "write coils"),
                (16, "write registers"),
                (43, "read device identification"),
            ];
            let function = octet(m, 7);
            choose(&names, u64::from(function & 0x7f), out);
            let _ = write!(
                out,
                ", unit {}, transaction {}",
                octet(m, 6),
                number(m, 0, 2)
            );
            if function & 0x80 != 0 {
                let _ = write!(out, ", error {}", octet(m, 8));
            }
        }
        "tpkt" => choose(
            &[
                (0xe0, "connection request"),
                (0xd0, "connection confirm"),
                (0x80, "disconnect request"),
                (0xf0, "data"),
                (0x70, "error"),
            ],
            u64::from(octet(m, 5) & 0xf0),
            out,
        ),
        "someip" => {
            let _ = write!(
                out,
                "service 0x{:04x} method 0x{:04x} ",
                number(m, 0, 2),
                number(m, 2, 2)
            );
            choose(
                &[
                    (0, "request"),
                    (1, "request without answer"),
                    (2, "notification"),
                    (0x80, "response"),
                    (0x81, "error"),
                ],
                u64::from(octet(m, 14)),
                out,
            );
        }
        "websocket" => choose(
            &[
                (0, "continuation"),
                (1, "text"),
                (2, "binary"),
                (8, "close"),
                (9, "ping"),
                (10, "pong"),
            ],
            u64::from(octet(m, 0) & 0xf),
            out,
        ),
        "doip" => choose(
            &[
                (0, "negative acknowledgment"),
                (1, "identification request"),
                (4, "identification"),
                (5, "routing activation request"),
                (6, "routing activation response"),
                (7, "alive check request"),
                (8, "alive check response"),
                (0x4001, "status request"),
                (0x4002, "status response"),
                (0x8001, "diagnostic message"),
                (0x8002, "diagnostic acknowledgment"),
                (0x8003, "diagnostic refusal"),
            ],
            number(m, 2, 2),
            out,
        ),
        "bgp" => choose(
            &[
                (1, "OPEN"),
                (2, "UPDATE"),
                (3, "NOTIFICATION"),
                (4, "KEEPALIVE"),
                (5, "ROUTE-REFRESH"),
            ],
            u64::from(octet(m, 18)),
            out,
        ),
        "104apci" => match octet(m, 2) & 3 {
            1 => out.push('S'),
            3 => choose(
                &[
                    (0x07, "STARTDT act"),
                    (0x0b, "STARTDT con"),
                    (0x13, "STOPDT act"),
                    (0x23, "STOPDT con"),
                    (0x43, "TESTFR act"),
                    (0x83, "TESTFR con"),
                ],
                u64::from(octet(m, 2)),
                out,
            ),
            _ => {
                let _ = write!(out, "I type {}", octet(m, 6));
            }
        },
        "mongo" => choose(
            &[
                (0x0100_0000, "reply"),
                (0xd407_0000, "query"),
                (0xdd07_0000, "message"),
                (0xdc07_0000, "compressed"),
            ],
            number(m, 12, 4),
            out,
        ),
        "ntp" => choose(
            &[
                (1, "symmetric active"),
                (2, "symmetric passive"),
                (3, "client"),
                (4, "server"),
                (5, "broadcast"),
                (6, "control"),
            ],
            u64::from(octet(m, 0) & 7),
            out,
        ),
        "dhcp" => {
            let names = [
                (1, "discover"),
                (2, "offer"),
                (3, "request"),
                (4, "decline"),
                (5, "ack"),
                (6, "nak"),
                (7, "release"),
                (8, "inform"),
            ];
            match dhcp_kind(m) {
                Some(kind) => choose(&names, kind.into(), out),
                None if octet(m, 0) == 1 => out.push_str("request"),
                None => out.push_str("reply"),
            }
            // "Your" address (RFC 2131, 2).
            if let Some([a, b, c, d]) = m.get(16..20).filter(|o| **o != [0; 4]) {
                let _ = write!(out, " {a}.{b}.{c}.{d}");
            }
            let _ = write!(out, " 0x{:08x}", number(m, 4, 4));
        }
        "snmp" => {
            let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
                return false;
            };
            let version = octet(m, at + 2);
            if version == 3 {
                out.push_str("v3");
            } else {
                let community = usize::from(octet(m, at + 4) & 0x7f);
                out.push_str(if version == 0 { "v1 " } else { "v2c " });
                let names = [
                    (0xa0, "get"),
                    (0xa1, "get-next"),
                    (0xa2, "response"),
                    (0xa3, "set"),
                    (0xa4, "trap"),
                    (0xa5, "get-bulk"),
                    (0xa6, "inform"),
                    (0xa7, "trap"),
                ];
                choose(&names, u64::from(octet(m, at + 5 + community)), out);
            }
        }
        "radius" => {
            choose(
                &[
                    (1, "Access-Request"),
                    (2, "Access-Accept"),
                    (3, "Access-Reject"),
                    (4, "Accounting-Request"),
                    (5, "Accounting-Response"),
                    (11, "Access-Challenge"),
                    (40, "Disconnect-Request"),
                    (43, "CoA-Request"),
                ],
                u64::from(octet(m, 0)),
                out,
            );
            // User-Name (RFC 2865, 5.1).
            if let Some(name) = option(m.get(20..).unwrap_or_default(), 1, 2) {
                out.push(' ');
                escape(name, out);
            }
        }
        "tftp" => match octet(m, 1) {
            1 | 2 => {
                out.push_str(if octet(m, 1) == 1 { "read " } else { "write " });
                let name = m
                    .get(2..)
                    .unwrap_or_default()
                    .split(|o| *o == 0)
                    .next()
                    .unwrap_or_default();
                escape(name.get(..SHOWN).unwrap_or(name), out);
            }
            kind => {
                choose(
                    &[
                        (3, "data"),
                        (4, "acknowledgment"),
                        (5, "error"),
                        (6, "options"),
                    ],
                    u64::from(kind),
                    out,
                );
                if kind != 6 {
                    let _ = write!(out, " {}", number(m, 2, 2));
                }
            }
        },
        "stun" => choose(
            &[
                (1, "binding request"),
                (0x101, "binding response"),
                (0x111, "binding error"),
            ],
            number(m, 0, 2),
            out,
        ),
        _ => return false,
    }
    let _ = transport;
    out.len() > from
}

/// The first line where the message begins with text, else its first octets.
fn first_line(head: &[u8], out: &mut String) {
    let line = head.split(|&c| c == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let shown = line.get(..SHOWN).unwrap_or(line);
    escape(shown, out);
    if shown.len() < line.len() {
        out.push_str("...");
    }
}

/// Appends octets as text: what is no printable character is written as `\n`, `\xNN` or `\u{NNNN}`, so that nothing
/// from the network reaches a terminal as a control sequence or turns the direction of writing.
pub fn escape(octets: &[u8], out: &mut String) {
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                ' '..='~' => out.push(c),
                c if u32::from(c) < 0x100 && c.is_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if hidden(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
}

/// Characters that are not seen or that change how others are: line separators, marks of direction, joiners, tags.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xfffb
            | 0xe0000..=0xe0fff)
}

/// Query name and type, and what the answer brings (RFC 1035, 4.1).
fn dns(m: &[u8], out: &mut String) -> bool {
    let word =
        |at: usize| -> Option<u16> { Some(u16::from_be_bytes([*m.get(at)?, *m.get(at + 1)?])) };
    let (Some(id), Some(flags), Some(questions), Some(answers)) =
        (word(0), word(2), word(4), word(6))
    else {
        return false;
    };
    let response = flags & 0x8000 != 0;
    let opcode = flags >> 11 & 15;
    out.push_str(match (opcode, response) {
        (0, false) => "query",
        (0, true) => "answer",
        (4, false) => "notify",
        (4, true) => "notify answer",
        (5, false) => "update",
        (5, true) => "update answer",
        (_, false) => "request",
        (_, true) => "response",
    });
    let _ = write!(out, " 0x{id:04x}");
    if questions > 0 {
        let mut at = 12;
        out.push(' ');
        let begin = out.len();
        // Labels, each with its length; a question is the first name, so nothing can be compressed in it.
        while let Some(&len) = m.get(at) {
            let len = usize::from(len);
            at += 1;
            if len == 0 || len > 63 {
                break;
            }
            let end = (at + len).min(m.len());
            if out.len() > begin {
                out.push('.');
            }
            escape(m.get(at..end).unwrap_or_default(), out);
            at = end;
        }
        if out.len() == begin {
            out.push('.');
        }
        if let Some(kind) = word(at) {
            out.push(' ');
            match record_type(kind) {
                Some(name) => out.push_str(name),
                None => {
                    let _ = write!(out, "TYPE{kind}");
                }
            }
        }
    }
    if response {
        match flags & 15 {
            0 => {
                let s = if answers == 1 { "" } else { "s" };
                let _ = write!(out, ", {answers} record{s}");
            }
            3 => out.push_str(", no such name"),
            code => {
                let _ = write!(out, ", error {code}");
            }
        }
    }
    true
}

/// Names of record types (IANA).
fn record_type(kind: u16) -> Option<&'static str> {
    Some(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        43 => "DS",
        46 => "RRSIG",
        48 => "DNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_matters_and_escapes() {
        let q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x1c\x00\x01";
        let mut a = q.to_vec();
        a[2] = 0x81;
        a[7] = 2;
        let mut tcp = vec![0, 29];
        tcp.extend_from_slice(q);
        let mut root = q[..12].to_vec();
        root.extend_from_slice(&[0, 0, 2]);
        use Transport::{Tcp, Udp};
        let mut dhcp = vec![2, 1, 6, 0, 0, 0, 0, 7];
        dhcp.resize(240, 0);
        dhcp[16..20].copy_from_slice(&[192, 0, 2, 9]);
        dhcp.extend([0, 51, 1, 9, 53, 1, 2, 255]);
        let mut radius = vec![1, 7, 0, 30];
        radius.resize(20, 9);
        radius.extend(b"\x04\x03x\x01\x06bob\x1b");
        let mut login = b"\x30\0\0\x01\x85\xa6\xff\0\0\0\0\x01\x21".to_vec();
        login.resize(36, 0);
        login.extend(b"root\0\0db\0");
        for (protocol, transport, head, expected) in [
            (
                "http",
                Tcp,
                &b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"[..],
                "GET /x HTTP/1.1",
            ),
            ("dhcp", Udp, &dhcp, "offer 192.0.2.9 0x00000007"),
            ("dhcp", Udp, &dhcp[..200], "reply 192.0.2.9 0x00000007"),
            ("radius", Udp, &radius, "Access-Request bob\\x1b"),
            ("mysql", Tcp, &login, "login root"),
            ("mysql", Tcp, b"\x01\0\0\x01\x03", "3 columns"),
            ("pgsql", Tcp, b"N", "encryption refused"),
            ("pgsql", Tcp, b"S\0\0\0\x04", "Sync"),
            ("pgsql", Tcp, b"S\0\0\0\x09a\0on\0", "ParameterStatus a=on"),
            (
                "pgsql",
                Tcp,
                b"Z\0\0\0\x05T",
                "ReadyForQuery in transaction",
            ),
            ("pgsql", Tcp, b"D\0\0\0\x06\0\x02", "DataRow, 2 columns"),
            ("pgsql", Tcp, b"D\0\0\0\x07Ss\0", "Describe s"),
            (
                "pgsql",
                Tcp,
                b"\0\0\0\x14\0\x03\0\0user\0me\0\0",
                "StartupMessage user=me",
            ),
            (
                "amqp",
                Tcp,
                b"\x01\0\x01\0\0\0\x04\0\x3c\0\x28\xce",
                "basic.publish",
            ),
            (
                "amqp",
                Tcp,
                b"\x01\0\x01\0\0\0\x04\0\x3c\0\x29\xce",
                "basic.41",
            ),
            (
                "http",
                Tcp,
                b"GET /\x1b[31m\\\xff HTTP/1.1",
                "GET /\\x1b[31m\\\\\\xff HTTP/1.1",
            ),
            (
                "data",
                Tcp,
                "sch\u{f6}n\u{202e}\u{85}".as_bytes(),
                "sch\u{f6}n\\u{202e}\\x85",
            ),
            ("dns", Udp, q, "query 0x1234 www.example AAAA"),
            ("dns", Tcp, &tcp, "query 0x1234 www.example AAAA"),
            ("dns", Udp, &a, "answer 0x1234 www.example AAAA, 2 records"),
            ("dns", Udp, &root, "query 0x1234 . NS"),
            ("dns", Udp, &q[..16], "query 0x1234 www"),
            ("dns", Udp, b"abc", "abc"),
            ("data", Tcp, b"", ""),
        ] {
            let mut out = String::new();
            summary(protocol, transport, Kind::Other, head, &mut out);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        summary("data", Tcp, Kind::Other, &[b'a'; 300], &mut out);
        assert_eq!(out.len(), SHOWN + 3);
    }
}
