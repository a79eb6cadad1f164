//! Reads what `volary marks` reads, and puts the account of it into the session.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use volary_crowd::Repeats;
use volary_crowd::marks::{CurveTable, LightCurves, Marks, NONE, Signals, counted_views};
use volary_ingest::gap_table::read_gaps;
use volary_ingest::label_table::read_weights;
use volary_ingest::light_curves::read_light_curves;
use volary_ingest::marks::{MarkFilter, ReadMarks, read_marks, read_order};
use volary_ingest::report::ReadReport;
use volary_ingest::signals::read_signals;
use volary_ingest::tables::TableFormat;

use super::options::Inputs;
use crate::session::Session;

/// Everything read and joined.
pub(crate) struct Read {
    pub(crate) marks: Marks,
    pub(crate) curves: LightCurves,
    pub(crate) signals: Signals,
}

/// Reads marks, light curves and signals; drops the views that do not count.
pub(crate) fn read(
    classifications: &Path,
    inputs: &Inputs,
    repeats: Repeats,
    session: &mut Session,
) -> Result<Read> {
    let path = marks_table(classifications)?;
    session.show_reading(std::slice::from_ref(&path));
    let filter = MarkFilter { workflows: inputs.workflows.clone(), tasks: inputs.tasks.clone() };
    let ReadMarks { marks, report } = read_marks(&path, &filter, session.threads(), &session.progress)?;
    session.end_reading();
    match report {
        Some(report) => session.report(report),
        None => session.input_file(&path)?,
    }
    let (marks, n_repeats) = counted_views(marks, repeats);
    let summary = &mut session.summary;
    summary.count("n_classifications", "classifications", marks.n_views() as u64);
    summary.count("n_repeats", "  repeats", n_repeats);
    summary.count("n_marks", "marks", marks.n_marks() as u64);
    summary.count("n_subjects", "subjects", marks.n_subjects() as u64);
    summary.count("n_volunteers", "volunteers", marks.n_volunteers() as u64);
    let signals = signals(inputs.signals.as_deref(), &marks, "signals", session)?;
    let curves = curves(inputs, &marks, session)?;
    Ok(Read { marks, curves, signals })
}

/// The table itself, or the one in a folder of extracts.
fn marks_table(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let candidates = TableFormat::ALL.map(|f| path.join(format!("marks.{}", f.extension())));
    match candidates.into_iter().find(|p| p.is_file()) {
        Some(table) => Ok(table),
        None => bail!(
            "no marks table in the folder; make one with `volary extract EXPORT -o {0}`: {0}",
            path.display()
        ),
    }
}

fn small_report(report: ReadReport, session: &mut Session) {
    session.problems.absorb(&report.problems);
    session.input(report.digest);
}

/// Reads known signals, injected (`what` is "signals") or real ("truth").
pub(crate) fn signals(
    path: Option<&Path>,
    marks: &Marks,
    what: &str,
    session: &mut Session,
) -> Result<Signals> {
    let Some(path) = path else {
        return Ok(Signals {
            group: vec![NONE; marks.n_subjects()],
            start: vec![0],
            ..Signals::default()
        });
    };
    let (table, report) = read_signals(path, &session.progress)?;
    small_report(report, session);
    let signals = table.join(marks);
    let n_subjects = signals.group.iter().filter(|g| **g != NONE).count() as u64;
    session.summary.count(&format!("n_{what}"), what, signals.len() as u64);
    session.summary.count(&format!("n_subjects_with_{what}"), "  in subjects", n_subjects);
    if signals.n_unplaced > 0 {
        let label = "  of subjects nobody saw";
        session.summary.count(&format!("n_{what}_unplaced"), label, signals.n_unplaced);
    }
    let without = (0..marks.n_subjects())
        .filter(|&s| marks.simulation[s] != NONE && signals.group[s] == NONE)
        .count() as u64;
    if what == "signals" && without > 0 {
        session.summary.count("n_simulations_without_signals", "simulations without signals", without);
    }
    Ok(signals)
}

fn curves(inputs: &Inputs, marks: &Marks, session: &mut Session) -> Result<LightCurves> {
    let table = match (&inputs.gaps, &inputs.light_curves) {
        (Some(gaps), _) => {
            let (table, reports) = read_gaps(gaps, inputs.cadences.as_deref(), &session.progress)?;
            reports.into_iter().for_each(|report| small_report(report, session));
            table
        }
        (None, Some(folder)) => {
            let files = read_light_curves(folder, &session.progress)?;
            session.problems.absorb(&files.problems);
            session.summary.count("n_light_curve_files", "light curve files", files.n_files);
            files.digests.into_iter().for_each(|digest| session.input(digest));
            files.table
        }
        (None, None) => CurveTable::default(),
    };
    let has_gaps = inputs.gaps.is_some() || inputs.light_curves.is_some();
    let curves = table.join(marks);
    if has_gaps {
        let without = curves.of_subject.iter().filter(|c| **c == NONE).count() as u64;
        session.summary.count("n_subjects_without_curve", "subjects without curve", without);
    }
    Ok(curves)
}

/// Seed weights by volunteer from a table; `else_weight` for those who are not in it.
pub(crate) fn seeds(
    path: &Path,
    marks: &Marks,
    else_weight: f64,
    session: &mut Session,
) -> Result<Vec<f64>> {
    let (table, report) = read_weights(path, &session.progress)?;
    small_report(report, session);
    Ok(marks.volunteers.iter().map(|v| table.get(v).copied().unwrap_or(else_weight)).collect())
}

/// The order of the entries of `names` that a table gives; those that it does not name follow.
pub(crate) fn order(path: &Path, names: &[String], session: &mut Session) -> Result<Vec<u32>> {
    let (listed, report) = read_order(path, &session.progress)?;
    small_report(report, session);
    let mut is_taken = vec![false; names.len()];
    let mut order = Vec::with_capacity(names.len());
    let found = listed.iter().filter_map(|name| names.binary_search(name).ok());
    for at in found.chain(0..names.len()) {
        if !std::mem::replace(&mut is_taken[at], true) {
            order.push(u32::try_from(at).unwrap_or(NONE));
        }
    }
    Ok(order)
}
