use std::collections::BTreeMap;

use volary_core::votes::VotesBuilder;

use super::*;
use crate::aggregate::{Key, contract};
use crate::fraction::{FractionParams, fraction};
use crate::interval::IntervalKind;
use crate::repeats::{Repeats, counted};
use crate::skill::testing::honest;
use crate::{Aggregate, CrowdError};

const MODELS: fn() -> Vec<Model> = || {
    let mut models: Vec<Model> =
        Variant::ALL.into_iter().map(|v| Model::DawidSkene(DawidSkene::new(v))).collect();
    models.push(Model::Ibcc(Ibcc::default()));
    models.push(Model::Glad(Glad::default()));
    models.push(Model::Mace(Mace::default()));
    models.push(Model::Weighted(Weighted::default()));
    models.push(Model::Weighted(Weighted { iterated: true, ..Weighted::default() }));
    models.push(Model::Swap(Sequential::default()));
    models
};

fn params() -> FractionParams {
    FractionParams::new(IntervalKind::Jeffreys, 0.95).unwrap()
}

fn run(votes: &Votes, pick: &Pick, extras: &Extras<'_>) -> Result<ModelConsensus, CrowdError> {
    let counted = counted(votes, Repeats::First);
    let base = fraction(votes, &counted, None, &params())?;
    model_consensus(votes, &counted, base, pick, extras, 0.95)
}

/// Probabilities by answer; equal where they differ by less than EM's tolerance leaves open.
#[derive(Debug)]
struct Beliefs(BTreeMap<String, f64>);

impl PartialEq for Beliefs {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((a, p), (b, q))| a == b && (p - q).abs() < 1e-5)
    }
}

impl contract::Relabel for Beliefs {
    fn relabel(&self, rename: &dyn Fn(&str) -> String) -> Self {
        Self(self.0.iter().map(|(answer, p)| (rename(answer), *p)).collect())
    }
}

/// A model that joins the contract.
struct Judge(Model);

impl Aggregate for Judge {
    type Value = Beliefs;

    fn aggregate(&self, votes: &Votes) -> BTreeMap<Key, Beliefs> {
        let result = run(votes, &Pick::Fixed(self.0.clone()), &Extras::default()).unwrap().consensus;
        let value = |item: &crate::Item| {
            let question = &votes.questions[item.question as usize];
            let key = Key {
                workflow: question.workflow.clone(),
                task: question.task.clone(),
                subject: votes.subjects[item.subject as usize].clone(),
            };
            let belief = |(answer, p): (u32, f64)| (question.answers[answer as usize].clone(), p);
            (key, Beliefs(result.beliefs_of(item).map(belief).collect()))
        };
        result.items.iter().map(value).collect()
    }
}

#[test]
fn every_model_keeps_the_contract() {
    let crowd = honest(40, 15, 3, 3);
    let rows: Vec<contract::Row> = (0..crowd.n_votes())
        .map(|i| (crowd.subject[i], crowd.volunteer[i], Some(crowd.answer[i]), crowd.created_ms[i]))
        .collect();
    for model in MODELS() {
        contract::order_invariance(&Judge(model.clone()), &rows);
        contract::duplicates_change_nothing(&Judge(model.clone()), &rows);
        contract::empty(&Judge(model.clone()));
        contract::many_votes(&Judge(model.clone()));
        // Ties are broken by the order of the names while these two measure skill or assign.
        let by_name = matches!(model, Model::Weighted(_))
            || matches!(model, Model::DawidSkene(ds) if ds.variant == Variant::Hard);
        if !by_name {
            contract::relabelling(&Judge(model.clone()), &rows);
        }
    }
}

fn label_votes(rows: &[(&str, &str, Option<&str>)], kind: QuestionKind) -> Votes {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answer)) in rows.iter().enumerate() {
        let c = builder.classification("w", subject, volunteer, None, &id.to_string());
        builder.vote(c, "T0", kind, *answer);
    }
    builder.finish()
}

#[test]
fn probabilities_stand_beside_the_counts() {
    let votes = honest(200, 20, 3, 1).to_votes();
    let pick = Pick::Fixed(Model::DawidSkene(DawidSkene::new(Variant::Shrunk)));
    let result = run(&votes, &pick, &Extras::default()).unwrap();
    let base = fraction(&votes, &counted(&votes, Repeats::First), None, &params()).unwrap();
    for (item, before) in result.consensus.items.iter().zip(&base.items) {
        let rows = result.consensus.answers_of(item);
        let probabilities = result.consensus.probabilities_of(item).map(Option::unwrap);
        let sum: f64 = probabilities.clone().map(|p| p.p).sum();
        assert!((sum - 1.0).abs() < 1e-9);
        for ((row, probability), old) in rows.iter().zip(probabilities).zip(base.answers_of(before)) {
            assert_eq!(
                (row.n_votes, row.fraction, row.interval),
                (old.n_votes, old.fraction, old.interval)
            );
            assert!(probability.interval.contains(probability.p));
        }
        assert_eq!(item.agreement, before.agreement);
    }
    assert!(result.consensus.method.contains("dawid-skene shrunk"));
}

#[test]
fn questions_with_several_answers_are_a_bernoulli_each() {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answers)) in [
        ("1", "a", vec!["ring", "bar"]),
        ("1", "b", vec!["ring"]),
        ("1", "c", vec!["ring"]),
        ("2", "a", vec![]),
        ("2", "b", vec!["bar"]),
        ("2", "c", vec![]),
        ("3", "a", vec!["bar"]),
        ("3", "b", vec!["bar", "ring"]),
        ("3", "c", vec!["bar"]),
    ]
    .into_iter()
    .enumerate()
    {
        let c = builder.classification("w", subject, volunteer, None, &id.to_string());
        if answers.is_empty() {
            builder.vote(c, "T1", QuestionKind::Multiple, None);
        }
        answers.iter().for_each(|a| builder.vote(c, "T1", QuestionKind::Multiple, Some(a)));
    }
    let votes = builder.finish();
    for model in MODELS() {
        let result = run(&votes, &Pick::Fixed(model.clone()), &Extras::default()).unwrap();
        assert_eq!(result.fits.len(), 2, "{}", model.name());
        let belief = |item: usize, answer: usize| {
            result.consensus.beliefs_of(&result.consensus.items[item]).nth(answer).unwrap().1
        };
        // Sorted answers: bar, ring.
        assert!(belief(0, 1) > 0.5 && belief(0, 0) < 0.5, "{}", model.name());
        assert!(belief(2, 0) > 0.5, "{}", model.name());
        assert_eq!(result.consensus.items[2].outcome, Outcome::Agreed(vec![0]), "{}", model.name());
        assert!(result.fits.iter().all(|f| f.panel.ballots.n_votes() == 9));
    }
}

#[test]
fn gold_that_cannot_be_used_is_listed() {
    let votes = label_votes(
        &[
            ("1", "a", Some("yes")),
            ("1", "b", Some("no")),
            ("2", "a", Some("yes")),
            ("2", "b", Some("yes")),
        ],
        QuestionKind::Single,
    );
    let mut truth = Truth::default();
    truth.add("T0", "1", "no");
    truth.add("T0", "2", "yes");
    truth.add("T0", "2", "no");
    truth.add("T0", "9", "yes");
    truth.add("T0", "1", "no");
    let mut other = truth.clone();
    other.add("T0", "1", "maybe");
    let pick = Pick::Fixed(Model::Ibcc(Ibcc::default()));
    let result = run(&votes, &pick, &Extras { gold: Some(&truth), ..Extras::default() }).unwrap();
    assert_eq!(
        result.gold_problems,
        [
            GoldProblem::UnknownSubject { subject: "9".to_owned() },
            GoldProblem::Contradiction { task: "T0".to_owned(), subject: "2".to_owned() },
        ]
    );
    assert_eq!(result.n_gold, 1);
    assert_eq!(result.consensus.items[0].outcome, Outcome::Agreed(vec![0]));
    let result = run(&votes, &pick, &Extras { gold: Some(&other), ..Extras::default() }).unwrap();
    assert!(
        matches!(&result.gold_problems[1], GoldProblem::UnknownAnswer { answer, .. } if answer == "maybe")
    );
    assert_eq!(result.n_gold, 0);
}

#[test]
fn a_class_that_nobody_used_and_one_that_only_gold_knows() {
    let mut builder = VotesBuilder::default();
    builder.offer("w", "T0", QuestionKind::Single, "never");
    builder.offer("w", "T0", QuestionKind::Single, "rare");
    for (id, (subject, volunteer)) in
        [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")].into_iter().enumerate()
    {
        let c = builder.classification("w", subject, volunteer, None, &id.to_string());
        builder.vote(c, "T0", QuestionKind::Single, Some("common"));
    }
    let votes = builder.finish();
    let mut truth = Truth::default();
    truth.add("T0", "1", "rare");
    for model in MODELS() {
        let extras = Extras { gold: Some(&truth), ..Extras::default() };
        let result = run(&votes, &Pick::Fixed(model.clone()), &extras).unwrap();
        // common, never, rare
        let rows = result.consensus.probabilities_of(&result.consensus.items[0]);
        let p: Vec<f64> = rows.map(|row| row.unwrap().p).collect();
        assert_eq!(p, [0.0, 0.0, 1.0], "{}", model.name());
    }
}

#[test]
fn every_vote_counts_for_its_own_answer_where_that_is_asked() {
    // A reliable liar: the model turns the vote round, unless every vote is to count.
    let mut rows = Vec::new();
    let subjects: Vec<String> = (0..40).map(|i| i.to_string()).collect();
    for (i, subject) in subjects.iter().enumerate() {
        let answer = if i % 2 == 0 { "yes" } else { "no" };
        let lie = if i % 2 == 0 { "no" } else { "yes" };
        let honest = if i < 39 { vec!["a", "b", "c"] } else { vec![] };
        rows.extend(honest.into_iter().map(|w| (subject.as_str(), w, Some(answer))));
        rows.push((subject.as_str(), "liar", Some(lie)));
    }
    let votes = label_votes(&rows, QuestionKind::Single);
    let said = |model: &Model, floor| {
        let pick = Pick::Fixed(model.clone());
        let result = run(&votes, &pick, &Extras { vote_floor: floor, ..Extras::default() }).unwrap();
        let last =
            result.consensus.items.iter().find(|i| votes.subjects[i.subject as usize] == "39").unwrap();
        result.consensus.beliefs_of(last).nth(1).unwrap().1
    };
    // Subject 39 has the liar's vote alone, who says yes.
    for model in MODELS() {
        let (alone, floored) = (said(&model, None), said(&model, Some(0.1)));
        let counts_anyway = matches!(model, Model::Mace(_) | Model::Weighted(_))
            || matches!(&model, Model::DawidSkene(ds) if matches!(ds.variant, Variant::OneCoin | Variant::Hard));
        assert!(counts_anyway || alone < 0.5, "{}: {alone}", model.name());
        if !matches!(model, Model::Weighted(_)) {
            assert!(floored > 0.5, "{}: {alone}, {floored} with the floor", model.name());
        }
    }
}

#[test]
fn one_class_two_hundred_classes_and_a_busy_volunteer() {
    let ids: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    let names: Vec<String> = (0..200).map(|i| format!("class {i}")).collect();
    let right = |result: &ModelConsensus, votes: &Votes, truth: &dyn Fn(usize) -> String| {
        let is_right = |item: &&crate::Item| {
            let subject = votes.subjects[item.subject as usize].parse::<usize>().unwrap();
            let Outcome::Agreed(agreed) = &item.outcome else { return false };
            votes.questions[0].answers[agreed[0] as usize] == truth(subject)
        };
        result.consensus.items.iter().filter(is_right).count()
    };
    for model in MODELS() {
        let pick = Pick::Fixed(model.clone());
        // Everybody says the same of everything.
        let votes = label_votes(
            &[("1", "a", Some("x")), ("1", "b", Some("x")), ("2", "a", Some("x"))],
            QuestionKind::Single,
        );
        let result = run(&votes, &pick, &Extras::default()).unwrap();
        assert_eq!(right(&result, &votes, &|_| "x".to_owned()), 2, "{}", model.name());
        // Two hundred classes, two subjects of each, three volunteers.
        let rows: Vec<(&str, &str, Option<&str>)> = (0..400)
            .flat_map(|s| ["a", "b", "c"].map(|w| (ids[s].as_str(), w, Some(names[s % 200].as_str()))))
            .collect();
        let votes = label_votes(&rows, QuestionKind::Single);
        let result = run(&votes, &pick, &Extras::default()).unwrap();
        assert_eq!(right(&result, &votes, &|s| names[s % 200].clone()), 400, "{}", model.name());
        // One volunteer has seen every subject, the others ten each.
        let answer = |s: usize| if s.is_multiple_of(2) { "even" } else { "odd" };
        let rows: Vec<(&str, &str, Option<&str>)> = (0..2_000)
            .flat_map(|s| {
                [
                    (ids[s].as_str(), "busy", Some(answer(s))),
                    (ids[s].as_str(), ids[s / 10].as_str(), Some(answer(s))),
                ]
            })
            .collect();
        let votes = label_votes(&rows, QuestionKind::Single);
        let result = run(&votes, &pick, &Extras::default()).unwrap();
        assert_eq!(right(&result, &votes, &|s| answer(s).to_owned()), 2_000, "{}", model.name());
    }
}

#[test]
fn weights_that_are_no_weights_are_refused_by_every_model() {
    let votes = honest(20, 25, 2, 4).to_votes();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut weights = crate::Weights { per_classification: vec![1.0; votes.n_classifications()] };
        weights.per_classification[3] = bad;
        for model in MODELS() {
            let extras = Extras { weights: Some(&weights), ..Extras::default() };
            let refused = run(&votes, &Pick::Fixed(model.clone()), &extras);
            assert!(matches!(refused, Err(CrowdError::Weight { .. })), "{} {bad}", model.name());
        }
    }
}

/// A machine that is right of every subject is worth more than anybody, in every model.
#[test]
fn every_model_takes_a_machine() {
    let crowd = honest(150, 25, 3, 9);
    let votes = crowd.to_votes();
    let question = &votes.questions[0];
    let name =
        |subject: &str, class: u32| (subject.to_owned(), question.answers[class as usize].clone());
    let mut table = MachineTable::new();
    for subject in &votes.subjects {
        let truth = crowd.true_class[subject.parse::<usize>().unwrap()];
        for class in 0..3 {
            table.insert(name(subject, class), if class == truth { 0.9 } else { 0.05 });
        }
    }
    for model in MODELS() {
        let extras = Extras { machine: Some(&table), ..Extras::default() };
        let with = run(&votes, &Pick::Fixed(model.clone()), &extras).unwrap();
        let fit = &with.fits[0];
        assert_eq!(fit.panel.volunteers.last(), Some(&machine::MACHINE), "{}", model.name());
        assert_eq!(fit.panel.arrival.len(), fit.panel.ballots.n_votes(), "{}", model.name());
        let right = |result: &ModelConsensus| {
            let is_right = |item: &&crate::Item| {
                let subject = &votes.subjects[item.subject as usize];
                let truth = crowd.true_class[subject.parse::<usize>().unwrap()];
                item.outcome == Outcome::Agreed(vec![truth])
            };
            result.consensus.items.iter().filter(is_right).count()
        };
        let without = run(&votes, &Pick::Fixed(model.clone()), &Extras::default()).unwrap();
        assert!(
            right(&with) >= right(&without),
            "{}: {} then {}",
            model.name(),
            right(&without),
            right(&with)
        );
        if !model.takes_bins() {
            let skills = fit.fit.skills(&fit.panel.ballots, 0.95);
            let of = |row: &crate::skill::fit::SkillRow| row.skill.map_or(f64::NAN, |s| s.value);
            let (machine, people) = skills.split_last().unwrap();
            let better = people.iter().filter(|p| of(p) > of(machine)).count();
            assert!(better <= 3, "{}: {better} are better than the machine", model.name());
        }
    }
}

#[test]
fn sliders_and_unanswered_questions_keep_their_count() {
    let mut builder = VotesBuilder::default();
    let c = builder.classification("w", "1", "a", None, "1");
    builder.vote(c, "S", QuestionKind::Slider, Some("0.5"));
    builder.vote(c, "T0", QuestionKind::Single, None);
    let votes = builder.finish();
    for model in MODELS() {
        let result = run(&votes, &Pick::Fixed(model.clone()), &Extras::default()).unwrap();
        assert!(result.consensus.probabilities.iter().all(Option::is_none));
    }
    let none = run(&Votes::default(), &Pick::Auto { seed: 1 }, &Extras::default()).unwrap();
    assert!(none.consensus.items.is_empty());
}

#[test]
fn auto_fits_what_it_chose() {
    let votes = honest(200, 20, 2, 1).to_votes();
    let result = run(&votes, &Pick::Auto { seed: 1 }, &Extras::default()).unwrap();
    let fit = &result.fits[0];
    assert_eq!(Some(&fit.model), fit.choice.as_ref().map(Choice::model));
}
