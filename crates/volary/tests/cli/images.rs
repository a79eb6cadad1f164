//! `volary simulate images` and `volary figures`: the same bytes from the same seed, the confusion that was
//! planted, and figures of all of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Place, shared};

const SMALL: [&str; 6] = ["simulate", "images", "--subjects", "150", "--seed", "5"];
const CLASSES: &str = "vortex,turbulence,bands";

fn simulate(place: &Place, folder: &str, more: &[&str]) -> Value {
    place.record(&[&SMALL[..], &["-o", folder], more].concat())
}

fn number(row: &BTreeMap<String, String>, name: &str) -> f64 {
    row[name].parse().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_project() {
    let place = Place::new();
    simulate(&place, "one", &["--threads", "1"]);
    simulate(&place, "two", &["--threads", "2"]);
    place.record(&["simulate", "images", "--subjects", "150", "--seed", "6", "-o", "other"]);
    let files = ["subjects.csv", "votes.csv", "truth.csv", "classifications.csv", "images/80000007.png"];
    for file in files {
        let bytes = |folder: &str| std::fs::read(place.path(folder).join(file)).unwrap();
        assert_eq!(bytes("one"), bytes("two"), "{file}");
        assert_ne!(bytes("one"), bytes("other"), "{file}");
    }
    place
        .volary(&["simulate", "images", "-o", "x", "--lookalikes", "0.9", "--faint", "0.3"])
        .fails_with("at most 1");
    place.volary(&["simulate", "images", "-o", "x", "--size", "4"]).fails_with("between 8 and 2048");
}

#[test]
fn the_confusion_is_where_it_was_planted() {
    let place = Place::new();
    simulate(&place, "jupiter", &["--per-subject", "40"]);
    let truth = place.table("jupiter/truth.csv");
    let votes = place.table("jupiter/votes.csv");
    let (mut planted, mut others) = (Vec::new(), Vec::new());
    for (truth, votes) in truth.iter().zip(&votes) {
        assert_eq!(truth["subject_id"], votes["subject_id"]);
        let fraction = number(votes, "vortex") / number(votes, "n_votes");
        // Five standard deviations of a fraction of about 40 votes, and of the readiness of those who came.
        assert!((fraction - number(truth, "p_vortex")).abs() < 0.45, "{truth:?} {fraction}");
        let is_planted = truth["kind"].ends_with("like_vortex") || truth["kind"] == "faint_vortex";
        if is_planted { &mut planted } else { &mut others }.push((0.2..=0.8).contains(&fraction));
    }
    let share = |list: &[bool]| list.iter().filter(|c| **c).count() as f64 / list.len() as f64;
    assert!(planted.len() > 20 && share(&planted) > 0.9, "{}", share(&planted));
    assert!(share(&others) < 0.1, "{}", share(&others));
}

#[test]
fn the_export_says_what_the_table_of_votes_says() {
    let place = Place::new();
    simulate(&place, "jupiter", &[]);
    place.record(&["consensus", "jupiter/classifications.csv", "-o", "consensus.csv"]);
    let mut fractions = BTreeMap::new();
    for row in place.table("consensus.csv") {
        fractions.insert((row["subject_id"].clone(), row["answer"].clone()), number(&row, "n_votes"));
    }
    for row in place.table("jupiter/votes.csv") {
        for class in CLASSES.split(',') {
            let counted = fractions.get(&(row["subject_id"].clone(), class.to_owned())).copied();
            assert_eq!(counted.unwrap_or(0.0), number(&row, class), "{row:?}");
        }
    }
}

/// A map, pairs and maps of attention as a model would give them.
fn model_tables(place: &Place) {
    let truth = place.table("jupiter/truth.csv");
    let mut map = "subject_id,x,y\n".to_owned();
    let mut pairs = "subject_id,neighbour_id,distance\n".to_owned();
    for (i, row) in truth.iter().enumerate() {
        let id = &row["subject_id"];
        map.push_str(&format!("{id},{},{}\n", row["p_vortex"], row["p_bands"]));
        let next = &truth[(i + 1) % truth.len()]["subject_id"];
        pairs.push_str(&format!("{id},{next},0.5\n"));
    }
    place.write("map.csv", map);
    place.write("pairs.csv", pairs);
    std::fs::create_dir(place.path("maps")).unwrap();
    let mut npy =
        b"\x93NUMPY\x01\0\x40\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }    \n"
            .to_vec();
    npy[8] = (npy.len() - 10) as u8;
    npy.extend([0.0_f32, 1.0, 0.2, 0.6].iter().flat_map(|v| v.to_le_bytes()));
    place.write("maps/80000001_vortex.npy", npy);
    place.write("history.csv", "epoch,learning_rate,train_total,unseen_total\n1,0.1,9,10\n2,0.1,5,7\n");
}

#[test]
fn every_figure_is_drawn() {
    let place = Place::new();
    simulate(&place, "jupiter", &[]);
    model_tables(&place);
    let (subjects, votes) = ("jupiter/subjects.csv", "jupiter/votes.csv");
    let valued = ["--values", votes, "--classes", CLASSES];
    for (name, first, rest) in [
        ("classes", vec![subjects], &valued[..]),
        ("confusing", vec![subjects], &valued[..]),
        ("map", vec!["map.csv"], &valued[..]),
        ("thumbnails", vec![subjects, "--map", "map.csv", "--across", "5", "--size", "24"], &[]),
        ("neighbours", vec![subjects, "--neighbours", "pairs.csv", "--rows", "3"], &[]),
        ("attention", vec![subjects, "--maps", "maps", "--classes", "vortex,bands"], &[]),
        ("losses", vec!["history.csv"], &[]),
    ] {
        let file = format!("{name}.svg");
        place.record(&[&["figures", name], &first[..], rest, &["-o", &file]].concat());
        let svg = place.read(&file);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
        assert!(!svg.contains("\"NaN") && !svg.contains(">NaN"), "{name}");
        assert_eq!(svg.contains("data:image/png"), name != "losses", "{name}");
    }
    place.record(&[
        "figures",
        "classes",
        subjects,
        "--values",
        votes,
        "--classes",
        CLASSES,
        "-o",
        "classes.png",
    ]);
    assert!(std::fs::read(place.path("classes.png")).unwrap().starts_with(b"\x89PNG"));
    let one = place.read("classes.svg");
    place.record(&[
        "figures",
        "classes",
        subjects,
        "--values",
        votes,
        "--classes",
        CLASSES,
        "-o",
        "classes.svg",
    ]);
    assert_eq!(one, place.read("classes.svg"), "the same seed gives the same figure");
}

#[test]
fn a_figure_that_cannot_be_drawn_says_why() {
    let place = Place::new();
    simulate(&place, "jupiter", &[]);
    let figure = |more: &[&str]| {
        let start = ["figures", "classes", "jupiter/subjects.csv", "--values", "jupiter/votes.csv"];
        place.volary(&[&start[..], more].concat())
    };
    figure(&["--classes", "spots", "-o", "a.svg"]).fails_with("no column spots; there are bands, file");
    figure(&["--classes", CLASSES, "--from", "2", "-o", "a.svg"]).fails_with("no subject");
    figure(&["--classes", CLASSES, "-o", "a.pdf"]).fails_with("must end in .svg or .png");
    // A broken image is a problem of its row, and a grey square.
    for i in 1..150 {
        std::fs::write(place.path(&format!("jupiter/images/{}.png", 80_000_000 + i)), b"no image")
            .unwrap();
    }
    let record = figure(&["--classes", CLASSES, "-o", "a.svg", "--json"]).record();
    assert!(record["problems"]["unreadable image"].as_u64().unwrap() > 0, "{record}");
}

#[test]
fn figures_of_real_images() {
    let Some(votes) = shared("cifar10h/votes.csv") else { return };
    let place = Place::new();
    let votes = votes.display().to_string();
    let record = place.record(&[
        "figures",
        "confusing",
        &votes,
        "--values",
        &votes,
        "--classes",
        "cat,dog,deer,horse",
        "--size",
        "32",
        "-o",
        "cats.svg",
    ]);
    assert_eq!(record["summary"]["n_subjects"], 5000);
    assert!(place.read("cats.svg").contains("rising deer"));
}
