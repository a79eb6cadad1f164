//! Every model on crowds that are not as its equations want them: spammers, optimists, confusers, learning
//! and fatigue, a shared bias, tempting subjects, copied votes. Skill is found again, spammers are told from
//! the others, and where the truth can be found the model finds as much of it as the plain vote.

use super::*;
use crate::SimulatedCrowd;
use crate::simulate::{CrowdParams, Effects, SharedBias, Spread, Temptation, VolunteerKind, simulate};
use crate::skill::testing::{accuracy, ballots, correlation};

fn crowd(seed: u64, effects: Effects) -> SimulatedCrowd {
    simulate(&CrowdParams {
        n_subjects: 1_500,
        n_volunteers: 80,
        n_classes: 3,
        votes_per_subject: 9.0,
        max_votes: 20,
        difficulty: 0.2,
        activity_exponent: 0.6,
        seed,
        effects,
        ..CrowdParams::default()
    })
    .unwrap()
}

/// Share of right answers of each volunteer, out of the votes as they fell: with learning or difficulty
/// there is no single matrix.
fn share_right(crowd: &SimulatedCrowd) -> Vec<f64> {
    let mut tally = vec![(0.0, 0.0); crowd.kind.len()];
    for i in 0..crowd.n_votes() {
        let own = &mut tally[crowd.volunteer[i] as usize];
        own.0 += f64::from(u8::from(crowd.answer[i] == crowd.true_class[crowd.subject[i] as usize]));
        own.1 += 1.0;
    }
    tally.into_iter().map(|(hits, n)| if n > 0.0 { hits / n } else { f64::NAN }).collect()
}

fn plain_vote(crowd: &SimulatedCrowd) -> Vec<f64> {
    let k = crowd.n_classes as usize;
    let mut counts = vec![0.0; crowd.true_class.len() * k];
    for i in 0..crowd.n_votes() {
        counts[crowd.subject[i] as usize * k + crowd.answer[i] as usize] += 1.0;
    }
    counts
}

/// All models of single votes; SWAP needs the order of the votes and has tests of its own.
fn models() -> Vec<Model> {
    let mut models: Vec<Model> = [Variant::Ml, Variant::Map, Variant::Shrunk, Variant::OneCoin]
        .map(|v| Model::DawidSkene(DawidSkene::new(v)))
        .to_vec();
    models.push(Model::Ibcc(Ibcc::default()));
    models.push(Model::Glad(Glad::default()));
    models.push(Model::Mace(Mace::default()));
    models.push(Model::Weighted(Weighted::default()));
    models.push(Model::Weighted(Weighted { iterated: true, ..Weighted::default() }));
    models
}

/// Correlation of the model's skill with the share of right answers, the gain in accuracy over the plain
/// vote, and the share of the spammers whose skill is below that of nine in ten others.
fn found(model: &Model, crowd: &SimulatedCrowd) -> (f64, f64, f64) {
    let ballots = ballots(crowd);
    let fit = model.fit(&ballots).unwrap();
    let skill: Vec<f64> =
        fit.skills(&ballots, 0.95).iter().map(|row| row.skill.map_or(f64::NAN, |s| s.value)).collect();
    let right = share_right(crowd);
    let known: Vec<usize> =
        (0..skill.len()).filter(|&w| skill[w].is_finite() && right[w].is_finite()).collect();
    let of = |v: &[f64]| known.iter().map(|&w| v[w]).collect::<Vec<_>>();
    let mut others: Vec<f64> =
        known.iter().filter(|&&w| crowd.kind[w] != VolunteerKind::Spammer).map(|&w| skill[w]).collect();
    others.sort_by(f64::total_cmp);
    let low = others[others.len() / 10];
    let spammers: Vec<usize> =
        known.iter().copied().filter(|&w| crowd.kind[w] == VolunteerKind::Spammer).collect();
    let told = spammers.iter().filter(|&&w| skill[w] < low).count();
    let gain =
        accuracy(&fit.posterior, &crowd.true_class) - accuracy(&plain_vote(crowd), &crowd.true_class);
    (correlation(&of(&skill), &of(&right)), gain, told as f64 / spammers.len().max(1) as f64)
}

#[test]
fn skill_and_spammers_are_found_in_a_mixed_crowd() {
    let crowd = crowd(5, Effects { kinds: VolunteerKind::mixed(), ..Effects::default() });
    for model in models() {
        let (r, gain, told) = found(&model, &crowd);
        eprintln!("{}: correlation {r:.3}, gain {gain:+.4}, spammers told {told:.2}", model.name());
        assert!(r > 0.85, "{}: correlation {r}", model.name());
        assert!(gain > -0.005, "{}: {gain}", model.name());
        assert!(told > 0.7, "{}: {told} of the spammers", model.name());
    }
}

#[test]
fn learning_fatigue_and_copied_votes_leave_the_ranking() {
    let crowd = crowd(
        6,
        Effects {
            kinds: VolunteerKind::mixed(),
            learning: Spread { mean: 0.15, sd: 0.1 },
            fatigue: Spread { mean: -0.01, sd: 0.01 },
            session_votes: 20.0,
            copying: 0.1,
            ..Effects::default()
        },
    );
    for model in models() {
        let (r, gain, _) = found(&model, &crowd);
        eprintln!("{}: correlation {r:.3}, gain {gain:+.4}", model.name());
        assert!(r > 0.8, "{}: correlation {r}", model.name());
        assert!(gain > -0.01, "{}: {gain}", model.name());
    }
}

/// A bias that four in ten share and subjects that tempt everybody cannot be told from truth by votes
/// alone: the models must not do much worse than the vote.
#[test]
fn a_shared_bias_costs_little() {
    let effects = Effects {
        shared_bias: Some(SharedBias { share: 0.4, from: 1, to: 2, strength: 0.7 }),
        temptation: Some(Temptation { share: 0.1, pull: 0.5 }),
        ..Effects::default()
    };
    let crowd = crowd(7, effects);
    let vote = accuracy(&plain_vote(&crowd), &crowd.true_class);
    for model in models() {
        let (r, gain, _) = found(&model, &crowd);
        eprintln!("{}: vote {vote:.3}, gain {gain:+.4}, correlation {r:.3}", model.name());
        assert!(gain > -0.03, "{}: {gain}", model.name());
        assert!(r > 0.6, "{}: {r}", model.name());
    }
}
