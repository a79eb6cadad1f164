//! How often the bootstrap interval covers, on simulated projects of some sizes.
//!
//! One crowd on 60,000 subjects has the true value (to ±0.003); cut into projects of 30 to 300 subjects, each
//! gives an interval. The numbers below stand in `docs/src/agreement.md`.

use super::bootstrap::Bootstrap;
use super::patterns::{Patterns, Values};
use crate::{CrowdParams, Effects, Scale, simulate};

/// Share of the projects of `size` subjects whose interval holds the true α and κ.
fn coverage(params: &CrowdParams, size: usize, n_projects: usize, values: &Values) -> [f64; 2] {
    let crowd = simulate(params).unwrap();
    let mut subjects = vec![Vec::new(); crowd.true_class.len()];
    for i in 0..crowd.n_votes() {
        subjects[crowd.subject[i] as usize].push(crowd.answer[i]);
    }
    let patterns = |subjects: &[Vec<u32>]| {
        let mut builder = Patterns::builder(values.clone());
        subjects.iter().for_each(|votes| builder.add(votes.clone()));
        builder.finish()
    };
    let all = patterns(&subjects);
    let truth = all.measure(&all.n_subjects).as_array();
    let mut covered = [0.0; 2];
    for (project, subjects) in subjects.chunks_exact(size).take(n_projects).enumerate() {
        let own = patterns(subjects);
        let bootstrap = Bootstrap {
            n_replicates: 399,
            confidence: 0.95,
            seed: project as u64,
            stream: "coverage".to_owned(),
        };
        let estimates = bootstrap.run(&own, |weights| own.measure(weights).as_array());
        for ((covered, estimate), truth) in covered.iter_mut().zip(&estimates).zip(&truth) {
            let holds = estimate.interval.is_ok_and(|i| i.contains(truth.unwrap()));
            *covered += f64::from(u8::from(holds)) / n_projects as f64;
        }
    }
    covered
}

#[test]
fn intervals_cover_about_as_often_as_they_say() {
    let base = CrowdParams {
        n_subjects: 60_000,
        n_volunteers: 500,
        n_classes: 3,
        votes_per_subject: 8.0,
        min_votes: 2,
        max_votes: 14,
        difficulty: 0.25,
        seed: 12,
        ..CrowdParams::default()
    };
    let ordinal = Effects { scale: Scale::Ordinal, ..Effects::default() };
    let rare = CrowdParams { prevalence: vec![0.9, 0.05, 0.05], ..base.clone() };
    let cases = [
        ("even, 30 subjects", &base, 30, Values::Nominal(3), 0.90),
        ("even, 100 subjects", &base, 100, Values::Nominal(3), 0.92),
        ("rare, 100 subjects", &rare, 100, Values::Nominal(3), 0.90),
        ("rare, 300 subjects", &rare, 300, Values::Nominal(3), 0.90),
        (
            "grades, 100 subjects",
            &CrowdParams { effects: ordinal, ..base.clone() },
            100,
            Values::Ordinal(3),
            0.91,
        ),
    ];
    for (name, params, size, values, at_least) in cases {
        let n = (60_000 / size).min(400);
        let [alpha, kappa] = coverage(params, size, n, &values);
        eprintln!("{name}: alpha {alpha:.3}, kappa {kappa:.3} of {n}");
        assert!(alpha >= at_least && alpha <= 0.985, "{name}: alpha {alpha}");
        assert!(kappa >= at_least && kappa <= 0.985, "{name}: kappa {kappa}");
    }
}
