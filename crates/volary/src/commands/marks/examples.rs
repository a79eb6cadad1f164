//! The light curves that are shown with their marks: which, and their flux where it is at hand.

use std::path::{Path, PathBuf};

use volary_crowd::marks::{Marks, Scored, Signals};
use volary_ingest::Progress;
use volary_ingest::light_curves::read_whole;

use crate::report::marks::Example;

/// Light curves shown with their marks.
const EXAMPLES: usize = 4;
/// A segment of a light curve as volunteers see it.
const SEGMENT_DAYS: f64 = 30.0;
/// Light-curve files that are looked into whatever their names.
const FEW_FILES: usize = 8;

/// One example with its own data.
pub(super) struct Shown {
    subject: String,
    time_days: Vec<f64>,
    flux: Vec<f64>,
    views: Vec<Vec<(f64, f64)>>,
    features: Vec<(f64, f64, f64, volary_crowd::Interval)>,
    signals: Vec<(f64, f64)>,
}

impl Shown {
    pub(super) fn example(&self) -> Example<'_> {
        Example {
            subject: &self.subject,
            time_days: &self.time_days,
            flux: &self.flux,
            views: &self.views,
            features: &self.features,
            signals: &self.signals,
        }
    }
}

/// The subjects with the most marks: those with known signals first.
pub(super) fn examples(
    marks: &Marks,
    scored: &Scored,
    known: &Signals,
    light_curves: Option<&Path>,
) -> Vec<Shown> {
    let (features, scores) = (&scored.built.features, &scored.scores);
    let mut order: Vec<usize> =
        (0..marks.n_subjects()).filter(|&s| !features.of(s).is_empty()).collect();
    order.sort_by_key(|&s| (known.of(s).is_empty(), std::cmp::Reverse(marks.marks_in(s).len()), s));
    let of = |s: usize| {
        let (time_days, flux) =
            light_curves.and_then(|folder| flux_of(folder, marks, s)).unwrap_or_default();
        Shown {
            subject: marks.subjects[s].clone(),
            time_days,
            flux,
            views: marks
                .views_of(s)
                .map(|v| marks.marks_of(v).map(|m| (marks.x_min_days[m], marks.x_max_days[m])).collect())
                .collect(),
            features: features
                .of(s)
                .map(|f| {
                    (features.x_min_days[f], features.x_max_days[f], scores.score[f], scores.interval[f])
                })
                .collect(),
            signals: known.of(s).map(|k| (known.x_min_days[k], known.x_max_days[k])).collect(),
        }
    };
    order.into_iter().take(EXAMPLES).map(of).collect()
}

/// Time and flux of a subject's segment, out of the files whose names hold its id or its star's (or of all,
/// where they are few).
fn flux_of(folder: &Path, marks: &Marks, subject: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let id = marks.subjects[subject].as_str();
    let star = marks.stars.get(marks.star[subject] as usize).map_or("", String::as_str);
    let range = marks.marks_in(subject);
    let start = marks.start_days[subject];
    let low = marks.x_min_days[range.clone()].iter().copied().fold(start, f64::min) - 0.5;
    let high = marks.x_max_days[range].iter().copied().fold(start + SEGMENT_DAYS, f64::max) + 0.5;
    let mut files = Vec::new();
    list_files(folder, &mut files);
    let is_named = |p: &&PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        name.contains(id) || (!star.is_empty() && name.contains(star))
    };
    let few = files.len() <= FEW_FILES;
    for path in files.iter().filter(|p| few || is_named(p)) {
        // What cannot be read has been listed already.
        let Ok((curves, ..)) = read_whole(path, &Progress::default()) else { continue };
        for curve in curves.iter().filter(|c| c.subject == id || (!star.is_empty() && c.star == star)) {
            let inside = |t: &f64| low <= *t && *t <= high;
            let pairs = curve.time_days.iter().zip(&curve.flux).filter(|(t, _)| inside(t));
            let (time, flux): (Vec<f64>, Vec<f64>) = pairs.map(|(t, f)| (*t, *f)).unzip();
            if !time.is_empty() {
                return Some((time, flux));
            }
        }
    }
    None
}

fn list_files(folder: &Path, out: &mut Vec<PathBuf>) {
    if !folder.is_dir() {
        out.push(folder.to_owned());
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths.iter().for_each(|p| list_files(p, out));
}
