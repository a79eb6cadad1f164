//! `volary shapes`: drawn marks to consensus shapes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;
use volary_core::{Drawn, Symbol};
use volary_crowd::interval::jeffreys;
use volary_crowd::shapes::{self, Algorithm, Group, Measure, Members, ShapeConsensus, ShapeParams};
use volary_crowd::{CrowdError, Repeats};
use volary_ingest::output::write_whole;
use volary_ingest::records::{Blocks, RecordOptions};
use volary_ingest::tables::{ShapeCollector, TableFormat, read_shapes_without};
use volary_ingest::{IngestError, Progress};

use crate::consensus_tables::beside;
use crate::images::Images;
use crate::input::{InputKind, OPTED_OUT, note_opted_out, read_export};
use crate::report::clusters::{Picture, draw};
use crate::report::drawings::pictures as in_order;
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;
use crate::shape_tables;
use crate::summary::{grouped, percent, printable};

/// Say what the crowd drew, and how sure that is: points, lines, boxes, circles, ellipses, outlines.
///
/// Marks that several volunteers drew in one place become one shape, at most one mark of a volunteer in
/// each. Writes one row per shape to FILE (who drew it, where it is, with intervals) and one row per mark
/// to FILE_members (which shape it is in, or why in none).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary shapes classifications.csv -o shapes.parquet
  volary shapes extracts -o shapes.csv --min-iou 0.4 --min-volunteers 4
  volary shapes extracts/shapes.parquet -o shapes.csv --algorithm hdbscan
  volary shapes extracts -o shapes.csv --figure pictures --images cutouts")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, or a shapes table.
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// dbscan (default), hdbscan or optics.
    #[arg(long, default_value = "dbscan", value_name = "NAME")]
    algorithm: String,
    /// Steepness of a cluster's walls, for optics.
    #[arg(long, default_value_t = 0.15, value_name = "SHARE")]
    xi: f64,
    /// `overlap`: forms with an area by how much they overlap; `pixels`: all but outlines in pixels.
    #[arg(long, default_value = "overlap", value_name = "NAME")]
    distance: String,
    /// Marks measured in pixels are neighbours up to this distance.
    #[arg(long, default_value_t = shapes::DEFAULT_EPS_PX, value_name = "PX")]
    eps: f64,
    /// Marks measured by overlap are neighbours from this intersection over union on.
    #[arg(long, default_value_t = shapes::DEFAULT_MIN_IOU, value_name = "SHARE")]
    min_iou: f64,
    /// So many volunteers make a shape.
    #[arg(long, default_value_t = shapes::DEFAULT_MIN_VOLUNTEERS, value_name = "N")]
    min_volunteers: usize,
    /// `one-per-volunteer`, or `every-mark` as in panoptes_aggregation.
    #[arg(long, default_value = "one-per-volunteer", value_name = "RULE")]
    members: String,
    /// Where a volunteer met a subject more than once: first, last or all count.
    #[arg(long, default_value = "first", value_name = "RULE")]
    repeats: String,
    /// Level of the intervals.
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    level: f64,
    /// The workflow export.
    #[arg(long, value_name = "CSV")]
    workflows: Option<PathBuf>,
    /// Draw the clusters of the first subjects into this folder, as SVG.
    #[arg(long, value_name = "DIR")]
    figure: Option<PathBuf>,
    /// How many pictures.
    #[arg(long, default_value_t = 24, value_name = "N")]
    figures: usize,
    /// Images to draw over: SUBJECT.png, or SUBJECT_FRAME.png (jpg, gif) for one frame of several.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    #[command(flatten)]
    rows: RowSettings,
}

impl Args {
    fn params(&self) -> Result<ShapeParams> {
        let algorithm = match self.algorithm.as_str() {
            "dbscan" => Algorithm::Dbscan,
            "hdbscan" => Algorithm::Hdbscan,
            "optics" if self.xi > 0.0 && self.xi < 1.0 => Algorithm::Optics { xi: self.xi },
            "optics" => bail!("--xi lies between 0 and 1, not at {}", self.xi),
            other => bail!("no algorithm {other:?}; there are dbscan, hdbscan, optics"),
        };
        let measure = match self.distance.as_str() {
            "overlap" => Measure::Auto,
            "pixels" => Measure::Euclidean,
            other => bail!("--distance {other:?}; there are overlap, pixels"),
        };
        let members = match self.members.as_str() {
            "one-per-volunteer" => Members::OnePerVolunteer,
            "every-mark" => Members::EveryMark,
            other => bail!("--members {other:?}; there are one-per-volunteer, every-mark"),
        };
        let repeats = Repeats::parse(&self.repeats)
            .ok_or_else(|| anyhow!("--repeats {:?}; there are first, last, all", self.repeats))?;
        let checked = || -> Result<ShapeParams, CrowdError> {
            ShapeParams::default()
                .with(algorithm, measure)
                .counting(members, repeats)
                .thresholds(self.eps, self.min_iou, self.min_volunteers)?
                .level(self.level)
        };
        Ok(checked()?)
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let params = args.params()?;
    TableFormat::of(&args.output)?;
    let images = args.images.as_deref().map(Images::open).transpose()?;
    let rows = args.rows.clone().or(&session.settings.rows);
    session.settings.rows = rows.clone();
    let drawn = read(args, &rows, &mut session)?;
    let size = |subject: &str, frame: u16| images.as_ref()?.size(subject, frame);
    let sign = session.working("clustering marks");
    let found = shapes::shapes(&drawn, &params, &size);
    drop(sign);
    session.problems.absorb(&found.problems);
    let n = shape_tables::write_shapes(&args.output, &drawn, &found)?;
    session.rows("shapes", n);
    let n = shape_tables::write_members(&beside(&args.output, "members"), &drawn, &found)?;
    session.rows("members", n);
    summarise(&drawn, &found, args.level, &mut session);
    if let Some(folder) = &args.figure {
        let n = pictures(&drawn, &found, images.as_ref(), args.figures, folder)?;
        session.summary.count("n_figures", "figures", n);
    }
    session.finish(Some(&run_json_for(&args.output)))
}

/// The marks of the input.
fn read(args: &Args, rows: &RowSettings, session: &mut Session) -> Result<Drawn> {
    let Some(first) = args.input.first() else { bail!("no input") };
    let table = if first.is_dir() {
        Some(find_shapes(first)?)
    } else if is_shapes_table(first)? {
        Some(first.clone())
    } else {
        None
    };
    let (drawn, problems) = match table {
        Some(table) => {
            session.input_file(&table)?;
            let (drawn, problems, n) = read_shapes_without(&table, &rows.without()?, &session.progress)?;
            if n > 0 {
                session.summary.left_out([(OPTED_OUT, n)].into_iter());
            }
            note_opted_out(rows, n, session);
            (drawn, problems)
        }
        None => match InputKind::of(first)? {
            InputKind::Export => {
                let mut sink = ShapeCollector::default();
                let workflows =
                    args.workflows.clone().or_else(|| session.settings.input.workflows.clone());
                read_export(&args.input, rows, workflows.as_deref(), &[], session, &mut sink)?;
                sink.finish()
            }
            other => bail!(
                "this looks like a {}, which has no drawn marks; `volary shapes` reads classification \
                 exports, and folders and shapes tables that `volary extract` wrote: {}",
                other.as_str(),
                first.display()
            ),
        },
    };
    session.problems.absorb(&problems);
    Ok(drawn)
}

/// The shapes table of a folder of extracts.
pub(crate) fn find_shapes(folder: &Path) -> Result<PathBuf> {
    let candidates = TableFormat::ALL.map(|f| folder.join(format!("shapes.{}", f.extension())));
    candidates.into_iter().find(|p| p.is_file()).with_context(|| {
        format!(
            "no shapes table in the folder; nobody drew anything, or it was not made by `volary extract \
             EXPORT -o {0}`: {0}",
            folder.display()
        )
    })
}

fn is_shapes_table(path: &Path) -> Result<bool> {
    if path == Path::new("-") {
        return Ok(false);
    }
    match TableFormat::of(path) {
        Ok(TableFormat::Parquet | TableFormat::Arrow | TableFormat::Json) => Ok(true),
        Ok(TableFormat::Csv) => {
            let blocks = match Blocks::open(path, RecordOptions::default(), &Progress::default()) {
                Ok(blocks) => blocks,
                // What is wrong with it is said by whoever reads it.
                Err(IngestError::Stopped) => return Err(IngestError::Stopped.into()),
                Err(_) => return Ok(false),
            };
            let has = |name: &str| blocks.header().find(name).is_some();
            Ok(has("shape") && has("volunteer") && has("subject_id") && !has("annotations"))
        }
        Err(_) => Ok(false),
    }
}

/// Counts, and the share of marks that others drew too.
fn summarise(drawn: &Drawn, found: &ShapeConsensus, level: f64, session: &mut Session) {
    let mut fates = BTreeMap::<&str, u64>::new();
    for mark in found.groups.iter().flat_map(|g| &g.marks) {
        *fates.entry(mark.fate.as_str()).or_default() += 1;
    }
    let fate = |name: &str| fates.get(name).copied().unwrap_or(0);
    let (members, noise) = (fate("member"), fate("noise"));
    let n_marks: u64 = fates.values().sum();
    let subjects: std::collections::BTreeSet<Symbol> = drawn.rows.iter().map(|r| r.subject).collect();
    let n_shapes: usize = found.groups.iter().map(|g| g.clusters.len()).sum();
    let summary = &mut session.summary;
    summary.count("n_subjects", "subjects", subjects.len() as u64);
    summary.count("n_marks", "marks", n_marks);
    summary.count("n_shapes", "consensus shapes", n_shapes as u64);
    let usable = members + noise;
    if usable > 0 {
        let share = members as f64 / usable as f64;
        let interval = jeffreys(members as f64, usable as f64, level);
        let shown = percent(share, interval.low, interval.high);
        let value = json!({"share": share, "low": interval.low, "high": interval.high});
        summary.line("marks_in_shapes", "marks in a shape", &shown, value);
    }
    for (name, label) in [("copy", "  drawn twice by one"), ("unusable", "  could not be used")] {
        if fate(name) > 0 {
            summary.count(&format!("n_{name}"), label, fate(name));
        }
    }
    summary.table("Shapes", &TABLE, &tools(drawn, found));
}

const TABLE: [&str; 7] =
    ["workflow", "task", "tool", "shape", "subjects", "consensus shapes", "drawn by (median)"];

/// Workflow, task, tool, form.
type ToolKey<'k> = (&'k str, &'k str, Option<u16>, &'k str);

/// One line per tool and form.
fn tools(drawn: &Drawn, found: &ShapeConsensus) -> Vec<Vec<String>> {
    let mut lines = BTreeMap::<ToolKey<'_>, Vec<&Group>>::new();
    for group in &found.groups {
        let text = |symbol| drawn.pool.text(symbol);
        let key = (text(group.workflow), text(group.task), group.tool, group.form.as_str());
        lines.entry(key).or_default().push(group);
    }
    let line = |((workflow, task, tool, form), groups): (ToolKey<'_>, Vec<&Group>)| {
        let mut shares: Vec<f64> = groups.iter().flat_map(|g| &g.clusters).map(|c| c.share).collect();
        shares.sort_by(f64::total_cmp);
        let median =
            shares.get(shares.len() / 2).map_or("–".to_owned(), |s| format!("{:.0} %", 100.0 * s));
        vec![
            printable(workflow),
            printable(task),
            tool.map_or("–".to_owned(), |t| t.to_string()),
            form.to_owned(),
            grouped(groups.len() as u64),
            grouped(shares.len() as u64),
            median,
        ]
    };
    lines.into_iter().map(line).collect()
}

/// Draws the first subjects that have a consensus shape, then those without.
fn pictures(
    drawn: &Drawn,
    found: &ShapeConsensus,
    images: Option<&Images>,
    n: usize,
    folder: &Path,
) -> Result<u64> {
    let mut written = 0;
    for groups in in_order(found).into_iter().take(n) {
        let group = &groups[0];
        let text = |symbol| drawn.pool.text(symbol);
        let subject = text(group.subject);
        let backdrop = images.and_then(|i| i.backdrop(subject, group.frame));
        let svg = draw(&Picture { drawn, groups, backdrop: backdrop.as_ref() });
        let name = format!(
            "shapes_{}_{}_{}_{}.svg",
            file_part(text(group.workflow)),
            file_part(subject),
            file_part(text(group.task)),
            group.frame
        );
        write_whole(&folder.join(name), svg.as_bytes())?;
        written += 1;
    }
    Ok(written)
}

/// A piece of a file name.
fn file_part(text: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    let part: String = text.chars().take(60).map(safe).collect();
    part.trim_start_matches('.').to_owned()
}
