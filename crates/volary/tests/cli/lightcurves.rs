//! `volary simulate lightcurves`: the same bytes from the same seed, and files that Volary itself reads.

use crate::support::{Place, shared};

const SMALL: [&str; 6] = ["simulate", "lightcurves", "--scale", "0.002", "--seed", "5"];

fn simulate(place: &Place, folder: &str, more: &[&str]) -> serde_json::Value {
    place.record(&[&SMALL[..], &["-o", folder], more].concat())
}

#[test]
fn threads_change_no_byte_and_the_seed_does() {
    let place = Place::new();
    simulate(&place, "one", &["--threads", "1", "--light-curves", "fits"]);
    simulate(&place, "two", &["--threads", "2", "--light-curves", "fits"]);
    let files = |folder: &str| -> Vec<String> {
        let inside = |f: String| f.strip_prefix(&format!("{folder}/")).map(str::to_owned);
        place.files().into_iter().filter_map(inside).filter(|f| f != "run.json").collect()
    };
    let names = files("one");
    assert_eq!(names, files("two"));
    assert!(names.iter().filter(|f| f.ends_with(".fits")).count() > 100, "{}", names.len());
    for name in &names {
        let bytes = |folder: &str| std::fs::read(place.path(folder).join(name)).expect("read");
        assert!(bytes("one") == bytes("two"), "{name}");
    }
    place.record(&["simulate", "lightcurves", "--scale", "0.002", "--seed", "6", "-o", "other"]);
    assert_ne!(place.read("one/classifications.csv"), place.read("other/classifications.csv"));
}

#[test]
fn the_files_are_what_planet_hunters_wrote() {
    let place = Place::new();
    let summary = simulate(&place, "hunt", &[])["summary"].clone();
    let count = |key: &str| summary[key].as_u64().expect("a count") as usize;
    assert_eq!((count("n_classifications"), count("n_rows")), (2505, 3713));
    let rows = place.table("hunt/classifications.csv");
    assert_eq!(rows.len(), 3713);
    let marked = rows.iter().filter(|r| r["xMinGlobal"] != "nan");
    let mut n_marks = 0;
    for row in marked {
        let number = |name: &str| row[name].parse::<f64>().expect("a number");
        assert!((number("xMinGlobal") - number("start_time") - number("xMinRelative")).abs() < 2e-8);
        assert!(number("xMinGlobal") < number("xMaxGlobal"));
        n_marks += 1;
    }
    assert_eq!(n_marks, count("n_marks"));
    if let Some(golden) = shared("planet_hunters/golden/input/mdwarf-classifs.csv") {
        let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let golden = std::fs::read_to_string(golden).expect("read");
        assert_eq!(first(&place.read("hunt/classifications.csv")), first(&golden));
    }
    // Ids and times rise together; a simulation says so in every column that does.
    let ids: Vec<&str> = rows.iter().map(|r| r["classification_id"].as_str()).collect();
    assert!(ids.is_sorted() && rows.iter().map(|r| &r["created_at"]).is_sorted());
    for row in &rows {
        let simulated = row["synthetic"] == "true";
        assert_eq!(simulated, !row["synthetic_id"].is_empty());
        assert_eq!(simulated, row["data_location"].contains("_synth-"));
        assert_eq!(simulated, row["kepler_type"] == "k1_synthetic");
    }
    let signals = place.table("hunt/signals.csv");
    assert_eq!(
        (signals.len(), place.table("hunt/truth.csv").len()),
        (count("n_signals"), count("n_real"))
    );
    assert!(signals.iter().all(|s| rows.iter().any(|r| r["synthetic_id"] == s["syntheticid"])));
    assert_eq!(place.table("hunt/volunteers.csv").len(), count("n_volunteers"));
    let record = place.record(&["extract", "hunt/classifications.csv", "-o", "extracts"]);
    assert_eq!(record["rows"]["classifications"].as_u64(), Some(2505));
    assert_eq!(record["problems"], serde_json::json!({}));
}

#[test]
fn a_world_that_cannot_be_is_one_clear_error() {
    let place = Place::new();
    let run = place.volary(&["simulate", "lightcurves", "-o", "x", "--classifications", "5"]);
    run.fails_with("n_classifications is 5, it must be at least one for each volunteer");
    place
        .volary(&["simulate", "lightcurves", "-o", "x", "--simulations", "9999"])
        .fails_with("n_simulations");
    assert!(place.files().is_empty());
}
