//! Joins the stages: a packet goes in, and what it completes comes out at the sink.

use crate::capture::{LinkType, Packet, PacketInfo};
use crate::config::Limits;
use crate::context::Context;
use crate::ip::{self, Ip};
use crate::link::{self, Channel};
use crate::message::chosen::{Chosen, ChosenState};
use crate::message::extract::Conversation;
use crate::message::own::OwnDetector;
use crate::message::rules::Rules;
use crate::message::{Extractor, MessageSink, Transfers, datagram_protocol};
use crate::sink::choice::Rule;
use crate::stats::Counters;
use crate::storage::Budget;
use crate::time::{CaptureClock, Timestamp};
use crate::trace::{Event, Trace};
use crate::transport::flow::Transport;
use crate::transport::sctp::Sctp;
use crate::transport::sctp::stats::LinkStats;
use crate::transport::stream::FlowState;
use crate::transport::tcp::{Segment, Tcp};
use crate::transport::udp::Udp;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::net::SocketAddr;

/// All that waits in any stage: plain data, which can be written out and read back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: FlowState")]
pub struct State<S: FlowState> {
    cx: Context,
    clock: CaptureClock,
    ip: Ip,
    tcp: Tcp<Conversation<ChosenState<S>>>,
    udp: Udp,
    sctp: Sctp<ChosenState<S>>,
    transfers: Transfers,
}

/// All stages from the link layer to messages.
#[derive(Debug)]
pub struct Engine<M: MessageSink> {
    state: State<M::State>,
    extractor: Extractor<Chosen<M>>,
    /// As in the limits, where a datagram is named while they are in use.
    rules: Rules,
}

impl<M: MessageSink> Engine<M> {
    /// An engine at the beginning of a capture.
    pub fn new(limits: Limits, sink: M) -> Self {
        let rules = limits.rules.clone();
        let state = State {
            cx: Context::new(limits),
            clock: CaptureClock::default(),
            ip: Ip::new(),
            tcp: Tcp::new(),
            udp: Udp::new(),
            sctp: Sctp::default(),
            transfers: Transfers::default(),
        };
        Self {
            state,
            extractor: Extractor::new(Chosen::new(sink, rules.clone())),
            rules,
        }
    }

    /// An engine that goes on where `state` was taken.
    pub fn resume(mut state: State<M::State>, sink: M) -> Self {
        state.tcp.reindex();
        let rules = state.cx.limits.rules.clone();
        Self {
            state,
            extractor: Extractor::new(Chosen::new(sink, rules.clone())),
            rules,
        }
    }

    /// The same with detectors of one's own, which are asked before all others. Where a state is resumed, they are
    /// those that it was made with.
    #[must_use]
    pub fn with_detectors(mut self, own: Vec<OwnDetector>) -> Self {
        self.extractor = self.extractor.with_detectors(own);
        self
    }

    /// Tells `to` from now on what becomes of the connections that `rule` chooses: of each TCP segment, and of messages.
    pub fn trace(&mut self, rule: Rule, to: impl FnMut(&Event) + Send + 'static) {
        self.state.cx.trace = Trace::new(rule, Box::new(to));
    }

    /// All that waits.
    pub fn state(&self) -> &State<M::State> {
        &self.state
    }

    /// What was counted.
    pub fn counters(&mut self) -> &Counters {
        let cx = &mut self.state.cx;
        cx.counters.buffer.waiting = cx.budget.used() as u64;
        cx.counters.buffer.peak = cx.budget.peak() as u64;
        &cx.counters
    }

    /// What was counted, to be added to by those who read and write.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.state.cx.counters
    }

    /// Counts the statistics of SCTP links from now on (`--sctp-stats`).
    pub fn collect_sctp_stats(&mut self) {
        self.state.sctp.collect_stats();
    }

    /// The statistics of SCTP links since the last call; those on which nothing was seen are left out.
    pub fn take_sctp_stats(&mut self) -> Vec<LinkStats> {
        self.state.sctp.take_stats(&mut self.state.cx)
    }

    /// What may be allocated for all that waits, for those who hold packets ahead of it.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.state.cx.budget
    }

    /// Where messages go.
    pub fn sink(&mut self) -> &mut M {
        &mut self.extractor.sink.sink
    }

    /// Link types of packets that were dropped because it is not known here, in order of first sight; the first 20.
    pub fn unknown_link_types(&self) -> &[LinkType] {
        &self.state.cx.unknown_link_types
    }

    /// Takes one packet.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        let State {
            cx,
            clock,
            ip,
            tcp,
            udp,
            sctp,
            transfers,
        } = &mut self.state;
        cx.now = clock.observe(packet.time);
        cx.discarded = None;
        let extractor = &mut self.extractor;
        let rules = &self.rules;
        if let Some(frame) = link::receive(packet, cx) {
            ip.each(cx, &frame, &mut |cx, datagram, fragments| {
                if !fragments.is_empty() {
                    cx.in_hand.datagram(datagram.payload, fragments);
                }
                match datagram.protocol {
                    ip::protocol::TCP if cx.limits.disable_tcp => {
                        cx.counters.tcp.disabled += 1;
                        extractor.sink.unprocessed(cx, datagram);
                    }
                    ip::protocol::UDP if cx.limits.disable_udp => {
                        cx.counters.udp.disabled += 1;
                        extractor.sink.unprocessed(cx, datagram);
                    }
                    ip::protocol::TCP => tcp.datagram(cx, datagram, extractor),
                    ip::protocol::UDP => {
                        let (src, dst) = (datagram.src, datagram.dst);
                        let seen = RefCell::new(&mut *transfers);
                        let name = |payload: &[u8], from, to| match rules
                            .named(Transport::Udp, (from, to))
                        {
                            Some(name) => name,
                            None => seen.borrow_mut().name(
                                datagram_protocol(payload, from, to),
                                payload,
                                SocketAddr::new(src, from),
                                SocketAddr::new(dst, to),
                            ),
                        };
                        udp.receive(cx, datagram, &name, &mut extractor.sink);
                        transfers.book(&mut cx.budget);
                    }
                    ip::protocol::SCTP if cx.limits.disable_sctp => {
                        cx.counters.sctp.disabled += 1;
                        extractor.sink.unprocessed(cx, datagram);
                    }
                    ip::protocol::SCTP => sctp.packet(cx, datagram, extractor),
                    _ => {}
                }
            });
        }
        let dropped = cx.discarded.take();
        extractor.sink.packet(cx, packet, dropped);
        self.age();
    }

    /// Takes a TCP segment that was parsed elsewhere, from packet number `frame` (any number that does not fall), captured
    /// at `time`.
    pub fn segment(&mut self, frame: u64, time: Timestamp, segment: &Segment<'_>) {
        let State { cx, clock, tcp, .. } = &mut self.state;
        cx.now = clock.observe(time);
        cx.packet = PacketInfo {
            frame,
            time,
            ..PacketInfo::default()
        };
        tcp.segment(cx, segment, Channel::default(), &mut self.extractor);
        self.age();
    }

    /// Gives up what has waited too long, or what memory has no room for.
    fn age(&mut self) {
        let State {
            cx,
            ip,
            tcp,
            udp,
            sctp,
            ..
        } = &mut self.state;
        let extractor = &mut self.extractor;
        // What the clock makes due comes after the packet that moved it: that packet may have brought what was waited for.
        ip.expire(cx);
        tcp.tick(cx, extractor);
        if !sctp.is_empty() {
            sctp.tick(cx, extractor);
        }
        while cx.budget.over() {
            let freed = tcp.relieve_idle(cx, extractor)
                || sctp.relieve_idle(cx, extractor)
                || ip.evict_oldest(cx)
                || udp.evict_oldest(cx)
                || tcp.relieve(cx, extractor)
                || sctp.relieve(cx, extractor);
            if !freed {
                break;
            }
        }
    }

    /// The input has ended: everything that waits is handed on or given up.
    pub fn flush(&mut self) {
        let State {
            cx, ip, tcp, sctp, ..
        } = &mut self.state;
        ip.flush(cx);
        tcp.flush(cx, &mut self.extractor);
        sctp.flush(cx, &mut self.extractor);
        self.extractor.sink.input_end(cx);
    }

    /// Ends the input and gives the sink back.
    pub fn finish(mut self) -> M {
        self.flush();
        self.extractor.sink.sink
    }
}
