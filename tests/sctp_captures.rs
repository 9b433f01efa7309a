//! User messages of real captures against reference answers, where both are at hand beside the repository.

use inet_asm::capture::PacketInfo;
use inet_asm::config::Limits;
use inet_asm::context::Context;
use inet_asm::ip::{Datagram, protocol};
use inet_asm::link::Channel;
use inet_asm::time::{CaptureClock, Timestamp};
use inet_asm::transport::sctp::{AssociationContext, Sctp, UserMessage, UserMessageSink};
use inet_asm::transport::stream::Close;
use pcap_parser::{Block, PcapBlockOwned, PcapError};
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Source and destination port, stream, unordered, PPID, length.
type Row = (u16, u16, u16, bool, u32, usize);
/// Time in nanoseconds, link type, octets.
type Record = (u64, i32, Vec<u8>);

#[derive(Default)]
struct Collected {
    rows: Vec<Row>,
    incomplete: usize,
    /// As in the lists beside the captures of `testdata`.
    lines: Vec<String>,
    order: BTreeMap<(u64, usize, u16, bool), u32>,
    seen: std::collections::HashSet<u64>,
}

impl UserMessageSink for Collected {
    type State = u32;

    fn user_message(&mut self, at: &mut AssociationContext<'_, u32>, m: &UserMessage<'_>) {
        *at.state += 1;
        let mark = if m.whole { "" } else { "?" };
        let way = if m.src.port() == m.dst.port() {
            ["a", "z"][m.direction.index()]
        } else {
            "-"
        };
        let u = if m.unordered { "U" } else { "-" };
        let head = format!("{mark}{way} {} {} {u} {}", m.stream, m.seq, m.ppid);
        self.lines.push(if m.whole {
            format!("{head} {} {:08x}", m.data.len(), crc32c::crc32c(m.data))
        } else {
            head
        });
        if !m.whole {
            self.incomplete += 1;
            return;
        }
        assert_eq!(m.len, Some(m.data.len() as u64));
        let mut h = DefaultHasher::new();
        (at.flow.number, m.direction, m.tsn).hash(&mut h);
        assert!(self.seen.insert(h.finish()), "a message came twice");
        self.rows.push((
            m.src.port(),
            m.dst.port(),
            m.stream,
            m.unordered,
            m.ppid,
            m.data.len(),
        ));
        let place = (at.flow.number, m.direction.index(), m.stream, m.unordered);
        self.order.insert(place, m.seq);
    }

    fn end(&mut self, _: &mut AssociationContext<'_, u32>, _: Close) {}
}

/// The packets of a pcap or pcapng file.
fn packets(path: &Path) -> Vec<Record> {
    let mut reader = pcap_parser::create_reader(1 << 20, File::open(path).unwrap()).unwrap();
    let (mut out, mut link, mut links) = (Vec::new(), 1, Vec::new());
    loop {
        match reader.next() {
            Ok((n, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(h) => link = h.network.0,
                    PcapBlockOwned::Legacy(b) => {
                        let t = u64::from(b.ts_sec) * 1_000_000_000 + u64::from(b.ts_usec) * 1000;
                        out.push((t, link, b.data[..b.caplen as usize].to_vec()));
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(i)) => {
                        links.push((i.linktype.0, i.ts_resolution().unwrap_or(1_000_000)));
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(e)) => {
                        let (link, unit) = links[e.if_id as usize];
                        let ticks = u64::from(e.ts_high) << 32 | u64::from(e.ts_low);
                        let t = u128::from(ticks) * 1_000_000_000 / u128::from(unit);
                        let t = u64::try_from(t).unwrap();
                        out.push((t, link, e.data[..e.caplen as usize].to_vec()));
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(n);
            }
            Err(PcapError::Eof) => return out,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(e) => panic!("{}: {e:?}", path.display()),
        }
    }
}

/// The outermost IP packet of a frame that carries SCTP, unless it is a fragment.
fn sctp_datagram(link: i32, frame: &[u8]) -> Option<Datagram<'_>> {
    let at = match link {
        1 => {
            let mut at = 12;
            while matches!(frame.get(at..at + 2)?, [0x81, 0] | [0x88, 0xa8]) {
                at += 4;
            }
            at + 2
        }
        113 => 16,
        _ => return None,
    };
    let ip = frame.get(at..)?;
    let (src, dst, protocol, payload): (IpAddr, IpAddr, u8, &[u8]) = match ip.first()? >> 4 {
        4 => {
            let len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            let header = usize::from(ip[0] & 15) * 4;
            if u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0 {
                return None;
            }
            let address = |i| IpAddr::from(Ipv4Addr::new(ip[i], ip[i + 1], ip[i + 2], ip[i + 3]));
            (
                address(12),
                address(16),
                ip[9],
                ip.get(header..len.min(ip.len()))?,
            )
        }
        6 => {
            let address = |i| {
                let octets: [u8; 16] = ip[i..i + 16].try_into().unwrap();
                IpAddr::from(Ipv6Addr::from(octets))
            };
            let len = usize::from(u16::from_be_bytes([ip[4], ip[5]])) + 40;
            (
                address(8),
                address(24),
                ip[6],
                ip.get(40..len.min(ip.len()))?,
            )
        }
        _ => return None,
    };
    (protocol == protocol::SCTP).then_some(Datagram {
        src,
        dst,
        protocol,
        payload,
        payload_len: payload.len(),
        identification: 0,
        channel: Channel::default(),
        checksum_known_good: false,
    })
}

fn run(path: &Path) -> (Collected, Context) {
    let mut cx = Context::new(Limits::default());
    let mut sctp = Sctp::<u32>::default();
    let mut sink = Collected::default();
    let mut clock = CaptureClock::default();
    for (frame, (time, link, data)) in (1..).zip(packets(path)) {
        let time = Timestamp::from_nanos(time);
        cx.now = clock.observe(time);
        cx.packet = PacketInfo {
            frame,
            time,
            ..PacketInfo::default()
        };
        if let Some(datagram) = sctp_datagram(link, &data) {
            sctp.packet(&mut cx, &datagram, &mut sink);
        }
        sctp.tick(&mut cx, &mut sink);
        let c = &cx.counters.sctp;
        assert_eq!(
            c.data_chunks + c.i_data_chunks,
            c.delivered_chunks
                + c.duplicates
                + c.late
                + c.before_start
                + c.dropped_chunks
                + c.waiting_chunks,
            "chunks after frame {frame}"
        );
        assert_eq!(
            c.packets,
            c.passed + c.held_packets + cx.counters.dropped_in("sctp"),
            "packets after frame {frame}"
        );
    }
    sctp.flush(&mut cx, &mut sink);
    assert_eq!(cx.budget.used(), 0);
    assert_eq!(cx.counters.sctp.waiting_chunks, 0);
    (sink, cx)
}

/// What the reference has of a capture, or None.
fn reference(path: &Path) -> Option<Vec<Row>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(path).ok()?)
        .read_to_string(&mut text)
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = json["sctp"]["messages"].as_array()?;
    let number = |v: &serde_json::Value| v.as_u64().unwrap();
    let port = |s: &str| s.rsplit(':').next().unwrap().parse().unwrap();
    Some(
        rows.iter()
            .map(|m| {
                let (src, dst) = m[1].as_str().unwrap().split_once('>').unwrap();
                (
                    port(src),
                    port(dst),
                    u16::try_from(number(&m[4])).unwrap(),
                    number(&m[6]) != 0,
                    u32::try_from(number(&m[7])).unwrap(),
                    usize::try_from(number(&m[8])).unwrap(),
                )
            })
            .collect(),
    )
}

#[test]
fn every_user_message_of_the_reference() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.join("truth").is_dir() {
        println!("skipped: every_user_message_of_the_reference: no ../shared/captures");
        return;
    }
    let mut names: Vec<_> = std::fs::read_dir(shared.join("captures"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let (mut compared, mut all) = (0, 0);
    for name in names {
        let truth = shared.join("truth").join(format!("{name}.json.gz"));
        let Some(mut wanted) = reference(&truth) else {
            continue;
        };
        let (found, cx) = run(&shared.join("captures").join(&name));
        let mut rows = found.rows.clone();
        let extra = rows.len() as i64;
        wanted.retain(|w| match rows.iter().position(|r| r == w) {
            Some(i) => {
                rows.swap_remove(i);
                all += 1;
                false
            }
            None => true,
        });
        if found.rows.is_empty() && wanted.is_empty() {
            continue;
        }
        compared += 1;
        println!(
            "{name}: {extra} messages, {} not in the reference, {} incomplete, {} associations",
            rows.len(),
            found.incomplete,
            cx.counters.sctp.associations
        );
        assert_eq!(wanted, [], "{name}: user messages that did not come out");
    }
    println!("{all} messages of {compared} captures");
    assert!(compared >= 5);
}

#[test]
fn the_captures_of_testdata() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !(name.starts_with("sctp-") && name.ends_with(".messages")) {
            continue;
        }
        compared += 1;
        // By stream: way, stream and U.
        let by_stream = |lines: &[String]| {
            let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for line in lines {
                let f: Vec<&str> = line.split(' ').collect();
                let key = format!("{} {} {}", f[0].trim_start_matches('?'), f[1], f[3]);
                // Of an incomplete message, only that it is there.
                let kept = if line.starts_with('?') { 5 } else { f.len() };
                streams.entry(key).or_default().push(f[..kept].join(" "));
            }
            streams
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let wanted: Vec<String> = text.lines().map(str::to_owned).collect();
        let (found, cx) = run(&path.with_extension("pcap"));
        assert_eq!(by_stream(&found.lines), by_stream(&wanted), "{name}");
        assert_eq!(cx.counters.sctp.bad_checksum, 0, "{name}");
        let restarted = u64::from(name.contains("restart")) * 2;
        assert_eq!(cx.counters.sctp.associations, 1 + restarted, "{name}");
    }
    assert_eq!(compared, 8);
}
