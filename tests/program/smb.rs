//! `--extract`: files that are read and written over SMB2 and SMB3.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind, body};
use crate::common::{counter, run};
use crate::files::Extracted;
use std::net::Ipv4Addr;

const TREE_CONNECT: u16 = 3;
const CREATE: u16 = 5;
const CLOSE: u16 = 6;
const READ: u16 = 8;
const WRITE: u16 = 9;
const LIST: u16 = 14;

const RESPONSE: u32 = 1;
const RELATED: u32 = 4;

const END_OF_FILE: u32 = 0xC000_0011;
const NO_MORE_FILES: u32 = 0x8000_0006;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A command with its header.
fn command(number: u16, flags: u32, status: u32, message: u64, body: &[u8]) -> Vec<u8> {
    let mut all = b"\xFESMB\x40\0\0\0".to_vec();
    all.extend(status.to_le_bytes());
    all.extend(number.to_le_bytes());
    all.extend([1, 0]);
    all.extend(flags.to_le_bytes());
    all.extend([0; 4]);
    all.extend(message.to_le_bytes());
    all.extend([0; 4]);
    all.extend(5_u32.to_le_bytes());
    all.extend(0xABCD_u64.to_le_bytes());
    all.extend([0; 16]);
    all.extend(body);
    all
}

fn request(number: u16, message: u64, body: &[u8]) -> Vec<u8> {
    command(number, 0, 0, message, body)
}

fn response(number: u16, message: u64, body: &[u8]) -> Vec<u8> {
    command(number, RESPONSE, 0, message, body)
}

/// Commands as one message, each of 8 octets and their multiples.
fn compound(commands: Vec<Vec<u8>>) -> Vec<u8> {
    let last = commands.len() - 1;
    let mut all = Vec::new();
    for (i, mut command) in commands.into_iter().enumerate() {
        if i < last {
            command.resize(command.len().next_multiple_of(8), 0);
            let next = u32::try_from(command.len()).expect("fits");
            command[20..24].copy_from_slice(&next.to_le_bytes());
        }
        all.extend(command);
    }
    all
}

fn connect(message: u64, path: &str) -> Vec<u8> {
    let path = utf16(path);
    let len = u16::try_from(path.len()).expect("fits").to_le_bytes();
    request(
        TREE_CONNECT,
        message,
        &[&[9, 0, 0, 0, 72, 0, len[0], len[1]], &path[..]].concat(),
    )
}

fn connected(message: u64, kind: u8) -> Vec<u8> {
    response(
        TREE_CONNECT,
        message,
        &[&[16, 0, kind][..], &[0; 13]].concat(),
    )
}

/// `access`: 1 to read, 2 to write.
fn create(message: u64, name: &str, access: u8) -> Vec<u8> {
    let name = utf16(name);
    let mut body = vec![0; 56];
    body[0] = 57;
    body[24] = access;
    body[44] = 120;
    body[46] = u8::try_from(name.len()).expect("fits");
    body.extend(name);
    request(CREATE, message, &body)
}

/// `action`: 1: opened, 2: made.
fn created(message: u64, id: u8, size: u64, action: u8) -> Vec<u8> {
    let mut body = vec![0; 88];
    body[0] = 89;
    body[4] = action;
    body[48..56].copy_from_slice(&size.to_le_bytes());
    body[64..80].copy_from_slice(&[id; 16]);
    response(CREATE, message, &body)
}

fn read(message: u64, id: u8, offset: u64, len: usize) -> Vec<u8> {
    let mut body = vec![0; 49];
    body[0] = 49;
    body[4..8].copy_from_slice(&u32::try_from(len).expect("fits").to_le_bytes());
    body[8..16].copy_from_slice(&offset.to_le_bytes());
    body[16..32].copy_from_slice(&[id; 16]);
    request(READ, message, &body)
}

fn answer(message: u64, octets: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 16];
    (body[0], body[2]) = (17, 80);
    body[4..8].copy_from_slice(&u32::try_from(octets.len()).expect("fits").to_le_bytes());
    body.extend(octets);
    response(READ, message, &body)
}

fn write(message: u64, id: u8, offset: u64, octets: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 48];
    (body[0], body[2]) = (49, 112);
    body[4..8].copy_from_slice(&u32::try_from(octets.len()).expect("fits").to_le_bytes());
    body[8..16].copy_from_slice(&offset.to_le_bytes());
    body[16..32].copy_from_slice(&[id; 16]);
    body.extend(octets);
    request(WRITE, message, &body)
}

fn close(message: u64, id: u8) -> Vec<u8> {
    request(
        CLOSE,
        message,
        &[&[24, 0, 0, 0, 0, 0, 0, 0], &[id; 16][..]].concat(),
    )
}

fn closed(message: u64) -> Vec<u8> {
    response(CLOSE, message, &[&[60][..], &[0; 59]].concat())
}

fn related(mut command: Vec<u8>) -> Vec<u8> {
    let flags = u32::from_le_bytes(command[16..20].try_into().expect("four")) | RELATED;
    command[16..20].copy_from_slice(&flags.to_le_bytes());
    if flags & RESPONSE == 0 {
        command[36..48].fill(0xFF);
    }
    command
}

fn failed(number: u16, message: u64, status: u32) -> Vec<u8> {
    command(
        number,
        RESPONSE,
        status,
        message,
        &[9, 0, 0, 0, 0, 0, 0, 0, 0],
    )
}

/// Connections of one client with a server.
struct Talk {
    pcap: Pcap,
    port: u16,
    seqs: [u32; 2],
}

impl Talk {
    fn new() -> Self {
        let mut talk = Self {
            pcap: Pcap::new(),
            port: 49_999,
            seqs: [0; 2],
        };
        talk.dial();
        talk
    }

    /// The next connection begins.
    fn dial(&mut self) -> &mut Self {
        self.port += 1;
        self.seqs = [1000, 5000];
        self.segment(true, SYN, b"");
        self.segment(false, SYN | ACK, b"");
        self.segment(true, ACK, b"");
        self
    }

    fn ends(&self) -> [(Ipv4Addr, u16); 2] {
        [(CLIENT.0, self.port), (SERVER.0, 445)]
    }

    fn packet(&mut self, client: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [mut from, mut to] = self.ends();
        let [mut seq, mut ack] = self.seqs;
        if !client {
            (from, to, seq, ack) = (to, from, ack, seq);
        }
        let packet = self.pcap.segment(from, to, seq, ack, flags, payload);
        let control = u32::from(flags & (SYN | FIN) != 0);
        self.seqs[usize::from(!client)] = behind(seq, payload).wrapping_add(control);
        packet
    }

    fn segment(&mut self, client: bool, flags: u8, payload: &[u8]) {
        let packet = self.packet(client, flags, payload);
        self.pcap.packet(&packet);
    }

    /// A message from the client, or the server; what of it `captured` refuses, by the number of its segment, is lost.
    fn send_of(&mut self, client: bool, message: &[u8], captured: fn(usize) -> bool) -> &mut Self {
        let len = u32::try_from(message.len()).expect("fits").to_be_bytes();
        let message = [&len[..], message].concat();
        for (i, part) in message.chunks(1400).enumerate() {
            let packet = self.packet(client, PSH | ACK, part);
            if captured(i) {
                self.pcap.packet(&packet);
            }
        }
        // Acknowledged at once.
        self.segment(!client, ACK, b"");
        self
    }

    fn up(&mut self, message: &[u8]) -> &mut Self {
        self.send_of(true, message, |_| true)
    }

    fn down(&mut self, message: &[u8]) -> &mut Self {
        self.send_of(false, message, |_| true)
    }

    /// A share, and a file in it, are opened.
    fn open(&mut self, name: &str, access: u8, size: u64, action: u8) -> &mut Self {
        self.up(&connect(1, "\\\\srv\\docs"))
            .down(&connected(1, 1))
            .up(&create(2, name, access))
            .down(&created(2, 7, size, action))
    }

    fn hang_up(&mut self) -> &mut Self {
        self.segment(true, FIN | ACK, b"");
        self.segment(false, FIN | ACK, b"");
        self.segment(true, ACK, b"");
        self
    }

    #[track_caller]
    fn extract(&mut self, options: &[&str]) -> Extracted {
        self.hang_up();
        Extracted::of(&self.pcap.file, options)
    }
}

#[test]
fn reads_that_are_answered_in_any_order_are_one_file() {
    let whole = body(9000);
    let found = Talk::new()
        .open("dir\\b\u{f6}.txt", 1, 9000, 1)
        .up(&read(3, 7, 0, 4000))
        .up(&read(4, 7, 4000, 4000))
        .up(&read(5, 7, 8000, 4000))
        .down(&answer(4, &whole[4000..8000]))
        .down(&command(
            READ,
            RESPONSE | 2,
            0x103,
            5,
            &[9, 0, 0, 0, 0, 0, 0, 0, 0],
        ))
        .down(&answer(3, &whole[..4000]))
        .down(&answer(5, &whole[8000..]))
        .up(&close(6, 7))
        .down(&closed(6))
        .extract(&[]);
    assert_eq!(found.files["b\u{f6}.txt"], whole);
    let line = &found.list[0];
    assert_eq!(line["url"], "\\\\srv\\docs\\dir\\b\u{f6}.txt");
    assert_eq!(
        (
            line["protocol"].as_str(),
            line["command"].as_str(),
            line["src_port"].as_u64()
        ),
        (Some("smb2"), Some("READ"), Some(445))
    );
    assert_eq!(found.list.len(), 1);
}

#[test]
fn writes_and_commands_that_are_sent_together_go_to_their_file() {
    let whole = body(5000);
    let found = Talk::new()
        .open("other", 1, 1, 1)
        // A file is made, written and closed in one message, before its id is known.
        .up(&compound(vec![
            create(3, "up.bin", 2),
            related(write(4, 0xFF, 3000, &whole[3000..])),
            related(write(5, 0xFF, 0, &whole[..3000])),
            related(close(6, 0xFF)),
        ]))
        .down(&compound(vec![
            created(3, 9, 0, 2),
            related(response(WRITE, 4, &[0; 16])),
            related(response(WRITE, 5, &[0; 16])),
            related(closed(6)),
        ]))
        // Opened, read and closed in one message.
        .up(&compound(vec![
            create(7, "in.bin", 1),
            related(read(8, 0xFF, 0, 5000)),
            related(close(9, 0xFF)),
        ]))
        .down(&compound(vec![
            created(7, 10, 5000, 1),
            related(answer(8, &whole)),
            related(closed(9)),
        ]))
        // One that cannot be opened.
        .up(&compound(vec![
            create(10, "no.bin", 2),
            related(write(11, 0xFF, 0, b"secret")),
        ]))
        .down(&failed(CREATE, 10, 0xC000_0022))
        .extract(&[]);
    assert_eq!(found.files["up.bin"], whole);
    assert_eq!(found.files["in.bin"], whole);
    assert_eq!(found.files.len(), 2, "{:?}", found.files.keys());
    assert!(found.list.iter().all(|line| line["complete"] == true));
}

#[test]
fn what_was_never_read_is_missing() {
    let whole = body(6000);
    let found = Talk::new()
        .open("part.txt", 1, 6000, 1)
        .up(&read(3, 7, 1000, 2000))
        .down(&answer(3, &whole[1000..3000]))
        .up(&close(4, 7))
        .down(&closed(4))
        .extract(&[]);
    assert_eq!(found.files["part.txt.part"][1000..], whole[1000..3000]);
    let line = &found.list[0];
    assert_eq!(line["missing"].to_string(), "[[0,1000],[3000,3000]]");
    assert_eq!(line["length"], 6000);
}

#[test]
fn channels_of_a_session_bring_one_file() {
    let whole = body(8000);
    let mut talk = Talk::new();
    talk.open("two.bin", 1, 8000, 1).up(&read(3, 7, 4000, 4000));
    let first = (talk.port, talk.seqs);
    talk.dial()
        .up(&read(1, 7, 0, 4000))
        .down(&answer(1, &whole[..4000]));
    let second = (talk.port, talk.seqs);
    (talk.port, talk.seqs) = first;
    talk.down(&answer(3, &whole[4000..]))
        .up(&close(4, 7))
        .down(&closed(4))
        .hang_up();
    (talk.port, talk.seqs) = second;
    let found = talk.extract(&[]);
    assert_eq!(found.files["two.bin"], whole);
    assert_eq!(found.list.len(), 1);
}

#[test]
fn files_without_octets_are_files_and_pipes_are_none() {
    let found = Talk::new()
        .open("empty.txt", 1, 0, 1)
        .up(&read(3, 7, 0, 100))
        .down(&failed(READ, 3, END_OF_FILE))
        .up(&close(4, 7))
        .down(&closed(4))
        .up(&create(5, "made.txt", 2))
        .down(&created(5, 8, 0, 2))
        .up(&close(6, 8))
        .down(&closed(6))
        .up(&connect(7, "\\\\srv\\IPC$"))
        .down(&connected(7, 2))
        .up(&create(8, "srvsvc", 3))
        .down(&created(8, 9, 0, 1))
        .up(&write(9, 9, 0, b"call"))
        .up(&read(10, 9, 0, 100))
        .down(&answer(10, b"result"))
        .extract(&[]);
    let names: Vec<_> = found.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["empty.txt", "made.txt"]);
}

/// What is lost of requests and of answers: nothing is put where it does not belong.
#[test]
fn lost_requests_and_answers_are_told() {
    let whole = body(30_000);
    let lost = |_| false;
    let mut talk = Talk::new();
    talk.open("a.bin", 1, 30_000, 1);
    for i in 0..3_u64 {
        let from = usize::try_from(i).expect("small") * 10_000;
        let captured: fn(usize) -> bool = if i == 1 { lost } else { |_| true };
        // The second request is lost, and the fourth segment of the third answer.
        talk.send_of(true, &read(3 + i, 7, i * 10_000, 10_000), captured);
        let captured: fn(usize) -> bool = if i == 2 { |i| i != 3 } else { |_| true };
        talk.send_of(false, &answer(3 + i, &whole[from..from + 10_000]), captured);
    }
    let found = talk.up(&close(9, 7)).down(&closed(9)).extract(&[]);
    let line = &found.list[0];
    // 84 octets stand ahead of what was read.
    let from = 20_000 + 3 * 1400 - 84;
    assert_eq!(
        line["missing"].to_string(),
        format!("[[10000,10000],[{from},1400]]")
    );
    let file = &found.files["a.bin.part"];
    assert_eq!(
        (&file[..10_000], &file[20_000..from]),
        (&whole[..10_000], &whole[20_000..from])
    );
    assert_eq!(file[from + 1400..], whole[from + 1400..]);
    assert_eq!(counter(&found.stats, "files.smb_unplaced"), 10_000);
}

#[test]
fn an_answer_may_be_captured_ahead_of_its_request() {
    let whole = body(6000);
    let mut talk = Talk::new();
    talk.open("first.bin", 1, 1, 1);
    // What the server says is captured ahead of what the client says, as by a card with several queues.
    let before = talk.seqs;
    talk.down(&created(3, 9, 6000, 1))
        .down(&answer(4, &whole))
        .down(&closed(5));
    let after = talk.seqs;
    talk.seqs = before;
    talk.up(&create(3, "later.bin", 1))
        .up(&read(4, 9, 0, 6000))
        .up(&close(5, 9));
    talk.seqs = [talk.seqs[0], after[1]];
    let found = talk.extract(&[]);
    assert_eq!(found.files["later.bin"], whole);
    assert_eq!(counter(&found.stats, "files.smb_unplaced"), 0);
}

#[test]
fn lists_of_directories_are_text() {
    let entry = |name: &str, size: u64, last: bool| {
        let name = utf16(name);
        let mut entry = vec![0; 104];
        entry[24..32].copy_from_slice(&133_444_736_000_000_000_u64.to_le_bytes());
        entry[40..48].copy_from_slice(&size.to_le_bytes());
        entry[60] = u8::try_from(name.len()).expect("fits");
        entry.extend(name);
        entry.resize(entry.len().next_multiple_of(8), 0);
        let next = if last {
            0
        } else {
            u32::try_from(entry.len()).expect("fits")
        };
        entry[..4].copy_from_slice(&next.to_le_bytes());
        entry
    };
    let list = |message, pattern: &str| {
        let pattern = utf16(pattern);
        let mut body = vec![0; 32];
        (body[0], body[2]) = (33, 37);
        body[8..24].copy_from_slice(&[7; 16]);
        (body[24], body[26]) = (96, u8::try_from(pattern.len()).expect("fits"));
        body.extend(pattern);
        request(LIST, message, &body)
    };
    let listed = |message, entries: &[u8]| {
        let mut body = vec![9, 0, 72, 0];
        body.extend(u32::try_from(entries.len()).expect("fits").to_le_bytes());
        body.extend(entries);
        response(LIST, message, &body)
    };
    let many: Vec<u8> = (0..100)
        .flat_map(|i| entry(&format!("file-{i}"), i, i == 99))
        .collect();
    let found = Talk::new()
        .open("many", 1, 0, 1)
        .up(&list(3, "*"))
        .down(&listed(
            3,
            &[entry("..", 0, false), entry("a\nb.txt", 1234, true)].concat(),
        ))
        .up(&list(4, "*"))
        .down(&listed(4, &many))
        .up(&list(5, "*"))
        .down(&failed(LIST, 5, NO_MORE_FILES))
        // One name is no list.
        .up(&list(6, "a.txt"))
        .down(&listed(6, &entry("a.txt", 1, true)))
        .extract(&[]);
    let text = String::from_utf8(found.files["many.txt"].clone()).expect("UTF-8");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 101);
    assert_eq!(
        lines[0],
        "2023-11-14T22:13:20Z            1234 a\u{fffd}b.txt"
    );
    assert!(
        lines[100].ends_with("              99 file-99"),
        "{}",
        lines[100]
    );
    assert_eq!(found.list[0]["command"], "QUERY_DIRECTORY");
}

#[test]
fn what_is_encrypted_is_told() {
    let mut talk = Talk::new();
    let message = [&b"\xFDSMB"[..], &[7; 200]].concat();
    let found = talk
        .open("a", 1, 1, 1)
        .up(&message)
        .down(&message)
        .extract(&[]);
    assert_eq!(counter(&found.stats, "files.smb_encrypted"), 2);
    let dir = tempfile::tempdir().expect("tempdir");
    let dir = dir.path().to_str().expect("UTF-8");
    let said = run(["-n", "-x", dir], &talk.pcap.file).stderr;
    assert!(
        said.contains("cannot take files out of encrypted SMB, and there is some in the input: --dump has its bytes"),
        "{said}"
    );
}

/// SMB1: its numbers are of 16 bits, its names are padded to an even place.
#[test]
fn files_of_smb1_are_taken_out_too() {
    let whole = body(9000);
    let old = |command: u8, response: bool, message: u8, words: &[u8], octets: &[u8]| {
        let mut all = b"\xFFSMB".to_vec();
        all.extend([
            command,
            0,
            0,
            0,
            0,
            if response { 0x88 } else { 8 },
            0,
            0xC0,
        ]);
        all.extend([0; 12]);
        all.extend([3, 0, 1, 0, 2, 0, message, 0]);
        all.push(u8::try_from(words.len() / 2).expect("fits"));
        all.extend(words);
        all.extend(&octets.len().to_le_bytes()[..2]);
        all.extend(octets);
        all
    };
    let words = |len: usize, numbers: &[(usize, usize, u64)]| {
        let mut words = vec![0; len];
        words[0] = 0xFF;
        for (at, width, number) in numbers {
            words[*at..at + width].copy_from_slice(&number.to_le_bytes()[..*width]);
        }
        words
    };
    // What is read stands behind 32 + 1 + 24 + 2 octets, what is written behind 32 + 1 + 28 + 2, and a pad each.
    let read = |message, offset, len| {
        old(
            0x2E,
            false,
            message,
            &words(24, &[(4, 2, 9), (6, 4, offset), (10, 2, len)]),
            b"",
        )
    };
    let answer = |message, octets: &[u8]| {
        let len = octets.len() as u64;
        old(
            0x2E,
            true,
            message,
            &words(24, &[(10, 2, len), (12, 2, 60)]),
            &[&[0], octets].concat(),
        )
    };
    let path = [&[0][..], &utf16("\\\\old\\c"), &[0, 0], b"?????\0"].concat();
    let name = [&[0][..], &utf16("\\d\\f.txt"), &[0, 0]].concat();
    let sent = old(
        0x2F,
        false,
        6,
        &words(28, &[(4, 2, 9), (6, 4, 4000), (20, 2, 1000), (22, 2, 64)]),
        &[&[0], &whole[..1000]].concat(),
    );
    let found = Talk::new()
        .up(&old(0x75, false, 1, &words(8, &[(6, 2, 1)]), &path))
        .down(&old(0x75, true, 1, &words(6, &[]), b"A:\0"))
        .up(&old(0xA2, false, 2, &words(48, &[(15, 4, 3)]), &name))
        .down(&old(
            0xA2,
            true,
            2,
            &words(68, &[(5, 2, 9), (7, 4, 1), (55, 8, 9000)]),
            b"",
        ))
        .up(&read(3, 0, 5000))
        .up(&read(4, 5000, 5000))
        .down(&answer(4, &whole[5000..]))
        .down(&answer(3, &whole[..5000]))
        .up(&sent)
        .up(&old(4, false, 5, &words(6, &[(0, 2, 9)]), b""))
        .down(&old(4, true, 5, b"", b""))
        .extract(&[]);
    assert_eq!(found.files["f.txt"], whole);
    assert_eq!(found.list[0]["url"], "\\\\old\\c\\d\\f.txt");
    assert_eq!(found.list[0]["protocol"], "smb");
    // What was written is a part of what was there.
    let names: Vec<_> = found.files.keys().collect();
    assert_eq!(names, ["f-1.txt.part", "f.txt"], "{:?}", found.list);
    assert_eq!(found.files["f-1.txt.part"][4000..], whole[..1000]);
    assert_eq!(
        found.list[1]["missing"].to_string(),
        "[[0,4000],[5000,4000]]"
    );
}

/// Ids and requests without end, and octets where no file has any.
#[test]
fn hostile_clients_are_bounded() {
    let mut talk = Talk::new();
    talk.open("far.bin", 1, u64::MAX, 1)
        .up(&read(3, 7, 1 << 63, 10))
        .down(&answer(3, b"0123456789"))
        .up(&write(4, 7, u64::MAX - 3, b"0123456789"));
    for n in 0..300_u64 {
        // A hundred reads of as many files in one message, none of them answered.
        let reads = (0..100_u64).map(|i| {
            let message = 10 + n * 100 + i;
            let mut read = read(message, 0, 0, 10);
            read[80..88].copy_from_slice(&message.to_le_bytes());
            read
        });
        talk.up(&compound(reads.collect()));
    }
    let found = talk.extract(&["--memory-limit", "32M"]);
    assert_eq!(found.list.len(), 2);
    for line in &found.list {
        assert_eq!(line["error"], "farther on than a file can be");
    }
    // 30,000 requests and files; 8,192 of each are kept.
    assert!(counter(&found.stats, "files.smb_forgotten") > 40_000);
    assert!(counter(&found.stats, "buffer.peak") < 16 << 20);
}
