//! Copies of segments, each as a conversation: those that were damaged on the way, and those of other channels.

use super::testing::{TestTcp, check, check_with};
use crate::base::limits::{Channels, Limits};

/// A handshake with right checksums: the client's first octet is 101, the server's 501.
const RIGHT: &str = "
    0 > S  100 =
    0 < S. 500 101 =
    0 > .  101 501 =";

#[track_caller]
fn after_right(name: &str, script: &str, expected: &str) {
    check(name, &format!("{RIGHT}{script}"), expected);
}

#[test]
fn wrong_sums_are_taken_where_none_was_right() {
    check(
        "a capture on the sending host",
        r#"
        0 > S  100 !
        0 < S. 500 101 =
        1 > P. 101 501 ! "abc"
        2 < .  501 104 = "xy"
        3 > .  104 503 ! "de""#,
        r#"
        1 > 101 "abc"
        2 < 501 "xy"
        3 > 104 "de"
        damaged 0"#,
    );
}

#[test]
fn a_damaged_copy_yields_to_the_good_one() {
    after_right(
        "which comes behind it",
        r#"
        1 > P. 101 501 ! "aXc"
        2 > .  104 501 = "def"
        3 < .  501 101 =
        4 > P. 101 501 = "abc""#,
        r#"
        4 > 101 "abc"
        4 > 104 "def"
        damaged 1
        damaged_used 0
        conflicts 0"#,
    );
    after_right(
        "which came before it",
        r#"
        1 > P. 101 501 = "abc"
        2 > P. 101 501 ! "aXc"
        3 > .  104 501 = "def""#,
        r#"
        1 > 101 "abc"
        3 > 104 "def"
        damaged 1
        damaged_used 0
        refused_octets 3"#,
    );
    after_right(
        "which waits",
        r#"
        1 > .  104 501 = "def"
        2 > .  104 501 ! "dXf"
        3 > P. 101 501 = "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        damaged_used 0"#,
    );
    after_right(
        "of which a part is good",
        r#"
        1 > .  101 501 ! "XbcXef"
        2 > .  101 501 = "abc"
        3 < .  501 107 ="#,
        r#"
        2 > 101 "abc"
        3 > 104 "Xef"
        damaged_used 1"#,
    );
}

#[test]
fn a_damaged_copy_fills_a_hole_that_would_be_given_up() {
    after_right(
        "acknowledged",
        r#"
        1 > P. 101 501 ! "aXc"
        2 > .  104 501 = "def"
        3 < .  501 107 ="#,
        r#"
        3 > 101 "aXc"
        3 > 104 "def"
        damaged_used 1
        gaps 0"#,
    );
    after_right(
        "with nothing behind it",
        r#"
        1 > P. 101 501 ! "aXc"
        3 < .  501 104 ="#,
        r#"
        3 > 101 "aXc"
        damaged_used 1"#,
    );
    after_right(
        "behind a hole of its own",
        r#"
        1 > .  104 501 ! "dXf"
        3 < .  501 107 =
        1003 tick"#,
        r#"
        1003 > 101 gap 3 acked
        1003 > 104 "dXf"
        gaps 1
        lost_octets 3"#,
    );
    after_right(
        "at the end",
        r#"
        1 > P. 101 501 ! "aXc"
        2 > F. 104 501 =
        9 flush"#,
        r#"
        9 > 101 "aXc"
        9 > end fin
        9 < end endofinput
        9 closed endofinput
        damaged_used 1"#,
    );
    after_right(
        "which is what the snapshot length cut off a right one",
        r#"
        1 > P. 101 501 "abc"+3
        2 > P. 101 501 ! "abcdeX"
        3 > .  107 501 = "ghi"
        4 < .  501 110 ="#,
        r#"
        1 > 101 "abc"
        4 > 104 "deX"
        4 > 107 "ghi"
        damaged_used 1
        gaps 0"#,
    );
    after_right(
        "a part of it from its middle",
        r#"
        1 > P. 101 501 "abc"+4
        2 > P. 105 501 ! "eX"
        3 > .  108 501 = "hij"
        4 < .  501 111 ="#,
        r#"
        1 > 101 "abc"
        4 > 104 gap 1 snapped
        4 > 105 "eX"
        4 > 107 gap 1 snapped
        4 > 108 "hij"
        damaged_used 1
        gaps_snapped 2
        lost_octets 2"#,
    );
    after_right(
        "past the FIN",
        r#"
        1 > F. 101 501 = "a"
        2 > P. 102 501 ! "bXc"
        9 flush"#,
        r#"
        1 > 101 "a"
        1 > end fin
        9 < end endofinput
        9 closed endofinput
        damaged_used 0
        refused_octets 3"#,
    );
}

#[test]
fn nothing_else_of_a_damaged_segment_is_believed() {
    after_right(
        "RST, SYN, acknowledgment, FIN, number",
        r#"
        1 > R. 101 501 !
        2 > S  900 !
        3 > F. 101 501 !
        4 > .  101 900 !
        5 > .  99999999 501 ! "far"
        6 > P. 101 501 = "abc""#,
        r#"
        6 > 101 "abc"
        rst 1
        connections 1
        damaged 5
        refused_octets 3"#,
    );
    check(
        "no connection begins with it",
        r#"
        0 > S  100 =
        1 >2 S 100 !
        2 >2 P. 101 501 ! "aXc"
        3 >2 P. 101 501 = "abc"
        900 tick"#,
        r#"
        900 1> 101 "abc"
        connections 2"#,
    );
}

#[test]
fn damaged_copies_wait_for_their_connection() {
    const PATH: &str = "
        0 > S  100 =
        0 < S. 500 101 =";
    check(
        "which the other side's acknowledgment opens",
        &format!(
            r#"{PATH}
        1 >2 P. 101 501 ! "aXc"
        2 <2 .  501 104 =
        300 tick"#
        ),
        r#"
        300 1> 101 "aXc"
        connections 2
        damaged_used 1
        refused_octets 0"#,
    );
    check(
        "which a later segment opens",
        &format!(
            r#"{PATH}
        1 >2 P. 101 501 ! "aXc"
        2 >2 P. 104 501 = "def"
        3 <2 .  501 107 =
        300 tick"#
        ),
        r#"
        300 1> 101 "aXc"
        300 1> 104 "def"
        connections 2
        damaged_used 1"#,
    );
    check(
        "which a better copy opens",
        &format!(
            r#"{PATH}
        1 >2 P. 101 501 ! "aXc"
        2 >2 P. 101 501 = "abc"
        300 tick"#
        ),
        r#"
        300 1> 101 "abc"
        damaged_used 0
        refused_octets 3"#,
    );
    check(
        "which comes too late, or never",
        &format!(
            r#"{PATH}
        1 >2 P. 101 501 ! "aXc"
        2 >3 P. 101 501 ! "aXc"
        2500 >2 P. 104 501 = "def"
        2800 tick"#
        ),
        r#"
        2800 1> 104 "def"
        connections 2
        damaged_used 0"#,
    );
}

#[test]
fn damaged_copies_are_bounded() {
    let mut bench = TestTcp::new(
        Limits {
            tcp_buffer: 64 << 10,
            ..Limits::default()
        },
        [0; 2],
    );
    bench.script(RIGHT);
    for n in 0..200 {
        bench.script(&format!("{} > . {} 501 ! #1400", n + 1, 101 + 1400 * n));
        let waits = bench.cx.budget.used() - bench.tcp.table_size() - bench.tcp.charged;
        assert!(waits < 80 << 10, "{waits}");
    }
    bench.script("900 flush");
    assert_eq!(bench.counter("delivered_octets"), 200 * 1400);
    assert_eq!(bench.counter("gaps"), 0);
}

#[test]
fn damaged_copies_alone_give_way_too() {
    let mut bench = TestTcp::new(Limits::default(), [0; 2]);
    bench.script(RIGHT);
    // Nothing else of the server's stream was captured, and this is before what was acknowledged first.
    bench.script("1 >2 . 101 501\n2 <2 . 498 101 ! \"aXc\"");
    assert_eq!((bench.counter("damaged"), bench.tcp.connections()), (1, 2));
    let TestTcp { cx, tcp, sink, .. } = &mut bench;
    let freed = (0..10).take_while(|_| tcp.free_memory(cx, sink)).count();
    assert!((1..10).contains(&freed), "{freed}");
    assert_eq!(
        bench.cx.budget.used(),
        bench.tcp.table_size() + bench.tcp.charged
    );
    bench.script("3 flush");
}

/// Holds each way to treat channels against what it should make of a conversation.
#[track_caller]
fn channels(name: &str, script: &str, expected: [&str; 3]) {
    let ways = [Channels::Merge, Channels::First, Channels::Separate];
    // What is true of VLANs is true of tunnels.
    let tunnels = ["@1", "@2", "@3"].map(|vlan| (vlan, vlan.replace('@', "@500")));
    let in_tunnels = (tunnels.iter()).fold(script.to_owned(), |s, (from, to)| s.replace(from, to));
    for (channels, expected) in ways.into_iter().zip(expected) {
        let limits = Limits {
            channels,
            ..Limits::default()
        };
        let name = format!("{name}, {channels:?}");
        check_with(&name, &limits, false, script, expected);
        let name = format!("{name}, in tunnels");
        check_with(&name, &limits, false, &in_tunnels, expected);
    }
}

#[test]
fn copies_on_two_channels() {
    channels(
        "with different packets missing from each",
        r#"
        0 > S  100 @1
        0 < S. 500 101 @1
        1 > S  100 @2
        1 < S. 500 101 @2
        2 > .  101 501 @1 "abc"
        3 > .  104 501 @2 "def"
        4 > .  107 501 @1 "ghi"
        5 > .  107 501 @2 "ghi"
        6 < .  501 110 @2 "xy"
        61009 tick"#,
        [
            r#"
            2 > 101 "abc"
            3 > 104 "def"
            4 > 107 "ghi"
            6 < 501 "xy"
            connections 1
            retransmissions 1
            other_channel 0"#,
            r#"
            2 > 101 "abc"
            61009 > 104 gap 3 timeout
            61009 > 107 "ghi"
            connections 1
            other_channel 5"#,
            r#"
            2 > 101 "abc"
            6 1< 501 "xy"
            61009 1> 101 gap 3 acked
            61009 1> 104 "def"
            61009 1> 107 "ghi"
            61009 > 104 gap 3 timeout
            61009 > 107 "ghi"
            connections 2
            other_channel 0"#,
        ],
    );
}

#[test]
fn each_direction_may_have_a_channel_of_its_own() {
    let both = r#"
        2 > 101 "abc"
        3 < 501 "xy"
        connections 1
        other_channel 0"#;
    channels(
        "each direction on its VLAN",
        r#"
        0 > S  100 @1
        0 < S. 500 101 @2
        1 > .  101 501 @1
        2 > .  101 501 @1 "abc"
        3 < .  501 104 @2 "xy""#,
        [
            both,
            both,
            r#"
            2 > 101 "abc"
            3 1< 501 "xy"
            connections 2"#,
        ],
    );
}

#[test]
fn a_channel_that_does_not_fit() {
    let two = r#"
        3 > 101 "abc"
        4 1> 70000001 "xyz"
        5 < 501 "A"
        6 1< 90000001 "B"
        connections 2
        reused_ports 0
        other_channel 0"#;
    channels(
        "is a connection of its own",
        r#"
        0 > S  100 @1
        0 < S. 500 101 @1
        1 > S  70000000 @2
        1 < S. 90000000 70000001 @2
        3 > .  101 501 @1 "abc"
        4 > .  70000001 90000001 @2 "xyz"
        5 < .  501 104 @1 "A"
        6 < .  90000001 70000004 @2 "B""#,
        [two, two, two],
    );
    check(
        "in the middle, and a third channel has copies of the second one",
        r#"
        0 > S  100 @1
        0 < S. 500 101 @1
        1 > .  101 501 @1 "abc"
        2 > .  700000000 900000000 @2 "uvw"
        3 > .  700000000 900000000 @3 "uvw"
        4 > .  700000003 900000000 @3 "xyz"
        5 > .  104 501 @3 "def"
        900 tick"#,
        r#"
        1 > 101 "abc"
        5 > 104 "def"
        900 1> 700000000 "uvw"
        900 1> 700000003 "xyz"
        connections 2
        midstream 1"#,
    );
    check(
        "ports used again on a channel that is known",
        r#"
        0 > S  100 @1
        0 < S. 500 101 @1
        1 > .  101 501 @1 "abc"
        2 > S  70000000 @1
        2 < S. 90000000 70000001 @1
        3 > .  70000001 90000001 @1 "xyz"
        4 > S  70000000 @2
        5 > .  70000001 90000001 @2 "xyz""#,
        r#"
        1 > 101 "abc"
        2 > end replaced
        2 < end replaced
        2 closed replaced
        3 1> 70000001 "xyz"
        connections 2
        reused_ports 1
        retransmissions 1"#,
    );
}

#[test]
fn many_channels_are_bounded() {
    let mut bench = TestTcp::new(Limits::default(), [0; 2]);
    for vlan in 1..50_u32 {
        let isn = vlan * 70_000_000;
        let data = isn + 1;
        bench.script(&format!("{vlan} > S {isn} @{vlan}"));
        bench.script(&format!(r#"{vlan} > . {data} 9 @{vlan} "abc""#));
    }
    assert!(bench.tcp.connections() <= 8);
    bench.script("4000000 flush");
    assert_eq!(
        bench.counter("connections"),
        bench.counter("reused_ports") + 8
    );
}
