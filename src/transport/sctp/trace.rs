//! `--trace`: the chunks of associations, each as it is taken.

use super::chunk::{Chunk, kind};
use super::{ArrivedPacket, Association, SctpPacket};
use crate::base::chunk_trace::{ChunkEvent, DataFate, SHOWN_RANGES};
use crate::base::context::Context;
use crate::base::flow::{Direction, Transport};
use crate::base::stream::FlowState;
use crate::base::trace::{Event, EventKind};
use std::net::SocketAddr;

impl<T: FlowState> Association<T> {
    /// Traces a chunk before it is taken: what it brings about is told behind it.
    #[cold]
    pub(super) fn trace_chunk(
        &self,
        cx: &mut Context,
        d: Direction,
        c: &Chunk<'_>,
        packet: &SctpPacket<'_>,
    ) {
        let inflow = &self.side(d).inflow;
        let event = match c.kind {
            kind::DATA | kind::I_DATA => c.data().map(|data| {
                let cut = packet.doubtful && data.payload.len() < data.len;
                let fate = if cut && inflow.has_started() {
                    DataFate::Damaged
                } else {
                    inflow.fate(&cx.limits, &data)
                };
                ChunkEvent::Data {
                    interleaved: data.interleaved,
                    begins: data.begins,
                    ends: data.ends,
                    unordered: data.unordered,
                    tsn: data.tsn,
                    stream: data.stream,
                    seq: data.seq,
                    ppid: data.ppid,
                    len: data.len as u64,
                    fate,
                }
            }),
            kind::INIT | kind::INIT_ACK => c.init().map(|init| ChunkEvent::Init {
                ack: c.kind == kind::INIT_ACK,
                tag: init.tag,
                tsn: init.tsn,
            }),
            kind::SACK => c.sack().map(|sack| {
                let tsn = |offset: u16| sack.cumulative.wrapping_add(offset.into());
                let mut ranges = [None; SHOWN_RANGES];
                for (range, (first, last)) in ranges.iter_mut().zip(sack.gaps()) {
                    *range = Some((tsn(first), tsn(last)));
                }
                ChunkEvent::Sack {
                    cumulative: sack.cumulative,
                    ranges,
                    blocks: sack.gap_count(),
                    duplicates: sack.duplicates,
                }
            }),
            kind::SHUTDOWN => up_to(c, "SHUTDOWN", "acknowledges"),
            kind::FORWARD_TSN => up_to(c, "FORWARD-TSN", "abandons"),
            kind::I_FORWARD_TSN => up_to(c, "I-FORWARD-TSN", "abandons"),
            _ => None,
        };
        // Of a chunk that the snapshot length has cut only the type may be known.
        let event = event.unwrap_or(ChunkEvent::Other {
            kind: c.kind,
            name: kind::name(c.kind),
        });
        self.trace(cx, d, packet, event);
    }

    /// Traces what a packet of it brought.
    pub(super) fn trace(
        &self,
        cx: &mut Context,
        d: Direction,
        packet: &SctpPacket<'_>,
        event: ChunkEvent,
    ) {
        cx.trace.emit(&Event {
            frame: packet.origin.frame,
            time: packet.origin.time,
            transport: Transport::Sctp,
            number: Some(self.flow.number),
            src: self.flow.src(d),
            dst: self.flow.dst(d),
            what: EventKind::Chunk(event),
        });
    }
}

fn up_to(c: &Chunk<'_>, name: &'static str, does: &'static str) -> Option<ChunkEvent> {
    c.tsn().map(|tsn| ChunkEvent::UpTo { name, does, tsn })
}

impl ArrivedPacket<'_> {
    /// Traces it, if it could not be used.
    #[cold]
    pub(super) fn trace_drop(&self, cx: &mut Context) {
        // Late chunks are told of where they are taken.
        let Some(why) = cx.discarded.filter(|why| !why.is_of_a_part()) else {
            return;
        };
        let (origin, header) = (&self.packet.origin, &self.header);
        cx.trace.emit(&Event {
            frame: origin.frame,
            time: origin.time,
            transport: Transport::Sctp,
            number: None,
            src: SocketAddr::new(origin.src, header.src_port),
            dst: SocketAddr::new(origin.dst, header.dst_port),
            what: EventKind::Dropped(why),
        });
    }
}
