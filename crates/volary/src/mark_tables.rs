//! The mark pipeline's results as tables: columns out of `volary-crowd`'s flat arrays, batch by batch.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_schema::Schema;
use volary_core::schema;
use volary_crowd::interval::{jeffreys, wilson};
use volary_crowd::marks::evaluate::{Headline, RecoveryTable, Share};
use volary_crowd::marks::evaluate_curves::{CurvePoint, Curves};
use volary_crowd::marks::live::LiveFeature;
use volary_crowd::marks::sweep::SweepRow;
use volary_crowd::marks::{Bayes, Built, Iteration, Marks, NONE, Scored, Scores, Signals, Weighed};
use volary_ingest::tables::TableWriter;

const BATCH: usize = 1 << 14;

/// Writes `n` rows; `columns` makes those of a range.
fn write(
    path: &Path,
    schema: &Arc<Schema>,
    n: usize,
    columns: impl Fn(std::ops::Range<usize>) -> Vec<ArrayRef>,
) -> Result<u64> {
    let mut writer = TableWriter::create(path, schema)?;
    for start in (0..n).step_by(BATCH) {
        let columns = columns(start..n.min(start + BATCH));
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    Ok(writer.finish()?)
}

fn text<'a>(rows: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows))
}

fn maybe_text<'a>(rows: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(rows.collect::<StringArray>())
}

fn float(rows: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(rows))
}

/// NaN is a missing value.
fn maybe(rows: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(rows.map(|x| (!x.is_nan()).then_some(x)).collect::<Float64Array>())
}

fn small(rows: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(rows))
}

fn big(rows: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(rows))
}

/// A column that may not be there: NaN for all rows then.
fn at(values: Option<&[f64]>, row: usize) -> f64 {
    values.and_then(|v| v.get(row).copied()).unwrap_or(f64::NAN)
}

/// `metafeatures`; scores and probabilities where there are any.
pub(crate) fn write_features(
    path: &Path,
    marks: &Marks,
    built: &Built,
    scores: Option<&Scores>,
    bayes: Option<&Bayes>,
) -> Result<u64> {
    let f = &built.features;
    let voters = |i: usize| match scores {
        Some(s) => (s.n_voters[i], s.n_yes[i]),
        None => (n_voters(marks, f.subject[i] as usize), n_owners(marks, f.members_of(i))),
    };
    let score = |of: fn(&Scores, usize) -> f64, i| scores.map_or(f64::NAN, |s| of(s, i));
    let probability = |of: fn(&Bayes, usize) -> f64, i| bayes.map_or(f64::NAN, |b| of(b, i));
    let simulation = |i: usize| {
        let simulation = marks.simulation[f.subject[i] as usize];
        (simulation != NONE).then(|| marks.simulations[simulation as usize].as_str())
    };
    write(path, &schema::metafeatures(), f.len(), |r| {
        vec![
            big(r.clone().map(|i| f.id[i])),
            text(r.clone().map(|i| marks.subjects[f.subject[i] as usize].as_str())),
            maybe_text(r.clone().map(simulation)),
            float(r.clone().map(|i| f.x_min_days[i])),
            float(r.clone().map(|i| f.x_max_days[i])),
            float(r.clone().map(|i| f.duration_days(i))),
            float(r.clone().map(|i| f.midpoint_days(i))),
            small(r.clone().map(|i| u32::try_from(f.members_of(i).len()).unwrap_or(NONE))),
            small(r.clone().map(|i| voters(i).0)),
            small(r.clone().map(|i| voters(i).1)),
            maybe(r.clone().map(|i| score(|s, i| s.n_effective[i], i))),
            maybe(r.clone().map(|i| score(|s, i| s.seed[i], i))),
            maybe(r.clone().map(|i| score(|s, i| s.score[i], i))),
            maybe(r.clone().map(|i| score(|s, i| s.interval[i].low, i))),
            maybe(r.clone().map(|i| score(|s, i| s.interval[i].high, i))),
            maybe(r.clone().map(|i| probability(|b, i| b.probability[i], i))),
            maybe(r.clone().map(|i| probability(|b, i| b.interval[i].low, i))),
            maybe(r.map(|i| probability(|b, i| b.interval[i].high, i))),
        ]
    })
}

fn n_voters(marks: &Marks, subject: usize) -> u32 {
    let mut voters = marks.view_volunteer[marks.views_of(subject)].to_vec();
    voters.dedup();
    u32::try_from(voters.len()).unwrap_or(NONE)
}

fn n_owners(marks: &Marks, members: &[u32]) -> u32 {
    let mut owners: Vec<u32> = members.iter().map(|&m| owner(marks, m)).collect();
    owners.sort_unstable();
    owners.dedup();
    u32::try_from(owners.len()).unwrap_or(NONE)
}

/// The volunteer of a mark.
fn owner(marks: &Marks, mark: u32) -> u32 {
    let view = marks.mark_start.partition_point(|&start| start <= mark) - 1;
    marks.view_volunteer[view]
}

/// `members`.
pub(crate) fn write_members(path: &Path, marks: &Marks, built: &Built) -> Result<u64> {
    let f = &built.features;
    let mut feature = Vec::with_capacity(f.members.len());
    for i in 0..f.len() {
        feature.resize(f.member_start[i + 1] as usize, i);
    }
    let of_view = marks.view_of_marks();
    let mark = |i: usize| f.members[i] as usize;
    write(path, &schema::mark_members(), f.members.len(), |r| {
        vec![
            big(r.clone().map(|i| f.id[feature[i]])),
            text(r.clone().map(|i| marks.subjects[f.subject[feature[i]] as usize].as_str())),
            text(r.clone().map(|i| {
                let volunteer = marks.view_volunteer[of_view[mark(i)] as usize];
                marks.volunteers[volunteer as usize].as_str()
            })),
            float(r.clone().map(|i| marks.x_min_days[mark(i)])),
            float(r.map(|i| marks.x_max_days[mark(i)])),
        ]
    })
}

/// `weights`.
pub(crate) fn write_weights(
    path: &Path,
    marks: &Marks,
    weighed: &Weighed,
    bayes: Option<&Bayes>,
) -> Result<u64> {
    let w = &weighed.weights;
    let (mut n_views, mut n_marks) =
        (vec![0_u64; marks.n_volunteers()], vec![0_u64; marks.n_volunteers()]);
    for view in 0..marks.n_views() {
        let k = marks.view_volunteer[view] as usize;
        n_views[k] += 1;
        n_marks[k] += marks.marks_of(view).len() as u64;
    }
    type Of = fn(&volary_crowd::marks::bayes::Skill) -> f64;
    let skill = |k: usize, of: Of| bayes.map_or(f64::NAN, |b| of(&b.skill[k]));
    write(path, &schema::mark_weights(), marks.n_volunteers(), |r| {
        vec![
            text(r.clone().map(|k| marks.volunteers[k].as_str())),
            big(r.clone().map(|k| n_views[k])),
            big(r.clone().map(|k| n_marks[k])),
            small(r.clone().map(|k| w.n_signals[k])),
            small(r.clone().map(|k| w.n_hits[k])),
            float(r.clone().map(|k| w.upweight[k])),
            float(r.clone().map(|k| w.downweight[k])),
            float(r.clone().map(|k| w.seed[k])),
            float(r.clone().map(|k| w.weight[k])),
            small(r.clone().map(|k| w.n_features[k])),
            maybe(r.clone().map(|k| skill(k, |s| s.completeness))),
            maybe(r.clone().map(|k| skill(k, |s| s.completeness_interval.low))),
            maybe(r.clone().map(|k| skill(k, |s| s.completeness_interval.high))),
            maybe(r.clone().map(|k| skill(k, |s| s.false_alarm))),
            maybe(r.clone().map(|k| skill(k, |s| s.false_alarm_interval.low))),
            maybe(r.map(|k| skill(k, |s| s.false_alarm_interval.high))),
        ]
    })
}

/// `completeness`.
pub(crate) fn write_completeness(
    path: &Path,
    signals: &Signals,
    weighed: &Weighed,
    floor: f64,
    level: f64,
) -> Result<u64> {
    let all = &weighed.completeness;
    let interval = |i: usize| jeffreys(f64::from(all[i].n_hits), f64::from(all[i].n_shown), level);
    write(path, &schema::mark_completeness(), all.len(), |r| {
        vec![
            text(r.clone().map(|i| signals.id[all[i].signal as usize].as_str())),
            small(r.clone().map(|i| all[i].viewers)),
            small(r.clone().map(|i| all[i].n_shown)),
            small(r.clone().map(|i| all[i].n_hits)),
            float(r.clone().map(|i| all[i].share())),
            float(r.clone().map(|i| interval(i).low)),
            float(r.clone().map(|i| interval(i).high)),
            float(r.map(|i| all[i].raw_upweight(floor))),
        ]
    })
}

/// `matches`.
pub(crate) fn write_matches(
    path: &Path,
    marks: &Marks,
    signals: &Signals,
    weighed: &Weighed,
) -> Result<u64> {
    let all = &weighed.matches;
    let view = |i: usize| all[i].view as usize;
    write(path, &schema::mark_matches(), all.len(), |r| {
        vec![
            text(r.clone().map(|i| marks.subjects[marks.view_subject[view(i)] as usize].as_str())),
            text(r.clone().map(|i| marks.volunteers[marks.view_volunteer[view(i)] as usize].as_str())),
            text(r.clone().map(|i| signals.id[all[i].signal as usize].as_str())),
            maybe(r.clone().map(|i| at(Some(&marks.x_min_days), all[i].mark as usize))),
            maybe(r.clone().map(|i| at(Some(&marks.x_max_days), all[i].mark as usize))),
            maybe(r.clone().map(|i| all[i].cover)),
            Arc::new(r.map(|i| Some(all[i].is_hit)).collect::<BooleanArray>()) as ArrayRef,
        ]
    })
}

/// `iterations`.
pub(crate) fn write_iterations(path: &Path, log: &[Iteration]) -> Result<u64> {
    let known = |i: usize| log[i].number > 0;
    let count = |i: usize, n: u64| known(i).then_some(n);
    write(path, &schema::mark_iterations(), log.len(), |r| {
        vec![
            small(r.clone().map(|i| log[i].number)),
            Arc::new(r.clone().map(|i| count(i, log[i].n_changing)).collect::<UInt64Array>())
                as ArrayRef,
            Arc::new(r.clone().map(|i| count(i, log[i].n_large)).collect::<UInt64Array>()) as ArrayRef,
            maybe(r.clone().map(|i| log[i].mean_change)),
            maybe(r.clone().map(|i| log[i].max_change)),
            float(r.clone().map(|i| log[i].mean_weight)),
            float(r.clone().map(|i| log[i].mean_score)),
            Arc::new(r.map(|i| Some(log[i].is_damped)).collect::<BooleanArray>()) as ArrayRef,
        ]
    })
}

/// Weights and scores of every iteration kept.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) scores: Vec<Vec<f64>>,
}

/// `weights_by_iteration` and `scores_by_iteration`.
pub(crate) fn write_history(
    paths: (&Path, &Path),
    marks: &Marks,
    scored: &Scored,
    history: &History,
) -> Result<(u64, u64)> {
    let number = |i: usize| u32::try_from(i).unwrap_or(NONE);
    let (n_people, n_features) = (marks.n_volunteers(), scored.built.features.len());
    let weights =
        write(paths.0, &schema::mark_weight_history(), n_people * history.weights.len(), |r| {
            vec![
                small(r.clone().map(|i| number(i / n_people))),
                text(r.clone().map(|i| marks.volunteers[i % n_people].as_str())),
                float(r.map(|i| history.weights[i / n_people][i % n_people])),
            ]
        })?;
    let scores =
        write(paths.1, &schema::mark_score_history(), n_features * history.scores.len(), |r| {
            vec![
                small(r.clone().map(|i| number(i / n_features))),
                big(r.clone().map(|i| scored.built.features.id[i % n_features])),
                float(r.map(|i| history.scores[i / n_features][i % n_features])),
            ]
        })?;
    Ok((weights, scores))
}

/// `subjects`.
pub(crate) fn write_subjects(path: &Path, marks: &Marks, built: &Built) -> Result<u64> {
    let count = |n: usize| u32::try_from(n).unwrap_or(NONE);
    write(path, &schema::mark_subjects(), marks.n_subjects(), |r| {
        vec![
            text(r.clone().map(|s| marks.subjects[s].as_str())),
            maybe_text(r.clone().map(|s| {
                let simulation = marks.simulation[s];
                (simulation != NONE).then(|| marks.simulations[simulation as usize].as_str())
            })),
            small(r.clone().map(|s| n_voters(marks, s))),
            small(r.clone().map(|s| count(marks.marks_in(s).len()))),
            small(r.map(|s| count(built.features.of(s).len()))),
        ]
    })
}

/// One recovery table under the names of its quantities.
pub(crate) type Recovery<'a> = (&'a str, Option<&'a str>, &'a RecoveryTable);

/// `recovery`.
pub(crate) fn write_recovery(path: &Path, tables: &[Recovery<'_>]) -> Result<u64> {
    let mut rows = Vec::new();
    for (at, (_, _, table)) in tables.iter().enumerate() {
        for (y, row) in table.cells.iter().enumerate() {
            rows.extend(row.iter().enumerate().map(|(x, share)| (at, x, y, *share)));
        }
    }
    let edge = |(at, _, y, _): (usize, usize, usize, Share), end: usize| match tables[at].1 {
        Some(_) => tables[at].2.y_edges[y + end],
        None => f64::NAN,
    };
    write(path, &schema::mark_recovery(), rows.len(), |r| {
        vec![
            text(r.clone().map(|i| tables[rows[i].0].0)),
            float(r.clone().map(|i| tables[rows[i].0].2.x_edges[rows[i].1])),
            float(r.clone().map(|i| tables[rows[i].0].2.x_edges[rows[i].1 + 1])),
            maybe_text(r.clone().map(|i| tables[rows[i].0].1)),
            maybe(r.clone().map(|i| edge(rows[i], 0))),
            maybe(r.clone().map(|i| edge(rows[i], 1))),
            big(r.clone().map(|i| rows[i].3.k)),
            big(r.clone().map(|i| rows[i].3.n)),
            maybe(r.clone().map(|i| rows[i].3.share())),
            float(r.clone().map(|i| rows[i].3.interval.low)),
            float(r.map(|i| rows[i].3.interval.high)),
        ]
    })
}

/// A subject's id and one of its features.
pub(crate) type LiveRow<'a> = (&'a str, LiveFeature);

/// `metafeatures` of `volary marks follow`.
pub(crate) fn write_live_features(path: &Path, rows: &[LiveRow<'_>]) -> Result<u64> {
    write(path, &schema::mark_live_features(), rows.len(), |r| {
        let all = &rows[r];
        let number = |of: fn(&LiveFeature) -> f64| float(all.iter().map(|(_, f)| of(f)));
        vec![
            text(all.iter().map(|(id, _)| *id)),
            number(|f| f.x_min_days),
            number(|f| f.x_max_days),
            small(all.iter().map(|(_, f)| u32::try_from(f.yes.len()).unwrap_or(NONE))),
            number(|f| f.score),
            number(|f| f.interval.low),
            number(|f| f.interval.high),
        ]
    })
}

/// `weights` of `volary marks follow`.
pub(crate) fn write_live_weights(path: &Path, rows: &[(&str, f64)]) -> Result<u64> {
    write(path, &schema::mark_live_weights(), rows.len(), |r| {
        vec![text(rows[r.clone()].iter().map(|(key, _)| *key)), float(rows[r].iter().map(|(_, w)| *w))]
    })
}

/// `curves`: both conventions under their names. Wilson intervals: a closed form, since every score that
/// occurs has a row.
pub(crate) fn write_curves(path: &Path, both: [(&str, &Curves); 2], level: f64) -> Result<u64> {
    let rows: Vec<_> =
        both.iter().flat_map(|(name, c)| c.points.iter().map(move |p| (*name, *c, p))).collect();
    write(path, &schema::mark_curves(), rows.len(), |r| {
        let share = |of: fn(&Curves, &CurvePoint) -> (u64, u64)| {
            let counts = r.clone().map(|i| of(rows[i].1, rows[i].2)).collect::<Vec<_>>();
            let around: Vec<_> =
                counts.iter().map(|&(k, n)| wilson(k as f64, n as f64, level)).collect();
            [
                maybe(counts.iter().map(|&(k, n)| k as f64 / n as f64)),
                float(around.iter().map(|i| i.low)),
                float(around.iter().map(|i| i.high)),
            ]
        };
        let mut columns =
            vec![
                text(r.clone().map(|i| rows[i].0)),
                maybe(r.clone().map(|i| {
                    if rows[i].2.threshold > f64::MIN { rows[i].2.threshold } else { f64::NAN }
                })),
                big(r.clone().map(|i| rows[i].2.n_true)),
                big(r.clone().map(|i| rows[i].2.n_false)),
            ];
        columns.extend(share(|c, p| (p.n_true, c.n_positive)));
        columns.extend(share(|c, p| (p.n_false, c.n_negative)));
        columns.extend(share(|_, p| (p.n_true, p.n_true + p.n_false)));
        columns
    })
}

/// `floors`.
pub(crate) fn write_floors(path: &Path, rows: &[Headline]) -> Result<u64> {
    write(path, &schema::mark_floors(), rows.len(), |r| {
        let all = &rows[r];
        let share = |of: fn(&Headline) -> &Share| {
            [
                maybe(all.iter().map(|h| of(h).share())),
                float(all.iter().map(|h| of(h).interval.low)),
                float(all.iter().map(|h| of(h).interval.high)),
            ]
        };
        let mut columns = vec![
            maybe(all.iter().map(|h| if h.cutoff > f64::MIN { h.cutoff } else { f64::NAN })),
            big(all.iter().map(|h| h.recovered.k)),
            big(all.iter().map(|h| h.recovered.n)),
        ];
        columns.extend(share(|h| &h.recovered));
        columns.extend(share(|h| &h.precision));
        columns.extend(share(|h| &h.false_positive_rate));
        columns.push(maybe(all.iter().map(|h| h.false_per_true().unwrap_or(f64::NAN))));
        columns.push(maybe(all.iter().map(|h| h.features_per_signal)));
        columns
    })
}

/// `sweep`; the first floor of each row is "none at all".
pub(crate) fn write_sweep(path: &Path, all: &[SweepRow]) -> Result<u64> {
    let rows: Vec<(&SweepRow, &Headline)> =
        all.iter().flat_map(|row| row.floors.iter().map(move |h| (row, h))).collect();
    let area = |x: Option<f64>| x.unwrap_or(f64::NAN);
    write(path, &schema::mark_sweep(), rows.len(), |r| {
        let of = |f: &dyn Fn(&SweepRow, &Headline) -> f64| -> Vec<f64> {
            r.clone().map(|i| f(rows[i].0, rows[i].1)).collect()
        };
        let full = |f: &dyn Fn(&SweepRow, &Headline) -> f64| float(of(f).into_iter());
        let holed = |f: &dyn Fn(&SweepRow, &Headline) -> f64| maybe(of(f).into_iter());
        vec![
            full(&|row, _| row.tolerance_days),
            full(&|row, _| row.cutoff_days),
            holed(&|_, h| if h.cutoff > f64::MIN { h.cutoff } else { f64::NAN }),
            big(r.clone().map(|i| rows[i].0.n_features)),
            holed(&|_, h| h.recovered.share()),
            full(&|_, h| h.recovered.interval.low),
            full(&|_, h| h.recovered.interval.high),
            holed(&|_, h| h.precision.share()),
            full(&|_, h| h.precision.interval.low),
            full(&|_, h| h.precision.interval.high),
            holed(&|_, h| h.false_positive_rate.share()),
            full(&|_, h| h.false_positive_rate.interval.low),
            full(&|_, h| h.false_positive_rate.interval.high),
            holed(&|_, h| area(h.false_per_true())),
            holed(&|_, h| h.features_per_signal),
            holed(&|row, _| area(row.all.roc_auc)),
            holed(&|row, _| area(row.all.average_precision_reached)),
            holed(&|row, _| area(row.all.pr_auc)),
        ]
    })
}
