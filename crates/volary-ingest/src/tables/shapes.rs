//! Drawn marks in memory: straight from an export, or from the `shapes` table that `extract` wrote.
//!
//! A mark of a tool that draws no form we know is listed and left out; one whose numbers are missing keeps
//! its place with numbers that are none, so that whoever clusters can say so. Freehand lines and Bézier
//! chains count as closed outlines, as in `panoptes_aggregation`. A column's `x` becomes its centre.

use std::path::Path;

use serde_json::{Map, Value};
use volary_core::drawn::{DrawnMark, DrawnRow};
use volary_core::extracts::{ExternalId, Geometry, Shape};
use volary_core::{Drawn, Extracts, Form, ProblemKind, Problems};

use super::read::{Cells, for_each_batch};
use crate::error::IngestError;
use crate::panoptes::ExtractSink;
use crate::source::Progress;
use crate::volunteer::Without;

/// Gathers the drawn marks of an export.
#[derive(Debug, Default)]
pub struct ShapeCollector {
    drawn: Drawn,
    problems: Problems,
}

impl ShapeCollector {
    /// All marks and blanks, and what was left out.
    #[must_use]
    pub fn finish(self) -> (Drawn, Problems) {
        (self.drawn, self.problems)
    }

    fn take_shapes(&mut self, e: &Extracts) {
        for row in &e.shapes {
            let class = &e.classifications[row.classification as usize];
            let number = match row.mark.as_ref() {
                None => Ok(None),
                Some(shape) => self.mark(e, shape).map(Some),
            };
            let mark = match number {
                Ok(mark) => mark,
                Err(name) => {
                    unknown(&name, class.row, &mut self.problems);
                    continue;
                }
            };
            let pool = &mut self.drawn.pool;
            let mut text = |symbol| pool.intern(e.text(symbol));
            let [workflow, task, subject, volunteer] =
                [class.workflow, row.task, class.subject, class.volunteer.key].map(&mut text);
            let classification = match class.id {
                ExternalId::Number(n) => pool.intern(&n.to_string()),
                ExternalId::Text(symbol) => pool.intern(e.text(symbol)),
            };
            self.drawn.rows.push(DrawnRow {
                workflow,
                task,
                subject,
                volunteer,
                classification,
                created_ms: class.created_ms,
                row: class.row,
                mark,
            });
        }
    }

    fn mark(&mut self, e: &Extracts, shape: &Shape) -> Result<DrawnMark, String> {
        let name = e.text(shape.name);
        let form = Form::of_tool(name).ok_or_else(|| name.to_owned())?;
        let other = shape.other.map(|o| json_object(e.text(o))).unwrap_or_default();
        let points = match &shape.geometry {
            Geometry::Path { points, .. } => points.clone(),
            _ => Vec::new(),
        };
        let numbers = numbers(form, &|column| of_geometry(&shape.geometry, column), &other);
        let tool_label = shape.tool_label.map(|l| self.drawn.pool.intern(e.text(l)));
        let (index, frame, tool) = (shape.index, shape.frame, shape.tool);
        Ok(DrawnMark { index, frame, tool, tool_label, form, numbers, points })
    }
}

impl ExtractSink for ShapeCollector {
    fn take(&mut self, extracts: &Extracts) -> Result<(), IngestError> {
        self.take_shapes(extracts);
        Ok(())
    }

    fn take_late(&mut self, extracts: &Extracts, _ordinals: &[u64]) -> Result<(), IngestError> {
        self.take_shapes(extracts);
        Ok(())
    }
}

/// Reads a `shapes` table.
///
/// # Errors
/// Where it cannot be read or lacks a column.
pub fn read_shapes(path: &Path, progress: &Progress) -> Result<(Drawn, Problems), IngestError> {
    let (drawn, problems, _) = read_shapes_without(path, &Without::default(), progress)?;
    Ok((drawn, problems))
}

/// The same without the rows of some volunteers; also how many rows these were.
///
/// # Errors
/// As [`read_shapes`].
pub fn read_shapes_without(
    path: &Path,
    without: &Without,
    progress: &Progress,
) -> Result<(Drawn, Problems, u64), IngestError> {
    let needed = ["classification_id", "subject_id", "volunteer", "task", "shape"];
    let mut collector = ShapeCollector::default();
    let (mut n_rows, mut n_left_out) = (0, 0);
    for_each_batch(path, &needed, progress, |cells| {
        for row in 0..cells.n_rows() {
            n_rows += 1;
            if !without.is_empty() && cells.text("volunteer", row).is_some_and(|v| without.has(&v)) {
                n_left_out += 1;
                continue;
            }
            collector.table_row(cells, row, n_rows);
        }
        Ok(())
    })?;
    let (drawn, problems) = collector.finish();
    Ok((drawn, problems, n_left_out))
}

impl ShapeCollector {
    fn table_row(&mut self, cells: &dyn Cells, at: usize, row: u64) {
        let text = |column| cells.text(column, at).unwrap_or_default();
        let mark = match cells.text("shape", at) {
            None => None,
            Some(name) => match Form::of_tool(&name) {
                Some(form) => Some(self.table_mark(cells, at, form, row)),
                None => return unknown(&name, row, &mut self.problems),
            },
        };
        let pool = &mut self.drawn.pool;
        let columns = ["workflow_id", "task", "subject_id", "volunteer", "classification_id"];
        let [workflow, task, subject, volunteer, classification] =
            columns.map(|column| pool.intern(&text(column)));
        let created_ms = cells.time_ms("created_at", at);
        self.drawn.rows.push(DrawnRow {
            workflow,
            task,
            subject,
            volunteer,
            classification,
            created_ms,
            row,
            mark,
        });
    }

    fn table_mark(&mut self, cells: &dyn Cells, at: usize, form: Form, row: u64) -> DrawnMark {
        let number = |column: &str| -> Option<f64> {
            let cell = cells.text(column, at)?;
            Some(cell.trim().parse().unwrap_or(f64::NAN))
        };
        let other = cells.text("other", at).map(|o| json_object(&o)).unwrap_or_default();
        let points = match (form, cells.text("points_px", at)) {
            (Form::Outline, Some(json)) => serde_json::from_str(&json).unwrap_or_else(|_| {
                let detail = "not a list of corners: [[x,y],…]";
                self.problems.add(row, "points_px", ProblemKind::BadJson, detail);
                Vec::new()
            }),
            _ => Vec::new(),
        };
        let label = cells.text("tool_label", at);
        DrawnMark {
            index: cells.text("mark", at).and_then(|m| m.parse().ok()).unwrap_or(0),
            frame: cells.text("frame", at).and_then(|f| f.parse().ok()).unwrap_or(0),
            tool: cells.text("tool", at).and_then(|t| t.parse().ok()),
            tool_label: label.map(|l| self.drawn.pool.intern(&l)),
            form,
            numbers: numbers(form, &number, &other),
            points,
        }
    }
}

fn unknown(name: &str, row: u64, problems: &mut Problems) {
    let name: String = name.chars().take(60).collect();
    let detail = format!("marks of the tool {name:?} are not clustered");
    problems.add(row, "shape", ProblemKind::UnknownTask, detail);
}

fn json_object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// A number of a geometry, by the column that it has in the table.
fn of_geometry(geometry: &Geometry, column: &str) -> Option<f64> {
    Some(match (geometry, column) {
        (Geometry::Point { x, .. } | Geometry::Circle { x, .. }, "x_px") => *x,
        (Geometry::Rectangle { x, .. } | Geometry::Ellipse { x, .. }, "x_px") => *x,
        (Geometry::Point { y, .. } | Geometry::Circle { y, .. }, "y_px") => *y,
        (Geometry::Rectangle { y, .. } | Geometry::Ellipse { y, .. }, "y_px") => *y,
        (Geometry::Rectangle { width, .. }, "width_px") => *width,
        (Geometry::Rectangle { height, .. }, "height_px") => *height,
        (Geometry::Rectangle { angle, .. } | Geometry::Ellipse { angle, .. }, "angle_deg") => *angle,
        (Geometry::Circle { r, .. }, "r_px") => *r,
        (Geometry::Ellipse { rx, .. }, "rx_px") => *rx,
        (Geometry::Ellipse { ry, .. }, "ry_px") => *ry,
        (Geometry::Line { x1, .. }, "x1_px") => *x1,
        (Geometry::Line { y1, .. }, "y1_px") => *y1,
        (Geometry::Line { x2, .. }, "x2_px") => *x2,
        (Geometry::Line { y2, .. }, "y2_px") => *y2,
        _ => return None,
    })
}

/// A form's numbers: from the geometry, else from what else the mark says.
fn numbers(
    form: Form,
    of_geometry: &dyn Fn(&str) -> Option<f64>,
    other: &Map<String, Value>,
) -> Vec<f64> {
    let said = |keys: &[&str]| {
        let value = keys.iter().find_map(|k| other.get(*k))?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let number = |column: &str| {
        let found = of_geometry(column).or_else(|| match column {
            "x_px" => said(&["x_center", "x"]),
            "y_px" => said(&["y_center", "y"]),
            "width_px" => said(&["width"]),
            "r_px" => said(&["radius", "r"]),
            "spread_deg" => said(&["spread"]),
            "angle_deg" => said(&["rotation", "angle"]),
            "time" => said(&["displayTime"]),
            _ => None,
        });
        found.unwrap_or(f64::NAN)
    };
    let mut numbers: Vec<f64> = form.parameters().iter().map(|column| number(column)).collect();
    // The column tool gives its left edge.
    if form == Form::Column && of_geometry("x_px").is_none() && !other.contains_key("x_center") {
        numbers[0] += numbers[1] / 2.0;
        numbers[1] = numbers[1].abs();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn from_other(form: Form, other: Value) -> Vec<f64> {
        numbers(form, &|_| None, other.as_object().unwrap())
    }

    #[test]
    fn tools_without_a_geometry_are_read_from_what_they_say() {
        let fan = json!({"x": 1, "y": 2, "radius": 3, "spread": 4, "rotation": 5});
        assert_eq!(from_other(Form::Fan, fan), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(from_other(Form::Column, json!({"x": 10, "width": 4})), [12.0, 4.0]);
        assert_eq!(from_other(Form::Column, json!({"x": 10, "width": -4})), [8.0, 4.0]);
        assert_eq!(from_other(Form::FullHeightLine, json!({"x": "7"})), [7.0]);
        assert!(from_other(Form::Point, json!({"x": null, "y": 2}))[0].is_nan());
        let circle = Geometry::Circle { x: 1.0, y: 2.0, r: 3.0 };
        let other = json!({"angle": -7.5});
        let triangle = numbers(Form::Triangle, &|c| of_geometry(&circle, c), other.as_object().unwrap());
        assert_eq!(triangle, [1.0, 2.0, 3.0, -7.5]);
    }

    #[test]
    fn a_table_is_read_with_its_faults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shapes.csv");
        std::fs::write(
            &path,
            "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,mark,frame,tool,\
             shape,x_px,y_px,r_px,points_px\n\
             1,7,s,va,,false,T0,0,0,0,circle,1,2,3,\n\
             2,7,s,vb,,false,T0,,,,,,,,\n\
             3,7,s,vc,,false,T0,0,0,0,circle,one,NaN,inf,\n\
             4,7,s,vd,,false,T0,0,0,1,freehandLine,,,,\"[[0,0],[1,0],[1,1]]\"\n\
             5,7,s,ve,,false,T0,0,0,1,polygon,,,,oops\n\
             6,7,s,vf,,false,T0,0,0,1,hologram,,,,\n",
        )
        .unwrap();
        let (drawn, problems) = read_shapes(&path, &Progress::default()).unwrap();
        assert_eq!(drawn.rows.len(), 5);
        assert_eq!(drawn.rows[0].mark.as_ref().unwrap().numbers, [1.0, 2.0, 3.0]);
        assert_eq!(drawn.rows[1].mark, None);
        let odd = &drawn.rows[2].mark.as_ref().unwrap().numbers;
        assert!(odd[0].is_nan() && odd[1].is_nan() && odd[2].is_infinite());
        assert_eq!(drawn.rows[3].mark.as_ref().unwrap().points.len(), 3);
        assert_eq!(problems.count(ProblemKind::BadJson), 1);
        assert_eq!(problems.count(ProblemKind::UnknownTask), 1);
        std::fs::write(&path, "a,b\n").unwrap();
        assert!(read_shapes(&path, &Progress::default()).is_err());
    }
}
