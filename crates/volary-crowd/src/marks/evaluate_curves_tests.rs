use proptest::prelude::*;

use super::*;
use crate::marks::evaluate::{Judged, Shown};

const SCORES: [f64; 14] = [0.9, 0.8, 0.8, 0.7, 0.7, 0.7, 0.5, 0.4, 0.4, 0.3, 0.2, 0.2, 0.1, 0.0];
const LABELS: [u8; 14] = [1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0];

fn scored() -> Vec<(f64, bool)> {
    SCORES.into_iter().zip(LABELS.map(|l| l == 1)).collect()
}

fn close(a: Option<f64>, b: f64) {
    assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} {b}");
}

/// roc_auc_score, average_precision_score, auc(precision_recall_curve) of scikit-learn 1.9.1.
#[test]
fn areas_are_those_of_scikit_learn() {
    let c = curves_of(scored(), 0);
    close(c.roc_auc, 0.739_583_333_333_333_3);
    close(c.average_precision, 0.675_925_925_925_925_9);
    close(c.pr_auc, 0.705_026_455_026_455);
    assert_eq!((c.max_recall, c.average_precision_reached), (1.0, c.average_precision));
    // Two positives at score −1.
    let c = curves_of(scored(), 2);
    close(c.roc_auc, 0.554_687_5);
    close(c.average_precision, 0.631_944_444_444_444_4);
    close(c.pr_auc, 0.644_841_269_841_269_8);
    close(c.average_precision_reached, 0.675_925_925_925_925_9 * 6.0 / 8.0);
    assert_eq!((c.max_recall, c.n_positive, c.n_negative), (0.75, 8, 8));
}

#[test]
fn curves_without_one_kind() {
    let only_real = curves_of([(0.5, true), (0.7, true)], 0);
    assert_eq!((only_real.roc_auc, only_real.average_precision), (None, Some(1.0)));
    let only_false = curves_of([(0.5, false), (f64::NAN, false)], 0);
    assert_eq!(
        (only_false.roc_auc, only_false.average_precision, only_false.pr_auc),
        (None, None, None)
    );
    let nobody = curves_of([], 3);
    assert_eq!((nobody.average_precision, nobody.average_precision_reached), (Some(1.0), Some(0.0)));
    assert_eq!(nobody.max_recall, 0.0);
    assert_eq!(curves_of([], 0).average_precision, None);
}

#[test]
fn the_points_of_both_curves() {
    let c = curves_of([(0.9, true), (0.5, false), (0.5, true), (0.1, false)], 0);
    assert_eq!(c.roc(), [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]);
    assert_eq!(c.precision_recall()[..3], [(0.0, 1.0), (0.5, 1.0), (1.0, 2.0 / 3.0)]);
}

/// `n` subjects with one signal each; features score by two overlapping laws.
fn simulated(n: u32, seed: u64) -> Matched {
    let mut rng = stream(seed, "curves test");
    let mut m = Matched::default();
    for subject in 0..n {
        let found = rng.random::<f64>() < 0.9;
        let score = crate::draws::beta(&mut rng, 5.0, 2.0);
        if found {
            m.judged.push(Judged { feature: 0, subject, score, is_real: true });
        }
        for _ in 0..2 {
            let score = crate::draws::beta(&mut rng, 2.0, 5.0);
            m.judged.push(Judged { feature: 0, subject, score, is_real: false });
        }
        let best_score = if found { score } else { f64::NEG_INFINITY };
        m.shown.push(Shown { subject, signal: subject, best_score, n_features: u32::from(found) });
    }
    m
}

#[test]
fn bootstrap_intervals_cover_the_area_of_the_law() {
    // The area of the law itself, from many subjects.
    let law = curves(&simulated(100_000, 1), Convention::MarkedOnly);
    let (mut roc, mut ap) = (0, 0);
    for trial in 0..120 {
        let sample = simulated(100, 1000 + trial);
        let i = area_intervals(&sample, Convention::MarkedOnly, 200, 0.9, trial);
        roc += u32::from(i.roc_auc.contains(law.roc_auc.unwrap()));
        ap += u32::from(i.average_precision.contains(law.average_precision.unwrap()));
        assert_eq!(i.n_samples, 200);
    }
    // 108 expected; 3.3 is the binomial error.
    assert!((96..=118).contains(&roc) && (96..=118).contains(&ap), "{roc} {ap} of 120");
}

#[test]
fn intervals_repeat_and_hold_the_estimate_in_both_conventions() {
    let sample = simulated(300, 7);
    for convention in [Convention::MarkedOnly, Convention::All] {
        let i = area_intervals(&sample, convention, 300, 0.95, 3);
        assert_eq!(i, area_intervals(&sample, convention, 300, 0.95, 3));
        let c = curves(&sample, convention);
        assert!(
            i.roc_auc.contains(c.roc_auc.unwrap())
                && i.average_precision.contains(c.average_precision.unwrap())
        );
    }
    let none = area_intervals(&Matched::default(), Convention::All, 10, 0.95, 1);
    assert_eq!((none.n_samples, none.roc_auc), (0, Interval::WHOLE));
}

fn judged(labels: &[u8]) -> Matched {
    let one =
        |(at, l): (usize, &u8)| Judged { feature: at as u32, subject: 0, score: 0.0, is_real: *l == 1 };
    Matched { judged: labels.iter().enumerate().map(one).collect(), ..Matched::default() }
}

/// brier_score_loss and log_loss (clipped at 1e-12) of scikit-learn 1.9.1.
#[test]
fn calibration_is_that_of_scikit_learn() {
    let c = calibration(&judged(&LABELS), &SCORES, 0.95).unwrap();
    close(c.brier, 0.207_857_142_857_142_88);
    close(c.log_loss, 0.590_724_652_225_392_7);
    close(c.brier_skill, 1.0 - 0.207_857_142_857_142_88 / (6.0 / 14.0 * 8.0 / 14.0));
    assert_eq!((c.base_rate.k, c.base_rate.n, c.bins.len()), (6, 14, BINS));
    assert_eq!((c.bins[7].n, c.bins[7].share_true), (2, Some(0.5)));
    assert_eq!(c.bins[5].mean_fraction, None);
    assert!(matches!(calibration(&judged(&LABELS), &[0.5], 0.95), Err(EvaluateError::Length { .. })));
    let odd = calibration(&judged(&[1, 0, 1]), &[f64::NAN, -3.0, f64::INFINITY], 0.95).unwrap();
    assert_eq!((odd.base_rate.n, odd.brier), (2, Some(0.0)));
    assert_eq!(calibration(&judged(&[]), &[], 0.95).unwrap().brier, None);
}

#[test]
fn probabilities_that_keep_their_word_are_calibrated() {
    let mut rng = stream(2, "calibration test");
    let p: Vec<f64> = (0..50_000).map(|_| rng.random::<f64>()).collect();
    let labels: Vec<u8> = p.iter().map(|p| u8::from(rng.random::<f64>() < *p)).collect();
    let c = calibration(&judged(&labels), &p, 0.99).unwrap();
    assert!(c.ece.unwrap() < 0.01 && (c.brier.unwrap() - 1.0 / 6.0).abs() < 0.005);
    let inside = c.bins.iter().filter(|b| b.interval.contains(b.mean_fraction.unwrap())).count();
    assert!(inside >= 9, "{inside} of 10");
    let sure: Vec<f64> = p.iter().map(|p| if *p > 0.5 { 0.99 } else { 0.01 }).collect();
    assert!(calibration(&judged(&labels), &sure, 0.95).unwrap().ece.unwrap() > 0.2);
}

proptest! {
    #[test]
    fn the_area_is_the_chance_that_real_beats_false(
        pairs in proptest::collection::vec((0..8_u8, any::<bool>()), 2..40)
    ) {
        let scored: Vec<(f64, bool)> = pairs.iter().map(|(s, l)| (f64::from(*s), *l)).collect();
        let c = curves_of(scored.clone(), 0);
        let (mut wins, mut n) = (0.0, 0.0);
        for (a, _) in scored.iter().filter(|p| p.1) {
            for (b, _) in scored.iter().filter(|p| !p.1) {
                wins += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                n += 1.0;
            }
        }
        match c.roc_auc {
            Some(auc) => prop_assert!((auc - wins / n).abs() < 1e-12),
            None => prop_assert!(n == 0.0),
        }
        // Order does not matter, nor any rising transformation of the scores.
        let mut turned = scored.clone();
        turned.reverse();
        let raised: Vec<(f64, bool)> = turned.iter().map(|(s, l)| (s.exp(), *l)).collect();
        let other = curves_of(raised, 0);
        prop_assert_eq!((c.roc_auc, c.average_precision, c.pr_auc), (other.roc_auc, other.average_precision, other.pr_auc));
    }

    #[test]
    fn missed_signals_lower_every_area(
        pairs in proptest::collection::vec((0..8_u8, any::<bool>()), 2..40), missed in 1..9_u64
    ) {
        let scored: Vec<(f64, bool)> = pairs.iter().map(|(s, l)| (f64::from(*s), *l)).collect();
        let (some, all) = (curves_of(scored.clone(), 0), curves_of(scored, missed));
        if let (Some(a), Some(b)) = (some.roc_auc, all.roc_auc) {
            prop_assert!((b - a * all.max_recall).abs() < 1e-12);
        }
        if let (Some(a), Some(b)) = (some.average_precision, all.average_precision_reached) {
            prop_assert!((b - a * all.max_recall).abs() < 1e-12 && all.average_precision.unwrap() >= b);
        }
    }
}
