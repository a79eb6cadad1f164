//! Inputs for the tests of the report: what a run would hand over.

use std::collections::BTreeMap;

use volary_core::votes::{QuestionKind, VotesBuilder};
use volary_core::{Votes, truth::Truth};
use volary_crowd::retire::{Rule, StudyParams};
use volary_crowd::skill::model::{Extras, Pick, model_consensus};
use volary_crowd::{
    Activity, AgreementParams, AgreementRow, Consensus, Counted, CrowdParams, FractionParams,
    IntervalKind, Repeats, SurveyRow, Volunteers, activity, agreement, counted, evaluate, fraction,
    simulate, survey_of, volunteers,
};

use super::{IngestSummary, MethodRow, ModelReport, ReportInput, SubjectProgress};
use crate::retirement::{Plan, studies};

/// Owns what a [`ReportInput`] borrows.
pub(super) struct Sample {
    pub(super) title: String,
    pub(super) votes: Votes,
    pub(super) counted: Counted,
    pub(super) consensus: Consensus,
    pub(super) params: FractionParams,
    pub(super) volunteers: Volunteers,
    pub(super) activity: Activity,
    pub(super) agreement: Vec<AgreementRow>,
    pub(super) methods: Vec<MethodRow>,
    pub(super) models: Vec<ModelReport>,
    pub(super) retirement: Vec<crate::retirement::PollStudy>,
    pub(super) surveys: Vec<SurveyRow>,
    pub(super) subjects: Vec<SubjectProgress>,
    pub(super) ingest: Option<IngestSummary>,
    pub(super) texts: BTreeMap<(String, String), String>,
}

impl Sample {
    /// Everything that follows from votes.
    pub(super) fn of(votes: Votes) -> Self {
        let params = FractionParams::default();
        let counted = counted(&votes, Repeats::First);
        let consensus = fraction(&votes, &counted, None, &params).unwrap();
        Self {
            title: "A sample".to_owned(),
            volunteers: volunteers(&votes, &counted, &params).unwrap(),
            activity: activity(&votes, &counted),
            agreement: agreement(&votes, &counted, &AgreementParams::default()).unwrap(),
            surveys: survey_of(&votes, &counted, &consensus).unwrap(),
            methods: Vec::new(),
            models: Vec::new(),
            retirement: Vec::new(),
            subjects: Vec::new(),
            ingest: None,
            texts: BTreeMap::new(),
            votes,
            counted,
            consensus,
            params,
        }
    }

    pub(super) fn input(&self) -> ReportInput<'_> {
        ReportInput {
            title: &self.title,
            votes: &self.votes,
            counted: &self.counted,
            consensus: &self.consensus,
            params: &self.params,
            volunteers: &self.volunteers,
            activity: &self.activity,
            agreement: &self.agreement,
            methods: &self.methods,
            models: &self.models,
            retirement: &self.retirement,
            surveys: &self.surveys,
            marks: None,
            steps: &[],
            drawings: None,
            subjects: &self.subjects,
            ingest: self.ingest.clone(),
            question_texts: self.texts.clone(),
        }
    }

    /// Fits what `auto` chooses.
    pub(super) fn fit(&mut self) {
        let extras = Extras::default();
        let base = self.consensus.clone();
        let found =
            model_consensus(&self.votes, &self.counted, base, &Pick::Auto { seed: 1 }, &extras, 0.95)
                .unwrap();
        self.models = crate::skill::reports(&self.votes, found.fits, 0.95);
    }

    /// Judges intervals of each kind as if they were methods, and one that gave nothing.
    pub(super) fn judge(&mut self, truth: &Truth) {
        for kind in IntervalKind::ALL {
            let params = FractionParams::new(kind, 0.95).unwrap();
            let consensus = fraction(&self.votes, &self.counted, None, &params).unwrap();
            for evaluation in evaluate(&self.votes, &consensus, truth, 0.95).unwrap() {
                self.methods.push(MethodRow {
                    name: format!("vote fraction, {}", kind.as_str()),
                    question: evaluation.question,
                    evaluation: Some(evaluation),
                });
            }
        }
        let name = "a method with a name much too long for any axis <b>".to_owned();
        self.methods.push(MethodRow { name, question: 0, evaluation: None });
    }
}

impl Sample {
    /// Replays the usual retirement rules.
    pub(super) fn retire(&mut self, truth: Option<&Truth>) {
        let plan = Plan {
            rules: &Rule::defaults(),
            gold: None,
            truth,
            params: StudyParams::default(),
            repeats: Repeats::First,
            tasks: &[],
            caesar: None,
            most_polls: 3,
        };
        self.retirement = studies(&self.votes, &plan).unwrap().0;
    }
}

/// Three classes, readable names, a retirement table and a messy input.
pub(super) fn galaxies(n_subjects: u32) -> Sample {
    let params = CrowdParams {
        n_subjects,
        n_volunteers: (n_subjects * 2 / 3).max(60),
        n_classes: 3,
        votes_per_subject: 18.0,
        min_votes: 6,
        max_votes: 40,
        difficulty: 0.3,
        concentration: 4.0,
        prevalence: vec![0.55, 0.35, 0.1],
        repeat_fraction: 0.01,
        seed: 4,
        ..CrowdParams::default()
    };
    let crowd = simulate(&params).unwrap();
    let mut votes = crowd.to_votes();
    let names = ["Smooth", "Features or disk", "Star or artifact"];
    votes.questions[0].answers = names.iter().map(|n| (*n).to_owned()).collect();
    // Two votes a second are a day of a very busy project; a month looks like most.
    let first = votes.created_ms.iter().copied().min().unwrap_or(0);
    let bend = |t: i64| ((t - first) as f64).powf(1.15) as i64 * 130;
    votes.created_ms.iter_mut().for_each(|t| *t = first + bend(*t));
    let mut truth = Truth::default();
    for (subject, class) in crowd.true_class.iter().enumerate() {
        truth.add("T0", &subject.to_string(), names[*class as usize]);
    }
    let mut sample = Sample::of(votes);
    sample.title = "Galaxy shapes, spring campaign".to_owned();
    sample.judge(&truth);
    sample.fit();
    sample.retire(Some(&truth));
    sample.subjects = progress(&sample);
    sample.ingest = Some(messy());
    let text = "Is the galaxy simply smooth and rounded, with no sign of a disk?".to_owned();
    sample.texts.insert((String::new(), "T0".to_owned()), text);
    sample
}

fn progress(sample: &Sample) -> Vec<SubjectProgress> {
    let items = sample.consensus.of_question(0).iter();
    items
        .map(|item| {
            let n = u64::from(item.n_seen);
            let reason = match n {
                20.. => Some("classification_count".to_owned()),
                n if n >= 10 && item.entropy_bits == 0.0 => Some("consensus".to_owned()),
                _ => None,
            };
            SubjectProgress {
                workflow: String::new(),
                subject: sample.votes.subjects[item.subject as usize].clone(),
                n_classifications: n,
                retired_ms: None,
                reason,
            }
        })
        .collect()
}

fn messy() -> IngestSummary {
    IngestSummary {
        rows_read: 5612,
        rows_used: 5511,
        left_out: vec![("not a live project".to_owned(), 98), ("malformed row".to_owned(), 3)],
        n_repeats: 53,
        n_not_logged_in: 640,
        n_beta: 98,
        versions: vec![
            ("1623".to_owned(), "44.12".to_owned(), 98),
            ("1623".to_owned(), "45.13".to_owned(), 5413),
        ],
        problems: vec![
            (
                "bad JSON".to_owned(),
                3,
                "row 17, column annotations: {\"task\":\"T0\"<script>".to_owned(),
            ),
            ("time in the future".to_owned(), 1, "row 93, column created_at: 2093-01-01".to_owned()),
        ],
    }
}

/// Several kinds of question in two workflows, labels in four scripts and in markup.
pub(super) fn scripts() -> Sample {
    let mut builder = VotesBuilder::default();
    let labels = [
        "<script>alert(1)</script>",
        "שלום עולם",
        "مجرّة حلزونية",
        "渦巻銀河がはっきり見える写真です",
        "a \"quoted\" & 'odd' label",
        "\u{202E}backwards\u{0} and NUL",
        "é́́́́ combining",
        "",
    ];
    let long = "very long ".repeat(80);
    for i in 0..90_usize {
        for v in 0..9_usize {
            let (subject, volunteer) = (format!("subject <{i}>"), format!("v{v:08x}"));
            let time = 1_600_000_000_000 + (i * 9 + v) as i64 * 3_600_000;
            let workflow = if i % 2 == 0 { "w1" } else { "w<2>" };
            let c = builder.classification(
                workflow,
                &subject,
                &volunteer,
                Some(time),
                &(i * 9 + v).to_string(),
            );
            let one = labels[(i + (v * v * i) % 3) % labels.len()];
            builder.vote(c, "T0", QuestionKind::Single, Some(if i % 11 == 0 { &long } else { one }));
            for (k, label) in labels.iter().enumerate().take(4) {
                let chosen = (i * 7 + v * k) % 5 < k + 1;
                builder.vote(c, "T1", QuestionKind::Multiple, chosen.then_some(*label));
            }
            let species = ["לביאה", "impala", "zebra"][(i + usize::from(v > 6)) % 3];
            builder.vote(c, "T2", QuestionKind::Survey, (v != i % 5).then_some(species));
        }
    }
    let mut sample = Sample::of(builder.finish());
    sample.title = "<b>תואר</b> & \"scripts\"".to_owned();
    let mut truth = Truth::default();
    for i in 0..60 {
        truth.add("T2", &format!("subject <{i}>"), ["לביאה", "impala", "zebra"][i % 3]);
    }
    sample.judge(&truth);
    sample.texts.insert(("w1".to_owned(), "T0".to_owned()), "האם הגלקסיה חלקה? <i>yes</i>".to_owned());
    sample
}
