//! Names: in the bytes of every file, in the text that Parquet files hold packed, in the names of files; and the words
//! that are no names because they are the team's own. How they are looked for is in [`crate::names`].

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde_json::Value;

use super::metadata::Described;
use super::{Check, Verified};
use crate::card::header_bytes;
use crate::error::ReleaseError;
use crate::names::NameSet;

/// So many places of a file are told, then no more.
const MOST: usize = 5;

/// Looks for names in every file.
pub(super) fn check(
    package: &Path,
    files: &BTreeMap<String, u64>,
    set: &NameSet,
    out: &mut Verified,
) -> Result<(), ReleaseError> {
    for file in files.keys() {
        if !set.find(file.as_bytes(), 1).is_empty() {
            out.find(Check::Names, file, "a volunteer's name is the name of the file");
        }
        let path = package.join(file);
        let table = if file.ends_with(".parquet") { Packed::open(&path) } else { None };
        let packed = match &table {
            Some(table) => table.chunks(),
            None if file.ends_with(".safetensors") => weights(&path).into_iter().collect(),
            None => Vec::new(),
        };
        let hits = set.find_in_file(&path, &packed, MOST)?;
        if let Some(first) = hits.first() {
            let more = if hits.len() < MOST { "" } else { " or more" };
            let what =
                format!("{}{more} times a volunteer's name, first at byte {}", hits.len(), first.start);
            out.find(Check::Names, file, what);
        }
        if let Some(column) = table.and_then(|table| table.column_with_name(set)) {
            out.find(Check::Names, file, format!("a volunteer's name in the column {column:?}"));
        }
    }
    Ok(())
}

/// A Parquet file, of which text is looked at unpacked. One that cannot be read is found out elsewhere.
struct Packed<'a> {
    path: &'a Path,
    metadata: ArrowReaderMetadata,
}

impl<'a> Packed<'a> {
    fn open(path: &'a Path) -> Option<Self> {
        // What its writer called the types is of no account: everything of bytes is looked at.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&File::open(path).ok()?, options).ok()?;
        Some(Self { path, metadata })
    }

    /// Where the columns lie in the file. Between and behind them are names of columns, statistics, notes.
    fn chunks(&self) -> Vec<Range<u64>> {
        let groups = self.metadata.metadata().row_groups().iter();
        let chunks = groups.flat_map(|group| group.columns());
        chunks.map(|chunk| chunk.byte_range()).map(|(start, n)| start..start.saturating_add(n)).collect()
    }

    /// The first column in which a name stands, groups of rows beside each other.
    fn column_with_name(&self, set: &NameSet) -> Option<String> {
        let n_groups = self.metadata.metadata().num_row_groups();
        (0..n_groups).into_par_iter().find_map_first(|group| self.column_in_group(group, set))
    }

    fn column_in_group(&self, group: usize, set: &NameSet) -> Option<String> {
        let schema = self.metadata.parquet_schema();
        let is_text = |leaf: &usize| {
            matches!(schema.column(*leaf).physical_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY)
        };
        let text = ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(is_text));
        let file = File::open(self.path).ok()?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(text)
            .with_batch_size(1 << 16)
            .build()
            .ok()?;
        // A reader of a broken file gives the same error for ever.
        reader.map_while(Result::ok).find_map(|batch| column_in_batch(&batch, set))
    }
}

fn column_in_batch(batch: &RecordBatch, set: &NameSet) -> Option<String> {
    let columns = batch.columns().iter().zip(batch.schema_ref().fields());
    let mut named = columns.filter(|(column, _)| !set.find(&text_of(column.as_ref()), 1).is_empty());
    named.next().map(|(_, field)| field.name().clone())
}

/// The cells of a column of text or of bytes, a line each.
fn text_of(column: &dyn Array) -> Vec<u8> {
    if let Some(cells) = column.as_string_opt::<i32>() {
        lines(cells.value_data().len(), cells.iter().flatten().map(str::as_bytes))
    } else if let Some(cells) = column.as_binary_opt::<i32>() {
        lines(cells.value_data().len(), cells.iter().flatten())
    } else if let Some(cells) = column.as_fixed_size_binary_opt() {
        lines(cells.value_data().len(), cells.iter().flatten())
    } else {
        Vec::new()
    }
}

/// One that says what the one above it says is left out.
fn lines<'a>(n_bytes: usize, cells: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut all = Vec::with_capacity(n_bytes);
    let mut above: &[u8] = &[];
    for cell in cells {
        if cell != above {
            all.extend_from_slice(cell);
            all.push(b'\n');
            above = cell;
        }
    }
    all
}

/// Where a file of weights (safetensors) has its numbers: behind its header.
fn weights(path: &Path) -> Option<Range<u64>> {
    let mut file = File::open(path).ok()?;
    let n_bytes = file.metadata().ok()?.len();
    let start = 8 + header_bytes(&mut file, n_bytes)?;
    Some(start..n_bytes)
}

/// Words that are the team's own, so that a name among them says nothing: authors, answers, questions, and
/// the words of every package.
pub(super) fn ours(package: &Path, described: &Described) -> String {
    let mut words = described.creators.clone();
    words.push_str(crate::package::vocabulary());
    keys(&described.privacy, &mut words);
    for model in std::fs::read_dir(package.join("models")).into_iter().flatten().filter_map(Result::ok) {
        words.push('\n');
        words.push_str(&crate::package::model_words(&model.path()));
    }
    let mut seen: HashSet<String> = HashSet::new();
    let typed = described.privacy["typed"].as_array().into_iter().flatten();
    let typed: HashSet<(&str, &str)> =
        typed.filter_map(|q| Some((q[0].as_str()?, q[1].as_str()?))).collect();
    let path = package.join("data/counts.csv");
    if let Ok(mut reader) = csv::Reader::from_path(path) {
        for record in reader.records().map_while(Result::ok) {
            let of = |column: usize| record.get(column).unwrap_or_default();
            // What volunteers typed is not the team's own.
            let columns: &[usize] = if typed.contains(&(of(0), of(1))) { &[0, 1] } else { &[0, 1, 3] };
            for &column in columns {
                let text = record.get(column).unwrap_or_default();
                if !seen.contains(text) {
                    words.push('\n');
                    words.push_str(text);
                    seen.insert(text.to_owned());
                }
            }
        }
    }
    words
}

/// Keys of a report are ours; its values may be anything.
fn keys(value: &Value, words: &mut String) {
    for (key, value) in value.as_object().into_iter().flatten() {
        words.push('\n');
        words.push_str(key);
        keys(value, words);
    }
    for value in value.as_array().into_iter().flatten() {
        keys(value, words);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, DictionaryArray, StringArray, types::Int32Type};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;

    use super::*;

    /// What is found in a folder of one table with such columns and such a note.
    fn found(
        columns: Vec<(&str, Arc<dyn Array>)>,
        note: &str,
        names: &[&str],
    ) -> (Vec<String>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![KeyValue::new("note".to_owned(), note.to_owned())]))
            .build();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let set = NameSet::new(names.iter().copied(), "").unwrap();
        let mut out = Verified::default();
        check(folder.path(), &[("a.parquet".to_owned(), 0)].into(), &set, &mut out).unwrap();
        (out.findings.into_iter().map(|f| f.what).collect(), std::fs::read(&path).unwrap())
    }

    /// Cells that do not pack well.
    fn noise(n: u64) -> Vec<String> {
        let hash = |i: u64| {
            i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        (0..n).map(|i| format!("{:x}", hash(i))).collect()
    }

    #[test]
    fn text_of_every_type_and_notes() {
        let plain = noise(5000);
        let mut cells: Vec<&str> = plain.iter().map(String::as_str).collect();
        cells[4000] = "ann";
        let text: Arc<dyn Array> = Arc::new(StringArray::from(cells.clone()));
        let bytes: Arc<dyn Array> = Arc::new(BinaryArray::from_iter_values(&cells));
        let words: Arc<dyn Array> =
            Arc::new(cells.iter().copied().collect::<DictionaryArray<Int32Type>>());
        for column in [text, bytes, words] {
            let (found, _) = found(vec![("note", column)], "", &["Ann"]);
            assert_eq!(found, ["a volunteer's name in the column \"note\""]);
        }
        let rest: Arc<dyn Array> = Arc::new(StringArray::from(plain));
        let (found, _) = found(vec![("note", rest)], "made by Ann", &["Ann"]);
        assert!(matches!(found.as_slice(), [what] if what.starts_with("1 times")), "{found:?}");
    }

    #[test]
    fn what_stands_in_packed_bytes_by_chance_is_no_name() {
        let column: Arc<dyn Array> = Arc::new(StringArray::from(noise(50_000)));
        let (_, bytes) = found(vec![("noise", Arc::clone(&column))], "", &["Nobody"]);
        let mut words = bytes[..bytes.len() / 2].split(|b| !b.is_ascii_alphanumeric() && *b < 0x80);
        let word = words.find(|w| w.len() == 4 && w.iter().all(u8::is_ascii_alphabetic)).unwrap();
        let word = String::from_utf8(word.to_vec()).unwrap();
        let set = NameSet::new([word.as_str()], "").unwrap();
        assert!(!set.find(&bytes, 1).is_empty(), "{word:?} is in its bytes");
        let (found, _) = found(vec![("noise", column)], "", &[&word]);
        assert_eq!(found, [""; 0], "{word:?}");
    }

    #[test]
    fn of_weights_the_header_is_looked_at_whole() {
        let folder = tempfile::tempdir().unwrap();
        let header = br#"{"__metadata__":{"by":"ann"}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(b" bob zaphod_b ");
        std::fs::write(folder.path().join("w.safetensors"), &bytes).unwrap();
        for (name, n) in [("ann", 1), ("bob", 0), ("Zaphod_B", 1)] {
            let set = NameSet::new([name], "").unwrap();
            let mut out = Verified::default();
            check(folder.path(), &[("w.safetensors".to_owned(), 0)].into(), &set, &mut out).unwrap();
            assert_eq!(out.findings.len(), n, "{name}");
        }
    }
}
