//! What a source of files is, and what it gets.

use super::store::Store;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::stream::{Chunk, Close, Gap, Side};
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use crate::transport::datagram::DatagramContext;

/// A protocol that carries files. Events that it has no use for are left to the methods here, which do nothing.
pub(super) trait FileSource {
    /// What it keeps of one connection: plain data, which is saved with the connection.
    type Connection;

    /// Wireshark's names of the messages that it reads.
    fn protocols(&self) -> &'static [&'static str];

    /// A TCP connection has begun: whether it is taken as a stream. Then [`At::kept`] is set, and no source gets its
    /// messages.
    fn claims(&mut self, at: &mut At<'_, Self::Connection>) -> bool {
        let _ = at;
        false
    }

    /// A message of its protocols begins. Messages of one direction follow each other.
    fn start(&mut self, at: &mut At<'_, Self::Connection>, start: &MessageStart<'_>) {
        let _ = (at, start);
    }
    /// Octets of the open message, its header included.
    fn data(&mut self, at: &mut At<'_, Self::Connection>, piece: &Piece<'_>) {
        let _ = (at, piece);
    }
    /// Octets that the open message lacks.
    fn gap(&mut self, at: &mut At<'_, Self::Connection>, gap: &MessageGap) {
        let _ = (at, gap);
    }
    /// The open message lacks an unknown number of octets in front of its next one.
    fn jump(&mut self, at: &mut At<'_, Self::Connection>) {
        let _ = at;
    }
    /// The open message ends. Each that was started is ended, also where the connection is given up.
    fn end(&mut self, at: &mut At<'_, Self::Connection>, end: &MessageEnd) {
        let _ = (at, end);
    }

    /// Octets of a claimed stream. `offset`: from the stream's first octet, gaps counted; a stream that was captured from the
    /// middle (its [`Side::from_start`] is not set) lacks an unknown number before it.
    fn stream_data(&mut self, at: &mut At<'_, Self::Connection>, offset: u64, chunk: &Chunk<'_>) {
        let _ = (at, offset, chunk);
    }
    /// A gap of a claimed stream, with the same offset.
    fn stream_gap(&mut self, at: &mut At<'_, Self::Connection>, offset: u64, gap: &Gap) {
        let _ = (at, offset, gap);
    }
    /// A claimed stream ends: with [`Close::Fin`], nothing follows that the capture does not show.
    fn stream_end(&mut self, at: &mut At<'_, Self::Connection>, close: Close) {
        let _ = (at, close);
    }
    /// The connection has ended, both ways; what it kept is dropped behind this, and what is open in it has to be finished.
    fn closed(&mut self, at: &mut At<'_, Self::Connection>, close: Close) {
        let _ = (at, close);
    }

    /// A message of a known protocol begins in a claimed stream: whether the claim is given up. Then [`At::kept`] is dropped, and
    /// the message belongs to whom it belongs.
    fn releases(&mut self, at: &mut At<'_, Self::Connection>) -> bool {
        let _ = at;
        false
    }

    /// A datagram of any protocol.
    fn datagram(
        &mut self,
        store: &mut Store,
        at: &mut DatagramContext<'_>,
        message: &DatagramMessage<'_>,
    ) {
        let _ = (store, at, message);
    }

    /// About once a second of capture time: what has waited too long is finished.
    fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        let _ = (cx, store);
    }
    /// The input has ended, and all connections with it: all that is open is finished.
    fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        let _ = (cx, store);
    }

    /// Calls the method for an event of a connection.
    fn receive(&mut self, at: &mut At<'_, Self::Connection>, event: &Event<'_>) {
        match *event {
            Event::Start(start) => self.start(at, start),
            Event::Data(piece) => self.data(at, piece),
            Event::Gap(gap) => self.gap(at, gap),
            Event::Jump => self.jump(at),
            Event::End(end) => self.end(at, end),
            Event::StreamData(chunk) => self.stream_data(at, at.file_offset(chunk.offset), chunk),
            Event::StreamGap(gap) => self.stream_gap(at, at.file_offset(gap.offset), gap),
            Event::StreamEnd(close) => self.stream_end(at, close),
            Event::Closed(close) => self.closed(at, close),
        }
    }
}

/// An event of a connection, for the source that reads it.
pub(super) enum Event<'e> {
    Start(&'e MessageStart<'e>),
    Data(&'e Piece<'e>),
    Gap(&'e MessageGap),
    Jump,
    End(&'e MessageEnd),
    StreamData(&'e Chunk<'e>),
    StreamGap(&'e Gap),
    StreamEnd(Close),
    Closed(Close),
}

/// Where an event belongs, and what may be used there.
pub(super) struct At<'a, Connection> {
    pub(super) cx: &'a mut Context,
    pub(super) flow: &'a Flow,
    pub(super) sides: &'a [Side; 2],
    pub(super) direction: Direction,
    /// What the source keeps of the connection.
    pub(super) kept: &'a mut Option<Box<Connection>>,
    /// Where files go.
    pub(super) store: &'a mut Store,
}

impl<Connection> At<'_, Connection> {
    /// How far an offset of the stream is behind the stream's first octet.
    fn file_offset(&self, offset: u64) -> u64 {
        offset.saturating_sub(self.sides[self.direction.index()].origin)
    }
}
