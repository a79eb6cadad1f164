//! From votes to everything that is said about them: one path for `consensus`, `run`, `report` and
//! `demo`, so that their numbers are the same.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use volary_core::truth::Truth;
use volary_core::votes::{NO_ANSWER, Vote};
use volary_core::{QuestionKind, Votes};
use volary_crowd::skill::choose::candidates;
use volary_crowd::skill::model::{Extras, Model, ModelConsensus, Pick, model_consensus};
use volary_crowd::{
    Activity, Consensus, Counted, Evaluation, ExperienceRule, ExperienceSource, FractionParams, Outcome,
    SurveyRow, Volunteers, Weights, activity, counted, evaluate, fraction, survey_of, volunteers,
};
use volary_ingest::{Progress, label_table};

use crate::report::ModelReport;
use crate::session::Session;
use crate::settings::ConsensusSettings;
use crate::skill::{self, ModelInputs};
use crate::summary::{Summary, grouped, percent, printable};

/// Votes beyond which the report does not try all models by itself; `--method auto` still does.
const MANY_VOTES: usize = 2_000_000;

/// The votes of a project and all that follows from them.
pub(crate) struct Analysis {
    pub(crate) votes: Votes,
    pub(crate) params: FractionParams,
    pub(crate) counted: Counted,
    pub(crate) weights: Option<Weights>,
    pub(crate) consensus: Consensus,
    pub(crate) volunteers: Volunteers,
    pub(crate) activity: Activity,
    pub(crate) surveys: Vec<SurveyRow>,
    /// The skill model's fits, where one was asked for; its consensus is `consensus`.
    pub(crate) model: Option<ModelConsensus>,
    /// Method, and how it fares against the truth on each question; the first is the one asked for.
    pub(crate) methods: Vec<(String, Vec<Evaluation>)>,
}

impl Analysis {
    /// Counts, weighs, describes; compares with the truth where there is one.
    pub(crate) fn new(
        votes: Votes,
        settings: &ConsensusSettings,
        truth: Option<&Truth>,
        session: &mut Session,
    ) -> Result<Self> {
        settings.check()?;
        if let Some(truth) = truth {
            check_truth(truth, &votes, session)?;
        }
        let params = settings.params()?;
        let pick = skill::pick(settings, session.global.seed, params.level())?;
        let inputs = ModelInputs::read(settings, session)?;
        let counted = counted(&votes, settings.repeats()?);
        let weights = weights(&votes, &counted, settings, session)?;
        let consensus = fraction(&votes, &counted, weights.as_ref(), &params)?;
        let volunteers = volunteers(&votes, &counted, &params)?;
        let activity = activity(&votes, &counted);
        let surveys = survey_of(&votes, &counted, &consensus)?;
        let mut analysis = Self {
            votes,
            params,
            counted,
            weights,
            consensus,
            volunteers,
            activity,
            surveys,
            model: None,
            methods: Vec::new(),
        };
        if let Some(pick) = pick {
            let _sign = session.working("fitting the model");
            analysis.fit(pick, &inputs)?;
        }
        if let Some(model) = &analysis.model {
            skill::note_gold(model, session);
        }
        if let Some(truth) = truth {
            let truth = inputs.to_judge(truth, session);
            let _sign = session.working("comparing methods with the truth");
            analysis.methods = analysis.compare(&truth, &inputs, session.global.seed)?;
        }
        Ok(analysis)
    }

    /// Lets the model decide; the counted fractions stay beside its probabilities.
    fn fit(&mut self, pick: Pick, inputs: &ModelInputs) -> Result<()> {
        let counted_consensus = std::mem::take(&mut self.consensus);
        let extras = inputs.extras(self.weights.as_ref());
        let level = self.params.level();
        let mut model =
            model_consensus(&self.votes, &self.counted, counted_consensus, &pick, &extras, level)?;
        self.consensus = std::mem::take(&mut model.consensus);
        self.model = Some(model);
        Ok(())
    }

    /// The method asked for, the plain ways of weighing, and the models beside it.
    fn compare(
        &self,
        truth: &Truth,
        inputs: &ModelInputs,
        seed: u64,
    ) -> Result<Vec<(String, Vec<Evaluation>)>> {
        let level = self.params.level();
        let counts =
            |weights: Option<&Weights>| fraction(&self.votes, &self.counted, weights, &self.params);
        let mut methods = Vec::new();
        let mut judge = |name: &str, consensus: &Consensus| -> Result<()> {
            methods.push((name.to_owned(), evaluate(&self.votes, consensus, truth, level)?));
            Ok(())
        };
        if self.weights.is_some() || self.model.is_some() {
            let name = if self.model.is_some() { "as set" } else { "as set, weighted" };
            judge(name, &self.consensus)?;
        }
        let plain = counts(None)?;
        judge("every vote counts the same", &plain)?;
        let by_experience = Weights::experience(
            &self.votes,
            &self.counted,
            &ExperienceRule::Log10,
            &ExperienceSource::Total,
        );
        judge("weighted by experience (log10)", &counts(Some(&by_experience))?)?;
        judge("weighted by agreement with others", &counts(Some(&self.by_agreement()?))?)?;
        let extras = Extras { weights: None, ..inputs.extras(None) };
        for model in self.models(seed) {
            let name = model.name();
            let pick = Pick::Fixed(model);
            let fitted =
                model_consensus(&self.votes, &self.counted, plain.clone(), &pick, &extras, level)?;
            judge(&name, &fitted.consensus)?;
        }
        Ok(methods)
    }

    /// What the report shows of models: the scores of the candidates, and the skills by the model that
    /// was asked for, or else by the chosen one.
    pub(crate) fn models_for_report(&self, seed: u64) -> Result<Vec<ModelReport>> {
        let level = self.params.level();
        let own = self.model.as_ref().map(|m| skill::reports(&self.votes, m.fits.clone(), level));
        if skill::n_votes(&self.votes) > MANY_VOTES
            || own.as_ref().is_some_and(|own| own.iter().all(|fit| fit.choice.is_some()))
        {
            return Ok(own.unwrap_or_default());
        }
        let plain = fraction(&self.votes, &self.counted, None, &self.params)?;
        let extras = Extras::default();
        let pick = Pick::Auto { seed };
        let auto = model_consensus(&self.votes, &self.counted, plain, &pick, &extras, level)?;
        let mut chosen = skill::reports(&self.votes, auto.fits, level);
        if let Some(own) = own {
            for (report, own) in chosen.iter_mut().zip(own) {
                (report.model, report.skills, report.warnings) = (own.model, own.skills, own.warnings);
            }
        }
        Ok(chosen)
    }

    /// Weights by agreement with the others.
    fn by_agreement(&self) -> Result<Weights> {
        let weight = |row: &volary_crowd::volunteers::VolunteerRow| {
            let name = self.votes.volunteers[row.volunteer as usize].clone();
            Some((name, row.agreement_shrunk?.max(0.01)))
        };
        let table: BTreeMap<String, f64> = self.volunteers.rows.iter().filter_map(weight).collect();
        Ok(Weights::from_table(&self.votes, &table, 1.0, None)?)
    }

    /// The models that are compared with the truth: those that `auto` chooses from, without the pooled
    /// matrix and the other strengths of shrinkage.
    fn models(&self, seed: u64) -> Vec<Model> {
        let few = skill::n_votes(&self.votes) <= volary_crowd::skill::choose::SLOW;
        let all = candidates(few, seed, self.params.level());
        let keep = |m: &Model| match m {
            Model::DawidSkene(ds) => {
                ds.variant != volary_crowd::skill::Variant::Shrunk || ds.pseudo_votes == 5.0
            }
            _ => true,
        };
        all.into_iter().filter(keep).collect()
    }

    /// The lines that every command prints about a consensus.
    pub(crate) fn summarise(&self, summary: &mut Summary) {
        let votes = &self.votes;
        summary.count("n_classifications", "classifications", votes.n_classifications() as u64);
        summary.count("n_repeats", "  of them repeats", self.counted.n_repeats);
        let n_counted = self.counted.counts.iter().filter(|c| **c).count() as u64;
        summary.count("n_counted", "  counted", n_counted);
        let is_counted =
            |v: &&Vote| v.answer != NO_ANSWER && self.counted.counts[v.classification as usize];
        let n_votes = votes.votes.iter().filter(is_counted).count() as u64;
        summary.count("n_votes", "votes counted", n_votes);
        summary.count("n_subjects", "subjects", votes.subjects.len() as u64);
        summary.count("n_volunteers", "volunteers", votes.volunteers.len() as u64);
        if let (Some(gini), Some(se)) = (self.activity.gini, self.activity.gini_se) {
            summary.line("gini", "Gini of activity", &format!("{gini:.3} ± {se:.3}"), gini);
        }
        if let Some(share) = self.weights.as_ref().and_then(|w| w.effective_share(&self.counted)) {
            let shown = format!("{:.1} % of the votes' number", 100.0 * share);
            summary.line("effective_share", "effective votes", &shown, share);
        }
        summary.line("method", "method", &self.consensus.method, self.consensus.method.clone());
        let rows: Vec<Vec<String>> =
            (0..).zip(&votes.questions).filter_map(|(i, q)| self.row(i, q)).collect();
        let header = [
            "workflow",
            "task",
            "kind",
            "subjects",
            "agreed",
            "tied",
            "median n",
            "between 0.3 and 0.7",
        ];
        summary.table("Consensus", &header, &rows);
        if let Some(model) = &self.model {
            skill::summarise(votes, model, self.params.level(), summary);
        }
        self.summarise_methods(summary);
    }

    fn row(&self, index: u32, question: &volary_core::votes::Question) -> Option<Vec<String>> {
        if question.kind == QuestionKind::Detail {
            return None;
        }
        let items = self.consensus.of_question(index);
        let n = |keep: fn(&Outcome) -> bool| items.iter().filter(|i| keep(&i.outcome)).count() as u64;
        let mut seen: Vec<u32> = items.iter().map(|i| i.n_seen).collect();
        seen.sort_unstable();
        let in_band = items.iter().filter(|i| self.is_confusing(i)).count() as f64;
        let band = volary_crowd::interval::jeffreys(in_band, items.len() as f64, self.params.level());
        Some(vec![
            printable(&question.workflow),
            printable(&question.task),
            question.kind.as_str().to_owned(),
            grouped(items.len() as u64),
            grouped(n(|o| matches!(o, Outcome::Agreed(_)))),
            grouped(n(|o| matches!(o, Outcome::Undetermined))),
            seen.get(seen.len() / 2).map_or_else(String::new, ToString::to_string),
            percent(in_band / (items.len().max(1)) as f64, band.low, band.high),
        ])
    }

    /// Whether any answer's fraction lies in the band in which volunteers disagree.
    fn is_confusing(&self, item: &volary_crowd::Item) -> bool {
        self.consensus.answers_of(item).iter().any(|a| (0.3..=0.7).contains(&a.fraction))
    }

    fn summarise_methods(&self, summary: &mut Summary) {
        let mut rows = Vec::new();
        let mut json = Vec::new();
        for (name, evaluations) in &self.methods {
            for e in evaluations {
                let Some(accuracy) = e.accuracy else { continue };
                let question = &self.votes.questions[e.question as usize];
                rows.push(vec![
                    format!("{}/{}", printable(&question.workflow), printable(&question.task)),
                    name.clone(),
                    e.n.to_string(),
                    percent(accuracy, e.accuracy_interval.low, e.accuracy_interval.high),
                    e.n_ties.to_string(),
                    e.log_loss.map_or_else(String::new, |l| format!("{l:.3}")),
                ]);
                json.push(serde_json::json!({
                    "workflow": question.workflow, "task": question.task, "method": name, "n": e.n,
                    "accuracy": accuracy, "accuracy_low": e.accuracy_interval.low,
                    "accuracy_high": e.accuracy_interval.high,
                    "accuracy_random_ties": e.accuracy_random_ties,
                    "accuracy_first_label": e.accuracy_first_label, "n_ties": e.n_ties, "ece": e.ece,
                    "brier": e.brier, "log_loss": e.log_loss,
                }));
            }
        }
        rows.sort_by(|a, b| a[0].cmp(&b[0]));
        let header = ["task", "method", "n", "accuracy", "ties", "log loss"];
        summary.table("Against the truth", &header, &rows);
        if !json.is_empty() {
            summary.value("methods", json);
        }
    }
}

pub(crate) fn weights(
    votes: &Votes,
    counted: &Counted,
    settings: &ConsensusSettings,
    session: &mut Session,
) -> Result<Option<Weights>> {
    if let Some(path) = &settings.weights {
        let (table, report) = label_table::read_weights(path, &session.progress)?;
        session.problems.absorb(&report.problems);
        session.input(report.digest);
        let found = votes.volunteers.iter().filter(|v| table.contains_key(*v)).count();
        let shown = format!("{} of {} volunteers have one", found, votes.volunteers.len());
        session.summary.line("n_weighted", "weights", &shown, found);
        return Ok(Some(Weights::from_table(votes, &table, 1.0, settings.weight_floor)?));
    }
    let Some(rule) = settings.experience_rule()? else { return Ok(None) };
    let source = match (settings.experience_table(), settings.experience_from.as_deref()) {
        (None, Some("past")) => ExperienceSource::Past,
        (None, _) => ExperienceSource::Total,
        (Some(path), _) => {
            let (table, report) = label_table::read_experience(&path, &session.progress)?;
            session.problems.absorb(&report.problems);
            session.input(report.digest);
            let whole = |n: f64| if (0.0..1e15).contains(&n) { n as u64 } else { 0 };
            ExperienceSource::Table(table.into_iter().map(|(v, n)| (v, whole(n))).collect())
        }
    };
    Ok(Some(Weights::experience(votes, counted, &rule, &source)))
}

/// Tells of true answers that nobody gave. It may be so: nobody saw what is there. Where all are of that kind, and one
/// is an answer in other capitals, it is not.
///
/// # Errors
/// Where the truth and the votes write the same answers in different ways.
pub(crate) fn check_truth(truth: &Truth, votes: &Votes, session: &mut Session) -> Result<()> {
    let subjects: HashSet<&str> = votes.subjects.iter().map(String::as_str).collect();
    let (mut n_known, mut odd) = (0_u64, BTreeMap::<(&str, &str), u64>::new());
    for (task, _, answers) in truth.iter().filter(|(_, subject, _)| subjects.contains(subject)) {
        let asked = || votes.questions.iter().filter(|q| task.is_empty() || q.task == task);
        for answer in answers.iter().filter(|_| asked().next().is_some()) {
            match asked().any(|q| q.answers.contains(answer)) {
                true => n_known += 1,
                false => *odd.entry((task, answer)).or_default() += 1,
            }
        }
    }
    let alike = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
    for (task, answer) in odd.keys().filter(|_| n_known == 0) {
        let asked = votes.questions.iter().filter(|q| task.is_empty() || q.task == *task);
        if let Some(theirs) = asked.flat_map(|q| &q.answers).find(|theirs| alike(theirs, answer)) {
            bail!(
                "no true answer is one that was given: the truth says {answer:?}, and the votes {theirs:?}; write \
                 them alike in the table of the truth"
            );
        }
    }
    if !odd.is_empty() {
        let shown: Vec<String> =
            odd.iter().take(8).map(|((_, answer), n)| format!("{answer:?} ({n})")).collect();
        let text = format!("true answers that nobody gave: {}", shown.join(", "));
        session.summary.note(&printable(&text));
    }
    Ok(())
}

/// Reads a table of true answers.
pub(crate) fn read_truth(path: &Path, session: &mut Session) -> Result<Truth> {
    let (truth, report) = label_table::read_truth(path, &Progress::default())
        .with_context(|| format!("the truth cannot be read: {}", path.display()))?;
    session.problems.absorb(&report.problems);
    session.input(report.digest);
    Ok(truth)
}
