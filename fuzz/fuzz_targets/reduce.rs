#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::panoptes::compat::{RepeatRule, write_reductions};
use volary_ingest::panoptes::config::{ReducerConfig, ReducerEntry};

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"classification_id,user_name,user_id,workflow_id,task,created_at,subject_id,extractor,data.yes,data.choice,data.value,data.aggregation_version\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let names = ["question_reducer", "question_consensus_reducer", "survey_reducer", "dropdown_reducer", "slider_reducer"];
    let entry = |name: &str| ReducerEntry { name: name.to_owned(), ..ReducerEntry::default() };
    let config = ReducerConfig { reducers: names.map(entry).to_vec() };
    let out = folder.path().join("out");
    let _ = write_reductions(path, &config, &out, "x", RepeatRule::First, None, &Progress::default());
});
