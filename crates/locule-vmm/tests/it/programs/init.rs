//! The whole user space of the test guest: counts, and checks its own memory at every count. Compiled by the test.

use std::time::Duration;

const PAGES: usize = 2048;
const PAGE: usize = 4096;

fn main() {
    // A page holds the number of the count that wrote it; `written` says the same from elsewhere in memory.
    let mut pages = vec![0_u8; PAGES * PAGE];
    let mut written = vec![0_u64; PAGES];
    let mut count = 0_u64;
    // The kernel hands unknown words of its command line on: `last=3` makes the guest end after three counts.
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
            // The end of the first process is the end of the kernel, which then reboots.
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
