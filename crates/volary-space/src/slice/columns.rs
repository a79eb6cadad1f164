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
            // As pandas writes a categorical: each text once, and which one each row has.
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary_opt()?;
                let texts = Self::from_arrow(dictionary.values().as_ref())?;
                if dictionary.values().is_empty() {
                    // Without texts every row is missing, and there is no key to ask for.
                    return Some(Self::text((0..array.len()).map(|_| None)));
                }
                let keys = dictionary.normalized_keys();
                let of = |(row, key): (usize, &usize)| {
                    if array.is_null(row) { None } else { texts.text_at(*key) }
                };
                matches!(texts, Self::Text { .. })
                    .then(|| Self::text(keys.iter().enumerate().map(of)))?
            }
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

    /// A value as people write it; `None` where there is none.
    #[must_use]
    pub fn label_at(&self, row: usize) -> Option<String> {
        match self {
            Self::Number(values) => values.get(row).filter(|v| !v.is_nan()).map(f64::to_string),
            Self::Boolean(values) => (*values.get(row)?).map(|v| v.to_string()),
            Self::Text { .. } => self.text_at(row).map(str::to_owned),
        }
    }

    /// Columns of one kind, one after the other; `None` if they are of different kinds or there are none.
    #[must_use]
    pub fn concat(parts: &[Self]) -> Option<Self> {
        let kind = parts.first()?.kind();
        if parts.iter().any(|part| part.kind() != kind) {
            return None;
        }
        Some(match kind {
            Kind::Number => {
                let values =
                    |part: &Self| if let Self::Number(v) = part { v.clone() } else { Vec::new() };
                Self::Number(parts.iter().flat_map(values).collect())
            }
            Kind::Boolean => {
                let values =
                    |part: &Self| if let Self::Boolean(v) = part { v.clone() } else { Vec::new() };
                Self::Boolean(parts.iter().flat_map(values).collect())
            }
            Kind::Text => {
                Self::text(parts.iter().flat_map(|part| (0..part.len()).map(|row| part.text_at(row))))
            }
        })
    }

    /// The column with the rows `rows`; missing where that is `None`.
    #[must_use]
    pub fn pick(&self, rows: &[Option<usize>]) -> Self {
        match self {
            Self::Number(values) => {
                let of =
                    |row: &Option<usize>| row.and_then(|r| values.get(r)).copied().unwrap_or(f64::NAN);
                Self::Number(rows.iter().map(of).collect())
            }
            Self::Boolean(values) => {
                Self::Boolean(rows.iter().map(|row| *values.get((*row)?)?).collect())
            }
            Self::Text { .. } => Self::text(rows.iter().map(|row| self.text_at((*row)?))),
        }
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

    /// The columns of batches of one table that can be filtered by; the others are left out.
    #[must_use]
    pub fn from_batches(batches: &[RecordBatch]) -> Self {
        let n_rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut columns = Self { n_rows, ..Self::default() };
        let Some(first) = batches.first() else { return columns };
        for field in first.schema_ref().fields() {
            let part = |batch: &RecordBatch| Column::from_arrow(batch.column_by_name(field.name())?);
            let parts: Option<Vec<Column>> = batches.iter().map(part).collect();
            if let Some(column) = parts.and_then(|parts| Column::concat(&parts)) {
                columns.columns.insert(field.name().clone(), column);
            }
        }
        columns
    }

    /// All columns, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column))
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

#[cfg(test)]
mod tests {
    use arrow_array::DictionaryArray;
    use arrow_array::types::{Int8Type, UInt32Type};

    use super::*;

    #[test]
    fn a_dictionary_is_a_column_of_texts() {
        let texts: DictionaryArray<Int8Type> =
            vec![Some("b"), None, Some("a"), Some("b")].into_iter().collect();
        let found = Column::from_arrow(&texts).unwrap();
        let rows: Vec<Option<&str>> = (0..4).map(|row| found.text_at(row)).collect();
        assert_eq!(rows, [Some("b"), None, Some("a"), Some("b")]);
        let numbers = arrow_array::Float64Array::from(vec![1.0]);
        let keys = arrow_array::UInt32Array::from(vec![0, 0]);
        let odd = DictionaryArray::<UInt32Type>::new(keys, std::sync::Arc::new(numbers));
        assert_eq!(Column::from_arrow(&odd), None, "of numbers it is left out");
        let none: DictionaryArray<Int8Type> = Vec::<Option<&str>>::new().into_iter().collect();
        assert_eq!(Column::from_arrow(&none).unwrap().len(), 0);
    }
}
