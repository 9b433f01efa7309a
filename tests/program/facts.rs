//! How other programs fail on TCP, a test for each: what they lose, make up or wait for comes out right here.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind, body, get, response};
use crate::common::{self, counter, export_objects, messages, run, segments};
use std::os::unix::fs::MetadataExt;

/// The whole messages from port `from`.
fn whole(capture: &Pcap, from: u16) -> Vec<Vec<u8>> {
    let all = segments(&messages(&capture.file)).into_iter();
    let own = all.filter(|s| s.source_port == from && !s.payload.is_empty());
    own.filter(|s| s.payload.len() == s.payload_len)
        .map(|s| s.payload)
        .collect()
}

fn count(capture: &Pcap, name: &str) -> u64 {
    counter(&run(["-n", "-s"], &capture.file).stderr, name)
}

/// A request, and parts of its answer as (place, end) in the order of their capture; the server's first octet is `first`.
fn answered(first: u32, answer: &[u8], parts: &[(usize, usize)]) -> (Pcap, u32) {
    let mut pcap = Pcap::new();
    let request = get("/a");
    pcap.open(1000, first.wrapping_sub(1))
        .client(1001, first, ACK | PSH, &request);
    let asked = behind(1001, &request);
    for &(from, to) in parts {
        pcap.server(
            behind(first, &answer[..from]),
            asked,
            ACK,
            &answer[from..to],
        );
    }
    (pcap, asked)
}

#[test]
fn probe_1_nothing_is_lost_where_numbers_wrap() {
    let answer = response(&body(2000));
    let end = answer.len();
    for before in 0..=40 {
        let first = 0_u32.wrapping_sub(before * 52);
        for parts in [
            [(0, 700), (700, 1400), (1400, end)],
            [(1400, end), (700, 1400), (0, 700)],
        ] {
            let (pcap, _) = answered(first, &answer, &parts);
            assert!(
                whole(&pcap, SERVER.1) == [answer.clone()],
                "{first} {parts:?}"
            );
        }
    }
}

#[test]
fn probe_2_a_retransmission_that_goes_past_what_was_delivered_brings_its_new_octets() {
    let answer = response(&body(2000));
    let (pcap, _) = answered(5000, &answer, &[(0, 900), (100, 1500), (800, answer.len())]);
    assert!(whole(&pcap, SERVER.1) == [answer]);
    assert_eq!(count(&pcap, "tcp.lost_octets"), 0);
}

#[test]
fn probe_3_a_fin_before_the_last_octets_closes_nothing_and_disorders_nothing() {
    let answer = response(&body(2000));
    let (mut pcap, asked) = answered(5000, &answer, &[(0, 700)]);
    pcap.server(behind(5000, &answer), asked, ACK | FIN, b"")
        .server(behind(5000, &answer[..1400]), asked, ACK, &answer[1400..])
        .server(behind(5000, &answer[..700]), asked, ACK, &answer[700..1400])
        .client(
            asked,
            behind(5000, &answer) + 1,
            ACK | PSH,
            &get("/the-other-direction-goes-on"),
        );
    assert!(whole(&pcap, SERVER.1) == [answer]);
    assert_eq!(whole(&pcap, CLIENT.1).len(), 2);
}

#[test]
fn probe_4_a_start_in_the_middle_loses_nothing_below_its_first_segment() {
    let (first, second) = (response(&body(300)), response(&body(400)));
    let mut pcap = Pcap::new();
    pcap.server(behind(7000, &first), 1, ACK, &second)
        .server(7000, 1, ACK, &first)
        .client(1, behind(behind(7000, &first), &second), ACK, b"");
    assert!(whole(&pcap, SERVER.1) == [first, second]);
    assert_eq!(count(&pcap, "tcp.before_start"), 0);
}

#[test]
fn probe_5_a_segment_larger_than_any_buffer_passes() {
    let answer = response(&body(65_000));
    let (pcap, _) = answered(5000, &answer, &[(0, answer.len())]);
    assert!(whole(&pcap, SERVER.1) == [answer.clone()]);
    let done = run(["-n", "-s", "--tcp-buffer", "1K"], &pcap.file);
    assert_eq!(
        counter(&done.stderr, "tcp.delivered_octets"),
        (answer.len() + get("/a").len()) as u64
    );
}

#[test]
fn probe_6_an_initial_number_of_all_ones_is_one_like_others() {
    let answer = response(b"body");
    let (mut pcap, asked) = answered(0, &answer, &[(0, answer.len())]);
    pcap.client(asked, behind(0, &answer), ACK, b"");
    assert_eq!(whole(&pcap, SERVER.1), [answer]);
}

#[test]
fn swapped_segments_and_data_behind_a_fin_cost_no_file() {
    let answer = response(&body(2000));
    let end = answer.len();
    let (swapped, _) = answered(5000, &answer, &[(0, 700), (1400, end), (700, 1400)]);
    let (mut fin, asked) = answered(5000, &answer, &[(0, 700), (700, 1400)]);
    fin.server(behind(5000, &answer), asked, ACK | FIN, b"")
        .server(behind(5000, &answer[..1400]), asked, ACK, &answer[1400..]);
    for pcap in [swapped, fin] {
        let files = export_objects(&messages(&pcap.file));
        assert_eq!(files.len(), 1);
        assert!(files[0].1 == body(2000));
    }
}

#[test]
fn a_start_in_the_middle_of_a_body_gives_no_garbage_for_each_segment() {
    let (rest, next) = (body(7000), response(b"next"));
    let mut pcap = Pcap::new();
    for (n, part) in rest.chunks(1000).enumerate() {
        pcap.server(behind(9000, &rest[..n * 1000]), 1, ACK, part);
    }
    pcap.client(1, behind(9000, &rest), ACK | PSH, &get("/n"))
        .server(behind(9000, &rest), behind(1, &get("/n")), ACK | PSH, &next);
    let files = export_objects(&messages(&pcap.file));
    assert!(files.contains(&("n".to_owned(), b"next".to_vec())));
    // Before the first start line a stream has no known protocol: its octets are one message of none.
    assert!(files.len() <= 2, "{}", files.len());
}

#[test]
fn a_loss_is_said() {
    let answer = response(&body(3000));
    let (mut pcap, asked) = answered(5000, &answer, &[(0, 1000), (2000, answer.len())]);
    pcap.client(asked, behind(5000, &answer), ACK, b"");
    assert_eq!(
        whole(&pcap, SERVER.1),
        [b""; 0],
        "it does not claim to be whole"
    );
    assert_eq!(count(&pcap, "tcp.lost_octets"), 1000);
    assert_eq!(count(&pcap, "message.incomplete"), 1);
}

#[test]
fn a_gap_neither_ends_the_stream_nor_is_waited_for_without_limit() {
    let answer = response(&body(3000));
    let end = behind(5000, &answer);
    let (mut pcap, mut asked) = answered(5000, &answer, &[(0, 1000), (2000, answer.len())]);
    let mut at = end;
    for n in 0..20 {
        let (request, next) = (get(&format!("/{n}")), response(b"next"));
        pcap.client(asked, at, ACK | PSH, &request);
        asked = behind(asked, &request);
        pcap.server(at, asked, ACK | PSH, &next);
        at = behind(at, &next);
    }
    assert_eq!(whole(&pcap, SERVER.1).len(), 20);
    assert_eq!(
        count(&pcap, "tcp.gaps_acked"),
        1,
        "32 packets, not the end of the capture"
    );
}

#[test]
fn acknowledgments_and_fins_of_mirrored_traffic_lose_nothing() {
    let answer = response(&body(2000));
    let (mut pcap, asked) = answered(5000, &answer, &[(0, 700)]);
    // The acknowledgment of everything, and both FINs, are captured before the data.
    pcap.client(asked, behind(5000, &answer), ACK, b"")
        .server(behind(5000, &answer), asked, ACK | FIN, b"")
        .client(asked, behind(5000, &answer) + 1, ACK | FIN, b"")
        .server(behind(5000, &answer[..1400]), asked, ACK, &answer[1400..])
        .server(behind(5000, &answer[..700]), asked, ACK, &answer[700..1400]);
    assert!(whole(&pcap, SERVER.1) == [answer]);
    assert_eq!(count(&pcap, "tcp.gaps"), 0);
}

#[test]
fn a_far_ahead_octet_allocates_nothing() {
    let answer = response(b"answer");
    let (mut pcap, asked) = answered(5000, &answer, &[(0, answer.len())]);
    pcap.server(5000 + (1 << 30), asked, ACK, b"x");
    assert!(count(&pcap, "buffer.peak") < 1 << 20);
    assert_eq!(count(&pcap, "tcp.lost_octets"), 0);
    let output = messages(&pcap.file);
    assert!(output.len() < 4096, "{}", output.len());
}

#[test]
fn open_connections_allocate_nothing_ahead() {
    let mut pcap = Pcap::new();
    let connections = 2000;
    for n in 0..connections {
        let from = (CLIENT.0, 10_000 + n);
        for (flags, seq, ack, data) in [(SYN, 100, 0, Vec::new()), (ACK | PSH, 101, 501, get("/a"))]
        {
            let packet = pcap.segment(from, SERVER, seq, ack, flags, &data);
            pcap.packet(&packet);
        }
    }
    let peak = count(&pcap, "buffer.peak");
    assert!(peak < u64::from(connections) * 2048, "{peak} octets");
    assert_eq!(count(&pcap, "tcp.connections"), u64::from(connections));
}

#[test]
fn a_small_capture_makes_no_large_file() {
    let answer = response(&body(3000));
    let end = behind(5000, &answer);
    for (ahead, most) in [(1 << 30, 1 << 16), (15 << 20, 16 << 20)] {
        let (mut pcap, asked) = answered(5000, &answer, &[(0, answer.len())]);
        pcap.server(end.wrapping_add(ahead), asked, ACK, b"far");
        let dir = tempfile::tempdir().expect("tempdir");
        let into = dir.path().to_str().expect("UTF-8");
        run(["--dump", into], &pcap.file).ok();
        let entries = std::fs::read_dir(dir.path()).expect("folder");
        for entry in entries {
            let file = entry.expect("entry").metadata().expect("metadata");
            assert!(file.len() <= most, "{ahead}: {} octets long", file.len());
            assert!(
                file.blocks() * 512 < 1 << 16,
                "{ahead}: {} blocks",
                file.blocks()
            );
        }
    }
}

#[test]
fn a_search_after_a_loss_is_linear() {
    // Whatever looks like a start line and is none, in a chunked body whose framing a gap has taken away.
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for decoy in [
        &b"GET /"[..],
        b" HTTP/1.",
        b"HTTP/1.1 200 ",
        b"GET GET ",
        b"\r\n",
        b"PUT HTTP/1.1\r\n",
    ] {
        let next = response(b"next");
        let with = |octets: usize| {
            let junk: Vec<u8> = decoy.iter().copied().cycle().take(octets).collect();
            let (mut pcap, asked) = answered(5000, head, &[(0, head.len())]);
            let mut at = behind(5000, head) + 1000;
            for part in junk.chunks(1400) {
                pcap.server(at, asked, ACK, part);
                at = behind(at, part);
            }
            let request = get("/n");
            pcap.client(asked, at, ACK | PSH, &request).server(
                at,
                behind(asked, &request),
                ACK | PSH,
                &next,
            );
            pcap
        };
        // Four times the octets, four times the work: what is quadratic takes sixteen times as much.
        let (small, large) = (with(1_000_000), with(4_000_000));
        let found = whole(&large, SERVER.1);
        // A status line may have anything for its reason: what is found may begin a little earlier.
        let last = found.last().is_some_and(|m| m.ends_with(&next));
        assert!(last, "{}", decoy.escape_ascii());
        let took = [&small, &large].map(|pcap| common::processor_time(&["-n"], &pcap.file));
        assert!(
            took[1] < 8.0 * took[0] + 0.2,
            "{}: {took:?} seconds",
            decoy.escape_ascii()
        );
    }
}

#[test]
fn an_empty_input_is_no_capture() {
    run(["-n"], b"").code(2);
}
