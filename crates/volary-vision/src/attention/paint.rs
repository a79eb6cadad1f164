//! A picture beside itself under its maps, as bytes for whoever writes image files.

use volary_core::PixelShape;

use super::grid::Grid;

/// Red, green and blue bytes, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Painted {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub rgb: Vec<u8>,
}

/// Share of the colour where a map is 1. Where it is 0 the picture shows as it is.
const OPACITY: f32 = 0.7;
/// Pixels between two panels.
const GAP: usize = 4;

/// The picture, and after it one panel for each map: the picture in grey, the map in the colours of viridis, the
/// more opaque the higher. A panel without a map stays grey. Every pixel is drawn `zoom` times across and down.
///
/// Maps have the size of the picture; one of another size counts as none.
#[must_use]
pub fn paint(picture: &[f32], shape: PixelShape, maps: &[Option<Grid>], zoom: usize) -> Painted {
    let PixelShape { height, width, .. } = shape;
    let zoom = zoom.max(1);
    let panels = maps.len() + 1;
    let out_width = panels * width * zoom + maps.len() * GAP;
    let mut rgb = vec![255; out_width * height * zoom * 3];
    for panel in 0..panels {
        let map = panel
            .checked_sub(1)
            .map(|i| maps[i].as_ref().filter(|map| (map.height, map.width) == (height, width)));
        let left = panel * (width * zoom + GAP);
        for y in 0..height * zoom {
            for x in 0..width * zoom {
                let at = y / zoom * width + x / zoom;
                let colour = match map {
                    None => own_colour(picture, shape, at),
                    Some(map) => under(picture, shape, at, map.map_or(0.0, |map| map.values[at])),
                };
                rgb[(y * out_width + left + x) * 3..][..3].copy_from_slice(&colour.map(byte));
            }
        }
    }
    Painted { width: out_width, height: height * zoom, rgb }
}

fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Three channels are red, green and blue; of any other number the mean is shown.
fn own_colour(picture: &[f32], shape: PixelShape, at: usize) -> [f32; 3] {
    let plane = shape.height * shape.width;
    let channel = |c: usize| picture.get(c * plane + at).copied().unwrap_or(0.0);
    if shape.channels == 3 {
        return [channel(0), channel(1), channel(2)];
    }
    let mean = (0..shape.channels).map(channel).sum::<f32>() / shape.channels.max(1) as f32;
    [mean; 3]
}

fn under(picture: &[f32], shape: PixelShape, at: usize, value: f32) -> [f32; 3] {
    let grey = own_colour(picture, shape, at).iter().sum::<f32>() / 3.0;
    let opacity = OPACITY * value.clamp(0.0, 1.0);
    viridis(value).map(|colour| (1.0 - opacity) * grey + opacity * colour)
}

/// Matplotlib's viridis (Smith & van der Walt, CC0), by the polynomial of sixth degree that Zucker fitted to
/// it (CC0; shadertoy WlfXRN): even steps look even, to the colour-blind as well.
fn viridis(value: f32) -> [f32; 3] {
    const COEFFICIENTS: [[f32; 3]; 7] = [
        [0.277_727_3, 0.005_407_344_4, 0.334_099_8],
        [0.105_093_04, 1.404_613_5, 1.384_590_1],
        [-0.330_861_84, 0.214_847_56, 0.095_095_165],
        [-4.634_230_6, -5.799_101, -19.332_441],
        [6.228_27, 14.179_933, 56.690_55],
        [4.776_385, -13.745_145, -65.353_03],
        [-5.435_456, 4.645_852_6, 26.312_435],
    ];
    let t = value.clamp(0.0, 1.0);
    std::array::from_fn(|channel| {
        COEFFICIENTS.iter().rev().fold(0.0, |sum, of| sum * t + of[channel]).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::{paint, viridis};
    use crate::attention::Grid;
    use volary_core::PixelShape;

    #[test]
    fn a_panel_for_the_picture_and_one_for_each_map() {
        let shape = PixelShape { channels: 3, height: 1, width: 2 };
        let picture = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let map = Grid { height: 1, width: 2, values: vec![0.0, 1.0] };
        let small = Grid { height: 1, width: 1, values: vec![1.0] };
        let painted = paint(&picture, shape, &[Some(map), None, Some(small)], 1);
        assert_eq!((painted.width, painted.height), (4 * 2 + 3 * 4, 1));
        let pixel = |x: usize| [painted.rgb[x * 3], painted.rgb[x * 3 + 1], painted.rgb[x * 3 + 2]];
        assert_eq!([pixel(0), pixel(1)], [[255, 0, 0], [0, 0, 0]]);
        assert_eq!(pixel(3), [255, 255, 255]);
        // Nothing to see on the left: a third of red is grey. On the right the end of viridis, at seven tenths.
        assert_eq!(pixel(6), [85, 85, 85]);
        let yellow = viridis(1.0).map(|c| (c * 0.7 * 255.0).round() as u8);
        assert_eq!(pixel(7), yellow);
        assert_eq!([pixel(12), pixel(18)], [[85, 85, 85]; 2]);
    }

    #[test]
    fn viridis_is_that_of_matplotlib() {
        // matplotlib 3.10: viridis(0), viridis(0.5), viridis(1.0).
        let known =
            [(0.0, [0.267, 0.005, 0.329]), (0.5, [0.128, 0.567, 0.551]), (1.0, [0.993, 0.906, 0.144])];
        for (at, colour) in known {
            for (found, wanted) in viridis(at).iter().zip(colour) {
                assert!((found - wanted).abs() < 0.02, "{at}: {found} {wanted}");
            }
        }
    }

    #[test]
    fn every_pixel_is_drawn_as_often_as_asked() {
        let shape = PixelShape { channels: 1, height: 1, width: 2 };
        let painted = paint(&[0.0, 1.0], shape, &[], 2);
        assert_eq!((painted.width, painted.height), (4, 2));
        assert_eq!(painted.rgb, [[0; 6], [255; 6], [0; 6], [255; 6]].concat());
    }
}
