//! The demo's light curves: thirty days of a quiet star each, a dip where the truth has one, and a gap.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use rand::RngExt as _;
use volary_core::seed::stream;
use volary_ingest::output::AtomicFile;

/// One light curve: its subject, and its dip (middle and duration, days) where there is one.
pub(super) struct Curve {
    pub(super) subject_id: u32,
    pub(super) dip: Option<(f64, f64)>,
}

const DAYS: f64 = 30.0;
/// An hour and a half between stamps: enough to see a dip of a fifth of a day.
const CADENCE_DAYS: f64 = 1.0 / 16.0;
const NOISE: f64 = 0.0004;

/// Writes `subject_id,time,flux` of all light curves.
pub(super) fn write(path: &Path, curves: &[Curve], seed: u64) -> Result<()> {
    let mut rng = stream(seed, "demo light curves");
    let mut file = AtomicFile::create(path)?;
    writeln!(file, "subject_id,time,flux")?;
    for curve in curves {
        let (height, days, phase) =
            (rng.random_range(0.0..0.001), rng.random_range(8.0..25.0), rng.random_range(0.0..1.0));
        let depth = rng.random_range(0.0015..0.005);
        let gap_days = rng.random_range(0.0..DAYS - 1.0);
        for stamp in 0_u32..(DAYS / CADENCE_DAYS) as u32 {
            let time = f64::from(stamp) * CADENCE_DAYS;
            // The sum of twelve even draws is close to normal, with a standard deviation of 1.
            let noise: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            let in_dip = curve.dip.is_some_and(|(x, width)| (time - x).abs() <= width / 2.0);
            if (gap_days..gap_days + 0.4).contains(&time) && !in_dip {
                continue;
            }
            let slow = height * (std::f64::consts::TAU * (time / days + phase)).sin();
            let flux = 1.0 + slow + NOISE * noise - if in_dip { depth } else { 0.0 };
            writeln!(file, "{},{time:.4},{flux:.6}", curve.subject_id)?;
        }
    }
    file.commit()?;
    Ok(())
}
