//! Which protocols were recognised on which ports: for a hint at connections that were not understood.

use super::output::Output;
use super::writer::OutputError;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::stream::Close;
use crate::message::{MessageSink, MessageStart};
use crate::transport::stream::StreamContext;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Connections that are noted at once, and ports: a hint is made of those that come first, and more of them cost memory.
const NOTED: usize = 10_000;

/// TCP ports of servers, and what their connections carried.
#[derive(Default)]
pub(super) struct Ports {
    /// Of connections that have not ended: their protocol, None where it is not known yet.
    open: HashMap<u64, Option<Name>>,
    /// So many connections to a port carried a protocol; None: none that is known.
    seen: HashMap<u16, Vec<(Option<Name>, u64)>>,
}

/// A port some of whose connections were understood.
#[derive(Debug, PartialEq, Eq)]
pub struct OddPort {
    /// Its number.
    pub port: u16,
    /// The one protocol that was recognised there, if any was.
    pub protocol: Option<&'static str>,
    /// Connections of it.
    pub known: u64,
    /// Connections of no known protocol.
    pub unknown: u64,
}

/// The port of the server: that which the first packet went to, or, of a connection from the middle, mostly the lower one.
fn port(flow: &Flow, from_start: bool) -> u16 {
    let [first, other] = [Direction::Forward, Direction::Reverse].map(|d| flow.dst(d).port());
    if from_start { first } else { first.min(other) }
}

impl Ports {
    /// The port with the most connections that were not understood, if on it at most one protocol was.
    pub(super) fn odd(&self) -> Option<OddPort> {
        let of = |(port, seen): (&u16, &Vec<(Option<Name>, u64)>)| {
            let unknown = seen.iter().find(|(name, _)| name.is_none())?.1;
            let mut known = seen.iter().filter(|(name, _)| name.is_some());
            let (protocol, known) = match (known.next(), known.next()) {
                (None, _) => (None, 0),
                (Some((name, known)), None) => (name.map(Name::text), *known),
                _ => return None,
            };
            Some(OddPort {
                port: *port,
                protocol,
                known,
                unknown,
            })
        };
        let odd = self.seen.iter().filter_map(of);
        odd.max_by_key(|odd| (odd.unknown, odd.port))
    }
}

impl MessageSink for Ports {
    type State = ();

    fn start(&mut self, at: &mut StreamContext<'_, ()>, start: &MessageStart<'_>) {
        let room = self.open.len() < NOTED;
        let known = (start.protocol != NO_PROTOCOL).then(|| Name::of(start.protocol));
        match self.open.get_mut(&at.flow.number) {
            Some(noted) => *noted = noted.or(known),
            None if room => {
                self.open.insert(at.flow.number, known);
            }
            None => {}
        }
    }

    fn closed(&mut self, at: &mut StreamContext<'_, ()>, _: Close) {
        if at.flow.transport != Transport::Tcp {
            return;
        }
        let Some(protocol) = self.open.remove(&at.flow.number) else {
            return;
        };
        let from_start = at.sides.iter().any(|side| side.from_start);
        let port = port(at.flow, from_start);
        if self.seen.len() >= NOTED && !self.seen.contains_key(&port) {
            return;
        }
        let seen = self.seen.entry(port).or_default();
        match seen.iter_mut().find(|(name, _)| *name == protocol) {
            Some((_, connections)) => *connections += 1,
            None => seen.push((protocol, 1)),
        }
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
