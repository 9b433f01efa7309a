//! Servers whose connections were upgraded to another protocol.

use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, tree};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Servers that are remembered, at most.
// Nothing but a hint hangs on it: of more of them the connections that began before the capture are found by content alone.
const SERVERS: usize = 4096;

/// To what connections of each server were upgraded: one whose handshake is lost was, too.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct UpgradedServers {
    protocols: BTreeMap<SocketAddr, Name>,
    /// Octets drawn on the budget.
    booked: usize,
}

impl UpgradedServers {
    /// A connection of this server was upgraded to this protocol.
    pub(crate) fn note(&mut self, server: SocketAddr, protocol: Name, budget: &mut Budget) {
        if self.protocols.len() < SERVERS {
            self.protocols.insert(server, protocol);
            self.book(budget);
        }
    }

    /// There are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.protocols.is_empty()
    }

    /// To what connections of this server were upgraded.
    pub(crate) fn protocol(&self, server: SocketAddr) -> Option<Name> {
        self.protocols.get(&server).copied()
    }

    /// Forgets all of them and gives their memory back: the input has ended.
    pub(crate) fn flush(&mut self, budget: &mut Budget) {
        self.protocols = BTreeMap::new();
        self.book(budget);
    }

    fn book(&mut self, budget: &mut Budget) {
        let size = tree::<SocketAddr, Name>(self.protocols.len());
        budget.rebook(&mut self.booked, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_few_and_booked() {
        let (mut servers, mut budget) = (UpgradedServers::default(), Budget::new(1 << 20));
        let server = |n: usize| SocketAddr::from(([10, 0, 0, 1], u16::try_from(n).unwrap()));
        let name = Name::of("websocket");
        for n in 0..=SERVERS {
            servers.note(server(n), name, &mut budget);
        }
        assert_eq!(servers.protocol(server(SERVERS - 1)), Some(name));
        assert_eq!(servers.protocol(server(SERVERS)), None);
        assert!(budget.used() >= SERVERS * size_of::<(SocketAddr, Name)>());
        servers.flush(&mut budget);
        assert!(servers.is_empty() && budget.used() == 0);
    }
}
