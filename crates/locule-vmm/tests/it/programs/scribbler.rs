//! Maps a file privately, as a VMM maps guest memory, and writes to it on command. The test compiles it.
//!
//! One command a line: `w OFFSET VALUE` writes a byte, `r OFFSET` reads a byte, `go` answers after all commands before it.

use std::io::BufRead as _;
use std::os::fd::AsRawFd as _;

unsafe extern "C" {
    fn mmap(
        at: *mut u8,
        length: usize,
        protection: i32,
        flags: i32,
        fd: i32,
        offset: i64,
    ) -> *mut u8;
}

fn main() {
    let path = std::env::args().nth(1).expect("a path");
    let file = std::fs::File::open(path).expect("open the file");
    let length = usize::try_from(file.metadata().expect("its length").len()).expect("fits");
    // PROT_READ | PROT_WRITE, MAP_PRIVATE.
    let base = unsafe { mmap(std::ptr::null_mut(), length, 3, 2, file.as_raw_fd(), 0) };
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let mut words = line.split(' ');
        let command = words.next();
        let mut number = || {
            words
                .next()
                .map_or(0, |word| word.parse::<usize>().expect("a number"))
        };
        match command {
            Some("w") => unsafe { base.add(number()).write_volatile(number() as u8) },
            Some("r") => unsafe { drop(base.add(number()).read_volatile()) },
            _ => println!("done"),
        }
    }
}
