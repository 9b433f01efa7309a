//! MTP2 peer-to-peer adaptation (RFC 4165).

use super::super::bundled;
use super::super::length::u32_at;
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "m2pa",
    ppids: &[Ppid::new(5, "MTP2 peer-to-peer adaptation (RFC 4165)")],
    user_message: Some(UserMessageRow {
        ports: &[3565],
        is_plausible: fills_user_message,
    }),
    user_message_summary: Some(summary),
    bundled: Some(length),
    ..ProtocolRow::NONE
};

/// Version 1, class 11, four octets of length, header included (RFC 4165, 2.1).
fn length(b: &[u8]) -> Option<u64> {
    let len = u32_at(b, 4)?;
    (b.first() == Some(&1) && b.get(2) == Some(&11) && len >= 8).then_some(len.into())
}

/// M2PA messages in a row.
fn fills_user_message(data: &[u8], whole: bool) -> bool {
    bundled::is_plausible(length, |_| true, data, whole)
}

/// A few words on each message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    bundled::summary(length, one_line, m, out)
}

/// Type, sequence numbers or status (RFC 4165, 2).
fn one_line(b: &[u8], out: &mut String) -> Option<()> {
    length(b)?;
    let backward = u32_at(b, 8)? & 0x00ff_ffff;
    let forward = u32_at(b, 12)? & 0x00ff_ffff;
    let _ = match b.get(3)? {
        1 => write!(out, "User Data FSN {forward} BSN {backward}"),
        2 => {
            let state = match u32_at(b, 16) {
                Some(1) => "Alignment",
                Some(2) => "Proving Normal",
                Some(3) => "Proving Emergency",
                Some(4) => "Ready",
                Some(5) => "Processor Outage",
                Some(6) => "Processor Recovered",
                Some(7) => "Busy",
                Some(8) => "Busy Ended",
                Some(9) => "Out of Service",
                _ => "unknown",
            };
            write!(out, "Link Status {state}")
        }
        kind => write!(out, "type {kind}"),
    };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::super::bundled::Bundle;
    use super::*;

    #[test]
    fn a_user_message_bundles_several() {
        let one = [1, 0, 11, 1, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 5, 9, 9, 9, 9];
        let twice = [one, one].concat();
        let found = |octets| -> Vec<_> {
            let all = Bundle::new(length, octets);
            all.map(|m| (m.offset, m.len, m.data.len())).collect()
        };
        assert_eq!(found(&twice), [(0, 20, 20), (20, 20, 20)]);
        assert_eq!(found(&twice[..30]), [(0, 20, 20), (20, 20, 10)]);
    }
}
