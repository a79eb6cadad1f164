use super::*;
use crate::repeats::{Repeats, counted};
use proptest::prelude::*;
use volary_core::votes::VotesBuilder;

type Row<'a> = (&'a str, &'a str, &'a [&'a str], i64);

fn rows_of(kind: QuestionKind, rule: Repeats, rows: &[Row<'_>]) -> Vec<VolunteerRow> {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answers, time)) in rows.iter().enumerate() {
        let time = (*time > 0).then_some(*time);
        let c = builder.classification("w", subject, volunteer, time, &id.to_string());
        for answer in *answers {
            builder.vote(c, "T0", kind, Some(answer));
        }
        if answers.is_empty() {
            builder.vote(c, "T0", kind, None);
        }
    }
    let votes = builder.finish();
    volunteers(&votes, &counted(&votes, rule), &FractionParams::default()).unwrap().rows
}

#[test]
fn a_volunteer_is_compared_with_the_others() {
    let rows = rows_of(
        QuestionKind::Single,
        Repeats::First,
        &[
            ("1", "ann", &["yes"], 30),
            ("1", "ben", &["yes"], 10),
            ("1", "cas", &["no"], 20),
            ("2", "ann", &["no"], 5),
            ("2", "ann", &["no"], 50),
            ("3", "ann", &[], 40),
            ("3", "ben", &["no"], 0),
        ],
    );
    let [ann, ben, cas] = &rows[..] else { panic!() };
    assert_eq!((ann.n_classifications, ann.n_repeats, ann.n_votes, ann.n_blank), (4, 1, 2, 1));
    assert_eq!((ann.first_ms, ann.last_ms), (Some(5), Some(50)));
    assert_eq!((ben.first_ms, ben.last_ms), (Some(10), Some(10)));
    // On 1, the others of ann and of ben tie; those of cas agree on yes. On 2 and 3 there is nobody else.
    assert_eq!([ann.n_compared, ben.n_compared, cas.n_compared], [0, 0, 1]);
    assert_eq!((cas.n_agree, cas.agreement, ann.agreement), (0, Some(0.0), None));
    assert_eq!(ann.agreement_interval, Interval::WHOLE);
}

#[test]
fn several_answers_are_compared_one_by_one() {
    let rows = rows_of(
        QuestionKind::Multiple,
        Repeats::First,
        &[("1", "ann", &["arms", "bar"], 1), ("1", "ben", &["arms"], 2), ("1", "cas", &["arms"], 3)],
    );
    // The others of ann: arms 2 of 2, bar 0 of 2: agrees on the first only. Those of ben: arms 2 of 2,
    // bar 1 of 2, which is no majority.
    assert_eq!(
        rows.iter().map(|r| (r.n_compared, r.n_agree)).collect::<Vec<_>>(),
        [(2, 1), (1, 1), (1, 1)]
    );
}

#[test]
fn all_of_ones_own_votes_are_taken_out() {
    let rows = rows_of(
        QuestionKind::Single,
        Repeats::All,
        &[
            ("1", "ann", &["yes"], 1),
            ("1", "ann", &["yes"], 2),
            ("1", "ann", &["no"], 3),
            ("1", "ben", &["no"], 4),
        ],
    );
    assert_eq!((rows[0].n_compared, rows[0].n_agree), (3, 1));
    assert_eq!((rows[1].n_compared, rows[1].n_agree), (1, 0));
}

#[test]
fn agreement_finds_the_skilled_and_shrinks_the_rest() {
    let params = crate::CrowdParams {
        n_subjects: 3_000,
        difficulty: 0.0,
        concentration: 8.0,
        skill: 0.8,
        ..crate::CrowdParams::default()
    };
    let crowd = crate::simulate(&params).unwrap();
    let votes = crowd.to_votes();
    let found =
        volunteers(&votes, &counted(&votes, Repeats::First), &FractionParams::default()).unwrap();
    let prior = found.prior.unwrap();
    let mut worst = 0.0_f64;
    for row in &found.rows {
        let raw = row.agreement.unwrap();
        let shrunk = row.agreement_shrunk.unwrap();
        assert!((shrunk - prior.mean()).abs() <= (raw - prior.mean()).abs() + 1e-12);
        if row.n_compared > 1000 {
            let name = &votes.volunteers[row.volunteer as usize];
            let v: usize = name[1..].parse().unwrap();
            let cells = &crowd.confusion[4 * v..4 * v + 4];
            let skill = f64::midpoint(cells[0], cells[3]);
            worst = worst.max((skill - raw).abs());
        }
    }
    // Ten votes a subject at 0.8 make the others right in 95 of 100 cases.
    assert!(worst < 0.08, "{worst}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn leaving_one_out_is_leaving_one_out(
        rows in proptest::collection::btree_map((0..4_u8, 0..6_u8), 0..3_u8, 1..24),
    ) {
        let rows: Vec<(u8, u8, u8)> = rows.into_iter().map(|((s, v), a)| (s, v, a)).collect();
        let mut builder = VotesBuilder::default();
        for (subject, volunteer, answer) in &rows {
            let c = builder.classification("w", &subject.to_string(), &volunteer.to_string(), None, "1");
            builder.vote(c, "T0", QuestionKind::Single, Some(&answer.to_string()));
        }
        let votes = builder.finish();
        let found = volunteers(&votes, &counted(&votes, Repeats::First), &FractionParams::default()).unwrap();
        for row in found.rows {
            let me: u8 = votes.volunteers[row.volunteer as usize].parse().unwrap();
            let (mut n, mut k) = (0, 0);
            for (subject, _, mine) in rows.iter().filter(|r| r.1 == me) {
                let mut counts = [0; 3];
                for (_, _, answer) in rows.iter().filter(|r| r.0 == *subject && r.1 != me) {
                    counts[*answer as usize] += 1;
                }
                let most = *counts.iter().max().unwrap();
                if most > 0 && counts.iter().filter(|c| **c == most).count() == 1 {
                    n += 1;
                    k += u64::from(counts[*mine as usize] == most);
                }
            }
            prop_assert_eq!((row.n_compared, row.n_agree), (n, k));
        }
    }
}

/// What is told one by one adds up to the rows, and names what the others say.
#[test]
fn what_is_compared_is_told_one_by_one() {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answer)) in [
        ("1", "ann", "yes"),
        ("1", "ben", "yes"),
        ("1", "cas", "no"),
        ("2", "ann", "no"),
        ("2", "ben", "no"),
    ]
    .into_iter()
    .enumerate()
    {
        let c = builder.classification("w", subject, volunteer, None, &id.to_string());
        builder.vote(c, "T0", QuestionKind::Single, Some(answer));
    }
    let votes = builder.finish();
    let counted = counted(&votes, Repeats::First);
    let told = |only: Option<u32>| -> Vec<(u32, u32, String, u32)> {
        let is_wanted = |_: u32, subject: u32| only.is_none_or(|only| subject == only);
        let parts = compare(&votes, &counted, is_wanted, Vec::new, |all, one| all.push(one)).unwrap();
        let answer = |one: &Compared| votes.questions[0].answers[one.answer as usize].clone();
        let all: Vec<Compared> = parts.into_iter().flatten().collect();
        all.iter().map(|one| (one.subject, one.volunteer, answer(one), one.n_agree)).collect()
    };
    let yes = || "yes".to_owned();
    let no = || "no".to_owned();
    // On 1 only the others of cas agree with each other; on 2 each has one other.
    assert_eq!(told(None), [(0, 2, yes(), 0), (1, 0, no(), 1), (1, 1, no(), 1)]);
    assert_eq!(told(Some(0)), [(0, 2, yes(), 0)]);
    let rows = volunteers(&votes, &counted, &FractionParams::default()).unwrap().rows;
    let sum: u64 = rows.iter().map(|r| r.n_compared).sum();
    assert_eq!(sum, told(None).len() as u64);
}
