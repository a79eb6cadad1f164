//! A copy of the page that needs no server of ours: the built files, and the project's answers as files.
//!
//! Any web server shows it, under any path. It is read-only and holds no people: no votes, no marks of single
//! volunteers, no groups of volunteers, no labels, no free text, and no column whose name speaks of a person. Numbers
//! go in full, so that what the copy counts in the browser is what the command line counts. Slices that were kept
//! come with their names and numbers, without who kept them and when. The same project gives the same bytes.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde_json::{Value, json};
use volary_ingest::images::{Limits, read_file, show};
use volary_space::slice::{Column, Filter};

use crate::page;
use crate::project::sheets::{self, PER_SHEET, sheet};
use crate::project::{Project, Table, wire};
use crate::routes::project::boundary::{BoundaryQuery, judged};
use crate::routes::project::slices::{FEW, errors};
use crate::routes::project::subjects::{MAX_POINTS, MAX_SIDE_PX, attention_view, curve_view};
use crate::routes::project::{is_category, project_view};

/// Numbers of vectors at most: more would make nobody's browser happy (64 MiB).
const MAX_VECTOR_NUMBERS: usize = 16 << 20;
/// Thresholds of a boundary; the page asks for the same (`web/src/routes/Anomaly.svelte`).
const N_THRESHOLDS: usize = 19;
/// Pictures that are made before they are written.
const AT_ONCE: usize = 256;
/// What a browser may do in a copy: scripts and styles of the copy, none inline.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'";
/// Columns that tell of people, by their names.
const PEOPLE: [&str; 14] = [
    "user",
    "user_id",
    "user_name",
    "user_login",
    "user_ip",
    "login",
    "name",
    "real_name",
    "email",
    "volunteer",
    "volunteer_id",
    "created_by",
    "session",
    "ip",
];

/// What a copy is to hold.
#[derive(Clone, Debug, Default)]
pub struct CopyParams {
    /// Columns whose boundary is put in, beside the first score that there is.
    pub boundaries: Vec<String>,
    /// Thumbnails only, no whole images.
    pub thumbnails_only: bool,
}

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Nothing to show.
    #[error("there is no table to show; make one with `volary run`, or name one with --table")]
    Empty,
    /// A column that no table with vectors has.
    #[error(
        "no table with vectors has a column of numbers {0:?}; name one that has, or leave --boundary out"
    )]
    Boundary(String),
    /// Arrow or JSON could not be made.
    #[error("making {what} failed: {why}; please report it")]
    Made {
        /// Which file.
        what: String,
        /// Why.
        why: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    Written(#[from] std::io::Error),
}

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub n_files: u64,
    /// Bytes of them.
    pub n_bytes: u64,
    /// Whole images.
    pub n_images: u64,
    /// Images that could not be read; the copy says so in their place.
    pub n_broken: u64,
    /// Columns that were not put in, as `table: column`.
    pub left_out: Vec<String>,
    /// Slices that were kept.
    pub n_slices: u64,
    /// Names of those that were not put in, since they ask for what the copy does not hold.
    pub slices_left_out: Vec<String>,
}

/// Writes files by name, and counts them.
struct Out<'w> {
    put: &'w mut dyn FnMut(&str, &[u8]) -> std::io::Result<()>,
    done: Copied,
}

impl Out<'_> {
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), CopyError> {
        (self.put)(name, bytes)?;
        self.done.n_files += 1;
        self.done.n_bytes += bytes.len() as u64;
        Ok(())
    }

    fn arrow(
        &mut self,
        name: &str,
        made: Result<wire::Stream, impl std::fmt::Display>,
    ) -> Result<(), CopyError> {
        let stream = made.map_err(|error| failed(name, &error))?;
        self.put(name, &stream.to_bytes())
    }

    fn json(&mut self, name: &str, value: &impl serde::Serialize) -> Result<(), CopyError> {
        let bytes = serde_json::to_vec(value).map_err(|error| failed(name, &error))?;
        self.put(name, &bytes)
    }
}

fn failed(what: &str, why: &dyn std::fmt::Display) -> CopyError {
    CopyError::Made { what: what.to_owned(), why: why.to_string() }
}

/// Makes a copy; `put` writes a file of a name with `/` in it.
///
/// # Errors
/// [`CopyError`]. What was written until then stays.
pub fn write_copy(
    project: &Project,
    params: &CopyParams,
    put: &mut dyn FnMut(&str, &[u8]) -> std::io::Result<()>,
) -> Result<Copied, CopyError> {
    if project.tables.is_empty() {
        return Err(CopyError::Empty);
    }
    let wanted = |name: &String| {
        project.tables.iter().any(|t| t.vectors().is_some() && t.numbers(name).is_some())
    };
    if let Some(unknown) = params.boundaries.iter().find(|name| !wanted(name)) {
        return Err(CopyError::Boundary(unknown.clone()));
    }
    let mut out = Out { put, done: Copied::default() };
    for (name, bytes) in page::files() {
        let bytes = if name == "index.html" { copied_index(&bytes) } else { bytes };
        out.put(&name, &bytes)?;
    }
    let mut columns = Vec::new();
    let mut view =
        serde_json::to_value(project_view(project)).map_err(|e| failed("project.json", &e))?;
    for (at, table) in project.tables.iter().enumerate() {
        let copied = one_table(project, table, at, params, &mut out)?;
        keep_columns(&mut view["tables"][at], &copied.columns);
        view["tables"][at]["copy"] = copied.about;
        columns.push(copied.columns);
    }
    slices(project, &columns, &mut out)?;
    if !params.thumbnails_only {
        images(project, &mut out)?;
        attention(project, &mut out)?;
    }
    curves(project, &mut out)?;
    // A copy knows of no people, and nobody labels in it.
    view["overview"]["n_volunteers"] = json!(0);
    if let Some(overview) = view["overview"].as_object_mut() {
        overview.remove("n_active");
    }
    view["has_votes"] = json!(false);
    view["takes_labels"] = json!(false);
    view["takes_slices"] = json!(false);
    view["has_whole_images"] = json!(!params.thumbnails_only);
    view["has_attention"] = json!(!params.thumbnails_only && !project.attention.is_empty());
    view["n_tagged"] = json!(0);
    view["n_gold"] = json!(0);
    view["left_out"] = json!([]);
    out.json("data/project.json", &view)?;
    Ok(out.done)
}

/// Paths beside the file instead of from the root, and a word that there is no server.
fn copied_index(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let meta = "<meta name=\"volary-mode\" content=\"server\" />";
    let copy = format!(
        "<meta name=\"volary-mode\" content=\"copy\" />\n    <meta http-equiv=\"Content-Security-Policy\" \
         content=\"{POLICY}\" />"
    );
    let text = text.replace("\"/assets/", "\"./assets/").replace("\"/icon.svg\"", "\"./icon.svg\"");
    text.replace(meta, &copy).into_bytes()
}

/// Whether a column may stand in a copy.
fn may_leave(name: &str, column: &Column) -> bool {
    let is_person = PEOPLE.iter().any(|known| name.eq_ignore_ascii_case(known));
    name == "subject_id" || (!is_person && (matches!(column, Column::Number(_)) || is_category(column)))
}

struct OneTable {
    /// Names of the columns that are in.
    columns: BTreeSet<String>,
    /// What the page in the browser must know to find its files.
    about: Value,
}

fn one_table(
    project: &Project,
    table: &Table,
    at: usize,
    params: &CopyParams,
    out: &mut Out<'_>,
) -> Result<OneTable, CopyError> {
    let (mut columns, mut files) = (BTreeSet::new(), serde_json::Map::new());
    for (n, (name, column)) in table.columns().iter().enumerate() {
        if !may_leave(name, column) {
            out.done.left_out.push(format!("{}: {name}", table.name()));
            continue;
        }
        let bytes = match column {
            Column::Number(values) => wire::exact(name, values),
            column => wire::column(name, column),
        };
        let file = format!("data/{at}/{n}.arrow");
        out.arrow(&file, bytes)?;
        columns.insert(name.to_owned());
        files.insert(name.to_owned(), json!(file));
    }
    let ids = Column::text(table.ids().iter().map(|id| Some(id.as_str())));
    out.arrow(&format!("data/{at}/ids.arrow"), wire::column("subject_id", &ids))?;
    let n_sheets = sheets(project, table, at, out)?;
    let vectors = table.vectors().filter(|v| v.points.values().len() <= MAX_VECTOR_NUMBERS);
    let mut boundaries = Vec::new();
    if let Some(vectors) = vectors {
        out.arrow(
            &format!("data/{at}/vectors.arrow"),
            wire::floats("vectors", vectors.points.values()),
        )?;
        let rows: Vec<u32> = vectors.rows.iter().map(|row| *row as u32).collect();
        out.arrow(&format!("data/{at}/vector-rows.arrow"), wire::rows("row", &rows))?;
        for (n, quantity) in judged_columns(table, params).into_iter().enumerate() {
            // A table that is too small to be judged has none, and the page says so.
            if let Some(view) = boundary(project, table, &quantity) {
                out.json(&format!("data/{at}/boundary-{n}.json"), &view)?;
                boundaries.push(
                    json!({ "quantity": quantity, "file": format!("data/{at}/boundary-{n}.json") }),
                );
            }
        }
    }
    let about = json!({
        "files": files, "ids": format!("data/{at}/ids.arrow"), "folder": format!("data/{at}"),
        "n_sheets": n_sheets, "per_sheet": PER_SHEET, "has_vectors": vectors.is_some(), "boundaries": boundaries,
    });
    Ok(OneTable { columns, about })
}

/// Of the page's list of a project, only the columns that are in the copy.
fn keep_columns(table: &mut Value, columns: &BTreeSet<String>) {
    let is_in = |name: &Value| name.as_str().is_some_and(|name| columns.contains(name));
    if let Some(listed) = table["columns"].as_array_mut() {
        listed.retain(|column| is_in(&column["name"]));
    }
    if let Some(maps) = table["maps"].as_array_mut() {
        maps.retain(|map| is_in(&map["x"]) && is_in(&map["y"]));
    }
}

/// Thumbnails along the curve of the first map, or in the order of the table.
fn sheets(project: &Project, table: &Table, at: usize, out: &mut Out<'_>) -> Result<usize, CopyError> {
    let has_image = |row: &u32| project.images.contains_key(&table.ids()[*row as usize]);
    let map = table.maps().into_iter().next();
    let order = map.and_then(|[x, y]| table.hilbert_order(&x, &y));
    let rows: Vec<u32> = match order {
        Some(order) => order.iter().copied().filter(has_image).collect(),
        None => (0..table.n_rows() as u32).filter(has_image).collect(),
    };
    if rows.is_empty() {
        return Ok(0);
    }
    out.arrow(&format!("data/{at}/order.arrow"), wire::rows("row", &rows))?;
    // Each picture is in one sheet: nothing is gained by keeping it.
    let kept = sheets::Kept::default();
    let parts: Vec<&[u32]> = rows.chunks(PER_SHEET).collect();
    for (first, some) in parts.chunks(8).enumerate() {
        let made: Vec<std::io::Result<Vec<u8>>> = some
            .par_iter()
            .map(|rows| {
                let ids: Vec<&str> =
                    rows.iter().map(|row| table.ids()[*row as usize].as_str()).collect();
                sheet(project, &kept, &ids)
            })
            .collect();
        for (n, bytes) in made.into_iter().enumerate() {
            out.put(&format!("data/{at}/sheet-{}.jpg", first * 8 + n), &bytes?)?;
        }
    }
    Ok(parts.len())
}

/// The columns whose boundary is wanted in a table.
fn judged_columns(table: &Table, params: &CopyParams) -> Vec<String> {
    // The page opens with the first.
    let mut out: Vec<String> = table.score().into_iter().map(str::to_owned).collect();
    for name in &params.boundaries {
        if table.numbers(name).is_some() && !out.contains(name) {
            out.push(name.clone());
        }
    }
    out
}

fn boundary(project: &Project, table: &Table, quantity: &str) -> Option<Value> {
    let (low, high) = table.binned(quantity)?.range?;
    let step = |n: usize| low + (high - low) * (n + 1) as f64 / (N_THRESHOLDS + 1) as f64;
    let thresholds = (0..N_THRESHOLDS).map(step).collect();
    let asked =
        BoundaryQuery { quantity: quantity.to_owned(), thresholds, groups: Vec::new(), masks: false };
    serde_json::to_value(judged(project, table, &asked).ok()?).ok()
}

fn images(project: &Project, out: &mut Out<'_>) -> Result<(), CopyError> {
    let mut ids: Vec<&String> = project.images.keys().collect();
    ids.sort_unstable();
    let limits = Limits::default();
    for (first, some) in ids.chunks(AT_ONCE).enumerate() {
        let made: Vec<Option<Vec<u8>>> = some
            .par_iter()
            .map(|id| {
                let bytes = read_file(&project.images[*id], &limits).ok()?;
                Some(show(&bytes, MAX_SIDE_PX, &limits).ok()?.png)
            })
            .collect();
        for (n, png) in made.into_iter().enumerate() {
            match png {
                Some(png) => {
                    out.put(&format!("data/images/{}.png", first * AT_ONCE + n), &png)?;
                    out.done.n_images += 1;
                }
                None => out.done.n_broken += 1,
            }
        }
    }
    out.json("data/images.json", &ids)
}

/// A table as the copy has it.
struct Kept<'t> {
    table: &'t Table,
    columns: &'t BTreeSet<String>,
}

impl volary_space::slice::Table for Kept<'_> {
    fn n_rows(&self) -> usize {
        self.table.n_rows()
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.table.columns().column(name).filter(|_| self.columns.contains(name))
    }

    fn names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }
}

/// Slices that were kept, with their numbers; one that asks for what is not in the copy could not be followed there.
fn slices(project: &Project, columns: &[BTreeSet<String>], out: &mut Out<'_>) -> Result<(), CopyError> {
    let mut kept = Vec::new();
    for slice in project.slices.as_ref().map(|slices| slices.all()).unwrap_or_default() {
        let of = project.tables.iter().zip(columns).find(|(table, _)| table.name() == slice.table);
        let chosen = of.and_then(|(table, columns)| {
            let filter: Filter = slice.filter.parse().ok()?;
            Some((table, filter.select(&Kept { table, columns }).ok()?.mask))
        });
        let Some((table, mask)) = chosen else {
            out.done.slices_left_out.push(slice.name);
            continue;
        };
        let errors = errors(project, table, &mask)
            .map_err(|problem| failed("data/slices.json", &problem.detail))?;
        let (id, n) = (slice.id(), mask.count());
        kept.push(json!({
            "id": id, "name": slice.name, "table": slice.table, "filter": slice.filter, "n": n, "errors": errors,
        }));
    }
    out.done.n_slices = kept.len() as u64;
    out.json("data/slices.json", &json!({ "takes_slices": false, "few": FEW, "slices": kept }))
}

/// What a model looked at: the panels hold the image, so that they go where whole images go.
fn attention(project: &Project, out: &mut Out<'_>) -> Result<(), CopyError> {
    let mut ids: Vec<&String> = project.attention.keys().collect();
    ids.sort_unstable();
    let limits = Limits::default();
    for (n, id) in ids.iter().enumerate() {
        let found = &project.attention[*id];
        let panels = read_file(&found.panels, &limits).ok();
        match panels.and_then(|bytes| show(&bytes, MAX_SIDE_PX, &limits).ok()) {
            Some(shown) => {
                out.put(&format!("data/attention/{n}.png"), &shown.png)?;
                out.json(&format!("data/attention/{n}.json"), &attention_view(found))?;
            }
            None => out.done.n_broken += 1,
        }
    }
    if ids.is_empty() { Ok(()) } else { out.json("data/attention.json", &ids) }
}

fn curves(project: &Project, out: &mut Out<'_>) -> Result<(), CopyError> {
    let mut ids: Vec<&String> = project.curves.keys().collect();
    ids.sort_unstable();
    for (n, id) in ids.iter().enumerate() {
        // What single volunteers marked is theirs; what it came to is the project's.
        let curve = crate::project::Curve { marks: Vec::new(), ..project.curves[*id].clone() };
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        out.json(&format!("data/curves/{n}.json"), &curve_view(&curve, (*id).clone(), all, MAX_POINTS))?;
    }
    out.json("data/curves.json", &ids)
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
