use super::*;
use crate::repeats::{Repeats, counted};
use proptest::prelude::*;
use volary_core::votes::VotesBuilder;

/// Votes on one question: (subject, volunteer, answers); no answers is a blank.
fn votes_of(kind: QuestionKind, rows: &[(&str, &str, &[&str])]) -> Votes {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answers)) in rows.iter().enumerate() {
        let c = builder.classification("w", subject, volunteer, Some(id as i64), &id.to_string());
        for answer in *answers {
            builder.vote(c, "T0", kind, Some(answer));
        }
        if answers.is_empty() {
            builder.vote(c, "T0", kind, None);
        }
    }
    builder.finish()
}

fn plain(votes: &Votes) -> Consensus {
    fraction(votes, &counted(votes, Repeats::First), None, &FractionParams::default()).unwrap()
}

#[test]
fn one_answer_is_a_share_of_those_who_answered() {
    let votes = votes_of(
        QuestionKind::Single,
        &[
            ("1", "a", &["yes"]),
            ("1", "b", &["yes"]),
            ("1", "c", &["no"]),
            ("1", "d", &[]),
            ("2", "a", &["yes"]),
            ("2", "b", &["no"]),
            ("3", "a", &[]),
        ],
    );
    let consensus = plain(&votes);
    let [first, second, third] = &consensus.items[..] else { panic!() };
    assert_eq!((first.n_seen, first.n_answered, &first.outcome), (4, 3, &Outcome::Agreed(vec![1])));
    let rows = consensus.answers_of(first);
    assert_eq!(rows.iter().map(|r| r.n_votes).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rows[1].fraction, 2.0 / 3.0);
    assert_eq!(rows[1].interval, jeffreys(2.0, 3.0, 0.95));
    assert_eq!((first.agreement, first.agreement_interval), (Some(2.0 / 3.0), Some(rows[1].interval)));
    assert!((first.entropy_bits - entropy_bits([1.0, 2.0].into_iter())).abs() < 1e-12);
    assert_eq!((&second.outcome, second.entropy_bits), (&Outcome::Undetermined, 1.0));
    assert_eq!(
        (&third.outcome, third.agreement, third.agreement_interval),
        (&Outcome::Nobody, None, None)
    );
    // Every answer of a closed list has a row, also where nobody gave it.
    let rows = consensus.answers_of(third);
    assert_eq!((rows.len(), rows[0].fraction, rows[0].interval), (2, 0.0, Interval::WHOLE));
}

#[test]
fn several_answers_are_shares_of_those_who_saw() {
    let votes = votes_of(
        QuestionKind::Multiple,
        &[
            ("1", "a", &["arms", "bar"]),
            ("1", "b", &["arms", "arms"]),
            ("1", "c", &[]),
            ("2", "a", &["arms"]),
            ("2", "b", &[]),
            ("3", "a", &[]),
        ],
    );
    let consensus = plain(&votes);
    let [first, second, third] = &consensus.items[..] else { panic!() };
    let rows = consensus.answers_of(first);
    assert_eq!(rows.iter().map(|r| r.n_votes).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(rows.iter().map(|r| r.fraction).collect::<Vec<_>>(), [2.0 / 3.0, 1.0 / 3.0]);
    assert_eq!((first.n_seen, first.n_answered, &first.outcome), (3, 2, &Outcome::Agreed(vec![0])));
    assert!((first.agreement.unwrap() - 2.0 / 3.0).abs() < 1e-15 && first.agreement_interval.is_none());
    assert_eq!(second.outcome, Outcome::Undetermined);
    assert_eq!(third.outcome, Outcome::Agreed(Vec::new()));
}

#[test]
fn open_lists_have_rows_for_what_was_given() {
    let votes = votes_of(
        QuestionKind::Survey,
        &[("1", "a", &["lion"]), ("1", "b", &["lion"]), ("2", "a", &["gnu"])],
    );
    let consensus = plain(&votes);
    assert_eq!(
        consensus.answers.iter().map(|r| (r.answer, r.n_votes)).collect::<Vec<_>>(),
        [(1, 2), (0, 1)]
    );
}

#[test]
fn repeats_count_once() {
    let votes = votes_of(
        QuestionKind::Single,
        &[("1", "a", &["no"]), ("1", "a", &["yes"]), ("1", "a", &["yes"]), ("1", "b", &["yes"])],
    );
    let with = |rule| {
        let consensus =
            fraction(&votes, &counted(&votes, rule), None, &FractionParams::default()).unwrap();
        (consensus.items[0].n_seen, consensus.answers.iter().map(|r| r.n_votes).collect::<Vec<_>>())
    };
    assert_eq!(with(Repeats::First), (2, vec![1, 1]));
    assert_eq!(with(Repeats::Last), (2, vec![0, 2]));
    assert_eq!(with(Repeats::All), (4, vec![1, 3]));
}

#[test]
fn weights_move_the_share_and_widen_the_interval() {
    let votes = votes_of(
        QuestionKind::Single,
        &[("1", "a", &["yes"]), ("1", "b", &["no"]), ("1", "c", &["no"]), ("1", "d", &[])],
    );
    let counted = counted(&votes, Repeats::First);
    let weights = Weights { per_classification: vec![2.0, 1.0, 1.0, 5.0] };
    let params = FractionParams::new(IntervalKind::Wilson, 0.9).unwrap();
    let consensus = fraction(&votes, &counted, Some(&weights), &params).unwrap();
    let item = &consensus.items[0];
    // 2 against 1 + 1 is a tie; (Σw)²/Σw² = 16/6 of those who answered.
    assert_eq!(item.outcome, Outcome::Undetermined);
    assert_eq!(item.weight_seen, 9.0);
    assert!((item.n_effective - 16.0 / 6.0).abs() < 1e-12);
    let yes = consensus.answers_of(item)[1];
    assert_eq!((yes.n_votes, yes.weight, yes.fraction), (1, 2.0, 0.5));
    let expected = wilson(8.0 / 6.0, 16.0 / 6.0, 0.9);
    assert!((yes.interval.low - expected.low).abs() < 1e-12, "{yes:?} {expected:?}");
    let zero = Weights { per_classification: vec![1.0, 0.0, 1.0, 1.0] };
    assert!(fraction(&votes, &counted, Some(&zero), &params).is_err());
    let short = Weights { per_classification: vec![1.0] };
    assert!(fraction(&votes, &counted, Some(&short), &params).is_err());
}

#[test]
fn details_are_shares_of_those_who_were_asked() {
    let mut builder = VotesBuilder::default();
    for (volunteer, choice, count) in
        [("a", "lion", Some("2")), ("b", "lion", None), ("c", "gnu", Some("9"))]
    {
        let c = builder.classification("w", "1", volunteer, None, volunteer);
        builder.vote(c, "T0", QuestionKind::Survey, Some(choice));
        builder.vote(c, &format!("T0/{choice}/HOWMANY"), QuestionKind::Detail, count);
    }
    let votes = builder.finish();
    let consensus = plain(&votes);
    let at = votes.questions.iter().position(|q| q.task == "T0/lion/HOWMANY").unwrap();
    let item = consensus.find(at as u32, 0).unwrap();
    assert_eq!((item.n_seen, item.n_answered), (2, 1));
    assert_eq!(consensus.answers_of(item)[0].fraction, 0.5);
}

#[test]
fn priors_shrink_and_make_beta_binomial_intervals() {
    let crowd = crate::simulate(&crate::CrowdParams::default()).unwrap();
    let votes = crowd.to_votes();
    let counted = counted(&votes, Repeats::First);
    let params = FractionParams::new(IntervalKind::BetaBinomial, 0.9).unwrap();
    let consensus = fraction(&votes, &counted, None, &params).unwrap();
    assert_eq!(consensus.priors.len(), 2);
    let item = &consensus.items[17];
    let prior = consensus.priors[1].fit.unwrap();
    let row = consensus.answers_of(item)[1];
    let (k, n) = (f64::from(row.n_votes), f64::from(item.n_answered));
    assert_eq!(row.interval, prior.posterior_interval(k, n, 0.9));
    assert_eq!(row.shrunk, Some(prior.posterior_mean(k, n)));
    let by_hand: Vec<(u64, u64)> = consensus
        .items
        .iter()
        .map(|i| (u64::from(consensus.answers_of(i)[1].n_votes), u64::from(i.n_answered)))
        .collect();
    assert_eq!(BetaBinomial::fit(by_hand), consensus.priors[1].fit);
}

#[test]
fn zeros_of_open_lists_are_in_the_prior() {
    let rows: Vec<(String, String)> =
        (0..40).flat_map(|s| (0..3).map(move |v| (s.to_string(), format!("{v}")))).collect();
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer)) in rows.iter().enumerate() {
        let c = builder.classification("w", subject, volunteer, None, &id.to_string());
        let choice = if subject.ends_with('7') && volunteer != "0" { "lion" } else { "gnu" };
        builder.vote(c, "T0", QuestionKind::Survey, Some(choice));
    }
    let consensus = plain(&builder.finish());
    let lion = consensus.priors[1].fit.unwrap();
    assert_eq!(lion.n_subjects, 40);
    let direct = BetaBinomial::fit((0..40).map(|s| (if s % 10 == 7 { 2 } else { 0 }, 3))).unwrap();
    assert_eq!(lion, direct);
}

#[test]
fn edges() {
    assert_eq!(plain(&Votes::default()).items, []);
    let one = votes_of(QuestionKind::Single, &[("1", "a", &["yes"])]);
    let consensus = plain(&one);
    assert_eq!(consensus.items[0].outcome, Outcome::Agreed(vec![0]));
    assert_eq!((consensus.items[0].entropy_bits, consensus.items[0].entropy_sd_bits), (0.0, 0.0));
    for level in [0.0, 1.0, f64::NAN, -1.0] {
        assert!(FractionParams::new(IntervalKind::Wilson, level).is_err());
    }
    let wrong = Counted::default();
    assert!(fraction(&one, &wrong, None, &FractionParams::default()).is_err());
}

#[test]
fn a_million_votes_on_one_subject() {
    let mut votes = votes_of(QuestionKind::Single, &[("1", "a", &["yes"]), ("1", "b", &["no"])]);
    let n = 1_000_000_u32;
    votes.volunteers = vec![String::new(); n as usize];
    votes.subject = vec![0; n as usize];
    votes.workflow = vec![0; n as usize];
    votes.created_ms = vec![0; n as usize];
    votes.volunteer = (0..n).collect();
    votes.votes =
        (0..n).map(|i| Vote { classification: i, question: 0, answer: u32::from(i % 10 < 3) }).collect();
    let consensus = plain(&votes);
    let rows = consensus.answers_of(&consensus.items[0]);
    assert_eq!(rows[1].fraction, 0.3);
    assert!((rows[1].interval.width() - 2.0 * 1.96 * (0.21e-6_f64).sqrt()).abs() < 1e-6);
    assert_eq!(consensus.items[0].outcome, Outcome::Agreed(vec![0]));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let params = crate::CrowdParams { n_subjects: 6_000, n_classes: 4, ..crate::CrowdParams::default() };
    let votes = crate::simulate(&params).unwrap().to_votes();
    let counted = counted(&votes, Repeats::First);
    let weights = Weights::experience(
        &votes,
        &counted,
        &crate::ExperienceRule::Log10,
        &crate::ExperienceSource::Past,
    );
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let params = FractionParams::new(IntervalKind::BetaBinomial, 0.95).unwrap();
        pool.install(|| fraction(&votes, &counted, Some(&weights), &params).unwrap())
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn chunks_are_whole_subjects_and_lose_nothing() {
    let params = crate::CrowdParams { n_subjects: 9_000, ..crate::CrowdParams::default() };
    let votes = crate::simulate(&params).unwrap().to_votes();
    let chunks = chunks(&votes);
    assert!(chunks.len() > 3);
    assert_eq!(chunks.concat(), votes.votes);
    for pair in chunks.windows(2) {
        assert_ne!(votes.subject_of(pair[0][pair[0].len() - 1]), votes.subject_of(pair[1][0]));
    }
}

type Row = (u8, u8, Option<u8>);

fn build(rows: &[Row], label: impl Fn(u8) -> String, kind: QuestionKind) -> Votes {
    let mut builder = VotesBuilder::default();
    for (subject, volunteer, answer) in rows {
        let (subject, volunteer) = (subject.to_string(), volunteer.to_string());
        let c = builder.classification("w", &subject, &volunteer, Some(1), "7");
        builder.vote(c, "T0", kind, answer.map(&label).as_deref());
    }
    builder.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shares_obey_arithmetic(
        rows in proptest::collection::vec((0..4_u8, 0..30_u8, proptest::option::of(0..3_u8)), 1..80),
        several in any::<bool>(),
    ) {
        let kind = if several { QuestionKind::Multiple } else { QuestionKind::Single };
        let votes = build(&rows, |a| a.to_string(), kind);
        let consensus = plain(&votes);
        for item in &consensus.items {
            let rows = consensus.answers_of(item);
            let given: u32 = rows.iter().map(|r| r.n_votes).sum();
            prop_assert!(item.n_answered <= item.n_seen && given >= item.n_answered);
            let sum: f64 = rows.iter().map(|r| r.fraction).sum();
            if !several && item.n_answered > 0 {
                prop_assert!((sum - 1.0).abs() < 1e-12);
            }
            for row in rows {
                prop_assert!(row.interval.contains(row.fraction));
            }
            prop_assert!(item.agreement.is_none_or(|a| (0.0..=1.0).contains(&a)));
            prop_assert!(item.entropy_sd_bits.is_finite());
        }
    }

    #[test]
    fn equal_weights_are_no_weights(
        rows in proptest::collection::vec((0..4_u8, 0..30_u8, proptest::option::of(0..3_u8)), 1..80),
        weight in 0.1..9.0_f64,
    ) {
        let votes = build(&rows, |a| a.to_string(), QuestionKind::Single);
        let counted = counted(&votes, Repeats::First);
        let weights = Weights { per_classification: vec![weight; votes.n_classifications()] };
        let weighted = fraction(&votes, &counted, Some(&weights), &FractionParams::default()).unwrap();
        let plain = plain(&votes);
        for (a, b) in plain.answers.iter().zip(&weighted.answers) {
            prop_assert!((a.fraction - b.fraction).abs() < 1e-12);
            prop_assert!((a.interval.low - b.interval.low).abs() < 1e-9);
            prop_assert!((a.interval.high - b.interval.high).abs() < 1e-9);
        }
        for (a, b) in plain.items.iter().zip(&weighted.items) {
            prop_assert_eq!(&a.outcome, &b.outcome);
        }
    }

    #[test]
    fn other_names_permute_the_result(
        rows in proptest::collection::vec((0..4_u8, 0..30_u8, proptest::option::of(0..3_u8)), 1..60),
    ) {
        // Offer all three answers in both, so that ranks mirror exactly.
        let with = |label: &dyn Fn(u8) -> String| {
            let mut all = rows.clone();
            all.extend([(9, 0, Some(0)), (9, 1, Some(1)), (9, 2, Some(2))]);
            plain(&build(&all, label, QuestionKind::Single))
        };
        let (a, b) = (with(&|x| x.to_string()), with(&|x| (2 - x).to_string()));
        for (x, y) in a.items.iter().zip(&b.items) {
            let (xs, mut ys) = (a.answers_of(x).to_vec(), b.answers_of(y).to_vec());
            ys.reverse();
            for (x, y) in xs.iter().zip(&ys) {
                prop_assert_eq!((x.n_votes, x.interval), (y.n_votes, y.interval));
            }
            let mirror = |o: &Outcome| match o {
                Outcome::Agreed(w) => Outcome::Agreed(w.iter().map(|a| 2 - a).collect()),
                other => other.clone(),
            };
            prop_assert_eq!(&x.outcome, &mirror(&y.outcome));
        }
    }
}
