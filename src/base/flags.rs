//! Control bits of TCP (RFC 9293, 3.1).

/// No more data from the sender.
pub const FIN: u8 = 1;
/// Synchronise sequence numbers.
pub const SYN: u8 = 2;
/// Reset the connection.
pub const RST: u8 = 4;
/// Push function.
pub const PSH: u8 = 8;
/// The acknowledgment field is significant.
pub const ACK: u8 = 16;
/// The urgent pointer is significant.
pub const URG: u8 = 32;
