//! Whether a map says the truth: the network is asked again, with what the map shows and without it.
//!
//! *Drop*: how much of the class's confidence is lost when only what the map shows is left (0 is best);
//! *rise*: whether the confidence grew (Chattopadhyay et al. 2018, arXiv:1710.11063). *Deletion* and
//! *insertion* take fields of the picture away, or bring them in, in the map's order, and give the area
//! under the confidence; a good map has a small deletion area and a large insertion area (Petsiuk et al.
//! 2018, arXiv:1806.07421). Both are meaningless alone, so the same areas are given for random orders.
//!
//! Confidence is the sigmoid of the logit. Fields are the cells of a square grid rather than single pixels,
//! as taking single pixels away makes a texture of its own.

use rand::seq::SliceRandom as _;
use volary_core::pixels::PixelShape;
use volary_core::seed::Rng;

use super::cam::{Baseline, blank};
use super::grid::Grid;
use super::{AttentionError, Network, ask, check_picture, sigmoid};

/// How faithfulness is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaithfulnessSettings {
    /// Fields on a side.
    pub side: usize,
    /// Points of a curve, the two ends not counted.
    pub n_steps: usize,
    /// Random orders that chance is judged by.
    pub n_orders: usize,
    /// What is put where a field is taken away.
    pub baseline: Baseline,
}

impl Default for FaithfulnessSettings {
    fn default() -> Self {
        Self { side: 12, n_steps: 11, n_orders: 4, baseline: Baseline::Black }
    }
}

/// Mean confidence while fields go, and while they come, from none to all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curves {
    /// Area under the confidence while fields are taken away.
    pub deletion: f64,
    /// Area under the confidence while fields are brought in.
    pub insertion: f64,
}

/// How well a map of one class says what the network reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faithfulness {
    /// Confidence on the whole picture.
    pub confidence: f64,
    /// Share of it that is lost when only what the map shows is left, 0 to 1.
    pub drop: f64,
    /// Did the confidence grow?
    pub rose: bool,
    /// Areas in the map's order.
    pub map_order: Curves,
    /// Areas in random orders, their mean.
    pub random_order: Curves,
}

/// Asks the network about the map of a class. `None` without a map.
///
/// # Errors
/// [`AttentionError`] for a picture or map of the wrong size, a class that the network doesn't have, or a
/// network that fails.
pub fn faithfulness(
    network: &dyn Network,
    picture: &[f32],
    class: usize,
    map: Option<&Grid>,
    settings: FaithfulnessSettings,
    rng: &mut Rng,
) -> Result<Option<Faithfulness>, AttentionError> {
    check_picture(network, picture)?;
    let shape = network.shape();
    let Some(map) = map else { return Ok(None) };
    if (map.height, map.width) != (shape.height, shape.width) {
        return Err(AttentionError::PictureSize {
            found: map.values.len(),
            wanted: shape.height * shape.width,
        });
    }
    if class >= network.n_classes() {
        return Err(AttentionError::Network(format!(
            "there is no class {class} among {}; count from 0",
            network.n_classes()
        )));
    }
    let plane = map.values.len();
    let shown: Vec<f32> = picture.iter().enumerate().map(|(i, x)| x * map.values[i % plane]).collect();
    let both = confidences(network, &[picture, &shown[..]].concat(), 2, class)?;
    let (whole, shown) = (both[0], both[1]);
    let blank = blank(picture, shape, settings.baseline);
    let fields = fields(shape, settings.side);
    let n_fields = fields.iter().max().map_or(0, |last| last + 1);
    let map_order =
        curves(network, picture, &blank, &fields, &order(map, &fields, n_fields), settings, class)?;
    let mut random_order = Curves { deletion: 0.0, insertion: 0.0 };
    let n_orders = settings.n_orders.max(1);
    for _ in 0..n_orders {
        let mut order: Vec<usize> = (0..n_fields).collect();
        order.shuffle(rng);
        let found = curves(network, picture, &blank, &fields, &order, settings, class)?;
        random_order.deletion += found.deletion / n_orders as f64;
        random_order.insertion += found.insertion / n_orders as f64;
    }
    Ok(Some(Faithfulness {
        confidence: whole,
        drop: if whole > 0.0 { ((whole - shown) / whole).max(0.0) } else { 0.0 },
        rose: shown > whole,
        map_order,
        random_order,
    }))
}

fn confidences(
    network: &dyn Network,
    pictures: &[f32],
    n: usize,
    class: usize,
) -> Result<Vec<f64>, AttentionError> {
    let logits = ask(network, pictures, n)?;
    let classes = network.n_classes();
    Ok((0..n).map(|i| f64::from(sigmoid(logits[i * classes + class]))).collect())
}

/// The field of every pixel.
fn fields(shape: PixelShape, side: usize) -> Vec<usize> {
    let (rows, columns) = (side.clamp(1, shape.height.max(1)), side.clamp(1, shape.width.max(1)));
    (0..shape.height * shape.width)
        .map(|i| {
            let (y, x) = (i / shape.width, i % shape.width);
            y * rows / shape.height * columns + x * columns / shape.width
        })
        .collect()
}

/// The fields from the one that the map shows most.
fn order(map: &Grid, fields: &[usize], n_fields: usize) -> Vec<usize> {
    let (mut sums, mut counts) = (vec![0.0_f64; n_fields], vec![0.0_f64; n_fields]);
    for (field, value) in fields.iter().zip(&map.values) {
        sums[*field] += f64::from(*value);
        counts[*field] += 1.0;
    }
    let means: Vec<f64> = sums.iter().zip(&counts).map(|(s, n)| s / n.max(1.0)).collect();
    let mut order: Vec<usize> = (0..n_fields).collect();
    order.sort_by(|a, b| means[*b].total_cmp(&means[*a]).then(a.cmp(b)));
    order
}

fn curves(
    network: &dyn Network,
    picture: &[f32],
    blank: &[f32],
    fields: &[usize],
    order: &[usize],
    settings: FaithfulnessSettings,
    class: usize,
) -> Result<Curves, AttentionError> {
    let mut rank = vec![0; order.len()];
    for (place, field) in order.iter().enumerate() {
        rank[*field] = place;
    }
    let points = settings.n_steps + 2;
    let curve = |from: &[f32], to: &[f32]| -> Result<f64, AttentionError> {
        let mut pictures = Vec::with_capacity(points * picture.len());
        for point in 0..points {
            let changed = point * order.len() / (points - 1);
            pictures.extend(
                (0..picture.len())
                    .map(|i| if rank[fields[i % fields.len()]] < changed { to[i] } else { from[i] }),
            );
        }
        let heights = confidences(network, &pictures, points, class)?;
        let steps = heights.windows(2).map(|w| f64::midpoint(w[0], w[1])).sum::<f64>();
        Ok(steps / (points - 1) as f64)
    };
    Ok(Curves { deletion: curve(picture, blank)?, insertion: curve(blank, picture)? })
}

#[cfg(test)]
mod tests {
    use volary_core::seed::stream;

    use super::{FaithfulnessSettings, faithfulness};
    use crate::attention::toy::Toy;
    use crate::attention::{Grid, Recipe, score_cam};

    #[test]
    fn a_true_map_beats_a_random_order_and_a_false_one_doesnt() {
        let (toy, picture) = (Toy::new(), Toy::picture());
        let settings = FaithfulnessSettings::default();
        for (class, attention) in
            score_cam(&toy, &picture, "grid", Recipe::default()).unwrap().iter().enumerate()
        {
            let map = attention.map(24, 24).unwrap();
            let mut rng = stream(5, "faithfulness");
            let found =
                faithfulness(&toy, &picture, class, Some(&map), settings, &mut rng).unwrap().unwrap();
            assert!(found.map_order.deletion < found.random_order.deletion - 0.1, "{found:?}");
            assert!(found.map_order.insertion > found.random_order.insertion + 0.1, "{found:?}");
            let upside_down =
                Grid { values: map.values.iter().map(|v| 1.0 - v).collect(), ..map.clone() };
            let wrong = faithfulness(&toy, &picture, class, Some(&upside_down), settings, &mut rng)
                .unwrap()
                .unwrap();
            assert!(wrong.map_order.deletion > wrong.random_order.deletion + 0.1, "{wrong:?}");
            assert!(wrong.drop > found.drop);
        }
    }

    #[test]
    fn on_paper() {
        // Everything shown: nothing is lost, and the curves run between the confidence of the picture and
        // that of nothing at all.
        let (toy, picture) = (Toy::new(), Toy::picture());
        let all = Grid { height: 24, width: 24, values: vec![1.0; 576] };
        let mut rng = stream(5, "faithfulness");
        let settings = FaithfulnessSettings { n_steps: 0, ..FaithfulnessSettings::default() };
        let found = faithfulness(&toy, &picture, 0, Some(&all), settings, &mut rng).unwrap().unwrap();
        assert_eq!((found.drop, found.rose), (0.0, false));
        let nothing = 1.0 / (1.0 + 4.0_f64.exp());
        let wanted = f64::midpoint(found.confidence, nothing);
        assert!((found.map_order.deletion - wanted).abs() < 1e-6);
        assert!((found.map_order.insertion - wanted).abs() < 1e-6);
    }

    #[test]
    fn without_a_map_there_is_nothing_to_say() {
        let mut rng = stream(5, "faithfulness");
        let (toy, picture) = (Toy::new(), Toy::picture());
        let settings = FaithfulnessSettings::default();
        assert_eq!(faithfulness(&toy, &picture, 0, None, settings, &mut rng), Ok(None));
        let small = Grid { height: 1, width: 1, values: vec![1.0] };
        assert!(faithfulness(&toy, &picture, 0, Some(&small), settings, &mut rng).is_err());
        let map = Grid { height: 24, width: 24, values: vec![1.0; 576] };
        assert!(faithfulness(&toy, &picture, 9, Some(&map), settings, &mut rng).is_err());
    }
}
