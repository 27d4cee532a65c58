//! The program inside the microVM: init, processes, files.

fn main() {}
