//! Sheets of thumbnails: many small pictures in one, so that a screen full of them is a few requests.
//!
//! A sheet holds [`PER_SHEET`] cells of [`CELL_PX`] pixels. Subjects stand in it in the order of the Hilbert
//! curve through the map, or in whatever order the asker names them. An image that cannot be shown is a grey
//! cell with a cross: one broken file spoils no sheet. Sheets and thumbnails are kept, a bounded number of
//! each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use volary_ingest::images::{Limits, jpeg_bytes, read_file, thumbnail};

use super::Project;

/// Side of a thumbnail, px.
pub(crate) const CELL_PX: usize = 64;
/// Thumbnails in a row, and rows.
pub(crate) const PER_ROW: usize = 16;
/// Thumbnails of a sheet.
pub(crate) const PER_SHEET: usize = PER_ROW * PER_ROW;
/// Bytes of all thumbnails that are kept.
const MAX_KEPT_BYTES: usize = 96 << 20;
const THUMBNAIL_BYTES: usize = CELL_PX * CELL_PX * 3;

/// Thumbnails that were made already.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    of: Mutex<HashMap<String, Arc<Vec<u8>>>>,
}

impl Kept {
    fn get(&self, subject: &str) -> Option<Arc<Vec<u8>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).get(subject).cloned()
    }

    /// Images may have changed.
    pub(crate) fn forget(&self) {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn put(&self, subject: &str, made: &Arc<Vec<u8>>) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        // Which ones are wanted again, nobody knows; to begin anew is rare and cheap.
        if of.len() >= MAX_KEPT_BYTES / THUMBNAIL_BYTES {
            of.clear();
        }
        of.insert(subject.to_owned(), Arc::clone(made));
    }
}

/// A sheet of these subjects, as JPEG: row by row, from the top left; as many rows as are needed.
pub(crate) fn sheet(project: &Project, kept: &Kept, subjects: &[&str]) -> std::io::Result<Vec<u8>> {
    let n_rows = subjects.len().div_ceil(PER_ROW).max(1);
    let width = PER_ROW * CELL_PX;
    let mut rgb = vec![0; width * n_rows * CELL_PX * 3];
    for (at, subject) in subjects.iter().enumerate() {
        let cell = cell(project, kept, subject);
        let (left, top) = (at % PER_ROW * CELL_PX, at / PER_ROW * CELL_PX);
        for (y, line) in cell.chunks_exact(CELL_PX * 3).enumerate() {
            let to = ((top + y) * width + left) * 3;
            rgb[to..to + line.len()].copy_from_slice(line);
        }
    }
    jpeg_bytes(width, n_rows * CELL_PX, &rgb)
}

fn cell(project: &Project, kept: &Kept, subject: &str) -> Arc<Vec<u8>> {
    if let Some(made) = kept.get(subject) {
        return made;
    }
    let Some(path) = project.images.get(subject) else { return Arc::new(placeholder()) };
    let limits = Limits::default();
    let made = read_file(path, &limits).and_then(|bytes| thumbnail(&bytes, CELL_PX, &limits));
    let made = Arc::new(made.unwrap_or_else(|_| placeholder()));
    kept.put(subject, &made);
    made
}

/// Grey with a cross.
fn placeholder() -> Vec<u8> {
    let mut rgb = vec![72; THUMBNAIL_BYTES];
    for at in 16..CELL_PX - 16 {
        for x in [at, CELL_PX - 1 - at] {
            rgb[(at * CELL_PX + x) * 3..][..3].fill(150);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use volary_ingest::images::{Raster, decode, png_bytes};

    use super::*;

    #[test]
    fn a_sheet_holds_the_pictures_in_order_and_a_broken_one_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut project = Project::default();
        for (name, shade) in [("light", 240_u8), ("dark", 40)] {
            let path = folder.path().join(format!("{name}.png"));
            std::fs::write(&path, png_bytes(64, 64, &vec![shade; 64 * 64 * 3]).unwrap()).unwrap();
            project.images.insert(name.to_owned(), path);
        }
        let broken = folder.path().join("broken.png");
        std::fs::write(&broken, b"no picture").unwrap();
        project.images.insert("broken".to_owned(), broken);
        let subjects: Vec<&str> =
            ["light", "broken", "dark", "nowhere"].into_iter().chain(["light"; 13]).collect();
        let kept = Kept::default();
        let bytes = sheet(&project, &kept, &subjects).unwrap();
        assert_eq!(bytes, sheet(&project, &kept, &subjects).unwrap(), "also from what was kept");
        let raster = decode(&bytes, &Limits::default()).unwrap().raster;
        assert_eq!(raster.size(), (PER_ROW * CELL_PX, 2 * CELL_PX));
        let Raster::Bytes { values, width, .. } = raster else { panic!("a picture") };
        let at = |cell: usize, x: usize, y: usize| {
            let (cx, cy) = (cell % PER_ROW * CELL_PX, cell / PER_ROW * CELL_PX);
            values[((cy + y) * width + cx + x) * 3]
        };
        let near = |value: u8, wanted: u8| assert!(value.abs_diff(wanted) < 12, "{value} {wanted}");
        near(at(0, 32, 8), 240);
        near(at(2, 32, 8), 40);
        near(at(16, 32, 8), 240);
        for placeholder in [1, 3] {
            near(at(placeholder, 32, 4), 72);
            assert!(at(placeholder, 20, 20) > 100, "the cross");
        }
        near(at(17, 32, 8), 0);
    }
}
