//! `volary sample`: which candidates volunteers see, each with the chance that it had.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::builder::{Float64Builder, StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use volary_core::schema;
use volary_ingest::tables::{TableFormat, for_each_batch, write_table};
use volary_loop::sampling::top::{TopAndRest, top_and_rest};
use volary_loop::sampling::{
    BinRow, Candidate, Design, Draw, Frame, RealTime, Selected, Spacing, Stored, Stream, real_time,
    union,
};

use crate::consensus_tables::beside;
use crate::estimates::Sheet;
use crate::input::subject_ids;
use crate::session::{Session, run_json_for};
use crate::summary::grouped;

/// Draw subjects for volunteers out of a model's candidates, each with its probability.
///
/// `--top 0.01 --rest 2000` takes the top percent of any score (an anomaly score, say) and draws the rest at
/// random. For a model's candidates with scores from 0 to 1, `--number` draws evenly over the scores (weight 1/N for the N candidates of a score bin); `--above` takes what scores
/// higher than that. With both, a subject comes once, with the probability of coming by either way. Writes
/// one row per drawn subject to FILE, and for `--number` what was to be expected and what came of each bin to
/// FILE_bins. Divide by the probability to estimate totals over all candidates without bias.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary sample scores.csv --score-column anomaly_score --top 0.01 --rest 2000 -o sample.csv
  volary sample candidates.csv --number 200 -o sample.csv
  volary sample candidates.parquet --above 0.7 --most 100 --number 50 --shown shown.csv --seed 20261128 -o tonight.csv")]
pub(crate) struct Args {
    /// Candidates: a table with subject_id, score and, if you like, model.
    #[arg(required = true, value_name = "TABLE")]
    input: PathBuf,
    /// The column of the score, where it is not called that.
    #[arg(long, default_value = "score", value_name = "COLUMN")]
    score_column: String,
    /// Take this share of the highest scores: 0.01 is the top percent.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["number", "above", "single_precision"])]
    top: Option<f64>,
    /// Draw so many at random from those below the top.
    #[arg(long, value_name = "N", requires = "top", default_value_t = 0)]
    rest: usize,
    /// Draw so many evenly over the scores.
    #[arg(long, value_name = "N")]
    number: Option<usize>,
    /// Take what scores higher than this (0.7 is usual).
    #[arg(long, value_name = "SCORE")]
    above: Option<f64>,
    /// Take so many of those at most, drawn at random.
    #[arg(long, value_name = "N", requires = "above")]
    most: Option<usize>,
    /// Subjects that were shown or retired already (a table with subject_id): left out before anything is
    /// counted.
    #[arg(long, value_name = "TABLE")]
    shown: Option<PathBuf>,
    /// Only candidates of this model; or the model's name, where the table has no such column.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Bins of the score.
    #[arg(long, value_name = "N", default_value_t = 20)]
    bins: usize,
    /// Where bins are cut: score (equal width) or logit (finer near 0 and 1).
    #[arg(long, value_name = "SPACING", default_value = "score", value_parser = ["score", "logit"])]
    spacing: String,
    /// How to draw: batch (an exact number from each bin) or stream (by a random rank that each subject
    /// has of its own).
    #[arg(long, value_name = "HOW", default_value = "batch", value_parser = ["batch", "stream"])]
    draw: String,
    /// Scores were made in 32 bits: read them, and compare with --above, as such.
    #[arg(long)]
    single_precision: bool,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    if args.number.is_none() && args.above.is_none() && args.top.is_none() {
        bail!("nothing to draw; give --top, or --number, --above, or both");
    }
    let (candidates, passed_over) = read_candidates(args, &mut session)?;
    let shown = match &args.shown {
        Some(path) => subject_ids(path, &mut session)?,
        None => BTreeSet::new(),
    };
    if let Some(top_share) = args.top {
        draw_top(args, top_share, &candidates, &shown, &mut session)?;
        return session.finish(Some(&run_json_for(&args.output)));
    }
    let seed = session.global.seed;
    let stored = if args.single_precision { Stored::F32 } else { Stored::F64 };
    let real_time = match args.above {
        Some(threshold) => {
            let params = RealTime { threshold, stored, max: args.most, seed };
            Some(real_time(&candidates, &shown, &params)?)
        }
        None => None,
    };
    let spacing = if args.spacing == "logit" { Spacing::Logit } else { Spacing::Score };
    let (mut debiased, mut worth) = (None, None);
    if let Some(number) = args.number {
        let frame = Frame::new(&candidates, &shown, args.bins, spacing)?;
        worth = Some(frame.effective_size());
        let is_batch = args.draw == "batch";
        debiased = Some(if is_batch {
            frame.draw_batch(number, seed)
        } else {
            frame.draw_stream(number, seed)
        });
    }
    let selected = match (&real_time, &debiased) {
        (Some(one), Some(other)) => union(one, other)?,
        (Some(only), None) | (None, Some(only)) => only.selected.clone(),
        (None, None) => Vec::new(),
    };
    note_left_out(&candidates, passed_over, real_time.as_ref().or(debiased.as_ref()), &mut session);
    note(real_time.as_ref(), debiased.as_ref(), worth, &selected, &mut session);
    session.rows("sample", write_sample(&args.output, &selected)?);
    session.output(&args.output);
    if let Some(Design::Bins { rows, .. }) = debiased.as_ref().map(|draw| &draw.design) {
        session.rows("sample_bins", write_bins(&beside(&args.output, "bins"), rows)?);
    }
    session.finish(Some(&run_json_for(&args.output)))
}

/// Every row with an id; a score that is none stays one, so that it is counted as broken.
///
/// Also how many rows had no id, and how many were of another model.
fn read_candidates(args: &Args, session: &mut Session) -> Result<(Vec<Candidate>, [u64; 2])> {
    session.input_file(&args.input)?;
    let mut candidates = Vec::new();
    let (mut n_without_id, mut n_other_model) = (0, 0);
    let score = |text: &str| match args.single_precision {
        true => text.trim().parse::<f32>().map(f64::from),
        false => text.trim().parse::<f64>(),
    };
    let column = args.score_column.as_str();
    for_each_batch(&args.input, &["subject_id", column], &session.progress, |batch| {
        for row in 0..batch.n_rows() {
            let cell = |column| batch.text(column, row).unwrap_or_default();
            let (id, model) = (cell("subject_id"), cell("model"));
            let (id, model) = (id.trim(), model.trim());
            if id.is_empty() {
                n_without_id += 1;
                continue;
            }
            let wanted = args.model.as_deref().unwrap_or(model);
            if !model.is_empty() && model != wanted {
                n_other_model += 1;
                continue;
            }
            let score = score(&cell(column)).unwrap_or(f64::NAN);
            candidates.push(Candidate { id: id.to_owned(), score, model: wanted.to_owned() });
        }
        Ok(())
    })?;
    Ok((candidates, [n_without_id, n_other_model]))
}

/// The top of the scores, and a random draw of the others.
fn draw_top(
    args: &Args,
    top_share: f64,
    candidates: &[Candidate],
    shown: &BTreeSet<String>,
    session: &mut Session,
) -> Result<()> {
    let params = TopAndRest { top_share, n_rest: args.rest, seed: session.global.seed };
    let draw = top_and_rest(candidates, shown, &params)?;
    let parts = draw.selected.iter().map(|s| if s.is_top { "top" } else { "rest" });
    let batch = Sheet::default()
        .texts("subject_id", draw.selected.iter().map(|s| s.id.as_str()))
        .texts("part", parts)
        .numbers("score", draw.selected.iter().map(|s| s.score))
        .numbers("p_included", draw.selected.iter().map(|s| s.p_included))
        .texts("frame", draw.selected.iter().map(|_| draw.frame.as_str()))
        .finish()?;
    write_table(&args.output, &batch)?;
    session.table_file(&args.output, batch.num_rows() as u64);
    let summary = &mut session.summary;
    summary.count("n_candidates", "candidates", draw.n_candidates as u64);
    let reasons = [
        ("whose score is none", draw.quarantined.len() as u64),
        ("shown already", draw.excluded.len() as u64),
    ];
    summary.left_out(reasons.into_iter().filter(|(_, n)| *n > 0));
    summary.count("n_top", "of the top", draw.n_top as u64);
    if let Some(from) = draw.top_from {
        summary.line("top_from", "  which scores from", &format!("{from:.4}"), from);
    }
    let n_rest = draw.selected.len() - draw.n_top;
    let shown = format!("{}, each with chance {:.5}", grouped(n_rest as u64), draw.p_rest);
    summary.line("n_rest", "of the rest", &shown, n_rest as u64);
    summary.value("p_rest", draw.p_rest);
    summary.value("frame", draw.frame.as_str());
    summary.note("(weigh by 1/p_included wherever something is said of all candidates)");
    Ok(())
}

fn note_left_out(
    candidates: &[Candidate],
    [without_id, other_model]: [u64; 2],
    draw: Option<&Draw>,
    session: &mut Session,
) {
    let Some(draw) = draw else { return };
    let n_met = candidates.iter().map(|c| c.id.as_str()).collect::<BTreeSet<_>>().len();
    let (repeated, broken) = ((candidates.len() - n_met) as u64, draw.quarantined.len() as u64);
    let shown = draw.excluded.len() as u64;
    let summary = &mut session.summary;
    summary.count("n_candidates", "candidates", candidates.len() as u64);
    let reasons = [
        ("without an id", without_id),
        ("of another model", other_model),
        ("more than once", repeated),
        ("whose score is none", broken),
        ("shown already", shown),
    ];
    summary.left_out(reasons.into_iter().filter(|(_, n)| *n > 0));
    summary.value("n_repeated", repeated);
    summary.value("n_broken", broken);
    summary.value("n_shown", shown);
    summary.value("frame", draw.frame.as_str());
}

fn note(
    real_time: Option<&Draw>,
    debiased: Option<&Draw>,
    worth: Option<f64>,
    selected: &[Selected],
    session: &mut Session,
) {
    let summary = &mut session.summary;
    if let Some(Design::Threshold { n_above, p_included, .. }) = real_time.map(|draw| &draw.design) {
        summary.count("n_above", "above the threshold", *n_above as u64);
        if *p_included < 1.0 {
            summary.note(&format!("each of them was taken with probability {p_included:.4}"));
        }
    }
    if let Some(worth) = worth {
        let text = format!("as much as {worth:.0} equally weighted ones");
        summary.line("n_effective", "weighted candidates are worth", &text, worth);
    }
    summary.count("n_drawn", "drawn", selected.len() as u64);
    let n_real_time = selected.iter().filter(|s| s.stream == Stream::RealTime).count();
    summary.value("n_real_time", n_real_time as u64);
    let Some(Design::Bins { rows, .. }) = debiased.map(|draw| &draw.design) else { return };
    let n_empty = rows.iter().filter(|row| row.n_candidates == 0).count() as u64;
    if n_empty > 0 {
        summary.count("n_empty_bins", "bins without candidates: nothing is known there", n_empty);
    }
    let row = |row: &BinRow| {
        vec![
            format!("{:.3} to {:.3}", row.low, row.high),
            row.n_candidates.to_string(),
            row.quota.to_string(),
            format!("{:.1}", row.expected),
            row.achieved.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().take(40).map(row).collect();
    let header = ["score", "candidates", "even share", "expected", "drawn"];
    summary.table("Evenly over the scores", &header, &rows);
}

fn write_sample(path: &Path, selected: &[Selected]) -> Result<u64> {
    let mut texts: [StringBuilder; 4] = Default::default();
    let mut numbers: [Float64Builder; 3] = Default::default();
    let (mut bin, mut n_bin, mut seed) =
        (UInt32Builder::new(), UInt64Builder::new(), UInt64Builder::new());
    for s in selected {
        let cells = [s.id.as_str(), s.stream.as_str(), s.frame.as_str(), s.model.as_str()];
        texts.iter_mut().zip(cells).for_each(|(column, cell)| column.append_value(cell));
        let values = [s.score, s.weight, s.p_included];
        numbers.iter_mut().zip(values).for_each(|(column, x)| column.append_value(x));
        bin.append_option(s.bin.map(|(bin, _)| bin as u32));
        n_bin.append_option(s.bin.map(|(_, n)| n as u64));
        seed.append_value(s.seed);
    }
    let [id, stream, frame, model] = texts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let [score, weight, probability] = numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let (bin, n_bin, seed) = (Arc::new(bin.finish()), Arc::new(n_bin.finish()), Arc::new(seed.finish()));
    let columns = vec![id, stream, score, frame, bin, n_bin, weight, probability, seed, model];
    write_table(path, &RecordBatch::try_new(schema::sample(), columns)?)?;
    Ok(selected.len() as u64)
}

fn write_bins(path: &Path, rows: &[BinRow]) -> Result<u64> {
    let mut bin = UInt32Builder::new();
    let mut numbers: [Float64Builder; 4] = Default::default();
    let mut counts: [UInt64Builder; 3] = Default::default();
    for (at, row) in (0_u32..).zip(rows) {
        bin.append_value(at);
        let values = [row.low, row.high, row.p_included, row.expected];
        numbers.iter_mut().zip(values).for_each(|(column, x)| column.append_value(x));
        let values = [row.n_candidates, row.quota, row.achieved];
        counts.iter_mut().zip(values).for_each(|(column, n)| column.append_value(n as u64));
    }
    let [low, high, probability, expected] = numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let [n_candidates, quota, achieved] = counts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let bin = Arc::new(bin.finish()) as ArrayRef;
    let columns = vec![bin, low, high, n_candidates, quota, probability, expected, achieved];
    write_table(path, &RecordBatch::try_new(schema::sample_bins(), columns)?)?;
    Ok(rows.len() as u64)
}
