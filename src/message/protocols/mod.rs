//! The table of protocols.
//!
//! A protocol is one file here and its row, or rows, in [`protocols!`] below: over TCP, in UDP datagrams, in user messages of
//! SCTP. Nothing outside of its file knows its name. The file has what is true of it alone: its row ([`ProtocolRow`]), what
//! makes its header plausible, its framer where the engines of `length.rs`, `headers.rs` and `lines.rs` do not frame it, and
//! the one line that sums up a message.

use super::bundled::Bundle;
use super::carrier::{Carrier, CarrierContext, ToStreams};
use super::custom::CustomFramer;
use super::fields::MessageFields;
use super::framing::{Begin, BodyPart, Detector, Found, Framer, Position, Probe};
use super::headers::HeaderFramer;
use super::in_order::{ByNumber, InOrder};
use super::length::LengthFramer;
use super::lines::LineFramer;
use super::row::{BundledLength, DatagramRow, FileUse, NamedEnds, Ppid, ProtocolRow, near};
use super::text::{first_line, shown};
use super::textual::TextualFramer;
use super::user_framer::UserFramer;
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::protocol::NO_PROTOCOL;
use crate::base::state::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

mod amqp;
mod bgp;
mod cql;
mod dhcp;
mod dhcpv6;
mod diameter;
mod dicom;
mod dnp3;
mod dns;
mod doip;
mod dua;
mod e1ap;
mod enip;
mod f1ap;
mod ftp;
mod gtp;
mod gtpv2;
mod hnbap;
mod http1;
mod http1_words;
mod http2;
mod http2_streams;
mod iec104;
mod imap;
mod irc;
mod iua;
mod kafka;
mod ldap;
mod llmnr;
mod m2ap;
mod m2pa;
mod m2ua;
mod m3ap;
mod m3ua;
mod mbtcp;
mod mdns;
mod megaco;
mod memcache;
mod mongo;
mod mqtt;
mod mysql;
mod nats;
mod nbss;
mod nbss_words;
mod ngap;
mod ntp;
mod opcua;
mod pfcp;
mod pgsql;
mod pop;
mod ppids;
mod proxy;
mod quic;
mod radius;
mod ranap;
mod resp;
mod rtmpt;
mod rtmpt_messages;
mod rtmpt_values;
mod rtsp;
mod s1ap;
mod s7_words;
mod sbcap;
mod sip;
mod smtp;
mod snmp;
mod socks;
mod someip;
mod ssh;
mod stomp;
mod stun;
mod sua;
mod syslog;
mod tftp;
mod tls;
mod tpkt;
mod v5ua;
mod websocket;
mod websocket_messages;
mod x2ap;
mod xmpp;
mod xnap;

pub use tftp::Transfers;

/// What finds the streams that connections carry, for the protocols that do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum AnyCarrier {
    /// Of HTTP/2.
    Http2(Box<http2_streams::Http2Streams>),
    /// Of WebSocket.
    Websocket(Box<websocket_messages::WebsocketMessages>),
    /// Of RTMP.
    Rtmpt(Box<rtmpt_messages::RtmptMessages>),
}

/// Asks the carrier that there is.
macro_rules! each_carrier {
    ($carrier:ident, $c:ident => $answer:expr) => {
        match $carrier {
            AnyCarrier::Http2($c) => $answer,
            AnyCarrier::Websocket($c) => $answer,
            AnyCarrier::Rtmpt($c) => $answer,
        }
    };
}

impl Carrier for AnyCarrier {
    fn frame(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        each_carrier!(self, c => c.frame(at, to));
    }

    fn octets(&mut self, at: CarrierContext, octets: &[u8], to: ToStreams<'_>) {
        each_carrier!(self, c => c.octets(at, octets, to));
    }

    fn gap(&mut self, at: CarrierContext, len: u64, to: ToStreams<'_>) {
        each_carrier!(self, c => c.gap(at, len, to));
    }

    fn lost(&mut self, direction: Direction) {
        each_carrier!(self, c => c.lost(direction));
    }

    fn end(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        each_carrier!(self, c => c.end(at, to));
    }

    fn numbers_streams(&self) -> bool {
        each_carrier!(self, c => c.numbers_streams())
    }

    fn size(&self) -> usize {
        each_carrier!(self, c => c.size())
    }
}

/// A protocol over TCP.
#[derive(Clone, Copy)]
pub(super) struct StreamRow {
    /// What the table says of it.
    pub(super) protocol: &'static ProtocolRow,
    /// What recognises it.
    pub(super) detector: &'static dyn Detector,
    framer: fn() -> AnyFramer,
}

impl StreamRow {
    /// What frames a connection of this protocol.
    pub(super) fn framer(&self) -> AnyFramer {
        (self.framer)()
    }
}

impl std::fmt::Debug for StreamRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.protocol.name)
    }
}

/// Makes the tables of what stands in the rows.
macro_rules! protocols {
    (
        streams { $( $Variant:ident($Framer:ty): $stream:ident, $detector:expr; )* }
        datagrams { $( $datagram:ident :: $row:ident; )* }
        user_messages { $( $user:ident; )* }
        user_messages_by_ppid_only { $( $named:ident; )* }
    ) => {
        /// The framers that there are: one for each protocol over TCP, and those of users.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(super) enum AnyFramer {
            $(
                #[doc = concat!("Of the protocol in `", stringify!($stream), "`.")]
                $Variant($Framer),
            )*
            /// Of a row that the user adds.
            User(Box<UserFramer>),
            /// Of a detector that a user of the library brings.
            Custom(CustomFramer),
        }

        impl AnyFramer {
            /// Wireshark's name of the protocol, or the user's.
            pub(super) fn name(&self) -> &'static str {
                match self {
                    $( Self::$Variant(_) => $stream::PROTOCOL.name, )*
                    Self::User(framer) => framer.name(),
                    Self::Custom(framer) => framer.name(),
                }
            }

            /// What finds the streams in its frames, where a connection of the protocol carries some.
            pub(super) fn carrier(&self) -> Option<AnyCarrier> {
                match self {
                    Self::Http2(_) => Some(AnyCarrier::Http2(Box::default())),
                    Self::Websocket(framer) => {
                        let made = websocket_messages::WebsocketMessages::new(framer);
                        Some(AnyCarrier::Websocket(Box::new(made)))
                    }
                    Self::Rtmpt(framer) => {
                        let made = rtmpt_messages::RtmptMessages::new(framer);
                        Some(AnyCarrier::Rtmpt(Box::new(made)))
                    }
                    _ => None,
                }
            }

            /// What frames the connection behind the message that handed it over, where that has named a protocol.
            pub(super) fn next_framer(&self) -> Option<Self> {
                let mut next = stream(self.next_protocol()?)?.framer();
                if let (Self::Http1(from), Self::Websocket(to)) = (self, &mut next) {
                    to.agreed = from.websocket();
                }
                Some(next)
            }

            /// A protocol that others switch to may begin in the middle of this one: see [`ProtocolRow::interrupts`].
            pub(super) fn may_be_interrupted(&self) -> bool {
                match self {
                    $( Self::$Variant(_) => $stream::PROTOCOL.interrupts.is_none(), )*
                    Self::User(_) => true,
                    // A library user's detector has the last word on its connections.
                    Self::Custom(_) => false,
                }
            }
        }

        /// Asks the framer that there is.
        macro_rules! each_framer {
            ($framer:ident, $f:ident => $answer:expr) => {
                match $framer {
                    $( AnyFramer::$Variant($f) => $answer, )*
                    AnyFramer::User($f) => $answer,
                    AnyFramer::Custom($f) => $answer,
                }
            };
        }

        impl Framer for AnyFramer {
            fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
                each_framer!(self, f => f.begin(at, octets))
            }

            fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
                each_framer!(self, f => f.part(at, octets))
            }

            fn next_protocol(&self) -> Option<&'static str> {
                each_framer!(self, f => f.next_protocol())
            }

            fn goes_on_as(&self, at: &Position, octets: &[u8]) -> Option<&'static str> {
                each_framer!(self, f => f.goes_on_as(at, octets))
            }

            fn search_waits(&mut self, at: &Position) -> Option<u64> {
                each_framer!(self, f => f.search_waits(at))
            }

            fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
                each_framer!(self, f => f.search(at, octets))
            }

            fn needs(&self, octets: &[u8]) -> usize {
                each_framer!(self, f => f.needs(octets))
            }

            fn reads_lines(&self) -> bool {
                each_framer!(self, f => f.reads_lines())
            }

            fn answers(&self) -> Option<u64> {
                each_framer!(self, f => f.answers())
            }

            fn is_ahead(&self, at: &Position) -> bool {
                each_framer!(self, f => f.is_ahead(at))
            }

            fn begins_whole(&mut self) {
                each_framer!(self, f => f.begins_whole());
            }

            fn gap(&mut self, direction: Direction) {
                each_framer!(self, f => f.gap(direction));
            }

            fn refused(&mut self, direction: Direction, offset: u64) {
                each_framer!(self, f => f.refused(direction, offset));
            }

            fn hole(&mut self, direction: Direction, len: Option<u64>) {
                each_framer!(self, f => f.hole(direction, len));
            }

            fn is_sure(&self, direction: Direction) -> bool {
                each_framer!(self, f => f.is_sure(direction))
            }

            fn is_over(&self, direction: Direction, offset: u64) -> bool {
                each_framer!(self, f => f.is_over(direction, offset))
            }

            fn goes_on_behind_gap(&mut self, direction: Direction, len: u64) -> bool {
                each_framer!(self, f => f.goes_on_behind_gap(direction, len))
            }

            fn begins_in_gap(&mut self, direction: Direction, offset: u64, len: u64) -> bool {
                each_framer!(self, f => f.begins_in_gap(direction, offset, len))
            }

            fn begun_in_gap(&self, direction: Direction) -> Option<u64> {
                each_framer!(self, f => f.begun_in_gap(direction))
            }

            fn ends_at_gap(&self) -> bool {
                each_framer!(self, f => f.ends_at_gap())
            }

            fn size(&self) -> usize {
                each_framer!(self, f => f.size())
            }
        }

        /// The protocols over TCP, in the order in which they are tried.
        pub(super) static STREAMS: &[StreamRow] = &[
            $( StreamRow {
                protocol: &$stream::PROTOCOL,
                detector: $detector,
                framer: || AnyFramer::$Variant(<$Framer>::default()),
            }, )*
        ];

        /// The protocols in UDP datagrams, in the order in which they are tried.
        static DATAGRAMS: &[(&ProtocolRow, &DatagramRow)] = &[
            $( (&$datagram::PROTOCOL, &$datagram::$row), )*
        ];

        /// The protocols in user messages of SCTP, in the order in which they are tried where no identifier names one.
        static USER_MESSAGES: &[&ProtocolRow] = &[ $( &$user::PROTOCOL, )* ];

        /// Those that only their identifiers, or the user, name.
        static NAMED_USER_MESSAGES: &[&ProtocolRow] = &[ $( &$named::PROTOCOL, )* ];
    };
}

protocols! {
    // Those come first whose first octets are hardly anything else's, and the lines of text last.
    streams {
        Proxy(proxy::Proxy): proxy, &proxy::ProxyDetector;
        Http1(Box<http1::Http1>): http1, &http1::HttpDetector;
        Http2(http2::Http2): http2, &http2::Http2Detector;
        Tls(tls::Tls): tls, &tls::TlsDetector;
        Ssh(ssh::Ssh): ssh, &ssh::SshDetector;
        Xmpp(xmpp::Xmpp): xmpp, &xmpp::XmppDetector;
        Sip(HeaderFramer<sip::Sip>): sip, &sip::SYNTAX;
        Rtsp(HeaderFramer<rtsp::Rtsp>): rtsp, &rtsp::SYNTAX;
        Resp(Box<resp::Resp>): resp, &resp::RespDetector;
        Pgsql(pgsql::Pgsql): pgsql, &pgsql::PgsqlDetector;
        Bgp(LengthFramer<bgp::Bgp>): bgp, &bgp::FORMAT;
        Nbss(LengthFramer<nbss::Nbss>): nbss, &nbss::FORMAT;
        Diameter(LengthFramer<diameter::Diameter>): diameter, &diameter::FORMAT;
        Opcua(LengthFramer<opcua::Opcua>): opcua, &opcua::FORMAT;
        Dnp3(LengthFramer<dnp3::Dnp3>): dnp3, &dnp3::FORMAT;
        Dicom(LengthFramer<dicom::Dicom>): dicom, &dicom::FORMAT;
        Enip(LengthFramer<enip::Enip>): enip, &enip::FORMAT;
        Doip(LengthFramer<doip::Doip>): doip, &doip::FORMAT;
        Amqp(LengthFramer<amqp::Amqp>): amqp, &amqp::FORMAT;
        Mqtt(LengthFramer<mqtt::Mqtt>): mqtt, &mqtt::FORMAT;
        Ldap(LengthFramer<ldap::Ldap>): ldap, &ldap::FORMAT;
        Mysql(LengthFramer<mysql::Mysql>): mysql, &mysql::FORMAT;
        Someip(LengthFramer<someip::Someip>): someip, &someip::FORMAT;
        Tpkt(LengthFramer<tpkt::Tpkt>): tpkt, &tpkt::FORMAT;
        Mbtcp(LengthFramer<mbtcp::Mbtcp>): mbtcp, &mbtcp::FORMAT;
        Iec104(LengthFramer<iec104::Iec104>): iec104, &iec104::FORMAT;
        Mongo(LengthFramer<mongo::Mongo>): mongo, &mongo::FORMAT;
        Cql(LengthFramer<cql::Cql>): cql, &cql::FORMAT;
        Kafka(LengthFramer<kafka::Kafka>): kafka, &kafka::FORMAT;
        Dns(LengthFramer<dns::Dns>): dns, &dns::FORMAT;
        Rtmpt(Box<rtmpt::Rtmpt>): rtmpt, &rtmpt::RtmptDetector;
        Websocket(websocket::Frames): websocket, &websocket::WebsocketDetector;
        Socks(socks::Socks): socks, &socks::SocksDetector;
        Nats(TextualFramer<nats::Nats>): nats, &nats::FORMAT;
        Stomp(TextualFramer<stomp::Stomp>): stomp, &stomp::FORMAT;
        Memcache(TextualFramer<memcache::Memcache>): memcache, &memcache::FORMAT;
        Irc(TextualFramer<irc::Irc>): irc, &irc::FORMAT;
        Smtp(Box<LineFramer<smtp::Smtp>>): smtp, &smtp::DIALECT;
        Ftp(Box<LineFramer<ftp::Ftp>>): ftp, &ftp::DIALECT;
        Pop(Box<LineFramer<pop::Pop>>): pop, &pop::DIALECT;
        Imap(Box<LineFramer<imap::Imap>>): imap, &imap::DIALECT;
    }
    datagrams {
        dns::DATAGRAM;
        mdns::DATAGRAM;
        llmnr::DATAGRAM;
        dhcp::WITH_COOKIE;
        dhcp::CUT;
        dhcpv6::DATAGRAM;
        sip::DATAGRAM;
        stun::DATAGRAM;
        ntp::DATAGRAM;
        snmp::DATAGRAM;
        radius::DATAGRAM;
        syslog::ON_ITS_PORT;
        tftp::ON_ITS_PORT;
        tftp::REQUEST;
        someip::DATAGRAM;
        doip::DATAGRAM;
        quic::DATAGRAM;
        dnp3::DATAGRAM;
        enip::DATAGRAM;
        gtp::DATAGRAM;
        gtpv2::DATAGRAM;
        pfcp::DATAGRAM;
        syslog::ANYWHERE;
    }
    user_messages {
        diameter;
        m2ua;
        m3ua;
        v5ua;
        iua;
        sua;
        m2pa;
        s1ap;
        x2ap;
        m2ap;
        m3ap;
        ngap;
        xnap;
        e1ap;
        f1ap;
        sbcap;
        hnbap;
        megaco;
        http1;
    }
    user_messages_by_ppid_only {
        dua;
        ranap;
    }
}

/// Every row, some more than once.
fn rows() -> impl Iterator<Item = &'static ProtocolRow> {
    let streams = STREAMS.iter().map(|row| row.protocol);
    let datagrams = DATAGRAMS.iter().map(|(protocol, _)| *protocol);
    let user = USER_MESSAGES.iter().chain(NAMED_USER_MESSAGES).copied();
    let named = ppids::NAMED.iter();
    streams.chain(datagrams).chain(user).chain(named)
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static ProtocolRow, foldhash::fast::FixedState>> =
    LazyLock::new(|| rows().map(|row| (row.name, row)).collect());

/// The identifiers that IANA has assigned, each with the name of its protocol, by number.
static PPIDS: LazyLock<Vec<(Ppid, &'static str)>> = LazyLock::new(|| {
    let unnamed = ppids::UNNAMED.iter().map(|ppid| (*ppid, NO_PROTOCOL));
    let rows = rows().flat_map(|row| row.ppids.iter().map(|ppid| (*ppid, row.name)));
    let mut all: Vec<_> = rows.chain(unnamed).collect();
    all.sort_by_key(|(ppid, _)| ppid.number);
    all.dedup();
    all
});

/// The row of the protocol over TCP with this name.
pub(super) fn stream(name: &str) -> Option<&'static StreamRow> {
    STREAMS.iter().find(|row| row.protocol.name == name)
}

/// The protocol that others switch to, and whose beginning can be recognised in the middle of them.
pub(super) fn interrupter() -> Option<&'static StreamRow> {
    const PLACE: Option<usize> = {
        let mut found = None;
        let mut i = 0;
        while i < STREAMS.len() {
            if STREAMS[i].protocol.interrupts.is_some() {
                found = Some(i);
            }
            i += 1;
        }
        found
    };
    PLACE.and_then(|place| STREAMS.get(place))
}

/// What follows a switch from this protocol may be the same protocol again: see [`ProtocolRow::tunnels`].
pub(super) fn tunnels(name: &str) -> bool {
    stream(name).is_some_and(|row| row.protocol.tunnels)
}

/// Connections of this protocol carry streams of their own, and what is framed are their frames.
#[inline]
pub(super) fn carries(name: &str) -> bool {
    const CARRIERS: [&str; 3] = [
        http2::PROTOCOL.name,
        websocket::PROTOCOL.name,
        rtmpt::PROTOCOL.name,
    ];
    CARRIERS.contains(&name)
}

/// Messages of this protocol are records that are opened where their keys are known.
#[inline]
pub(super) fn is_opened_with_keys(name: &str) -> bool {
    name == tls::PROTOCOL.name
}

/// A message of TLS that begins like this may be a handshake message in clear.
pub(super) fn may_be_read(head: &[u8]) -> bool {
    tls::is_handshake(head)
}

/// The port on which readers look for a protocol, where it was met on this one: this one if it is its own, else its first.
#[must_use]
pub fn clear_port(name: &str, port: u16) -> u16 {
    // HTTP/2 is told by what it begins with, on the port of HTTP.
    let name = if name == http2::PROTOCOL.name {
        http1::PROTOCOL.name
    } else {
        name
    };
    let ports = stream(name).map_or(&[][..], |row| row.protocol.ports);
    match ports.first() {
        Some(first) if !ports.contains(&port) => *first,
        _ => port,
    }
}

/// The port that a protocol would have without TLS, of one on which it has it: what hints at what is spoken there.
pub(super) fn plain_port(port: u16) -> u16 {
    tls::PLAIN_PORTS
        .iter()
        .find(|(tls, _)| *tls == port)
        .map_or(port, |(_, plain)| *plain)
}

/// The port without TLS of a protocol that two ends have agreed on (RFC 7301).
pub(super) fn alpn_port(name: &[u8]) -> Option<u16> {
    let named = |row: &&StreamRow| row.protocol.alpn.iter().any(|alpn| alpn.as_bytes() == name);
    let row = STREAMS.iter().find(named)?;
    Some(clear_port(row.protocol.name, 0)).filter(|port| *port != 0)
}

/// The protocol that is put before others, if octets that begin a stream may be its own, and whether they are.
pub(super) fn prefix_at(octets: &[u8]) -> Option<(&'static StreamRow, Probe)> {
    let mut rows = STREAMS.iter().filter(|row| row.protocol.prefix);
    rows.find_map(|row| match row.detector.probe(octets, false) {
        Probe::No => None,
        probe => Some((row, probe)),
    })
}

/// What stands behind a message of this protocol is the connection that it was put before: see [`ProtocolRow::prefix`].
pub(super) fn is_prefix(name: &str) -> bool {
    stream(name).is_some_and(|row| row.protocol.prefix)
}

/// A protocol that datagrams are recognised as, and how.
type DatagramProtocol = (&'static ProtocolRow, &'static DatagramRow);

/// Which protocols datagrams are recognised as on which port.
// The lists of ports of all rows took a thousand instructions for each datagram of a protocol that has none, as voice has.
struct DatagramPorts {
    /// The place of the list of each port; 0 where no protocol is looked for on it.
    places: Vec<u16>,
    /// The protocols that are looked for on a port, those included that are looked for on all, in the order in which they are
    /// tried.
    lists: Vec<Vec<&'static DatagramProtocol>>,
}

static DATAGRAM_PORTS: LazyLock<DatagramPorts> = LazyLock::new(|| {
    let on = |port: &u16| {
        let rows = DATAGRAMS.iter();
        let rows = rows.filter(|(_, row)| row.ports.is_empty() || row.ports.contains(port));
        rows.collect::<Vec<_>>()
    };
    let mut all = DatagramPorts {
        places: vec![0; 1 << 16],
        // Nothing is looked for on port 0.
        lists: vec![on(&0)],
    };
    for port in DATAGRAMS.iter().flat_map(|(_, row)| row.ports) {
        all.places[usize::from(*port)] = u16::try_from(all.lists.len()).unwrap_or(0);
        all.lists.push(on(port));
    }
    all
});

/// The protocols that a datagram between these ports may be of, in the order in which they are tried.
fn datagram_rows(ports: (u16, u16)) -> impl Iterator<Item = &'static DatagramProtocol> {
    let DatagramPorts { places, lists } = &*DATAGRAM_PORTS;
    let [src, dst] = [ports.0, ports.1].map(|port| places[usize::from(port)]);
    let (one, other) = (&lists[usize::from(src.max(dst))], &DATAGRAMS);
    let both = src != 0 && dst != 0 && src != dst;
    let (one, other) = if both {
        (&[][..], &other[..])
    } else {
        (&one[..], &[][..])
    };
    let other = other.iter().filter(move |(_, row)| near(row.ports, ports));
    one.iter().copied().chain(other)
}

/// Name of the protocol of a UDP datagram, by Wireshark; `data` where none is known.
pub fn datagram_protocol(payload: &[u8], src_port: u16, dst_port: u16) -> &'static str {
    datagram_rows((src_port, dst_port))
        .find(|(_, row)| (row.is_plausible)(payload))
        .map_or(NO_PROTOCOL, |(protocol, _)| protocol.name)
}

/// What stands in a datagram of this protocol, and its protocol.
fn relayed<'a>(
    protocol: &str,
    transport: Transport,
    payload: &'a [u8],
) -> Option<(&'static str, &'a [u8])> {
    let read = BY_NAME.get(protocol)?.relayed?;
    let (port, inside) = read(payload).filter(|_| transport == Transport::Udp)?;
    Some((datagram_protocol(inside, port, port), inside))
}

/// Name of the protocol of a datagram that a proxy passes on: nothing marks it but what stands in it.
pub(super) fn relaying_protocol(payload: &[u8]) -> Option<&'static str> {
    let name = socks::PROTOCOL.name;
    let (inside, _) = relayed(name, Transport::Udp, payload)?;
    (inside != NO_PROTOCOL).then_some(name)
}

/// Name of the protocol of a UDP datagram of `len` octets, of which the snapshot length has left these, where several messages may
/// stand in one: by the headers that are left, whose messages end with the datagram or before. `data` where there is none.
pub(super) fn cut_datagram_protocol(payload: &[u8], len: usize, ports: (u16, u16)) -> &'static str {
    let mut rows =
        datagram_rows(ports).filter_map(|(protocol, _)| Some((protocol.name, protocol.bundled?)));
    let found = rows.find(|(_, length)| super::bundled::begins(*length, payload, len as u64));
    found.map_or(NO_PROTOCOL, |(name, _)| name)
}

/// Name of the protocol of an SCTP user message: by its PPID, else, where that names nothing (some stacks leave it 0), by its
/// ports and octets, of which `whole` says whether they are all. `data` where nothing is known.
pub(super) fn user_message_protocol(
    ports: (u16, u16),
    ppid: u32,
    data: &[u8],
    whole: bool,
) -> &'static str {
    match ppid_protocol(ppid) {
        NO_PROTOCOL => USER_MESSAGES
            .iter()
            .find(|protocol| {
                protocol
                    .user_message
                    .is_some_and(|row| near(row.ports, ports) && (row.is_plausible)(data, whole))
            })
            .map_or(NO_PROTOCOL, |protocol| protocol.name),
        name => name,
    }
}

/// Name of the protocol that a PPID stands for; `data` where IANA has not assigned it or Wireshark has no name.
///
/// Some stacks put the number into the packet in the order of their own machine, so a number that is not assigned is taken
/// with its octets reversed.
fn ppid_protocol(number: u32) -> &'static str {
    let at = |n: u32| {
        let place = PPIDS
            .binary_search_by_key(&n, |(ppid, _)| ppid.number)
            .ok()?;
        PPIDS.get(place)
    };
    at(number)
        .or_else(|| at(number.swap_bytes()))
        .map_or(NO_PROTOCOL, |(_, name)| name)
}

/// The messages in the octets of a user message; None where the protocol puts one message into each.
pub fn bundle<'a>(protocol: &str, data: &'a [u8]) -> Option<Bundle<'a>> {
    Some(Bundle::new(bundled_length(protocol)?, data))
}

/// How long each message says that it is; None where the protocol puts one message into each user message.
pub(super) fn bundled_length(protocol: &str) -> Option<BundledLength> {
    BY_NAME.get(protocol)?.bundled
}

/// Appends the summary of a message to `out`, for people: its start line, its query, or its first octets. `head` is as in
/// [`MessageStart`](super::MessageStart).
pub fn summary(protocol: &str, transport: Transport, kind: Kind, head: &[u8], out: &mut String) {
    let ahead = out.len();
    escaped_summary(protocol, transport, kind, head, out);
    if let Cow::Owned(text) = shown(&out[ahead..]) {
        out.truncate(ahead);
        out.push_str(&text);
    }
}

/// The same so that it can be read again ([`unescaped`](super::unescaped)).
pub fn escaped_summary(
    protocol: &str,
    transport: Transport,
    kind: Kind,
    head: &[u8],
    out: &mut String,
) {
    let of_row = BY_NAME.get(protocol).and_then(|row| match transport {
        Transport::Sctp => row.user_message_summary,
        Transport::Tcp | Transport::Udp => match kind {
            Kind::Response => row.response_summary.or(row.summary),
            Kind::Request | Kind::Other => row.summary,
        },
    });
    if !of_row.is_some_and(|summary| summary(transport, head, out)) {
        first_line(head, out);
    }
    if let Some((inside, octets)) = relayed(protocol, transport, head) {
        out.extend([": ", inside, " "]);
        escaped_summary(inside, transport, kind, octets, out);
    }
}

/// What a datagram, or a user message of SCTP, is to its protocol. Of a message of a stream its framer says that
/// ([`MessageStart::kind`](super::MessageStart::kind)).
pub fn kind(protocol: &str, payload: &[u8]) -> Kind {
    if let Some((inside, octets)) = relayed(protocol, Transport::Udp, payload) {
        return kind(inside, octets);
    }
    BY_NAME
        .get(protocol)
        .and_then(|row| row.kind)
        .map_or(Kind::Other, |kind| kind(payload))
}

/// What a response has in common with its request, and no other of the same two endpoints has; None where the protocol has no such
/// thing. `head` is as in [`MessageStart`](super::MessageStart).
pub fn transaction(protocol: &str, transport: Transport, head: &[u8]) -> Option<u64> {
    if let Some((inside, octets)) = relayed(protocol, transport, head) {
        return transaction(inside, transport, octets);
    }
    let transaction = BY_NAME.get(protocol)?.transaction?;
    transaction(transport, head)
}

/// The same of a response that repeats less of its request than others do, and of a request that may have such a response.
pub fn short_transaction(
    protocol: &str,
    transport: Transport,
    kind: Kind,
    head: &[u8],
) -> Option<u64> {
    let read = BY_NAME.get(protocol)?.short_transaction?;
    read(transport, kind, head)
}

/// A response of the protocol answers the one request that waits, where one alone does: it says nothing else of it.
pub fn answered_alone(protocol: &str, transport: Transport) -> bool {
    transport == Transport::Sctp && BY_NAME.get(protocol).is_some_and(|row| row.answered_alone)
}

/// The answers of the protocol are other flows than what they answer: [`transaction`] alone tells what that is.
pub fn answered_elsewhere(protocol: &str) -> bool {
    let row = BY_NAME.get(protocol);
    row.is_some_and(|row| row.answered_elsewhere)
}

/// What a request asks for, where its response does not say it; [`asked_name`] names it.
pub fn asks_for(protocol: &str, head: &[u8]) -> Option<u8> {
    let (read, _) = BY_NAME.get(protocol)?.asks_for?;
    read(head)
}

/// Messages of the protocol go by files that only some of them name: [`file_use`] tells which.
pub fn uses_files(protocol: &str) -> bool {
    BY_NAME
        .get(protocol)
        .is_some_and(|row| row.file_use.is_some())
}

/// What a message does with a file, of a protocol whose messages do not all name it.
pub fn file_use(protocol: &str, kind: Kind, head: &[u8]) -> Option<FileUse> {
    let read = BY_NAME.get(protocol)?.file_use?;
    read(kind, head)
}

/// The name of what [`asks_for`] has read.
pub fn asked_name(protocol: &str, number: u8) -> Option<&'static str> {
    let (_, name) = BY_NAME.get(protocol)?.asks_for?;
    name(number)
}

/// How the responses of a protocol find their requests, where they repeat what [`transaction`] tells.
pub fn by_number(protocol: &str) -> Option<ByNumber> {
    let row = BY_NAME.get(protocol)?;
    row.transaction?;
    Some(if row.numbers_again {
        ByNumber::Again
    } else {
        ByNumber::Once
    })
}

/// The response is a part of an answer, and others follow that have the same number as it.
pub fn goes_on(protocol: &str, head: &[u8]) -> bool {
    let goes_on = BY_NAME.get(protocol).and_then(|row| row.goes_on);
    goes_on.is_some_and(|goes_on| goes_on(head))
}

/// Every request of the protocol has one answer, and every answer a request: what a capture has alone lacks the other.
pub fn has_one_answer(protocol: &str) -> bool {
    BY_NAME.get(protocol).is_some_and(|row| row.one_answer)
}

/// How the responses of a protocol find their requests, where they do so by order alone.
pub fn in_order(protocol: &str) -> Option<&'static InOrder> {
    BY_NAME.get(protocol)?.in_order
}

/// Messages of a stream of the protocol are paired by what their sides had heard of each other: by order, by a number, or in the streams
/// that it carries. HTTP/1 asks for that itself, where it has to.
pub(super) fn pairs(protocol: &str) -> bool {
    let row = BY_NAME.get(protocol);
    protocol == http2::PROTOCOL.name
        || row.is_some_and(|row| {
            (row.in_order.is_some() || row.transaction.is_some()) && !row.announces
        })
}

/// A server of the protocol waits at this port, as its row says.
pub fn uses_port(protocol: &str, transport: Transport, port: u16) -> bool {
    let Some(row) = BY_NAME.get(protocol) else {
        return false;
    };
    match transport {
        Transport::Tcp => row.ports.contains(&port),
        Transport::Udp => DATAGRAMS
            .iter()
            .any(|(of, row)| of.name == protocol && row.ports.contains(&port)),
        Transport::Sctp => row
            .user_message
            .is_some_and(|row| row.ports.contains(&port)),
    }
}

/// Of this protocol a server speaks first in flows that are on no port of the protocol.
pub fn server_begins(protocol: &str) -> bool {
    BY_NAME.get(protocol).is_some_and(|row| row.server_begins)
}

/// Words of a summary that stand ahead of what a request asks for: the method, the command.
pub fn words_ahead(protocol: &str) -> usize {
    BY_NAME.get(protocol).map_or(0, |row| row.words_ahead)
}

/// The summary of a response ends with its result, and that of a request with a name; else it begins with that.
pub fn result_is_last(protocol: &str) -> bool {
    BY_NAME.get(protocol).is_some_and(|row| row.result_last)
}

/// What of a message is listed by name. `head` is as in [`MessageStart`](super::MessageStart).
pub fn fields(protocol: &str, transport: Transport, kind: Kind, head: &[u8]) -> MessageFields {
    let mut fields = MessageFields::default();
    fields_into(protocol, transport, kind, head, &mut fields);
    fields
}

/// The same, added to those that are there.
pub fn fields_into(
    protocol: &str,
    transport: Transport,
    kind: Kind,
    head: &[u8],
    to: &mut MessageFields,
) {
    if let Some(read) = BY_NAME.get(protocol).and_then(|row| row.fields) {
        read(transport, kind, head, to);
    }
}

/// Whom a message names that its connection is between, where it stands before another one or opens a tunnel. `head` is as in
/// [`MessageStart`](super::MessageStart).
pub fn named_ends(protocol: &str, head: &[u8]) -> Option<NamedEnds> {
    let read = BY_NAME.get(protocol)?.names_ends?;
    read(head)
}

/// The protocols that list something, and the names of that.
pub fn listing_protocols() -> BTreeMap<&'static str, &'static [&'static str]> {
    let listing = rows().filter(|row| !row.field_names.is_empty());
    listing.map(|row| (row.name, row.field_names)).collect()
}

/// The names of what a protocol lists.
pub fn listed_fields(protocol: &str) -> &'static [&'static str] {
    BY_NAME.get(protocol).map_or(&[], |row| row.field_names)
}

/// A protocol that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Wireshark's name.
    pub name: &'static str,
    /// `tcp`, `udp` or `sctp`.
    pub transport: &'static str,
    /// Ports that hint at it, or that it is looked for on.
    pub ports: &'static [u16],
    /// What it is.
    pub about: &'static str,
}

/// All protocols, by name; one that several transports carry stands there for each.
pub fn protocols() -> Vec<Protocol> {
    let streams = STREAMS.iter().map(|row| Protocol {
        name: row.protocol.name,
        transport: "tcp",
        ports: row.protocol.ports,
        about: row.protocol.about,
    });
    let datagrams = DATAGRAMS.iter().map(|(protocol, row)| Protocol {
        name: protocol.name,
        transport: "udp",
        ports: row.ports,
        about: row.about,
    });
    let user = PPIDS.iter().filter(|(_, name)| *name != NO_PROTOCOL);
    let user = user.map(|(ppid, name)| Protocol {
        name,
        transport: "sctp",
        ports: BY_NAME
            .get(name)
            .and_then(|row| row.user_message)
            .map_or(&[], |row| row.ports),
        about: ppid.title,
    });
    let mut all: Vec<_> = streams.chain(datagrams).chain(user).collect();
    all.sort_by_key(|p| (p.name, p.transport, p.ports.is_empty()));
    all.dedup_by_key(|p| (p.name, p.transport));
    all
}

/// The protocol of this name, in any case, that is part of the program: Wireshark's name, or another that people use. The name
/// that stands for no protocol too.
pub fn known_name(text: &str) -> Option<&'static str> {
    let is = |name: &str| name.eq_ignore_ascii_case(text);
    if is(NO_PROTOCOL) {
        return Some(NO_PROTOCOL);
    }
    let alias = BY_NAME
        .values()
        .find(|row| row.aliases.iter().any(|alias| is(alias)));
    let named = protocols();
    let named = named.iter().map(|p| p.name).find(|name| is(name));
    named.or(alias.map(|row| row.name))
}

/// Other names by which people know protocols.
pub fn known_aliases() -> Vec<&'static str> {
    let mut all: Vec<_> = BY_NAME
        .values()
        .flat_map(|row| row.aliases.iter().copied())
        .collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::super::length::testing::samples;
    use super::*;

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<_> = STREAMS.iter().map(|row| row.protocol.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STREAMS.len());
        for row in rows() {
            let same = rows().filter(|other| other.name == row.name);
            for other in same {
                assert!(std::ptr::eq(row, other), "{} has two rows", row.name);
            }
        }
        let interrupting = STREAMS.iter().filter(|r| r.protocol.interrupts.is_some());
        assert!(interrupting.count() <= 1, "see ProtocolRow::interrupts");
    }

    #[test]
    fn datagrams_are_tried_as_the_rows_say() {
        let named = DATAGRAMS
            .iter()
            .flat_map(|(_, row)| row.ports.iter().copied());
        let mut ports: Vec<u16> = named.chain([0, 1, 49_152, u16::MAX]).collect();
        ports.sort_unstable();
        ports.dedup();
        let name = |(protocol, _): &DatagramProtocol| protocol.name;
        for (src, dst) in ports
            .iter()
            .flat_map(|a| ports.iter().map(move |b| (*a, *b)))
        {
            let rows = datagram_rows((src, dst)).map(name);
            let plain = DATAGRAMS
                .iter()
                .filter(|(_, row)| near(row.ports, (src, dst)));
            assert!(rows.eq(plain.map(name)), "{src} {dst}");
        }
    }

    #[test]
    fn no_protocol_takes_the_octets_of_another_for_its_own() {
        let mut tried = 0;
        for protocol in STREAMS.iter().map(|row| row.protocol) {
            for (octets, _) in samples(protocol) {
                for other in STREAMS.iter().filter(|r| r.protocol.name != protocol.name) {
                    let probe = other.detector.probe(&octets, false);
                    assert_ne!(probe, Probe::Yes, "{} by {other:?}", protocol.name);
                    tried += 1;
                }
            }
        }
        assert!(tried > 0);
    }

    #[test]
    fn summaries_are_those_of_the_protocol_over_this_transport() {
        let said = |protocol, transport, head: &[u8]| {
            let mut out = String::new();
            summary(protocol, transport, Kind::Other, head, &mut out);
            out
        };
        let get = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(
            said(http1::PROTOCOL.name, Transport::Tcp, get),
            "GET /x HTTP/1.1 (a)"
        );
        let name = ngap::PROTOCOL.name;
        let setup = "initiatingMessage NGSetup";
        assert_eq!(said(name, Transport::Sctp, &[0, 21, 0]), setup);
        assert_eq!(said(name, Transport::Tcp, &[0, 21, 0]), "00 15 00  ...");
        assert_eq!(said(dns::PROTOCOL.name, Transport::Udp, b"abc"), "abc");
        assert_eq!(said(NO_PROTOCOL, Transport::Tcp, b""), "");
    }

    #[test]
    fn bundles_are_those_of_protocols_that_have_them() {
        assert!(bundle(m3ua::PROTOCOL.name, &[1]).is_none());
        assert_eq!(bundle(m2pa::PROTOCOL.name, &[1]).unwrap().count(), 1);
        assert_eq!(bundle(diameter::PROTOCOL.name, &[1]).unwrap().count(), 1);
    }

    #[test]
    fn ppids_are_found() {
        assert!(PPIDS.windows(2).all(|w| w[0].0.number < w[1].0.number));
        for (number, name) in [
            (0, NO_PROTOCOL),
            (3, m3ua::PROTOCOL.name),
            (18, s1ap::PROTOCOL.name),
            (0x1200_0000, s1ap::PROTOCOL.name),
            (20, hnbap::PROTOCOL.name),
            (46, diameter::PROTOCOL.name),
            (60, ngap::PROTOCOL.name),
            (64, e1ap::PROTOCOL.name),
            (51, NO_PROTOCOL),
            (0x1234_5678, NO_PROTOCOL),
        ] {
            assert_eq!(ppid_protocol(number), name, "{number:#x}");
        }
    }

    #[test]
    fn datagrams_are_named() {
        let mut dhcp = vec![1; 240];
        dhcp[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        let someip = [0x12, 0x34, 0, 1, 0, 0, 0, 8, 0, 1, 0, 1, 1, 1, 0, 0];
        let mut two = someip.to_vec();
        two.extend(someip);
        let query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        for (payload, ports, name) in [
            (&query[..], (40_000, 53), dns::PROTOCOL.name),
            (&query, (5353, 5353), mdns::PROTOCOL.name),
            (&query, (40_000, 5355), llmnr::PROTOCOL.name),
            (&query, (40_000, 40_001), NO_PROTOCOL),
            (&dhcp, (68, 67), dhcp::PROTOCOL.name),
            (
                b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n",
                (4000, 4001),
                sip::PROTOCOL.name,
            ),
            (&[0x23; 48], (123, 123), ntp::PROTOCOL.name),
            (&[0x23; 48], (1234, 1235), NO_PROTOCOL),
            (&[0x30, 3, 2, 1, 1, 4, 0], (4000, 161), snmp::PROTOCOL.name),
            (
                &[0x30, 3, 2, 1, 3, 0x30, 0],
                (162, 4000),
                snmp::PROTOCOL.name,
            ),
            (
                &[1, 1, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                (4000, 1812),
                radius::PROTOCOL.name,
            ),
            (
                &[1, 1, 0, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                (4000, 1812),
                NO_PROTOCOL,
            ),
            (
                b"<34>Oct 11 22:14:15 host su: x",
                (4000, 514),
                syslog::PROTOCOL.name,
            ),
            (b"<192>Oct 11", (4000, 5140), NO_PROTOCOL),
            (b"<191>Oct 11", (4000, 5140), syslog::PROTOCOL.name),
            (b"\0\x01file\0octet\0", (4000, 69), tftp::PROTOCOL.name),
            (b"\0\x01file\0octet\0", (4000, 6969), tftp::PROTOCOL.name),
            (b"\0\x01file\0other\0", (4000, 6969), NO_PROTOCOL),
            (&two, (4000, 4001), someip::PROTOCOL.name),
            (&two[..30], (4000, 4001), NO_PROTOCOL),
            (b"", (4000, 4001), NO_PROTOCOL),
        ] {
            assert_eq!(
                datagram_protocol(payload, ports.0, ports.1),
                name,
                "{payload:?}"
            );
        }
    }
    #[test]
    fn user_messages_are_named_by_ports_and_octets() {
        let watchdog = [
            1, 0, 0, 20, 0x80, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1,
        ];
        let two = [watchdog, watchdog].concat();
        let mut reserved = watchdog;
        reserved[4] = 0x81;
        let aspup = [1, 0, 3, 1, 0, 0, 0, 8];
        let error = [0, 9, 0x40, 3, 0, 0, 0];
        // (ports, octets, whole, name)
        type Case<'a> = ((u16, u16), &'a [u8], bool, &'a str);
        let cases: &[Case<'_>] = &[
            ((5000, 3868), &watchdog, true, diameter::PROTOCOL.name),
            ((5000, 6000), &two, true, diameter::PROTOCOL.name),
            ((5000, 3868), &two[..39], true, NO_PROTOCOL),
            ((5000, 3868), &two[..39], false, diameter::PROTOCOL.name),
            ((5000, 3868), &reserved, true, NO_PROTOCOL),
            ((2905, 2905), &aspup, true, m3ua::PROTOCOL.name),
            ((14001, 14001), &aspup, true, sua::PROTOCOL.name),
            ((5000, 6000), &aspup, true, NO_PROTOCOL),
            ((2905, 2905), &aspup[..7], true, NO_PROTOCOL),
            ((38412, 9), &error, true, ngap::PROTOCOL.name),
            ((9, 36412), &error, true, s1ap::PROTOCOL.name),
            ((9, 36412), &error[..6], true, NO_PROTOCOL),
            ((9, 36412), &[0x80, 9, 0x40, 3, 0, 0, 0], true, NO_PROTOCOL),
            (
                (9, 80),
                b"GET / HTTP/1.1\r\n\r\n",
                true,
                http1::PROTOCOL.name,
            ),
            ((9, 80), b"<html>", true, NO_PROTOCOL),
            ((9, 2944), b"MEGACO/1 ...", true, megaco::PROTOCOL.name),
            ((9, 9), &[], true, NO_PROTOCOL),
        ];
        for (ports, octets, whole, name) in cases {
            assert_eq!(
                user_message_protocol(*ports, 0, octets, *whole),
                *name,
                "{ports:?} {octets:?}"
            );
        }
    }
}
