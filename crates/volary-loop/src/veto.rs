//! The veto: a model that is sure of bogus may put a subject last, and is watched while it does.
//!
//! A low probability only deprioritises. A share of those subjects, chosen by a keyed hash of the id, is
//! shown all the same and not marked, or the loop would confirm itself: what nobody sees can never be
//! found to be real. The key is the server's, so that nobody outside can tell which subjects are audits.
//!
//! The veto may be used only with a [`Certificate`]: the one-sided exact upper bound (Clopper & Pearson
//! 1934, doi:10.1093/biomet/26.4.404) of P(veto | real), on real subjects of the audit and of validation, lies below what
//! is allowed. Nothing here removes a subject.

use volary_crowd::interval::clopper_pearson;

use crate::hash::share;

/// Why there is no veto.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VetoError {
    /// Not enough evidence.
    #[error(
        "the veto is not certified: {n_vetoed} of {n_real} real subjects would have been vetoed, so up to \
         {upper:.4} of them at worst, and {allowed} are allowed; without a miss {n_needed} would do"
    )]
    NotCertified {
        /// Real subjects that were vetoed.
        n_vetoed: u64,
        /// Real subjects looked at.
        n_real: u64,
        /// Upper bound.
        upper: f64,
        /// Bound that is allowed.
        allowed: f64,
        /// Real subjects needed, with no miss.
        n_needed: u64,
    },
    /// Counts that cannot be.
    #[error("{n_vetoed} of {n_real} real subjects were vetoed; count each subject once in both")]
    Counts {
        /// Real subjects that were vetoed.
        n_vetoed: u64,
        /// Real subjects looked at.
        n_real: u64,
    },
    /// A share that is none.
    #[error("the {name} must lie strictly between 0 and 1; {usual} is usual")]
    Share {
        /// Which.
        name: &'static str,
        /// A usual value.
        usual: f64,
    },
}

/// What has to be shown before a veto may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requirement {
    /// Largest P(veto | real) allowed.
    pub allowed: f64,
    /// Level of the upper bound.
    pub level: f64,
}

impl Default for Requirement {
    fn default() -> Self {
        Self { allowed: 0.01, level: 0.95 }
    }
}

/// Proof that a veto misses few enough; only [`certify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    n_vetoed: u64,
    n_real: u64,
    upper: f64,
    requirement: Requirement,
}

impl Certificate {
    /// Real subjects that would have been vetoed, of how many.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.n_vetoed, self.n_real)
    }

    /// Upper bound of P(veto | real).
    #[must_use]
    pub fn upper(&self) -> f64 {
        self.upper
    }

    /// What was asked of it.
    #[must_use]
    pub fn requirement(&self) -> Requirement {
        self.requirement
    }
}

/// The exact one-sided upper bound of a share of which `k` of `n` were seen.
#[must_use]
pub fn upper_bound(k: u64, n: u64, level: f64) -> f64 {
    // One tail of 1 − level: the upper end of the two-sided interval with both.
    clopper_pearson(k as f64, n as f64, 2.0 * level - 1.0).high
}

/// Real subjects needed if none of them is vetoed: the smallest n with (1 − allowed)^n ≤ 1 − level.
#[must_use]
pub fn n_needed(requirement: Requirement) -> u64 {
    ((1.0 - requirement.level).ln() / (-requirement.allowed).ln_1p()).ceil() as u64
}

/// Whether a veto that took `n_vetoed` of `n_real` real subjects may be used.
///
/// Count only subjects whose label does not come from the model: audited ones with consensus, and
/// validation.
///
/// # Errors
/// [`VetoError`], with the bound reached and the number of subjects that would do.
pub fn certify(n_vetoed: u64, n_real: u64, requirement: Requirement) -> Result<Certificate, VetoError> {
    check("allowed share", requirement.allowed, 0.01)?;
    check("level", requirement.level, 0.95)?;
    if n_vetoed > n_real {
        return Err(VetoError::Counts { n_vetoed, n_real });
    }
    let upper = upper_bound(n_vetoed, n_real, requirement.level);
    let allowed = requirement.allowed;
    if upper > allowed {
        let n_needed = n_needed(requirement);
        return Err(VetoError::NotCertified { n_vetoed, n_real, upper, allowed, n_needed });
    }
    Ok(Certificate { n_vetoed, n_real, upper, requirement })
}

/// What to do with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Show it as usual.
    Show,
    /// Show it as usual, though the model would have vetoed it: its answer tells how good the veto is.
    Audit,
    /// Show it last.
    Deprioritise,
}

/// A veto in use.
#[derive(Clone)]
pub struct Veto {
    key: [u8; 32],
    audit_share: f64,
    below: f64,
    certificate: Certificate,
}

impl std::fmt::Debug for Veto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key tells which subjects are audits.
        let mut f = f.debug_struct("Veto");
        f.field("audit_share", &self.audit_share).field("below", &self.below).finish_non_exhaustive()
    }
}

impl Veto {
    /// A veto on subjects whose probability to be real is below `below`, with `audit_share` of them
    /// shown all the same (0.05 is usual). `key` is the server's secret.
    ///
    /// # Errors
    /// [`VetoError::Share`].
    pub fn new(
        key: [u8; 32],
        audit_share: f64,
        below: f64,
        certificate: Certificate,
    ) -> Result<Self, VetoError> {
        check("audit share", audit_share, 0.05)?;
        check("veto's probability", below, 0.01)?;
        Ok(Self { key, audit_share, below, certificate })
    }

    /// What it was certified by.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What to do with a subject whose probability to be real is `p_real`; a number that is none is shown.
    #[must_use]
    pub fn verdict(&self, subject: &str, p_real: f64) -> Verdict {
        match p_real < self.below {
            true if is_audited(&self.key, subject, self.audit_share) => Verdict::Audit,
            true => Verdict::Deprioritise,
            false => Verdict::Show,
        }
    }
}

/// Whether a subject belongs to the audited share, whatever any model says of it: a function of key and
/// id alone, so that it stays the same over models and restarts.
#[must_use]
pub fn is_audited(key: &[u8; 32], subject: &str, audit_share: f64) -> bool {
    share(&blake3::keyed_hash(key, subject.as_bytes())) < audit_share
}

fn check(name: &'static str, value: f64, usual: f64) -> Result<(), VetoError> {
    if value > 0.0 && value < 1.0 { Ok(()) } else { Err(VetoError::Share { name, usual }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_specification() {
        for (allowed, needed) in [(0.05, 59), (0.02, 149), (0.01, 299), (0.005, 598)] {
            let requirement = Requirement { allowed, level: 0.95 };
            assert_eq!(n_needed(requirement), needed);
            assert!(certify(0, needed, requirement).is_ok());
            let short = certify(0, needed - 1, requirement);
            assert!(
                matches!(short, Err(VetoError::NotCertified { n_needed, .. }) if n_needed == needed)
            );
            // Closed form: 1 − 0.05^(1/n).
            let exact = 1.0 - 0.05_f64.powf(1.0 / needed as f64);
            assert!((upper_bound(0, needed, 0.95) - exact).abs() < 1e-12);
            assert!(certify(1, needed, requirement).is_err());
        }
        // scipy.stats.beta.ppf(0.95, 3, 498).
        assert!((upper_bound(2, 500, 0.95) - 0.012_537_605_409_67).abs() < 1e-12);
        assert_eq!(upper_bound(0, 0, 0.95), 1.0);
        assert!(certify(0, 0, Requirement::default()).is_err());
        assert!(matches!(certify(3, 2, Requirement::default()), Err(VetoError::Counts { .. })));
    }

    #[test]
    fn audits_are_a_fixed_share_that_the_key_decides() {
        let ids: Vec<String> = (0..40_000).map(|at| format!("s{at}")).collect();
        let audited = |key: u8| ids.iter().filter(|id| is_audited(&[key; 32], id, 0.05)).count() as f64;
        for key in [1, 2, 3] {
            let sd = (40_000.0 * 0.05 * 0.95_f64).sqrt();
            assert!((audited(key) - 2_000.0).abs() < 4.0 * sd, "{}", audited(key));
        }
        let both = ids
            .iter()
            .filter(|id| is_audited(&[1; 32], id, 0.05) && is_audited(&[2; 32], id, 0.05))
            .count();
        assert!((60..145).contains(&both), "another key audits others: {both}");
        assert!(ids.iter().all(|id| !is_audited(&[1; 32], id, 0.05) || is_audited(&[1; 32], id, 0.2)));
    }

    #[test]
    fn verdicts() {
        let certificate = certify(0, 299, Requirement::default()).unwrap();
        let veto = Veto::new([7; 32], 0.05, 0.02, certificate).unwrap();
        assert_eq!(veto.verdict("a", 0.02), Verdict::Show);
        assert_eq!(veto.verdict("a", f64::NAN), Verdict::Show);
        let of =
            |verdict| (0..2_000).filter(|at| veto.verdict(&at.to_string(), 0.001) == verdict).count();
        assert_eq!(of(Verdict::Show), 0);
        assert!((60..145).contains(&of(Verdict::Audit)), "{}", of(Verdict::Audit));
        assert_eq!(of(Verdict::Deprioritise), 2_000 - of(Verdict::Audit));
        assert!(!format!("{veto:?}").contains("7, 7"), "the key is not for logs");
        for share in [0.0, 1.0, f64::NAN] {
            assert!(Veto::new([7; 32], share, 0.02, certificate).is_err());
        }
    }

    /// Without the audit the false vetoes of a wrong model are never seen; with it their number is estimated
    /// without bias.
    #[test]
    fn the_audit_sees_what_a_wrong_veto_hides() {
        let (n, n_hidden_real) = (20_000, 600);
        let estimates: Vec<f64> = (0..100_u8)
            .map(|key| {
                let seen = (0..n).filter(|at| is_audited(&[key; 32], &format!("s{at}"), 0.05));
                // The first ones are real and the model is sure that they are not.
                seen.filter(|at| *at < n_hidden_real).count() as f64 / 0.05
            })
            .collect();
        let mean = estimates.iter().sum::<f64>() / 100.0;
        let se = (600.0 * 0.95 / 0.05_f64 / 100.0).sqrt();
        assert!((mean - 600.0).abs() < 4.0 * se, "{mean} ± {se}");
        // What it takes to find it out: the same misses, certified on the audit alone.
        assert!(certify(30, 60, Requirement::default()).is_err());
    }

    #[test]
    fn a_certificate_is_wrong_no_more_often_than_its_level_says() {
        // At a true share of exactly what is allowed, the chance of a certificate is at most 5 %: summed,
        // not sampled.
        for n in [59_u64, 299, 500, 1_000] {
            let allowed = 0.01_f64;
            let mut p = (1.0 - allowed).powi(n as i32);
            let mut total = 0.0;
            for k in 0..n {
                if certify(k, n, Requirement { allowed, level: 0.95 }).is_err() {
                    break;
                }
                total += p;
                p *= (n - k) as f64 / (k + 1) as f64 * allowed / (1.0 - allowed);
            }
            assert!(total <= 0.05, "{n}: {total}");
        }
    }
}
