use std::collections::BTreeMap;

use super::*;

/// All volunteers alike, so that P("real") is `p` for every vote on a real subject.
fn even(p_real: f64) -> CampaignParams {
    CampaignParams {
        hours: 100.0,
        hours_after: 100.0,
        subjects_per_hour: 60.0,
        share_real: 0.5,
        votes_per_hour: 1_500.0,
        skill: Skill { p_real, p_bogus: 0.3, volunteer_sd: 0.0, subject_sd: 0.0 },
        ..CampaignParams::default()
    }
}

/// P(alert | p) of eight of at least four fifths within fourteen, and the votes at the alert on average.
fn closed_form(p: f64) -> (f64, f64) {
    let q = 1.0 - p;
    let [a, b, c] = [1.0, 8.0 * q, 36.0 * q * q];
    (p.powi(8) * (a + b + c), (8.0 * a + 9.0 * b + 10.0 * c) / (a + b + c))
}

#[test]
fn the_closed_form_is_the_table_of_the_specification() {
    for (p, alert, n) in
        [(0.5, 0.0547, 9.57), (0.8, 0.6778, 9.11), (0.9, 0.9298, 8.70), (0.95, 0.9885, 8.39)]
    {
        let found = closed_form(p);
        assert!((found.0 - alert).abs() < 5e-5 && (found.1 - n).abs() < 5e-3, "{p}: {found:?}");
    }
}

#[test]
fn alerts_are_as_many_as_the_closed_form_says() {
    for p in [0.6, 0.8, 0.9] {
        let run = campaign(&even(p), &mut Threshold::kilonova_seekers()).unwrap();
        let figures = run.figures(0.95);
        assert!(figures.n_open == 0 && figures.n_subjects > 5_000, "{figures:?}");
        let (expected, _) = closed_form(p);
        let missed = figures.missed.unwrap();
        let sd = (expected * (1.0 - expected) / missed.n as f64).sqrt();
        assert!((1.0 - missed.value - expected).abs() < 4.0 * sd, "{p}: {missed:?} for {expected}");
        let (expected, _) = closed_form(0.3);
        let alerts = figures.false_alerts.unwrap();
        let sd = (expected * (1.0 - expected) / alerts.n as f64).sqrt();
        assert!((alerts.value - expected).abs() < 4.0 * sd, "{alerts:?} for {expected}");
        let real: Vec<f64> =
            run.fates.iter().filter(|f| f.is_real).filter_map(|f| f.n_at_alert.map(f64::from)).collect();
        let mean = real.iter().sum::<f64>() / real.len() as f64;
        let (_, expected) = closed_form(p);
        assert!(
            (mean - expected).abs() < 4.0 * 0.9 / (real.len() as f64).sqrt(),
            "{p}: {mean} for {expected}"
        );
        assert!(run.fates.iter().all(|f| f.n_votes - f.n_late == 14), "each is retired at fourteen");
    }
}

#[test]
fn a_mutant_that_needs_more_than_four_fifths_is_caught() {
    let run = campaign(&even(0.8), &mut Threshold::new(8, (81, 100), 14)).unwrap();
    let (expected, _) = closed_form(0.8);
    let missed = run.figures(0.95).missed.unwrap();
    let sd = (expected * (1.0 - expected) / missed.n as f64).sqrt();
    assert!((1.0 - missed.value - expected).abs() > 4.5 * sd, "{missed:?}");
}

#[test]
fn intervals_of_a_campaign_cover_the_closed_form() {
    let (alert, _) = closed_form(0.8);
    let covered = (0..60)
        .filter(|seed| {
            let params = CampaignParams { seed: *seed, hours: 20.0, hours_after: 60.0, ..even(0.8) };
            let run = campaign(&params, &mut Threshold::kilonova_seekers()).unwrap();
            let missed = run.figures(0.95).missed.unwrap();
            missed.low <= 1.0 - alert && 1.0 - alert <= missed.high
        })
        .count();
    assert!(covered >= 52, "{covered} of 60");
}

#[test]
fn a_desk_against_itself_differs_in_nothing() {
    let params = CampaignParams { hours: 24.0, ..CampaignParams::default() };
    let [mut a, mut b] = [Threshold::kilonova_seekers(), Threshold::kilonova_seekers()];
    let found = compare(&params, &mut a, &mut b).unwrap();
    assert_eq!(found.first, found.second);
    for difference in [found.hours_to_alert, found.votes_per_subject, found.false_alerts] {
        let d = difference.unwrap();
        assert_eq!((d.value, d.low, d.high), (0.0, 0.0, 0.0));
    }
    let again = compare(&params, &mut Threshold::kilonova_seekers(), &mut Threshold::kilonova_seekers());
    assert_eq!(again.unwrap(), found, "the same seed gives the same campaign");
    let other = CampaignParams { seed: 2, ..params };
    assert_ne!(
        campaign(&other, &mut a.clone()),
        campaign(&params_again(), &mut Threshold::kilonova_seekers())
    );
}

fn params_again() -> CampaignParams {
    CampaignParams { hours: 24.0, ..CampaignParams::default() }
}

#[test]
fn a_laxer_rule_is_faster_and_raises_more_false_alerts() {
    let params = CampaignParams { hours: 96.0, share_real: 0.3, ..CampaignParams::default() };
    let found = compare(&params, &mut Threshold::kilonova_seekers(), &mut Threshold::new(5, (4, 5), 14))
        .unwrap();
    let [hours, alerts, missed] =
        [found.hours_to_alert, found.false_alerts, found.missed].map(|d| d.expect("a difference"));
    assert!(hours.high < 0.0, "faster: {hours:?}");
    assert!(alerts.low > 0.0 && missed.high < 0.0, "{alerts:?} {missed:?}");
    // The same votes are asked for, but for those on the way.
    assert!(found.votes_per_subject.unwrap().value.abs() < 0.05);
    // The same real subject is never alerted later: the five come before the eight.
    assert!(
        hours.low <= hours.value && hours.value <= hours.high && found.first.hours_to_alert.is_some()
    );
}

#[test]
fn fewer_votes_per_subject_save_votes() {
    // More subjects than volunteers can follow, so that a backlog builds up and is worked off later.
    let params =
        CampaignParams { subjects_per_hour: 50.0, hours_after: 72.0, ..CampaignParams::default() };
    let [mut long, mut short] = [Threshold::kilonova_seekers(), Threshold::new(8, (4, 5), 10)];
    let found = compare(&params, &mut long, &mut short).unwrap();
    let votes = found.votes_per_subject.unwrap();
    assert!(votes.high < -3.0, "{votes:?}");
    assert!(found.second.n_open == 0 && found.second.n_votes < found.first.n_votes, "{found:?}");
    assert!(found.second.n_idle > found.first.n_idle);
    // Alerts hardly come sooner: fewest votes first gives new subjects their eighth vote before old ones
    // their fourteenth, under either rule.
    let hours = found.hours_to_alert.unwrap();
    assert!(hours.value <= 0.0 && hours.low > -2.0, "{hours:?}");
}

/// Common random numbers: the difference of two rules varies far less over seeds than with crowds of their own.
#[test]
fn the_same_crowd_makes_differences_sharp() {
    let of = |seed: u64, positive: u32| {
        let params = CampaignParams { hours: 12.0, share_real: 0.5, seed, ..CampaignParams::default() };
        let run = campaign(&params, &mut Threshold::new(positive, (4, 5), 14)).unwrap();
        run.figures(0.95).missed.unwrap().value
    };
    let variance = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
    };
    let same: Vec<f64> = (0..25).map(|seed| of(seed, 7) - of(seed, 8)).collect();
    let own: Vec<f64> = (0..25).map(|seed| of(seed, 7) - of(seed + 1_000, 8)).collect();
    assert!(variance(&same) < variance(&own) / 3.0, "{} {}", variance(&same), variance(&own));
}

/// What the desk is told: each volunteer once per subject, in order of time, answers of both kinds, at hours
/// of the day as asked for.
#[derive(Default)]
struct Recorder {
    votes: Vec<(String, String, usize, i64)>,
}

impl Desk for Recorder {
    fn vote(&mut self, subject: &str, volunteer: &str, answer: usize, at_ms: i64) -> Vec<Decision> {
        self.votes.push((subject.to_owned(), volunteer.to_owned(), answer, at_ms));
        Vec::new()
    }
}

#[test]
fn the_crowd_is_as_described() {
    let mut by_hour = [0.0; 24];
    (by_hour[20], by_hour[21]) = (3.0, 1.0);
    let start_ms = 1_795_900_000_000;
    let params = CampaignParams {
        hours: 240.0,
        hours_after: 0.0,
        by_hour,
        start_ms,
        ..CampaignParams::default()
    };
    let mut desk = Recorder::default();
    let run = campaign(&params, &mut desk).unwrap();
    let votes = &desk.votes;
    assert!(votes.windows(2).all(|w| w[0].3 <= w[1].3), "in order of time");
    let mut pairs: Vec<(&str, &str)> = votes.iter().map(|v| (v.0.as_str(), v.1.as_str())).collect();
    pairs.sort_unstable();
    assert!(pairs.windows(2).all(|w| w[0] != w[1]), "nobody gets a subject twice");
    // 240 hours of 600 votes, but for moments with nothing to show.
    let n = votes.len() as f64 + run.n_idle as f64;
    assert!((n / 144_000.0 - 1.0).abs() < 0.02, "{n}");
    let at = |hour: i64| votes.iter().filter(|v| v.3 / 3_600_000 % 24 == hour).count() as f64;
    assert!((at(20) / (at(21) + at(22)) - 3.0).abs() < 0.3, "{} {}", at(20), at(21));
    assert!(at(12) < 20.0, "late ones only: {}", at(12));
    let mut by_volunteer: BTreeMap<&str, u64> = BTreeMap::new();
    votes.iter().for_each(|v| *by_volunteer.entry(&v.1).or_default() += 1);
    let counts: Vec<u64> = by_volunteer.values().copied().collect();
    let activity = volary_crowd::activity::activity_of(&counts);
    // A log-normal with σ = 1.5 has a Gini coefficient of erf(σ/2) = 0.711.
    let gini = activity.gini.unwrap();
    assert!((gini - 0.711).abs() < 0.08, "{gini}");
    assert!(run.fates.iter().all(|f| !f.is_closed()) && run.figures(0.95).missed.is_none());
}

#[test]
fn settings_that_are_none_are_refused() {
    let usual = CampaignParams::default();
    for params in [
        CampaignParams { hours: 0.0, ..usual.clone() },
        CampaignParams { hours_after: -1.0, ..usual.clone() },
        CampaignParams { subjects_per_hour: f64::NAN, ..usual.clone() },
        CampaignParams { share_real: 1.1, ..usual.clone() },
        CampaignParams { n_volunteers: 0, ..usual.clone() },
        CampaignParams { votes_per_hour: f64::INFINITY, ..usual.clone() },
        CampaignParams { by_hour: [0.0; 24], ..usual.clone() },
        CampaignParams { level: 1.0, ..usual.clone() },
        CampaignParams { delay_median_s: 0.0, ..usual.clone() },
        CampaignParams { skill: Skill { p_real: -0.1, ..Skill::default() }, ..usual.clone() },
        CampaignParams { hours: 1e9, ..usual.clone() },
    ] {
        assert!(campaign(&params, &mut Recorder::default()).is_err(), "{params:?}");
    }
    let none = CampaignParams { hours: 1e-9, hours_after: 0.0, ..usual };
    let run = campaign(&none, &mut Recorder::default()).unwrap();
    assert_eq!((run.fates.len(), run.figures(0.95).hours_to_alert), (0, None));
}
