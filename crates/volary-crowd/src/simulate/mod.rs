//! A crowd that never was: volunteers of known skill on subjects of known truth.
//!
//! The Dawid–Skene model (1979, doi:10.2307/2346806) with difficulty: volunteer w answers l to a subject
//! of class k and difficulty d with chance (1 − d)·C_w\[k, l\] + d/K. Rows of C_w are Dirichlet around a
//! common mean, difficulties are beta, activity is Zipf's law: a few do most. By default volunteers do
//! not learn, tire or copy each other, and their errors are independent given the subject.
//!
//! [`Effects`] takes each of these comforts away: kinds of volunteers (spammers among them), learning and
//! fatigue, a bias that a group shares, subjects that tempt many to the same wrong answer, copying. All
//! that was drawn comes out in [`SimulatedCrowd`], so that a method can be asked to find it again. For a
//! question with several answers see [`multiple`].

mod behaviour;
mod lottery;
mod machine;
pub mod multiple;
mod params;
mod people;

use rand::RngExt as _;
use volary_core::Votes;
use volary_core::seed::{Rng, stream};
use volary_core::truth::Truth;
use volary_core::votes::{Question, QuestionKind, Vote};

pub use self::params::{
    CrowdParams, Effects, Machine, Scale, SharedBias, Spread, Temptation, VolunteerKind,
};

use self::lottery::Lottery;
use crate::draws;
use crate::error::CrowdError;

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
    /// Per volunteer: what they are like.
    pub kind: Vec<VolunteerKind>,
    /// Per volunteer: whether they are of the group that shares a bias (it is in `confusion`).
    pub shares_bias: Vec<bool>,
    /// Per volunteer: what the logit of a right answer gains per ln(1 + votes before).
    pub learning: Vec<f64>,
    /// Per volunteer: what it gains per vote since a gap of 30 minutes.
    pub fatigue: Vec<f64>,
    /// Per subject: the wrong answer that tempts, where there is one.
    pub tempting: Vec<Option<u32>>,
    /// Per subject: whether its class is given away.
    pub is_gold: Vec<bool>,
    /// Per subject and class: the machine's score, `[subject][class]` flattened; empty without a machine.
    pub scores: Vec<f64>,
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
    let effects = &params.effects;
    let people = people::draw(params);
    let tempting = behaviour::draw_temptations(params, &true_class);
    let scores = effects
        .machine
        .map_or_else(Vec::new, |machine| machine::scores(machine, &true_class, prevalence, params.seed));
    let mut crowd = SimulatedCrowd {
        n_classes: params.n_classes,
        subject: Vec::new(),
        volunteer: Vec::new(),
        answer: Vec::new(),
        created_ms: Vec::new(),
        true_class,
        difficulty,
        confusion: people.confusion,
        kind: people.kind,
        shares_bias: people.shares_bias,
        learning: people.learning,
        fatigue: people.fatigue,
        tempting,
        is_gold: draw_gold(params),
        scores,
    };
    draw_votes(params, &mut crowd);
    if effects.session_votes > 0.0 {
        behaviour::work_in_sessions(params, &crowd.volunteer, &mut crowd.created_ms);
    }
    if effects.change_answers() {
        behaviour::answer_anew(params, &mut crowd);
    }
    Ok(crowd)
}

fn draw_gold(params: &CrowdParams) -> Vec<bool> {
    let rng = &mut stream(params.seed, "simulate gold");
    let share = params.effects.gold_share;
    (0..params.n_subjects).map(|_| share > 0.0 && rng.random::<f64>() < share).collect()
}

fn draw_difficulty(rng: &mut Rng, params: &CrowdParams) -> f64 {
    let mean = params.difficulty;
    if mean <= 0.0 || mean >= 1.0 {
        return mean;
    }
    // Four pseudo-votes: spread out, most subjects easy and a few hard where the mean is low.
    draws::beta(rng, 4.0 * mean, 4.0 * (1.0 - mean))
}

/// The chances of the answers of one volunteer to one subject, before learning, fatigue and temptation.
struct Chances {
    k: usize,
    /// What is answered to a subject of difficulty 1, `[true][answer]`; `None` for a guess.
    hopeless: Option<Vec<f64>>,
}

impl Chances {
    fn new(params: &CrowdParams) -> Self {
        let k = params.n_classes as usize;
        let Effects { hopeless_skill, scale, .. } = &params.effects;
        let hopeless = hopeless_skill.map(|skill| people::even_matrix(*scale, skill, k));
        Self { k, hopeless }
    }

    /// Fills `row`.
    fn fill(&self, crowd: &SimulatedCrowd, (subject, volunteer): (u32, u32), row: &mut [f64]) {
        let (k, v) = (self.k, volunteer as usize);
        let truth = crowd.true_class[subject as usize] as usize;
        let looks = crowd.kind[v] != VolunteerKind::Spammer;
        let d = if looks { crowd.difficulty[subject as usize] } else { 0.0 };
        let start = (v * k + truth) * k;
        let own = &crowd.confusion[start..start + k];
        match &self.hopeless {
            None => {
                row.iter_mut().zip(own).for_each(|(p, c)| *p = (1.0 - d) * c + d / k as f64);
            }
            Some(matrix) => {
                let hard = &matrix[truth * k..(truth + 1) * k];
                row.iter_mut().zip(own).zip(hard).for_each(|((p, c), h)| *p = (1.0 - d) * c + d * h);
            }
        }
    }
}

fn draw_votes(params: &CrowdParams, crowd: &mut SimulatedCrowd) {
    let chances = Chances::new(params);
    let mut row = vec![0.0; chances.k];
    visits(params, |rng, visit| {
        chances.fill(crowd, (visit.subject, visit.volunteer), &mut row);
        let answer = draws::index(rng, row.iter().copied());
        crowd.subject.push(visit.subject);
        crowd.volunteer.push(visit.volunteer);
        crowd.answer.push(u32::try_from(answer).expect("class"));
        crowd.created_ms.push(visit.created_ms);
    });
}

/// A volunteer at a subject.
struct Visit {
    subject: u32,
    volunteer: u32,
    created_ms: i64,
}

/// Draws who comes to which subject, and when; `visit` may draw from the same stream.
fn visits(params: &CrowdParams, mut visit: impl FnMut(&mut Rng, Visit)) {
    let rng = &mut stream(params.seed, "simulate votes");
    let times = &mut stream(params.seed, "simulate times");
    let mut who = Lottery::new(params.n_volunteers, params.activity_exponent);
    let span = f64::from(params.n_subjects) * params.votes_per_subject * MS_PER_VOTE;
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
            let mut created_ms = START_MS + (times.random::<f64>() * span) as i64;
            loop {
                visit(rng, Visit { subject, volunteer, created_ms });
                if params.repeat_fraction == 0.0 || rng.random::<f64>() >= params.repeat_fraction {
                    break;
                }
                created_ms += 1 + (times.random::<f64>() * 60_000.0) as i64;
            }
        }
    }
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

    /// The true class of the gold subjects, for task "T0".
    #[must_use]
    pub fn gold(&self) -> Truth {
        let mut truth = Truth::default();
        for (subject, (class, is_gold)) in self.true_class.iter().zip(&self.is_gold).enumerate() {
            if *is_gold {
                truth.add("T0", &subject.to_string(), &class.to_string());
            }
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
mod effects_tests;
#[cfg(test)]
mod tests;
