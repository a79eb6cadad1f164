//! What the workflows of a project ask, and which question follows which answer, for who vets subjects one by one.
//!
//! The workflow export says it. Where it links nothing (its pages are kept elsewhere by the newer editor), questions
//! are asked in the order of their keys, and the page says so. What nobody can answer with a key is passed over: of
//! a task of marks or drawings it is asked whether there is anything to mark.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use volary_ingest::panoptes::workflows::{TaskDefinition, WorkflowTasks, read_workflows};
use volary_ingest::source::Progress;
use volary_ingest::tables::for_each_batch;
use volary_web::project::{QuestionForm, QuestionTree, TreeAnswer, TreeQuestion};

use crate::question_names::QuestionNames;
use crate::session::Session;
use crate::settings::Settings;

/// Kinds of tasks in which something is marked or drawn.
const MARKING: [&str; 6] =
    ["drawing", "dataVisAnnotation", "crop", "highlighter", "volumetric", "geoDrawing"];
/// Answers to such a task.
const MARKED: [&str; 2] = ["something", "nothing"];

/// Questions as columns name them: workflow and task.
type Asked = BTreeSet<(String, String)>;

/// Reads what the workflows of a project ask, if it has an export of them.
pub(crate) fn read(
    folder: &Path,
    settings: &Settings,
    session: &mut Session,
) -> Result<Vec<QuestionTree>> {
    let Some(path) = &settings.input.workflows else { return Ok(Vec::new()) };
    // What is wrong with it has been said when the votes were read.
    let workflows = read_workflows(path, &Progress::default())?;
    let filter = settings.rows.filter()?;
    let asked = asked(&folder.join("consensus/consensus_subjects.parquet"), session)?;
    let is_meant = |id: &&str| filter.workflows.is_empty() || filter.workflows.iter().any(|w| w == id);
    let stored = |id: &str| {
        let all = || workflows.versions(id);
        let taken = all().filter(|(version, _)| filter.versions.accepts(&version.to_string())).last();
        taken.or_else(|| all().last()).map(|(version, tasks)| (version.to_string(), tasks.clone()))
    };
    let meant: BTreeMap<String, (String, WorkflowTasks)> =
        workflows.ids().filter(is_meant).filter_map(|id| Some((id.to_owned(), stored(id)?))).collect();
    Ok(trees(&meant, &asked))
}

/// Questions that volunteers were asked.
fn asked(path: &Path, session: &mut Session) -> Result<Asked> {
    let mut asked = Asked::new();
    if !path.is_file() {
        return Ok(asked);
    }
    for_each_batch(path, &["task"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            asked.insert((text("workflow_id"), text("task")));
        }
        Ok(())
    })?;
    Ok(asked)
}

fn trees(workflows: &BTreeMap<String, (String, WorkflowTasks)>, asked: &Asked) -> Vec<QuestionTree> {
    // Columns are named after what was asked; where nobody was asked anything, after what could be.
    let mut names = QuestionNames::default();
    let askable = workflows.iter().flat_map(|(id, (_, of))| {
        let questions = of.tasks.iter().filter(|(_, task)| form(task).is_some() && !is_marking(task));
        questions.map(move |(key, _)| (id.clone(), key.clone()))
    });
    match asked.is_empty() {
        true => askable.for_each(|(workflow, task)| names.add(&workflow, &task)),
        false => asked.iter().for_each(|(workflow, task)| names.add(workflow, task)),
    }
    let mut all = names.clone();
    workflows.iter().for_each(|(id, (_, of))| of.tasks.keys().for_each(|task| all.add(id, task)));
    let name = |workflow: &str, task: &str, is_marking: bool| match is_marking {
        true => all.of(workflow, task),
        false => names.of(workflow, task),
    };
    let tree = |(id, (version, of)): (&String, &(String, WorkflowTasks))| {
        let mut tree = Links::new(of).tree(|task, is_marking| name(id, task, is_marking))?;
        (tree.workflow_id, tree.version) = (id.clone(), version.clone());
        Some(tree)
    };
    workflows.iter().filter_map(tree).collect()
}

/// How a task can be answered with a key; nothing where it cannot.
fn form(task: &TaskDefinition) -> Option<QuestionForm> {
    let has_answers = task.answers.iter().any(|label| !label.is_empty());
    match task.kind.as_str() {
        "single" if has_answers => Some(QuestionForm::Single),
        "multiple" if has_answers => Some(QuestionForm::Multiple),
        _ if is_marking(task) => Some(QuestionForm::Single),
        _ => None,
    }
}

fn is_marking(task: &TaskDefinition) -> bool {
    MARKING.contains(&task.kind.as_str())
}

/// What follows what in a workflow.
struct Links<'w> {
    of: &'w WorkflowTasks,
    /// Of tasks that stand in a combination: the next one in it, or what follows the combination.
    after: BTreeMap<&'w str, Option<&'w str>>,
    /// Keys in the order in which they are asked where nothing is linked.
    order: Vec<&'w str>,
    is_linked: bool,
}

impl<'w> Links<'w> {
    fn new(of: &'w WorkflowTasks) -> Self {
        let mut after = BTreeMap::new();
        for task in of.tasks.values().filter(|task| !task.children.is_empty()) {
            let next = task.children.iter().skip(1).map(|key| Some(key.as_str()));
            let next = next.chain([task.next.as_deref()]);
            after.extend(task.children.iter().map(String::as_str).zip(next));
        }
        let mut order: Vec<&str> = of.tasks.keys().map(String::as_str).collect();
        // T10 comes after T9.
        order.sort_by_key(|key| (key.len(), *key));
        let leads = |key: &String| of.tasks.contains_key(key);
        let is_linking = |task: &TaskDefinition| {
            task.next.iter().chain(task.answers_next.iter().flatten()).any(leads)
        };
        let n_questions = of.tasks.values().filter(|task| form(task).is_some()).count();
        let is_linked = n_questions < 2 || !after.is_empty() || of.tasks.values().any(is_linking);
        Self { of, after, order, is_linked }
    }

    /// The key of a task that follows another, whatever is answered.
    fn following(&self, key: &str) -> Option<&'w str> {
        if !self.is_linked {
            let at = self.order.iter().position(|one| *one == key)?;
            return self.order.get(at + 1).copied();
        }
        match self.after.get(key) {
            Some(next) => *next,
            None => self.of.tasks.get(key)?.next.as_deref(),
        }
    }

    /// The next question from a task on, which may be one itself: what is none is passed over.
    fn question(&self, from: Option<&'w str>) -> Option<&'w str> {
        let mut at = from?;
        // A circle of tasks that are no questions has an end too.
        for _ in 0..=self.of.tasks.len() {
            let task = self.of.tasks.get(at)?;
            at = match task.children.first() {
                Some(child) => child,
                None if form(task).is_some() => return Some(at),
                None => self.following(at)?,
            };
        }
        None
    }

    fn tree(&self, name: impl Fn(&str, bool) -> String) -> Option<QuestionTree> {
        let first = Some(self.of.first_task.as_str()).filter(|key| self.of.tasks.contains_key(*key));
        // Who links nothing may have named no first one either.
        let first = if self.is_linked { first } else { None }.or(self.order.first().copied());
        let name = |key: &str| name(key, is_marking(&self.of.tasks[key]));
        let first = self.question(first)?;
        let question = |key: &&'w str| {
            let task = &self.of.tasks[*key];
            let next = self.question(self.following(key)).map(name);
            let answers = match is_marking(task) {
                true => MARKED.iter().map(|label| ((*label).to_owned(), None)).collect(),
                false => self.answers(key),
            };
            Some(TreeQuestion {
                name: name(key),
                text: task.text.clone(),
                form: form(task)?,
                is_marking: is_marking(task),
                answers: answers
                    .into_iter()
                    .map(|(label, next)| TreeAnswer { label, next: next.map(name) })
                    .collect(),
                next,
            })
        };
        let is_passed = |key: &&&str| {
            let task = &self.of.tasks[**key];
            form(task).is_none() && task.children.is_empty() && task.kind != "shortcut"
        };
        Some(QuestionTree {
            title: self.of.name.clone(),
            is_linked: self.is_linked,
            first: name(first),
            questions: self.order.iter().filter_map(question).collect(),
            left_out: self.order.iter().filter(is_passed).map(|key| (*key).to_owned()).collect(),
            ..QuestionTree::default()
        })
    }

    /// Labels of the answers, and the question that each leads to, where that is one of its own.
    fn answers(&self, key: &str) -> Vec<(String, Option<&'w str>)> {
        let task = &self.of.tasks[key];
        // In a combination, and where several answers may be given, what follows does not depend on them.
        let is_own = task.kind == "single" && !self.after.contains_key(key);
        let next = |at: usize| task.answers_next.get(at).and_then(Option::as_deref).filter(|_| is_own);
        let labelled = task.answers.iter().enumerate().filter(|(_, label)| !label.is_empty());
        labelled.map(|(at, label)| (label.clone(), self.question(next(at)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(kind: &str, answers: &[(&str, &str)], next: &str) -> TaskDefinition {
        let key = |key: &str| Some(key.to_owned()).filter(|key| !key.is_empty());
        TaskDefinition {
            kind: kind.into(),
            text: format!("{kind}?"),
            answers: answers.iter().map(|(label, _)| (*label).to_owned()).collect(),
            answers_next: answers.iter().map(|(_, next)| key(next)).collect(),
            next: key(next),
            ..TaskDefinition::default()
        }
    }

    fn workflow(first: &str, tasks: &[(&str, TaskDefinition)]) -> WorkflowTasks {
        let tasks = tasks.iter().map(|(key, task)| ((*key).to_owned(), task.clone())).collect();
        WorkflowTasks { name: "W".into(), first_task: first.into(), tasks, ..WorkflowTasks::default() }
    }

    /// `T0: smooth>T2 disk>T1; …` of each question.
    fn shown(tree: &QuestionTree) -> String {
        let of = |question: &TreeQuestion| {
            let answer = |a: &TreeAnswer| format!("{}>{}", a.label, a.next.as_deref().unwrap_or("-"));
            let answers: Vec<String> = question.answers.iter().map(answer).collect();
            let next = question.next.as_deref().unwrap_or("-");
            format!("{}: {} ={next}", question.name, answers.join(" "))
        };
        tree.questions.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    fn one(of: WorkflowTasks) -> QuestionTree {
        let mut all = trees(&[("7".to_owned(), ("1.2".to_owned(), of))].into(), &Asked::new());
        all.remove(0)
    }

    #[test]
    fn an_answer_leads_to_its_question_and_past_what_cannot_be_asked() {
        let tree = one(workflow(
            "T0",
            &[
                (
                    "T0",
                    task("single", &[("smooth", "T3"), ("disk", "T1"), ("star", ""), ("", "T1")], ""),
                ),
                ("T1", task("multiple", &[("ring", ""), ("bar", "T0")], "T2")),
                ("T2", task("text", &[], "T4")),
                ("T3", task("single", &[("yes", "GONE")], "")),
                ("T4", task("drawing", &[], "")),
                ("T5", task("shortcut", &[("nothing", "")], "")),
            ],
        ));
        assert_eq!(
            shown(&tree),
            "T0: smooth>T3 disk>T1 star>- =-; T1: ring>- bar>- =T4; T3: yes>- =-; T4: something>- nothing>- =-"
        );
        assert_eq!((tree.first.as_str(), tree.is_linked, tree.title.as_str()), ("T0", true, "W"));
        assert_eq!((tree.left_out, tree.workflow_id.as_str()), (vec!["T2".to_owned()], "7"));
    }

    #[test]
    fn a_combination_is_asked_one_after_the_other() {
        let mut both = task("combo", &[], "T9");
        both.children = vec!["T2".into(), "T1".into()];
        let tree = one(workflow(
            "T0",
            &[
                ("T0", both),
                ("T1", task("single", &[("a", "T2"), ("b", "")], "")),
                ("T2", task("multiple", &[("c", "")], "")),
                ("T9", task("single", &[("d", "")], "")),
            ],
        ));
        assert_eq!(tree.first, "T2");
        assert_eq!(shown(&tree), "T1: a>- b>- =T9; T2: c>- =T1; T9: d>- =-");
    }

    #[test]
    fn where_nothing_is_linked_the_keys_have_an_order() {
        let answers = [("yes", "S2"), ("no", "")];
        let tasks = ["T2", "T10", "T0"].map(|key| (key, task("single", &answers, "")));
        let tree = one(workflow("T2", &tasks));
        assert!(!tree.is_linked);
        assert_eq!(tree.first, "T0");
        assert_eq!(shown(&tree), "T0: yes>- no>- =T2; T2: yes>- no>- =T10; T10: yes>- no>- =-");
        let alone = one(workflow("", &[("T0", task("single", &answers, ""))]));
        assert!(alone.is_linked, "one question has no order");
    }

    #[test]
    fn circles_end_and_what_asks_nothing_is_no_tree() {
        let texts = [("T0", task("text", &[], "T1")), ("T1", task("text", &[], "T0"))];
        assert_eq!(Links::new(&workflow("T0", &texts)).tree(|key, _| key.to_owned()), None);
        let tree = one(workflow("T0", &[("T0", task("single", &[("a", "T0")], ""))]));
        assert_eq!(shown(&tree), "T0: a>T0 =-");
    }

    #[test]
    fn questions_are_called_as_their_columns_are() {
        let yes = [("yes", "")];
        let galaxies =
            workflow("T0", &[("T0", task("single", &yes, "T1")), ("T1", task("single", &yes, ""))]);
        let curves = workflow(
            "T0",
            &[("T0", task("dataVisAnnotation", &[], "T1")), ("T1", task("single", &yes, ""))],
        );
        let both = [("1", galaxies), ("2", curves)];
        let both = both.map(|(id, of)| (id.to_owned(), ("1.0".to_owned(), of))).into();
        let pair = |workflow: &str, task: &str| (workflow.to_owned(), task.to_owned());
        let asked = [pair("1", "T0"), pair("1", "T1"), pair("2", "T1")].into();
        let found: Vec<String> = trees(&both, &asked).iter().map(shown).collect();
        assert_eq!(
            found,
            [
                "T0: yes>- =w1.T1; w1.T1: yes>- =-",
                "w2.T0: something>- nothing>- =w2.T1; w2.T1: yes>- =-"
            ]
        );
    }
}
