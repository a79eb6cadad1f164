//! Build: which marks count, and which of them mean the same thing.
//!
//! The gap filter and the duration cutoff of Safron et al. 2022, then one of three grouping rules:
//! `modes` (ours), `twins` (the paper's, free of order) and `released` (the
//! published code, order and all). No weights, no votes here.

use rayon::prelude::*;
use volary_core::marks::{LightCurves, Marks, Stamps};

use super::modes::modes;
use super::params::{Grouping, MarkParams};
use super::released;
use super::twins::twins;
use super::types::{Features, midpoint};
use crate::error::CrowdError;

/// Features, and what became of the marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Built {
    /// The features.
    pub features: Features,
    /// Marks left out because they are as wide as the cutoff or wider.
    pub n_too_wide: u64,
    /// Marks left out because too little of them holds data.
    pub n_in_gaps: u64,
    /// Marks left out because their volunteer has another mark in the same feature.
    pub n_doubled: u64,
}

/// One feature of one subject: its bounds and its members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Serial number within the subject, for the released ids; 0 elsewhere.
    pub(crate) serial: u64,
    pub(crate) x_min: f64,
    pub(crate) x_max: f64,
    pub(crate) members: Vec<u32>,
}

/// One mark as the grouping rules see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) mark: u32,
    pub(crate) volunteer: u32,
    pub(crate) x_min: f64,
    pub(crate) x_max: f64,
    pub(crate) mid: f64,
}

/// What one subject gives.
#[derive(Default)]
struct OfSubject {
    groups: Vec<Group>,
    n_too_wide: u64,
    n_in_gaps: u64,
    n_doubled: u64,
}

/// Groups the marks of every subject.
///
/// `order` is the order in which the released code visited the subjects (it numbers its features by it);
/// `None` takes the subjects as they come. It changes ids only, and only under
/// [`Grouping::Released`].
///
/// # Errors
/// Where a constant is out of its range.
pub fn build(
    marks: &Marks,
    curves: &LightCurves,
    params: &MarkParams,
    order: Option<&[u32]>,
) -> Result<Built, CrowdError> {
    params.check()?;
    let of_subjects: Vec<OfSubject> = (0..marks.n_subjects())
        .into_par_iter()
        .with_min_len(64)
        .map(|subject| build_subject(marks, curves, subject, params))
        .collect();
    let mut built = Built { features: assemble(&of_subjects), ..Built::default() };
    for one in &of_subjects {
        built.n_too_wide += one.n_too_wide;
        built.n_in_gaps += one.n_in_gaps;
        built.n_doubled += one.n_doubled;
    }
    if params.grouping == Grouping::Released {
        released::number(&mut built.features, &of_subjects_serials(&of_subjects), marks, order);
    }
    Ok(built)
}

fn of_subjects_serials(all: &[OfSubject]) -> Vec<u64> {
    all.iter().flat_map(|o| o.groups.iter().map(|g| g.serial)).collect()
}

/// The groups of one subject's marks, by midpoint, for rules that no order of rows plays a part in.
pub(crate) fn group_candidates(
    all: Vec<Candidate>,
    stamps: Option<&Stamps>,
    params: &MarkParams,
) -> Vec<Group> {
    of_candidates(all, stamps, params).groups
}

fn build_subject(marks: &Marks, curves: &LightCurves, subject: usize, params: &MarkParams) -> OfSubject {
    let mut all = candidates(marks, subject);
    if params.grouping == Grouping::Released {
        all.sort_by_key(|c| marks.mark_rank[c.mark as usize]);
    }
    of_candidates(all, curves.of(subject), params)
}

fn of_candidates(mut all: Vec<Candidate>, stamps: Option<&Stamps>, params: &MarkParams) -> OfSubject {
    let mut out = OfSubject::default();
    if params.grouping == Grouping::Released {
        out.groups = released::groups(&all, stamps, params);
        out.n_too_wide = count(&all, |c| c.x_max - c.x_min >= params.cutoff_days);
        let members: usize = out.groups.iter().map(|g| g.members.len()).sum();
        out.n_in_gaps = (all.len() - members) as u64 - out.n_too_wide;
    } else {
        let n_all = all.len();
        all.retain(|c| c.x_max - c.x_min < params.cutoff_days);
        out.n_too_wide = (n_all - all.len()) as u64;
        if let Some(stamps) = stamps {
            let n_narrow = all.len();
            all.retain(|c| stamps.real_fraction(c.x_min, c.x_max) >= params.min_real_fraction);
            out.n_in_gaps = (n_narrow - all.len()) as u64;
        }
        all.sort_by(by_midpoint);
        out.groups = match params.grouping {
            Grouping::Twins => twins(&all, params.tolerance_days),
            _ => modes(&all, params.tolerance_days),
        };
        let members: usize = out.groups.iter().map(|g| g.members.len()).sum();
        out.n_doubled = (all.len() - members) as u64;
    }
    out.groups.sort_by(|a, b| {
        let mid = |g: &Group| midpoint(g.x_min, g.x_max);
        mid(a).total_cmp(&mid(b)).then(a.x_min.total_cmp(&b.x_min)).then(a.members.cmp(&b.members))
    });
    out
}

fn count(all: &[Candidate], is: impl Fn(&Candidate) -> bool) -> u64 {
    all.iter().filter(|c| is(c)).count() as u64
}

fn candidates(marks: &Marks, subject: usize) -> Vec<Candidate> {
    let mut all = Vec::with_capacity(marks.marks_in(subject).len());
    for view in marks.views_of(subject) {
        for mark in marks.marks_of(view) {
            let (x_min, x_max) = (marks.x_min_days[mark], marks.x_max_days[mark]);
            all.push(Candidate {
                mark: u32::try_from(mark).unwrap_or(u32::MAX),
                volunteer: marks.view_volunteer[view],
                x_min,
                x_max,
                mid: midpoint(x_min, x_max),
            });
        }
    }
    all
}

/// By midpoint; equal midpoints by bounds and mark, so that the order is total.
fn by_midpoint(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    a.mid.total_cmp(&b.mid).then(a.x_min.total_cmp(&b.x_min)).then(a.mark.cmp(&b.mark))
}

fn assemble(all: &[OfSubject]) -> Features {
    let n = all.iter().map(|o| o.groups.len()).sum();
    let mut features = Features { start: vec![0], member_start: vec![0], ..Features::default() };
    features.id.reserve(n);
    let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for (subject, one) in all.iter().enumerate() {
        for group in &one.groups {
            features.id.push(features.id.len() as u64 + 1);
            features.subject.push(index(subject));
            features.x_min_days.push(group.x_min);
            features.x_max_days.push(group.x_max);
            features.members.extend_from_slice(&group.members);
            features.member_start.push(index(features.members.len()));
        }
        features.start.push(index(features.subject.len()));
    }
    features
}

/// A group with the mean of its members' bounds, as both paper and code have it.
pub(crate) fn mean_group(members: &[Candidate], serial: u64) -> Group {
    let n = members.len() as f64;
    let mut marks: Vec<u32> = members.iter().map(|c| c.mark).collect();
    marks.sort_unstable();
    Group {
        serial,
        x_min: members.iter().map(|c| c.x_min).sum::<f64>() / n,
        x_max: members.iter().map(|c| c.x_max).sum::<f64>() / n,
        members: marks,
    }
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
