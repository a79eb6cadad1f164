use super::*;
use crate::skill::ballots::NO_GOLD;
use crate::skill::ibcc::Ibcc;
use crate::skill::testing::{accuracy, ballots, honest};

/// Votes of a simulated crowd in the order of time.
fn stream(crowd: &crate::SimulatedCrowd) -> Vec<(usize, u32, u32)> {
    let mut order: Vec<usize> = (0..crowd.n_votes()).collect();
    order.sort_by_key(|&i| (crowd.created_ms[i], i));
    order.iter().map(|&i| (crowd.subject[i] as usize, crowd.volunteer[i], crowd.answer[i])).collect()
}

fn replayed(crowd: &crate::SimulatedCrowd, rule: Rule) -> RunningSkill {
    let k = crowd.n_classes as usize;
    let mut running = RunningSkill::new(k, rule, &Ibcc::default().prior(k), 1.0);
    stream(crowd).into_iter().for_each(|(item, w, label)| running.add(item, w, label));
    running
}

#[test]
fn a_settled_replay_is_the_batch() {
    for (seed, k) in [(1, 2), (2, 3), (3, 4)] {
        let crowd = honest(500, 40, k, seed);
        let batch =
            Ibcc { tolerance: 1e-11, max_rounds: 5_000, ..Ibcc::default() }.fit(&ballots(&crowd));
        let mut running = replayed(&crowd, Rule::ExpectedLog);
        let (sweeps, settled) = running.settle(5_000, 1e-12);
        assert!(settled, "{sweeps} sweeps");
        let k = k as usize;
        for item in 0..500 {
            for (p, q) in running.posterior(item).iter().zip(batch.of_item(item)) {
                assert!((p - q).abs() < 1e-8, "item {item}: {p} running, {q} batch");
            }
        }
        for w in 0..40 {
            for (a, b) in running.dirichlet(w).iter().zip(batch.matrices.dirichlet(w)) {
                assert!((a - b).abs() < 1e-6, "volunteer {w} of {k} classes: {a} {b}");
            }
        }
    }
}

#[test]
fn one_pass_is_nearly_as_right_as_the_batch() {
    let crowd = honest(2_000, 80, 3, 12);
    let batch = accuracy(&Ibcc::default().fit(&ballots(&crowd)).posterior, &crowd.true_class);
    for rule in [Rule::Mean, Rule::ExpectedLog] {
        let running = replayed(&crowd, rule);
        let posterior: Vec<f64> = (0..2_000).flat_map(|i| running.posterior(i).to_vec()).collect();
        let own = accuracy(&posterior, &crowd.true_class);
        assert!(own > batch - 0.03, "{rule:?}: {own} of {batch}");
    }
}

#[test]
fn gold_before_or_after_its_votes_is_the_same() {
    let prior = Ibcc::default().prior(2);
    let votes = [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 1, 0)];
    let run = |gold_first: bool| {
        let mut running = RunningSkill::new(2, Rule::ExpectedLog, &prior, 1.0);
        if gold_first {
            running.know(0, 1);
        }
        votes.iter().for_each(|&(item, w, label)| running.add(item, w, label));
        if !gold_first {
            running.know(0, 1);
        }
        running.settle(1_000, 1e-14);
        (running.posterior(1).to_vec(), running.dirichlet(0))
    };
    let ((p, a), (q, b)) = (run(true), run(false));
    assert!(p.iter().zip(&q).all(|(x, y)| (x - y).abs() < 1e-9), "{p:?} {q:?}");
    assert!(a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 1e-9), "{a:?} {b:?}");
    let rows: Vec<(u32, u32, u32)> =
        votes.iter().map(|&(i, w, l)| (u32::try_from(i).unwrap(), w, l)).collect();
    let gold = vec![1, NO_GOLD, NO_GOLD];
    let batch = Ibcc { tolerance: 1e-13, max_rounds: 5_000, ..Ibcc::default() }
        .fit(&crate::skill::testing::rows(&rows, 2).with_gold(gold).unwrap());
    assert!((batch.of_item(1)[1] - p[1]).abs() < 1e-8, "{} {}", batch.of_item(1)[1], p[1]);
}

#[test]
fn a_saved_state_goes_on_as_if_nothing_had_happened() {
    let crowd = honest(200, 20, 2, 5);
    let votes = stream(&crowd);
    let mut whole = RunningSkill::new(2, Rule::Mean, &Ibcc::default().prior(2), 1.0);
    let mut halves = whole.clone();
    votes.iter().for_each(|&(i, w, l)| whole.add(i, w, l));
    votes[..700].iter().for_each(|&(i, w, l)| halves.add(i, w, l));
    let mut resumed = halves.clone();
    drop(halves);
    votes[700..].iter().for_each(|&(i, w, l)| resumed.add(i, w, l));
    assert_eq!(whole, resumed);
}

#[test]
fn four_thousand_votes_on_one_subject() {
    let mut running = RunningSkill::new(2, Rule::Mean, &Ibcc::default().prior(2), 1.0);
    (0..4_000).for_each(|w| running.add(0, w, u32::from(w % 4 != 0)));
    assert!(running.posterior(0)[1] > 0.999);
    assert!(running.posterior(7).is_empty() && running.n_items() == 1);
}
