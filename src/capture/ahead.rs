//! What a compressed file holds is decompressed by a thread of its own, some blocks ahead of the run.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Octets that are handed over at once.
// A quarter of the reader's buffer: a thousandth of a second of gzip, against some microseconds for the hand-over.
const BLOCK: usize = 256 << 10;
/// Blocks that wait for the run. With the one that is filled and the one that is read: 1 MiB.
const WAITING: usize = 2;

/// What a decoder gives, read ahead by a thread. At the end, and where it failed, [`ended`](Self::ended) gives the decoder back.
pub(super) struct Ahead<D> {
    blocks: Receiver<Vec<u8>>,
    /// Blocks that have been read go back to be filled again.
    empty: Sender<Vec<u8>>,
    block: Vec<u8>,
    /// Octets of it that have been read.
    at: usize,
    thread: JoinHandle<(io::Result<()>, Option<D>)>,
}

impl<D: Read + Send + 'static> Ahead<D> {
    /// Starts the thread; the decoder comes back where there can be none.
    pub(super) fn start(decoder: D) -> Result<Self, D> {
        // The decoder follows when the thread is there: what is moved into one that cannot be started is lost.
        let (hand, taken) = sync_channel(1);
        let (full, blocks) = sync_channel(WAITING);
        let (empty, emptied) = channel();
        let thread =
            Builder::new()
                .name("decompress".to_owned())
                .spawn(move || match taken.recv() {
                    Ok(mut decoder) => {
                        let result = fill_blocks(&mut decoder, &full, &emptied);
                        (result, Some(decoder))
                    }
                    Err(_) => (Ok(()), None),
                });
        let Ok(thread) = thread else {
            return Err(decoder);
        };
        hand.send(decoder).map_err(|e| e.0)?;
        Ok(Self {
            blocks,
            empty,
            block: Vec::new(),
            at: 0,
            thread,
        })
    }
}

impl<D> Ahead<D> {
    /// Octets of the block at hand, or of the next one. None where the thread has ended.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Option<usize> {
        if self.at == self.block.len() {
            let next = self.blocks.recv().ok()?;
            let read = std::mem::replace(&mut self.block, next);
            // A thread that has ended needs no more.
            let _ = self.empty.send(read);
            self.at = 0;
        }
        let left = self.block.get(self.at..).unwrap_or_default();
        let n = left.len().min(buf.len());
        if let (Some(from), Some(to)) = (left.get(..n), buf.get_mut(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Some(n)
    }

    /// Why the thread has ended, once all that it gave was read, and its decoder.
    pub(super) fn ended(self) -> (io::Result<()>, Option<D>) {
        drop(self.blocks);
        let panicked = |_| (Err(ErrorKind::Other.into()), None);
        self.thread.join().unwrap_or_else(panicked)
    }
}

/// Fills blocks until the decoder ends or fails, or nobody wants them any longer.
fn fill_blocks(
    decoder: &mut impl Read,
    full: &SyncSender<Vec<u8>>,
    emptied: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let mut block = emptied.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let mut filled = 0;
        let ended = loop {
            let room = block.get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                break None;
            }
            match decoder.read(room) {
                Ok(0) => break Some(Ok(())),
                Ok(n) => filled += n.min(room.len()),
                Err(e) => break Some(Err(e)),
            }
        };
        block.truncate(filled);
        if filled > 0 && full.send(block).is_err() {
            return Ok(());
        }
        if let Some(result) = ended {
            return result;
        }
    }
}
