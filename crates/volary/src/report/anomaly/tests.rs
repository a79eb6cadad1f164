use super::*;

#[test]
fn curves_are_drawn_with_their_bands_and_without_numbers_that_are_none() {
    let spot = |x: f64, y: f64| Spot { x, y, band: Some((y - 0.1, y + 0.1)) };
    let curves = [
        Curve { name: "recall <of> all".into(), spots: vec![spot(0.1, 0.5), spot(0.5, 0.8)] },
        Curve { name: "none".into(), spots: vec![spot(f64::NAN, 0.5), spot(0.2, f64::NAN)] },
    ];
    let about = Chart {
        alt: "two & more",
        x: "share inspected",
        y: "recall",
        is_share: true,
        y_range: None,
        has_diagonal: true,
        guides: &[],
    };
    let svg = chart(&about, &curves).unwrap();
    assert!(svg.contains("recall &lt;of&gt; all") && svg.contains("two &amp; more"), "{svg}");
    assert!(svg.contains("polygon") && svg.contains("polyline") && !svg.contains("NaN"), "{svg}");
    // Nothing to draw is an empty chart, not an error.
    let about = Chart { is_share: false, y_range: Some((0.0, 3.0)), ..about };
    assert!(!chart(&about, &[]).unwrap().contains("NaN"));
}

#[test]
fn histograms_put_what_is_outside_into_the_outermost_bins() {
    let panel = Panel {
        title: "a tag".into(),
        x: "fraction".into(),
        groups: vec![
            Histogram { name: "all".into(), values: vec![-1.0, 0.1, 0.9, 7.0, f64::NAN] },
            Histogram { name: "some".into(), values: vec![] },
        ],
        range: (0.0, 1.0),
        n_bins: 2,
        marks: vec![(0.99, "99th".into())],
    };
    let svg = histograms(&[panel.clone(), panel], 2, "alt").unwrap();
    assert!(svg.contains("99th") && svg.contains("40%") && !svg.contains("NaN"), "{svg}");
    assert!(histograms(&[], 3, "nothing").unwrap().starts_with("<svg"));
}
