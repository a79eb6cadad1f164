//! Drawn marks, both generations of the classifier: JSON to geometry.
//!
//! The first generation doesn't say which tool made a mark (and the tool index changes its shape from
//! version to version, so the label lies too): the shape is inferred from the keys. The second says its
//! `toolType` and puts rectangles, circles and ellipses at `x_center, y_center`; the first puts
//! rectangles at their top-left corner. Out come centres for both. Bézier chains of the first
//! generation have the keys of polygons and are called so.

use serde_json::{Map, Value};
use volary_core::Pool;
use volary_core::extracts::{Geometry, Shape};

/// Reads one mark. `None` where the value is not an object.
pub(super) fn read_mark(value: &Value, index: usize, pool: &mut Pool) -> Option<Shape> {
    let keys = value.as_object()?;
    let (inferred, geometry, used) = geometry(keys);
    let name = keys.get("toolType").and_then(Value::as_str).unwrap_or(inferred);
    let tool = ["tool", "toolIndex"].iter().find_map(|k| keys.get(*k)).and_then(Value::as_u64);
    let label = keys.get("tool_label").and_then(Value::as_str);
    let details = keys.get("details").filter(|d| d.as_array().is_none_or(|list| !list.is_empty()));
    Some(Shape {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        tool: tool.and_then(|t| u16::try_from(t).ok()),
        tool_label: label.map(|l| pool.intern(l)),
        frame: keys
            .get("frame")
            .and_then(Value::as_u64)
            .and_then(|f| u16::try_from(f).ok())
            .unwrap_or(0),
        name: pool.intern(name),
        details: details.filter(|d| !d.is_null()).map(|d| pool.intern(&d.to_string())),
        other: other(keys, used).map(|json| pool.intern(&json)),
        geometry,
    })
}

/// What a tool's marks are called where only their keys are known.
pub(super) fn looks_like(tool: &str) -> &str {
    match tool {
        "triangle" => "circle",
        "bezier" => "polygon",
        "freehandShape" | "freehandSegmentLine" | "freehandSegmentShape" => "freehandLine",
        other => other,
    }
}

/// Whether the mark is a range on a light curve.
pub(super) fn is_range(keys: &Map<String, Value>) -> bool {
    keys.get("toolType").and_then(Value::as_str).is_some_and(|t| t.starts_with("graph2d"))
}

/// The range of a light-curve mark: `x` is the centre and `width` the full width, in data units.
pub(super) fn centred_range(keys: &Map<String, Value>) -> Option<(f64, f64)> {
    let (x, width) = (number(keys, "x")?, number(keys, "width")?.abs());
    Some((x - width / 2.0, x + width / 2.0))
}

/// The range of the older `column` tool, whose `x` is the left edge.
pub(super) fn column_range(keys: &Map<String, Value>) -> Option<(f64, f64)> {
    let is_column = !keys.contains_key("y") && !keys.contains_key("height");
    let (x, width) = (number(keys, "x")?, number(keys, "width")?);
    is_column.then(|| (x.min(x + width), x.max(x + width)))
}

const COMMON: [&str; 6] = ["tool", "toolIndex", "toolType", "tool_label", "frame", "details"];

fn other(keys: &Map<String, Value>, used: &[&str]) -> Option<String> {
    let rest: Map<String, Value> = keys
        .iter()
        .filter(|(k, _)| !COMMON.contains(&k.as_str()) && !used.contains(&k.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    (!rest.is_empty()).then(|| Value::Object(rest).to_string())
}

/// Tool name, geometry and the keys that went into it.
fn geometry(keys: &Map<String, Value>) -> (&'static str, Geometry, &'static [&'static str]) {
    path(keys)
        .or_else(|| line(keys))
        .or_else(|| ellipse(keys))
        .or_else(|| circle(keys))
        .or_else(|| rectangle(keys))
        .or_else(|| point(keys))
        .unwrap_or((single_axis(keys), Geometry::Other, &[]))
}

type Found = (&'static str, Geometry, &'static [&'static str]);

fn number(keys: &Map<String, Value>, key: &str) -> Option<f64> {
    let value = keys.get(key)?;
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

fn centre(keys: &Map<String, Value>) -> Option<(f64, f64)> {
    match (number(keys, "x_center"), number(keys, "y_center")) {
        (Some(x), Some(y)) => Some((x, y)),
        _ => Some((number(keys, "x")?, number(keys, "y")?)),
    }
}

fn path(keys: &Map<String, Value>) -> Option<Found> {
    if let (Some(xs), Some(ys)) = (numbers(keys, "pathX"), numbers(keys, "pathY")) {
        if xs.len() != ys.len() {
            return None;
        }
        let points = xs.into_iter().zip(ys).collect();
        return Some(("freehandLine", Geometry::Path { points, closed: false }, &["pathX", "pathY"]));
    }
    let points = keys.get("points")?.as_array()?;
    let points: Option<Vec<(f64, f64)>> = points
        .iter()
        .map(|p| p.as_object())
        .map(|p| Some((number(p?, "x")?, number(p?, "y")?)))
        .collect();
    let closed = keys.get("closed").and_then(Value::as_bool);
    // The second generation's polygons are closed and do not say so.
    let closed = closed.unwrap_or(keys.get("toolType").and_then(Value::as_str) == Some("polygon"));
    Some(("polygon", Geometry::Path { points: points?, closed }, &["points", "closed"]))
}

fn numbers(keys: &Map<String, Value>, key: &str) -> Option<Vec<f64>> {
    let list = keys.get(key)?.as_array()?;
    list.iter().map(|v| v.as_f64().filter(|n| n.is_finite())).collect()
}

fn line(keys: &Map<String, Value>) -> Option<Found> {
    let [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map(|k| number(keys, k));
    let geometry = Geometry::Line { x1: x1?, y1: y1?, x2: x2?, y2: y2? };
    Some(("line", geometry, &["x1", "y1", "x2", "y2"]))
}

fn ellipse(keys: &Map<String, Value>) -> Option<Found> {
    let (rx, ry) = (number(keys, "rx")?, number(keys, "ry")?);
    let (x, y) = centre(keys)?;
    let angle = number(keys, "angle").unwrap_or(0.0);
    let used = &["x", "y", "x_center", "y_center", "rx", "ry", "angle"];
    Some(("ellipse", Geometry::Ellipse { x, y, rx, ry, angle }, used))
}

fn circle(keys: &Map<String, Value>) -> Option<Found> {
    let r = number(keys, "r")?;
    let (x, y) = centre(keys)?;
    // A triangle has the same keys, and its angle means something: it stays in `other`.
    Some(("circle", Geometry::Circle { x, y, r }, &["x", "y", "x_center", "y_center", "r"]))
}

fn rectangle(keys: &Map<String, Value>) -> Option<Found> {
    let (width, height) = (number(keys, "width")?, number(keys, "height")?);
    let (x, y) = match (number(keys, "x_center"), number(keys, "y_center")) {
        (Some(x), Some(y)) => (x, y),
        // Old marks may have a negative width: the corner is then another one, the centre is not.
        _ => (number(keys, "x")? + width / 2.0, number(keys, "y")? + height / 2.0),
    };
    let angle = number(keys, "angle");
    let name = if angle.is_some() { "rotateRectangle" } else { "rectangle" };
    let (width, height, angle) = (width.abs(), height.abs(), angle.unwrap_or(0.0));
    let used = &["x", "y", "x_center", "y_center", "width", "height", "angle"];
    Some((name, Geometry::Rectangle { x, y, width, height, angle }, used))
}

fn point(keys: &Map<String, Value>) -> Option<Found> {
    if keys.contains_key("radius") || keys.contains_key("width") {
        return None;
    }
    Some(("point", Geometry::Point { x: number(keys, "x")?, y: number(keys, "y")? }, &["x", "y"]))
}

fn single_axis(keys: &Map<String, Value>) -> &'static str {
    let has = |key| keys.contains_key(key);
    match (has("x"), has("y"), has("width"), has("radius")) {
        (true, true, _, true) => "fan",
        (true, false, true, _) => "column",
        (true, true, false, _) => "point",
        (true, false, false, _) => "fullHeightLine",
        (false, true, _, _) => "fullWidthLine",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(mark: Value, name: &str, geometry: Geometry, other: Option<&str>) {
        let mut pool = Pool::default();
        let shape = read_mark(&mark, 0, &mut pool).unwrap();
        assert_eq!((pool.text(shape.name), &shape.geometry), (name, &geometry), "{mark}");
        assert_eq!(shape.other.map(|o| pool.text(o)), other, "{mark}");
    }

    #[test]
    fn both_generations_give_the_same_centres() {
        let rectangle =
            |angle| Geometry::Rectangle { x: 20.0, y: 30.0, width: 20.0, height: 40.0, angle };
        check(json!({"x":10,"y":10,"width":20,"height":40}), "rectangle", rectangle(0.0), None);
        check(json!({"x":30,"y":10,"width":-20,"height":40}), "rectangle", rectangle(0.0), None);
        let v2 = json!({"toolIndex":1,"toolType":"rectangle","x_center":20,"y_center":30,"width":20,"height":40});
        check(v2, "rectangle", rectangle(0.0), None);
        check(
            json!({"x":10,"y":10,"width":20,"height":40,"angle":5}),
            "rotateRectangle",
            rectangle(5.0),
            None,
        );
        let circle = Geometry::Circle { x: 1.0, y: 2.0, r: 3.0 };
        check(
            json!({"x":1,"y":2,"r":3,"angle":-7.5}),
            "circle",
            circle.clone(),
            Some(r#"{"angle":-7.5}"#),
        );
        check(json!({"toolType":"circle","x_center":1,"y_center":2,"r":3}), "circle", circle, None);
        let ellipse = Geometry::Ellipse { x: 1.0, y: 2.0, rx: 3.0, ry: 4.0, angle: 5.0 };
        check(json!({"x":1,"y":2,"rx":3,"ry":4,"angle":5}), "ellipse", ellipse.clone(), None);
        let v2 = json!({"toolType":"ellipse","x_center":1,"y_center":2,"rx":3,"ry":4,"angle":5});
        check(v2, "ellipse", ellipse, None);
    }

    #[test]
    fn the_other_tools() {
        check(json!({"x":1,"y":"2.5"}), "point", Geometry::Point { x: 1.0, y: 2.5 }, None);
        let video = json!({"toolType":"temporalPoint","x":1,"y":2,"displayTime":0.5});
        check(
            video,
            "temporalPoint",
            Geometry::Point { x: 1.0, y: 2.0 },
            Some(r#"{"displayTime":0.5}"#),
        );
        let line = Geometry::Line { x1: 1.0, y1: 2.0, x2: 3.0, y2: 4.0 };
        check(
            json!({"toolType":"transcriptionLine","x1":1,"y1":2,"x2":3,"y2":4}),
            "transcriptionLine",
            line,
            None,
        );
        let points = vec![(1.0, 2.0), (3.0, 4.0)];
        let path = Geometry::Path { points: points.clone(), closed: false };
        check(
            json!({"toolType":"freehandLine","pathX":[1,3],"pathY":[2,4]}),
            "freehandLine",
            path,
            None,
        );
        let closed = Geometry::Path { points, closed: true };
        check(json!({"points":[{"x":1,"y":2},{"x":3,"y":4}],"closed":true}), "polygon", closed, None);
        check(json!({"x":5}), "fullHeightLine", Geometry::Other, Some(r#"{"x":5}"#));
        check(json!({"y":5}), "fullWidthLine", Geometry::Other, Some(r#"{"y":5}"#));
        check(json!({"x":5,"width":2}), "column", Geometry::Other, Some(r#"{"x":5,"width":2}"#));
        let fan = json!({"x":1,"y":2,"radius":3,"spread":4,"rotation":5});
        check(fan.clone(), "fan", Geometry::Other, Some(&fan.to_string()));
    }

    #[test]
    fn a_mark_that_cannot_be_placed_keeps_what_it_said() {
        let broken = json!({"x":null,"y":2});
        check(broken.clone(), "point", Geometry::Other, Some(&broken.to_string()));
        let uneven = json!({"toolType":"freehandLine","pathX":[1],"pathY":[]});
        check(uneven, "freehandLine", Geometry::Other, Some(r#"{"pathX":[1],"pathY":[]}"#));
        assert!(read_mark(&json!("x"), 0, &mut Pool::default()).is_none());
    }

    #[test]
    fn ranges_know_centre_from_edge() {
        let keys = |v: Value| v.as_object().unwrap().clone();
        let range = keys(json!({"tool":0,"toolType":"graph2dRangeX","x":15.0,"width":0.92}));
        assert!(is_range(&range));
        assert_eq!(centred_range(&range), Some((14.54, 15.46)));
        assert_eq!(column_range(&keys(json!({"x":15.0,"width":1.0}))), Some((15.0, 16.0)));
        assert_eq!(column_range(&keys(json!({"x":15.0,"y":1.0,"width":1.0}))), None);
    }
}
