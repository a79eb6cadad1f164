//! Tables for the live store: subjects with what is known of them, draws, embeddings.
//!
//! A table may be read again: its rows are known by their content and by the file's time, so that a file
//! that has not changed says nothing new.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use volary_core::ProblemKind;
use volary_ingest::images::Folder;
use volary_ingest::panoptes::workflows::Workflows;
use volary_ingest::tables::{Cells, for_each_batch};
use volary_live::event::{Answers, EventError};
use volary_live::learning::Embeddings;
use volary_live::{Event, Key, Kind, facts};
use volary_web::Workflow;

use crate::session::Session;

/// Columns of a subject table that are not facts.
const OWN_COLUMNS: [&str; 3] = ["subject_id", "validation", "truth"];

/// Subjects: `subject_id`, and if you like `validation` (true, false), `truth` (the answer of the first task,
/// several joined by `;`) or `truth:TASK`; every other column is a fact. Panoptes' own columns
/// `#training_subject` and `#feedback_1_answer` are understood; what else begins with `#` or `//` stays hidden.
///
/// A row that says something that cannot be (a score that is no number, coordinates off the sky, an image that
/// leads out of the folder or is not there) is left out and listed, and so is a second row for a subject that says
/// something else; the other rows are taken. Columns `image`, `image_2`, … name the subject's images: paths within
/// `media`, byte for byte, or links.
pub(crate) fn subject_events(
    path: &Path,
    media: Option<&Path>,
    session: &mut Session,
) -> Result<Vec<Event>> {
    let at_ms = file_time_ms(path)?;
    session.input_file(path)?;
    let media = media.map(Folder::open).transpose()?;
    let (mut events, mut problems) = (Vec::new(), Vec::new());
    let mut known: HashMap<String, Key> = HashMap::new();
    let mut number = 1;
    for_each_batch(path, &["subject_id"], &session.progress, |batch| {
        for row in 0..batch.n_rows() {
            number += 1;
            let event = match subject_event(batch, row, at_ms, media.as_ref()) {
                Ok(event) => event,
                Err((column, kind, detail)) => {
                    problems.push((number, column, kind, detail));
                    continue;
                }
            };
            let subject = event.subject().unwrap_or_default().to_owned();
            match known.get(&subject) {
                Some(key) if *key == event.key => {}
                Some(_) => {
                    let detail =
                        format!("subject {subject:?} stands twice and differs; the first row holds");
                    problems.push((number, "subject_id".to_owned(), ProblemKind::DuplicateRow, detail));
                }
                None => {
                    known.insert(subject, event.key.clone());
                    events.push(event);
                }
            }
        }
        Ok(())
    })?;
    for (row, column, kind, detail) in problems {
        session.problems.add(row, &column, kind, detail);
    }
    Ok(events)
}

/// Column, kind and description of what is wrong with a row.
type Wrong = (String, ProblemKind, String);

fn subject_event(
    batch: &dyn Cells,
    row: usize,
    at_ms: i64,
    media: Option<&Folder>,
) -> Result<Event, Wrong> {
    let subject = batch.text("subject_id", row).unwrap_or_default().trim().to_owned();
    if subject.is_empty() {
        return Err(("subject_id".to_owned(), ProblemKind::EmptyCell, "no subject_id".to_owned()));
    }
    let is_true = |column: &str| {
        let cell = batch.text(column, row);
        cell.is_some_and(|text| ["true", "1", "yes"].contains(&text.trim().to_lowercase().as_str()))
    };
    let (mut facts, mut truth) = (BTreeMap::new(), Answers::new());
    for column in batch.columns(row) {
        let text = batch.text(&column, row).map(|text| text.trim().to_owned()).unwrap_or_default();
        let name = column.trim_start_matches(['!', '%']);
        if text.is_empty() {
            if facts::is_score(name) {
                let detail = "no score; without one it cannot be told from a low one".to_owned();
                return Err((column, ProblemKind::EmptyCell, detail));
            }
            continue;
        }
        if let Some(task) = truth_of(&column) {
            truth.insert(task.to_owned(), labels(&text));
        } else if !is_hidden(&column) {
            if facts::is_image(name) && !text.contains("://") {
                let checked = match media {
                    Some(folder) => folder.resolve(&text).map(|_| ()),
                    None => Folder::check_name(&text),
                };
                checked.map_err(|(kind, detail)| (column.clone(), kind, detail))?;
            }
            facts.insert(name.to_owned(), text);
        }
    }
    facts::normalise(&mut facts);
    let validation = is_true("validation") || is_true("#training_subject") || !truth.is_empty();
    // One id for each state of the subject in this file.
    let content = serde_json::to_vec(&(&facts, validation, &truth)).expect("text always serialises");
    let state = &blake3::hash(&content).to_hex()[..12];
    let key = Key { source: "manifest".into(), id: format!("subject/{subject}/{at_ms}/{state}") };
    let event = Event { key, at_ms, kind: Kind::Subject { subject, validation, truth, facts } };
    match event.check() {
        Ok(()) => Ok(event),
        Err(EventError::Fact { reason, .. }) => {
            Err((reason.name.clone(), ProblemKind::OddValue, reason.to_string()))
        }
        Err(error) => Err(("subject_id".to_owned(), ProblemKind::OddValue, error.to_string())),
    }
}

fn is_hidden(column: &str) -> bool {
    OWN_COLUMNS.contains(&column)
        || column.is_empty()
        || column.starts_with('#')
        || column.starts_with("//")
}

/// The task whose truth a column holds.
fn truth_of(column: &str) -> Option<&str> {
    match column {
        "truth" | "#feedback_1_answer" => Some("T0"),
        _ => column.strip_prefix("truth:").map(str::trim).filter(|task| !task.is_empty()),
    }
}

/// `-1` is Panoptes' word for "no answer is right".
fn labels(text: &str) -> Vec<String> {
    if text == "-1" {
        return Vec::new();
    }
    text.split(';').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
}

/// Draws, as `volary sample` writes them.
pub(crate) fn drawn_events(path: &Path, session: &mut Session) -> Result<Vec<Event>> {
    let at_ms = file_time_ms(path)?;
    session.input_file(path)?;
    let (mut events, mut problems) = (Vec::new(), Vec::new());
    let mut number = 1;
    for_each_batch(path, &["subject_id", "stream", "probability"], &session.progress, |batch| {
        let cell =
            |column, row| batch.text(column, row).map(|t| t.trim().to_owned()).unwrap_or_default();
        for row in 0..batch.n_rows() {
            number += 1;
            let (subject, stream, frame) =
                (cell("subject_id", row), cell("stream", row), cell("frame", row));
            let seed = cell("seed", row).parse().unwrap_or(0);
            let kind = Kind::Drawn {
                subject: subject.clone(),
                stream: stream.clone(),
                p_included: cell("probability", row).parse().ok(),
                frame: frame.clone(),
                model: cell("model", row),
                seed,
            };
            let id = format!("drawn/{frame}/{stream}/{seed}/{at_ms}/{subject}");
            let event = Event { key: Key { source: "sample".into(), id }, at_ms, kind };
            match event.check() {
                Ok(()) => events.push(event),
                Err(error) => problems.push((number, ProblemKind::OddValue, error.to_string())),
            }
        }
        Ok(())
    })?;
    for (row, kind, detail) in problems {
        session.problems.add(row, "subject_id", kind, detail);
    }
    Ok(events)
}

/// What a workflow may be answered with, by all its versions: the indices and the labels of its questions'
/// answers; anything for tasks of other kinds.
pub(crate) fn workflow(export: &Workflows, id: &str) -> Workflow {
    let mut known = Workflow::default();
    for (_, version) in export.versions(id) {
        for (key, definition) in &version.tasks {
            let task = known.tasks.entry(key.clone()).or_default();
            if !["single", "multiple", "shortcut"].contains(&definition.kind.as_str()) {
                continue;
            }
            task.multiple |= definition.kind != "single";
            for (index, label) in definition.answers.iter().enumerate() {
                task.answers.insert(index.to_string());
                task.answers.insert(label.trim().to_owned());
            }
        }
    }
    known
}

/// Embeddings: `subject_id` and one column an entry, `e0`, `e1`, … (or `z0`, as `volary score` writes them).
pub(crate) fn embeddings(path: &Path, model: &str, session: &mut Session) -> Result<Embeddings> {
    session.input_file(path)?;
    let mut made = Embeddings { model: model.to_owned(), ..Embeddings::default() };
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    let mut number = 1;
    for_each_batch(path, &["subject_id"], &session.progress, |batch| {
        if columns.is_empty() {
            columns = entry_columns(&batch.columns(0));
        }
        for row in 0..batch.n_rows() {
            number += 1;
            let values: Option<Vec<f64>> = columns
                .iter()
                .map(|column| batch.text(column, row)?.trim().parse::<f64>().ok())
                .collect();
            match (batch.text("subject_id", row), values) {
                (Some(subject), Some(values)) if values.iter().all(|v| v.is_finite()) => {
                    made.of.insert(subject.trim().to_owned(), values);
                }
                _ => problems.push(number),
            }
        }
        Ok(())
    })?;
    for row in problems {
        session.problems.add(row, "e0", ProblemKind::OddValue, "no finite number in every entry");
    }
    made.dimension = columns.len();
    if made.dimension == 0 {
        bail!("no embedding in it; it needs the columns e0, e1, …: {}", path.display());
    }
    Ok(made)
}

fn entry_columns(names: &[String]) -> Vec<String> {
    // `z0` as `volary score` writes them; `e0` elsewhere.
    let place =
        |name: &String| Some((name.strip_prefix(['e', 'z'])?.parse::<u32>().ok()?, name.clone()));
    let mut found: Vec<(u32, String)> = names.iter().filter_map(place).collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

fn file_time_ms(path: &Path) -> Result<i64> {
    let what = || format!("reading failed: {}", path.display());
    let time = std::fs::metadata(path).with_context(what)?.modified().with_context(what)?;
    Ok(jiff::Timestamp::try_from(time).with_context(what)?.as_millisecond())
}
