//! The memory that the host has promised to its VMs: those of sandboxes, and those of the warm pool.
//!
//! A promise is made under a lock, before anything is made of the VM, and is given back with the VM. So creates at the same
//! time cannot promise more than the limit together.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Limits;

#[derive(Debug)]
pub(crate) struct Promises {
    limits: Limits,
    sum_mib: Arc<Mutex<u64>>,
}

/// Memory that is promised to one VM. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Promise {
    sum_mib: Arc<Mutex<u64>>,
    mib: u32,
}

impl Promises {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            sum_mib: Arc::default(),
        }
    }

    /// `None`: the limit would be exceeded.
    pub(crate) fn make(&self, mib: u32) -> Option<Promise> {
        let mut sum = self.sum_mib.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.limits.fits(*sum + u64::from(mib)) {
            return None;
        }
        *sum += u64::from(mib);
        Some(self.promise(mib))
    }

    /// The promise of a VM that an earlier agent made. The limit may have been larger then.
    pub(crate) fn adopt(&self, mib: u32) -> Promise {
        *self.sum_mib.lock().unwrap_or_else(PoisonError::into_inner) += u64::from(mib);
        self.promise(mib)
    }

    /// Whether `mib` could be promised if `given_back_mib` were given back first.
    pub(crate) fn could_make(&self, mib: u32, given_back_mib: u64) -> bool {
        let left = self.sum_mib().saturating_sub(given_back_mib);
        self.limits.fits(left + u64::from(mib))
    }

    pub(crate) fn sum_mib(&self) -> u64 {
        *self.sum_mib.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn promise(&self, mib: u32) -> Promise {
        Promise {
            sum_mib: self.sum_mib.clone(),
            mib,
        }
    }
}

impl Promise {
    pub(crate) fn mib(&self) -> u32 {
        self.mib
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut sum = self.sum_mib.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = sum.saturating_sub(u64::from(self.mib));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promises(limit_mib: u64) -> Promises {
        Promises::new(Limits {
            memory_limit_mib: limit_mib,
            memory_overcommit: 2.0,
            ..Limits::default()
        })
    }

    /// Seven creates of 8192 MiB at once promised 57,344 MiB where the limit was 38,568.
    #[test]
    fn promises_at_the_same_time_never_exceed_the_limit() {
        let promises = promises(512);
        let made: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..32)
                .map(|_| scope.spawn(|| promises.make(128)))
                .collect();
            makers
                .into_iter()
                .filter_map(|maker| maker.join().unwrap())
                .collect()
        });
        assert_eq!((made.len(), promises.sum_mib()), (8, 1024));
        drop(made);
        assert_eq!(promises.sum_mib(), 0);
    }

    #[test]
    fn an_adopted_vm_has_its_promise_beyond_the_limit() {
        let promises = promises(512);
        let adopted = promises.adopt(8192);
        assert!(promises.make(128).is_none());
        assert!(promises.could_make(128, 8192));
        drop(adopted);
        promises.make(128).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn the_sum_is_what_is_held(steps in proptest::collection::vec((1_u32..600, proptest::bool::ANY), 0..60)) {
            let promises = promises(1024);
            let mut held = std::collections::VecDeque::new();
            for (mib, give_back) in steps {
                if give_back {
                    held.pop_front();
                } else if let Some(promise) = promises.make(mib) {
                    held.push_back(promise);
                } else {
                    proptest::prop_assert!(promises.sum_mib() + u64::from(mib) > 2048);
                }
                let sum: u64 = held.iter().map(|promise| u64::from(promise.mib())).sum();
                proptest::prop_assert_eq!(promises.sum_mib(), sum);
                proptest::prop_assert!(sum <= 2048);
            }
        }
    }
}
