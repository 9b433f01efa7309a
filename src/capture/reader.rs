//! Packet records from any `Read`: pcap and pcapng, plain or compressed.

use super::decompress::Decompress;
use super::pcap::{self, Pcap};
use super::pcapng::{self, Block, Section};
use super::record::{Fault, Look, Raw};
use super::{FileHeader, Interface, MAX_INTERFACES, Packet};
use crate::error::Error;
use crate::stats::InputCounters;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, ErrorKind, Read};

/// Octets of the buffer at first, and of one read at most. Measured: larger reads are no faster, and the cache is left.
const BUFFER: usize = 1 << 20;
/// The buffer's last octets are not worth a read: what is left of the records moves to its beginning instead.
const LEAST_READ: usize = 128 << 10;
/// What a buffer may grow to for a single record: the largest block.
const MAX_BUFFER: usize = pcapng::MAX_BLOCK;

/// Reads packet records, in the order of the input.
///
/// It blocks nowhere but in [`fill`](Self::fill), which reads once; [`next`](Self::next) gives the packets that are there.
/// So all that is complete can be processed, and written, before a read that can block:
///
/// ```
/// # use inet_asm::capture::Reader;
/// # fn main() -> Result<(), inet_asm::error::Error> {
/// # let input: &[u8] = &[
/// #     0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
/// #     1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 7, 7,
/// # ];
/// let mut reader = Reader::new("x.pcap", input);
/// loop {
///     while let Some(packet) = reader.next()? {
///         println!("{}: {} octets", packet.frame, packet.data.len());
///     }
///     // Here the output is flushed.
///     if !reader.fill()? {
///         break;
///     }
/// }
/// # assert_eq!(reader.totals().counters.packets, 1);
/// # Ok(())
/// # }
/// ```
///
/// A new file header where a record is due begins the next file (`cat a b`). Frames and interfaces are counted on over
/// files and, with [`chain`](Self::chain), over inputs.
///
/// Memory: 1 MiB, and up to 16 MiB while a single block is larger than that; the interfaces.
pub struct Reader<R: Read> {
    name: String,
    input: Decompress<R>,
    /// All of it can be read into; `start..end` waits to be parsed.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the input of the buffer's first octet.
    base: u64,
    /// Records read from this input.
    records: u64,
    format: Format,
    header: Option<FileHeader>,
    totals: Totals,
    warnings: Vec<Warning>,
    /// The input has ended, or an error was returned.
    ended: bool,
    failed: bool,
}

enum Format {
    /// A file header is due.
    Unknown,
    Pcap(Pcap),
    Pcapng(Section),
}

/// What goes on over all inputs of a run; plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Number of the last frame.
    pub frame: u64,
    /// Time of the last packet.
    pub time: Timestamp,
    /// All interfaces, in the order of their numbers.
    pub interfaces: Vec<Interface>,
    /// What was counted.
    pub counters: InputCounters,
}

/// What a user should be told, although the run goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// The input ends inside a record.
    CutShort {
        /// The input's name.
        file: String,
        /// Where that record begins, in octets from the beginning of the input.
        offset: u64,
        /// Its number in this input, from 1.
        record: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort {
                file,
                offset,
                record,
            } => write!(
                f,
                "{file}: is cut short inside record {record} at offset {offset}: what stands before it was used"
            ),
        }
    }
}

/// What one step has found.
enum Step {
    Packet(Raw),
    /// Something without a packet.
    Passed,
    /// More octets are needed.
    Starved,
}

impl<R: Read> Reader<R> {
    /// A reader at the beginning of `input`, which is called `name` in messages.
    pub fn new(name: impl Into<String>, input: R) -> Self {
        Self::resume(name, input, Totals::default())
    }

    /// The same, with frames, interfaces and counters going on from an earlier run.
    pub fn resume(name: impl Into<String>, input: R, totals: Totals) -> Self {
        Self {
            name: name.into(),
            input: Decompress::new(input),
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            base: 0,
            records: 0,
            format: Format::Unknown,
            header: None,
            totals,
            warnings: Vec::new(),
            ended: false,
            failed: false,
        }
    }

    /// Goes on with the next input, as one capture. What is left of the input before is given up.
    pub fn chain(&mut self, name: impl Into<String>, input: R) {
        self.name = name.into();
        self.input = Decompress::new(input);
        (self.start, self.end, self.base, self.records) = (0, 0, 0, 0);
        self.format = Format::Unknown;
        (self.ended, self.failed) = (false, false);
    }

    /// What is known of the first input, after the [`fill`](Self::fill) that completed its file header. Still nothing at
    /// the end of the input: a pcapng file that describes no interface.
    pub const fn header(&self) -> Option<FileHeader> {
        self.header
    }

    /// What goes on over all inputs: numbers, interfaces, counters.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Counters and numbers, to be cleared or set.
    pub const fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// The warnings since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// The next packet that is in the buffer; nothing when more octets are needed. Never reads.
    ///
    /// # Errors
    /// [`Error::Foreign`] and [`Error::Damaged`], once all packets before that place have been given.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, Error> {
        let raw = loop {
            match self.step()? {
                Step::Packet(raw) => break raw,
                Step::Passed => {}
                Step::Starved => return Ok(None),
            }
        };
        let from = self.start - raw.used + raw.data;
        let data = self.buffer.get(from..from + raw.len).unwrap_or_default();
        let totals = &mut self.totals;
        totals.time = raw.time;
        totals.counters.packets += 1;
        totals.counters.octets += raw.len as u64;
        totals.counters.snapped += u64::from(raw.orig_len as usize > raw.len);
        Ok(Some(Packet {
            frame: totals.frame,
            time: raw.time,
            interface: raw.interface,
            link_type: raw.link_type,
            data,
            orig_len: raw.orig_len,
            fcs_len: raw.fcs_len,
            flags: raw.flags,
        }))
    }

    /// Reads once, which may block; false at the end of the input. All packets should have been taken before.
    ///
    /// # Errors
    /// [`Error::Read`]; the read may be tried again if its source is `WouldBlock` or `TimedOut` (not inside zstd). At
    /// the end [`Error::Empty`] or [`Error::CutHeader`]; [`Error::Foreign`] as soon as it is known of the first input.
    pub fn fill(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Ok(true);
        }
        let read = loop {
            match self.input.read(room) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        match read {
            Ok(0) => self.finish(false).map(|()| false),
            Ok(n) => {
                self.end += n.min(room.len());
                // What an output needs to begin with is known as early as it can be.
                while self.header.is_none() {
                    if matches!(self.step()?, Step::Starved) {
                        break;
                    }
                }
                Ok(true)
            }
            Err(source) => self.read_failed(source),
        }
    }

    fn read_failed(&mut self, source: io::Error) -> Result<bool, Error> {
        match (self.input.format(), source.kind()) {
            (Some(_), ErrorKind::UnexpectedEof) => self.finish(true).map(|()| false),
            (Some(format), ErrorKind::InvalidData) => {
                Err(self.damaged(format!("{format}: {source}")))
            }
            _ => Err(Error::Read {
                file: self.name.clone(),
                source,
            }),
        }
    }

    /// Makes room behind `end`, with as little moving as possible: records are never moved one by one.
    fn make_room(&mut self) {
        let left = self.end - self.start;
        if left == 0 || (self.start > 0 && self.buffer.len() - self.end < LEAST_READ) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            (self.start, self.end) = (0, left);
        }
        if self.end == self.buffer.len() {
            // A single record fills it. Doubling keeps what is allocated in proportion to what has been read.
            let len = (self.buffer.len() * 2).min(MAX_BUFFER);
            self.buffer.resize(len, 0);
        } else if self.buffer.len() > BUFFER && self.start == 0 && left < BUFFER / 2 {
            self.buffer.truncate(BUFFER);
            self.buffer.shrink_to_fit();
        }
    }

    /// Takes what stands at `start`, if it is whole.
    #[inline]
    fn step(&mut self) -> Result<Step, Error> {
        if self.failed {
            return Ok(Step::Starved);
        }
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let look = match &mut self.format {
            Format::Pcap(pcap) => {
                // Few timestamps look like a magic number.
                if octets.first_chunk().is_some_and(is_any_magic) {
                    match is_header(octets) {
                        Look::Whole(false) => {}
                        Look::Whole(true) => return self.file_header(),
                        _ => return Ok(Step::Starved),
                    }
                }
                match pcap.record(octets) {
                    Look::Whole(raw) => {
                        self.start += raw.used;
                        self.records += 1;
                        self.totals.frame += 1;
                        return Ok(Step::Packet(raw));
                    }
                    Look::More => return Ok(Step::Starved),
                    Look::Bad(fault) => Look::Bad(fault),
                }
            }
            Format::Pcapng(section) => {
                if octets
                    .first_chunk()
                    .is_some_and(|head| pcap::is_magic(*head))
                {
                    match pcap::is_header(octets) {
                        Look::Whole(false) => {}
                        Look::Whole(true) => return self.file_header(),
                        _ => return Ok(Step::Starved),
                    }
                }
                section.block(octets, &mut self.totals)
            }
            Format::Unknown => return self.file_header(),
        };
        match look {
            Look::Whole((used, block)) => {
                self.start += used;
                Ok(self.pass(block))
            }
            Look::More => Ok(Step::Starved),
            Look::Bad(fault) => Err(self.damaged(fault.to_string())),
        }
    }

    /// Counts a block.
    #[inline]
    fn pass(&mut self, block: Block) -> Step {
        match block {
            Block::Packet(raw) => {
                self.records += 1;
                self.totals.frame += 1;
                Step::Packet(raw)
            }
            Block::Untimed(raw) => {
                self.records += 1;
                self.totals.frame += 1;
                let time = self.totals.time;
                Step::Packet(Raw { time, ..raw })
            }
            Block::Interface(link_type) => {
                self.header.get_or_insert(FileHeader {
                    link_type,
                    nanoseconds: true,
                    pcapng: true,
                });
                Step::Passed
            }
            Block::Numbered => {
                self.totals.frame += 1;
                Step::Passed
            }
            Block::Other => Step::Passed,
        }
    }

    /// Takes the file header that stands at `start`.
    fn file_header(&mut self) -> Result<Step, Error> {
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(magic) = octets.first_chunk::<4>() else {
            return Ok(Step::Starved);
        };
        if !pcap::is_magic(*magic) {
            return match pcapng::is_header(octets) {
                Look::Whole(true) => {
                    self.totals.counters.files += 1;
                    self.format = Format::Pcapng(Section::begin());
                    Ok(Step::Passed)
                }
                Look::More => Ok(Step::Starved),
                _ => Err(self.foreign(None)),
            };
        }
        let number = self.totals.interfaces.len();
        if number >= MAX_INTERFACES {
            return Err(self.damaged(Fault::Interfaces.to_string()));
        }
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        match Pcap::header(octets, number) {
            Look::Whole((pcap, file, interface)) => {
                self.start += pcap::HEADER;
                self.totals.counters.files += 1;
                self.totals.interfaces.push(interface);
                self.header.get_or_insert(file);
                self.format = Format::Pcap(pcap);
                Ok(Step::Passed)
            }
            Look::More => Ok(Step::Starved),
            Look::Bad(fault) => Err(self.foreign(Some(fault))),
        }
    }

    /// The input has ended; `cut`: inside compressed data.
    fn finish(&mut self, cut: bool) -> Result<(), Error> {
        self.ended = true;
        if self.failed {
            return Ok(());
        }
        let offset = self.base + self.start as u64;
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let file = self.name.clone();
        let in_header = match self.format {
            Format::Unknown => true,
            Format::Pcapng(_) => offset == 0,
            Format::Pcap(_) => false,
        };
        if in_header {
            let magics = [0xa1b2_c3d4_u32, 0xa1b2_3c4d, 0xa1b2_cd34, 0x0a0d_0d0a];
            let begun = |magic: [u8; 4]| magic.starts_with(octets.get(..4).unwrap_or(octets));
            return Err(match octets.len() {
                0 if !cut => Error::Empty { file },
                _ if magics
                    .iter()
                    .any(|m| begun(m.to_le_bytes()) || begun(m.to_be_bytes())) =>
                {
                    Error::CutHeader {
                        file,
                        octets: octets.len() as u64,
                    }
                }
                _ => self.foreign(None),
            });
        }
        if cut || !octets.is_empty() {
            self.totals.counters.cut_short += 1;
            self.warnings.push(Warning::CutShort {
                file,
                offset,
                record: self.records + 1,
            });
        }
        Ok(())
    }

    #[cold]
    fn damaged(&mut self, what: String) -> Error {
        (self.ended, self.failed) = (true, true);
        Error::Damaged {
            file: self.name.clone(),
            offset: self.base + self.start as u64,
            record: self.records + 1,
            what,
        }
    }

    #[cold]
    fn foreign(&mut self, fault: Option<Fault>) -> Error {
        (self.ended, self.failed) = (true, true);
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let (what, advice) = match fault {
            Some(Fault::Version(major, minor)) => (
                format!("a pcap file of version {major}.{minor}"),
                "convert it with editcap",
            ),
            _ => looks_like(octets),
        };
        let first = octets.get(..8).unwrap_or(octets);
        let first: Vec<String> = first.iter().map(|o| format!("{o:02x}")).collect();
        let compressed = match self.input.format() {
            Some(format) => format!("{format}-compressed "),
            None => String::new(),
        };
        Error::Foreign {
            file: self.name.clone(),
            found: format!("{compressed}{what} (first octets {})", first.join(" ")),
            advice,
        }
    }
}

/// These octets could begin a file, or be a timestamp.
#[inline]
fn is_any_magic(octets: &[u8; 4]) -> bool {
    pcap::is_magic(*octets) || *octets == [0x0a, 0x0d, 0x0d, 0x0a]
}

fn is_header(octets: &[u8]) -> Look<bool> {
    if octets.first() == Some(&0x0a) {
        pcapng::is_header(octets)
    } else {
        pcap::is_header(octets)
    }
}

/// What else people hand to a program that reads captures, and what they can do about it.
fn looks_like(octets: &[u8]) -> (String, &'static str) {
    const DECOMPRESS: &str = "decompress it first";
    const CONVERT: &str = "convert it with editcap";
    const GIVE: &str = "give a capture file";
    const KNOWN: &[(&[u8], &str, &str)] = &[
        (&[0x1f, 0x8b], "gzip data", DECOMPRESS),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd data", DECOMPRESS),
        (b"BZh", "bzip2 data", DECOMPRESS),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz data", DECOMPRESS),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4 data", DECOMPRESS),
        (&[0x1f, 0x9d], "compress data", DECOMPRESS),
        (b"PK\x03\x04", "a zip archive", "unpack it first"),
        (b"snoop\0\0\0", "a snoop capture", CONVERT),
        (b"GMBU", "a Network Monitor capture", CONVERT),
        (b"RTSS", "a Network Monitor capture", CONVERT),
        (b"TRSNIFF data", "a Sniffer capture", CONVERT),
        (
            &[0xcd, 0x34, 0xb2, 0xa1],
            "a pcap variant that is not known",
            CONVERT,
        ),
        (
            &[0xa1, 0xb2, 0x34, 0xcd],
            "a pcap variant that is not known",
            CONVERT,
        ),
        (&[0x7f, b'E', b'L', b'F'], "an ELF program", GIVE),
        (b"%PDF", "a PDF document", GIVE),
    ];
    if let Some((_, what, advice)) = KNOWN.iter().find(|(magic, ..)| octets.starts_with(magic)) {
        return ((*what).to_owned(), advice);
    }
    let first = octets.get(..64).unwrap_or(octets);
    let is_text = |o: &u8| matches!(o, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
    let what = match first {
        [b'{' | b'[', ..] if first.iter().all(is_text) => "JSON",
        [b'<', ..] if first.iter().all(is_text) => "XML or HTML",
        _ if first.iter().all(is_text)
            && std::str::from_utf8(first.get(..4).unwrap_or(first)).is_ok() =>
        {
            "text"
        }
        _ => "data of an unknown kind",
    };
    (what.to_owned(), GIVE)
}
