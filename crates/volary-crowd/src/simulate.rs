//! A crowd that never was: volunteers of known skill on subjects of known truth.
//!
//! The Dawid–Skene model (1979, doi:10.2307/2346806) with difficulty: volunteer w answers l to a subject
//! of class k and difficulty d with chance (1 − d)·C_w\[k, l\] + d/K. Rows of C_w are Dirichlet around a
//! common mean, difficulties are beta, activity is Zipf's law: a few do most. Volunteers do not learn,
//! tire or copy each other, and their errors are independent given the subject.

use rand::RngExt as _;
use volary_core::Votes;
use volary_core::seed::{Rng, stream};
use volary_core::truth::Truth;
use volary_core::votes::{Question, QuestionKind, Vote};

use crate::draws;
use crate::error::CrowdError;

/// What crowd to simulate; [`simulate`] checks it.
#[derive(Clone, Debug, PartialEq)]
pub struct CrowdParams {
    /// Subjects.
    pub n_subjects: u32,
    /// Volunteers to draw from; with few votes not all of them appear.
    pub n_volunteers: u32,
    /// Classes, from 2.
    pub n_classes: u32,
    /// Mean votes per subject; their number is `min_votes` plus a binomial.
    pub votes_per_subject: f64,
    /// Fewest votes per subject.
    pub min_votes: u32,
    /// Most votes per subject, at most `n_volunteers`.
    pub max_votes: u32,
    /// The i-th busiest volunteer is drawn in proportion to i^−this; 0 is even.
    pub activity_exponent: f64,
    /// Mean chance of a right answer on a subject without difficulty.
    pub skill: f64,
    /// How alike volunteers are: the Dirichlet concentration of a confusion row.
    pub concentration: f64,
    /// Mean difficulty: 0 none, 1 everybody guesses.
    pub difficulty: f64,
    /// Share of each class; empty for even shares.
    pub prevalence: Vec<f64>,
    /// Chance that a vote is followed by another of the same volunteer on the same subject.
    pub repeat_fraction: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for CrowdParams {
    fn default() -> Self {
        Self {
            n_subjects: 1000,
            n_volunteers: 200,
            n_classes: 2,
            votes_per_subject: 10.0,
            min_votes: 5,
            max_votes: 15,
            activity_exponent: 1.0,
            skill: 0.8,
            concentration: 10.0,
            difficulty: 0.1,
            prevalence: Vec::new(),
            repeat_fraction: 0.0,
            seed: 0,
        }
    }
}

impl CrowdParams {
    fn check(&self) -> Result<(), CrowdError> {
        let must = |ok: bool, name, value, must| {
            if ok { Ok(()) } else { Err(CrowdError::Simulation { name, value, must }) }
        };
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let (low, high) = (f64::from(self.min_votes), f64::from(self.max_votes));
        must(self.n_classes >= 2, "n_classes", f64::from(self.n_classes), "at least 2")?;
        must(self.min_votes <= self.max_votes, "min_votes", low, "at most max_votes")?;
        must(self.max_votes <= self.n_volunteers, "max_votes", high, "at most n_volunteers")?;
        let mean = self.votes_per_subject;
        must(
            (low..=high).contains(&mean),
            "votes_per_subject",
            mean,
            "between min_votes and max_votes",
        )?;
        let exponent = self.activity_exponent;
        must((0.0..=5.0).contains(&exponent), "activity_exponent", exponent, "between 0 and 5")?;
        must(self.skill > 0.0 && self.skill < 1.0, "skill", self.skill, "between 0 and 1")?;
        let concentration = self.concentration;
        let fine = concentration > 0.0 && concentration.is_finite();
        must(fine, "concentration", concentration, "a positive number")?;
        must(share(self.difficulty), "difficulty", self.difficulty, "between 0 and 1")?;
        let repeats = self.repeat_fraction;
        must((0.0..=0.9).contains(&repeats), "repeat_fraction", repeats, "between 0 and 0.9")?;
        if !self.prevalence.is_empty() {
            let length = self.prevalence.len() as f64;
            must(
                self.prevalence.len() == self.n_classes as usize,
                "prevalence",
                length,
                "one per class",
            )?;
            let sum: f64 = self.prevalence.iter().sum();
            let all = self.prevalence.iter().all(|&p| share(p));
            must(all && (sum - 1.0).abs() < 1e-9, "prevalence", sum, "shares that sum to 1")?;
        }
        Ok(())
    }
}

/// Votes as flat columns, in the order of subjects, with all that is true about them.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedCrowd {
    /// Classes.
    pub n_classes: u32,
    /// Per vote: subject.
    pub subject: Vec<u32>,
    /// Per vote: volunteer.
    pub volunteer: Vec<u32>,
    /// Per vote: answer.
    pub answer: Vec<u32>,
    /// Per vote: milliseconds since 1970.
    pub created_ms: Vec<i64>,
    /// Per subject: its class.
    pub true_class: Vec<u32>,
    /// Per subject: its difficulty.
    pub difficulty: Vec<f64>,
    /// Per volunteer, true class and answer: the chance, `[volunteer][true][answer]` flattened.
    pub confusion: Vec<f64>,
}

/// Where simulated time starts: 2023-11-14T22:13:20Z.
const START_MS: i64 = 1_700_000_000_000;
/// Two votes a second on average.
const MS_PER_VOTE: f64 = 500.0;

/// Simulates a crowd. The same parameters give the same bytes.
///
/// # Errors
/// [`CrowdError::Simulation`] for a parameter out of its range.
pub fn simulate(params: &CrowdParams) -> Result<SimulatedCrowd, CrowdError> {
    params.check()?;
    let k = params.n_classes as usize;
    let even = [1.0 / f64::from(params.n_classes)].repeat(k);
    let prevalence = if params.prevalence.is_empty() { &even } else { &params.prevalence };
    let rng = &mut stream(params.seed, "simulate subjects");
    let true_class: Vec<u32> = (0..params.n_subjects)
        .map(|_| u32::try_from(draws::index(rng, prevalence.iter().copied())).expect("class"))
        .collect();
    let difficulty: Vec<f64> = (0..params.n_subjects).map(|_| draw_difficulty(rng, params)).collect();
    let mut crowd = SimulatedCrowd {
        n_classes: params.n_classes,
        subject: Vec::new(),
        volunteer: Vec::new(),
        answer: Vec::new(),
        created_ms: Vec::new(),
        true_class,
        difficulty,
        confusion: draw_confusion(params),
    };
    draw_votes(params, &mut crowd);
    Ok(crowd)
}

fn draw_difficulty(rng: &mut Rng, params: &CrowdParams) -> f64 {
    let mean = params.difficulty;
    if mean <= 0.0 || mean >= 1.0 {
        return mean;
    }
    // Four pseudo-votes: spread out, most subjects easy and a few hard where the mean is low.
    draws::beta(rng, 4.0 * mean, 4.0 * (1.0 - mean))
}

fn draw_confusion(params: &CrowdParams) -> Vec<f64> {
    let k = params.n_classes as usize;
    let rng = &mut stream(params.seed, "simulate volunteers");
    let wrong = (1.0 - params.skill) / f64::from(params.n_classes - 1);
    let mut confusion = vec![0.0; params.n_volunteers as usize * k * k];
    for (at, row) in confusion.chunks_exact_mut(k).enumerate() {
        let truth = at % k;
        let shape = |l: usize| params.concentration * if l == truth { params.skill } else { wrong };
        draws::dirichlet(rng, (0..k).map(shape), row);
    }
    confusion
}

fn draw_votes(params: &CrowdParams, crowd: &mut SimulatedCrowd) {
    let rng = &mut stream(params.seed, "simulate votes");
    let times = &mut stream(params.seed, "simulate times");
    let mut who = Lottery::new(params.n_volunteers, params.activity_exponent);
    let span = f64::from(params.n_subjects) * params.votes_per_subject * MS_PER_VOTE;
    let k = params.n_classes as usize;
    let spread = f64::from(params.max_votes - params.min_votes);
    let more = if spread > 0.0 {
        (params.votes_per_subject - f64::from(params.min_votes)) / spread
    } else {
        0.0
    };
    for subject in 0..params.n_subjects {
        let extra = (params.min_votes..params.max_votes).filter(|_| rng.random::<f64>() < more).count();
        let n = params.min_votes as usize + extra;
        for volunteer in who.draw(rng, n) {
            let (truth, d) = (crowd.true_class[subject as usize], crowd.difficulty[subject as usize]);
            let start = (volunteer as usize * k + truth as usize) * k;
            let mut time = START_MS + (times.random::<f64>() * span) as i64;
            loop {
                let row = &crowd.confusion[start..start + k];
                let chance = row.iter().map(|c| (1.0 - d) * c + d / k as f64);
                let answer = u32::try_from(draws::index(rng, chance)).expect("class");
                crowd.subject.push(subject);
                crowd.volunteer.push(volunteer);
                crowd.answer.push(answer);
                crowd.created_ms.push(time);
                if params.repeat_fraction == 0.0 || rng.random::<f64>() >= params.repeat_fraction {
                    break;
                }
                time += 1 + (times.random::<f64>() * 60_000.0) as i64;
            }
        }
    }
}

/// Draws different volunteers for each subject, the busy ones more often.
struct Lottery {
    /// Walker's alias table: (chance to stay, where else).
    alias: Vec<(f64, u32)>,
    weights: Vec<f64>,
    /// Per volunteer: the last round they were drawn in.
    drawn: Vec<u32>,
    round: u32,
}

impl Lottery {
    fn new(n: u32, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=n).map(|i| f64::from(i).powf(-exponent)).collect();
        Self { alias: alias_table(&weights), weights, drawn: vec![0; n as usize], round: 0 }
    }

    fn draw(&mut self, rng: &mut Rng, n: usize) -> Vec<u32> {
        self.round += 1;
        let mut chosen = Vec::with_capacity(n);
        // Rejection is quick unless most are wanted or a few get nearly all draws.
        let mut tries = if 4 * n > self.weights.len() { 0 } else { 50 * n };
        while chosen.len() < n && tries > 0 {
            tries -= 1;
            let at = rng.random_range(0..self.alias.len());
            let (stay, other) = self.alias[at];
            let at = if rng.random::<f64>() < stay { at } else { other as usize };
            if self.drawn[at] != self.round {
                self.drawn[at] = self.round;
                chosen.push(u32::try_from(at).expect("volunteers are u32"));
            }
        }
        if chosen.len() < n {
            self.fill(rng, n, &mut chosen);
        }
        chosen
    }

    /// Efraimidis & Spirakis 2006: the largest ln(U)/w are a weighted draw without replacement.
    fn fill(&mut self, rng: &mut Rng, n: usize, chosen: &mut Vec<u32>) {
        let mut keys: Vec<(f64, u32)> = (0..)
            .zip(&self.weights)
            .zip(&self.drawn)
            .filter(|(_, drawn)| **drawn != self.round)
            .map(|((at, weight), _)| ((1.0 - rng.random::<f64>()).ln() / weight, at))
            .collect();
        keys.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, at) in keys.into_iter().take(n - chosen.len()) {
            chosen.push(at);
        }
    }
}

/// Walker 1977: any discrete law from two uniform draws.
fn alias_table(weights: &[f64]) -> Vec<(f64, u32)> {
    let total: f64 = weights.iter().sum();
    let mut scaled: Vec<f64> = weights.iter().map(|w| w / total * weights.len() as f64).collect();
    let mut table: Vec<(f64, u32)> = (0..).take(weights.len()).map(|at| (1.0, at)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..weights.len()).partition(|&i| scaled[i] < 1.0);
    while let (Some(s), Some(&l)) = (small.pop(), large.last()) {
        table[s] = (scaled[s], u32::try_from(l).expect("volunteers are u32"));
        scaled[l] -= 1.0 - scaled[s];
        if scaled[l] < 1.0 {
            large.pop();
            small.push(l);
        }
    }
    table
}

impl SimulatedCrowd {
    /// How many votes.
    #[must_use]
    pub fn n_votes(&self) -> usize {
        self.subject.len()
    }

    /// The name of a volunteer, made so that names sort as numbers do.
    #[must_use]
    pub fn volunteer_name(volunteer: u32) -> String {
        format!("v{volunteer:010}")
    }

    /// The votes as every method reads them: question "T0" of workflow "", answers "0", "1", ….
    /// Exactly what a `VotesBuilder` makes of these columns, without the detour through text.
    #[must_use]
    pub fn to_votes(&self) -> Votes {
        let n = self.n_votes();
        let (subjects, subject_rank) = used(&self.subject, |s| s.to_string());
        let (volunteers, volunteer_rank) = used(&self.volunteer, Self::volunteer_name);
        let mut order: Vec<u32> = (0..u32::try_from(n).expect("fewer than 2^32 votes")).collect();
        order.sort_unstable_by_key(|&i| {
            let i = i as usize;
            (self.subject[i], self.volunteer[i], self.created_ms[i], i)
        });
        let pick = |column: &[u32], rank: &[u32]| -> Vec<u32> {
            order.iter().map(|&i| rank[column[i as usize] as usize]).collect()
        };
        let vote = |(classification, &i): (u32, &u32)| Vote {
            classification,
            question: 0,
            answer: self.answer[i as usize],
        };
        let mut arrival: Vec<u32> = (0..u32::try_from(n).expect("fewer than 2^32 votes")).collect();
        arrival.sort_unstable_by_key(|&at| {
            let i = order[at as usize];
            (self.created_ms[i as usize], i)
        });
        let question = Question {
            workflow: String::new(),
            task: "T0".to_owned(),
            kind: QuestionKind::Single,
            answers: (0..self.n_classes).map(|k| k.to_string()).collect(),
        };
        Votes {
            questions: vec![question],
            workflows: if n == 0 { Vec::new() } else { vec![String::new()] },
            subject: pick(&self.subject, &subject_rank),
            volunteer: pick(&self.volunteer, &volunteer_rank),
            workflow: vec![0; n],
            created_ms: order.iter().map(|&i| self.created_ms[i as usize]).collect(),
            arrival,
            votes: (0..).zip(&order).map(vote).collect(),
            subjects,
            volunteers,
        }
    }

    /// The true class of every subject, for task "T0".
    #[must_use]
    pub fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for (subject, class) in self.true_class.iter().enumerate() {
            truth.add("T0", &subject.to_string(), &class.to_string());
        }
        truth
    }
}

/// The names that a column uses, and from number to rank among them.
fn used(column: &[u32], name: impl Fn(u32) -> String) -> (Vec<String>, Vec<u32>) {
    let size = column.iter().max().map_or(0, |&m| m as usize + 1);
    let mut present = vec![false; size];
    for &value in column {
        present[value as usize] = true;
    }
    let (mut names, mut rank) = (Vec::new(), vec![0; size]);
    for (value, _) in (0..).zip(&present).filter(|(_, used)| **used) {
        rank[value as usize] = u32::try_from(names.len()).expect("u32");
        names.push(name(value));
    }
    (names, rank)
}

#[cfg(test)]
#[path = "simulate_tests.rs"]
mod tests;
