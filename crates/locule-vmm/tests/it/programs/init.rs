//! The user space of the test guest: it counts, and checks its own memory at every count. The test compiles it.

use std::time::Duration;

const PAGES: usize = 2048;
const PAGE: usize = 4096;

fn main() {
    // A page contains the number of the count that wrote it; `written` has a second copy of the number.
    let mut pages = vec![0_u8; PAGES * PAGE];
    let mut written = vec![0_u64; PAGES];
    let mut count = 0_u64;
    // The kernel passes unknown words of its command line as environment: `last=3` ends the guest after three counts.
    let last = std::env::var("last")
        .ok()
        .and_then(|last| last.parse().ok());
    loop {
        count += 1;
        let page =
            usize::try_from(count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap() % PAGES;
        pages[page * PAGE..][..8].copy_from_slice(&count.to_le_bytes());
        written[page] = count;
        let intact = written
            .iter()
            .enumerate()
            .all(|(page, count)| pages[page * PAGE..][..8] == count.to_le_bytes());
        println!(
            "count {count} memory {}",
            if intact { "intact" } else { "DAMAGED" }
        );
        if last == Some(count) {
            // The kernel panics when its first process exits, and then reboots.
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
