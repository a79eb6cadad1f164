//! The stages that make features, weights and scores.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use volary_crowd::marks::{MarkParams, build as build_features, weigh as weigh_volunteers};
use volary_ingest::tables::TableFormat;

use super::evaluate::write_figures;
use super::input::{self, Read};
use super::options::{Inputs, record};
use super::outcome::Outcome;
use super::{Build, Weigh, Whole};
use crate::commands::extract::table_format;
use crate::mark_tables as tables;
use crate::session::{Session, run_json_for};

/// Where tables go.
pub(crate) struct Place<'a> {
    folder: &'a Path,
    format: TableFormat,
}

impl<'a> Place<'a> {
    pub(crate) fn new(folder: &'a Path, to: &str) -> Result<Self> {
        Ok(Self { folder, format: table_format(to)? })
    }

    pub(crate) fn path(&self, table: &str) -> PathBuf {
        self.folder.join(format!("{table}.{}", self.format.extension()))
    }
}

pub(super) fn prepare(
    classifications: &Path,
    inputs: &Inputs,
    params: &MarkParams,
    session: &mut Session,
) -> Result<Read> {
    session.summary.value("constants", record(params));
    input::read(classifications, inputs, params.repeats, session)
}

/// Features only.
pub(crate) fn build(args: &Build, mut session: Session) -> Result<ExitCode> {
    let params = args.job.constants.params(session.global.seed)?;
    let place = Place::new(&args.job.output, &args.job.inputs.to)?;
    let read = prepare(&args.job.classifications, &args.job.inputs, &params, &mut session)?;
    let built = build_features(&read.marks, &read.curves, &params, None)?;
    note_built(&built, &mut session);
    let n = tables::write_features(&place.path("metafeatures"), &read.marks, &built, None, None)?;
    session.rows("metafeatures", n);
    session.rows("members", tables::write_members(&place.path("members"), &read.marks, &built)?);
    session.rows("subjects", tables::write_subjects(&place.path("subjects"), &read.marks, &built)?);
    session.finish(Some(&run_json_for(&args.job.output)))
}

/// Seed weights only.
pub(crate) fn weigh(args: &Weigh, mut session: Session) -> Result<ExitCode> {
    let params = args.job.constants.params(session.global.seed)?;
    let place = Place::new(&args.job.output, &args.job.inputs.to)?;
    let read = prepare(&args.job.classifications, &args.job.inputs, &params, &mut session)?;
    let weighed = weigh_volunteers(&read.marks, &read.signals, &params)?;
    note_weighed(&weighed, &mut session);
    let n = tables::write_weights(&place.path("weights"), &read.marks, &weighed, None)?;
    session.rows("weights", n);
    for (table, n) in write_signals(&place, &read, &weighed, &params)? {
        session.rows(table, n);
    }
    session.finish(Some(&run_json_for(&args.job.output)))
}

/// What became of the injected signals; returns the names of the tables and their numbers of rows.
pub(super) fn write_signals(
    place: &Place<'_>,
    read: &Read,
    weighed: &volary_crowd::marks::Weighed,
    params: &MarkParams,
) -> Result<Vec<(&'static str, u64)>> {
    if read.signals.is_empty() {
        return Ok(Vec::new());
    }
    let (floor, level) = (params.completeness_floor, params.level);
    let path = place.path("completeness");
    let n = tables::write_completeness(&path, &read.signals, weighed, floor, level)?;
    let m = tables::write_matches(&place.path("matches"), &read.marks, &read.signals, weighed)?;
    Ok(vec![("completeness", n), ("matches", m)])
}

/// Everything.
pub(crate) fn whole(args: &Whole, mut session: Session) -> Result<ExitCode> {
    let place = Place::new(&args.job.output, &args.job.inputs.to)?;
    let outcome = Outcome::of(args, &mut session)?;
    for (table, n) in outcome.write(&place, args.more.keep_iterations)? {
        session.rows(table, n);
    }
    if !args.more.no_figures {
        outcome.show(|input| write_figures(&args.job.output, "Marks", input))?;
    }
    session.finish(Some(&run_json_for(&args.job.output)))
}

pub(super) fn note_built(built: &volary_crowd::marks::Built, session: &mut Session) {
    let summary = &mut session.summary;
    let left_out = [
        ("n_too_wide", "marks too wide", built.n_too_wide),
        ("n_in_gaps", "marks in gaps", built.n_in_gaps),
        ("n_doubled", "marks said twice", built.n_doubled),
    ];
    for (key, label, n) in left_out {
        summary.count(key, label, n);
    }
    summary.count("n_metafeatures", "metafeatures", built.features.len() as u64);
}

pub(super) fn note_weighed(weighed: &volary_crowd::marks::Weighed, session: &mut Session) {
    let summary = &mut session.summary;
    let weights = &weighed.weights;
    let seen = weights.n_signals.iter().filter(|n| **n > 0).count() as u64;
    summary.count("n_volunteers_with_simulations", "volunteers with simulations", seen);
    summary.line("base_weight", "base weight", &format!("{:.4}", weights.base), weights.base);
    summary.value("highest_upweight", weighed.highest_upweight);
}
