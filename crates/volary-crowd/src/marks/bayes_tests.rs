use super::*;
use crate::marks::small_world::{SmallWorld, average_precision, brier, judged, rank_correlation};
use crate::marks::{Given, LightCurves, MarkParams, run, silent};

fn both(world: &crate::marks::small_world::World) -> (crate::marks::Scored, Bayes) {
    let params = MarkParams::default();
    let curves = LightCurves::default();
    let scored =
        run(&world.marks, &curves, &world.simulated, &params, Given::default(), &mut silent).unwrap();
    let bayes = bayes(
        &world.marks,
        &world.simulated,
        &scored.built.features,
        &scored.ballots,
        &scored.weighed,
        &BayesParams::default(),
    );
    (scored, bayes)
}

/// (average precision, Brier score) of the SATCHEL score and of the probability.
fn contest(spread: f64, seed: u64) -> [(f64, f64); 2] {
    let world = SmallWorld { spread, seed, ..SmallWorld::default() }.make();
    let (scored, bayes) = both(&world);
    [&scored.scores.score, &bayes.probability].map(|s| {
        let judged = judged(&world, &scored.built.features, s);
        (average_precision(&judged), brier(&judged))
    })
}

#[test]
fn beats_the_scores_where_skill_varies_and_does_not_lose_where_it_does_not() {
    let mean = |spread: f64| {
        let runs: Vec<[(f64, f64); 2]> = (0..6).map(|seed| contest(spread, seed)).collect();
        let of = |m: usize, f: fn((f64, f64)) -> f64| {
            runs.iter().map(|r| f(r[m])).sum::<f64>() / runs.len() as f64
        };
        [(of(0, |x| x.0), of(0, |x| x.1)), (of(1, |x| x.0), of(1, |x| x.1))]
    };
    let ([satchel, ours], [satchel_same, ours_same]) = (mean(1.5), mean(0.0));
    println!("skill varies: scores {satchel:?}, Bayes {ours:?}");
    println!("skill does not vary: scores {satchel_same:?}, Bayes {ours_same:?}");
    assert!(ours.0 > satchel.0 + 0.004, "average precision {ours:?} against {satchel:?}");
    assert!(ours.1 < 0.6 * satchel.1, "Brier {ours:?} against {satchel:?}");
    assert!(ours_same.0 > satchel_same.0 - 0.005, "{ours_same:?} against {satchel_same:?}");
    assert!(ours_same.1 <= satchel_same.1, "{ours_same:?} against {satchel_same:?}");
}

#[test]
fn learned_skills_follow_the_true_ones_and_their_intervals_hold() {
    let world = SmallWorld { n_subjects: 2000, ..SmallWorld::default() }.make();
    let (_, bayes) = both(&world);
    let busy: Vec<usize> = (0..60).collect();
    let a: Vec<f64> = busy.iter().map(|&k| bayes.skill[k].a).collect();
    let b: Vec<f64> = busy.iter().map(|&k| bayes.skill[k].b).collect();
    let true_a: Vec<f64> = busy.iter().map(|&k| world.skill[k].0).collect();
    let true_b: Vec<f64> = busy.iter().map(|&k| world.skill[k].1).collect();
    let (of_a, of_b) = (rank_correlation(&a, &true_a), rank_correlation(&b, &true_b));
    println!("rank correlation with the truth: completeness {of_a:.3}, false alarms {of_b:.3}");
    assert!(of_a > 0.9 && of_b > 0.8);
    // The scale of a is free up to a shift that the strengths take up.
    let shift = busy.iter().map(|&k| bayes.skill[k].a - world.skill[k].0).sum::<f64>() / 60.0;
    let held = busy
        .iter()
        .filter(|&&k| {
            (bayes.skill[k].a - shift - world.skill[k].0).abs() < 1.96 * bayes.skill[k].a_error
        })
        .count();
    println!("95 % intervals of a hold {held} of 60 times");
    assert!(held >= 50);
}

#[test]
fn probabilities_mean_what_they_say() {
    let mut judged_all = Vec::new();
    for seed in 20..26 {
        let world = SmallWorld { seed, ..SmallWorld::default() }.make();
        let (scored, bayes) = both(&world);
        judged_all.extend(judged(&world, &scored.built.features, &bayes.probability));
    }
    for (low, high) in [(0.0, 0.1), (0.1, 0.4), (0.4, 0.7), (0.7, 0.9), (0.9, 1.01)] {
        let bin: Vec<_> = judged_all.iter().filter(|j| low <= j.0 && j.0 < high).collect();
        let said = bin.iter().map(|j| j.0).sum::<f64>() / bin.len() as f64;
        let was = bin.iter().filter(|j| j.1).count() as f64 / bin.len() as f64;
        println!("{} features: said {said:.3}, was {was:.3}", bin.len());
        let chance = 2.5 * (said * (1.0 - said) / bin.len() as f64).sqrt();
        assert!((said - was).abs() < 0.05 + chance, "{low}..{high}: said {said}, was {was}");
    }
}

#[test]
fn nothing_at_all_and_no_simulations_are_answered() {
    let empty = Marks::default();
    let scored = run(
        &Marks { view_start: vec![0], mark_start: vec![0], ..empty },
        &LightCurves::default(),
        &Signals::default(),
        &MarkParams::default(),
        Given::default(),
        &mut silent,
    )
    .unwrap();
    assert!(scored.scores.score.is_empty());
    let world = SmallWorld { n_subjects: 60, ..SmallWorld::default() }.make();
    let none = volary_core::marks::SignalTable::default().join(&world.marks);
    let params = MarkParams::default();
    let scored =
        run(&world.marks, &LightCurves::default(), &none, &params, Given::default(), &mut silent)
            .unwrap();
    let bayes = bayes(
        &world.marks,
        &none,
        &scored.built.features,
        &scored.ballots,
        &scored.weighed,
        &BayesParams::default(),
    );
    assert!(bayes.probability.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(bayes.interval.iter().zip(&bayes.probability).all(|(i, p)| i.low <= *p && *p <= i.high));
}
