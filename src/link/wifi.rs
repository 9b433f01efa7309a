//! IEEE 802.11: data frames that are not encrypted, with what capturing drivers put in front of them.

use super::frame::Frame;
use crate::base::counters::Discard;

/// What the driver says of the 802.11 frame that follows.
#[derive(Clone, Copy, Default)]
struct Driver {
    /// The frame check sequence is there.
    fcs: bool,
    /// The header is padded to a multiple of four octets.
    padded: bool,
}

/// Octets of the frame check sequence.
const FCS: usize = 4;

/// Radiotap: a length, a bitmap of the fields that are present, and the fields.
pub(super) fn radiotap(frame: &mut Frame<'_>) -> Result<(), Discard> {
    let header = *frame.ip.first_chunk::<8>().ok_or(Discard::LinkTruncated)?;
    let len = usize::from(u16::from_le_bytes([header[2], header[3]]));
    let fields = frame.skip(len)?;
    data(frame, radiotap_flags(fields).unwrap_or_default())
}

/// The flags field, where it is present: only the time stamp may stand in front of it.
fn radiotap_flags(fields: &[u8]) -> Option<Driver> {
    let present = |word: usize| {
        let at = 4 + 4 * word;
        let octets = fields.get(at..at + 4)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*octets))
    };
    let mut words = 1;
    // The bitmap may go on in further words; each takes four octets.
    while present(words - 1)? & 1 << 31 != 0 {
        words += 1;
    }
    let mut at = 4 + 4 * words;
    if present(0)? & 1 != 0 {
        // Eight octets at a multiple of eight.
        at = at.next_multiple_of(8) + 8;
    }
    let flags = (present(0)? & 2 != 0)
        .then(|| fields.get(at).copied())
        .flatten()?;
    Some(Driver {
        fcs: flags & 0x10 != 0,
        padded: flags & 0x20 != 0,
    })
}

/// Per-Packet Information in front of 802.11: its fields.
pub(super) fn ppi(frame: &mut Frame<'_>, mut fields: &[u8]) -> Result<(), Discard> {
    let mut driver = Driver::default();
    while let Some(([t0, t1, l0, l1], rest)) = fields.split_first_chunk::<4>() {
        let len = usize::from(u16::from_le_bytes([*l0, *l1]));
        let value = rest.get(..len).unwrap_or(rest);
        // 802.11-Common: time stamp, then flags.
        if u16::from_le_bytes([*t0, *t1]) == 2 {
            driver.fcs = value.get(8).is_some_and(|f| f & 1 != 0);
        }
        fields = rest.get(len..).unwrap_or(&[]);
    }
    data(frame, driver)
}

/// A bare 802.11 frame.
pub(super) fn bare(frame: &mut Frame<'_>) -> Result<(), Discard> {
    data(frame, Driver::default())
}

/// A header of a length that stands in it, and a bare 802.11 frame (Prism, AVS).
pub(super) fn behind(frame: &mut Frame<'_>, len: [u8; 4], le: bool) -> Result<(), Discard> {
    let len = if le {
        u32::from_le_bytes(len)
    } else {
        u32::from_be_bytes(len)
    };
    frame.skip(usize::try_from(len).unwrap_or(usize::MAX))?;
    bare(frame)
}

/// The MAC header (IEEE 802.11, 9.3.2.1), up to the LLC header.
fn data(frame: &mut Frame<'_>, driver: Driver) -> Result<(), Discard> {
    // Asked of the driver: nothing in the frame itself says whether the sum is there.
    if driver.fcs {
        frame.cut_end(FCS);
    }
    let before = frame.ip.len();
    let h = frame.take::<24>()?;
    let (kind, flags) = (h[0], h[1]);
    // Version 0, type data, with data in it.
    if kind & 0x0f != 0x08 || kind & 0x40 != 0 {
        return Err(Discard::LinkNotData);
    }
    // Without the key there is nothing behind this header.
    if flags & 0x40 != 0 {
        return Err(Discard::LinkEncrypted);
    }
    let fragment_number = h[22] & 0x0f;
    // A fragment of a frame begins or ends anywhere; putting those together is left to the
    // receiver.
    if flags & 0x04 != 0 || fragment_number != 0 {
        return Err(Discard::LinkFragment);
    }
    let address = |i: usize| {
        let mut a = [0; 6];
        a.iter_mut()
            .zip(h.iter().skip(4 + 6 * i))
            .for_each(|(to, from)| *to = *from);
        a
    };
    // Three or four addresses, in an order that the two direction bits say (IEEE 802.11, table
    // 9-30).
    let (dst, src) = match flags & 3 {
        0 => (address(0), address(1)),
        1 => (address(2), address(1)),
        2 => (address(0), address(2)),
        _ => (address(2), *frame.take::<6>()?),
    };
    frame.header.dst = dst;
    frame.header.src = src;
    let mut aggregate = false;
    if kind & 0x80 != 0 {
        let [qos, _] = *frame.take::<2>()?;
        aggregate = qos & 0x80 != 0;
        if flags & 0x80 != 0 {
            frame.skip(4)?;
        }
    }
    if driver.padded {
        let len = before - frame.ip.len();
        frame.skip(len.next_multiple_of(4) - len)?;
    }
    frame.aggregate = aggregate;
    Ok(())
}

/// Octets in front of each packet of an A-MSDU: addresses and length.
pub(super) const SUBFRAME: usize = 14;

/// The next packet's length goes past the end of the A-MSDU.
pub(super) fn is_past(rest: &Frame<'_>) -> bool {
    let header = rest.ip.first_chunk::<SUBFRAME>();
    header.is_some_and(|h| {
        let len = usize::from(u16::from_be_bytes([h[12], h[13]]));
        SUBFRAME + len > rest.ip.len() + rest.missing
    })
}

/// Takes the next packet off; from its LLC header on; None where only padding is left. Always takes octets off, or what is left is none.
pub(super) fn subframe<'a>(rest: &mut Frame<'a>) -> Result<Option<Frame<'a>>, Discard> {
    let Ok(header) = rest.take::<SUBFRAME>() else {
        // The snapshot length cut the header.
        (rest.ip, rest.missing) = (&[], 0);
        return Err(Discard::LinkTruncated);
    };
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, l0, l1] = *header;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    if len == 0 {
        return Ok(None);
    }
    let mut frame = *rest;
    frame.aggregate = false;
    frame.header.dst = [d0, d1, d2, d3, d4, d5];
    frame.header.src = [s0, s1, s2, s3, s4, s5];
    frame.limit(len);
    // Each but the last one is padded to a multiple of four octets, its header included.
    let padded = (SUBFRAME + len).next_multiple_of(4) - SUBFRAME;
    let here = padded.min(rest.ip.len());
    rest.missing = rest.missing.saturating_sub(padded - here);
    rest.skip(here)?;
    Ok(Some(frame))
}
