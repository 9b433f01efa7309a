//! Packets of the input as they were: all of them (`--bypass`), or those that could not be used (`--dropped`).

use super::file::{CaptureFile, FileFormat};
use crate::base::context::Context;
use crate::base::counters::{ChannelCounters, Discard};
use crate::base::packet::{CaptureBlock, Interface, LinkType, Packet, PacketInfo};
use crate::base::state::{Deserialize, Serialize};
use crate::message::MessageSink;
use crate::sink::output::{Output, flush_all};
use crate::sink::saved::goes_on;
use crate::sink::writer::{OutputError, Reopened, Writer};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// An output of original packets.
pub(crate) struct OriginalOutput {
    pub(in crate::sink) file: CaptureFile,
    /// Those only that could not be used, with the reason as comment.
    dropped: bool,
    /// Reused.
    comments: Vec<String>,
}

impl OriginalOutput {
    pub(crate) fn new(
        name: &str,
        to: Writer,
        format: FileFormat,
        dropped: bool,
        each: bool,
    ) -> Self {
        Self {
            file: CaptureFile::new(name, to, format, true, each),
            dropped,
            comments: Vec::new(),
        }
    }

    /// Writes the packet, where it is one of those that this output takes. A pcap file has one link type: packets of
    /// others are left out of it.
    fn packet(
        &mut self,
        cx: &mut Context,
        packet: &Packet<'_>,
        why: Option<Discard>,
        own: &[String],
    ) {
        if self.dropped && why.is_none() {
            return;
        }
        if self
            .file
            .only()
            .is_some_and(|only| only != packet.link_type)
        {
            cx.counters.output.other_link_type += 1;
            return;
        }
        self.comments.clear();
        self.comments.extend_from_slice(own);
        if let Some(why) = why.filter(|_| self.dropped) {
            let reason = format!("{}.{}: {}", why.section(), why.name(), why.text());
            self.comments.push(reason);
        }
        let info = PacketInfo {
            frame: packet.frame,
            time: packet.time,
            interface: packet.interface,
            ..PacketInfo::default()
        };
        self.file.record(
            &info,
            packet.link_type,
            packet.orig_len as usize,
            [packet.data, &[], &[]],
            &self.comments,
            packet.flags,
        );
    }
}

/// All outputs of original packets.
#[derive(Default)]
pub(crate) struct OriginalOutputs(pub(in crate::sink) Vec<OriginalOutput>, PacketComments);

/// Comments of packets that are on their way, by packet number: they may be sorted on it.
#[derive(Default, Serialize, Deserialize)]
struct PacketComments {
    by_frame: HashMap<u64, Vec<String>>,
    octets: usize,
}

impl OriginalOutputs {
    /// None is open.
    pub(in crate::sink) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PacketComments {
    /// Octets of comments on their way, at most; more are left out, whatever a capture is full of.
    const MOST: usize = 16 << 20;

    fn put(&mut self, frame: u64, comments: &[String]) {
        let octets: usize = comments.iter().map(String::len).sum();
        if self.octets + octets <= Self::MOST {
            self.octets += octets;
            self.by_frame.insert(frame, comments.to_vec());
        }
    }

    fn take(&mut self, frame: u64) -> Vec<String> {
        if self.by_frame.is_empty() {
            return Vec::new();
        }
        let comments = self.by_frame.remove(&frame).unwrap_or_default();
        self.octets -= comments.iter().map(String::len).sum::<usize>();
        comments
    }
}

impl OriginalOutputs {
    /// The packet that comes with this number has these comments.
    pub(in crate::sink) fn comments(&mut self, frame: u64, comments: &[String]) {
        self.1.put(frame, comments);
    }
}

impl MessageSink for OriginalOutputs {
    type State = ();

    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        let comments = self.1.take(packet.frame);
        for one in &mut self.0 {
            one.packet(cx, packet, dropped, &comments);
        }
    }
}

impl Output for OriginalOutputs {
    fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        for one in &mut self.0 {
            one.file.begin(None, link_type, nanoseconds);
        }
    }

    fn interfaces(&mut self, all: &[Interface]) {
        for one in &mut self.0 {
            one.file.interfaces(all);
        }
    }

    fn block(&mut self, block: &CaptureBlock) {
        for one in &mut self.0 {
            one.file.block(block);
        }
    }

    fn reopen(&mut self, all: &[Interface], done: &mut Reopened) {
        for one in &mut self.0 {
            one.file.reopen(all, done);
        }
    }

    fn is_open(&self) -> Option<bool> {
        Some(self.0.iter().any(|one| one.file.out.is_open()))
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        flush_all(self.0.iter_mut().map(|one| one.file.flush()))
    }

    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.extend(self.0.iter().map(|one| one.file.channel()));
    }

    // Their times are those of the input.
    goes_on!(1);
}
