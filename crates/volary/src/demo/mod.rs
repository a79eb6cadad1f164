//! The demo project: a small crowd at work on galaxies and light curves, as the exports that a team
//! would download, with the truth beside them. Nothing here looks at a network or at real data.

mod curves;
mod export;
pub(crate) mod live;
mod pictures;

use std::path::Path;

use anyhow::Result;

pub(crate) use export::DemoSize;

/// Writes `classifications.csv`, `workflows.csv`, `truth.csv`, `subjects.csv`, `images/`, `dips.csv` and
/// `light-curves.csv` into a folder; returns the number of classifications.
pub(crate) fn write(folder: &Path, size: DemoSize, seed: u64) -> Result<u64> {
    export::write(folder, size, seed)
}

/// What else the demo does, for `volary.toml`: plain measures of the unusual and a map (no network is trained), what
/// retirement would have saved, and on which galaxies the crowd is wrong.
pub(crate) const STEPS: &str = r#"
# Further commands, carried out in their order before the report: as typed after `volary`.

# The most unusual pictures by plain measures, and the components of the pixels as vectors.
[[steps]]
run = "outliers subjects.csv --pixels --size 48 --components 24 -o outliers.csv"

# A map on which similar pictures lie together.
[[steps]]
run = "map outliers_embeddings.csv -o map.csv"

# What rules of retirement would have saved, and cost.
[[steps]]
run = "retire extracts --truth truth.csv --task T0 -o retirement.csv"

# Is the crowd wrong more often on faint galaxies?
[[steps]]
run = "bias extracts --truth truth.csv --task T0 --positive 'Features or disk' --slices subjects.csv --by magnitude -o bias.csv"
"#;
