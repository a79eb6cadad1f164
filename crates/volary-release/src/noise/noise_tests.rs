use std::fmt::Write as _;

use proptest::prelude::*;
use volary_ingest::Progress;

use super::*;
use crate::optout::OptOuts;
use crate::package::pseudonyms;
use crate::settings::{Settings, tests::EXAMPLE};

fn key() -> ReleaseKey {
    ReleaseKey::of_bytes(&[9; 32]).unwrap()
}

fn noise() -> Noise {
    Noise {
        epsilon: 1.5,
        lifetime_epsilon: 4.0,
        votes: 3,
        from: Some("2023-11-14".to_owned()),
        to: Some("2023-12-31".to_owned()),
        activity: true,
        questions: vec![QuestionBins {
            workflow: "7".to_owned(),
            task: "T0".to_owned(),
            answers: vec!["Cat".to_owned(), "Dog".to_owned(), "Neither".to_owned()],
        }],
    }
}

/// Votes out of `(volunteer, subject, answer, day)`; volunteer 0 is not logged in.
fn votes(rows: &[(u8, u8, u8, u8)]) -> Votes {
    let mut text =
        "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,kind,answer\n"
            .to_owned();
    for (i, (volunteer, subject, answer, day)) in rows.iter().enumerate() {
        let name = if *volunteer == 0 { "not-logged-in-1".to_owned() } else { format!("v{volunteer}") };
        let (volunteer, _) = volary_ingest::volunteer::key(&name);
        let time = volary_ingest::time::format_ms(1_700_000_000_000 + i64::from(*day) * 86_400_000);
        let answer = ["Cat", "Dog", "Cow"][usize::from(answer % 3)];
        writeln!(text, "{i},7,s{subject},{volunteer},{time},false,T0,single,{answer}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("votes.csv");
    std::fs::write(&path, text).unwrap();
    let settings = Settings::parse(EXAMPLE).unwrap();
    let pseudonyms = pseudonyms(&settings, &key()).unwrap();
    Votes::read(&path, &OptOuts::default(), &pseudonyms, &Progress::default()).unwrap()
}

fn of(rows: &[(u8, u8, u8, u8)]) -> Vec<Histogram> {
    histograms(&votes(rows), &noise(), &key()).unwrap()
}

/// Noise around nothing would spend the budget; that nobody gave an answer may be.
#[test]
fn a_question_that_is_not_there_is_refused_and_an_answer_that_nobody_gave_is_told() {
    let votes = votes(&[(1, 1, 0, 0), (2, 1, 1, 0), (0, 2, 1, 3)]);
    let made = |change: fn(&mut Noise)| {
        let mut noise = noise();
        change(&mut noise);
        of_votes(&votes, &noise, "1", &key())
    };
    assert_eq!(made(|_| ()).unwrap().unsaid, ["\"Neither\" of task \"T0\""]);
    // Cow stands in the list of answers of the votes, and is nobody's where nobody says it.
    let said = made(|n| n.questions[0].answers = vec!["Cat".to_owned(), "Dog".to_owned()]).unwrap();
    assert!(said.unsaid.is_empty());
    let message = made(|n| n.questions[0].task = "T9".to_owned()).unwrap_err().to_string();
    assert!(message.contains("no task \"T9\" of workflow \"7\""), "{message}");
    assert!(message.contains("there are task \"T0\" of workflow \"7\""), "{message}");
    let message = made(|n| n.questions[0].workflow.clear()).unwrap_err().to_string();
    assert!(message.contains("no task \"T0\" of workflow \"\""), "{message}");
    let message = of_votes(&Votes::default(), &noise(), "1", &key()).unwrap_err().to_string();
    assert!(message.contains("no votes"), "{message}");
}

#[test]
fn decimals_are_exact() {
    assert_eq!(Ratio::of(0.2), Some(Ratio { num: 1, den: 5 }));
    assert_eq!(Ratio::of(1.5), Some(Ratio { num: 3, den: 2 }));
    assert_eq!(Ratio::of(0.000_001), Some(Ratio { num: 1, den: 1_000_000 }));
    for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-7, 0.123_456_7, 1001.0, 1.0 / 3.0] {
        assert_eq!(Ratio::of(odd), None, "{odd}");
    }
    // Scale 5 with 1, 10 and 100 votes is an ε of 0.2, 2 and 20 (specification 6.4).
    for (votes, epsilon) in [(1, 0.2), (10, 2.0), (100, 20.0)] {
        let scale = Scale::of(votes, 1, Ratio::of(epsilon).unwrap()).unwrap();
        assert_eq!((scale.t, scale.s), (5, 1));
        assert!((scale.epsilon(votes) - epsilon).abs() < 1e-15);
    }
    assert_eq!(Scale::of(u64::MAX, 2, Ratio { num: 1, den: 1 }), None);
}

#[test]
fn half_widths_are_those_of_the_law() {
    // At ε = 1 a count has a 95 % half width of 3 (one vote a person) or 150 (fifty).
    for (votes, expected) in [(1, 3), (50, 150)] {
        let scale = Scale::of(votes, 1, Ratio { num: 1, den: 1 }).unwrap();
        assert_eq!(scale.half_width(0.95), expected);
    }
    for (t, s) in [(1, 1), (1, 5), (7, 3), (40, 1)] {
        let scale = Scale { t, s };
        let w = scale.half_width(0.95) as i64;
        let within = |w: i64| (-w..=w).map(|y| scale.chance(y)).sum::<f64>();
        assert!(within(w) >= 0.95 - 1e-12 && (w == 0 || within(w - 1) < 0.95), "{t}/{s}");
        assert!((within(20_000) - 1.0).abs() < 1e-9);
    }
}

/// Against the closed form: χ² over the middle of the law, and what is beyond it.
#[test]
fn draws_follow_the_discrete_laplace_law() {
    const N: usize = 200_000;
    for (t, s) in
        [(1, 1), (1, 3), (7, 2), (20, 1), (3_000_000_000_000_000_007, 1_000_000_000_000_000_003)]
    {
        let scale = Scale { t, s };
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let mut seen: BTreeMap<i64, f64> = BTreeMap::new();
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..N {
            let y = sampler::discrete_laplace(scale, &mut rng);
            *seen.entry(y).or_default() += 1.0;
            sum += y as f64;
            squares += (y as f64).powi(2);
        }
        let mut chi = 0.0;
        let (mut n_cells, mut rest_seen, mut rest_expected) = (0.0_f64, N as f64, N as f64);
        for y in -200..=200 {
            let expected = N as f64 * scale.chance(y);
            if expected >= 20.0 {
                let n = seen.get(&y).copied().unwrap_or(0.0);
                chi += (n - expected).powi(2) / expected;
                n_cells += 1.0;
                rest_seen -= n;
                rest_expected -= expected;
            }
        }
        chi += (rest_seen - rest_expected).powi(2) / rest_expected.max(1.0);
        // Six standard deviations of a χ² of so many degrees of freedom.
        assert!(chi < n_cells + 6.0 * (2.0 * n_cells).sqrt(), "{t}/{s}: χ² {chi} of {n_cells}");
        // Inusah & Kozubowski 2006: variance 2q / (1 − q)², fourth moment 2q (1 + 10q + q²) / (1 − q)⁴.
        let q = (-(s as f64 / t as f64)).exp();
        let variance = 2.0 * q / (1.0 - q).powi(2);
        let fourth = 2.0 * q * (1.0 + 10.0 * q + q * q) / (1.0 - q).powi(4);
        let (mean, second) = (sum / N as f64, squares / N as f64);
        let of_mean = (variance / N as f64).sqrt();
        let of_second = ((fourth - variance.powi(2)) / N as f64).sqrt();
        assert!(mean.abs() < 6.0 * of_mean, "{t}/{s}: as often above as below");
        assert!(
            (second - variance).abs() < 6.0 * of_second,
            "{t}/{s}: {second}, and {variance} is right"
        );
    }
}

/// The promise itself: whatever is published of three histograms, a person who adds as much as one may to
/// each makes it more or less likely by a factor of at most e^ε, and for the worst of it by exactly that.
#[test]
fn the_likelihood_ratio_is_at_most_e_to_the_epsilon() {
    for epsilon in [0.1, 1.0, 2.5] {
        let parts: Vec<(u64, Scale)> = [3, 1, 20]
            .map(|votes| (votes, Scale::of(votes, 3, Ratio::of(epsilon).unwrap()).unwrap()))
            .into();
        let mut worst: f64 = 0.0;
        for y in -30..=30 {
            let log_ratio: f64 = parts
                .iter()
                .map(|(votes, scale)| (scale.chance(y) / scale.chance(y + *votes as i64)).ln())
                .sum();
            assert!(log_ratio.abs() <= epsilon + 1e-9, "{epsilon}, {y}: {log_ratio}");
            worst = worst.max(log_ratio.abs());
        }
        assert!((worst - epsilon).abs() < 1e-9, "{epsilon}: {worst} at worst");
    }
}

#[test]
fn bins_are_the_teams_and_not_the_datas() {
    let of_few = of(&[(1, 1, 0, 0), (1, 2, 1, 1), (2, 1, 2, 255)]);
    let of_none = of(&[]);
    let names = |all: &[Histogram]| -> Vec<Vec<String>> {
        all.iter().map(|h| h.bins.iter().map(|(bin, _)| bin.clone()).collect()).collect()
    };
    assert_eq!(names(&of_few), names(&of_none));
    let counts = |h: &Histogram| h.bins.iter().map(|(_, n)| *n).collect::<Vec<_>>();
    // A vote of another summer, and an answer that the team did not name, count for nothing.
    assert_eq!(counts(&of_few[0]).iter().sum::<i64>(), 2);
    assert_eq!(counts(&of_few[1]), [1, 1, 0]);
    assert_eq!(counts(&of_few[2]), [2, 0, 0, 0, 0]);
    assert_eq!(of_few.iter().map(|h| h.sensitivity).collect::<Vec<_>>(), [3, 3, 1]);
    // Whoever was not logged in counts for nothing.
    assert_eq!(of(&[(0, 1, 0, 0)]), of_none);
}

#[test]
fn the_same_votes_have_the_same_noise_and_other_votes_have_other() {
    let made =
        |rows: &[(u8, u8, u8, u8)], version: &str| noisy(of(rows), &noise(), version, &key()).unwrap();
    let rows: Vec<(u8, u8, u8, u8)> = (0..60).map(|i| (1 + i % 9, i, i, i % 30)).collect();
    let (one, again) = (made(&rows, "1"), made(&rows, "1"));
    assert_eq!(one.histograms, again.histograms);
    assert_eq!(one.digest, again.digest);
    let noise_of = |made: &Noisy, rows: &[(u8, u8, u8, u8)]| -> Vec<i64> {
        let right = of(rows);
        made.histograms
            .iter()
            .zip(&right)
            .flat_map(|((h, _), right)| h.bins.iter().zip(&right.bins).map(|(a, b)| a.1 - b.1))
            .collect()
    };
    // One person less: were the noise the same, the difference of both would tell what they said.
    let fewer: Vec<(u8, u8, u8, u8)> = rows.iter().copied().filter(|row| row.0 != 1).collect();
    assert_ne!(noise_of(&made(&fewer, "1"), &fewer), noise_of(&one, &rows));
    assert_ne!(noise_of(&made(&rows, "2"), &rows), noise_of(&one, &rows));
    // Three histograms share ε = 1.5: half each, so that 3 votes have a scale of 6, and 1 has one of 2.
    let scales: Vec<Scale> = one.histograms.iter().map(|(_, scale)| *scale).collect();
    assert_eq!(scales, [Scale { t: 6, s: 1 }, Scale { t: 6, s: 1 }, Scale { t: 2, s: 1 }]);
    let spent: f64 = one.histograms.iter().map(|(h, scale)| scale.epsilon(h.sensitivity)).sum();
    assert!((spent - 1.5).abs() < 1e-12);
}

#[test]
fn a_budget_is_spent_once_and_then_it_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.toml");
    let mut ledger = Ledger::read(&path).unwrap();
    let new = |version: &str, digest: &str| Spent {
        project: "cats".to_owned(),
        version: version.to_owned(),
        digest: digest.to_owned(),
        epsilon: 1.5,
    };
    assert_eq!(ledger.spend(new("1", "a"), 4.0).unwrap(), 1.5);
    assert_eq!(ledger.spend(new("1", "a"), 4.0).unwrap(), 1.5, "the same again costs nothing");
    assert_eq!(ledger.spend(new("2", "b"), 4.0).unwrap(), 3.0);
    let message = ledger.spend(new("3", "c"), 4.0).unwrap_err().to_string();
    assert!(message.contains("3 of 4"), "{message}");
    assert_eq!(ledger.spend(Spent { project: "dogs".to_owned(), ..new("1", "d") }, 4.0).unwrap(), 1.5);
    ledger.write(&path).unwrap();
    assert_eq!(Ledger::read(&path).unwrap(), ledger);
    std::fs::write(&path, "spend = 1").unwrap();
    assert!(Ledger::read(&path).unwrap_err().to_string().contains("never begin a new one"));
}

#[test]
fn settings_that_say_no_sense() {
    let with = |change: fn(&mut Noise)| {
        let mut settings = noise();
        change(&mut settings);
        settings.check()
    };
    assert!(with(|_| ()).is_ok());
    for (change, words) in [
        ((|n| n.epsilon = 0.0) as fn(&mut Noise), "epsilon"),
        (|n| n.lifetime_epsilon = 1.0, "less than"),
        (|n| n.votes = 0, "votes"),
        (|n| n.to = None, "go together"),
        (|n| n.to = Some("2020-01-01".to_owned()), "before"),
        (|n| n.to = Some("9999-01-01".to_owned()), "fifty years"),
        (|n| n.from = Some("soon".to_owned()), "not a day"),
        (|n| n.questions[0].answers.push("Cat".to_owned()), "stands twice"),
        (
            |n| {
                (n.from, n.to, n.activity) = (None, None, false);
                n.questions.clear();
            },
            "names no histogram",
        ),
    ] {
        let message = with(change).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without any one person no histogram changes by more than is promised, however much they did.
    #[test]
    fn neighbours_differ_by_one_person_and_no_more_than_they_may(
        rows in proptest::collection::vec((0_u8..6, 0_u8..30, 0_u8..3, 0_u8..60), 0..80), gone in 1_u8..6,
    ) {
        let without: Vec<(u8, u8, u8, u8)> = rows.iter().copied().filter(|row| row.0 != gone).collect();
        for (with, without) in of(&rows).iter().zip(&of(&without)) {
            let distance: u64 =
                with.bins.iter().zip(&without.bins).map(|(a, b)| a.1.abs_diff(b.1)).sum();
            prop_assert!(distance <= with.sensitivity, "{} {}", with.name, distance);
        }
    }
}
