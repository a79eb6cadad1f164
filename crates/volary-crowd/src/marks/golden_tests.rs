//! The golden case: the released SATCHEL code's output at every stage (with the reference that aligned
//! its completeness), and an independent reference under the paper's rules, number by number.
//!
//! `shared/data/planet_hunters/golden/README.md` says where they come from and how close to be: 1e-9
//! relative; counts, ids, sets and NaN positions exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;
use crate::marks::types::midpoint;
use volary_core::marks::order_key;

type Row = BTreeMap<String, String>;

fn golden() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/planet_hunters/golden");
    if root.exists() {
        return Some(root);
    }
    eprintln!("skipped: {} is not here", root.display());
    None
}

fn table(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap();
    let separator = if path.extension().is_some_and(|e| e == "tsv") { '\t' } else { ',' };
    let mut lines = text.lines().map(|l| l.split(separator));
    let header: Vec<&str> = lines.next().unwrap().collect();
    lines.map(|l| header.iter().map(|h| (*h).to_owned()).zip(l.map(str::to_owned)).collect()).collect()
}

fn number(row: &Row, column: &str) -> f64 {
    match row[column].as_str() {
        "" | "nan" => f64::NAN,
        text => text.parse().unwrap(),
    }
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs() || (a.is_nan() && b.is_nan()), "{a} is not {b}");
}

struct Case {
    root: PathBuf,
    marks: Marks,
    curves: LightCurves,
    signals: Signals,
}

impl Case {
    fn read() -> Option<Self> {
        let root = golden()?;
        let mut builder = MarksBuilder::default();
        let mut views = BTreeMap::new();
        for row in table(&root.join("input/mdwarf-classifs.csv")) {
            let view = *views.entry(row["classification_id"].clone()).or_insert_with(|| {
                let key = order_key(&row["classification_id"]);
                builder.view(&row["subject_id"], &row["user_name"], None, key)
            });
            let subject = builder.subject(&row["subject_id"]);
            builder.light_curve(subject, &row["kepler_id"], number(&row, "start_time"));
            if !row["synthetic_id"].is_empty() {
                builder.simulated(subject, &row["synthetic_id"]);
            }
            builder.mark(view, number(&row, "xMinGlobal"), number(&row, "xMaxGlobal"));
        }
        let marks = builder.finish();
        let mut signals = SignalTable::default();
        for row in table(&root.join("input/syntheticdata.csv")) {
            signals.id.push(row["signalid"].clone());
            signals.simulation.push(row["syntheticid"].clone());
            signals.subject.push(String::new());
            signals.x_min_days.push(number(&row, "synxmin"));
            signals.x_max_days.push(number(&row, "synxmax"));
        }
        let signals = signals.join(&marks);
        Some(Self { curves: Self::curves(&root).join(&marks), signals, marks, root })
    }

    fn curves(root: &Path) -> CurveTable {
        let mut missing: BTreeMap<(String, String), Vec<(u32, u32)>> = BTreeMap::new();
        for row in table(&root.join("input/gaps.csv")) {
            let run = (row["first_nan_index"].parse().unwrap(), row["last_nan_index"].parse().unwrap());
            missing.entry((row["kepler_id"].clone(), row["quarter"].clone())).or_default().push(run);
        }
        let mut curves = CurveTable::default();
        for row in table(&root.join("input/cadences.csv")) {
            let key = (row["kepler_id"].clone(), row["quarter"].clone());
            curves.star.push(row["kepler_id"].clone());
            curves.subject.push(String::new());
            let mut missing = missing.remove(&key).unwrap_or_default();
            missing.sort_unstable();
            curves.stamps.push(Stamps::Regular {
                first_days: number(&row, "t_first"),
                step_days: number(&row, "dt"),
                n: row["n_cadences"].parse().unwrap(),
                missing,
            });
        }
        curves
    }

    fn table(&self, name: &str) -> Vec<Row> {
        table(&self.root.join(name))
    }

    fn volunteer(&self, name: &str) -> usize {
        self.marks.volunteers.iter().position(|v| v == name).unwrap()
    }

    fn names(&self, volunteers: &[u32]) -> BTreeSet<String> {
        volunteers.iter().map(|&v| self.marks.volunteers[v as usize].clone()).collect()
    }

    fn run(&self, params: &MarkParams, given: Given<'_>) -> (Scored, History) {
        let mut history = History::default();
        let mut keep = |_: &Iteration, weight: &[f64], score: &[f64]| {
            history.weight.push(weight.to_vec());
            history.score.push(score.to_vec());
            true
        };
        let scored = run(&self.marks, &self.curves, &self.signals, params, given, &mut keep).unwrap();
        (scored, history)
    }

    fn check_features(&self, features: &Features, name: &str) {
        let expected = self.table(name);
        assert_eq!(features.len(), expected.len());
        let at: BTreeMap<u64, usize> = (0..features.len()).map(|f| (features.id[f], f)).collect();
        for row in &expected {
            let f = at[&row["feature_id"].parse().unwrap()];
            assert_eq!(self.marks.subjects[features.subject[f] as usize], row["subject_id"]);
            close(features.x_min_days[f], number(row, "xmin"));
            close(features.x_max_days[f], number(row, "xmax"));
            // A difference of two large numbers: 1e-9 of the numbers, as for the bounds.
            assert!((features.duration_days(f) - number(row, "duration")).abs() < 1e-9);
            close(features.midpoint_days(f), number(row, "midpoint"));
            if let Some(n) = row.get("n_marks") {
                assert_eq!(features.members_of(f).len().to_string(), *n);
            }
        }
    }

    fn check_matches(&self, matches: &[Match], name: &str) {
        // Views have no ids here, so the rows are compared as a sorted list.
        let line = |user: &str, subject: &str, signal: &str, numbers: [f64; 3]| {
            format!("{user}|{subject}|{signal}|{}", numbers.map(|n| format!("{n:.9}")).join("|"))
        };
        let mut expected: Vec<String> = self
            .table(name)
            .iter()
            .map(|r| {
                let numbers = ["synoverlap", "userxmin", "userxmax"].map(|c| number(r, c));
                line(&r["username"], &r["subjectid"], &r["signalid"], numbers)
            })
            .collect();
        let mut found: Vec<String> = matches
            .iter()
            .map(|m| {
                let view = m.view as usize;
                let user = &self.marks.volunteers[self.marks.view_volunteer[view] as usize];
                let subject = &self.marks.subjects[self.marks.view_subject[view] as usize];
                let bound = |x: &[f64]| x.get(m.mark as usize).copied().unwrap_or(f64::NAN);
                let (a, b) = (bound(&self.marks.x_min_days), bound(&self.marks.x_max_days));
                line(user, subject, &self.signals.id[m.signal as usize], [m.cover, a, b])
            })
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    fn check_completeness(&self, weighed: &Weighed, name: &str) {
        let expected = self.table(name);
        assert_eq!(expected.len(), weighed.completeness.len());
        for row in expected {
            let signal = self.signals.id.iter().position(|id| *id == row["signalid"]).unwrap();
            let entry = weighed.completeness.iter().find(|c| c.signal as usize == signal).unwrap();
            assert_eq!(
                (entry.n_hits.to_string(), entry.n_shown.to_string()),
                (row["hits"].clone(), row["shown"].clone())
            );
            close(entry.share(), number(&row, "sidc"));
            if let Some(raw) = row.get("raw_upweight_if_hit").filter(|_| entry.n_hits > 0) {
                close(entry.raw_upweight(0.1), raw.parse().unwrap());
            }
        }
    }

    fn check_seeds(&self, weights: &VolunteerWeights, name: &str) {
        let expected = self.table(name);
        let seen: Vec<usize> =
            (0..self.marks.n_volunteers()).filter(|&k| weights.n_signals[k] > 0).collect();
        assert_eq!(seen.len(), expected.len());
        let mean = |x: &[f64]| seen.iter().map(|&k| x[k]).sum::<f64>() / seen.len() as f64;
        let (mean_up, mean_down) = (mean(&weights.upweight), mean(&weights.downweight));
        for row in &expected {
            let k = self.volunteer(&row["username"]);
            close(weights.upweight[k], number(row, "upweight"));
            close(weights.downweight[k], number(row, "downweight"));
            close(weights.upweight[k] / mean_up, number(row, "normupweight"));
            close(weights.downweight[k] / mean_down, number(row, "normdownweight"));
            close(weights.seed[k], number(row, "normcombined"));
            assert_eq!(f64::from(weights.n_signals[k]), number(row, "numclasses"));
        }
    }

    fn check_history(&self, history: &History, scored: &Scored, folder: &str) {
        for row in self.table(&format!("{folder}/weights_by_iteration.csv")) {
            let k = self.volunteer(&row["username"]);
            for (t, weight) in history.weight.iter().enumerate() {
                close(weight[k], number(&row, &format!("iter{t}")));
            }
            assert!(!row.contains_key(&format!("iter{}", history.weight.len())));
            if let Some(n) = row.get("numfeatureclasses") {
                assert_eq!(scored.coupled.n_features[k].to_string(), *n);
            }
        }
        let features = &scored.built.features;
        let at: BTreeMap<u64, usize> = (0..features.len()).map(|f| (features.id[f], f)).collect();
        let rows = self.table(&format!("{folder}/scores_by_iteration.csv"));
        assert_eq!(rows.len(), features.len());
        for row in rows {
            let id = row.get("featureid").or(row.get("feature_id")).unwrap();
            for (t, score) in history.score.iter().enumerate() {
                close(score[at[&id.parse().unwrap()]], number(&row, &format!("iter{t}")));
            }
        }
    }
}

#[derive(Default)]
struct History {
    weight: Vec<Vec<f64>>,
    score: Vec<Vec<f64>>,
}

#[test]
fn the_papers_rules_are_reproduced_number_by_number() {
    let Some(case) = Case::read() else { return };
    let (scored, history) = case.run(&MarkParams::of(Profile::Paper), Given::default());
    case.check_features(&scored.built.features, "recommended/metafeatures.csv");
    case.check_matches(&scored.weighed.matches, "recommended/matches.csv");
    case.check_completeness(&scored.weighed, "recommended/sidc.csv");
    case.check_seeds(&scored.weighed.weights, "recommended/user_seeds.csv");
    close(scored.weighed.weights.base, 0.5326235375690416);
    let votes = case.table("recommended/votes_and_seed_scores.csv");
    assert_eq!(votes.len(), scored.built.features.len());
    for (f, row) in votes.iter().enumerate() {
        let yes = scored.ballots.yes_of(f);
        let set = |column: &str| -> BTreeSet<String> {
            row[column].split('|').filter(|n| !n.is_empty()).map(str::to_owned).collect()
        };
        let (yes, all) = (
            case.names(yes),
            case.names(scored.ballots.voters_of(scored.built.features.subject[f] as usize)),
        );
        assert_eq!(yes, set("users_yes"), "feature {}", row["feature_id"]);
        assert_eq!(&all - &yes, set("users_no"), "feature {}", row["feature_id"]);
        close(scored.scores.seed[f], number(row, "seed_score_yes"));
    }
    case.check_history(&history, &scored, "recommended");
    let log = case.table("recommended/iteration_log.csv");
    assert_eq!(log.len(), scored.coupled.log.len());
    for (row, entry) in log.iter().zip(&scored.coupled.log) {
        close(entry.mean_weight, number(row, "mean_weight"));
        close(entry.mean_score, number(row, "mean_score"));
        if entry.number > 0 {
            // A mean of differences that nearly vanish: to 1e-12, the rounding of the weights.
            assert!((entry.mean_change - number(row, "mean_abs_dw")).abs() < 1e-12);
            assert_eq!(entry.n_changing.to_string(), row["changing_count"]);
            assert_eq!(entry.n_large.to_string(), row["largeflux_count"]);
        }
    }
    assert_eq!((scored.coupled.ending, scored.coupled.n_held), (Ending::Converged, 1));
}

#[test]
fn the_released_code_is_reproduced_number_by_number() {
    let Some(case) = Case::read() else { return };
    let subjects: Vec<u32> = case
        .table("released/subject_order.csv")
        .iter()
        .map(|r| case.marks.subjects.binary_search(&r["subject_id"]).unwrap() as u32)
        .collect();
    let rows = case.table("released/full_uwseeds.tsv");
    let volunteers: Vec<u32> = rows.iter().map(|r| case.volunteer(&r["username"]) as u32).collect();
    let mut seeds = vec![1.0; case.marks.n_volunteers()];
    for row in &rows {
        seeds[case.volunteer(&row["username"])] = number(row, "normcombined");
    }
    let given = Given {
        subject_order: Some(&subjects),
        volunteer_order: Some(&volunteers),
        seeds: Some(&seeds),
    };
    let (scored, history) = case.run(&MarkParams::of(Profile::Released), given);
    case.check_features(&scored.built.features, "released/metafeatures.csv");
    case.check_matches(&scored.weighed.matches, "released/match-user-synthetics.csv");
    case.check_completeness(&scored.weighed, "released/sidc_aligned.csv");
    case.check_history(&history, &scored, "released");
    let log = case.table("released/outputlog.csv");
    assert_eq!(log.len(), scored.coupled.log.len());
    for (row, entry) in log.iter().zip(&scored.coupled.log) {
        close(entry.mean_weight, number(row, "mean_weight"));
        close(entry.mean_score, number(row, "mean_score"));
        if entry.number > 0 {
            assert!((entry.mean_change - number(row, "mean_magweightdiff")).abs() < 1e-11);
            assert_eq!(entry.n_changing.to_string(), row["changing_count"]);
            assert_eq!(entry.n_large.to_string(), row["largeflux_count"]);
        }
    }
    check_released_votes(&case, &scored);
    // Without the given seeds, the weights are those of the reference that aligned the completeness.
    let own = weigh(&case.marks, &case.signals, &MarkParams::of(Profile::Released)).unwrap();
    case.check_seeds(&own.weights, "released/user-weighting_aligned.csv");
    close(own.weights.base, 0.5784806019751508);
    let unseen = (0..seeds.len()).filter(|&k| own.weights.n_signals[k] == 0);
    assert!(unseen.into_iter().all(|k| own.weights.seed[k] == 1.0));
}

fn check_released_votes(case: &Case, scored: &Scored) {
    let features = &scored.built.features;
    let at: BTreeMap<u64, usize> = (0..features.len()).map(|f| (features.id[f], f)).collect();
    for (name, seed) in [("released/mfscoreseeds.tsv", true), ("released/final_mfscores.tsv", false)] {
        for row in case.table(name) {
            let f = at[&row["featureid"].parse().unwrap()];
            let list = |column: &str| -> BTreeSet<String> {
                let inner = row[column].trim_start_matches('[').trim_end_matches(']');
                inner.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect()
            };
            let yes = case.names(scored.ballots.yes_of(f));
            let all = case.names(scored.ballots.voters_of(features.subject[f] as usize));
            assert_eq!(yes, list("usersyes"));
            assert_eq!(&all - &yes, list("usersno"));
            let score = if seed { scored.scores.seed[f] } else { scored.scores.score[f] };
            close(score, number(&row, "scoreyes"));
            assert!((1.0 - score - number(&row, "scoreno")).abs() < 1e-12);
        }
    }
}

#[test]
fn held_volunteers_are_what_makes_the_papers_loop_short() {
    let Some(case) = Case::read() else { return };
    let (scored, _) = case.run(&MarkParams::of(Profile::Paper), Given::default());
    assert_eq!(scored.coupled.log.len() - 1, 3);
    let literal = case.table("recommended/iteration_log_literal.csv");
    assert_eq!(literal.len() - 1, 32, "the same with the volunteer without features normalised too");
}

#[test]
fn the_decay_is_the_published_one() {
    let Some(root) = golden() else { return };
    let (tail, cut) = (Decay::default(), Decay::Cut { a: 1.03, b: 0.03, c: 1.07 });
    let rows = table(&root.join("decay.csv"));
    assert!(!rows.is_empty());
    for row in rows {
        let k = row["k"].parse().unwrap();
        close(tail.at(k), number(&row, "D_tail"));
        close(cut.at(k), number(&row, "D_cut"));
    }
}

#[test]
fn three_marks_a_tolerance_apart_depend_on_the_order_only_in_the_released_code() {
    let Some(case) = Case::read() else { return };
    let n = |profile: Profile, tolerance_days: f64, subject: &str| {
        let params = MarkParams { tolerance_days, ..MarkParams::of(profile) };
        let built = build(&case.marks, &case.curves, &params, None).unwrap();
        built.features.of(case.marks.subjects.iter().position(|s| s == subject).unwrap()).len()
    };
    let (abc, bac) = ("aaaa00000000000000000005", "aaaa00000000000000000006");
    assert_eq!((n(Profile::Released, 0.8, abc), n(Profile::Released, 0.8, bac)), (2, 3));
    assert_eq!((n(Profile::Paper, 0.8, abc), n(Profile::Paper, 0.8, bac)), (3, 3));
    assert_eq!((n(Profile::Paper, 1.2, abc), n(Profile::Paper, 1.2, bac)), (1, 1));
    assert_eq!(midpoint(1.0, 2.0), 1.5);
}
