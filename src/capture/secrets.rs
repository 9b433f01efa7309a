//! A first pass over a capture file that can be read again: the key logs of TLS in it, which may stand behind the packets they are for.

use super::pcapng::{self, KEPT_BLOCKS, MAX_BLOCK, TLS_KEY_LOG};
use super::record::RecordLook;
use crate::base::packet::CaptureBlock;
use crate::base::packet::word;
use pcap_parser::{BOM_MAGIC, SHB_MAGIC};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Octets that are read at once.
const READ: usize = 256 << 10;
/// Type, length and what stands first in a block: the byte order of a section, type and length of secrets.
const HEAD: usize = 16;

/// A file that is read ahead; the place where it is read otherwise stays where it is.
struct SecondReading<'a> {
    file: &'a File,
    /// Octets of the file, from the offset `from` on.
    buffer: Vec<u8>,
    from: u64,
}

impl SecondReading<'_> {
    /// The octets from an offset on: so many, or what the file has.
    fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let place = offset
            .checked_sub(self.from)
            .and_then(|place| usize::try_from(place).ok())
            .filter(|place| place.saturating_add(len) <= self.buffer.len());
        let place = match place {
            Some(place) => place,
            None => {
                self.read(offset, len.max(READ))?;
                0
            }
        };
        let there = self.buffer.get(place..).unwrap_or_default();
        Ok(there.get(..len).unwrap_or(there))
    }

    fn read(&mut self, offset: u64, len: usize) -> io::Result<()> {
        (self.from, self.buffer) = (offset, vec![0; len]);
        let mut end = 0;
        while end < len {
            match self
                .file
                .read_at(&mut self.buffer[end..], offset + end as u64)
            {
                Ok(0) => break,
                Ok(n) => end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.buffer.truncate(end);
        Ok(())
    }
}

/// Gives the key logs of a pcapng file, from the offset `from` on, to `found`. Of a file that is none, or is compressed, there are none, and
/// what is damaged ends the pass: it is told when it is read.
pub(super) fn key_logs(file: &File, from: u64, found: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut ahead = SecondReading {
        file,
        buffer: Vec::new(),
        from: 0,
    };
    let (mut at, mut big_endian, mut kept) = (from, false, 0);
    if !matches!(
        pcapng::is_header(ahead.at(from, HEAD)?),
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
