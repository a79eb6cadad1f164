//! Histograms with noise: differential privacy for tables that count votes, with a stated budget.
//!
//! What is promised is the volunteer's: whether any one person took part changes the chance of what is
//! published by no more than a factor e^ε, all histograms of a version together. So at most `votes` votes of a
//! person count in a histogram (which ones, the key decides, whatever others did), and each cell gets exact
//! discrete Laplace noise of scale `votes`/ε ([`sampler`]). Bins are what the team says beforehand, never what
//! the data have. Votes of people who were not logged in do not count: nobody can say how many are whose.
//!
//! Noise is a function of the release key and of the histograms themselves: the same inputs give the same
//! package, other votes give other noise (two versions with the same noise would differ by the votes alone),
//! and nobody without the key can tell it. The budget of all versions is kept in a ledger of the team's.
//!
//! Differences to specification 6.4: none of the `opendp` crate, which brings OpenSSL and rand 0.7; a test
//! compares the map of ε and the distribution with its Python wheel.

pub mod sampler;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use self::sampler::{Ratio, Scale};
use crate::calendar::{Resolution, bucket_start, bucket_text, day_of};
use crate::error::ReleaseError;
use crate::key::ReleaseKey;
use crate::pseudonym::block_of;
use crate::votes::{NO_ANSWER, NO_DAY, Vote, Votes};

/// Bands of the number of classifications.
const BANDS: [(&str, u64); 5] =
    [("1-9", 9), ("10-99", 99), ("100-999", 999), ("1000-9999", 9999), ("10000+", u64::MAX)];
/// Weeks from the first day to the last, at most.
const MOST_WEEKS: i32 = 52 * 50;

/// `[noise]` in `release.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// ε of this version, all its histograms together; up to six digits after the point.
    pub epsilon: f64,
    /// ε of all versions together.
    pub lifetime_epsilon: f64,
    /// Votes of a volunteer that count in a histogram, at most.
    pub votes: u32,
    /// First day of a histogram of votes by week; with `to`.
    #[serde(default)]
    pub from: Option<String>,
    /// Its last day.
    #[serde(default)]
    pub to: Option<String>,
    /// A histogram of volunteers by how much they did.
    #[serde(default)]
    pub activity: bool,
    /// Histograms of votes by answer.
    #[serde(default)]
    pub questions: Vec<QuestionBins>,
}

/// The answers of a question, as the team offers them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionBins {
    /// Workflow id.
    #[serde(default)]
    pub workflow: String,
    /// Task.
    pub task: String,
    /// Its answers.
    pub answers: Vec<String>,
}

impl Noise {
    /// Whether the settings can be.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        for (name, epsilon) in [("epsilon", self.epsilon), ("lifetime_epsilon", self.lifetime_epsilon)] {
            if Ratio::of(epsilon).is_none() {
                return Err(format!(
                    "`noise.{name}` is a number above 0 and up to 1000, with up to six digits after the point"
                ));
            }
        }
        if self.lifetime_epsilon < self.epsilon {
            return Err("`noise.lifetime_epsilon` is less than `noise.epsilon`".to_owned());
        }
        if !(1..=1_000_000).contains(&self.votes) {
            return Err("`noise.votes` is from 1 to 1000000".to_owned());
        }
        let weeks = self.weeks()?;
        if weeks.is_none() && !self.activity && self.questions.is_empty() {
            return Err(
                "`[noise]` names no histogram: `from` and `to`, `activity`, `[[noise.questions]]`"
                    .to_owned(),
            );
        }
        for question in &self.questions {
            let mut answers = question.answers.clone();
            answers.sort_unstable();
            answers.dedup();
            if answers.is_empty() || answers.len() != question.answers.len() {
                return Err(format!(
                    "the answers of task {:?} are none, or one stands twice",
                    question.task
                ));
            }
        }
        Ok(())
    }

    /// The Mondays from the first day to the last.
    fn weeks(&self) -> Result<Option<Vec<i32>>, String> {
        let day = |text: &String| {
            let date =
                text.parse::<jiff::civil::Date>().map_err(|_| format!("{text:?} is not a day"))?;
            let at = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|e| e.to_string())?;
            Ok::<i32, String>(day_of(at.timestamp().as_millisecond()))
        };
        let (Some(from), Some(to)) = (&self.from, &self.to) else {
            return match (&self.from, &self.to) {
                (None, None) => Ok(None),
                _ => Err("`noise.from` and `noise.to` go together".to_owned()),
            };
        };
        let (from, to) =
            (bucket_start(day(from)?, Resolution::Week), bucket_start(day(to)?, Resolution::Week));
        if from > to || (to - from) / 7 > MOST_WEEKS {
            return Err("`noise.to` is before `noise.from`, or fifty years after it".to_owned());
        }
        Ok(Some((from..=to).step_by(7).collect()))
    }
}

/// A histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// `week`, `activity` or `answer`.
    pub name: &'static str,
    /// Workflow and task, of `answer`.
    pub question: Option<(String, String)>,
    /// What one person can add to all of its bins together.
    pub sensitivity: u64,
    /// Bins, in order, with their counts.
    pub bins: Vec<(String, i64)>,
}

/// Histograms with noise, and what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Noisy {
    pub(crate) histograms: Vec<(Histogram, Scale)>,
    /// Of the histograms before noise, under the key; says nothing to others.
    pub(crate) digest: String,
    /// Answers that the settings name and that no vote has: for the team, since what nobody said is no secret that a
    /// package may tell.
    pub(crate) unsaid: Vec<String>,
}

/// Counts votes into the histograms of the settings, at most so many of each person.
fn histograms(votes: &Votes, noise: &Noise, key: &ReleaseKey) -> Result<Vec<Histogram>, ReleaseError> {
    let weeks = noise.weeks().map_err(ReleaseError::Refused)?;
    let mac = Hmac::<Sha256>::new(&Array::from(block_of(key.bytes())));
    let mut all = Vec::new();
    if let Some(weeks) = weeks {
        let place: HashMap<i32, usize> = weeks.iter().copied().zip(0..).collect();
        let of = |vote: &Vote| {
            (vote.day != NO_DAY)
                .then(|| place.get(&bucket_start(vote.day, Resolution::Week)).copied())?
        };
        let names = weeks.iter().map(|week| bucket_text(*week, Resolution::Week)).collect();
        all.push(counted(votes, noise, &mac, ("week", None, names), of));
    }
    for question in &noise.questions {
        let asked = votes.question(&question.workflow, &question.task);
        let place: HashMap<u32, usize> = (0..)
            .zip(&question.answers)
            .filter_map(|(at, answer)| Some((votes.answer(answer)?, at)))
            .collect();
        let of =
            |vote: &Vote| (Some(vote.question) == asked).then(|| place.get(&vote.answer).copied())?;
        let named = Some((question.workflow.clone(), question.task.clone()));
        all.push(counted(votes, noise, &mac, ("answer", named, question.answers.clone()), of));
    }
    if noise.activity {
        let mut bins: Vec<(String, i64)> = BANDS.map(|(name, _)| (name.to_owned(), 0)).into();
        let (counts, _) = votes.activity();
        for n in counts.into_iter().filter(|n| *n > 0) {
            let band = BANDS.iter().position(|(_, most)| n <= *most).unwrap_or(BANDS.len() - 1);
            bins[band].1 += 1;
        }
        all.push(Histogram { name: "activity", question: None, sensitivity: 1, bins });
    }
    Ok(all)
}

/// The place of the question that is meant. Noise around nothing would spend the budget.
fn asked(votes: &Votes, question: &QuestionBins) -> Result<u32, ReleaseError> {
    votes.question(&question.workflow, &question.task).ok_or_else(|| {
        let name = |workflow: &str, task: &str| format!("task {task:?} of workflow {workflow:?}");
        let there: Vec<String> = votes.questions.iter().map(|q| name(&q.workflow, &q.task)).collect();
        ReleaseError::Refused(format!(
            "the votes have no {}, which [[noise.questions]] names, and noise around nothing would spend the budget; \
             there are {}",
            name(&question.workflow, &question.task),
            if there.is_empty() { "none".to_owned() } else { there.join(", ") }
        ))
    })
}

/// Answers that the settings name and that no vote has.
fn unsaid(votes: &Votes, noise: &Noise) -> Result<Vec<String>, ReleaseError> {
    let mut unsaid = Vec::new();
    for question in &noise.questions {
        let asked = asked(votes, question)?;
        let said: BTreeSet<u32> =
            votes.rows.iter().filter(|vote| vote.question == asked).map(|vote| vote.answer).collect();
        let is_said = |answer: &&String| votes.answer(answer).is_some_and(|at| said.contains(&at));
        let missing = question.answers.iter().filter(|answer| !is_said(answer));
        unsaid.extend(missing.map(|answer| format!("{answer:?} of task {:?}", question.task)));
    }
    Ok(unsaid)
}

/// One histogram of votes.
fn counted(
    votes: &Votes,
    noise: &Noise,
    mac: &Hmac<Sha256>,
    (name, question, names): (&'static str, Option<(String, String)>, Vec<String>),
    bin_of: impl Fn(&Vote) -> Option<usize>,
) -> Histogram {
    let most = noise.votes as usize;
    let mut of_person: BTreeMap<usize, Vec<(&Vote, usize)>> = BTreeMap::new();
    for vote in votes.rows.iter().filter(|vote| vote.answer != NO_ANSWER) {
        // Whoever was not logged in cannot be promised anything, and does not count.
        let (Some(person), Some(bin)) = (vote.who.volunteer(), bin_of(vote)) else { continue };
        of_person.entry(person).or_default().push((vote, bin));
    }
    let mut bins: Vec<(String, i64)> = names.into_iter().map(|name| (name, 0)).collect();
    let label =
        question.as_ref().map_or_else(String::new, |(w, t)| format!("{}\u{1f}{w}\u{1f}{t}", w.len()));
    for (person, mut own) in of_person {
        if own.len() > most {
            // Which of them count depends on the key and on these votes alone, not on what others did.
            own.sort_by_cached_key(|(vote, _)| {
                let parts = [
                    "volary/noise/choice/1",
                    name,
                    &label,
                    &votes.volunteers[person],
                    &votes.subjects[vote.subject as usize],
                    &votes.questions[vote.question as usize].task,
                    &votes.answers[vote.answer as usize],
                ];
                tag(mac, &parts)
            });
            own.truncate(most);
        }
        for (_, bin) in own {
            bins[bin].1 += 1;
        }
    }
    Histogram { name, question, sensitivity: u64::from(noise.votes), bins }
}

/// Histograms of votes, with noise.
///
/// # Errors
/// [`ReleaseError::Refused`] where there are no votes, or for a question that they do not have.
pub(crate) fn of_votes(
    votes: &Votes,
    noise: &Noise,
    version: &str,
    key: &ReleaseKey,
) -> Result<Noisy, ReleaseError> {
    if votes.rows.is_empty() {
        let what =
            "there are no votes, and noise around nothing would spend the budget; leave [noise] out";
        return Err(ReleaseError::Refused(what.to_owned()));
    }
    let unsaid = unsaid(votes, noise)?;
    Ok(Noisy { unsaid, ..noisy(histograms(votes, noise, key)?, noise, version, key)? })
}

/// Adds noise to histograms.
///
/// # Errors
/// [`ReleaseError::Refused`] for an ε that is none.
fn noisy(
    histograms: Vec<Histogram>,
    noise: &Noise,
    version: &str,
    key: &ReleaseKey,
) -> Result<Noisy, ReleaseError> {
    let refuse =
        || ReleaseError::Refused("`noise.epsilon` is not a number that noise can be made by".to_owned());
    let epsilon = Ratio::of(noise.epsilon).ok_or_else(refuse)?;
    let mac = Hmac::<Sha256>::new(&Array::from(block_of(key.bytes())));
    let mut all = String::new();
    for h in &histograms {
        all.push_str(&format!("{} {:?} {}\n", h.name, h.question, h.sensitivity));
        h.bins.iter().for_each(|(bin, n)| all.push_str(&format!("{bin:?} {n}\n")));
    }
    let ratio = format!("{}/{}", epsilon.num, epsilon.den);
    let digest = data_encoding::HEXLOWER.encode(&tag(&mac, &["volary/noise/1", version, &ratio, &all]));
    let n = histograms.len() as u64;
    let mut out = Vec::new();
    for (at, mut histogram) in histograms.into_iter().enumerate() {
        let scale = Scale::of(histogram.sensitivity, n, epsilon).ok_or_else(refuse)?;
        let seed = tag(&mac, &["volary/noise/stream/1", &digest, &at.to_string()]);
        let mut rng = ChaCha20Rng::from_seed(seed);
        for (_, count) in &mut histogram.bins {
            *count = count.saturating_add(sampler::discrete_laplace(scale, &mut rng));
        }
        out.push((histogram, scale));
    }
    Ok(Noisy { histograms: out, digest, unsaid: Vec::new() })
}

/// HMAC-SHA-256 over parts, each with its length before it.
fn tag(mac: &Hmac<Sha256>, parts: &[&str]) -> [u8; 32] {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// What was spent of the budget: the team's own record, outside of any package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// A line for every version that was made.
    #[serde(default)]
    pub spent: Vec<Spent>,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// The project.
    pub project: String,
    /// The version of its data.
    pub version: String,
    /// Of the histograms before noise, under the key.
    pub digest: String,
    /// What it cost.
    pub epsilon: f64,
}

impl Ledger {
    /// Reads a ledger; one that is not there is empty.
    ///
    /// # Errors
    /// [`ReleaseError`] where it is there and cannot be read.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        toml::from_str(&text).map_err(|e| {
            let what =
                format!("not a ledger of noise ({}); never begin a new one for old data", e.message());
            ReleaseError::settings(path, what)
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReleaseError> {
        let text = toml::to_string(self)
            .map_err(|e| ReleaseError::settings(path, format!("the ledger cannot be written: {e}")))?;
        Ok(volary_ingest::output::write_whole(path, text.as_bytes())?)
    }

    /// Adds a version. The very same histograms with the very same noise again cost nothing.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where the budget of all versions does not suffice.
    pub fn spend(&mut self, new: Spent, lifetime: f64) -> Result<f64, ReleaseError> {
        let of_project = self.spent.iter().filter(|s| s.project == new.project);
        let before: f64 = of_project.map(|s| s.epsilon).sum();
        if self.spent.iter().any(|s| s.project == new.project && s.digest == new.digest) {
            return Ok(before);
        }
        // Sums of decimals are a hair off.
        if before + new.epsilon > lifetime + 1e-9 {
            return Err(ReleaseError::Refused(format!(
                "the budget of noise is spent: {before} of {lifetime} went into earlier versions, and this one asks for {}; \
                 leave [noise] out, or decide on another lifetime_epsilon in the policy",
                new.epsilon
            )));
        }
        let after = before + new.epsilon;
        self.spent.push(new);
        Ok(after)
    }
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
