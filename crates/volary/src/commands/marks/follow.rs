//! `volary marks follow`: classifications taken in one at a time, with the features they change.
//!
//! Durable storage, HTTP and alerts are not here: this is the pipe for a project whose own script sees each
//! classification as it is made.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use volary_core::ProblemKind;
use volary_crowd::marks::live::LiveFeature;
use volary_crowd::marks::{Event, Live, MarksBuilder};
use volary_ingest::mark_events::parse_mark_event;

use super::options::{Constants, Inputs};
use super::stages::{Place, prepare};
use crate::mark_tables::{LiveRow, write_live_features, write_live_weights};
use crate::session::{Session, run_json_for};

/// The longest line that is read.
const MAX_LINE: u64 = 1 << 24;

/// Take classifications in one at a time and say at once what they change.
///
/// Starts from CLASSIFICATIONS (as `volary marks` reads them; leave them out to start from nothing) and
/// reads one JSON object a line: {"classification_id": 7, "subject_id": "s1", "user_name": "ann",
/// "marks": [[5.0, 5.6]]}. For each it prints one JSON object: the features of the subject now, with scores
/// and intervals. A classification id that came before changes nothing. At the end the weights are settled,
/// and what a full run would give is written into DIR. Signals are known
/// only of subjects that stand in CLASSIFICATIONS.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary marks follow rows.csv --signals signals.csv --new new.ndjson -o live
  tail -f new.ndjson | volary marks follow rows.csv -o live > changes.ndjson")]
pub(crate) struct Args {
    /// What there is: Planet Hunters rows, a `marks` table, or the folder it is in.
    #[arg(value_name = "CLASSIFICATIONS")]
    classifications: Option<PathBuf>,
    /// New classifications, one JSON object a line; `-` is standard input.
    #[arg(long, default_value = "-", value_name = "NDJSON")]
    new: PathBuf,
    /// Folder to write at the end.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    constants: Constants,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let params = args.constants.params(session.global.seed)?;
    let place = Place::new(&args.output, &args.inputs.to)?;
    let (names, live) = match &args.classifications {
        Some(classifications) => {
            let read = prepare(classifications, &args.inputs, &params, &mut session)?;
            let live = Live::new(&read.marks, &read.curves, &read.signals, &params)?;
            (Names::new(read.marks.subjects, read.marks.volunteers), live)
        }
        None => {
            let nothing = MarksBuilder::default().finish();
            (Names::default(), Live::new(&nothing, &Default::default(), &Default::default(), &params)?)
        }
    };
    let mut followed =
        Followed { live, names, seen: HashSet::new(), n_repeats: 0, n_known: 0, times_ms: Vec::new() };
    match args.new.as_os_str() == "-" {
        true => followed.lines(std::io::stdin().lock(), &mut session)?,
        false => {
            let file = std::fs::File::open(&args.new)
                .with_context(|| format!("reading failed: {}", args.new.display()))?;
            session.input_file(&args.new)?;
            followed.lines(std::io::BufReader::new(file), &mut session)?;
        }
    }
    followed.finish(&place, &mut session)?;
    // Standard output holds the changes.
    session.finish_on(Some(&run_json_for(&args.output)), &mut std::io::stderr().lock())
}

/// Ids of subjects or keys of volunteers, and their numbers.
#[derive(Default)]
struct Names {
    subjects: Vec<String>,
    volunteers: Vec<String>,
    subject_of: BTreeMap<String, u32>,
    volunteer_of: BTreeMap<String, u32>,
}

impl Names {
    fn new(subjects: Vec<String>, volunteers: Vec<String>) -> Self {
        let numbered = |names: &[String]| names.iter().cloned().zip(0..).collect();
        Self {
            subject_of: numbered(&subjects),
            volunteer_of: numbered(&volunteers),
            subjects,
            volunteers,
        }
    }
}

struct Followed {
    live: Live,
    names: Names,
    seen: HashSet<String>,
    n_repeats: u64,
    n_known: u64,
    times_ms: Vec<f64>,
}

impl Followed {
    /// Takes every line in; a line that cannot be read is a problem and not the end.
    fn lines(&mut self, mut input: impl BufRead, session: &mut Session) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let (mut line, mut row) = (Vec::new(), 0);
        while !session.progress.is_stopped() {
            line.clear();
            row += 1;
            if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
                session.problems.add(row, "", ProblemKind::RowTooLong, "passed over");
                skip_line(&mut input)?;
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            if text.trim().is_empty() {
                continue;
            }
            let event = match parse_mark_event(&text) {
                Ok(event) => event,
                Err(why) => {
                    session.problems.add(row, "", ProblemKind::BadJson, why);
                    continue;
                }
            };
            if !self.seen.insert(event.classification_id.clone()) {
                self.n_known += 1;
                continue;
            }
            let started = Instant::now();
            let subject = self.subject(&event.subject_id);
            let volunteer = self.volunteer(&event.volunteer);
            let change = self.live.classify(&Event { subject, volunteer, marks: event.marks });
            let features = self.live.features(subject);
            self.times_ms.push(started.elapsed().as_secs_f64() * 1e3);
            self.n_repeats += u64::from(!change.counts);
            let said = json!({
                "classification_id": event.classification_id,
                "subject_id": event.subject_id,
                "counts": change.counts,
                "features": features.iter().map(shown).collect::<Vec<_>>(),
                "n_subjects_rescored": change.n_subjects,
            });
            // A reader that went away is no failure: what came in is still written at the end.
            if writeln!(out, "{said}").and_then(|()| out.flush()).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn subject(&mut self, id: &str) -> u32 {
        let names = &mut self.names;
        *names.subject_of.entry(id.to_owned()).or_insert_with(|| {
            names.subjects.push(id.to_owned());
            self.live.add_subject(None)
        })
    }

    fn volunteer(&mut self, key: &str) -> u32 {
        let names = &mut self.names;
        *names.volunteer_of.entry(key.to_owned()).or_insert_with(|| {
            names.volunteers.push(key.to_owned());
            self.live.add_volunteer()
        })
    }

    /// Settles and writes what a full run would give.
    fn finish(&mut self, place: &Place<'_>, session: &mut Session) -> Result<()> {
        let rounds = self.live.settle();
        let rows: Vec<LiveRow<'_>> = (self.names.subject_of.iter())
            .flat_map(|(id, &subject)| {
                self.live.features(subject).into_iter().map(move |f| (id.as_str(), f))
            })
            .collect();
        session.rows("metafeatures", write_live_features(&place.path("metafeatures"), &rows)?);
        let weights = self.live.weights();
        let people: Vec<(&str, f64)> = self
            .names
            .volunteer_of
            .iter()
            .map(|(key, &v)| (key.as_str(), weights[v as usize]))
            .collect();
        session.rows("weights", write_live_weights(&place.path("weights"), &people)?);
        self.times_ms.sort_by(f64::total_cmp);
        let at = |q: f64| self.times_ms.get(((self.times_ms.len() as f64 - 1.0) * q) as usize).copied();
        let summary = &mut session.summary;
        summary.count("n_followed", "classifications taken in", self.times_ms.len() as u64);
        summary.count("n_repeats_followed", "  repeats", self.n_repeats);
        summary.count("n_known", "ids that came before", self.n_known);
        summary.count("n_metafeatures", "metafeatures", rows.len() as u64);
        summary.count("n_rounds", "rounds to settle", u64::from(rounds));
        if let (Some(median), Some(late)) = (at(0.5), at(0.99)) {
            let shown = format!("{median:.3} ms (median), {late:.3} ms (99th percentile)");
            summary.line("update_ms", "one classification", &shown, json!([median, late]));
        }
        Ok(())
    }
}

fn shown(feature: &LiveFeature) -> Value {
    json!({
        "x_min_days": feature.x_min_days,
        "x_max_days": feature.x_max_days,
        "n_yes": feature.yes.len(),
        "score": feature.score,
        "score_low": feature.interval.low,
        "score_high": feature.interval.high,
    })
}

/// Leaves the rest of a line out without keeping it.
fn skip_line(input: &mut impl BufRead) -> Result<()> {
    loop {
        let (n, ends) = match input.fill_buf()? {
            [] => return Ok(()),
            bytes => match bytes.iter().position(|b| *b == b'\n') {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            },
        };
        input.consume(n);
        if ends {
            return Ok(());
        }
    }
}
