//! Of which protocol an SCTP user message is: what the user says, else its PPID, else, where the PPID names nothing (some
//! stacks leave it 0), its ports and its octets.

use super::rules::Rules;
use super::{NO_PROTOCOL, bundled};
use crate::base::flow::Transport;
use crate::transport::sctp::{UserMessage, ppid};

/// A protocol that is looked for where the PPID says nothing.
struct Row {
    name: &'static str,
    /// Looked for on these only; on any port where there are none.
    ports: &'static [u16],
    /// The octets can be such a message: they, and whether that is all of it.
    holds: fn(&[u8], bool) -> bool,
}

/// The ports are those that IANA has assigned to the protocol over SCTP.
const ROWS: &[Row] = &[
    row("diameter", &[], bundled::is_diameter),
    row("m2ua", &[2904], bundled::is_adaptation),
    row("m3ua", &[2905], bundled::is_adaptation),
    row("v5ua", &[5675], bundled::is_adaptation),
    row("iua", &[9900], bundled::is_adaptation),
    row("sua", &[14001], bundled::is_adaptation),
    row("m2pa", &[3565], bundled::is_m2pa),
    row("s1ap", &[36412], bundled::is_elementary),
    row("x2ap", &[36422], bundled::is_elementary),
    row("m2ap", &[36443], bundled::is_elementary),
    row("m3ap", &[36444], bundled::is_elementary),
    row("ngap", &[38412], bundled::is_elementary),
    row("xnap", &[38422], bundled::is_elementary),
    row("e1ap", &[38462], bundled::is_elementary),
    row("f1ap", &[38472], bundled::is_elementary),
    row("sbcap", &[29168], bundled::is_elementary),
    row("hnbap", &[29169], bundled::is_elementary),
    row("megaco", &[2944], |b, _| {
        b.starts_with(b"MEGACO/") || b.starts_with(b"!/")
    }),
    row("http", &[80, 8080], |b, _| {
        b.starts_with(b"HTTP/1.") || b.starts_with(b"GET /") || b.starts_with(b"POST /")
    }),
];

const fn row(name: &'static str, ports: &'static [u16], holds: fn(&[u8], bool) -> bool) -> Row {
    Row { name, ports, holds }
}

/// The ports on which a protocol is looked for.
pub(super) fn ports(name: &str) -> &'static [u16] {
    let row = ROWS.iter().find(|row| row.name == name);
    row.map_or(&[], |row| row.ports)
}

/// The protocol of a user message by Wireshark's name; `data` where nothing is known.
pub(super) fn protocol(rules: &Rules, message: &UserMessage<'_>) -> &'static str {
    let ports = (message.src.port(), message.dst.port());
    if let Some(name) = rules.named(Transport::Sctp, ports) {
        return name;
    }
    match ppid::protocol(message.ppid) {
        NO_PROTOCOL => by_octets(ports, message.data, message.whole),
        name => name,
    }
}

fn by_octets(ports: (u16, u16), data: &[u8], whole: bool) -> &'static str {
    let near = |row: &&Row| {
        row.ports.is_empty() || row.ports.contains(&ports.0) || row.ports.contains(&ports.1)
    };
    ROWS.iter()
        .filter(near)
        .find(|row| (row.holds)(data, whole))
        .map_or(NO_PROTOCOL, |row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_by_ports_and_octets() {
        let watchdog = [
            1, 0, 0, 20, 0x80, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1,
        ];
        let two = [watchdog, watchdog].concat();
        let mut reserved = watchdog;
        reserved[4] = 0x81;
        let aspup = [1, 0, 3, 1, 0, 0, 0, 8];
        let error = [0, 9, 0x40, 3, 0, 0, 0];
        // (ports, octets, whole, name)
        type Case<'a> = ((u16, u16), &'a [u8], bool, &'a str);
        let cases: &[Case<'_>] = &[
            ((5000, 3868), &watchdog, true, "diameter"),
            ((5000, 6000), &two, true, "diameter"),
            ((5000, 3868), &two[..39], true, "data"),
            ((5000, 3868), &two[..39], false, "diameter"),
            ((5000, 3868), &reserved, true, "data"),
            ((2905, 2905), &aspup, true, "m3ua"),
            ((14001, 14001), &aspup, true, "sua"),
            ((5000, 6000), &aspup, true, "data"),
            ((2905, 2905), &aspup[..7], true, "data"),
            ((38412, 9), &error, true, "ngap"),
            ((9, 36412), &error, true, "s1ap"),
            ((9, 36412), &error[..6], true, "data"),
            ((9, 36412), &[0x80, 9, 0x40, 3, 0, 0, 0], true, "data"),
            ((9, 80), b"GET / HTTP/1.1\r\n\r\n", true, "http"),
            ((9, 80), b"<html>", true, "data"),
            ((9, 2944), b"MEGACO/1 ...", true, "megaco"),
            ((9, 9), &[], true, "data"),
        ];
        for (ports, octets, whole, name) in cases {
            assert_eq!(
                by_octets(*ports, octets, *whole),
                *name,
                "{ports:?} {octets:?}"
            );
        }
    }
}
