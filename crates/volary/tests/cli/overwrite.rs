//! What a command reads it does not write over.

use crate::support::{Place, Row, export};

fn project() -> Place {
    let place = Place::new();
    let mut rows = Vec::new();
    for subject in 0..6_u64 {
        for (i, name) in ["a", "b", "c", "d"].iter().enumerate() {
            let id = subject * 10 + i as u64 + 1;
            rows.push(Row::answer(id, name, &format!("s{subject}"), "Cat"));
        }
    }
    place.write("classifications.csv", export(&rows));
    let truth: String = (0..6).map(|i| format!("s{i},Cat\n")).collect();
    place.write("truth.csv", format!("subject_id,answer\n{truth}"));
    let planets: String = (0..90).map(|i| format!("p{i},Dog\n")).collect();
    place.write("pl.csv", format!("subject_id,answer\n{planets}"));
    place
}

/// What a training leaves.
const OF_MODEL: [&str; 7] = [
    "config.json",
    "weights.safetensors",
    "metrics.json",
    "checkpoint.safetensors",
    "history.csv",
    "split.csv",
    "run.json",
];

#[test]
fn no_command_writes_over_what_it_reads() {
    let place = project();
    place.record(&["extract", "classifications.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["gold", "classifications.csv", "--least", "3", "-o", "gold.csv"]);
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::copy(place.path("classifications.csv"), place.path("data/classifications.csv")).unwrap();
    place.write("volary.toml", "[rows]\noptouts = \"optouts.toml\"\n");
    std::fs::create_dir(place.path("model")).unwrap();
    for name in OF_MODEL {
        place.write(&format!("model/{name}"), "{\"command\": \"train\"}");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("classifications.csv", place.path("link.csv")).unwrap();
    let state = || -> Vec<(String, Vec<u8>)> {
        let files = place.files().into_iter();
        files.map(|name| (name.clone(), std::fs::read(place.path(&name)).unwrap())).collect()
    };
    let before = state();
    let mix = "gold mix gold.csv --with planets=pl.csv --share 0.1 -o";
    let mut lines = vec![
        format!("{mix} gold.csv"),
        format!("{mix} gold_soft.csv"),
        format!("{mix} pl.csv"),
        format!("{mix} ./extracts/../pl.csv"),
        "consensus classifications.csv -o classifications.csv".to_owned(),
        "consensus classifications.csv --truth truth.csv -o truth.csv".to_owned(),
        "consensus classifications.csv -o c.csv --record classifications.csv".to_owned(),
        "consensus extracts -o extracts/votes.csv".to_owned(),
        "gold classifications.csv -o classifications.csv".to_owned(),
        "bias classifications.csv --truth truth.csv --positive Cat --slices truth.csv --by answer -o classifications.csv".to_owned(),
        "practice classifications.csv --truth truth.csv -o classifications.csv".to_owned(),
        "flatten classifications.csv -o classifications.csv".to_owned(),
        "dedup classifications.csv -o classifications.csv".to_owned(),
        "slice truth.csv subject_id==1 -o truth.csv".to_owned(),
        "extract data/classifications.csv -o data --to csv".to_owned(),
        "consensus classifications.csv --config volary.toml -o volary.toml".to_owned(),
        // What gold stands on, though the mixture does not read it.
        format!("{mix} gold_votes.csv"),
        format!("{mix} gold_gold.json"),
        // What a folder came with, though not all of it is read.
        "consensus extracts -o extracts/classifications.csv".to_owned(),
        "consensus extracts -o c.csv --record extracts/run.json".to_owned(),
        "practice extracts --truth truth.csv -o extracts/classifications.csv".to_owned(),
        "score model classifications.csv -o model/split.csv".to_owned(),
        "score model classifications.csv -o extracts/../model/history.csv".to_owned(),
        "attention model classifications.csv -o model".to_owned(),
    ];
    lines.extend(OF_MODEL.map(|name| format!("card model --draft -o model/{name}")));
    if cfg!(unix) {
        lines.push("consensus classifications.csv -o link.csv".to_owned());
        lines.push("consensus link.csv -o classifications.csv".to_owned());
    }
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        place.volary(&words).fails_with("name another file to write");
        assert!(state() == before, "{line}");
    }
    // What was written before is written again, also where it is an input of the next command.
    for _ in 0..2 {
        place.record(&["extract", "classifications.csv", "-o", "extracts", "--to", "csv"]);
        place.record(&["consensus", "extracts", "-o", "c.csv", "--record", "c.json"]);
        place.record(&["gold", "classifications.csv", "--least", "3", "-o", "gold.csv"]);
        place.record(&[&mix.split(' ').collect::<Vec<_>>()[..], &["training.csv"]].concat());
    }
}

/// What a command adds to the folder that it reads it makes again, and what is called like a part of it and is none.
#[test]
fn what_a_command_wrote_into_the_folder_that_it_reads_is_written_again() {
    let place = project();
    place.record(&["extract", "classifications.csv", "-o", "extracts", "--to", "csv"]);
    crate::vision::project(&place, 24);
    place.volary(&crate::vision::train("model", &["--epochs", "1", "--held-out", "0.3"])).is_done();
    for _ in 0..2 {
        for output in ["extracts/c.csv", "extracts/subjects.json"] {
            place.record(&["consensus", "extracts", "-o", output]);
        }
        place.record(&["score", "model", "subjects.csv", "-o", "model/predictions.csv"]);
        place.record(&["card", "model", "--draft"]);
        place.record(&["card", "model", "--draft", "-o", "model/README.md"]);
    }
    // The folder of another training is no input.
    let again = crate::vision::train("model", &["--epochs", "1", "--held-out", "0.3", "--fresh"]);
    place.volary(&again).is_done();
}
