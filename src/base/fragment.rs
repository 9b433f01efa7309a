//! What became of fragments of IP datagrams, for those who tell of it.

use super::packet::LinkHeader;
use super::stream::GapCause;
use std::net::IpAddr;

/// Something that happened to a datagram that came in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentEvent {
    /// Source of the datagram.
    pub src: IpAddr,
    /// Destination of the datagram.
    pub dst: IpAddr,
    /// Its identification: 16 bits of IPv4, 32 of IPv6.
    pub identification: u32,
    /// What it carries, by the number of the protocol; of IPv6 0 as long as its first fragment has not come.
    pub protocol: u8,
    /// Link header of a fragment.
    pub link: LinkHeader,
    /// What happened.
    pub what: FragmentFate,
}

/// What happened to a fragment, or to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentFate {
    /// A fragment brought nothing new.
    Duplicate {
        /// Offset of its octets in the payload of the datagram.
        offset: u32,
        /// How many there are.
        len: u32,
        /// They differ from those that were there.
        conflict: bool,
    },
    /// The datagram was given up.
    Lost {
        /// Offset of the first octet that is missing.
        offset: u32,
        /// How many are missing; None where its last fragment has not come.
        missing: Option<u32>,
        /// Why it was given up.
        cause: GapCause,
    },
}
