//! The part of `volary consensus` that reads count tables: no volunteers, one row per subject.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use volary_crowd::BetaBinomial;
use volary_crowd::beta_binomial::BetaBinomialError;
use volary_ingest::count_table::read_count_table;
use volary_ingest::tables::TableWriter;

use crate::session::Session;
use crate::settings::ConsensusSettings;

fn schema() -> Arc<Schema> {
    let field = |name, kind, nullable| Field::new(name, kind, nullable);
    Arc::new(Schema::new(vec![
        field("subject_id", DataType::Utf8, false),
        field("answer", DataType::Utf8, true),
        field("n_seen", DataType::UInt64, false),
        field("n_votes", DataType::UInt64, false),
        field("fraction", DataType::Float64, true),
        field("fraction_low", DataType::Float64, false),
        field("fraction_high", DataType::Float64, false),
        field("fraction_shrunk", DataType::Float64, true),
    ]))
}

/// Fits the beta–binomial and writes every subject's fraction with its interval.
pub(crate) fn run(
    input: &Path,
    output: &Path,
    settings: &ConsensusSettings,
    session: &mut Session,
) -> Result<()> {
    let params = settings.params()?;
    let table = read_count_table(input, &session.progress)?;
    let counts = || table.n_votes.iter().copied().zip(table.n_seen.iter().copied());
    let fit = BetaBinomial::fit(counts());
    let mut writer = TableWriter::create(output, &schema())?;
    let rows: Vec<(u64, u64)> = counts().collect();
    let mut at = 0;
    // Hundreds of thousands of subjects share a few hundred pairs of counts.
    let mut known = HashMap::new();
    for chunk in rows.chunks(1 << 15) {
        let (mut subject, mut answer) = (StringBuilder::new(), StringBuilder::new());
        let mut ns: [UInt64Builder; 2] = Default::default();
        let mut numbers: [Float64Builder; 4] = Default::default();
        for &(k, n) in chunk {
            let (real_k, real_n) = (k as f64, n as f64);
            let around = || params.around(real_k, real_n, fit.as_ref().ok());
            let interval = *known.entry((k, n)).or_insert_with(around);
            subject.append_value(&table.subject_ids[at]);
            answer.append_option(table.answers.as_ref().map(|a| a[at].as_str()));
            ns[0].append_value(n);
            ns[1].append_value(k);
            numbers[0].append_option((n > 0).then(|| real_k / real_n));
            numbers[1].append_value(interval.low);
            numbers[2].append_value(interval.high);
            numbers[3].append_option(fit.as_ref().ok().map(|f| f.posterior_mean(real_k, real_n)));
            at += 1;
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(subject.finish()), Arc::new(answer.finish())];
        columns.extend(ns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        writer.write(&RecordBatch::try_new(schema(), columns)?)?;
    }
    session.rows("consensus", writer.finish()?);
    session.report(table.report);
    summarise(fit.as_ref(), rows.len(), session);
    Ok(())
}

fn summarise(fit: Result<&BetaBinomial, &BetaBinomialError>, n: usize, session: &mut Session) {
    session.summary.count("n_subjects", "subjects", n as u64);
    match fit {
        Ok(fit) => {
            let with = |value: f64, se: Option<f64>| {
                se.map_or_else(|| format!("{value:.5}"), |se| format!("{value:.5} ± {se:.5}"))
            };
            session.summary.line("alpha", "beta–binomial α", &with(fit.alpha, fit.alpha_se), fit.alpha);
            session.summary.line("beta", "beta–binomial β", &with(fit.beta, fit.beta_se), fit.beta);
            session.summary.line("mean", "mean fraction", &format!("{:.5}", fit.mean()), fit.mean());
            let rho = fit.overdispersion();
            session.summary.line("overdispersion", "over-dispersion ρ", &format!("{rho:.5}"), rho);
            let ll = fit.log_likelihood;
            session.summary.line("log_likelihood", "log-likelihood", &format!("{ll:.2}"), ll);
        }
        Err(why) => session.summary.note(&format!("no beta–binomial fit: {why}")),
    }
}
