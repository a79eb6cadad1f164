//! Why is a subject confusing: is the image unclear, or do two classes share what it shows?
//!
//! With consensus shares per class (they need not sum to 1: volunteers may choose several), a share is
//! *middling* between two bounds (0.3 and 0.7, both included) and *high* above the upper one. Where some
//! class is middling and none is high, nobody knows what the image shows: it is **ambiguous**. Where a
//! class is high and another is middling or high as well, volunteers agree on one thing and disagree on
//! whether it is also the other: classes are **confused**. (Sankar et al. 2024, doi:10.5334/cstp.731; the
//! bounds' edges are not stated there.) The same can be asked in the slice language:
//! `consensus(vortex) between 0.3 and 0.7 and consensus(bands) > 0.7`.

use crate::error::SpaceError;

/// Where shares are low, middling, high.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    low: f64,
    high: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { low: 0.3, high: 0.7 }
    }
}

impl Bounds {
    /// Middling from `low` to `high`, both included.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] unless 0 ≤ low ≤ high ≤ 1.
    pub fn new(low: f64, high: f64) -> Result<Self, SpaceError> {
        if !(0.0..=1.0).contains(&low) {
            return Err(SpaceError::Setting {
                name: "the lower bound",
                value: low,
                must: "from 0 to 1",
            });
        }
        if !(low..=1.0).contains(&high) {
            let must = "from the lower bound to 1";
            return Err(SpaceError::Setting { name: "the upper bound", value: high, must });
        }
        Ok(Self { low, high })
    }

    fn is_middling(self, share: f64) -> bool {
        (self.low..=self.high).contains(&share)
    }

    fn is_high(self, share: f64) -> bool {
        share > self.high
    }
}

/// What a subject's shares say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One class is high, the others are low.
    Clear,
    /// No class is high, one or more are middling: the image is unclear.
    Ambiguous,
    /// A class is high and another is middling or high too: the classes are confused.
    Confused,
    /// All are low.
    Nothing,
    /// No share is known.
    Unknown,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Clear, Self::Ambiguous, Self::Confused, Self::Nothing, Self::Unknown];

    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Ambiguous => "ambiguous",
            Self::Confused => "confused",
            Self::Nothing => "nothing",
            Self::Unknown => "unknown",
        }
    }
}

/// What one subject's shares say; NaN is unknown and counts as neither.
pub fn kind(shares: impl Iterator<Item = f64>, bounds: Bounds) -> Kind {
    let (mut n_known, mut n_middling, mut n_high) = (0, 0, 0);
    for share in shares.filter(|share| !share.is_nan()) {
        n_known += 1;
        n_middling += usize::from(bounds.is_middling(share));
        n_high += usize::from(bounds.is_high(share));
    }
    match (n_known, n_high, n_middling) {
        (0, ..) => Kind::Unknown,
        (_, 0, 0) => Kind::Nothing,
        (_, 0, _) => Kind::Ambiguous,
        (_, 1, 0) => Kind::Clear,
        _ => Kind::Confused,
    }
}

/// The confusing subjects of one class, split by what else they show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassSplit {
    /// The class, as an index into the columns.
    pub class: usize,
    /// Subjects where it is middling.
    pub n_confusing: usize,
    /// Of these, where no class is high: ambiguous images.
    pub n_none_high: usize,
    /// Of these, where each other class is high; `None` for the class itself.
    pub n_high: Vec<Option<usize>>,
}

/// A table split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What each subject's shares say.
    pub kinds: Vec<Kind>,
    /// One row a class.
    pub classes: Vec<ClassSplit>,
}

impl Split {
    /// Subjects of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.kinds.iter().filter(|k| **k == kind).count()
    }
}

/// Splits a table: one column of shares a class, NaN where unknown.
///
/// # Errors
/// [`SpaceError::NoRows`] without a class; [`SpaceError::Length`] if columns differ in length;
/// [`SpaceError::Range`] for shares outside 0 to 1.
pub fn split(columns: &[&[f64]], bounds: Bounds) -> Result<Split, SpaceError> {
    let Some(n) = columns.first().map(|c| c.len()) else {
        return Err(SpaceError::NoRows { what: "the list of classes" });
    };
    for column in columns {
        crate::check::check_length("a class", column.len(), n)?;
        if let Some(row) = column.iter().position(|v| !v.is_nan() && !(0.0..=1.0).contains(v)) {
            let (what, value) = ("a consensus", column[row]);
            return Err(SpaceError::Range { what, row, value, low: 0.0, high: 1.0 });
        }
    }
    let kinds = (0..n).map(|row| kind(columns.iter().map(|c| c[row]), bounds)).collect();
    let classes = (0..columns.len()).map(|class| class_split(columns, class, bounds)).collect();
    Ok(Split { kinds, classes })
}

fn class_split(columns: &[&[f64]], class: usize, bounds: Bounds) -> ClassSplit {
    let confusing: Vec<usize> =
        (0..columns[class].len()).filter(|&row| bounds.is_middling(columns[class][row])).collect();
    let is_high = |other: usize, row: usize| bounds.is_high(columns[other][row]);
    let count = |other: usize| confusing.iter().filter(|&&row| is_high(other, row)).count();
    let none = |row: &&usize| !(0..columns.len()).any(|other| is_high(other, **row));
    ClassSplit {
        class,
        n_confusing: confusing.len(),
        n_none_high: confusing.iter().filter(none).count(),
        n_high: (0..columns.len()).map(|other| (other != class).then(|| count(other))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slice::{Column, Columns, Filter};
    use proptest::prelude::*;

    fn of(shares: &[f64]) -> Kind {
        kind(shares.iter().copied(), Bounds::default())
    }

    #[test]
    fn kinds_on_paper() {
        assert_eq!(of(&[0.9, 0.1, 0.0]), Kind::Clear);
        assert_eq!(of(&[0.5, 0.1, 0.0]), Kind::Ambiguous);
        assert_eq!(of(&[0.7, 0.3, 0.7]), Kind::Ambiguous);
        assert_eq!(of(&[0.5, 0.9, 0.0]), Kind::Confused);
        assert_eq!(of(&[0.8, 0.9, 0.0]), Kind::Confused);
        assert_eq!(of(&[0.1, 0.29]), Kind::Nothing);
        assert_eq!(of(&[f64::NAN, 0.8]), Kind::Clear);
        assert_eq!(of(&[f64::NAN]), Kind::Unknown);
        assert!(Bounds::new(0.7, 0.3).is_err() && Bounds::new(f64::NAN, 0.5).is_err());
    }

    #[test]
    fn the_published_counts_on_a_table_made_to_hold_them() {
        // 68,322 subjects, 9,650 with a middling vortex, of these 3,962 with a high FFR and 612 with high
        // bands (100 with both).
        let n = 68_322;
        let vortex: Vec<f64> = (0..n)
            .map(|i| if i < 9_650 { 0.3 + 0.4 * (i % 10) as f64 / 9.0 } else { (i % 2) as f64 })
            .collect();
        let ffr: Vec<f64> =
            (0..n).map(|i| if (3_962..60_000).contains(&i) { 0.2 } else { 0.75 }).collect();
        let bands: Vec<f64> =
            (0..n).map(|i| if (3_862..4_474).contains(&i) || i >= 65_000 { 0.8 } else { 0.7 }).collect();
        let split = split(&[&vortex, &ffr, &bands], Bounds::default()).unwrap();
        let of_vortex = &split.classes[0];
        assert_eq!((of_vortex.n_confusing, n - of_vortex.n_confusing), (9_650, 58_672));
        assert_eq!(of_vortex.n_high, [None, Some(3_962), Some(612)]);
        assert_eq!(of_vortex.n_none_high, 9_650 - 3_962 - 612 + 100);
        // The slice language counts the same.
        let mut table = Columns::default();
        for (name, values) in [("vortex", vortex), ("ffr", ffr), ("bands", bands)] {
            assert!(table.insert(name, Column::Number(values)));
        }
        let count = |text: &str| text.parse::<Filter>().unwrap().select(&table).unwrap().mask.count();
        assert_eq!(count("consensus(vortex) between 0.3 and 0.7"), 9_650);
        assert_eq!(count("consensus(vortex) between 0.3 and 0.7 and consensus(ffr) > 0.7"), 3_962);
        assert_eq!(count("consensus(vortex) between 0.3 and 0.7 and consensus(bands) > 0.7"), 612);
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(matches!(split(&[], Bounds::default()), Err(SpaceError::NoRows { .. })));
        assert!(matches!(split(&[&[0.1], &[]], Bounds::default()), Err(SpaceError::Length { .. })));
        assert!(matches!(
            split(&[&[0.1, 1.1]], Bounds::default()),
            Err(SpaceError::Range { row: 1, .. })
        ));
    }

    proptest! {
        #[test]
        fn every_subject_is_of_one_kind_and_the_order_of_classes_does_not_matter(
            rows in proptest::collection::vec(proptest::array::uniform3(0.0..=1.0_f64), 1..40),
        ) {
            let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<f64>>();
            let (a, b, c) = (column(0), column(1), column(2));
            let one = split(&[&a, &b, &c], Bounds::default()).unwrap();
            let other = split(&[&c, &a, &b], Bounds::default()).unwrap();
            prop_assert_eq!(&one.kinds, &other.kinds);
            prop_assert_eq!(Kind::ALL.iter().map(|k| one.count(*k)).sum::<usize>(), rows.len());
            let ambiguous = one.classes[0].n_none_high;
            prop_assert!(ambiguous <= one.count(Kind::Ambiguous));
        }
    }
}
