//! A connection for which nothing is allocated, as it is kept between its packets: there may be a million of them.

use super::stream_state::{ACKED, BASED, CHECKSUMS_VALID, FIN, SEEN, SYN, StreamState};
use super::{Connection, Mark};
use crate::base::flow::Direction;
use crate::base::packet::VlanTag;
use crate::base::serial::SeqNumber;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::ORIGIN;
use crate::base::time::Instant;
use crate::transport::tcp::order::{HALF_OPEN, LINGER};
use crate::transport::tcp::segment::Segment;
use crate::transport::tcp::waiting::low32;
use std::time::Duration;

/// The forward direction's sender is the lower endpoint.
const LOW: u8 = 1;
/// The ports were used before.
const REUSED: u8 = 2;
/// A RST was seen.
const RESET: u8 = 4;
/// In the place of its tag stands the tunnel that it came through.
const TUNNEL: u8 = 8;
/// Shift for the order of use in which it is listed.
const LIST: u8 = 4;

/// It has ended.
const CLOSED: u8 = 1;
/// Its age is in microseconds, not nanoseconds.
const MICROS: u8 = 2;
/// Shifts for the packets of each direction, three bits each.
const PACKETS: [u8; 2] = [2, 5];
/// Beginnings that lie so far back do not fit: nanoseconds, or microseconds.
const FIRST: u128 = 1 << 44;
/// Nor do places in the order of use that are so old: a quarter of a second.
const LISTED: u32 = 1 << 28;
/// As many packets of a direction are counted here. A handshake has fewer, and so has a scan.
const MOST: u64 = 7;

/// A connection of which nothing but a SYN was seen: a scan or a flood has a million of them. When the SYN came, its sequence number, its window, bits of its stream, the connection's number and flags.
// Octets, as numbers would have to stand where they can be divided by their size, and an eighth of it would be padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::transport::tcp) struct HalfOpenConnection([u8; 22]);

/// In the flags of a half-open connection: it has ended.
const ENDED: u8 = 0x80;

impl HalfOpenConnection {
    fn new(
        last: Instant,
        base: SeqNumber,
        window: u16,
        bits: u16,
        number: [u8; 5],
        flags: u8,
    ) -> Self {
        let [l0, l1, l2, l3, l4, l5, l6, l7] = last.as_nanos().to_le_bytes();
        let [b0, b1, b2, b3] = base.0.to_le_bytes();
        let [w0, w1] = window.to_le_bytes();
        let [s0, s1] = bits.to_le_bytes();
        let [n0, n1, n2, n3, n4] = number;
        Self([
            l0, l1, l2, l3, l4, l5, l6, l7, b0, b1, b2, b3, w0, w1, s0, s1, n0, n1, n2, n3, n4,
            flags,
        ])
    }

    /// The connection in this form; None where there is more to say of it.
    pub(in crate::transport::tcp) fn of(c: &CompactConnection) -> Option<Self> {
        let [forward, reverse] = &c.streams;
        // Asked first, as it tells nearly all others.
        if *reverse != CompactStream::default() {
            return None;
        }
        let [[n0, n1], [n2, n3], [n4, _]] = c.number.map(u16::to_le_bytes);
        let half_open = Self::new(
            c.last,
            forward.base,
            forward.window,
            forward.bits,
            [n0, n1, n2, n3, n4],
            c.flags & (LOW | REUSED),
        );
        (half_open.compact() == *c).then_some(half_open)
    }

    /// One that has just been opened by a SYN without octets, outside of VLANs and tunnels; `valid`: its checksum is right. None where
    /// the number is too large.
    pub(in crate::transport::tcp) fn opened(
        number: u64,
        low: bool,
        now: Instant,
        syn: &Segment<'_>,
        valid: bool,
    ) -> Option<Self> {
        let [n @ .., 0, 0, 0] = number.to_le_bytes() else {
            return None;
        };
        let mut forward = StreamState::default();
        if let Some(shift) = syn.window_scale {
            forward.set_scale(shift);
        }
        forward.place(syn.data_seq(), ORIGIN);
        forward.set(SEEN | SYN | BASED | if valid { CHECKSUMS_VALID } else { 0 });
        forward.begin();
        let flags = if low { LOW } else { 0 };
        Some(Self::new(
            now,
            forward.base,
            syn.window,
            forward.bits,
            n,
            flags,
        ))
    }

    /// The connection in its compact form.
    pub(in crate::transport::tcp) fn compact(&self) -> CompactConnection {
        let [
            l0,
            l1,
            l2,
            l3,
            l4,
            l5,
            l6,
            l7,
            b0,
            b1,
            b2,
            b3,
            w0,
            w1,
            s0,
            s1,
            n0,
            n1,
            n2,
            n3,
            n4,
            flags,
        ] = self.0;
        CompactConnection {
            last: Instant::from_nanos(u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7])),
            number: [[n0, n1], [n2, n3], [n4, 0]].map(u16::from_le_bytes),
            flags: flags & (LOW | REUSED) | HALF_OPEN << LIST,
            more: if flags & ENDED == 0 { 0 } else { CLOSED }
                | 1 << PACKETS[Direction::Forward.index()],
            first: 0,
            listed: 0,
            reset: 0,
            tag: VlanTag::default(),
            streams: [
                CompactStream {
                    base: SeqNumber(u32::from_le_bytes([b0, b1, b2, b3])),
                    bits: u16::from_le_bytes([s0, s1]),
                    window: u16::from_le_bytes([w0, w1]),
                    ..CompactStream::default()
                },
                CompactStream::default(),
            ],
        }
    }

    /// When its packet came.
    pub(in crate::transport::tcp) fn last_used(&self) -> Instant {
        let last = self.0.first_chunk().copied().unwrap_or_default();
        Instant::from_nanos(u64::from_le_bytes(last))
    }

    /// As [`CompactConnection::end`].
    pub(in crate::transport::tcp) const fn end(&mut self) -> bool {
        let flags = &mut self.0[21];
        let before = *flags & ENDED != 0;
        *flags |= ENDED;
        !before
    }
}

/// A connection without data, or one that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::transport::tcp) struct CompactConnection {
    last: Instant,
    /// Its number, and in the last octet bits 32 to 39 of `first`.
    number: [u16; 3],
    flags: u8,
    /// [`CLOSED`], [`MICROS`], and how many packets there were.
    more: u8,
    /// Before `last`, in nanoseconds: its first packet (in microseconds with [`MICROS`]; 44 bits, five hours), when it was put in
    /// its place in the order of use (28 bits, as it is put there ten times a second; above them bits 40 to 43 of `first`), and
    /// its RST.
    first: u32,
    listed: u32,
    reset: u32,
    tag: VlanTag,
    streams: [CompactStream; 2],
}

/// One direction; its origin is at [`ORIGIN`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CompactStream {
    base: SeqNumber,
    bits: u16,
    window: u16,
    /// From the origin to the next octet.
    rcv_nxt: u32,
    /// From the next octet to each of these.
    snd_max: u32,
    snd_una: i16,
    fin: i16,
}

// 72 bytes: with a million idle connections each further word is 8 MB.
const _: () = assert!(size_of::<CompactConnection>() <= 72);

impl CompactConnection {
    /// The connection in its compact form. None where something is allocated for it, or armed, or where it has what few
    /// have: tags that differ, octets far ahead.
    pub(in crate::transport::tcp) fn of<S>(c: &Connection<S>) -> Option<Self> {
        let extras = c.extras.as_deref();
        if c.buffers.is_some() || extras.is_some_and(|r| !r.held.is_empty() || r.channels.is_some())
        {
            return None;
        }
        // Held segments and channels have no place in this form. Such connections are rare and stay
        // whole.
        // An ended connection does nothing any more.
        let reset = c.reset.filter(|_| !c.closed);
        // Only the deadline of a RST can be derived again from the compact form. Any other would be
        // forgotten, and then nothing would wake the connection.
        if !c.closed && c.armed != reset.map(|mark| mark.at.after(LINGER)) {
            return None;
        }
        let number = c.number.to_le_bytes();
        // 40 bits count a million connections a second for twelve days. What comes then stays whole.
        let [n @ .., 0, 0, 0] = number else {
            return None;
        };
        let (tag, tunnel) = one_channel(c)?;
        let is = |set, flag| if set { flag } else { 0 };
        let flags = is(c.forward_is_low, LOW)
            | is(c.reused, REUSED)
            | is(reset.is_some(), RESET)
            | is(tunnel, TUNNEL)
            | c.listed.1 << LIST;
        let [forward, reverse] = c.streams;
        let mut more = is(c.closed, CLOSED);
        let age = c.last.since(c.first);
        let first = if c.closed {
            // What it was has been told. An old first packet may be cut short: it only decides whether a SYN is late, and
            // that is a matter of one second.
            u64::from(nanos(age).unwrap_or(u32::MAX))
        } else {
            let packets = [c.forward_packets, c.packets - c.forward_packets];
            for (packets, shift) in packets.into_iter().zip(PACKETS) {
                let packets = u8::try_from(packets)
                    .ok()
                    .filter(|n| u64::from(*n) <= MOST)?;
                more |= packets << shift;
            }
            match age.as_nanos() {
                nanos if nanos < FIRST => u64::try_from(nanos).ok()?,
                // Most captures count microseconds. What does not, and lasts longer, stays whole.
                _ if age.subsec_nanos().is_multiple_of(1000) => {
                    more |= MICROS;
                    u64::try_from(age.as_micros())
                        .ok()
                        .filter(|micros| u128::from(*micros) < FIRST)?
                }
                _ => return None,
            }
        };
        let [f0, f1, f2, f3, above, top, ..] = first.to_le_bytes();
        let listed = nanos(c.last.since(c.listed.0)).filter(|nanos| *nanos < LISTED)?;
        Some(Self {
            last: c.last,
            number: [[n[0], n[1]], [n[2], n[3]], [n[4], above]].map(u16::from_le_bytes),
            flags,
            more,
            first: u32::from_le_bytes([f0, f1, f2, f3]),
            listed: listed | u32::from(top) << LISTED.trailing_zeros(),
            // Four seconds fit 32 bits of nanoseconds. A connection that does not fit just stays
            // whole.
            reset: reset.map_or(Some(0), |mark| nanos(c.last.since(mark.at)))?,
            tag,
            streams: [
                CompactStream::of(forward, c.closed)?,
                CompactStream::of(reverse, c.closed)?,
            ],
        })
    }

    /// The connection.
    pub(in crate::transport::tcp) fn connection<S>(&self) -> Connection<S> {
        let is = |flag| self.flags & flag != 0;
        let ago = |nanos: u64| Instant::from_nanos(self.last.as_nanos().saturating_sub(nanos));
        let [a, b, c] = self.number.map(u64::from);
        let number = a | b << 16 | (c & 0xff) << 32;
        let top = u64::from(self.listed / LISTED);
        let first = u64::from(self.first) | (c >> 8) << 32 | top << 40;
        let mut connection = Connection::new(number, is(LOW), is(REUSED), self.last);
        let unit = if self.more & MICROS == 0 { 1 } else { 1000 };
        connection.first = ago(first * unit);
        connection.listed = (ago((self.listed % LISTED).into()), self.flags >> LIST);
        connection.closed = self.is_closed();
        let [forward, reverse] = PACKETS.map(|shift| u64::from(self.more >> shift) & MOST);
        (connection.packets, connection.forward_packets) = (forward + reverse, forward);
        if is(RESET) {
            let at = ago(self.reset.into());
            // Its packets are at hand again, but not how many there were at the RST: the difference is what the
            // window looks at, and a compact connection has nothing that waits.
            let packets = connection.packets;
            connection.reset = Some(Mark { packets, at });
            connection.armed = Some(at.after(LINGER));
        }
        for i in 0..2 {
            connection.streams[i] = self.streams[i].stream();
            if connection.streams[i].is(SEEN) {
                if is(TUNNEL) {
                    connection.tunnels[i] =
                        u32::from(self.tag.tpid) << 16 | u32::from(self.tag.tci);
                } else {
                    connection.tags[i] = [self.tag, VlanTag::default()];
                }
            }
        }
        connection
    }

    /// It has ended: nothing waits in it, so there is no event. False where it had ended before.
    pub(in crate::transport::tcp) const fn end(&mut self) -> bool {
        let before = self.is_closed();
        self.more |= CLOSED;
        !before
    }

    const fn is_closed(&self) -> bool {
        self.more & CLOSED != 0
    }

    /// A RST has ended it, or is about to.
    pub(in crate::transport::tcp) const fn was_reset(&self) -> bool {
        self.flags & RESET != 0
    }

    /// When its last packet came.
    pub(in crate::transport::tcp) const fn last_used(&self) -> Instant {
        self.last
    }
}

/// The one tag of every packet, or the one tunnel, which has as many octets, and whether it is that; None where they
/// differ, or where there is more of them.
fn one_channel<S>(c: &Connection<S>) -> Option<(VlanTag, bool)> {
    let seen = |i: usize| c.streams[i].is(SEEN).then_some((c.tags[i], c.tunnels[i]));
    let none = VlanTag::default();
    let one = match (seen(0), seen(1)) {
        (Some(a), Some(b)) if a != b => return None,
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => Default::default(),
    };
    match one {
        ([tag, inner], 0) => (inner == none).then_some((tag, false)),
        (tags, tunnel) => {
            let [a, b, c, d] = tunnel.to_be_bytes();
            let [tpid, tci] = [[a, b], [c, d]].map(u16::from_be_bytes);
            (tags == [none; 2]).then_some((VlanTag { tpid, tci }, true))
        }
    }
}

fn nanos(d: Duration) -> Option<u32> {
    u32::try_from(d.as_nanos()).ok()
}

impl CompactStream {
    fn of(mut stream: StreamState, closed: bool) -> Option<Self> {
        // An ended one only has to recognise its late copies, so everything can be moved to the
        // usual origin.
        if closed {
            // Offsets mean nothing to anybody else any more, and what was acknowledged only by how far it reaches ahead.
            let by = stream.origin.wrapping_sub(ORIGIN);
            stream.base = stream.base.add(low32(by));
            stream.origin = ORIGIN;
            stream.rcv_nxt = stream.rcv_nxt.wrapping_sub(by);
            stream.snd_max = stream.snd_max.wrapping_sub(by);
            stream.snd_una = stream.snd_una.wrapping_sub(by).max(stream.rcv_nxt);
            stream.fin = stream.rcv_nxt;
        }
        // Only a stream that was looked behind, or that restarted, begins elsewhere. It is rarely
        // without data.
        if stream.origin != ORIGIN {
            return None;
        }
        // Acknowledgments and FINs lie close to what is delivered once nothing waits, so 16 bits
        // do; else it stays whole.
        let from_next = |bit, offset: u64| {
            if stream.is(bit) {
                i16::try_from(offset.wrapping_sub(stream.rcv_nxt).cast_signed()).ok()
            } else {
                (closed || offset == 0).then_some(0)
            }
        };
        Some(Self {
            base: stream.base,
            bits: stream.bits,
            window: stream.window,
            rcv_nxt: u32::try_from(stream.rcv_nxt.checked_sub(ORIGIN)?).ok()?,
            snd_max: u32::try_from(stream.snd_max.checked_sub(stream.rcv_nxt)?).ok()?,
            snd_una: from_next(ACKED, stream.snd_una)?,
            fin: from_next(FIN, stream.fin)?,
        })
    }

    fn stream(self) -> StreamState {
        let next = ORIGIN + u64::from(self.rcv_nxt);
        let mut stream = StreamState {
            base: self.base,
            bits: self.bits,
            window: self.window,
            origin: ORIGIN,
            rcv_nxt: next,
            snd_max: next + u64::from(self.snd_max),
            snd_una: 0,
            fin: 0,
        };
        let from_next = |offset: i16| next.wrapping_add_signed(i64::from(offset));
        if stream.is(ACKED) {
            stream.snd_una = from_next(self.snd_una);
        }
        if stream.is(FIN) {
            stream.fin = from_next(self.fin);
        }
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream_state::STARTED;
    use super::*;
    use proptest::prelude::*;

    /// One direction, as it may be without data.
    fn stream() -> impl Strategy<Value = StreamState> {
        let offset = prop_oneof![0_u64..3, 30_000_u64..40_000, Just(1 << 33)];
        (
            any::<(u32, u16, u16)>(),
            offset.clone(),
            offset.clone(),
            offset,
        )
            .prop_map(|((base, bits, window), high, acked, fin)| {
                let mut stream = StreamState {
                    base: SeqNumber(base),
                    bits,
                    window,
                    snd_max: ORIGIN + high,
                    ..StreamState::default()
                };
                if stream.is(ACKED) {
                    stream.snd_una = ORIGIN + acked;
                }
                if stream.is(FIN) {
                    stream.fin = ORIGIN + fin;
                }
                stream
            })
    }

    proptest! {
        /// What is made compact comes back as it was.
        #[test]
        fn nothing_is_lost(
            streams in [stream(), stream()],
            (number, low, reused) in any::<(u64, bool, bool)>(),
            (first, listed) in (prop_oneof![0_u64..10_000_000_000, 0_u64..1 << 46], 0_u64..500_000_000),
            reset in prop::option::of(0_u64..10_000_000_000),
            tag in 0_u16..2,
            tunnel in prop::option::of(any::<u32>()),
            [forward, reverse] in [0_u64..10, 0_u64..10],
            micros in any::<bool>(),
        ) {
            let number = number >> 24;
            let unit = if micros { 1000 } else { 1 };
            let [first, listed] = [first, listed].map(|ago| ago / unit * unit);
            let now = 1 << 47;
            let last = Instant::from_nanos(now);
            let mut c: Connection<()> = Connection::new(number, low, reused, last);
            c.first = Instant::from_nanos(now - first);
            c.listed = (Instant::from_nanos(now - listed), 1);
            c.streams = streams;
            c.reset = reset.map(|ago| Mark {
                packets: forward + reverse,
                at: Instant::from_nanos(last.as_nanos().saturating_sub(ago)),
            });
            (c.packets, c.forward_packets) = (forward + reverse, forward);
            c.armed = c.reset.map(|mark| mark.at.after(LINGER));
            for (stream, tags) in c.streams.iter().zip(&mut c.tags) {
                if stream.is(SEEN) && tunnel.unwrap_or(0) == 0 {
                    tags[0] = VlanTag { tpid: 0x8100, tci: tag };
                }
            }
            for (stream, t) in c.streams.iter().zip(&mut c.tunnels) {
                if stream.is(SEEN) {
                    *t = tunnel.unwrap_or(0);
                }
            }
            let near = |offset: u64| offset.abs_diff(ORIGIN) < 1 << 15;
            let fits = streams.iter().all(|h| {
                h.snd_max < ORIGIN + (1 << 32)
                    && (!h.is(ACKED) || near(h.snd_una))
                    && (!h.is(FIN) || near(h.fin))
            });
            let long = |at: Instant| last.as_nanos() - at.as_nanos() > u64::from(u32::MAX);
            // Five hours.
            let old = first >= 1 << 44 && !first.is_multiple_of(1000);
            let fits = fits && forward <= MOST && reverse <= MOST && !old;
            let fits = fits && listed < 1 << 28 && !c.reset.is_some_and(|mark| long(mark.at));
            let compact = CompactConnection::of(&c);
            prop_assert_eq!(compact.is_some(), fits);
            if let Some(compact) = compact {
                let back: Connection<()> = compact.connection();
                prop_assert_eq!(format!("{c:?}"), format!("{back:?}"));
            }
        }
    }

    /// One that has ended is told from its segments alone: their place against the origin and the end.
    #[test]
    fn an_ended_connection_keeps_its_numbers() {
        let mut c: Connection<()> = Connection::new(7, true, false, Instant::default());
        let mut stream = StreamState {
            base: SeqNumber(100),
            bits: BASED | STARTED | SYN | ACKED | FIN,
            rcv_nxt: ORIGIN + 1_000_000,
            snd_max: ORIGIN + 1_000_005,
            snd_una: ORIGIN + 70_000,
            fin: ORIGIN + 1_000_005,
            ..StreamState::default()
        };
        stream.origin += 50;
        c.streams[0] = stream;
        assert!(CompactConnection::of(&c).is_none());
        c.closed = true;
        let back: Connection<()> = CompactConnection::of(&c).expect("compact").connection();
        let now = &back.streams[0];
        for seq in [100, 150, 151, 70_000, 1_000_100, 1_000_105, 2_000_000] {
            let seq = SeqNumber(seq);
            let (was, is) = (stream.offset(seq), now.offset(seq));
            assert_eq!(was.wrapping_sub(stream.origin), is.wrapping_sub(now.origin));
            assert_eq!(was <= stream.snd_max, is <= now.snd_max);
            assert_eq!(stream.reaches(was, 5, 1 << 16), now.reaches(is, 5, 1 << 16));
        }
        assert!(back.is_closed());
    }
}
