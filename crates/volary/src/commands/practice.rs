//! `volary practice`: whether volunteers learn, tire, and do better once they were told.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::builder::{Float64Builder, StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use serde_json::json;
use volary_core::schema;
use volary_crowd::practice::{Bin, Effect, Practice, PracticeParams, judged, practice};
use volary_crowd::{Repeats, counted};
use volary_ingest::tables::{TableFormat, write_table};

use crate::analysis::{check_truth, read_truth};
use crate::input::{read_input, subject_ids};
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;

/// Ask whether volunteers learn, tire, and do better once they were told the answer.
///
/// Votes on subjects with a known truth. Each volunteer is compared with themselves, so that it is no learning
/// when those who were good from the beginning stay: experienced against not yet, late in a session against
/// early, just told against not (Mantel–Haenszel). Nothing is said of any one person. Writes the comparisons and
/// the curves to FILE.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary practice classifications.csv --truth truth.csv -o practice.csv
  volary practice classifications.csv --truth truth.csv --feedback training-set.csv --tired-after 45 -o practice.csv")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, or a votes table; with times.
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// True answers (subject_id,answer or task,label).
    #[arg(long, value_name = "TABLE")]
    truth: PathBuf,
    /// Subjects after which a volunteer sees the answer (subject_id).
    #[arg(long, value_name = "TABLE")]
    feedback: Option<PathBuf>,
    /// Classifications after which somebody is experienced.
    #[arg(long, value_name = "N", default_value_t = PracticeParams::default().experienced_after)]
    experienced_after: u32,
    /// Minutes of a session after which somebody may be tired.
    #[arg(long, value_name = "MINUTES", default_value_t = PracticeParams::default().tired_after_minutes)]
    tired_after: u32,
    /// Classifications in which feedback is fresh.
    #[arg(long, value_name = "N", default_value_t = PracticeParams::default().fresh)]
    fresh: u32,
    /// Level of the intervals.
    #[arg(long, value_name = "SHARE", default_value_t = PracticeParams::default().level)]
    level: f64,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let rows = args.rows.clone().or(&session.settings.rows);
    let votes = read_input(&args.input, &rows, None, &[], &mut session)?;
    let truth = read_truth(&args.truth, &mut session)?;
    check_truth(&truth, &votes, &mut session)?;
    let told: BTreeSet<String> = match &args.feedback {
        Some(path) => subject_ids(path, &mut session)?,
        None => BTreeSet::new(),
    };
    let told: HashSet<&str> = told.iter().map(String::as_str).collect();
    let judged = judged(&votes, &counted(&votes, Repeats::First), &truth, &told);
    if judged.is_empty() {
        bail!(
            "no vote has both a time and a known truth; give a truth table of these subjects, and votes with created_at"
        );
    }
    let params = PracticeParams {
        experienced_after: args.experienced_after,
        tired_after_minutes: args.tired_after,
        fresh: args.fresh,
        level: args.level,
    };
    let found = practice(&judged, &params)?;
    tell(&found, args.feedback.is_some(), &mut session);
    session.rows("practice", write(&args.output, &found)?);
    session.output(&args.output);
    session.finish(Some(&run_json_for(&args.output)))
}

fn effects(found: &Practice) -> [(&'static str, &'static str, Option<Effect>); 3] {
    [
        ("learning", "experienced, against not yet", found.learning),
        ("tiring", "late in a session, against early", found.tiring),
        ("feedback", "just told, against not", found.feedback),
    ]
}

fn tell(found: &Practice, is_told: bool, session: &mut Session) {
    let summary = &mut session.summary;
    summary.count("n_judged", "votes judged", found.n);
    let mut rows = Vec::new();
    for (name, words, effect) in
        effects(found).into_iter().filter(|(name, ..)| is_told || *name != "feedback")
    {
        let Some(e) = effect else {
            rows.push(vec![
                words.to_owned(),
                "–".to_owned(),
                "nobody has both".to_owned(),
                String::new(),
            ]);
            continue;
        };
        rows.push(vec![
            words.to_owned(),
            format!(
                "{:+.1} ({:+.1} to {:+.1})",
                100.0 * e.difference,
                100.0 * e.difference_interval.low,
                100.0 * e.difference_interval.high
            ),
            format!(
                "{:.2} ({:.2}–{:.2})",
                e.odds_ratio, e.odds_ratio_interval.low, e.odds_ratio_interval.high
            ),
            format!("{:.2e}", e.p),
        ]);
        summary.value(
            name,
            json!({
                "n": e.n_inside, "n_against": e.n_outside, "n_strata": e.n_strata, "difference": e.difference,
                "difference_low": e.difference_interval.low, "difference_high": e.difference_interval.high,
                "odds_ratio": e.odds_ratio, "p": e.p,
            }),
        );
    }
    summary.table("Each with themselves", &["", "points more right", "odds ratio", "p"], &rows);
    for (title, unit, bins) in [
        ("By experience", "classifications before", &found.by_experience),
        ("By time in the session", "minutes", &found.by_minutes),
    ] {
        let rows: Vec<Vec<String>> = bins
            .iter()
            .filter(|bin| bin.n > 0)
            .map(|bin| {
                let against = bin
                    .against_first
                    .map_or_else(|| "–".to_owned(), |e| format!("{:+.1}", 100.0 * e.difference));
                let share = 100.0 * bin.n_right as f64 / bin.n as f64;
                vec![range(bin), bin.n.to_string(), format!("{share:.1} %"), against]
            })
            .collect();
        summary.table(
            title,
            &[unit, "votes", "right", "points to the first, each with themselves"],
            &rows,
        );
    }
}

fn range(bin: &Bin) -> String {
    match bin.to {
        u32::MAX => format!("{} and more", bin.from),
        to => format!("{}–{to}", bin.from),
    }
}

fn write(path: &std::path::Path, found: &Practice) -> Result<u64> {
    let mut what = StringBuilder::new();
    let mut ends: [UInt32Builder; 2] = Default::default();
    let (mut n, mut strata) = (UInt64Builder::new(), UInt64Builder::new());
    let mut numbers: [Float64Builder; 10] = Default::default();
    let mut n_rows = 0;
    let mut put = |name: &str, bin: Option<&Bin>, effect: Option<Effect>| {
        n_rows += 1;
        what.append_value(name);
        ends[0].append_option(bin.map(|b| b.from));
        ends[1].append_option(bin.map(|b| b.to).filter(|to| *to < u32::MAX));
        n.append_value(bin.map_or_else(|| effect.map_or(0, |e| e.n_inside + e.n_outside), |b| b.n));
        strata.append_option(effect.map(|e| e.n_strata));
        let bin = bin.filter(|b| b.n > 0);
        let share = bin.map(|b| [b.n_right as f64 / b.n as f64, b.interval.low, b.interval.high]);
        let of_effect = effect.map(|e| {
            [
                e.difference,
                e.difference_interval.low,
                e.difference_interval.high,
                e.odds_ratio,
                e.odds_ratio_interval.low,
                e.odds_ratio_interval.high,
                e.p,
            ]
        });
        for i in 0..3 {
            numbers[i].append_option(share.map(|s| s[i]));
        }
        for i in 0..7 {
            numbers[3 + i].append_option(of_effect.map(|e| e[i]));
        }
    };
    for (name, _, effect) in effects(found) {
        put(name, None, effect);
    }
    for (name, bins) in [("experience", &found.by_experience), ("session minutes", &found.by_minutes)] {
        bins.iter().for_each(|bin| put(name, Some(bin), bin.against_first));
    }
    let [from, to] = ends.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let mut numbers = numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef).into_iter();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(what.finish()), from, to, Arc::new(n.finish())];
    columns.extend(numbers.by_ref().take(3));
    columns.push(Arc::new(strata.finish()));
    columns.extend(numbers);
    write_table(path, &RecordBatch::try_new(schema::practice(), columns)?)?;
    Ok(n_rows)
}
