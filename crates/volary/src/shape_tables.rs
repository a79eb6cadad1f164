//! Consensus shapes as tables: one row a shape, and one row a mark.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{Float64Builder, StringBuilder, UInt16Builder, UInt32Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use serde_json::json;
use volary_core::{Drawn, schema};
use volary_crowd::shapes::{Cluster, Estimate, Fate, Group, ShapeConsensus};
use volary_ingest::tables::TableWriter;

/// Groups of one batch; a group has few shapes.
const GROUPS: usize = 1 << 12;

/// One row per consensus shape.
pub(crate) fn write_shapes(path: &Path, drawn: &Drawn, found: &ShapeConsensus) -> Result<u64> {
    let schema = schema::consensus_shapes();
    let mut writer = TableWriter::create(path, &schema)?;
    for groups in found.groups.chunks(GROUPS) {
        let rows: Vec<(&Group, u32, &Cluster)> = groups
            .iter()
            .flat_map(|g| (0..).zip(&g.clusters).map(move |(number, c)| (g, number, c)))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let columns = schema.fields().iter().map(|field| {
            let name = field.name().as_str();
            match field.data_type() {
                DataType::Utf8 => texts(rows.iter().map(|(g, _, c)| text(drawn, g, c, name))),
                DataType::UInt16 => shorts(rows.iter().map(|(g, _, _)| match name {
                    "frame" => Some(g.frame),
                    _ => g.tool,
                })),
                DataType::UInt32 => counts(rows.iter().map(|(g, number, c)| match name {
                    "cluster" => *number,
                    "n_seen" => g.n_seen,
                    "n_volunteers" => c.n_volunteers,
                    _ => c.n_marks,
                })),
                _ => floats(rows.iter().map(|(g, _, c)| number(g, c, name))),
            }
        });
        writer.write(&RecordBatch::try_new(schema.clone(), columns.collect())?)?;
    }
    Ok(writer.finish()?)
}

/// One row per mark that counts.
pub(crate) fn write_members(path: &Path, drawn: &Drawn, found: &ShapeConsensus) -> Result<u64> {
    let schema = schema::consensus_shapes_members();
    let mut writer = TableWriter::create(path, &schema)?;
    let name = |symbol| Some(drawn.pool.text(symbol).to_owned());
    for groups in found.groups.chunks(GROUPS) {
        let rows: Vec<_> = groups.iter().flat_map(|g| g.marks.iter().map(move |m| (g, m))).collect();
        if rows.is_empty() {
            continue;
        }
        let row = |m: &volary_crowd::shapes::MarkFate| &drawn.rows[m.row];
        let columns: Vec<ArrayRef> = vec![
            texts(rows.iter().map(|(g, _)| name(g.workflow))),
            texts(rows.iter().map(|(g, _)| name(g.task))),
            texts(rows.iter().map(|(g, _)| name(g.subject))),
            shorts(rows.iter().map(|(g, _)| Some(g.frame))),
            shorts(rows.iter().map(|(g, _)| g.tool)),
            texts(rows.iter().map(|(g, _)| Some(g.form.as_str().to_owned()))),
            texts(rows.iter().map(|(_, m)| name(row(m).classification))),
            texts(rows.iter().map(|(_, m)| name(row(m).volunteer))),
            counts(rows.iter().map(|(_, m)| row(m).mark.as_ref().map_or(0, |mark| mark.index))),
            texts(rows.iter().map(|(_, m)| Some(m.fate.as_str().to_owned()))),
            {
                let mut column = UInt32Builder::new();
                for (_, m) in &rows {
                    column.append_option(match m.fate {
                        Fate::Member(cluster) => Some(cluster),
                        _ => None,
                    });
                }
                Arc::new(column.finish())
            },
        ];
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    Ok(writer.finish()?)
}

fn text(drawn: &Drawn, group: &Group, cluster: &Cluster, column: &str) -> Option<String> {
    let name = |symbol| drawn.pool.text(symbol).to_owned();
    let ring = |points: &[(f64, f64)]| json!(points).to_string();
    match column {
        "workflow_id" => Some(name(group.workflow)),
        "task" => Some(name(group.task)),
        "subject_id" => Some(name(group.subject)),
        "tool_label" => group.tool_label.map(name),
        "shape" => Some(group.form.as_str().to_owned()),
        "points_px" => cluster.outline.as_ref().map(|o| ring(&o.median)),
        "union_px" => cluster.outline.as_ref().map(|o| ring(&o.union)),
        _ => cluster.outline.as_ref().map(|o| ring(&o.intersection)),
    }
}

fn number(group: &Group, cluster: &Cluster, column: &str) -> Option<f64> {
    match column {
        "fraction" => return Some(cluster.share),
        "fraction_low" => return Some(cluster.share_interval.low),
        "fraction_high" => return Some(cluster.share_interval.high),
        "iou_mean" => return cluster.iou_mean,
        _ => {}
    }
    let (parameter, spread) = ["_sd", "_low", "_high"]
        .into_iter()
        .find_map(|spread| column.strip_suffix(spread).map(|p| (p, spread)))
        .unwrap_or((column, ""));
    let estimate: &Estimate = match group.form.parameters().iter().position(|p| *p == parameter) {
        Some(at) => cluster.values.get(at)?,
        None if parameter == "area_px2" => &cluster.outline.as_ref()?.area,
        None => return None,
    };
    match spread {
        "" => Some(estimate.value),
        "_sd" => estimate.sd,
        "_low" => estimate.interval.map(|i| i.low),
        _ => estimate.interval.map(|i| i.high),
    }
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    let mut column = StringBuilder::new();
    values.for_each(|v| column.append_option(v));
    Arc::new(column.finish())
}

fn shorts(values: impl Iterator<Item = Option<u16>>) -> ArrayRef {
    let mut column = UInt16Builder::new();
    values.for_each(|v| column.append_option(v));
    Arc::new(column.finish())
}

fn counts(values: impl Iterator<Item = u32>) -> ArrayRef {
    let mut column = UInt32Builder::new();
    values.for_each(|v| column.append_value(v));
    Arc::new(column.finish())
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    let mut column = Float64Builder::new();
    values.for_each(|v| column.append_option(v.filter(|x| x.is_finite())));
    Arc::new(column.finish())
}
