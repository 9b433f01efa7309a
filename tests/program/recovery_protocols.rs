//! A short form of `scripts/recovery-protocols`: conversations of many protocols, damaged in many ways, before the real binary.
//! What is found is right, whole, once and in order; and of what can be found nearly all is.

use std::path::Path;
use std::process::Command;

#[track_caller]
fn recovers(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/recovery-protocols");
    let done = Command::new("python3")
        .arg(script)
        .args(["--bin", env!("CARGO_BIN_EXE_inet-asm")])
        .args(["--connections", "3", "--exchanges", "12", "--show", "3"])
        .args(arguments)
        .output()
        .expect("python3 is needed");
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{errors}");
}

/// Text is hardly ever like a header.
#[test]
fn messages_of_text_are_found_again() {
    recovers(&[
        "--only",
        "len0,len4,mysql,pgsql,rtsp,smtp,pop,ftp,resp,http,diameter,mqtt,mbtcp,104apci,tls,dns,mongo",
        "--values",
        "text",
        "--damage",
        "clean,loss-1,reorder-5,vlan-5,skew-s50,skew-c500,times-equal",
        "--least",
        "1",
    ]);
}

/// The other protocols, whose headers tell more.
#[test]
fn messages_of_all_framers_are_found_again() {
    recovers(&[
        "--only",
        "websocket,sip,bgp,doip,ldap,amqp,imap,nbss,tpkt,someip,opcua,enip,dnp3,cql,kafka",
        "--values",
        "text",
        "--damage",
        "loss-1,skew-s50",
        "--least",
        "1",
    ]);
}

/// Zeros and small numbers look like headers at each place: where the sender began to write, and what the other side had received
/// when it spoke, tells where messages begin all the same, also where the snapshot length has cut each segment.
#[test]
fn writes_and_turns_tell_where_messages_begin() {
    let rows = [
        "--only",
        "len0,len4,dns",
        "--values",
        "small",
        "--exchanges",
        "40",
    ];
    for (damage, least) in [("loss-1", "0.98"), ("loss-5", "0.93")] {
        recovers(&[&rows[..], &["--damage", damage, "--least", least]].concat());
    }
    recovers(&[
        "--only",
        "websocket",
        "--damage",
        "loss-5,snap-256",
        "--least",
        "0.94",
        "--exchanges",
        "40",
    ]);
    recovers(&[
        "--only",
        "until",
        "--values",
        "text",
        "--damage",
        "loss-1",
        "--least",
        "1",
        "--exchanges",
        "40",
    ]);
}

/// A capture that begins behind the upgrade: frames are known by the text behind a client's masks.
#[test]
fn a_websocket_from_its_middle() {
    recovers(&[
        "--only",
        "websocket",
        "--values",
        "text",
        "--damage",
        "late-0",
        "--least",
        "0.7",
    ]);
}

/// Of two taps one is half a second ahead, in which the server asks for more mails than are remembered.
#[test]
fn mails_behind_a_server_that_is_far_ahead() {
    recovers(&[
        "--only",
        "smtp",
        "--damage",
        "skew-c500,skew-s500",
        "--least",
        "1",
        "--connections",
        "1",
        "--exchanges",
        "40",
    ]);
}

/// A hole is given up a second behind its acknowledgment, and what is found behind it waits no longer for more.
#[test]
fn nothing_waits_longer_than_a_second() {
    recovers(&[
        "--only",
        "http,mysql,rtsp",
        "--values",
        "text",
        "--damage",
        "loss-5,loss-20",
        "--slow",
        "100",
        "--wait",
        "1.1",
    ]);
}

/// Where nobody acknowledges anything, a hole is waited for as long as `--tcp-packet-timeout` says: the least time behind which TCP
/// sends again is a second (RFC 6298, 2.4).
#[test]
fn what_nobody_acknowledges_waits_for_the_timeout() {
    recovers(&[
        "--only",
        "http",
        "--values",
        "text",
        "--damage",
        "oneway-s5",
        "--slow",
        "100",
        "--wait",
        "2.1",
        "--exchanges",
        "40",
    ]);
}

/// A capture that begins in the middle of connections: what was sent before is in none of the segments, also where the octets of
/// messages look like headers.
#[test]
fn late_starts_lose_little() {
    for (rows, values, least) in [
        ("len0,len4", "small", "0.95"),
        ("dns", "small,text", "1"),
        ("mysql", "random", "0.9995"),
    ] {
        let rows = ["--only", rows, "--values", values, "--least", least];
        let size = ["--exchanges", "40", "--connections", "8"];
        recovers(&[&rows[..], &size, &["--damage", "late-0"]].concat());
    }
}

/// What was sent when the other side had more than is here, a mail whose end and next command are lost, a marker behind one of its
/// octets: all messages that are there.
#[test]
fn much_loss_loses_no_record_mail_or_marker() {
    for (rows, values) in [("tls,pop", "text"), ("bgp", "random")] {
        let rows = ["--only", rows, "--values", values, "--damage", "loss-20"];
        let size = ["--exchanges", "40", "--connections", "8", "--least", "1"];
        recovers(&[&rows[..], &size].concat());
    }
}

/// Of headers that are like any other octets, those are believed that are nearly certain; none is made up, also where the snapshot
/// length has left 56 octets of each segment.
#[test]
fn what_is_like_a_header_is_weighed() {
    let size = [
        "--exchanges",
        "40",
        "--connections",
        "8",
        "--values",
        "small",
    ];
    for (rows, damage, least) in [
        ("len0,len4,mysql,websocket", "loss-5", "0.99"),
        ("len0,len4,websocket", "loss-20", "0.96"),
        ("len0,len4,mysql", "snap-96", "0.7"),
    ] {
        let rows = ["--only", rows, "--damage", damage, "--least", least];
        recovers(&[&rows[..], &size].concat());
    }
}

/// What cannot be told is not claimed, whatever is lost.
#[test]
fn nothing_is_made_up_of_what_looks_like_headers() {
    let damages = "loss-5,loss-20,burst-5,late-5,oneway-s5,snap-96";
    let strong = ["--only", "until,pgsql,websocket,rtsp"];
    let weak = ["--only", "len0,len4,mysql", "--values", "text,random"];
    let cut = ["--only", "len0,mysql,until,pgsql,websocket,rtsp"];
    let cut = [&cut[..], &["--values", "text,random"]].concat();
    for (chosen, damage) in [(&strong[..], damages), (&weak, damages), (&cut, "snap-256")] {
        recovers(&[chosen, &["--damage", damage]].concat());
    }
}

/// Random octets are like a length now and then.
#[test]
fn messages_of_random_octets_are_found_again() {
    recovers(&[
        "--only",
        "len0,mysql,pgsql,rtsp",
        "--values",
        "random",
        "--damage",
        "loss-5,loss-20",
        "--least",
        "0.99",
    ]);
}
