//! inet-asm puts the messages of a packet capture back together.
//!
//! ```text
//!  capture ──> link ──> ip ──> transport ──> message ──> sink
//!  packets     IP       whole  octets in     messages    yours, or files
//!              packets  packets order
//! ```
//!
//! From `link` to `message` there is no file, clock, thread or log: octets and timestamps go in, events come out, and the
//! same input gives the same events. An [`Assembler`] joins these stages. It takes packets, or TCP segments that were
//! parsed elsewhere, and pushes to a [`MessageSink`](message::MessageSink): messages, and beneath them the octets, gaps
//! and ends of the streams. What waits is bounded by the [`Limits`](base::limits::Limits) it is given.
//!
//! ```
//! use inet_asm::Assembler;
//! use inet_asm::base::limits::Limits;
//! use inet_asm::message::events::DatagramMessage;
//! use inet_asm::transport::datagram::DatagramContext;
//! use inet_asm::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
//! use inet_asm::base::place::OctetOffset;
//! use inet_asm::base::serial::SeqNumber;
//! use inet_asm::base::time::Timestamp;
//! use inet_asm::transport::StreamContext;
//! use inet_asm::base::flags;
//! use inet_asm::transport::tcp::Segment;
//!
//! /// Keeps the first line of each message.
//! #[derive(Default)]
//! struct Lines(Vec<String>);
//!
//! impl MessageSink for Lines {
//!     type State = ();
//!
//!     fn start(&mut self, _: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
//!         let line = start.head.split(|&c| c == b'\r').next().unwrap_or_default();
//!         self.0.push(format!("{} {}", start.protocol, line.escape_ascii()));
//!     }
//!     fn data(&mut self, _: &mut StreamContext<'_, ()>, _: &Piece<'_>) {}
//!     fn gap(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageGap) {}
//!     fn end(&mut self, _: &mut StreamContext<'_, ()>, _: &MessageEnd) {}
//!     fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}
//! }
//!
//! let limits = Limits { tcp_buffer: 1 << 20, ..Limits::default() };
//! let mut assembler = Assembler::new(limits, Lines::default());
//! let mut frame = 0;
//! let mut send = |seq: u32, flags: u8, payload: &[u8]| {
//!     frame += 1;
//!     assembler.segment(frame, Timestamp::from_nanos(frame * 1_000_000), &Segment {
//!         src: ([10, 0, 0, 1].into(), 40000),
//!         dst: ([10, 0, 0, 2].into(), 80),
//!         seq: SeqNumber(seq),
//!         ack: None,
//!         flags,
//!         window: 65_535,
//!         window_scale: None,
//!         payload,
//!         payload_len: payload.len() as u32,
//!         payload_sum: None,
//!         offset: OctetOffset::Unknown,
//!     });
//! };
//! send(99, flags::SYN, b"");
//! send(116, flags::PSH, b"Host: example\r\n\r\n"); // the second segment is first
//! send(100, 0, b"GET / HTTP/1.1\r\n");
//! assert_eq!(assembler.finish().0, ["http GET / HTTP/1.1"]);
//! ```
//!
//! [`WholeMessages`](message::WholeMessages) calls a function with each whole message instead, [`Assembler::segment_of`] takes
//! VLAN tags with a segment, a protocol of one's own is a [`CustomDetector`](message::custom::CustomDetector), [`Assembler::trace`] shows what becomes of
//! chosen connections, and `examples/extract_http.rs` reads a capture.
//!
//! # The layout
//!
//! Data goes right in the picture, imports go left: a stage defines the trait that it pushes to and does not know who
//! implements it. Only `assembler.rs` knows every stage from the link layer to messages, and what every stage speaks of
//! stands in `base`, which knows none of them.
//!
//! ```text
//! base/              what every stage speaks of; no stage, protocol or output is known here
//!   packet place stream flow  packet records; where octets stand in them; chunks, gaps and ends; keys and directions
//!   time periods serial  timestamps and the age clock; periods of capture time; numbers that wrap (RFC 1982)
//!   limits counters context trace  what a run may use, what it counted, what each stage is handed with a packet
//!   storage/         budget, deadlines, table in order of age, queue in order of time, index of slots, values in few octets
//! capture/           inputs, reader, pcap, pcapng, decompression (a thread ahead of the run), sorting queue, stop on a signal
//! link/              link headers, 802.11, exported PDUs: where the IP packet starts
//! ip/                headers, ESP, tunnels, defrag: whole datagrams
//! transport/         stream.rs datagram.rs: the traits that it pushes to; table.rs: flows by key and use
//!   tcp/             mod.rs: the way of a segment; choose, replay, damaged, memory, queues: what is rare on it
//!     segment waiting connections  the wire format; octets behind holes; all connections, compact while they have no data
//!     connection/      classify, receive, deliver, give_up: where a segment belongs, what it does, when a hole is given up
//!   udp.rs           datagrams and their flows
//!   sctp/            chunks, which association (route), what they do there (process), reassembly, statistics
//! message/           from octets to messages: detectors, framers, extract.rs walks streams by what they say
//!   protocols/       the table of protocols, and one file for each
//! sink/              events.rs: what an output hears; packets, streams (--dump), json, transferred files, lines
//! assembler.rs       joins the stages ([`Assembler`])
//! cli/               flags (one source for help, man page and completions), files of configuration, the run, the report
//! main.rs            exit status
//! ```
#![warn(missing_docs)]

pub mod assembler;
pub mod base;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod ip;
pub mod link;
pub mod message;
#[cfg(feature = "sink")]
pub mod sink;
pub mod transport;

pub use assembler::Assembler;
