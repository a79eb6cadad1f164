//! From everybody's marks to consensus shapes, subject by subject.
//!
//! For each (workflow, task, subject, frame, tool, form): marks that cannot be compared are set aside and
//! listed; marks that one volunteer drew twice to the last digit count once; clusters are found by density
//! ([`super::Algorithm`]), where a crowd is so many different *volunteers* within reach; a cluster with two
//! marks of a volunteer is taken apart ([`super::single`]); and each cluster of enough volunteers becomes
//! one shape (`summary`).
//!
//! With [`Members::EveryMark`] marks are counted instead of volunteers and nothing is taken apart: the rule
//! of `panoptes_aggregation`. Marks are put into an order of their own first, so that the order of the input
//! never matters.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use volary_core::votes::compare_ids;
use volary_core::{Drawn, Form, Pool, ProblemKind, Problems, Symbol};

use super::measure::{Kept, MAX_KEPT, Mark};
use super::optics::{Optics, optics};
use super::outline::{Outline, OutlineFault};
use super::single::one_per_volunteer;
use super::summary::{Cluster, Crowd, summarise};
use super::{Algorithm, Members, ShapeParams, dbscan::dbscan};
use crate::repeats::Repeats;
use volary_core::hdbscan::{Hdbscan, Selection, hdbscan};

/// Everything that was drawn, clustered.
#[derive(Clone, Debug, Default)]
pub struct ShapeConsensus {
    /// By workflow, task, subject, frame, tool, form.
    pub groups: Vec<Group>,
    /// Marks that could not be used, and outlines that were repaired.
    pub problems: Problems,
}

/// What one tool drew on one frame of one subject.
#[derive(Clone, Debug)]
pub struct Group {
    /// Workflow id.
    pub workflow: Symbol,
    /// Task key.
    pub task: Symbol,
    /// Subject id.
    pub subject: Symbol,
    /// Image of the subject.
    pub frame: u16,
    /// Tool index.
    pub tool: Option<u16>,
    /// Tool label; the first in order where there are several.
    pub tool_label: Option<Symbol>,
    /// What was drawn.
    pub form: Form,
    /// Different volunteers who saw the task on this subject.
    pub n_seen: u32,
    /// Consensus shapes, those of most volunteers first.
    pub clusters: Vec<Cluster>,
    /// What became of each mark.
    pub marks: Vec<MarkFate>,
}

/// What became of one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkFate {
    /// Index into [`Drawn::rows`].
    pub row: usize,
    /// Its fate.
    pub fate: Fate,
}

/// What can become of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in this cluster of its group.
    Member(u32),
    /// Too few others drew the same.
    Noise,
    /// The same volunteer drew the very same mark before.
    Copy,
    /// It has no area, no number where one should be, or lies outside the image.
    Unusable,
}

impl Fate {
    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Noise => "noise",
            Self::Copy => "copy",
            Self::Unusable => "unusable",
        }
    }
}

/// Width and height of a subject's image, px, where they are known.
pub type ImageSize<'s> = &'s (dyn Fn(&str, u16) -> Option<(f64, f64)> + Sync);

/// Clusters all marks.
///
/// `size` gives the size of a subject's image; a mark wholly outside it is left out. Where it is unknown,
/// only marks wholly at negative places are.
#[must_use]
pub fn shapes(drawn: &Drawn, params: &ShapeParams, size: ImageSize<'_>) -> ShapeConsensus {
    let rank = ranks(&drawn.pool);
    let counted = counted(drawn, params.repeats, &rank);
    let mut groups = BTreeMap::<Key, Vec<usize>>::new();
    let mut seen = BTreeMap::<(u32, u32, u32), BTreeSet<Symbol>>::new();
    for &i in &counted {
        let row = &drawn.rows[i];
        let place = [row.workflow, row.task, row.subject].map(|s| rank[s.index()]);
        seen.entry((place[0], place[1], place[2])).or_default().insert(row.volunteer);
        if let Some(mark) = &row.mark {
            let key = Key { place, frame: mark.frame, tool: mark.tool, form: mark.form };
            groups.entry(key).or_default().push(i);
        }
    }
    let groups: Vec<(Key, Vec<usize>)> = groups.into_iter().collect();
    let found: Vec<(Group, Problems)> = groups
        .par_iter()
        .map(|(key, rows)| {
            let n_seen = seen.get(&(key.place[0], key.place[1], key.place[2])).map_or(0, BTreeSet::len);
            let work = Work { drawn, params, rank: &rank, form: key.form };
            work.group(key, rows, u32::try_from(n_seen).unwrap_or(u32::MAX), size)
        })
        .collect();
    let mut consensus = ShapeConsensus::default();
    for (group, problems) in found {
        consensus.groups.push(group);
        consensus.problems.absorb(&problems);
    }
    consensus
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    place: [u32; 3],
    frame: u16,
    tool: Option<u16>,
    form: Form,
}

/// The place of every string in the order of ids.
fn ranks(pool: &Pool) -> Vec<u32> {
    let mut order: Vec<(usize, &str)> = pool.iter().enumerate().collect();
    order.par_sort_by(|a, b| compare_ids(a.1, b.1));
    let mut rank = vec![0; order.len()];
    for (place, (symbol, _)) in (0..).zip(order) {
        rank[symbol] = place;
    }
    rank
}

/// The rows that count: of one volunteer's classifications of a task on a subject the first, the last, or
/// all.
fn counted(drawn: &Drawn, repeats: Repeats, rank: &[u32]) -> Vec<usize> {
    let all = 0..drawn.rows.len();
    if repeats == Repeats::All {
        return all.collect();
    }
    let visit = |i: usize| {
        let row = &drawn.rows[i];
        (row.workflow, row.task, row.subject, row.volunteer)
    };
    let when = |i: usize| {
        let row = &drawn.rows[i];
        (row.created_ms, rank[row.classification.index()])
    };
    let mut chosen = std::collections::HashMap::new();
    for i in all.clone() {
        let slot = chosen.entry(visit(i)).or_insert_with(|| when(i));
        let is_better = if repeats == Repeats::First { when(i) < *slot } else { when(i) > *slot };
        if is_better {
            *slot = when(i);
        }
    }
    all.filter(|&i| chosen.get(&visit(i)) == Some(&when(i))).collect()
}

/// A mark in the order of its group.
struct Candidate {
    row: usize,
    volunteer: Symbol,
    mark: Mark,
    /// All its numbers, to sort by.
    numbers: Vec<f64>,
}

struct Work<'w> {
    drawn: &'w Drawn,
    params: &'w ShapeParams,
    rank: &'w [u32],
    form: Form,
}

impl Work<'_> {
    fn group(&self, key: &Key, rows: &[usize], n_seen: u32, size: ImageSize<'_>) -> (Group, Problems) {
        let pool = &self.drawn.pool;
        let first = &self.drawn.rows[rows[0]];
        let image = size(pool.text(first.subject), key.frame);
        let mut problems = Problems::default();
        let mut fates = Vec::with_capacity(rows.len());
        let mut candidates = Vec::with_capacity(rows.len());
        for &row in rows {
            match self.usable(row, image, &mut problems) {
                Some(mark) => {
                    let volunteer = self.drawn.rows[row].volunteer;
                    let numbers = match &mark {
                        Mark::Shape { numbers, .. } => numbers.clone(),
                        Mark::Outline(o) => o.ring().iter().flat_map(|&(x, y)| [x, y]).collect(),
                    };
                    candidates.push(Candidate { row, volunteer, mark, numbers });
                }
                None => fates.push(MarkFate { row, fate: Fate::Unusable }),
            }
        }
        candidates.sort_by(|a, b| self.order(a, b));
        if self.params.members == Members::OnePerVolunteer {
            let mut last: BTreeMap<Symbol, usize> = BTreeMap::new();
            let mut kept: Vec<Candidate> = Vec::with_capacity(candidates.len());
            for candidate in candidates {
                // Equal marks stand together, so that one look back for each volunteer is enough.
                let known = last.get(&candidate.volunteer).map(|&at: &usize| &kept[at].mark);
                if known == Some(&candidate.mark) {
                    fates.push(MarkFate { row: candidate.row, fate: Fate::Copy });
                } else {
                    last.insert(candidate.volunteer, kept.len());
                    kept.push(candidate);
                }
            }
            candidates = kept;
        }
        let clusters = self.clusters(&candidates, n_seen, &mut fates);
        fates.sort_by_key(|f| self.fate_order(f));
        let labels = rows.iter().filter_map(|&r| self.drawn.rows[r].mark.as_ref()?.tool_label);
        let group = Group {
            workflow: first.workflow,
            task: first.task,
            subject: first.subject,
            frame: key.frame,
            tool: key.tool,
            tool_label: labels.min_by_key(|s| self.rank[s.index()]),
            form: self.form,
            n_seen,
            clusters,
            marks: fates,
        };
        (group, problems)
    }

    fn fate_order(&self, fate: &MarkFate) -> (u32, u32) {
        let row = &self.drawn.rows[fate.row];
        (self.rank[row.classification.index()], row.mark.as_ref().map_or(0, |m| m.index))
    }

    /// The mark, or nothing and a problem.
    fn usable(&self, row: usize, image: Option<(f64, f64)>, problems: &mut Problems) -> Option<Mark> {
        let drawn = &self.drawn.rows[row];
        let mark = drawn.mark.as_ref()?;
        let mut list = |column: &str, what: &str| {
            let detail = format!("{}: {what}", self.form.as_str());
            problems.add(drawn.row, column, ProblemKind::OddValue, detail);
        };
        let found = if self.form == Form::Outline {
            match Outline::drawn(&mark.points) {
                Ok((outline, fault)) => {
                    if fault.is_some() {
                        list("points_px", "an outline that crosses itself; its largest piece is kept");
                    }
                    Some(Mark::Outline(outline))
                }
                Err(OutlineFault::NotANumber) => {
                    list("points_px", "a coordinate is not a number; the mark is left out");
                    None
                }
                Err(_) => {
                    list("points_px", "no area; the mark is left out");
                    None
                }
            }
        } else {
            let is_number = mark.numbers.iter().all(|x| x.is_finite());
            let found = Mark::shape(self.form, &mark.numbers);
            if !is_number || mark.numbers.len() != self.form.parameters().len() {
                list("shape", "a coordinate is not a number; the mark is left out");
            } else if found.is_none() {
                list("shape", "no area; the mark is left out");
            }
            found
        }?;
        let (x0, y0, x1, y1) = found.bounds(self.form);
        let (width, height) = image.unwrap_or((f64::INFINITY, f64::INFINITY));
        if x1 < 0.0 || y1 < 0.0 || x0 > width || y0 > height {
            list("shape", "outside the image; the mark is left out");
            return None;
        }
        Some(found)
    }

    /// By geometry, then by who drew it: nothing of the input's order.
    fn order(&self, a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
        let text = |c: &Candidate| {
            let row = &self.drawn.rows[c.row];
            let index = row.mark.as_ref().map_or(0, |m| m.index);
            (self.rank[row.volunteer.index()], self.rank[row.classification.index()], index)
        };
        let (x, y) = (&a.numbers, &b.numbers);
        let by_numbers = x.iter().zip(y).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
        by_numbers.unwrap_or(x.len().cmp(&y.len())).then_with(|| text(a).cmp(&text(b)))
    }

    fn clusters(
        &self,
        candidates: &[Candidate],
        n_seen: u32,
        fates: &mut Vec<MarkFate>,
    ) -> Vec<Cluster> {
        let n = candidates.len();
        let measure = self.params.measure;
        let compute =
            |i: usize, j: usize| candidates[i].mark.distance(&candidates[j].mark, self.form, measure);
        let kept = (n <= MAX_KEPT).then(|| Kept::new(n, &compute));
        let distance = |i: usize, j: usize| match &kept {
            Some(kept) => kept.get(i, j),
            None => compute(i, j),
        };
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for members in self.dense(candidates, &distance) {
            if self.params.members == Members::EveryMark {
                parts.push(members);
                continue;
            }
            let volunteers: Vec<u32> =
                members.iter().map(|&i| candidates[i].volunteer.index() as u32).collect();
            parts.extend(one_per_volunteer(&members, &volunteers, &distance));
        }
        let volunteers = |part: &[usize]| {
            part.iter().map(|&i| candidates[i].volunteer).collect::<BTreeSet<_>>().len()
        };
        let is_enough = |part: &Vec<usize>| match self.params.members {
            Members::OnePerVolunteer => part.len() >= self.params.min_volunteers,
            Members::EveryMark => true,
        };
        parts.retain(is_enough);
        parts.sort_by(|a, b| volunteers(b).cmp(&volunteers(a)).then_with(|| a.cmp(b)));
        let mut fate = vec![Fate::Noise; n];
        let clusters = (0..).zip(&parts).map(|(number, part)| {
            part.iter().for_each(|&i| fate[i] = Fate::Member(number));
            let members: Vec<&Mark> = part.iter().map(|&i| &candidates[i].mark).collect();
            let n_volunteers = u32::try_from(volunteers(part)).unwrap_or(u32::MAX);
            let crowd = Crowd { n_volunteers, n_seen, level: self.params.level };
            let far = |i: usize, j: usize| distance(part[i], part[j]);
            summarise(self.form, &members, &crowd, &far, measure.is_overlap(self.form))
        });
        let clusters = clusters.collect();
        fates.extend(candidates.iter().zip(fate).map(|(c, fate)| MarkFate { row: c.row, fate }));
        clusters
    }

    /// Clusters by density, before anybody asks who drew what.
    fn dense(
        &self,
        candidates: &[Candidate],
        distance: &impl Fn(usize, usize) -> f64,
    ) -> Vec<Vec<usize>> {
        let n = candidates.len();
        let params = self.params;
        let labels = match params.algorithm {
            Algorithm::Dbscan => {
                let is_overlap = params.measure.is_overlap(self.form);
                let eps = if is_overlap { 1.0 - params.min_iou } else { params.eps_px };
                let is_core = |near: &[usize]| {
                    let crowd = near.len() >= params.min_volunteers;
                    crowd
                        && match params.members {
                            Members::EveryMark => true,
                            Members::OnePerVolunteer => {
                                let who: BTreeSet<Symbol> =
                                    near.iter().map(|&i| candidates[i].volunteer).collect();
                                who.len() >= params.min_volunteers
                            }
                        }
                };
                dbscan(n, distance, eps, &is_core)
            }
            Algorithm::Hdbscan => {
                let size = params.min_volunteers.max(2);
                let asked = Hdbscan {
                    min_cluster_size: size,
                    min_samples: params.min_volunteers,
                    selection: Selection::Eom,
                    // One thing on an image is the usual case, not an exception.
                    allow_single_cluster: true,
                };
                hdbscan(n, distance, &asked).labels
            }
            Algorithm::Optics { xi } => {
                let size = params.min_volunteers.max(2);
                optics(n, distance, &Optics { min_samples: size, min_cluster_size: size, xi })
            }
        };
        let n_clusters = labels.iter().flatten().max().map_or(0, |m| m + 1) as usize;
        let mut found = vec![Vec::new(); n_clusters];
        for (i, label) in labels.iter().enumerate() {
            if let Some(label) = label {
                found[*label as usize].push(i);
            }
        }
        found
    }
}

#[cfg(test)]
#[path = "consensus_tests.rs"]
mod tests;
