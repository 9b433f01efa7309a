//! An output of packets, and how one packet is written.

use super::endpoints::UsedEndpoints;
use super::file::{CaptureFile, FileFormat};
use super::info::MessageInfo;
use super::options::{Large, PacketOptions};
use super::pdu;
use super::pending::{HEADROOM, PendingMessage};
use super::sorted::{SortedRecords, WaitingRecord};
use super::synthetic::{self, Ends, PacketHeaders, Payload, Wire};
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::flow::Transport;
use crate::base::packet::LinkType;
use crate::sink::writer::Writer;

/// Octets of a record, at most: what libpcap and Wireshark take.
pub(super) const RECORD: usize = super::pcap::SNAP_LEN as usize;

/// An output of packets.
pub(crate) struct PacketOutput {
    pub(in crate::sink) file: CaptureFile,
    pub(super) form: PacketOptions,
    /// The protocols that come here; all that no other output names where there are none.
    pub(super) protocols: Vec<String>,
    pub(super) wire: Wire,
    /// Packets that wait for their place in the order of time, where they have one.
    pub(super) sorted: Option<SortedRecords>,
    pub(super) begun: bool,
    /// What is written now is for those clients only that were let in behind this one.
    pub(super) only_behind: Option<u64>,
    /// Messages that came here.
    pub(super) messages: u64,
    pub(super) ports: UsedEndpoints,
    /// Comments of the next packet that ends a message.
    pub(super) comments: Vec<String>,
    /// Reused: what stands before the message in a pdu.
    pub(super) header: Vec<u8>,
    /// Boxed, as they go into connections and come back.
    #[allow(clippy::vec_box)]
    pub(super) pool: Vec<Box<PendingMessage>>,
}

/// A message that becomes a pdu.
pub(super) struct PduMessage<'a> {
    pub(super) transport: Transport,
    /// Of SCTP.
    pub(super) ppid: Option<u32>,
    /// The octets that are there.
    pub(super) data: &'a [u8],
    /// How many there would be, had none been lost.
    pub(super) whole: usize,
}

impl PacketOutput {
    pub(crate) fn new(name: &str, to: Writer, form: PacketOptions, protocols: Vec<String>) -> Self {
        let (format, original) = (form.format, form.original_times);
        Self {
            file: CaptureFile::new(name, to, format, original, form.packet_buffered),
            sorted: SortedRecords::new(form.sort_delay, form.sort_queue),
            form,
            protocols,
            wire: Wire::Raw,
            begun: false,
            only_behind: None,
            messages: 0,
            ports: UsedEndpoints::default(),
            comments: Vec::new(),
            header: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// The protocols that were named for this output.
    pub(super) fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Each message gets a comment, or is a pdu.
    pub(super) fn describes(&self) -> bool {
        self.wire == Wire::Pdu
            || ((self.form.info || self.form.track) && self.form.format == FileFormat::Pcapng)
    }

    /// Each packet gets a comment that says where its octets stood.
    pub(super) fn tracks(&self) -> bool {
        self.form.track && self.form.format == FileFormat::Pcapng
    }

    /// Octets of a message in one packet, at most, where it may be larger than an IP packet.
    pub(super) fn large(&self, ends: &Ends) -> usize {
        let room = RECORD - synthetic::tcp_headers(self.wire, ends);
        match self.form.max_message {
            0 => room,
            n => n.min(room),
        }
    }

    /// The octets of a packet, of which `whole` there would be, had none been lost or left out.
    /// `sum`: that of `data`, where it is known.
    pub(super) fn payload(&self, data: &[u8], whole: usize, sum: Option<Sum>) -> Payload {
        // With `split` no packet is larger than IP can say.
        let large = self.form.large != Large::Split;
        match sum {
            // The sum of the input's segment serves again, so that the payload is not read a second
            // time.
            Some(sum) if whole <= data.len() => Payload {
                len: data.len(),
                whole: data.len(),
                sum,
                large,
            },
            _ => Payload {
                large,
                ..Payload::cut(data, whole)
            },
        }
    }

    pub(super) fn count(cx: &mut Context, octets: usize) {
        cx.counters.output.packets += 1;
        cx.counters.output.octets += octets as u64;
    }

    pub(super) fn record(
        &mut self,
        cx: &mut Context,
        headers: &PacketHeaders,
        data: &[u8],
        payload: &Payload,
    ) {
        self.parts(cx, headers, payload, [data, &[]]);
    }

    pub(super) fn parts(
        &mut self,
        cx: &mut Context,
        headers: &PacketHeaders,
        payload: &Payload,
        data: [&[u8]; 2],
    ) {
        let len = headers.as_slice().len();
        if self.only_behind.is_none() {
            Self::count(cx, len + payload.len);
        }
        let [first, second] = data;
        // The record's original length tells of octets that are missing; nothing is made up for
        // them.
        let parts = [headers.as_slice(), first, second];
        self.write(cx, LinkType::RAW, len + payload.whole, parts);
    }

    /// Writes a packet with the comments that wait for it, or has it wait for its place in the order of time.
    fn write(&mut self, cx: &mut Context, link_type: LinkType, original: usize, parts: [&[u8]; 3]) {
        if let Some(sorted) = &mut self.sorted {
            let record = WaitingRecord {
                comments: std::mem::take(&mut self.comments),
                only_behind: self.only_behind,
                ..WaitingRecord::new(cx.packet, link_type, original, parts)
            };
            return sorted.take(cx, record, &mut self.file);
        }
        if let Some(number) = self.only_behind {
            return self
                .file
                .record_behind(number, &cx.packet, link_type, original, parts);
        }
        let comments = &self.comments;
        self.file
            .record(&cx.packet, link_type, original, parts, comments, 0);
        self.comments.clear();
    }

    /// Writes a packet that is no message, with the time that it has.
    pub(super) fn write_at_its_time(
        &mut self,
        cx: &mut Context,
        link_type: LinkType,
        original: usize,
        parts: [&[u8]; 3],
    ) {
        if let Some(sorted) = &mut self.sorted {
            let record = WaitingRecord {
                as_it_was: true,
                ..WaitingRecord::new(cx.packet, link_type, original, parts)
            };
            return sorted.take(cx, record, &mut self.file);
        }
        self.file
            .record_at_its_time(&cx.packet, link_type, original, parts);
    }

    /// Writes all that wait for their place in the order of time.
    pub(super) fn write_all(&mut self, cx: &mut Context) {
        if let Some(sorted) = &mut self.sorted {
            sorted.write_all(cx, &mut self.file);
        }
    }

    /// Writes a message as a pdu.
    pub(super) fn pdu(
        &mut self,
        cx: &mut Context,
        ends: &Ends,
        about: &MessageInfo,
        message: &PduMessage<'_>,
    ) {
        // Taken out so that `self` can be used while it is filled; its allocation goes back at the
        // end.
        let mut header = std::mem::take(&mut self.header);
        let info = pdu::PduInfo {
            protocol: &about.protocol,
            transport: message.transport,
            frame: cx.packet.frame,
            ppid: message.ppid,
            text: &about.summary,
        };
        pdu::header(&mut header, ends, &info);
        let data = message.data;
        // No reader takes more, so the rest shows in the original length only.
        let data = data.get(..RECORD - header.len()).unwrap_or(data);
        Self::count(cx, header.len() + data.len());
        if self.form.info {
            self.comments.push(about.text());
        }
        let (link_type, original) = (LinkType::WIRESHARK_UPPER_PDU, header.len() + message.whole);
        self.write(cx, link_type, original, [&header, data, &[]]);
        self.header = header;
    }

    /// Lays the headers into the room in front of `pending` and writes both in one go.
    pub(super) fn record_in_place(
        &mut self,
        cx: &mut Context,
        headers: &PacketHeaders,
        pending: &mut [u8],
        payload: &Payload,
    ) {
        if self.sorted.is_some() {
            // Its octets are used again by the next message.
            let data = pending.get(HEADROOM..).unwrap_or_default();
            return self.parts(cx, headers, payload, [data, &[]]);
        }
        let headers = headers.as_slice();
        let (captured, original) = (headers.len() + payload.len, headers.len() + payload.whole);
        let Some(record) = self.file.pcap_header(&cx.packet, captured, original) else {
            return;
        };
        Self::count(cx, captured);
        let begin = HEADROOM - headers.len() - record.len();
        if let Some(room) = pending.get_mut(begin..HEADROOM) {
            let (first, second) = room.split_at_mut(record.len());
            first.copy_from_slice(&record);
            second.copy_from_slice(headers);
        }
        self.file
            .out
            .write_through(pending.get(begin..).unwrap_or_default());
    }
}

/// A length that a record or a buffer can have.
pub(super) fn clamp(octets: u64) -> usize {
    // Half of the range, so that sums with header lengths stay in 32 bits.
    usize::try_from(octets.min(u64::from(u32::MAX >> 1))).unwrap_or(usize::MAX)
}
