//! Kafka (Apache Kafka protocol guide, "Request Header", "Response Header").

use super::super::fields::MessageFields;
use super::super::length::{LengthProtocol, LengthRow, Scan, field, number, octet, window};
use super::super::row::ProtocolRow;
use super::super::text::escape;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "kafka",
    about: "Kafka",
    ports: &[9092],
    summary: Some(summary),
    transaction: Some(|_, m| Some(correlation(m))),
    asks_for: Some((
        |m| is_request(m).then(|| octet(m, 5)),
        |key| APIS.get(usize::from(key)).copied(),
    )),
    fields: Some(fields),
    field_names: &["api", "version", "correlation_id", "client_id"],
    #[cfg(test)]
    samples: &[
        (
            "00000015 0012 0000 00000081 0007 72646b61666b61 00000000",
            Kind::Request,
        ),
        ("0000000a 00000081 0000 00000000", Kind::Response),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(0, 4),
    add: 4,
    header: HEADER,
    is_plausible: |_, len| (LEAST..MOST).contains(&len),
    self_evident: |m| octet(m, 0) == 0 && is_request(m),
    // A length below 16 MiB that is none of the zeros that fill other messages.
    scan: Scan::By(4, |octets| {
        window(octets, |o: &[u8; 4]| {
            o[0] == 0 && (o[1] != 0 || o[2] != 0 || o[3] >= 8)
        })
    }),
    chain: 2,
    min_chain: 2,
    distinctive: is_request,
    // Each side counts, or repeats the count of the other.
    follows: |m, next| {
        is_request(m) == is_request(next) && {
            let more = correlation(next).wrapping_sub(correlation(m)) & 0xffff_ffff;
            more <= AHEAD
        }
    },
    link: AHEAD as f64 / 4_294_967_296.0,
    sort: |m| u8::from(is_request(m)),
    kind,
    kind_between: Some(kind_between),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kafka;

impl LengthProtocol for Kafka {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// Octets of a request's header ahead of the client's name, and some of that.
const HEADER: usize = 18;
/// A response with nothing in it, and more than brokers take (`socket.request.max.bytes` is 100 MiB).
const LEAST: u64 = 8;
const MOST: u64 = 256 << 20;
/// A client counts the requests of all its connections together, so some numbers are left out in each.
const AHEAD: u64 = 4096;
/// The APIs, by their keys, as Wireshark names them; the later ones as the protocol guide does.
const APIS: &[&str] = &[
    "Produce",
    "Fetch",
    "Offsets",
    "Metadata",
    "LeaderAndIsr",
    "StopReplica",
    "UpdateMetadata",
    "ControlledShutdown",
    "OffsetCommit",
    "OffsetFetch",
    "FindCoordinator",
    "JoinGroup",
    "Heartbeat",
    "LeaveGroup",
    "SyncGroup",
    "DescribeGroups",
    "ListGroups",
    "SaslHandshake",
    "ApiVersions",
    "CreateTopics",
    "DeleteTopics",
    "DeleteRecords",
    "InitProducerId",
    "OffsetForLeaderEpoch",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "EndTxn",
    "WriteTxnMarkers",
    "TxnOffsetCommit",
    "DescribeAcls",
    "CreateAcls",
    "DeleteAcls",
    "DescribeConfigs",
    "AlterConfigs",
    "AlterReplicaLogDirs",
    "DescribeLogDirs",
    "SaslAuthenticate",
    "CreatePartitions",
    "CreateDelegationToken",
    "RenewDelegationToken",
    "ExpireDelegationToken",
    "DescribeDelegationToken",
    "DeleteGroups",
    "ElectLeaders",
    "IncrementalAlterConfigs",
    "AlterPartitionReassignments",
    "ListPartitionReassignments",
    "OffsetDelete",
    "DescribeClientQuotas",
    "AlterClientQuotas",
    "DescribeUserScramCredentials",
    "AlterUserScramCredentials",
    "Vote",
    "BeginQuorumEpoch",
    "EndQuorumEpoch",
    "DescribeQuorum",
    "AlterPartition",
    "UpdateFeatures",
    "Envelope",
    "FetchSnapshot",
    "DescribeCluster",
    "DescribeProducers",
    "BrokerRegistration",
    "BrokerHeartbeat",
    "UnregisterBroker",
    "DescribeTransactions",
    "ListTransactions",
    "AllocateProducerIds",
    "ConsumerGroupHeartbeat",
    "ConsumerGroupDescribe",
    "ControllerRegistration",
    "GetTelemetrySubscriptions",
    "PushTelemetry",
    "AssignReplicasToDirs",
    "ListClientMetricsResources",
    "DescribeTopicPartitions",
];

/// A known API in a version that is likely, and the name of a client in plain characters that fits.
fn is_request(m: &[u8]) -> bool {
    let Some(&[_, _, _, _, 0, api, 0, version, _, _, _, _, high, low]) = m.first_chunk() else {
        return false;
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let name = m.get(14..).unwrap_or_default();
    let name = &name[..name.len().min(len)];
    // No API has more versions.
    let known = usize::from(api) < APIS.len() && version < 24;
    let fits = (1..256).contains(&len) && len as u64 + 10 <= number(m, 0, 4);
    let text = name.iter().all(|c| matches!(c, b' '..=b'~'));
    known
        && fits
        && text
        && (api != PRODUCE || is_produce(version, m.get(14 + len..).unwrap_or_default()))
}

/// The key of the API whose requests a response may look like: one with a small number, and the name of a topic where a request has
/// its client's.
const PRODUCE: u8 = 0;

/// What such a request has behind the client's name: the name of a transaction, mostly none, but in the first versions; who has to
/// acknowledge; and how long that may take in milliseconds, which is a part of a second at least and less than a minute. A response has
/// partitions there, their number first.
fn is_produce(version: u8, m: &[u8]) -> bool {
    let acknowledged = match (version, m) {
        (..3, rest) | (3..9, [0xff, 0xff, rest @ ..]) | (9.., [0, 0, rest @ ..]) => rest,
        (3..9, [0, len, rest @ ..]) if *len > 0 => {
            rest.get(usize::from(*len)..).unwrap_or_default()
        }
        (9.., [0, len, rest @ ..]) => rest.get(usize::from(*len) - 1..).unwrap_or_default(),
        (_, [_, _, ..]) => return false,
        (_, rest) => rest,
    };
    match acknowledged.first_chunk() {
        Some([0xff, 0xff, a, b, c, d] | [0, 0 | 1, a, b, c, d]) => {
            (100..1 << 16).contains(&u32::from_be_bytes([*a, *b, *c, *d]))
        }
        Some(_) => false,
        // The rest of it is not there.
        None => true,
    }
}

/// The name of the client.
fn client(m: &[u8]) -> &[u8] {
    let len = usize::try_from(number(m, 12, 2)).unwrap_or(0);
    let name = m.get(14..).unwrap_or_default();
    &name[..name.len().min(len)]
}

fn kind(m: &[u8]) -> Kind {
    if is_request(m) {
        Kind::Request
    } else {
        Kind::Response
    }
}

/// Where only one of the ports is a broker's, its side answers.
fn kind_between(m: &[u8], (src, dst): (u16, u16)) -> Kind {
    let broker = |port| PROTOCOL.ports.contains(&port);
    match (broker(src), broker(dst)) {
        (false, true) => Kind::Request,
        (true, false) => Kind::Response,
        _ => kind(m),
    }
}

/// The number of the request, which its response repeats.
fn correlation(m: &[u8]) -> u64 {
    number(m, if is_request(m) { 8 } else { 4 }, 4)
}

/// Appends the name of the API.
fn api(m: &[u8], out: &mut String) {
    let key = usize::from(octet(m, 5));
    match APIS.get(key) {
        Some(name) => out.push_str(name),
        None => {
            let _ = write!(out, "API {key}");
        }
    }
}

/// What of a message has a name. A response does not say of which API it is.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    if is_request(m) {
        to.write("api", |out| api(m, out));
        to.number("version", number(m, 6, 2));
    }
    to.number("correlation_id", correlation(m));
    if is_request(m) {
        to.text("client_id", client(m));
    }
}

/// The API, its version, the number of the request, and the client.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    if m.len() < 8 {
        return false;
    }
    if !is_request(m) {
        let _ = write!(out, "response {}", correlation(m));
        return true;
    }
    api(m, out);
    let _ = write!(out, " v{} request {} (", number(m, 6, 2), correlation(m));
    escape(client(m), out);
    out.push(')');
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }

    /// Its number is 2, and it is about one topic: what stands there would be an API, a version and a client.
    #[test]
    fn a_response_is_no_request() {
        let mut response =
            b"\0\0\0\x2a\0\0\0\x02\0\0\0\x01\0\x05goods\0\0\0\x01\0\0\0\0\0\0".to_vec();
        response.resize(46, 0);
        assert!(!is_request(&response));
        let old = b"\0\0\0\x2a\0\0\0\x02\0\0\0\x01\0\x01a\0\x01\0\0\x75\x30\0\0\0\x01";
        assert!(is_request(old));
        let new = b"\0\0\0\x2a\0\0\0\x03\0\0\0\x01\0\x01a\xff\xff\xff\xff\0\0\x75\x30\0\0\0\x01";
        assert!(is_request(new));
        let newest = b"\0\0\0\x2a\0\0\0\x09\0\0\0\x01\0\x01a\0\0\xff\xff\0\0\x05\xdc\x02";
        assert!(is_request(newest));
        response[7] = 9;
        assert!(!is_request(&response));
    }

    #[test]
    fn responses_are_named_by_what_was_asked_for() {
        let (read, name) = PROTOCOL.asks_for.unwrap();
        let request = b"\0\0\0\x15\0\x12\0\0\0\0\0\x81\0\x07rdkafka\0\0\0\0";
        assert_eq!(read(request).and_then(name), Some("ApiVersions"));
        assert_eq!(read(b"\0\0\0\x0a\0\0\0\x81\0\0\0\0\0\0"), None);
        assert_eq!(name(250), None);
    }

    #[test]
    fn requests_name_their_api() {
        let request = b"\0\0\0\x15\0\x12\0\0\0\0\0\x81\0\x07rdkafka\0\0\0\0";
        let line = "ApiVersions v0 request 129 (rdkafka)";
        assert_eq!(said(summary, Transport::Tcp, request), line);
        let response = b"\0\0\0\x0a\0\0\0\x81\0\0\0\0\0\0";
        assert_eq!(said(summary, Transport::Tcp, response), "response 129");
        assert_eq!(correlation(request), correlation(response));
        assert_eq!(said(summary, Transport::Tcp, &response[..6]), "");
        let odd = b"\0\0\0\x15\0\x12\0\0\0\0\0\x81\0\x07rdk\x1bfka\0\0\0\0";
        assert!(!is_request(odd));
        assert_eq!(kind_between(odd, (40_000, 9092)), Kind::Request);
    }
}
