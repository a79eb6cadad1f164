//! Figures of a sweep: 5a to 5d, 6a and 6b of Mantha et al. 2024, with the usual names.

use std::path::Path;

use anyhow::Result;
use volary_ingest::output::write_whole;
use volary_space::Estimate;
use volary_space::boundary::{Row, SELECTED_FROM};

use super::Found;
use crate::report::anomaly::{Chart, Curve, Spot, chart};
use crate::report::pictures::{Panel, Places, map};
use crate::session::Session;

fn spot(x: f64, estimate: Option<Estimate>) -> Spot {
    let nothing = Spot { x, y: f64::NAN, band: None };
    estimate.map_or(nothing, |e| Spot { x, y: e.value, band: Some((e.low, e.high)) })
}

fn curve(name: &str, rows: &[(f64, &Row)], of: fn(&Row) -> Option<Estimate>) -> Curve {
    Curve { name: name.to_owned(), spots: rows.iter().map(|(x, row)| spot(*x, of(row))).collect() }
}

fn usual<'a>(alt: &'a str, x: &'a str, y: &'a str, is_share: bool) -> Chart<'a> {
    Chart { alt, x, y, is_share, y_range: None, has_diagonal: false, guides: &[] }
}

/// Writes all of them.
pub(super) fn draw(folder: &Path, found: &Found<'_>, session: &mut Session) -> Result<()> {
    let mut save = |name: &str, svg: &str| -> Result<()> {
        let path = folder.join(name);
        write_whole(&path, svg.as_bytes())?;
        session.output(&path);
        Ok(())
    };
    save("boundary_map.svg", &held_map(found)?)?;
    if !found.cuts.is_empty() {
        let rows: Vec<(f64, &Row)> = found.cuts.iter().map(|(cut, row)| (*cut, row)).collect();
        let curves = [
            curve("precision", &rows, |r| r.precision),
            curve("recall", &rows, |r| r.recall),
            curve("F1", &rows, |r| r.f1),
        ];
        let about = usual(
            "precision, recall and F1 by the lower limit of the score",
            "lower limit of the score",
            "share, with its interval",
            false,
        );
        save("boundary_cuts.svg", &chart(&about, &curves)?)?;
    }
    let mut families = Vec::new();
    for quantity in &found.quantities {
        let rows: Vec<(f64, &Row)> = found
            .rows
            .iter()
            .filter(|r| r.quantity == quantity.name)
            .map(|r| (r.threshold, r))
            .collect();
        let spots = rows.iter().map(|(_, r)| {
            let recall = r.recall.map_or(f64::NAN, |e| e.value);
            spot(recall, r.precision)
        });
        let label: &str = if quantity.name == "product" { "fraction × score" } else { &quantity.name };
        families.push(Curve { name: label.to_owned(), spots: spots.collect() });
        let curves = [
            curve("precision", &rows, |r| r.precision),
            curve("recall", &rows, |r| r.recall),
            curve("selected", &rows, |r| r.selected),
            curve("are so", &rows, |r| r.prevalence),
        ];
        let x = format!("threshold of {label}");
        let about = usual("precision, recall and selected share", &x, "share, with its interval", false);
        save(&format!("boundary_{}.svg", quantity.name), &chart(&about, &curves)?)?;
    }
    let about = usual(
        "precision against recall, a point for each threshold",
        "recall",
        "precision, with its interval",
        true,
    );
    save("boundary_families.svg", &chart(&about, &families)?)?;
    session.summary.note(&format!("figures: {}", folder.display()));
    Ok(())
}

/// Subjects held out, by their chosen fraction, and those that the boundary selects.
fn held_map(found: &Found<'_>) -> Result<String> {
    let held = found.prepared.held();
    let pick = |values: &[f64]| held.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let (x, y) = (pick(&found.map.0), pick(&found.map.1));
    let chosen = pick(&found.quantities[0].values);
    let selected: Vec<f64> = match &found.main.boundary {
        Some(boundary) => {
            let probability = boundary.score(&found.points.select(held))?;
            probability
                .into_iter()
                .zip(&chosen)
                .map(|(p, c)| if p >= SELECTED_FROM { *c } else { f64::NAN })
                .collect()
        }
        None => vec![f64::NAN; held.len()],
    };
    let is_label = found.quantities[0].name == super::LABEL;
    let name = if is_label { "held out: label" } else { "held out: chosen fraction" };
    // As in the paper, the fraction is cut off at ½; labels go to 5.
    let high = if is_label { 5.0 } else { 0.5 };
    let panel = |name: &str, values: Vec<f64>| Panel {
        name: name.to_owned(),
        values,
        range: (0.0, high),
        ..Panel::default()
    };
    let panels = [panel(name, chosen), panel("of them selected", selected)];
    Ok(map(&Places::flat(&x, &y), &panels, 2, "subjects held out, and those that are selected")?.svg)
}
