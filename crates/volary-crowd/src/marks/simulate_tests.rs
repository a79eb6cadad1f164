use rayon::ThreadPoolBuilder;

use super::*;
use crate::marks::simulate_sky::{CADENCE_DAYS, SEGMENT_DAYS};
use crate::marks::simulate_views::{NARROWEST_DAYS, NO_SIGNAL, WIDEST_DAYS};

fn small(seed: u64) -> SimulationParams {
    SimulationParams { seed, ..SimulationParams::scaled(0.01) }
}

#[test]
fn the_sizes_are_those_that_were_asked_for() {
    let params = small(1);
    let world = simulate(&params).unwrap();
    assert_eq!(world.views.len(), 12_525);
    assert_eq!(world.views.n_rows(), 18_566);
    assert_eq!(
        (world.people.rows.len(), world.sky.subjects.len(), world.sky.stars.len()),
        (318, 1119, 33)
    );
    let simulations = world.sky.subjects.iter().filter(|s| s.simulation.is_some()).count();
    assert_eq!(simulations, 152);
    let marks = world.to_marks();
    assert_eq!((marks.n_views(), marks.n_volunteers(), marks.n_subjects()), (12_525, 318, 1119));
    assert_eq!((marks.n_marks(), marks.simulations.len()), (world.views.x_min_days.len(), 152));
    // Nobody sees a subject twice, and nobody sees nothing.
    let mut pairs: Vec<(u32, u32)> =
        (0..marks.n_views()).map(|v| (marks.view_subject[v], marks.view_volunteer[v])).collect();
    pairs.dedup();
    assert_eq!(pairs.len(), 12_525);
}

#[test]
fn one_seed_is_one_world_on_any_number_of_threads() {
    let params = small(7);
    let world = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| simulate(&params).unwrap())
    };
    assert_eq!(world(1), world(3));
    assert_ne!(simulate(&small(8)).unwrap().views, simulate(&params).unwrap().views);
}

#[test]
fn transits_obey_kepler() {
    // The Earth before the Sun: 84 ppm, 13.1 hours with its own width (Winn 2010: 13.0 without).
    let star = crate::marks::simulate_sky::Star {
        kepler_id: 1,
        radius_sun: 1.0,
        magnitude: 12.0,
        noise_ppm: 40.0,
        activity: 0.0,
        rotation_days: 25.0,
        planet: None,
    };
    let planet = |radius_earth, period_days| crate::marks::simulate_sky::Planet {
        radius_earth,
        period_days,
        transit_days: 0.0,
    };
    let earth = planet(1.0, 365.256);
    assert!((earth.depth(&star) - 84.05e-6).abs() < 0.1e-6, "{}", earth.depth(&star));
    assert!(
        (earth.duration_days(&star) * 24.0 - 13.1).abs() < 0.05,
        "{}",
        earth.duration_days(&star) * 24.0
    );
    // T grows as P^(1/3), SNR as R² √T.
    let far = planet(1.0, 8.0 * 365.256);
    assert!((far.duration_days(&star) / earth.duration_days(&star) - 2.0).abs() < 1e-3);
    assert!((far.snr(&star) / earth.snr(&star) - 2_f64.sqrt()).abs() < 1e-3);
    let hours = earth.duration_days(&star) * 24.0;
    assert!((earth.snr(&star) - 84.05 / 40.0 * (hours / 6.5).sqrt()).abs() < 0.01);
}

#[test]
fn signals_lie_in_their_segments_and_in_the_flux() {
    let world = simulate(&small(3)).unwrap();
    let sky = &world.sky;
    let table = world.signal_table(true);
    let per_simulation = table.len() as f64 / 152.0;
    assert!((1.0..1.6).contains(&per_simulation), "the paper has 1.2: {per_simulation}");
    assert!(world.signal_table(false).len() > 5);
    let mut checked = 0;
    for (at, subject) in sky.subjects.iter().enumerate() {
        let (from, star) = (sky.start_days(subject), &sky.stars[subject.star as usize]);
        for signal in sky.signals_of(at) {
            assert!(from <= signal.x_min_days && signal.x_max_days <= from + SEGMENT_DAYS);
            assert!((0.02..1.5).contains(&(signal.x_max_days - signal.x_min_days)));
            assert!(signal.seen_snr <= signal.snr);
        }
        // A deep transit of a quiet star shows in the light curve at its depth.
        let [signal, ..] = sky.signals_of(at) else { continue };
        let depth = signal.planet.depth(star);
        if subject.simulation.is_none() || signal.seen_snr < signal.snr || depth < 20.0 * star.activity {
            continue;
        }
        let (time, flux) = sky.flux(subject);
        let middle = (signal.x_min_days + signal.x_max_days) / 2.0;
        let mean = |low: f64, high: f64| {
            let inside: Vec<f64> = time
                .iter()
                .zip(&flux)
                .filter(|(t, f)| (low..=high).contains(&(*t - middle).abs()) && f.is_finite())
                .map(|(_, f)| *f)
                .collect();
            inside.iter().sum::<f64>() / inside.len() as f64
        };
        let half = (signal.x_max_days - signal.x_min_days) / 2.0;
        let seen = 1.0 - mean(0.0, 0.4 * half) / mean(1.2 * half, 2.5 * half);
        assert!((seen / depth - 1.0).abs() < 0.35, "{seen} for {depth}");
        checked += 1;
    }
    assert!(checked >= 1, "no deep transit to look at");
}

#[test]
fn light_curves_have_the_gaps_that_their_stamps_say() {
    let world = simulate(&small(4)).unwrap();
    let subject = &world.sky.subjects[0];
    let (time, flux) = world.sky.flux(subject);
    let stamps = world.sky.stamps(subject.star, subject.quarter);
    let real = time.iter().filter(|t| t.is_finite()).count() as u32;
    assert_eq!(stamps.n_with_data(f64::NEG_INFINITY, f64::INFINITY), Some(real));
    assert!(time.iter().zip(&flux).all(|(t, f)| t.is_nan() == f.is_nan()));
    assert!((3900..4290).contains(&real), "{real}");
    assert_eq!(world.sky.flux(subject).1.len(), flux.len());
    let step = time.windows(2).find(|w| w[0].is_finite() && w[1].is_finite()).map(|w| w[1] - w[0]);
    assert!((step.unwrap() - CADENCE_DAYS).abs() < 1e-9);
}

#[test]
fn the_crowd_looks_like_the_published_one() {
    let params = SimulationParams { n_rows: None, ..SimulationParams::scaled(0.1) };
    let world = simulate(&params).unwrap();
    let views = &world.views;
    let n = views.len() as f64;
    let rows = views.n_rows() as f64 / n;
    assert!((1.3..1.65).contains(&rows), "rows per classification, 1.48 in the paper: {rows}");
    let empty = (0..views.len()).filter(|&v| views.marks_of(v).is_empty()).count() as f64 / n;
    assert!((0.5..0.65).contains(&empty), "views without marks, about 0.57: {empty}");
    for (a, b) in views.x_min_days.iter().zip(&views.x_max_days) {
        assert!((1e-4..=WIDEST_DAYS + 1e-7).contains(&(b - a)), "{}", b - a);
    }
    let narrow = views
        .x_min_days
        .iter()
        .zip(&views.x_max_days)
        .filter(|(a, b)| *b - *a < NARROWEST_DAYS - 1e-6)
        .count();
    assert!(narrow > 0 && narrow < views.x_min_days.len() / 2, "only those who zoom");
    let mut activity: Vec<u32> = world.people.rows.iter().map(|p| p.n_views).collect();
    activity.sort_unstable();
    let (median, most) = (activity[activity.len() / 2], activity[activity.len() - 1]);
    assert!((3..25).contains(&median) && most > 100 * median, "heavy tail: {median} {most}");
    // Who is shown simulations sees them; nobody else does.
    let mut saw = vec![false; world.people.rows.len()];
    for (subject, volunteer) in views.subject.iter().zip(&views.volunteer) {
        saw[*volunteer as usize] |= world.sky.subjects[*subject as usize].simulation.is_some();
    }
    let share = saw.iter().filter(|s| **s).count() as f64 / saw.len() as f64;
    assert!((0.25..0.46).contains(&share), "{share}");
    assert!(world.people.rows.iter().zip(&saw).all(|(p, s)| p.sees_simulations || !s));
}

#[test]
fn volunteers_find_as_much_as_their_skill_says() {
    let params =
        SimulationParams { n_rows: None, n_simulations: 1000, ..SimulationParams::scaled(0.01) };
    let world = simulate(&params).unwrap();
    let (mut expected, mut variance, mut found) = (0.0, 0.0, 0.0);
    let views = &world.views;
    for view in 0..views.len() {
        let subject = views.subject[view] as usize;
        // With several signals one mark can hide another.
        let [signal] = world.sky.signals_of(subject) else { continue };
        let p = world.people.rows[views.volunteer[view] as usize].finds(signal.seen_snr);
        expected += p;
        variance += p * (1.0 - p);
        found += f64::from(u8::from(views.marks_of(view).any(|m| views.signal[m] != NO_SIGNAL)));
    }
    assert!(
        (found - expected).abs() < 4.0 * f64::sqrt(variance),
        "{found} of {expected} ± {}",
        variance.sqrt()
    );
    assert!(expected > 500.0);
}

#[test]
fn alike_means_alike() {
    let params = SimulationParams { skill_sigma: 0.0, ..small(2) };
    let world = simulate(&params).unwrap();
    let first = &world.people.rows[0];
    let same = |p: &super::super::simulate_people::Person| {
        (p.completeness, p.half_snr, p.stray_marks)
            == (first.completeness, first.half_snr, first.stray_marks)
    };
    assert!(world.people.rows.iter().all(same));
}

#[test]
fn odd_worlds_are_refused_or_made() {
    let bad = [
        SimulationParams { n_volunteers: 1, ..small(1) },
        SimulationParams { n_classifications: 10, ..small(1) },
        SimulationParams { n_subjects: 0, n_simulations: 0, ..small(1) },
        SimulationParams { n_simulations: 5000, ..small(1) },
        SimulationParams { n_stars: 0, ..small(1) },
        SimulationParams { planet_share: 1.5, ..small(1) },
        SimulationParams { activity_sigma: f64::NAN, ..small(1) },
        SimulationParams { median_snr: 0.0, ..small(1) },
        SimulationParams { stray_marks: -1.0, ..small(1) },
        SimulationParams {
            n_volunteers: 3,
            n_subjects: 4,
            n_simulations: 0,
            n_classifications: 13,
            ..small(1)
        },
    ];
    for params in bad {
        assert!(matches!(simulate(&params), Err(CrowdError::Simulation { .. })), "{params:?}");
    }
    let odd = [
        // No simulations, only simulations, everybody sees everything, nobody may see simulations.
        SimulationParams { n_simulations: 0, ..small(1) },
        SimulationParams { n_simulations: 1119, ..small(1) },
        SimulationParams {
            n_volunteers: 12,
            n_subjects: 10,
            n_simulations: 3,
            n_classifications: 120,
            n_rows: Some(1),
            ..small(1)
        },
        SimulationParams { shown_simulations: 0.0, ..small(1) },
        SimulationParams { planet_share: 1.0, n_rows: Some(40_000), ..small(1) },
        SimulationParams { activity_sigma: 5.0, ..small(1) },
        SimulationParams::scaled(1e-6),
    ];
    for params in odd {
        let world = simulate(&params).unwrap_or_else(|e| panic!("{e}: {params:?}"));
        assert_eq!(world.views.len(), params.n_classifications as usize);
        assert!(world.people.rows.iter().all(|p| p.n_views >= 1));
    }
}
