//! Marks: from ranges that volunteers drew on light curves to scored features (SATCHEL, Safron et al.
//! 2022, and better).
//!
//! The pipeline in the paper's words: marks that lie mostly in gaps or are too wide are left out and the
//! rest grouped into *metafeatures* ([`mod@build`]); *simulations* with injected signals give each
//! volunteer a seed weight ([`mod@weigh`]); the weighted share of the voters who marked a feature is its
//! *score*, and scores and weights are iterated until they agree ([`mod@couple`]). [`score::run`] does it
//! all. Nothing here reads a file.

pub mod bayes;
mod bayes_em;
pub mod build;
mod counted;
pub mod couple;
pub mod evaluate;
pub mod evaluate_curves;
pub mod evaluate_logistic;
pub mod live;
mod live_seeds;
mod matching;
mod modes;
pub mod params;
mod released;
pub mod score;
pub mod simulate;
pub mod simulate_people;
pub mod simulate_sky;
pub mod simulate_views;
pub mod sweep;
mod twins;
pub mod types;
pub mod vote;
pub mod weigh;

pub use bayes::{Bayes, BayesParams, bayes};
pub use build::{Built, build};
pub use counted::counted_views;
pub use couple::{Coupled, Ending, Iteration, couple};
pub use live::{Change, Event, Live};
pub use matching::Match;
pub use params::{Decay, Grouping, MarkParams, Matching, Profile, Voting};
pub use score::{Given, Scored, run, scores, silent};
pub use types::{Ballots, Features, Scores, VolunteerWeights};
pub use vote::ballots;
pub use weigh::{Completeness, Weighed, weigh};

pub use volary_core::marks::{
    CurveTable, LightCurves, Marks, MarksBuilder, NONE, NumberColumn, SignalTable, Signals, Stamps,
};

#[cfg(test)]
mod evaluate_golden_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod small_world;
