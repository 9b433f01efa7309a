//! Puts names on the datagrams of UDP: each is a message of its protocol.

use super::events::{DatagramMessage, MessageSink};
use super::extract::Extractor;
use super::protocols::{cut_datagram_protocol, relaying_protocol};
use super::{Transfers, datagram_protocol};
use crate::base::context::Context;
use crate::base::flow::Transport;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::transport::datagram::{DatagramContext, DatagramSink, EndedFlow};

/// What takes the datagrams of UDP: the extractor, and what is remembered of transfers whose ports no protocol has.
pub struct Named<'a, M> {
    /// Gets the messages.
    pub extractor: &'a mut Extractor<M>,
    /// Who asked for a file by TFTP, and may be answered from any port.
    pub transfers: &'a mut Transfers,
}

impl<M: MessageSink> DatagramSink for Named<'_, M> {
    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize) {
        let ports = at.flow.ports(at.direction);
        let rules = &self.extractor.rules;
        let protocol = match rules.named(Transport::Udp, ports) {
            Some(name) => name,
            None => {
                let mut found = datagram_protocol(payload, ports.0, ports.1);
                if found == NO_PROTOCOL && payload.len() < payload_len {
                    found = cut_datagram_protocol(payload, payload_len, ports);
                }
                // Three octets of zero are in front of what a proxy passes on.
                if found == NO_PROTOCOL && payload.starts_with(&[0, 0, 0]) {
                    found = relaying_protocol(payload).unwrap_or(found);
                }
                if self.transfers.may_name(found) {
                    let (src, dst) = (at.flow.src(at.direction), at.flow.dst(at.direction));
                    found = self.transfers.name(found, payload, src, dst);
                    self.transfers.book(&mut at.cx.budget);
                }
                found
            }
        };
        if at.protocol.is_none() || protocol != NO_PROTOCOL {
            at.protocol = Some(Name::of(protocol));
        }
        let message = DatagramMessage {
            protocol,
            payload,
            payload_len,
        };
        self.extractor.datagram(at, &message);
    }

    fn duplicate(&mut self, at: &mut DatagramContext<'_>, payload_len: usize) {
        self.extractor.sink.datagram_duplicate(at, payload_len);
    }

    fn hears_flow_ends(&self) -> bool {
        self.extractor.sink.hears_flow_ends()
    }

    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        self.extractor.sink.flow_end(cx, ended);
    }
}
