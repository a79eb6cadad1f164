//! Figures of the unusual: scores against each other and against what people chose (figures 2, 3, S3, S8, S14 of
//! Mantha et al. 2024), and the images at both ends of a column (S7, S9, S10, S12; with tags below, figure 1).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use volary_ingest::output::write_whole;

use super::save;
use super::shown::{Images, Shown, cell};
use super::tables::Table;
use crate::input::subject_ids;
use crate::report::anomaly::{Histogram, Panel, histograms};
use crate::report::pictures::{Scatter, SheetRow, scatter, sheet};
use crate::session::Session;
use crate::whole_table::WholeTable;

/// Scores of all subjects, against each other, against the chosen fraction, and as histograms; lines at the
/// 99th percentile.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures scores scores.csv --with chosen.csv --score anomaly_score --score feature_score \\
      --score image_score --chosen weighted_fraction --discussed tags_subjects.csv -o figures")]
pub(super) struct Scores {
    /// Table of scores.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Column of a score, the one that matters most first. May be repeated.
    #[arg(long, required = true, value_name = "COLUMN")]
    score: Vec<String>,
    /// Column of the chosen fraction.
    #[arg(long, value_name = "COLUMN")]
    chosen: Option<String>,
    /// Subjects to paint red: a table with subject_id.
    #[arg(long, value_name = "TABLE", requires = "chosen")]
    discussed: Option<PathBuf>,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// The images at the upper and the lower end of a column.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary figures extremes subjects.csv --table scores.csv --column anomaly_score -o unusual.svg
  volary figures extremes subjects.csv --table chosen.csv --column rise --columns 6 -o moved.svg
  volary figures extremes subjects.csv --table tags_subjects.csv --column n_comments --caption tags -o talk.svg")]
pub(super) struct Extremes {
    #[command(flatten)]
    images: Images,
    /// The table.
    #[arg(long, value_name = "TABLE")]
    table: PathBuf,
    /// The column that orders.
    #[arg(long, value_name = "COLUMN")]
    column: String,
    /// What stands below each image, instead of the column's value.
    #[arg(long, value_name = "COLUMN")]
    caption: Option<String>,
    /// Images in a row.
    #[arg(long, default_value_t = 8)]
    columns: usize,
    /// Rows of each end.
    #[arg(long, default_value_t = 2)]
    rows: usize,
    /// Only the upper end.
    #[arg(long)]
    highest: bool,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Scores {
    pub(super) fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let table = WholeTable::read(&self.table, &self.with, session)?;
        let scores = self
            .score
            .iter()
            .map(|name| Ok((name.as_str(), table.numbers("--score", name)?)))
            .collect::<Result<Vec<_>>>()?;
        let chosen = self.chosen.as_deref().map(|name| table.numbers("--chosen", name)).transpose()?;
        let discussed = match &self.discussed {
            Some(path) => {
                let ids: BTreeSet<String> = subject_ids(path, session)?;
                Some(table.ids.iter().map(|id| ids.contains(id)).collect::<Vec<bool>>())
            }
            None => None,
        };
        let path = |name: String| self.output.join(name);
        let mut written: Vec<(PathBuf, String)> = Vec::new();
        for (name, values) in &scores {
            if let Some(chosen) = chosen {
                let marked = discussed.as_ref().map(|d| ("discussed", d.as_slice()));
                let y = (self.chosen.as_deref().unwrap_or_default(), chosen);
                let about = Scatter { x: (name, values), y, value: None, marked };
                let picture = scatter(&about, "chosen fraction against the score")?;
                written.push((path(format!("{}_chosen.svg", plain(name))), picture.svg));
            }
        }
        for (at, (y_name, y)) in scores.iter().enumerate() {
            for (x_name, x) in &scores[at + 1..] {
                let value = chosen.map(|c| (self.chosen.as_deref().unwrap_or_default(), c, (0.0, 0.5)));
                let about = Scatter { x: (x_name, x), y: (y_name, y), value, marked: None };
                let picture = scatter(&about, "two scores against each other")?;
                written.push((path(format!("{}_{}.svg", plain(y_name), plain(x_name))), picture.svg));
            }
        }
        let panels: Vec<Panel> =
            scores.iter().map(|(name, values)| panel(name, values, chosen)).collect();
        written.push((
            path("scores.svg".to_owned()),
            histograms(&panels, 3, "distributions of the scores")?,
        ));
        for (path, svg) in &written {
            write_whole(path, svg.as_bytes())?;
            session.output(path);
        }
        session.summary.count("n_figures", "figures", written.len() as u64);
        Ok(self.output.clone())
    }
}

fn panel(name: &str, values: &[f64], chosen: Option<&[f64]>) -> Panel {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| match sorted.len().checked_sub(1) {
        Some(last) => sorted[(share * last as f64).round() as usize],
        None => 0.0,
    };
    let mut groups = vec![Histogram { name: "all".into(), values: sorted.clone() }];
    if let Some(chosen) = chosen {
        let picked = values.iter().zip(chosen).filter(|(_, c)| **c > 0.5).map(|(v, _)| *v).collect();
        groups.push(Histogram { name: "chosen by more than half".into(), values: picked });
    }
    let (low, high) = (at(0.001), at(0.999));
    Panel {
        title: name.to_owned(),
        x: name.to_owned(),
        groups,
        range: if high > low { (low, high) } else { (low - 0.5, low + 0.5) },
        n_bins: 40,
        marks: vec![(at(0.99), "99th percentile".to_owned())],
    }
}

impl Extremes {
    pub(super) fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let table = Table::open(&self.table, session)?;
        let values = table.numbers(&self.column)?;
        let captions = self.caption.as_deref().map(|name| table.texts(name)).transpose()?;
        let mut shown = Shown::open(&self.images, session)?;
        let mut order: Vec<usize> = (0..values.len())
            .filter(|&at| values[at].is_finite() && shown.at.contains_key(&table.subject_ids[at]))
            .collect();
        if order.is_empty() {
            bail!("no subject has both an image and a value; compare the tables' columns subject_id");
        }
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        let n = self.columns.max(1) * self.rows.max(1);
        let highest: Vec<usize> = order.iter().copied().take(n).collect();
        // Few subjects stand at one end only.
        let lowest: Vec<usize> = order.iter().copied().skip(highest.len()).rev().take(n).collect();
        let ends = if self.highest {
            vec![("highest", highest)]
        } else {
            vec![("highest", highest), ("lowest", lowest)]
        };
        let mut rows = Vec::new();
        for (label, list) in ends {
            for (at, some) in list.chunks(self.columns.max(1)).enumerate() {
                let caption = |at: usize| match &captions {
                    Some(texts) => texts[at].clone(),
                    None => number(values[at]),
                };
                let cells = some
                    .iter()
                    .filter_map(|&at| cell(&mut shown, &table.subject_ids[at], caption(at)))
                    .collect();
                let label = if at == 0 { format!("{label} {}", self.column) } else { String::new() };
                rows.push(SheetRow { label, cells });
            }
        }
        let pictures = shown.pictures(session)?;
        let alt = format!("images with the highest and the lowest {}", self.column);
        save(&sheet(&pictures, &rows, self.images.size, &alt)?, Path::new(&self.output))
    }
}

/// Four digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A column's name as part of a file's name.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
