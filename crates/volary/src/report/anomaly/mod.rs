//! Figures of the search for the unusual: curves with intervals, histograms side by side, points by the hundred
//! thousand (Mantha et al. 2024, figures 2, 3, 5, 6, S3 to S5, S11, S14).
//!
//! Here is only how they look; what they show is computed by the commands. Where a figure shows shares, their
//! intervals are bands.

mod curves;
mod histograms;

pub(crate) use curves::{Chart, Curve, Spot, chart};
pub(crate) use histograms::{Histogram, Panel, histograms};

#[cfg(test)]
mod tests;
