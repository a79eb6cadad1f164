//! One bit a row.

/// Which rows of a table are in a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    words: Vec<u64>,
    n_rows: usize,
}

impl Mask {
    /// The rows where `is_in` holds.
    pub fn of(n_rows: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let word = |at: usize| {
            let rows = at * 64..((at + 1) * 64).min(n_rows);
            rows.fold(0, |word, row| word | u64::from(is_in(row)) << (row % 64))
        };
        Self { words: (0..n_rows.div_ceil(64)).map(word).collect(), n_rows }
    }

    /// Rows of the table.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Rows that are in.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether a row is in; a row beyond the table is not.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// The rows that are in, in order.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * 64 + bit)
            })
        })
    }

    /// The rows that are in both; of masks of different tables, those of the shorter one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let n_rows = self.n_rows.min(other.n_rows);
        let words = self.words.iter().zip(&other.words).map(|(a, b)| a & b);
        Self { words: words.take(n_rows.div_ceil(64)).collect(), n_rows }
    }

    /// 64 rows a word, the first row lowest; bits beyond the last row are 0.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_rows() {
        for n in [0, 1, 63, 64, 65, 200] {
            let mask = Mask::of(n, |row| row % 3 == 1);
            assert_eq!(
                mask.rows().collect::<Vec<_>>(),
                (0..n).filter(|r| r % 3 == 1).collect::<Vec<_>>()
            );
            assert_eq!(mask.count(), mask.rows().count());
            let even = Mask::of(n, |row| row % 2 == 0);
            assert_eq!(mask.and(&even), Mask::of(n, |row| row % 6 == 4));
            assert!(!mask.contains(n) && (0..n).all(|row| mask.contains(row) == (row % 3 == 1)));
        }
    }
}
