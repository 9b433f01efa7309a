//! The tables and their columns: the one list of them, for the output and the man page.

use crate::message::listed_fields;

/// `--table`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TableName {
    /// A row for each message.
    #[default]
    Messages,
    /// A row for each request of HTTP with its response.
    Http,
    /// A row for each query of DNS with its answer.
    Dns,
    /// A row for each connection, association and pair of UDP endpoints.
    Connections,
    /// A row for each protocol.
    Protocols,
    /// A row for each file that `--extract` writes.
    Files,
}

/// The columns of a table: name, and what it holds.
pub type TableColumns = &'static [(&'static str, &'static str)];

/// Each table: its name, what a row is, and its columns.
pub const TABLES: &[(TableName, &str, TableColumns)] = &[
    (
        TableName::Messages,
        "a row for each message",
        &[
            ("time", "when the packet was captured that completed it"),
            ("transport", "tcp, udp or sctp"),
            ("connection", "number of the connection"),
            ("src", "address and port of the sender"),
            ("dst", "address and port of the receiver"),
            ("protocol", "by Wireshark's name; data where none is known"),
            ("kind", "request, response or other"),
            ("bytes", "bytes that are there"),
            (
                "lost",
                "bytes that are missing; empty where nobody knows how many",
            ),
            ("whole", "yes or no"),
            ("summary", "as --print shows it"),
            (
                "delay",
                "seconds from the beginning of the request to that of the first message that answers it; empty where that is not known",
            ),
        ],
    ),
    (
        TableName::Http,
        "a row for each request with its response; what was not captured is empty",
        &[
            ("time", "when the request began"),
            ("client", "address and port"),
            ("server", "address and port"),
            ("method", "of the request"),
            ("host", "that the request asks"),
            ("uri", "target of the request"),
            ("status", "code of the response"),
            ("type", "media type of the response"),
            ("request_bytes", "of the request"),
            ("response_bytes", "of the response"),
            (
                "delay",
                "seconds from the beginning of the request to that of the response",
            ),
            ("whole", "nothing of the two is missing: yes or no"),
        ],
    ),
    (
        TableName::Dns,
        "a row for each query with its answer; what was not captured is empty",
        &[
            ("time", "when the query was captured"),
            ("client", "address and port"),
            ("server", "address and port"),
            ("type", "of the record that is asked for"),
            ("question", "name that is asked for"),
            ("rcode", "response code: NOERROR, NXDOMAIN, ..."),
            ("answers", "records in the answer"),
            ("delay", "seconds from query to answer"),
        ],
    ),
    (
        TableName::Connections,
        "a row for each connection, association, and pair of UDP endpoints",
        &[
            ("time", "when its first packet was captured"),
            ("transport", "tcp, udp or sctp"),
            ("connection", "its number"),
            (
                "client",
                "address and port of the side that asks or opened it, as --print shows it",
            ),
            ("server", "address and port of the other side"),
            ("protocol", "that its messages have"),
            ("client_packets", "packets of the client"),
            ("server_packets", "packets of the server"),
            ("client_bytes", "bytes of payload of the client"),
            ("server_bytes", "bytes of payload of the server"),
            ("client_messages", "messages of the client"),
            ("server_messages", "messages of the server"),
            ("client_lost", "bytes of the client that are missing"),
            ("server_lost", "bytes of the server that are missing"),
            ("duration", "seconds from its first to its last packet"),
            ("end", "what ended it"),
            (
                "named_client",
                "address and port that a proxy (PROXY) names",
            ),
            (
                "named_server",
                "address or name, and port, that a proxy names, or is asked for (SOCKS, CONNECT)",
            ),
            ("tls_version", "of TLS: 1.2, 1.3"),
            ("tls_cipher", "cipher suite of TLS, by IANA's name"),
            ("sni", "server that the client asks for in TLS"),
            (
                "alpn",
                "protocol that both agreed on in TLS (1.3: only where records are opened)",
            ),
            ("ja4", "fingerprint of the client in TLS"),
        ],
    ),
    (
        TableName::Protocols,
        "a row for each protocol, at the end",
        &[
            ("protocol", "by Wireshark's name"),
            (
                "messages",
                "messages found; of HTTP/2, WebSocket and RTMP, frames",
            ),
            ("bytes", "bytes of these"),
            ("incomplete", "messages of which bytes are missing"),
            ("skipped", "bytes between messages that belong to none"),
        ],
    ),
    (
        TableName::Files,
        "a row for each file that --extract writes; --fields takes any field of files.jsonl",
        &[
            ("file", "its name in the folder"),
            ("size", "bytes that are there"),
            ("complete", "nothing of it is missing"),
            ("found_type", "media type by its content"),
            ("protocol", "that carried it"),
            ("src", "address of the sender"),
            ("url", "where it was asked for"),
        ],
    ),
];

/// `PROTOCOL.FIELD`, of what a protocol lists by name.
fn is_listed(field: &str) -> bool {
    let listed = field
        .split_once('.')
        .map(|(protocol, name)| (listed_fields(protocol), name));
    listed.is_some_and(|(names, name)| names.contains(&name))
}

impl TableName {
    /// Its columns, in order.
    pub fn columns(self) -> TableColumns {
        TABLES
            .iter()
            .find(|(name, ..)| *name == self)
            .map_or(&[], |(_, _, columns)| columns)
    }

    /// `--fields` may name it: a column, or what a protocol or a list of files names.
    pub fn takes(self, field: &str) -> bool {
        let column = self.columns().iter().any(|(name, _)| *name == field);
        let listed = crate::sink::files::FIELDS
            .iter()
            .any(|(name, _)| *name == field);
        match self {
            Self::Messages => column || is_listed(field),
            Self::Files => listed,
            _ => column,
        }
    }
}
