//! What other systems send, as events: Panoptes' stream and API, Caesar's calls, our own NDJSON.
//!
//! Pure functions from bytes to events and problems. Unknown fields are passed over, broken records are
//! reported and the rest is read. Answers stay as they were sent (indices as text): what they mean is for
//! the policy to say, and a retold event stays the same event. Addresses, browser data and session keys are
//! not kept.

mod panoptes;

use serde_json::Value;
use volary_core::{ProblemKind, Problems};

use crate::event::Event;

/// A longer line is no record. (Nesting is bounded by `serde_json`, at 128.)
const MAX_LINE_BYTES: usize = 4 << 20;

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The events, in the order in which they were told.
    pub events: Vec<Event>,
    /// What could not be read, by line of the input.
    pub problems: Problems,
}

/// Reads a body of any of the known forms: one JSON value, or one on each line.
///
/// - an event of ours, as `volary` writes it: `{"source":…,"id":…,"at_ms":…,"kind":"vote",…}`
/// - an event of Panoptes' stream, or `{"payload":[…]}` of them
/// - an answer of Panoptes' API: `{"classifications":[…]}`
/// - Caesar's call of an extractor, or an extract of Caesar's
/// - a JSON list of these
#[must_use]
pub fn parse(body: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    // One value over many lines is rarer than many values, and fails at its first line.
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        read(&value, 1, &mut parsed);
        return parsed;
    }
    for (number, line) in (1..).zip(body.split(|&byte| byte == b'\n')) {
        parse_line(line, number, &mut parsed);
    }
    parsed
}

/// Reads one line of NDJSON; blank lines are nothing.
pub fn parse_line(line: &[u8], number: u64, to: &mut Parsed) {
    if line.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    if line.len() > MAX_LINE_BYTES {
        let detail = format!("{} bytes in one line, more than {MAX_LINE_BYTES}", line.len());
        to.problems.add(number, "", ProblemKind::RowTooLong, detail);
        return;
    }
    match serde_json::from_slice::<Value>(line) {
        Ok(value) => read(&value, number, to),
        Err(error) => to.problems.add(number, "", ProblemKind::BadJson, error.to_string()),
    }
}

fn read(value: &Value, row: u64, to: &mut Parsed) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| read_one(item, row, to)),
        Value::Object(object) => {
            let list =
                ["payload", "classifications"].into_iter().find_map(|key| object.get(key)?.as_array());
            match list {
                Some(items) => items.iter().for_each(|item| read_one(item, row, to)),
                None => read_one(value, row, to),
            }
        }
        _ => to.problems.add(row, "", ProblemKind::OddValue, "neither an object nor a list of objects"),
    }
}

fn read_one(value: &Value, row: u64, to: &mut Parsed) {
    let is_ours = value.get("kind").is_some() && value.get("at_ms").is_some();
    let read = if is_ours {
        serde_json::from_value::<Event>(value.clone())
            .map(|event| vec![event])
            .map_err(|error| ("kind", ProblemKind::OddValue, error.to_string()))
    } else {
        panoptes::events(value)
    };
    match read {
        Ok(events) => {
            for event in events {
                match event.check() {
                    Ok(()) => to.events.push(event),
                    Err(error) => to.problems.add(row, "", ProblemKind::OddValue, error.to_string()),
                }
            }
        }
        Err((column, kind, detail)) => to.problems.add(row, column, kind, detail),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
