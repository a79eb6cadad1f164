use burn::module::Module as _;

use super::*;

fn gotorb() -> Shape {
    Shape { channels: 3, height: 55, width: 55, n_classes: 1, filters: [16, 32], dense: 256 }
}

#[test]
fn the_published_network_has_the_published_numbers_of_weights() {
    gotorb().check().unwrap();
    // On paper: 3·9·16 + 16, 16·9·16 + 16, 16·9·32 + 32, 32·9·32 + 32; 32·5·5·256 + 256; 256 + 1.
    let expected = 448 + 2_320 + 4_640 + 9_248 + 205_056 + 257;
    let network = Network::new(&gotorb(), &mut volary_core::seed::stream(1, ""), &Device::flex());
    assert_eq!(network.num_params(), expected);
    assert_eq!(gotorb().grid(), [5, 5]);
}

#[test]
fn any_size_from_twenty_pixels_on_goes_through() {
    let device = Device::flex();
    for (channels, height, width) in [(1, 20, 20), (4, 21, 63), (2, 96, 33)] {
        let shape = Shape { channels, height, width, n_classes: 3, filters: [2, 3], dense: 7 };
        shape.check().unwrap();
        let network = Network::new(&shape, &mut volary_core::seed::stream(1, ""), &device);
        let pictures = Tensor::<4>::full([2, channels, height, width], 0.5, &device);
        let out = network.forward(pictures, None);
        assert_eq!((out.features.dims(), out.logits.dims()), ([2, 7], [2, 3]));
    }
    for (wrong, words) in [
        (Shape { height: 19, ..gotorb() }, "the setting height is 19; give 20 pixels or more"),
        (Shape { dense: 0, ..gotorb() }, "the setting dense is 0; give 1 or more"),
        (Shape { filters: [16, 0], ..gotorb() }, "the setting filters is 0; give 1 or more"),
        (Shape { dense: 1 << 16, width: 16_000, ..gotorb() }, "less, or smaller pictures"),
    ] {
        let message = wrong.check().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}

/// Nothing is lost on average, and whole maps go.
#[test]
fn what_is_left_out_is_made_up_for() {
    let shape = Shape { filters: [50, 40], dense: 300, ..gotorb() };
    let dropout = Dropout { maps: 0.25, dense: 0.5 };
    let mut rng = volary_core::seed::stream(3, "test");
    let masks = Masks::draw(200, &shape, dropout, &mut rng, &Device::flex());
    let all = |values: Vec<f32>, share: f64| {
        let n = values.len() as f64;
        let gone = values.iter().filter(|v| **v == 0.0).count() as f64 / n;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        // Five standard deviations.
        let sd = (share * (1.0 - share) / n).sqrt();
        assert!((gone - share).abs() < 5.0 * sd, "{gone}");
        assert!((mean - 1.0).abs() < 5.0 * sd / (1.0 - share), "{mean}");
    };
    assert_eq!(masks.maps[0].dims(), [200, 50, 1, 1]);
    all(crate::weights::values(masks.maps[0].clone()).values, 0.25);
    all(crate::weights::values(masks.dense).values, 0.5);
}
