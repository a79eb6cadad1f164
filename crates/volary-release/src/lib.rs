//! The only door out: what the public sees of a project is made here, and nowhere else.
//!
//! Pseudonyms ([`pseudonym`], under a [`key`] of each release), the columns that may leave at all
//! ([`tier`]), groups of at least k ([`kanon`]), noise with a budget ([`noise`]), opt-outs ([`optout`]), known biases ([`bias`]), the package
//! itself ([`package`]), its verification ([`verify`]) and attacks on it ([`attack`]). No type in a package
//! can hold a name; names come in only as what to search for. A model leaves with its [`card`], which says
//! what it was made of ([`lineage`]) and what that cost ([`cost`]).
//!
//! This crate reads no clock and draws nothing but keys (noise is a function of a key and the votes): the same inputs and the same key give the same
//! bytes. It computes no consensus; it counts votes to check that a consensus is of the votes released.

pub mod attack;
pub mod bias;
pub mod calendar;
pub mod card;
pub mod cost;
mod error;
pub mod kanon;
pub mod key;
pub mod lineage;
pub mod names;
pub mod noise;
pub mod optout;
pub mod package;
pub mod policy;
pub mod pseudonym;
pub mod settings;
pub mod tables;
pub mod tier;
pub mod verify;
mod votes;

pub use error::ReleaseError;
