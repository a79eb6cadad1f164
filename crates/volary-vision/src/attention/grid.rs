//! Maps of numbers on a grid: bilinear enlargement, scaling to 0 to 1, and eight bits a cell for storing.

/// `n` maps of `height × width` numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// How many.
    pub n: usize,
    /// Rows of each.
    pub height: usize,
    /// Columns of each.
    pub width: usize,
    /// `[n, height, width]`.
    pub values: Vec<f32>,
}

impl Maps {
    /// Maps out of `[n, height, width]` numbers; `None` when their number doesn't fit.
    #[must_use]
    pub fn new(n: usize, height: usize, width: usize, values: Vec<f32>) -> Option<Self> {
        (n * height * width == values.len()).then_some(Self { n, height, width, values })
    }

    /// One map after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Grid> + '_ {
        let cells = self.height * self.width;
        (0..self.n).map(move |k| Grid {
            height: self.height,
            width: self.width,
            values: self.values[k * cells..][..cells].to_vec(),
        })
    }
}

/// One map.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `[height, width]`.
    pub values: Vec<f32>,
}

impl Grid {
    /// Bilinear enlargement (or reduction without smoothing) with pixel centres aligned, as PyTorch's
    /// `interpolate(mode="bilinear", align_corners=False)`.
    #[must_use]
    pub fn resized(&self, height: usize, width: usize) -> Self {
        let (rows, columns) = (steps(self.height, height), steps(self.width, width));
        let mut values = Vec::with_capacity(height * width);
        if self.values.is_empty() {
            return Self { height, width, values: vec![0.0; height * width] };
        }
        for (top, bottom, down) in rows {
            let (upper, lower) = (&self.values[top * self.width..], &self.values[bottom * self.width..]);
            for &(left, right, along) in &columns {
                let above = upper[left] + along * (upper[right] - upper[left]);
                let below = lower[left] + along * (lower[right] - lower[left]);
                values.push(above + down * (below - above));
            }
        }
        Self { height, width, values }
    }

    /// Smallest and largest number; `None` when there is none, or one of them isn't finite.
    #[must_use]
    pub fn range(&self) -> Option<(f32, f32)> {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for value in &self.values {
            if !value.is_finite() {
                return None;
            }
            (low, high) = (low.min(*value), high.max(*value));
        }
        (low <= high).then_some((low, high))
    }

    /// Scaled so that the smallest number is 0 and the largest 1; `None` for a constant map.
    #[must_use]
    pub fn scaled(mut self) -> Option<Self> {
        let (low, high) = self.range()?;
        let span = high - low;
        // Below this the "map" is the rounding of a constant: numbers of size x differ by x * 2^-23.
        if span <= 4.0 * f32::EPSILON * high.abs().max(low.abs()) || !span.is_normal() {
            return None;
        }
        for value in &mut self.values {
            *value = ((*value - low) / span).clamp(0.0, 1.0);
        }
        Some(self)
    }

    /// What is below zero becomes zero.
    #[must_use]
    pub fn rectified(mut self) -> Self {
        for value in &mut self.values {
            *value = value.max(0.0);
        }
        self
    }

    /// Eight bits a cell; `None` when a number isn't finite.
    #[must_use]
    pub fn to_bytes(&self) -> Option<ByteMap> {
        let (low, high) = self.range()?;
        let span = high - low;
        let code =
            |value: f32| if span > 0.0 { ((value - low) / span * 255.0).round() as u8 } else { 0 };
        let cells = self.values.iter().map(|v| code(*v)).collect();
        Some(ByteMap { height: self.height, width: self.width, low, high, cells })
    }

    /// The means over `height × width` fields that cover the map evenly; cells on a border count in part.
    pub(crate) fn pooled(&self, height: usize, width: usize) -> Self {
        let (rows, columns) = (shares(self.height, height), shares(self.width, width));
        let mut values = Vec::with_capacity(height * width);
        for row in &rows {
            for column in &columns {
                let mut sum = 0.0;
                for &(y, of_row) in row {
                    for &(x, of_column) in column {
                        sum += of_row * of_column * self.values[y * self.width + x];
                    }
                }
                values.push(sum);
            }
        }
        Self { height, width, values }
    }
}

/// A map as it is stored: `low + (high − low) cell / 255`.
#[derive(Clone, Debug, PartialEq)]
pub struct ByteMap {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// What a cell of 0 stands for.
    pub low: f32,
    /// What a cell of 255 stands for.
    pub high: f32,
    /// `[height, width]`.
    pub cells: Vec<u8>,
}

impl ByteMap {
    /// Back to numbers, each at most `(high − low) / 510` off.
    #[must_use]
    pub fn to_grid(&self) -> Grid {
        let step = (self.high - self.low) / 255.0;
        let values = self.cells.iter().map(|cell| self.low + step * f32::from(*cell)).collect();
        Grid { height: self.height, width: self.width, values }
    }
}

/// For every target: the two sources next to its centre, and how far it lies from the first to the second.
fn steps(source: usize, target: usize) -> Vec<(usize, usize, f32)> {
    let scale = source as f32 / target as f32;
    let last = source.saturating_sub(1);
    (0..target)
        .map(|i| {
            let at = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
            let first = (at as usize).min(last);
            (first, (first + 1).min(last), at - first as f32)
        })
        .map(|(first, second, along)| (first, second, along.min(1.0)))
        .collect()
}

/// For every field: the sources that it covers, and the share of each in its mean.
fn shares(source: usize, target: usize) -> Vec<Vec<(usize, f32)>> {
    let length = source as f64 / target as f64;
    (0..target)
        .map(|i| {
            let (from, to) = (i as f64 * length, (i + 1) as f64 * length);
            (from as usize..source.min(to.ceil() as usize))
                .map(|j| {
                    let covered = to.min(j as f64 + 1.0) - from.max(j as f64);
                    (j, (covered.max(0.0) / length) as f32)
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Grid;
    use proptest::prelude::*;

    fn grid(height: usize, width: usize, values: &[f32]) -> Grid {
        Grid { height, width, values: values.to_vec() }
    }

    #[test]
    fn enlarges_as_pytorch_does() {
        // torch 2.15: F.interpolate(torch.tensor([[[[0.,1.],[2.,4.]]]]), size=(4,4), mode="bilinear").
        let large = grid(2, 2, &[0.0, 1.0, 2.0, 4.0]).resized(4, 4);
        let wanted = [
            0.0, 0.25, 0.75, 1.0, 0.5, 0.8125, 1.4375, 1.75, 1.5, 1.9375, 2.8125, 3.25, 2.0, 2.5, 3.5,
            4.0,
        ];
        assert_eq!(large.values, wanted);
    }

    #[test]
    fn a_constant_map_is_no_map() {
        assert_eq!(grid(2, 2, &[3.0; 4]).scaled(), None);
        assert_eq!(grid(1, 2, &[0.1, f32::NAN]).scaled(), None);
        assert_eq!(grid(1, 2, &[2.0, 4.0]).scaled().unwrap().values, [0.0, 1.0]);
    }

    #[test]
    fn pools_by_area() {
        let pooled = grid(1, 3, &[3.0, 6.0, 9.0]).pooled(1, 2);
        assert!((pooled.values[0] - 4.0).abs() < 1e-6 && (pooled.values[1] - 8.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn bytes_come_back_within_half_a_step(values in proptest::collection::vec(-9.0_f32..9.0, 12)) {
            let map = grid(3, 4, &values);
            let stored = map.to_bytes().unwrap();
            let half = (stored.high - stored.low) / 510.0 + 1e-5;
            for (a, b) in stored.to_grid().values.iter().zip(&map.values) {
                prop_assert!((a - b).abs() <= half);
            }
        }

        #[test]
        fn pooling_keeps_the_mean(values in proptest::collection::vec(0.0_f32..1.0, 7 * 5)) {
            let map = grid(7, 5, &values);
            let pooled = map.pooled(3, 2);
            let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
            prop_assert!((mean(&pooled.values) - mean(&map.values)).abs() < 1e-5);
        }
    }
}
