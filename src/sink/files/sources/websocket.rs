//! Messages of WebSocket (RFC 6455, 5.6), each a file: only where they are asked for by name, as a chat has thousands of them.

use super::super::source::{At, FileSource};
use super::super::transfer::{FileInfo, Transfer};
use crate::base::context::Context;
use crate::base::message::Extent;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::Close;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};

/// Its name by Wireshark.
const WEBSOCKET: &str = "websocket";
/// Opcodes of a message of text, and of one of binary data (RFC 6455, 11.8); 0 is of one whose beginning is lost.
const LOST: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Reads the messages of connections.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Websocket;

/// The message that is open in each direction.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct WebsocketMessages {
    open: [Option<Box<WebsocketFile>>; 2],
    counted: usize,
}

/// A message that has begun.
#[derive(Debug, Serialize, Deserialize)]
struct WebsocketFile {
    file: Transfer,
    /// Offset in the stream of its first octet.
    from: u64,
    /// Octets of it, where that is known.
    len: Option<u64>,
    /// Octets of it so far.
    at: u64,
}

impl FileSource for Websocket {
    type Connection = WebsocketMessages;

    fn protocols(&self) -> &'static [&'static str] {
        &[WEBSOCKET]
    }

    fn start(&mut self, at: &mut At<'_, WebsocketMessages>, start: &MessageStart<'_>) {
        let opcode = start.head.first().map(|first| first & 0xf);
        let command = match opcode {
            Some(TEXT) => "text",
            Some(BINARY | LOST) => "binary",
            _ => return,
        };
        if !at.store.asks_for(WEBSOCKET) {
            return;
        }
        let mut about = FileInfo::new(WEBSOCKET, at.flow, at.direction, start.frame, start.time);
        command.clone_into(&mut about.command);
        if opcode == Some(TEXT) {
            "text/plain; charset=utf-8".clone_into(&mut about.media_type);
        }
        let open = Box::new(WebsocketFile {
            file: at.store.begin(at.cx, about),
            from: start.offset,
            len: match start.extent {
                Extent::Known(len) => Some(len),
                Extent::Open | Extent::ToClose => None,
            },
            at: 0,
        });
        let kept = at.kept.get_or_insert_default();
        kept.open[at.direction.index()] = Some(open);
        kept.count(at.cx);
    }

    fn data(&mut self, at: &mut At<'_, WebsocketMessages>, piece: &Piece<'_>) {
        if let Some(open) = open(at.kept, at.direction.index()) {
            open.file.about.seen(piece.frame, piece.time);
            at.store
                .write(at.cx, &mut open.file, piece.offset - open.from, piece.data);
            open.at = piece.offset - open.from + piece.data.len() as u64;
        }
    }

    fn gap(&mut self, at: &mut At<'_, WebsocketMessages>, gap: &MessageGap) {
        if let Some(open) = open(at.kept, at.direction.index()) {
            open.at = gap.offset - open.from + gap.len;
        }
    }

    fn jump(&mut self, at: &mut At<'_, WebsocketMessages>) {
        if let Some(open) = open(at.kept, at.direction.index()) {
            open.file.lost(open.at);
        }
    }

    fn end(&mut self, at: &mut At<'_, WebsocketMessages>, end: &MessageEnd) {
        let Some(kept) = at.kept else { return };
        let Some(open) = kept.open[at.direction.index()].take() else {
            return;
        };
        kept.count(at.cx);
        let len = if end.whole { Some(open.at) } else { open.len };
        if len == Some(0) {
            return at.store.discard(at.cx, open.file);
        }
        at.store.finish(at.cx, open.file, len);
    }

    fn closed(&mut self, at: &mut At<'_, WebsocketMessages>, _: Close) {
        if let Some(kept) = at.kept {
            at.cx.budget.give(std::mem::take(&mut kept.counted));
        }
    }
}

impl WebsocketMessages {
    /// Charges the budget with what is allocated, but for files, which count themselves.
    fn count(&mut self, cx: &mut Context) {
        let each = allocated(size_of::<WebsocketFile>()) - size_of::<Transfer>();
        let now = allocated(size_of::<Self>()) + self.open.iter().flatten().count() * each;
        cx.budget.rebook(&mut self.counted, now);
    }
}

fn open(kept: &mut Option<Box<WebsocketMessages>>, direction: usize) -> Option<&mut WebsocketFile> {
    kept.as_mut()?.open[direction].as_deref_mut()
}
