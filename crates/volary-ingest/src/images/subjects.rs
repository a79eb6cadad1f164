//! Which subject has which image: from a table (CSV or TSV), a Zooniverse subject export, or a folder.
//!
//! A path in a table is data from outside: it must stay in its folder, also by way of links. Two rows for
//! one subject, a missing file and a path that leads out are listed, and the others go on. Images are not
//! opened here.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use volary_core::{ProblemKind, Problems};

use crate::columns::{find, need};
use crate::error::IngestError;
use crate::panoptes::subjects::read_subjects;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::source::{InputDigest, Progress};

/// Columns of subject ids, as people name them.
const ID: [&str; 7] = ["subject_id", "subject", "subject_ids", "id", "object_id", "objid", "name"];
/// Columns of image files.
const IMAGE: [&str; 10] = [
    "image",
    "file",
    "path",
    "filename",
    "file_name",
    "image_path",
    "image_file",
    "image_name",
    "img",
    "cutout",
];
/// Endings of image files.
const ENDINGS: [&str; 7] = [".png", ".jpg", ".jpeg", ".fits", ".fit", ".fts", ".npy"];
/// Keys of metadata that become columns; more than this is not metadata.
const MAX_METADATA: usize = 500;

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct SubjectSource<'a> {
    /// A table, a subject export, or a folder.
    pub manifest: &'a Path,
    /// The folder of the images; without one, the manifest's own (and for a subject export `images` in it).
    pub images: Option<&'a Path>,
    /// The column of subject ids, where it has an unusual name.
    pub id_column: Option<&'a str>,
    /// The column of image files, where it has an unusual name.
    pub image_column: Option<&'a str>,
}

impl<'a> SubjectSource<'a> {
    /// A manifest, with everything else found by itself.
    #[must_use]
    pub fn new(manifest: &'a Path) -> Self {
        Self { manifest, images: None, id_column: None, image_column: None }
    }
}

/// A subject that has an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSubject {
    /// Subject id.
    pub subject_id: String,
    /// Its image.
    pub path: PathBuf,
    /// Its row in the manifest, 1 for the first; in a folder, its place in the order of names.
    pub row: u64,
    /// As many texts as there are [`ImageSubjects::metadata_columns`].
    pub metadata: Vec<String>,
}

/// Subjects with images, in the order of the manifest.
#[derive(Clone, Debug, Default)]
pub struct ImageSubjects {
    /// The subjects; no id stands twice.
    pub subjects: Vec<ImageSubject>,
    /// What else the manifest says of each, such as its group or its class.
    pub metadata_columns: Vec<String>,
    /// Rows of the manifest, usable or not.
    pub rows_read: u64,
    /// What was wrong.
    pub problems: Problems,
    /// The manifest, for `run.json`; a folder has none.
    pub digests: Vec<InputDigest>,
}

impl ImageSubjects {
    /// A column of the metadata, one text per subject.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<Vec<&str>> {
        let at = self.metadata_columns.iter().position(|c| c == name)?;
        Some(self.subjects.iter().map(|s| s.metadata[at].as_str()).collect())
    }
}

/// Finds subjects and their images.
///
/// # Errors
/// Where the manifest or a folder cannot be read, or has no column that could name images.
pub fn subjects(source: &SubjectSource<'_>, progress: &Progress) -> Result<ImageSubjects, IngestError> {
    if source.manifest.is_dir() {
        return from_folder(source.manifest);
    }
    let records = Records::open(source.manifest, RecordOptions::default(), progress)?;
    let header = records.header();
    let is_export = ["subject_id", "metadata", "locations"].iter().all(|c| header.find(c).is_some());
    if is_export && source.image_column.is_none() {
        drop(records);
        return from_export(source, progress);
    }
    from_table(source, records)
}

/// Whether a name is that of an image.
fn is_image(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    ENDINGS.iter().any(|end| name.len() > end.len() && name.ends_with(end))
}

fn stem(name: &str) -> &str {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn last_part(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Subjects as they are gathered: no id twice, every path checked.
struct Gathered {
    found: ImageSubjects,
    by_id: HashMap<String, usize>,
    folder: Folder,
}

impl Gathered {
    fn new(folder: Folder) -> Self {
        Self { found: ImageSubjects::default(), by_id: HashMap::new(), folder }
    }

    fn add(&mut self, subject: ImageSubject, column: &str) {
        let id = subject.subject_id.clone();
        if let Some(&first) = self.by_id.get(&id) {
            let first = &self.found.subjects[first];
            let same = if first.path == subject.path { "the same image" } else { "another image" };
            let detail = format!("subject {id} again, with {same}; row {} counts", first.row);
            self.found.problems.add(subject.row, column, ProblemKind::SubjectTwice, detail);
            return;
        }
        self.by_id.insert(id, self.found.subjects.len());
        self.found.subjects.push(subject);
    }
}

fn from_folder(path: &Path) -> Result<ImageSubjects, IngestError> {
    let folder = Folder::open(path)?;
    let mut gathered = Gathered::new(folder);
    let names = gathered.folder.list()?;
    for (row, name) in (1..).zip(&names) {
        gathered.found.rows_read += 1;
        let file = last_part(name);
        match gathered.folder.resolve(name) {
            Ok(path) => {
                let subject_id = stem(file).to_owned();
                gathered.add(ImageSubject { subject_id, path, row, metadata: Vec::new() }, file);
            }
            Err((kind, detail)) => gathered.found.problems.add(row, file, kind, detail),
        }
    }
    if names.is_empty() {
        let what = "no image (.png, .jpg, .fits, .npy) in the folder; name another one".to_owned();
        return Err(IngestError::Format { what, path: path.to_owned() });
    }
    Ok(gathered.found)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn from_table(source: &SubjectSource<'_>, mut records: Records) -> Result<ImageSubjects, IngestError> {
    let path = source.manifest;
    let folder = Folder::open(source.images.unwrap_or(parent(path)))?;
    let first = records.next_record()?;
    let header = records.header().clone();
    let columns = TableColumns::find(&header, first.as_ref(), source)?;
    let by_stem = match columns.image {
        Some(_) => HashMap::new(),
        None => folder.by_stem()?,
    };
    let mut gathered = Gathered::new(folder);
    gathered.found.metadata_columns =
        columns.metadata.iter().map(|&c| header.names[c].clone()).collect();
    let mut next = first;
    while let Some(record) = next {
        columns.row(&record, &header, &by_stem, &mut gathered, source.images.is_some());
        next = records.next_record()?;
    }
    let mut found = gathered.found;
    found.rows_read = records.n_rows;
    let mut problems = records.problems.clone();
    problems.absorb(&found.problems);
    found.problems = problems;
    found.digests.push(records.digest()?);
    Ok(found)
}

struct TableColumns {
    id: Option<usize>,
    image: Option<usize>,
    metadata: Vec<usize>,
}

impl TableColumns {
    fn find(
        header: &Header,
        first: Option<&Record>,
        source: &SubjectSource<'_>,
    ) -> Result<Self, IngestError> {
        const EXPECTED: &str = "a table with a row per subject";
        let named = |name: Option<&str>| {
            name.map(|name| need(header, &[name], EXPECTED, source.manifest)).transpose()
        };
        let id = named(source.id_column)?.or_else(|| find(header, &ID));
        let is_image_cell =
            |at: &usize| first.is_some_and(|r| r.fields().get(*at).is_some_and(|c| is_image(c)));
        let by_content = || (0..header.names.len()).find(is_image_cell);
        let image = named(source.image_column)?
            .or_else(|| find(header, &IMAGE).filter(|at| first.is_none() || is_image_cell(at)))
            .or_else(by_content)
            .or_else(|| find(header, &IMAGE));
        if image.is_none() && (source.images.is_none() || id.is_none()) {
            return Err(IngestError::MissingColumns {
                missing: "of image files (image, file, path) and no folder of images to find them in"
                    .to_owned(),
                found: header.names.join(", "),
                expected: EXPECTED,
                path: source.manifest.to_owned(),
            });
        }
        let is_rest = |at: &usize| Some(*at) != id && Some(*at) != image;
        let metadata = (0..header.names.len()).filter(is_rest).take(MAX_METADATA).collect();
        Ok(Self { id, image, metadata })
    }

    fn row(
        &self,
        record: &Record,
        header: &Header,
        by_stem: &HashMap<String, Vec<String>>,
        gathered: &mut Gathered,
        by_name: bool,
    ) {
        let name_of = |at: Option<usize>| at.map_or("", |at| header.names[at].as_str());
        let (cell, id) = (record.get(self.image).trim(), record.get(self.id).trim());
        let column = name_of(self.image.or(self.id));
        let problems = &mut gathered.found.problems;
        if self.id.is_some() && id.is_empty() {
            problems.add(record.row, name_of(self.id), ProblemKind::EmptyCell, "no subject id");
            return;
        }
        let image = match self.image {
            Some(_) if cell.is_empty() => {
                problems.add(record.row, column, ProblemKind::EmptyCell, "no image file");
                return;
            }
            Some(_) => gathered.folder.resolve_or_name(cell, by_name),
            None => match by_stem.get(id) {
                Some(files) => gathered.folder.resolve(&files[0]),
                None => {
                    Err((ProblemKind::MissingFile, format!("no image of subject {id} in the folder")))
                }
            },
        };
        let path = match image {
            Ok(path) => path,
            Err((kind, detail)) => return problems.add(record.row, column, kind, detail),
        };
        let subject_id = if self.id.is_some() { id } else { stem(last_part(cell)) }.to_owned();
        let metadata = self.metadata.iter().map(|&at| record.get(Some(at)).to_owned()).collect();
        let id_column = name_of(self.id.or(self.image)).to_owned();
        gathered.add(ImageSubject { subject_id, path, row: record.row, metadata }, &id_column);
    }
}

/// A subject export names addresses; the files are found by the subject's id, by a file name in its
/// metadata, or by the last part of its address.
fn from_export(source: &SubjectSource<'_>, progress: &Progress) -> Result<ImageSubjects, IngestError> {
    let (rows, report) = read_subjects(source.manifest, progress)?;
    let beside = parent(source.manifest);
    let folder = match source.images {
        Some(images) => Folder::open(images)?,
        None => Folder::open(&beside.join("images")).or_else(|_| Folder::open(beside))?,
    };
    let by_stem = folder.by_stem()?;
    let mut gathered = Gathered::new(folder);
    let mut locations_of: HashMap<String, Vec<String>> = HashMap::new();
    let mut metadata = Vec::new();
    for (row, subject) in (1..).zip(rows) {
        let id = subject.subject_id;
        // One row per subject set and workflow: the same subject again is normal, with the same media.
        if let Some(locations) = locations_of.get(&id) {
            if *locations != subject.locations {
                let detail = format!("subject {id} again, with other media; the first row counts");
                gathered.found.problems.add(row, "locations", ProblemKind::SubjectTwice, detail);
            }
            continue;
        }
        let fields = fields_of(&subject.metadata);
        match locate(&id, &fields, &subject.locations, &by_stem, &gathered.folder) {
            Ok(path) => {
                if subject.locations.len() > 1 {
                    let detail = format!("{} frames; the first is used", subject.locations.len());
                    gathered.found.problems.add(row, "locations", ProblemKind::Suspicious, detail);
                }
                metadata.push(fields);
                let subject_id = id.clone();
                gathered.add(ImageSubject { subject_id, path, row, metadata: Vec::new() }, "subject_id");
            }
            Err((kind, detail)) => gathered.found.problems.add(row, "locations", kind, detail),
        }
        locations_of.insert(id, subject.locations);
    }
    let mut found = gathered.found;
    attach(&mut found, metadata);
    found.rows_read = report.rows_read;
    let mut problems = report.problems;
    problems.absorb(&found.problems);
    found.problems = problems;
    found.digests.push(report.digest);
    Ok(found)
}

/// The keys and values of a subject's metadata, as text.
fn fields_of(json: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(map)) = serde_json::from_str(json) else { return Vec::new() };
    let text = |v: Value| match v {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    map.into_iter().map(|(key, value)| (key, text(value))).collect()
}

fn locate(
    id: &str,
    fields: &[(String, String)],
    locations: &[String],
    by_stem: &HashMap<String, Vec<String>>,
    folder: &Folder,
) -> Result<PathBuf, (ProblemKind, String)> {
    let named = |name: &str| {
        let files = by_stem.get(stem(name))?;
        files.iter().find(|file| last_part(file) == name)
    };
    let by_id = by_stem.get(id).and_then(|files| files.first());
    let in_metadata =
        || fields.iter().filter(|(_, v)| is_image(v)).find_map(|(_, v)| named(last_part(v)));
    let in_address = || {
        let address = locations.first()?;
        named(last_part(address.split(['?', '#']).next().unwrap_or_default()))
    };
    match by_id.or_else(in_metadata).or_else(in_address) {
        Some(file) => folder.resolve(file),
        None => Err((
            ProblemKind::MissingFile,
            format!("no image of subject {id} in the folder; name it {id}.png, or as in its metadata"),
        )),
    }
}

/// Metadata of an export as columns: every key that any subject has.
fn attach(found: &mut ImageSubjects, metadata: Vec<Vec<(String, String)>>) {
    let mut at: HashMap<String, usize> = HashMap::new();
    for (key, _) in metadata.iter().flatten() {
        if !at.contains_key(key) && at.len() < MAX_METADATA {
            at.insert(key.clone(), found.metadata_columns.len());
            found.metadata_columns.push(key.clone());
        }
    }
    for (subject, fields) in found.subjects.iter_mut().zip(metadata) {
        subject.metadata = vec![String::new(); at.len()];
        for (key, value) in fields {
            if let Some(&at) = at.get(&key) {
                subject.metadata[at] = value;
            }
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(120).collect()
}

fn leads_out<T>(name: &str, why: &str) -> Result<T, (ProblemKind, String)> {
    let hint = "write the path relative to the manifest, or name the folder of the images";
    Err((ProblemKind::PathLeadsOut, format!("{}: {why}; {hint}", shown(name))))
}

/// A folder that the images of a manifest must not lead out of. Names are taken byte for byte; whether two that
/// differ by case or by Unicode form are one file is the file system's business.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    real: PathBuf,
}

impl Folder {
    /// Opens it.
    ///
    /// # Errors
    /// Where there is no such folder.
    pub fn open(path: &Path) -> Result<Self, IngestError> {
        let io = |e| IngestError::io("reading", path, e);
        if !std::fs::metadata(path).map_err(io)?.is_dir() {
            return Err(io(std::io::Error::from(std::io::ErrorKind::NotADirectory)));
        }
        Ok(Self { path: path.to_owned(), real: path.canonicalize().map_err(io)? })
    }

    /// The file that a manifest names, checked; where the images' folder was named, the file's bare name is
    /// tried as well, since manifests often say where the images once were.
    fn resolve_or_name(&self, name: &str, by_name: bool) -> Result<PathBuf, (ProblemKind, String)> {
        let found = self.resolve(name);
        match found {
            Err((ProblemKind::MissingFile, _)) if by_name && name.contains('/') => {
                self.resolve(last_part(name)).or(found)
            }
            _ => found,
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a name could be a path within a folder; the files are not looked at.
    ///
    /// # Errors
    /// The kind of problem and what to do.
    pub fn check_name(name: &str) -> Result<(), (ProblemKind, String)> {
        let path = Path::new(name);
        let is_drive = name.as_bytes().get(1) == Some(&b':');
        if path.is_absolute() || is_drive || name.contains('\\') {
            return leads_out(name, "not a path within the folder");
        }
        if path.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir)) {
            return leads_out(name, "climbs out of the folder");
        }
        Ok(())
    }

    /// The file of a name: an ordinary one, within the folder, links followed.
    ///
    /// # Errors
    /// The kind of problem and what to do.
    pub fn resolve(&self, name: &str) -> Result<PathBuf, (ProblemKind, String)> {
        Self::check_name(name)?;
        let short = shown(name);
        let joined = self.path.join(name);
        let missing = || Err((ProblemKind::MissingFile, format!("{short}: no such file")));
        let Ok(real) = joined.canonicalize() else { return missing() };
        if !real.starts_with(&self.real) {
            return leads_out(name, "a link that leads out of the folder");
        }
        match std::fs::metadata(&real) {
            Ok(about) if about.is_file() => Ok(joined),
            Ok(_) => Err((ProblemKind::UnreadableImage, format!("{short}: not an ordinary file"))),
            Err(_) => missing(),
        }
    }

    /// Names of all images in the folder and in those within it, in order; links to folders are not followed.
    fn list(&self) -> Result<Vec<String>, IngestError> {
        let mut names = Vec::new();
        let mut open = vec![String::new()];
        while let Some(inner) = open.pop() {
            let path = self.path.join(&inner);
            let io = |e| IngestError::io("reading", &path, e);
            for entry in std::fs::read_dir(&path).map_err(io)? {
                let entry = entry.map_err(io)?;
                // A name that is not UTF-8 cannot stand in a table.
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let name = if inner.is_empty() { name } else { format!("{inner}/{name}") };
                if entry.file_type().map_err(io)?.is_dir() {
                    open.push(name);
                } else if is_image(&name) && !last_part(&name).starts_with('.') {
                    names.push(name);
                }
            }
        }
        names.sort();
        Ok(names)
    }

    fn by_stem(&self) -> Result<HashMap<String, Vec<String>>, IngestError> {
        let mut by_stem: HashMap<String, Vec<String>> = HashMap::new();
        for name in self.list()? {
            by_stem.entry(stem(last_part(&name)).to_owned()).or_default().push(name);
        }
        Ok(by_stem)
    }
}

#[cfg(test)]
#[path = "subjects_tests.rs"]
mod tests;
