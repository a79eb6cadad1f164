use super::*;
use crate::marks::small_world::SmallWorld;
use crate::marks::{Given, MarksBuilder, Profile, run, silent};

/// Half of a world as a start, the other half as events.
fn replay(params: &MarkParams) -> (Live, Marks, Signals) {
    let world = SmallWorld { n_subjects: 200, n_volunteers: 60, ..SmallWorld::default() }.make();
    let marks = world.marks;
    let late = |view: usize| view % 2 == 1;
    let keep: Vec<bool> = (0..marks.n_views()).map(|v| !late(v)).collect();
    let start = marks.retain_views(&keep);
    let mut live = Live::new(&start, &LightCurves::default(), &world.simulated, params).unwrap();
    for view in (0..marks.n_views()).filter(|&v| late(v)) {
        let ranges = marks.marks_of(view).map(|m| (marks.x_min_days[m], marks.x_max_days[m])).collect();
        let event = Event {
            subject: marks.view_subject[view],
            volunteer: marks.view_volunteer[view],
            marks: ranges,
        };
        assert!(live.classify(&event).counts);
    }
    (live, marks, world.simulated)
}

/// Largest differences to a full run: of scores, of weights, of seeds.
fn differences(live: &Live, marks: &Marks, signals: &Signals, params: &MarkParams) -> [f64; 3] {
    let exact = MarkParams { converged_at: 1e-13, max_iterations: 1000, ..params.clone() };
    let full =
        run(marks, &LightCurves::default(), signals, &exact, Given::default(), &mut silent).unwrap();
    let features = &full.built.features;
    let mut scores: f64 = 0.0;
    for subject in 0..marks.n_subjects() {
        let ours = live.features(subject as u32);
        assert_eq!(ours.len(), features.of(subject).len());
        for (one, f) in ours.iter().zip(features.of(subject)) {
            assert!((one.x_min_days - features.x_min_days[f]).abs() < 1e-12);
            assert!((one.x_max_days - features.x_max_days[f]).abs() < 1e-12);
            assert_eq!(one.yes, full.ballots.yes_of(f));
            scores = scores.max((one.score - full.scores.score[f]).abs());
        }
    }
    let most = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let weights = &full.weighed.weights;
    [scores, most(&live.weights(), &weights.weight), most(&live.seeds(), &weights.seed)]
}

#[test]
fn replaying_one_by_one_gives_the_full_runs_answer() {
    for profile in [Profile::Volary, Profile::Paper] {
        let params = MarkParams::of(profile);
        let (mut live, marks, signals) = replay(&params);
        let [scores, _, seeds] = differences(&live, &marks, &signals, &params);
        println!("{profile:?} before settling: scores {scores:.2e}, seeds {seeds:.2e}");
        assert!(scores < 1e-2, "{scores}");
        assert!(seeds < 1e-9, "{seeds}");
        live.settle();
        let [scores, weights, _] = differences(&live, &marks, &signals, &params);
        println!("{profile:?} settled: scores {scores:.2e}, weights {weights:.2e}");
        assert!(scores < 1e-9 && weights < 1e-9, "{scores} {weights}");
    }
}

#[test]
fn a_repeat_does_not_count_under_first() {
    let mut builder = MarksBuilder::default();
    let view = builder.view("s", "a", None, 1);
    builder.mark(view, 1.0, 1.5);
    builder.volunteer("b");
    let marks = builder.finish();
    let mut live =
        Live::new(&marks, &LightCurves::default(), &Signals::default(), &MarkParams::default()).unwrap();
    let event = |volunteer, marks: &[(f64, f64)]| Event { subject: 0, volunteer, marks: marks.to_vec() };
    assert!(!live.classify(&event(0, &[(7.0, 7.5)])).counts);
    assert_eq!(live.features(0).len(), 1);
    assert!(live.classify(&event(1, &[])).counts);
    assert!((live.features(0)[0].score - 0.5).abs() < 1e-2);
    // Two who disagree for ever: every split is a fixed point, and settling gives the full run's.
    live.settle();
    assert_eq!(live.features(0)[0].score, 0.5);
    // Reversed and infinite bounds, a new subject and a new volunteer.
    let (subject, volunteer) = (live.add_subject(None), live.add_volunteer());
    let odd = [(3.0, 2.5), (f64::NAN, 1.0), (0.0, f64::INFINITY)];
    let change = live.classify(&Event { subject, volunteer, marks: odd.to_vec() });
    assert_eq!(change.n_features, 1);
    assert_eq!((live.features(subject)[0].x_min_days, live.features(subject)[0].score), (2.5, 1.0));
    assert_eq!(live.weights().len(), 3);
}

#[test]
fn the_released_rules_are_refused() {
    let params = MarkParams::of(Profile::Released);
    let marks = MarksBuilder::default().finish();
    let error = Live::new(&marks, &LightCurves::default(), &Signals::default(), &params).unwrap_err();
    assert!(error.to_string().contains("live"), "{error}");
}
