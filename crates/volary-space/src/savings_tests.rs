use super::*;
use crate::draws::normal;
use proptest::prelude::*;
use volary_core::seed::stream;

fn pending(mean: f64, concentration: f64, n_yes: u32, n_seen: u32) -> Pending {
    let belief = Belief::new(mean, concentration).unwrap();
    Pending { classes: vec![Asked { belief, n_yes }], n_seen }
}

#[test]
fn chances_on_paper() {
    // Beta(1, 1) and three votes: K is 0, 1, 2 or 3 with ¼ each.
    let flat = Belief::new(0.5, 2.0).unwrap();
    for (bound, expected) in [(-1.0, 1.0), (0.0, 0.75), (1.5, 0.5), (2.9, 0.25), (3.0, 0.0)] {
        assert!((flat.tail(3, bound) - expected).abs() < 1e-12);
    }
    let rule = Rule::new(3, 0.5).unwrap();
    assert!((rule.error_if_stopped(&pending(0.5, 2.0, 0, 0)).unwrap() - 0.5).abs() < 1e-12);
    // Two yes of three decide it; one yes of one: two more under Beta(2, 1) are both no with 1/6.
    assert!(rule.error_if_stopped(&pending(0.5, 2.0, 2, 2)).unwrap() < 1e-12);
    assert!((rule.error_if_stopped(&pending(0.5, 2.0, 1, 1)).unwrap() - 1.0 / 6.0).abs() < 1e-12);
    // Two independent classes err where one of them does.
    let mut two = pending(0.5, 2.0, 1, 1);
    two.classes.push(two.classes[0]);
    assert!((rule.error_if_stopped(&two).unwrap() - (1.0 - 25.0 / 36.0)).abs() < 1e-12);
}

#[test]
fn an_interval_becomes_a_belief_of_its_spread() {
    let belief = Belief::from_interval(0.4, 0.2, 0.6, 0.95).unwrap();
    let (a, b) = (belief.alpha, belief.beta);
    let deviation = (a * b / ((a + b) * (a + b) * (a + b + 1.0))).sqrt();
    assert!((a / (a + b) - 0.4).abs() < 1e-12 && (deviation - 0.2 / 1.959_964).abs() < 1e-6);
    assert!(Belief::from_interval(0.5, 0.0, 1.0, 0.5).is_ok());
    assert!(Belief::from_interval(1.0, 1.0, 1.0, 0.95).is_ok());
    assert!(Belief::from_interval(0.5, 0.6, 0.4, 0.95).is_err());
    assert!(Belief::from_interval(0.5, 0.4, 0.6, 1.0).is_err());
    assert!(Belief::from_interval(f64::NAN, 0.4, 0.6, 0.9).is_err());
    assert!(Belief::new(0.5, 0.0).is_err());
}

/// A draw from Beta(α, β) with whole α and β: the α-th smallest of α + β − 1 even draws.
fn beta(rng: &mut volary_core::seed::Rng, alpha: usize, beta: usize) -> f64 {
    let mut draws: Vec<f64> = (0..alpha + beta - 1).map(|_| rng.random()).collect();
    draws.sort_by(f64::total_cmp);
    draws[alpha - 1]
}

#[test]
fn a_simulated_crowd_errs_as_often_as_planned() {
    let mut rng = stream(4, "savings");
    let shapes: Vec<(usize, usize)> =
        (0..4000).map(|_| (rng.random_range(1..12), rng.random_range(1..12))).collect();
    let subjects: Vec<Pending> =
        shapes.iter().map(|&(a, b)| pending(a as f64 / (a + b) as f64, (a + b) as f64, 0, 0)).collect();
    let rule = Rule::new(15, 0.5).unwrap();
    let plan = plan(&subjects, &rule, 0.03).unwrap();
    assert!(plan.chosen.expected_error <= 0.03 && plan.chosen.expected_error > 0.0295);
    assert_eq!(plan.votes_left, 4000 * 15);
    assert_eq!(plan.chosen.votes_saved, 15 * plan.chosen.n_stopped as u64);
    let mut n_changed = 0;
    for planned in plan.ranked.iter().filter(|p| p.stops) {
        let (a, b) = shapes[planned.subject];
        let share = beta(&mut rng, a, b);
        let n_yes = (0..15).filter(|_| rng.random::<f64>() < share).count();
        // With as many on both sides the mean decides; it is the median's side for these laws.
        let decided = subjects[planned.subject].classes[0].belief.tail(15, 7.5) > 0.5;
        n_changed += usize::from((n_yes > 7) != decided);
    }
    let error = n_changed as f64 / 4000.0;
    let off = (error - plan.chosen.expected_error) / plan.chosen.error_sd;
    assert!(off.abs() < 3.5, "{error} {:?}", plan.chosen);
    assert!(plan.chosen.n_stopped > 1500, "{:?}", plan.chosen);
}

#[test]
fn the_list_begins_with_the_most_confusing() {
    let subjects = [
        pending(0.95, 50.0, 0, 0),
        pending(0.5, 50.0, 0, 0),
        pending(0.05, 4.0, 0, 0),
        pending(0.5, 2.0, 10, 10),
    ];
    let plan = plan(&subjects, &Rule::new(10, 0.5).unwrap(), 0.05).unwrap();
    let order: Vec<usize> = plan.ranked.iter().map(|p| p.subject).collect();
    // The last one is done and not in the list.
    assert_eq!(order, [1, 2, 0]);
    assert_eq!(plan.ranked.iter().map(|p| p.stops).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!((plan.chosen.n_stopped, plan.chosen.votes_saved, plan.votes_left), (2, 20, 30));
}

#[test]
fn bad_input_is_refused() {
    let rule = Rule::new(10, 0.5).unwrap();
    assert!(matches!(plan(&[], &rule, 0.1), Err(SpaceError::NoRows { .. })));
    assert!(matches!(plan(&[pending(0.5, 1.0, 0, 0)], &rule, 1.5), Err(SpaceError::Setting { .. })));
    assert!(matches!(plan(&[pending(0.5, 1.0, 3, 2)], &rule, 0.5), Err(SpaceError::Setting { .. })));
    assert!(Rule::new(0, 0.5).is_err() && Rule::new(5, 1.0).is_err() && Rule::new(5, f64::NAN).is_err());
}

proptest! {
    #[test]
    fn more_error_allowed_saves_more_and_the_curve_is_convex(
        means in proptest::collection::vec(0.0..=1.0_f64, 1..30), a in 0.0..0.3_f64, b in 0.0..0.3_f64,
    ) {
        let mut rng = stream(1, "prop");
        let subjects: Vec<Pending> =
            means.iter().map(|m| pending(*m, 1.0 + 10.0 * normal(&mut rng).abs(), 0, 0)).collect();
        let rule = Rule::new(9, 0.5).unwrap();
        let (low, high) = (plan(&subjects, &rule, a.min(b)).unwrap(), plan(&subjects, &rule, a.max(b)).unwrap());
        prop_assert!(low.chosen.votes_saved <= high.chosen.votes_saved);
        prop_assert!(high.chosen.expected_error <= a.max(b));
        // Each further subject costs at least as much error a vote as the one before.
        let cost = |w: &[Saving]| (w[1].expected_error - w[0].expected_error) / (w[1].votes_saved - w[0].votes_saved) as f64;
        let costs: Vec<f64> = low.curve.windows(2).map(cost).collect();
        prop_assert!(costs.windows(2).all(|w| w[0] <= w[1] + 1e-12));
    }
}
