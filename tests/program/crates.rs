//! The crates that the program is built from, against what `deny.toml` allows: `cargo deny` says more, where it is installed, and
//! this says the same of licences, versions and sources everywhere.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// The strings of a list in `deny.toml`.
fn list<'a>(config: &'a str, key: &str) -> Vec<&'a str> {
    let (_, rest) = config
        .split_once(&format!("\n{key} = ["))
        .expect("the list is there");
    let (inside, _) = rest.split_once("\n]").expect("an end");
    let lines = inside.lines().filter(|line| !line.trim().starts_with('#'));
    // The first string of a line is the licence, or the crate; what follows is the reason.
    lines.filter_map(|line| line.split('"').nth(1)).collect()
}

/// The crates that are built on this machine: all of them are there, and nothing has to be fetched.
fn packages() -> Vec<Value> {
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc");
    let version = String::from_utf8(rustc.stdout).expect("UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.expect("a host");
    let done = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{text}");
    let all: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    all["packages"].as_array().expect("a list").clone()
}

/// A licence expression (SPDX) that can be met by these: `OR` binds weaker than `AND`, an older `/` is an `OR`.
fn is_met(expression: &str, allowed: &[&str]) -> bool {
    let text = expression.replace('/', " OR ").replace(['(', ')'], " ");
    if let Some((before, rest)) = expression.split_once('(') {
        // One bracket, as `(A OR B) AND C` has: whether it is met stands for it.
        let (inside, after) = rest.split_once(')').expect("a bracket that ends");
        let met = if is_met(inside, allowed) { "yes" } else { "no" };
        let allowed = [allowed, &["yes"]].concat();
        return is_met(&format!("{before}{met}{after}"), &allowed);
    }
    text.split(" OR ")
        .any(|all| all.split(" AND ").all(|one| allowed.contains(&one.trim())))
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
        ("(GPL-3.0 OR LGPL-3.0) AND Apache-2.0", false),
        ("Apache-2.0 AND (MIT OR GPL-3.0)", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}

#[test]
fn crates_are_what_is_allowed() {
    let config = include_str!("../../deny.toml");
    let (allowed, denied, skipped) = (
        list(config, "allow"),
        list(config, "deny"),
        list(config, "skip"),
    );
    assert!(allowed.contains(&"MIT") && denied.contains(&"tokio"));
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let name = text("name");
        let licence = text("license");
        assert!(is_met(&licence, &allowed), "{name}: licence {licence}");
        assert!(!denied.contains(&name.as_str()), "{name} is denied");
        let source = text("source");
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        let own = source.is_empty() && name == "inet-asm";
        assert!(own || source == registry, "{name} comes from {source}");
        versions.entry(name).or_default().push(text("version"));
    }
    assert!(versions.len() > 20);
    for (name, versions) in versions {
        let known = skipped.contains(&name.as_str());
        assert_eq!(
            versions.len() > 1,
            known,
            "{name} in versions {versions:?}: an exception has its reason in deny.toml, and goes when it is none any more"
        );
    }
}
