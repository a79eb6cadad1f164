#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What the server lets in, the plain parser must be able to read.
    if volary_web::strict_json::check(data).is_ok() {
        serde_json::from_slice::<serde_json::Value>(data).expect("checked");
    }
});
