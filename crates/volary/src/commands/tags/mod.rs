//! `volary tags`: what people call things, beside what they chose.

mod figures;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use volary_crowd::chosen::ranks;
use volary_crowd::tags::merge::folded;
use volary_crowd::tags::{MergeTable, Quantile, Remark, Tagging, Tags, propose, quantile};
use volary_ingest::count_table::read_count_table;
use volary_ingest::tables::{TableFormat, for_each_batch};
use volary_ingest::talk::{CommentRow, TagRow, withhold_names};
use volary_space::Estimate;
use volary_space::inspection::auc;

use crate::commands::talk;
use crate::consensus_tables::beside;
use crate::session::{Session, run_json_for};
use crate::summary::{grouped, percent, printable};
use crate::whole_table::WholeTable;

/// Count what people call subjects in Talk, and hold it against what they chose and how unusual it scored.
///
/// Writes a row per tag to FILE: subjects, comments, people, the chosen fraction and scores of its subjects. A
/// tag by one or two people is their habit and no category: `is_category` says which. FILE_subjects has a row
/// per discussed subject, FILE_merge proposes which tags mean the same (spelling, plural, separators): edit it
/// and give it back with --merge. No text of a comment and no name goes into any of them.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary tags comments.json tags.json -o tags.csv
  volary tags talk-export.tar.gz --merge tags_merge.csv --with chosen.csv --chosen weighted_fraction -o tags.csv
  volary tags comments.json tags.json --counts consensus_aggregation_table.dat --figures figures -o tags.csv
  volary tags comments.json tags.json --with chosen.csv --with scores.csv --chosen fraction \\
      --score anomaly_score -o tags.csv")]
pub(crate) struct Args {
    /// Talk exports: comments and tags, JSON or the archive as it is downloaded (.tar.gz).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Which tags mean the same: a table with columns raw and merged.
    #[arg(long, value_name = "TABLE")]
    merge: Option<PathBuf>,
    /// Counts of each subject (subject_id, seen, selected): the chosen fraction. Only its subjects take part.
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["with", "chosen"])]
    counts: Option<PathBuf>,
    /// A table by subject_id, with the columns of --chosen and --score; only subjects of the first take part.
    /// May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Column of the chosen fraction.
    #[arg(long, value_name = "COLUMN", requires = "with")]
    chosen: Option<String>,
    /// Column of a score. May be repeated.
    #[arg(long, value_name = "COLUMN", requires = "with")]
    score: Vec<String>,
    /// Fewest people who make a tag a category.
    #[arg(long, default_value_t = 3, value_name = "N")]
    people: u64,
    /// Fewest uses that bring a tag into the figures and the summary.
    #[arg(long, default_value_t = 10, value_name = "N")]
    uses: u64,
    /// Level of the intervals.
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    level: f64,
    /// Folder for the figures: fractions, comments and scores by tag.
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// What is known of subjects beside what is said of them.
#[derive(Default)]
struct Known {
    at: BTreeMap<String, usize>,
    /// Name and values: the chosen fraction first, where there is one.
    columns: Vec<(String, Vec<f64>)>,
    has_chosen: bool,
}

/// One quantity of the subjects of one tag.
struct Spread {
    n: usize,
    quartiles: [Option<Quantile>; 3],
    /// Chance that a subject with the tag has more than a discussed one without.
    auc: Option<Estimate>,
    /// Share above ½, of fractions.
    above_half: Option<Estimate>,
}

/// Everything that is written.
struct Found<'a> {
    args: &'a Args,
    tags: Tags,
    known: Known,
    /// A row per tag, an entry per column of `known`.
    spreads: Vec<Vec<Spread>>,
    /// Comments on the subjects of each tag.
    comments: Vec<[Option<Quantile>; 3]>,
}

impl Found<'_> {
    fn is_category(&self, row: usize) -> bool {
        self.tags.rows[row].n_people >= self.args.people
    }

    /// Tags that are used often enough to be shown, the most first.
    fn shown(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.tags.rows.len()).filter(|&row| self.tags.rows[row].n_uses >= self.args.uses)
    }

    /// Values of a column for the subjects of a tag.
    fn values(&self, column: usize, row: usize) -> Vec<f64> {
        let values = &self.known.columns[column].1;
        let of = |id: &str| self.known.at.get(id).map(|&at| values[at]).filter(|v| !v.is_nan());
        self.tags.subjects_with(row).filter_map(of).collect()
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    if !(args.level > 0.0 && args.level < 1.0) {
        bail!("--level {} must lie between 0 and 1; 0.95 is usual", args.level);
    }
    let (mut tag_rows, mut comments) = talk::read(&args.files, &mut session)?;
    if comments.is_empty() {
        bail!("no comment in the input; give the comments' export beside that of the tags");
    }
    let merge = match &args.merge {
        Some(path) => read_merge(path, &mut session)?,
        None => MergeTable::default(),
    };
    let n_names = withhold_names(&mut tag_rows, &mut comments, |word| merge.names(word));
    talk::note_names(n_names, &mut session);
    let known = read_known(args, &mut session)?;
    let tags = count(&tag_rows, &comments, &merge, &known);
    if tags.subjects.is_empty() {
        bail!(
            "no subject that takes part has a comment; compare the subject ids of Talk and of the tables"
        );
    }
    let found = measure(args, tags, known);
    write::tags(&args.output, &found, &mut session)?;
    write::subjects(&beside(&args.output, "subjects"), &found, &mut session)?;
    let path = beside(&args.output, "merge");
    // Who gave a table back must not lose it to a new proposal of the same name.
    if args.merge.as_deref().is_none_or(|given| given != path) {
        write::merge(&path, &proposals(&tag_rows, &merge), &merge, &mut session)?;
    }
    summarise(&found, &comments, &merge, &mut session);
    if let Some(folder) = &args.figures {
        figures::draw(folder, &found, &mut session)?;
    }
    session.finish(Some(&run_json_for(&args.output)))
}

fn count(tag_rows: &[TagRow], comments: &[CommentRow], merge: &MergeTable, known: &Known) -> Tags {
    let raw: Vec<String> = tag_rows.iter().map(|t| folded(&t.tag)).collect();
    let taggings: Vec<Tagging<'_>> = tag_rows
        .iter()
        .zip(&raw)
        .filter(|(_, raw)| !raw.is_empty())
        .map(|(t, raw)| Tagging { subject: &t.subject_id, tag: raw, volunteer: &t.volunteer })
        .collect();
    let remarks: Vec<Remark<'_>> =
        comments.iter().map(|c| Remark { subject: &c.subject_id, volunteer: &c.volunteer }).collect();
    let all = known.at.is_empty();
    Tags::count(&taggings, &remarks, merge, |subject| all || known.at.contains_key(subject))
}

/// A proposal for the tags that the table says nothing of.
fn proposals(tag_rows: &[TagRow], merge: &MergeTable) -> Vec<volary_crowd::tags::Proposal> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for raw in tag_rows.iter().map(|t| folded(&t.tag)).filter(|t| !t.is_empty()) {
        *counts.entry(merge.merged(&raw).to_owned()).or_default() += 1;
    }
    propose(&counts)
}

fn read_merge(path: &Path, session: &mut Session) -> Result<MergeTable> {
    session.input_file(path)?;
    let mut pairs = Vec::new();
    for_each_batch(path, &["raw", "merged"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let cell = |name| cells.text(name, row).unwrap_or_default().into_owned();
            pairs.push((cell("raw"), cell("merged")));
        }
        Ok(())
    })
    .with_context(|| format!("a merge table has the columns raw and merged: {}", path.display()))?;
    MergeTable::new(pairs).with_context(|| format!("{}", path.display()))
}

fn read_known(args: &Args, session: &mut Session) -> Result<Known> {
    if let Some(path) = &args.counts {
        let table = read_count_table(path, &session.progress)?;
        let of = table.n_volunteers.as_ref().unwrap_or(&table.n_seen);
        let share =
            |(k, n): (&u64, &u64)| if *n > 0 { (*k.min(n)) as f64 / *n as f64 } else { f64::NAN };
        let fraction = table.n_votes.iter().zip(of).map(share).collect();
        let at = table.subject_ids.iter().enumerate().map(|(at, id)| (id.clone(), at)).collect();
        session.report(table.report);
        let columns = vec![("fraction".to_owned(), fraction)];
        return Ok(Known { at, columns, has_chosen: true });
    }
    let Some((first, others)) = args.with.split_first() else { return Ok(Known::default()) };
    let table = WholeTable::read(first, others, session)?;
    let named =
        args.chosen.iter().map(|c| ("--chosen", c)).chain(args.score.iter().map(|s| ("--score", s)));
    let columns = named
        .map(|(option, name)| Ok((name.clone(), table.numbers(option, name)?.to_vec())))
        .collect::<Result<_>>()?;
    let at = table.ids.iter().enumerate().map(|(at, id)| (id.clone(), at)).collect();
    Ok(Known { at, columns, has_chosen: args.chosen.is_some() })
}

fn measure(args: &Args, tags: Tags, known: Known) -> Found<'_> {
    let mut found = Found { args, tags, known, spreads: Vec::new(), comments: Vec::new() };
    let quartiles = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        [0.25, 0.5, 0.75].map(|p| quantile(&values, p, args.level))
    };
    let discussed: Vec<(&str, &volary_crowd::tags::Discussed)> =
        found.tags.subjects.iter().map(|(id, d)| (id.as_str(), d)).collect();
    // Places instead of values: the same AUC, and equal values are told apart once.
    let columns: Vec<Vec<f64>> = found
        .known
        .columns
        .iter()
        .map(|(_, values)| {
            let of = |(id, _): &(&str, _)| found.known.at.get(*id).map_or(f64::NAN, |&at| values[at]);
            let mine: Vec<f64> = discussed.iter().map(of).collect();
            let places = ranks(&mine);
            mine.iter().zip(places).map(|(v, r)| if v.is_nan() { f64::NAN } else { -r }).collect()
        })
        .collect();
    for row in 0..found.tags.rows.len() {
        let has: Vec<bool> =
            discussed.iter().map(|(_, d)| d.tags.iter().any(|(t, _)| *t == row)).collect();
        let n_comments = discussed.iter().zip(&has).filter(|(_, has)| **has);
        found.comments.push(quartiles(n_comments.map(|((_, d), _)| d.n_comments as f64).collect()));
        let of = |column: usize| {
            let values = found.values(column, row);
            let is_fraction = found.known.has_chosen && column == 0;
            let above_half = is_fraction.then(|| values.iter().filter(|v| **v > 0.5).count() as f64);
            let n = values.len();
            Spread {
                n,
                auc: auc(&columns[column], &has, args.level),
                above_half: above_half.filter(|_| n > 0).map(|k| {
                    let i = volary_crowd::interval::jeffreys(k, n as f64, args.level);
                    Estimate { value: k / n as f64, low: i.low, high: i.high }
                }),
                quartiles: quartiles(values),
            }
        };
        let spreads: Vec<Spread> = (0..found.known.columns.len()).map(of).collect();
        found.spreads.push(spreads);
    }
    found
}

fn summarise(found: &Found<'_>, comments: &[CommentRow], merge: &MergeTable, session: &mut Session) {
    let (args, tags) = (found.args, &found.tags);
    let summary = &mut session.summary;
    let n_nowhere = comments.iter().filter(|c| c.subject_id.is_empty()).count() as u64;
    summary.count("n_comments_without_subject", "comments without a subject", n_nowhere);
    summary.count("n_discussed", "subjects discussed", tags.subjects.len() as u64);
    summary.count("n_tagged", "  with a tag", tags.n_tagged());
    summary.count("n_tags_without_comment", "tags without a comment", tags.n_without_comment);
    summary.count("n_merges", "rows of the merge table", merge.len() as u64);
    summary.count("n_tags", "different tags", tags.rows.len() as u64);
    let n_categories = (0..tags.rows.len()).filter(|&row| found.is_category(row)).count() as u64;
    let label = format!("  by {} people or more", args.people);
    summary.count("n_categories", &label, n_categories);
    summary.count("n_taggers", "people who tag", tags.n_people);
    let uses: u64 = tags.rows.iter().map(|r| r.n_uses).sum();
    let share = tags.n_by_three as f64 / uses.max(1) as f64;
    let shown = format!("{} of {} ({:.1} %)", grouped(tags.n_by_three), grouped(uses), 100.0 * share);
    summary.line("n_by_three", "tags by the busiest three", &shown, tags.n_by_three);
    if merge.is_empty() {
        summary.note("(nothing is merged: edit FILE_merge and give it with --merge)");
    }
    let rows = || found.shown().take(20);
    let cells = |row: usize| {
        let tag = &tags.rows[row];
        let mut cells = vec![
            printable(&tag.tag),
            grouped(tag.n_subjects),
            grouped(tag.n_people),
            format!("{:.0} %", 100.0 * tag.n_by_one as f64 / tag.n_uses.max(1) as f64),
            middle(found.comments[row][1], 0),
        ];
        for spread in &found.spreads[row] {
            cells.push(middle(spread.quartiles[1], 3));
        }
        if found.known.has_chosen {
            let above = found.spreads[row][0].above_half;
            cells.push(above.map_or_else(|| "–".to_owned(), |e| percent(e.value, e.low, e.high)));
        }
        cells
    };
    let medians: Vec<String> =
        found.known.columns.iter().map(|(name, _)| format!("median {name}")).collect();
    let mut header = vec!["tag", "subjects", "people", "by one", "median comments"];
    header.extend(medians.iter().map(String::as_str));
    header.extend(found.known.has_chosen.then_some("chosen by more than half"));
    let table: Vec<Vec<String>> = rows().map(cells).collect();
    let title = format!("Tags with {} uses or more", args.uses);
    summary.table(&title, &header, &table);
    let of = |row: usize| {
        let tag = &tags.rows[row];
        let median = found.spreads[row].first().and_then(|s| s.quartiles[1]).map(|q| q.value);
        json!({"tag": tag.tag, "n_subjects": tag.n_subjects, "n_people": tag.n_people, "median": median})
    };
    summary.value("tags", found.shown().map(of).collect::<Vec<_>>());
}

fn middle(quantile: Option<Quantile>, digits: usize) -> String {
    match quantile {
        None => "–".to_owned(),
        Some(Quantile { value, interval: None }) => format!("{value:.digits$}"),
        Some(Quantile { value, interval: Some((low, high)) }) => {
            format!("{value:.digits$} ({low:.digits$}–{high:.digits$})")
        }
    }
}

/// What stands between the tags of a subject in FILE_subjects.
const BETWEEN: &str = "; ";

/// Subjects by tag, of a table as FILE_subjects.
pub(crate) fn tags_of_subjects(
    path: &Path,
    session: &mut Session,
) -> Result<BTreeMap<String, Vec<String>>> {
    session.input_file(path)?;
    let mut by_tag: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for_each_batch(path, &["subject_id", "tags"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let id = cells.text("subject_id", row).unwrap_or_default().trim().to_owned();
            let text = cells.text("tags", row).unwrap_or_default().into_owned();
            let mut tags: Vec<&str> = text.split(';').map(str::trim).filter(|t| !t.is_empty()).collect();
            tags.sort_unstable();
            tags.dedup();
            for tag in tags {
                by_tag.entry(tag.to_owned()).or_default().push(id.clone());
            }
        }
        Ok(())
    })?;
    // A subject may stand twice in a table that people edited.
    by_tag.values_mut().for_each(|ids| {
        ids.sort_unstable();
        ids.dedup();
    });
    Ok(by_tag)
}
