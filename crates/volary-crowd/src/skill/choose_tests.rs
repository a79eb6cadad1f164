use super::*;
use crate::simulate::{CrowdParams, simulate};
use crate::skill::testing::{ballots, honest};

fn chosen(ballots: &Ballots, seed: u64) -> Choice {
    choose(ballots, candidates(false, seed, 0.95), seed).unwrap()
}

#[test]
fn shrinkage_wins_where_most_gave_few_votes() {
    let crowd = simulate(&CrowdParams {
        n_subjects: 800,
        n_volunteers: 600,
        n_classes: 4,
        votes_per_subject: 8.0,
        difficulty: 0.1,
        concentration: 6.0,
        seed: 3,
        ..CrowdParams::default()
    })
    .unwrap();
    let choice = chosen(&ballots(&crowd), 1);
    assert_eq!(choice.basis, Basis::HeldOutVotes);
    let log = |variant, pseudo: Option<f64>| {
        let is = |m: &Model| match m {
            Model::DawidSkene(ds) => {
                ds.variant == variant && pseudo.is_none_or(|p| p == ds.pseudo_votes)
            }
            _ => false,
        };
        choice.scores.iter().find(|s| is(&s.model)).unwrap().mean_log.unwrap()
    };
    // The specification's finding (section 4.5): maximum likelihood is worst on votes it has not seen.
    assert!(log(Variant::Shrunk, Some(5.0)) > log(Variant::Ml, None) + 0.05);
    assert!(matches!(choice.model(), Model::DawidSkene(ds) if ds.variant != Variant::Ml));
    let best = choice.scores[choice.best].mean_log.unwrap();
    assert!(choice.scores.iter().filter_map(|s| s.mean_log).all(|log| log <= best));
}

#[test]
fn gold_decides_where_there_is_enough() {
    let crowd = honest(400, 30, 2, 2);
    let gold = (0..400).map(|i| if i < 100 { crowd.true_class[i] } else { NO_GOLD }).collect();
    let choice = chosen(&ballots(&crowd).with_gold(gold).unwrap(), 1);
    assert_eq!((choice.basis, choice.n), (Basis::Gold, 100));
    assert!(choice.scores.iter().all(|s| s.n_right.is_some_and(|(n, _)| n == 100)));
    let few = (0..400).map(|i| if i < 10 { crowd.true_class[i] } else { NO_GOLD }).collect();
    assert_eq!(chosen(&ballots(&crowd).with_gold(few).unwrap(), 1).basis, Basis::HeldOutVotes);
}

#[test]
fn gold_tells_a_shared_bias_from_the_truth() {
    // Two thirds call most of class 1 "0". By votes a full matrix wins; by gold it must too or lose to
    // what the gold says: the choice is the best log posterior of hidden gold, whatever the votes say.
    let mut rows = Vec::new();
    let mut rng = stream(4, "choose test");
    for item in 0..400_u32 {
        let truth = item % 2;
        for w in (0..30_u32).filter(|w| (item + w) % 3 == 0) {
            let right = if truth == 1 && w >= 10 { 0.3 } else { 0.9 };
            rows.push((item, w, if rng.random::<f64>() < right { truth } else { 1 - truth }));
        }
    }
    let gold = (0..400).map(|i| if i % 4 < 2 { i % 2 } else { NO_GOLD }).collect();
    let ballots = crate::skill::testing::rows(&rows, 2).with_gold(gold).unwrap();
    let choice = chosen(&ballots, 1);
    let right = |s: &Score| s.n_right.unwrap().1;
    let wawa = choice.scores.last().unwrap();
    assert!(right(&choice.scores[choice.best]) > right(wawa) + 10);
}

#[test]
fn the_same_seed_hides_the_same_votes() {
    let ballots = ballots(&honest(200, 30, 2, 7));
    assert_eq!(chosen(&ballots, 5), chosen(&ballots, 5));
    assert_ne!(hide_votes(&ballots, 5).unwrap().1, hide_votes(&ballots, 6).unwrap().1);
    let (shown, hidden) = hide_votes(&ballots, 5).unwrap();
    assert_eq!(shown.n_votes() + hidden.len(), ballots.n_votes());
    assert!((0..200).all(|i| !shown.votes_of(i).is_empty() || ballots.votes_of(i).is_empty()));
    assert!(choose(&ballots, Vec::new(), 1).is_err());
}

#[test]
fn slow_models_predict_votes_too() {
    let ballots = ballots(&honest(200, 30, 3, 7));
    let choice = choose(&ballots, candidates(true, 1, 0.95), 1).unwrap();
    for score in &choice.scores {
        match score.mean_log {
            // A vote among three is worth less than a blind guess only to a bad model.
            Some(log) => {
                assert!(log > -(3.0_f64.ln()) - 0.2 && log < 0.0, "{}: {log}", score.model.name())
            }
            None => assert!(!score.model.predicts_votes()),
        }
    }
}
