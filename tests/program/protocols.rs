//! Protocols: for each a capture, made by real programs or from its specification, of which as many messages are found
//! as tshark finds with its own dissector; with losses, no other message claims to be whole.

use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, get};
use crate::common::{self, fields, find_counter, inet_asm, testdata};

/// A protocol, a capture of it, and how tshark counts its messages: the values of these fields, in packets that a filter
/// lets through.
struct Case {
    protocol: &'static str,
    capture: &'static str,
    filter: &'static str,
    fields: &'static [&'static str],
    options: &'static [&'static str],
    /// Packets that are messages too, which tshark does not count so.
    plus: Option<&'static str>,
}

const fn case(
    protocol: &'static str,
    capture: &'static str,
    fields: &'static [&'static str],
) -> Case {
    Case {
        protocol,
        capture,
        filter: protocol,
        fields,
        options: &[],
        plus: None,
    }
}

const CASES: &[Case] = &[
    case("tls", "tls", &["tls.record.length"]),
    case("mqtt", "mqtt", &["mqtt.msgtype"]),
    case("sip", "sip", &["sip.Call-ID"]),
    case("sip", "sip-udp", &["sip.Call-ID"]),
    case("diameter", "diameter", &["diameter.length"]),
    // The protocol header has no length.
    Case {
        plus: Some("tcp.port == 5672 && tcp.payload[0:4] == 41:4d:51:50"),
        ..case("amqp", "amqp", &["amqp.length"])
    },
    case("mysql", "mysql", &["mysql.packet_length"]),
    case("ldap", "ldap", &["ldap.messageID"]),
    case("nbss", "nbss", &["nbss.type"]),
    case("mbtcp", "mbtcp", &["mbtcp.len"]),
    case("tpkt", "tpkt", &["tpkt.length"]),
    case("doip", "doip", &["doip.length"]),
    case("bgp", "bgp", &["bgp.type"]),
    case("websocket", "websocket", &["websocket.opcode"]),
    Case {
        filter: "iec60870_104",
        ..case("104apci", "104apci", &["iec60870_104.apdulen"])
    },
    Case {
        options: &["-d", "tcp.port==27017,mongo"],
        ..case("mongo", "mongo", &["mongo.message_length"])
    },
    Case {
        options: &["-d", "tcp.port==30490,someip"],
        ..case("someip", "someip", &["someip.length"])
    },
    Case {
        options: &["-d", "udp.port==30490,someip"],
        ..case("someip", "someip-udp", &["someip.length"])
    },
    case("opcua", "opcua", &["opcua.transport.size"]),
    case("enip", "enip", &["enip.length"]),
    case("dnp3", "dnp3", &["dnp3.len"]),
    case("dicom", "dicom", &["dicom.pdu.len"]),
    case("cql", "cql", &["cql.opcode"]),
    case("kafka", "kafka", &["kafka.len"]),
    case("irc", "irc", &["irc.request", "irc.response"]),
    case("memcache", "memcache-binary", &["memcache.opcode"]),
    case("gtp", "gtp", &["frame.number"]),
    case("gtpv2", "gtpv2", &["frame.number"]),
    case("pfcp", "pfcp", &["frame.number"]),
    case("quic", "quic", &["frame.number"]),
    case("dns", "../dns-tcp", &["dns.id"]),
    case("dns", "../dns-udp", &["dns.id"]),
    // The answer to a request for TLS is one octet without a length.
    Case {
        plus: Some("tcp.port == 5432 && tcp.len == 1"),
        ..case("pgsql", "pgsql", &["pgsql.length"])
    },
    case("ftp", "ftp", &["ftp.response.code", "ftp.request.command"]),
    case("dhcp", "dhcp", &["frame.number"]),
    case("ntp", "ntp", &["frame.number"]),
    case("radius", "radius", &["frame.number"]),
    case("mdns", "mdns", &["frame.number"]),
    case("snmp", "snmp", &["frame.number"]),
    case("syslog", "syslog", &["frame.number"]),
    case("tftp", "tftp", &["frame.number"]),
];

fn octets(capture: &str) -> Vec<u8> {
    common::read(&testdata(&format!("protocols/{capture}.pcap")))
}

/// What the counters say of a capture.
fn stats(capture: &str, options: &[&str]) -> String {
    let path = testdata(&format!("protocols/{capture}.pcap"));
    let mut command = inet_asm(options);
    command.args(["-n", "-s"]).arg(path);
    let done = common::feed(&mut command, &[]);
    done.code(0);
    done.stderr
}

fn count(stats: &str, name: &str) -> u64 {
    find_counter(stats, name).unwrap_or(0)
}

#[test]
fn as_many_messages_as_tshark_finds() {
    let mut wrong = Vec::new();
    for case in CASES {
        let rows = fields(
            case.filter,
            case.fields,
            case.options,
            &octets(case.capture),
        );
        let plus = case.plus.map_or(0, |filter| {
            fields(filter, &["frame.number"], &[], &octets(case.capture)).len()
        });
        let listed: usize = rows
            .iter()
            .flatten()
            .map(|row| row.split(',').filter(|value| !value.is_empty()).count())
            .sum();
        let expected = listed + plus;
        let stats = stats(case.capture, &[]);
        let of = |name: &str| count(&stats, &format!("{}.{name}", case.protocol));
        let found = of("messages");
        if found != expected as u64 || expected == 0 || of("incomplete") + of("skipped") != 0 {
            wrong.push(format!(
                "{}: {found} messages, {} incomplete, {} octets skipped; tshark: {expected}",
                case.capture,
                of("incomplete"),
                of("skipped")
            ));
        }
        if count(&stats, "data.messages") != 0 {
            wrong.push(format!("{}: octets of no protocol", case.capture));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where tshark counts packets or lines: nothing is missing, and nothing is left over. How many there are is held against the
/// grammar below.
#[test]
fn messages_of_lines_and_values() {
    for (protocol, capture) in [
        ("resp", "resp"),
        ("rtsp", "rtsp"),
        ("smtp", "smtp"),
        ("smtp", "smtp-made"),
        ("pop", "pop"),
        ("imap", "imap"),
    ] {
        let stats = stats(capture, &[]);
        assert!(
            count(&stats, &format!("{protocol}.messages")) > 10,
            "{stats}"
        );
        assert_eq!(
            count(&stats, &format!("{protocol}.incomplete")),
            0,
            "{capture}"
        );
        assert!(
            count(&stats, &format!("{protocol}.skipped")) < 4,
            "{capture}"
        );
        // An empty line in front of a command is of no protocol.
        assert!(count(&stats, "data.octets") < 4, "{capture}");
    }
}

/// The octets of each stream of a capture, as dump.rs holds them against tcpflow.
fn streams(capture: &str) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut command = inet_asm(["--dump"]);
    let path = testdata(&format!("protocols/{capture}.pcap"));
    common::feed(command.arg(dir.path()).arg(path), &[]).code(0);
    common::files(dir.path())
}

/// Octets of the line at the beginning, its end included.
fn line(octets: &[u8]) -> &[u8] {
    let end = octets.iter().position(|&b| b == b'\n');
    &octets[..end.map_or(octets.len(), |at| at + 1)]
}

/// Octets of a line of IMAP, with the literals in it.
fn imap(octets: &[u8]) -> usize {
    let first = line(octets);
    let text = String::from_utf8_lossy(first).trim_end().to_owned();
    let literal = text.strip_suffix('}').and_then(|t| t.rsplit_once('{'));
    match literal.and_then(|(_, n)| n.parse::<usize>().ok()) {
        Some(n) => first.len() + n + imap(&octets[first.len() + n..]),
        None => first.len(),
    }
}

/// Octets of a value of RESP.
fn resp(octets: &[u8]) -> usize {
    let first = line(octets);
    let number = || {
        let text = String::from_utf8_lossy(&first[1..]).trim_end().to_owned();
        text.parse::<i64>().unwrap_or(-1)
    };
    match octets[0] {
        b'$' if number() >= 0 => first.len() + usize::try_from(number()).expect("fits") + 2,
        b'*' if number() > 0 => (0..number()).fold(first.len(), |at, _| at + resp(&octets[at..])),
        _ => first.len(),
    }
}

/// Octets of a frame or a message of RTSP.
fn rtsp(octets: &[u8]) -> usize {
    if octets[0] == b'$' {
        return 4 + usize::from(u16::from_be_bytes([octets[2], octets[3]]));
    }
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
    let head = end.expect("an empty line") + 4;
    let text = String::from_utf8_lossy(&octets[..head]).to_lowercase();
    let len = text.split("content-length:").nth(1);
    let len = len.and_then(|len| len.lines().next()?.trim().parse::<usize>().ok());
    head + len.unwrap_or(0)
}

/// Octets of a command of SMTP with its chunk, or of a line of a reply. The mail behind DATA is a message of its own.
fn smtp(octets: &[u8]) -> usize {
    let first = line(octets);
    let text = String::from_utf8_lossy(first);
    let mut words = text.split_whitespace();
    match words.next() {
        Some("BDAT") => {
            let size = words.next().and_then(|size| size.parse::<usize>().ok());
            first.len() + size.expect("a size")
        }
        // The mail begins so.
        Some("From:") => {
            let end = octets.windows(5).position(|five| five == b"\r\n.\r\n");
            end.expect("its end") + 5
        }
        _ => first.len(),
    }
}

/// What is counted is what the grammar of the protocol says, read here without any of the program's own code.
#[test]
fn lines_and_values_are_as_many_as_the_grammar_says() {
    let each =
        |capture: &str, len: &dyn Fn(&[u8]) -> usize, counts: &dyn Fn(bool, &[u8]) -> bool| {
            let mut found = 0;
            for (name, octets) in streams(capture) {
                let to_server = name.split('-').next().is_some_and(|from| {
                    let port = from.rsplit('.').next().and_then(|p| p.parse::<u32>().ok());
                    port.is_some_and(|port| port > 10_000)
                });
                let mut rest = &octets[..];
                while !rest.is_empty() {
                    let (message, behind) = rest.split_at(len(rest));
                    found += u64::from(counts(to_server, message));
                    rest = behind;
                }
            }
            found
        };
    let of = |capture: &str, name: &str| count(&stats(capture, &[]), &format!("{name}.messages"));
    assert_eq!(of("imap", "imap"), each("imap", &imap, &|_, _| true));
    // An empty line in front of a command is of no protocol.
    let value = |_: bool, octets: &[u8]| octets != b"\r\n";
    assert_eq!(of("resp", "resp"), each("resp", &resp, &value));
    // Every line of the client; of the server, those that begin a reply: mails and lists have none of these words.
    let begins = |to_server: bool, octets: &[u8]| {
        to_server
            || [&b"+OK"[..], b"-ERR", b"+ "]
                .iter()
                .any(|w| octets.starts_with(w))
    };
    assert_eq!(of("pop", "pop"), each("pop", &|o| line(o).len(), &begins));
    assert_eq!(of("rtsp", "rtsp"), each("rtsp", &rtsp, &|_, _| true));
    // The last line of a reply has a space behind its code.
    let ends = |to_server: bool, octets: &[u8]| to_server || octets[3] == b' ';
    assert_eq!(of("smtp-made", "smtp"), each("smtp-made", &smtp, &ends));
}

/// tshark counts the packets of these: one of what is written is one message to it.
#[test]
fn each_message_of_lines_and_values_is_one_to_tshark() {
    for (protocol, capture) in [
        ("resp", "resp"),
        ("rtsp", "rtsp"),
        ("smtp", "smtp"),
        ("smtp", "smtp-made"),
        ("pop", "pop"),
        ("imap", "imap"),
        ("ftp", "ftp"),
    ] {
        let written = common::messages(&octets(capture));
        let seen = fields(protocol, &["frame.number"], &[], &written).len();
        let stats = stats(capture, &[]);
        let found = count(&stats, &format!("{protocol}.messages"));
        // It takes an empty line in front of a command for a command too.
        let empty = count(&stats, "data.messages");
        assert_eq!(found + empty, seen as u64, "{capture}");
    }
    // Where it counts replies, commands and mails itself, it counts as many.
    let of = |filter| fields(filter, &["frame.number"], &[], &octets("smtp")).len();
    let seen = of("smtp.rsp") + of("smtp.req") + of("imf");
    assert_eq!(count(&stats("smtp", &[]), "smtp.messages"), seen as u64);
}

/// A stream that was captured from the middle is presumed to be what its port stands for. Where that is wrong, another
/// protocol is found, after a bounded number of octets; those are written as what they are, octets of no known protocol.
#[test]
fn what_was_taken_for_another_protocol_is_detected_anew() {
    for (port, presumed) in [
        (25, "smtp"),
        (5432, "pgsql"),
        (6379, "resp"),
        (1883, "mqtt"),
    ] {
        let mut capture = Pcap::new();
        let mut seq = 1_000_000;
        let mut send = |octets: &[u8]| {
            let to = (SERVER.0, port);
            let packet = capture.segment(CLIENT, to, seq, 1, ACK | PSH, octets);
            capture.packet(&packet);
            seq += u32::try_from(octets.len()).expect("small");
        };
        // Of no protocol.
        for n in 0..220u32 {
            let octets: Vec<u8> = (0..1400u32)
                .map(|k| {
                    k.wrapping_mul(2_654_435_761)
                        .wrapping_add(n * 77)
                        .to_le_bytes()[2]
                        | 0x80
                })
                .collect();
            send(&octets);
        }
        for n in 0..20 {
            send(&get(&format!("/{n}")));
        }
        let mut command = inet_asm(["-n", "-s"]);
        let stats = common::feed(&mut command, &[&capture.file]).stderr;
        assert_eq!(count(&stats, "http.messages"), 20, "{presumed}: {stats}");
        assert_eq!(count(&stats, &format!("{presumed}.messages")), 0);
        // Nothing vanishes meanwhile: a port is a hint.
        assert_eq!(count(&stats, "message.unframed_octets"), 0, "{presumed}");
        assert_eq!(count(&stats, "data.octets"), 220 * 1400, "{presumed}");
    }
}

/// What a connection is handed over to is found: TLS behind STARTTLS and its like, CONNECT and 101; HTTP in a tunnel.
/// A certificate of 6,000 octets in two records, whose first one comes in several segments: how far its message goes is
/// known before the record is all there.
#[test]
fn a_handshake_message_over_records_in_several_segments_is_whole() {
    let record = |octets: &[u8]| {
        let len = u16::try_from(octets.len()).unwrap().to_be_bytes();
        [&[22, 3, 3], &len[..], octets].concat()
    };
    let handshake = |kind: u8, body: &[u8]| {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &len[1..], body].concat()
    };
    let random = [3u8; 34];
    let client = handshake(1, &[&random[..], &[0, 0, 2, 0x13, 1, 1, 0, 0, 0]].concat());
    let server = handshake(2, &[&random[..], &[0, 0x13, 1, 0, 0, 0]].concat());
    let certificate = handshake(11, &[0x5a; 6000]);
    let (first, second) = certificate.split_at(4096);
    let sent = [
        record(&server),
        record(first),
        record(second),
        record(&handshake(14, &[])),
    ];
    for size in [1, 100, 1460, 10_000] {
        let mut capture = Pcap::new();
        capture.open(99, 499);
        let hello = record(&client);
        let answered = 100 + u32::try_from(hello.len()).unwrap();
        capture.client(100, 500, ACK | PSH, &hello);
        let mut seq = 500;
        for part in sent.concat().chunks(size) {
            capture.server(seq, answered, ACK, part);
            seq += u32::try_from(part.len()).unwrap();
        }
        let done = common::run(["-p", "-d", "tcp.port==80,tls"], &capture.file);
        let lines = done.printed();
        let shown: Vec<_> = lines
            .lines()
            .filter_map(|l| l.split(" tls ").nth(1))
            .collect();
        assert_eq!(
            shown,
            [
                "52 ClientHello, TLS 1.2",
                "49 ServerHello, TLS 1.2",
                "6014 Certificate",
                "9 ServerHelloDone"
            ],
            "{size}: {lines}"
        );
    }
}

#[test]
fn connections_are_handed_over() {
    for (capture, before, messages) in [
        ("starttls-smtp", "smtp", 5),
        ("starttls-imap", "imap", 3),
        ("starttls-pop", "pop", 3),
        ("starttls-ftp", "ftp", 3),
        ("starttls-pgsql", "pgsql", 2),
        ("starttls-mysql", "mysql", 2),
        ("starttls-ldap", "ldap", 2),
        ("connect-tls", "http", 2),
        ("upgrade-tls", "http", 2),
        ("connect-http", "http", 8),
    ] {
        let stats = stats(capture, &[]);
        let (found, tls) = (
            count(&stats, &format!("{before}.messages")),
            count(&stats, "tls.messages"),
        );
        assert_eq!(found, messages, "{capture}");
        assert_eq!(count(&stats, "message.unframed_octets"), 0, "{capture}");
        let expected: usize = match capture {
            "connect-http" => 0,
            // tshark takes what follows a 101 to another protocol for data.
            "upgrade-tls" => 20,
            _ => {
                let rows = fields("tls", &["tls.record.length"], &[], &octets(capture));
                rows.iter()
                    .flatten()
                    .flat_map(|row| row.split(','))
                    .filter(|v| !v.is_empty())
                    .count()
            }
        };
        assert_eq!(tls, expected as u64, "{capture}");
        assert_eq!(
            count(&stats, "message.messages"),
            messages + tls,
            "{capture}"
        );
    }
}

/// The same where the request for TLS, or the answer to it, was lost: TLS is found by its first record.
#[test]
fn connections_are_handed_over_where_that_was_lost() {
    for (capture, gone) in [
        ("starttls-smtp", 9),
        ("starttls-smtp", 11),
        ("starttls-imap", 7),
        ("starttls-ldap", 3),
        ("starttls-pgsql", 5),
        ("starttls-mysql", 5),
    ] {
        let file = octets(capture);
        let mut damaged = file[..24].to_vec();
        let mut at = 24;
        for n in 0.. {
            let Some(len) = file.get(at + 8..at + 12) else {
                break;
            };
            let len = u32::from_le_bytes(len.try_into().expect("four octets"));
            let end = at + 16 + usize::try_from(len).expect("small");
            if n != gone {
                damaged.extend(&file[at..end]);
            } else {
                assert!(len > 54, "a segment with payload");
            }
            at = end;
        }
        let mut command = inet_asm(["-n", "-s"]);
        let stats = common::feed(&mut command, &[&damaged]).stderr;
        assert_eq!(
            count(&stats, "tls.messages"),
            20,
            "{capture} without {gone}"
        );
        assert_eq!(count(&stats, "tls.skipped"), 0, "{capture} without {gone}");
    }
}

#[test]
fn the_user_says_what_a_protocol_is() {
    let framer = "mine,tcp.port==9000,len@4:u32be+8,magic@0:0xCAFE";
    let stats = stats("framed", &["--framer", framer]);
    assert_eq!(count(&stats, "mine.messages"), 20);
    assert_eq!(count(&stats, "mine.skipped"), 0);
    // A rule takes a known protocol from its port, or gives it to another.
    let as_data = self::stats("mqtt", &["-d", "tcp.port==1883,data"]);
    assert_eq!(count(&as_data, "mqtt.messages"), 0);
    assert!(count(&as_data, "data.messages") > 0);
    let ranged = self::stats(
        "framed",
        &["--framer", framer, "-d", "tcp.port==8990-9000,data"],
    );
    assert_eq!(count(&ranged, "mine.messages"), 0);
    // The rule is for its own transport only.
    for (rule, radius) in [
        ("udp.port==1800-1900,data", 0),
        ("udp.port==1813,data", 6),
        ("tcp.port==1812,data", 6),
    ] {
        let stats = self::stats("radius", &["-d", rule]);
        assert_eq!(count(&stats, "radius.messages"), radius, "{rule}");
        assert_eq!(count(&stats, "data.messages"), 6 - radius, "{rule}");
    }
}

#[test]
fn only_the_chosen_protocols_are_written() {
    let path = testdata("protocols/mqtt.pcap");
    let lines = |options: &[&str]| {
        let mut command = inet_asm(options);
        command.arg("-p").arg(&path);
        common::feed(&mut command, &[]).text().lines().count()
    };
    let all = lines(&[]);
    assert!(all > 10);
    assert_eq!(lines(&["--protocols", "mqtt,http"]), all);
    assert_eq!(lines(&["--protocols", "http"]), 0);
    assert_eq!(
        lines(&["--unframed", "drop", "-d", "tcp.port==1883,data"]),
        0
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (options, words) in [
        (
            ["--framer", "mine,tcp.port==9000,len@4:u33be"],
            "character 27: expected u8",
        ),
        (
            ["-d", "tcp.port==9000;http"],
            "character 15: expected a comma",
        ),
        (
            ["-d", "tcp.port==10-5,http"],
            "character 14: expected a port from 10 on",
        ),
        (
            ["--framer", "mine,tcp.port==9000,until:0x0a,len@1:u8"],
            "character 32: expected one of len@ and until: only",
        ),
        (
            ["--framer", "mine,tcp.port==9000,len@4:u32be,magic@0:CAFE"],
            "character 41: expected 0x",
        ),
        (
            ["-d", "tcp.port==9000,nonsense"],
            "nonsense: no protocol of this name",
        ),
        (
            ["--protocols", "http,nonsense"],
            "nonsense: no protocol of this name",
        ),
    ] {
        let done = common::feed(&mut inet_asm(options), &[]);
        done.code(2);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
}

#[test]
fn the_table_lists_every_protocol() {
    let list = common::feed(&mut inet_asm(["--list-protocols"]), &[]).text();
    for case in CASES {
        assert!(
            list.lines()
                .any(|line| line.split_whitespace().next() == Some(case.protocol)),
            "{}",
            case.protocol
        );
    }
}

/// Streams of random octets on ports that hint at protocols, some with their start, some with losses. What is claimed is claimed
/// at the beginning of a stream or behind a loss, so there are many short ones: 5 MB in all (`scripts/random-streams.py` makes
/// as much as one likes).
#[test]
fn random_octets_are_no_protocol() {
    let mut state = 7u64;
    let mut random = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let ports = [
        80u16, 443, 5060, 554, 6379, 5432, 179, 445, 3868, 13400, 5672, 1883, 389, 3306, 30490,
        102, 502, 2404, 27017, 53, 25, 21, 110, 143, 47000,
    ];
    let mut file = Vec::new();
    for word in [0xA1B2_C3D4u32, 2 | 4 << 16, 0, 0, 262_144, 101] {
        file.extend(word.to_le_bytes());
    }
    let mut time = 1_700_000_000_000_000u64;
    let mut packet = |ports: [u16; 2], seq: u32, flags: u8, data: &[u8]| {
        time += 100;
        let len = 40 + u32::try_from(data.len()).expect("small");
        for word in [time / 1_000_000, time % 1_000_000, len.into(), len.into()] {
            file.extend(&word.to_le_bytes()[..4]);
        }
        file.extend([0x45, 0]);
        file.extend(u16::try_from(len).expect("small").to_be_bytes());
        file.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1]);
        for port in ports {
            file.extend(port.to_be_bytes());
        }
        file.extend(seq.to_be_bytes());
        file.extend([0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        file.extend(data);
    };
    for (n, port) in (0u16..).zip(ports.iter().cycle().take(1000)) {
        let ends = if n % 4 < 2 {
            [20_000 + n, *port]
        } else {
            [*port, 20_000 + n]
        };
        let base = 1_000_000;
        if n % 2 == 0 {
            packet(ends, base - 1, 2, &[]);
        }
        let mut seq = base;
        for _ in 0..if n < 100 { 30 } else { 4 } {
            let words: Vec<u8> = (0..1 + random() % 180)
                .flat_map(|_| random().to_le_bytes())
                .collect();
            if random() % 20 > 0 {
                packet(ends, seq, 0x18, &words);
            }
            seq += u32::try_from(words.len()).expect("small");
        }
    }
    let mut command = inet_asm(["-n", "-s=csv"]);
    let stats = common::feed(&mut command, &[&file]).stderr;
    let mut lines = stats.lines();
    let names = lines.next().unwrap_or_default().split(',');
    let values = lines.next().unwrap_or_default().split(',');
    let claimed: Vec<_> = names
        .zip(values)
        .filter(|(name, value)| {
            name.ends_with(".messages")
                && *value != "0"
                && !["message.messages", "data.messages"].contains(name)
        })
        .collect();
    // A line of two octets, or a length that fits by chance, is met once in a thousand short streams on a port that hints at it.
    let few: usize = claimed
        .iter()
        .map(|(_, value)| value.parse::<usize>().expect("a number"))
        .sum();
    assert!(few <= 1, "{claimed:?}");
    assert!(stats.contains("data.messages"));
}
