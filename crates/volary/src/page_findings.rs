//! What a project's folder holds beside its tables of subjects: error rates by slice, what retirement rules would have
//! saved, records of what was done, tags, known answers,
//! further frames. Read as they stand; what cannot be read is said.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use volary_ingest::images::{ImageSubjects, SubjectSource, subjects};
use volary_ingest::signals::read_signals;
use volary_ingest::source::Progress;
use volary_ingest::tables::for_each_batch;
use volary_release::ReleaseError;
use volary_release::card::Folder;
use volary_release::lineage::{self, Lineage, Standing};
use volary_release::optout::OptOuts;
use volary_web::project::{ModelUse, Run, RunFile, Sheet, Signal};

use crate::session::Session;

/// Rows of a small table that are shown.
const MOST_ROWS: usize = 200;
/// Folders into which records are looked for.
const DEPTH: usize = 2;
/// Records that are shown, and files of each.
const MOST_RUNS: usize = 200;
const MOST_FILES: usize = 100;
/// Models that are shown.
const MOST_MODELS: usize = 50;
/// A record is no longer than this, bytes.
const MOST_BYTES: u64 = 4 << 20;

/// What a table is, by its columns.
const KINDS: [(&str, &[&str]); 2] = [
    ("bias", &["who", "error", "x", "n_errors", "rate", "flagged"]),
    ("retirement", &["task", "rule", "order", "mean_votes", "saved"]),
];

/// A small table, if a file is one.
pub(crate) fn sheet(path: &Path, session: &mut Session) -> Result<Option<Sheet>> {
    let mut sheet = Sheet::default();
    for_each_batch(path, &[], &session.progress, |cells| {
        if sheet.n_rows == 0 && cells.n_rows() > 0 {
            sheet.columns = cells.columns(0);
        }
        for row in 0..cells.n_rows() {
            sheet.n_rows += 1;
            if sheet.rows.len() < MOST_ROWS {
                let cell = |name: &String| cells.text(name, row).map(Cow::into_owned);
                sheet.rows.push(sheet.columns.iter().map(cell).collect());
            }
        }
        Ok(())
    })?;
    let has = |name: &&str| sheet.columns.iter().any(|column| column == *name);
    let Some((kind, _)) = KINDS.iter().find(|(_, columns)| columns.iter().all(&has)) else {
        return Ok(None);
    };
    sheet.kind = (*kind).to_owned();
    sheet.file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(sheet))
}

/// Tags of each subject, if a table is what `volary tags` writes beside its own.
pub(crate) fn tags(path: &Path, session: &mut Session) -> Result<HashMap<String, Vec<String>>> {
    let mut out: HashMap<String, Vec<String>> = HashMap::new();
    for_each_batch(path, &["subject_id", "tags"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let subject = cells.text("subject_id", row).unwrap_or_default().into_owned();
            let list = cells.text("tags", row).unwrap_or_default().into_owned();
            let mut names: Vec<String> = list.split(';').map(|tag| tag.trim().to_owned()).collect();
            names.retain(|tag| !tag.is_empty());
            names.sort();
            names.dedup();
            if !names.is_empty() {
                out.insert(subject, names);
            }
        }
        Ok(())
    })?;
    Ok(out)
}

/// Known answers by subject and task: the table that the settings name as the truth.
pub(crate) fn gold(
    path: &Path,
    session: &mut Session,
) -> Result<HashMap<String, BTreeMap<String, String>>> {
    let mut out: HashMap<String, BTreeMap<String, String>> = HashMap::new();
    for_each_batch(path, &["subject_id"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let subject = cells.text("subject_id", row).unwrap_or_default().into_owned();
            let known: BTreeMap<String, String> = cells
                .columns(row)
                .into_iter()
                .filter(|name| name != "subject_id")
                .filter_map(|name| {
                    let answer = cells.text(&name, row)?.into_owned();
                    (!answer.is_empty()).then_some((name, answer))
                })
                .collect();
            if !known.is_empty() {
                out.insert(subject, known);
            }
        }
        Ok(())
    })?;
    Ok(out)
}

/// Known signals of light curves, by subject. Those of a simulation are of every subject that shows it.
pub(crate) fn signals(
    path: &Path,
    is_injected: bool,
    simulations: &HashMap<String, Vec<String>>,
) -> Result<Vec<(String, Signal)>> {
    let (table, _) = read_signals(path, &Progress::default())?;
    let mut out = Vec::new();
    for at in 0..table.id.len() {
        let (from_days, to_days) = (table.x_min_days[at], table.x_max_days[at]);
        let signal = Signal { from_days, to_days, is_injected };
        let of = simulations.get(&table.simulation[at]).into_iter().flatten();
        let own = Some(&table.subject[at]).filter(|subject| !subject.is_empty());
        let subjects: BTreeSet<&String> = of.chain(own).collect();
        out.extend(subjects.into_iter().map(|subject| (subject.clone(), signal)));
    }
    Ok(out)
}

/// Subjects by the simulation that they show.
pub(crate) fn simulations(path: &Path, session: &mut Session) -> Result<HashMap<String, Vec<String>>> {
    let mut out: HashMap<String, Vec<String>> = HashMap::new();
    for_each_batch(path, &["subject_id"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            let simulation = text("simulation");
            if !simulation.is_empty() {
                out.entry(simulation).or_default().push(text("subject_id"));
            }
        }
        Ok(())
    })?;
    Ok(out)
}

/// Why each subject is not asked about any more, of those that are not.
pub(crate) fn retired(path: &Path, session: &mut Session) -> Result<HashMap<String, String>> {
    let mut out = HashMap::new();
    for_each_batch(path, &["subject_id"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let reason = cells.text("retirement_reason", row);
            if reason.is_none() && cells.time_ms("retired_at", row).is_none() {
                continue;
            }
            let reason = reason.filter(|r| !r.is_empty()).unwrap_or("other".into()).into_owned();
            let subject = cells.text("subject_id", row).unwrap_or_default().into_owned();
            out.insert(subject, reason);
        }
        Ok(())
    })?;
    Ok(out)
}

/// Further frames: other columns of the manifest that name images. Each is read as the first is, so that no path leads
/// out of its folder.
pub(crate) fn frames(
    manifest: &Path,
    found: &ImageSubjects,
    session: &mut Session,
) -> HashMap<String, Vec<(String, PathBuf)>> {
    let mut out: HashMap<String, Vec<(String, PathBuf)>> = HashMap::new();
    for name in &found.metadata_columns {
        let is_image = |text: &&str| {
            let ending =
                Path::new(text).extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            ["png", "jpg", "jpeg", "fits", "fit", "npy"].contains(&ending.as_str())
        };
        let values = found.column(name).unwrap_or_default();
        if values.iter().find(|text| !text.is_empty()).is_none_or(|text| !is_image(text)) {
            continue;
        }
        let source = SubjectSource { image_column: Some(name), ..SubjectSource::new(manifest) };
        // What is wrong with the other frames was no reason to leave out the first.
        let Ok(more) = subjects(&source, &session.progress) else { continue };
        for one in more.subjects {
            out.entry(one.subject_id).or_default().push((name.clone(), one.path));
        }
    }
    out
}

/// A record, as far as it is shown.
#[derive(Deserialize)]
struct Record {
    volary: String,
    command: String,
    #[serde(default)]
    command_line: Vec<String>,
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    inputs: Vec<RunFile>,
    #[serde(default)]
    outputs: Vec<RunFile>,
    #[serde(default)]
    wall_s: Option<f64>,
}

/// The records in a folder and below, in the order of their names; beside them those that are none of ours.
pub(crate) fn runs(folder: &Path) -> Result<(Vec<Run>, Vec<PathBuf>)> {
    let (mut found, mut other) = (Vec::new(), Vec::new());
    let mut files = Vec::new();
    records(folder, DEPTH, &mut files)?;
    files.sort();
    for path in files.into_iter().take(MOST_RUNS) {
        let short = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        let is_long = path.metadata().is_ok_and(|m| m.len() > MOST_BYTES);
        let bytes = if is_long { Vec::new() } else { std::fs::read(&path).unwrap_or_default() };
        let Ok(mut record) = serde_json::from_slice::<Record>(&bytes) else {
            other.push(path);
            continue;
        };
        record.inputs.truncate(MOST_FILES);
        record.outputs.truncate(MOST_FILES);
        found.push(Run {
            id: blake3::hash(&bytes).to_hex()[..12].to_owned(),
            file: short,
            command: record.command,
            command_line: record.command_line,
            version: record.volary,
            seed: record.seed,
            inputs: record.inputs,
            outputs: record.outputs,
            wall_s: record.wall_s,
        });
    }
    Ok((found, other))
}

/// The models in a folder and below, and what each learned from, as their cards read it; beside them folders that are
/// no whole models.
pub(crate) fn models(
    folder: &Path,
    out: Option<&OptOuts>,
) -> (Vec<ModelUse>, Vec<(PathBuf, ReleaseError)>) {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    let mut folders = Vec::new();
    model_folders(folder, DEPTH, &mut folders);
    folders.sort();
    if folders.is_empty() {
        return (found, broken);
    }
    let lineage = Lineage::scan(folder).unwrap_or_default();
    for path in folders.into_iter().take(MOST_MODELS) {
        match model(folder, &path, &lineage, out) {
            Ok(model) => found.push(model),
            Err(error) => broken.push((path, error)),
        }
    }
    (found, broken)
}

fn model(
    project: &Path,
    path: &Path,
    lineage: &Lineage,
    out: Option<&OptOuts>,
) -> Result<ModelUse, ReleaseError> {
    let read = Folder::read(path)?;
    let record = path.join("run.json");
    let run = lineage::Run::read(&record)?;
    let before = lineage.ancestors(run.inputs.iter().map(|file| file.blake3.as_str()));
    let whole = Lineage::new(before.iter().copied().chain([&run]).cloned().collect());
    let made = || run.outputs.iter().map(|file| file.blake3.as_str());
    let is_without = |left_out: &dyn Fn(&lineage::Run) -> bool| {
        !run.outputs.is_empty() && whole.standing(made(), left_out) == Standing::Without
    };
    // Those of whom not every run knew that read votes.
    let since = |list: &OptOuts| {
        let knew: BTreeMap<Option<&str>, BTreeSet<&str>> = whole
            .runs()
            .iter()
            .map(|one| (one.optouts.as_deref(), list.left_out(one.optouts.as_deref())))
            .collect();
        let is_in = |who: &&str| !is_without(&|one| knew[&one.optouts.as_deref()].contains(who));
        list.out().into_keys().filter(is_in).count() as u64
    };
    let bytes = std::fs::read(&record).unwrap_or_default();
    let file = |one: &lineage::Artefact| RunFile {
        path: one.name.clone(),
        bytes: one.n_bytes,
        blake3: one.blake3.clone(),
    };
    Ok(ModelUse {
        folder: path.strip_prefix(project).unwrap_or(path).to_string_lossy().into_owned(),
        kind: read.kind().to_owned(),
        id: read.id(),
        run: blake3::hash(&bytes).to_hex()[..12].to_owned(),
        seed: run.seed,
        learned_from: run.inputs.iter().take(MOST_FILES).map(file).collect(),
        steps: before.iter().map(|one| one.command.clone()).collect(),
        leaves_out_opted_out: is_without(&|one| one.without_opted_out) || read.is_without_opted_out(),
        n_out_since: out.map(since),
    })
}

fn model_folders(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        if ["config.json", "metrics.json", "run.json"].iter().all(|name| path.join(name).is_file()) {
            out.push(path);
        } else if depth > 1 {
            model_folders(&path, depth - 1, out);
        }
    }
}

fn records(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let Ok(entry) = entry else { continue };
        let (path, kind) = (entry.path(), entry.file_type());
        let name = entry.file_name().to_string_lossy().into_owned();
        match kind {
            Ok(kind) if kind.is_dir() && depth > 0 => records(&path, depth - 1, out)?,
            Ok(kind) if kind.is_file() && (name == "run.json" || name.ends_with(".run.json")) => {
                out.push(path)
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_where_commands_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let record = r#"{"volary":"0.1.0","command":"score","seed":7,"inputs":[{"path":"a.csv","bytes":3,"blake3":"ff"}],
            "wall_s":1.5,"unknown":{}}"#;
        put("run.json", record);
        put("models/gan/run.json", record);
        put("scores.run.json", record);
        put("a/b/c/run.json", record);
        put("bad/run.json", "{}");
        put("notrun.json", record);
        let (runs, other) = runs(folder.path()).unwrap();
        let files: Vec<&str> = runs.iter().map(|run| run.file.as_str()).collect();
        assert_eq!(files, ["models/gan/run.json", "run.json", "scores.run.json"]);
        assert_eq!((runs[0].seed, runs[0].inputs[0].bytes, runs[0].id.len()), (Some(7), 3, 12));
        assert_eq!(other, [folder.path().join("bad/run.json")]);
    }

    #[test]
    fn what_a_model_learned_from_is_read_off_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let (votes, gold) = ("aa".repeat(32), "bb".repeat(32));
        let run = |command: &str, read: &str, wrote: &str, summary: &str| {
            format!(
                "{{\"volary\":\"0.1.0\",\"command\":\"{command}\",\"seed\":7,\"inputs\":[{{\"path\":\"/home/me/in.csv\",\"bytes\":3,\
                 \"blake3\":\"{read}\"}}],\"outputs\":[{{\"path\":\"out.csv\",\"bytes\":4,\"blake3\":\"{wrote}\"}}],\"summary\":{{{summary}}}}}"
            )
        };
        put("models/ring/run.json", run("train", &gold, &"cc".repeat(32), "").as_bytes());
        put("models/ring/config.json", br#"{"kind":"confusion","labels_blake3":"0123456789"}"#);
        put("models/ring/metrics.json", b"{}");
        put("models/ring/model.safetensors", b"\x02\0\0\0\0\0\0\0{}");
        put("models/broken/run.json", b"{");
        put("models/broken/config.json", b"{}");
        put("models/broken/metrics.json", b"{}");
        let mut list = OptOuts::default();
        list.seal().unwrap();
        for name in ["ann", "ben", "cas"] {
            let volunteer = volary_ingest::volunteer::key(name).0;
            let state = volary_release::optout::State::Out;
            let at = "2026-11-28".to_owned();
            let entry = volary_release::optout::Entry { volunteer, state, at, channel: String::new() };
            assert!(list.add(entry).unwrap());
            // The list had one line when the votes were read, and has three now.
            if name == "ann" {
                let stamp = list.stamp().unwrap();
                let knew = format!("\"n_votes_opted_out\":12,\"optout_list\":\"{stamp}\"");
                put("extracts/run.json", run("extract", &votes, &gold, &knew).as_bytes());
            }
        }
        let (found, broken) = models(folder.path(), Some(&list));
        let [model] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (model.folder.as_str(), model.kind.as_str(), model.seed),
            ("models/ring", "confusion", Some(7))
        );
        assert!(model.id.starts_with("confusion-01234567-"), "{}", model.id);
        assert_eq!(model.learned_from[0].blake3, gold);
        assert_eq!(model.learned_from[0].path, "in.csv", "no path, which may name its owner");
        assert_eq!(model.steps, ["extract"]);
        assert_eq!((model.leaves_out_opted_out, model.n_out_since), (true, Some(2)));
        assert_eq!(broken[0].0, folder.path().join("models/broken"));
        assert_eq!(models(folder.path(), None).0[0].n_out_since, None);
    }
}
