#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_live::policy::{Condition, Policy};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(condition) = Condition::parse(text) {
        // What was read is written as it was, and reads again.
        let again = Condition::parse(condition.source()).expect("it was read before");
        assert_eq!(condition, again);
    }
    let _ = serde_json::from_str::<Policy>(text).map(|policy| policy.check());
});
