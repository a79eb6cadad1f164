//! `volary chosen`: which share of those who saw a subject picked it, and what weighing people changes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{BooleanArray, UInt32Array, UInt64Array};
use serde_json::json;
use volary_core::Votes;
use volary_crowd::chosen::{Chosen, ChosenRow, any_view, chosen, largest_shift, ranks, shift_bounds};
use volary_crowd::{Repeats, counted};
use volary_ingest::count_table::read_count_table;
use volary_ingest::output::write_whole;
use volary_ingest::tables::{TableFormat, write_table};

use crate::analysis::weights;
use crate::consensus_tables::beside;
use crate::estimates::Sheet;
use crate::input::{InputKind, read_input};
use crate::report::anomaly::{Chart, Curve, Histogram, Panel, Spot, chart, histograms};
use crate::report::pictures::{Scatter, scatter};
use crate::session::{Session, run_json_for};
use crate::settings::{ConsensusSettings, RowSettings};
use crate::summary::{grouped, printable};

/// Say which share of the volunteers who saw a subject picked it, with and without weighing them by their
/// experience, and which subjects that moves.
///
/// Writes a row per subject: fraction, weighted fraction, both with intervals, the places by both, and how far
/// the subject rose. FILE_moved holds those that rose and fell most. A count table (subject, seen, selected)
/// has no people to weigh: it gives the plain fraction, of distinct volunteers where it counts them.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary chosen labels.csv --answer 1 -o chosen.csv
  volary chosen classifications.csv --task T0 --answer Yes --experience 100:2 \\
      --experience-from galaxy_zoo_counts.csv --figures figures -o chosen.parquet
  volary chosen labels.csv --answer 1 --experience log10 --repeats any -o chosen.csv
  volary chosen consensus_aggregation_table.dat -o chosen.csv")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, a votes table, a label table (task,worker,label), a count table.
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The answer that picks a subject.
    #[arg(long, value_name = "ANSWER")]
    answer: Option<String>,
    /// The task it answers, where there are several.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Weight by experience: steps such as `100:2` (two votes from 100 classifications on; default), or
    /// log10, sqrt, saturating:100.
    #[arg(long, value_name = "RULE", conflicts_with = "weights")]
    experience: Option<String>,
    /// What counts as experience: `total` (default), `past` (before each vote), or a table with columns
    /// volunteer or user_name, and n_classifications.
    #[arg(long, value_name = "total|past|TABLE", conflicts_with = "weights")]
    experience_from: Option<String>,
    /// Weights from a table with columns volunteer or user_name, and weight.
    #[arg(long, value_name = "TABLE")]
    weights: Option<PathBuf>,
    /// Of several views by one person: first (default), last or all count, or any (picked it in any view).
    #[arg(long, default_value = "first", value_name = "RULE", value_parser = ["first", "last", "all", "any"])]
    repeats: String,
    /// jeffreys (default), wilson, clopper-pearson or beta-binomial.
    #[arg(long, value_name = "NAME")]
    interval: Option<String>,
    /// Level of the intervals [default: 0.95].
    #[arg(long, value_name = "SHARE")]
    level: Option<f64>,
    /// How many that rose, and that fell, to list.
    #[arg(long, default_value_t = 20, value_name = "N")]
    moved: usize,
    /// Folder for the figures: weighted against plain fraction, the change, experience.
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// The workflow export.
    #[arg(long, value_name = "CSV")]
    workflows: Option<PathBuf>,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let first = args.input.first().filter(|p| p.is_file());
    if let Some(path) = first.filter(|p| matches!(InputKind::of(p), Ok(InputKind::CountTable))) {
        from_counts(args, path, &mut session)?;
    } else {
        from_votes(args, &mut session)?;
    }
    session.finish(Some(&run_json_for(&args.output)))
}

fn settings(args: &Args) -> Result<ConsensusSettings> {
    let by_table = args.weights.is_some();
    let settings = ConsensusSettings {
        interval: args.interval.clone(),
        level: args.level,
        experience: (!by_table).then(|| args.experience.clone().unwrap_or_else(|| "100:2".to_owned())),
        experience_from: args.experience_from.clone(),
        weights: args.weights.clone(),
        ..ConsensusSettings::default()
    };
    settings.check()?;
    Ok(settings)
}

fn from_votes(args: &Args, session: &mut Session) -> Result<()> {
    let settings = settings(args)?;
    let params = settings.params()?;
    let rows = args.rows.clone().or(&session.settings.rows);
    let workflows = args.workflows.clone().or_else(|| session.settings.input.workflows.clone());
    let votes = read_input(&args.input, &rows, workflows.as_deref(), &[], session)?;
    let (question, answer) = asked(args, &votes)?;
    let counted = match Repeats::parse(&args.repeats) {
        Some(rule) => counted(&votes, rule),
        None => any_view(&votes, (question, answer)),
    };
    let weights = match weights(&votes, &counted, &settings, session)? {
        Some(weights) => weights,
        None => volary_crowd::Weights::uniform(&votes),
    };
    let found = chosen(&votes, (question, answer), &counted, &weights, &params)?;
    if found.rows.is_empty() {
        bail!("no classification answers the task; look at the input with `volary check`");
    }
    write_rows(&args.output, &votes, &found, &found.rows.iter().collect::<Vec<_>>())?;
    session.table_file(&args.output, found.rows.len() as u64);
    let moved = most_moved(&found, args.moved);
    let path = beside(&args.output, "moved");
    write_rows(&path, &votes, &found, &moved)?;
    session.table_file(&path, moved.len() as u64);
    session.summary.count("n_repeats", "repeated views", counted.n_repeats);
    summarise(&votes, &found, &moved, session);
    if let Some(share) = weights.effective_share(&counted) {
        let shown = format!("{:.1} % of the votes' number", 100.0 * share);
        session.summary.line("effective_share", "effective votes", &shown, share);
    }
    if let Some(folder) = &args.figures {
        let totals = experience(&votes, &counted.counts);
        draw(folder, &found, &totals, args, session)?;
    }
    Ok(())
}

/// The question and the answer that are meant.
fn asked(args: &Args, votes: &Votes) -> Result<(u32, u32)> {
    let Some(answer) = &args.answer else {
        bail!("which answer picks a subject? give --answer; the votes have {}", answers(votes));
    };
    let is_meant = |task: &str| args.task.as_deref().is_none_or(|t| t == task);
    let found: Vec<(u32, u32)> = (0..)
        .zip(&votes.questions)
        .filter(|(_, q)| is_meant(&q.task))
        .filter_map(|(at, q)| Some((at, q.answers.iter().position(|a| a == answer)? as u32)))
        .collect();
    match found[..] {
        [only] => Ok(only),
        [] => bail!("nobody gave the answer {answer:?}; the votes have {}", answers(votes)),
        _ => bail!("several tasks have the answer {answer:?}; name one with --task (and --workflow)"),
    }
}

fn answers(votes: &Votes) -> String {
    let of = |q: &volary_core::votes::Question| {
        let some: Vec<String> = q.answers.iter().take(6).map(|a| format!("{a:?}")).collect();
        format!("{}: {}", if q.task.is_empty() { "labels" } else { &q.task }, some.join(", "))
    };
    printable(&votes.questions.iter().take(4).map(of).collect::<Vec<_>>().join("; "))
}

/// Those that fell most, and those that rose most, largest change first.
fn most_moved(found: &Chosen, n: usize) -> Vec<&ChosenRow> {
    let mut order: Vec<&ChosenRow> = found.rows.iter().collect();
    order.sort_by(|a, b| b.rise().total_cmp(&a.rise()).then(a.subject.cmp(&b.subject)));
    let rose = order.iter().take(n).take_while(|r| r.rise() > 0.0);
    let fell = order.iter().rev().take(n).take_while(|r| r.rise() < 0.0);
    rose.chain(fell).copied().collect()
}

fn write_rows(path: &Path, votes: &Votes, found: &Chosen, rows: &[&ChosenRow]) -> Result<()> {
    let of = |f: fn(&ChosenRow) -> f64| rows.iter().map(move |r| f(r));
    let bound = |end: fn(volary_crowd::Interval) -> f64| {
        rows.iter().map(move |r| end(shift_bounds(r.plain.value, found.weight_ratio)))
    };
    let count =
        |f: fn(&ChosenRow) -> u32| Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| f(r))));
    let batch = Sheet::default()
        .texts("subject_id", rows.iter().map(|r| votes.subjects[r.subject as usize].as_str()))
        .column("n_volunteers", count(|r| r.n_volunteers))
        .column("n_chosen", count(|r| r.n_chosen))
        .numbers("fraction", of(|r| r.plain.value))
        .numbers("fraction_low", of(|r| r.plain.interval.low))
        .numbers("fraction_high", of(|r| r.plain.interval.high))
        .numbers("weighted_fraction", of(|r| r.weighted.value))
        .numbers("weighted_fraction_low", of(|r| r.weighted.interval.low))
        .numbers("weighted_fraction_high", of(|r| r.weighted.interval.high))
        .numbers("n_effective", of(|r| r.n_effective))
        .numbers("weighted_least", bound(|b| b.low))
        .numbers("weighted_most", bound(|b| b.high))
        .numbers("rank", of(|r| r.rank))
        .numbers("weighted_rank", of(|r| r.rank_weighted))
        .numbers("rise", of(ChosenRow::rise))
        .finish()?;
    write_table(path, &batch)?;
    Ok(())
}

fn summarise(votes: &Votes, found: &Chosen, moved: &[&ChosenRow], session: &mut Session) {
    let summary = &mut session.summary;
    let rows = &found.rows;
    let n = rows.len() as f64;
    summary.count("n_subjects", "subjects", rows.len() as u64);
    summary.count("n_volunteers", "volunteers", votes.volunteers.len() as u64);
    let mean = |f: fn(&ChosenRow) -> f64| rows.iter().map(f).sum::<f64>() / n;
    let (plain, weighted) = (mean(|r| r.plain.value), mean(|r| r.weighted.value));
    let shown = format!("{plain:.4} (weighted {weighted:.4})");
    summary.line("mean_fraction", "mean fraction", &shown, plain);
    summary.value("mean_weighted_fraction", weighted);
    for threshold in [0.1, 0.5] {
        let k = rows.iter().filter(|r| r.weighted.value > threshold).count() as u64;
        let interval = volary_crowd::interval::jeffreys(k as f64, n, 0.95);
        let share = crate::summary::percent(k as f64 / n, interval.low, interval.high);
        let label = format!("weighted above {threshold}");
        let value = json!({"n": k, "low": interval.low, "high": interval.high});
        summary.line(&format!("above_{threshold}"), &label, &format!("{}: {share}", grouped(k)), value);
    }
    let largest = rows.iter().map(|r| (r.weighted.value - r.plain.value).abs()).fold(0.0, f64::max);
    let bound = largest_shift(found.weight_ratio);
    let shown = format!("{largest:.4} (no more than {bound:.4} is possible)");
    summary.line("largest_change", "largest change", &shown, largest);
    summary.value("largest_possible_change", bound);
    let cells = |r: &&ChosenRow| {
        vec![
            printable(&votes.subjects[r.subject as usize]),
            format!("{} of {}", r.n_chosen, r.n_volunteers),
            format!("{:.3} ({:.3}–{:.3})", r.plain.value, r.plain.interval.low, r.plain.interval.high),
            format!(
                "{:.3} ({:.3}–{:.3})",
                r.weighted.value, r.weighted.interval.low, r.weighted.interval.high
            ),
            format!("{:+.1}", r.rise()),
        ]
    };
    let rose = moved.iter().filter(|r| r.rise() > 0.0).take(5);
    let fell = moved.iter().filter(|r| r.rise() < 0.0).take(5);
    let table: Vec<Vec<String>> = rose.chain(fell).map(cells).collect();
    let header = ["subject", "picked", "fraction", "weighted", "places risen"];
    summary.table("Moved most by weighing (more in FILE_moved)", &header, &table);
}

/// Classifications that count, of each volunteer who has any.
fn experience(votes: &Votes, counts: &[bool]) -> Vec<f64> {
    let mut totals = vec![0_u32; votes.volunteers.len()];
    for (volunteer, counts) in votes.volunteer.iter().zip(counts) {
        totals[*volunteer as usize] += u32::from(*counts);
    }
    totals.into_iter().filter(|n| *n > 0).map(f64::from).collect()
}

fn draw(
    folder: &Path,
    found: &Chosen,
    totals: &[f64],
    args: &Args,
    session: &mut Session,
) -> Result<()> {
    let plain: Vec<f64> = found.rows.iter().map(|r| r.plain.value).collect();
    let weighted: Vec<f64> = found.rows.iter().map(|r| r.weighted.value).collect();
    let change: Vec<f64> = weighted.iter().zip(&plain).map(|(w, p)| w - p).collect();
    let mut save = |name: &str, svg: &str| -> Result<()> {
        let path = folder.join(name);
        write_whole(&path, svg.as_bytes())?;
        session.output(&path);
        Ok(())
    };
    let about = Scatter {
        x: ("fraction", &plain),
        y: ("weighted fraction", &weighted),
        value: None,
        marked: None,
    };
    save("weighted.svg", &scatter(&about, "weighted against plain chosen fraction")?.svg)?;
    let bound = |end: fn(volary_crowd::Interval) -> f64| -> Vec<Spot> {
        let at = |i: u32| f64::from(i) / 100.0;
        let y = |x: f64| end(shift_bounds(x, found.weight_ratio)) - x;
        (0..=100).map(|i| Spot { x: at(i), y: y(at(i)), band: None }).collect()
    };
    let guides = [
        Curve { name: "least".into(), spots: bound(|b| b.low) },
        Curve { name: "most".into(), spots: bound(|b| b.high) },
    ];
    let mut by_plain: Vec<(f64, f64)> = plain.iter().copied().zip(change).collect();
    by_plain.sort_by(|a, b| a.0.total_cmp(&b.0));
    // In bins of the plain fraction: the mean change, and where nine in ten lie.
    let spots = (0..20).filter_map(|bin| {
        let (low, high) = (f64::from(bin) / 20.0, f64::from(bin + 1) / 20.0);
        let is_in = |x: f64| (low..high).contains(&x) || (bin == 19 && x >= 1.0);
        let mut inside: Vec<f64> = by_plain.iter().filter(|(x, _)| is_in(*x)).map(|(_, c)| *c).collect();
        inside.sort_unstable_by(f64::total_cmp);
        let last = inside.len().checked_sub(1)?;
        let at = |q: f64| inside[(q * last as f64).round() as usize];
        let mean = inside.iter().sum::<f64>() / inside.len() as f64;
        Some(Spot { x: (low + high) / 2.0, y: mean, band: Some((at(0.05), at(0.95))) })
    });
    let curves = [Curve { name: "mean, and 90 % of them".into(), spots: spots.collect() }];
    let most = (largest_shift(found.weight_ratio) * 1.15).max(0.01);
    let about = Chart {
        alt: "change of the chosen fraction by weighing, with the bounds that no change can pass",
        x: "fraction",
        y: "weighted less plain",
        is_share: true,
        y_range: Some((-most, most)),
        has_diagonal: false,
        guides: &guides,
    };
    save("change.svg", &chart(&about, &curves)?)?;
    let logs: Vec<f64> = totals.iter().map(|n| n.log10()).collect();
    let high = logs.iter().copied().fold(1.0, f64::max).ceil();
    let rule = args.experience.as_deref().unwrap_or("100:2");
    let from = rule.split(',').filter_map(|step| step.split_once(':')?.0.trim().parse::<f64>().ok());
    let marks =
        if args.weights.is_some() || args.experience_from.as_deref().is_some_and(|f| f != "total") {
            Vec::new()
        } else {
            from.filter(|n| *n > 0.0)
                .map(|n| {
                    let k = totals.iter().filter(|t| **t >= n).count();
                    (n.log10(), format!("{k} from {n} on"))
                })
                .collect()
        };
    let panel = Panel {
        title: "Classifications of each volunteer".to_owned(),
        x: "log₁₀ of classifications in this input".to_owned(),
        groups: vec![Histogram { name: format!("{} volunteers", logs.len()), values: logs }],
        range: (0.0, high),
        n_bins: 24,
        marks,
    };
    save("experience.svg", &histograms(&[panel], 1, "classifications of each volunteer")?)?;
    session.summary.note(&format!("figures: {}", folder.display()));
    Ok(())
}

/// Fractions from counts alone.
fn from_counts(args: &Args, path: &Path, session: &mut Session) -> Result<()> {
    let params = settings(args)?.params()?;
    let table = read_count_table(path, &session.progress)?;
    if args.answer.is_some() && table.answers.is_none() {
        bail!("a count table of one answer a subject needs no --answer; leave it out");
    }
    let is_meant = |at: usize| match (&table.answers, &args.answer) {
        (Some(answers), Some(answer)) => answers[at] == *answer,
        _ => true,
    };
    let rows: Vec<usize> = (0..table.subject_ids.len()).filter(|&at| is_meant(at)).collect();
    if rows.is_empty() {
        bail!("no row of the count table has that answer");
    }
    let people = |at: usize| table.n_volunteers.as_ref().map_or(table.n_seen[at], |n| n[at]);
    // Selections that were not counted once a person can pass the number of people.
    let picked = |at: usize| table.n_votes[at].min(people(at));
    let n_capped = rows.iter().filter(|&&at| table.n_votes[at] > people(at)).count() as u64;
    let share =
        |at: usize| if people(at) > 0 { picked(at) as f64 / people(at) as f64 } else { f64::NAN };
    let mut known = std::collections::HashMap::new();
    let intervals: Vec<_> = rows
        .iter()
        .map(|&at| {
            let key = (picked(at), people(at));
            *known.entry(key).or_insert_with(|| params.around(key.0 as f64, key.1 as f64, None))
        })
        .collect();
    let shares: Vec<f64> = rows.iter().map(|&at| share(at)).collect();
    let places = ranks(&shares.iter().map(|s| if s.is_nan() { -1.0 } else { *s }).collect::<Vec<_>>());
    let count =
        |f: &dyn Fn(usize) -> u64| Arc::new(UInt64Array::from_iter_values(rows.iter().map(|&at| f(at))));
    let capped = BooleanArray::from_iter(rows.iter().map(|&at| Some(table.n_votes[at] > people(at))));
    let batch = Sheet::default()
        .texts("subject_id", rows.iter().map(|&at| table.subject_ids[at].as_str()))
        .column("n_volunteers", count(&people))
        .column("n_chosen", count(&picked))
        .numbers("fraction", shares.iter().copied())
        .numbers("fraction_low", intervals.iter().map(|i| i.low))
        .numbers("fraction_high", intervals.iter().map(|i| i.high))
        .numbers("rank", places.into_iter())
        .column("is_capped", Arc::new(capped))
        .finish()?;
    write_table(&args.output, &batch)?;
    session.report(table.report);
    session.table_file(&args.output, rows.len() as u64);
    let summary = &mut session.summary;
    summary.count("n_subjects", "subjects", rows.len() as u64);
    let of = if table.n_volunteers.is_some() { "distinct volunteers" } else { "views" };
    summary.line("denominator", "fractions are of", of, of);
    if n_capped > 0 {
        summary.count("n_capped", "picked more often than seen", n_capped);
        summary.note("(several picks by one person; taken as picked by all who saw it)");
    }
    for threshold in [0.1, 0.5] {
        let k = shares.iter().filter(|s| **s > threshold).count() as u64;
        let interval = volary_crowd::interval::jeffreys(k as f64, rows.len() as f64, params.level());
        let share = crate::summary::percent(k as f64 / rows.len() as f64, interval.low, interval.high);
        let value = json!({"n": k, "low": interval.low, "high": interval.high});
        let shown = format!("{}: {share}", grouped(k));
        summary.line(
            &format!("above_{threshold}"),
            &format!("fraction above {threshold}"),
            &shown,
            value,
        );
    }
    summary.note("(counts have no people to weigh; weighted fractions need the votes)");
    Ok(())
}
