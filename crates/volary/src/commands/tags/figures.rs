//! Figures by tag (S11 of Mantha et al. 2024): chosen fractions, numbers of comments, scores.

use std::path::Path;

use anyhow::Result;
use volary_ingest::output::write_whole;

use super::Found;
use crate::report::anomaly::{Histogram, Panel, histograms};
use crate::session::Session;
use crate::summary::{grouped, printable};

/// Tags in one figure at most.
const PANELS: usize = 12;

/// Writes all of them.
pub(super) fn draw(folder: &Path, found: &Found<'_>, session: &mut Session) -> Result<()> {
    let mut save = |name: &str, panels: &[Panel], alt: &str| -> Result<()> {
        let path = folder.join(name);
        write_whole(&path, histograms(panels, 3, alt)?.as_bytes())?;
        session.output(&path);
        Ok(())
    };
    let shown: Vec<usize> = found.shown().filter(|&row| found.is_category(row)).take(PANELS).collect();
    for (column, (name, all)) in found.known.columns.iter().enumerate() {
        let is_fraction = found.known.has_chosen && column == 0;
        let discussed: Vec<f64> = found
            .tags
            .subjects
            .keys()
            .filter_map(|id| Some(all[*found.known.at.get(id)?]).filter(|v| v.is_finite()))
            .collect();
        let range = if is_fraction { (0.0, 1.0) } else { ends(&discussed) };
        let panels: Vec<Panel> = shown
            .iter()
            .map(|&row| {
                let spread = &found.spreads[row][column];
                let median = spread.quartiles[1].map(|q| (q.value, format!("median {:.2}", q.value)));
                Panel {
                    title: title(found, row),
                    x: name.clone(),
                    groups: vec![
                        Histogram { name: "with the tag".into(), values: found.values(column, row) },
                        Histogram { name: "all discussed".into(), values: discussed.clone() },
                    ],
                    range,
                    n_bins: 20,
                    marks: median.into_iter().collect(),
                }
            })
            .collect();
        let file = if is_fraction {
            "tags_fraction.svg".to_owned()
        } else {
            format!("tags_{}.svg", plain(name))
        };
        save(&file, &panels, &format!("{name} of the subjects of each tag"))?;
    }
    let panels: Vec<Panel> = shown
        .iter()
        .map(|&row| {
            let of = |d: &volary_crowd::tags::Discussed| {
                d.tags.iter().any(|(tag, _)| *tag == row).then_some(d.n_comments as f64)
            };
            let all = || found.tags.subjects.values();
            Panel {
                title: title(found, row),
                x: "comments on a subject".to_owned(),
                groups: vec![
                    Histogram { name: "with the tag".into(), values: all().filter_map(of).collect() },
                    Histogram {
                        name: "all discussed".into(),
                        values: all().map(|d| d.n_comments as f64).collect(),
                    },
                ],
                range: (0.5, 10.5),
                n_bins: 10,
                marks: Vec::new(),
            }
        })
        .collect();
    save(
        "tags_comments.svg",
        &panels,
        "comments on the subjects of each tag; the last bar holds all above",
    )?;
    session.summary.note(&format!("figures: {}", folder.display()));
    Ok(())
}

fn title(found: &Found<'_>, row: usize) -> String {
    let tag = &found.tags.rows[row];
    format!("{} ({} subjects)", printable(&tag.tag), grouped(tag.n_subjects))
}

/// From the first to the 99th percentile.
fn ends(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return (0.0, 1.0) };
    let at = |share: f64| sorted[(share * last as f64) as usize];
    if at(0.99) > at(0.01) { (at(0.01), at(0.99)) } else { (at(0.01) - 0.5, at(0.01) + 0.5) }
}

/// A column's name as part of a file's name.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
