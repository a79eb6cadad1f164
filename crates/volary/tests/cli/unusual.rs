//! `volary clusters`, `figures latent` and `figures groups` from the outside: the rarest of the rare, and where
//! they lie.

use std::collections::BTreeMap;

use crate::support::{Place, noise};

/// A broad sky of ordinary subjects; among those with the highest scores two kinds, 30 rings and 20 streaks, and
/// one that is like neither.
fn sky(place: &Place) {
    let mut next = noise(3);
    let mut vectors = String::from("subject_id,z0,z1,z2,z3\n");
    let mut scores = String::from("subject_id,anomaly_score,kind\n");
    let mut coordinates = String::from("subject_id,x,y,z\n");
    for at in 0..400 {
        let (middle, width, score, kind) = match at {
            0..30 => ([8.0, 0.0, 0.0, 0.0], 0.3, 100.0, "ring"),
            30..50 => ([0.0, 8.0, 0.0, 0.0], 0.8, 100.0, "streak"),
            50 => ([0.0, 0.0, 30.0, 0.0], 0.0, 200.0, "lone"),
            _ => ([0.0, 0.0, 0.0, 0.0], 3.0, 10.0, "plain"),
        };
        let z: Vec<String> = middle.iter().map(|m| format!("{:.5}", m + width * next())).collect();
        vectors.push_str(&format!("s{at},{}\n", z.join(",")));
        scores.push_str(&format!("s{at},{:.3},{kind}\n", score + next()));
        coordinates.push_str(&format!("s{at},{},{},{}\n", z[0], z[1], z[2]));
    }
    place.write("embeddings.csv", vectors);
    place.write("scores.csv", scores);
    place.write("map.csv", coordinates);
}

const CLUSTERS: [&str; 12] = [
    "clusters",
    "embeddings.csv",
    "--with",
    "scores.csv",
    "--score",
    "anomaly_score",
    "--top",
    "0.1275",
    "--smallest",
    "8",
    "-o",
    "groups.csv",
];

#[test]
fn kinds_of_the_unusual_are_groups_and_what_is_like_neither_is_in_none() {
    let place = Place::new();
    sky(&place);
    let record = place.record(&CLUSTERS);
    assert_eq!(record["summary"]["n_grouped"], 51);
    assert_eq!(record["summary"]["n_groups"], 2);
    let rows = place.table("groups.csv");
    assert_eq!(rows.len(), 51);
    let kind_of = |id: &str| match id[1..].parse::<usize>().unwrap() {
        0..30 => "ring",
        30..50 => "streak",
        _ => "lone",
    };
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for row in &rows {
        *counts.entry((row["group"].clone(), kind_of(&row["subject_id"]))).or_default() += 1;
    }
    // Group 1 is the larger one. A few of the fringe may belong nowhere.
    let count = |group: &str, kind| counts.get(&(group.to_owned(), kind)).copied().unwrap_or(0);
    assert!(count("1", "ring") >= 27 && count("2", "streak") >= 16, "{counts:?}");
    assert_eq!((count("1", "streak"), count("2", "ring")), (0, 0));
    assert_eq!(count("", "lone"), 1);
    // The odd ones of each group come first, and are numbered so.
    for pair in rows.windows(2).filter(|pair| pair[0]["group"] == pair[1]["group"]) {
        let of = |row: &BTreeMap<String, String>| row["oddness"].parse::<f64>().unwrap();
        assert!(of(&pair[0]) >= of(&pair[1]));
    }
    assert_eq!(rows[0]["place"], "1");
    // By the axes of a map likewise.
    let axes = ["--where", "anomaly_score > 50", "--smallest", "8", "--axes", "x,y,z", "-o", "axes.csv"];
    let record = place.record(&[&["clusters", "map.csv", "--with", "scores.csv"][..], &axes].concat());
    assert_eq!(record["summary"]["n_groups"], 2);
    // Same input, same bytes.
    let first = place.read("groups.csv");
    place.record(&CLUSTERS);
    assert_eq!(place.read("groups.csv"), first);
}

#[test]
fn vectors_that_are_no_numbers_are_left_out_and_listed() {
    let place = Place::new();
    sky(&place);
    let broken = "odd1,NaN,1,2,3\nodd2,1,,2,3\nodd3,1,inf,2,3\n";
    place.write("broken.csv", place.read("embeddings.csv") + broken);
    for (command, rows) in [("clusters", 400), ("outliers", 400), ("map", 400)] {
        let record = place.record(&[command, "broken.csv", "-o", "out.csv"]);
        assert_eq!(record["summary"]["n_subjects"], rows, "{command}");
        assert_eq!(place.table("out.csv").len(), rows, "{command}");
        assert_eq!(record["problems"]["odd value"], 3, "{command}: {record}");
    }
    place.write("none.csv", "subject_id,z0,z1\na,NaN,1\nb,,2\n");
    place
        .volary(&["clusters", "none.csv", "-o", "o.csv"])
        .fails_with("no row has a vector of finite numbers");
}

#[test]
fn what_clusters_cannot_do_is_one_line() {
    let place = Place::new();
    sky(&place);
    let run = |more: &[&str]| {
        place.volary(
            &[&["clusters", "embeddings.csv", "--with", "scores.csv", "-o", "g.csv"], more].concat(),
        )
    };
    run(&["--smallest", "1"]).fails_with("at least 2");
    run(&["--neighbors", "0"]).fails_with("at least 1");
    run(&["--where", "kind = 'lone'"]).fails_with("ask for smaller groups");
    run(&["--where", "kind = 'blue'"]).fails_with("no subject is left to group");
    run(&["--score", "anomaly_score", "--top", "2"]).fails_with("between 0 and 1");
    run(&["--score", "nothing", "--top", "0.5"]).fails_with("nothing");
    place.volary(&["clusters", "scores.csv", "-o", "g.csv"]).fails_with("no vectors");
}

#[test]
fn latent_maps_have_a_panel_per_filter_and_colour_and_tags_as_marks() {
    let place = Place::new();
    sky(&place);
    place.write("tags.csv", "subject_id,tags\ns1,ring; red\ns2,ring\ns31,streak\nelsewhere,ring\n");
    let figure = |more: &[&str], name: &str| {
        let base = ["figures", "latent", "map.csv", "--with", "scores.csv", "-o", name];
        place.record(&[&base, more].concat());
        place.read(name)
    };
    let plain = figure(&["--colour", "anomaly_score"], "plain.svg");
    assert!(plain.contains("anomaly_score") && plain.contains(">z</text>"), "three axes are named");
    // A picture and a bar each.
    assert_eq!(plain.matches("<image ").count(), 2);
    let panels = ["--colour", "anomaly_score", "--where", "kind = 'ring'", "--where", "kind != 'ring'"];
    let parts = figure(&panels, "parts.svg");
    assert_eq!(parts.matches("<image ").count(), 4);
    assert!(
        parts.contains("kind = &#39;ring&#39; (30)") || parts.contains("kind = 'ring' (30)"),
        "{}",
        { parts.lines().filter(|l| l.contains("kind")).collect::<String>() }
    );
    let tags = figure(&["--tags", "tags.csv"], "tags.svg");
    // Four marks of three tags on the map, three in the key; the subject that is elsewhere has no place.
    assert_eq!(tags.matches("<path ").count(), 7);
    assert!(tags.contains("ring (2)") && tags.contains("streak (1)"));
    let one = figure(&["--tags", "tags.csv", "--tag", "streak", "--axes", "x,y"], "one.svg");
    assert_eq!(one.matches("<path ").count(), 2);
    let run = |more: &[&str]| {
        place.volary(
            &[&["figures", "latent", "map.csv", "--with", "scores.csv", "-o", "f.svg"], more].concat(),
        )
    };
    run(&[]).fails_with("--colour COLUMN");
    run(&["--colour", "kind"]).fails_with("holds no numbers");
    run(&["--colour", "anomaly_score", "--range", "0,1", "--range", "1,2"]).fails_with("one for each");
    run(&["--colour", "anomaly_score", "--axes", "x"]).fails_with("two or three columns");
    run(&["--tags", "tags.csv", "--tag", "lens"]).fails_with("no subject has the tag \"lens\"");
}

#[test]
fn groups_are_shown_as_rows_of_images() {
    let place = Place::new();
    place.record(&["simulate", "images", "-o", "sky", "--subjects", "12", "--size", "32"]);
    let subjects = place.table("sky/subjects.csv");
    let mut groups = String::from("subject_id,group,oddness,place\n");
    for (at, row) in subjects.iter().enumerate() {
        let group = if at < 8 { (at % 2 + 1).to_string() } else { String::new() };
        groups.push_str(&format!("{},{group},0.{at},1\n", row["subject_id"]));
    }
    place.write("groups.csv", groups);
    let base = ["figures", "groups", "sky/subjects.csv", "--groups", "groups.csv", "--typical", "2"];
    place.record(&[&base[..], &["--odd", "1", "-o", "groups.svg"]].concat());
    let figure = place.read("groups.svg");
    assert_eq!(figure.matches("<image ").count(), 9);
    assert!(figure.contains("group 1 (4)") && figure.contains("in no group (4)"), "{figure:.400}");
    place.write("other.csv", "subject_id,group,oddness\nnobody,1,0.5\n");
    let other = ["figures", "groups", "sky/subjects.csv", "--groups", "other.csv", "-o", "o.svg"];
    place.volary(&other).fails_with("compare the tables");
}
