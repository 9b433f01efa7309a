//! `--connection`: which connections are written.

use crate::base::flow::{Direction, Flow, Transport};
use std::net::{IpAddr, SocketAddr};

/// A rule that chooses connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionRule(Vec<RulePart>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum RulePart {
    All,
    /// Of this transport, or of any.
    Number(Option<Transport>, u64),
    Transport(Transport),
    Network(IpAddr, u8),
    Port(u16),
    End(SocketAddr),
    Pair(SocketAddr, SocketAddr),
}

/// What a rule is, in one line.
const EXPECTED: &str = "is no connection: expected one as 3 or tcp:3, tcp, udp or sctp, a port as :80, an address, a network as \
                        10.0.0.0/8, address:port or A:p-B:p (IPv6 as [::1]:80), or all";

impl ConnectionRule {
    /// Takes a list, separated by commas: connections by their numbers as `--print` shows them (`3`, `tcp:3`), a transport, a
    /// port (`:80`), an address, a network (`10.0.0.0/8`), `address:port`, `A:p-B:p`, or `all`; IPv6 addresses stand in
    /// brackets where a port follows.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn new(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(|one| {
                part(one).ok_or_else(|| match one == text {
                    true => EXPECTED.to_owned(),
                    // Which of them it is.
                    false => format!("{:?}: {EXPECTED}", one.trim()),
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The connection is chosen.
    pub fn takes(&self, flow: &Flow) -> bool {
        let (a, b) = (flow.src(Direction::Forward), flow.dst(Direction::Forward));
        self.takes_ends(flow.transport, Some(flow.number), a, b)
    }

    /// The stream is chosen: `A:p-B:p` means the one from A to B, all others mean both. A number alone means a connection, of
    /// TCP or SCTP: datagrams have numbers of their own, and would stand between its octets.
    pub fn takes_stream(&self, flow: &Flow, direction: Direction) -> bool {
        let (a, b) = (flow.src(direction), flow.dst(direction));
        let number = (flow.transport, Some(flow.number));
        self.0
            .iter()
            .filter(|part| {
                flow.transport != Transport::Udp || !matches!(part, RulePart::Number(None, _))
            })
            .any(|part| part.takes(number, a, b))
    }

    /// The connection with this number, if it has one, between these endpoints is chosen.
    pub(crate) fn takes_ends(
        &self,
        transport: Transport,
        number: Option<u64>,
        a: SocketAddr,
        b: SocketAddr,
    ) -> bool {
        let number = (transport, number);
        self.0
            .iter()
            .any(|part| part.takes(number, a, b) || part.takes(number, b, a))
    }
}

impl RulePart {
    /// It means the stream from `a` to `b`.
    fn takes(
        &self,
        (transport, number): (Transport, Option<u64>),
        a: SocketAddr,
        b: SocketAddr,
    ) -> bool {
        let either = |is: &dyn Fn(SocketAddr) -> bool| is(a) || is(b);
        match *self {
            Self::All => true,
            Self::Number(of, n) => Some(n) == number && of.is_none_or(|of| of == transport),
            Self::Transport(of) => of == transport,
            Self::Network(net, len) => either(&|x| is_in(net, len, x.ip())),
            Self::Port(port) => either(&|x| x.port() == port),
            Self::End(end) => either(&|x| x == end),
            Self::Pair(from, to) => (a, b) == (from, to),
        }
    }
}

/// The first `len` bits of both are the same.
fn is_in(net: IpAddr, len: u8, addr: IpAddr) -> bool {
    let differ = |width: u32, bits: u128| width - (u128::BITS - bits.leading_zeros());
    match (net, addr) {
        (IpAddr::V4(net), IpAddr::V4(addr)) => {
            differ(32, u128::from(net.to_bits() ^ addr.to_bits())) >= u32::from(len)
        }
        (IpAddr::V6(net), IpAddr::V6(addr)) => {
            differ(128, net.to_bits() ^ addr.to_bits()) >= u32::from(len)
        }
        _ => false,
    }
}

fn part(text: &str) -> Option<RulePart> {
    let text = text.trim();
    let transport = |name: &str| {
        [Transport::Tcp, Transport::Udp, Transport::Sctp]
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(name))
    };
    if text.eq_ignore_ascii_case("all") {
        return Some(RulePart::All);
    }
    if let Ok(n) = text.parse() {
        return Some(RulePart::Number(None, n));
    }
    if let Some(transport) = transport(text) {
        return Some(RulePart::Transport(transport));
    }
    if let Some((name, number)) = text.split_once(':') {
        if let (Some(transport), Ok(n)) = (transport(name), number.parse()) {
            return Some(RulePart::Number(Some(transport), n));
        }
        if let ("", Ok(port)) = (name, number.parse()) {
            return Some(RulePart::Port(port));
        }
    }
    if let Some((net, len)) = text.split_once('/')
        && let (Ok(net), Ok(len)) = (net.parse::<IpAddr>(), len.parse())
        && len <= if net.is_ipv4() { 32 } else { 128 }
    {
        return Some(RulePart::Network(net, len));
    }
    if let Ok(a) = text.parse::<IpAddr>() {
        let len = if a.is_ipv4() { 32 } else { 128 };
        return Some(RulePart::Network(a, len));
    }
    if let Ok(a) = text.parse() {
        return Some(RulePart::End(a));
    }
    if let Some((a, b)) = text.split_once('-')
        && let (Ok(a), Ok(b)) = (a.parse(), b.parse())
    {
        return Some(RulePart::Pair(a, b));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::FlowKey;
    use crate::base::packet::Channel;

    /// Between 10.0.0.1:40000 and 10.0.0.2:80, or the same ends of 2001:db8::.
    fn flow(v6: bool, number: u64) -> Flow {
        let end = |host: u8, port: u16| -> (IpAddr, u16) {
            if v6 {
                ([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)].into(), port)
            } else {
                ([10, 0, 0, host].into(), port)
            }
        };
        let (key, forward_is_low) = FlowKey::new(end(1, 40000), end(2, 80), Channel::default());
        Flow {
            transport: Transport::Tcp,
            number,
            key,
            forward_is_low,
            reused: false,
            decrypted: None,
            links: Default::default(),
        }
    }

    #[test]
    fn rules_choose() {
        // 10.0.0.1:40000 > 10.0.0.2:80, number 3
        for (rule, v6, takes, streams) in [
            ("all", false, true, [true, true]),
            ("3", false, true, [true, true]),
            ("1, 2,3", false, true, [true, true]),
            ("1,2", false, false, [false, false]),
            ("10.0.0.2", false, true, [true, true]),
            ("10.0.0.3", false, false, [false, false]),
            ("10.0.0.1:40000", false, true, [true, true]),
            ("10.0.0.1:80", false, false, [false, false]),
            ("10.0.0.2:80-10.0.0.1:40000", false, true, [false, true]),
            ("10.0.0.1:40000-10.0.0.2:80", false, true, [true, false]),
            ("2001:db8::1", true, true, [true, true]),
            ("2001:db8::/32", true, true, [true, true]),
            ("2001:db9::/32", true, false, [false, false]),
            ("10.0.0.0/8", true, false, [false, false]),
            ("10.0.0.0/30", false, true, [true, true]),
            ("10.0.0.4/30", false, false, [false, false]),
            ("0.0.0.0/0", false, true, [true, true]),
            ("tcp:3", false, true, [true, true]),
            ("TCP", false, true, [true, true]),
            ("udp:3, sctp:3, udp", false, false, [false, false]),
            (":80", false, true, [true, true]),
            (":40000", false, true, [true, true]),
            (":81", false, false, [false, false]),
            (
                "[2001:db8::1]:40000-[2001:db8::2]:80",
                true,
                true,
                [true, false],
            ),
        ] {
            let flow = flow(v6, 3);
            let parsed = ConnectionRule::new(rule).unwrap();
            assert_eq!(parsed.takes(&flow), takes, "{rule}");
            let both =
                [Direction::Forward, Direction::Reverse].map(|d| parsed.takes_stream(&flow, d));
            assert_eq!(both, streams, "{rule}");
        }
        for wrong in [
            "",
            "x",
            "1;2",
            "10.0.0.1:99999",
            "10.0.0.1-10.0.0.2",
            "10.0.0.0/33",
            ":",
            "tcp:",
            "icmp:1",
        ] {
            assert!(ConnectionRule::new(wrong).is_err(), "{wrong}");
        }
    }
}
