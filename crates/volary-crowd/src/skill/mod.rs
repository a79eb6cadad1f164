//! Who is right, and how skilled each volunteer is: models that learn both from the votes alone.
//!
//! All read [`Ballots`], one question's votes as flat arrays, and give a [`Fit`]: a posterior for every
//! item with an interval, and what is known of every volunteer.
//!
//! | model | what it says of a volunteer | module |
//! |---|---|---|
//! | Dawid–Skene, five ways | a confusion matrix | [`dawid_skene`] |
//! | variational IBCC | the same, with a Dirichlet for every row | [`ibcc`] |
//! | GLAD | an ability; and an easiness of every item | [`glad`] |
//! | MACE | a chance to know, else a spam pattern | [`mace`] |
//! | Wawa, iterated weighted vote | a weight | [`weighted`] |
//! | SWAP, one vote after the other | a confusion matrix, learnt on the way | [`swap`] |
//!
//! Which of them to believe is the business of [`choose`]; whether volunteers share a bias that all of
//! them would learn as truth, that of [`dependence`].

pub mod ballots;
pub mod choose;
pub mod dawid_skene;
pub mod dependence;
pub(crate) mod em;
pub mod fit;
pub mod glad;
pub mod ibcc;
pub mod mace;
pub mod machine;
pub mod matrices;
pub mod model;
mod products;
pub mod running;
pub mod sequential;
pub mod swap;
#[cfg(test)]
mod testing;
pub mod weighted;

pub use ballots::{Ballots, Columns, NO_GOLD, Panel};
pub use dawid_skene::{DawidSkene, Variant};
pub use fit::{Fit, Probability, SkillRow};
pub use matrices::Matrices;
pub use model::{Model, ModelConsensus};
