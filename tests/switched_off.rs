//! Transports that are switched off (`--disable`): another run goes on where the first left off, and gives what one run
//! gives.

mod common;

use common::{CAPTURES, find_counter, inet_asm, run, testdata};
use std::ffi::OsStr;
use std::path::Path;

/// What one run makes of a capture, and what two runs make of it, the first without these transports.
fn compare(path: &Path, transports: &str) {
    let whole = run([path], b"");
    let arguments: [&OsStr; 3] = ["--disable".as_ref(), transports.as_ref(), path.as_ref()];
    let first = run(arguments, b"");
    assert_eq!(
        first.status.code(),
        whole.status.code(),
        "{}",
        path.display()
    );
    let second = run::<&str>([], &first.stdout);
    assert!(
        second.stdout == whole.stdout,
        "{} without {transports}: {} and {} octets",
        path.display(),
        second.stdout.len(),
        whole.stdout.len()
    );
}

#[test]
fn another_run_goes_on() {
    for c in CAPTURES {
        for transports in ["tcp", "tcp,udp", "tcp,udp,sctp"] {
            compare(&testdata(c.name), transports);
        }
    }
    compare(&testdata("dns-udp.pcap"), "udp");
    for name in ["fragments", "interleaved", "large", "lost", "multihomed"] {
        compare(&testdata(&format!("sctp-{name}.pcap")), "sctp");
    }
}

#[test]
fn what_is_switched_off_is_counted() {
    let done = common::feed(
        inet_asm(["-s", "--disable", "tcp,udp"]).arg(testdata("http-keepalive.pcap")),
        &[],
    );
    let count = |name: &str| find_counter(&done.stderr, name).unwrap_or(0);
    assert_eq!(count("tcp.disabled"), count("ipv4.passed"));
    assert_eq!(count("tcp.segments"), 0);
    assert_eq!(count("output.packets"), count("tcp.disabled"));
    assert_eq!(count("message.messages"), 0);
}
