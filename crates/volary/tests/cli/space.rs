//! `volary slice`, `neighbours`, `map`, `confusing` from the outside.

use crate::support::Place;

/// Three groups in four dimensions, a consensus with a row per answer.
fn sky(place: &Place) {
    let mut vectors = String::from("subject_id,z0,z1,z2,z3,kind\n");
    let mut consensus = String::from(
        "workflow_id,task,subject_id,answer,n_seen,n_votes,fraction,fraction_low,fraction_high\n",
    );
    for at in 0..120_u32 {
        let group = at % 3;
        let wave = |step: f64| (f64::from(at) * step).sin() * 0.3;
        let z = [
            f64::from(group) * 4.0 + wave(0.7),
            wave(1.3),
            f64::from(group % 2) * 3.0 + wave(2.1),
            wave(0.4),
        ];
        let kind = ["spiral", "ring", "merger"][group as usize];
        vectors.push_str(&format!("s{at},{},{},{},{},{kind}\n", z[0], z[1], z[2], z[3]));
        let vortex = f64::from(at % 11) / 10.0;
        let bands = if group == 0 { 0.9 } else { 0.1 };
        for (answer, share) in [("vortex", vortex), ("bands", bands)] {
            // Nobody chose vortex: there is no row.
            if share > 0.0 {
                consensus.push_str(&format!("w,T0,s{at},{answer},10,{:.0},{share},0,1\n", 10.0 * share));
            }
        }
    }
    place.write("embeddings.csv", vectors);
    place.write("consensus.csv", consensus);
}

#[test]
fn a_slice_counts_names_examples_and_splits_the_confusing() {
    let place = Place::new();
    sky(&place);
    let filter = "consensus(vortex) between 0.3 and 0.7 and consensus(bands)>.7";
    let record = place.record(&["slice", "consensus.csv", filter, "-o", "slice.csv"]);
    let expected = (0..120).filter(|at| (3..=7).contains(&(at % 11)) && at % 3 == 0).count();
    let summary = &record["summary"];
    assert_eq!((&summary["n_subjects"], &summary["n_selected"]), (&120.into(), &expected.into()));
    assert_eq!(summary["filter"], "consensus(vortex) between 0.3 and 0.7 and consensus(bands) > 0.7");
    assert_eq!((&summary["n_confused"], &summary["n_ambiguous"]), (&expected.into(), &0.into()));
    let rows = place.table("slice.csv");
    assert_eq!(rows.len(), expected);
    assert!(rows.iter().all(|row| row["consensus(bands)"] == "0.9"));
    // Nobody chose it: the share is 0 and not missing.
    let record =
        place.record(&["slice", "consensus.csv", "consensus(vortex) = 0", "-o", "none.parquet"]);
    assert_eq!(record["summary"]["n_selected"], (0..120).filter(|at| at % 11 == 0).count());
    // With vectors joined, the examples are the most typical ones.
    let with =
        ["slice", "embeddings.csv", "--with", "consensus.csv", "kind = 'ring'", "-o", "ring.arrow"];
    let record = place.record(&with);
    assert_eq!(
        (&record["summary"]["n_selected"], record["inputs"].as_array().unwrap().len()),
        (&40.into(), 2)
    );
}

/// Who sees a smooth thing at `T0` and a round one at `T1` is not torn between the two.
#[test]
fn answers_to_different_questions_are_not_confused() {
    let place = Place::new();
    let head = "workflow_id,task,subject_id,answer,n_seen,n_votes,fraction,fraction_low,fraction_high\n";
    let rows = [
        ("T0", "a", "smooth", 0.9),
        ("T0", "a", "disk", 0.1),
        ("T1", "a", "round", 0.8),
        ("T1", "a", "long", 0.2),
        ("T0", "b", "smooth", 0.8),
        ("T0", "b", "disk", 0.4),
        ("T1", "b", "round", 0.5),
        ("T1", "b", "long", 0.5),
        ("T0", "c", "disk", 0.9),
    ];
    let line = |(task, id, answer, share): (&str, &str, &str, f64)| {
        format!("w,{task},{id},{answer},10,{:.0},{share},0,1\n", 10.0 * share)
    };
    place.write("consensus.csv", format!("{head}{}", rows.map(line).concat()));
    let summary = &place.record(&["slice", "consensus.csv", "n_seen > 0"])["summary"];
    assert_eq!(summary["n_confused"], serde_json::Value::Null, "not of all questions at once");
    let of = |at: usize| {
        let one = &summary["questions"][at];
        let keys = ["n_clear", "n_ambiguous", "n_confused", "n_nothing", "n_without_shares"];
        (one["question"].clone(), keys.map(|key| one[key].as_u64().unwrap()))
    };
    assert_eq!(of(0), ("T0".into(), [2, 0, 1, 0, 0]));
    assert_eq!(of(1), ("T1".into(), [1, 1, 0, 0, 1]));
    assert_eq!(summary["questions"][0]["classes"][0]["n_high"]["T0.smooth"], 1);
}

/// A second consensus is of the same answers, and an answer may have parentheses.
#[test]
fn a_second_consensus_does_not_compete_with_the_first() {
    let place = Place::new();
    let head = "workflow_id,task,subject_id,answer,n_seen,n_votes,fraction,fraction_low,fraction_high\n";
    let table = |share: f64| {
        let of = |id: &str| {
            format!("w,T0,{id},Star (point) (bright),10,9,{share},0,1\nw,T0,{id},Galaxy,10,1,0.1,0,1\n")
        };
        format!("{head}{}{}", of("a"), of("b"))
    };
    place.write("first.csv", table(0.9));
    place.write("other.csv", table(0.8));
    for with in [&[][..], &["--with", "other.csv"]] {
        let record = place.record(&[&["slice", "first.csv", "n_seen > 0"][..], with].concat());
        let summary = &record["summary"];
        assert_eq!((&summary["n_clear"], &summary["n_confused"]), (&2.into(), &0.into()), "{summary:#}");
        assert_eq!(summary["classes"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_region_of_the_page_selects_the_same_here() {
    let place = Place::new();
    let rows: String = (0..50).map(|at| format!("s{at},{},{}\n", at % 10, at / 10)).collect();
    place.write("map.csv", format!("subject_id,x,y\n{rows}"));
    let square = r#"{"op": "add", "points": [[-1, -1], [4.5, -1], [4.5, 9], [-1, 9]]}"#;
    let hole = r#"{"op": "remove", "points": [[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]}"#;
    place.write("region.json", format!(r#"{{"x": "x", "y": "y", "shapes": [{square}, {hole}]}}"#));
    let count = |filter: &str| {
        let record = place.record(&["slice", "map.csv", filter, "--within", "region.json"]);
        record["summary"]["n_selected"].as_u64().unwrap()
    };
    assert_eq!(count("x >= 0"), 25 - 4);
    assert_eq!(count("y = 1"), 5 - 2);
    place.write("region.json", r#"{"x": "x", "y": "y", "shapes": [{"op": "add", "points": [[0, 0]]}]}"#);
    let bad = ["slice", "map.csv", "x >= 0", "--within", "region.json"];
    place.volary(&bad).fails_with("a polygon has 3 or more; draw it again");
    place.write("region.json", "[]");
    place.volary(&bad).fails_with("copy it from the page");
}

#[test]
fn a_filter_that_cannot_be_read_is_pointed_at() {
    let place = Place::new();
    sky(&place);
    let run = place.volary(&["slice", "consensus.csv", "consensus(vortx) > 0.5"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("at character 1") && run.stderr.contains("did you mean"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("^^^^"), "{}", run.stderr);
    let run = place.volary(&["slice", "embeddings.csv", "kind > 3"]);
    assert!(run.code == 1 && run.stderr.contains("holds texts"), "{}", run.stderr);
    let run = place.volary(&["slice", "embeddings.csv", "kind = 'ring'", "--low", "0.9"]);
    assert!(run.code == 1 && run.stderr.contains("upper bound"), "{}", run.stderr);
}

#[test]
fn neighbours_come_from_those_that_the_filter_allows() {
    let place = Place::new();
    sky(&place);
    place.record(&[
        "neighbours",
        "embeddings.csv",
        "--query",
        "s0",
        "--query",
        "s1",
        "-k",
        "4",
        "-o",
        "near.csv",
    ]);
    let rows = place.table("near.csv");
    assert_eq!(rows.len(), 8);
    let number = |id: &str| id[1..].parse::<u32>().unwrap();
    for row in &rows {
        assert_ne!(row["subject_id"], row["neighbour_id"]);
        assert_eq!(number(&row["subject_id"]) % 3, number(&row["neighbour_id"]) % 3);
    }
    let among = [
        "neighbours",
        "embeddings.csv",
        "--with",
        "consensus.csv",
        "--query",
        "s1",
        "--where",
        "consensus(bands) > 0.7",
        "-o",
        "bands.csv",
    ];
    let record = place.record(&among);
    assert_eq!(record["summary"]["n_among"], 40);
    let rows = place.table("bands.csv");
    assert!(rows.len() == 5 && rows.iter().all(|row| number(&row["neighbour_id"]) % 3 == 0));
    let distances: Vec<f64> = rows.iter().map(|row| row["distance"].parse().unwrap()).collect();
    assert!(distances.windows(2).all(|w| w[0] <= w[1]));
    let run = place.volary(&["neighbours", "embeddings.csv", "--query", "nobody"]);
    assert!(run.code == 1 && run.stderr.contains("nobody"), "{}", run.stderr);
    let run = place.volary(&["neighbours", "consensus.csv"]);
    assert!(run.code == 1 && run.stderr.contains("no vectors"), "{}", run.stderr);
}

#[test]
fn a_map_keeps_groups_comes_twice_and_takes_in_newcomers() {
    let place = Place::new();
    sky(&place);
    place.write("new.csv", "subject_id,z0,z1,z2,z3\nn0,0,0,0,0\nn1,4,0,3,0\nbad,1,,0,0\n");
    let draw = |name: &str, threads: &str| {
        let args = [
            "map",
            "embeddings.csv",
            "-o",
            name,
            "--epochs",
            "150",
            "--class",
            "kind",
            "--place",
            "new.csv",
        ];
        place.record(&[&args[..], &["--threads", threads]].concat())
    };
    let record = draw("map.csv", "1");
    draw("again.csv", "2");
    assert_eq!(place.read("map.csv"), place.read("again.csv"));
    assert_eq!(place.read("map_placed.csv"), place.read("again_placed.csv"));
    let summary = &record["summary"];
    assert!(summary["quality"]["trustworthiness"]["value"].as_f64().unwrap() > 0.9);
    assert!(summary["purity_map"]["value"].as_f64().unwrap() > 0.99);
    assert_eq!(record["problems"]["odd value"], 1, "{}", record["problems"]);
    let map = place.table("map.csv");
    assert_eq!((map.len(), place.table("map_placed.csv").len()), (120, 2));
    place.record(&["map", "embeddings.csv", "-o", "space.csv", "--dimensions", "3", "--epochs", "20"]);
    assert!(place.table("space.csv")[0].contains_key("z"));
    let run = place.volary(&["map", "embeddings.csv", "-o", "map.csv", "--dimensions", "4"]);
    assert!(run.code == 1 && run.stderr.contains("2 or 3"), "{}", run.stderr);
}

#[test]
fn the_confusing_come_first_and_the_clear_can_stop() {
    let place = Place::new();
    let mut table = String::from("subject_id,answer,probability,probability_low,probability_high\n");
    for at in 0..100 {
        let p = f64::from(at) / 100.0;
        table.push_str(&format!("s{at},vortex,{p},{},{}\n", (p - 0.05).max(0.0), (p + 0.05).min(1.0)));
    }
    table.push_str("bad,vortex,,0,1\n");
    place.write("predictions.csv", table);
    let plan = |error: &str, name: &str| {
        place.record(&["confusing", "predictions.csv", "--votes", "10", "--error", error, "-o", name])
    };
    let record = plan("0.02", "queue.csv");
    let rows = place.table("queue.csv");
    assert_eq!(rows.len(), 100);
    let number = |text: &str| text.parse::<f64>().unwrap();
    let errors: Vec<f64> = rows.iter().map(|row| number(&row["error_if_stopped"])).collect();
    assert!(errors.windows(2).all(|w| w[0] >= w[1]));
    let of_first = rows[0]["subject_id"][1..].parse::<i32>().unwrap();
    assert!((40..65).contains(&of_first), "{of_first}");
    let n_stopped = rows.iter().filter(|row| row["stops"] == "true").count();
    assert_eq!(
        (&record["summary"]["n_stopped"], &record["summary"]["votes_saved"]),
        (&n_stopped.into(), &(10 * n_stopped).into())
    );
    assert!(n_stopped > 30 && record["summary"]["error"]["expected"].as_f64().unwrap() <= 0.02);
    assert_eq!(record["problems"]["odd value"], 1, "{}", record["problems"]);
    let saved = plan("0.1", "more.csv")["summary"]["votes_saved"].as_u64().unwrap();
    assert!(saved > 10 * n_stopped as u64);
    assert_eq!(place.table("queue_curve.csv").len(), 101);
    let run = place.volary(&[
        "confusing",
        "predictions.csv",
        "--votes",
        "10",
        "--class",
        "ring",
        "-o",
        "q.csv",
    ]);
    assert!(run.code == 1 && run.stderr.contains("vortex"), "{}", run.stderr);
}
