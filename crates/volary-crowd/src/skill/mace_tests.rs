use rand::RngExt as _;

use super::*;
use crate::skill::ballots::Columns;
use crate::skill::testing::{accuracy, on_threads, rows};

/// Ten who know with chance 0.9, ten who always click the first of three answers.
fn crowd(seed: u64) -> (Ballots, Vec<u32>) {
    let mut rng = volary_core::seed::stream(seed, "mace test");
    let truth: Vec<u32> = (0..300).map(|_| rng.random_range(0..3)).collect();
    let mut columns = Columns { n_items: 300, n_volunteers: 20, n_classes: 3, ..Columns::default() };
    for (item, &class) in (0..).zip(&truth) {
        for w in (0..20).filter(|w| (item + w) % 2 == 0) {
            let knows = w < 10 && rng.random::<f64>() < 0.9;
            let guess = if w < 10 { rng.random_range(0..3) } else { 0 };
            columns.item.push(item);
            columns.volunteer.push(w);
            columns.label.push(if knows { class } else { guess });
        }
    }
    (Ballots::new(columns).unwrap(), truth)
}

#[test]
fn spammers_are_told_from_those_who_know() {
    let (mut covered, mut n) = (0_u32, 0_u32);
    for seed in 0..8 {
        let (ballots, truth) = crowd(seed);
        let found = Mace::default().fit(&ballots);
        assert!(accuracy(&found.posterior, &truth) > 0.99);
        for (w, competence) in found.abilities.iter().enumerate() {
            if w < 10 {
                covered += u32::from(competence.interval.contains(0.9));
                n += 1;
                assert!(competence.value > 0.75, "{w}: {competence:?}");
            } else {
                assert!(competence.value < 0.1, "{w}: {competence:?}");
                // The spam pattern is the one click.
                assert!(found.spam[w * 3] > 0.85, "{w}");
            }
        }
    }
    let coverage = f64::from(covered) / f64::from(n);
    eprintln!("coverage of competence: {coverage:.3}");
    assert!(coverage > 0.88, "{coverage}");
}

#[test]
fn edges_and_threads() {
    assert!(Mace::default().fit(&Ballots::default()).posterior.is_empty());
    assert_eq!(Mace::default().fit(&rows(&[(0, 0, 0)], 1)).posterior, [1.0]);
    let (ballots, _) = crowd(3);
    let fit = || Mace { restarts: 3, ..Mace::default() }.fit(&ballots);
    let (one, three) = (on_threads(1, fit), on_threads(3, fit));
    assert_eq!(one, three);
    assert_eq!(one.history.len(), 3);
    let best = one.history.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!(one.log_likelihood, best);
}
