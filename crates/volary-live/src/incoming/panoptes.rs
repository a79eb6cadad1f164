//! Panoptes and Caesar: one classification in any of the four shapes in which they tell it.
//!
//! The stream and the API have `annotations` as a list and the ids in `links`; Caesar's calls have them
//! grouped by task and the ids beside them; an extract has only what an extractor kept, as counts by
//! answer. The stream brings the subject's metadata too: they become a subject event, unless the key is
//! hidden (`#`, `//`), as feedback answers are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use volary_core::ProblemKind;

use crate::event::{Actor, Answers, Event, Key, Kind};

type Problem = (&'static str, ProblemKind, String);

/// The source of all of them: an id means the same classification however it is told.
const SOURCE: &str = "panoptes";

pub(super) fn events(value: &Value) -> Result<Vec<Event>, Problem> {
    let object = value.as_object().ok_or_else(|| odd("", "not an object"))?;
    if let Some(kind) = object.get("type").and_then(Value::as_str)
        && kind != "classification"
        && object.contains_key("data")
    {
        return Err(odd("type", &format!("an event of kind {}, which is not read", short(kind))));
    }
    match (object.get("data"), object.get("extractor_key")) {
        (Some(data), Some(_)) => extract(object, data),
        (Some(Value::Object(data)), None) => {
            let mut events = classification(data)?;
            events.extend(subjects(object.get("linked"), &events));
            Ok(events)
        }
        _ => classification(object),
    }
}

/// A classification as the stream, the API or Caesar tells it.
fn classification(data: &Map<String, Value>) -> Result<Vec<Event>, Problem> {
    let none = Map::new();
    let links = data.get("links").and_then(Value::as_object).unwrap_or(&none);
    let metadata = data.get("metadata").and_then(Value::as_object).unwrap_or(&none);
    let id = text(data.get("id")).ok_or_else(|| empty("id"))?;
    let linked = |link: &str, plain: &str| text(links.get(link)).or_else(|| text(data.get(plain)));
    let workflow = linked("workflow", "workflow_id").ok_or_else(|| empty("workflow"))?;
    let version = text(data.get("workflow_version")).or_else(|| text(metadata.get("workflow_version")));
    let time = ["created_at", "updated_at"].into_iter().find_map(|key| data.get(key).and_then(time_ms));
    let at_ms = time.or_else(|| metadata.get("finished_at").and_then(time_ms)).ok_or((
        "created_at",
        ProblemKind::BadTime,
        "no time that can be read".to_owned(),
    ))?;
    let actor = match linked("user", "user_id") {
        Some(user) => Actor::User(user),
        None => Actor::of_session(metadata.get("session").and_then(Value::as_str)),
    };
    let answers = answers(data.get("annotations"))?;
    let mut subjects: Vec<String> = match links.get("subjects") {
        Some(Value::Array(subjects)) => subjects.iter().filter_map(|s| text(Some(s))).collect(),
        _ => text(data.get("subject_id")).into_iter().collect(),
    };
    subjects.dedup();
    let is_one = subjects.len() == 1;
    let vote = |subject: String| {
        // A classification of several subjects at once is a vote on each.
        let id = if is_one { id.clone() } else { format!("{id}/{subject}") };
        let (workflow, version) = (workflow.clone(), version.clone().unwrap_or_default());
        let (actor, answers) = (actor.clone(), answers.clone());
        Event { key: key(id), at_ms, kind: Kind::Vote { workflow, version, subject, actor, answers } }
    };
    if subjects.is_empty() {
        Err(empty("subjects"))
    } else {
        Ok(subjects.into_iter().map(vote).collect())
    }
}

/// One of Caesar's extracts: `{"data":{"0":1}}`.
fn extract(object: &Map<String, Value>, data: &Value) -> Result<Vec<Event>, Problem> {
    if object.get("machine_data").and_then(Value::as_bool) == Some(true) {
        return Err(odd("machine_data", "an extract by a machine, which is no vote"));
    }
    let needed = |name: &'static str| text(object.get(name)).ok_or_else(|| empty(name));
    let task = needed("extractor_key")?;
    let chosen = data.as_object().ok_or_else(|| odd("data", "not an object"))?;
    let labels = chosen
        .iter()
        .filter(|(_, n)| n.as_f64().is_some_and(|n| n > 0.0))
        .map(|(label, _)| label.clone());
    let at_ms = object.get("classification_at").and_then(time_ms).ok_or((
        "classification_at",
        ProblemKind::BadTime,
        "no time that can be read".to_owned(),
    ))?;
    let actor = text(object.get("user_id")).map_or_else(|| Actor::of_session(None), Actor::User);
    // Several extractors look at one classification, each with its own answer.
    let id = format!("{}/{task}", needed("classification_id")?);
    let kind = Kind::Vote {
        workflow: needed("workflow_id")?,
        version: text(object.get("workflow_version")).unwrap_or_default(),
        subject: needed("subject_id")?,
        actor,
        answers: [(task.to_uppercase(), labels.collect())].into(),
    };
    Ok(vec![Event { key: key(id), at_ms, kind }])
}

/// What the stream says of the subjects of these votes.
fn subjects(linked: Option<&Value>, votes: &[Event]) -> Vec<Event> {
    let listed = linked.and_then(|linked| linked.get("subjects")).and_then(Value::as_array);
    let of = |subject: &Value| {
        let id = text(subject.get("id"))?;
        votes.iter().any(|vote| vote.subject() == Some(&id)).then_some(())?;
        let at_ms = subject.get("updated_at").and_then(time_ms)?;
        let metadata = subject.get("metadata").and_then(Value::as_object);
        let mut facts = BTreeMap::new();
        for (name, value) in metadata.into_iter().flatten() {
            let is_hidden = name.is_empty() || name.starts_with('#') || name.starts_with("//");
            if let Some(value) = text(Some(value)).filter(|_| !is_hidden) {
                facts.insert(name.trim_start_matches(['!', '%']).to_owned(), value);
            }
        }
        let is_training = metadata.and_then(|m| m.get("#training_subject")).and_then(|v| text(Some(v)));
        let validation = is_training.is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let truth = metadata.map(feedback_answers).unwrap_or_default();
        // The same subject comes with each of its votes; one id for each of its states.
        let content = serde_json::to_vec(&(&facts, validation, &truth)).ok()?;
        let state = &blake3::hash(&content).to_hex()[..12];
        let key = key(format!("subject/{id}/{at_ms}/{state}"));
        Some(Event { key, at_ms, kind: Kind::Subject { subject: id, validation, truth, facts } })
    };
    listed.into_iter().flatten().filter_map(of).collect()
}

/// What is true by `#feedback_N_answer`, where there is one. The metadata do not say of which task; it is
/// taken to be the first. -1 is "no answer is right".
fn feedback_answers(metadata: &Map<String, Value>) -> Answers {
    let is_answer = |name: &str| name.starts_with("#feedback_") && name.ends_with("_answer");
    let mut answers = metadata.iter().filter(|(name, _)| is_answer(name));
    let (Some((_, value)), None) = (answers.next(), answers.next()) else { return Answers::new() };
    let Some(answer) = text(Some(value)) else { return Answers::new() };
    let labels = if answer == "-1" { Vec::new() } else { vec![answer] };
    [("T0".to_owned(), labels)].into()
}

/// Answers by task. A list of envelopes, as the stream has it, or an object of such lists, as Caesar has.
fn answers(annotations: Option<&Value>) -> Result<Answers, Problem> {
    let mut answers = Answers::new();
    match annotations {
        Some(Value::Array(envelopes)) => {
            for envelope in envelopes {
                let task = text(envelope.get("task")).ok_or_else(|| empty("annotations"))?;
                take(&task, envelope.get("value"), &mut answers);
            }
        }
        Some(Value::Object(by_task)) => {
            for (task, envelopes) in by_task {
                for envelope in envelopes.as_array().into_iter().flatten() {
                    take(task, envelope.get("value"), &mut answers);
                }
            }
        }
        _ => return Err(odd("annotations", "neither a list nor an object")),
    }
    Ok(answers)
}

/// Adds a task's answer. What is no choice (marks, free text objects) counts as looked at, and no more.
fn take(task: &str, value: Option<&Value>, answers: &mut Answers) {
    let labels = answers.entry(task.to_owned()).or_default();
    match value {
        Some(Value::Array(items)) => {
            for item in items {
                // A survey's choice, a nested task of a combination, or a plain answer.
                if let Some(choice) = item.get("choice") {
                    labels.extend(text(Some(choice)));
                } else if let Some(nested) = item.get("task").and_then(|task| text(Some(task))) {
                    take(&nested, item.get("value"), answers);
                    return take_rest(items, answers);
                } else {
                    labels.extend(text(Some(item)));
                }
            }
        }
        other => labels.extend(text(other)),
    }
}

/// The tasks of a combination after the first.
fn take_rest(items: &[Value], answers: &mut Answers) {
    for item in items.iter().skip(1) {
        if let Some(task) = text(item.get("task")) {
            take(&task, item.get("value"), answers);
        }
    }
}

/// Text, numbers and truth values as text; nothing for anything else.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn time_ms(value: &Value) -> Option<i64> {
    let text = value.as_str()?.trim();
    let time = match text.strip_suffix(" UTC") {
        Some(bare) => format!("{bare}Z").parse::<jiff::Timestamp>(),
        None => text.parse::<jiff::Timestamp>(),
    };
    time.ok().map(jiff::Timestamp::as_millisecond)
}

fn key(id: String) -> Key {
    Key { source: SOURCE.to_owned(), id }
}

fn empty(column: &'static str) -> Problem {
    (column, ProblemKind::EmptyCell, "missing or empty".to_owned())
}

fn odd(column: &'static str, what: &str) -> Problem {
    (column, ProblemKind::OddValue, what.to_owned())
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
