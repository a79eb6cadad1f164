use rand::RngExt as _;

use super::*;
use crate::skill::ballots::Columns;
use crate::skill::dawid_skene::{DawidSkene, Variant};
use crate::skill::testing::{ballots, honest};

fn signs(ballots: &Ballots) -> Dependence {
    dependence(ballots, &DawidSkene::new(Variant::Shrunk).fit(ballots))
}

#[test]
fn honest_crowds_hardly_ever_give_a_warning() {
    let (mut warned, mut sum, mut squares) = (0, 0.0, 0.0);
    for seed in 0..200 {
        let signs = signs(&ballots(&honest(300, 40, 2, 1_000 + seed)));
        warned += usize::from(!signs.warnings(|c| c.to_string()).is_empty());
        sum += signs.z();
        squares += signs.z().powi(2);
    }
    let (mean, sd) = (sum / 200.0, (squares / 200.0).sqrt());
    eprintln!("warned {warned} of 200; z has mean {mean:.2} and spread {sd:.2}");
    assert!(warned <= 2);
    assert!(sd < 2.0, "{mean} {sd}");
}

/// A crowd of accuracy 0.85 in which a third of the subjects of class 1 look like class 0 to all.
fn fooled(seed: u64) -> Ballots {
    let mut rng = volary_core::seed::stream(seed, "fooled");
    let mut columns = Columns { n_items: 600, n_volunteers: 60, n_classes: 2, ..Columns::default() };
    for item in 0..600 {
        let truth = item % 2;
        let looks = if truth == 1 && item % 3 == 0 { 0.2 } else { 0.85 };
        for w in (0..60).filter(|w| (item * 7 + w * 3) % 6 == 0) {
            columns.item.push(item);
            columns.volunteer.push(w);
            columns.label.push(if rng.random::<f64>() < looks { truth } else { 1 - truth });
        }
    }
    Ballots::new(columns).unwrap()
}

/// Volunteers of whom two thirds call most of class 1 by the name of class 0.
fn biased(seed: u64) -> Ballots {
    let mut rng = volary_core::seed::stream(seed, "biased");
    let mut columns = Columns { n_items: 600, n_volunteers: 60, n_classes: 2, ..Columns::default() };
    for item in 0..600 {
        let truth = item % 2;
        for w in (0..60).filter(|w| (item * 7 + w * 3) % 6 == 0) {
            let right = if w % 3 == 0 {
                0.95
            } else if truth == 1 {
                0.35
            } else {
                0.97
            };
            columns.item.push(item);
            columns.volunteer.push(w);
            columns.label.push(if rng.random::<f64>() < right { truth } else { 1 - truth });
        }
    }
    Ballots::new(columns).unwrap()
}

#[test]
fn a_shared_bias_shows() {
    let warned = |crowd: fn(u64) -> Ballots| {
        (0..40).filter(|&seed| !signs(&crowd(seed)).warnings(|c| c.to_string()).is_empty()).count()
    };
    let (fooled, biased) = (warned(fooled), warned(biased));
    eprintln!("warned on {fooled} of 40 fooled crowds and {biased} of 40 biased ones");
    assert!(biased >= 36, "{biased}");
}

#[test]
fn no_matrices_no_signs() {
    let ballots = ballots(&honest(50, 20, 2, 1));
    let fit = crate::skill::weighted::Weighted::default().fit(&ballots);
    assert_eq!(dependence(&ballots, &fit), Dependence::default());
}
