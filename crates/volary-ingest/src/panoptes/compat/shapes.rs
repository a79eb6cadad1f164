//! Reducers of drawn marks: the columns of the original around [`super::clustering`].
//!
//! Columns and lists are the original's. Not the same: numbers are JSON, a tool without a usable mark gives
//! no columns (the original stops), and where a mark's own questions were answered on some marks only, the
//! others count as blank (the original deletes entries of all lists, by position). `rasterisation`,
//! `num_grid_points` and `smoothing` change nothing: the levels of agreement are always the exact ones.

mod rows;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value, json};
use volary_core::Form;

use self::rows::Rows;
pub(super) use self::settings::{NAMES, shape_reducer};
use super::clustering::{
    Clustering, MarkJob, MarkMetric, Method, OutlineClusters, OutlineJob, OutlineMark,
};
use super::literal::parse_cell;
use super::reducers::{Extracted, Reduced, Reducer};

/// What a reducer of marks does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ShapeReducer {
    kind: Kind,
    details: BTreeMap<String, Vec<Option<String>>>,
    /// `parameters.*` of the outline reducers.
    echoed: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Marks {
        job: MarkJob,
        /// Names of the numbers in the columns of the extraction.
        parameters: &'static [&'static str],
        /// What stands between tool and number in the columns of all marks: `points`, `circle`, `rec`.
        word: String,
        by_frame: bool,
        /// Whether variances are written.
        spread: bool,
        /// Fewer marks are not clustered.
        at_least: usize,
        form: Form,
        symmetric: bool,
    },
    Outlines {
        job: OutlineJob,
        min_threshold: f64,
        collab: Option<Collab>,
    },
}

/// How consensus outlines are written as annotations.
#[derive(Clone, Debug, PartialEq)]
struct Collab {
    step_key: String,
    task_index: i64,
    tool_type: String,
}

/// What went wrong while reducing: how often a cell or mark could not be read, and messages.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) n_bad: u64,
    pub(super) n_repaired: u64,
    pub(super) messages: BTreeSet<String>,
}

impl ShapeReducer {
    /// The rows for one subject and task.
    pub(super) fn reduce(
        &self,
        rows: &[Extracted<'_>],
        clustering: &dyn Clustering,
        account: &mut Account,
    ) -> Vec<Reduced> {
        let by_frame = !matches!(self.kind, Kind::Marks { by_frame: false, .. });
        let read = Rows::read(rows, by_frame, account);
        match &self.kind {
            Kind::Marks { .. } => vec![self.marks(&read, clustering, account)],
            Kind::Outlines { job, min_threshold, collab } => {
                let created: Vec<Option<i64>> = rows.iter().map(|r| r.created_ms).collect();
                let frames = cluster_outlines(&read, &created, job, clustering, account);
                if job.average.is_some() {
                    vec![self.outlines(&frames, rows.len(), *min_threshold, collab.as_ref())]
                } else {
                    self.levels(&frames)
                }
            }
        }
    }

    fn marks(&self, rows: &Rows<'_>, clustering: &dyn Clustering, account: &mut Account) -> Reduced {
        let Kind::Marks { job, parameters, word, spread, at_least, form, symmetric, .. } = &self.kind
        else {
            return Reduced::new();
        };
        let mut out = Reduced::new();
        for (frame, tools) in rows.tools() {
            let start = if frame.is_empty() { String::new() } else { format!("{frame}.") };
            for tool in tools {
                let mut marks = read_marks(rows, frame, tool, parameters, account);
                if *symmetric {
                    marks.iter_mut().for_each(|m| clustering.normalise(*form, m));
                }
                let name = |part: &str| format!("{start}{tool}_{part}");
                let labels = if marks.is_empty() {
                    Vec::new()
                } else {
                    self.write_marks(
                        &marks,
                        (job, *at_least),
                        clustering,
                        &mut |part, list| {
                            out.insert(name(&part), list);
                        },
                        (parameters, word, *spread),
                    )
                };
                self.answers(rows, frame, tool, &labels, &mut out, account);
            }
        }
        if !self.details.is_empty() && rows.is_second == Some(true) {
            out.insert("classifier_version".to_owned(), "2.0".to_owned());
        }
        out
    }

    fn write_marks(
        &self,
        marks: &[Vec<f64>],
        (job, at_least): (&MarkJob, usize),
        clustering: &dyn Clustering,
        put: &mut dyn FnMut(String, String),
        (parameters, word, spread): (&[&str], &str, bool),
    ) -> Vec<Option<u32>> {
        for (i, parameter) in parameters.iter().enumerate() {
            put(format!("{word}_{parameter}"), numbers(marks.iter().map(|m| m[i])));
        }
        let found = if marks.len() < at_least {
            super::clustering::MarkClusters { labels: vec![None; marks.len()], ..Default::default() }
        } else {
            clustering.marks(marks, job)
        };
        put("cluster_labels".to_owned(), labels_json(found.labels.iter().copied()));
        if matches!(job.method, Method::Hdbscan { .. }) {
            let none = vec![0.0; marks.len()];
            let probabilities = found.probabilities.as_ref().unwrap_or(&none);
            put("cluster_probabilities".to_owned(), numbers(probabilities.iter().copied()));
        }
        if found.clusters.is_empty() {
            return found.labels;
        }
        let clusters = &found.clusters;
        let counts: Vec<usize> = clusters.iter().map(|c| c.count).collect();
        put("clusters_count".to_owned(), json!(counts).to_string());
        for (i, parameter) in parameters.iter().enumerate() {
            let list = numbers(clusters.iter().map(|c| c.average[i]));
            put(format!("clusters_{parameter}"), list);
        }
        if matches!(job.metric, MarkMetric::Overlap { .. }) {
            let sigmas = clusters.iter().map(|c| c.sigma.unwrap_or(f64::NAN));
            put("clusters_sigma".to_owned(), numbers(sigmas));
        }
        if spread {
            for (i, part) in ["var_x", "var_y", "var_x_y"].into_iter().enumerate() {
                let list = clusters.iter().map(|c| c.covariance.map_or(f64::NAN, |v| v[i]));
                put(format!("clusters_{part}"), numbers(list));
            }
        }
        found.labels
    }

    /// The answers to the marks' own questions, by mark and by cluster.
    fn answers(
        &self,
        rows: &Rows<'_>,
        frame: &str,
        tool: &str,
        labels: &[Option<u32>],
        out: &mut Reduced,
        account: &mut Account,
    ) {
        let Some(is_second) = rows.is_second else { return };
        let n_clusters = labels.iter().flatten().max().map_or(0, |m| m + 1);
        for (key, functions) in &self.details {
            // The first generation names a tool, the second each of its questions.
            let column = if is_second { key.clone() } else { format!("{key}_details") };
            if !is_second && !rows.frames.iter().any(|f| f.contains_key(frame)) {
                continue;
            }
            let given: Vec<&Value> =
                (0..rows.frames.len()).flat_map(|r| rows.list(r, frame, &column)).collect();
            let all = Value::Array(given.iter().map(|v| (*v).clone()).collect());
            out.insert(format!("{frame}.{column}"), all.to_string());
            let is_here = if is_second { key.starts_with(tool) } else { key == tool };
            if !is_here || n_clusters == 0 {
                continue;
            }
            let of_cluster = |label: u32| {
                let members = given.iter().zip(labels).filter(move |(_, l)| **l == Some(label));
                members.map(|(v, _)| *v).collect::<Vec<&Value>>()
            };
            let reduced = (0..n_clusters).map(|label| {
                let members = of_cluster(label);
                if is_second {
                    let function = functions.first().and_then(Option::as_deref);
                    return reduce_answers(function, &members, account);
                }
                let n = members.iter().filter_map(|v| v.as_array()).map(Vec::len).max().unwrap_or(0);
                let question = |i: usize, account: &mut Account| {
                    let answers: Vec<&Value> =
                        members.iter().filter_map(|v| v.as_array()?.get(i)).collect();
                    let function = functions.get(i).and_then(Option::as_deref);
                    reduce_answers(function, &answers, account)
                };
                Value::Array((0..n).map(|i| question(i, account)).collect())
            });
            let reduced = Value::Array(reduced.collect()).to_string();
            let name = if is_second {
                format!("{frame}.{key}_clusters")
            } else {
                format!("{frame}.{key}_clusters_details")
            };
            out.insert(name, reduced);
        }
    }

    fn outlines(
        &self,
        frames: &[(String, String, OutlineClusters)],
        n_rows: usize,
        min_threshold: f64,
        collab: Option<&Collab>,
    ) -> Reduced {
        let mut out = self.parameters();
        let (mut thresholds, mut annotations) = (Vec::new(), Vec::new());
        for (frame, tool, found) in frames {
            let name = |part: &str| format!("{frame}.{tool}_{part}");
            out.insert(name("cluster_labels"), outline_labels(found));
            let share = |count: usize| count as f64 / n_rows.max(1) as f64;
            let kept: Vec<_> =
                found.clusters.iter().filter(|c| share(c.count) > min_threshold).collect();
            if kept.is_empty() {
                continue;
            }
            let counts: Vec<usize> = kept.iter().map(|c| c.count).collect();
            out.insert(name("clusters_count"), json!(counts).to_string());
            out.insert(name("consensus"), numbers(kept.iter().map(|c| c.consensus)));
            thresholds.extend(kept.iter().map(|c| share(c.count)));
            let ring =
                |c: &&super::clustering::OutlineCluster| c.rings.first().cloned().unwrap_or_default();
            let rings: Vec<Vec<(f64, f64)>> = kept.iter().map(ring).collect();
            let (xs, ys) = axes(&rings);
            out.insert(name("clusters_x"), xs);
            out.insert(name("clusters_y"), ys);
            if let Some(collab) = collab {
                for ring in &rings {
                    annotations.push(collab.annotation(frame, tool, ring, annotations.len()));
                }
            }
        }
        if !thresholds.is_empty() {
            out.insert("threshold".to_owned(), numbers(thresholds.into_iter()));
        }
        if !annotations.is_empty() {
            out.insert("data".to_owned(), Value::Array(annotations).to_string());
        }
        out
    }

    fn levels(&self, frames: &[(String, String, OutlineClusters)]) -> Vec<Reduced> {
        let mut rows = Vec::new();
        for (frame, tool, found) in frames {
            let name = |part: &str| format!("{frame}.{tool}_{part}");
            let mut start = self.parameters();
            start.insert(name("cluster_labels"), outline_labels(found));
            if found.clusters.is_empty() {
                rows.push(start.clone());
            }
            for (label, cluster) in found.clusters.iter().enumerate() {
                let mut row = start.clone();
                let (xs, ys) = axes(&cluster.rings);
                row.insert(name("cluster_label_for_contours"), label.to_string());
                row.insert(name("number_of_contours"), cluster.rings.len().to_string());
                row.insert(name("contours_x"), xs);
                row.insert(name("contours_y"), ys);
                row.insert(name("consensus"), float(cluster.consensus).to_string());
                rows.push(row);
            }
        }
        rows
    }

    fn parameters(&self) -> Reduced {
        self.echoed.iter().map(|(name, value)| (format!("parameters.{name}"), value.clone())).collect()
    }
}

impl Collab {
    fn annotation(&self, frame: &str, tool: &str, ring: &[(f64, f64)], count: usize) -> Value {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        let (task, index) = tool.split_once("_tool").unwrap_or((tool, ""));
        json!({
            "stepKey": self.step_key, "taskIndex": self.task_index, "taskKey": task, "taskType": "drawing",
            "toolIndex": number(index.trim_start_matches("Index")),
            "frame": number(frame.trim_start_matches("frame")),
            "markID": format!("consensus_{count}"), "toolType": self.tool_type,
            "pathX": ring.iter().map(|p| float(p.0)).collect::<Vec<_>>(),
            "pathY": ring.iter().map(|p| float(p.1)).collect::<Vec<_>>(),
        })
    }
}

/// All marks of a tool on a frame, row by row. A mark with a number missing is left out.
fn read_marks(
    rows: &Rows<'_>,
    frame: &str,
    tool: &str,
    parameters: &[&str],
    account: &mut Account,
) -> Vec<Vec<f64>> {
    let mut marks = Vec::new();
    for row in 0..rows.frames.len() {
        let lists: Vec<&[Value]> =
            parameters.iter().map(|p| rows.list(row, frame, &format!("{tool}_{p}"))).collect();
        let n = lists.iter().map(|l| l.len()).min().unwrap_or(0);
        for i in 0..n {
            let mark: Option<Vec<f64>> = lists.iter().map(|l| l[i].as_f64()).collect();
            match mark.filter(|m| m.iter().all(|x| x.is_finite())) {
                Some(mark) => marks.push(mark),
                None => account.n_bad += 1,
            }
        }
    }
    marks
}

fn cluster_outlines(
    rows: &Rows<'_>,
    created: &[Option<i64>],
    job: &OutlineJob,
    clustering: &dyn Clustering,
    account: &mut Account,
) -> Vec<(String, String, OutlineClusters)> {
    let mut found = Vec::new();
    for (frame, tools) in rows.tools() {
        for tool in tools {
            let mut outlines = Vec::new();
            for (row, &created_ms) in created.iter().enumerate() {
                let xs = rows.list(row, frame, &format!("{tool}_pathX"));
                let ys = rows.list(row, frame, &format!("{tool}_pathY"));
                for (x, y) in xs.iter().zip(ys) {
                    match points(x, y) {
                        Some(points) => outlines.push(OutlineMark { points, row, created_ms }),
                        None => account.n_bad += 1,
                    }
                }
            }
            let clusters = clustering.outlines(&outlines, job);
            account.n_bad += clusters.labels.iter().filter(|l| l.is_none()).count() as u64;
            account.n_repaired += clusters.n_repaired;
            found.push((frame.to_owned(), tool.to_owned(), clusters));
        }
    }
    found
}

fn points(x: &Value, y: &Value) -> Option<Vec<(f64, f64)>> {
    let (xs, ys) = (x.as_array()?, y.as_array()?);
    if xs.len() != ys.len() {
        return None;
    }
    xs.iter().zip(ys).map(|(x, y)| Some((x.as_f64()?, y.as_f64()?))).collect()
}

/// One question of the marks of a cluster, reduced; `null` where its reducer is not here.
fn reduce_answers(function: Option<&str>, answers: &[&Value], account: &mut Account) -> Value {
    let reducer = match function {
        None => return Value::from("No reducer for this subtask type"),
        Some("question_reducer" | "shortcut_reducer") => {
            Reducer::Question { pairs: false, track: false }
        }
        Some("dropdown_reducer") => Reducer::Dropdown,
        Some("slider_reducer") => Reducer::Slider,
        Some(other) => {
            account.messages.insert(format!("details: {other} is not here; its cells are null"));
            return Value::Null;
        }
    };
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let cells: Vec<Vec<(&str, String)>> = answers
        .iter()
        .map(|a| a.as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), text(v))).collect())
        .collect();
    let rows: Vec<Extracted<'_>> = cells
        .iter()
        .map(|cells| Extracted {
            volunteer: "",
            created_ms: None,
            cells: cells.iter().map(|(k, v)| (*k, v.as_str())).collect(),
        })
        .collect();
    let (reduced, n_bad) = reducer.reduce(&rows);
    account.n_bad += n_bad;
    let value = |cell: String| match parse_cell(&cell) {
        Some(value) => value,
        None => cell
            .parse::<i64>()
            .map(Value::from)
            .or_else(|_| cell.parse::<f64>().map(Value::from))
            .unwrap_or(Value::from(cell)),
    };
    let object = reduced.into_iter().flatten().map(|(k, cell)| (k, value(cell)));
    Value::Object(object.collect())
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A JSON list; what is not a number is null.
fn numbers(values: impl Iterator<Item = f64>) -> String {
    Value::Array(values.map(float).collect()).to_string()
}

fn labels_json(labels: impl Iterator<Item = Option<u32>>) -> String {
    Value::Array(labels.map(|l| l.map_or(Value::from(-1), Value::from)).collect()).to_string()
}

fn outline_labels(found: &OutlineClusters) -> String {
    labels_json(found.labels.iter().flatten().copied())
}

/// Lists of x and of y, ring by ring.
fn axes(rings: &[Vec<(f64, f64)>]) -> (String, String) {
    let axis = |pick: fn(&(f64, f64)) -> f64| {
        let ring = |r: &Vec<(f64, f64)>| Value::Array(r.iter().map(|p| float(pick(p))).collect());
        Value::Array(rings.iter().map(ring).collect()).to_string()
    };
    (axis(|p| p.0), axis(|p| p.1))
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
