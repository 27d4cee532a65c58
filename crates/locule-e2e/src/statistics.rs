//! Percentiles, figures and their bars.

/// A figure: the values of one measurement in one run.
#[derive(Debug, Clone)]
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub values: Vec<f64>,
    pub bar: Option<Bar>,
    /// The breakdown of the time, or the conditions of the figure.
    pub notes: Vec<String>,
}

/// The limit of a figure.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The compared value, in words.
    pub what: String,
    pub value: f64,
    pub limit: f64,
    pub at_most: bool,
}

impl Bar {
    pub fn passes(&self) -> bool {
        if self.at_most {
            self.value <= self.limit
        } else {
            self.value >= self.limit
        }
    }

    pub fn text(&self) -> String {
        let sign = if self.at_most { '≤' } else { '≥' };
        let verdict = if self.passes() { "pass" } else { "MISS" };
        format!(
            "{} = {:.2} {sign} {}: {verdict}",
            self.what, self.value, self.limit
        )
    }
}

/// The end of units of which more is better: the slow tail is at the low end.
const RATE: &str = "/s";

/// The nearest-rank percentile of a sample, in percent; zero of an empty one.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

impl Figure {
    pub fn new(name: &str, unit: &'static str, values: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            values,
            bar: None,
            notes: Vec::new(),
        }
    }

    pub fn p50(&self) -> f64 {
        percentile(&self.values, 50)
    }

    pub fn p99(&self) -> f64 {
        percentile(&self.values, 99)
    }

    #[must_use]
    pub fn at_most(self, what: &str, value: f64, limit: f64) -> Self {
        self.bar(what, value, limit, true)
    }

    #[must_use]
    pub fn at_least(self, what: &str, value: f64, limit: f64) -> Self {
        self.bar(what, value, limit, false)
    }

    fn bar(mut self, what: &str, value: f64, limit: f64, at_most: bool) -> Self {
        self.bar = Some(Bar {
            what: what.to_owned(),
            value,
            limit,
            at_most,
        });
        self
    }

    #[must_use]
    pub fn note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// p50, p95 and p99, with the number of digits that suits the unit.
    pub fn percentiles(&self) -> [String; 3] {
        [50, 95, 99].map(|percent| {
            let percent = if self.unit.ends_with(RATE) {
                100 - percent
            } else {
                percent
            };
            let value = percentile(&self.values, percent);
            if value >= 100.0 {
                format!("{value:.0}")
            } else {
                format!("{value:.1}")
            }
        })
    }
}

/// `a / b`, and zero where there is no `b`.
pub fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let found = [50, 95, 99, 100].map(|percent| percentile(&values, percent));
        assert_eq!(
            found.map(|value| value.to_string()),
            ["50", "95", "99", "100"]
        );
        assert_eq!(percentile(&[7.0], 99).to_string(), "7");
        assert_eq!(percentile(&[], 50).to_string(), "0");
    }

    #[test]
    fn the_tail_percentiles_of_a_rate_are_its_low_end() {
        let values = || (1..=100).map(f64::from).collect();
        let time = Figure::new("", "ms", values()).percentiles();
        let rate = Figure::new("", "MB/s", values()).percentiles();
        assert_eq!((time[2].as_str(), rate[2].as_str()), ("99.0", "1.0"));
    }

    #[test]
    fn a_limit_applies_in_the_right_direction() {
        let figure = |value| Figure::new("", "ms", vec![value]);
        let slow = figure(3.0).at_most("x", 3.0, 2.0).bar;
        let fast = figure(3.0).at_least("x", 3.0, 2.0).bar;
        assert!(!slow.as_ref().is_some_and(Bar::passes) && fast.is_some_and(|bar| bar.passes()));
        assert_eq!(
            slow.map(|bar| bar.text()).as_deref(),
            Some("x = 3.00 ≤ 2: MISS")
        );
    }
}
