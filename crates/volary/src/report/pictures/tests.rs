use rand::RngExt as _;
use volary_core::seed::stream;
use volary_core::{PixelShape, PixelsInMemory};

use super::bitmap::Bitmap;
use super::colour::inferno;
use super::thumbnails::chosen;
use super::*;

/// Pictures of 4 × 4, each of one colour.
fn pictures(n: usize) -> PixelsInMemory {
    let shape = PixelShape { channels: 3, height: 4, width: 4 };
    let values = (0..n).flat_map(|i| [i as f32 / 10.0, 0.5, 1.0].map(|v| [v; 16]).concat()).collect();
    PixelsInMemory::new(shape, values).unwrap()
}

#[test]
fn a_bitmap_shows_the_picture() {
    let bitmap = Bitmap::of(&pictures(4), 2).unwrap();
    assert_eq!(bitmap.at(3, 3), [51, 128, 255]);
    assert_eq!(bitmap.scaled(9, 9).at(8, 0), [51, 128, 255]);
    let shape = PixelShape { channels: 1, height: 1, width: 2 };
    let grey = PixelsInMemory::new(shape, vec![0.0, 1.0]).unwrap();
    assert_eq!(Bitmap::of(&grey, 0).unwrap().at(1, 0), [255; 3]);
}

#[test]
fn attention_covers_where_it_is() {
    let mut bitmap = Bitmap::new(8, 8, [200; 3]);
    // Of the left half everything, of the right half nothing.
    bitmap.lay_over(&[1.0, 0.0], (2, 1));
    let blend = |v: f64| {
        inferno(v).map(|c| (200.0 * (0.75 - 0.5 * v) + f64::from(c) * (0.25 + 0.5 * v)).round() as u8)
    };
    assert_eq!(bitmap.at(0, 0), blend(1.0));
    assert_eq!(bitmap.at(7, 7), blend(0.0));
}

#[test]
fn a_sheet_has_every_image_and_its_text() {
    let cell = |row, caption: &str| Cell { row, caption: caption.to_owned(), attention: None };
    let rows = [
        SheetRow { label: "a < b".to_owned(), cells: vec![cell(0, "0.31"), cell(1, "0.52")] },
        SheetRow { label: "bands".to_owned(), cells: vec![cell(2, "0.7")] },
    ];
    let picture = sheet(&pictures(4), &rows, 64, "two rows").unwrap();
    assert_eq!(picture.svg.matches("<image ").count(), 3);
    assert!(picture.svg.contains("a &lt; b") && picture.svg.contains("0.52"));
    assert!(picture.png.starts_with(b"\x89PNG"));
    let error = sheet(&pictures(1), &[], 8, "").unwrap_err().to_string();
    assert_eq!(error, "nothing to draw: no subject fits; relax the conditions");
}

#[test]
fn a_map_paints_its_points() {
    let panel = |values: Vec<f64>| Panel {
        name: "vortex".to_owned(),
        values,
        range: (0.0, 1.0),
        ..Panel::default()
    };
    let places = Places::flat(&[0.0, 1.0, f64::NAN], &[0.0, 1.0, 0.0]);
    let panels = [panel(vec![0.0, 1.0, 0.5]), panel(vec![f64::NAN])];
    let picture = map(&places, &panels, 2, "a map").unwrap();
    assert_eq!(picture.svg.matches("<image ").count(), 4, "two panels, two bars");
    assert!(map(&Places::flat(&[f64::NAN], &[0.0]), &panels, 2, "").is_err());
    assert!(map(&places, &[], 2, "").is_err());
    // One point lies in the middle.
    assert!(map(&Places::flat(&[3.0], &[3.0]), &panels, 1, "").is_ok());
}

#[test]
fn a_map_has_marks_and_what_they_mean_and_pales_what_it_is_not_about() {
    let axes: [&[f64]; 3] = [&[0.0, 1.0, 2.0], &[0.0, 1.0, 0.5], &[0.0, 0.3, 1.0]];
    let places = Places::seen(axes, ["x", "y", "z"], View::default());
    let marks = |name: &str, points: &[usize]| Marks { name: name.to_owned(), points: points.to_vec() };
    let with_marks = Panel {
        name: "tags".to_owned(),
        marks: vec![marks("a < b", &[0, 2]), marks("lens", &[1])],
        ..Panel::default()
    };
    let picture = map(&places, &[with_marks], 1, "tags").unwrap();
    // Two and one on the map, one of each in the key; no bar, since nothing is coloured.
    assert_eq!(picture.svg.matches("<path ").count(), 5);
    assert!(picture.svg.contains("a &lt; b (2)") && picture.svg.contains("lens (1)"));
    assert_eq!(picture.svg.matches("<image ").count(), 1);
    let of = |shown: Option<Vec<bool>>| {
        let values = vec![0.0, 0.5, 1.0];
        map(&places, &[Panel { values, range: (0.0, 1.0), shown, ..Panel::default() }], 1, "").unwrap()
    };
    assert_eq!(of(None), of(Some(vec![true; 3])));
    assert_ne!(of(None).png, of(Some(vec![true, false, true])).png);
}

#[test]
fn curves_of_whatever_there_is() {
    let loss = |name: &str, training: &[f64], validation: &[f64]| Losses {
        name: name.to_owned(),
        training: (1..).map(f64::from).zip(training.iter().copied()).collect(),
        validation: (1..).map(f64::from).zip(validation.iter().copied()).collect(),
    };
    let all = [
        loss("total", &[9.0, 5.0, 4.0], &[9.5, 6.0, f64::NAN]),
        loss("kl", &[0.5], &[]),
        loss("none", &[], &[]),
    ];
    let picture = losses(&all, "losses").unwrap();
    assert!(picture.svg.contains("total") && picture.svg.contains("kl"));
    assert!(!picture.svg.contains("NaN") && !picture.svg.contains(">none<"));
    assert!(losses(&all[2..], "").is_err());
}

/// No two images share a cell, each lies in its own, and where any point is, something is shown.
#[test]
fn thumbnails_do_not_overlap() {
    let mut rng = stream(1, "points of maps");
    for _ in 0..200 {
        let n_cells = rng.random_range(1..12_usize);
        let n_points = rng.random_range(1..80);
        let points =
            (0..n_points).map(|_| (rng.random_range(-5.0..5.0_f64), rng.random_range(-5.0..5.0_f64)));
        let (x, y): (Vec<f64>, Vec<f64>) = points.unzip();
        let shown = chosen((&x, &y), n_cells);
        let cells: std::collections::BTreeSet<(usize, usize)> =
            shown.iter().map(|c| (c.0, c.1)).collect();
        assert_eq!(cells.len(), shown.len());
        let scale = super::map::Scale::of(&x, &y).unwrap();
        let cell_of = |i: usize| {
            let (px, py) = scale.place(x[i], y[i], n_cells as f64).unwrap();
            (px as usize, py as usize)
        };
        for (column, row, point) in &shown {
            assert_eq!(cell_of(*point), (*column, *row));
        }
        assert!((0..x.len()).all(|i| cells.contains(&cell_of(i))));
        let mut seen: Vec<usize> = super::map::order(x.len()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..x.len()).collect::<Vec<_>>());
    }
}

#[test]
fn a_scatter_paints_its_points_and_says_what_colours_mean() {
    let x: Vec<f64> = (0..500).map(f64::from).chain([f64::NAN]).collect();
    let y: Vec<f64> = x.iter().map(|v| v * v).collect();
    let chosen: Vec<f64> = x.iter().map(|v| (v % 2.0) * 0.5).collect();
    let marked: Vec<bool> = (0..501).map(|at| at % 50 == 0).collect();
    let about = Scatter {
        x: ("score", &x),
        y: ("other <score>", &y),
        value: Some(("fraction", &chosen, (0.0, 0.5))),
        marked: Some(("discussed", &marked)),
    };
    let picture = scatter(&about, "alt").unwrap();
    assert!(picture.svg.contains("other &lt;score&gt;") && picture.svg.contains("colour: fraction"));
    assert!(picture.png.starts_with(b"\x89PNG") && !picture.svg.contains("NaN"));
    assert_eq!(scatter(&about, "alt").unwrap(), picture);
    let nothing = [f64::NAN; 501];
    let about = Scatter { y: ("none", &nothing), ..about };
    assert!(matches!(scatter(&about, "alt"), Err(PictureError::Nothing(_))));
}
