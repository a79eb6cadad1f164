//! What `volary attention` wrote, as the page shows it: a picture of panels a subject, and the tables beside it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::Result;
use volary_ingest::tables::{Cells, for_each_batch};
use volary_web::project::{Attention, MapOverlap};

use crate::session::Session;

/// Reads the folder `attention` of a project; nothing where there is none.
///
/// The panels are files `00012_ID.png`, numbered by the order in which the tables name their subjects.
pub(crate) fn read(folder: &Path, session: &mut Session) -> Result<HashMap<String, Attention>> {
    let mut out: HashMap<String, Attention> = HashMap::new();
    let Some(path) = table(folder, "attention") else { return Ok(out) };
    let panels = panels(&folder.join("overlays"))?;
    let mut n_subjects = 0;
    for_each_batch(&path, &["subject_id", "answer", "logit"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let subject = cells.text("subject_id", row).unwrap_or_default().into_owned();
            let class = cells.text("answer", row).unwrap_or_default().into_owned();
            let found = out.entry(subject).or_insert_with(|| {
                n_subjects += 1;
                let panels = panels.get(&(n_subjects - 1)).cloned().unwrap_or_default();
                Attention { panels, ..Attention::default() }
            });
            found.classes.push((class, number(cells, "logit", row)));
        }
        Ok(())
    })?;
    // Beyond the pictures that were asked for there are rows only.
    out.retain(|_, found| !found.panels.as_os_str().is_empty());
    let Some(path) = table(folder, "overlaps") else { return Ok(out) };
    for_each_batch(&path, &["subject_id", "answer", "other_answer"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let subject = cells.text("subject_id", row).unwrap_or_default();
            let Some(found) = out.get_mut(subject.as_ref()) else { continue };
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            found.overlaps.push(MapOverlap {
                class: text("answer"),
                other: text("other_answer"),
                soft_iou: number(cells, "soft_iou", row),
                z: number(cells, "soft_iou_z", row),
            });
        }
        Ok(())
    })?;
    Ok(out)
}

fn number(cells: &dyn Cells, name: &str, row: usize) -> f64 {
    cells.text(name, row).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// A table of a name, in whichever format.
fn table(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    let path = |ending: &str| folder.join(format!("{name}.{ending}"));
    ["parquet", "arrow", "csv", "json"].into_iter().map(path).find(|path| path.is_file())
}

/// The pictures by their number.
fn panels(folder: &Path) -> Result<BTreeMap<usize, std::path::PathBuf>> {
    let mut out = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(out);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.split_once('_').and_then(|(number, _)| number.parse().ok());
        if let (Some(number), true) = (number, name.ends_with(".png")) {
            out.insert(number, path);
        }
    }
    Ok(out)
}
