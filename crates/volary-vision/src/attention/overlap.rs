//! Whether two maps lie on each other, against chance.
//!
//! Two maps of one picture always overlap a little, large ones more than small ones. So every measure is
//! given with the mean and the standard deviation that it has when the second map is rolled by random
//! shifts (rows and columns, over the edge and in again), and with `z = (value − mean) / deviation`. Rolling
//! keeps everything about a map but its place. Where a map is missing a measure is undefined and not zero.

use rand::RngExt as _;
use volary_core::seed::Rng;

use super::grid::Grid;
use super::transport::earth_movers_distance;

/// How overlap is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverlapSettings {
    /// Share of the pixels that count as the top of a map.
    pub top_share: f64,
    /// Random shifts that chance is judged by.
    pub n_shifts: usize,
    /// Side of the grid on which earth is moved, in cells.
    pub transport_side: usize,
}

impl Default for OverlapSettings {
    fn default() -> Self {
        Self { top_share: 0.2, n_shifts: 99, transport_side: 6 }
    }
}

/// A measure, and the same measure by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Against {
    /// What was found; `None` where the measure isn't defined.
    pub value: Option<f64>,
    /// Its mean over random shifts.
    pub chance_mean: Option<f64>,
    /// Its standard deviation over random shifts.
    pub chance_deviation: Option<f64>,
}

impl Against {
    const MISSING: Self = Self { value: None, chance_mean: None, chance_deviation: None };

    /// How many deviations the value lies above chance; `None` where nothing varies by chance.
    #[must_use]
    pub fn z(&self) -> Option<f64> {
        let (value, mean, deviation) = (self.value?, self.chance_mean?, self.chance_deviation?);
        (deviation > 1e-12).then(|| (value - mean) / deviation)
    }
}

/// How two maps `p` and `q` lie on each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// `Σ min / Σ max`: 1 for equal maps.
    pub soft_iou: Against,
    /// Cosine of the angle between them.
    pub cosine: Against,
    /// Pearson's correlation.
    pub pearson: Against,
    /// Intersection over union of their top pixels.
    pub top_iou: Against,
    /// Share of `q` that lies inside `p`'s top pixels.
    pub energy_inside: Against,
    /// Distance of their centres of mass in pixels: small where they overlap.
    pub centroid_distance_px: Against,
    /// Earth mover's distance on a small grid in its cells: small where they overlap.
    pub transport_cells: Against,
}

impl Overlap {
    /// The names of the measures, as they head a table, in the order of [`Overlap::values`].
    pub const NAMES: [&'static str; 7] = [
        "soft_iou",
        "cosine",
        "pearson",
        "top_iou",
        "energy_inside",
        "centroid_distance_px",
        "transport_cells",
    ];

    /// The measures in the order of [`Overlap::NAMES`].
    #[must_use]
    pub fn values(&self) -> [Against; 7] {
        [
            self.soft_iou,
            self.cosine,
            self.pearson,
            self.top_iou,
            self.energy_inside,
            self.centroid_distance_px,
            self.transport_cells,
        ]
    }
}

/// Measures the overlap of two maps of one picture.
///
/// Maps of different sizes, or without positive content, count as missing.
#[must_use]
pub fn overlap(p: Option<&Grid>, q: Option<&Grid>, settings: OverlapSettings, rng: &mut Rng) -> Overlap {
    // The shifts are drawn even when a map is missing: what comes after doesn't depend on it.
    let shifts: Vec<(f64, f64)> =
        (0..settings.n_shifts).map(|_| (rng.random::<f64>(), rng.random::<f64>())).collect();
    let missing = [Against::MISSING; 7];
    let found = match (p, q) {
        (Some(p), Some(q)) if comparable(p, q) => {
            let first = Prepared::new(p, settings);
            measures(&first, q, settings).map_or(missing, |values| {
                let by_chance: Vec<[Option<f64>; 7]> = shifts
                    .iter()
                    .filter_map(|shift| measures(&first, &rolled(q, *shift), settings))
                    .collect();
                std::array::from_fn(|i| against(values[i], by_chance.iter().filter_map(|v| v[i])))
            })
        }
        _ => missing,
    };
    let [soft_iou, cosine, pearson, top_iou, energy_inside, centroid_distance_px, transport_cells] =
        found;
    Overlap { soft_iou, cosine, pearson, top_iou, energy_inside, centroid_distance_px, transport_cells }
}

fn comparable(p: &Grid, q: &Grid) -> bool {
    let sound = |map: &Grid| {
        map.values.iter().all(|v| v.is_finite() && *v >= 0.0) && map.values.iter().any(|v| *v > 0.0)
    };
    (p.height, p.width) == (q.height, q.width) && sound(p) && sound(q)
}

fn against(value: Option<f64>, by_chance: impl Iterator<Item = f64>) -> Against {
    let by_chance: Vec<f64> = by_chance.collect();
    if value.is_none() || by_chance.len() < 2 {
        return Against { value, ..Against::MISSING };
    }
    let n = by_chance.len() as f64;
    let mean = by_chance.iter().sum::<f64>() / n;
    let variance = by_chance.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Against { value, chance_mean: Some(mean), chance_deviation: Some(variance.sqrt()) }
}

/// A map rolled by a share of its height and of its width.
fn rolled(map: &Grid, (down, along): (f64, f64)) -> Grid {
    let (down, along) = ((down * map.height as f64) as usize, (along * map.width as f64) as usize);
    let values = (0..map.height)
        .flat_map(|y| {
            let row = (y + map.height - down) % map.height;
            (0..map.width).map(move |x| row * map.width + (x + map.width - along) % map.width)
        })
        .map(|from| map.values[from])
        .collect();
    Grid { values, ..*map }
}

/// What is the same of the first map for every shift of the second.
struct Prepared<'a> {
    map: &'a Grid,
    top: Vec<bool>,
    centre: (f64, f64),
    pooled: Grid,
}

impl<'a> Prepared<'a> {
    fn new(map: &'a Grid, settings: OverlapSettings) -> Self {
        Self {
            map,
            top: top(map, settings.top_share),
            centre: centre(map),
            pooled: pooled(map, settings),
        }
    }
}

fn measures(p: &Prepared<'_>, q: &Grid, settings: OverlapSettings) -> Option<[Option<f64>; 7]> {
    let pairs = || p.map.values.iter().zip(&q.values).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let n = p.map.values.len() as f64;
    let (mut low, mut high, mut product) = (0.0, 0.0, 0.0);
    let (mut sum_p, mut sum_q, mut square_p, mut square_q) = (0.0, 0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        low += a.min(b);
        high += a.max(b);
        product += a * b;
        sum_p += a;
        sum_q += b;
        square_p += a * a;
        square_q += b * b;
    }
    let spread = (square_p - sum_p * sum_p / n) * (square_q - sum_q * sum_q / n);
    let pearson = (spread > 1e-18).then(|| (product - sum_p * sum_q / n) / spread.sqrt());
    let of_q = top(q, settings.top_share);
    let both = p.top.iter().zip(&of_q).filter(|(a, b)| **a && **b).count() as f64;
    let either = p.top.iter().zip(&of_q).filter(|(a, b)| **a || **b).count() as f64;
    let inside: f64 =
        q.values.iter().zip(&p.top).filter(|(_, top)| **top).map(|(v, _)| f64::from(*v)).sum();
    let (here, there) = (p.centre, centre(q));
    Some([
        Some(low / high),
        Some(product / (square_p * square_q).sqrt()),
        pearson,
        (either > 0.0).then(|| both / either),
        Some(inside / sum_q),
        Some((here.0 - there.0).hypot(here.1 - there.1)),
        earth_movers_distance(&p.pooled, &pooled(q, settings)),
    ])
}

/// The brightest share of the pixels; of equally bright ones the first.
fn top(map: &Grid, share: f64) -> Vec<bool> {
    let n = map.values.len();
    let count = ((n as f64 * share).round() as usize).clamp(1, n);
    let mut order: Vec<usize> = (0..n).collect();
    let brighter = |a: &usize, b: &usize| map.values[*b].total_cmp(&map.values[*a]).then(a.cmp(b));
    if count < n {
        order.select_nth_unstable_by(count - 1, brighter);
    }
    let mut top = vec![false; n];
    for i in &order[..count] {
        top[*i] = true;
    }
    top
}

fn centre(map: &Grid) -> (f64, f64) {
    let (mut sum, mut down, mut along) = (0.0, 0.0, 0.0);
    for (i, value) in map.values.iter().enumerate() {
        let value = f64::from(*value);
        sum += value;
        down += value * (i / map.width) as f64;
        along += value * (i % map.width) as f64;
    }
    (down / sum, along / sum)
}

fn pooled(map: &Grid, settings: OverlapSettings) -> Grid {
    let side = settings.transport_side.max(1);
    map.pooled(map.height.min(side), map.width.min(side))
}

#[cfg(test)]
mod tests {
    use super::{Overlap, OverlapSettings, overlap};
    use crate::attention::Grid;
    use proptest::prelude::*;
    use volary_core::seed::stream;

    fn bump(y: f32, x: f32, width: f32) -> Grid {
        let values = (0..24 * 24)
            .map(|i| ((i / 24) as f32, (i % 24) as f32))
            .map(|(row, column)| {
                (-((row - y).powi(2) + (column - x).powi(2)) / (2.0 * width * width)).exp()
            })
            .collect();
        Grid { height: 24, width: 24, values }
    }

    fn measure(p: &Grid, q: &Grid) -> Overlap {
        overlap(Some(p), Some(q), OverlapSettings::default(), &mut stream(3, "overlap"))
    }

    #[test]
    fn a_map_lies_on_itself() {
        let map = bump(8.0, 15.0, 3.0);
        let found = measure(&map, &map);
        for (name, measure) in Overlap::NAMES.iter().zip(found.values()) {
            let distance = name.contains("distance") || name.contains("transport");
            let value = measure.value.unwrap();
            match *name {
                "energy_inside" => assert!(value > 0.8),
                _ => assert!((value - f64::from(u8::from(!distance))).abs() < 1e-6, "{name} {value}"),
            }
            let z = measure.z().unwrap();
            assert!(if distance { z < -1.5 } else { z > 1.5 }, "{name} {z}");
        }
    }

    #[test]
    fn maps_far_from_each_other_overlap_less_than_by_chance() {
        let found = measure(&bump(5.0, 5.0, 2.5), &bump(17.0, 17.0, 2.5));
        assert!(found.top_iou.value.unwrap() < 0.01);
        assert!(found.pearson.value.unwrap() < 0.0);
        assert!((found.centroid_distance_px.value.unwrap() - 12.0 * 2.0_f64.sqrt()).abs() < 0.5);
        // Cells of the small grid are four pixels.
        assert!((found.transport_cells.value.unwrap() - 3.0 * 2.0_f64.sqrt()).abs() < 0.3);
        for measure in [found.soft_iou, found.cosine, found.pearson] {
            assert!(measure.z().unwrap() < 0.5);
        }
    }

    #[test]
    fn by_hand() {
        let p = Grid { height: 1, width: 5, values: vec![1.0, 0.5, 0.0, 0.0, 0.0] };
        let q = Grid { height: 1, width: 5, values: vec![0.5, 1.0, 0.0, 0.0, 0.5] };
        let found = measure(&p, &q);
        assert!((found.soft_iou.value.unwrap() - 1.0 / 2.5).abs() < 1e-9);
        assert!((found.cosine.value.unwrap() - 1.0 / (1.25_f64 * 1.5).sqrt()).abs() < 1e-9);
        assert_eq!(found.top_iou.value, Some(0.0));
        assert_eq!(found.energy_inside.value, Some(0.25));
    }

    #[test]
    fn what_is_missing_is_undefined() {
        let map = bump(8.0, 8.0, 3.0);
        let nothing = Grid { height: 24, width: 24, values: vec![0.0; 576] };
        let smaller = Grid { height: 2, width: 2, values: vec![1.0; 4] };
        let mut rng = stream(3, "overlap");
        let settings = OverlapSettings::default();
        for other in [None, Some(&nothing), Some(&smaller)] {
            let found = overlap(Some(&map), other, settings, &mut rng);
            assert!(found.values().iter().all(|m| m.value.is_none() && m.z().is_none()));
        }
        // A map that is the same everywhere has no correlation, but it has a cosine.
        let even = Grid { height: 24, width: 24, values: vec![0.5; 576] };
        let found = overlap(Some(&map), Some(&even), settings, &mut rng);
        assert!(found.pearson.value.is_none() && found.cosine.value.is_some());
        assert_eq!(found.cosine.z(), None);
    }

    #[test]
    fn independent_maps_are_near_chance() {
        let mut z = Vec::new();
        let mut rng = stream(11, "places");
        for _ in 0..40 {
            let mut at = || rand::RngExt::random::<f32>(&mut rng) * 24.0;
            let found = measure(&bump(at(), at(), 3.0), &bump(at(), at(), 3.0));
            z.push(found.soft_iou.z().unwrap());
        }
        let mean = z.iter().sum::<f64>() / z.len() as f64;
        assert!(mean.abs() < 0.5, "{mean}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn measures_stay_in_their_range_and_most_are_symmetric(
            p in proptest::collection::vec(0.0_f32..1.0, 30), q in proptest::collection::vec(0.0_f32..1.0, 30),
        ) {
            let [p, q] = [p, q].map(|values| Grid { height: 5, width: 6, values });
            let (one, other) = (measure(&p, &q), measure(&q, &p));
            for (i, (a, b)) in one.values().iter().zip(other.values()).enumerate() {
                let value = a.value.unwrap();
                let low = if i == 2 { -1.0 } else { 0.0 };
                prop_assert!(value >= low - 1e-9 && (i >= 5 || value <= 1.0 + 1e-9));
                if i != 4 {
                    prop_assert!((value - b.value.unwrap()).abs() < 1e-6);
                }
            }
        }
    }
}
