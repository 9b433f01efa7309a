//! What stands before a connection (PROXY, SOCKS, CONNECT): its messages, whom it names, and what follows it, found by content.

#![allow(clippy::unwrap_used)]

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, behind, get, response};
use crate::common::{self, run};
use serde_json::Value;

/// A connection in which both sides write in turn; what is None is not captured.
fn talk(port: u16, parts: &[(bool, &[u8], bool)]) -> Vec<u8> {
    let ends = [
        (std::net::Ipv4Addr::new(198, 51, 100, 7), 50000),
        (std::net::Ipv4Addr::new(203, 0, 113, 80), port),
    ];
    let mut capture = Pcap::new();
    let mut next = [1000_u32, 9000];
    let mut send = |capture: &mut Pcap, i: usize, flags: u8, data: &[u8], there: bool| {
        let packet = capture.segment(ends[i], ends[1 - i], next[i], next[1 - i], flags, data);
        if there {
            capture.packet(&packet);
        }
        let counts = u32::from(flags & 3 != 0);
        next[i] = behind(next[i], data).wrapping_add(counts);
    };
    send(&mut capture, 0, 2, b"", true);
    send(&mut capture, 1, 2 | ACK, b"", true);
    for (client, data, there) in parts {
        send(&mut capture, usize::from(!client), ACK | PSH, data, *there);
    }
    send(&mut capture, 0, FIN | ACK, b"", true);
    send(&mut capture, 1, FIN | ACK, b"", true);
    capture.file
}

/// What both sides write: the client, or the server.
type Parts<'a> = &'a [(bool, &'a [u8])];

/// Objects of a type.
fn objects(capture: &[u8], kind: &str) -> Vec<Value> {
    let lines = run(["-j"], capture).stdout;
    let lines = String::from_utf8(lines).unwrap();
    let all = common::objects(&lines);
    all.filter(|o| o["type"] == kind).collect()
}

/// Protocol and summary of all messages.
fn said(capture: &[u8]) -> Vec<String> {
    let all = objects(capture, "message").into_iter().map(|m| {
        assert_eq!(m["whole"], true, "{m}");
        let text = |name: &str| m[name].as_str().unwrap().to_owned();
        format!("{} {}", text("protocol"), text("summary"))
            .trim_end()
            .to_owned()
    });
    all.collect()
}

const CONNECT: &[u8] = b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n";
const AGAIN: &[u8] = b"CONNECT b.example:8080 HTTP/1.1\r\nHost: b.example\r\n\r\n";
const AGREED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
const SOCKS5: &[u8] = b"\x05\x01\x00\x03\x09c.example\x00\x50";
const GRANTED5: &[u8] = b"\x05\x00\x00\x01\0\0\0\0\0\0";

/// A client may send its request before it has heard that the tunnel is there, or that it is not.
#[test]
fn a_request_ahead_of_the_tunnel_is_answered_where_it_goes() {
    let (get, answer) = (get("/x"), response(b"hello"));
    let refused = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    let hello = b"\x16\x03\x01\0\x2d\x01\0\0\x29\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\0\x02\x13\x01\x01\0";
    let [first, second] = get.split_at(20).into();
    for (parts, exchanges, protocols) in [
        (
            &[
                (true, CONNECT),
                (true, &get),
                (false, AGREED),
                (false, &answer),
            ][..],
            &[
                "CONNECT HTTP/1.1 200 OK",
                "GET HTTP/1.1 200 OK (text/plain)",
            ][..],
            "http http http http",
        ),
        (
            &[
                (true, CONNECT),
                (true, first),
                (true, second),
                (false, AGREED),
                (false, &answer),
            ],
            &[
                "CONNECT HTTP/1.1 200 OK",
                "GET HTTP/1.1 200 OK (text/plain)",
            ],
            "http http http http",
        ),
        (
            &[
                (true, CONNECT),
                (true, &get),
                (false, refused),
                (false, &answer),
            ],
            &[
                "CONNECT HTTP/1.1 403 No",
                "GET HTTP/1.1 200 OK (text/plain)",
            ],
            "http http http http",
        ),
        (
            &[
                (true, CONNECT),
                (true, &hello[..]),
                (false, AGREED),
                (false, b"\x15\x03\x03\0\x02\x02\x28"),
            ],
            &["CONNECT HTTP/1.1 200 OK"],
            "http http tls tls",
        ),
        // It is never answered.
        (
            &[(true, CONNECT), (true, &get)],
            &["CONNECT null", "GET null"],
            "http http",
        ),
    ] {
        let parts: Vec<_> = parts
            .iter()
            .map(|(up, octets)| (*up, *octets, true))
            .collect();
        let capture = talk(3128, &parts);
        let told = objects(&capture, "exchange").into_iter().map(|e| {
            let word = e["request"].as_str().unwrap().split(' ').next().unwrap();
            format!("{word} {}", e["response"].as_str().unwrap_or("null"))
        });
        assert_eq!(told.collect::<Vec<_>>(), exchanges);
        let names = objects(&capture, "message")
            .into_iter()
            .map(|m| m["protocol"].as_str().unwrap().to_owned());
        assert_eq!(names.collect::<Vec<_>>().join(" "), protocols);
    }
}

#[test]
fn what_follows_a_prefix_or_a_tunnel_is_found_by_content() {
    let (get, answer) = (get("/x"), response(b"hello"));
    let at_once = [&b"\x05\x01\0"[..], SOCKS5, &get].concat();
    let asked = "http GET /x HTTP/1.1 (example)";
    let agreed = "http HTTP/1.1 200 OK";
    let answered = "http HTTP/1.1 200 OK (text/plain)";
    let v2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &[192, 0, 2, 1, 192, 0, 2, 2, 0x15, 0xb3, 0, 80],
    ]
    .concat();
    let cases: &[(Parts<'_>, &[&str])] = &[
        (
            &[(true, &v2), (true, &get), (false, &answer)],
            &[
                "proxy PROXY v2 TCP4 192.0.2.1 192.0.2.2 5555 80",
                asked,
                answered,
            ],
        ),
        (
            &[
                (true, CONNECT),
                (false, AGREED),
                (true, AGAIN),
                (false, AGREED),
                (true, &get),
                (false, &answer),
            ],
            &[
                "http CONNECT a.example:80 HTTP/1.1 (a.example)",
                agreed,
                "http CONNECT b.example:8080 HTTP/1.1 (b.example)",
                agreed,
                asked,
                answered,
            ],
        ),
        (
            &[
                (true, b"\x05\x02\0\x02"),
                (false, b"\x05\x02"),
                (true, b"\x01\x02me\x02pw"),
                (false, b"\x01\0"),
                (true, SOCKS5),
                (false, GRANTED5),
                (true, &get),
                (false, &answer),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 method 2",
                "socks SOCKS5 user",
                "socks SOCKS5 status 0",
                "socks SOCKS5 CONNECT c.example:80",
                "socks SOCKS5 reply 0.0.0.0:0",
                asked,
                answered,
            ],
        ),
        (
            &[
                (true, b"\x04\x01\0\x50\0\0\0\x01me\0d.example\0"),
                (false, b"\0\x5a\0\0\0\0\0\0"),
                (true, &get),
                (false, &answer),
            ],
            &[
                "socks SOCKS4 CONNECT d.example:80",
                "socks SOCKS4 status 90: granted",
                asked,
                answered,
            ],
        ),
        // Clients that wait for nothing: what they say stands in one segment.
        (
            &[
                (true, &at_once),
                (false, b"\x05\0"),
                (false, GRANTED5),
                (false, &answer),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 CONNECT c.example:80",
                "socks SOCKS5 method 0",
                "socks SOCKS5 reply 0.0.0.0:0",
                asked,
                answered,
            ],
        ),
        (
            &[
                (true, b"\x05\x02\0\x02\x01\x02me\x02pw"),
                (true, SOCKS5),
                (true, &get),
                (false, b"\x05\x02"),
                (false, b"\x01\0"),
                (false, GRANTED5),
                (false, &answer),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 user",
                "socks SOCKS5 CONNECT c.example:80",
                "socks SOCKS5 method 2",
                "socks SOCKS5 status 0",
                "socks SOCKS5 reply 0.0.0.0:0",
                asked,
                answered,
            ],
        ),
        (
            &[
                (true, b"\x05\x01\0"),
                (false, b"\x05\0"),
                (true, SOCKS5),
                (false, GRANTED5),
                (true, CONNECT),
                (false, AGREED),
                (true, &get),
                (false, &answer),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 method 0",
                "socks SOCKS5 CONNECT c.example:80",
                "socks SOCKS5 reply 0.0.0.0:0",
                "http CONNECT a.example:80 HTTP/1.1 (a.example)",
                agreed,
                asked,
                answered,
            ],
        ),
    ];
    for (parts, expected) in cases {
        let parts: Vec<_> = parts
            .iter()
            .map(|(client, data)| (*client, *data, true))
            .collect();
        for port in [1080, 12345] {
            assert_eq!(said(&talk(port, &parts)), *expected, "port {port}");
        }
    }
}

#[test]
fn whom_they_name_stands_beside_the_addresses() {
    let (get, answer) = (get("/x"), response(b"hello"));
    let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 5555 80\r\n";
    let capture = talk(
        9000,
        &[
            (true, line, true),
            (true, CONNECT, true),
            (false, AGREED, true),
            (true, &get, true),
            (false, &answer, true),
        ],
    );
    let connection = objects(&capture, "connection").remove(0);
    assert_eq!(connection["named"]["client"], "[2001:db8::1]:5555");
    assert_eq!(connection["named"]["server"], "a.example:80");
    let proxy = &objects(&capture, "message")[0]["proxy"];
    assert_eq!(
        (&proxy["src"], &proxy["dst_port"]),
        (&Value::from("2001:db8::1"), &Value::from(80))
    );
    let table = run(
        [
            "--table=connections",
            "--fields=client,server,named_client,named_server",
        ],
        &capture,
    )
    .stdout;
    let table = String::from_utf8(table).unwrap();
    let row: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(
        row,
        [
            "198.51.100.7:50000",
            "203.0.113.80:9000",
            "[2001:db8::1]:5555",
            "a.example:80"
        ]
    );
    // In lines it stands in front of what is said behind it, where there is room.
    let lines = run(["-p"], &capture).printed();
    let shown = |start: &str| lines.lines().any(|l| l.contains(start));
    let behind = "[[2001:db8::1]:5555→a.example:80] GET /x HTTP/1.1";
    assert!(shown(behind), "{lines}");
    assert!(
        shown("[[2001:db8::1]:5555→[2001:db8::2]:80] CONNECT a.example:80"),
        "{lines}"
    );
    assert_eq!(lines.matches('→').count(), 3 + 4, "{lines}");
    // Where nobody names anybody nothing is said.
    let plain = talk(80, &[(true, &get, true), (false, &answer, true)]);
    assert!(objects(&plain, "connection")[0].get("named").is_none());
}

/// A proxy is asked for another one; for connections that come in (BIND), which it answers twice; and for datagrams.
#[test]
fn socks_stands_in_socks_and_waits_for_others() {
    let (get, answer) = (get("/x"), response(b"hello"));
    let methods = b"\x05\x01\0";
    let bind = b"\x05\x02\0\x01\xc0\0\x02\x05\x00\x14";
    let bound = b"\x05\0\0\x01\xcb\0\x71\x50\x9c\x40";
    let came = b"\x05\0\0\x01\xc0\0\x02\x05\x00\x14";
    let refused = b"\x05\x01\0\x01\0\0\0\0\0\0";
    let associate = b"\x05\x03\0\x01\0\0\0\0\0\0";
    let cases: &[(Parts<'_>, &[&str])] = &[
        (
            &[
                (true, methods),
                (false, b"\x05\0"),
                (true, SOCKS5),
                (false, GRANTED5),
                (true, methods),
                (false, b"\x05\0"),
                (true, b"\x05\x01\0\x01\xc0\0\x02\x07\x1f\x90"),
                (false, GRANTED5),
                (true, b"\x04\x01\x00\x50\xc0\0\x02\x09me\0"),
                (false, b"\0\x5a\0\0\0\0\0\0"),
                (true, &get),
                (false, &answer),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 method 0",
                "socks SOCKS5 CONNECT c.example:80",
                "socks SOCKS5 reply 0.0.0.0:0",
                "socks SOCKS5 methods",
                "socks SOCKS5 method 0",
                "socks SOCKS5 CONNECT 192.0.2.7:8080",
                "socks SOCKS5 reply 0.0.0.0:0",
                "socks SOCKS4 CONNECT 192.0.2.9:80",
                "socks SOCKS4 status 90: granted",
                "http GET /x HTTP/1.1 (example)",
                "http HTTP/1.1 200 OK (text/plain)",
            ],
        ),
        (
            &[
                (true, methods),
                (false, b"\x05\0"),
                (true, bind),
                (false, bound),
                (false, came),
                (false, &get),
                (true, &answer),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 method 0",
                "socks SOCKS5 BIND 192.0.2.5:20",
                "socks SOCKS5 reply 203.0.113.80:40000",
                "socks SOCKS5 reply 192.0.2.5:20",
                "http GET /x HTTP/1.1 (example)",
                "http HTTP/1.1 200 OK (text/plain)",
            ],
        ),
        (
            &[
                (true, methods),
                (false, b"\x05\0"),
                (true, bind),
                (false, bound),
                (false, refused),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 method 0",
                "socks SOCKS5 BIND 192.0.2.5:20",
                "socks SOCKS5 reply 203.0.113.80:40000",
                "socks SOCKS5 refused, status 1: general failure",
            ],
        ),
        (
            &[
                (true, methods),
                (false, b"\x05\0"),
                (true, associate),
                (false, bound),
            ],
            &[
                "socks SOCKS5 methods",
                "socks SOCKS5 method 0",
                "socks SOCKS5 UDP ASSOCIATE 0.0.0.0:0",
                "socks SOCKS5 reply 203.0.113.80:40000",
            ],
        ),
    ];
    for (parts, expected) in cases {
        let parts: Vec<_> = parts.iter().map(|(c, data)| (*c, *data, true)).collect();
        let capture = talk(1080, &parts);
        assert_eq!(said(&capture), *expected);
        // A refusal names nobody.
        let connection = objects(&capture, "connection").remove(0);
        assert_ne!(connection["named"]["server"], "0.0.0.0:0");
    }
}

/// The consent is lost: what follows is found all the same.
#[test]
fn what_follows_a_handshake_with_a_hole_is_found() {
    let (get, answer) = (get("/x"), response(b"hello"));
    let capture = talk(
        1080,
        &[
            (true, b"\x05\x01\0", true),
            (false, b"\x05\0", true),
            (true, SOCKS5, true),
            (false, GRANTED5, false),
            (true, &get, true),
            (false, &answer, true),
        ],
    );
    let all = objects(&capture, "message");
    let http = all
        .iter()
        .filter(|m| m["protocol"] == "http" && m["whole"] == true);
    assert_eq!(http.count(), 2, "{all:?}");
}

/// What begins like a list of methods and is none stays what it is.
#[test]
fn other_octets_are_no_socks() {
    for first in [
        &b"\x05\x00\x0b\x03\x10\0\0\0"[..],
        b"\x05\x01\x00hello",
        b"\x04\x01\0\0\x05\0\0\0\0",
    ] {
        let all = objects(
            &talk(12345, &[(true, first, true), (false, b"other", true)]),
            "message",
        );
        assert!(all.iter().all(|m| m["protocol"] != "socks"), "{all:?}");
    }
}

/// Protocols of lines, found without their ports where they begin with what nobody else says, else by these; answers find requests.
#[test]
fn lines_of_brokers_caches_and_chats_are_messages() {
    let cases: &[(u16, Parts<'_>, &[&str])] = &[
        (
            11211,
            &[
                (true, b"set k 0 0 5\r\nhello\r\nget k j\r\n"),
                (false, b"STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n"),
                (true, b"incr n 2\r\n"),
                (false, b"17\r\n"),
            ],
            &[
                "memcache set k 0 0 5",
                "memcache get k j",
                "memcache STORED",
                "memcache VALUE k 0 5",
                "memcache END",
                "memcache incr n 2",
                "memcache 17",
            ],
        ),
        (
            40222,
            &[
                (false, b"INFO {\"server_id\":\"x\"}\r\n"),
                (
                    true,
                    b"CONNECT {\"verbose\":false}\r\nPUB a.b 5\r\nhello\r\nPING\r\n",
                ),
                (false, b"PONG\r\nMSG a.b 1 5\r\nhello\r\n"),
            ],
            &[
                "nats INFO {\"server_id\":\"x\"}",
                "nats CONNECT {\"verbose\":false}",
                "nats PUB a.b 5",
                "nats PING",
                "nats PONG",
                "nats MSG a.b 1 5",
            ],
        ),
        (
            40613,
            &[
                (true, b"CONNECT\naccept-version:1.2\n\n\0"),
                (false, b"CONNECTED\nversion:1.2\n\n\0\n"),
                (true, b"SEND\ndestination:/q\ncontent-length:3\n\na\0b\0"),
            ],
            &[
                "stomp CONNECT",
                "stomp CONNECTED",
                "stomp heart-beat",
                "stomp SEND /q",
            ],
        ),
        (
            46667,
            &[
                (true, b"NICK me\r\nUSER me 0 * :Me\r\n"),
                (false, b":s.example 001 me :Welcome\r\n"),
                (true, b"PRIVMSG #c :hello\r\n"),
            ],
            &[
                "irc NICK me",
                "irc USER me 0 * :Me",
                "irc :s.example 001 me :Welcome",
                "irc PRIVMSG #c :hello",
            ],
        ),
        (
            45222,
            &[
                (true, b"<?xml version='1.0'?><stream:stream to='a.example' version='1.0'>"),
                (false, b"<stream:stream from='a.example'><stream:features/>"),
                (true, b"<iq type='get' id='1'><ping a='>'/></iq> <message to='b'><body>x</body></message>"),
                (false, b"<iq type='result' id='1'/></stream:stream>"),
            ],
            &[
                "xmpp stream:stream a.example", "xmpp stream:stream", "xmpp stream:features", "xmpp iq get", "xmpp", "xmpp message b",
                "xmpp iq result", "xmpp /stream:stream",
            ],
        ),
        (
            2222,
            &[
                (true, b"SSH-2.0-a\r\n"),
                (false, b"SSH-2.0-b\r\n"),
                (
                    true,
                    &[&b"\0\0\0\x0c\x0a\x15"[..], &[0; 10], &[0x91; 40]].concat(),
                ),
                (false, &[0x17; 60]),
            ],
            &[
                "ssh SSH-2.0-a",
                "ssh SSH-2.0-b",
                "ssh NEWKEYS",
                "ssh encrypted",
                "ssh encrypted",
            ],
        ),
    ];
    for (port, parts, expected) in cases {
        let parts: Vec<_> = parts
            .iter()
            .map(|(client, data)| (*client, *data, true))
            .collect();
        let capture = talk(*port, &parts);
        assert_eq!(said(&capture), *expected, "port {port}");
        if *port == 11211 {
            let pairs: Vec<String> = objects(&capture, "exchange")
                .iter()
                .map(|e| format!("{} {}", e["request"], e["response"]))
                .collect();
            assert_eq!(pairs.len(), 3, "{pairs:?}");
            assert!(
                pairs[2].contains("incr n 2") && pairs[2].contains("17"),
                "{pairs:?}"
            );
        }
    }
}

/// What a proxy of SOCKS passes on as datagrams is known by what stands in it, with whom it is for, and is paired as it is.
#[test]
fn datagrams_through_a_proxy_are_told() {
    let query = |id: u8, flags: u8| {
        let head = [0, id, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        [&head[..], b"\x01a\x07example\0\0\x01\0\x01"].concat()
    };
    let to = |address: &[u8], inside: &[u8]| [&[0, 0, 0][..], address, inside].concat();
    let resolver = b"\x01\xc0\0\x02\x35\0\x35";
    let (proxy, other) = ((SERVER.0, 40_000), (SERVER.0, 40_001));
    let mut capture = Pcap::new();
    capture
        .datagram(CLIENT, proxy, &to(resolver, &query(7, 1)))
        .wait(3)
        .datagram(proxy, CLIENT, &to(resolver, &query(7, 0x81)))
        .datagram(CLIENT, proxy, &to(b"\x03\x09b.example\0\x35", &query(8, 1)))
        // Nothing is known of what stands in it, or nothing of the kind is there, or one in another.
        .datagram(CLIENT, other, &to(b"\x01\xc0\0\x02\x35\x27\x0f", b"?"))
        .datagram(
            CLIENT,
            other,
            &to(b"\x02\xc0\0\x02\x35\0\x35", &query(9, 1)),
        )
        .datagram(CLIENT, other, &to(resolver, &to(resolver, &query(9, 1))));
    let done = run(
        ["-q", "--table", "--fields", "protocol,kind,summary,delay"],
        &capture.file,
    );
    let text = done.text();
    let rows: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(
        rows[..3],
        [
            "socks\trequest\tSOCKS5 datagram 192.0.2.53:53: dns query 0x0007 a.example A\t",
            "socks\tresponse\tSOCKS5 datagram 192.0.2.53:53: dns answer 0x0007 a.example A, 0 records\t0.004000",
            "socks\trequest\tSOCKS5 datagram b.example:53: dns query 0x0008 a.example A\t",
        ]
    );
    assert!(
        rows.len() == 6 && rows[3..].iter().all(|row| row.starts_with("data\t")),
        "{rows:?}"
    );
    let json = run(["-q", "-j"], &capture.file).text();
    assert!(
        json.contains(r#""socks":{"destination":"b.example:53"}"#),
        "{json}"
    );
}
