//! SWAP: who is right, one vote after the other, with skill learnt from known subjects or from itself.
//!
//! Marshall et al. 2016 (Space Warps, doi:10.1093/mnras/stv2009) for two classes; K classes as in kSWAP
//! (Wright et al. 2019). A vote `l` of volunteer w on subject t multiplies the chance of class k by
//! w's chance of saying `l` when k is true:
//!
//! ```text
//! log p_t(k) += log C_w[k, l]        C_w[k, l] = (n_w[k, l] + pseudo-count) / (Σ_l of the same)
//! ```
//!
//! Then w learns: n_w[g, l] += 1 on a subject known to be of class g; with [`Learning::SelfTaught`],
//! n_w[k, l] += p_t(k) on any other. The vote is judged first and learnt from afterwards, so nobody's
//! vote is weighed by itself. When a subject is settled, what its voters learnt from it moves to what is
//! believed at that time. Results depend on the order of the votes.
//!
//! Differs from the sources: sums are of logs, so thousands of votes on one subject do not underflow;
//! rows of C sum to one whatever K ([`Denominator::TwoGamma`] gives kSWAP's n + 2γ); volunteers may
//! start better than chance, without which nothing could be learnt without gold; Space Warps' skepticism
//! and its random trajectories are left out, since every cell has a Dirichlet posterior. For a model
//! that does not depend on the order, see Dawid–Skene.

mod maths;
mod params;
mod running;
mod skill;

use volary_core::votes::NO_ANSWER;

use maths::softmax;
use params::checked;

pub use params::{Denominator, Learning, Pace, SwapError, SwapParams, Threshold};
pub use running::{SwapMethod, SwapRunning, Swapped, swap_poll};
pub use skill::efficiency;

/// Up to this many classes a volunteer's skill in bits is kept up to date vote by vote.
const FEW_CLASSES: usize = 8;

/// Votes in the order in which they came, as columns of equal length.
#[derive(Clone, Copy, Debug)]
pub struct SwapVotes<'a> {
    /// Number of answers K.
    pub n_answers: usize,
    /// Number of volunteers.
    pub n_volunteers: usize,
    /// Known class per subject; its length is the number of subjects.
    pub gold: &'a [Option<u32>],
    /// Per vote: subject.
    pub subject: &'a [u32],
    /// Per vote: volunteer.
    pub volunteer: &'a [u32],
    /// Per vote: answer; [`NO_ANSWER`] says nothing.
    pub answer: &'a [u32],
}

/// Runs SWAP over all votes; the engine that comes back holds everything.
///
/// `posteriors()` is `[n_subjects, K]`, `counts()` is `[n_volunteers, K (true), K (given)]`.
///
/// # Errors
/// [`SwapError`], where a parameter or an index is out of its range.
pub fn swap(votes: &SwapVotes<'_>, params: &SwapParams) -> Result<Swap, SwapError> {
    let mut engine = Swap::of(votes, params)?;
    let all = 0..votes.subject.len();
    let cast = || all.clone().map(|i| (votes.subject[i], votes.volunteer[i], votes.answer[i]));
    match params.pace {
        Pace::Online => {
            for (i, (subject, volunteer, answer)) in cast().enumerate() {
                engine.check(i, subject, volunteer, answer)?;
                engine.judge(subject, volunteer, answer);
                engine.learn(subject, volunteer, answer);
            }
        }
        Pace::Offline => {
            for (i, (subject, volunteer, answer)) in cast().enumerate() {
                engine.check(i, subject, volunteer, answer)?;
                engine.learn(subject, volunteer, answer);
            }
            cast().for_each(|(subject, volunteer, answer)| engine.judge(subject, volunteer, answer));
        }
    }
    Ok(engine)
}

/// Where a subject stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Standing {
    /// More votes are wanted.
    #[default]
    Open,
    /// A threshold is passed.
    Settled {
        /// The answer that is sure, or `None` where the one looked for is rejected.
        answer: Option<u32>,
        /// Votes at that time.
        at_vote: u32,
        /// The probability that passed, at that time.
        probability: f64,
    },
}

/// What a volunteer learnt from a subject that was still open.
#[derive(Clone, Debug)]
struct Lesson {
    volunteer: u32,
    answer: u32,
    believed: Box<[f64]>,
}

/// Whether lessons are kept until their subject is settled.
fn corrects(params: &SwapParams) -> bool {
    params.learning == Learning::SelfTaught && params.threshold.is_some()
}

/// What a vote did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Where the subject stands now.
    pub standing: Standing,
    /// Whether it was settled before and is not any more.
    pub resurrected: bool,
}

/// SWAP's state: log-posteriors of subjects, counts of volunteers. O(K) work a vote, and O(K²) where a
/// volunteer's skill in bits has changed.
#[derive(Clone, Debug)]
pub struct Swap {
    params: SwapParams,
    k: usize,
    right: f64,
    log_prior: Vec<f64>,
    gold: Vec<Option<u32>>,
    log_weight: Vec<f64>,
    /// 1 minus what `leak` took; empty without a leak.
    mass: Vec<f64>,
    n_votes: Vec<u32>,
    standing: Vec<Standing>,
    n_resurrected: u64,
    counts: Vec<f64>,
    /// Sums of the rows of `counts`, kept so that they do not depend on the order of the answers.
    totals: Vec<f64>,
    n_cast: Vec<u64>,
    contribution: Vec<f64>,
    /// Skill in bits; NaN where the counts have changed since.
    bits: Vec<f64>,
    kept: Vec<Vec<(u32, u32)>>,
    /// Per open subject: what its voters have learnt from it so far (self-taught, with a threshold).
    taught: Vec<Vec<Lesson>>,
    scratch: Vec<f64>,
    sorted: Vec<f64>,
}

impl Swap {
    /// Nothing voted yet on `gold.len()` subjects by `n_volunteers` volunteers.
    ///
    /// # Errors
    /// [`SwapError`], where a parameter is out of its range or gold names no answer.
    pub fn new(
        n_answers: usize,
        n_volunteers: usize,
        gold: Vec<Option<u32>>,
        params: &SwapParams,
    ) -> Result<Self, SwapError> {
        let log_prior = checked(n_answers, params)?;
        let wrong_gold =
            gold.iter().enumerate().find(|(_, g)| g.is_some_and(|g| g as usize >= n_answers));
        if let Some((at, Some(g))) = wrong_gold.map(|(at, g)| (at, *g)) {
            return Err(SwapError::Index {
                vote: at,
                what: "gold answer",
                index: g as usize,
                n: n_answers,
            });
        }
        let k = n_answers;
        let n_subjects = gold.len();
        Ok(Self {
            right: params.right.unwrap_or(2.0 * (k.max(2) - 1) as f64 * params.wrong),
            k,
            log_weight: log_prior.iter().copied().cycle().take(n_subjects * k).collect(),
            mass: if params.leak > 0.0 { vec![1.0; n_subjects] } else { Vec::new() },
            n_votes: vec![0; n_subjects],
            standing: vec![Standing::Open; n_subjects],
            n_resurrected: 0,
            counts: vec![0.0; n_volunteers * k * k],
            totals: vec![0.0; n_volunteers * k],
            n_cast: vec![0; n_volunteers],
            contribution: vec![0.0; n_volunteers],
            bits: vec![f64::NAN; n_volunteers],
            kept: if params.keep_votes { vec![Vec::new(); n_subjects] } else { Vec::new() },
            taught: if corrects(params) { vec![Vec::new(); n_subjects] } else { Vec::new() },
            scratch: vec![0.0; k],
            sorted: Vec::with_capacity(k),
            params: params.clone(),
            log_prior,
            gold,
        })
    }

    /// Nothing voted yet on the subjects of `votes`.
    fn of(votes: &SwapVotes<'_>, params: &SwapParams) -> Result<Self, SwapError> {
        let [n_subjects, n_volunteers, n_answers] =
            [votes.subject.len(), votes.volunteer.len(), votes.answer.len()];
        if n_subjects != n_volunteers || n_subjects != n_answers {
            return Err(SwapError::Columns { n_subjects, n_volunteers, n_answers });
        }
        Self::new(votes.n_answers, votes.n_volunteers, votes.gold.to_vec(), params)
    }

    /// Adds a subject, known or not, and gives its index.
    ///
    /// # Panics
    /// When there are more than 2^32 subjects.
    pub fn add_subject(&mut self, gold: Option<u32>) -> u32 {
        let index = u32::try_from(self.gold.len()).expect("fewer than 2^32 subjects");
        self.gold.push(gold.filter(|g| (*g as usize) < self.k));
        self.log_weight.extend_from_slice(&self.log_prior);
        if self.params.leak > 0.0 {
            self.mass.push(1.0);
        }
        if self.params.keep_votes {
            self.kept.push(Vec::new());
        }
        if corrects(&self.params) {
            self.taught.push(Vec::new());
        }
        self.n_votes.push(0);
        self.standing.push(Standing::Open);
        index
    }

    /// Adds a volunteer and gives its index.
    ///
    /// # Panics
    /// When there are more than 2^32 volunteers.
    pub fn add_volunteer(&mut self) -> u32 {
        let index = u32::try_from(self.n_cast.len()).expect("fewer than 2^32 volunteers");
        self.counts.resize(self.counts.len() + self.k * self.k, 0.0);
        self.totals.resize(self.totals.len() + self.k, 0.0);
        self.n_cast.push(0);
        self.contribution.push(0.0);
        self.bits.push(f64::NAN);
        index
    }

    /// Takes in one vote: judges it, then lets the volunteer learn. Votes on settled subjects count too,
    /// and may open them again.
    ///
    /// # Errors
    /// [`SwapError::Index`] for a subject, volunteer or answer that is not there.
    pub fn vote(&mut self, subject: u32, volunteer: u32, answer: u32) -> Result<Judged, SwapError> {
        self.check(0, subject, volunteer, answer)?;
        let before = self.standing[subject as usize];
        self.judge(subject, volunteer, answer);
        self.learn(subject, volunteer, answer);
        let standing = self.standing[subject as usize];
        let resurrected = before != Standing::Open && standing == Standing::Open;
        Ok(Judged { standing, resurrected })
    }

    fn check(&self, vote: usize, subject: u32, volunteer: u32, answer: u32) -> Result<(), SwapError> {
        let within = |what, index: u32, n| match (index as usize) < n {
            true => Ok(()),
            false => Err(SwapError::Index { vote, what, index: index as usize, n }),
        };
        within("subject", subject, self.gold.len())?;
        within("volunteer", volunteer, self.n_cast.len())?;
        if answer == NO_ANSWER { Ok(()) } else { within("answer", answer, self.k) }
    }

    fn judge(&mut self, subject: u32, volunteer: u32, answer: u32) {
        if answer == NO_ANSWER {
            return;
        }
        let (s, w) = (subject as usize, volunteer as usize);
        let before = if self.mass.is_empty() { 0.0 } else { self.fill_posterior(s) };
        let answer_at = answer as usize;
        let log_chance = |class: usize| self.chance(w, class, answer_at).ln();
        let least = self.params.vote_floor.map(|floor| {
            let others = (0..self.k).filter(|&class| class != answer_at);
            others.map(log_chance).fold(f64::NEG_INFINITY, f64::max) + floor
        });
        for true_class in 0..self.k {
            let mut log = self.chance(w, true_class, answer_at).ln();
            if let (Some(least), true) = (least, true_class == answer_at) {
                log = log.max(least);
            }
            self.log_weight[s * self.k + true_class] += log;
        }
        self.n_votes[s] += 1;
        self.n_cast[w] += 1;
        let skill = self.skill_bits(w);
        self.bits[w] = skill;
        self.contribution[w] += skill;
        if !self.kept.is_empty() {
            self.kept[s].push((volunteer, answer));
        }
        let after = self.fill_posterior(s);
        if let Some(mass) = self.mass.get_mut(s) {
            let chance = *mass * (after - before).exp();
            *mass = chance / (chance + self.params.leak);
        }
        self.stand(s);
    }

    fn learn(&mut self, subject: u32, volunteer: u32, answer: u32) {
        if answer == NO_ANSWER {
            return;
        }
        let (k, row) = (self.k, volunteer as usize * self.k);
        match (self.gold[subject as usize], self.params.learning) {
            (Some(class), _) => {
                self.counts[(row + class as usize) * k + answer as usize] += 1.0;
                self.totals[row + class as usize] += 1.0;
            }
            // `scratch` holds the posterior of the vote that has just been judged.
            (None, Learning::SelfTaught) => {
                for class in 0..k {
                    self.counts[(row + class) * k + answer as usize] += self.scratch[class];
                    self.totals[row + class] += self.scratch[class];
                }
                self.correct(subject as usize, volunteer, answer);
            }
            (None, Learning::Gold) => return,
        }
        // With many classes the skill in bits is worked out again every K votes only: it takes K² logs.
        let w = volunteer as usize;
        if k <= FEW_CLASSES || self.n_cast[w].is_multiple_of(k as u64) {
            self.bits[w] = f64::NAN;
        }
    }

    /// When a subject is settled, what its earlier voters learnt from it moves to what is believed now:
    /// they were taught while it was still open.
    fn correct(&mut self, subject: usize, volunteer: u32, answer: u32) {
        let Some(lessons) = self.taught.get_mut(subject) else { return };
        if self.standing[subject] == Standing::Open {
            let believed = self.scratch.clone().into_boxed_slice();
            lessons.push(Lesson { volunteer, answer, believed });
            return;
        }
        let k = self.k;
        for lesson in std::mem::take(lessons) {
            let row = lesson.volunteer as usize * k;
            for class in 0..k {
                let moved = self.scratch[class] - lesson.believed[class];
                self.counts[(row + class) * k + lesson.answer as usize] += moved;
                self.totals[row + class] += moved;
            }
            self.bits[lesson.volunteer as usize] = f64::NAN;
        }
    }

    /// Puts p(subject) into `scratch`; returns the log of the sum of weights.
    fn fill_posterior(&mut self, subject: usize) -> f64 {
        let row = &self.log_weight[subject * self.k..(subject + 1) * self.k];
        softmax(row, &mut self.scratch, &mut self.sorted)
    }

    /// Compares the posterior in `scratch` with the threshold.
    fn stand(&mut self, subject: usize) {
        let Some(threshold) = self.params.threshold else { return };
        if self.gold[subject].is_some() {
            return;
        }
        let passed = match threshold {
            Threshold::Any(sure) => {
                let best = (0..self.k).max_by(|&a, &b| self.scratch[a].total_cmp(&self.scratch[b]));
                best.filter(|&b| self.scratch[b] >= sure)
                    .map(|b| (u32::try_from(b).ok(), self.scratch[b]))
            }
            Threshold::Of { answer, detect, reject } => match self.scratch[answer as usize] {
                p if p >= detect => Some((Some(answer), p)),
                p if p <= reject => Some((None, p)),
                _ => None,
            },
        };
        let at_vote = self.n_votes[subject];
        let now = match (passed, self.standing[subject]) {
            // Who is settled on the same answer stays as first settled.
            (Some((answer, _)), old @ Standing::Settled { answer: before, .. }) if answer == before => {
                old
            }
            (Some((answer, probability)), _) => Standing::Settled { answer, at_vote, probability },
            (None, _) => Standing::Open,
        };
        if now == Standing::Open && self.standing[subject] != Standing::Open {
            self.n_resurrected += 1;
        }
        self.standing[subject] = now;
    }

    /// Judges every kept vote again by today's skill, so that old mistakes do not stay for ever; opens
    /// or settles subjects accordingly and gives those that were opened again, ascending.
    ///
    /// Does nothing unless `keep_votes` is set.
    pub fn review(&mut self) -> Vec<u32> {
        let mut opened = Vec::new();
        for s in 0..self.kept.len() {
            if self.kept[s].is_empty() {
                continue;
            }
            let mut row = self.log_prior.clone();
            for &(volunteer, answer) in &self.kept[s] {
                for (class, weight) in row.iter_mut().enumerate() {
                    *weight += self.chance(volunteer as usize, class, answer as usize).ln();
                }
            }
            self.log_weight[s * self.k..(s + 1) * self.k].copy_from_slice(&row);
            let was = self.standing[s];
            self.fill_posterior(s);
            self.stand(s);
            if was != Standing::Open && self.standing[s] == Standing::Open {
                opened.push(u32::try_from(s).expect("u32"));
            }
        }
        opened
    }

    /// Chance that a volunteer says `given` when `class` is true.
    fn chance(&self, volunteer: usize, class: usize, given: usize) -> f64 {
        let k = self.k;
        let n = self.counts[(volunteer * k + class) * k + given];
        let pseudo = if class == given { self.right } else { self.params.wrong };
        (n + pseudo) / (self.totals[volunteer * k + class] + self.row_pseudo_count())
    }

    fn row_pseudo_count(&self) -> f64 {
        match self.params.denominator {
            Denominator::Row => self.right + self.params.wrong * (self.k - 1) as f64,
            Denominator::TwoGamma => 2.0 * self.params.wrong,
        }
    }

    /// Number of answers K.
    #[must_use]
    pub fn n_answers(&self) -> usize {
        self.k
    }

    /// Number of subjects.
    #[must_use]
    pub fn n_subjects(&self) -> usize {
        self.gold.len()
    }

    /// Number of volunteers.
    #[must_use]
    pub fn n_volunteers(&self) -> usize {
        self.n_cast.len()
    }

    /// Probability of each answer of one subject.
    #[must_use]
    pub fn posterior(&self, subject: u32) -> Vec<f64> {
        let s = subject as usize;
        let mut out = vec![0.0; self.k];
        softmax(&self.log_weight[s * self.k..(s + 1) * self.k], &mut out, &mut Vec::new());
        if let Some(mass) = self.mass.get(s) {
            out.iter_mut().for_each(|p| *p *= mass);
        }
        out
    }

    /// Probabilities of all subjects, `[n_subjects, K]`. Gold subjects show what the votes say of them.
    #[must_use]
    pub fn posteriors(&self) -> Vec<f64> {
        (0..self.n_subjects()).flat_map(|s| self.posterior(u32::try_from(s).expect("u32"))).collect()
    }

    /// Votes taken per subject.
    #[must_use]
    pub fn n_votes(&self) -> &[u32] {
        &self.n_votes
    }

    /// Where each subject stands.
    #[must_use]
    pub fn standings(&self) -> &[Standing] {
        &self.standing
    }

    /// How often a settled subject was opened again.
    #[must_use]
    pub fn n_resurrected(&self) -> u64 {
        self.n_resurrected
    }

    /// What volunteers learnt, `[n_volunteers, K (true), K (given)]`, without pseudo-counts.
    #[must_use]
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }
}

/// The probabilities of one subject after each of its votes, `[votes, K]`, judged as in [`swap`].
///
/// # Errors
/// As [`swap`].
pub fn trajectory(
    votes: &SwapVotes<'_>,
    params: &SwapParams,
    subject: u32,
) -> Result<Vec<Vec<f64>>, SwapError> {
    let mut engine = Swap::of(votes, params)?;
    let cast = || votes.subject.iter().zip(votes.volunteer).zip(votes.answer).enumerate();
    if params.pace == Pace::Offline {
        for (i, ((&s, &w), &answer)) in cast() {
            engine.check(i, s, w, answer)?;
            engine.learn(s, w, answer);
        }
    }
    let mut path = Vec::new();
    for (i, ((&s, &w), &answer)) in cast() {
        engine.check(i, s, w, answer)?;
        engine.judge(s, w, answer);
        if params.pace == Pace::Online {
            engine.learn(s, w, answer);
        }
        if s == subject && answer != NO_ANSWER {
            path.push(engine.posterior(s));
        }
    }
    Ok(path)
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
