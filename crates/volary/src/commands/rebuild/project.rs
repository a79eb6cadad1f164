//! What of a project stands on the votes of people who opted out, and making it again without them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use volary_ingest::records::{RecordOptions, Records};
use volary_ingest::tables::{TableFormat, for_each_batch};
use volary_ingest::volunteer::{self, Without};
use volary_release::lineage::{Artefact, Lineage, Run};
use volary_release::optout::OptOuts;

use crate::session::Session;

/// Commands that read votes, and so take --optouts.
const READ_VOTES: [&str; 9] =
    ["extract", "consensus", "gold", "agreement", "shapes", "retire", "dedup", "bias", "run"];
/// Commands whose outputs are not made again: what was published cannot be recalled, and a demo is nobody's.
const NEVER_AGAIN: [&str; 3] = ["release", "demo", "simulate"];

/// Runs it.
pub(super) fn run(folder: &Path, optouts: &Path, again: bool, mut session: Session) -> Result<ExitCode> {
    let list = std::path::absolute(optouts)?;
    let log = OptOuts::read(&list)?;
    let lineage = Lineage::scan(folder)?;
    let (touched, unknown) = touched(&lineage, &log, &session)?;
    let touched = last_of_each(touched);
    let summary = &mut session.summary;
    summary.count("n_opted_out", "people who opted out", log.out().len() as u64);
    summary.count("n_runs", "runs on record", lineage.runs().len() as u64);
    summary.count("n_touched", "  that their votes went into", touched.len() as u64);
    tell(&touched, &list, &mut session);
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        session
            .summary
            .note(&format!("no longer there or changed, and so taken to hold their votes: {names}"));
    }
    session.summary.value("unknown", unknown);
    if !again {
        return session.finish(None);
    }
    let mut n_made = 0;
    for run in touched.iter().filter(|run| !NEVER_AGAIN.contains(&run.command.as_str())) {
        make(run, &list)?;
        n_made += 1;
    }
    session.summary.count("n_made", "made again", n_made);
    session.finish(None)
}

/// The runs that votes of people on the list went into, in the order in which to repeat them, and files whose
/// votes can no longer be looked at.
fn touched<'l>(
    lineage: &'l Lineage,
    log: &OptOuts,
    session: &Session,
) -> Result<(Vec<&'l Run>, Vec<String>)> {
    let since = log.out_since();
    let made: BTreeSet<&str> =
        lineage.runs().iter().flat_map(|run| &run.outputs).map(|file| file.blake3.as_str()).collect();
    let mut roots: Vec<&Artefact> = lineage.runs().iter().flat_map(|run| &run.inputs).collect();
    roots.retain(|file| !made.contains(file.blake3.as_str()));
    roots.sort_unstable_by(|a, b| a.blake3.cmp(&b.blake3));
    roots.dedup_by(|a, b| a.blake3 == b.blake3);
    let everybody = Without::keys(since.keys().map(|key| (*key).to_owned()));
    let (mut held, mut unknown) = (Vec::new(), Vec::new());
    for file in roots {
        match people_in(file, &everybody, session)? {
            Some(people) => held.push((file, people)),
            None => {
                unknown.push(file.name.clone());
                held.push((file, since.keys().map(|key| (*key).to_owned()).collect()));
            }
        }
    }
    let mut found: BTreeSet<&Run> = BTreeSet::new();
    for (person, since) in &since {
        let theirs = held.iter().filter(|(_, people)| people.contains(*person));
        let hashes = theirs.map(|(file, _)| file.blake3.as_str());
        // A run that was given the list after the person was on it left them out.
        found.extend(lineage.touched(hashes, |run| run.n_optout_entries >= Some(*since)));
    }
    Ok((lineage.in_order().into_iter().filter(|run| found.contains(run)).collect(), unknown))
}

/// Of runs that wrote the same places only the last stands: its record is the one that is there.
fn last_of_each(runs: Vec<&Run>) -> Vec<&Run> {
    let mut places = BTreeSet::new();
    let mut kept: Vec<&Run> = runs.into_iter().rev().filter(|run| places.insert(&run.place)).collect();
    kept.reverse();
    kept
}

/// Which of the people are in a file; `None` where it is no longer the file that was read.
fn people_in(file: &Artefact, people: &Without, session: &Session) -> Result<Option<BTreeSet<String>>> {
    let path = &file.path;
    let Ok(read) = std::fs::File::open(path) else { return Ok(None) };
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut std::io::BufReader::with_capacity(1 << 20, read), &mut hasher)
        .with_context(|| format!("reading failed: {}", path.display()))?;
    if hasher.finalize().to_hex().as_str() != file.blake3 {
        return Ok(None);
    }
    let mut found = BTreeSet::new();
    let mut see = |cell: &str| {
        for key in [cell.to_owned(), volunteer::key(cell).0] {
            if people.has_key(&key) {
                found.insert(key);
            }
        }
    };
    const COLUMNS: [&str; 5] = ["volunteer", "user_name", "worker", "annotator", "user"];
    match TableFormat::of(path) {
        Ok(TableFormat::Parquet | TableFormat::Arrow | TableFormat::Json) => {
            let read = for_each_batch(path, &[], &session.progress, |cells| {
                for row in 0..cells.n_rows() {
                    COLUMNS.iter().filter_map(|c| cells.text(c, row)).for_each(|cell| see(&cell));
                }
                Ok(())
            });
            // Something else than a table holds no votes.
            let _ = read;
        }
        _ => {
            let name = path.to_string_lossy().to_ascii_lowercase();
            if ![".csv", ".csv.gz", ".tsv", ".txt", ".dat"].iter().any(|end| name.ends_with(end)) {
                return Ok(Some(found));
            }
            let Ok(mut records) = Records::open(path, RecordOptions::default(), &session.progress)
            else {
                return Ok(Some(found));
            };
            let columns: Vec<usize> =
                COLUMNS.iter().filter_map(|name| records.header().find(name)).collect();
            while let Some(record) = records.next_record()? {
                columns.iter().for_each(|column| see(record.get(Some(*column)).trim()));
            }
        }
    }
    Ok(Some(found))
}

fn tell(touched: &[&Run], list: &Path, session: &mut Session) {
    let mut rows = Vec::new();
    let mut json = Vec::new();
    let (mut models, mut releases) = (Vec::new(), Vec::new());
    for run in touched {
        let place = run.place.display().to_string();
        let outputs: Vec<&str> = run.outputs.iter().map(|file| file.name.as_str()).collect();
        let line = again(run, list).join(" ");
        match run.command.as_str() {
            "train" => models.push(place.clone()),
            "release" => releases.push(place.clone()),
            _ => {}
        }
        let todo = match run.command.as_str() {
            "release" => "a new version; this one cannot be recalled".to_owned(),
            _ => format!("volary {line}"),
        };
        rows.push(vec![run.command.clone(), place.clone(), todo]);
        json.push(json!({"command": run.command, "record": place, "outputs": outputs, "again": line}));
    }
    let summary = &mut session.summary;
    summary.count("n_models", "  models", models.len() as u64);
    summary.count("n_releases", "  releases", releases.len() as u64);
    summary.value("models", models);
    summary.value("releases", releases);
    summary.value("touched", json);
    summary.table("To be made again, in this order", &["command", "record", "by"], &rows);
}

/// The command line of a run, without those who opted out.
fn again(run: &Run, list: &Path) -> Vec<String> {
    let mut line: Vec<String> = run.command_line.iter().skip(1).cloned().collect();
    if READ_VOTES.contains(&run.command.as_str())
        && !line.iter().any(|word| word.starts_with("--optouts"))
    {
        line.extend(["--optouts".to_owned(), list.display().to_string()]);
    }
    if run.command == "train" {
        line.retain(|word| word != "--resume" && word != "--fresh");
        line.push("--fresh".to_owned());
    }
    line
}

fn make(run: &Run, list: &Path) -> Result<()> {
    let line = again(run, list);
    let Some(folder) = run.folder.as_ref().filter(|_| !line.is_empty()) else {
        bail!("the record does not say where the command ran; run it by hand: {}", run.place.display());
    };
    let binary = std::env::current_exe().context("this program cannot be found")?;
    let output = Command::new(binary)
        .args(&line)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("this program cannot be started again")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.trim().lines().last().unwrap_or_default().trim_start_matches("error: ");
        bail!("volary {} failed ({why}); correct it and run the same again", line.join(" "));
    }
    Ok(())
}
