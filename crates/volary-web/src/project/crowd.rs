//! The volunteers, in groups: nobody is told apart, and nobody is ranked. What an admin sees besides is in
//! [`super::one_by_one`].
//!
//! A group of fewer than ten people is merged with its neighbour, so that no row says something of one
//! person; where there are fewer than ten in all, only their number is told.

use serde::Serialize;
use utoipa::ToSchema;
use volary_core::votes::Question;
use volary_crowd::group::GroupShare;
use volary_crowd::interval::wilson;

use super::one_by_one::AnonymousView;

/// People of a group at least.
pub(crate) const K: usize = 10;

/// A volunteer, as far as the page needs one: no name, no id.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Person {
    /// Classifications.
    pub n_classifications: u64,
    /// Votes that could be held against the consensus of the others.
    pub n_compared: u64,
    /// Share of these that agreed; NaN where none could be compared.
    pub agreement: f64,
    /// First classification, ms since 1970.
    pub first_ms: Option<i64>,
    /// Last one.
    pub last_ms: Option<i64>,
    /// Voted without an account: counted with all others who did, and with nobody else.
    pub is_anonymous: bool,
}

/// How often people say what the others say, where the others say one answer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ClassGroup {
    answer: String,
    /// People, ten or more.
    n_people: u64,
    /// Their votes that could be compared.
    n: u64,
    share: f64,
    /// Wilson's interval at the number of independent votes that would be as sure.
    share_low: f64,
    share_high: f64,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct QuestionClasses {
    workflow_id: String,
    task: String,
    /// Whether several answers may hold; then it is how often people see what the others see.
    is_multiple: bool,
    pub(super) classes: Vec<ClassGroup>,
}

impl ClassGroup {
    pub(super) fn of(answer: &str, found: &GroupShare) -> Self {
        Self {
            answer: answer.to_owned(),
            n_people: found.n_people,
            n: found.n,
            share: found.share,
            share_low: found.interval.low,
            share_high: found.interval.high,
        }
    }
}

impl QuestionClasses {
    pub(super) fn of(question: &Question) -> Self {
        Self {
            workflow_id: question.workflow.clone(),
            task: question.task.clone(),
            is_multiple: question.kind.is_multiple(),
            classes: Vec::new(),
        }
    }
}

/// People with about as many classifications.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Group {
    /// Classifications of one at least.
    from: u64,
    /// And at most.
    to: u64,
    /// People.
    n_people: usize,
    /// Their classifications together.
    n_classifications: u64,
    /// A quarter of them agree with the others' consensus less often; absent where too few can be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_quarter: Option<f64>,
    /// Half of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_half: Option<f64>,
    /// Three quarters.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_three_quarters: Option<f64>,
    /// Share who came back on another day.
    share_came_back: f64,
    /// Wilson's interval of it.
    share_came_back_low: f64,
    share_came_back_high: f64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Crowd {
    /// People with an account.
    n_people: usize,
    /// Classifications, also of those without one.
    n_classifications: u64,
    /// All who had no account, as one: nobody is linked over days.
    anonymous: AnonymousView,
    /// People who opted out. How many, and nothing more.
    n_opted_out: usize,
    /// Share of the classifications made by the busiest tenth of the people; absent where that is fewer than ten
    /// people.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_busiest_tenth: Option<f64>,
    /// By number of classifications; empty where there are fewer than ten people.
    by_experience: Vec<Group>,
    /// People by agreement with the others' consensus, in tenths from 0 to 1, of those with 20 comparisons or
    /// more; a tenth with fewer than ten people is counted as 0.
    by_agreement: Vec<usize>,
    /// People with too little to say how they agree.
    n_too_little: usize,
}

/// Comparisons from which on an agreement says something.
const ENOUGH: u64 = 20;
const DAY_MS: i64 = 86_400_000;
const LEVEL: f64 = 0.95;

impl Crowd {
    pub(crate) fn of(people: &[Person], n_opted_out: usize) -> Self {
        let mut sorted: Vec<&Person> = people.iter().filter(|p| !p.is_anonymous).collect();
        sorted.sort_by_key(|p| p.n_classifications);
        let sum = |of: &[&Person]| of.iter().map(|p| p.n_classifications).sum::<u64>();
        let n_classifications = sum(&sorted);
        let nobody: Vec<&Person> = people.iter().filter(|p| p.is_anonymous).collect();
        let anonymous =
            AnonymousView { n_sessions: nobody.len() as u64, n_classifications: sum(&nobody) };
        let n_busiest = sorted.len() / 10;
        let busiest = sum(&sorted[sorted.len() - n_busiest..]);
        let share_of_busiest_tenth =
            (n_busiest >= K && n_classifications > 0).then(|| busiest as f64 / n_classifications as f64);
        let judged: Vec<&&Person> =
            sorted.iter().filter(|p| p.n_compared >= ENOUGH && p.agreement.is_finite()).collect();
        let mut by_agreement = vec![0; 10];
        for person in &judged {
            by_agreement[((person.agreement * 10.0) as usize).min(9)] += 1;
        }
        by_agreement.iter_mut().filter(|n| **n < K).for_each(|n| *n = 0);
        Self {
            n_people: sorted.len(),
            n_classifications: n_classifications + anonymous.n_classifications,
            anonymous,
            n_opted_out,
            share_of_busiest_tenth,
            by_experience: groups(&sorted).iter().map(|of| Group::of(of)).collect(),
            by_agreement,
            n_too_little: sorted.len() - judged.len(),
        }
    }
}

/// Cut at 1, 3, 10, 30, …; groups that are too small go to the next.
fn groups<'p>(sorted: &[&'p Person]) -> Vec<Vec<&'p Person>> {
    let step = |n: u64| (n.max(1) as f64).log10().mul_add(2.0, 1e-9).floor() as u32;
    let mut out: Vec<Vec<&Person>> = Vec::new();
    let mut last_step = None;
    for person in sorted {
        let now = step(person.n_classifications);
        match out.last_mut() {
            Some(group) if last_step == Some(now) || group.len() < K => group.push(person),
            _ => out.push(vec![person]),
        }
        last_step = Some(now);
    }
    if out.last().is_some_and(|group| group.len() < K) {
        let rest = out.pop().unwrap_or_default();
        // With fewer than ten in all there is no group at all.
        if let Some(group) = out.last_mut() {
            group.extend(rest);
        }
    }
    out
}

impl Group {
    fn of(people: &[&Person]) -> Self {
        let counts = people.iter().map(|p| p.n_classifications);
        let mut agreements: Vec<f64> = people
            .iter()
            .filter(|p| p.n_compared >= ENOUGH && p.agreement.is_finite())
            .map(|p| p.agreement)
            .collect();
        agreements.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let at = share * (agreements.len().saturating_sub(1)) as f64;
            let (low, high) = (agreements.get(at.floor() as usize), agreements.get(at.ceil() as usize));
            let (low, high) = low.zip(high).filter(|_| agreements.len() >= K)?;
            Some(low + (high - low) * at.fract())
        };
        let came_back = |p: &&&Person| match (p.first_ms, p.last_ms) {
            (Some(first), Some(last)) => last.div_euclid(DAY_MS) > first.div_euclid(DAY_MS),
            _ => false,
        };
        let n_back = people.iter().filter(came_back).count() as f64;
        let back = wilson(n_back, people.len() as f64, LEVEL);
        Self {
            from: counts.clone().min().unwrap_or(0),
            to: counts.clone().max().unwrap_or(0),
            n_people: people.len(),
            n_classifications: counts.sum(),
            agreement_quarter: quantile(0.25),
            agreement_half: quantile(0.5),
            agreement_three_quarters: quantile(0.75),
            share_came_back: n_back / people.len().max(1) as f64,
            share_came_back_low: back.low,
            share_came_back_high: back.high,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(n: u64, agreement: f64) -> Person {
        Person {
            n_classifications: n,
            n_compared: n,
            agreement,
            first_ms: Some(0),
            last_ms: Some(n as i64 * DAY_MS / 50),
            is_anonymous: false,
        }
    }

    #[test]
    fn a_known_crowd_is_told_in_groups() {
        let people: Vec<Person> = (0..100)
            .map(|i| person(if i < 90 { 5 } else { 1_000 }, 0.5 + f64::from(i) / 250.0))
            .collect();
        let crowd = Crowd::of(&people, 0);
        assert_eq!((crowd.n_people, crowd.n_classifications), (100, 90 * 5 + 10_000));
        assert_eq!(crowd.by_experience.len(), 2);
        let busy = &crowd.by_experience[1];
        assert_eq!((busy.n_people, busy.from, busy.to, busy.share_came_back), (10, 1_000, 1_000, 1.0));
        assert_eq!(busy.agreement_half, Some(0.5 + 94.5 / 250.0));
        assert_eq!(crowd.by_experience[0].agreement_half, None, "five votes say nothing");
        assert_eq!(crowd.share_of_busiest_tenth, Some(10_000.0 / 10_450.0));
        assert_eq!((crowd.by_agreement[8], crowd.n_too_little), (10, 90));
    }

    #[test]
    fn those_without_an_account_are_one() {
        let nobody = Person { is_anonymous: true, ..person(7, 0.9) };
        let people: Vec<Person> = (0..30).map(|_| person(5, 0.8)).chain([nobody; 12]).collect();
        let crowd = Crowd::of(&people, 3);
        assert_eq!((crowd.n_people, crowd.n_classifications, crowd.n_opted_out), (30, 30 * 5 + 84, 3));
        assert_eq!(crowd.anonymous, AnonymousView { n_sessions: 12, n_classifications: 84 });
        assert_eq!(crowd.by_experience.iter().map(|g| g.n_people).sum::<usize>(), 30);
    }

    proptest! {
        #[test]
        fn no_group_is_small_and_nobody_is_lost(counts in prop::collection::vec(0_u64..5_000, 0..120)) {
            let people: Vec<Person> = counts.iter().map(|n| person(*n, 0.7)).collect();
            let crowd = Crowd::of(&people, 0);
            let n: usize = crowd.by_experience.iter().map(|g| g.n_people).sum();
            prop_assert_eq!(n, if people.len() < K { 0 } else { people.len() });
            prop_assert!(crowd.by_experience.iter().all(|g| g.n_people >= K));
            prop_assert!(crowd.by_agreement.iter().all(|n| *n == 0 || *n >= K));
        }
    }
}
