//! The tables of a sweep.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use volary_crowd::interval::jeffreys;
use volary_ingest::tables::write_table;
use volary_space::boundary::{Row, SELECTED_FROM};

use super::{Found, KeptTags, part};
use crate::estimates::Sheet;
use crate::session::Session;

/// What a quantity is called: the paper's letters, where they are asked for.
fn quantity(name: &str, is_paper: bool) -> &str {
    match (is_paper, name) {
        (true, "chosen") => "cf",
        (true, "score") => "S_feature",
        (true, "product") => "cf x S_feature",
        _ => name,
    }
}

fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

/// Quantity, threshold and all that was measured, a row each; `first` stands before them.
fn measured(first: Sheet, rows: &[&Row], is_paper: bool) -> Result<RecordBatch> {
    let of =
        |f: fn(&Row) -> Option<volary_space::Estimate>| rows.iter().map(|r| f(r)).collect::<Vec<_>>();
    let (precision, recall) = (of(|r| r.precision), of(|r| r.recall));
    // The paper exchanges the two words.
    let (precision_name, recall_name) =
        if is_paper { ("recall", "precision") } else { ("precision", "recall") };
    let threshold = if is_paper { "Sigma" } else { "threshold" };
    let sheet = first
        .texts("quantity", rows.iter().map(|r| quantity(&r.quantity, is_paper)))
        .numbers(threshold, rows.iter().map(|r| r.threshold))
        .column("n", counts(rows.iter().map(|r| r.n as u64)))
        .estimates("prevalence", &of(|r| r.prevalence))
        .estimates("selected", &of(|r| r.selected))
        .estimates(precision_name, &precision)
        .estimates(recall_name, &recall)
        .estimates("f1", &of(|r| r.f1));
    Ok(sheet.finish()?)
}

/// The sweep, the cuts and the subjects held out.
pub(super) fn sweep(path: &Path, found: &Found<'_>, session: &mut Session) -> Result<()> {
    let is_paper = found.args.names == "paper";
    let save = |path: &Path, batch: &RecordBatch, session: &mut Session| -> Result<()> {
        write_table(path, batch)?;
        session.table_file(path, batch.num_rows() as u64);
        Ok(())
    };
    let rows: Vec<&Row> = found.rows.iter().collect();
    save(path, &measured(Sheet::default(), &rows, is_paper)?, session)?;
    if !found.cuts.is_empty() {
        let rows: Vec<&Row> = found.cuts.iter().map(|c| &c.1).collect();
        let cuts = Sheet::default().numbers("score_from", found.cuts.iter().map(|c| c.0));
        save(&part(path, "cuts"), &measured(cuts, &rows, is_paper)?, session)?;
    }
    let held = found.prepared.held();
    let probability = match &found.main.boundary {
        Some(boundary) => boundary.score(&found.points.select(held))?,
        None => vec![f64::NAN; held.len()],
    };
    let mut sheet = Sheet::default().texts("subject_id", held.iter().map(|&row| found.ids[row]));
    for quantity in &found.quantities {
        sheet = sheet.numbers(&quantity.name, held.iter().map(|&row| quantity.values[row]));
    }
    let selected = BooleanArray::from_iter(
        probability.iter().map(|p| (!p.is_nan()).then_some(*p >= SELECTED_FROM)),
    );
    let batch = sheet
        .numbers("probability", probability.into_iter())
        .column("selected", Arc::new(selected))
        .finish()?;
    save(&part(path, "held"), &batch, session)
}

/// What every boundary keeps of every tag, with the interval of the share.
pub(super) fn tags(
    path: &Path,
    found: &Found<'_>,
    kept: &KeptTags,
    session: &mut Session,
) -> Result<()> {
    let is_paper = found.args.names == "paper";
    let pairs: Vec<(&Row, usize)> =
        found.rows.iter().flat_map(|row| (0..kept.names.len()).map(move |tag| (row, tag))).collect();
    let all: Vec<_> = kept.of_rows.iter().flatten().copied().collect();
    let share = |at: usize| {
        let n_selected = all[at].n_selected? as f64;
        let n = all[at].n as f64;
        let interval = jeffreys(n_selected, n, 0.95);
        (n > 0.0).then(|| volary_space::Estimate {
            value: n_selected / n,
            low: interval.low,
            high: interval.high,
        })
    };
    let shares: Vec<_> = (0..all.len()).map(share).collect();
    let n_selected = UInt64Array::from_iter(all.iter().map(|k| k.n_selected.map(|n| n as u64)));
    let lost = BooleanArray::from_iter(all.iter().map(|k| k.n_selected.map(|n| n == 0)));
    let batch = Sheet::default()
        .texts("quantity", pairs.iter().map(|(row, _)| quantity(&row.quantity, is_paper)))
        .numbers(
            if is_paper { "Sigma" } else { "threshold" },
            pairs.iter().map(|(row, _)| row.threshold),
        )
        .texts("tag", pairs.iter().map(|(_, tag)| kept.names[*tag].as_str()))
        .column("n_held", counts(all.iter().map(|k| k.n as u64)))
        .column("n_selected", Arc::new(n_selected))
        .estimates("kept", &shares)
        .column("is_lost", Arc::new(lost))
        .finish()?;
    write_table(path, &batch)?;
    session.table_file(path, batch.num_rows() as u64);
    Ok(())
}
