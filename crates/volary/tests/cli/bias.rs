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

/// A crowd that learns errs more while it is new; one that does not, errs the same.
#[test]
fn newcomers_who_err_more_are_found() {
    let place = Place::new();
    let flagged = |folder: &str, more: &[&str]| {
        let base =
            "simulate crowd --subjects 1500 --per-subject 12 --volunteers 60 --session-votes 80 -o";
        let line: Vec<&str> =
            base.split_whitespace().chain([folder]).chain(more.iter().copied()).collect();
        place.record(&line);
        let (labels, truth) = (format!("{folder}/labels.csv"), format!("{folder}/truth.csv"));
        let ask = ["bias", &labels, "--truth", &truth, "--positive", "1", "--votes", "-o", "b.csv"];
        let record = place.record(&ask);
        assert!(record["summary"]["n_judged_votes"].as_u64().unwrap() > 15_000, "{record:#}");
        let mut rows = place.table("b.csv");
        assert!(rows.iter().all(|r| r["who"] == "votes" && r["x"] == "experience"), "{rows:?}");
        rows.retain(|r| r["flagged"] == "true");
        rows
    };
    let found = flagged("learns", &["--learning", "0.5"]);
    let is_new = |r: &&std::collections::BTreeMap<String, String>| r["x_low"] == "0";
    let new: Vec<_> = found.iter().filter(is_new).collect();
    assert_eq!(new.len(), 2, "false positives and false negatives: {found:?}");
    assert!(new.iter().all(|r| r["difference_low"].parse::<f64>().unwrap() > 0.0), "{new:?}");
    assert_eq!(flagged("knows", &[]), []);
    // Without times there is no experience; the columns of subjects do without.
    place.write("plain.csv", "task,worker,label\ns1,a,yes\n");
    place.write("truth.csv", "subject_id,answer\ns1,yes\n");
    let ask =
        ["bias", "plain.csv", "--truth", "truth.csv", "--positive", "yes", "--votes", "-o", "x.csv"];
    place.volary(&ask).fails_with("nobody's experience is known; give votes with created_at");
    place.write("slices.csv", "subject_id,mag\ns1,1\n");
    place.record(&[&ask[..], &["--slices", "slices.csv", "--by", "mag"]].concat());
}

/// The kidney stones of Charig et al. 1986 as galaxies: what is worse in all is better in every kind.
#[test]
fn what_turns_round_within_the_kinds_is_told() {
    let place = Place::new();
    let [mut labels, mut truth, mut slices] =
        ["task,worker,label\n", "subject_id,answer\n", "subject_id,sensor,kind\n"].map(String::from);
    let groups = [
        ("A", "bright", 81, 87),
        ("A", "faint", 192, 263),
        ("B", "bright", 234, 270),
        ("B", "faint", 55, 80),
    ];
    for (sensor, kind, right, n) in groups {
        for i in 0..n * 6 {
            let subject = format!("{sensor}{kind}{i}");
            let said = if i < right * 6 { "real" } else { "bogus" };
            labels.push_str(&format!("{subject},v1,{said}\n{subject},v2,{said}\n"));
            truth.push_str(&format!("{subject},real\n"));
            slices.push_str(&format!("{subject},{sensor},{kind}\n"));
        }
    }
    place.write("labels.csv", labels);
    place.write("truth.csv", truth);
    place.write("slices.csv", slices);
    let ask =
        |together| [&BASE[..], &["--by", "sensor,kind", "--together", together, "-o", "b.csv"]].concat();
    let record = place.record(&ask("2"));
    let told = record["summary"]["reversed"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    for one in told {
        assert_eq!(one["within"], "kind");
        let number = |key: &str| one[key].as_f64().unwrap();
        assert!(number("difference") * number("difference_within") < 0.0, "{one}");
    }
    assert!(place.record(&ask("1"))["summary"]["reversed"].is_null());
}

#[test]
fn what_cannot_be_sliced_is_one_clear_error() {
    let place = Place::new();
    crowd(&place);
    let run = |more: &[&str]| place.volary(&[&BASE[..], more].concat());
    run(&["--by", "colour", "-o", "x.csv"]).fails_with("colour");
    for (option, value, words) in [
        ("--fdr", "0", "the share of false alarms lies between 0 and 1, not at 0"),
        ("--fdr", "2", "the share of false alarms lies between 0 and 1, not at 2"),
        ("--level", "2", "the level of an interval lies between 0 and 1, not at 2"),
        ("--bins", "0", "0 bins of a number"),
        ("--bins", "1", "1 bins of a number; a slice needs a rest, so give 2 or more"),
    ] {
        run(&["--by", "mag", "-o", "x.csv", option, value]).fails_with(words);
    }
    run(&["--by", "mag,sensor,mag", "-o", "x.csv"]).fails_with("the column \"mag\" is named twice");
    run(&["--where", "mag > 8", "--where", "mag>8", "-o", "x.csv"]).fails_with("is named twice");
    run(&["--by", "mag", "-o", "x.csv", "--task", "T9"]).fails_with("no question has the answer");
    let mut other = BASE;
    other[5] = "galaxy";
    place
        .volary(&[&other[..], &["--by", "mag", "-o", "x.csv"]].concat())
        .fails_with("no question has the answer");
    // Nobody of whom anything is known: no slice, and no error.
    place.write("slices.csv", "subject_id,mag,sensor\nnobody,1,left\n");
    let record: Value = run(&["--by", "mag", "-o", "y.csv", "--json"]).record();
    assert_eq!((&record["summary"]["n_slices"], &record["summary"]["n_sliced"]), (&0.into(), &0.into()));
    assert!(run(&["--by", "mag", "-o", "y.csv"]).stdout.contains("are its ids the same?"));
    assert!(!place.path("x.csv").exists());
}

/// Silence about a slice is no sign that all is well in it.
#[test]
fn slices_that_are_too_small_are_told() {
    let place = Place::new();
    crowd(&place);
    let run = |more: &[&str]| place.volary(&[&BASE[..], more].concat());
    // A filter that nobody meets has no rest to compare with.
    let nobody = run(&["--where", "mag > 99", "-o", "x.csv"]);
    nobody.is_done();
    assert!(
        nobody.stdout.contains("Too small") && nobody.stdout.contains("not enough data"),
        "{}",
        nobody.stdout
    );
    // A table of sixty of four hundred, in five bins of twelve.
    let few: String = place.read("slices.csv").split_inclusive('\n').take(61).collect();
    place.write("few.csv", few.clone());
    let mut line = BASE;
    line[7] = "few.csv";
    let record = place.record(&[&line[..], &["--by", "mag", "-o", "x.csv"]].concat());
    let summary = &record["summary"];
    assert_eq!((&summary["n_judged"], &summary["n_sliced"]), (&400.into(), &60.into()));
    assert_eq!((&summary["n_slices"], &summary["n_too_small"]), (&0.into(), &10.into()));
    // A subject that stands twice is what its first row says, and is told of.
    let table = |more: &[&str]| {
        let run =
            place.record(&[&line[..], &["--by", "mag", "--least", "3", "-o", "x.csv"], more].concat());
        (run, place.read("x.csv"))
    };
    let (_, before) = table(&[]);
    place.write("few.csv", few + "3,99.5,left\n");
    let (record, after) = table(&[]);
    assert_eq!(before, after);
    let problem = &record["problem_examples"][0];
    assert_eq!((&problem["row"], &problem["column"]), (&61.into(), &"subject_id".into()), "{problem}");
    assert_eq!(record["problems"].as_object().unwrap().len(), 1, "{:#}", record["problems"]);
}

/// A subject that a model was not asked of was not called bogus by it.
#[test]
fn a_model_is_judged_by_what_it_said_and_by_nothing_else() {
    let place = Place::new();
    crowd(&place);
    let rates = |scores: &str, more: &[&str]| {
        let line = ["--by", "sensor", "--scores", scores, "-o", "x.csv"];
        let record = place.record(&[&BASE[..], &line, more].concat());
        let rows = place.table("x.csv");
        let model: Vec<_> = rows.into_iter().filter(|row| row["who"] == "model").collect();
        (record["summary"].clone(), model)
    };
    let (_, whole) = rates("scores.csv", &[]);
    // Of every other subject only, and once with its answer in other capitals.
    let text = place.read("scores.csv");
    let (head, rows) = text.split_once('\n').unwrap();
    let half: String = rows
        .split_inclusive('\n')
        .enumerate()
        .filter(|(at, _)| at / 4 % 2 == 0)
        .map(|(_, row)| row)
        .collect();
    place.write("half.csv", format!("{head}\n{half}"));
    place.write("capitals.csv", text.replace("real", "Real"));
    let (summary, some) = rates("half.csv", &[]);
    assert_eq!(summary["n_without_score"], 200);
    let n = |rows: &[std::collections::BTreeMap<String, String>]| -> u64 {
        rows.iter().map(|row| row["n"].parse::<u64>().unwrap()).sum()
    };
    assert_eq!((n(&whole), n(&some)), (400, 200));
    let rate = |row: &std::collections::BTreeMap<String, String>| row["rate"].parse::<f64>().unwrap();
    // In the slices of all, and beside the crowd's rates on the same subjects.
    let rows = place.table("x.csv");
    let slices = |who: &str| -> std::collections::BTreeSet<String> {
        rows.iter().filter(|row| row["who"] == who).map(|row| row["x_label"].clone()).collect()
    };
    assert_eq!(slices("crowd"), slices("model"));
    assert_eq!(slices("crowd_scored"), slices("model"));
    let by_mag = ["--by", "mag", "--scores", "half.csv", "--least", "5", "-o", "m.csv"];
    place.record(&[&BASE[..], &by_mag].concat());
    let rows = place.table("m.csv");
    let bins = |who: &str| -> std::collections::BTreeSet<String> {
        rows.iter().filter(|row| row["who"] == who).map(|row| row["x_low"].clone()).collect()
    };
    assert_eq!((bins("crowd").len(), bins("model")), (5, bins("crowd")));
    for row in &some {
        let same =
            whole.iter().find(|w| w["error"] == row["error"] && w["x_label"] == row["x_label"]).unwrap();
        assert!((rate(row) - rate(same)).abs() < 0.1, "{row:?}\n{same:?}");
    }
    let scored = [&BASE[..], &["--by", "sensor", "-o", "y.csv", "--scores"]].concat();
    place
        .volary(&[&scored[..], &["capitals.csv"]].concat())
        .fails_with("has a score for \"real\"; the scores are of \"Real\"");
    place
        .volary(&[&scored[..], &["scores.csv", "--threshold", "NaN"]].concat())
        .fails_with("is no score");
    place
        .volary(&[&BASE[..], &["--by", "sensor", "--least", "0", "-o", "y.csv"]].concat())
        .fails_with("nobody");
}

/// A true answer that the question does not have would be "not real", whatever was meant.
#[test]
fn a_truth_in_other_words_is_no_truth() {
    let place = Place::new();
    crowd(&place);
    let truth = place.read("truth.csv");
    place.write("truth.csv", truth.replace("real", "Real").replace("bogus", "Bogus"));
    for command in ["bias", "practice"] {
        let line = match command {
            "bias" => [&BASE[..], &["--by", "sensor", "-o", "y.csv"]].concat(),
            _ => vec!["practice", "labels.csv", "--truth", "truth.csv", "-o", "y.csv"],
        };
        place.volary(&line).fails_with("the truth says \"Bogus\", and the votes \"bogus\"");
    }
    let consensus = ["consensus", "labels.csv", "--truth", "truth.csv", "-o", "c.csv"];
    place.volary(&consensus).fails_with("write them alike");
    assert!(!place.path("y.csv").exists() && !place.path("c.csv").exists());
    // One that is odd is told of, and the others count.
    place.write("truth.csv", truth.replace("\n7,bogus\n", "\n7,Lens\n"));
    let run = place.volary(&[&BASE[..], &["--by", "sensor", "-o", "y.csv", "--strict"]].concat());
    assert!(run.code == 0 && run.stdout.contains("that nobody gave: \"Lens\" (1)"), "{}", run.stdout);
    // Who says only what is not there says nothing that is wrong.
    place.write("truth.csv", truth.replace("real", "bogus").replace("bogus", "nothing"));
    place.volary(&[&BASE[..], &["--by", "sensor", "-o", "y.csv"]].concat()).is_done();
}

/// R writes `NA` where a number is missing; the column is one of numbers all the same, and a row that is cut is told of.
#[test]
fn a_number_that_is_missing_in_words_leaves_the_others_numbers() {
    let place = Place::new();
    crowd(&place);
    let slices = place.read("slices.csv");
    let lines: Vec<&str> = slices.lines().collect();
    let mut cells: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    cells[5] = "4,NA,right".to_owned();
    cells[6] = "5,inf,right".to_owned();
    place.write("slices.csv", format!("{}\n9999,18.0", cells.join("\n")));
    let record = place.record(&[&BASE[..], &["--by", "mag", "-o", "x.csv"]].concat());
    assert!(record["summary"]["n_flagged_crowd"].as_u64().unwrap() >= 1, "{:#}", record["summary"]);
    let rows = place.table("x.csv");
    assert!(rows.iter().all(|row| row["x_low"].parse::<f64>().is_ok()), "{rows:?}");
    assert_eq!(record["problems"]["wrong number of fields"], 1, "{:#}", record["problems"]);
    assert!(
        record["problem_examples"][0]["detail"].as_str().unwrap().starts_with("slices.csv: 2 fields")
    );
    let run = place.volary(&[&BASE[..], &["--by", "mag", "-o", "x.csv"]].concat());
    assert!(run.stdout.contains("mag: 2 cells say that there is no number"), "{}", run.stdout);
    place.record(&[&BASE[..], &["--where", "mag > 8", "-o", "x.csv"]].concat());
    let strict = place.volary(&[&BASE[..], &["--by", "mag", "-o", "x.csv", "--strict"]].concat());
    assert_eq!(strict.code, 3, "{}", strict.stderr);
}
