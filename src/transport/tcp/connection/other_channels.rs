//! The channels of a connection.

use crate::base::packet::Channel;

/// Channels that are remembered of a connection, beside those of its first packets: mirrors tag each direction, or each
/// port of a switch, with one of their own.
pub(super) const OTHERS: usize = 6;
/// Channels in order of first sight; those behind the last one are the last one again.
pub(super) type OtherChannels = [Channel; OTHERS];
