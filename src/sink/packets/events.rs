//! What an output of packets does with each event.

use super::connection::{NONE, PacketConnection, PacketEvent, StreamRef, acknowledgment, ends};
use super::info::MessageInfo;
use super::options::{Encap, Large};
use super::pending::{PendingMessage, seq};
use super::synthetic::{self, FIN, RST, TcpFields, Wire};
use super::writing::PacketOutput;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::packet::{Interface, LinkType, Packet};
use crate::base::storage::allocated;
use crate::base::stream::{Chunk, Close, Duplicate};
use crate::ip::Datagram;
use crate::message::events::DatagramMessage;
use crate::message::summary;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::sink::output::Output;
use crate::sink::writer::OutputError;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use std::ops::ControlFlow;

/// Messages in the making that are kept for the next ones to use, buffers included: 1 MiB at most.
// One for each connection would pile up; sixteen serve those that are open at the same moment on a
// stream in order.
const POOL: usize = 16;

impl MessageSink for PacketOutput {
    type State = Option<Box<PacketConnection>>;

    fn start(&mut self, at: &mut PacketEvent<'_>, start: &MessageStart<'_>) {
        let (cx, direction) = (&mut *at.cx, at.direction);
        let conn = PacketConnection::of(cx, at.state);
        let d = direction.index();
        if conn.client.is_none() {
            let from_start = at.sides[Direction::Forward.index()].from_start;
            // In some protocols both sides ask.
            let symmetric = matches!(start.protocol, "sip" | "diameter");
            let (client, known) = match start.kind {
                Kind::Other => (Direction::Forward, from_start),
                _ if symmetric && from_start => (Direction::Forward, true),
                Kind::Request => (direction, true),
                Kind::Response => (direction.flip(), true),
            };
            (conn.client, conn.client_is_known) = (Some(client), known);
        }
        conn.asks[d] = start.kind == Kind::Request && start.protocol != "data";
        if start.protocol == "http" && start.kind == Kind::Request {
            conn.asks_for_header =
                start.head.starts_with(b"HEAD ") || start.head.starts_with(b"CONNECT ");
        }
        if conn.open[d].is_some() {
            // The message stage ends what it opened; this only keeps a slip of it from growing.
            self.put_back(cx, conn, d);
        }
        let side = &at.sides[d];
        conn.note_acknowledged(d, start.ack.or(at.sides[1 - d].acknowledged));
        let mut open = self.pool.pop().unwrap_or_default();
        cx.budget.take(allocated(size_of::<PendingMessage>()));
        open.count(cx);
        open.unit = synthetic::max_tcp_payload(at.flow.key.is_v4());
        open.single = false;
        open.beyond = 0;
        open.about = None;
        // Only where a packet may be larger than IP can say.
        if self.form.large != Large::Split || self.wire == Wire::Pdu {
            let large = self.large(&ends(at.flow, direction));
            open.single = self.wire == Wire::Pdu || self.form.large == Large::Snap;
            // A message that is known to be too large for one packet is a train from the start, so
            // that nothing is held.
            let fits = !matches!(start.extent, Extent::Known(n) if n > large as u64);
            if open.single || fits {
                open.unit = large;
            }
        }
        if self.describes() {
            let mut about = Box::new(MessageInfo {
                protocol: start.protocol.to_owned(),
                ..MessageInfo::default()
            });
            summary(
                start.protocol,
                at.flow.transport,
                start.kind,
                start.head,
                &mut about.summary,
            );
            about.count(cx);
            open.about = Some(about);
        }
        open.base = side.base.unwrap_or_default();
        open.start = start.offset;
        open.at = start.offset;
        open.known_end = match start.extent {
            Extent::Known(n) => start.offset.saturating_add(n),
            Extent::Open | Extent::ToClose => NONE,
        };
        open.header_end = NONE;
        if start.protocol == "http"
            && start.kind == Kind::Response
            // Most have a body, and their header need not be read for that.
            && matches!(start.extent, Extent::Known(n) if n <= start.head.len() as u64)
            && let Some(len) = header_len(start.head)
            && promises_body(&start.head[..len])
        {
            open.header_end = start.offset.saturating_add(len as u64);
        }
        open.hole_end = 0;
        open.cut = false;
        // Mail that lacks octets goes on to the line that ends it. Without that line tshark takes all commands behind for mail.
        open.ends_with_line =
            start.extent == Extent::Open && matches!(start.protocol, "smtp" | "pop");
        open.split = false;
        open.done = false;
        conn.open[d] = Some(open);
    }

    fn data(&mut self, at: &mut PacketEvent<'_>, piece: &Piece<'_>) {
        let place = StreamRef::of(at);
        let cx = &mut *at.cx;
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        let d = place.direction.index();
        let Some(mut open) = conn.open[d].take() else {
            return;
        };
        self.add_piece(cx, place, conn, &mut open, piece);
        conn.open[d] = Some(open);
    }

    fn gap(&mut self, at: &mut PacketEvent<'_>, gap: &MessageGap) {
        let place = StreamRef::of(at);
        let cx = &mut *at.cx;
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        let d = place.direction.index();
        let Some(mut open) = conn.open[d].take() else {
            return;
        };
        if let Some(about) = &mut open.about {
            about.gap(gap.offset.saturating_sub(open.start), gap.len);
            about.count(cx);
        }
        let end = gap.offset.saturating_add(gap.len);
        self.hole(cx, place, conn, &mut open, end);
        conn.open[d] = Some(open);
    }

    fn end(&mut self, at: &mut PacketEvent<'_>, end: &MessageEnd) {
        let place = StreamRef::of(at);
        let cx = &mut *at.cx;
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        let d = place.direction.index();
        let Some(mut open) = conn.open[d].take() else {
            return;
        };
        if !open.done {
            if let Some(about) = &mut open.about {
                about.acknowledged = Some(end.acknowledged.is_some());
            }
            self.finish(cx, place, conn, &mut open, end);
        }
        conn.open[d] = Some(open);
        self.put_back(cx, conn, d);
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        self.write_datagram(at, message);
    }

    fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        self.write_as_it_was(cx, datagram);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        self.write_user_message(at.cx, at.flow, message, protocol);
    }

    /// Octets are at hand: where they stood is kept until they are written.
    fn stream_arrival(&mut self, at: &mut PacketEvent<'_>, chunk: &Chunk<'_>) {
        let (cx, d) = (&mut *at.cx, at.direction.index());
        let conn = PacketConnection::of(cx, at.state);
        let track = &mut conn.track[d];
        // Between messages a header may still be held; older places are not asked for again.
        if conn.open[d].is_none() {
            track.forget_old();
        }
        let mut places = Vec::new();
        cx.records_of(chunk.frame, chunk.at, chunk.data.len(), &mut |p| {
            places.push(p);
        });
        let mut offset = chunk.offset;
        for place in places {
            track.add(cx, offset, place);
            offset += place.len;
        }
    }

    /// Octets came again; those of the message that is open are counted in its comment.
    fn stream_duplicate(&mut self, at: &mut PacketEvent<'_>, duplicate: &Duplicate) {
        let d = at.direction.index();
        if let Some(conn) = at.state
            && let Some(open) = &mut conn.open[d]
            && let Some(about) = &mut open.about
        {
            let end = duplicate.offset.saturating_add(duplicate.len);
            let own = end.saturating_sub(open.start).min(duplicate.len);
            about.repeated = about.repeated.saturating_add(own);
        }
    }

    /// `--handshake`: writes how the stream ended, unless its last message has said so; and how it began, where it had none.
    fn stream_end(&mut self, at: &mut PacketEvent<'_>, close: Close) {
        if !self.form.handshake || self.wire == Wire::Pdu {
            return;
        }
        let place = StreamRef::of(at);
        let d = at.direction.index();
        // What has no message has no protocol that an output could have been named for.
        if at.state.is_none() && !self.protocols().is_empty() {
            return;
        }
        let conn = PacketConnection::of(at.cx, at.state);
        if !conn.begun {
            if !self.protocols().is_empty() {
                return;
            }
            self.begin_empty(at.cx, place, conn);
        }
        let flags = match close {
            Close::Fin => FIN,
            // Both streams end with it, and one side has sent it.
            Close::Reset if place.sides[d].reset => RST,
            _ => return,
        };
        if conn.fin[d] {
            return;
        }
        conn.fin[d] = true;
        conn.note_acknowledged(d, place.sides[1 - d].acknowledged);
        let offset = match conn.written[d] {
            NONE => at.sides[d].origin,
            written => written,
        };
        let header = TcpFields {
            seq: seq(at.sides[d].base.unwrap_or_default(), offset),
            ack: acknowledgment(place, conn),
            flags,
        };
        self.bare(at.cx, at.flow, at.direction, header);
    }

    fn input_end(&mut self, cx: &mut Context) {
        self.ports.clear(cx);
        self.write_all(cx);
    }

    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, _: Option<Discard>) {
        if let Some(sorted) = &mut self.sorted {
            sorted.time_is(cx, packet, &mut self.file);
        }
    }

    /// The connection has ended: gives back what was counted for it.
    fn closed(&mut self, at: &mut PacketEvent<'_>, _: Close) {
        let cx = &mut *at.cx;
        if let Some(mut conn) = at.state.take() {
            // Both may still be open where the memory ran out.
            self.put_back(cx, &mut conn, 0);
            self.put_back(cx, &mut conn, 1);
            for track in &mut conn.track {
                track.clear(cx);
            }
            cx.budget.give(allocated(size_of::<PacketConnection>()));
        }
    }
}

impl Output for PacketOutput {
    /// Writes the file header; only the first input's counts.
    fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        if self.begun {
            return;
        }
        self.begun = true;
        self.wire = match self.form.encap {
            Encap::Ethernet => Wire::Ethernet,
            Encap::Raw => Wire::Raw,
            Encap::Pdu => Wire::Pdu,
            Encap::Auto if link_type == LinkType::ETHERNET => Wire::Ethernet,
            Encap::Auto => Wire::Raw,
        };
        let own = match self.wire {
            Wire::Ethernet => LinkType::ETHERNET,
            Wire::Raw => LinkType::RAW,
            Wire::Pdu => LinkType::WIRESHARK_UPPER_PDU,
        };
        self.file.begin(Some(own), link_type, nanoseconds);
    }

    /// These are all interfaces of the input until now.
    fn interfaces(&mut self, all: &[Interface]) {
        self.file.interfaces(all);
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.file.flush()
    }
}

/// Octets of a header section, the empty line at its end included; None where that is not there.
fn header_len(head: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', head).find_map(|at| match head.get(at + 1..)? {
        [b'\r', b'\n', ..] => Some(at + 3),
        [b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

/// The header of a response says, or leaves open, that a body follows.
fn promises_body(head: &[u8]) -> bool {
    let mut lines = head.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next().and_then(|line| {
        let mut words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
        words.nth(1)
    });
    // Of these every reader knows that they have none (RFC 9110, 6.4.1).
    if !matches!(status, Some([b'2'..=b'5', _, _])) || matches!(status, Some(b"204" | b"304")) {
        return false;
    }
    !lines.any(|line| {
        let (name, value) = line.split_at(memchr::memchr(b':', line).unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"content-length") && value.iter().all(|&b| b == b'0')
    })
}

impl PacketOutput {
    /// Keeps an open message's memory for the next one.
    fn put_back(&mut self, cx: &mut Context, conn: &mut PacketConnection, d: usize) {
        if let Some(mut open) = conn.open[d].take() {
            if let Some(about) = open.about.take() {
                cx.budget.give(about.counted);
            }
            cx.budget.give(allocated(size_of::<PendingMessage>()));
            cx.budget.give(std::mem::take(&mut open.counted));
            open.pending.clear();
            if self.pool.len() < POOL {
                self.pool.push(open);
            }
        }
    }
}
