//! User messages of real captures against reference answers, where both are at hand beside the repository.
#![allow(clippy::unwrap_used)] // A test that cannot read its input has failed.

use crate::common;
use etherparse::IpNumber;
use inet_asm::base::context::Context;
use inet_asm::base::counters::Discard;
use inet_asm::base::limits::Limits;
use inet_asm::base::packet::{Channel, PacketInfo};
use inet_asm::base::place::OctetOffset;
use inet_asm::base::stream::Close;
use inet_asm::base::time::{CaptureClock, Timestamp};
use inet_asm::ip::Datagram;
use inet_asm::transport::sctp::{AssociationContext, Sctp, UserMessage, UserMessageSink};
use pcap_parser::{Block, PcapBlockOwned, PcapError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Source and destination port, tag, stream and unordered; PPID, first TSN, beginning of the SHA-256 of its octets.
type Row = ((u16, u16, u32, u16, bool), u32, u32, String);
/// Time in nanoseconds, link type, octets.
type Record = (u64, i32, Vec<u8>);

#[derive(Default)]
struct Collected {
    rows: Vec<Row>,
    incomplete: usize,
    /// As in the lists beside the captures of `testdata`.
    lines: Vec<String>,
    order: BTreeMap<(u64, usize, u16, bool), u32>,
    seen: HashSet<u64>,
    /// Ports, tag and first TSN of whole messages.
    whole: HashSet<(u16, u16, u32, u32)>,
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
        self.whole
            .insert((m.src.port(), m.dst.port(), m.tag, m.tsn));
        let mut h = DefaultHasher::new();
        (at.flow.number, m.direction, m.tsn).hash(&mut h);
        assert!(self.seen.insert(h.finish()), "a message came twice");
        self.rows.push((
            (m.src.port(), m.dst.port(), m.tag, m.stream, m.unordered),
            m.ppid,
            m.tsn,
            common::sha256(m.data)[..16].to_owned(),
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
            Err(PcapError::Eof | PcapError::UnexpectedEof) => return out,
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
    (protocol == IpNumber::SCTP.0).then_some(Datagram {
        src,
        dst,
        protocol,
        payload,
        offset: OctetOffset::Unknown,
        payload_len: payload.len(),
        identification: 0,
        channel: Channel::default(),
        checksum_known_good: false,
        doubtful: false,
    })
}

fn run(path: &Path) -> (Collected, Context) {
    run_on(&packets(path))
}

fn run_on(packets: &[Record]) -> (Collected, Context) {
    let mut cx = Context::new(Limits::default());
    let mut sctp = Sctp::<u32>::default();
    let mut sink = Collected::default();
    let mut clock = CaptureClock::default();
    for (frame, (time, link, data)) in (1..).zip(packets) {
        let time = Timestamp::from_nanos(*time);
        cx.now = clock.observe(time);
        cx.packet = PacketInfo {
            frame,
            time,
            ..PacketInfo::default()
        };
        if let Some(datagram) = sctp_datagram(*link, data) {
            sctp.packet(&mut cx, &datagram, &mut sink);
        }
        sctp.tick(&mut cx, &mut sink);
        let c = &cx.counters.sctp;
        assert_eq!(
            c.data_chunks + c.i_data_chunks,
            c.delivered_chunks
                + c.duplicates
                + cx.counters.dropped(Discard::SctpLate)
                + cx.counters.dropped(Discard::SctpBeforeStart)
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
                let word = |at: usize| u32::try_from(number(&m[at])).unwrap();
                let stream = u16::try_from(number(&m[4])).unwrap();
                (
                    (port(src), port(dst), word(2), stream, number(&m[6]) != 0),
                    word(7),
                    word(3),
                    m[9].as_str().unwrap().to_owned(),
                )
            })
            .collect(),
    )
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn every_user_message_of_the_reference() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let mut names: Vec<_> = std::fs::read_dir(shared.join("captures"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let (mut compared, mut all) = (0, 0);
    // What a generator made with tag 0 everywhere says nothing about associations.
    for name in names.iter().filter(|name| !name.contains("synthetic")) {
        let truth = shared.join("truth").join(format!("{name}.json.gz"));
        let Some(mut wanted) = reference(&truth) else {
            continue;
        };
        let (found, cx) = run(&shared.join("captures").join(name));
        let mut rows = found.rows.clone();
        let extra = rows.len() as i64;
        // Ordered messages come in the order of their stream.
        let order = |rows: &[Row]| {
            let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (place, _, tsn, _) in rows.iter().filter(|row| !row.0.4) {
                streams.entry(*place).or_default().push(*tsn);
            }
            streams
        };
        let (ours, theirs) = (order(&rows), order(&wanted));
        for (place, tsns) in &theirs {
            let known: HashSet<_> = tsns.iter().collect();
            let mut came = ours.get(place).cloned().unwrap_or_default();
            came.retain(|tsn| known.contains(tsn));
            assert_eq!(&came, tsns, "{name}: order of {place:?}");
        }
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
        assert_eq!(rows, [], "{name}: user messages that nobody sent");
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
        let associations = match name {
            _ if name.contains("restart") => 3,
            _ if name.contains("abandoned") => 2,
            _ => 1,
        };
        assert_eq!(cx.counters.sctp.associations, associations, "{name}");
    }
    assert_eq!(compared, 11);
}

/// First TSNs of the user messages that lie whole in the packets, by ports and tag: all chunks from B to E.
fn lying_whole(packets: &[Record]) -> HashSet<(u16, u16, u32, u32)> {
    let word = |b: &[u8], at: usize| u32::from_be_bytes(b[at..at + 4].try_into().unwrap());
    let half = |b: &[u8], at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
    // DATA by TSN: flags. I-DATA by stream, U and MID: FSN, flags and TSN.
    type Side = (u16, u16, u32);
    let mut rows: HashMap<Side, HashMap<u32, u8>> = HashMap::new();
    type Parts = BTreeMap<u32, (u8, u32)>;
    let mut mids: HashMap<(Side, u16, u8, u32), Parts> = HashMap::new();
    for (_, link, data) in packets {
        let payload = sctp_datagram(*link, data).map(|d| d.payload);
        let Some(p) = payload.filter(|p| p.len() > 12) else {
            continue;
        };
        let side = (half(p, 0), half(p, 2), word(p, 4));
        let mut at = 12;
        while at + 4 <= p.len() {
            let (kind, flags, len) = (p[at], p[at + 1], usize::from(half(p, at + 2)));
            if len < 4 || at + len > p.len() {
                break;
            }
            if kind == 0 && len > 16 {
                let side = rows.entry(side).or_default();
                side.entry(word(p, at + 4)).or_insert(flags);
            } else if kind == 64 && len > 20 {
                let key = (side, half(p, at + 8), flags & 4, word(p, at + 12));
                let fsn = if flags & 2 != 0 { 0 } else { word(p, at + 16) };
                let parts = mids.entry(key).or_default();
                parts.entry(fsn).or_insert((flags, word(p, at + 4)));
            }
            at += len.next_multiple_of(4);
        }
    }
    let mut whole = HashSet::new();
    for ((sp, dp, tag), row) in rows {
        for (&first, &flags) in row.iter().filter(|(_, f)| *f & 2 != 0) {
            let (mut at, mut flags) = (first, flags);
            while flags & 1 == 0 {
                at = at.wrapping_add(1);
                match row.get(&at) {
                    Some(f) if f & 2 == 0 => flags = *f,
                    _ => break,
                }
            }
            if flags & 1 != 0 {
                whole.insert((sp, dp, tag, first));
            }
        }
    }
    for (((sp, dp, tag), ..), parts) in mids {
        let in_a_row = (0..).zip(&parts).all(|(n, (fsn, _))| n == *fsn);
        let (first, last) = (
            parts[parts.keys().next().unwrap()],
            *parts.values().last().unwrap(),
        );
        if in_a_row && first.0 & 2 != 0 && last.0 & 1 != 0 {
            whole.insert((sp, dp, tag, first.1));
        }
    }
    whole
}

#[test]
fn what_lies_whole_in_a_damaged_capture_comes_out() {
    all_that_lies_whole_comes_out("testdata");
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn what_lies_whole_in_a_damaged_shared_capture_comes_out() {
    all_that_lies_whole_comes_out("../shared/captures");
}

fn all_that_lies_whole_comes_out(folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| {
            let name = p.file_name().unwrap().to_str().unwrap();
            // What a generator made with tag 0 everywhere says nothing about tags.
            (name.ends_with("pcap") || name.ends_with("pcapng")) && !name.contains("synthetic")
        })
        .collect();
    files.sort();
    let (mut all, mut came) = (0, 0);
    for path in files {
        let Ok(mut file) = File::open(&path) else {
            continue;
        };
        let mut magic = [0; 4];
        if file.read_exact(&mut magic).is_err() {
            continue;
        }
        let records = packets(&path);
        if !records
            .iter()
            .any(|(_, l, d)| sctp_datagram(*l, d).is_some())
        {
            continue;
        }
        for loss in [1, 5, 20] {
            for seed in 1..=5u64 {
                let mut state = seed * 1_000_003 + loss;
                let mut kept = records.clone();
                kept.retain(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40 & 0xffff
                        >= 0x1_0000 * loss / 100
                });
                let wanted = lying_whole(&kept);
                let (found, _) = run_on(&kept);
                let lost: Vec<_> = wanted.difference(&found.whole).collect();
                let name = path.file_name().unwrap();
                if !lost.is_empty() {
                    println!("{name:?}, {loss} %, seed {seed}: lost {lost:?}");
                }
                let made_up = found.whole.difference(&wanted).count();
                assert_eq!(made_up, 0, "{name:?}: not in the capture");
                all += wanted.len();
                came += wanted.len() - lost.len();
            }
        }
    }
    println!("{came} of {all} user messages");
    assert!(all > 100, "{all}");
    assert_eq!(came, all);
}
