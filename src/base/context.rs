//! What every stage is handed with each packet: settings, counters, the budget, and where in the capture we are.

use crate::base::counters::{Counters, Discard};
use crate::base::flow::{Direction, Flow};
use crate::base::fragment::FragmentEvent;
use crate::base::limits::Limits;
use crate::base::packet::{LinkType, PacketInfo};
use crate::base::place::{self, Fragment, OctetOffset, RecordSpan};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, DigestKey, SampleKey};
use crate::base::time::Instant;
use crate::base::trace::{Event, EventKind, Trace};
use crate::base::upgraded::UpgradedServers;

/// Shared by all stages of one engine; plain data.
#[derive(Debug, Serialize, Deserialize)]
pub struct Context {
    /// Limits and choices, fixed for the run.
    pub limits: Limits,
    /// What was counted.
    pub counters: Counters,
    /// What is allocated for all that waits.
    pub budget: Budget,
    /// The age clock.
    pub now: Instant,
    /// The packet that is being processed: its number, time, interface and link header.
    pub packet: PacketInfo,
    /// Why the packet that is being processed, or a part of it, cannot be used: the first reason.
    pub discarded: Option<Discard>,
    /// Link types of packets that were dropped because it is not known here, in order of first sight; the first 20.
    #[serde(default)]
    pub unknown_link_types: Vec<LinkType>,
    /// Servers whose connections were upgraded.
    pub(crate) upgraded: UpgradedServers,
    /// Tells payloads apart whose octets are not kept.
    pub(crate) sample: SampleKey,
    /// Tells apart what outputs do not keep, by all octets of it.
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    pub(crate) digest: DigestKey,
    /// What the datagram was made of that the packet being processed completed. What came in one packet leaves it as it
    /// is: only an [`OctetOffset::Reassembled`] looks into it.
    #[serde(skip)]
    pub(crate) fragments: Vec<Fragment>,
    /// What became of fragments since that was told last, where it is to be told.
    #[serde(skip)]
    pub(crate) fragment_events: Vec<FragmentEvent>,
    /// What becomes of chosen connections goes here.
    #[serde(skip)]
    pub(crate) trace: Trace,
}

impl Context {
    /// A context at the beginning of a capture.
    pub fn new(limits: Limits) -> Self {
        let budget = Budget::new(limits.memory);
        Self {
            limits,
            counters: Counters::default(),
            budget,
            now: Instant::default(),
            packet: PacketInfo::default(),
            discarded: None,
            unknown_link_types: Vec::new(),
            upgraded: UpgradedServers::default(),
            sample: SampleKey::default(),
            digest: DigestKey::default(),
            fragments: Vec::new(),
            fragment_events: Vec::new(),
            trace: Trace::default(),
        }
    }

    /// Emits an event of a flow to those who trace it.
    pub(crate) fn emit(&mut self, flow: &Flow, direction: Direction, what: EventKind) {
        if self.trace.is_on() {
            self.trace.emit(&Event {
                frame: self.packet.frame,
                time: self.packet.time,
                transport: flow.transport,
                number: Some(flow.number),
                src: flow.src(direction),
                dst: flow.dst(direction),
                what,
            });
        }
    }

    /// Runs `f` while `info` is the packet that is being processed: how octets that were kept for a while are processed
    /// as what their own packet brought.
    pub(crate) fn for_packet<T>(&mut self, info: PacketInfo, f: impl FnOnce(&mut Self) -> T) -> T {
        let current = std::mem::replace(&mut self.packet, info);
        // What is discarded there is no part of the packet at hand.
        let discarded = self.discarded;
        let result = f(self);
        if self.packet.frame != current.frame {
            self.discarded = discarded;
        }
        self.packet = current;
        result
    }

    /// Emits in which packet records octets stand that came in record `frame` and begin at `offset`: in that record, or
    /// in those of the fragments that it completed a datagram of.
    #[cfg_attr(not(feature = "sink"), allow(dead_code))] // for outputs
    pub(crate) fn records_of(
        &self,
        frame: u64,
        offset: OctetOffset,
        len: usize,
        emit: &mut dyn FnMut(RecordSpan),
    ) {
        place::records_of(&self.fragments, frame, offset, len as u64, emit);
    }

    /// Counts the packet in hand as one that cannot be used.
    pub fn discard(&mut self, why: Discard) {
        self.counters.discard(why);
        self.discarded.get_or_insert(why);
    }
}
