//! Messages of TCP: one segment for each, or a train of them, and the segments around a connection.

use super::connection::{NONE, PacketConnection, StreamRef, acknowledgment, ends, first_offset};
use super::file::FileFormat;
use super::info;
use super::pending::{HEADROOM, PendingMessage};
use super::synthetic::{self, Ends, FIN, PSH, PacketHeaders, Payload, SYN, TcpFields, Wire};
use super::writing::{PacketOutput, PduMessage, clamp};
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::message::{MessageEnd, Piece};

/// Segments of at least this many octets are written past the output buffer, so that they are not copied once more. Smaller
/// ones are collected, as a system call for each costs more than the copy.
const WRITE_THROUGH: usize = 32 << 10;

/// Octets to be claimed behind a response that promises a body and has none, because it answers HEAD: one, where the
/// request was not written ahead of it. tshark would wait for the body and lose what follows; it does not wait for what
/// the snapshot length cut off. Of one octet more it takes no notice when the next message begins there.
fn no_body(wire: Wire, conn: &PacketConnection, open: &PendingMessage, end: u64) -> usize {
    usize::from(wire != Wire::Pdu && open.header_end == end && !conn.asks_for_header)
}

impl PacketOutput {
    pub(super) fn add_piece(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        piece: &Piece<'_>,
    ) {
        // The message ended early, at its only packet; what is left of it must not become a second
        // one.
        if open.done {
            return;
        }
        if let Some(about) = &mut open.about {
            about.piece(piece.frame, piece.data.len());
            about.count(cx);
        }
        let most = open.unit;
        // The common case: a message that lies in one segment.
        if piece.last
            && open.pending.is_empty()
            && open.hole_end == 0
            && piece.offset == open.at
            && piece.data.len() <= most
            && open.about.is_none()
        {
            self.begin_connection(cx, place, conn, open.start);
            let ends = ends(place.flow, place.direction);
            let end = piece.offset + piece.data.len() as u64;
            let whole = piece.data.len() + no_body(self.wire, conn, open, end);
            let payload = self.payload(piece.data, whole, piece.sum);
            let headers = self.segment(place, conn, &ends, open.seq(open.at), PSH, &payload);
            self.tell_decrypted(place.flow);
            self.record(cx, &headers, piece.data, &payload);
            conn.written[place.direction.index()] = piece.offset + piece.data.len() as u64;
            open.done = true;
            return;
        }
        // Behind what waits, and what was left out behind it.
        let have = open.have();
        // The next common one: it goes on, and fits behind what waits.
        let room = most.saturating_sub(open.payload().len());
        if !piece.last && open.hole_end == 0 && piece.offset == have && piece.data.len() <= room {
            open.push(cx, piece.data, piece.sum, most);
            return;
        }
        let mut data = piece.data;
        if piece.offset > have.max(open.hole_end) {
            self.hole(cx, place, conn, open, piece.offset);
        } else if let Some(rest) = data.get(clamp(have.saturating_sub(piece.offset))..) {
            // What is here already is not written twice.
            data = rest;
        } else {
            return;
        }
        if open.hole_end != 0 {
            // A message of one packet ends at its hole: tshark glues a second packet to the next
            // message.
            if open.cut {
                return;
            }
            // A train goes on behind the hole: the segment before it is snapped up to the hole's
            // end, and the numbers stay true.
            self.cover_hole(cx, place, conn, open, open.hole_end, 0);
        }
        self.append(
            cx,
            place,
            conn,
            open,
            data,
            piece.sum.filter(|_| data.len() == piece.data.len()),
        );
        // What a comment or a pdu says of a message is known at its end only.
        if piece.last && open.about.is_none() {
            let end = open.have();
            let whole = clamp(end - open.at) + no_body(self.wire, conn, open, end);
            self.write_pending(cx, place, conn, open, whole, PSH);
            conn.written[place.direction.index()] = end;
            open.done = true;
        }
    }

    /// Appends octets to what waits, and writes what is full. `sum`: that of `data`, where it is known.
    pub(super) fn append(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        mut data: &[u8],
        sum: Option<Sum>,
    ) {
        // The known sum is of all octets or of none of the pieces.
        let all = data.len();
        while !data.is_empty() {
            let most = open.unit;
            let room = most - open.payload().len().min(most);
            if room == 0 {
                let train = synthetic::max_tcp_payload(place.flow.key.is_v4());
                // `snap` promises one packet: the rest is only counted, and shows in the record's
                // original length.
                if open.single {
                    open.beyond += data.len() as u64;
                    return;
                } else if most > train {
                    // A message that has no known length was begun as a large packet; now it does
                    // not fit one.
                    self.becomes_train(cx, place, conn, open, train);
                } else {
                    // No PSH: the message goes on in the next segment.
                    self.write_pending(cx, place, conn, open, most, 0);
                }
                continue;
            }
            let (now, rest) = data.split_at(room.min(data.len()));
            open.push(cx, now, sum.filter(|_| now.len() == all), most);
            data = rest;
        }
    }

    /// A message that waited to become one large packet is too large for that.
    pub(super) fn becomes_train(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        train: usize,
    ) {
        // From here on the unit is what IP can say, and all readers can put the segments together.
        open.unit = train;
        let waiting = std::mem::take(&mut open.pending);
        let size = std::mem::take(&mut open.counted);
        let octets = waiting.get(HEADROOM..).unwrap_or_default();
        self.append(cx, place, conn, open, octets, None);
        cx.budget.give(size);
    }

    /// Octets up to `end` are missing. A message of one packet is cut there: a second packet of it would be taken for
    /// the beginning of the next message.
    pub(super) fn hole(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        end: u64,
    ) {
        // A second hole in what is left out changes nothing; one that is covered needs no packet.
        if open.cut || open.done || end <= open.have() {
            return;
        }
        // Zeros instead of the hole, where the user asked for it. In blocks, as a hole may be as
        // long as `--max-gap`.
        if self.form.fill_gaps && open.hole_end == 0 {
            if let Some(about) = &mut open.about {
                about.filled = true;
            }
            const ZEROS: [u8; 4096] = [0; 4096];
            while open.have() < end {
                let len = clamp(end - open.have()).min(ZEROS.len());
                let zeros = ZEROS.get(..len).unwrap_or(&ZEROS);
                self.append(cx, place, conn, open, zeros, None);
            }
            return;
        }
        // One packet, if it was to be one, or if it is known to fit one. All else is a train,
        // or may become one; mail goes on as one to its last line.
        let one_packet = open.single
            || (!open.ends_with_line
                && !open.split
                && (open.known_end == NONE || open.known_end - open.start <= open.unit as u64));
        open.cut = one_packet;
        // Two holes in a row are covered by one segment.
        open.hole_end = open.hole_end.max(end);
    }

    /// Writes what is left of a message.
    pub(super) fn finish(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        end: &MessageEnd,
    ) {
        let have = open.have();
        let closes = end.closes.is_some();
        // How far the message reaches.
        let mut target = if end.whole && open.hole_end == 0 {
            // An end of the stream says nothing of the message's extent, only its header does.
            have
        } else if closes {
            let hole = have.max(open.hole_end);
            match open.known_end {
                // Of an unknown extent, one octet more than there is: enough for a reader to see
                // that something is missing, and the least that is invented.
                NONE if hole == have => have + 1,
                NONE => hole,
                known => known,
            }
        } else if open.known_end != NONE || open.hole_end == 0 {
            end.offset
        } else {
            // A hole ahead of the end reaches no further than the next octet.
            open.hole_end.min(end.offset)
        };
        if target <= have && !end.whole {
            // Nothing is known to be missing, yet something is: a jump of unknown length, behind which the numbers
            // are other ones.
            let jumped = place.sides[place.direction.index()].base != Some(open.base);
            target = if closes || jumped { have + 1 } else { have };
        }
        if target == open.at {
            return;
        }
        let flags = PSH | if closes { FIN } else { 0 };
        // FIN with the last octets: tshark dissects a message that ends with its connection only
        // when it sees the FIN.
        if closes {
            conn.fin[place.direction.index()] = true;
            let whole = clamp(target - open.at);
            self.write_pending(cx, place, conn, open, whole, flags);
        } else if open.split {
            // What is missing at a train's end is covered by segments that have a length and no
            // octets.
            self.cover_hole(cx, place, conn, open, target, flags);
        } else {
            let more = if end.whole && (open.known_end == NONE || open.known_end <= have) {
                no_body(self.wire, conn, open, target)
            } else {
                // It ends where the next one begins, short of what its header says (a body that was declined): nothing is
                // known to be missing, and yet a reader must not go on as if that came.
                let short = match open.known_end {
                    NONE => !self.form.fill_gaps,
                    end => end > have,
                };
                usize::from(short && target <= have)
            };
            let whole = clamp(target - open.at) + more;
            self.write_pending(cx, place, conn, open, whole, flags);
            conn.written[place.direction.index()] = target;
        }
    }

    /// Writes what waits, cut, and as many segments without octets as it takes to reach `target`; the last one carries
    /// `flags`.
    pub(super) fn cover_hole(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        target: u64,
        flags: u8,
    ) {
        // Each segment no longer than IP can say: a hole of megabytes takes several.
        let most = open.unit;
        while open.at < target {
            let whole = clamp(target - open.at).min(most);
            let last = open.at + whole as u64 == target;
            let flags = if last { flags } else { 0 };
            self.write_pending(cx, place, conn, open, whole, flags);
        }
        open.hole_end = 0;
    }

    /// The packet that comes next has a comment with the ports that its octets had, if they were encrypted.
    fn tell_decrypted(&mut self, flow: &Flow) {
        if self.form.format == FileFormat::Pcapng {
            self.comments.extend(info::decrypted(flow));
        }
    }

    /// Writes one segment of `whole` octets, of which those that wait are there.
    pub(super) fn write_pending(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        open: &mut PendingMessage,
        whole: usize,
        flags: u8,
    ) {
        self.begin_connection(cx, place, conn, open.start);
        let ends = &ends(place.flow, place.direction);
        // What is written needs its places no more; without this a long stream would keep them all.
        if self.tracks() {
            let track = &mut conn.track[place.direction.index()];
            let (from, to) = (open.at, open.at + whole as u64);
            self.comments.push(track.text(from, to));
            track.forget(to);
        }
        let payload = self.payload(
            open.payload(),
            whole,
            Some(open.sum).filter(|_| !open.pending.is_empty()),
        );
        // On the last packet only: that is where a reader shows the message.
        let last = flags & PSH != 0;
        if last || self.wire == Wire::Pdu {
            self.tell_decrypted(place.flow);
        }
        // A pdu is one record with all of the message, whatever its length.
        if self.wire == Wire::Pdu {
            if let Some(about) = &open.about {
                let pdu = PduMessage {
                    transport: place.flow.transport,
                    ppid: None,
                    data: open.payload(),
                    whole,
                };
                self.pdu(cx, ends, about, &pdu);
            }
        } else {
            if let Some(about) = &open.about
                && last
                && self.form.info
            {
                self.comments.push(about.text());
            }
            let headers = self.segment(place, conn, ends, open.seq(open.at), flags, &payload);
            // Large segments lie ready behind their headroom, so a header in front makes them a
            // record without a copy.
            if payload.len >= WRITE_THROUGH && self.form.format == FileFormat::Pcap {
                self.record_in_place(cx, &headers, &mut open.pending, &payload);
            } else {
                self.record(cx, &headers, open.payload(), &payload);
            }
        }
        open.beyond = 0;
        // By what the headers claim, not by what is there: the next sequence number follows a
        // snapped tail.
        open.at += payload.whole as u64;
        open.split = true;
        open.pending.clear();
        conn.written[place.direction.index()] = open.at;
    }

    /// Headers of a segment, with the acknowledgment number of [`acknowledgment`].
    pub(super) fn segment(
        &self,
        place: StreamRef<'_>,
        conn: &PacketConnection,
        ends: &Ends,
        seq: u32,
        flags: u8,
        payload: &Payload,
    ) -> PacketHeaders {
        // Taken when the segment is written, not when the message began: the other direction may
        // have moved on.
        let ack = acknowledgment(place, conn);
        synthetic::tcp(self.wire, ends, TcpFields { seq, ack, flags }, payload)
    }

    /// Writes SYN and SYN-ACK where they are due: tshark takes a connection on ports that it knows for the old one, and the
    /// lower port for the server's. `start`: where the message begins that is about to be written.
    pub(super) fn begin_connection(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
        start: u64,
    ) {
        if self.wire == Wire::Pdu {
            conn.begun = true;
            return;
        }
        let (d, o) = (place.direction.index(), place.direction.flip().index());
        let client = conn.client.unwrap_or(Direction::Forward);
        let shown_to = std::mem::replace(&mut conn.shown_to, self.file.out.newest());
        if conn.begun && shown_to < conn.shown_to {
            // A reader that came in the middle follows it from here on.
            self.only_behind = Some(shown_to);
            self.syns(cx, place, conn, client, Some(start));
            self.only_behind = None;
        }
        if !conn.begun {
            conn.begun = true;
            let used = self.ports.use_again(cx, place.flow);
            let misleading = conn.client_is_known
                && place.flow.src(client).port() < place.flow.dst(client).port();
            if used || misleading || self.form.handshake {
                self.syns(cx, place, conn, client, Some(start));
            }
        } else if conn.written[d] == NONE && start < conn.announced[d] {
            // Captured late, behind what acknowledges it: for every reader it would be old. Where it begins anew, it is not.
            self.syns(cx, place, conn, client, Some(start));
            conn.announced[d] = start;
        }
        if conn.written[o] == NONE {
            conn.announced[o] = conn.announced[o].max(first_offset(place, conn, o));
        }
    }

    /// Begins a connection without messages (`--handshake`).
    pub(super) fn begin_empty(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &mut PacketConnection,
    ) {
        conn.begun = true;
        self.ports.use_again(cx, place.flow);
        self.syns(cx, place, conn, Direction::Forward, None);
    }

    /// Writes a SYN of the client and the other side's answer. Without a message, a side that never answered does not.
    fn syns(
        &mut self,
        cx: &mut Context,
        place: StreamRef<'_>,
        conn: &PacketConnection,
        client: Direction,
        start: Option<u64>,
    ) {
        let base = |d: Direction| {
            let side = &place.sides[d.index()];
            let offset = match start {
                _ if conn.written[d.index()] != NONE => conn.written[d.index()],
                // A message never lies before its SYN.
                Some(start) if d == place.direction && !side.from_start => start,
                Some(_) if d == place.direction => side.origin,
                _ => first_offset(place, conn, d.index()),
            };
            let answered = start.is_some() || side.from_start || (side.seen && !side.reset);
            side.seq(offset)
                .filter(|_| answered)
                .map(|first| first.sub(1).0)
        };
        let (first, second) = match base(client) {
            Some(_) => (client, client.flip()),
            // Nothing is known of the client's numbers: the other side's will do, as a SYN.
            None => (client.flip(), client),
        };
        if let Some(seq) = base(first) {
            self.bare(
                cx,
                place.flow,
                first,
                TcpFields {
                    seq,
                    ack: None,
                    flags: SYN,
                },
            );
            if let Some(answer) = base(second) {
                // The answer acknowledges the SYN just written, so that a reader takes both for one
                // handshake.
                let header = TcpFields {
                    seq: answer,
                    ack: Some(seq.wrapping_add(1)),
                    flags: SYN,
                };
                self.bare(cx, place.flow, second, header);
            }
        }
    }

    /// Writes a segment without octets.
    pub(super) fn bare(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        header: TcpFields,
    ) {
        let payload = Payload::none();
        let headers = synthetic::tcp(self.wire, &ends(flow, direction), header, &payload);
        self.record(cx, &headers, &[], &payload);
    }
}
