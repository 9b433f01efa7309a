//! The orders of use in which connections are listed: the first of a list is the first to go.

use std::time::Duration;

/// Connections of which one side only was seen, without data: the first to go at a limit.
pub(super) const HALF_OPEN: u8 = 0;
/// Connections of which both sides were seen, without data: nothing but their place in the table is allocated for them.
pub(super) const BARE: u8 = 1;
/// Connections that something is allocated for: they have had data, mostly.
pub(super) const OPEN: u8 = 2;
/// Connections that have ended, whose key is still known.
pub(super) const CLOSED: u8 = 3;
/// The same, of which more is kept than their place in the table.
pub(super) const CLOSED_WHOLE: u8 = 4;

/// How long the key of a connection that has ended stays known, so that stray segments open nothing. Half of
/// Linux' TIME-WAIT: what is retransmitted later than that is rare.
pub(super) const LINGER: Duration = Duration::from_secs(30);
