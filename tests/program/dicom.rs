//! `--extract`: objects that DICOM's C-STORE brings.

use crate::common::{contains, files, pcap, read, testdata, tshark};
use crate::files::Extracted;
use std::collections::BTreeMap;

/// Three objects: in units of one value, of two, and the first with its command in one unit.
fn capture() -> Vec<u8> {
    read(&testdata("protocols/dicom.pcap"))
}

/// A file behind its preamble and the elements of group 2, whose length stands in the first of them.
fn data_set(file: &[u8]) -> &[u8] {
    assert_eq!(file[..128], [0; 128]);
    assert_eq!(&file[128..140], b"DICM\x02\0\0\0UL\x04\0");
    let len = u32::from_le_bytes(file[140..144].try_into().expect("4 octets"));
    &file[144 + len as usize..]
}

#[test]
fn objects_are_those_of_tshark() {
    let ours = Extracted::of(&capture(), &[]);
    let dir = tempfile::tempdir().expect("tempdir");
    let into = format!("dicom,{}", dir.path().join("out").display());
    tshark(["-q", "--export-objects", &into], &capture());
    let theirs = files(&dir.path().join("out"));
    // tshark 4.0 leaves the first one out.
    assert_eq!((ours.files.len(), theirs.len()), (3, 2));
    for (name, their) in &theirs {
        // They differ in who wrote the file.
        let same = |mine: &Vec<u8>| data_set(mine) == data_set(their);
        assert!(ours.files.values().any(same), "{name}");
    }
    // How each is encoded is what was agreed on for its context.
    let syntaxes = [
        &b"UI\x12\x001.2.840.10008.1.2\0"[..],
        b"UI\x14\x001.2.840.10008.1.2.1\0",
    ];
    for (line, (file, syntax)) in ours.list.iter().zip([
        ("1.2.826.0.1.3680043.9.12.dcm", syntaxes[0]),
        ("1.2.826.0.1.3680043.9.13.dcm", syntaxes[1]),
        ("1.2.826.0.1.3680043.9.14.dcm", syntaxes[0]),
    ]) {
        assert_eq!(
            (&line["file"], &line["complete"]),
            (&file.into(), &true.into())
        );
        let element = [b"\x02\0\x10\0", syntax].concat();
        assert!(contains(&ours.files[file], &element), "{file}");
    }
}

/// Whichever packets are lost: what is called whole is, and an object all of whose packets are there is.
#[test]
fn each_object_is_whole_or_says_what_is_missing() {
    let whole = Extracted::of(&capture(), &[]);
    let span = |name: &str| {
        let line = whole
            .list
            .iter()
            .find(|line| line["file"] == name)
            .expect("listed");
        let frame = |field: &str| line[field].as_u64().expect("a number");
        frame("first_frame")..=frame("last_frame")
    };
    let spans: BTreeMap<_, _> = whole
        .files
        .keys()
        .map(|name| (name.as_str(), span(name)))
        .collect();
    let octets = capture();
    let (_, records) = pcap(&octets);
    let mut incomplete = 0;
    for lost in 0..records.len() as u64 {
        // Of some losses three packets.
        let gone = lost..lost + 1 + 2 * (lost % 2);
        let mut rest = octets[..24].to_vec();
        let mut begin = 24;
        for (place, record) in (0..).zip(&records) {
            if !gone.contains(&place) {
                rest.extend(&octets[begin..record.end]);
            }
            begin = record.end;
        }
        let found = Extracted::of(&rest, &[]);
        let is_gone = |frame: u64| gone.contains(&(frame - 1));
        for (name, span) in &spans {
            let file = found.files.get(*name);
            let sent = &whole.files[*name];
            // What was agreed on is in packet 6. Without it there is no header.
            let expected = if is_gone(6) { data_set(sent) } else { sent };
            if !span.clone().any(is_gone) {
                assert!(
                    file.is_some_and(|file| file == expected),
                    "{name} without {gone:?}"
                );
            }
            assert!(
                file.is_none_or(|file| file == expected),
                "{name} without {gone:?}"
            );
        }
        incomplete += found
            .files
            .keys()
            .filter(|name| name.ends_with(".part"))
            .count();
    }
    assert!(incomplete > 10, "{incomplete}");
}
