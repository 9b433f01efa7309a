//! The binary: flags in, exit status out.

fn main() {}
