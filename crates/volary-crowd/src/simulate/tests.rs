use super::*;
use crate::repeats::{Repeats, counted};
use proptest::prelude::*;
use volary_core::votes::VotesBuilder;

fn by_builder(crowd: &SimulatedCrowd) -> Votes {
    let mut builder = VotesBuilder::default();
    for class in 0..crowd.n_classes {
        builder.offer("", "T0", QuestionKind::Single, &class.to_string());
    }
    for i in 0..crowd.n_votes() {
        let (subject, volunteer) =
            (crowd.subject[i].to_string(), SimulatedCrowd::volunteer_name(crowd.volunteer[i]));
        let c =
            builder.classification("", &subject, &volunteer, Some(crowd.created_ms[i]), &i.to_string());
        builder.vote(c, "T0", QuestionKind::Single, Some(&crowd.answer[i].to_string()));
    }
    builder.finish()
}

#[test]
fn votes_are_what_the_builder_makes() {
    let params = CrowdParams { n_classes: 12, repeat_fraction: 0.1, ..CrowdParams::default() };
    let crowd = simulate(&params).unwrap();
    let (direct, built) = (crowd.to_votes(), by_builder(&crowd));
    assert_eq!(direct.subjects, built.subjects);
    assert_eq!(direct.volunteers, built.volunteers);
    assert_eq!(direct.questions, built.questions);
    assert_eq!(direct.workflows, built.workflows);
    assert_eq!((&direct.subject, &direct.volunteer), (&built.subject, &built.volunteer));
    assert_eq!((&direct.created_ms, &direct.workflow), (&built.created_ms, &built.workflow));
    assert_eq!(direct.votes, built.votes);
}

#[test]
fn the_crowd_is_as_ordered() {
    let params = CrowdParams {
        n_subjects: 20_000,
        n_volunteers: 2_000,
        n_classes: 3,
        votes_per_subject: 12.0,
        min_votes: 10,
        max_votes: 18,
        activity_exponent: 1.0,
        skill: 0.7,
        concentration: 20.0,
        difficulty: 0.2,
        prevalence: vec![0.6, 0.3, 0.1],
        repeat_fraction: 0.0,
        effects: Effects::default(),
        seed: 4,
    };
    let crowd = simulate(&params).unwrap();
    let n = crowd.n_votes() as f64;
    assert!((n / 20_000.0 - 12.0).abs() < 0.05, "{n}");
    let first = crowd.true_class.iter().filter(|c| **c == 0).count() as f64 / 20_000.0;
    assert!((first - 0.6).abs() < 0.012, "{first}");
    let difficulty = crowd.difficulty.iter().sum::<f64>() / 20_000.0;
    assert!((difficulty - 0.2).abs() < 0.005, "{difficulty}");
    let votes = crowd.to_votes();
    assert_eq!(counted(&votes, Repeats::First).n_repeats, 0);
    // The right answer is given with (1 − d)·skill + d/K; the busiest few volunteers leave noise.
    let right = (0..crowd.n_votes())
        .filter(|&i| crowd.answer[i] == crowd.true_class[crowd.subject[i] as usize])
        .count() as f64;
    assert!((right / n - (0.8 * 0.7 + 0.2 / 3.0)).abs() < 0.02, "{}", right / n);
    // Zipf's law: the busiest does far more than the tenth, the tenth more than the hundredth.
    let mut done = vec![0_u32; 2_000];
    for &v in &crowd.volunteer {
        done[v as usize] += 1;
    }
    assert!(done[0] > 3 * done[9] && done[9] > 5 * done[99], "{:?}", &done[..10]);
}

#[test]
fn confusion_matrices_are_found_again_in_the_votes() {
    let params = CrowdParams {
        n_subjects: 5_000,
        n_volunteers: 12,
        n_classes: 3,
        difficulty: 0.0,
        votes_per_subject: 8.0,
        min_votes: 6,
        max_votes: 10,
        activity_exponent: 0.5,
        seed: 8,
        ..CrowdParams::default()
    };
    let crowd = simulate(&params).unwrap();
    let mut counts = vec![0.0; 12 * 9];
    for i in 0..crowd.n_votes() {
        let truth = crowd.true_class[crowd.subject[i] as usize];
        counts[((crowd.volunteer[i] * 3 + truth) * 3 + crowd.answer[i]) as usize] += 1.0;
    }
    for (count, chance) in counts.chunks_exact(3).zip(crowd.confusion.chunks_exact(3)) {
        let n: f64 = count.iter().sum();
        for (k, p) in count.iter().zip(chance) {
            assert!((k / n - p).abs() < 4.5 * (p * (1.0 - p) / n).sqrt() + 1e-3, "{k} of {n}: {p}");
        }
    }
}

#[test]
fn repeats_come_as_often_as_asked() {
    let crowd = simulate(&CrowdParams { repeat_fraction: 0.2, ..CrowdParams::default() }).unwrap();
    let votes = crowd.to_votes();
    let share = counted(&votes, Repeats::First).n_repeats as f64 / votes.n_classifications() as f64;
    assert!((share - 0.2).abs() < 0.02, "{share}");
}

#[test]
fn nonsense_is_refused() {
    let bad = |params: CrowdParams| assert!(simulate(&params).is_err(), "{params:?}");
    let base = CrowdParams::default;
    bad(CrowdParams { n_classes: 1, ..base() });
    bad(CrowdParams { max_votes: 300, ..base() });
    bad(CrowdParams { min_votes: 20, ..base() });
    bad(CrowdParams { votes_per_subject: 99.0, ..base() });
    bad(CrowdParams { skill: 1.0, ..base() });
    bad(CrowdParams { concentration: f64::NAN, ..base() });
    bad(CrowdParams { difficulty: -0.1, ..base() });
    bad(CrowdParams { prevalence: vec![0.5, 0.6], ..base() });
    bad(CrowdParams { prevalence: vec![1.0], ..base() });
    bad(CrowdParams { activity_exponent: f64::INFINITY, ..base() });
    bad(CrowdParams { repeat_fraction: 1.0, ..base() });
}

#[test]
fn nothing_is_a_crowd_too() {
    let crowd = simulate(&CrowdParams { n_subjects: 0, ..CrowdParams::default() }).unwrap();
    assert_eq!(crowd.to_votes().n_classifications(), 0);
    assert!(crowd.truth().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn same_seed_same_bytes(seed in 0..1000_u64, exponent in 0.0..4.0_f64, n_volunteers in 15..60_u32) {
        let params = CrowdParams {
            seed, n_volunteers, activity_exponent: exponent, n_subjects: 50, ..CrowdParams::default()
        };
        let crowd = simulate(&params).unwrap();
        prop_assert_eq!(&crowd, &simulate(&params).unwrap());
        prop_assert_eq!(counted(&crowd.to_votes(), Repeats::First).n_repeats, 0);
        prop_assert_ne!(&crowd.answer, &simulate(&CrowdParams { seed: seed + 1, ..params }).unwrap().answer);
    }
}
