//! Every link layer and tunnel: captures of the same packets, which give the same messages (testdata/links, made by
//! scripts/make-links).

use crate::common::build::{self, ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN};
use crate::common::{self, Done, feed, fields, find_counter, inet_asm, pcap, read, run, testdata};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// A capture of testdata/links.
struct Link {
    name: &'static str,
    /// What `--decapsulate` has to open, one or several.
    tunnels: &'static str,
    /// The protocols that tshark finds in front of the packets; None where it does not know the link type.
    layers: Option<&'static str>,
}

const fn link(name: &'static str, layers: &'static str) -> Link {
    Link {
        name,
        tunnels: "",
        layers: Some(layers),
    }
}

const fn unknown_to_tshark(name: &'static str) -> Link {
    Link {
        layers: None,
        ..link(name, "")
    }
}

const fn tunnel(name: &'static str, tunnels: &'static str, layers: &'static str) -> Link {
    Link {
        tunnels,
        ..link(name, layers)
    }
}

const LINKS: &[Link] = &[
    link("plain", "eth:ethertype"),
    link("plain-v4", "eth:ethertype"),
    link("plain-v6", "eth:ethertype"),
    link("padded", "eth:ethertype"),
    link("fcs", "eth:ethertype"),
    link("snap", "eth:llc"),
    link("vlan", "eth:ethertype:vlan:ethertype"),
    link("qinq", "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype"),
    link(
        "tags-three",
        "eth:ethertype:vlan:ethertype:vlan:ethertype:vlan:ethertype",
    ),
    link("vlan-snap", "eth:ethertype:vlan:llc"),
    link("mpls", "eth:ethertype:mpls"),
    link(
        "mpls-pseudowire",
        "eth:ethertype:mpls:pwethheuristic:pwethnocw:eth:ethertype",
    ),
    link(
        "mpls-control-word",
        "eth:ethertype:mpls:pwethheuristic:pwethcw:eth:ethertype",
    ),
    unknown_to_tshark("mpls-link"),
    link("pbb", "eth:ethertype:ieee8021ah:ethertype"),
    link("pppoe", "eth:ethertype:pppoes:ppp"),
    link("pppoe-vlan", "eth:ethertype:vlan:ethertype:pppoes:ppp"),
    link("pppoe-link", "pppoes:ppp"),
    link("ppp", "ppp"),
    link("ppp-no-address", "ppp"),
    link("ppp-compressed", "ppp"),
    link("ppp-hdlc", "ppp"),
    link("ppp-serial-cisco", "ppp:chdlc"),
    unknown_to_tshark("ppp-pppd"),
    link("ppp-direction", "ppp"),
    link("cisco-hdlc", "chdlc"),
    link("frame-relay", "fr"),
    link("atm", "llc"),
    link("wifi", "wlan:llc"),
    link("wifi-qos", "wlan:llc"),
    link("wifi-four", "wlan:llc"),
    link("wifi-four-qos-ht", "wlan:llc"),
    link("wifi-amsdu", "wlan:llc"),
    link("pflog", "pflog"),
    link("enc", "enc"),
    link("cisco-metadata", "eth:ethertype:cmd:ethertype"),
    link("nsh", "eth:ethertype:nsh"),
    link("nsh-ethernet", "eth:ethertype:nsh:eth:ethertype"),
    link("wifi-radiotap", "radiotap:wlan_radio:wlan:llc"),
    link("wifi-radiotap-qos-padded", "radiotap:wlan_radio:wlan:llc"),
    link("wifi-ppi", "ppi:wlan_radio:wlan:llc"),
    link("wifi-prism", "prism:wlan_radio:wlan:llc"),
    link("wifi-avs", "wlancap:wlan_radio:wlan:llc"),
    link("fddi", "fddi:llc"),
    link("token-ring", "tr:llc"),
    link("token-ring-routed", "tr:llc"),
    link("cooked", "sll:ethertype"),
    link("cooked-vlan", "sll:ethertype:vlan:ethertype"),
    link("cooked2", "sll:ethertype"),
    link("null", "null"),
    link("null-big-endian", "null"),
    link("loop", "null"),
    link("raw-12", "raw"),
    link("raw-14", "raw"),
    link("raw-101", "raw"),
    link("raw-228-v4", ""),
    link("raw-229-v6", ""),
    link("pdu-ip", "exported_pdu"),
    link("pdu-transport", "exported_pdu"),
    link("nflog", "nflog"),
    link("pktap", "pktap:pcap_pktdata:eth:ethertype"),
    link("infiniband", "ipoib"),
    link("erf", "erf:eth:ethertype"),
    tunnel("ipv4-tunnel", "ipip", "eth:ethertype:ip"),
    tunnel("ipv6-tunnel", "ipip", "eth:ethertype:ipv6"),
    tunnel("gre", "gre", "eth:ethertype:ip:gre"),
    tunnel("gre-key-sequence-checksum", "gre", "eth:ethertype:ip:gre"),
    tunnel("gre-bridged", "gre", "eth:ethertype:ip:gre:eth:ethertype"),
    tunnel("gre-mpls", "gre", "eth:ethertype:ip:gre:mpls"),
    tunnel("gre-pptp", "gre", "eth:ethertype:ip:gre:ppp"),
    tunnel("gre-ipv6", "gre", "eth:ethertype:ipv6:gre"),
    tunnel(
        "erspan-1",
        "erspan",
        "eth:ethertype:ip:gre:erspan:eth:ethertype",
    ),
    tunnel(
        "erspan-2",
        "erspan",
        "eth:ethertype:ip:gre:erspan:eth:ethertype:vlan:ethertype",
    ),
    tunnel(
        "erspan-3",
        "erspan",
        "eth:ethertype:ip:gre:erspan:eth:ethertype",
    ),
    tunnel(
        "erspan-3-subheader",
        "erspan",
        "eth:ethertype:ip:gre:erspan:eth:ethertype",
    ),
    tunnel("vxlan", "vxlan", "eth:ethertype:ip:udp:vxlan:eth:ethertype"),
    tunnel(
        "vxlan-vlan",
        "vxlan",
        "eth:ethertype:ip:udp:vxlan:eth:ethertype:vlan:ethertype",
    ),
    tunnel("vxlan-gpe", "vxlan", "eth:ethertype:ip:udp"),
    tunnel("vxlan-gpe-nsh", "vxlan", "eth:ethertype:ip:udp:nsh"),
    tunnel(
        "geneve",
        "geneve",
        "eth:ethertype:ip:udp:geneve:eth:ethertype",
    ),
    tunnel(
        "geneve-options",
        "geneve",
        "eth:ethertype:ip:udp:geneve:eth:ethertype",
    ),
    tunnel("geneve-ip", "geneve", "eth:ethertype:ip:udp:geneve"),
    tunnel("gtp", "gtp", "eth:ethertype:ip:udp:gtp"),
    tunnel("gtp-extensions", "gtp", "eth:ethertype:ip:udp:gtp"),
    tunnel("teredo-v6", "teredo", "eth:ethertype:ip:udp:teredo"),
    tunnel("teredo-headers-v6", "teredo", "eth:ethertype:ip:udp:teredo"),
    tunnel("l2tp", "l2tp", "eth:ethertype:ip:udp:l2tp:ppp"),
    tunnel(
        "l2tp-sequence-offset",
        "l2tp",
        "eth:ethertype:ip:udp:l2tp:ppp",
    ),
    tunnel("l2tp-bare", "l2tp", "eth:ethertype:ip:udp:l2tp:ppp"),
    // What the session carries is said in control messages, so tshark stops there.
    tunnel("l2tp3-udp", "l2tp", "eth:ethertype:ip:udp:l2tp"),
    tunnel("l2tp3-ip", "l2tp", "eth:ethertype:ip:l2tp"),
    tunnel(
        "nested-8",
        "all",
        "eth:ethertype:ip:udp:l2tp:ppp:ip:gre:eth:ethertype:ip:udp:gtp:ip:udp:geneve:ipv6:ip:udp:vxlan:\
         eth:ethertype:ip:gre:ip",
    ),
    tunnel(
        "fragments-outside-v4",
        "vxlan",
        "eth:ethertype:ip:udp:vxlan:eth:ethertype",
    ),
    tunnel(
        "fragments-inside-v4",
        "vxlan",
        "eth:ethertype:ip:udp:vxlan:eth:ethertype",
    ),
    tunnel(
        "fragments-both-v4",
        "vxlan",
        "eth:ethertype:ip:udp:vxlan:eth:ethertype",
    ),
];

impl Link {
    fn path(&self) -> PathBuf {
        testdata("links").join(self.name).with_extension("pcap")
    }

    /// The capture of what it carries on plain Ethernet.
    fn plain_name(&self) -> &'static str {
        match self.name {
            n if n.ends_with("-v4") => "plain-v4",
            n if n.ends_with("-v6") => "plain-v6",
            _ => "plain",
        }
    }
}

fn octets(name: &str) -> Vec<u8> {
    read(&testdata("links").join(name).with_extension("pcap"))
}

/// Messages as raw IP, whatever the link layer was.
fn raw(tunnels: &str, input: &[u8]) -> Done {
    let mut args = vec!["--encap", "raw", "-s"];
    if !tunnels.is_empty() {
        args.extend(["--decapsulate", tunnels]);
    }
    run(args, input)
}

/// A counter, where sections without a packet are left out.
fn counter(stats: &str, name: &str) -> u64 {
    find_counter(stats, name).unwrap_or(0)
}

#[test]
fn the_table_is_complete() {
    let listed: BTreeSet<_> = LINKS.iter().map(|l| format!("{}.pcap", l.name)).collect();
    // These have tests of their own.
    let others = [
        "mixed.pcapng",
        "nested-9.pcap",
        "recorded-inside.pcap",
        "recorded-vxlan.pcap",
        "vxlan-two-networks.pcap",
        "wifi-amsdu-several.pcap",
    ];
    let there: BTreeSet<_> = common::files(&testdata("links"))
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !others.contains(&name.as_str()))
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn each_gives_the_messages_of_plain_ethernet() {
    let plain = raw("", &octets("plain"));
    assert_eq!(
        [
            counter(&plain.stderr, "http.messages"),
            counter(&plain.stderr, "dns.messages")
        ],
        [4, 4]
    );
    for link in LINKS {
        let capture = read(&link.path());
        let expected = raw("", &octets(link.plain_name())).ok();
        for tunnels in [link.tunnels, "all"] {
            let found = raw(tunnels, &capture);
            assert!(
                found.stdout == expected,
                "{}: other messages; {}",
                link.name,
                found.stderr
            );
            assert_eq!(
                counter(&found.stderr, "link.passed"),
                counter(&found.stderr, "link.packets"),
                "{}",
                link.name
            );
        }
        if !link.tunnels.is_empty() {
            let closed = raw("", &capture);
            assert!(closed.stdout != expected, "{}: opened unasked", link.name);
            assert_eq!(counter(&closed.stderr, "tunnel.packets"), 0);
        }
        // Each octet may come alone.
        let parts: Vec<&[u8]> = capture.chunks(1).collect();
        let args = ["--encap", "raw", "--decapsulate", "all"];
        let found = feed(&mut inet_asm(args), &parts).ok();
        assert!(found == expected, "{}: octet by octet", link.name);
    }
}

/// tshark finds the same packets in each, behind the protocols that it is made for: the captures are right.
#[test]
fn tshark_finds_in_each_what_is_meant() {
    let known: Vec<_> = LINKS.iter().filter(|l| l.layers.is_some()).collect();
    // One run for all, one file behind the other.
    let mut merge = Command::new("mergecap");
    merge.args(["-a", "-F", "pcapng", "-I", "none", "-w", "-"]);
    merge.args(known.iter().map(|l| l.path()));
    let merged = feed(&mut merge, &[]).ok();
    let names = ["frame.protocols", "tcp.payload", "udp.payload", "data.data"];
    let mut rows = fields("frame", &names, &[], &merged).into_iter();
    let mut found = Vec::new();
    for link in &known {
        let mut packets = Vec::new();
        for row in rows.by_ref().take(pcap(&read(&link.path())).1.len()) {
            let [layers, tcp, udp, data] = <[String; 4]>::try_from(row).expect("four fields");
            let last = |values: &str| values.rsplit(',').next().unwrap_or_default().to_owned();
            let payload = match &layers {
                // A fragment: what it is part of is shown with the last one.
                l if l.ends_with("ip:data") => continue,
                l if l.ends_with(":data") => last(&data),
                l if l.contains(":tcp") => last(&tcp),
                _ => last(&udp),
            };
            packets.push((layers, payload));
        }
        found.push(packets);
    }
    for (link, packets) in known.iter().zip(&found) {
        let plain = known.iter().position(|l| l.name == link.plain_name());
        let plain = &found[plain.expect("plain captures are in the table")];
        assert_eq!(packets.len(), plain.len(), "{}", link.name);
        let begin = link.layers.unwrap_or_default();
        for ((layers, payload), (_, expected)) in packets.iter().zip(plain) {
            let behind = layers
                .strip_prefix(begin)
                .unwrap_or_else(|| panic!("{}: {layers}", link.name))
                .trim_start_matches(':')
                .split(':')
                .next();
            assert!(
                matches!(behind, Some("ip" | "ipv6" | "tcp" | "udp" | "data")),
                "{}: {layers}",
                link.name
            );
            assert!(payload.ends_with(expected), "{}: {layers}", link.name);
        }
    }
}

#[test]
fn interfaces_of_different_link_types_are_one_capture() {
    let done = raw("", &read(&testdata("links").join("mixed.pcapng")));
    let (expected, found) = (raw("", &octets("plain")).ok(), done.ok());
    let messages = |file| -> Vec<_> {
        let records = pcap(file).1;
        records.iter().map(|r| (r.time, r.data.to_vec())).collect()
    };
    assert_eq!(messages(&found), messages(&expected));
}

/// Traffic of a real tunnel, recorded outside and inside of it at once.
#[test]
fn a_recorded_tunnel_gives_what_was_recorded_inside() {
    let http = |tunnels, name| -> Vec<_> {
        let found = raw(tunnels, &octets(name)).ok();
        let records = pcap(&found).1;
        // The tunnel carries ARP and neighbour discovery too, which are datagrams of it.
        let tcp = records.iter().filter(|r| r.data[9] == 6);
        tcp.map(|r| r.data.to_vec()).collect()
    };
    let inside = http("", "recorded-inside");
    assert_eq!(inside.len(), 6);
    assert_eq!(http("vxlan", "recorded-vxlan"), inside);
    assert!(http("", "recorded-vxlan").is_empty());
}

#[test]
fn the_ninth_tunnel_stays_closed() {
    let done = raw("all", &octets("nested-9"));
    assert_eq!(counter(&done.stderr, "tunnel.too_deep"), 24);
    assert_eq!(counter(&done.stderr, "tunnel.passed"), 8 * 24);
    assert_eq!(counter(&done.stderr, "message.messages"), 0);
    done.ok();
}

/// Messages as raw IP packets without their times, and the counters.
fn merged(how: &str, input: &[u8]) -> (Vec<Vec<u8>>, String) {
    let done = run(
        [
            "--encap",
            "raw",
            "-s",
            "--decapsulate",
            "all",
            "--vlan",
            how,
        ],
        input,
    );
    let records = pcap(&done.stdout).1;
    let messages = records.iter().map(|r| r.data.to_vec()).collect();
    (messages, done.stderr)
}

/// Every packet twice, once in each of two networks, is copies; with `separate` it is two of each connection.
#[test]
fn copies_in_two_networks_are_one_connection() {
    let twice = octets("vxlan-two-networks");
    let plain = merged("merge", &octets("plain")).0;
    for (how, connections, messages) in [("merge", 2, 4), ("first", 2, 4), ("separate", 4, 8)] {
        let (found, stats) = merged(how, &twice);
        assert_eq!(counter(&stats, "tcp.connections"), connections, "{how}");
        assert_eq!(counter(&stats, "http.messages"), messages, "{how}");
        assert_eq!(counter(&stats, "dns.messages"), messages, "{how}");
        if how != "separate" {
            assert!(found == plain, "{how}");
        }
    }
}

/// Octets of a datagram in front of what it carries.
fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("fits");
    let ports = [port, port, len, 0];
    let mut all: Vec<u8> = ports.iter().flat_map(|n| n.to_be_bytes()).collect();
    all.extend(payload);
    all
}

/// An Ethernet frame in a tunnel between the same two ends, which calls itself `id`.
fn around(file: &mut Pcap, tunnel: &str, id: u16, frame: &[u8]) -> Vec<u8> {
    let ip = &frame[14..];
    let [hi, lo] = id.to_be_bytes();
    let [l0, l1] = u16::try_from(ip.len()).expect("fits").to_be_bytes();
    let (protocol, octets) = match tunnel {
        "vxlan" => (
            17,
            udp(4789, &[&[8, 0, 0, 0, 0, hi, lo, 0], frame].concat()),
        ),
        "geneve" => (
            17,
            udp(6081, &[&[0, 0, 0x65, 0x58, 0, hi, lo, 0], frame].concat()),
        ),
        "gtp" => (
            17,
            udp(2152, &[&[0x30, 0xff, l0, l1, 0, 0, hi, lo], ip].concat()),
        ),
        "l2tp" => (
            17,
            udp(
                1701,
                &[&[0, 2, 0, 1, hi, lo, 0xff, 3, 0, 0x21], ip].concat(),
            ),
        ),
        "gre" => (47, [&[0x20, 0, 8, 0, 0, 0, hi, lo], ip].concat()),
        "erspan" => (
            47,
            [
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, hi, lo, 0, 0, 0, 0],
                frame,
            ]
            .concat(),
        ),
        _ => panic!("{tunnel}"),
    };
    let ends = [[192, 0, 2, 1], [192, 0, 2, 2]].map(Into::into);
    file.ip(ends[0], ends[1], protocol, &octets)
}

const TUNNELS: [&str; 6] = ["vxlan", "geneve", "gtp", "l2tp", "gre", "erspan"];

/// A request and its response: the segments, and whether the client sent them.
fn exchange(file: &mut Pcap, client: u32, server: u32) -> Vec<(bool, Vec<u8>)> {
    let (request, response) = (build::get("/x"), build::response(b"body"));
    let (c, s) = (client + 1, server + 1);
    let (c2, s2) = (build::behind(c, &request), build::behind(s, &response));
    [
        (true, client, 0, SYN, &[][..]),
        (false, server, c, SYN | ACK, &[]),
        (true, c, s, PSH | ACK, &request),
        (false, s, c2, PSH | ACK, &response),
        (true, c2, s2, FIN | ACK, &[]),
        (false, s2, c2 + 1, FIN | ACK, &[]),
    ]
    .map(|(up, seq, ack, flags, payload)| {
        let (from, to) = if up {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        (up, file.segment(from, to, seq, ack, flags, payload))
    })
    .into()
}

/// A mirror gives each direction an identifier of its own, or each end of the path.
#[test]
fn identifiers_of_tunnels_are_channels() {
    for tunnel in TUNNELS {
        let (mut directions, mut copies) = (Pcap::new(), Pcap::new());
        for (up, frame) in exchange(&mut Pcap::new(), 1000, 5000) {
            let id = if up { 77 } else { 78 };
            let one = around(&mut directions, tunnel, id, &frame);
            directions.packet(&one);
            for id in [77, 78] {
                let one = around(&mut copies, tunnel, id, &frame);
                copies.packet(&one);
            }
        }
        for (how, connections) in [("merge", 1), ("first", 1), ("separate", 2)] {
            let (_, stats) = merged(how, &directions.file);
            let at = format!("{tunnel} {how}");
            assert_eq!(counter(&stats, "tcp.connections"), connections, "{at}");
            assert_eq!(counter(&stats, "http.messages"), 2, "{at}");
            let (_, stats) = merged(how, &copies.file);
            assert_eq!(counter(&stats, "tcp.connections"), connections, "{at}");
            assert_eq!(counter(&stats, "http.messages"), 2 * connections, "{at}");
        }
    }
}

/// Customers who use the same addresses and ports: numbers that do not fit each other.
#[test]
fn tunnels_that_do_not_fit_stay_apart() {
    for tunnel in TUNNELS {
        let mut file = Pcap::new();
        let one = exchange(&mut Pcap::new(), 1000, 5000);
        let two = exchange(&mut Pcap::new(), 900_000_000, 2_000_000_000);
        for pair in one.into_iter().zip(two) {
            for (id, frame) in [(1, pair.0.1), (2, pair.1.1)] {
                let packet = around(&mut file, tunnel, id, &frame);
                file.packet(&packet);
            }
        }
        for how in ["merge", "first", "separate"] {
            let (_, stats) = merged(how, &file.file);
            let counter = |name| counter(&stats, name);
            assert_eq!(counter("tcp.connections"), 2, "{tunnel} {how}");
            assert_eq!(counter("http.messages"), 4, "{tunnel} {how}");
            assert_eq!(counter("tcp.duplicate_octets"), 0, "{tunnel} {how}");
        }
    }
}

/// The same of UDP, SCTP and fragments.
#[test]
fn copies_in_tunnels_of_other_transports() {
    for name in ["dns-udp", "fragments-udp", "sctp-m3ua", "sctp-streams"] {
        let plain = read(&testdata(&format!("{name}.pcap")));
        let mut twice = Pcap::new();
        for record in pcap(&plain).1 {
            for id in [1, 2] {
                let packet = around(&mut twice, "vxlan", id, record.data);
                twice.packet(&packet);
            }
        }
        let expected = merged("merge", &plain).0;
        for how in ["merge", "first"] {
            assert!(merged(how, &twice.file).0 == expected, "{name} {how}");
        }
        let (found, _) = merged("separate", &twice.file);
        assert_eq!(found.len(), 2 * expected.len(), "{name}");
    }
}

/// Fragments on several channels carry the tag that was seen first, whichever of them are lost.
#[test]
fn fragments_carry_the_first_tag() {
    let mut file = Pcap::new();
    let message = udp(5353, &[b'm'; 40]);
    let tagged = |file: &mut Pcap, vlan: u8, from: usize, to: usize, more: u8| {
        let mut packet = file.ip(CLIENT.0, SERVER.0, 17, &message[from..to]);
        packet[18..20].copy_from_slice(&[0, 9]);
        packet[20] = more << 5;
        packet[21] = u8::try_from(from / 8).expect("small");
        packet[24..26].fill(0);
        let sum = build::checksum(&packet[14..34]);
        packet[24..26].copy_from_slice(&sum);
        packet.splice(12..12, [0x81, 0, 0, vlan]);
        file.packet(&packet);
    };
    // The second one of VLAN 10 is lost, and the first one of VLAN 20.
    tagged(&mut file, 10, 0, 24, 1);
    tagged(&mut file, 20, 24, 48, 0);
    let found = run::<&str>([], &file.file).ok();
    let rows = fields("udp", &["vlan.id", "udp.length"], &[], &found);
    assert_eq!(rows, [["10", "48"]]);
}

/// Several packets in a frame of 802.11: each comes out, as tshark finds them.
#[test]
fn every_packet_of_an_aggregate_comes_out() {
    let several = octets("wifi-amsdu-several");
    let (found, stats) = merged("merge", &several);
    assert_eq!(found, merged("merge", &octets("plain")).0);
    let counter = |name| counter(&stats, name);
    let frames = pcap(&several).1.len() as u64;
    assert_eq!(counter("link.packets"), frames);
    assert_eq!(counter("link.passed"), frames);
    assert_eq!(counter("link.subframes"), 24 - frames);
    // ARP at the front of each.
    assert_eq!(counter("link.subframes_skipped"), frames);
    let seen: usize = fields("llc", &["ip.src", "ipv6.src"], &[], &several)
        .iter()
        .flatten()
        .filter(|addresses| !addresses.is_empty())
        .map(|addresses| addresses.split(',').count())
        .sum();
    assert_eq!(seen, 24);
}

/// Packets of an aggregate that the snapshot length cut off, or that stand behind a length that is impossible, are lost.
#[test]
fn packets_of_an_aggregate_that_are_cut_off_are_counted_as_lost() {
    let several = octets("wifi-amsdu-several");
    let (header, records) = (&several[..24], pcap(&several).1);
    let first = records[0].data;
    let one = |data: &[u8], whole: usize| {
        let mut file = header.to_vec();
        for word in [1, 0, data.len(), whole] {
            file.extend(&word.to_le_bytes()[..4]);
        }
        file.extend(data);
        raw("", &file).stderr
    };
    let all = one(first, first.len());
    assert_eq!(counter(&all, "lost.link"), 0, "{all}");
    // Each place where one begins, from the front of the aggregate on.
    let begins = |at: usize| first[at..].starts_with(&[0xaa, 0xaa, 3, 0, 0, 0]);
    let places: Vec<_> = (0..first.len() - 6).filter(|at| begins(*at)).collect();
    assert!(places.len() > 2, "{places:?}");
    let last = places[places.len() - 1] - 14;
    for cut in [last, last + 7] {
        let stats = one(&first[..cut], first.len());
        assert_eq!(counter(&stats, "link.subframes_lost"), 1, "{cut}: {stats}");
        assert_eq!(counter(&stats, "lost.link"), 1, "{cut}: {stats}");
    }
    let mut long = first.to_vec();
    let length = places[places.len() - 2] - 2;
    long[length] = 0x40;
    let stats = one(&long, long.len());
    assert_eq!(counter(&stats, "lost.link"), 1, "{stats}");
}

/// SCTP in UDP (RFC 6951): the same messages as without.
#[test]
fn sctp_in_udp_is_opened() {
    let plain = read(&testdata("sctp-m3ua.pcap"));
    let mut carried = Pcap::new();
    for record in pcap(&plain).1 {
        let (ends, payload) = record.data[26..].split_at(8);
        let [from, to] = [&ends[..4], &ends[4..]].map(|a| <[u8; 4]>::try_from(a).expect("four"));
        let packet = carried.ip(from.into(), to.into(), 17, &udp(9899, payload));
        carried.packet(&packet);
    }
    let expected = merged("merge", &plain).0;
    assert!(!expected.is_empty());
    for tunnels in ["sctp", "all"] {
        let found = raw(tunnels, &carried.file);
        let messages: Vec<_> = pcap(&found.stdout)
            .1
            .iter()
            .map(|r| r.data.to_vec())
            .collect();
        assert!(messages == expected, "{tunnels}");
    }
    let closed = raw("", &carried.file);
    assert_eq!(counter(&closed.stderr, "sctp.packets"), 0);
    // What is no SCTP stays a datagram.
    let mut other = Pcap::new();
    let packet = other.ip(
        CLIENT.0,
        SERVER.0,
        17,
        &udp(9899, b"something else that is long"),
    );
    other.packet(&packet);
    let found = raw("sctp", &other.file);
    assert_eq!(counter(&found.stderr, "udp.messages"), 1);
}

#[test]
fn a_link_type_that_is_not_known_is_told_once_and_costs_its_own_packets_only() {
    let plain = octets("plain");
    let mut usb = plain.clone();
    usb[20] = 189;
    let expected = raw("", &plain).ok();
    // One file behind the other: both are told of by the same name.
    let done = raw("", &[&usb[..], &usb, &plain].concat());
    assert_eq!(counter(&done.stderr, "link.unknown_type"), 48);
    assert_eq!(counter(&done.stderr, "link.passed"), 24);
    let told = "inet-asm: stdin: link type 189 is not known here: ";
    let lines = done.stderr.lines();
    assert_eq!(lines.filter(|l| l.starts_with(told)).count(), 1);
    assert!(done.ok() == expected);
    let quiet = run(["-q"], &usb);
    assert_eq!(quiet.stderr, "");
    quiet.code(0);
}
