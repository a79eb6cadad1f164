use rand::RngExt as _;

use super::*;
use crate::skill::ballots::Columns;
use crate::skill::testing::{accuracy, correlation, on_threads, rows};

/// Votes of GLAD's own model, its priors included: 800 subjects, 60 volunteers, 30 votes a subject.
fn crowd(seed: u64) -> (Ballots, Vec<u32>, Vec<f64>, Vec<f64>) {
    let mut rng = volary_core::seed::stream(seed, "glad test");
    let truth: Vec<u32> = (0..800).map(|_| rng.random_range(0..2)).collect();
    let log_easiness: Vec<f64> = (0..800).map(|_| 1.0 + crate::draws::normal(&mut rng)).collect();
    let ability: Vec<f64> = (0..60).map(|_| 1.0 + crate::draws::normal(&mut rng)).collect();
    let mut columns = Columns { n_items: 800, n_volunteers: 60, n_classes: 2, ..Columns::default() };
    for item in 0..800_usize {
        for (w, ability) in ability.iter().enumerate().filter(|(w, _)| (item + w) % 2 == 0) {
            let right = rng.random::<f64>() < sigmoid(ability * log_easiness[item].exp());
            columns.item.push(u32::try_from(item).unwrap());
            columns.volunteer.push(u32::try_from(w).unwrap());
            columns.label.push(if right { truth[item] } else { 1 - truth[item] });
        }
    }
    (Ballots::new(columns).unwrap(), truth, ability, log_easiness)
}

#[test]
fn ability_and_easiness_are_found_again() {
    let (mut easy_covered, mut able_covered, mut n) = (0_u32, 0_u32, 0_u32);
    for seed in 0..5 {
        let (ballots, truth, ability, log_easiness) = crowd(seed);
        let found = Glad::default().fit(&ballots);
        let right = accuracy(&found.posterior, &truth);
        assert!(right > 0.85, "{right}");
        let own: Vec<f64> = found.abilities.iter().map(|a| a.value).collect();
        assert!(correlation(&own, &ability) > 0.95, "{}", correlation(&own, &ability));
        let easy: Vec<f64> = found.log_easiness.iter().map(|e| e.0).collect();
        assert!(correlation(&easy, &log_easiness) > 0.7, "{}", correlation(&easy, &log_easiness));
        for ((value, se), truth) in found.log_easiness.iter().zip(&log_easiness) {
            easy_covered += u32::from((value - truth).abs() < 1.96 * se);
        }
        for (own, truth) in found.abilities.iter().zip(&ability) {
            able_covered += u32::from(own.interval.contains(*truth));
        }
        n += 1;
    }
    let easy = f64::from(easy_covered) / f64::from(n * 800);
    let able = f64::from(able_covered) / f64::from(n * 60);
    eprintln!("coverage of log easiness {easy:.3}, of ability {able:.3}");
    assert!((0.88..=0.99).contains(&easy) && able > 0.7, "{easy} {able}");
}

#[test]
fn the_objective_never_falls() {
    let (ballots, ..) = crowd(9);
    let found = Glad { tolerance: 0.0, max_rounds: 20, ..Glad::default() }.fit(&ballots);
    for pair in found.history.windows(2) {
        assert!(pair[1] >= pair[0] - 1e-7 * pair[0].abs(), "{:?}", found.history);
    }
}

#[test]
fn edges_and_threads() {
    assert!(Glad::default().fit(&Ballots::default()).posterior.is_empty());
    let one = Glad::default().fit(&rows(&[(0, 0, 1)], 2));
    assert!(one.of_item(0)[1] > 0.5 && one.logit_sd.iter().all(|s| s.is_finite()));
    assert_eq!(Glad::default().fit(&rows(&[(0, 0, 0)], 1)).posterior, [1.0]);
    let (ballots, ..) = crowd(3);
    let fit = || Glad { max_rounds: 4, ..Glad::default() }.fit(&ballots);
    assert_eq!(on_threads(1, fit), on_threads(3, fit));
    let wrong = ballots.clone().with_gold(vec![0; 800]).unwrap();
    assert!(Glad::default().fit(&wrong).posterior.chunks(2).all(|p| p == [1.0, 0.0]));
}
