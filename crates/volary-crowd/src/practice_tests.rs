use rand::RngExt as _;
use volary_core::seed::stream;

use super::*;

/// Admissions to Berkeley by department, men and women, admitted and rejected: what R's `mantelhaen.test`
/// (4.4, its own example) says of them.
#[test]
fn it_is_that_of_r() {
    let departments = [
        [512, 313, 89, 19],
        [353, 207, 17, 8],
        [120, 205, 202, 391],
        [138, 279, 131, 244],
        [53, 138, 94, 299],
        [22, 351, 24, 317],
    ];
    let strata = departments.map(|[a, b, c, d]| Stratum { inside: [a, b], outside: [c, d] });
    let effect = mantel_haenszel(strata, 0.95).unwrap();
    assert_eq!((effect.n_strata, effect.n_inside + effect.n_outside), (6, 4526));
    let near = |ours: f64, theirs: f64| assert!((ours - theirs).abs() < 1e-6, "{ours}, R {theirs}");
    near(effect.odds_ratio, 0.904_696_8);
    near(effect.odds_ratio_interval.low, 0.771_907_4);
    near(effect.odds_ratio_interval.high, 1.060_329_8);
    // Put together men seem preferred: 1.84. Department by department they are not (Bickel et al. 1975).
    let all = strata.iter().fold(Stratum::default(), |mut sum, s| {
        for i in 0..2 {
            sum.inside[i] += s.inside[i];
            sum.outside[i] += s.outside[i];
        }
        sum
    });
    assert!(mantel_haenszel([all], 0.95).unwrap().odds_ratio > 1.8);
}

#[test]
fn one_stratum_is_the_plain_table() {
    let effect = mantel_haenszel([Stratum { inside: [30, 10], outside: [20, 20] }], 0.95).unwrap();
    assert!((effect.odds_ratio - 3.0).abs() < 1e-12);
    assert!((effect.difference - 0.25).abs() < 1e-12);
    // Woolf's: the standard error of a log odds ratio is the root of the sum of 1/n.
    let woolf = (1.0_f64 / 30.0 + 0.1 + 0.05 + 0.05).sqrt();
    let high = 3.0 * (1.959_963_985 * woolf).exp();
    assert!((effect.odds_ratio_interval.high - high).abs() < 1e-6);
    // Nothing to compare, and nobody wrong.
    for none in [
        Stratum { inside: [5, 5], outside: [0, 0] },
        Stratum { inside: [5, 0], outside: [5, 0] },
        Stratum::default(),
    ] {
        assert_eq!(mantel_haenszel([none], 0.95), None);
    }
}

/// People of different skill, the better ones staying longer; being right moves by `learning` points once they
/// are experienced, `tiring` late in a session, `told` after feedback.
fn crowd(seed: u64, learning: f64, tiring: f64, told: f64) -> Vec<JudgedVote> {
    let mut rng = stream(seed, "practice test");
    let mut all = Vec::new();
    for volunteer in 0..120_u32 {
        let skill = 0.55 + 0.3 * rng.random::<f64>();
        // Who is good stays.
        let n = (40.0 + 600.0 * (skill - 0.55)) as u32;
        let mut since_feedback = None;
        for n_before in 0..n {
            let session_minutes = n_before % 60;
            since_feedback = since_feedback.map(|n: u32| n + 1);
            let is_late = session_minutes >= 30;
            let p = skill
                + if n_before >= 50 { learning } else { 0.0 }
                + if is_late { tiring } else { 0.0 }
                + if since_feedback.is_some_and(|n| n <= 5) { told } else { 0.0 };
            let is_right = rng.random::<f64>() < p;
            let n_before_in_session = session_minutes;
            all.push(JudgedVote {
                volunteer,
                is_right,
                n_before,
                session_minutes,
                n_before_in_session,
                since_feedback,
            });
            if rng.random_range(0..12) == 0 {
                since_feedback = Some(0);
            }
        }
    }
    all
}

#[test]
fn what_was_planted_is_found_and_nothing_where_nothing_was() {
    let params = PracticeParams::default();
    let (mut n_false, mut n_covered, mut n_naive) = ([0; 3], 0, 0);
    for seed in 0..200 {
        let none = practice(&crowd(seed, 0.0, 0.0, 0.0), &params).unwrap();
        for (n, effect) in n_false.iter_mut().zip([none.learning, none.tiring, none.feedback]) {
            *n += u32::from(effect.unwrap().p < 0.05);
        }
        let learned = crowd(seed + 1000, 0.08, 0.0, 0.0);
        let found = practice(&learned, &params).unwrap().learning.unwrap();
        let Interval { low, high } = found.difference_interval;
        n_covered += u32::from((low..=high).contains(&0.08));
        // Without each person against themselves, those who stay seem to have learned.
        let naive = learned.iter().fold(Stratum::default(), |mut sum, v| {
            let side = if v.n_before >= 50 { &mut sum.inside } else { &mut sum.outside };
            side[usize::from(!v.is_right)] += 1;
            sum
        });
        let Interval { low, high } = mantel_haenszel([naive], 0.95).unwrap().difference_interval;
        n_naive += u32::from((low..=high).contains(&0.08));
    }
    println!(
        "false alarms of 200: {n_false:?}; 0.08 in its interval: {n_covered} of 200, naive {n_naive}"
    );
    // A binomial of 200 and 0.05 is above 19 in one of a thousand.
    assert!(n_false.iter().all(|n| *n <= 19), "{n_false:?}");
    // A binomial of 200 and 0.95 is below 180 in one of a thousand.
    assert!(n_covered >= 180, "{n_covered}");
    assert!(n_naive < 150, "{n_naive}: people who stay are better, and that is no learning");
    let all = practice(&crowd(7, 0.08, -0.08, 0.06), &params).unwrap();
    let (learning, tiring, feedback) =
        (all.learning.unwrap(), all.tiring.unwrap(), all.feedback.unwrap());
    assert!(learning.difference > 0.04 && learning.p < 1e-3, "{learning:?}");
    assert!(tiring.difference < -0.04 && tiring.p < 1e-3, "{tiring:?}");
    assert!(feedback.difference > 0.02 && feedback.p < 0.05, "{feedback:?}");
    let bins = &all.by_experience;
    assert_eq!(bins.iter().map(|b| b.n).sum::<u64>(), all.n);
    assert_eq!((bins[0].from, bins[0].to, bins[1].from), (0, 10, 11));
    assert!(bins[0].against_first.is_none() && bins[2].against_first.is_some());
}

/// What is planted in a crowd that works in sessions of 10 to 110 votes, six a minute; on the scale of logits.
#[derive(Clone, Copy, Debug, Default)]
struct Planted {
    /// For each doubling of experience.
    learning: f64,
    /// For each vote of a session.
    tiring: f64,
    /// After feedback.
    told: f64,
}

fn sessions(seed: u64, planted: Planted) -> Vec<JudgedVote> {
    let mut rng = stream(seed, "practice sessions");
    let mut all = Vec::new();
    for volunteer in 0..80_u32 {
        let skill = 0.6 + 1.2 * rng.random::<f64>();
        let n_sessions = rng.random_range(1..6_u32) + if skill > 1.2 { 3 } else { 0 };
        let (mut n_before, mut since_feedback) = (0, None);
        for _ in 0..n_sessions {
            for n_before_in_session in 0..rng.random_range(10..111_u32) {
                since_feedback = since_feedback.map(|n: u32| n + 1);
                let is_fresh = since_feedback.is_some_and(|n| n <= 5);
                let x = skill
                    + planted.learning * f64::from(n_before + 1).log2()
                    + planted.tiring * f64::from(n_before_in_session)
                    + if is_fresh { planted.told } else { 0.0 };
                all.push(JudgedVote {
                    volunteer,
                    is_right: rng.random::<f64>() < 1.0 / (1.0 + (-x).exp()),
                    n_before,
                    session_minutes: n_before_in_session / 6,
                    n_before_in_session,
                    since_feedback,
                });
                n_before += 1;
                if rng.random_range(0..12) == 0 {
                    since_feedback = Some(0);
                }
            }
        }
    }
    all
}

/// Each planted by itself is found, and the two that were not planted are not.
#[test]
fn one_is_not_taken_for_the_other() {
    const N: u64 = 60;
    let params = PracticeParams { tired_after_minutes: 8, ..PracticeParams::default() };
    let worlds = [
        Planted::default(),
        Planted { learning: 0.25, ..Planted::default() },
        Planted { tiring: -0.015, ..Planted::default() },
        Planted { told: 0.5, ..Planted::default() },
        Planted { learning: 0.25, tiring: -0.015, ..Planted::default() },
    ];
    let mut found = [[0_u32; 3]; 5];
    let mut seemed = 0;
    for seed in 0..N {
        for (world, found) in worlds.iter().zip(&mut found) {
            let votes = sessions(seed, *world);
            let all = practice(&votes, &params).unwrap();
            let is_there = |e: Option<Effect>, sign: f64| {
                e.is_some_and(|e| e.p < 0.05 && e.difference * sign > 0.0)
            };
            let any = |e: Option<Effect>| is_there(e, 1.0) || is_there(e, -1.0);
            found[0] += u32::from(if world.learning > 0.0 {
                is_there(all.learning, 1.0)
            } else {
                any(all.learning)
            });
            found[1] +=
                u32::from(if world.tiring < 0.0 { is_there(all.tiring, -1.0) } else { any(all.tiring) });
            found[2] += u32::from(if world.told > 0.0 {
                is_there(all.feedback, 1.0)
            } else {
                any(all.feedback)
            });
            if world.tiring < 0.0 && world.learning == 0.0 {
                // What it was before: people against themselves within ten minutes of a session.
                let state = |v: &JudgedVote| v.n_before >= 50;
                let stratum = |v: &JudgedVote| (v.volunteer, v.session_minutes / 10);
                seemed +=
                    u32::from(of_state(&votes, &state, &stratum, 0.95).is_some_and(|e| e.p < 0.05));
            }
        }
    }
    println!(
        "of {N} (learning, tiring, feedback): none {:?}, learning {:?}, tiring {:?}, feedback {:?}, learning and tiring {:?}; learning where people only tire, in bins of ten minutes: {seemed}",
        found[0], found[1], found[2], found[3], found[4]
    );
    // A binomial of 60 and 0.05 is above 9 in one of a thousand.
    let is_planted = [
        [false; 3],
        [true, false, false],
        [false, true, false],
        [false, false, true],
        [true, true, false],
    ];
    for (found, is_planted) in found.iter().zip(is_planted) {
        for (n, is_planted) in found.iter().zip(is_planted) {
            assert!(if is_planted { *n >= 48 } else { *n <= 9 }, "{found:?}");
        }
    }
    assert!(seemed >= 20, "the old way was no worse: {seemed}");
}

/// What is planted in odds differs in points from person to person; the interval holds the mean of these differences.
#[test]
fn the_interval_holds_what_odds_are_in_points() {
    const BETTER: f64 = 0.5;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut n_covered = 0;
    for seed in 0..200 {
        let mut rng = stream(seed, "practice odds");
        let (mut votes, mut sum, mut weights) = (Vec::new(), 0.0, 0.0);
        for volunteer in 0..80_u32 {
            let skill = 0.3 + 2.0 * rng.random::<f64>();
            let n_votes = rng.random_range(60..300_u32);
            for n_before in 0..n_votes {
                let x = skill + if n_before >= 50 { BETTER } else { 0.0 };
                votes.push(within::Vote {
                    volunteer,
                    is_right: rng.random::<f64>() < sigmoid(x),
                    is_inside: n_before >= 50,
                });
            }
            let weight = 50.0 * f64::from(n_votes - 50) / f64::from(n_votes);
            sum += weight * (sigmoid(skill + BETTER) - sigmoid(skill));
            weights += weight;
        }
        let Interval { low, high } = within::effect(&votes, &[], 0.95).unwrap().difference_interval;
        n_covered += u32::from((low..=high).contains(&(sum / weights)));
    }
    println!("the mean difference in its interval: {n_covered} of 200");
    assert!(n_covered >= 180, "{n_covered}");
}

#[test]
fn levels_that_are_none() {
    for level in [0.0, 1.0, f64::NAN] {
        let params = PracticeParams { level, ..PracticeParams::default() };
        assert!(practice(&[], &params).is_err());
    }
    let nothing = practice(&[], &PracticeParams::default()).unwrap();
    assert_eq!((nothing.n, nothing.learning), (0, None));
}
