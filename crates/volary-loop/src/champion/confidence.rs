//! An interval for a mean that holds at every moment at once, so that looking early costs nothing.
//!
//! The predictable plug-in empirical Bernstein sequence for values in 0…1: Waudby-Smith & Ramdas 2024
//! (doi:10.1093/jrsssb/qkad009), theorem 2. With bets λ_t that depend on the past alone,
//!
//! > Σ λ_i x_i / Σ λ_i  ±  (ln(2/α) + Σ v_i ψ(λ_i)) / Σ λ_i
//!
//! with v_i = 4 (x_i − μ̂_{i−1})², ψ(λ) = (−ln(1 − λ) − λ)/4, λ_t = min(½, √(2 ln(2/α) / (σ̂²_{t−1} t ln(1 + t)))).
//! It holds if each value has the mean in question given the past; the values need not be independent or
//! alike otherwise. Intervals of all moments are intersected.

use volary_crowd::Interval;

/// The running interval.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfidenceSequence {
    /// ln(2/α).
    log: f64,
    /// Values lie in `[low, low + width]`.
    low: f64,
    width: f64,
    n: u64,
    sum: f64,
    squares: f64,
    bets: f64,
    bet_values: f64,
    spent: f64,
    interval: Interval,
}

impl ConfidenceSequence {
    /// For values between `low` and `high`, wrong at any time with a chance of at most `alpha`.
    #[must_use]
    pub fn new(low: f64, high: f64, alpha: f64) -> Self {
        Self {
            log: (2.0 / alpha).ln(),
            low,
            width: high - low,
            n: 0,
            sum: 0.0,
            squares: 0.0,
            bets: 0.0,
            bet_values: 0.0,
            spent: 0.0,
            interval: Interval { low, high },
        }
    }

    /// Takes the next value; one outside its bounds counts as the bound, and no number as the middle.
    pub fn push(&mut self, value: f64) {
        let x = (value - self.low) / self.width;
        let x = if x.is_nan() { 0.5 } else { x.clamp(0.0, 1.0) };
        // What was known before this value.
        let (mean, variance) = (self.mean(), (0.25 + self.squares) / (self.n as f64 + 1.0));
        self.n += 1;
        let t = self.n as f64;
        let bet = (2.0 * self.log / (variance * t * t.ln_1p())).sqrt().min(0.5);
        self.bets += bet;
        self.bet_values += bet * x;
        self.spent += 4.0 * (x - mean).powi(2) * (-(-bet).ln_1p() - bet) / 4.0;
        self.sum += x;
        self.squares += (x - self.mean()).powi(2);
        let centre = self.bet_values / self.bets;
        let half = (self.log + self.spent) / self.bets;
        let back = |share: f64| self.low + self.width * share;
        self.interval.low = self.interval.low.max(back(centre - half));
        self.interval.high = self.interval.high.min(back(centre + half));
    }

    /// (½ + Σx)/(n + 1), in 0…1.
    fn mean(&self) -> f64 {
        (0.5 + self.sum) / (self.n as f64 + 1.0)
    }

    /// Values so far.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Where the mean is. If the mean has moved, the ends can cross: then no mean fits all moments.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::lcg;

    #[test]
    fn it_is_that_of_numpy() {
        let golden = crate::golden();
        let mut rows = golden["bernstein"].as_array().unwrap().iter();
        let mut row = rows.next();
        let mut sequence = ConfidenceSequence::new(0.0, 1.0, 0.05);
        for (at, u) in lcg(5).take(2_000).enumerate() {
            sequence.push(u * u);
            let Some(expected) = row else { break };
            if expected[0].as_u64() == Some(at as u64) {
                let found = sequence.interval();
                for (found, expected) in [(found.low, &expected[1]), (found.high, &expected[2])] {
                    assert!((found - expected.as_f64().unwrap()).abs() < 1e-12, "{at}: {found}");
                }
                row = rows.next();
            }
        }
        assert!(row.is_none(), "all of them");
    }

    #[test]
    fn it_covers_at_all_times_and_narrows() {
        let mut rng = volary_core::seed::stream(8, "confidence");
        for (p, n) in [(0.02, 3_000), (0.5, 1_000), (0.9, 1_000)] {
            let (mut missed, mut width) = (0, 0.0);
            for _ in 0..400 {
                let mut sequence = ConfidenceSequence::new(-1.0, 1.0, 0.1);
                let mean = 2.0 * p - 1.0;
                let mut is_missed = false;
                for _ in 0..n {
                    sequence.push(if rng.random::<f64>() < p { 1.0 } else { -1.0 });
                    is_missed |= !sequence.interval().contains(mean);
                }
                missed += u32::from(is_missed);
                width += sequence.interval().width() / 400.0;
            }
            // 40 on average at most; four standard deviations above that would be 64.
            assert!(missed <= 40, "{p}: {missed} of 400 missed");
            let fixed = 2.0 * 2.0 * 1.645 * (p * (1.0 - p) / f64::from(n)).sqrt();
            assert!(width < 3.0 * fixed, "{p}: {width}, against {fixed} for one look");
        }
    }

    #[test]
    fn odd_values_are_bounded() {
        let mut sequence = ConfidenceSequence::new(-1.0, 1.0, 0.05);
        for value in [f64::NAN, f64::INFINITY, -9.0, 5.0] {
            sequence.push(value);
        }
        let interval = sequence.interval();
        assert!(sequence.n() == 4 && interval.low >= -1.0 && interval.high <= 1.0);
    }
}
