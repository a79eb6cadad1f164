use volary_core::marks::NONE;
use volary_crowd::marks::evaluate::{
    MATCH_COVER, PAPER_PERIOD_EDGES, PAPER_RADIUS_EDGES, SCORE_CUTOFF, Spacing, edges, floors, headline,
    match_features, recovery_by, recovery_table,
};
use volary_crowd::marks::evaluate_curves::{Convention, area_intervals, calibration, curves};
use volary_crowd::marks::evaluate_logistic::{Shape, Weighting, bins_of, fit_completeness};
use volary_crowd::marks::simulate::{SimulatedWorld, SimulationParams, simulate};
use volary_crowd::marks::sweep::{SweepGrid, sweep_marks};
use volary_crowd::marks::{Given, LightCurves, MarkParams, Scored, run};

use super::*;

fn world() -> SimulatedWorld {
    simulate(&SimulationParams { seed: 11, ..SimulationParams::scaled(0.03) }).unwrap()
}

/// What [`Example`] borrows from.
struct Drawn {
    time_days: Vec<f64>,
    flux: Vec<f64>,
    views: Vec<Vec<(f64, f64)>>,
    features: Vec<(f64, f64, f64, Interval)>,
    signals: Vec<(f64, f64)>,
    subject: String,
}

/// A simulation with a deep transit and something else marked.
fn example(world: &SimulatedWorld, marks: &Marks, scored: &Scored) -> Drawn {
    let (sky, features) = (&world.sky, &scored.built.features);
    let good = |&at: &usize| {
        let subject = &sky.subjects[at];
        let strong = sky.signals_of(at).iter().any(|s| (8.0..20.0).contains(&s.seen_snr));
        let index = marks.subjects.binary_search(&subject.id).unwrap();
        let star = &sky.stars[subject.star as usize];
        let visible = sky.signals_of(at).iter().any(|s| s.planet.depth(star) > 0.8 * star.activity);
        subject.simulation.is_some() && strong && visible && features.of(index).len() >= 3
    };
    let at = (0..sky.subjects.len()).find(good).expect("one of them");
    let index = marks.subjects.binary_search(&sky.subjects[at].id).unwrap();
    let (time_days, flux) = sky.flux(&sky.subjects[at]);
    let of_view =
        |v: usize| marks.marks_of(v).map(|m| (marks.x_min_days[m], marks.x_max_days[m])).collect();
    let of_feature = |f: usize| {
        let (score, interval) = (scored.scores.score[f], scored.scores.interval[f]);
        (features.x_min_days[f], features.x_max_days[f], score, interval)
    };
    Drawn {
        time_days,
        flux,
        views: marks.views_of(index).map(of_view).collect(),
        features: features.of(index).map(of_feature).collect(),
        signals: sky.signals_of(at).iter().map(|s| (s.x_min_days, s.x_max_days)).collect(),
        subject: sky.subjects[at].id.clone(),
    }
}

fn keep(name: &str, text: &str) {
    if let Ok(dir) = std::env::var("VOLARY_REPORT_DIR") {
        std::fs::write(std::path::Path::new(&dir).join(name), text).unwrap();
    }
}

#[test]
fn every_figure_of_a_simulated_hunt() {
    let world = world();
    let marks = world.to_marks();
    let mut table = world.signal_table(true);
    let real = world.signal_table(false);
    table.id.extend(real.id);
    table.simulation.extend(real.simulation);
    table.subject.extend(real.subject);
    table.x_min_days.extend(real.x_min_days);
    table.x_max_days.extend(real.x_max_days);
    for (column, more) in table.columns.iter_mut().zip(real.columns) {
        column.values.extend(more.values);
    }
    let signals = table.join(&marks);
    assert_eq!(signals.n_unplaced, 0);
    let (params, curves_of_stars) = (MarkParams::default(), LightCurves::default());
    let mut kept: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    let scored = run(&marks, &curves_of_stars, &signals, &params, Given::default(), &mut |i, w, s| {
        kept.push((w.to_vec(), s.to_vec(), i.mean_change));
        true
    });
    let scored = scored.unwrap();
    let (features, scores) = (&scored.built.features, &scored.scores.score);
    let matched = match_features(features, scores, &signals, MATCH_COVER).unwrap();
    let column = |name: &str| signals.column(&[name]).unwrap().values.as_slice();
    let pair =
        |convention| (curves(&matched, convention), area_intervals(&matched, convention, 200, 0.95, 1));
    let (some, all) = (pair(Convention::MarkedOnly), pair(Convention::All));
    let map = recovery_table(
        &matched,
        SCORE_CUTOFF,
        (column("period"), &PAPER_PERIOD_EDGES),
        (column("prad"), &PAPER_RADIUS_EDGES),
        0.95,
    );
    let maps = vec![("period".to_owned(), "prad".to_owned(), map.unwrap())];
    let mut lines = Vec::new();
    for (name, log) in [("prad", false), ("period", true), ("snr", true), ("duration", false)] {
        let spacing = if log { Spacing::Logarithmic } else { Spacing::Linear };
        let cut = edges(column(name), 9, spacing);
        let table = recovery_by(&matched, SCORE_CUTOFF, (column(name), &cut), 0.95).unwrap();
        lines.push((name.to_owned(), log, table));
    }
    let cut = edges(column("snr"), 22, Spacing::Quantiles);
    let bins =
        bins_of(&recovery_by(&matched, SCORE_CUTOFF, (column("snr"), &cut), 0.95).unwrap(), false);
    let fit = fit_completeness(&bins, Weighting::Binomial, Shape::Free).unwrap();
    let probabilities: Vec<f64> = matched.judged.iter().map(|j| j.score).collect();
    let calibrations = vec![("scores".to_owned(), calibration(&matched, &probabilities, 0.95).unwrap())];
    let cutoffs: Vec<f64> = (0..10).map(|i| f64::from(i) / 10.0).collect();
    let floors = floors(&matched, &cutoffs, 0.95);
    let evaluation = MarksEvaluation {
        matched: &matched,
        headline: headline(&matched, SCORE_CUTOFF, 0.95),
        floors: &floors,
        marked_only: &some,
        all: &all,
        maps: &maps,
        lines: &lines,
        completeness: Some(("snr", &bins, &fit)),
        calibrations: &calibrations,
        level: 0.95,
    };
    let rows = sweep_marks(&marks, &curves_of_stars, &signals, &params, &SweepGrid::default()).unwrap();
    let drawn = example(&world, &marks, &scored);
    let examples = [Example {
        subject: &drawn.subject,
        time_days: &drawn.time_days,
        flux: &drawn.flux,
        views: &drawn.views,
        features: &drawn.features,
        signals: &drawn.signals,
    }];
    let iterations: Vec<Iteration<'_>> = kept
        .iter()
        .enumerate()
        .map(|(i, (weights, scores, mean_change))| Iteration {
            weights,
            scores,
            mean_change: (i > 0).then_some(*mean_change),
        })
        .collect();
    assert!(iterations.len() > 2);
    let input = MarksInput {
        marks: Some(&marks),
        examples: &examples,
        iterations: &iterations,
        tolerance: 1e-3,
        evaluation: Some(&evaluation),
        sweep: &rows,
    };
    let html = render("A simulated hunt", &input).unwrap();
    super::super::tests::check(&html);
    keep("marks.html", &html);
    let figures = figures(&input).unwrap();
    for figure in &figures {
        assert!(figure.svg.starts_with("<svg role=\"img\" aria-label="), "{}", figure.name);
        assert!(html.contains(figure.svg.trim()) && figure.caption.len() > 40, "{}", figure.name);
        assert!(!figure.caption.contains("NaN") && !figure.svg.contains("NaN"), "{}", figure.name);
        keep(&format!("{}.svg", figure.name), &figure.svg);
    }
    let names: Vec<&str> = figures.iter().map(|f| f.name.as_str()).collect();
    let wanted = [
        "marks_activity",
        "marks_per_view",
        "marks_durations",
        "marks_views_per_subject",
        "light_curve_1",
        "weights_by_iteration",
        "scores_by_iteration",
        "mean_change",
        "roc",
        "precision_recall",
        "scores_real_and_false",
        "calibration_1",
        "recovery_map_period_prad",
        "recovery_by_prad",
        "recovery_by_period",
        "recovery_by_snr",
        "recovery_by_duration",
        "completeness",
        "score_floors",
        "sweep_reachable",
        "sweep_false_positives",
        "sweep_pr_auc",
        "sweep_trade",
    ];
    assert_eq!(names, wanted);
    assert_eq!(html, render("A simulated hunt", &input).unwrap(), "same input, same bytes");
    // No volunteer is named.
    assert!(marks.volunteers.iter().all(|name| !html.contains(name.as_str())));
}

#[test]
fn what_is_not_there_is_left_out() {
    let nothing = MarksInput::default();
    assert!(figures(&nothing).unwrap().is_empty());
    assert!(section(&nothing).unwrap().is_none());
    super::super::tests::check(&render("Nothing", &nothing).unwrap());
    let empty = Marks { view_start: vec![0], mark_start: vec![0], ..Marks::default() };
    assert!(figures(&MarksInput { marks: Some(&empty), ..nothing.clone() }).unwrap().is_empty());
    // A single view without a mark; one with a mark of no length.
    let mut builder = volary_core::marks::MarksBuilder::default();
    builder.view("s", "v", None, 0);
    let view = builder.view("t", "w", None, 1);
    builder.mark(view, 3.0, 3.0);
    let marks = builder.finish();
    assert_eq!(marks.simulation, [NONE, NONE]);
    let html = render("One", &MarksInput { marks: Some(&marks), ..nothing.clone() }).unwrap();
    super::super::tests::check(&html);
    // Light curves that are missing, empty or flat; iterations without numbers.
    let views = vec![vec![], vec![(1.0, 2.0)]];
    let flat = [1.0, 1.0, f64::NAN];
    let times = [1.0, f64::NAN, 3.0];
    let interval = Interval::WHOLE;
    let odd = [
        Example {
            subject: "<b>",
            time_days: &[],
            flux: &[],
            views: &views,
            features: &[(1.0, 2.0, f64::NAN, interval)],
            signals: &[],
        },
        Example {
            subject: "",
            time_days: &times,
            flux: &flat,
            views: &[],
            features: &[],
            signals: &[(1.5, 1.5)],
        },
        Example { subject: "none", time_days: &[], flux: &[], views: &[], features: &[], signals: &[] },
    ];
    let iterations = [
        Iteration { weights: &[], scores: &[0.5], mean_change: None },
        Iteration { weights: &[1.0, 0.0, f64::NAN], scores: &[f64::NAN], mean_change: Some(0.0) },
    ];
    let input = MarksInput { examples: &odd, iterations: &iterations, ..nothing };
    let html = render("Odd", &input).unwrap();
    super::super::tests::check(&html);
    assert_eq!(figures(&input).unwrap().len(), 4, "two light curves, weights, scores");
}
