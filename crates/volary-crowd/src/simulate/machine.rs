//! A machine that scores every subject with stated skill, calibrated or not.
//!
//! Class k is a normal cloud of unit variance around a·e_k in K dimensions, and the score is the exact
//! posterior. So a score of 0.8 is right in 80 % of cases, and Φ(a) is the chance that a subject of one
//! class and one of another are put in the right order (Hand & Till 2001, doi:10.1023/A:1010920819831).
//! A sharpness s raises the posterior to the power s: the order stays, the calibration goes.

use volary_core::seed::stream;

use super::params::Machine;
use crate::draws;

/// Scores, `[subject][class]` flattened; each subject's sum to 1.
pub(super) fn scores(machine: Machine, true_class: &[u32], prevalence: &[f64], seed: u64) -> Vec<f64> {
    let k = prevalence.len();
    // Φ(a) = auc; erfc_inv keeps its digits near 1.
    let apart = -std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * machine.auc);
    let rng = &mut stream(seed, "simulate machine");
    let mut scores = vec![0.0; true_class.len() * k];
    for (row, truth) in scores.chunks_exact_mut(k).zip(true_class) {
        for (l, score) in row.iter_mut().enumerate() {
            let seen = draws::normal(rng) + if l == *truth as usize { apart } else { 0.0 };
            *score = machine.sharpness * (apart * seen + prevalence[l].ln());
        }
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|s| *s = (*s - most).exp());
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|s| *s /= total);
    }
    scores
}
