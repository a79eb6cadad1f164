//! The columns a filter may ask for: numbers, texts, true and false, each with missing values.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    Number,
    /// Texts.
    Text,
    /// True and false.
    Boolean,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "numbers",
            Self::Text => "texts",
            Self::Boolean => "true and false",
        }
    }
}

/// A code of [`Column::Text`] for a missing text.
const MISSING: u32 = u32::MAX;

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers; NaN is missing. Whole numbers are exact up to 2⁵³.
    Number(Vec<f64>),
    /// Texts: an index into the different ones a row.
    Text {
        /// Which text each row holds; the largest number for none.
        codes: Vec<u32>,
        /// The different texts.
        texts: Vec<String>,
    },
    /// True and false.
    Boolean(Vec<Option<bool>>),
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub fn text<'a>(rows: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        let mut texts = Vec::new();
        let mut code_of = |text: &'a str| {
            *known.entry(text).or_insert_with(|| {
                texts.push(text.to_owned());
                u32::try_from(texts.len() - 1).unwrap_or(MISSING)
            })
        };
        let codes = rows.map(|row| row.map_or(MISSING, &mut code_of)).collect();
        Self::Text { codes, texts }
    }

    /// The column of an Arrow array; `None` for lists, times and whatever else cannot be filtered by.
    #[must_use]
    pub fn from_arrow(array: &dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Float64 => numbers::<Float64Type>(array, |v| v),
            DataType::Float32 => numbers::<Float32Type>(array, f64::from),
            DataType::Int8 => numbers::<Int8Type>(array, f64::from),
            DataType::Int16 => numbers::<Int16Type>(array, f64::from),
            DataType::Int32 => numbers::<Int32Type>(array, f64::from),
            DataType::Int64 => numbers::<Int64Type>(array, |v| v as f64),
            DataType::UInt8 => numbers::<UInt8Type>(array, f64::from),
            DataType::UInt16 => numbers::<UInt16Type>(array, f64::from),
            DataType::UInt32 => numbers::<UInt32Type>(array, f64::from),
            DataType::UInt64 => numbers::<UInt64Type>(array, |v| v as f64),
            DataType::Boolean => Self::Boolean(array.as_boolean().iter().collect()),
            DataType::Utf8 => Self::text(array.as_string::<i32>().iter()),
            DataType::LargeUtf8 => Self::text(array.as_string::<i64>().iter()),
            DataType::Utf8View => Self::text(array.as_string_view().iter()),
            _ => return None,
        })
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Text { .. } => Kind::Text,
            Self::Boolean(_) => Kind::Boolean,
        }
    }

    /// Its rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Text { codes, .. } => codes.len(),
            Self::Boolean(values) => values.len(),
        }
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of a row, of a column of texts.
    #[must_use]
    pub fn text_at(&self, row: usize) -> Option<&str> {
        let Self::Text { codes, texts } = self else { return None };
        texts.get(*codes.get(row)? as usize).map(String::as_str)
    }

    /// Adds the rows of another column of the same kind; `false` if it is of another kind.
    #[must_use]
    pub fn append(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(all), Self::Number(more)) => all.extend(more),
            (Self::Boolean(all), Self::Boolean(more)) => all.extend(more),
            (all @ Self::Text { .. }, more @ Self::Text { .. }) => {
                let rows = |column: &Self| {
                    (0..column.len()).map(|r| column.text_at(r).map(str::to_owned)).collect::<Vec<_>>()
                };
                let (mut joined, added) = (rows(all), rows(more));
                joined.extend(added);
                *all = Self::text(joined.iter().map(Option::as_deref));
            }
            _ => return false,
        }
        true
    }
}

fn numbers<T: ArrowPrimitiveType>(array: &dyn Array, number: impl Fn(T::Native) -> f64) -> Column {
    Column::Number(array.as_primitive::<T>().iter().map(|v| v.map_or(f64::NAN, &number)).collect())
}

/// Whatever has columns to filter by.
pub trait Table {
    /// Its rows.
    fn n_rows(&self) -> usize;
    /// The column of a name.
    fn column(&self, name: &str) -> Option<&Column>;
    /// All names, for "did you mean".
    fn names(&self) -> Vec<&str>;
}

/// Columns by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    columns: BTreeMap<String, Column>,
    n_rows: usize,
}

impl Columns {
    /// Adds a column; `false`, and nothing is added, if its length is not that of the others.
    #[must_use]
    pub fn insert(&mut self, name: &str, column: Column) -> bool {
        let fits = self.columns.is_empty() || column.len() == self.n_rows;
        if fits {
            self.n_rows = column.len();
            self.columns.insert(name.to_owned(), column);
        }
        fits
    }

    /// The columns of a batch that can be filtered by; the others are left out.
    #[must_use]
    pub fn from_batch(batch: &RecordBatch) -> Self {
        let mut columns = Self { n_rows: batch.num_rows(), ..Self::default() };
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if let Some(column) = Column::from_arrow(array) {
                columns.columns.insert(field.name().clone(), column);
            }
        }
        columns
    }
}

impl Table for Columns {
    fn n_rows(&self) -> usize {
        self.n_rows
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    fn names(&self) -> Vec<&str> {
        self.columns.keys().map(String::as_str).collect()
    }
}
