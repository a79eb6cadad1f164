//! `volary compare scorers`: how soon each score finds what people chose.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::json;
use volary_ingest::output::write_whole;
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::Bootstrap;
use volary_space::inspection::{Finding, Inspection, InspectionParams, Scorer, inspect};
use volary_space::slice::{Column, Table as _};

use crate::estimates::{Sheet, as_json, decimals, number_list, shown};
use crate::report::anomaly::{Chart, Curve, Spot, chart};
use crate::session::{Session, run_json_for};
use crate::whole_table::WholeTable;

/// Compare models, or whatever ranks subjects.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary compare scorers scores.csv --with chosen.csv --score pca --score knn --chosen fraction -o scorers.csv")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    Scorers(Scorers),
}

/// Show the share of what people chose that is found, against the share that is inspected, for each score and
/// for their best combination.
///
/// Subjects are inspected from the highest score down. The combination is a logistic regression on the places
/// by each score, judged on folds it was not fitted to. Intervals are by bootstrap, gains over the best single
/// score paired. Writes a row per score and share to FILE.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary compare scorers scores.csv --with chosen.csv --score pca --score knn --chosen fraction -o scorers.csv
  volary compare scorers scores.csv --with subjects.csv --score s_image --score s_feature \\
      --label category --yes merger --yes tidal -o scorers.csv --figure scorers.svg
  volary compare scorers scores.csv --with sample.csv --with chosen.csv --score anomaly_score \\
      --chosen weighted_fraction --included p_included -o scorers.csv")]
struct Scorers {
    /// Table of scores: .parquet, .csv, .json or .arrow.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Column of a score; higher is inspected sooner. May be repeated.
    #[arg(long, required = true, value_name = "COLUMN")]
    score: Vec<String>,
    /// Column of the chosen fraction.
    #[arg(long, value_name = "COLUMN", required_unless_present = "label", conflicts_with = "label")]
    chosen: Option<String>,
    /// Chosen above this fraction.
    #[arg(long, default_value_t = 0.5, value_name = "FRACTION")]
    above: f64,
    /// Column of a label, instead of a fraction.
    #[arg(long, value_name = "COLUMN", requires = "yes")]
    label: Option<String>,
    /// A label that counts as chosen. May be repeated.
    #[arg(long, value_name = "LABEL", requires = "label")]
    yes: Vec<String>,
    /// Only subjects that this filter selects (see `volary slice --help`).
    #[arg(long = "where", value_name = "FILTER")]
    among: Option<String>,
    /// Column of the chance with which a subject was shown: subjects count 1/chance.
    #[arg(long, value_name = "COLUMN")]
    included: Option<String>,
    /// Shares that are inspected: a list, or from:to:step.
    #[arg(long, value_name = "SHARES", default_value = "0.01,0.02,0.05,0.1,0.2,0.3,0.5")]
    inspect: String,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Figure to write (.svg).
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,
    /// Bootstrap samples for the intervals.
    #[arg(long, default_value_t = 500, value_name = "N")]
    bootstraps: usize,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        What::Scorers(args) => args.run(session),
    }
}

impl Scorers {
    fn run(&self, mut session: Session) -> Result<ExitCode> {
        TableFormat::of(&self.output)?;
        if self.figure.as_ref().is_some_and(|f| f.extension().is_none_or(|e| e != "svg")) {
            bail!("the figure's name must end in .svg");
        }
        let shares = number_list("--inspect", &self.inspect)?;
        let table = WholeTable::read(&self.table, &self.with, &mut session)?;
        let chosen = self.chosen(&table)?;
        let rows = self.rows(&table, &chosen, &mut session)?;
        let pick = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let scorers = self
            .score
            .iter()
            .map(|name| Ok(Scorer { name: name.clone(), values: pick(table.numbers("--score", name)?) }))
            .collect::<Result<Vec<_>>>()?;
        let included = self
            .included
            .as_deref()
            .map(|name| table.numbers("--included", name).map(pick))
            .transpose()?;
        if let Some(bad) = included.iter().flatten().find(|p| !(**p > 0.0 && **p <= 1.0)) {
            bail!(
                "--included holds {bad}, which is no chance above 0 and up to 1; leave such subjects out"
            );
        }
        let weight: Option<Vec<f64>> = included.map(|p| p.into_iter().map(|p| 1.0 / p).collect());
        let labels: Vec<bool> = rows.iter().filter_map(|&row| chosen[row]).collect();
        let seed = session.global.seed;
        let bootstrap = Bootstrap::new(self.bootstraps, 0.95, seed)?;
        // The curve of the figure is finer than the table.
        let n_table = shares.len();
        let mut all = shares;
        if self.figure.is_some() {
            all.extend((1..=60).map(|i| f64::from(i) / 60.0));
        }
        let params = InspectionParams { shares: all, seed, bootstrap, ..InspectionParams::default() };
        let sign = session.working("comparing scores");
        let found = inspect(&scorers, &labels, weight.as_deref(), &params)?;
        drop(sign);
        self.write(&found, n_table, &mut session)?;
        summarise(&found, n_table, &mut session);
        if let Some(path) = &self.figure {
            draw(path, &found, n_table)?;
            session.output(path);
            session.summary.note(&format!("figure: {}", path.display()));
        }
        session.finish(Some(&run_json_for(&self.output)))
    }

    /// Whether each row was chosen; `None` where that is not known.
    fn chosen(&self, table: &WholeTable) -> Result<Vec<Option<bool>>> {
        if let Some(name) = &self.chosen {
            let values = table.numbers("--chosen", name)?;
            return Ok(values.iter().map(|v| (!v.is_nan()).then_some(*v > self.above)).collect());
        }
        let name = self.label.as_deref().unwrap_or_default();
        let column = table.columns.column(name);
        let text = |row: usize| match column {
            Some(Column::Number(values)) => {
                Some(values[row]).filter(|v| !v.is_nan()).map(|v| v.to_string())
            }
            Some(Column::Boolean(values)) => values[row].map(|v| v.to_string()),
            Some(text) => text.text_at(row).map(str::to_owned),
            None => None,
        };
        if column.is_none() {
            bail!("--label {name:?} is no column; there are {}", table.columns.names().join(", "));
        }
        let labels: Vec<Option<String>> = (0..table.ids.len()).map(text).collect();
        if let Some(yes) = self.yes.iter().find(|y| !labels.iter().flatten().any(|l| l == *y)) {
            let mut all: Vec<&str> = labels.iter().flatten().map(String::as_str).collect();
            all.sort_unstable();
            all.dedup();
            all.truncate(12);
            bail!("--yes {yes:?} is no label in {name:?}; there are {}", all.join(", "));
        }
        Ok(labels.into_iter().map(|l| l.map(|l| self.yes.contains(&l))).collect())
    }

    /// Rows that have a label and every score, and pass the filter; the others are counted.
    fn rows(
        &self,
        table: &WholeTable,
        chosen: &[Option<bool>],
        session: &mut Session,
    ) -> Result<Vec<usize>> {
        let slice = self.among.as_deref().map(|text| table.select(text)).transpose()?;
        let mut rows: Vec<usize> = (0..table.ids.len()).collect();
        rows.retain(|&row| slice.as_ref().is_none_or(|(_, slice)| slice.mask.contains(row)));
        let n = rows.len();
        rows.retain(|&row| chosen[row].is_some());
        let n_unlabelled = n - rows.len();
        for name in self.score.iter().chain(&self.included) {
            let values = table.numbers("--score", name)?;
            rows.retain(|&row| values[row].is_finite());
        }
        let n_without = n - n_unlabelled - rows.len();
        let reasons =
            [("not judged by people", n_unlabelled as u64), ("without every score", n_without as u64)];
        session.summary.count("n_subjects", "subjects", n as u64);
        session.summary.left_out(reasons.into_iter().filter(|(_, n)| *n > 0));
        if rows.is_empty() {
            bail!("no subject has both a label and every score; compare the tables' columns subject_id");
        }
        Ok(rows)
    }

    fn write(&self, found: &Inspection, n_table: usize, session: &mut Session) -> Result<()> {
        let rows: Vec<(&Finding, usize)> =
            findings(found).flat_map(|f| (0..n_table).map(move |at| (f, at))).collect();
        let of = |f: fn(&Finding) -> Option<volary_space::Estimate>| {
            rows.iter().map(|(finding, _)| f(finding)).collect::<Vec<_>>()
        };
        let recall: Vec<_> = rows.iter().map(|(f, at)| f.at[*at].recall).collect();
        let precision: Vec<_> = rows.iter().map(|(f, at)| f.at[*at].precision).collect();
        let batch = Sheet::default()
            .texts("scorer", rows.iter().map(|(f, _)| f.name.as_str()))
            .numbers("inspected", rows.iter().map(|(f, at)| f.at[*at].share))
            .estimates("recall", &recall)
            .estimates("precision", &precision)
            .estimates("auc", &of(|f| f.auc))
            .estimates("auc_gain", &of(|f| f.gain))
            .finish()?;
        write_table(&self.output, &batch)?;
        session.table_file(&self.output, batch.num_rows() as u64);
        Ok(())
    }
}

fn findings(found: &Inspection) -> impl Iterator<Item = &Finding> {
    found.scorers.iter().chain(&found.combined)
}

fn summarise(found: &Inspection, n_table: usize, session: &mut Session) {
    let summary = &mut session.summary;
    summary.count("n_judged", "subjects compared", found.n as u64);
    let text = format!("{} of them, {}", found.n_chosen, shown(found.prevalence));
    summary.line("n_chosen", "chosen", &text, found.n_chosen as u64);
    summary.value("prevalence", as_json(found.prevalence));
    let shares: Vec<String> = found.scorers[0].at[..n_table]
        .iter()
        .map(|at| format!("found in {} %", (at.share * 1000.0).round() / 10.0))
        .collect();
    let mut header = vec!["score", "AUC", "less the best"];
    header.extend(shares.iter().map(String::as_str).take(4));
    let row = |f: &Finding| {
        let mut cells = vec![f.name.clone(), decimals(f.auc), decimals(f.gain)];
        cells.extend(f.at[..n_table].iter().take(4).map(|at| shown(at.recall)));
        cells
    };
    let rows: Vec<Vec<String>> = findings(found).map(row).collect();
    summary.table("What inspecting from the top finds of the chosen", &header, &rows);
    let object = |f: &Finding| {
        let at = |i: &volary_space::inspection::Inspected| json!({"inspected": i.share, "recall": as_json(i.recall), "precision": as_json(i.precision)});
        json!({
            "scorer": f.name, "auc": as_json(f.auc), "gain": as_json(f.gain),
            "at": f.at[..n_table].iter().map(at).collect::<Vec<_>>(),
        })
    };
    summary.value("scorers", findings(found).map(object).collect::<Vec<_>>());
    match (&found.combined, &found.weights) {
        (Some(_), Some(weights)) => {
            let named = found.scorers.iter().zip(weights).map(|(s, w)| format!("{} {w:+.2}", s.name));
            summary.line(
                "weights",
                "the combination weighs",
                &named.collect::<Vec<_>>().join(", "),
                json!(weights),
            );
        }
        _ if found.scorers.len() > 1 => {
            summary.note("(no combination: too few chosen subjects to hold some out)");
        }
        _ => {}
    }
}

fn draw(path: &Path, found: &Inspection, n_table: usize) -> Result<()> {
    let curve = |f: &Finding| {
        let spot = |at: &volary_space::inspection::Inspected| Spot {
            x: at.share,
            y: at.recall.map_or(f64::NAN, |e| e.value),
            band: at.recall.map(|e| (e.low, e.high)),
        };
        let start = Spot { x: 0.0, y: 0.0, band: Some((0.0, 0.0)) };
        let spots = std::iter::once(start).chain(f.at[n_table..].iter().map(spot)).collect();
        Curve { name: f.name.clone(), spots }
    };
    let curves: Vec<Curve> = findings(found).map(curve).collect();
    let about = Chart {
        alt: "share of the chosen that is found, against the share that is inspected, for each score",
        x: "share inspected, most unusual first",
        y: "share of the chosen found",
        is_share: true,
        y_range: None,
        has_diagonal: true,
        guides: &[],
    };
    write_whole(path, chart(&about, &curves)?.as_bytes())?;
    Ok(())
}
