//! Which of several connections between the same endpoints a segment belongs to: they differ by channel (VLAN tags,
//! tunnels), and each has a number of its own in its key.

use super::Tcp;
use super::segment::Segment;
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::FlowKey;
use crate::base::limits::Channels;
use crate::base::packet::VlanTag;
use crate::base::stream::FlowState;
use crate::transport::table::FlowPlace;

/// Connections between the same endpoints at the same time, on channels that do not fit each other: each has a bit in an
/// octet.
const NUMBERS: u8 = 8;

impl<S: FlowState> Tcp<S> {
    /// Which of the connections between these endpoints a segment belongs to that came on another channel than the first
    /// one, or where there are several: its key, and its place where it exists. None: it is a copy that is left out.
    ///
    /// Channels whose numbers fit are one connection. What does not fit is looked into by the connection that was seen on
    /// its channel (a port that is used again, a jump); without one, it is a connection of its own.
    pub(super) fn choose(
        &self,
        cx: &Context,
        base: FlowKey,
        low: bool,
        segment: &Segment<'_>,
    ) -> Option<(FlowKey, Option<FlowPlace>)> {
        // By VLAN identifier only: priority bits change on the way, and a mirror may set them.
        let vlans = cx.packet.link.tags.map(VlanTag::id);
        let split = self.split.find(&base).and_then(|at| self.split.get(at));
        let numbers = split.copied().unwrap_or(1);
        let (mut fits, mut elsewhere, mut seen, mut any) = (None, None, None, None);
        for number in (0..NUMBERS).filter(|n| numbers & 1 << n != 0) {
            let key = base.numbered(number);
            let Some(place) = self.table.find(&key) else {
                continue;
            };
            let Some(connection) = self.table.get(place) else {
                continue;
            };
            let direction = connection.direction(low);
            let on = match cx.limits.channels {
                // `First` asks about one direction, as each direction may have a channel of its
                // own; `Merge` takes any channel that was ever seen.
                Channels::First => connection.may_be_on(direction, vlans),
                _ => connection.was_on(vlans),
            };
            let one = Some((key, Some(place)));
            any = any.or(one);
            match (connection.belongs(cx, direction, segment), on) {
                (true, true) => fits = fits.or(one),
                (true, false) => elsewhere = elsewhere.or(one),
                (false, true) => seen = seen.or(one),
                // Its numbers fit nothing and its channel is unknown here: it says nothing about this
                // connection.
                (false, false) => {}
            }
        }
        // Its numbers fit a connection, but on a channel that is not the first it was seen on: a mirrored copy.
        if fits.is_none() && elsewhere.is_some() && cx.limits.channels == Channels::First {
            return None;
        }
        // An acknowledgment alone opens nothing where there is a connection already: it would be empty, and stand in the way
        // of the one that it belongs to.
        let opens = segment.has(flags::SYN) || segment.payload_len > 0;
        // At most eight; more channels with numbers of their own than that fall to the last resort
        // below.
        let free = (0..NUMBERS).find(|n| {
            let key = base.numbered(*n);
            self.table.find(&key).is_none()
        });
        // A RST opens nothing.
        let anew = match free {
            Some(number) if !segment.has(flags::RST) && (opens || any.is_none()) => {
                Some((base.numbered(number), None))
            }
            _ => None,
        };
        // Numbers say more than channels: routes change, and so do tags, while a fit by chance is one in thousands.
        fits.or(elsewhere)
            .or(seen)
            .or(anew)
            .or(any)
            .or(Some((base, None)))
    }

    /// A connection has been added: remembers it where there are several between its endpoints.
    pub(super) fn split(&mut self, cx: &mut Context, key: &FlowKey) {
        // A second connection on the same ports is rare, so the bits live in a table beside the
        // flow table and cost nothing elsewhere.
        let (base, bit) = (key.numbered(0), 1_u8 << key.number().min(NUMBERS - 1));
        if let Some(at) = self.split.find(&base) {
            if let Some(numbers) = self.split.get_mut(at) {
                *numbers |= bit;
            }
        } else if bit > 1 {
            // The first one has number 0 and was never noted, as it was alone.
            let first = u8::from(self.table.find(&base).is_some());
            self.split.insert(base, first | bit);
            self.charge(cx);
        }
    }

    /// A connection has been removed: forgets what was remembered where it was one of several.
    pub(super) fn unsplit(&mut self, cx: &mut Context, key: &FlowKey) {
        if self.split.is_empty() {
            return;
        }
        if let Some(at) = self.split.find(&key.numbered(0))
            && let Some(numbers) = self.split.get_mut(at)
        {
            *numbers &= !(1 << key.number().min(NUMBERS - 1));
            // One left, and it is number 0: the look-up by key finds it without the bits.
            if *numbers <= 1 {
                self.split.remove(at);
                self.charge(cx);
            }
        }
    }
}
