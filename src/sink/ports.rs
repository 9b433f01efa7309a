//! Which protocols were recognised on which ports: for a hint at connections that were not understood.

use super::output::Output;
use super::writer::OutputError;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::stream::Close;
use crate::message::events::DatagramMessage;
use crate::message::{MessageSink, MessageStart};
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::ControlFlow;

/// Connections that are noted at once, and ports: a hint is made of those that come first, and more of them cost memory.
const NOTED: usize = 10_000;
/// What is noted of a port: what has no protocol, and two that were known.
const USES: usize = 3;
/// What announces connections of its own, on which files go over without a protocol (RFC 959).
const ANNOUNCES: &str = "ftp";
/// The port that its servers connect from, where nothing else is agreed on (RFC 959, 3.2).
const DATA_PORT: u16 = 20;

/// Ports of servers, and what their connections carried.
#[derive(Default)]
pub(super) struct Ports {
    /// Of connections that have not ended: their protocol, None where it is not known yet, and octets of datagrams and user
    /// messages.
    open: HashMap<(Transport, u64), (Option<Name>, u64)>,
    /// What connections to a port carried.
    seen: HashMap<(Transport, u16), Vec<PortUse>>,
    /// Hosts between which files may go over on connections of their own, the lower one first.
    file_hosts: HashSet<[IpAddr; 2]>,
    /// Octets of these.
    file_octets: u64,
}

/// Connections to a port that carried one protocol.
struct PortUse {
    /// None: none that is known.
    protocol: Option<Name>,
    connections: u64,
    octets: u64,
}

/// A port some of whose connections were understood.
#[derive(Debug, PartialEq, Eq)]
pub struct OddPort {
    /// Of which transport.
    pub transport: Transport,
    /// Its number.
    pub port: u16,
    /// The one protocol that was recognised there, if any was.
    pub protocol: Option<&'static str>,
    /// Connections of it.
    pub known: u64,
    /// Connections of no known protocol.
    pub unknown: u64,
    /// Octets of these.
    pub octets: u64,
}

/// The port of the server: that which the first packet went to, or, of a connection from the middle, mostly the lower one.
fn port(flow: &Flow, from_start: bool) -> u16 {
    let [first, other] = [Direction::Forward, Direction::Reverse].map(|d| flow.dst(d).port());
    if from_start { first } else { first.min(other) }
}

fn hosts(flow: &Flow) -> [IpAddr; 2] {
    let [a, b] = [Direction::Forward, Direction::Reverse].map(|d| flow.dst(d).ip());
    [a.min(b), a.max(b)]
}

impl Ports {
    /// The port with the most octets that were not understood, if on it at most one protocol was.
    pub(super) fn odd(&self) -> Option<OddPort> {
        let of = |((transport, port), seen): (&(Transport, u16), &Vec<PortUse>)| {
            let unknown = seen.iter().find(|part| part.protocol.is_none())?;
            let mut known = seen.iter().filter(|part| part.protocol.is_some());
            let (protocol, connections) = match (known.next(), known.next()) {
                (None, _) => (None, 0),
                (Some(part), None) => (part.protocol.map(Name::text), part.connections),
                _ => return None,
            };
            Some(OddPort {
                transport: *transport,
                port: *port,
                protocol,
                known: connections,
                unknown: unknown.connections,
                octets: unknown.octets,
            })
        };
        let odd = self.seen.iter().filter_map(of);
        odd.max_by_key(|odd| (odd.octets, odd.unknown, odd.port, odd.transport.name()))
    }

    /// Octets of connections that have no protocol, and need none: files that another connection has announced.
    pub(super) const fn file_octets(&self) -> u64 {
        self.file_octets
    }

    fn note(&mut self, flow: &Flow, protocol: &'static str, octets: u64) {
        let room = self.open.len() < NOTED;
        let known = (protocol != NO_PROTOCOL).then(|| Name::of(protocol));
        if protocol == ANNOUNCES && self.file_hosts.len() < NOTED {
            self.file_hosts.insert(hosts(flow));
        }
        match self.open.get_mut(&(flow.transport, flow.number)) {
            Some((noted, sum)) => {
                *noted = noted.or(known);
                *sum += octets;
            }
            None if room => {
                self.open
                    .insert((flow.transport, flow.number), (known, octets));
            }
            None => {}
        }
    }

    /// A connection has ended. `octets`: those of its streams, of which nothing was told before.
    fn ended(&mut self, flow: &Flow, from_start: bool, octets: u64) {
        let Some((protocol, sum)) = self.open.remove(&(flow.transport, flow.number)) else {
            return;
        };
        let octets = octets + sum;
        let from_data_port =
            || [Direction::Forward, Direction::Reverse].map(|d| flow.dst(d).port());
        let file = protocol.is_none()
            && flow.transport == Transport::Tcp
            && (from_data_port().contains(&DATA_PORT) || self.file_hosts.contains(&hosts(flow)));
        if file {
            self.file_octets += octets;
            return;
        }
        let key = (flow.transport, port(flow, from_start));
        if self.seen.len() >= NOTED && !self.seen.contains_key(&key) {
            return;
        }
        let seen = self.seen.entry(key).or_default();
        let has_room = seen.len() < USES;
        match seen.iter_mut().find(|part| part.protocol == protocol) {
            Some(part) => {
                part.connections += 1;
                part.octets += octets;
            }
            // Where two protocols are known, no hint is made of the port: more of them would only cost memory.
            None if has_room => seen.push(PortUse {
                protocol,
                connections: 1,
                octets,
            }),
            None => {}
        }
    }
}

impl MessageSink for Ports {
    type State = ();

    fn start(&mut self, at: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
        self.note(at.flow, start.protocol, 0);
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        self.note(at.flow, message.protocol, message.payload.len() as u64);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, ()>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        self.note(at.flow, protocol, message.data.len() as u64);
    }

    fn closed(&mut self, at: &mut StreamContext<'_, ()>, _: Close) {
        let from_start = at.sides.iter().any(|side| side.from_start);
        let octets = at
            .sides
            .iter()
            .map(|s| s.delivered.saturating_sub(s.origin));
        self.ended(at.flow, from_start, octets.sum());
    }

    fn flow_end(&mut self, _: &mut Context, ended: &EndedFlow<'_>) {
        // Of TCP it comes behind the above, or there were no octets. Nothing tells who began to speak.
        self.ended(ended.flow, false, 0);
    }

    fn input_end(&mut self, _: &mut Context) {
        self.open = HashMap::new();
    }
}

impl Output for Ports {
    fn is_open(&self) -> Option<bool> {
        // What it notes is about the other outputs.
        Some(false)
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        Ok(ControlFlow::Continue(()))
    }
}
