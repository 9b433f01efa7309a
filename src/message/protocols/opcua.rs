//! OPC UA, binary over TCP (OPC 10000-6, 7.1.2).

use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, octet, window};
use super::super::row::ProtocolRow;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "opcua",
    about: "OPC UA, binary (OPC 10000-6)",
    ports: &[4840],
    result_last: true,
    summary: Some(summary),
    transaction: Some(|_, m| request(m)),
    #[cfg(test)]
    samples: &[
        (
            "48454c46 20000000 00000000 00000100 00000100 00000000 00000000 00000000",
            Kind::Request,
        ),
        (
            "4d534746 26000000 01000000 01000000 02000000 02000000 01007702 0000000000000000 0000",
            Kind::Request,
        ),
        (
            "4d534746 26000000 01000000 01000000 02000000 02000000 01007a02 0000000000000000 0000",
            Kind::Response,
        ),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::Field {
        at: 4,
        width: 4,
        little: true,
    },
    header: 8,
    is_plausible: |m, len| (8..1 << 28).contains(&len) && m.first_chunk().is_some_and(is_type),
    self_evident: |_| true,
    scan: Scan::By(4, |octets| window(octets, is_type)),
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opcua;

impl LengthProtocol for Opcua {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// The type of a message, and whether it is its last chunk: intermediate ones and aborts there are of secured messages alone.
fn is_type(m: &[u8; 4]) -> bool {
    matches!(
        m,
        b"HELF" | b"ACKF" | b"ERRF" | b"RHEF" | [b'M', b'S', b'G', b'F' | b'C' | b'A']
    ) || matches!(
        m,
        [b'O', b'P', b'N', b'F' | b'C' | b'A'] | [b'C', b'L', b'O', b'F' | b'C' | b'A']
    )
}

/// Services, by the number of their request's encoding (OPC 10000-6, NodeIds.csv): that of the response is three more.
const SERVICES: &[(u64, &str)] = &[
    (422, "find servers"),
    (428, "get endpoints"),
    (446, "open secure channel"),
    (452, "close secure channel"),
    (461, "create session"),
    (467, "activate session"),
    (473, "close session"),
    (527, "browse"),
    (533, "browse next"),
    (554, "translate browse paths"),
    (560, "register nodes"),
    (566, "unregister nodes"),
    (631, "read"),
    (664, "history read"),
    (673, "write"),
    (712, "call"),
    (751, "create monitored items"),
    (763, "modify monitored items"),
    (781, "delete monitored items"),
    (787, "create subscription"),
    (793, "modify subscription"),
    (799, "set publishing mode"),
    (826, "publish"),
    (832, "republish"),
    (847, "delete subscriptions"),
];
/// The response to a request that failed.
const FAULT: u64 = 397;

/// Where the number of the request stands, which its answer repeats (OPC 10000-6, 6.7.2): in the head of a sequence, behind that of
/// the channel's security, in which three texts of some length name how a channel is opened.
fn request_at(m: &[u8]) -> Option<usize> {
    let little = |at: usize| Some(u32::from_le_bytes(*m.get(at..)?.first_chunk()?));
    let sequence = match m.get(..3)? {
        b"MSG" | b"CLO" => 16,
        b"OPN" => (0..3).try_fold(12_usize, |at, _| {
            // The highest number stands for no text.
            let len = little(at)?;
            let len = if len == u32::MAX { 0 } else { len };
            at.checked_add(4)?.checked_add(usize::try_from(len).ok()?)
        })?,
        _ => return None,
    };
    sequence.checked_add(4)
}

/// What an answer repeats. A hello and what acknowledges it have no number, and come once. A channel that is closed gets no answer.
fn request(m: &[u8]) -> Option<u64> {
    match m.get(..3)? {
        b"HEL" | b"ACK" | b"ERR" => Some(u64::MAX),
        b"MSG" | b"OPN" => {
            let at = request_at(m)?;
            Some(u32::from_le_bytes(*m.get(at..)?.first_chunk()?).into())
        }
        _ => None,
    }
}

/// The service of a message that is not encrypted, and whether it is the response; None where that is not known. A part behind
/// the first chunk has none, and its octets may look like any.
fn service(m: &[u8]) -> Option<(&'static str, bool)> {
    if !(m.starts_with(b"MSG") || m.starts_with(b"OPN")) {
        return None;
    }
    // Behind the number of the request: a node of two octets' namespace and number.
    let at = request_at(m)?.checked_add(4)?;
    let [1, 0, low, high] = *m.get(at..)?.first_chunk()? else {
        return None;
    };
    let id = u64::from(u16::from_le_bytes([low, high]));
    if id == FAULT {
        return Some(("fault", true));
    }
    let known = |id| SERVICES.iter().find(|(known, _)| *known == id);
    let request = known(id).map(|(_, name)| (*name, false));
    request.or_else(|| known(id.checked_sub(3)?).map(|(_, name)| (*name, true)))
}

fn kind(m: &[u8]) -> Kind {
    match (m.get(..3), service(m)) {
        (_, Some((_, true))) | (Some(b"ACK" | b"ERR"), _) => Kind::Response,
        (_, Some((_, false))) | (Some(b"HEL"), _) => Kind::Request,
        _ => Kind::Other,
    }
}

/// The type, and the service where it can be read.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    out.push_str(match m.get(..3) {
        Some(b"HEL") => "hello",
        Some(b"ACK") => "acknowledge",
        Some(b"ERR") => "error",
        Some(b"RHE") => "reverse hello",
        Some(b"OPN") => match service(m) {
            Some((_, true)) => "open secure channel response",
            Some((_, false)) => "open secure channel request",
            None => "open secure channel",
        },
        Some(b"CLO") => "close secure channel",
        _ => "",
    });
    if m.starts_with(b"ERR") {
        let code = [octet(m, 8), octet(m, 9), octet(m, 10), octet(m, 11)];
        let _ = write!(out, " {:#010x}", u32::from_le_bytes(code));
    }
    if m.starts_with(b"MSG") {
        match service(m) {
            Some((name, false)) => {
                let _ = write!(out, "{name} request");
            }
            Some((name, true)) => {
                let _ = write!(out, "{name} response");
            }
            None => out.push_str("message"),
        }
        out.push_str(match octet(m, 3) {
            b'C' => ", more follows",
            b'A' => ", aborted",
            _ => "",
        });
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
