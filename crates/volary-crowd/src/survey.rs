//! Survey tasks: which species, how many kinds of them, doing what.
//!
//! The plurality algorithm of Snapshot Serengeti, Swanson et al. 2015 (doi:10.1038/sdata.2015.26): where
//! most volunteers saw nothing, the subject is blank; else take the median number of different choices
//! over the volunteers who chose something, rounded up, and that many most-voted choices. Evenness is
//! Pielou's 1966 index, 0 where one choice was made, as there.
//!
//! Departures: fractions are of all who *saw* the subject, as everywhere in this crate (theirs are of
//! those who chose something, see [`AgreedChoice::fraction_of_choosers`]); choices that tie at the cut are
//! listed as undetermined, where they draw one at random; a median between two counts is rounded up,
//! as their documentation says (their script's integer division takes the lower).

use volary_core::Votes;
use volary_core::votes::{NO_ANSWER, QuestionKind, Vote};

use crate::consensus::{AnswerShare, Consensus, Item};
use crate::error::CrowdError;
use crate::fraction::{FractionParams, TIE, check_counted, fraction};
use crate::interval::Interval;
use crate::repeats::Counted;
use crate::weights::Weights;

/// What the crowd says on one subject of a survey.
#[derive(Clone, Debug, PartialEq)]
pub struct SurveyRow {
    /// Index into the questions.
    pub question: u32,
    /// Index into the subjects.
    pub subject: u32,
    /// Volunteers who saw it.
    pub n_seen: u32,
    /// Those who chose nothing.
    pub n_blank: u32,
    /// Their share.
    pub fraction_blank: f64,
    /// Whether more than half chose nothing; then no choice is agreed.
    pub is_blank: bool,
    /// Median number of different choices of those who chose something, rounded up; 0 where nobody did.
    pub median_choices: u32,
    /// Pielou's evenness of the votes for choices: 0 all for one, 1 all alike; `None` without votes.
    pub evenness: Option<f64>,
    /// The choices agreed on, most votes first.
    pub agreed: Vec<AgreedChoice>,
    /// Choices that tie for the last places, which the votes do not decide.
    pub undetermined: Vec<AgreedChoice>,
}

/// One choice with its details.
#[derive(Clone, Debug, PartialEq)]
pub struct AgreedChoice {
    /// Index into the survey question's answers.
    pub answer: u32,
    /// Votes.
    pub n_votes: u32,
    /// Share of those who saw the subject.
    pub fraction: f64,
    /// Its interval.
    pub interval: Interval,
    /// Share of those who chose something, unweighted.
    pub fraction_of_choosers: f64,
    /// The leading answer of each question about this choice.
    pub details: Vec<LeadingDetail>,
}

/// The leading answer to a question about a choice.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadingDetail {
    /// Index into the questions.
    pub question: u32,
    /// Index into its answers; `None` on a tie.
    pub answer: Option<u32>,
    /// Votes for the leader, or for each that ties.
    pub n_votes: u32,
    /// Volunteers who were asked.
    pub n_asked: u32,
    /// Share of them.
    pub fraction: f64,
    /// Its interval.
    pub interval: Interval,
}

/// One row per survey question and subject.
///
/// # Errors
/// As [`fraction`].
pub fn survey(
    votes: &Votes,
    counted: &Counted,
    weights: Option<&Weights>,
    params: &FractionParams,
) -> Result<Vec<SurveyRow>, CrowdError> {
    survey_of(votes, counted, &fraction(votes, counted, weights, params)?)
}

/// As [`survey`], from fractions already at hand (of the same votes).
///
/// # Errors
/// [`CrowdError::Length`] when `counted` belongs to other votes.
pub fn survey_of(
    votes: &Votes,
    counted: &Counted,
    consensus: &Consensus,
) -> Result<Vec<SurveyRow>, CrowdError> {
    check_counted(votes, counted)?;
    let mut rows = Vec::new();
    for (index, question) in (0..).zip(&votes.questions) {
        if question.kind != QuestionKind::Survey {
            continue;
        }
        let details = details_of(votes, index);
        let items = consensus.of_question(index);
        let mut groups = votes.by_subject(votes.of_question(index));
        for item in items {
            let Some((_, group)) = groups.find(|(subject, _)| *subject == item.subject) else { break };
            rows.push(row(item, median_choices(group, &counted.counts), consensus, &details));
        }
    }
    Ok(rows)
}

/// Per answer of a survey: the questions about it, whose paths are `survey task/choice/question`.
fn details_of(votes: &Votes, survey: u32) -> Vec<Vec<u32>> {
    let survey = &votes.questions[survey as usize];
    let about = |choice: &String| {
        let path = format!("{}/{choice}/", survey.task);
        let asks = |q: &volary_core::votes::Question| {
            q.kind == QuestionKind::Detail && q.workflow == survey.workflow && q.task.starts_with(&path)
        };
        (0..).zip(&votes.questions).filter(|(_, q)| asks(q)).map(|(at, _)| at).collect()
    };
    survey.answers.iter().map(about).collect()
}

/// Over the classifications that chose something, rounded up.
fn median_choices(group: &[Vote], counted: &[bool]) -> u32 {
    let mut numbers: Vec<u32> = group
        .chunk_by(|a, b| a.classification == b.classification)
        .filter(|own| counted[own[0].classification as usize])
        .map(|own| {
            own.chunk_by(|a, b| a.answer == b.answer).filter(|s| s[0].answer != NO_ANSWER).count()
        })
        .filter(|&n| n > 0)
        .map(|n| u32::try_from(n).expect("answers are u32"))
        .collect();
    numbers.sort_unstable();
    match numbers.len() {
        0 => 0,
        n if n % 2 == 1 => numbers[n / 2],
        n => (numbers[n / 2 - 1] + numbers[n / 2]).div_ceil(2),
    }
}

fn row(item: &Item, median: u32, consensus: &Consensus, details: &[Vec<u32>]) -> SurveyRow {
    let n_blank = item.n_seen - item.n_answered;
    let is_blank = 2 * u64::from(n_blank) > u64::from(item.n_seen);
    let mut shares: Vec<AnswerShare> =
        consensus.answers_of(item).iter().filter(|row| row.n_votes > 0).copied().collect();
    let evenness = evenness(&shares);
    shares.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.answer.cmp(&b.answer)));
    let wanted = if is_blank { 0 } else { (median as usize).min(shares.len()) };
    let (agreed, undetermined) = cut(&shares, wanted);
    let choose = |share: &AnswerShare| AgreedChoice {
        answer: share.answer,
        n_votes: share.n_votes,
        fraction: share.fraction,
        interval: share.interval,
        fraction_of_choosers: f64::from(share.n_votes) / f64::from(item.n_answered),
        details: leading_details(item.subject, &details[share.answer as usize], consensus),
    };
    SurveyRow {
        question: item.question,
        subject: item.subject,
        n_seen: item.n_seen,
        n_blank,
        fraction_blank: f64::from(n_blank) / f64::from(item.n_seen),
        is_blank,
        median_choices: median,
        evenness,
        agreed: agreed.iter().map(choose).collect(),
        undetermined: undetermined.iter().map(choose).collect(),
    }
}

/// The first `wanted` of the sorted shares, and those that tie across the cut.
fn cut(shares: &[AnswerShare], wanted: usize) -> (&[AnswerShare], &[AnswerShare]) {
    if wanted == 0 || wanted == shares.len() {
        return (&shares[..wanted], &[]);
    }
    let last = shares[wanted - 1].weight;
    if shares[wanted].weight < last * (1.0 - TIE) {
        return (&shares[..wanted], &[]);
    }
    let start = shares.partition_point(|s| s.weight > last * (1.0 + TIE));
    let end = shares.partition_point(|s| s.weight >= last * (1.0 - TIE));
    (&shares[..start], &shares[start..end])
}

fn evenness(shares: &[AnswerShare]) -> Option<f64> {
    let n = u32::try_from(shares.len()).expect("answers are u32");
    match n {
        0 => None,
        1 => Some(0.0),
        _ => {
            let bits = crate::entropy::entropy_bits(shares.iter().map(|s| f64::from(s.n_votes)));
            Some((bits / f64::from(n).log2()).min(1.0))
        }
    }
}

fn leading_details(subject: u32, questions: &[u32], consensus: &Consensus) -> Vec<LeadingDetail> {
    questions
        .iter()
        .filter_map(|&question| {
            let item = consensus.find(question, subject)?;
            let rows = consensus.answers_of(item);
            let top = crate::fraction::top(rows)?;
            let alone = consensus.leaders(item).len() == 1;
            Some(LeadingDetail {
                question,
                answer: alone.then_some(top.answer),
                n_votes: top.n_votes,
                n_asked: item.n_seen,
                fraction: top.fraction,
                interval: top.interval,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeats::{Repeats, counted};
    use proptest::prelude::*;
    use volary_core::votes::VotesBuilder;

    /// Rows of (volunteer, choices, how many of the first choice) on subject 1.
    fn rows_of(answers: &[(&str, &[&str], Option<&str>)]) -> (Votes, Vec<SurveyRow>) {
        let mut builder = VotesBuilder::default();
        for (volunteer, choices, count) in answers {
            let c = builder.classification("w", "1", volunteer, Some(1), volunteer);
            for choice in *choices {
                builder.vote(c, "T0", QuestionKind::Survey, Some(choice));
            }
            if choices.is_empty() {
                builder.vote(c, "T0", QuestionKind::Survey, None);
            }
            if let (Some(count), Some(choice)) = (count, choices.first()) {
                builder.vote(c, &format!("T0/{choice}/HOWMANY"), QuestionKind::Detail, Some(count));
            }
        }
        let votes = builder.finish();
        let counted = counted(&votes, Repeats::First);
        let rows = survey(&votes, &counted, None, &FractionParams::default()).unwrap();
        (votes, rows)
    }

    fn labels(votes: &Votes, choices: &[AgreedChoice]) -> Vec<String> {
        choices.iter().map(|c| votes.questions[0].answers[c.answer as usize].clone()).collect()
    }

    #[test]
    fn the_plurality_of_a_waterhole() {
        let (votes, rows) = rows_of(&[
            ("a", &["zebra", "gnu"], Some("2")),
            ("b", &["zebra", "gnu"], Some("2")),
            ("c", &["zebra"], Some("3")),
            ("d", &["zebra", "gnu", "lion"], None),
            ("e", &[], None),
        ]);
        let row = &rows[0];
        assert_eq!((row.n_seen, row.n_blank, row.median_choices, row.is_blank), (5, 1, 2, false));
        assert_eq!(labels(&votes, &row.agreed), ["zebra", "gnu"]);
        assert!(row.undetermined.is_empty());
        let zebra = &row.agreed[0];
        assert_eq!((zebra.n_votes, zebra.fraction, zebra.fraction_of_choosers), (4, 0.8, 1.0));
        let detail = &zebra.details[0];
        assert_eq!(detail.answer.map(|a| votes.questions[1].answers[a as usize].as_str()), Some("2"));
        assert_eq!((detail.n_votes, detail.n_asked), (2, 3));
        // 4, 3 and 1 of 8 votes over three choices.
        let h: f64 = [0.5, 0.375, 0.125_f64].iter().map(|p| -p * p.ln()).sum();
        assert!((row.evenness.unwrap() - h / 3.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn ties_at_the_cut_are_listed_not_drawn() {
        let (votes, rows) = rows_of(&[("a", &["zebra"], None), ("b", &["gnu"], None)]);
        assert!(rows[0].agreed.is_empty());
        assert_eq!(labels(&votes, &rows[0].undetermined), ["gnu", "zebra"]);
        assert_eq!(rows[0].evenness, Some(1.0));
    }

    #[test]
    fn medians_between_counts_round_up() {
        let (votes, rows) = rows_of(&[("a", &["zebra"], None), ("b", &["zebra", "gnu"], None)]);
        assert_eq!(rows[0].median_choices, 2);
        assert_eq!(labels(&votes, &rows[0].agreed), ["zebra", "gnu"]);
    }

    #[test]
    fn mostly_blank_is_blank() {
        let (_, rows) = rows_of(&[("a", &["zebra"], None), ("b", &[], None), ("c", &[], None)]);
        assert!(rows[0].is_blank && rows[0].agreed.is_empty());
        assert_eq!(rows[0].evenness, Some(0.0));
        let (_, half) = rows_of(&[("a", &["zebra"], None), ("b", &[], None)]);
        assert!(!half[0].is_blank && half[0].agreed.len() == 1);
    }

    proptest! {
        /// What is agreed has more votes than what is left open, and that more than what is neither; no more
        /// choices are agreed than the median volunteer named; the order of the rows changes nothing.
        #[test]
        fn the_agreed_choices_lead(given in proptest::collection::vec(0..16_u8, 1..30)) {
            let animals = ["ape", "bat", "cat", "dog"];
            let sets: Vec<Vec<&str>> = given
                .iter()
                .map(|set| (0..4).filter(|bit| set >> bit & 1 == 1).map(|bit| animals[bit]).collect())
                .collect();
            let names: Vec<String> = (0..given.len()).map(|v| v.to_string()).collect();
            let of = |order: &[usize]| {
                let answers: Vec<(&str, &[&str], Option<&str>)> =
                    order.iter().map(|&v| (names[v].as_str(), sets[v].as_slice(), None)).collect();
                rows_of(&answers)
            };
            let forward: Vec<usize> = (0..given.len()).collect();
            let backward: Vec<usize> = forward.iter().rev().copied().collect();
            let ((votes, rows), (_, again)) = (of(&forward), of(&backward));
            prop_assert_eq!(&rows, &again);
            let Some(row) = rows.first() else { return Ok(()) };
            prop_assert_eq!((row.n_seen as usize, row.n_blank as usize), (given.len(), given.iter().filter(|g| **g == 0).count()));
            prop_assert!(row.agreed.len() <= row.median_choices as usize);
            let n_of = |name: &str| sets.iter().filter(|s| s.contains(&name)).count();
            let (agreed, open) = (labels(&votes, &row.agreed), labels(&votes, &row.undetermined));
            let is_in = |list: &[String], name: &str| list.iter().any(|l| l == name);
            for a in animals {
                for b in animals {
                    let outside = !is_in(&agreed, b) && !is_in(&open, b);
                    if !row.is_blank && (is_in(&agreed, a) && (is_in(&open, b) || outside) || is_in(&open, a) && outside) {
                        prop_assert!(n_of(a) > n_of(b) || n_of(b) == 0, "{a} {b} {:?}", row);
                    }
                }
            }
        }
    }
}
