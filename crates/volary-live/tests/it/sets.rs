//! What is known is a function of the set of events; what is announced, of the log's order.

use proptest::prelude::*;
use rand::seq::SliceRandom as _;
use volary_live::book::{Effect, Summary};
use volary_live::policy::{Anonymous, Condition, Repeats, UnknownSubjects};
use volary_live::replay::{Memory, Taken};
use volary_live::{Event, Kind, Policy, Rule};

use crate::history::{Heard, correct, event, history, retract, subject, vote};

fn fold(policy: &Policy, heard: &[Heard]) -> Memory {
    let mut memory = Memory::new(policy.clone());
    for (event, received_ms) in heard {
        memory.offer(event.clone(), *received_ms);
    }
    memory
}

fn canonical(memory: &Memory) -> Vec<String> {
    memory.summaries().iter().map(|s| s.canonical().to_json()).collect()
}

fn told(memory: &Memory) -> Vec<String> {
    memory.effects().iter().map(Effect::to_json).collect()
}

fn policies() -> impl Strategy<Value = Policy> {
    let repeats = prop_oneof![Just(Repeats::KeepFirst), Just(Repeats::KeepLast), Just(Repeats::KeepAll)];
    let anonymous = prop_oneof![
        Just(Anonymous::OnePerSession),
        Just(Anonymous::EachEvent),
        Just(Anonymous::NotForAlerts)
    ];
    let unknown = prop_oneof![Just(UnknownSubjects::Count), Just(UnknownSubjects::Park)];
    (repeats, anonymous, unknown, any::<bool>()).prop_map(
        |(repeats, anonymous, unknown_subjects, with_conditions)| {
            let mut policy = Policy { repeats, anonymous, unknown_subjects, ..Policy::default() };
            if with_conditions {
                policy.rules.extend(conditions());
            }
            policy
        },
    )
}

/// Rules in CEL that ask for everything there is to ask for.
pub(crate) fn conditions() -> Vec<Rule> {
    let rules = r#"
        [[rule]]
        name = "sure"
        when = 'probability("real") >= 0.6 && n >= 2'
        then = "retire"
        reason = "consensus"
        [[rule]]
        name = "weighty"
        when = 'weighted_agreement("real") > 0.6 && votes(["real", "not sure"]) >= 2'
        then = "webhook"
        to = "team"
        [[rule]]
        name = "dull"
        when = 'agreement("bogus") > 0.3 && (number("score") < 0.5 || n > 3)'
        then = "move"
        to = "bogus-kinds"
    "#;
    #[derive(serde::Deserialize)]
    struct Rules {
        rule: Vec<Rule>,
    }
    toml::from_str::<Rules>(rules).expect("rules").rule
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_with_any_repeats_gives_the_same_state(
        policy in policies(), heard in history(), seed in any::<u64>()
    ) {
        let once = fold(&policy, &heard);
        let mut shuffled = heard.clone();
        shuffled.extend_from_slice(&heard[..heard.len() / 2]);
        shuffled.shuffle(&mut volary_core::seed::stream(seed, "order"));
        let again = fold(&policy, &shuffled);
        prop_assert_eq!(canonical(&once), canonical(&again));
        prop_assert_eq!(once.log().len(), again.log().len());
    }

    #[test]
    fn repeats_in_order_tell_nothing_new(policy in policies(), heard in history()) {
        let twice: Vec<Heard> = heard.iter().flat_map(|h| [h.clone(), h.clone()]).collect();
        let mut file_again = heard.clone();
        file_again.extend_from_slice(&heard);
        let once = told(&fold(&policy, &heard));
        prop_assert_eq!(&once, &told(&fold(&policy, &twice)));
        prop_assert_eq!(&once, &told(&fold(&policy, &file_again)));
    }

    #[test]
    fn an_alert_has_eight_voters_whatever_came_when(heard in history()) {
        let memory = fold(&Policy::default(), &heard);
        for alert in memory.alerts() {
            prop_assert_eq!((alert.k, alert.voters.len()), (8, 8));
            prop_assert!(alert.n <= 10);
            let mut actors: Vec<_> = alert.voters.iter().map(|v| &v.actor).collect();
            actors.sort();
            actors.dedup();
            prop_assert_eq!(actors.len(), 8, "nobody is there twice");
        }
        volary_live::alert::check_chain(memory.alerts()).expect("the chain holds");
        let ids: std::collections::BTreeSet<_> = memory.effects().iter().map(Effect::id).collect();
        prop_assert_eq!(ids.len(), memory.effects().len(), "nothing is told twice");
    }

    #[test]
    fn names_of_people_do_not_matter(heard in history()) {
        let renamed: Vec<Heard> = heard
            .iter()
            .map(|(event, at)| {
                let mut event = event.clone();
                if let Kind::Vote { actor: volary_live::Actor::User(user), .. } = &mut event.kind {
                    *user = format!("x{user}");
                }
                (event, *at)
            })
            .collect();
        let policy = Policy::default();
        prop_assert_eq!(canonical(&fold(&policy, &heard)), canonical(&fold(&policy, &renamed)));
    }

    #[test]
    fn one_more_positive_vote_never_lowers_k(heard in history()) {
        let policy = Policy::default();
        let mut more = heard.clone();
        more.push((vote(1000, 50, "s0", 99, "real"), 50));
        let k = |memory: &Memory| {
            memory.summaries().iter().find(|s| s.subject == "s0").map_or(0, |s| s.rules[0].k)
        };
        prop_assert!(k(&fold(&policy, &more)) >= k(&fold(&policy, &heard)));
    }

    #[test]
    fn every_vote_is_felt(heard in history()) {
        // All labels count: take any canonical vote away, and the hash of the set says so.
        let policy = Policy::default();
        let all = fold(&policy, &heard);
        for (at, (taken, _)) in heard.iter().enumerate() {
            let Kind::Vote { .. } = taken.kind else { continue };
            let mut fewer = heard.clone();
            fewer.remove(at);
            let counted = |m: &Memory| -> u64 { m.summaries().iter().map(|s| s.n).sum() };
            let fewer = fold(&policy, &fewer);
            if counted(&fewer) < counted(&all) {
                prop_assert_ne!(canonical(&fewer), canonical(&all));
            }
        }
    }
}

fn votes(answers: &[&str]) -> Vec<Heard> {
    (0..).zip(answers).map(|(at, answer)| (vote(at, at as i64, "s", at, answer), at as i64)).collect()
}

fn summary(memory: &Memory) -> Summary {
    memory.summaries().remove(0)
}

fn n_alerts(memory: &Memory) -> usize {
    memory.alerts().count()
}

#[test]
fn displaced_votes_diverge_then_and_only_then() {
    // Every history of ten votes, with every choice of at most two that come after the others. None of
    // them can diverge: eight of ten alert in any order.
    let (n_diverged, n_alerted) = displaced(10, |_| true);
    assert!(n_diverged == 0 && n_alerted > 1000, "{n_diverged} {n_alerted}");
    // With twelve, a third negative vote that comes late has let through what it would have stopped.
    let (n_diverged, n_alerted) = displaced(12, |bits| matches!(bits.count_ones(), 8 | 9));
    assert!(n_diverged > 1000 && n_alerted > 1000, "{n_diverged} {n_alerted}");
}

fn displaced(n: usize, is_wanted: fn(u32) -> bool) -> (usize, usize) {
    let policy = Policy::default();
    let (mut n_diverged, mut n_alerted) = (0, 0);
    for bits in (0_u32..1 << n).filter(|bits| is_wanted(*bits)) {
        let answers: Vec<&str> =
            (0..n).map(|at| if bits >> at & 1 == 1 { "real" } else { "bogus" }).collect();
        let heard = votes(&answers);
        let in_order = fold(&policy, &heard);
        assert!(!summary(&in_order).rules[0].diverged);
        let bytes = canonical(&in_order);
        for first in 0..n {
            for second in first..n {
                let late = |at: &usize| *at == first || *at == second;
                let order = (0..n).filter(|at| !late(at)).chain((0..n).filter(late));
                let arrived: Vec<Heard> = order.map(|at| heard[at].clone()).collect();
                let memory = fold(&policy, &arrived);
                assert_eq!(canonical(&memory), bytes);
                let seen = summary(&memory);
                assert_eq!(seen.rules[0].diverged, n_alerts(&memory) != n_alerts(&in_order));
                memory.alerts().for_each(|alert| assert_eq!((alert.k, alert.voters.len()), (8, 8)));
                n_diverged += usize::from(seen.rules[0].diverged);
                n_alerted += n_alerts(&memory);
            }
        }
    }
    (n_diverged, n_alerted)
}

#[test]
fn a_key_used_twice_keeps_the_first() {
    let mut memory = Memory::new(Policy::default());
    assert_eq!(memory.offer(vote(1, 1, "s", 1, "real"), 1), Taken::New);
    assert_eq!(memory.offer(vote(1, 1, "s", 1, "real"), 9), Taken::Duplicate);
    assert_eq!(memory.offer(vote(1, 1, "s", 1, "bogus"), 1), Taken::Conflict);
    assert_eq!(summary(&memory).rules[0].k, 1);
}

#[test]
fn a_retraction_before_the_crossing_takes_the_vote_out() {
    let mut heard = votes(&["real"; 7]);
    heard.push((retract(50, 8, 3), 8));
    heard.push((vote(60, 9, "s", 60, "real"), 9));
    let memory = fold(&Policy::default(), &heard);
    assert_eq!((summary(&memory).n, n_alerts(&memory)), (7, 0));
}

#[test]
fn a_retraction_after_the_alert_is_told_once_and_changes_no_record() {
    let mut heard = votes(&["real"; 8]);
    let before = told(&fold(&Policy::default(), &heard));
    heard.push((retract(50, 8, 3), 8));
    heard.push((retract(51, 9, 4), 9));
    let memory = fold(&Policy::default(), &heard);
    let seen = summary(&memory);
    assert!(seen.rules[0].support_lost && seen.rules[0].diverged && seen.rules[0].alert.is_some());
    assert_eq!(told(&memory)[..before.len()], before[..]);
    let lost = memory.effects().iter().filter(|e| matches!(e, Effect::SupportLost { .. })).count();
    assert_eq!(lost, 1);
}

#[test]
fn a_retraction_after_retirement_leaves_it_retired() {
    let mut heard = votes(&["bogus"; 14]);
    heard.push((retract(50, 20, 3), 20));
    let seen = summary(&fold(&Policy::default(), &heard));
    assert_eq!((seen.n, seen.retired_at, seen.retired.map(|r| r.n)), (13, None, Some(14)));
}

#[test]
fn a_late_crossing_is_logged_and_is_no_discovery() {
    let mut answers = vec!["bogus"; 3];
    answers.extend(["real"; 12]);
    let memory = fold(&Policy::default(), &votes(&answers));
    assert_eq!(n_alerts(&memory), 0);
    let late = memory.effects().iter().filter(|e| matches!(e, Effect::CrossedAfterRetirement { .. }));
    assert_eq!(late.count(), 1);
    // The same where the crossing lies before retirement, but is only learnt of after it.
    let mut heard = votes(&["real", "real", "real", "real", "real", "real", "real"]);
    for at in 10..17 {
        heard.push((vote(at, at as i64, "s", at, "bogus"), at as i64));
    }
    heard.push((vote(30, 7, "s", 30, "real"), 99));
    let memory = fold(&Policy::default(), &heard);
    let seen = summary(&memory);
    assert_eq!((n_alerts(&memory), seen.rules[0].crossed), (0, Some((8, 8))));
    assert!(seen.rules[0].diverged);
}

#[test]
fn validation_subjects_never_alert() {
    let mut heard = vec![(subject(99, 0, "s", true), 0)];
    heard.extend(votes(&["real"; 14]));
    let memory = fold(&Policy::default(), &heard);
    assert_eq!((n_alerts(&memory), summary(&memory).rules[0].crossed), (0, None));
    assert!(summary(&memory).retired.is_some() && summary(&memory).validation);
}

#[test]
fn parked_votes_count_when_the_subject_comes() {
    let policy = Policy { unknown_subjects: UnknownSubjects::Park, ..Policy::default() };
    let mut heard = votes(&["real"; 9]);
    let memory = fold(&policy, &heard);
    assert_eq!((summary(&memory).n, summary(&memory).n_parked, n_alerts(&memory)), (0, 9, 0));
    heard.push((subject(99, 50, "s", false), 50));
    let memory = fold(&policy, &heard);
    assert_eq!((summary(&memory).n, summary(&memory).n_parked, n_alerts(&memory)), (9, 0, 1));
    let alert = memory.alerts().next().expect("one alert");
    assert_eq!((alert.n, alert.k, alert.at_ms), (8, 8, 50), "crossed at eight, told when it was known");
}

#[test]
fn major_versions_are_tallied_apart() {
    let mut heard = votes(&["real"; 8]);
    for (event, _) in heard.iter_mut().skip(4) {
        if let Kind::Vote { version, .. } = &mut event.kind {
            *version = "4.1".into();
        }
    }
    let memory = fold(&Policy::default(), &heard);
    let counts: Vec<(String, u64)> =
        memory.summaries().into_iter().map(|s| (s.strand.major, s.n)).collect();
    assert_eq!(counts, [("3".to_owned(), 4), ("4".to_owned(), 4)]);
    assert_eq!(n_alerts(&memory), 0);
}

#[test]
fn a_correction_equals_taking_back_and_voting_again() {
    let mut corrected = votes(&["real", "bogus", "real"]);
    corrected.push((correct(50, 5, 1, "real"), 5));
    let mut pair = votes(&["real", "bogus", "real"]);
    pair.push((retract(50, 5, 1), 5));
    pair.push((vote(51, 5, "s", 1, "real"), 5));
    let counts = |heard: &[Heard]| {
        let seen = summary(&fold(&Policy::default(), heard));
        (seen.n, seen.rules[0].k, seen.labels)
    };
    assert_eq!(counts(&corrected), counts(&pair));
}

#[test]
fn a_retraction_touches_only_votes_of_its_source() {
    let mut heard = votes(&["real", "real"]);
    let mut foreign = retract(50, 5, 1);
    foreign.key.source = "elsewhere".into();
    heard.push((foreign, 5));
    assert_eq!(summary(&fold(&Policy::default(), &heard)).n, 2);
}

#[test]
fn a_new_rule_judges_later_votes_and_tells_nothing_of_old_ones() {
    let strict = {
        let mut policy = Policy::default();
        policy.rules[0].min_positive = Some(12);
        policy
    };
    let mut heard = votes(&["real"; 9]);
    heard.push((event(90, 20, Kind::Policy { policy: Box::default() }), 20));
    heard.push((vote(91, 21, "s", 91, "real"), 21));
    let memory = fold(&strict, &heard);
    // The ninth vote had met the new rule when it came into force: no alert after the event.
    assert_eq!((n_alerts(&memory), summary(&memory).rules[0].crossed), (0, Some((8, 8))));
    assert_eq!(summary(&memory).policy, Policy::default().version());
    // An alert keeps the version that made it.
    let mut heard = votes(&["real"; 8]);
    heard.push((event(90, 20, Kind::Policy { policy: Box::new(strict) }), 20));
    let memory = fold(&Policy::default(), &heard);
    assert_eq!(memory.alerts().next().map(|a| a.policy.clone()), Some(Policy::default().version()));
}

#[test]
fn those_who_opted_out_count_live_and_not_for_learning() {
    let mut heard = votes(&["real"; 8]);
    heard.push((event(90, 20, Kind::OptOut { user: "3".into(), out: true }), 20));
    heard.push((event(91, 21, Kind::OptOut { user: "nobody".into(), out: true }), 21));
    let memory = fold(&Policy::default(), &heard);
    assert_eq!((summary(&memory).n, n_alerts(&memory)), (8, 1));
    let engine = memory.engine();
    let book = engine.book("s").expect("the subject has votes");
    let without = book.tallies_without(|actor| engine.people().is_out(actor), engine.rules());
    // Counterfactual: the same as if that person had never voted.
    let never: Vec<Heard> = votes(&["real"; 8]).into_iter().filter(|(e, _)| e.key.id != "3").collect();
    let never = fold(&Policy::default(), &never);
    let expected: Vec<_> =
        never.engine().book("s").expect("votes").tallies().map(|(_, t)| t.clone()).collect();
    let bytes = |t: &volary_live::canon::Tally| serde_json::to_string(t).expect("serialises");
    assert_eq!(
        without.iter().map(|(_, t)| bytes(t)).collect::<Vec<_>>(),
        expected.iter().map(bytes).collect::<Vec<_>>()
    );
    heard.push((event(92, 22, Kind::OptOut { user: "3".into(), out: false }), 22));
    assert_eq!(
        fold(&Policy::default(), &heard).engine().people().opted_out().collect::<Vec<_>>(),
        ["nobody"]
    );
}

/// Three good volunteers and three who guess, judged by validation subjects; a subject on which they differ.
#[test]
fn the_good_are_believed_and_all_labels_count() {
    let mut policy = Policy { rules: conditions(), ..Policy::default() };
    policy.rules.truncate(1);
    policy.rules[0].when = Some(Condition::parse("probability(\"real\") >= 0.95").expect("CEL"));
    let mut memory = Memory::new(policy.clone());
    let mut id = 0;
    let mut offer = |event: Event| {
        memory.offer(event, 0);
    };
    for exam in 0..20 {
        let name = format!("known{exam}");
        let truth = if exam % 2 == 0 { "real" } else { "bogus" };
        offer(subject(exam, 0, &name, true));
        for user in 0..6 {
            // The good are right; of the others every second answer is "real".
            let guess = if (exam / 2 + user) % 2 == 0 { "real" } else { "bogus" };
            id += 1;
            offer(vote(1_000 + id, 1, &name, user, if user < 3 { truth } else { guess }));
        }
    }
    for user in 3..6 {
        offer(vote(2_000 + user, 2, "guessed", user, "real"));
    }
    for user in 0..3 {
        offer(vote(3_000 + user, 2, "seen", user, "real"));
    }
    let retired: Vec<_> = memory
        .effects()
        .iter()
        .filter_map(|effect| match effect {
            Effect::Retired { subject, reason, retirement, .. } => {
                Some((subject.as_str(), reason.as_str(), retirement.n))
            }
            _ => None,
        })
        .collect();
    let others: Vec<_> =
        retired.into_iter().filter(|(subject, ..)| !subject.starts_with("known")).collect();
    assert_eq!(others, [("seen", "consensus", 2)], "two of the good are enough, three guesses are not");
}

/// What one knows of a voter by later exams must not reach back: the state is the same however late they
/// come, and a vote is judged by the exams before it alone.
#[test]
fn exams_do_not_reach_back() {
    let mut policy = Policy { rules: conditions(), ..Policy::default() };
    policy.rules.truncate(1);
    policy.rules[0].when = Some(Condition::parse("probability(\"real\") > 0.7").expect("CEL"));
    let exams: Vec<Heard> = (0..10)
        .flat_map(|exam| {
            let name = format!("known{exam}");
            let truth = if exam % 2 == 0 { "real" } else { "bogus" };
            [(subject(exam, 0, &name, true), 0), (vote(100 + exam, 10, &name, 1, truth), 10)]
        })
        .collect();
    let before = (vote(500, 5, "early", 1, "real"), 5);
    let after = (vote(501, 15, "late", 1, "real"), 15);
    let retired = |heard: &[Heard]| -> Vec<String> {
        let memory = fold(&policy, heard);
        let summaries = memory.summaries();
        let retired = summaries.iter().filter(|s| s.retired_at.is_some() && !s.validation);
        retired.map(|s| s.subject.clone()).collect()
    };
    let one = std::slice::from_ref;
    let in_order = [one(&before), &exams[..], one(&after)].concat();
    let exams_last = [&[before, after], &exams[..]].concat();
    assert_eq!(retired(&in_order), ["late"]);
    assert_eq!(retired(&exams_last), ["late"], "exams that come late are counted where they belong");
}

/// A person retires and opens subjects; the latest word holds, and both are told.
#[test]
fn what_is_done_by_hand_holds() {
    let word = |id, at_ms, retired| {
        let (subject, workflow, reason) = ("s".to_owned(), "w".to_owned(), "human".to_owned());
        event(id, at_ms, Kind::Retirement { subject, workflow, retired, reason })
    };
    let heard = [
        (vote(1, 1, "s", 1, "real"), 1),
        (word(2, 5, true), 5),
        (word(3, 9, false), 9),
        (word(4, 3, true), 10),
    ];
    let memory = fold(&Policy::default(), &heard);
    let summary = &memory.summaries()[0];
    assert_eq!((summary.by_hand, summary.is_open()), (Some(false), true), "the word of time 9 holds");
    let told = memory.effects().iter().filter(|e| matches!(e, Effect::ByHand { .. })).count();
    assert_eq!(told, 2, "an older word that comes late changes nothing and is not told");
}
