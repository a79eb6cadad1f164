//! The settings that all networks which rebuild pictures have, so that they mean the same for each.

use anyhow::{Result, anyhow};
use volary_vision::Augment;
use volary_vision::anomaly::{Distance, Squash};

/// Shape, distance, and what is done to pictures.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Learning")]
pub(super) struct Rebuilding {
    /// Maps of the first convolution; each of the three that follow has twice as many. The cost grows with the
    /// square.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(super) filters: usize,
    /// Latent numbers of a picture.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(super) latents: usize,
    /// Add two 3 × 3 convolutions after each inner layer of what makes pictures (and of a critic).
    #[arg(long)]
    pub(super) residual: bool,
    /// Bounds of the encoder's latent numbers: none, tanh (1), tanh3 (3).
    #[arg(long, value_name = "NAME", default_value = "none")]
    squash: String,
    /// squares or absolute differences.
    #[arg(long, value_name = "NAME", default_value = "squares")]
    distance: String,
    /// What is done to a picture each time that it is learned from: none, mirror (left to right), turns
    /// (mirrored and turned by quarters, for the sky).
    #[arg(long, value_name = "NAME", default_value = "none")]
    augment: String,
    /// Share of the pictures that are not learned from.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(super) held_out: f64,
    /// Epochs between checkpoints.
    #[arg(long, value_name = "EPOCHS", default_value_t = 5)]
    pub(super) checkpoint_every: usize,
}

impl Rebuilding {
    pub(super) fn squash(&self) -> Result<Squash> {
        let all = Squash::ALL.map(Squash::as_str);
        named("--squash", &self.squash, Squash::parse(&self.squash), &all)
    }

    pub(super) fn distance(&self) -> Result<Distance> {
        let all = Distance::ALL.map(Distance::as_str);
        named("--distance", &self.distance, Distance::parse(&self.distance), &all)
    }

    pub(super) fn augment(&self) -> Result<Augment> {
        let all = Augment::ALL.map(Augment::as_str);
        named("--augment", &self.augment, Augment::parse(&self.augment), &all)
    }
}

fn named<T>(option: &str, name: &str, found: Option<T>, all: &[&str]) -> Result<T> {
    found.ok_or_else(|| anyhow!("{option} {name:?}; there are {}", all.join(", ")))
}
