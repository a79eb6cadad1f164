use proptest::prelude::*;

use super::*;

fn crops() -> impl Strategy<Value = Crop> {
    prop_oneof![
        Just(Crop::Whole),
        (1..5000_usize, 1..5000_usize)
            .prop_map(|(width_px, height_px)| Crop::Centre { width_px, height_px }),
        (0..5000_usize, 0..5000_usize, 1..5000_usize, 1..5000_usize)
            .prop_map(|(x_px, y_px, width_px, height_px)| Crop::Box { x_px, y_px, width_px, height_px }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        crop in crops(),
        size in 1..4097_usize,
        low in 0.0..50.0_f64,
        a in 1e-3..1.0_f64,
        planes in proptest::collection::vec(0..60_usize, 1..5),
    ) {
        prop_assert_eq!(crop.to_string().parse::<Crop>().unwrap(), crop);
        for resize in [Resize::ShortSide { size_px: size }, Resize::Exact { width_px: size, height_px: 7 }] {
            prop_assert_eq!(resize.to_string().parse::<Resize>().unwrap(), resize);
        }
        let (low_percent, high_percent) = (low, 99.0);
        for stretch in [
            Stretch::AsStored,
            Stretch::Linear { low_percent, high_percent },
            Stretch::Asinh { low_percent, high_percent, a },
            Stretch::Log { low_percent, high_percent, a },
            Stretch::Lupton { minimum: low - 10.0, stretch: a, q: low },
        ] {
            prop_assert_eq!(stretch.to_string().parse::<Stretch>().unwrap(), stretch);
            let settings = Settings { crop, stretch, ..Settings::default() };
            prop_assert_eq!(settings.check(), Ok(()));
            let json = serde_json::to_string(&settings).unwrap();
            prop_assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        }
        let channels = Channels::Chosen(planes);
        prop_assert_eq!(channels.to_string().parse::<Channels>().unwrap(), channels);
    }
}

#[test]
fn what_is_not_understood_says_what_is() {
    let crop = "12x".parse::<Crop>().unwrap_err().to_string();
    assert_eq!(
        crop,
        "the crop \"12x\" is not understood; write whole, 192 or 192x128 (the middle), or \
         10,20,192x128 (a box from x, y)"
    );
    for text in ["", "x", "1,2", "1,2,3", "-1", "1,2,3x4,5"] {
        assert!(text.parse::<Crop>().is_err(), "{text}");
    }
    for text in ["", "asinh:", "asinh:x", "linear:1", "lupton:1", "none:1", "sqrt"] {
        let read = text.parse::<Stretch>();
        assert!(read.is_err() || text == "asinh:", "{text} {read:?}");
    }
    assert!("".parse::<Channels>().is_err() && "red".parse::<Channels>().is_err());
}

#[test]
fn numbers_out_of_range_are_refused() {
    let sizes = [0, 4097]
        .map(|size_px| Settings { resize: Resize::ShortSide { size_px }, ..Settings::default() });
    let stretch = |stretch| Settings { stretch, ..Settings::default() };
    let numbers = [
        stretch(Stretch::Linear { low_percent: 60.0, high_percent: 50.0 }),
        stretch(Stretch::Linear { low_percent: f64::NAN, high_percent: 50.0 }),
        stretch(Stretch::Asinh { low_percent: 0.0, high_percent: 100.0, a: 0.0 }),
        stretch(Stretch::Log { low_percent: 0.0, high_percent: 100.0, a: -1.0 }),
        stretch(Stretch::Lupton { minimum: f64::NAN, stretch: 5.0, q: 8.0 }),
    ];
    let crop = |crop| Settings { crop, ..Settings::default() };
    let crops = [
        crop(Crop::Centre { width_px: 0, height_px: 4 }),
        crop(Crop::Box { x_px: usize::MAX, y_px: 0, width_px: 1, height_px: 1 }),
    ];
    let lupton = stretch(Stretch::Lupton { minimum: 0.0, stretch: 5.0, q: 8.0 });
    let grey = Settings { channels: Channels::Grey, ..lupton };
    let none = Settings { channels: Channels::Chosen(Vec::new()), ..Settings::default() };
    for settings in sizes.into_iter().chain(numbers).chain(crops).chain([grey, none]) {
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("; it must be "), "{error}");
    }
    assert_eq!(Settings::default().check(), Ok(()));
    let shape = Settings::default().shape();
    assert_eq!((shape.channels, shape.height, shape.width), (3, 96, 96));
}
