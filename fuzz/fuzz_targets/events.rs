#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What is read is well formed, and comes back from its own text.
    for event in volary_live::incoming::parse(data).events {
        assert_eq!(event.check(), Ok(()));
        let again: volary_live::Event = serde_json::from_str(&event.to_json()).expect("its own text is read");
        assert_eq!(again, event);
    }
});
