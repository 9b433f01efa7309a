//! TCP as captures have it: each case is one that a known program gets wrong, and comes out right here.

use crate::common::build::{
    ACK, CLIENT, FIN, PSH, Pcap, RST, SERVER, SYN, behind, body, checksum, get, response,
};
use crate::common::{
    self, Segment, contains, counter, http_messages, inet_asm, messages, run, segments,
};

/// The messages from port `from`, as they were written: (sequence number, octets). All of them are whole.
fn whole(capture: &Pcap, from: u16) -> Vec<(u32, Vec<u8>)> {
    segments(&messages(&capture.file))
        .into_iter()
        .filter(|s| s.source_port == from && !s.payload.is_empty())
        .map(|s| {
            assert_eq!(s.payload.len(), s.payload_len, "a snapped packet: {s:?}");
            (s.seq, s.payload)
        })
        .collect()
}

/// The messages from port `from` as they were written, those that are cut among them.
fn written(capture: &Pcap, from: u16) -> Vec<(u32, Vec<u8>)> {
    let all = segments(&messages(&capture.file)).into_iter();
    let from_there = all.filter(|s| s.source_port == from && !s.payload.is_empty());
    from_there.map(|s| (s.seq, s.payload)).collect()
}

fn requests(capture: &Pcap) -> Vec<(u32, Vec<u8>)> {
    whole(capture, CLIENT.1)
}

fn responses(capture: &Pcap) -> Vec<(u32, Vec<u8>)> {
    whole(capture, SERVER.1)
}

/// One request that is answered with `answer` in segments of 1000 octets, each acknowledged; `order` says in which
/// order the segments are captured. The server's first octet has number `first`.
fn exchange(first: u32, answer: &[u8], order: &[usize]) -> Pcap {
    let mut pcap = Pcap::new();
    let request = get("/a");
    pcap.open(1000, first.wrapping_sub(1))
        .client(1001, first, ACK | PSH, &request);
    let asked = behind(1001, &request);
    let parts: Vec<_> = answer.chunks(1000).collect();
    for n in order {
        let seq = behind(first, &answer[..n * 1000]);
        pcap.server(seq, asked, ACK, parts[*n]);
    }
    pcap.client(asked, behind(first, answer), ACK, b"");
    pcap
}

#[test]
fn numbers_wrap_anywhere() {
    let answer = response(&body(4000));
    for before in [1, 2, 500, 999, 1000, 1001, 2500, 4000] {
        for order in [[0, 1, 2, 3, 4], [0, 2, 1, 4, 3], [4, 3, 2, 1, 0]] {
            let first = 0_u32.wrapping_sub(before);
            let found = responses(&exchange(first, &answer, &order));
            assert!(
                found == [(first, answer.clone())],
                "wrap behind {before} octets, segments {order:?}"
            );
        }
    }
}

#[test]
fn an_initial_number_of_all_ones() {
    let mut pcap = Pcap::new();
    let (request, answer) = (get("/ones"), response(b"body"));
    pcap.open(u32::MAX, u32::MAX)
        .client(0, 0, ACK | PSH, &request)
        .server(0, behind(0, &request), ACK | PSH, &answer);
    assert_eq!(requests(&pcap), [(0, request)]);
    assert_eq!(responses(&pcap), [(0, answer)]);
}

#[test]
fn a_retransmission_with_new_octets_behind_the_old_ones() {
    let answer = response(&body(1500));
    let mut pcap = exchange(5000, &answer[..1000], &[0]);
    pcap.server(
        behind(5000, &answer[..600]),
        1100,
        ACK | PSH,
        &answer[600..],
    );
    assert!(responses(&pcap) == [(5000, answer)]);
}

#[test]
fn octets_that_were_there_first_stay() {
    let answer = response(&body(1500));
    let mut other = answer[..1000].to_vec();
    other[900] ^= 1;
    let mut pcap = exchange(5000, &answer[..1000], &[0]);
    pcap.server(5000, 1100, ACK, &other);
    pcap.server(
        behind(5000, &answer[..1000]),
        1100,
        ACK | PSH,
        &answer[1000..],
    );
    assert!(responses(&pcap) == [(5000, answer)]);
    let stats = run(["-n", "-s"], &pcap.file).stderr;
    assert_eq!(counter(&stats, "tcp.retransmissions"), 1);
}

/// The second and third thousand octets of an answer that begins at 5000, the later part first.
fn last_parts_swapped(pcap: &mut Pcap, asked: u32, answer: &[u8]) {
    for part in [2000..answer.len(), 1000..2000] {
        let seq = behind(5000, &answer[..part.start]);
        pcap.server(seq, asked, ACK, &answer[part]);
    }
}

#[test]
fn a_fin_captured_before_the_last_octets() {
    let answer = response(&body(2500));
    let mut pcap = exchange(5000, &answer, &[0]);
    let asked = behind(1001, &get("/a"));
    pcap.server(behind(5000, &answer), asked, ACK | FIN, b"");
    last_parts_swapped(&mut pcap, asked, &answer);
    assert!(responses(&pcap) == [(5000, answer)]);
}

#[test]
fn an_acknowledgment_captured_before_its_data() {
    let answer = response(&body(2500));
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &answer, &[0]);
    // exchange() has ended with the acknowledgment of everything.
    last_parts_swapped(&mut pcap, asked, &answer);
    assert!(responses(&pcap) == [(5000, answer)]);
}

#[test]
fn a_start_in_the_middle_whose_first_segment_is_not_the_lowest() {
    let answer = response(&body(2500));
    for order in [[1, 0, 2], [2, 1, 0], [2, 0, 1]] {
        let mut pcap = Pcap::new();
        for n in order {
            let seq = behind(7000, &answer[..n * 1000]);
            pcap.server(
                seq,
                1,
                ACK,
                &answer[n * 1000..answer.len().min((n + 1) * 1000)],
            );
        }
        pcap.client(1, behind(7000, &answer), ACK, b"");
        assert!(responses(&pcap) == [(7000, answer.clone())], "{order:?}");
    }
}

#[test]
fn a_start_in_the_middle_of_a_body_makes_up_no_message() {
    let mut pcap = Pcap::new();
    let text = body(3000);
    for n in 0..3 {
        pcap.server(7000 + n * 1000, 1, ACK, &text[..1000]);
    }
    let (request, answer) = (get("/next"), response(b"next"));
    pcap.client(1, 10_000, ACK | PSH, &request).server(
        10_000,
        behind(1, &request),
        ACK | PSH,
        &answer,
    );
    assert_eq!(responses(&pcap), [(10_000, answer)]);
    assert_eq!(requests(&pcap), [(1, request)]);
}

#[test]
fn a_syn_captured_after_its_data() {
    let (request, answer) = (get("/early"), response(b"early"));
    let mut pcap = Pcap::new();
    pcap.client(101, 501, ACK | PSH, &request)
        .client(100, 0, SYN, b"")
        .server(500, 101, SYN | ACK, b"")
        .server(501, behind(101, &request), ACK | PSH, &answer);
    assert_eq!(requests(&pcap), [(101, request)]);
    assert_eq!(responses(&pcap), [(501, answer)]);
}

#[test]
fn octets_on_a_syn() {
    let (request, answer) = (get("/fast"), response(b"open"));
    let mut pcap = Pcap::new();
    pcap.client(100, 0, SYN, &request)
        .server(500, behind(101, &request), SYN | ACK, b"")
        .server(501, behind(101, &request), ACK | PSH, &answer);
    assert_eq!(requests(&pcap), [(101, request)]);
    assert_eq!(responses(&pcap), [(501, answer)]);
}

#[test]
fn a_half_closed_connection_goes_on() {
    let (request, answer) = (get("/half"), response(&body(3000)));
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH | FIN, &request);
    let asked = behind(102, &request);
    for n in 0..4 {
        let end = answer.len().min((n + 1) * 1000);
        pcap.server(
            behind(501, &answer[..n * 1000]),
            asked,
            ACK,
            &answer[n * 1000..end],
        );
    }
    assert!(responses(&pcap) == [(501, answer)]);
}

#[test]
fn octets_behind_a_fin_are_none() {
    let answer = response(b"end");
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &answer, &[0]);
    let end = behind(5000, &answer);
    pcap.server(end, asked, ACK | FIN, b"").server(
        end + 1,
        asked,
        ACK | PSH,
        &response(b"injected"),
    );
    assert_eq!(responses(&pcap), [(5000, answer)]);
}

#[test]
fn a_reset_outside_the_window_ends_nothing() {
    let answer = response(&body(1500));
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &answer, &[0]);
    pcap.server(900_000_000, asked, RST, b"").server(
        behind(5000, &answer[..1000]),
        asked,
        ACK,
        &answer[1000..],
    );
    assert!(responses(&pcap) == [(5000, answer)]);
}

#[test]
fn the_octets_of_a_reset_are_none() {
    let answer = response(b"end");
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &answer, &[0]);
    pcap.server(
        behind(5000, &answer),
        asked,
        RST | ACK,
        &response(b"words of a reset"),
    );
    assert_eq!(responses(&pcap), [(5000, answer)]);
}

#[test]
fn a_keep_alive_fills_nothing() {
    let (first, second) = (response(b"one"), response(b"two"));
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &first, &[0]);
    let end = behind(5000, &first);
    let request = get("/b");
    pcap.server(end - 1, asked, ACK, b"\0")
        .client(asked, end, ACK | PSH, &request)
        .server(end, behind(asked, &request), ACK | PSH, &second);
    assert_eq!(responses(&pcap), [(5000, first), (end, second)]);
}

#[test]
fn a_far_ahead_octet_allocates_nothing_and_loses_nothing() {
    let answer = response(&body(2500));
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &answer, &[0]);
    pcap.server(5000 + 1_500_000_000, asked, ACK, b"x");
    pcap.server(behind(5000, &answer[..1000]), asked, ACK, &answer[1000..]);
    // The octet stands alone, and nobody knows what was before and behind it.
    assert!(written(&pcap, SERVER.1).contains(&(5000, answer)));
    let done = run(["-n", "-s"], &pcap.file);
    assert!(
        counter(&done.stderr, "buffer.peak") < 1 << 20,
        "{}",
        done.stderr
    );
    assert_eq!(counter(&done.stderr, "tcp.lost_octets"), 0);
}

#[test]
fn a_segment_larger_than_any_buffer() {
    let answer = response(&body(65_000));
    let mut pcap = Pcap::new();
    let request = get("/offload");
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &request)
        .server(501, behind(101, &request), ACK | PSH, &answer);
    assert!(responses(&pcap) == [(501, answer)]);
}

#[test]
fn a_total_length_of_zero_means_the_rest_of_the_packet() {
    let answer = response(&body(3000));
    let mut pcap = exchange(5000, &answer, &[]);
    let mut packet = pcap.segment(SERVER, CLIENT, 5000, 1100, ACK | PSH, &answer);
    packet[16..18].fill(0);
    packet[24..26].fill(0);
    let sum = checksum(&packet[14..34]);
    packet[24..26].copy_from_slice(&sum);
    pcap.packet(&packet);
    assert!(responses(&pcap) == [(5000, answer)]);
}

#[test]
fn padding_and_the_frame_check_sequence_are_no_octets_of_the_stream() {
    let (first, second) = (response(b"1"), response(b"2"));
    let mut pcap = exchange(5000, &first, &[]);
    let end = behind(5000, &first);
    for (seq, octets) in [(5000, &first), (end, &second)] {
        let mut packet = pcap.segment(SERVER, CLIENT, seq, 1100, ACK | PSH, octets);
        packet.extend(b"HTTP/1.1 padding");
        pcap.packet(&packet);
    }
    // A bare acknowledgment is padded to the shortest frame.
    let mut packet = pcap.segment(CLIENT, SERVER, 1100, behind(end, &second), ACK, b"");
    packet.resize(60, 0);
    pcap.packet(&packet);
    assert_eq!(responses(&pcap), [(5000, first), (end, second)]);
    assert_eq!(requests(&pcap).len(), 1);
}

#[test]
fn several_messages_in_one_segment_and_one_over_many() {
    let both = [get("/1"), get("/2"), get("/3")].concat();
    let answers: Vec<_> = [&b"1"[..], b"22", b"333"].map(response).into();
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    for (n, octet) in both.iter().enumerate() {
        pcap.client(behind(101, &both[..n]), 501, ACK | PSH, &[*octet]);
    }
    pcap.server(501, behind(101, &both), ACK | PSH, &answers.concat());
    let found: Vec<_> = requests(&pcap).into_iter().map(|m| m.1).collect();
    assert_eq!(found, [get("/1"), get("/2"), get("/3")]);
    let found: Vec<_> = responses(&pcap).into_iter().map(|m| m.1).collect();
    assert_eq!(found, answers);
}

#[test]
fn ports_used_again_at_once_are_another_connection() {
    let mut pcap = Pcap::new();
    for (client, server, path) in [(100, 500, "/one"), (5_000_100, 9_000_500, "/two")] {
        let (request, answer) = (get(path), response(path.as_bytes()));
        let (asked, answered) = (behind(client + 1, &request), behind(server + 1, &answer));
        pcap.open(client, server)
            .client(client + 1, server + 1, ACK | PSH, &request)
            .server(server + 1, asked, ACK | PSH | FIN, &answer)
            .client(asked, answered + 1, ACK | FIN, b"")
            .server(answered + 1, asked + 1, ACK, b"");
    }
    let output = messages(&pcap.file);
    assert_eq!(http_messages(&output), (2, 2));
    let flags: Vec<_> = segments(&output)
        .iter()
        .map(|s| s.flags & (SYN | ACK))
        .collect();
    assert_eq!(flags, [ACK, ACK, SYN, SYN | ACK, ACK, ACK]);
}

#[test]
fn a_repeated_syn_and_a_late_fin_of_the_old_connection_change_nothing() {
    let (request, answer) = (get("/new"), response(b"new"));
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | FIN, b"")
        .server(501, 102, ACK | FIN, b"")
        .client(102, 502, ACK, b"")
        .open(7_000_000, 8_000_000)
        .client(7_000_000, 0, SYN, b"")
        .client(101, 501, ACK | FIN, b"")
        .client(7_000_001, 8_000_001, ACK | PSH, &request)
        .server(501, 102, ACK | FIN, b"")
        .server(8_000_001, behind(7_000_001, &request), ACK | PSH, &answer);
    assert_eq!(requests(&pcap), [(7_000_001, request)]);
    assert_eq!(responses(&pcap), [(8_000_001, answer)]);
}

/// Two exchanges, of which the first response lacks octets `from..to`.
fn with_gap(answer: &[u8], from: usize, to: usize) -> (Pcap, u32, Vec<u8>) {
    let asked = behind(1001, &get("/a"));
    let mut pcap = exchange(5000, &answer[..from], &[]);
    pcap.server(5000, asked, ACK, &answer[..from]);
    pcap.server(behind(5000, &answer[..to]), asked, ACK | PSH, &answer[to..]);
    let end = behind(5000, answer);
    let (request, next) = (get("/b"), response(b"the next message"));
    pcap.client(asked, end, ACK, b"")
        .client(asked, end, ACK | PSH, &request)
        .server(end, behind(asked, &request), ACK | PSH, &next)
        .wait(5000)
        .client(behind(asked, &request), behind(end, &next), ACK, b"");
    (pcap, end, next)
}

fn from_server(pcap: &Pcap) -> Vec<Segment> {
    let mut all = segments(&messages(&pcap.file));
    all.retain(|s| s.source_port == SERVER.1);
    all
}

#[test]
fn a_hole_in_a_body_costs_that_message_only() {
    let answer = response(&body(3000));
    let (pcap, end, next) = with_gap(&answer, 1000, 2000);
    let found = from_server(&pcap);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].payload == answer[..1000]);
    assert_eq!(found[0].payload_len, answer.len());
    assert_eq!((found[1].seq, &found[1].payload), (end, &next));
    assert_eq!(http_messages(&messages(&pcap.file)), (2, 2));
    let stats = run(["-n", "-s"], &pcap.file).stderr;
    for (name, value) in [
        ("tcp.gaps", 1),
        ("tcp.lost_octets", 1000),
        ("tcp.gaps_acked", 1),
        ("message.incomplete", 1),
    ] {
        assert_eq!(counter(&stats, name), value, "{name}");
    }
}

#[test]
fn a_start_line_inside_a_body_of_known_extent_begins_nothing() {
    let mut text = body(1000);
    text.extend(response(b"a false one"));
    text.extend(body(500));
    let answer = response(&text);
    let (pcap, end, next) = with_gap(&answer, 500, 800);
    let found = from_server(&pcap);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[1].seq, &found[1].payload), (end, &next));
}

#[test]
fn behind_a_hole_in_a_header_the_next_message_is_found() {
    let answer = response(&body(1000));
    let (pcap, end, next) = with_gap(&answer, 20, 100);
    let found = from_server(&pcap);
    let last = found.last().expect("a message");
    assert_eq!((last.seq, &last.payload), (end, &next));
    assert!(found.len() <= 2, "the body is no message: {found:?}");
    assert!(!contains(&messages(&pcap.file), b"\n0000050\n"));
}

#[test]
fn an_answer_to_head_whose_request_was_lost_has_no_body() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let next = response(b"next");
    let mut pcap = Pcap::new();
    let lost = b"HEAD /lost HTTP/1.1\r\nHost: example\r\n\r\n";
    let asked = behind(101, lost);
    let request = get("/next");
    pcap.open(100, 500)
        .server(501, asked, ACK | PSH, head)
        .client(asked, behind(501, head), ACK | PSH, &request)
        .server(behind(501, head), behind(asked, &request), ACK | PSH, &next)
        .wait(5000)
        .client(
            behind(asked, &request),
            behind(behind(501, head), &next),
            ACK,
            b"",
        );
    // The answer is written as if it were cut, or tshark would wait for the body that it announces.
    assert_eq!(
        written(&pcap, SERVER.1),
        [(501, head.to_vec()), (behind(501, head), next)]
    );
    assert_eq!(requests(&pcap), [(asked, request)]);
}

#[test]
fn one_sided_captures_give_the_same_messages() {
    let all = common::read(&common::testdata("http-keepalive.pcap"));
    let expected = segments(&messages(&all));
    for port in [80, 0] {
        let mut file = all[..24].to_vec();
        let mut at = 24;
        for record in common::pcap(&all).1 {
            let from_server = record.data[34..36] == [0, 80];
            if from_server == (port == 80) {
                file.extend(&all[at..record.end]);
            }
            at = record.end;
        }
        let key = |s: &Segment| (s.source_port, s.seq, s.payload.clone());
        let expected: Vec<_> = expected
            .iter()
            .filter(|s| (s.source_port == 80) == (port == 80))
            .map(key)
            .collect();
        let found: Vec<_> = segments(&messages(&file)).iter().map(key).collect();
        assert!(
            found == expected,
            "only {}",
            if port == 80 { "responses" } else { "requests" }
        );
    }
}

#[test]
fn a_message_too_large_for_a_packet_is_a_train() {
    let answer = response(&body(200_000));
    let order: Vec<_> = (0..answer.len().div_ceil(1000)).collect();
    let pcap = exchange(5000, &answer, &order);
    let found = responses(&pcap);
    assert!(found.len() >= 4);
    let mut seq = 5000;
    for (number, octets) in &found {
        assert_eq!(*number, seq);
        seq = behind(seq, octets);
    }
    let joined: Vec<_> = found.into_iter().flat_map(|m| m.1).collect();
    assert!(joined == answer);
    let objects = common::export_objects(&messages(&pcap.file));
    assert_eq!(objects.len(), 1);
    assert!(objects[0].1 == body(200_000));
}

#[test]
fn a_train_begins_before_its_message_is_whole() {
    let answer = response(&body(200_000));
    let order: Vec<_> = (0..150).collect();
    let mut pcap = exchange(5000, &answer, &order);
    pcap.file.truncate(pcap.file.len() - 70); // without the acknowledgment of the whole
    let mut live = common::Live::start(&[]);
    live.write(&pcap.file);
    live.until("two full segments", |out| out.len() > 2 * 65_000);
    live.close();
    live.end().code(0);
}

#[test]
fn a_long_body_needs_no_memory() {
    let answer = response(&body(20_000_000));
    let order: Vec<_> = (0..answer.len().div_ceil(1000)).collect();
    let pcap = exchange(u32::MAX - 7_000_000, &answer, &order);
    let done = common::feed(&mut inet_asm(["-s", "-w", "/dev/null"]), &[&pcap.file]);
    done.code(0);
    assert!(
        counter(&done.stderr, "buffer.peak") < 1 << 20,
        "{}",
        done.stderr
    );
    assert_eq!(counter(&done.stderr, "message.whole"), 2);
}

#[test]
fn messages_wait_for_their_acknowledgment() {
    let (request, answer) = (get("/a"), response(&body(2500)));
    let mut pcap = Pcap::new();
    pcap.open(1000, 4999)
        .client(1001, 5000, ACK | PSH, &request);
    let asked = behind(1001, &request);
    pcap.server(5000, asked, ACK, &answer[..1000])
        .server(
            behind(5000, &answer[..1000]),
            asked,
            ACK | PSH,
            &answer[1000..],
        )
        .client(asked, behind(5000, &answer[..1000]), ACK, b"")
        .client(asked, behind(5000, &answer), ACK, b"");
    let last = get("/never-acknowledged");
    pcap.client(asked, behind(5000, &answer), ACK | PSH, &last);
    let json = |args: &[&str]| {
        let all = [&["-n", "--json"], args].concat();
        let text = run(all, &pcap.file).stdout;
        let lines = String::from_utf8(text).expect("text");
        let messages = lines.lines().filter(|l| l.contains(r#""type":"message""#));
        messages
            .map(|line| {
                let value = |key: &str| {
                    let (_, rest) = line.split_once(&format!("\"{key}\":")).expect(key);
                    let end = rest.find([',', '}']).expect("an end");
                    rest[..end].to_owned()
                };
                (value("frame"), value("time"), value("acknowledged_at"))
            })
            .collect::<Vec<_>>()
    };
    let none = || "null".to_owned();
    let at_once = json(&[]);
    let frames: Vec<_> = at_once.iter().map(|m| m.0.as_str()).collect();
    assert_eq!(frames, ["4", "6", "9"]);
    assert!(at_once.iter().all(|m| m.2 == none()), "{at_once:?}");
    let held = json(&["--wait-ack"]);
    let frames: Vec<_> = held.iter().map(|m| m.0.as_str()).collect();
    assert_eq!(frames, ["4", "6", "9"], "the packets that completed them");
    assert!(
        held[..2].iter().all(|m| m.2 != none() && m.1 != m.2),
        "and when they were acknowledged: {held:?}"
    );
    assert_eq!(held[2].2, none());
    let stats = run(["-n", "-s", "--wait-ack"], &pcap.file).stderr;
    assert_eq!(counter(&stats, "tcp.ack_held"), 4);
    assert_eq!(counter(&stats, "tcp.ack_forced"), 1);
    assert_eq!(counter(&stats, "tcp.out_of_order"), 0);
}

#[test]
fn a_reset_counts_where_the_largest_gap_is_less_than_a_window() {
    let mut pcap = Pcap::new();
    let request = get("/a");
    pcap.open(1000, 4999)
        .client(1001, 5000, ACK | PSH, &request)
        .server(5000, behind(1001, &request), RST | ACK, b"");
    let done = run(["-n", "-s", "--max-gap=1000"], &pcap.file);
    assert_eq!(
        counter(&done.stderr, "tcp.closed_reset"),
        1,
        "{}",
        done.stderr
    );
}

/// The packet with an IP length of so many octets more (its checksum right).
fn claims_more(mut packet: Vec<u8>, more: u16) -> Vec<u8> {
    let length = u16::from_be_bytes([packet[16], packet[17]]) + more;
    packet[16..18].copy_from_slice(&length.to_be_bytes());
    packet[24..26].fill(0);
    let sum = checksum(&packet[14..34]);
    packet[24..26].copy_from_slice(&sum);
    packet
}

#[test]
fn an_ip_length_past_the_record_settles_nothing() {
    let (request, answer) = (get("/a"), response(&body(3000)));
    let asked = behind(1001, &request);
    let part = |n: usize| &answer[n * 1000..((n + 1) * 1000).min(answer.len())];
    let number = |n: usize| behind(5001, &answer[..n * 1000]);
    for case in [
        "an acknowledgment",
        "a segment",
        "a record that was cut and does not say so",
    ] {
        let mut pcap = Pcap::new();
        pcap.open(1000, 5000)
            .client(1001, 5001, ACK | PSH, &request);
        let ack = pcap.segment(SERVER, CLIENT, 5001, asked, ACK, b"");
        let first = pcap.segment(SERVER, CLIENT, 5001, asked, ACK, part(0));
        match case {
            "an acknowledgment" => {
                pcap.packet(&claims_more(ack, 6)).packet(&first);
            }
            "a segment" => {
                pcap.packet(&claims_more(first, 6));
            }
            _ => {
                pcap.packet(&first[..first.len() - 100]);
            }
        }
        for n in 1..4 {
            pcap.server(number(n), asked, ACK | PSH, part(n));
        }
        // Sent again, as the client has not acknowledged it.
        let again = pcap.segment(SERVER, CLIENT, 5001, asked, ACK, part(0));
        pcap.packet(&again);
        assert_eq!(responses(&pcap), [(5001, answer.clone())], "{case}");
    }
}

#[test]
fn a_wrong_ip_header_sum_is_believed_less_than_what_comes_later() {
    let (request, answer) = (get("/a"), response(b"right"));
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000)
        .client(1001, 5001, ACK | PSH, &request);
    let asked = behind(1001, &request);
    let mut wrong = pcap.segment(SERVER, CLIENT, 5001, asked, ACK | PSH, &response(b"wrong"));
    // The header's sum does not fit, and that of the segment was not filled in.
    wrong[24] ^= 0x55;
    wrong[50..52].fill(0);
    pcap.packet(&wrong)
        .server(5001, asked, ACK | PSH, &answer)
        .client(asked, behind(5001, &answer), ACK, b"");
    assert_eq!(responses(&pcap), [(5001, answer)]);
}

/// A segment in a packet whose IP header sum is wrong, its own sum being right: a router would have dropped it.
#[test]
fn what_a_wrong_ip_header_sum_brings_is_second_choice() {
    let (request, answer) = (get("/a"), response(&body(500)));
    let asked = behind(1001, &request);
    for (flags, octets) in [(ACK, &[b'X'; 100][..]), (FIN | ACK, b""), (RST | ACK, b"")] {
        let mut pcap = Pcap::new();
        pcap.open(1000, 5000)
            .client(1001, 5001, ACK | PSH, &request);
        let mut wrong = pcap.segment(SERVER, CLIENT, 5001, asked, flags, octets);
        wrong[24] ^= 0x55;
        pcap.packet(&wrong)
            .server(5001, asked, ACK | PSH, &answer)
            .client(asked, behind(5001, &answer), ACK, b"");
        assert_eq!(responses(&pcap), [(5001, answer.clone())], "{flags:#x}");
        let stats = run(["-n", "-s"], &pcap.file).stderr;
        assert_eq!(counter(&stats, "tcp.damaged"), 1, "{stats}");
        assert_eq!(counter(&stats, "message.lost"), 0, "{stats}");
    }
    // Where nothing better comes it is used.
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000)
        .client(1001, 5001, ACK | PSH, &request);
    let mut wrong = pcap.segment(SERVER, CLIENT, 5001, asked, ACK | PSH, &answer);
    wrong[24] ^= 0x55;
    pcap.packet(&wrong)
        .client(asked, behind(5001, &answer), ACK, b"");
    assert_eq!(responses(&pcap), [(5001, answer)]);
}

/// The other side has octets at the end of a stream that the capture lacks: as behind a FIN, they are told and counted.
#[test]
fn what_was_acknowledged_and_never_captured_is_lost() {
    let asked = behind(1001, &get("/a"));
    let exchanges = || {
        let mut pcap = Pcap::new();
        pcap.open(1000, 5000)
            .client(1001, 5001, ACK | PSH, &get("/a"));
        pcap
    };
    let lost = |pcap: &Pcap| {
        let stats = run(["-n", "-s"], &pcap.file).stderr;
        (
            counter(&stats, "tcp.lost_octets"),
            counter(&stats, "lost.tcp_holes"),
        )
    };
    for flags in [ACK, ACK | RST, ACK | FIN] {
        let mut pcap = exchanges();
        pcap.client(asked, 5501, flags, b"");
        assert_eq!(lost(&pcap), (500, 1), "{flags:#x}");
    }
    // One octet more is a FIN that was not captured; a RST that does not count proves nothing.
    let mut pcap = exchanges();
    pcap.client(asked, 5002, ACK, b"");
    assert_eq!(lost(&pcap), (0, 0));
    pcap.client(asked.wrapping_add(1 << 29), 5501, ACK | RST, b"");
    assert_eq!(lost(&pcap), (0, 0));
}

/// Forty whole requests, each where no hole explains it: none confirms another, and only 32 can be held.
#[test]
fn jumps_beyond_those_that_can_be_held_are_not_lost() {
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000)
        .client(1001, 5001, ACK | PSH, &get("/first"));
    for n in 1..=40 {
        pcap.client(1001 + n * 50_000_000, 5001, ACK | PSH, &get("/jump"));
    }
    let done = run(["-s", "-p"], &pcap.file);
    let stats = &done.stderr;
    assert_eq!(counter(stats, "tcp.refused_octets"), 0, "{stats}");
    assert_eq!(counter(stats, "message.whole"), 41, "{stats}");
    // By reason: a limit has ended what might have gone on.
    assert_eq!(counter(stats, "lost.evicted"), 8, "{stats}");
    assert_eq!(done.printed().matches("GET /jump").count(), 40);
}

#[test]
fn a_copy_of_delivered_octets_that_differs_is_a_conflict() {
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000);
    pcap.client(1001, 5001, ACK | PSH, b"GET /a HTTP/1.1\r\n")
        .client(1001, 5001, ACK | PSH, b"GET /a HTTP/1.1\r\n");
    let stats = |pcap: &Pcap| run(["-n", "--stats"], &pcap.file).stderr;
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 0);
    pcap.client(1001, 5001, ACK | PSH, b"GET /b HTTP/1.1\r\n");
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 1);
    assert_eq!(counter(&stats(&pcap), "tcp.retransmissions"), 2);
    // Words that change places leave the checksum as it is, so a forged copy can have any sum it likes.
    let mut forged = b"GET /a HTTP/1.1\r\n".to_vec();
    forged.swap(4, 6);
    forged.swap(5, 7);
    assert_eq!(checksum(&forged), checksum(b"GET /a HTTP/1.1\r\n"));
    pcap.client(1001, 5001, ACK | PSH, &forged);
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 2);
    // The same in a large one, its words backward.
    let words: Vec<[u8; 2]> = (0..700_u16).map(u16::to_be_bytes).collect();
    let (right, mut false_words) = (words.concat(), words);
    false_words.reverse();
    assert_eq!(checksum(&right), checksum(&false_words.concat()));
    pcap.server(5001, 1018, ACK | PSH, &right)
        .server(5001, 1018, ACK | PSH, &right);
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 2);
    pcap.server(5001, 1018, ACK | PSH, &false_words.concat());
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 3);
    // An injected answer, and the true one with other boundaries: longer, and with a segment before it.
    let (injected, answer) = (response(b"false"), response(&body(300)));
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000)
        .client(1001, 5001, ACK | PSH, &get("/a"))
        .server(5001, 1001, ACK | PSH, &injected)
        .server(5001, 1001, ACK | PSH, &answer);
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 1);
    let mut pcap = exchange(5001, &response(&body(3000)), &[0, 1, 2, 3]);
    let all = response(&body(3000));
    pcap.server(5001, 1001, ACK | PSH, &all)
        .server(6001, 1001, ACK | PSH, &all[1000..2500]);
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 0);
    pcap.server(
        5001,
        1001,
        ACK | PSH,
        &[&all[..1500], &[b'!'; 1000]].concat(),
    );
    assert_eq!(counter(&stats(&pcap), "tcp.conflicts"), 1);
    // A card fills the checksum in behind the capture.
    let mut card = Pcap::new();
    card.open(1000, 5000);
    for octets in [b"GET /a", b"GET /b"] {
        let mut packet = card.segment(CLIENT, SERVER, 1001, 5001, ACK | PSH, octets);
        packet[50..52].fill(0);
        card.packet(&packet);
    }
    assert_eq!(counter(&stats(&card), "tcp.conflicts"), 1);
}

#[test]
fn a_keep_alive_before_any_data_is_none() {
    let mut pcap = Pcap::new();
    // From the middle: the octet before the request was acknowledged long ago.
    pcap.client(1000, 5001, ACK, b"\0")
        .server(5001, 1001, ACK, b"")
        .client(1001, 5001, ACK | PSH, &get("/a"));
    assert_eq!(requests(&pcap), [(1001, get("/a"))]);
    let stats = run(["-n", "--stats"], &pcap.file).stderr;
    assert_eq!(counter(&stats, "tcp.keep_alives"), 1);
}

#[test]
fn zeros_behind_what_may_be_a_keep_alive_are_data() {
    let mut pcap = Pcap::new();
    pcap.client(1000, 5001, ACK, b"\0")
        .client(1000, 5001, ACK, b"\0")
        .client(1001, 5001, ACK, b"\0")
        .client(1002, 5001, ACK, b"\0")
        .client(1003, 5001, ACK | PSH, b"x");
    let stats = run(["-n", "--stats"], &pcap.file).stderr;
    assert_eq!(counter(&stats, "tcp.keep_alives"), 2);
    assert_eq!(counter(&stats, "tcp.accepted_octets"), 3);
}

#[test]
fn extreme_limits_end_nothing() {
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000)
        .server(5001, 1001, ACK | PSH, b"hello\r\n")
        .client(1001, 5008, ACK, b"")
        .client(1001, 5008, RST | ACK, b"")
        .client(0xF000_0000, 5008, ACK | PSH, b"far")
        .server(5008, 0xF000_0003, FIN | ACK, b"");
    for gap in ["536", "65535", "65536", "1G"] {
        run(["-n", "--max-gap", gap], &pcap.file).code(0);
    }
}

#[test]
fn a_damaged_copy_that_is_acknowledged_comes_at_its_own_time() {
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000);
    let request = get("/a");
    // The payload was edited, and the sum not mended.
    let mut packet = pcap.segment(CLIENT, SERVER, 1001, 5001, ACK | PSH, &request);
    packet[50] ^= 0x55;
    pcap.packet(&packet);
    let asked = behind(1001, &request);
    pcap.wait(100).server(5001, asked, ACK, b"");
    pcap.wait(100)
        .server(5001, asked, ACK | PSH, &response(b"answer"));
    let lines = run(["--json=-", "--timestamps", "original"], &pcap.file).text();
    let request = lines.lines().next().expect("the request");
    assert!(request.contains("\"kind\":\"request\""), "{request}");
    assert!(request.contains("\"frame\":4,"), "{request}");
    assert!(lines.contains("\"type\":\"exchange\""), "{lines}");
    let stats = run(["-n", "--stats"], &pcap.file).stderr;
    assert_eq!(counter(&stats, "tcp.damaged_used"), 1);
}

/// Also where it has no octets: an answer is written with the addresses that its acknowledgment had.
#[test]
fn the_first_packet_of_a_direction_names_its_link_addresses() {
    let mut capture = Pcap::new();
    capture.open(100, 500);
    let (request, answer) = (get("/a"), response(b"abc"));
    capture.client(101, 501, ACK | PSH, &request);
    let first = capture.file.len() + 16;
    capture.server(501, behind(101, &request), ACK, b"");
    let second = capture.file.len() + 16;
    capture.server(501, behind(101, &request), ACK | PSH, &answer);
    // The source addresses of the two.
    for (at, last) in [(first, 1), (second, 2)] {
        capture.file[at + 6..at + 12].copy_from_slice(&[2, 0, 0, 0, 9, last]);
    }
    let out = messages(&capture.file);
    let (_, records) = common::pcap(&out);
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].data[6..12], [2, 0, 0, 0, 9, 1]);
}
