//! The tables of tags.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use volary_crowd::interval::jeffreys;
use volary_crowd::tags::{MergeTable, Proposal, Quantile};
use volary_ingest::tables::write_table;
use volary_space::Estimate;

use super::{BETWEEN, Found};
use crate::estimates::Sheet;
use crate::session::Session;

fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn save(path: &Path, batch: &RecordBatch, session: &mut Session) -> Result<()> {
    write_table(path, batch)?;
    session.table_file(path, batch.num_rows() as u64);
    Ok(())
}

/// NAME_q25, NAME_median with its interval, NAME_q75.
fn quartiles<'q>(
    sheet: Sheet,
    name: &str,
    of: impl Iterator<Item = &'q [Option<Quantile>; 3]> + Clone,
) -> Sheet {
    let value = |at: usize| of.clone().map(move |q| q[at].map_or(f64::NAN, |q| q.value));
    let end = |pick: fn((f64, f64)) -> f64| {
        of.clone().map(move |q| q[1].and_then(|q| q.interval).map_or(f64::NAN, pick))
    };
    sheet
        .numbers(&format!("{name}_q25"), value(0))
        .numbers(&format!("{name}_median"), value(1))
        .numbers(&format!("{name}_median_low"), end(|i| i.0))
        .numbers(&format!("{name}_median_high"), end(|i| i.1))
        .numbers(&format!("{name}_q75"), value(2))
}

/// A row per tag.
pub(super) fn tags(path: &Path, found: &Found<'_>, session: &mut Session) -> Result<()> {
    let rows = &found.tags.rows;
    let raw: Vec<String> = rows.iter().map(|r| r.raw.join(BETWEEN)).collect();
    let n = found.tags.subjects.len() as f64;
    let share = |k: u64| {
        let interval = jeffreys(k as f64, n, found.args.level);
        Some(Estimate { value: k as f64 / n, low: interval.low, high: interval.high })
    };
    let of_discussed: Vec<_> = rows.iter().map(|r| share(r.n_subjects)).collect();
    let is_category = (0..rows.len()).map(|row| Some(found.is_category(row)));
    let mut sheet = Sheet::default()
        .texts("tag", rows.iter().map(|r| r.tag.as_str()))
        .texts("raw", raw.iter().map(String::as_str))
        .column("n_uses", counts(rows.iter().map(|r| r.n_uses)))
        .column("n_subjects", counts(rows.iter().map(|r| r.n_subjects)))
        .estimates("of_discussed", &of_discussed)
        .column("n_comments", counts(rows.iter().map(|r| r.n_comments)))
        .column("n_people", counts(rows.iter().map(|r| r.n_people)))
        .column("n_by_one", counts(rows.iter().map(|r| r.n_by_one)))
        .column("is_category", Arc::new(BooleanArray::from_iter(is_category)));
    sheet = quartiles(sheet, "comments", found.comments.iter());
    for (column, (name, _)) in found.known.columns.iter().enumerate() {
        let spreads = || found.spreads.iter().map(move |s| &s[column]);
        sheet = sheet.column(&format!("{name}_n"), counts(spreads().map(|s| s.n as u64)));
        sheet = quartiles(sheet, name, spreads().map(|s| &s.quartiles));
        if found.known.has_chosen && column == 0 {
            let above: Vec<_> = spreads().map(|s| s.above_half).collect();
            sheet = sheet.estimates(&format!("{name}_above_half"), &above);
        }
        let auc: Vec<_> = spreads().map(|s| s.auc).collect();
        sheet = sheet.estimates(&format!("{name}_auc"), &auc);
    }
    save(path, &sheet.finish()?, session)
}

/// A row per discussed subject.
pub(super) fn subjects(path: &Path, found: &Found<'_>, session: &mut Session) -> Result<()> {
    let (tags, known) = (&found.tags, &found.known);
    // What stands between tags cannot stand in one.
    let names: Vec<String> = tags.rows.iter().map(|r| r.tag.replace(';', ",")).collect();
    let list = |d: &volary_crowd::tags::Discussed| {
        let repeated = |(tag, n): &(usize, u64)| vec![names[*tag].as_str(); *n as usize];
        d.tags.iter().flat_map(repeated).collect::<Vec<_>>().join(BETWEEN)
    };
    let lists: Vec<String> = tags.subjects.values().map(list).collect();
    let mut sheet = Sheet::default()
        .texts("subject_id", tags.subjects.keys().map(String::as_str))
        .column("n_comments", counts(tags.subjects.values().map(|d| d.n_comments)))
        .column("n_people", counts(tags.subjects.values().map(|d| d.n_people)))
        .texts("tags", lists.iter().map(String::as_str));
    for (name, values) in &known.columns {
        let of = |id: &String| known.at.get(id).map_or(f64::NAN, |&at| values[at]);
        sheet = sheet.numbers(name, tags.subjects.keys().map(of));
    }
    save(path, &sheet.finish()?, session)
}

/// The merge table as it was used, and what is proposed beyond it.
pub(super) fn merge(
    path: &Path,
    proposals: &[Proposal],
    merge: &MergeTable,
    session: &mut Session,
) -> Result<()> {
    let proposed: std::collections::BTreeMap<&str, &Proposal> =
        proposals.iter().map(|p| (p.raw.as_str(), p)).collect();
    let mut rows: Vec<(&str, &str, u64, &str)> = merge
        .pairs()
        .filter(|(raw, merged)| raw != merged)
        .map(|(raw, merged)| {
            // A tag of the table goes where its target goes.
            let target = proposed.get(merged).map_or(merged, |p| p.merged.as_str());
            (raw, target, 0, "table")
        })
        .collect();
    rows.extend(proposals.iter().map(|p| (p.raw.as_str(), p.merged.as_str(), p.n_uses, p.why.as_str())));
    let batch = Sheet::default()
        .texts("raw", rows.iter().map(|r| r.0))
        .texts("merged", rows.iter().map(|r| r.1))
        .column("n_uses", counts(rows.iter().map(|r| r.2)))
        .texts("why", rows.iter().map(|r| r.3))
        .finish()?;
    let n = proposals.iter().filter(|p| p.raw != p.merged).count() as u64;
    session.summary.count("n_proposed", "merges proposed", n);
    save(path, &batch, session)
}
