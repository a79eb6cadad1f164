//! One subject's drawn marks and what became of them, over its image: volunteers' marks thin, consensus
//! shapes thick and dark-rimmed, with the share that drew them.
//!
//! SVG of our own, since everything is in the image's pixels. Nothing in it comes from a cell but numbers.

use std::fmt::Write as _;

use volary_core::{Drawn, Form};
use volary_crowd::shapes::{Cluster, Fate, Group};

use super::text::escape;

/// Okabe & Ito 2008, in the order of the clusters; marks of nobody else are grey.
const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"];
const NOISE: &str = "#8A939E";
/// Width of the picture on the page, px.
const WIDTH: f64 = 520.0;
const MAX_HEIGHT: f64 = 720.0;

/// The image that marks were drawn on.
#[derive(Clone, Debug)]
pub(crate) struct Backdrop {
    /// `data:image/png;base64,…`.
    pub(crate) uri: String,
    /// px.
    pub(crate) width: f64,
    /// px.
    pub(crate) height: f64,
}

/// What is drawn: all groups of one subject, task and frame.
pub(crate) struct Picture<'p> {
    pub(crate) drawn: &'p Drawn,
    pub(crate) groups: &'p [Group],
    pub(crate) backdrop: Option<&'p Backdrop>,
}

/// A whole SVG document.
pub(crate) fn draw(picture: &Picture<'_>) -> String {
    let frame = frame(picture);
    let scale = (WIDTH / frame.2).min(MAX_HEIGHT / frame.3);
    let (w, h) = ((frame.2 * scale).round().max(1.0), (frame.3 * scale).round().max(1.0));
    // Strokes and letters keep their size on the page whatever the image's size.
    let unit = 1.0 / scale;
    let n_shapes: usize = picture.groups.iter().map(|g| g.clusters.len()).sum();
    let n_marks: usize = picture.groups.iter().map(|g| g.marks.len()).sum();
    let alt = format!("{n_marks} marks of volunteers and {n_shapes} consensus shapes");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" width=\"{w}\" \
         height=\"{h}\" viewBox=\"{} {} {} {}\">\n",
        escape(&alt),
        short(frame.0),
        short(frame.1),
        short(frame.2),
        short(frame.3)
    );
    let _ = writeln!(
        svg,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#F4F5F7\" stroke=\"#C9CED6\" \
         stroke-width=\"{}\"/>",
        short(frame.0),
        short(frame.1),
        short(frame.2),
        short(frame.3),
        short(unit)
    );
    if let Some(image) = picture.backdrop {
        let _ = writeln!(
            svg,
            "<image href=\"{}\" x=\"0\" y=\"0\" width=\"{}\" height=\"{}\"/>",
            escape(&image.uri),
            short(image.width),
            short(image.height)
        );
    }
    let mut next = 0;
    for group in picture.groups {
        put_group(&mut svg, picture.drawn, group, next, unit, frame);
        next += group.clusters.len();
    }
    svg.push_str("</svg>\n");
    svg
}

fn colour(cluster: usize) -> &'static str {
    COLOURS[cluster % COLOURS.len()]
}

fn put_group(
    svg: &mut String,
    drawn: &Drawn,
    group: &Group,
    first: usize,
    unit: f64,
    frame: (f64, f64, f64, f64),
) {
    // Noise below, members above it, consensus on top.
    for is_member in [false, true] {
        for mark in &group.marks {
            let (pen, opacity) = match mark.fate {
                Fate::Member(cluster) if is_member => (colour(first + cluster as usize), 0.55),
                Fate::Noise if !is_member => (NOISE, 0.8),
                _ => continue,
            };
            let Some(drawn) = drawn.rows[mark.row].mark.as_ref() else { continue };
            let path = path(group.form, &drawn.numbers, &drawn.points, 4.0 * unit, frame);
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{pen}\" stroke-opacity=\"{opacity}\" \
                 stroke-width=\"{}\"/>",
                short(1.2 * unit)
            );
        }
    }
    for (number, cluster) in group.clusters.iter().enumerate() {
        let values: Vec<f64> = cluster.values.iter().map(|v| v.value).collect();
        let points = cluster.outline.as_ref().map_or(&[][..], |o| &o.median);
        let path = path(group.form, &values, points, 7.0 * unit, frame);
        for (pen, width) in [("#FFFFFF", 5.0), ("#1B1F24", 3.8), (colour(first + number), 2.6)] {
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{pen}\" stroke-width=\"{}\" \
                 stroke-linejoin=\"round\"/>",
                short(width * unit)
            );
        }
    }
    // Labels last, so that no shape crosses them.
    for (number, cluster) in group.clusters.iter().enumerate() {
        let at = anchor(group.form, cluster, frame);
        let label = format!("{}/{}", cluster.n_volunteers, group.n_seen);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" font-family=\"sans-serif\" font-size=\"{}\" font-weight=\"bold\" \
             text-anchor=\"middle\" paint-order=\"stroke\" stroke=\"#FFFFFF\" stroke-width=\"{}\" \
             fill=\"{}\">{label}</text>",
            short(at.0.clamp(frame.0 + 14.0 * unit, frame.0 + frame.2 - 14.0 * unit)),
            short((at.1 - 6.0 * unit).clamp(frame.1 + 13.0 * unit, frame.1 + frame.3 - 3.0 * unit)),
            short(13.0 * unit),
            short(3.5 * unit),
            colour(first + number)
        );
    }
}

/// Above the middle of a shape's top.
fn anchor(form: Form, cluster: &Cluster, frame: (f64, f64, f64, f64)) -> (f64, f64) {
    let values: Vec<f64> = cluster.values.iter().map(|v| v.value).collect();
    let points = cluster.outline.as_ref().map_or(&[][..], |o| &o.median);
    let (x0, y0, x1, _) = extent(form, &values, points).unwrap_or((frame.0, frame.1, frame.0, frame.1));
    let x0 = x0.max(frame.0);
    (f64::midpoint(x0, x1.min(frame.0 + frame.2)), y0.max(frame.1))
}

/// `min x, min y, max x, max y`; infinite where the form has no bound.
fn extent(form: Form, p: &[f64], points: &[(f64, f64)]) -> Option<(f64, f64, f64, f64)> {
    use volary_crowd::shapes::{Mark, Outline};
    let mark = if form == Form::Outline {
        Mark::Outline(Outline::drawn(points).ok()?.0)
    } else {
        Mark::shape(form, p)?
    };
    Some(mark.bounds(form))
}

/// The part of the plane to show: the image, else what all marks cover and a margin.
fn frame(picture: &Picture<'_>) -> (f64, f64, f64, f64) {
    if let Some(image) = picture.backdrop {
        return (0.0, 0.0, image.width, image.height);
    }
    let mut all = (f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for group in picture.groups {
        for fate in group.marks.iter().filter(|m| m.fate != Fate::Unusable) {
            let Some(mark) = picture.drawn.rows[fate.row].mark.as_ref() else { continue };
            let Some(b) = extent(group.form, &mark.numbers, &mark.points) else { continue };
            let finite = |x: f64, or: f64| if x.is_finite() { x } else { or };
            all.0 = all.0.min(b.0);
            all.1 = all.1.min(b.1);
            all.2 = all.2.max(finite(b.2, b.0 + 1.0));
            all.3 = all.3.max(finite(b.3, b.1 + 1.0));
        }
    }
    if !(all.0.is_finite() && all.1.is_finite() && all.2.is_finite() && all.3.is_finite()) {
        return (0.0, 0.0, 1.0, 1.0);
    }
    let margin = (0.08 * (all.2 - all.0).max(all.3 - all.1)).max(10.0);
    (all.0 - margin, all.1 - margin, all.2 - all.0 + 2.0 * margin, all.3 - all.1 + 2.0 * margin)
}

/// A number in few characters; what is not one is 0.
fn short(x: f64) -> String {
    if !x.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{x:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn closed(corners: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (i, (x, y)) in corners.iter().enumerate() {
        let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, short(*x), short(*y));
    }
    path.push('Z');
    path
}

/// A mark as an SVG path; `arm` is half the size of a point's cross.
fn path(form: Form, p: &[f64], points: &[(f64, f64)], arm: f64, frame: (f64, f64, f64, f64)) -> String {
    let line = |x1: f64, y1: f64, x2: f64, y2: f64| {
        format!("M{} {}L{} {}", short(x1), short(y1), short(x2), short(y2))
    };
    let (right, bottom) = (frame.0 + frame.2, frame.1 + frame.3);
    match (form, p) {
        (Form::Outline, _) => closed(points),
        (Form::Point, &[x, y]) | (Form::TemporalPoint, &[x, y, _]) => {
            line(x - arm, y, x + arm, y) + &line(x, y - arm, x, y + arm)
        }
        (Form::Line, &[x1, y1, x2, y2]) => line(x1, y1, x2, y2),
        (Form::FullWidthLine, &[y]) => line(frame.0, y, right, y),
        (Form::FullHeightLine, &[x]) => line(x, frame.1, x, bottom),
        (Form::Column, &[x, w]) => closed(&[
            (x - w / 2.0, frame.1),
            (x + w / 2.0, frame.1),
            (x + w / 2.0, bottom),
            (x - w / 2.0, bottom),
        ]),
        (Form::Fan, &[x, y, r, spread, turn]) => {
            let at = |degrees: f64| {
                let (sin, cos) = degrees.to_radians().sin_cos();
                (x + r * cos, y + r * sin)
            };
            let arc = (0..=16).map(|i| at(turn - spread / 2.0 + spread * f64::from(i) / 16.0));
            closed(&std::iter::once((x, y)).chain(arc).collect::<Vec<_>>())
        }
        _ => match volary_crowd::shapes::convex::Convex::of(form, p) {
            Some(polygon) => closed(polygon.corners()),
            None => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_path_of_numbers() {
        for form in Form::ALL {
            let p: Vec<f64> = (0..form.parameters().len()).map(|i| 10.0 + i as f64).collect();
            let points = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)];
            let path = path(form, &p, &points, 3.0, (0.0, 0.0, 50.0, 50.0));
            assert!(path.starts_with('M') && !path.contains("NaN"), "{form:?}: {path}");
        }
        let odd = path(Form::Circle, &[f64::NAN, 1.0, 2.0], &[], 1.0, (0.0, 0.0, 1.0, 1.0));
        assert!(!odd.contains("NaN"), "{odd}");
        assert_eq!(
            (short(2.50), short(f64::INFINITY), short(-0.0004)),
            ("2.5".into(), "0".into(), "-0".into())
        );
    }

    #[test]
    fn nothing_drawn_is_an_empty_frame() {
        let drawn = Drawn::default();
        let svg = draw(&Picture { drawn: &drawn, groups: &[], backdrop: None });
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }
}
