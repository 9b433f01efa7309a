//! A connection that has had data and is quiet, as it is kept until its next packet where there are many: a tenth of what it takes
//! while it is in use.

use super::{Buffers, Connection};
use crate::base::flow::{Flow, FlowKey, Transport};
use crate::base::packet::LinkHeader;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Packer, allocated, unpack};
use crate::base::stream::FlowState;
use crate::base::time::Instant;

/// Octets that a packed connection has at most: from there on little would be gained.
// A connection in use takes twice as many and more.
const MOST: usize = 512;
/// When the last packet came, and how many octets of bits follow: both are read without the rest.
const HEAD: usize = 8 + 2;

/// A connection, written out.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::transport::tcp) struct PackedConnection(Box<[u8]>);

impl PackedConnection {
    /// The connection in this form: not where something waits in it, is held or is waited for, or where it has ended, or has
    /// not had data. `charged`: octets that the budget knows of in what the sink keeps with it, and what that is; None where it
    /// may not be packed.
    ///
    /// What it was made of is to be dropped, and may have changed.
    pub(in crate::transport::tcp) fn of<S: FlowState>(
        c: &mut Connection<S>,
        packer: &mut Packer,
        charged: impl FnOnce(&S) -> Option<usize>,
    ) -> Option<(Self, usize)> {
        let last = c.last;
        let quiet = !c.closed && c.armed.is_none() && c.held().is_empty();
        let buffers = c.buffers.as_mut().filter(|_| quiet)?;
        if !buffers.is_quiet() {
            return None;
        }
        let charged = charged(&buffers.state)?;
        // What stands in the table, in the connection or in the other direction is not written a second time.
        let kept = (buffers.flow, c.last);
        let [there, back] = &mut buffers.flow.links;
        let mirrored = *back == turned(there);
        if mirrored {
            *back = LinkHeader::default();
        }
        buffers.flow = Flow {
            links: buffers.flow.links,
            ..unknown()
        };
        c.last = Instant::default();
        let near = last.as_nanos();
        let packed = packer.pack(&(mirrored, charged, &*c), near, MOST);
        let Some((bits, octets)) = packed else {
            c.last = kept.1;
            if let Some(buffers) = &mut c.buffers {
                buffers.flow = kept.0;
            }
            return None;
        };
        let len = u16::try_from(bits.len()).ok()?;
        let mut all = Vec::with_capacity(HEAD + bits.len() + octets.len());
        all.extend(near.to_le_bytes());
        all.extend(len.to_le_bytes());
        all.extend_from_slice(bits);
        all.extend_from_slice(octets);
        Some((Self(all.into_boxed_slice()), charged))
    }

    /// The connection, whose key is `key`, and how many octets the budget knows of in what the sink keeps with it. None where
    /// a state that was read back is damaged.
    pub(in crate::transport::tcp) fn connection<S: FlowState>(
        &self,
        key: &FlowKey,
    ) -> Option<(Connection<S>, usize)> {
        let (head, behind) = self.0.split_first_chunk::<HEAD>()?;
        let near = self.last_used();
        let len = usize::from(u16::from_le_bytes([head[8], head[9]]));
        let (bits, octets) = behind.split_at_checked(len)?;
        let (mirrored, charged, mut c): (bool, usize, Connection<S>) =
            unpack(bits, octets, near.as_nanos())?;
        c.last = near;
        let buffers = c.buffers.as_mut()?;
        let [there, mut back] = buffers.flow.links;
        if mirrored {
            back = turned(&there);
        }
        buffers.flow = Flow {
            transport: Transport::Tcp,
            number: c.number,
            key: *key,
            forward_is_low: c.forward_is_low,
            reused: c.reused,
            decrypted: None,
            links: [there, back],
        };
        Some((c, charged))
    }

    /// When its last packet came.
    pub(in crate::transport::tcp) fn last_used(&self) -> Instant {
        let near = self.0.first_chunk().copied().unwrap_or_default();
        Instant::from_nanos(u64::from_le_bytes(near))
    }

    /// Octets that it takes beside its place in the table.
    pub(in crate::transport::tcp) const fn size(&self) -> usize {
        allocated(self.0.len())
    }

    /// Octets that a connection with data takes beside its place in the table, without what the sink keeps.
    pub(in crate::transport::tcp) const fn unpacked<S>() -> usize {
        allocated(size_of::<Connection<S>>()) + allocated(size_of::<Buffers<S>>())
    }
}

impl<S> Buffers<S> {
    /// Nothing waits, nobody is waited for, and the sink does not want to be woken.
    fn is_quiet(&self) -> bool {
        self.waiting.iter().all(|w| w.is_empty())
            && self.marks.iter().all(Vec::is_empty)
            && self.looking.iter().all(|(held, _)| *held == 0)
            && self.blocked == [None; 2]
            && self.damaged.is_none()
            && self.wake.is_none()
    }
}

/// A flow of which nothing is known.
fn unknown() -> Flow {
    Flow {
        transport: Transport::Tcp,
        number: 0,
        key: FlowKey::default(),
        forward_is_low: false,
        reused: false,
        decrypted: None,
        links: Default::default(),
    }
}

/// The link header of the other direction.
const fn turned(link: &LinkHeader) -> LinkHeader {
    LinkHeader {
        dst: link.src,
        src: link.dst,
        tags: link.tags,
    }
}
