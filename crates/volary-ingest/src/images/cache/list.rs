//! What is wrong or odd about the images of a cache, seen together: what each one's faults are, which are of
//! another size or colour than most, which are copies of another.

use std::collections::{BTreeMap, HashMap};

use volary_core::{ProblemKind, Problems};

use super::file::{Entry, Picture};
use crate::images::settings::{Channels, Settings};
use crate::images::subjects::ImageSubject;

/// Where so many images agree, those that differ are worth a line.
const MOST: f64 = 0.9;

pub(super) fn problems(entries: &[Entry], subjects: &[ImageSubject], settings: &Settings) -> Problems {
    let mut problems = Problems::default();
    let mut add = |at: usize, kind: ProblemKind, detail: String| {
        let name = subjects[at].path.file_name().unwrap_or_default().to_string_lossy();
        problems.add(subjects[at].row, &name, kind, detail);
    };
    for (at, entry) in entries.iter().enumerate() {
        for fault in &entry.faults {
            add(at, fault.problem(), fault.detail.clone());
        }
    }
    let pictures = || entries.iter().enumerate().filter_map(|(at, e)| Some((at, e.picture.as_ref()?)));
    if let Some((width, height)) = usual(pictures().map(|(_, p)| p.size)) {
        for (at, Picture { size: (w, h), .. }) in pictures().filter(|(_, p)| p.size != (width, height)) {
            let detail = format!("{w} × {h} px, where most images are {width} × {height}");
            add(at, ProblemKind::OddImage, detail);
        }
    }
    if settings.channels == Channels::Rgb
        && let Some(is_grey) = usual(pictures().map(|(_, p)| p.channels == 1))
    {
        for (at, picture) in pictures().filter(|(_, p)| (p.channels == 1) != is_grey) {
            let (this, most) =
                if picture.channels == 1 { ("grey", "in colour") } else { ("in colour", "grey") };
            add(at, ProblemKind::OddImage, format!("{this}, where most images are {most}"));
        }
    }
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (at, _) in pictures() {
        let before = *first.entry(entries[at].hash.as_str()).or_insert(at);
        if before != at {
            let detail = format!("the same image as that of subject {}", subjects[before].subject_id);
            add(at, ProblemKind::Suspicious, detail);
        }
    }
    problems
}

/// What most have, where not all have it.
fn usual<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|v| *counts.entry(v).or_default() += 1);
    let n: usize = counts.values().sum();
    let (value, most) = counts.into_iter().max_by_key(|(_, n)| *n)?;
    (most < n && most as f64 >= MOST * n as f64).then_some(value)
}
