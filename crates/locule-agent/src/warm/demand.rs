//! How many VMs of one kind the warm pool should hold, from how many were asked for lately. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// Requests older than this do not count.
const MEMORY: Duration = Duration::from_mins(10);
/// Requests within this time form a burst. The pool should be able to serve another burst like it.
const BURST: Duration = Duration::from_secs(5);
/// Requests that are remembered at most: no pool is that large.
const REMEMBERED: usize = 1024;

/// When sandboxes of one kind were requested.
#[derive(Debug, Default)]
pub(crate) struct Demand(VecDeque<Duration>);

impl Demand {
    pub(crate) fn note(&mut self, now: Duration) {
        self.0.push_back(now);
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }

    /// The size of the largest burst that still counts.
    pub(crate) fn peak(&mut self, now: Duration) -> usize {
        while self
            .0
            .front()
            .is_some_and(|at| now.saturating_sub(*at) > MEMORY)
        {
            self.0.pop_front();
        }
        let mut start = 0;
        let mut peak = 0;
        for (end, at) in self.0.iter().enumerate() {
            while at.saturating_sub(self.0[start]) > BURST {
                start += 1;
            }
            peak = peak.max(end - start + 1);
        }
        peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(times: &[u64]) -> Demand {
        let mut demand = Demand::default();
        for seconds in times {
            demand.note(Duration::from_secs(*seconds));
        }
        demand
    }

    #[test]
    fn a_peak_is_the_largest_burst_and_not_the_sum_of_bursts() {
        let mut demand = at(&[0, 100, 101, 102, 200, 300]);
        assert_eq!(demand.peak(Duration::from_mins(5)), 3);
        assert_eq!(at(&[]).peak(Duration::ZERO), 0);
    }

    #[test]
    fn requests_beyond_ten_minutes_do_not_count() {
        let mut demand = at(&[0, 0, 0, 700]);
        assert_eq!(demand.peak(Duration::from_secs(700)), 1);
    }

    proptest::proptest! {
        #[test]
        fn a_peak_is_at_most_the_number_of_recent_requests(mut times in proptest::collection::vec(0_u64..900, 0..200)) {
            times.sort_unstable();
            let mut demand = at(&times);
            let recent = times.iter().filter(|at| **at >= 300).count();
            let peak = demand.peak(Duration::from_mins(15));
            proptest::prop_assert!(peak <= recent);
            proptest::prop_assert_eq!(peak == 0, recent == 0);
        }
    }
}
