use super::*;
use crate::confusion::train::n_weights;

fn published() -> Shape {
    Shape { channels: 3, height: 96, width: 96, n_classes: 3, filters: 128, hidden: vec![64, 8] }
}

#[test]
fn the_published_network_has_the_published_numbers_of_weights() {
    // Counted by the authors' own summary (ramanakumars/cvae), in all 984,618.
    assert_eq!(n_weights(&published()).unwrap(), [603_112, 380_639, 867]);
    assert_eq!(published().n_latents(), 288);
}

#[test]
fn any_multiple_of_sixteen_goes_in_and_comes_out() {
    let device = Device::flex();
    let shapes = [(1, 16, 16, 1), (3, 32, 48, 2), (5, 16, 64, 4)];
    for (channels, height, width, n_classes) in shapes {
        let shape = Shape { channels, height, width, n_classes, filters: 8, hidden: vec![5] };
        shape.check().unwrap();
        let network = Network::new(&shape, &mut volary_core::seed::stream(1, "test"), &device);
        let pictures = Tensor::<4>::full([2, channels, height, width], 0.5, &device);
        let (mean, log_variance) = network.encoder.forward(pictures);
        assert_eq!(mean.dims(), [2, shape.n_latents()]);
        assert_eq!(log_variance.dims(), mean.dims());
        assert_eq!(network.classifier.forward(mean.clone()).dims(), [2, n_classes]);
        let rebuilt = network.decoder.forward(mean);
        assert_eq!(rebuilt.dims(), [2, channels, height, width]);
        let values = crate::weights::values(rebuilt).values;
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
    }
}

#[test]
fn shapes_that_no_network_has_are_refused_by_name() {
    let wrong = |change: &dyn Fn(&mut Shape), expected: &str| {
        let mut shape = published();
        change(&mut shape);
        assert_eq!(shape.check().unwrap_err().to_string(), expected);
    };
    wrong(&|s| s.height = 100, "the setting height is 100; give a multiple of 16 pixels");
    wrong(&|s| s.width = 0, "the setting width is 0; give a multiple of 16 pixels");
    wrong(&|s| s.filters = 6, "the setting filters is 6; give a multiple of 4");
    wrong(&|s| s.hidden = vec![], "the setting hidden is []; give one or more numbers above 0");
    wrong(&|s| s.n_classes = 0, "the setting number of classes is 0; give 1 or more");
    wrong(&|s| s.channels = 0, "the setting channels is 0; give 1 or more");
    let mut huge = published();
    huge.height = usize::MAX / 16 * 16;
    assert!(huge.check().is_err());
}

#[test]
fn the_same_seed_starts_the_same_network() {
    let start = |seed| {
        let mut rng = volary_core::seed::stream(seed, "test");
        let shape = Shape { filters: 8, hidden: vec![2], height: 16, width: 16, ..published() };
        crate::weights::take(&Network::new(&shape, &mut rng, &Device::flex()), "")
    };
    assert_eq!(start(1), start(1));
    assert_ne!(start(1), start(2));
    // Within the bound of PyTorch's start, and filling it.
    let first = &start(1)["encoder.blocks.0.weight"];
    let largest = first.values.iter().fold(0.0, |a: f32, v| a.max(v.abs()));
    let bound = 1.0 / (3.0 * 16.0_f32).sqrt();
    assert!(largest <= bound && largest > 0.9 * bound, "{largest} of {bound}");
}
