//! Outputs driven by hand-made events; what they write is read by etherparse and by tshark.

use super::packets::{Encap, PacketOptions};
use super::print::{Look, Style};
use super::{OutputState, Outputs};
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, FlowKey, Transport};
use crate::base::limits::Limits;
use crate::base::message::{Extent, Kind};
use crate::base::packet::{Channel, LinkHeader, LinkType, VlanTag};
use crate::base::place::OctetOffset;
use crate::base::serial::SeqNumber;
use crate::base::stream::{Chunk, Close, Side};
use crate::base::time::{Instant, Timestamp};
use crate::ip::Datagram;
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::transport::datagram::DatagramContext;
use crate::transport::stream::StreamContext;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use std::io::{self, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

const TO_SERVER: Direction = Direction::Forward;
const TO_CLIENT: Direction = Direction::Reverse;

/// What was written, shared with the output that writes it.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One connection in front of outputs.
pub(super) struct Rig {
    pub(super) outputs: Outputs,
    pub(super) written: Shared,
    pub(super) cx: Context,
    pub(super) flow: Flow,
    pub(super) sides: [Side; 2],
    wake: Option<Instant>,
    pub(super) state: OutputState,
    pub(super) protocol: &'static str,
}

pub(super) fn flow(v6: bool, number: u64) -> Flow {
    let end = |host: u16, port: u16| -> (std::net::IpAddr, u16) {
        if v6 {
            ([0x2001, 0xdb8, 0, 0, 0, 0, 0, host].into(), port)
        } else {
            ([10, 0, 0, host.to_be_bytes()[1]].into(), port)
        }
    };
    let (key, low) = FlowKey::new(end(1, 40000), end(2, 80), Channel::default());
    let link = |a, b| LinkHeader {
        dst: [2, 0, 0, 0, 0, a],
        src: [2, 0, 0, 0, 0, b],
        tags: [VlanTag::default(); 2],
    };
    Flow {
        transport: Transport::Tcp,
        number,
        key,
        forward_is_low: low,
        reused: number > 0,
        decrypted: None,
        links: [link(2, 1), link(1, 2)],
    }
}

impl Rig {
    pub(super) fn with(outputs: Outputs, written: Shared) -> Self {
        let side = |base| Side {
            seen: true,
            from_start: true,
            base: Some(SeqNumber(base)),
            ..Side::default()
        };
        Self {
            outputs,
            written,
            cx: Context::new(Limits::default()),
            flow: flow(false, 0),
            sides: [side(1001), side(5001)],
            wake: None,
            state: OutputState::default(),
            protocol: "http",
        }
    }

    fn new(form: PacketOptions) -> Self {
        let written = Shared::default();
        let mut outputs = Outputs::new();
        outputs.packets("test", Box::new(written.clone()), form);
        outputs.begin(LinkType::ETHERNET, false);
        Self::with(outputs, written)
    }

    pub(super) fn at(
        &mut self,
        direction: Direction,
    ) -> (&mut Outputs, StreamContext<'_, OutputState>) {
        let at = StreamContext {
            cx: &mut self.cx,
            flow: &self.flow,
            sides: &self.sides,
            direction,
            opened: Instant::default(),
            wake: &mut self.wake,
            state: &mut self.state,
        };
        (&mut self.outputs, at)
    }

    pub(super) fn start(
        &mut self,
        d: Direction,
        offset: u64,
        extent: Extent,
        ack: Option<u64>,
        head: &[u8],
    ) {
        let kind = match d {
            TO_SERVER => Kind::Request,
            TO_CLIENT => Kind::Response,
        };
        let (protocol, time) = (self.protocol, self.cx.packet.time);
        let (outputs, mut at) = self.at(d);
        let start = MessageStart {
            protocol,
            kind,
            offset,
            extent,
            head,
            time,
            frame: 1,
            ack,
            // The request at the start of the other stream.
            answers: (kind == Kind::Response).then_some(0),
            carried: None,
        };
        assert!(outputs.takes_message(&mut at, &start));
        outputs.start(&mut at, &start);
    }

    pub(super) fn data(&mut self, d: Direction, offset: u64, data: &[u8], last: bool) {
        let time = self.cx.packet.time;
        let (outputs, mut at) = self.at(d);
        outputs.data(
            &mut at,
            &Piece {
                offset,
                data,
                time,
                frame: 1,
                sum: None,
                last,
            },
        );
    }

    pub(super) fn gap(&mut self, d: Direction, offset: u64, len: u64) {
        let (outputs, mut at) = self.at(d);
        outputs.gap(&mut at, &MessageGap { offset, len });
    }

    pub(super) fn end(&mut self, d: Direction, offset: u64, whole: bool, closes: Option<Close>) {
        let (outputs, mut at) = self.at(d);
        outputs.end(
            &mut at,
            &MessageEnd {
                offset,
                whole,
                extent_unknown: false,
                closes,
                acknowledged: Some(Timestamp::default()),
            },
        );
    }

    /// A whole message in one piece; gives the offset behind it.
    pub(super) fn whole(
        &mut self,
        d: Direction,
        offset: u64,
        ack: Option<u64>,
        data: &[u8],
    ) -> u64 {
        let end = offset + data.len() as u64;
        self.start(d, offset, Extent::Known(data.len() as u64), ack, data);
        self.data(d, offset, data, true);
        self.end(d, end, true, None);
        end
    }

    /// Another connection on the same ports.
    fn next_connection(&mut self, bases: [u32; 2]) {
        self.close();
        self.flow = flow(false, self.flow.number + 1);
        for (side, base) in self.sides.iter_mut().zip(bases) {
            side.base = Some(SeqNumber(base));
        }
    }

    pub(super) fn close(&mut self) {
        let (outputs, mut at) = self.at(TO_SERVER);
        outputs.closed(&mut at, Close::Fin);
        self.state = OutputState::default();
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        assert!(self.outputs.flush().unwrap().is_continue());
        self.written.take()
    }

    fn packets(&mut self) -> Vec<Pkt> {
        read(&self.take())
    }
}

/// A packet as it was written.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Pkt {
    to_server: bool,
    seq: u32,
    ack: Option<u32>,
    flags: String,
    data: Vec<u8>,
    /// Octets of payload by the record's original length.
    whole: usize,
    /// By the IP header.
    ip_whole: usize,
}

/// Reads a capture of TCP over Ethernet and checks every sum.
fn read(file: &[u8]) -> Vec<Pkt> {
    let word = |at: &[u8]| u32::from_le_bytes([at[0], at[1], at[2], at[3]]) as usize;
    // What is taken later begins with a record.
    let magic = [0xd4, 0xc3, 0xb2, 0xa1];
    let mut rest = if file.starts_with(&magic) {
        &file[24..]
    } else {
        file
    };
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let (captured, original) = (word(&rest[8..]), word(&rest[12..]));
        let data = &rest[16..16 + captured];
        rest = &rest[16 + captured..];
        let lax = etherparse::LaxSlicedPacket::from_ethernet(data).unwrap();
        let ip_whole = match lax.net.as_ref().unwrap() {
            etherparse::LaxNetSlice::Ipv4(ip) => {
                let h = ip.header();
                assert_eq!(h.header_checksum(), h.to_header().calc_header_checksum());
                usize::from(h.total_len()) - 40
            }
            etherparse::LaxNetSlice::Ipv6(ip) => usize::from(ip.header().payload_length()) - 20,
            other => panic!("{other:?}"),
        };
        let Some(TransportSlice::Tcp(tcp)) = &lax.transport else {
            panic!("no TCP")
        };
        let cut = original > captured;
        if cut {
            assert_eq!(tcp.checksum(), 0);
        } else {
            let whole = SlicedPacket::from_ethernet(data).unwrap();
            let sum = match whole.net.unwrap() {
                NetSlice::Ipv4(ip) => tcp
                    .to_header()
                    .calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()),
                NetSlice::Ipv6(ip) => tcp
                    .to_header()
                    .calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()),
                NetSlice::Arp(_) => panic!("ARP"),
            };
            assert_eq!(tcp.checksum(), sum.unwrap());
        }
        let mut flags = String::new();
        for (set, name) in [
            (tcp.syn(), 'S'),
            (tcp.fin(), 'F'),
            (tcp.rst(), 'R'),
            (tcp.psh(), 'P'),
        ] {
            if set {
                flags.push(name);
            }
        }
        packets.push(Pkt {
            to_server: tcp.destination_port() == 80,
            seq: tcp.sequence_number(),
            ack: tcp.ack().then(|| tcp.acknowledgment_number()),
            flags,
            data: tcp.payload().to_vec(),
            whole: tcp.payload().len() + original - captured,
            ip_whole,
        });
    }
    packets
}

/// One line for each packet: direction, sequence number, octets there/by record/by IP, acknowledgment, flags.
fn lines(packets: &[Pkt]) -> Vec<String> {
    packets
        .iter()
        .map(|p| {
            let ack = p.ack.map_or("-".to_owned(), |a| a.to_string());
            format!(
                "{} {} {}/{}/{} {ack} {}",
                if p.to_server { '>' } else { '<' },
                p.seq,
                p.data.len(),
                p.whole,
                p.ip_whole,
                p.flags
            )
        })
        .collect()
}

/// What tshark shows of a capture: these fields, tab-separated, a line a packet.
fn tshark(file: &[u8], options: &[&str], fields: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcap");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(&path)
        .args(options)
        .args(["-T", "fields"]);
    for check in ["ip", "tcp", "udp"] {
        command.args(["-o", &format!("{check}.check_checksum:TRUE")]);
    }
    for f in fields {
        command.args(["-e", f]);
    }
    let out = command.output().expect("tshark is not installed");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

fn response(body: &[u8]) -> Vec<u8> {
    let mut r = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    r.extend_from_slice(body);
    r
}

#[test]
fn messages_carry_original_numbers_and_never_acknowledge_what_is_held() {
    let mut rig = Rig::new(PacketOptions::default());
    let a = rig.whole(TO_SERVER, 0, Some(0), b"request 1");
    let b = rig.whole(TO_CLIENT, 0, Some(a), b"response");
    // Acknowledges more than was written: a later response that is still held.
    let a = rig.whole(TO_SERVER, a, Some(b + 100), b"request 2");
    // Acknowledges less than was written.
    rig.whole(TO_CLIENT, b, Some(a - 1), b"x");
    // The last acknowledgment that was known does not go back.
    rig.whole(TO_CLIENT, b + 1, Some(0), b"y");
    assert_eq!(
        lines(&rig.packets()),
        [
            "> 1001 9/9/9 5001 P",
            "< 5001 8/8/8 1010 P",
            "> 1010 9/9/9 5009 P",
            "< 5009 1/1/1 1018 P",
            "< 5010 1/1/1 1018 P",
        ]
    );
    rig.close();
    let ports = rig.cx.budget.used();
    assert!(ports < 1000, "only the table of ports is left: {ports}");
}

#[test]
fn nothing_known_of_the_other_side_means_no_acknowledgment() {
    let mut rig = Rig::new(PacketOptions::default());
    rig.sides[1] = Side::default();
    rig.whole(TO_SERVER, 0, None, b"a");
    // Its first number is known from an acknowledgment.
    rig.sides[1].base = Some(SeqNumber(7));
    rig.whole(TO_SERVER, 1, Some(20), b"b");
    assert_eq!(
        lines(&rig.packets()),
        ["> 1001 1/1/1 - P", "> 1002 1/1/1 7 P"]
    );
}

/// Offsets begin anywhere; what is seen outside counts from the stream's first octet.
#[test]
fn streams_begin_at_their_origin() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, lines_out) = (Rig::new(PacketOptions::default()), Shared::default());
    rig.outputs
        .dump(dir.path(), super::streams::Template::new("%a").unwrap())
        .unwrap();
    let json = Box::new(lines_out.clone());
    rig.outputs
        .json("test", json, super::json::Show::default(), false);
    let origin = (1 << 32) - 70;
    for (side, base) in rig.sides.iter_mut().zip([1000, 5000]) {
        side.origin = origin;
        side.base = Some(SeqNumber(base));
    }
    rig.whole(TO_SERVER, origin, Some(origin), GET);
    let chunk = Chunk {
        offset: origin + 2,
        data: b"x",
        time: Timestamp::default(),
        frame: 1,
        interface: 0,
        at: OctetOffset::Unknown,
        ack: None,
        push: true,
        ends_segment: true,
        cut: false,
        sum: None,
        acknowledged: None,
    };
    let (outputs, mut at) = rig.at(TO_SERVER);
    outputs.stream_data(&mut at, &chunk);
    assert_eq!(lines(&rig.packets()), ["> 930 28/28/28 4930 P"]);
    assert!(
        String::from_utf8(lines_out.take())
            .unwrap()
            .contains("\"offset\":0,")
    );
    assert!(rig.outputs.finish().unwrap().is_continue());
    assert_eq!(std::fs::read(dir.path().join("40000")).unwrap(), b"\0\0x");
}

#[test]
fn numbers_wrap() {
    let mut rig = Rig::new(PacketOptions::default());
    rig.sides[0].base = Some(SeqNumber(u32::MAX - 1));
    rig.whole(TO_SERVER, 0, Some(0), b"abcd");
    rig.whole(TO_SERVER, (1 << 32) + 4, Some(0), b"e");
    let packets = rig.packets();
    assert_eq!(packets[0].seq, u32::MAX - 1);
    assert_eq!(packets[1].seq, 2);
}

#[test]
fn a_large_message_is_a_train() {
    for (v6, most) in [(false, 65_495usize), (true, 65_475)] {
        for len in [most - 1, most, most + 1, 3 * most, 3 * most + 10] {
            let mut rig = Rig::new(PacketOptions::default());
            rig.flow = flow(v6, 0);
            let body: Vec<u8> = (0u8..251).cycle().take(len).collect();
            rig.start(
                TO_CLIENT,
                10,
                Extent::Known(len as u64),
                Some(0),
                &body[..20],
            );
            let mut at = 10;
            for piece in body.chunks(1448) {
                let end = at + piece.len() as u64;
                rig.data(TO_CLIENT, at, piece, end == 10 + len as u64);
                at = end;
            }
            rig.end(TO_CLIENT, at, true, None);
            let packets = rig.packets();
            let (last, full) = packets.split_last().unwrap();
            assert_eq!(packets.len(), len.div_ceil(most), "{len}");
            assert!(
                full.iter()
                    .all(|p| p.data.len() == most && p.flags.is_empty())
            );
            assert_eq!(last.flags, "P");
            let mut seq = 5011;
            let mut all = Vec::new();
            for p in &packets {
                assert_eq!(p.seq as usize, seq);
                seq += p.data.len();
                all.extend_from_slice(&p.data);
            }
            assert_eq!(all, body);
            rig.close();
            assert!(rig.cx.budget.used() < 1000);
        }
    }
}

#[test]
fn what_ends_with_the_connection_carries_fin() {
    let mut rig = Rig::new(PacketOptions::default());
    rig.start(
        TO_CLIENT,
        0,
        Extent::ToClose,
        Some(0),
        b"HTTP/1.0 200 OK\r\n\r\n",
    );
    rig.data(TO_CLIENT, 0, b"HTTP/1.0 200 OK\r\n\r\n", false);
    rig.data(TO_CLIENT, 19, b"body", false);
    assert_eq!(rig.packets().len(), 0);
    rig.end(TO_CLIENT, 23, true, Some(Close::Fin));
    rig.written
        .clone()
        .write_all(&super::packets::pcap::file_header(
            LinkType::ETHERNET,
            super::packets::pcap::PcapResolution::Micro,
        ))
        .unwrap();
    assert_eq!(lines(&rig.packets()), ["< 5001 23/23/23 1001 FP"]);
}

#[test]
fn ports_that_were_used_begin_with_a_handshake() {
    let mut rig = Rig::new(PacketOptions::default());
    let a = rig.whole(TO_SERVER, 0, Some(0), GET);
    rig.whole(TO_CLIENT, 0, Some(a), &response(b"one"));
    rig.next_connection([900_001, 700_001]);
    let a = rig.whole(TO_SERVER, 0, Some(0), GET);
    rig.whole(TO_CLIENT, 0, Some(a), &response(b"two"));
    let file = rig.take();
    assert_eq!(
        lines(&read(&file))[2..5],
        [
            "> 900000 0/0/0 - S",
            "< 700000 0/0/0 900001 S",
            "> 900001 28/28/28 700001 P"
        ]
    );
    assert_eq!(
        tshark(
            &file,
            &["-Y", "http"],
            &["tcp.stream", "http.request.uri", "http.response.code"]
        ),
        ["0\t/x\t", "0\t\t200", "1\t/x\t", "1\t\t200"]
    );
}

#[test]
fn handshakes_for_all_connections() {
    let mut rig = Rig::new(PacketOptions {
        handshake: true,
        ..PacketOptions::default()
    });
    let a = rig.whole(TO_SERVER, 0, Some(0), b"q");
    rig.whole(TO_CLIENT, 0, Some(a), b"r");
    for (d, close) in [(TO_SERVER, Close::Fin), (TO_CLIENT, Close::Reset)] {
        rig.sides[d.index()].reset = close == Close::Reset;
        let (outputs, mut at) = rig.at(d);
        outputs.stream_end(&mut at, close);
    }
    assert_eq!(
        lines(&rig.packets()),
        [
            "> 1000 0/0/0 - S",
            "< 5000 0/0/0 1001 S",
            "> 1001 1/1/1 5001 P",
            "< 5001 1/1/1 1002 P",
            "> 1002 0/0/0 5001 F",
            "< 5002 0/0/0 1002 R",
        ]
    );
}

/// Both streams end with a RST, and one side has sent it.
#[test]
fn a_reset_is_written_of_its_sender_only() {
    let mut rig = Rig::new(PacketOptions {
        handshake: true,
        ..PacketOptions::default()
    });
    rig.sides[TO_CLIENT.index()].reset = true;
    for d in [TO_SERVER, TO_CLIENT] {
        let (outputs, mut at) = rig.at(d);
        outputs.stream_end(&mut at, Close::Reset);
    }
    let expected = [
        "> 1000 0/0/0 - S",
        "< 5000 0/0/0 1001 S",
        "< 5001 0/0/0 1001 R",
    ];
    assert_eq!(lines(&rig.packets()), expected);
}

/// An answer to HEAD whose request is lost promises a body that does not come: one octet of it is claimed, so that tshark
/// does not wait for it. Where the request was written, tshark knows.
#[test]
fn an_answer_without_its_body_is_cut() {
    const HEAD: &[u8] = b"HEAD /x HTTP/1.1\r\nHost: example\r\n\r\n";
    const LONG: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const NOT_MODIFIED: &[u8] = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n";
    for (request, head, more) in [
        (None, LONG, 1),
        (Some(GET), LONG, 1),
        (Some(HEAD), LONG, 0),
        (None, EMPTY, 0),
        (None, NOT_MODIFIED, 0),
    ] {
        let mut rig = Rig::new(PacketOptions::default());
        if let Some(request) = request {
            rig.whole(TO_SERVER, 0, Some(0), request);
        }
        let end = rig.whole(TO_CLIENT, 0, None, head);
        rig.whole(TO_CLIENT, end, None, &response(b"one"));
        let file = rig.take();
        let all = lines(&read(&file));
        let (have, whole) = (head.len(), head.len() + more);
        let line = &all[all.len() - 2];
        let part = format!(" {have}/{whole}/{whole} ");
        assert!(line.contains(&part), "{line}: {part}");
        let codes = tshark(&file, &["-Y", "http.response"], &["http.response.code"]);
        assert_eq!(codes.len(), 2, "{codes:?}");
    }
}

/// What is captured behind an acknowledgment of it, at a start in the middle, begins its stream anew: for a reader it would
/// be older than the stream.
#[test]
fn a_message_never_lies_before_its_syn() {
    for handshake in [false, true] {
        let mut rig = Rig::new(PacketOptions {
            handshake,
            ..PacketOptions::default()
        });
        for side in &mut rig.sides {
            side.from_start = false;
            (side.origin, side.delivered) = (100, 100);
        }
        rig.whole(TO_SERVER, 100, Some(100), GET);
        rig.sides[1].origin = 59;
        rig.whole(TO_CLIENT, 59, None, &response(b"one"));
        let file = rig.take();
        let rows = tshark(&file, &["-Y", "http"], &["tcp.seq", "http.response.code"]);
        assert_eq!(rows, ["1\t", "1\t200"]);
    }
}

/// tshark takes the lower port for the protocol's, unless a SYN shows who asks.
#[test]
fn a_client_on_the_lower_port_begins_with_a_handshake() {
    for (asks, syns) in [(TO_SERVER, 0), (TO_CLIENT, 2)] {
        let mut rig = Rig::new(PacketOptions::default());
        let (outputs, mut at) = rig.at(asks);
        let start = MessageStart {
            protocol: "http",
            kind: Kind::Request,
            offset: 0,
            extent: Extent::Known(GET.len() as u64),
            head: GET,
            time: Timestamp::default(),
            frame: 1,
            ack: None,
            answers: None,
            carried: None,
        };
        outputs.start(&mut at, &start);
        rig.data(asks, 0, GET, true);
        let all = lines(&rig.packets());
        let found = all.iter().filter(|line| line.ends_with('S')).count();
        assert_eq!(found, syns, "{all:?}");
    }
}

/// How a message with a hole is written.
#[test]
fn messages_with_holes_are_cut() {
    const K: Extent = Extent::Known(1000);
    const BIG: Extent = Extent::Known(200_000);
    const OPEN: Extent = Extent::Open;
    // Pieces and gaps from offset 0: positive are octets that are there, negative are missing.
    // Then: closes with the stream, lines.
    let cases: &[(Extent, &[i64], bool, &[&str])] = &[
        (K, &[100, -900], false, &["< 5001 100/1000/1000 1001 P"]),
        (
            K,
            &[100, -200, 700],
            false,
            &["< 5001 100/1000/1000 1001 P"],
        ),
        (
            K,
            &[100, -200, 300, -400],
            false,
            &["< 5001 100/1000/1000 1001 P"],
        ),
        // The stream ended before the message did.
        (K, &[100], true, &["< 5001 100/1000/1000 1001 FP"]),
        // The extent was only supposed: the next message begins before.
        (K, &[100, -200], false, &["< 5001 100/300/300 1001 P"]),
        // Extent not known: up to the octet that is there.
        (
            OPEN,
            &[100, -50, 850],
            false,
            &["< 5001 100/150/150 1001 P"],
        ),
        (OPEN, &[100, -50], true, &["< 5001 100/150/150 1001 FP"]),
        (OPEN, &[100], true, &["< 5001 100/101/101 1001 FP"]),
        (
            Extent::ToClose,
            &[100, -50, 5],
            true,
            &["< 5001 100/150/150 1001 FP"],
        ),
        (
            BIG,
            &[100_000, -3_000, 97_000],
            false,
            &[
                "< 5001 65495/65495/65495 1001 ",
                "< 70496 34505/37505/37505 1001 ",
                "< 108001 65495/65495/65495 1001 ",
                "< 173496 31505/31505/31505 1001 P",
            ],
        ),
        // A hole larger than a segment; a tail that is missing.
        (
            BIG,
            &[65_495, -100_000, 4_505, -30_000],
            false,
            &[
                "< 5001 65495/65495/65495 1001 ",
                "< 70496 0/65495/65495 1001 ",
                "< 135991 0/34505/34505 1001 ",
                "< 170496 4505/34505/34505 1001 P",
            ],
        ),
        (
            BIG,
            &[70_000],
            true,
            &[
                "< 5001 65495/65495/65495 1001 ",
                "< 70496 4505/134505/65495 1001 FP",
            ],
        ),
        // An open train that ends in a hole.
        (
            OPEN,
            &[70_000, -100],
            true,
            &[
                "< 5001 65495/65495/65495 1001 ",
                "< 70496 4505/4605/4605 1001 FP",
            ],
        ),
    ];
    for (extent, parts, closes, expected) in cases {
        let mut rig = Rig::new(PacketOptions::default());
        rig.start(TO_CLIENT, 0, *extent, Some(0), b"HTTP/1.1 200 OK");
        let mut at = 0;
        for part in *parts {
            let len = part.unsigned_abs();
            if *part < 0 {
                rig.gap(TO_CLIENT, at, len);
            } else {
                for piece in vec![b'x'; usize::try_from(len).unwrap()].chunks(1400) {
                    rig.data(TO_CLIENT, at, piece, false);
                    at += piece.len() as u64;
                }
                continue;
            }
            at += len;
        }
        rig.end(TO_CLIENT, at, false, closes.then_some(Close::Fin));
        assert_eq!(lines(&rig.packets()), *expected, "{extent:?} {parts:?}");
        rig.close();
        assert!(rig.cx.budget.used() < 1000);
    }
}

/// Holes wherever they are: tshark dissects every later message whole.
#[test]
fn tshark_dissects_what_follows_a_hole() {
    // Length of the body, then what is there and missing of the response.
    for (body, parts) in [
        (1_000usize, &[500i64, -300, 0][..]),
        (1_000, &[500, 0]),
        (1_000, &[30, -200, 0]),
        (100_000, &[70_000, -3_000, 0]),
        (100_000, &[40_000, -3_000, 0]),
        (300_000, &[500, -1_000, 0]),
        (300_000, &[100_000, -150_000, 0]),
        (300_000, &[100_000, 0]),
    ] {
        let mut rig = Rig::new(PacketOptions::default());
        let text: Vec<u8> = b"GET and other words\r\n"
            .iter()
            .copied()
            .cycle()
            .take(body)
            .collect();
        let whole = response(&text);
        let len = whole.len() as u64;
        let mut asked = rig.whole(TO_SERVER, 0, Some(0), GET);
        rig.start(TO_CLIENT, 0, Extent::Known(len), Some(asked), &whole[..80]);
        let mut at = 0u64;
        for (i, part) in parts.iter().enumerate() {
            let n = match (*part, i + 1 == parts.len(), i) {
                // The rest: octets where a hole was before, missing where not.
                (0, _, 2) => i64::try_from(len - at).unwrap(),
                (0, _, _) => -i64::try_from(len - at).unwrap(),
                (n, _, _) => n,
            };
            let end = at + n.unsigned_abs();
            if n < 0 {
                rig.gap(TO_CLIENT, at, n.unsigned_abs());
            } else {
                let octets = &whole[usize::try_from(at).unwrap()..usize::try_from(end).unwrap()];
                for piece in octets.chunks(1448) {
                    rig.data(TO_CLIENT, at, piece, false);
                    at += piece.len() as u64;
                }
            }
            at = end;
        }
        rig.end(TO_CLIENT, at, false, None);
        for i in 0..3 {
            asked = rig.whole(TO_SERVER, asked, Some(at), GET);
            at = rig.whole(
                TO_CLIENT,
                at,
                Some(asked),
                &response(format!("body {i}").as_bytes()),
            );
        }
        let file = rig.take();
        let shown = tshark(
            &file,
            &["-Y", "http.response"],
            &[
                "http.response.code",
                "http.content_length_header",
                "http.file_data",
            ],
        );
        let small: Vec<_> = shown.iter().filter(|l| l.starts_with("200\t6\t")).collect();
        assert_eq!(small.len(), 3, "{body} {parts:?}");
        let bad = tshark(
            &file,
            &[
                "-Y",
                "_ws.malformed || tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.checksum.status == \"Bad\" || tcp.analysis.lost_segment",
            ],
            &["frame.number", "tcp.analysis.lost_segment"],
        );
        assert!(bad.is_empty(), "{body} {parts:?}: {bad:?}");
    }
}

/// A message that has no end yet when its stream is cut, or that never said how long it is: what is there is dissected.
#[test]
fn tshark_dissects_what_ends_early() {
    let known = response(&[b'a'; 1000]);
    let to_close = b"HTTP/1.0 200 OK\r\n\r\nbody".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: te".to_vec();
    let cases = [
        (&known[..500], Extent::Known(known.len() as u64), 0, false),
        (&to_close[..], Extent::ToClose, 0, true),
        (&to_close[..], Extent::ToClose, 0, false),
        (&to_close[..], Extent::ToClose, 100, false),
        (&chunked[..], Extent::Open, 0, false),
        (&chunked[..], Extent::Open, 20, false),
        (&head[..], Extent::Open, 0, false),
    ];
    for close in [Close::Fin, Close::Reset, Close::EndOfInput] {
        for (data, extent, missing, whole) in cases {
            let mut rig = Rig::new(PacketOptions::default());
            let a = rig.whole(TO_SERVER, 0, Some(0), GET);
            rig.start(TO_CLIENT, 0, extent, Some(a), data);
            rig.data(TO_CLIENT, 0, data, false);
            let mut end = data.len() as u64;
            if missing > 0 {
                rig.gap(TO_CLIENT, end, missing);
                end += missing;
            }
            rig.end(TO_CLIENT, end, whole, Some(close));
            let file = rig.take();
            let shown = tshark(
                &file,
                &["-Y", "http"],
                &["http.request.uri", "http.response.code"],
            );
            assert_eq!(shown, ["/x\t", "\t200"], "{extent:?} {missing} {close:?}");
        }
    }
}

/// Links, families and timestamps.
#[test]
fn packets_look_like_the_input() {
    let tags = [
        VlanTag {
            tpid: 0x88a8,
            tci: 7,
        },
        VlanTag {
            tpid: 0x8100,
            tci: 0xa005,
        },
    ];
    for (encap, link_type, nanoseconds, v6, expected) in [
        (
            Encap::Auto,
            LinkType::ETHERNET,
            true,
            false,
            "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:tcp:http",
        ),
        (
            Encap::Auto,
            LinkType::ETHERNET,
            false,
            true,
            "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ipv6:tcp:http",
        ),
        (
            Encap::Auto,
            LinkType::LINUX_SLL2,
            false,
            false,
            "raw:ip:tcp:http",
        ),
        (
            Encap::Raw,
            LinkType::ETHERNET,
            true,
            true,
            "raw:ipv6:tcp:http",
        ),
        (
            Encap::Ethernet,
            LinkType::RAW,
            true,
            false,
            "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:tcp:http",
        ),
    ] {
        let written = Shared::default();
        let mut outputs = Outputs::new();
        let form = PacketOptions {
            encap,
            ..PacketOptions::default()
        };
        outputs.packets("test", Box::new(written.clone()), form);
        outputs.begin(link_type, nanoseconds);
        // The header is on its way before any packet, and only once.
        assert!(outputs.flush().unwrap().is_continue());
        assert_eq!(written.0.lock().unwrap().len(), 24);
        outputs.begin(LinkType::NULL, !nanoseconds);
        let mut rig = Rig::with(outputs, written);
        rig.flow = flow(v6, 0);
        rig.flow.links[0].tags = tags;
        let second = 1_795_255_200_000_000_000;
        rig.cx.packet.time = Timestamp::from_nanos(second + 123_456_789);
        rig.whole(TO_SERVER, 0, Some(0), GET);
        rig.cx.packet.time = Timestamp::from_nanos(second);
        rig.whole(TO_SERVER, 28, Some(0), GET);
        let file = rig.take();
        let stamp = if nanoseconds {
            "1795255200.123456789"
        } else {
            "1795255200.123456000"
        };
        let expected = format!("{expected}\t{stamp}");
        assert_eq!(
            tshark(&file, &[], &["frame.protocols", "frame.time_epoch"]),
            [expected.as_str(), expected.as_str()]
        );
    }
}

#[test]
fn datagrams_are_whole_or_cut_as_they_were() {
    let query =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01";
    for v6 in [false, true] {
        let mut rig = Rig::new(PacketOptions::default());
        let (src, dst) = (([10, 0, 0, 1].into(), 5353), ([10, 0, 0, 2].into(), 53));
        let mut flow = flow(v6, 0);
        flow.transport = Transport::Udp;
        if !v6 {
            let (key, low) = FlowKey::new(src, dst, Channel::default());
            flow.key = key;
            flow.forward_is_low = low;
        }
        for len in [query.len(), query.len() + 50] {
            let ip = Datagram {
                src: flow.src(TO_SERVER).ip(),
                dst: flow.dst(TO_SERVER).ip(),
                protocol: 17,
                payload: query,
                offset: OctetOffset::Unknown,
                payload_len: len,
                identification: 0,
                channel: Channel::default(),
                checksum_known_good: false,
                doubtful: false,
            };
            let mut at = DatagramContext {
                cx: &mut rig.cx,
                flow: &flow,
                direction: TO_SERVER,
                ip,
                protocol: None,
                payload_sum: None,
            };
            let message = DatagramMessage {
                protocol: "dns",
                payload: query,
                payload_len: len,
            };
            rig.outputs.datagram(&mut at, &message);
        }
        let file = rig.take();
        let shown = tshark(
            &file,
            &["-d", "udp.port==40000,dns"],
            &[
                "dns.qry.name",
                "udp.length",
                "udp.checksum.status",
                "frame.len",
                "frame.cap_len",
            ],
        );
        let (udp, frame) = (
            8 + query.len(),
            query.len() + 14 + 8 + if v6 { 40 } else { 20 },
        );
        assert_eq!(shown[0], format!("www.example\t{udp}\t1\t{frame}\t{frame}"));
        assert!(shown[1].starts_with("www.example\t"), "{shown:?}");
        assert!(
            shown[1].ends_with(&format!("\t{}\t{frame}", frame + 50)),
            "{shown:?}"
        );
    }
}

/// The end of the connection, seen by others: what is buffered comes out, a reader that left is no error, a full disk is.
#[test]
fn errors_wait_for_the_flush() {
    struct Fails(io::ErrorKind);
    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for (kind, closed) in [
        (io::ErrorKind::BrokenPipe, true),
        (io::ErrorKind::StorageFull, false),
    ] {
        let mut outputs = Outputs::new();
        outputs.packets("out.pcap", Box::new(Fails(kind)), PacketOptions::default());
        outputs.begin(LinkType::ETHERNET, false);
        let mut rig = Rig::with(outputs, Shared::default());
        rig.whole(TO_SERVER, 0, None, GET);
        match rig.outputs.flush() {
            Ok(flow) => assert!(closed && flow.is_break()),
            Err(e) => assert!(
                !closed && e.to_string().starts_with("out.pcap: cannot write: "),
                "{e}"
            ),
        }
    }
}

#[test]
fn print_shows_a_line_for_each_message() {
    for (style, color, expected) in [
        (Style::Brief, false, "\
2026-11-21 10:00:00.123456 tcp 0   10.0.0.1:40000        → 10.0.0.2:80           http   28 GET /x HTTP/1.1 (a)
2026-11-21 10:00:00.123456 tcp 0   10.0.0.1:40000        ← 10.0.0.2:80           http   83 HTTP/1.1 200 OK (text/plain) (0 us) [incomplete: 7 bytes lost]
"),
        (Style::Full, true, "\
\x1b[2m2026-11-21 10:00:00.123456\x1b[0m tcp 0   10.0.0.1:40000        \x1b[32m→\x1b[0m 10.0.0.2:80           \x1b[36mhttp\x1b[0m   28 \x1b[1mGET\x1b[0m /x HTTP/1.1 (a)
    \x1b[36mHost\x1b[0m: a

\x1b[2m2026-11-21 10:00:00.123456\x1b[0m tcp 0   10.0.0.1:40000        \x1b[35m←\x1b[0m 10.0.0.2:80           \x1b[36mhttp\x1b[0m   83 HTTP/1.1 200 OK (text/plain)\x1b[2m (0 us)\x1b[0m\x1b[31m [incomplete: 7 bytes lost]\x1b[0m
    \x1b[36mContent-Type\x1b[0m: text/plain
    \x1b[36mContent-Length\x1b[0m: 25

    \\x1b[31mbody
    body....
    \x1b[31m~~~ 7 bytes are missing here ~~~\x1b[0m
"),
    ] {
        let written = Shared::default();
        let mut outputs = Outputs::new();
        let look = Look {
            color,
            ..Look::default()
        };
        outputs.print("test", Box::new(written.clone()), style, look, false);
        let mut rig = Rig::with(outputs, written);
        rig.cx.packet.time = Timestamp::from_nanos(1_795_255_200_123_456_789);
        let a = rig.whole(TO_SERVER, 0, Some(0), GET);
        let r = response(b"\x1b[31mbody\nbody...........");
        let head = r.len() - 25;
        rig.start(TO_CLIENT, 0, Extent::Known(r.len() as u64), Some(a), &r[..head]);
        for (i, piece) in r[..r.len() - 7].chunks(3).enumerate() {
            rig.data(TO_CLIENT, 3 * i as u64, piece, false);
        }
        rig.gap(TO_CLIENT, r.len() as u64 - 7, 7);
        rig.end(TO_CLIENT, r.len() as u64, false, None);
        assert_eq!(String::from_utf8(rig.take()).unwrap(), expected);
        assert_eq!(rig.cx.counters.output.messages, 2);
        rig.close();
        assert_eq!(rig.cx.budget.used(), 0);
    }
}

/// State of a message in the making can be written out and read back.
#[test]
fn state_is_plain_data() {
    let octets: Vec<u8> = (0u8..251).cycle().take(150_000).collect();
    let run = |interrupted: bool| {
        let mut rig = Rig::new(PacketOptions::default());
        rig.start(TO_CLIENT, 0, Extent::Known(150_000), Some(0), &octets[..50]);
        for (i, piece) in octets.chunks(1448).enumerate() {
            if interrupted {
                let saved = postcard::to_stdvec(&rig.state).unwrap();
                rig.state = postcard::from_bytes(&saved).unwrap();
            }
            let at = 1448 * i as u64;
            rig.data(TO_CLIENT, at, piece, at + piece.len() as u64 == 150_000);
        }
        rig.end(TO_CLIENT, 150_000, true, None);
        rig.take()
    };
    assert!(run(true) == run(false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Messages in any pieces, with any holes: each octet that is written is the right one at its number, nothing is
    /// written twice, what is whole is written whole, and all sums are right.
    #[test]
    fn octets_stand_where_they_belong(
        base in any::<u32>(),
        v6 in any::<bool>(),
        messages in prop::collection::vec(
            (0u8..3, prop::collection::vec((1usize..30_000, 0u8..10), 1..12)), 1..6),
    ) {
        let mut rig = Rig::new(PacketOptions::default());
        rig.flow = flow(v6, 0);
        rig.sides[1].base = Some(SeqNumber(base));
        let total: usize = messages.iter().flat_map(|(_, p)| p).map(|(n, _)| n).sum();
        let octets: Vec<u8> = (0u8..251).cycle().take(total).collect();
        let mut at = 0;
        let mut whole = Vec::new();
        for (extent, parts) in &messages {
            let (start, len): (usize, usize) = (at, parts.iter().map(|(n, _)| n).sum());
            let extent = match extent {
                0 => Extent::Open,
                _ => Extent::Known(len as u64),
            };
            rig.start(TO_CLIENT, at as u64, extent, Some(0), &octets[at..at + 1]);
            let mut lost = false;
            for (i, (n, kind)) in parts.iter().enumerate() {
                // One part in ten is missing; a message begins with octets.
                if *kind == 0 && i > 0 {
                    rig.gap(TO_CLIENT, at as u64, *n as u64);
                    lost = true;
                } else {
                    let last = !lost && i + 1 == parts.len() && *kind < 8;
                    rig.data(TO_CLIENT, at as u64, &octets[at..at + n], last);
                }
                at += n;
            }
            rig.end(TO_CLIENT, at as u64, !lost, None);
            if !lost {
                whole.push(start..at);
            }
        }
        let mut written = vec![0u8; total];
        let mut end = 0;
        for p in rig.packets() {
            let from = p.seq.wrapping_sub(base) as usize;
            prop_assert!(from >= end, "written twice");
            end = from + p.whole;
            prop_assert!(end <= total);
            prop_assert_eq!(p.ip_whole, p.whole.min(if v6 { 65_515 } else { 65_495 }));
            prop_assert_eq!(&p.data[..], &octets[from..from + p.data.len()]);
            written[from..from + p.data.len()].fill(1);
        }
        for range in whole {
            prop_assert!(written[range].iter().all(|w| *w == 1));
        }
        rig.close();
        let ports = rig.cx.budget.used();
        prop_assert!(ports < 1000, "{} octets are still counted", ports);
    }
}
