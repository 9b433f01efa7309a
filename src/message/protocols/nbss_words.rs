//! What requests of SMB2 ask for, in words (MS-SMB2, 2.2; MS-FSCC, 2.3 to 2.5; MS-NLMP, 2.2.1).

use super::super::text::{SHOWN, escape};
use memchr::memmem;
use std::fmt::Write as _;

/// Kinds of information about a file (MS-FSCC, 2.4).
const FILE_INFO: &[(usize, &str)] = &[
    (1, "directory"),
    (4, "basic"),
    (5, "standard"),
    (6, "internal"),
    (7, "EA"),
    (8, "access"),
    (10, "rename"),
    (11, "link"),
    (13, "disposition"),
    (14, "position"),
    (15, "full EA"),
    (16, "mode"),
    (18, "all"),
    (19, "allocation"),
    (20, "end of file"),
    (21, "alternate name"),
    (22, "streams"),
    (28, "compression"),
    (34, "network open"),
    (35, "attribute tag"),
    (48, "normalized name"),
    (64, "disposition"),
];

/// Kinds of information about a file system (MS-FSCC, 2.5).
const SYSTEM_INFO: &[(usize, &str)] = &[
    (1, "volume"),
    (2, "label"),
    (3, "size"),
    (4, "device"),
    (5, "attributes"),
    (6, "quota control"),
    (7, "full size"),
    (8, "object ID"),
    (11, "sector size"),
];

/// Control codes (MS-SMB2, 2.2.31; MS-FSCC, 2.3).
const CONTROLS: &[(usize, &str)] = &[
    (0x0006_0194, "DFS referrals"),
    (0x0006_01b0, "DFS referrals"),
    (0x0009_003c, "get compression"),
    (0x0009_00a4, "set reparse point"),
    (0x0009_00a8, "get reparse point"),
    (0x0009_00c0, "object ID"),
    (0x0009_00c4, "set sparse"),
    (0x0009_40cf, "allocated ranges"),
    (0x0009_8208, "trim"),
    (0x0009_80c8, "zero"),
    (0x0011_0018, "wait for pipe"),
    (0x0011_400c, "peek at pipe"),
    (0x0011_c017, "pipe transceive"),
    (0x0014_0078, "resume key"),
    (0x0014_01d4, "resiliency"),
    (0x0014_01fc, "network interfaces"),
    (0x0014_0204, "validate negotiation"),
    (0x0014_4064, "snapshots"),
    (0x0014_40f2, "copy chunks"),
    (0x0014_41bb, "read hash"),
    (0x0014_80f2, "copy chunks"),
];

/// A little-endian number.
fn le(octets: &[u8], at: usize, width: usize) -> usize {
    let octets = octets.get(at..at + width).unwrap_or_default();
    octets.iter().rev().fold(0, |n, o| n << 8 | usize::from(*o))
}

/// Appends a name in UTF-16 behind a blank; false where there is none.
fn named(units: Option<&[u8]>, out: &mut String) -> bool {
    let Some(units) = units.filter(|units| units.len() > 1) else {
        return false;
    };
    let units = units.as_chunks().0.iter();
    let units = units.map(|pair| u16::from_le_bytes(*pair));
    let name = units.take_while(|unit| *unit != 0).take(SHOWN);
    let name = String::from_utf16_lossy(&name.collect::<Vec<_>>());
    out.push(' ');
    escape(name.as_bytes(), out);
    true
}

fn known(names: &[(usize, &str)], code: usize, out: &mut String) {
    let _ = match names.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => write!(out, " {name}"),
        None => write!(out, " 0x{code:02x}"),
    };
}

/// What is to be known of a file or of its file system, or to be set; from the body of the request.
pub(super) fn info(body: &[u8], value: Option<&[u8]>, out: &mut String) {
    let (about, class) = (le(body, 2, 1), le(body, 3, 1));
    match (about, class, value) {
        // A flag, seven octets and a number that say nothing here, the length of the name, and the name.
        (1, 10 | 11, Some(value)) => {
            out.push_str(if class == 10 {
                " rename to"
            } else {
                " link from"
            });
            let len = le(value, 16, 4);
            if !named(value.get(20..).and_then(|name| name.get(..len)), out) {
                out.push_str(" ...");
            }
        }
        (1, 13 | 64, Some([flags, ..])) => {
            out.push_str(if flags & 1 == 1 { " delete" } else { " keep" });
        }
        (1, 20, Some(value)) if value.len() >= 8 => {
            let _ = write!(out, " size {}", le(value, 0, 8));
        }
        (1, ..) => known(FILE_INFO, class, out),
        (2, ..) => {
            out.push_str(" file system");
            known(SYSTEM_INFO, class, out);
        }
        (3, ..) => out.push_str(" security"),
        (4, ..) => out.push_str(" quota"),
        _ => {}
    }
}

/// What is to be done, and of referrals whereto.
pub(super) fn control(body: &[u8], value: Option<&[u8]>, out: &mut String) {
    let Some(code) = body.get(4..8).map(|_| le(body, 4, 4)) else {
        return;
    };
    known(CONTROLS, code, out);
    if code == 0x0006_0194 {
        // Behind the highest version of an answer.
        named(value.and_then(|value| value.get(2..)), out);
    }
}

/// Who wants to log on, from a token of NTLM, wherever it stands in others.
pub(super) fn user(token: Option<&[u8]>, out: &mut String) {
    const AUTHENTICATE: usize = 3;
    let token = token.unwrap_or_default();
    let Some(token) = memmem::find(token, b"NTLMSSP\0").and_then(|at| token.get(at..)) else {
        return;
    };
    // Without its flag names are in a code page that nothing tells.
    if le(token, 8, 4) != AUTHENTICATE || le(token, 60, 4) & 1 == 0 {
        return;
    }
    let text = |at: usize| {
        let (len, at) = (le(token, at, 2), le(token, at + 4, 4));
        token.get(at..at + len)
    };
    let words = out.len();
    out.push_str(" as");
    let domain = named(text(28), out);
    let mut name = String::new();
    if !named(text(36), &mut name) {
        out.truncate(words);
        out.push_str(" as nobody");
    } else if domain {
        let _ = write!(out, "\\\\{}", name.trim_start());
    } else {
        out.push_str(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn what_is_set_is_told() {
        let renamed = |name: &str| {
            let name = wide(name);
            let len = u32::try_from(name.len()).unwrap();
            [&[0; 16][..], &len.to_le_bytes(), &name].concat()
        };
        for (about, class, value, expected) in [
            (1, 10, Some(renamed("a\\b")), " rename to a\\\\b"),
            (1, 11, Some(renamed("c")), " link from c"),
            (1, 10, Some(renamed("abc")[..22].to_vec()), " rename to ..."),
            (1, 10, None, " rename"),
            (1, 13, Some(vec![1]), " delete"),
            (1, 13, Some(vec![0]), " keep"),
            (1, 13, Some(vec![]), " disposition"),
            (1, 20, Some(vec![0, 1, 0, 0, 0, 0, 0, 0]), " size 256"),
            (1, 18, None, " all"),
            (1, 99, None, " 0x63"),
            (2, 1, None, " file system volume"),
            (3, 0, None, " security"),
        ] {
            let mut said = String::new();
            info(&[33, 0, about, class], value.as_deref(), &mut said);
            assert_eq!(said, expected);
        }
        let mut said = String::new();
        info(&[], None, &mut said);
        control(&[], None, &mut said);
        assert_eq!(said, "");
        let referral = [&[4, 0][..], &wide("\\h\\files\0")].concat();
        control(&[57, 0, 0, 0, 0x94, 1, 6, 0], Some(&referral), &mut said);
        control(&[57, 0, 0, 0, 0x99, 1, 6, 0], None, &mut said);
        assert_eq!(said, " DFS referrals \\\\h\\\\files 0x60199");
    }

    #[test]
    fn who_logs_on_is_told() {
        let token = |domain: &str, user: &str| {
            let (domain, user) = (wide(domain), wide(user));
            let mut t = b"\x60\x03NTLMSSP\0".to_vec();
            t.extend(3u32.to_le_bytes());
            t.resize(2 + 64, 0);
            let mut at = 64;
            for (place, name) in [(28, &domain), (36, &user)] {
                let len = u16::try_from(name.len()).unwrap();
                t[2 + place..][..2].copy_from_slice(&len.to_le_bytes());
                t[2 + place + 4..][..2].copy_from_slice(&u16::to_le_bytes(at));
                t.extend(name);
                at += len;
            }
            t[2 + 60] = 1;
            t
        };
        let said = |token: &[u8]| {
            let mut said = String::new();
            user(Some(token), &mut said);
            said
        };
        let whole = token("HOME", "eve");
        assert_eq!(said(&whole), " as HOME\\\\eve");
        assert_eq!(said(&token("", "eve")), " as eve");
        assert_eq!(said(&token("HOME", "")), " as nobody");
        assert_eq!(said(&whole[..20]), "");
        assert_eq!(said(b""), "");
    }
}
