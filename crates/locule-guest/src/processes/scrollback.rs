//! The last bytes that a process printed, kept for a follower that reconnects.
//!
//! One buffer holds the bytes of both pipes, and a list of runs tells them apart: many tiny chunks cost little more than
//! their bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use locule_guest_api::{
    OUTPUT_CHUNK_BYTES, PTY_CHUNK_BYTES, SCROLLBACK_BYTES, SCROLLBACK_TOTAL_BYTES,
};

/// Limit of each process once the scrollbacks of all processes together exceed their total.
const FLOOR_BYTES: usize = 4 * 1024;
/// Limit of runs: they take as much memory as the bytes themselves.
const RUNS_MAX: usize = 128 * 1024;

/// The bytes in the scrollbacks of all processes of this guest.
pub(crate) type Budget = Arc<AtomicUsize>;

/// The stream that output arrives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputStream {
    Stdout,
    Stderr,
    Terminal,
}

#[derive(Debug)]
pub(super) struct Scrollback {
    bytes: VecDeque<u8>,
    /// The stream of each run of bytes, oldest first. The lengths add up to the length of `bytes`.
    runs: VecDeque<(OutputStream, u32)>,
    /// Bytes that the process has printed so far: the offset after the last byte of `bytes`.
    total: u64,
    budget: Budget,
}

/// A copy of a part of the scrollback, read chunk by chunk.
#[derive(Debug, Default)]
pub(super) struct Replay {
    bytes: Bytes,
    runs: VecDeque<(OutputStream, u32)>,
}

impl Iterator for Replay {
    type Item = (OutputStream, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let (stream, length) = self.runs.front_mut()?;
        let stream = *stream;
        let chunk = match stream {
            OutputStream::Terminal => PTY_CHUNK_BYTES,
            OutputStream::Stdout | OutputStream::Stderr => OUTPUT_CHUNK_BYTES,
        };
        let take = chunk.min(*length as usize);
        // At most a chunk, which is far below 2^32.
        *length -= u32::try_from(take).unwrap_or(*length);
        if *length == 0 {
            self.runs.pop_front();
        }
        Some((stream, self.bytes.split_to(take)))
    }
}

impl Scrollback {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            bytes: VecDeque::new(),
            runs: VecDeque::new(),
            total: 0,
            budget,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a chunk and drops the oldest bytes over the limit.
    pub(super) fn push(&mut self, stream: OutputStream, chunk: &[u8]) {
        self.total += chunk.len() as u64;
        let most = if self.budget.load(Ordering::Relaxed) > SCROLLBACK_TOTAL_BYTES {
            FLOOR_BYTES
        } else {
            SCROLLBACK_BYTES
        };
        let chunk = &chunk[chunk.len().saturating_sub(most)..];
        self.drop_oldest((self.bytes.len() + chunk.len()).saturating_sub(most));
        let Ok(length) = u32::try_from(chunk.len()) else {
            return;
        };
        match self.runs.back_mut() {
            Some((last, run)) if *last == stream => *run += length,
            _ => self.runs.push_back((stream, length)),
        }
        self.bytes.extend(chunk);
        self.budget.fetch_add(chunk.len(), Ordering::Relaxed);
        if self.runs.len() > RUNS_MAX {
            let oldest = self.runs.front().map_or(0, |(_, length)| *length as usize);
            self.drop_oldest(oldest);
        }
        if most == FLOOR_BYTES {
            self.bytes.shrink_to(FLOOR_BYTES);
            self.runs.shrink_to(0);
        }
    }

    fn drop_oldest(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.budget.fetch_sub(count, Ordering::Relaxed);
        cut(&mut self.runs, count);
    }

    /// The bytes from `offset` on, and the offset of the first of them: greater than `offset` if older bytes were dropped.
    pub(super) fn replay(&self, offset: u64) -> (u64, Replay) {
        let first = self.total - self.bytes.len() as u64;
        let start = offset.clamp(first, self.total);
        // At most the length of `bytes`, so it fits.
        let skip = usize::try_from(start - first).unwrap_or(self.bytes.len());
        let mut runs = self.runs.clone();
        cut(&mut runs, skip);
        let bytes = self.bytes.range(skip..).copied().collect();
        (start, Replay { bytes, runs })
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

impl Drop for Scrollback {
    fn drop(&mut self) {
        self.budget.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Removes `count` bytes from the front of the runs.
fn cut(runs: &mut VecDeque<(OutputStream, u32)>, mut count: usize) {
    while let Some((_, length)) = runs.front_mut() {
        match u32::try_from(count) {
            Ok(0) => return,
            Ok(less) if less < *length => {
                *length -= less;
                return;
            }
            _ => {
                count -= *length as usize;
                runs.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(replay: Replay) -> Vec<(OutputStream, Vec<u8>)> {
        replay
            .map(|(stream, bytes)| (stream, bytes.to_vec()))
            .collect()
    }

    #[test]
    fn a_replay_starts_at_the_requested_offset_or_at_the_oldest_byte_after_it() {
        let mut scrollback = Scrollback::new(Budget::default());
        scrollback.push(OutputStream::Stdout, b"abc");
        scrollback.push(OutputStream::Stderr, b"def");
        let (start, replay) = scrollback.replay(2);
        assert_eq!(start, 2);
        assert_eq!(
            chunks(replay),
            [
                (OutputStream::Stdout, b"c".to_vec()),
                (OutputStream::Stderr, b"def".to_vec())
            ]
        );
        assert_eq!(scrollback.replay(99).0, 6);
        scrollback.push(OutputStream::Stdout, &vec![b'x'; SCROLLBACK_BYTES]);
        let (start, replay) = scrollback.replay(2);
        assert_eq!(start, 6);
        assert_eq!(
            chunks(replay).iter().map(|(_, b)| b.len()).sum::<usize>(),
            SCROLLBACK_BYTES
        );
    }

    #[test]
    fn tiny_chunks_of_two_pipes_cost_little_more_memory_than_their_bytes() {
        let mut scrollback = Scrollback::new(Budget::default());
        for _ in 0..SCROLLBACK_BYTES {
            scrollback.push(OutputStream::Stdout, b"o");
            scrollback.push(OutputStream::Stderr, b"e");
        }
        assert_eq!(scrollback.len(), RUNS_MAX);
        assert_eq!(
            scrollback.replay(0).0,
            2 * SCROLLBACK_BYTES as u64 - RUNS_MAX as u64
        );
        assert!(
            scrollback.runs.capacity() * size_of::<(OutputStream, u32)>() <= 2 * SCROLLBACK_BYTES
        );
    }

    #[test]
    fn the_scrollbacks_of_all_processes_together_are_bounded() {
        let budget = Budget::default();
        let mut all: Vec<_> = (0..200).map(|_| Scrollback::new(budget.clone())).collect();
        for scrollback in &mut all {
            scrollback.push(OutputStream::Stdout, &vec![0; SCROLLBACK_BYTES]);
        }
        let most = SCROLLBACK_TOTAL_BYTES + SCROLLBACK_BYTES + 200 * FLOOR_BYTES;
        assert!(budget.load(Ordering::Relaxed) <= most);
        drop(all);
        assert_eq!(budget.load(Ordering::Relaxed), 0);
    }
}
