//! Where a segment on the ports of a connection belongs: to it, to another one, to none. Only what is held is changed by
//! that.

use super::Connection;
use super::stream_state::{ANSWERED, BASED, ENDED, FIN, HINT, SYN};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::Direction;
use crate::base::stream::ORIGIN;
use crate::base::trace::Fate;
use crate::transport::tcp::segment::Segment;
use std::time::Duration;

/// What follows a SYN that is held, within so much of the numbers of the stream that goes on, may be that stream's. A
/// megabyte is what may be in flight; a new initial number (RFC 9293, 3.4.1) comes so near by chance once in 2,000 times.
const FAR: u64 = 1 << 20;
/// What follows a segment that is held confirms it within this of its end: the largest window without scaling, as more is
/// rarely lost between two segments.
const FOLLOWS: u32 = 1 << 16;
/// A SYN captured later than this after the first data is no late one: reordering between two capture points takes
/// milliseconds, and a port is hardly used again so soon.
const LATE_SYN: Duration = Duration::from_secs(1);

/// What a segment is to the connection on its ports.
pub(in crate::transport::tcp) enum Verdict {
    /// It belongs to the connection.
    Fits,
    /// It begins, or confirms, another connection on the same ports.
    Replace,
    /// It confirms that the stream of this direction goes on elsewhere: what was held and this segment follow a gap of
    /// unknown length.
    Restart(Direction),
    /// It is held until it is known where it belongs.
    Held,
    /// It belongs to nothing.
    Stray,
    /// It belongs to the connection, which has ended; its octets were there, or not.
    Over { known: bool },
}

impl<S> Connection<S> {
    /// The segment's numbers make it a copy, or a part, of this connection, whichever channel it came on.
    pub(in crate::transport::tcp) fn belongs(
        &self,
        cx: &Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        let stream = &self.streams[d.index()];
        // A RST with SYN set is malformed; its numbers are judged like those of any segment.
        if !s.has(flags::SYN) || s.has(flags::RST) || !stream.numbered() {
            return self.fits(cx, d, s);
        }
        let offset = stream.offset(s.data_seq());
        // With its SYN known, a stream has one initial number. Any other is another connection,
        // however near.
        if stream.is(SYN) {
            return offset == stream.origin;
        }
        // Its own SYN, captured late; to be classified as on a channel that is known.
        offset <= stream.origin && stream.origin - offset <= u64::from(cx.limits.max_gap)
    }

    /// The common segment: of a connection that goes on, without SYN, FIN or RST, with the number that is due and an
    /// acknowledgment of what was seen, and nothing that waits to be judged. What [`classify`](Self::classify) would find
    /// out too.
    #[inline(always)] // on every segment's way
    pub(in crate::transport::tcp) fn is_next_in_order(
        &self,
        cx: &Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        let (stream, other) = (&self.streams[d.index()], &self.streams[d.flip().index()]);
        let plain = s.flags & (flags::SYN | flags::FIN | flags::RST) == 0;
        let quiet = !self.closed && self.held().is_empty() && !(stream.is(FIN) || other.is(FIN));
        plain
            && quiet
            && stream.is(BASED)
            && other.is(BASED)
            && stream.is_at(s.seq)
            && s.ack
                .is_some_and(|ack| other.has_delivered(ack, cx.limits.max_gap))
    }

    /// Where a segment on this connection's ports belongs.
    pub(in crate::transport::tcp) fn classify(
        &mut self,
        cx: &mut Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> Verdict {
        if self.closed {
            return self.classify_late(cx, d, s);
        }
        // The order of the tests below is the order of certainty: same SYN, late SYN, new SYN,
        // fitting numbers, jump.
        let stream = &self.streams[d.index()];
        let other = &self.streams[d.flip().index()];
        // A SYN with another number than the stream began with.
        if s.has(flags::SYN) && !s.has(flags::RST) && stream.numbered() {
            let offset = stream.offset(s.data_seq());
            if offset == stream.origin && stream.is(SYN) {
                return Verdict::Fits;
            }
            // A late SYN explains a start in the middle only while the connection is young. Later
            // it is a new connection that happens to number just below the old one.
            let young = cx.now.since(self.first) <= LATE_SYN;
            let own = !stream.is(SYN)
                && young
                && offset <= self.first_octet(d)
                && stream.origin - offset <= u64::from(cx.limits.max_gap);
            // Known by an acknowledgment only, and the SYN fits it: the SYN-ACK was captured before
            // the SYN.
            if own || (stream.is(HINT) && !stream.is(BASED) && offset == ORIGIN) {
                return Verdict::Fits;
            }
            if self.buffers.is_none() && (self.half_open() || self.reset.is_some()) {
                // Nothing was ever answered, or it was refused: the new attempt takes the place of the old one.
                return Verdict::Replace;
            }
            // A second SYN is not believed at once: one old or forged packet would end a connection that goes on (RFC 5961,
            // 4). It is held until something confirms it: here a SYN-ACK that answers it.
            if self.confirmed(cx, s) {
                return Verdict::Replace;
            }
            // A SYN is repeated each second while it is not answered. One copy is enough; more
            // would push out what else is held.
            if !self
                .held()
                .iter()
                .any(|h| h.flags & flags::SYN != 0 && h.seq == s.seq)
            {
                self.hold(cx, s);
            } else {
                // What is on a SYN that is sent again is on the first one already.
                cx.counters.tcp.refused_octets += s.payload.len() as u64;
            }
            self.fate(cx, d, s, Fate::HeldSyn);
            return Verdict::Held;
        }
        // Before anything else is tried: while a new connection is in doubt its segments may fit
        // the old numbers by chance.
        if !self.held().is_empty() && self.confirmed(cx, s) {
            return Verdict::Replace;
        }
        let max_gap = cx.limits.max_gap;
        let len = u64::from(s.payload_len);
        // Until numbers are known, anything fits: there is nothing to contradict.
        let fits_seq =
            !stream.numbered() || stream.reaches(stream.offset(s.data_seq()), len, max_gap);
        let fits_ack = match s.ack {
            Some(ack) if other.numbered() => other.may_acknowledge(other.offset(ack), max_gap),
            _ => true,
        };
        let behind_fin = |ack| other.is(FIN) && other.offset(ack) > other.fin + 1;
        let behind_fin = s.ack.is_some_and(behind_fin) && !fits_ack;
        if !fits_ack && !s.has(flags::RST) && self.answers_held(s) {
            let goes_on = fits_seq && !other.is(FIN) && !stream.is(FIN);
            return if goes_on {
                Verdict::Restart(d.flip())
            } else {
                Verdict::Replace
            };
        }
        if len > 0 && !s.has(flags::RST) && (behind_fin || self.is_next(d, s)) {
            // The ports are used again, and the handshake was not captured.
            let verdict = self.jump(cx, d, s, false);
            if matches!(verdict, Verdict::Held) {
                self.fate(cx, d, s, Fate::HeldJump);
            }
            return verdict;
        }
        if fits_seq && (fits_ack || len == 0) {
            // An acknowledgment that does not fit is looked at again where it is used.
            // An acknowledgment without data that does not fit changes nothing, so there is nothing
            // to hold. A RST that refuses a SYN is the exception: it has no number of its own to
            // fit.
            return if fits_ack || self.answers_syn(d, s) {
                Verdict::Fits
            } else {
                Verdict::Stray
            };
        }
        // A RST that does not fit is the cheapest attack on a monitor (RFC 5961, 3). It is not held
        // either: it confirms nothing.
        if s.has(flags::RST) || (len == 0 && self.held().is_empty()) {
            return if self.answers_syn(d, s) {
                Verdict::Fits
            } else {
                Verdict::Stray
            };
        }
        if fits_seq {
            // The data fits and its acknowledgment does not: the data is what counts. The other direction may have lost
            // more than `--max-gap`, and then its numbers are what is out of date.
            return Verdict::Fits;
        }
        let verdict = self.jump(cx, d, s, fits_ack);
        if matches!(verdict, Verdict::Held) {
            self.fate(cx, d, s, Fate::HeldJump);
        }
        verdict
    }

    /// A RST or an acknowledgment in answer to a SYN that nothing else of this side was seen of.
    pub(super) fn answers_syn(&self, d: Direction, s: &Segment<'_>) -> bool {
        let other = &self.streams[d.flip().index()];
        // A stack that refuses a SYN acknowledges the SYN and nothing else (RFC 9293, 3.10.7.1).
        other.is(SYN) && s.ack.is_some_and(|ack| other.offset(ack) == ORIGIN)
    }

    /// The numbers of a segment are those of this connection.
    pub(in crate::transport::tcp) fn fits(
        &self,
        cx: &Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        let (stream, other) = (&self.streams[d.index()], &self.streams[d.flip().index()]);
        let max_gap = cx.limits.max_gap;
        let offset = stream.offset(s.data_seq());
        let own = if s.has(flags::SYN) {
            !stream.is(SYN) || offset == stream.origin
        } else {
            stream.reaches(offset, u64::from(s.payload_len), max_gap)
        };
        // Both numbers have to fit. By one of them alone, two connections on copied channels
        // would mix once in a hundred.
        let answer = s.ack.is_none_or(|ack| {
            !other.numbered() || other.may_acknowledge(other.offset(ack), max_gap)
        });
        (!stream.numbered() || own) && answer
    }

    /// Offset of the first octet of a stream that is there.
    fn first_octet(&self, d: Direction) -> u64 {
        let i = d.index();
        let waiting = self.buffers.as_ref().and_then(|a| a.waiting[i].front());
        let origin = self.streams[i].origin;
        waiting.map_or(origin, |item| item.offset.min(origin))
    }

    /// Payload that cannot be this stream's, which has ended: it lies above the FIN, or before the first octet.
    fn is_next(&self, d: Direction, s: &Segment<'_>) -> bool {
        let stream = &self.streams[d.index()];
        let start = stream.offset(s.data_seq());
        let before = stream.is(SYN | ANSWERED)
            && stream.is(ENDED)
            && start + u64::from(s.payload_len) <= stream.origin;
        // Right behind the FIN is where the stream ended: what comes there is injected, or a stray.
        (stream.is(FIN) && start > stream.fin + 1) || before
    }

    /// A segment behind the end of the connection.
    fn classify_late(&mut self, cx: &mut Context, d: Direction, s: &Segment<'_>) -> Verdict {
        let stream = &self.streams[d.index()];
        // The end is known now, so what lies below the highest octet is a copy, and what lies above
        // it has come too late.
        let ours = stream.numbered() && self.fits(cx, d, s);
        let end = stream.offset(s.data_seq()) + u64::from(s.payload_len);
        let over = if ours && (s.payload_len == 0 || end <= stream.snd_max) {
            Verdict::Over {
                known: !s.has(flags::RST),
            }
        } else {
            Verdict::Stray
        };
        if s.has(flags::RST) {
            return over;
        }
        if s.has(flags::SYN) {
            let again = stream.is(SYN) && stream.offset(s.data_seq()) == stream.origin;
            // The SYN-ACK of the old connection comes again with the old SYN.
            // A new SYN with a new number needs no confirmation here: there is nothing left that
            // could be cut short.
            return if again { over } else { Verdict::Replace };
        }
        if self.answers_held(s) {
            return Verdict::Replace;
        }
        if s.payload_len == 0 {
            return over;
        }
        let start = stream.offset(s.data_seq());
        let top = stream.snd_max.max(stream.rcv_nxt) + u64::from(stream.is(FIN));
        // Octets that the stream had come again, and what was under way at its end follows it. Nothing else is its own.
        let own = stream.numbered() && start <= top && end > stream.origin;
        if own && !self.is_next(d, s) {
            return over;
        }
        let verdict = self.jump(cx, d, s, false);
        if matches!(verdict, Verdict::Held) {
            self.fate(cx, d, s, Fate::HeldJump);
        }
        verdict
    }

    /// A jump that cannot be a hole: held until a second segment continues it.
    // One stray number proves nothing. A second segment that follows the first one proves a
    // stream there; 64 KiB ahead of it allows for one lost offloaded segment.
    fn jump(&mut self, cx: &mut Context, d: Direction, s: &Segment<'_>, fits_ack: bool) -> Verdict {
        let continues = self.held_data().any(|h| {
            let ahead = s.seq.diff(h.end());
            h.src == s.src && u32::try_from(ahead).is_ok_and(|ahead| ahead <= FOLLOWS)
        });
        if continues && s.payload_len > 0 {
            // With a fitting acknowledgment the other direction goes on, so this is the same
            // connection after a long loss. Otherwise both numbers changed: a new connection.
            let syn_held = self.held().iter().any(|h| h.flags & flags::SYN != 0);
            // Nobody goes on in a stream that has ended, whatever is acknowledged there.
            let ended = self.streams[d.index()].is(ENDED);
            if !fits_ack || syn_held || ended || self.closed {
                return Verdict::Replace;
            }
            return Verdict::Restart(d);
        }
        if self.was_held(s) {
            return Verdict::Over { known: true };
        }
        self.hold(cx, s);
        Verdict::Held
    }

    /// A segment of the other side acknowledges one that is held, or a little more.
    fn answers_held(&self, s: &Segment<'_>) -> bool {
        let Some(ack) = s.ack else { return false };
        self.held_data().any(|h| {
            let ahead = u32::try_from(ack.diff(h.segment().data_seq()));
            h.src == s.dst
                && ahead.is_ok_and(|n| n > 0 && n <= h.payload_len.saturating_add(FOLLOWS))
        })
    }

    /// A held SYN is answered, or followed, by this segment.
    fn confirmed(&self, cx: &Context, s: &Segment<'_>) -> bool {
        self.held()
            .iter()
            .filter(|h| h.flags & flags::SYN != 0)
            .any(|syn| {
                let first = syn.seq.add(1);
                if s.src == syn.src {
                    // Followed: behind the new number, and not what the old stream would send next.
                    let ahead = s.seq.diff(first);
                    let old = &self.streams[self.toward(s).index()];
                    // A number behind the new SYN may also be what the old stream sends next, when
                    // the two initial numbers are close. Only the exact next number settles that.
                    let also_old = old.numbered()
                        && !(old.is(FIN) && old.offset(s.seq) > old.fin + 1)
                        && old.offset(s.seq).abs_diff(old.snd_max) <= FAR;
                    !s.has(flags::SYN)
                        && ahead >= 0
                        && ahead.unsigned_abs() <= cx.limits.max_gap
                        && (ahead == 0 || !also_old)
                } else {
                    let Some(ack) = s.ack else { return false };
                    let ahead = ack.diff(first);
                    // The same question for the other side: it acknowledges the new SYN, or simply
                    // the old data.
                    let old = &self.streams[self.toward(s).flip().index()];
                    let also_old = old.numbered()
                        && old.offset(ack) <= old.snd_max
                        && old.offset(ack) + FAR >= old.snd_max;
                    ahead >= 0
                        && ahead.unsigned_abs() <= cx.limits.max_gap
                        && (ahead == 0 || !also_old)
                }
            })
    }

    /// Direction of a segment, by what is held of it.
    fn toward(&self, s: &Segment<'_>) -> Direction {
        // The stored segment has only addresses; the order of endpoints is the same as in the key.
        let low = s.src <= s.dst;
        self.direction(low)
    }
}
