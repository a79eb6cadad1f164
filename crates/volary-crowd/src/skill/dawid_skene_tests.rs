use proptest::prelude::*;

use super::*;
use crate::skill::ballots::NO_GOLD;
use crate::skill::fit::Fit;
use crate::skill::testing::{accuracy, ballots, correlation, honest, on_threads, rows};

const ALL: [Variant; 5] = Variant::ALL;

fn fit(variant: Variant, ballots: &Ballots) -> Fit {
    DawidSkene::new(variant).fit(ballots)
}

#[test]
fn three_who_are_right_and_one_who_is_always_wrong() {
    // On paper: the three agree on everything, so they are right; the fourth is a perfect liar, whose
    // matrix is the identity turned round.
    let votes: Vec<(u32, u32, u32)> = (0..40)
        .flat_map(|i| (0..4).map(move |w| (i, w, if w == 3 { 1 - i % 2 } else { i % 2 })))
        .collect();
    let found = fit(Variant::Ml, &rows(&votes, 2));
    for item in 0..40 {
        assert!((found.of_item(item)[item % 2] - 1.0).abs() < 1e-12);
    }
    let is = |w: usize, expected: [f64; 4]| {
        found.matrices.chances(w).iter().zip(expected).all(|(c, e)| (c - e).abs() < 1e-12)
    };
    assert!(is(0, [1.0, 0.0, 0.0, 1.0]) && is(3, [0.0, 1.0, 1.0, 0.0]));
    assert!((found.prevalence[0] - 0.5).abs() < 1e-12);
    // 40 items, each explained with certainty: only the prevalence is left.
    assert!((found.log_likelihood - 40.0 * 0.5_f64.ln()).abs() < 1e-6);
}

#[test]
fn one_coin_by_hand() {
    // One item, votes 0 0 1, uniform start at (2/3, 1/3): one round by the formulas of the module.
    let ballots = rows(&[(0, 0, 0), (0, 1, 0), (0, 2, 1)], 2);
    let found = DawidSkene { max_rounds: 1, ..DawidSkene::new(Variant::OneCoin) }.fit(&ballots);
    let skill = |right: f64| (right + 2.0) / 4.0;
    let (good, bad) = (skill(2.0 / 3.0), skill(1.0 / 3.0));
    let zero = 2.0 / 3.0 * good * good * (1.0 - bad);
    let one = 1.0 / 3.0 * (1.0 - good) * (1.0 - good) * bad;
    assert!((found.of_item(0)[0] - zero / (zero + one)).abs() < 1e-12);
    assert!((found.log_likelihood - (zero + one).ln()).abs() < 1e-12);
}

#[test]
fn nothing_one_vote_one_class() {
    for variant in ALL {
        let none = fit(variant, &Ballots::default());
        assert!(none.posterior.is_empty() && none.log_likelihood == 0.0);
        let one = fit(variant, &rows(&[(0, 0, 1)], 2));
        assert!(one.posterior.iter().all(|p| p.is_finite()), "{variant:?}: {:?}", one.posterior);
        let single = fit(variant, &rows(&[(0, 0, 0), (1, 1, 0), (1, 0, 0)], 1));
        assert_eq!(single.posterior, [1.0, 1.0], "{variant:?}");
        assert!(single.skills(&rows(&[(0, 0, 0), (1, 1, 0), (1, 0, 0)], 1), 0.95)[0].skill.is_some());
    }
}

#[test]
fn two_hundred_classes() {
    let votes: Vec<(u32, u32, u32)> = (0..400)
        .flat_map(|i| (0..5).map(move |w| (i, w, if (i + w) % 9 == 0 { 7 } else { i % 200 })))
        .collect();
    for variant in ALL {
        let found = fit(variant, &rows(&votes, 200));
        let right = (0..400).filter(|&i| top(found.of_item(i)) == i % 200).count();
        // Half a pseudo-vote in each of 200 cells drowns five votes: `map` is not for so many classes.
        let least = if variant == Variant::Map { 50 } else { 395 };
        assert!(right >= least, "{variant:?}: {right}");
    }
}

#[test]
fn a_million_votes_on_one_subject_and_by_one_volunteer() {
    let n = 1_000_000;
    let subject: Vec<(u32, u32, u32)> = (0..n).map(|w| (0, w, u32::from(w % 5 == 0))).collect();
    let person: Vec<(u32, u32, u32)> = (0..n).map(|i| (i, 0, u32::from(i % 5 == 0))).collect();
    for variant in [Variant::Ml, Variant::Shrunk] {
        let short = DawidSkene { max_rounds: 3, ..DawidSkene::new(variant) };
        let found = short.fit(&rows(&subject, 2));
        // A million strangers with one vote each: maximum likelihood believes each of them, and so only
        // repeats the shares.
        let least = if variant == Variant::Ml { 0.799 } else { 0.999 };
        assert!(found.of_item(0)[0] > least, "{variant:?}: {:?}", found.of_item(0));
        assert!(found.log_likelihood.is_finite());
        assert!(short.fit(&rows(&person, 2)).posterior.iter().all(|p| p.is_finite()));
    }
}

#[test]
fn the_same_pair_twice_is_a_weight_of_two() {
    let twice = rows(&[(0, 0, 1), (0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 1, 0)], 2);
    let weighted = Ballots::new(crate::skill::Columns {
        n_items: 3,
        n_volunteers: 2,
        n_classes: 2,
        item: vec![0, 0, 1, 1, 2],
        volunteer: vec![0, 1, 0, 1, 1],
        label: vec![1, 0, 1, 1, 0],
        weight: vec![2.0, 1.0, 1.0, 1.0, 1.0],
        ..crate::skill::Columns::default()
    })
    .unwrap();
    for variant in ALL {
        let (a, b) = (fit(variant, &twice), fit(variant, &weighted));
        for (p, q) in a.posterior.iter().zip(&b.posterior) {
            assert!((p - q).abs() < 1e-9, "{variant:?}: {p} {q}");
        }
    }
}

#[test]
fn gold_is_held_fixed_and_teaches() {
    let crowd = honest(300, 20, 2, 4);
    let plain = ballots(&crowd);
    let gold: Vec<u32> =
        (0..300).map(|i| if i < 60 { 1 - crowd.true_class[i as usize] } else { NO_GOLD }).collect();
    let lied = plain.clone().with_gold(gold.clone()).unwrap();
    for variant in ALL {
        let found = fit(variant, &lied);
        for (item, &class) in gold.iter().enumerate().filter(|(_, g)| **g != NO_GOLD) {
            assert_eq!(found.of_item(item)[class as usize], 1.0, "{variant:?}");
            assert_eq!(found.intervals(&lied, 0.95)[item * 2].width(), 0.0);
        }
        // Gold stays out of the prevalence.
        let rest: f64 = (60..300).map(|i| found.of_item(i)[1]).sum::<f64>() / 240.0;
        assert!((found.prevalence[1] - rest).abs() < 0.02, "{variant:?}");
    }
    let truth: Vec<u32> = crowd.true_class.iter().map(|&t| 1 - t).collect();
    let all = fit(Variant::Shrunk, &plain.with_gold(truth).unwrap());
    // Whoever agrees with the crowd is a liar by this gold.
    let skill = all.skills(&ballots(&crowd), 0.95)[0].skill.unwrap();
    assert!(skill.interval.high < 0.5, "{skill:?}");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let ballots = ballots(&honest(5_000, 300, 3, 9));
    for variant in ALL {
        let one = on_threads(1, || fit(variant, &ballots));
        let three = on_threads(3, || fit(variant, &ballots));
        assert_eq!(one, three, "{variant:?}");
    }
}

#[test]
fn known_matrices_are_found_again() {
    let crowd = honest(4_000, 60, 3, 1);
    let found = fit(Variant::Shrunk, &ballots(&crowd));
    assert!(accuracy(&found.posterior, &crowd.true_class) > 0.97);
    let (mut own, mut truth) = (Vec::new(), Vec::new());
    for w in (0..60).filter(|&w| found.matrices.counts(w).iter().sum::<f64>() > 100.0) {
        own.extend(found.matrices.chances(w));
        truth.extend_from_slice(&crowd.confusion[w * 9..(w + 1) * 9]);
    }
    let r = correlation(&own, &truth);
    assert!(r > 0.99, "correlation {r}");
}

/// Coverage of 95 % intervals over simulated crowds: cells, skill, bits, posteriors against those under
/// the true matrices. The book states these figures.
#[test]
fn intervals_cover() {
    let (mut cells, mut skills, mut bits, mut posteriors) = ((0, 0), (0, 0), (0, 0), (0, 0));
    for seed in 0..12 {
        let crowd = honest(1_500, 60, 2, 100 + seed);
        let ballots = ballots(&crowd);
        let found = fit(Variant::Shrunk, &ballots);
        for w in 0..60 {
            let own = &crowd.confusion[w * 4..(w + 1) * 4];
            let dirichlet = found.matrices.dirichlet(w);
            for at in 0..4 {
                let cell = Matrices::cell(&dirichlet[at / 2 * 2..at / 2 * 2 + 2], at % 2, 0.95);
                count(&mut cells, cell.interval.contains(own[at]));
            }
            let skill = found.matrices.skill(w, 0.95).unwrap();
            count(&mut skills, skill.interval.contains(0.5 * (own[0] + own[3])));
            let true_bits = bits_of(own);
            count(&mut bits, found.matrices.bits(w, 0.95).interval.contains(true_bits));
        }
        let oracle = oracle(&crowd, &ballots);
        let intervals = found.intervals(&ballots, 0.95);
        for (interval, p) in intervals.iter().zip(&oracle).step_by(2) {
            count(&mut posteriors, interval.low - 1e-12 <= *p && *p <= interval.high + 1e-12);
        }
    }
    let share = |(hits, n): (u32, u32)| f64::from(hits) / f64::from(n);
    let found = [cells, skills, bits, posteriors].map(share);
    eprintln!("coverage of cells, skill, bits, posteriors: {found:.3?}");
    assert!(found.iter().all(|c| (0.90..=0.99).contains(c)), "{found:?}");
}

fn count(tally: &mut (u32, u32), hit: bool) {
    tally.0 += u32::from(hit);
    tally.1 += 1;
}

/// Mutual information of a 2 × 2 matrix by its definition.
fn bits_of(c: &[f64]) -> f64 {
    let m = [0.5 * (c[0] + c[2]), 0.5 * (c[1] + c[3])];
    (0..4).map(|at| if c[at] > 0.0 { 0.5 * c[at] * (c[at] / m[at % 2]).log2() } else { 0.0 }).sum()
}

/// Posteriors under the true matrices and even prevalence.
fn oracle(crowd: &crate::SimulatedCrowd, ballots: &Ballots) -> Vec<f64> {
    let owner = ballots.volunteer_of_slots();
    let mut rows = vec![0.0; ballots.n_slots() * 2];
    for slot in 0..ballots.n_slots() {
        for truth in 0..2 {
            let w = owner[slot] as usize;
            rows[slot * 2 + truth] = crowd.confusion[w * 4 + truth * 2 + ballots.label(slot)].ln();
        }
    }
    let mut posterior = vec![0.0; ballots.n_items() * 2];
    em::judge(ballots, &rows, &[0.5_f64.ln(); 2], &mut posterior);
    posterior
}

#[test]
fn names_of_variants_go_there_and_back() {
    for variant in ALL {
        assert_eq!(Variant::parse(variant.as_str()), Some(variant));
    }
    assert_eq!(Variant::parse("soft"), None);
}

proptest! {
    #[test]
    fn rows_are_probabilities_the_likelihood_rises_and_labels_are_only_names(
        votes in proptest::collection::vec((0..12_u32, 0..6_u32, 0..3_u32), 1..80),
    ) {
        let ballots = rows(&votes, 3);
        let renamed: Vec<_> = votes.iter().map(|&(i, w, l)| (i, w, 2 - l)).collect();
        let mirror = rows(&renamed, 3);
        for variant in ALL {
            let found = DawidSkene { tolerance: 0.0, max_rounds: 12, ..DawidSkene::new(variant) }.fit(&ballots);
            for row in found.posterior.chunks_exact(3) {
                prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            if matches!(variant, Variant::Ml | Variant::Map) {
                for pair in found.history.windows(2) {
                    prop_assert!(pair[1] >= pair[0] - 1e-9 * pair[0].abs().max(1.0), "{:?}", pair);
                }
            }
            if variant != Variant::Hard {
                let other = DawidSkene { tolerance: 0.0, max_rounds: 12, ..DawidSkene::new(variant) }.fit(&mirror);
                for (row, turned) in found.posterior.chunks_exact(3).zip(other.posterior.chunks_exact(3)) {
                    for class in 0..3 {
                        prop_assert!((row[class] - turned[2 - class]).abs() < 1e-7);
                    }
                }
            }
        }
    }
}
