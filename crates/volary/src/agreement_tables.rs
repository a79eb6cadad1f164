//! Agreement as a table and as the lines that a command prints.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use volary_core::{Votes, schema};
use volary_crowd::{AgreementRow, Flag, FlagRow, agreement::Measure};
use volary_ingest::tables::write_table;

use crate::summary::{Summary, grouped};

/// A row with the names of what it is about.
pub(crate) struct Named<'a> {
    pub(crate) workflow: &'a str,
    pub(crate) task: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) answer: Option<&'a str>,
    pub(crate) row: AgreementRow,
}

/// One row per question, answer and measure.
pub(crate) fn write(path: &Path, rows: &[Named<'_>]) -> Result<u64> {
    let mut texts: [StringBuilder; 6] = Default::default();
    let mut numbers: [Float64Builder; 3] = Default::default();
    let mut counts: [UInt64Builder; 2] = Default::default();
    let mut note = StringBuilder::new();
    for named in rows {
        let row = &named.row;
        texts[0].append_value(named.workflow);
        texts[1].append_value(named.task);
        texts[2].append_value(named.kind);
        texts[3].append_option(named.answer);
        texts[4].append_value(row.measure.as_str());
        texts[5].append_value(row.measure.distance());
        numbers[0].append_option(row.value);
        numbers[1].append_option(row.interval.map(|i| i.low));
        numbers[2].append_option(row.interval.map(|i| i.high));
        counts[0].append_value(row.n_subjects);
        counts[1].append_value(row.n_votes);
        note.append_option(row.missing.map(|m| m.as_str()));
    }
    let mut columns: Vec<ArrayRef> =
        texts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
    columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
    columns.extend(counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
    columns.push(Arc::new(note.finish()));
    write_table(path, &RecordBatch::try_new(schema::agreement(), columns)?)?;
    Ok(rows.len() as u64)
}

/// Lines of a summary: α of each question and answer, and what stands beside it.
pub(crate) fn summarise(rows: &[Named<'_>], summary: &mut Summary) {
    let mut lines: Vec<Vec<String>> = Vec::new();
    for named in rows {
        let row = &named.row;
        let value = match (row.value, row.interval, row.missing) {
            (Some(v), Some(i), _) => format!("{v:.3} ({:.3} to {:.3})", i.low, i.high),
            (Some(v), None, Some(why)) => format!("{v:.3} ({})", why.as_str()),
            (Some(v), None, None) => format!("{v:.3}"),
            (None, _, why) => why.map_or_else(String::new, |w| w.as_str().to_owned()),
        };
        let measure = match row.measure {
            Measure::FleissKappa => "κ (Fleiss)".to_owned(),
            Measure::PairAgreement => "pairs that agree".to_owned(),
            alpha => format!("α ({})", alpha.distance()),
        };
        let answer = named.answer.unwrap_or_default().to_owned();
        let task = if named.workflow.is_empty() {
            named.task.to_owned()
        } else {
            format!("{}/{}", named.workflow, named.task)
        };
        lines.push(vec![task, answer, measure, value, grouped(row.n_subjects), grouped(row.n_votes)]);
    }
    summary.table("Agreement", &["task", "answer", "measure", "value", "subjects", "votes"], &lines);
    let json: Vec<serde_json::Value> = rows
        .iter()
        .map(|named| {
            let row = &named.row;
            serde_json::json!({
                "workflow": named.workflow, "task": named.task, "answer": named.answer,
                "measure": row.measure.as_str(), "distance": row.measure.distance(), "value": row.value,
                "low": row.interval.map(|i| i.low), "high": row.interval.map(|i| i.high),
                "n_subjects": row.n_subjects, "n_votes": row.n_votes,
                "note": row.missing.map(|m| m.as_str()),
            })
        })
        .collect();
    summary.value("agreement", json);
}

/// One row per question and volunteer.
pub(crate) fn write_flags(path: &Path, votes: &Votes, rows: &[FlagRow]) -> Result<u64> {
    let text = |f: &dyn Fn(&FlagRow) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(f)))
    };
    let number = |f: &dyn Fn(&FlagRow) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(rows.iter().map(f)))
    };
    let count = |f: &dyn Fn(&FlagRow) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(f)))
    };
    let question = |r: &FlagRow| &votes.questions[r.question as usize];
    let names = |r: &FlagRow| r.flags.iter().map(|f| f.as_str()).collect::<Vec<_>>().join(" ");
    let partner = |r: &FlagRow| r.partner.map(|p| votes.volunteers[p as usize].clone());
    let columns: Vec<ArrayRef> = vec![
        text(&|r| question(r).workflow.clone()),
        text(&|r| question(r).task.clone()),
        text(&|r| votes.volunteers[r.volunteer as usize].clone()),
        count(&|r| r.n_votes),
        text(&names),
        number(&|r| Some(r.entropy_bits)),
        number(&|r| Some(r.entropy_others_bits)),
        number(&|r| Some(r.agreement)),
        number(&|r| Some(r.agreement_dealt)),
        number(&|r| r.relation_z),
        number(&|r| r.relation_z_typical),
        number(&|r| Some(r.top_share)),
        number(&|r| Some(r.top_z)),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.longest_run))),
        number(&|r| Some(r.longest_run_p)),
        number(&|r| r.seconds_per_vote),
        number(&|r| r.seconds_z),
        Arc::new(StringArray::from_iter(rows.iter().map(partner))),
        count(&|r| r.partner_n_shared),
        number(&|r| r.partner_agreement),
        number(&|r| r.partner_expected),
        number(&|r| r.partner_p),
    ];
    write_table(path, &RecordBatch::try_new(schema::agreement_flags(), columns)?)?;
    Ok(rows.len() as u64)
}

/// How many volunteers each flag hints at; nobody is named.
pub(crate) fn summarise_flags(rows: &[FlagRow], min_votes: u32, summary: &mut Summary) {
    let judged = rows.iter().filter(|r| r.n_votes >= u64::from(min_votes)).count() as u64;
    summary.count("n_judged", "volunteers with enough votes", judged);
    for flag in Flag::ALL {
        let n = rows.iter().filter(|r| r.flags.contains(&flag)).count() as u64;
        let name = flag.as_str();
        summary.count(&format!("n_flag_{name}"), &format!("  flag {name}"), n);
    }
    summary.note("flags are hints to look; every vote keeps counting");
}
