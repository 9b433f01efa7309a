//! What a comment (`--info`) or a pdu says of a message.

use crate::base::context::Context;
use crate::base::flow::Flow;
use crate::base::state::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Frames and gaps of a message that a comment lists. They wait with the open message, and nobody reads a longer list.
const LISTED: usize = 100;

/// The comment on what was encrypted on the wire: its ports there.
pub(super) fn decrypted(flow: &Flow) -> Option<String> {
    let (from, to) = flow.decrypted?.encrypted;
    Some(format!("decrypted: TLS between ports {from} and {to}"))
}

/// What a comment or a pdu says of a message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct MessageInfo {
    pub(super) protocol: String,
    pub(super) summary: String,
    /// Packets that it came in: first and last of each run of numbers.
    pub(super) frames: Vec<(u64, u64)>,
    /// There were more.
    pub(super) more_frames: bool,
    pub(super) octets: u64,
    /// Missing octets: offset from its start, and length.
    pub(super) gaps: Vec<(u64, u64)>,
    pub(super) lost: u64,
    /// Octets of it that came again while it was open.
    pub(super) repeated: u64,
    pub(super) acknowledged: Option<bool>,
    pub(super) filled: bool,
    /// Octets that the budget knows of.
    pub(super) counted: usize,
}

impl MessageInfo {
    /// Charges the budget with what is allocated now.
    pub(super) fn count(&mut self, cx: &mut Context) {
        let now = self.allocated();
        cx.budget.rebook(&mut self.counted, now);
    }

    fn allocated(&self) -> usize {
        size_of::<Self>()
            + self.protocol.capacity()
            + self.summary.capacity()
            + (self.frames.capacity() + self.gaps.capacity()) * size_of::<(u64, u64)>()
    }

    /// Octets came in this packet.
    pub(super) fn piece(&mut self, frame: u64, octets: usize) {
        self.octets += octets as u64;
        let full = self.frames.len() >= LISTED;
        match self.frames.last_mut() {
            Some((_, last)) if frame == *last => {}
            Some((_, last)) if frame == last.saturating_add(1) => *last = frame,
            _ if full => self.more_frames = true,
            _ => self.frames.push((frame, frame)),
        }
    }

    pub(super) fn gap(&mut self, offset: u64, len: u64) {
        self.lost = self.lost.saturating_add(len);
        if self.gaps.len() < LISTED {
            self.gaps.push((offset, len));
        }
    }

    /// The comment.
    pub(super) fn text(&self) -> String {
        let mut t = format!("{}: {}; frames ", self.protocol, self.summary);
        // Writing to a string does not fail.
        for (i, (first, last)) in self.frames.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = if first == last {
                write!(t, "{comma}{first}")
            } else {
                write!(t, "{comma}{first}-{last}")
            };
        }
        if self.more_frames {
            t.push_str(",...");
        }
        let _ = write!(t, "; {} bytes", self.octets);
        match self.acknowledged {
            Some(true) => t.push_str("; acknowledged"),
            Some(false) => t.push_str("; not acknowledged"),
            None => {}
        }
        if self.repeated > 0 {
            let _ = write!(t, "; {} bytes repeated", self.repeated);
        }
        if self.lost > 0 {
            let _ = write!(t, "; {} bytes lost", self.lost);
            for (offset, len) in &self.gaps {
                let _ = write!(t, ", {len} at {offset}");
            }
            if self.filled {
                t.push_str(", filled with zeros");
            }
        }
        t
    }
}
