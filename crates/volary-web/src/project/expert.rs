//! What experts said, as a quantity: a subject's is the mean of the labels that people gave it as numbers.
//!
//! `artefact` and `unsure` are no numbers and do not count. A mean of several people's labels counts as "at least 3"
//! from 2.5 on, so that what is asked is a threshold between two labels. Page and command line take it from here.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::labels::{Label, LabelError, Labels, read_current};

/// Labels on a side of a threshold from which on something can be learned from them.
pub(crate) const ENOUGH: usize = 5;
/// From here on a subject is interesting: its label rounds to 3 or more.
pub(crate) const INTERESTING_FROM: f64 = 2.5;

/// The question of a quantity that is called `label(QUESTION)`.
pub(crate) fn question(quantity: &str) -> Option<&str> {
    quantity.strip_prefix("label(")?.strip_suffix(')')
}

/// What was said on a question, by subject.
pub(crate) fn values(labels: Option<&Labels>, question: &str) -> BTreeMap<String, f64> {
    means(&labels.map(Labels::current).unwrap_or_default(), question)
}

/// What a log of labels says on a question: the mean of a subject's labels, by subject. Nothing is written; a last
/// line without an end is left out, as a server that writes it would.
///
/// # Errors
/// [`LabelError`]: it cannot be read, or a line is none of ours.
pub fn read(path: &Path, question: &str) -> Result<BTreeMap<String, f64>, LabelError> {
    Ok(means(&read_current(path)?, question))
}

fn means(labels: &[Label], question: &str) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for label in labels.iter().filter(|label| label.question == question) {
        let value = label.value.as_deref().and_then(|value| value.trim().parse::<f64>().ok());
        if let Some(value) = value.filter(|value| value.is_finite()) {
            let sum = sums.entry(&label.subject_id).or_default();
            (sum.0, sum.1) = (sum.0 + value, sum.1 + 1.0);
        }
    }
    sums.into_iter().map(|(subject, (sum, n))| (subject.to_owned(), sum / n)).collect()
}

/// The values of these subjects; NaN where nothing was said.
#[must_use]
pub fn of_rows<I: AsRef<str>>(said: &BTreeMap<String, f64>, ids: &[I]) -> Vec<f64> {
    let by_id: HashMap<&str, f64> = said.iter().map(|(id, value)| (id.as_str(), *value)).collect();
    ids.iter().map(|id| by_id.get(id.as_ref()).copied().unwrap_or(f64::NAN)).collect()
}

/// A sentence where too little was said on one side of a threshold; NaN is nothing said.
#[must_use]
pub fn too_few(values: &[f64], threshold: f64) -> Option<String> {
    let n_above = values.iter().filter(|value| **value > threshold).count();
    let n_below = values.iter().filter(|value| **value <= threshold).count();
    (n_above.min(n_below) < ENOUGH).then(|| {
        format!(
            "{n_above} labelled subjects with a vector are above {threshold} and {n_below} are not; it takes {ENOUGH} \
             of either to learn from: label some more"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subjects_value_is_the_mean_of_what_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let labels = Labels::open(&path).unwrap();
        let give = |id: &str,
                    subject: &str,
                    by: &str,
                    question: &str,
                    value: Option<&str>,
                    of: Option<&str>| {
            let label = Label {
                id: id.to_owned(),
                subject_id: subject.to_owned(),
                question: question.to_owned(),
                value: value.map(str::to_owned),
                by: by.to_owned(),
                at: String::new(),
                retracts: of.map(str::to_owned),
            };
            assert!(labels.add(label).unwrap());
        };
        give("1", "a", "x", "relevance", Some("5"), None);
        give("2", "a", "y", "relevance", Some("2"), None);
        give("3", "b", "x", "relevance", Some("unsure"), None);
        give("4", "c", "x", "class", Some("1"), None);
        give("5", "d", "x", "relevance", Some("0"), None);
        give("6", "d", "x", "relevance", Some("4"), None);
        give("7", "d", "x", "relevance", None, Some("6"));
        let known = BTreeMap::from([("a".to_owned(), 3.5), ("d".to_owned(), 0.0)]);
        assert_eq!(values(Some(&labels), "relevance"), known);
        assert_eq!(values(None, "relevance"), BTreeMap::new());
        // Another process reads the same while this one has it open, and a torn line is no label.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], br#"{"id":"8","subject_id":"a""#].concat()).unwrap();
        assert_eq!(read(&path, "relevance").unwrap(), known);
        assert!(of_rows(&known, &["d", "z"])[1].is_nan() && of_rows(&known, &["d"]) == [0.0]);
        assert!(read(&folder.path().join("none"), "relevance").is_err());
        assert_eq!(question("label(relevance)"), Some("relevance"));
        assert_eq!((question("label"), question("label(x")), (None, None));
    }

    #[test]
    fn few_labels_are_said_to_be_few() {
        let mut values = vec![0.0, 1.0, 2.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, f64::NAN];
        let said = too_few(&values, INTERESTING_FROM).unwrap();
        assert!(said.contains("4 labelled subjects") && said.contains("5 are not"), "{said}");
        values.push(3.0);
        assert_eq!(too_few(&values, INTERESTING_FROM), None);
    }
}
