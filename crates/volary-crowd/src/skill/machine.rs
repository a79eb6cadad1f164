//! A machine's score as one more voter, of its own skill.
//!
//! Its answer is the class of its highest score, split by how sure it is into bins of equal numbers; the
//! bins are its labels, and a matrix model learns what each bin is worth (a classifier-as-voter in the
//! sense of Kim & Ghahramani 2012). So a score needs no calibration, and a bad machine counts little.
//! GLAD, MACE, SWAP and the weighted votes have no place for such labels: for them the machine is a voter
//! like any other, with the class of its highest score for an answer ([`add_answers`]).

use crate::error::CrowdError;
use crate::skill::ballots::{Ballots, Panel};

/// Stands for the machine among a panel's volunteers.
pub const MACHINE: u32 = u32::MAX;
/// Bins per class, at most.
pub const BINS: usize = 5;
/// Subjects per bin, at least.
const PER_BIN: usize = 20;
/// Place in the order of arrival after everybody's.
const LAST: u32 = u32::MAX;

/// Scores of one question: (subject, answer, score in \[0, 1\]), sorted by subject and answer.
pub type Scores = [(u32, u32, f64)];

/// Adds the machine to a panel; subjects without a score get no vote of it, and scores of subjects that
/// nobody saw are passed over.
///
/// Of a question with one answer and two classes, one score a subject is enough (the other answer gets
/// the rest); with more classes, a class without a score has 0.
///
/// # Errors
/// [`CrowdError::Ballots`] as [`Ballots::new`]; it cannot happen with a panel made by this crate.
pub fn add(panel: Panel, scores: &Scores) -> Result<Panel, CrowdError> {
    let k = panel.ballots.n_classes();
    let tops: Vec<Option<(usize, f64)>> =
        panel.subjects.iter().map(|&subject| top(&panel, of_subject(scores, subject), k)).collect();
    let (labels, n_labels) = bins(&tops, k);
    if labels.iter().all(Option::is_none) {
        return Ok(panel);
    }
    // As many bins as classes would look like a person's labels.
    vote(panel, labels, if n_labels == k { k + 1 } else { n_labels })
}

/// Adds the machine as a voter like any other: its answer is the class of its highest score.
///
/// # Errors
/// As [`add`].
pub fn add_answers(panel: Panel, scores: &Scores) -> Result<Panel, CrowdError> {
    let k = panel.ballots.n_classes();
    let answer = |&subject: &u32| {
        let (class, _) = top(&panel, of_subject(scores, subject), k)?;
        Some(u32::try_from(class).expect("u32 classes"))
    };
    let labels: Vec<Option<u32>> = panel.subjects.iter().map(answer).collect();
    if labels.iter().all(Option::is_none) {
        return Ok(panel);
    }
    vote(panel, labels, k)
}

struct Vote {
    item: u32,
    volunteer: u32,
    label: u32,
    weight: f64,
    // Place in the order of arrival.
    arrival: u32,
}

/// One more volunteer, with a label for some items. It comes last: a model that learns on the way (SWAP) then
/// knows the subjects by which it judges the machine.
fn vote(panel: Panel, labels: Vec<Option<u32>>, n_labels: usize) -> Result<Panel, CrowdError> {
    let k = panel.ballots.n_classes();
    let mut columns = panel.ballots.columns();
    let machine = u32::try_from(columns.n_volunteers).expect("u32 volunteers");
    if columns.n_labels.is_empty() && n_labels != k {
        columns.n_labels = vec![u32::try_from(k).expect("u32 classes"); columns.n_volunteers];
    }
    columns.n_volunteers += 1;
    if !columns.n_labels.is_empty() {
        columns.n_labels.push(u32::try_from(n_labels).expect("u32 bins"));
    }
    let mut votes: Vec<Vote> = (0..columns.item.len())
        .map(|at| Vote {
            item: columns.item[at],
            volunteer: columns.volunteer[at],
            label: columns.label[at],
            weight: columns.weight.get(at).copied().unwrap_or(1.0),
            arrival: panel.arrival[at],
        })
        .collect();
    for (item, label) in (0..).zip(labels) {
        if let Some(label) = label {
            votes.push(Vote { item, volunteer: machine, label, weight: 1.0, arrival: LAST });
        }
    }
    votes.sort_by_key(|v| v.item);
    columns.item = votes.iter().map(|v| v.item).collect();
    columns.volunteer = votes.iter().map(|v| v.volunteer).collect();
    columns.label = votes.iter().map(|v| v.label).collect();
    if !columns.weight.is_empty() {
        columns.weight = votes.iter().map(|v| v.weight).collect();
    }
    let arrival = votes.iter().map(|v| v.arrival).collect();
    let gold = panel.ballots.golds().to_vec();
    let mut volunteers = panel.volunteers;
    volunteers.push(MACHINE);
    Ok(Panel { volunteers, arrival, ballots: Ballots::new(columns)?.with_gold(gold)?, ..panel })
}

fn of_subject(scores: &Scores, subject: u32) -> &[(u32, u32, f64)] {
    let start = scores.partition_point(|s| s.0 < subject);
    let end = scores.partition_point(|s| s.0 <= subject);
    &scores[start..end]
}

/// The class of the highest score and that score.
fn top(panel: &Panel, own: &[(u32, u32, f64)], k: usize) -> Option<(usize, f64)> {
    let score = |answer: u32| own.iter().find(|s| s.1 == answer).map(|s| s.2);
    if let Some(answer) = panel.answer {
        let yes = score(answer)?;
        return Some(if yes >= 0.5 { (1, yes) } else { (0, 1.0 - yes) });
    }
    let mut by_class: Vec<f64> = vec![f64::NAN; k];
    for (class, &answer) in panel.classes.iter().enumerate() {
        by_class[class] = score(answer).unwrap_or(f64::NAN);
    }
    if k == 2 {
        match (by_class[0].is_nan(), by_class[1].is_nan()) {
            (true, false) => by_class[0] = 1.0 - by_class[1],
            (false, true) => by_class[1] = 1.0 - by_class[0],
            _ => {}
        }
    }
    let known = by_class.iter().copied().enumerate().filter(|(_, s)| !s.is_nan());
    known.reduce(|best, now| if now.1 > best.1 { now } else { best })
}

/// Bins of equal numbers within each class, and how many bins there are in all.
fn bins(tops: &[Option<(usize, f64)>], k: usize) -> (Vec<Option<u32>>, usize) {
    let mut labels = vec![None; tops.len()];
    let mut next = 0;
    for class in 0..k {
        let mut own: Vec<(f64, usize)> = tops
            .iter()
            .enumerate()
            .filter_map(|(item, top)| top.filter(|t| t.0 == class).map(|t| (t.1, item)))
            .collect();
        own.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let n_bins = (own.len() / PER_BIN).clamp(1, BINS);
        let mut before: Option<(f64, usize)> = None;
        for (rank, &(score, item)) in own.iter().enumerate() {
            let mut bin = rank * n_bins / own.len();
            // Equal scores are one and the same answer.
            if let Some((last, last_bin)) = before
                && last == score
            {
                bin = last_bin;
            }
            before = Some((score, bin));
            labels[item] = Some(u32::try_from(next + bin).expect("u32 bins"));
        }
        next += n_bins;
    }
    (labels, next)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
