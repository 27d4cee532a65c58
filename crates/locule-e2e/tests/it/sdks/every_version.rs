//! What the ring `sdks` runs: minutes for each version.

use super::{Reached, pythons};

fn all_work(reached: Reached) {
    for python in pythons() {
        reached.python_sdk_works(&python);
    }
    reached.javascript_sdk_works();
    reached.command_line_works();
    reached.platform.stop();
}

#[test]
fn every_sdk_works_by_header() {
    all_work(Reached::by_header());
}

#[test]
fn every_sdk_works_by_name() {
    all_work(Reached::by_name());
}
