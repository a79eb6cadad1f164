//! Score-CAM on a trained confusion model: it looks at the disc for "disc".

use volary_core::{PixelShape, Pixels as _, PixelsInMemory};
use volary_vision::attention::{AttentionError, Network as _, Recipe, score_cam};
use volary_vision::confusion::DEFAULT_LAYER;

use crate::simulated::{tiny, to_the_end, world};

fn picture(pixels: &PixelsInMemory, row: usize) -> Vec<f32> {
    let PixelShape { channels, height, width } = pixels.shape();
    let mut picture = vec![0.0; channels * height * width];
    pixels.read(row, &mut picture).unwrap();
    picture
}

#[test]
fn every_layer_of_a_model_can_be_asked_and_answers_the_same_twice() {
    let world = world(40, 12, false, 7);
    let folder = tempfile::tempdir().unwrap();
    let model = to_the_end(&world, &tiny(2), folder.path()).model;
    let picture = picture(&world.pixels, 0);
    let layers = model.layers();
    assert_eq!(layers, ["block1", "block2", "block3", "block4", "bottleneck1", "bottleneck2"]);
    assert!(layers.iter().any(|layer| layer == DEFAULT_LAYER));
    let sizes = [(2, 16), (4, 8), (8, 4), (8, 2), (8, 2), (4, 2)];
    for (layer, (n, side)) in layers.iter().zip(sizes) {
        let maps = model.maps(&picture, layer).unwrap();
        assert_eq!((maps.n, maps.height, maps.width), (n, side, side), "{layer}");
        let found = score_cam(&model, &picture, layer, Recipe::default()).unwrap();
        assert_eq!(found.len(), 2);
        for attention in &found {
            assert_eq!(attention.weights.len(), n);
            if let Some(map) = attention.map(32, 32) {
                assert_eq!(map.range(), Some((0.0, 1.0)));
            }
        }
        assert_eq!(found, score_cam(&model, &picture, layer, Recipe::default()).unwrap());
    }
    assert!(matches!(model.maps(&picture, "block9"), Err(AttentionError::UnknownLayer { .. })));
}

#[test]
fn the_logits_of_a_batch_are_those_of_its_pictures() {
    let world = world(20, 12, false, 8);
    let folder = tempfile::tempdir().unwrap();
    let model = to_the_end(&world, &tiny(1), folder.path()).model;
    let pictures: Vec<f32> = (0..5).flat_map(|row| picture(&world.pixels, row)).collect();
    let together = model.logits(&pictures).unwrap();
    for (row, together) in together.chunks_exact(2).enumerate() {
        let alone = model.logits(&picture(&world.pixels, row)).unwrap();
        for (a, b) in alone.iter().zip(together) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
