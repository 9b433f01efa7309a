//! The output of files: hands events to the sources that they belong to.

use super::options::FileOptions;
use super::source::Event;
use super::sources::{Kept, Sources};
use super::store::Store;
use super::transfer::{CERTIFICATE, FileInfo, TLS};
use crate::base::context::Context;
use crate::base::counters::{ChannelCounters, Discard};
use crate::base::packet::{Interface, Packet};
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::{Chunk, Close, Gap};
use crate::base::time::Instant;
use crate::message::events::DatagramMessage;
use crate::message::records::HandshakeMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, NO_PROTOCOL, Piece};
use crate::sink::output::Output;
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::tls::{certificate_name, without_compression};
use crate::sink::writer::{OutputError, Reopened};
use crate::transport::datagram::DatagramContext;
use crate::transport::stream::StreamContext;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// How often sources learn the time. They wait for seconds at least, so that this is exact enough.
// Half would only walk the entities twice as often.
const TICK: Duration = Duration::from_secs(1);

/// Certificates that are remembered, so that each is written once.
const CERTIFICATES: usize = 1 << 14;
/// Octets of memory for one of these.
// A sum, in a tree whose nodes are at least half full.
const REMEMBERED: usize = 2 * size_of::<[u8; 32]>();

/// What is kept with a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FilesState {
    kept: Kept,
    /// A source took the connection as a stream.
    claimed: bool,
    /// In each direction the open message is its source's.
    open: [bool; 2],
}

/// The output of files.
pub(crate) struct Files {
    store: Store,
    sources: Sources,
    ticked: Instant,
    /// The SHA-256 of each certificate that was written.
    certificates: BTreeSet<[u8; 32]>,
}

impl Files {
    /// Files go to this folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or its list not be opened.
    pub(crate) fn new(dir: &Path, options: &FileOptions) -> Result<Self, OutputError> {
        Ok(Self {
            store: Store::open(dir, options)?,
            sources: Sources::default(),
            ticked: Instant::default(),
            certificates: BTreeSet::new(),
        })
    }

    /// Keeps the lines of the list for [`Files::take_lines`] too.
    pub(in super::super) fn keep_lines(&mut self) {
        self.store.keep_lines();
    }

    /// The lines of the list since the last call.
    pub(in super::super) fn take_lines(&mut self) -> String {
        self.store.take_lines()
    }

    /// What has to be said at the end of the run: what carries files and cannot be read, and commands that failed.
    pub(in super::super) fn notes(&self) -> Vec<String> {
        let names: Vec<_> = self.store.unread().iter().copied().collect();
        let unread = (!names.is_empty()).then(|| {
            format!(
                "{}: --extract cannot take files out of {}, and there is some in the input: --dump has its bytes",
                self.store.path(),
                names.join(" and ")
            )
        });
        unread
            .into_iter()
            .chain(self.store.failed_commands())
            .collect()
    }

    /// Lines for stderr since the last call.
    pub(in super::super) fn take_notes(&mut self) -> Vec<String> {
        self.store.take_notes()
    }

    /// Asks the sources, at the first event of a connection, whether one takes it as a stream.
    fn claim(&mut self, to: &mut StreamContext<'_, FilesState>) {
        if matches!(to.state.kept, Kept::New) {
            self.with_kept(to, |files, to, kept| {
                to.state.claimed = files.sources.claim(to, kept, &mut files.store);
            });
        }
    }

    /// Lends what is kept of a connection beside the rest of its context.
    fn with_kept<'c, T>(
        // Taken out while it is used: sources need the connection's state and its context at once.
        &mut self,
        to: &mut StreamContext<'c, FilesState>,
        act: impl FnOnce(&mut Self, &mut StreamContext<'c, FilesState>, &mut Kept) -> T,
    ) -> T {
        let mut kept = std::mem::take(&mut to.state.kept);
        let done = act(self, to, &mut kept);
        to.state.kept = kept;
        done
    }

    /// Hands an event to the source of the connection.
    fn receive(&mut self, to: &mut StreamContext<'_, FilesState>, event: &Event<'_>) {
        self.with_kept(to, |files, to, kept| {
            files.sources.receive(to, kept, &mut files.store, event);
        });
    }

    /// Hands an event to the source of the message that is open.
    fn of_message(&mut self, to: &mut StreamContext<'_, FilesState>, event: &Event<'_>) {
        if to.state.open[to.direction.index()] {
            self.claim(to);
            self.receive(to, event);
        }
    }

    /// Hands an event to the source that took the stream.
    fn of_stream(&mut self, to: &mut StreamContext<'_, FilesState>, event: &Event<'_>) {
        self.claim(to);
        if to.state.claimed {
            self.receive(to, event);
        }
    }
}

impl MessageSink for Files {
    type State = FilesState;

    fn input_end(&mut self, cx: &mut Context) {
        self.sources.finish(cx, &mut self.store);
        self.store.finish_commands(cx);
    }

    // By the capture's clock: the same file gives the same files.
    fn packet(&mut self, cx: &mut Context, _: &Packet<'_>, _: Option<Discard>) {
        if cx.now.since(self.ticked) >= TICK {
            self.ticked = cx.now;
            self.sources.tick(cx, &mut self.store);
        }
    }

    fn start(&mut self, to: &mut StreamContext<'_, FilesState>, start: &MessageStart<'_>) {
        self.claim(to);
        if to.state.claimed {
            // Octets of no protocol stay with the source that claimed the stream.
            if start.protocol == NO_PROTOCOL {
                return;
            }
            let released = self.with_kept(to, |files, to, kept| {
                files.sources.release(to, kept, &mut files.store)
            });
            if !released {
                return;
            }
            // The source gives it up: another protocol has been found on the connection.
            to.state.claimed = false;
            to.state.kept = Kept::Free;
        }
        let read = self.with_kept(to, |files, to, kept| {
            let event = Event::Start(start);
            let store = &mut files.store;
            files.sources.start(to, kept, store, start.protocol, &event)
        });
        if read {
            to.state.open[to.direction.index()] = true;
        }
    }

    fn data(&mut self, to: &mut StreamContext<'_, FilesState>, piece: &Piece<'_>) {
        self.of_message(to, &Event::Data(piece));
    }

    fn gap(&mut self, to: &mut StreamContext<'_, FilesState>, gap: &MessageGap) {
        let event = match gap.len {
            // Nobody knows how many octets are missing: offsets behind them cannot be trusted.
            0 => Event::Jump,
            _ => Event::Gap(gap),
        };
        self.of_message(to, &event);
    }

    fn end(&mut self, to: &mut StreamContext<'_, FilesState>, end: &MessageEnd) {
        self.of_message(to, &Event::End(end));
        to.state.open[to.direction.index()] = false;
    }

    fn stream_data(&mut self, to: &mut StreamContext<'_, FilesState>, chunk: &Chunk<'_>) {
        self.of_stream(to, &Event::StreamData(chunk));
    }

    fn stream_gap(&mut self, to: &mut StreamContext<'_, FilesState>, gap: &Gap) {
        // A gap of unknown length: offsets behind it cannot be trusted.
        if gap.len.is_none() {
            self.of_message(to, &Event::Jump);
        }
        self.of_stream(to, &Event::StreamGap(gap));
    }

    fn stream_end(&mut self, to: &mut StreamContext<'_, FilesState>, close: Close) {
        self.of_stream(to, &Event::StreamEnd(close));
    }

    fn carried_end(&mut self, to: &mut StreamContext<'_, FilesState>) {
        self.closed(to, Close::Fin);
    }

    fn closed(&mut self, to: &mut StreamContext<'_, FilesState>, close: Close) {
        self.claim(to);
        self.receive(to, &Event::Closed(close));
        to.state.kept = Kept::New;
    }

    fn hears_handshakes(&self) -> bool {
        self.store.wants_certificates()
    }

    fn handshake(
        &mut self,
        to: &mut StreamContext<'_, FilesState>,
        message: &HandshakeMessage<'_>,
    ) {
        if !self.hears_handshakes() {
            return;
        }
        let mut room = Vec::new();
        let message = without_compression(message, &mut room);
        for der in message.certificates().into_iter().flatten() {
            if self.certificates.len() >= CERTIFICATES {
                // Some are written again then.
                let forgotten = std::mem::take(&mut self.certificates).len();
                to.cx.budget.give(forgotten * REMEMBERED);
            }
            if der.is_empty() || !self.certificates.insert(Sha256::digest(der).into()) {
                continue;
            }
            to.cx.budget.take(REMEMBERED);
            let (frame, time) = (to.cx.packet.frame, to.cx.packet.time);
            let mut about = FileInfo::new(TLS, to.flow, to.direction, frame, time);
            "certificate".clone_into(&mut about.command);
            about.fallback = certificate_name(der).into_bytes();
            CERTIFICATE.clone_into(&mut about.media_type);
            let mut file = self.store.begin(to.cx, about);
            self.store.write(to.cx, &mut file, 0, der);
            self.store.finish(to.cx, file, Some(der.len() as u64));
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        self.sources.datagram(&mut self.store, at, message);
    }
}

impl Output for Files {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.store.channel());
    }

    fn settle(&mut self, cx: &mut Context) {
        self.store.close_all();
        self.store.finish_commands(cx);
    }

    fn save(&self, to: &mut StateWriter) {
        self.store.save(to);
        to.put(&(&self.sources, self.ticked, &self.certificates));
    }

    fn load(&mut self, cx: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        self.store.load(from)?;
        (self.sources, self.ticked, self.certificates) = from.get()?;
        cx.budget.take(self.certificates.len() * REMEMBERED);
        Ok(())
    }

    fn reopen(&mut self, _: &[Interface], done: &mut Reopened) {
        self.store.reopen(done);
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.store.flush()
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        self.store.end()
    }
}
