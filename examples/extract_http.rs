//! Prints the HTTP conversation of a capture: start lines and header fields, and the first 100 characters of each body.
//!
//!     cargo run --example extract_http -- capture.pcap

use inet_asm::Assembler;
use inet_asm::base::limits::Limits;
use inet_asm::capture::Inputs;
use inet_asm::capture::error::Error;
use inet_asm::message::escape;
use inet_asm::message::events::DatagramMessage;
use inet_asm::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use inet_asm::transport::StreamContext;
use inet_asm::transport::datagram::DatagramContext;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// Characters of a body that are shown.
const SHOWN: usize = 100;

/// What is kept of the open message of each direction: until it ends, so that messages are not mixed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Messages([Option<Message>; 2]);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Message {
    head: String,
    /// Offset of the body in the stream.
    body_at: u64,
    /// The beginning of the body.
    body: Vec<u8>,
    octets: u64,
    lost: u64,
}

struct Conversation<W>(W, io::Result<()>);

impl<W: Write> MessageSink for Conversation<W> {
    type State = Messages;

    fn start(&mut self, at: &mut StreamContext<'_, Messages>, start: &MessageStart<'_>) {
        if start.protocol != "http" {
            return;
        }
        let mut head = String::new();
        for line in start.head.split(|&c| c == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                escape(line, &mut head);
                head.push('\n');
            }
        }
        at.state.0[at.direction.index()] = Some(Message {
            head,
            body_at: start.offset + start.head.len() as u64,
            ..Message::default()
        });
    }

    fn data(&mut self, at: &mut StreamContext<'_, Messages>, piece: &Piece<'_>) {
        let Some(message) = &mut at.state.0[at.direction.index()] else {
            return;
        };
        // The header section comes first.
        let skip = message.body_at.saturating_sub(piece.offset);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let body = piece.data.get(skip..).unwrap_or_default();
        message.octets += body.len() as u64;
        // A character has four octets at most.
        let room = (4 * SHOWN).saturating_sub(message.body.len());
        message.body.extend(body.iter().take(room));
    }

    fn gap(&mut self, at: &mut StreamContext<'_, Messages>, gap: &MessageGap) {
        if let Some(message) = &mut at.state.0[at.direction.index()] {
            message.lost += gap.len;
        }
    }

    fn end(&mut self, at: &mut StreamContext<'_, Messages>, end: &MessageEnd) {
        let Some(message) = at.state.0[at.direction.index()].take() else {
            return;
        };
        let mut text = format!(
            "--- {} > {}\n{}",
            at.flow.src(at.direction),
            at.flow.dst(at.direction),
            message.head
        );
        if message.octets > 0 {
            let body = String::from_utf8_lossy(&message.body);
            let shown: String = body.chars().take(SHOWN).collect();
            text.push('\n');
            escape(shown.as_bytes(), &mut text);
            text.push_str(&format!(" ({} octets)\n", message.octets));
        }
        if !end.whole {
            text.push_str(&format!("incomplete: {} bytes lost\n", message.lost));
        }
        if self.1.is_ok() {
            self.1 = self.0.write_all(text.as_bytes());
        }
    }

    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}
}

fn main() -> Result<(), Error> {
    let mut names: Vec<_> = std::env::args_os().skip(1).collect();
    if names.is_empty() {
        names.push("-".into());
    }
    let mut inputs = Inputs::new(names);
    let sink = Conversation(io::stdout().lock(), Ok(()));
    let mut assembler = Assembler::new(Limits::default(), sink);
    loop {
        while let Some(packet) = inputs.next()? {
            assembler.packet(&packet);
        }
        if assembler.sink().1.is_err() || !inputs.fill()? {
            break;
        }
    }
    match assembler.finish().1 {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("standard output: {e}");
        }
        _ => {}
    }
    Ok(())
}
