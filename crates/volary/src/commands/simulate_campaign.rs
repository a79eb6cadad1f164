//! `volary simulate campaign`: rules tried on a simulated crowd before the launch, two sets side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use volary_live::book::Effect;
use volary_live::policy::{Policy, Then};
use volary_live::replay::Replay;
use volary_live::{Actor, Event, Key, Kind, Logged};
use volary_loop::campaign::{
    CampaignParams, Comparison, Decision, Desk, Estimate, Figures, REAL, Skill, campaign, compare,
};

use crate::session::Session;

/// Subjects arrive, volunteers vote when they have time, rules fire: how long until an alert, at what cost
/// in votes, with how many false alerts and missed discoveries.
///
/// The rules are those of Kilonova Seekers, or the `[live]` table of a settings file. With `--against` two
/// sets of rules meet the same subjects, the same volunteers and the same answers, so that what differs is
/// the rules.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary simulate campaign
  volary simulate campaign --rules gen2.toml --against gen3.toml --hours 168
  volary simulate campaign --sees-real 0.7 --sees-bogus 0.1 --subject-spread 1 --seed 7")]
pub(crate) struct Args {
    /// Settings file whose `[live]` table holds the rules [default: at least 8 positive votes, 80 %, 14].
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Other rules, for the same crowd.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Hours in which subjects arrive; volunteers go on for a day after that.
    #[arg(long, default_value_t = 72.0)]
    hours: f64,
    /// Subjects that arrive per hour.
    #[arg(long, default_value_t = 40.0, value_name = "N")]
    subjects: f64,
    /// Share of subjects that are real.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    real: f64,
    /// Volunteers.
    #[arg(long, default_value_t = 400, value_name = "N")]
    volunteers: usize,
    /// Votes that they have time for per hour, on average over the day.
    #[arg(long, default_value_t = 600.0, value_name = "N")]
    votes: f64,
    /// Chance that a volunteer calls a real subject real.
    #[arg(long, value_name = "P")]
    sees_real: Option<f64>,
    /// Chance that a volunteer calls a bogus subject real.
    #[arg(long, value_name = "P")]
    sees_bogus: Option<f64>,
    /// Spread of skill between volunteers, in logits.
    #[arg(long, value_name = "SD")]
    volunteer_spread: Option<f64>,
    /// Spread of difficulty between subjects, in logits; what makes voters err together.
    #[arg(long, value_name = "SD")]
    subject_spread: Option<f64>,
}

/// The live engine as a desk.
struct Engine {
    replay: Replay,
    task: String,
    positive: String,
    seq: i64,
}

impl Engine {
    fn new(policy: &Policy) -> Result<Self> {
        let rule = policy
            .rules
            .iter()
            .find(|rule| rule.then == Then::Alert)
            .context("none of the rules alerts; add one with then = \"alert\"")?;
        let positive = rule.positives().first().map(|answer| (*answer).clone()).unwrap_or_default();
        let (task, replay) = (rule.task.clone(), Replay::under(policy.clone()));
        Ok(Self { replay, task, positive, seq: 0 })
    }
}

impl Desk for Engine {
    fn vote(&mut self, subject: &str, volunteer: &str, answer: usize, at_ms: i64) -> Vec<Decision> {
        self.seq += 1;
        // No answer that any rule calls positive.
        let label = if answer == REAL { self.positive.clone() } else { "\u{2205}".to_owned() };
        let kind = Kind::Vote {
            workflow: "campaign".to_owned(),
            version: "1".to_owned(),
            subject: subject.to_owned(),
            actor: Actor::User(volunteer.to_owned()),
            answers: [(self.task.clone(), vec![label])].into(),
        };
        let key = Key { source: "simulated".to_owned(), id: self.seq.to_string() };
        let event = Event { key, at_ms, kind };
        let logged = Logged { seq: self.seq, received_ms: at_ms, event };
        let decided = self.replay.take(&logged, Some(subject));
        let decision = |effect: &Effect| match effect {
            Effect::Alert(_) => Some(Decision::Alert),
            Effect::Retired { .. } => Some(Decision::Retire),
            _ => None,
        };
        decided.iter().filter_map(decision).collect()
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let rules = |path: &Option<PathBuf>| match path {
        Some(path) => read(path),
        None => Ok(Policy::default()),
    };
    let policy = rules(&args.rules)?;
    let params = params(args, session.global.seed);
    let mut first = Engine::new(&policy)?;
    if let Some(path) = &args.against {
        let mut second = Engine::new(&read(path)?)?;
        let both = compare(&params, &mut first, &mut second)?;
        show_both(&both, &mut session);
    } else {
        let figures = campaign(&params, &mut first)?.figures(params.level);
        let rows = rows(&figures).map(|(name, figure)| vec![name.to_owned(), figure]);
        session.summary.table("Campaign", &["", "with 95 % interval"], &rows);
        session.summary.value("figures", figures_json(&figures));
    }
    session.summary.note(
        "Volunteers are simulated: the numbers are as good as the skill that you give them. Subjects count \
         as independent in the intervals; run several seeds where volunteers are few.",
    );
    session.finish(None)
}

fn read(path: &Path) -> Result<Policy> {
    let settings = crate::settings::Settings::read(path)?;
    let policy = settings
        .live
        .with_context(|| format!("no [live] table in it; write the rules there: {}", path.display()))?;
    policy.check()?;
    Ok(policy)
}

fn params(args: &Args, seed: u64) -> CampaignParams {
    let usual = Skill::default();
    CampaignParams {
        hours: args.hours,
        subjects_per_hour: args.subjects,
        share_real: args.real,
        n_volunteers: args.volunteers,
        votes_per_hour: args.votes,
        skill: Skill {
            p_real: args.sees_real.unwrap_or(usual.p_real),
            p_bogus: args.sees_bogus.unwrap_or(usual.p_bogus),
            volunteer_sd: args.volunteer_spread.unwrap_or(usual.volunteer_sd),
            subject_sd: args.subject_spread.unwrap_or(usual.subject_sd),
        },
        seed,
        ..CampaignParams::default()
    }
}

/// A figure as people read it; `scale` turns a share into per cent.
fn shown(figure: Option<Estimate>, scale: f64, unit: &str) -> String {
    let Some(Estimate { value, low, high, .. }) = figure else { return "–".to_owned() };
    let end = |x: f64| match (x.is_finite(), x > 0.0) {
        (true, _) => format!("{:.2}", scale * x),
        (false, true) => "∞".to_owned(),
        (false, false) => "−∞".to_owned(),
    };
    format!("{:.2}{unit} ({} to {})", scale * value, end(low), end(high))
}

fn rows(of: &Figures) -> [(&'static str, String); 9] {
    [
        ("subjects, real", format!("{}, {}", of.n_subjects, of.n_real)),
        ("hours to alert, median", shown(of.hours_to_alert, 1.0, "")),
        ("  a tenth is faster", shown(of.hours_to_alert_fast, 1.0, "")),
        ("  a tenth is slower", shown(of.hours_to_alert_slow, 1.0, "")),
        ("votes at the alert", shown(of.votes_at_alert, 1.0, "")),
        ("votes per retired subject", shown(of.votes_per_subject, 1.0, "")),
        ("real ones missed", shown(of.missed, 100.0, " %")),
        ("bogus ones alerted", shown(of.false_alerts, 100.0, " %")),
        ("still open at the end", of.n_open.to_string()),
    ]
}

fn show_both(both: &Comparison, session: &mut Session) {
    let differences = [
        String::new(),
        shown(both.hours_to_alert, 1.0, ""),
        String::new(),
        String::new(),
        String::new(),
        shown(both.votes_per_subject, 1.0, ""),
        shown(both.missed, 100.0, " %"),
        shown(both.false_alerts, 100.0, " %"),
        String::new(),
    ];
    let mut table = Vec::new();
    for (at, (name, shown)) in rows(&both.first).into_iter().enumerate() {
        let other = rows(&both.second)[at].1.clone();
        table.push(vec![name.to_owned(), shown, other, differences[at].clone()]);
    }
    let header = ["with 95 % intervals", "first rules", "second rules", "difference"];
    session.summary.table("Campaign", &header, &table);
    session.summary.value("first", figures_json(&both.first));
    session.summary.value("second", figures_json(&both.second));
    let difference = json!({
        "hours_to_alert": estimate_json(both.hours_to_alert),
        "votes_per_subject": estimate_json(both.votes_per_subject),
        "false_alerts": estimate_json(both.false_alerts),
        "missed": estimate_json(both.missed),
    });
    session.summary.value("difference", difference);
}

/// An end that is infinite is null.
fn estimate_json(figure: Option<Estimate>) -> Value {
    figure.map_or(Value::Null, |f| json!({"value": f.value, "low": f.low, "high": f.high, "n": f.n}))
}

fn figures_json(of: &Figures) -> Value {
    json!({
        "n_subjects": of.n_subjects, "n_real": of.n_real, "n_open": of.n_open, "n_votes": of.n_votes,
        "n_late": of.n_late, "n_idle": of.n_idle,
        "hours_to_alert_fast": estimate_json(of.hours_to_alert_fast),
        "hours_to_alert": estimate_json(of.hours_to_alert),
        "hours_to_alert_slow": estimate_json(of.hours_to_alert_slow),
        "votes_at_alert": estimate_json(of.votes_at_alert),
        "votes_per_subject": estimate_json(of.votes_per_subject),
        "false_alerts": estimate_json(of.false_alerts),
        "missed": estimate_json(of.missed),
    })
}
