//! Packets of the input as they were: all of them (`--bypass`), or those that could not be used (`--dropped`).

use super::events::{Output, flush_all};
use super::file::{CaptureFile, Format};
use super::output::{Error, Writer};
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::packet::{Interface, LinkType, Packet, PacketInfo};
use std::ops::ControlFlow;

/// An output of original packets.
pub(crate) struct Originals {
    file: CaptureFile,
    /// Those only that could not be used, with the reason as comment.
    dropped: bool,
    /// Reused.
    comments: Vec<String>,
}

impl Originals {
    pub(crate) fn new(name: &str, to: Writer, format: Format, dropped: bool, each: bool) -> Self {
        Self {
            file: CaptureFile::new(name, to, format, true, each),
            dropped,
            comments: Vec::new(),
        }
    }

    /// Writes the packet, where it is one of those that this output takes. A pcap file has one link type: packets of
    /// others are left out of it.
    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, why: Option<Discard>) {
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
pub(crate) struct All(pub(super) Vec<Originals>);

impl Output for All {
    type State = ();

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

    fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        for one in &mut self.0 {
            one.packet(cx, packet, dropped);
        }
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        flush_all(self.0.iter_mut().map(|one| one.file.flush()))
    }
}
