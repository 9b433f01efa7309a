//! The whole path: from a list of messages to segments, damaged, to messages.

use super::extract::Conversation;
use super::{Extractor, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::limits::Limits;
use crate::base::packet::{Channel, PacketInfo};
use crate::base::place::OctetOffset;
use crate::base::serial::SeqNumber;
use crate::base::stream::Close;
use crate::base::time::{Instant, Timestamp};
use crate::message::events::DatagramMessage;
use crate::transport::datagram::DatagramContext;
use crate::transport::stream::StreamContext;
use crate::transport::tcp::{Segment, Tcp};
use proptest::prelude::*;
use std::net::IpAddr;

/// A segment to be captured: milliseconds, from the client, flags, place in its stream, what it acknowledges, data.
#[derive(Clone, Debug)]
struct Sent {
    ms: u64,
    client: bool,
    flags: u8,
    at: u32,
    ack: u32,
    data: Vec<u8>,
}

/// A message that came out, or should: its place in its stream, and its octets.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Message {
    client: bool,
    at: u32,
    data: Vec<u8>,
    whole: bool,
    protocol: &'static str,
}

#[derive(Default)]
struct Collect {
    open: [Option<Message>; 2],
    found: Vec<Message>,
    base: u32,
}

impl MessageSink for Collect {
    type State = ();

    fn start(&mut self, at: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
        let client = at.flow.dst(at.direction).port() == 80;
        let seq = at.side().seq(start.offset).unwrap().0;
        let open = &mut self.open[usize::from(client)];
        assert!(open.is_none(), "one message at a time");
        *open = Some(Message {
            client,
            at: seq.wrapping_sub(self.base),
            data: Vec::new(),
            whole: false,
            protocol: start.protocol,
        });
    }

    fn data(&mut self, at: &mut StreamContext<'_, ()>, piece: &Piece<'_>) {
        assert!(!piece.data.is_empty());
        let client = at.flow.dst(at.direction).port() == 80;
        let open = self.open[usize::from(client)].as_mut().unwrap();
        open.data.extend_from_slice(piece.data);
    }

    fn gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &MessageGap) {
        let client = at.flow.dst(at.direction).port() == 80;
        let open = self.open[usize::from(client)].as_mut().unwrap();
        let len = usize::try_from(gap.len).unwrap();
        open.data.extend(std::iter::repeat_n(b'_', len));
    }

    fn end(&mut self, at: &mut StreamContext<'_, ()>, end: &MessageEnd) {
        let client = at.flow.dst(at.direction).port() == 80;
        let mut open = self.open[usize::from(client)].take().unwrap();
        open.whole = end.whole;
        self.found.push(open);
    }

    // What connections carry is told of by their frames here.
    fn hears_carried(&self) -> bool {
        false
    }

    fn takes_frame(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageStart<'_>) -> bool {
        true
    }

    fn frame_start(&mut self, at: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
        self.start(at, start);
    }

    fn frame_data(&mut self, at: &mut StreamContext<'_, ()>, piece: &Piece<'_>) {
        self.data(at, piece);
    }

    fn frame_gap(&mut self, at: &mut StreamContext<'_, ()>, gap: &MessageGap) {
        self.gap(at, gap);
    }

    fn frame_end(&mut self, at: &mut StreamContext<'_, ()>, end: &MessageEnd) {
        self.end(at, end);
    }

    fn closed(&mut self, _: &mut StreamContext<'_, ()>, _: Close) {
        assert_eq!(self.open, [None, None]);
    }

    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}
}

/// The messages that come out of a capture of these segments; places are counted from `base`.
fn messages(sent: &[Sent], base: u32) -> Vec<Message> {
    let mut cx = Context::new(Limits::default());
    let mut tcp: Tcp<Conversation<()>> = Tcp::new();
    let mut extractor = Extractor::new(Collect {
        base,
        ..Collect::default()
    });
    let client = (IpAddr::from([10, 0, 0, 1]), 50_000);
    let server = (IpAddr::from([10, 0, 0, 2]), 80);
    for (i, s) in sent.iter().enumerate() {
        cx.now = Instant::from_nanos(s.ms * 1_000_000);
        cx.packet = PacketInfo {
            frame: i as u64 + 1,
            time: Timestamp::from_nanos(s.ms * 1_000_000),
            ..PacketInfo::default()
        };
        let (src, dst) = if s.client {
            (client, server)
        } else {
            (server, client)
        };
        let segment = Segment {
            src,
            dst,
            seq: SeqNumber(s.at.wrapping_add(base)),
            ack: (s.flags & flags::ACK != 0).then(|| SeqNumber(s.ack.wrapping_add(base))),
            flags: s.flags,
            window: u16::MAX,
            window_scale: None,
            payload_sum: None,
            offset: OctetOffset::Unknown,
            payload: &s.data,
            payload_len: u32::try_from(s.data.len()).unwrap(),
        };
        tcp.segment(&mut cx, &segment, Channel::default(), &mut extractor);
        tcp.tick(&mut cx, &mut extractor);
    }
    tcp.flush(&mut cx, &mut extractor);
    cx.upgraded.flush(&mut cx.budget);
    let c = &cx.counters;
    assert_eq!(c.message.messages, c.message.whole + c.message.incomplete);
    assert_eq!(
        c.tcp.delivered_octets,
        c.message.octets + c.message.unframed_octets,
        "every octet is a message's, or is counted as none"
    );
    // What stays is the table: a connection more or less does not change it.
    let used = cx.budget.used();
    let mut empty = Context::new(Limits::default());
    let mut table: Tcp<Conversation<()>> = Tcp::new();
    let syn = Segment {
        src: client,
        dst: server,
        seq: SeqNumber(0),
        ack: None,
        flags: flags::SYN,
        window: 0,
        window_scale: None,
        payload_sum: None,
        offset: OctetOffset::Unknown,
        payload: b"",
        payload_len: 0,
    };
    table.segment(&mut empty, &syn, Channel::default(), &mut extractor);
    table.flush(&mut empty, &mut extractor);
    assert!(
        sent.is_empty() || used == empty.budget.used(),
        "budget: {used}"
    );
    extractor.sink.found
}

/// How a body is framed.
#[derive(Clone, Debug)]
enum Form {
    None,
    Length(usize),
    Chunked(Vec<usize>, bool),
}

/// A request, its answer, and whether it was sent before the answers ahead of it had come.
#[derive(Clone, Debug)]
struct Exchange {
    head: bool,
    request: Form,
    interim: bool,
    status: u16,
    response: Form,
    ahead: bool,
}

/// Octets that hold no start line; `nasty`: octets that do.
fn body(len: usize, nasty: bool) -> Vec<u8> {
    let text: &[u8] = if nasty {
        b"\r\n\r\nGET /false HTTP/1.1\r\nHost: no\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
    } else {
        b"body of octets, HTTP/1 but no start line.\r\n0\r\n\r\n GET it "
    };
    text.iter().copied().cycle().take(len).collect()
}

fn write(start: &str, form: &Form, without_body: bool, nasty: bool) -> Vec<u8> {
    let mut m = start.as_bytes().to_vec();
    m.extend(b"Host: example\r\n");
    match form {
        Form::None => m.extend(b"Content-Length: 0\r\n\r\n"),
        Form::Length(n) => {
            m.extend(format!("Content-Length: {n}\r\n\r\n").bytes());
            if !without_body {
                m.extend(body(*n, nasty));
            }
        }
        Form::Chunked(sizes, trailers) => {
            m.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            if !without_body {
                for n in sizes.iter().filter(|n| **n > 0) {
                    m.extend(format!("{n:x};ext=1\r\n").bytes());
                    m.extend(body(*n, nasty));
                    m.extend(b"\r\n");
                }
                m.extend(b"0\r\n");
                if *trailers {
                    m.extend(b"Checksum: abc\r\nOther: d\r\n");
                }
                m.extend(b"\r\n");
            }
        }
    }
    m
}

/// The conversation as it was sent, in segments of `mss` octets, and its messages.
fn conversation(exchanges: &[Exchange], mss: usize, nasty: bool) -> (Vec<Sent>, Vec<Message>) {
    let mut sent = Vec::new();
    let mut truth = Vec::new();
    let (mut c, mut s) = (1_u32, 1_u32);
    let mut push = |client: bool, flags: u8, at: u32, ack: u32, data: &[u8]| {
        let ms = sent.len() as u64;
        sent.push(Sent {
            ms,
            client,
            flags,
            at,
            ack,
            data: data.to_vec(),
        });
    };
    push(true, flags::SYN, 0, 0, b"");
    push(false, flags::SYN | flags::ACK, 0, 1, b"");
    push(true, flags::ACK, 1, 1, b"");
    let mut i = 0;
    while i < exchanges.len() {
        let more = exchanges[i + 1..].iter().take_while(|e| e.ahead).count();
        let group = &exchanges[i..=i + more];
        for (n, e) in group.iter().enumerate() {
            let method = if e.head { "HEAD" } else { "POST" };
            let form = if e.head { &Form::None } else { &e.request };
            let data = write(
                &format!("{method} /{} HTTP/1.1\r\n", i + n),
                form,
                false,
                nasty,
            );
            truth.push(Message {
                client: true,
                at: c,
                data: data.clone(),
                whole: true,
                protocol: "http",
            });
            for part in data.chunks(mss) {
                push(true, flags::ACK | flags::PSH, c, s, part);
                c += u32::try_from(part.len()).unwrap();
            }
        }
        for (n, e) in group.iter().enumerate() {
            let mut answers = Vec::new();
            if e.interim {
                answers.push(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n".to_vec());
            }
            let start = format!("HTTP/1.1 {} Answer {}\r\n", e.status, i + n);
            let without = e.head || matches!(e.status, 204 | 304);
            answers.push(write(&start, &e.response, without, nasty));
            for data in answers {
                truth.push(Message {
                    client: false,
                    at: s,
                    data: data.clone(),
                    whole: true,
                    protocol: "http",
                });
                for part in data.chunks(mss) {
                    push(false, flags::ACK | flags::PSH, s, c, part);
                    s += u32::try_from(part.len()).unwrap();
                }
            }
        }
        push(true, flags::ACK, c, s, b"");
        i += 1 + more;
    }
    push(true, flags::ACK | flags::FIN, c, s, b"");
    push(false, flags::ACK | flags::FIN, s, c + 1, b"");
    push(true, flags::ACK, c + 1, s + 1, b"");
    (sent, truth)
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(Form::None),
        (1..400_usize).prop_map(Form::Length),
        (prop::collection::vec(1..150_usize, 0..4), any::<bool>())
            .prop_map(|(sizes, trailers)| Form::Chunked(sizes, trailers)),
    ]
}

fn exchanges(pipelined: bool) -> impl Strategy<Value = Vec<Exchange>> {
    let exchange = (
        prop::bool::weighted(0.2),
        form(),
        prop::bool::weighted(0.1),
        prop_oneof![4 => Just(200_u16), 1 => Just(204), 1 => Just(304), 1 => Just(404)],
        form(),
        prop::bool::weighted(if pipelined { 0.5 } else { 0.0 }),
    );
    let exchange =
        exchange.prop_map(
            |(head, request, interim, status, response, ahead)| Exchange {
                head,
                request,
                interim,
                status,
                response,
                ahead,
            },
        );
    prop::collection::vec(exchange, 1..8)
}

/// The messages of each direction, which is the order that counts.
fn sides(all: &[Message]) -> [Vec<Message>; 2] {
    [true, false].map(|client| all.iter().filter(|m| m.client == client).cloned().collect())
}

/// What is done to a capture.
#[derive(Clone, Debug)]
struct Damage {
    /// For each segment: lost, displaced by so many, repeated, with other content where that cannot win.
    each: Vec<(bool, u8, bool, bool)>,
    /// Another cut of the octets of a stream, put in behind them: segment, octets before it, octets behind it.
    again: Vec<(usize, usize, usize)>,
    cut: usize,
}

fn damage(loss: f64) -> impl Strategy<Value = Damage> {
    let each = (
        prop::bool::weighted(loss),
        prop_oneof![6 => Just(0_u8), 1 => 1..4_u8],
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.05),
    );
    (
        prop::collection::vec(each, 400),
        prop::collection::vec((0..100_usize, 0..80_usize, 0..80_usize), 0..3),
        prop_oneof![3 => Just(0_usize), 1 => 0..20_usize],
    )
        .prop_map(|(each, again, cut)| Damage { each, again, cut })
}

fn apply(sent: &[Sent], damage: &Damage) -> Vec<Sent> {
    let mut placed: Vec<(usize, Sent)> = Vec::new();
    for (i, s) in sent.iter().enumerate().skip(damage.cut) {
        let (lost, moved, repeated, differs) = damage.each[i % damage.each.len()];
        if lost {
            continue;
        }
        let at = i * 10 + usize::from(moved) * 10 + usize::from(moved > 0) * 5;
        placed.push((at, s.clone()));
        if repeated {
            placed.push((at + 31, s.clone()));
        }
        if differs && !s.data.is_empty() {
            let mut other = s.clone();
            other.data.make_ascii_uppercase();
            placed.push((at + 1, other));
        }
    }
    for &(i, before, behind) in &damage.again {
        // A retransmission that is cut differently, of octets that were captured or lost.
        if let Some(s) = sent
            .get(i)
            .filter(|s| !s.data.is_empty() && i >= damage.cut)
        {
            let all: Vec<u8> = {
                let mut own: Vec<&Sent> = sent
                    .iter()
                    .filter(|o| o.client == s.client && !o.data.is_empty())
                    .collect();
                own.sort_by_key(|o| o.at);
                own.iter().flat_map(|o| o.data.iter().copied()).collect()
            };
            let from = (s.at as usize - 1).saturating_sub(before);
            let to = (s.at as usize - 1 + s.data.len() + behind).min(all.len());
            // Nothing is sent again before it was sent.
            let last = sent.iter().rposition(|o| {
                o.client == s.client && (o.at as usize) < to + 1 && !o.data.is_empty()
            });
            // It acknowledges what had come by then.
            let ack = last
                .and_then(|last| sent.get(last))
                .map_or(s.ack, |o| o.ack);
            let again = Sent {
                ack,
                at: u32::try_from(from + 1).unwrap(),
                data: all[from..to].to_vec(),
                ..s.clone()
            };
            placed.push((last.unwrap_or(i) * 10 + 9, again));
        }
    }
    placed.sort_by_key(|(at, _)| *at);
    let timed = placed.into_iter().enumerate();
    timed
        .map(|(i, (_, s))| Sent { ms: i as u64, ..s })
        .collect()
}

/// Every octet of a message was captured.
fn is_there(sent: &[Sent], m: &Message) -> bool {
    let (from, to) = (m.at as usize, m.at as usize + m.data.len());
    let mut have = vec![false; m.data.len()];
    for s in sent.iter().filter(|s| s.client == m.client) {
        let (a, b) = (s.at as usize, s.at as usize + s.data.len());
        for place in a.max(from)..b.min(to) {
            have[place - from] = true;
        }
    }
    have.into_iter().all(|h| h)
}

#[track_caller]
fn recovers(sent: &[Sent], truth: &[Message], base: u32) -> Result<(), TestCaseError> {
    // Before a message was found, a stream captured from the middle has no known protocol.
    let whole = messages(sent, base)
        .into_iter()
        .filter(|m| m.whole && m.protocol == "http");
    let found: Vec<Message> = whole.collect();
    let expected: Vec<Message> = truth
        .iter()
        .filter(|m| is_there(sent, m))
        .cloned()
        .collect();
    for (found, expected) in sides(&found).iter().zip(&sides(&expected)) {
        let text = |all: &[Message]| {
            let lines = all.iter().map(|m| {
                format!(
                    "{} {} {} {}",
                    m.client,
                    m.at,
                    m.protocol,
                    m.data.escape_ascii()
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        prop_assert_eq!(text(found), text(expected));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Without loss every message comes out, whatever the order, the cuts, and what bodies look like.
    #[test]
    fn in_any_order_every_message_comes_out(
        exchanges in exchanges(true), mss in 20..300_usize, damage in damage(0.0), base in any::<u32>(), nasty in any::<bool>(),
    ) {
        let (sent, truth) = conversation(&exchanges, mss, nasty);
        let damage = Damage { cut: 0, ..damage };
        recovers(&apply(&sent, &damage), &truth, base)?;
    }

    /// With loss, what lies whole comes out whole, in order, once, and nothing else claims to be whole.
    #[test]
    fn with_loss_what_lies_whole_comes_out(
        exchanges in exchanges(false), mss in 20..300_usize,
        damage in prop_oneof![damage(0.02), damage(0.2)], base in any::<u32>(),
    ) {
        // An answer without a body that names one is told from its request, or from what follows it; a capture can lack both.
        let told: Vec<Exchange> = exchanges.iter().cloned().map(|mut e| {
            e.head = false;
            if matches!(e.status, 204 | 304) { e.response = Form::None; }
            e
        }).collect();
        let (sent, truth) = conversation(&told, mss, false);
        recovers(&apply(&sent, &damage), &truth, base)?;
    }

    /// The same octets in any segments are the same messages.
    #[test]
    fn segments_do_not_matter(exchanges in exchanges(true), mss in 1..100_usize, nasty in any::<bool>()) {
        let (sent, truth) = conversation(&exchanges, mss, nasty);
        let found = sides(&messages(&sent, 0));
        prop_assert_eq!(&found, &sides(&truth));
        let (single, _) = conversation(&exchanges, 1, nasty);
        prop_assert_eq!(&sides(&messages(&single, 0)), &found);
    }
}

/// A conversation by hand: what the client and the server say in turn, each part a segment.
fn said(parts: &[(bool, &[u8])], end: bool) -> Vec<Sent> {
    let mut sent = Vec::new();
    let (mut c, mut s) = (1_u32, 1_u32);
    let mut push = |client: bool, flags: u8, at: u32, ack: u32, data: &[u8]| {
        let ms = sent.len() as u64;
        sent.push(Sent {
            ms,
            client,
            flags,
            at,
            ack,
            data: data.to_vec(),
        });
    };
    push(true, flags::SYN, 0, 0, b"");
    push(false, flags::SYN | flags::ACK, 0, 1, b"");
    for (client, data) in parts {
        let len = u32::try_from(data.len()).unwrap();
        if *client {
            push(true, flags::ACK | flags::PSH, c, s, data);
            c += len;
        } else {
            push(false, flags::ACK | flags::PSH, s, c, data);
            s += len;
        }
    }
    if end {
        push(false, flags::ACK | flags::FIN, s, c, b"");
    }
    sent
}

#[track_caller]
fn expect(name: &str, sent: &[Sent], expected: &[(&str, bool, &str)]) {
    let found = messages(sent, 0);
    let found: Vec<(&str, bool, String)> = found
        .iter()
        .map(|m| (m.protocol, m.whole, m.data.escape_ascii().to_string()))
        .collect();
    let expected: Vec<(&str, bool, String)> = expected
        .iter()
        .map(|(p, w, d)| (*p, *w, d.as_bytes().escape_ascii().to_string()))
        .collect();
    assert_eq!(found, expected, "{name}");
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn conversations_that_leave_http() {
    let connect = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n";
    expect(
        "CONNECT: what follows is of no known protocol",
        &said(
            &[
                (true, connect.as_bytes()),
                (false, ok.as_bytes()),
                (true, b"\x01tunnel"),
                (false, b"\x02back"),
            ],
            true,
        ),
        &[
            ("http", true, connect),
            ("http", true, ok),
            ("data", true, "\x01tunnel"),
            ("data", true, "\x02back"),
        ],
    );
    let refused = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno";
    expect(
        "CONNECT that is refused",
        &said(
            &[
                (true, connect.as_bytes()),
                (false, refused.as_bytes()),
                (true, GET.as_bytes()),
            ],
            true,
        ),
        &[
            ("http", true, connect),
            ("http", true, refused),
            ("http", true, GET),
        ],
    );
    let upgrade = "GET /ws HTTP/1.1\r\nUpgrade: chat/1\r\nConnection: Upgrade\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat/1\r\n\r\n";
    expect(
        "101, with the next protocol's octets in the same segment",
        &said(
            &[
                (true, upgrade.as_bytes()),
                (false, [switch.as_bytes(), b"\x01frame"].concat().as_slice()),
                (true, b"\x02frame"),
            ],
            true,
        ),
        &[
            ("http", true, upgrade),
            ("http", true, switch),
            ("data", true, "\x01frame"),
            ("data", true, "\x02frame"),
        ],
    );
    let socket = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\r\n";
    let long = ["\x01~\x00\x7e", &"x".repeat(126)].concat();
    expect(
        "WebSocket: a frame in the same segment, one in two segments, two in one",
        &said(
            &[
                (true, upgrade.as_bytes()),
                (
                    false,
                    [socket.as_bytes(), b"\x01\x05frame"].concat().as_slice(),
                ),
                (false, &long.as_bytes()[..50]),
                (false, &long.as_bytes()[50..]),
                (false, b"\x00\x02on\x00\x01!"),
            ],
            true,
        ),
        &[
            ("http", true, upgrade),
            ("http", true, socket),
            ("websocket", true, "\x01\x05frame"),
            ("websocket", true, &long),
            ("websocket", true, "\x00\x02on"),
            ("websocket", true, "\x00\x01!"),
        ],
    );
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    expect(
        "an upgrade that is not taken",
        &said(
            &[
                (true, upgrade.as_bytes()),
                (false, plain.as_bytes()),
                (true, GET.as_bytes()),
                (false, plain.as_bytes()),
            ],
            true,
        ),
        &[
            ("http", true, upgrade),
            ("http", true, plain),
            ("http", true, GET),
            ("http", true, plain),
        ],
    );
}

/// A frame of a client.
fn masked(text: &str) -> Vec<u8> {
    let key = [0x9d, 0x02, 0xf1, 0x77];
    let len = u8::try_from(text.len()).unwrap();
    let payload = text.bytes().zip(key.iter().cycle()).map(|(o, k)| o ^ k);
    let head = [0x81, len | 0x80].into_iter().chain(key);
    head.chain(payload).collect()
}

/// The messages that come out, with protocol and octets; all of them are whole.
fn whole(sent: &[Sent]) -> Vec<(&'static str, Vec<u8>)> {
    let found = messages(sent, 0);
    assert!(found.iter().all(|m| m.whole), "{found:?}");
    found.into_iter().map(|m| (m.protocol, m.data)).collect()
}

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

/// The request asked for it: what each side sends behind the hole is known by the masks that it has or lacks.
#[test]
fn a_websocket_goes_on_where_its_101_is_lost() {
    let frames = b"\x81\x05hello\x82\x03abc";
    let client = masked("a line");
    for first in [false, true] {
        let mut parts = vec![(true, UPGRADE.as_bytes()), (false, SWITCH.as_bytes())];
        parts.insert(2, (false, frames));
        parts.insert(if first { 2 } else { 3 }, (true, &client));
        let mut sent = said(&parts, true);
        sent.retain(|s| !s.data.starts_with(b"HTTP/1.1 101"));
        let found = whole(&sent);
        let has = |frame: &[u8]| found.contains(&("websocket", frame.to_vec()));
        assert!(
            has(&frames[..7]) && has(&frames[7..]) && has(&client),
            "{first}: {found:?}"
        );
    }
}

/// Of two taps, the client's is ahead: its frames are known before the 101 comes, in the middle of one of them.
#[test]
fn a_frame_goes_on_when_the_101_comes_late() {
    let (one, two) = (masked("a line"), masked("another line of some octets"));
    let parts = [
        (true, UPGRADE.as_bytes()),
        (false, SWITCH.as_bytes()),
        (true, &one),
        (true, &two[..10]),
        (true, b""),
        (true, &two[10..]),
        (false, b"\x81\x05hello"),
    ];
    let mut sent = said(&parts, true);
    let late = sent.remove(3);
    // Behind what acknowledges it, and longer than anybody waits for it.
    sent.insert(6, late);
    for (place, s) in sent.iter_mut().enumerate() {
        s.ms = place as u64 + if place >= 5 { 1500 } else { 0 };
    }
    let found = whole(&sent);
    let expected = [
        ("http", UPGRADE.as_bytes().to_vec()),
        ("websocket", one),
        ("http", SWITCH.as_bytes().to_vec()),
        ("websocket", two),
        ("websocket", b"\x81\x05hello".to_vec()),
    ];
    assert_eq!(found, expected);
}

/// Behind CONNECT, with its first octets lost: three records in a row are TLS, though the hello is not there.
#[test]
fn tls_in_a_tunnel_is_known_behind_a_gap() {
    let record = |kind: u8, body: &[u8]| {
        let head = [kind, 3, 3, 0, u8::try_from(body.len()).unwrap()];
        [&head, body].concat()
    };
    let exchange = record(22, b"\x10\0\0\x04keys");
    let (change, finished) = (
        record(20, b"\x01"),
        record(22, b"not to be read by anybody"),
    );
    let second = [&exchange[..], &change, &finished].concat();
    let connect = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    let parts = [
        (true, connect.as_bytes()),
        (false, b"HTTP/1.1 200 OK\r\n\r\n"),
        (true, b"the hello"),
        (false, b"its answer"),
        (true, &second),
    ];
    let mut sent = said(&parts, true);
    sent.drain(4..6);
    let found = whole(&sent);
    let tls: Vec<_> = found.iter().filter(|(name, _)| *name == "tls").collect();
    assert_eq!(tls.len(), 3, "{found:?}");
}

/// A reader of packets wants the answer to HEAD ahead of the next request, also where nothing is known of what came before.
#[test]
fn an_answer_to_head_comes_first_in_a_stream_from_the_middle() {
    let head = "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let sent = said(
        &[
            (true, head.as_bytes()),
            (false, empty.as_bytes()),
            (true, GET.as_bytes()),
            (false, ok.as_bytes()),
        ],
        true,
    );
    expect(
        "without SYN and SYN-ACK",
        &sent[2..],
        &[
            ("http", true, head),
            ("http", true, empty),
            ("http", true, GET),
            ("http", true, ok),
        ],
    );
}

/// A long body that the capture begins in: it is passed over, and what follows is found.
#[test]
fn a_body_from_its_middle_is_no_message() {
    let piece = body(60_000, false);
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for answered in [false, true] {
        let mut parts = vec![(false, &piece[..]); 10];
        if answered {
            parts.extend([(true, GET.as_bytes()), (false, ok.as_bytes())]);
        }
        let sent = said(&parts, true);
        let expected: &[_] = &[("http", true, GET), ("http", true, ok)];
        expect("a body", &sent[2..], if answered { expected } else { &[] });
    }
}

#[test]
fn bodies_that_end_with_the_connection() {
    let answer = "HTTP/1.0 200 OK\r\nContent-Type: a\r\n\r\nbody";
    for (end, whole) in [(true, true), (false, false)] {
        expect(
            "only its end tells that all of it is there",
            &said(
                &[
                    (true, GET.as_bytes()),
                    (false, answer.as_bytes()),
                    (false, b" and more"),
                ],
                end,
            ),
            &[
                ("http", true, GET),
                ("http", whole, &format!("{answer} and more")),
            ],
        );
    }
}

#[test]
fn interim_answers_and_answers_to_head() {
    let post = "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let head = "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n";
    expect(
        "100-continue",
        &said(
            &[
                (true, post.as_bytes()),
                (false, go_on.as_bytes()),
                (true, b"body"),
                (false, ok.as_bytes()),
            ],
            true,
        ),
        &[
            ("http", true, go_on),
            ("http", true, &format!("{post}body")),
            ("http", true, ok),
        ],
    );
    let no = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n";
    // The body was never sent, so that nothing of the request is missing; also where the client says no more.
    for next in [&[(true, GET.as_bytes()), (false, ok.as_bytes())][..], &[]] {
        let mut all = vec![(true, post.as_bytes()), (false, no.as_bytes())];
        all.extend(next);
        let expected = [
            ("http", true, no),
            ("http", true, post),
            ("http", true, GET),
            ("http", true, ok),
        ];
        expect("417", &said(&all, true), &expected[..2 + next.len()]);
    }
    // It began to come.
    expect(
        "417, and a part of the body",
        &said(
            &[
                (true, post.as_bytes()),
                (false, no.as_bytes()),
                (true, b"bo"),
            ],
            true,
        ),
        &[("http", true, no), ("http", false, &format!("{post}bo"))],
    );
    expect(
        "HEAD",
        &said(
            &[
                (true, head.as_bytes()),
                (false, empty.as_bytes()),
                (true, GET.as_bytes()),
                (false, ok.as_bytes()),
            ],
            true,
        ),
        &[
            ("http", true, head),
            ("http", true, empty),
            ("http", true, GET),
            ("http", true, ok),
        ],
    );
    // The HEAD is lost: the next request acknowledges the end of the header, or a status line follows it.
    let all = said(
        &[
            (true, head.as_bytes()),
            (false, empty.as_bytes()),
            (true, GET.as_bytes()),
            (false, ok.as_bytes()),
        ],
        true,
    );
    let lost: Vec<Sent> = all
        .iter()
        .filter(|s| !s.data.starts_with(b"HEAD"))
        .cloned()
        .collect();
    expect(
        "a lost HEAD",
        &lost,
        &[
            ("http", true, GET),
            ("http", true, empty),
            ("http", true, ok),
        ],
    );
}

/// HTTP is left while the client still sends a body: what follows is not taken for the rest of it.
#[test]
fn a_message_is_not_whole_whose_protocol_is_left_while_it_is_open() {
    let begun = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n0123456789";
    let left = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    expect(
        "another protocol begins in both directions",
        &said(
            &[
                (true, begun.as_bytes()),
                (false, left.as_bytes()),
                (true, b"abc"),
            ],
            true,
        ),
        &[
            ("http", true, left),
            ("http", false, begun),
            ("data", true, "abc"),
        ],
    );
}

/// Octets that the row of the table looked at which looked at most, of a stream on a port, from the middle, with so many
/// octets a segment.
fn looked(octets: &[u8], port: u16, size: usize, pushed: bool) -> u64 {
    let mut cx = Context::new(Limits::default());
    let mut tcp: Tcp<Conversation<()>> = Tcp::new();
    let mut extractor = Extractor::new(Quiet);
    for (n, data) in octets.chunks(size).enumerate() {
        let time = n as u64 * 1000;
        cx.now = Instant::from_nanos(time);
        cx.packet = PacketInfo {
            frame: n as u64 + 1,
            time: Timestamp::from_nanos(time),
            ..PacketInfo::default()
        };
        let at = u32::try_from(n * size).unwrap();
        let segment = Segment {
            src: (IpAddr::from([10, 0, 0, 1]), 50_000),
            dst: (IpAddr::from([10, 0, 0, 2]), port),
            seq: SeqNumber(1000).add(at),
            ack: Some(SeqNumber(1)),
            flags: flags::ACK | if pushed { flags::PSH } else { 0 },
            window: u16::MAX,
            window_scale: None,
            payload: data,
            payload_len: u32::try_from(data.len()).unwrap(),
            payload_sum: None,
            offset: OctetOffset::Unknown,
        };
        tcp.segment(&mut cx, &segment, Channel::default(), &mut extractor);
        tcp.tick(&mut cx, &mut extractor);
    }
    tcp.flush(&mut cx, &mut extractor);
    extractor.looked.iter().copied().max().unwrap_or(0)
}

struct Quiet;

impl MessageSink for Quiet {
    type State = ();
}

#[test]
fn a_search_looks_at_each_octet_a_few_times() {
    let weak = |head: &[u8]| [head, &vec![0xff; 6_000]].concat();
    let text = |head: &[u8]| [head, &vec![b'x'; 6_000]].concat();
    for (octets, port) in [
        (weak(b"\xff\xff\xff\x01"), 3306),
        (weak(b"\x3e\xff\xff\xff\x7f\0\x05topic"), 1883),
        (weak(b"\x01\0\0\x0f\xff\xff\xff"), 5672),
        (weak(b"\x02\xfd\x80\x01\0\x0f\xff\xff"), 9999),
        (weak(b"\x16\x03\x01\x40\0"), 9999),
        (text(b"INVITE sip:"), 5060),
        (text(b"GET /"), 80),
        (text(b"DESCRIBE rtsp://"), 9999),
    ] {
        for (size, pushed) in [(1, false), (1, true), (100, false), (1400, true)] {
            let most = looked(&octets, port, size, pushed);
            // Each octet when it comes, and a chain in doubt again where it has grown by a quarter.
            let bound = 6 * octets.len() as u64;
            assert!(
                most <= bound,
                "{port}, {size}, {pushed}: {most} of {}",
                octets.len()
            );
        }
    }
}

/// An answer that comes before its request does is still that request's answer.
#[test]
fn an_answer_captured_before_its_request_waits_for_it() {
    let exchange = Exchange {
        head: false,
        request: Form::None,
        interim: false,
        status: 200,
        response: Form::None,
        ahead: false,
    };
    let (mut sent, truth) = conversation(&[exchange.clone(), exchange], 20, false);
    let first = sent.remove(3);
    sent.insert(6, first);
    for (i, s) in sent.iter_mut().enumerate() {
        s.ms = i as u64;
    }
    let found = sides(&messages(&sent, 0));
    assert_eq!(found, sides(&truth));
}
