//! Records and hellos of TLS whose keys are known, some of them lost or changed. Every octet is one of a message, of a record that was opened,
//! or of none; what was opened is told as a stream; what is kept is given back.
//!
//! Input: choices (1 octet), then blocks of kind (1 octet), length (2), and the octets that one side sends.
#![no_main]

use inet_asm::Assembler;
use inet_asm::base::flags;
use inet_asm::base::limits::Limits;
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::time::Timestamp;
use inet_asm::sink::Outputs;
use inet_asm::sink::json::Show;
use inet_asm::transport::tcp::Segment;
use libfuzzer_sys::fuzz_target;
use std::io;
use std::net::Ipv4Addr;

/// Those of the seeds.
const KEYS: &str = concat!(
    include_str!("../../testdata/tls/tls10-cbc.keys"),
    include_str!("../../testdata/tls/tls11-cbc.keys"),
    include_str!("../../testdata/tls/tls12-aria.keys"),
    include_str!("../../testdata/tls/tls12-camellia.keys"),
    include_str!("../../testdata/tls/tls12-cbc.keys"),
    include_str!("../../testdata/tls/tls12-ccm.keys"),
    include_str!("../../testdata/tls/tls12-chacha.keys"),
    include_str!("../../testdata/tls/tls12-gcm.keys"),
    include_str!("../../testdata/tls/tls12-renegotiated.keys"),
    include_str!("../../testdata/tls/tls13-aes256.keys"),
    include_str!("../../testdata/tls/tls13-ccm8.keys"),
    include_str!("../../testdata/tls/tls13-chacha.keys"),
    include_str!("../../testdata/tls/tls13-retry.keys"),
);

struct Talk {
    assembler: Assembler<Outputs>,
    frame: u64,
    next: [u32; 2],
}

impl Talk {
    fn segment(&mut self, i: usize, bits: u8, data: &[u8], lost: bool) {
        self.frame += 1;
        let ends = [
            (Ipv4Addr::new(10, 0, 0, 1).into(), 40_000),
            (Ipv4Addr::new(10, 0, 0, 2).into(), 443),
        ];
        let len = u32::try_from(data.len()).unwrap_or(0);
        let segment = Segment {
            src: ends[i],
            dst: ends[1 - i],
            seq: SeqNumber(self.next[i]),
            ack: Some(SeqNumber(self.next[1 - i])),
            flags: bits | flags::ACK,
            window: u16::MAX,
            window_scale: None,
            payload_sum: None,
            offset: OctetOffset::Unknown,
            payload: data,
            payload_len: len,
        };
        self.next[i] =
            self.next[i].wrapping_add(len + u32::from(bits & (flags::SYN | flags::FIN) != 0));
        if !lost {
            let time = Timestamp::from_nanos(self.frame * 1_000_000);
            self.assembler.segment(self.frame, time, &segment);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choices, input)) = input.split_first() else {
        return;
    };
    let mut outputs = Outputs::new();
    if choices & 1 != 0 {
        // Reads hellos and certificates too.
        outputs.json("json", Box::new(io::sink()), Show::default(), false);
    }
    let mut t = Talk {
        assembler: Assembler::new(Limits::default(), outputs),
        frame: 0,
        next: [1, 1],
    };
    if choices & 2 == 0 {
        t.assembler.keys().add(KEYS.as_bytes());
    } else {
        t.assembler.keys().expect_more(true);
    }
    if choices & 4 == 0 {
        t.segment(0, flags::SYN, b"", false);
        t.segment(1, flags::SYN, b"", false);
    }
    let mut rest = input;
    while let [kind, l0, l1, tail @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*l0, *l1])).min(tail.len());
        let (data, tail) = tail.split_at(len);
        rest = tail;
        let side = usize::from(kind & 1);
        match kind >> 4 {
            // Octets that were never captured.
            14 => t.segment(side, flags::PSH, data, true),
            // The key log comes late, or another one.
            13 => {
                t.assembler.keys().take_lacking();
                t.assembler.keys().add(KEYS.as_bytes());
            }
            12 => {
                t.assembler.keys().add(data);
            }
            _ => t.segment(side, flags::PSH, data, false),
        }
        assert!(t.assembler.budget().used() < 16 << 20);
    }
    t.segment(0, flags::FIN, b"", false);
    t.segment(1, flags::FIN, b"", false);
    t.assembler.flush();
    let counters = t.assembler.counters();
    let (message, opened) = (&counters.message, &counters.decrypted);
    assert_eq!(
        counters.tcp.delivered_octets + opened.content_octets,
        message.octets + message.unframed_octets + opened.octets,
    );
    assert_eq!(t.assembler.budget().used(), 0);
});
