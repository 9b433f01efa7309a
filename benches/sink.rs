//! What writing messages as packets costs: `cargo bench --bench sink`. Small messages in one piece, and one large message
//! in segments of wire size, to /dev/null.

use inet_asm::base::context::Context;
use inet_asm::base::flow::{Direction, Flow, FlowKey, Transport};
use inet_asm::base::limits::Limits;
use inet_asm::base::message::{Extent, Kind};
use inet_asm::base::packet::{Channel, LinkType};
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::stream::Side;
use inet_asm::base::time::Timestamp;
use inet_asm::message::{MessageEnd, MessageSink, MessageStart, Piece};
use inet_asm::sink::{OutputState, Outputs, PacketOptions};
use inet_asm::transport::stream::StreamContext;
use std::fs::File;
use std::time::Instant;

/// Octets that a segment of wire size carries.
const SEGMENT: usize = 1448;

fn main() {
    let (key, forward_is_low) = FlowKey::new(
        ([10, 0, 0, 1].into(), 40000),
        ([10, 0, 0, 2].into(), 80),
        Channel::default(),
    );
    let flow = Flow {
        transport: Transport::Tcp,
        number: 0,
        key,
        forward_is_low,
        reused: false,
        decrypted: None,
        links: Default::default(),
    };
    let side = Side {
        seen: true,
        base: Some(SeqNumber(1)),
        ..Side::default()
    };
    // As large as the reader's buffer: octets come from the second-level cache.
    let octets = vec![b'x'; 512 << 10];
    for (size, messages) in [(100, 5_000_000), (SEGMENT, 5_000_000), (4 << 30, 1)] {
        let file = File::create("/dev/null").expect("/dev/null opens");
        let mut outputs = Outputs::new();
        outputs.packets("/dev/null", Box::new(file), PacketOptions::default());
        outputs.begin(LinkType::ETHERNET, false);
        let (mut cx, mut state) = (Context::new(Limits::default()), OutputState::default());
        let begun = Instant::now();
        let mut offset = 0u64;
        for _ in 0..messages {
            let mut at = StreamContext {
                cx: &mut cx,
                flow: &flow,
                sides: &[side; 2],
                direction: Direction::Forward,
                opened: inet_asm::base::time::Instant::default(),
                wake: &mut None,
                state: &mut state,
            };
            let start = MessageStart {
                protocol: "http",
                kind: Kind::Request,
                offset,
                extent: Extent::Known(size as u64),
                head: &octets[..100],
                time: Timestamp::default(),
                frame: 1,
                ack: Some(0),
                answers: None,
                carried: None,
            };
            outputs.start(&mut at, &start);
            let mut left = size;
            while left > 0 {
                let len = left.min(SEGMENT);
                left -= len;
                let place = usize::try_from(offset).unwrap_or(0) % (octets.len() - SEGMENT);
                let piece = Piece {
                    offset,
                    data: &octets[place..place + len],
                    time: Timestamp::default(),
                    frame: 1,
                    sum: None,
                    last: left == 0,
                };
                outputs.data(&mut at, &piece);
                offset += len as u64;
            }
            let end = MessageEnd {
                offset,
                whole: true,
                extent_unknown: false,
                closes: None,
                acknowledged: Some(Timestamp::default()),
            };
            outputs.end(&mut at, &end);
        }
        let flushed = outputs.flush();
        assert!(flushed.is_ok_and(|f| f.is_continue()));
        let secs = begun.elapsed().as_secs_f64();
        println!(
            "{messages} messages of {size} octets: {:.2} M messages/s, {:.2} GB/s",
            f64::from(messages) / secs / 1e6,
            offset as f64 / secs / 1e9
        );
    }
}
