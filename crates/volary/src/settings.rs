//! Settings: the same on the command line and in `volary.toml`; the command line goes first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use serde::{Deserialize, Serialize};
use volary_crowd::{ExperienceRule, FractionParams, IntervalKind, Repeats};
use volary_ingest::panoptes::RowFilter;
use volary_ingest::panoptes::version::VersionFilter;
use volary_ingest::volunteer::Without;
use volary_release::cost::{Budget, PowerModel};
use volary_release::optout::OptOuts;

use crate::steps::Step;

/// A settings file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) project: ProjectSettings,
    pub(crate) input: InputSettings,
    pub(crate) rows: RowSettings,
    pub(crate) consensus: ConsensusSettings,
    pub(crate) marks: MarksSettings,
    /// Commands to carry out after these, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<Step>,
    /// What electricity is taken to cost.
    pub(crate) cost: PowerModel,
    /// The most that a training may take.
    pub(crate) budget: Budget,
    /// Rules of the live store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) live: Option<volary_live::Policy>,
    /// What the workflows of the live store may be answered with, by their ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) workflows: BTreeMap<String, volary_web::Workflow>,
}

/// What the project is called.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProjectSettings {
    pub(crate) title: Option<String>,
    /// The team's policy; its version stands in every record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PathBuf>,
}

/// Where the project's data are, relative to the settings file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InputSettings {
    pub(crate) exports: Vec<PathBuf>,
    pub(crate) workflows: Option<PathBuf>,
    pub(crate) truth: Option<PathBuf>,
    /// A folder of the subjects' images: `SUBJECT.png` and the like.
    pub(crate) images: Option<PathBuf>,
}

/// Ranges marked on light curves: what they are scored with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MarksSettings {
    /// Injected signals, which teach and judge.
    pub(crate) signals: Option<PathBuf>,
    /// Real signals that are known, which judge only.
    pub(crate) truth: Option<PathBuf>,
    pub(crate) gaps: Option<PathBuf>,
    pub(crate) cadences: Option<PathBuf>,
    pub(crate) light_curves: Option<PathBuf>,
    /// volary, paper or released.
    pub(crate) profile: Option<String>,
    /// satchel or bayes.
    pub(crate) model: Option<String>,
}

impl MarksSettings {
    /// Whether something is known of the light curves.
    pub(crate) fn names_a_file(&self) -> bool {
        self.clone().paths().next().is_some()
    }

    /// Every file or folder that is named.
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let all = [
            &mut self.signals,
            &mut self.truth,
            &mut self.gaps,
            &mut self.cadences,
            &mut self.light_curves,
        ];
        all.into_iter().flatten()
    }
}

/// Which rows of an export count.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Which rows count")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RowSettings {
    /// Only this workflow (may be given several times).
    #[arg(long = "workflow", value_name = "ID")]
    pub(crate) workflow: Vec<String>,
    /// Only this workflow version: `16.55`, or `16` with all its minor versions.
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Only versions from this one on.
    #[arg(long, value_name = "VERSION", conflicts_with = "version")]
    pub(crate) min_version: Option<String>,
    /// Only versions up to this one.
    #[arg(long, value_name = "VERSION", conflicts_with = "version")]
    pub(crate) max_version: Option<String>,
    /// Leave out classifications from before the project's launch (beta tests).
    #[arg(long)]
    pub(crate) live_only: bool,
    /// Leave out volunteers who opted out, as if they had never voted: for gold standards and training sets,
    /// not for consensus in use.
    #[arg(long, value_name = "TOML")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) optouts: Option<PathBuf>,
}

impl RowSettings {
    /// These, and those of `file` where these say nothing.
    pub(crate) fn or(mut self, file: &Self) -> Self {
        if self.workflow.is_empty() {
            self.workflow.clone_from(&file.workflow);
        }
        self.version = self.version.or_else(|| file.version.clone());
        self.min_version = self.min_version.or_else(|| file.min_version.clone());
        self.max_version = self.max_version.or_else(|| file.max_version.clone());
        self.live_only |= file.live_only;
        self.optouts = self.optouts.or_else(|| file.optouts.clone());
        self
    }

    /// As the reader wants them.
    pub(crate) fn filter(&self) -> Result<RowFilter> {
        let (min, max) = (self.min_version.as_deref(), self.max_version.as_deref());
        let versions = match self.version.as_deref() {
            Some(only) => VersionFilter::only(only)?,
            None => VersionFilter::range(min, max)?,
        };
        let without = self.without()?;
        Ok(RowFilter { workflows: self.workflow.clone(), versions, live_only: self.live_only, without })
    }

    /// Who opted out. The list itself is no input for the record: from its checksum one could guess at whom
    /// it names.
    pub(crate) fn without(&self) -> Result<Without> {
        let Some(path) = &self.optouts else { return Ok(Without::default()) };
        Ok(OptOuts::read(path)?.without())
    }
}

/// How votes become consensus.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[command(next_help_heading = "How votes become consensus")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConsensusSettings {
    /// The method: fraction (counts votes; default), dawid-skene, ibcc, glad, mace, wawa, iwmv, swap, or
    /// auto (chosen for each question by gold subjects or held-out votes).
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// Of dawid-skene: shrunk (default), ml, map, one-coin or hard.
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Of dawid-skene: pseudo-votes per row of a volunteer's matrix (shrunk; default 5) or per cell (map;
    /// 0.5).
    #[arg(long, value_name = "N")]
    pub(crate) pseudo_votes: Option<f64>,
    /// Most rounds of a model.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<u32>,
    /// Change at which a model has settled; 0 runs all rounds.
    #[arg(long, value_name = "X")]
    pub(crate) tolerance: Option<f64>,
    /// Of swap: probability of an answer before any vote, as ANSWER=P (may be given several times).
    #[arg(long, value_name = "ANSWER=P")]
    pub(crate) prior: Vec<String>,
    /// Known answers (subject_id,answer or task,label) that a model holds fixed.
    #[arg(long, value_name = "TABLE")]
    pub(crate) gold: Option<PathBuf>,
    /// A machine's scores (subject_id,answer,score) as one more voter of its own skill.
    #[arg(long, value_name = "TABLE")]
    pub(crate) machine: Option<PathBuf>,
    /// Let every vote speak for its own answer by at least this log-likelihood ratio (nats), whoever
    /// gave it; without it a model may turn the vote of an unreliable volunteer round.
    #[arg(long, value_name = "NATS")]
    pub(crate) vote_floor: Option<f64>,
    /// jeffreys (default), wilson, clopper-pearson or beta-binomial.
    #[arg(long, value_name = "NAME")]
    pub(crate) interval: Option<String>,
    /// Level of the intervals [default: 0.95].
    #[arg(long, value_name = "SHARE")]
    pub(crate) level: Option<f64>,
    /// Where a volunteer met a subject more than once: first (default), last or all count.
    #[arg(long, value_name = "RULE")]
    pub(crate) repeats: Option<String>,
    /// Weight by experience: steps such as `100:2` (two votes from 100 classifications on), or log10,
    /// sqrt, saturating:100.
    #[arg(long, value_name = "RULE", conflicts_with = "weights")]
    pub(crate) experience: Option<String>,
    /// What counts as experience: `total` (default), `past` (before each vote), or a table with columns
    /// volunteer or user_name, and n_classifications.
    #[arg(long, value_name = "total|past|TABLE")]
    pub(crate) experience_from: Option<String>,
    /// Weights from a table with columns volunteer or user_name, and weight.
    #[arg(long, value_name = "TABLE")]
    pub(crate) weights: Option<PathBuf>,
    /// Raise smaller weights to this, so that every label counts (wawa and iwmv: default 0.01; 0 is the
    /// original behaviour).
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) weight_floor: Option<f64>,
}

impl ConsensusSettings {
    /// These, and those of `file` where these say nothing.
    pub(crate) fn or(mut self, file: &Self) -> Self {
        if self.method.is_none() {
            self.method = file.method.clone();
            self.variant = self.variant.or_else(|| file.variant.clone());
            self.pseudo_votes = self.pseudo_votes.or(file.pseudo_votes);
            self.rounds = self.rounds.or(file.rounds);
            self.tolerance = self.tolerance.or(file.tolerance);
            self.vote_floor = self.vote_floor.or(file.vote_floor);
            if self.prior.is_empty() {
                self.prior.clone_from(&file.prior);
            }
        }
        self.gold = self.gold.or_else(|| file.gold.clone());
        self.machine = self.machine.or_else(|| file.machine.clone());
        self.interval = self.interval.or_else(|| file.interval.clone());
        self.level = self.level.or(file.level);
        self.repeats = self.repeats.or_else(|| file.repeats.clone());
        if self.weights.is_none() && self.experience.is_none() {
            self.experience = file.experience.clone();
            self.weights = file.weights.clone();
        }
        self.experience_from = self.experience_from.or_else(|| file.experience_from.clone());
        self.weight_floor = self.weight_floor.or(file.weight_floor);
        self
    }

    /// The interval and its level.
    pub(crate) fn params(&self) -> Result<FractionParams> {
        let name = self.interval.as_deref().unwrap_or("jeffreys");
        let kind = IntervalKind::parse(name).ok_or_else(|| {
            let names = IntervalKind::ALL.map(IntervalKind::as_str).join(", ");
            anyhow!("no interval {name:?}; there are {names}")
        })?;
        Ok(FractionParams::new(kind, self.level.unwrap_or(0.95))?)
    }

    /// Which repeated classifications count.
    pub(crate) fn repeats(&self) -> Result<Repeats> {
        let name = self.repeats.as_deref().unwrap_or("first");
        Repeats::parse(name).ok_or_else(|| anyhow!("--repeats {name:?}; there are first, last, all"))
    }

    /// The experience rule, if one is asked for.
    pub(crate) fn experience_rule(&self) -> Result<Option<ExperienceRule>> {
        Ok(self.experience.as_deref().map(ExperienceRule::parse).transpose()?)
    }

    /// The table of experience, where there is one.
    pub(crate) fn experience_table(&self) -> Option<PathBuf> {
        let from = self.experience_from.as_deref().filter(|f| !matches!(*f, "total" | "past"))?;
        Some(PathBuf::from(from))
    }

    /// Refuses options that would change nothing; methods are checked where they are picked.
    pub(crate) fn check(&self) -> Result<()> {
        if self.experience_from.is_some() && self.experience.is_none() {
            return Err(anyhow!("--experience-from needs a rule: --experience 100:2, say"));
        }
        let weighs_itself = matches!(self.method.as_deref(), Some("wawa" | "iwmv"));
        if self.weight_floor.is_some() && self.weights.is_none() && !weighs_itself {
            return Err(anyhow!("--weight-floor needs --weights, or --method wawa or iwmv"));
        }
        Ok(())
    }
}

impl Settings {
    /// Reads a settings file; paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading failed: {}", path.display()))?;
        let mut settings: Self =
            toml::from_str(&text).with_context(|| format!("not a settings file: {}", path.display()))?;
        settings.cost.check()?;
        settings.budget.check()?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let place = |p: &mut PathBuf| {
            if p.is_relative() {
                *p = folder.join(&*p);
            }
        };
        settings.input.exports.iter_mut().for_each(place);
        let single = [
            &mut settings.input.workflows,
            &mut settings.input.truth,
            &mut settings.consensus.weights,
            &mut settings.consensus.gold,
            &mut settings.consensus.machine,
            &mut settings.input.images,
            &mut settings.rows.optouts,
            &mut settings.project.policy,
        ];
        single.into_iter().flatten().for_each(place);
        settings.marks.paths().for_each(place);
        if let Some(from) = &mut settings.consensus.experience_from
            && !matches!(from.as_str(), "total" | "past")
            && Path::new(from).is_relative()
        {
            *from = folder.join(&*from).to_string_lossy().into_owned();
        }
        Ok(settings)
    }
}
