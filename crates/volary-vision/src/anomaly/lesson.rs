//! What is learned from where nobody was asked: pictures, whose they are, and which belong together. All networks
//! that rebuild pictures share it; a lesson with votes is the confusion model's.

use serde_json::Value;
use volary_core::{PixelShape, Pixels};

use crate::error::VisionError;

/// What to learn from: pictures, and for each of them its subject and its group.
#[derive(Clone, Copy)]
pub struct Lesson<'a> {
    /// The pictures.
    pub pixels: &'a dyn Pixels,
    /// The subject of each.
    pub subject_ids: &'a [String],
    /// The group of each: pictures of one group are all learned from, or none.
    pub groups: &'a [String],
    /// What was done to the pictures; kept with the model, for whoever scores.
    pub preprocessing: &'a Value,
}

impl Lesson<'_> {
    /// The size of its pictures.
    ///
    /// # Errors
    ///
    /// [`VisionError::Labels`] unless each picture has one subject and one group.
    pub(crate) fn check(&self) -> Result<PixelShape, VisionError> {
        let n = self.pixels.count();
        let [ids, groups] = [self.subject_ids.len(), self.groups.len()];
        if [ids, groups] != [n; 2] {
            return Err(VisionError::Labels(format!(
                "there are {n} pictures, {ids} subjects and {groups} groups; give one of each a picture"
            )));
        }
        Ok(self.pixels.shape())
    }

    /// The groups, for a split.
    pub(crate) fn groups(&self) -> Vec<&str> {
        self.groups.iter().map(String::as_str).collect()
    }
}

/// A warning where there is nothing to learn, because all pictures are the same one.
pub(crate) fn alike(pixels: &dyn Pixels, rows: &[usize]) -> Result<Option<String>, VisionError> {
    const N_LOOKED_AT: usize = 64;
    /// Half of a step of eight bits.
    const LEAST: f32 = 0.5 / 255.0;
    let mut first = vec![0.0; pixels.shape().values()];
    let mut other = first.clone();
    let Some(row) = rows.first() else { return Ok(None) };
    pixels.read(*row, &mut first)?;
    for row in rows.iter().step_by((rows.len() / N_LOOKED_AT).max(1)) {
        pixels.read(*row, &mut other)?;
        if first.iter().zip(&other).any(|(a, b)| (a - b).abs() > LEAST) {
            return Ok(None);
        }
    }
    Ok(Some(
        "the pictures are all the same one, so that nothing can be odd; check crop, stretch and files"
            .to_owned(),
    ))
}
