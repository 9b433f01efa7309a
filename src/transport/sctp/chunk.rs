//! The wire format: common header, chunks and the parameters that an observer needs (RFC 9260, 3; RFC 8260, 2.1;
//! RFC 3758, 3.2; RFC 6525, 4; RFC 5061, 4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of the common header.
// Ports, tag and checksum (RFC 9260, 3.1).
pub(super) const HEADER_LEN: usize = 12;

/// Chunk types (IANA).
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const INIT: u8 = 1;
    pub(crate) const INIT_ACK: u8 = 2;
    pub(crate) const SACK: u8 = 3;
    pub(crate) const HEARTBEAT: u8 = 4;
    pub(crate) const HEARTBEAT_ACK: u8 = 5;
    pub(crate) const ABORT: u8 = 6;
    pub(crate) const SHUTDOWN: u8 = 7;
    pub(crate) const SHUTDOWN_ACK: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const COOKIE_ECHO: u8 = 10;
    pub(crate) const COOKIE_ACK: u8 = 11;
    pub(crate) const ECNE: u8 = 12;
    pub(crate) const CWR: u8 = 13;
    pub(crate) const SHUTDOWN_COMPLETE: u8 = 14;
    pub(crate) const AUTH: u8 = 15;
    pub(crate) const I_DATA: u8 = 64;
    pub(crate) const ASCONF_ACK: u8 = 128;
    pub(crate) const RE_CONFIG: u8 = 130;
    pub(crate) const PAD: u8 = 132;
    pub(crate) const FORWARD_TSN: u8 = 192;
    pub(crate) const ASCONF: u8 = 193;
    pub(crate) const I_FORWARD_TSN: u8 = 194;

    /// The name of a type.
    pub(crate) const fn name(kind: u8) -> Option<&'static str> {
        Some(match kind {
            DATA => "DATA",
            INIT => "INIT",
            INIT_ACK => "INIT ACK",
            SACK => "SACK",
            HEARTBEAT => "HEARTBEAT",
            HEARTBEAT_ACK => "HEARTBEAT ACK",
            ABORT => "ABORT",
            SHUTDOWN => "SHUTDOWN",
            SHUTDOWN_ACK => "SHUTDOWN ACK",
            ERROR => "ERROR",
            COOKIE_ECHO => "COOKIE ECHO",
            COOKIE_ACK => "COOKIE ACK",
            ECNE => "ECNE",
            CWR => "CWR",
            SHUTDOWN_COMPLETE => "SHUTDOWN COMPLETE",
            AUTH => "AUTH",
            I_DATA => "I-DATA",
            ASCONF_ACK => "ASCONF ACK",
            RE_CONFIG => "RE-CONFIG",
            PAD => "PAD",
            FORWARD_TSN => "FORWARD-TSN",
            ASCONF => "ASCONF",
            I_FORWARD_TSN => "I-FORWARD-TSN",
            _ => return None,
        })
    }
}

/// Parameter types (IANA).
mod param {
    pub(super) const IPV4: u16 = 5;
    pub(super) const IPV6: u16 = 6;
    pub(super) const OUTGOING_RESET: u16 = 13;
    pub(super) const RECONFIG_RESPONSE: u16 = 16;
    pub(super) const ZERO_CHECKSUM: u16 = 0x8001;
    pub(super) const ADD_ADDRESS: u16 = 0xc001;
}

/// Two octets at `at`, in network order.
fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(
        b.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}

/// Four octets at `at`, in network order.
fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(
        b.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

/// The common header (RFC 9260, 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) tag: u32,
    /// As it stands in the packet: the CRC32c with its octets in little-endian order.
    pub(super) checksum: u32,
}

impl Header {
    /// The header of a packet; None where it is too short.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        Some(Self {
            src_port: u16_at(packet, 0)?,
            dst_port: u16_at(packet, 2)?,
            tag: u32_at(packet, 4)?,
            // The CRC stands in the packet in the reverse order of all other numbers (RFC 9260,
            // appendix A).
            checksum: u32::from_le_bytes(packet.get(8..HEADER_LEN)?.try_into().ok()?),
        })
    }
}

/// The CRC32c of a packet, its checksum field taken as zero (RFC 9260, 6.8).
pub(super) fn checksum(packet: &[u8]) -> u32 {
    let (head, rest) = packet.split_at(packet.len().min(8));
    // Three pieces instead of a copy with the field zeroed.
    let sum = crc32c::crc32c_append(crc32c::crc32c(head), &[0; 4]);
    crc32c::crc32c_append(sum, rest.get(4..).unwrap_or_default())
}

/// One chunk: its header, and what is there of its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// The value as far as it was captured.
    pub(super) value: &'a [u8],
    /// Where it begins, counted from behind the common header.
    pub(super) offset: usize,
    /// Octets that the value has by its length field; more than `value.len()` where the snapshot length cut it.
    pub(super) len: usize,
}

/// The chunks of a packet, up to its end or the first one whose length is impossible.
#[derive(Clone, Debug)]
pub(super) struct ChunkIter<'a> {
    rest: &'a [u8],
    /// Where `rest` begins, counted from behind the common header.
    offset: usize,
    /// The snapshot length cut the packet: the last chunk may reach past its end.
    cut: bool,
    /// A length was impossible; nothing behind it can be read.
    pub(super) bad: bool,
}

impl<'a> ChunkIter<'a> {
    /// The chunks of the octets behind a common header.
    pub(super) const fn new(rest: &'a [u8], cut: bool) -> Self {
        Self {
            rest,
            offset: 0,
            cut,
            bad: false,
        }
    }
}

impl<'a> Iterator for ChunkIter<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (Some(&[kind, flags]), Some(len)) = (self.rest.get(..2), u16_at(self.rest, 2)) else {
            // A cut packet ends anywhere; that is no fault of the sender.
            self.bad = !self.cut;
            self.rest = &[];
            return None;
        };
        let len = usize::from(len);
        // Below four it would not move on; past the end it is damaged, unless the snapshot length
        // cut the packet there.
        if len < 4 || (len > self.rest.len() && !self.cut) {
            self.bad = true;
            self.rest = &[];
            return None;
        }
        let value = self.rest.get(4..len.min(self.rest.len())).unwrap_or(&[]);
        // The padding of the last chunk may be missing; three octets at most are padding (RFC 9260, 3.2).
        let padded = len.next_multiple_of(4);
        self.rest = self.rest.get(padded..).unwrap_or_default();
        let offset = self.offset + 4;
        self.offset += padded;
        Some(Chunk {
            kind,
            flags,
            value,
            offset,
            len: len - 4,
        })
    }
}

impl<'a> Chunk<'a> {
    /// The T bit of ABORT and SHUTDOWN COMPLETE: the verification tag is the sender's own.
    pub(super) const fn reflected(&self) -> bool {
        self.flags & 1 != 0
    }

    /// DATA or I-DATA; None where its header is not whole.
    pub(super) fn data(&self) -> Option<DataChunk<'a>> {
        let interleaved = self.kind == kind::I_DATA;
        // I-DATA has the 32-bit MID where DATA has SSN and PPID, and FSN or PPID behind it (RFC
        // 8260, 2.1).
        let head = if interleaved { 16 } else { 12 };
        let v = self.value;
        Some(DataChunk {
            tsn: u32_at(v, 0)?,
            stream: u16_at(v, 4)?,
            seq: if interleaved {
                u32_at(v, 8)?
            } else {
                u16_at(v, 6)?.into()
            },
            ppid: u32_at(v, head - 4)?,
            begins: self.flags & 2 != 0,
            ends: self.flags & 1 != 0,
            unordered: self.flags & 4 != 0,
            interleaved,
            payload: v.get(head..)?,
            offset: self.offset + head,
            // A length that does not cover its own header is no data chunk.
            len: self.len.checked_sub(head)?,
        })
    }

    /// INIT or INIT ACK.
    pub(super) fn init(&self) -> Option<Init<'a>> {
        Some(Init {
            tag: u32_at(self.value, 0)?,
            tsn: u32_at(self.value, 12)?,
            params: Params(self.value.get(16..)?),
        })
    }

    /// SACK: the cumulative TSN ack, and the octets of the gap ack blocks.
    pub(super) fn sack(&self) -> Option<Sack<'a>> {
        let blocks = usize::from(u16_at(self.value, 8)?) * 4;
        // The counts may claim more than the chunk holds; only what is there is read.
        let rest = self.value.get(12..)?;
        Some(Sack {
            cumulative: u32_at(self.value, 0)?,
            // Cut blocks are left out, not guessed.
            blocks: rest.get(..blocks.min(rest.len()))?,
            duplicates: u16_at(self.value, 10)?,
        })
    }

    /// The TSN that a SHUTDOWN acknowledges, or that a FORWARD-TSN or I-FORWARD-TSN moves to.
    pub(super) fn tsn(&self) -> Option<u32> {
        u32_at(self.value, 0)
    }

    /// The addresses that an ASCONF adds (RFC 5061, 4.2.1).
    pub(super) fn added_addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        // Serial number, then parameters; the first is an address by which the association is looked up.
        Params(self.value.get(4..).unwrap_or_default())
            .filter(|(kind, _)| *kind == param::ADD_ADDRESS)
            // A correlation identifier, then the address as a parameter of its own.
            .filter_map(|(_, v)| Params(v.get(4..)?).next())
            .filter_map(|(kind, v)| address(kind, v))
    }

    /// What a RE-CONFIG chunk asks for or answers, as far as it moves numbers.
    pub(super) fn reconfigurations(&self) -> impl Iterator<Item = Reconfig<'a>> + use<'a> {
        Params(self.value).filter_map(|(kind, v)| match kind {
            param::OUTGOING_RESET => Some(Reconfig::Reset {
                last_tsn: u32_at(v, 8)?,
                streams: v.get(12..)?,
            }),
            param::RECONFIG_RESPONSE => Some(Reconfig::Response {
                serial: u32_at(v, 0)?,
                // 0 is "nothing to do" and 1 "performed" (RFC 6525, 4.4): both mean that the
                // numbers stand as asked.
                performed: u32_at(v, 4)? <= 1,
                tsns: u32_at(v, 8).zip(u32_at(v, 12)),
            }),
            _ => None,
        })
    }
}

/// A DATA or I-DATA chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DataChunk<'a> {
    pub(super) tsn: u32,
    pub(super) stream: u16,
    /// SSN of DATA, MID of I-DATA.
    pub(super) seq: u32,
    /// PPID; of an I-DATA chunk without B bit, the FSN.
    pub(super) ppid: u32,
    pub(super) begins: bool,
    pub(super) ends: bool,
    pub(super) unordered: bool,
    pub(super) interleaved: bool,
    /// User data as far as it was captured.
    pub(super) payload: &'a [u8],
    /// Where it begins, counted from behind the common header.
    pub(super) offset: usize,
    /// Octets of user data on the wire.
    pub(super) len: usize,
}

/// INIT or INIT ACK (RFC 9260, 3.3.2 and 3.3.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Init<'a> {
    pub(super) tag: u32,
    pub(super) tsn: u32,
    params: Params<'a>,
}

impl<'a> Init<'a> {
    /// The addresses that its sender names as its own.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        self.params.filter_map(|(kind, v)| address(kind, v))
    }

    /// Its sender takes packets with a checksum of zero (RFC 9653).
    pub(super) fn takes_zero_checksum(&self) -> bool {
        let mut params = self.params;
        params.any(|(kind, _)| kind == param::ZERO_CHECKSUM)
    }
}

/// SACK (RFC 9260, 3.3.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Sack<'a> {
    pub(super) cumulative: u32,
    blocks: &'a [u8],
    /// Duplicate TSNs that the endpoint reports.
    pub(super) duplicates: u16,
}

impl<'a> Sack<'a> {
    /// Gap ack blocks: first and last TSN, as offsets to the cumulative TSN ack.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (u16, u16)> + use<'a> {
        self.blocks
            .chunks_exact(4)
            .filter_map(|b| Some((u16_at(b, 0)?, u16_at(b, 2)?)))
            // A block that ends before it begins is damaged.
            .filter(|(start, end)| start <= end)
    }

    /// How many gap ack blocks there are.
    pub(super) fn gap_count(&self) -> u64 {
        (self.blocks.len() / 4) as u64
    }
}

/// What a parameter of a RE-CONFIG chunk says (RFC 6525, 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reconfig<'a> {
    /// The sender's streams start anew behind this TSN; `streams` are their numbers, none for all.
    Reset { last_tsn: u32, streams: &'a [u8] },
    /// An answer; after an SSN/TSN reset, with the next TSN of its sender and of its receiver.
    Response {
        serial: u32,
        performed: bool,
        tsns: Option<(u32, u32)>,
    },
}

/// Type, length, value: the parameters of a chunk.
#[derive(Clone, Copy, Debug)]
struct Params<'a>(&'a [u8]);

impl<'a> Iterator for Params<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let kind = u16_at(self.0, 0)?;
        let len = usize::from(u16_at(self.0, 2)?);
        // A length below four, or past the end, stops the list: nothing behind it can be found.
        let Some(value) = self.0.get(4..len) else {
            self.0 = &[];
            return None;
        };
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn address(kind: u16, value: &[u8]) -> Option<IpAddr> {
    match kind {
        param::IPV4 => {
            let octets: [u8; 4] = value.try_into().ok()?;
            Some(Ipv4Addr::from(octets).into())
        }
        param::IPV6 => {
            let octets: [u8; 16] = value.try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_at_the_first_impossible_length() {
        // (octets, the snapshot length cut them, values found, an error)
        type ChunkRow<'a> = (&'a [u8], bool, &'a [&'a [u8]], bool);
        let table: &[ChunkRow<'_>] = &[
            (&[], false, &[], false),
            (&[3, 0, 0, 4], false, &[b""], false),
            (&[9, 0, 0, 5, 7], false, &[&[7]], false),
            (&[9, 0, 0, 5, 7, 0, 0, 0], false, &[&[7]], false),
            (
                &[9, 0, 0, 5, 7, 0, 0, 0, 1, 0, 0, 4],
                false,
                &[&[7], b""],
                false,
            ),
            (&[9, 0, 0, 5, 7, 0, 0, 0, 1, 0, 0, 3], false, &[&[7]], true),
            (&[9, 0, 0, 4, 1, 0, 0, 9, 5], false, &[b""], true),
            (&[9, 0, 0, 4, 1, 0, 0, 9, 5], true, &[b"", &[5]], false),
            (&[9, 0, 0, 4, 1, 0], false, &[b""], true),
            (&[9, 0, 0, 4, 1, 0], true, &[b""], false),
        ];
        for (octets, cut, values, bad) in table {
            let mut chunks = ChunkIter::new(octets, *cut);
            let found: Vec<&[u8]> = chunks.by_ref().map(|c| c.value).collect();
            assert_eq!((&found[..], chunks.bad), (*values, *bad), "{octets:?}");
        }
    }

    #[test]
    fn data_and_i_data() {
        let c = Chunk {
            kind: kind::DATA,
            flags: 7,
            value: &[0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 0, 4, 9, 9],
            offset: 0,
            len: 14,
        };
        let d = c.data().unwrap();
        assert_eq!((d.tsn, d.stream, d.seq, d.ppid, d.len), (1, 2, 3, 4, 2));
        assert!(d.begins && d.ends && d.unordered && !d.interleaved);
        let c = Chunk {
            kind: kind::I_DATA,
            flags: 2,
            value: &[0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0, 3, 0, 0, 0, 4, 9],
            offset: 0,
            len: 17,
        };
        let d = c.data().unwrap();
        assert_eq!(
            (d.tsn, d.stream, d.seq, d.ppid, d.len),
            (1, 2, 0x1_0003, 4, 1)
        );
        assert!(d.begins && !d.ends && !d.unordered && d.interleaved);
        for len in 0..16 {
            let c = Chunk {
                value: &c.value[..len],
                ..c
            };
            assert_eq!(c.data(), None);
        }
    }

    #[test]
    fn addresses_of_init_and_asconf() {
        let mut v = vec![0; 16];
        v.extend([
            0, 5, 0, 8, 10, 0, 0, 1, 0, 12, 0, 6, 0, 5, 0, 0, 0x80, 1, 0, 8, 0, 0, 0, 1,
        ]);
        let c = Chunk {
            kind: kind::INIT,
            flags: 0,
            value: &v,
            offset: 0,
            len: v.len(),
        };
        let init = c.init().unwrap();
        let found: Vec<IpAddr> = init.addresses().collect();
        assert_eq!(found, [IpAddr::from([10, 0, 0, 1])]);
        assert!(init.takes_zero_checksum());
        let v = [
            0, 0, 0, 1, 0, 5, 0, 8, 10, 0, 0, 1, 0xc0, 1, 0, 16, 0, 0, 0, 7, 0, 5, 0, 8, 10, 0, 0,
            2,
        ];
        let c = Chunk {
            kind: kind::ASCONF,
            flags: 0,
            value: &v,
            offset: 0,
            len: v.len(),
        };
        let found: Vec<IpAddr> = c.added_addresses().collect();
        assert_eq!(found, [IpAddr::from([10, 0, 0, 2])]);
    }

    #[test]
    fn sacks_and_resets() {
        let v = [0, 0, 0, 9, 0, 0, 1, 0, 0, 2, 0, 3, 0, 2, 0, 4, 0, 7, 0, 6];
        let c = Chunk {
            kind: kind::SACK,
            flags: 0,
            value: &v,
            offset: 0,
            len: v.len(),
        };
        let s = c.sack().unwrap();
        assert_eq!((s.cumulative, s.duplicates, s.gap_count()), (9, 3, 2));
        assert_eq!(s.gaps().collect::<Vec<_>>(), [(2, 4)]);
        let v = [0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 5, 0, 0];
        let c = Chunk {
            kind: kind::RE_CONFIG,
            flags: 0,
            value: &v,
            offset: 0,
            len: v.len(),
        };
        let found: Vec<_> = c.reconfigurations().collect();
        assert_eq!(
            found,
            [Reconfig::Reset {
                last_tsn: 3,
                streams: &[0, 5]
            }]
        );
    }

    #[test]
    fn checksum_of_a_known_packet() {
        // CRC32c of nine digits is the check value of the algorithm; the field itself counts as zero.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let mut p = b"12345678abcdrest".to_vec();
        let a = checksum(&p);
        p[8..12].fill(0);
        assert_eq!(a, crc32c::crc32c(&p));
    }
}
