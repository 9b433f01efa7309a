//! A protocol is one file and its row in the table: nothing else in the message stage knows its name.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const MESSAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/message");

/// The source files below a folder, without what stands behind `#[cfg(test)] mod`, and without files of tests.
fn sources(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            found.insert(path, code.to_owned());
        }
    }
}

fn message_sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    sources(Path::new(MESSAGE), &mut found);
    assert!(found.len() > 40, "the files of the message stage");
    found
}

#[test]
fn the_name_of_a_protocol_stands_in_one_file() {
    let sources = message_sources();
    let mut names: Vec<_> = inet_asm::message::protocols()
        .iter()
        .map(|p| p.name)
        .collect();
    names.dedup();
    assert!(names.len() > 50);
    for name in names {
        let quoted = format!("\"{name}\"");
        let files: Vec<_> = sources
            .iter()
            .filter(|(_, code)| code.contains(&quoted))
            // There `mqtt` is a way to write a length, which a user's row may have too (`len@1:mqtt`).
            .filter(|(path, _)| !(name == "mqtt" && path.ends_with("user_framer.rs")))
            .map(|(path, _)| path.strip_prefix(MESSAGE).unwrap())
            .collect();
        assert_eq!(files.len(), 1, "{quoted} in {files:?}");
        assert!(files[0].starts_with("protocols"), "{quoted} in {files:?}");
    }
}

/// So adding one touches its file and the table, and nothing else.
#[test]
fn the_files_of_protocols_are_named_by_the_table_and_by_few_others() {
    let sources = message_sources();
    let table = Path::new(MESSAGE).join("protocols/mod.rs");
    let mut tried = 0;
    for path in sources.keys().filter(|p| p.parent() == table.parent()) {
        let module = path.file_stem().unwrap().to_str().unwrap();
        if module == "mod" {
            continue;
        }
        let used = format!("{module}::");
        let users: Vec<_> = sources
            .iter()
            .filter(|(user, code)| {
                **user != table
                    && code.match_indices(&used).any(|(at, _)| {
                        let before = code[..at].chars().next_back();
                        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                    })
            })
            .map(|(user, _)| user.strip_prefix(MESSAGE).unwrap().to_owned())
            .collect();
        // The messages of DNS are also those of its relatives; HTTP hands over to
        // WebSocket, and has its words in a file of their own.
        let expected: &[&str] = match module {
            "dns" => &["protocols/llmnr.rs", "protocols/mdns.rs"],
            "websocket" => &["protocols/http1.rs", "protocols/websocket_messages.rs"],
            "http2" => &["protocols/http1.rs", "protocols/http2_streams.rs"],
            "rtmpt" => &["protocols/rtmpt_messages.rs"],
            "rtmpt_values" => &["protocols/rtmpt.rs"],
            "nbss_words" => &["protocols/nbss.rs"],
            "s7_words" => &["protocols/tpkt.rs"],
            "http1_words" => &["protocols/http1.rs", "protocols/http2.rs"],

            _ => &[],
        };
        assert_eq!(
            users,
            expected.iter().map(PathBuf::from).collect::<Vec<_>>(),
            "{module}"
        );
        tried += 1;
    }
    assert!(tried > 40);
}
