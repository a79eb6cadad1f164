//! Histograms with noise on their way into a package: made, held against the budget of all versions, told.

use std::path::Path;

use serde_json::{Value, json};
use volary_ingest::output::Held;

use crate::error::ReleaseError;
use crate::key::ReleaseKey;
use crate::noise::{self, Ledger, Noise, Noisy, Spent};
use crate::settings::Settings;
use crate::votes::Votes;

/// Histograms of a package, and the ledger as it will be once the package is there.
pub(crate) struct Budgeted<'a> {
    noise: &'a Noise,
    noisy: Noisy,
    /// Held until it is written: of two releases the second knows what the first has spent.
    held: Held,
    ledger: Ledger,
    /// ε of all versions, this one included.
    spent: f64,
}

impl<'a> Budgeted<'a> {
    /// The histograms that the settings ask for, if any.
    pub(crate) fn plan(
        settings: &'a Settings,
        ledger: Option<&Path>,
        votes: &Votes,
        key: &ReleaseKey,
    ) -> Result<Option<Self>, ReleaseError> {
        let Some(noise) = &settings.noise else { return Ok(None) };
        let Some(path) = ledger else {
            let what = "noise has a budget for all versions: name its ledger, a file of the team's outside the package";
            return Err(ReleaseError::Refused(what.to_owned()));
        };
        let version = format!("{}\u{1f}{}", settings.project, settings.version);
        let noisy = noise::of_votes(votes, noise, &version, key)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(ReleaseError::writing(path))?;
        }
        let held = Held::new(path)?;
        let mut ledger = Ledger::read(held.path())?;
        let new = Spent {
            project: settings.project.clone(),
            version: settings.version.clone(),
            digest: noisy.digest.clone(),
            epsilon: noise.epsilon,
        };
        let spent = ledger.spend(new, noise.lifetime_epsilon)?;
        Ok(Some(Self { noise, noisy, held, ledger, spent }))
    }

    /// The histograms.
    pub(crate) fn noisy(&self) -> &Noisy {
        &self.noisy
    }

    /// What the package says of its noise.
    pub(crate) fn report(&self) -> Value {
        let histograms = self.noisy.histograms.iter().map(|(h, scale)| {
            json!({
                "histogram": h.name,
                "question": h.question,
                "votes_of_a_person": h.sensitivity,
                "scale": format!("{}/{}", scale.t, scale.s),
                "epsilon": scale.epsilon(h.sensitivity),
            })
        });
        json!({
            "law": "discrete Laplace",
            "unit": "volunteer with an account",
            "epsilon": self.noise.epsilon,
            "epsilon_of_all_versions": self.spent,
            "histograms": histograms.collect::<Vec<_>>(),
        })
    }

    /// Writes the ledger.
    pub(crate) fn spend(&self) -> Result<(), ReleaseError> {
        self.ledger.write(self.held.path())
    }
}
