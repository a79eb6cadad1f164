//! What would be another answer if votes counted by skill: two consensuses beside each other.
//!
//! Both are the command line's: `volary consensus`, with and without `--method`.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use volary_crowd::interval::wilson;
use volary_crowd::skill::model::{Extras, Pick, model_consensus};
use volary_crowd::{CrowdError, Item, Outcome, fraction};

use super::electorate::Electorate;

/// Subjects of one question that are named.
const MOST_NAMED: usize = 200;

/// A subject whose answer depends on how votes are weighed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct AnswerChange {
    subject_id: String,
    /// What equal votes come to; absent where they decide nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<String>,
    /// What votes weighed by skill come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    weighted: Option<String>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct WhatIfQuestion {
    workflow_id: String,
    task: String,
    /// Subjects with votes.
    n_subjects: u64,
    /// Those whose answer is another one.
    n_changed: u64,
    /// Their share.
    share: f64,
    /// Wilson's interval.
    share_low: f64,
    share_high: f64,
    /// The first 200 of them.
    changed: Vec<AnswerChange>,
}

/// Equal votes beside votes weighed by skill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct WhatIf {
    /// As `volary consensus --method` calls it.
    method: String,
    /// The others that may be asked for.
    methods: Vec<String>,
    /// Level of the intervals.
    level: f64,
    questions: Vec<WhatIfQuestion>,
}

impl Electorate {
    /// Names of the ways of weighing.
    pub(crate) fn method_names(&self) -> Vec<String> {
        self.methods.iter().map(|(method, _)| method.name.clone()).collect()
    }

    /// What one way of weighing changes, computed when first asked for; nothing where there is no such way.
    pub(crate) fn what_if(&self, name: Option<&str>) -> Option<Result<Arc<WhatIf>, CrowdError>> {
        let is_it = |one: &&(super::SkillMethod, _)| name.is_none_or(|name| one.0.name == name);
        let (method, made) = self.methods.iter().find(is_it)?;
        let compute = || {
            let (votes, level) = (&self.votes, self.params.level());
            let equal = fraction(votes, &self.counted, None, &self.params)?;
            let pick = Pick::Fixed(method.model.clone());
            let extras = Extras { gold: self.gold.as_ref(), ..Extras::default() };
            let fitted = model_consensus(votes, &self.counted, equal.clone(), &pick, &extras, level)?;
            let questions = (0..).zip(&votes.questions).filter_map(|(index, question)| {
                let both = equal.of_question(index).iter().zip(fitted.consensus.of_question(index));
                let n = both.clone().count() as u64;
                let changed: Vec<AnswerChange> = both
                    .filter(|(a, b)| a.outcome != b.outcome)
                    .map(|(a, b)| AnswerChange {
                        subject_id: votes.subjects[a.subject as usize].clone(),
                        equal: self.outcome(a),
                        weighted: self.outcome(b),
                    })
                    .collect();
                let k = changed.len() as u64;
                let interval = wilson(k as f64, n as f64, level);
                (n > 0).then(|| WhatIfQuestion {
                    workflow_id: question.workflow.clone(),
                    task: question.task.clone(),
                    n_subjects: n,
                    n_changed: k,
                    share: k as f64 / n as f64,
                    share_low: interval.low,
                    share_high: interval.high,
                    changed: changed.into_iter().take(MOST_NAMED).collect(),
                })
            });
            Ok(Arc::new(WhatIf {
                method: method.name.clone(),
                methods: self.method_names(),
                level,
                questions: questions.collect(),
            }))
        };
        Some(made.get_or_init(compute).clone())
    }

    /// The answer of an item as the tables write it; nothing where the votes do not decide.
    fn outcome(&self, item: &Item) -> Option<String> {
        let Outcome::Agreed(answers) = &item.outcome else { return None };
        let labels = &self.votes.questions[item.question as usize].answers;
        Some(answers.iter().map(|&a| labels[a as usize].as_str()).collect::<Vec<_>>().join(" + "))
    }
}
