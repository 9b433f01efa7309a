//! Non-access stratum messages, as the protocols of radio access networks carry them: what a phone and the core network say to each
//! other (3GPP TS 24.007, TS 24.301, TS 24.501).

/// Names of messages, from the first type on; an empty one is not assigned.
struct Names {
    first: u8,
    names: &'static [&'static str],
}

impl Names {
    fn of(&self, message: u8) -> Option<&'static str> {
        let place = message.checked_sub(self.first)?;
        let name = self.names.get(usize::from(place)).copied();
        name.filter(|name| !name.is_empty())
    }
}

/// Mobility of 4G (TS 24.301, table 9.8.1).
const EMM: Names = Names {
    first: 0x41,
    names: &[
        "Attach request",
        "Attach accept",
        "Attach complete",
        "Attach reject",
        "Detach request",
        "Detach accept",
        "",
        "Tracking area update request",
        "Tracking area update accept",
        "Tracking area update complete",
        "Tracking area update reject",
        "Extended service request",
        "Control plane service request",
        "Service reject",
        "Service accept",
        "GUTI reallocation command",
        "GUTI reallocation complete",
        "Authentication request",
        "Authentication response",
        "Authentication reject",
        "Identity request",
        "Identity response",
        "",
        "",
        "",
        "",
        "",
        "Authentication failure",
        "Security mode command",
        "Security mode complete",
        "Security mode reject",
        "EMM status",
        "EMM information",
        "Downlink NAS transport",
        "Uplink NAS transport",
        "CS service notification",
    ],
};

/// Sessions of 4G (TS 24.301, table 9.8.2).
const ESM: Names = Names {
    first: 0xc1,
    names: &[
        "Activate default EPS bearer context request",
        "Activate default EPS bearer context accept",
        "Activate default EPS bearer context reject",
        "",
        "Activate dedicated EPS bearer context request",
        "Activate dedicated EPS bearer context accept",
        "Activate dedicated EPS bearer context reject",
        "",
        "Modify EPS bearer context request",
        "Modify EPS bearer context accept",
        "Modify EPS bearer context reject",
        "",
        "Deactivate EPS bearer context request",
        "Deactivate EPS bearer context accept",
        "",
        "PDN connectivity request",
        "PDN connectivity reject",
        "PDN disconnect request",
        "PDN disconnect reject",
        "Bearer resource allocation request",
        "Bearer resource allocation reject",
        "Bearer resource modification request",
        "Bearer resource modification reject",
        "",
        "ESM information request",
        "ESM information response",
        "Notification",
    ],
};

/// Mobility of 5G (TS 24.501, table 9.7.1).
const FIVE_GMM: Names = Names {
    first: 0x41,
    names: &[
        "Registration request",
        "Registration accept",
        "Registration complete",
        "Registration reject",
        "Deregistration request",
        "Deregistration accept",
        "Deregistration request",
        "Deregistration accept",
        "",
        "",
        "",
        "Service request",
        "Service reject",
        "Service accept",
        "Control plane service request",
        "",
        "",
        "",
        "",
        "Configuration update command",
        "Configuration update complete",
        "Authentication request",
        "Authentication response",
        "Authentication reject",
        "Authentication failure",
        "Authentication result",
        "Identity request",
        "Identity response",
        "Security mode command",
        "Security mode complete",
        "Security mode reject",
        "",
        "",
        "",
        "",
        "5GMM status",
        "Notification",
        "Notification response",
        "UL NAS transport",
        "DL NAS transport",
    ],
};

/// What stands in front of a message whose integrity is protected: a type, a code of four octets and a number.
const PROTECTED: usize = 6;

/// The name of a message of 4G, and of that of the session in it; None where it is not known, or is ciphered.
pub(super) fn eps(m: &[u8]) -> Option<(&'static str, Option<&'static str>)> {
    let (first, rest) = m.split_first()?;
    match (first & 15, first >> 4) {
        // Sessions (TS 24.007, 11.2.3.1.1): their transaction stands ahead of the type.
        (2, _) => Some((ESM.of(*rest.get(1)?)?, None)),
        (7, 0) => {
            let name = EMM.of(*rest.first()?)?;
            let session = session(rest).and_then(|m| Some(eps(m)?.0));
            Some((name, session))
        }
        // A short form, which says no more than that it is one (TS 24.301, 8.2.25).
        (7, 12) => Some(("Service request", None)),
        // Behind protection stands a message without it. Octets that were ciphered seldom look like one.
        (7, 1..=4) => eps(m.get(PROTECTED..).filter(|m| m[..1] != [*first])?),
        _ => None,
    }
}

/// The message of a session in one that attaches (TS 24.301, 8.2.1, 8.2.2, 8.2.4). The octets begin with the type.
fn session(m: &[u8]) -> Option<&[u8]> {
    let mut rest = m.get(1..)?;
    let mut skip = |octets: usize, values: usize| {
        rest = rest.get(octets..)?;
        for _ in 0..values {
            rest = rest.get(1 + usize::from(*rest.first()?)..)?;
        }
        Some(())
    };
    match m.first()? {
        // Identity and abilities.
        0x41 => skip(1, 2)?,
        // The timer, and the areas.
        0x42 => skip(2, 1)?,
        0x43 => {}
        _ => return None,
    }
    let (len, rest) = rest.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*len)))
}

/// The name of a message of 5G; None where it is not known, or is ciphered.
pub(super) fn five_g(m: &[u8]) -> Option<(&'static str, Option<&'static str>)> {
    match *m {
        [0x7e, 0, message, ..] => Some((FIVE_GMM.of(message)?, None)),
        // The type of protection, the code, the number.
        [0x7e, 1..=4, _, _, _, _, _, ref inner @ ..] if inner.get(1) == Some(&0) => five_g(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_named() {
        let attach = b"\x07\x41\x71\x02\xaa\xbb\x01\xcc\0\x04\x02\x01\xd0\x11";
        for (octets, expected) in [
            (
                &attach[..],
                Some(("Attach request", Some("PDN connectivity request"))),
            ),
            (&attach[..8], Some(("Attach request", None))),
            (b"\x07\x52\0", Some(("Authentication request", None))),
            (
                b"\x17\x01\x02\x03\x04\x05\x07\x5e",
                Some(("Security mode complete", None)),
            ),
            (
                b"\x27\x01\x02\x03\x04\x05\x07\x43\0\x03\x52\0\xc2",
                Some((
                    "Attach complete",
                    Some("Activate default EPS bearer context accept"),
                )),
            ),
            (b"\x27\x01\x02\x03\x04\x05\x9e\x5e", None),
            (
                b"\x17\x01\x02\x03\x04\x05\x17\x01\x02\x03\x04\x05\x07\x5e",
                None,
            ),
            (b"\xc7\x01\x02\x03", Some(("Service request", None))),
            (b"\x02\x01\xda", Some(("ESM information response", None))),
            (b"\x07\x47", None),
            (b"\x07", None),
            (b"", None),
        ] {
            assert_eq!(eps(octets), expected, "{octets:02x?}");
        }
        for (octets, expected) in [
            (&b"\x7e\0\x41\x79"[..], Some("Registration request")),
            (
                b"\x7e\x03\x01\x02\x03\x04\x05\x7e\0\x5d",
                Some("Security mode command"),
            ),
            (b"\x7e\x02\x01\x02\x03\x04\x05\x99\0\x5d", None),
            (b"\x7e\x02\x01\x02\x03\x04\x05\x7e\x02\x5d", None),
            (b"\x2e\0\x41", None),
            (b"\x7e\0", None),
        ] {
            assert_eq!(
                five_g(octets).map(|(name, _)| name),
                expected,
                "{octets:02x?}"
            );
        }
    }
}
