//! Options of `volary simulate crowd` that make a crowd hard to judge, and how they are written.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use volary_crowd::{Effects, Machine, Scale, SharedBias, Spread, Temptation, VolunteerKind};

/// Effects, as the command line writes them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What makes the crowd hard to judge")]
pub(crate) struct EffectArgs {
    /// Kinds of volunteers: `mixed`, or shares such as `plain=0.9,spammer=0.1` of plain, expert, typical,
    /// confuser, optimist, spammer.
    #[arg(long, value_name = "SHARES")]
    pub(crate) kinds: Option<String>,
    /// Mean confusion matrix of plain volunteers, rows by true class: `0.9,0.1;0.3,0.7`.
    #[arg(long, value_name = "ROWS")]
    pub(crate) matrix: Option<String>,
    /// The classes are grades: an answer two off is half as likely as one off.
    #[arg(long)]
    pub(crate) ordinal: bool,
    /// Chance of a right answer on a subject of difficulty 1 [default: a guess].
    #[arg(long, value_name = "SHARE")]
    pub(crate) hopeless_skill: Option<f64>,
    /// Learning: the logit of a right answer gains this per ln(1 + votes before); `0.3`, or `0.3:0.1` with
    /// a standard deviation over volunteers.
    #[arg(long, value_name = "MEAN[:SD]", allow_hyphen_values = true)]
    pub(crate) learning: Option<String>,
    /// Fatigue: it gains this per vote since a gap of 30 minutes; negative tires.
    #[arg(long, value_name = "MEAN[:SD]", allow_hyphen_values = true)]
    pub(crate) fatigue: Option<String>,
    /// Votes come in sessions of this mean length.
    #[arg(long, value_name = "VOTES", default_value_t = 0.0, hide_default_value = true)]
    pub(crate) session_votes: f64,
    /// Volunteers who share a bias: their share, the class (from 0) they take for another, the other, and
    /// the part of their right answers that it costs: `0.4:1:0:0.5`.
    #[arg(long, value_name = "SHARE:FROM:TO:PART")]
    pub(crate) shared_bias: Option<String>,
    /// Subjects with a wrong answer of their own: their share, and the chance to fall for it: `0.1:0.5`.
    #[arg(long, value_name = "SHARE:CHANCE")]
    pub(crate) tempting: Option<String>,
    /// Chance that a vote repeats the one before it on the subject.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, hide_default_value = true)]
    pub(crate) copying: f64,
    /// Share of gold subjects; their classes go to `gold`.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, hide_default_value = true)]
    pub(crate) gold: f64,
    /// A machine's scores go to `scores`: its pairwise AUC, and a sharpness (1 calibrated, more too sure).
    #[arg(long, value_name = "AUC[:SHARPNESS]")]
    pub(crate) machine: Option<String>,
}

impl EffectArgs {
    /// As the simulator wants them.
    pub(crate) fn effects(&self) -> Result<Effects> {
        let spread = |name: &str, text: &Option<String>| -> Result<Spread> {
            let Some(text) = text else { return Ok(Spread::default()) };
            Ok(match numbers(name, text, ':')?.as_slice() {
                [mean] => Spread { mean: *mean, sd: 0.0 },
                [mean, sd] => Spread { mean: *mean, sd: *sd },
                _ => bail!("{name} {text:?}: write MEAN or MEAN:SD"),
            })
        };
        Ok(Effects {
            kinds: self.kinds.as_deref().map_or(Ok(Vec::new()), kinds)?,
            mean_confusion: self.matrix.as_deref().map_or(Ok(Vec::new()), matrix)?,
            scale: if self.ordinal { Scale::Ordinal } else { Scale::Nominal },
            hopeless_skill: self.hopeless_skill,
            learning: spread("--learning", &self.learning)?,
            fatigue: spread("--fatigue", &self.fatigue)?,
            session_votes: self.session_votes,
            shared_bias: self.shared_bias.as_deref().map(shared_bias).transpose()?,
            temptation: self.tempting.as_deref().map(temptation).transpose()?,
            copying: self.copying,
            gold_share: self.gold,
            machine: self.machine.as_deref().map(machine).transpose()?,
        })
    }
}

/// Numbers with a mark between them.
pub(crate) fn numbers(name: &str, text: &str, between: char) -> Result<Vec<f64>> {
    let number = |part: &str| {
        part.trim().parse::<f64>().with_context(|| format!("{name} {text:?}: {part:?} is not a number"))
    };
    text.split(between).map(number).collect()
}

fn kinds(text: &str) -> Result<Vec<(VolunteerKind, f64)>> {
    if text == "mixed" {
        return Ok(VolunteerKind::mixed());
    }
    let one = |part: &str| {
        let names = VolunteerKind::ALL.map(VolunteerKind::as_str).join(", ");
        let (name, share) = part.split_once('=').with_context(|| {
            format!(
                "--kinds {text:?}: write `mixed` or shares, plain=0.9,spammer=0.1; there are {names}"
            )
        })?;
        let kind = VolunteerKind::parse(name.trim())
            .with_context(|| format!("--kinds: no kind {name:?}; there are {names}"))?;
        Ok((kind, numbers("--kinds", share, ',')?[0]))
    };
    text.split(',').map(one).collect()
}

fn matrix(text: &str) -> Result<Vec<f64>> {
    let rows: Vec<Vec<f64>> =
        text.split(';').map(|row| numbers("--matrix", row, ',')).collect::<Result<_>>()?;
    if rows.iter().any(|row| row.len() != rows.len()) {
        bail!("--matrix {text:?}: write as many rows (between `;`) as numbers in each (between `,`)");
    }
    Ok(rows.concat())
}

fn shared_bias(text: &str) -> Result<SharedBias> {
    let class = |x: f64| (x >= 0.0 && x.fract() == 0.0 && x < f64::from(u32::MAX)).then_some(x as u32);
    match numbers("--shared-bias", text, ':')?.as_slice() {
        [share, from, to, strength] if class(*from).is_some() && class(*to).is_some() => {
            Ok(SharedBias {
                share: *share,
                from: class(*from).unwrap_or_default(),
                to: class(*to).unwrap_or_default(),
                strength: *strength,
            })
        }
        _ => bail!("--shared-bias {text:?}: write SHARE:FROM:TO:PART with classes from 0, 0.4:1:0:0.5"),
    }
}

fn temptation(text: &str) -> Result<Temptation> {
    match numbers("--tempting", text, ':')?.as_slice() {
        [share, pull] => Ok(Temptation { share: *share, pull: *pull }),
        _ => bail!("--tempting {text:?}: write SHARE:CHANCE, 0.1:0.5"),
    }
}

fn machine(text: &str) -> Result<Machine> {
    match numbers("--machine", text, ':')?.as_slice() {
        [auc] => Ok(Machine { auc: *auc, sharpness: 1.0 }),
        [auc, sharpness] => Ok(Machine { auc: *auc, sharpness: *sharpness }),
        _ => bail!("--machine {text:?}: write AUC or AUC:SHARPNESS, 0.9:1"),
    }
}
