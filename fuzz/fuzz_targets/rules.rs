//! What users write: `-d`, `--framer`, `--connection`, `--protocols` and the other lists. Any text gives a rule or says at
//! which character it is wrong; a framer that was taken frames any octets.
//!
//! Input: which parser, its text up to a line feed, then octets for the framer.
#![no_main]

use inet_asm::Assembler;
use inet_asm::base::connection_rule::ConnectionRule;
use inet_asm::base::limits::{Limits, Tunnels};
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::time::Timestamp;
use inet_asm::cli;
use inet_asm::message::events::DatagramMessage;
use inet_asm::message::rule_reader::Mistake;
use inet_asm::message::rules::{DecodeAs, Rules};
use inet_asm::message::user_framer::UserRow;
use inet_asm::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use inet_asm::transport::StreamContext;
use inet_asm::transport::datagram::DatagramContext;
use inet_asm::transport::tcp::Segment;
use libfuzzer_sys::fuzz_target;

/// Counts octets of messages.
#[derive(Default)]
struct Count {
    octets: u64,
    carried: bool,
}

impl MessageSink for Count {
    type State = ();

    // Messages of streams that frames carry are told of beside these, from octets that have another form there.
    fn start(&mut self, _: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
        self.carried = start.carried.is_some();
    }
    fn data(&mut self, _: &mut StreamContext<'_, ()>, piece: &Piece<'_>) {
        if !self.carried {
            self.octets += piece.data.len() as u64;
        }
    }
    fn gap(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageGap) {}
    fn end(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageEnd) {}
    fn frame_data(&mut self, _: &mut StreamContext<'_, ()>, piece: &Piece<'_>) {
        self.octets += piece.data.len() as u64;
    }
    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}
}

fn stands_in(mistake: &Mistake, text: &str) {
    assert!(
        (1..=text.chars().count() + 1).contains(&mistake.column),
        "{mistake}: {text:?}"
    );
    assert!(!mistake.what.is_empty());
}

/// Octets to port 9000, in three segments of which the second is lost where `lost` says so.
fn frame(rules: Rules, octets: &[u8], lost: bool) {
    let mut assembler = Assembler::new(Limits::default(), Count::default()).with_rules(rules);
    let third = octets.len() / 3;
    let mut seq = 1;
    for (n, part) in [
        &octets[..third],
        &octets[third..2 * third],
        &octets[2 * third..],
    ]
    .into_iter()
    .enumerate()
    {
        let segment = Segment {
            src: ([10, 0, 0, 1].into(), 40_000),
            dst: ([10, 0, 0, 2].into(), 9000),
            seq: SeqNumber(seq),
            ack: None,
            flags: 0,
            window: u16::MAX,
            window_scale: None,
            payload_sum: None,
            offset: OctetOffset::Unknown,
            payload: part,
            payload_len: u32::try_from(part.len()).unwrap_or(0),
        };
        seq += segment.payload_len;
        if !(lost && n == 1) {
            assembler.segment(n as u64 + 1, Timestamp::from_nanos(n as u64), &segment);
        }
    }
    assembler.flush();
    let told = assembler.sink().octets;
    let c = assembler.counters();
    assert_eq!(c.message.octets, told);
    assert_eq!(
        c.message.octets + c.message.unframed_octets,
        c.tcp.delivered_octets
    );
}

fuzz_target!(|input: &[u8]| {
    let Some(([which], rest)) = input.split_first_chunk::<1>() else {
        return;
    };
    let end = rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len());
    let Ok(text) = std::str::from_utf8(&rest[..end]) else {
        return;
    };
    let octets = rest.get(end + 1..).unwrap_or_default();
    let lost = which & 8 != 0;
    match which & 7 {
        0 | 6 => match UserRow::parse(text) {
            Ok(row) => {
                let framers = vec![row];
                frame(
                    Rules {
                        framers,
                        ..Rules::default()
                    },
                    octets,
                    lost,
                );
            }
            Err(mistake) => stands_in(&mistake, text),
        },
        1 => match DecodeAs::parse(text) {
            Ok(rule) => {
                let decode_as = vec![rule];
                frame(
                    Rules {
                        decode_as,
                        ..Rules::default()
                    },
                    octets,
                    lost,
                );
            }
            Err(mistake) => stands_in(&mistake, text),
        },
        2 => {
            // A list is right if all its parts are.
            let all = text
                .split(',')
                .all(|part| ConnectionRule::new(part).is_ok());
            assert_eq!(ConnectionRule::new(text).is_ok(), all, "{text:?}");
        }
        3 => {
            if let Err(name) = Tunnels::parse(text) {
                assert!(text.contains(name));
            }
        }
        // Through the command line: the other lists and sizes.
        n => {
            let option = match (n, which >> 4) {
                (4, _) => "--protocols",
                (_, 0) => "--write",
                (_, 1) => "--checksums",
                (_, 2) => "--reorder-window",
                (_, 3) => "--look-behind",
                (_, 4) => "--max-gap",
                (_, 5) => "--memory-limit",
                (_, 6) => "--session-timeout",
                (_, 7) => "--json",
                (_, 8) => "--dump-name",
                (_, 9) => "--disable",
                _ => "--trace",
            };
            let args = ["inet-asm".into(), format!("{option}={text}")];
            if let Err(e) = cli::parse(args.map(Into::into), false) {
                assert!(!e.to_string().is_empty());
            }
        }
    }
});
