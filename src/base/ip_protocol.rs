//! Protocol numbers (IANA) that are known here.

/// TCP, RFC 9293.
pub const TCP: u8 = 6;
/// UDP, RFC 768.
pub const UDP: u8 = 17;
/// SCTP, RFC 9260.
pub const SCTP: u8 = 132;

pub(crate) const IPV4: u8 = 4;
pub(crate) const IPV6: u8 = 41;
pub(crate) const GRE: u8 = 47;
pub(crate) const L2TP: u8 = 115;
pub(crate) const HOP_BY_HOP: u8 = 0;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ESP: u8 = 50;
pub(crate) const AH: u8 = 51;
pub(crate) const DESTINATION_OPTIONS: u8 = 60;
