use rand::RngExt as _;
use volary_core::seed::{Rng, stream};

use super::*;
use crate::event::{Event, Key};

const N_SUBJECTS: usize = 400;
const N_VOTES: u64 = 14;

/// Subjects in four dimensions, real where the first is above zero.
fn embeddings(rng: &mut Rng) -> (Embeddings, Vec<bool>) {
    let mut of = HashMap::new();
    let mut truth = Vec::new();
    for at in 0..N_SUBJECTS {
        let x: Vec<f64> = (0..4).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
        truth.push(x[0] > 0.0);
        of.insert(format!("s{at}"), x);
    }
    (Embeddings { model: "m".into(), dimension: 4, of }, truth)
}

fn event(id: u64, kind: Kind) -> Event {
    Event { key: Key { source: "own".into(), id: id.to_string() }, at_ms: id as i64, kind }
}

/// Every fifth subject is a validation subject; fifteen volunteers are right 85 times in 100, one of them
/// (`liar`) never.
fn history(rng: &mut Rng, truth: &[bool], liar: Option<u64>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut id = 0;
    let mut push = |kind| {
        id += 1;
        events.push(event(id, kind));
    };
    for (at, &is_real) in truth.iter().enumerate() {
        let subject = format!("s{at}");
        let name = |real: bool| (if real { "real" } else { "bogus" }).to_owned();
        if at % 5 == 0 {
            let truth = [("T0".to_owned(), vec![name(is_real)])].into();
            push(Kind::Subject { subject: subject.clone(), validation: true, truth, facts: [].into() });
        }
        for user in 0..=N_VOTES {
            let is_right = rng.random::<f64>() < 0.85 && Some(user) != liar;
            let answers = [("T0".to_owned(), vec![name(is_real == is_right)])].into();
            let actor = Actor::User(user.to_string());
            let (workflow, version, subject) = ("w".to_owned(), "1.1".to_owned(), subject.clone());
            push(Kind::Vote { workflow, version, subject, actor, answers });
        }
    }
    events
}

fn learn_all(events: &[Event], embeddings: &Embeddings, out: &[&str]) -> Learning {
    let params = LearningParams { actor_cap: None, ..LearningParams::default() };
    let out = out.iter().map(|&user| user.to_owned()).collect();
    let mut learning = Learning::new(embeddings.clone(), out, params).unwrap();
    for (seq, event) in (1..).zip(events) {
        let subject = event.subject().map(str::to_owned);
        let logged = Logged { seq, received_ms: event.at_ms, event: event.clone() };
        learning.take(&logged, subject.as_deref());
    }
    learning
}

#[test]
fn what_volunteers_say_is_learnt_and_gold_judges_it() {
    let mut rng = stream(3, "learning");
    let (embeddings, truth) = embeddings(&mut rng);
    let learning = learn_all(&history(&mut rng, &truth, None), &embeddings, &[]);
    let counts = learning.counts();
    assert_eq!((counts.n_subjects, counts.n_gold), (320, 80), "{counts:?}");
    // Fourteen votes retire; the fifteenth teaches nothing.
    assert_eq!((counts.n_votes, counts.n_without_embedding), (320 * N_VOTES, 0));
    let gold = &learning.reports()["gold"];
    assert_eq!(gold.n, 80);
    assert!(gold.brier < 0.15, "a coin has 0.25: {gold:?}");
    // It has found the direction: the first weight, and no other.
    let weights = learning.learner(Arm::Safe).weights();
    assert!(weights[0] > 2.0 && weights[1..].iter().all(|w| w.abs() < 1.0), "{weights:?}");
    let p = |x: f64| {
        let values = [x, 0.0, 0.0, 0.0];
        learning.learner(Arm::Fast).predict(&Embedding { model: "m", values: &values }).unwrap().p_class
            [1]
    };
    // Fourteen votes of people who are right 85 times in 100 are labels of about 0.8.
    assert!(p(0.8) > 0.7 && p(-0.8) < 0.3);
}

#[test]
fn who_opts_out_has_never_been_there() {
    let mut rng = stream(4, "learning");
    let (embeddings, truth) = embeddings(&mut rng);
    let events = history(&mut rng, &truth, Some(3));
    let with = learn_all(&events, &embeddings, &["3"]);
    // The other world: the same log without the person's votes. Retirement comes with the fourteenth vote
    // of the others there, so that both worlds are compared on the first thirteen votes of others.
    let by = |event: &Event, user: u64| matches!(&event.kind, Kind::Vote { actor: Actor::User(u), .. } if *u == user.to_string());
    let few: Vec<Event> = events.iter().filter(|e| !by(e, N_VOTES)).cloned().collect();
    let without: Vec<Event> = few.iter().filter(|e| !by(e, 3)).cloned().collect();
    let (here, there) = (learn_all(&few, &embeddings, &["3"]), learn_all(&without, &embeddings, &[]));
    assert_eq!(here.learner(Arm::Fast).weights(), there.learner(Arm::Fast).weights());
    assert!(here.counts().n_opted_out > 0 && there.counts().n_opted_out == 0);
    // And it matters: the liar pulls.
    assert_ne!(
        with.learner(Arm::Safe).weights(),
        learn_all(&events, &embeddings, &[]).learner(Arm::Safe).weights()
    );
}

#[test]
fn the_same_log_gives_the_same_model() {
    let mut rng = stream(5, "learning");
    let (embeddings, truth) = embeddings(&mut rng);
    let events = history(&mut rng, &truth, None);
    let bytes = || learn_all(&events, &embeddings, &[]).learner(Arm::Fast).to_bytes();
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_model_is_promoted_on_evidence_only_and_goes_back_freely() {
    let mut rng = stream(6, "learning");
    let (embeddings, truth) = embeddings(&mut rng);
    let mut events = history(&mut rng, &truth, None);
    let promotion =
        |id, fast| event(id, Kind::Promotion { fast, who: "team".into(), why: "try".into() });
    events.push(promotion(900_000, true));
    events.push(promotion(900_001, false));
    let learning = learn_all(&events, &embeddings, &[]);
    // 80 subjects with a known truth are too few for a proof.
    assert_eq!(learning.in_use(), Arm::Safe);
    let [change] = learning.changes() else { panic!("{:?}", learning.changes()) };
    assert!(change.is_refused && change.to == Arm::Fast && change.why.contains("evidence"));
}

#[test]
fn odd_embeddings_are_counted_and_teach_nothing() {
    let mut rng = stream(7, "learning");
    let (mut embeddings, truth) = embeddings(&mut rng);
    embeddings.of.get_mut("s1").unwrap()[2] = f64::NAN;
    embeddings.of.get_mut("s2").unwrap().pop();
    embeddings.of.remove("s3");
    let learning = learn_all(&history(&mut rng, &truth[..5], None), &embeddings, &[]);
    let counts = learning.counts();
    assert_eq!((counts.n_refused, counts.n_without_embedding), (2 * N_VOTES, N_VOTES));
    assert_eq!((counts.n_votes, counts.n_subjects), (N_VOTES, 1));
    assert!(learning.learner(Arm::Fast).weights().iter().all(|w| w.is_finite()));
}

#[test]
fn a_change_of_the_stream_raises_an_alarm_of_its_source() {
    let mut drift = Drift::new(100);
    let mut rng = stream(8, "drift");
    for at in 0..1_000 {
        let score = rng.random::<f64>();
        drift.score(at, if at < 500 { score } else { score * 0.5 });
        drift.label(at, f64::from(u8::from(rng.random::<f64>() < 0.3)));
    }
    let of = |test: &str| -> Vec<&DriftAlarm> {
        drift
            .alarms()
            .iter()
            .filter(|a| a.source == "scores" && a.test == test && a.seq >= 500)
            .collect()
    };
    for test in ["psi", "ks"] {
        let n_in_a_row: Vec<u32> = of(test).iter().map(|alarm| alarm.n_in_a_row).collect();
        assert_eq!(n_in_a_row, [1, 2, 3, 4, 5], "{test}");
    }
    assert!(drift.alarms().iter().all(|a| a.source == "scores" || a.value < 0.3));
}

#[test]
fn an_embedding_that_drifts_in_one_entry_is_named_by_it() {
    let mut drift = Drift::new(200);
    let mut rng = stream(9, "drift");
    for at in 0..2_000 {
        let mut values = [0.0; 8].map(|_: f64| rng.random::<f64>());
        values[3] += if at < 1_000 { 0.0 } else { 0.4 };
        drift.embedding(at, &values);
    }
    let late: Vec<&DriftAlarm> = drift.alarms().iter().filter(|alarm| alarm.seq >= 1_000).collect();
    assert!(late.iter().filter(|alarm| alarm.feature.as_deref() == Some("e3")).count() == 5, "{late:?}");
    assert!(drift.alarms().len() - late.len() <= 1, "one window in a hundred: {:?}", drift.alarms());
}
