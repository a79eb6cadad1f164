//! One table: its columns, and what is counted of them again and again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use volary_space::boundary::{BoundaryParams, Prepared, strata};
use volary_space::pca::{Pca, PcaParams};
use volary_space::slice::{Column, Columns, Mask, Table as _};
use volary_space::{Points, SpaceError};

/// Bins of a histogram of numbers.
pub(crate) const N_BINS: usize = 64;
/// Texts of a column that are told apart in counts; the others are counted together.
pub(crate) const N_CATEGORIES: usize = 24;
/// Bin of what is in none of the others: a rare text.
pub(crate) const OTHER: u8 = 254;
/// Bin of a missing value.
const MISSING: u8 = 255;

/// Names of scores, the one that is ranked by first the first: what our networks write, then what others do, then what
/// people chose.
const SCORES: [&str; 12] = [
    "anomaly_score",
    "autoencoder_score",
    "score",
    "product",
    "image_score",
    "feature_score",
    "forest",
    "knn",
    "pca",
    "chosen_fraction",
    "weighted_fraction",
    "fraction",
];

/// Why a table cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Ids that do not fit.
    #[error("table {name:?} has {n_ids} ids for {n_rows} rows; give one for every row")]
    Ids {
        /// Its name.
        name: String,
        /// Ids.
        n_ids: usize,
        /// Rows.
        n_rows: usize,
    },
    /// Vectors that do not fit.
    #[error(
        "table {name:?} has {n_values} numbers of vectors for {n_rows} rows; give a vector for every row"
    )]
    Vectors {
        /// Its name.
        name: String,
        /// Numbers of all vectors.
        n_values: usize,
        /// Rows.
        n_rows: usize,
    },
}

/// A column's values, each in a bin.
#[derive(Debug)]
pub(crate) struct Binned {
    /// The bin of each row.
    pub(crate) bins: Vec<u8>,
    /// Ends of the bins of numbers.
    pub(crate) range: Option<(f64, f64)>,
    /// The texts that have bins of their own, the most frequent first.
    pub(crate) categories: Vec<String>,
    /// Rows of each bin.
    pub(crate) all: Vec<u64>,
    /// Rows with a rarer text.
    pub(crate) n_others: u64,
    /// Rows without a value, or with one that is not finite.
    pub(crate) n_missing: u64,
}

/// A table in memory, one row a subject.
#[derive(Debug)]
pub struct Table {
    name: String,
    ids: Vec<String>,
    columns: Columns,
    row_of: HashMap<String, usize>,
    binned: BTreeMap<String, OnceLock<Binned>>,
    vectors: Option<Vectors>,
    /// By the digest of the quantity.
    prepared: Mutex<HashMap<[u8; 32], Arc<Prepared>>>,
    /// With its seed.
    reduced: Mutex<Option<(u64, Arc<Points>)>>,
    orders: Mutex<BTreeMap<[String; 2], Arc<Vec<u32>>>>,
    origins: BTreeMap<String, String>,
    questions: BTreeMap<String, String>,
}

/// Vectors of those rows that have one.
#[derive(Debug)]
pub(crate) struct Vectors {
    pub(crate) points: Points,
    /// The row of each point; increasing.
    pub(crate) rows: Vec<usize>,
}

impl Vectors {
    /// The point of a row.
    pub(crate) fn point_of(&self, row: usize) -> Option<usize> {
        self.rows.binary_search(&row).ok()
    }

    /// Principal components of a boundary: as many as the command line keeps, where there are so many.
    fn n_components(&self) -> usize {
        BoundaryParams::default().n_components.min(self.points.width()).min(self.points.len())
    }
}

impl Table {
    /// A table of columns; `vectors` are the numbers of all rows' vectors and how many a row has. Rows whose
    /// vector is not finite have none.
    ///
    /// # Errors
    /// [`TableError`] where lengths differ.
    pub fn new(
        name: &str,
        ids: Vec<String>,
        columns: Columns,
        vectors: Option<(Vec<f32>, usize)>,
    ) -> Result<Self, TableError> {
        let n_rows = columns.n_rows();
        if ids.len() != n_rows {
            return Err(TableError::Ids { name: name.to_owned(), n_ids: ids.len(), n_rows });
        }
        let vectors = vectors.filter(|(_, width)| *width > 0).map(|(values, width)| {
            let wrong = || TableError::Vectors { name: name.to_owned(), n_values: values.len(), n_rows };
            if values.len() != n_rows * width {
                return Err(wrong());
            }
            let (mut kept, mut rows) = (Vec::with_capacity(values.len()), Vec::new());
            for (row, vector) in values.chunks_exact(width).enumerate() {
                if vector.iter().all(|v| v.is_finite()) {
                    kept.extend_from_slice(vector);
                    rows.push(row);
                }
            }
            let points = Points::new(kept, width).map_err(|_| wrong())?;
            Ok(Vectors { points, rows })
        });
        let row_of = ids.iter().enumerate().map(|(row, id)| (id.clone(), row)).collect();
        let binned = columns.iter().map(|(name, _)| (name.to_owned(), OnceLock::new())).collect();
        Ok(Self {
            name: name.to_owned(),
            ids,
            columns,
            row_of,
            binned,
            vectors: vectors.transpose()?.filter(|v| !v.rows.is_empty()),
            prepared: Mutex::default(),
            reduced: Mutex::default(),
            orders: Mutex::default(),
            origins: BTreeMap::new(),
            questions: BTreeMap::new(),
        })
    }

    /// The same, with the file that each column was read from.
    #[must_use]
    pub fn with_origins(mut self, origins: BTreeMap<String, String>) -> Self {
        self.origins = origins;
        self
    }

    /// The file that a column was read from, if that is known.
    pub(crate) fn origin(&self, column: &str) -> Option<&str> {
        self.origins.get(column).map(String::as_str)
    }

    /// The same, with the question that each column of an answer's shares is of.
    #[must_use]
    pub fn with_questions(mut self, questions: BTreeMap<String, String>) -> Self {
        self.questions = questions;
        self
    }

    /// The question that a column of an answer's shares is of, if that is known.
    pub(crate) fn question(&self, column: &str) -> Option<&str> {
        self.questions.get(column).map(String::as_str)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.ids.len()
    }

    /// The subject of each row.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What can be filtered by.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The row of a subject.
    #[must_use]
    pub fn row_of(&self, subject: &str) -> Option<usize> {
        self.row_of.get(subject).copied()
    }

    pub(crate) fn vectors(&self) -> Option<&Vectors> {
        self.vectors.as_ref()
    }

    /// Numbers of a column of numbers.
    pub(crate) fn numbers(&self, name: &str) -> Option<&[f64]> {
        match self.columns.column(name) {
            Some(Column::Number(values)) => Some(values),
            _ => None,
        }
    }

    /// The column that it is ranked by where nobody says another: a score, if it has one.
    pub(crate) fn score(&self) -> Option<&'static str> {
        SCORES.into_iter().find(|name| self.numbers(name).is_some())
    }

    /// Pairs of columns that are maps: `x` and `y` as `volary map` writes them, or a name and 0 and 1 behind
    /// it.
    pub(crate) fn maps(&self) -> Vec<[String; 2]> {
        let is_number = |name: &str| self.numbers(name).is_some();
        let mut out = Vec::new();
        for (name, _) in self.columns.iter() {
            let pair = match name {
                "x" => Some("y".to_owned()),
                _ => name
                    .strip_suffix("_x")
                    .map(|stem| format!("{stem}_y"))
                    .or_else(|| name.strip_suffix("_0").map(|stem| format!("{stem}_1"))),
            };
            if let Some(other) = pair
                && is_number(name)
                && is_number(&other)
            {
                out.push([name.to_owned(), other]);
            }
        }
        out.sort_by_key(|[x, _]| (x != "x", x.clone()));
        out
    }

    /// A column's bins, made when first asked for.
    pub(crate) fn binned(&self, name: &str) -> Option<&Binned> {
        let column = self.columns.column(name)?;
        Some(self.binned.get(name)?.get_or_init(|| Binned::of(column)))
    }

    /// What all thresholds of a boundary on a quantity share, made when first asked for: that of `volary boundary`
    /// with its defaults. `values` are those of the points with a vector; they go into what is kept, since those of
    /// labels change.
    pub(crate) fn prepared(
        &self,
        name: &str,
        values: &[f64],
    ) -> Result<Option<Arc<Prepared>>, SpaceError> {
        let Some(vectors) = &self.vectors else { return Ok(None) };
        let strata = strata(values);
        let mut hasher = blake3::Hasher::new();
        hasher.update(name.as_bytes());
        strata.iter().for_each(|stratum| _ = hasher.update(&stratum.to_le_bytes()));
        let key = *hasher.finalize().as_bytes();
        let mut held = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = held.get(&key) {
            return Ok(Some(prepared.clone()));
        }
        let params =
            BoundaryParams { n_components: vectors.n_components(), ..BoundaryParams::default() };
        let prepared = Prepared::stratified(&vectors.points, &strata, None, &params)?;
        // Somebody who asks for every column must not fill the memory.
        if held.len() >= 8 {
            held.clear();
        }
        let prepared = Arc::new(prepared);
        held.insert(key, prepared.clone());
        Ok(Some(prepared))
    }

    /// The principal components of all vectors, as many as a boundary has, and the places of the points along them;
    /// made when first asked for with a seed.
    pub(crate) fn reduced(&self, seed: u64) -> Result<Option<Arc<Points>>, SpaceError> {
        let Some(vectors) = &self.vectors else { return Ok(None) };
        let mut held = self.reduced.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reduced)) = held.as_ref().filter(|(of, _)| *of == seed) {
            return Ok(Some(Arc::clone(reduced)));
        }
        let params = PcaParams { seed, ..PcaParams::new(vectors.n_components()) };
        let reduced = Arc::new(Pca::fit(&vectors.points, &params)?.transform(&vectors.points)?);
        *held = Some((seed, Arc::clone(&reduced)));
        Ok(Some(reduced))
    }

    /// Rows in the order of the Hilbert curve through two columns; rows without a place come last, by number.
    pub(crate) fn hilbert_order(&self, x: &str, y: &str) -> Option<Arc<Vec<u32>>> {
        let (xs, ys) = (self.numbers(x)?, self.numbers(y)?);
        let key = [x.to_owned(), y.to_owned()];
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(order) = orders.get(&key) {
            return Some(order.clone());
        }
        let order = Arc::new(super::hilbert::order(xs, ys));
        // Somebody who asks for every pair of columns must not fill the memory.
        if orders.len() >= 16 {
            orders.clear();
        }
        orders.insert(key, order.clone());
        Some(order)
    }
}

impl Binned {
    fn of(column: &Column) -> Self {
        match column {
            Column::Number(values) => Self::of_numbers(values),
            Column::Text { codes, texts } => Self::of_texts(codes, texts),
            Column::Boolean(values) => {
                let code = |v: &Option<bool>| v.map_or(u32::MAX, u32::from);
                let codes: Vec<u32> = values.iter().map(code).collect();
                Self::of_texts(&codes, &["false".to_owned(), "true".to_owned()])
            }
        }
    }

    fn of_numbers(values: &[f64]) -> Self {
        let finite = values.iter().copied().filter(|v| v.is_finite());
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let range = (low <= high).then_some((low, high));
        let scale = if high > low { N_BINS as f64 / (high - low) } else { 0.0 };
        let bin = |v: &f64| {
            if v.is_finite() { (((v - low) * scale) as usize).min(N_BINS - 1) as u8 } else { MISSING }
        };
        Self::counted(values.iter().map(bin).collect(), N_BINS, range, Vec::new())
    }

    fn of_texts(codes: &[u32], texts: &[String]) -> Self {
        let mut counts = vec![0_u64; texts.len()];
        for code in codes {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += 1;
            }
        }
        let mut order: Vec<usize> = (0..texts.len()).filter(|code| counts[*code] > 0).collect();
        order.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then_with(|| texts[*a].cmp(&texts[*b])));
        order.truncate(N_CATEGORIES);
        let mut bin_of = vec![OTHER; texts.len()];
        for (bin, code) in order.iter().enumerate() {
            bin_of[*code] = bin as u8;
        }
        let bins = codes.iter().map(|code| bin_of.get(*code as usize).copied().unwrap_or(MISSING));
        let categories: Vec<String> = order.iter().map(|code| texts[*code].clone()).collect();
        let n = categories.len();
        Self::counted(bins.collect(), n, None, categories)
    }

    fn counted(bins: Vec<u8>, n: usize, range: Option<(f64, f64)>, categories: Vec<String>) -> Self {
        let mut every = [0_u64; 256];
        for bin in &bins {
            every[usize::from(*bin)] += 1;
        }
        Self {
            all: every[..n].to_vec(),
            n_others: every[usize::from(OTHER)],
            n_missing: every[usize::from(MISSING)],
            bins,
            range,
            categories,
        }
    }

    /// Rows of each bin among those of a mask, the others among them last.
    pub(crate) fn count(&self, mask: &Mask) -> (Vec<u64>, u64) {
        let mut every = [0_u64; 256];
        if mask.count() == self.bins.len() {
            return (self.all.clone(), self.n_others);
        }
        for row in mask.rows() {
            every[usize::from(self.bins[row])] += 1;
        }
        (every[..self.all.len()].to_vec(), every[usize::from(OTHER)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut columns = Columns::default();
        let texts = ["a", "b", "a", "c"].map(Some).into_iter().chain([None]);
        assert!(columns.insert("kind", Column::text(texts)));
        assert!(columns.insert("x", Column::Number(vec![0.0, 1.0, 2.0, 64.0, f64::NAN])));
        assert!(columns.insert("y", Column::Number(vec![5.0; 5])));
        let flags = vec![Some(true), None, Some(false), Some(true), Some(true)];
        assert!(columns.insert("flag", Column::Boolean(flags)));
        let ids = (0..5).map(|n| format!("s{n}")).collect();
        let vectors = (0..10).map(|n| if n == 3 { f32::NAN } else { n as f32 }).collect();
        Table::new("subjects", ids, columns, Some((vectors, 2))).unwrap()
    }

    #[test]
    fn every_row_is_in_one_bin() {
        let table = table();
        for (name, n_missing) in [("kind", 1), ("x", 1), ("y", 0), ("flag", 1)] {
            let binned = table.binned(name).unwrap();
            assert_eq!(binned.n_missing, n_missing, "{name}");
            assert_eq!(binned.all.iter().sum::<u64>() + binned.n_missing + binned.n_others, 5, "{name}");
            let odd = Mask::of(5, |row| row % 2 == 1);
            let even = Mask::of(5, |row| row % 2 == 0);
            let sum = |mask: &Mask| binned.count(mask).0.iter().sum::<u64>();
            assert_eq!(sum(&odd) + sum(&even), binned.all.iter().sum::<u64>());
        }
        let x = table.binned("x").unwrap();
        assert_eq!((x.range, x.all[0], x.all[1], x.all[63]), (Some((0.0, 64.0)), 1, 1, 1));
        let kind = table.binned("kind").unwrap();
        assert_eq!(
            (kind.categories.as_slice(), kind.all.as_slice()),
            (["a", "b", "c"].map(str::to_owned).as_slice(), [2, 1, 1].as_slice())
        );
    }

    #[test]
    fn rare_texts_are_counted_together() {
        let mut columns = Columns::default();
        let texts: Vec<String> = (0..100).map(|n| format!("{:02}", n % 50)).collect();
        assert!(columns.insert("c", Column::text(texts.iter().map(|t| Some(t.as_str())))));
        let ids = (0..100).map(|n| n.to_string()).collect();
        let table = Table::new("t", ids, columns, None).unwrap();
        let binned = table.binned("c").unwrap();
        assert_eq!((binned.categories.len(), binned.n_others), (N_CATEGORIES, 100 - 48));
        assert_eq!(binned.categories[0], "00", "of equally frequent ones the first by name");
    }

    #[test]
    fn maps_and_vectors_are_found() {
        let table = table();
        assert_eq!(table.maps(), [["x".to_owned(), "y".to_owned()]]);
        let vectors = table.vectors().unwrap();
        assert_eq!((vectors.rows.as_slice(), vectors.point_of(2)), ([0, 2, 3, 4].as_slice(), Some(1)));
        assert_eq!(vectors.point_of(1), None, "its vector is not finite");
        let columns = table.columns().clone();
        let few = Table::new("t", vec![], columns.clone(), None);
        assert!(matches!(few, Err(TableError::Ids { .. })));
        let odd = Table::new("t", table.ids().to_vec(), columns, Some((vec![0.0; 9], 2)));
        assert!(matches!(odd, Err(TableError::Vectors { .. })));
    }
}
