//! Tables that commands of geometry work on: one row a subject, whatever columns, and perhaps vectors.
//!
//! Vectors are columns that count up from 0 behind a common name (`z0`, `z1`, … as `volary score` writes
//! them, or `e0`, `e1`, …), one column of lists, or an NPY file with a row a subject. A table with a row per
//! subject *and answer* (a consensus, a model's predictions) is turned on its side: `consensus(vortex)`,
//! `predicted(vortex)`, with their ends of interval; so is one with a row per subject and question:
//! `outcome(T0)`, `agreement(T0)`. Other tables are joined to it by `subject_id`; of two columns of one name that say
//! different things the second is called by its table, too: `forest (scores)`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use volary_core::ProblemKind;
use volary_ingest::tables::{read_matrix, read_whole};
use volary_space::Points;
use volary_space::slice::{Column, Columns, Filter, Slice, Table as _};

use crate::question_names::QuestionNames;
use crate::session::Session;

/// A table in memory.
pub(crate) struct WholeTable {
    /// One a row.
    pub(crate) ids: Vec<String>,
    /// What can be filtered by.
    pub(crate) columns: Columns,
    /// Numbers of all rows' vectors, and how many a row has.
    pub(crate) vectors: Option<(Vec<f32>, usize)>,
    /// The question that a column of an answer's shares is of, such as `T0`, where the table says so.
    pub(crate) questions: BTreeMap<String, String>,
}

impl WholeTable {
    /// Reads a table, joins others, notes both as inputs.
    pub(crate) fn read(path: &Path, with: &[std::path::PathBuf], session: &mut Session) -> Result<Self> {
        let mut table = Self::read_one(path, session)?;
        for other in with {
            table.add(other, session)?;
        }
        Ok(table)
    }

    /// Joins one more table.
    pub(crate) fn add(&mut self, path: &Path, session: &mut Session) -> Result<()> {
        let other = Self::read_one(path, session)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.join(&other, &name)
    }

    fn read_one(path: &Path, session: &mut Session) -> Result<Self> {
        session.input_file(path)?;
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
            let (values, width) = read_matrix(path)?;
            let ids: Vec<String> = (0..values.len() / width).map(|row| row.to_string()).collect();
            let mut columns = Columns::default();
            let _ = columns.insert("subject_id", Column::text(ids.iter().map(|id| Some(id.as_str()))));
            let vectors = Some((values, width));
            return Ok(Self { ids, columns, vectors, questions: BTreeMap::new() });
        }
        let batches = read_whole(path, &session.progress)?;
        let columns = Columns::from_batches(&batches);
        let Some(ids) = columns.column("subject_id").map(texts) else {
            bail!("no column subject_id in it; name the column of ids so: {}", path.display());
        };
        if ids.is_empty() {
            bail!("the table has no rows: {}", path.display());
        }
        if columns.column("answer").is_some() {
            return turned(&ids, &columns).with_context(|| format!("{}", path.display()));
        }
        let mut seen = HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            if let Some(first) = seen.insert(id.as_str(), row) {
                bail!(
                    "subject {id:?} stands in rows {} and {}; a table for this has one row a subject (and one \
                     column `answer` where it has several): {}",
                    first + 1,
                    row + 1,
                    path.display()
                );
            }
        }
        let vectors = vectors(&batches).with_context(|| format!("{}", path.display()))?;
        Ok(Self { ids, columns, vectors, questions: BTreeMap::new() })
    }

    /// Adds the columns of another table, which is called `from`.
    fn join(&mut self, other: &Self, from: &str) -> Result<()> {
        let at: HashMap<&str, usize> =
            other.ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
        let rows: Vec<Option<usize>> = self.ids.iter().map(|id| at.get(id.as_str()).copied()).collect();
        if rows.iter().all(Option::is_none) {
            bail!("the tables have no subject in common; compare their columns subject_id");
        }
        // Vectors are those of one table, whole.
        let is_of_vectors =
            |name: &str| self.vectors.is_some() && other.vectors.is_some() && is_counted(name);
        let mine: Vec<(&str, &Column)> = other
            .columns
            .iter()
            .filter(|(name, _)| *name != "subject_id" && !is_of_vectors(name))
            .collect();
        for (name, column) in mine {
            let column = column.pick(&rows);
            let free = match self.columns.column(name) {
                Some(first) if says_the_same(first, &column) => continue,
                Some(_) => {
                    let numbered = (2..).map(|n| format!("{name} ({from} {n})"));
                    let mut names = std::iter::once(format!("{name} ({from})")).chain(numbered);
                    names.find(|name| self.columns.column(name).is_none()).unwrap_or_default()
                }
                None => name.to_owned(),
            };
            let _ = self.columns.insert(&free, column);
            if let Some(question) = other.questions.get(name) {
                self.questions.insert(free, question.clone());
            }
        }
        if self.vectors.is_none()
            && let Some((values, width)) = &other.vectors
        {
            let row = |row: &Option<usize>| match row {
                Some(row) => values[row * width..(row + 1) * width].to_vec(),
                None => vec![f32::NAN; *width],
            };
            self.vectors = Some((rows.iter().flat_map(row).collect(), *width));
        }
        Ok(())
    }

    /// The vectors, and the row of the table that each belongs to; rows without one are problems.
    pub(crate) fn points(&self, session: &mut Session) -> Result<(Points, Vec<usize>)> {
        let Some((values, width)) = &self.vectors else {
            bail!(
                "no vectors in the table; it needs columns such as z0, z1, …, a column of lists, or --with a \
                 table that has them (`volary score` writes one)"
            );
        };
        known(values, *width, session)
    }

    /// The same of columns of numbers, such as the coordinates of a map.
    pub(crate) fn points_of(
        &self,
        option: &str,
        names: &[String],
        session: &mut Session,
    ) -> Result<(Points, Vec<usize>)> {
        let columns =
            names.iter().map(|name| self.numbers(option, name)).collect::<Result<Vec<&[f64]>>>()?;
        let row = |row: usize| columns.iter().map(move |column| column[row] as f32);
        let values: Vec<f32> = (0..self.ids.len()).flat_map(row).collect();
        known(&values, names.len(), session)
    }

    /// A column of numbers, by the option that names it.
    pub(crate) fn numbers(&self, option: &str, name: &str) -> Result<&[f64]> {
        match self.columns.column(name) {
            Some(Column::Number(values)) => Ok(values),
            Some(_) => bail!("{option} {name:?} holds no numbers; name a column that does"),
            None => bail!(
                "{option} {name:?} is no column; there are {}",
                self.columns
                    .names()
                    .iter()
                    .filter(|n| !is_counted(n))
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        }
    }

    /// Whether it has vectors.
    pub(crate) fn has_vectors(&self) -> bool {
        self.vectors.is_some()
    }

    /// Rows that a filter selects; an error points at the place in the text.
    pub(crate) fn select(&self, text: &str) -> Result<(Filter, Slice)> {
        let found = text.parse::<Filter>().and_then(|f| f.select(&self.columns).map(|slice| (f, slice)));
        found
            .map_err(|error| anyhow::anyhow!("{error}\n  {}", error.pointed(text).replace('\n', "\n  ")))
    }
}

/// Vectors of finite numbers, and their rows; the others are problems.
fn known(values: &[f32], width: usize, session: &mut Session) -> Result<(Points, Vec<usize>)> {
    let (mut kept, mut rows) = (Vec::with_capacity(values.len()), Vec::new());
    for (row, vector) in values.chunks_exact(width).enumerate() {
        if vector.iter().all(|v| v.is_finite()) {
            kept.extend_from_slice(vector);
            rows.push(row);
        } else {
            let detail = "no finite number in every entry of its vector; the subject is left out";
            session.problems.add(row as u64 + 1, "subject_id", ProblemKind::OddValue, detail);
        }
    }
    if rows.is_empty() {
        bail!("no row has a vector of finite numbers");
    }
    Ok((Points::new(kept, width)?, rows))
}

/// Whether two columns agree where both say something.
fn says_the_same(one: &Column, other: &Column) -> bool {
    let is_same = |row: usize| match (one.label_at(row), other.label_at(row)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    (0..one.len().max(other.len())).all(is_same)
}

/// Whether a column is one of many that count up, which would bury the others in a list.
fn is_counted(name: &str) -> bool {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    name.len() <= 6 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A column as text: ids may be numbers.
fn texts(column: &Column) -> Vec<String> {
    (0..column.len()).map(|row| column.label_at(row).unwrap_or_default().trim().to_owned()).collect()
}

/// What a count of votes is called where its table leaves the answer out, and names others.
const NO_ANSWER: &str = "no answer";
/// And where it names none: a count of those who chose the subject, among those who saw it.
const CHOSEN: &str = "chosen";

/// A row per subject and answer, as a row per subject and a column per answer.
fn turned(ids: &[String], columns: &Columns) -> Result<WholeTable> {
    let answers = columns.column("answer").map(texts).unwrap_or_default();
    // A count of those who said nothing is a count too, and its column needs a name.
    let nameless = if answers.iter().all(String::is_empty) { CHOSEN } else { NO_ANSWER };
    let named = |answer: String| if answer.is_empty() { nameless.to_owned() } else { answer };
    let answers: Vec<String> = answers.into_iter().map(named).collect();
    let of_question =
        |name: &str| columns.column(name).map_or_else(|| vec![String::new(); ids.len()], texts);
    let workflows = of_question("workflow_id");
    // Of a survey: what is asked of each of the things that were seen.
    let about = of_question("about");
    let task_about = |(task, about): (String, &String)| match about.as_str() {
        "" => task,
        about => format!("{task} {about}"),
    };
    let tasks: Vec<String> = of_question("task").into_iter().zip(&about).map(task_about).collect();
    let mut questions = QuestionNames::default();
    workflows.iter().zip(&tasks).for_each(|(workflow, task)| questions.add(workflow, task));
    let question_of: Vec<String> =
        workflows.iter().zip(&tasks).map(|(workflow, task)| questions.of(workflow, task)).collect();
    let name_of = |row: usize| match questions.len() {
        0 | 1 => answers[row].clone(),
        _ => format!("{}.{}", question_of[row], answers[row]),
    };
    let mut subjects: Vec<String> = Vec::new();
    let mut at: HashMap<&str, usize> = HashMap::new();
    for id in ids {
        at.entry(id).or_insert_with(|| {
            subjects.push(id.clone());
            subjects.len() - 1
        });
    }
    // Whom a question was not asked has no share of its answers.
    let asked: HashSet<(&str, usize)> = ids
        .iter()
        .zip(&question_of)
        .map(|(id, question)| (question.as_str(), at[id.as_str()]))
        .collect();
    // Votes were counted where the table has them; else it holds what a model said.
    let is_counted = columns.column("n_votes").is_some();
    let measures: &[(&str, &str)] = if is_counted {
        &[
            ("fraction", "consensus"),
            ("fraction_low", "consensus_low"),
            ("fraction_high", "consensus_high"),
        ]
    } else {
        &[
            ("probability", "predicted"),
            ("probability_low", "predicted_low"),
            ("probability_high", "predicted_high"),
        ]
    };
    let mut wide = Columns::default();
    let _ = wide.insert("subject_id", Column::text(subjects.iter().map(|id| Some(id.as_str()))));
    let of_row: Vec<String> = (0..ids.len()).map(name_of).collect();
    let mut seen = HashSet::new();
    for (row, id) in ids.iter().enumerate() {
        if !seen.insert((of_row[row].as_str(), at[id.as_str()])) {
            bail!(
                "row {}: subject {id:?} has the answer {:?} a second time; a table for this has one row a \
                 subject and answer",
                row + 1,
                answers[row]
            );
        }
    }
    // An answer and the question it is of.
    let names: BTreeMap<&str, &str> =
        of_row.iter().map(String::as_str).zip(question_of.iter().map(String::as_str)).collect();
    let mut question_of_column = BTreeMap::new();
    for (from, to) in measures {
        let Some(Column::Number(values)) = columns.column(from) else { continue };
        // Nobody chose an answer that has no row: its share is 0, its interval is not known.
        let absent = |question: &str, subject: usize| match *to {
            "consensus" if asked.contains(&(question, subject)) => 0.0,
            _ => f64::NAN,
        };
        let mut by_name: HashMap<&str, Vec<f64>> = names
            .iter()
            .map(|(name, of)| (*name, (0..subjects.len()).map(|at| absent(of, at)).collect()))
            .collect();
        for (row, id) in ids.iter().enumerate() {
            if let Some(column) = by_name.get_mut(of_row[row].as_str()) {
                column[at[id.as_str()]] = values[row];
            }
        }
        for (name, question) in &names {
            if let Some(column) = by_name.remove(name) {
                let _ = wide.insert(&format!("{to}({name})"), Column::Number(column));
                question_of_column.insert(format!("{to}({name})"), (*question).to_owned());
            }
        }
    }
    // One row a subject and question: what came of it, and how clear it is.
    if columns.column("outcome").is_some() {
        let (subjects, questions) = (subjects.len(), &questions);
        let place = |row: usize| at[ids[row].as_str()];
        let of_question: BTreeSet<(&str, &str)> =
            workflows.iter().map(String::as_str).zip(tasks.iter().map(String::as_str)).collect();
        for measure in ["agreement", "entropy_bits", "outcome", "answer"] {
            let Some(column) = columns.column(measure) else { continue };
            for (workflow, task) in &of_question {
                let mut rows: Vec<Option<usize>> = vec![None; subjects];
                for row in
                    (0..ids.len()).filter(|&row| workflows[row] == *workflow && tasks[row] == *task)
                {
                    rows[place(row)] = Some(row);
                }
                let name = format!("{measure}({})", questions.of(workflow, task));
                let _ = wide.insert(&name, column.pick(&rows));
            }
        }
    }
    if let Some(Column::Number(seen)) = columns.column("n_seen") {
        let mut n_seen = vec![f64::NAN; subjects.len()];
        ids.iter()
            .enumerate()
            .for_each(|(row, id)| n_seen[at[id.as_str()]] = n_seen[at[id.as_str()]].max(seen[row]));
        let _ = wide.insert("n_seen", Column::Number(n_seen));
    }
    Ok(WholeTable { ids: subjects, columns: wide, vectors: None, questions: question_of_column })
}

/// The vectors of a table, row by row, and their length.
fn vectors(batches: &[RecordBatch]) -> Result<Option<(Vec<f32>, usize)>> {
    let Some(first) = batches.first() else { return Ok(None) };
    let fields = first.schema_ref().fields();
    let is_list = |kind: &DataType| {
        matches!(kind, DataType::FixedSizeList(..) | DataType::List(_) | DataType::LargeList(_))
    };
    if let Some(field) = fields.iter().find(|f| is_list(f.data_type())) {
        return lists(batches, field.name()).map(Some);
    }
    let names = counted(&fields.iter().map(|f| f.name().as_str()).collect::<Vec<_>>());
    if names.is_empty() {
        return Ok(None);
    }
    let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut values = vec![f32::NAN; n_rows * names.len()];
    let mut first_row = 0;
    for batch in batches {
        for (at, name) in names.iter().enumerate() {
            let column = batch.column_by_name(name).and_then(|c| Column::from_arrow(c));
            let Some(Column::Number(column)) = column else { bail!("column {name} holds no numbers") };
            for (row, value) in column.into_iter().enumerate() {
                values[(first_row + row) * names.len() + at] = value as f32;
            }
        }
        first_row += batch.num_rows();
    }
    Ok(Some((values, names.len())))
}

/// The longest run of columns `p0`, `p1`, … with one name p.
fn counted(names: &[&str]) -> Vec<String> {
    let known: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    let starts = names
        .iter()
        .filter_map(|name| name.strip_suffix('0'))
        .filter(|p| !p.ends_with(|c: char| c.is_ascii_digit()));
    let run = |prefix: &str| -> Vec<String> {
        (0..).map(|i| format!("{prefix}{i}")).take_while(|name| known.contains(name.as_str())).collect()
    };
    let longest = starts.map(run).filter(|names| names.len() > 1).max_by_key(Vec::len);
    longest.unwrap_or_default()
}

fn lists(batches: &[RecordBatch], name: &str) -> Result<(Vec<f32>, usize)> {
    let (mut values, mut width) = (Vec::new(), None);
    for batch in batches {
        let Some(column) = batch.column_by_name(name) else { continue };
        for row in 0..column.len() {
            let vector = if column.is_null(row) { None } else { list_at(column, row) };
            let Some(vector) = vector else {
                // Filled up once the length is known; a column may begin with an empty row.
                values.push(None);
                continue;
            };
            if *width.get_or_insert(vector.len()) != vector.len() {
                bail!("the vectors of column {name} differ in length; use those of one network");
            }
            values.push(Some(vector));
        }
    }
    let Some(width) = width.filter(|w| *w > 0) else {
        bail!("column {name} holds no vectors of numbers")
    };
    let filled = values.into_iter().flat_map(|v| v.unwrap_or_else(|| vec![f32::NAN; width]));
    Ok((filled.collect(), width))
}

fn list_at(column: &dyn Array, row: usize) -> Option<Vec<f32>> {
    let inner = match column.data_type() {
        DataType::FixedSizeList(..) => column.as_fixed_size_list().value(row),
        DataType::List(_) => column.as_list::<i32>().value(row),
        DataType::LargeList(_) => column.as_list::<i64>().value(row),
        _ => return None,
    };
    match inner.data_type() {
        DataType::Float32 => {
            Some(inner.as_primitive::<Float32Type>().iter().map(|v| v.unwrap_or(f32::NAN)).collect())
        }
        DataType::Float64 => {
            let number = |v: Option<f64>| v.map_or(f32::NAN, |v| v as f32);
            Some(inner.as_primitive::<Float64Type>().iter().map(number).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::ArrayRef;
    use arrow_array::builder::{Float32Builder, ListBuilder};

    use super::*;

    #[test]
    fn the_longest_run_of_counted_columns_holds_the_vectors() {
        assert_eq!(counted(&["subject_id", "z0", "z1", "z2", "x0", "x1", "n"]), ["z0", "z1", "z2"]);
        assert_eq!(counted(&["subject_id", "t0", "fraction"]), Vec::<String>::new());
        assert_eq!(counted(&["e1", "e0", "e10", "e3"]), ["e0", "e1"]);
    }

    #[test]
    fn vectors_of_two_lengths_are_refused_and_an_empty_one_is_missing() {
        let batch = |lists: &[Option<&[f32]>]| {
            let mut builder = ListBuilder::new(Float32Builder::new());
            for list in lists {
                list.iter().for_each(|list| builder.values().append_slice(list));
                builder.append(list.is_some());
            }
            let column: ArrayRef = std::sync::Arc::new(builder.finish());
            RecordBatch::try_from_iter([("embedding", column)]).unwrap()
        };
        let (values, width) = vectors(&[batch(&[None, Some(&[1.0, 2.0])])]).unwrap().unwrap();
        assert!(width == 2 && values[0].is_nan() && values[2..] == [1.0, 2.0]);
        let error = vectors(&[batch(&[Some(&[1.0, 2.0]), Some(&[3.0])])]).unwrap_err().to_string();
        assert!(error.contains("differ in length; use those of one network"), "{error}");
        assert!(vectors(&[batch(&[None])]).is_err());
    }

    #[test]
    fn a_consensus_is_turned_on_its_side() {
        let mut long = Columns::default();
        let ids = ["a", "a", "b"].map(str::to_owned);
        assert!(long.insert(
            "answer",
            Column::text([Some("vortex"), Some("bands"), Some("vortex")].into_iter())
        ));
        assert!(long.insert("fraction", Column::Number(vec![0.5, 0.9, 0.25])));
        assert!(long.insert("n_votes", Column::Number(vec![5.0, 9.0, 1.0])));
        let table = turned(&ids, &long).unwrap();
        assert_eq!(table.ids, ["a", "b"]);
        assert_eq!(table.columns.column("consensus(vortex)"), Some(&Column::Number(vec![0.5, 0.25])));
        assert_eq!(table.columns.column("consensus(bands)"), Some(&Column::Number(vec![0.9, 0.0])));
        let (filter, slice) = table.select("consensus(vortex) between 0.3 and 0.7").unwrap();
        assert_eq!(
            (slice.mask.count(), filter.to_string().as_str()),
            (1, "consensus(vortex) between 0.3 and 0.7")
        );
        let error = table.select("consensus(vortx) > 1").unwrap_err().to_string();
        assert!(error.ends_with("  consensus(vortx) > 1\n  ^^^^^^^^^^^^^^^^"), "{error}");
    }

    #[test]
    fn a_count_of_those_who_said_nothing_has_a_name() {
        let mut long = Columns::default();
        let ids = ["a", "a", "b"].map(str::to_owned);
        assert!(long.insert("answer", Column::text([Some("ring"), None, Some("")].into_iter())));
        assert!(long.insert("fraction", Column::Number(vec![0.5, 0.125, 1.0])));
        assert!(long.insert("n_votes", Column::Number(vec![4.0, 1.0, 8.0])));
        let table = turned(&ids, &long).unwrap();
        let (filter, slice) = table.select("consensus(\"no answer\") > 0.2").unwrap();
        assert_eq!(
            (slice.mask.count(), filter.to_string().as_str()),
            (1, "consensus(\"no answer\") > 0.2")
        );
        // Where nobody named an answer, who is counted chose the subject.
        let mut long = Columns::default();
        assert!(long.insert("answer", Column::text([None, Some("")].into_iter())));
        assert!(long.insert("fraction", Column::Number(vec![0.5, 0.125])));
        assert!(long.insert("n_votes", Column::Number(vec![4.0, 1.0])));
        let table = turned(&["a", "b"].map(str::to_owned), &long).unwrap();
        assert_eq!(table.select("consensus(chosen) > 0.2").unwrap().1.mask.count(), 1);
    }

    #[test]
    fn what_came_of_each_question_is_a_column() {
        let mut long = Columns::default();
        let ids = ["a", "a", "b"].map(str::to_owned);
        let mut add = |name: &str, of: [Option<&str>; 3]| {
            assert!(long.insert(name, Column::text(of.into_iter())));
        };
        add("task", [Some("T0"), Some("T1"), Some("T0")]);
        add("answer", [Some("yes"), None, Some("no")]);
        add("outcome", [Some("clear"), Some("blank"), Some("tie")]);
        assert!(long.insert("agreement", Column::Number(vec![0.9, f64::NAN, 0.5])));
        let table = turned(&ids, &long).unwrap();
        let column = |name: &str| -> Vec<Option<String>> {
            (0..2).map(|row| table.columns.column(name).unwrap().label_at(row)).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(column("outcome(T0)"), [some("clear"), some("tie")]);
        assert_eq!(column("outcome(T1)"), [some("blank"), None]);
        assert_eq!(column("answer(T0)"), [some("yes"), some("no")]);
        assert_eq!(column("agreement(T0)"), [some("0.9"), some("0.5")]);
        assert!(table.select("agreement(T0) > 0.7").is_ok());
    }

    #[test]
    fn a_second_column_of_a_name_is_called_by_its_table() {
        let table = |scores: [f64; 2], z: [f64; 2]| {
            let mut columns = Columns::default();
            assert!(columns.insert("subject_id", Column::text([Some("a"), Some("b")].into_iter())));
            assert!(columns.insert("forest", Column::Number(scores.to_vec())));
            assert!(columns.insert("z0", Column::Number(z.to_vec())));
            let ids = ["a", "b"].map(str::to_owned).to_vec();
            WholeTable {
                ids,
                columns,
                vectors: Some((z.map(|z| z as f32).to_vec(), 1)),
                questions: BTreeMap::new(),
            }
        };
        let mut first = table([0.1, 0.2], [1.0, 2.0]);
        first.join(&table([0.1, 0.2], [3.0, 4.0]), "same").unwrap();
        first.join(&table([0.3, 0.2], [5.0, 6.0]), "new").unwrap();
        first.join(&table([0.4, 0.2], [5.0, 6.0]), "new").unwrap();
        assert_eq!(
            first.columns.names(),
            ["forest", "forest (new 2)", "forest (new)", "subject_id", "z0"]
        );
        assert_eq!(first.columns.column("forest (new)"), Some(&Column::Number(vec![0.3, 0.2])));
        assert!(first.select("\"forest (new)\" > 0.25").is_ok());
        assert_eq!(first.vectors, Some((vec![1.0, 2.0], 1)));
    }

    /// Two workflows with a task T1 of their own, as most exports have them; `a` was in one of them.
    #[test]
    fn tasks_of_one_name_are_told_apart_and_whom_they_were_not_asked_has_no_share() {
        let mut long = Columns::default();
        let ids = ["a", "a", "b", "b"].map(str::to_owned);
        let mut add = |name: &str, of: [&str; 4]| {
            assert!(long.insert(name, Column::text(of.into_iter().map(Some))));
        };
        add("workflow_id", ["1", "1", "1", "2"]);
        add("task", ["T0", "T1", "T1", "T1"]);
        add("answer", ["yes", "ring", "tail", "sure"]);
        assert!(long.insert("fraction", Column::Number(vec![0.5, 0.9, 0.25, 0.75])));
        assert!(long.insert("n_votes", Column::Number(vec![5.0; 4])));
        let table = turned(&ids, &long).unwrap();
        let shares = |name: &str| match table.columns.column(name) {
            Some(Column::Number(shares)) => shares.iter().map(|s| (!s.is_nan()).then_some(*s)).collect(),
            other => panic!("{name}: {other:?}, {:?}", table.columns.names()),
        };
        let none: Vec<Option<f64>> = shares("consensus(T0.yes)");
        assert_eq!(none, [Some(0.5), None]);
        assert_eq!(shares("consensus(w1.T1.ring)"), [Some(0.9), Some(0.0)]);
        assert_eq!(shares("consensus(w2.T1.sure)"), [None, Some(0.75)]);
        let question = |name: &str| table.questions.get(name).map(String::as_str);
        assert_eq!(question("consensus(T0.yes)"), Some("T0"));
        assert_eq!(question("consensus(w2.T1.sure)"), Some("w2.T1"));
        assert_eq!(question("subject_id"), None);
        let (filter, _) = table.select("consensus(w1.T1.ring) > 0.5").unwrap();
        assert_eq!(filter.to_string(), "consensus(w1.T1.ring) > 0.5");
        // The same answer again: which of the two is meant?
        let twice = ["a", "a", "a", "b"].map(str::to_owned);
        let mut again = Columns::default();
        for (name, column) in long.iter().filter(|(name, _)| *name != "workflow_id" && *name != "answer")
        {
            assert!(again.insert(name, column.clone()));
        }
        assert!(
            again.insert("answer", Column::text(["yes", "ring", "ring", "tail"].into_iter().map(Some)))
        );
        let error = turned(&twice, &again).err().unwrap().to_string();
        assert!(
            error.starts_with("row 3: subject \"a\" has the answer \"ring\" a second time"),
            "{error}"
        );
    }
}
