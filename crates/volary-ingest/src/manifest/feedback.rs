//! Training feedback: the columns `#feedback_<n>_<field>`, one rule per `n`.
//!
//! Which fields a rule needs depends on its strategy, which stands in the workflow and not here. Without
//! the workflow it is told by the fields themselves, as far as they show it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use volary_core::{ProblemKind, Problems};

use super::typo::nearest;
use crate::records::Record;

/// Fields that the platform reads.
const FIELDS: [&str; 12] = [
    "id",
    "successMessage",
    "failureMessage",
    "answer",
    "x",
    "y",
    "tolerance",
    "width",
    "choiceIds",
    "toleranceA",
    "toleranceB",
    "theta",
];
const NUMBERS: [&str; 7] = ["x", "y", "tolerance", "width", "toleranceA", "toleranceB", "theta"];

/// Strategies by rule id, as a workflow defines them.
pub type FeedbackRules = BTreeMap<String, String>;

/// The feedback rules of a workflow's `tasks` (of the workflow export or the API).
#[must_use]
pub fn feedback_rules(tasks: &Value) -> FeedbackRules {
    let tasks = tasks.as_object().into_iter().flat_map(|tasks| tasks.values());
    let rules = tasks.filter_map(|task| task.get("feedback")?.get("rules")?.as_array()).flatten();
    let text = |rule: &Value, key: &str| Some(rule.get(key)?.as_str()?.to_owned());
    rules.filter_map(|rule| Some((text(rule, "id")?, text(rule, "strategy")?))).collect()
}

/// What is wrong with a column name that looks like feedback; `None` where it is fine or something else.
pub(super) fn misspelling(name: &str) -> Option<Cow<'static, str>> {
    let low = name.to_ascii_lowercase();
    let bare = low.trim_start_matches(['#', '!', '%', '/', ' ']);
    if !bare.starts_with("feedback") {
        let (word, rest) = bare.split_once('_')?;
        let has_number = rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('_');
        nearest(word, ["feedback"]).filter(|_| has_number)?;
        return Some(format!("the platform ignores it; if #feedback_{rest} is meant, rename it").into());
    }
    let hint = match parse(name) {
        None => {
            "feedback columns are #feedback_<number>_<field>, in lower case; rename the column".into()
        }
        Some((_, field)) if FIELDS.contains(&field) => return None,
        Some((_, field)) => match field_meant(field) {
            Some(right) => {
                format!("no such feedback field; if {right} is meant, rename it (capitals count)").into()
            }
            None => {
                "no such feedback field; there are id, successMessage, failureMessage, answer, x, y, \
                     width, tolerance, choiceIds (capitals count)"
                    .into()
            }
        },
    };
    Some(hint)
}

/// The field that was probably meant, in any case.
fn field_meant(field: &str) -> Option<&'static str> {
    let same = FIELDS.into_iter().find(|known| known.eq_ignore_ascii_case(field));
    same.or_else(|| nearest(field, FIELDS))
}

/// `#feedback_1_x` → 1, `x`.
fn parse(name: &str) -> Option<(u32, &str)> {
    let (number, field) = name.strip_prefix("#feedback_")?.split_once('_')?;
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    Some((if digits { number.parse().ok()? } else { return None }, field))
}

/// Where the fields of each rule stand.
pub(super) struct FeedbackColumns {
    strategies: FeedbackRules,
    rules: BTreeMap<u32, BTreeMap<String, usize>>,
}

impl FeedbackColumns {
    pub(super) fn find(names: &[String], strategies: FeedbackRules) -> Self {
        let mut rules: BTreeMap<u32, BTreeMap<String, usize>> = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            if let Some((number, field)) = parse(name).filter(|(_, f)| FIELDS.contains(f)) {
                rules.entry(number).or_default().insert(field.to_owned(), at);
            }
        }
        Self { strategies, rules }
    }

    /// Checks all rules of a row; true where at least one is complete.
    pub(super) fn check(&self, record: &Record, problems: &mut Problems) -> bool {
        let mut any = false;
        for (number, columns) in &self.rules {
            let cells: BTreeMap<&str, &str> = columns
                .iter()
                .map(|(field, at)| (field.as_str(), record.get(Some(*at)).trim()))
                .filter(|(_, cell)| !cell.is_empty())
                .collect();
            if cells.is_empty() {
                continue;
            }
            let mut found = Found { row: record.row, number: *number, n: 0, problems };
            found.rule(&cells, columns, &self.strategies);
            any |= found.n == 0;
        }
        any
    }
}

struct Found<'a> {
    row: u64,
    number: u32,
    n: u64,
    problems: &'a mut Problems,
}

impl Found<'_> {
    fn add(&mut self, field: &str, kind: ProblemKind, detail: String) {
        self.n += 1;
        self.problems.add(self.row, &format!("#feedback_{}_{field}", self.number), kind, detail);
    }

    fn missing(&mut self, field: &str, why: &str) {
        self.add(field, ProblemKind::EmptyCell, format!("{why} needs {field}; fill it in"));
    }

    fn rule(
        &mut self,
        cells: &BTreeMap<&str, &str>,
        columns: &BTreeMap<String, usize>,
        strategies: &FeedbackRules,
    ) {
        match cells.get("id") {
            None => self.missing("id", "a rule that the workflow is to find"),
            Some(id) if !strategies.is_empty() && !strategies.contains_key(*id) => {
                let known: Vec<&str> = strategies.keys().map(String::as_str).collect();
                let detail = format!("the workflow has no rule {id}, only {}", known.join(", "));
                self.add("id", ProblemKind::Suspicious, detail);
            }
            Some(_) => {}
        }
        match cells.get("id").and_then(|id| strategies.get(*id)) {
            Some(strategy) => self.fields_of(strategy, cells),
            None => self.fields_by_sight(cells, columns),
        }
        if let Some(answer) = cells.get("answer")
            && !answer.parse::<i64>().is_ok_and(|n| n >= -1)
        {
            let detail =
                "the index of the answer (0 for the first, -1 for none), not its label".to_owned();
            self.add("answer", ProblemKind::NotANumber, detail);
        }
        self.numbers(cells);
    }

    fn fields_of(&mut self, strategy: &str, cells: &BTreeMap<&str, &str>) {
        match strategy {
            "singleAnswerQuestion" => self.needs(cells, &["answer"], strategy),
            "radial" => self.needs(cells, &["x", "y", "tolerance"], strategy),
            "graph2drange" => self.needs(cells, &["x", "width", "tolerance"], strategy),
            "column" => {
                self.needs(cells, &["x", "width", "tolerance"], strategy);
                self.whole_numbers(cells);
            }
            // An empty choiceIds means that nothing is there; dud and others have no fields.
            _ => {}
        }
    }

    fn fields_by_sight(&mut self, cells: &BTreeMap<&str, &str>, columns: &BTreeMap<String, usize>) {
        let has = |field: &str| cells.contains_key(field);
        let (point, range) = (has("y"), has("width"));
        if point && range {
            let detail = "y belongs to points and width to ranges; keep one of them".to_owned();
            self.add("width", ProblemKind::Suspicious, detail);
        } else if point || (has("x") && !range && columns.contains_key("y")) {
            self.needs(cells, &["x", "y", "tolerance"], "a point");
        } else if range || has("x") {
            self.needs(cells, &["x", "width", "tolerance"], "a range");
            if cells.get("id").is_some_and(|id| id.to_ascii_lowercase().contains("column")) {
                self.whole_numbers(cells);
            }
        } else if has("tolerance") {
            self.missing("x", "a tolerance");
        }
    }

    fn needs(&mut self, cells: &BTreeMap<&str, &str>, fields: &[&str], what: &str) {
        for field in fields {
            if !cells.contains_key(field) {
                self.missing(field, what);
            }
        }
    }

    fn numbers(&mut self, cells: &BTreeMap<&str, &str>) {
        for field in NUMBERS {
            let Some(cell) = cells.get(field) else { continue };
            match cell.parse::<f64>() {
                Ok(value) if !value.is_finite() => {
                    self.add(field, ProblemKind::NotANumber, "write a finite number".to_owned());
                }
                Err(_) => self.add(field, ProblemKind::NotANumber, "write a number".to_owned()),
                Ok(value) if field == "tolerance" && value <= 0.0 => {
                    let detail = "no mark is nearer than that; write a positive number".to_owned();
                    self.add(field, ProblemKind::Suspicious, detail);
                }
                Ok(_) => {}
            }
        }
    }

    /// The strategy `column` cuts its numbers to whole ones, `graph2drange` does not.
    fn whole_numbers(&mut self, cells: &BTreeMap<&str, &str>) {
        for field in ["x", "width", "tolerance"] {
            let cell = cells.get(field).copied().unwrap_or("0");
            if cell.parse::<f64>().is_ok() && cell.parse::<i64>().is_err() {
                let detail = format!("the strategy column reads whole numbers; {cell} would be cut off");
                self.add(field, ProblemKind::Suspicious, detail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn names() {
        for good in ["#feedback_0_id", "#feedback_12_choiceIds", "image", "#fee"] {
            assert_eq!(misspelling(good), None, "{good}");
        }
        for bad in [
            "#feedback1_x",
            "#Feedback_1_x",
            "feedback_1_x",
            "#feedback_1_X",
            "#feedback_a_x",
            "#feedback_1",
        ] {
            assert!(misspelling(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn rules() {
        let problems = |header: &str, row: &str| {
            let report = check(&format!("image,{header}\na.jpg,{row}\n"));
            report
                .report
                .problems
                .examples()
                .map(|p| (p.column.trim_start_matches("#feedback_1_").to_owned(), p.kind))
                .collect::<Vec<_>>()
        };
        let rule = "#feedback_1_id,#feedback_1_x,#feedback_1_y,#feedback_1_width,#feedback_1_tolerance";
        let found = |row| problems(rule, row);
        assert_eq!(found("planet,15.2,,0.9,0.4"), []);
        assert_eq!(found(",,,,"), []);
        assert_eq!(found("p,1,2,,3"), []);
        let one = |field: &str, kind| [(field.to_owned(), kind)];
        assert_eq!(found(",1,2,,3"), one("id", ProblemKind::EmptyCell));
        assert_eq!(found("p,1,,0.9,"), one("tolerance", ProblemKind::EmptyCell));
        assert_eq!(found("p,one,2,,3"), one("x", ProblemKind::NotANumber));
        assert_eq!(found("p,1,2,,0"), one("tolerance", ProblemKind::Suspicious));
        assert_eq!(found("column,15.2,,9,4"), one("x", ProblemKind::Suspicious));
        assert_eq!(
            problems("#feedback_1_id,#feedback_1_answer", "p,Yes"),
            one("answer", ProblemKind::NotANumber)
        );
    }

    #[test]
    fn rules_by_the_workflow() {
        let tasks = serde_json::json!({"T0": {"feedback": {"enabled": true, "rules": [
            {"id": "transit", "strategy": "column"}, {"id": "is it", "strategy": "singleAnswerQuestion"}]}},
            "T1": {"feedback": {}}});
        let rules = feedback_rules(&tasks);
        let names = ["id", "x", "width", "tolerance", "answer"].map(|f| format!("#feedback_1_{f}"));
        let columns = FeedbackColumns::find(&names, rules);
        let found = |row: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), format!("{}\n{row}\n", names.join(","))).unwrap();
            let open = crate::records::Records::open;
            let mut records = open(file.path(), Default::default(), &Default::default()).unwrap();
            let record = records.next_record().unwrap().unwrap();
            let mut problems = Problems::default();
            columns.check(&record, &mut problems);
            problems.examples().map(|p| p.detail.clone()).collect::<Vec<_>>().join(" | ")
        };
        assert_eq!(found("transit,15,9,4,"), "");
        assert!(found("transit,15.2,9,4,").contains("15.2 would be cut off"));
        assert!(found("transit,15,,4,").contains("column needs width"));
        assert!(found("is it,,,,").contains("needs answer"));
        assert!(found("planet,15,9,4,").contains("no rule planet"));
    }
}
