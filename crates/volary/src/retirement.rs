//! Retirement studies of a project's questions: what `volary retire` and the report share.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{Float64Builder, StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use volary_core::truth::Truth;
use volary_core::{Votes, schema};
use volary_crowd::interval::wilson;
use volary_crowd::polls::{Known, Poll, polls};
use volary_crowd::retire::caesar::CaesarReplay;
use volary_crowd::retire::{
    Ending, Estimate, Figures, Rule, RuleStudy, Stopped, Study, StudyParams, study,
};
use volary_crowd::{Counted, Repeats, counted};
use volary_ingest::tables::TableWriter;

/// Rows of a batch of the subjects table.
const BATCH: usize = 1 << 14;
/// Answers of one question that are studied: those that were chosen most often.
const MOST_ANSWERS: usize = 24;

/// One question (or one answer of several) under all rules.
#[derive(Clone, Debug)]
pub(crate) struct PollStudy {
    pub(crate) poll: Poll,
    pub(crate) gold: Known,
    pub(crate) truth: Known,
    pub(crate) study: Study,
    /// What a Caesar configuration does to it, where one was given.
    pub(crate) caesar: Option<(Figures, Vec<Stopped>)>,
}

/// What is studied.
pub(crate) struct Plan<'a> {
    pub(crate) rules: &'a [Rule],
    pub(crate) gold: Option<&'a Truth>,
    pub(crate) truth: Option<&'a Truth>,
    pub(crate) params: StudyParams,
    pub(crate) repeats: Repeats,
    /// Only these tasks; all where empty.
    pub(crate) tasks: &'a [String],
    pub(crate) caesar: Option<&'a CaesarReplay>,
    /// Polls at most, those with most votes first; the report does not show a hundred.
    pub(crate) most_polls: usize,
}

/// The polls of a plan that anybody voted in, and how many were left out.
pub(crate) fn chosen_polls(votes: &Votes, counts: &Counted, plan: &Plan<'_>) -> (Vec<Poll>, usize) {
    let is_wanted = |p: &Poll| {
        let task = &votes.questions[p.question as usize].task;
        plan.tasks.is_empty() || plan.tasks.contains(task)
    };
    let chosen = |p: &Poll| match p.about {
        Some(_) => p.ballots.iter().filter(|b| b.answer == 1).count(),
        None => p.ballots.len(),
    };
    let all: Vec<Poll> = polls(votes, counts).into_iter().filter(is_wanted).collect();
    let n_all = all.len();
    let mut kept: Vec<(usize, Poll)> = Vec::new();
    for group in all.chunk_by(|a, b| a.question == b.question) {
        let mut ranked: Vec<(usize, &Poll)> = group.iter().map(|p| (chosen(p), p)).collect();
        ranked.retain(|(n, _)| *n > 0);
        ranked.sort_by_key(|(n, p)| (std::cmp::Reverse(*n), p.about));
        kept.extend(ranked.into_iter().take(MOST_ANSWERS).map(|(n, p)| (n, p.clone())));
    }
    kept.sort_by_key(|(n, p)| (std::cmp::Reverse(*n), p.question, p.about));
    kept.truncate(plan.most_polls);
    kept.sort_by_key(|(_, p)| (p.question, p.about));
    let kept: Vec<Poll> = kept.into_iter().map(|(_, p)| p).collect();
    let n_left = n_all - kept.len();
    (kept, n_left)
}

/// All studies of a plan; how many questions and answers were left out.
pub(crate) fn studies(votes: &Votes, plan: &Plan<'_>) -> Result<(Vec<PollStudy>, usize)> {
    let counts = counted(votes, plan.repeats);
    let (polls, n_left) = chosen_polls(votes, &counts, plan);
    let known = |poll: &Poll, truth: Option<&Truth>| match truth {
        Some(truth) => poll.known(votes, truth),
        None => Known { answers: vec![None; poll.subjects.len()], ..Known::default() },
    };
    let mut out = Vec::new();
    for poll in polls {
        let (gold, truth) = (known(&poll, plan.gold), known(&poll, plan.truth));
        let columns = (gold.answers.as_slice(), truth.answers.as_slice());
        let study = study(&poll, votes.volunteers.len(), columns, plan.rules, &plan.params)?;
        let is_of =
            |replay: &&CaesarReplay| votes.questions[poll.question as usize].workflow == replay.workflow;
        let caesar = plan
            .caesar
            .filter(is_of)
            .map(|replay| replay.of_poll(&poll, &truth.answers, plan.params.level));
        out.push(PollStudy { poll, gold, truth, study, caesar });
    }
    Ok((out, n_left))
}

impl PollStudy {
    /// Workflow, task and the answer it is about.
    pub(crate) fn names<'v>(&self, votes: &'v Votes) -> (&'v str, &'v str, Option<&'v str>) {
        let question = &votes.questions[self.poll.question as usize];
        let about = self.poll.about.map(|a| question.answers[a as usize].as_str());
        (&question.workflow, &question.task, about)
    }

    /// "7/T0", "7/T1: Ring".
    pub(crate) fn title(&self, votes: &Votes) -> String {
        let (workflow, task, about) = self.names(votes);
        let place = if workflow.is_empty() { task.to_owned() } else { format!("{workflow}/{task}") };
        about.map_or_else(|| place.clone(), |about| format!("{place}: {about}"))
    }

    /// Every row of the table: rule, order, number of orders, figures.
    pub(crate) fn rows(&self, n_orders: u32) -> Vec<(String, &'static str, u32, &Figures)> {
        let mut rows = Vec::new();
        for RuleStudy { rule, time, random, .. } in &self.study.rules {
            rows.push((rule.to_string(), "time", 1, time));
            if let Some(random) = random {
                rows.push((rule.to_string(), "random", n_orders, random));
            }
        }
        if let Some((figures, _)) = &self.caesar {
            rows.push(("caesar".to_owned(), "time", 1, figures));
        }
        rows
    }
}

/// The figures of a row, in the order of [`schema::RETIREMENT_FIGURES`].
pub(crate) fn estimates(figures: &Figures) -> [Option<Estimate>; 8] {
    [
        Some(figures.mean_votes),
        Some(figures.median_votes),
        Some(figures.retired),
        Some(figures.capped),
        Some(figures.saved),
        Some(figures.changed),
        Some(figures.changed_own),
        figures.accuracy,
    ]
}

/// Writes the table of rules; gives its number of rows.
pub(crate) fn write_rules(
    path: &Path,
    votes: &Votes,
    studies: &[PollStudy],
    n_orders: u32,
) -> Result<u64> {
    let mut text: [StringBuilder; 5] = Default::default();
    let mut orders = UInt32Builder::new();
    let mut counts: [UInt64Builder; 3] = Default::default();
    let mut numbers: Vec<Float64Builder> = (0..8 * 6 + 3).map(|_| Float64Builder::new()).collect();
    for one in studies {
        let (workflow, task, about) = one.names(votes);
        for (rule, order, n, figures) in one.rows(n_orders) {
            text[0].append_value(workflow);
            text[1].append_value(task);
            text[2].append_option(about);
            text[3].append_value(&rule);
            text[4].append_value(order);
            orders.append_value(n);
            // A Caesar replay leaves nobody out.
            let n_gold = if rule == "caesar" { 0 } else { one.study.n_gold };
            let ns = [figures.n_subjects, n_gold, figures.n_truth];
            counts.iter_mut().zip(ns).for_each(|(c, n)| c.append_value(n));
            let mut columns = numbers.iter_mut();
            let mut put = |value: Option<f64>| {
                if let Some(column) = columns.next() {
                    column.append_option(value.filter(|v| v.is_finite()));
                }
            };
            for estimate in estimates(figures) {
                put(estimate.map(|e| e.value));
                put(estimate.map(|e| e.low));
                put(estimate.map(|e| e.high));
                put(estimate.and_then(|e| e.sd));
                put(estimate.and_then(|e| e.range).map(|r| r.0));
                put(estimate.and_then(|e| e.range).map(|r| r.1));
            }
            put(figures.accuracy_ties_wrong);
            put(Some(figures.n_ties));
            put(one.study.accuracy_all);
        }
    }
    let mut columns: Vec<ArrayRef> = text.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
    columns.push(Arc::new(orders.finish()));
    columns.extend(counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
    columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
    write(path, &schema::retirement(), std::iter::once(columns))
}

/// Writes what became of every subject under every rule.
pub(crate) fn write_subjects(path: &Path, votes: &Votes, studies: &[PollStudy]) -> Result<u64> {
    let mut rows: Vec<(usize, String, &Stopped)> = Vec::new();
    for (at, one) in studies.iter().enumerate() {
        for rule in &one.study.rules {
            let name = rule.rule.to_string();
            rows.extend(rule.subjects.iter().map(|s| (at, name.clone(), s)));
        }
        if let Some((_, stopped)) = &one.caesar {
            rows.extend(stopped.iter().map(|s| (at, "caesar".to_owned(), s)));
        }
    }
    let batches = rows.chunks(BATCH).map(|rows| {
        let mut text: [StringBuilder; 8] = Default::default();
        let mut counts: [UInt32Builder; 2] = Default::default();
        let mut numbers: [Float64Builder; 2] = Default::default();
        for (at, rule, stopped) in rows {
            let one = &studies[*at];
            let (workflow, task, about) = one.names(votes);
            let subject = one.poll.subjects[stopped.subject as usize];
            let label = |a: Option<u32>| a.map(|a| one.poll.labels[a as usize].as_str());
            text[0].append_value(workflow);
            text[1].append_value(task);
            text[2].append_option(about);
            text[3].append_value(rule);
            text[4].append_value(&votes.subjects[subject as usize]);
            text[5].append_value(match stopped.ending {
                Ending::Rule => "rule",
                Ending::Cap => "cap",
                Ending::Votes => "votes",
            });
            text[6].append_option(label(stopped.answer));
            text[7].append_option(label(stopped.answer_all));
            counts[0].append_value(stopped.n_taken);
            counts[1].append_value(stopped.n_all);
            numbers[0].append_option(stopped.probability);
            numbers[1].append_option(stopped.probability_all);
        }
        let mut columns: Vec<ArrayRef> =
            text[..5].iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        columns.extend(counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(text[5..].iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns
    });
    write(path, &schema::retirement_subjects(), batches)
}

/// Writes the record of a Caesar configuration's rules.
pub(crate) fn write_caesar(path: &Path, replay: &CaesarReplay, level: f64) -> Result<u64> {
    let mut text: [StringBuilder; 4] = Default::default();
    let mut counts: [UInt64Builder; 5] = Default::default();
    let mut numbers: [Float64Builder; 7] = Default::default();
    let n = replay.fates.len() as u64;
    for rule in &replay.rules {
        text[0].append_value(&replay.workflow);
        text[1].append_value(&rule.name);
        text[2].append_value(rule.effects.join(", "));
        text[3].append_option(rule.first_error.as_deref());
        let ns = [n, rule.n_fired, rule.n_first, rule.n_retired, rule.n_errors];
        counts.iter_mut().zip(ns).for_each(|(c, n)| c.append_value(n));
        let share = |k: u64| {
            let interval = wilson(k as f64, n as f64, level);
            [k as f64 / (n.max(1)) as f64, interval.low, interval.high]
        };
        let shares = share(rule.n_fired).into_iter().chain(share(rule.n_retired));
        numbers.iter_mut().zip(shares).for_each(|(c, x)| c.append_value(x));
        numbers[6].append_option(rule.median_at);
    }
    let [workflow, name, effects, error] = text.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let [n, fired, first, retired, errors] = counts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let [f, f_low, f_high, r, r_low, r_high, at] = numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let columns = vec![
        workflow, name, effects, n, fired, f, f_low, f_high, first, retired, r, r_low, r_high, at,
        errors, error,
    ];
    write(path, &schema::retirement_caesar(), std::iter::once(columns))
}

fn write(
    path: &Path,
    schema: &Arc<Schema>,
    batches: impl Iterator<Item = Vec<ArrayRef>>,
) -> Result<u64> {
    let mut writer = TableWriter::create(path, schema)?;
    for columns in batches {
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    Ok(writer.finish()?)
}
