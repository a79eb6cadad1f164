//! What crowd to simulate, and what is refused.

use crate::error::CrowdError;

/// What crowd to simulate; [`super::simulate`] checks it.
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
    /// Mean chance of a right answer on a subject without difficulty (of [`VolunteerKind::Plain`] ones).
    pub skill: f64,
    /// How alike volunteers are: the Dirichlet concentration of a confusion row.
    pub concentration: f64,
    /// Mean difficulty: 0 none, 1 everybody guesses.
    pub difficulty: f64,
    /// Share of each class; empty for even shares.
    pub prevalence: Vec<f64>,
    /// Chance that a vote is followed by another of the same volunteer on the same subject.
    pub repeat_fraction: f64,
    /// What makes crowds harder to judge than that; none by default.
    pub effects: Effects,
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
            effects: Effects::default(),
            seed: 0,
        }
    }
}

/// What a volunteer is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolunteerKind {
    /// Rows of the matrix are Dirichlet around the crowd's mean matrix.
    #[default]
    Plain,
    /// Right with Beta(40, 3).
    Expert,
    /// Right with Beta(12, 4).
    Typical,
    /// Right with Beta(14, 4), but mixes up two classes of their own: 35 % of each go to the other.
    Confuser,
    /// Right with Beta(12, 4), but says class 1 a quarter of the time whatever it is.
    Optimist,
    /// Answers from a fixed distribution, Dirichlet(0.7), whatever the subject.
    Spammer,
}

impl VolunteerKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::Expert, Self::Typical, Self::Confuser, Self::Optimist, Self::Spammer];

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Expert => "expert",
            Self::Typical => "typical",
            Self::Confuser => "confuser",
            Self::Optimist => "optimist",
            Self::Spammer => "spammer",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// A crowd of all sorts: 10 % experts, 65 % typical, 12 % confusers, 8 % optimists, 5 % spammers.
    #[must_use]
    pub fn mixed() -> Vec<(Self, f64)> {
        vec![
            (Self::Expert, 0.10),
            (Self::Typical, 0.65),
            (Self::Confuser, 0.12),
            (Self::Optimist, 0.08),
            (Self::Spammer, 0.05),
        ]
    }
}

/// A quantity that differs from volunteer to volunteer: normal, with this mean and standard deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation over the volunteers.
    pub sd: f64,
}

impl Spread {
    pub(super) fn is_none(self) -> bool {
        self.mean == 0.0 && self.sd == 0.0
    }
}

/// How wrong answers lie to the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// All wrong answers are alike.
    #[default]
    Nominal,
    /// The classes are grades: an answer two grades off is half as likely as one grade off, and so on.
    Ordinal,
}

/// Volunteers who share a confusion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharedBias {
    /// Share of the volunteers.
    pub share: f64,
    /// The class that they take for another.
    pub from: u32,
    /// What they take it for.
    pub to: u32,
    /// The part of their right answers to `from` that becomes `to`.
    pub strength: f64,
}

/// Subjects with a wrong answer of their own, for which many fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temptation {
    /// Share of the subjects.
    pub share: f64,
    /// Chance that a volunteer falls for it instead of looking.
    pub pull: f64,
}

/// A classifier that scores every subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Chance that, of a subject of one class and one of another, the scores put the right one first
    /// (Hand & Till's pairwise AUC); 0.5 knows nothing.
    pub auc: f64,
    /// Factor on the logits: 1 calibrated, more is too sure, less not sure enough.
    pub sharpness: f64,
}

/// What makes crowds hard to judge. The default has none of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Kinds of volunteers and their shares; empty for plain ones only.
    pub kinds: Vec<(VolunteerKind, f64)>,
    /// Mean confusion matrix of plain volunteers, `[true][answer]` flattened; empty for `skill` on the
    /// diagonal.
    pub mean_confusion: Vec<f64>,
    /// How wrong answers lie to the right one.
    pub scale: Scale,
    /// Chance of the right answer on a subject of difficulty 1; none for a guess, 1/K. Spammers do not
    /// look, so difficulty changes nothing for them.
    pub hopeless_skill: Option<f64>,
    /// λ of each volunteer: the logit of a right answer at the vote after `j` others gains λ·ln(1 + j).
    pub learning: Spread,
    /// φ of each volunteer: the same logit gains φ·(votes since a gap of 30 minutes); negative tires.
    pub fatigue: Spread,
    /// Mean votes of a session; 0 for votes at any time.
    pub session_votes: f64,
    /// Volunteers who share a confusion.
    pub shared_bias: Option<SharedBias>,
    /// Subjects with a tempting wrong answer.
    pub temptation: Option<Temptation>,
    /// Chance that a vote repeats the vote before it on the same subject.
    pub copying: f64,
    /// Share of the subjects whose class is given away as gold.
    pub gold_share: f64,
    /// A classifier.
    pub machine: Option<Machine>,
}

impl Effects {
    /// Whether an answer depends on more than the volunteer's matrix and the subject's difficulty.
    pub(super) fn change_answers(&self) -> bool {
        let Self { learning, fatigue, .. } = self;
        !learning.is_none() || !fatigue.is_none() || self.temptation.is_some() || self.copying > 0.0
    }
}

fn must(ok: bool, name: &'static str, value: f64, must: &'static str) -> Result<(), CrowdError> {
    if ok { Ok(()) } else { Err(CrowdError::Simulation { name, value, must }) }
}

fn share(x: f64) -> bool {
    (0.0..=1.0).contains(&x)
}

impl CrowdParams {
    pub(super) fn check(&self) -> Result<(), CrowdError> {
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
        self.check_prevalence()?;
        self.check_kinds()?;
        self.check_answers()?;
        self.check_time()
    }

    fn check_prevalence(&self) -> Result<(), CrowdError> {
        if self.prevalence.is_empty() {
            return Ok(());
        }
        let length = self.prevalence.len() as f64;
        must(self.prevalence.len() == self.n_classes as usize, "prevalence", length, "one per class")?;
        let sum: f64 = self.prevalence.iter().sum();
        let all = self.prevalence.iter().all(|&p| share(p));
        must(all && (sum - 1.0).abs() < 1e-9, "prevalence", sum, "shares that sum to 1")
    }

    fn check_kinds(&self) -> Result<(), CrowdError> {
        let Effects { kinds, mean_confusion, .. } = &self.effects;
        if !kinds.is_empty() {
            let sum: f64 = kinds.iter().map(|(_, s)| s).sum();
            let all = kinds.iter().all(|(_, s)| share(*s));
            must(all && (sum - 1.0).abs() < 1e-9, "kinds", sum, "shares that sum to 1")?;
        }
        if !mean_confusion.is_empty() {
            let (k, cells) = (self.n_classes as usize, mean_confusion.len());
            must(cells == k * k, "mean_confusion", cells as f64, "a cell per true class and answer")?;
            for row in mean_confusion.chunks_exact(k) {
                let sum: f64 = row.iter().sum();
                let all = row.iter().all(|p| *p > 0.0);
                let name = "mean_confusion";
                must(
                    all && (sum - 1.0).abs() < 1e-9,
                    name,
                    sum,
                    "rows of positive chances that sum to 1",
                )?;
            }
        }
        Ok(())
    }

    fn check_answers(&self) -> Result<(), CrowdError> {
        let Effects { hopeless_skill, shared_bias, temptation, copying, gold_share, machine, .. } =
            &self.effects;
        if let Some(skill) = *hopeless_skill {
            must(share(skill), "hopeless_skill", skill, "between 0 and 1")?;
        }
        if let Some(bias) = shared_bias {
            must(share(bias.share), "shared_bias.share", bias.share, "between 0 and 1")?;
            must(share(bias.strength), "shared_bias.strength", bias.strength, "between 0 and 1")?;
            let (from, to) = (f64::from(bias.from), f64::from(bias.to));
            must(bias.from < self.n_classes, "shared_bias.from", from, "a class, counted from 0")?;
            let other = bias.to < self.n_classes && bias.to != bias.from;
            must(other, "shared_bias.to", to, "another class, counted from 0")?;
        }
        if let Some(temptation) = temptation {
            must(share(temptation.share), "temptation.share", temptation.share, "between 0 and 1")?;
            must(share(temptation.pull), "temptation.pull", temptation.pull, "between 0 and 1")?;
        }
        must(share(*copying), "copying", *copying, "between 0 and 1")?;
        must(share(*gold_share), "gold_share", *gold_share, "between 0 and 1")?;
        if let Some(machine) = machine {
            must((0.5..1.0).contains(&machine.auc), "machine.auc", machine.auc, "from 0.5 to below 1")?;
            let fine = machine.sharpness > 0.0 && machine.sharpness.is_finite();
            must(fine, "machine.sharpness", machine.sharpness, "a positive number")?;
        }
        Ok(())
    }

    fn check_time(&self) -> Result<(), CrowdError> {
        let Effects { learning, fatigue, session_votes, .. } = &self.effects;
        let fine = |x: f64| x.is_finite() && x.abs() <= 100.0;
        must(fine(learning.mean), "learning.mean", learning.mean, "between -100 and 100")?;
        must(fine(fatigue.mean), "fatigue.mean", fatigue.mean, "between -100 and 100")?;
        for (name, sd) in [("learning.sd", learning.sd), ("fatigue.sd", fatigue.sd)] {
            must((0.0..=100.0).contains(&sd), name, sd, "between 0 and 100")?;
        }
        let fine = *session_votes == 0.0 || (1.0..=1e6).contains(session_votes);
        must(fine, "session_votes", *session_votes, "0 (no sessions) or from 1 to a million")
    }
}
