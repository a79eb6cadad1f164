//! Order along a Hilbert curve: what is near in the plane is mostly near in the order, so that a part of the
//! plot needs few sheets of thumbnails.

/// Bits of a coordinate; more than a screen has.
const BITS: u32 = 12;

/// Rows in the order of the curve through their places; rows without a place last, in their own order.
pub(crate) fn order(x: &[f64], y: &[f64]) -> Vec<u32> {
    let (sx, sy) = (Grid::of(x), Grid::of(y));
    let mut keyed: Vec<(u64, u32)> = x
        .iter()
        .zip(y)
        .zip(0_u32..)
        .map(|((x, y), row)| {
            let place = sx.cell(*x).zip(sy.cell(*y));
            (place.map_or(u64::MAX, |(x, y)| index(x, y)), row)
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, row)| row).collect()
}

struct Grid {
    low: f64,
    scale: f64,
}

impl Grid {
    fn of(values: &[f64]) -> Self {
        let finite = values.iter().copied().filter(|v| v.is_finite());
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let span = high - low;
        Self { low, scale: if span > 0.0 { f64::from(1_u32 << BITS) / span } else { 0.0 } }
    }

    fn cell(&self, value: f64) -> Option<u32> {
        let cell = ((value - self.low) * self.scale) as u32;
        value.is_finite().then(|| cell.min((1 << BITS) - 1))
    }
}

/// Place along the curve of order [`BITS`] (Hilbert 1891, by the usual turning of quadrants).
fn index(mut x: u32, mut y: u32) -> u64 {
    let mut at = 0;
    for bit in (0..BITS).rev() {
        let side = 1 << bit;
        let (rx, ry) = (u32::from(x & side > 0), u32::from(y & side > 0));
        at += u64::from(side) * u64::from(side) * u64::from((3 * rx) ^ ry);
        if ry == 0 {
            if rx == 1 {
                (x, y) = (side.wrapping_sub(1).wrapping_sub(x), side.wrapping_sub(1).wrapping_sub(y));
            }
            std::mem::swap(&mut x, &mut y);
        }
        (x, y) = (x & (side - 1), y & (side - 1));
    }
    at
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_curve_goes_through_every_cell_one_step_at_a_time() {
        let corner = 64;
        let mut at = BTreeMap::new();
        for x in 0..corner {
            for y in 0..corner {
                assert!(at.insert(index(x, y), (x, y)).is_none(), "no place twice");
            }
        }
        let steps: Vec<(&u64, &(u32, u32))> = at.iter().collect();
        assert_eq!(*steps[steps.len() - 1].0, u64::from(corner * corner - 1));
        for pair in steps.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0].1, pair[1].1);
            assert_eq!(x0.abs_diff(*x1) + y0.abs_diff(*y1), 1);
        }
    }

    #[test]
    fn rows_without_a_place_come_last() {
        let x = [0.0, f64::NAN, 1.0, 0.0, 1.0];
        let y = [0.0, 0.0, 1.0, 1.0, f64::INFINITY];
        let order = order(&x, &y);
        assert_eq!(order[3..], [1, 4]);
        assert_eq!(order[..3], [0, 3, 2]);
        assert_eq!(super::order(&[2.0, 2.0], &[5.0, 5.0]), [0, 1], "all in one place");
    }
}
