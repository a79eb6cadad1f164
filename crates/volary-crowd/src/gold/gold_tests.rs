use proptest::prelude::*;

use super::*;
use crate::fraction::{FractionParams, fraction};
use crate::interval::jeffreys;
use crate::repeats::{Repeats, counted};

/// `(subject, volunteer, answer)`, a minute apart; an empty answer is none.
fn votes_of(rows: &[(&str, String, &str)], kind: QuestionKind) -> Votes {
    let mut builder = VotesBuilder::default();
    for (i, (subject, volunteer, answer)) in rows.iter().enumerate() {
        let time = Some(60_000 * i as i64);
        let c = builder.classification("w", subject, volunteer, time, &i.to_string());
        builder.vote(c, "T0", kind, Some(*answer).filter(|a| !a.is_empty()));
    }
    builder.finish()
}

fn gold_of(votes: &Votes, params: &GoldParams) -> Vec<GoldItem> {
    let all = counted(votes, Repeats::First);
    let consensus = fraction(votes, &all, None, &FractionParams::default()).unwrap();
    gold(votes, &consensus, params).unwrap()
}

fn said(subject: &'static str, yes: usize, no: usize) -> Vec<(&'static str, String, &'static str)> {
    (0..yes + no).map(|i| (subject, format!("v{i}"), if i < yes { "Yes" } else { "No" })).collect()
}

#[test]
fn hard_where_the_crowd_is_sure_and_soft_elsewhere() {
    let mut rows = Vec::new();
    // 14 votes: the interval of 11 excludes one half, but 11/14 is no four fifths; of 12 both hold.
    for (subject, yes, no) in
        [("a", 14, 0), ("b", 12, 2), ("c", 11, 3), ("d", 7, 7), ("e", 1, 13), ("f", 9, 0)]
    {
        rows.extend(said(subject, yes, no));
    }
    let votes = votes_of(&rows, QuestionKind::Single);
    let items = gold_of(&votes, &GoldParams::default());
    let told: Vec<(String, Vec<&str>)> = items
        .iter()
        .map(|item| {
            let answers = &votes.questions[0].answers;
            let truths = item.truths().map(|a| answers[a.answer as usize].as_str()).collect();
            (votes.subjects[item.subject as usize].clone(), truths)
        })
        .collect();
    let expected =
        [("a", vec!["Yes"]), ("b", vec!["Yes"]), ("c", vec![]), ("d", vec![]), ("e", vec!["No"])];
    assert_eq!(told, expected.map(|(s, t)| (s.to_owned(), t)), "nine votes are too few");
    assert!(jeffreys(11.0, 14.0, 0.95).low > 0.5, "as the specification's table says");
    for item in &items {
        let is_hard = item.is_hard(QuestionKind::Single);
        assert!(item.answers.iter().all(|a| a.is_true.is_some() == is_hard), "{item:?}");
    }
}

/// Nobody chose the third answer, and it stays open all the same; of a question with several answers it is false.
#[test]
fn of_one_answer_none_is_false_where_none_is_true() {
    let truths = |kind: QuestionKind| {
        let mut builder = VotesBuilder::default();
        for i in 0..12 {
            let c = builder.classification("w", "s", &format!("v{i}"), Some(i), &i.to_string());
            builder.vote(c, "T0", kind, Some(if i < 6 { "a" } else { "b" }));
        }
        builder.offer("w", "T0", kind, "c");
        let items = gold_of(&builder.finish(), &GoldParams::default());
        items[0].answers.iter().map(|a| a.is_true).collect::<Vec<Option<bool>>>()
    };
    assert_eq!(truths(QuestionKind::Single), [None::<bool>; 3]);
    assert_eq!(truths(QuestionKind::Multiple), [None, None, Some(false)]);
}

/// Three answers that nobody gave are a label of their own: none of them.
#[test]
fn none_of_several_answers_is_a_hard_label() {
    let mut builder = VotesBuilder::default();
    for i in 0..12 {
        let c = builder.classification("w", "s", &format!("v{i}"), Some(i), &i.to_string());
        builder.vote(c, "T0", QuestionKind::Multiple, None);
    }
    builder.offer("w", "T0", QuestionKind::Multiple, "bar");
    builder.offer("w", "T0", QuestionKind::Multiple, "ring");
    let items = gold_of(&builder.finish(), &GoldParams::default());
    assert_eq!(items.len(), 1);
    assert!(items[0].is_hard(QuestionKind::Multiple) && items[0].truths().next().is_none());
    assert_eq!(items[0].answers.len(), 2);
}

#[test]
fn the_soft_label_is_the_posterior_of_the_share() {
    let items = gold_of(&votes_of(&said("a", 12, 2), QuestionKind::Single), &GoldParams::default());
    let yes = items[0].answers.iter().find(|a| a.n_votes == 12).unwrap();
    // Beta(12.5, 2.5): mean 12.5 / 15, variance 12.5 · 2.5 / (15² · 16).
    assert!((yes.p - 12.5 / 15.0).abs() < 1e-15);
    assert!((yes.sd.unwrap() - (12.5 * 2.5 / (225.0 * 16.0_f64)).sqrt()).abs() < 1e-15);
    let sum: f64 = items[0].answers.iter().map(|a| a.p).sum();
    assert!((sum - 1.0).abs() < 1e-12, "one answer is true");
}

#[test]
fn each_of_several_answers_is_a_yes_or_no_of_its_own() {
    let mut builder = VotesBuilder::default();
    for i in 0..12 {
        let c = builder.classification("w", "s", &format!("v{i}"), Some(i), &i.to_string());
        builder.vote(c, "T0", QuestionKind::Multiple, Some("bar"));
        if i < 6 {
            builder.vote(c, "T0", QuestionKind::Multiple, Some("ring"));
        }
    }
    builder.offer("w", "T0", QuestionKind::Multiple, "ghost");
    let votes = builder.finish();
    let items = gold_of(&votes, &GoldParams::default());
    let of: Vec<Option<bool>> = items[0].answers.iter().map(|a| a.is_true).collect();
    assert_eq!(votes.questions[0].answers, ["bar", "ghost", "ring"]);
    assert_eq!(of, [Some(true), Some(false), None]);
    assert!(!items[0].is_hard(QuestionKind::Multiple));
}

#[test]
fn the_first_votes_of_a_question_in_order_of_arrival() {
    let mut rows = said("a", 3, 4);
    rows.extend(said("b", 1, 1));
    rows.push(("a", "v0".to_owned(), "No"));
    let mut votes = votes_of(&rows, QuestionKind::Single);
    let all = counted(&votes, Repeats::First);
    let first = first_votes(&votes, 0, &all, Some(4));
    assert_eq!((first.n_classifications(), first.subjects.len()), (4 + 2, 2));
    let items = gold_of(&first, &GoldParams { least: 1, ..GoldParams::default() });
    let yes = |item: &GoldItem| item.answers.iter().map(|a| a.n_votes).collect::<Vec<_>>();
    assert_eq!(items.iter().map(yes).collect::<Vec<_>>(), [[1, 3], [1, 1]], "No and Yes, in this order");
    // Without a bound all that count, and an answer that only the left-out gave is still offered.
    assert_eq!(first_votes(&votes, 0, &all, None).n_classifications(), 9);
    let only = first_votes(&votes, 0, &all, Some(1));
    assert_eq!(only.questions[0].answers, ["No", "Yes"]);
    votes.questions.clear();
    votes.votes.clear();
    assert!(gold_of(&votes, &GoldParams::default()).is_empty());
}

#[test]
fn one_vote_that_differs_is_another_set_of_votes() {
    let base = said("a", 12, 2);
    let hash = |rows: &[(&str, String, &str)]| {
        gold_of(&votes_of(rows, QuestionKind::Single), &GoldParams::default())[0].vote_set.clone()
    };
    let before = hash(&base);
    let mut other = base.clone();
    other[3].2 = "No";
    assert_ne!(hash(&other), before);
    other = base.clone();
    other[3].1 = "w3".to_owned();
    assert_ne!(hash(&other), before);
    other = base.clone();
    other.pop();
    assert_ne!(hash(&other), before);
    assert_eq!(hash(&base), before);
}

#[test]
fn an_agreement_that_is_none_is_refused() {
    for agreement in [0.5, 0.0, 1.01, f64::NAN] {
        assert!(GoldParams { agreement, ..GoldParams::default() }.check().is_err(), "{agreement}");
    }
    GoldParams { agreement: 1.0, ..GoldParams::default() }.check().unwrap();
}

proptest! {
    /// Names of answers do not matter, nor does the order of the votes; and nothing is true and false.
    #[test]
    fn renaming_answers_and_turning_the_rows_round_changes_nothing(
        said in proptest::collection::vec((0_usize..3, 0_usize..3), 10..60),
    ) {
        let build = |names: [&'static str; 3], reverse: bool| {
            let mut builder = VotesBuilder::default();
            let mut rows: Vec<(usize, &(usize, usize))> = said.iter().enumerate().collect();
            if reverse {
                rows.reverse();
            }
            for (i, (subject, answer)) in rows {
                let volunteer = format!("v{i}");
                let c = builder.classification("w", &format!("s{subject}"), &volunteer, Some(i as i64), &i.to_string());
                builder.vote(c, "T0", QuestionKind::Single, Some(names[*answer]));
            }
            for name in names {
                builder.offer("w", "T0", QuestionKind::Single, name);
            }
            builder.finish()
        };
        let params = GoldParams { least: 5, ..GoldParams::default() };
        let (one, other) = (build(["a", "b", "c"], false), build(["z", "y", "x"], true));
        let (a, b) = (gold_of(&one, &params), gold_of(&other, &params));
        prop_assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            let by_votes = |item: &GoldItem, turned: bool| {
                let mut all: Vec<(u32, u32, Option<bool>, u64)> = item.answers.iter()
                    .map(|x| (if turned { 2 - x.answer } else { x.answer }, x.n_votes, x.is_true, x.p.to_bits()))
                    .collect();
                all.sort_unstable();
                all
            };
            prop_assert_eq!(by_votes(a, false), by_votes(b, true));
            prop_assert!(a.truths().count() <= 1);
            let sum: f64 = a.answers.iter().map(|x| x.p).sum();
            prop_assert!((sum - 1.0).abs() < 1e-12);
        }
    }
}
