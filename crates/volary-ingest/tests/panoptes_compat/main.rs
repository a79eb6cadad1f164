//! The tables for teams' notebooks against those of `panoptes_aggregation` 5.3.1 (see the README beside
//! the reference files), its ten known defects, and the long and the deduplicated forms of an export.
//!
//! Reference files are looked for in `shared/data` and their tests pass over where there are none.

mod common;
mod dedup;
mod defects;
mod extracts;
mod flat;
mod reductions;
