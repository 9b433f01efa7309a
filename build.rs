//! Looks whether the captures of others lie beside the repository: tests that need them are ignored, and counted as such,
//! where they do not. Nothing that is built for users depends on it.

use std::path::Path;

/// Folder with captures, reference answers and cases, see [`main`].
const SHARED: &str = "../shared";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared_captures)");
    // A path that is not there would make cargo build everything anew each time.
    println!("cargo::rerun-if-changed=build.rs");
    let all = ["captures", "truth", "cases"];
    if all.iter().all(|name| Path::new(SHARED).join(name).is_dir()) {
        println!("cargo::rustc-cfg=shared_captures");
    }
}
