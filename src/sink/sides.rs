//! Which side of a flow is the client, and which the server.

use crate::base::flow::{Direction, Flow};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::message::{server_begins, uses_port};
use std::net::IpAddr;

/// Ports from here on are given to clients by nearly all systems (Linux: 32768; others, and RFC 6335, 6: 49152), and no server waits
/// there, mostly.
const EPHEMERAL: u16 = 32_768;
/// Ports below are those of systems' services (RFC 6335, 6).
const SYSTEM: u16 = 1024;

/// Both, by [`Direction::index`].
const BOTH: [Direction; 2] = [Direction::Forward, Direction::Reverse];

/// Nobody sends from such an address: it is that of a group, or of all in a network. Few hosts have an address that ends with 255.
fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.octets()[3] == 255,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

/// The direction of the client, where a port or an address alone says it: a group is no client, and a port that is the protocol's, on
/// one side alone, is a server's.
fn told(flow: &Flow, protocol: &str) -> Option<Direction> {
    let only = |is_server: &dyn Fn(Direction) -> bool| match BOTH.map(is_server) {
        [false, true] => Some(Direction::Forward),
        [true, false] => Some(Direction::Reverse),
        _ => None,
    };
    // Looked at by direction of the sender.
    let group = only(&|d| is_group(flow.src(d).ip()));
    group.or_else(|| only(&|d| uses_port(protocol, flow.transport, flow.src(d).port())))
}

/// The sender of the first packet is the server: it goes on from a port of its own with what was asked on that of the protocol.
fn begun_by_server(flow: &Flow, protocol: &str) -> bool {
    let known = |d: Direction| uses_port(protocol, flow.transport, flow.src(d).port());
    server_begins(protocol) && !BOTH.into_iter().any(known)
}

/// The direction of the client by what is known of the flow alone: who opened it, else by ports, else who spoke first.
pub(super) fn client_of(flow: &Flow, protocol: &str, opened: bool) -> Direction {
    if let Some(client) = told(flow, protocol) {
        return client;
    }
    if begun_by_server(flow, protocol) {
        return Direction::Reverse;
    }
    let [first, other] = BOTH.map(|d| flow.src(d).port());
    let first_is_server =
        first < SYSTEM && other >= SYSTEM || first < EPHEMERAL && other >= EPHEMERAL;
    if opened || !first_is_server {
        Direction::Forward
    } else {
        Direction::Reverse
    }
}

/// The direction of the client, where a message of this kind says it.
fn by_kind(kind: Kind, direction: Direction) -> Option<Direction> {
    match kind {
        Kind::Request => Some(direction),
        Kind::Response => Some(direction.flip()),
        Kind::Other => None,
    }
}

/// What is known of a flow: the client's direction, as the first message has said it that does.
pub(super) type KnownClient = Option<Direction>;

/// The same, where a message is at hand. Of protocols in which both sides ask, the first to do so is the client; the sides do not change
/// behind that.
pub(super) fn client_by(
    known: &mut KnownClient,
    flow: &Flow,
    (protocol, kind): (&str, Kind),
    direction: Direction,
    opened: bool,
) -> Direction {
    if known.is_none() {
        *known = told(flow, protocol).or_else(|| by_kind(kind, direction));
    }
    known.unwrap_or_else(|| client_of(flow, protocol, opened))
}

/// Flows of UDP whose client is remembered; the oldest is forgotten. Of one that is forgotten its next message tells it again.
const CLIENTS: usize = 4096;

/// The clients of flows of UDP, by their numbers, where an output keeps nothing else of these.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct DatagramClients(AgedTable<u64, Direction>);

impl DatagramClients {
    /// The client's direction, where a message is at hand: see [`client_by`].
    pub(super) fn client(
        &mut self,
        flow: &Flow,
        what: (&str, Kind),
        direction: Direction,
    ) -> Direction {
        if let Some(client) = self.known(flow) {
            return client;
        }
        let mut known = None;
        let client = client_by(&mut known, flow, what, direction, false);
        if let Some(known) = known {
            if self.0.len() >= CLIENTS {
                self.0.remove_oldest();
            }
            self.0.insert(flow.number, known);
        }
        client
    }

    fn known(&self, flow: &Flow) -> KnownClient {
        let place = self.0.find(&flow.number)?;
        self.0.get(place).copied()
    }

    /// The flow has ended: what its messages have said of its client.
    pub(super) fn forget(&mut self, flow: &Flow) -> KnownClient {
        let place = self.0.find(&flow.number)?;
        self.0.remove(place).map(|(_, client)| client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::{FlowKey, Transport};
    use crate::base::packet::Channel;

    fn flow(transport: Transport, src: (&str, u16), dst: (&str, u16)) -> Flow {
        let end = |(address, port): (&str, u16)| (address.parse::<IpAddr>().unwrap(), port);
        let (key, forward_is_low) = FlowKey::new(end(src), end(dst), Channel::default());
        Flow {
            transport,
            number: 0,
            key,
            forward_is_low,
            reused: false,
            decrypted: None,
            links: Default::default(),
        }
    }

    #[test]
    fn the_client_is_known_by_ports_kinds_and_who_began() {
        const UDP: Transport = Transport::Udp;
        const TCP: Transport = Transport::Tcp;
        const GROUP: &str = "224.0.0.251";
        let (a, b) = ("10.0.0.1", "10.0.0.2");
        for (transport, src, dst, protocol, kind, opened, from_client) in [
            // The port of the protocol.
            (UDP, (a, 53), (b, 40_000), "dns", Kind::Other, false, false),
            (UDP, (a, 40_000), (b, 161), "snmp", Kind::Other, false, true),
            // A server may ask, too.
            (
                TCP,
                (a, 3868),
                (b, 40_000),
                "diameter",
                Kind::Request,
                false,
                false,
            ),
            // What the message is.
            (
                UDP,
                (a, 5060),
                (b, 5060),
                "sip",
                Kind::Response,
                false,
                false,
            ),
            (
                TCP,
                (a, 4000),
                (b, 5000),
                "http",
                Kind::Response,
                false,
                false,
            ),
            (
                TCP,
                (a, 4000),
                (b, 5000),
                "http",
                Kind::Request,
                false,
                true,
            ),
            // Who opened the connection.
            (TCP, (a, 900), (b, 5000), "data", Kind::Other, true, true),
            // Ports that are mostly a server's.
            (TCP, (a, 900), (b, 5000), "data", Kind::Other, false, false),
            (
                TCP,
                (a, 5000),
                (b, 50_000),
                "data",
                Kind::Other,
                false,
                false,
            ),
            // Who spoke first.
            (UDP, (a, 5000), (b, 5001), "data", Kind::Other, false, true),
            (
                UDP,
                (a, 50_000),
                (b, 40_000),
                "data",
                Kind::Other,
                false,
                true,
            ),
            // A server that goes on from a port of its own.
            (
                UDP,
                (a, 40_001),
                (b, 40_000),
                "tftp",
                Kind::Other,
                false,
                false,
            ),
            (UDP, (a, 40_000), (b, 69), "tftp", Kind::Other, false, true),
            // A group is asked, and answers nothing.
            (
                UDP,
                (a, 5353),
                (GROUP, 5353),
                "mdns",
                Kind::Response,
                false,
                true,
            ),
            (
                UDP,
                ("fe80::1", 5353),
                ("ff02::fb", 5353),
                "mdns",
                Kind::Response,
                false,
                true,
            ),
            (
                UDP,
                (a, 67),
                ("255.255.255.255", 68),
                "dhcp",
                Kind::Response,
                false,
                true,
            ),
            (
                UDP,
                (a, 138),
                ("10.0.0.255", 138),
                "data",
                Kind::Other,
                false,
                true,
            ),
        ] {
            let flow = flow(transport, src, dst);
            let client = client_by(
                &mut None,
                &flow,
                (protocol, kind),
                Direction::Forward,
                opened,
            );
            assert_eq!(
                client == Direction::Forward,
                from_client,
                "{src:?} {dst:?} {protocol}"
            );
        }
    }

    #[test]
    fn the_sides_do_not_change() {
        let flow = flow(Transport::Udp, ("10.0.0.1", 5060), ("10.0.0.2", 5060));
        let mut known = None;
        for direction in [Direction::Forward, Direction::Reverse] {
            let asks = ("sip", Kind::Request);
            let client = client_by(&mut known, &flow, asks, direction, false);
            assert_eq!(client, Direction::Forward);
        }
    }
}
