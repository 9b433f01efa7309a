//! The pcapng format (draft-ietf-opsawg-pcapng): blocks, in sections, from several interfaces.
//!
//! Blocks are taken apart here and not by pcap-parser: it makes a list of all options of each packet, which costs an
//! allocation for each, and thirty times the block's size for a block that is full of empty options.

use super::record::{Fault, Raw, RecordLook};
use super::shared_interface;
use super::totals::Totals;
use crate::base::packet::{CaptureBlock, INTERFACES, Interface, LinkType, Resolution, word};
use crate::base::time::Timestamp;
use pcap_parser::{BOM_MAGIC, EPB_MAGIC, IDB_MAGIC, ISB_MAGIC, SHB_MAGIC, SPB_MAGIC};

/// The largest block: what libpcap and Wireshark take.
pub(super) const MAX_BLOCK: usize = 16 << 20;
/// The Packet Block, which the Enhanced Packet Block has replaced.
const PB: u32 = 2;
/// systemd journal entries and custom blocks (may be copied, or not): Wireshark numbers them like packets.
const NUMBERED: [u32; 3] = [9, 0x0bad, 0x4000_0bad];

/// Interfaces whose names and comments are kept: they live as long as the run, and a file can be full of them.
// A kilobyte each at most, so some 4 MB. Packets of further interfaces are read all the same.
const DESCRIBED: usize = 4096;

/// Interfaces of one section past those that have a number of their own: 4 octets each.
const SHARED: usize = 1 << 20;

/// Octets of blocks that wait for the packet behind them: the largest block. More of them are counted and left out.
pub(super) const KEPT_BLOCKS: usize = MAX_BLOCK;

/// The section that is being read.
#[derive(Clone, Debug)]
pub(super) struct Section {
    big_endian: bool,
    /// The number of its first interface in the whole input.
    first: u32,
    /// How many of its interfaces have numbers in a row from there on.
    count: u32,
    /// Of its interfaces for which there was no number left: that of the one they are like.
    shared: Vec<u32>,
    /// The numbers of all of them, where those of another sender stand between them.
    numbers: Option<Vec<u32>>,
    /// It goes on with the section that an earlier run has read last, up to this one of its interfaces.
    continued: Option<u32>,
}

/// What a block was.
pub(super) enum Block {
    /// A packet.
    Packet(Raw),
    /// A packet without a time of its own.
    Untimed(Raw),
    /// An interface and what its packets begin with.
    Interface(LinkType),
    /// Something that has a number among the packets.
    Numbered,
    /// Anything else.
    Other,
}

/// Whether a Section Header Block begins here; a pcap record cannot look like one (its captured length would be the
/// byte-order magic).
pub(super) fn is_header(octets: &[u8]) -> RecordLook<bool> {
    match octets.first_chunk::<12>() {
        Some(head) => {
            let order = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            RecordLook::Whole(
                head.starts_with(&SHB_MAGIC.to_le_bytes())
                    && (order == BOM_MAGIC || order == BOM_MAGIC.swap_bytes()),
            )
        }
        None if octets.len() >= 4 && !octets.starts_with(&SHB_MAGIC.to_le_bytes()) => {
            RecordLook::Whole(false)
        }
        None => RecordLook::More,
    }
}

impl Section {
    /// The section that a Section Header Block is about to begin.
    pub(super) const fn begin() -> Self {
        Self {
            big_endian: false,
            first: 0,
            count: 0,
            shared: Vec::new(),
            numbers: None,
            continued: None,
        }
    }

    /// A block of a possible length begins here.
    pub(super) fn may_be_block(&self, octets: &[u8]) -> bool {
        word(octets, 4, self.big_endian)
            .is_some_and(|len| (12..=MAX_BLOCK).contains(&(len as usize)) && len.is_multiple_of(4))
    }

    /// Takes one block. Gives its length beside what it was.
    #[inline]
    pub(super) fn block(
        &mut self,
        octets: &[u8],
        totals: &mut Totals,
    ) -> RecordLook<(usize, Block)> {
        let Some(kind) = word(octets, 0, self.big_endian) else {
            return RecordLook::More;
        };
        if kind == SHB_MAGIC {
            // The type is a palindrome, so that the order can be read after it.
            // Whatever order it has, its type reads the same.
            match word(octets, 8, false) {
                None => return RecordLook::More,
                Some(BOM_MAGIC) => self.big_endian = false,
                Some(order) if order == BOM_MAGIC.swap_bytes() => self.big_endian = true,
                Some(order) => return RecordLook::Bad(Fault::ByteOrder(order)),
            }
        }
        let Some(total) = word(octets, 4, self.big_endian) else {
            return RecordLook::More;
        };
        let len = total as usize;
        // Twelve octets are type and two lengths. A length that is no multiple of four, or longer
        // than any reader takes, is damage, and nothing behind it could be found.
        if len < 12 || !len.is_multiple_of(4) || len > MAX_BLOCK {
            return RecordLook::Bad(Fault::Block(total));
        }
        // Not all there yet: asked again with more.
        let Some(body) = octets.get(8..len - 4) else {
            return RecordLook::More;
        };
        let Some(last) = word(octets, len - 4, self.big_endian) else {
            return RecordLook::More;
        };
        // The second length is the only check that a block has; without it one damaged length would
        // turn the rest into noise.
        if last != total {
            return RecordLook::Bad(Fault::Lengths(total, last));
        }
        let body = BlockBody {
            octets: body,
            big_endian: self.big_endian,
        };
        let block = match kind {
            EPB_MAGIC => self.enhanced_packet(body, totals),
            SPB_MAGIC => self.simple_packet(body, &mut totals.interfaces),
            PB => self.packet(body, totals),
            SHB_MAGIC => self.section_header(body, totals),
            IDB_MAGIC => self.interface_description(body, totals),
            ISB_MAGIC => self.interface_statistics(body, totals),
            CaptureBlock::SECRETS | CaptureBlock::NAMES => {
                keep(kind, body, totals);
                Some(Ok(Block::Other))
            }
            kind if NUMBERED.contains(&kind) => Some(Ok(Block::Numbered)),
            // Blocks to come in later versions are skipped (draft-ietf-opsawg-pcapng, 3.1).
            _ => Some(Ok(Block::Other)),
        };
        match block {
            Some(Ok(block)) => RecordLook::Whole((len, block)),
            Some(Err(fault)) => RecordLook::Bad(fault),
            // Shorter than its fixed fields.
            None => RecordLook::Bad(Fault::Block(total)),
        }
    }

    fn section_header(&mut self, body: BlockBody<'_>, totals: &mut Totals) -> Parsed {
        let (major, minor) = (body.u16(4)?, body.u16(6)?);
        // Writers of 1.2 mean 1.0.
        if major != 1 {
            return Some(Err(Fault::Version(major, minor)));
        }
        // Interfaces are numbered by section; those of earlier sections keep their number in the
        // whole input.
        self.continued = totals.continues.then_some(0);
        if self.continued.is_none() {
            totals.section = u32::try_from(totals.interfaces.len()).unwrap_or(u32::MAX);
        }
        self.first = totals.section;
        self.count = 0;
        self.shared.clear();
        self.numbers = None;
        Some(Ok(Block::Other))
    }

    /// The number of a section's interface in the whole input, and its description.
    fn interface<'a>(
        &self,
        id: u32,
        interfaces: &'a mut [Interface],
    ) -> Result<(u32, &'a mut Interface), Fault> {
        let number = || {
            if let Some(numbers) = &self.numbers {
                return numbers.get(id as usize).copied();
            }
            let own = self.first.checked_add(id)?;
            // Those of a section that lie behind what can have a number of its own.
            match (own as usize).checked_sub(INTERFACES.max(self.first as usize)) {
                Some(at) => self.shared.get(at).copied(),
                // Those behind are of others.
                None => Some(own).filter(|_| id < self.count),
            }
        };
        let number = number().ok_or(Fault::Interface(id))?;
        let interface = interfaces.get_mut(number as usize);
        Ok((number, interface.ok_or(Fault::Interface(id))?))
    }

    #[inline]
    fn enhanced_packet(&self, body: BlockBody<'_>, totals: &mut Totals) -> Parsed {
        let captured = body.u32(12)?;
        let ticks = u64::from(body.u32(4)?) << 32 | u64::from(body.u32(8)?);
        let orig_len = body.u32(16)?;
        let (number, interface) = match self.interface(body.u32(0)?, &mut totals.interfaces) {
            Ok(found) => found,
            Err(fault) => return Some(Err(fault)),
        };
        Some(timed_packet(
            body,
            captured,
            orig_len,
            ticks,
            number,
            interface,
            &mut totals.counters.capture_drops,
            totals.keep_comments.then_some(&mut totals.comments),
        ))
    }

    /// The obsolete Packet Block: as the Enhanced one, with 16 bits of interface and 16 bits of drops.
    fn packet(&self, body: BlockBody<'_>, totals: &mut Totals) -> Parsed {
        let ticks = u64::from(body.u32(4)?) << 32 | u64::from(body.u32(8)?);
        let (captured, orig_len) = (body.u32(12)?, body.u32(16)?);
        let lost = body.u16(2)?;
        let (number, interface) = match self.interface(body.u16(0)?.into(), &mut totals.interfaces)
        {
            Ok(found) => found,
            Err(fault) => return Some(Err(fault)),
        };
        // 65,535: not known.
        if lost != u16::MAX {
            let drops = &mut totals.counters.capture_drops;
            *drops = drops.saturating_add(interface.lost_between(lost.into()));
        }
        Some(timed_packet(
            body,
            captured,
            orig_len,
            ticks,
            number,
            interface,
            &mut totals.counters.capture_drops,
            totals.keep_comments.then_some(&mut totals.comments),
        ))
    }

    /// A Simple Packet Block has no captured length: it is the original one, cut by the snapshot length.
    fn simple_packet(&self, body: BlockBody<'_>, interfaces: &mut [Interface]) -> Parsed {
        const DATA: usize = 4;
        let orig_len = body.u32(0)?;
        let (number, interface) = match self.interface(0, interfaces) {
            Ok(found) => found,
            Err(fault) => return Some(Err(fault)),
        };
        let snap_len = match interface.snap_len {
            // 0 means that there is no limit.
            0 => u32::MAX,
            n => n,
        };
        // Nothing else separates its octets from padding.
        let room = body.octets.len().saturating_sub(DATA);
        let len = room.min(orig_len.min(snap_len) as usize);
        Some(Ok(Block::Untimed(Raw {
            used: body.octets.len() + 12,
            data: 8 + DATA,
            len,
            time: Timestamp::default(),
            interface: number,
            link_type: interface.link_type,
            orig_len,
            fcs_len: interface.fcs_len,
            flags: 0,
        })))
    }

    fn interface_statistics(&self, body: BlockBody<'_>, totals: &mut Totals) -> Parsed {
        const OPTIONS: usize = 12;
        let interface = match self.interface(body.u32(0)?, &mut totals.interfaces) {
            Ok((_, interface)) => interface,
            Err(fault) => return Some(Err(fault)),
        };
        body.u32(8)?;
        let mut dropped = None;
        for (code, value) in body.options(OPTIONS) {
            // isb_ifdrop and isb_osdrop: of the interface and of the system, both since the capture began.
            // Counted since the capture began, so only what is new since the last block of this
            // interface is added.
            if let (5 | 7, Some(n)) = (code, body.value_u64(value)) {
                dropped = Some(n.saturating_add(dropped.unwrap_or(0)));
            }
        }
        if let Some(n) = dropped {
            let drops = &mut totals.counters.capture_drops;
            *drops = drops.saturating_add(interface.lost_in_all(n));
        }
        Some(Ok(Block::Other))
    }

    fn interface_description(&mut self, body: BlockBody<'_>, totals: &mut Totals) -> Parsed {
        const OPTIONS: usize = 8;
        let link_type = LinkType(body.u16(0)?);
        let snap_len = body.u32(4)?;
        let mut interface = Interface::new(link_type, snap_len);
        let described = totals.interfaces.len() < DESCRIBED;
        for (code, value) in body.options(OPTIONS) {
            match (code, value) {
                (1, text) if described => interface.comment = words(text),
                (2, text) if described => interface.name = words(text),
                (3, text) if described => interface.description = words(text),
                (9, [v]) => interface.resolution = Resolution(*v),
                // The standard says bits; writers also say octets. No FCS has fewer than 8 bits or more than 7 octets.
                (13, [v]) => interface.fcs_len = Some(if *v >= 8 { v / 8 } else { *v }),
                (14, _) => {
                    if let Some(seconds) = body.value_u64(value) {
                        interface.offset = seconds.cast_signed();
                    }
                }
                _ => {}
            }
        }
        if let Some(at) = self.continued {
            if at == 0 && totals.continued(&interface).is_none() {
                // It is another capture.
                self.continued = None;
                totals.section = u32::try_from(totals.interfaces.len()).unwrap_or(u32::MAX);
                self.first = totals.section;
            } else if let Some(known) = totals.interfaces.get_mut((self.first + at) as usize) {
                if !known.is_same(&interface) {
                    *known = interface;
                }
                self.continued = Some(at + 1);
                self.count = at + 1;
                return Some(Ok(Block::Interface(link_type)));
            } else {
                // There were no more.
                self.continued = None;
            }
        }
        let interfaces = &mut totals.interfaces;
        let number = u32::try_from(interfaces.len()).unwrap_or(u32::MAX);
        // Those of another sender have come between.
        let end = self.first.saturating_add(self.count);
        let next = interfaces.len().min(INTERFACES.max(self.first as usize));
        if self.numbers.is_none() && next != end as usize {
            self.numbers = Some((self.first..end).collect());
        }
        if interfaces.len() < INTERFACES {
            match &mut self.numbers {
                Some(numbers) => numbers.push(number),
                None => self.count += 1,
            }
            interfaces.push(interface);
        } else {
            let number = shared_interface(interface, interfaces);
            let shared = self.numbers.as_mut().unwrap_or(&mut self.shared);
            let Some(number) = number.filter(|_| shared.len() < SHARED) else {
                return Some(Err(Fault::Interfaces));
            };
            shared.push(number);
            totals.counters.shared_interfaces += 1;
        }
        Some(Ok(Block::Interface(link_type)))
    }
}

/// What a block was, its fault, or nothing where it is shorter than its fixed fields.
type Parsed = Option<Result<Block, Fault>>;

/// Counts a block of secrets or names, and keeps it where outputs want it.
fn keep(kind: u32, body: BlockBody<'_>, totals: &mut Totals) {
    let counters = &mut totals.counters;
    let body = if kind == CaptureBlock::SECRETS {
        counters.secrets += 1;
        let kept: usize = totals.key_logs.iter().map(Vec::len).sum();
        if let Some((TLS_KEY_LOG, text)) = secrets_of(body)
            && kept + text.len() <= KEPT_BLOCKS
        {
            totals.key_logs.push(text.to_vec());
        }
        secrets(body)
    } else {
        counters.names += 1;
        Some(names(body))
    };
    let body = body.filter(|body| {
        let waiting: usize = totals.blocks.iter().map(|b| b.body.len()).sum();
        totals.keep_blocks && waiting + body.len() <= KEPT_BLOCKS
    });
    match body {
        Some(body) => totals.blocks.push(CaptureBlock { kind, body }),
        None => counters.blocks_left_out += 1,
    }
}

/// Secrets of this type are a key log of TLS (pcapng draft, 4.7).
pub(super) const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Type of the secrets, and themselves.
fn secrets_of(body: BlockBody<'_>) -> Option<(u32, &[u8])> {
    let (kind, len) = (body.u32(0)?, body.u32(4)?);
    Some((kind, body.octets.get(8..)?.get(..len as usize)?))
}

/// Type of the secrets, their length, and themselves, padded.
fn secrets(body: BlockBody<'_>) -> Option<Vec<u8>> {
    let (kind, data) = secrets_of(body)?;
    let len = u32::try_from(data.len()).ok()?;
    let mut out = [kind.to_le_bytes(), len.to_le_bytes()].concat();
    out.extend(data);
    out.resize(out.len().next_multiple_of(4), 0);
    Some(out)
}

/// Records of names, which look like options, up to the end mark.
fn names(body: BlockBody<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (code, value) in body.options(0) {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        out.extend(code.to_le_bytes());
        out.extend(len.to_le_bytes());
        out.extend(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out.extend([0; 4]);
    out
}

/// The packet of an Enhanced Packet Block or a Packet Block, and its options.
#[inline]
#[allow(clippy::too_many_arguments)] // one call each for the two kinds of block
fn timed_packet(
    body: BlockBody<'_>,
    captured: u32,
    orig_len: u32,
    ticks: u64,
    number: u32,
    interface: &mut Interface,
    drops: &mut u64,
    mut comments: Option<&mut Vec<String>>,
) -> Result<Block, Fault> {
    const DATA: usize = 20;
    let len = captured as usize;
    // The captured length is part of the block's body; more than that was never there.
    if len > body.octets.len().saturating_sub(DATA) {
        return Err(Fault::Captured(captured.into()));
    }
    let mut flags = 0;
    // Most blocks have no options, and then this costs one comparison.
    for (code, value) in body.options(DATA + len.next_multiple_of(4)) {
        match code {
            1 => {
                if let Some(comments) = &mut comments {
                    comments.push(String::from_utf8_lossy(value).into_owned());
                }
            }
            2 => flags = body.value_u32(value).unwrap_or(0),
            4 => {
                let lost = body.value_u64(value).unwrap_or(0);
                *drops = drops.saturating_add(interface.lost_between(lost));
            }
            _ => {}
        }
    }
    // The packet's own flags say more than the interface's.
    let fcs_len = match (flags >> 5) & 0xf {
        0 => interface.fcs_len,
        n => u8::try_from(n).ok(),
    };
    Ok(Block::Packet(Raw {
        used: body.octets.len() + 12,
        data: 8 + DATA,
        len,
        time: interface.time(ticks),
        interface: number,
        link_type: interface.link_type,
        // Some writers put 0 there.
        orig_len: orig_len.max(captured),
        fcs_len,
        flags,
    }))
}

/// The text of an option, as far as it is kept: descriptions live as long as the run.
fn words(value: &[u8]) -> Option<String> {
    // Names and comments are shown in one line.
    const KEPT: usize = 200;
    let value = value.get(..KEPT).unwrap_or(value);
    Some(String::from_utf8_lossy(value).into_owned())
}

/// A block without its type and lengths.
#[derive(Clone, Copy)]
struct BlockBody<'a> {
    octets: &'a [u8],
    big_endian: bool,
}

impl<'a> BlockBody<'a> {
    #[inline]
    fn u16(&self, at: usize) -> Option<u16> {
        let octets = *self.octets.get(at..)?.first_chunk::<2>()?;
        Some(if self.big_endian {
            u16::from_be_bytes(octets)
        } else {
            u16::from_le_bytes(octets)
        })
    }

    #[inline]
    fn u32(&self, at: usize) -> Option<u32> {
        word(self.octets, at, self.big_endian)
    }

    fn value_u32(&self, value: &[u8]) -> Option<u32> {
        word(value, 0, self.big_endian)
    }

    fn value_u64(&self, value: &[u8]) -> Option<u64> {
        let octets = *value.first_chunk::<8>()?;
        Some(if self.big_endian {
            u64::from_be_bytes(octets)
        } else {
            u64::from_le_bytes(octets)
        })
    }

    /// The options from here on, up to the end mark or the first one that cannot be right.
    #[inline]
    fn options(&self, at: usize) -> BlockOptions<'a> {
        BlockOptions {
            rest: BlockBody {
                octets: self.octets.get(at..).unwrap_or_default(),
                big_endian: self.big_endian,
            },
        }
    }
}

struct BlockOptions<'a> {
    rest: BlockBody<'a>,
}

impl<'a> Iterator for BlockOptions<'a> {
    type Item = (u16, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (code, len) = (self.rest.u16(0)?, usize::from(self.rest.u16(2)?));
        if code == 0 {
            return None;
        }
        // An option that reaches past its block ends the list; the packet itself is sound.
        let value = self.rest.octets.get(4..4 + len)?;
        // The last one's padding may be missing.
        let next = 4 + len.next_multiple_of(4);
        self.rest.octets = self.rest.octets.get(next..).unwrap_or_default();
        Some((code, value))
    }
}
