//! Transferred files: HTTP bodies with codings, multipart parts and Content-Disposition, FTP dialogues and their data. No
//! file stands outside the folder, has a name that does harm, or is larger than allowed.
//!
//! Input: blocks of kind (1 octet), length (2), and the octets that one side sends.
#![no_main]

use inet_asm::Assembler;
use inet_asm::base::flags;
use inet_asm::base::limits::Limits;
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::time::Timestamp;
use inet_asm::sink::files::FileOptions;
use inet_asm::sink::Outputs;
use inet_asm::transport::tcp::Segment;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// Octets of one file, at most.
const MAX_FILE: u64 = 4096;

/// Server's ports: HTTP, FTP, FTP's data by its own port and by one that PASV names (4,1).
const PORTS: [u16; 4] = [80, 21, 20, 1025];

struct Talk {
    assembler: Assembler<Outputs>,
    frame: u64,
    /// Next number of each port's client and server; None: not opened.
    next: [Option<[u32; 2]>; 4],
}

impl Talk {
    fn segment(&mut self, n: usize, from_server: bool, bits: u8, data: &[u8]) {
        self.frame += 1;
        let client = (Ipv4Addr::new(10, 0, 0, 1).into(), 40_000);
        let server = (Ipv4Addr::new(10, 0, 0, 2).into(), PORTS[n]);
        let (src, dst) = if from_server {
            (server, client)
        } else {
            (client, server)
        };
        let next = self.next[n].get_or_insert([1, 1]);
        let i = usize::from(from_server);
        let len = u32::try_from(data.len()).unwrap_or(0);
        let segment = Segment {
            src,
            dst,
            seq: SeqNumber(next[i]),
            ack: Some(SeqNumber(next[1 - i])),
            flags: bits | flags::ACK,
            window: u16::MAX,
            window_scale: None,
            payload_sum: None,
            offset: OctetOffset::Unknown,
            payload: data,
            payload_len: len,
        };
        next[i] += len + u32::from(bits & (flags::SYN | flags::FIN) != 0);
        let time = Timestamp::from_nanos(self.frame * 1_000_000);
        self.assembler.segment(self.frame, time, &segment);
    }
}

fuzz_target!(|input: &[u8]| {
    let parent = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let parent = parent.expect("a folder can be made");
    let dir = parent.path().join("files");
    let mut outputs = Outputs::new();
    outputs
        .extract(&dir, &FileOptions::new(MAX_FILE))
        .expect("the folder can be made");
    let mut t = Talk {
        assembler: Assembler::new(Limits::default(), outputs),
        frame: 0,
        next: [None; 4],
    };
    let mut rest = input;
    while let [kind, l0, l1, tail @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*l0, *l1])).min(tail.len());
        let (data, tail) = tail.split_at(len);
        rest = tail;
        let (n, from_server) = (usize::from(kind >> 1 & 3), kind & 1 != 0);
        if t.next[n].is_none() {
            t.segment(n, false, flags::SYN, b"");
            t.segment(n, true, flags::SYN, b"");
        }
        match kind >> 4 {
            // Octets that were never captured.
            15 => {
                if let Some(next) = &mut t.next[n] {
                    next[usize::from(from_server)] += u32::try_from(data.len()).unwrap_or(0);
                }
            }
            14 => t.segment(n, from_server, flags::FIN, data),
            _ => {
                for part in data.chunks(1400) {
                    t.segment(n, from_server, flags::PSH, part);
                }
            }
        }
    }
    let mut outputs = t.assembler.finish();
    let _ = outputs.finish().expect("files can be written");
    drop(outputs);
    let names = |dir: &Path| -> Vec<_> {
        let all = fs::read_dir(dir).expect("it is there");
        all.map(|e| e.expect("it can be read")).collect()
    };
    assert_eq!(
        names(parent.path()).len(),
        1,
        "nothing stands beside the folder"
    );
    for entry in names(&dir) {
        let name = entry.file_name();
        let about = entry.metadata().expect("it is there");
        assert!(about.is_file(), "{name:?}");
        let text = name.to_str().expect("names are UTF-8");
        assert!(!text.starts_with('.') && !text.contains(|c: char| c.is_control() || c == '\\'));
        if text == "files.jsonl" {
            let list = fs::read_to_string(entry.path()).expect("the list is UTF-8");
            for line in list.lines() {
                serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON");
            }
        } else {
            assert!(
                about.len() <= MAX_FILE,
                "{name:?} has {} octets",
                about.len()
            );
        }
    }
});
