//! One direction of a connection: its numbers, and how far it has come.
//!
//! Sequence numbers, which wrap (RFC 9293, 3.4), become offsets of 64 bits here.

use crate::base::serial::SeqNumber;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::ORIGIN;
use crate::transport::tcp::waiting::low32;

/// What is always known of one direction; small, as there may be a million.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct StreamState {
    /// Number of offset 0; means something with `BASED` or `HINT`.
    pub(super) base: SeqNumber,
    // Twelve bits are flags, four the shift count (14 at most): there may be a million of these.
    pub(super) bits: u16,
    /// Window that this direction's sender last offered, as in the segment.
    pub(super) window: u16,
    /// Offset of the first octet.
    pub(super) origin: u64,
    /// Delivered, or given up, to here.
    pub(super) rcv_nxt: u64,
    /// End of the highest octet seen.
    pub(super) snd_max: u64,
    /// Highest offset that the other side acknowledged.
    pub(super) snd_una: u64,
    /// Offset of the FIN, with `FIN`.
    pub(super) fin: u64,
}

/// A packet of this direction was seen.
pub(super) const SEEN: u16 = 1;
/// The base is known from a SYN or from data.
pub(super) const BASED: u16 = 2;
/// The base is known from an acknowledgment, or a segment without data.
pub(super) const HINT: u16 = 4;
/// The stream's SYN is known.
pub(super) const SYN: u16 = 8;
/// Delivery has begun: the origin is fixed.
pub(super) const STARTED: u16 = 16;
/// The FIN's place is known.
pub(super) const FIN: u16 = 32;
/// The sink was notified of the end.
pub(super) const ENDED: u16 = 64;
/// The other side's acknowledgments are captured.
pub(super) const ACKED: u16 = 128;
/// The direction was never seen and was given up once.
pub(super) const ABSENT: u16 = 256;
/// A right checksum was seen.
pub(super) const CHECKSUMS_VALID: u16 = 512;
/// The stream's SYN was not captured, but the SYN-ACK that answers it: it shows where the stream begins.
pub(super) const ANSWERED: u16 = 1024;
/// Its sender has reset the connection.
pub(super) const RESET: u16 = 2048;

impl Default for StreamState {
    fn default() -> Self {
        Self {
            base: SeqNumber(0),
            bits: 0,
            window: 0,
            // Offsets begin far above zero, so that octets before the first one that was captured
            // still have an offset.
            origin: ORIGIN,
            rcv_nxt: ORIGIN,
            snd_max: ORIGIN,
            snd_una: 0,
            fin: 0,
        }
    }
}

impl StreamState {
    pub(super) const fn is(&self, bit: u16) -> bool {
        self.bits & bit != 0
    }

    pub(super) fn set(&mut self, bit: u16) {
        self.bits |= bit;
    }

    /// Shift count for the window that is offered.
    pub(super) const fn scale(&self) -> u16 {
        self.bits >> 12
    }

    /// Sets it: 14 at most (RFC 7323, 2.3).
    pub(super) fn set_scale(&mut self, shift: u8) {
        self.bits = self.bits & 0xfff | u16::from(shift) << 12;
    }

    /// The numbers of this direction are known.
    pub(super) const fn numbered(&self) -> bool {
        self.is(BASED | HINT)
    }

    /// Offset of a number, the one nearest to what is delivered next.
    pub(super) fn offset(&self, seq: SeqNumber) -> u64 {
        // Compared with what is delivered next, not with the first number: a stream may be longer
        // than 4 GiB, and of all offsets that a number can mean the nearest one is right (RFC 9293,
        // 3.4).
        let here = self.base.add(low32(self.rcv_nxt));
        self.rcv_nxt.wrapping_add_signed(i64::from(seq.diff(here)))
    }

    /// This is the number that is due next.
    pub(super) fn is_at(&self, seq: SeqNumber) -> bool {
        self.base.add(low32(self.rcv_nxt)) == seq
    }

    /// This number acknowledges octets that were delivered, not more than `max_gap` octets ago.
    pub(super) fn has_delivered(&self, ack: SeqNumber, max_gap: u32) -> bool {
        let here = self.base.add(low32(self.rcv_nxt));
        u32::try_from(here.diff(ack)).is_ok_and(|before| before <= max_gap)
    }

    /// Where the stream begins is known: nothing is looked for before it.
    pub(super) fn begin(&mut self) {
        if !self.is(STARTED) {
            self.set(STARTED);
            // Data may have been placed before the origin that an acknowledgment hinted at.
            self.rcv_nxt = self.origin.min(self.rcv_nxt);
            self.snd_max = self.snd_max.max(self.rcv_nxt);
        }
    }

    /// An offset, counted from the stream's first octet.
    pub(super) const fn relative(&self, offset: u64) -> i64 {
        offset.wrapping_sub(self.origin).cast_signed()
    }

    /// Places the numbers: `seq` is at `offset`.
    pub(super) fn place(&mut self, seq: SeqNumber, offset: u64) {
        self.base = seq.sub(low32(offset));
    }

    /// An acknowledgment of all before `offset` is one of this stream: nobody acknowledges what lies behind a FIN, which
    /// takes a number too.
    pub(super) fn may_acknowledge(&self, offset: u64, max_gap: u32) -> bool {
        self.reaches(offset, 0, max_gap) && !(self.is(FIN) && offset > self.fin + 1)
    }

    /// What data at `offset` would be: within reach, or a jump.
    pub(super) fn reaches(&self, offset: u64, len: u64, max_gap: u32) -> bool {
        // An acknowledged octet counts as seen: the capture may lack everything in between.
        let top = self.snd_max.max(self.rcv_nxt).max(self.snd_una);
        offset <= top.saturating_add(u64::from(max_gap))
            // The same distance backward: a retransmission of old data must still be known as one.
            && offset + len + u64::from(max_gap) >= self.rcv_nxt
    }
}
