//! `volary boundary`: what people choose, carried to images nobody has seen.

mod bundle;
mod figures;
mod saved;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use volary_ingest::tables::TableFormat;
use volary_space::boundary::{BoundaryParams, Kept, Prepared, Quantity, Row, strata};
use volary_space::logistic::LogisticParams;
use volary_space::slice::Table as _;
use volary_space::{Bootstrap, Points};
use volary_web::project::{labels_of_rows, read_labels, too_few_labels};

pub(crate) use bundle::Opened;
pub(crate) use saved::{ModelName, Saved, Seen, model_name};

use crate::commands::tags::tags_of_subjects;
use crate::consensus_tables::beside;
use crate::estimates::{as_json, decimals, number_list, shown};
use crate::session::{Session, run_json_for};
use crate::whole_table::WholeTable;

/// Learn which vectors people choose, and say what that selects, at many thresholds.
///
/// Principal components, then logistic regression with balanced classes. The label is yes where a quantity
/// exceeds a threshold: the chosen fraction, a score, or their product; or what experts said on the page.
/// Precision, recall, F1, selected share and prevalence are measured on subjects held out (the same share of every label), with bootstrap intervals.
/// Writes the sweep to FILE, by lower limits of the score to FILE_cuts, what is kept of every tag to FILE_tags,
/// the subjects held out to FILE_held. --save keeps one boundary for `volary select`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary boundary embeddings.parquet --with chosen.csv --chosen weighted_fraction -o sweep.csv
  volary boundary embeddings.parquet --with chosen.csv --with scores.csv --chosen weighted_fraction \\
      --score feature_score --tags tags_subjects.csv --at 0.5 --save taste.json --figures figures -o sweep.csv
  volary boundary embeddings.parquet --with chosen.csv --chosen fraction --thresholds 0.1:0.9:0.1 \\
      --names paper -o sweep.csv
  volary boundary embeddings.parquet --labels labels.jsonl --save experts.json -o experts.csv")]
pub(crate) struct Args {
    /// Table with vectors: .parquet, .csv, .json, .arrow or .npy.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Column of the chosen fraction.
    #[arg(long, value_name = "COLUMN", required_unless_present = "labels")]
    chosen: Option<String>,
    /// What experts said, instead of a chosen fraction: labels.jsonl, as the page writes it. A subject's value is the
    /// mean of its labels that are numbers.
    #[arg(long, value_name = "JSONL", conflicts_with_all = ["chosen", "score"])]
    labels: Option<PathBuf>,
    /// Which question of the labels.
    #[arg(long, value_name = "NAME", default_value = "relevance", requires = "labels")]
    question: String,
    /// Column of a score; adds sweeps over it and over fraction × score, and the cuts.
    #[arg(long, value_name = "COLUMN")]
    score: Option<String>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Thresholds of the chosen fraction, or of labels: a list, or from:to:step [default: 0.1:0.9:0.1, of labels
    /// 0.5:4.5:1, which is from 1, 2, 3, 4, 5 on].
    #[arg(long, value_name = "NUMBERS")]
    thresholds: Option<String>,
    /// Thresholds of the score [default: ten, from its median to its 99th percentile].
    #[arg(long, value_name = "NUMBERS", requires = "score")]
    score_thresholds: Option<String>,
    /// Thresholds of fraction × score [default: likewise, of those above 0].
    #[arg(long, value_name = "NUMBERS", requires = "score")]
    product_thresholds: Option<String>,
    /// Lower limits of the score for FILE_cuts [default: ten, from its lowest to its 95th percentile].
    #[arg(long, value_name = "NUMBERS", requires = "score")]
    cuts: Option<String>,
    /// The quantity of the boundary that is cut, drawn and saved.
    #[arg(long, default_value = "chosen", value_name = "NAME", value_parser = ["chosen", "score", "product"])]
    of: String,
    /// Its threshold [default: 0.5, of labels 2.5].
    #[arg(long, value_name = "THRESHOLD")]
    at: Option<f64>,
    /// Tags of subjects, as `volary tags` writes them (subject_id, tags): FILE_tags says which are lost.
    #[arg(long, value_name = "TABLE")]
    tags: Option<PathBuf>,
    /// Only tags of so many subjects held out, or more.
    #[arg(long, default_value_t = 1, value_name = "N")]
    tag_subjects: usize,
    /// Keep the boundary in this file: .json, or .tar with the --model in it, for whoever has new images.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The model that made the vectors (a folder or file): its name and checksum go into the saved file.
    #[arg(long, value_name = "MODEL", requires = "save")]
    model: Option<PathBuf>,
    /// Folder for the figures.
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// Columns of a map for the figures, instead of the first two components.
    #[arg(long, value_name = "X,Y", requires = "figures")]
    map: Option<String>,
    /// usual, or paper: as Mantha et al. 2024 print them, precision and recall exchanged.
    #[arg(long, default_value = "usual", value_name = "NAMES", value_parser = ["usual", "paper"])]
    names: String,
    /// Principal components.
    #[arg(long, default_value_t = 25, value_name = "N")]
    components: usize,
    /// Inverse strength of the regression's penalty.
    #[arg(long, default_value_t = 1.0, value_name = "C")]
    c: f64,
    /// Do not weigh the classes alike: a rare one is then hardly ever selected.
    #[arg(long)]
    unbalanced: bool,
    /// Share of the subjects held out.
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    held_out: f64,
    /// Column of what a subject shows, such as an object's id: one object is held out as a whole, or not.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// Bootstrap samples for the intervals.
    #[arg(long, default_value_t = 200, value_name = "N")]
    bootstraps: usize,
}

/// What was found, for tables and figures.
pub(crate) struct Found<'a> {
    args: &'a Args,
    /// Ids of the points.
    ids: Vec<&'a str>,
    points: Points,
    prepared: Prepared,
    /// Chosen fraction, then score and product where there is a score; or the labels alone.
    quantities: Vec<Quantity>,
    rows: Vec<Row>,
    /// The one that is cut, drawn and saved.
    main: Row,
    /// Lower limits, and what the main boundary does above them.
    cuts: Vec<(f64, Row)>,
    /// Places for the map.
    map: (Vec<f64>, Vec<f64>),
}

/// The quantity that people decide: what it is called, and what it is unless something else is asked for.
struct Decided {
    name: &'static str,
    values: Vec<f64>,
    thresholds: &'static str,
    at: f64,
}

impl Args {
    /// The chosen fraction of each point, or what experts said of it.
    fn decided(&self, table: &WholeTable, row_of: &[usize], session: &mut Session) -> Result<Decided> {
        if let Some(path) = &self.labels {
            let said = read_labels(path, &self.question)?;
            session.input_file(path)?;
            let ids: Vec<&str> = row_of.iter().map(|&row| table.ids[row].as_str()).collect();
            let values = labels_of_rows(&said, &ids);
            return Ok(Decided { name: LABEL, values, thresholds: "0.5:4.5:1", at: 2.5 });
        }
        let column = self
            .chosen
            .as_deref()
            .context("the chosen fraction has no column; name it with --chosen")?;
        let all = table.numbers("--chosen", column)?;
        let values = row_of.iter().map(|&row| all[row]).collect();
        Ok(Decided { name: "chosen", values, thresholds: "0.1:0.9:0.1", at: 0.5 })
    }

    /// What the saved file says of the quantity.
    fn column(&self) -> String {
        self.chosen.clone().unwrap_or_else(|| format!("label({})", self.question))
    }
}

/// The quantity of labels.
const LABEL: &str = "label";

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    if args.score.is_none() && args.of != "chosen" {
        bail!("--of {} needs a score; name its column with --score", args.of);
    }
    if args.model.is_none() && args.save.as_deref().is_some_and(bundle::is_bundle) {
        bail!(
            "a file that ends in .tar holds the model as well; name its folder with --model, or save a .json"
        );
    }
    let model = args.model.as_deref().map(model_name).transpose()?;
    let table = WholeTable::read(&args.table, &args.with, &mut session)?;
    let (points, row_of) = table.points(&mut session)?;
    let found = find(args, &table, points, &row_of, &mut session)?;
    if let Some(row) =
        found.rows.iter().chain(found.cuts.iter().map(|c| &c.1)).find(|r| !r.identity_holds())
    {
        bail!(
            "precision × selected is not recall × prevalence at {} {}; please report this",
            row.quantity,
            row.threshold
        );
    }
    write::sweep(&args.output, &found, &mut session)?;
    let kept = tags(args, &found, &mut session)?;
    summarise(&found, &kept, &mut session);
    if let Some(path) = &args.save {
        let saved = Saved::new(&found, model, session.global.seed)?;
        match &args.model {
            Some(model) if bundle::is_bundle(path) => bundle::write(&saved, model, path)?,
            _ => saved.write(path)?,
        }
        session.output(path);
        session.summary.note(&format!("boundary: {}", path.display()));
    }
    if let Some(folder) = &args.figures {
        figures::draw(folder, &found, &mut session)?;
    }
    session.finish(Some(&run_json_for(&args.output)))
}

fn find<'a>(
    args: &'a Args,
    table: &'a WholeTable,
    points: Points,
    row_of: &[usize],
    session: &mut Session,
) -> Result<Found<'a>> {
    let pick = |values: &[f64]| row_of.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let decided = args.decided(table, row_of, session)?;
    let chosen = decided.values;
    let score =
        args.score.as_deref().map(|name| table.numbers("--score", name).map(pick)).transpose()?;
    let n_known = chosen.iter().filter(|v| !v.is_nan()).count();
    session.summary.count("n_subjects", "subjects with a vector", points.len() as u64);
    let what = if args.labels.is_some() { "  with a label" } else { "  with a chosen fraction" };
    session.summary.count("n_chosen_known", what, n_known as u64);
    if n_known == 0 {
        bail!(
            "no subject with a vector has a value in {:?}; compare the tables' columns subject_id",
            args.column()
        );
    }
    let mut quantities = vec![Quantity {
        name: decided.name.to_owned(),
        values: chosen.clone(),
        thresholds: number_list(
            "--thresholds",
            args.thresholds.as_deref().unwrap_or(decided.thresholds),
        )?,
    }];
    if let Some(score) = &score {
        let product: Vec<f64> = chosen.iter().zip(score).map(|(c, s)| c * s).collect();
        let above_0: Vec<f64> = product.iter().copied().filter(|v| *v > 0.0).collect();
        for (name, option, text, values, of) in [
            ("score", "--score-thresholds", &args.score_thresholds, score, score),
            ("product", "--product-thresholds", &args.product_thresholds, &product, &above_0),
        ] {
            let thresholds = match text {
                Some(text) => number_list(option, text)?,
                None => spread(of, 0.5, 0.99),
            };
            quantities.push(Quantity { name: name.to_owned(), values: values.clone(), thresholds });
        }
    }
    let seed = session.global.seed;
    let params = BoundaryParams {
        n_components: args.components,
        logistic: LogisticParams { c: args.c, balanced: !args.unbalanced },
        held_out: args.held_out,
        seed,
        bootstrap: Bootstrap::new(args.bootstraps, 0.95, seed)?,
    };
    let sign = session.working("finding components");
    let strata = strata(&chosen);
    let groups = args.group.as_deref().map(|name| groups(table, name, row_of)).transpose()?;
    if let Some(groups) = &groups {
        let n_groups = groups.iter().collect::<std::collections::BTreeSet<_>>().len();
        session.summary.count("n_groups", "objects shown", n_groups as u64);
    }
    let prepared = Prepared::stratified(&points, &strata, groups.as_deref(), &params)?;
    drop(sign);
    let sign = session.working("sweeping thresholds");
    let rows = prepared.sweep(&quantities, None)?;
    let (of, at) = (if args.labels.is_some() { LABEL } else { &args.of }, args.at.unwrap_or(decided.at));
    let quantity = quantities.iter().find(|q| q.name == of).context("a quantity of that name")?;
    let main = prepared.at(quantity, at)?;
    let mut cuts = Vec::new();
    if let Some(score) = &score {
        let limits = match &args.cuts {
            Some(text) => number_list("--cuts", text)?,
            None => spread(score, 0.0, 0.95),
        };
        let judged = prepared.by_cut(quantity, at, score, &limits)?;
        cuts = limits.into_iter().zip(judged).collect();
    }
    drop(sign);
    let map = map(args, table, row_of, &prepared)?;
    let ids = row_of.iter().map(|&row| table.ids[row].as_str()).collect();
    Ok(Found { args, ids, points, prepared, quantities, rows, main, cuts, map })
}

/// The group of each point by number; a point without one is a group for itself.
fn groups(table: &WholeTable, name: &str, row_of: &[usize]) -> Result<Vec<u32>> {
    let Some(column) = table.columns.column(name) else {
        bail!("--group {name:?} is no column; there are {}", table.columns.names().join(", "));
    };
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let of = |(at, row): (usize, &usize)| {
        // No text of a table holds a line break and begins with a blank.
        let key = column.label_at(*row).unwrap_or_else(|| format!(" \n{at}"));
        let next = numbers.len() as u32;
        *numbers.entry(key).or_insert(next)
    };
    Ok(row_of.iter().enumerate().map(of).collect())
}

/// Ten numbers evenly between two quantiles, rounded to three digits.
fn spread(values: &[f64], from: f64, to: f64) -> Vec<f64> {
    let mut known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let Some(last) = known.len().checked_sub(1) else { return vec![0.0] };
    let (low, high) = (known[(from * last as f64) as usize], known[(to * last as f64) as usize]);
    let step = (high - low) / 9.0;
    let scale = if step > 0.0 { 10_f64.powf(2.0 - step.log10().floor()) } else { 1.0 };
    let mut all: Vec<f64> =
        (0..10).map(|i| ((low + f64::from(i) * step) * scale).round() / scale).collect();
    all.dedup();
    all
}

fn map(
    args: &Args,
    table: &WholeTable,
    row_of: &[usize],
    prepared: &Prepared,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let Some(text) = &args.map else {
        let along = |axis: usize| {
            let of = |row: usize| prepared.reduced().row(row).get(axis).copied().unwrap_or(0.0);
            (0..row_of.len()).map(|row| f64::from(of(row))).collect()
        };
        return Ok((along(0), along(1)));
    };
    let Some((x, y)) = text.split_once(',') else {
        bail!("--map {text:?} names no two columns; write x,y")
    };
    let pick = |name: &str| -> Result<Vec<f64>> {
        let values = table.numbers("--map", name.trim())?;
        Ok(row_of.iter().map(|&row| values[row]).collect())
    };
    Ok((pick(x)?, pick(y)?))
}

/// Tags and what every row of the sweep keeps of them.
struct KeptTags {
    names: Vec<String>,
    of_rows: Vec<Vec<Kept>>,
    of_main: Vec<Kept>,
}

fn tags(args: &Args, found: &Found<'_>, session: &mut Session) -> Result<Option<KeptTags>> {
    let Some(path) = &args.tags else { return Ok(None) };
    let by_tag = tags_of_subjects(path, session)?;
    let at: std::collections::HashMap<&str, usize> =
        found.ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let (mut names, mut groups) = (Vec::new(), Vec::new());
    for (name, subjects) in by_tag {
        let rows: Vec<usize> = subjects.iter().filter_map(|id| at.get(id.as_str()).copied()).collect();
        let n_held = rows.iter().filter(|row| found.prepared.held().binary_search(row).is_ok()).count();
        if n_held >= args.tag_subjects.max(1) {
            names.push(name);
            groups.push(rows);
        }
    }
    if names.is_empty() {
        session.summary.note("no subject held out has a tag: FILE_tags is not written");
        return Ok(None);
    }
    let of_rows = found.prepared.groups(&found.rows, &groups)?;
    let mut of_main = found.prepared.groups(std::slice::from_ref(&found.main), &groups)?;
    let kept = KeptTags { names, of_rows, of_main: of_main.pop().unwrap_or_default() };
    write::tags(&beside(&args.output, "tags"), found, &kept, session)?;
    Ok(Some(kept))
}

fn summarise(found: &Found<'_>, kept: &Option<KeptTags>, session: &mut Session) {
    let summary = &mut session.summary;
    let (n_train, n_held) = (found.prepared.train().len(), found.prepared.held().len());
    summary.count("n_train", "fitted to", n_train as u64);
    summary.count("n_held", "held out", n_held as u64);
    let explained: f64 = found.prepared.pca().explained().iter().sum();
    let k = found.prepared.pca().n_components();
    let shown_share = format!("{:.1} % by {k}", 100.0 * explained);
    summary.line("explained", "variance in components", &shown_share, explained);
    let cells = |row: &Row| {
        vec![
            row.quantity.clone(),
            format!("{}", row.threshold),
            shown(row.prevalence),
            shown(row.selected),
            shown(row.precision),
            shown(row.recall),
            decimals(row.f1),
        ]
    };
    let header = ["quantity", "above", "are so", "selected", "precision", "recall", "F1"];
    let rows: Vec<Vec<String>> = found.rows.iter().map(cells).collect();
    summary.table("Boundaries, judged on subjects held out", &header, &rows);
    let main = &found.main;
    summary.value(
        "boundary",
        json!({
            "quantity": main.quantity, "threshold": main.threshold, "n": main.n,
            "prevalence": as_json(main.prevalence), "selected": as_json(main.selected),
            "precision": as_json(main.precision), "recall": as_json(main.recall), "f1": as_json(main.f1),
        }),
    );
    let sentence = main.sentence(found.points.len());
    summary.note(&format!("At {} {}: {sentence}.", main.quantity, main.threshold));
    summary.value("sentence", sentence);
    if main.quantity == LABEL {
        summary.note(
            "(who was labelled was chosen, mostly, and not drawn: the numbers hold for such subjects)",
        );
        let too_few = too_few_labels(&found.quantities[0].values, main.threshold);
        if let Some(sentence) = &too_few {
            summary.note(sentence);
        }
        summary.value("too_few_labels", json!(too_few));
    }
    if found.quantities.len() > 1 {
        summary.note(
            "(score and vectors come from one network: that a product with the score is predicted better does \
             not mean better agreement with people)",
        );
    }
    if let Some(kept) = kept {
        let lost: Vec<&str> = kept
            .names
            .iter()
            .zip(&kept.of_main)
            .filter(|(_, k)| k.n_selected == Some(0))
            .map(|(name, _)| name.as_str())
            .collect();
        summary.value("tags_lost", json!(lost));
        let all = kept.names.len();
        let names =
            crate::summary::printable(&lost.iter().take(12).copied().collect::<Vec<_>>().join(", "));
        let label = format!("{} of {all}", lost.len());
        let tail = if lost.is_empty() { label } else { format!("{label}: {names}") };
        summary.line("n_tags_lost", "tags lost at it", &tail, lost.len() as u64);
    }
}

/// Where the file of a name beside the output goes.
fn part(path: &Path, name: &str) -> PathBuf {
    beside(path, name)
}
