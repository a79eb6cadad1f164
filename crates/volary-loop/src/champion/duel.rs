//! A challenger against the champion, label by label.
//!
//! It wins when it is better on the Brier score and not worse, by more than a margin, on both errors:
//! real subjects missed and bogus ones passed, each model at its own threshold. The three must hold at one
//! time, each by a confidence sequence for the mean of paired differences, so that the chance to promote a
//! challenger that fails any one of them is at most α however often one looks (an intersection–union test).
//! Compare a test for a fixed number of labels, looked at every day until it says yes: wrong in one of three
//! duels (see the tests).
//!
//! It judges; `volary-live` acts.

use volary_crowd::Interval;

use super::ConfidenceSequence;

/// What is asked of a challenger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DuelParams {
    /// Chance to promote a challenger that should not be.
    pub alpha: f64,
    /// How much larger its share of missed real subjects may be.
    pub margin_missed: f64,
    /// How much larger its share of passed bogus subjects may be.
    pub margin_passed: f64,
    /// Real and bogus subjects that must have been seen, each.
    pub least: u64,
}

impl Default for DuelParams {
    fn default() -> Self {
        Self { alpha: 0.01, margin_missed: 0.02, margin_passed: 0.02, least: 100 }
    }
}

/// What both models said of a subject, and what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The champion's probability of real.
    pub champion: f64,
    /// The challenger's.
    pub challenger: f64,
    /// Whether the champion would have passed it.
    pub champion_passes: bool,
    /// Whether the challenger would.
    pub challenger_passes: bool,
    /// What it was.
    pub is_real: bool,
}

/// What the labels so far say of challenger minus champion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    brier: Interval,
    missed: Interval,
    passed: Interval,
    n_real: u64,
    n_bogus: u64,
    params: DuelParams,
}

impl Evidence {
    /// Where the difference of Brier scores lies; below 0 the challenger is better.
    #[must_use]
    pub fn brier(&self) -> Interval {
        self.brier
    }

    /// Where the difference of the shares of missed real subjects lies.
    #[must_use]
    pub fn missed(&self) -> Interval {
        self.missed
    }

    /// Where the difference of the shares of passed bogus subjects lies.
    #[must_use]
    pub fn passed(&self) -> Interval {
        self.passed
    }

    /// Real and bogus subjects it rests on.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.n_real, self.n_bogus)
    }

    /// What was asked.
    #[must_use]
    pub fn params(&self) -> DuelParams {
        self.params
    }

    fn is_enough(&self) -> bool {
        self.n_real.min(self.n_bogus) >= self.params.least
    }

    /// Whether the challenger has won.
    #[must_use]
    pub fn is_better(&self) -> bool {
        let params = self.params;
        let errors = self.missed.high < params.margin_missed && self.passed.high < params.margin_passed;
        self.is_enough() && errors && self.brier.high < 0.0
    }

    /// Whether it is proven worse: on the Brier score, or on an error by more than the margin.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let params = self.params;
        let errors = self.missed.low > params.margin_missed || self.passed.low > params.margin_passed;
        errors || self.brier.low > 0.0
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Wait,
    /// The challenger is better.
    Promote,
    /// The challenger is worse: drop it, or roll back if it is in use.
    Reject,
}

/// Two models and what has been seen of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Duel {
    params: DuelParams,
    brier: ConfidenceSequence,
    missed: ConfidenceSequence,
    passed: ConfidenceSequence,
}

impl Duel {
    /// A duel that begins. Settings that are no shares ask for what cannot be proven, so that nothing is
    /// promoted by mistake.
    #[must_use]
    pub fn new(params: DuelParams) -> Self {
        let alpha =
            if params.alpha > 0.0 && params.alpha < 1.0 { params.alpha } else { f64::MIN_POSITIVE };
        let sequence = || ConfidenceSequence::new(-1.0, 1.0, alpha);
        Self { params, brier: sequence(), missed: sequence(), passed: sequence() }
    }

    /// Takes the next label. Give each subject once, in the order in which labels come.
    pub fn push(&mut self, outcome: &Outcome) {
        let truth = f64::from(u8::from(outcome.is_real));
        let brier = |p: f64| (p - truth).powi(2);
        self.brier.push(brier(outcome.challenger) - brier(outcome.champion));
        let passes = |passes: bool| f64::from(u8::from(passes));
        let difference = passes(outcome.challenger_passes) - passes(outcome.champion_passes);
        if outcome.is_real {
            self.missed.push(-difference);
        } else {
            self.passed.push(difference);
        }
    }

    /// What is known now.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence {
            brier: self.brier.interval(),
            missed: self.missed.interval(),
            passed: self.passed.interval(),
            n_real: self.missed.n(),
            n_bogus: self.passed.n(),
            params: self.params,
        }
    }

    /// What to do now.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let evidence = self.evidence();
        match (evidence.is_better(), evidence.is_worse()) {
            (_, true) => Verdict::Reject,
            (true, false) => Verdict::Promote,
            _ => Verdict::Wait,
        }
    }
}

#[cfg(test)]
#[path = "duel_tests.rs"]
mod tests;
