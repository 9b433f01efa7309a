//! What will become of a data chunk, for `--trace`: asked before it is taken, so that what it brings about is told behind it.

use super::{DataChunk, Inflow, JUMP_WITNESS, jump, low};
use crate::base::chunk_trace::DataFate;
use crate::base::limits::Limits;
use crate::base::serial::Tsn;

impl Inflow {
    /// What [`Inflow::data`] will make of it.
    pub(in super::super) fn fate(&self, limits: &Limits, c: &DataChunk<'_>) -> DataFate {
        if c.len == 0 {
            return DataFate::Empty;
        }
        if !self.started {
            return match limits.look_behind_segments {
                0 => DataFate::InOrder,
                _ => DataFate::LookedBehind,
            };
        }
        let tsn = self.unwrap(c.tsn);
        let far = jump(limits);
        if tsn.abs_diff(self.next) > far && tsn.abs_diff(self.top) > far {
            let witness = self.jump.as_ref().map(|held| Tsn(c.tsn).diff(Tsn(held.1)));
            return match witness {
                Some(0) => DataFate::Duplicate,
                Some(near) if near.unsigned_abs() <= JUMP_WITNESS.unsigned_abs() => {
                    DataFate::ConfirmsJump
                }
                _ => DataFate::HeldJump,
            };
        }
        if self.ranges.iter().any(|r| (r.start..r.end).contains(&tsn)) {
            return DataFate::Duplicate;
        }
        if self.look.is_some() {
            return DataFate::LookedBehind;
        }
        if tsn < self.base {
            return DataFate::BeforeStart;
        }
        if tsn < self.next {
            let i = self.given_up.partition_point(|g| g.1 <= tsn);
            return match self.given_up.get(i).is_some_and(|g| g.0 <= tsn) {
                true => DataFate::Late,
                false => DataFate::Duplicate,
            };
        }
        match self.ranges.front() {
            None if tsn == self.next => DataFate::InOrder,
            Some(_) if tsn < self.top => DataFate::Fills,
            front => {
                let end = front.map_or(tsn, |r| r.start);
                DataFate::Behind {
                    hole: low(self.next),
                    tsns: end.saturating_sub(self.next),
                }
            }
        }
    }
}
