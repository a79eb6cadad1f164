//! `volary simulate`: data with known truth.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{StringBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use clap::Subcommand;
use volary_core::schema;
use volary_crowd::{CrowdParams, MultipleParams, SimulatedCrowd, simulate, simulate_multiple};
use volary_ingest::output::AtomicFile;
use volary_ingest::tables::{TableFormat, TableWriter, write_table};

use crate::commands::extract::table_format;
use crate::crowd_effects::{EffectArgs, numbers};
use crate::crowd_tables as tables;
use crate::session::{Session, run_json_for};

/// Simulate data with known truth.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Crowd(Box<Crowd>),
    Lightcurves(Box<super::simulate_lightcurves::Args>),
    Images(Box<super::simulate_images::Args>),
    Campaign(super::simulate_campaign::Args),
}

/// Votes from volunteers with drawn confusion matrices and heavy-tailed activity.
///
/// Writes `labels` (task,worker,label,created_at), `truth` (task,label,difficulty), `skill` (worker,true,
/// given,probability), `subjects` and `volunteers` with all else that was drawn, and `gold` and `scores`
/// where asked for. With `--several`, `votes` instead of `labels`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary simulate crowd -o crowd --subjects 1000 --volunteers 200
  volary simulate crowd -o big --votes 1000000 --classes 5 --to parquet
  volary simulate crowd -o mixed --kinds mixed --classes 5 --learning 0.3:0.1 --session-votes 20
  volary simulate crowd -o fooled --tempting 0.1:0.6 --gold 0.05 --machine 0.9
  volary simulate crowd -o ticks --several --classes 4 --correlation 0.3
  volary consensus crowd/labels.csv --truth crowd/truth.csv -o consensus.csv")]
struct Crowd {
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Format of the tables: csv, parquet, json or arrow.
    #[arg(long, default_value = "csv", value_name = "FORMAT")]
    to: String,
    /// Subjects.
    #[arg(long, default_value_t = 1000)]
    subjects: u32,
    /// About this many votes in all; sets the number of subjects.
    #[arg(long, conflicts_with = "subjects")]
    votes: Option<u64>,
    /// Volunteers to draw from [default: a sixtieth of the votes].
    #[arg(long)]
    volunteers: Option<u32>,
    /// Classes.
    #[arg(long, default_value_t = 2)]
    classes: u32,
    /// Mean votes per subject.
    #[arg(long, default_value_t = 10.0)]
    per_subject: f64,
    /// Mean chance of a right answer on an easy subject.
    #[arg(long, default_value_t = 0.8)]
    skill: f64,
    /// How alike volunteers are (Dirichlet concentration).
    #[arg(long, default_value_t = 10.0)]
    concentration: f64,
    /// Mean difficulty of the subjects: 0 none, 1 everybody guesses.
    #[arg(long, default_value_t = 0.1)]
    difficulty: f64,
    /// Chance that a volunteer meets a subject again.
    #[arg(long, default_value_t = 0.0)]
    repeats: f64,
    /// Share of each class, `0.6,0.3,0.1` [default: even]; with --several the chance that each answer is
    /// true [default: 0.3].
    #[arg(long, value_name = "SHARES")]
    prevalence: Option<String>,
    /// The i-th busiest volunteer comes in proportion to i to minus this; 0 is even.
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    activity: f64,
    #[command(flatten)]
    effects: EffectArgs,
    /// A question with several answers: each of the classes is a yes or no of its own.
    #[arg(long)]
    several: bool,
    /// Correlation of the true answers of a subject (with --several).
    #[arg(long, value_name = "0..1", default_value_t = 0.0, requires = "several")]
    correlation: f64,
    /// Correlation of the errors of one visit (with --several).
    #[arg(long, value_name = "0..1", default_value_t = 0.0, requires = "several")]
    error_correlation: f64,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        What::Crowd(crowd) => run_crowd(crowd, session),
        What::Lightcurves(args) => super::simulate_lightcurves::run(args, session),
        What::Images(args) => super::simulate_images::run(args, session),
        What::Campaign(args) => super::simulate_campaign::run(args, session),
    }
}

fn run_crowd(args: &Crowd, mut session: Session) -> Result<ExitCode> {
    let format = table_format(&args.to)?;
    let params = params(args, session.global.seed)?;
    let path = |name: &str| args.output.join(format!("{name}.{}", format.extension()));
    let n_votes =
        if args.several { several(args, params.clone(), &path)? } else { one_answer(&params, &path)? };
    session.summary.count("n_votes", "votes", n_votes as u64);
    session.summary.count("n_subjects", "subjects", u64::from(params.n_subjects));
    session.summary.count("n_volunteers", "volunteers", u64::from(params.n_volunteers));
    session.summary.note(&format!("written to {}", args.output.display()));
    session.finish(Some(&run_json_for(&args.output)))
}

fn one_answer(params: &CrowdParams, path: &dyn Fn(&str) -> PathBuf) -> Result<usize> {
    let crowd = simulate(params)?;
    write_labels(&path("labels"), &crowd)?;
    write_truth(&path("truth"), &crowd)?;
    write_skill(&path("skill"), &crowd)?;
    tables::write_subjects(&path("subjects"), &crowd)?;
    tables::write_volunteers(&path("volunteers"), &crowd)?;
    if params.effects.gold_share > 0.0 {
        tables::write_gold(&path("gold"), &crowd)?;
    }
    if params.effects.machine.is_some() {
        tables::write_scores(&path("scores"), &crowd)?;
    }
    Ok(crowd.n_votes())
}

fn several(args: &Crowd, mut params: CrowdParams, path: &dyn Fn(&str) -> PathBuf) -> Result<usize> {
    let prevalence = std::mem::take(&mut params.prevalence);
    let has_gold = params.effects.gold_share > 0.0;
    let crowd = simulate_multiple(&MultipleParams {
        crowd: params,
        prevalence,
        correlation: args.correlation,
        error_correlation: args.error_correlation,
    })?;
    tables::write_ticks(&path("votes"), &crowd)?;
    tables::write_true_answers(&path("truth"), &crowd, |_| true)?;
    tables::write_sensitivity(&path("skill"), &crowd)?;
    tables::write_tickers(&path("volunteers"), &crowd)?;
    if has_gold {
        tables::write_true_answers(&path("gold"), &crowd, |i| crowd.is_gold[i])?;
    }
    Ok(crowd.n_visits())
}

fn params(args: &Crowd, seed: u64) -> Result<CrowdParams> {
    let subjects = |votes: u64| (votes as f64 / args.per_subject).round().clamp(1.0, 4e9) as u32;
    let n_subjects = args.votes.map_or(args.subjects, subjects);
    let n_votes = f64::from(n_subjects) * args.per_subject;
    let spread = (args.per_subject / 2.0).floor();
    let (min_votes, max_votes) =
        ((args.per_subject - spread).ceil() as u32, (args.per_subject + spread).floor() as u32);
    let volunteers =
        args.volunteers.unwrap_or((n_votes / 60.0).ceil().clamp(f64::from(max_votes), 4e9) as u32);
    let shares = |text: &String| numbers("--prevalence", text, ',');
    Ok(CrowdParams {
        n_subjects,
        n_volunteers: volunteers,
        n_classes: args.classes,
        votes_per_subject: args.per_subject,
        min_votes,
        max_votes,
        skill: args.skill,
        concentration: args.concentration,
        difficulty: args.difficulty,
        repeat_fraction: args.repeats,
        activity_exponent: args.activity,
        prevalence: args.prevalence.as_ref().map_or(Ok(Vec::new()), shares)?,
        effects: args.effects.effects()?,
        seed,
    })
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn write_labels(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    if TableFormat::of(path)? == TableFormat::Csv {
        return write_labels_csv(path, crowd);
    }
    let created = Field::new("created_at", schema::timestamp(), false);
    let schema = Arc::new(Schema::new(vec![text("task"), text("worker"), text("label"), created]));
    let mut writer = TableWriter::create(path, &schema)?;
    let rows: Vec<usize> = (0..crowd.n_votes()).collect();
    for chunk in rows.chunks(1 << 15) {
        let mut columns: [StringBuilder; 3] = Default::default();
        let mut times = TimestampMillisecondBuilder::new().with_data_type(schema::timestamp());
        for &i in chunk {
            columns[0].append_value(crowd.subject[i].to_string());
            columns[1].append_value(SimulatedCrowd::volunteer_name(crowd.volunteer[i]));
            columns[2].append_value(crowd.answer[i].to_string());
            times.append_value(crowd.created_ms[i]);
        }
        let mut arrays: Vec<ArrayRef> =
            columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        arrays.push(Arc::new(times.finish()));
        writer.write(&RecordBatch::try_new(schema.clone(), arrays)?)?;
    }
    writer.finish()?;
    Ok(())
}

/// The common case, without a million small strings.
fn write_labels_csv(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    writeln!(file, "task,worker,label,created_at")?;
    for i in 0..crowd.n_votes() {
        let worker = SimulatedCrowd::volunteer_name(crowd.volunteer[i]);
        let time = volary_ingest::time::format_ms(crowd.created_ms[i]);
        writeln!(file, "{},{worker},{},{time}", crowd.subject[i], crowd.answer[i])?;
    }
    file.commit()?;
    Ok(())
}

fn write_truth(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let n = crowd.true_class.len();
    let strings = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let columns = vec![
        strings((0..n).map(|i| i.to_string()).collect()),
        strings(crowd.true_class.iter().map(ToString::to_string).collect()),
        Arc::new(Float64Array::from(crowd.difficulty.clone())) as ArrayRef,
    ];
    let difficulty = Field::new("difficulty", DataType::Float64, false);
    let schema = Arc::new(Schema::new(vec![text("task"), text("label"), difficulty]));
    Ok(write_table(path, &RecordBatch::try_new(schema, columns)?)?)
}

fn write_skill(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let k = crowd.n_classes as usize;
    let cells = crowd.confusion.len();
    let place = |i: usize| (i / (k * k), (i / k) % k, i % k);
    let worker =
        |i: usize| SimulatedCrowd::volunteer_name(u32::try_from(place(i).0).unwrap_or(u32::MAX));
    let column = |f: &dyn Fn(usize) -> u64| {
        Arc::new(UInt64Array::from((0..cells).map(f).collect::<Vec<u64>>())) as ArrayRef
    };
    let columns = vec![
        Arc::new(StringArray::from((0..cells).map(worker).collect::<Vec<_>>())) as ArrayRef,
        column(&|i| place(i).1 as u64),
        column(&|i| place(i).2 as u64),
        Arc::new(Float64Array::from(crowd.confusion.clone())) as ArrayRef,
    ];
    let number = |name| Field::new(name, DataType::UInt64, false);
    let probability = Field::new("probability", DataType::Float64, false);
    let schema =
        Arc::new(Schema::new(vec![text("worker"), number("true"), number("given"), probability]));
    Ok(write_table(path, &RecordBatch::try_new(schema, columns)?)?)
}
