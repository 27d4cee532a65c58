//! The locule binary: command tree and wiring.

fn main() {}
