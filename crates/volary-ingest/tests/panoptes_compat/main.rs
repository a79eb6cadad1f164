//! The tables for teams' notebooks against those of `panoptes_aggregation` 5.3.1 (see the README beside
//! the reference files), its ten known defects, and the long and the deduplicated forms of an export.
//!
//! Reference files are looked for in `shared/data` and their tests pass over where there are none.

// `cfg(test)` is what tells clippy that the helpers are tests too.
#[cfg(test)]
mod common;
#[cfg(test)]
mod dedup;
#[cfg(test)]
mod defects;
#[cfg(test)]
mod extracts;
#[cfg(test)]
mod flat;
#[cfg(test)]
mod reductions;
