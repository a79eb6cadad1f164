//! The learning rate of an epoch: it falls by a factor every few epochs.

use serde::{Deserialize, Serialize};

/// A learning rate that falls in steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The rate of the first epochs.
    pub rate: f64,
    /// Factor at each step.
    pub decay: f64,
    /// Epochs between steps.
    pub every_epochs: usize,
}

impl Schedule {
    /// The rate of an epoch, counted from 0.
    #[must_use]
    pub fn rate_of(&self, epoch: usize) -> f64 {
        let steps = epoch / self.every_epochs.max(1);
        self.rate * self.decay.powi(i32::try_from(steps).unwrap_or(i32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn the_rate_falls_every_five_epochs() {
        let schedule = Schedule { rate: 1e-4, decay: 0.99, every_epochs: 5 };
        let rates: Vec<f64> = [0, 4, 5, 9, 10].into_iter().map(|e| schedule.rate_of(e)).collect();
        let once = 1e-4 * 0.99;
        assert_eq!(rates, [1e-4, 1e-4, once, once, 1e-4 * 0.99_f64.powi(2)]);
    }
}
