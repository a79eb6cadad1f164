use rand::RngExt as _;

use super::*;
use crate::skill::dawid_skene::{DawidSkene, Variant};
use crate::skill::testing::{accuracy, ballots, honest};

fn panel(crowd: &crate::SimulatedCrowd) -> Panel {
    let ballots = ballots(crowd);
    Panel {
        question: 0,
        answer: None,
        classes: (0..crowd.n_classes).collect(),
        subjects: (0..u32::try_from(ballots.n_items()).unwrap()).collect(),
        volunteers: (0..u32::try_from(ballots.n_volunteers()).unwrap()).collect(),
        ballots,
    }
}

/// Scores for answer 1 that are right with chance `skill`.
fn scores(truth: &[u32], skill: f64) -> Vec<(u32, u32, f64)> {
    let mut rng = volary_core::seed::stream(3, "machine test");
    let score = |(subject, &class): (u32, &u32)| {
        let right = rng.random::<f64>() < skill;
        let sure = 0.5 + 0.5 * rng.random::<f64>();
        (subject, 1, if (class == 1) == right { sure } else { 1.0 - sure })
    };
    (0..).zip(truth).map(score).collect()
}

#[test]
fn a_good_machine_helps_and_a_random_one_does_no_harm() {
    let crowd = honest(2_000, 400, 2, 6);
    let model = DawidSkene::new(Variant::Shrunk);
    let alone = accuracy(&model.fit(&panel(&crowd).ballots).posterior, &crowd.true_class);
    let with = |skill| {
        let panel = add(panel(&crowd), &scores(&crowd.true_class, skill)).unwrap();
        assert_eq!(panel.volunteers.last(), Some(&MACHINE));
        let fit = model.fit(&panel.ballots);
        let bits = fit.skills(&panel.ballots, 0.95).last().unwrap().bits.unwrap();
        (accuracy(&fit.posterior, &crowd.true_class), bits)
    };
    let (good, bits) = with(0.95);
    assert!(good > alone + 0.005, "{good} with, {alone} without");
    assert!(bits.value > 0.5, "{bits:?}");
    let (random, bits) = with(0.5);
    assert!(random > alone - 0.004, "{random} with, {alone} without");
    assert!(bits.value < 0.02, "{bits:?}");
}

#[test]
fn every_matrix_model_takes_a_machine() {
    let crowd = honest(300, 60, 2, 6);
    let panel = add(panel(&crowd), &scores(&crowd.true_class, 0.9)).unwrap();
    let mut models: Vec<crate::skill::Model> =
        Variant::ALL.into_iter().map(|v| crate::skill::Model::DawidSkene(DawidSkene::new(v))).collect();
    models.push(crate::skill::Model::Ibcc(crate::skill::ibcc::Ibcc::default()));
    for model in models {
        let fit = model.fit(&panel.ballots);
        assert!(fit.intervals(&panel.ballots, 0.95).iter().all(|i| i.low <= i.high), "{}", model.name());
        let machine = fit.skills(&panel.ballots, 0.95).pop().unwrap();
        assert!(machine.skill.is_none() && machine.bits.unwrap().value > 0.2, "{}", model.name());
        assert!(accuracy(&fit.posterior, &crowd.true_class) > 0.95, "{}", model.name());
    }
}

#[test]
fn equal_scores_are_one_answer_and_missing_ones_none() {
    let crowd = honest(100, 20, 2, 1);
    let same: Vec<(u32, u32, f64)> = (0..50).map(|s| (s, 1, 0.7)).collect();
    let panel = add(panel(&crowd), &same).unwrap();
    let machine = panel.ballots.n_volunteers() - 1;
    assert_eq!(panel.ballots.slots_of(machine).len(), 1);
    assert_eq!(panel.ballots.n_votes_of(machine), 50);
    assert!(!panel.ballots.is_person(machine) && panel.ballots.is_person(0));
}

#[test]
fn no_scores_no_machine() {
    let crowd = honest(50, 20, 3, 1);
    let plain = panel(&crowd);
    assert_eq!(add(plain.clone(), &[]).unwrap(), plain);
    // Scores of a subject that nobody saw.
    assert_eq!(add(plain.clone(), &[(10_000, 1, 0.9)]).unwrap(), plain);
}
