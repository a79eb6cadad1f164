//! The evaluation of the golden case: the released code's final scores and the reference's, against the
//! numbers in `check_summary.json` and `summary.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::evaluate::{MATCH_COVER, Matched, SCORE_CUTOFF, headline, match_features, recovery_by};
use super::evaluate_curves::{Convention, curves};
use super::types::Features;
use volary_core::marks::{Marks, MarksBuilder, NumberColumn, SignalTable};

fn golden() -> Option<PathBuf> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/planet_hunters/golden");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not here", folder.display());
    None
}

/// Rows of a plain table (no quotes in these files) as name → cell.
fn rows(path: PathBuf, separator: char) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(separator).collect();
    let cells = |line: &str| line.split(separator).map(str::to_owned).collect::<Vec<_>>();
    lines.map(|line| header.iter().map(|h| (*h).to_owned()).zip(cells(line)).collect()).collect()
}

fn number(row: &BTreeMap<String, String>, name: &str) -> f64 {
    row[name].parse().unwrap()
}

/// All signals: the simulations' (kind 0), then the real ones (kind 1).
fn signals(folder: &std::path::Path) -> SignalTable {
    let mut table = SignalTable::default();
    let (mut radius, mut kind) = (Vec::new(), Vec::new());
    for (file, names) in [("syntheticdata.csv", ["synxmin", "synxmax"]), ("truth.csv", ["xmin", "xmax"])]
    {
        for row in rows(folder.join("input").join(file), ',') {
            table.id.push(table.id.len().to_string());
            table.simulation.push(String::new());
            table.subject.push(row["subject_id"].clone());
            table.x_min_days.push(number(&row, names[0]));
            table.x_max_days.push(number(&row, names[1]));
            radius.push(row.get("prad").map_or(f64::NAN, |r| r.parse().unwrap()));
            kind.push(f64::from(u8::from(file == "truth.csv")));
        }
    }
    let column = |name: &str, values| NumberColumn { name: name.to_owned(), values };
    table.columns = vec![column("prad", radius), column("kind", kind)];
    table
}

/// Every subject of the features and signals.
fn subjects(features: &[BTreeMap<String, String>], signals: &SignalTable, column: &str) -> Marks {
    let mut builder = MarksBuilder::default();
    features.iter().for_each(|f| {
        builder.subject(&f[column]);
    });
    signals.subject.iter().for_each(|s| {
        builder.subject(s);
    });
    builder.finish()
}

struct Case {
    matched: Matched,
    /// Recovered and all, per group of signals.
    simulated: (u64, u64),
    above_two: (u64, u64),
    real: (u64, u64),
}

fn evaluate(features: &[BTreeMap<String, String>], scores: &[f64], column: &str) -> Case {
    let folder = golden().unwrap();
    let table = signals(&folder);
    let marks = subjects(features, &table, column);
    let signals = table.join(&marks);
    assert_eq!((signals.len(), signals.n_unplaced), (106, 0));
    // Sorted by subject, as the pipeline has them.
    let place = |f: &BTreeMap<String, String>| marks.subjects.binary_search(&f[column]).unwrap();
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by_key(|&i| (place(&features[i]), i));
    let mut out = Features { start: vec![0; marks.n_subjects() + 1], ..Features::default() };
    for &i in &order {
        let subject = place(&features[i]);
        out.id.push(i as u64);
        out.subject.push(subject as u32);
        out.x_min_days.push(number(&features[i], "xmin"));
        out.x_max_days.push(number(&features[i], "xmax"));
        out.start[subject + 1] += 1;
    }
    for subject in 0..marks.n_subjects() {
        out.start[subject + 1] += out.start[subject];
    }
    let scores: Vec<f64> = order.iter().map(|&i| scores[i]).collect();
    let matched = match_features(&out, &scores, &signals, MATCH_COVER).unwrap();
    let by = |name: &str, edges: &[f64], bin: usize| {
        let column = signals.column(&[name]).unwrap();
        let table = recovery_by(&matched, SCORE_CUTOFF, (&column.values, edges), 0.95).unwrap();
        (table.cells[0][bin].k, table.cells[0][bin].n)
    };
    Case {
        simulated: by("kind", &[0.0, 0.5, 1.0], 0),
        real: by("kind", &[0.0, 0.5, 1.0], 1),
        above_two: by("prad", &[0.0, 2.0, 99.0], 1),
        matched,
    }
}

fn close(value: Option<f64>, golden: f64) {
    assert!((value.unwrap() - golden).abs() <= 1e-9 * golden, "{value:?} {golden}");
}

fn share((k, n): (u64, u64)) -> Option<f64> {
    Some(k as f64 / n as f64)
}

#[test]
fn the_reference_is_as_good_as_its_summary_says() {
    let Some(folder) = golden() else { return };
    let features = rows(folder.join("recommended/metafeatures.csv"), ',');
    let scores = rows(folder.join("recommended/scores_by_iteration.csv"), ',');
    let scores: Vec<f64> = scores.iter().map(|r| number(r, "iter3")).collect();
    let case = evaluate(&features, &scores, "subject_id");
    let m = &case.matched;
    assert_eq!((m.n_features, m.n_features_above, m.shown.len(), m.judged.len()), (872, 100, 106, 276));
    let h = headline(m, SCORE_CUTOFF, 0.95);
    close(Some(h.recovered.share()), 0.839622641509434);
    close(Some(h.reachable.share()), 0.9433962264150944);
    assert_eq!((h.precision.k, h.precision.n), (95, 97));
    close(Some(h.precision.share()), 0.979381443298969);
    assert_eq!((h.false_positive_rate.k, h.false_positive_rate.n), (2, 276 - 107));
    close(share(case.simulated), 0.7792207792207793);
    close(share(case.above_two), 0.8518518518518519);
    close(share(case.real), 1.0);
    let (some, all) = (curves(m, Convention::MarkedOnly), curves(m, Convention::All));
    assert_eq!((some.n_positive, some.n_negative, all.n_positive), (107, 169, 113));
    close(some.roc_auc, 0.9906542056074765);
    close(some.average_precision, 0.9863540949728832);
    close(all.roc_auc, 0.9380530973451328);
    close(all.average_precision, 0.9552579069136942);
    // auc(precision_recall_curve) of scikit-learn 1.9.1 on the same scores.
    close(some.pr_auc, 0.9862677115913172);
    close(all.pr_auc, 0.9548302325496131);
}

#[test]
fn the_released_code_is_as_good_as_its_summary_says() {
    let Some(folder) = golden() else { return };
    let features = rows(folder.join("released/final_mfscores.tsv"), '\t');
    let scores: Vec<f64> = features.iter().map(|r| number(r, "scoreyes")).collect();
    let case = evaluate(&features, &scores, "subjectid");
    let m = &case.matched;
    assert_eq!((m.n_features, m.n_features_above, m.shown.len(), m.judged.len()), (1020, 456, 106, 304));
    let h = headline(m, SCORE_CUTOFF, 0.95);
    close(Some(h.recovered.share()), 0.9245283018867925);
    close(Some(h.reachable.share()), 0.9433962264150944);
    assert_eq!((h.precision.k, h.precision.n), (106, 106 + 189));
    close(Some(h.precision.share()), 0.3593220338983051);
    close(share(case.simulated), 0.8961038961038961);
    close(share(case.above_two), 0.9259259259259259);
    close(share(case.real), 1.0);
    let (some, all) = (curves(m, Convention::MarkedOnly), curves(m, Convention::All));
    assert_eq!(some.n_positive, 108);
    close(some.roc_auc, 0.5474773242630385);
    close(some.average_precision, 0.39249764706029183);
    close(all.roc_auc, 0.5186627282491945);
    close(all.average_precision, 0.39119471487205915);
}
