//! What a configuration asks of a reducer of marks: its parameters, read and checked. Nothing is clustered
//! here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use volary_core::Form;

use super::{Collab, Kind, ShapeReducer, float};
use crate::panoptes::compat::clustering::{MarkJob, MarkMetric, Method, OutlineAverage, OutlineJob};
use crate::panoptes::compat::marks;

/// Names of the reducers here.
pub(in crate::panoptes::compat) const NAMES: [&str; 11] = [
    "point_reducer",
    "point_reducer_dbscan",
    "point_reducer_hdbscan",
    "temporal_point_reducer_dbscan",
    "temporal_point_reducer_hdbscan",
    "rectangle_reducer",
    "shape_reducer_dbscan",
    "shape_reducer_hdbscan",
    "shape_reducer_optics",
    "polygon_reducer",
    "polygon_reducer_contours",
];

/// Parameters of a reducer while they are read; what is left at the end was not followed.
struct Parameters<'p> {
    given: &'p Map<String, Value>,
    known: BTreeSet<&'static str>,
}

impl Parameters<'_> {
    fn value(&mut self, name: &'static str) -> Option<&Value> {
        self.known.insert(name);
        match self.given.get(name)? {
            // What the original does with a list: it takes the first.
            Value::Array(list) => list.first(),
            value => Some(value),
        }
    }

    fn number(&mut self, name: &'static str, default: f64) -> f64 {
        let value = self.value(name);
        value.and_then(|v| v.as_f64().or_else(|| v.as_str()?.trim().parse().ok())).unwrap_or(default)
    }

    fn count(&mut self, name: &'static str, default: usize) -> usize {
        let value = self.number(name, default as f64);
        if value >= 0.0 { value as usize } else { 0 }
    }

    fn is_on(&mut self, name: &'static str) -> bool {
        match self.value(name) {
            Some(Value::Bool(on)) => *on,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(Value::Number(n)) => n.as_f64() != Some(0.0),
            _ => false,
        }
    }

    fn text(&mut self, name: &'static str, default: &str) -> String {
        match self.value(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => default.to_owned(),
            Some(other) => other.to_string(),
        }
    }

    fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }
}

/// The reducer of a configuration's entry, and the parameters that were not followed.
///
/// # Errors
/// A sentence where a parameter asks for what cannot be done.
pub(in crate::panoptes::compat) fn shape_reducer(
    name: &str,
    given: &Map<String, Value>,
) -> Result<(ShapeReducer, Vec<String>), String> {
    let mut p = Parameters { given, known: BTreeSet::new() };
    let (kind, echoed) = if name.starts_with("polygon") {
        outlines(name, &mut p)?
    } else {
        (marks_kind(name, &mut p)?, Vec::new())
    };
    p.ignore(&["algorithm", "leaf_size", "details"]);
    let details = read_details(given.get("details"));
    let left = given.keys().filter(|k| !p.known.contains(k.as_str())).cloned().collect();
    Ok((ShapeReducer { kind, details, echoed }, left))
}

fn method(name: &str, p: &mut Parameters<'_>) -> Result<Method, String> {
    if name.ends_with("hdbscan") {
        let selection = p.text("cluster_selection_method", "eom");
        if !["eom", "leaf"].contains(&selection.as_str()) {
            return Err(format!("cluster_selection_method is eom or leaf, not {selection:?}"));
        }
        let min_cluster_size = p.count("min_cluster_size", 5);
        if min_cluster_size < 2 {
            return Err("min_cluster_size is at least 2".to_owned());
        }
        return Ok(Method::Hdbscan {
            min_cluster_size,
            min_samples: at_least_one(p.count("min_samples", 3))?,
            leaf: selection == "leaf",
            allow_single_cluster: p.is_on("allow_single_cluster"),
        });
    }
    if name.ends_with("optics") {
        let (min_samples, min_cluster_size) =
            (p.count("min_samples", 3), p.count("min_cluster_size", 2));
        let xi = p.number("xi", 0.15);
        if min_samples < 2 || min_cluster_size < 2 {
            return Err("min_samples and min_cluster_size are at least 2".to_owned());
        }
        if !(0.0..=1.0).contains(&xi) {
            return Err(format!("xi lies between 0 and 1, not at {xi}"));
        }
        p.ignore(&["p"]);
        return Ok(Method::Optics { min_samples, min_cluster_size, xi });
    }
    Ok(Method::Dbscan {
        eps: positive(p.number("eps", 5.0))?,
        min_samples: at_least_one(p.count("min_samples", 3))?,
    })
}

fn positive(eps: f64) -> Result<f64, String> {
    if eps > 0.0 { Ok(eps) } else { Err(format!("eps is above 0, not {eps}")) }
}

fn at_least_one(n: usize) -> Result<usize, String> {
    if n > 0 { Ok(n) } else { Err("min_samples is at least 1".to_owned()) }
}

/// The norm that `metric` and `p` name.
fn norm(p: &mut Parameters<'_>) -> Result<MarkMetric, String> {
    let name = p.text("metric", "euclidean");
    let power = p.number("p", 2.0);
    Ok(MarkMetric::Norm(match name.as_str() {
        "euclidean" | "l2" => 2.0,
        "manhattan" | "cityblock" | "l1" => 1.0,
        "chebyshev" | "infinity" => f64::INFINITY,
        "minkowski" | "p" if power > 0.0 => power,
        _ => {
            return Err(format!(
                "the metric {name:?} is not here; there are euclidean, manhattan, chebyshev, minkowski"
            ));
        }
    }))
}

fn marks_kind(name: &str, p: &mut Parameters<'_>) -> Result<Kind, String> {
    let method = method(name, p)?;
    let at_least = match method {
        Method::Dbscan { min_samples, .. } | Method::Optics { min_samples, .. } => min_samples,
        Method::Hdbscan { min_cluster_size, .. } => min_cluster_size,
    };
    let plain = |form: &'static str, word: &str, metric, by_frame, spread| -> Result<Kind, String> {
        let shape = marks::shape(form).ok_or("no such shape")?;
        Ok(Kind::Marks {
            job: MarkJob { method, metric },
            parameters: shape.parameters,
            word: word.to_owned(),
            by_frame,
            spread,
            at_least,
            form: Form::of_tool(form).ok_or("no such form")?,
            symmetric: false,
        })
    };
    if name.starts_with("temporal_point") {
        p.ignore(&["metric", "p"]);
        return plain("temporalPoint", "points", MarkMetric::TimesPlace, true, true);
    }
    if name.starts_with("point") {
        let metric = norm(p)?;
        return plain("point", "points", metric, name != "point_reducer", true);
    }
    if name == "rectangle_reducer" {
        let metric = norm(p)?;
        return plain("rectangle", "rec", metric, true, false);
    }
    let wanted = p.text("shape", "");
    let (Some(shape), Some(form)) = (marks::shape(&wanted), Form::of_tool(&wanted)) else {
        return Err(format!("there is no shape {wanted:?}; name one with `shape:`"));
    };
    let symmetric = p.is_on("symmetric");
    let metric_type = p.text("metric_type", "euclidean").to_lowercase();
    let (eps_t, estimate) = (p.number("eps_t", 0.5), p.is_on("estimate_average"));
    let metric = match metric_type.as_str() {
        "euclidean" => MarkMetric::Shape { form, symmetric },
        "iou" if form.has_area() && form != Form::Column => {
            MarkMetric::Overlap { form, eps_t, estimate }
        }
        "iou" => return Err(format!("a {wanted} has no area, so metric_type IoU does not go with it")),
        other => return Err(format!("metric_type is euclidean or IoU, not {other:?}")),
    };
    if matches!(method, Method::Dbscan { .. }) {
        p.ignore(&["p"]);
    }
    Ok(Kind::Marks {
        job: MarkJob { method, metric },
        parameters: shape.parameters,
        word: wanted,
        by_frame: true,
        spread: false,
        at_least,
        form,
        symmetric,
    })
}

type Echoed = Vec<(&'static str, String)>;

fn outlines(name: &str, p: &mut Parameters<'_>) -> Result<(Kind, Echoed), String> {
    let min_samples = p.count("min_samples", 2);
    let eps = positive(p.number("eps", 0.5))?;
    let mut echoed = vec![("min_samples", min_samples.to_string()), ("eps", float(eps).to_string())];
    let min_samples = min_samples.max(1);
    if name == "polygon_reducer_contours" {
        p.ignore(&["rasterisation", "rasterization", "num_grid_points", "smoothing"]);
        let job = OutlineJob { eps, min_samples, average: None };
        return Ok((Kind::Outlines { job, min_threshold: 0.0, collab: None }, echoed));
    }
    let average_type = p.text("average_type", "median");
    let average = match average_type.as_str() {
        "median" => OutlineAverage::Median,
        "union" => OutlineAverage::Union,
        "intersection" => OutlineAverage::Intersection,
        "last" => OutlineAverage::Last,
        other => {
            return Err(format!("average_type is median, union, intersection or last, not {other:?}"));
        }
    };
    let is_collab = p.is_on("collab");
    let min_threshold = p.number("min_threshold", 0.0);
    let collab = Collab {
        step_key: p.text("step_key", "S0"),
        task_index: p.number("task_index", 0.0) as i64,
        tool_type: p.text("tool_type", "freehandLine"),
    };
    echoed.extend([
        ("average_type", average_type),
        ("collab", is_collab.to_string()),
        ("step_key", collab.step_key.clone()),
        ("task_index", collab.task_index.to_string()),
        ("tool_type", collab.tool_type.clone()),
        ("min_threshold", float(min_threshold).to_string()),
    ]);
    let job = OutlineJob { eps, min_samples, average: Some(average) };
    Ok((Kind::Outlines { job, min_threshold, collab: is_collab.then_some(collab) }, echoed))
}

fn read_details(value: Option<&Value>) -> BTreeMap<String, Vec<Option<String>>> {
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let list = |v: &Value| match v {
        Value::Array(items) => items.iter().map(text).collect(),
        other => vec![text(other)],
    };
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.map(|(tool, functions)| (tool.clone(), list(functions))).collect()
}
