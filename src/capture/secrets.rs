//! A first pass over a capture file that can be read again: the key logs of TLS in it, which may stand behind the packets they are for.

#[cfg(feature = "decompress")]
use super::decompress::Decompress;
use super::pcapng::{self, KEPT_BLOCKS, MAX_BLOCK, TLS_KEY_LOG};
#[cfg(not(feature = "decompress"))]
use super::plain::Plain as Decompress;
use super::record::RecordLook;
use crate::base::packet::CaptureBlock;
use crate::base::packet::word;
use pcap_parser::{BOM_MAGIC, SHB_MAGIC};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// Octets that are read at once.
const READ: usize = 256 << 10;
/// Type, length and what stands first in a block: the byte order of a section, type and length of secrets.
const HEAD: usize = 16;

/// A file from an offset on; the place where it is read otherwise stays where it is.
#[derive(Clone, Copy)]
struct FileFrom<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for FileFrom<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// Where the octets of a capture come from.
enum CaptureOctets<'a> {
    /// They are those of the file: what is not looked at is not read.
    Plain(FileFrom<'a>),
    /// They are decompressed one after the other; so many have been.
    Decompressed(Box<Decompress<FileFrom<'a>>>, u64),
}

/// A capture that is read ahead.
struct SecondReading<'a> {
    octets: CaptureOctets<'a>,
    /// Octets of the capture, from the offset `from` on.
    buffer: Vec<u8>,
    from: u64,
}

impl<'a> SecondReading<'a> {
    fn open(file: FileFrom<'a>) -> io::Result<Self> {
        let mut decompress = Decompress::new(file);
        let mut buffer = vec![0; READ];
        let n = decompress.read(&mut buffer)?;
        buffer.truncate(n);
        let octets = match decompress.is_plain() {
            true => CaptureOctets::Plain(file),
            false => CaptureOctets::Decompressed(Box::new(decompress), n as u64),
        };
        Ok(Self {
            octets,
            buffer,
            from: 0,
        })
    }

    /// The octets from an offset on, which is none before that of the last call: so many, or what the capture has.
    fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let place = offset.saturating_sub(self.from);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let place = match place.saturating_add(len) <= self.buffer.len() {
            true => place,
            false => {
                self.read_on(offset, len.max(READ))?;
                0
            }
        };
        let there = self.buffer.get(place..).unwrap_or_default();
        Ok(there.get(..len).unwrap_or(there))
    }

    fn read_on(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let place = usize::try_from(offset - self.from).unwrap_or(usize::MAX);
        self.buffer.drain(..place.min(self.buffer.len()));
        self.from = offset;
        let more = (len - self.buffer.len().min(len)) as u64;
        match &mut self.octets {
            CaptureOctets::Plain(file) => {
                let mut from = *file;
                from.offset += offset + self.buffer.len() as u64;
                from.take(more).read_to_end(&mut self.buffer)?;
            }
            CaptureOctets::Decompressed(input, read) => {
                let skipped = (offset + self.buffer.len() as u64).saturating_sub(*read);
                *read += io::copy(&mut input.take(skipped), &mut io::sink())?;
                *read += input.take(more).read_to_end(&mut self.buffer)? as u64;
            }
        }
        Ok(())
    }
}

/// Gives the key logs of a pcapng file, from the offset `offset` on, to `found`. Of a file that is none there are none, and what is damaged ends
/// the pass: it is told when it is read. A compressed one is decompressed for it.
pub(super) fn key_logs(file: &File, offset: u64, found: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut ahead = SecondReading::open(FileFrom { file, offset })?;
    let (mut at, mut big_endian, mut kept) = (0, false, 0);
    if !matches!(
        pcapng::is_header(ahead.at(0, HEAD)?),
        RecordLook::Whole(true)
    ) {
        return Ok(());
    }
    loop {
        let head = ahead.at(at, HEAD)?;
        let Some(kind) = word(head, 0, big_endian) else {
            return Ok(());
        };
        if kind == SHB_MAGIC {
            match word(head, 8, false) {
                Some(BOM_MAGIC) => big_endian = false,
                Some(order) if order == BOM_MAGIC.swap_bytes() => big_endian = true,
                _ => return Ok(()),
            }
        }
        let Some(total) = word(head, 4, big_endian) else {
            return Ok(());
        };
        let len = total as usize;
        if len < 12 || !len.is_multiple_of(4) || len > MAX_BLOCK {
            return Ok(());
        }
        if kind == CaptureBlock::SECRETS
            && let (Some(TLS_KEY_LOG), Some(secrets)) =
                (word(head, 8, big_endian), word(head, 12, big_endian))
        {
            let secrets = secrets as usize;
            kept += secrets;
            if secrets > len.saturating_sub(HEAD + 4) || kept > KEPT_BLOCKS {
                return Ok(());
            }
            found(ahead.at(at + HEAD as u64, secrets)?);
        }
        at += u64::from(total);
    }
}
