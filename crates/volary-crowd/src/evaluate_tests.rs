use super::*;
use crate::fraction::{FractionParams, fraction};
use crate::repeats::{Repeats, counted};
use proptest::prelude::*;
use volary_core::votes::{QuestionKind, VotesBuilder};

fn truth_of(rows: &[(&str, &str)]) -> Truth {
    let mut truth = Truth::default();
    for (subject, answer) in rows {
        truth.add("", subject, answer);
    }
    truth
}

fn evaluate_rows(kind: QuestionKind, rows: &[(&str, &str, &[&str])], truth: &Truth) -> Vec<Evaluation> {
    let mut builder = VotesBuilder::default();
    for (subject, volunteer, answers) in rows {
        let c = builder.classification("w", subject, volunteer, None, volunteer);
        for answer in *answers {
            builder.vote(c, "T0", kind, Some(answer));
        }
        if answers.is_empty() {
            builder.vote(c, "T0", kind, None);
        }
    }
    let votes = builder.finish();
    let consensus =
        fraction(&votes, &counted(&votes, Repeats::First), None, &FractionParams::default()).unwrap();
    evaluate(&votes, &consensus, truth, 0.95).unwrap()
}

#[test]
fn one_answer_on_paper() {
    let rows: &[(&str, &str, &[&str])] = &[
        ("1", "a", &["yes"]),
        ("1", "b", &["yes"]),
        ("2", "a", &["yes"]),
        ("2", "b", &["no"]),
        ("3", "a", &["no"]),
        ("4", "a", &[]),
        ("5", "a", &["yes"]),
    ];
    let truth = truth_of(&[("1", "yes"), ("2", "yes"), ("3", "yes"), ("4", "no"), ("9", "no")]);
    let rows = evaluate_rows(QuestionKind::Single, rows, &truth);
    let e = &rows[0];
    assert_eq!((e.n, e.n_unvoted, e.n_correct, e.n_ties, e.n_nobody), (4, 1, 1, 1, 1));
    assert_eq!((e.accuracy, e.accuracy_random_ties), (Some(0.25), Some(1.5 / 4.0)));
    assert_eq!(e.accuracy_interval, wilson(1.0, 4.0, 0.95));
    let [no, yes] = &e.classes[..] else { panic!() };
    assert_eq!(
        (no.n_true, no.n_agreed, no.n_both, no.recall, no.precision),
        (1, 1, 0, Some(0.0), Some(0.0))
    );
    assert_eq!((yes.n_true, yes.n_agreed, yes.n_both), (3, 1, 1));
    // Fractions of the truth: 1, ½ and 0 of three scored subjects.
    assert!((e.brier.unwrap() - (0.0 + 0.5 + 2.0) / 3.0).abs() < 1e-12);
    assert!((e.log_loss.unwrap() - (2.0_f64.ln() - CLIP.ln()) / 3.0).abs() < 1e-9);
    // Top bin: two fractions of 1, one right; the bin up to ½ holds the tie, half right.
    assert_eq!((e.reliability[9].n, e.reliability[9].share_true), (2, Some(0.5)));
    assert_eq!((e.reliability[4].n, e.reliability[4].share_true), (1, Some(0.5)));
    assert!((e.ece.unwrap() - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn several_answers_on_paper() {
    let rows: &[(&str, &str, &[&str])] = &[
        ("1", "a", &["arms", "bar"]),
        ("1", "b", &["arms"]),
        ("1", "c", &["arms"]),
        ("2", "a", &["arms"]),
        ("2", "b", &[]),
    ];
    let e = &evaluate_rows(QuestionKind::Multiple, rows, &truth_of(&[("1", "arms"), ("2", "arms")]))[0];
    assert_eq!((e.n, e.n_correct, e.n_ties, e.accuracy_random_ties), (2, 1, 1, Some(0.75)));
    // Subject 1: (0² + ⅓²)/2; subject 2: (½² + 0²)/2.
    assert!((e.brier.unwrap() - (1.0 / 18.0 + 1.0 / 8.0) / 2.0).abs() < 1e-12);
}

#[test]
fn a_truth_about_other_answers_judges_nothing() {
    let rows: &[(&str, &str, &[&str])] = &[("1", "a", &["yes"])];
    assert!(evaluate_rows(QuestionKind::Single, rows, &truth_of(&[("1", "galaxy")])).is_empty());
    assert!(evaluate_rows(QuestionKind::Single, rows, &Truth::default()).is_empty());
    // An answer that nobody ever gave is a wrong answer, where the truth speaks of the question at all.
    let e = evaluate_rows(
        QuestionKind::Single,
        &[("1", "a", &["yes"]), ("2", "a", &["yes"])],
        &truth_of(&[("1", "maybe"), ("2", "yes")]),
    );
    assert_eq!((e[0].n, e[0].n_correct, e[0].brier), (2, 1, Some(1.0)));
    assert!(evaluate(&Votes::default(), &Consensus::default(), &Truth::default(), 1.0).is_err());
}

/// Votes and truth of a set in /work/shared/data/crowd; none where it is absent.
fn load(name: &str) -> Option<(Votes, Truth)> {
    let read =
        |file: &str| std::fs::read_to_string(format!("/work/shared/data/crowd/{name}/{file}.csv"));
    let (Ok(labels), Ok(truths)) = (read("labels"), read("truth")) else {
        println!("skipped: {name} is not here");
        return None;
    };
    let mut builder = VotesBuilder::default();
    for (id, line) in labels.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let c = builder.classification("", fields[0], fields[1], None, &id.to_string());
        builder.vote(c, "T0", QuestionKind::Single, Some(fields[2]));
    }
    let mut truth = Truth::default();
    for line in truths.lines().skip(1) {
        let (subject, answer) = line.split_once(',').unwrap();
        truth.add("T0", subject, answer);
    }
    Some((builder.finish(), truth))
}

#[test]
fn real_sets_give_the_accuracies_measured_before() {
    // specs/crowd.md, section 4.1: the vote with ties by lowest label, and with ties drawn at random. Sets
    // hold repeats, and the reference counts them.
    for (name, lowest, random) in [
        ("bluebirds", 0.7593, None),
        ("cf", 0.9000, Some(0.8822)),
        ("rte", 0.9187, Some(0.8969)),
        ("web", 0.7765, Some(0.7307)),
        ("sp_amt", 0.9440, None),
        ("temp", 0.9394, None),
        ("dog", 0.8178, None),
        ("labelme", 0.7690, None),
    ] {
        let Some((votes, truth)) = load(name) else { continue };
        let counted = counted(&votes, Repeats::All);
        let consensus = fraction(&votes, &counted, None, &FractionParams::default()).unwrap();
        let e = &evaluate(&votes, &consensus, &truth, 0.95).unwrap()[0];
        println!(
            "{name}: {} of {}, {} ties, random {:.4}; lowest {lowest}, random {random:?}",
            e.n_correct,
            e.n,
            e.n_ties,
            e.accuracy_random_ties.unwrap()
        );
        let got = e.accuracy_random_ties.unwrap();
        if let Some(random) = random {
            assert!((got - random).abs() < 6e-5, "{name}: {got} {random}");
        }
        // Whatever label order does with the ties lies between all wrong and all right.
        let (least, most) = (e.n_correct as f64, (e.n_correct + e.n_ties) as f64);
        let n = e.n as f64;
        assert!(least / n <= lowest + 6e-5 && lowest <= most / n + 6e-5, "{name}: {e:?}");
        assert!(e.accuracy.unwrap() <= got);
    }
}

#[test]
fn a_calibrated_crowd_is_found_calibrated() {
    // One volunteer who is always right: fractions of 1, all true.
    let rows: Vec<(String, Vec<&str>)> = (0..50).map(|s| (s.to_string(), vec!["yes"])).collect();
    let rows: Vec<(&str, &str, &[&str])> =
        rows.iter().map(|(s, a)| (s.as_str(), "a", a.as_slice())).collect();
    let names: Vec<(&str, &str)> = rows.iter().map(|r| (r.0, "yes")).collect();
    let e = &evaluate_rows(QuestionKind::Single, &rows, &truth_of(&names))[0];
    assert_eq!((e.accuracy, e.ece, e.brier, e.log_loss), (Some(1.0), Some(0.0), Some(0.0), Some(0.0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scores_stay_in_their_bounds(seed in 0..500_u64, n_classes in 2..5_u32, skill in 0.3..0.95_f64) {
        let params = crate::CrowdParams {
            n_subjects: 60, n_classes, skill, seed, votes_per_subject: 4.0, min_votes: 1, max_votes: 8,
            ..crate::CrowdParams::default()
        };
        let crowd = crate::simulate(&params).unwrap();
        let votes = crowd.to_votes();
        let counted = counted(&votes, Repeats::First);
        let consensus = fraction(&votes, &counted, None, &FractionParams::default()).unwrap();
        let e = &evaluate(&votes, &consensus, &crowd.truth(), 0.95).unwrap()[0];
        prop_assert_eq!(e.n, 60);
        prop_assert!(e.accuracy.unwrap() <= e.accuracy_random_ties.unwrap() + 1e-12);
        prop_assert!((0.0..=2.0).contains(&e.brier.unwrap()) && (0.0..=1.0).contains(&e.ece.unwrap()));
        prop_assert!(e.log_loss.unwrap() >= 0.0);
        prop_assert_eq!(e.classes.iter().map(|c| c.n_true).sum::<u64>(), 60);
        prop_assert_eq!(e.reliability.iter().map(|b| b.n).sum::<u64>(), 60);
        prop_assert_eq!(e.classes.iter().map(|c| c.n_both).sum::<u64>(), e.n_correct);
    }
}
