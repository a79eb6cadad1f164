//! Marks: from ranges that volunteers drew on light curves to scored features (SATCHEL, Safron et al.
//! 2022, and better).
//!
//! The pipeline in the paper's words: marks that lie mostly in gaps or are too wide are left out and the
//! rest grouped into *metafeatures* (build); *simulations* with injected signals give each volunteer a
//! seed weight (weigh); the weighted share of the voters who marked a feature is its *score*, and scores
//! and weights are iterated until they agree (score and couple). Nothing here reads a file.

pub mod evaluate;
pub mod evaluate_curves;
pub mod evaluate_logistic;
pub mod simulate;
pub mod simulate_people;
pub mod simulate_sky;
pub mod simulate_views;
pub mod sweep;
pub mod types;

pub use types::{Ballots, Features, Scores, VolunteerWeights};
pub use volary_core::marks::{
    CurveTable, LightCurves, Marks, MarksBuilder, NONE, NumberColumn, SignalTable, Signals, Stamps,
};

#[cfg(test)]
mod evaluate_golden_tests;
