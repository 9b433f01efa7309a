//! `--print`: what people read of each protocol.

use crate::common::{self, inet_asm, testdata};

/// The lines of a capture, each from the protocol on.
fn lines(name: &str) -> Vec<String> {
    let mut program = inet_asm(["-p"]);
    let text = common::feed(program.arg(testdata(name)), &[]).printed();
    let behind_ends = |line: &str| line.splitn(8, ' ').nth(7).map(str::to_owned);
    text.lines()
        .map(|line| behind_ends(line).unwrap_or_else(|| panic!("{name}: {line}")))
        .collect()
}

#[test]
fn messages_are_named_in_their_protocols_words() {
    for (name, first) in [
        ("104apci", "104apci 6 U (STARTDT act)"),
        ("amqp", "amqp 8 protocol header 0-9-1"),
        ("bgp", "bgp 29 OPEN"),
        ("dhcp", "dhcp 244 discover 0x00000007"),
        (
            "diameter",
            "diameter 100 Capabilities-Exchange Request (257), base (0)",
        ),
        ("cql", "cql 9 OPTIONS"),
        ("kafka", "kafka 22 ApiVersions v0 request 1 (a client)"),
        ("dnp3", "dnp3 10 1 > 10 request link status"),
        ("enip", "enip 24 list services"),
        ("gtp", "gtp 12 echo request"),
        ("gtpv2", "gtpv2 13 echo request"),
        ("opcua", "opcua 56 hello"),
        ("pfcp", "pfcp 16 heartbeat request"),
        ("quic", "quic 1186 Initial"),
        ("doip", "doip 15 routing activation request"),
        (
            "ldap",
            "ldap 34 bind request 1 cn=admin,dc=example (simple)",
        ),
        (
            "mbtcp",
            "mbtcp 12 read holding registers, unit 1, transaction 0",
        ),
        ("mongo", "mongo 51 message ping"),
        ("mqtt", "mqtt 14 CONNECT"),
        ("mysql", "mysql 104 greeting"),
        ("nbss", "nbss 108 SMB2 negotiate request"),
        ("ntp", "ntp 48 client"),
        ("pgsql", "pgsql 8 SSLRequest"),
        ("radius", "radius 27 Access-Request user0"),
        ("snmp", "snmp 57 v2c get sysDescr.0, sysUpTime.0"),
        ("someip", "someip 19 service 0x1234 method 0x0001 request"),
        ("tpkt", "tpkt 22 connection request"),
    ] {
        let found = lines(&format!("protocols/{name}.pcap"));
        assert_eq!(found.first().map(String::as_str), Some(first), "{name}");
    }
    let found = lines("protocols/websocket.pcap");
    assert!(
        found.iter().any(|l| l == "websocket 5 text hello"),
        "{found:?}"
    );
    let found = lines("sctp-m3ua.pcap");
    assert_eq!(found[0], "m3ua 104 DATA 100 > 200 service 15");
}

/// One line for each message, of characters that a terminal shows as they are.
#[test]
fn lines_are_safe_to_show() {
    let mut captures = 0;
    for entry in std::fs::read_dir(testdata("protocols")).expect("read_dir") {
        let name = entry
            .expect("entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".pcap") {
            captures += 1;
            let found = lines(&format!("protocols/{name}"));
            assert!(!found.is_empty(), "{name}");
            let shown = |line: &String| !line.chars().any(char::is_control);
            assert!(found.iter().all(shown), "{name}: {found:?}");
        }
    }
    assert!(captures >= 40);
}
