//! The pcap format (draft-ietf-opsawg-pcap): a file header of 24 octets, then packet records.

use super::FileHeader;
use super::record::{Fault, Raw, RecordLook};
use crate::base::packet::{Interface, LinkType, Resolution, word};
use crate::base::time::Timestamp;
use pcap_parser::nom::{self, IResult, Needed};
use pcap_parser::{
    LegacyPcapBlock, PcapError, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

/// Octets of the file header.
// Magic, version, two fields that nobody fills, snapshot length, link type.
pub(super) const HEADER: usize = 24;
/// The largest captured length of a packet record: what libpcap and Wireshark write and read (`MAXIMUM_SNAPLEN`).
pub(super) const MAX_CAPTURED: u32 = 262_144;

/// Where the fields of a packet record stand.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Le,
    Be,
    /// Kuznetzov's records have 8 octets more: interface index, protocol, packet type.
    ModifiedLe,
    ModifiedBe,
}

/// A pcap file whose header has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    layout: Layout,
    /// Nanoseconds to one unit of a record's fraction of a second.
    unit: u64,
    interface: u32,
    link_type: LinkType,
    fcs_len: Option<u8>,
}

/// `octets` begin with one of the magic numbers.
pub(super) fn is_magic(octets: [u8; 4]) -> bool {
    matches!(
        u32::from_le_bytes(octets),
        0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 | 0xd4c3_b2a1 | 0x4d3c_b2a1 | 0x34cd_b2a1
    )
}

/// Whether a file header stands where a packet record is due. Its magic number alone could be a timestamp, so version,
/// accuracy and the reserved bits of the link type word have to fit as well.
// `cat a b` is common, so the record after the last one of `a` may be a header.
pub(super) fn is_header(octets: &[u8]) -> RecordLook<bool> {
    let Some(magic) = octets.first_chunk::<4>() else {
        return RecordLook::More;
    };
    if !is_magic(*magic) {
        return RecordLook::Whole(false);
    }
    let Some(head) = octets.first_chunk::<HEADER>() else {
        return RecordLook::More;
    };
    let big = magic.starts_with(&[0xa1, 0xb2]);
    let [_, version, _, sigfigs, _, link] =
        [0, 4, 8, 12, 16, 20].map(|at| word(head, at, big).unwrap_or_default());
    let version = if big {
        version.rotate_left(16)
    } else {
        version
    };
    // Read as a record, these fields would be a fraction of a second and a packet of no octets,
    // which nobody captures.
    RecordLook::Whole(version == 0x0004_0002 && sigfigs == 0 && link & 0x0bff_0000 == 0)
}

impl Pcap {
    /// Reads the file header; `interface` is the number that its packets get.
    pub(super) fn header(
        octets: &[u8],
        interface: u32,
    ) -> RecordLook<(Self, FileHeader, Interface)> {
        let Some(head) = octets.first_chunk::<HEADER>() else {
            return RecordLook::More;
        };
        // The parser does not know the modified header in big-endian order: it is read as a plain one.
        let mut plain = *head;
        let modified_be = head.starts_with(&[0xa1, 0xb2, 0xcd, 0x34]);
        if modified_be {
            plain[..4].copy_from_slice(&[0xa1, 0xb2, 0xc3, 0xd4]);
        }
        let Ok((_, header)) = parse_pcap_header(&plain) else {
            return RecordLook::Bad(Fault::Magic);
        };
        // Version 2 only: others have other records.
        if header.version_major != 2 {
            return RecordLook::Bad(Fault::Version(header.version_major, header.version_minor));
        }
        let layout = match (header.is_bigendian(), header.is_modified_format()) {
            _ if modified_be => Layout::ModifiedBe,
            (_, true) => Layout::ModifiedLe,
            (true, _) => Layout::Be,
            (false, _) => Layout::Le,
        };
        let nanoseconds = header.is_nanosecond_precision();
        // The upper half of the word belongs to the FCS.
        let [l0, l1, l2, l3] = header.network.0.to_le_bytes();
        let link_type = LinkType(u16::from_le_bytes([l0, l1]));
        let fcs_len = fcs_len(u16::from_le_bytes([l2, l3]));
        let pcap = Self {
            layout,
            unit: if nanoseconds { 1 } else { 1000 },
            interface,
            link_type,
            fcs_len,
        };
        let file = FileHeader {
            link_type,
            nanoseconds,
            pcapng: false,
        };
        let mut description = Interface::new(link_type, header.snaplen);
        description.fcs_len = fcs_len;
        if nanoseconds {
            description.resolution = Resolution::NANOS;
        }
        RecordLook::Whole((pcap, file, description))
    }

    /// Its packets get the number of another interface.
    pub(super) const fn share(&mut self, interface: u32) {
        self.interface = interface;
    }

    /// Reads a packet record of the plain format that lies whole in `octets`, as nearly all do: without a call, and without
    /// an error that would have to be made room for. None where [`record`](Self::record) has to look.
    #[inline(always)] // on every packet's way
    pub(super) fn whole_record(&self, octets: &[u8]) -> Option<Raw> {
        const HEADER: usize = 16;
        let big = match self.layout {
            Layout::Le => false,
            Layout::Be => true,
            Layout::ModifiedLe | Layout::ModifiedBe => return None,
        };
        let (head, rest) = octets.split_first_chunk::<HEADER>()?;
        let word = |at| word(head, at, big).unwrap_or_default();
        let (secs, fraction, captured, original) = (word(0), word(4), word(8), word(12));
        let len = captured as usize;
        if captured > MAX_CAPTURED || len > rest.len() {
            return None;
        }
        Some(Raw {
            used: HEADER + len,
            data: HEADER,
            len,
            time: Timestamp::from_nanos(
                u64::from(secs) * 1_000_000_000 + u64::from(fraction) * self.unit,
            ),
            interface: self.interface,
            link_type: self.link_type,
            // Some tools write 0 for the original length.
            orig_len: original.max(captured),
            fcs_len: self.fcs_len,
            flags: 0,
        })
    }

    /// Reads one packet record.
    pub(super) fn record(&self, octets: &[u8]) -> RecordLook<Raw> {
        if let Some(raw) = self.whole_record(octets) {
            return RecordLook::Whole(raw);
        }
        let parsed = match self.layout {
            Layout::Le => parse_pcap_frame(octets),
            Layout::Be => parse_pcap_frame_be(octets),
            Layout::ModifiedLe => parse_pcap_frame_modified(octets),
            Layout::ModifiedBe => parse_pcap_frame_modified_be(octets),
        };
        match parsed {
            // Asked before the octets are there, too (below): a damaged length must not be waited
            // for.
            Ok((_, frame)) if frame.caplen > MAX_CAPTURED => {
                RecordLook::Bad(Fault::Captured(frame.caplen.into()))
            }
            Ok((rest, frame)) => {
                let used = octets.len() - rest.len();
                let nanos =
                    u64::from(frame.ts_sec) * 1_000_000_000 + u64::from(frame.ts_usec) * self.unit;
                RecordLook::Whole(Raw {
                    used,
                    data: used - frame.data.len(),
                    len: frame.data.len(),
                    time: Timestamp::from_nanos(nanos),
                    interface: self.interface,
                    link_type: self.link_type,
                    // Some tools write 0 for the original length.
                    orig_len: frame.origlen.max(frame.caplen),
                    fcs_len: self.fcs_len,
                    flags: 0,
                })
            }
            // The parser names what it lacks; that is the only place where a length that is too
            // large can be seen before it is there.
            Err(nom::Err::Incomplete(Needed::Size(n))) => {
                let need = octets.len().saturating_add(n.get());
                let captured = need.saturating_sub(self.record_header()) as u64;
                if captured > u64::from(MAX_CAPTURED) {
                    RecordLook::Bad(Fault::Captured(captured))
                } else {
                    RecordLook::More
                }
            }
            Err(_) => RecordLook::Bad(Fault::Magic),
        }
    }

    /// Octets of a record's header.
    const fn record_header(&self) -> usize {
        match self.layout {
            Layout::Le | Layout::Be => 16,
            Layout::ModifiedLe | Layout::ModifiedBe => 24,
        }
    }
}

/// The upper half of the link type word: 4 bits of length, a reserved bit, and P, which says that the length is there.
/// It counts units of 16 bits; 4 is taken as the octets that writers mean with it, no link has an FCS of 8.
fn fcs_len(bits: u16) -> Option<u8> {
    let units = bits.to_be_bytes()[0] >> 4;
    (bits & 0x0400 != 0).then_some(if units == 4 { 4 } else { units * 2 })
}

/// A record of the modified format in big-endian order, which the parser lacks.
fn parse_pcap_frame_modified_be(
    octets: &[u8],
) -> IResult<&[u8], LegacyPcapBlock<'_>, PcapError<&[u8]>> {
    let more = |n: usize| nom::Err::Incomplete(Needed::new(n));
    let Some((head, rest)) = octets.split_first_chunk::<24>() else {
        return Err(more(24 - octets.len()));
    };
    let [ts_sec, ts_usec, caplen, origlen] =
        [0, 4, 8, 12].map(|at| word(head, at, true).unwrap_or_default());
    let Some((data, rest)) = rest.split_at_checked(caplen as usize) else {
        return Err(more(caplen as usize - rest.len()));
    };
    let frame = LegacyPcapBlock {
        ts_sec,
        ts_usec,
        caplen,
        origlen,
        data,
    };
    Ok((rest, frame))
}
