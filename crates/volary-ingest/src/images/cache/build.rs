//! Making a cache: some hundred images at a time on all threads, written in the order of the subjects, so
//! that the file is the same whatever the number of threads.
//!
//! The file is written beside its place and renamed when it is whole. A run that is killed leaves a `.part`,
//! which the next one overwrites.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::CacheError;
use super::file::{Entry, HEAD_BYTES, Names, Picture, PixelFile, Stamp, check_of, seal};
use crate::images::decode::{decode, read_file};
use crate::images::prepare::{Prepared, prepare};
use crate::images::raster::Fault;
use crate::images::settings::{Settings, Storage};
use crate::images::subjects::ImageSubject;
use crate::source::Progress;

/// Images per thread between two writes.
const AT_A_TIME: usize = 64;

/// Makes the cache; says how many images were decoded for it.
pub(super) fn build(
    names: &Names,
    subjects: &[ImageSubject],
    settings: &Settings,
    progress: &Progress,
    on_image: &(dyn Fn(usize) + Sync),
) -> Result<usize, CacheError> {
    let outcome = write(names, subjects, settings, progress, on_image);
    if outcome.is_err() {
        // Whatever came in the way is the error; that the rest of it stays as well is none.
        drop(std::fs::remove_file(&names.part));
    }
    outcome
}

fn write(
    names: &Names,
    subjects: &[ImageSubject],
    settings: &Settings,
    progress: &Progress,
    on_image: &(dyn Fn(usize) + Sync),
) -> Result<usize, CacheError> {
    let io = |reason| CacheError::Io { action: "writing", path: names.part.clone(), reason };
    let donors = Donors::find(names, settings);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&names.part).map_err(io)?);
    out.write_all(&[0; HEAD_BYTES as usize]).map_err(io)?;
    let (n_done, n_decoded) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut entries: Vec<Entry> = Vec::with_capacity(subjects.len());
    let mut n_pictures = 0;
    for some in subjects.chunks(AT_A_TIME * rayon::current_num_threads()) {
        if progress.is_stopped() {
            return Err(CacheError::Stopped);
        }
        let one = |subject: &ImageSubject| {
            let made = donors.give(&subject.path).unwrap_or_else(|| {
                n_decoded.fetch_add(1, Ordering::Relaxed);
                make(&subject.path, settings)
            });
            on_image(n_done.fetch_add(1, Ordering::Relaxed) + 1);
            made
        };
        let made: Vec<(Entry, Vec<u8>)> = some.par_iter().map(one).collect();
        for (mut entry, bytes) in made {
            if let Some(picture) = &mut entry.picture {
                picture.row = n_pictures;
                n_pictures += 1;
                out.write_all(&bytes).map_err(io)?;
            }
            entries.push(entry);
        }
    }
    let (head, index) = seal(settings, entries).map_err(io)?;
    out.write_all(&index).map_err(io)?;
    out.seek(SeekFrom::Start(0)).map_err(io)?;
    out.write_all(&head).map_err(io)?;
    let file = out.into_inner().map_err(|e| io(e.into_error()))?;
    file.sync_all().map_err(io)?;
    std::fs::rename(&names.part, &names.cache).map_err(io)?;
    Ok(n_decoded.into_inner())
}

/// One image, decoded.
fn make(path: &Path, settings: &Settings) -> (Entry, Vec<u8>) {
    let mut entry = Entry {
        path: path.to_owned(),
        stamp: Stamp::of(path),
        hash: String::new(),
        picture: None,
        faults: Vec::new(),
    };
    match picture(path, settings, &mut entry) {
        Ok(bytes) => (entry, bytes),
        Err(fault) => {
            entry.picture = None;
            entry.faults.push(fault);
            (entry, Vec::new())
        }
    }
}

fn picture(path: &Path, settings: &Settings, entry: &mut Entry) -> Result<Vec<u8>, Fault> {
    let bytes = read_file(path, &settings.limits)?;
    entry.hash = blake3::hash(&bytes).to_hex().to_string();
    let decoded = decode(&bytes, &settings.limits)?;
    let (size, channels) = (decoded.raster.size(), decoded.raster.channels());
    let (prepared, notes) = prepare(decoded, settings)?;
    let stored = stored(prepared, settings.storage);
    entry.faults = notes;
    entry.picture = Some(Picture { row: 0, check: check_of(&stored), size, channels });
    Ok(stored)
}

/// A picture as the file keeps it.
fn stored(picture: Prepared, storage: Storage) -> Vec<u8> {
    match (storage, picture) {
        (Storage::U8, Prepared::Bytes(bytes)) => bytes,
        (Storage::U8, Prepared::Floats(values)) => {
            values.iter().map(|v| (v * 255.0).round() as u8).collect()
        }
        (Storage::U16, picture) => {
            let values = picture.into_floats();
            values.iter().flat_map(|v| ((v * 65535.0).round() as u16).to_le_bytes()).collect()
        }
        (Storage::F32, picture) => picture.into_floats().iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// Other caches with the same settings: what they have need not be decoded again.
struct Donors {
    files: Vec<PixelFile>,
    entries: HashMap<std::path::PathBuf, (usize, Entry)>,
    picture_bytes: usize,
}

impl Donors {
    fn find(names: &Names, settings: &Settings) -> Self {
        let picture_bytes = settings.shape().values() * settings.storage.bytes();
        let mut donors = Self { files: Vec::new(), entries: HashMap::new(), picture_bytes };
        let folder = names.cache.parent().unwrap_or(Path::new("."));
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|e| e.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if !name.starts_with(&names.prefix) || !name.ends_with(".pixels") {
                continue;
            }
            let Some((file, index)) = PixelFile::open(&path, settings, false) else { continue };
            donors.files.push(file);
            for entry in index.entries {
                donors.entries.insert(entry.path.clone(), (donors.files.len() - 1, entry));
            }
        }
        donors
    }

    /// The picture of an unchanged image, checked.
    fn give(&self, path: &Path) -> Option<(Entry, Vec<u8>)> {
        let (file, entry) = self.entries.get(path)?;
        // What could not be used is looked at again: it may be a passing error of the disk.
        let picture = entry.picture.as_ref().filter(|_| entry.is_of(path))?;
        let mut bytes = vec![0; self.picture_bytes];
        self.files[*file].read(picture.row, &mut bytes).ok()?;
        let entry = Entry { stamp: Stamp::of(path), ..entry.clone() };
        (check_of(&bytes) == picture.check).then_some((entry, bytes))
    }
}
