use proptest::prelude::*;

use super::*;
use crate::learner::tests::labelled;
use crate::learner::{Embedding, Label, Learner, LearnerParams, Method};

fn with(memory: Memory) -> Prequential {
    Prequential::new(PrequentialParams { memory, ..PrequentialParams::default() }).unwrap()
}

fn filled(memory: Memory, cases: &[(f64, bool)]) -> Prequential {
    let mut evaluation = with(memory);
    for (at, (p, is_real)) in cases.iter().enumerate() {
        evaluation.predict(&at.to_string(), 0, *p, &[]).unwrap();
        evaluation.label(&at.to_string(), at as i64, *is_real).unwrap();
    }
    evaluation
}

#[test]
fn delayed_progressive_validation_is_that_of_river() {
    let golden = crate::golden();
    let delay = golden["prequential"]["delay"].as_u64().unwrap() as usize;
    let stream = labelled(500, 6, 8);
    let method = Method::Descent { rate: 0.05, intercept_rate: 0.05, l2: 0.0, clip: 1e12 };
    let mut learner = Learner::new(LearnerParams {
        embedding: "e".into(),
        dimension: 6,
        n_classes: 2,
        method,
        actor_cap: None,
    })
    .unwrap();
    let mut evaluation = with(Memory::Window(10_000));
    let embedding = |at: usize| Embedding { model: "e", values: &stream[at].0 };
    let reveal = |learner: &mut Learner, evaluation: &mut Prequential, at: usize, now: usize| {
        let subject = at.to_string();
        let scored = evaluation.label(&subject, now as i64, stream[at].1).unwrap();
        assert!(scored.is_for_training);
        evaluation.train(&subject).unwrap();
        let p_class = if stream[at].1 { [0.0, 1.0] } else { [1.0, 0.0] };
        let label = Label { x: embedding(at), p_class: &p_class, weight: 1.0, actor: None };
        learner.learn(at as u64 + 1, &label).unwrap();
    };
    for now in 0..500 + delay {
        if now >= delay {
            reveal(&mut learner, &mut evaluation, now - delay, now);
        }
        if now < 500 {
            let p = learner.predict(&embedding(now)).unwrap().p_class[1];
            evaluation.predict(&now.to_string(), now as i64, p, &[]).unwrap();
            assert_eq!(evaluation.n_pending(), (now + 1).min(delay));
        }
    }
    let report = evaluation.report().unwrap();
    let expected = golden["prequential"]["log_loss"].as_f64().unwrap();
    assert!((report.log_loss - expected).abs() < 1e-9, "{} for {expected}", report.log_loss);
    assert_eq!((report.n, report.median_delay_ms), (500, delay as i64));
}

#[test]
fn the_measures_on_paper() {
    let report =
        filled(Memory::Window(9), &[(0.9, true), (0.2, false), (0.6, false), (0.5, true)]).report();
    let report = report.unwrap();
    let log_loss = -(0.9_f64.ln() + 0.8_f64.ln() + 0.4_f64.ln() + 0.5_f64.ln()) / 4.0;
    assert!((report.log_loss - log_loss).abs() < 1e-15);
    assert!((report.brier - (0.01 + 0.04 + 0.36 + 0.25) / 4.0).abs() < 1e-15);
    assert_eq!(report.n_effective, 4.0);
    // No bogus one may pass (5 % of two): above 0.6, so that 0.9 passes and 0.5 is missed.
    let missed = report.missed.unwrap();
    assert_eq!((missed.value, report.threshold, missed.n_effective), (0.5, Some(0.9), 2.0));
    let means: Vec<f64> = report.calibration.iter().map(|b| b.p_mean).collect();
    assert_eq!(means, [0.2, 0.5, 0.6, 0.9]);
    assert_eq!(report.calibration[3].observed.interval, jeffreys(1.0, 1.0, 0.95));
}

#[test]
fn certainty_that_is_wrong_costs_much_and_not_infinitely() {
    let report = filled(Memory::Window(9), &[(0.0, true), (1.0, false)]).report().unwrap();
    assert!(report.log_loss > 30.0 && report.log_loss.is_finite());
    assert_eq!(report.brier, 1.0);
    assert_eq!(report.missed.unwrap().value, 1.0);
    assert!(filled(Memory::Window(9), &[(0.3, true)]).report().unwrap().missed.is_none());
    assert!(with(Memory::Window(9)).report().is_none());
}

#[test]
fn ties_at_the_threshold_pass_together_or_not_at_all() {
    // Twenty bogus: one may pass. Two share the highest score, so none does.
    let mut cases: Vec<(f64, bool)> = (0..18).map(|at| (f64::from(at) / 100.0, false)).collect();
    cases.extend([(0.8, false), (0.8, false), (0.8, true), (0.81, true)]);
    let report = filled(Memory::Window(99), &cases).report().unwrap();
    assert_eq!((report.missed.unwrap().value, report.threshold), (0.5, Some(0.81)));
    cases[19].0 = 0.3;
    let report = filled(Memory::Window(99), &cases).report().unwrap();
    assert_eq!((report.missed.unwrap().value, report.threshold), (0.0, Some(0.8)));
}

#[test]
fn a_window_drops_the_old_and_fading_lets_them_count_less() {
    let mut cases = vec![(0.1, true); 500];
    cases.extend(vec![(0.9, true); 50]);
    assert!((filled(Memory::Window(50), &cases).report().unwrap().brier - 0.01).abs() < 1e-12);
    let faded = filled(Memory::Fading(0.9), &cases).report().unwrap();
    // Weights 0.9^age: the last fifty have all but 0.9^50 of it.
    let old = 0.9_f64.powi(50);
    assert!((faded.brier - (0.01 * (1.0 - old) + 0.81 * old)).abs() < 1e-5, "{}", faded.brier);
    assert!((faded.n_effective - 19.0).abs() < 0.01, "(1 + a) / (1 - a): {}", faded.n_effective);
}

#[test]
fn gold_is_never_trained_on_whatever_the_order() {
    let mut evaluation = with(Memory::Window(10));
    evaluation.hold_out("gold").unwrap();
    evaluation.predict("gold", 0, 0.5, &[]).unwrap();
    assert!(!evaluation.label("gold", 1, true).unwrap().is_for_training);
    assert_eq!(evaluation.train("gold"), Err(PrequentialError::Gold("gold".into())));
    // Scored before it is trained on, predicted before it is scored.
    assert_eq!(evaluation.train("a"), Err(PrequentialError::Unscored("a".into())));
    assert_eq!(evaluation.label("a", 0, true), Err(PrequentialError::Unpredicted("a".into())));
    evaluation.predict("a", 5, 0.5, &[]).unwrap();
    assert_eq!(evaluation.train("a"), Err(PrequentialError::Unscored("a".into())));
    assert_eq!(evaluation.label("a", 4, true), Err(PrequentialError::Backwards("a".into())));
    evaluation.label("a", 5, true).unwrap();
    assert_eq!(evaluation.label("a", 6, true), Err(PrequentialError::Unpredicted("a".into())), "once");
    evaluation.train("a").unwrap();
    evaluation.train("a").unwrap();
    assert_eq!(evaluation.hold_out("a"), Err(PrequentialError::Trained("a".into())));
    assert_eq!(evaluation.predict("a", 9, 0.5, &[]), Err(PrequentialError::Trained("a".into())));
    // Held out at the last moment, between label and update.
    evaluation.predict("b", 0, 0.5, &[]).unwrap();
    assert!(evaluation.label("b", 1, true).unwrap().is_for_training);
    evaluation.hold_out("b").unwrap();
    assert_eq!(evaluation.train("b"), Err(PrequentialError::Gold("b".into())));
    assert!(matches!(
        evaluation.predict("c", 0, f64::NAN, &[]),
        Err(PrequentialError::Probability { .. })
    ));
}

#[test]
fn settings_that_are_none_are_refused() {
    let usual = PrequentialParams::default();
    for params in [
        PrequentialParams { memory: Memory::Window(0), ..usual },
        PrequentialParams { memory: Memory::Fading(1.0), ..usual },
        PrequentialParams { memory: Memory::Fading(f64::NAN), ..usual },
        PrequentialParams { false_positives: 0.0, ..usual },
        PrequentialParams { n_bins: 0, ..usual },
        PrequentialParams { level: 1.0, ..usual },
    ] {
        assert!(matches!(Prequential::new(params), Err(PrequentialError::Settings(_))), "{params:?}");
    }
}

#[test]
fn a_slice_that_is_worse_shows() {
    let mut rng = volary_core::seed::stream(2, "prequential");
    let mut evaluation = with(Memory::Window(10_000));
    for at in 0..6_000 {
        let is_bad_camera = at % 3 == 0;
        let p: f64 = rng.random();
        // On one camera the scores mean nothing.
        let truth = if is_bad_camera { 0.5 } else { p };
        let is_real = rng.random::<f64>() < truth;
        let camera = if is_bad_camera { "UT4" } else { "UT1" };
        evaluation.predict(&at.to_string(), 0, p, &[camera, "all"]).unwrap();
        evaluation.label(&at.to_string(), 1, is_real).unwrap();
    }
    let by_slice = evaluation.by_slice();
    let (good, bad) = (&by_slice["UT1"], &by_slice["UT4"]);
    assert_eq!((good.n, bad.n, by_slice["all"].n), (4_000, 2_000, 6_000));
    // Of a calibrated score that is even in 0…1: Brier 1/6, log loss 1/2. Of chance with the same: 1/3 and 1.
    assert!((good.brier - 1.0 / 6.0).abs() < 0.01 && (good.log_loss - 0.5).abs() < 0.03, "{good:?}");
    assert!((bad.brier - 1.0 / 3.0).abs() < 0.02 && (bad.log_loss - 1.0).abs() < 0.06, "{bad:?}");
    // Missed at 5 % false alarms: bogus have density 2(1 − p), so the score is 1 − √0.05; real ones below: its square.
    let expected = (1.0 - 0.05_f64.sqrt()).powi(2);
    assert!((good.missed.unwrap().value - expected).abs() < 0.04, "{:?}", good.missed);
    let is_calibrated = |report: &Report| {
        report.calibration.iter().filter(|b| b.observed.interval.contains(b.p_mean)).count()
    };
    assert!(is_calibrated(good) >= 8 && is_calibrated(bad) <= 3);
}

proptest! {
    #[test]
    fn no_more_bogus_pass_than_allowed_and_a_lower_score_would_pass_more(
        cases in proptest::collection::vec((0..20_u32, proptest::bool::ANY), 2..200)
    ) {
        let cases: Vec<(f64, bool)> = cases.into_iter().map(|(p, y)| (f64::from(p) / 20.0, y)).collect();
        let report = filled(Memory::Window(1_000), &cases).report().unwrap();
        let n_bogus = cases.iter().filter(|c| !c.1).count();
        let passing = |t: f64, y| cases.iter().filter(|c| c.1 == y && c.0 >= t).count();
        if let (Some(t), Some(missed)) = (report.threshold, report.missed) {
            let n_real = cases.len() - n_bogus;
            if missed.value < 1.0 || passing(t, false) > 0 {
                prop_assert!(passing(t, false) as f64 <= 0.05 * n_bogus as f64 + 1e-9);
                prop_assert!((1.0 - passing(t, true) as f64 / n_real as f64 - missed.value).abs() < 1e-9);
            }
            // Any score that lets more real ones pass lets too many bogus ones pass.
            for lower in (0..20).map(|p| f64::from(p) / 20.0) {
                let better = passing(lower, true) as f64 > (1.0 - missed.value) * n_real as f64 + 1e-9;
                prop_assert!(!better || passing(lower, false) as f64 > 0.05 * n_bogus as f64);
            }
        }
    }
}
