//! Datagrams of UDP, user messages of SCTP, and datagrams that are passed on as they were.

use super::connection::ends;
use super::info::MessageInfo;
use super::synthetic::{self, DataHeader, Ends, Payload, Wire};
use super::writing::{PacketOutput, PduMessage, RECORD, clamp};
use super::{pdu, track};
use crate::base::context::Context;
use crate::base::flow::{Flow, Transport};
use crate::base::message::Kind;
use crate::base::packet::LinkType;
use crate::ip::Datagram;
use crate::message::events::DatagramMessage;
use crate::message::summary;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::UserMessage;

impl PacketOutput {
    /// Writes a UDP datagram. Where the capture has only a part of it, it is cut, as it was.
    pub(super) fn write_datagram(
        &mut self,
        at: &mut DatagramContext<'_>,
        message: &DatagramMessage<'_>,
    ) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        let ends = ends(at.flow, at.direction);
        // Only where a comment or a pdu is written: a summary costs more than the packet.
        if self.describes() {
            let mut about = MessageInfo {
                protocol: message.protocol.to_owned(),
                ..MessageInfo::default()
            };
            let kind = Kind::Other;
            summary(
                message.protocol,
                Transport::Udp,
                kind,
                payload,
                &mut about.summary,
            );
            about.piece(at.cx.packet.frame, payload.len());
            about.lost = payload_len.saturating_sub(payload.len()) as u64;
            if self.tracks() {
                let mut text = track::TrackText::default();
                let frame = at.cx.packet.frame;
                let write = &mut |place| text.place(place);
                at.cx
                    .records_of(frame, at.payload_offset(), payload.len(), write);
                if about.lost > 0 {
                    text.lost(about.lost);
                }
                self.comments.push(text.finish());
            }
            if self.wire == Wire::Pdu {
                let pdu = PduMessage {
                    transport: Transport::Udp,
                    ppid: None,
                    data: payload,
                    whole: payload_len,
                };
                self.pdu(at.cx, &ends, &about, &pdu);
                return;
            }
            if self.form.info {
                self.comments.push(about.text());
            }
        }
        let sum = at.payload_sum.filter(|_| payload.len() >= payload_len);
        let payload_of = match sum {
            Some(sum) => Payload::summed(payload, sum),
            None => Payload::cut(payload, payload_len),
        };
        let headers = synthetic::udp(self.wire, &ends, &payload_of);
        self.record(at.cx, &headers, payload, &payload_of);
    }

    /// Writes an SCTP user message: one packet with one chunk, or a train of them from B to E. Where the capture has only a
    /// part of it, the last packet is cut.
    ///
    /// A train takes TSNs that were the message's own: those of the next message are never used before it.
    pub(super) fn write_user_message(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        message: &UserMessage<'_>,
        protocol: &str,
    ) {
        let ends = Ends {
            src: message.src,
            dst: message.dst,
            ..ends(flow, message.direction)
        };
        // An original longer than one packet cannot come from one packet; it is cut into chunks as
        // its sender did.
        let most = synthetic::max_user_data(&ends, message.interleaved);
        let have = message.data.len() as u64;
        let whole = if message.whole {
            have
        } else {
            // Not whole and of no known length: one octet more than there is.
            message.len.unwrap_or(0).max(have + 1)
        };
        let mut comment = None;
        if self.describes() {
            let mut about = MessageInfo {
                protocol: protocol.to_owned(),
                acknowledged: Some(message.acknowledged.is_some()),
                ..MessageInfo::default()
            };
            let kind = Kind::Other;
            summary(
                protocol,
                Transport::Sctp,
                kind,
                message.data,
                &mut about.summary,
            );
            about.piece(message.frame, message.data.len());
            about.piece(cx.packet.frame, 0);
            about.lost = whole - have;
            // One record for the whole message, and one list of places.
            if self.tracks() && self.wire == Wire::Pdu {
                self.comments
                    .push(track::user_message(message, 0, clamp(whole)));
            }
            if self.wire == Wire::Pdu {
                let pdu = PduMessage {
                    transport: Transport::Sctp,
                    ppid: Some(message.ppid),
                    data: message.data,
                    whole: clamp(whole),
                };
                self.pdu(cx, &ends, &about, &pdu);
                return;
            }
            comment = self.form.info.then(|| about.text());
        }
        // The loop ends with the last octet: at most one packet for each `most` octets.
        let (mut rest, mut left) = (message.data, whole);
        for n in 0u32.. {
            let len = clamp(left).min(most);
            let (data, behind) = rest.split_at(len.min(rest.len()));
            // Where octets are missing the train stops at them, and the last chunk is cut there.
            let last = left <= most as u64 || data.len() < len;
            // With interleaving its TSNs are not in a row.
            let own = usize::try_from(n).ok().and_then(|n| message.tsns.get(n));
            let header = DataHeader {
                tag: message.tag,
                tsn: own.copied().unwrap_or(message.tsn.wrapping_add(n)),
                stream: message.stream,
                seq: message.seq,
                ppid: if message.interleaved && n > 0 {
                    // The FSN stands where the PPID is in the first chunk (RFC 8260, 2.1).
                    n
                } else {
                    message.ppid
                },
                begins: n == 0,
                ends: last,
                unordered: message.unordered,
                interleaved: message.interleaved,
            };
            let (headers, payload) = synthetic::sctp(self.wire, &ends, &header, data, len);
            let pad = [0; 3];
            let pad = pad.get(..payload.len - data.len()).unwrap_or_default();
            if last {
                self.comments.extend(comment.take());
            }
            if self.tracks() {
                self.comments.push(track::user_message(
                    message,
                    message.data.len() - rest.len(),
                    len,
                ));
            }
            self.parts(cx, &headers, &payload, [data, pad]);
            if last {
                break;
            }
            rest = behind;
            left -= len as u64;
        }
    }

    /// A datagram as it was, in new link and IP headers. Its time is its own, and is none that later ones are held
    /// against, so that another run makes of it what one run would.
    pub(super) fn write_as_it_was(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
        let headers = synthetic::ip(self.wire, cx.packet.link, datagram);
        let headers = headers.as_slice();
        let mut front = std::mem::take(&mut self.header);
        front.clear();
        let link_type = if self.wire == Wire::Pdu {
            pdu::datagram(&mut front, cx.packet.frame);
            LinkType::WIRESHARK_UPPER_PDU
        } else {
            LinkType::RAW
        };
        let before = front.len() + headers.len();
        // What no reader takes is left out of a datagram that is longer than any.
        let data = datagram.payload;
        let data = data.get(..RECORD - before).unwrap_or(data);
        Self::count(cx, before + data.len());
        self.write_at_its_time(
            cx,
            link_type,
            before + datagram.payload_len,
            [&front, headers, data],
        );
        self.header = front;
    }
}
