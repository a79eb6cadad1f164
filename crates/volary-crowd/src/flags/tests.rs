use super::*;
use crate::repeats::{Repeats, counted};
use crate::{CrowdParams, Effects, SimulatedCrowd, VolunteerKind, simulate};
use rand::RngExt as _;
use volary_core::votes::{QuestionKind, VotesBuilder};

fn of(votes: &Votes) -> Vec<FlagRow> {
    flags(votes, &counted(votes, Repeats::First), &FlagParams::default())
}

fn crowd(kinds: Vec<(VolunteerKind, f64)>, seed: u64) -> SimulatedCrowd {
    let params = CrowdParams {
        n_subjects: 4_000,
        n_volunteers: 400,
        n_classes: 4,
        prevalence: vec![0.5, 0.3, 0.15, 0.05],
        activity_exponent: 0.8,
        difficulty: 0.25,
        effects: Effects { kinds, session_votes: 20.0, ..Effects::default() },
        seed,
        ..CrowdParams::default()
    };
    simulate(&params).unwrap()
}

fn number(votes: &Votes, row: &FlagRow) -> usize {
    votes.volunteers[row.volunteer as usize][1..].parse().unwrap()
}

/// The share of judged honest volunteers with any flag; `docs/src/agreement.md` gives the numbers.
#[test]
fn honest_volunteers_are_hardly_ever_flagged() {
    let honest = vec![
        (VolunteerKind::Expert, 0.10),
        (VolunteerKind::Typical, 0.70),
        (VolunteerKind::Confuser, 0.12),
        (VolunteerKind::Optimist, 0.08),
    ];
    let (mut n, mut flagged) = (0, [0; 5]);
    for seed in 0..5 {
        let votes = crowd(honest.clone(), seed).to_votes();
        for row in of(&votes).iter().filter(|r| r.n_votes >= 20) {
            n += 1;
            (0..5).for_each(|f| flagged[f] += usize::from(row.flags.contains(&Flag::ALL[f])));
        }
    }
    eprintln!("honest: {flagged:?} of {n}");
    assert!(n > 1_500, "{n}");
    assert!(flagged.iter().all(|k| *k * 100 <= n), "each at most 1 %: {flagged:?} of {n}");
}

#[test]
fn spammers_are_found() {
    let kinds = vec![(VolunteerKind::Typical, 0.85), (VolunteerKind::Spammer, 0.15)];
    let (mut n, mut found, mut honest, mut wrongly) = (0, 0, 0, 0);
    for seed in 0..4 {
        let crowd = crowd(kinds.clone(), 50 + seed);
        let votes = crowd.to_votes();
        // Those on whom there are votes enough to tell: a typical volunteer would stand out.
        let is_judged = |r: &&FlagRow| r.relation_z_typical.is_some_and(|z| z >= TYPICAL_Z);
        for row in of(&votes).iter().filter(is_judged) {
            let is_hinted = row.flags.contains(&Flag::NoRelation);
            if crowd.kind[number(&votes, row)] == VolunteerKind::Spammer {
                n += 1;
                found += usize::from(is_hinted);
            } else {
                honest += 1;
                wrongly += usize::from(is_hinted);
            }
        }
    }
    eprintln!("spammers found: {found} of {n}; honest flagged {wrongly} of {honest}");
    assert!(n > 40 && found * 100 >= n * 85, "{found} of {n}");
    assert!(wrongly * 100 <= honest * 2, "{wrongly} of {honest}");
}

/// Votes of a simulated crowd with the answers changed.
fn changed(crowd: &SimulatedCrowd, answer: &mut dyn FnMut(usize) -> (u32, i64)) -> Votes {
    let mut builder = VotesBuilder::default();
    for i in 0..crowd.n_votes() {
        let (answer, created_ms) = answer(i);
        let name = SimulatedCrowd::volunteer_name(crowd.volunteer[i]);
        let subject = crowd.subject[i].to_string();
        let c = builder.numbered_classification("", &subject, &name, Some(created_ms), i as u64);
        builder.vote(c, "T0", QuestionKind::Single, Some(&answer.to_string()));
    }
    builder.finish()
}

#[test]
fn a_copy_finds_its_original_and_nobody_else() {
    let crowd = crowd(vec![(VolunteerKind::Typical, 1.0)], 9);
    // Volunteer 1 mostly says what volunteer 0 said, where both are.
    let mut of_zero = std::collections::BTreeMap::new();
    for i in (0..crowd.n_votes()).filter(|i| crowd.volunteer[*i] == 0) {
        of_zero.insert(crowd.subject[i], crowd.answer[i]);
    }
    let rng = &mut volary_core::seed::stream(1, "copies test");
    let votes = changed(&crowd, &mut |i| {
        let copied = of_zero.get(&crowd.subject[i]).filter(|_| crowd.volunteer[i] == 1);
        let answer = match copied {
            Some(answer) if rng.random::<f64>() < 0.95 => *answer,
            _ => crowd.answer[i],
        };
        (answer, crowd.created_ms[i])
    });
    let rows = of(&votes);
    for (own, other) in [(0, 1), (1, 0)] {
        let row = rows.iter().find(|r| number(&votes, r) == own).unwrap();
        let partner = row.partner.map(|p| votes.volunteers[p as usize].clone());
        assert_eq!(partner, Some(SimulatedCrowd::volunteer_name(other)));
        assert!(row.flags.contains(&Flag::Copies), "{row:?}");
        assert!(row.partner_agreement.unwrap() > row.partner_expected.unwrap() + 0.1);
    }
    let flagged = rows.iter().filter(|r| r.flags.contains(&Flag::Copies)).count();
    assert_eq!(flagged, 2);
}

#[test]
fn haste_and_runs_are_seen() {
    let crowd = crowd(vec![(VolunteerKind::Typical, 1.0)], 11);
    let mut own = 0;
    let mut in_order = 0;
    let votes = changed(&crowd, &mut |i| match crowd.volunteer[i] {
        // Half a second a vote.
        3 => {
            own += 1;
            (crowd.answer[i], 1_700_000_000_000 + own * 500)
        }
        // First all the zeros, then all the rest: the same answers in another order of time.
        4 => {
            in_order += 1;
            let late = i64::from(crowd.answer[i]) * 1_000_000_000;
            (crowd.answer[i], 1_700_000_000_000 + late + in_order * 20_000)
        }
        _ => (crowd.answer[i], crowd.created_ms[i]),
    });
    let rows = of(&votes);
    let with = |flag| -> Vec<usize> {
        rows.iter().filter(|r| r.flags.contains(&flag)).map(|r| number(&votes, r)).collect()
    };
    assert_eq!(with(Flag::Fast), [3]);
    assert_eq!(with(Flag::LongRun), [4]);
    let fast = rows.iter().find(|r| number(&votes, r) == 3).unwrap();
    assert_eq!(fast.seconds_per_vote, Some(0.5));
}

#[test]
fn little_is_said_about_little() {
    assert!(of(&Votes::default()).is_empty());
    let mut builder = VotesBuilder::default();
    for (i, (subject, volunteer)) in [("1", "a"), ("1", "b"), ("2", "a")].into_iter().enumerate() {
        let c = builder.classification("", subject, volunteer, None, &i.to_string());
        builder.vote(c, "T0", QuestionKind::Multiple, (i != 1).then_some("x"));
    }
    let rows = of(&builder.finish());
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!((row.n_votes, row.flags.len(), row.seconds_per_vote), (1, 0, None));
        assert_eq!((row.relation_z, row.partner), (None, None));
    }
    let name = Flag::ALL.map(Flag::as_str);
    assert_eq!(name, ["no_relation", "one_answer", "long_run", "fast", "copies"]);
}

#[test]
fn threads_change_nothing() {
    let votes = crowd(VolunteerKind::mixed(), 21).to_votes();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| of(&votes))
    };
    assert_eq!(with(1), with(3));
}
