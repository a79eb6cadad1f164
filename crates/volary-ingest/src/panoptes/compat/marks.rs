//! Extractors of drawn marks: points, shapes, polygons, Bézier chains, with the answers to the marks' own
//! questions.
//!
//! Columns are those of the original: `frame0.T0_tool1_x` in the first classifier generation,
//! `frame0.T0_toolIndex1_x` in the second. The second generation's rectangles, circles and ellipses,
//! which the original loses, come under the first one's parameters: `x, y` of a rectangle is its top-left
//! corner, of a circle its centre. A mark without one of its numbers is left out whole (the original
//! leaves out the number, and the lists no longer match).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};
use volary_core::Pool;

use super::super::drawing::read_mark;
use super::answers::{Cells, Unreadable, detail};
use super::datum::{Datum, Labels, named};
use super::rows::Annotation;

/// How many points a quadratic Bézier segment becomes.
const BEZIER_POINTS: u32 = 10;

/// What to take from a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `x, y`, not by frame.
    Point,
    /// `x, y`, by frame.
    PointByFrame,
    /// The parameters of a shape.
    Shape(&'static Shape),
    /// All points, as lists of lists.
    Polygon,
    /// All points of a chain of curves.
    Bezier,
}

/// A shape and its parameters, in the first generation's terms.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [&'static str],
}

const POINT: &[&str] = &["x", "y"];

/// The shapes that `shape_extractor` knows.
const SHAPES: [Shape; 13] = [
    Shape { name: "circle", parameters: &["x", "y", "r"] },
    Shape { name: "column", parameters: &["x", "width"] },
    Shape { name: "ellipse", parameters: &["x", "y", "rx", "ry", "angle"] },
    Shape { name: "fullWidthLine", parameters: &["y"] },
    Shape { name: "fullHeightLine", parameters: &["x"] },
    Shape { name: "line", parameters: &["x1", "y1", "x2", "y2"] },
    Shape { name: "point", parameters: POINT },
    Shape { name: "rectangle", parameters: &["x", "y", "width", "height"] },
    Shape { name: "rotateRectangle", parameters: &["x", "y", "width", "height", "angle"] },
    Shape { name: "triangle", parameters: &["x", "y", "r", "angle"] },
    Shape { name: "fan", parameters: &["x", "y", "radius", "spread", "rotation"] },
    Shape {
        name: "temporalRotateRectangle",
        parameters: &["x_center", "y_center", "width", "height", "angle", "displayTime"],
    },
    Shape { name: "temporalPoint", parameters: &["x", "y", "displayTime"] },
];

/// The shape of a name.
pub(super) fn shape(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

/// What a configuration asks of a drawing task.
#[derive(Clone, Debug)]
pub(super) struct Marks<'c> {
    pub(super) form: Form,
    pub(super) tools: Option<&'c [u64]>,
    pub(super) details: &'c BTreeMap<String, Vec<Option<String>>>,
    /// Marks of another form than this are left alone, whatever parameters they share with it.
    pub(super) exact: Option<&'c str>,
    pub(super) gold_standard: bool,
    /// Names the questions about marks in messages.
    pub(super) scope: String,
}

/// Marks that were not taken, for the account.
#[derive(Debug, Default)]
pub(super) struct NotTaken {
    pub(super) without_tool: u64,
    pub(super) of_another_form: u64,
    pub(super) details: Vec<String>,
}

/// What is filled mark by mark.
struct Found<'l> {
    /// Lists by column.
    lists: BTreeMap<String, Vec<Datum>>,
    /// Frames that say whether the classification was made in gold-standard mode.
    gold: BTreeSet<String>,
    labels: &'l mut Labels,
    not_taken: &'l mut NotTaken,
}

/// A mark and where it goes.
struct Mark<'m> {
    keys: &'m Map<String, Value>,
    /// Position in the annotation's list.
    index: u64,
    /// `frame0.`, or nothing.
    frame: String,
    /// `T0_tool1`, or `T0_toolIndex1`.
    key: String,
    /// `T0_tool1` in either generation: some configurations use it for both.
    first_key: String,
}

impl Mark<'_> {
    fn push(&self, parameter: &str, datum: Datum, found: &mut Found<'_>) {
        let column = format!("{}{}_{parameter}", self.frame, self.key);
        found.lists.entry(column).or_default().push(datum);
    }
}

impl Marks<'_> {
    /// The cells of one classification. `annotations` holds the task's own and those of its subtasks.
    pub(super) fn read(
        &self,
        annotations: &[&Annotation],
        labels: &mut Labels,
        not_taken: &mut NotTaken,
    ) -> Result<Cells, Unreadable> {
        let mut found = Found { lists: BTreeMap::new(), gold: BTreeSet::new(), labels, not_taken };
        for annotation in annotations.iter().filter(|a| a.mark.is_none()) {
            let marks = match &annotation.value {
                Value::Null => continue,
                Value::Array(list) => list,
                _ => return Err("not a list of marks"),
            };
            for (i, mark) in marks.iter().enumerate() {
                let keys = mark.as_object().ok_or("a mark that is not an object")?;
                self.mark(&annotation.task, keys, i as u64, annotations, &mut found);
            }
        }
        let gold = Datum::Text(self.gold_standard.to_string());
        let golds = found.gold.into_iter().map(|name| (named(name), gold.clone()));
        let lists = found.lists.into_iter().map(|(name, list)| (named(name), Datum::List(list)));
        Ok(lists.chain(golds).collect())
    }

    fn mark(
        &self,
        task: &str,
        keys: &Map<String, Value>,
        index: u64,
        annotations: &[&Annotation],
        found: &mut Found<'_>,
    ) {
        let tool_of = |name: &str| keys.get(name).and_then(Value::as_u64);
        let (tool, word) = match (tool_of("tool"), tool_of("toolIndex")) {
            (Some(tool), _) => (tool, "tool"),
            (None, Some(tool)) => (tool, "toolIndex"),
            (None, None) => {
                found.not_taken.without_tool += 1;
                return;
            }
        };
        if self.tools.is_some_and(|tools| !tools.contains(&tool)) {
            return;
        }
        let frame = match self.form {
            Form::Point => String::new(),
            _ => format!("frame{}.", keys.get("frame").and_then(Value::as_u64).unwrap_or(0)),
        };
        let (key, first_key) = (format!("{task}_{word}{tool}"), format!("{task}_tool{tool}"));
        let mark = Mark { keys, index, frame, key, first_key };
        if self.geometry(&mark, found) {
            self.answers(&mark, annotations, found);
        } else {
            found.not_taken.of_another_form += 1;
        }
    }

    /// Adds what the mark's form asks for; false where the mark has another form.
    fn geometry(&self, mark: &Mark<'_>, found: &mut Found<'_>) -> bool {
        let keys = mark.keys;
        if self.exact.is_some_and(|exact| inferred(keys) != exact) {
            return false;
        }
        let parameters = match &self.form {
            Form::Polygon => return self.path(mark, path_of(keys), found),
            Form::Bezier => return self.path(mark, points_of(keys).and_then(|p| bezier(&p)), found),
            Form::Point | Form::PointByFrame => POINT,
            Form::Shape(shape) => shape.parameters,
        };
        let values = parameters.iter().map(|p| parameter(keys, p)).collect::<Option<Vec<_>>>();
        let Some(values) = values else { return false };
        for (parameter, value) in parameters.iter().zip(values) {
            mark.push(parameter, Datum::Text(value), found);
        }
        true
    }

    fn path(&self, mark: &Mark<'_>, path: Option<Path>, found: &mut Found<'_>) -> bool {
        let Some((xs, ys)) = path.filter(|(xs, _)| !xs.is_empty()) else { return false };
        mark.push("pathX", Datum::Text(json_list(&xs)), found);
        mark.push("pathY", Datum::Text(json_list(&ys)), found);
        if self.form == Form::Polygon {
            found.gold.insert(format!("{}gold_standard", mark.frame));
        }
        true
    }

    /// Adds the answers to the mark's own questions, where the configuration names their extractors.
    fn answers(&self, mark: &Mark<'_>, annotations: &[&Annotation], found: &mut Found<'_>) {
        let given = mark.keys.get("details").and_then(Value::as_array);
        let functions = self.details.get(&mark.key).or_else(|| self.details.get(&mark.first_key));
        let is_second = mark.key != mark.first_key;
        let mut extracted = Vec::new();
        for (i, item) in given.into_iter().flatten().enumerate() {
            let own = format!("{}_subtask{i}", mark.key);
            let function = match self.details.get(&own) {
                Some(own) => own.first(),
                None => functions.and_then(|f| f.get(i)),
            };
            let Some(function) = function else { continue };
            let value = detail_value(item, mark.index, annotations);
            let datum = self.detail(function.as_deref(), value, &format!("{}/{own}", self.scope), found);
            if is_second {
                found.lists.entry(format!("{}{own}", mark.frame)).or_default().push(datum);
            } else {
                extracted.push(datum);
            }
        }
        if !is_second && functions.is_some() {
            mark.push("details", Datum::List(extracted), found);
        }
    }

    fn detail(
        &self,
        function: Option<&str>,
        value: &Value,
        scope: &str,
        found: &mut Found<'_>,
    ) -> Datum {
        let nothing = Datum::Text("null".to_owned());
        let Some(function) = function else { return nothing };
        detail(function, value, scope, self.gold_standard, found.labels).unwrap_or_else(|why| {
            found.not_taken.details.push(why);
            nothing
        })
    }
}

/// The answer itself in the first generation; in the second, a reference to another annotation.
fn detail_value<'a>(item: &'a Value, index: u64, annotations: &[&'a Annotation]) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    if let Some(value) = item.get("value") {
        return value;
    }
    let Some(task) = item.get("task").and_then(Value::as_str) else { return NOTHING };
    let found = annotations.iter().find(|a| a.task == task && a.mark == Some(index));
    found.map_or(NOTHING, |a| &a.value)
}

fn inferred(keys: &Map<String, Value>) -> String {
    let mut pool = Pool::default();
    let mark = read_mark(&Value::Object(keys.clone()), 0, &mut pool);
    mark.map_or_else(String::new, |mark| common_form(pool.text(mark.name)).to_owned())
}

/// Tools that draw the same form.
pub(super) fn common_form(tool: &str) -> &str {
    match tool {
        "freehandLine" => "polygon",
        "transcriptionLine" => "line",
        name => name,
    }
}

/// A parameter as JSON. The second generation's centres become the first one's anchors.
fn parameter(keys: &Map<String, Value>, name: &str) -> Option<String> {
    if let Some(value) = keys.get(name) {
        return number_text(value);
    }
    let (centre, size) = match name {
        "x" => ("x_center", "width"),
        "y" => ("y_center", "height"),
        _ => return None,
    };
    let centre = keys.get(centre)?;
    match keys.get(size) {
        None => number_text(centre),
        Some(size) => float_text(centre.as_f64()? - size.as_f64()? / 2.0),
    }
}

fn number_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => float_text(text.trim().parse().ok()?),
        _ => None,
    }
}

fn float_text(number: f64) -> Option<String> {
    Number::from_f64(number).map(|n| n.to_string())
}

type Path = (Vec<String>, Vec<String>);

fn path_of(keys: &Map<String, Value>) -> Option<Path> {
    if let Some(points) = keys.get("points").and_then(Value::as_array) {
        let axis =
            |key: &str| points.iter().map(|p| number_text(p.get(key)?)).collect::<Option<Vec<_>>>();
        return Some((axis("x")?, axis("y")?));
    }
    let numbers =
        |key: &str| keys.get(key)?.as_array()?.iter().map(number_text).collect::<Option<Vec<_>>>();
    let (xs, ys) = (numbers("pathX")?, numbers("pathY")?);
    (xs.len() == ys.len()).then_some((xs, ys))
}

fn points_of(keys: &Map<String, Value>) -> Option<Vec<(f64, f64)>> {
    let points = keys.get("points")?.as_array()?;
    points.iter().map(|p| Some((p.get("x")?.as_f64()?, p.get("y")?.as_f64()?))).collect()
}

/// A chain of quadratic curves: every second point is a control point; an even number of points means
/// that the chain is closed. Each curve gives ten points, so that corners stand twice, as in the original.
fn bezier(points: &[(f64, f64)]) -> Option<Path> {
    let mut points = points.to_vec();
    if points.len() <= 2 {
        return None;
    }
    if points.len().is_multiple_of(2) {
        points.push(points[0]);
    }
    let mut path = Path::default();
    for corner in (0..points.len() - 2).step_by(2) {
        let [a, b, c] = [points[corner], points[corner + 1], points[corner + 2]];
        for i in 0..BEZIER_POINTS {
            let s = f64::from(i) / f64::from(BEZIER_POINTS - 1);
            let at =
                |a: f64, b: f64, c: f64| (1.0 - s) * (1.0 - s) * a + 2.0 * s * (1.0 - s) * b + s * s * c;
            path.0.push(float_text(at(a.0, b.0, c.0))?);
            path.1.push(float_text(at(a.1, b.1, c.1))?);
        }
    }
    Some(path)
}

fn json_list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_straight_curve_is_a_line_of_ten_points() {
        let (xs, ys) = bezier(&[(0.0, 0.0), (4.5, 9.0), (9.0, 18.0)]).unwrap();
        let xs: Vec<f64> = xs.iter().map(|x| x.parse().unwrap()).collect();
        assert!(xs.iter().enumerate().all(|(i, x)| (x - i as f64).abs() < 1e-12));
        assert_eq!(ys[9], "18.0");
        // Four points: closed, so two segments that end where the first began.
        let (xs, _) = bezier(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 5.0)]).unwrap();
        assert_eq!((xs.len(), xs[19].as_str()), (20, "0.0"));
        assert_eq!(bezier(&[(0.0, 0.0), (1.0, 1.0)]), None);
    }

    #[test]
    fn centres_of_the_second_generation_become_anchors_of_the_first() {
        let rectangle = keys(json!({"x_center": 30, "y_center": 20.5, "width": 20, "height": 1}));
        let xy = ["x", "y", "width"].map(|p| parameter(&rectangle, p).unwrap());
        assert_eq!(xy, ["20.0", "20.0", "20"]);
        let circle = keys(json!({"x_center": 30, "y_center": 20.5, "r": 2}));
        assert_eq!(["x", "y", "r"].map(|p| parameter(&circle, p).unwrap()), ["30", "20.5", "2"]);
        assert_eq!(parameter(&keys(json!({"x": null})), "x"), None);
    }
}
