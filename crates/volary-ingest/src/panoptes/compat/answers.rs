//! Extractors of answers: question, shortcut, survey, dropdown, slider, text.
//!
//! As in the original, a task that was shown and left blank gives a row without data. Unlike there, no
//! answer is no column `None` (reducers count that as an answer), every annotation of a survey is read
//! and not the first alone, and an unanswered select of a dropdown does not cost the whole row.

use serde_json::{Map, Value};

use super::super::annotation::first_line;
use super::datum::{Column, Datum, Label, Labels, Part, named};
use super::rows::{Annotation, scalar_text};
use super::slug::slugify;

/// One row of an extraction: columns and cells.
pub(super) type Cells = Vec<(Column, Datum)>;

/// What an annotation says that this extractor cannot read.
pub(super) type Unreadable = &'static str;

/// The answers of a question: labels, numbers, or choices of a survey. `null` is none.
fn answers(value: &Value) -> Result<Vec<String>, Unreadable> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => {
            list.iter().filter(|v| !v.is_null()).map(|v| answer(v).ok_or("not an answer")).collect()
        }
        one => Ok(vec![answer(one).ok_or("not an answer")?]),
    }
}

fn answer(value: &Value) -> Option<String> {
    match value {
        Value::Object(map) => map.get("choice").filter(|c| !c.is_null()).map(scalar_text),
        Value::Array(_) | Value::Null => None,
        scalar => Some(scalar_text(scalar)),
    }
}

/// `question_extractor` and `shortcut_extractor`: a count of one in the column of each answer.
pub(super) fn question(
    annotations: &[&Annotation],
    scope: &str,
    labels: &mut Labels,
) -> Result<Cells, Unreadable> {
    let Some(first) = annotations.first() else { return Ok(Vec::new()) };
    let counted = |label| (vec![Part::Label(label)], Datum::Count(1));
    Ok(answers(&first.value)?.iter().map(|a| counted(labels.intern(scope, a))).collect())
}

/// `survey_extractor`: one row per choice.
pub(super) fn survey(
    annotations: &[&Annotation],
    scope: &str,
    labels: &mut Labels,
) -> Result<Vec<Cells>, Unreadable> {
    let mut rows = Vec::new();
    for annotation in annotations {
        match &annotation.value {
            Value::Null => {}
            Value::Array(list) => {
                for item in list {
                    let item = item.as_object().ok_or("not a survey choice")?;
                    rows.push(survey_choice(item, scope, labels)?);
                }
            }
            _ => return Err("not a list of survey choices"),
        }
    }
    Ok(rows)
}

fn survey_choice(
    item: &Map<String, Value>,
    scope: &str,
    labels: &mut Labels,
) -> Result<Cells, Unreadable> {
    let choice = item.get("choice").filter(|c| !c.is_null()).ok_or("a survey choice without a name")?;
    let choice = labels.intern(scope, &scalar_text(choice));
    let mut cells = vec![(named("choice"), Datum::Name(choice))];
    for (question, given) in item.get("answers").and_then(Value::as_object).into_iter().flatten() {
        let scope = format!("{scope}/{question}");
        let prefix = Part::Text(format!("answers_{}.", slugify(question)));
        for answer in answers(given)? {
            let column = vec![prefix.clone(), Part::Label(labels.intern(&scope, &answer))];
            cells.push((column, Datum::Count(1)));
        }
    }
    Ok(cells)
}

/// `dropdown_extractor`: `value` is a list with the answer of each select, by its label where there is
/// one (the original gives the option's hash).
pub(super) fn dropdown(
    annotations: &[&Annotation],
    scope: &str,
    labels: &mut Labels,
) -> Result<Cells, Unreadable> {
    let Some(first) = annotations.first() else { return Ok(Vec::new()) };
    let selects = match &first.value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut list = Vec::with_capacity(selects.len());
    for (i, select) in selects.iter().enumerate() {
        let select = select.as_object().ok_or("not a select of a dropdown")?;
        let answer = selected(select).map(|text| labels.intern(&format!("{scope}/{i}"), &text));
        list.push(Datum::Counts(answer.into_iter().collect::<Vec<Label>>()));
    }
    Ok(vec![(named("value"), Datum::List(list))])
}

fn selected(select: &Map<String, Value>) -> Option<String> {
    let given = |key: &str| select.get(key).filter(|v| !v.is_null() && v.as_str() != Some(""));
    ["label", "value", "selection"].into_iter().find_map(given).map(scalar_text)
}

/// `slider_extractor`: the number as it was written.
pub(super) fn slider(annotations: &[&Annotation]) -> Result<Cells, Unreadable> {
    match annotations.first().map(|a| &a.value) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(_) | Value::Number(_)) => {
            let text = scalar_text(&annotations[0].value);
            Ok(vec![(named("slider_value"), Datum::Text(text))])
        }
        Some(_) => Err("not a number"),
    }
}

/// `text_extractor`: what was typed, and whether in gold-standard mode.
pub(super) fn text(annotations: &[&Annotation], gold_standard: bool) -> Result<Cells, Unreadable> {
    let Some(first) = annotations.first() else { return Ok(Vec::new()) };
    let gold = (named("gold_standard"), Datum::Text(gold_standard.to_string()));
    match &first.value {
        Value::Null => Ok(vec![gold]),
        Value::String(_) | Value::Number(_) => {
            Ok(vec![(named("text"), Datum::Text(scalar_text(&first.value))), gold])
        }
        _ => Err("not a text"),
    }
}

/// The answer to a question about a mark, as one item of a list; an extractor's name says how.
///
/// # Errors
/// Where the value is not what the extractor reads, or the extractor is not one for details.
pub(super) fn detail(
    extractor: &str,
    value: &Value,
    scope: &str,
    gold_standard: bool,
    labels: &mut Labels,
) -> Result<Datum, String> {
    let annotation = Annotation { value: value.clone(), ..Annotation::default() };
    let one = [&annotation];
    let said = match extractor {
        "question_extractor" | "shortcut_extractor" => {
            let answers = answers(value)?;
            return Ok(Datum::Counts(answers.iter().map(|a| labels.intern(scope, a)).collect()));
        }
        "dropdown_extractor" => {
            let cells = dropdown(&one, scope, labels)?;
            return Ok(cells.into_iter().next().map_or(Datum::List(Vec::new()), |(_, datum)| datum));
        }
        "text_extractor" => text(&one, gold_standard)?,
        "slider_extractor" => slider(&one)?,
        other => return Err(first_line(&format!("no details by {other}"))),
    };
    Ok(Datum::Text(json_object(&said)))
}

/// Cells of fixed names as a JSON object; what is text stays text.
fn json_object(cells: &Cells) -> String {
    let mut object = Map::new();
    for (column, datum) in cells {
        let [Part::Text(name)] = column.as_slice() else { continue };
        let Datum::Text(text) = datum else { continue };
        let value = match (name.as_str(), text.as_str()) {
            ("gold_standard", text) => Value::Bool(text == "true"),
            _ => Value::String(text.clone()),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object).to_string()
}
