//! What the objects hold: the man page is made from this list, and a test holds the output to it.

/// All fields: the kinds of object that have them, name, what they say.
pub const FIELDS: &[(&str, &str, &str)] = &[
    (
        "message gap duplicate exchange connection dropped",
        "type",
        "kind of the object: message, gap, duplicate, exchange, connection, dropped, or, with --extract, file: its other fields are those of files.jsonl (see FILES)",
    ),
    (
        "message gap duplicate exchange connection",
        "transport",
        "tcp, udp or sctp; of fragments ipv4 or ipv6",
    ),
    (
        "message gap duplicate exchange connection",
        "connection",
        "number of the connection, as --print shows it; null of fragments, which have no ports either",
    ),
    (
        "message gap duplicate exchange connection",
        "src",
        "address of the sender; of a connection, of its first packet's; of an exchange, of the request's",
    ),
    (
        "message gap duplicate exchange connection",
        "src_port",
        "port of the sender",
    ),
    (
        "message gap duplicate exchange connection",
        "dst",
        "address of the receiver",
    ),
    (
        "message gap duplicate exchange connection",
        "dst_port",
        "port of the receiver",
    ),
    (
        "message gap duplicate exchange connection",
        "vlans",
        "VLAN identifiers of the direction's first packet, outer first",
    ),
    (
        "message gap duplicate exchange connection dropped",
        "time",
        "when the packet was captured that completed it (RFC 3339, UTC), with as many digits as the input has: 6, or 9 where it counts nanoseconds",
    ),
    (
        "message gap duplicate exchange connection dropped",
        "ts",
        "the same time as a number: seconds since 1970-01-01 00:00:00 UTC",
    ),
    (
        "message gap duplicate exchange connection dropped",
        "frame",
        "number of that packet in the input, from 1",
    ),
    (
        "message exchange",
        "decrypted",
        "true where it stood in records of TLS that were decrypted (--keylog); offset and gaps count in what these held",
    ),
    (
        "message exchange connection",
        "first_time",
        "when its first byte was captured; of a connection without payload, and of UDP, its first packet",
    ),
    (
        "message exchange",
        "first_frame",
        "number of the packet that its first byte came in",
    ),
    (
        "message exchange connection",
        "protocol",
        "protocol, by Wireshark's name; data where none is known; of a connection, that of its first message whose protocol is known, null where it carried none",
    ),
    (
        "message exchange",
        "stream",
        "number of the stream of HTTP/2 that carries it; offset and gaps count in that stream, where a header section stands as text",
    ),
    ("message", "kind", "request, response or other"),
    (
        "message",
        "summary",
        "start line with host or type, query, or first bytes, escaped",
    ),
    (
        "exchange",
        "request",
        "summary of the request; null where the capture has none",
    ),
    (
        "exchange",
        "request_offset",
        "offset of its first byte in its stream; null where there is none: in UDP and SCTP",
    ),
    (
        "exchange",
        "response",
        "summary of the message that answers it, of several (rows, parts) the first, of a search of LDAP the one that ends it; interim ones (1xx) do not answer; null where the capture has none",
    ),
    (
        "exchange",
        "response_offset",
        "offset of its first byte in its stream; null where there is none: in UDP and SCTP",
    ),
    (
        "message gap duplicate",
        "offset",
        "offset of its first byte in the stream, from 0; null where there is no stream: in UDP and SCTP; of fragments, in the payload of their datagram; of a duplicate, of its segment's first byte, negative before a start in the middle",
    ),
    ("message dropped", "octets", "bytes that are there"),
    (
        "message gap duplicate dropped",
        "length",
        "bytes that it should have; of a gap, that are missing; of a duplicate, bytes of its segment, datagram or chunk that were there before; null where nobody can know",
    ),
    (
        "duplicate",
        "conflict",
        "bytes that waited still had other content",
    ),
    (
        "message exchange",
        "whole",
        "nothing of it is missing; of an exchange, of both its messages",
    ),
    (
        "exchange",
        "missing",
        "only where one of the two is not in the capture: response, or request. Of HTTP, HTTP/2, DNS, Diameter, RADIUS, SNMP, LDAP, Modbus, IMAP, RTSP and CQL, and of a response also of Redis, Memcached, SMTP, POP3, FTP, PostgreSQL and MySQL, where it is certain: behind a loss it may not be. That a response is missing is told when the connection ends, or where a later request is answered; of UDP at the end of the input, or when 4,096 others wait. That a request is missing is told when the connection ends, where its direction lacks bytes, of 64 responses at most, and where no request waits for a response: then neither is told. Not of SCTP, and not where messages are chosen (--kind, --match, --from, --to, --count)",
    ),
    (
        "message",
        "gaps",
        "missing ranges: offset in the stream (in a datagram or an SCTP user message) and length of each; 1,000 at most",
    ),
    (
        "message",
        "filled",
        "with --fill-gaps: bytes of zeros that stand for its gaps in the outputs of packets",
    ),
    (
        "message",
        "acknowledged",
        "the other side had acknowledged it when it ended; null in a datagram",
    ),
    (
        "message",
        "acknowledged_at",
        "when that acknowledgment was captured; null where there is none",
    ),
    (
        "message",
        "sha256",
        "SHA-256 of its bytes, where --hash asks for it; null where it is not whole",
    ),
    (
        "message",
        "body",
        "its bytes, where --json-body asks for them; 1 MiB at most",
    ),
    (
        "message",
        "body_cut",
        "there were more bytes than body holds",
    ),
    (
        "gap",
        "cause",
        "why the hole was given up: acked, closed, timeout, buffer, holes, memory, end, snapped or jump; of SCTP also forward: its sender abandoned it",
    ),
    (
        "message gap duplicate",
        "sctp",
        "of an SCTP user message: stream, ssn (mid where it came in I-DATA), ppid, tsn of its first chunk, chunks and unordered; of a gap or a duplicate of SCTP: tsn, the first, and tsns, how many",
    ),
    (
        "gap duplicate",
        "ip",
        "of fragments: identification and protocol number of their datagram; a gap is a datagram that was given up, its offset the first byte that is missing, its length all of them, null where the last fragment has not come",
    ),
    (
        "message",
        "messages",
        "what a datagram or an SCTP user message carries of a protocol that puts several into one (SOME/IP, Diameter, M2PA), or the body of a message of HTTP/2 (gRPC): offset in it, length (null where the prefix that says it is cut), whether it is whole, and summary of each; 1,000 at most",
    ),
    (
        "message",
        "dns",
        "of DNS: id, question, type, and of an answer rcode and answers",
    ),
    (
        "message",
        "mdns",
        "of multicast DNS: id, question, type, and of an answer rcode and answers",
    ),
    (
        "message",
        "llmnr",
        "of LLMNR: id, question, type, and of an answer rcode and answers",
    ),
    (
        "message",
        "http",
        "of HTTP: method, uri, host, user_agent; of a response status, reason, server, location; content_type, content_length",
    ),
    (
        "message",
        "http2",
        "of HTTP/2: method, uri, host, user_agent; of a response status, server, location; content_type, content_length, grpc_encoding; trailers, the lines behind the body, and of these grpc_status and grpc_message",
    ),
    (
        "message",
        "websocket",
        "of WebSocket: opcode, compressed (yes), close_code, text",
    ),
    (
        "message",
        "proxy",
        "of PROXY: version, src, src_port, dst, dst_port",
    ),
    (
        "message",
        "socks",
        "of SOCKS: version, command, destination, user, status",
    ),
    ("message", "memcache", "of Memcached: command, key, status"),
    ("message", "nats", "of NATS: operation, subject, error"),
    (
        "message",
        "stomp",
        "of STOMP: command, destination, message",
    ),
    ("message", "irc", "of IRC: prefix, command, parameters"),
    ("message", "xmpp", "of XMPP: stanza, type, id, from, to"),
    (
        "message",
        "rtmpt",
        "of RTMP: type, timestamp, message_stream, command, transaction, argument; a message is put together from its chunks; what is encrypted (RTMPE) is one message, up to the end",
    ),
    (
        "message",
        "ssh",
        "of SSH: version, message, while that is not encrypted",
    ),
    (
        "message",
        "sip",
        "of SIP: method, uri, or status, reason; from, to, call_id",
    ),
    (
        "message",
        "tls",
        "of TLS: record, handshake; of a hello version and sni",
    ),
    (
        "message",
        "rtsp",
        "of RTSP: method, uri, or status, reason; cseq",
    ),
    (
        "message",
        "smtp",
        "of SMTP: command, argument, or code, text",
    ),
    ("message", "ftp", "of FTP: command, argument, or code, text"),
    (
        "message",
        "pop",
        "of POP3: command, argument, or status, text",
    ),
    (
        "message",
        "imap",
        "of IMAP: tag, command, argument, or tag, status, text",
    ),
    (
        "message",
        "mqtt",
        "of MQTT: type, packet_id, topic (the first) or client_id; error, why something is refused",
    ),
    (
        "message",
        "kafka",
        "of Kafka: correlation_id; of a request api, version, client_id",
    ),
    (
        "message",
        "resp",
        "of Redis: of a request command and key, its first argument; error",
    ),
    ("message", "mysql", "of MySQL: command, query, user; error"),
    ("message", "pgsql", "of PostgreSQL: type; query, error"),
    (
        "message",
        "ldap",
        "of LDAP: operation, message_id; name, or result, a number",
    ),
    (
        "message",
        "nbss",
        "of SMB2: command, message_id; file, or status, a number",
    ),
    (
        "message",
        "snmp",
        "of SNMP: version, operation, request_id, oid, a list of the first four, or what a trap is about; error; less where it is encrypted",
    ),
    (
        "message",
        "dhcpv6",
        "of DHCPv6: type, client_id, address, a list of addresses and prefixes, status, a number",
    ),
    (
        "message",
        "amqp",
        "of AMQP 0-9-1: method, exchange, routing_key, queue, vhost, reply; of a content header content_type",
    ),
    ("message", "radius", "of RADIUS: code, id, user"),
    (
        "message",
        "diameter",
        "of Diameter, of the first message: command, code, application, application_id, hop_by_hop, and of an answer result",
    ),
    (
        "message",
        "mbtcp",
        "of Modbus: function, function_code, unit, transaction, exception",
    ),
    (
        "message",
        "tpkt",
        "of S7: s7 (job, ack, ack-data, userdata), function, reference; of what acknowledges, error",
    ),
    (
        "message",
        "s1ap",
        "of S1AP: procedure, and kind: initiatingMessage, successfulOutcome, unsuccessfulOutcome or outcome",
    ),
    ("message", "ngap", "of NGAP: procedure, kind"),
    ("message", "x2ap", "of X2AP: procedure, kind"),
    ("message", "xnap", "of XnAP: procedure, kind"),
    ("message", "f1ap", "of F1AP: procedure, kind"),
    ("message", "e1ap", "of E1AP: procedure, kind"),
    ("message", "ranap", "of RANAP: procedure, kind"),
    ("message", "hnbap", "of HNBAP: procedure, kind"),
    ("message", "sbcap", "of SBc-AP: procedure, kind"),
    ("message", "m2ap", "of M2AP: procedure, kind"),
    ("message", "m3ap", "of M3AP: procedure, kind"),
    (
        "connection",
        "streams",
        "for both directions, the first packet's first: packets (of TCP also those without payload), octets, segments (that brought bytes), messages, gaps and lost_octets; of SCTP, chunks and incomplete messages for segments and gaps; of UDP, datagrams and those that were cut",
    ),
    (
        "exchange",
        "delay",
        "seconds from the first byte of the request to that of the response, of several the first; null where one of them is missing",
    ),
    (
        "exchange connection",
        "duration",
        "seconds from its first byte to its end, null where one half of it is missing; of a connection without payload, and of UDP, from its first packet to its last",
    ),
    (
        "connection",
        "named",
        "only where a proxy (PROXY) names whom it is between, or a proxy is asked for (SOCKS, CONNECT): client and server, each with its port, or null",
    ),
    (
        "connection",
        "tls",
        "only where a hello or a certificate of TLS was read: version, cipher (IANA's name), sni, alpn (what the server has chosen; with TLS 1.3 only where records are opened), ja3, ja3s and ja4 (fingerprints of the hellos), and certificates, the server's own first, each with subject (RFC 4514) and sha256 (with TLS 1.3 only where records are opened); null is what was not seen",
    ),
    (
        "connection",
        "end",
        "what ended it: fin, reset, idle, evicted, replaced, unconfirmed (segments beside another connection that nothing confirmed) or end_of_input; of SCTP, shutdown and abort for fin and reset; of UDP, evicted or end_of_input",
    ),
    (
        "dropped",
        "interface",
        "number of the packet's interface in the input, from 0",
    ),
    (
        "dropped",
        "reason",
        "counter of the reason why the packet, or a part of it, could not be used",
    ),
    ("dropped", "text", "the reason in words"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::listing_protocols;
    use std::collections::BTreeMap;

    /// What protocols list by name is what the man page says of them, which is made from [`FIELDS`].
    #[test]
    fn fields_of_protocols_are_listed() {
        let listing = listing_protocols();
        let said: BTreeMap<_, _> = FIELDS
            .iter()
            .filter(|(kinds, _, text)| *kinds == "message" && text.starts_with("of "))
            .map(|(_, name, text)| (*name, *text))
            .collect();
        assert!(said.keys().eq(listing.keys()), "{said:?}\n{listing:?}");
        for (protocol, names) in listing {
            let words: Vec<_> = said[protocol]
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .collect();
            for name in names {
                assert!(
                    words.contains(name),
                    "{protocol}.{name}: {}",
                    said[protocol]
                );
            }
        }
    }
}
