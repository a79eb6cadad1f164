//! `volary bias` from the outside: a bias that is there, a model that learnt it, and what is refused.

use serde_json::Value;

use crate::support::Place;

/// 400 subjects, ten votes each: the faint ones that are real are missed half of the time. The model is wrong
/// on the same subjects.
fn crowd(place: &Place) {
    let mut labels = String::from("task,worker,label\n");
    let mut truth = String::from("subject_id,answer\n");
    let mut slices = String::from("subject_id,mag,sensor\n");
    let mut scores = String::from("subject_id,answer,score\n");
    for s in 0..400_u32 {
        let (is_real, mag) = (s % 2 == 0, f64::from(s * 7919 % 1000) / 100.0);
        let is_missed = is_real && mag > 8.0 && s % 4 == 0;
        let said = if is_real && !is_missed { "real" } else { "bogus" };
        (0..10).for_each(|v| labels.push_str(&format!("{s},v{v},{said}\n")));
        truth.push_str(&format!("{s},{}\n", if is_real { "real" } else { "bogus" }));
        slices.push_str(&format!("{s},{mag},{}\n", if s % 3 == 0 { "left" } else { "right" }));
        scores.push_str(&format!("{s},real,{}\n", if said == "real" { 0.9 } else { 0.1 }));
    }
    place.write("labels.csv", labels);
    place.write("truth.csv", truth);
    place.write("slices.csv", slices);
    place.write("scores.csv", scores);
}

const BASE: [&str; 8] =
    ["bias", "labels.csv", "--truth", "truth.csv", "--positive", "real", "--slices", "slices.csv"];

#[test]
fn a_bias_is_found_and_the_model_that_learnt_it() {
    let place = Place::new();
    crowd(&place);
    let more = ["--by", "mag,sensor", "--scores", "scores.csv", "-o", "bias.csv"];
    let record = place.record(&[&BASE[..], &more].concat());
    assert_eq!(record["summary"]["n_judged"], 400);
    assert!(record["summary"]["n_inherited"].as_u64().unwrap() >= 1, "{:#}", record["summary"]);
    let rows = place.table("bias.csv");
    let worst = &rows[0];
    assert_eq!((worst["who"].as_str(), worst["error"].as_str()), ("crowd", "false negative"));
    assert_eq!((worst["x"].as_str(), worst["flagged"].as_str()), ("mag", "true"));
    let number = |column: &str| worst[column].parse::<f64>().unwrap();
    assert!(number("x_low") > 7.5 && number("difference_low") > 0.2, "{worst:?}");
    assert!(number("rate_low") <= number("rate") && number("rate_shrunk") < number("rate"));
    // The sensor has nothing to do with it, and nobody calls bogus real.
    assert!(
        rows.iter()
            .filter(|r| r["flagged"] == "true")
            .all(|r| r["x"] == "mag" && r["error"] == "false negative")
    );
    // The same, by a condition of one's own.
    let condition = ["--where", "mag > 8 and sensor = 'right'", "-o", "where.csv"];
    place.record(&[&BASE[..], &condition].concat());
    let rows = place.table("where.csv");
    let is_it = |row: &&std::collections::BTreeMap<String, String>| {
        row["x_label"] == "yes" && row["error"] == "false negative"
    };
    let worst = rows.iter().find(is_it).unwrap();
    assert_eq!(worst["flagged"], "true", "{worst:?}");
    assert!(worst["x"].contains("mag"), "{worst:?}");
    // The error points at the place in the condition, on lines of its own.
    let run = place.volary(&[&BASE[..], &["--where", "colour > 1", "-o", "x.csv"]].concat());
    assert!(run.code == 1 && run.stderr.contains("there is no column \"colour\""), "{}", run.stderr);
    let pairs =
        [&BASE[..], &["--by", "mag,sensor", "--pairs", "--bins", "2", "-o", "pairs.parquet"]].concat();
    assert!(place.record(&pairs)["rows"]["bias"].as_u64().unwrap() > 8);
}

#[test]
fn what_cannot_be_sliced_is_one_clear_error() {
    let place = Place::new();
    crowd(&place);
    let run = |more: &[&str]| place.volary(&[&BASE[..], more].concat());
    run(&["--by", "colour", "-o", "x.csv"]).fails_with("colour");
    run(&["--by", "mag", "-o", "x.csv", "--fdr", "0"]).fails_with("0");
    run(&["--by", "mag", "-o", "x.csv", "--task", "T9"]).fails_with("no question has the answer");
    let mut other = BASE;
    other[5] = "galaxy";
    place
        .volary(&[&other[..], &["--by", "mag", "-o", "x.csv"]].concat())
        .fails_with("no question has the answer");
    // Nobody of whom anything is known: no slice, and no error.
    place.write("slices.csv", "subject_id,mag,sensor\nnobody,1,left\n");
    let record: Value = run(&["--by", "mag", "-o", "y.csv", "--json"]).record();
    assert_eq!(record["summary"]["n_slices"], 0);
    assert!(!place.path("x.csv").exists());
}
