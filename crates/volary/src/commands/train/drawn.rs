//! What a training of networks that rebuild pictures leaves to look at: galleries, curves of the losses, and how its
//! scores lie.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use volary_core::{Pixels as _, PixelsInMemory};
use volary_ingest::output::write_whole;
use volary_vision::anomaly::{Gallery, GalleryKind};
use volary_vision::training::History;

use crate::report::pictures::{Cell, Losses, SheetRow, losses, sheet};

/// The file of a gallery in a model folder.
pub(super) fn gallery_name(kind: GalleryKind, epoch: usize) -> String {
    let name = match kind {
        GalleryKind::Made => "made",
        GalleryKind::Rebuilt => "rebuilt",
    };
    format!("gallery/{name}_{epoch:04}.png")
}

/// Draws a gallery as PNG.
pub(super) fn draw(gallery: &Gallery, folder: &Path) -> Result<()> {
    let Some(pixels) = PixelsInMemory::new(gallery.shape, gallery.pictures.clone()) else {
        bail!("its pictures are not whole");
    };
    let cell = |row| Cell { row, caption: String::new(), attention: None };
    let all: Vec<usize> = (0..pixels.count()).collect();
    let rows = all
        .chunks(gallery.kind.per_row())
        .map(|rows| SheetRow { label: String::new(), cells: rows.iter().copied().map(cell).collect() });
    let rows: Vec<SheetRow> = rows.collect();
    let name = gallery_name(gallery.kind, gallery.epoch);
    let picture = sheet(&pixels, &rows, gallery.shape.width, &name)?;
    Ok(write_whole(&folder.join(name), &picture.png)?)
}

/// Draws the losses of a training as `NAME.svg` into its folder.
pub(super) fn draw_losses(history: &History, name: &str, folder: &Path) -> Result<()> {
    let figure = losses(&curves(history), &format!("{name} by epoch"))?;
    Ok(write_whole(&folder.join(format!("{name}.svg")), figure.svg.as_bytes())?)
}

fn curves(history: &History) -> Vec<Losses> {
    let of = |i: usize, name: &str| Losses {
        name: name.to_owned(),
        training: history.epochs.iter().map(|e| (e.epoch as f64, e.train[i])).collect(),
        validation: history
            .epochs
            .iter()
            .filter_map(|e| Some((e.epoch as f64, *e.unseen.get(i)?)))
            .collect(),
    };
    history.terms.iter().enumerate().map(|(i, name)| of(i, name)).collect()
}

/// Quantiles of scores, by name.
pub(super) fn spread(mut scores: Vec<f64>) -> Value {
    scores.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| scores[((scores.len() - 1) as f64 * share).round() as usize];
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    json!({
        "mean": mean, "q01": at(0.01), "q05": at(0.05), "q50": at(0.5), "q95": at(0.95), "q99": at(0.99),
    })
}

/// Mean and deviation of all latent numbers: near 0 and 1 where the encoder keeps to what the generator was
/// shown.
pub(super) fn latents(embedding: &[f32]) -> Value {
    let n = embedding.len() as f64;
    let all = || embedding.iter().map(|z| f64::from(*z));
    let mean = all().sum::<f64>() / n;
    let sd = (all().map(|z| (z - mean).powi(2)).sum::<f64>() / n).sqrt();
    json!({ "mean": mean, "sd": sd })
}
