//! Diameter (RFC 6733).

use super::super::bundled;
use super::super::fields::MessageFields;
use super::super::length::{
    LengthProtocol, LengthRow, Scan, field, number, octet, response_if, u32_at, window,
};
use super::super::row::{Ppid, ProtocolRow, UserMessageRow};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "diameter",
    // The identifier and the command, which an answer has in common with its request (RFC 6733, 3).
    transaction: Some(|_, m| Some(number(m, 5, 3) << 32 | number(m, 12, 4))),
    one_answer: true,
    kind: Some(FORMAT.kind),
    about: "Diameter (RFC 6733)",
    ports: &[3868],
    ppids: &[Ppid::new(46, "Diameter (RFC 6733)")],
    bundled: Some(length),
    user_message: Some(UserMessageRow {
        ports: &[],
        is_plausible: fills_user_message,
    }),
    user_message_summary: Some(summary),
    result_last: true,
    summary: Some(summary),
    fields: Some(fields),
    field_names: &[
        "command",
        "code",
        "application",
        "application_id",
        "result",
        "hop_by_hop",
    ],
    #[cfg(test)]
    samples: &[(
        "0100001c 80000118 00000000 00000001 00000002 00000108 40000008",
        Kind::Request,
    )],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(1, 3),
    magic: Some((0, &[1])),
    header: 28,
    is_plausible,
    self_evident: |_| true,
    scan: Scan::By(5, |octets| {
        window(octets, |o: &[u8; 5]| {
            o[0] == 1 && o[3] & 3 == 0 && o[4] & 0xf == 0
        })
    }),
    chain: 2,
    kind: |m| response_if(octet(m, 4) & 0x80 == 0),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Diameter;

impl LengthProtocol for Diameter {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// RFC 6733, 3 and 4.1.
fn is_plausible(m: &[u8], len: u64) -> bool {
    let flags = octet(m, 4);
    let application = number(m, 8, 4);
    let known = application < 0x100 || application >> 24 == 1 || application == 0xffff_ffff;
    // An error is an answer.
    let sound = flags & 0x0f == 0 && flags & 0xa0 != 0xa0 && number(m, 5, 3) > 0;
    let avp = if len > 20 {
        let avp_len = number(m, 25, 3);
        len >= 28 && avp_len >= 8 && avp_len <= len - 20 && octet(m, 24) & 0x1f == 0
    } else {
        len == 20
    };
    len.is_multiple_of(4) && known && sound && avp
}

/// The length by the header alone, as user messages bundle it: version 1, three octets of length, header included (RFC 6733,
/// 3).
fn length(b: &[u8]) -> Option<u64> {
    let word = u32_at(b, 0)?;
    let len = word & 0x00ff_ffff;
    (word >> 24 == 1 && len >= 20 && len % 4 == 0).then_some(len.into())
}

/// Diameter messages in a row and nothing else: what the PPID does not say.
fn fills_user_message(data: &[u8], whole: bool) -> bool {
    // The last four bits of the flags are reserved (RFC 6733, 3).
    let sound = |m: &[u8]| m.get(4).is_some_and(|flags| flags & 0x0f == 0);
    bundled::is_plausible(length, sound, data, whole)
}

/// A few words on each message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    bundled::summary(length, one_line, m, out)
}

/// Command, application, what the flags say, and the result (RFC 6733, 3).
fn one_line(b: &[u8], out: &mut String) -> Option<()> {
    length(b)?;
    let word = u32_at(b, 4)?;
    let application = u32_at(b, 8)?;
    let code = word & 0x00ff_ffff;
    let way = if word >> 31 == 1 { "Request" } else { "Answer" };
    let name = command_name(code);
    let _ = write!(out, "{name} {way} ({code})");
    let _ = match application_name(application) {
        Some(known) => write!(out, ", {known} ({application})"),
        None => write!(out, ", application {application}"),
    };
    if let Some(result) = result_code(b.get(20..)?) {
        let _ = write!(out, ", result {result}");
    }
    for (bit, text) in [(1 << 29, ", error"), (1 << 28, ", retransmitted")] {
        if word & bit != 0 {
            out.push_str(text);
        }
    }
    Some(())
}

/// What a command is called (IANA, "AAA Parameters").
const fn command_name(code: u32) -> &'static str {
    match code {
        257 => "Capabilities-Exchange",
        258 => "Re-Auth",
        265 => "AA",
        268 => "Diameter-EAP",
        271 => "Accounting",
        272 => "Credit-Control",
        274 => "Abort-Session",
        275 => "Session-Termination",
        280 => "Device-Watchdog",
        282 => "Disconnect-Peer",
        300 => "User-Authorization",
        301 => "Server-Assignment",
        302 => "Location-Info",
        303 => "Multimedia-Auth",
        304 => "Registration-Termination",
        305 => "Push-Profile",
        306 => "User-Data",
        307 => "Profile-Update",
        308 => "Subscribe-Notifications",
        309 => "Push-Notification",
        316 => "Update-Location",
        317 => "Cancel-Location",
        318 => "Authentication-Information",
        319 => "Insert-Subscriber-Data",
        320 => "Delete-Subscriber-Data",
        321 => "Purge-UE",
        322 => "Reset",
        323 => "Notify",
        324 => "ME-Identity-Check",
        _ => "command",
    }
}

/// What of the first message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let (Some(word), Some(application)) = (u32_at(m, 4), u32_at(m, 8)) else {
        return;
    };
    let code = word & 0x00ff_ffff;
    to.text("command", command_name(code).as_bytes());
    to.number("code", code.into());
    if let Some(name) = application_name(application) {
        to.text("application", name.as_bytes());
    }
    to.number("application_id", application.into());
    to.number("hop_by_hop", number(m, 12, 4));
    if let Some(result) = m.get(20..).and_then(result_code) {
        to.number("result", result.into());
    }
}

/// What operators call an application (IANA, "AAA Parameters").
const fn application_name(id: u32) -> Option<&'static str> {
    Some(match id {
        0 => "base",
        1 => "NASREQ",
        3 => "accounting",
        4 => "Gy",
        5 => "EAP",
        16_777_216 => "Cx",
        16_777_217 => "Sh",
        16_777_236 => "Rx",
        16_777_238 => "Gx",
        16_777_250 => "STa",
        16_777_251 => "S6a",
        16_777_252 => "S13",
        16_777_255 => "SLg",
        16_777_264 => "SWm",
        16_777_265 => "SWx",
        16_777_266 => "Gxx",
        16_777_267 => "S9",
        16_777_272 => "S6b",
        16_777_291 => "SLh",
        16_777_303 => "Sd",
        16_777_308 => "S7a",
        16_777_312 => "S6c",
        16_777_313 => "SGd",
        16_777_345 => "S6t",
        16_777_346 => "T6a",
        u32::MAX => "relay",
        _ => return None,
    })
}

/// The value of Result-Code, or of Experimental-Result-Code, among these AVPs (RFC 6733, 4.1, 7.1, 7.6).
fn result_code(mut avps: &[u8]) -> Option<u32> {
    loop {
        let (code, word) = (u32_at(avps, 0)?, u32_at(avps, 4)?);
        let head = if word >> 31 == 1 { 12 } else { 8 };
        let len = usize::try_from(word & 0x00ff_ffff).ok()?;
        match code {
            268 | 298 => return u32_at(avps, head),
            // Grouped: what is inside is looked at next.
            297 => avps = avps.get(head..)?,
            _ => avps = avps.get(len.max(head).next_multiple_of(4)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::bundled::Bundle;
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }

    fn message(code: u32, request: bool, len: usize) -> Vec<u8> {
        let mut m = (1 << 24 | u32::try_from(len).unwrap())
            .to_be_bytes()
            .to_vec();
        m.extend((u32::from(request) << 31 | code).to_be_bytes());
        m.extend(16_777_238u32.to_be_bytes());
        m.resize(len, 7);
        m
    }

    #[test]
    fn a_user_message_bundles_several() {
        let both = [message(272, true, 40), message(272, false, 24)].concat();
        // (octets; offset, length and octets of each)
        type Case<'a> = (&'a [u8], &'a [(usize, u64, usize)]);
        let cases: &[Case<'_>] = &[
            (&both, &[(0, 40, 40), (40, 24, 24)]),
            (&both[..50], &[(0, 40, 40), (40, 24, 10)]),
            (&both[..43], &[(0, 40, 40), (40, 3, 3)]),
            (&both[..60], &[(0, 40, 40), (40, 24, 20)]),
            (b"none of it", &[(0, 10, 10)]),
            (&[], &[]),
            (&[1, 0, 0, 0, 0], &[(0, 5, 5)]),
        ];
        for (octets, expected) in cases {
            let found: Vec<_> = Bundle::new(length, octets)
                .map(|m| {
                    assert_eq!(&octets[m.offset..m.offset + m.data.len()], m.data);
                    (m.offset, m.len, m.data.len())
                })
                .collect();
            assert_eq!(&found[..], *expected, "{octets:?}");
        }
    }

    #[test]
    fn a_few_words_on_each() {
        let two = [message(272, true, 40), message(9, false, 24)].concat();
        // Experimental-Result behind an AVP of nine octets.
        let words: [u32; 15] = [
            1 << 24 | 60,
            0x2000_0000 | 316,
            16_777_251,
            1,
            1,
            263,
            0x40 << 24 | 9,
            0x6100_0000,
            297,
            0x40 << 24 | 28,
            266,
            0x40 << 24 | 8,
            298,
            0x40 << 24 | 12,
            5004,
        ];
        let failed = words.map(u32::to_be_bytes).concat();
        for (octets, expected) in [
            (
                &two[..],
                "Credit-Control Request (272), Gx (16777238) + command Answer (9), Gx (16777238)",
            ),
            (
                &failed,
                "Update-Location Answer (316), S6a (16777251), result 5004, error",
            ),
            (&[0; 30], ""),
        ] {
            assert_eq!(said(summary, Transport::Sctp, octets), expected);
        }
        let many = message(280, false, 20).repeat(10);
        let line = said(summary, Transport::Sctp, &many);
        assert_eq!(line.matches("Device-Watchdog Answer (280)").count(), 8);
        assert!(line.ends_with(" + 2 more"), "{line}");
    }
}
