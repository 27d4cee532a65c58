//! Runs a parser on mutations of valid input for a limited time, on the stable compiler and inside the crate that owns the
//! parser.
//!
//! A target is a test called `fuzz::…`: it calls [`fuzz`] with seeds and a function that panics when the parser breaks a
//! promise. An input for which the function returns a new [`Shape`] of answer joins the seeds, so a run reaches deeper code
//! step by step. A target that fails prints the seed of the run and the input; `LOCULE_FUZZ_SEED` replays the run, and the
//! input becomes a test of its own. `LOCULE_FUZZ_SECONDS` sets how long each target runs: 10 seconds in the ring `fuzz`, a
//! fraction of a second in a plain test run.

mod mutate;

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::mutate::Mutator;

const SECONDS_DEFAULT: f64 = 0.3;
/// A target that takes longer than this for one input hangs.
const INPUT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of inputs that are kept because their answer had a new shape.
const CORPUS_MAX: usize = 2000;

/// A rough summary of a target's answer to an input. A finer summary lets a run get deeper; a coarser one keeps fewer inputs.
pub trait Shape {
    fn shape(&self) -> u64;
}

/// The shape of a printable answer is the beginning of its text.
impl<T: Debug> Shape for T {
    fn shape(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let text = format!("{self:?}");
        text.chars().take(200).for_each(|one| one.hash(&mut hasher));
        hasher.finish()
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a fuzz run is configured"
    )]
    std::env::var(name).ok()?.parse().ok()
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a run is limited in real time")]
    Instant::now()
}

/// Runs `target` on the seeds, then on mutations of them until the time is over. Panics if the target panics or hangs.
pub fn fuzz<S: AsRef<[u8]>, T: Shape>(seeds: &[S], target: impl Fn(&[u8]) -> T) {
    let seconds = setting("LOCULE_FUZZ_SECONDS").unwrap_or(SECONDS_DEFAULT);
    let seed = setting("LOCULE_FUZZ_SEED").unwrap_or_else(|| rand::rng().random());
    let mut rng = StdRng::seed_from_u64(seed);
    let mut corpus: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_ref().to_vec()).collect();
    corpus.push(Vec::new());
    let mutator = Mutator::new(&corpus);
    let mut shapes = HashSet::new();
    let end = now() + Duration::from_secs_f64(seconds);
    for input in &corpus {
        shapes.insert(run(seed, input, &target));
    }
    let mut runs = corpus.len() as u64;
    while now() < end {
        let input = mutator.mutate(&corpus, &mut rng);
        runs += 1;
        if shapes.insert(run(seed, &input, &target)) && corpus.len() < CORPUS_MAX {
            corpus.push(input);
        }
    }
    #[expect(clippy::print_stderr, reason = "a summary for `--no-capture`")]
    {
        eprintln!("{runs} inputs, {} shapes, seed {seed}", shapes.len());
    }
}

fn run<T: Shape>(seed: u64, input: &[u8], target: &impl Fn(&[u8]) -> T) -> u64 {
    let started = now();
    let result = catch_unwind(AssertUnwindSafe(|| target(input).shape()));
    let took = started.elapsed();
    let explain = |what: &str| {
        #[expect(clippy::print_stderr, reason = "the report of a failed test")]
        {
            eprintln!(
                "{what}; LOCULE_FUZZ_SEED={seed} replays the run; the input: b\"{}\"",
                input.escape_ascii()
            );
        }
    };
    match result {
        Ok(shape) => {
            if took > INPUT_TIMEOUT {
                explain("the target hangs");
                panic!("{took:?} for one input");
            }
            shape
        }
        Err(panic) => {
            explain("the target failed");
            resume_unwind(panic)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_finds_a_fault_behind_several_steps() {
        // Each step has its own shape, which leads the run to the last step.
        let lock = |input: &[u8]| {
            let open = input
                .iter()
                .zip(b"<key>")
                .take_while(|(got, expected)| got == expected);
            let steps = open.count();
            assert!(steps < 5, "open");
            "x".repeat(steps)
        };
        let found = catch_unwind(|| {
            for _ in 0..200 {
                fuzz(&["<a=1>", "key"], lock);
            }
        });
        assert!(found.is_err());
    }

    #[test]
    fn the_same_seed_produces_the_same_inputs() {
        let corpus = vec![b"{\"id\":1}".to_vec(), b"GET / HTTP/1.1".to_vec()];
        let inputs = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            let mutator = Mutator::new(&corpus);
            (0..50)
                .map(|_| mutator.mutate(&corpus, &mut rng))
                .collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }
}
