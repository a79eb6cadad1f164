use proptest::prelude::*;
use volary_core::pixels::PixelShape;

use super::{Attention, Recipe, score_cam};
use crate::attention::toy::Toy;
use crate::attention::{AttentionError, Maps, Network};

fn maps_of(attention: &[Attention]) -> Vec<Option<Vec<f32>>> {
    attention.iter().map(|a| a.map(24, 24).map(|grid| grid.values)).collect()
}

fn recipes() -> [Recipe; 4] {
    Recipe::NAMES.map(|name| Recipe::named(name).unwrap())
}

/// A network whose every map is the same everywhere.
struct Flat(Toy);

impl Network for Flat {
    fn shape(&self) -> PixelShape {
        self.0.shape()
    }
    fn n_classes(&self) -> usize {
        self.0.n_classes()
    }
    fn layers(&self) -> Vec<String> {
        self.0.layers()
    }
    fn maps(&self, _: &[f32], _: &str) -> Result<Maps, AttentionError> {
        Ok(Maps::new(3, 2, 2, [0.1, 0.0, -7.3].iter().flat_map(|v| [*v; 4]).collect()).unwrap())
    }
    fn logits(&self, pictures: &[f32]) -> Result<Vec<f32>, AttentionError> {
        self.0.logits(pictures)
    }
}

#[test]
fn a_layer_that_sees_nothing_gives_no_map() {
    let toy = Flat(Toy::new());
    for recipe in recipes() {
        for attention in score_cam(&toy, &Toy::picture(), "grid", recipe).unwrap() {
            assert_eq!(attention.map(24, 24), None, "{recipe:?}");
            assert_eq!(attention.at_the_layer(), None);
            assert_eq!(attention.weights, [0.0; 3]);
        }
    }
}

#[test]
fn the_map_peaks_on_the_patch_that_a_class_reads() {
    for recipe in recipes() {
        for (class, attention) in
            score_cam(&Toy::new(), &Toy::picture(), "grid", recipe).unwrap().iter().enumerate()
        {
            let map = attention.map(24, 24).unwrap();
            let best =
                (0..map.values.len()).max_by(|a, b| map.values[*a].total_cmp(&map.values[*b])).unwrap();
            assert_eq!((best / 24 / 4, best % 24 / 4), Toy::PATCHES[class], "{recipe:?}, class {class}");
        }
    }
}

#[test]
fn the_order_of_the_maps_changes_nothing() {
    for recipe in recipes() {
        let one = score_cam(&Toy::new(), &Toy::picture(), "grid", recipe).unwrap();
        let other = score_cam(&Toy::reversed(), &Toy::picture(), "grid", recipe).unwrap();
        for (one, other) in maps_of(&one).iter().zip(maps_of(&other)) {
            for (a, b) in one.as_ref().unwrap().iter().zip(other.unwrap()) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_constant_on_all_logits_changes_nothing(constant in -4.0_f32..4.0) {
        let recipe = Recipe::independent();
        let one = score_cam(&Toy::new(), &Toy::picture(), "grid", recipe).unwrap();
        let other = score_cam(&Toy::shifted(constant), &Toy::picture(), "grid", recipe).unwrap();
        for (a, b) in maps_of(&one).into_iter().flatten().flatten().zip(maps_of(&other).into_iter().flatten().flatten()) {
            prop_assert!((a - b).abs() < 1e-4);
        }
    }
}

#[test]
fn one_pass_gives_every_class_what_it_gets_alone() {
    let all = score_cam(&Toy::new(), &Toy::picture(), "grid", Recipe::default()).unwrap();
    for (class, together) in all.iter().enumerate() {
        let alone =
            &score_cam(&Toy::only(class), &Toy::picture(), "grid", Recipe::default()).unwrap()[0];
        assert_eq!(together, alone);
    }
}

#[test]
fn weights_of_a_softmax_sum_to_one_and_a_tiny_case_is_as_on_paper() {
    let attention = score_cam(&Toy::new(), &Toy::picture(), "grid", Recipe::default()).unwrap();
    for a in &attention {
        assert!((a.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    assert_eq!(super::weigh(&[1.0, -2.0, 3.0], super::Weighing::PositiveShare), [0.25, 0.0, 0.75]);
    assert_eq!(super::weigh(&[-1.0], super::Weighing::PositiveShare), [0.0]);
    let softmax = super::weigh(&[0.0, 3.0_f32.ln()], super::Weighing::Softmax);
    assert!((softmax[0] - 0.25).abs() < 1e-6 && (softmax[1] - 0.75).abs() < 1e-6);
}

#[test]
fn what_cannot_be_asked_is_said() {
    let found = score_cam(&Toy::new(), &Toy::picture(), "fifth", Recipe::default()).unwrap_err();
    assert_eq!(found.to_string(), "the network has no layer \"fifth\"; choose one of grid");
    let found = score_cam(&Toy::new(), &[0.0; 5], "grid", Recipe::default()).unwrap_err();
    assert_eq!(found, AttentionError::PictureSize { found: 5, wanted: 576 });
    assert_eq!(Recipe::named("grad-cam"), None);
}
