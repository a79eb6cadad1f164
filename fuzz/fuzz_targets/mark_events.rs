#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::mark_events::parse_mark_event;

fuzz_target!(|data: &[u8]| {
    for line in String::from_utf8_lossy(data).lines() {
        match parse_mark_event(line) {
            Ok(event) => {
                assert!(!event.classification_id.is_empty() && !event.subject_id.is_empty());
                assert!(!event.volunteer.is_empty());
            }
            // The message says what is wanted, never what stood there.
            Err(why) => assert!(why.len() < 200),
        }
    }
});
