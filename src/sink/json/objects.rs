//! The objects, field by field in the order in which they are written.

use super::state::{JsonBody, JsonStream};
use crate::base::counters::Discard;
use crate::base::packet::VlanTag;
use crate::message::{FieldValue, MessageFields, NamedEnds};
use crate::sink::json_line::Seconds;
use crate::sink::text::{Hex, Rfc3339, UnixSeconds};
use crate::sink::tls::TlsSeen;
use crate::transport::datagram::FlowTotals;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use std::net::IpAddr;

/// What every object of a connection begins with.
#[derive(Serialize)]
pub(super) struct ObjectHead<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) transport: &'static str,
    pub(super) connection: u64,
    pub(super) src: IpAddr,
    pub(super) src_port: u16,
    pub(super) dst: IpAddr,
    pub(super) dst_port: u16,
    pub(super) vlans: VlanIds<'a>,
    pub(super) time: Rfc3339,
    pub(super) ts: UnixSeconds,
    pub(super) frame: u64,
    /// Only where it stood in records that were decrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decrypted: Option<bool>,
}

/// A message.
#[derive(Serialize)]
pub(super) struct MessageObject<'a> {
    #[serde(flatten)]
    pub(super) head: ObjectHead<'a>,
    pub(super) first_time: Rfc3339,
    pub(super) first_frame: u64,
    pub(super) protocol: &'a str,
    /// Only where its connection carries streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<u32>,
    pub(super) kind: &'static str,
    pub(super) summary: &'a str,
    pub(super) offset: Option<u64>,
    pub(super) octets: u64,
    pub(super) length: Option<u64>,
    pub(super) whole: bool,
    pub(super) gaps: &'a [(u64, u64)],
    /// Only with `--fill-gaps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filled: Option<u64>,
    pub(super) acknowledged: Option<bool>,
    pub(super) acknowledged_at: Option<Rfc3339>,
    /// None where it is not asked for; null where the message is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<Option<Hex<32>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<ShownBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_cut: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sctp: Option<SctpObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) messages: Option<Vec<BundledObject>>,
    #[serde(flatten)]
    pub(super) fields: ProtocolFields<'a>,
}

/// What the message's protocol lists by name: an object that is called by the protocol; nothing where it lists nothing.
pub(super) struct ProtocolFields<'a> {
    pub(super) protocol: &'a str,
    pub(super) fields: &'a MessageFields,
}

impl Serialize for ProtocolFields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let object = (!self.fields.is_empty()).then_some((self.protocol, NamedFields(self.fields)));
        to.collect_map(object)
    }
}

/// The object.
struct NamedFields<'a>(&'a MessageFields);

impl Serialize for NamedFields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, NamedValue(value))))
    }
}

struct NamedValue<'a>(FieldValue<'a>);

impl Serialize for NamedValue<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Text(text) => to.serialize_str(text),
            FieldValue::Number(number) => to.serialize_u64(number),
        }
    }
}

/// What an SCTP user message says of itself.
#[derive(Serialize)]
pub(super) struct SctpObject {
    pub(super) stream: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ssn: Option<u32>,
    pub(super) ppid: u32,
    pub(super) tsn: u32,
    pub(super) chunks: u32,
    pub(super) unordered: bool,
}

/// A message in an SCTP user message.
#[derive(Serialize)]
pub(super) struct BundledObject {
    pub(super) offset: usize,
    /// None where the prefix that says it is cut.
    pub(super) length: Option<u64>,
    pub(super) whole: bool,
    pub(super) summary: String,
}

/// A request and its response; one of them may be missing.
#[derive(Serialize)]
pub(super) struct ExchangeObject<'a> {
    #[serde(flatten)]
    pub(super) head: ObjectHead<'a>,
    pub(super) first_time: Rfc3339,
    pub(super) first_frame: u64,
    pub(super) protocol: &'a str,
    /// Only where its connection carries streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<u32>,
    pub(super) request: Option<&'a str>,
    /// None where they are no streams'.
    pub(super) request_offset: Option<u64>,
    pub(super) response: Option<&'a str>,
    pub(super) response_offset: Option<u64>,
    pub(super) whole: bool,
    /// Only where the capture has one of the two alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<&'static str>,
    pub(super) delay: Option<Seconds>,
    pub(super) duration: Option<Seconds>,
}

/// A gap of a stream.
#[derive(Serialize)]
pub(super) struct GapObject<'a> {
    #[serde(flatten)]
    pub(super) head: ObjectHead<'a>,
    /// None in SCTP.
    pub(super) offset: Option<u64>,
    pub(super) length: Option<u64>,
    pub(super) cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sctp: Option<TsnsObject>,
}

/// TSNs of a gap, or of a duplicate.
#[derive(Serialize)]
pub(super) struct TsnsObject {
    pub(super) tsn: u32,
    pub(super) tsns: u64,
}

/// Octets that came again.
#[derive(Serialize)]
pub(super) struct DuplicateObject<'a> {
    #[serde(flatten)]
    pub(super) head: ObjectHead<'a>,
    /// None where they are no stream's.
    pub(super) offset: Option<i64>,
    pub(super) length: u64,
    pub(super) conflict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sctp: Option<TsnsObject>,
}

/// What became of a fragment, or of a datagram that came in fragments. They have no ports, and are of no connection.
#[derive(Serialize)]
pub(super) struct FragmentObject<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) transport: &'static str,
    pub(super) connection: Option<u64>,
    pub(super) src: IpAddr,
    pub(super) src_port: Option<u16>,
    pub(super) dst: IpAddr,
    pub(super) dst_port: Option<u16>,
    pub(super) vlans: VlanIds<'a>,
    pub(super) time: Rfc3339,
    pub(super) ts: UnixSeconds,
    pub(super) frame: u64,
    pub(super) offset: u32,
    pub(super) length: Option<u32>,
    /// Of a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<&'static str>,
    /// Of a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conflict: Option<bool>,
    pub(super) ip: IpObject,
}

/// Which datagram.
#[derive(Serialize)]
pub(super) struct IpObject {
    pub(super) identification: u32,
    pub(super) protocol: u8,
}

/// The end of a connection.
#[derive(Serialize)]
pub(super) struct ConnectionObject<'a> {
    #[serde(flatten)]
    pub(super) head: ObjectHead<'a>,
    pub(super) first_time: Rfc3339,
    pub(super) protocol: Option<&'a str>,
    /// Only where a proxy, or a request for a tunnel, names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) named: Option<NamedObject<'a>>,
    /// Only where a hello or a certificate was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<TlsObject<'a>>,
    pub(super) streams: [StreamObject; 2],
    pub(super) duration: Seconds,
    pub(super) end: &'static str,
}

/// Whom it is between.
#[derive(Serialize)]
pub(super) struct NamedObject<'a> {
    client: Option<&'a str>,
    server: Option<&'a str>,
}

impl<'a> NamedObject<'a> {
    pub(super) fn of(named: &'a NamedEnds) -> Self {
        Self {
            client: named.client.as_deref(),
            server: named.server.as_deref(),
        }
    }
}

/// What its TLS says; null is what was not seen.
#[derive(Serialize)]
pub(super) struct TlsObject<'a> {
    version: Option<String>,
    cipher: Option<String>,
    sni: Option<&'a str>,
    alpn: Option<&'a str>,
    ja3: Option<Hex<16>>,
    ja3s: Option<Hex<16>>,
    ja4: Option<&'a str>,
    certificates: Vec<CertificateObject<'a>>,
}

/// A certificate.
#[derive(Serialize)]
struct CertificateObject<'a> {
    subject: Option<&'a str>,
    sha256: Hex<32>,
}

impl<'a> TlsObject<'a> {
    pub(super) fn of(seen: &'a TlsSeen) -> Self {
        let [ja3, ja3s] = seen.ja3();
        let certificates = seen.certificates();
        Self {
            version: seen.version(),
            cipher: seen.cipher(),
            sni: seen.server_name(),
            alpn: seen.alpn(),
            ja3: ja3.map(Hex),
            ja3s: ja3s.map(Hex),
            ja4: seen.ja4(),
            certificates: certificates
                .map(|(subject, sum)| CertificateObject {
                    subject,
                    sha256: Hex(sum),
                })
                .collect(),
        }
    }
}

/// One direction of a connection.
#[derive(Serialize)]
pub(super) struct StreamObject {
    packets: u64,
    octets: u64,
    segments: u64,
    messages: u64,
    gaps: u64,
    lost_octets: u64,
}

impl StreamObject {
    /// That of a stream of TCP or SCTP, with so many packets.
    pub(super) fn of(stream: &JsonStream, packets: u64) -> Self {
        Self {
            packets,
            octets: stream.octets,
            segments: stream.segments,
            messages: stream.messages,
            gaps: stream.gaps,
            lost_octets: stream.lost,
        }
    }
}

impl From<&FlowTotals> for StreamObject {
    fn from(seen: &FlowTotals) -> Self {
        Self {
            packets: seen.packets,
            octets: seen.octets,
            segments: seen.messages,
            messages: seen.messages,
            gaps: seen.cut,
            lost_octets: seen.lost,
        }
    }
}

/// A packet of the input that could not be used.
#[derive(Serialize)]
pub(super) struct DroppedObject {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) time: Rfc3339,
    pub(super) ts: UnixSeconds,
    pub(super) frame: u64,
    pub(super) octets: usize,
    pub(super) length: u32,
    pub(super) interface: u32,
    pub(super) reason: CounterName,
    pub(super) text: &'static str,
}

/// VLAN identifiers, outer first.
pub(super) struct VlanIds<'a>(pub(super) &'a [VlanTag]);

impl Serialize for VlanIds<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            self.0
                .iter()
                .filter(|t| t.tpid != 0)
                .map(|t| t.tci & 0x0fff),
        )
    }
}

/// `SECTION.NAME` of a reason.
pub(super) struct CounterName(pub(super) Discard);

impl Serialize for CounterName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}.{}", self.0.section(), self.0.name()))
    }
}

/// The octets of a message, as `--json-body` asks for them.
pub(super) struct ShownBody<'a> {
    pub(super) octets: &'a [u8],
    pub(super) form: JsonBody,
}

impl Serialize for ShownBody<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.form {
            JsonBody::Base64 => to.collect_str(&Base64Display::new(self.octets, &STANDARD)),
            JsonBody::Text | JsonBody::None => {
                to.serialize_str(&String::from_utf8_lossy(self.octets))
            }
        }
    }
}
