//! The demo project: a small crowd at work on galaxies and light curves, as the exports that a team
//! would download, with the truth beside them. Nothing here looks at a network or at real data.

mod curves;
mod export;
pub(crate) mod live;

use std::path::Path;

use anyhow::Result;

pub(crate) use export::DemoSize;

/// Writes `classifications.csv`, `workflows.csv`, `truth.csv`, `dips.csv` and `light-curves.csv` into a
/// folder; returns the number of classifications.
pub(crate) fn write(folder: &Path, size: DemoSize, seed: u64) -> Result<u64> {
    export::write(folder, size, seed)
}
