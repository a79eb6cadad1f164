use super::*;
use crate::repeats::{Repeats, counted};
use volary_core::votes::{NO_ANSWER, VotesBuilder};

fn votes(kind: QuestionKind, rows: &[(&str, &str, &[&str], Option<i64>)]) -> Votes {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answers, time)) in rows.iter().enumerate() {
        let c = builder.classification("w", subject, volunteer, *time, &id.to_string());
        if answers.is_empty() {
            builder.vote(c, "T0", kind, None);
        }
        for answer in *answers {
            builder.vote(c, "T0", kind, Some(answer));
        }
    }
    builder.finish()
}

fn spoken(poll: &Poll) -> Vec<(u32, u32)> {
    poll.ballots.iter().map(|b| (b.subject, b.answer)).collect()
}

#[test]
fn one_answer_is_one_poll_in_order_of_time() {
    let rows: &[(&str, &str, &[&str], Option<i64>)] = &[
        ("2", "ann", &["b"], Some(9)),
        ("1", "ben", &["a"], Some(3)),
        ("1", "ann", &[], Some(1)),
        ("1", "ben", &["b"], Some(8)),
    ];
    let votes = votes(QuestionKind::Single, rows);
    let polls = polls(&votes, &counted(&votes, Repeats::First));
    assert_eq!(polls.len(), 1);
    assert_eq!(spoken(&polls[0]), [(0, NO_ANSWER), (0, 0), (1, 1)]);
    assert_eq!(polls[0].labels, ["a", "b"]);
    assert!(!polls[0].is_untimed());
    let all = super::polls(&votes, &counted(&votes, Repeats::All));
    assert_eq!(spoken(&all[0]), [(0, NO_ANSWER), (0, 0), (0, 1), (1, 1)]);
}

#[test]
fn several_answers_are_a_poll_each_and_a_blank_is_a_no() {
    let rows: &[(&str, &str, &[&str], Option<i64>)] =
        &[("1", "ann", &["x", "y"], None), ("1", "ben", &[], None), ("1", "eve", &["y"], None)];
    let votes = votes(QuestionKind::Multiple, rows);
    let polls = polls(&votes, &counted(&votes, Repeats::First));
    assert_eq!(polls.len(), 2);
    assert_eq!(spoken(&polls[0]), [(0, 1), (0, 0), (0, 0)]);
    assert_eq!(spoken(&polls[1]), [(0, 1), (0, 0), (0, 1)]);
    assert_eq!(polls[0].labels, NO_YES);
    assert!(polls[0].is_untimed());
}

#[test]
fn without_times_the_order_is_by_id() {
    let mut builder = VotesBuilder::default();
    for (id, subject) in [(30, "1"), (4, "2"), (200, "1"), (5, "1")] {
        let c = builder.classification("w", subject, &id.to_string(), None, &id.to_string());
        builder.vote(c, "T0", QuestionKind::Single, Some(&id.to_string()));
    }
    let votes = builder.finish();
    let polls = polls(&votes, &counted(&votes, Repeats::First));
    let ids = polls[0].ballots.iter().map(|b| polls[0].labels[b.answer as usize].clone());
    assert_eq!(ids.collect::<Vec<_>>(), ["4", "5", "30", "200"]);
}

#[test]
fn what_is_known_and_what_is_not() {
    let rows: &[(&str, &str, &[&str], Option<i64>)] =
        &[("1", "ann", &["a"], None), ("2", "ann", &["b"], None), ("3", "ann", &["b"], None)];
    let single = votes(QuestionKind::Single, rows);
    let poll = &polls(&single, &counted(&single, Repeats::First))[0];
    let mut truth = Truth::default();
    truth.add("T0", "1", "b");
    truth.add("", "1", "a");
    truth.add("", "2", "a");
    truth.add("", "2", "b");
    truth.add("", "3", "z");
    truth.add("", "99", "a");
    truth.add("T9", "3", "a");
    let known = poll.known(&single, &truth);
    assert_eq!(known.answers, [Some(1), None, None]);
    assert_eq!((known.n_contradicting, known.n_unknown_answers, known.n_unseen), (1, 1, 1));

    let many = votes(QuestionKind::Multiple, rows);
    let poll = &polls(&many, &counted(&many, Repeats::First))[1];
    let mut truth = Truth::default();
    truth.add("T0", "1", "a");
    truth.add("T0", "2", "a");
    truth.add("T0", "2", "b");
    truth.know("T0", "3");
    assert_eq!(poll.known(&many, &truth).answers, [Some(0), Some(1), Some(0)]);
}

#[test]
fn no_votes_no_polls() {
    assert!(polls(&Votes::default(), &Counted::default()).is_empty());
    let slider = votes(QuestionKind::Slider, &[("1", "ann", &["3.5"], None)]);
    assert!(polls(&slider, &counted(&slider, Repeats::First)).is_empty());
    let silent = votes(QuestionKind::Single, &[("1", "ann", &[], None)]);
    assert!(polls(&silent, &counted(&silent, Repeats::First)).is_empty());
}
