//! Classifications of light curves one at a time: one JSON object a line, as a live project hands them on.
//!
//! ```json
//! {"classification_id": 7, "subject_id": "s1", "user_name": "ann", "marks": [[5.0, 5.6], [12.1, 12.9]]}
//! ```
//!
//! Ids may be numbers or texts; `volunteer` holds a key instead of a name; a mark may also be
//! `{"x_min_days": 5.0, "x_max_days": 5.6}`; no marks, or none at all, is somebody who saw nothing. Other
//! fields are passed over. No files are opened here.

use serde::Deserialize;
use serde_json::Value;

use crate::volunteer;

/// One classification.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkEvent {
    /// Its id.
    pub classification_id: String,
    /// The subject's id.
    pub subject_id: String,
    /// The volunteer's key; names go no further than this reader.
    pub volunteer: String,
    /// Ranges, days; as they were given, reversed ones too.
    pub marks: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "id", alias = "classification")]
    classification_id: Value,
    #[serde(alias = "subject")]
    subject_id: Value,
    #[serde(default, alias = "user")]
    user_name: Option<String>,
    #[serde(default)]
    volunteer: Option<String>,
    #[serde(default)]
    marks: Option<Vec<Range>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Range {
    Pair(f64, f64),
    Named {
        #[serde(alias = "xmin", alias = "xMinGlobal")]
        x_min_days: f64,
        #[serde(alias = "xmax", alias = "xMaxGlobal")]
        x_max_days: f64,
    },
}

/// Reads one line.
///
/// # Errors
/// What is wrong with it, in words, without the line's content.
pub fn parse_mark_event(line: &str) -> Result<MarkEvent, String> {
    // A list of values in the order of the fields would be taken too.
    if !line.trim_start().starts_with('{') {
        return Err("no JSON object".to_owned());
    }
    // The parser's own words could quote a name.
    let line: Line = serde_json::from_str(line).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => {
            "needs classification_id, subject_id, user_name or volunteer, and marks of two numbers each"
                .to_owned()
        }
        _ => format!("no JSON object (column {})", e.column()),
    })?;
    let id = |value: &Value, what: &str| match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("no {what}")),
    };
    let volunteer = match (line.volunteer, line.user_name) {
        (Some(key), _) if !key.is_empty() => key,
        (_, Some(name)) => volunteer::key(name.trim()).0,
        _ => return Err("neither user_name nor volunteer".to_owned()),
    };
    let marks = line.marks.unwrap_or_default().into_iter().map(|range| match range {
        Range::Pair(a, b) => (a, b),
        Range::Named { x_min_days, x_max_days } => (x_min_days, x_max_days),
    });
    Ok(MarkEvent {
        classification_id: id(&line.classification_id, "classification_id")?,
        subject_id: id(&line.subject_id, "subject_id")?,
        volunteer,
        marks: marks.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind() {
        let event = parse_mark_event(
            r#"{"id":7,"subject_id":"s1","user_name":"Ann ","marks":[[5,5.5],{"xmin":9,"xmax":8}],"x":1}"#,
        )
        .unwrap();
        assert_eq!((event.classification_id.as_str(), event.subject_id.as_str()), ("7", "s1"));
        assert_eq!(event.volunteer, volunteer::key("Ann").0);
        assert_eq!(event.marks, [(5.0, 5.5), (9.0, 8.0)]);
        let nothing = parse_mark_event(
            r#"{"classification_id":"c","subject_id":2,"volunteer":"v1","marks":null}"#,
        )
        .unwrap();
        assert_eq!((nothing.volunteer.as_str(), nothing.marks.len()), ("v1", 0));
        for (line, words) in [
            ("", "no JSON object"),
            ("[1,2]", "no JSON object"),
            (r#"{"id":1}"#, "needs classification_id"),
            (r#"{"id":1,"subject_id":2}"#, "neither user_name"),
            (r#"{"id":null,"subject_id":2,"volunteer":"v"}"#, "no classification_id"),
            (r#"{"id":1,"subject_id":"","volunteer":"v"}"#, "no subject_id"),
            (r#"{"id":1,"subject_id":2,"user_name":"Zaphod","marks":[[1]]}"#, "needs classification_id"),
        ] {
            let error = parse_mark_event(line).unwrap_err();
            assert!(error.contains(words) && !error.contains("Zaphod"), "{line}: {error}");
        }
    }
}
