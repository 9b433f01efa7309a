//! LINKTYPE_WIRESHARK_UPPER_PDU: tags that stand for the lower layers, then a packet of the layer that one of them
//! names.

use super::frame::{Frame, NextHeader, PseudoHeader};
use crate::base::counters::Discard;
use etherparse::IpNumber;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Tags that are known here.
mod tag {
    pub(super) const END: u16 = 0;
    pub(super) const DISSECTOR_NAME: u16 = 12;
    pub(super) const IPV4_SRC: u16 = 20;
    pub(super) const IPV4_DST: u16 = 21;
    pub(super) const IPV6_SRC: u16 = 22;
    pub(super) const IPV6_DST: u16 = 23;
}

/// Reads the tags; a transport packet has its pseudo header from them.
pub(super) fn tags(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let (mut name, mut src, mut dst) = (None, None, None);
    loop {
        let kind = frame.take_u16()?;
        let len = usize::from(frame.take_u16()?);
        let value = frame.skip(len)?;
        match kind {
            tag::END => break,
            tag::DISSECTOR_NAME => name = name.or(Some(value)),
            tag::IPV4_SRC | tag::IPV6_SRC => src = address(value),
            tag::IPV4_DST | tag::IPV6_DST => dst = address(value),
            _ => {}
        }
    }
    let protocol = match name.map(<[u8]>::trim_ascii_end).map(without_nuls) {
        Some(b"ip" | b"raw_ip" | b"ipv6") => return Ok(NextHeader::Ip),
        Some(b"eth" | b"eth_withoutfcs" | b"eth_maybefcs") => return Ok(NextHeader::Ethernet),
        Some(b"tcp") => IpNumber::TCP.0,
        Some(b"udp") => IpNumber::UDP.0,
        Some(b"sctp") => IpNumber::SCTP.0,
        _ => return Err(Discard::LinkUnknownPdu),
    };
    let (Some(src), Some(dst)) = (src, dst) else {
        return Err(Discard::LinkBadHeader);
    };
    frame.pseudo = Some(PseudoHeader { src, dst, protocol });
    Ok(NextHeader::Ip)
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|a| Ipv4Addr::from(*a).into()),
        16 => value.first_chunk::<16>().map(|a| Ipv6Addr::from(*a).into()),
        _ => None,
    }
}

/// Values are padded with NULs.
fn without_nuls(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    value.get(..end).unwrap_or(value)
}
