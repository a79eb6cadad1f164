use super::super::{Machine, Spread, Temptation};
use super::*;
use std::f64::consts::PI;

fn params(effects: Effects) -> MultipleParams {
    let crowd = CrowdParams {
        n_subjects: 20_000,
        n_classes: 3,
        difficulty: 0.0,
        seed: 6,
        effects,
        ..CrowdParams::default()
    };
    MultipleParams { crowd, prevalence: vec![0.5, 0.2, 0.7], correlation: 0.0, error_correlation: 0.0 }
}

/// Share of the visits with this truth of answer `a` that tick it, and how many there are.
fn ticked(crowd: &SimulatedMultiple, a: usize, truth: bool, keep: impl Fn(usize) -> bool) -> (f64, f64) {
    let k = crowd.n_answers as usize;
    let visits = (0..crowd.n_visits())
        .filter(|i| keep(*i) && crowd.is_true[crowd.subject[*i] as usize * k + a] == truth);
    let ticks: Vec<bool> = visits.map(|i| crowd.ticked[i * k + a]).collect();
    let n = ticks.len() as f64;
    (ticks.iter().filter(|t| **t).count() as f64 / n, n)
}

#[test]
fn sensitivity_and_specificity_are_found_again() {
    let crowd = simulate_multiple(&params(Effects::default())).unwrap();
    for v in 0..5_usize {
        for a in 0..3 {
            let own = |i: usize| crowd.volunteer[i] as usize == v;
            let near =
                |share: f64, p: f64, n: f64| (share - p).abs() < 4.5 * (p * (1.0 - p) / n).sqrt() + 1e-3;
            let (hits, n) = ticked(&crowd, a, true, own);
            assert!(near(hits, crowd.sensitivity[v * 3 + a], n), "{v} {a}: {hits} of {n}");
            let (false_alarms, n) = ticked(&crowd, a, false, own);
            assert!(
                near(false_alarms, 1.0 - crowd.specificity[v * 3 + a], n),
                "{v} {a}: {false_alarms}"
            );
        }
    }
    for (a, p) in [0.5, 0.2, 0.7].into_iter().enumerate() {
        let share = crowd.is_true.iter().skip(a).step_by(3).filter(|t| **t).count() as f64 / 20_000.0;
        assert!((share - p).abs() < 0.015, "{a}: {share}");
    }
}

/// Sheppard 1899: two standard normals of correlation ρ are both negative with chance ¼ + asin(ρ) / 2π.
fn both_below_the_median(correlation: f64) -> f64 {
    0.25 + correlation.asin() / (2.0 * PI)
}

#[test]
fn answers_go_together_as_asked() {
    for correlation in [0.0, 0.5, 1.0] {
        let mut asked = params(Effects::default());
        asked.prevalence = vec![0.5; 3];
        asked.crowd.difficulty = 1.0;
        (asked.correlation, asked.error_correlation) = (correlation, correlation);
        let crowd = simulate_multiple(&asked).unwrap();
        let truths = crowd.is_true.chunks_exact(3).filter(|t| t[0] && t[1]).count() as f64 / 20_000.0;
        assert!((truths - both_below_the_median(correlation)).abs() < 0.016, "{correlation}: {truths}");
        // At difficulty 1 every answer is wrong half of the time.
        let wrong = |i: usize, a: usize| {
            crowd.ticked[i * 3 + a] != crowd.is_true[crowd.subject[i] as usize * 3 + a]
        };
        let both = (0..crowd.n_visits()).filter(|i| wrong(*i, 0) && wrong(*i, 2)).count() as f64;
        let share = both / crowd.n_visits() as f64;
        assert!((share - both_below_the_median(correlation)).abs() < 0.006, "{correlation}: {share}");
    }
}

#[test]
fn spammers_tick_whatever_is_true() {
    let kinds = vec![(VolunteerKind::Plain, 0.5), (VolunteerKind::Spammer, 0.5)];
    let crowd = simulate_multiple(&params(Effects { kinds, ..Effects::default() })).unwrap();
    let spammer = |i: usize| crowd.kind[crowd.volunteer[i] as usize] == VolunteerKind::Spammer;
    for v in 0..200 {
        let independent = (crowd.sensitivity[v * 3] + crowd.specificity[v * 3] - 1.0).abs() < 1e-12;
        assert_eq!(independent, crowd.kind[v] == VolunteerKind::Spammer);
    }
    let ((yes, n), (no, _)) = (ticked(&crowd, 0, true, spammer), ticked(&crowd, 0, false, spammer));
    assert!((yes - no).abs() < 6.0 * (0.5 / n).sqrt(), "{yes} {no}");
    let other = |i: usize| !spammer(i);
    assert!(ticked(&crowd, 0, true, other).0 - ticked(&crowd, 0, false, other).0 > 0.4);
}

#[test]
fn votes_and_truth_say_what_was_drawn() {
    let mut asked = params(Effects { gold_share: 0.1, session_votes: 9.0, ..Effects::default() });
    asked.crowd.n_subjects = 80;
    let crowd = simulate_multiple(&asked).unwrap();
    assert_eq!(crowd, simulate_multiple(&asked).unwrap());
    let votes = crowd.to_votes();
    assert_eq!(votes.n_classifications(), crowd.n_visits());
    assert_eq!(votes.n_answers_given(), crowd.ticked.iter().filter(|t| **t).count());
    assert_eq!(votes.questions[0].kind, QuestionKind::Multiple);
    let truth = crowd.truth();
    assert_eq!(truth.len(), 80);
    for subject in 0..80 {
        let answers: Vec<String> = crowd.true_of(subject).map(|a| a.to_string()).collect();
        assert_eq!(truth.answers("T0", &subject.to_string()), answers);
    }
}

#[test]
fn what_needs_one_answer_is_refused() {
    let bad = |name: &str, params: MultipleParams| {
        let error = simulate_multiple(&params).expect_err(name).to_string();
        assert!(error.contains(name), "{error}");
    };
    let none = Effects::default;
    let slope = Spread { mean: 0.1, sd: 0.0 };
    bad("learning", params(Effects { learning: slope, ..none() }));
    bad("fatigue", params(Effects { fatigue: slope, ..none() }));
    bad("copying", params(Effects { copying: 0.1, ..none() }));
    bad("expert", params(Effects { kinds: vec![(VolunteerKind::Expert, 1.0)], ..none() }));
    bad(
        "temptation",
        params(Effects { temptation: Some(Temptation { share: 0.1, pull: 0.1 }), ..none() }),
    );
    bad("machine", params(Effects { machine: Some(Machine { auc: 0.7, sharpness: 1.0 }), ..none() }));
    bad("ordinal", params(Effects { scale: super::super::Scale::Ordinal, ..none() }));
    bad("hopeless", params(Effects { hopeless_skill: Some(0.5), ..none() }));
    bad("mean_confusion", params(Effects { mean_confusion: vec![1.0 / 3.0; 9], ..none() }));
    bad("prevalence", MultipleParams { prevalence: vec![0.5], ..params(none()) });
    bad("prevalence", MultipleParams { prevalence: vec![0.5, 0.5, 1.5], ..params(none()) });
    bad("error_correlation", MultipleParams { error_correlation: -0.5, ..params(none()) });
    bad("correlation", MultipleParams { correlation: f64::NAN, ..params(none()) });
    let mut classes = params(none());
    classes.crowd.prevalence = vec![0.5, 0.3, 0.2];
    bad("several answers", classes);
}
