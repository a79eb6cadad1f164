//! `volary gold`: gold-standard labels out of votes, their verification, and gold among other labels.

mod mix;
mod record;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use volary_core::{QuestionKind, Votes};
use volary_crowd::gold::{GoldItem, GoldParams, first_votes, gold};
use volary_crowd::{Consensus, Repeats, counted};
use volary_ingest::tables::TableFormat;
use volary_release::policy::Policy;

use self::record::{Aggregator, Manifest};
use crate::analysis::Analysis;
use crate::input::read_input;
use crate::session::{Session, run_json_for};
use crate::settings::{ConsensusSettings, RowSettings};
use crate::summary::printable;

/// Make gold-standard labels out of votes, hard where the crowd is sure and soft elsewhere.
///
/// Writes to FILE a row for each subject with enough votes (its hard label, or none), to FILE_soft each
/// answer's share with its interval (`volary train --consensus` reads it), to FILE_votes the votes that all of
/// it stands on, and to FILE_gold.json by which method and rule. From these `volary gold verify` makes the
/// labels again. FILE_votes is for the team only.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  volary gold classifications.csv --task T0 -o gold.csv
  volary gold extracts --task T0 --most 15 --method dawid-skene --optouts optouts.toml -o gold.parquet
  volary gold verify gold.csv
  volary gold mix gold.csv --with planets=planets.csv --with junk=random.csv --share 0.1 -o training.csv")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    make: Make,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Verify(verify::Args),
    Mix(mix::Args),
}

/// What gold is made of. What it needs is an `Option` for the parser's sake: a subcommand goes without.
#[derive(Clone, Debug, clap::Args)]
struct Make {
    /// Exports, a folder of extracts, a votes table, or a label table (task,worker,label).
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Option<PathBuf>,
    /// The task, where there are several.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Votes that a subject needs.
    #[arg(long, value_name = "N", default_value_t = GoldParams::default().least)]
    least: u32,
    /// Of a subject with more votes the first N count [default: all].
    #[arg(long, value_name = "N")]
    most: Option<u32>,
    /// Share from which on an answer may be a hard label; its interval must exclude one half, too.
    #[arg(long, value_name = "SHARE", default_value_t = GoldParams::default().agreement)]
    agreement: f64,
    /// How votes become labels: fraction, dawid-skene, ibcc, glad, mace, wawa, iwmv or swap.
    #[arg(long, value_name = "NAME", default_value = "fraction")]
    method: String,
    /// jeffreys (default), wilson or clopper-pearson.
    #[arg(long, value_name = "NAME")]
    interval: Option<String>,
    /// Level of the intervals [default: 0.95].
    #[arg(long, value_name = "SHARE")]
    level: Option<f64>,
    /// Where a volunteer met a subject more than once: first (default), last or all count.
    #[arg(long, value_name = "RULE")]
    repeats: Option<String>,
    /// The team's policy; its version is stamped on the labels [default: the `policy` of volary.toml].
    #[arg(long, value_name = "TOML")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        Some(What::Verify(args)) => verify::run(args, session),
        Some(What::Mix(args)) => mix::run(args, session),
        None => make(&args.make, session),
    }
}

fn make(args: &Make, mut session: Session) -> Result<ExitCode> {
    let output = args.output.as_ref().context("nothing to write; see `volary gold --help`")?;
    TableFormat::of(output)?;
    let rule = GoldParams { least: args.least.max(1), agreement: args.agreement };
    rule.check()?;
    if args.most.is_some_and(|most| most < rule.least) {
        bail!("--most is smaller than --least, so that no subject would have enough votes");
    }
    let policy = session.policy_of(args.policy.as_deref())?;
    let policy = policy.as_deref().map(Policy::read).transpose()?;
    let rows = args.rows.clone().or(&session.settings.rows);
    session.settings.rows = rows.clone();
    let votes = read_input(&args.input, &rows, None, &[], &mut session)?;
    let question = question(&votes, args.task.as_deref())?;
    let repeats = Repeats::parse(args.repeats.as_deref().unwrap_or("first"))
        .with_context(|| format!("--repeats {:?}; there are first, last, all", args.repeats))?;
    let used = first_votes(&votes, question, &counted(&votes, repeats), args.most);
    let aggregator = Aggregator {
        method: args.method.clone(),
        interval: args.interval.clone(),
        level: args.level,
        seed: session.global.seed,
        words: String::new(),
    };
    let made = labels(used, &aggregator, &rule, &mut session)?;
    let mut manifest = Manifest::of(&made, aggregator, rule, args.most);
    manifest.policy = policy.map(|policy| policy.version);
    let files = record::write(output, &made, &mut manifest)?;
    for (path, n) in files {
        session.table_file(&path, n);
    }
    session.output(&record::manifest_path(output));
    summarise(&made, &manifest, &mut session);
    session.finish(Some(&run_json_for(output)))
}

/// The question to make gold of.
fn question(votes: &Votes, task: Option<&str>) -> Result<u32> {
    let is_meant = |q: &volary_core::votes::Question| {
        task.is_none_or(|task| task == q.task)
            && !matches!(q.kind, QuestionKind::Slider | QuestionKind::Unknown)
    };
    let found: Vec<u32> =
        (0..).zip(&votes.questions).filter(|(_, q)| is_meant(q)).map(|(i, _)| i).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => bail!("no question with answers is meant; `volary consensus` lists the tasks"),
        several => {
            let names = several.iter().map(|i| {
                let q = &votes.questions[*i as usize];
                format!("{}/{}", q.workflow, q.task)
            });
            bail!(
                "there are several questions ({}); choose with --task or --workflow",
                printable(&names.collect::<Vec<_>>().join(", "))
            )
        }
    }
}

/// Labels, and what they were made of.
struct Made {
    votes: Votes,
    consensus: Consensus,
    items: Vec<GoldItem>,
}

/// Labels out of votes on one question: a function of these votes, the method and the rule.
fn labels(
    votes: Votes,
    aggregator: &Aggregator,
    rule: &GoldParams,
    session: &mut Session,
) -> Result<Made> {
    let settings = ConsensusSettings {
        method: Some(aggregator.method.clone()),
        interval: aggregator.interval.clone(),
        level: aggregator.level,
        // Those that do not count are not among the votes.
        repeats: Some("all".to_owned()),
        ..ConsensusSettings::default()
    };
    if aggregator.method == "auto" || aggregator.interval.as_deref() == Some("beta-binomial") {
        bail!(
            "gold is made by a method that is stated beforehand; choose one that needs no other subjects to be chosen by"
        );
    }
    session.global.seed = aggregator.seed;
    let analysis = Analysis::new(votes, &settings, None, session)?;
    let items = gold(&analysis.votes, &analysis.consensus, rule)?;
    Ok(Made { votes: analysis.votes, consensus: analysis.consensus, items })
}

fn summarise(made: &Made, manifest: &Manifest, session: &mut Session) {
    let summary = &mut session.summary;
    summary.line("method", "method", &manifest.aggregator.words, manifest.aggregator.words.clone());
    summary.count("n_subjects", "subjects with enough votes", manifest.n_subjects);
    summary.count("n_hard", "  hard labels", manifest.n_hard);
    summary.count("n_soft", "  soft labels only", manifest.n_subjects - manifest.n_hard);
    summary.line(
        "label_set",
        "label set",
        &manifest.label_set_blake3.chars().take(12).collect::<String>(),
        manifest.label_set_blake3.clone(),
    );
    let Some(question) = made.votes.questions.first() else { return };
    let rows: Vec<Vec<String>> = (0..)
        .zip(&question.answers)
        .map(|(i, answer)| {
            let of = |truth: Option<bool>| {
                let is =
                    |item: &&GoldItem| item.answers.iter().any(|a| a.answer == i && a.is_true == truth);
                made.items.iter().filter(is).count().to_string()
            };
            vec![answer.clone(), of(Some(true)), of(Some(false)), of(None)]
        })
        .collect();
    session.summary.table("Hard labels", &["answer", "true", "false", "not sure"], &rows);
}
