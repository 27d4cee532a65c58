//! The last bytes a process printed, for a follower that comes back.
//!
//! One buffer for both pipes and the runs it is made of, so that many tiny chunks cost little more than their bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use locule_guest_api::{
    OUTPUT_CHUNK_BYTES, OUTPUT_KEPT_BYTES, OUTPUT_KEPT_TOTAL_BYTES, PTY_CHUNK_BYTES,
};

use super::output::Stream;

/// What is left to each process once all of them together keep too much.
const FLOOR_BYTES: usize = 4 * 1024;
/// Changes between the two pipes that are remembered: as much memory as the bytes themselves.
const RUNS_MAX: usize = 128 * 1024;

/// How much all processes of this guest keep together.
pub(crate) type Budget = Arc<AtomicUsize>;

#[derive(Debug)]
pub(super) struct Kept {
    bytes: VecDeque<u8>,
    /// Whose bytes they are, oldest first; the lengths add up to `bytes`.
    runs: VecDeque<(Stream, u32)>,
    /// Bytes ever printed: the offset after the last one kept.
    total: u64,
    budget: Budget,
}

/// A copy of what was kept, given out chunk by chunk.
#[derive(Debug, Default)]
pub(super) struct Replay {
    bytes: Bytes,
    runs: VecDeque<(Stream, u32)>,
}

impl Iterator for Replay {
    type Item = (Stream, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let (stream, length) = self.runs.front_mut()?;
        let stream = *stream;
        let chunk = match stream {
            Stream::Terminal => PTY_CHUNK_BYTES,
            Stream::Stdout | Stream::Stderr => OUTPUT_CHUNK_BYTES,
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

impl Kept {
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

    /// Keeps a chunk, forgetting the oldest bytes for it.
    pub(super) fn push(&mut self, stream: Stream, chunk: &[u8]) {
        self.total += chunk.len() as u64;
        let most = if self.budget.load(Ordering::Relaxed) > OUTPUT_KEPT_TOTAL_BYTES {
            FLOOR_BYTES
        } else {
            OUTPUT_KEPT_BYTES
        };
        let chunk = &chunk[chunk.len().saturating_sub(most)..];
        self.forget((self.bytes.len() + chunk.len()).saturating_sub(most));
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
            self.forget(oldest);
        }
        if most == FLOOR_BYTES {
            self.bytes.shrink_to(FLOOR_BYTES);
            self.runs.shrink_to(0);
        }
    }

    fn forget(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.budget.fetch_sub(count, Ordering::Relaxed);
        cut(&mut self.runs, count);
    }

    /// What is kept from `offset` on, and where that really begins: later than asked if the bytes before are gone.
    pub(super) fn replay(&self, offset: u64) -> (u64, Replay) {
        let first = self.total - self.bytes.len() as u64;
        let start = offset.clamp(first, self.total);
        // Below what is kept, so it fits.
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

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Takes `count` bytes off the front of the runs.
fn cut(runs: &mut VecDeque<(Stream, u32)>, mut count: usize) {
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

    fn told(replay: Replay) -> Vec<(Stream, Vec<u8>)> {
        replay
            .map(|(stream, bytes)| (stream, bytes.to_vec()))
            .collect()
    }

    #[test]
    fn a_replay_begins_where_it_was_asked_to_or_says_otherwise() {
        let mut kept = Kept::new(Budget::default());
        kept.push(Stream::Stdout, b"abc");
        kept.push(Stream::Stderr, b"def");
        let (start, replay) = kept.replay(2);
        assert_eq!(start, 2);
        assert_eq!(
            told(replay),
            [
                (Stream::Stdout, b"c".to_vec()),
                (Stream::Stderr, b"def".to_vec())
            ]
        );
        assert_eq!(kept.replay(99).0, 6);
        kept.push(Stream::Stdout, &vec![b'x'; OUTPUT_KEPT_BYTES]);
        let (start, replay) = kept.replay(2);
        assert_eq!(start, 6);
        assert_eq!(
            told(replay).iter().map(|(_, b)| b.len()).sum::<usize>(),
            OUTPUT_KEPT_BYTES
        );
    }

    #[test]
    fn tiny_chunks_of_two_pipes_cost_little_more_than_their_bytes() {
        let mut kept = Kept::new(Budget::default());
        for _ in 0..OUTPUT_KEPT_BYTES {
            kept.push(Stream::Stdout, b"o");
            kept.push(Stream::Stderr, b"e");
        }
        assert_eq!(kept.len(), RUNS_MAX);
        assert_eq!(
            kept.replay(0).0,
            2 * OUTPUT_KEPT_BYTES as u64 - RUNS_MAX as u64
        );
        assert!(kept.runs.capacity() * size_of::<(Stream, u32)>() <= 2 * OUTPUT_KEPT_BYTES);
    }

    #[test]
    fn all_processes_together_keep_a_bounded_amount() {
        let budget = Budget::default();
        let mut all: Vec<_> = (0..200).map(|_| Kept::new(budget.clone())).collect();
        for kept in &mut all {
            kept.push(Stream::Stdout, &vec![0; OUTPUT_KEPT_BYTES]);
        }
        let most = OUTPUT_KEPT_TOTAL_BYTES + OUTPUT_KEPT_BYTES + 200 * FLOOR_BYTES;
        assert!(budget.load(Ordering::Relaxed) <= most);
        drop(all);
        assert_eq!(budget.load(Ordering::Relaxed), 0);
    }
}
