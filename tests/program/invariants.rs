//! What must hold for any capture and any setting: `scripts/invariants` says what, and has the settings. Here each capture
//! runs with some of them, which depend on its name; `scripts/invariants` alone runs all.

use std::path::Path;
use std::process::Command;

/// Settings for each capture of a folder, beside none: as many as a debug build runs in a minute.
const OWN: &str = "3";
const SHARED: &str = "2";

#[track_caller]
fn hold(folder: &str, sample: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = Command::new("python3")
        .arg(root.join("scripts/invariants"))
        .args(["--bin", env!("CARGO_BIN_EXE_inet-asm")])
        .args(["--jobs", "2", "--sample", sample])
        .arg(root.join(folder))
        .output()
        .expect("python3");
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{folder}:\n{out}{err}");
    // A folder without captures would prove nothing.
    let captures = out.lines().last().and_then(|line| line.split(' ').next());
    let captures: usize = captures.and_then(|n| n.parse().ok()).unwrap_or(0);
    assert!(captures > 10, "{folder}: {out}");
}

#[test]
fn of_our_own_captures() {
    hold("testdata", OWN);
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn of_shared_captures() {
    hold("../shared/captures", SHARED);
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn of_shared_cases() {
    hold("../shared/cases/bugreports", SHARED);
    hold("../shared/cases/recovery", SHARED);
}
