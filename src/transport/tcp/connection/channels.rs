//! On which channels (VLANs, tunnels) a connection was seen.

use super::Connection;
use super::other_channels::OTHERS;
use super::stream_state::SEEN;
use crate::base::flow::Direction;
use crate::base::packet::{Channel, PacketInfo, VlanTag};

impl<S> Connection<S> {
    /// The first packet of this direction, or of the other one where none has come yet, had these tags and came through
    /// this tunnel: the common case.
    pub(in crate::transport::tcp) fn is_on(&self, d: Direction, packet: &PacketInfo) -> bool {
        let seen = self.streams[d.index()].is(SEEN);
        let i = if seen { d } else { d.flip() }.index();
        self.tags[i] == packet.link.tags && self.tunnels[i] == packet.tunnel
    }

    /// The first packet of this direction had no tags and came through no tunnel.
    #[inline(always)] // on every segment's way
    pub(in crate::transport::tcp) fn is_on_plain(&self, d: Direction) -> bool {
        const NONE: VlanTag = VlanTag { tpid: 0, tci: 0 };
        matches!(self.tags[d.index()], [NONE, NONE]) && self.tunnels[d.index()] == 0
    }

    /// Packets of it, in any direction, have come on this channel.
    pub(in crate::transport::tcp) fn was_on(&self, channel: Channel) -> bool {
        [0, 1]
            .into_iter()
            .any(|i| self.streams[i].is(SEEN) && self.first_channel(i) == channel)
            || self
                .extras
                .as_ref()
                .and_then(|extras| extras.channels)
                .is_some_and(|c| c.contains(&channel))
    }

    /// The first packet of this direction came on this channel, or none has come yet.
    pub(in crate::transport::tcp) fn may_be_on(&self, d: Direction, channel: Channel) -> bool {
        let i = d.index();
        !self.streams[i].is(SEEN) || self.first_channel(i) == channel
    }

    /// The channel of a direction's first packet.
    fn first_channel(&self, i: usize) -> Channel {
        Channel {
            vlans: self.tags[i].map(VlanTag::id),
            tunnel: self.tunnels[i],
        }
    }

    /// Remembers on which channel a packet came.
    pub(super) fn note(&mut self, d: Direction, packet: &PacketInfo) {
        let i = d.index();
        let tags = packet.link.tags;
        if !self.streams[i].is(SEEN) {
            self.streams[i].set(SEEN);
            self.tags[i] = tags;
            self.tunnels[i] = packet.tunnel;
            return;
        }
        if self.tags[i] == tags && self.tunnels[i] == packet.tunnel {
            return;
        }
        let channel = packet.channel();
        if self.was_on(channel) {
            return;
        }
        let extras = self.extras.get_or_insert_default();
        match &mut extras.channels {
            None => extras.channels = Some([channel; OTHERS]),
            Some(known) => {
                let last = known[OTHERS - 1];
                if let Some(i) = known.iter().position(|c| *c == last) {
                    known[i + 1..].fill(channel);
                }
            }
        }
    }
}
