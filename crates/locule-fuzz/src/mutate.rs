//! Mutates valid input into input that may be invalid.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

const LENGTH_MAX: usize = 64 * 1024;

/// Byte strings that often reveal faults in parsers of any kind.
const TRIPWIRES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"..",
    b"/../",
    b"//",
    b"%",
    b"%00",
    b"%2e%2e%2f",
    b"%25",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92\xa9",
    b"\xe2\x80",
    b"-1",
    b"0",
    b"00000000000000000001",
    b"255",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1e999",
    b"-0.0",
    b"NaN",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"&",
    b"=",
    b";",
    b",",
    b":",
    b"?",
    b"#",
    b" ",
    b"\t",
];

/// Mutates inputs, also by inserting words of the seeds at arbitrary positions.
#[derive(Debug)]
pub(crate) struct Mutator {
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(seeds: &[Vec<u8>]) -> Self {
        let mut words: Vec<Vec<u8>> = TRIPWIRES.iter().map(|word| word.to_vec()).collect();
        for seed in seeds {
            let parts = seed.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
            words.extend(parts.filter(|part| !part.is_empty()).map(<[u8]>::to_vec));
        }
        words.sort();
        words.dedup();
        Self { words }
    }

    /// Returns an input of the corpus with one to five random mutations.
    pub(crate) fn mutate(&self, corpus: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
        let mut input = corpus.choose(rng).cloned().unwrap_or_default();
        for _ in 0..rng.random_range(1..=5) {
            self.step(&mut input, corpus, rng);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn step(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut StdRng) {
        let at = rng.random_range(0..=input.len());
        let end = rng.random_range(at..=input.len().min(at + 32));
        match rng.random_range(0..10) {
            0 => flip(input, rng),
            1 => overwrite(input, rng),
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].to_vec();
                insert(input, at, &part);
            }
            // Inserts a word, or replaces bytes with it.
            4 | 5 => {
                if let Some(word) = self.words.choose(rng) {
                    let end = if rng.random() { at } else { end };
                    input.splice(at..end, word.iter().copied());
                }
            }
            6 => number(input, at, rng),
            7 => input.truncate(at),
            // Joins the beginning of this input and the end of another.
            8 => {
                if let Some(other) = corpus.choose(rng) {
                    let from = rng.random_range(0..=other.len());
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
            }
            _ => {
                let part = input[at..end].to_vec();
                let times = 1 << rng.random_range(0..9);
                insert(input, at, &part.repeat(times));
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    if input.len() + part.len() <= LENGTH_MAX {
        input.splice(at..at, part.iter().copied());
    }
}

fn flip(input: &mut [u8], rng: &mut StdRng) {
    if let Some(length) = input.len().checked_sub(1) {
        input[rng.random_range(0..=length)] ^= 1 << rng.random_range(0..8);
    }
}

fn overwrite(input: &mut [u8], rng: &mut StdRng) {
    if let Some(length) = input.len().checked_sub(1) {
        input[rng.random_range(0..=length)] = rng.random();
    }
}

/// Overwrites bytes with a binary number at the limit of a type, in either byte order.
fn number(input: &mut [u8], at: usize, rng: &mut StdRng) {
    let value: u64 = *[
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0xffff,
        0x7fff_ffff,
        0xffff_ffff,
        u64::MAX,
    ]
    .choose(rng)
    .unwrap_or(&0);
    let width = [1, 2, 4, 8].choose(rng).copied().unwrap_or(1);
    let bytes = if rng.random() {
        value.to_be_bytes()[8 - width..].to_vec()
    } else {
        value.to_le_bytes()[..width].to_vec()
    };
    for (to, from) in input[at..].iter_mut().zip(bytes) {
        *to = from;
    }
}
