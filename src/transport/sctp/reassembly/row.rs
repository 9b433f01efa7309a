//! The usual way of a chunk: its TSN is the next one, and nothing waits for anything. It needs no map and no allocation of
//! its own.
//!
//! A message in several DATA chunks is put together in one buffer as long as its chunks come one behind the other. Whatever
//! else happens, it goes to where chunks wait in any order ([`Inflow::spill`]) before that is looked at.

use super::{
    ChunkFate, ChunkOrigin, DataChunk, Inflow, MessageHead, Missing, Out, Row, RowPart, Run,
    StoredChunk, UserMessageSink, cost, low,
};
use crate::base::place::RecordSpan;
use crate::base::storage::allocated;
use std::mem::size_of;

/// Octets of the buffer of a message that are kept for the next one.
// Nearly all messages are shorter; each direction of 256 associations may keep as much, 16 MiB.
const KEPT: usize = 32 << 10;

impl Row {
    const fn is_open(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The chunk, whose TSN is the next one, is of the same message.
    fn goes_on_with(&self, c: &DataChunk<'_>) -> bool {
        // Unordered messages carry an SSN that means nothing (RFC 9260, 6.6).
        self.parts.last().is_some_and(|last| {
            self.stream == c.stream
                && self.unordered == c.unordered
                && (c.unordered || last.seq == c.seq)
        })
    }

    fn push(&mut self, c: &DataChunk<'_>, len: u32, origin: ChunkOrigin) {
        let (frame, time, interface) = origin.packet();
        if !self.is_open() || (time, frame) >= (self.brought.1, self.brought.0) {
            self.brought = (frame, time, interface);
        }
        self.parts.push(RowPart {
            seq: c.seq,
            ppid: c.ppid,
            len,
            origin,
        });
        self.places.push(origin.place(c.payload.len()));
        self.data.extend_from_slice(c.payload);
        self.cost += cost(c.payload.len());
    }

    /// What is known of the message, now that its last chunk has come.
    fn head(&self) -> Option<MessageHead> {
        let first = self.parts.first()?;
        let chunks = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        Some(MessageHead {
            stream: self.stream,
            seq: first.seq,
            ppid: first.ppid,
            unordered: self.unordered,
            interleaved: false,
            first: self.first,
            last: self.first.saturating_add(u64::from(chunks) - 1),
            chunks,
            len: Some(self.data.len() as u64),
            whole: true,
            missing: Missing {
                end_seen: true,
                ..Missing::default()
            },
            origin: first.origin,
            brought: self.brought,
        })
    }

    /// Forgets the message, and keeps its memory for the next one.
    fn clear(&mut self) {
        self.parts.clear();
        self.places.clear();
        self.data.clear();
        self.cost = 0;
        if self.data.capacity() > KEPT {
            *self = Self::default();
        }
    }

    /// Octets that are allocated beside those that its chunks count for.
    pub(super) fn allocated(&self) -> usize {
        allocated(self.parts.capacity() * size_of::<RowPart>())
            + allocated(self.places.capacity() * size_of::<RecordSpan>())
            + (self.data.capacity() - self.data.len())
    }
}

impl Inflow {
    /// Takes a chunk of DATA that is whole and whose TSN is the next one, where nothing waits but the beginning of its own
    /// message. None where it has to go the long way.
    pub(super) fn in_order<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        c: &DataChunk<'_>,
        origin: ChunkOrigin,
    ) -> Option<ChunkFate> {
        let tsn = self.next;
        let is_next = self.started && c.tsn == low(tsn) && self.top <= tsn;
        let is_usual = !c.interleaved && c.len > 0 && c.payload.len() == c.len;
        let waits = !self.ranges.is_empty() || !self.nothing_waits() || !self.damaged.is_empty();
        if !is_next || !is_usual || waits || self.look.is_some() {
            return None;
        }
        let len = u32::try_from(c.len).ok()?;
        let goes_on = self.row.is_open();
        if goes_on && (c.begins || !self.row.goes_on_with(c)) || !goes_on && !c.begins {
            return None;
        }
        self.next = tsn.saturating_add(1);
        self.top = self.next;
        if c.begins && c.ends {
            self.emit_chunk(out, tsn, c, origin);
            if !c.unordered {
                self.passed(out, c.stream, c.seq, false);
            }
            return Some(ChunkFate::Taken);
        }
        self.changed = true;
        if c.begins {
            (self.row.first, self.row.stream, self.row.unordered) = (tsn, c.stream, c.unordered);
        }
        self.row.push(c, len, origin);
        self.octets += cost(c.len);
        self.chunks += 1;
        if c.ends {
            let mut row = std::mem::take(&mut self.row);
            self.octets -= row.cost;
            self.chunks -= row.parts.len();
            if let Some(head) = row.head() {
                self.emit(out, head, &row.data, &[], &row.places);
                if !head.unordered {
                    self.passed(out, head.stream, head.seq, false);
                }
            }
            row.clear();
            self.row = row;
        }
        Some(ChunkFate::Taken)
    }

    /// Puts the open message to the chunks that wait in any order.
    pub(super) fn spill(&mut self) {
        if !self.row.is_open() {
            return;
        }
        let mut row = std::mem::take(&mut self.row);
        self.octets -= row.cost;
        self.chunks -= row.parts.len();
        let (mut tsn, mut rest) = (row.first, row.data.as_slice());
        for part in &row.parts {
            let (data, behind) = rest.split_at((part.len as usize).min(rest.len()));
            rest = behind;
            let chunk = StoredChunk {
                stream: row.stream,
                seq: part.seq,
                ppid: part.ppid,
                begins: tsn == row.first,
                ends: false,
                unordered: row.unordered,
                interleaved: false,
                len: part.len,
                origin: part.origin,
                data: data.into(),
            };
            self.store(tsn, chunk);
            tsn = tsn.saturating_add(1);
        }
        let run = Run {
            end: tsn,
            begins: true,
            ends: false,
        };
        self.runs.insert(row.first, run);
        row.clear();
        self.row = row;
    }

    /// Gives the memory back that no message uses.
    pub(super) fn shed_row(&mut self) {
        if !self.row.is_open() && self.row.parts.capacity() > 0 {
            self.row = Row::default();
            self.changed = true;
        }
    }
}
