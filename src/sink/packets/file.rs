//! A capture file that is written: pcap or pcapng.

use super::pcap::{self, PcapResolution};
use super::pcapng;
use crate::base::counters::ChannelCounters;
use crate::base::packet::{
    CaptureBlock, INTERFACES, Interface, LinkType, PacketInfo, SHARED_KINDS,
};
use crate::base::time::Timestamp;
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::writer::{BufferedWriter, OutputError, Reopened, Writer};
use std::ops::ControlFlow;

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FileFormat {
    /// pcap.
    #[default]
    Pcap,
    /// pcapng, with the input's interfaces, and comments.
    Pcapng,
}

/// A capture file.
pub(crate) struct CaptureFile {
    pub(crate) out: BufferedWriter,
    format: FileFormat,
    original_times: bool,
    /// The one link type of all packets; none where each interface has its own.
    link_type: Option<LinkType>,
    begun: bool,
    /// The link type of the first input.
    input: LinkType,
    nanoseconds: bool,
    /// Blocks that came before the file header could be written; the reader of the input bounds them.
    blocks: Vec<CaptureBlock>,
    /// Unit of the timestamps of each interface that was written, as its description says it.
    units: Vec<u8>,
    last: Timestamp,
    /// Packets that were written.
    packets: u64,
    /// Reused: what stands behind a packet.
    tail: Vec<u8>,
}

impl CaptureFile {
    pub(crate) fn new(
        name: &str,
        to: Writer,
        format: FileFormat,
        original_times: bool,
        each: bool,
    ) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each),
            format,
            original_times,
            link_type: None,
            begun: false,
            input: LinkType::ETHERNET,
            nanoseconds: false,
            blocks: Vec::new(),
            units: Vec::new(),
            last: Timestamp::default(),
            packets: 0,
            tail: Vec::new(),
        }
    }

    /// Writes the file header, at the first call. Without a link type of its own, each interface has the input's.
    pub(crate) fn begin(&mut self, own: Option<LinkType>, input: LinkType, nanoseconds: bool) {
        if self.begun {
            return;
        }
        self.begun = true;
        self.link_type = own;
        self.input = input;
        self.nanoseconds = nanoseconds;
        if self.format == FileFormat::Pcap {
            self.link_type = Some(own.unwrap_or(input));
        }
        self.header();
        for block in std::mem::take(&mut self.blocks) {
            self.block(&block);
        }
    }

    /// Writes what a file begins with.
    fn header(&mut self) {
        match self.format {
            // Of the first input: pcap has one link type, and its header goes out before the first
            // packet.
            FileFormat::Pcap => {
                let link_type = self.link_type.unwrap_or(self.input);
                let header = pcap::file_header(link_type, self.resolution());
                self.out.write([&header]);
            }
            FileFormat::Pcapng => {
                let mut header = Vec::new();
                // Interface blocks follow, each when its interface is first seen.
                pcapng::section(&mut header);
                self.out.write([&header]);
            }
        }
    }

    /// Writes a block of the input as it was; a pcap file has no place for it.
    pub(crate) fn block(&mut self, block: &CaptureBlock) {
        if self.format == FileFormat::Pcap {
            return;
        }
        if !self.begun {
            self.blocks.push(block.clone());
            return;
        }
        let mut out = Vec::new();
        pcapng::block(&mut out, block.kind, |out| out.extend(&block.body));
        self.out.write([&out]);
    }

    /// Goes on in a new file of the same name, where the old one was moved away: each of the two is a whole capture.
    pub(crate) fn reopen(&mut self, all: &[Interface], done: &mut Reopened) {
        if self.out.reopen(done) && self.begun {
            self.units.clear();
            self.header();
            self.interfaces(all);
        }
    }

    /// The link type of a pcap file, which all its packets have.
    pub(crate) fn only(&self) -> Option<LinkType> {
        self.link_type.filter(|_| self.format == FileFormat::Pcap)
    }

    fn resolution(&self) -> PcapResolution {
        if self.nanoseconds {
            PcapResolution::Nano
        } else {
            PcapResolution::Micro
        }
    }

    /// These are all interfaces of the input until now.
    pub(crate) fn interfaces(&mut self, all: &[Interface]) {
        // Only those that are new: a block is written once and never changed.
        if self.format == FileFormat::Pcapng && self.begun {
            for interface in all.get(self.units.len()..).unwrap_or_default() {
                // Timestamps are kept in nanoseconds.
                // Finer units than a nanosecond cannot be kept, coarser ones than a microsecond are
                // not read well by tools.
                let unit = match interface.resolution.0 {
                    n @ 6..=9 => n,
                    0..=5 => 6,
                    _ => 9,
                };
                self.interface(interface.link_type, unit, Some(interface));
            }
        }
    }

    fn interface(&mut self, link_type: LinkType, unit: u8, interface: Option<&Interface>) {
        let mut block = Vec::new();
        let link_type = self.link_type.unwrap_or(link_type);
        pcapng::interface(&mut block, link_type, unit, interface);
        self.out.write([&block]);
        self.units.push(unit);
    }

    /// The time of the next record: it never goes back, unless original times are wanted.
    fn time(&mut self, time: Timestamp) -> Timestamp {
        if self.original_times {
            return time;
        }
        // A held message has an older time than its neighbours; readers compute negative deltas
        // from times that go back.
        self.last = self.last.max(time);
        self.last
    }

    /// The header of a record of `captured` octets that is written by hand; none where the file is no pcap.
    pub(crate) fn pcap_header(
        &mut self,
        packet: &PacketInfo,
        captured: usize,
        original: usize,
    ) -> Option<[u8; pcap::RECORD_HEADER]> {
        if self.format != FileFormat::Pcap {
            return None;
        }
        self.packets += u64::from(!self.out.is_aside());
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (time, resolution) = (self.time(packet.time), self.resolution());
        Some(pcap::record_header(
            time,
            resolution,
            number(captured),
            number(original),
        ))
    }

    /// Appends a record that is made of parts; `original` octets are how many there would be, had none been lost.
    /// Comments and flags (as of `epb_flags`) stand in pcapng only. `link_type` is that of the packet, where the file
    /// has none of its own.
    pub(crate) fn record(
        &mut self,
        packet: &PacketInfo,
        link_type: LinkType,
        original: usize,
        parts: [&[u8]; 3],
        comments: &[String],
        flags: u32,
    ) {
        let captured = parts.iter().map(|p| p.len()).sum();
        let [a, b, c] = parts;
        if let Some(header) = self.pcap_header(packet, captured, original) {
            self.out.write([&header, a, b, c]);
            return;
        }
        self.packets += u64::from(!self.out.is_aside());
        let interface = self.described(packet.interface, link_type);
        let unit = self.units.get(interface as usize).copied().unwrap_or(9);
        let tick = 10u64.pow(u32::from(9u8.saturating_sub(unit)));
        let mut nanos = self.time(packet.time).as_nanos();
        if !self.original_times && !nanos.is_multiple_of(tick) {
            // The time of another interface, whose unit is smaller.
            // Up, never down: rounded down it would go back behind the record before.
            nanos = nanos.div_ceil(tick).saturating_mul(tick);
            self.last = Timestamp::from_nanos(nanos);
        }
        let mut tail = std::mem::take(&mut self.tail);
        pcapng::tail(&mut tail, captured, comments, flags);
        let header = pcapng::record_header(interface, nanos / tick, captured, original, tail.len());
        self.out.write([&header, a, b, c, &tail]);
        self.tail = tail;
    }

    /// The number that an interface of the input has here, where it is described from now on.
    fn described(&mut self, mut interface: u32, link_type: LinkType) -> u32 {
        // As many as the input can have. Each needs a block of its own: without a limit one damaged number would fill the disk
        // with them.
        if interface as usize >= INTERFACES + SHARED_KINDS {
            interface = 0;
        }
        // An output's interfaces are numbered as the input's. One that was not described gets a
        // block that says nothing of it.
        while self.units.len() <= interface as usize {
            self.interface(link_type, 9, None);
        }
        interface
    }

    /// The same for those clients only that were let in behind this number.
    pub(crate) fn record_behind(
        &mut self,
        number: u64,
        packet: &PacketInfo,
        link_type: LinkType,
        original: usize,
        parts: [&[u8]; 3],
    ) {
        if self.format == FileFormat::Pcapng {
            // For all.
            self.described(packet.interface, link_type);
        }
        self.out.begin_aside();
        self.record(packet, link_type, original, parts, &[], 0);
        self.out.end_aside(number);
    }

    /// Writes a packet with its own time, whatever the times of the others are.
    pub(crate) fn record_at_its_time(
        &mut self,
        packet: &PacketInfo,
        link_type: LinkType,
        original: usize,
        parts: [&[u8]; 3],
    ) {
        // The packets of the other stage keep their own time, and what was written by this output
        // stays monotone.
        let last = std::mem::replace(&mut self.last, packet.time);
        self.record(packet, link_type, original, parts, &[], 0);
        self.last = last;
    }

    pub(crate) fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }

    /// What went through it.
    pub(crate) fn channel(&self) -> ChannelCounters {
        ChannelCounters {
            packets: Some(self.packets),
            ..self.out.channel()
        }
    }

    /// The next run writes a file of its own, whose times go on.
    pub(crate) fn save(&self, to: &mut StateWriter) {
        to.put(&self.last);
    }

    pub(crate) fn load(&mut self, from: &mut StateReader) -> Result<(), StateError> {
        self.last = from.get()?;
        Ok(())
    }
}
