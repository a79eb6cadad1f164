//! The beta–binomial: how shares differ from subject to subject, by maximum likelihood.
//!
//! Skellam 1948 (doi:10.1111/j.2517-6161.1948.tb00014.x); empirical Bayes as in Griffiths 1973
//! (doi:10.2307/2529131). Each subject's share is drawn from Beta(α, β), then its votes from a
//! binomial. The likelihood needs only three histograms (of k, of n − k and of n), because
//! ln Γ(α + k) − ln Γ(α) = Σ_{j<k} ln(α + j); so a step costs the largest n, not the number of subjects.
//! One share per subject: several answers at once (Dirichlet–multinomial) are not fitted here.

use statrs::function::gamma::ln_gamma;

use crate::interval::{Interval, beta_interval, beta_tail};

/// Beyond this many pseudo-votes a beta prior is a point for every purpose.
pub const MAX_PRECISION: f64 = 1e7;
/// Below this few the prior is two points, 0 and 1.
pub const MIN_PRECISION: f64 = 1e-6;
/// A backstop: fits take 5 to 20 steps.
const MAX_STEPS: u32 = 500;

/// Why no prior can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BetaBinomialError {
    /// No subject has a vote.
    #[error("no subject has a vote")]
    Empty,
    /// More votes for the answer than votes.
    #[error("{k} of {n} votes")]
    MoreThanAll {
        /// Votes for the answer.
        k: u64,
        /// Votes.
        n: u64,
    },
    /// Nobody gave the answer, or everybody did, so the spread of shares is unknown.
    #[error("all of the {n_subjects} subjects have a share of {share}")]
    OneSided {
        /// 0 or 1.
        share: u8,
        /// With votes.
        n_subjects: u64,
    },
    /// One vote a subject shows the mean, but not the spread.
    #[error("none of the {n_subjects} subjects has two votes")]
    SingleVotes {
        /// With votes.
        n_subjects: u64,
    },
    /// The search gave up.
    #[error("no maximum after {steps} steps")]
    NotConverged {
        /// Steps taken.
        steps: u32,
    },
}

/// Counts (k of n) of many subjects, reduced to what the fit needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    yes: Vec<u64>,
    no: Vec<u64>,
    all: Vec<u64>,
}

impl Counts {
    /// Adds `times` subjects with `k` of `n` votes; subjects without votes say nothing.
    ///
    /// # Errors
    /// [`BetaBinomialError::MoreThanAll`] for k > n.
    pub fn add(&mut self, k: u64, n: u64, times: u64) -> Result<(), BetaBinomialError> {
        if k > n {
            return Err(BetaBinomialError::MoreThanAll { k, n });
        }
        if n > 0 {
            bump(&mut self.yes, k, times);
            bump(&mut self.no, n - k, times);
            bump(&mut self.all, n, times);
        }
        Ok(())
    }

    /// How many subjects have votes.
    #[must_use]
    pub fn n_subjects(&self) -> u64 {
        self.all.iter().sum()
    }

    /// How many subjects have `n` votes.
    #[must_use]
    pub fn subjects_with(&self, n: u64) -> u64 {
        usize::try_from(n).ok().and_then(|n| self.all.get(n)).copied().unwrap_or(0)
    }
}

fn bump(histogram: &mut Vec<u64>, at: u64, times: u64) {
    let at = usize::try_from(at).expect("counts fit in memory");
    if histogram.len() <= at {
        histogram.resize(at + 1, 0);
    }
    histogram[at] += times;
}

/// A fitted Beta(α, β).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BetaBinomial {
    /// α.
    pub alpha: f64,
    /// β.
    pub beta: f64,
    /// Log-likelihood of the counts, binomial coefficients included.
    pub log_likelihood: f64,
    /// Subjects with votes.
    pub n_subjects: u64,
    /// Standard error of α by the observed information; `None` at a bound.
    pub alpha_se: Option<f64>,
    /// Standard error of β; `None` at a bound.
    pub beta_se: Option<f64>,
    /// Whether the likelihood rises up to a bound of α + β ([`MIN_PRECISION`], [`MAX_PRECISION`]): shares
    /// that do not differ between subjects, or that are all 0 or 1.
    pub at_bound: bool,
}

impl BetaBinomial {
    /// Fits Beta(α, β) to (k, n) pairs.
    ///
    /// # Errors
    /// [`BetaBinomialError`], where the counts cannot show a spread.
    pub fn fit(pairs: impl IntoIterator<Item = (u64, u64)>) -> Result<Self, BetaBinomialError> {
        let mut counts = Counts::default();
        for (k, n) in pairs {
            counts.add(k, n, 1)?;
        }
        Self::fit_counts(&counts)
    }

    /// Fits Beta(α, β) to counts.
    ///
    /// # Errors
    /// As [`BetaBinomial::fit`].
    pub fn fit_counts(counts: &Counts) -> Result<Self, BetaBinomialError> {
        let likelihood = Likelihood::new(counts)?;
        let (alpha, beta, at_bound) = likelihood.maximise()?;
        let (alpha_se, beta_se) = if at_bound { (None, None) } else { likelihood.errors(alpha, beta) };
        Ok(Self {
            alpha,
            beta,
            log_likelihood: likelihood.value(alpha, beta) + log_coefficients(counts),
            n_subjects: likelihood.n_subjects,
            alpha_se,
            beta_se,
            at_bound,
        })
    }

    /// Mean share, α/(α + β).
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// Over-dispersion ρ = 1/(α + β + 1): the correlation of two votes on one subject.
    #[must_use]
    pub fn overdispersion(&self) -> f64 {
        1.0 / (self.alpha + self.beta + 1.0)
    }

    /// Posterior mean of a subject's share after `k` of `n`.
    #[must_use]
    pub fn posterior_mean(&self, k: f64, n: f64) -> f64 {
        (k + self.alpha) / (n + self.alpha + self.beta)
    }

    /// Equal-tailed posterior interval after `k` of `n`.
    #[must_use]
    pub fn posterior_interval(&self, k: f64, n: f64, level: f64) -> Interval {
        beta_interval(k + self.alpha, n - k + self.beta, level)
    }

    /// P(share > `threshold`) after `k` of `n`.
    #[must_use]
    pub fn posterior_tail(&self, k: f64, n: f64, threshold: f64) -> f64 {
        beta_tail(k + self.alpha, n - k + self.beta, threshold)
    }
}

/// Tail counts: `yes[j]` subjects have k > j, `no[j]` n − k > j, `all[j]` n > j.
struct Likelihood {
    yes: Vec<f64>,
    no: Vec<f64>,
    all: Vec<f64>,
    n_subjects: u64,
}

/// First and second derivatives by α and β.
#[derive(Clone, Copy, Default)]
struct Slopes {
    a: f64,
    b: f64,
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Likelihood {
    fn new(counts: &Counts) -> Result<Self, BetaBinomialError> {
        let n_subjects = counts.n_subjects();
        if n_subjects == 0 {
            return Err(BetaBinomialError::Empty);
        }
        let [yes, no, all] = [&counts.yes, &counts.no, &counts.all].map(|h| tail_counts(h));
        match (yes.is_empty(), no.is_empty()) {
            (true, _) => return Err(BetaBinomialError::OneSided { share: 0, n_subjects }),
            (_, true) => return Err(BetaBinomialError::OneSided { share: 1, n_subjects }),
            _ => {}
        }
        if all.len() < 2 {
            return Err(BetaBinomialError::SingleVotes { n_subjects });
        }
        Ok(Self { yes, no, all, n_subjects })
    }

    fn value(&self, alpha: f64, beta: f64) -> f64 {
        let sum = |tail: &[f64], shape: f64| -> f64 {
            tail.iter().enumerate().map(|(j, m)| m * (shape + index(j)).ln()).sum()
        };
        sum(&self.yes, alpha) + sum(&self.no, beta) - sum(&self.all, alpha + beta)
    }

    fn slopes(&self, alpha: f64, beta: f64) -> Slopes {
        let sums = |tail: &[f64], shape: f64| {
            tail.iter().enumerate().fold((0.0, 0.0), |(first, second), (j, m)| {
                let r = 1.0 / (shape + index(j));
                (first + m * r, second - m * r * r)
            })
        };
        let (yes, no, all) =
            (sums(&self.yes, alpha), sums(&self.no, beta), sums(&self.all, alpha + beta));
        Slopes { a: yes.0 - all.0, b: no.0 - all.0, aa: yes.1 - all.1, bb: no.1 - all.1, ab: -all.1 }
    }

    /// Newton in (logit mean, log precision), where the likelihood is nearly quadratic and the two
    /// coordinates nearly independent; a step that does not climb is halved.
    fn maximise(&self) -> Result<(f64, f64, bool), BetaBinomialError> {
        let share = self.yes.iter().sum::<f64>() / self.all.iter().sum::<f64>();
        let (low, high) = (MIN_PRECISION.ln(), MAX_PRECISION.ln());
        let mut at = [(share / (1.0 - share)).ln(), 2.0_f64.ln()];
        let mut value = self.value_at(at);
        for _ in 0..MAX_STEPS {
            let mut step = self.newton_step(at);
            let stuck = (at[1] >= high && step[1] > 0.0) || (at[1] <= low && step[1] < 0.0);
            if stuck {
                step[1] = 0.0;
            }
            let longest = step[0].abs().max(step[1].abs());
            if longest < 1e-11 {
                let (alpha, beta) = shapes(at);
                return Ok((alpha, beta, stuck));
            }
            let mut scale = (2.0 / longest).min(1.0);
            loop {
                let next = [at[0] + scale * step[0], (at[1] + scale * step[1]).clamp(low, high)];
                let next_value = self.value_at(next);
                if next_value >= value || scale * longest < 1e-9 {
                    // Below 1e-9 the likelihood is flat to rounding: accept, the next step decides.
                    (at, value) = (next, next_value);
                    break;
                }
                scale /= 2.0;
            }
            if scale * longest < 1e-9 {
                let (alpha, beta) = shapes(at);
                return Ok((alpha, beta, at[1] >= high || at[1] <= low));
            }
        }
        Err(BetaBinomialError::NotConverged { steps: MAX_STEPS })
    }

    fn value_at(&self, at: [f64; 2]) -> f64 {
        let (alpha, beta) = shapes(at);
        self.value(alpha, beta)
    }

    fn newton_step(&self, at: [f64; 2]) -> [f64; 2] {
        let (alpha, beta) = shapes(at);
        let (mean, s) = (alpha / (alpha + beta), self.slopes(alpha, beta));
        // Chain rule: with t = αβ/(α+β), ∂(α, β)/∂ logit = (t, −t) and ∂(α, β)/∂ log = (α, β).
        let t = alpha * (1.0 - mean);
        let (gu, gv) = (t * (s.a - s.b), alpha * s.a + beta * s.b);
        let uu = t * t * (s.aa - 2.0 * s.ab + s.bb) + t * (1.0 - 2.0 * mean) * (s.a - s.b);
        let vv = alpha * alpha * s.aa + 2.0 * alpha * beta * s.ab + beta * beta * s.bb + gv;
        let uv = t * (alpha * (s.aa - s.ab) + beta * (s.ab - s.bb)) + gu;
        let determinant = uu * vv - uv * uv;
        if uu < 0.0 && determinant > 1e-12 * uu * vv {
            return [(uv * gv - vv * gu) / determinant, (uv * gu - uu * gv) / determinant];
        }
        // Not concave here: climb along each coordinate by itself.
        let alone =
            |g: f64, h: f64| if h == 0.0 { g.signum() * f64::from(g != 0.0) } else { g / h.abs() };
        [alone(gu, uu), alone(gv, vv)]
    }

    fn errors(&self, alpha: f64, beta: f64) -> (Option<f64>, Option<f64>) {
        let s = self.slopes(alpha, beta);
        let determinant = s.aa * s.bb - s.ab * s.ab;
        if s.aa < 0.0 && determinant > 0.0 {
            (Some((-s.bb / determinant).sqrt()), Some((-s.aa / determinant).sqrt()))
        } else {
            (None, None)
        }
    }
}

fn shapes(at: [f64; 2]) -> (f64, f64) {
    let precision = at[1].exp();
    (precision / (1.0 + (-at[0]).exp()), precision / (1.0 + at[0].exp()))
}

fn index(j: usize) -> f64 {
    j as f64
}

fn tail_counts(histogram: &[u64]) -> Vec<f64> {
    let mut above = 0;
    let mut tail: Vec<f64> = (1..histogram.len())
        .rev()
        .map(|at| {
            above += histogram[at];
            above as f64
        })
        .collect();
    tail.reverse();
    tail
}

/// Σ ln C(n, k), which the three histograms give as well.
fn log_coefficients(counts: &Counts) -> f64 {
    let sum = |histogram: &[u64]| -> f64 {
        let terms = histogram.iter().enumerate().filter(|(_, m)| **m > 0);
        terms.map(|(at, m)| *m as f64 * ln_gamma(index(at) + 1.0)).sum()
    };
    sum(&counts.all) - sum(&counts.yes) - sum(&counts.no)
}

#[cfg(test)]
#[path = "beta_binomial_tests.rs"]
mod tests;
