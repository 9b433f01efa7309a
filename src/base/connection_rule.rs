//! `--connection`: which connections are written.

use crate::base::flow::{Direction, Flow, Transport};
use std::net::{IpAddr, SocketAddr};

/// A rule that chooses connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionRule(Vec<RulePart>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum RulePart {
    All,
    Number(u64),
    Address(IpAddr),
    End(SocketAddr),
    Pair(SocketAddr, SocketAddr),
}

impl ConnectionRule {
    /// Takes a list, parted by commas: numbers as `--print` shows them, `all`, an address, `address:port`, `A:p-B:p`;
    /// IPv6 addresses stand in brackets where a port follows.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn new(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(part)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The connection is chosen.
    pub fn takes(&self, flow: &Flow) -> bool {
        let (a, b) = (flow.src(Direction::Forward), flow.dst(Direction::Forward));
        self.takes_ends(Some(flow.number), a, b)
    }

    /// The stream is chosen: `A:p-B:p` means the one from A to B, all others mean both. A number means a connection, of TCP
    /// or SCTP: datagrams have numbers of their own, and would stand between its octets.
    pub fn takes_stream(&self, flow: &Flow, direction: Direction) -> bool {
        let (a, b) = (flow.src(direction), flow.dst(direction));
        let number = (flow.transport != Transport::Udp).then_some(flow.number);
        self.takes_from(number, a, b)
    }

    /// The connection with this number, if it has one, between these endpoints is chosen.
    pub(crate) fn takes_ends(&self, number: Option<u64>, a: SocketAddr, b: SocketAddr) -> bool {
        self.takes_from(number, a, b) || self.takes_from(number, b, a)
    }

    fn takes_from(&self, number: Option<u64>, a: SocketAddr, b: SocketAddr) -> bool {
        self.0.iter().any(|part| match *part {
            RulePart::All => true,
            RulePart::Number(n) => Some(n) == number,
            RulePart::Address(x) => a.ip() == x || b.ip() == x,
            RulePart::End(x) => a == x || b == x,
            RulePart::Pair(x, y) => (a, b) == (x, y),
        })
    }
}

fn part(text: &str) -> Result<RulePart, String> {
    let text = text.trim();
    if text == "all" {
        return Ok(RulePart::All);
    }
    if let Ok(n) = text.parse() {
        return Ok(RulePart::Number(n));
    }
    if let Ok(a) = text.parse() {
        return Ok(RulePart::Address(a));
    }
    if let Ok(a) = text.parse() {
        return Ok(RulePart::End(a));
    }
    if let Some((a, b)) = text.split_once('-')
        && let (Ok(a), Ok(b)) = (a.parse(), b.parse())
    {
        return Ok(RulePart::Pair(a, b));
    }
    Err(format!(
        "{text:?}: expected a number, all, an address, address:port or A:p-B:p (IPv6 as [::1]:80)"
    ))
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
        for wrong in ["", "x", "1;2", "10.0.0.1:99999", "10.0.0.1-10.0.0.2"] {
            assert!(ConnectionRule::new(wrong).is_err(), "{wrong}");
        }
    }
}
