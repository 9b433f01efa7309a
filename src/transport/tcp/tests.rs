//! The rules of the TCP stage, each as a conversation.

use super::testing::{check, check_with};
use crate::base::limits::{Limits, Overlap};
use std::time::Duration;

/// A handshake: the client's first octet is 101, the server's 501.
const OPEN: &str = "
    0 > S  100
    0 < S. 500 101
    0 > .  101 501";

#[track_caller]
fn after_open(name: &str, script: &str, expected: &str) {
    check(name, &format!("{OPEN}{script}"), expected);
}

#[track_caller]
fn after_open_with(name: &str, limits: &Limits, script: &str, expected: &str) {
    check_with(name, limits, false, &format!("{OPEN}{script}"), expected);
}

#[test]
fn octets_come_in_order_and_once() {
    after_open(
        "in order",
        r#"
        1 > P. 101 501 "abc"
        2 < .  501 104 "xy"
        3 > .  104 503 "de"
        9 flush"#,
        r#"
        1 > 101 "abc"
        2 < 501 "xy"
        3 > 104 "de"
        9 > end endofinput
        9 < end endofinput
        9 closed endofinput
        connections 1
        midstream 0
        gaps 0
        out_of_order 0"#,
    );
    after_open(
        "reordered",
        r#"
        1 > . 107 501 "ghi"
        2 > . 104 501 "def"
        3 > . 101 501 "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        3 > 107 "ghi"
        out_of_order 2
        gaps 0"#,
    );
    after_open(
        "repeated: delivered, waiting, in part, past what was delivered",
        r#"
        1 > . 101 501 "abc"
        2 > . 101 501 "abc"
        3 > . 107 501 "ghi"
        4 > . 107 501 "ghi"
        5 > . 108 501 "hij"
        6 > . 102 501 "bcdef""#,
        r#"
        1 > 101 "abc"
        6 > 104 "def"
        6 > 107 "ghi"
        6 > 110 "j"
        retransmissions 2
        overlaps 2
        conflicts 0
        duplicate_octets 10"#,
    );
    after_open(
        "one segment over several holes",
        r#"
        1 > . 103 501 "c"
        2 > . 105 501 "e"
        3 > . 107 501 "g"
        4 > . 101 501 "abcdefgh""#,
        r#"
        4 > 101 "ab"
        4 > 103 "c"
        4 > 104 "d"
        4 > 105 "e"
        4 > 106 "f"
        4 > 107 "g"
        4 > 108 "h"
        overlaps 1"#,
    );
}

#[test]
fn overlaps_keep_the_first_octets_or_the_last() {
    let script = r#"
        1 > . 104 501 "def"
        2 > . 103 501 "CDEFG"
        3 > . 101 501 "ab"
        4 > . 101 501 "AB""#;
    after_open(
        "first",
        script,
        r#"
        3 > 101 "ab"
        3 > 103 "C"
        3 > 104 "def"
        3 > 107 "G"
        conflicts 1
        overlaps 1
        retransmissions 1"#,
    );
    let last = Limits {
        overlap: Overlap::Last,
        ..Limits::default()
    };
    after_open_with(
        "last, as long as it has not been delivered",
        &last,
        script,
        r#"
        3 > 101 "ab"
        3 > 103 "C"
        3 > 104 "DEF"
        3 > 107 "G"
        conflicts 1"#,
    );
}

#[test]
fn the_numbers_wrap_in_the_middle_of_a_hole() {
    // Every conversation here is tried with the wrap at each of its places; this one is mostly hole.
    after_open(
        "hole",
        r#"
        1 > . 141 501 "end"
        2 < . 501 144
        1002 tick"#,
        r#"
        1002 > 101 gap 40 acked
        1002 > 141 "end""#,
    );
}

#[test]
fn data_on_a_syn_counts() {
    check(
        "Fast Open, both ways",
        r#"
        0 > S  100 "abc"
        1 < S. 500 104 "xyz"
        2 > .  104 504 "def""#,
        r#"
        0 > 101 "abc"
        1 < 501 "xyz"
        2 > 104 "def"
        connections 1"#,
    );
    check(
        "the SYN is sent again without its data",
        r#"
        0 > S  100 "abc"
        1000 > S 100
        1001 < S. 500 101
        1002 > .  101 501 "abcdef""#,
        r#"
        0 > 101 "abc"
        1002 > 104 "def"
        connections 1"#,
    );
}

#[test]
fn a_fin_ends_its_stream_at_its_number() {
    after_open(
        "both sides",
        r#"
        1 > F. 101 501 "abc"
        2 < .  501 105 "x"
        3 < F. 502 105
        4 > .  105 503"#,
        r#"
        1 > 101 "abc"
        1 > end fin
        2 < 501 "x"
        3 < end fin
        3 closed fin
        closed_fin 1"#,
    );
    after_open(
        "captured before its data",
        r#"
        1 > F. 107 501
        2 > .  104 501 "def"
        3 > .  101 501 "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        3 > end fin
        lost_octets 0"#,
    );
    after_open(
        "data past it is dropped, waiting or not",
        r#"
        1 > .  104 501 "defgh"
        2 > F. 106 501
        3 > .  101 501 "abc"
        4 > .  106 501 "XYZ""#,
        r#"
        3 > 101 "abc"
        3 > 104 "de"
        3 > end fin
        abandoned_octets 3
        refused_octets 3"#,
    );
    after_open(
        "half-closed: the other direction goes on",
        r#"
        1 > F. 101 501 "a"
        2 < .  501 103 #100
        3000 < . 601 103 #100
        4000 < F. 701 103"#,
        r#"
        1 > 101 "a"
        1 > end fin
        2 < 501 #100
        3000 < 601 #100
        4000 < end fin
        4000 closed fin"#,
    );
    after_open(
        "sent again",
        r#"
        1 > F. 101 501 "abc"
        2 > F. 101 501 "abc"
        3 > F. 104 501"#,
        r#"
        1 > 101 "abc"
        1 > end fin
        fin 3"#,
    );
}

#[test]
fn a_rst_counts_in_the_window_only() {
    after_open(
        "in the window: data captured after it is still taken",
        r#"
        1 > .  101 501 "abc"
        2 < R. 501 104
        3 > .  104 501 "def"
        4 < .  501 104 "xy"
        1002 tick"#,
        r#"
        1 > 101 "abc"
        3 > 104 "def"
        4 < 501 "xy"
        1002 > end reset
        1002 < end reset
        1002 closed reset
        closed_reset 1"#,
    );
    after_open(
        "its own payload is no data",
        r#"
        1 > .  101 501 "abc"
        2 > R. 104 501 "sorry""#,
        r#"
        1 > 101 "abc"
        refused_octets 5"#,
    );
    after_open(
        "outside",
        r#"
        1 > .  101 501 "abc"
        2 > R  900000000
        2000 > . 104 501 "def""#,
        r#"
        1 > 101 "abc"
        2000 > 104 "def""#,
    );
    after_open(
        "below the window",
        r#"
        1 > .  101 501 #100
        2 < .  501 201
        3 > R. 120 501
        2000 > . 201 501 "def""#,
        r#"
        1 > 101 #100
        2000 > 201 "def""#,
    );
    after_open(
        "followed by FINs within the reorder window",
        r#"
        1 > F. 101 501 "abc"
        2 > R. 105 501
        3 < F. 501 105 "x"
        1002 tick
        5000 tick"#,
        r#"
        1 > 101 "abc"
        1 > end fin
        3 < 501 "x"
        3 < end fin
        3 closed reset"#,
    );
    check(
        "in a stream that is being looked behind",
        r#"
        900 > . 104 501 "def"
        910 > R 107
        911 > . 101 501 "abc"
        1100 tick
        1910 tick"#,
        r#"
        1100 > 101 "abc"
        1100 > 104 "def"
        1910 > end reset
        1910 < end reset
        1910 closed reset"#,
    );
    check(
        "in answer to a SYN",
        r#"
        0 > S  100
        1 < R. 0 101
        30001 tick"#,
        r#"
        closed_reset 1
        connections 1"#,
    );
    check(
        "in answer to a SYN, but not this one",
        r#"
        0 > S  100
        1 < R. 0 5000
        2000 < S. 500 101
        2001 > .  101 501 "abc"
        2002 flush"#,
        r#"
        2001 > 101 "abc"
        2002 > end endofinput
        2002 < end endofinput
        2002 closed endofinput
        connections 1"#,
    );
}

#[test]
fn both_sides_may_open_at_once() {
    check(
        "simultaneous open",
        r#"
        0 > S  100
        1 < S  500
        2 > S. 100 501
        3 < S. 500 101
        4 > .  101 501 "abc"
        5 < .  501 104 "xy""#,
        r#"
        4 > 101 "abc"
        5 < 501 "xy"
        connections 1"#,
    );
}

#[test]
fn probes_are_no_new_data() {
    after_open(
        "keep-alives",
        r#"
        1 > . 101 501 "abc"
        2 > . 103 501
        3 > . 103 501 "Z"
        4 > . 104 501 "def""#,
        r#"
        1 > 101 "abc"
        4 > 104 "def"
        keep_alives 1
        conflicts 0"#,
    );
    after_open(
        "one just below the highest number fills no hole",
        r#"
        1 > . 104 501 "def"
        2 > . 106 501 "Z"
        3 > . 101 501 "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        keep_alives 1"#,
    );
    after_open(
        "the octet of a zero-window probe is data",
        r#"
        1 > . 101 501 "abc"
        2 > . 104 501 "d"
        3 > . 104 501 "d"
        4 > . 104 501 "def""#,
        r#"
        1 > 101 "abc"
        2 > 104 "d"
        4 > 105 "ef""#,
    );
    after_open(
        "urgent data stays in the stream",
        r#"
        1 > .   101 501 "abc"
        2 > U.  104 501 "!"
        3 > .   105 501 "def""#,
        r#"
        1 > 101 "abc"
        2 > 104 "!"
        3 > 105 "def""#,
    );
}

#[test]
fn an_octet_in_front_of_the_first_fin_is_no_keep_alive() {
    check(
        "captured from the middle, the FIN first",
        r#"
        1 > F. 102 501
        2 > . 101 501 "m"
        300 tick"#,
        r#"
        300 > 101 "m"
        300 > end fin
        keep_alives 0"#,
    );
}

#[test]
fn a_start_in_the_middle_is_looked_behind() {
    check(
        "lower segments come late",
        r#"
        0 > . 107 501 "ghi"
        1 > . 104 501 "def"
        2 > . 110 501 "jkl"
        3 > . 101 501 "abc"
        200 tick"#,
        r#"
        200 > 101 "abc"
        200 > 104 "def"
        200 > 107 "ghi"
        200 > 110 "jkl"
        midstream 1
        before_start 0
        lost_octets 0"#,
    );
    check(
        "too late, and a hole behind the first",
        r#"
        0   > . 107 501 "ghi"
        1   > . 113 501 "mno"
        200 tick
        201 > . 104 501 "def"
        202 > . 110 501 "jkl""#,
        r#"
        200 > 107 "ghi"
        202 > 110 "jkl"
        202 > 113 "mno"
        before_start 1
        refused_octets 3"#,
    );
    let script = r#"
        0 > . 107 501 "ghi"
        1 > . 104 501 "def"
        2 > . 110 501 "jkl""#;
    let off = Limits {
        look_behind_segments: 0,
        ..Limits::default()
    };
    check_with(
        "off",
        &off,
        false,
        script,
        r#"
        0 > 107 "ghi"
        2 > 110 "jkl"
        before_start 1"#,
    );
    let three = Limits {
        look_behind_segments: 3,
        ..Limits::default()
    };
    check_with(
        "by number of segments",
        &three,
        false,
        script,
        r#"
        2 > 104 "def"
        2 > 107 "ghi"
        2 > 110 "jkl"
        before_start 0"#,
    );
    check(
        "the end of the input ends it",
        r#"
        0 > . 107 501 "ghi"
        1 > . 104 501 "def"
        2 flush"#,
        r#"
        2 > 104 "def"
        2 > 107 "ghi"
        2 > end endofinput
        2 < end endofinput
        2 closed endofinput"#,
    );
    check(
        "so do the ends of both streams",
        r#"
        0 > F. 104 501 "def"
        1 > .  101 501 "abc"
        2 < F. 501 108
        200 tick
        202 tick"#,
        r#"
        200 > 101 "abc"
        200 > 104 "def"
        200 > end fin
        202 < end fin
        202 closed fin"#,
    );
}

#[test]
fn a_syn_may_be_captured_after_its_data() {
    check(
        "right before the data",
        r#"
        0 > . 101 501 "abc"
        1 > . 104 501 "def"
        2 > S 100"#,
        r#"
        2 > 101 "abc"
        2 > 104 "def"
        connections 1"#,
    );
    check(
        "with a hole in between",
        r#"
        0 > . 104 501 "def"
        1 > S 100
        2 > . 101 501 "abc""#,
        r#"
        2 > 101 "abc"
        2 > 104 "def"
        lost_octets 0
        connections 1"#,
    );
    check(
        "behind what the other side acknowledged",
        r#"
        0 < S. 500 101
        1 > S  100
        2 > .  101 501 "abc"
        3 < .  501 104 "xy""#,
        r#"
        2 > 101 "abc"
        3 < 501 "xy"
        connections 1
        reused_ports 0"#,
    );
}

#[test]
fn a_syn_ack_tells_where_the_other_stream_begins() {
    check(
        "whose SYN is lost: nothing is looked for before it",
        r#"
        0 < S. 500 101
        1 > .  101 501 "abc"
        2 < .  501 104 "xy""#,
        r#"
        1 > 101 "abc"
        2 < 501 "xy""#,
    );
    check(
        "also where its data came before",
        r#"
        0 > .  104 501 "def"
        1 < S. 500 101
        2 > .  101 501 "abc""#,
        r#"
        2 > 101 "abc"
        2 > 104 "def"
        gaps 0"#,
    );
    check(
        "but for octets on a SYN that is captured late",
        r#"
        0 < S. 500 104
        1 > S  100 "abc"
        2 > .  104 501 "def""#,
        r#"
        1 > 101 "abc"
        2 > 104 "def"
        reused_ports 0"#,
    );
    check(
        "and of a stream of which nothing is captured nothing is lost",
        r#"
        0 < S. 500 101
        1 < .  501 104 "xy"
        9 flush"#,
        r#"
        1 < 501 "xy"
        9 < end endofinput
        9 > end endofinput
        9 closed endofinput
        gaps 0"#,
    );
}

#[test]
fn one_side_alone_gives_the_same_stream() {
    check(
        "the client's side",
        r#"
        0 > S 100
        1 > . 101 501 "abc"
        2 > . 104 511 "def"
        3 > F. 107 521"#,
        r#"
        1 > 101 "abc"
        2 > 104 "def"
        3 > end fin
        connections 1"#,
    );
    check(
        "the server's side, reordered",
        r#"
        0 < S. 500 101
        1 < .  504 104 "def"
        2 < .  501 104 "abc"
        3 < F. 507 104"#,
        r#"
        2 < 501 "abc"
        2 < 504 "def"
        3 < end fin"#,
    );
    check_with(
        "a sink that waits for the other side waits no longer than the reorder window, and once",
        &Limits::default(),
        true,
        r#"
        0 < S. 500 101
        1 < .  501 104 "abc"
        600 < . 504 104 "def"
        1001 tick
        1500 < . 507 107 "ghi""#,
        r#"
        1001 < 501 "abc"
        1001 < 504 "def"
        1500 < 507 "ghi"
        lost_octets 0"#,
    );
}

#[test]
fn a_sink_may_wait_for_the_other_stream() {
    check_with(
        "the request comes after its response",
        &Limits::default(),
        true,
        &format!(
            "{OPEN}{}",
            r#"
        1 < . 501 104 "xy"
        2 < . 503 104 "z"
        3 > . 101 501 "abc""#
        ),
        r#"
        3 > 101 "abc"
        3 < 501 "xy"
        3 < 503 "z""#,
    );
    check_with(
        "the request never comes",
        &Limits::default(),
        true,
        &format!(
            "{OPEN}{}",
            r#"
        1 < . 501 104 "xy"
        2 > . 104 503 "def"
        1001 tick
        1002 tick"#
        ),
        r#"
        1001 < 501 "xy"
        1002 > 101 gap 3 acked
        1002 > 104 "def"
        gaps_acked 1"#,
    );
}

#[test]
fn holes_are_given_up_when_the_other_side_has_what_they_lack() {
    let segments: String = (0..31)
        .map(|n| format!("\n{} > . {} 501 \"x\"", 5 + n, 107 + n))
        .collect();
    // The acknowledgment is packet 5; the 32nd packet behind it comes at 36.
    let found: String = (0..31)
        .map(|n| format!("\n36 > {} \"x\"", 107 + n))
        .collect();
    after_open(
        "32 packets and 20 ms",
        &format!(
            r#"
        3 > . 104 501 "def"
        4 < . 501 107
        {segments}
        36 < . 501 107"#
        ),
        &format!(
            r#"
        36 > 101 gap 3 acked
        36 > 104 "def"
        {found}
        gaps_acked 1
        lost_octets 3"#
        ),
    );
    let quick: String = (0..40)
        .map(|n| format!("\n5 > . {} 501 \"x\"", 107 + n))
        .collect();
    let found: String = (0..40)
        .map(|n| format!("\n24 > {} \"x\"", 107 + n))
        .collect();
    after_open(
        "32 packets come first",
        &format!(
            r#"
        3 > . 104 501 "def"
        4 < . 501 107
        {quick}
        23 < . 501 107
        24 < . 501 107"#
        ),
        &format!(
            r#"
        24 > 101 gap 3 acked
        24 > 104 "def"
        {found}"#
        ),
    );
    after_open(
        "1 s alone",
        r#"
        3 > . 104 501 "def"
        4 < . 501 107
        1003 tick
        1004 tick"#,
        r#"
        1004 > 101 gap 3 acked
        1004 > 104 "def""#,
    );
    after_open(
        "what was not acknowledged is waited for",
        r#"
        3 > . 104 501 "def"
        4 < . 501 101
        5000 > . 101 501 "abc""#,
        r#"
        5000 > 101 "abc"
        5000 > 104 "def"
        gaps 0"#,
    );
    after_open(
        "captured before its data",
        r#"
        1 < . 501 107
        2 > . 104 501 "def"
        3 > . 101 501 "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        gaps 0"#,
    );
    after_open(
        "an acknowledgment up to the hole tells nothing of it",
        r#"
        1 > . 101 501 "abc"
        2 > . 107 501 "ghi"
        3 < . 501 104
        5000 > . 104 501 "def""#,
        r#"
        1 > 101 "abc"
        5000 > 104 "def"
        5000 > 107 "ghi""#,
    );
    after_open(
        "each hole by its own acknowledgment",
        r#"
        1 > . 104 501 "d"
        2 < . 501 105
        500 > . 107 501 "g"
        501 < . 501 108
        1002 tick
        1501 tick"#,
        r#"
        1002 > 101 gap 3 acked
        1002 > 104 "d"
        1501 > 105 gap 2 acked
        1501 > 107 "g""#,
    );
}

#[test]
fn every_other_reason_gives_up_a_hole() {
    after_open(
        "closed, by FIN",
        r#"
        1 > .  104 501 "def"
        2 > F. 107 501
        1001 tick
        1002 tick"#,
        r#"
        1002 > 101 gap 3 closed
        1002 > 104 "def"
        1002 > end fin
        gaps_closed 1"#,
    );
    after_open(
        "closed, by FIN with nothing behind the hole",
        r#"
        1 > F. 107 501
        1001 tick
        1003 flush"#,
        r#"
        1001 > 101 gap 6 closed
        1001 > end fin
        1003 < end endofinput
        1003 closed endofinput"#,
    );
    after_open(
        "closed, by RST",
        r#"
        1 > .  104 501 "def"
        2 < R. 501 101
        1002 tick"#,
        r#"
        1002 > 101 gap 3 closed
        1002 > 104 "def"
        1002 > end reset
        1002 < end reset
        1002 closed reset"#,
    );
    after_open(
        "closed, by FIN with the tail of the stream lost on both sides",
        r#"
        1 > .  101 501 "abc"
        2 > F. 107 501
        3 < F. 511 108
        1003 tick"#,
        r#"
        1 > 101 "abc"
        1003 > 104 gap 3 acked
        1003 < 501 gap 10 closed
        1003 > end fin
        1003 < end fin
        1003 closed fin
        lost_octets 13"#,
    );
    check(
        "timeout, one-sided",
        r#"
        0 > S 100
        1 > . 104 501 "def"
        1500 > . 107 501 "ghi"
        2000 tick
        2001 tick"#,
        r#"
        2001 > 101 gap 3 timeout
        2001 > 104 "def"
        2001 > 107 "ghi"
        gaps_timeout 1"#,
    );
    after_open(
        "timeout, where acknowledgments are captured",
        r#"
        1 > . 104 501 "def"
        2 < . 501 101
        60000 tick
        60001 tick"#,
        r#"
        60001 > 101 gap 3 timeout
        60001 > 104 "def""#,
    );
    let small = Limits {
        tcp_buffer: 2000,
        ..Limits::default()
    };
    after_open_with(
        "buffer",
        &small,
        r#"
        1 > . 104 501 #400
        2 > . 504 501 #400
        3 > . 1000 501 #400
        4 > . 2000 501 #900"#,
        r#"
        4 > 101 gap 3 buffer
        4 > 104 #400
        4 > 504 #400
        gaps_buffer 1"#,
    );
    after_open_with(
        "octets in order pass, however full the buffer is",
        &small,
        r#"
        1 > . 3000 501 #400
        2 > . 101 501 #1400
        3 > . 1501 501 #1400"#,
        r#"
        2 > 101 #1400
        3 > 1501 #1400"#,
    );
    let holes = Limits {
        tcp_holes: 2,
        ..Limits::default()
    };
    after_open_with(
        "holes",
        &holes,
        r#"
        1 > . 103 501 "c"
        2 > . 105 501 "e"
        3 > . 107 501 "g""#,
        r#"
        3 > 101 gap 2 holes
        3 > 103 "c"
        gaps_holes 1"#,
    );
    let segments = Limits {
        active_packets: 2,
        ..Limits::default()
    };
    after_open_with(
        "memory: segments that wait",
        &segments,
        r#"
        1 >  . 103 501 "c"
        2 >  . 105 501 "e"
        3 >2 S 100
        3 >2 . 103 501 "x""#,
        r#"
        3 > 101 gap 2 memory
        3 > 103 "c"
        gaps_memory 1"#,
    );
    after_open(
        "end",
        r#"
        1 > . 103 501 "c"
        2 > . 106 501 "f"
        3 flush"#,
        r#"
        3 > 101 gap 2 end
        3 > 103 "c"
        3 > 104 gap 2 end
        3 > 106 "f"
        3 > end endofinput
        3 < end endofinput
        3 closed endofinput
        gaps_end 2
        lost_octets 4"#,
    );
    after_open(
        "snapped",
        r#"
        1 > . 101 501 "abc"+5
        2 > . 109 501 "xyz"
        3 > . 112 501 ""+4
        4 > . 116 501 "end"
        9 < . 501 119"#,
        r#"
        1 > 101 "abc"
        9 > 104 gap 5 snapped
        9 > 109 "xyz"
        9 > 112 gap 4 snapped
        9 > 116 "end"
        gaps_snapped 2
        out_of_order 0
        lost_octets 9"#,
    );
    after_open(
        "snapped, behind a hole",
        r#"
        1 > . 104 501 "d"+2
        2 > . 107 501 "ghi"
        3 > . 101 501 "abc"
        4 < . 501 107"#,
        r#"
        3 > 101 "abc"
        3 > 104 "d"
        4 > 105 gap 2 snapped
        4 > 107 "ghi""#,
    );
}

/// Where the input ends while both streams are still looked behind, requests and answers come out in turn all the same.
#[test]
fn streams_from_the_middle_begin_together_at_the_end() {
    check(
        "flushed",
        r#"
        1 > P. 101 501 "a"
        2 < P. 501 102 "b"
        3 > P. 102 502 "c"
        4 < P. 502 103 "d"
        5 flush"#,
        r#"
        5 > 101 "a"
        5 < 501 "b"
        5 > 102 "c"
        5 < 502 "d"
        5 > end endofinput
        5 < end endofinput
        5 closed endofinput"#,
    );
}

/// The segment that gives up a cut tail may come when the window of a RST is over: its own octets stand before the end.
#[test]
fn nothing_follows_the_end_that_a_segment_brings_about() {
    after_open(
        "both directions are cut",
        r#"
        1 < . 501 101 "abc"+5
        2 < R. 509 101
        1500 > . 101 509 "x"+2"#,
        r#"
        1 < 501 "abc"
        1500 < 504 gap 5 snapped
        1500 > 101 "x"
        1500 > 102 gap 2 snapped
        1500 > end reset
        1500 < end reset
        1500 closed reset
        gaps 2
        refused_octets 0"#,
    );
}

#[test]
fn what_the_snapshot_length_cut_is_filled_while_it_waits() {
    after_open(
        "by a whole retransmission",
        r#"
        1 > .  104 501 "def"+3
        2 > .  104 501 "defghi"
        3 > .  101 501 "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        3 > 107 "ghi"
        gaps 0
        lost_octets 0
        overlaps 1"#,
    );
    after_open(
        "by a part of it",
        r#"
        1 > .  104 501 "def"+3
        2 > .  107 501 "g"
        3 > .  101 501 "abc"
        9 flush"#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        3 > 107 "g"
        9 > 108 gap 2 snapped
        9 > end endofinput
        9 < end endofinput
        9 closed endofinput
        lost_octets 2"#,
    );
    after_open(
        "with nothing missing before it: nobody has acknowledged it, so it is sent again",
        r#"
        1 >  .  101 501 "abc"+6
        2 >  .  110 501 "jkl"
        9 <  .  501 104
        900 > . 104 501 "def"
        950 > . 107 501 "ghi"
        990 < . 501 113"#,
        r#"
        1 > 101 "abc"
        900 > 104 "def"
        950 > 107 "ghi"
        950 > 110 "jkl"
        gaps 0
        lost_octets 0"#,
    );
    after_open(
        "but not where the other side has it: before what answers it",
        r#"
        1 > P. 101 501 "abc"+6
        2 < .  501 104
        3 < .  501 110 "xy"
        4 > P. 101 501 "abcdefghi""#,
        r#"
        1 > 101 "abc"
        3 > 104 gap 6 snapped
        3 < 501 "xy"
        gaps_snapped 1"#,
    );
    after_open(
        "nor where that was captured first",
        r#"
        1 < .  501 110
        2 > P. 101 501 "abc"+6"#,
        r#"
        2 > 101 "abc"
        2 > 104 gap 6 snapped"#,
    );
    check(
        "nor where nobody acknowledges anything",
        r#"
        0 > S  100
        1 > P. 101 501 "abc"+6"#,
        r#"
        1 > 101 "abc"
        1 > 104 gap 6 snapped"#,
    );
    after_open(
        "the end of the stream waits for it too",
        r#"
        1 > F. 101 501 "abc"+6
        2 < .  501 104
        3 > .  104 501 "defghi""#,
        r#"
        1 > 101 "abc"
        3 > 104 "defghi"
        3 > end fin
        gaps 0"#,
    );
    after_open(
        "both ends",
        r#"
        1 > F. 101 501 "abc"+6
        2 < F. 501 111"#,
        r#"
        1 > 101 "abc"
        2 > 104 gap 6 snapped
        2 > end fin
        2 < end fin
        2 closed fin
        gaps_snapped 1"#,
    );
}

#[test]
fn octets_wait_for_their_acknowledgment() {
    let waits = Limits {
        wait_ack: true,
        ..Limits::default()
    };
    after_open_with(
        "until it comes",
        &waits,
        r#"
        1 > P. 101 501 "abc"
        2 > P. 104 501 "def"
        3 < .  501 104
        4 < P. 501 107 "xy"
        5 > .  107 503"#,
        r#"
        3 > 101 "abc"
        4 > 104 "def"
        5 < 501 "xy"
        ack_held 3
        ack_timeout 0
        ack_forced 0
        out_of_order 0"#,
    );
    after_open_with(
        "that was captured before them: not at all",
        &waits,
        r#"
        1 < .  501 104
        2 > P. 101 501 "abc""#,
        r#"
        2 > 101 "abc"
        ack_held 0"#,
    );
    after_open_with(
        "their copies do not",
        &waits,
        r#"
        1 > P. 101 501 "abc"
        2 > P. 101 501 "abc"
        3 < .  501 104"#,
        r#"
        3 > 101 "abc"
        ack_held 1
        retransmissions 1
        out_of_order 0"#,
    );
    after_open_with(
        "of the whole segment",
        &waits,
        r#"
        1 > P. 101 501 "abc"
        2 < .  501 103
        3 < .  501 104"#,
        r#"
        3 > 101 "abc""#,
    );
    after_open_with(
        "for the packet timeout at most",
        &waits,
        r#"
        1 > P. 101 501 "abc"
        2000 tick
        2001 tick"#,
        r#"
        2001 > 101 "abc"
        ack_held 1
        ack_timeout 1
        ack_forced 0"#,
    );
    after_open_with(
        "and then for what lacks before them",
        &waits,
        r#"
        1 > P. 104 501 "def"
        2 < .  501 107
        3 > P. 101 501 "abc""#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        gaps 0
        out_of_order 1
        ack_held 1"#,
    );
    after_open_with(
        "a FIN ends the stream behind them",
        &waits,
        r#"
        1 > F. 101 501 "abc"
        2 < F. 501 105
        3 > .  105 502"#,
        r#"
        2 > 101 "abc"
        2 > end fin
        2 < end fin
        2 closed fin"#,
    );
    after_open_with(
        "an end without one lets them go",
        &waits,
        r#"
        1 > P. 101 501 "abc"
        2 > P. 104 501 "def"
        3 flush"#,
        r#"
        3 > 101 "abc"
        3 > 104 "def"
        3 > end endofinput
        3 < end endofinput
        3 closed endofinput
        ack_forced 2"#,
    );
    after_open_with(
        "they are bounded by the buffer, and those that waited longest go first",
        &Limits {
            tcp_buffer: 2600,
            ..waits.clone()
        },
        r#"
        1 > P. 101 501 #1000
        2 > P. 1101 501 #1000
        3 > P. 2101 501 #1000"#,
        r#"
        3 > 101 #1000
        ack_forced 1
        gaps 0"#,
    );
    after_open_with(
        "and by the number of segments that wait",
        &Limits {
            active_packets: 1,
            ..waits.clone()
        },
        r#"
        1 > P. 101 501 "abc"
        2 < P. 501 101 "xy""#,
        r#"
        2 > 101 "abc"
        ack_forced 1
        gaps 0"#,
    );
    check_with(
        "a side that is not captured acknowledges nothing",
        &waits,
        false,
        r#"
        0 > S  100
        1 > P. 101 501 "abc"
        2002 > P. 104 501 "def""#,
        r#"
        2002 > 101 "abc"
        ack_timeout 1"#,
    );
}

#[test]
fn segments_for_a_hole_that_was_given_up_are_late() {
    after_open(
        "late",
        r#"
        1 > . 104 501 "def"
        2 < . 501 107
        1002 tick
        1003 > . 101 501 "abc"
        1004 > . 101 501 "abcdefghi""#,
        r#"
        1002 > 101 gap 3 acked
        1002 > 104 "def"
        1004 > 107 "ghi"
        late 1
        refused_octets 3"#,
    );
}

#[test]
fn a_far_off_octet_allocates_nothing() {
    after_open(
        "unconfirmed: a connection of its own that began in the middle",
        r#"
        1 > . 101 501 "abc"
        2 > . 1500000000 501 "x"
        3 > . 104 501 "def"
        2002 tick"#,
        r#"
        1 > 101 "abc"
        3 > 104 "def"
        2002 1> 1500000000 "x"
        2002 1> end unconfirmed
        2002 1< end unconfirmed
        2002 1 closed unconfirmed
        connections 2
        midstream 1
        lost_octets 0"#,
    );
    after_open(
        "confirmed, with the other side's numbers as before: the stream goes on there",
        r#"
        1 > . 101 501 "abc"
        2 > . 1500000000 501 "xyz"
        3 > . 1500000003 501 "end"
        4 > . 1500000006 501 "!""#,
        r#"
        1 > 101 "abc"
        3 > 104 jump
        3 > 1500000000 "xyz"
        3 > 1500000003 "end"
        4 > 1500000006 "!"
        gaps_jump 1
        gaps 1
        connections 1"#,
    );
    after_open(
        "confirmed behind the end of its stream, which nothing may follow: another connection",
        r#"
        1 > F. 101 501 "abc"
        2 > . 3500000000 501 "xyz"
        3 > . 3500000003 501 "end"
        4 < . 501 3500000006 "answer"
        300 tick"#,
        r#"
        1 > 101 "abc"
        1 > end fin
        3 < end replaced
        3 closed replaced
        300 1> 3500000000 "xyz"
        300 1> 3500000003 "end"
        300 1< 501 "answer"
        gaps 0
        connections 2"#,
    );
    after_open(
        "confirmed, with other numbers of the other side: another connection",
        r#"
        1 > . 101 501 "abc"
        2 > . 1500000000 900000000 "xyz"
        3 > . 1500000003 900000000 "end"
        203 tick"#,
        r#"
        1 > 101 "abc"
        3 > end replaced
        3 < end replaced
        3 closed replaced
        203 1> 1500000000 "xyz"
        203 1> 1500000003 "end"
        connections 2
        reused_ports 1"#,
    );
    after_open(
        "max-gap itself is a hole",
        r#"
        1 > . 16777317 501 "x"
        2 > . 16777319 501 "y"
        3 flush"#,
        r#"
        3 > 101 gap 16777216 end
        3 > 16777317 "x"
        3 > 16777318 gap 1 end
        3 > 16777319 "y"
        3 > end endofinput
        3 < end endofinput
        3 closed endofinput"#,
    );
}

#[test]
fn ports_are_used_again() {
    after_open(
        "at once after the close",
        r#"
        1 > F. 101 501 "a"
        2 < F. 501 103
        3 > .  103 502
        4 > S  70000
        5 < S. 90000 70001
        6 > .  70001 90001 "new""#,
        r#"
        1 > 101 "a"
        1 > end fin
        2 < end fin
        2 closed fin
        6 1> 70001 "new"
        connections 2
        reused_ports 1
        midstream 0"#,
    );
    after_open(
        "without a close, the SYN is answered",
        r#"
        1 > .  101 501 "old"
        2 > S  70000
        3 < S. 90000 70001
        4 > .  70001 90001 "new""#,
        r#"
        1 > 101 "old"
        3 > end replaced
        3 < end replaced
        3 closed replaced
        4 1> 70001 "new"
        closed_replaced 1
        midstream 0"#,
    );
    after_open(
        "without a close, the SYN is followed",
        r#"
        1 > . 101 501 "old"
        2 > S 70000
        3 > . 70001 90001 "new""#,
        r#"
        1 > 101 "old"
        3 > end replaced
        3 < end replaced
        3 closed replaced
        3 1> 70001 "new""#,
    );
    after_open(
        "the SYN is answered by data behind it",
        r#"
        1 > . 101 501 "old"
        2 > S 70000000
        3 < . 90000001 70000004 "new"
        203 tick"#,
        r#"
        1 > 101 "old"
        3 > end replaced
        3 < end replaced
        3 closed replaced
        203 1< 90000001 "new"
        connections 2
        "#,
    );
    after_open(
        "a SYN that nothing confirms ends nothing",
        r#"
        1 > .  101 501 "abc"
        2 > S  70000
        3 > .  104 501 "def"
        2500 tick
        2501 > . 107 501 "ghi""#,
        r#"
        1 > 101 "abc"
        3 > 104 "def"
        2501 > 107 "ghi"
        connections 1"#,
    );
    after_open(
        "a repeated SYN is none",
        r#"
        1 > .  101 501 "abc"
        2 > S  100
        3 < S. 500 101
        4 > .  104 501 "def""#,
        r#"
        1 > 101 "abc"
        4 > 104 "def"
        connections 1"#,
    );
    after_open(
        "two SYNs are sent, the second one is answered",
        r#"
        1 > .  101 501 "old"
        2 > S  70000000
        3 > S  80000000
        4 < S. 90000000 80000001
        5 > .  80000001 90000001 "new"
        6 < .  90000001 80000004 "xy""#,
        r#"
        1 > 101 "old"
        4 > end replaced
        4 < end replaced
        4 closed replaced
        5 1> 80000001 "new"
        6 1< 90000001 "xy"
        connections 2
        lost_octets 0"#,
    );
    check(
        "a first SYN that nobody answered",
        r#"
        0 > S  100
        1000 > S 70000
        1001 < S. 500 70001
        1002 > . 70001 501 "abc""#,
        r#"
        1002 1> 70001 "abc"
        connections 2"#,
    );
    after_open(
        "a SYN-ACK captured before its SYN, after the close",
        r#"
        1 > F. 101 501 "a"
        2 < F. 501 103
        4 < S. 90000 70001
        5 > S  70000
        6 > .  70001 90001 "new""#,
        r#"
        1 > 101 "a"
        1 > end fin
        2 < end fin
        2 closed fin
        6 1> 70001 "new"
        connections 2
        midstream 0"#,
    );
    after_open(
        "a new SYN before the old connection's last FIN was captured",
        r#"
        1 > F. 101 501 "a"
        2 > S  70000
        3 < F. 501 103
        4 < S. 90000 70001
        5 > .  70001 90001 "new""#,
        r#"
        1 > 101 "a"
        1 > end fin
        3 < end fin
        3 closed fin
        5 1> 70001 "new"
        connections 2
        midstream 0"#,
    );
    after_open(
        "a new SYN within the reorder window of a RST",
        r#"
        1 > .  101 501 "old"
        2 < R. 501 104
        900 > S 70000
        1002 tick
        1100 < S. 90000 70001
        1101 > .  70001 90001 "new""#,
        r#"
        1 > 101 "old"
        1002 > end reset
        1002 < end reset
        1002 closed reset
        1101 1> 70001 "new"
        connections 2
        midstream 0"#,
    );
    after_open(
        "a late FIN, RST and data of the old connection",
        r#"
        1 > .  101 501 "old"
        2 > S  70000000
        3 < S. 90000000 70000001
        4 > F. 104 501
        5 < F. 501 105
        6 > R  104
        7 > .  101 501 "old"
        8 > .  70000001 90000001 "new"
        2020 tick"#,
        r#"
        1 > 101 "old"
        3 > end replaced
        3 < end replaced
        3 closed replaced
        8 1> 70000001 "new"
        2020 2> 101 "old"
        2020 2> end unconfirmed
        2020 2< end unconfirmed
        2020 2 closed unconfirmed"#,
    );
}

#[test]
fn the_key_is_known_for_a_while_after_the_end() {
    let closed = r#"
        1 > F. 101 501 "abc"
        2 < F. 501 105
        3 > .  105 502"#;
    let end = r#"
        1 > 101 "abc"
        1 > end fin
        2 < end fin
        2 closed fin"#;
    after_open(
        "strays open nothing",
        &format!(
            r#"{closed}
        4 > S  100
        5 < S. 500 101
        6 > F. 101 501 "abc"
        7 < R  502
        8 > .  105 502 "x"
        30001 < . 502 105"#
        ),
        &format!("{end}\nconnections 1\nstray 1\nretransmissions 1"),
    );
    after_open(
        "after 30 s they do",
        &format!(
            r#"{closed}
        30003 tick
        30004 > . 105 502 "x"
        30204 tick"#
        ),
        &format!("{end}\n30204 1> 105 \"x\"\nconnections 2\nreused_ports 0"),
    );
    after_open(
        "payload far from the old numbers does",
        &format!(
            r#"{closed}
        4 > . 2000000 502 "x"
        5 > . 2000001 502 "y"
        205 tick"#
        ),
        &format!(
            "{end}\n205 1> 2000000 \"x\"\n205 1> 2000001 \"y\"\nconnections 2\nreused_ports 1"
        ),
    );
}

#[test]
fn an_idle_connection_is_closed() {
    let minute = Limits {
        session_timeout: Duration::from_secs(30),
        ..Limits::default()
    };
    after_open_with(
        "session timeout",
        &minute,
        r#"
        1 > . 101 501 "abc"
        2 > . 107 501 "ghi"
        30001 tick
        30002 tick
        30003 > . 110 501 "x"
        30203 tick"#,
        r#"
        1 > 101 "abc"
        30002 > 104 gap 3 end
        30002 > 107 "ghi"
        30002 > end idle
        30002 < end idle
        30002 closed idle
        30203 1> 110 "x"
        closed_idle 1"#,
    );
}

#[test]
fn connections_go_in_order_when_there_are_too_many() {
    let three = Limits {
        connections: 3,
        ..Limits::default()
    };
    check_with(
        "ended ones, half-open ones, those idle longest",
        &three,
        false,
        r#"
        0 >1 S  100
        0 <1 S. 500 101
        1000 >2 S  100
        2000 >3 S  100
        2000 <3 S. 500 101
        3000 >3 .  101 501 "c"
        4000 >1 .  101 501 "a"
        5000 >4 S  100
        5000 <4 S. 500 101
        6000 >4 .  101 501 "d"
        7000 >5 S  100
        8000 >6 S  100
        8000 <6 S. 500 101
        9000 >1 F. 102 501
        9000 <1 F. 501 103
        10000 >7 S 100
        11000 >4 . 102 501 "e"
        12000 flush"#,
        r#"
        3000 2> 101 "c"
        4000 > 101 "a"
        6000 3> 101 "d"
        7000 2> end evicted
        7000 2< end evicted
        7000 2 closed evicted
        9000 > end fin
        9000 < end fin
        9000 closed fin
        11000 3> 102 "e"
        12000 3> end endofinput
        12000 3< end endofinput
        12000 3 closed endofinput
        closed_evicted 3
        closed_fin 1
        closed_end 3"#,
    );
}

#[test]
fn the_budget_makes_room_by_holes_and_connections() {
    use super::testing::TestTcp;
    let mut bench = TestTcp::new(Limits::default(), [0, 0]);
    bench.script(&format!(
        "{OPEN}\n1 > . 104 501 #1000\n2 >2 S 100\n3 >3 S 100\n3 <3 S. 500 101"
    ));
    let TestTcp { cx, tcp, sink, .. } = &mut bench;
    // What waits behind holes, then connections with data, idle ones before; those without data would give nothing back.
    assert!(!tcp.evict_idle(cx, sink));
    let before = cx.budget.used();
    assert!(tcp.free_memory(cx, sink));
    assert!(cx.budget.used() < before - 1000);
    assert_eq!(sink.events, ["3 > 101 gap 3 memory", "3 > 104 #1000"]);
    assert_eq!(tcp.connections(), 3);
    assert!(tcp.free_memory(cx, sink));
    assert_eq!(tcp.connections(), 2);
    assert!(!tcp.free_memory(cx, sink));
    bench.script("4 >4 . 101 501 \"abc\"");
    let TestTcp { cx, tcp, sink, .. } = &mut bench;
    assert!(!tcp.evict_idle(cx, sink));
    cx.now = cx.now.after(Duration::from_secs(2));
    assert!(tcp.evict_idle(cx, sink));
    assert_eq!(tcp.connections(), 2);
    assert!(!tcp.evict_idle(cx, sink) && !tcp.free_memory(cx, sink));
    bench.flush();
}

#[test]
fn acknowledgments_ahead_of_their_octets_lose_nothing() {
    check_with(
        "what waits for the octets goes on, and they still count",
        &Limits::default(),
        true,
        &format!(
            "{OPEN}{}",
            r#"
        1 < . 501 104 "xy"
        1001 tick
        1500 > . 101 503 "abc"
        1501 < . 503 104 "z""#
        ),
        r#"
        1001 < 501 "xy"
        1500 > 101 "abc"
        1501 < 503 "z"
        gaps 0
        lost_octets 0
        late 0"#,
    );
    let acks: String = (0..40)
        .map(|n| format!("\n{} < . 501 {}", 10 * n, 104 + 3 * n))
        .collect();
    let data: String = (0..40)
        .map(|n| format!("\n{} > . {} 501 #3", 500 + 10 * n, 101 + 3 * n))
        .collect();
    let found: String = (0..40)
        .map(|n| {
            format!("\n{} > {} \"{}\"", 500 + 10 * n, 101 + 3 * n, {
                let octets = super::testing::octets(101 + 3 * n, 3);
                String::from_utf8(octets).unwrap()
            })
        })
        .collect();
    after_open(
        "half a second",
        &format!("{acks}{data}"),
        &format!("{found}\ngaps 0\nlate 0"),
    );
    after_open(
        "the first octets that were lost are waited for from when something is behind them",
        r#"
        1 < . 501 107
        1500 > . 104 501 "def"
        2499 tick
        2500 tick"#,
        r#"
        2500 > 101 gap 3 acked
        2500 > 104 "def"
        gaps_acked 1"#,
    );
    after_open(
        "they come in that time",
        r#"
        1 < . 501 107
        1500 > . 104 501 "def"
        2000 > . 101 501 "abc""#,
        r#"
        2000 > 101 "abc"
        2000 > 104 "def"
        gaps 0"#,
    );
    let quick: String = (0..40)
        .map(|n| format!("\n{} < . 501 104", 3 + n))
        .collect();
    after_open(
        "a RST that is captured ahead",
        &format!(
            r#"
        1 > . 101 501 "abc"
        2 > R 104 {quick}
        500 < . 501 104 "late"
        1002 tick"#
        ),
        r#"
        1 > 101 "abc"
        500 < 501 "late"
        1002 > end reset
        1002 < end reset
        1002 closed reset
        stray 0"#,
    );
}

#[test]
fn ports_are_used_again_without_a_handshake() {
    let one_fin = r#"
        1 > F. 101 501 "abc"
        2 < . 501 105 "xy""#;
    let end = r#"
        1 > 101 "abc"
        1 > end fin
        2 < 501 "xy""#;
    after_open(
        "answered, near the old numbers",
        &format!(
            r#"{one_fin}
        1800 > . 48000 90000 "GET"
        1801 < . 90000 48003 "OK"
        2100 tick"#
        ),
        &format!(
            r#"{end}
        1801 < end replaced
        1801 closed replaced
        2100 1> 48000 "GET"
        2100 1< 90000 "OK"
        connections 2
        refused_octets 0"#
        ),
    );
    after_open(
        "followed, right above the stream's end",
        &format!(
            r#"{one_fin}
        1800 > . 106 90000 "a"
        1801 > . 107 90000 "b"
        2100 tick"#
        ),
        &format!(
            r#"{end}
        1801 < end replaced
        1801 closed replaced
        2100 1> 106 "a"
        2100 1> 107 "b"
        connections 2"#
        ),
    );
    after_open(
        "neither: one message, and a copy of it",
        &format!(
            r#"{one_fin}
        1800 > . 48000 90000 "GET"
        1801 > . 48000 90000 "GET"
        3800 tick
        3900 > . 48000 90000 "GET""#
        ),
        &format!(
            r#"{end}
        3800 1> 48000 "GET"
        3800 1> end unconfirmed
        3800 1< end unconfirmed
        3800 1 closed unconfirmed
        connections 2
        duplicate_octets 6"#
        ),
    );
    let both = r#"
        1 > F. 101 501 "abc"
        2 < F. 501 105"#;
    let closed = r#"
        1 > 101 "abc"
        1 > end fin
        2 < end fin
        2 closed fin"#;
    after_open(
        "the end was captured, the SYN comes behind its data",
        &format!(
            r#"{both}
        5 > . 48001 90001 "GET"
        6 > S 48000
        7 < S. 90000 48001"#
        ),
        &format!(
            r#"{closed}
        6 1> 48001 "GET"
        connections 2
        refused_octets 0"#
        ),
    );
    after_open(
        "a new one below the old numbers",
        &format!(
            r#"{both}
        5 > . 20 700 "GET"
        6 < . 700 23 "OK"
        300 tick"#
        ),
        &format!(
            r#"{closed}
        300 1> 20 "GET"
        300 1< 700 "OK"
        connections 2"#
        ),
    );
}

#[test]
fn an_acknowledgment_confirms_a_jump() {
    after_open(
        "which the other side names",
        r#"
        1 > . 101 501 "abc"
        2 > . 100000000 501 "far"
        3 < . 501 100000003
        4 > . 100000003 501 "on""#,
        r#"
        1 > 101 "abc"
        3 > 104 jump
        3 > 100000000 "far"
        4 > 100000003 "on"
        gaps_jump 1"#,
    );
    after_open(
        "nothing does: no gap over --max-gap, and no octet twice",
        r#"
        1 > . 101 501 "abc"
        2 > . 100000000 501 "far"
        3 > . 700000000 501 "off"
        4 > . 100000000 501 "far"
        2002 tick
        2003 > . 700000000 501 "off""#,
        r#"
        1 > 101 "abc"
        2002 1> 100000000 "far"
        2002 1> end unconfirmed
        2002 1< end unconfirmed
        2002 1 closed unconfirmed
        2002 2> 700000000 "off"
        2002 2> end unconfirmed
        2002 2< end unconfirmed
        2002 2 closed unconfirmed
        gaps 0
        duplicate_octets 6"#,
    );
}

/// What a fuzz target found: its input had the SYN behind the data that had moved the stream.
#[test]
fn numbers_that_only_an_acknowledgment_named_leave_no_gap() {
    let limits = Limits {
        max_gap: 1000,
        ..Limits::default()
    };
    check_with(
        "they were another connection's: the stream begins with the numbers that its data has",
        &limits,
        false,
        r#"
        1 > P. 20 140 "ask"
        2 < P 2180 "abc"
        3 < P 2183 "def"
        4 < S 2176
        9 flush"#,
        r#"
        9 > 20 "ask"
        9 < 2177 gap 3 end
        9 < 2180 "abc"
        9 < 2183 "def"
        9 > end endofinput
        9 < end endofinput
        9 closed endofinput
        gaps_jump 0
        gaps 1
        connections 1"#,
    );
}

/// What a fuzz target found: they vanished.
#[test]
fn octets_that_were_acknowledged_and_not_captured_are_missing_ahead_of_a_jump() {
    check_with(
        "the first octets of the stream come behind what names its end",
        &Limits::default(),
        false,
        r#"
        1 < P. 500 300 "abc"
        2 > P. 200 503 "old"
        900 tick
        901 > P. 100000000 503 "far"
        902 > P. 100000003 503 "on"
        903 flush"#,
        r#"
        900 < 500 "abc"
        900 > 200 "old"
        902 > 203 gap 97 jump
        902 > 300 jump
        902 > 100000000 "far"
        902 > 100000003 "on"
        903 < end endofinput
        903 > end endofinput
        903 closed endofinput
        gaps_jump 2
        lost_octets 97"#,
    );
}

/// What a fuzz target found.
#[test]
fn a_reset_of_the_old_numbers_does_not_end_the_new_ones() {
    let limits = Limits {
        max_gap: 1000,
        ..Limits::default()
    };
    check_with(
        "its time is over when the jump is confirmed",
        &limits,
        false,
        r#"
        1 < S 458 "first"
        54 > SRF 565 "refused"
        216 > P. 3117 332 "jump"
        6500 > P. 3274 1431 "more"
        6600 flush"#,
        r#"
        1 < 459 "first"
        6500 > 566 jump
        6500 > 3117 "jump"
        6600 > 3121 gap 153 end
        6600 > 3274 "more"
        6600 < 464 gap 967 end
        6600 < end endofinput
        6600 > end endofinput
        6600 closed endofinput
        accepted_octets 13"#,
    );
}

/// What a fuzz target found: the segments are those of its input.
#[test]
fn a_held_syn_with_data_that_is_sent_again_is_counted() {
    check(
        "the second copy is longer",
        r#"
        0 > S 50
        0 < F. 60 427
        0 > S 0 "ab"
        0 > S 0 #155
        0 flush"#,
        r#"
        0 > 51 gap 376 end
        0 > end endofinput
        0 < end fin
        0 closed endofinput
        octets 157
        refused_octets 157"#,
    );
}

#[test]
fn a_syn_that_was_held_at_the_end_is_a_connection_that_ends() {
    // The flush looks for what is left: the bench counts what was opened and closed.
    check(
        "behind a RST",
        r#"
        20 > S 576
        220 > F. 0 4294967295 "a"+5
        220 > SRF. 1350 489
        222 > S 611
        222 flush"#,
        r#"
        222 > end reset
        222 < end reset
        222 closed reset
        connections 2"#,
    );
}

#[test]
fn a_syn_behind_its_data_begins_the_stream_only_if_nothing_comes_before_it() {
    // The SYN's first octet is 21, and 5 was there before.
    let mut bench = super::testing::TestTcp::new(Limits::default(), [0; 2]);
    bench.script("0 > P 60 #30\n0 > P 5 #40\n0 > S. 20 0 #30\n3000 flush");
    let first = bench.sink.streams[0][0].first().copied().flatten();
    assert_eq!(first, Some(super::testing::octet(5)));
}

mod model {
    //! The stage against a plain model of one stream.

    use super::super::testing::{SegmentLine, TestTcp, octets};
    use crate::base::flags;
    use crate::base::limits::{Limits, Overlap};
    use proptest::prelude::*;

    /// Number of the first octet, in the notation.
    const FIRST: u32 = 1000;

    /// One segment of a stream: place, length, whether its content differs, and what the other side acknowledges behind it.
    #[derive(Clone, Debug)]
    struct StreamPart {
        at: u32,
        len: usize,
        differs: bool,
        ack: Option<u32>,
        wait: u64,
    }

    fn parts(differ: bool) -> impl Strategy<Value = Vec<StreamPart>> {
        let part = (
            0..150_u32,
            1..30_usize,
            prop::bool::weighted(if differ { 0.3 } else { 0.0 }),
            prop::option::weighted(0.3, 0..180_u32),
            0..40_u64,
        );
        let part = part.prop_map(|(at, len, differs, ack, wait)| StreamPart {
            at,
            len,
            differs,
            ack,
            wait,
        });
        prop::collection::vec(part, 1..60)
    }

    fn data(part: &StreamPart) -> Vec<u8> {
        let mut data = octets(FIRST + part.at, part.len);
        if part.differs {
            data.make_ascii_uppercase();
        }
        data
    }

    fn line(ms: u64, flags: u8, seq: u32, data: Vec<u8>) -> SegmentLine {
        SegmentLine {
            ms,
            forward: true,
            port: 0,
            flags,
            seq,
            ack: None,
            data,
            cut: 0,
            sum: super::super::SegmentSum::Unknown,
            channel: 0,
        }
    }

    fn acks(ms: u64, ack: u32) -> SegmentLine {
        SegmentLine {
            forward: false,
            ack: Some(ack),
            ..line(ms, flags::ACK, 5000, Vec::new())
        }
    }

    /// The octets of a stream by the plainest rules there are.
    struct StreamModel {
        cells: Vec<Option<u8>>,
        rule: Overlap,
        started: bool,
        seen: u32,
        next: usize,
        high: usize,
        /// What the other side has acknowledged.
        acked: usize,
        fin: usize,
    }

    impl StreamModel {
        fn new(rule: Overlap, from_start: bool) -> Self {
            Self {
                cells: vec![None; 200],
                rule,
                started: from_start,
                seen: 0,
                next: 0,
                high: 0,
                acked: 0,
                fin: usize::MAX,
            }
        }

        fn take(&mut self, at: usize, data: &[u8]) {
            let keep = data.len().min(self.fin.saturating_sub(at));
            let (data, cut) = (&data[..keep], keep < data.len());
            let end = at + data.len();
            if data.is_empty() || (!cut && data.len() == 1 && end == self.high && self.started) {
                return;
            }
            self.high = self.high.max(end);
            for (i, octet) in data.iter().enumerate() {
                let cell = &mut self.cells[at + i];
                if at + i >= self.next && (cell.is_none() || self.rule == Overlap::Last) {
                    *cell = Some(*octet);
                }
            }
            self.seen += 1;
            if !self.started && self.seen == Limits::default().look_behind_segments {
                self.start();
            }
            self.advance();
        }

        fn finish(&mut self, at: usize) {
            if self.fin == usize::MAX && !(self.started && at < self.next) {
                self.fin = at;
                for cell in self.cells.iter_mut().skip(at) {
                    *cell = None;
                }
            }
        }

        fn start(&mut self) {
            self.started = true;
            let lowest = self.cells.iter().position(Option::is_some);
            self.next = lowest.unwrap_or(self.fin.min(self.cells.len()));
        }

        fn advance(&mut self) {
            while self.started && self.cells.get(self.next).is_some_and(Option::is_some) {
                self.next += 1;
            }
        }

        /// The stream from its start to its highest octet.
        fn stream(mut self, origin: Option<usize>) -> Vec<Option<u8>> {
            if !self.started {
                self.start();
            }
            let from = origin.unwrap_or_else(|| {
                let lowest = self.cells.iter().position(Option::is_some);
                lowest.unwrap_or(self.cells.len())
            });
            let last = self.cells.iter().rposition(Option::is_some);
            let end = match self.fin {
                usize::MAX => {
                    let seen = last.map_or(0, |last| last + 1);
                    // One more than was seen is a FIN that was not.
                    if self.acked == seen + 1 {
                        seen
                    } else {
                        seen.max(self.acked)
                    }
                }
                fin => fin,
            };
            self.cells[from.min(end)..end].to_vec()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

        /// Any order, overlap, duplication and loss, at any place of the numbers: octet by octet what the model says.
        #[test]
        fn the_stage_agrees_with_it(
            parts in parts(true), last in any::<bool>(), syn in any::<bool>(), base in prop_oneof![
                any::<u32>(), (0..250_u32).prop_map(|n| 0_u32.wrapping_sub(FIRST + n)),
            ],
            fin in prop::option::of((0..60_usize, 0..180_u32)),
        ) {
            let rule = if last { Overlap::Last } else { Overlap::First };
            let limits = Limits { overlap: rule, ..Limits::default() };
            let mut bench = TestTcp::new(limits, [base, base ^ 77]);
            let mut model = StreamModel::new(rule, syn);
            if syn {
                bench.segment(&line(0, flags::SYN, FIRST - 1, Vec::new()));
            }
            for (i, part) in parts.iter().enumerate() {
                if let Some((when, at)) = fin && when == i {
                    bench.segment(&line(0, flags::FIN, FIRST + at, Vec::new()));
                    model.finish(at as usize);
                }
                if part.at as usize > model.fin.saturating_add(1) {
                    // Above the FIN the octets are those of another connection.
                    continue;
                }
                let data = data(part);
                model.take(part.at as usize, &data);
                bench.segment(&line(0, 0, FIRST + part.at, data));
                if let Some(ack) = part.ack {
                    bench.segment(&acks(0, FIRST + ack));
                    if ack as usize <= model.fin.saturating_add(1) {
                        model.acked = model.acked.max(ack as usize);
                    }
                }
            }
            // Behind the end of a stream, which nothing told here, a connection would be another one.
            bench.flush();
            let found = bench.sink.streams.first().map(|s| s[0].clone()).unwrap_or_default();
            let expected = model.stream(syn.then_some(0));
            let text = |s: &[Option<u8>]| s.iter().map(|o| o.map_or('_', char::from)).collect::<String>();
            prop_assert_eq!(text(&found), text(&expected));
        }

        /// With limits that are met all the time, and time that passes: each octet is delivered once, or lies in a gap that was
        /// told; nothing is made up.
        #[test]
        fn tight_limits_lose_nothing_silently(
            parts in parts(false), syn in any::<bool>(), waits in any::<bool>(), base in any::<u32>(),
            buffer in 0..3000_usize, holes in 1..5_usize, active in 1..12_usize, connections in 1..3_usize,
            step in prop_oneof![Just(0_u64), Just(1), Just(30)], other in any::<u16>(), wait_ack in any::<bool>(),
        ) {
            let limits = Limits {
                tcp_buffer: buffer, tcp_holes: holes, active_packets: active, connections, wait_ack, ..Limits::default()
            };
            let mut bench = TestTcp::new(limits, [base, base ^ 77]);
            bench.sink.waits = waits;
            let mut ms = 0;
            if syn {
                bench.segment(&line(0, flags::SYN, FIRST - 1, Vec::new()));
            }
            for (i, part) in parts.iter().enumerate() {
                ms += part.wait * step;
                // A second connection, and now and then an end of both.
                let port = u16::from(other >> (i % 16) & 1 == 1);
                bench.segment(&SegmentLine { port, ..line(ms, 0, FIRST + part.at, data(part)) });
                if let Some(ack) = part.ack {
                    bench.segment(&SegmentLine { port, ..acks(ms, FIRST + ack) });
                }
                if i == 40 {
                    bench.segment(&line(ms, flags::FIN, FIRST + 180, Vec::new()));
                }
                if i == 50 {
                    bench.segment(&line(ms, flags::RST, FIRST + 180, Vec::new()));
                }
            }
            bench.flush();
            let delivered: usize = bench.sink.streams.iter().flatten().map(|s| s.iter().flatten().count()).sum();
            prop_assert_eq!(delivered as u64, bench.counter("delivered_octets"));
            let lost: usize = bench.sink.streams.iter().flatten().map(|s| s.iter().filter(|o| o.is_none()).count()).sum();
            prop_assert_eq!(lost as u64, bench.counter("lost_octets"));
            for event in &bench.sink.events {
                // Each octet tells its number: the events say where they stand.
                let words: Vec<&str> = event.split('"').collect();
                if let [head, text, ..] = words[..] {
                    let number: u32 = head.split_whitespace().last().unwrap().parse().unwrap();
                    prop_assert_eq!(text.as_bytes(), octets(number, text.len()), "{}", event);
                }
            }
        }
    }
}
