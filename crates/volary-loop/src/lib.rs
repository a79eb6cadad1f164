//! Decisions of the loop between volunteers and models: what to show, what to learn, when to believe it.
//!
//! | question | module |
//! |---|---|
//! | which subjects are uploaded, with what chance | [`sampling`] |
//! | which ones a model would learn from | [`acquisition`] |
//! | what a volunteer is asked next | [`pool`] |
//! | what a model makes of a label, at once | [`learner`] |
//! | how good it is on what it had not seen | [`prequential`] |
//! | whether a new model may take the place of the old | [`champion`] |
//! | whether the world has changed | [`drift`] |
//! | whether a model may put subjects last | [`veto`] |
//! | what rules would do with a crowd | [`mod@campaign`] |
//!
//! The crate does no I/O and reads no clock: times and keys are given to it. It draws only seeded
//! randomness. It keeps no log (`volary-live` does) and trains no embedding.

pub mod acquisition;
pub mod campaign;
pub mod champion;
pub mod drift;
mod hash;
pub mod learner;
pub mod pool;
pub mod prequential;
pub mod retrain;
pub mod sampling;
pub mod veto;

use volary_core::draws;

/// Golden values of other programs; see `tests/golden/golden.py`. `VOLARY_GOLDEN` names a file that it has
/// just written, of other streams.
#[cfg(test)]
fn golden() -> serde_json::Value {
    let fresh =
        std::env::var_os("VOLARY_GOLDEN").map(|path| std::fs::read_to_string(path).expect("a file"));
    let kept = include_str!("../tests/golden/golden.json");
    serde_json::from_str(fresh.as_deref().unwrap_or(kept)).expect("JSON")
}

/// The numbers of a stream on which golden values of river are.
#[cfg(test)]
fn golden_lcg(seed: u64) -> impl Iterator<Item = f64> {
    lcg(seed + golden()["shift"].as_u64().expect("a number"))
}

/// The numbers that `tests/golden/golden.py` uses, in [0, 1).
#[cfg(test)]
fn lcg(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}
