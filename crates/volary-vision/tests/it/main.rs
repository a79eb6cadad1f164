//! The models from outside: training, folders, scores. Tiny networks on pictures with a known truth.

#![expect(clippy::unwrap_used, reason = "a test that panics has found something")]

mod anomaly;
mod attention;
mod autoencoder;
mod classifier;
mod folders;
mod oddities;
mod scores;
mod simulated;
mod training;
