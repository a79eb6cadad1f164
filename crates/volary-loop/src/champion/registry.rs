//! The models that there are, and the pointer to the one in use.
//!
//! Names are pointers, as MLflow does it since it gave up stages: `champion` points to a model's hash, and so
//! may `challenger`. A change is one assignment, recorded with time, person, reason and evidence. Models
//! are never changed or removed here; retention is the store's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Duel, DuelParams, Evidence, Outcome, Verdict};

/// Why a pointer stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// An unknown model.
    #[error("no model {0} is registered; register its bytes first")]
    Unknown(String),
    /// Nobody challenges.
    #[error("there is no challenger; name one first")]
    NoChallenger,
    /// It would challenge itself.
    #[error("{0} is the champion already; a challenger must be another model")]
    Itself(String),
    /// The evidence does not carry it.
    #[error("the evidence does not show that {0} is better; let it run in shadow for longer")]
    NotBetter(String),
    /// Nothing to go back to.
    #[error("no earlier champion is known; register and promote another model instead")]
    NoEarlier,
}

/// Why the pointer moved.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The first model.
    First,
    /// A challenger won.
    Promotion(Evidence),
    /// Somebody took it back.
    Rollback(String),
    /// The champion proved worse than the one before.
    ProvenWorse(Evidence),
}

/// A change of champion.
#[derive(Clone, Debug, PartialEq)]
pub struct Swap {
    /// When.
    pub at_ms: i64,
    /// Who decided it; `volary` where a rule did.
    pub who: String,
    /// Why.
    pub reason: Reason,
    /// The champion before; none for the first.
    pub from: Option<String>,
    /// The champion after.
    pub to: String,
}

/// The watch over a new champion by the one before it, which goes on in shadow.
#[derive(Clone, Debug, PartialEq)]
struct Probation {
    former: String,
    /// The former champion in the champion's part, the new one in the challenger's.
    duel: Duel,
}

/// Models and pointers.
#[derive(Clone, Debug)]
pub struct Registry {
    models: BTreeMap<String, Arc<[u8]>>,
    champion: String,
    challenger: Option<(String, Duel)>,
    probation: Option<Probation>,
    params: DuelParams,
    swaps: Vec<Swap>,
}

impl Registry {
    /// A registry whose champion is `model`, put there by `who`.
    #[must_use]
    pub fn new(model: &[u8], params: DuelParams, who: &str, at_ms: i64) -> Self {
        let champion = id_of(model);
        let models = BTreeMap::from([(champion.clone(), Arc::from(model))]);
        let first =
            Swap { at_ms, who: who.to_owned(), reason: Reason::First, from: None, to: champion.clone() };
        Self { models, champion, challenger: None, probation: None, params, swaps: vec![first] }
    }

    /// Registers a model; its id is the hash of its bytes.
    pub fn register(&mut self, model: &[u8]) -> String {
        let id = id_of(model);
        self.models.entry(id.clone()).or_insert_with(|| Arc::from(model));
        id
    }

    /// Makes a registered model the challenger; its duel begins anew.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] and [`RegistryError::Itself`].
    pub fn challenge(&mut self, id: &str) -> Result<(), RegistryError> {
        if !self.models.contains_key(id) {
            return Err(RegistryError::Unknown(id.to_owned()));
        }
        if id == self.champion {
            return Err(RegistryError::Itself(id.to_owned()));
        }
        self.challenger = Some((id.to_owned(), Duel::new(self.params)));
        Ok(())
    }

    /// The model in use.
    #[must_use]
    pub fn champion(&self) -> &str {
        &self.champion
    }

    /// The model in shadow.
    #[must_use]
    pub fn challenger(&self) -> Option<&str> {
        self.challenger.as_ref().map(|(id, _)| id.as_str())
    }

    /// The former champion, while it watches the new one.
    #[must_use]
    pub fn former(&self) -> Option<&str> {
        self.probation.as_ref().map(|probation| probation.former.as_str())
    }

    /// The bytes of the model in use.
    #[must_use]
    pub fn served(&self) -> Arc<[u8]> {
        self.models.get(&self.champion).cloned().unwrap_or_else(|| Arc::from([]))
    }

    /// All changes, oldest first.
    #[must_use]
    pub fn swaps(&self) -> &[Swap] {
        &self.swaps
    }

    /// A label on which champion and challenger had both spoken.
    ///
    /// # Errors
    /// [`RegistryError::NoChallenger`].
    pub fn observe(&mut self, outcome: &Outcome) -> Result<Verdict, RegistryError> {
        let (_, duel) = self.challenger.as_mut().ok_or(RegistryError::NoChallenger)?;
        duel.push(outcome);
        Ok(duel.verdict())
    }

    /// Makes the challenger the champion, on the evidence of its duel.
    ///
    /// # Errors
    /// [`RegistryError::NoChallenger`] and [`RegistryError::NotBetter`].
    pub fn promote(&mut self, who: &str, at_ms: i64) -> Result<&Swap, RegistryError> {
        let Some((id, duel)) = &self.challenger else { return Err(RegistryError::NoChallenger) };
        if duel.verdict() != Verdict::Promote {
            return Err(RegistryError::NotBetter(id.clone()));
        }
        let (id, reason) = (id.clone(), Reason::Promotion(duel.evidence()));
        let former = self.champion.clone();
        self.probation = Some(Probation { former, duel: Duel::new(self.params) });
        Ok(self.swap(id, who, reason, at_ms))
    }

    /// Goes back to the champion before.
    ///
    /// # Errors
    /// [`RegistryError::NoEarlier`].
    pub fn roll_back(&mut self, who: &str, why: &str, at_ms: i64) -> Result<&Swap, RegistryError> {
        let former = self.earlier().ok_or(RegistryError::NoEarlier)?;
        self.probation = None;
        Ok(self.swap(former, who, Reason::Rollback(why.to_owned()), at_ms))
    }

    /// A label on which the former champion (as `champion` of the outcome) and the one in use (as
    /// `challenger`) had both spoken: if the one in use proves worse, the former one is back at once.
    pub fn watch(&mut self, outcome: &Outcome, at_ms: i64) -> Option<&Swap> {
        let probation = self.probation.as_mut()?;
        probation.duel.push(outcome);
        let evidence = probation.duel.evidence();
        if !evidence.is_worse() {
            return None;
        }
        let former = probation.former.clone();
        self.probation = None;
        Some(self.swap(former, "volary", Reason::ProvenWorse(evidence), at_ms))
    }

    /// The champion before the one in use: where the pointer stood before it came here by promotion.
    fn earlier(&self) -> Option<String> {
        let arrived = self.swaps.iter().rev().find(|swap| {
            swap.to == self.champion && matches!(swap.reason, Reason::Promotion(_) | Reason::First)
        });
        arrived?.from.clone()
    }

    fn swap(&mut self, to: String, who: &str, reason: Reason, at_ms: i64) -> &Swap {
        let from = Some(std::mem::replace(&mut self.champion, to.clone()));
        // A duel against another champion says nothing about this one.
        self.challenger = None;
        let at = self.swaps.len();
        self.swaps.push(Swap { at_ms, who: who.to_owned(), reason, from, to });
        &self.swaps[at]
    }
}

/// A model's id: the hash of its bytes.
#[must_use]
pub fn id_of(model: &[u8]) -> String {
    blake3::hash(model).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;

    fn outcome(is_first_better: bool, is_real: bool) -> Outcome {
        let right = if is_real { 0.95 } else { 0.05 };
        let (champion, challenger) = if is_first_better { (right, 0.5) } else { (0.5, right) };
        let passes = |p: f64| p >= 0.5;
        Outcome {
            champion,
            challenger,
            champion_passes: passes(champion),
            challenger_passes: passes(challenger),
            is_real,
        }
    }

    /// Promotes `id` with outcomes that favour it.
    fn promote(registry: &mut Registry, id: &str) {
        registry.challenge(id).unwrap();
        let mut verdict = Verdict::Wait;
        for at in 0..5_000 {
            if verdict == Verdict::Promote {
                break;
            }
            let refused = registry.promote("ana", at);
            assert!(
                matches!(refused, Err(RegistryError::NotBetter(_))),
                "not before the evidence is there"
            );
            verdict = registry.observe(&outcome(false, at % 2 == 0)).unwrap();
        }
        let swap = registry.promote("ana", 7).unwrap();
        assert!(matches!(&swap.reason, Reason::Promotion(e) if e.is_better()));
        assert_eq!((swap.who.as_str(), swap.to.as_str(), swap.at_ms), ("ana", id, 7));
    }

    #[test]
    fn a_promotion_moves_the_pointer_and_a_rollback_serves_the_same_bytes_as_before() {
        let mut registry = Registry::new(b"model one", DuelParams::default(), "ana", 0);
        let (one, two, three) =
            (id_of(b"model one"), registry.register(b"model two"), registry.register(b"model three"));
        let before = registry.served();
        assert_eq!(registry.roll_back("ana", "no", 1).unwrap_err(), RegistryError::NoEarlier);
        promote(&mut registry, &two);
        assert_eq!((&*registry.served(), registry.former()), (&b"model two"[..], Some(one.as_str())));
        promote(&mut registry, &three);
        registry.roll_back("ben", "odd scores on UT4", 9).unwrap();
        assert_eq!(registry.champion(), two);
        registry.roll_back("ben", "and here too", 10).unwrap();
        assert_eq!((registry.champion(), registry.served()), (one.as_str(), before));
        assert_eq!(registry.roll_back("ben", "again", 11).unwrap_err(), RegistryError::NoEarlier);
        let chain: Vec<_> =
            registry.swaps().iter().map(|swap| (swap.from.clone(), swap.to.clone())).collect();
        assert!(chain.windows(2).all(|w| w[1].0.as_ref() == Some(&w[0].1)), "no gap: {chain:?}");
        assert_eq!(registry.swaps().len(), 5);
    }

    #[test]
    fn a_champion_that_proves_worse_is_rolled_back_and_a_good_one_stays() {
        for is_bad in [true, false] {
            let mut registry = Registry::new(b"one", DuelParams::default(), "ana", 0);
            let two = registry.register(b"two");
            promote(&mut registry, &two);
            let mut rng = volary_core::seed::stream(4, "probation");
            let mut rolled_back = None;
            for at in 0..2_000 {
                // Sudden change of the camera: from here on the former one is better, in nine cases of ten.
                let is_first_better = is_bad && rng.random::<f64>() < 0.9;
                let outcome = outcome(is_first_better, rng.random::<f64>() < 0.3);
                if registry.watch(&outcome, at).is_some() {
                    rolled_back = Some(at);
                }
            }
            assert_eq!(rolled_back.is_some(), is_bad);
            assert_eq!(&*registry.served(), if is_bad { &b"one"[..] } else { &b"two"[..] });
            if is_bad {
                let last = registry.swaps().last().unwrap();
                assert!(last.who == "volary" && matches!(last.reason, Reason::ProvenWorse(_)));
                assert!(rolled_back.unwrap() < 400, "{rolled_back:?}");
                assert!(registry.watch(&outcome(true, true), 1).is_none(), "once");
            }
        }
    }

    #[test]
    fn what_cannot_challenge_is_refused() {
        let mut registry = Registry::new(b"one", DuelParams::default(), "ana", 0);
        assert_eq!(registry.observe(&outcome(true, true)), Err(RegistryError::NoChallenger));
        assert_eq!(registry.promote("ana", 1).unwrap_err(), RegistryError::NoChallenger);
        assert_eq!(registry.challenge("zzz"), Err(RegistryError::Unknown("zzz".into())));
        let one = registry.champion().to_owned();
        assert_eq!(registry.challenge(&one), Err(RegistryError::Itself(one.clone())));
        assert_eq!(registry.register(b"one"), one, "the same bytes are the same model");
        let two = registry.register(b"two");
        registry.challenge(&two).unwrap();
        for _ in 0..3_000 {
            registry.observe(&outcome(true, true)).unwrap();
        }
        assert!(matches!(registry.promote("ana", 1), Err(RegistryError::NotBetter(_))));
        assert_eq!(registry.challenger(), Some(two.as_str()));
    }
}
