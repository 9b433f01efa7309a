//! Packet records from any `Read`: pcap and pcapng, plain or compressed.

#[cfg(feature = "decompress")]
use super::decompress::Decompress;
use super::pcap::{self, Pcap};
use super::pcapng::{self, Block, Section};
#[cfg(not(feature = "decompress"))]
use super::plain::Plain as Decompress;
use super::record::{Fault, Raw, RecordLook};
use super::stop::is_woken;
use super::totals::Totals;
use super::{FileHeader, magic, shared_interface};
use crate::base::packet::{INTERFACES, Packet};
use crate::base::time::Timestamp;
use crate::capture::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read};

/// Octets of the buffer at first, and of one read at most. Measured: larger reads are no faster, and the cache is left.
const BUFFER: usize = 1 << 20;
/// The buffer's last octets are not worth a read: what is left of the records moves to its beginning instead.
const LEAST_READ: usize = 128 << 10;
/// What a buffer may grow to for a single record: the largest block.
// A block of 16 MiB is the most that other readers take; whatever says it is longer is damaged.
const MAX_BUFFER: usize = pcapng::MAX_BLOCK;

/// An input that has been opened.
pub type InputSource = Box<dyn Read + Send>;

/// Reads packet records, in the order of the input.
///
/// It blocks nowhere but in [`fill`](Self::fill), which reads once; [`next`](Self::next) gives the packets that are there.
/// So all that is complete can be processed, and written, before a read that can block:
///
/// ```
/// # use inet_asm::capture::Reader;
/// # fn main() -> Result<(), inet_asm::capture::error::Error> {
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
    format: CaptureFormat,
    header: Option<FileHeader>,
    totals: Totals,
    warnings: Vec<Warning>,
    /// A file has ended, and the first packet of the next is to be compared with its end.
    boundary: Option<Boundary>,
    /// Files in the wrong order have been told of.
    order_told: bool,
    /// Its format has been told.
    told: bool,
    /// What waited in `totals` for the last packet has been handed on with it.
    shown: bool,
    /// The input has ended, or an error was returned.
    ended: bool,
    failed: bool,
}

/// What is known of the file before.
struct Boundary {
    /// The time of its last packet.
    end: Timestamp,
    /// Its name; none where it is another part of the same input.
    before: Option<String>,
}

enum CaptureFormat {
    /// A file header is due.
    Unknown,
    Pcap(Pcap),
    Pcapng(Section),
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
        /// What the input is compressed with, where its compressed data end too early: the place is one of what they hold.
        compressed: Option<&'static str>,
        /// Nothing of the record is there: every record before it is whole, and there may be no other one.
        between: bool,
    },
    /// A file begins before the one ahead of it ended. Told once.
    WrongOrder {
        /// The input's name.
        file: String,
        /// The one ahead of it; none where both are parts of one input.
        before: Option<String>,
        /// The inputs were sorted by their first packets.
        sorted: bool,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort {
                file,
                offset,
                record,
                compressed: None,
                ..
            } => write!(
                f,
                "{file}: is cut short inside record {record} at offset {offset}: what stands before it was used"
            ),
            Self::CutShort {
                file,
                record,
                compressed: Some(format),
                between: true,
                ..
            } => write!(
                f,
                "{file}: its {format} data are cut short, behind record {}: all of that was used, get a whole copy if there was more",
                record.saturating_sub(1)
            ),
            Self::CutShort {
                file,
                offset,
                record,
                compressed: Some(format),
                between: false,
            } => write!(
                f,
                "{file}: its {format} data are cut short, inside record {record} at offset {offset} of what they hold: what stands before it was used, get a whole copy"
            ),
            Self::WrongOrder {
                file,
                before,
                sorted,
            } => {
                match before {
                    Some(before) => write!(f, "{file}: begins before {before} ended")?,
                    None => write!(
                        f,
                        "{file}: one capture in it begins before the one ahead of it ended"
                    )?,
                }
                f.write_str(", so messages that go over both may be lost: ")?;
                f.write_str(if *sorted {
                    "their times overlap, which --sort-delay may put right"
                } else {
                    "name files in the order of time, or use --sort-files (where they overlap, --sort-delay)"
                })
            }
        }
    }
}

/// What one step has found.
enum ReadStep {
    Packet(Raw),
    /// Something without a packet.
    Passed,
    /// More octets are needed.
    Starved,
}

impl Reader<InputSource> {
    /// Lets go of an input that has ended: whoever has sent it sees that.
    pub(super) fn let_go(&mut self) {
        self.input = Decompress::new(Box::new(io::empty()));
    }
}

impl<R: Read> Reader<R> {
    /// A reader at the beginning of `input`, which is called `name` in messages.
    pub fn new(name: impl Into<String>, input: R) -> Self {
        Self::resume(name, input, Totals::default())
    }

    /// The same, with frames, interfaces and counters going on from an earlier run: the first file is taken for a part of the one that
    /// was read last, as long as its interfaces are described in the same words.
    pub fn resume(name: impl Into<String>, input: R, mut totals: Totals) -> Self {
        totals.continues = !totals.interfaces.is_empty();
        let boundary = (totals.frame > 0).then(|| Boundary {
            end: totals.time,
            before: Some("the piece of the last run".to_owned()),
        });
        Self {
            name: name.into(),
            input: Decompress::new(input),
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            base: 0,
            records: 0,
            format: CaptureFormat::Unknown,
            header: None,
            totals,
            warnings: Vec::new(),
            boundary,
            order_told: false,
            told: false,
            shown: false,
            ended: false,
            failed: false,
        }
    }

    /// Goes on with the next input, as one capture. What is left of the input before is given up.
    pub fn chain(&mut self, name: impl Into<String>, input: R) {
        let before = std::mem::replace(&mut self.name, name.into());
        self.boundary = Some(Boundary {
            end: self.totals.time,
            before: Some(before),
        });
        self.input = Decompress::new(input);
        (self.start, self.end, self.base, self.records) = (0, 0, 0, 0);
        self.format = CaptureFormat::Unknown;
        (self.ended, self.failed, self.told) = (false, false, false);
    }

    /// Its format is known, and this is the first call since.
    pub(super) const fn is_untold(&mut self) -> bool {
        let untold = self.is_recognised() && !self.told;
        self.told |= untold;
        untold
    }

    /// Where this input is compressed, a thread of its own decompresses it. Only before the first [`fill`](Self::fill), and only for an
    /// input that never waits, as a regular file: a [`Stop`](super::Stop) does not reach what waits there.
    pub fn decompress_ahead(&mut self)
    where
        R: Send + 'static,
    {
        self.input.ahead();
    }

    /// What the input is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known of the first input, after the [`fill`](Self::fill) that completed its file header. Still nothing at
    /// the end of the input: a pcapng file that describes no interface.
    pub const fn header(&self) -> Option<FileHeader> {
        self.header
    }

    /// It is certain that the input is a capture.
    pub const fn is_recognised(&self) -> bool {
        !matches!(self.format, CaptureFormat::Unknown)
    }

    /// The name of the input's format; none before it is known.
    pub const fn format(&self) -> Option<&'static str> {
        match self.format {
            CaptureFormat::Unknown => None,
            CaptureFormat::Pcap(_) => Some("pcap"),
            CaptureFormat::Pcapng(_) => Some("pcapng"),
        }
    }

    /// What the input is compressed with.
    pub const fn compression(&self) -> Option<&'static str> {
        self.input.format()
    }

    /// Takes over what goes on over all inputs from the reader of another one that is read at the same time.
    pub(super) fn take_over(&mut self, from: &mut Self) {
        if from.shown {
            from.shown = false;
            from.totals.blocks.clear();
            from.totals.comments.clear();
        }
        self.totals = std::mem::take(&mut from.totals);
        self.warnings.append(&mut from.warnings);
    }

    /// The input has ended, or what came of it cannot be read on.
    pub(super) const fn is_over(&self) -> bool {
        self.ended
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
        Ok(self.advance()?.map(|raw| self.packet(&raw)))
    }

    /// The next packet, as [`next`](Self::next), with all that was read until then: interfaces, blocks, comments.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn next_with_totals(&mut self) -> Result<Option<(Packet<'_>, &Totals)>, Error> {
        let Some(raw) = self.advance()? else {
            return Ok(None);
        };
        Ok(Some((self.packet(&raw), &self.totals)))
    }

    /// The next packet where it is as nearly all are: a record of a pcap file that is whole in the buffer, before which nothing
    /// else was read. Nothing where [`next_with_totals`](Self::next_with_totals) has to look; nothing was taken then.
    #[inline(always)] // on every packet's way
    pub fn next_plain(&mut self) -> Option<Packet<'_>> {
        let CaptureFormat::Pcap(pcap) = &self.format else {
            return None;
        };
        // The first record of an input may come behind blocks of the one before, and so may the first one of a file in it.
        if self.records == 0 || self.shown || self.failed || self.boundary.is_some() {
            return None;
        }
        let octets = self.buffer.get(self.start..self.end)?;
        if magic::may_begin(*octets.first()?) {
            return None;
        }
        let raw = pcap.whole_record(octets)?;
        let data = octets.get(raw.data..raw.used)?;
        self.start += raw.used;
        self.records += 1;
        self.totals.frame += 1;
        self.totals.count(raw.time, raw.len, raw.orig_len);
        Some(raw.packet(self.totals.frame, data))
    }

    /// Goes to the next packet, and counts it.
    fn advance(&mut self) -> Result<Option<Raw>, Error> {
        if self.shown {
            self.shown = false;
            self.totals.blocks.clear();
            self.totals.comments.clear();
        }
        let raw = loop {
            // Blocks without a packet are passed over here, so that the caller sees packets only.
            match self.step()? {
                ReadStep::Packet(raw) => break raw,
                ReadStep::Passed => {}
                ReadStep::Starved => return Ok(None),
            }
        };
        if self.boundary.is_some() {
            self.compare_order(raw.time);
        }
        let totals = &mut self.totals;
        self.shown = !(totals.blocks.is_empty() && totals.comments.is_empty());
        totals.count(raw.time, raw.len, raw.orig_len);
        Ok(Some(raw))
    }

    /// The first packet of a file has this time.
    #[cold]
    fn compare_order(&mut self, time: Timestamp) {
        let Some(Boundary { end, before }) = self.boundary.take() else {
            return;
        };
        if time < end && !self.order_told {
            self.order_told = true;
            self.warnings.push(Warning::WrongOrder {
                file: self.name.clone(),
                before,
                sorted: false,
            });
        }
    }

    #[inline]
    fn packet(&self, raw: &Raw) -> Packet<'_> {
        // The octets stand right before `start`, which has moved on: nothing is copied.
        let from = self.start - raw.used + raw.data;
        let data = self.buffer.get(from..from + raw.len).unwrap_or_default();
        raw.packet(self.totals.frame, data)
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
        // The buffer holds a block of the largest size, so the caller takes packets first.
        if room.is_empty() {
            return Ok(true);
        }
        let read = loop {
            // A signal is no end of the input.
            match self.input.read(room) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        match read {
            // Zero octets are the end, also of a pipe whose writer has gone.
            Ok(0) => self.finish(false).map(|()| false),
            Ok(n) => {
                self.end += n.min(room.len());
                // What an output needs to begin with is known as early as it can be.
                while self.header.is_none() || !self.is_recognised() {
                    if matches!(self.step()?, ReadStep::Starved) {
                        break;
                    }
                }
                Ok(true)
            }
            Err(e) if is_woken(&e) => Ok(true),
            Err(source) => self.read_failed(source),
        }
    }

    fn read_failed(&mut self, source: io::Error) -> Result<bool, Error> {
        match (self.input.format(), source.kind()) {
            // Compressed data that is cut short is like a capture that is cut short: what came is
            // used.
            (Some(_), ErrorKind::UnexpectedEof) => self.finish(true).map(|()| false),
            (Some(format), ErrorKind::InvalidData) => {
                Err(self.damaged(format!("{format} data cannot be decompressed ({source})")))
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
        // Moved only when the rest is too small for a read: one move for some hundreds of records.
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
            // A single large block must not keep 16 MiB for the rest of the run.
            self.buffer.truncate(BUFFER);
            self.buffer.shrink_to_fit();
        }
    }

    /// Takes what stands at `start`, if it is whole.
    #[inline(always)] // on the way of every packet of pcapng
    fn step(&mut self) -> Result<ReadStep, Error> {
        // An error is returned once; after it nothing can be trusted to be a record.
        if self.failed {
            return Ok(ReadStep::Starved);
        }
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        // Few timestamps look like a magic number, and only `cat a b` brings one here: the first octet tells most apart.
        let magic = octets.first().is_none_or(|first| magic::may_begin(*first));
        if magic
            && octets.first_chunk().is_some_and(magic::may_be_compressed)
            && self.input.is_plain()
            && self.begins_compressed()
        {
            return Ok(ReadStep::Starved);
        }
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let look = match &mut self.format {
            CaptureFormat::Pcap(pcap) => {
                if magic && octets.first_chunk().is_some_and(is_any_magic) {
                    match is_header(octets) {
                        RecordLook::Whole(false) => {}
                        RecordLook::Whole(true) => return self.file_header(),
                        _ => return Ok(ReadStep::Starved),
                    }
                }
                // A record is taken whole or not at all, so a read may end at any octet.
                match pcap.record(octets) {
                    RecordLook::Whole(raw) => {
                        self.start += raw.used;
                        self.records += 1;
                        self.totals.frame += 1;
                        return Ok(ReadStep::Packet(raw));
                    }
                    RecordLook::More => return Ok(ReadStep::Starved),
                    RecordLook::Bad(fault) => RecordLook::Bad(fault),
                }
            }
            CaptureFormat::Pcapng(section) => {
                if octets
                    .first_chunk()
                    .is_some_and(|head| pcap::is_magic(*head))
                {
                    match pcap::is_header(octets) {
                        RecordLook::Whole(false) => {}
                        RecordLook::Whole(true) => return self.file_header(),
                        _ => return Ok(ReadStep::Starved),
                    }
                }
                section.block(octets, &mut self.totals)
            }
            CaptureFormat::Unknown => return self.file_header(),
        };
        match look {
            RecordLook::Whole((used, block)) => {
                self.start += used;
                Ok(self.pass(block))
            }
            RecordLook::More => Ok(ReadStep::Starved),
            RecordLook::Bad(fault) => Err(self.damaged(fault.to_string())),
        }
    }

    /// Goes on with a compressed file (`cat a.pcap b.pcap.gz`) where its magic number stands in the place of a record, unless
    /// that can be a record too: a timestamp of 1970 or 1991 looks like one, but no captured length then follows.
    #[cold]
    fn begins_compressed(&mut self) -> bool {
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let possible = match &self.format {
            CaptureFormat::Unknown => return false,
            CaptureFormat::Pcap(pcap) => {
                octets.len() < 16 || !matches!(pcap.record(octets), RecordLook::Bad(_))
            }
            CaptureFormat::Pcapng(section) => octets.len() < 8 || section.may_be_block(octets),
        };
        if possible {
            return false;
        }
        let rest = octets.to_vec();
        if !self.input.begin_again(rest) {
            return false;
        }
        self.boundary = Some(Boundary {
            end: self.totals.time,
            before: None,
        });
        self.base += self.start as u64;
        (self.start, self.end) = (0, 0);
        self.format = CaptureFormat::Unknown;
        true
    }

    /// Counts a block.
    #[inline]
    fn pass(&mut self, block: Block) -> ReadStep {
        match block {
            Block::Packet(raw) => {
                self.records += 1;
                self.totals.frame += 1;
                ReadStep::Packet(raw)
            }
            Block::Untimed(raw) => {
                self.records += 1;
                self.totals.frame += 1;
                // It has no time: that of the packet before is closest.
                let time = self.totals.time;
                ReadStep::Packet(Raw { time, ..raw })
            }
            Block::Interface(link_type) => {
                // Of the first interface: outputs need a link type before the first packet.
                self.header.get_or_insert(FileHeader {
                    link_type,
                    nanoseconds: true,
                    pcapng: true,
                });
                ReadStep::Passed
            }
            Block::Numbered => {
                self.totals.frame += 1;
                ReadStep::Passed
            }
            Block::Other => ReadStep::Passed,
        }
    }

    /// Takes the file header that stands at `start`.
    fn file_header(&mut self) -> Result<ReadStep, Error> {
        let octets = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(magic) = octets.first_chunk::<4>() else {
            return Ok(ReadStep::Starved);
        };
        if !pcap::is_magic(*magic) {
            // A pcapng header is a block: it is only recognised here, and read as one.
            return match pcapng::is_header(octets) {
                RecordLook::Whole(true) => {
                    self.totals.counters.files += 1;
                    self.format = CaptureFormat::Pcapng(Section::begin());
                    Ok(ReadStep::Passed)
                }
                RecordLook::More => Ok(ReadStep::Starved),
                _ => Err(self.foreign(None)),
            };
        }
        let number = self.totals.interfaces.len();
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        match Pcap::header(octets, number) {
            RecordLook::Whole((mut pcap, file, interface)) => {
                let totals = &mut self.totals;
                if let Some(number) = totals.continued(&interface) {
                    pcap.share(number);
                } else if totals.interfaces.len() < INTERFACES {
                    totals.section = number;
                    totals.interfaces.push(interface);
                } else if let Some(number) = shared_interface(interface, &mut totals.interfaces) {
                    pcap.share(number);
                    totals.counters.shared_interfaces += 1;
                } else {
                    return Err(self.damaged(Fault::Interfaces.to_string()));
                }
                if self.records > 0 {
                    self.boundary = Some(Boundary {
                        end: totals.time,
                        before: None,
                    });
                }
                self.start += pcap::HEADER;
                self.totals.counters.files += 1;
                self.header.get_or_insert(file);
                self.format = CaptureFormat::Pcap(pcap);
                Ok(ReadStep::Passed)
            }
            RecordLook::More => Ok(ReadStep::Starved),
            RecordLook::Bad(fault) => Err(self.foreign(Some(fault))),
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
            CaptureFormat::Unknown => true,
            CaptureFormat::Pcapng(_) => offset == 0,
            CaptureFormat::Pcap(_) => false,
        };
        // Nothing was understood yet, so this is no cut capture but another kind of file.
        if in_header {
            let magics = [0xa1b2_c3d4_u32, 0xa1b2_3c4d, 0xa1b2_cd34, 0x0a0d_0d0a];
            let begun = |magic: [u8; 4]| magic.starts_with(octets.get(..4).unwrap_or(octets));
            return Err(match octets.len() {
                // An empty input must not pass for a capture: a check in a script would succeed
                // without having seen anything.
                0 if !cut => Error::Empty { file },
                _ if magics
                    .iter()
                    .any(|m| begun(m.to_le_bytes()) || begun(m.to_be_bytes())) =>
                {
                    Error::CutHeader {
                        file,
                        octets: octets.len() as u64,
                        compressed: self.input.format(),
                    }
                }
                _ => self.foreign(None),
            });
        }
        // Packets before it are out already; a killed tcpdump leaves such a file.
        if cut || !octets.is_empty() {
            self.totals.counters.cut_short += 1;
            self.warnings.push(Warning::CutShort {
                file,
                offset,
                record: self.records + 1,
                compressed: self.input.format().filter(|_| cut),
                between: octets.is_empty(),
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
        // Eight octets are enough for a user, or for `file`, to know what it is.
        let first = octets.get(..8).unwrap_or(octets);
        let first: Vec<String> = first.iter().map(|o| format!("{o:02x}")).collect();
        let compressed = match self.input.format() {
            Some(format) => format!("{format}-compressed "),
            None => String::new(),
        };
        Error::Foreign {
            file: self.name.clone(),
            found: format!("{compressed}{what} (first bytes {})", first.join(" ")),
            advice,
        }
    }
}

/// These octets could begin a file, or be a timestamp.
#[inline]
fn is_any_magic(octets: &[u8; 4]) -> bool {
    pcap::is_magic(*octets) || *octets == [0x0a, 0x0d, 0x0d, 0x0a]
}

fn is_header(octets: &[u8]) -> RecordLook<bool> {
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
    // Of 16 bits for each character.
    if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
        return ("text in UTF-16".to_owned(), GIVE);
    }
    // A mark of the byte order says nothing of what follows it.
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
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

#[cfg(test)]
mod tests {
    use super::super::testing::{TestCapture, TestPackets, samples};
    use super::*;
    use crate::base::packet::{Interface, LinkType, Resolution};
    use std::io::Write;

    /// Gives `sizes` octets at a time, in turn, and is interrupted before each.
    struct ShortReads<'a> {
        octets: &'a [u8],
        sizes: Vec<usize>,
        reads: usize,
    }

    impl<'a> ShortReads<'a> {
        fn new(octets: &'a [u8], sizes: &[usize]) -> Self {
            Self {
                octets,
                sizes: sizes.to_vec(),
                reads: 0,
            }
        }
    }

    impl Read for ShortReads<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            if self.reads % 2 == 1 {
                return Err(ErrorKind::Interrupted.into());
            }
            let n = self.sizes[self.reads / 2 % self.sizes.len()].min(buf.len());
            self.octets.read(&mut buf[..n])
        }
    }

    fn drain<R: Read>(reader: &mut Reader<R>, packets: &mut TestPackets) -> Result<(), Error> {
        while let Some(p) = reader.next()? {
            packets.push((p.time.as_nanos(), p.data.to_vec(), p.orig_len));
        }
        Ok(())
    }

    /// All packets up to the end or the error, and how it ended.
    fn read_all<R: Read>(reader: &mut Reader<R>) -> (TestPackets, Result<(), Error>) {
        let mut packets = Vec::new();
        let result = loop {
            match drain(reader, &mut packets).and_then(|()| reader.fill()) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        assert!(!reader.fill().unwrap(), "nothing is read after the end");
        assert!(reader.next().unwrap().is_none());
        (packets, result)
    }

    fn octets_of(octets: &[u8]) -> (TestPackets, Result<(), Error>, Reader<&[u8]>) {
        let mut reader = Reader::new("x", octets);
        let (packets, result) = read_all(&mut reader);
        (packets, result, reader)
    }

    #[test]
    fn every_format_in_any_pieces() {
        for (name, c) in samples() {
            let sizes: &[&[usize]] = &[&[1 << 20], &[1], &[2], &[3, 1, 7], &[24, 1], &[5, 40, 2]];
            for sizes in sizes {
                let mut reader = Reader::new("x", ShortReads::new(&c.octets, sizes));
                let (packets, result) = read_all(&mut reader);
                result.unwrap();
                assert_eq!(packets, c.packets, "{name} {sizes:?}");
                let counters = &reader.totals().counters;
                assert_eq!((counters.files, counters.packets), (1, 3));
                assert_eq!(
                    counters.octets,
                    c.packets.iter().map(|p| p.1.len() as u64).sum::<u64>()
                );
                assert_eq!(reader.totals().frame, 3);
                assert!(reader.take_warnings().is_empty());
            }
        }
    }

    #[test]
    fn a_packet_is_there_as_soon_as_its_last_octet() {
        for (name, c) in samples() {
            let mut reader = Reader::new("x", ShortReads::new(&c.octets, &[1]));
            let mut packets = Vec::new();
            for read in 1..=c.octets.len() {
                assert!(reader.fill().unwrap());
                drain(&mut reader, &mut packets).unwrap();
                let whole = c.ends.iter().rfind(|e| e.0 <= read).map_or(0, |e| e.1);
                assert_eq!(packets.len() as u64, whole, "{name} {read}");
                // pcap: the file header; pcapng: the first interface.
                let known = c.ends[usize::from(name.contains("ng"))].0;
                assert_eq!(reader.header().is_some(), read >= known, "{name} {read}");
            }
        }
    }

    #[test]
    fn cut_at_every_length() {
        for (name, c) in samples() {
            for len in 0..c.octets.len() {
                let (packets, result, reader) = octets_of(&c.octets[..len]);
                let cut_short = reader.totals().counters.cut_short;
                if len < c.header {
                    let e = result.unwrap_err();
                    match (len, &e) {
                        (0, Error::Empty { .. }) => {}
                        (1.., Error::CutHeader { octets, .. }) => assert_eq!(*octets, len as u64),
                        _ => panic!("{name} {len}: {e}"),
                    }
                    continue;
                }
                result.unwrap();
                let (end, whole) = *c.ends.iter().rfind(|e| e.0 <= len).unwrap();
                assert_eq!(packets.len() as u64, whole, "{name} {len}");
                assert_eq!(cut_short, u64::from(end < len), "{name} {len}");
                if end < len {
                    let warning = Warning::CutShort {
                        file: "x".into(),
                        offset: end as u64,
                        record: whole + 1,
                        compressed: None,
                        between: false,
                    };
                    assert_eq!(reader.warnings, [warning]);
                }
            }
        }
    }

    #[test]
    fn files_behind_each_other() {
        for (one, a) in samples() {
            for (two, b) in samples() {
                let c = a.clone().then(&b).then(&a);
                let mut reader = Reader::new("x", ShortReads::new(&c.octets, &[1 << 20, 1, 9]));
                let (packets, result) = read_all(&mut reader);
                result.unwrap();
                assert_eq!(packets, c.packets, "{one}, {two}");
                assert_eq!(reader.totals().counters.packets, 9);
                let header = reader.header().unwrap();
                assert_eq!(header.pcapng, one.contains("ng"));
            }
        }
    }

    /// A fuzz target found that the length of a block was read in the header of a frame, of which less than 12 octets had come.
    #[cfg(feature = "decompress")]
    #[test]
    fn compressed_files_behind_others_in_any_pieces() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        for (name, a) in samples() {
            let frame = ruzstd::encoding::compress_to_vec(&a.octets[..], level);
            let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
            let octets = [&a.octets[..], skipped, &frame].concat();
            for size in 1..13 {
                let mut reader = Reader::new("x", ShortReads::new(&octets, &[size]));
                let (packets, result) = read_all(&mut reader);
                result.unwrap();
                assert_eq!(packets, a.clone().then(&a).packets, "{name} by {size}");
                assert_eq!(reader.totals().counters.files, 2);
            }
        }
    }

    #[test]
    fn inputs_behind_each_other() {
        let (a, b) = (&samples()[0].1, &samples()[6].1);
        let mut reader = Reader::new("a", &a.octets[..]);
        let (first, result) = read_all(&mut reader);
        result.unwrap();
        reader.chain("b", &b.octets[..]);
        let mut frames = Vec::new();
        while reader.fill().unwrap() {
            while let Some(p) = reader.next().unwrap() {
                frames.push((p.frame, p.interface, p.link_type));
            }
        }
        assert_eq!(first.len(), 3);
        // The pcap file is interface 0; pcapng goes on from there, over its sections.
        let expected = [(4, 1, 1), (5, 2, 101), (6, 3, 113)];
        assert_eq!(frames, expected.map(|(f, i, l)| (f, i, LinkType(l))));
        let totals = reader.totals();
        assert_eq!(totals.counters.files, 2);
        assert_eq!(totals.interfaces[2].name.as_deref(), Some("eth7"));
        assert_eq!(totals.interfaces[2].resolution, Resolution::NANOS);
    }

    #[test]
    fn link_type_word() {
        // (word, link type, octets of FCS)
        for (word, link, fcs) in [
            (1, 1, None),
            (0x2400_0001, 1, Some(4)),
            (0x1400_0001, 1, Some(2)),
            (0x4400_0001, 1, Some(4)),
            (0x0400_0001, 1, Some(0)),
            (0x2000_0001, 1, None),
            (0x03ff_0114, 276, None),
        ] {
            for big in [false, true] {
                let c = TestCapture::pcap_of(0xa1b2_c3d4, big, word).record(0, b"x", 1);
                let mut reader = Reader::new("x", &c.octets[..]);
                reader.fill().unwrap();
                let p = reader.next().unwrap().unwrap();
                assert_eq!((p.link_type, p.fcs_len), (LinkType(link), fcs), "{word:#x}");
            }
        }
    }

    #[test]
    fn what_a_packet_block_says() {
        let c = TestCapture::pcapng(false)
            .interface(1, &[(13, &[4])])
            .interface(1, &[(13, &[32])])
            .enhanced(0, 5, 0, b"plain", &[])
            .enhanced(1, 5, 0, b"fcs in octets", &[])
            .enhanced(2, 5, 0, b"fcs in bits", &[])
            .enhanced(2, 5, 0, b"flags", &[(2, &0x0000_0141_u32.to_le_bytes())])
            // A Simple Packet Block: no time, cut by the interface's snapshot length of 96.
            .block(
                3,
                |c| {
                    c.u32(200).octets.extend([0; 96]);
                },
                1,
            )
            // A Packet Block, with 9 packets lost before it.
            .block(
                2,
                |c| {
                    c.u16(2).u16(9).u32(0).u32(7).u32(2).u32(60);
                    c.octets.extend(b"pb\0\0");
                },
                1,
            );
        let mut reader = Reader::new("x", &c.octets[..]);
        reader.fill().unwrap();
        let mut seen = Vec::new();
        while let Some(p) = reader.next().unwrap() {
            let t = p.time.as_nanos();
            seen.push((p.interface, t, p.data.len(), p.orig_len, p.fcs_len, p.flags));
        }
        let expected = [
            (0, 5000, 5, 5, None, 0),
            (1, 5000, 13, 13, Some(4), 0),
            (2, 5000, 11, 11, Some(4), 0),
            (2, 5000, 5, 5, Some(10), 0x141),
            (0, 5000, 96, 200, None, 0),
            (2, 7000, 2, 60, Some(4), 0),
        ];
        assert_eq!(seen, expected);
        assert_eq!(reader.totals().counters.snapped, 2);
        assert_eq!(reader.totals().counters.capture_drops, 9);
    }

    #[test]
    fn time_resolutions() {
        // (if_tsresol, if_tsoffset, ticks, nanoseconds)
        for (resolution, offset, ticks, nanos) in [
            (6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
            (0, 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (3, 1, 2_500, 3_500_000_000),
            (9, -2, 5_000_000_001, 3_000_000_001),
            (12, 0, 1_999, 1),
            (28, 0, u64::MAX, 1),
            (29, 0, u64::MAX, 0),
            (0x7f, 0, u64::MAX, 0),
            (0x80, 0, 3, 3_000_000_000),
            (0x80 | 20, 0, 3 << 19, 1_500_000_000),
            (0xff, 0, u64::MAX, 0),
            (6, -10, 0, 0),
            (0, 0, u64::MAX, u64::MAX),
            (0, i64::MAX, u64::MAX, u64::MAX),
            (0x80, i64::MIN, u64::MAX, u64::MAX),
        ] {
            let mut interface = Interface::new(LinkType::ETHERNET, 0);
            interface.resolution = Resolution(resolution);
            interface.offset = offset;
            let time = interface.time(ticks).as_nanos();
            assert_eq!(time, nanos, "{resolution} {offset} {ticks}");
        }
    }

    #[test]
    fn drops_are_counted_once() {
        let eight = |n: u64| n.to_le_bytes();
        let statistics = |c: TestCapture, id: u32, options: &[(u16, [u8; 8])]| {
            c.block(
                5,
                |c| {
                    c.u32(id).u32(0).u32(0);
                    for (code, value) in options {
                        c.u16(*code).u16(8).octets.extend(value);
                    }
                },
                0,
            )
        };
        let mut c = TestCapture::pcapng(false).interface(1, &[]);
        c = c.enhanced(0, 1, 0, b"x", &[(4, &eight(3))]);
        c = c.enhanced(0, 1, 0, b"x", &[(4, &eight(4))]);
        // The sum of all until here, as the interface says it: 2 more.
        c = statistics(c, 0, &[(4, eight(100)), (5, eight(6)), (7, eight(3))]);
        c = statistics(c, 0, &[(5, eight(6)), (7, eight(4))]);
        c = statistics(c, 1, &[(5, eight(u64::MAX))]);
        let (_, result, reader) = octets_of(&c.octets);
        result.unwrap();
        assert_eq!(reader.totals().interfaces[0].lost(), 10);
        assert_eq!(reader.totals().counters.capture_drops, u64::MAX);
    }

    #[test]
    fn blocks_that_have_frame_numbers() {
        let c = TestCapture::pcapng(false)
            .block(9, |c| c.octets.extend(b"__CURSOR=1\n"), 0)
            .block(0xbad, |c| c.octets.extend(b"PEN!"), 0)
            .block(4, |c| c.octets.extend(b"names"), 0)
            .enhanced(0, 1, 0, b"x", &[]);
        let mut reader = Reader::new("x", &c.octets[..]);
        reader.fill().unwrap();
        assert_eq!(reader.next().unwrap().unwrap().frame, 3);
        assert_eq!(reader.totals().counters.packets, 1);
    }

    #[test]
    fn damage() {
        let pcap = || TestCapture::pcap(0xa1b2_c3d4, false).record(0, b"good", 4);
        let ng = || TestCapture::pcapng(false).enhanced(0, 1, 0, b"good", &[]);
        let block = |f: &dyn Fn(&mut Vec<u8>)| {
            let mut c = ng();
            let at = c.octets.len();
            c = c.enhanced(0, 1, 0, b"bad", &[]);
            let mut octets = c.octets.split_off(at);
            f(&mut octets);
            c.octets.extend(octets);
            c
        };
        let cases: Vec<(TestCapture, &str)> = vec![
            (
                {
                    let mut c = pcap();
                    c.u32(1).u32(1).u32(262_145).u32(262_145);
                    c
                },
                "262145 captured bytes",
            ),
            (
                {
                    let mut c = pcap();
                    c.u32(1).u32(1).u32(u32::MAX).u32(0);
                    c.octets.extend([0; 500]);
                    c
                },
                "4294967295 captured bytes",
            ),
            (block(&|o| o[4] = 0), "no block has 0 bytes"),
            (block(&|o| o[4] = 37), "no block has 37 bytes"),
            (block(&|o| o[7] = 2), "no block has 33554468 bytes"),
            (
                block(&|o| o[32] = 40),
                "36 bytes at its beginning and 40 at its end",
            ),
            (block(&|o| o[8] = 1), "interface 1 is not described"),
            (block(&|o| o[20] = 5), "5 captured bytes"),
            (ng().block(6, |_| {}, 1), "no block has 12 bytes"),
            (
                ng().block(1, |c| c.octets.extend([0; 4]), 1),
                "no block has 16 bytes",
            ),
            (
                ng().block(0x0a0d_0d0a, |c| c.octets.extend([0; 16]), 1),
                "no byte-order magic",
            ),
            (
                ng().section().enhanced(0, 1, 0, b"x", &[]),
                "interface 0 is not described",
            ),
        ];
        for (c, expected) in cases {
            for sizes in [&[1 << 20][..], &[1]] {
                let mut reader = Reader::new("x.pcap", ShortReads::new(&c.octets, sizes));
                let (packets, result) = read_all(&mut reader);
                assert_eq!(packets.len(), 1, "{expected}");
                let e = result.expect_err(expected);
                let Error::Damaged {
                    offset,
                    record,
                    what,
                    ..
                } = &e
                else {
                    panic!("{expected}: {e}");
                };
                assert!(what.contains(expected), "{what}, expected {expected}");
                assert_eq!(*record, 2, "{expected}");
                let sections = c.ends.iter().filter(|e| e.0 as u64 == *offset).count();
                assert_eq!(sections, 1, "{expected}: offset {offset}");
                assert!(e.to_string().starts_with("x.pcap: is damaged at offset "));
            }
        }
    }

    #[test]
    fn damaged_or_not_it_never_panics() {
        for (name, c) in samples() {
            for at in 0..c.octets.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut octets = c.octets.clone();
                    octets[at] = value;
                    let (packets, _, reader) = octets_of(&octets);
                    assert_eq!(
                        packets.len() as u64,
                        reader.totals().counters.packets,
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_capture() {
        for (octets, found) in [
            (
                &b"hello, world"[..],
                "text (first bytes 68 65 6c 6c 6f 2c 20 77)",
            ),
            (b"{\"a\": 1}", "JSON"),
            // Behind a byte order mark.
            (b"\xef\xbb\xbf{\"a\": 1}", "JSON"),
            (b"\xef\xbb\xbf<a>", "XML or HTML"),
            (b"\xef\xbb\xbf", "text (first bytes ef bb bf)"),
            (b"\xff\xfeh\0i\0", "text in UTF-16"),
            (b"x", "text (first bytes 78)"),
            (
                b"\x7fELF\x02\x01",
                "an ELF program (first bytes 7f 45 4c 46 02 01)",
            ),
            (b"BZh91AY&SY", "bzip2 data"),
            (
                b"\0\x01\x02\x03\x04",
                "data of an unknown kind (first bytes 00 01 02 03 04)",
            ),
            (
                b"\xd4\xc3\xb2\xa1\x03\0\0\0aaaaaaaaaaaaaaaaaaaa",
                "a pcap file of version 3.0",
            ),
            (b"\x0a\x0d\x0d\x0a\x1c\0\0\0nope", "data of an unknown kind"),
        ] {
            let (packets, result, _) = octets_of(octets);
            assert!(packets.is_empty());
            let e = result.unwrap_err().to_string();
            let expected = format!("x: is no pcap or pcapng capture but {found}");
            assert!(e.starts_with(&expected), "{e}");
            // One octet at a time it is known as well, if less exactly.
            let mut reader = Reader::new("x", ShortReads::new(octets, &[1]));
            let (_, result) = read_all(&mut reader);
            assert!(matches!(result, Err(Error::Foreign { .. })), "{found}");
        }
        // A header alone is a capture.
        for c in [
            TestCapture::pcap(0xa1b2_c3d4, true),
            TestCapture::pcapng(false),
        ] {
            let (packets, result, reader) = octets_of(&c.octets);
            result.unwrap();
            assert!(packets.is_empty() && reader.header().is_some());
        }
        let section = TestCapture::default().section();
        let (_, result, reader) = octets_of(&section.octets);
        result.unwrap();
        assert_eq!(reader.header(), None);
    }

    #[test]
    fn large_records() {
        let big = vec![7; 262_144];
        let huge = (16 << 20) - 12;
        let (tail, pcapng) = (b"behind", TestCapture::pcapng(false));
        for c in [
            TestCapture::pcap(0xa1b2_c3d4, false)
                .record(0, &big, 1_000_106)
                .record(1000, tail, 6),
            pcapng
                .block(0x7777, |c| c.octets.resize(c.octets.len() + huge, 1), 0)
                .enhanced(0, 1, 1000, tail, &[]),
        ] {
            for size in [1 << 20, 65_536, 1000] {
                let mut reader = Reader::new("x", ShortReads::new(&c.octets, &[size]));
                let (packets, result) = read_all(&mut reader);
                result.unwrap();
                assert!(packets == c.packets);
                reader.make_room();
                assert_eq!(reader.buffer.len(), BUFFER);
            }
        }
    }

    #[test]
    fn many_small_records_pass_through_a_full_buffer() {
        let mut c = TestCapture::pcap(0xa1b2_c3d4, false);
        for i in 0..40_000_u32 {
            c = c.record(u64::from(i) * 1000, &i.to_le_bytes()[..(i % 5) as usize], 4);
        }
        let octets = [&c.octets[..], &c.octets[..], &c.octets[..]].concat();
        for sizes in [&[1 << 20][..], &[65_536], &[4096, 99_999]] {
            let mut reader = Reader::new("x", ShortReads::new(&octets, sizes));
            let (packets, result) = read_all(&mut reader);
            result.unwrap();
            assert_eq!(packets.len(), 120_000);
            assert!(packets.chunks(40_000).all(|p| p == c.packets));
            assert_eq!(reader.buffer.len(), BUFFER);
        }
    }

    #[test]
    fn a_read_that_failed_can_be_tried_again() {
        struct Stutter<'a>(&'a [u8], bool);
        impl Read for Stutter<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                self.0.read(&mut buf[..3])
            }
        }
        let c = &samples()[0].1;
        let mut inputs = vec![c.octets.clone()];
        if cfg!(feature = "decompress") {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&c.octets).unwrap();
            inputs.push(gzip.finish().unwrap());
        }
        for octets in inputs {
            let mut reader = Reader::new("x", Stutter(&octets, false));
            let mut packets = Vec::new();
            loop {
                drain(&mut reader, &mut packets).unwrap();
                match reader.fill() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(Error::Read { source, .. }) => {
                        assert_eq!(source.kind(), ErrorKind::WouldBlock);
                    }
                    Err(e) => panic!("{e}"),
                }
            }
            assert_eq!(packets, c.packets);
        }
    }

    #[test]
    #[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
    fn captures_of_the_manifest() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
        let manifest = std::fs::read_to_string(dir.join("MANIFEST.tsv")).unwrap();
        let mut lines = manifest.lines();
        let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
        let column = |name| columns.iter().position(|c| *c == name).unwrap();
        let (file, packets, features) = (column("file"), column("packets"), column("features"));
        let mut read = 0;
        for line in lines {
            let fields: Vec<&str> = line.split('\t').collect();
            let name = fields[file];
            let mut reader = Reader::new(name, std::fs::File::open(dir.join(name)).unwrap());
            let (_, result) = read_all(&mut reader);
            let counters = &reader.totals().counters;
            // The manifest counts what tshark numbers, custom blocks included.
            let frames: u64 = fields[packets].parse().unwrap();
            assert_eq!(reader.totals().frame, frames, "{name}");
            let has = |f| fields[features].split(',').any(|g| g == f);
            // What Wireshark calls an error is damage, or the input is cut short.
            let flawed = result.is_err() || counters.cut_short > 0;
            assert_eq!(has("reader-error"), flawed, "{name}: {result:?}");
            assert_eq!(has("snapped"), counters.snapped > 0, "{name}");
            read += 1;
        }
        assert!(read > 0);
    }
}
