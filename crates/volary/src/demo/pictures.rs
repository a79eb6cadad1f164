//! The demo's cutouts: each galaxy as the truth has it, so that what volunteers say can be looked at. A few smooth ones
//! have a blue core that no question asks for: what a search for the unusual should find.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::seed::{Rng, stream};
use volary_ingest::images::png_bytes;
use volary_ingest::output::{AtomicFile, write_whole};

use crate::simulated_images::{Shape, one_galaxy};

/// Width and height of a picture, px.
pub(super) const PICTURE_PX: f64 = 96.0;
/// Share of the smooth ones with a blue core.
const BLUE_CORES: f64 = 0.03;

/// What is really there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Galaxy {
    pub(super) subject_id: u32,
    /// Brightness, magnitudes: larger is fainter.
    pub(super) magnitude: f64,
    /// 0 smooth, 1 with features or a disk, 2 a star or an artefact.
    pub(super) class: u8,
    pub(super) has_ring: bool,
    pub(super) has_dust_lane: bool,
    pub(super) has_tail: bool,
    /// Where the companion is, px.
    pub(super) companion: Option<(f64, f64)>,
}

impl Galaxy {
    fn shape(&self, rng: &mut Rng) -> Shape {
        match self {
            Self { class: 2, .. } => Shape::Trail,
            Self { companion: Some(_), .. } | Self { has_tail: true, .. } => Shape::Merger,
            Self { has_ring: true, .. } => Shape::Ring,
            Self { has_dust_lane: true, .. } => Shape::EdgeOn,
            Self { class: 1, .. } => Shape::Arms,
            _ if rng.random_bool(BLUE_CORES) => Shape::BlueCore,
            _ => Shape::Smooth,
        }
    }
}

/// Writes `images/` and `subjects.csv` (subject_id, file, magnitude).
pub(super) fn write(folder: &Path, galaxies: &[Galaxy], seed: u64) -> Result<()> {
    galaxies.par_iter().try_for_each(|galaxy| {
        let id = galaxy.subject_id;
        let mut rng = stream(seed, &format!("demo picture {id}"));
        let shape = galaxy.shape(&mut rng);
        // The image's middle is 0, its borders are -1 and 1.
        let place = |px: f64| 2.0 * px / PICTURE_PX - 1.0;
        let companion = galaxy.companion.map(|(x, y)| (place(x), place(y)));
        let subject = one_galaxy(&mut rng, shape, companion, galaxy.magnitude);
        let side = PICTURE_PX as u32;
        let png = png_bytes(side as usize, side as usize, &subject.picture(side))?;
        write_whole(&folder.join(format!("images/{id}.png")), &png)?;
        anyhow::Ok(())
    })?;
    let mut file = AtomicFile::create(&folder.join("subjects.csv"))?;
    writeln!(file, "subject_id,file,magnitude")?;
    for Galaxy { subject_id, magnitude, .. } in galaxies {
        writeln!(file, "{subject_id},images/{subject_id}.png,{magnitude:.2}")?;
    }
    file.commit()?;
    Ok(())
}
