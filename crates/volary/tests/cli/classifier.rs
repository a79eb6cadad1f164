//! `volary train classifier`, taught by gold labels, and its scores.

use serde_json::Value;

use crate::support::Place;
use crate::vision::project;

/// Fourteen people each; all but two see the square where there is one.
fn labels(place: &Place, n: usize) {
    let mut text = "task,worker,label\n".to_owned();
    for i in 0..n {
        let is_bright = (i * 7 % n) * 2 > n;
        for worker in 0..14 {
            let sees = is_bright == (worker > 1);
            text.push_str(&format!("s{i},w{worker},{}\n", if sees { "real" } else { "bogus" }));
        }
    }
    place.write("labels.csv", text);
}

fn train<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = "train classifier subjects.csv --consensus gold_soft.csv --classes real --replicates 50 --size 32 \
                 --channels grey --filters 4,6 --dense 12 --batch 8 --rate 0.005 --dropout-maps 0.05 --dropout 0.2";
    fixed.split_whitespace().chain(["-o", output]).chain(more.iter().copied()).collect()
}

#[test]
fn from_gold_labels_to_probabilities_that_say_how_sure_they_are() {
    let place = Place::new();
    project(&place, 80);
    labels(&place, 80);
    place.record(&["gold", "labels.csv", "-o", "gold.csv"]);
    let more = ["--epochs", "30", "--held-out", "0.3", "--group", "object", "--by", "object"];
    let record = place.record(&train("model", &more));
    let summary = &record["summary"];
    assert_eq!(summary["classes"], serde_json::json!(["real"]));
    let of = |model: &str| {
        summary["held_out"]["models"][model]["all_classes"]["excess_log_loss"]["value"].as_f64().unwrap()
    };
    assert!(of("model") < 0.7 * of("prior"), "{} and {}", of("model"), of("prior"));
    let config: Value = serde_json::from_str(&place.read("model/config.json")).unwrap();
    assert_eq!(config["kind"], "classifier");
    assert!(config["calibration"][0]["slope"].as_f64().unwrap() > 0.0, "{config}");
    // The card knows what it was taught by.
    let card = place.read("model/card.md");
    assert!(card.contains("gold_soft.csv `") && card.contains("dropout"), "{card}");
    assert!(!card.contains("stretches the network's numbers"), "{card}");

    place.record(&["score", "model", "subjects.csv", "-o", "scores.csv", "--passes", "12"]);
    place.record(&["score", "model", "subjects.csv", "-o", "again.csv", "--passes", "12"]);
    assert_eq!(place.read("scores.csv"), place.read("again.csv"));
    let scores = place.read("scores.csv");
    let mut rows = scores.lines();
    assert_eq!(
        rows.next().unwrap(),
        "subject_id,answer,probability,probability_low,probability_high,probability_sd,mutual_information_bits"
    );
    let mut n = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().unwrap();
        assert!(number(3) <= number(2) && number(2) <= number(4), "{row}");
        n += 1;
    }
    assert_eq!(n, 80);
    assert_eq!(place.read("scores_embeddings.csv").lines().next().unwrap().split(',').count(), 1 + 12);
}

#[test]
fn a_network_that_learned_nothing_is_not_calibrated_into_one_that_did() {
    let place = Place::new();
    project(&place, 80);
    labels(&place, 80);
    place.record(&["gold", "labels.csv", "-o", "gold.csv"]);
    let mut line = train("model", &["--epochs", "1", "--held-out", "0.3", "--group", "object"]);
    // So small a step leaves the network as it was drawn.
    let at = line.iter().position(|word| *word == "0.005").unwrap();
    line[at] = "0.0000001";
    let run = place.volary(&line);
    run.is_done();
    let config: Value = serde_json::from_str(&place.read("model/config.json")).unwrap();
    let slope = config["calibration"][0]["slope"].as_f64().unwrap();
    assert!(slope > 10.0, "{slope}");
    let words = format!("stretches the network's numbers {slope:.0} times: it says next to nothing");
    assert!(run.stdout.contains(&words), "{words}\n{}", run.stdout);
    assert!(place.read("model/card.md").contains(&words), "{words}");
}

#[test]
fn what_no_classifier_is_taught_with() {
    let place = Place::new();
    project(&place, 12);
    labels(&place, 12);
    place.record(&["gold", "labels.csv", "-o", "gold.csv"]);
    for (more, words) in [
        (&["--filters", "4"][..], "give two, such as 16,32"),
        (&["--class-weights", "some"][..], "--class-weights \"some\"; there are balanced, none"),
        (&["--stop-share", "0"][..], "the setting stop share is 0"),
    ] {
        place.volary(&train("model", more)).fails_with(words);
    }
}
